#include <stdio.h>
#include <string.h>

#include "layers/config.h"
#include "store/model_file.h"

/* The reference implementation's configuration, and what its model class takes for a key that is not there.
 * Source: its constructor's arguments; n_dims and n_positions have no default. */

static const char LABEL[] = "config";

enum { ATTENTION, BASE_CONV, IDENTITY };
static const char *const MIXERS[] = {"attn", "base_conv", "identity", NULL};
static const char *const OUR_MIXERS[] = {"attention", "base_conv", "identity"};
static const char *const FILTERS[] = {"short", "long", "implicit", NULL};
static const char *const ACTIVATIONS[] = {"relu", "gelu", "glu", NULL}; /* LSQNET_MLP_ less LSQNET_MLP_RELU */

typedef struct {
  int64_t dims, positions, width, layers, heads, factor, in, out;
  int32_t mixer, filter, activation, mlps, residual, bias, mixer_norm, mlp_norm, final_norm, causal, softmax,
      train_projections, train_positions;
} reference;

static const reference DEFAULTS = {.dims = -1,
                                   .positions = -1,
                                   .width = 128,
                                   .layers = 12,
                                   .heads = 8,
                                   .factor = 4,
                                   .mixer = ATTENTION,
                                   .activation = LSQNET_MLP_GELU - LSQNET_MLP_RELU,
                                   .mlps = 1,
                                   .residual = 1,
                                   .bias = 1,
                                   .mixer_norm = 1,
                                   .mlp_norm = 1,
                                   .final_norm = 1,
                                   .causal = 1,
                                   .softmax = 1,
                                   .train_projections = 1,
                                   .train_positions = 1};

/* Python's None is a key that is not there. */
static void drop_nulls(json_t *config) {
  const char *key = NULL;
  json_t *value = NULL;
  void *next = NULL;
  json_object_foreach_safe(config, next, key, value) {
    if (json_is_null(value)) (void)json_object_del(config, key);
  }
}

static lsqnet_status read_sizes(reference *r, const json_t *config) {
  lsqnet_status st = LSQNET_OK;
  const struct {
    const char *key;
    int64_t *value;
  } sizes[] = {{"n_dims", &r->dims},  {"n_positions", &r->positions}, {"n_embd", &r->width}, {"n_layer", &r->layers},
               {"n_head", &r->heads}, {"mlp_upfactor", &r->factor},   {"in_dims", &r->in},   {"out_dims", &r->out}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    LSQ_TRY(lsq_config_integer(config, LABEL, sizes[i].key, sizes[i].value));
  if (r->positions < 0) return lsq_fail(LSQNET_E_FORMAT, "%s has no \"n_positions\"", LABEL);
  if (r->in == 0) r->in = r->dims;
  if (r->out == 0) r->out = r->dims;
  if (r->in < 0 || r->out < 0) return lsq_fail(LSQNET_E_FORMAT, "%s has no \"n_dims\"", LABEL);
done:
  return st;
}

static lsqnet_status read_switches(reference *r, const json_t *config) {
  lsqnet_status st = LSQNET_OK;
  const struct {
    const char *key;
    int32_t *value;
  } switches[] = {{"use_mlps", &r->mlps},
                  {"use_resid", &r->residual},
                  {"use_bias", &r->bias},
                  {"use_seqop_ln", &r->mixer_norm},
                  {"use_mlp_ln", &r->mlp_norm},
                  {"use_final_ln", &r->final_norm},
                  {"causal", &r->causal},
                  {"use_softmax_for_attn", &r->softmax},
                  {"train_proj", &r->train_projections},
                  {"train_pos", &r->train_positions}};
  for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
    LSQ_TRY(lsq_config_boolean(config, LABEL, switches[i].key, switches[i].value));
  LSQ_TRY(lsq_config_choice(config, LABEL, "seq_op", MIXERS, &r->mixer));
  LSQ_TRY(lsq_config_choice(config, LABEL, "conv_type", FILTERS, &r->filter));
  LSQ_TRY(lsq_config_choice(config, LABEL, "mlp_activ", ACTIVATIONS, &r->activation));
done:
  return st;
}

static const char *json_word(int32_t value) { return value ? "true" : "false"; }

static lsqnet_status copy_mixer(lsq_description *d, const reference *r) {
  lsqnet_status st = LSQNET_OK;
  char config[128] = "{}";
  if (r->mixer == ATTENTION)
    (void)snprintf(config, sizeof config, "{\"heads\":%lld,\"softmax\":%s,\"causal\":%s}", (long long)r->heads,
                   json_word(r->softmax), json_word(r->causal));
  if (r->mixer == BASE_CONV)
    (void)snprintf(config, sizeof config, "{\"filter\":\"%s\",\"causal\":%s}", FILTERS[r->filter],
                   json_word(r->causal));
  LSQ_TRY(lsq_copy_text(d->context, &d->mixer, OUR_MIXERS[r->mixer]));
  LSQ_TRY(lsq_copy_text(d->context, &d->mixer_config, config));
  d->options.mixer = d->mixer;
  d->options.mixer_config = d->mixer_config;
done:
  return st;
}

static lsqnet_model_options as_options(const reference *r) {
  return (lsqnet_model_options){.size = sizeof(lsqnet_model_options),
                                .rows = r->positions,
                                .in_width = r->in,
                                .out_width = r->out,
                                .width = r->width,
                                .layers = r->layers,
                                .mlp_factor = r->factor,
                                .mlp = r->mlps ? LSQNET_MLP_RELU + r->activation : LSQNET_MLP_NONE,
                                .residual = r->residual,
                                .bias = r->bias,
                                .mixer_norm = r->mixer_norm,
                                .mlp_norm = r->mlp_norm,
                                .final_norm = r->final_norm,
                                .freeze_projections = !r->train_projections,
                                .freeze_positions = !r->train_positions};
}

lsqnet_status lsq_describe_reference(lsq_description *out, const lsqnet_context *context, const char *config) {
  lsqnet_status st = LSQNET_OK;
  json_t *object = NULL;
  reference r = DEFAULTS;
  *out = (lsq_description){.context = context};
  LSQ_TRY(lsq_parse_object(&object, LABEL, config));
  drop_nulls(object);
  LSQ_TRY(read_sizes(&r, object));
  LSQ_TRY(read_switches(&r, object));
  out->options = as_options(&r);
  LSQ_TRY(copy_mixer(out, &r));
done:
  json_decref(object);
  if (st != LSQNET_OK) lsq_description_clear(out);
  return st;
}
