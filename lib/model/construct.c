#include "model/construct.h"

#include <stdio.h>

lsq_sheet lsq_sheet_open(lsqnet_model *model, int64_t index) {
  const lsqnet_parameter *parameter = &model->parameters[index];
  return (lsq_sheet){model, parameter->offset, parameter->shape[parameter->rank - 1]};
}

lsqnet_status lsq_sheet_open_mixer(lsq_sheet *out, lsqnet_model *model, int64_t block, const char *name) {
  char full[128];
  (void)snprintf(full, sizeof full, "blocks.%lld.mixer.%s", (long long)block, name);
  const int64_t index = lsq_model_find(model, full);
  if (index < 0) return lsq_fail(LSQNET_E_INTERNAL, "%s has no weight %s to construct with", model->mixer->name, full);
  *out = lsq_sheet_open(model, index);
  return LSQNET_OK;
}

void lsq_sheet_set(const lsq_sheet *sheet, int64_t row, int64_t column, double value) {
  const int64_t at = sheet->offset + row * sheet->columns + column;
  if (sheet->model->weights_f64 != NULL)
    sheet->model->weights_f64[at] = value;
  else
    sheet->model->weights_f32[at] = (float)value;
}

lsqnet_status lsq_construct_frame(lsqnet_model **out, lsqnet_context *context, const lsq_construct_plan *plan,
                                  const char *mixer, const char *mixer_config, int64_t layers, int64_t width,
                                  int32_t residual, int64_t read_from) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options options;
  LSQ_TRY(lsqnet_model_options_init(&options, sizeof options));
  options.dtype = plan->dtype;
  options.rows = plan->T;
  options.in_width = plan->in_width;
  options.out_width = plan->D;
  options.width = width;
  options.layers = layers;
  options.residual = residual;
  options.mixer = mixer;
  options.mixer_config = mixer_config;
  LSQ_TRY(lsq_model_create_zero(out, context, &options));
  const lsq_sheet read_in = lsq_sheet_open(*out, (*out)->read_in_weight);
  const lsq_sheet read_out = lsq_sheet_open(*out, (*out)->read_out_weight);
  for (int64_t i = 0; i < plan->in_width; i++) lsq_sheet_set(&read_in, i, i, 1);
  for (int64_t j = 0; j < plan->D; j++) lsq_sheet_set(&read_out, j, read_from + j, 1);
done:
  return st;
}
