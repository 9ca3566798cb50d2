/* read, linear, multiply and square by softmax attention and by BaseConv, of equal size and with equal steps: over
 * depth, with and without LayerNorm and MLP, by Adam (the paper's way), and by Gauss-Newton for both. */
#include <math.h>
#include <stdio.h>

#include "../error.h"
#include "reproduce.h"

static const char *const tasks[] = {"read", "linear", "multiply", "square"};

/* Widths are such that the two sides have about as many weights. */
static const struct {
  const char *name, *words;
  int depth_most; /* 0: one layer only */
} models[] = {
    {"softmax", "--mixer attention --heads 2 --softmax --causal --mlp relu --mlp-factor 4 --norms", 1},
    {"softmax-no-norm", "--mixer attention --heads 2 --softmax --causal --mlp relu --mlp-factor 4", 0},
    {"softmax-no-mlp", "--mixer attention --heads 2 --softmax --causal", 0},
    {"base_conv", "--mixer base_conv --filter long", 1},
    {"base_conv-norm-mlp", "--mixer base_conv --filter long --mlp relu --mlp-factor 4 --norms", 0},
};

enum { TASKS = sizeof tasks / sizeof *tasks, MODELS = sizeof models / sizeof *models };

static int is_softmax(int model) { return model < 3; }

/* No layers: those of Gauss-Newton, one, and narrower for BaseConv, where Levenberg-Marquardt's work is cubic in the
 * weights. */
static void write_words(const reproduction *r, char *words, size_t room, int task, int model, int layers,
                        const char *rest) {
  const int full = r->budget == BUDGET_FULL, small = is_softmax(model) || layers == 0 || models[model].depth_most == 0;
  const int width = full ? 64 : small ? 12 : 21;
  snprintf(words, room, "%s --rows %d --dim %d --layers %d --width %d --seed 1 %s %s", tasks[task], full ? 40 : 8,
           full ? 20 : 4, layers == 0 ? 1 : layers, width, models[model].words, rest);
}

static int train_adam(reproduction *r, int task, int model, int layers) {
  char key[96], rest[128], words[512];
  snprintf(key, sizeof key, "%s,%s,layers=%d", tasks[task], models[model].name, layers);
  snprintf(
      rest, sizeof rest, "%s --schedule step --steps %d",
      r->budget == BUDGET_FULL ? "--batch 1024 --dtype f32 --schedule-steps 10000" : "--batch 64 --schedule-steps 200",
      (int)by_budget(r, 30, 2000, 1000000));
  write_words(r, words, sizeof words, task, model, layers, rest);
  return train_run(r, &(training_request){key, words, INFINITY, NULL, 0}, NULL);
}

static int train_newton(reproduction *r, int task, int model) {
  char key[96], rest[128], words[512];
  snprintf(key, sizeof key, "%s,%s,Gauss-Newton", tasks[task], models[model].name);
  snprintf(rest, sizeof rest, "--init-scale 0.5 --optimizer %s --steps %d --target 1e-29",
           is_softmax(model) ? "gauss_newton_cg" : "levenberg_marquardt", (int)by_budget(r, 3, 100, 1000));
  write_words(r, words, sizeof words, task, model, 0, rest);
  return train_run(r, &(training_request){key, words, INFINITY, NULL, 0}, NULL);
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  const int depth = (int)by_budget(r, 1, 4, 8);
  for (int task = 0; task < TASKS; task++) {
    for (int model = 0; model < MODELS; model++) {
      for (int layers = 1; layers <= (models[model].depth_most == 0 ? 1 : depth); layers *= 2) {
        TRY(train_adam(r, task, model, layers));
      }
      if (models[model].depth_most > 0) TRY(train_newton(r, task, model));
    }
  }
done:
  return code;
}

static const column columns[] = {
    "optimizer", "parameters", "steps", "seconds", "tries", "mse:MSE", "relative:relative MSE", NULL};

/* The best of a side counts, whatever its depth and optimiser. */
static const claim claims[] = {
    {"multiply: the best softmax attention over the best BaseConv: MSE over MSE",
     AT_LEAST,
     1e6,
     {LEAST, "multiply,softmax*", "mse"},
     {LEAST, "multiply,base_conv*", "mse"}},
    {"square: the best softmax attention over the best BaseConv: MSE over MSE",
     AT_LEAST,
     1e6,
     {LEAST, "square,softmax*", "mse"},
     {LEAST, "square,base_conv*", "mse"}},
    {"multiply: in no more time: BaseConv's Gauss-Newton over softmax attention's, seconds",
     AT_MOST,
     1,
     {LARGEST, "multiply,base_conv,Gauss-Newton", "seconds"},
     {LEAST, "multiply,softmax,Gauss-Newton", "seconds"}},
    {"square: in no more time: BaseConv's Gauss-Newton over softmax attention's, seconds",
     AT_MOST,
     1,
     {LARGEST, "square,base_conv,Gauss-Newton", "seconds"},
     {LEAST, "square,softmax,Gauss-Newton", "seconds"}},
    {"BaseConv has no more weights than softmax attention, layer by layer: their number over the other's",
     AT_MOST,
     1.05,
     {LARGEST, "multiply,base_conv*layers=1", "parameters"},
     {LEAST, "multiply,softmax,layers=1", "parameters"}},
    {"read: both fit: relative MSE of the worse one's best",
     AT_MOST,
     1e-3,
     {LEAST, "read,softmax*", "relative"},
     {LEAST, NULL, NULL}},
    {"read, BaseConv", AT_MOST, 1e-3, {LEAST, "read,base_conv*", "relative"}, {LEAST, NULL, NULL}},
    {"linear: both fit: relative MSE, softmax attention",
     AT_MOST,
     1e-3,
     {LEAST, "linear,softmax*", "relative"},
     {LEAST, NULL, NULL}},
    {"linear, BaseConv", AT_MOST, 1e-3, {LEAST, "linear,base_conv*", "relative"}, {LEAST, NULL, NULL}},
    {.text = NULL}};

static const picture pictures[] = {
    {"training",
     "training time (s)",
     "mean squared error",
     1,
     1,
     {{"multiply, softmax, Adam", "multiply,softmax,layers=1", "curve_seconds", "curve_loss"},
      {"multiply, softmax, Gauss-Newton", "multiply,softmax,Gauss-Newton", "curve_seconds", "curve_loss"},
      {"multiply, BaseConv, Adam", "multiply,base_conv,layers=1", "curve_seconds", "curve_loss"},
      {"multiply, BaseConv, Gauss-Newton", "multiply,base_conv,Gauss-Newton", "curve_seconds", "curve_loss"},
      {"square, softmax, Gauss-Newton", "square,softmax,Gauss-Newton", "curve_seconds", "curve_loss"},
      {"square, BaseConv, Gauss-Newton", "square,base_conv,Gauss-Newton", "curve_seconds", "curve_loss"}}},
    {.name = NULL}};

const experiment experiment_primitives = {
    "primitives", "read, linear, multiply, square by softmax attention and by BaseConv",        run, columns, claims,
    pictures,     "softmax attention cannot multiply exactly, BaseConv can (no single figure)", 0};
