/* Checkpoints: safetensors files with the model's parameters, the optimiser's arrays and the progress, and in
 * __metadata__ what the run is. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/file.h"
#include "train/description.h"

#define FORMAT         "lsqnet.training"
#define FORMAT_VERSION "1"

enum { OWN_TEXTS = 2, PROGRESS_NUMBERS = 12 };
static const double MOST_STEPS = 9007199254740992.0; /* 2^53: beyond it doubles do not count */

/* Names and places of all that is saved. */
typedef struct {
  lsq_values *arrays;
  char *names;
  int64_t *counts; /* shapes of the arrays of rank 1 */
  int64_t count;
  double progress[PROGRESS_NUMBERS];
} listing;

/* Progress as numbers. */

static void progress_write(double out[PROGRESS_NUMBERS], const lsqnet_progress *p) {
  const double numbers[PROGRESS_NUMBERS] = {(double)p->ended, (double)p->step,    p->loss,          p->rate,
                                            p->gradient_norm, p->damping,         p->metric,        p->fresh_loss,
                                            p->seconds,       (double)p->skipped, (double)p->phase, (double)p->restart};
  memcpy(out, numbers, sizeof numbers);
}

static int is_count(double value, double most) { return value >= 0 && value <= most && value == floor(value); }

static lsqnet_status progress_read(lsqnet_progress *p, const double in[PROGRESS_NUMBERS]) {
  if (!is_count(in[0], LSQNET_TRAIN_FLOOR) || !is_count(in[1], MOST_STEPS) || !is_count(in[9], MOST_STEPS) ||
      !is_count(in[10], LSQNET_PHASE_TRIAL) || !is_count(in[11], INT32_MAX))
    return lsq_fail(LSQNET_E_FORMAT, "array \"progress\": ended=%g step=%g skipped=%g phase=%g cannot be", in[0], in[1],
                    in[9], in[10]);
  *p = (lsqnet_progress){.size = sizeof *p,
                         .ended = (int32_t)in[0],
                         .step = (int64_t)in[1],
                         .loss = in[2],
                         .rate = in[3],
                         .gradient_norm = in[4],
                         .damping = in[5],
                         .metric = in[6],
                         .fresh_loss = in[7],
                         .seconds = in[8],
                         .skipped = (int64_t)in[9],
                         .phase = (int32_t)in[10],
                         .restart = (int32_t)in[11]};
  return LSQNET_OK;
}

/* Steps and target may be others than the saved run's. */
static void judge_end(lsqnet_progress *p, const lsqnet_train_options *o) {
  if (p->ended == LSQNET_TRAIN_FLOOR) return;
  p->ended = LSQNET_TRAIN_GOING;
  if (o->target > 0 && p->fresh_loss <= o->target)
    p->ended = LSQNET_TRAIN_TARGET;
  else if (p->step >= o->steps)
    p->ended = LSQNET_TRAIN_STEPS;
}

/* Listing. */

static void *weights_at(const lsqnet_model *m, int64_t offset) {
  return m->weights_f64 != NULL ? (void *)(m->weights_f64 + offset) : (void *)(m->weights_f32 + offset);
}

static int64_t count_states(const lsqnet_trainer *t) {
  lsq_state_array array;
  int64_t count = 0;
  while (t->optimizer->array(t->state, count, &array)) count++;
  return count;
}

/* Bytes of all names, prefixes and ends included. */
static int64_t name_bytes(const lsqnet_trainer *t) {
  lsq_state_array array;
  int64_t bytes = 0;
  for (int64_t i = 0; i < t->model->parameter_count; i++)
    bytes += (int64_t)(sizeof "model." + strlen(t->model->parameters[i].name));
  for (int64_t i = 0; t->optimizer->array(t->state, i, &array); i++)
    bytes += (int64_t)(sizeof "state." + strlen(array.name));
  return bytes;
}

/* Takes room for a name; returns it. */
static const char *put_name(char **next, const char *prefix, const char *name) {
  char *begin = *next;
  const size_t before = strlen(prefix), length = strlen(name);
  memcpy(begin, prefix, before);
  memcpy(begin + before, name, length + 1);
  *next = begin + before + length + 1;
  return begin;
}

static void list_model(listing *l, const lsqnet_model *m, char **names) {
  for (int64_t i = 0; i < m->parameter_count; i++) {
    const lsqnet_parameter *p = &m->parameters[i];
    l->arrays[l->count++] = (lsq_values){.name = put_name(names, "model.", p->name),
                                         .rank = p->rank,
                                         .shape = p->shape,
                                         .count = p->count,
                                         .dtype = m->options.dtype,
                                         .values = weights_at(m, p->offset)};
  }
}

static void list_flat(listing *l, const char *name, int32_t dtype, int64_t count, const void *values) {
  l->counts[l->count] = count;
  l->arrays[l->count] = (lsq_values){
      .name = name, .rank = 1, .shape = &l->counts[l->count], .count = count, .dtype = dtype, .values = values};
  l->count++;
}

/* Parameters, then the optimiser's arrays, then the progress. */
static lsqnet_status listing_open(listing *l, const lsqnet_trainer *t) {
  lsqnet_status st = LSQNET_OK;
  lsq_state_array array;
  const int64_t count = t->model->parameter_count + count_states(t) + 1;
  LSQ_TRY(lsq_alloc(t->context, &l->arrays, count, sizeof *l->arrays));
  LSQ_TRY(lsq_alloc(t->context, &l->counts, count, sizeof *l->counts));
  LSQ_TRY(lsq_alloc(t->context, &l->names, name_bytes(t), 1));
  char *names = l->names;
  list_model(l, t->model, &names);
  for (int64_t i = 0; t->optimizer->array(t->state, i, &array); i++)
    list_flat(l, put_name(&names, "state.", array.name), array.dtype, array.count, array.values);
  progress_write(l->progress, &t->progress);
  list_flat(l, "progress", LSQNET_F64, PROGRESS_NUMBERS, l->progress);
done:
  return st;
}

static void listing_close(listing *l, const lsqnet_context *context) {
  lsq_free(context, l->arrays);
  lsq_free(context, l->counts);
  lsq_free(context, l->names);
}

/* Saving. */

static lsqnet_status write_state(const void *subject, lsqnet_write_fn write, void *user) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = subject;
  listing l = {.count = 0};
  lsq_text texts[OWN_TEXTS + LSQ_RUN_TEXTS] = {{"format", FORMAT}, {"lsqnet.version", FORMAT_VERSION}};
  LSQ_TRY(lsq_run_describe(texts + OWN_TEXTS, t));
  LSQ_TRY(listing_open(&l, t));
  LSQ_TRY(lsq_safetensors_write(t->context, texts, OWN_TEXTS + LSQ_RUN_TEXTS, l.arrays, l.count, write, user));
done:
  lsq_run_describe_free(texts + OWN_TEXTS, t->context);
  listing_close(&l, t->context);
  return st;
}

lsqnet_status lsq_trainer_save(const lsqnet_trainer *trainer, const char *path) {
  return lsq_replace_file(path, write_state, trainer);
}

/* Resuming. */

static lsqnet_status check_format(const lsq_archive *archive) {
  const char *format = lsq_archive_text(archive, "format"), *version = lsq_archive_text(archive, "lsqnet.version");
  char quoted[LSQ_QUOTED];
  if (format == NULL || strcmp(format, FORMAT) != 0)
    return lsq_fail(LSQNET_E_FORMAT, "it holds no training run: its __metadata__ has no \"format\": \"%s\"", FORMAT);
  if (version == NULL || strcmp(version, FORMAT_VERSION) != 0)
    return lsq_fail(LSQNET_E_FORMAT, "lsqnet.version is \"%s\": this library continues runs of version %s",
                    lsq_quote(quoted, version != NULL ? version : ""), FORMAT_VERSION);
  return LSQNET_OK;
}

/* The archive's array for one of the listing. */
static lsqnet_status match(const lsq_array **out, const lsq_archive *archive, const lsq_values *wanted) {
  char quoted[LSQ_QUOTED], shape[LSQ_QUOTED], its[LSQ_QUOTED];
  const lsq_array *array = lsq_archive_find(archive, wanted->name);
  *out = array;
  lsq_shape_text(shape, wanted->rank, wanted->shape);
  if (array == NULL)
    return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" of shape %s is missing", lsq_quote(quoted, wanted->name), shape);
  if (array->rank != wanted->rank || memcmp(array->shape, wanted->shape, (size_t)array->rank * sizeof *array->shape))
    return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" has shape %s, not %s", lsq_quote(quoted, wanted->name),
                    lsq_shape_text(its, array->rank, array->shape), shape);
  if (lsq_array_dtype(array) != wanted->dtype)
    return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" is %s, not F%s", lsq_quote(quoted, wanted->name), array->dtype,
                    wanted->dtype == LSQNET_F64 ? "64" : "32");
  return LSQNET_OK;
}

static void read_values(const lsq_array *array, void *values) {
  if (lsq_array_dtype(array) == LSQNET_F64)
    lsq_array_read_f64(array, values);
  else
    lsq_array_read_f32(array, values);
}

static lsqnet_status check_finite(const lsq_array *array, const void *values) {
  char quoted[LSQ_QUOTED];
  for (int64_t i = 0; i < array->count; i++) {
    const double value =
        lsq_array_dtype(array) == LSQNET_F64 ? ((const double *)values)[i] : ((const float *)values)[i];
    if (!isfinite(value))
      return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\": element %lld is %g", lsq_quote(quoted, array->name),
                      (long long)i, value);
  }
  return LSQNET_OK;
}

/* Reads the parameters into `weights`, laid out as the model's. */
static lsqnet_status read_weights(const listing *l, const lsq_archive *archive, const lsqnet_model *model,
                                  char *weights, size_t bytes) {
  lsqnet_status st = LSQNET_OK;
  const lsq_array *array = NULL;
  for (int64_t i = 0; i < model->parameter_count; i++) {
    char *place = weights + (size_t)model->parameters[i].offset * bytes;
    LSQ_TRY(match(&array, archive, &l->arrays[i]));
    read_values(array, place);
    LSQ_TRY(check_finite(array, place));
  }
done:
  return st;
}

static lsqnet_status read_state(const listing *l, const lsq_archive *archive, lsqnet_trainer *t) {
  lsqnet_status st = LSQNET_OK;
  const lsq_array *array = NULL;
  lsq_state_array state;
  double progress[PROGRESS_NUMBERS];
  const lsq_values *next = l->arrays + t->model->parameter_count;
  for (int64_t i = 0; t->optimizer->array(t->state, i, &state); i++) {
    LSQ_TRY(match(&array, archive, next++));
    read_values(array, state.values);
  }
  if (t->optimizer->check != NULL) LSQ_TRY(t->optimizer->check(t->state));
  LSQ_TRY(match(&array, archive, next));
  read_values(array, progress);
  LSQ_TRY(progress_read(&t->progress, progress));
  judge_end(&t->progress, &t->options);
  if (archive->count != l->count)
    st = lsq_fail(LSQNET_E_FORMAT, "it has %lld tensors, but the run %lld", (long long)archive->count,
                  (long long)l->count);
done:
  return st;
}

/* Fills the trainer, and only when nothing can fail any more the model. */
static lsqnet_status restore(lsqnet_trainer *t, const lsq_archive *archive) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *m = t->model;
  const size_t bytes = m->weights_f64 != NULL ? sizeof(double) : sizeof(float);
  listing l = {.count = 0};
  char *weights = NULL;
  LSQ_TRY(listing_open(&l, t));
  LSQ_TRY(lsq_alloc(t->context, &weights, m->weight_count, bytes));
  LSQ_TRY(read_weights(&l, archive, m, weights, bytes));
  LSQ_TRY(read_state(&l, archive, t));
  memcpy(weights_at(m, 0), weights, (size_t)m->weight_count * bytes);
done:
  listing_close(&l, t->context);
  lsq_free(t->context, weights);
  return st;
}

lsqnet_status lsq_trainer_resume(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                 const lsqnet_train_options *options, const char *path) {
  lsqnet_status st = LSQNET_OK;
  lsq_archive archive = {.context = model->context};
  lsqnet_trainer *trainer = NULL;
  unsigned char *bytes = NULL;
  uint64_t size = 0;
  *out = NULL;
  LSQ_TRY(lsq_trainer_create(&trainer, model, task, options));
  LSQ_TRY(lsq_read_file(model->context, path, &bytes, &size));
  LSQ_TRY(lsq_archive_open(&archive, model->context, bytes, size));
  LSQ_TRY(check_format(&archive));
  LSQ_TRY(lsq_run_compare(&archive, trainer));
  LSQ_TRY(restore(trainer, &archive));
  *out = trainer;
  trainer = NULL;
done:
  lsq_trainer_destroy(trainer);
  lsq_archive_close(&archive);
  lsq_free(model->context, bytes);
  return st;
}
