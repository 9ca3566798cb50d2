#include <float.h>
#include <math.h>
#include <string.h>

#include "base/order.h"
#include "solve/fold.h"
#include "solve/state.h"

/* ---- moments to lanes ---- */

static void fill(const lsq_lane_group *g, double *vector, double value) {
  for (int64_t l = 0; l < g->kernels->lanes; l++) vector[l] = value;
}

/* Column j of the group's system as the state has it. */
static int64_t column_of(const lsq_lane_group *g, int64_t j) { return j < g->system.n ? j : j + g->first_side; }

/* The same problem in every lane: its columns from `first` on. */
static void fill_moments(const lsqnet_state *s, lsq_lane_group *g, int64_t first) {
  const int64_t lanes = g->kernels->lanes, columns = g->system.n + g->system.k;
  for (int64_t j = first; j < columns; j++)
    for (int64_t i = 0; i <= j; i++)
      fill(g, g->system.moments + (lsq_triangle(j) + i) * lanes,
           s->high[column_of(g, j) * s->stride + column_of(g, i)]);
}

/* What the solver is told of the gradient at its point: b's moments less those with x, and how far roundings may have
 * led astray. */
static void sum_state(const lsqnet_state *s, lsq_lane_group *g, int64_t side) {
  lsq_lane_system *system = &g->system;
  const int64_t lanes = g->kernels->lanes, n = s->options.n, column = column_of(g, n + side);
  double *sum = s->work, *sum_low = sum + s->stride, *x = sum_low + s->stride, *x_low = x + s->stride;
  double drift = 0.0, length = 0.0;
  for (int64_t j = 0; j < n; j++) {
    const double scale = system->scale[j * lanes], size = system->x[j * lanes];
    x[j] = system->point[j * lanes];
    x_low[j] = system->point_low[j * lanes];
    drift += s->drift[j] * scale * scale;
    length += size * size;
  }
  const lsq_pair square = lsq_state_measure(s, column - n, x, x_low, sum, sum_low);
  for (int64_t j = 0; j < n; j++) {
    fill(g, system->sum + j * lanes, sum[j]);
    fill(g, system->sum_low + j * lanes, sum_low[j]);
  }
  const double scale = system->scale[(n + side) * lanes], data = g->system.number[LSQ_LANE_DATA * lanes];
  const double trace = system->number[LSQ_LANE_TRACE * lanes], b_drift = s->drift[column] * scale * scale;
  const double moved = sqrt(drift * length) + sqrt(b_drift), open = sqrt(drift) * moved;
  const double least = (LSQ_STATE_ROUNDING * (double)(n + 8) * data * data + moved * moved) / (scale * scale);
  fill(g, system->number + LSQ_LANE_SQUARE * lanes, fmax(square.high, 0.0) + least);
  fill(g, system->number + LSQ_LANE_OPEN * lanes, open + LSQ_STATE_ROUNDING * (double)(n + 8) * sqrt(trace) * data);
}

/* One right-hand side of those that the system has, to column `side` of X (n,k); 0 if it gets no certificate. */
static int solve_side(lsqnet_state *s, lsq_lane_group *g, int64_t side, lsqnet_report *reports) {
  lsq_lane_system *system = &g->system;
  const int64_t n = s->options.n, to = g->first_side + side;
  int64_t pass = 0;
  g->kernels->start(system, side);
  do sum_state(s, g, side);
  while (g->kernels->advance(system, side, pass++));
  lsq_lane_group_collect(g, side, DBL_MIN, DBL_MAX);
  if (system->state[0] != LSQ_LANE_DONE) return 0;
  for (int64_t j = 0; j < n; j++) s->answer[j * s->options.k + to] = lsq_lane_answer(g, 0, to)[j * g->width];
  reports[to] = lsq_lane_report(g, 0, to);
  reports[to].road = LSQNET_ROAD_STATE;
  reports[to].why = LSQNET_WHY_STATE;
  return 1;
}

/* As many right-hand sides as a system takes, from `first` on; 0 if one gets no certificate. What is of A alone is done
 * for the first ones. */
static int solve_sides(const lsqnet_solver *solver, lsqnet_state *s, lsq_lane_group *g, int64_t first,
                       lsqnet_report *reports) {
  g->first_side = first;
  g->system.k = lsq_smaller(s->options.k - first, LSQ_LANE_SIDES);
  const int64_t there = first > 0 ? s->options.n : 0;
  fill_moments(s, g, there);
  g->kernels->scale(&g->system, there);
  if (there == 0) {
    g->kernels->model(&g->system, &solver->fold->plan);
    g->kernels->invert(&g->system);
  }
  int done = g->system.state[0] >= LSQ_LANE_GOING;
  for (int64_t side = 0; side < g->system.k && done; side++) done = solve_side(s, g, side, reports);
  return done;
}

/* The problem's shape as batches describe it; a row stands for all. */
static lsq_problems shape_of(const lsqnet_state *s) {
  return (lsq_problems){.count = 1, .m = 1, .n = s->options.n, .k = s->options.k};
}

/* Whether moments go to lanes, and why they do not, or what it is that no certificate comes of it. */
static int lanes_take(const lsqnet_solver *solver, const lsqnet_state *s, int32_t *why) {
  lsq_problems problems = shape_of(s);
  problems.m = s->options.n; /* enough rows, whatever there is */
  if (!lsq_lanes_take(solver, &problems, why)) return 0;
  *why = solver->fold != NULL ? LSQNET_WHY_CONDITION : LSQNET_WHY_STATE;
  return solver->fold != NULL;
}

/* By a folded model; *done is 0 where that does not lead to certificates. */
static lsqnet_status solve_moments(lsqnet_solver *solver, lsqnet_state *s, lsqnet_report *reports, int *done) {
  lsqnet_status st = LSQNET_OK;
  const lsq_problems problems = shape_of(s);
  const int64_t size = lsq_lane_group_size(solver, &problems);
  lsq_lane_group g;
  *done = 1;
  LSQ_TRY(lsq_reserve(solver->context, &solver->memory, &solver->memory_capacity, size, sizeof(double)));
  LSQ_TRY(lsq_fold_plan(solver, s->options.n));
  lsq_lane_group_begin(solver, &problems, solver->memory, &g);
  g.system.m = s->rows + (solver->options.ridge > 0.0 ? s->options.n : 0);
  g.system.terms = 1;
  g.sequences = lsq_gram_sequences(solver, g.system.m, s->options.n);
  for (int64_t first = 0; first < s->options.k && *done; first += LSQ_LANE_SIDES)
    *done = solve_sides(solver, s, &g, first, reports);
done:
  return st;
}

/* ---- the rows themselves ---- */

/* `rows` of those kept. */
static lsq_problems kept_problem(const lsqnet_state *s, int64_t rows) {
  const int64_t n = s->options.n, k = s->options.k;
  const double *kept = s->kept + s->first * s->columns;
  return (lsq_problems){.count = 1,
                        .m = rows,
                        .n = n,
                        .k = k,
                        .a_row = s->columns,
                        .a_column = 1,
                        .b_row = s->columns,
                        .b_column = 1,
                        .x_row = k,
                        .x_column = 1,
                        .a = kept,
                        .b = kept + n,
                        .weights = s->weights,
                        .weights_low = s->weights != NULL ? s->weights + s->rows : NULL,
                        .x = s->answer};
}

/* Moments have led to no certificate, mostly for the condition, if the options would have let them. */
static lsqnet_status solve_rows(lsqnet_solver *solver, lsqnet_state *s, int32_t why, lsqnet_report *reports) {
  const lsq_problems problems = kept_problem(s, s->rows);
  for (int64_t i = 0; i < s->rows && s->weights != NULL; i++)
    s->weights[i] = lsq_state_weight(s, s->appended - 1 - s->numbers[s->first + i], &s->weights[s->rows + i]);
  if (why != LSQNET_WHY_OPTIONS) why = LSQNET_WHY_CONDITION;
  return lsq_solve_single(solver, &problems, 0, -1, why, reports);
}

/* For either, as long as rows kept find a place where they are. */
static lsqnet_status make_room(lsqnet_solver *solver, lsqnet_state *s) {
  lsqnet_status st = LSQNET_OK;
  const lsq_problems factors = lsq_state_factor_problem(s);
  const int known = solver->context == s->context && solver->serial == s->served_by;
  const int served = known && s->served_rows == s->kept_capacity;
  if (served && solver->memory_capacity >= s->served_memory && solver->reports_capacity >= s->options.k)
    return LSQNET_OK;
  LSQ_TRY(lsq_make_room(solver, &factors, 0, 1));
  if (s->kept != NULL) {
    const lsq_problems rows = kept_problem(s, s->kept_capacity);
    LSQ_TRY(lsq_make_room(solver, &rows, 0, 1));
  }
  s->served_by = solver->serial;
  s->served_rows = s->kept_capacity;
  s->served_memory = solver->memory_capacity;
done:
  return st;
}

/* ---- all together ---- */

static void report_all(const lsqnet_state *s, lsqnet_status st, int32_t stopped, lsqnet_report *reports) {
  for (int64_t l = 0; l < s->options.k; l++)
    reports[l] = (lsqnet_report){.size = sizeof *reports, .status = st, .stopped = stopped, .rank = -1};
}

static lsqnet_status fail_rows(const lsqnet_state *s, lsqnet_report *reports) {
  report_all(s, LSQNET_E_RANK, LSQNET_STOP_RANK, reports);
  return lsq_fail(LSQNET_E_RANK, "rows=%lld for n=%lld unknowns: no unique answer", (long long)s->rows,
                  (long long)s->options.n);
}

/* What costs n^3. */
static lsqnet_status solve_without_rows(lsqnet_solver *solver, lsqnet_state *s, lsqnet_report *reports, int32_t *why) {
  lsqnet_status st = LSQNET_OK;
  int done = 0;
  s->drifted = 0;
  if (lanes_take(solver, s, why)) LSQ_TRY(solve_moments(solver, s, reports, &done));
  if (!done) st = lsq_state_solve_factor(solver, s, *why, reports);
done:
  return st;
}

/* Whether rows kept may do better. */
static int is_open(lsqnet_status st) {
  return st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_RANK || st == LSQNET_E_NOT_FINITE;
}

lsqnet_status lsq_state_solve(lsqnet_solver *solver, lsqnet_state *s, double *x, int64_t ldx, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = s->options.n, k = s->options.k;
  int32_t why = LSQNET_WHY_NONE;
  lsq_limits_begin(solver);
  st = lsq_limits_check(solver);
  if (st != LSQNET_OK) report_all(s, st, solver->halted, reports);
  LSQ_TRY(st);
  if (s->rows < n && solver->options.ridge == 0.0 && !solver->options.min_norm) return fail_rows(s, reports);
  LSQ_TRY(make_room(solver, s));
  lsq_state_repair_drift(s);
  st = solve_without_rows(solver, s, reports, &why);
  if (is_open(st) && s->drifted && s->changed && s->options.keep_rows) {
    lsq_state_repair(s);
    st = solve_without_rows(solver, s, reports, &why);
  }
  if (is_open(st) && s->options.keep_rows && s->rows > 0) st = solve_rows(solver, s, why, reports);
  const int answered = st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_NOT_FINITE;
  for (int64_t l = 0; l < k; l++)
    for (int64_t j = 0; j < n && answered && lsq_has_answer(&reports[l]); j++) x[j * ldx + l] = s->answer[j * k + l];
done:
  if (st == LSQNET_E_MEMORY) { /* as in batch.c */
    solver->room = (lsq_room){0};
    s->served_by = 0;
  }
  return st;
}
