/* Chebyshev collocation on [-1,1]: functions by their values at t_k = cos(pi k / N), k = 0 .. N. */
#ifndef LSQ_TASKS_COLLOCATION_H
#define LSQ_TASKS_COLLOCATION_H

#include <stdint.h>

/* t (N+1), from 1 down to -1. */
void lsq_chebyshev_points(int64_t N, double *t);

/* C (N+1,N+1): the values of f' are C times those of f, for polynomials of degree N. */
void lsq_chebyshev_differentiation(int64_t N, const double *t, double *C);

/* w (N+1): f(at) = sum_k w_k f(t_k), by the barycentric formula. */
void lsq_chebyshev_interpolation(int64_t N, const double *t, double at, double *w);

/* u' = a1 c + a2 c u + a3 u + a4 with u(0) = u0. */
typedef struct {
  double a1, a2, a3, a4;
} lsq_ode;

/* The collocation matrix of an equation, C - diag(a2 c + a3), whose middle row says u(0); factored by Gaussian
 * elimination with row exchanges. N is even; factors (N+1,N+1), pivots (N+1). */
void lsq_ode_factor(int64_t N, const double *C, const lsq_ode *ode, const double *c, double *factors, double *pivots);

/* u (N+1) at the points, from the factors. */
void lsq_ode_solve(int64_t N, const lsq_ode *ode, const double *c, double u0, const double *factors,
                   const double *pivots, double *u);

#endif
