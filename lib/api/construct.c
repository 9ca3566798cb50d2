#include "model/construct.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"
#include "prompts/prompt.h"

static const uint32_t FIRST_SIZE = LSQ_SIZE_THROUGH(lsqnet_construct_options, prompt);

static const lsqnet_construct_options DEFAULTS = {.size = sizeof(lsqnet_construct_options),
                                                  .dtype = LSQNET_F64,
                                                  .iterates = 1,
                                                  .step = 0.5,
                                                  .mixer = "attention",
                                                  .prompt = "split"};

static const struct {
  const char *mixer, *prompt;
  lsq_construct_fn construct;
} constructions[] = {
    {"attention", "split", lsq_construct_attention_split},
    {"base_conv", "repeat", lsq_construct_base_conv_repeat},
    {"base_conv", "split", lsq_construct_base_conv_split},
    {"base_conv", "query_first", lsq_construct_base_conv_query_first},
};

enum { CONSTRUCTIONS = sizeof constructions / sizeof constructions[0] };

lsqnet_status lsqnet_construct_options_init(lsqnet_construct_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_SIZE, &DEFAULTS, sizeof DEFAULTS, "lsqnet_construct_options");
}

static lsqnet_status find(const char *mixer, const char *prompt, lsq_construct_fn *out) {
  char known[256] = "";
  size_t used = 0;
  if (mixer == NULL || prompt == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", mixer == NULL ? "mixer" : "prompt");
  for (int i = 0; i < CONSTRUCTIONS; i++)
    if (strcmp(mixer, constructions[i].mixer) == 0 && strcmp(prompt, constructions[i].prompt) == 0) {
      *out = constructions[i].construct;
      return LSQNET_OK;
    }
  for (int i = 0; i < CONSTRUCTIONS && used < sizeof known; i++)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s on %s", i > 0 ? ", " : "", constructions[i].mixer,
                             constructions[i].prompt);
  return lsq_fail(LSQNET_E_UNSUPPORTED, "no construction of %.63s on %.63s: there are %s", mixer, prompt, known);
}

static lsqnet_status plan_sizes(lsq_construct_plan *plan, const lsqnet_construct_options *o) {
  const int64_t most_dim = INT64_C(1) << 30, most_iterates = INT64_C(1) << 60;
  lsqnet_status st = LSQNET_OK;
  const lsq_prompt *prompt = NULL;
  LSQ_TRY(lsq_prompt_find(o->prompt, &prompt));
  LSQ_TRY(lsq_prompt_shape(prompt, o->rows, o->dim, &plan->T, &plan->in_width, NULL));
  if (o->dim > most_dim || plan->k > most_iterates)
    return lsq_fail(LSQNET_E_SHAPE, "dim=%lld iterates=%lld: the weights of such a model cannot be addressed",
                    (long long)o->dim, (long long)plan->k);
  plan->L = o->rows;
  plan->D = o->dim;
done:
  return st;
}

static lsqnet_status plan_rate(lsq_construct_plan *plan, const lsqnet_construct_options *o) {
  const double most = o->dtype == LSQNET_F32 ? (double)FLT_MAX : DBL_MAX;
  plan->rate = (plan->gradient ? 1.0 : o->step) / (double)plan->L;
  /* attention multiplies it by the root of its width 2D+1 */
  if (!(fabs(plan->rate) <= most / (2 * (double)plan->D + 1)))
    return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be finite, and its weights within %s", o->step,
                    o->dtype == LSQNET_F32 ? "float32" : "float64");
  return LSQNET_OK;
}

static lsqnet_status check_options(const lsqnet_construct_options *o, int gradient) {
  if (o->dtype != LSQNET_F64 && o->dtype != LSQNET_F32)
    return lsq_fail(LSQNET_E_ARGUMENT, "dtype=%ld: must be LSQNET_F32 (%d) or LSQNET_F64 (%d)", (long)o->dtype,
                    LSQNET_F32, LSQNET_F64);
  if (!gradient && o->iterates < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "iterates=%lld: must be at least 1", (long long)o->iterates);
  return LSQNET_OK;
}

static lsqnet_status construct(lsqnet_model **out, lsqnet_context *context, const lsqnet_construct_options *options,
                               int gradient) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_construct_options o = DEFAULTS;
  lsq_construct_plan plan = {.gradient = gradient};
  lsq_construct_fn build = NULL;
  lsqnet_model *model = NULL;
  if (out != NULL) *out = NULL;
  if (out == NULL || context == NULL || options == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", out == NULL ? "out" : context == NULL ? "context" : "options");
  LSQ_TRY(lsq_sized_read(&o, sizeof o, FIRST_SIZE, options, "lsqnet_construct_options"));
  LSQ_TRY(check_options(&o, gradient));
  plan.dtype = o.dtype;
  plan.k = gradient ? 1 : o.iterates;
  LSQ_TRY(find(o.mixer, o.prompt, &build));
  LSQ_TRY(plan_sizes(&plan, &o));
  LSQ_TRY(plan_rate(&plan, &o));
  LSQ_TRY(build(&model, context, &plan));
  const lsqnet_model_step step = {.size = sizeof step,
                                  .output = gradient ? LSQNET_OUTPUT_GRADIENT : LSQNET_OUTPUT_ITERATE,
                                  .rows = plan.L,
                                  .dim = plan.D,
                                  .iterates = plan.k,
                                  .step = gradient ? 0.0 : o.step,
                                  .task = gradient ? "explicit_gradient" : "multistep_gd",
                                  .prompt = o.prompt};
  LSQ_TRY(lsqnet_model_set_step(model, &step));
  *out = model;
  model = NULL;
done:
  lsqnet_model_destroy(model);
  return st;
}

lsqnet_status lsqnet_model_construct_gradient(lsqnet_model **out, lsqnet_context *context,
                                              const lsqnet_construct_options *options) {
  return construct(out, context, options, 1);
}

lsqnet_status lsqnet_model_construct_iterates(lsqnet_model **out, lsqnet_context *context,
                                              const lsqnet_construct_options *options) {
  return construct(out, context, options, 0);
}
