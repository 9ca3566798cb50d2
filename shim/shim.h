/* liblsqnet_lapack: LAPACK's least squares under its own names, answered by liblsqnet. See docs/drop-in.md.
 *
 * It depends on nothing but the C library, and opens liblsqnet at the first call, in a scope of its own: a program that
 * loads this one keeps its own BLAS, whose names liblsqnet's BLIS has as well. */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <stdint.h>

typedef int32_t (*shim_dgels)(int32_t layout, char trans, int32_t m, int32_t n, int32_t nrhs, const double *a,
                              int32_t lda, double *b, int32_t ldb);
typedef int32_t (*shim_sgels)(int32_t layout, char trans, int32_t m, int32_t n, int32_t nrhs, const float *a,
                              int32_t lda, float *b, int32_t ldb);

/* lsqnet_dgels and lsqnet_sgels; NULL if there is no liblsqnet. */
shim_dgels shim_find_dgels(void);
shim_sgels shim_find_sgels(void);

typedef void (*shim_function)(void);

/* What this process calls `name`, were this library not there; NULL if it has none. */
shim_function shim_find_next(const char *name);

/* The program's own XERBLA and LAPACKE_xerbla, with the number of the argument that is not valid; without one, the line
 * that LAPACK's prints. */
void shim_xerbla(const char *routine, int32_t argument);
void shim_lapacke_xerbla(const char *routine, int32_t info);

/* LAPACKE_get_nancheck of the program's LAPACKE; 1 without one. */
int shim_checks_nan(void);

/* For lsqnet_lapack_entered and lsqnet_lapack_solved. */
void shim_count_entry(void);
void shim_count_solved(void);

#endif
