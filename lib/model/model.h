/* A model as the library sees it. */
#ifndef LSQ_MODEL_MODEL_H
#define LSQ_MODEL_MODEL_H

#include <lsqnet/mixer.h>
#include <lsqnet/model.h>
#include <stdatomic.h>

#include "base/context.h"
#include "base/use.h"

/* Where the parameters of the fixed parts are in the list; -1 when the model has no such part. */
typedef struct {
  int64_t norm_1_weight, norm_1_bias;
  int64_t mixer; /* first parameter of the mixer */
  int64_t mixer_count;
  int64_t norm_2_weight, norm_2_bias;
  int64_t up_weight, up_bias, gate_weight, value_weight, down_weight, down_bias; /* MLP; gate and value: GLU */
  void *mixer_state;
} lsq_block;

struct lsqnet_model {
  lsqnet_context *context;
  atomic_int references;        /* the caller's, and one for each workspace and trainer */
  lsqnet_model_options options; /* texts are the model's own */
  lsqnet_model_step step;       /* texts are the model's own */
  const lsqnet_mixer *mixer;
  lsq_block *blocks;      /* (options.layers) */
  int64_t blocks_created; /* blocks whose mixer_state is to be destroyed */
  int64_t read_in_weight, read_in_bias, positions, final_norm_weight, final_norm_bias, read_out_weight, read_out_bias;
  lsqnet_parameter *parameters; /* names are the model's own */
  int64_t parameter_count, weight_count;
  int64_t *slots; /* (slot_count, a power of two) hash table of names: index + 1 of a parameter, 0 for an empty slot */
  int64_t slot_count;
  double *weights_f64; /* (weight_count) in the model's precision; the other is NULL */
  float *weights_f32;
  _Alignas(64) lsq_users users; /* on a cache line of its own: threads that share a model write it */
};

/* Another reference, given up by lsqnet_model_destroy. Holding a model does not change it. */
lsqnet_model *lsq_model_hold(const lsqnet_model *model);

/* Around what reads the weights, and what changes them: E_ARGUMENT while the one or the other would meet in them. */
lsqnet_status lsq_model_read(const lsqnet_model *model);
lsqnet_status lsq_model_change(lsqnet_model *model);
void lsq_model_leave(const lsqnet_model *model);

enum { LSQ_LAYERS_MOST = 65536 };
#define LSQ_WEIGHTS_MOST (INT64_C(1) << 40)

/* A model whose weights are all zero: what create, load and construct start from. `options` has been copied from the
 * caller's with lsq_sized_read; it is checked here. */
lsqnet_status lsq_model_create_zero(lsqnet_model **out, lsqnet_context *context, const lsqnet_model_options *options);

/* The two halves of create_zero, for callers that want to compare the list of parameters with a file before memory is
 * taken for the weights: a model without weights, and its weights, zero. Before the second only the list, the options
 * and the step may be used. */
lsqnet_status lsq_model_create_structure(lsqnet_model **out, lsqnet_context *context,
                                         const lsqnet_model_options *options);
lsqnet_status lsq_model_create_weights(lsqnet_model *model);

/* Draws initial weights from options.seed. */
lsqnet_status lsq_model_initialize(lsqnet_model *model);

/* lsqnet_model_draw_weights of a model that nobody else uses. */
lsqnet_status lsq_model_draw_weights(lsqnet_model *model, uint64_t seed, double scale);

/* A copy in precision `dtype`; E_NOT_FINITE if a weight overflows it. */
lsqnet_status lsq_model_copy(lsqnet_model **out, const lsqnet_model *model, int32_t dtype);

/* Index of the parameter called `name`, or -1. */
int64_t lsq_model_find(const lsqnet_model *model, const char *name);

/* Stores a copy of `step`, which is taken to be right: lsqnet_model_set_step checks it first. */
lsqnet_status lsq_model_set_step(lsqnet_model *model, const lsqnet_model_step *step);

/* Stores `values` in parameter `index`, converted; E_NOT_FINITE, and nothing stored, if one is not finite in the
 * model's precision. */
lsqnet_status lsq_model_store(lsqnet_model *model, int64_t index, const double *values);

#endif
