/* Steps of iterations on matrices. */
#include <math.h>
#include <string.h>

#include "kernels/compensated.h"
#include "tasks/kinds.h"
#include "tasks/pairs.h"
#include "tasks/problem.h"

lsq_sample_room lsq_newton_schulz_room(const lsqnet_task *task) {
  const int64_t D = task->options.dim;
  return lsq_problem_room_of(task, D * D, D * D, D * D);
}

void lsq_newton_schulz_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  (void)L;
  shape->rows = shape->count = task->options.dim;
  shape->in_width = 2 * task->options.dim;
  shape->out_width = shape->scored = task->options.dim;
}

/* (G + G') scale / (sqrt(2) D^(1/4)): a product of two such matrices has entries of size 1. */
static void draw_symmetric(const lsqnet_task *task, lsq_stream stream, int part, int32_t law, double scale,
                           const lsq_sample *sample, double *out) {
  const int64_t D = sample->D;
  const double factor = scale / sqrt(2 * sqrt((double)D));
  double *G = lsq_problem_work_of(sample).rest;
  lsq_law_fill(law, task->options.freedom, stream, part, D * D, G);
  for (int64_t i = 0; i < D; i++)
    for (int64_t j = 0; j < D; j++)
      out[i * D + j] = i < sample->kept && j < sample->kept ? (G[i * D + j] + G[j * D + i]) * factor : 0;
}

void lsq_newton_schulz_sample(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  const lsqnet_task_options *o = &task->options;
  draw_symmetric(task, stream, LSQ_PART_A, o->law_a, o->scale_a, sample, sample->a);
  draw_symmetric(task, stream, LSQ_PART_X, o->law_x, o->scale_x, sample, sample->x);
}

/* Rows [h_i, x_i]; target row i: X(2I - H X) is symmetric, so its row i is X (2 e_i - H x_i). */
void lsq_newton_schulz_lay_out(const lsqnet_task *task, const lsq_sample *s, double *x, double *target) {
  const struct lsq_kernels_f64 *kernels = task->context->kernels_f64;
  const lsq_problem_work w = lsq_problem_work_of(s);
  const int64_t D = s->D;
  const size_t row = (size_t)D * sizeof *x;
  for (int64_t i = 0; i < D; i++) {
    memcpy(x + 2 * i * D, s->a + i * D, row);
    memcpy(x + (2 * i + 1) * D, s->x + i * D, row);
    memset(w.y, 0, row);
    w.y[i] = 2;
    lsq_residual(kernels, D, D, s->a, NULL, D, s->x + i * D, NULL, w.y, NULL, w.r, w.r_low);
    lsq_transposed_product(kernels, D, D, s->x, NULL, D, w.r, w.r_low, target + i * D, w.g_low);
  }
}

void lsq_power_step_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  shape->rows = L + 1;
  shape->in_width = shape->out_width = shape->scored = task->options.dim;
  shape->first = L;
}

void lsq_power_step_sample(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  lsq_draw_matrix(task, stream, sample);
  lsq_draw_vector(task, stream, LSQ_PART_V, sample, sample->v);
}

/* Rows [a_i], last row [v]; target A'A v / L. */
void lsq_power_step_lay_out(const lsqnet_task *task, const lsq_sample *s, double *x, double *target) {
  const struct lsq_kernels_f64 *kernels = task->context->kernels_f64;
  const lsq_problem_work w = lsq_problem_work_of(s);
  const int64_t L = s->L, D = s->D;
  memcpy(x, s->a, (size_t)(L * D) * sizeof *x);
  memcpy(x + L * D, s->v, (size_t)D * sizeof *x);
  lsq_residual(kernels, L, D, s->a, NULL, D, s->v, NULL, w.zeros, NULL, w.r, w.r_low);
  lsq_transposed_product(kernels, L, D, s->a, NULL, D, w.r, w.r_low, w.g, w.g_low);
  for (int64_t j = 0; j < D; j++) target[j] = 0 - lsq_pair_over((lsq_pair){w.g[j], w.g_low[j]}, L).high;
}
