#include <lsqnet/model.h>
#include <stddef.h>

#include "layers/activations.h"
#include "layers/layers.h"

/* In the cache: ReLU its output; GELU its output and derivative; GLU h, sigmoid(gate h), value h. */
static int64_t cached_arrays(int32_t activation) {
  return activation == LSQNET_MLP_GLU ? 3 : activation == LSQNET_MLP_GELU ? 2 : 1;
}

/* A product beyond this cannot be allocated, and a sum of a few such still fits. */
static int64_t elements(int64_t arrays, int64_t M, int64_t H) {
  const int64_t most = INT64_MAX / 16;
  int64_t n = 0;
  return __builtin_mul_overflow(arrays, M, &n) || __builtin_mul_overflow(n, H, &n) || n > most ? most : n;
}

int64_t REAL(lsq_mlp_cache)(int32_t activation, int64_t M, int64_t D, int64_t H) {
  (void)D;
  return elements(cached_arrays(activation), M, H);
}

int64_t REAL(lsq_mlp_scratch)(int32_t activation, int64_t M, int64_t D, int64_t H) {
  (void)D;
  return elements(activation == LSQNET_MLP_GLU ? 3 : 1, M, H);
}

typedef struct {
  const real *h, *gate, *value; /* (M,H) */
} glu_cache;

static glu_cache glu_cached(const real *cache, int64_t n) { return (glu_cache){cache, cache + n, cache + 2 * n}; }

/* r = sigmoid(gate h) . (value h) */
static void glu_forward(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t H, const REAL(lsq_mlp_weights) *w,
                        const real *x_up, real *gate, real *value, real *r) {
  REAL(lsq_linear_forward)(kernels, M, H, H, x_up, w->gate, NULL, gate);
  REAL(lsq_linear_forward)(kernels, M, H, H, x_up, w->value, NULL, value);
  REAL(lsq_sigmoid)(M * H, gate);
  kernels->multiply(M * H, gate, value, r);
}

/* From dr in `d` to dh, which is left there; `spare` (2,M,H). */
static void glu_backward(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t H, const REAL(lsq_mlp_weights) *w,
                         const REAL(lsq_mlp_gradients) *gradients, const real *cache, real *d, real *spare) {
  const glu_cache c = glu_cached(cache, M * H);
  real *dgate = spare, *dh = spare + M * H;
  for (int64_t i = 0; i < M * H; i++) dgate[i] = d[i] * c.value[i] * c.gate[i] * (1 - c.gate[i]);
  kernels->multiply(M * H, d, c.gate, d);
  REAL(lsq_linear_backward)(kernels, M, H, H, c.h, w->gate, dgate, dh, gradients->gate, NULL);
  REAL(lsq_linear_backward)(kernels, M, H, H, c.h, w->value, d, dgate, gradients->value, NULL);
  for (int64_t i = 0; i < M * H; i++) d[i] = dh[i] + dgate[i];
}

/* From dh in `d` to dr, which is left there; `spare` (2,M,H). */
static void glu_jvp(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t H, const REAL(lsq_mlp_weights) *w,
                    const REAL(lsq_mlp_weights) *directions, const real *cache, real *d, real *spare) {
  const glu_cache c = glu_cached(cache, M * H);
  real *dgate = spare, *dvalue = spare + M * H;
  REAL(lsq_linear_jvp)(kernels, M, H, H, c.h, w->gate, d, directions->gate, NULL, dgate);
  REAL(lsq_linear_jvp)(kernels, M, H, H, c.h, w->value, d, directions->value, NULL, dvalue);
  for (int64_t i = 0; i < M * H; i++)
    d[i] = dgate[i] * c.gate[i] * (1 - c.gate[i]) * c.value[i] + c.gate[i] * dvalue[i];
}

/* The activation's derivative where it works number by number. */
static void apply_derivative(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t n, const real *cache,
                             real *d) {
  if (activation == LSQNET_MLP_GELU)
    kernels->multiply(n, d, cache + n, d);
  else
    REAL(lsq_relu_derivative)(n, cache, d);
}

void REAL(lsq_mlp_forward)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                           const REAL(lsq_mlp_weights) *weights, const real *x, real *y, real *cache, real *scratch) {
  const int64_t n = M * H;
  real *h = activation == LSQNET_MLP_GELU ? cache + n : cache;
  real *r = activation == LSQNET_MLP_GLU ? scratch : cache;
  REAL(lsq_linear_forward)(kernels, M, D, H, x, weights->up, weights->up_bias, h);
  if (activation == LSQNET_MLP_GLU)
    glu_forward(kernels, M, H, weights, h, cache + n, cache + 2 * n, r);
  else if (activation == LSQNET_MLP_GELU)
    REAL(lsq_gelu)(n, h, r);
  else
    REAL(lsq_relu)(n, h);
  REAL(lsq_linear_forward)(kernels, M, H, D, r, weights->down, weights->down_bias, y);
}

/* The activation's output, which GLU has to make anew. */
static const real *activated(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t n, const real *cache,
                             real *buffer) {
  if (activation != LSQNET_MLP_GLU) return cache;
  kernels->multiply(n, cache + n, cache + 2 * n, buffer);
  return buffer;
}

void REAL(lsq_mlp_backward)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                            const REAL(lsq_mlp_weights) *weights, const real *x, const real *dy, real *dx,
                            const REAL(lsq_mlp_gradients) *gradients, const real *cache, real *scratch) {
  const int64_t n = M * H;
  real *d = scratch;
  const real *r = activated(kernels, activation, n, cache, scratch + n);
  REAL(lsq_linear_backward)(kernels, M, H, D, r, weights->down, dy, d, gradients->down, gradients->down_bias);
  if (activation == LSQNET_MLP_GLU)
    glu_backward(kernels, M, H, weights, gradients, cache, d, scratch + n);
  else
    apply_derivative(kernels, activation, n, cache, d);
  REAL(lsq_linear_backward)(kernels, M, D, H, x, weights->up, d, dx, gradients->up, gradients->up_bias);
}

void REAL(lsq_mlp_jvp)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                       const REAL(lsq_mlp_weights) *weights, const real *x, const real *dx,
                       const REAL(lsq_mlp_weights) *directions, real *dy, const real *cache, real *scratch) {
  const int64_t n = M * H;
  real *d = scratch;
  REAL(lsq_linear_jvp)(kernels, M, D, H, x, weights->up, dx, directions->up, directions->up_bias, d);
  if (activation == LSQNET_MLP_GLU)
    glu_jvp(kernels, M, H, weights, directions, cache, d, scratch + n);
  else
    apply_derivative(kernels, activation, n, cache, d);
  const real *r = activated(kernels, activation, n, cache, scratch + n);
  REAL(lsq_linear_jvp)(kernels, M, H, D, r, weights->down, d, directions->down, directions->down_bias, dy);
}
