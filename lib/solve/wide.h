/* Fewer equations than unknowns, none of them dependent on others: of all x with A x = b the shortest is A'y, where
 * A A'y = b. The equations, at unit size, are the columns of a tall matrix W, which factor.c takes apart: W = Q R. */
#ifndef LSQ_SOLVE_WIDE_H
#define LSQ_SOLVE_WIDE_H

#include "solve/solver.h"

typedef struct lsq_wide {
  int64_t m, n;      /* of A; m < n */
  double *W, *W_low; /* (n,m): A' in the caller's units, but for a common factor, and each column by a power of two */
  double *exponents; /* (m): column i of W is row i of A times 2^exponents_i */
  double *lengths;   /* (n): of the rows of Q */
  double *zero;      /* (n) */
  double *y, *y_low, *c, *c_low, *d, *r, *r_low; /* (m) each */
  lsq_factor factor;                             /* of W */
} lsq_wide;

/* Fills W and factors it. factor.rank is less than m if equations depend on each other; *contradiction as in
 * lsq_factor_compute. All arrays are given. */
lsqnet_status lsq_wide_prepare(lsqnet_solver *solver, const lsq_problem *problem, lsq_wide *wide, int *contradiction);

/* As lsq_refine, for such a problem of full rank: x (n) is for A with columns at unit size. */
void lsq_wide_refine(const lsq_problem *problem, lsq_wide *wide, const double *b, const double *b_low, double *x,
                     double *r, double *r_low, double *vectors, lsqnet_report *report);

#endif
