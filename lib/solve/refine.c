/* Outer refinement. r = b - A x and g = A'r are computed in twice the working precision, so a correction d = (A'A)^-1 g
 * that is only roughly right still brings x nearer: with corrections of relative error rho the error falls by rho each
 * time, until x is right to its last digit. What the model gets wrong costs corrections, never digits. x is kept in
 * twice the precision on the way: rounding it after each correction would leave an error in every direction, which
 * corrections by normal equations answer with cond^2 DBL_EPSILON times as much. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/solver.h"

static double largest(int64_t n, const double *v) {
  double value = 0.0;
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(v[i]) <= value) && !isnan(value)) value = fabs(v[i]);
  return value;
}

/* Where refinement works: r, r_low (m), the others (n). */
typedef struct {
  double *r, *r_low, *g, *g_low, *d, *last, *x_low, *uncertain, *shares;
} scratch;

static scratch scratch_of(int64_t n, double *r, double *r_low, double *vectors) {
  return (scratch){.r = r,
                   .r_low = r_low,
                   .g = vectors,
                   .g_low = vectors + n,
                   .d = vectors + 2 * n,
                   .last = vectors + 3 * n,
                   .x_low = vectors + 4 * n,
                   .uncertain = vectors + 5 * n,
                   .shares = vectors + 7 * n};
}

/* What the corrections have shown so far. */
typedef struct {
  double ratios[2];    /* of this correction to the last, where both are above rounding level, and of that to its own */
  double made;         /* what a correction leaves as it is made, until three ratios have shown more; below 1 */
  double rate;         /* the largest of the last three ratios, and of `made` before there are so many; 1: not known */
  double size, before; /* largest component of this correction and of the last */
  double scale;        /* largest component of x */
  int64_t seen;        /* number of ratios */
  double halved;       /* size of the last correction that was at most half of the one noted here before */
  double recent;       /* the largest since that one */
  int64_t slow;        /* corrections since that one */
} progress;

/* What all later corrections together would still change, as a vector: a component's own correction may be small by
 * luck while its error is a share of the others'. A small change after a slow one may be luck, too: it is not taken for
 * less than `rate` times the last. Luck it can be where the condition is large: what is wrong along large singular
 * values comes back along small ones, cond^2 DBL_EPSILON times, and may cancel the correction that is due there. */
static double remaining(const progress *now) {
  const double last = fmax(now->size, now->rate * now->before);
  if (last == 0.0) return 0.0;
  return now->rate < 1.0 ? now->rate / (1.0 - now->rate) * last : DBL_MAX;
}

/* A component is settled when its correction is within tolerance of it, or of `least` times the largest, and the later
 * ones within a quarter, or when all are at rounding level beside the largest and no longer shrink. */
static int settled(const lsq_problem *p, const progress *now, double least, const double *x, const double *d,
                   const double *last) {
  const double unit = p->solver->precision, tolerance = fmax(p->solver->options.tolerance, unit);
  const double left = remaining(now);
  const int resting = now->size <= 0x1p-20 * unit * now->scale && now->size >= 0.25 * now->before;
  for (int64_t j = 0; j < p->n; j++) {
    const double size = fmax(fabs(x[j]), least * now->scale), change = fabs(d[j]);
    if (change <= tolerance * size && left <= 0.25 * tolerance * size) continue;
    if (resting && (change <= tolerance * fabs(x[j]) || change >= 0.25 * fabs(last[j]))) continue;
    return 0;
  }
  return 1;
}

/* Those that vanish beside the largest are waited for as long as corrections shrink and are not next to nothing: they
 * may be made of roundings, or be 0. */
static int all_settled(const lsq_problem *p, const progress *now, const double *x, const double *d,
                       const double *last) {
  if (!settled(p, now, p->solver->precision, x, d, last)) return 0;
  return settled(p, now, 0.0, x, d, last) || now->slow >= 2 || now->size <= 0x1p-300 * now->scale;
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
  now->slow++;
  now->recent = fmax(now->recent, now->size);
  if (now->halved == 0.0 || now->size <= 0.5 * now->halved) {
    now->halved = now->recent = now->size;
    now->slow = 0;
  }
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
                                        const scratch *v, progress *now, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = p->n;
  memset(v->d, 0, (size_t)n * sizeof(double));
  memset(v->x_low, 0, (size_t)n * sizeof(double));
  report->stopped = LSQNET_STOP_ITERATIONS;
  while (report->corrections < p->solver->options.corrections) {
    LSQ_TRY(lsq_limits_check(p->solver));
    memcpy(v->last, v->d, (size_t)n * sizeof(double));
    lsq_pass_residual(p->solver, p->m, n, p->A, p->A_low, x, v->x_low, b, b_low, v->r, v->r_low);
    lsq_pass_gradient(p->solver, p->m, n, p->A, p->A_low, v->r, v->r_low, v->g, v->g_low, p->work);
    LSQ_TRY(lsq_limits_found(p->solver));
    LSQ_TRY(lsq_correct(p, v->g, v->g_low, v->d, &report->iterations));
    const double size = largest(n, v->d);
    if (!(size <= DBL_MAX) || (size == 0.0 && largest(n, v->g) > DBL_EPSILON * p->norm_A * largest(p->m, v->r))) {
      report->stopped = LSQNET_STOP_MODEL;
      break;
    }
    if (leads_away(now, size, report->corrections)) {
      now->rate = size / now->size;
      report->stopped = LSQNET_STOP_STAGNATED;
      break;
    }
    add_correction(n, v->d, x, v->x_low);
    report->corrections++;
    observe(p, now, x, v->d);
    if (report->corrections > 1 && all_settled(p, now, x, v->d, v->last)) {
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
static double shown_or_made(const lsq_problem *p, const progress *now) {
  return now->rate < 1.0 ? fmax(now->rate / (1.0 - now->rate), lsq_left_by_correction(p)) : 1.0;
}

/* Whether corrections d have become small, and `left` is. */
static int at_rest(const lsq_problem *p, const double *x, const double *d, double left) {
  const double tolerance = fmax(p->solver->options.tolerance, p->solver->precision), scale = largest(p->n, x);
  for (int64_t j = 0; j < p->n; j++) {
    const double enough = tolerance * fmax(fabs(x[j]), 0x1p-20 * scale);
    if (!(fabs(d[j]) <= enough && left <= 0.25 * enough)) return 0;
  }
  return 1;
}

/* Whether the last correction d changed no more than roundings of sums in twice the precision explain, as where b is
 * orthogonal to the columns but for little. */
static int stagnates_by_roundings(const lsq_problem *p, const lsqnet_report *report, const double *d,
                                  const double *uncertain) {
  if (report->stopped != LSQNET_STOP_STAGNATED) return 0;
  for (int64_t j = 0; j < p->n; j++)
    if (!(fabs(d[j]) <= 2.0 * uncertain[j])) return 0;
  return 1;
}

/* Whether an error of `left` would cost a component of x digits. */
static int would_be_seen(const lsq_problem *p, const double *x, double left) {
  for (int64_t j = 0; j < p->n; j++)
    if (!(left <= 0x1p-5 * p->solver->precision * fabs(x[j]))) return 1;
  return 0;
}

/* Shares of the last correction, instead of an equal one for all of what it may have left: where that would cost
 * digits. r, r_low, g, g_low, d and last are lost then. */
static int measure_shares(const lsq_problem *p, double left, const double *x, const scratch *v) {
  if (!would_be_seen(p, x, left) || p->op != NULL || p->factor->rank < p->n) return 0;
  lsq_correction_shares(p, x, v->r, v->r_low, v->g, v->shares);
  return 1;
}

/* Where sums in twice the precision leave x (n) open, sums without any rounding may not: corrects x + x_low by them
 * until it is certain, and sets *done and uncertain (n) to what is left beside the last rounding; else x stays as it
 * is. What corrections leave is seen anew where they have come to be roundings, and measured where it might cost
 * digits. */
static lsqnet_status correct_exactly(const lsq_problem *p, const double *b, const double *b_low, const progress *now,
                                     double *x, const scratch *v, lsqnet_report *report, int *done) {
  enum { CORRECTIONS = 6 };
  lsqnet_status st = LSQNET_OK;
  const int64_t n = p->n, most = p->solver->options.corrections;
  double *refined = v->last, before = 0.0, size = 0.0;
  *done = 0;
  if (p->exact == NULL || (p->factor != NULL && p->factor->rank < n)) return LSQNET_OK;
  double share = shown_or_made(p, now);
  const int known = share < 0.5;
  if (!known) share = lsq_left_by_correction(p);
  memcpy(refined, x, (size_t)n * sizeof *x);
  for (int i = 0; i < CORRECTIONS && report->corrections < most && share < 0.5 && !*done; i++) {
    LSQ_TRY(lsq_limits_check(p->solver));
    if (!lsq_exact_gradient(p, b, b_low, refined, v->x_low, v->g, v->g_low)) break;
    LSQ_TRY(lsq_correct(p, v->g, v->g_low, v->d, &report->iterations));
    before = size;
    size = largest(n, v->d);
    if (i > 0 && before > 0x1p-10 * DBL_EPSILON * largest(n, refined)) share = fmax(share, size / before);
    add_correction(n, v->d, refined, v->x_low);
    report->corrections++;
    *done = (known || i > 0) && at_rest(p, refined, v->d, share * size);
  }
  if (!*done) goto done;
  memcpy(x, refined, (size_t)n * sizeof *x);
  const int measured = measure_shares(p, size, x, v);
  for (int64_t j = 0; j < n; j++) v->uncertain[j] = measured ? v->shares[j] : share * size;
done:
  return st;
}

/* Adds to uncertain (n), which holds what roundings of sums leave, what is still to come. A settled answer changes by
 * its last correction at most, whatever the rate, and by those roundings, and one that is not by the last ones at
 * least. Returns whether shares were measured. */
static int add_remaining(const lsq_problem *p, const progress *now, int converged, const double *x, const scratch *v) {
  const double moved = fmax(now->size, largest(p->n, v->uncertain));
  const double later = fmax(remaining(now), lsq_left_by_correction(p) * moved);
  const double left = converged ? fmin(later, moved) : fmax(later, fmax(moved, now->recent));
  const int measured = converged && measure_shares(p, left, x, v);
  for (int64_t j = 0; j < p->n; j++) v->uncertain[j] += measured ? v->shares[j] : left;
  return measured;
}

static int is_zero(const lsq_problem *p, int64_t column) {
  for (int64_t i = 0; i < p->m; i++)
    if (p->A[i * p->n + column] != 0.0 || (p->A_low != NULL && p->A_low[i * p->n + column] != 0.0)) return 0;
  return 1;
}

lsqnet_status lsq_refine(const lsq_problem *p, const double *b, const double *b_low, double *x, double *r,
                         double *r_low, double *vectors, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  const scratch v = scratch_of(p->n, r, r_low, vectors);
  double *uncertain = v.uncertain, *candidate = v.x_low;
  progress now = {.made = fmin(lsq_left_by_correction(p), 0.9), .rate = 1.0};
  const int dependent = p->factor != NULL && p->factor->rank < p->n;
  int exactly = 0;
  memset(x, 0, (size_t)p->n * sizeof(double));
  LSQ_TRY(correct_repeatedly(p, b, b_low, x, &v, &now, report));
  lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  lsq_uncertainty(p, b, x, r, report->residual_norm, uncertain);
  const int nothing = now.scale == 0.0 && report->backward_error == 0.0; /* x = 0, and A'r is */
  const int open = (report->stopped == LSQNET_STOP_CONVERGED && !nothing && !certain(p, &now, x, uncertain)) ||
                   stagnates_by_roundings(p, report, v.d, uncertain);
  if (dependent) lsq_least_norm_uncertainty(p->factor, p->unscale, x, uncertain);
  const int measured = add_remaining(p, &now, report->stopped == LSQNET_STOP_CONVERGED && !open, x, &v);
  for (int64_t j = 0; j < p->n && dependent; j++) /* such a column has no part in the answer of least norm */
    if (is_zero(p, j)) uncertain[j] = 0.0;
  if (open) LSQ_TRY(correct_exactly(p, b, b_low, &now, x, &v, report, &exactly));
  if (open) report->stopped = exactly ? LSQNET_STOP_CONVERGED : LSQNET_STOP_STAGNATED;
  const int zeros = !dependent && lsq_settle_zeros(p, b, b_low, x, candidate, uncertain);
  if (zeros && largest(p->n, uncertain) == 0.0) report->stopped = LSQNET_STOP_CONVERGED; /* x is the answer itself */
  const int converged = report->stopped == LSQNET_STOP_CONVERGED;
  if (zeros || exactly || measured) lsq_certify(p, b, b_low, x, r, r_low, vectors, report);
  if (converged) lsq_sharpen_backward_error(p, x, vectors, candidate, report);
  if (report->stopped != LSQNET_STOP_MODEL) report->digits = lsq_right_digits(p, x, uncertain);
  report->status = converged ? LSQNET_OK : LSQNET_E_NOT_CONVERGED;
done:
  return st;
}
