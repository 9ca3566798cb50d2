/* What tests of states (rows that come and go) share: a context, calls, and the oracle for rows that have faded. */
#ifndef LSQ_TESTS_STATE_H
#define LSQ_TESTS_STATE_H

#include <check.h>

#include "batch.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0};

static inline void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static inline void teardown(void) { lsqnet_context_destroy(context); }

static inline int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

static inline lsqnet_state_options state_options(int64_t n, int64_t k) {
  lsqnet_state_options o;
  ck_assert_int_eq(lsqnet_state_options_init(&o, sizeof o), LSQNET_OK);
  o.n = n;
  o.k = k;
  return o;
}

static inline lsqnet_state *state_with(const lsqnet_state_options *options) {
  lsqnet_state *state = NULL;
  ck_assert_msg(lsqnet_state_create(&state, context, options) == LSQNET_OK, "%s", lsqnet_last_message());
  return state;
}

static inline lsqnet_state *plain_state(int64_t n, int64_t k) {
  const lsqnet_state_options o = state_options(n, k);
  return state_with(&o);
}

static inline lsqnet_state_info info_of(const lsqnet_state *state) {
  lsqnet_state_info info;
  ck_assert_int_eq(lsqnet_state_get_info(state, &info, sizeof info), LSQNET_OK);
  return info;
}

static inline lsqnet_status append(lsqnet_solver *solver, lsqnet_state *state, const problem *p, int64_t begin,
                                   int64_t rows) {
  return lsqnet_solver_append_rows(solver, state, rows, p->a + begin * p->lda, p->lda, p->b + begin * p->ldb, p->ldb);
}

static inline lsqnet_status removed(lsqnet_solver *solver, lsqnet_state *state, const problem *p, int64_t begin,
                                    int64_t rows) {
  return lsqnet_solver_remove_rows(solver, state, rows, p->a + begin * p->lda, p->lda, p->b + begin * p->ldb, p->ldb);
}

/* Of the state that `solve` has solved last. */
static double drift_solved;

static inline lsqnet_status solve(lsqnet_solver *solver, lsqnet_state *state, problem *p, lsqnet_report *reports) {
  lsqnet_state_info info;
  reports[0].size = sizeof *reports;
  const lsqnet_status st = lsqnet_solver_solve_state(solver, state, p->x, p->ldx, reports);
  ck_assert_int_eq(lsqnet_state_get_info(state, &info, sizeof info), LSQNET_OK);
  drift_solved = info.drift;
  return st;
}

/* Rows begin .. of p, with weights and a ridge, as the problem that the oracle solves. */
static inline problem part_of(const problem *p, int64_t begin, int64_t rows, double forgetting, double ridge) {
  problem q = problem_create(rows + (ridge > 0 ? p->n : 0), p->n, p->k, 0);
  q.a_low = doubles(q.m * q.n);
  q.b_low = doubles(q.m * q.k);
  quad weight = 1;
  for (int64_t i = rows - 1; i >= 0; i--, weight *= forgetting) {
    const quad root = forgetting == 1 ? 1 : quad_sqrt(weight);
    for (int64_t j = 0; j < p->n; j++) {
      const quad value = root * p->a[(begin + i) * p->lda + j];
      q.a[i * p->n + j] = (double)value;
      q.a_low[i * p->n + j] = (double)(value - (double)value);
    }
    for (int64_t l = 0; l < p->k; l++) {
      const quad value = root * p->b[(begin + i) * p->ldb + l];
      q.b[i * p->k + l] = (double)value;
      q.b_low[i * p->k + l] = (double)(value - (double)value);
    }
  }
  for (int64_t j = 0; j < p->n && ridge > 0; j++) {
    const quad root = quad_sqrt(ridge);
    q.a[(rows + j) * p->n + j] = (double)root;
    q.a_low[(rows + j) * p->n + j] = (double)(root - (double)root);
  }
  (void)problem_truth(&q, 0);
  return q;
}

/* Whatever the status: of residual and backward error a state says what moments show and what they cannot show. */
static inline void check_from_above(const lsqnet_report *report, error_bounds bounds) {
  const double least = fmin(bounds.simple, bounds.sharp);
  if (report->road != LSQNET_ROAD_STATE) return;
  ck_assert_msg(report->residual_norm >= (1 - 1e-6) * bounds.residual, "residual norm %g, below %g",
                report->residual_norm, bounds.residual);
  ck_assert_msg(report->backward_error >= (1 - 1e-6) * least, "backward error %g, below %g", report->backward_error,
                least);
}

/* The answer in `from` against the oracle's, `units` in the last place where it is certified. */
static inline void check_answer(const problem *from, problem *truth, const lsqnet_report *reports, double units) {
  for (int64_t j = 0; j < truth->n; j++)
    for (int64_t l = 0; l < truth->k; l++) truth->x[j * truth->ldx + l] = from->x[j * from->ldx + l];
  for (int64_t l = 0; l < truth->k; l++) {
    const double right = right_digits(truth, l, DBL_EPSILON);
    ck_assert_msg(reports[l].digits <= right + 1, "%g digits reported, %g right", reports[l].digits, right);
    const error_bounds bounds = error_bounds_of(truth, l);
    check_from_above(&reports[l], bounds);
    if (reports[l].status != LSQNET_OK) continue;
    ck_assert_msg(column_error(truth, l, DBL_EPSILON) <= units, "%g units", column_error(truth, l, DBL_EPSILON));
    const double residual = bounds.residual, error = reports[l].backward_error;
    quad size = 0;
    for (int64_t i = 0; i < truth->m; i++) size += (quad)truth->b[i * truth->ldb + l] * truth->b[i * truth->ldb + l];
    size = quad_sqrt(size);
    for (int64_t j = 0; j < truth->n; j++) size += column_norm(truth, j) * quad_abs(truth->x[j * truth->ldx + l]);
    const double unseen = (1e-13 + 8 * sqrt(drift_solved)) * (double)size;
    ck_assert_msg(fabs(reports[l].residual_norm - residual) <= 1e-6 * residual + unseen,
                  "residual norm %g, not %g, beside %g", reports[l].residual_norm, residual, (double)size);
    /* too large by what has been forgotten, too small by what rounding x makes */
    ck_assert_msg(reports[l].residual_norm >= (1 - 1e-6) * residual - DBL_EPSILON * (double)size,
                  "residual norm %g, below %g, beside %g", reports[l].residual_norm, residual, (double)size);
    /* columns are at unit size by powers of two that the number of rows has a say in, and a factor has fewer rows */
    if (residual > 1e-6 * (double)size)
      ck_assert_msg((error <= 3 * bounds.simple && error >= bounds.simple / 3) ||
                        (error <= 3 * bounds.sharp && error >= bounds.sharp / 3),
                    "%g, not %g or %g", error, bounds.simple, bounds.sharp);
  }
}

#endif
