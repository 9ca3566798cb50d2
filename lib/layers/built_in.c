#include "layers/built_in.h"

#include <string.h>

#include "base/random.h"
#include "base/sized.h"

enum { MOST_FACTOR = 64 };

static lsqnet_status check_sizes(const lsqnet_mixer_sizes *sizes) {
  int64_t product = 0;
  const int64_t square[] = {MOST_FACTOR, sizes->width, sizes->width};
  const int64_t sequence[] = {MOST_FACTOR, sizes->rows, sizes->width};
  if (sizes->rows < 1 || sizes->width < 1)
    return lsq_fail(LSQNET_E_SHAPE, "rows=%lld width=%lld: both must be at least 1", (long long)sizes->rows,
                    (long long)sizes->width);
  const lsqnet_status st = lsq_size_product(&product, square, 3, "a mixer's weights");
  return st != LSQNET_OK ? st : lsq_size_product(&product, sequence, 3, "a mixer's sequence");
}

lsqnet_status lsq_built_in_create(void **state, uint64_t bytes, lsqnet_context *context,
                                  const lsqnet_mixer_sizes *sizes) {
  lsqnet_status st = LSQNET_OK;
  lsq_built_in *built_in = NULL;
  *state = NULL;
  LSQ_TRY(check_sizes(sizes));
  LSQ_TRY(lsq_alloc(context, &built_in, 1, bytes));
  built_in->context = context;
  built_in->kernels_f64 = context->kernels_f64;
  built_in->kernels_f32 = context->kernels_f32;
  built_in->sizes = *sizes;
  *state = built_in;
done:
  return st;
}

void lsq_built_in_destroy(void *state) {
  if (state != NULL) lsq_free(((lsq_built_in *)state)->context, state);
}

void lsq_built_in_add(lsq_built_in *built_in, int role, const char *name, const char *reference_name, int rank,
                      const int64_t *shape) {
  lsqnet_mixer_parameter *parameter = &built_in->parameters[built_in->parameter_count++];
  built_in->place[role] = built_in->parameter_count;
  parameter->size = sizeof *parameter;
  parameter->name = name;
  parameter->reference_name = reference_name;
  parameter->rank = rank;
  memcpy(parameter->shape, shape, (size_t)rank * sizeof *shape);
}

int lsq_built_in_role(const lsq_built_in *built_in, int64_t index) {
  int role = 0;
  while (built_in->place[role] != index + 1) role++;
  return role;
}

int64_t lsq_built_in_size(const lsq_built_in *built_in, int64_t index) {
  const lsqnet_mixer_parameter *parameter = &built_in->parameters[index];
  int64_t size = 1;
  for (int64_t i = 0; i < parameter->rank; i++) size *= parameter->shape[i];
  return size;
}

int64_t lsq_built_in_parameter_count(const void *state) { return ((const lsq_built_in *)state)->parameter_count; }

lsqnet_status lsq_built_in_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  const lsq_built_in *built_in = state;
  if (index < 0 || index >= built_in->parameter_count)
    return lsq_fail(LSQNET_E_ARGUMENT, "parameter %lld of a mixer that has %lld", (long long)index,
                    (long long)built_in->parameter_count);
  return lsq_sized_write(out, out->size, sizeof *out, &built_in->parameters[index], sizeof *out, "mixer parameter");
}

void lsq_built_in_normal(const lsq_built_in *built_in, int64_t index, uint64_t seed, double deviation, double *values) {
  const int64_t size = lsq_built_in_size(built_in, index);
  for (int64_t i = 0; i < size; i++) values[i] = deviation * lsq_random_normal(seed, (uint64_t)index, (uint64_t)i);
}

lsqnet_status lsq_built_in_check(const lsqnet_mixer_shape *shape, int64_t channels) {
  int64_t product = 0;
  const int64_t sizes[] = {MOST_FACTOR, shape->batch, shape->rows, channels};
  return lsq_size_product(&product, sizes, 4, "a mixer's workspace");
}
