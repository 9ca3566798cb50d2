#include "layers/config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "store/model_file.h"

/* The configuration of own files: the fields of lsqnet_model_options by their names. */

static const char LABEL[] = "config";

static const char *const DTYPES[] = {"F32", "F64", NULL};                /* LSQNET_F32, LSQNET_F64 less 1 */
static const char *const MLPS[] = {"none", "relu", "gelu", "glu", NULL}; /* LSQNET_MLP_ */

typedef struct {
  const char *key;
  size_t offset;
} field;

static const field SIZES[] = {{"rows", offsetof(lsqnet_model_options, rows)},
                              {"in_width", offsetof(lsqnet_model_options, in_width)},
                              {"out_width", offsetof(lsqnet_model_options, out_width)},
                              {"width", offsetof(lsqnet_model_options, width)},
                              {"layers", offsetof(lsqnet_model_options, layers)},
                              {"mlp_factor", offsetof(lsqnet_model_options, mlp_factor)}};

static const field SWITCHES[] = {{"residual", offsetof(lsqnet_model_options, residual)},
                                 {"bias", offsetof(lsqnet_model_options, bias)},
                                 {"mixer_norm", offsetof(lsqnet_model_options, mixer_norm)},
                                 {"mlp_norm", offsetof(lsqnet_model_options, mlp_norm)},
                                 {"final_norm", offsetof(lsqnet_model_options, final_norm)},
                                 {"freeze_projections", offsetof(lsqnet_model_options, freeze_projections)},
                                 {"freeze_positions", offsetof(lsqnet_model_options, freeze_positions)}};

static const char *const KEYS[] = {"dtype",
                                   "rows",
                                   "in_width",
                                   "out_width",
                                   "width",
                                   "layers",
                                   "mixer",
                                   "mixer_config",
                                   "mlp",
                                   "mlp_factor",
                                   "residual",
                                   "bias",
                                   "mixer_norm",
                                   "mlp_norm",
                                   "final_norm",
                                   "freeze_projections",
                                   "freeze_positions",
                                   "seed",
                                   "frozen",
                                   NULL};

enum { SIZE_COUNT = sizeof SIZES / sizeof SIZES[0], SWITCH_COUNT = sizeof SWITCHES / sizeof SWITCHES[0] };

static int64_t *size_field(lsqnet_model_options *o, int i) { return (int64_t *)(void *)((char *)o + SIZES[i].offset); }
static int32_t *switch_field(lsqnet_model_options *o, int i) {
  return (int32_t *)(void *)((char *)o + SWITCHES[i].offset);
}

/* JSON. */

lsqnet_status lsq_dump(char **out, const lsqnet_context *context, const json_t *value) {
  lsqnet_status st = LSQNET_OK;
  const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
  const size_t length = json_dumpb(value, NULL, 0, flags);
  *out = NULL;
  if (length == 0) return lsq_fail(LSQNET_E_MEMORY, "no memory to write JSON");
  LSQ_TRY(lsq_alloc(context, out, (int64_t)length + 1, 1));
  if (json_dumpb(value, *out, length, flags) == length) return LSQNET_OK;
  st = lsq_fail(LSQNET_E_MEMORY, "no memory to write JSON");
  lsq_free(context, *out);
  *out = NULL;
done:
  return st;
}

lsqnet_status lsq_parse_object(json_t **out, const char *what, const char *text) {
  json_error_t error;
  char quoted[LSQ_QUOTED];
  *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (*out == NULL && lsq_json_no_memory(&error)) return lsq_fail(LSQNET_E_MEMORY, "%s: no memory to read it", what);
  if (*out == NULL)
    return lsq_fail(LSQNET_E_FORMAT, "%s is not JSON at line %d, column %d: %s", what, error.line, error.column,
                    lsq_quote(quoted, error.text));
  if (json_is_object(*out)) return LSQNET_OK;
  json_decref(*out);
  *out = NULL;
  return lsq_fail(LSQNET_E_FORMAT, "%s is not a JSON object", what);
}

void lsq_description_clear(lsq_description *d) {
  lsq_free(d->context, d->mixer);
  lsq_free(d->context, d->mixer_config);
  json_decref(d->frozen);
  *d = (lsq_description){.context = d->context};
}

/* Reading. */

static lsqnet_status require_all(const json_t *config) {
  for (int i = 0; KEYS[i] != NULL; i++)
    if (json_object_get(config, KEYS[i]) == NULL) return lsq_fail(LSQNET_E_FORMAT, "%s has no \"%s\"", LABEL, KEYS[i]);
  return LSQNET_OK;
}

static lsqnet_status read_seed(uint64_t *seed, const json_t *text) {
  *seed = 0;
  const char *digits = json_string_value(text);
  int bad = digits == NULL || *digits == '\0';
  for (; !bad && *digits != '\0'; digits++) {
    bad = *digits < '0' || *digits > '9' || __builtin_mul_overflow(*seed, 10, seed) ||
          __builtin_add_overflow(*seed, (uint64_t)(*digits - '0'), seed);
  }
  return bad ? lsq_fail(LSQNET_E_FORMAT, "%s: \"seed\" must be a string of decimal digits, below 2^64", LABEL)
             : LSQNET_OK;
}

static lsqnet_status read_mixer(lsq_description *d, const json_t *config) {
  lsqnet_status st = LSQNET_OK;
  const json_t *name = json_object_get(config, "mixer"), *mixer_config = json_object_get(config, "mixer_config");
  if (!json_is_string(name)) return lsq_fail(LSQNET_E_FORMAT, "%s: \"mixer\" must be a string", LABEL);
  if (!json_is_object(mixer_config)) return lsq_fail(LSQNET_E_FORMAT, "%s: \"mixer_config\" must be an object", LABEL);
  LSQ_TRY(lsq_copy_text(d->context, &d->mixer, json_string_value(name)));
  LSQ_TRY(lsq_dump(&d->mixer_config, d->context, mixer_config));
  d->options.mixer = d->mixer;
  d->options.mixer_config = d->mixer_config;
done:
  return st;
}

static lsqnet_status read_frozen(lsq_description *d, json_t *list) {
  size_t i = 0;
  const json_t *name = NULL;
  if (!json_is_array(list)) return lsq_fail(LSQNET_E_FORMAT, "%s: \"frozen\" must be a list", LABEL);
  json_array_foreach(list, i, name) {
    if (!json_is_string(name)) return lsq_fail(LSQNET_E_FORMAT, "%s: \"frozen\": entry %zu is not a string", LABEL, i);
  }
  d->frozen = json_incref(list);
  return LSQNET_OK;
}

lsqnet_status lsq_describe_own(lsq_description *out, const lsqnet_context *context, const char *config) {
  lsqnet_status st = LSQNET_OK;
  json_t *object = NULL;
  *out = (lsq_description){.context = context, .options = {.size = sizeof out->options}};
  lsqnet_model_options *o = &out->options;
  LSQ_TRY(lsq_config_parse(&object, LABEL, config, KEYS));
  LSQ_TRY(require_all(object));
  for (int i = 0; i < SIZE_COUNT; i++) LSQ_TRY(lsq_config_integer(object, LABEL, SIZES[i].key, size_field(o, i)));
  for (int i = 0; i < SWITCH_COUNT; i++)
    LSQ_TRY(lsq_config_boolean(object, LABEL, SWITCHES[i].key, switch_field(o, i)));
  LSQ_TRY(lsq_config_choice(object, LABEL, "dtype", DTYPES, &o->dtype));
  o->dtype += LSQNET_F32;
  LSQ_TRY(lsq_config_choice(object, LABEL, "mlp", MLPS, &o->mlp));
  LSQ_TRY(read_seed(&o->seed, json_object_get(object, "seed")));
  LSQ_TRY(read_mixer(out, object));
  LSQ_TRY(read_frozen(out, json_object_get(object, "frozen")));
done:
  json_decref(object);
  if (st != LSQNET_OK) lsq_description_clear(out);
  return st;
}

/* Writing. */

/* What the mixer says of itself, or else the text that it was created with. */
static lsqnet_status mixer_config(json_t **out, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  char *text = NULL;
  uint64_t needed = 0;
  const lsqnet_mixer *mixer = model->mixer;
  const char *given = model->options.mixer_config != NULL ? model->options.mixer_config : "{}";
  *out = NULL;
  if (mixer->config != NULL && model->blocks_created > 0) {
    const void *state = model->blocks[0].mixer_state;
    LSQ_TRY(lsq_within(mixer->config(state, NULL, 0, &needed), "mixer %s: config", mixer->name));
    LSQ_TRY(lsq_alloc(model->context, &text, (int64_t)needed + 1, 1));
    LSQ_TRY(lsq_within(mixer->config(state, text, needed, &needed), "mixer %s: config", mixer->name));
  }
  LSQ_TRY(lsq_within(lsq_parse_object(out, "its configuration", text != NULL ? text : given), "mixer %s", mixer->name));
done:
  lsq_free(model->context, text);
  return st;
}

static json_t *frozen_names(const lsqnet_model *model) {
  json_t *list = json_array();
  int failed = list == NULL;
  for (int64_t i = 0; i < model->parameter_count; i++)
    if (model->parameters[i].frozen) failed |= json_array_append_new(list, json_string(model->parameters[i].name));
  if (!failed) return list;
  json_decref(list);
  return NULL;
}

static int set(json_t *config, const char *key, json_t *value) { return json_object_set_new(config, key, value) != 0; }

lsqnet_status lsq_config_text(char **out, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options o = model->options;
  char seed[LSQ_NUMBER_BYTES];
  json_t *mixer = NULL, *config = json_object();
  int failed = config == NULL;
  *out = NULL;
  LSQ_TRY(mixer_config(&mixer, model));
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)o.seed);
  failed |= set(config, "dtype", json_string(DTYPES[o.dtype - LSQNET_F32]));
  for (int i = 0; i < SIZE_COUNT; i++) failed |= set(config, SIZES[i].key, json_integer(*size_field(&o, i)));
  failed |= set(config, "mixer", json_string(o.mixer));
  failed |= set(config, "mixer_config", json_incref(mixer));
  failed |= set(config, "mlp", json_string(MLPS[o.mlp]));
  for (int i = 0; i < SWITCH_COUNT; i++) failed |= set(config, SWITCHES[i].key, json_boolean(*switch_field(&o, i)));
  failed |= set(config, "seed", json_string(seed));
  failed |= set(config, "frozen", frozen_names(model));
  if (failed)
    st = lsq_fail(LSQNET_E_MEMORY, "no memory to write the configuration");
  else
    LSQ_TRY(lsq_dump(out, model->context, config));
done:
  json_decref(mixer);
  json_decref(config);
  return st;
}
