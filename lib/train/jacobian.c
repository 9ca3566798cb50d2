#define LSQ_PRECISION 64
#include "train/jacobian.h"

#include <string.h>

#include "base/pool.h"
#include "model/pass.h"
#include "tasks/task.h"

enum { DRAWN_TOGETHER = 16 };

struct lsq_jacobian {
  lsqnet_trainer *trainer;
  lsq_pass_plan plan; /* of one sequence */
  int64_t rows;       /* of output that a pass is asked for */
  const double **weights;
  double **gradients;               /* (lanes, parameters): into a row of J */
  double *cache, *scratch, *y, *dy; /* of each lane */
};

/* A call of lsq_jacobian_compute or _draw, for the threads that do its samples. */
typedef struct {
  lsq_jacobian *jacobian;
  uint64_t step;
  int64_t samples;
  double *X, *Y;
  const double *x, *target;
  double *r, *J;
} work;

static int64_t output_size(const lsq_jacobian *j) { return j->rows * j->trainer->model->options.out_width; }

int64_t lsq_jacobian_outputs(const lsq_jacobian *j) { return j->trainer->shape.count * j->trainer->shape.scored; }

int64_t lsq_jacobian_cache(const lsq_jacobian *j) { return j->plan.cache; }

int64_t lsq_jacobian_place(const lsq_jacobian *j, int64_t index) {
  const lsqnet_task_shape *s = &j->trainer->shape;
  return index / s->scored * s->stride * j->trainer->model->options.out_width + s->scored_first + index % s->scored;
}

lsqnet_status lsq_jacobian_create(lsq_jacobian **out, lsqnet_trainer *trainer) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *model = trainer->model;
  const lsqnet_context *context = trainer->context;
  const int64_t lanes = lsq_pool_lanes(context->pool);
  lsq_jacobian *j = NULL;
  LSQ_TRY(lsq_alloc(context, &j, 1, sizeof *j));
  j->trainer = trainer;
  j->rows = lsq_task_read_rows(&trainer->shape);
  LSQ_TRY(lsq_alloc(context, &j->plan.blocks, model->options.layers + 1, sizeof *j->plan.blocks));
  LSQ_TRY(lsq_plan_pass_f64(&j->plan, model, 1, trainer->shape.rows, trainer->shape.first, j->rows));
  LSQ_TRY(lsq_alloc(context, &j->weights, model->parameter_count, sizeof *j->weights));
  LSQ_TRY(lsq_alloc(context, &j->gradients, lanes * model->parameter_count, sizeof *j->gradients));
  LSQ_TRY(lsq_alloc(context, &j->cache, lanes * j->plan.cache, sizeof *j->cache));
  LSQ_TRY(lsq_alloc(context, &j->scratch, lanes * j->plan.scratch, sizeof *j->scratch));
  LSQ_TRY(lsq_alloc(context, &j->y, lanes * output_size(j), sizeof *j->y));
  LSQ_TRY(lsq_alloc(context, &j->dy, lanes * output_size(j), sizeof *j->dy));
  for (int64_t i = 0; i < model->parameter_count; i++) j->weights[i] = model->weights_f64 + model->parameters[i].offset;
  *out = j;
  j = NULL;
done:
  lsq_jacobian_destroy(j);
  return st;
}

void lsq_jacobian_destroy(lsq_jacobian *j) {
  if (j == NULL) return;
  const lsqnet_context *context = j->trainer->context;
  lsq_free(context, j->dy);
  lsq_free(context, j->y);
  lsq_free(context, j->scratch);
  lsq_free(context, j->cache);
  lsq_free(context, j->gradients);
  lsq_free(context, j->weights);
  lsq_free(context, j->plan.blocks);
  lsq_free(context, j);
}

static lsqnet_status draw_some(void *argument, int64_t index, int64_t lane) {
  const work *w = argument;
  const lsqnet_trainer *t = w->jacobian->trainer;
  const int64_t first = index * DRAWN_TOGETHER, left = w->samples - first;
  (void)lane;
  return lsq_task_draw_f64(t->task, t->task->options.rows, t->task->options.dim, t->options.seed, w->step, first,
                           left < DRAWN_TOGETHER ? left : DRAWN_TOGETHER,
                           w->X + first * t->shape.rows * t->shape.in_width,
                           w->Y + first * lsq_jacobian_outputs(w->jacobian));
}

lsqnet_status lsq_jacobian_draw(lsq_jacobian *j, uint64_t step, int64_t samples, double *X, double *Y) {
  work w = {.jacobian = j, .step = step, .samples = samples, .X = X, .Y = Y};
  return lsq_pool_run(j->trainer->context->pool, (samples + DRAWN_TOGETHER - 1) / DRAWN_TOGETHER, draw_some, &w);
}

/* Directs the gradients of a pass into `row` of the Jacobian, which has no places for frozen weights. */
static void direct_gradients(const lsqnet_model *model, double *row, double **gradients) {
  for (int64_t i = 0; i < model->parameter_count; i++) {
    gradients[i] = model->parameters[i].frozen ? NULL : row;
    if (!model->parameters[i].frozen) row += model->parameters[i].count;
  }
}

static lsqnet_status differentiate(void *argument, int64_t index, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  const work *w = argument;
  const lsq_jacobian *j = w->jacobian;
  const lsqnet_trainer *t = j->trainer;
  const int64_t outputs = lsq_jacobian_outputs(j), size = output_size(j), P = t->trained_count;
  const lsq_pass_f64 pass = {.model = t->model, .plan = &j->plan, .weights = j->weights};
  double *cache = j->cache + lane * j->plan.cache, *scratch = j->scratch + lane * j->plan.scratch;
  double *y = j->y + lane * size, *dy = j->dy + lane * size;
  double **gradients = j->gradients + lane * t->model->parameter_count;
  LSQ_TRY(lsq_pass_forward_f64(&pass, w->x + index * t->shape.rows * t->shape.in_width, y, cache, scratch));
  for (int64_t k = 0; k < outputs; k++)
    w->r[index * outputs + k] = y[lsq_jacobian_place(j, k)] - w->target[index * outputs + k];
  for (int64_t k = 0; w->J != NULL && k < outputs; k++) {
    double *row = w->J + (index * outputs + k) * P;
    memset(dy, 0, (size_t)size * sizeof *dy);
    memset(row, 0, (size_t)P * sizeof *row);
    dy[lsq_jacobian_place(j, k)] = 1.0;
    direct_gradients(t->model, row, gradients);
    LSQ_TRY(lsq_pass_backward_f64(&pass, dy, NULL, gradients, cache, scratch));
  }
done:
  return st;
}

lsqnet_status lsq_jacobian_compute(lsq_jacobian *j, int64_t samples, const double *X, const double *Y, double *r,
                                   double *J, double *sum) {
  lsqnet_status st = LSQNET_OK;
  work w = {.jacobian = j, .samples = samples, .x = X, .target = Y, .r = r, .J = J};
  LSQ_TRY(lsq_pool_run(j->trainer->context->pool, samples, differentiate, &w));
  *sum = 0.0;
  for (int64_t i = 0; i < samples * lsq_jacobian_outputs(j); i++) *sum += r[i] * r[i];
done:
  return st;
}
