/* The mixer that mixes nothing: y is the wanted rows of x. For models whose work is all in the MLPs, and for tests. */
#include <jansson.h>
#include <string.h>

#include "layers/built_in.h"
#include "layers/config.h"
#include "layers/rows.h"

LSQ_DECLARE_MIXER(identity);

static lsq_rows wanted_rows(const void *state, const lsqnet_mixer_shape *shape) {
  const lsq_built_in *m = state;
  return (lsq_rows){shape->batch, shape->rows, m->sizes.width, shape->first, shape->count};
}

lsqnet_status REAL(lsq_identity_forward)(const void *state, const lsqnet_mixer_shape *shape, const real *const *weights,
                                         const real *x, real *y, real *cache, real *scratch) {
  const lsq_rows wanted = wanted_rows(state, shape);
  (void)weights, (void)cache, (void)scratch;
  if (REAL(lsq_rows_take)(&wanted, x, y) != y)
    memcpy(y, x, (size_t)(wanted.batch * wanted.rows * wanted.width) * sizeof *y);
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_identity_backward)(const void *state, const lsqnet_mixer_shape *shape,
                                          const real *const *weights, const real *x, const real *dy, real *dx,
                                          real *const *dweights, const real *cache, real *scratch) {
  const lsq_rows wanted = wanted_rows(state, shape);
  (void)weights, (void)x, (void)dweights, (void)cache, (void)scratch;
  REAL(lsq_rows_put)(&wanted, dy, dx);
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_identity_jvp)(const void *state, const lsqnet_mixer_shape *shape, const real *const *weights,
                                     const real *x, const real *dx, const real *const *dweights, real *dy,
                                     const real *cache, real *scratch) {
  (void)x, (void)dweights, (void)cache;
  return REAL(lsq_identity_forward)(state, shape, weights, dx, dy, NULL, scratch);
}

#ifdef LSQ_ONCE

static const char *const KEYS[] = {NULL};

static lsqnet_status identity_create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                                     const char *config) {
  lsqnet_status st = LSQNET_OK;
  json_t *object = NULL;
  (void)user;
  LSQ_TRY(lsq_config_parse(&object, "identity", config, KEYS));
  LSQ_TRY(lsq_built_in_create(state, sizeof(lsq_built_in), context, sizes));
done:
  json_decref(object);
  return st;
}

static lsqnet_status identity_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                        int64_t *scratch) {
  *cache = 0;
  *scratch = 0;
  return lsq_built_in_check(shape, ((const lsq_built_in *)state)->sizes.width);
}

static lsqnet_status identity_config(const void *state, char *text, uint64_t capacity, uint64_t *needed) {
  (void)state;
  return lsq_config_write(text, capacity, needed, "{}");
}

const lsqnet_mixer lsq_identity = {.size = sizeof(lsqnet_mixer),
                                   .flags = LSQNET_MIXER_POLYNOMIAL,
                                   .name = "identity",
                                   .create = identity_create,
                                   .destroy = lsq_built_in_destroy,
                                   .parameter_count = lsq_built_in_parameter_count,
                                   .parameter = lsq_built_in_parameter,
                                   .workspace = identity_workspace,
                                   .forward_f64 = lsq_identity_forward_f64,
                                   .backward_f64 = lsq_identity_backward_f64,
                                   .forward_f32 = lsq_identity_forward_f32,
                                   .backward_f32 = lsq_identity_backward_f32,
                                   .jvp_f64 = lsq_identity_jvp_f64,
                                   .jvp_f32 = lsq_identity_jvp_f32,
                                   .config = identity_config};
#endif
