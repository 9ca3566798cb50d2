#include "solve/state.h"

#include <float.h>
#include <string.h>

#include "api/reports.h"
#include "base/arithmetic.h"
#include "base/sized.h"
#include "solve/shipped.h"

static const lsqnet_state_options defaults = {.size = sizeof(lsqnet_state_options), .k = 1, .forgetting = 1.0};

lsqnet_status lsqnet_state_options_init(lsqnet_state_options *options, uint32_t size) {
  return lsq_sized_write(options, size, sizeof defaults, &defaults, sizeof defaults, "lsqnet_state_options");
}

static lsqnet_status check_options(const lsqnet_state_options *o) {
  lsqnet_status st = LSQNET_OK;
  int64_t size = 0, columns = 0;
  if (o->n < 1 || o->k < 1)
    return lsq_fail(LSQNET_E_SHAPE, "n=%lld k=%lld: both must be at least 1", (long long)o->n, (long long)o->k);
  if (o->keep_rows != 0 && o->keep_rows != 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "keep_rows=%ld: must be 0 or 1", (long)o->keep_rows);
  if (!(o->forgetting > 0.0 && o->forgetting <= 1.0))
    return lsq_fail(LSQNET_E_ARGUMENT, "forgetting=%g: must be above 0 and at most 1", o->forgetting);
  if (__builtin_add_overflow(o->n, o->k, &columns) || __builtin_add_overflow(columns, 8, &columns))
    return lsq_fail(LSQNET_E_SHAPE, "n=%lld k=%lld: more than can be addressed", (long long)o->n, (long long)o->k);
  LSQ_TRY(lsq_size_product(&size, (const int64_t[]){columns, columns, 16}, 3, "a state's moments"));
done:
  return st;
}

lsqnet_status lsqnet_state_create(lsqnet_state **out, lsqnet_context *context, const lsqnet_state_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_state_options checked = defaults;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_state_create: out is NULL");
  *out = NULL;
  if (context == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_state_create: context is NULL");
  if (options == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_state_create: options is NULL");
  LSQ_TRY(lsq_sized_read(&checked, sizeof checked, sizeof defaults, options, "lsqnet_state_options"));
  LSQ_TRY(check_options(&checked));
  LSQ_TRY(lsq_state_create(out, context, &checked));
done:
  return st;
}

void lsqnet_state_destroy(lsqnet_state *state) {
  if (state != NULL && !lsq_goes_later(&state->users)) lsq_state_destroy(state);
}

lsqnet_status lsqnet_state_get_info(const lsqnet_state *state, lsqnet_state_info *info, uint32_t size) {
  if (state == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_state_get_info: state is NULL");
  const lsqnet_state_info known = {
      .size = sizeof known, .rows = state->rows, .repairs = state->repairs, .drift = lsq_state_drift(state)};
  return lsq_sized_write(info, size, sizeof known, &known, sizeof known, "lsqnet_state_info");
}

static lsqnet_status check_objects(const lsqnet_solver *solver, const lsqnet_state *state) {
  if (solver == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "solver is NULL");
  if (state == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "state is NULL");
  return lsq_check_arithmetic();
}

static lsqnet_status check_array(const char *name, int64_t rows, int64_t columns, int64_t ld) {
  int64_t size = 0;
  if (ld < columns)
    return lsq_fail(LSQNET_E_SHAPE, "ld%s=%lld: must be at least its %lld columns", name, (long long)ld,
                    (long long)columns);
  return lsq_size_product(&size, (const int64_t[]){rows, ld, 8}, 3, name);
}

static lsqnet_status check_rows(const lsqnet_solver *solver, const lsqnet_state *state, int64_t rows, int64_t lda,
                                int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_objects(solver, state));
  if (rows < 0) return lsq_fail(LSQNET_E_SHAPE, "rows=%lld: must be at least 0", (long long)rows);
  LSQ_TRY(check_array("a", rows, state->options.n, lda));
  LSQ_TRY(check_array("b", rows, state->options.k, ldb));
done:
  return st;
}

lsqnet_status lsqnet_solver_append_rows(lsqnet_solver *solver, lsqnet_state *state, int64_t rows, const double *a,
                                        int64_t lda, const double *b, int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_rows(solver, state, rows, lda, ldb));
  if (a == NULL || b == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", a == NULL ? "a" : "b");
  LSQ_TRY(lsq_use_alone(&state->users, "state"));
  st = lsq_state_append(state, rows, a, lda, b, ldb);
  if (lsq_leave(&state->users)) lsqnet_state_destroy(state);
done:
  return st;
}

lsqnet_status lsqnet_solver_remove_rows(lsqnet_solver *solver, lsqnet_state *state, int64_t rows, const double *a,
                                        int64_t lda, const double *b, int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  if ((a == NULL) != (b == NULL)) return lsq_fail(LSQNET_E_ARGUMENT, "one of a and b is NULL: both, or none");
  LSQ_TRY(check_rows(solver, state, rows, a == NULL && state != NULL ? state->options.n : lda,
                     b == NULL && state != NULL ? state->options.k : ldb));
  LSQ_TRY(lsq_use_alone(&state->users, "state"));
  st = lsq_state_remove(state, rows, a, lda, b, ldb);
  if (lsq_leave(&state->users)) lsqnet_state_destroy(state);
done:
  return st;
}

/* Fills the serving solver's reports, if *filled. */
static lsqnet_status solve_reported(lsqnet_solver *serving, lsqnet_state *state, double *x, int64_t ldx, int *filled) {
  lsqnet_status st = LSQNET_OK;
  const int64_t k = state->options.k;
  LSQ_TRY(lsq_reserve(serving->context, &serving->reports, &serving->reports_capacity, k, sizeof(lsqnet_report)));
  serving->precision = DBL_EPSILON;
  memset(serving->reports, 0, (size_t)k * sizeof(lsqnet_report));
  *filled = 1;
  st = lsq_state_solve(serving, state, x, ldx, serving->reports);
done:
  return st;
}

/* Both are the caller's alone. */
static lsqnet_status solve(lsqnet_solver *solver, lsqnet_state *state, double *x, int64_t ldx, lsqnet_report *reports) {
  lsqnet_solver *serving = NULL;
  int filled = 0;
  lsqnet_status st = lsq_solver_serving(&serving, solver, state->options.n);
  if (st == LSQNET_OK) st = solve_reported(serving, state, x, ldx, &filled);
  for (int64_t l = 0; l < state->options.k && reports != NULL; l++) {
    lsqnet_report report = {.size = sizeof report, .status = st, .rank = -1};
    if (filled) report = serving->reports[l];
    if (st != LSQNET_OK && report.stopped == LSQNET_STOP_NONE) report.status = st;
    const uint32_t size = reports[0].size;
    (void)lsq_sized_write((char *)reports + (uint64_t)l * size, size, sizeof report, &report, sizeof report,
                          "lsqnet_report");
  }
  return st;
}

lsqnet_status lsqnet_solver_solve_state(lsqnet_solver *solver, lsqnet_state *state, double *x, int64_t ldx,
                                        lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_objects(solver, state));
  if (x == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "x is NULL");
  LSQ_TRY(check_array("x", state->options.n, state->options.k, ldx));
  LSQ_TRY(lsq_check_reports(reports));
  LSQ_TRY(lsq_use_alone(&solver->users, "solver"));
  st = lsq_use_alone(&state->users, "state");
  if (st == LSQNET_OK) {
    st = solve(solver, state, x, ldx, reports);
    if (lsq_leave(&state->users)) lsqnet_state_destroy(state);
  }
  if (lsq_leave(&solver->users)) lsqnet_solver_destroy(solver);
done:
  return st;
}
