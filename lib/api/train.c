#include <float.h>
#include <lsqnet/train.h>
#include <stddef.h>

#include "base/arithmetic.h"
#include "base/sized.h"
#include "train/trainer.h"

static const uint32_t FIRST_OPTIONS_SIZE = LSQ_SIZE_THROUGH(lsqnet_train_options, restart_scale);
static const uint32_t FIRST_PROGRESS_SIZE = LSQ_SIZE_THROUGH(lsqnet_progress, restart);

static const lsqnet_train_options DEFAULTS = {.size = sizeof(lsqnet_train_options),
                                              .fresh_batch = -1,
                                              .batch = -1,
                                              .steps = 10000,
                                              .rate = 1e-3,
                                              .beta1 = 0.9,
                                              .beta2 = 0.999,
                                              .epsilon = 1e-16,
                                              .momentum = 0.9,
                                              .clip = 100,
                                              .ema_decay = 0.98,
                                              .gamma = 0.9,
                                              .metric_decay = 0.9,
                                              .metric_threshold = 0.9,
                                              .rate_floor = 1e-10,
                                              .schedule_steps = 3000,
                                              .no_increase_steps = 1000,
                                              .metric_every = 1000,
                                              .metric_batches = 64,
                                              .memory = INT64_C(1) << 30,
                                              .optimizer = "adam",
                                              .schedule = "step",
                                              .start_steps = -1,
                                              .start_batch = 64,
                                              .start_rate = 4e-3,
                                              .restarts = 1,
                                              .restart_scale = 1};

lsqnet_status lsqnet_train_options_init(lsqnet_train_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_OPTIONS_SIZE, &DEFAULTS, sizeof DEFAULTS, "lsqnet_train_options");
}

/* Bounds of options, whether or not the optimiser uses them. */
#define BELOW_ONE (1 - DBL_EPSILON / 2)
static const struct {
  const char *name, *must;
  size_t offset;
  double least, most;
} ranges[] = {
    {"target", "at least 0 and finite", offsetof(lsqnet_train_options, target), 0, DBL_MAX},
    {"rate", "above 0 and finite", offsetof(lsqnet_train_options, rate), DBL_TRUE_MIN, DBL_MAX},
    {"beta1", "at least 0 and below 1", offsetof(lsqnet_train_options, beta1), 0, BELOW_ONE},
    {"beta2", "at least 0 and below 1", offsetof(lsqnet_train_options, beta2), 0, BELOW_ONE},
    {"epsilon", "at least 0 and finite", offsetof(lsqnet_train_options, epsilon), 0, DBL_MAX},
    {"weight_decay", "at least 0 and finite", offsetof(lsqnet_train_options, weight_decay), 0, DBL_MAX},
    {"momentum", "at least 0 and below 1", offsetof(lsqnet_train_options, momentum), 0, BELOW_ONE},
    {"clip", "at least 0 and finite", offsetof(lsqnet_train_options, clip), 0, DBL_MAX},
    {"ema_decay", "0 to 1", offsetof(lsqnet_train_options, ema_decay), 0, 1},
    {"ema_lambda", "at least 0 and finite", offsetof(lsqnet_train_options, ema_lambda), 0, DBL_MAX},
    {"gamma", "above 0 and at most 1", offsetof(lsqnet_train_options, gamma), DBL_TRUE_MIN, 1},
    {"metric_decay", "0 to 1", offsetof(lsqnet_train_options, metric_decay), 0, 1},
    {"metric_threshold", "finite", offsetof(lsqnet_train_options, metric_threshold), -DBL_MAX, DBL_MAX},
    {"rate_floor", "at least 0 and finite", offsetof(lsqnet_train_options, rate_floor), 0, DBL_MAX},
    {"l1", "at least 0 and finite", offsetof(lsqnet_train_options, l1), 0, DBL_MAX},
    {"damping", "at least 0 and finite", offsetof(lsqnet_train_options, damping), 0, DBL_MAX},
    {"start_rate", "above 0 and finite", offsetof(lsqnet_train_options, start_rate), DBL_TRUE_MIN, DBL_MAX},
    {"restart_scale", "above 0 and at most 1e6", offsetof(lsqnet_train_options, restart_scale), DBL_TRUE_MIN, 1e6},
};

#define MOST (INT64_C(1) << 40) /* so that streams of data do not meet */
static const struct {
  const char *name;
  size_t offset;
  int64_t least, most;
} counts[] = {
    {"steps", offsetof(lsqnet_train_options, steps), 1, MOST},
    {"batch", offsetof(lsqnet_train_options, batch), -1, MOST},
    {"schedule_steps", offsetof(lsqnet_train_options, schedule_steps), 1, MOST},
    {"no_increase_steps", offsetof(lsqnet_train_options, no_increase_steps), 0, MOST},
    {"metric_every", offsetof(lsqnet_train_options, metric_every), 1, MOST},
    {"metric_batches", offsetof(lsqnet_train_options, metric_batches), 2, INT64_C(1) << 15},
    {"memory", offsetof(lsqnet_train_options, memory), 1, INT64_MAX},
    {"dims_start", offsetof(lsqnet_train_options, dims_start), 0, MOST},
    {"dims_increment", offsetof(lsqnet_train_options, dims_increment), 0, MOST},
    {"dims_interval", offsetof(lsqnet_train_options, dims_interval), 0, MOST},
    {"rows_start", offsetof(lsqnet_train_options, rows_start), 0, MOST},
    {"rows_increment", offsetof(lsqnet_train_options, rows_increment), 0, MOST},
    {"rows_interval", offsetof(lsqnet_train_options, rows_interval), 0, MOST},
    {"start_steps", offsetof(lsqnet_train_options, start_steps), -1, MOST},
    {"start_batch", offsetof(lsqnet_train_options, start_batch), 1, MOST},
    {"restarts", offsetof(lsqnet_train_options, restarts), 1, 1000},
};

static lsqnet_status check_numbers(const lsqnet_train_options *o) {
  const char *bytes = (const char *)o;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    const double value = *(const double *)(const void *)(bytes + ranges[i].offset);
    if (!(value >= ranges[i].least && value <= ranges[i].most))
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%g: must be %s", ranges[i].name, value, ranges[i].must);
  }
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    const int64_t value = *(const int64_t *)(const void *)(bytes + counts[i].offset);
    if (value < counts[i].least || value > counts[i].most)
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%lld: must be %lld to %lld", counts[i].name, (long long)value,
                      (long long)counts[i].least, (long long)counts[i].most);
  }
  if (o->batch == 0) return lsq_fail(LSQNET_E_ARGUMENT, "batch=0: must be at least 1, or -1 for the default");
  return LSQNET_OK;
}

static lsqnet_status check_interval(const char *name, int64_t start, int64_t interval) {
  if (start == 0 || interval > 0) return LSQNET_OK;
  return lsq_fail(LSQNET_E_ARGUMENT, "%s_start=%lld %s_interval=0: a curriculum needs an interval", name,
                  (long long)start, name);
}

static lsqnet_status check_options(const lsqnet_train_options *o) {
  lsqnet_status st = LSQNET_OK;
  if (o->fresh_batch < -1 || o->fresh_batch > 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "fresh_batch=%ld: must be -1, 0 or 1", (long)o->fresh_batch);
  LSQ_TRY(check_numbers(o));
  LSQ_TRY(check_interval("dims", o->dims_start, o->dims_interval));
  LSQ_TRY(check_interval("rows", o->rows_start, o->rows_interval));
  if (o->optimizer == NULL || o->schedule == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", o->optimizer == NULL ? "optimizer" : "schedule");
done:
  return st;
}

/* What create and resume check first. */
static lsqnet_status begin(lsqnet_train_options *known, lsqnet_trainer **out, const lsqnet_model *model,
                           const lsqnet_task *task, const lsqnet_train_options *options) {
  lsqnet_status st = LSQNET_OK;
  *known = DEFAULTS;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "out is NULL");
  *out = NULL;
  if (model == NULL || task == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", model == NULL ? "model" : "task");
  if (options == NULL) return LSQNET_OK;
  LSQ_TRY(lsq_sized_read(known, sizeof *known, FIRST_OPTIONS_SIZE, options, "lsqnet_train_options"));
  LSQ_TRY(check_options(known));
  LSQ_TRY(lsq_check_arithmetic());
done:
  return st;
}

lsqnet_status lsqnet_trainer_create(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                    const lsqnet_train_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_train_options known;
  LSQ_TRY(begin(&known, out, model, task, options));
  LSQ_TRY(lsq_trainer_create(out, model, task, &known));
done:
  return lsq_within(st, "lsqnet_trainer_create");
}

void lsqnet_trainer_destroy(lsqnet_trainer *trainer) {
  if (trainer != NULL && !lsq_goes_later(&trainer->users)) lsq_trainer_destroy(trainer);
}

lsqnet_status lsqnet_trainer_step(lsqnet_trainer *trainer, lsqnet_progress *progress) {
  if (trainer == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_trainer_step: trainer is NULL");
  if (progress != NULL && progress->size < FIRST_PROGRESS_SIZE)
    return lsq_fail(LSQNET_E_VERSION, "lsqnet_trainer_step: progress->size=%lu: the first release's has %lu",
                    (unsigned long)progress->size, (unsigned long)FIRST_PROGRESS_SIZE);
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_use_alone(&trainer->users, "trainer"));
  st = lsq_check_arithmetic();
  if (st == LSQNET_OK) st = lsq_trainer_step(trainer);
  if (progress != NULL)
    (void)lsq_sized_write(progress, progress->size, FIRST_PROGRESS_SIZE, &trainer->progress, sizeof trainer->progress,
                          "lsqnet_progress");
  if (lsq_leave(&trainer->users)) lsqnet_trainer_destroy(trainer);
done:
  return st;
}

lsqnet_status lsqnet_trainer_run(lsqnet_trainer *trainer, lsqnet_progress_fn callback, void *user) {
  if (trainer == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_trainer_run: trainer is NULL");
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_use_alone(&trainer->users, "trainer"));
  st = lsq_trainer_run(trainer, callback, user);
  if (lsq_leave(&trainer->users)) lsqnet_trainer_destroy(trainer);
done:
  return st;
}

lsqnet_status lsqnet_evaluate(const lsqnet_model *model, const lsqnet_task *task, uint64_t seed, int64_t batch,
                              double *mse, double *mean_square) {
  if (model == NULL || task == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_evaluate: %s is NULL", model == NULL ? "model" : "task");
  if (batch < 1 || batch > MOST)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_evaluate: batch=%lld: must be 1 to %lld", (long long)batch,
                    (long long)MOST);
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_model_read(model));
  st = lsq_evaluate(model, task, seed, batch, mse, mean_square);
  lsq_model_leave(model);
done:
  return lsq_within(st, "lsqnet_evaluate");
}

lsqnet_status lsqnet_trainer_save(const lsqnet_trainer *trainer, const char *path) {
  if (trainer == NULL || path == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_trainer_save: %s is NULL", trainer == NULL ? "trainer" : "path");
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_check_arithmetic());         /* numbers are printed */
  LSQ_TRY(lsq_model_read(trainer->model)); /* not in the midst of a step */
  st = lsq_trainer_save(trainer, path);
  lsq_model_leave(trainer->model);
done:
  return lsq_within(st, "%s", path);
}

lsqnet_status lsqnet_trainer_resume(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                    const lsqnet_train_options *options, const char *path) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_train_options known;
  LSQ_TRY(lsq_within(begin(&known, out, model, task, options), "lsqnet_trainer_resume"));
  if (path == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_trainer_resume: path is NULL");
  LSQ_TRY(lsq_within(lsq_model_change(model), "lsqnet_trainer_resume"));
  st = lsq_within(lsq_trainer_resume(out, model, task, &known, path), "%s", path);
  lsq_model_leave(model);
done:
  return st;
}
