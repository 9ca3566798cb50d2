#include <string.h>

#include "model/mixer_calls.h"
#include "model/pass.h"
#include "model/pass_parts.h"

typedef REAL(lsq_pass) pass_type;

/* A tangent on its way from x to y. */
typedef struct {
  const pass_type *p;
  const real *cache;
  const real *const *directions;
  real *du;      /* tangent of the stream where the pass has come to */
  real *next;    /* made here one layer on; swapped with du then */
  real *normed;  /* tangent of a LayerNorm's output */
  real *scratch; /* for the layers */
} tangent;

static void advance(tangent *t) {
  real *du = t->du;
  t->du = t->next;
  t->next = du;
}

static void read_in_jvp(tangent *t, const real *dx) {
  const lsqnet_model *m = t->p->model;
  const lsq_pass_plan *plan = t->p->plan;
  const int64_t M = plan->n * plan->T, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  const real *x = t->cache + plan->x, *W = t->p->weights[m->read_in_weight];
  const real *dW = t->directions[m->read_in_weight], *db = t->directions[m->read_in_bias];
  const real *positions = t->directions[m->positions];
  REAL(lsq_linear_jvp)(kernels, M, m->options.in_width, D, x, W, dx, dW, db, t->du);
  if (positions != NULL) lsq_add_to_sequences(kernels, plan->n, plan->T * D, positions, t->du);
}

/* Tangent behind a LayerNorm of the stream x, or the stream's own where there is none. */
static const real *norm_jvp(tangent *t, int64_t M, int64_t weight, int64_t bias, const real *x, const real *cache) {
  if (weight < 0) return t->du;
  const real *w = t->p->weights[weight], *dw = t->directions[weight], *db = lsq_entry(t->directions, bias);
  REAL(lsq_layer_norm_jvp)(M, t->p->model->options.width, x, w, t->du, dw, db, t->normed, cache);
  return t->normed;
}

static void mlp_jvp(tangent *t, int64_t i, int64_t N) {
  const lsqnet_model_options *o = &t->p->model->options;
  const lsq_block *b = &t->p->model->blocks[i];
  const lsq_block_plan *at = &t->p->plan->blocks[i];
  const REAL(lsq_kernel_table) *kernels = t->p->model->context->REAL(kernels);
  const REAL(lsq_mlp_weights) w = lsq_mlp_entries(t->p->weights, b), dw = lsq_mlp_entries(t->directions, b);
  const int64_t D = o->width, H = D * o->mlp_factor;
  const real *v = t->cache + at->middle, *x = t->cache + at->norm_2, *kept = t->cache + at->mlp_cache;
  const real *dx = norm_jvp(t, N, b->norm_2_weight, b->norm_2_bias, v, t->cache + at->norm_2_cache);
  REAL(lsq_mlp_jvp)(kernels, o->mlp, N, D, H, &w, x, dx, &dw, t->next, kept, t->scratch);
  if (o->residual) kernels->axpy(N * D, 1, t->du, t->next);
  advance(t);
}

static lsqnet_status block_jvp(tangent *t, int64_t i) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = t->p->model;
  const lsq_block *b = &m->blocks[i];
  const lsq_block_plan *at = &t->p->plan->blocks[i];
  const lsqnet_mixer_shape shape = lsq_block_shape(t->p->plan, m, i);
  const real *dx = norm_jvp(t, shape.batch * shape.rows, b->norm_1_weight, b->norm_1_bias, t->cache + at->stream,
                            t->cache + at->norm_1_cache);
  LSQ_TRY(REAL(lsq_mixer_jvp)(m, i, &shape, t->p->weights + b->mixer, t->cache + at->norm_1, dx,
                              t->directions + b->mixer, t->next, t->cache + at->mixer_cache, t->scratch));
  if (m->options.residual) lsq_add_wanted(m->context->REAL(kernels), &shape, m->options.width, t->du, t->next);
  advance(t);
  if (m->options.mlp != LSQNET_MLP_NONE) mlp_jvp(t, i, shape.batch * shape.count);
done:
  return st;
}

static void read_out_jvp(tangent *t, real *dy) {
  const lsqnet_model *m = t->p->model;
  const lsq_pass_plan *plan = t->p->plan;
  const int64_t N = plan->n * plan->R, layers = m->options.layers, D = m->options.width;
  const REAL(lsq_kernel_table) *kernels = m->context->REAL(kernels);
  if (layers == 0) {
    const lsqnet_mixer_shape shape = lsq_rows_shape(plan, plan->first, plan->R);
    memset(t->next, 0, (size_t)(N * D) * sizeof *t->next);
    lsq_add_wanted(kernels, &shape, D, t->du, t->next);
    advance(t);
  }
  const real *u = t->cache + plan->blocks[layers].stream, *v = t->cache + plan->final_norm;
  const real *W = t->p->weights[m->read_out_weight];
  const real *dW = t->directions[m->read_out_weight], *db = t->directions[m->read_out_bias];
  const real *dv = norm_jvp(t, N, m->final_norm_weight, m->final_norm_bias, u, t->cache + plan->final_norm_cache);
  REAL(lsq_linear_jvp)(kernels, N, D, m->options.out_width, v, W, dv, dW, db, dy);
}

lsqnet_status REAL(lsq_pass_jvp)(const pass_type *pass, const real *dx, const real *const *directions, real *dy,
                                 const real *cache, real *scratch) {
  lsqnet_status st = LSQNET_OK;
  const int64_t buffer = pass->plan->buffer;
  tangent t = {.p = pass,
               .cache = cache,
               .directions = directions,
               .du = scratch,
               .next = scratch + buffer,
               .normed = scratch + 2 * buffer,
               .scratch = scratch + 3 * buffer};
  read_in_jvp(&t, dx);
  for (int64_t i = 0; i < pass->model->options.layers; i++) LSQ_TRY(block_jvp(&t, i));
  read_out_jvp(&t, dy);
done:
  return st;
}
