/* A model and a workspace behind functions that take doubles whatever the model's precision, so that one test runs in
 * both; numbers are rounded on their way in. */
#ifndef MODEL_RUNNER_H
#define MODEL_RUNNER_H

#include <check.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>

/* Uniform on (-1,1), from a state that moves on; representable in float32. */
static inline double random_number(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (double)(int32_t)((z >> 40) - (UINT64_C(1) << 23)) * 0x1p-23;
}

static inline double *random_numbers(int64_t count, uint64_t *state) {
  double *values = (double *)malloc((size_t)count * sizeof *values);
  for (int64_t i = 0; i < count; i++) values[i] = random_number(state);
  return values;
}

static inline double *room(int64_t count) { return (double *)calloc((size_t)count, sizeof(double)); }

static inline void randomise(lsqnet_model *model, double scale, uint64_t *state) {
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, i, &p, sizeof p), LSQNET_OK);
    double *values = random_numbers(p.count, state);
    for (int64_t k = 0; k < p.count; k++) values[k] *= scale;
    ck_assert_int_eq(lsqnet_model_write_parameter(model, i, values, p.count), LSQNET_OK);
    free(values);
  }
}

typedef struct {
  lsqnet_model *model;
  lsqnet_workspace *workspace;
  lsqnet_batch shape;
  int32_t dtype;
  int64_t in, out, weights; /* numbers in x, in y, in all weights */
} runner;

static inline runner open_runner(lsqnet_model *model, int64_t batch, int64_t rows, int64_t first, int64_t count) {
  runner r = {.model = model,
              .shape = {.size = sizeof r.shape, .batch = batch, .rows = rows, .first = first, .count = count}};
  lsqnet_model_options o;
  ck_assert_int_eq(lsqnet_model_get_options(model, &o, sizeof o), LSQNET_OK);
  ck_assert_int_eq(lsqnet_workspace_create(&r.workspace, model), LSQNET_OK);
  r.dtype = o.dtype;
  r.in = batch * rows * o.in_width;
  r.out = batch * count * o.out_width;
  r.weights = lsqnet_model_weight_count(model);
  return r;
}

static inline void close_runner(runner *r) { lsqnet_workspace_destroy(r->workspace); }

static inline float *narrowed(const double *values, int64_t count) {
  if (values == NULL) return NULL;
  float *copy = (float *)malloc((size_t)count * sizeof *copy);
  for (int64_t i = 0; i < count; i++) copy[i] = (float)values[i];
  return copy;
}

static inline void widen_and_free(float *from, double *to, int64_t count) {
  for (int64_t i = 0; to != NULL && i < count; i++) to[i] = (double)from[i];
  free(from);
}

static inline lsqnet_status run_forward(const runner *r, const double *x, double *y) {
  if (r->dtype == LSQNET_F64) return lsqnet_model_forward_f64(r->model, r->workspace, &r->shape, x, y);
  float *xf = narrowed(x, r->in), *yf = narrowed(y, r->out);
  const lsqnet_status status = lsqnet_model_forward_f32(r->model, r->workspace, &r->shape, xf, yf);
  free(xf);
  widen_and_free(yf, y, r->out);
  return status;
}

/* dx and gradient may be NULL. */
static inline lsqnet_status run_backward(const runner *r, const double *dy, double *dx, double *gradient) {
  lsqnet_status status;
  if (r->dtype == LSQNET_F64) {
    status = lsqnet_model_backward_f64(r->model, r->workspace, dy, dx);
    const double *g = lsqnet_workspace_gradient_f64(r->workspace);
    for (int64_t i = 0; g != NULL && gradient != NULL && i < r->weights; i++) gradient[i] = g[i];
    return status;
  }
  float *dyf = narrowed(dy, r->out), *dxf = narrowed(dx, r->in);
  status = lsqnet_model_backward_f32(r->model, r->workspace, dyf, dxf);
  const float *g = lsqnet_workspace_gradient_f32(r->workspace);
  for (int64_t i = 0; g != NULL && gradient != NULL && i < r->weights; i++) gradient[i] = (double)g[i];
  free(dyf);
  widen_and_free(dxf, dx, r->in);
  return status;
}

/* dx and direction may be NULL. */
static inline lsqnet_status run_jvp(const runner *r, const double *dx, const double *direction, double *dy) {
  if (r->dtype == LSQNET_F64) return lsqnet_model_jvp_f64(r->model, r->workspace, dx, direction, dy);
  float *dxf = narrowed(dx, r->in), *wf = narrowed(direction, r->weights), *dyf = narrowed(dy, r->out);
  const lsqnet_status status = lsqnet_model_jvp_f32(r->model, r->workspace, dxf, wf, dyf);
  free(dxf);
  free(wf);
  widen_and_free(dyf, dy, r->out);
  return status;
}

/* Sum of products, and of their magnitudes. */
static inline double inner(int64_t count, const double *a, const double *b, double *magnitude) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += a[i] * b[i];
    *magnitude += fabs(a[i] * b[i]);
  }
  return sum;
}

static inline double largest(int64_t count, const double *a) {
  double most = 0;
  for (int64_t i = 0; i < count; i++) most = fabs(a[i]) > most || isnan(a[i]) ? fabs(a[i]) : most;
  return most;
}

static inline double largest_difference(int64_t count, const double *a, const double *b) {
  double most = 0;
  for (int64_t i = 0; i < count; i++) {
    const double d = fabs(a[i] - b[i]);
    if (d > most || isnan(d)) most = d;
  }
  return most;
}

#endif
