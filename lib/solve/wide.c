/* r = b - A x is computed in twice the precision, y is corrected by (R'R)^-1 r, and x = A'y is computed in twice the
 * precision again: x never leaves the space of the rows, where no residual could show it. Since R'R = W'W but for the
 * little that Q's columns are not orthogonal, each correction takes the error down by that much, whatever the condition
 * number, until cond DBL_EPSILON is larger. */
#include "solve/wide.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/compensated.h"
#include "kernels/pair.h"

static const double PAIR_ROUNDING = 0x1p-102; /* as in certificate.c */

static double norm(int64_t n, const double *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  return sqrt(sum);
}

/* Row i of A, whose columns are at unit size, as column i of W. */
static void take_row(const lsq_problem *p, lsq_wide *w, int64_t i) {
  const int64_t m = w->m, n = w->n;
  for (int64_t j = 0; j < n; j++) w->W[j * m + i] = p->A[i * n + j] / p->unscale[j];
  const int exponent = -lsq_scale_exponent(n, w->W + i, m);
  lsq_scale_copy(n, w->W + i, m, exponent, w->W + i, m);
  w->exponents[i] = exponent;
  for (int64_t j = 0; j < n && w->W_low != NULL; j++)
    w->W_low[j * m + i] = ldexp(p->A_low[i * n + j] / p->unscale[j], exponent);
}

lsqnet_status lsq_wide_prepare(lsqnet_solver *solver, const lsq_problem *p, lsq_wide *w, int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  memset(w->zero, 0, (size_t)w->n * sizeof(double));
  for (int64_t i = 0; i < w->m; i++) take_row(p, w, i);
  memcpy(w->factor.Q, w->W, (size_t)(w->m * w->n) * sizeof(double));
  LSQ_TRY(lsq_factor_compute(solver, w->n, &w->factor, contradiction));
  for (int64_t j = 0; j < w->n; j++) w->lengths[j] = norm(w->m, w->factor.Q + j * w->m);
done:
  return st;
}

/* c = b in the units of W's columns, times 2^-exponent, which is returned: around 1. */
static int scale_right_hand_side(lsq_wide *w, const double *b, const double *b_low) {
  int largest = INT16_MIN, exponent = 0;
  for (int64_t i = 0; i < w->m; i++) {
    if (b[i] == 0.0) continue;
    (void)frexp(b[i], &exponent);
    if (exponent + (int)w->exponents[i] > largest) largest = exponent + (int)w->exponents[i];
  }
  if (largest == INT16_MIN) largest = 0;
  for (int64_t i = 0; i < w->m; i++) {
    w->c[i] = ldexp(b[i], (int)w->exponents[i] - largest);
    w->c_low[i] = b_low != NULL ? ldexp(b_low[i], (int)w->exponents[i] - largest) : 0.0;
  }
  return largest;
}

/* r = c - W'(x + x_low). */
static void residual(const struct lsq_kernels_f64 *kernels, const lsq_wide *w, const double *x, const double *x_low) {
  double error = 0.0;
  lsq_transposed_product(kernels, w->n, w->m, w->W, w->W_low, w->m, x, x_low, w->r, w->r_low);
  for (int64_t i = 0; i < w->m; i++) {
    const double high = lsq_two_sum(w->c[i], -w->r[i], &error);
    w->r[i] = lsq_two_sum(high, w->c_low[i] - w->r_low[i] + error, &w->r_low[i]);
  }
}

/* y + y_low -= d, and x + x_low = -W (y + y_low): y has the other sign, since residuals are all that there is in twice
 * the precision. */
static void correct(const struct lsq_kernels_f64 *kernels, const lsq_wide *w, double *x, double *x_low) {
  double error = 0.0;
  lsq_factor_solve(&w->factor, w->r, w->r_low, w->d);
  for (int64_t i = 0; i < w->m; i++) {
    const double sum = lsq_two_sum(w->y[i], -w->d[i], &error);
    w->y[i] = lsq_two_sum(sum, w->y_low[i] + error, &w->y_low[i]);
  }
  lsq_residual(kernels, w->n, w->m, w->W, w->W_low, w->m, w->y, w->y_low, w->zero, NULL, x, x_low);
}

/* uncertain (n): what roundings of r, taken to x by W (R'R)^-1 = Q R^-T, and those of W y may leave wrong in x. */
static void bound_roundings(const lsq_wide *w, const double *x, double *uncertain) {
  const double size = norm(w->n * w->m, w->W) * norm(w->n, x) + norm(w->m, w->c);
  for (int64_t j = 0; j < w->n; j++) {
    double terms = 0.0;
    for (int64_t i = 0; i < w->m; i++) terms += fabs(w->W[j * w->m + i] * w->y[i]);
    uncertain[j] = PAIR_ROUNDING * (w->lengths[j] * w->factor.inverse_norm * size + terms);
  }
}

static double largest(int64_t n, const double *v) {
  double value = 0.0;
  for (int64_t i = 0; i < n; i++) value = fmax(value, fabs(v[i]));
  return value;
}

/* The largest change of a component, relative to it (to DBL_EPSILON times the largest, for one that vanishes beside
 * it); a change that roundings explain is none. */
static double relative_change(const lsq_problem *p, int64_t n, const double *x, const double *last,
                              const double *uncertain) {
  const double scale = largest(n, x);
  double worst = 0.0;
  for (int64_t j = 0; j < n; j++) {
    const double change = fabs(x[j] - last[j]), relative = change / fmax(fabs(x[j]), p->solver->precision * scale);
    if (!(change <= 2.0 * uncertain[j]) && !(relative <= worst)) worst = relative;
  }
  return worst;
}

/* What the corrections have shown: the last one, and by how much it was smaller than the one before. */
typedef struct {
  double change, rate;
} progress;

/* What all later corrections together would still change, relative to each component. */
static double remaining(const progress *now) {
  return now->rate < 1.0 ? now->rate / (1.0 - now->rate) * now->change : DBL_MAX;
}

static int32_t correct_repeatedly(const lsq_problem *p, lsq_wide *w, double *x, double *x_low, double *last,
                                  double *uncertain, progress *now, int64_t *corrections) {
  const struct lsq_kernels_f64 *kernels = p->solver->context->kernels_f64;
  const double tolerance = fmax(p->solver->options.tolerance, p->solver->precision);
  int slow = 0;
  while (*corrections < p->solver->options.corrections) {
    const double before = now->change;
    memcpy(last, x, (size_t)w->n * sizeof(double));
    residual(kernels, w, x, x_low);
    correct(kernels, w, x, x_low);
    bound_roundings(w, x, uncertain);
    now->change = relative_change(p, w->n, x, last, uncertain);
    if (!(now->change <= DBL_MAX)) return LSQNET_STOP_MODEL;
    if (++*corrections == 1) continue;
    now->rate = before > 0.0 ? now->change / before : 0.0;
    if (now->change <= tolerance && remaining(now) <= 0.25 * tolerance) return LSQNET_STOP_CONVERGED;
    slow = now->rate <= 0.5 ? 0 : slow + 1;
    if (slow >= 4) return LSQNET_STOP_STAGNATED;
  }
  return LSQNET_STOP_ITERATIONS;
}

void lsq_wide_refine(const lsq_problem *p, lsq_wide *w, const double *b, const double *b_low, double *x, double *r,
                     double *r_low, double *vectors, lsqnet_report *report) {
  double *uncertain = vectors + 2 * w->n, *x_low = vectors + 3 * w->n, *last = vectors + 4 * w->n;
  progress now = {.rate = 1.0};
  const int exponent = scale_right_hand_side(w, b, b_low);
  memset(w->y, 0, (size_t)w->m * sizeof(double));
  memset(w->y_low, 0, (size_t)w->m * sizeof(double));
  memset(x, 0, (size_t)w->n * sizeof(double));
  memset(x_low, 0, (size_t)w->n * sizeof(double));
  report->stopped = correct_repeatedly(p, w, x, x_low, last, uncertain, &now, &report->corrections);
  const double scale = largest(w->n, x);
  for (int64_t j = 0; j < w->n; j++) uncertain[j] += remaining(&now) * fmax(fabs(x[j]), p->solver->precision * scale);
  for (int64_t j = 0; j < w->n; j++) {
    x[j] = ldexp(x[j] / p->unscale[j], exponent);
    uncertain[j] = ldexp(uncertain[j] / p->unscale[j], exponent);
  }
  lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  lsq_clear_vanishing(p, uncertain, x);
  if (report->stopped != LSQNET_STOP_MODEL) report->digits = lsq_right_digits(p, x, uncertain, 0.0);
  report->status = report->stopped == LSQNET_STOP_CONVERGED ? LSQNET_OK : LSQNET_E_NOT_CONVERGED;
}
