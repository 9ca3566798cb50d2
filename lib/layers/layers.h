/* The layers of a model other than mixers, on M rows: for files compiled once for each precision (base/real.h).
 * An output array is written whole unless it says "added to", and
 *   backward   dx may be NULL; weight gradients are added to, NULL where frozen
 *   jvp        dx and weight directions may be NULL: they stay */
#ifndef LSQ_LAYERS_LAYERS_H
#define LSQ_LAYERS_LAYERS_H

#include <stdint.h>

#include "base/real.h"
#include "kernels/kernels.h"

typedef struct REAL(lsq_kernels) REAL(lsq_kernel_table);

/* y = x W' + b.  x (M,in), W (out,in), b (out) or NULL, y (M,out). */
void REAL(lsq_linear_forward)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                              const real *W, const real *b, real *y);
void REAL(lsq_linear_backward)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                               const real *W, const real *dy, real *dx, real *dW, real *db);
void REAL(lsq_linear_jvp)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                          const real *W, const real *dx, const real *dW, const real *db, real *dy);

/* y = (x - mean) / sqrt(variance + 1e-5) * w + b over the D channels of each row.  cache (M,2): mean, 1/sqrt; b may be
 * NULL. */
void REAL(lsq_layer_norm_forward)(int64_t M, int64_t D, const real *x, const real *w, const real *b, real *y,
                                  real *cache);
void REAL(lsq_layer_norm_backward)(int64_t M, int64_t D, const real *x, const real *w, const real *dy, real *dx,
                                   real *dw, real *db, const real *cache);
void REAL(lsq_layer_norm_jvp)(int64_t M, int64_t D, const real *x, const real *w, const real *dx, const real *dw,
                              const real *db, real *dy, const real *cache);

/* y = down(activation(up(x))): ReLU, exact GELU, or GLU sigmoid(gate h) . (value h). Weights and their directions come
 * in one struct, gradients in its like; gate and value (H,H) are NULL unless the activation is GLU, biases may be NULL.
 */
typedef struct {
  const real *up, *up_bias, *gate, *value, *down, *down_bias; /* up (H,D), down (D,H) */
} REAL(lsq_mlp_weights);
typedef struct {
  real *up, *up_bias, *gate, *value, *down, *down_bias;
} REAL(lsq_mlp_gradients);

/* Elements of cache and scratch for M rows; `activation` is an LSQNET_MLP_ number. */
int64_t REAL(lsq_mlp_cache)(int32_t activation, int64_t M, int64_t D, int64_t H);
int64_t REAL(lsq_mlp_scratch)(int32_t activation, int64_t M, int64_t D, int64_t H);
void REAL(lsq_mlp_forward)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                           const REAL(lsq_mlp_weights) *weights, const real *x, real *y, real *cache, real *scratch);
void REAL(lsq_mlp_backward)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                            const REAL(lsq_mlp_weights) *weights, const real *x, const real *dy, real *dx,
                            const REAL(lsq_mlp_gradients) *gradients, const real *cache, real *scratch);
void REAL(lsq_mlp_jvp)(const REAL(lsq_kernel_table) *kernels, int32_t activation, int64_t M, int64_t D, int64_t H,
                       const REAL(lsq_mlp_weights) *weights, const real *x, const real *dx,
                       const REAL(lsq_mlp_weights) *directions, real *dy, const real *cache, real *scratch);

#endif
