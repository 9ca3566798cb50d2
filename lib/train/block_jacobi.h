/* Block Jacobi preconditioner of J'J + mu I: the diagonal blocks of consecutive weights, from the Jacobian of as many
 * samples as they need, in slabs; and their Cholesky factors. */
#ifndef LSQ_TRAIN_BLOCK_JACOBI_H
#define LSQ_TRAIN_BLOCK_JACOBI_H

#include "train/jacobian.h"

typedef struct lsq_block_jacobi lsq_block_jacobi;

/* Of batches of `samples` samples, in `memory` bytes; E_ARGUMENT if one sample's Jacobian does not fit. */
lsqnet_status lsq_block_jacobi_create(lsq_block_jacobi **out, lsqnet_trainer *trainer, lsq_jacobian *jacobian,
                                      int64_t samples, int64_t memory);
void lsq_block_jacobi_destroy(lsq_block_jacobi *blocks);

/* The blocks of J'J at the weights at hand, estimated from the first samples of the batch; its largest diagonal entry.
 */
lsqnet_status lsq_block_jacobi_compute(lsq_block_jacobi *blocks, const double *X, const double *Y, double *largest);

/* Factors blocks + mu I; *positive is 0 if one is not positive definite. */
lsqnet_status lsq_block_jacobi_factor(lsq_block_jacobi *blocks, double mu, int *positive);

/* z = (blocks + mu I)^-1 s.  s, z (P). */
lsqnet_status lsq_block_jacobi_solve(lsq_block_jacobi *blocks, const double *s, double *z);

#endif
