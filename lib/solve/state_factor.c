/* The triangular factor of a state's moments, solved as a problem of n + k rows. */
#include <math.h>
#include <string.h>

#include "solve/state.h"

static const double DEPENDENT = 0x1p-80; /* (2^-40)^2: columns that depend to so much of themselves are said to do so */

/* For column i, of which the factor leaves nothing over: how far from those before it roundings of the moments may have
 * moved it, with R's first i rows in `high`. */
static double open_distance(const lsqnet_state *s, int64_t i, const double *high) {
  const int64_t P = s->columns;
  double *share = s->left; /* of column j in column i */
  double open = lsq_state_rounding(s, i);
  for (int64_t j = i - 1; j >= 0; j--) {
    double rest = high[j * P + i];
    for (int64_t l = j + 1; l < i; l++) rest -= high[j * P + l] * share[l];
    share[j] = high[j * P + j] > 0.0 ? rest / high[j * P + j] : 0.0;
    open += fabs(share[j]) * lsq_state_rounding(s, j);
  }
  return open;
}

/* What becomes of pivot i, of which no more than `left` is left over. Where the moments show that the column depends on
 * those before it, or where the caller takes the least norm, it gets a row of zeros. Where they do not show it and an
 * answer has to be unique, it gets what may be left of it: some answer comes of that, and no certificate. */
static double dependent_pivot(lsqnet_state *s, int64_t i, int least_norm, double left, const double *high) {
  const double open = open_distance(s, i, high), square = fmax(left, 0.0) + open * open;
  s->dropped[i] = open;
  if (!(square > DEPENDENT * s->high[i * s->stride + i])) return 0.0;
  s->hidden = 1;
  return least_norm ? 0.0 : square;
}

/* R with R'R = moments + a ridge, in pairs: R (columns,columns) by rows, high parts and low. */
static void factor(lsqnet_state *s, double ridge, int least_norm, double *high, double *low) {
  const int64_t P = s->columns;
  s->hidden = 0;
  for (int64_t i = 0; i < P; i++) {
    const double whole = s->high[i * s->stride + i];
    const double least = fmax(16.0 * s->drift[i], 0x1p-98 * whole);
    lsq_pair over = {0.0, 0.0};
    for (int64_t j = i; j < P; j++) {
      lsq_pair sum = {s->high[j * s->stride + i], s->low[j * s->stride + i]};
      if (j == i && i < s->options.n) sum = lsq_plus(sum, ridge);
      for (int64_t l = 0; l < i; l++)
        sum = lsq_minus_product(sum, (lsq_pair){high[l * P + i], low[l * P + i]},
                                (lsq_pair){high[l * P + j], low[l * P + j]});
      if (j == i && !(sum.high > least))
        sum = (lsq_pair){i < s->options.n ? dependent_pivot(s, i, least_norm, sum.high, high) : 0.0, 0.0};
      if (j == i && sum.high > 0.0) over = lsq_root(sum);
      const lsq_pair entry = over.high == 0.0 ? over : lsq_quotient(sum, over);
      high[i * P + j] = entry.high;
      low[i * P + j] = entry.low;
    }
  }
}

lsq_problems lsq_state_factor_problem(const lsqnet_state *s) {
  const int64_t P = s->columns, n = s->options.n, k = s->options.k;
  const double *R = s->factor;
  return (lsq_problems){.count = 1,
                        .m = P,
                        .n = n,
                        .k = k,
                        .a_row = P,
                        .a_column = 1,
                        .b_row = P,
                        .b_column = 1,
                        .x_row = k,
                        .x_column = 1,
                        .a = R,
                        .b = R + n,
                        .a_low = R + P * P,
                        .b_low = R + P * P + n,
                        .derived = 1,
                        .ridge_within = 1,
                        .x = s->answer};
}

/* Where the rank is hidden, and dependences have been found all the same: 0 is as good as any other x. */
static void answer_nothing(lsqnet_state *s, lsqnet_report *reports) {
  memset(s->answer, 0, (size_t)(s->options.n * s->options.k) * sizeof *s->answer);
  for (int64_t l = 0; l < s->options.k; l++) {
    reports[l].status = LSQNET_E_NOT_CONVERGED;
    reports[l].stopped = LSQNET_STOP_STAGNATED;
  }
}

static lsqnet_status fail_side(const lsqnet_state *s, int64_t side, const lsqnet_report *report) {
  if (s->hidden)
    return lsq_fail(report->status,
                    "right-hand side %lld: the moments' drift of %.1e hides whether columns are independent",
                    (long long)side + 1, lsq_state_drift(s));
  return lsq_fail(report->status, "right-hand side %lld: moments leave %.1f digits at condition %.1e",
                  (long long)side + 1, report->digits, report->condition);
}

/* The ridge goes into the factor, before what it makes independent could be taken for roundings. */
lsqnet_status lsq_state_solve_factor(lsqnet_solver *solver, lsqnet_state *s, int32_t why, lsqnet_report *reports) {
  const int64_t P = s->columns;
  const lsq_problems problems = lsq_state_factor_problem(s);
  memset(s->factor, 0, (size_t)(2 * P * P) * sizeof *s->factor);
  factor(s, solver->options.ridge, solver->options.min_norm, s->factor, s->factor + P * P);
  lsqnet_status st = lsq_solve_single(solver, &problems, 0, -1, why, reports);
  if (st == LSQNET_E_RANK && s->hidden) {
    answer_nothing(s, reports);
    st = LSQNET_OK;
  }
  s->drifted = 0;
  for (int64_t l = 0; l < s->options.k; l++) {
    reports[l].road = LSQNET_ROAD_STATE;
    reports[l].why = why;
    lsq_state_certify(solver, s, l, &reports[l]);
  }
  for (int64_t l = 0; l < s->options.k; l++)
    if (reports[l].status == LSQNET_E_NOT_CONVERGED && (st == LSQNET_OK || (s->hidden && st == reports[l].status)))
      return fail_side(s, l, &reports[l]);
  return st;
}
