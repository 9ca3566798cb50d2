/* The paper's recipe for the explicit gradient: constant, step and adaptive learning rates, with and without the EMA of
 * gradients, an MLP, LayerNorms; each from the same seeds and with the same rates, of which the better one counts, for
 * as many steps. Then Gauss-Newton, and what the recipe had reached in its time. */
#include <math.h>
#include <stdio.h>

#include "../error.h"
#include "../json.h"
#include "reproduce.h"

static const struct {
  const char *key, *schedule, *more;
} variants[] = {
    {"constant", "constant", ""},
    {"constant,EMA", "constant", "--ema-lambda 2"},
    {"step", "step", ""},
    {"step,EMA", "step", "--ema-lambda 2"},
    {"adaptive", "adaptive", ""},
    {"adaptive,EMA", "adaptive", "--ema-lambda 2"},
    {"adaptive,EMA,MLP", "adaptive", "--ema-lambda 2 --mlp relu"},
    {"adaptive,EMA,LayerNorm", "adaptive", "--ema-lambda 2 --norms"},
};

enum { VARIANTS = sizeof variants / sizeof *variants };

/* quick: two unknowns, one layer of linear attention, and a schedule that is as much shorter as the run is. */
static const char *model_words(const reproduction *r) {
  return r->budget == BUDGET_FULL
             ? "explicit_gradient --rows 20 --dim 5 --mixer base_conv --layers 3 --width 64"
             : "explicit_gradient --prompt split --rows 6 --dim 2 --mixer attention --no-softmax --no-causal --layers "
               "1 --width 6";
}

static const char *training_words(const reproduction *r) {
  return r->budget == BUDGET_FULL ? "--dtype f32 --batch 1024 --schedule-steps 3000"
                                  : "--batch 256 --schedule-steps 200 --metric-every 100 --metric-batches 16 "
                                    "--no-increase-steps 1000";
}

/* The paper's linear attention, which is what quick's trainings are about; at the smallest budget a small one. */
static int train_linear_attention(reproduction *r) {
  char words[512];
  const int full = r->budget == BUDGET_FULL;
  if (r->budget == BUDGET_QUICK) return CODE_DONE;
  snprintf(words, sizeof words,
           "explicit_gradient --rows %d --dim %d --mixer attention --no-softmax --no-causal --layers 3 --width %d "
           "--heads %d --dtype f32 --batch %d --optimizer adam --schedule step --schedule-steps 12500 --ema-lambda 2 "
           "--steps %d --seed 1",
           full ? 20 : 6, full ? 5 : 2, full ? 256 : 8, full ? 16 : 2, full ? 1024 : 16, full ? 2500000 : 30);
  return train_run(r, &(training_request){"linear_attention", words, INFINITY, "5e-4", 0});
}

/* The least loss that any training by the recipe had seen when Gauss-Newton was done. */
static int compare_at_equal_time(reproduction *r) {
  const double seconds = run_number(runs_find(r, "Gauss-Newton"), "seconds");
  double least = INFINITY;
  json_t *run;
  size_t i;
  if (runs_find(r, "equal_time") != NULL) return runs_agree(r, "equal_time", "seconds", seconds);
  json_array_foreach(r->runs, i, run) {
    const json_t *at = json_object_get(run, "curve_seconds"), *loss = json_object_get(run, "curve_loss");
    if (!runs_match(run, "*@*")) continue;
    for (size_t k = 0; k < json_array_size(at) && json_number_value(json_array_get(at, k)) <= seconds; k++) {
      least = fmin(least, json_number_value(json_array_get(loss, k)));
    }
  }
  return runs_add(
      r, "equal_time",
      json_pack("{s:s, s:o, s:o}", "optimizer", "adam", "seconds", json_number(seconds), "mse", json_number(least)));
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  char key[64], words[512];
  const char *rates = r->budget == BUDGET_FULL ? "1e-2,3e-3,1e-3,3e-4" : "1e-2,3e-3";
  const int steps = (int)by_budget(r, 100, 12000, 2500000), seeds = (int)by_budget(r, 1, 3, 1);
  for (int seed = 1; seed <= seeds; seed++) {
    for (int i = 0; i < VARIANTS; i++) {
      snprintf(key, sizeof key, "%s,seed=%d", variants[i].key, seed);
      snprintf(words, sizeof words, "%s %s --steps %d --optimizer adam --schedule %s %s --seed %d", model_words(r),
               training_words(r), steps, variants[i].schedule, variants[i].more, seed);
      TRY(train_run(r, &(training_request){key, words, INFINITY, rates, 0}));
    }
  }
  TRY(train_linear_attention(r));
  /* J'J of the paper's model would take 30 GB */
  snprintf(words, sizeof words, "%s --seed 1 %s --steps 200 --target 1e-29", model_words(r),
           r->budget == BUDGET_FULL ? "--init-scale 1 --memory 4000000000 --optimizer gauss_newton_cg"
                                    : "--init-scale 0.25 --optimizer levenberg_marquardt");
  TRY(train_run(r, &(training_request){"Gauss-Newton", words, INFINITY, NULL, 0}));
  TRY(compare_at_equal_time(r));
  /* batch 64; thresholds of 0.1, 0.3 and 0.5 */
  TRY(runs_tried_before(r, "adaptive,seed=?|adaptive,EMA,seed=?", 4));
done:
  return code;
}

static const column columns[] = {
    "optimizer", "parameters", SIZES, "steps", "seconds", "tries", "best:best try", "mse:MSE", "relative:relative MSE",
    NULL};

/* Medians over the seeds. The paper's order: an adaptive rate and the EMA each bring something, an MLP and LayerNorms
 * cost something. */
static const claim claims[] = {
    {"a falling rate is better than a constant one: MSE over MSE",
     AT_LEAST,
     2,
     {MEDIAN, "constant,seed=?", "mse"},
     {MEDIAN, "step,seed=?", "mse"}},
    {"with the EMA an adaptive rate is better than a constant one",
     AT_LEAST,
     2,
     {MEDIAN, "constant,EMA,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"the EMA of gradients helps an adaptive rate",
     AT_LEAST,
     2,
     {MEDIAN, "adaptive,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"the adaptive rate with EMA is better than a falling rate",
     AT_LEAST,
     1,
     {MEDIAN, "step,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"and than a falling rate with EMA",
     AT_LEAST,
     1,
     {MEDIAN, "step,EMA,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"an MLP costs precision",
     AT_LEAST,
     2,
     {MEDIAN, "adaptive,EMA,MLP,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"LayerNorms cost precision",
     AT_LEAST,
     2,
     {MEDIAN, "adaptive,EMA,LayerNorm,seed=?", "mse"},
     {MEDIAN, "adaptive,EMA,seed=?", "mse"}},
    {"Gauss-Newton: the recipe's least loss of all rates and seeds when Gauss-Newton was done, over its MSE",
     AT_LEAST,
     1e8,
     {LEAST, "equal_time", "mse"},
     {LARGEST, "Gauss-Newton", "mse"}},
    {"the recipe's own error, of the adaptive rate with EMA: MSE",
     AT_MOST,
     1e-13,
     {MEDIAN, "adaptive,EMA,seed=?", "mse"},
     {LEAST, NULL, NULL}},
    {.text = NULL}};

/* Medians over the seeds. */
#define OVER_TIME(title, runs) \
  { title, runs, "curve_seconds", "curve_loss" }
#define OVER_STEPS(title, runs) \
  { title, runs, "curve_steps", "curve_loss" }
static const picture pictures[] = {
    {.name = "training",
     .x_label = "training time (s)",
     .y_label = "MSE of the gradient (no unit)",
     .log_x = 1,
     .log_y = 1,
     .ends = 1,
     .series = {OVER_TIME("Gauss-Newton", "Gauss-Newton"), OVER_TIME("adaptive rate, EMA", "adaptive,EMA,seed=?"),
                OVER_TIME("falling rate", "step,seed=?"), OVER_TIME("constant rate", "constant,seed=?")}},
    {.name = "schedules",
     .x_label = "number of training steps",
     .y_label = "MSE of the gradient (no unit)",
     .log_y = 1,
     .ends = 1,
     .pairs = 1,
     .series = {OVER_STEPS("constant rate", "constant,seed=?"), OVER_STEPS("constant rate, EMA", "constant,EMA,seed=?"),
                OVER_STEPS("falling rate", "step,seed=?"), OVER_STEPS("falling rate, EMA", "step,EMA,seed=?"),
                OVER_STEPS("adaptive rate", "adaptive,seed=?"),
                OVER_STEPS("adaptive rate, EMA", "adaptive,EMA,seed=?")}},
    {.name = "parts",
     .x_label = "number of training steps",
     .y_label = "MSE of the gradient (no unit)",
     .log_y = 1,
     .ends = 1,
     .series = {OVER_STEPS("adaptive rate, EMA", "adaptive,EMA,seed=?"),
                OVER_STEPS("with an MLP", "adaptive,EMA,MLP,seed=?"),
                OVER_STEPS("with LayerNorms", "adaptive,EMA,LayerNorm,seed=?")}},
    {.name = NULL}};

const experiment experiment_recipe = {
    "recipe", "the paper's training recipe, and Gauss-Newton in the same time", run, columns, claims,
    pictures, "about 1e-13 in float32 after 2.5 million steps of BaseConv",     8};
