#include "model/pass.h"

#include <string.h>

#include "model/mixer_calls.h"
#include "model/pass_parts.h"

typedef REAL(lsq_pass) pass_type;

/* A backward pass on its way from y to x. */
typedef struct {
  const pass_type *p;
  const real *cache;
  real *const *gradients;
  real *du;           /* dL/du where the pass has come to */
  real *next, *spare; /* dL/du one layer on is made here; swapped with du then */
  real *scratch;      /* for the layers */
} backward_state;

static void swap(real **a, real **b) {
  real *c = *a;
  *a = *b;
  *b = c;
}

static real *gradient_of(const backward_state *s, int64_t index) { return index >= 0 ? s->gradients[index] : NULL; }

static void read_in_forward(const pass_type *p, const real *x, real *cache) {
  const lsqnet_model *m = p->model;
  const lsq_pass_plan *plan = p->plan;
  const int64_t M = plan->n * plan->T, in = m->options.in_width, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  const real *W = p->weights[m->read_in_weight], *b = p->weights[m->read_in_bias];
  real *kept = cache + plan->x, *u = cache + plan->embedded;
  memcpy(kept, x, (size_t)(M * in) * sizeof *x);
  REAL(lsq_linear_forward)(kernels, M, in, D, kept, W, b, u);
  lsq_add_to_sequences(kernels, plan->n, plan->T * D, p->weights[m->positions], u);
}

static void read_in_backward(backward_state *s, real *dx) {
  const lsqnet_model *m = s->p->model;
  const lsq_pass_plan *plan = s->p->plan;
  const int64_t M = plan->n * plan->T, in = m->options.in_width, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  const real *W = s->p->weights[m->read_in_weight];
  real *dW = gradient_of(s, m->read_in_weight), *db = gradient_of(s, m->read_in_bias);
  real *dpositions = gradient_of(s, m->positions);
  REAL(lsq_linear_backward)(kernels, M, in, D, s->cache + plan->x, W, s->du, dx, dW, db);
  for (int64_t i = 0; dpositions != NULL && i < plan->n; i++)
    kernels->axpy(plan->T * D, 1, s->du + i * plan->T * D, dpositions);
}

static void norm_forward(const pass_type *p, int64_t M, int64_t weight, int64_t bias, const real *x, real *y,
                         real *cache) {
  if (weight < 0) return;
  const real *b = lsq_entry(p->weights, bias);
  REAL(lsq_layer_norm_forward)(M, p->model->options.width, x, p->weights[weight], b, y, cache);
}

/* Carries `next` back through a LayerNorm of x, where there is one. */
static void norm_backward(backward_state *s, int64_t M, int64_t weight, int64_t bias, const real *x,
                          const real *cache) {
  if (weight < 0) return;
  const real *w = s->p->weights[weight];
  real *dw = gradient_of(s, weight), *db = gradient_of(s, bias);
  REAL(lsq_layer_norm_backward)(M, s->p->model->options.width, x, w, s->next, s->spare, dw, db, cache);
  swap(&s->next, &s->spare);
}

static void mlp_forward(const pass_type *p, int64_t i, int64_t N, real *cache, real *scratch) {
  const lsqnet_model_options *o = &p->model->options;
  const lsq_block *b = &p->model->blocks[i];
  const lsq_block_plan *at = &p->plan->blocks[i];
  const REAL(lsq_kernel_table) *kernels = p->model->context->REAL(kernels);
  const REAL(lsq_mlp_weights) weights = lsq_mlp_entries(p->weights, b);
  const int64_t D = o->width, H = D * o->mlp_factor;
  real *v = cache + at->middle, *x = cache + at->norm_2, *y = cache + p->plan->blocks[i + 1].stream;
  norm_forward(p, N, b->norm_2_weight, b->norm_2_bias, v, x, cache + at->norm_2_cache);
  REAL(lsq_mlp_forward)(kernels, o->mlp, N, D, H, &weights, x, y, cache + at->mlp_cache, scratch);
  if (o->residual) kernels->axpy(N * D, 1, v, y);
}

static void mlp_backward(backward_state *s, int64_t i, int64_t N) {
  const lsqnet_model_options *o = &s->p->model->options;
  const lsq_block *b = &s->p->model->blocks[i];
  const lsq_block_plan *at = &s->p->plan->blocks[i];
  const REAL(lsq_kernel_table) *kernels = s->p->model->context->REAL(kernels);
  const REAL(lsq_mlp_weights) w = lsq_mlp_entries(s->p->weights, b);
  const REAL(lsq_mlp_gradients) dw = {.up = gradient_of(s, b->up_weight),
                                      .up_bias = gradient_of(s, b->up_bias),
                                      .gate = gradient_of(s, b->gate_weight),
                                      .value = gradient_of(s, b->value_weight),
                                      .down = gradient_of(s, b->down_weight),
                                      .down_bias = gradient_of(s, b->down_bias)};
  const int64_t D = o->width, H = D * o->mlp_factor;
  const real *v = s->cache + at->middle, *x = s->cache + at->norm_2, *kept = s->cache + at->mlp_cache;
  REAL(lsq_mlp_backward)(kernels, o->mlp, N, D, H, &w, x, s->du, s->next, &dw, kept, s->scratch);
  norm_backward(s, N, b->norm_2_weight, b->norm_2_bias, v, s->cache + at->norm_2_cache);
  if (o->residual) kernels->axpy(N * D, 1, s->du, s->next);
  swap(&s->du, &s->next);
}

static lsqnet_status block_forward(const pass_type *p, int64_t i, real *cache, real *scratch) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &p->model->options;
  const lsq_block *b = &p->model->blocks[i];
  const lsq_block_plan *at = &p->plan->blocks[i];
  const lsqnet_mixer_shape shape = lsq_block_shape(p->plan, p->model, i);
  real *u = cache + at->stream, *v = cache + at->middle;
  norm_forward(p, shape.batch * shape.rows, b->norm_1_weight, b->norm_1_bias, u, cache + at->norm_1,
               cache + at->norm_1_cache);
  LSQ_TRY(REAL(lsq_mixer_forward)(p->model, i, &shape, p->weights + b->mixer, cache + at->norm_1, v,
                                  cache + at->mixer_cache, scratch));
  if (o->residual) lsq_add_wanted(p->model->context->REAL(kernels), &shape, o->width, u, v);
  if (o->mlp != LSQNET_MLP_NONE) mlp_forward(p, i, shape.batch * shape.count, cache, scratch);
done:
  return st;
}

static lsqnet_status block_backward(backward_state *s, int64_t i) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = s->p->model;
  const lsq_block *b = &m->blocks[i];
  const lsq_block_plan *at = &s->p->plan->blocks[i];
  const lsqnet_mixer_shape shape = lsq_block_shape(s->p->plan, m, i);
  if (m->options.mlp != LSQNET_MLP_NONE) mlp_backward(s, i, shape.batch * shape.count);
  LSQ_TRY(REAL(lsq_mixer_backward)(m, i, &shape, s->p->weights + b->mixer, s->cache + at->norm_1, s->du, s->next,
                                   s->gradients + b->mixer, s->cache + at->mixer_cache, s->scratch));
  norm_backward(s, shape.batch * shape.rows, b->norm_1_weight, b->norm_1_bias, s->cache + at->stream,
                s->cache + at->norm_1_cache);
  if (m->options.residual) lsq_add_to_wanted(m->context->REAL(kernels), &shape, m->options.width, s->du, s->next);
  swap(&s->du, &s->next);
done:
  return st;
}

static void read_out_forward(const pass_type *p, real *cache, real *y) {
  const lsqnet_model *m = p->model;
  const lsq_pass_plan *plan = p->plan;
  const int64_t N = plan->n * plan->R, layers = m->options.layers, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  const real *W = p->weights[m->read_out_weight], *b = p->weights[m->read_out_bias];
  real *u = cache + plan->blocks[layers].stream, *v = cache + plan->final_norm;
  if (layers == 0) {
    const lsqnet_mixer_shape shape = lsq_rows_shape(plan, plan->first, plan->R);
    memset(u, 0, (size_t)(N * D) * sizeof *u);
    lsq_add_wanted(kernels, &shape, D, cache + plan->embedded, u);
  }
  norm_forward(p, N, m->final_norm_weight, m->final_norm_bias, u, v, cache + plan->final_norm_cache);
  REAL(lsq_linear_forward)(kernels, N, D, m->options.out_width, v, W, b, y);
}

static void read_out_backward(backward_state *s, const real *dy) {
  const lsqnet_model *m = s->p->model;
  const lsq_pass_plan *plan = s->p->plan;
  const int64_t N = plan->n * plan->R, layers = m->options.layers, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  const real *u = s->cache + plan->blocks[layers].stream, *v = s->cache + plan->final_norm;
  const real *W = s->p->weights[m->read_out_weight];
  real *dW = gradient_of(s, m->read_out_weight), *db = gradient_of(s, m->read_out_bias);
  REAL(lsq_linear_backward)(kernels, N, D, m->options.out_width, v, W, dy, s->next, dW, db);
  norm_backward(s, N, m->final_norm_weight, m->final_norm_bias, u, s->cache + plan->final_norm_cache);
  swap(&s->du, &s->next);
  if (layers == 0) {
    const lsqnet_mixer_shape shape = lsq_rows_shape(plan, plan->first, plan->R);
    memset(s->next, 0, (size_t)(plan->n * plan->T * D) * sizeof *s->next);
    lsq_add_to_wanted(kernels, &shape, D, s->du, s->next);
    swap(&s->du, &s->next);
  }
}

lsqnet_status REAL(lsq_pass_forward)(const pass_type *pass, const real *x, real *y, real *cache, real *scratch) {
  lsqnet_status st = LSQNET_OK;
  read_in_forward(pass, x, cache);
  for (int64_t i = 0; i < pass->model->options.layers; i++) LSQ_TRY(block_forward(pass, i, cache, scratch));
  read_out_forward(pass, cache, y);
done:
  return st;
}

lsqnet_status REAL(lsq_pass_backward)(const pass_type *pass, const real *dy, real *dx, real *const *gradients,
                                      const real *cache, real *scratch) {
  lsqnet_status st = LSQNET_OK;
  const int64_t buffer = pass->plan->buffer;
  backward_state s = {.p = pass,
                      .cache = cache,
                      .gradients = gradients,
                      .du = scratch,
                      .next = scratch + buffer,
                      .spare = scratch + 2 * buffer,
                      .scratch = scratch + 3 * buffer};
  read_out_backward(&s, dy);
  for (int64_t i = pass->model->options.layers - 1; i >= 0; i--) LSQ_TRY(block_backward(&s, i));
  read_in_backward(&s, dx);
done:
  return st;
}
