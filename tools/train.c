/* lsqnet train: a model from random weights, or from those of another one. */
#include <errno.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "decimal.h"
#include "error.h"
#include "interrupt.h"
#include "json.h"
#include "progress.h"
#include "train_log.h"
#include "train_model.h"
#include "train_settings.h"

/* Data of the final measurement come from a seed that the run does not use. */
#define MEASURING_SEED(seed) (~(uint64_t)(seed))

typedef struct {
  train_settings settings;
  lsqnet_context *context;
  lsqnet_task *task;
  lsqnet_model *model;
  lsqnet_trainer *trainer;
  lsqnet_progress progress;
  train_log log;
  int log_code; /* that of a log that could not be written to its end */
  progress_line line;
  char *own_checkpoint; /* its name, where none is given: it goes when the model is written */
  double saved;         /* when the last checkpoint was written, or tried */
} training;

/* Hours of work must not end at a folder that is not there. */
static int check_folder(const char *path) {
  char *folder = strdup(path);
  int code = CODE_DONE;
  if (folder == NULL) return fail_memory("a file name");
  char *slash = strrchr(folder, '/');
  if (slash != NULL) *slash = '\0';
  if (access(slash == NULL ? "." : slash == folder ? "/" : folder, W_OK | X_OK) != 0) {
    code = fail_at(CODE_OTHER, path, 0, "cannot write into its folder: %s", strerror(errno));
  }
  free(folder);
  return code;
}

static int name_checkpoint(training *t) {
  static const char ending[] = ".checkpoint";
  const size_t room = strlen(t->settings.out) + sizeof ending;
  t->own_checkpoint = malloc(room);
  if (t->own_checkpoint == NULL) return fail_memory("a file name");
  snprintf(t->own_checkpoint, room, "%s%s", t->settings.out, ending);
  t->settings.checkpoint = t->own_checkpoint;
  return CODE_DONE;
}

static int create_trainer(training *t) {
  const train_settings *s = &t->settings;
  lsqnet_status st;
  if (s->resume) {
    st = lsqnet_trainer_resume(&t->trainer, t->model, t->task, &s->train, s->checkpoint);
    return st == LSQNET_OK ? CODE_DONE : fail_library(CODE_INPUT, st, s->checkpoint);
  }
  st = lsqnet_trainer_create(&t->trainer, t->model, t->task, &s->train);
  return st == LSQNET_OK ? CODE_DONE : fail_library(CODE_USAGE, st, NULL);
}

static int prepare(training *t) {
  int code = CODE_DONE;
  train_settings *s = &t->settings;
  TRY(check_folder(s->out));
  if (s->checkpoint == NULL) TRY(name_checkpoint(t));
  TRY(check_folder(s->checkpoint));
  TRY(context_open(&t->context, &s->machine));
  const lsqnet_status st = lsqnet_task_create(&t->task, t->context, &s->task);
  if (st != LSQNET_OK) return fail_library(CODE_USAGE, st, NULL);
  TRY(train_model_create(&t->model, t->context, t->task, s));
  TRY(create_trainer(t));
  t->log = (train_log){.path = s->log, .init = s->init, .every = s->log_every, .seconds = s->log_seconds};
done:
  return code;
}

static lsqnet_status save_checkpoint(training *t) {
  t->saved = seconds_now();
  return lsqnet_trainer_save(t->trainer, t->settings.checkpoint);
}

/* The run goes on without it: the last good checkpoint is still there. */
static void save_now_and_then(training *t) {
  if (seconds_now() - t->saved < t->settings.checkpoint_seconds) return;
  const lsqnet_status st = save_checkpoint(t);
  if (st == LSQNET_OK) return;
  progress_end(&t->line);
  fprintf(stderr, "lsqnet: no checkpoint at step %lld, the run goes on: %s\n", (long long)t->progress.step,
          lsqnet_last_message());
}

static int fail_interrupted(training *t) {
  progress_end(&t->line);
  const long long step = (long long)t->progress.step;
  const char *path = t->settings.checkpoint;
  const lsqnet_status st = save_checkpoint(t);
  if (st != LSQNET_OK) {
    return fail(CODE_OTHER, "interrupted at step %lld, and no checkpoint: %s", step, lsqnet_last_message());
  }
  return fail(CODE_OTHER, "interrupted at step %lld; %s holds the run: --resume goes on", step, path);
}

static const char *reason(int32_t ended) {
  static const char *const reasons[] = {"going", "target", "steps", "floor"};
  return ended >= 0 && ended < 4 ? reasons[ended] : "unknown";
}

static const char *reason_text(int32_t ended) {
  static const char *const texts[] = {"it is not over", "the target is reached on fresh data",
                                      "the most steps are done", "the loss stays at the level of roundings"};
  return ended >= 0 && ended < 4 ? texts[ended] : "for a reason unknown";
}

static int print_text(const training *t, double mse, double mean_square) {
  char loss[DECIMAL_TEXT];
  decimal_write(loss, mse);
  printf("%lld steps in %.1f s; ended: %s.\n", (long long)t->progress.step, t->progress.seconds,
         reason_text(t->progress.ended));
  if (t->progress.skipped > 0)
    printf("%lld steps had no finite gradient and were passed over.\n", (long long)t->progress.skipped);
  printf("Loss on %lld fresh samples %.3g, the targets' mean square is %.3g.\n", (long long)t->settings.samples, mse,
         mean_square);
  printf("Written to %s.\n", t->settings.out);
  return CODE_DONE;
}

static int print_json(const training *t, const char *ended, double mse, double mean_square) {
  return json_print(json_pack("{s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:i, s:s}", "out",
                              json_text(t->settings.out), "task", json_text(t->settings.task.name), "steps",
                              (json_int_t)t->progress.step, "ended", ended, "loss", json_number(t->progress.loss),
                              "mse", json_number(mse), "mean_square", json_number(mean_square), "seconds",
                              json_number(t->progress.seconds), "skipped", (json_int_t)t->progress.skipped, "seed",
                              (json_int_t)t->settings.seed, "threads", (int)lsqnet_context_threads(t->context), "level",
                              level_name(lsqnet_context_kernel_level(t->context))));
}

/* A run that diverged leaves the weights of its last finite step. */
static int fail_step(training *t, lsqnet_status st) {
  progress_end(&t->line);
  if (st != LSQNET_E_NOT_FINITE) return fail_status(st, NULL);
  char message[512];
  snprintf(message, sizeof message, "%s", lsqnet_last_message());
  int code = train_model_set_step(t->model, t->task);
  if (code != CODE_DONE) return code;
  const lsqnet_status saved = lsqnet_model_save(t->model, t->settings.out);
  if (saved != LSQNET_OK) return fail_status(saved, t->settings.out);
  if (t->own_checkpoint != NULL) (void)unlink(t->own_checkpoint);
  if (t->settings.json) TRY(print_json(t, "diverged", NAN, NAN));
  code = fail(CODE_NOT_CONVERGED, "%s (written to %s)", message, t->settings.out);
done:
  return code;
}

/* A full disk ends the log, not the run; the exit code tells at the end. */
static void log_step(training *t) {
  if (t->log_code != CODE_DONE) return;
  t->log_code = train_log_step(&t->log, &t->progress);
}

static int step(training *t) {
  int code = CODE_DONE;
  const lsqnet_status st = lsqnet_trainer_step(t->trainer, &t->progress);
  if (st != LSQNET_OK) return fail_step(t, st);
  if (t->line.first < 0) TRY(train_log_open(&t->log, t->settings.resume ? t->progress.step - 1 : 0));
  progress_show(&t->line, &t->progress);
  log_step(t);
  save_now_and_then(t);
done:
  return code;
}

static int train(training *t) {
  int code = CODE_DONE;
  interrupts_catch();
  t->saved = seconds_now();
  t->progress.size = sizeof t->progress;
  progress_begin(&t->line, !t->settings.quiet, t->settings.train.steps);
  while (t->progress.ended == LSQNET_TRAIN_GOING && !interrupts_came()) TRY(step(t));
  if (t->progress.ended == LSQNET_TRAIN_GOING) code = fail_interrupted(t);
done:
  return code;
}

static int finish(training *t) {
  int code = CODE_DONE;
  const train_settings *s = &t->settings;
  double mse = 0, mean_square = 0;
  TRY(train_model_set_step(t->model, t->task));
  lsqnet_status st = save_checkpoint(t); /* first: a model that cannot be written is not lost then */
  if (st != LSQNET_OK && t->own_checkpoint == NULL) code = fail_library(CODE_OTHER, st, s->checkpoint);
  st = lsqnet_model_save(t->model, s->out);
  if (st != LSQNET_OK) return fail_library(CODE_OTHER, st, s->out);
  if (t->own_checkpoint != NULL) (void)unlink(t->own_checkpoint);
  if (code != CODE_DONE) return code;
  st = lsqnet_evaluate(t->model, t->task, MEASURING_SEED(s->seed), s->samples, &mse, &mean_square);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(s->json ? print_json(t, reason(t->progress.ended), mse, mean_square) : print_text(t, mse, mean_square));
  if (s->train.target > 0 && t->progress.ended != LSQNET_TRAIN_TARGET) {
    code = fail(CODE_NOT_CONVERGED, "option --target: %.3g is not reached in %lld steps", s->train.target,
                (long long)t->progress.step);
  }
  if (code == CODE_DONE) code = t->log_code;
done:
  return code;
}

int train_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  training t = {0};
  TRY(train_settings_read(&t.settings, argc, argv, &helped));
  if (helped) goto done;
  TRY(prepare(&t));
  TRY(train(&t));
  progress_end(&t.line);
  if (t.log_code == CODE_DONE) t.log_code = train_log_close(&t.log);
  TRY(finish(&t));
done:
  if (t.log.file != NULL) fclose(t.log.file);
  lsqnet_trainer_destroy(t.trainer);
  lsqnet_model_destroy(t.model);
  lsqnet_task_destroy(t.task);
  lsqnet_context_destroy(t.context);
  free(t.own_checkpoint);
  return code;
}
