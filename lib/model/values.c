#include <math.h>
#include <string.h>

#include "model/model.h"

static double rounded(int32_t dtype, double value) { return dtype == LSQNET_F32 ? (double)(float)value : value; }

lsqnet_status lsq_model_store(lsqnet_model *model, int64_t index, const double *values) {
  const lsqnet_parameter *p = &model->parameters[index];
  for (int64_t i = 0; i < p->count; i++)
    if (!isfinite(rounded(model->options.dtype, values[i])))
      return lsq_fail(LSQNET_E_NOT_FINITE, "%s: element %lld, %g, is not finite%s", p->name, (long long)i, values[i],
                      isfinite(values[i]) ? " in float32" : "");
  if (model->options.dtype == LSQNET_F64)
    memcpy(model->weights_f64 + p->offset, values, (size_t)p->count * sizeof *values);
  else
    for (int64_t i = 0; i < p->count; i++) model->weights_f32[p->offset + i] = (float)values[i];
  return LSQNET_OK;
}

static lsqnet_status copy_weights(lsqnet_model *to, const lsqnet_model *from) {
  lsqnet_status st = LSQNET_OK;
  const int64_t count = from->weight_count;
  if (to->weights_f64 != NULL && from->weights_f64 != NULL) {
    memcpy(to->weights_f64, from->weights_f64, (size_t)count * sizeof *to->weights_f64);
  } else if (to->weights_f32 != NULL && from->weights_f32 != NULL) {
    memcpy(to->weights_f32, from->weights_f32, (size_t)count * sizeof *to->weights_f32);
  } else if (from->weights_f32 != NULL) {
    for (int64_t i = 0; i < count; i++) to->weights_f64[i] = (double)from->weights_f32[i];
  } else {
    for (int64_t i = 0; i < from->parameter_count; i++)
      LSQ_TRY(lsq_model_store(to, i, from->weights_f64 + from->parameters[i].offset));
  }
done:
  return st;
}

lsqnet_status lsq_model_copy(lsqnet_model **out, const lsqnet_model *model, int32_t dtype) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options options = model->options;
  lsqnet_model *copy = NULL;
  *out = NULL;
  options.dtype = dtype;
  LSQ_TRY(lsq_model_create_zero(&copy, model->context, &options));
  for (int64_t i = 0; i < model->parameter_count; i++) copy->parameters[i].frozen = model->parameters[i].frozen;
  LSQ_TRY(lsq_model_set_step(copy, &model->step));
  LSQ_TRY(copy_weights(copy, model));
  *out = copy;
  copy = NULL;
done:
  lsqnet_model_destroy(copy);
  return st;
}
