/* Residuals in twice the working precision: pairs hi + lo with |lo| <= ulp(hi)/2, products made exact by fma where the
 * level has it and by Dekker's splitting where not. Error of each result: about n 2^-104 of the sum of magnitudes. */
#ifndef LSQ_KERNELS_COMPENSATED_H
#define LSQ_KERNELS_COMPENSATED_H

#include <stdint.h>

/* r = (b + b_low) - (A + A_low) (x + x_low).  A (m,n); A_low, b_low, x_low may be NULL for zero; r, r_low (m). */
void lsq_residual(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *x,
                  const double *x_low, const double *b, const double *b_low, double *r, double *r_low);

/* g = (A + A_low)' (r + r_low).  g, g_low (n). */
void lsq_transposed_product(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *r,
                            const double *r_low, double *g, double *g_low);

#endif
