/* What a trained step, iterated, and a Transformer trained end to end make of problems unlike those of their training.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"

enum { L = 20, D = 5 };

static const double STEP = 0.5;

/* What a law changes; zero: as in training. */
typedef struct {
  const char *name;
  double scale_a, scale_x, condition, sparsity, correlation;
  int32_t law_a, law_x;
  int64_t rows; /* fewer than L: rows of zeros come before them */
} law;

static const law laws[] = {{.name = "as in training"},
                           {.name = "A times 0.1", .scale_a = 0.1},
                           {.name = "A times 2", .scale_a = 2},
                           {.name = "A times 10", .scale_a = 10},
                           {.name = "x times 10", .scale_x = 10},
                           {.name = "x times 100", .scale_x = 100},
                           {.name = "cond(A) = 5", .condition = 5},
                           {.name = "cond(A) = 100", .condition = 100},
                           {.name = "cond(A) = 1e4", .condition = 1e4},
                           {.name = "A uniform", .law_a = LSQNET_LAW_UNIFORM},
                           {.name = "A Laplace", .law_a = LSQNET_LAW_LAPLACE},
                           {.name = "A Student t3", .law_a = LSQNET_LAW_STUDENT_T},
                           {.name = "x Laplace", .law_x = LSQNET_LAW_LAPLACE},
                           {.name = "A sparse, half", .sparsity = 0.5},
                           {.name = "rows correlated, 0.9", .correlation = 0.9},
                           {.name = "10 rows, padded", .rows = 10}};

enum { LAWS = sizeof laws / sizeof *laws };

static lsqnet_task_options vary(const law *l) {
  lsqnet_task_options o = task_named("least_squares", L, D);
  if (l->scale_a > 0) o.scale_a = l->scale_a;
  if (l->scale_x > 0) o.scale_x = l->scale_x;
  o.condition = l->condition;
  o.sparsity = l->sparsity;
  o.law_a = l->law_a;
  o.law_x = l->law_x;
  if (l->condition > 0) o.singular_max = sqrt((double)L);
  return o;
}

/* Each row is `rho` times the one before it and the rest new, so that its law stays; b = A x anew. */
static void correlate(problems *p, double rho) {
  for (int64_t i = 0; i < p->count; i++) {
    double *row = problem_rows(p, i);
    for (int64_t k = 0; k < p->L; k++, row += D + 1) {
      double b = 0;
      for (int j = 0; j < D; j++) {
        if (k > 0) row[j] = rho * row[j - (D + 1)] + sqrt(1 - rho * rho) * row[j];
        b += row[j] * p->x[i * D + j];
      }
      row[D] = b;
    }
  }
}

static void pad(problems *p, int64_t rows) {
  for (int64_t i = 0; i < p->count; i++) {
    memset(problem_rows(p, i), 0, (size_t)((p->L - rows) * (D + 1)) * sizeof(double));
  }
}

static int solve(reproduction *r, const char *key, lsqnet_solver *solver, const problems *p, double *x) {
  for (int64_t i = 0; i < p->count; i++) {
    if (go_on(r, key, i, p->count) != CODE_DONE) return CODE_OTHER;
    const double *rows = problem_rows(p, i);
    const lsqnet_status st =
        lsqnet_solver_solve_f64(solver, p->L, D, 1, rows, D + 1, rows + D, D + 1, x + i * D, 1, NULL);
    if (st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED) return fail_status(st, NULL);
  }
  return CODE_DONE;
}

static int predict(const lsqnet_model *model, const problems *p, double *x) {
  lsqnet_workspace *workspace = NULL;
  const lsqnet_batch shape = {sizeof shape, 0, p->count, L, L - 1, 1};
  lsqnet_status st = lsqnet_workspace_create(&workspace, model);
  if (st == LSQNET_OK) st = lsqnet_model_forward_f64(model, workspace, &shape, p->rows, x);
  lsqnet_workspace_destroy(workspace);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

/* `steps` plain iterates of a model. */
static int descend(reproduction *r, const char *key, const lsqnet_model *model, const problems *p, int64_t steps,
                   double *x) {
  int code = CODE_DONE;
  asker a = {0};
  memset(x, 0, (size_t)(p->count * D) * sizeof *x);
  TRY(asker_open(&a, model, p));
  for (int64_t k = 0; k < steps; k++) {
    TRY(go_on(r, key, k, steps));
    TRY(ask_iterate(&a, p, STEP, x));
  }
done:
  asker_close(&a);
  return code;
}

typedef struct {
  lsqnet_solver *descent, *conjugate, *direct, *refined;
  lsqnet_model *transformer;
  lsqnet_model *step;  /* one step of gradient descent */
  lsqnet_model *paper; /* the paper's own step; NULL: not trained */
} peers;

static int open_solver(lsqnet_solver **out, reproduction *r, const lsqnet_model *model, int32_t method,
                       int64_t corrections) {
  lsqnet_solver_options o;
  lsqnet_status st = lsqnet_solver_options_init(&o, sizeof o);
  o.method = method;
  o.corrections = corrections;
  if (st == LSQNET_OK) st = lsqnet_solver_create(out, r->context, model, &o);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static const char ONE_STEP[] = "one_step", TRANSFORMER[] = "transformer";

static int train_peers(reproduction *r) {
  int code = CODE_DONE;
  const int full = r->budget == BUDGET_FULL;
  char words[512];
  const training_request one = {
      ONE_STEP,
      "multistep_gd --prompt split --rows 20 --dim 5 --width 11 --mixer attention --no-softmax --no-causal --layers 1 "
      "--freeze-positions --init-scale 0.25 --optimizer levenberg_marquardt --steps 100 --target 1e-29 --seed 1",
      by_budget(r, 1, INFINITY, INFINITY), NULL, 0};
  snprintf(words, sizeof words,
           "least_squares --rows 20 --dim 5 --layers %d --width %d --mixer attention --heads %d --mlp relu --norms "
           "--dtype f32 --batch %d --schedule step --schedule-steps %d --steps %d --seed 1",
           full ? 12 : 2, full ? 256 : 32, full ? 8 : 4, full ? 1024 : 64, full ? 10000 : 300,
           (int)by_budget(r, 30, 5000, 1000000));
  TRY(train_run(r, &one));
  TRY(train_run(r, &(training_request){TRANSFORMER, words, INFINITY, full ? "1e-4" : "3e-3,1e-3", 0}));
  if (r->budget != BUDGET_QUICK) TRY(train_paper_step(r, L, D, 3, 64, "1e-2"));
done:
  return code;
}

static int open_peers(peers *s, reproduction *r) {
  int code = CODE_DONE;
  lsqnet_model *single = NULL;
  TRY(trained_model(r, ONE_STEP, &s->step));
  TRY(trained_model(r, TRANSFORMER, &single));
  if (r->budget != BUDGET_QUICK) TRY(trained_model(r, PAPER_STEP, &s->paper));
  const lsqnet_status st = lsqnet_model_convert(&s->transformer, single, LSQNET_F64);
  if (st != LSQNET_OK) {
    code = fail_status(st, NULL);
    goto done;
  }
  TRY(open_solver(&s->descent, r, s->step, LSQNET_METHOD_GD, 0));
  TRY(open_solver(&s->conjugate, r, s->step, LSQNET_METHOD_CG, 0));
  TRY(open_solver(&s->direct, r, s->step, LSQNET_METHOD_DIRECT, 0));
  TRY(open_solver(&s->refined, r, s->step, LSQNET_METHOD_AUTO, 50));
done:
  lsqnet_model_destroy(single);
  return code;
}

static void close_peers(peers *s) {
  lsqnet_solver_destroy(s->descent);
  lsqnet_solver_destroy(s->conjugate);
  lsqnet_solver_destroy(s->direct);
  lsqnet_solver_destroy(s->refined);
  lsqnet_model_destroy(s->transformer);
  lsqnet_model_destroy(s->step);
  lsqnet_model_destroy(s->paper);
}

enum { TRANSFORMER_ALONE, ITERATE, DESCENT, CONJUGATE, NORMAL, REFINED, PEERS };

static const char *const fields[PEERS] = {"mse_transformer", "mse_iterate", "mse_descent",
                                          "mse_conjugate",   "mse_model",   "mse_refined"};

static int draw(problems *p, reproduction *r, const law *l, uint64_t seed, int64_t count) {
  const lsqnet_task_options o = vary(l);
  problems_free(p);
  const int code = problems_draw(p, r, &o, seed, count);
  if (code != CODE_DONE) return code;
  if (l->correlation > 0) correlate(p, l->correlation);
  if (l->rows > 0) pad(p, l->rows);
  return CODE_DONE;
}

static double mse_of(const problems *p, const double *x) {
  const double mse = mean_error(p, x, p->x);
  return mse < DIVERGED ? mse : DIVERGED;
}

/* The Transformer's gaps can be small: it is measured on many parts, whose means give a standard error as well. */
static int measure_transformer(reproduction *r, const peers *s, const law *l, double *mse, double *error) {
  enum { PARTS = 20 };
  int code = CODE_DONE;
  problems p = {0};
  const int64_t count = (int64_t)by_budget(r, 4, 1000, 1000);
  double sum = 0, squares = 0, *x = numbers(count * D);
  if (x == NULL) return CODE_OTHER;
  for (int part = 0; part < PARTS; part++) {
    TRY(go_on(r, l->name, part, PARTS));
    TRY(draw(&p, r, l, 1000 + (uint64_t)part, count));
    TRY(predict(s->transformer, &p, x));
    const double of_part = mse_of(&p, x);
    sum += of_part;
    squares += of_part * of_part;
  }
  *mse = sum / PARTS;
  *error = sqrt(fmax(squares / PARTS - *mse * *mse, 0) / (PARTS - 1));
done:
  problems_free(&p);
  free(x);
  return code;
}

static double problems_of(const reproduction *r) { return by_budget(r, 4, 256, 2048); }

static int measure(reproduction *r, const peers *s, const law *l) {
  int code = CODE_DONE;
  problems p = {0};
  const int64_t iterates = (int64_t)by_budget(r, 20, 2000, 2000);
  double mse[PEERS] = {0}, error = NAN, paper = NAN, *x = NULL;
  json_t *run = NULL;
  lsqnet_solver *const solvers[PEERS] = {NULL, NULL, s->descent, s->conjugate, s->direct, s->refined};
  TRY(measure_transformer(r, s, l, &mse[TRANSFORMER_ALONE], &error));
  TRY(draw(&p, r, l, 7, (int64_t)problems_of(r)));
  x = numbers(p.count * D);
  if (x == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  for (int i = ITERATE; i < PEERS; i++) {
    TRY(i == ITERATE ? descend(r, l->name, s->step, &p, iterates, x) : solve(r, l->name, solvers[i], &p, x));
    mse[i] = mse_of(&p, x);
  }
  if (s->paper != NULL) {
    TRY(descend(r, l->name, s->paper, &p, iterates, x));
    paper = mse_of(&p, x);
  }
  run = json_pack("{s:s, s:I, s:o*, s:o}", "law", l->name, "problems", (json_int_t)p.count, "mse_paper",
                  s->paper == NULL ? NULL : json_number(paper), "error_transformer", json_number(error));
  for (int i = 0; i < PEERS; i++) json_put(&run, fields[i], json_number(mse[i]));
  TRY(runs_add(r, l->name, run));
done:
  problems_free(&p);
  free(x);
  return code;
}

/* MSE outside minus MSE inside, of each law and peer, and the Transformer's over the others'. A gap of 1e-33 or less, a
 * negative one too, counts as 1e-33: that is roundings. Where the Transformer loses something, its ratios are told once
 * more. */
static int note_gaps(const reproduction *r) {
  static const char *const names[PEERS] = {"gap_transformer", "gap_iterate", "gap_descent",
                                           "gap_conjugate",   "gap_model",   "gap_refined"};
  static const char *const ratios[PEERS] = {NULL, "ratio_iterate", "ratio_descent", "ratio_conjugate", "ratio_model",
                                            NULL};
  static const char *const lost[PEERS] = {NULL, "lost_iterate", "lost_descent", "lost_conjugate", "lost_model", NULL};
  const json_t *inside = runs_find(r, laws[0].name);
  for (int i = 1; i < LAWS; i++) {
    json_t *run = runs_find(r, laws[i].name);
    double gaps[PEERS];
    for (int k = 0; k < PEERS; k++) {
      gaps[k] = run_number(run, fields[k]) - run_number(inside, fields[k]);
      const double ratio = isnan(gaps[k]) ? NAN : gaps[0] / fmax(gaps[k], 1e-33);
      if (ratios[k] != NULL && gaps[0] <= 0) (void)json_object_del(run, lost[k]);
      if (json_object_set_new(run, names[k], json_number(gaps[k])) != 0 ||
          (ratios[k] != NULL && json_object_set_new(run, ratios[k], json_number(ratio)) != 0) ||
          (ratios[k] != NULL && !(gaps[0] <= 0) && json_object_set_new(run, lost[k], json_number(ratio)) != 0)) {
        return fail_memory("gaps");
      }
    }
  }
  return CODE_DONE;
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  peers s = {0};
  TRY(train_peers(r));
  TRY(runs_agree(r, "*", "problems", problems_of(r)));
  for (int i = 0; i < LAWS; i++) {
    if (runs_find(r, laws[i].name) != NULL) continue;
    if (s.refined == NULL) TRY(open_peers(&s, r));
    TRY(measure(r, &s, &laws[i]));
  }
  TRY(note_gaps(r));
done:
  close_peers(&s);
  return code;
}

static const column columns[] = {"parameters",
                                 "optimizer",
                                 SIZES,
                                 "steps",
                                 "seconds",
                                 "tries",
                                 "mse:MSE in training's terms",
                                 "mse_transformer:Transformer, MSE of x",
                                 "error_transformer:its standard error",
                                 "mse_iterate:model, 2000 iterates",
                                 "mse_descent:model, the solver's gradient descent",
                                 "mse_conjugate:model, conjugate gradients",
                                 "mse_model:model, its normal equations",
                                 "mse_refined:exact: the model refined",
                                 "mse_paper:the paper's own model, 2000 iterates",
                                 "ratio_iterate:Transformer's gap over that of the iterates",
                                 "ratio_descent:of the solver's gradient descent",
                                 "ratio_conjugate:of conjugate gradients",
                                 "ratio_model:of its normal equations",
                                 NULL};

#define RATIO(text, field)                                          \
  {                                                                 \
    text, AT_LEAST, 1e4, {LEAST, "*", field}, { LEAST, NULL, NULL } \
  }

static const claim claims[] = {
    RATIO(
        "on each law the Transformer's generalization gap is at least 1e4 times that of the paper's iterates, x <- x - "
        "g / 2 by the model: least ratio",
        "ratio_iterate"),
    RATIO("that of the solver's gradient descent by the model (columns at unit size, step from the largest eigenvalue)",
          "ratio_descent"),
    RATIO("that of conjugate gradients by the model", "ratio_conjugate"),
    RATIO("that of the model's normal equations, no refinement", "ratio_model"),
    RATIO("where the Transformer has a gap at all: over that of the paper's iterates", "lost_iterate"),
    RATIO("where it has one: over that of the solver's gradient descent", "lost_descent"),
    RATIO("where it has one: over that of conjugate gradients by the model", "lost_conjugate"),
    RATIO("where it has one: over that of the model's normal equations", "lost_model"),
    {.text = NULL}};

static const picture pictures[] = {{.name = "laws",
                                    .x_label = "law of the problems",
                                    .y_label = "mean squared error of x (no unit)",
                                    .log_y = 1,
                                    .series = {{"Transformer", "*", "law", "mse_transformer"},
                                               {"model, 2000 iterates", "*", "law", "mse_iterate"},
                                               {"model, gradient descent", "*", "law", "mse_descent"},
                                               {"model, conjugate gradients", "*", "law", "mse_conjugate"},
                                               {"model, its normal equations", "*", "law", "mse_model"},
                                               {"exact: the model refined", "*", "law", "mse_refined"},
                                               {"the paper's own model, iterated", "*", "law", "mse_paper"}}},
                                   {.name = NULL}};

const experiment experiment_generalization = {"generalization",
                                              "problems unlike those of training: model, Transformer, exact",
                                              run,
                                              columns,
                                              claims,
                                              pictures,
                                              "1e4",
                                              EVERY_CLAIM};
