#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "tasks/task.h"
#include "train/schedule.h"

static const lsq_optimizer *const optimizers[] = {&lsq_adam, &lsq_adamw, &lsq_sgd, &lsq_levenberg_marquardt,
                                                  &lsq_gauss_newton_cg};

lsqnet_status lsq_optimizer_find(const char *name, const lsq_optimizer **out) {
  for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
    if (strcmp(optimizers[i]->name, name) == 0) {
      *out = optimizers[i];
      return LSQNET_OK;
    }
  return lsq_fail(LSQNET_E_ARGUMENT,
                  "optimizer=\"%s\": it must be adam, adamw, sgd, levenberg_marquardt or "
                  "gauss_newton_cg",
                  name);
}

/* Streams other than the steps' own begin beyond all that a run can do. */
uint64_t lsq_data_step(int stream, uint64_t step) { return ((uint64_t)stream << 56) + step; }

lsqnet_status lsq_trainer_check_shapes(const lsqnet_model *model, const lsqnet_task_shape *s) {
  const lsqnet_model_options *o = &model->options;
  if (s->rows <= o->rows && s->in_width == o->in_width && s->scored_first + s->scored <= o->out_width) return LSQNET_OK;
  return lsq_fail(
      LSQNET_E_SHAPE,
      "the task has %lld rows, %lld channels in and %lld out; the model takes %lld rows, %lld channels in and "
      "%lld out",
      (long long)s->rows, (long long)s->in_width, (long long)s->out_width, (long long)o->rows, (long long)o->in_width,
      (long long)o->out_width);
}

static lsqnet_status check_start(const char *name, int64_t start, const char *of_task, int64_t end) {
  if (start <= end) return LSQNET_OK;
  return lsq_fail(LSQNET_E_ARGUMENT, "%s=%lld: the task has %s=%lld", name, (long long)start, of_task, (long long)end);
}

static lsqnet_status check_curriculum(const lsqnet_task *task, const lsqnet_train_options *o) {
  lsqnet_status st = LSQNET_OK;
  if (task->kind == NULL) return LSQNET_OK; /* a host's task has neither */
  LSQ_TRY(check_start("dims_start", o->dims_start, "dim", task->options.dim));
  LSQ_TRY(check_start("rows_start", o->rows_start, "rows", task->options.rows));
done:
  return st;
}

static int64_t count_trained(const lsqnet_model *model) {
  int64_t count = 0;
  for (int64_t i = 0; i < model->parameter_count; i++)
    if (!model->parameters[i].frozen) count += model->parameters[i].count;
  return count;
}

lsqnet_status lsq_trainer_create(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                 const lsqnet_train_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_trainer *trainer = NULL;
  const lsq_schedule *schedule = NULL;
  *out = NULL;
  LSQ_TRY(lsq_trainer_check_shapes(model, &task->shape));
  LSQ_TRY(check_curriculum(task, options));
  LSQ_TRY(lsq_alloc(model->context, &trainer, 1, sizeof *trainer));
  trainer->context = lsq_context_hold(model->context);
  trainer->model = lsq_model_hold(model);
  trainer->task = lsq_task_hold(task);
  trainer->shape = task->shape;
  trainer->options = *options;
  trainer->trained_count = count_trained(model);
  trainer->progress = (lsqnet_progress){.size = sizeof trainer->progress, .metric = 1.0, .fresh_loss = NAN};
  if (trainer->trained_count == 0) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "all weights of the model are frozen: there is nothing to train");
    goto done;
  }
  LSQ_TRY(lsq_schedule_find(options->schedule, &schedule));
  trainer->options.schedule = schedule->name;
  LSQ_TRY(lsq_optimizer_find(options->optimizer, &trainer->optimizer));
  trainer->options.optimizer = trainer->optimizer->name;
  LSQ_TRY(trainer->optimizer->create(trainer, &trainer->state));
  *out = trainer;
  trainer = NULL;
done:
  lsq_trainer_destroy(trainer);
  return st;
}

void lsq_trainer_destroy(lsqnet_trainer *trainer) {
  if (trainer == NULL) return;
  lsqnet_context *context = trainer->context;
  if (trainer->optimizer != NULL) trainer->optimizer->destroy(trainer, trainer->state);
  lsqnet_task_destroy(trainer->task);
  lsqnet_model_destroy(trainer->model);
  lsq_free(context, trainer);
  lsqnet_context_destroy(context);
}

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

lsqnet_status lsq_trainer_step(lsqnet_trainer *trainer) {
  if (trainer->progress.ended != LSQNET_TRAIN_GOING) return LSQNET_OK;
  const double begin = now();
  lsqnet_status st = lsq_model_change(trainer->model);
  if (st != LSQNET_OK) return st;
  st = trainer->optimizer->step(trainer, trainer->state);
  lsq_model_leave(trainer->model);
  trainer->progress.seconds += now() - begin;
  if (st != LSQNET_OK) return st;
  trainer->progress.step++;
  if (trainer->progress.ended == LSQNET_TRAIN_GOING && trainer->progress.step >= trainer->options.steps)
    trainer->progress.ended = LSQNET_TRAIN_STEPS;
  return LSQNET_OK;
}

/* Lets no failure go without a message. */
static lsqnet_status call(lsqnet_progress_fn callback, void *user, const lsqnet_progress *progress) {
  const uint64_t messages = lsq_message_number();
  const lsqnet_status st = callback(user, progress);
  if (st == LSQNET_OK || lsq_message_number() != messages) return st;
  return lsq_fail(st, "step %lld: the progress callback ended the run with %s", (long long)progress->step,
                  lsqnet_status_name(st));
}

lsqnet_status lsq_trainer_run(lsqnet_trainer *trainer, lsqnet_progress_fn callback, void *user) {
  lsqnet_status st = LSQNET_OK;
  while (trainer->progress.ended == LSQNET_TRAIN_GOING) {
    LSQ_TRY(lsq_trainer_step(trainer));
    if (callback == NULL) continue;
    LSQ_TRY(call(callback, user, &trainer->progress));
  }
done:
  return st;
}
