#include <string.h>

#include "base/arithmetic.h"
#include "base/sized.h"
#include "model/model.h"

static const uint32_t FIRST_SIZE = LSQ_SIZE_THROUGH(lsqnet_parameter, reference_name);

int64_t lsqnet_model_parameter_count(const lsqnet_model *model) { return model != NULL ? model->parameter_count : 0; }

int64_t lsqnet_model_weight_count(const lsqnet_model *model) { return model != NULL ? model->weight_count : 0; }

static lsqnet_status check_index(const lsqnet_model *model, int64_t index) {
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "model is NULL");
  if (index < 0 || index >= model->parameter_count)
    return lsq_fail(LSQNET_E_ARGUMENT, "parameter %lld: the model has 0 to %lld", (long long)index,
                    (long long)model->parameter_count - 1);
  return LSQNET_OK;
}

lsqnet_status lsqnet_model_get_parameter(const lsqnet_model *model, int64_t index, lsqnet_parameter *out,
                                         uint32_t size) {
  const lsqnet_status st = check_index(model, index);
  if (st != LSQNET_OK) return st;
  return lsq_sized_write(out, size, FIRST_SIZE, &model->parameters[index], sizeof *out, "lsqnet_parameter");
}

int64_t lsqnet_model_find_parameter(const lsqnet_model *model, const char *name) {
  return model != NULL && name != NULL ? lsq_model_find(model, name) : -1;
}

static lsqnet_status check_values(const lsqnet_model *model, int64_t index, const double *values, int64_t count) {
  const lsqnet_status st = check_index(model, index);
  if (st != LSQNET_OK) return st;
  if (values == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s: values is NULL", model->parameters[index].name);
  if (count != model->parameters[index].count)
    return lsq_fail(LSQNET_E_SHAPE, "%s: count=%lld, but it has %lld values", model->parameters[index].name,
                    (long long)count, (long long)model->parameters[index].count);
  return LSQNET_OK;
}

lsqnet_status lsqnet_model_read_parameter(const lsqnet_model *model, int64_t index, double *values, int64_t count) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_values(model, index, values, count));
  LSQ_TRY(lsq_model_read(model));
  const int64_t offset = model->parameters[index].offset;
  if (model->options.dtype == LSQNET_F64)
    memcpy(values, model->weights_f64 + offset, (size_t)count * sizeof *values);
  else
    for (int64_t i = 0; i < count; i++) values[i] = (double)model->weights_f32[offset + i];
  lsq_model_leave(model);
done:
  return st;
}

lsqnet_status lsqnet_model_write_parameter(lsqnet_model *model, int64_t index, const double *values, int64_t count) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_values(model, index, values, count));
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_model_change(model));
  st = lsq_model_store(model, index, values);
  lsq_model_leave(model);
done:
  return st;
}

lsqnet_status lsqnet_model_freeze(lsqnet_model *model, int64_t index, int32_t frozen) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_index(model, index));
  if (frozen != 0 && frozen != 1) return lsq_fail(LSQNET_E_ARGUMENT, "frozen=%ld: must be 0 or 1", (long)frozen);
  LSQ_TRY(lsq_model_change(model));
  model->parameters[index].frozen = frozen;
  lsq_model_leave(model);
done:
  return st;
}
