/* Linear layers, LayerNorms and MLPs as mixers that mix nothing, so that they go through the mixers' conformance test.
 * Included once for each precision: tests that need it define LSQ_PRECISION and `real`. */
#undef LSQ_BASE_REAL_H
#undef LSQ_LAYERS_LAYERS_H
#undef LSQ_LAYERS_ACTIVATIONS_H
#undef REAL
#undef REAL_EPSILON
#undef REAL_C
#undef REAL_DTYPE
#undef LSQ_ONCE
#include "layers/activations.h"
#include "layers/layers.h"

static const REAL(lsq_kernel_table) *REAL(kernels_of)(const row_layer *layer) { return layer->context->REAL(kernels); }

/* The array's entry for a role, or NULL if the layer has no such parameter. */
#define ROLE(array, role) (layer->place[role] >= 0 ? (array)[layer->place[role]] : NULL)

static REAL(lsq_mlp_weights) REAL(mlp_weights)(const row_layer *layer, const real *const *w) {
  return (REAL(lsq_mlp_weights)){ROLE(w, UP),    ROLE(w, UP_BIAS), ROLE(w, GATE),
                                 ROLE(w, VALUE), ROLE(w, DOWN),    ROLE(w, DOWN_BIAS)};
}

static lsqnet_status REAL(row_forward)(const void *state, const lsqnet_mixer_shape *shape, const real *const *w,
                                       const real *x, real *y, real *cache, real *scratch) {
  const row_layer *layer = state;
  const int64_t D = layer->width, M = shape->count;
  const REAL(lsq_mlp_weights) mlp = REAL(mlp_weights)(layer, w);
  for (int64_t b = 0; b < shape->batch; b++, y += M * D, cache += row_cache(layer, M)) {
    const real *u = x + (b * shape->rows + shape->first) * D;
    if (layer->kind == LINEAR)
      REAL(lsq_linear_forward)(REAL(kernels_of)(layer), M, D, D, u, ROLE(w, UP), ROLE(w, UP_BIAS), y);
    else if (layer->kind == LAYER_NORM)
      REAL(lsq_layer_norm_forward)(M, D, u, ROLE(w, UP), ROLE(w, UP_BIAS), y, cache);
    else
      REAL(lsq_mlp_forward)(REAL(kernels_of)(layer), layer->kind, M, D, HIDDEN, &mlp, u, y, cache, scratch);
  }
  return LSQNET_OK;
}

static lsqnet_status REAL(row_backward)(const void *state, const lsqnet_mixer_shape *shape, const real *const *w,
                                        const real *x, const real *dy, real *dx, real *const *dw, const real *cache,
                                        real *scratch) {
  const row_layer *layer = state;
  const int64_t D = layer->width, M = shape->count;
  const REAL(lsq_mlp_weights) mlp = REAL(mlp_weights)(layer, w);
  const REAL(lsq_mlp_gradients) gradients = {ROLE(dw, UP),    ROLE(dw, UP_BIAS), ROLE(dw, GATE),
                                             ROLE(dw, VALUE), ROLE(dw, DOWN),    ROLE(dw, DOWN_BIAS)};
  memset(dx, 0, (size_t)(shape->batch * shape->rows * D) * sizeof *dx);
  for (int64_t b = 0; b < shape->batch; b++, dy += M * D, cache += row_cache(layer, M)) {
    const int64_t at = (b * shape->rows + shape->first) * D;
    if (layer->kind == LINEAR)
      REAL(lsq_linear_backward)(REAL(kernels_of)(layer), M, D, D, x + at, ROLE(w, UP), dy, dx + at, ROLE(dw, UP),
                                ROLE(dw, UP_BIAS));
    else if (layer->kind == LAYER_NORM)
      REAL(lsq_layer_norm_backward)(M, D, x + at, ROLE(w, UP), dy, dx + at, ROLE(dw, UP), ROLE(dw, UP_BIAS), cache);
    else
      REAL(lsq_mlp_backward)(REAL(kernels_of)(layer), layer->kind, M, D, HIDDEN, &mlp, x + at, dy, dx + at, &gradients,
                             cache, scratch);
  }
  return LSQNET_OK;
}

static lsqnet_status REAL(row_jvp)(const void *state, const lsqnet_mixer_shape *shape, const real *const *w,
                                   const real *x, const real *dx, const real *const *dw, real *dy, const real *cache,
                                   real *scratch) {
  const row_layer *layer = state;
  const int64_t D = layer->width, M = shape->count;
  const REAL(lsq_mlp_weights) mlp = REAL(mlp_weights)(layer, w), directions = REAL(mlp_weights)(layer, dw);
  for (int64_t b = 0; b < shape->batch; b++, dy += M * D, cache += row_cache(layer, M)) {
    const int64_t at = (b * shape->rows + shape->first) * D;
    if (layer->kind == LINEAR)
      REAL(lsq_linear_jvp)(REAL(kernels_of)(layer), M, D, D, x + at, ROLE(w, UP), dx + at, ROLE(dw, UP),
                           ROLE(dw, UP_BIAS), dy);
    else if (layer->kind == LAYER_NORM)
      REAL(lsq_layer_norm_jvp)(M, D, x + at, ROLE(w, UP), dx + at, ROLE(dw, UP), ROLE(dw, UP_BIAS), dy, cache);
    else
      REAL(lsq_mlp_jvp)(REAL(kernels_of)(layer), layer->kind, M, D, HIDDEN, &mlp, x + at, dx + at, &directions, dy,
                        cache, scratch);
  }
  return LSQNET_OK;
}
