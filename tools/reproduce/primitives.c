/* read, linear, multiply and square by softmax attention and by BaseConv, of equal size and with equal steps: over
 * depth, with and without LayerNorm and MLP, by Adam (the paper's way; the better of two rates, but in full), and one
 * layer of each by Levenberg-Marquardt and by matrix-free Gauss-Newton. */
#include <math.h>
#include <stdio.h>

#include "../error.h"
#include "reproduce.h"

static const char *const tasks[] = {"read", "linear", "multiply", "square"};

/* Widths are such that the two sides have about as many weights, with all their parts. */
static const struct {
  const char *name, *words;
  int softmax, narrow; /* narrow: of BaseConv with an MLP */
  int newton;          /* trained by Gauss-Newton as well */
} models[] = {
    {"softmax", "--mixer attention --heads 2 --softmax --causal --mlp relu --mlp-factor 4 --norms", 1, 0, 1},
    {"softmax-no-norm", "--mixer attention --heads 2 --softmax --causal --mlp relu --mlp-factor 4", 1, 0, 0},
    {"softmax-no-mlp", "--mixer attention --heads 2 --softmax --causal --norms", 1, 0, 0},
    {"softmax-no-norm-no-mlp", "--mixer attention --heads 2 --softmax --causal", 1, 0, 0},
    {"base_conv", "--mixer base_conv --filter long", 0, 0, 1},
    {"base_conv-norm", "--mixer base_conv --filter long --norms", 0, 0, 0},
    {"base_conv-mlp", "--mixer base_conv --filter long --mlp relu --mlp-factor 4", 0, 1, 0},
    {"base_conv-norm-mlp", "--mixer base_conv --filter long --mlp relu --mlp-factor 4 --norms", 0, 1, 0},
};

enum { TASKS = sizeof tasks / sizeof *tasks, MODELS = sizeof models / sizeof *models };

enum { ADAM, MATRIX_FREE, LEVENBERG_MARQUARDT };

/* Narrower for Levenberg-Marquardt, whose work is cubic in the weights, and not narrower for BaseConv. */
static int width_of(const reproduction *r, int model, int optimizer) {
  const int full = r->budget == BUDGET_FULL;
  if (optimizer == LEVENBERG_MARQUARDT) return models[model].softmax ? (full ? 24 : 8) : full ? 40 : 12;
  if (full) return 64;
  return models[model].softmax || models[model].narrow ? 12 : 21;
}

static void write_words(const reproduction *r, char *words, size_t room, int task, int model, int layers, int optimizer,
                        const char *rest) {
  const int full = r->budget == BUDGET_FULL;
  snprintf(words, room, "%s --rows %d --dim %d --layers %d --width %d --seed 1 %s %s", tasks[task], full ? 40 : 8,
           full ? 20 : 4, layers, width_of(r, model, optimizer), models[model].words, rest);
}

static int train_adam(reproduction *r, int task, int model, int layers) {
  char key[96], rest[128], words[512];
  snprintf(key, sizeof key, "%s,%s,layers=%d", tasks[task], models[model].name, layers);
  snprintf(
      rest, sizeof rest, "%s --schedule step --steps %d",
      r->budget == BUDGET_FULL ? "--batch 1024 --dtype f32 --schedule-steps 10000" : "--batch 64 --schedule-steps 200",
      (int)by_budget(r, 30, 2000, 1000000));
  write_words(r, words, sizeof words, task, model, layers, ADAM, rest);
  return train_run(r, &(training_request){key, words, INFINITY, r->budget == BUDGET_FULL ? "1e-3" : "1e-2,3e-3", 0});
}

/* Levenberg-Marquardt and conjugate gradients have the same steps, damping and first weights on both sides. */
static int train_newton(reproduction *r, int task, int model, int optimizer) {
  char key[96], rest[160], words[512];
  const int whole = optimizer == LEVENBERG_MARQUARDT;
  snprintf(key, sizeof key, "%s,%s,%s", tasks[task], models[model].name, whole ? "Levenberg-Marquardt" : "matrix-free");
  snprintf(rest, sizeof rest, "--init-scale 0.5 --optimizer %s --memory 4000000000 --steps %d --target 1e-29",
           whole ? "levenberg_marquardt" : "gauss_newton_cg", (int)by_budget(r, 3, 100, 1000));
  write_words(r, words, sizeof words, task, model, 1, optimizer, rest);
  return train_run(r, &(training_request){key, words, INFINITY, NULL, 0});
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  const int depth = (int)by_budget(r, 1, 4, 8);
  for (int task = 0; task < TASKS; task++) {
    for (int model = 0; model < MODELS; model++) {
      for (int layers = 1; layers <= depth; layers *= 2) TRY(train_adam(r, task, model, layers));
      if (!models[model].newton) continue;
      TRY(train_newton(r, task, model, LEVENBERG_MARQUARDT));
      TRY(train_newton(r, task, model, MATRIX_FREE));
    }
  }
  /* a rate of 1e-3 */
  TRY(runs_tried_before(r, "*,layers=?", 1));
done:
  return code;
}

static const column columns[] = {
    "optimizer", "parameters", SIZES, "steps", "seconds", "tries", "mse:MSE", "relative:relative MSE", NULL};

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
    {"multiply: the same optimiser, Levenberg-Marquardt: softmax attention's MSE over BaseConv's",
     AT_LEAST,
     1e6,
     {LEAST, "multiply,softmax,Levenberg-Marquardt", "mse"},
     {LARGEST, "multiply,base_conv,Levenberg-Marquardt", "mse"}},
    {"multiply: in no more time: BaseConv's Levenberg-Marquardt over softmax attention's, seconds",
     AT_MOST,
     1,
     {LARGEST, "multiply,base_conv,Levenberg-Marquardt", "seconds"},
     {LEAST, "multiply,softmax,Levenberg-Marquardt", "seconds"}},
    {"square: the same optimiser, Levenberg-Marquardt: softmax attention's MSE over BaseConv's",
     AT_LEAST,
     1e6,
     {LEAST, "square,softmax,Levenberg-Marquardt", "mse"},
     {LARGEST, "square,base_conv,Levenberg-Marquardt", "mse"}},
    {"square: in no more time: BaseConv's Levenberg-Marquardt over softmax attention's, seconds",
     AT_MOST,
     1,
     {LARGEST, "square,base_conv,Levenberg-Marquardt", "seconds"},
     {LEAST, "square,softmax,Levenberg-Marquardt", "seconds"}},
    {"multiply by Adam alone, equal steps: the best softmax attention of any depth over the best BaseConv",
     AT_LEAST,
     1e6,
     {LEAST, "multiply,softmax*,layers=?", "mse"},
     {LEAST, "multiply,base_conv*,layers=?", "mse"}},
    {"square by Adam alone",
     AT_LEAST,
     1e6,
     {LEAST, "square,softmax*,layers=?", "mse"},
     {LEAST, "square,base_conv*,layers=?", "mse"}},
    {"BaseConv has no more weights than softmax attention, with one layer: their number over the other's",
     AT_MOST,
     1.05,
     {LARGEST, "multiply,base_conv*layers=1", "parameters"},
     {LEAST, "multiply,softmax,layers=1", "parameters"}},
    {"with two",
     AT_MOST,
     1.05,
     {LARGEST, "multiply,base_conv,layers=2", "parameters"},
     {LEAST, "multiply,softmax,layers=2", "parameters"}},
    {"with four",
     AT_MOST,
     1.05,
     {LARGEST, "multiply,base_conv,layers=4", "parameters"},
     {LEAST, "multiply,softmax,layers=4", "parameters"}},
    {"nor in Levenberg-Marquardt: their number over the other's",
     AT_MOST,
     1.05,
     {LARGEST, "*,base_conv,Levenberg-Marquardt", "parameters"},
     {LEAST, "*,softmax,Levenberg-Marquardt", "parameters"}},
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
    {"what softmax attention can and cannot, whatever made it: its best of multiply and square over its best of read, "
     "relative MSE",
     AT_LEAST,
     10,
     {LEAST, "multiply,softmax*|square,softmax*", "relative"},
     {LEAST, "read,softmax*", "relative"}},
    {"the same over its best of linear",
     AT_LEAST,
     10,
     {LEAST, "multiply,softmax*|square,softmax*", "relative"},
     {LEAST, "linear,softmax*", "relative"}},
    {.text = NULL}};

static const char *const models_in_words[] = {"softmax",
                                              "softmax, LayerNorms, MLP",
                                              "softmax-no-norm",
                                              "softmax, MLP",
                                              "softmax-no-mlp",
                                              "softmax, LayerNorms",
                                              "softmax-no-norm-no-mlp",
                                              "softmax alone",
                                              "base_conv",
                                              "BaseConv alone",
                                              "base_conv-norm",
                                              "BaseConv, LayerNorms",
                                              "base_conv-mlp",
                                              "BaseConv, MLP",
                                              "base_conv-norm-mlp",
                                              "BaseConv, LayerNorms, MLP",
                                              NULL};

static const picture pictures[] = {
    {.name = "depth",
     .x_label = "number of layers",
     .y_label = "MSE by Adam / mean square of targets",
     .log_x = 2,
     .log_y = 1,
     .pairs = 1,
     .series = {{"read: softmax attention, LayerNorms, MLP", "read,softmax,layers=?", DEPTH, "relative"},
                {"read: BaseConv alone", "read,base_conv,layers=?", DEPTH, "relative"},
                {"linear: softmax attention, LayerNorms, MLP", "linear,softmax,layers=?", DEPTH, "relative"},
                {"linear: BaseConv alone", "linear,base_conv,layers=?", DEPTH, "relative"},
                {"multiply: softmax attention, LayerNorms, MLP", "multiply,softmax,layers=?", DEPTH, "relative"},
                {"multiply: BaseConv alone", "multiply,base_conv,layers=?", DEPTH, "relative"},
                {"square: softmax attention, LayerNorms, MLP", "square,softmax,layers=?", DEPTH, "relative"},
                {"square: BaseConv alone", "square,base_conv,layers=?", DEPTH, "relative"}}},
    {.name = "training",
     .x_label = "training time (s)",
     .y_label = "MSE of multiply (no unit)",
     .log_x = 1,
     .log_y = 1,
     .pairs = 1,
     .series = {{"softmax attention, LayerNorms, MLP, by Adam", "multiply,softmax,layers=1", "curve_seconds",
                 "curve_loss"},
                {"BaseConv alone, by Adam", "multiply,base_conv,layers=1", "curve_seconds", "curve_loss"},
                {"softmax attention, LayerNorms, MLP, by Levenberg-Marquardt", "multiply,softmax,Levenberg-Marquardt",
                 "curve_seconds", "curve_loss"},
                {"BaseConv alone, by Levenberg-Marquardt", "multiply,base_conv,Levenberg-Marquardt", "curve_seconds",
                 "curve_loss"},
                {"softmax attention, LayerNorms, MLP, by matrix-free Gauss-Newton", "multiply,softmax,matrix-free",
                 "curve_seconds", "curve_loss"},
                {"BaseConv alone, by matrix-free Gauss-Newton", "multiply,base_conv,matrix-free", "curve_seconds",
                 "curve_loss"}}},
    {.name = "parts",
     .x_label = "model, for multiply",
     .y_label = "MSE by Adam / mean square of targets",
     .log_y = 1,
     .words = models_in_words,
     .series = {{"1 layer", "multiply,*,layers=1", VARIANT, "relative"},
                {"2 layers", "multiply,*,layers=2", VARIANT, "relative"},
                {"4 layers", "multiply,*,layers=4", VARIANT, "relative"}}},
    {.name = NULL}};

const experiment experiment_primitives = {
    "primitives", "read, linear, multiply, square by softmax attention and by BaseConv",        run, columns, claims,
    pictures,     "softmax attention cannot multiply exactly, BaseConv can (no single figure)", 0};
