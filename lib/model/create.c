#include <string.h>

#include "base/arithmetic.h"
#include "layers/registry.h"
#include "model/parameters.h"

/* Sizes that every later product is made of; what they allow is bounded by LSQ_WEIGHTS_MOST. */
static lsqnet_status check_sizes(const lsqnet_model_options *o) {
  const struct {
    const char *name;
    int64_t value, least, most;
  } sizes[] = {{"rows", o->rows, 1, LSQ_WEIGHTS_MOST},           {"in_width", o->in_width, 1, LSQ_WEIGHTS_MOST},
               {"out_width", o->out_width, 1, LSQ_WEIGHTS_MOST}, {"width", o->width, 1, LSQ_WEIGHTS_MOST},
               {"layers", o->layers, 0, LSQ_LAYERS_MOST},        {"mlp_factor", o->mlp_factor, 1, LSQ_WEIGHTS_MOST}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    if (sizes[i].value < sizes[i].least)
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%lld: must be at least %lld", sizes[i].name, (long long)sizes[i].value,
                      (long long)sizes[i].least);
    if (sizes[i].value > sizes[i].most)
      return lsq_fail(LSQNET_E_SHAPE, "%s=%lld: must be at most %lld", sizes[i].name, (long long)sizes[i].value,
                      (long long)sizes[i].most);
  }
  return LSQNET_OK;
}

static lsqnet_status check_options(const lsqnet_model_options *o) {
  const struct {
    const char *name;
    int32_t value;
  } switches[] = {{"residual", o->residual},
                  {"bias", o->bias},
                  {"mixer_norm", o->mixer_norm},
                  {"mlp_norm", o->mlp_norm},
                  {"final_norm", o->final_norm},
                  {"freeze_projections", o->freeze_projections},
                  {"freeze_positions", o->freeze_positions}};
  if (o->dtype != LSQNET_F32 && o->dtype != LSQNET_F64)
    return lsq_fail(LSQNET_E_ARGUMENT, "dtype=%ld: must be LSQNET_F32 (%d) or LSQNET_F64 (%d)", (long)o->dtype,
                    LSQNET_F32, LSQNET_F64);
  if (o->mlp < LSQNET_MLP_NONE || o->mlp > LSQNET_MLP_GLU)
    return lsq_fail(LSQNET_E_ARGUMENT, "mlp=%ld: must be an LSQNET_MLP_ number, %d to %d", (long)o->mlp,
                    LSQNET_MLP_NONE, LSQNET_MLP_GLU);
  for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
    if (switches[i].value != 0 && switches[i].value != 1)
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%ld: must be 0 or 1", switches[i].name, (long)switches[i].value);
  if (o->mixer == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "mixer is NULL: it must be a registered name");
  return check_sizes(o);
}

static lsqnet_status copy_options(lsqnet_model *model, const lsqnet_model_options *options) {
  lsqnet_status st = LSQNET_OK;
  char *text = NULL;
  model->options = *options;
  model->options.size = sizeof model->options;
  model->options.mixer = model->options.mixer_config = NULL;
  LSQ_TRY(lsq_copy_text(model->context, &text, options->mixer));
  model->options.mixer = text;
  LSQ_TRY(lsq_copy_text(model->context, &text, options->mixer_config));
  model->options.mixer_config = text;
done:
  return st;
}

static lsqnet_status create_blocks(lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &model->options;
  lsqnet_mixer_sizes sizes = {.size = sizeof sizes,
                              .residual = o->residual,
                              .rows = o->rows,
                              .width = o->width,
                              .bias = o->bias,
                              .layers = (int32_t)o->layers};
  const char *config = o->mixer_config != NULL ? o->mixer_config : "{}";
  LSQ_TRY(lsq_registry_find(model->context->mixers, o->mixer, &model->mixer));
  LSQ_TRY(lsq_alloc(model->context, &model->blocks, o->layers, sizeof *model->blocks));
  for (int64_t i = 0; i < o->layers; i++) {
    const uint64_t before = lsq_message_number();
    sizes.layer = (int32_t)i;
    st = model->mixer->create(&model->blocks[i].mixer_state, model->context, model->mixer->user, &sizes, config);
    LSQ_TRY(lsq_within(lsq_called_back(st, before), "mixer %s", o->mixer));
    model->blocks_created++;
  }
done:
  return st;
}

lsqnet_status lsq_model_create_structure(lsqnet_model **out, lsqnet_context *context,
                                         const lsqnet_model_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *model = NULL;
  *out = NULL;
  LSQ_TRY(check_options(options));
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_alloc(context, &model, 1, sizeof *model));
  atomic_init(&model->references, 1);
  model->context = lsq_context_hold(context);
  model->step.size = sizeof model->step;
  LSQ_TRY(copy_options(model, options));
  LSQ_TRY(create_blocks(model));
  LSQ_TRY(lsq_model_list_parameters(model));
  *out = model;
  model = NULL;
done:
  lsqnet_model_destroy(model);
  return st;
}

lsqnet_status lsq_model_create_weights(lsqnet_model *model) {
  return model->options.dtype == LSQNET_F64
             ? lsq_alloc(model->context, &model->weights_f64, model->weight_count, sizeof *model->weights_f64)
             : lsq_alloc(model->context, &model->weights_f32, model->weight_count, sizeof *model->weights_f32);
}

lsqnet_status lsq_model_create_zero(lsqnet_model **out, lsqnet_context *context, const lsqnet_model_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *model = NULL;
  *out = NULL;
  LSQ_TRY(lsq_model_create_structure(&model, context, options));
  LSQ_TRY(lsq_model_create_weights(model));
  *out = model;
  model = NULL;
done:
  lsqnet_model_destroy(model);
  return st;
}

lsqnet_model *lsq_model_hold(const lsqnet_model *model) {
  lsqnet_model *held = (lsqnet_model *)model;
  atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
  return held;
}

lsqnet_status lsq_model_read(const lsqnet_model *model) {
  return lsq_use_shared(&((lsqnet_model *)model)->users, "model");
}

lsqnet_status lsq_model_change(lsqnet_model *model) { return lsq_use_alone(&model->users, "model"); }

void lsq_model_leave(const lsqnet_model *model) { (void)lsq_leave(&((lsqnet_model *)model)->users); }

void lsqnet_model_destroy(lsqnet_model *model) {
  if (model == NULL || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1) return;
  lsqnet_context *context = model->context;
  for (int64_t i = 0; i < model->blocks_created; i++) model->mixer->destroy(model->blocks[i].mixer_state);
  lsq_model_free_parameters(model);
  lsq_free(context, model->blocks);
  lsq_free(context, (void *)model->options.mixer);
  lsq_free(context, (void *)model->options.mixer_config);
  lsq_free(context, (void *)model->step.task);
  lsq_free(context, (void *)model->step.prompt);
  lsq_free(context, model->weights_f64);
  lsq_free(context, model->weights_f32);
  lsq_free(context, model);
  lsqnet_context_destroy(context);
}

lsqnet_status lsq_model_set_step(lsqnet_model *model, const lsqnet_model_step *step) {
  lsqnet_status st = LSQNET_OK;
  char *task = NULL, *prompt = NULL;
  LSQ_TRY(lsq_copy_text(model->context, &task, step->task));
  LSQ_TRY(lsq_copy_text(model->context, &prompt, step->prompt));
  lsq_free(model->context, (void *)model->step.task);
  lsq_free(model->context, (void *)model->step.prompt);
  model->step = *step;
  model->step.size = sizeof model->step;
  model->step.task = task;
  model->step.prompt = prompt;
  task = prompt = NULL;
done:
  lsq_free(model->context, task);
  lsq_free(model->context, prompt);
  return st;
}
