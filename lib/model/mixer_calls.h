/* Calls through the mixer of a block. In float32 a mixer that has no float32 functions is called in float64, between
 * conversions; its cache then lies as doubles in the floats' memory. Failures name the block. */
#ifndef LSQ_MODEL_MIXER_CALLS_H
#define LSQ_MODEL_MIXER_CALLS_H

#include "model/model.h"

/* Arguments and arrays as in lsqnet_mixer; `block` is a block's number. */
#define LSQ_DECLARE_MIXER_CALLS(real, suffix)                                                                          \
  lsqnet_status lsq_mixer_workspace_##suffix(const lsqnet_model *model, int64_t block,                                 \
                                             const lsqnet_mixer_shape *shape, int64_t *cache, int64_t *scratch);       \
  lsqnet_status lsq_mixer_forward_##suffix(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,  \
                                           const real *const *weights, const real *x, real *y, real *cache,            \
                                           real *scratch);                                                             \
  lsqnet_status lsq_mixer_backward_##suffix(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape, \
                                            const real *const *weights, const real *x, const real *dy, real *dx,       \
                                            real *const *dweights, const real *cache, real *scratch);                  \
  lsqnet_status lsq_mixer_jvp_##suffix(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,      \
                                       const real *const *weights, const real *x, const real *dx,                      \
                                       const real *const *dweights, real *dy, const real *cache, real *scratch)
LSQ_DECLARE_MIXER_CALLS(double, f64);
LSQ_DECLARE_MIXER_CALLS(float, f32);

#endif
