/* In-context ODEs: from examples (c, u0) -> u(t*) of one equation to the next. */
#include <string.h>

#include "tasks/collocation.h"
#include "tasks/elementary.h"
#include "tasks/gaussian_process.h"
#include "tasks/kinds.h"

enum { N = 40, NODES = N + 1 }; /* collocation points */
enum { EQUISPACED = 0, RANDOM = 1, CHEBYSHEV = 2 };
enum { WITHOUT_A2 = 1, WITHOUT_A1 = 2 };

/* All points: those of the collocation, then those where the model sees c. */
static int64_t all_points(const lsqnet_task *task) { return NODES + task->options.points; }

/* Drawn or computed once: points t, C, and the factor of the covariance unless points are random. */
typedef struct {
  double *t, *C, *F;
} fixed_parts;

static fixed_parts fixed_of(const lsqnet_task *task) {
  double *t = task->fixed, *C = t + all_points(task);
  return (fixed_parts){t, C, C + NODES * NODES};
}

/* A sample's work. */
typedef struct {
  double *normals, *t, *F, *rest; /* all points; t, F and rest for random ones */
  double *factors, *pivots, *u, *weights;
} work_parts;

static work_parts work_of(const lsqnet_task *task, const lsq_sample *sample) {
  const int64_t m = all_points(task);
  work_parts w;
  w.normals = sample->work;
  w.t = w.normals + m;
  w.rest = w.t + m;
  w.F = w.rest + m;
  w.factors = w.F + m * m;
  w.pivots = w.factors + NODES * NODES;
  w.u = w.pivots + NODES;
  w.weights = w.u + NODES;
  return w;
}

lsq_sample_room lsq_ode_room(const lsqnet_task *task) {
  const int64_t m = all_points(task), L = task->options.rows;
  return (lsq_sample_room){.a = L * m, .x = L, .vector = L, .work = m * (m + 3) + NODES * (NODES + 3)};
}

static double point(const lsqnet_task_options *o, lsq_stream stream, int64_t k) {
  if (o->ode_points == RANDOM) return 2 * lsq_stream_uniform(stream, LSQ_PART_POINTS, k) - 1;
  if (o->points == 1) return -1;
  if (o->ode_points == CHEBYSHEV) return lsq_cosine_of_pi(k, o->points - 1);
  return (double)(2 * k - (o->points - 1)) / (double)(o->points - 1);
}

lsqnet_status lsq_ode_prepare(lsqnet_task *task) {
  lsqnet_status st = LSQNET_OK;
  const int64_t m = all_points(task);
  double *rest = NULL;
  LSQ_TRY(lsq_alloc(task->context, &task->fixed, m + NODES * NODES + m * m, sizeof *task->fixed));
  const fixed_parts fixed = fixed_of(task);
  lsq_chebyshev_points(N, fixed.t);
  lsq_chebyshev_differentiation(N, fixed.t, fixed.C);
  if (task->options.ode_points == RANDOM) goto done;
  LSQ_TRY(lsq_alloc(task->context, &rest, m, sizeof *rest));
  for (int64_t k = 0; k < task->options.points; k++) fixed.t[NODES + k] = point(&task->options, (lsq_stream){0, 0}, k);
  task->fixed_values[0] = lsq_covariance_factor(m, fixed.t, task->options.ode_variance, fixed.F, rest);
done:
  lsq_free(task->context, rest);
  return st;
}

/* Rows of sample->a: forcings at all points. */
static void draw_forcings(const lsqnet_task *task, lsq_stream stream, const lsq_sample *sample, const work_parts *w) {
  const int64_t m = all_points(task), L = sample->L;
  const fixed_parts fixed = fixed_of(task);
  const double *F = fixed.F;
  int64_t rank = task->fixed_values[0];
  if (task->options.ode_points == RANDOM) {
    memcpy(w->t, fixed.t, NODES * sizeof *w->t);
    for (int64_t k = 0; k < task->options.points; k++) w->t[NODES + k] = point(&task->options, stream, k);
    rank = lsq_covariance_factor(m, w->t, task->options.ode_variance, w->F, w->rest);
    F = w->F;
  }
  lsq_law_fill(LSQNET_LAW_NORMAL, 0, stream, LSQ_PART_A, L * m, sample->a);
  for (int64_t i = 0; i < L; i++) {
    double *c = sample->a + i * m;
    memcpy(w->normals, c, (size_t)rank * sizeof *c);
    for (int64_t p = 0; p < m; p++) {
      c[p] = 0;
      for (int64_t k = 0; k < rank; k++) c[p] += F[p * m + k] * w->normals[k];
    }
  }
}

static lsq_ode draw_equation(const lsqnet_task_options *o, lsq_stream stream) {
  double u[4];
  for (int k = 0; k < 4; k++) u[k] = 2 * lsq_stream_uniform(stream, LSQ_PART_COEFFICIENTS, k) - 1;
  return (lsq_ode){.a1 = o->ode_class == WITHOUT_A1 ? 0 : 1 + o->ode_spread / 2 * u[0],
                   .a2 = o->ode_class == WITHOUT_A2 ? 0 : 1 + o->ode_spread / 2 * u[1],
                   .a3 = o->ode_spread * u[2],
                   .a4 = o->ode_spread * u[3]};
}

/* x: initial values; b: u(t*); v: the same with noise. */
void lsq_ode_sample(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample) {
  const lsqnet_task_options *o = &task->options;
  const fixed_parts fixed = fixed_of(task);
  const work_parts w = work_of(task, sample);
  const int64_t m = all_points(task), L = sample->L;
  const lsq_ode ode = draw_equation(o, stream);
  draw_forcings(task, stream, sample, &w);
  lsq_chebyshev_interpolation(N, fixed.t, 2 * lsq_stream_uniform(stream, LSQ_PART_COEFFICIENTS, 4) - 1, w.weights);
  lsq_law_fill(LSQNET_LAW_NORMAL, 0, stream, LSQ_PART_NOISE, L, sample->v);
  for (int64_t i = 0; i < L; i++) {
    const double *c = sample->a + i * m;
    sample->x[i] = o->ode_initial * (2 * lsq_stream_uniform(stream, LSQ_PART_X, i) - 1);
    if (i == 0 || ode.a2 != 0) lsq_ode_factor(N, fixed.C, &ode, c, w.factors, w.pivots);
    lsq_ode_solve(N, &ode, c, sample->x[i], w.factors, w.pivots, w.u);
    sample->b[i] = 0;
    for (int64_t k = 0; k <= N; k++) sample->b[i] += w.weights[k] * w.u[k];
    sample->v[i] = sample->b[i] + o->ode_noise * sample->v[i];
  }
}

void lsq_ode_icl_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  shape->rows = 2 * L - 1;
  shape->in_width = task->options.points + 3;
  shape->stride = 2;
  shape->count = L;
}

void lsq_ode_icl_final_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  shape->rows = L;
  shape->in_width = task->options.points + 3;
  shape->first = L - 1;
}

/* Rows [c(t_1 .. t_n), u0, 1, u] of L examples, `stride` rows apart, u in a row of its own where there is room; the
 * last u is missing. */
static void lay_out_examples(const lsqnet_task *task, const lsq_sample *sample, int64_t stride, double *x) {
  const int64_t n = task->options.points, m = all_points(task), L = sample->L, W = n + 3;
  memset(x, 0, (size_t)(((L - 1) * stride + 1) * W) * sizeof *x);
  for (int64_t i = 0; i < L; i++) {
    double *row = x + i * stride * W;
    memcpy(row, sample->a + i * m + NODES, (size_t)n * sizeof *row);
    row[n] = sample->x[i];
    row[n + 1] = 1;
    if (i < L - 1) row[(stride - 1) * W + n + 2] = sample->v[i];
  }
}

void lsq_ode_icl_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  lay_out_examples(task, sample, 2, x);
  memcpy(target, sample->b, (size_t)sample->L * sizeof *target);
}

void lsq_ode_icl_final_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target) {
  lay_out_examples(task, sample, 1, x);
  target[0] = sample->b[sample->L - 1];
}
