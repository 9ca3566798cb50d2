#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "eval.h"

/* Singular values lie between a third of the largest one and that, whose square times step / L is 1: an iterate's error
 * shrinks by at least 8/9, so that after GRADIENT_STEPS of them nothing but roundings is left. */
enum { GRADIENT_STEPS = 400 };
static const double CONDITION = 3;

typedef struct {
  const lsqnet_model *model;
  const lsqnet_model_step *step;
  lsqnet_workspace *workspace;
  lsqnet_batch shape;
  int64_t problems, L, D, prompt; /* prompt: numbers in one */
  int32_t dtype;
  double size;   /* of a gradient step */
  double *rows;  /* [a_i, b_i] of all problems */
  double *exact; /* x of all problems, (problems, D); so the next two */
  double *x, *y; /* the model's iterates, gradient descent's */
  double *b, *g; /* of one problem */
  double *prompts;
  double *out;
  float *prompts_f32, *out_f32;
} run;

static int reserve(run *s) {
  const int64_t vector = s->problems * s->D;
  const struct {
    double **array;
    int64_t count;
  } wanted[] = {{&s->rows, s->problems * s->L * (s->D + 1)},
                {&s->exact, vector},
                {&s->x, vector},
                {&s->y, vector},
                {&s->b, s->L},
                {&s->g, s->D},
                {&s->prompts, s->problems * s->prompt},
                {&s->out, vector}};
  int enough = 1;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    *wanted[i].array = calloc((size_t)wanted[i].count, sizeof(double));
    enough = enough && *wanted[i].array != NULL;
  }
  if (s->dtype == LSQNET_F32) {
    s->prompts_f32 = calloc((size_t)(s->problems * s->prompt), sizeof *s->prompts_f32);
    s->out_f32 = calloc((size_t)vector, sizeof *s->out_f32);
    enough = enough && s->prompts_f32 != NULL && s->out_f32 != NULL;
  }
  return enough ? CODE_DONE : fail_memory("problems to iterate on");
}

static void release(run *s) {
  double *arrays[] = {s->rows, s->exact, s->x, s->y, s->b, s->g, s->prompts, s->out};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  free(s->prompts_f32);
  free(s->out_f32);
  lsqnet_workspace_destroy(s->workspace);
}

/* The task least_squares has [a_i, b_i] as its rows and x as its target. */
static int draw(run *s, lsqnet_context *context, uint64_t seed) {
  lsqnet_task *task = NULL;
  lsqnet_task_options options;
  lsqnet_status st = lsqnet_task_options_init(&options, sizeof options);
  options.name = "least_squares";
  options.rows = s->L;
  options.dim = s->D;
  options.condition = CONDITION;
  options.singular_max = sqrt((double)s->L / s->size);
  if (st == LSQNET_OK) st = lsqnet_task_create(&task, context, &options);
  if (st == LSQNET_OK) st = lsqnet_task_draw_f64(task, seed, 0, 0, s->problems, s->rows, s->exact);
  lsqnet_task_destroy(task);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static const double *rows_of(const run *s, int64_t problem) { return s->rows + problem * s->L * (s->D + 1); }

static int fill_prompts(run *s) {
  for (int64_t p = 0; p < s->problems; p++) {
    const double *rows = rows_of(s, p);
    for (int64_t i = 0; i < s->L; i++) s->b[i] = rows[i * (s->D + 1) + s->D];
    const lsqnet_status st = lsqnet_prompt_fill_f64(s->step->prompt, s->L, s->D, rows, s->D + 1, s->b, s->x + p * s->D,
                                                    s->prompts + p * s->prompt);
    if (st != LSQNET_OK) return fail_status(st, NULL);
  }
  return CODE_DONE;
}

static lsqnet_status forward(run *s) {
  if (s->dtype == LSQNET_F64) {
    return lsqnet_model_forward_f64(s->model, s->workspace, &s->shape, s->prompts, s->out);
  }
  for (int64_t i = 0; i < s->problems * s->prompt; i++) s->prompts_f32[i] = (float)s->prompts[i];
  const lsqnet_status st = lsqnet_model_forward_f32(s->model, s->workspace, &s->shape, s->prompts_f32, s->out_f32);
  for (int64_t i = 0; i < s->problems * s->D; i++) s->out[i] = (double)s->out_f32[i];
  return st;
}

static int apply_model(run *s) {
  int code = CODE_DONE;
  TRY(fill_prompts(s));
  const lsqnet_status st = forward(s);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  const int gradient = s->step->output == LSQNET_OUTPUT_GRADIENT;
  for (int64_t i = 0; i < s->problems * s->D; i++) s->x[i] = gradient ? s->x[i] - s->size * s->out[i] : s->out[i];
done:
  return code;
}

/* x <- x - size A'(A x - b) / L */
static void descend(run *s, int64_t problem) {
  const double *rows = rows_of(s, problem);
  double *x = s->y + problem * s->D;
  memset(s->g, 0, (size_t)s->D * sizeof *s->g);
  for (int64_t i = 0; i < s->L; i++) {
    const double *row = rows + i * (s->D + 1);
    double r = -row[s->D];
    for (int64_t j = 0; j < s->D; j++) r += row[j] * x[j];
    for (int64_t j = 0; j < s->D; j++) s->g[j] += row[j] * r;
  }
  for (int64_t j = 0; j < s->D; j++) x[j] -= s->size * s->g[j] / (double)s->L;
}

static double error_of(const run *s, const double *x) {
  double sum = 0;
  for (int64_t i = 0; i < s->problems * s->D; i++) sum += (x[i] - s->exact[i]) * (x[i] - s->exact[i]);
  return sum / (double)(s->problems * s->D);
}

static int prepare(run *s, lsqnet_context *context, uint64_t seed) {
  int code = CODE_DONE;
  int64_t rows = 0, width = 0, read = 0;
  lsqnet_model_options options;
  lsqnet_status st = lsqnet_model_get_options(s->model, &options, sizeof options);
  if (st == LSQNET_OK) st = lsqnet_prompt_shape(s->step->prompt, s->L, s->D, &rows, &width, &read);
  if (st == LSQNET_OK) st = lsqnet_workspace_create(&s->workspace, s->model);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  s->dtype = options.dtype;
  s->prompt = rows * width;
  s->shape = (lsqnet_batch){.size = sizeof s->shape, .batch = s->problems, .rows = rows, .first = read, .count = 1};
  TRY(reserve(s));
  TRY(draw(s, context, seed));
done:
  return code;
}

int eval_iterate(iteration *out, const lsqnet_model *model, lsqnet_context *context, const lsqnet_model_step *step,
                 uint64_t seed, int64_t problems) {
  int code = CODE_DONE;
  const int64_t k = step->output == LSQNET_OUTPUT_ITERATE ? step->iterates : 1;
  run s = {.model = model, .step = step, .problems = problems, .L = step->rows, .D = step->dim};
  s.size = step->output == LSQNET_OUTPUT_ITERATE ? step->step : 1;
  TRY(prepare(&s, context, seed));
  out->iterations = (GRADIENT_STEPS + k - 1) / k;
  for (int64_t i = 0; i < out->iterations; i++) TRY(apply_model(&s));
  for (int64_t i = 0; i < out->iterations * k; i++) {
    for (int64_t p = 0; p < problems; p++) descend(&s, p);
  }
  out->model = error_of(&s, s.x);
  out->reference = error_of(&s, s.y);
done:
  release(&s);
  return code;
}
