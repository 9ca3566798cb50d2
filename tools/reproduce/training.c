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
#include "curve.h"
#include "reproduce.h"

enum { WORDS_MOST = 96, SAMPLES = 2048 };

/* Data of the measurement at the end come from a seed that the run does not use. */
#define MEASURING_SEED(seed) (~(uint64_t)(seed))

typedef struct {
  reproduction *r;
  const char *key;
  double limit;
  char *text, *line;          /* what the words lie in; the command as a reader would type it */
  char *out, *state, *course; /* files: the model, the checkpoint, the curve until then */
  char *init;                 /* the model that it begins with, or NULL */
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
  curve curve;
  int resumed;
  double saved;
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
  free(t->course);
  free(t->init);
}

/* `word` is KEY.safetensors: the model of another run of this experiment. */
static int find_init(trial *t, char **word) {
  char rest[256];
  snprintf(rest, sizeof rest, ".%s", *word);
  *word = t->init = runs_path(t->r, rest);
  return t->init == NULL ? fail_memory("a file name") : CODE_DONE;
}

static int split_words(trial *t) {
  int code = CODE_DONE;
  t->words[t->count++] = (char[]){"train"};
  for (char *word = strtok(t->text, " "); word != NULL; word = strtok(NULL, " ")) {
    if (t->count == WORDS_MOST) return fail(CODE_OTHER, "%s: more than %d words", t->key, WORDS_MOST);
    if (strcmp(t->words[t->count - 1], "--init") == 0) TRY(find_init(t, &word));
    t->words[t->count++] = word;
  }
done:
  return code;
}

static int describe(trial *t, const training_request *request, const char *rate) {
  const size_t room = strlen(request->words) + strlen(request->key) + strlen(rate) + 64;
  char rest[256];
  t->line = malloc(room);
  snprintf(rest, sizeof rest, ".%s.safetensors", t->key);
  t->out = runs_path(t->r, rest);
  snprintf(rest, sizeof rest, ".%s.state", t->key);
  t->state = runs_path(t->r, rest);
  snprintf(rest, sizeof rest, ".%s.curve", t->key);
  t->course = runs_path(t->r, rest);
  if (t->line == NULL || t->out == NULL || t->state == NULL || t->course == NULL) return fail_memory("a command");
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

static int read_curve(trial *t) {
  json_error_t error;
  json_t *file = json_load_file(t->course, 0, &error);
  if (file == NULL) return fail_at(CODE_INPUT, t->course, error.line, "%s", error.text);
  const int code = curve_take(&t->curve, file, t->course);
  json_decref(file);
  return code;
}

static int prepare(trial *t) {
  int code = CODE_DONE, helped = 0;
  train_settings *s = &t->settings;
  TRY(train_settings_read(s, t->count, t->words, &helped));
  TRY(create_tasks(t));
  TRY(train_model_create(&t->model, t->r->context, t->task, s));
  lsqnet_status st = LSQNET_OK;
  lsqnet_task *drawn = t->bits > 0 ? t->drawn : t->task;
  if (access(t->state, F_OK) == 0 && access(t->course, F_OK) == 0) {
    t->resumed = 1;
    TRY(read_curve(t));
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
  curve_note(&t->curve, p->step, p->seconds, loss, newton);
}

static void show_step(trial *t) {
  show(t->r, "%s: %.0f s, step %lld of at most %lld, loss %.2e", t->key, t->progress.seconds,
       (long long)t->progress.step, (long long)t->settings.train.steps, t->progress.loss);
}

static int save_state(trial *t) {
  json_t *file = json_object();
  t->saved = seconds_now();
  if (file == NULL) return fail_memory("a curve");
  const int code = curve_put(&t->curve, file);
  if (code != CODE_DONE) {
    json_decref(file);
    return code;
  }
  /* the curve first: what it has beyond the checkpoint is dropped when the training goes on */
  const int written = json_write(file, t->course);
  if (written != CODE_DONE) return written;
  const lsqnet_status st = lsqnet_trainer_save(t->trainer, t->state);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, t->state);
}

static int train(trial *t) {
  int code = CODE_DONE;
  const double between = by_budget(t->r, 0.02, 10, 10);
  t->saved = seconds_now();
  t->progress.size = sizeof t->progress;
  while (t->progress.ended == LSQNET_TRAIN_GOING && t->progress.seconds < t->limit && !interrupts_came()) {
    const lsqnet_status st = lsqnet_trainer_step(t->trainer, &t->progress);
    if (st == LSQNET_E_NOT_FINITE) break; /* it diverged: its weights are the last finite ones */
    if (st != LSQNET_OK) return fail_status(st, t->key);
    if (t->resumed) tell(t->r, "%s: goes on at step %lld", t->key, (long long)t->progress.step);
    t->resumed = 0;
    note_point(t);
    show_step(t);
    if (seconds_now() > t->saved + between) TRY(save_state(t));
  }
  if (interrupts_came()) {
    TRY(save_state(t));
    TRY(stop_if_interrupted());
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
      "{s:s, s:s, s:s, s:I, s:I, s:o, s:i, s:o, s:o, s:o, s:o, s:o*, s:s}", "command", t->line, "optimizer",
      t->settings.train.optimizer, "precision", t->settings.model.dtype == LSQNET_F32 ? "f32" : "f64", "parameters",
      (json_int_t)trained_weights(t->model), "steps", (json_int_t)t->progress.step, "seconds",
      json_number(t->progress.seconds), "tries", 1, "mse", json_number(mse), "mean_square", json_number(mean_square),
      "relative", json_number(mse / mean_square), "seconds_most", json_number(t->limit), "rounded_to_bits",
      t->bits > 0 ? json_integer(t->bits) : NULL, "ended", reasons[ended >= 0 && ended < 4 ? ended : 0]);
  if (run == NULL || curve_put(&t->curve, run) != CODE_DONE) {
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
  code = runs_add(t->r, t->key, trial_json(t, mse, mean_square));
  if (code != CODE_DONE && !interrupts_came()) goto done;
  (void)unlink(t->state);
  (void)unlink(t->course);
  tell(t->r, "%s: mse %.2e, %lld steps, %.1f s", t->key, mse, (long long)t->progress.step, t->progress.seconds);
done:
  return code;
}

/* A finished run counts if it is what would be made now. */
static int check_found(const trial *t, const json_t *run) {
  const char *command = json_string_value(json_object_get(run, "command"));
  const double limit = run_number(run, "seconds_most");
  const int same_limit = isfinite(t->limit) ? fabs(limit - t->limit) <= 1e-9 * t->limit : isnan(limit);
  const int same_bits = json_integer_value(json_object_get(run, "rounded_to_bits")) == t->bits; /* 0: not there */
  if (command != NULL && strcmp(command, t->line) == 0 && same_limit && same_bits) return CODE_DONE;
  return runs_stale(t->r, t->key);
}

/* What would be trained; weights are counted where they are not those of a training before it. */
static int list_training(trial *t) {
  int code = CODE_DONE, helped = 0;
  TRY(train_settings_read(&t->settings, t->count, t->words, &helped));
  TRY(create_tasks(t));
  printf("%s: lsqnet train %s", t->key, t->line);
  if (t->init == NULL) {
    TRY(train_model_create(&t->model, t->r->context, t->task, &t->settings));
    printf(" (%lld weights)", (long long)trained_weights(t->model));
  }
  printf("\n");
done:
  return code;
}

static int try_rate(reproduction *r, const training_request *request, const char *key, const char *rate) {
  int code = CODE_DONE;
  const json_t *found = runs_find(r, key);
  trial *t = calloc(1, sizeof *t);
  if (t == NULL) return fail_memory("a training");
  t->r = r;
  t->key = key;
  t->limit = request->seconds;
  t->bits = request->bits;
  TRY(describe(t, request, rate));
  if (r->plan != NULL) {
    code = list_training(t);
    goto done;
  }
  if (found != NULL) {
    code = check_found(t, found);
    goto done;
  }
  TRY(prepare(t));
  TRY(train(t));
  TRY(finish(t));
done:
  if (t != NULL) trial_close(t);
  free(t);
  return code;
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
  if (runs_find(r, request->key) == NULL) TRY(runs_keep_best(r, request->key, best, seconds, tries));
done:
  free(rates);
  return code;
}

int trained_model(const reproduction *r, const char *key, lsqnet_model **model) {
  char rest[256];
  const json_t *run = runs_find(r, key);
  const char *best = json_string_value(json_object_get(run, "best"));
  if (json_object_set(r->models, key, json_object_get(run, "command")) != 0) return fail_memory("what is in use");
  snprintf(rest, sizeof rest, ".%s.safetensors", best == NULL ? key : best);
  char *path = runs_path(r, rest);
  if (path == NULL) return fail_memory("a file name");
  const lsqnet_status st = lsqnet_model_load(model, r->context, path, NULL);
  const int code = st == LSQNET_OK ? CODE_DONE : fail_status(st, path);
  free(path);
  return code;
}

int train_run(reproduction *r, const training_request *request) {
  return request->rates == NULL ? try_rate(r, request, request->key, "") : try_rates(r, request);
}

int train_paper_step(reproduction *r, int64_t rows, int64_t dim, int layers, int width, const char *rate) {
  char words[512];
  snprintf(words, sizeof words,
           "explicit_gradient --rows %d --dim %d --mixer base_conv --layers %d --width %d --dtype f32 --batch %d "
           "--schedule adaptive --ema-lambda 2 --steps %d --seed 1",
           (int)rows, (int)dim, layers, (int)by_budget(r, 8, width, width), (int)by_budget(r, 16, 1024, 1024),
           (int)by_budget(r, 10, 2500000, 2500000));
  return train_run(r, &(training_request){PAPER_STEP, words, INFINITY, rate, 0});
}
