#include "kernels/level.h"

void LEVEL(product_nt)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,
                       const real *bias, real *C, int64_t ldc, int accumulate) {
  for (int64_t i = 0; i < M; i++) {
    for (int64_t j = 0; j < N; j++) {
      real sum = 0;
      for (int64_t k = 0; k < K; k++) sum += A[i * lda + k] * B[j * ldb + k];
      if (bias != NULL) sum += bias[j];
      C[i * ldc + j] = accumulate ? C[i * ldc + j] + sum : sum;
    }
  }
}

void LEVEL(product_nn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb, real *C,
                       int64_t ldc, int accumulate) {
  for (int64_t i = 0; i < M; i++) {
    for (int64_t j = 0; j < N; j++) {
      real sum = 0;
      for (int64_t k = 0; k < K; k++) sum += A[i * lda + k] * B[k * ldb + j];
      C[i * ldc + j] = accumulate ? C[i * ldc + j] + sum : sum;
    }
  }
}

void LEVEL(product_tn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb, real *C,
                       int64_t ldc, int accumulate) {
  for (int64_t i = 0; i < M; i++) {
    for (int64_t j = 0; j < N; j++) {
      real sum = 0;
      for (int64_t k = 0; k < K; k++) sum += A[k * lda + i] * B[k * ldb + j];
      C[i * ldc + j] = accumulate ? C[i * ldc + j] + sum : sum;
    }
  }
}
