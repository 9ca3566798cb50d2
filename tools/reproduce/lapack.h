/* LAPACK's dgels on one thread, and which it is. Builds without LAPACKE have none. */
#ifndef TOOLS_REPRODUCE_LAPACK_H
#define TOOLS_REPRODUCE_LAPACK_H

#include <stddef.h>
#include <stdint.h>

/* Keeps the BLAS below it to one thread, where that is OpenBLAS, BLIS or MKL; 0 if there is no LAPACK. */
int lapack_open(void);

/* The files that dgels and the dgemm below it come from, with the folders they lie in: "lapack/liblapack.so.3.11.0,
 * blis-openmp/libblas.so.4". */
void lapack_name(char *out, size_t room);

/* x comes into the first n numbers of b; a (m,n) and b (m) are column-major and overwritten. Its info, or -1. */
int64_t lapack_solve(int64_t m, int64_t n, double *a, double *b);

#endif
