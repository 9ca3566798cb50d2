#include "problems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"

double *numbers(int64_t count) {
  double *x = calloc((size_t)count, sizeof *x);
  if (x == NULL) fail_memory("numbers");
  return x;
}

lsqnet_task_options task_named(const char *name, int64_t rows, int64_t dim) {
  lsqnet_task_options o;
  (void)lsqnet_task_options_init(&o, sizeof o);
  o.name = name;
  o.rows = rows;
  o.dim = dim;
  return o;
}

int problems_draw(problems *out, reproduction *r, const lsqnet_task_options *o, uint64_t seed, int64_t count) {
  lsqnet_task *task = NULL;
  lsqnet_task_options options = *o;
  options.name = "least_squares";
  options.prompt = NULL;
  *out = (problems){.count = count, .L = o->rows, .D = o->dim};
  out->rows = numbers(count * out->L * (out->D + 1));
  out->x = numbers(count * out->D);
  if (out->rows == NULL || out->x == NULL) return CODE_OTHER;
  lsqnet_status st = lsqnet_task_create(&task, r->context, &options);
  if (st == LSQNET_OK) st = lsqnet_task_draw_f64(task, seed, 0, 0, count, out->rows, out->x);
  lsqnet_task_destroy(task);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

void problems_free(problems *p) {
  free(p->rows);
  free(p->x);
  memset(p, 0, sizeof *p);
}

double *problem_rows(const problems *p, int64_t i) { return p->rows + i * p->L * (p->D + 1); }

int asker_open(asker *out, const lsqnet_model *model, const problems *p) {
  lsqnet_model_options options;
  int64_t rows = 0, read = 0;
  memset(out, 0, sizeof *out);
  lsqnet_status st = lsqnet_model_get_options(model, &options, sizeof options);
  if (st == LSQNET_OK) st = lsqnet_model_convert(&out->model, model, options.dtype);
  if (st == LSQNET_OK) st = lsqnet_workspace_create(&out->workspace, out->model);
  if (st == LSQNET_OK) st = lsqnet_model_get_step(out->model, &out->step, sizeof out->step);
  if (st == LSQNET_OK) st = lsqnet_prompt_shape(out->step.prompt, p->L, p->D, &rows, &out->width, &read);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  out->out_width = options.out_width;
  out->shape = (lsqnet_batch){sizeof out->shape, 0, p->count, rows, read, 1};
  out->prompts = numbers(p->count * rows * out->width);
  out->b = numbers(p->L);
  out->out = numbers(p->count * out->out_width);
  if (out->prompts == NULL || out->b == NULL || out->out == NULL) return CODE_OTHER;
  if (options.dtype == LSQNET_F64) return CODE_DONE;
  out->prompts_f32 = malloc((size_t)(p->count * rows * out->width) * sizeof *out->prompts_f32);
  out->out_f32 = malloc((size_t)(p->count * out->out_width) * sizeof *out->out_f32);
  return out->prompts_f32 == NULL || out->out_f32 == NULL ? fail_memory("prompts") : CODE_DONE;
}

void asker_close(asker *a) {
  lsqnet_workspace_destroy(a->workspace);
  lsqnet_model_destroy(a->model);
  free(a->prompts);
  free(a->b);
  free(a->out);
  free(a->prompts_f32);
  free(a->out_f32);
  memset(a, 0, sizeof *a);
}

static lsqnet_status forward(asker *a) {
  const int64_t in = a->shape.batch * a->shape.rows * a->width, count = a->shape.batch * a->out_width;
  if (a->prompts_f32 == NULL) return lsqnet_model_forward_f64(a->model, a->workspace, &a->shape, a->prompts, a->out);
  for (int64_t i = 0; i < in; i++) a->prompts_f32[i] = (float)a->prompts[i];
  const lsqnet_status st = lsqnet_model_forward_f32(a->model, a->workspace, &a->shape, a->prompts_f32, a->out_f32);
  for (int64_t i = 0; i < count && st == LSQNET_OK; i++) a->out[i] = a->out_f32[i];
  return st;
}

/* a->out (count,out_width) for each problem at x (count,D). */
static int evaluate(asker *a, const problems *p, const double *x) {
  if (stop_if_interrupted() != CODE_DONE) return CODE_OTHER;
  lsqnet_status st = LSQNET_OK;
  for (int64_t i = 0; i < p->count && st == LSQNET_OK; i++) {
    const double *rows = problem_rows(p, i);
    for (int64_t k = 0; k < p->L; k++) a->b[k] = rows[k * (p->D + 1) + p->D];
    st = lsqnet_prompt_fill_f64(a->step.prompt, p->L, p->D, rows, p->D + 1, a->b, x + i * p->D,
                                a->prompts + i * a->shape.rows * a->width);
  }
  for (int64_t i = 0; a->bits > 0 && i < p->count * a->shape.rows * a->width; i++) {
    a->prompts[i] = rounded(a->prompts[i], a->bits);
  }
  if (st == LSQNET_OK) st = forward(a);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

int ask(asker *a, const problems *p, const double *x, double *y) {
  const int code = evaluate(a, p, x);
  if (code != CODE_DONE) return code;
  for (int64_t i = 0; i < p->count; i++) memcpy(y + i * p->D, a->out + i * a->out_width, (size_t)p->D * sizeof *y);
  return CODE_DONE;
}

int ask_iterate(asker *a, const problems *p, double step, double *x) {
  if (a->step.output == LSQNET_OUTPUT_ITERATE) return ask(a, p, x, x);
  const int code = evaluate(a, p, x);
  if (code != CODE_DONE) return code;
  for (int64_t i = 0; i < p->count; i++) {
    for (int64_t j = 0; j < p->D; j++) x[i * p->D + j] -= step * a->out[i * a->out_width + j];
  }
  return CODE_DONE;
}

void exact_gradient(const problems *p, int64_t i, const double *x, double *g) {
  const int64_t D = p->D;
  const double *row = problem_rows(p, i);
  memset(g, 0, (size_t)D * sizeof *g);
  for (int64_t k = 0; k < p->L; k++, row += D + 1) {
    double residual = -row[D];
    for (int64_t j = 0; j < D; j++) residual += row[j] * x[j];
    for (int64_t j = 0; j < D; j++) g[j] += row[j] * residual;
  }
  for (int64_t j = 0; j < D; j++) g[j] /= (double)p->L;
}

void exact_iterate(const problems *p, double step, double *x) {
  double g[UNKNOWNS_MOST];
  for (int64_t i = 0; i < p->count; i++) {
    exact_gradient(p, i, x + i * p->D, g);
    for (int64_t j = 0; j < p->D; j++) x[i * p->D + j] -= step * g[j];
  }
}

double error_of(const problems *p, int64_t i, const double *x, const double *y) {
  double sum = 0;
  for (int64_t j = i * p->D; j < (i + 1) * p->D; j++) sum += (x[j] - y[j]) * (x[j] - y[j]);
  return sum / (double)p->D;
}

double mean_error(const problems *p, const double *x, const double *y) {
  double sum = 0;
  for (int64_t i = 0; i < p->count; i++) sum += error_of(p, i, x, y);
  return sum / (double)p->count;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void quartiles(double *values, int64_t count, double out[3]) {
  qsort(values, (size_t)count, sizeof *values, compare);
  for (int i = 0; i < 3; i++) out[i] = values[(int64_t)((double)(count - 1) * (i + 1) / 4 + 0.5)];
}
