#include "model/mixer_calls.h"

#include <string.h>

/* The status of what a mixer did since lsq_message_number() was `before`, with the place in front of its message. */
static lsqnet_status in_block(lsqnet_status st, uint64_t before, const lsqnet_model *model, int64_t block) {
  return lsq_within(lsq_called_back(st, before), "blocks.%lld, mixer %s", (long long)block, model->mixer->name);
}

static lsqnet_status no_jvp(const lsqnet_model *model, int64_t block) {
  return lsq_fail(LSQNET_E_UNSUPPORTED, "blocks.%lld, mixer %s: it has no Jacobian-vector product", (long long)block,
                  model->mixer->name);
}

lsqnet_status lsq_mixer_workspace_f64(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                      int64_t *cache, int64_t *scratch) {
  const uint64_t before = lsq_message_number();
  lsqnet_status st = LSQNET_OK;
  *cache = *scratch = 0;
  LSQ_TRY(model->mixer->workspace(model->blocks[block].mixer_state, shape, cache, scratch));
  if (*cache < 0 || *scratch < 0)
    st = lsq_fail(LSQNET_E_ARGUMENT, "workspace: cache=%lld scratch=%lld: neither may be negative", (long long)*cache,
                  (long long)*scratch);
  else if (*cache > INT64_MAX / 64 || *scratch > INT64_MAX / 64)
    st = lsq_fail(LSQNET_E_SHAPE, "workspace: cache=%lld scratch=%lld: more than can be addressed", (long long)*cache,
                  (long long)*scratch);
done:
  return in_block(st, before, model, block);
}

lsqnet_status lsq_mixer_forward_f64(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                    const double *const *weights, const double *x, double *y, double *cache,
                                    double *scratch) {
  const uint64_t before = lsq_message_number();
  const void *state = model->blocks[block].mixer_state;
  return in_block(model->mixer->forward_f64(state, shape, weights, x, y, cache, scratch), before, model, block);
}

lsqnet_status lsq_mixer_backward_f64(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                     const double *const *weights, const double *x, const double *dy, double *dx,
                                     double *const *dweights, const double *cache, double *scratch) {
  const uint64_t before = lsq_message_number();
  const void *state = model->blocks[block].mixer_state;
  return in_block(model->mixer->backward_f64(state, shape, weights, x, dy, dx, dweights, cache, scratch), before, model,
                  block);
}

lsqnet_status lsq_mixer_jvp_f64(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                const double *const *weights, const double *x, const double *dx,
                                const double *const *dweights, double *dy, const double *cache, double *scratch) {
  const uint64_t before = lsq_message_number();
  const void *state = model->blocks[block].mixer_state;
  if (model->mixer->jvp_f64 == NULL) return no_jvp(model, block);
  return in_block(model->mixer->jvp_f64(state, shape, weights, x, dx, dweights, dy, cache, scratch), before, model,
                  block);
}

/* Forward and backward share a cache, so they are called in float32 only together. */
static int is_native(const lsqnet_mixer *mixer) { return mixer->forward_f32 != NULL && mixer->backward_f32 != NULL; }

/* The float64 side of a converted call; all of it lies in the scratch of the float32 side. */
typedef struct {
  int64_t count, first;                 /* the mixer's parameters in the model's list */
  int64_t in, out;                      /* numbers in x and in y */
  const double **weights, **directions; /* (count) */
  double **gradients;                   /* (count) */
  double *weight_values, *other_values; /* of all parameters; the others are gradients or directions */
  double *x, *dx, *y;                   /* y holds dy where there is one */
  double *cache, *scratch;
} doubles;

/* Takes `count` doubles out of *next; whole cache lines. */
static double *take(double **next, int64_t count) {
  double *taken = *next;
  *next += (count + 7) / 8 * 8;
  return taken;
}

static int64_t weights_of(const lsqnet_model *model, const lsq_block *block) {
  int64_t count = 0;
  for (int64_t i = 0; i < block->mixer_count; i++) count += model->parameters[block->mixer + i].count;
  return count;
}

/* Doubles that lay_out takes beside the mixer's own cache and scratch. */
static int64_t converted_size(const lsqnet_model *model, const lsq_block *block, const lsqnet_mixer_shape *shape) {
  const int64_t row = shape->batch * model->options.width;
  const int64_t lines = 8 * 8; /* what rounding up to lines can add */
  return 3 * block->mixer_count + 2 * weights_of(model, block) + (2 * shape->rows + shape->count) * row + lines;
}

static doubles lay_out(const lsqnet_model *model, const lsq_block *block, const lsqnet_mixer_shape *shape,
                       float *scratch) {
  double *next = (double *)(void *)scratch;
  doubles d = {.count = block->mixer_count, .first = block->mixer};
  const int64_t weights = weights_of(model, block);
  _Static_assert(sizeof(void *) <= sizeof(double), "a pointer fits where a double does");
  d.in = shape->batch * shape->rows * model->options.width;
  d.out = shape->batch * shape->count * model->options.width;
  d.weights = (const double **)(void *)take(&next, d.count);
  d.directions = (const double **)(void *)take(&next, d.count);
  d.gradients = (double **)(void *)take(&next, d.count);
  d.weight_values = take(&next, weights);
  d.other_values = take(&next, weights);
  d.x = take(&next, d.in);
  d.dx = take(&next, d.in);
  d.y = take(&next, d.out);
  d.scratch = next;
  return d;
}

static void widen(int64_t count, const float *from, double *to) {
  for (int64_t i = 0; i < count; i++) to[i] = (double)from[i];
}

static void narrow(int64_t count, const double *from, float *to) {
  for (int64_t i = 0; i < count; i++) to[i] = (float)from[i];
}

/* Converts the arrays of a table, NULL entries apart, into `values` and points `table` at them. */
static void widen_table(const doubles *d, const lsqnet_model *model, const float *const *from, double *values,
                        const double **table) {
  for (int64_t i = 0; i < d->count; i++) {
    const int64_t count = model->parameters[d->first + i].count;
    table[i] = from[i] != NULL ? values : NULL;
    if (from[i] != NULL) widen(count, from[i], values);
    values += count;
  }
}

lsqnet_status lsq_mixer_workspace_f32(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                      int64_t *cache, int64_t *scratch) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_mixer *mixer = model->mixer;
  LSQ_TRY(lsq_mixer_workspace_f64(model, block, shape, cache, scratch));
  const int64_t converted = converted_size(model, &model->blocks[block], shape) + *scratch;
  if (!is_native(mixer)) {
    *cache *= 2;
    *scratch = 2 * converted;
  } else if (mixer->jvp_f32 == NULL && mixer->jvp_f64 != NULL) {
    *scratch = 2 * (converted + *cache + 8); /* jvp makes a float64 cache of its own */
  }
done:
  return st;
}

lsqnet_status lsq_mixer_forward_f32(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                    const float *const *weights, const float *x, float *y, float *cache,
                                    float *scratch) {
  const uint64_t before = lsq_message_number();
  lsqnet_status st = LSQNET_OK;
  const lsq_block *b = &model->blocks[block];
  if (is_native(model->mixer))
    return in_block(model->mixer->forward_f32(b->mixer_state, shape, weights, x, y, cache, scratch), before, model,
                    block);
  const doubles d = lay_out(model, b, shape, scratch);
  widen_table(&d, model, weights, d.weight_values, d.weights);
  widen(d.in, x, d.x);
  LSQ_TRY(lsq_mixer_forward_f64(model, block, shape, d.weights, d.x, d.y, (double *)(void *)cache, d.scratch));
  narrow(d.out, d.y, y);
done:
  return st;
}

/* Zeroed arrays for the gradients that are wanted. */
static void clear_gradients(const doubles *d, const lsqnet_model *model, float *const *dweights) {
  double *values = d->other_values;
  for (int64_t i = 0; i < d->count; i++) {
    const int64_t count = model->parameters[d->first + i].count;
    d->gradients[i] = dweights[i] != NULL ? values : NULL;
    memset(values, 0, (size_t)count * sizeof *values);
    values += count;
  }
}

static void add_gradients(const doubles *d, const lsqnet_model *model, float *const *dweights) {
  for (int64_t i = 0; i < d->count; i++)
    for (int64_t k = 0; dweights[i] != NULL && k < model->parameters[d->first + i].count; k++)
      dweights[i][k] += (float)d->gradients[i][k];
}

lsqnet_status lsq_mixer_backward_f32(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                     const float *const *weights, const float *x, const float *dy, float *dx,
                                     float *const *dweights, const float *cache, float *scratch) {
  const uint64_t before = lsq_message_number();
  lsqnet_status st = LSQNET_OK;
  const lsq_block *b = &model->blocks[block];
  if (is_native(model->mixer))
    return in_block(model->mixer->backward_f32(b->mixer_state, shape, weights, x, dy, dx, dweights, cache, scratch),
                    before, model, block);
  const doubles d = lay_out(model, b, shape, scratch);
  widen_table(&d, model, weights, d.weight_values, d.weights);
  widen(d.in, x, d.x);
  widen(d.out, dy, d.y);
  clear_gradients(&d, model, dweights);
  LSQ_TRY(lsq_mixer_backward_f64(model, block, shape, d.weights, d.x, d.y, d.dx, d.gradients,
                                 (const double *)(const void *)cache, d.scratch));
  narrow(d.in, d.dx, dx);
  add_gradients(&d, model, dweights);
done:
  return st;
}

lsqnet_status lsq_mixer_jvp_f32(const lsqnet_model *model, int64_t block, const lsqnet_mixer_shape *shape,
                                const float *const *weights, const float *x, const float *dx,
                                const float *const *dweights, float *dy, const float *cache, float *scratch) {
  const uint64_t before = lsq_message_number();
  lsqnet_status st = LSQNET_OK;
  const lsq_block *b = &model->blocks[block];
  const lsqnet_mixer *mixer = model->mixer;
  if (is_native(mixer) && mixer->jvp_f32 != NULL)
    return in_block(mixer->jvp_f32(b->mixer_state, shape, weights, x, dx, dweights, dy, cache, scratch), before, model,
                    block);
  if (mixer->jvp_f64 == NULL) return no_jvp(model, block);
  doubles d = lay_out(model, b, shape, scratch);
  const double *wide_cache = (const double *)(const void *)cache;
  widen_table(&d, model, weights, d.weight_values, d.weights);
  widen_table(&d, model, dweights, d.other_values, d.directions);
  widen(d.in, x, d.x);
  widen(d.in, dx, d.dx);
  if (is_native(mixer)) { /* `cache` is in the mixer's float32 form: float64 needs its own */
    int64_t cache_size = 0, scratch_size = 0;
    LSQ_TRY(lsq_mixer_workspace_f64(model, block, shape, &cache_size, &scratch_size));
    double *own = take(&d.scratch, cache_size);
    LSQ_TRY(lsq_mixer_forward_f64(model, block, shape, d.weights, d.x, d.y, own, d.scratch));
    wide_cache = own;
  }
  LSQ_TRY(lsq_mixer_jvp_f64(model, block, shape, d.weights, d.x, d.dx, d.directions, d.y, wide_cache, d.scratch));
  narrow(d.out, d.y, dy);
done:
  return st;
}
