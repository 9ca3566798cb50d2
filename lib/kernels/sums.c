/* Sums in an order that the sizes alone fix. */
#include "kernels/level.h"

/* Chains that hide the latency of an addition. */
enum { CHAINS = 4, ROWS_PER_BLOCK = 128 };

real LEVEL(dot)(int64_t n, const real *a, const real *b) {
  vector sums[CHAINS] = {{0}};
  real tail = 0;
  int64_t i = 0;
  for (; i + CHAINS * LANES <= n; i += CHAINS * LANES) {
    for (int c = 0; c < CHAINS; c++) sums[c] += load(a + i + c * LANES) * load(b + i + c * LANES);
  }
  for (; i + LANES <= n; i += LANES) sums[0] += load(a + i) * load(b + i);
  for (; i < n; i++) tail += a[i] * b[i];
  vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (int lane = 0; lane < LANES; lane++) tail += sum[lane];
  return tail;
}

/* Straight sums over thousands of rows would cost float32 a digit: blocks of rows first, then the blocks. */
void LEVEL(column_sums)(int64_t M, int64_t N, const real *A, int64_t lda, real *s) {
  for (int64_t first = 0; first < M; first += ROWS_PER_BLOCK) {
    int64_t end = first + ROWS_PER_BLOCK < M ? first + ROWS_PER_BLOCK : M;
    int64_t j = 0;
    for (; j + LANES <= N; j += LANES) {
      vector sum = {0};
      for (int64_t i = first; i < end; i++) sum += load(A + i * lda + j);
      store(s + j, load(s + j) + sum);
    }
    for (; j < N; j++) {
      real sum = 0;
      for (int64_t i = first; i < end; i++) sum += A[i * lda + j];
      s[j] += sum;
    }
  }
}
