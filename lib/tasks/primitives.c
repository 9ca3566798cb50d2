/* The paper's primitives: functions of a sequence x (L,D), every row read. */
#include <string.h>

#include "tasks/kinds.h"
#include "tasks/problem.h"

/* Streams of what a task draws once. */
static lsq_stream fixed_stream(const lsqnet_task *task) { return (lsq_stream){task->options.seed, 0}; }

lsq_sample_room lsq_primitive_room(const lsqnet_task *task) {
  return lsq_problem_room_of(task, 0, task->options.rows * task->options.dim, 0);
}

void lsq_primitive_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  shape->rows = shape->count = L;
  shape->in_width = shape->out_width = shape->scored = task->options.dim;
}

void lsq_primitive_sample(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  const lsqnet_task_options *o = &task->options;
  const int64_t L = sample->L, D = sample->D;
  lsq_law_fill(o->law_x, o->freedom, stream, LSQ_PART_X, L * D, sample->x);
  for (int64_t i = 0; i < L; i++) {
    double *row = sample->x + i * D;
    if (o->normalise_x) lsq_normalise(D, row);
    for (int64_t j = 0; j < D; j++) row[j] = j < sample->kept ? o->scale_x * row[j] : 0;
  }
}

static void copy(const lsq_sample *sample, double *to) {
  memcpy(to, sample->x, (size_t)(sample->L * sample->D) * sizeof *to);
}

void lsq_identity_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  (void)task;
  copy(sample, x);
  copy(sample, target);
}

void lsq_square_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  (void)task;
  copy(sample, x);
  for (int64_t i = 0; i < sample->L * sample->D; i++) target[i] = sample->x[i] * sample->x[i];
}

lsqnet_status lsq_multiply_prepare(lsqnet_task *task) {
  if (task->options.dim % 2 != 0)
    return lsq_fail(LSQNET_E_SHAPE, "task=multiply dim=%lld: must be even", (long long)task->options.dim);
  return LSQNET_OK;
}

void lsq_multiply_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  lsq_primitive_shape(task, L, shape);
  shape->out_width = shape->scored = task->options.dim / 2;
}

void lsq_multiply_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  const int64_t D = sample->D, half = D / 2;
  (void)task;
  copy(sample, x);
  for (int64_t i = 0; i < sample->L; i++)
    for (int64_t j = 0; j < half; j++) target[i * half + j] = sample->x[i * D + j] * sample->x[i * D + half + j];
}

/* i and j, i <= j so that causal models can do it. */
lsqnet_status lsq_read_prepare(lsqnet_task *task) {
  int64_t row[2];
  for (int k = 0; k < 2; k++)
    row[k] = (int64_t)((double)task->options.rows * lsq_stream_uniform(fixed_stream(task), LSQ_PART_FIXED, k));
  task->fixed_values[0] = row[0] < row[1] ? row[0] : row[1];
  task->fixed_values[1] = row[0] < row[1] ? row[1] : row[0];
  return LSQNET_OK;
}

void lsq_read_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  const int64_t i = task->fixed_values[0], j = task->fixed_values[1], D = sample->D;
  copy(sample, x);
  copy(sample, target);
  if (j < sample->L) memcpy(target + j * D, sample->x + i * D, (size_t)D * sizeof *target);
}

lsqnet_status lsq_linear_prepare(lsqnet_task *task) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_alloc(task->context, &task->fixed, task->options.dim, sizeof *task->fixed));
  lsq_law_fill(LSQNET_LAW_NORMAL, 0, fixed_stream(task), LSQ_PART_FIXED, task->options.dim, task->fixed);
  for (int64_t j = 0; j < task->options.dim; j++) task->fixed[j] *= 3;
done:
  return st;
}

void lsq_linear_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  lsq_primitive_shape(task, L, shape);
  shape->out_width = shape->scored = 1;
}

void lsq_linear_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  const lsq_problem_work w = lsq_problem_work_of(sample);
  copy(sample, x);
  lsq_rounded_product(task, sample->L, sample->D, sample->x, task->fixed, w.zeros, target, w.r_low);
}
