/* What the states of the built-in mixers have in common: kernels, sizes, a list of parameters. */
#ifndef LSQ_LAYERS_BUILT_IN_H
#define LSQ_LAYERS_BUILT_IN_H

#include <lsqnet/mixer.h>

#include "base/context.h"

/* A mixer numbers its parameters by an enum of its own, their roles; a role that a configuration has no use for has no
 * parameter. */
enum { LSQ_MAX_ROLES = 16 };

/* The first member of every built-in mixer's state. */
typedef struct {
  lsqnet_context *context;
  const struct lsq_kernels_f64 *kernels_f64;
  const struct lsq_kernels_f32 *kernels_f32;
  lsqnet_mixer_sizes sizes;
  int64_t parameter_count;
  int64_t place[LSQ_MAX_ROLES]; /* 1 + index of the role's parameter, or 0 */
  lsqnet_mixer_parameter parameters[LSQ_MAX_ROLES];
} lsq_built_in;

/* The kernels of the precision that is being compiled (base/real.h). */
#define LSQ_KERNELS(built_in) ((built_in)->REAL(kernels))

/* Entry of an array of weights, gradients or directions that belongs to a role, or NULL. */
#define LSQ_OF_ROLE(built_in, array, role) ((built_in)->place[role] > 0 ? (array)[(built_in)->place[role] - 1] : NULL)

/* Allocates a state of `bytes` bytes, an lsq_built_in first. E_SHAPE for sizes whose products overflow. */
lsqnet_status lsq_built_in_create(void **state, uint64_t bytes, lsqnet_context *context,
                                  const lsqnet_mixer_sizes *sizes);

/* Appends a parameter of `rank` sizes to the list. */
void lsq_built_in_add(lsq_built_in *built_in, int role, const char *name, const char *reference_name, int rank,
                      const int64_t *shape);

/* Role of parameter `index`. */
int lsq_built_in_role(const lsq_built_in *built_in, int64_t index);

/* Values of parameter `index`. */
int64_t lsq_built_in_size(const lsq_built_in *built_in, int64_t index);

/* The same for every built-in mixer: entries of their tables. */
void lsq_built_in_destroy(void *state);
int64_t lsq_built_in_parameter_count(const void *state);
lsqnet_status lsq_built_in_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out);

/* Normal values with that standard deviation. */
void lsq_built_in_normal(const lsq_built_in *built_in, int64_t index, uint64_t seed, double deviation, double *values);

/* Takes room for `count` elements out of a buffer whose first *used are taken, and returns where it begins; whole cache
 * lines in either precision. */
static inline int64_t lsq_take(int64_t *used, int64_t count) {
  const int64_t begin = *used;
  *used += (count + 15) / 16 * 16;
  return begin;
}

/* E_SHAPE if B T C elements, and sums of a few such, overflow. */
lsqnet_status lsq_built_in_check(const lsqnet_mixer_shape *shape, int64_t channels);

#define LSQ_DECLARE_MIXER_AS(mixer, number, suffix)                                                      \
  lsqnet_status lsq_##mixer##_forward_##suffix(const void *state, const lsqnet_mixer_shape *shape,       \
                                               const number *const *weights, const number *x, number *y, \
                                               number *cache, number *scratch);                          \
  lsqnet_status lsq_##mixer##_backward_##suffix(                                                         \
      const void *state, const lsqnet_mixer_shape *shape, const number *const *weights, const number *x, \
      const number *dy, number *dx, number *const *dweights, const number *cache, number *scratch);      \
  lsqnet_status lsq_##mixer##_jvp_##suffix(                                                              \
      const void *state, const lsqnet_mixer_shape *shape, const number *const *weights, const number *x, \
      const number *dx, const number *const *dweights, number *dy, const number *cache, number *scratch)

/* Declares lsq_MIXER_{forward,backward,jvp}_{f64,f32}. */
#define LSQ_DECLARE_MIXER(mixer)            \
  LSQ_DECLARE_MIXER_AS(mixer, double, f64); \
  LSQ_DECLARE_MIXER_AS(mixer, float, f32)

#endif
