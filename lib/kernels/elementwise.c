/* y may be a or b itself, so nothing here is restrict: vectors are loaded before they are stored. */
#include "kernels/level.h"

void LEVEL(multiply)(int64_t n, const real *a, const real *b, real *y) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(a + i) * load(b + i));
  for (; i < n; i++) y[i] = a[i] * b[i];
}

void LEVEL(multiply_add)(int64_t n, const real *a, const real *b, real *y) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + load(a + i) * load(b + i));
  for (; i < n; i++) y[i] += a[i] * b[i];
}

void LEVEL(axpy)(int64_t n, real alpha, const real *x, real *y) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + alpha * load(x + i));
  for (; i < n; i++) y[i] += alpha * x[i];
}

void LEVEL(scale)(int64_t n, real alpha, const real *x, real *y) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, alpha * load(x + i));
  for (; i < n; i++) y[i] = alpha * x[i];
}
