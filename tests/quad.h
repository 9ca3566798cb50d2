/* An oracle for least squares in quadruple precision: column-pivoted Householder QR, and a second QR of R' for the
 * answer of least norm. Its own errors are about cond^2 2^-112 of x; of full rank, where nothing is negligible, sums in
 * pairs of quads then correct it to quad precision. */
#ifndef LSQ_TESTS_QUAD_H
#define LSQ_TESTS_QUAD_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#if LDBL_MANT_DIG >= 113
typedef long double quad;
#else
__extension__ typedef __float128 quad;
#endif

static inline quad quad_abs(quad v) { return v < 0 ? -v : v; }

/* v 2^exponent */
static inline quad quad_scale(quad v, int exponent) {
  const quad up = 0x1p1000, down = 0x1p-1000;
  for (; exponent > 1000; exponent -= 1000) v *= up;
  for (; exponent < -1000; exponent += 1000) v *= down;
  return v * ldexp(1.0, exponent);
}

/* Newton from the double root; the argument is brought into double's range first. */
static inline quad quad_sqrt(quad v) {
  int exponent = 0;
  if (!(v > 0)) return v;
  for (; v > (quad)0x1p500; v *= (quad)0x1p-500) exponent += 250;
  for (; v < (quad)0x1p-500; v *= (quad)0x1p500) exponent -= 250;
  quad root = sqrt((double)v);
  for (int step = 0; step < 3; step++) root = (root + v / root) / 2;
  return quad_scale(root, exponent);
}

/* Norm of `count` values at distance `stride`. */
static inline quad quad_norm(int64_t count, const quad *v, int64_t stride) {
  quad sum = 0;
  for (int64_t i = 0; i < count; i++) sum += v[i * stride] * v[i * stride];
  return quad_sqrt(sum);
}

/* A (m,n) and B (m,k), row-major, become R and Q'B. order (n): column of A at each place; columns are chosen by what
 * is left of them relative to `norms` (n), which may be NULL for no pivoting. Stops at a column of which less than
 * `negligible` is left, and returns how many came before it. */
static inline int64_t quad_factor(int64_t m, int64_t n, int64_t k, quad *A, quad *B, int64_t *order, const quad *norms,
                                  quad negligible) {
  for (int64_t j = 0; j < n; j++) order[j] = j;
  for (int64_t s = 0; s < n; s++) {
    int64_t best = s;
    quad most = -1;
    if (s == m) return s;
    for (int64_t j = s; norms != NULL && j < n; j++) {
      const quad size = norms[order[j]], left = size > 0 ? quad_norm(m - s, A + s * n + j, n) / size : 0;
      if (left > most) {
        most = left;
        best = j;
      }
    }
    if (norms != NULL && !(most > negligible)) return s;
    for (int64_t i = 0; i < m; i++) {
      const quad old = A[i * n + s];
      A[i * n + s] = A[i * n + best];
      A[i * n + best] = old;
    }
    const int64_t column = order[s];
    order[s] = order[best];
    order[best] = column;
    /* the reflection I - v v' / beta, v in place of the column */
    quad norm = quad_norm(m - s, A + s * n + s, n);
    if (norm == 0) continue;
    if (A[s * n + s] > 0) norm = -norm;
    const quad beta = norm * (norm - A[s * n + s]);
    A[s * n + s] -= norm;
    for (int64_t j = s + 1; j < n + k; j++) {
      quad *const column_j = j < n ? A + j : B + (j - n), product = 0;
      const int64_t ld = j < n ? n : k;
      for (int64_t i = s; i < m; i++) product += A[i * n + s] * column_j[i * ld];
      for (int64_t i = s; i < m; i++) column_j[i * ld] -= product / beta * A[i * n + s];
    }
    A[s * n + s] = norm;
    for (int64_t i = s + 1; i < m; i++) A[i * n + s] = 0;
  }
  return n;
}

static inline quad *quad_array(int64_t count) {
  quad *array = calloc((size_t)count + 1, sizeof *array);
  if (array == NULL) abort();
  return array;
}

/* y (rank) with T y = y for the leading upper triangle of T; or T' y = y. */
static inline void quad_solve_triangle(int64_t rank, const quad *T, int64_t ld, int transposed, quad *y, int64_t step) {
  for (int64_t s = 0; s < rank; s++) {
    const int64_t i = transposed ? s : rank - 1 - s;
    for (int64_t l = 0; l < s; l++) {
      const int64_t j = transposed ? l : rank - 1 - l;
      y[i * step] -= (transposed ? T[j * ld + i] : T[i * ld + j]) * y[j * step];
    }
    y[i * step] /= T[i * ld + i];
  }
}

/* x of least norm for R x = c, R (rank,n) in the columns' own order. */
static inline void quad_least_norm(int64_t rank, int64_t n, const quad *R, const quad *c, quad *x) {
  quad *T = quad_array(n * rank), *reflected = quad_array(n * n), *y = quad_array(rank);
  int64_t *order = calloc((size_t)rank + 1, sizeof *order);
  if (order == NULL) abort();
  for (int64_t i = 0; i < rank; i++) {
    for (int64_t j = 0; j < n; j++) T[j * rank + i] = R[i * n + j];
    y[i] = c[i];
  }
  for (int64_t j = 0; j < n; j++) reflected[j * n + j] = 1;
  (void)quad_factor(n, rank, n, T, reflected, order, NULL, 0); /* reflected = Q', R' = Q T */
  quad_solve_triangle(rank, T, rank, 1, y, 1);
  for (int64_t j = 0; j < n; j++) {
    x[j] = 0;
    for (int64_t i = 0; i < rank; i++) x[j] += reflected[i * n + j] * y[i];
  }
  free(order);
  free(y);
  free(reflected);
  free(T);
}

/* ---- pairs of quads, for an oracle beyond cond^2 2^-112 ---- */

typedef struct {
  quad high, low;
} quad_pair;

static inline quad_pair quad_two_sum(quad a, quad b) {
  const quad sum = a + b, part = sum - a;
  return (quad_pair){sum, (a - (sum - part)) + (b - part)};
}

/* a = high + low of at most 57 bits each (Veltkamp). */
static inline quad_pair quad_split(quad a) {
  const quad wide = a * ((quad)0x1p57 + 1), high = wide - (wide - a);
  return (quad_pair){high, a - high};
}

/* sum + a b (Dekker), for quads. */
static inline quad_pair quad_add_product(quad_pair sum, quad a, quad b) {
  const quad product = a * b;
  const quad_pair x = quad_split(a), y = quad_split(b);
  const quad error = ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low;
  const quad_pair next = quad_two_sum(sum.high, product);
  return quad_two_sum(next.high, sum.low + (next.low + error));
}

/* Corrects x (n), of full rank, by (R'R)^-1 A'(b - A x), R in A as quad_factor leaves it, with sums in pairs of quads.
 */
static inline void quad_refine(int64_t m, int64_t n, const quad *R, const int64_t *order, const double *a,
                               const double *a_low, int64_t lda, const double *b, const double *b_low, int64_t ldb,
                               quad *x) {
  quad_pair *g = calloc((size_t)n + 1, sizeof *g);
  quad *y = quad_array(n);
  if (g == NULL) abort();
  for (int round = 0; round < 3; round++) {
    for (int64_t j = 0; j < n; j++) g[j] = (quad_pair){0, 0};
    for (int64_t i = 0; i < m; i++) {
      quad_pair r = {(quad)b[i * ldb] + (b_low != NULL ? b_low[i * ldb] : 0), 0};
      const double *row = a + i * lda, *row_low = a_low != NULL ? a_low + i * lda : NULL;
      for (int64_t j = 0; j < n; j++) r = quad_add_product(r, (quad)row[j] + (row_low != NULL ? row_low[j] : 0), -x[j]);
      for (int64_t j = 0; j < n; j++) {
        const quad entry = (quad)row[j] + (row_low != NULL ? row_low[j] : 0);
        g[j] = quad_add_product(quad_add_product(g[j], entry, r.low), entry, r.high);
      }
    }
    for (int64_t i = 0; i < n; i++) y[i] = g[order[i]].high;
    quad_solve_triangle(n, R, n, 1, y, 1);
    quad_solve_triangle(n, R, n, 0, y, 1);
    for (int64_t i = 0; i < n; i++) x[order[i]] += y[i];
  }
  free(y);
  free(g);
}

/* X (n,k) of least squares and least norm for A + a_low (m,n) and B + b_low (m,k); the low parts may be NULL. Returns
 * the rank, where columns of which less than `negligible` is left are dependent (0: none is). */
static inline int64_t quad_least_squares(int64_t m, int64_t n, int64_t k, const double *a, const double *a_low,
                                         int64_t lda, const double *b, const double *b_low, int64_t ldb,
                                         double negligible, quad *X) {
  quad *A = quad_array(m * n), *B = quad_array(m * k), *norms = quad_array(n), *R = quad_array(n * n),
       *c = quad_array(n), *x = quad_array(n);
  int64_t *order = calloc((size_t)n + 1, sizeof *order);
  if (order == NULL) abort();
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) A[i * n + j] = (quad)a[i * lda + j] + (a_low != NULL ? a_low[i * lda + j] : 0);
    for (int64_t j = 0; j < k; j++) B[i * k + j] = (quad)b[i * ldb + j] + (b_low != NULL ? b_low[i * ldb + j] : 0);
  }
  for (int64_t j = 0; j < n; j++) norms[j] = quad_norm(m, A + j, n);
  const int64_t rank = quad_factor(m, n, k, A, B, order, norms, negligible);
  for (int64_t i = 0; i < rank; i++)
    for (int64_t j = i; j < n; j++) R[i * n + order[j]] = A[i * n + j];
  for (int64_t l = 0; l < k; l++) {
    for (int64_t i = 0; i < rank; i++) c[i] = B[i * k + l];
    if (rank < n) {
      quad_least_norm(rank, n, R, c, x);
    } else {
      quad_solve_triangle(n, A, n, 0, c, 1);
      for (int64_t j = 0; j < n; j++) x[order[j]] = c[j];
      if (m > n && negligible == 0)
        quad_refine(m, n, A, order, a, a_low, lda, b + l, b_low != NULL ? b_low + l : NULL, ldb, x);
    }
    for (int64_t j = 0; j < n; j++) X[j * k + l] = x[j];
  }
  free(order);
  free(x);
  free(c);
  free(R);
  free(norms);
  free(B);
  free(A);
  return rank;
}

/* N (n, n - rank): a basis of A's null space, each component right by itself whatever the columns' sizes; N has room
 * for (n,n). Returns the rank. */
static inline int64_t quad_null_space(int64_t m, int64_t n, const double *a, int64_t lda, double negligible, quad *N) {
  quad *A = quad_array(m * n), *norms = quad_array(n), *w = quad_array(n);
  int64_t *order = calloc((size_t)n + 1, sizeof *order);
  if (order == NULL) abort();
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) A[i * n + j] = a[i * lda + j];
  for (int64_t j = 0; j < n; j++) norms[j] = quad_norm(m, A + j, n);
  const int64_t rank = quad_factor(m, n, 0, A, NULL, order, norms, negligible), others = n - rank;
  for (int64_t l = 0; l < others; l++) {
    for (int64_t i = 0; i < rank; i++) w[i] = A[i * n + rank + l];
    quad_solve_triangle(rank, A, n, 0, w, 1);
    for (int64_t j = 0; j < n; j++) N[j * others + l] = 0;
    for (int64_t i = 0; i < rank; i++) N[order[i] * others + l] = -w[i];
    N[order[rank + l] * others + l] = 1;
  }
  free(order);
  free(w);
  free(norms);
  free(A);
  return rank;
}

/* 2-norm condition number of A (m,n), m >= n, with columns at unit norm: one-sided Jacobi on R. */
static inline double quad_condition(int64_t m, int64_t n, const double *a, int64_t lda) {
  quad *A = quad_array(m * n);
  int64_t *order = calloc((size_t)n + 1, sizeof *order);
  double largest = 0, smallest = DBL_MAX;
  int rotated = 1;
  if (order == NULL) abort();
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < m; i++) A[i * n + j] = a[i * lda + j];
    const quad norm = quad_norm(m, A + j, n);
    for (int64_t i = 0; i < m; i++) A[i * n + j] /= norm;
  }
  (void)quad_factor(m, n, 0, A, NULL, order, NULL, 0);
  for (int sweep = 0; sweep < 30 && rotated; sweep++) {
    rotated = 0;
    for (int64_t p = 0; p < n; p++)
      for (int64_t q = p + 1; q < n; q++) {
        quad pp = 0, qq = 0, pq = 0;
        for (int64_t i = 0; i < n; i++) {
          pp += A[i * n + p] * A[i * n + p];
          qq += A[i * n + q] * A[i * n + q];
          pq += A[i * n + p] * A[i * n + q];
        }
        if (quad_abs(pq) <= (quad)1e-6 * quad_sqrt(pp * qq)) continue;
        rotated = 1;
        const quad zeta = (qq - pp) / (2 * pq), size = quad_abs(zeta) + quad_sqrt(1 + zeta * zeta);
        const quad t = (zeta > 0 ? 1 : -1) / size, c = 1 / quad_sqrt(1 + t * t);
        for (int64_t i = 0; i < n; i++) {
          const quad old = A[i * n + p];
          A[i * n + p] = c * (old - t * A[i * n + q]);
          A[i * n + q] = c * (t * old + A[i * n + q]);
        }
      }
  }
  for (int64_t j = 0; j < n; j++) {
    const double size = (double)quad_norm(n, A + j, n);
    largest = fmax(largest, size);
    smallest = fmin(smallest, size);
  }
  free(order);
  free(A);
  return largest / smallest;
}

#endif
