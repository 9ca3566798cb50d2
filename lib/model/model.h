/* A model as the library sees it. */
#ifndef LSQ_MODEL_MODEL_H
#define LSQ_MODEL_MODEL_H

#include <lsqnet/mixer.h>
#include <lsqnet/model.h>

#include "base/context.h"

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
  lsqnet_model_options options; /* texts are the model's own */
  lsqnet_model_step step;       /* texts are the model's own */
  const lsqnet_mixer *mixer;
  lsq_block *blocks; /* (options.layers) */
  int64_t read_in_weight, read_in_bias, positions, final_norm_weight, final_norm_bias, read_out_weight, read_out_bias;
  lsqnet_parameter *parameters; /* names are the model's own */
  int64_t parameter_count, weight_count;
  double *weights_f64; /* (weight_count) in the model's precision; the other is NULL */
  float *weights_f32;
};

/* A model whose weights are all zero: what create, load and construct start from. `options` has been copied from the
 * caller's with lsq_sized_read; it is checked here. */
lsqnet_status lsq_model_create_zero(lsqnet_model **out, lsqnet_context *context, const lsqnet_model_options *options);

/* Draws initial weights from options.seed. */
lsqnet_status lsq_model_initialize(lsqnet_model *model);

#endif
