/* Problems that lanes leave over: too wide for them, with data in pairs, weighted, badly conditioned, of dependent
 * columns, no numbers at all; and those too large or small for squares, which are scaled and go back to the lanes. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/pair.h"
#include "solve/batch.h"

/* A problem as rows of doubles, in solver->single: A (m,n), B (m,k), their low parts or NULL, X (n,k). */
typedef struct {
  double *A, *A_low, *B, *B_low, *X;
  int64_t m;
} rows;

static lsqnet_status reserve(lsqnet_solver *solver, const lsq_problems *problems, rows *r) {
  lsqnet_status st = LSQNET_OK;
  const double ridge = solver->options.ridge;
  const int64_t n = problems->n, k = problems->k;
  const int weighted = problems->weights != NULL || ridge > 0.0;
  int64_t whole = 0;
  r->m = problems->m;
  if (ridge > 0.0 && __builtin_add_overflow(problems->m, n, &r->m))
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld: more rows than can be addressed", (long long)problems->m,
                    (long long)n);
  LSQ_TRY(lsq_size_product(&whole, (const int64_t[]){r->m, 2, n + k, 8}, 4, "a problem"));
  LSQ_TRY(lsq_reserve(solver->context, &solver->single, &solver->single_capacity, 2 * r->m * (n + k) + n * k,
                      sizeof(double)));
  r->X = solver->single;
  r->A = r->X + n * k;
  r->B = r->A + r->m * n;
  r->A_low = weighted || problems->a_low != NULL ? r->B + r->m * k : NULL;
  r->B_low = weighted || problems->b_low != NULL ? r->B + r->m * (n + k) : NULL;
done:
  return st;
}

static lsqnet_status fail_number(const char *name, double value, int64_t row, int64_t column) {
  return lsq_fail(LSQNET_E_NOT_FINITE, "%s is %g in row %lld, column %lld (counted from 0)", name, value,
                  (long long)row, (long long)column);
}

/* One of A and B. */
typedef struct {
  const char *name, *low_name;
  const void *values;
  const double *low;
  int64_t columns, row, column; /* elements from a row, and a column, to the next */
  double *out, *out_low;
} matrix;

static lsqnet_status copy(lsqnet_solver *solver, const lsq_problems *problems, const matrix *M) {
  for (int64_t i = 0; i < problems->m; i++) {
    if (lsq_pass(solver, M->columns)) return lsq_limits_found(solver);
    for (int64_t j = 0; j < M->columns; j++) {
      const int64_t from = i * M->row + j * M->column, to = i * M->columns + j;
      M->out[to] = lsq_number_at(problems, M->values, from);
      if (!isfinite(M->out[to])) return fail_number(M->name, M->out[to], i, j);
    }
  }
  for (int64_t i = 0; i < problems->m && M->out_low != NULL; i++) {
    if (lsq_pass(solver, M->columns)) return lsq_limits_found(solver);
    for (int64_t j = 0; j < M->columns; j++) {
      const double low = M->low != NULL ? M->low[i * M->row + j * M->column] : 0.0;
      M->out_low[i * M->columns + j] = low;
      if (!isfinite(low)) return fail_number(M->low_name, low, i, j);
    }
  }
  return LSQNET_OK;
}

/* The root of v + v_low >= 0 in twice the precision. */
static double root(double v, double v_low, double *low) {
  double error = 0.0;
  const double high = sqrt(v), square = lsq_two_product(high, high, &error);
  *low = high > 0.0 ? (((v - square) - error) + v_low) / (2.0 * high) : 0.0;
  return high;
}

/* Row i of M times high + low, in pairs. */
static void weigh(const matrix *M, int64_t i, double high, double low) {
  for (int64_t j = i * M->columns; j < (i + 1) * M->columns; j++) {
    double error = 0.0;
    const double value = M->out[j], product = lsq_two_product(value, high, &error);
    M->out_low[j] = error + (value * low + M->out_low[j] * high);
    M->out[j] = product;
  }
}

static lsqnet_status weigh_rows(lsqnet_solver *solver, const lsq_problems *problems, int64_t p, const matrix *A,
                                const matrix *B) {
  const void *weights = problems->weights != NULL ? lsq_problem_weights(problems, p) : NULL;
  for (int64_t i = 0; i < problems->m && weights != NULL; i++) {
    const double w = lsq_number_at(problems, weights, i);
    if (lsq_pass(solver, A->columns)) return lsq_limits_found(solver);
    if (!isfinite(w))
      return lsq_fail(LSQNET_E_NOT_FINITE, "weights is %g in row %lld (counted from 0)", w, (long long)i);
    if (w < 0.0)
      return lsq_fail(LSQNET_E_ARGUMENT, "weights is %g in row %lld (counted from 0): must be at least 0", w,
                      (long long)i);
    double low = 0.0;
    const double high = root(w, problems->weights_low != NULL ? problems->weights_low[i] : 0.0, &low);
    weigh(A, i, high, low);
    weigh(B, i, high, low);
  }
  return LSQNET_OK;
}

/* Below the data the rows sqrt(ridge) I and 0. */
static void add_ridge(double ridge, int64_t m, int64_t n, int64_t k, const rows *r) {
  double low = 0.0;
  const double high = root(ridge, 0.0, &low);
  memset(r->A + m * n, 0, (size_t)(n * n) * sizeof(double));
  memset(r->A_low + m * n, 0, (size_t)(n * n) * sizeof(double));
  memset(r->B + m * k, 0, (size_t)(n * k) * sizeof(double));
  memset(r->B_low + m * k, 0, (size_t)(n * k) * sizeof(double));
  for (int64_t j = 0; j < n; j++) {
    r->A[(m + j) * n + j] = high;
    r->A_low[(m + j) * n + j] = low;
  }
}

static lsqnet_status take(lsqnet_solver *solver, const lsq_problems *problems, int64_t p, rows *r) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(reserve(solver, problems, r));
  const matrix A = {"a",         "a_low",         lsq_problem_a(problems, p), problems->a_low,
                    problems->n, problems->a_row, problems->a_column,         r->A,
                    r->A_low};
  const matrix B = {"b",         "b_low",         lsq_problem_b(problems, p), problems->b_low,
                    problems->k, problems->b_row, problems->b_column,         r->B,
                    r->B_low};
  LSQ_TRY(copy(solver, problems, &A));
  LSQ_TRY(copy(solver, problems, &B));
  LSQ_TRY(weigh_rows(solver, problems, p, &A, &B));
  if (solver->options.ridge > 0.0) add_ridge(solver->options.ridge, problems->m, problems->n, problems->k, r);
done:
  return st;
}

/* ---- back to the lanes ---- */

lsqnet_report lsq_lane_report(const lsq_lane_group *group, int64_t l, int64_t side) {
  const int64_t lanes = group->kernels->lanes;
  const double *number = group->number + side * LSQ_ANSWER_NUMBERS * lanes + l;
  return (lsqnet_report){
      .size = sizeof(lsqnet_report),
      .status = LSQNET_OK,
      .stopped = LSQNET_STOP_CONVERGED,
      .method = LSQNET_METHOD_DIRECT,
      .backward_error = number[LSQ_ANSWER_BACKWARD * lanes],
      .condition = group->system.number[LSQ_LANE_CONDITION * lanes + l],
      .digits = fmax(-log10(number[LSQ_ANSWER_WORST * lanes]), 0.0),
      .residual_norm = number[LSQ_ANSWER_NORM * lanes],
      .rank = group->system.n,
      .corrections = (int64_t)number[LSQ_ANSWER_CORRECTIONS * lanes],
      .model_calls = side == 0 ? group->sequences : 0,
      .road = group->small ? LSQNET_ROAD_PROBLEMS : LSQNET_ROAD_ROWS,
      .why = group->small ? LSQNET_WHY_SMALL : LSQNET_WHY_TALL,
  };
}

/* Columns of M to unit size; their exponents to `exponents`. */
static void scale_columns(lsqnet_solver *solver, int64_t m, int64_t columns, double *M, int *exponents) {
  for (int64_t j = 0; j < columns && !lsq_pass(solver, 4 * m); j++) {
    exponents[j] = lsq_scale_exponent(m, M + j, columns);
    lsq_scale_copy(m, M + j, columns, -exponents[j], M + j, columns);
  }
}

/* The scaled problem alone in a group; *done is 0 where the lanes refuse that one too. */
static lsqnet_status solve_scaled(lsqnet_solver *solver, const lsq_problems *problems, const rows *r,
                                  lsqnet_report *reports, int *done) {
  lsqnet_status st = LSQNET_OK;
  const int64_t m = problems->m, n = problems->n, k = problems->k;
  const lsq_problems scaled = {
      .count = 1, .m = m, .n = n, .k = k, .a_row = n, .a_column = 1, .b_row = k, .b_column = 1, .a = r->A, .b = r->B};
  lsq_lane_group group;
  int8_t outcome = LSQ_LANE_REFUSED;
  int a_exponents[LSQ_LANE_UNKNOWNS], b_exponents[LSQ_LANE_SIDES];
  scale_columns(solver, m, n, r->A, a_exponents);
  scale_columns(solver, m, k, r->B, b_exponents);
  LSQ_TRY(lsq_limits_found(solver));
  lsq_lane_group_begin(solver, problems, solver->lanes, &group);
  group.system.scaled = 1;
  LSQ_TRY(lsq_lane_group_solve(solver, &scaled, 0, 1, &group, &outcome));
  *done = outcome == LSQ_LANE_DONE;
  for (int64_t l = 0; l < k && *done; l++) {
    reports[l] = lsq_lane_report(&group, 0, l);
    reports[l].residual_norm = ldexp(reports[l].residual_norm, b_exponents[l]);
    for (int64_t j = 0; j < n; j++)
      r->X[j * k + l] = lsq_hand_out(solver, group.answer[(l * n + j) * group.kernels->lanes],
                                     b_exponents[l] - a_exponents[j], &reports[l]);
    *done = reports[l].status == LSQNET_OK;
  }
done:
  return st;
}

/* ---- one at a time ---- */

/* Fewer rows than unknowns are refused before anything is sized by them. */
static int too_few_rows(const lsqnet_solver *solver, const lsq_problems *problems) {
  return problems->m < problems->n && solver->options.ridge == 0.0 && !solver->options.min_norm;
}

static lsqnet_status solve_rows(lsqnet_solver *solver, const lsq_problems *problems, const rows *r, int32_t why,
                                lsqnet_report *reports) {
  const int64_t n = problems->n, k = problems->k;
  const int weighted = problems->weights != NULL, derived = weighted || solver->options.ridge > 0.0;
  const lsq_data data = {r->m, n, k, r->A, r->A_low, n, r->B, r->B_low, k, weighted, derived || problems->derived};
  const lsqnet_status st = lsq_solve(solver, &data, r->X, k, reports);
  for (int64_t l = 0; l < k; l++) {
    const int32_t method = reports[l].method;
    const int iterates = method >= LSQNET_METHOD_GD && method <= LSQNET_METHOD_CG;
    reports[l].road = iterates ? LSQNET_ROAD_ITERATIONS : LSQNET_ROAD_ORTHOGONAL;
    reports[l].why = why;
  }
  return st;
}

static void clear(int64_t k, lsqnet_report *reports) {
  for (int64_t l = 0; l < k; l++) reports[l] = (lsqnet_report){.size = sizeof *reports, .rank = -1};
}

lsqnet_status lsq_solve_single(lsqnet_solver *solver, const lsq_problems *problems, int64_t p, int outcome, int32_t why,
                               lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const int64_t k = problems->k;
  rows r = {.m = problems->m};
  int done = 0;
  int32_t early = LSQNET_STOP_NONE; /* why reports that nobody fills have stopped */
  clear(k, reports);
  if (!too_few_rows(solver, problems)) st = take(solver, problems, p, &r);
  if (st == LSQNET_E_NOT_FINITE || st == LSQNET_E_ARGUMENT) early = LSQNET_STOP_DATA;
  LSQ_TRY(st);
  if (outcome == LSQ_LANE_WILD && k <= LSQ_LANE_SIDES && solver->options.ridge == 0.0 && problems->weights == NULL) {
    LSQ_TRY(solve_scaled(solver, problems, &r, reports, &done));
    if (!done) clear(k, reports);
    if (!done) LSQ_TRY(take(solver, problems, p, &r));
  }
  if (!done) st = solve_rows(solver, problems, &r, outcome >= LSQ_LANE_REFUSED ? LSQNET_WHY_CONDITION : why, reports);
done:
  if (st == LSQNET_E_STOPPED) st = lsq_limits_check(solver); /* from the lanes there is no message yet */
  if (st == LSQNET_E_STOPPED) early = solver->halted;
  for (int64_t l = 0; l < k && st != LSQNET_OK; l++)
    if (reports[l].stopped == LSQNET_STOP_NONE || st == LSQNET_E_STOPPED) {
      reports[l].status = st;
      reports[l].stopped = early;
    }
  for (int64_t l = 0; l < k; l++)
    if (lsq_has_answer(&reports[l])) lsq_write_x(problems, p, l, r.X + l, k);
  return st;
}
