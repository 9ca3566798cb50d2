/* Data rounded to bfloat16, float16 and float32: for training a step, and for using it. What of a step's precision is
 * lost, where its iterates end alone, and where outer refinement ends, which computes residuals of the data as they are
 * in float64 and leaves corrections to the model that sees rounded ones. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"

enum { L = 12, D = 3, INNER = 100, CORRECTIONS = 25 };
/* of A, whose largest singular value is sqrt(L): an inner iterate's error shrinks by at least 17 / 18 */
static const double CONDITION = 3, STEP = 0.5;

static const struct {
  const char *name;
  int bits;
} formats[] = {{"f64", 0}, {"f32", 24}, {"fp16", 11}, {"bf16", 8}};

enum { FORMATS = sizeof formats / sizeof *formats };

#define MODEL                                                                                                      \
  "multistep_gd --prompt split --rows 12 --dim 3 --mixer attention --no-softmax --no-causal --layers 1 --width 8 " \
  "--freeze-positions --seed 1 "

static int train_newton(reproduction *r, const char *key, int which) {
  return train_run(
      r, &(training_request){key, MODEL "--init-scale 0.25 --optimizer levenberg_marquardt --steps 60 --target 1e-29",
                             by_budget(r, 0.5, INFINITY, INFINITY), NULL, formats[which].bits});
}

/* A float32 model, which only first-order steps train. */
static int train_single(reproduction *r, const char *key) {
  char words[512];
  snprintf(words, sizeof words,
           MODEL "--dtype f32 --batch 256 --ema-lambda 2 --schedule step --schedule-steps 200 --steps %d",
           (int)by_budget(r, 100, 8000, 100000));
  return train_run(r, &(training_request){key, words, INFINITY, "1e-2", 0});
}

typedef struct {
  double *x, *y;
  problems residual; /* the problems with b - A x, scaled, in place of b */
} workroom;

static int workroom_open(workroom *w, const problems *p) {
  w->x = numbers(p->count * D);
  w->y = numbers(p->count * D);
  w->residual = (problems){p->count, p->L, p->D, numbers(p->count * p->L * (D + 1)), numbers(p->count * D)};
  return w->x == NULL || w->y == NULL || w->residual.rows == NULL || w->residual.x == NULL ? CODE_OTHER : CODE_DONE;
}

static void workroom_close(workroom *w) {
  free(w->x);
  free(w->y);
  problems_free(&w->residual);
}

/* x after many iterates of the model, from 0. */
static int iterate(asker *a, const problems *p, double *x) {
  int code = CODE_DONE;
  memset(x, 0, (size_t)(p->count * D) * sizeof *x);
  for (int k = 0; k < INNER; k++) TRY(ask(a, p, x, x));
done:
  return code;
}

/* One step from x = the task's solution times 0.5, beside the exact one. */
static int step_error(asker *a, const problems *p, workroom *w, double *mse) {
  double g[D];
  for (int64_t i = 0; i < p->count * D; i++) w->x[i] = p->x[i] / 2;
  const int code = ask(a, p, w->x, w->y);
  for (int64_t i = 0; i < p->count; i++) {
    exact_gradient(p, i, w->x + i * D, g);
    for (int j = 0; j < D; j++) w->x[i * D + j] -= STEP * g[j];
  }
  *mse = mean_error(p, w->x, w->y);
  return code;
}

/* Residuals go in at unit size and their corrections come back in theirs. */
static int refine(reproduction *r, const char *key, asker *a, const problems *p, workroom *w, double *mse) {
  int code = CODE_DONE;
  memset(w->x, 0, (size_t)(p->count * D) * sizeof *w->x);
  for (int c = 0; c < CORRECTIONS; c++) {
    TRY(go_on(r, key, c, CORRECTIONS));
    for (int64_t i = 0; i < p->count; i++) {
      double *row = problem_rows(&w->residual, i), size = DBL_MIN;
      memcpy(row, problem_rows(p, i), (size_t)(L * (D + 1)) * sizeof *row);
      for (int k = 0; k < L; k++) {
        double left = row[k * (D + 1) + D];
        for (int j = 0; j < D; j++) left -= row[k * (D + 1) + j] * w->x[i * D + j];
        row[k * (D + 1) + D] = left;
        size = fmax(size, fabs(left));
      }
      for (int k = 0; k < L; k++) row[k * (D + 1) + D] /= size;
      w->residual.x[i * D] = size;
    }
    TRY(iterate(a, &w->residual, w->y));
    for (int64_t i = 0; i < p->count * D; i++) w->x[i] += w->residual.x[i / D * D] * w->y[i];
  }
  *mse = mean_error(p, w->x, p->x);
done:
  return code;
}

static int measure(reproduction *r, const char *key, const char *trained, const lsqnet_model *model, int used,
                   const problems *p) {
  int code = CODE_DONE;
  asker a = {0};
  workroom w = {0};
  double step = NAN, alone = NAN, refined = NAN;
  TRY(asker_open(&a, model, p));
  a.bits = formats[used].bits;
  TRY(workroom_open(&w, p));
  TRY(step_error(&a, p, &w, &step));
  memset(w.y, 0, (size_t)(p->count * D) * sizeof *w.y);
  for (int k = 0; k < 6 * INNER; k++) {
    TRY(go_on(r, key, k, 6 * INNER));
    TRY(ask(&a, p, w.y, w.y));
  }
  alone = mean_error(p, w.y, p->x);
  TRY(refine(r, key, &a, p, &w, &refined));
  TRY(runs_add(
      r, key,
      json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "trained", trained, "precision",
                a.prompts_f32 == NULL ? "f64" : "f32", "used", formats[used].name, "problems", (json_int_t)p->count,
                "mse_step", json_number(step), "mse_alone", json_number(alone), "mse_refined", json_number(refined))));
done:
  asker_close(&a);
  workroom_close(&w);
  return code;
}

/* The model of a training, or its rounding to float32, with data of each format; loaded if there is a run to make. */
static int measure_all(reproduction *r, const char *training, int rounded, const char *trained, const problems *p) {
  int code = CODE_DONE;
  lsqnet_model *model = NULL, *single = NULL;
  for (int used = 0; used < FORMATS; used++) {
    char key[96];
    snprintf(key, sizeof key, "%s, used on %s", trained, formats[used].name);
    if (runs_find(r, key) != NULL) continue;
    if (model == NULL) {
      TRY(trained_model(r, training, &model));
      const lsqnet_status st = rounded ? lsqnet_model_convert(&single, model, LSQNET_F32) : LSQNET_OK;
      if (st != LSQNET_OK) {
        code = fail_status(st, key);
        goto done;
      }
    }
    TRY(measure(r, key, trained, rounded ? single : model, used, p));
  }
done:
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(single);
  return code;
}

static int run(reproduction *r) {
  static const char adam[] = "float32_model,Adam";
  int code = CODE_DONE;
  problems p = {0};
  lsqnet_task_options o = task_named("least_squares", L, D);
  o.condition = CONDITION;
  o.singular_max = sqrt((double)L);
  TRY(problems_draw(&p, r, &o, 8, (int64_t)by_budget(r, 2, 32, 256)));
  TRY(runs_agree(r, "*", "problems", (double)p.count));
  for (int i = 0; i < FORMATS; i++) {
    char training[64], trained[64];
    snprintf(training, sizeof training, "trained_on_%s", formats[i].name);
    snprintf(trained, sizeof trained, "f64 model of %s", formats[i].name);
    TRY(train_newton(r, training, i));
    TRY(measure_all(r, training, 0, trained, &p));
    if (i == 0) TRY(measure_all(r, training, 1, "f64 model rounded to f32", &p));
  }
  TRY(train_single(r, adam));
  TRY(measure_all(r, adam, 0, "f32 model by Adam", &p));
done:
  problems_free(&p);
  return code;
}

static const column columns[] = {"precision",
                                 "optimizer",
                                 SIZES,
                                 "steps",
                                 "seconds",
                                 "tries",
                                 "mse:MSE of the step on exact data",
                                 "mse_step:MSE of a step",
                                 "mse_alone:MSE of x, model alone",
                                 "mse_refined:MSE of x, refined in float64",
                                 NULL};

static const claim claims[] = {{"exact data lose nothing: MSE of x, model alone",
                                AT_MOST,
                                1e-26,
                                {LARGEST, "f64 model of f64, used on f64", "mse_alone"},
                                {LEAST, NULL, NULL}},
                               {"data rounded to bf16 cost digits: the model alone over exact data",
                                AT_LEAST,
                                1e10,
                                {LEAST, "f64 model of f64, used on bf16", "mse_alone"},
                                {LARGEST, "f64 model of f64, used on f64", "mse_alone"}},
                               {"outer refinement gives them back, for every training and use: MSE of x",
                                AT_MOST,
                                1e-26,
                                {LARGEST, "*used on*", "mse_refined"},
                                {LEAST, NULL, NULL}},
                               {.text = NULL}};

static const char *const formats_in_words[] = {"f64",     "float64", "f32",      "float32", "fp16",
                                               "float16", "bf16",    "bfloat16", NULL};

static const picture pictures[] = {
    {.name = "rounding",
     .x_label = "data in use rounded to",
     .y_label = "mean squared error of x (no unit)",
     .log_y = 1,
     .words = formats_in_words,
     .series = {{"trained on float64, alone", "f64 model of f64, used*", "used", "mse_alone"},
                {"trained on float32, alone", "f64 model of f32, used*", "used", "mse_alone"},
                {"trained on float16, alone", "f64 model of fp16, used*", "used", "mse_alone"},
                {"trained on bfloat16, alone", "f64 model of bf16, used*", "used", "mse_alone"},
                {"weights in float32, alone", "f64 model rounded*", "used", "mse_alone"},
                {"float32 by Adam, alone", "f32 model by Adam*", "used", "mse_alone"},
                {"trained on bfloat16, refined", "f64 model of bf16, used*", "used", "mse_refined"},
                {"weights in float32, refined", "f64 model rounded*", "used", "mse_refined"},
                {"float32 by Adam, refined", "f32 model by Adam*", "used", "mse_refined"}}},
    {.name = NULL}};

const experiment experiment_mixed_precision = {"mixed-precision",
                                               "data rounded to bf16, fp16 and float32 for training and use",
                                               run,
                                               columns,
                                               claims,
                                               pictures,
                                               "left open",
                                               0};
