/* Normal equations of wide least-squares problems: J'J, and its Cholesky factor, tile by tile, one tile a task of the
 * pool, so that the bits do not depend on the number of threads. Tiles are narrow enough for our own products: with a
 * pinned kernel level a training run has the same bits on every processor, which BLIS would not give. */
#ifndef LSQ_KERNELS_NORMAL_EQUATIONS_H
#define LSQ_KERNELS_NORMAL_EQUATIONS_H

#include "base/pool.h"
#include "kernels/kernels.h"

/* Lower triangle of H = J'J (+ H if accumulate), the bits those of product_tn.  J (N,P), N > 0, H (P,P); scratch of as
 * many numbers as the function before says: P^2, and more below P = 280. */
int64_t lsq_add_products_scratch(int64_t P);
lsqnet_status lsq_add_products(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P,
                               const double *J, double *scratch, double *H, int accumulate);

/* y = J x and z = J'y in a fixed order.  x, z (P), y (N). */
lsqnet_status lsq_jacobian_times(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P,
                                 const double *J, const double *x, double *y);
lsqnet_status lsq_transposed_jacobian_times(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N,
                                            int64_t P, const double *J, const double *y, double *z);

/* Lower Cholesky factor of the matrix whose lower triangle is C (P,P), in place; *positive is 0 if a pivot is not. */
lsqnet_status lsq_cholesky(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t P, double *C,
                           int *positive);

/* x <- (C C')^-1 x for that factor. */
void lsq_cholesky_solve(int64_t P, const double *C, double *x);

#endif
