/* A mixer of a host's own, in float64 only: y_t = gain . mean . x_t + shift, where mean is the sequence's mean row.
 * Tests change its table, and make it fail or lie, through tiny_mixer_table and tiny_faults. */
#ifndef TINY_MIXER_H
#define TINY_MIXER_H

#include <lsqnet/lsqnet.h>
#include <stdlib.h>
#include <string.h>

/* What the next calls do wrong; zero for nothing. */
typedef struct {
  lsqnet_status create, parameter, workspace, forward, backward;
  int64_t parameter_count;    /* added to the true one */
  lsqnet_mixer_parameter lie; /* described instead of parameter 1 when its name is set or `lies` is */
  int lies;
  int64_t cache, scratch; /* reported instead when not zero */
} tiny_faults;

typedef struct {
  lsqnet_mixer_sizes sizes;
  const tiny_faults *faults;
} tiny_state;

static inline lsqnet_status tiny_create(void **state, lsqnet_context *context, void *user,
                                        const lsqnet_mixer_sizes *sizes, const char *config) {
  const tiny_faults *faults = (const tiny_faults *)user;
  tiny_state *s = (tiny_state *)calloc(1, sizeof *s);
  (void)context;
  (void)config;
  if (faults->create != LSQNET_OK || s == NULL) {
    free(s);
    lsqnet_set_message("tiny cannot be created");
    return faults->create != LSQNET_OK ? faults->create : LSQNET_E_MEMORY;
  }
  s->sizes = *sizes;
  s->faults = faults;
  *state = s;
  return LSQNET_OK;
}

static inline void tiny_destroy(void *state) { free(state); }

static inline int64_t tiny_parameter_count(const void *state) {
  return 2 + ((const tiny_state *)state)->faults->parameter_count;
}

static inline lsqnet_status tiny_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  const tiny_state *s = (const tiny_state *)state;
  if (s->faults->parameter != LSQNET_OK) return s->faults->parameter;
  out->rank = index == 0 ? 2 : 1;
  out->shape[0] = index == 0 ? 1 : s->sizes.width;
  out->shape[1] = index == 0 ? s->sizes.width : 0;
  out->name = index == 0 ? "gain" : "shift";
  if (index == 1 && s->faults->lies) *out = s->faults->lie;
  return LSQNET_OK;
}

static inline lsqnet_status tiny_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                           int64_t *scratch) {
  const tiny_state *s = (const tiny_state *)state;
  *cache = s->faults->cache != 0 ? s->faults->cache : shape->batch * s->sizes.width;
  *scratch = s->faults->scratch != 0 ? s->faults->scratch : s->sizes.width;
  return s->faults->workspace;
}

/* The cache holds the mean rows. */
static inline lsqnet_status tiny_forward(const void *state, const lsqnet_mixer_shape *shape,
                                         const double *const *weights, const double *x, double *y, double *cache,
                                         double *scratch) {
  const tiny_state *s = (const tiny_state *)state;
  const int64_t D = s->sizes.width, T = shape->rows;
  (void)scratch;
  if (s->faults->forward != LSQNET_OK) return s->faults->forward;
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, y += shape->count * D, cache += D) {
    memset(cache, 0, (size_t)D * sizeof *cache);
    for (int64_t i = 0; i < T * D; i++) cache[i % D] += x[i] / (double)T;
    for (int64_t i = 0; i < shape->count * D; i++)
      y[i] = weights[0][i % D] * cache[i % D] * x[shape->first * D + i] + weights[1][i % D];
  }
  return LSQNET_OK;
}

static inline lsqnet_status tiny_backward(const void *state, const lsqnet_mixer_shape *shape,
                                          const double *const *weights, const double *x, const double *dy, double *dx,
                                          double *const *dweights, const double *cache, double *scratch) {
  const tiny_state *s = (const tiny_state *)state;
  const int64_t D = s->sizes.width, T = shape->rows;
  const double *gain = weights[0];
  if (s->faults->backward != LSQNET_OK) return s->faults->backward;
  memset(dx, 0, (size_t)(shape->batch * T * D) * sizeof *dx);
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, dx += T * D, dy += shape->count * D, cache += D) {
    double *dmean = scratch;
    memset(dmean, 0, (size_t)D * sizeof *dmean);
    for (int64_t i = 0; i < shape->count * D; i++) {
      const int64_t j = i % D, k = shape->first * D + i;
      dx[k] = gain[j] * cache[j] * dy[i];
      dmean[j] += gain[j] * x[k] * dy[i];
      if (dweights[0] != NULL) dweights[0][j] += cache[j] * x[k] * dy[i];
      if (dweights[1] != NULL) dweights[1][j] += dy[i];
    }
    for (int64_t i = 0; i < T * D; i++) dx[i] += dmean[i % D] / (double)T;
  }
  return LSQNET_OK;
}

static inline lsqnet_status tiny_jvp(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                                     const double *x, const double *dx, const double *const *dweights, double *dy,
                                     const double *cache, double *scratch) {
  const tiny_state *s = (const tiny_state *)state;
  const int64_t D = s->sizes.width, T = shape->rows;
  const double *gain = weights[0];
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, dx += T * D, dy += shape->count * D, cache += D) {
    double *dmean = scratch;
    memset(dmean, 0, (size_t)D * sizeof *dmean);
    for (int64_t i = 0; i < T * D; i++) dmean[i % D] += dx[i] / (double)T;
    for (int64_t i = 0; i < shape->count * D; i++) {
      const int64_t j = i % D, k = shape->first * D + i;
      dy[i] = gain[j] * (dmean[j] * x[k] + cache[j] * dx[k]);
      if (dweights[0] != NULL) dy[i] += dweights[0][j] * cache[j] * x[k];
      if (dweights[1] != NULL) dy[i] += dweights[1][j];
    }
  }
  return LSQNET_OK;
}

/* The table of a mixer called `name` that makes `faults`, which must outlive the context. */
static inline lsqnet_mixer tiny_mixer_table(const char *name, tiny_faults *faults) {
  lsqnet_mixer m;
  memset(&m, 0, sizeof m);
  m.size = sizeof m;
  m.flags = LSQNET_MIXER_POLYNOMIAL;
  m.name = name;
  m.user = faults;
  m.create = tiny_create;
  m.destroy = tiny_destroy;
  m.parameter_count = tiny_parameter_count;
  m.parameter = tiny_parameter;
  m.workspace = tiny_workspace;
  m.forward_f64 = tiny_forward;
  m.backward_f64 = tiny_backward;
  m.jvp_f64 = tiny_jvp;
  return m;
}

#endif
