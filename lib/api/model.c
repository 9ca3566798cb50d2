#include "model/model.h"

#include <math.h>

#include "base/sized.h"
#include "lsqnet/task.h"

static const uint32_t FIRST_OPTIONS = LSQ_SIZE_THROUGH(lsqnet_model_options, mixer_config);
static const uint32_t FIRST_STEP = LSQ_SIZE_THROUGH(lsqnet_model_step, prompt);

static const lsqnet_model_options DEFAULTS = {.size = sizeof(lsqnet_model_options),
                                              .dtype = LSQNET_F64,
                                              .width = 64,
                                              .layers = 3,
                                              .mlp_factor = 4,
                                              .residual = 1,
                                              .bias = 1,
                                              .mixer = "base_conv"};

lsqnet_status lsqnet_model_options_init(lsqnet_model_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_OPTIONS, &DEFAULTS, sizeof DEFAULTS, "lsqnet_model_options");
}

lsqnet_status lsqnet_model_create(lsqnet_model **out, lsqnet_context *context, const lsqnet_model_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options known = DEFAULTS;
  lsqnet_model *model = NULL;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_create: out is NULL");
  *out = NULL;
  if (context == NULL || options == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_create: %s is NULL", context == NULL ? "context" : "options");
  LSQ_TRY(lsq_sized_read(&known, sizeof known, FIRST_OPTIONS, options, "lsqnet_model_options"));
  LSQ_TRY(lsq_model_create_zero(&model, context, &known));
  LSQ_TRY(lsq_model_initialize(model));
  *out = model;
  model = NULL;
done:
  lsqnet_model_destroy(model);
  return st;
}

static lsqnet_status copy(lsqnet_model **out, const lsqnet_model *model, int32_t dtype) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_model_read(model));
  st = lsq_model_copy(out, model, dtype);
  lsq_model_leave(model);
done:
  return st;
}

lsqnet_status lsqnet_model_clone(lsqnet_model **out, const lsqnet_model *model) {
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_clone: out is NULL");
  *out = NULL;
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_clone: model is NULL");
  return copy(out, model, model->options.dtype);
}

lsqnet_status lsqnet_model_convert(lsqnet_model **out, const lsqnet_model *model, int32_t dtype) {
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_convert: out is NULL");
  *out = NULL;
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_convert: model is NULL");
  return copy(out, model, dtype);
}

lsqnet_status lsqnet_model_get_options(const lsqnet_model *model, lsqnet_model_options *options, uint32_t size) {
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_get_options: model is NULL");
  return lsq_sized_write(options, size, FIRST_OPTIONS, &model->options, sizeof model->options, "lsqnet_model_options");
}

lsqnet_status lsqnet_model_get_step(const lsqnet_model *model, lsqnet_model_step *step, uint32_t size) {
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_get_step: model is NULL");
  return lsq_sized_write(step, size, FIRST_STEP, &model->step, sizeof model->step, "lsqnet_model_step");
}

static lsqnet_status check_step(const lsqnet_model_step *s) {
  if (s->output < LSQNET_OUTPUT_NONE || s->output > LSQNET_OUTPUT_SOLUTION)
    return lsq_fail(LSQNET_E_ARGUMENT, "output=%ld: must be an LSQNET_OUTPUT_ number, %d to %d", (long)s->output,
                    LSQNET_OUTPUT_NONE, LSQNET_OUTPUT_SOLUTION);
  if (s->rows < 0 || s->dim < 0 || s->iterates < 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "rows=%lld dim=%lld iterates=%lld: none may be negative", (long long)s->rows,
                    (long long)s->dim, (long long)s->iterates);
  if (!isfinite(s->step)) return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be finite", s->step);
  if (s->output == LSQNET_OUTPUT_NONE) return LSQNET_OK;
  if (s->rows < 1 || s->dim < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "rows=%lld dim=%lld: both must be at least 1", (long long)s->rows,
                    (long long)s->dim);
  if (s->output == LSQNET_OUTPUT_ITERATE && s->iterates < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "iterates=%lld: must be at least 1", (long long)s->iterates);
  if (s->output == LSQNET_OUTPUT_ITERATE && s->step <= 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be positive", s->step);
  return LSQNET_OK;
}

/* A step's prompt must fit into the model, and its answer into the output. */
static lsqnet_status check_prompt(const lsqnet_model_options *o, const lsqnet_model_step *s) {
  lsqnet_status st = LSQNET_OK;
  int64_t T = 0, W = 0;
  if (s->output == LSQNET_OUTPUT_NONE || s->prompt == NULL) return LSQNET_OK;
  LSQ_TRY(lsqnet_prompt_shape(s->prompt, s->rows, s->dim, &T, &W, NULL));
  if (T > o->rows || W != o->in_width || s->dim > o->out_width)
    st = lsq_fail(LSQNET_E_SHAPE,
                  "prompt %s of rows=%lld dim=%lld has %lld rows of %lld channels and %lld outputs; the model takes at "
                  "most %lld of %lld and has %lld",
                  s->prompt, (long long)s->rows, (long long)s->dim, (long long)T, (long long)W, (long long)s->dim,
                  (long long)o->rows, (long long)o->in_width, (long long)o->out_width);
done:
  return st;
}

lsqnet_status lsqnet_model_set_step(lsqnet_model *model, const lsqnet_model_step *step) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_step known = {.size = sizeof known};
  if (model == NULL || step == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_set_step: %s is NULL", model == NULL ? "model" : "step");
  LSQ_TRY(lsq_sized_read(&known, sizeof known, FIRST_STEP, step, "lsqnet_model_step"));
  LSQ_TRY(check_step(&known));
  LSQ_TRY(check_prompt(&model->options, &known));
  LSQ_TRY(lsq_model_change(model));
  st = lsq_model_set_step(model, &known);
  lsq_model_leave(model);
done:
  return st;
}
