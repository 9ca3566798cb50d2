#include <stddef.h>

#include "layers/elementary.h"
#include "layers/layers.h"

/* Sums run in several lanes, which the compiler can keep in one vector and which round less than one long sum. */
enum { LANES = 8 };

static real total(const real lane[LANES]) {
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static real sum(int64_t n, const real *a) {
  real lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) lane[k] += a[i + k];
  for (int k = 0; i < n; i++, k++) lane[k] += a[i];
  return total(lane);
}

/* sum a_i (x_i - mean); the variance is a = x - mean. */
static real sum_centered(int64_t n, const real *a, const real *x, real mean) {
  real lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) lane[k] += a[i + k] * (x[i + k] - mean);
  for (int k = 0; i < n; i++, k++) lane[k] += a[i] * (x[i] - mean);
  return total(lane);
}

void REAL(lsq_layer_norm_forward)(int64_t M, int64_t D, const real *x, const real *w, const real *b, real *y,
                                  real *cache) {
  const real epsilon = REAL_C(1e-5);
  for (int64_t i = 0; i < M; i++, x += D, y += D, cache += 2) {
    const real mean = sum(D, x) / (real)D;
    for (int64_t j = 0; j < D; j++) y[j] = x[j] - mean;
    const real scale = 1 / REAL_MATH(sqrt)(sum_centered(D, y, x, mean) / (real)D + epsilon);
    for (int64_t j = 0; j < D; j++) y[j] = y[j] * scale * w[j] + (b != NULL ? b[j] : 0);
    cache[0] = mean;
    cache[1] = scale;
  }
}

/* out = J g, where J is the Jacobian of x -> (x - mean) * scale. It is symmetric, so that both directions use it. */
static void apply_jacobian(int64_t D, const real *x, real mean, real scale, const real *g, real *out) {
  const real level = sum(D, g) / (real)D;
  const real slope = sum_centered(D, g, x, mean) / (real)D * scale * scale;
  for (int64_t j = 0; j < D; j++) out[j] = (g[j] - level - (x[j] - mean) * slope) * scale;
}

void REAL(lsq_layer_norm_backward)(int64_t M, int64_t D, const real *x, const real *w, const real *dy, real *dx,
                                   real *dw, real *db, const real *cache) {
  for (int64_t i = 0; i < M; i++, x += D, dy += D, cache += 2) {
    const real mean = cache[0], scale = cache[1];
    for (int64_t j = 0; dw != NULL && j < D; j++) dw[j] += dy[j] * ((x[j] - mean) * scale);
    for (int64_t j = 0; db != NULL && j < D; j++) db[j] += dy[j];
    if (dx == NULL) continue;
    for (int64_t j = 0; j < D; j++) dx[j] = dy[j] * w[j];
    apply_jacobian(D, x, mean, scale, dx, dx);
    dx += D;
  }
}

void REAL(lsq_layer_norm_jvp)(int64_t M, int64_t D, const real *x, const real *w, const real *dx, const real *dw,
                              const real *db, real *dy, const real *cache) {
  for (int64_t i = 0; i < M; i++, x += D, dy += D, cache += 2) {
    const real mean = cache[0], scale = cache[1];
    for (int64_t j = 0; j < D; j++) dy[j] = 0;
    if (dx != NULL) apply_jacobian(D, x, mean, scale, dx + i * D, dy);
    for (int64_t j = 0; j < D; j++) {
      const real normalised = (x[j] - mean) * scale;
      dy[j] = dy[j] * w[j] + (dw != NULL ? normalised * dw[j] : 0) + (db != NULL ? db[j] : 0);
    }
  }
}
