/** @file
 * Least squares with the arguments of LAPACKE_dgels and LAPACKE_sgels: a program changes the name of the call. */
#ifndef LSQNET_GELS_H
#define LSQNET_GELS_H

#include <lsqnet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How A and B lie in memory: LAPACK_ROW_MAJOR and LAPACK_COL_MAJOR. */
enum { LSQNET_ROW_MAJOR = 101, LSQNET_COL_MAJOR = 102 };

/** Solves min ||op(A) X - B|| where op(A) has at least as many rows as columns, and where it has fewer finds the X of
 *  least norm with op(A) X = B; op(A) = A for trans 'N', A' for 'T'. A has full rank.
 *  Shapes   a (m,n) in `matrix_layout`, lda >= n row-major, >= max(1,m) column-major; b (max(m,n),nrhs), likewise.
 *  Writes   b, if the answer is 0: the first rows hold X. Where op(A) has more rows than columns, the squares of the
 *           rest of each column add up to its residual sum of squares: the norm of the residual comes first, zeros
 *           follow. If m, n or nrhs is 0, or all of A, b is set to 0. a is left as it is, where LAPACK leaves factors.
 *  Returns  0: every column of X is certified (a lsqnet_report with the status OK) or, where A is too ill-conditioned
 *           for that, right to at least one and 16 - log10(condition) digits, 7.2 - log10(condition) in float32; where
 *           op(A) has fewer rows than columns, op(A) X = B to a backward error of 10 max(m,n) roundings;
 *           -i if the i-th argument is not valid, the layout being the first: as LAPACKE, and in its order of checks.
 *           NaN in a is -6 and in b, all max(m,n) rows of it, -8; so are infinities, and NULL where data should be;
 *           i, 1 to min(m,n), if A has not full rank: the i-th diagonal of its triangular factor is zero but for
 *           roundings, which is to say that column i (row i if m < n) depends on those before it;
 *           min(m,n) + 1 if no answer could be certified: A is too ill-conditioned, or X beyond the largest number;
 *           -1010 without memory, and -1000 - s for any other lsqnet_status s (-1050: the thread's rounding mode is not
 *           to nearest, or it flushes denormals).
 *           lsqnet_last_message() says more whenever that is not 0.
 *  Cost     A solve by the default model (lsqnet_solver_create with model NULL), one thread. A thread keeps its solver, and
 *           what that needs for problems of up to 2^16 numbers in A, B and X, until it ends. */
LSQNET_API int32_t lsqnet_dgels(int32_t matrix_layout, char trans, int32_t m, int32_t n, int32_t nrhs, const double *a,
                                int32_t lda, double *b, int32_t ldb);

/** The same in float32: solved in float64 inside, X rounded once at the end. */
LSQNET_API int32_t lsqnet_sgels(int32_t matrix_layout, char trans, int32_t m, int32_t n, int32_t nrhs, const float *a,
                                int32_t lda, float *b, int32_t ldb);

#ifdef __cplusplus
}
#endif
#endif
