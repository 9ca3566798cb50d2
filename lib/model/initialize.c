#include <math.h>

#include "base/arithmetic.h"
#include "base/random.h"
#include "model/model.h"

/* Deviation of the reference's initial weights. */
static const double USUAL = 0.02;

/* Initial weights being drawn. */
typedef struct {
  lsqnet_model *model;
  double *values; /* room for the largest parameter */
} drawing;

/* Each parameter has a seed of its own, so that its values do not move when another one's shape does. */
static uint64_t seed_of(const drawing *d, int64_t index) {
  return lsq_random_bits(d->model->options.seed, 0, (uint64_t)index);
}

static lsqnet_status fill_constant(drawing *d, int64_t index, double value) {
  if (index < 0) return LSQNET_OK;
  for (int64_t i = 0; i < d->model->parameters[index].count; i++) d->values[i] = value;
  return lsq_model_store(d->model, index, d->values);
}

static lsqnet_status fill_normal(drawing *d, int64_t index, double deviation) {
  if (index < 0) return LSQNET_OK;
  const uint64_t seed = seed_of(d, index);
  for (int64_t i = 0; i < d->model->parameters[index].count; i++)
    d->values[i] = deviation * lsq_random_normal(seed, 0, (uint64_t)i);
  return lsq_model_store(d->model, index, d->values);
}

static lsqnet_status fill_uniform(drawing *d, int64_t index, double bound) {
  const uint64_t seed = seed_of(d, index);
  for (int64_t i = 0; i < d->model->parameters[index].count; i++)
    d->values[i] = bound * (2 * lsq_random_uniform(seed, 0, (uint64_t)i) - 1);
  return lsq_model_store(d->model, index, d->values);
}

static lsqnet_status fill_identity(drawing *d, int64_t index) {
  const lsqnet_parameter *p = &d->model->parameters[index];
  for (int64_t i = 0; i < p->shape[0]; i++)
    for (int64_t j = 0; j < p->shape[1]; j++) d->values[i * p->shape[1] + j] = i == j;
  return lsq_model_store(d->model, index, d->values);
}

static lsqnet_status fill_projection(drawing *d, int64_t weight, int64_t bias) {
  lsqnet_status st = LSQNET_OK;
  const double bound = 1 / sqrt((double)d->model->parameters[weight].shape[1]);
  if (d->model->options.freeze_projections) {
    LSQ_TRY(fill_identity(d, weight));
    LSQ_TRY(fill_constant(d, bias, 0));
  } else {
    LSQ_TRY(fill_uniform(d, weight, bound));
    LSQ_TRY(fill_uniform(d, bias, bound));
  }
done:
  return st;
}

static lsqnet_status fill_norm(drawing *d, int64_t weight, int64_t bias) {
  const lsqnet_status st = fill_constant(d, weight, 1);
  return st != LSQNET_OK ? st : fill_constant(d, bias, 0);
}

static lsqnet_status fill_mixer(drawing *d, const lsq_block *block) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_mixer *mixer = d->model->mixer;
  for (int64_t i = 0; i < block->mixer_count; i++) {
    const int64_t index = block->mixer + i;
    if (mixer->initialize != NULL) {
      const uint64_t before = lsq_message_number();
      st = mixer->initialize(block->mixer_state, i, seed_of(d, index), d->values);
      LSQ_TRY(lsq_within(lsq_called_back(st, before), "%s", d->model->parameters[index].name));
      LSQ_TRY(lsq_model_store(d->model, index, d->values));
    } else if (d->model->parameters[index].rank > 1) {
      LSQ_TRY(fill_normal(d, index, USUAL));
    } else {
      LSQ_TRY(fill_constant(d, index, 0));
    }
  }
done:
  return st;
}

static lsqnet_status fill_block(drawing *d, const lsq_block *block) {
  lsqnet_status st = LSQNET_OK;
  const double down = USUAL / sqrt(2 * (double)d->model->options.layers);
  LSQ_TRY(fill_norm(d, block->norm_1_weight, block->norm_1_bias));
  LSQ_TRY(fill_mixer(d, block));
  LSQ_TRY(fill_norm(d, block->norm_2_weight, block->norm_2_bias));
  LSQ_TRY(fill_normal(d, block->up_weight, USUAL));
  LSQ_TRY(fill_normal(d, block->gate_weight, USUAL));
  LSQ_TRY(fill_normal(d, block->value_weight, USUAL));
  LSQ_TRY(fill_normal(d, block->down_weight, down));
  LSQ_TRY(fill_constant(d, block->up_bias, 0));
  LSQ_TRY(fill_constant(d, block->down_bias, 0));
done:
  return st;
}

lsqnet_status lsq_model_initialize(lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  drawing d = {.model = model};
  int64_t largest = 0;
  for (int64_t i = 0; i < model->parameter_count; i++)
    if (model->parameters[i].count > largest) largest = model->parameters[i].count;
  LSQ_TRY(lsq_alloc(model->context, &d.values, largest, sizeof *d.values));
  LSQ_TRY(fill_projection(&d, model->read_in_weight, model->read_in_bias));
  LSQ_TRY(model->options.freeze_positions ? fill_constant(&d, model->positions, 0)
                                          : fill_normal(&d, model->positions, USUAL));
  for (int64_t i = 0; i < model->options.layers; i++) LSQ_TRY(fill_block(&d, &model->blocks[i]));
  LSQ_TRY(fill_norm(&d, model->final_norm_weight, model->final_norm_bias));
  LSQ_TRY(fill_projection(&d, model->read_out_weight, model->read_out_bias));
done:
  lsq_free(model->context, d.values);
  return st;
}

lsqnet_status lsq_model_draw_weights(lsqnet_model *model, uint64_t seed, double scale) {
  lsqnet_status st = LSQNET_OK;
  double *values = NULL;
  LSQ_TRY(lsq_alloc(model->context, &values, model->weight_count, sizeof *values));
  for (int64_t i = 0; i < model->parameter_count; i++) {
    const lsqnet_parameter *p = &model->parameters[i];
    const int projection = i == model->read_in_weight || i == model->read_out_weight;
    if (p->frozen || p->rank != 2 || i == model->positions) continue;
    const double deviation = (projection ? 1.0 : scale) / sqrt((double)p->shape[1]);
    lsq_random_normals(seed, (uint64_t)i, 0, p->count, values);
    for (int64_t k = 0; k < p->count; k++) values[k] *= deviation;
    LSQ_TRY(lsq_model_store(model, i, values));
  }
done:
  lsq_free(model->context, values);
  return st;
}

lsqnet_status lsqnet_model_draw_weights(lsqnet_model *model, uint64_t seed, double scale) {
  lsqnet_status st = LSQNET_OK;
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_draw_weights: model is NULL");
  if (!(scale > 0.0 && scale <= 1e6))
    return lsq_fail(LSQNET_E_ARGUMENT, "scale=%g: it must be positive, and at most 1e6", scale);
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_model_change(model));
  st = lsq_model_draw_weights(model, seed, scale);
  lsq_model_leave(model);
done:
  return st;
}
