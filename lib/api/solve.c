/* Solving: arguments are checked here, once, and problems of all layouts described in one way (solve/batch.h). */
#include <float.h>

#include "api/overlap.h"
#include "api/reports.h"
#include "base/arithmetic.h"
#include "base/sized.h"
#include "solve/batch.h"
#include "solve/shipped.h"

static lsqnet_status check_sizes(const lsqnet_problems *p) {
  if (p->m < 1 || p->n < 1 || p->k < 1)
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld k=%lld: each must be at least 1", (long long)p->m, (long long)p->n,
                    (long long)p->k);
  if (p->count < 0) return lsq_fail(LSQNET_E_SHAPE, "count=%lld: must be at least 0", (long long)p->count);
  if (p->column_major != 0 && p->column_major != 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "column_major=%ld: must be 0 or 1", (long)p->column_major);
  return LSQNET_OK;
}

static int64_t either(int64_t given, int64_t otherwise) { return given != 0 ? given : otherwise; }

/* A matrix of (rows,columns), of which each row, or column, takes `ld` numbers. */
static lsqnet_status check_ld(const lsqnet_problems *p, const char *name, int64_t rows, int64_t columns, int64_t ld) {
  const int64_t length = p->column_major ? rows : columns;
  if (ld < length)
    return lsq_fail(LSQNET_E_SHAPE, "ld%s=%lld: must be at least its %lld %s", name, (long long)ld, (long long)length,
                    p->column_major ? "rows" : "columns");
  return LSQNET_OK;
}

/* a, b or x, (rows,columns). */
static lsqnet_status check_array(const lsqnet_problems *p, const char *name, int64_t rows, int64_t columns, int64_t ld,
                                 int64_t stride, const void *pointer) {
  lsqnet_status st = LSQNET_OK;
  const int64_t lines = p->column_major ? columns : rows;
  int64_t whole = 0;
  if (pointer == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", name);
  LSQ_TRY(check_ld(p, name, rows, columns, ld));
  if (stride < 0) return lsq_fail(LSQNET_E_SHAPE, "%s_stride=%lld: must be at least 0", name, (long long)stride);
  LSQ_TRY(lsq_size_product(&whole, (const int64_t[]){lines, ld, 8}, 3, name));
  LSQ_TRY(lsq_size_product(&whole, (const int64_t[]){p->count, stride, 8}, 3, name));
done:
  return st;
}

/* Answers side by side, or interleaved within a line: none may lie where another does. */
static lsqnet_status check_apart(const lsqnet_problems *p) {
  const int64_t length = p->column_major ? p->n : p->k, lines = p->column_major ? p->k : p->n, stride = p->x_stride;
  const int beside = stride >= (lines - 1) * p->ldx + length;
  const int interleaved = stride >= length && (p->count - 1) * stride + length <= p->ldx;
  if (p->count <= 1 || beside || interleaved) return LSQNET_OK;
  return lsq_fail(LSQNET_E_SHAPE, "x_stride=%lld ldx=%lld: answers of %lld x %lld would overlap", (long long)stride,
                  (long long)p->ldx, (long long)p->n, (long long)p->k);
}

static lsqnet_status check_pointers(const lsq_problems *p) {
  for (int64_t i = 0; i < p->count && p->pointers; i++) {
    const char *name = lsq_problem_a(p, i) == NULL                               ? "a"
                       : lsq_problem_b(p, i) == NULL                             ? "b"
                       : lsq_problem_x(p, i) == NULL                             ? "x"
                       : p->weights != NULL && lsq_problem_weights(p, i) == NULL ? "weights"
                                                                                 : NULL;
    if (name != NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s[%lld] is NULL", name, (long long)i);
  }
  return LSQNET_OK;
}

lsqnet_status lsq_check_reports(const lsqnet_report *reports) {
  if (reports != NULL && reports[0].size < sizeof *reports)
    return lsq_fail(LSQNET_E_VERSION, "reports[0].size=%lu, but the first release's lsqnet_report has %lu",
                    (unsigned long)reports[0].size, (unsigned long)sizeof *reports);
  return LSQNET_OK;
}

/* Completes `p`, which holds the pointers and what they point to, by what `given` says of shape and place. */
static void describe(const lsqnet_problems *given, lsq_problems *p) {
  const int turned = given->column_major;
  p->count = given->count;
  p->m = given->m;
  p->n = given->n;
  p->k = given->k;
  p->a_row = turned ? 1 : given->lda;
  p->a_column = turned ? given->lda : 1;
  p->b_row = turned ? 1 : given->ldb;
  p->b_column = turned ? given->ldb : 1;
  p->x_row = turned ? 1 : given->ldx;
  p->x_column = turned ? given->ldx : 1;
  p->a_stride = given->a_stride;
  p->b_stride = given->b_stride;
  p->x_stride = given->x_stride;
  p->weights_stride = given->weights_stride;
}

static lsqnet_status solve(lsqnet_solver *solver, const lsqnet_problems *given, lsq_problems *p,
                           lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *serving = NULL;
  if (solver == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_solve: solver is NULL");
  LSQ_TRY(check_sizes(given));
  LSQ_TRY(check_array(given, "a", given->m, given->n, given->lda, given->a_stride, p->a));
  LSQ_TRY(check_array(given, "b", given->m, given->k, given->ldb, given->b_stride, p->b));
  LSQ_TRY(check_array(given, "x", given->n, given->k, given->ldx, given->x_stride, p->x));
  if (!p->pointers) LSQ_TRY(check_apart(given));
  describe(given, p);
  LSQ_TRY(check_pointers(p));
  LSQ_TRY(lsq_check_overlap(given, p));
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_check_reports(reports));
  LSQ_TRY(lsq_use_alone(&solver->users, "solver"));
  st = lsq_solver_serving(&serving, solver, p->n);
  if (st == LSQNET_OK) {
    serving->precision = p->narrow ? (double)FLT_EPSILON : DBL_EPSILON;
    st = lsq_solve_batch(serving, p, reports);
  } else {
    lsq_report_failure(p, st, reports);
  }
  if (lsq_leave(&solver->users)) lsqnet_solver_destroy(solver);
done:
  return st;
}

/* ---- one problem ---- */

lsqnet_status lsqnet_solver_solve_pair_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a,
                                           const double *a_low, int64_t lda, const double *b, const double *b_low,
                                           int64_t ldb, double *x, int64_t ldx, lsqnet_report *reports) {
  const lsqnet_problems given = {.count = 1, .m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldx = ldx};
  lsq_problems p = {.a = a, .a_low = a_low, .b = b, .b_low = b_low, .x = x};
  return solve(solver, &given, &p, reports);
}

lsqnet_status lsqnet_solver_solve_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a,
                                      int64_t lda, const double *b, int64_t ldb, double *x, int64_t ldx,
                                      lsqnet_report *reports) {
  return lsqnet_solver_solve_pair_f64(solver, m, n, k, a, NULL, lda, b, NULL, ldb, x, ldx, reports);
}

lsqnet_status lsqnet_solver_solve_f32(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const float *a,
                                      int64_t lda, const float *b, int64_t ldb, float *x, int64_t ldx,
                                      lsqnet_report *reports) {
  const lsqnet_problems given = {.count = 1, .m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldx = ldx};
  lsq_problems p = {.narrow = 1, .a = a, .b = b, .x = x};
  return solve(solver, &given, &p, reports);
}

/* ---- many ---- */

static const lsqnet_problems one_problem = {.size = sizeof(lsqnet_problems), .count = 1, .k = 1};

lsqnet_status lsqnet_problems_init(lsqnet_problems *problems, uint32_t size) {
  return lsq_sized_write(problems, size, sizeof one_problem, &one_problem, sizeof one_problem, "lsqnet_problems");
}

/* `lines` of `ld` numbers make up one matrix. */
static void set_defaults(lsqnet_problems *p) {
  const int turned = p->column_major;
  p->lda = either(p->lda, turned ? p->m : p->n);
  p->ldb = either(p->ldb, turned ? p->m : p->k);
  p->ldx = either(p->ldx, turned ? p->n : p->k);
}

/* What follows from sizes and leading dimensions. */
static lsqnet_status set_strides(lsqnet_problems *p) {
  lsqnet_status st = LSQNET_OK;
  const int turned = p->column_major;
  int64_t a = 0, b = 0, x = 0;
  LSQ_TRY(check_ld(p, "a", p->m, p->n, p->lda));
  LSQ_TRY(check_ld(p, "b", p->m, p->k, p->ldb));
  LSQ_TRY(check_ld(p, "x", p->n, p->k, p->ldx));
  LSQ_TRY(lsq_size_product(&a, (const int64_t[]){turned ? p->n : p->m, p->lda}, 2, "a"));
  LSQ_TRY(lsq_size_product(&b, (const int64_t[]){turned ? p->k : p->m, p->ldb}, 2, "b"));
  LSQ_TRY(lsq_size_product(&x, (const int64_t[]){turned ? p->k : p->n, p->ldx}, 2, "x"));
  p->a_stride = either(p->a_stride, a);
  p->b_stride = either(p->b_stride, b);
  p->x_stride = either(p->x_stride, x);
  p->weights_stride = either(p->weights_stride, p->m);
done:
  return st;
}

static lsqnet_status solve_many(lsqnet_solver *solver, const lsqnet_problems *problems, lsq_problems *p,
                                lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_problems given = one_problem;
  int64_t all = 0;
  if (problems == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_solve: problems is NULL");
  LSQ_TRY(lsq_sized_read(&given, sizeof given, sizeof given, problems, "lsqnet_problems"));
  LSQ_TRY(check_sizes(&given));
  set_defaults(&given);
  LSQ_TRY(set_strides(&given));
  if (p->pointers) given.a_stride = given.b_stride = given.x_stride = given.weights_stride = 0;
  if (given.weights_stride < 0)
    return lsq_fail(LSQNET_E_SHAPE, "weights_stride=%lld: must be at least 0", (long long)given.weights_stride);
  LSQ_TRY(lsq_size_product(&all, (const int64_t[]){given.count, given.weights_stride, 8}, 3, "weights"));
  LSQ_TRY(lsq_size_product(&all, (const int64_t[]){given.count, given.k, sizeof(lsqnet_report)}, 3, "reports"));
  LSQ_TRY(solve(solver, &given, p, reports));
done:
  return st;
}

lsqnet_status lsqnet_solver_solve_batch_f64(lsqnet_solver *solver, const lsqnet_problems *problems, const double *a,
                                            const double *b, const double *weights, double *x, lsqnet_report *reports) {
  lsq_problems p = {.a = a, .b = b, .weights = weights, .x = x};
  return solve_many(solver, problems, &p, reports);
}

lsqnet_status lsqnet_solver_solve_batch_f32(lsqnet_solver *solver, const lsqnet_problems *problems, const float *a,
                                            const float *b, const float *weights, float *x, lsqnet_report *reports) {
  lsq_problems p = {.narrow = 1, .a = a, .b = b, .weights = weights, .x = x};
  return solve_many(solver, problems, &p, reports);
}

lsqnet_status lsqnet_solver_solve_pointers_f64(lsqnet_solver *solver, const lsqnet_problems *problems,
                                               const double *const *a, const double *const *b,
                                               const double *const *weights, double *const *x, lsqnet_report *reports) {
  lsq_problems p = {.pointers = 1, .a = a, .b = b, .weights = weights, .x = x};
  return solve_many(solver, problems, &p, reports);
}

lsqnet_status lsqnet_solver_solve_pointers_f32(lsqnet_solver *solver, const lsqnet_problems *problems,
                                               const float *const *a, const float *const *b,
                                               const float *const *weights, float *const *x, lsqnet_report *reports) {
  lsq_problems p = {.narrow = 1, .pointers = 1, .a = a, .b = b, .weights = weights, .x = x};
  return solve_many(solver, problems, &p, reports);
}
