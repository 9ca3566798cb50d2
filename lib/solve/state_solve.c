#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/pair.h"
#include "solve/fold.h"
#include "solve/state.h"

/* ---- moments to lanes ---- */

static void fill(const lsq_lane_group *g, double *vector, double value) {
  for (int64_t l = 0; l < g->kernels->lanes; l++) vector[l] = value;
}

/* The same problem in every lane. */
static void fill_moments(const lsqnet_state *s, lsq_lane_group *g) {
  const int64_t lanes = g->kernels->lanes;
  for (int64_t j = 0; j < s->columns; j++)
    for (int64_t i = 0; i <= j; i++)
      fill(g, g->system.moments + (lsq_triangle(j) + i) * lanes, s->high[j * s->stride + i]);
}

typedef struct {
  double high, low;
} pair;

/* a - b c */
static pair minus_product(pair a, pair b, pair c) {
  double error = 0.0, rest = 0.0;
  const double product = lsq_two_product(b.high, c.high, &error), sum = lsq_two_sum(a.high, -product, &rest);
  const double tail = a.low + (rest - (error + (b.high * c.low + b.low * c.high)));
  a.high = lsq_fast_two_sum(sum, tail, &a.low);
  return a;
}

/* What the solver is told of the gradient at its point: b's moments less those with x, and how far roundings may have
 * led astray. `memory` holds 4 strides. */
static void sum_state(const lsqnet_state *s, lsq_lane_group *g, int64_t side, double *memory) {
  lsq_lane_system *system = &g->system;
  const int64_t lanes = g->kernels->lanes, n = s->options.n, column = (n + side) * s->stride;
  double *sum = memory, *sum_low = sum + s->stride, *x = sum_low + s->stride, *x_low = x + s->stride;
  pair square = {s->high[column + n + side], s->low[column + n + side]};
  double drift = 0.0, length = 0.0;
  memcpy(sum, s->high + column, (size_t)s->stride * sizeof(double));
  memcpy(sum_low, s->low + column, (size_t)s->stride * sizeof(double));
  for (int64_t j = 0; j < n; j++) {
    const double scale = system->scale[j * lanes], size = system->x[j * lanes];
    x[j] = system->point[j * lanes];
    x_low[j] = system->point_low[j * lanes];
    drift += s->drift[j] * scale * scale;
    length += size * size;
  }
  s->kernels->subtract_product(n, s->stride, s->high, s->low, x, x_low, sum, sum_low);
  for (int64_t j = 0; j < n; j++) { /* ||b - A x||^2 = b'b - x'A'b - x'A'(b - A x) */
    square = minus_product(square, (pair){s->high[column + j], s->low[column + j]}, (pair){x[j], x_low[j]});
    square = minus_product(square, (pair){sum[j], sum_low[j]}, (pair){x[j], x_low[j]});
    fill(g, system->sum + j * lanes, sum[j]);
    fill(g, system->sum_low + j * lanes, sum_low[j]);
  }
  const double scale = system->scale[(n + side) * lanes], data = g->system.number[LSQ_LANE_DATA * lanes];
  const double trace = system->number[LSQ_LANE_TRACE * lanes], b_drift = s->drift[n + side] * scale * scale;
  const double moved = sqrt(drift * length) + sqrt(b_drift), open = sqrt(drift) * moved;
  const double least = (LSQ_STATE_ROUNDING * (double)(n + 8) * data * data + moved * moved) / (scale * scale);
  fill(g, system->number + LSQ_LANE_SQUARE * lanes, fmax(square.high, 0.0) + least);
  fill(g, system->number + LSQ_LANE_OPEN * lanes, open + LSQ_STATE_ROUNDING * (double)(n + 8) * sqrt(trace) * data);
}

/* One right-hand side; 0 if it gets no certificate. */
static int solve_side(const lsqnet_state *s, lsq_lane_group *g, int64_t side, double *memory, double *x, int64_t ldx,
                      lsqnet_report *report) {
  lsq_lane_system *system = &g->system;
  const int64_t n = s->options.n;
  int64_t pass = 0;
  g->kernels->start(system, side);
  do sum_state(s, g, side, memory);
  while (g->kernels->advance(system, side, pass++));
  lsq_lane_group_collect(g, side, DBL_MIN, DBL_MAX);
  if (system->state[0] != LSQ_LANE_DONE) return 0;
  for (int64_t j = 0; j < n; j++) x[j * ldx + side] = lsq_lane_answer(g, 0, side)[j * g->width];
  *report = lsq_lane_report(g, 0, side);
  report->road = LSQNET_ROAD_STATE;
  report->why = LSQNET_WHY_STATE;
  return 1;
}

/* The problem's shape as batches describe it; a row stands for all. */
static lsq_problems shape_of(const lsqnet_state *s) {
  return (lsq_problems){.count = 1, .m = 1, .n = s->options.n, .k = s->options.k};
}

/* From the moments, by a folded model; *done is 0 where that does not lead to certificates. X (n,k). */
static lsqnet_status solve_moments(lsqnet_solver *solver, const lsqnet_state *s, double *X, lsqnet_report *reports,
                                   int *done) {
  lsqnet_status st = LSQNET_OK;
  lsq_problems problems = shape_of(s);
  lsq_lane_group g;
  int32_t why = 0;
  *done = 0;
  problems.m = s->options.n; /* enough rows, whatever there is */
  if (solver->fold == NULL || problems.k > LSQ_LANE_SIDES || !lsq_lanes_take(solver, &problems, &why)) return LSQNET_OK;
  problems.m = 1;
  const int64_t size = lsq_lane_group_size(solver, &problems);
  LSQ_TRY(
      lsq_reserve(solver->context, &solver->memory, &solver->memory_capacity, size + 4 * s->stride, sizeof(double)));
  LSQ_TRY(lsq_fold_plan(solver, s->options.n));
  lsq_lane_group_begin(solver, &problems, solver->memory, &g);
  g.system.m = s->rows + (solver->options.ridge > 0.0 ? s->options.n : 0);
  g.system.terms = 1;
  g.sequences = lsq_gram_sequences(solver, g.system.m, s->options.n);
  fill_moments(s, &g);
  g.kernels->scale(&g.system);
  g.kernels->model(&g.system, &solver->fold->plan);
  g.kernels->invert(&g.system);
  *done = g.system.state[0] == LSQ_LANE_GOING;
  for (int64_t side = 0; side < s->options.k && *done; side++)
    *done = solve_side(s, &g, side, solver->memory + size, X, s->options.k, &reports[side]);
done:
  return st;
}

/* ---- the triangular factor ---- */

/* a / b: the quotient and its correction. */
static pair quotient(pair a, pair b) {
  pair q = {a.high / b.high, 0.0};
  const pair rest = minus_product(a, q, b);
  q.high = lsq_fast_two_sum(q.high, rest.high / b.high, &q.low);
  return q;
}

static pair root(pair a) {
  pair r = {sqrt(a.high), 0.0};
  const pair rest = minus_product(a, r, r);
  r.high = lsq_fast_two_sum(r.high, rest.high / (2.0 * r.high), &r.low);
  return r;
}

static pair plus(pair a, double b) {
  pair sum = {0.0, 0.0};
  sum.high = lsq_two_sum(a.high, b, &sum.low);
  sum.high = lsq_fast_two_sum(sum.high, sum.low + a.low, &sum.low);
  return sum;
}

/* R with R'R = moments + a ridge, in pairs: R (columns,columns) by rows, high parts and low. A column of which nothing
 * but roundings is left over gets a row of zeros: it depends on those before it. */
static void factor(const lsqnet_state *s, double ridge, double *high, double *low) {
  const int64_t P = s->columns;
  for (int64_t i = 0; i < P; i++) {
    const double whole = s->high[i * s->stride + i];
    const double least = fmax(16.0 * s->drift[i], 0x1p-98 * whole);
    pair over = {0.0, 0.0};
    for (int64_t j = i; j < P; j++) {
      pair sum = {s->high[j * s->stride + i], s->low[j * s->stride + i]};
      if (j == i && i < s->options.n) sum = plus(sum, ridge);
      for (int64_t l = 0; l < i; l++)
        sum = minus_product(sum, (pair){high[l * P + i], low[l * P + i]}, (pair){high[l * P + j], low[l * P + j]});
      if (j == i && sum.high > least) over = root(sum);
      const pair entry = over.high == 0.0 ? over : quotient(sum, over);
      high[i * P + j] = entry.high;
      low[i * P + j] = entry.low;
    }
  }
}

/* The largest component over the smallest that is not 0, with columns at norm 1. */
static double spread_of(const lsqnet_state *s, const double *X, int64_t side) {
  double most = 0.0, least = INFINITY;
  for (int64_t j = 0; j < s->options.n; j++) {
    const double size = fabs(X[j * s->options.k + side]) * sqrt(fmax(s->high[j * s->stride + j], 0.0));
    most = fmax(most, size);
    if (size > 0.0) least = fmin(least, size);
  }
  return most > 0.0 ? most / least : 1.0;
}

/* What the moments' own roundings may have made of an answer: cond^2 times their drift, relative to the largest
 * component; those that vanish beside it need not be known that well (refine.c). */
static void admit_drift(const lsqnet_solver *solver, const lsqnet_state *s, const double *X, int64_t side,
                        lsqnet_report *report) {
  const double n = (double)s->options.n, condition = fmax(report->condition, 1.0), spread = spread_of(s, X, side);
  const double drift = n * condition * condition * fmax(lsq_state_drift(s), LSQ_STATE_ROUNDING);
  const double tolerance = fmax(solver->options.tolerance, DBL_EPSILON), error = drift * spread;
  if (report->status != LSQNET_OK && report->status != LSQNET_E_NOT_CONVERGED) return;
  if (error > 0.5 * DBL_EPSILON) report->digits = fmin(report->digits, fmax(-log10(error), 0.0));
  if (report->status == LSQNET_OK && report->rank == s->options.n && !(drift * fmin(spread, 0x1p20) <= tolerance)) {
    report->status = LSQNET_E_NOT_CONVERGED;
    report->stopped = LSQNET_STOP_STAGNATED;
  }
}

/* The factor as a problem of n + k rows. */
static lsq_problems factor_problem(const lsqnet_state *s) {
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

/* With any model. The ridge goes into the factor, before what it makes independent could be taken for roundings. */
static lsqnet_status solve_factor(lsqnet_solver *solver, lsqnet_state *s, lsqnet_report *reports) {
  const int64_t P = s->columns;
  const lsq_problems problems = factor_problem(s);
  memset(s->factor, 0, (size_t)(2 * P * P) * sizeof *s->factor);
  factor(s, solver->options.ridge, s->factor, s->factor + P * P);
  lsqnet_status st = lsq_solve_single(solver, &problems, 0, -1, LSQNET_WHY_CONDITION, reports);
  for (int64_t l = 0; l < s->options.k; l++) {
    reports[l].road = LSQNET_ROAD_STATE;
    admit_drift(solver, s, s->answer, l, &reports[l]);
    if (st == LSQNET_OK && reports[l].status != LSQNET_OK)
      st = lsq_fail(reports[l].status, "right-hand side %lld: moments leave %.1f digits at condition %.1e",
                    (long long)l + 1, reports[l].digits, reports[l].condition);
  }
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

static lsqnet_status solve_rows(lsqnet_solver *solver, lsqnet_state *s, lsqnet_report *reports) {
  const lsq_problems problems = kept_problem(s, s->rows);
  for (int64_t i = 0; i < s->rows && s->weights != NULL; i++)
    s->weights[i] = lsq_state_weight(s, s->appended - 1 - s->numbers[s->first + i], &s->weights[s->rows + i]);
  return lsq_solve_single(solver, &problems, 0, -1, LSQNET_WHY_CONDITION, reports);
}

/* For either, as long as rows kept find a place where they are. */
static lsqnet_status make_room(lsqnet_solver *solver, lsqnet_state *s) {
  lsqnet_status st = LSQNET_OK;
  const lsq_problems factors = factor_problem(s);
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

lsqnet_status lsq_state_solve(lsqnet_solver *solver, lsqnet_state *s, double *x, int64_t ldx, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = s->options.n, k = s->options.k;
  double *X = s->answer;
  int done = 0;
  lsq_limits_begin(solver);
  st = lsq_limits_check(solver);
  if (st != LSQNET_OK) report_all(s, st, solver->halted, reports);
  LSQ_TRY(st);
  if (s->rows < n && solver->options.ridge == 0.0 && !solver->options.min_norm) return fail_rows(s, reports);
  LSQ_TRY(make_room(solver, s));
  lsq_state_repair_drift(s);
  LSQ_TRY(solve_moments(solver, s, X, reports, &done));
  if (!done && s->options.keep_rows && s->changed) {
    lsq_state_repair(s);
    LSQ_TRY(solve_moments(solver, s, X, reports, &done));
  }
  if (!done && s->options.keep_rows && s->rows > 0)
    st = solve_rows(solver, s, reports);
  else if (!done)
    st = solve_factor(solver, s, reports);
  const int answered = st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_NOT_FINITE;
  for (int64_t l = 0; l < k; l++)
    for (int64_t j = 0; j < n && answered && lsq_has_answer(&reports[l]); j++) x[j * ldx + l] = X[j * k + l];
done:
  if (st == LSQNET_E_MEMORY) { /* as in batch.c */
    solver->room = (lsq_room){0};
    s->served_by = 0;
  }
  return st;
}
