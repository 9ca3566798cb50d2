#include "train_model.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "model_source.h"
#include "task_text.h"

enum { NAME_MOST = 256 };

/* "21" as a number, "1,21" as an array; NULL if it is neither, or without memory. */
static json_t *read_numbers(const char *text) {
  json_t *all = json_array();
  char *end = NULL;
  int wrong = all == NULL;
  for (const char *at = text; !wrong; at = end + 1) {
    const long long number = strtoll(at, &end, 10);
    wrong = end == at || (*end != ',' && *end != '\0') || json_array_append_new(all, json_integer(number)) != 0;
    if (*end == '\0') break;
  }
  json_t *out = wrong ? NULL : json_incref(json_array_size(all) == 1 ? json_array_get(all, 0) : all);
  json_decref(all);
  return out;
}

/* One number, or one for each block, into `object`; `text` NULL: nothing was said. */
static int set_numbers(json_t *object, const char *key, const char *text) {
  if (text == NULL) return CODE_DONE;
  json_t *numbers = read_numbers(text);
  if (numbers == NULL) return fail(CODE_USAGE, "option --%s: \"%.80s\" is no number and no list of numbers", key, text);
  return json_object_set_new(object, key, numbers) == 0 ? CODE_DONE : fail_memory("the mixer's configuration");
}

/* The mixer's configuration: what --mixer-config says, changed by the options for single keys. NULL: nothing was said.
 */
static int mix_config(char **out, const train_settings *s) {
  json_error_t error;
  json_t *object = NULL;
  int failed = 0;
  *out = NULL;
  if (s->mixer_config == NULL && s->heads == 0 && s->softmax < 0 && s->causal < 0 && s->filter == NULL &&
      s->taps == NULL && s->shift == NULL && s->shifted < 0)
    return CODE_DONE;
  object = s->mixer_config == NULL ? json_object() : json_loads(s->mixer_config, JSON_REJECT_DUPLICATES, &error);
  if (s->mixer_config != NULL && !json_is_object(object)) {
    json_decref(object);
    return fail(CODE_USAGE, "option --mixer-config: \"%.80s\" is not a JSON object", s->mixer_config);
  }
  if (s->shifted >= 0) failed |= json_object_set_new(object, "shifted", json_integer(s->shifted));
  if (s->heads > 0) failed |= json_object_set_new(object, "heads", json_integer(s->heads));
  if (s->softmax >= 0) failed |= json_object_set_new(object, "softmax", json_boolean(s->softmax));
  if (s->causal >= 0) failed |= json_object_set_new(object, "causal", json_boolean(s->causal));
  if (s->filter != NULL) failed |= json_object_set_new(object, "filter", json_text(s->filter));
  int code = set_numbers(object, "taps", s->taps);
  if (code == CODE_DONE) code = set_numbers(object, "shift", s->shift);
  if (code != CODE_DONE) {
    json_decref(object);
    return code;
  }
  *out = failed ? NULL : json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return *out == NULL ? fail_memory("the mixer's configuration") : CODE_DONE;
}

/* The name under which the source has the weights of `name`: beyond its `layers` blocks they begin again. */
static void name_in_source(char out[NAME_MOST], const char *name, int64_t layers) {
  long long block = 0;
  int digits = 0;
  if (layers > 0 && sscanf(name, "blocks.%lld.%n", &block, &digits) == 1 && digits > 0) {
    snprintf(out, NAME_MOST, "blocks.%lld.%s", block % (long long)layers, name + digits);
  } else {
    snprintf(out, NAME_MOST, "%s", name);
  }
}

static void write_shape(char *out, size_t room, const lsqnet_parameter *p) {
  size_t used = 0;
  for (int64_t axis = 0; axis < p->rank && used < room; axis++)
    used += (size_t)snprintf(out + used, room - used, axis == 0 ? "%lld" : "x%lld", (long long)p->shape[axis]);
}

/* `from` NULL: the source has none of that name. */
static int fail_source(const char *file, const lsqnet_parameter *to, const lsqnet_parameter *from) {
  char wanted[96], there[96];
  write_shape(wanted, sizeof wanted, to);
  if (from == NULL)
    return fail_at(CODE_INPUT, file, 0, "option --init: it has no %s, which the model to train has as %s", to->name,
                   wanted);
  write_shape(there, sizeof there, from);
  return fail_at(CODE_INPUT, file, 0, "option --init: its %s is %s, that of the model to train %s", from->name, there,
                 wanted);
}

static int same_shape(const lsqnet_parameter *a, const lsqnet_parameter *b) {
  return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

static int copy_parameter(lsqnet_model *model, int64_t index, const lsqnet_model *source, int64_t layers,
                          const char *file) {
  char name[NAME_MOST];
  lsqnet_parameter to, from;
  lsqnet_status st = lsqnet_model_get_parameter(model, index, &to, sizeof to);
  if (st != LSQNET_OK) return fail_status(st, file);
  name_in_source(name, to.name, layers);
  const int64_t at = lsqnet_model_find_parameter(source, name);
  if (at < 0 || lsqnet_model_get_parameter(source, at, &from, sizeof from) != LSQNET_OK)
    return fail_source(file, &to, NULL);
  if (!same_shape(&to, &from)) return fail_source(file, &to, &from);
  double *values = malloc((size_t)to.count * sizeof *values);
  if (values == NULL) return fail_memory("a parameter");
  st = lsqnet_model_read_parameter(source, at, values, to.count);
  if (st == LSQNET_OK) st = lsqnet_model_write_parameter(model, index, values, to.count);
  free(values);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, file);
}

static int copy_weights(lsqnet_model *model, lsqnet_context *context, const char *file) {
  int code = CODE_DONE;
  lsqnet_model *source = NULL;
  lsqnet_model_options options;
  lsqnet_status st = lsqnet_model_load(&source, context, file, NULL);
  if (st != LSQNET_OK) return fail_library(CODE_INPUT, st, file);
  st = lsqnet_model_get_options(source, &options, sizeof options);
  if (st != LSQNET_OK) code = fail_status(st, file);
  for (int64_t i = 0; code == CODE_DONE && i < lsqnet_model_parameter_count(model); i++) {
    code = copy_parameter(model, i, source, options.layers, file);
  }
  lsqnet_model_destroy(source);
  return code;
}

static int create(lsqnet_model **out, lsqnet_context *context, const lsqnet_task *task, const train_settings *s) {
  int code = CODE_DONE;
  char *config = NULL;
  lsqnet_model_options options = s->model;
  lsqnet_task_shape shape;
  lsqnet_status st = lsqnet_task_get_shape(task, &shape, sizeof shape);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(mix_config(&config, s));
  options.rows = shape.rows;
  options.in_width = shape.in_width;
  options.out_width = shape.out_width;
  options.mixer_config = config;
  st = lsqnet_model_create(out, context, &options);
  if (st != LSQNET_OK) code = fail_library(CODE_USAGE, st, NULL);
done:
  free(config);
  return code;
}

static int freeze_parameter(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *value,
                            const lsqnet_model *first) {
  (void)first;
  if (value != NULL)
    return fail(CODE_USAGE, "option --freeze: \"%.80s\" after %s: it takes names only", value, p->name);
  const lsqnet_status st = lsqnet_model_freeze(model, index, 1);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

/* Moves *text behind an index. */
static int read_index(const char **text, int64_t *index) {
  char *end = NULL;
  if (**text < '0' || **text > '9') return 0;
  *index = strtoll(*text, &end, 10);
  *text = end;
  return 1;
}

/* First and last index of an axis: "I", "I-J" or "*". */
static int read_range(const char **text, int64_t size, int64_t range[2]) {
  if (**text == '*') {
    ++*text;
    range[0] = 0;
    range[1] = size - 1;
    return 1;
  }
  if (!read_index(text, &range[0])) return 0;
  range[1] = range[0];
  if (**text == '-') {
    ++*text;
    if (!read_index(text, &range[1])) return 0;
  }
  return range[0] <= range[1] && range[1] < size;
}

enum { AXES = sizeof((lsqnet_parameter *)NULL)->shape / sizeof(int64_t) };

/* Ranges of the first axes, with x between them; those left out are whole. */
static int read_part(const char *text, const lsqnet_parameter *p, int64_t part[AXES][2]) {
  for (int64_t axis = 0; axis < p->rank; axis++) {
    const char *whole = "*";
    const int left_out = axis > 0 && *text == '\0';
    if (axis > 0 && !left_out && *text++ != 'x') return 0;
    if (!read_range(left_out ? &whole : &text, p->shape[axis], part[axis])) return 0;
  }
  return *text == '\0';
}

static int is_in(int64_t index, const lsqnet_parameter *p, int64_t part[AXES][2]) {
  for (int64_t axis = p->rank - 1; axis >= 0; axis--) {
    const int64_t at = index % p->shape[axis];
    if (at < part[axis][0] || at > part[axis][1]) return 0;
    index /= p->shape[axis];
  }
  return 1;
}

/* `value` is NUMBER or NUMBER:PART: the part is multiplied by the number, or set to it. */
static int change_part(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *option,
                       const char *value, int times) {
  char *end = NULL;
  int64_t part[AXES][2];
  const double number = value != NULL ? strtod(value, &end) : NAN;
  if (!isfinite(number) || end == value || (*end != '\0' && *end != ':'))
    return fail(CODE_USAGE, "option %s: \"%.80s\" is no number for %s", option, value != NULL ? value : "", p->name);
  if (!read_part(*end == ':' ? end + 1 : "*", p, part))
    return fail(CODE_USAGE, "option %s: \"%.80s\" is no part of %s", option, end, p->name);
  double *values = malloc((size_t)p->count * sizeof *values);
  if (values == NULL) return fail_memory("a parameter");
  lsqnet_status st = lsqnet_model_read_parameter(model, index, values, p->count);
  for (int64_t i = 0; st == LSQNET_OK && i < p->count; i++) {
    if (is_in(i, p, part)) values[i] = times ? values[i] * number : number;
  }
  if (st == LSQNET_OK) st = lsqnet_model_write_parameter(model, index, values, p->count);
  free(values);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static int scale_parameter(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *value,
                           const lsqnet_model *first) {
  (void)first;
  return change_part(model, index, p, "--scale", value, 1);
}

static int set_parameter(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *value,
                         const lsqnet_model *first) {
  (void)first;
  return change_part(model, index, p, "--set", value, 0);
}

static int keep_parameter(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *value,
                          const lsqnet_model *first) {
  if (value != NULL) return fail(CODE_USAGE, "option --keep: \"%.80s\" after %s: it takes names only", value, p->name);
  return copy_parameter(model, index, first, 0, NULL);
}

/* What an option does to a parameter that it names; `value` is what follows an "=", or NULL; `first` is the model as it
 * was created. */
typedef int parameter_fn(lsqnet_model *model, int64_t index, const lsqnet_parameter *p, const char *value,
                         const lsqnet_model *first);

static int change_matching(lsqnet_model *model, const char *option, char *pattern, parameter_fn *change,
                           const lsqnet_model *first) {
  lsqnet_parameter p;
  int matched = 0;
  char *value = strchr(pattern, '=');
  if (value != NULL) *value++ = '\0';
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    if (lsqnet_model_get_parameter(model, i, &p, sizeof p) != LSQNET_OK || fnmatch(pattern, p.name, 0) != 0) continue;
    const int code = change(model, i, &p, value, first);
    if (code != CODE_DONE) return code;
    matched = 1;
  }
  return matched ? CODE_DONE : fail(CODE_USAGE, "option %s: the model has no parameter \"%.80s\"", option, pattern);
}

/* `patterns`: patterns of names, with commas between them; NULL: none. */
static int change_parameters(lsqnet_model *model, const char *option, const char *patterns, parameter_fn *change,
                             const lsqnet_model *first) {
  int code = CODE_DONE;
  if (patterns == NULL) return CODE_DONE;
  char *rest = NULL, *copy = strdup(patterns);
  if (copy == NULL) return fail_memory(option);
  for (char *pattern = strtok_r(copy, ",", &rest); code == CODE_DONE && pattern != NULL;
       pattern = strtok_r(NULL, ",", &rest)) {
    code = change_matching(model, option, pattern, change, first);
  }
  free(copy);
  return code;
}

int train_model_create(lsqnet_model **out, lsqnet_context *context, const lsqnet_task *task, const train_settings *s) {
  int code = CODE_DONE;
  lsqnet_model *first = NULL;
  TRY(create(out, context, task, s));
  if (s->keep != NULL) TRY(create(&first, context, task, s));
  if (s->init != NULL) {
    TRY(copy_weights(*out, context, s->init));
  } else if (s->init_scale > 0) {
    const lsqnet_status st = lsqnet_model_draw_weights(*out, s->model.seed, s->init_scale);
    if (st != LSQNET_OK) {
      code = fail_library(CODE_USAGE, st, NULL);
      goto done;
    }
  }
  TRY(change_parameters(*out, "--keep", s->keep, keep_parameter, first));
  TRY(change_parameters(*out, "--scale", s->scale, scale_parameter, NULL));
  TRY(change_parameters(*out, "--set", s->set, set_parameter, NULL));
  TRY(change_parameters(*out, "--freeze", s->freeze, freeze_parameter, NULL));
done:
  lsqnet_model_destroy(first);
  return code;
}

int train_model_set_step(lsqnet_model *model, const lsqnet_task *task) {
  int code = CODE_DONE;
  char name[NAME_MOST];
  lsqnet_task_options o;
  lsqnet_model_step step = {.size = sizeof step};
  lsqnet_status st = lsqnet_task_get_options(task, &o, sizeof o);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(task_text_write(&o, name, sizeof name));
  step.task = name;
  step.rows = o.rows;
  step.dim = o.dim;
  step.prompt = o.prompt;
  if (strcmp(o.name, "explicit_gradient") == 0 && o.setting == 0) {
    step.output = LSQNET_OUTPUT_GRADIENT;
    step.iterates = 1;
  } else if (strcmp(o.name, "multistep_gd") == 0) {
    step.output = LSQNET_OUTPUT_ITERATE;
    step.iterates = o.iterates;
    step.step = o.step;
  } else {
    if (strcmp(o.name, "momentum") == 0) step.step = o.step;
    /* else its rows and channels are not those that a solver would lay out */
    if (strcmp(o.name, "explicit_gradient") != 0) step.prompt = NULL;
  }
  st = lsqnet_model_set_step(model, &step);
  if (st != LSQNET_OK) code = fail_status(st, NULL);
done:
  return code;
}
