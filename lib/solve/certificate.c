/* What is known about an answer: its backward error, and how many of its digits are right. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/solver.h"

static const double TRIPLE_ROUNDING = 0x1p-150; /* of the sums that lsq_pass_gradient takes */

/* To the digits of the caller's number type: a certificate is about the answer that is handed out. */
static void round_answer(const lsq_problem *p, double *x) {
  int exponent = 0;
  if (p->solver->precision == DBL_EPSILON) return;
  for (int64_t j = 0; j < p->n; j++) {
    const float digits = (float)frexp(x[j], &exponent);
    x[j] = ldexp((double)digits, exponent);
  }
}

void lsq_certify(const lsq_problem *p, const double *b, const double *b_low, double *x, double *r, double *r_low,
                 double *vectors, lsqnet_report *report) {
  round_answer(p, x);
  lsq_pass_residual(p->solver, p->m, p->n, p->A, p->A_low, x, NULL, b, b_low, r, r_low);
  lsq_pass_gradient(p->solver, p->m, p->n, p->A, p->A_low, r, r_low, vectors, vectors + p->n, p->work);
  const double norm_r = lsq_norm(p->m, r), norm_g = lsq_norm(p->n, vectors);
  const double small = norm_r / (p->norm_A * lsq_norm(p->n, x) + lsq_norm(p->m, b)),
               stationary = norm_g / (p->norm_A * norm_r);
  report->residual_norm = norm_r;
  report->backward_error = norm_r == 0.0 || norm_g == 0.0 ? 0.0 : fmin(small, stationary);
}

void lsq_sharpen_backward_error(const lsq_problem *p, const double *x, const double *gradient, double *part,
                                lsqnet_report *report) {
  const double size = p->norm_A * lsq_norm(p->n, x);
  if (p->factor == NULL || size == 0.0) return;
  lsq_factor_solve_transposed(p->factor, gradient, gradient + p->n, part);
  report->backward_error = fmin(report->backward_error, lsq_norm(p->factor->rank, part) / size);
}

/* |b_i| + sum_j |a_ij x_j|: what a residual is summed up from. */
static double terms_of_row(const lsq_problem *p, const double *b, const double *x, int64_t i) {
  double sum = fabs(b[i]);
  int any = b[i] != 0.0;
  for (int64_t j = 0; j < p->n; j++) {
    sum += fabs(p->A[i * p->n + j] * x[j]);
    any |= p->A[i * p->n + j] != 0.0 && x[j] != 0.0;
  }
  return LSQ_PAIR_ROUNDING * sum + (any ? LSQ_UNDERFLOW : 0.0);
}

/* Of component j, row by row: what does not meet it does not count, however large. */
static double componentwise(const lsq_problem *p, const double *b, const double *x, const double *r, double of_gradient,
                            int64_t j) {
  double *row = p->work, *square = row + p->n, sum = 0.0;
  lsq_factor_inverse_row(p->factor, j, row, square);
  for (int64_t i = 0; i < p->m && !lsq_pass(p->solver, 2 * p->n); i++) {
    double inverse = 0.0, twice = 0.0;
    for (int64_t l = 0; l < p->n; l++) {
      inverse += p->factor->Q[i * p->n + l] * row[l];
      twice += fabs(p->A[i * p->n + l] * square[l]);
    }
    if (inverse != 0.0) sum += fabs(inverse) * terms_of_row(p, b, x, i);
    sum += of_gradient * twice * fabs(r[i]);
  }
  return sum;
}

/* The rows of (A'A)^-1 A' and of (A'A)^-1 take the roundings of r and of A'r to x: row j of R^-1 and 1/sigma_min bound
 * their norms. Where that leaves a component open, it is looked at more closely. */
void lsq_uncertainty(const lsq_problem *p, const double *b, const double *x, const double *r, double residual_norm,
                     double *uncertain) {
  const double data = p->norm_A * lsq_norm(p->n, x) + lsq_norm(p->m, b), gradient = p->norm_A * residual_norm;
  const double inverse = p->factor != NULL ? p->factor->inverse_norm : 1.0 / sqrt(p->op->smallest);
  const int full = p->factor != NULL && p->factor->rank == p->n;
  const double of_gradient = p->rounded ? LSQ_PAIR_ROUNDING : TRIPLE_ROUNDING;
  for (int64_t j = 0; j < p->n; j++) {
    const double row = full ? p->factor->inverse_rows[j] : inverse;
    uncertain[j] = row * (LSQ_PAIR_ROUNDING * data + of_gradient * inverse * gradient);
    if (full && !(uncertain[j] <= 0x1p-10 * p->solver->precision * fabs(x[j])))
      uncertain[j] = fmin(uncertain[j], componentwise(p, b, x, r, of_gradient, j));
  }
}

static int is_open(double x, double uncertain) { return uncertain > 0.0 && fabs(x) <= uncertain; }

/* Whether the columns of open components are orthogonal to b and to the other columns. */
static int open_ones_are_orthogonal(const lsq_problem *p, const double *b, const double *x, const double *uncertain) {
  const int64_t m = p->m, n = p->n;
  for (int64_t j = 0; j < n; j++) {
    if (!is_open(x[j], uncertain[j])) continue;
    if (lsq_pass(p->solver, 16 * m * n)) return 0;
    if (!lsq_is_orthogonal(m, p->A + j, n, b, 1)) return 0;
    for (int64_t l = 0; l < n; l++)
      if (!is_open(x[l], uncertain[l]) && !lsq_is_orthogonal(m, p->A + j, n, p->A + l, n)) return 0;
  }
  return 1;
}

int lsq_settle_zeros(const lsq_problem *p, const double *b, const double *b_low, double *x, double *candidate,
                     double *uncertain) {
  int any = 0;
  for (int64_t j = 0; j < p->n; j++) {
    candidate[j] = is_open(x[j], uncertain[j]) ? 0.0 : x[j];
    any |= is_open(x[j], uncertain[j]);
  }
  if (!any || p->exact == NULL) return 0;
  const int exact = lsq_is_exact(p, b, b_low, candidate), pairs = p->A_low != NULL || b_low != NULL;
  if (!exact && (pairs || !open_ones_are_orthogonal(p, b, x, uncertain))) return 0;
  for (int64_t j = 0; j < p->n; j++)
    if (exact || is_open(x[j], uncertain[j])) uncertain[j] = 0.0;
  memcpy(x, candidate, (size_t)p->n * sizeof *x);
  return 1;
}

double lsq_right_digits(const lsq_problem *p, const double *x, const double *uncertain) {
  const double unit = p->solver->precision;
  double worst = 0.5 * unit;
  for (int64_t j = 0; j < p->n; j++) {
    const double error = 0.5 * unit * fabs(x[j]) + uncertain[j];
    if (!(error <= worst * fabs(x[j]))) worst = fmax(worst, x[j] != 0.0 ? error / fabs(x[j]) : 1.0);
  }
  return fmin(fmax(-log10(worst), 0.0), -log10(0.5 * unit));
}
