/* Least squares end to end: softmax Transformers and BaseConv over depth, that see A and b and give x, beside a model
 * that was trained on one step of gradient descent and is applied until x stands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"

#define STEP \
  "multistep_gd --prompt split --mixer attention --no-softmax --no-causal --layers 1 --freeze-positions --seed 1 "

typedef struct {
  const char *name, *words;
  double condition; /* 0: as A is drawn */
} law;

static const law laws[] = {{"normal", "", 0}, {"values1to5", "--condition 5", 5}};

/* The rate falls 30 times over quick's steps, a hundred times over the paper's. */
static int train_whole(reproduction *r, const char *name, const char *law_words, int64_t steps, const char *mixer,
                       int layers) {
  char key[96], words[512];
  const int full = r->budget == BUDGET_FULL, softmax = strcmp(mixer, "softmax") == 0;
  snprintf(key, sizeof key, "%s,%s,layers=%02d", name, mixer, layers);
  snprintf(words, sizeof words,
           "least_squares --rows 20 --dim 5 --layers %d --width %d %s --mlp relu --mlp-factor 4 --norms --dtype f32 "
           "--batch %d "
           "--schedule step --schedule-steps %d --steps %d --seed 1 %s",
           layers, full ? 256 : 32,
           !softmax ? "--mixer base_conv --filter long"
           : full   ? "--mixer attention --heads 8"
                    : "--mixer attention --heads 4",
           full ? 1024 : 64, (int)(full ? steps / 100 : steps / 30), (int)steps, law_words);
  return train_run(r, &(training_request){key, words, INFINITY, full ? "1e-4" : "3e-3,1e-3", 0});
}

static const double STEP_SIZE = 0.5; /* the task's */

static double problems_of(const reproduction *r) { return by_budget(r, 8, 256, 1024); }
static double iterates_of(const reproduction *r) { return by_budget(r, 200, 2000, 4000); }

/* Mean squared error over problems after each of `steps` applications, from x = 0; of exact gradient descent where
 * `model` is NULL. */
static int iterate(reproduction *r, const char *key, const law *l, const lsqnet_model *model, int64_t steps) {
  enum { POINTS = 201 };
  int code = CODE_DONE, points = 0;
  problems p = {0};
  asker a = {0};
  double k_of[POINTS], mse[POINTS], *x = NULL, last = 0;
  const json_t *training = runs_find(r, "one_step");
  json_t *run = NULL;
  lsqnet_task_options o = task_named("least_squares", 20, 5);
  o.condition = l->condition;
  TRY(problems_draw(&p, r, &o, 6, (int64_t)problems_of(r)));
  if (model != NULL) TRY(asker_open(&a, model, &p));
  x = numbers(p.count * p.D);
  if (x == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  for (int64_t k = 0; k <= steps; k++) {
    last = mean_error(&p, x, p.x);
    if (k * (POINTS - 1) % steps == 0) {
      k_of[points] = (double)k;
      mse[points++] = last;
    }
    TRY(go_on(r, key, k, steps));
    if (model != NULL) TRY(ask(&a, &p, x, x));
    if (model == NULL) exact_iterate(&p, STEP_SIZE, x);
  }
  run = json_pack("{s:I, s:I, s:o, s:o, s:o}", "problems", (json_int_t)p.count, "applied", (json_int_t)steps, "mse",
                  json_number(last), "k", numbers_json(k_of, points), "curve", numbers_json(mse, points));
  if (model != NULL) {
    json_put(&run, "optimizer", json_string("levenberg_marquardt"));
    json_put(&run, "parameters", json_integer((json_int_t)run_number(training, "parameters")));
    json_put(&run, "steps", json_integer((json_int_t)run_number(training, "steps")));
    json_put(&run, "seconds", json_number(run_number(training, "seconds")));
    json_put(&run, "tries", json_integer(1));
  }
  TRY(runs_add(r, key, run));
done:
  asker_close(&a);
  problems_free(&p);
  free(x);
  return code;
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  lsqnet_model *model = NULL;
  const int full = r->budget == BUDGET_FULL;
  const int64_t steps = (int64_t)by_budget(r, 90, 7500, 1000000);
  const int depth = (int)by_budget(r, 2, 4, 64), most_of_second = full ? depth : 4; /* layers; of the second law */
  const training_request step = {
      "one_step",
      STEP "--rows 20 --dim 5 --width 11 --init-scale 0.25 --optimizer levenberg_marquardt --steps 100 --target 1e-29",
      by_budget(r, 1, INFINITY, INFINITY), NULL, 0};
  TRY(train_run(r, &step));
  TRY(runs_agree(r, "*", "problems", problems_of(r)));
  TRY(runs_agree(r, "*", "applied", iterates_of(r)));
  for (int i = 0; i < 2; i++) {
    char key[64];
    snprintf(key, sizeof key, "%s,iterated", laws[i].name);
    if (runs_find(r, key) == NULL) {
      if (model == NULL) TRY(trained_model(r, step.key, &model));
      TRY(iterate(r, key, &laws[i], model, (int64_t)iterates_of(r)));
    }
    snprintf(key, sizeof key, "%s,exact", laws[i].name);
    if (runs_find(r, key) == NULL) TRY(iterate(r, key, &laws[i], NULL, (int64_t)iterates_of(r)));
    for (int layers = 1; layers <= (i == 0 ? depth : most_of_second); layers *= 2) {
      if (i == 0 || layers == 4 || full) TRY(train_whole(r, laws[i].name, laws[i].words, steps, "softmax", layers));
      if (i == 0) TRY(train_whole(r, "third_of_steps", laws[i].words, steps / 3, "softmax", layers));
      if (i == 0 || full) TRY(train_whole(r, laws[i].name, laws[i].words, steps, "base_conv", layers));
    }
  }
  /* 3,000 steps in both rates; four layers for 9,000 steps */
  TRY(runs_tried_before(r, "normal,softmax,layers=01|normal,softmax,layers=02", 2));
  TRY(runs_tried_before(r, "normal,softmax,layers=04", 3));
done:
  lsqnet_model_destroy(model);
  return code;
}

static const column columns[] = {"optimizer", "precision", "parameters", SIZES,
                                 "steps",     "seconds",   "tries",      "applied:times applied",
                                 "mse:MSE",   NULL};

static const claim claims[] = {{"the best Transformer's MSE over that of the iterated model",
                                AT_LEAST,
                                1e5,
                                {LEAST, "normal,softmax*", "mse"},
                                {LARGEST, "normal,iterated", "mse"}},
                               {"the same with singular values in [1,5]",
                                AT_LEAST,
                                1e5,
                                {LEAST, "values1to5,softmax*", "mse"},
                                {LARGEST, "values1to5,iterated", "mse"}},
                               {"Transformers level off, at each depth: loss at half of the steps over that at the end",
                                AT_MOST,
                                1.25,
                                {LARGEST, "normal,softmax,layers=??", FALL},
                                {LEAST, NULL, NULL}},
                               {"three times the steps change little: the best of any depth after a third of them over "
                                "the best after all",
                                AT_MOST,
                                1.25,
                                {LEAST, "third_of_steps,softmax,layers=??", "mse"},
                                {LEAST, "normal,softmax,layers=??", "mse"}},
                               {"and above roundings: MSE of the best of any depth",
                                AT_LEAST,
                                1e-8,
                                {LEAST, "*softmax*", "mse"},
                                {LEAST, NULL, NULL}},
                               {"depth changes little: the best of one layer over the best of any depth",
                                AT_MOST,
                                1e4,
                                {LEAST, "normal,softmax,layers=01", "mse"},
                                {LEAST, "normal,softmax*", "mse"}},
                               {.text = NULL}};

static const picture pictures[] = {
    {.name = "depth",
     .x_label = "number of layers",
     .y_label = "mean squared error of x (no unit)",
     .log_x = 2,
     .log_y = 1,
     .series = {{"Transformer", "normal,softmax,layers=??", DEPTH, "mse"},
                {"BaseConv with MLP and LayerNorms", "normal,base_conv,layers=??", DEPTH, "mse"},
                {"one step, iterated", "normal,iterated", NULL, "mse"}}},
    {.name = "training",
     .x_label = "number of training steps",
     .y_label = "MSE of x, five batches (no unit)",
     .log_x = 1,
     .log_y = 1,
     .smooth = 1,
     .series = {{"Transformer, 1 layer", "normal,softmax,layers=01", "curve_steps", "curve_loss"},
                {"Transformer, 2 layers", "normal,softmax,layers=02", "curve_steps", "curve_loss"},
                {"Transformer, 4 layers", "normal,softmax,layers=04", "curve_steps", "curve_loss"},
                {"Transformer, 8 layers", "normal,softmax,layers=08", "curve_steps", "curve_loss"},
                {"BaseConv, 4 layers", "normal,base_conv,layers=04", "curve_steps", "curve_loss"}}},
    {.name = "time",
     .x_label = "training time (s)",
     .y_label = "MSE of what is learned (no unit)",
     .log_x = 1,
     .log_y = 1,
     .series = {{"Transformer, 1 layer", "normal,softmax,layers=01", "curve_seconds", "curve_loss"},
                {"Transformer, 2 layers", "normal,softmax,layers=02", "curve_seconds", "curve_loss"},
                {"Transformer, 4 layers", "normal,softmax,layers=04", "curve_seconds", "curve_loss"},
                {"Transformer, 8 layers", "normal,softmax,layers=08", "curve_seconds", "curve_loss"},
                {"BaseConv, 4 layers", "normal,base_conv,layers=04", "curve_seconds", "curve_loss"},
                {"linear attention, one step", "one_step", "curve_seconds", "curve_loss"}}},
    {.name = "iterated",
     .x_label = "number of gradient steps",
     .y_label = "mean squared error of x (no unit)",
     .log_y = 1,
     .pairs = 1,
     .series = {{"trained step, A ~ N(0,1)", "normal,iterated", "k", "curve"},
                {"exact step, A ~ N(0,1)", "normal,exact", "k", "curve"},
                {"trained step, cond(A) = 5", "values1to5,iterated", "k", "curve"},
                {"exact step, cond(A) = 5", "values1to5,exact", "k", "curve"}}},
    {.name = NULL}};

const experiment experiment_end_to_end = {
    "end-to-end", "least squares end to end, beside an iterated step", run, columns, claims, pictures, "1e5", 0};
