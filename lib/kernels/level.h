/* For files compiled once for each kernel level and precision: names and vectors of that level. */
#ifndef LSQ_KERNELS_LEVEL_H
#define LSQ_KERNELS_LEVEL_H

#include <string.h>

#include "base/real.h"
#include "kernels/kernels.h"

/* LEVEL(product_nt) is lsq_product_nt_v3_f64 on level v3 in double */
#define LSQ_PASTE_(name, level, suffix) lsq_##name##_##level##suffix
#define LSQ_PASTE(name, level, suffix)  LSQ_PASTE_(name, level, suffix)
#define LEVEL(name)                     LSQ_PASTE(name, LSQ_LEVEL, REAL())

#if LSQ_LEVEL_NUMBER == 4
#define LSQ_VECTOR_BYTES 64
#elif LSQ_LEVEL_NUMBER == 3
#define LSQ_VECTOR_BYTES 32
#else
#define LSQ_VECTOR_BYTES 16
#endif

/* Products of level 2 are the generic ones: it has vectors of the same length, and nothing more that they would use. */
#if LSQ_LEVEL_NUMBER == 2
#define PRODUCT(name) LSQ_PASTE(name, generic, REAL())
#else
#define PRODUCT(name) LEVEL(name)
#endif

typedef real vector __attribute__((vector_size(LSQ_VECTOR_BYTES)));
enum { LANES = LSQ_VECTOR_BYTES / (int)sizeof(real) };

/* Arrays of callers are aligned to their elements only. */
static inline vector load(const real *p) {
  vector v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void store(real *p, vector v) { memcpy(p, &v, sizeof v); }

/* product.c, where contraction is on */
void PRODUCT(product_nt)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,
                         const real *bias, real *C, int64_t ldc, int accumulate);
void PRODUCT(product_nn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,
                         real *C, int64_t ldc, int accumulate);
void PRODUCT(product_tn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,
                         real *C, int64_t ldc, int accumulate);
void PRODUCT(pack)(int64_t K, int64_t N, const real *A, int64_t lda, real *left, real *right);
void PRODUCT(product_packed)(int64_t M, int64_t N, int64_t K, const real *left, const real *right, real *C, int64_t ldc,
                             int accumulate, int lower);
/* toeplitz.c */
void LEVEL(toeplitz)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,
                     const real *bias, const real *u, real *y);
void LEVEL(toeplitz_input)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,
                           const real *dy, real *du);
void LEVEL(toeplitz_filter)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *u,
                            const real *dy, real *dF);
/* elementwise.c */
void LEVEL(multiply)(int64_t n, const real *a, const real *b, real *y);
void LEVEL(multiply_add)(int64_t n, const real *a, const real *b, real *y);
void LEVEL(axpy)(int64_t n, real alpha, const real *x, real *y);
void LEVEL(scale)(int64_t n, real alpha, const real *x, real *y);
/* sums.c */
real LEVEL(dot)(int64_t n, const real *a, const real *b);
void LEVEL(column_sums)(int64_t M, int64_t N, const real *A, int64_t lda, real *s);

#if LSQ_PRECISION == 64
/* residual.c */
void LEVEL(residual)(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *x,
                     const double *x_low, const double *b, const double *b_low, double *r, double *r_low);
void LEVEL(transposed_product)(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *r,
                               const double *r_low, double *g, double *g_low);
#endif

#endif
