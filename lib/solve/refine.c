/* Outer refinement. r = b - A x and g = A'r are computed in twice the working precision, so a correction d = (A'A)^-1 g
 * that is only roughly right still brings x nearer: with corrections of relative error rho the error falls by rho each
 * time, until x is right to its last digit. What the model gets wrong costs corrections, never digits. x is kept in
 * twice the precision on the way: rounding it after each correction would leave an error in every direction, which
 * corrections by normal equations answer with cond^2 DBL_EPSILON times as much. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/compensated.h"
#include "solve/solver.h"

static const double REDUCTION = 1e-8;         /* of the inner iterations' residual, for one correction */
static const double PAIR_ROUNDING = 0x1p-100; /* of compensated sums, with room for their length */

static double largest(int64_t n, const double *v) {
  double value = 0.0;
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(v[i]) <= value)) value = fabs(v[i]);
  return value;
}

static double norm(int64_t n, const double *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  return sqrt(sum);
}

lsqnet_status lsq_correct(const lsq_problem *p, const double *g, double *d, int64_t *iterations) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_solver_options *options = &p->solver->options;
  if (p->min_norm && p->factor->rank < p->n) {
    lsq_factor_solve_min_norm(p->factor, p->unscale, g, d);
  } else if (p->op == NULL) {
    lsq_factor_solve(p->factor, g, d);
  } else if (p->factor == NULL) {
    LSQ_TRY(lsq_iterate(p->op, p->method, options->step, options->iterations, REDUCTION, g, d, p->work, iterations));
  } else {
    double *y = p->work + 4 * p->n, *z = p->work + 5 * p->n;
    lsq_factor_solve_transposed(p->factor, g, y);
    LSQ_TRY(lsq_iterate(p->op, p->method, 0.0, options->iterations, REDUCTION, y, z, p->work, iterations));
    lsq_factor_solve_plain(p->factor, z, d);
  }
done:
  return st;
}

void lsq_certify(const lsq_problem *p, const double *b, const double *b_low, const double *x, double *r, double *r_low,
                 double *vectors, lsqnet_report *report) {
  const struct lsq_kernels_f64 *kernels = p->solver->context->kernels_f64;
  lsq_residual(kernels, p->m, p->n, p->A, p->A_low, p->n, x, NULL, b, b_low, r, r_low);
  lsq_transposed_product(kernels, p->m, p->n, p->A, p->A_low, p->n, r, r_low, vectors, vectors + p->n);
  const double norm_r = norm(p->m, r), norm_g = norm(p->n, vectors);
  const double small = norm_r / (p->norm_A * norm(p->n, x) + norm(p->m, b)), stationary = norm_g / (p->norm_A * norm_r);
  report->residual_norm = norm_r;
  report->backward_error = norm_r > 0.0 ? fmin(small, stationary) : 0.0;
}

/* What the corrections have shown so far. */
typedef struct {
  double rate;         /* worst observed ratio of successive corrections above rounding level */
  double size, before; /* largest component of this correction and of the last */
  double scale;        /* largest component of x */
  int64_t slow;        /* corrections in a row that did not halve the last */
} progress;

/* A component is settled when its correction is within tolerance of it (of DBL_EPSILON times the largest, for one that
 * vanishes beside it), or when it is at rounding level beside the largest and no longer shrinks. */
static int settled(const lsq_problem *p, const progress *now, const double *x, const double *d, const double *last) {
  const double unit = p->solver->precision, tolerance = fmax(p->solver->options.tolerance, unit);
  for (int64_t j = 0; j < p->n; j++) {
    const double size = fmax(fabs(x[j]), unit * now->scale), change = fabs(d[j]);
    if (change <= tolerance * size) continue;
    if (change <= 0x1p-20 * unit * now->scale && change >= 0.25 * fabs(last[j])) continue;
    return 0;
  }
  return 1;
}

static void observe(const lsq_problem *p, progress *now, const double *x, const double *d) {
  now->before = now->size;
  now->size = largest(p->n, d);
  now->scale = largest(p->n, x);
  if (now->before <= 0.0) return;
  const double ratio = now->size / now->before;
  if (now->before > 64.0 * DBL_EPSILON * now->scale) now->rate = fmax(now->rate, ratio);
  now->slow = ratio <= 0.5 ? 0 : now->slow + 1;
}

/* Digits of the worst component: half a unit in the last place for rounding x, what the next corrections would still
 * change, and what the compensated sums leave uncertain behind a condition of 1 / sigma_min. */
static double right_digits(const lsq_problem *p, const progress *now, const double *b, const double *x,
                           const lsqnet_report *report) {
  const double unit = p->solver->precision;
  const double remaining = now->rate < 1.0 ? now->rate / (1.0 - now->rate) * now->size : DBL_MAX;
  double uncertain = 0.0, worst = 0.0;
  if (p->factor != NULL) {
    const double inverse = 1.0 / p->factor->sigma_min;
    const double data = p->norm_A * norm(p->n, x) + norm(p->m, b);
    uncertain = PAIR_ROUNDING * (inverse * data + inverse * inverse * p->norm_A * report->residual_norm);
    if (p->factor->rank < p->n)
      uncertain += 8.0 * (double)p->n * DBL_EPSILON * inverse * p->factor->sigma_max * now->scale;
  }
  for (int64_t j = 0; j < p->n; j++) {
    const double size = fmax(fabs(x[j]), unit * now->scale);
    const double error = 0.5 * unit * fabs(x[j]) + remaining + uncertain;
    if (!(error <= worst * size)) worst = error / size;
  }
  if (worst == 0.0) worst = 0.5 * unit; /* x = 0 */
  return fmin(fmax(-log10(worst), 0.0), -log10(0.5 * unit));
}

/* x + x_low += d (Knuth's two-sum, then renormalised). */
static void add_correction(int64_t n, const double *d, double *x, double *x_low) {
  for (int64_t j = 0; j < n; j++) {
    const double sum = x[j] + d[j], part = sum - x[j];
    const double low = x_low[j] + ((x[j] - (sum - part)) + (d[j] - part));
    x[j] = sum + low;
    x_low[j] = low - (x[j] - sum);
  }
}

lsqnet_status lsq_refine(const lsq_problem *p, const double *b, const double *b_low, double *x, double *r,
                         double *r_low, double *vectors, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  const struct lsq_kernels_f64 *kernels = p->solver->context->kernels_f64;
  double *g = vectors, *g_low = g + p->n, *d = g_low + p->n, *last = d + p->n, *x_low = last + p->n;
  progress now = {0};
  memset(x, 0, (size_t)p->n * sizeof(double));
  memset(d, 0, (size_t)p->n * sizeof(double));
  memset(x_low, 0, (size_t)p->n * sizeof(double));
  report->stopped = LSQNET_STOP_ITERATIONS;
  while (report->corrections < p->solver->options.corrections) {
    memcpy(last, d, (size_t)p->n * sizeof(double));
    lsq_residual(kernels, p->m, p->n, p->A, p->A_low, p->n, x, x_low, b, b_low, r, r_low);
    lsq_transposed_product(kernels, p->m, p->n, p->A, p->A_low, p->n, r, r_low, g, g_low);
    LSQ_TRY(lsq_correct(p, g, d, &report->iterations));
    const double size = largest(p->n, d);
    if (!(size <= DBL_MAX) || (size == 0.0 && largest(p->n, g) > 0.0)) {
      report->stopped = LSQNET_STOP_MODEL;
      break;
    }
    if (report->corrections > 0 && size > 2.0 * now.size && size > 64.0 * DBL_EPSILON * now.scale) { /* no way nearer */
      now.rate = size / now.size;
      report->stopped = LSQNET_STOP_STAGNATED;
      break;
    }
    add_correction(p->n, d, x, x_low);
    report->corrections++;
    observe(p, &now, x, d);
    if (report->corrections > 1 && settled(p, &now, x, d, last)) {
      report->stopped = LSQNET_STOP_CONVERGED;
      break;
    }
    if (now.slow >= 4) {
      report->stopped = LSQNET_STOP_STAGNATED;
      break;
    }
  }
  lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  const int converged = report->stopped == LSQNET_STOP_CONVERGED;
  report->digits = report->stopped == LSQNET_STOP_MODEL ? 0.0 : right_digits(p, &now, b, x, report);
  report->status = converged ? LSQNET_OK : LSQNET_E_NOT_CONVERGED;
done:
  return st;
}
