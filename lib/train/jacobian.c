#define LSQ_PRECISION 64
#include "train/jacobian.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "base/random.h"
#include "model/pass.h"
#include "tasks/task.h"

enum { DRAWN_TOGETHER = 16, PROBED = 256 };

struct lsq_jacobian {
  lsqnet_trainer *trainer;
  lsq_pass_plan plan; /* of one sequence */
  int64_t rows;       /* of output that a pass is asked for */
  const double **weights;
  double **gradients;               /* (lanes, parameters): into a row of derivatives */
  double *cache, *scratch, *y, *dy; /* of each lane */
  double *row;                      /* (lanes, trained weights): derivatives of one output */
  int64_t P, *columns;              /* (P) which of the trained weights can change an output */
  int64_t *places;                  /* (P) where those lie in the model's flat vector */
};

/* A call of lsq_jacobian_compute or _draw, for the threads that do its samples. */
typedef struct {
  lsq_jacobian *jacobian;
  uint64_t step;
  int64_t samples;
  double *X, *Y;
  const double *x, *target;
  double *r, *J;
  unsigned char *reached; /* (lanes, trained weights) set where a derivative is not 0; or NULL */
} work;

static int64_t output_size(const lsq_jacobian *j) { return j->rows * j->trainer->model->options.out_width; }

int64_t lsq_jacobian_outputs(const lsq_jacobian *j) { return j->trainer->shape.count * j->trainer->shape.scored; }

int64_t lsq_jacobian_weights(const lsq_jacobian *j) { return j->P; }

const int64_t *lsq_jacobian_places(const lsq_jacobian *j) { return j->places; }

int64_t lsq_jacobian_cache(const lsq_jacobian *j) { return j->plan.cache; }

int64_t lsq_jacobian_place(const lsq_jacobian *j, int64_t index) {
  const lsqnet_task_shape *s = &j->trainer->shape;
  return index / s->scored * s->stride * j->trainer->model->options.out_width + s->scored_first + index % s->scored;
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

/* Directs the gradients of a pass into `row`, which has no places for frozen weights. */
static void direct_gradients(const lsqnet_model *model, double *row, double **gradients) {
  for (int64_t i = 0; i < model->parameter_count; i++) {
    gradients[i] = model->parameters[i].frozen ? NULL : row;
    if (!model->parameters[i].frozen) row += model->parameters[i].count;
  }
}

/* Output k of the sample whose forward pass is in the cache: derivatives in each trained weight. */
static lsqnet_status derive(const lsq_jacobian *j, const lsq_pass_f64 *pass, int64_t k, int64_t lane, double *row) {
  const lsqnet_model *model = pass->model;
  const int64_t size = output_size(j);
  double *dy = j->dy + lane * size, **gradients = j->gradients + lane * model->parameter_count;
  memset(dy, 0, (size_t)size * sizeof *dy);
  memset(row, 0, (size_t)j->trainer->trained_count * sizeof *row);
  dy[lsq_jacobian_place(j, k)] = 1.0;
  direct_gradients(model, row, gradients);
  return lsq_pass_backward_f64(pass, dy, NULL, gradients, j->cache + lane * j->plan.cache,
                               j->scratch + lane * j->plan.scratch);
}

/* Forward pass of a sample, into the lane's y and cache. */
static lsqnet_status run(const work *w, const lsq_pass_f64 *pass, int64_t index, int64_t lane) {
  const lsq_jacobian *j = w->jacobian;
  const lsqnet_task_shape *s = &j->trainer->shape;
  return lsq_pass_forward_f64(pass, w->x + index * s->rows * s->in_width, j->y + lane * output_size(j),
                              j->cache + lane * j->plan.cache, j->scratch + lane * j->plan.scratch);
}

static lsqnet_status differentiate(void *argument, int64_t index, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  const work *w = argument;
  const lsq_jacobian *j = w->jacobian;
  const lsqnet_trainer *t = j->trainer;
  const int64_t outputs = lsq_jacobian_outputs(j), P = j->P;
  const lsq_pass_f64 pass = {.model = t->model, .plan = &j->plan, .weights = j->weights};
  const double *y = j->y + lane * output_size(j);
  LSQ_TRY(run(w, &pass, index, lane));
  for (int64_t k = 0; k < outputs; k++)
    w->r[index * outputs + k] = y[lsq_jacobian_place(j, k)] - w->target[index * outputs + k];
  for (int64_t k = 0; w->J != NULL && k < outputs; k++) {
    double *to = w->J + (index * outputs + k) * P, *row = P == t->trained_count ? to : j->row + lane * t->trained_count;
    LSQ_TRY(derive(j, &pass, k, lane, row));
    for (int64_t i = 0; row != to && i < P; i++) to[i] = row[j->columns[i]];
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

/* Which weights count: with frozen projections, say, a first layer sees channels of zeros, whose weights change
 * nothing. Left in, they would cost as much as the others: J'J grows with their number's square, its factor with the
 * cube. */

static lsqnet_status look(void *argument, int64_t index, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  const work *w = argument;
  const lsq_jacobian *j = w->jacobian;
  const lsqnet_trainer *t = j->trainer;
  const int64_t count = t->trained_count;
  const lsq_pass_f64 pass = {.model = t->model, .plan = &j->plan, .weights = j->weights};
  double *row = j->row + lane * count;
  LSQ_TRY(run(w, &pass, index, lane));
  for (int64_t k = 0; k < lsq_jacobian_outputs(j); k++) {
    LSQ_TRY(derive(j, &pass, k, lane, row));
    for (int64_t i = 0; i < count; i++) w->reached[lane * count + i] |= row[i] != 0.0;
  }
done:
  return st;
}

static void use_weights(lsq_jacobian *j, const double *flat) {
  const lsqnet_model *model = j->trainer->model;
  for (int64_t i = 0; i < model->parameter_count; i++) j->weights[i] = flat + model->parameters[i].offset;
}

/* The model's weights, the trained ones at random: what has no influence then has none by structure. */
static void randomise(const lsqnet_model *model, double *flat) {
  memcpy(flat, model->weights_f64, (size_t)model->weight_count * sizeof *flat);
  for (int64_t i = 0; i < model->parameter_count; i++) {
    const lsqnet_parameter *p = &model->parameters[i];
    const double deviation = p->rank > 1 ? 1.0 / sqrt((double)p->shape[p->rank - 1]) : 0.5;
    if (p->frozen) continue;
    lsq_random_normals(0, (uint64_t)i, 0, p->count, flat + p->offset);
    for (int64_t k = 0; k < p->count; k++) flat[p->offset + k] *= deviation;
  }
}

static lsqnet_status probe(lsq_jacobian *j, unsigned char *reached, double *flat) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = j->trainer;
  const int64_t outputs = lsq_jacobian_outputs(j);
  double *X = NULL, *Y = NULL;
  LSQ_TRY(lsq_alloc(t->context, &X, PROBED * t->shape.rows * t->shape.in_width, sizeof *X));
  LSQ_TRY(lsq_alloc(t->context, &Y, PROBED * outputs, sizeof *Y));
  LSQ_TRY(lsq_jacobian_draw(j, lsq_data_step(LSQ_STREAM_STEP, 0), PROBED, X, Y));
  randomise(t->model, flat);
  use_weights(j, flat);
  work w = {.jacobian = j, .x = X, .reached = reached};
  st = lsq_pool_run(t->context->pool, PROBED, look, &w);
done:
  use_weights(j, t->model->weights_f64);
  lsq_free(t->context, X);
  lsq_free(t->context, Y);
  return st;
}

/* Fills columns and places. A host's task is not asked before its first step: all weights count there. */
static lsqnet_status find_columns(lsq_jacobian *j) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = j->trainer;
  const lsqnet_model *model = t->model;
  const int64_t lanes = lsq_pool_lanes(t->context->pool), count = t->trained_count;
  const int all = t->task->kind == NULL;
  unsigned char *reached = NULL;
  double *flat = NULL;
  int64_t column = 0;
  LSQ_TRY(lsq_alloc(t->context, &reached, lanes * count, sizeof *reached));
  LSQ_TRY(lsq_alloc(t->context, &flat, model->weight_count, sizeof *flat));
  if (!all) LSQ_TRY(probe(j, reached, flat));
  for (int64_t lane = 1; lane < lanes; lane++)
    for (int64_t i = 0; i < count; i++) reached[i] |= reached[lane * count + i];
  for (int64_t i = 0; i < model->parameter_count; i++)
    for (int64_t k = 0; !model->parameters[i].frozen && k < model->parameters[i].count; k++, column++)
      if (all || reached[column]) {
        j->columns[j->P] = column;
        j->places[j->P++] = model->parameters[i].offset + k;
      }
done:
  lsq_free(t->context, reached);
  lsq_free(t->context, flat);
  return st;
}

/* Creation. */

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
  LSQ_TRY(lsq_alloc(context, &j->row, lanes * trainer->trained_count, sizeof *j->row));
  LSQ_TRY(lsq_alloc(context, &j->columns, trainer->trained_count, sizeof *j->columns));
  LSQ_TRY(lsq_alloc(context, &j->places, trainer->trained_count, sizeof *j->places));
  use_weights(j, model->weights_f64);
  LSQ_TRY(find_columns(j));
  *out = j;
  j = NULL;
done:
  lsq_jacobian_destroy(j);
  return st;
}

void lsq_jacobian_destroy(lsq_jacobian *j) {
  if (j == NULL) return;
  const lsqnet_context *context = j->trainer->context;
  lsq_free(context, j->places);
  lsq_free(context, j->columns);
  lsq_free(context, j->row);
  lsq_free(context, j->dy);
  lsq_free(context, j->y);
  lsq_free(context, j->scratch);
  lsq_free(context, j->cache);
  lsq_free(context, j->gradients);
  lsq_free(context, j->weights);
  lsq_free(context, j->plan.blocks);
  lsq_free(context, j);
}
