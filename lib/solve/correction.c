/* One correction of an answer, and what it leaves of an error. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "solve/solver.h"

static const double REDUCTION = 1e-8; /* of the inner iterations' residual, for one correction */

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

double lsq_left_by_correction(const lsq_problem *p) {
  const double iterated = p->op != NULL ? REDUCTION * (p->op->largest / p->op->smallest) : 0.0;
  const double condition = p->factor != NULL ? lsq_factor_condition(p->factor) : 0.0;
  return fmax(iterated, (double)p->n * DBL_EPSILON * condition);
}

/* What each probe leaves may be 0 by luck, and errors may add up in a way that none of them shows. */
void lsq_correction_shares(const lsq_problem *p, const double *x, double *r, double *r_low, double *vectors,
                           double *shares) {
  enum { PROBES = 3, ROOM = 16 };
  static const double KEPT = 0x1p-106;
  const int64_t n = p->n;
  double *g = vectors, *g_low = g + n, *d = vectors + 2 * n, *error = vectors + 3 * n, *probe = vectors + 6 * n;
  for (int64_t j = 0; j < n; j++) error[j] = fmax(fabs(d[j]), KEPT * fabs(x[j]));
  const int exponent = lsq_scale_exponent(n, error, 1);
  lsq_scale_copy(n, error, 1, -exponent, error, 1);
  lsq_scale_copy(n, d, 1, -exponent, d, 1);
  lsq_factor_roundings(p->factor, error, shares);
  for (int64_t k = 0; k < PROBES; k++) {
    lsq_random_normals(0, (uint64_t)k, 0, n, probe);
    for (int64_t j = 0; j < n; j++) probe[j] = d[j] + probe[j] * ldexp(KEPT * fabs(x[j]), -exponent);
    memset(r, 0, (size_t)p->m * sizeof *r);
    lsq_pass_residual(p->solver, p->m, n, p->A, p->A_low, probe, NULL, r, NULL, r, r_low);
    lsq_pass_gradient(p->solver, p->m, n, p->A, p->A_low, r, r_low, g, g_low, p->work);
    lsq_factor_solve(p->factor, g, g_low, error);
    for (int64_t j = 0; j < n; j++) shares[j] = fmax(shares[j], ROOM * fabs(probe[j] + error[j]));
  }
  lsq_scale_copy(n, shares, 1, exponent, shares, 1);
}
