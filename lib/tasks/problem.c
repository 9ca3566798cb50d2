#include "tasks/problem.h"

#include <math.h>

#include "kernels/compensated.h"
#include "tasks/kinds.h"
#include "tasks/singular_values.h"

enum { WORK_VECTORS = 7 };

static int64_t longest(int64_t L, int64_t D) { return L > D ? L : D; }

lsq_sample_room lsq_problem_room_of(const lsqnet_task *task, int64_t a, int64_t x, int64_t rest) {
  const int64_t n = longest(task->options.rows, task->options.dim);
  return (lsq_sample_room){.a = a, .x = x, .vector = n, .work = WORK_VECTORS * n + rest};
}

lsq_sample_room lsq_problem_room(const lsqnet_task *task) {
  const int64_t L = task->options.rows, D = task->options.dim;
  return lsq_problem_room_of(task, L * D, D, task->options.condition > 0 ? lsq_map_singular_values_work(L, D) : 0);
}

lsq_problem_work lsq_problem_work_of(const lsq_sample *sample) {
  const int64_t n = longest(sample->L, sample->D);
  double *w = sample->work;
  return (lsq_problem_work){.zeros = w,
                            .r = w + n,
                            .r_low = w + 2 * n,
                            .g = w + 3 * n,
                            .g_low = w + 4 * n,
                            .y = w + 5 * n,
                            .y_low = w + 6 * n,
                            .rest = w + WORK_VECTORS * n};
}

void lsq_normalise(int64_t n, double *values) {
  double squares = 0;
  for (int64_t i = 0; i < n; i++) squares += values[i] * values[i];
  if (squares == 0) return;
  const double length = sqrt(squares);
  for (int64_t i = 0; i < n; i++) values[i] /= length;
}

static void make_sparse(double sparsity, lsq_stream stream, int64_t count, double *values) {
  for (int64_t i = 0; i < count; i++)
    if (lsq_stream_uniform(stream, LSQ_PART_SPARSITY, i) < sparsity) values[i] = 0;
}

static void map_spectrum(const lsqnet_task_options *o, lsq_sample *sample) {
  const double most = o->singular_max > 0 ? o->singular_max : o->condition;
  lsq_map_singular_values(sample->L, sample->D, sample->a, most / o->condition, most, lsq_problem_work_of(sample).rest);
}

/* In the reference's order: rows, spectrum, scale, and last the columns that a curriculum leaves out. */
void lsq_draw_matrix(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  const lsqnet_task_options *o = &task->options;
  const int64_t L = sample->L, D = sample->D;
  lsq_law_fill(o->law_a, o->freedom, stream, LSQ_PART_A, L * D, sample->a);
  if (o->sparsity > 0) make_sparse(o->sparsity, stream, L * D, sample->a);
  for (int64_t i = 0; o->normalise_rows && i < L; i++) lsq_normalise(D, sample->a + i * D);
  if (o->condition > 0) map_spectrum(o, sample);
  for (int64_t i = 0; o->scale_a != 1 && i < L * D; i++) sample->a[i] *= o->scale_a;
  for (int64_t i = 0; sample->kept < D && i < L; i++)
    for (int64_t j = sample->kept; j < D; j++) sample->a[i * D + j] = 0;
}

void lsq_draw_vector(const lsqnet_task *task, lsq_stream stream, int part, const lsq_sample *sample, double *vector) {
  const lsqnet_task_options *o = &task->options;
  lsq_law_fill(o->law_x, o->freedom, stream, part, sample->D, vector);
  if (o->normalise_x) lsq_normalise(sample->D, vector);
  for (int64_t j = 0; j < sample->D; j++) vector[j] = j < sample->kept ? o->scale_x * vector[j] : 0;
}

void lsq_rounded_product(const lsqnet_task *task, int64_t m, int64_t n, const double *A, const double *x,
                         const double *zeros, double *y, double *low) {
  lsq_residual(task->context->kernels_f64, m, n, A, NULL, n, x, NULL, zeros, NULL, y, low);
  for (int64_t i = 0; i < m; i++) y[i] = 0 - y[i];
}

void lsq_problem_sample(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  const lsq_problem_work w = lsq_problem_work_of(sample);
  lsq_draw_matrix(task, stream, sample);
  lsq_draw_vector(task, stream, LSQ_PART_X, sample, sample->x);
  lsq_draw_vector(task, stream, LSQ_PART_X_INIT, sample, sample->x_init);
  lsq_rounded_product(task, sample->L, sample->D, sample->a, sample->x, w.zeros, sample->b, w.r_low);
}

void lsq_problem_sample_with_velocity(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  lsq_problem_sample(task, stream, sample);
  lsq_draw_vector(task, stream, LSQ_PART_V, sample, sample->v);
}
