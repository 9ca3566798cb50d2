#include "unrolled.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../error.h"
#include "../interrupt.h"
#include "../json.h"
#include "../progress.h"
#include "curve.h"
#include "problems.h"

/* The eigenvalues of H are 1, 1/5 and one between them. Newton-Schulz from I squares I - X H in each step: after five,
 * x still has 0.8^32 of itself to go along one of three directions, a mean squared error of (0.8^32)^2 / 3 = 2e-7;
 * after ten, roundings. */
enum { D = 3, LOOPS = 5, LOOPS_MOST = 2 * LOOPS, BATCH = 64, ROWS = 8, WIDTH = 10, MEASURED = 1024 };
static const double SQUARED_CONDITION = 5;

typedef struct {
  lsqnet_model *model;
  lsqnet_workspace *loops[LOOPS_MOST];
  lsqnet_batch shape;
  int64_t weights;
  double *w, *gradient, *mean, *square; /* (weights): Adam's */
  double *h, *c, *x;                    /* (batch,D,D), (batch,D), (batch,D) */
  double *prompt, *X, *dX, *dprompt;    /* (batch,D,2D), (batch,D,D) */
  lsqnet_task_options task;
} looped;

static int open_model(looped *l, reproduction *r, uint64_t seed) {
  lsqnet_model_options o;
  lsqnet_status st = lsqnet_model_options_init(&o, sizeof o);
  o.rows = D;
  o.in_width = 2 * D;
  o.out_width = D;
  o.width = WIDTH;
  o.layers = 1;
  o.freeze_positions = 1;
  o.mixer = "attention";
  o.mixer_config = "{\"softmax\":false,\"causal\":false}";
  if (st == LSQNET_OK) st = lsqnet_model_create(&l->model, r->context, &o);
  if (st == LSQNET_OK) st = lsqnet_model_draw_weights(l->model, seed, 0.25);
  for (int t = 0; t < LOOPS_MOST && st == LSQNET_OK; t++) st = lsqnet_workspace_create(&l->loops[t], l->model);
  l->weights = lsqnet_model_weight_count(l->model);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static int looped_open(looped *l, reproduction *r, uint64_t seed) {
  int code = CODE_DONE;
  memset(l, 0, sizeof *l);
  TRY(open_model(l, r, seed));
  l->task = task_named("least_squares", ROWS, D);
  l->task.condition = sqrt(SQUARED_CONDITION);
  l->task.singular_max = sqrt((double)ROWS);
  const struct {
    double **array;
    int64_t count;
  } wanted[] = {{&l->w, l->weights},        {&l->gradient, l->weights},         {&l->mean, l->weights},
                {&l->square, l->weights},   {&l->h, MEASURED * D * D},          {&l->c, MEASURED * D},
                {&l->x, MEASURED * D},      {&l->prompt, MEASURED * 2 * D * D}, {&l->X, MEASURED * D * D},
                {&l->dX, MEASURED * D * D}, {&l->dprompt, MEASURED * 2 * D * D}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    *wanted[i].array = numbers(wanted[i].count);
    if (*wanted[i].array == NULL) code = CODE_OTHER;
  }
done:
  return code;
}

static void looped_close(looped *l) {
  double *arrays[] = {l->w, l->gradient, l->mean, l->square, l->h, l->c, l->x, l->prompt, l->X, l->dX, l->dprompt};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  for (int t = 0; t < LOOPS_MOST; t++) lsqnet_workspace_destroy(l->loops[t]);
  lsqnet_model_destroy(l->model);
}

/* H = A'A / L and c = H x of fresh problems. */
static int draw(looped *l, reproduction *r, uint64_t seed, int64_t batch) {
  int code = CODE_DONE;
  problems p = {0};
  l->shape = (lsqnet_batch){sizeof l->shape, 0, batch, D, 0, D};
  TRY(problems_draw(&p, r, &l->task, seed, batch));
  memset(l->h, 0, (size_t)(batch * D * D) * sizeof *l->h);
  memset(l->c, 0, (size_t)(batch * D) * sizeof *l->c);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t k = 0; k < ROWS; k++) {
      const double *row = problem_rows(&p, i) + k * (D + 1);
      for (int j = 0; j < D * D; j++) l->h[i * D * D + j] += row[j / D] * row[j % D] / ROWS;
      for (int j = 0; j < D; j++) l->c[i * D + j] += row[j] * row[D] / ROWS;
    }
  }
  memcpy(l->x, p.x, (size_t)(batch * D) * sizeof *l->x);
done:
  problems_free(&p);
  return code;
}

static int forward(looped *l, int loops) {
  for (int64_t i = 0; i < l->shape.batch * D * D; i++) l->X[i] = i % (D * D) % (D + 1) == 0;
  for (int t = 0; t < loops; t++) {
    for (int64_t row = 0; row < l->shape.batch * D; row++) {
      memcpy(l->prompt + row * 2 * D, l->h + row * D, D * sizeof(double));
      memcpy(l->prompt + row * 2 * D + D, l->X + row * D, D * sizeof(double));
    }
    const lsqnet_status st = lsqnet_model_forward_f64(l->model, l->loops[t], &l->shape, l->prompt, l->X);
    if (st != LSQNET_OK) return fail_status(st, NULL);
  }
  return CODE_DONE;
}

/* The same loops with the exact step, X (2I - H X). */
static void forward_exact(looped *l, int loops) {
  for (int64_t i = 0; i < l->shape.batch; i++) {
    const double *h = l->h + i * D * D;
    double *X = l->X + i * D * D, P[D * D];
    for (int j = 0; j < D * D; j++) X[j] = j % (D + 1) == 0;
    for (int t = 0; t < loops; t++) {
      double next[D * D] = {0};
      for (int j = 0; j < D * D; j++) P[j] = 2 * (j % (D + 1) == 0);
      for (int j = 0; j < D * D * D; j++) P[j / D] -= h[j / (D * D) * D + j % D] * X[j % D * D + j / D % D];
      for (int j = 0; j < D * D * D; j++) next[j / D] += X[j / (D * D) * D + j % D] * P[j % D * D + j / D % D];
      memcpy(X, next, sizeof next);
    }
  }
}

/* Mean squared error of X c, and its derivative by X. */
static double loss(looped *l) {
  const double count = (double)(l->shape.batch * D);
  double sum = 0;
  for (int64_t i = 0; i < l->shape.batch * D; i++) {
    const double *c = l->c + i / D * D;
    double difference = -l->x[i];
    for (int j = 0; j < D; j++) difference += l->X[i * D + j] * c[j];
    for (int j = 0; j < D; j++) l->dX[i * D + j] = 2 / count * difference * c[j];
    sum += difference * difference;
  }
  return sum / count;
}

static int backward(looped *l, int loops) {
  memset(l->gradient, 0, (size_t)l->weights * sizeof *l->gradient);
  for (int t = loops - 1; t >= 0; t--) {
    const lsqnet_status st = lsqnet_model_backward_f64(l->model, l->loops[t], l->dX, l->dprompt);
    if (st != LSQNET_OK) return fail_status(st, NULL);
    const double *g = lsqnet_workspace_gradient_f64(l->loops[t]);
    for (int64_t i = 0; i < l->weights; i++) l->gradient[i] += g[i];
    for (int64_t i = 0; i < l->shape.batch * D; i++)
      memcpy(l->dX + i * D, l->dprompt + i * 2 * D + D, D * sizeof(double));
  }
  return CODE_DONE;
}

static int move_weights(looped *l, int write) {
  lsqnet_parameter p = {.size = sizeof p};
  for (int64_t i = 0; i < lsqnet_model_parameter_count(l->model); i++) {
    lsqnet_status st = lsqnet_model_get_parameter(l->model, i, &p, sizeof p);
    if (st == LSQNET_OK && write) st = lsqnet_model_write_parameter(l->model, i, l->w + p.offset, p.count);
    if (st == LSQNET_OK && !write) st = lsqnet_model_read_parameter(l->model, i, l->w + p.offset, p.count);
    if (st != LSQNET_OK) return fail_status(st, NULL);
  }
  return CODE_DONE;
}

/* Adam with gradients of at most norm 1: those of a polynomial of degree 3^LOOPS know no bounds. */
static int adam(looped *l, double rate, int64_t step) {
  double norm = 0;
  for (int64_t i = 0; i < l->weights; i++) norm += l->gradient[i] * l->gradient[i];
  const double scale = 1 / fmax(1, sqrt(norm));
  const double first = 1 - pow(0.9, (double)step), second = 1 - pow(0.999, (double)step);
  if (!isfinite(norm)) return CODE_DONE;
  for (int64_t i = 0; i < l->weights; i++) {
    const double g = scale * l->gradient[i];
    l->mean[i] += 0.1 * (g - l->mean[i]);
    l->square[i] += 0.001 * (g * g - l->square[i]);
    l->w[i] -= rate * l->mean[i] / first / (sqrt(l->square[i] / second) + 1e-16);
  }
  return move_weights(l, 1);
}

/* Mean squared errors after each number of loops. */
static int measure(looped *l, reproduction *r, int exactly, double mse[LOOPS_MOST]) {
  int code = CODE_DONE;
  TRY(draw(l, r, ~UINT64_C(0), MEASURED));
  for (int loops = 1; loops <= LOOPS_MOST; loops++) {
    if (exactly) forward_exact(l, loops);
    if (!exactly) TRY(forward(l, loops));
    mse[loops - 1] = loss(l);
  }
done:
  return code;
}

static json_t *errors_json(const double mse[LOOPS_MOST]) {
  double k[LOOPS_MOST];
  for (int i = 0; i < LOOPS_MOST; i++) k[i] = i + 1;
  return json_pack("{s:i, s:o, s:o, s:o, s:o}", "loops", LOOPS, "mse", json_number(mse[LOOPS - 1]), "mse_twice",
                   json_number(mse[LOOPS_MOST - 1]), "k", numbers_json(k, LOOPS_MOST), "curve",
                   numbers_json(mse, LOOPS_MOST));
}

/* A training at one rate. */
typedef struct {
  looped l;
  int least_loops, most_loops, grows; /* of a step */
  double rate, seconds;
  int64_t step;
  curve curve;
  char key[96], *state; /* the checkpoint: a JSON file */
} training;

static int save(const training *t) {
  const int64_t n = t->l.weights;
  json_t *file =
      json_pack("{s:I, s:f, s:o, s:o, s:o}", "step", (json_int_t)t->step, "seconds", t->seconds, "weights",
                numbers_json(t->l.w, n), "mean", numbers_json(t->l.mean, n), "square", numbers_json(t->l.square, n));
  if (file != NULL && curve_put(&t->curve, file) != CODE_DONE) {
    json_decref(file);
    return CODE_OTHER;
  }
  return json_write(file, t->state);
}

static int resume(reproduction *r, training *t) {
  int code = CODE_DONE;
  json_error_t error;
  json_t *file = json_load_file(t->state, 0, &error);
  if (file == NULL) return fail_at(CODE_INPUT, t->state, error.line, "%s", error.text);
  t->step = json_integer_value(json_object_get(file, "step"));
  t->seconds = run_number(file, "seconds");
  TRY(numbers_take(t->l.w, t->l.weights, json_object_get(file, "weights"), t->state));
  TRY(numbers_take(t->l.mean, t->l.weights, json_object_get(file, "mean"), t->state));
  TRY(numbers_take(t->l.square, t->l.weights, json_object_get(file, "square"), t->state));
  TRY(curve_take(&t->curve, file, t->state));
  TRY(move_weights(&t->l, 1));
  tell(r, "%s: goes on at step %lld", t->key, (long long)t->step + 1);
done:
  json_decref(file);
  return code;
}

/* Each number of loops about as often, in an order that multiples of the golden ratio give; of a number that grows, it
 * and the one before. */
static int loops_of_step(const training *t, int64_t steps) {
  const double ratio = 0.5 * (sqrt(5.0) - 1) * (double)t->step;
  const int range = t->most_loops - t->least_loops;
  const int most = t->least_loops + (t->grows ? (int)(fmin(1, 1.5 * (double)t->step / (double)steps) * range) : range);
  const int least = t->grows && most > t->least_loops ? most - 1 : t->least_loops;
  return least + (int)((ratio - floor(ratio)) * (most - least + 1));
}

/* The rate falls to a hundredth over the steps. */
static int step(reproduction *r, training *t, int64_t steps) {
  int code = CODE_DONE;
  const double begin = seconds_now();
  TRY(draw(&t->l, r, 1000 + (uint64_t)t->step, BATCH));
  const int loops = loops_of_step(t, steps);
  TRY(forward(&t->l, loops));
  const double value = loss(&t->l);
  TRY(backward(&t->l, loops));
  TRY(adam(&t->l, t->rate * pow(0.01, (double)t->step / (double)steps), t->step + 1));
  t->step++;
  t->seconds += seconds_now() - begin;
  curve_note(&t->curve, t->step, t->seconds, value, 0);
done:
  return code;
}

static int train(reproduction *r, training *t, int64_t steps) {
  int code = CODE_DONE;
  const double between = by_budget(r, 0.02, 10, 10);
  double saved = seconds_now();
  while (t->step < steps && !interrupts_came()) {
    TRY(step(r, t, steps));
    show(r, "%s: step %lld of %lld", t->key, (long long)t->step, (long long)steps);
    if (seconds_now() < saved + between) continue;
    TRY(save(t));
    saved = seconds_now();
  }
  if (interrupts_came()) {
    TRY(save(t));
    TRY(stop_if_interrupted());
  }
done:
  return code;
}

/* What every training here is made with, as fields of its run. */
static const struct {
  const char *field;
  int number;
} sizes[] = {{"rows", ROWS}, {"dim", D}, {"width", WIDTH}, {"layers", 1}, {"batch", BATCH}};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static json_t *training_json(const reproduction *r, const training *t, const double *mse) {
  char command[64];
  snprintf(command, sizeof command, "lsqnet reproduce %s --budget %s", r->experiment->name, budget_name(r->budget));
  json_t *errors = errors_json(mse);
  json_t *run = json_pack("{s:s, s:s, s:f, s:s, s:I, s:I, s:f, s:i, s:i, s:i}", "command", command, "optimizer", "adam",
                          "rate", t->rate, "precision", "f64", "parameters", (json_int_t)trained_weights(t->l.model),
                          "steps", (json_int_t)t->step, "seconds", t->seconds, "tries", 1, "least_loops",
                          t->least_loops, "most_loops", t->most_loops);
  int failed = json_object_update(run, errors) != 0 || curve_put(&t->curve, run) != CODE_DONE;
  for (int i = 0; i < SIZE_COUNT; i++)
    failed |= json_object_set_new(run, sizes[i].field, json_integer(sizes[i].number)) != 0;
  json_decref(errors);
  if (!failed) return run;
  json_decref(run);
  return NULL;
}

static int finish(reproduction *r, training *t) {
  int code = CODE_DONE;
  double mse[LOOPS_MOST];
  TRY(measure(&t->l, r, 0, mse));
  tell(r, "%s: mse %.2e, after twice the loops %.2e", t->key, mse[LOOPS - 1], mse[LOOPS_MOST - 1]);
  code = runs_add(r, t->key, training_json(r, t, mse));
  if (code == CODE_DONE || interrupts_came()) (void)unlink(t->state);
done:
  return code;
}

static int try_rate(reproduction *r, const unrolled_request *request, const char *key, double rate) {
  int code = CODE_DONE;
  char rest[128];
  training *t = calloc(1, sizeof *t);
  if (t == NULL) return fail_memory("a training");
  t->rate = rate;
  t->least_loops = request->least_loops;
  t->most_loops = request->most_loops;
  t->grows = request->grows;
  snprintf(t->key, sizeof t->key, "%s", key);
  snprintf(rest, sizeof rest, ".%s.state", key);
  t->state = runs_path(r, rest);
  if (t->state == NULL) {
    code = fail_memory("a file name");
    goto done;
  }
  TRY(looped_open(&t->l, r, request->seed));
  TRY(move_weights(&t->l, 0));
  if (access(t->state, F_OK) == 0) TRY(resume(r, t));
  TRY(train(r, t, request->steps));
  TRY(finish(r, t));
done:
  looped_close(&t->l);
  free(t->state);
  free(t);
  return code;
}

/* The request's runs that are there are what it would make now. */
static int check_found(const reproduction *r, const unrolled_request *request) {
  int code = CODE_DONE;
  char keys[200];
  snprintf(keys, sizeof keys, "%s|%s@*", request->key, request->key);
  for (int i = 0; i < SIZE_COUNT; i++) TRY(runs_agree(r, keys, sizes[i].field, sizes[i].number));
  TRY(runs_agree(r, keys, "steps", (double)request->steps));
  TRY(runs_agree(r, keys, "least_loops", request->least_loops));
  TRY(runs_agree(r, keys, "most_loops", request->most_loops));
  TRY(runs_agree(r, keys, "loops", LOOPS));
done:
  return code;
}
int unrolled_run(reproduction *r, const unrolled_request *request) {
  int code = CODE_DONE;
  char key[96], best[96] = "";
  double seconds = 0, least = INFINITY;
  TRY(check_found(r, request));
  if (runs_find(r, request->key) != NULL) return CODE_DONE;
  for (int i = 0; i < request->count; i++) {
    snprintf(key, sizeof key, "%s@%g", request->key, request->rates[i]);
    if (runs_find(r, key) == NULL) TRY(try_rate(r, request, key, request->rates[i]));
    const json_t *run = runs_find(r, key);
    const double mse = run_number(run, "mse");
    seconds += run_number(run, "seconds");
    if (i > 0 && !(mse < least)) continue;
    least = mse;
    snprintf(best, sizeof best, "%s", key);
  }
  TRY(runs_keep_best(r, request->key, best, seconds, request->count));
done:
  return code;
}

int unrolled_exact(reproduction *r, const char *key) {
  int code = CODE_DONE;
  looped l;
  double mse[LOOPS_MOST];
  TRY(looped_open(&l, r, 1));
  TRY(measure(&l, r, 1, mse));
  TRY(runs_add(r, key, errors_json(mse)));
done:
  looped_close(&l);
  return code;
}
