/* A training as a run: words of `lsqnet train`, several learning rates, a limit of seconds for each. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../error.h"
#include "../interrupt.h"
#include "../json.h"
#include "../progress.h"
#include "../train_model.h"
#include "../train_settings.h"
#include "reproduce.h"

enum { WORDS_MOST = 96, CURVE_MOST = 400, SAMPLES = 2048 };
static const double CHECKPOINT_SECONDS = 10, CURVE_FACTOR = 1.15;

/* Data of the measurement at the end come from a seed that the run does not use. */
#define MEASURING_SEED(seed) (~(uint64_t)(seed))

typedef struct {
  reproduction *r;
  const char *key;
  double limit;
  char *text, *line; /* what the words lie in; the command as a reader would type it */
  char *out, *state; /* files: the model, the checkpoint */
  char *words[WORDS_MOST];
  int count;
  train_settings settings;
  lsqnet_task *task;  /* what is measured on */
  lsqnet_task *drawn; /* what is trained on: the same, or its rounding */
  int bits;
  lsqnet_task_shape shape;
  lsqnet_model *model;
  lsqnet_trainer *trainer;
  lsqnet_progress progress;
  double seconds[CURVE_MOST], loss[CURVE_MOST];
  int points;
  double saved, shown;
} trial;

static void trial_close(trial *t) {
  lsqnet_trainer_destroy(t->trainer);
  lsqnet_model_destroy(t->model);
  lsqnet_task_destroy(t->drawn);
  lsqnet_task_destroy(t->task);
  free(t->text);
  free(t->line);
  free(t->out);
  free(t->state);
}

static int split_words(trial *t) {
  t->words[t->count++] = (char[]){"train"};
  for (char *word = strtok(t->text, " "); word != NULL; word = strtok(NULL, " ")) {
    if (t->count == WORDS_MOST) return fail(CODE_OTHER, "%s: more than %d words", t->key, WORDS_MOST);
    t->words[t->count++] = word;
  }
  return CODE_DONE;
}

static int describe(trial *t, const training_request *request, const char *rate) {
  const size_t room = strlen(request->words) + strlen(request->key) + strlen(rate) + 64;
  char rest[256];
  t->line = malloc(room);
  snprintf(rest, sizeof rest, ".%s.safetensors", t->key);
  t->out = runs_path(t->r, rest);
  snprintf(rest, sizeof rest, ".%s.state", t->key);
  t->state = runs_path(t->r, rest);
  if (t->line == NULL || t->out == NULL || t->state == NULL) return fail_memory("a command");
  snprintf(t->line, room, "%s%s%s --out %s.safetensors", request->words, *rate == '\0' ? "" : " --rate ", rate, t->key);
  t->text = strdup(t->line);
  return t->text == NULL ? fail_memory("a command") : split_words(t);
}

double rounded(double x, int bits) {
  int exponent = 0;
  if (bits == 0 || x == 0 || !isfinite(x)) return x;
  const double part = frexp(x, &exponent);
  return ldexp(rint(ldexp(part, bits)), exponent - bits);
}

static lsqnet_status draw_rounded(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                  double *target) {
  const trial *t = user;
  const lsqnet_status st = lsqnet_task_draw_f64(t->task, seed, step, first, count, x, target);
  for (int64_t i = 0; i < count * t->shape.rows * t->shape.in_width; i++) x[i] = rounded(x[i], t->bits);
  for (int64_t i = 0; i < count * t->shape.count * t->shape.scored; i++) target[i] = rounded(target[i], t->bits);
  return st;
}

static int create_tasks(trial *t) {
  lsqnet_status st = lsqnet_task_create(&t->task, t->r->context, &t->settings.task);
  if (st == LSQNET_OK) st = lsqnet_task_get_shape(t->task, &t->shape, sizeof t->shape);
  if (st == LSQNET_OK && t->bits > 0) {
    st = lsqnet_task_create_custom(&t->drawn, t->r->context, "rounded", &t->shape, draw_rounded, t);
  }
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, t->key);
}

static int prepare(trial *t) {
  int code = CODE_DONE, helped = 0;
  train_settings *s = &t->settings;
  TRY(train_settings_read(s, t->count, t->words, &helped));
  TRY(create_tasks(t));
  TRY(train_model_create(&t->model, t->r->context, t->task, s));
  lsqnet_status st = LSQNET_OK;
  lsqnet_task *drawn = t->bits > 0 ? t->drawn : t->task;
  if (access(t->state, F_OK) == 0) {
    st = lsqnet_trainer_resume(&t->trainer, t->model, drawn, &s->train, t->state);
  } else {
    st = lsqnet_trainer_create(&t->trainer, t->model, drawn, &s->train);
  }
  if (st != LSQNET_OK) return fail_status(st, t->key);
done:
  return code;
}

/* Fresh data where the trainer measured on them, in Gauss-Newton; a batch of first-order steps is fresh itself. */
static void note_point(trial *t) {
  const lsqnet_progress *p = &t->progress;
  const int newton = p->damping > 0;
  const double loss = newton && isfinite(p->fresh_loss) ? p->fresh_loss : p->loss;
  const double last = t->points > 0 ? t->seconds[t->points - 1] : 0;
  if (t->points == CURVE_MOST || (!newton && p->seconds < CURVE_FACTOR * last) || !isfinite(loss)) return;
  t->seconds[t->points] = p->seconds;
  t->loss[t->points++] = loss;
}

static void show(trial *t) {
  const double now = seconds_now();
  if (t->r->quiet || !isatty(STDERR_FILENO) || now < t->shown + 0.2) return;
  t->shown = now;
  fprintf(stderr, "\r%s %s: %.0f of at most %.0f s, step %lld, loss %.2e\033[K", t->r->experiment->name, t->key,
          t->progress.seconds, t->limit, (long long)t->progress.step, t->progress.loss);
}

static int save_state(trial *t) {
  t->saved = seconds_now();
  const lsqnet_status st = lsqnet_trainer_save(t->trainer, t->state);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, t->state);
}

static int train(trial *t) {
  int code = CODE_DONE;
  t->saved = seconds_now();
  t->progress.size = sizeof t->progress;
  while (t->progress.ended == LSQNET_TRAIN_GOING && t->progress.seconds < t->limit && !interrupts_came()) {
    const lsqnet_status st = lsqnet_trainer_step(t->trainer, &t->progress);
    if (st == LSQNET_E_NOT_FINITE) break; /* it diverged: its weights are the last finite ones */
    if (st != LSQNET_OK) return fail_status(st, t->key);
    note_point(t);
    show(t);
    if (seconds_now() > t->saved + CHECKPOINT_SECONDS) TRY(save_state(t));
  }
  if (interrupts_came()) {
    TRY(save_state(t));
    code = fail(CODE_OTHER, "interrupted: the same command goes on from here");
  }
done:
  return code;
}

int64_t trained_weights(const lsqnet_model *model) {
  int64_t count = 0;
  lsqnet_parameter p = {.size = sizeof p};
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    if (lsqnet_model_get_parameter(model, i, &p, sizeof p) == LSQNET_OK && !p.frozen) count += p.count;
  }
  return count;
}

static json_t *trial_json(const trial *t, double mse, double mean_square) {
  static const char *const reasons[] = {"time", "target", "steps", "floor"};
  const int32_t ended = t->progress.ended;
  json_t *run = json_pack(
      "{s:s, s:s, s:s, s:I, s:I, s:o, s:i, s:o, s:o, s:o, s:s}", "command", t->line, "optimizer",
      t->settings.train.optimizer, "precision", t->settings.model.dtype == LSQNET_F32 ? "f32" : "f64", "parameters",
      (json_int_t)trained_weights(t->model), "steps", (json_int_t)t->progress.step, "seconds",
      json_number(t->progress.seconds), "tries", 1, "mse", json_number(mse), "mean_square", json_number(mean_square),
      "relative", json_number(mse / mean_square), "ended", reasons[ended >= 0 && ended < 4 ? ended : 0]);
  json_t *seconds = numbers_json(t->seconds, t->points), *loss = numbers_json(t->loss, t->points);
  if (run == NULL || json_object_set_new(run, "curve_seconds", seconds) != 0 ||
      json_object_set_new(run, "curve_loss", loss) != 0) {
    json_decref(run);
    return NULL;
  }
  return run;
}

static int finish(trial *t) {
  int code = CODE_DONE;
  double mse = NAN, mean_square = NAN;
  TRY(train_model_set_step(t->model, t->task));
  lsqnet_status st = lsqnet_model_save(t->model, t->out);
  if (st == LSQNET_OK) {
    st = lsqnet_evaluate(t->model, t->task, MEASURING_SEED(t->settings.seed), SAMPLES, &mse, &mean_square);
  }
  if (st != LSQNET_OK) return fail_status(st, t->out);
  TRY(runs_add(t->r, t->key, trial_json(t, mse, mean_square)));
  (void)unlink(t->state);
  if (!t->r->quiet && isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
  tell(t->r, "%s: mse %.2e, %lld steps, %.1f s", t->key, mse, (long long)t->progress.step, t->progress.seconds);
done:
  return code;
}

static int try_rate(reproduction *r, const training_request *request, const char *key, const char *rate) {
  int code = CODE_DONE;
  trial *t = calloc(1, sizeof *t);
  if (runs_find(r, key) != NULL) goto done;
  if (t == NULL) return fail_memory("a training");
  t->r = r;
  t->key = key;
  t->limit = request->seconds;
  t->bits = request->bits;
  TRY(describe(t, request, rate));
  TRY(prepare(t));
  TRY(train(t));
  TRY(finish(t));
done:
  if (t != NULL) trial_close(t);
  free(t);
  return code;
}

/* The best try becomes the run, with the seconds of all of them. */
static int keep_best(reproduction *r, const training_request *request, const char *best, double seconds, int tries) {
  json_t *run = json_deep_copy(runs_find(r, best));
  if (run == NULL || json_object_del(run, "key") != 0 || json_object_set_new(run, "best", json_string(best)) != 0 ||
      json_object_set_new(run, "seconds", json_number(seconds)) != 0 ||
      json_object_set_new(run, "tries", json_integer(tries)) != 0) {
    json_decref(run);
    return fail_memory("a run");
  }
  return runs_add(r, request->key, run);
}

static int try_rates(reproduction *r, const training_request *request) {
  int code = CODE_DONE, tries = 0;
  double seconds = 0, least = INFINITY;
  char key[128], best[128] = "", *rates = strdup(request->rates), *rest = NULL;
  if (rates == NULL) return fail_memory("learning rates");
  for (char *rate = strtok_r(rates, ",", &rest); rate != NULL; rate = strtok_r(NULL, ",", &rest)) {
    snprintf(key, sizeof key, "%s@%s", request->key, rate);
    TRY(try_rate(r, request, key, rate));
    const json_t *run = runs_find(r, key);
    const double mse = run_number(run, "mse");
    seconds += run_number(run, "seconds");
    tries++;
    if (*best != '\0' && !(mse < least)) continue;
    least = mse;
    snprintf(best, sizeof best, "%s", key);
  }
  TRY(keep_best(r, request, best, seconds, tries));
done:
  free(rates);
  return code;
}

static int load(reproduction *r, const char *key, lsqnet_model **model) {
  char rest[256];
  const char *best = json_string_value(json_object_get(runs_find(r, key), "best"));
  snprintf(rest, sizeof rest, ".%s.safetensors", best == NULL ? key : best);
  char *path = runs_path(r, rest);
  if (path == NULL) return fail_memory("a file name");
  const lsqnet_status st = lsqnet_model_load(model, r->context, path, NULL);
  const int code = st == LSQNET_OK ? CODE_DONE : fail_status(st, path);
  free(path);
  return code;
}

int train_run(reproduction *r, const training_request *request, lsqnet_model **model) {
  int code = CODE_DONE;
  if (runs_find(r, request->key) == NULL) {
    TRY(request->rates == NULL ? try_rate(r, request, request->key, "") : try_rates(r, request));
  }
  if (model != NULL) TRY(load(r, request->key, model));
done:
  return code;
}
