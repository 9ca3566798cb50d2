#include "tasks/collocation.h"

#include <math.h>
#include <string.h>

#include "tasks/elementary.h"

void lsq_chebyshev_points(int64_t N, double *t) {
  for (int64_t k = 0; k <= N; k++) t[k] = lsq_cosine_of_pi(k, N);
}

/* Twice the barycentric weights: (-1)^k, half of it at the ends (Berrut and Trefethen 2004). */
static double weight(int64_t N, int64_t k) { return (k % 2 == 0 ? 2 : -2) / (k == 0 || k == N ? 2.0 : 1.0); }

/* Diagonal entries are what makes the derivative of a constant zero. */
void lsq_chebyshev_differentiation(int64_t N, const double *t, double *C) {
  for (int64_t i = 0; i <= N; i++) {
    double *row = C + i * (N + 1), sum = 0;
    for (int64_t k = 0; k <= N; k++) {
      if (k == i) continue;
      row[k] = weight(N, k) / weight(N, i) / (t[i] - t[k]);
      sum += row[k];
    }
    row[i] = -sum;
  }
}

void lsq_chebyshev_interpolation(int64_t N, const double *t, double at, double *w) {
  double sum = 0;
  for (int64_t k = 0; k <= N; k++) {
    if (at == t[k]) {
      memset(w, 0, (size_t)(N + 1) * sizeof *w);
      w[k] = 1;
      return;
    }
    w[k] = weight(N, k) / (at - t[k]);
    sum += w[k];
  }
  for (int64_t k = 0; k <= N; k++) w[k] /= sum;
}

/* A = P'L U in place; pivots[k]: the row that was exchanged with row k. */
static void factor(int64_t n, double *A, double *pivots) {
  for (int64_t k = 0; k < n; k++) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; i++)
      if (fabs(A[i * n + k]) > fabs(A[pivot * n + k])) pivot = i;
    pivots[k] = (double)pivot;
    for (int64_t j = 0; pivot != k && j < n; j++) {
      const double old = A[k * n + j];
      A[k * n + j] = A[pivot * n + j];
      A[pivot * n + j] = old;
    }
    for (int64_t i = k + 1; i < n; i++) {
      const double multiple = A[i * n + k] /= A[k * n + k];
      for (int64_t j = k + 1; j < n; j++) A[i * n + j] -= multiple * A[k * n + j];
    }
  }
}

static void solve(int64_t n, const double *A, const double *pivots, double *u) {
  for (int64_t k = 0; k < n; k++) {
    const int64_t pivot = (int64_t)pivots[k];
    const double old = u[k];
    u[k] = u[pivot];
    u[pivot] = old;
  }
  for (int64_t i = 1; i < n; i++)
    for (int64_t j = 0; j < i; j++) u[i] -= A[i * n + j] * u[j];
  for (int64_t i = n - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < n; j++) u[i] -= A[i * n + j] * u[j];
    u[i] /= A[i * n + i];
  }
}

void lsq_ode_factor(int64_t N, const double *C, const lsq_ode *ode, const double *c, double *factors, double *pivots) {
  const int64_t n = N + 1, middle = N / 2;
  memcpy(factors, C, (size_t)(n * n) * sizeof *factors);
  for (int64_t i = 0; i < n; i++) factors[i * n + i] -= ode->a2 * c[i] + ode->a3;
  memset(factors + middle * n, 0, (size_t)n * sizeof *factors);
  factors[middle * n + middle] = 1;
  factor(n, factors, pivots);
}

void lsq_ode_solve(int64_t N, const lsq_ode *ode, const double *c, double u0, const double *factors,
                   const double *pivots, double *u) {
  for (int64_t i = 0; i <= N; i++) u[i] = ode->a1 * c[i] + ode->a4;
  u[N / 2] = u0;
  solve(N + 1, factors, pivots, u);
}
