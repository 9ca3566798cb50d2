/* Problems that lanes leave over: too wide for them, with data in pairs, weighted, badly conditioned, of dependent
 * columns, no numbers at all; and those too large or small for squares, which are scaled and go back to the lanes. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/batch.h"
#include "solve/fold.h"

/* ---- back to the lanes ---- */

lsqnet_report lsq_lane_report(const lsq_lane_group *group, int64_t l, int64_t side) {
  const int64_t lanes = group->kernels->lanes, width = group->width;
  const double *number = group->number + side * LSQ_ANSWER_NUMBERS * width + l;
  return (lsqnet_report){
      .size = sizeof(lsqnet_report),
      .status = LSQNET_OK,
      .stopped = LSQNET_STOP_CONVERGED,
      .method = LSQNET_METHOD_DIRECT,
      .backward_error = number[LSQ_ANSWER_BACKWARD * width],
      .condition = group->system.number[LSQ_LANE_CONDITION * lanes + l],
      .digits = fmax(-log10(number[LSQ_ANSWER_WORST * width]), 0.0),
      .residual_norm = number[LSQ_ANSWER_NORM * width],
      .rank = group->system.n,
      .corrections = (int64_t)number[LSQ_ANSWER_CORRECTIONS * width],
      .model_calls = side == 0 ? group->sequences : 0,
      .road = group->small ? LSQNET_ROAD_PROBLEMS : LSQNET_ROAD_ROWS,
      .why = group->small ? LSQNET_WHY_SMALL : LSQNET_WHY_TALL,
  };
}

/* Columns of M, `column` numbers apart and of one every `row`, to unit size; their exponents to `exponents`. */
static void scale_columns(lsqnet_solver *solver, int64_t m, int64_t columns, double *M, int64_t row, int64_t column,
                          int *exponents) {
  for (int64_t j = 0; j < columns && !lsq_pass(solver, 4 * m); j++, M += column) {
    exponents[j] = lsq_scale_exponent(m, M, row);
    lsq_scale_copy(m, M, row, -exponents[j], M, row);
  }
}

/* Whether a problem that has been found to be WILD may go back. */
static int may_go_back(const lsqnet_solver *solver, const lsq_problems *problems) {
  return problems->k <= LSQ_LANE_SIDES && solver->options.ridge == 0.0 && problems->weights == NULL;
}

/* solver->memory: a group alone, X (n,k), A (m,n), B (m,k). */
static lsqnet_status reserve_scaled(lsqnet_solver *solver, const lsq_problems *problems) {
  lsq_problems scaled = *problems;
  scaled.count = 1;
  const int64_t group = lsq_lane_group_size(solver, &scaled);
  const int64_t size = group + scaled.n * scaled.k + scaled.m * (scaled.n + scaled.k);
  return lsq_reserve(solver->context, &solver->memory, &solver->memory_capacity, size, sizeof(double));
}

/* The scaled problem alone in a group; *X is NULL where the lanes refuse that one too. */
static lsqnet_status solve_scaled(lsqnet_solver *solver, const lsq_data *data, const double **X,
                                  lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const int64_t m = data->m, n = data->n, k = data->k;
  lsq_problems scaled = {.count = 1, .m = m, .n = n, .k = k, .a_row = n, .a_column = 1, .b_row = 1, .b_column = m};
  LSQ_TRY(reserve_scaled(solver, data->problems));
  if (solver->fold != NULL) LSQ_TRY(lsq_fold_plan(solver, n)); /* the last problem may have had other columns */
  double *x = solver->memory + lsq_lane_group_size(solver, &scaled), *A = x + n * k, *B = A + m * n;
  lsq_lane_group group;
  int8_t outcome = LSQ_LANE_REFUSED;
  int a_exponents[LSQ_LANE_UNKNOWNS], b_exponents[LSQ_LANE_SIDES];
  scaled.a = A;
  scaled.b = B;
  lsq_take_matrix(solver, data, A, NULL, x); /* exponents, all 0: there are no weights */
  for (int64_t l = 0; l < k; l++) (void)lsq_take_side(solver, data, l, B + l * m, NULL);
  scale_columns(solver, m, n, A, n, 1, a_exponents);
  scale_columns(solver, m, k, B, 1, m, b_exponents);
  LSQ_TRY(lsq_limits_found(solver));
  lsq_lane_group_begin(solver, &scaled, solver->memory, &group);
  group.system.scaled = 1;
  LSQ_TRY(lsq_lane_group_solve(solver, &scaled, 0, 1, &group, &outcome));
  int done = outcome == LSQ_LANE_DONE;
  for (int64_t l = 0; l < k && done; l++) {
    reports[l] = lsq_lane_report(&group, 0, l);
    reports[l].residual_norm = ldexp(reports[l].residual_norm, b_exponents[l]);
    for (int64_t j = 0; j < n; j++)
      x[j * k + l] = lsq_hand_out(solver, lsq_lane_answer(&group, 0, l)[j * group.width],
                                  b_exponents[l] - a_exponents[j], &reports[l]);
    done = reports[l].status == LSQNET_OK;
  }
  if (done) *X = x;
done:
  return st;
}

/* ---- one at a time ---- */

/* Fewer rows than unknowns are refused before anything is sized by them. */
static int too_few_rows(const lsqnet_solver *solver, const lsq_problems *problems) {
  return problems->m < problems->n && solver->options.ridge == 0.0 && !solver->options.min_norm;
}

static lsqnet_status solve_rows(lsqnet_solver *solver, const lsq_data *data, int32_t why, const double **X,
                                lsqnet_report *reports) {
  const lsqnet_status st = lsq_solve(solver, data, X, reports);
  for (int64_t l = 0; l < data->k; l++) {
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

lsqnet_status lsq_single_reserve(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes) {
  lsqnet_status st = LSQNET_OK;
  lsq_data data;
  LSQ_TRY(
      lsq_reserve(solver->context, &solver->reports, &solver->reports_capacity, problems->k, sizeof *solver->reports));
  if (in_lanes)
    LSQ_TRY(lsq_reserve(solver->context, &solver->memory, &solver->memory_capacity,
                        lsq_lane_group_size(solver, problems), sizeof(double)));
  if (too_few_rows(solver, problems)) return LSQNET_OK;
  if (in_lanes && may_go_back(solver, problems)) LSQ_TRY(reserve_scaled(solver, problems));
  LSQ_TRY(lsq_describe(solver, problems, 0, &data));
  LSQ_TRY(lsq_solve_reserve(solver, &data));
done:
  return st;
}

lsqnet_status lsq_solve_single(lsqnet_solver *solver, const lsq_problems *problems, int64_t p, int outcome, int32_t why,
                               lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const int64_t k = problems->k;
  const double *X = NULL;
  lsq_data data;
  int32_t early = LSQNET_STOP_NONE; /* why reports that nobody fills have stopped */
  clear(k, reports);
  LSQ_TRY(lsq_describe(solver, problems, p, &data));
  if (!too_few_rows(solver, problems)) st = lsq_check_numbers(solver, &data);
  if (st == LSQNET_E_NOT_FINITE || st == LSQNET_E_ARGUMENT) early = LSQNET_STOP_DATA;
  LSQ_TRY(st);
  if (outcome == LSQ_LANE_WILD && may_go_back(solver, problems)) {
    LSQ_TRY(solve_scaled(solver, &data, &X, reports));
    if (X == NULL) clear(k, reports);
  }
  if (X == NULL) st = solve_rows(solver, &data, outcome >= LSQ_LANE_REFUSED ? LSQNET_WHY_CONDITION : why, &X, reports);
done:
  if (st == LSQNET_E_STOPPED) st = lsq_limits_check(solver); /* from the lanes there is no message yet */
  if (st == LSQNET_E_STOPPED) early = solver->halted;
  for (int64_t l = 0; l < k && st != LSQNET_OK; l++)
    if (reports[l].stopped == LSQNET_STOP_NONE || st == LSQNET_E_STOPPED) {
      reports[l].status = st;
      reports[l].stopped = early;
    }
  for (int64_t l = 0; l < k; l++)
    if (lsq_has_answer(&reports[l])) lsq_write_x(problems, p, l, X + l, k);
  return st;
}
