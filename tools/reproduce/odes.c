/* In-context ODEs: from examples (c(t_1) .. c(t_n), u0) -> u(t*) of one unknown linear ODE, u(t*) of another forcing.
 * By least squares on the examples: the paper's iterate with a trained step, exact gradient descent of as many steps,
 * the refined solver, LAPACK; and by a Transformer that was trained on such prompts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "lapack.h"
#include "problems.h"

enum { ITERATES = 200, EXAMPLES_MOST = 32 };
static const double STEP = 0.5;

/* Unknowns D: a weight for each point, for u0, and the constant. The full budget has the paper's D = 22 and L = 25. */
typedef struct {
  int64_t points, D, examples;
} sizes;

static sizes sizes_of(const reproduction *r) {
  return r->budget == BUDGET_FULL ? (sizes){20, 22, 25} : (sizes){6, 8, EXAMPLES_MOST};
}

/* The largest eigenvalue of A'A / L is below D or so; with columns times this a step of 1/2 is stable. */
static double scale_of(int64_t D) { return sqrt(2.0 / (double)D); }

typedef struct {
  const char *name;
  int32_t kind; /* ode_class */
  int32_t places;
  double variance, spread, initial, noise; /* zero: as in training */
} setting;

enum { ALL_TERMS = 0, LINEAR = 1, RANDOM = 1 };

static const setting settings[] = {{.name = "class 1", .kind = LINEAR},
                                   {.name = "class 1, random points", .kind = LINEAR, .places = RANDOM},
                                   {.name = "class 1, noise 0.01", .kind = LINEAR, .noise = 0.01},
                                   {.name = "class 1, forcing shift", .kind = LINEAR, .variance = 0.5},
                                   {.name = "class 1, parameter shift", .kind = LINEAR, .spread = 2},
                                   {.name = "class 1, initial shift", .kind = LINEAR, .initial = 3},
                                   {.name = "class 0", .kind = ALL_TERMS},
                                   {.name = "class 0, random points", .kind = ALL_TERMS, .places = RANDOM},
                                   {.name = "class 0, noise 0.01", .kind = ALL_TERMS, .noise = 0.01},
                                   {.name = "class 0, forcing shift", .kind = ALL_TERMS, .variance = 0.5},
                                   {.name = "class 0, parameter shift", .kind = ALL_TERMS, .spread = 2},
                                   {.name = "class 0, initial shift", .kind = ALL_TERMS, .initial = 3}};

enum { SETTINGS = sizeof settings / sizeof *settings };

/* The examples as problems, and the row and u that are asked for: (count,D), (count). */
typedef struct {
  problems p;
  double *prompts, *query, *u;
  int64_t width;
} odes;

static int odes_draw(odes *o, reproduction *r, const setting *s, int64_t count) {
  lsqnet_task *task = NULL;
  const sizes z = sizes_of(r);
  const int64_t D = z.D, L = z.examples;
  lsqnet_task_options t = task_named("ode_icl_final", L + 1, D);
  t.points = z.points;
  t.ode_class = s->kind;
  t.ode_points = s->places;
  t.ode_noise = s->noise;
  if (s->variance > 0) t.ode_variance = s->variance;
  if (s->spread > 0) t.ode_spread = s->spread;
  if (s->initial > 0) t.ode_initial = s->initial;
  *o = (odes){.p = {count, L, D, numbers(count * L * (D + 1)), numbers(count * D)}, .width = D + 1};
  o->prompts = numbers(count * (L + 1) * o->width);
  o->query = numbers(count * D);
  o->u = numbers(count);
  if (o->p.rows == NULL || o->p.x == NULL || o->prompts == NULL || o->query == NULL || o->u == NULL) return CODE_OTHER;
  lsqnet_status st = lsqnet_task_create(&task, r->context, &t);
  if (st == LSQNET_OK) st = lsqnet_task_draw_f64(task, 9, 0, 0, count, o->prompts, o->u);
  lsqnet_task_destroy(task);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  for (int64_t i = 0; i < count; i++) {
    const double *prompt = o->prompts + i * (L + 1) * o->width;
    memcpy(problem_rows(&o->p, i), prompt, (size_t)(L * o->width) * sizeof *prompt);
    memcpy(o->query + i * D, prompt + L * o->width, (size_t)D * sizeof *prompt);
  }
  return CODE_DONE;
}

static void odes_close(odes *o) {
  problems_free(&o->p);
  free(o->prompts);
  free(o->query);
  free(o->u);
}

/* Mean squared error of u = query . x. */
static double prediction_error(const odes *o, const double *x) {
  const int64_t D = o->p.D;
  double sum = 0;
  for (int64_t i = 0; i < o->p.count; i++) {
    double u = -o->u[i];
    for (int64_t j = 0; j < D; j++) u += o->query[i * D + j] * x[i * D + j];
    sum += u * u;
  }
  return sum / (double)o->p.count;
}

/* Columns times `scale`, and so x over it. */
static void scale_columns(odes *o, double scale) {
  const int64_t D = o->p.D;
  for (int64_t i = 0; i < o->p.count * o->p.L; i++) {
    for (int64_t j = 0; j < D; j++) o->p.rows[i * (D + 1) + j] *= scale;
  }
  for (int64_t i = 0; i < o->p.count * D; i++) o->query[i] *= scale;
}

/* Iterates of the model, or with `model` NULL of gradient descent, from 0. */
static int descend(reproduction *r, const char *key, odes *o, const lsqnet_model *model, double *x, double *mse) {
  int code = CODE_DONE;
  asker a = {0};
  const int64_t D = o->p.D;
  memset(x, 0, (size_t)(o->p.count * D) * sizeof *x);
  scale_columns(o, scale_of(D));
  if (model != NULL) TRY(asker_open(&a, model, &o->p));
  for (int k = 0; k < ITERATES; k++) {
    TRY(go_on(r, key, k, ITERATES));
    if (model != NULL) TRY(ask_iterate(&a, &o->p, STEP, x));
    if (model == NULL) exact_iterate(&o->p, STEP, x);
  }
  *mse = prediction_error(o, x);
done:
  scale_columns(o, 1 / scale_of(D));
  asker_close(&a);
  return code;
}

static int refine(const odes *o, lsqnet_solver *solver, double *x, double *mse) {
  const int64_t D = o->p.D;
  for (int64_t i = 0; i < o->p.count; i++) {
    const double *rows = problem_rows(&o->p, i);
    const lsqnet_status st =
        lsqnet_solver_solve_f64(solver, o->p.L, D, 1, rows, D + 1, rows + D, D + 1, x + i * D, 1, NULL);
    if (st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED) return fail_status(st, NULL);
  }
  *mse = prediction_error(o, x);
  return CODE_DONE;
}

/* LAPACK's dgels; NaN in builds without it. */
static int solve_lapack(const odes *o, double *x, double *mse) {
  *mse = NAN;
  if (!lapack_open()) return CODE_DONE;
  const int64_t D = o->p.D, L = o->p.L;
  double a[EXAMPLES_MOST * UNKNOWNS_MOST], b[EXAMPLES_MOST];
  for (int64_t i = 0; i < o->p.count; i++) {
    const double *rows = problem_rows(&o->p, i);
    for (int64_t k = 0; k < L; k++) {
      for (int64_t j = 0; j < D; j++) a[j * L + k] = rows[k * (D + 1) + j];
      b[k] = rows[k * (D + 1) + D];
    }
    const int64_t info = lapack_solve(L, D, a, b);
    if (info < 0) return fail(CODE_OTHER, "dgels: %lld", (long long)info);
    memcpy(x + i * D, b, (size_t)D * sizeof *x);
  }
  *mse = prediction_error(o, x);
  return CODE_DONE;
}

static int predict(const odes *o, const lsqnet_model *transformer, double *mse) {
  lsqnet_workspace *workspace = NULL;
  const lsqnet_batch shape = {sizeof shape, 0, o->p.count, o->p.L + 1, o->p.L, 1};
  double sum = 0, *u = numbers(o->p.count);
  if (u == NULL) return CODE_OTHER;
  lsqnet_status st = lsqnet_workspace_create(&workspace, transformer);
  if (st == LSQNET_OK) st = lsqnet_model_forward_f64(transformer, workspace, &shape, o->prompts, u);
  for (int64_t i = 0; i < o->p.count; i++) sum += (u[i] - o->u[i]) * (u[i] - o->u[i]);
  *mse = sum / (double)o->p.count;
  lsqnet_workspace_destroy(workspace);
  free(u);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

typedef struct {
  lsqnet_model *step, *transformers[2]; /* of class 0 and 1, in float64 */
  lsqnet_model *paper;                  /* the paper's own step; NULL: not trained */
  lsqnet_solver *solver;
} peers;

static const char ONE_STEP[] = "one_step";

static const char *transformer_key(int kind) { return kind == LINEAR ? "transformer,class_1" : "transformer,class_0"; }

static int train_depth(reproduction *r, const char *key, int kind, int layers) {
  char words[512];
  const int full = r->budget == BUDGET_FULL;
  const sizes z = sizes_of(r);
  snprintf(
      words, sizeof words,
      "ode_icl_final --rows %d --points %d --ode-class %s --mixer attention --heads 4 --mlp relu --norms --layers %d "
      "--width %d --dtype f32 --batch %d --schedule step --schedule-steps %d --steps %d --seed 1",
      (int)z.examples + 1, (int)z.points, kind == LINEAR ? "no-a2" : "all", layers, full ? 256 : 32, full ? 64 : 32,
      full ? 10000 : 300, (int)by_budget(r, 30, 5000, 1000000));
  return train_run(r, &(training_request){key, words, INFINITY, full ? "1e-4" : "3e-3,1e-3", 0});
}

/* The paper's have 4 to 24 layers, of which the best count here; quick's have two. */
static int train_transformer(reproduction *r, int kind) {
  static const int depths[3][6] = {{1, 2}, {2}, {4, 8, 12, 16, 20, 24}};
  int code = CODE_DONE, tries = 0;
  char key[64], best[96] = "";
  double seconds = 0, least = INFINITY;
  if (r->budget == BUDGET_QUICK) return train_depth(r, transformer_key(kind), kind, depths[BUDGET_QUICK][0]);
  for (int i = 0; i < 6 && depths[r->budget][i] > 0; i++) {
    snprintf(key, sizeof key, "%s,layers=%02d", transformer_key(kind), depths[r->budget][i]);
    TRY(train_depth(r, key, kind, depths[r->budget][i]));
    const json_t *run = runs_find(r, key);
    const double mse = run_number(run, "mse");
    seconds += run_number(run, "seconds");
    tries += (int)json_integer_value(json_object_get(run, "tries"));
    if (*best != '\0' && !(mse < least)) continue;
    least = mse;
    const char *name = json_string_value(json_object_get(run, "best"));
    snprintf(best, sizeof best, "%s", name == NULL ? key : name);
  }
  if (runs_find(r, transformer_key(kind)) == NULL) TRY(runs_keep_best(r, transformer_key(kind), best, seconds, tries));
done:
  return code;
}

static int train_one_step(reproduction *r) {
  char words[512];
  const sizes z = sizes_of(r);
  snprintf(words, sizeof words,
           "multistep_gd --prompt split --rows %d --dim %d --width %d --mixer attention --no-softmax --no-causal "
           "--layers 1 --freeze-positions --init-scale 0.25 --optimizer gauss_newton_cg --steps 60 --target 1e-28 "
           "--seed 1",
           (int)z.examples, (int)z.D, (int)(2 * z.D + 1));
  return train_run(r, &(training_request){ONE_STEP, words, by_budget(r, 1, INFINITY, INFINITY), NULL, 0});
}

static int train_peers(reproduction *r) {
  int code = CODE_DONE;
  const sizes z = sizes_of(r);
  TRY(train_one_step(r));
  for (int kind = 0; kind < 2; kind++) TRY(train_transformer(r, kind));
  if (r->budget != BUDGET_QUICK) TRY(train_paper_step(r, z.examples, z.D, 4, 256, "1e-3"));
done:
  return code;
}

static int open_peers(peers *s, reproduction *r) {
  int code = CODE_DONE;
  lsqnet_model *single = NULL;
  lsqnet_status st = LSQNET_OK;
  TRY(trained_model(r, ONE_STEP, &s->step));
  if (r->budget != BUDGET_QUICK) TRY(trained_model(r, PAPER_STEP, &s->paper));
  for (int kind = 0; kind < 2 && st == LSQNET_OK; kind++) {
    TRY(trained_model(r, transformer_key(kind), &single));
    st = lsqnet_model_convert(&s->transformers[kind], single, LSQNET_F64);
    lsqnet_model_destroy(single);
  }
  if (st == LSQNET_OK) st = lsqnet_solver_create(&s->solver, r->context, s->step, NULL);
  if (st != LSQNET_OK) code = fail_status(st, NULL);
done:
  return code;
}

static void close_peers(peers *s) {
  lsqnet_solver_destroy(s->solver);
  lsqnet_model_destroy(s->step);
  lsqnet_model_destroy(s->paper);
  for (int kind = 0; kind < 2; kind++) lsqnet_model_destroy(s->transformers[kind]);
}

static double problems_of(const reproduction *r) { return by_budget(r, 4, 256, 2048); }

static int measure(reproduction *r, const peers *s, const setting *how) {
  int code = CODE_DONE;
  odes o = {0};
  double transformer = NAN, model = NAN, paper = NAN, descent = NAN, refined = NAN, lapack = NAN, *x = NULL;
  TRY(odes_draw(&o, r, how, (int64_t)problems_of(r)));
  x = numbers(o.p.count * o.p.D);
  if (x == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  TRY(predict(&o, s->transformers[how->kind], &transformer));
  TRY(descend(r, how->name, &o, s->step, x, &model));
  if (s->paper != NULL) TRY(descend(r, how->name, &o, s->paper, x, &paper));
  TRY(descend(r, how->name, &o, NULL, x, &descent));
  TRY(refine(&o, s->solver, x, &refined));
  TRY(solve_lapack(&o, x, &lapack));
  TRY(runs_add(
      r, how->name,
      json_pack("{s:s, s:I, s:i, s:o, s:o, s:o*, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "setting", how->name, "problems",
                (json_int_t)o.p.count, "iterates", ITERATES, "mse_transformer", json_number(transformer), "mse_model",
                json_number(model), "mse_paper", s->paper == NULL ? NULL : json_number(paper), "mse_descent",
                json_number(descent), "mse_refined", json_number(refined), "mse_lapack", json_number(lapack),
                "model_over_descent", json_number(model / descent), "refined_over_lapack",
                json_number(refined / lapack), "transformer_over_model", json_number(transformer / model),
                "transformer_over_lapack", json_number(transformer / lapack))));
done:
  odes_close(&o);
  free(x);
  return code;
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  peers s = {0};
  TRY(train_peers(r));
  TRY(runs_agree(r, "*", "problems", problems_of(r)));
  TRY(runs_agree(r, "*", "iterates", ITERATES));
  for (int i = 0; i < SETTINGS; i++) {
    if (runs_find(r, settings[i].name) != NULL) continue;
    if (s.solver == NULL) TRY(open_peers(&s, r));
    TRY(measure(r, &s, &settings[i]));
  }
done:
  close_peers(&s);
  return code;
}

static const column columns[] = {"optimizer",
                                 "parameters",
                                 SIZES,
                                 "--points:points",
                                 "steps",
                                 "seconds",
                                 "tries",
                                 "mse:MSE in training's terms",
                                 "mse_transformer:Transformer, MSE of u",
                                 "mse_model:200 iterates of the model",
                                 "mse_paper:200 of the paper's own model",
                                 "mse_descent:200 of gradient descent",
                                 "mse_refined:the model refined",
                                 "mse_lapack:LAPACK's dgels",
                                 NULL};

static const claim claims[] = {
    {"the paper's iterate is within 2 of exact gradient descent, in and out of distribution: MSE over MSE",
     AT_MOST,
     2,
     {LARGEST, "class*", "model_over_descent"},
     {LEAST, NULL, NULL}},
    {"the refined solver is within 10 of least squares: MSE over MSE",
     AT_MOST,
     10,
     {LARGEST, "class*", "refined_over_lapack"},
     {LEAST, NULL, NULL}},
    {"the Transformer is far from both where u is linear in the data (class 1): its MSE over least squares'",
     AT_LEAST,
     10,
     {LEAST, "class 1*", "transformer_over_lapack"},
     {LEAST, NULL, NULL}},
    {"class 1: its MSE over that of the paper's iterate",
     AT_LEAST,
     10,
     {LEAST, "class 1*", "transformer_over_model"},
     {LEAST, NULL, NULL}},
    {"the same on class 0, where u is not linear in the data: its MSE over least squares'",
     AT_LEAST,
     10,
     {LEAST, "class 0*", "transformer_over_lapack"},
     {LEAST, NULL, NULL}},
    {.text = NULL}};

static const picture pictures[] = {{.name = "settings",
                                    .x_label = "prompts",
                                    .y_label = "mean squared error of u (no unit)",
                                    .log_y = 1,
                                    .series = {{"Transformer", "*", "setting", "mse_transformer"},
                                               {"200 iterates of the model", "*", "setting", "mse_model"},
                                               {"200 of the paper's own model", "*", "setting", "mse_paper"},
                                               {"200 of gradient descent", "*", "setting", "mse_descent"},
                                               {"the model refined", "*", "setting", "mse_refined"},
                                               {"LAPACK's dgels", "*", "setting", "mse_lapack"}}},
                                   {.name = NULL}};

const experiment experiment_odes = {"odes",
                                    "in-context ODEs: Transformer, iterated model, least squares",
                                    run,
                                    columns,
                                    claims,
                                    pictures,
                                    "u is linear in the data without a2, so predicting it is least squares (no figure)",
                                    0};
