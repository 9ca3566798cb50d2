/* The answer of least norm, in the caller's units, where columns depend on each other.
 *
 * With x = u z for column-scaled z, and B a basis of the columns, all x that fit equally well satisfy x_B + M x_N = h.
 * M starts from R11^-1 R12 and units; as long as one of its entries exceeds 2 that pair of columns changes sides, so
 * that the basis comes to hold the columns that are large in the caller's units. Then I + M'M is well conditioned, and
 * of all x the shortest is x_N = (I + M'M)^-1 M'h, x_B = h - M x_N. Each component comes from terms of its own size, so
 * columns may differ by many orders of magnitude. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "solve/solver.h"

static const double LARGEST_ENTRY = 2.0;

/* Roundings of R11^-1 R12, relative to 1. */
static double rounding(const lsq_factor *f) { return 8.0 * (double)f->n * DBL_EPSILON * f->sigma_max / f->sigma_min; }

/* M for the columns in the order of the factorisation; entries made of roundings are taken for zero, since units could
 * blow them up. */
static void fill_coupling(lsq_factor *f, const double *unscale) {
  const int64_t n = f->n, r = f->rank, d = n - r;
  double *column = f->work, *w = f->work + 3 * n;
  for (int64_t j = 0; j < d; j++) {
    for (int64_t i = 0; i < r; i++) column[i] = f->R[i * n + r + j];
    lsq_factor_solve_plain(f, column, w);
    for (int64_t i = 0; i < r; i++) {
      const double entry = w[f->order[i]], ratio = unscale[f->order[i]] / unscale[f->order[r + j]];
      f->M[i * d + j] = fabs(entry) > rounding(f) ? entry * ratio : 0.0;
      f->E[i * d + j] = rounding(f) * ratio;
    }
  }
}

/* a - b, or 0 where that is made of roundings. */
static double difference(double a, double b) {
  const double value = a - b;
  return fabs(value) > 8.0 * DBL_EPSILON * (fabs(a) + fabs(b)) ? value : 0.0;
}

/* E, before M changes: to first order what the entries of M may have wrong after i and j have changed sides. An entry
 * that was made of little more than roundings, and is large by its columns' units alone, takes that into all of M. */
static void change_errors(lsq_factor *f, int64_t i, int64_t j) {
  const int64_t r = f->rank, d = f->n - r;
  double *row = f->E + i * d;
  const double *pivots = f->M + i * d, pivot = fabs(pivots[j]), of_pivot = row[j];
  for (int64_t l = 0; l < d; l++)
    row[l] = l == j ? of_pivot / (pivot * pivot) : (row[l] + fabs(pivots[l]) / pivot * of_pivot) / pivot;
  for (int64_t k = 0; k < r; k++) {
    const double share = fabs(f->M[k * d + j]), of_share = f->E[k * d + j];
    for (int64_t l = 0; l < d && k != i; l++)
      f->E[k * d + l] =
          (l == j ? of_share / pivot : f->E[k * d + l] + of_share * (fabs(pivots[l]) / pivot)) + share * row[l];
  }
}

/* Basic column i and other column j change sides: Gauss-Jordan on M and on K, which takes h along. */
static void change_sides(lsq_factor *f, int64_t i, int64_t j) {
  const int64_t r = f->rank, d = f->n - r, column = f->place[i];
  const double pivot = f->M[i * d + j];
  change_errors(f, i, j);
  for (int64_t l = 0; l < d; l++) f->M[i * d + l] = l == j ? 1.0 / pivot : f->M[i * d + l] / pivot;
  for (int64_t l = 0; l < r; l++) f->K[i * r + l] /= pivot;
  for (int64_t k = 0; k < r; k++) {
    const double share = f->M[k * d + j];
    if (k == i || share == 0.0) continue;
    for (int64_t l = 0; l < d; l++)
      f->M[k * d + l] = difference(l == j ? 0.0 : f->M[k * d + l], share * f->M[i * d + l]);
    for (int64_t l = 0; l < r; l++) f->K[k * r + l] -= share * f->K[i * r + l];
  }
  f->place[i] = f->place[r + j];
  f->place[r + j] = column;
}

static void choose_basis(lsq_factor *f) {
  const int64_t r = f->rank, d = f->n - r;
  for (int64_t step = 0; step < 100 * f->n; step++) { /* the volume at least doubles each time */
    int64_t best = 0;
    for (int64_t e = 1; e < r * d; e++)
      if (fabs(f->M[e]) > fabs(f->M[best])) best = e;
    if (!(fabs(f->M[best]) > LARGEST_ENTRY)) break;
    change_sides(f, best / d, best % d);
  }
}

/* S = lower Cholesky factor of I + M'M. */
static void factor_normal(lsq_factor *f) {
  const int64_t r = f->rank, d = f->n - r;
  for (int64_t i = 0; i < d; i++)
    for (int64_t j = 0; j <= i; j++) {
      double sum = i == j ? 1.0 : 0.0;
      for (int64_t l = 0; l < r; l++) sum += f->M[l * d + i] * f->M[l * d + j];
      for (int64_t l = 0; l < j; l++) sum -= f->S[i * d + l] * f->S[j * d + l];
      f->S[i * d + j] = i == j ? sqrt(sum) : sum / f->S[j * d + j];
    }
}

void lsq_least_norm_prepare(lsq_factor *f, const double *unscale) {
  const int64_t n = f->n, r = f->rank;
  f->E = f->M + r * (n - r);
  memcpy(f->place, f->order, (size_t)n * sizeof *f->place);
  memset(f->K, 0, (size_t)(r * r) * sizeof *f->K);
  for (int64_t i = 0; i < r; i++) f->K[i * r + i] = 1.0;
  fill_coupling(f, unscale);
  if (r > 0 && r < n) choose_basis(f);
  factor_normal(f);
}

/* t <- (I + M'M)^-1 M'h */
static void solve_others(const lsq_factor *f, const double *h, double *t) {
  const int64_t r = f->rank, d = f->n - r;
  for (int64_t j = 0; j < d; j++) {
    t[j] = 0.0;
    for (int64_t i = 0; i < r; i++) t[j] += f->M[i * d + j] * h[i];
  }
  for (int64_t i = 0; i < d; i++) {
    for (int64_t l = 0; l < i; l++) t[i] -= f->S[i * d + l] * t[l];
    t[i] /= f->S[i * d + i];
  }
  for (int64_t i = d - 1; i >= 0; i--) {
    for (int64_t l = i + 1; l < d; l++) t[i] -= f->S[l * d + i] * t[l];
    t[i] /= f->S[i * d + i];
  }
}

void lsq_least_norm_solve(const lsq_factor *f, const double *unscale, const double *g, const double *g_low, double *z) {
  const int64_t n = f->n, r = f->rank, d = n - r;
  double *y = f->work + 3 * n, *h = f->work + 2 * n, *t = f->work;
  lsq_factor_solve_transposed(f, g, g_low, y);
  lsq_factor_solve_plain(f, y, z);
  for (int64_t i = 0; i < r; i++) {
    h[i] = 0.0;
    for (int64_t l = 0; l < r; l++) h[i] += f->K[i * r + l] * (unscale[f->order[l]] * z[f->order[l]]);
  }
  solve_others(f, h, t);
  for (int64_t i = 0; i < r; i++) {
    for (int64_t j = 0; j < d; j++) h[i] -= f->M[i * d + j] * t[j];
    z[f->place[i]] = h[i] / unscale[f->place[i]];
  }
  for (int64_t j = 0; j < d; j++) z[f->place[r + j]] = t[j] / unscale[f->place[r + j]];
}

/* To first order, from x_N = M'x_B and what M may have wrong: E, and its own roundings. */
void lsq_least_norm_uncertainty(const lsq_factor *f, const double *unscale, const double *z, double *uncertain) {
  const int64_t r = f->rank, d = f->n - r, *place = f->place;
  for (int64_t j = 0; j < d; j++) {
    const double unit = unscale[place[r + j]];
    double error = 0.0;
    for (int64_t i = 0; i < r; i++) {
      const double wrong = f->E[i * d + j] + 0x1p-50 * fabs(f->M[i * d + j]);
      error += wrong * fabs(z[place[i]]) * (unscale[place[i]] / unit);
    }
    uncertain[place[r + j]] += error;
    for (int64_t i = 0; i < r; i++) {
      const double ratio = unscale[place[i]] / unit;
      uncertain[place[i]] += (f->E[i * d + j] * fabs(z[place[r + j]]) + fabs(f->M[i * d + j]) * error) / ratio;
    }
  }
}
