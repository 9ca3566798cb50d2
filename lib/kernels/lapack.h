/* LAPACK, where the build has it. The only file that calls it is lapack.c. */
#ifndef LSQ_KERNELS_LAPACK_H
#define LSQ_KERNELS_LAPACK_H

#include <stdint.h>

#include "base/status.h"

int lsq_have_lapack(void);

/* x = argmin ||A x - b|| of least norm, by the singular value decomposition (dgelsd); singular values below DBL_EPSILON
 * times the largest count as zero.
 * Shapes   A (m,n) row-major, b (m), x (n); A and b are left as they are. work (lsq_lapack_size(m,n)).
 * Errors   E_UNSUPPORTED without LAPACK; E_SHAPE beyond 32-bit sizes; E_NOT_FINITE, LAPACK not being asked, if there is
 *          NaN or a number beyond 2^400; E_NOT_CONVERGED if the decomposition fails. */
lsqnet_status lsq_lapack_least_squares(int64_t m, int64_t n, const double *A, int64_t lda, const double *b, double *x,
                                       int64_t *rank, double *work);

/* Doubles of its work; 0 where it would refuse. */
int64_t lsq_lapack_size(int64_t m, int64_t n);

#endif
