#include "tasks/gaussian_process.h"

#include <float.h>
#include <math.h>

#include "tasks/elementary.h"

double lsq_covariance(double s, double t, double v) { return lsq_exponential(-(s - t) * (s - t) / (2 * v)); }

static int64_t largest(int64_t m, const double *values) {
  int64_t at = 0;
  for (int64_t i = 1; i < m; i++)
    if (values[i] > values[at]) at = i;
  return at;
}

int64_t lsq_covariance_factor(int64_t m, const double *t, double v, double *F, double *rest) {
  for (int64_t i = 0; i < m; i++) rest[i] = 1; /* variances that are not yet explained */
  for (int64_t k = 0; k < m; k++) {
    const int64_t p = largest(m, rest);
    if (!(rest[p] > (double)m * DBL_EPSILON)) return k;
    const double deviation = sqrt(rest[p]);
    for (int64_t i = 0; i < m; i++) {
      double covariance = lsq_covariance(t[i], t[p], v);
      for (int64_t l = 0; l < k; l++) covariance -= F[i * m + l] * F[p * m + l];
      F[i * m + k] = i == p ? deviation : covariance / deviation;
      if (i != p) rest[i] -= F[i * m + k] * F[i * m + k];
    }
    rest[p] = 0;
  }
  return m;
}
