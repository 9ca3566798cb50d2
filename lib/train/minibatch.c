#include "train/minibatch.h"

#include <string.h>

#include "base/order.h"
#include "base/pool.h"
#include "model/pass.h"
#include "model/workspace.h"

typedef REAL(lsq_minibatch_arrays) arrays_type;

/* Rows of a chunk: its activations then fit into a second-level cache. Numbers of a lane's arrays are multiples of a
 * cache line's. */
enum { CHUNK_ROWS = 1000, LINE = 64 / sizeof(real) };

lsqnet_status REAL(lsq_minibatch_open)(lsq_minibatch *b) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = b->model;
  arrays_type *a = &b->REAL(arrays);
  LSQ_TRY(lsq_alloc(b->context, &a->weights, m->parameter_count, sizeof *a->weights));
  for (int64_t i = 0; i < m->parameter_count; i++) a->weights[i] = m->REAL(weights) + m->parameters[i].offset;
done:
  return st;
}

void REAL(lsq_minibatch_close)(lsq_minibatch *b) {
  arrays_type *a = &b->REAL(arrays);
  lsq_free(b->context, a->weights);
  lsq_free(b->context, a->gradients);
  lsq_free(b->context, a->gradient);
  lsq_free(b->context, a->lanes);
}

static int64_t chunk_samples(const lsq_minibatch *b, int64_t c) {
  return lsq_smaller(b->chunk, b->samples - c * b->chunk);
}

static int64_t target_size(const lsq_minibatch *b) { return b->shape.count * b->shape.scored; }

/* Lays out a lane: x, target and y of a chunk, and what its passes need. */
static lsqnet_status lay_out(lsq_minibatch *b) {
  lsqnet_status st = LSQNET_OK;
  const int64_t ins[] = {b->chunk, b->shape.rows, b->shape.in_width};
  const int64_t targets[] = {b->chunk, b->shape.count, b->shape.scored};
  const int64_t outs[] = {b->chunk, b->plan.R, b->model->options.out_width};
  const struct {
    int64_t *place;
    const int64_t *sizes;
  } parts[] = {{&b->target, ins}, {&b->y, targets}, {&b->cache, outs}};
  int64_t end = 0, count = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    LSQ_TRY(lsq_size_product(&count, parts[i].sizes, 3, "samples of a chunk x rows x channels"));
    end += (count + LINE - 1) / LINE * LINE;
    *parts[i].place = end;
  }
  b->scratch = b->cache + b->plan.cache;
  b->lane = b->scratch + b->plan.scratch;
done:
  return st;
}

/* Cuts the batch and makes room for its chunks. */
static lsqnet_status plan_batch(lsq_minibatch *b, const lsq_draw *draw) {
  lsqnet_status st = LSQNET_OK;
  arrays_type *a = &b->REAL(arrays);
  lsqnet_task_shape s;
  int64_t total = 0;
  lsq_task_shape_for(b->task, draw->L, &s);
  if (b->samples == draw->samples && b->shape.rows == s.rows && b->shape.count == s.count) return LSQNET_OK;
  b->shape = s;
  b->samples = 0;
  b->chunk = lsq_smaller(draw->samples, s.rows < CHUNK_ROWS ? CHUNK_ROWS / s.rows : 1);
  b->chunks = (draw->samples - 1) / b->chunk + 1;
  const int64_t R = lsq_task_read_rows(&s), left = draw->samples - (b->chunks - 1) * b->chunk;
  LSQ_TRY(REAL(lsq_plan_pass)(&b->plan, b->model, b->chunk, s.rows, s.first, R));
  LSQ_TRY(REAL(lsq_plan_pass)(&b->last, b->model, left, s.rows, s.first, R));
  LSQ_TRY(lay_out(b));
  const int64_t sizes[] = {lsq_pool_lanes(b->context->pool), b->lane};
  LSQ_TRY(lsq_size_product(&total, sizes, 2, "threads x arrays of a chunk"));
  LSQ_TRY(lsq_reserve(b->context, &a->lanes, &a->lanes_capacity, total, sizeof *a->lanes));
  LSQ_TRY(lsq_reserve(b->context, &b->sums, &b->sums_capacity, b->chunks, sizeof *b->sums));
  LSQ_TRY(lsq_reserve(b->context, &b->squares, &b->squares_capacity, b->chunks, sizeof *b->squares));
  b->samples = draw->samples;
done:
  return st;
}

/* Room for all groups' gradients, whatever the batch. */
static lsqnet_status open_gradients(lsq_minibatch *b) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *m = b->model;
  arrays_type *a = &b->REAL(arrays);
  const int64_t sizes[] = {LSQ_GROUPS_MOST, m->weight_count};
  int64_t total = 0;
  if (a->gradient != NULL) return LSQNET_OK;
  if (a->gradients == NULL)
    LSQ_TRY(lsq_alloc(b->context, &a->gradients, LSQ_GROUPS_MOST * m->parameter_count, sizeof *a->gradients));
  LSQ_TRY(lsq_size_product(&total, sizes, 2, "groups x weights"));
  LSQ_TRY(lsq_alloc(b->context, &a->gradient, total, sizeof *a->gradient));
  for (int64_t g = 0; g < LSQ_GROUPS_MOST; g++)
    for (int64_t i = 0; i < m->parameter_count; i++)
      a->gradients[g * m->parameter_count + i] =
          m->parameters[i].frozen ? NULL : a->gradient + g * m->weight_count + m->parameters[i].offset;
done:
  return st;
}

/* A call, for the threads that run its groups. */
typedef struct {
  lsq_minibatch *b;
  const lsq_draw *draw;
  int differentiate;
  int64_t groups;
  double factor; /* dL/dy = factor (y - target) */
} work;

static lsqnet_status run_chunk(const work *w, int64_t c, int64_t lane, real *const *gradients) {
  lsqnet_status st = LSQNET_OK;
  lsq_minibatch *b = w->b;
  const arrays_type *a = &b->REAL(arrays);
  real *x = a->lanes + lane * b->lane, *target = x + b->target, *y = x + b->y, *cache = x + b->cache;
  real *scratch = x + b->scratch;
  const int64_t samples = chunk_samples(b, c), outputs = samples * target_size(b);
  const REAL(lsq_pass) pass = {b->model, c < b->chunks - 1 ? &b->plan : &b->last, a->weights};
  double square = 0;
  LSQ_TRY(REAL(lsq_task_draw)(b->task, w->draw->L, w->draw->kept, w->draw->seed, w->draw->step, c * b->chunk, samples,
                              x, target));
  LSQ_TRY(REAL(lsq_pass_forward)(&pass, x, y, cache, scratch));
  b->sums[c] = REAL(lsq_task_score)(&b->shape, b->model->options.out_width, samples, y, target, w->factor,
                                    w->differentiate ? y : NULL);
  for (int64_t i = 0; i < outputs; i++) square += (double)target[i] * (double)target[i];
  b->squares[c] = square;
  if (w->differentiate) LSQ_TRY(REAL(lsq_pass_backward)(&pass, y, NULL, gradients, cache, scratch));
done:
  return st;
}

static lsqnet_status run_group(void *argument, int64_t g, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  const work *w = argument;
  const lsqnet_model *m = w->b->model;
  const arrays_type *a = &w->b->REAL(arrays);
  real *const *gradients = w->differentiate ? a->gradients + g * m->parameter_count : NULL;
  if (w->differentiate) memset(a->gradient + g * m->weight_count, 0, (size_t)m->weight_count * sizeof *a->gradient);
  for (int64_t c = g; c < w->b->chunks; c += w->groups) LSQ_TRY(run_chunk(w, c, lane, gradients));
done:
  return st;
}

lsqnet_status REAL(lsq_minibatch_run)(lsq_minibatch *b, const lsq_draw *draw, int differentiate) {
  lsqnet_status st = LSQNET_OK;
  const int64_t P = b->model->weight_count;
  const arrays_type *a = &b->REAL(arrays);
  work w = {.b = b, .draw = draw, .differentiate = differentiate};
  LSQ_TRY(plan_batch(b, draw));
  if (differentiate) LSQ_TRY(open_gradients(b));
  w.groups = lsq_smaller(b->chunks, LSQ_GROUPS_MOST);
  w.factor = 2.0 / ((double)b->samples * (double)target_size(b));
  LSQ_TRY(lsq_pool_run(b->context->pool, w.groups, run_group, &w));
  for (int64_t g = 1; differentiate && g < w.groups; g++)
    b->context->REAL(kernels)->axpy(P, 1, a->gradient + g * P, a->gradient);
done:
  return st;
}

#ifdef LSQ_ONCE

lsqnet_status lsq_minibatch_create(lsq_minibatch **out, const lsqnet_model *model, const lsqnet_task *task) {
  lsqnet_status st = LSQNET_OK;
  lsq_minibatch *b = NULL;
  const int64_t blocks = model->options.layers + 1;
  *out = NULL;
  LSQ_TRY(lsq_alloc(model->context, &b, 1, sizeof *b));
  b->context = lsq_context_hold(model->context);
  b->model = model;
  b->task = task;
  LSQ_TRY(lsq_alloc(b->context, &b->plan.blocks, blocks, sizeof *b->plan.blocks));
  LSQ_TRY(lsq_alloc(b->context, &b->last.blocks, blocks, sizeof *b->last.blocks));
  LSQ_TRY(model->options.dtype == LSQNET_F64 ? lsq_minibatch_open_f64(b) : lsq_minibatch_open_f32(b));
  *out = b;
  b = NULL;
done:
  lsq_minibatch_destroy(b);
  return st;
}

void lsq_minibatch_destroy(lsq_minibatch *b) {
  if (b == NULL) return;
  lsqnet_context *context = b->context;
  lsq_minibatch_close_f64(b);
  lsq_minibatch_close_f32(b);
  lsq_free(context, b->sums);
  lsq_free(context, b->squares);
  lsq_free(context, b->plan.blocks);
  lsq_free(context, b->last.blocks);
  lsq_free(context, b);
  lsqnet_context_destroy(context);
}

static lsqnet_status run(lsq_minibatch *b, const lsq_draw *draw, int differentiate, lsq_score *score) {
  lsqnet_status st = LSQNET_OK;
  double sum = 0, square = 0;
  LSQ_TRY(b->model->options.dtype == LSQNET_F64 ? lsq_minibatch_run_f64(b, draw, differentiate)
                                                : lsq_minibatch_run_f32(b, draw, differentiate));
  for (int64_t c = 0; c < b->chunks; c++) {
    sum += b->sums[c];
    square += b->squares[c];
  }
  const double count = (double)b->samples * (double)target_size(b);
  *score = (lsq_score){.loss = sum / count, .mean_square = square / count};
done:
  return st;
}

lsqnet_status lsq_minibatch_score(lsq_minibatch *b, const lsq_draw *draw, lsq_score *score) {
  return run(b, draw, 0, score);
}

lsqnet_status lsq_minibatch_differentiate(lsq_minibatch *b, const lsq_draw *draw, lsq_score *score) {
  return run(b, draw, 1, score);
}

#endif
