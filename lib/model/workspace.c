#include "model/workspace.h"

#include <string.h>

#include "base/order.h"
#include "base/pool.h"
#include "model/pass.h"

typedef REAL(lsq_arrays) arrays_type;

/* Rows of a chunk: its activations then fit into a second-level cache. */
enum { CHUNK_ROWS = 1000 };

lsqnet_status REAL(lsq_workspace_open)(lsqnet_workspace *w) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = w->model;
  arrays_type *a = &w->REAL(arrays);
  LSQ_TRY(lsq_alloc(w->context, &a->weights, m->parameter_count, sizeof *a->weights));
  LSQ_TRY(lsq_alloc(w->context, &a->directions, m->parameter_count, sizeof *a->directions));
  LSQ_TRY(lsq_alloc(w->context, &a->gradients, LSQ_GROUPS_MOST * m->parameter_count, sizeof *a->gradients));
  for (int64_t i = 0; i < m->parameter_count; i++) a->weights[i] = m->REAL(weights) + m->parameters[i].offset;
done:
  return st;
}

void REAL(lsq_workspace_close)(lsqnet_workspace *w) {
  arrays_type *a = &w->REAL(arrays);
  lsq_free(w->context, a->weights);
  lsq_free(w->context, a->directions);
  lsq_free(w->context, a->gradients);
  lsq_free(w->context, a->cache);
  lsq_free(w->context, a->scratch);
  lsq_free(w->context, a->gradient);
}

static int is_planned(const lsqnet_workspace *w, const lsqnet_batch *s) {
  const lsqnet_batch *p = &w->shape;
  return p->batch == s->batch && p->rows == s->rows && p->first == s->first && p->count == s->count;
}

static int64_t last_size(const lsqnet_workspace *w, const lsqnet_batch *s) {
  return s->batch - (w->chunks - 1) * w->chunk;
}

lsqnet_status REAL(lsq_workspace_plan)(lsqnet_workspace *w, const lsqnet_batch *s) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = w->model;
  arrays_type *a = &w->REAL(arrays);
  int64_t total = 0;
  if (is_planned(w, s)) return LSQNET_OK;
  w->shape.batch = 0;
  w->chunk = s->rows < CHUNK_ROWS ? CHUNK_ROWS / s->rows : 1;
  if (w->chunk > s->batch) w->chunk = s->batch;
  w->chunks = (s->batch - 1) / w->chunk + 1;
  LSQ_TRY(REAL(lsq_plan_pass)(&w->plan, m, w->chunk, s->rows, s->first, s->count));
  LSQ_TRY(REAL(lsq_plan_pass)(&w->last, m, last_size(w, s), s->rows, s->first, s->count));
  const int64_t caches[] = {w->chunks, w->plan.cache + w->last.cache};
  LSQ_TRY(lsq_size_product(&total, caches, 2, "chunks x activations of a chunk"));
  total = (w->chunks - 1) * w->plan.cache + w->last.cache;
  LSQ_TRY(lsq_reserve(w->context, &a->cache, &a->cache_capacity, total, sizeof *a->cache));
  const int64_t scratches[] = {w->chunks > 1 ? lsq_pool_lanes(w->context->pool) : 1, w->plan.scratch};
  LSQ_TRY(lsq_size_product(&total, scratches, 2, "threads x scratch of a chunk"));
  LSQ_TRY(lsq_reserve(w->context, &a->scratch, &a->scratch_capacity, total, sizeof *a->scratch));
  w->shape = *s;
done:
  return st;
}

/* A pass of a batch, for the threads that run its chunks; what does not belong to its direction is NULL. */
typedef struct {
  lsqnet_workspace *w;
  const real *x, *dx_in, *dy_in;
  real *y, *dx, *dy;
  int64_t groups;
} batch_pass;

/* One chunk of it. */
typedef struct {
  REAL(lsq_pass) pass;
  int64_t in, out; /* where its sequences begin in x and y */
  real *cache, *scratch;
} chunk;

static chunk open_chunk(const lsqnet_workspace *w, int64_t c, int64_t lane) {
  const arrays_type *a = &w->REAL(arrays);
  const lsqnet_model_options *o = &w->model->options;
  const int64_t sequence = c * w->chunk;
  return (chunk){.pass = {w->model, c < w->chunks - 1 ? &w->plan : &w->last, a->weights},
                 .in = sequence * w->shape.rows * o->in_width,
                 .out = sequence * w->shape.count * o->out_width,
                 .cache = a->cache + c * w->plan.cache,
                 .scratch = a->scratch + lane * w->plan.scratch};
}

static lsqnet_status forward_chunk(void *argument, int64_t c, int64_t lane) {
  const batch_pass *b = argument;
  const chunk k = open_chunk(b->w, c, lane);
  return REAL(lsq_pass_forward)(&k.pass, b->x + k.in, b->y + k.out, k.cache, k.scratch);
}

lsqnet_status REAL(lsq_batch_forward)(lsqnet_workspace *w, const lsqnet_batch *shape, const real *x, real *y) {
  lsqnet_status st = LSQNET_OK;
  batch_pass b = {.w = w, .x = x, .y = y};
  w->has_forward = 0;
  LSQ_TRY(REAL(lsq_workspace_plan)(w, shape));
  LSQ_TRY(lsq_pool_run(w->context->pool, w->chunks, forward_chunk, &b));
  w->has_forward = 1;
done:
  return st;
}

/* Room for the groups' gradients, and tables of where each parameter's lies. */
static lsqnet_status open_gradients(lsqnet_workspace *w, int64_t groups) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = w->model;
  arrays_type *a = &w->REAL(arrays);
  const int64_t P = m->weight_count;
  LSQ_TRY(lsq_reserve(w->context, &a->gradient, &a->gradient_capacity, groups * P, sizeof *a->gradient));
  for (int64_t g = 0; g < groups; g++)
    for (int64_t i = 0; i < m->parameter_count; i++)
      a->gradients[g * m->parameter_count + i] =
          m->parameters[i].frozen ? NULL : a->gradient + g * P + m->parameters[i].offset;
done:
  return st;
}

static lsqnet_status backward_group(void *argument, int64_t g, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  const batch_pass *b = argument;
  const lsqnet_model *m = b->w->model;
  const arrays_type *a = &b->w->REAL(arrays);
  real *const *gradients = a->gradients + g * m->parameter_count;
  memset(a->gradient + g * m->weight_count, 0, (size_t)m->weight_count * sizeof *a->gradient);
  for (int64_t c = g; c < b->w->chunks; c += b->groups) {
    const chunk k = open_chunk(b->w, c, lane);
    real *dx = b->dx != NULL ? b->dx + k.in : NULL;
    LSQ_TRY(REAL(lsq_pass_backward)(&k.pass, b->dy_in + k.out, dx, gradients, k.cache, k.scratch));
  }
done:
  return st;
}

lsqnet_status REAL(lsq_batch_backward)(lsqnet_workspace *w, const real *dy, real *dx) {
  lsqnet_status st = LSQNET_OK;
  const REAL(lsq_kernel_table) *kernels = w->context->REAL(kernels);
  const int64_t P = w->model->weight_count;
  arrays_type *a = &w->REAL(arrays);
  batch_pass b = {.w = w, .dy_in = dy, .dx = dx, .groups = lsq_smaller(w->chunks, LSQ_GROUPS_MOST)};
  w->has_gradient = 0;
  LSQ_TRY(open_gradients(w, b.groups));
  LSQ_TRY(lsq_pool_run(w->context->pool, b.groups, backward_group, &b));
  for (int64_t g = 1; g < b.groups; g++) kernels->axpy(P, 1, a->gradient + g * P, a->gradient);
  w->has_gradient = 1;
done:
  return st;
}

static lsqnet_status jvp_chunk(void *argument, int64_t c, int64_t lane) {
  const batch_pass *b = argument;
  const chunk k = open_chunk(b->w, c, lane);
  const real *dx = b->dx_in != NULL ? b->dx_in + k.in : NULL;
  return REAL(lsq_pass_jvp)(&k.pass, dx, b->w->REAL(arrays).directions, b->dy + k.out, k.cache, k.scratch);
}

lsqnet_status REAL(lsq_batch_jvp)(lsqnet_workspace *w, const real *dx, const real *direction, real *dy) {
  const lsqnet_model *m = w->model;
  const real **directions = w->REAL(arrays).directions;
  batch_pass b = {.w = w, .dx_in = dx, .dy = dy};
  for (int64_t i = 0; i < m->parameter_count; i++)
    directions[i] = direction != NULL ? direction + m->parameters[i].offset : NULL;
  return lsq_pool_run(w->context->pool, w->chunks, jvp_chunk, &b);
}
