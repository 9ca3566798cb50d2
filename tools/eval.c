/* lsqnet eval: how exact a model is on its task, on data like those it was trained on and on others. */
#include "eval.h"

#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "json.h"
#include "machine.h"
#include "model_source.h"
#include "options.h"
#include "output.h"
#include "task_text.h"

static const char about[] =
    "Measures a model on the task that its file names: the mean squared error on fresh data, and the relative one, "
    "which\n"
    "is over the larger of 1 and the targets' mean square. The first row is data as in training; each other row "
    "changes\n"
    "one thing. A model that takes a gradient step is also applied again and again, beside gradient descent itself.\n";

/* What a row changes must be there in the task: vectors, a matrix A, one whose singular values and zeros are free. */
enum { NEEDS_X = 1, NEEDS_A = 2, NEEDS_FREE_A = 4 };

/* What a row changes; zero: as in training. */
typedef struct {
  const char *name;
  int needs;
  double scale_a, scale_x, condition;
  int of_sqrt_rows; /* the largest singular value is sqrt(L) */
  int32_t law_a, law_x;
  double sparsity;
} variation;

static const variation variations[] = {
    {.name = "in_distribution"},
    {.name = "a_times_0.01", .needs = NEEDS_A, .scale_a = 0.01},
    {.name = "a_times_0.1", .needs = NEEDS_A, .scale_a = 0.1},
    {.name = "a_times_2", .needs = NEEDS_A, .scale_a = 2},
    {.name = "a_times_10", .needs = NEEDS_A, .scale_a = 10},
    {.name = "a_times_100", .needs = NEEDS_A, .scale_a = 100},
    {.name = "singular_values_1_to_5", .needs = NEEDS_FREE_A, .condition = 5},
    {.name = "singular_values_1_to_100", .needs = NEEDS_FREE_A, .condition = 100},
    {.name = "singular_values_1_to_1e4", .needs = NEEDS_FREE_A, .condition = 1e4},
    {.name = "singular_values_sqrt_rows_down_to_1e-4", .needs = NEEDS_FREE_A, .condition = 1e4, .of_sqrt_rows = 1},
    {.name = "x_times_0.01", .needs = NEEDS_X, .scale_x = 0.01},
    {.name = "x_times_10", .needs = NEEDS_X, .scale_x = 10},
    {.name = "x_times_100", .needs = NEEDS_X, .scale_x = 100},
    {.name = "a_uniform", .needs = NEEDS_A, .law_a = LSQNET_LAW_UNIFORM},
    {.name = "a_laplace", .needs = NEEDS_A, .law_a = LSQNET_LAW_LAPLACE},
    {.name = "a_student_t3", .needs = NEEDS_A, .law_a = LSQNET_LAW_STUDENT_T},
    {.name = "x_uniform", .needs = NEEDS_X, .law_x = LSQNET_LAW_UNIFORM},
    {.name = "x_laplace", .needs = NEEDS_X, .law_x = LSQNET_LAW_LAPLACE},
    {.name = "x_student_t3", .needs = NEEDS_X, .law_x = LSQNET_LAW_STUDENT_T},
    {.name = "a_sparse_0.5", .needs = NEEDS_FREE_A, .sparsity = 0.5},
    {.name = "a_sparse_0.9", .needs = NEEDS_FREE_A, .sparsity = 0.9},
};

enum { VARIATIONS = sizeof variations / sizeof *variations };

typedef struct {
  const char *name;
  double mse, relative;
} row;

typedef struct {
  model_source source;
  machine machine;
  int64_t samples, seed, problems;
  int json;
  lsqnet_context *context;
  lsqnet_model *model;
  lsqnet_model_step step;
  char name[256];
  lsqnet_task_options task; /* as in training, as far as the file tells */
  row rows[VARIATIONS];
  int count;
  int iterates; /* whether it can be applied again and again */
  iteration iterated;
} evaluation;

static int read_settings(evaluation *e, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  const option options[] = {
      {OPTION_INTEGER, "--samples", "N", "fresh samples for each row (default 4096)", &e->samples, 1},
      {OPTION_INTEGER, "--problems", "N", "problems that the model is iterated on (default 64)", &e->problems, 1},
      {OPTION_INTEGER, "--seed", "N", "fixes the data (default 0)", &e->seed, 0},
      MODEL_OPTIONS(&e->source),
      MACHINE_OPTIONS(&e->machine, "0"),
      {OPTION_FLAG, "--json", NULL, "print one JSON object", &e->json, 0},
      {OPTION_END, NULL, NULL, NULL, NULL, 0}};
  const command_line line = {"eval MODEL [options]", about, options, 1, 1};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, helped));
  e->source.name = files[0];
  if (e->problems > 1 << 20) return fail(CODE_USAGE, "option --problems: %lld is too many", (long long)e->problems);
done:
  return code;
}

static int open_model(evaluation *e) {
  int code = CODE_DONE;
  TRY(context_open(&e->context, &e->machine));
  TRY(model_open(&e->model, e->context, &e->source));
  const lsqnet_status st = lsqnet_model_get_step(e->model, &e->step, sizeof e->step);
  if (st != LSQNET_OK) return fail_status(st, e->source.name);
done:
  return code;
}

static const char *task_name(const lsqnet_model_step *s) {
  switch (s->output) {
    case LSQNET_OUTPUT_GRADIENT: return "explicit_gradient";
    case LSQNET_OUTPUT_ITERATE: return "multistep_gd";
    case LSQNET_OUTPUT_SOLUTION: return "least_squares";
    default: return s->task;
  }
}

static int choose_task(evaluation *e) {
  const lsqnet_model_step *s = &e->step;
  const char *name = task_name(s);
  const lsqnet_status st = lsqnet_task_options_init(&e->task, sizeof e->task);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  if (name == NULL || s->rows < 1 || s->dim < 1) {
    return fail_at(CODE_INPUT, e->source.name, 0,
                   "it does not say which task it is for: option --step-of OUTPUT:PROMPT:LxD does");
  }
  snprintf(e->name, sizeof e->name, "%s", name);
  if (!task_text_read(e->name, &e->task))
    return fail_at(CODE_INPUT, e->source.name, 0, "it is for a task \"%.80s\", which is not known here", name);
  e->task.rows = s->rows;
  e->task.dim = s->dim;
  e->task.prompt = s->prompt;
  if (s->iterates > 0) e->task.iterates = s->iterates;
  if (s->step != 0) e->task.step = s->step;
  e->iterates = s->output == LSQNET_OUTPUT_GRADIENT || (s->output == LSQNET_OUTPUT_ITERATE && s->step > 0);
  e->iterates = e->iterates && s->prompt != NULL;
  return CODE_DONE;
}

static int offers(const char *task) {
  static const struct {
    const char *name;
    int has;
  } others[] = {
      {"identity", NEEDS_X}, {"square", NEEDS_X}, {"multiply", NEEDS_X}, {"read", NEEDS_X},
      {"linear", NEEDS_X},   {"ode_icl", 0},      {"ode_icl_final", 0},  {"newton_schulz", NEEDS_X | NEEDS_A}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (strcmp(others[i].name, task) == 0) return others[i].has;
  }
  return NEEDS_X | NEEDS_A | NEEDS_FREE_A;
}

static int applies(const evaluation *e, const variation *v) { return (v->needs & ~offers(e->task.name)) == 0; }

static lsqnet_task_options vary(const evaluation *e, const variation *v) {
  lsqnet_task_options o = e->task;
  if (v->scale_a > 0) o.scale_a = v->scale_a;
  if (v->scale_x > 0) o.scale_x = v->scale_x;
  if (v->condition > 0) o.condition = v->condition;
  if (v->of_sqrt_rows) o.singular_max = sqrt((double)o.rows);
  if (v->law_a > 0) o.law_a = v->law_a;
  if (v->law_x > 0) o.law_x = v->law_x;
  if (v->sparsity > 0) o.sparsity = v->sparsity;
  return o;
}

static int measure(evaluation *e, const variation *v) {
  const lsqnet_task_options options = vary(e, v);
  lsqnet_task *task = NULL;
  double mse = NAN, mean_square = NAN;
  lsqnet_status st = lsqnet_task_create(&task, e->context, &options);
  if (st == LSQNET_OK) st = lsqnet_evaluate(e->model, task, (uint64_t)e->seed, e->samples, &mse, &mean_square);
  lsqnet_task_destroy(task);
  if (st != LSQNET_OK) return fail_library(CODE_INPUT, st, e->source.name);
  e->rows[e->count++] = (row){v->name, mse, mse / fmax(1, mean_square)};
  return CODE_DONE;
}

static int measure_all(evaluation *e) {
  int code = CODE_DONE;
  for (int i = 0; i < VARIATIONS; i++) {
    if (applies(e, &variations[i])) TRY(measure(e, &variations[i]));
  }
  if (e->iterates) TRY(eval_iterate(&e->iterated, e->model, e->context, &e->step, (uint64_t)e->seed, e->problems));
done:
  return code;
}

static int print_text(const evaluation *e) {
  printf("%s: %s, %lld rows, %lld unknowns%s%s; %lld samples a row\n\n", e->source.name, e->task.name,
         (long long)e->task.rows, (long long)e->task.dim, e->task.prompt == NULL ? "" : ", prompt ",
         e->task.prompt == NULL ? "" : e->task.prompt, (long long)e->samples);
  printf("%-40s %12s %12s\n", "", "mse", "relative mse");
  for (int i = 0; i < e->count; i++)
    printf("%-40s %12.3e %12.3e\n", e->rows[i].name, e->rows[i].mse, e->rows[i].relative);
  if (e->iterates) {
    printf(
        "\nApplied %lld times to %lld problems of condition 3: mean squared error of x %.3e,\n"
        "gradient descent %.3e.\n",
        (long long)e->iterated.iterations, (long long)e->problems, fabs(e->iterated.model), e->iterated.reference);
  }
  return output_flush_standard();
}

static int print_json(const evaluation *e) {
  json_t *rows = json_array();
  for (int i = 0; i < e->count; i++) {
    json_append(&rows, json_pack("{s:s, s:o, s:o}", "name", e->rows[i].name, "mse", json_number(e->rows[i].mse),
                                 "relative_mse", json_number(e->rows[i].relative)));
  }
  json_t *iterated = e->iterates ? json_pack("{s:I, s:I, s:o, s:o}", "iterations", (json_int_t)e->iterated.iterations,
                                             "problems", (json_int_t)e->problems, "mse", json_number(e->iterated.model),
                                             "gradient_descent_mse", json_number(e->iterated.reference))
                                 : json_null();
  return json_print(json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "model", json_text(e->source.name), "task",
                              json_text(e->task.name), "rows_of_data", (json_int_t)e->task.rows, "dim",
                              (json_int_t)e->task.dim, "samples", (json_int_t)e->samples, "seed", (json_int_t)e->seed,
                              "rows", rows, "iterated", iterated));
}

int eval_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  evaluation e = {.samples = 4096, .problems = 64};
  TRY(read_settings(&e, argc, argv, &helped));
  if (helped) goto done;
  TRY(open_model(&e));
  TRY(choose_task(&e));
  TRY(measure_all(&e));
  TRY(e.json ? print_json(&e) : print_text(&e));
done:
  lsqnet_model_destroy(e.model);
  lsqnet_context_destroy(e.context);
  return code;
}
