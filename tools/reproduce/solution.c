/* Learning the solution end to end: A'A and A'b from a learned gradient, then a learned Newton-Schulz step on A'A from
 * X = I, again and again, then X A'b. No weight is set by hand: both models are trained from random weights, on the
 * step alone. Beside it: exact Newton-Schulz, and a looped model that is trained on the solution alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"
#include "unrolled.h"

enum { D = 4, L = 16, STEPS_MOST = 36 };

typedef struct {
  const problems *p;
  double *h, *c;        /* (count,D,D), (count,D): A'A / L and A'b / L */
  double *X, *x;        /* (count,D,D), (count,D) */
  lsqnet_model *newton; /* NULL: the exact step */
  lsqnet_workspace *workspace;
  double *in, *out; /* (count,D,2D), (count,D,D) */
} inversion;

static int inversion_open(inversion *v, const problems *p, lsqnet_model *newton) {
  *v = (inversion){.p = p, .newton = newton};
  v->h = numbers(p->count * D * D);
  v->c = numbers(p->count * D);
  v->X = numbers(p->count * D * D);
  v->x = numbers(p->count * D);
  v->in = numbers(p->count * 2 * D * D);
  v->out = numbers(p->count * D * D);
  if (v->h == NULL || v->c == NULL || v->X == NULL || v->x == NULL || v->in == NULL || v->out == NULL)
    return CODE_OTHER;
  const lsqnet_status st = newton == NULL ? LSQNET_OK : lsqnet_workspace_create(&v->workspace, newton);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static void inversion_close(inversion *v) {
  double *arrays[] = {v->h, v->c, v->X, v->x, v->in, v->out};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  lsqnet_workspace_destroy(v->workspace);
}

/* g(0) = -A'b / L; g(e_j) - g(0) is column j of A'A / L. With `gradient` NULL the float64 gradient. */
static int probe(inversion *v, const lsqnet_model *gradient) {
  int code = CODE_DONE;
  const problems *p = v->p;
  asker a = {0};
  double *x = numbers(p->count * D), *g = numbers(p->count * D);
  if (x == NULL || g == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  if (gradient != NULL) TRY(asker_open(&a, gradient, p));
  for (int j = -1; j < D; j++) {
    for (int64_t i = 0; i < p->count * D; i++) x[i] = i % D == j;
    if (gradient != NULL) TRY(ask(&a, p, x, g));
    for (int64_t i = 0; i < p->count; i++) {
      if (gradient == NULL) exact_gradient(p, i, x + i * D, g + i * D);
      for (int k = 0; k < D; k++) {
        if (j < 0) v->c[i * D + k] = -g[i * D + k];
        if (j >= 0) v->h[i * D * D + k * D + j] = g[i * D + k] + v->c[i * D + k];
      }
    }
  }
done:
  asker_close(&a);
  free(x);
  free(g);
  return code;
}

static double row_norm(const double *a) {
  double largest = 0;
  for (int i = 0; i < D; i++) {
    double sum = 0;
    for (int j = 0; j < D; j++) sum += fabs(a[i * D + j]);
    largest = fmax(largest, sum);
  }
  return largest;
}

static double power_of_two(double x) { return exp2(floor(log2(x))); }

/* Half of H and of its transpose; H and c by a power of two, so that the largest eigenvalue is below 1; X = I. */
static void start(inversion *v) {
  for (int64_t i = 0; i < v->p->count; i++) {
    double *h = v->h + i * D * D;
    for (int j = 0; j < D; j++) {
      for (int k = 0; k < j; k++) h[j * D + k] = h[k * D + j] = (h[j * D + k] + h[k * D + j]) / 2;
    }
    const double scale = 2 * power_of_two(row_norm(h));
    for (int j = 0; j < D * D; j++) h[j] /= scale;
    for (int j = 0; j < D; j++) v->c[i * D + j] /= scale;
    for (int j = 0; j < D * D; j++) v->X[i * D * D + j] = j % (D + 1) == 0;
  }
}

static void step_exact(inversion *v) {
  for (int64_t i = 0; i < v->p->count; i++) {
    const double *h = v->h + i * D * D;
    double *X = v->X + i * D * D, P[D * D] = {0}, Q[D * D] = {0};
    for (int j = 0; j < D * D * D; j++) P[j / D] += X[j / (D * D) * D + j % D] * h[j % D * D + j / D % D];
    for (int j = 0; j < D * D * D; j++) Q[j / D] += P[j / (D * D) * D + j % D] * X[j % D * D + j / D % D];
    for (int j = 0; j < D * D; j++) X[j] = 2 * X[j] - Q[j];
  }
}

/* The model sees a H and X / a, whose step is X' / a: the power of two a makes both equally large, since data of the
 * size of its training are what it is best at. */
static int step_learned(inversion *v) {
  const lsqnet_batch shape = {sizeof shape, 0, v->p->count, D, 0, D};
  for (int64_t i = 0; i < v->p->count; i++) {
    const double a = power_of_two(sqrt(row_norm(v->X + i * D * D) / row_norm(v->h + i * D * D)));
    for (int j = 0; j < D * D; j++) {
      double *row = v->in + (i * D + j / D) * 2 * D;
      row[j % D] = a * v->h[i * D * D + j];
      row[D + j % D] = v->X[i * D * D + j] / a;
    }
  }
  const lsqnet_status st = lsqnet_model_forward_f64(v->newton, v->workspace, &shape, v->in, v->out);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  for (int64_t i = 0; i < v->p->count; i++) {
    const double a = power_of_two(sqrt(row_norm(v->X + i * D * D) / row_norm(v->h + i * D * D)));
    for (int j = 0; j < D * D; j++) v->X[i * D * D + j] = a * v->out[i * D * D + j];
  }
  return CODE_DONE;
}

/* Mean squared error of x = X c. */
static double error(inversion *v) {
  memset(v->x, 0, (size_t)(v->p->count * D) * sizeof *v->x);
  for (int64_t i = 0; i < v->p->count * D; i++) {
    for (int j = 0; j < D; j++) v->x[i] += v->X[i * D + j] * v->c[i / D * D + j];
  }
  return mean_error(v->p, v->x, v->p->x);
}

static int invert(reproduction *r, const char *key, const problems *p, const lsqnet_model *gradient,
                  lsqnet_model *newton, int steps) {
  int code = CODE_DONE;
  inversion v = {0};
  double k_of[STEPS_MOST + 1], mse[STEPS_MOST + 1];
  TRY(inversion_open(&v, p, newton));
  TRY(probe(&v, gradient));
  start(&v);
  for (int k = 0; k <= steps; k++) {
    k_of[k] = k;
    mse[k] = error(&v);
    if (k == steps) break;
    if (newton == NULL) step_exact(&v);
    if (newton != NULL) TRY(step_learned(&v));
    TRY(go_on(r, key, k, steps));
  }
  TRY(runs_add(
      r, key,
      json_pack("{s:I, s:i, s:o, s:o, s:o}", "problems", (json_int_t)p->count, "applied", steps, "mse",
                json_number(mse[steps]), "k", numbers_json(k_of, steps + 1), "curve", numbers_json(mse, steps + 1))));
done:
  inversion_close(&v);
  return code;
}

static const struct {
  double condition;
  int steps;
} conditions[] = {{10, 20}, {100, 24}, {1e3, 30}, {1e4, STEPS_MOST}};

/* By the models of two trainings. */
static int solve_all(reproduction *r, const char *gradient_key, const char *newton_key) {
  int code = CODE_DONE;
  lsqnet_model *gradient = NULL, *newton = NULL;
  problems p = {0};
  for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
    char key[64];
    lsqnet_task_options o = task_named("least_squares", L, D);
    o.condition = conditions[i].condition;
    o.singular_max = sqrt((double)L);
    problems_free(&p);
    TRY(problems_draw(&p, r, &o, 5, (int64_t)by_budget(r, 8, 256, 1024)));
    snprintf(key, sizeof key, "*,cond=%g", o.condition);
    TRY(runs_agree(r, key, "problems", (double)p.count));
    TRY(runs_agree(r, key, "applied", conditions[i].steps));
    snprintf(key, sizeof key, "learned,cond=%g", o.condition);
    if (runs_find(r, key) == NULL) {
      if (gradient == NULL) TRY(trained_model(r, gradient_key, &gradient));
      if (newton == NULL) TRY(trained_model(r, newton_key, &newton));
      TRY(invert(r, key, &p, gradient, newton, conditions[i].steps));
    }
    snprintf(key, sizeof key, "exact,cond=%g", o.condition);
    if (runs_find(r, key) == NULL) TRY(invert(r, key, &p, NULL, NULL, conditions[i].steps));
  }
done:
  problems_free(&p);
  lsqnet_model_destroy(gradient);
  lsqnet_model_destroy(newton);
  return code;
}

#define ATTENTION                                                                                                     \
  "--mixer attention --no-softmax --no-causal --layers 1 --freeze-positions --optimizer levenberg_marquardt --steps " \
  "100 "                                                                                                              \
  "--target 1e-29 --seed 1 "

#define GROWING "solution_alone,loops=growing"

static int run(reproduction *r) {
  static const double rates[] = {1e-2, 3e-3, 1e-3};
  int code = CODE_DONE;
  const training_request gradient_training = {
      "gradient", "explicit_gradient --prompt split --dim 4 --rows 16 --width 10 --init-scale 0.25 " ATTENTION,
      by_budget(r, 1, INFINITY, INFINITY), NULL, 0};
  const training_request newton_training = {"newton_schulz",
                                            "newton_schulz --dim 4 --rows 4 --width 8 --init-scale 0.5 " ATTENTION,
                                            by_budget(r, 1, INFINITY, INFINITY), NULL, 0};
  const int64_t steps = (int64_t)by_budget(r, 300, 40000, 1200000);
  const unrolled_request alone[] = {{"solution_alone", steps, rates, 3, 1, 5, 5, 0},
                                    {"solution_alone,loops=2to7", steps, rates, 3, 1, 2, 7, 0},
                                    {GROWING, steps, rates, 3, 1, 2, 7, 1}};
  TRY(train_run(r, &gradient_training));
  TRY(train_run(r, &newton_training));
  TRY(solve_all(r, gradient_training.key, newton_training.key));
  for (int i = 0; i < 3; i++) TRY(unrolled_run(r, &alone[i]));
  if (runs_find(r, "exact,alone") == NULL) TRY(unrolled_exact(r, "exact,alone"));
  /* 20,000 steps from two seeds, and 60,000; three numbers at a time, every number, and the largest alone; both of
   * these from one loop on; the logarithm of the loss, with and without growing */
  TRY(runs_tried_before(r, GROWING, 10));
done:
  return code;
}

static const column columns[] = {"optimizer",
                                 "parameters",
                                 SIZES,
                                 "steps",
                                 "seconds",
                                 "tries",
                                 "problems",
                                 "applied:times applied",
                                 "least_loops:least loops",
                                 "most_loops:most loops",
                                 "loops:loops measured",
                                 "mse:MSE",
                                 "mse_twice:MSE after twice the loops",
                                 NULL};

static const claim claims[] = {
    {"the solution for cond(A) = 100: MSE of x",
     AT_MOST,
     1e-20,
     {LARGEST, "learned,cond=100", "mse"},
     {LEAST, NULL, NULL}},
    {"the solution for cond(A) = 10: MSE of x",
     AT_MOST,
     1e-20,
     {LARGEST, "learned,cond=10", "mse"},
     {LEAST, NULL, NULL}},
    {"the solution for cond(A) up to 1e4: MSE of x",
     AT_MOST,
     1e-12,
     {LARGEST, "learned,*", "mse"},
     {LEAST, NULL, NULL}},
    {"trained on the solution alone after five loops, a model is as good as exact Newton-Schulz after five: MSE over "
     "MSE",
     AT_MOST,
     10,
     {LARGEST, "solution_alone", "mse"},
     {LEAST, "exact,alone", "mse"}},
    {"but is no iteration that converges: MSE after twice the loops over that of exact Newton-Schulz",
     AT_LEAST,
     1e10,
     {LEAST, "solution_alone", "mse_twice"},
     {LARGEST, "exact,alone", "mse_twice"}},
    {"trained on it after two to seven loops, what it learned can be repeated: MSE after ten loops over MSE after five",
     AT_MOST,
     10,
     {LARGEST, "solution_alone,loops=2to7", "mse_twice"},
     {LEAST, "solution_alone,loops=2to7", "mse"}},
    {"but stands, and does not converge as Newton-Schulz does: MSE after ten loops over that of exact Newton-Schulz",
     AT_LEAST,
     1e10,
     {LEAST, "solution_alone,loops=2to7", "mse_twice"},
     {LARGEST, "exact,alone", "mse_twice"}},
    {"trained on it with a number of loops that grows from two to seven, five loops are as good as exact "
     "Newton-Schulz's "
     "five: MSE over MSE",
     AT_MOST,
     10,
     {LARGEST, GROWING, "mse"},
     {LEAST, "exact,alone", "mse"}},
    {"and what it learned can be repeated: MSE after ten loops over MSE after five",
     AT_MOST,
     10,
     {LARGEST, GROWING, "mse_twice"},
     {LEAST, GROWING, "mse"}},
    {"better than with any number of two to seven: that one's MSE after ten loops over its own",
     AT_LEAST,
     10,
     {LEAST, "solution_alone,loops=2to7", "mse_twice"},
     {LARGEST, GROWING, "mse_twice"}},
    {"and it converges to roundings, as Newton-Schulz does: MSE after ten loops",
     AT_MOST,
     1e-20,
     {LARGEST, GROWING, "mse_twice"},
     {LEAST, NULL, NULL}},
    {.text = NULL}};

static const picture pictures[] = {
    {.name = "convergence",
     .x_label = "number of Newton-Schulz steps",
     .y_label = "mean squared error of x (no unit)",
     .log_y = 1,
     .pairs = 1,
     .series = {{"learned, cond(A) = 10", "learned,cond=10", "k", "curve"},
                {"exact, cond(A) = 10", "exact,cond=10", "k", "curve"},
                {"learned, cond(A) = 100", "learned,cond=100", "k", "curve"},
                {"exact, cond(A) = 100", "exact,cond=100", "k", "curve"},
                {"learned, cond(A) = 1e3", "learned,cond=1000", "k", "curve"},
                {"exact, cond(A) = 1e3", "exact,cond=1000", "k", "curve"},
                {"learned, cond(A) = 1e4", "learned,cond=10000", "k", "curve"},
                {"exact, cond(A) = 1e4", "exact,cond=10000", "k", "curve"}}},
    {.name = "alone",
     .x_label = "training time (s)",
     .y_label = "mean squared error (no unit)",
     .log_x = 1,
     .log_y = 1,
     .series = {{"trained on the solution after five loops", "solution_alone", "curve_seconds", "curve_loss"},
                {"after two to seven loops", "solution_alone,loops=2to7", "curve_seconds", "curve_loss"},
                {"after a number of loops that grows", GROWING, "curve_seconds", "curve_loss"},
                {"trained on the step: gradient", "gradient", "curve_seconds", "curve_loss"},
                {"trained on the step: Newton-Schulz", "newton_schulz", "curve_seconds", "curve_loss"}}},
    {.name = "alone-loops",
     .x_label = "number of loops",
     .y_label = "mean squared error of x (no unit)",
     .log_y = 1,
     .series = {{"trained on the solution after two to seven loops", "solution_alone,loops=2to7", "k", "curve"},
                {"after a number of loops that grows", GROWING, "k", "curve"},
                {"exact Newton-Schulz from X = I", "exact,alone", "k", "curve"}}},
    {.name = NULL}};

const experiment experiment_solution = {"solution",  "the solution end to end, by learned Newton-Schulz steps on A'A",
                                        run,         columns,
                                        claims,      pictures,
                                        "left open", 0};
