/* lsqnet solve: a least-squares problem from a file, its answer and certificate. */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "command.h"
#include "error.h"
#include "machine.h"
#include "model_source.h"
#include "options.h"
#include "problem.h"

typedef struct {
  problem_request problem;
  model_source model;
  const char *method;
  machine machine;
  int json;
  lsqnet_solver_options solver;
} solve_settings;

static const char about[] =
    "Solves min ||A x - b||. FILE is CSV, Matrix Market or NumPy (.npy); \"-\" is standard input. Its last column is "
    "b\n"
    "unless --rhs names a file; several columns there are several right-hand sides. A CSV line is a header if it is "
    "the\n"
    "first and none of its cells is a number.\n";

static int read_settings(solve_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE, min_norm = 0, fallback = 0;
  const option options[] = {
      {OPTION_TEXT, "--rhs", "FILE", "right-hand sides", &s->problem.rhs, 0.0},
      {OPTION_FLAG, "--intercept", NULL, "put a column of ones first", &s->problem.intercept, 0.0},
      {OPTION_INTEGER, "--poly", "K", "the columns are x, x^2, ... x^K of the one predictor", &s->problem.degree, 1.0},
      {OPTION_TEXT, "--model", "MODEL", "a model file, exact, or exact:LxD[:MIXER[:PROMPT]] (default: a trained one)",
       &s->model.name, 0.0},
      MODEL_OPTIONS(&s->model),
      {OPTION_TEXT, "--method", "METHOD", "auto (default), direct, cg, chebyshev or gd", &s->method, 0.0},
      {OPTION_REAL, "--tol", "TOL", "stop at a correction below this, relative to x (default 0: x no longer changes)",
       &s->solver.tolerance, 0.0},
      {OPTION_REAL, "--step", "S", "step size of gd for columns of unit norm", &s->solver.step, 0.0},
      {OPTION_INTEGER, "--max-iterations", "N", "most iterations of cg, chebyshev and gd for one correction",
       &s->solver.iterations, 1.0},
      {OPTION_INTEGER, "--corrections", "N", "most corrections of outer refinement; 0: x is the model's own",
       &s->solver.corrections, 0.0},
      {OPTION_FLAG, "--min-norm", NULL, "answer of least norm if the columns depend on each other", &min_norm, 0.0},
      {OPTION_FLAG, "--lapack-fallback", NULL, "let LAPACK answer what the model cannot", &fallback, 0.0},
      MACHINE_OPTIONS(&s->machine, "1"),
      {OPTION_FLAG, "--json", NULL, "print one JSON object", &s->json, 0.0},
      {OPTION_END, NULL, NULL, NULL, NULL, 0.0}};
  const command_line line = {"solve FILE [options]", about, options, 1, 1};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, helped));
  s->problem.file = files[0];
  s->problem.min_norm = s->solver.min_norm = min_norm;
  s->solver.lapack_fallback = fallback;
done:
  return code;
}

static int check_settings(solve_settings *s) {
  if (s->problem.rhs != NULL && strcmp(s->problem.rhs, "-") == 0 && strcmp(s->problem.file, "-") == 0) {
    return fail(CODE_USAGE, "option --rhs: standard input cannot be both files");
  }
  for (int32_t method = LSQNET_METHOD_AUTO; method <= LSQNET_METHOD_DIRECT; method++) {
    if (strcmp(s->method, lsqnet_method_name(method)) == 0) {
      s->solver.method = method;
      return CODE_DONE;
    }
  }
  return fail(CODE_USAGE, "option --method: \"%.80s\" is not auto, direct, cg, chebyshev or gd", s->method);
}

static int open_solver(lsqnet_solver **out, lsqnet_context **context, const solve_settings *s) {
  int code = CODE_DONE;
  lsqnet_model *model = NULL;
  TRY(context_open(context, &s->machine));
  if (s->model.name != NULL) TRY(model_open(&model, *context, &s->model));
  const lsqnet_status st = lsqnet_solver_create(out, *context, model, &s->solver);
  if (st != LSQNET_OK) code = fail_library(model == NULL ? CODE_USAGE : CODE_INPUT, st, s->model.name);
done:
  lsqnet_model_destroy(model);
  return code;
}

/* 1 if x was written. */
static int is_answered(lsqnet_status st, const lsqnet_report *reports) {
  return st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || reports[0].stopped == LSQNET_STOP_UNREFINED;
}

static int fail_solve(lsqnet_status st, const problem *p, const lsqnet_report *report, const char *file) {
  if (st != LSQNET_E_RANK || report->status != st || report->rank < 0) return fail_status(st, file);
  return fail_at(CODE_RANK, file, 0,
                 "rank %lld for %lld unknowns, no single answer: --min-norm gives the one of least norm",
                 (long long)report->rank, (long long)p->n);
}

static int solve(lsqnet_solver *solver, const problem *p, const solve_settings *s) {
  int code = CODE_DONE;
  double *x = p->n > INT64_MAX / 16 / p->k ? NULL : allocate(p->n * p->k, (int64_t)sizeof *x);
  lsqnet_report *reports = allocate(p->k, (int64_t)sizeof *reports);
  if (x == NULL || reports == NULL) {
    code = fail_memory("the answer");
    goto done;
  }
  reports[0].size = (uint32_t)sizeof *reports;
  lsqnet_status st = lsqnet_solver_solve_pair_f64(solver, p->m, p->n, p->k, p->a, p->a_low, p->lda, p->b, p->b_low,
                                                  p->ldb, x, p->k, reports);
  if (is_answered(st, reports)) {
    const char *model = s->model.name != NULL ? s->model.name : lsqnet_solver_model_name(solver, p->n);
    const answer a = {p, x, reports, model, s->solver.tolerance};
    TRY(s->json ? answer_print_json(&a) : answer_print(&a));
  }
  if (st != LSQNET_OK) code = fail_solve(st, p, &reports[0], s->problem.file);
done:
  free(x);
  free(reports);
  return code;
}

int solve_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  solve_settings s = {.method = "auto", .machine.threads = 1};
  problem p = {0};
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_status st = lsqnet_solver_options_init(&s.solver, sizeof s.solver);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(read_settings(&s, argc, argv, &helped));
  if (helped) goto done;
  TRY(check_settings(&s));
  TRY(problem_read(&p, &s.problem));
  TRY(open_solver(&solver, &context, &s));
  TRY(solve(solver, &p, &s));
done:
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  problem_free(&p);
  return code;
}
