#include "kernels/compensated.h"

#include <string.h>

#include "kernels/kernels.h"
#include "kernels/pair.h"

typedef void residual_fn(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *x,
                         const double *x_low, const double *b, const double *b_low, double *r, double *r_low);
typedef void transposed_product_fn(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda,
                                   const double *r, const double *r_low, double *g, double *g_low);

typedef void gradient_fn(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *r,
                         const double *r_low, double *high, double *middle, double *low);

/* residual.c on each level; the last two add to what is there */
residual_fn lsq_residual_generic_f64;
transposed_product_fn lsq_transposed_product_generic_f64;
gradient_fn lsq_gradient_generic_f64;
#ifdef LSQ_HAVE_X86_64_LEVELS
residual_fn lsq_residual_v2_f64, lsq_residual_v3_f64, lsq_residual_v4_f64;
transposed_product_fn lsq_transposed_product_v2_f64, lsq_transposed_product_v3_f64, lsq_transposed_product_v4_f64;
gradient_fn lsq_gradient_v2_f64, lsq_gradient_v3_f64, lsq_gradient_v4_f64;
#endif

static const struct {
  residual_fn *residual;
  transposed_product_fn *transposed_product;
  gradient_fn *gradient;
} levels[] = {
    [LSQNET_KERNEL_GENERIC] = {lsq_residual_generic_f64, lsq_transposed_product_generic_f64, lsq_gradient_generic_f64},
#ifdef LSQ_HAVE_X86_64_LEVELS
    [LSQNET_KERNEL_X86_64_V2] = {lsq_residual_v2_f64, lsq_transposed_product_v2_f64, lsq_gradient_v2_f64},
    [LSQNET_KERNEL_X86_64_V3] = {lsq_residual_v3_f64, lsq_transposed_product_v3_f64, lsq_gradient_v3_f64},
    [LSQNET_KERNEL_X86_64_V4] = {lsq_residual_v4_f64, lsq_transposed_product_v4_f64, lsq_gradient_v4_f64},
#endif
};

void lsq_residual(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A, const double *A_low,
                  int64_t lda, const double *x, const double *x_low, const double *b, const double *b_low, double *r,
                  double *r_low) {
  levels[kernels->level].residual(m, n, A, A_low, lda, x, x_low, b, b_low, r, r_low);
}

void lsq_transposed_product(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A,
                            const double *A_low, int64_t lda, const double *r, const double *r_low, double *g,
                            double *g_low) {
  memset(g, 0, (size_t)n * sizeof *g);
  memset(g_low, 0, (size_t)n * sizeof *g_low);
  lsq_add_transposed_product(kernels, m, n, A, A_low, lda, r, r_low, g, g_low);
}

void lsq_add_transposed_product(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A,
                                const double *A_low, int64_t lda, const double *r, const double *r_low, double *g,
                                double *g_low) {
  levels[kernels->level].transposed_product(m, n, A, A_low, lda, r, r_low, g, g_low);
}

void lsq_add_gradient(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A, const double *A_low,
                      int64_t lda, const double *r, const double *r_low, double *high, double *middle, double *low) {
  levels[kernels->level].gradient(m, n, A, A_low, lda, r, r_low, high, middle, low);
}

void lsq_round_gradient(int64_t n, double *g, double *g_low, const double *low) {
  for (int64_t j = 0; j < n; j++) {
    double error = 0;
    g[j] = lsq_two_sum(g[j], g_low[j], &error);
    g[j] = lsq_two_sum(g[j], error + low[j], &g_low[j]);
  }
}
