/* Outer refinement. r = b - A x and g = A'r are computed in twice the working precision, so a correction d = (A'A)^-1 g
 * that is only roughly right still brings x nearer: with corrections of relative error rho the error falls by rho each
 * time, until x is right to its last digit. What the model gets wrong costs corrections, never digits. x is kept in
 * twice the precision on the way: rounding it after each correction would leave an error in every direction, which
 * corrections by normal equations answer with cond^2 DBL_EPSILON times as much. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/solver.h"

static const double REDUCTION = 1e-8; /* of the inner iterations' residual, for one correction */

static double largest(int64_t n, const double *v) {
  double value = 0.0;
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(v[i]) <= value) && !isnan(value)) value = fabs(v[i]);
  return value;
}

lsqnet_status lsq_correct(const lsq_problem *p, const double *g, const double *g_low, double *d, int64_t *iterations) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_solver_options *options = &p->solver->options;
  if (p->factor != NULL && p->factor->rank < p->n) {
    lsq_least_norm_solve(p->factor, p->unscale, g, g_low, d);
  } else if (p->op == NULL) {
    lsq_factor_solve(p->factor, g, g_low, d);
  } else if (p->factor == NULL) {
    LSQ_TRY(lsq_iterate(p->op, p->method, options->step / (double)p->m, options->iterations, REDUCTION, g, d, p->work,
                        iterations));
  } else {
    double *y = p->work + 4 * p->n, *z = p->work + 5 * p->n;
    lsq_factor_solve_transposed(p->factor, g, g_low, y);
    LSQ_TRY(lsq_iterate(p->op, p->method, 0.0, options->iterations, REDUCTION, y, z, p->work, iterations));
    lsq_factor_solve_plain(p->factor, z, d);
  }
done:
  return st;
}

/* What a correction leaves of an error, as it is made. */
static double left_as_made(const lsq_problem *p) {
  const double iterated = p->op != NULL ? REDUCTION * (p->op->largest / p->op->smallest) : 0.0;
  const double condition = p->factor != NULL ? lsq_factor_condition(p->factor) : 0.0;
  return fmax(iterated, (double)p->n * DBL_EPSILON * condition);
}

/* What the corrections have shown so far. */
typedef struct {
  double ratios[2];    /* of this correction to the last, where both are above rounding level, and of that to its own */
  double made;         /* what a correction leaves as it is made, until three ratios have shown more; below 1 */
  double rate;         /* the largest of the last three ratios, and of `made` before there are so many; 1: not known */
  double size, before; /* largest component of this correction and of the last */
  double scale;        /* largest component of x */
  int64_t seen;        /* number of ratios */
  int64_t slow;        /* corrections in a row that did not halve the last */
  int64_t waited;      /* corrections for the sake of components that vanish beside the largest */
} progress;

/* What all later corrections together would still change where this one has changed `change` and the last `before`. A
 * small change after a slow one may be luck: it is not taken for less than `rate` times the last. Luck it can be where
 * the condition is large: what is wrong along large singular values comes back along small ones, cond^2 DBL_EPSILON
 * times, and may cancel the correction that is due there. */
static double remaining(const progress *now, double change, double before) {
  const double last = fmax(change, now->rate * before);
  if (last == 0.0) return 0.0;
  return now->rate < 1.0 ? now->rate / (1.0 - now->rate) * last : DBL_MAX;
}

/* A component is settled when its correction is within tolerance of it, or of `least` times the largest, and the later
 * ones within a quarter, or when it is at rounding level beside the largest and no longer shrinks. */
static int settled(const lsq_problem *p, const progress *now, double least, const double *x, const double *d,
                   const double *last) {
  const double unit = p->solver->precision, tolerance = fmax(p->solver->options.tolerance, unit);
  for (int64_t j = 0; j < p->n; j++) {
    const double size = fmax(fabs(x[j]), least * now->scale), change = fabs(d[j]), before = fabs(last[j]);
    if (change <= tolerance * size && remaining(now, change, before) <= 0.25 * tolerance * size) continue;
    if (change <= 0x1p-20 * unit * now->scale && change >= 0.25 * before) continue;
    return 0;
  }
  return 1;
}

/* Those that vanish beside the largest may take a few corrections more, or may be made of roundings for ever. */
static int all_settled(const lsq_problem *p, progress *now, const double *x, const double *d, const double *last) {
  enum { PATIENCE = 3 };
  if (!settled(p, now, p->solver->precision, x, d, last)) return 0;
  return settled(p, now, 0.0, x, d, last) || now->waited++ == PATIENCE;
}

static void observe(const lsq_problem *p, progress *now, const double *x, const double *d) {
  now->before = now->size;
  now->size = largest(p->n, d);
  now->scale = largest(p->n, x);
  if (now->before <= 0.0) return;
  const double ratio = now->size / now->before;
  if (now->before > 0x1p-10 * DBL_EPSILON * now->scale) {
    now->rate = fmax(ratio, fmax(now->ratios[0], now->ratios[1]));
    if (now->seen++ < 2) now->rate = fmax(now->rate, now->made);
    now->ratios[1] = now->ratios[0];
    now->ratios[0] = ratio;
  }
  now->slow = ratio <= 0.5 ? 0 : now->slow + 1;
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

/* Whether the sums in twice the precision leave no more open than the tolerance: x may stop changing before it is right
 * where roundings of A'r weigh cond^2 times as much in x. */
static int certain(const lsq_problem *p, const progress *now, const double *x, const double *uncertain) {
  const double tolerance = fmax(p->solver->options.tolerance, p->solver->precision);
  for (int64_t j = 0; j < p->n; j++)
    if (!(uncertain[j] <= tolerance * fmax(fabs(x[j]), 0x1p-20 * now->scale))) return 0;
  return 1;
}

/* A correction of twice the last one's size leads away, unless that was the first: it makes up for the roundings of
 * cond^2 DBL_EPSILON in an answer from A'b, which may as well have cancelled the answer. */
static int leads_away(const progress *now, double size, int64_t corrections) {
  const double most = corrections == 1 ? 1024.0 : 2.0;
  return corrections > 0 && size > most * now->size && size > 64.0 * DBL_EPSILON * now->scale;
}

/* Corrects x + x_low until it is settled, or cannot be. */
static lsqnet_status correct_repeatedly(const lsq_problem *p, const double *b, const double *b_low, double *x,
                                        double *r, double *r_low, double *vectors, progress *now,
                                        lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = p->n;
  double *g = vectors, *g_low = g + n, *d = g_low + n, *last = d + n, *x_low = last + n;
  memset(d, 0, (size_t)n * sizeof(double));
  memset(x_low, 0, (size_t)n * sizeof(double));
  report->stopped = LSQNET_STOP_ITERATIONS;
  while (report->corrections < p->solver->options.corrections) {
    LSQ_TRY(lsq_limits_check(p->solver));
    memcpy(last, d, (size_t)n * sizeof(double));
    lsq_pass_residual(p->solver, p->m, n, p->A, p->A_low, x, x_low, b, b_low, r, r_low);
    lsq_pass_gradient(p->solver, p->m, n, p->A, p->A_low, r, r_low, g, g_low, p->work);
    LSQ_TRY(lsq_limits_found(p->solver));
    LSQ_TRY(lsq_correct(p, g, g_low, d, &report->iterations));
    const double size = largest(n, d);
    if (!(size <= DBL_MAX) || (size == 0.0 && largest(n, g) > DBL_EPSILON * p->norm_A * largest(p->m, r))) {
      report->stopped = LSQNET_STOP_MODEL;
      break;
    }
    if (leads_away(now, size, report->corrections)) {
      now->rate = size / now->size;
      report->stopped = LSQNET_STOP_STAGNATED;
      break;
    }
    add_correction(n, d, x, x_low);
    report->corrections++;
    observe(p, now, x, d);
    if (report->corrections > 1 && all_settled(p, now, x, d, last)) {
      report->stopped = LSQNET_STOP_CONVERGED;
      break;
    }
    if (now->slow >= 4) {
      report->stopped = LSQNET_STOP_STAGNATED;
      break;
    }
  }
done:
  return st;
}

/* What a correction leaves of an error, at most: as the last ones have shown, or as it is made. */
static double left_by_correction(const lsq_problem *p, const progress *now) {
  return now->rate < 1.0 ? fmax(now->rate / (1.0 - now->rate), left_as_made(p)) : 1.0;
}

/* Whether corrections d have become small, and `left` is. */
static int at_rest(const lsq_problem *p, const progress *now, const double *x, const double *d, double left) {
  const double tolerance = fmax(p->solver->options.tolerance, p->solver->precision);
  for (int64_t j = 0; j < p->n; j++) {
    const double enough = tolerance * fmax(fabs(x[j]), 0x1p-20 * now->scale);
    if (!(fabs(d[j]) <= enough && left <= 0.25 * enough)) return 0;
  }
  return 1;
}

/* Where sums in twice the precision leave x (n) open, sums without any rounding may not: corrects x + x_low, of which
 * vectors hold the low part, by them until it is certain, and sets *done and, in uncertain (n), what is left beside the
 * last rounding; else x stays as it is. */
static lsqnet_status correct_exactly(const lsq_problem *p, const double *b, const double *b_low, const progress *now,
                                     double *x, double *vectors, double *uncertain, lsqnet_report *report, int *done) {
  enum { CORRECTIONS = 6 };
  lsqnet_status st = LSQNET_OK;
  const int64_t n = p->n, most = p->solver->options.corrections;
  double *g = vectors, *g_low = g + n, *d = g_low + n, *refined = d + n, *x_low = refined + n;
  double before = 0.0, size = 0.0;
  *done = 0;
  if (p->exact == NULL || (p->factor != NULL && p->factor->rank < n)) return LSQNET_OK;
  double share = left_by_correction(p, now);
  memcpy(refined, x, (size_t)n * sizeof *x);
  for (int i = 0; i < CORRECTIONS && report->corrections < most && share < 0.5 && !*done; i++) {
    LSQ_TRY(lsq_limits_check(p->solver));
    if (!lsq_exact_gradient(p, b, b_low, refined, x_low, g, g_low)) break;
    LSQ_TRY(lsq_correct(p, g, g_low, d, &report->iterations));
    before = size;
    size = largest(n, d);
    if (i > 0 && before > 0x1p-10 * DBL_EPSILON * largest(n, refined)) share = fmax(share, size / before);
    add_correction(n, d, refined, x_low);
    report->corrections++;
    *done = at_rest(p, now, refined, d, share * size);
  }
  for (int64_t j = 0; j < n && *done; j++) {
    x[j] = refined[j];
    uncertain[j] = share * size;
  }
done:
  return st;
}

/* Adds to uncertain (n) what is still to come. A settled component changes by its last correction at most, whatever the
 * rate. */
static void add_remaining(const lsq_problem *p, const progress *now, int converged, const double *vectors,
                          double *uncertain) {
  const double *d = vectors + 2 * p->n, *last = d + p->n;
  for (int64_t j = 0; j < p->n; j++) {
    const double left = remaining(now, fabs(d[j]), fabs(last[j]));
    uncertain[j] += converged ? fmin(left, fabs(d[j])) : left;
  }
}

static int is_zero(const lsq_problem *p, int64_t column) {
  for (int64_t i = 0; i < p->m; i++)
    if (p->A[i * p->n + column] != 0.0 || (p->A_low != NULL && p->A_low[i * p->n + column] != 0.0)) return 0;
  return 1;
}

lsqnet_status lsq_refine(const lsq_problem *p, const double *b, const double *b_low, double *x, double *r,
                         double *r_low, double *vectors, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  double *uncertain = vectors + 5 * p->n, *candidate = vectors + 4 * p->n;
  progress now = {.made = fmin(left_as_made(p), 0.9), .rate = 1.0};
  const int dependent = p->factor != NULL && p->factor->rank < p->n;
  int exactly = 0;
  memset(x, 0, (size_t)p->n * sizeof(double));
  LSQ_TRY(correct_repeatedly(p, b, b_low, x, r, r_low, vectors, &now, report));
  lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  lsq_uncertainty(p, b, x, r, report->residual_norm, uncertain);
  const int nothing = now.scale == 0.0 && report->backward_error == 0.0; /* x = 0, and A'r is */
  const int open = report->stopped == LSQNET_STOP_CONVERGED && !nothing && !certain(p, &now, x, uncertain);
  if (dependent) lsq_least_norm_uncertainty(p->factor, p->unscale, x, uncertain);
  add_remaining(p, &now, report->stopped == LSQNET_STOP_CONVERGED && !open, vectors, uncertain);
  for (int64_t j = 0; j < p->n && dependent; j++) /* such a column has no part in the answer of least norm */
    if (is_zero(p, j)) uncertain[j] = 0.0;
  if (open) LSQ_TRY(correct_exactly(p, b, b_low, &now, x, vectors, uncertain, report, &exactly));
  if (open && !exactly) report->stopped = LSQNET_STOP_STAGNATED;
  const int converged = report->stopped == LSQNET_STOP_CONVERGED;
  if ((!dependent && lsq_settle_zeros(p, b, b_low, x, candidate, uncertain)) || exactly)
    lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  if (converged) lsq_sharpen_backward_error(p, x, vectors, candidate, report);
  if (report->stopped != LSQNET_STOP_MODEL) report->digits = lsq_right_digits(p, x, uncertain);
  report->status = converged ? LSQNET_OK : LSQNET_E_NOT_CONVERGED;
done:
  return st;
}
