/* Models whose weights are set by formula, beside exact gradient descent: 300 steps x <- x - g(x) / 2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"

enum { ROWS = 20, DIM = 5, CURVES = 4 };
static const double STEP = 0.5;

static const struct {
  const char *key, *mixer, *prompt;
} models[] = {{"linear_attention_split", "attention", "split"},
              {"base_conv_repeat", "base_conv", "repeat"},
              {"base_conv_split", "base_conv", "split"},
              {"base_conv_query_first", "base_conv", "query_first"}};

enum { MODELS = sizeof models / sizeof *models };

/* Quartiles over problems of the error, after 0 .. steps steps; how far x ever was from gradient descent's. */
typedef struct {
  int64_t steps;
  double *k, *low, *median, *high, *errors;
  double deviation, end;
} curve;

static int curve_open(curve *c, int64_t steps, int64_t count) {
  *c = (curve){.steps = steps};
  c->k = numbers(steps + 1);
  c->low = numbers(steps + 1);
  c->median = numbers(steps + 1);
  c->high = numbers(steps + 1);
  c->errors = numbers(count);
  return c->k == NULL || c->low == NULL || c->median == NULL || c->high == NULL || c->errors == NULL ? CODE_OTHER
                                                                                                     : CODE_DONE;
}

static void curve_close(curve *c) {
  double *arrays[] = {c->k, c->low, c->median, c->high, c->errors};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

static void note(curve *c, const problems *p, int64_t k, const double *x) {
  double q[3];
  for (int64_t i = 0; i < p->count; i++) c->errors[i] = error_of(p, i, x, p->x);
  quartiles(c->errors, p->count, q);
  c->k[k] = (double)k;
  c->low[k] = q[0];
  c->median[k] = c->end = q[1];
  c->high[k] = q[2];
}

static void note_deviation(curve *c, int64_t count, const double *x, const double *y) {
  for (int64_t j = 0; j < count; j++) c->deviation = fmax(c->deviation, fabs(x[j] - y[j]));
}

/* The model's iterates, or with `a` NULL gradient descent's own. */
static int iterate(reproduction *r, const char *key, curve *c, asker *a, const problems *p) {
  int code = CODE_DONE;
  const int64_t count = p->count * p->D;
  double *x = numbers(count), *y = numbers(count);
  if (x == NULL || y == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  note(c, p, 0, x);
  for (int64_t k = 1; k <= c->steps; k++) {
    TRY(go_on(r, key, k, c->steps));
    exact_iterate(p, STEP, y);
    if (a == NULL) {
      memcpy(x, y, (size_t)count * sizeof *x);
    } else {
      TRY(ask_iterate(a, p, STEP, x));
    }
    note(c, p, k, x);
    note_deviation(c, count, x, y);
  }
done:
  free(x);
  free(y);
  return code;
}

static int add(reproduction *r, const char *key, const curve *c, const problems *p) {
  const int64_t n = c->steps + 1;
  return runs_add(r, key,
                  json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "problems", (json_int_t)p->count, "iterates",
                            (json_int_t)c->steps, "deviation", json_number(c->deviation), "median_mse",
                            json_number(c->end), "iterate", numbers_json(c->k, n), "median", numbers_json(c->median, n),
                            "quartile_low", numbers_json(c->low, n), "quartile_high", numbers_json(c->high, n)));
}

/* `which` < 0: gradient descent itself. */
static int measure(reproduction *r, const problems *p, int which, int64_t steps) {
  int code = CODE_DONE;
  const char *key = which < 0 ? "gradient_descent" : models[which].key;
  lsqnet_model *model = NULL;
  asker a = {0};
  curve c = {0};
  if (runs_find(r, key) != NULL) return CODE_DONE;
  TRY(curve_open(&c, steps, p->count));
  if (which >= 0) {
    lsqnet_construct_options o;
    lsqnet_status st = lsqnet_construct_options_init(&o, sizeof o);
    o.rows = p->L;
    o.dim = p->D;
    o.mixer = models[which].mixer;
    o.prompt = models[which].prompt;
    if (st == LSQNET_OK) st = lsqnet_model_construct_gradient(&model, r->context, &o);
    if (st != LSQNET_OK) return fail_status(st, NULL);
    TRY(asker_open(&a, model, p));
  }
  TRY(iterate(r, key, &c, which < 0 ? NULL : &a, p));
  TRY(add(r, key, &c, p));
done:
  asker_close(&a);
  lsqnet_model_destroy(model);
  curve_close(&c);
  return code;
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  const lsqnet_task_options o = task_named("least_squares", ROWS, DIM);
  problems p = {0};
  TRY(problems_draw(&p, r, &o, 1, (int64_t)by_budget(r, 5, 101, 1001)));
  TRY(runs_agree(r, "*", "problems", (double)p.count));
  TRY(runs_agree(r, "*", "iterates", by_budget(r, 20, 300, 300)));
  for (int i = -1; i < MODELS; i++) TRY(measure(r, &p, i, (int64_t)by_budget(r, 20, 300, 300)));
done:
  problems_free(&p);
  return code;
}

static const column columns[] = {"problems", "iterates", "median_mse:median MSE of x at the end",
                                 "deviation:largest deviation of x from gradient descent", NULL};

/* An iterate differs by some roundings a step, of which those of 1 / (step * smallest eigenvalue) steps, some 50, stay.
 */
static const claim claims[] = {
    {"hand-set models follow exact gradient descent to rounding: deviation of x over 300 iterates",
     AT_MOST,
     1e-13,
     {LARGEST, "*_*_*", "deviation"},
     {LEAST, NULL, NULL}},
    {"and so reach the same error: the model's median MSE over gradient descent's",
     AT_MOST,
     10,
     {LARGEST, "*_*_*", "median_mse"},
     {LEAST, "gradient_descent", "median_mse"}},
    {.text = NULL}};

static const picture pictures[] = {
    {.name = "convergence",
     .x_label = "number of gradient steps",
     .y_label = "squared error of x, median and quartiles",
     .log_y = 1,
     .low = "quartile_low",
     .high = "quartile_high",
     .series = {{"gradient descent", "gradient_descent", "iterate", "median"},
                {"linear attention on split", "linear_attention_split", "iterate", "median"},
                {"BaseConv on repeat", "base_conv_repeat", "iterate", "median"},
                {"BaseConv on split", "base_conv_split", "iterate", "median"},
                {"BaseConv on query first", "base_conv_query_first", "iterate", "median"}}},
    {.name = NULL}};

const experiment experiment_construction = {"construction",
                                            "hand-set BaseConv and linear attention beside exact gradient descent",
                                            run,
                                            columns,
                                            claims,
                                            pictures,
                                            "exact, but for roundings",
                                            0};
