/* A P = Q R by repeated Cholesky-QR. One pass takes the Gram matrix of the columns as they are now (from the model),
 * factors it by Cholesky with pivoting, stops at the first pivot that is too small to trust, and applies the inverse
 * factor: the columns before the stop come out orthonormal, those behind it have the others' share removed and are
 * brought back to unit size, so that the next pass sees what is left of them. Each pass resolves a factor of
 * 1/sqrt(TRUSTED_PIVOT) of the condition number; stopping does what a shift does in shifted Cholesky-QR (Fukaya et al.
 * 2020, SIAM J. Sci. Comput. 42), and shows the rank as well: a column of which nothing but roundings is left depends
 * on the others. Float64 is enough because R only decides how fast refinement converges. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/order.h"
#include "base/random.h"
#include "kernels/pair.h"
#include "solve/solver.h"

enum { MOST_PASSES = 16 };
static const double TRUSTED_PIVOT = 1e-6; /* leaves the columns orthogonal to about DBL_EPSILON / 1e-6 */

/* Progress of one factorisation. */
typedef struct {
  lsqnet_solver *solver;
  int64_t m;
  lsq_factor *f;
  double *original; /* norms of the columns of A, by place */
  double *left;     /* diagonal of the Cholesky factorisation under way, over that at its start */
  int64_t accepted; /* places 0 .. accepted-1 are orthonormal */
  int64_t live;     /* places live .. n-1 were found dependent */
} state;

static double column_norm(const state *s, int64_t j) {
  double sum = 0.0;
  (void)lsq_pass(s->solver, 2 * s->m);
  for (int64_t i = 0; i < s->m; i++) {
    const double value = s->f->Q[i * s->f->n + j];
    sum += value * value;
  }
  return sqrt(sum);
}

static void swap_doubles(double *a, double *b) {
  const double old = *a;
  *a = *b;
  *b = old;
}

static void swap_matrix_columns(int64_t rows, int64_t ld, double *M, int64_t i, int64_t j) {
  for (int64_t row = 0; row < rows; row++) swap_doubles(&M[row * ld + i], &M[row * ld + j]);
}

/* Exchanges places i and j, both not accepted, where R is still diagonal. */
static void exchange(state *s, int64_t i, int64_t j) {
  lsq_factor *f = s->f;
  const int64_t n = f->n, column = f->order[i];
  if (i == j) return;
  (void)lsq_pass(s->solver, 4 * s->m);
  f->order[i] = f->order[j];
  f->order[j] = column;
  swap_matrix_columns(s->m, n, f->Q, i, j);
  swap_matrix_columns(n, n, f->R, i, j);
  for (int64_t c = 0; c < n; c++) swap_doubles(&f->R[i * n + c], &f->R[j * n + c]);
  swap_matrix_columns(n, n, f->G, i, j);
  for (int64_t c = 0; c < n; c++) swap_doubles(&f->G[i * n + c], &f->G[j * n + c]);
  swap_doubles(&s->original[i], &s->original[j]);
  swap_doubles(&s->left[i], &s->left[j]);
  swap_doubles(&f->norms[i], &f->norms[j]);
}

/* Compares the diagonal of G with the columns' own norms: the model's relative error, or more than 0.75 if it
 * contradicts the data. */
static double model_error(const state *s) {
  double worst = 0.0;
  for (int64_t j = 0; j < s->live; j++) {
    const double square = s->f->norms[j] * s->f->norms[j];
    const double error = fabs(s->f->G[j * s->f->n + j] - square) / square;
    if (!(error <= worst)) worst = error; /* NaN counts as an error too */
  }
  return worst;
}

/* Whether roundings are all that is left of the column at place j, of which `size` is left in Q. */
static int negligible(const state *s, int64_t j, double size) {
  const double least = 4.0 * (double)s->f->n * DBL_EPSILON * s->original[j];
  return !(size * s->f->R[j * s->f->n + j] > least);
}

/* The place from i on where most is left of the column that this pass began with, and more than roundings of the
 * original one; -1 if there is none. Accepted ones keep their order. */
static int64_t choose_pivot(const state *s, int64_t i, double trusted) {
  const lsq_factor *f = s->f;
  const int64_t n = f->n, end = i < s->accepted ? i + 1 : s->live;
  int64_t best = -1;
  double most = trusted;
  for (int64_t j = i; j < end; j++) {
    const double left = f->G[j * n + j] / s->left[j];
    if (!(left > most) || (i >= s->accepted && negligible(s, j, sqrt(f->G[j * n + j])))) continue;
    most = left;
    best = j;
  }
  return best;
}

/* Cholesky of the first `live` places of G, upper factor in place; returns how many places it could take. Rows of the
 * factor are made when their turn comes; what is left on the diagonal is kept up to date, for the choice of pivots. */
static int64_t cholesky(state *s, double trusted) {
  lsq_factor *f = s->f;
  const int64_t n = f->n;
  int64_t i = 0;
  for (int64_t j = 0; j < s->live; j++) s->left[j] = f->G[j * n + j];
  for (; i < s->live && !lsq_pass(s->solver, i * (s->live - i)); i++) {
    const int64_t best = choose_pivot(s, i, trusted), behind = s->live - i - 1;
    double *row = f->G + i * n;
    if (best < 0) break;
    exchange(s, i, best);
    row[i] = sqrt(row[i]);
    for (int64_t l = 0; l < i; l++) f->kernels->axpy(behind, -f->G[l * n + i], f->G + l * n + i + 1, row + i + 1);
    for (int64_t j = i + 1; j < s->live; j++) {
      row[j] /= row[i];
      f->G[j * n + j] -= row[j] * row[j];
    }
  }
  return i;
}

/* R <- S R. */
static void multiply_rows(const state *s, int64_t taken) {
  const lsq_factor *f = s->f;
  const int64_t n = f->n;
  for (int64_t i = 0; i < taken; i++) {
    double *row = f->R + i * n;
    f->kernels->scale(n, f->G[i * n + i], row, row);
    for (int64_t l = i + 1; l < s->live; l++) f->kernels->axpy(n - l, f->G[i * n + l], f->R + l * n + l, row + l);
  }
}

enum { NARROW = 64, PANEL = 16, ROWS = 64 };

/* S (taken places, in G) as divide_rows, below, wants it: off the diagonal -S, and blocks on the diagonal inverted. */
static void prepare_division(const state *s, int64_t taken) {
  const lsq_factor *f = s->f;
  const int64_t n = f->n;
  for (int64_t i = 0; i < taken; i++) {
    double *row = f->G + i * n;
    f->kernels->scale(s->live - i - 1, -1.0, row + i + 1, row + i + 1);
  }
  for (int64_t j = 0; j < taken; j++) {
    const int64_t begin = j / PANEL * PANEL;
    const double inverse = 1.0 / f->G[j * n + j];
    f->G[j * n + j] = inverse;
    for (int64_t i = begin; i < j; i++) {
      f->G[j * n + i] = 0.0;
      f->G[i * n + j] *= f->G[i * n + i] * inverse;
      for (int64_t l = i + 1; l < j; l++) f->G[i * n + j] += f->G[i * n + l] * f->G[l * n + j] * inverse;
    }
  }
}

/* Q <- Q S^-1 for `rows` rows of Q from q on, column after column: what columns have in common cancels to the last bit.
 */
static void divide_narrow_rows(const state *s, int64_t taken, int64_t rows, double *q) {
  const lsq_factor *f = s->f;
  const int64_t n = f->n;
  for (double *end = q + rows * n; q < end; q += n)
    for (int64_t i = 0; i < taken; i++) {
      const double *row = f->G + i * n;
      q[i] /= row[i];
      f->kernels->axpy(s->live - i - 1, -q[i], row + i + 1, q + i + 1);
    }
}

/* The same for many columns, panel by panel; at most ROWS rows. */
static void divide_rows(const state *s, int64_t taken, int64_t rows, double *q) {
  const lsq_factor *f = s->f;
  const int64_t n = f->n;
  double panel[ROWS * PANEL];
  for (int64_t begin = 0; begin < taken; begin += PANEL) {
    const int64_t width = lsq_smaller(PANEL, taken - begin), end = begin + width;
    f->kernels->product_nn(rows, width, width, q + begin, n, f->G + begin * n + begin, n, panel, width, 0);
    for (int64_t row = 0; row < rows; row++)
      memcpy(q + row * n + begin, panel + row * width, (size_t)width * sizeof *panel);
    if (end < s->live)
      f->kernels->product_nn(rows, s->live - end, width, q + begin, n, f->G + begin * n + end, n, q + end, n, 1);
  }
}

/* Q <- Q S^-1 and R <- S R, where S has the rows of the Cholesky factor for the first `taken` places and is the
 * identity below. */
static void apply(state *s, int64_t taken) {
  lsq_factor *f = s->f;
  multiply_rows(s, taken);
  if (s->live > NARROW) prepare_division(s, taken);
  for (int64_t row = 0; row < s->m; row += ROWS) {
    const int64_t rows = lsq_smaller(ROWS, s->m - row);
    if (lsq_pass(s->solver, rows * f->n * (1 + f->n / 64))) return;
    (s->live > NARROW ? divide_rows : divide_narrow_rows)(s, taken, rows, f->Q + row * f->n);
  }
}

/* Puts aside the columns of which only roundings are left, and brings the others back to unit size. */
static void renew_rest(state *s) {
  lsq_factor *f = s->f;
  const int64_t n = f->n;
  for (int64_t j = s->accepted; j < s->live;) {
    const double norm = column_norm(s, j);
    if (negligible(s, j, norm)) {
      exchange(s, j, --s->live);
      continue;
    }
    const int exponent = lsq_scale_exponent(s->m, f->Q + j, n);
    lsq_scale_copy(s->m, f->Q + j, n, -exponent, f->Q + j, n);
    f->R[j * n + j] = ldexp(f->R[j * n + j], exponent);
    f->norms[j] = ldexp(norm, -exponent);
    j++;
  }
}

/* One term after the other: where columns nearly depend, neighbouring ones are large and cancel. */
static void solve_upper(const lsq_factor *f, int64_t rank, double *y) {
  for (int64_t i = rank - 1; i >= 0; i--) {
    const double *row = f->R + i * f->n;
    double rest = y[i];
    for (int64_t j = i + 1; j < rank; j++) rest -= row[j] * y[j];
    y[i] = rest / row[i];
  }
}

/* The same by sums in lanes: faster, and not as exact. */
static void solve_upper_roughly(const lsq_factor *f, int64_t rank, double *y) {
  for (int64_t i = rank - 1; i >= 0; i--) {
    const double *row = f->R + i * f->n;
    y[i] = (y[i] - f->kernels->dot(rank - i - 1, row + i + 1, y + i + 1)) / row[i];
  }
}

/* y is zero before place `begin`. */
static void solve_upper_transposed(const lsq_factor *f, int64_t begin, int64_t rank, double *y) {
  for (int64_t i = begin; i < rank; i++) {
    const double *row = f->R + i * f->n;
    y[i] /= row[i];
    f->kernels->axpy(rank - i - 1, -y[i], row + i + 1, y + i + 1);
  }
}

/* y + y_low <- R^-T (y + y_low) in twice the precision. Where columns nearly depend, what A'r has to say about their
 * difference is a small part of it, and is lost in a single rounding: the quotients could then be anything, zero
 * included, which looks like convergence. */
static void solve_upper_transposed_pair(const lsq_factor *f, int64_t rank, double *y, double *y_low) {
  double error = 0.0, rest = 0.0;
  for (int64_t i = 0; i < rank; i++) {
    const double *row = f->R + i * f->n, quotient = y[i] / row[i];
    const double product = lsq_two_product(quotient, row[i], &error);
    y[i] = lsq_fast_two_sum(quotient, ((y[i] - product) - error + y_low[i]) / row[i], &y_low[i]);
    for (int64_t j = i + 1; j < rank; j++) {
      const double taken = lsq_two_product(row[j], y[i], &error);
      const double sum = lsq_two_sum(y[j], -taken, &rest);
      y[j] = lsq_two_sum(sum, y_low[j] + (rest - error - row[j] * y_low[i]), &y_low[j]);
    }
  }
}

static double normalise(int64_t n, double *v) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  const double norm = sqrt(sum);
  for (int64_t i = 0; i < n && norm > 0.0; i++) v[i] /= norm;
  return norm;
}

/* v <- R' R v or (R'R)^-1 v with columns of R divided by `original`, by place. */
static void power_step(const lsq_factor *f, const double *original, int inverse, double *v, double *w) {
  const int64_t n = f->n, r = f->rank;
  if (inverse) {
    for (int64_t i = 0; i < r; i++) v[i] *= original[i];
    solve_upper_transposed(f, 0, r, v);
    solve_upper_roughly(f, r, v);
    for (int64_t i = 0; i < r; i++) v[i] *= original[i];
    return;
  }
  for (int64_t j = 0; j < r; j++) v[j] /= original[j];
  for (int64_t i = 0; i < r; i++) w[i] = f->kernels->dot(r - i, f->R + i * n + i, v + i);
  memset(v, 0, (size_t)r * sizeof *v);
  for (int64_t i = 0; i < r; i++) f->kernels->axpy(r - i, w[i], f->R + i * n + i, v + i);
  for (int64_t j = 0; j < r; j++) v[j] /= original[j];
}

/* Largest (or smallest) singular value of R with columns over `original`, by power iteration (on the inverse). */
static double extreme_singular_value(const lsq_factor *f, const double *original, int inverse, double *work) {
  double *v = work, value = 0.0;
  lsq_random_normals(0, 0, 0, f->rank, v); /* a pattern could be orthogonal to the vector that is sought */
  (void)normalise(f->rank, v);
  for (int step = 0; step < 100; step++) {
    const double last = value;
    power_step(f, original, inverse, v, work + f->n);
    value = normalise(f->rank, v);
    if (fabs(value - last) <= 1e-6 * value) break;
  }
  return inverse ? 1.0 / sqrt(value) : sqrt(value);
}

/* Row norms of R^-1. */
static void measure_inverse(lsq_factor *f) {
  const int64_t n = f->n;
  double *row = f->work;
  for (int64_t i = 0; i < n; i++) {
    memset(row + i, 0, (size_t)(n - i) * sizeof(double));
    row[i] = 1.0;
    solve_upper_transposed(f, i, n, row);
    f->inverse_rows[f->order[i]] = sqrt(f->kernels->dot(n - i, row + i, row + i));
  }
}

static lsqnet_status start(state *s) {
  lsq_factor *f = s->f;
  const int64_t n = f->n;
  memset(f->R, 0, (size_t)(n * n) * sizeof(double));
  f->passes = 0;
  s->live = n;
  for (int64_t j = 0; j < n; j++) {
    f->order[j] = j;
    f->R[j * n + j] = 1.0;
    f->norms[j] = s->original[j] = column_norm(s, j);
  }
  for (int64_t j = 0; j < s->live;) {
    if (s->original[j] > 0.0)
      j++;
    else
      exchange(s, j, --s->live);
  }
  return LSQNET_OK;
}

lsqnet_status lsq_factor_compute(lsqnet_solver *solver, int64_t m, lsq_factor *f, int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  state s = {.solver = solver, .m = m, .f = f, .original = f->work, .left = f->work + f->n};
  *contradiction = 0;
  f->kernels = solver->context->kernels_f64;
  LSQ_TRY(start(&s));
  while (s.accepted < s.live && !*contradiction) {
    LSQ_TRY(lsq_limits_found(solver));
    LSQ_TRY(lsq_gram(solver, m, s.live, f->Q, f->n, f->G, f->n));
    const double error = model_error(&s);
    const int64_t taken = cholesky(&s, fmax(TRUSTED_PIVOT, 10.0 * error)), before = s.accepted, live = s.live;
    *contradiction = !(error <= 0.75) || taken < before || f->passes == MOST_PASSES;
    if (*contradiction) break;
    apply(&s, taken);
    s.accepted = taken;
    for (int64_t j = 0; j < taken; j++) f->norms[j] = 1.0;
    renew_rest(&s);
    *contradiction = taken == before && s.live == live; /* no column more, none less: it would go on like this */
    f->passes++;
  }
  LSQ_TRY(lsq_limits_found(solver));
  f->rank = s.live;
  if (*contradiction || f->rank == 0) goto done;
  f->sigma_max = extreme_singular_value(f, s.original, 0, f->work + 2 * f->n);
  f->sigma_min = extreme_singular_value(f, s.original, 1, f->work + 2 * f->n);
  for (int64_t j = 0; j < f->rank; j++) s.original[j] = 1.0;
  f->inverse_norm = 1.0 / extreme_singular_value(f, s.original, 1, f->work + 2 * f->n);
  if (f->rank == f->n) measure_inverse(f);
done:
  return st;
}

double lsq_factor_condition(const lsq_factor *f) { return f->sigma_max / f->sigma_min; }

void lsq_factor_inverse_row(const lsq_factor *f, int64_t column, double *row, double *square) {
  for (int64_t i = 0; i < f->n; i++) row[i] = f->order[i] == column ? 1.0 : 0.0;
  solve_upper_transposed(f, 0, f->n, row);
  lsq_factor_solve_plain(f, row, square);
}

void lsq_factor_solve_transposed(const lsq_factor *f, const double *g, const double *g_low, double *y) {
  double *y_low = f->work;
  for (int64_t i = 0; i < f->rank; i++) {
    y[i] = g[f->order[i]];
    y_low[i] = g_low != NULL ? g_low[f->order[i]] : 0.0;
  }
  solve_upper_transposed_pair(f, f->rank, y, y_low);
}

void lsq_factor_solve_plain(const lsq_factor *f, const double *y, double *d) {
  double *work = f->work + 2 * f->n;
  memcpy(work, y, (size_t)f->rank * sizeof(double));
  solve_upper(f, f->rank, work);
  for (int64_t i = 0; i < f->n; i++) d[f->order[i]] = i < f->rank ? work[i] : 0.0;
}

void lsq_factor_solve(const lsq_factor *f, const double *g, const double *g_low, double *d) {
  double *y = f->work + 3 * f->n;
  lsq_factor_solve_transposed(f, g, g_low, y);
  lsq_factor_solve_plain(f, y, d);
}

/* y = |R^-1| y at most, by what a solution with R adds up; zeros of R keep components apart. */
static void bound_upper(const lsq_factor *f, double *y) {
  for (int64_t i = f->n - 1; i >= 0; i--) {
    const double *row = f->R + i * f->n;
    for (int64_t j = i + 1; j < f->n; j++) y[i] += fabs(row[j]) * y[j];
    y[i] /= fabs(row[i]);
  }
}

/* The same with R'. */
static void bound_upper_transposed(const lsq_factor *f, double *y) {
  for (int64_t i = 0; i < f->n; i++) {
    const double *row = f->R + i * f->n;
    y[i] /= fabs(row[i]);
    for (int64_t j = i + 1; j < f->n; j++) y[j] += fabs(row[j]) * y[i];
  }
}

/* Those of the solution with R, and of g = R'R d, which pairs hold. */
void lsq_factor_roundings(const lsq_factor *f, const double *sizes, double *roundings) {
  static const double PAIR = 0x1p-104;
  const int64_t n = f->n;
  double *y = f->work, *g = y + n;
  memset(g, 0, (size_t)n * sizeof *g);
  for (int64_t i = 0; i < n; i++) {
    y[i] = 0.0;
    for (int64_t j = i; j < n; j++) y[i] += fabs(f->R[i * n + j]) * sizes[f->order[j]];
    for (int64_t j = i; j < n; j++) g[j] += PAIR * fabs(f->R[i * n + j]) * y[i];
  }
  bound_upper_transposed(f, g);
  for (int64_t i = 0; i < n; i++) y[i] = g[i] + (double)n * DBL_EPSILON * y[i];
  bound_upper(f, y);
  for (int64_t i = 0; i < n; i++) roundings[f->order[i]] = y[i];
}
