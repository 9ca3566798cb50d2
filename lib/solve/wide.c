/* r = b - A x is computed in twice the precision, y is corrected by (R'R)^-1 r, and x = A'y is computed in twice the
 * precision again: x never leaves the space of the rows, where no residual could show it. Since R'R = W'W but for the
 * little that Q's columns are not orthogonal, each correction takes the error down by that much, whatever the condition
 * number, until cond DBL_EPSILON is larger. */
#include "solve/wide.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/pair.h"

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
  for (int64_t i = 0; i < w->m && !lsq_pass(solver, 4 * w->n); i++) take_row(p, w, i);
  for (int64_t j = 0; j < w->n && !lsq_pass(solver, w->m); j++)
    memcpy(w->factor.Q + j * w->m, w->W + j * w->m, (size_t)w->m * sizeof(double));
  LSQ_TRY(lsq_factor_compute(solver, w->n, &w->factor, contradiction));
  for (int64_t j = 0; j < w->n; j++) w->lengths[j] = lsq_norm(w->m, w->factor.Q + j * w->m);
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
static void residual(lsqnet_solver *solver, const lsq_wide *w, const double *x, const double *x_low) {
  double error = 0.0;
  lsq_pass_transposed(solver, w->n, w->m, w->W, w->W_low, x, x_low, w->r, w->r_low);
  for (int64_t i = 0; i < w->m; i++) {
    const double high = lsq_two_sum(w->c[i], -w->r[i], &error);
    w->r[i] = lsq_two_sum(high, w->c_low[i] - w->r_low[i] + error, &w->r_low[i]);
  }
}

/* y + y_low -= d, and x + x_low = -W (y + y_low): y has the other sign, since residuals are all that there is in twice
 * the precision. */
static void correct(lsqnet_solver *solver, const lsq_wide *w, double *x, double *x_low) {
  double error = 0.0;
  lsq_factor_solve(&w->factor, w->r, w->r_low, w->d);
  for (int64_t i = 0; i < w->m; i++) {
    const double sum = lsq_two_sum(w->y[i], -w->d[i], &error);
    w->y[i] = lsq_two_sum(sum, w->y_low[i] + error, &w->y_low[i]);
  }
  lsq_pass_residual(solver, w->n, w->m, w->W, w->W_low, w->y, w->y_low, w->zero, NULL, x, x_low);
}

/* Of component j, equation by equation: row j of Q R^-T, and of each equation what it is summed up from (sizes). */
static double componentwise(const lsq_wide *w, const double *sizes, double *row, int64_t j) {
  double sum = 0.0;
  lsq_factor_solve_plain(&w->factor, w->factor.Q + j * w->m, row);
  for (int64_t i = 0; i < w->m; i++) sum += fabs(row[i]) * sizes[i];
  return sum;
}

/* uncertain (n): what roundings of r, taken to x by W (R'R)^-1 = Q R^-T, and those of W y may leave wrong in x. */
static void bound_roundings(const lsq_problem *p, const lsq_wide *w, const double *x, double *uncertain) {
  const double size = lsq_pass_norm(p->solver, w->n * w->m, w->W) * lsq_norm(w->n, x) + lsq_norm(w->m, w->c);
  double *sizes = w->r, *row = w->r_low;
  for (int64_t i = 0; i < w->m && !lsq_pass(p->solver, w->n); i++) {
    sizes[i] = fabs(w->c[i]);
    for (int64_t j = 0; j < w->n; j++) sizes[i] += fabs(w->W[j * w->m + i] * x[j]);
    if (sizes[i] > 0.0) sizes[i] += LSQ_UNDERFLOW / LSQ_PAIR_ROUNDING;
  }
  for (int64_t j = 0; j < w->n && !lsq_pass(p->solver, w->m * (1 + w->m / 8)); j++) {
    double terms = 0.0, equations = w->lengths[j] * w->factor.inverse_norm * size;
    for (int64_t i = 0; i < w->m; i++) terms += fabs(w->W[j * w->m + i] * w->y[i]);
    if (!(LSQ_PAIR_ROUNDING * equations <= 0x1p-10 * p->solver->precision * fabs(x[j])))
      equations = fmin(equations, componentwise(w, sizes, row, j));
    uncertain[j] = LSQ_PAIR_ROUNDING * (equations + terms);
  }
}

/* The largest change of a component, relative to it; a change that roundings explain is none. */
static double relative_change(int64_t n, const double *x, const double *last, const double *uncertain) {
  double worst = 0.0;
  for (int64_t j = 0; j < n; j++) {
    const double change = fabs(x[j] - last[j]), relative = change / fabs(x[j]);
    if (!(change <= 2.0 * uncertain[j]) && !(relative <= worst)) worst = relative;
  }
  return worst;
}

/* What the corrections have shown. */
typedef struct {
  double change, before; /* by the last correction, and by the one before */
  double ratios[2];      /* of these two, and of the two before */
  double made;           /* what a correction leaves as it is made, until three ratios have shown more; below 1 */
  double rate;           /* the largest of the last three ratios, and of `made` before there are so many */
} progress;

/* What all later corrections together would still change, relative to each component. A small change may be luck, as in
 * refine.c. */
static double remaining(const progress *now) {
  const double last = fmax(now->change, now->rate * now->before);
  return now->rate < 1.0 ? now->rate / (1.0 - now->rate) * last : last > 0.0 ? DBL_MAX : 0.0;
}

static int32_t correct_repeatedly(const lsq_problem *p, lsq_wide *w, double *x, double *x_low, double *last,
                                  double *uncertain, progress *now, int64_t *corrections) {
  lsqnet_solver *solver = p->solver;
  const double tolerance = fmax(p->solver->options.tolerance, p->solver->precision);
  int slow = 0;
  while (*corrections < p->solver->options.corrections) {
    now->before = now->change;
    memcpy(last, x, (size_t)w->n * sizeof(double));
    if (lsq_limits_look(solver, 0)) return LSQNET_STOP_NONE;
    residual(solver, w, x, x_low);
    correct(solver, w, x, x_low);
    bound_roundings(p, w, x, uncertain);
    now->change = relative_change(w->n, x, last, uncertain);
    if (!(now->change <= DBL_MAX)) return LSQNET_STOP_MODEL;
    if (++*corrections == 1) continue;
    const double ratio = now->before > 0.0 ? now->change / now->before : 0.0;
    now->rate = fmax(ratio, fmax(now->ratios[0], now->ratios[1]));
    if (*corrections < 4) now->rate = fmax(now->rate, now->made);
    now->ratios[1] = now->ratios[0];
    now->ratios[0] = ratio;
    if (now->change <= tolerance && remaining(now) <= 0.25 * tolerance) return LSQNET_STOP_CONVERGED;
    slow = ratio <= 0.5 ? 0 : slow + 1;
    if (slow >= 4) return LSQNET_STOP_STAGNATED;
  }
  return LSQNET_STOP_ITERATIONS;
}

/* x and uncertain (n) in the units of A's columns and of b; returns whether a component of x has lost digits to the end
 * of the range. */
static int return_to_units(const lsq_problem *p, int exponent, double *x, double *uncertain) {
  int lost = 0;
  for (int64_t j = 0; j < p->n; j++) {
    const double before = x[j];
    x[j] = ldexp(before / p->unscale[j], exponent);
    uncertain[j] = ldexp(uncertain[j] / p->unscale[j], exponent);
    if (before == 0.0 || fabs(x[j]) >= DBL_MIN) continue;
    uncertain[j] = fmax(uncertain[j], 0x1p-1074);
    lost = 1;
  }
  return lost;
}

void lsq_wide_refine(const lsq_problem *p, lsq_wide *w, const double *b, const double *b_low, double *x, double *r,
                     double *r_low, double *vectors, lsqnet_report *report) {
  double *uncertain = vectors + 2 * w->n, *x_low = vectors + 3 * w->n, *last = vectors + 4 * w->n;
  const double left = (double)w->m * DBL_EPSILON * lsq_factor_condition(&w->factor);
  progress now = {.made = fmin(left, 0.9), .rate = 1.0};
  const int exponent = scale_right_hand_side(w, b, b_low);
  memset(w->y, 0, (size_t)w->m * sizeof(double));
  memset(w->y_low, 0, (size_t)w->m * sizeof(double));
  memset(x, 0, (size_t)w->n * sizeof(double));
  memset(x_low, 0, (size_t)w->n * sizeof(double));
  report->stopped = correct_repeatedly(p, w, x, x_low, last, uncertain, &now, &report->corrections);
  for (int64_t j = 0; j < w->n; j++) uncertain[j] += x[j] != 0.0 ? remaining(&now) * fabs(x[j]) : 0.0;
  if (return_to_units(p, exponent, x, uncertain) && report->stopped == LSQNET_STOP_CONVERGED)
    report->stopped = LSQNET_STOP_STAGNATED;
  lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  if (report->stopped != LSQNET_STOP_MODEL) report->digits = lsq_right_digits(p, x, uncertain);
  report->status = report->stopped == LSQNET_STOP_CONVERGED ? LSQNET_OK : LSQNET_E_NOT_CONVERGED;
}
