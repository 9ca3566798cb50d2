/* Residuals in twice the working precision: pairs high + low with |low| <= ulp(high)/2, products made exact by fma
 * where the level has it and by Dekker's splitting where not. Error of each result: about n 2^-104 of the sum of
 * magnitudes (m 2^-104 for the transposed product). Sums are taken in the order of the indices and the same bits come
 * out on every level, unless something over- or underflows. */
#ifndef LSQ_KERNELS_COMPENSATED_H
#define LSQ_KERNELS_COMPENSATED_H

#include <stdint.h>

struct lsq_kernels_f64;

/* r = (b + b_low) - (A + A_low) (x + x_low).  A (m,n); A_low, b_low, x_low may be NULL for zero; r, r_low (m). */
void lsq_residual(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A, const double *A_low,
                  int64_t lda, const double *x, const double *x_low, const double *b, const double *b_low, double *r,
                  double *r_low);

/* g = (A + A_low)' (r + r_low).  A_low, r_low may be NULL for zero; g, g_low (n). */
void lsq_transposed_product(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A,
                            const double *A_low, int64_t lda, const double *r, const double *r_low, double *g,
                            double *g_low);

/* Adds the same to g and g_low: over parts of the rows, one after the other, it comes to the same bits. */
void lsq_add_transposed_product(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A,
                                const double *A_low, int64_t lda, const double *r, const double *r_low, double *g,
                                double *g_low);

/* high + middle + low (n each) += the same in three times the precision: error some m 2^-157 of the sum of magnitudes.
 * r_low may not be NULL. */
void lsq_add_gradient(const struct lsq_kernels_f64 *kernels, int64_t m, int64_t n, const double *A, const double *A_low,
                      int64_t lda, const double *r, const double *r_low, double *high, double *middle, double *low);

/* Rounds it to a pair: (g, g_low) from (g, g_low, low), error 2^-105 of what comes out. */
void lsq_round_gradient(int64_t n, double *g, double *g_low, const double *low);

#endif
