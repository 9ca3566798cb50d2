/* Tasks whose target is the solution or a right-hand side. */
#include <string.h>

#include "tasks/kinds.h"

enum { NEIGHBOURING = 0 };

void lsq_least_squares_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  const int64_t D = task->options.dim;
  shape->rows = L;
  shape->in_width = D + 1;
  shape->out_width = shape->scored = D;
  shape->first = L - 1;
}

/* Rows [a_i, b_i] for i < L, with b_i for i < known; each `stride` rows apart, b_i in a row of its own where there is
 * room. */
static void lay_out_rows(const lsq_sample *sample, int64_t known, int64_t stride, double *x) {
  const int64_t L = sample->L, D = sample->D, W = D + 1;
  memset(x, 0, (size_t)(((L - 1) * stride + 1) * W) * sizeof *x);
  for (int64_t i = 0; i < L; i++) {
    memcpy(x + i * stride * W, sample->a + i * D, (size_t)D * sizeof *x);
    if (i < known) x[(i * stride + stride - 1) * W + D] = sample->b[i];
  }
}

void lsq_least_squares_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  (void)task;
  lay_out_rows(sample, sample->L, 1, x);
  memcpy(target, sample->x, (size_t)sample->D * sizeof *target);
}

void lsq_least_squares_icl_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  const int64_t D = task->options.dim;
  shape->in_width = shape->out_width = D + 1;
  shape->scored_first = D;
  if (task->options.setting == NEIGHBOURING) {
    shape->rows = 2 * L - 1;
    shape->stride = 2;
    shape->count = L;
  } else {
    shape->rows = L;
    shape->first = L - 1;
  }
}

void lsq_least_squares_icl_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  const int64_t L = sample->L;
  const int neighbouring = task->options.setting == NEIGHBOURING;
  lay_out_rows(sample, L - 1, neighbouring ? 2 : 1, x);
  if (neighbouring)
    memcpy(target, sample->b, (size_t)L * sizeof *target);
  else
    target[0] = sample->b[L - 1];
}
