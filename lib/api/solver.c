/* The solver's public face: arguments are checked here, once. */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/sized.h"
#include "solve/shipped.h"

static const lsqnet_solver_options defaults = {
    .size = sizeof(lsqnet_solver_options), .method = LSQNET_METHOD_AUTO, .iterations = 10000, .corrections = 50};

lsqnet_status lsqnet_solver_options_init(lsqnet_solver_options *options, uint32_t size) {
  return lsq_sized_write(options, size, sizeof defaults, &defaults, sizeof defaults, "lsqnet_solver_options");
}

static lsqnet_status check_switch(int32_t value, const char *name) {
  if (value != 0 && value != 1) return lsq_fail(LSQNET_E_ARGUMENT, "%s=%ld: must be 0 or 1", name, (long)value);
  return LSQNET_OK;
}

static lsqnet_status check_options(const lsqnet_solver_options *o) {
  lsqnet_status st = LSQNET_OK;
  if (o->method < LSQNET_METHOD_AUTO || o->method > LSQNET_METHOD_DIRECT)
    return lsq_fail(LSQNET_E_ARGUMENT, "method=%ld: no method that can be asked for", (long)o->method);
  if (!(o->tolerance >= 0.0 && o->tolerance < 1.0))
    return lsq_fail(LSQNET_E_ARGUMENT, "tolerance=%g: must be at least 0 and below 1", o->tolerance);
  if (!(o->step >= 0.0 && o->step <= DBL_MAX))
    return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be 0 or a positive number", o->step);
  if (o->iterations < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "iterations=%lld: must be at least 1", (long long)o->iterations);
  if (o->corrections < 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "corrections=%lld: must be at least 0", (long long)o->corrections);
  LSQ_TRY(check_switch(o->min_norm, "min_norm"));
  LSQ_TRY(check_switch(o->lapack_fallback, "lapack_fallback"));
done:
  return st;
}

lsqnet_status lsqnet_solver_create(lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model,
                                   const lsqnet_solver_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver_options checked = defaults;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_create: out is NULL");
  *out = NULL;
  if (context == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_create: context is NULL");
  if (options != NULL)
    LSQ_TRY(lsq_sized_read(&checked, sizeof checked, sizeof defaults, options, "lsqnet_solver_options"));
  LSQ_TRY(check_options(&checked));
  LSQ_TRY(lsq_solver_create(out, context, model, &checked));
done:
  return st;
}

void lsqnet_solver_destroy(lsqnet_solver *solver) { lsq_solver_destroy(solver); }

const char *lsqnet_solver_model_name(const lsqnet_solver *solver, int64_t n) {
  return solver != NULL && solver->shipped != NULL ? lsq_shipped_models[lsq_shipped_for(n)].name : NULL;
}

/* The arithmetic that certificates rest on: rounding to nearest, denormals kept. */
static lsqnet_status check_arithmetic(void) {
  const volatile double smallest = DBL_MIN;
  if (fegetround() != FE_TONEAREST)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the thread's rounding mode is not to nearest: no certificate would hold");
  if (!(smallest * 0.5 > 0.0))
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the thread flushes denormal numbers to zero: no certificate would hold");
  return LSQNET_OK;
}

static lsqnet_status check_array(const char *name, int64_t rows, int64_t columns, int64_t ld, const void *pointer) {
  int64_t product = 0;
  if (pointer == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", name);
  if (ld < columns)
    return lsq_fail(LSQNET_E_SHAPE, "ld%s=%lld: must be at least its %lld columns", name, (long long)ld,
                    (long long)columns);
  return lsq_size_product(&product, (const int64_t[]){rows, ld, 8}, 3, name);
}

static lsqnet_status check_sizes(int64_t m, int64_t n, int64_t k) {
  if (m < 1 || n < 1 || k < 1)
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld k=%lld: each must be at least 1", (long long)m, (long long)n,
                    (long long)k);
  return LSQNET_OK;
}

static lsqnet_status check_finite(const char *name, int64_t rows, int64_t columns, const double *values, int64_t ld) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      if (!isfinite(values[i * ld + j]))
        return lsq_fail(LSQNET_E_NOT_FINITE, "%s is %g in row %lld, column %lld (counted from 0)", name,
                        values[i * ld + j], (long long)i, (long long)j);
  return LSQNET_OK;
}

static lsqnet_status check_data(const lsq_data *data) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_finite("a", data->m, data->n, data->A, data->lda));
  LSQ_TRY(check_finite("b", data->m, data->k, data->B, data->ldb));
  if (data->A_low != NULL) LSQ_TRY(check_finite("a_low", data->m, data->n, data->A_low, data->lda));
  if (data->B_low != NULL) LSQ_TRY(check_finite("b_low", data->m, data->k, data->B_low, data->ldb));
done:
  return st;
}

static lsqnet_status check_call(const lsqnet_solver *solver, const lsq_data *data, const void *a, const void *b,
                                const void *x, int64_t ldx) {
  lsqnet_status st = LSQNET_OK;
  if (solver == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_solve: solver is NULL");
  LSQ_TRY(check_sizes(data->m, data->n, data->k));
  LSQ_TRY(check_array("a", data->m, data->n, data->lda, a));
  LSQ_TRY(check_array("b", data->m, data->k, data->ldb, b));
  LSQ_TRY(check_array("x", data->n, data->k, ldx, x));
  LSQ_TRY(check_arithmetic());
done:
  return st;
}

/* The solver that does the work, once the call's arguments are checked. */
static lsqnet_status prepare(lsqnet_solver **serving, lsqnet_solver *solver, const lsq_data *data, const void *a,
                             const void *b, const void *x, int64_t ldx, double precision) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_call(solver, data, a, b, x, ldx));
  LSQ_TRY(lsq_solver_serving(serving, solver, data->n));
  (*serving)->precision = precision;
done:
  return st;
}

/* Solves into X (n,k), ours, and hands the reports over in the caller's layout: none says OK when the call does not. */
static lsqnet_status solve_and_report(lsqnet_solver *solver, const lsq_data *data, double *X, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_report *own = NULL;
  const uint32_t size = reports != NULL ? reports[0].size : (uint32_t)sizeof *reports;
  if (size < sizeof *reports)
    return lsq_fail(LSQNET_E_VERSION, "reports[0].size=%lu, but the first release's lsqnet_report has %lu",
                    (unsigned long)size, (unsigned long)sizeof *reports);
  LSQ_TRY(lsq_alloc(solver->context, &own, data->k, sizeof *own));
  for (int64_t i = 0; i < data->k; i++) own[i].rank = -1;
  st = check_data(data);
  const int32_t early = st == LSQNET_OK ? LSQNET_STOP_NONE : LSQNET_STOP_DATA;
  if (st == LSQNET_OK) st = lsq_solve(solver, data, X, data->k, own);
  for (int64_t i = 0; i < data->k && reports != NULL; i++) {
    if (own[i].stopped == LSQNET_STOP_NONE) {
      own[i].status = st;
      own[i].stopped = early;
    }
    (void)lsq_sized_write((char *)reports + (uint64_t)i * size, size, sizeof *own, &own[i], sizeof *own,
                          "lsqnet_report");
  }
done:
  lsq_free(solver->context, own);
  return st;
}

/* Whether the caller's x is to be written. */
static int answered(lsqnet_status st) { return st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED; }

lsqnet_status lsqnet_solver_solve_pair_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a,
                                           const double *a_low, int64_t lda, const double *b, const double *b_low,
                                           int64_t ldb, double *x, int64_t ldx, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const lsq_data data = {m, n, k, a, a_low, lda, b, b_low, ldb};
  double *X = NULL;
  st = prepare(&solver, solver, &data, a, b, x, ldx, DBL_EPSILON);
  if (st != LSQNET_OK) return st;
  LSQ_TRY(lsq_alloc(solver->context, &X, n * k, sizeof *X));
  st = solve_and_report(solver, &data, X, reports);
  for (int64_t i = 0; i < n && answered(st); i++) memcpy(x + i * ldx, X + i * k, (size_t)k * sizeof *X);
done:
  lsq_free(solver->context, X);
  return st;
}

lsqnet_status lsqnet_solver_solve_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a,
                                      int64_t lda, const double *b, int64_t ldb, double *x, int64_t ldx,
                                      lsqnet_report *reports) {
  return lsqnet_solver_solve_pair_f64(solver, m, n, k, a, NULL, lda, b, NULL, ldb, x, ldx, reports);
}

static void widen(int64_t rows, int64_t columns, const float *in, int64_t ld, double *out) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) out[i * columns + j] = (double)in[i * ld + j];
}

lsqnet_status lsqnet_solver_solve_f32(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const float *a,
                                      int64_t lda, const float *b, int64_t ldb, float *x, int64_t ldx,
                                      lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const lsq_data given = {.m = m, .n = n, .k = k, .lda = lda, .ldb = ldb};
  double *A = NULL, *B = NULL, *X = NULL;
  st = prepare(&solver, solver, &given, a, b, x, ldx, FLT_EPSILON);
  if (st != LSQNET_OK) return st;
  LSQ_TRY(lsq_alloc(solver->context, &A, m * n, sizeof *A));
  LSQ_TRY(lsq_alloc(solver->context, &B, m * k, sizeof *B));
  LSQ_TRY(lsq_alloc(solver->context, &X, n * k, sizeof *X));
  widen(m, n, a, lda, A);
  widen(m, k, b, ldb, B);
  const lsq_data data = {m, n, k, A, NULL, n, B, NULL, k};
  st = solve_and_report(solver, &data, X, reports);
  for (int64_t i = 0; i < n && answered(st); i++)
    for (int64_t j = 0; j < k; j++) x[i * ldx + j] = (float)X[i * k + j];
done:
  lsq_free(solver->context, X);
  lsq_free(solver->context, B);
  lsq_free(solver->context, A);
  return st;
}

const char *lsqnet_method_name(int32_t method) {
  static const char *const names[] = {"auto", "gd", "chebyshev", "cg", "direct", "lapack"};
  return method >= 0 && method <= LSQNET_METHOD_LAPACK ? names[method] : NULL;
}
