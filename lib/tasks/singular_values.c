#include "tasks/singular_values.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_SWEEPS = 40 }; /* six to ten are usual */

static int64_t longer(int64_t m, int64_t n) { return m > n ? m : n; }
static int64_t shorter(int64_t m, int64_t n) { return m > n ? n : m; }

int64_t lsq_map_singular_values_work(int64_t m, int64_t n) {
  return shorter(m, n) * (longer(m, n) + shorter(m, n) + 1);
}

static double dot(int64_t n, const double *a, const double *b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void rotate(int64_t n, double *a, double *b, double c, double s) {
  for (int64_t i = 0; i < n; i++) {
    const double old = a[i];
    a[i] = c * old - s * b[i];
    b[i] = s * old + c * b[i];
  }
}

/* Makes rows a and b of U orthogonal, and does the same to V. Returns 0 if they were. */
static int orthogonalise(int64_t p, int64_t q, double *U, double *V, int64_t a, int64_t b) {
  double *ua = U + a * p, *ub = U + b * p;
  const double aa = dot(p, ua, ua), bb = dot(p, ub, ub), ab = dot(p, ua, ub);
  if (!(fabs(ab) > (double)p * DBL_EPSILON * sqrt(aa) * sqrt(bb))) return 0;
  const double zeta = (bb - aa) / (2 * ab);
  const double t = (zeta < 0 ? -1 : 1) / (fabs(zeta) + sqrt(1 + zeta * zeta)), c = 1 / sqrt(1 + t * t);
  rotate(p, ua, ub, c, c * t);
  rotate(q, V + a * q, V + b * q, c, c * t);
  return 1;
}

/* U (q,p) becomes V U with orthogonal rows, V (q,q) orthogonal. */
static void one_sided_jacobi(int64_t p, int64_t q, double *U, double *V) {
  int turned = 1;
  for (int64_t i = 0; i < q * q; i++) V[i] = i % (q + 1) == 0;
  for (int sweep = 0; turned && sweep < MOST_SWEEPS; sweep++) {
    turned = 0;
    for (int64_t a = 0; a + 1 < q; a++)
      for (int64_t b = a + 1; b < q; b++) turned |= orthogonalise(p, q, U, V, a, b);
  }
}

/* Scales the rows of U so that their lengths run from `least` to `most`. */
static void map_lengths(int64_t p, int64_t q, double *U, double *length, double least, double most) {
  double shortest = INFINITY, longest = 0;
  for (int64_t j = 0; j < q; j++) {
    length[j] = sqrt(dot(p, U + j * p, U + j * p));
    shortest = fmin(shortest, length[j]);
    longest = fmax(longest, length[j]);
  }
  const double slope = longest > shortest ? (most - least) / (longest - shortest) : 0;
  for (int64_t j = 0; j < q; j++) {
    const double factor = length[j] > 0 ? (most - (longest - length[j]) * slope) / length[j] : 0;
    for (int64_t i = 0; i < p; i++) U[j * p + i] *= factor;
  }
}

void lsq_map_singular_values(int64_t m, int64_t n, double *A, double least, double most, double *work) {
  const int64_t p = longer(m, n), q = shorter(m, n);
  const int64_t along = m >= n ? n : 1,
                across = m >= n ? 1 : n; /* A as q rows of p numbers, transposed if it is tall */
  double *U = work, *V = U + q * p, *length = V + q * q;
  for (int64_t j = 0; j < q; j++)
    for (int64_t i = 0; i < p; i++) U[j * p + i] = A[i * along + j * across];
  one_sided_jacobi(p, q, U, V);
  map_lengths(p, q, U, length, least, most);
  for (int64_t j = 0; j < q; j++)
    for (int64_t i = 0; i < p; i++) {
      double sum = 0;
      for (int64_t k = 0; k < q; k++) sum += V[k * q + j] * U[k * p + i];
      A[i * along + j * across] = sum;
    }
}
