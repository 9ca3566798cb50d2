#include "base/arithmetic.h"
#include "store/model_file.h"

enum { OWN_TEXTS = 3 };

static lsqnet_status list_arrays(lsq_values **out, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_alloc(model->context, out, model->parameter_count, sizeof **out));
  for (int64_t i = 0; i < model->parameter_count; i++) {
    const lsqnet_parameter *p = &model->parameters[i];
    (*out)[i] = (lsq_values){.name = p->name,
                             .rank = p->rank,
                             .shape = p->shape,
                             .count = p->count,
                             .dtype = model->options.dtype,
                             .values = model->weights_f64 != NULL ? (const void *)(model->weights_f64 + p->offset)
                                                                  : (const void *)(model->weights_f32 + p->offset)};
  }
done:
  return st;
}

lsqnet_status lsq_model_write(const lsqnet_model *model, lsqnet_write_fn write, void *user) {
  lsqnet_status st = LSQNET_OK;
  char *config = NULL;
  lsq_values *arrays = NULL;
  lsq_step_texts step;
  lsq_text texts[OWN_TEXTS + LSQ_STEP_TEXTS];
  LSQ_TRY(lsq_check_arithmetic()); /* numbers are printed */
  LSQ_TRY(lsq_config_text(&config, model));
  LSQ_TRY(lsq_step_write(&step, &model->step));
  LSQ_TRY(list_arrays(&arrays, model));
  texts[0] = (lsq_text){"format", LSQ_FORMAT};
  texts[1] = (lsq_text){"lsqnet.version", LSQ_FORMAT_VERSION};
  texts[2] = (lsq_text){"config", config};
  for (int64_t i = 0; i < step.count; i++) texts[OWN_TEXTS + i] = step.texts[i];
  LSQ_TRY(lsq_safetensors_write(model->context, texts, OWN_TEXTS + step.count, arrays, model->parameter_count, write,
                                user));
done:
  lsq_free(model->context, config);
  lsq_free(model->context, arrays);
  return st;
}
