#include "train/description.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "store/model_file.h"
#include "tasks/task.h"

typedef enum { INT32, INT64, UINT64, DOUBLE, TEXT } field_type;

typedef struct {
  const char *key;
  field_type type;
  size_t offset;
} field;

#define TASK(type, name) \
  { #name, type, offsetof(lsqnet_task_options, name) }
static const field task_fields[] = {
    TASK(TEXT, name),         TASK(TEXT, prompt),         TASK(INT32, setting),        TASK(INT64, rows),
    TASK(INT64, dim),         TASK(INT64, iterates),      TASK(INT64, points),         TASK(UINT64, seed),
    TASK(DOUBLE, step),       TASK(DOUBLE, momentum),     TASK(DOUBLE, condition),     TASK(DOUBLE, singular_max),
    TASK(DOUBLE, scale_a),    TASK(DOUBLE, scale_x),      TASK(DOUBLE, freedom),       TASK(DOUBLE, sparsity),
    TASK(DOUBLE, ode_spread), TASK(DOUBLE, ode_variance), TASK(DOUBLE, ode_initial),   TASK(DOUBLE, ode_noise),
    TASK(INT32, law_a),       TASK(INT32, law_x),         TASK(INT32, normalise_rows), TASK(INT32, normalise_x),
    TASK(INT32, ode_class),   TASK(INT32, ode_points)};

#define SHAPE(name) \
  { "shape." #name, INT64, offsetof(lsqnet_task_shape, name) }
static const field shape_fields[] = {SHAPE(rows),   SHAPE(in_width), SHAPE(out_width),    SHAPE(first),
                                     SHAPE(stride), SHAPE(count),    SHAPE(scored_first), SHAPE(scored)};

/* Of kernels, by their LSQNET_KERNEL_ numbers: another one gives other bits. */
static const char *const LEVELS[] = {"auto", "generic", "v2", "v3", "v4"};

/* All but steps and target, which say only when to end. */
#define OPTION(type, name) \
  { #name, type, offsetof(lsqnet_train_options, name) }
static const field option_fields[] = {OPTION(TEXT, optimizer),
                                      OPTION(TEXT, schedule),
                                      OPTION(INT32, fresh_batch),
                                      OPTION(INT64, batch),
                                      OPTION(UINT64, seed),
                                      OPTION(DOUBLE, rate),
                                      OPTION(DOUBLE, beta1),
                                      OPTION(DOUBLE, beta2),
                                      OPTION(DOUBLE, epsilon),
                                      OPTION(DOUBLE, weight_decay),
                                      OPTION(DOUBLE, momentum),
                                      OPTION(DOUBLE, clip),
                                      OPTION(DOUBLE, ema_decay),
                                      OPTION(DOUBLE, ema_lambda),
                                      OPTION(DOUBLE, gamma),
                                      OPTION(DOUBLE, metric_decay),
                                      OPTION(DOUBLE, metric_threshold),
                                      OPTION(DOUBLE, rate_floor),
                                      OPTION(DOUBLE, l1),
                                      OPTION(DOUBLE, damping),
                                      OPTION(INT64, schedule_steps),
                                      OPTION(INT64, no_increase_steps),
                                      OPTION(INT64, metric_every),
                                      OPTION(INT64, metric_batches),
                                      OPTION(INT64, memory),
                                      OPTION(INT64, dims_start),
                                      OPTION(INT64, dims_increment),
                                      OPTION(INT64, dims_interval),
                                      OPTION(INT64, rows_start),
                                      OPTION(INT64, rows_increment),
                                      OPTION(INT64, rows_interval),
                                      OPTION(INT64, start_steps),
                                      OPTION(INT64, start_batch),
                                      OPTION(DOUBLE, start_rate),
                                      OPTION(INT64, restarts),
                                      OPTION(DOUBLE, restart_scale)};

enum {
  TASK_FIELDS = sizeof task_fields / sizeof *task_fields,
  SHAPE_FIELDS = sizeof shape_fields / sizeof *shape_fields,
  OPTION_FIELDS = sizeof option_fields / sizeof *option_fields
};

static lsqnet_status no_memory(void) { return lsq_fail(LSQNET_E_MEMORY, "no memory to describe the run"); }

/* Numbers beyond 2^63 have no place in JSON but as texts. */
static json_t *unsigned_value(uint64_t value) {
  char text[LSQ_NUMBER_BYTES];
  (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return json_string(text);
}

static json_t *field_value(const void *object, const field *f) {
  const void *place = (const char *)object + f->offset;
  switch (f->type) {
    case INT32: return json_integer(*(const int32_t *)place);
    case INT64: return json_integer(*(const int64_t *)place);
    case UINT64: return unsigned_value(*(const uint64_t *)place);
    case DOUBLE: return json_real(*(const double *)place);
    case TEXT: break;
  }
  const char *text = *(const char *const *)place;
  return text != NULL ? json_string(text) : json_null();
}

/* A value that could not be made: a host's name for its task may not be UTF-8. */
static lsqnet_status refuse(const void *object, const field *f) {
  char quoted[LSQ_QUOTED];
  if (f->type != TEXT) return no_memory();
  const char *text = *(const char *const *)(const void *)((const char *)object + f->offset);
  json_t *unchecked = text != NULL ? json_string_nocheck(text) : NULL;
  if (unchecked == NULL) return no_memory();
  json_decref(unchecked);
  return lsq_fail(LSQNET_E_ARGUMENT, "%s=\"%s\" is not UTF-8", f->key, lsq_quote(quoted, text));
}

static lsqnet_status add_fields(json_t *out, const void *object, const field *fields, int count) {
  for (int i = 0; i < count; i++) {
    json_t *value = field_value(object, &fields[i]);
    if (value == NULL) return refuse(object, &fields[i]);
    if (json_object_set_new(out, fields[i].key, value) != 0) return no_memory();
  }
  return LSQNET_OK;
}

/* The model's configuration, whose initial weights no longer matter. */
static lsqnet_status describe_model(json_t **out, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  char *text = NULL;
  LSQ_TRY(lsq_config_text(&text, model));
  LSQ_TRY(lsq_parse_object(out, "the model's configuration", text));
  (void)json_object_del(*out, "seed");
done:
  lsq_free(model->context, text);
  return st;
}

static lsqnet_status describe_task(json_t **out, const lsqnet_task *task) {
  lsqnet_status st = LSQNET_OK;
  *out = json_object();
  if (*out == NULL) return no_memory();
  LSQ_TRY(add_fields(*out, &task->options, task_fields, TASK_FIELDS));
  LSQ_TRY(add_fields(*out, &task->shape, shape_fields, SHAPE_FIELDS));
done:
  return st;
}

static const char *const KEYS[LSQ_RUN_TEXTS] = {"model", "task", "options"};

/* The object under KEYS[index]; the caller owes a json_decref, on failure too. */
static lsqnet_status describe(json_t **out, const lsqnet_trainer *trainer, int index) {
  *out = NULL;
  if (index == 0) return describe_model(out, trainer->model);
  if (index == 1) return describe_task(out, trainer->task);
  *out = json_object();
  if (*out == NULL) return no_memory();
  const int32_t level = trainer->context->kernels_f64->level;
  if (json_object_set_new(*out, "level", json_string(LEVELS[level])) != 0) return no_memory();
  return add_fields(*out, &trainer->options, option_fields, OPTION_FIELDS);
}

lsqnet_status lsq_run_describe(lsq_text texts[LSQ_RUN_TEXTS], const lsqnet_trainer *trainer) {
  lsqnet_status st = LSQNET_OK;
  json_t *object = NULL;
  char *text = NULL;
  for (int i = 0; i < LSQ_RUN_TEXTS; i++) texts[i] = (lsq_text){KEYS[i], NULL};
  for (int i = 0; i < LSQ_RUN_TEXTS; i++) {
    LSQ_TRY(describe(&object, trainer, i));
    LSQ_TRY(lsq_dump(&text, trainer->context, object));
    texts[i].text = text;
    json_decref(object);
    object = NULL;
  }
done:
  json_decref(object);
  return st;
}

void lsq_run_describe_free(lsq_text texts[LSQ_RUN_TEXTS], const lsqnet_context *context) {
  for (int i = 0; i < LSQ_RUN_TEXTS; i++) lsq_free(context, (void *)(uintptr_t)texts[i].text);
}

static lsqnet_status differ(const lsqnet_context *context, const char *section, const char *key, const json_t *saved,
                            const json_t *given) {
  lsqnet_status st = LSQNET_OK;
  char *saved_text = NULL, *given_text = NULL, quoted[LSQ_QUOTED], own[LSQ_QUOTED];
  LSQ_TRY(lsq_dump(&saved_text, context, saved));
  LSQ_TRY(lsq_dump(&given_text, context, given));
  st = lsq_fail(LSQNET_E_ARGUMENT, "it is another run's: its %s has %s=%s, but %s is given", section, key,
                lsq_quote(quoted, saved_text), lsq_quote(own, given_text));
done:
  lsq_free(context, saved_text);
  lsq_free(context, given_text);
  return st;
}

static lsqnet_status compare_section(const char *section, const char *text, json_t *given,
                                     const lsqnet_context *context) {
  lsqnet_status st = LSQNET_OK;
  json_t *saved = NULL, *value = NULL;
  const char *key = NULL;
  if (text == NULL) return lsq_fail(LSQNET_E_FORMAT, "its __metadata__ has no \"%s\"", section);
  LSQ_TRY(lsq_parse_object(&saved, section, text));
  json_object_foreach(given, key, value) {
    const json_t *its = json_object_get(saved, key);
    if (its == NULL)
      st = lsq_fail(LSQNET_E_FORMAT, "its %s has no \"%s\"", section, key);
    else if (!json_equal(its, value))
      st = differ(context, section, key, its, value);
    if (st != LSQNET_OK) break;
  }
done:
  json_decref(saved);
  return st;
}

lsqnet_status lsq_run_compare(const lsq_archive *archive, const lsqnet_trainer *trainer) {
  lsqnet_status st = LSQNET_OK;
  json_t *given = NULL;
  for (int i = 0; i < LSQ_RUN_TEXTS; i++) {
    LSQ_TRY(describe(&given, trainer, i));
    LSQ_TRY(compare_section(KEYS[i], lsq_archive_text(archive, KEYS[i]), given, trainer->context));
    json_decref(given);
    given = NULL;
  }
done:
  json_decref(given);
  return st;
}
