/* Passes over all rows of a problem that look at the limits on the way, and come to the bits that a pass without a
 * pause would have; products that BLIS makes always have the same pauses. */
#include <math.h>
#include <string.h>

#include "kernels/compensated.h"
#include "solve/solver.h"

int lsq_pass(lsqnet_solver *solver, int64_t numbers) {
  solver->passed += numbers;
  if (solver->passed < LSQ_LIMITS_EVERY) return solver->halted != LSQNET_STOP_NONE;
  solver->passed = 0;
  return lsq_limits_look(solver, 0);
}

/* Rows from `begin` on until the next look. */
static int64_t part(int64_t m, int64_t n, int64_t begin) {
  const int64_t rows = n < LSQ_LIMITS_EVERY ? LSQ_LIMITS_EVERY / n : 1, left = m - begin;
  return rows < left ? rows : left;
}

static const double *at(const double *array, int64_t offset) { return array != NULL ? array + offset : NULL; }

void lsq_pass_residual(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                       const double *x, const double *x_low, const double *b, const double *b_low, double *r,
                       double *r_low) {
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  for (int64_t i = 0, rows = 0; i < m; i += rows) {
    rows = part(m, n, i);
    if (lsq_pass(solver, rows * n)) return;
    lsq_residual(kernels, rows, n, A + i * n, at(A_low, i * n), n, x, x_low, b + i, at(b_low, i), r + i, r_low + i);
  }
}

void lsq_pass_gradient(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                       const double *r, const double *r_low, double *g, double *g_low, double *work) {
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  double *const sums[] = {g, g_low, work};
  for (int i = 0; i < 3; i++) memset(sums[i], 0, (size_t)n * sizeof(double));
  for (int64_t i = 0, rows = 0; i < m; i += rows) {
    rows = part(m, n, i);
    if (lsq_pass(solver, rows * n)) return;
    lsq_add_gradient(kernels, rows, n, A + i * n, at(A_low, i * n), n, r + i, r_low + i, g, g_low, work);
  }
  lsq_round_gradient(n, g, g_low, work);
}

void lsq_pass_transposed(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                         const double *r, const double *r_low, double *g, double *g_low) {
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  memset(g, 0, (size_t)n * sizeof *g);
  memset(g_low, 0, (size_t)n * sizeof *g_low);
  for (int64_t i = 0, rows = 0; i < m; i += rows) {
    rows = part(m, n, i);
    if (lsq_pass(solver, rows * n)) return;
    lsq_add_transposed_product(kernels, rows, n, A + i * n, at(A_low, i * n), n, r + i, at(r_low, i), g, g_low);
  }
}

enum { PANEL = 512 }; /* rows of a product that BLIS makes, between two looks */

/* In parts of whole blocks (kernels.h), and what is less than one alone. */
static int64_t part_of_product(int64_t m, int64_t n, int64_t k, int64_t begin) {
  const int64_t left = m - begin, blocks = left / LSQ_PRODUCT_DEPTH;
  if (k > LSQ_PRODUCT_WIDEST) return left < PANEL + LSQ_PRODUCT_DEPTH ? left : PANEL;
  if (m <= LSQ_PRODUCT_DEPTH * LSQ_PRODUCT_DEPTH) return left;
  const int64_t rows = part(m, n, begin), whole = rows / LSQ_PRODUCT_DEPTH + 1;
  return blocks == 0 ? left : LSQ_PRODUCT_DEPTH * (whole < blocks ? whole : blocks);
}

void lsq_pass_product(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *A, int64_t lda,
                      const double *B, int64_t ldb, double *C, int64_t ldc) {
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  for (int64_t i = 0, rows = 0; i < m; i += rows) {
    rows = part_of_product(m, n, k, i);
    if (lsq_pass(solver, rows * n)) return;
    kernels->product_tn(n, k, rows, A + i * lda, lda, B + i * ldb, ldb, C, ldc, i > 0);
  }
}

double lsq_pass_norm(lsqnet_solver *solver, int64_t count, const double *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) {
    sum += v[i] * v[i];
    if (i % LSQ_LIMITS_EVERY == LSQ_LIMITS_EVERY - 1 && lsq_pass(solver, LSQ_LIMITS_EVERY)) break;
  }
  return sum >= 0x1p-900 && sum <= 0x1p1000 ? sqrt(sum) : lsq_norm(count, v);
}
