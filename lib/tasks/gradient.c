/* Tasks whose target is a step of gradient descent on ||A x - b||^2 / 2L: computed on pairs and rounded once. */
#include <string.h>

#include "kernels/compensated.h"
#include "tasks/kinds.h"
#include "tasks/pairs.h"
#include "tasks/problem.h"

enum { LAST_ROW = 0 };

/* T, W and the row that is read are the prompt's; it fits, as creation has checked. */
static void prompt_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  (void)lsq_prompt_shape(task->prompt, L, task->options.dim, &shape->rows, &shape->in_width, &shape->first);
  shape->out_width = shape->scored = task->options.dim;
}

static void lay_out_prompt(const lsqnet_task *task, const lsq_sample *s, double *x) {
  lsq_prompt_fill_f64(task->prompt, s->L, s->D, s->L, s->D, s->a, s->D, s->b, s->x_init, x);
}

static void begin(const lsq_sample *s, const lsq_problem_work *w) {
  memcpy(w->y, s->x_init, (size_t)s->D * sizeof *w->y);
  memset(w->y_low, 0, (size_t)s->D * sizeof *w->y_low);
}

/* (r, r_low) = b - A (y + y_low) and (g, g_low) = A'r: -L times the gradient. */
static void descend(const lsqnet_task *task, const lsq_sample *s, const lsq_problem_work *w) {
  const struct lsq_kernels_f64 *kernels = task->context->kernels_f64;
  lsq_residual(kernels, s->L, s->D, s->a, NULL, s->D, w->y, w->y_low, s->b, NULL, w->r, w->r_low);
  lsq_transposed_product(kernels, s->L, s->D, s->a, NULL, s->D, w->r, w->r_low, w->g, w->g_low);
}

/* step g_j / L */
static lsq_pair step_along(const lsq_problem_work *w, int64_t j, double step, int64_t L) {
  return lsq_pair_over(lsq_pair_times((lsq_pair){w->g[j], w->g_low[j]}, step), L);
}

void lsq_gradient_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  prompt_shape(task, L, shape);
  if (task->options.setting == LAST_ROW) return;
  shape->first = 0;
  shape->count = L;
}

/* Row i: the mean of the gradients of rows 0 .. i. */
static void running_means(const lsq_sample *s, const lsq_problem_work *w, double *target) {
  for (int64_t j = 0; j < s->D; j++) {
    lsq_pair sum = {0, 0};
    for (int64_t i = 0; i < s->L; i++) {
      sum = lsq_pair_add(sum, lsq_pair_times((lsq_pair){w->r[i], w->r_low[i]}, s->a[i * s->D + j]));
      target[i * s->D + j] = 0 - lsq_pair_over(sum, i + 1).high;
    }
  }
}

void lsq_gradient_lay_out(const lsqnet_task *task, const lsq_sample *s, double *x, double *target) {
  const lsq_problem_work w = lsq_problem_work_of(s);
  lay_out_prompt(task, s, x);
  begin(s, &w);
  descend(task, s, &w);
  if (task->options.setting != LAST_ROW) {
    running_means(s, &w, target);
    return;
  }
  for (int64_t j = 0; j < s->D; j++) target[j] = 0 - step_along(&w, j, 1, s->L).high;
}

void lsq_multistep_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) { prompt_shape(task, L, shape); }

void lsq_multistep_lay_out(const lsqnet_task *task, const lsq_sample *s, double *x, double *target) {
  const lsq_problem_work w = lsq_problem_work_of(s);
  lay_out_prompt(task, s, x);
  begin(s, &w);
  for (int64_t k = 0; k < task->options.iterates; k++) {
    descend(task, s, &w);
    for (int64_t j = 0; j < s->D; j++) {
      const lsq_pair y = lsq_pair_add((lsq_pair){w.y[j], w.y_low[j]}, step_along(&w, j, task->options.step, s->L));
      w.y[j] = y.high;
      w.y_low[j] = y.low;
    }
  }
  memcpy(target, w.y, (size_t)s->D * sizeof *target);
}

void lsq_momentum_shape(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  const int64_t D = task->options.dim;
  shape->rows = L + 1;
  shape->in_width = 3 * D + 1;
  shape->out_width = shape->scored = 2 * D;
  shape->first = L;
}

/* Rows [a_i, b_i, 0, 0], last row [0, 0, x, v]; target [x', v'] with v' = beta v - s g(x), x' = x + v'. */
void lsq_momentum_lay_out(const lsqnet_task *task, const lsq_sample *s, double *x, double *target) {
  const lsq_problem_work w = lsq_problem_work_of(s);
  const int64_t L = s->L, D = s->D, W = 3 * D + 1;
  const size_t vector = (size_t)D * sizeof *x;
  memset(x, 0, (size_t)((L + 1) * W) * sizeof *x);
  for (int64_t i = 0; i < L; i++) {
    memcpy(x + i * W, s->a + i * D, vector);
    x[i * W + D] = s->b[i];
  }
  memcpy(x + L * W + D + 1, s->x_init, vector);
  memcpy(x + L * W + 2 * D + 1, s->v, vector);
  begin(s, &w);
  descend(task, s, &w);
  for (int64_t j = 0; j < D; j++) {
    const lsq_pair kept = lsq_pair_times((lsq_pair){s->v[j], 0}, task->options.momentum);
    const lsq_pair velocity = lsq_pair_add(kept, step_along(&w, j, task->options.step, L));
    target[j] = lsq_pair_add((lsq_pair){s->x_init[j], 0}, velocity).high;
    target[D + j] = velocity.high;
  }
}
