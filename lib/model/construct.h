/* Models whose weights are set by formula. */
#ifndef LSQ_MODEL_CONSTRUCT_H
#define LSQ_MODEL_CONSTRUCT_H

#include "model/model.h"

/* What is built; checked: D <= 2^30, so that no width below overflows, and k <= 2^60. */
typedef struct {
  int64_t L, D;
  int64_t T, in_width; /* of the prompt */
  int64_t k;           /* iterates; 1 for a gradient */
  int gradient;
  double rate; /* weight of a sum over rows: 1/L for a gradient, s/L for iterates */
  int32_t dtype;
} lsq_construct_plan;

typedef lsqnet_status (*lsq_construct_fn)(lsqnet_model **out, lsqnet_context *context, const lsq_construct_plan *plan);

lsqnet_status lsq_construct_attention_split(lsqnet_model **out, lsqnet_context *context,
                                            const lsq_construct_plan *plan);
lsqnet_status lsq_construct_base_conv_repeat(lsqnet_model **out, lsqnet_context *context,
                                             const lsq_construct_plan *plan);
lsqnet_status lsq_construct_base_conv_split(lsqnet_model **out, lsqnet_context *context,
                                            const lsq_construct_plan *plan);
lsqnet_status lsq_construct_base_conv_query_first(lsqnet_model **out, lsqnet_context *context,
                                                  const lsq_construct_plan *plan);

/* A model of the plan's sizes with all weights zero, but that the read-in copies channel i of the prompt to channel i
 * and the read-out takes its D channels from `read_from` on. */
lsqnet_status lsq_construct_frame(lsqnet_model **out, lsqnet_context *context, const lsq_construct_plan *plan,
                                  const char *mixer, const char *mixer_config, int64_t layers, int64_t width,
                                  int32_t residual, int64_t read_from);

/* A parameter that is set entry by entry; a vector is one row. */
typedef struct {
  lsqnet_model *model;
  int64_t offset, columns;
} lsq_sheet;

/* Opens parameter `index`, or the mixer parameter `name` of a block. */
lsq_sheet lsq_sheet_open(lsqnet_model *model, int64_t index);
lsqnet_status lsq_sheet_open_mixer(lsq_sheet *out, lsqnet_model *model, int64_t block, const char *name);

void lsq_sheet_set(const lsq_sheet *sheet, int64_t row, int64_t column, double value);

#endif
