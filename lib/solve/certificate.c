/* What is known about an answer: its backward error, and how many of its digits are right. */
#include <float.h>
#include <math.h>

#include "kernels/compensated.h"
#include "solve/solver.h"

static const double PAIR_ROUNDING = 0x1p-102; /* of sums in twice the precision, with room for their length */

static double norm(int64_t n, const double *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  return sqrt(sum);
}

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
  const struct lsq_kernels_f64 *kernels = p->solver->context->kernels_f64;
  round_answer(p, x);
  lsq_residual(kernels, p->m, p->n, p->A, p->A_low, p->n, x, NULL, b, b_low, r, r_low);
  lsq_transposed_product(kernels, p->m, p->n, p->A, p->A_low, p->n, r, r_low, vectors, vectors + p->n);
  const double norm_r = norm(p->m, r), norm_g = norm(p->n, vectors);
  const double small = norm_r / (p->norm_A * norm(p->n, x) + norm(p->m, b)), stationary = norm_g / (p->norm_A * norm_r);
  report->residual_norm = norm_r;
  report->backward_error = norm_r == 0.0 || norm_g == 0.0 ? 0.0 : fmin(small, stationary);
}

void lsq_sharpen_backward_error(const lsq_problem *p, const double *x, const double *gradient, double *part,
                                lsqnet_report *report) {
  const double size = p->norm_A * norm(p->n, x);
  if (p->factor == NULL || p->factor->rank < p->n || size == 0.0) return;
  lsq_factor_solve_transposed(p->factor, gradient, gradient + p->n, part);
  report->backward_error = fmin(report->backward_error, norm(p->n, part) / size);
}

/* The rows of (A'A)^-1 A' and of (A'A)^-1 take the roundings of r and of A'r to x: row j of R^-1 and 1/sigma_min bound
 * their norms. */
void lsq_uncertainty(const lsq_problem *p, const double *b, const double *x, double residual_norm, double *uncertain) {
  const double data = p->norm_A * norm(p->n, x) + norm(p->m, b), gradient = p->norm_A * residual_norm;
  const double inverse = p->factor != NULL ? p->factor->inverse_norm : 1.0 / sqrt(p->op->smallest);
  for (int64_t j = 0; j < p->n; j++) {
    const double row = p->factor != NULL && p->factor->rank == p->n ? p->factor->inverse_rows[j] : inverse;
    uncertain[j] = PAIR_ROUNDING * row * (data + inverse * gradient);
  }
}

void lsq_clear_vanishing(const lsq_problem *p, const double *uncertain, double *x) {
  double scale = 0.0;
  for (int64_t j = 0; j < p->n; j++) scale = fmax(scale, fabs(x[j]));
  for (int64_t j = 0; j < p->n; j++)
    if (fabs(x[j]) <= uncertain[j] && fabs(x[j]) <= p->solver->precision * scale) x[j] = 0.0;
}

double lsq_right_digits(const lsq_problem *p, const double *x, const double *uncertain, double remaining) {
  const double unit = p->solver->precision;
  double worst = 0.5 * unit;
  for (int64_t j = 0; j < p->n; j++) {
    const double error = 0.5 * unit * fabs(x[j]) + remaining + uncertain[j];
    if (x[j] != 0.0 && !(error <= worst * fabs(x[j]))) worst = error / fabs(x[j]);
  }
  return fmin(fmax(-log10(worst), 0.0), -log10(0.5 * unit));
}
