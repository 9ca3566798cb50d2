/* What is known about an answer from a state: the residual and its gradient from the moments, and from above what these
 * cannot show. With s_j the root of what roundings may have changed in the moment of column j, entry (i,j) may be wrong
 * by s_i s_j, and ||b - A x||^2 by the square of sum_j s_j |x_j|, b being a column of x_j = -1. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/state.h"

static const double DRIFT_TOLD = 0x1p-20; /* of a moment: sizes of columns are known well enough to divide by them */

lsq_pair lsq_state_measure(const lsqnet_state *s, int64_t side, const double *x, const double *x_low, double *sum,
                           double *sum_low) {
  const int64_t n = s->options.n, column = (n + side) * s->stride;
  lsq_pair square = {s->high[column + n + side], s->low[column + n + side]};
  memcpy(sum, s->high + column, (size_t)s->stride * sizeof(double));
  memcpy(sum_low, s->low + column, (size_t)s->stride * sizeof(double));
  s->kernels->subtract_product(n, s->stride, s->high, s->low, x, x_low, sum, sum_low);
  for (int64_t j = 0; j < n; j++) { /* ||b - A x||^2 = b'b - x'A'b - x'A'(b - A x) */
    const lsq_pair by = {x[j], x_low[j]};
    square = lsq_minus_product(square, (lsq_pair){s->high[column + j], s->low[column + j]}, by);
    square = lsq_minus_product(square, (lsq_pair){sum[j], sum_low[j]}, by);
  }
  return square;
}

static double moment(const lsqnet_state *s, int64_t j) { return fmax(s->high[j * s->stride + j], 0.0); }

double lsq_state_rounding(const lsqnet_state *s, int64_t j) {
  return sqrt(s->drift[j] + LSQ_STATE_ROUNDING * (double)(s->options.n + 8) * moment(s, j));
}

/* Of a right-hand side at x, in norm; columns at unit size by powers of two, as solve.c has them. */
typedef struct {
  double A, x, b;         /* A and b from below */
  double residual, least; /* from above, and from below */
  double open;            /* of the residual */
  double gradient;        /* A'r, from above */
  double open_gradient;   /* of A'r, with columns at norm 1 */
  double part, rest; /* r's part in the range of A as the factor has it, and A'r along columns that it leaves out */
  double drift;      /* what roundings may have changed of moments, relative to them, over all columns */
  int known;         /* so is the size of each column */
} sizes;

static double open_residual(const lsqnet_state *s, int64_t side, const double *x) {
  double open = lsq_state_rounding(s, s->options.n + side);
  for (int64_t j = 0; j < s->options.n; j++) open += lsq_state_rounding(s, j) * fabs(x[j]);
  return open;
}

/* e with 2^(e-1) <= root mean square of column j < 2^e. */
static int exponent_of(double square, double rows) {
  int exponent = 0;
  if (square > 0.0) (void)frexp(sqrt(square / rows), &exponent);
  return exponent;
}

/* g + g_low = A'r is overwritten by R^-T A'r. What a column that the factor leaves out has of r beyond what
 * the others have, roundings included, goes to `rest`. */
static void measure_part(const lsqnet_state *s, double *g, double *g_low, sizes *z) {
  const int64_t n = s->options.n, P = s->columns;
  const double *high = s->factor, *low = high + P * P;
  double part = 0.0, rest = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const lsq_pair pivot = {high[i * P + i], low[i * P + i]};
    lsq_pair y = {g[i], g_low[i]};
    for (int64_t l = 0; l < i; l++)
      y = lsq_minus_product(y, (lsq_pair){high[l * P + i], low[l * P + i]}, (lsq_pair){g[l], g_low[l]});
    if (pivot.high > 0.0) {
      y = lsq_quotient(y, pivot);
      part += y.high * y.high;
    } else {
      const double most = fabs(y.high) + s->dropped[i] * z->open, whole = moment(s, i);
      if (whole > 0.0) rest += most * (most / whole);
      y = (lsq_pair){0.0, 0.0};
    }
    g[i] = y.high;
    g_low[i] = y.low;
  }
  z->part = sqrt(part);
  z->rest = sqrt(rest);
}

/* Rows of a ridge are of A too. */
static sizes measure_sizes(const lsqnet_state *s, double ridge, int64_t side, const double *x) {
  const int64_t n = s->options.n;
  const double rows = (double)(s->rows + (ridge > 0.0 ? n : 0)), b_drift = s->drift[n + side];
  double *g = s->work, *g_low = g + s->stride, *x_low = g_low + s->stride;
  double A = 0.0, length = 0.0, gradient = 0.0, open_gradient = 0.0, open_scaled = 0.0;
  sizes z = {.open = open_residual(s, side, x), .b = sqrt(fmax(moment(s, n + side) - b_drift, 0.0)), .known = 1};
  memset(x_low, 0, (size_t)n * sizeof *x_low);
  lsq_pair square = lsq_state_measure(s, side, x, x_low, g, g_low);
  for (int64_t j = 0; j < n; j++) {
    lsq_pair share = {0.0, 0.0};
    share.high = lsq_two_product(ridge, x[j], &share.low);
    const double whole = moment(s, j) + ridge, rounding = lsq_state_rounding(s, j), open = rounding * z.open;
    const int e = exponent_of(whole, rows);
    lsq_pair sum = lsq_minus_product((lsq_pair){g[j], g_low[j]}, share, (lsq_pair){1.0, 0.0});
    square = lsq_minus_product(square, share, (lsq_pair){-x[j], 0.0});
    g[j] = sum.high;
    g_low[j] = sum.low;
    if (s->drift[j] > DRIFT_TOLD * whole) z.known = 0;
    if (whole == 0.0) continue;
    A += ldexp(fmax(whole - s->drift[j], 0.0), -2 * e);
    length += ldexp(x[j], e) * ldexp(x[j], e);
    gradient += ldexp(sum.high, -e) * ldexp(sum.high, -e);
    open_scaled += ldexp(open, -e) * ldexp(open, -e);
    open_gradient += open * (open / whole);
    z.drift += rounding * (rounding / whole);
  }
  z.A = sqrt(A);
  z.x = sqrt(length);
  z.gradient = sqrt(gradient) + sqrt(open_scaled);
  z.open_gradient = sqrt(open_gradient);
  z.residual = fmax(sqrt(fmax(square.high, 0.0) + z.open * z.open), z.open);
  z.least = sqrt(fmax(square.high - z.open * z.open, 0.0));
  return z;
}

/* As in lsq_certify and lsq_sharpen_backward_error, each bound from above. A factor of moments that are wrong by less
 * than 1/cond^2 of themselves is one of A, nearly. */
static double backward_error(const sizes *z, const lsqnet_report *report) {
  const double condition = 2.0 * report->condition; /* which is known within a factor of 2 */
  const double turned = condition * condition * z->drift;
  double error = 1.0;
  if (z->residual == 0.0) return 0.0;
  if (!z->known) return error;
  if (z->gradient == 0.0) return 0.0;
  error = fmin(error, z->residual / (z->A * z->x + z->b));
  if (z->least > 0.0) error = fmin(error, z->gradient / (z->A * z->least));
  if (report->stopped != LSQNET_STOP_CONVERGED || z->x == 0.0 || !(condition > 0.0 && turned <= 0.25)) return error;
  const double part = (z->part + condition * z->open_gradient) / sqrt(1.0 - turned);
  const double rest = z->least > 0.0 ? z->rest / (z->A * z->least) : 0.0;
  return fmin(error, part / (z->A * z->x) + rest);
}

/* With columns at norm 1, what is known of moments with b, its norm or the largest component, over the largest
 * component and over the smallest, which may be 0. */
typedef struct {
  double largest, smallest;
} spread;

static spread spread_of(const lsqnet_state *s, int64_t side, const double *x) {
  double most = 0.0, least = INFINITY;
  for (int64_t j = 0; j < s->options.n; j++) {
    const double size = fabs(x[j]) * sqrt(moment(s, j));
    most = fmax(most, size);
    least = fmin(least, size);
  }
  const double known = fmax(most, sqrt(moment(s, s->options.n + side)));
  return known > 0.0 ? (spread){known / most, known / least} : (spread){1.0, 1.0};
}

static void withdraw(lsqnet_report *report) {
  if (report->status != LSQNET_OK) return;
  report->status = LSQNET_E_NOT_CONVERGED;
  report->stopped = LSQNET_STOP_STAGNATED;
}

/* What the moments' own roundings may have made of a unique answer: cond^2 times their drift, relative to b or to the
 * largest component; those that vanish beside it need not be known that well (refine.c), unless rows kept know them. */
static void admit_drift(const lsqnet_solver *solver, lsqnet_state *s, int64_t side, const double *x,
                        lsqnet_report *report) {
  const double n = (double)s->options.n, condition = fmax(report->condition, 1.0);
  const spread over = spread_of(s, side, x);
  const double weight = n * condition * condition;
  const double wide = s->options.keep_rows ? over.smallest : fmin(over.smallest, 0x1p20 * over.largest);
  const double drift = weight * fmax(lsq_state_drift(s), LSQ_STATE_ROUNDING);
  const double tolerance = fmax(solver->options.tolerance, DBL_EPSILON), error = drift * over.smallest;
  if (error > 0.5 * DBL_EPSILON) report->digits = fmin(report->digits, fmax(-log10(error), 0.0));
  if (report->rank != s->options.n || drift * wide <= tolerance) return;
  if (report->status == LSQNET_OK && 2.0 * weight * lsq_state_fresh_drift(s) * wide <= tolerance) s->drifted = 1;
  withdraw(report);
}

/* As judge_least_norm in solve.c, of moments instead of rows. */
static void judge_least_norm(const lsqnet_solver *solver, const lsqnet_state *s, lsqnet_report *report) {
  const double enough = 10.0 * (double)s->options.n * fmax(solver->options.tolerance, DBL_EPSILON);
  if (report->rank < 0 || report->rank == s->options.n || report->backward_error <= enough) return;
  withdraw(report);
  if (report->rank < s->rows) report->digits = 0.0;
}

void lsq_state_certify(const lsqnet_solver *solver, lsqnet_state *s, int64_t side, lsqnet_report *report) {
  const int64_t n = s->options.n;
  double *x = s->work + 3 * s->stride;
  if (!lsq_has_answer(report)) return;
  for (int64_t j = 0; j < n; j++) x[j] = s->answer[j * s->options.k + side];
  sizes z = measure_sizes(s, solver->options.ridge, side, x);
  measure_part(s, s->work, s->work + s->stride, &z);
  if (s->hidden) report->condition = 0.0;
  report->residual_norm = z.residual;
  report->backward_error = backward_error(&z, report);
  admit_drift(solver, s, side, x, report);
  judge_least_norm(solver, s, report);
  if (!s->hidden) return;
  withdraw(report);
  report->rank = -1;
  report->digits = 0.0;
}
