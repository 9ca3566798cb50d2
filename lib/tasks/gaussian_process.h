/* Gaussian processes on [-1,1] with mean 0 and covariance exp(-(s - t)^2 / 2v). */
#ifndef LSQ_TASKS_GAUSSIAN_PROCESS_H
#define LSQ_TASKS_GAUSSIAN_PROCESS_H

#include <stdint.h>

double lsq_covariance(double s, double t, double v);

/* F (m,rank) in rows of m numbers: F F' is the covariance of m points to 2^-52 m in each entry, so that c = F z is a
 * draw of the process from `rank` normals z. Such matrices have few eigenvalues above roundings; Cholesky's
 * factorisation with pivots stops there, so that no noise need be added to make it go through. rest (m) is overwritten.
 */
int64_t lsq_covariance_factor(int64_t m, const double *t, double v, double *F, double *rest);

#endif
