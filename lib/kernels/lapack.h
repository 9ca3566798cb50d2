/* LAPACK, where the build has it. The only file that calls it is lapack.c. */
#ifndef LSQ_KERNELS_LAPACK_H
#define LSQ_KERNELS_LAPACK_H

#include "base/context.h"

int lsq_have_lapack(void);

/* X = argmin ||A X - B|| of least norm, by the singular value decomposition (dgelsd); singular values below DBL_EPSILON
 * times the largest count as zero.
 * Shapes   A (m,n), B (m,k), X (n,k) row-major; A and B are left as they are.
 * Errors   E_UNSUPPORTED without LAPACK; E_SHAPE beyond 32-bit sizes; E_NOT_CONVERGED if the decomposition fails;
 * E_MEMORY. */
lsqnet_status lsq_lapack_least_squares(const lsqnet_context *context, int64_t m, int64_t n, int64_t k, const double *A,
                                       int64_t lda, const double *B, int64_t ldb, double *X, int64_t ldx,
                                       int64_t *rank);

#endif
