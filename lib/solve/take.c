/* A problem's numbers, wherever and of whatever type the caller has them, as rows of doubles: each row times the root
 * of its weight, in pairs, and below them the rows sqrt(ridge) I, of which right-hand sides are 0. Numbers times roots
 * may be beyond the range of doubles: with weights, columns come times powers of two. */
#include <math.h>
#include <string.h>

#include "kernels/pair.h"
#include "solve/batch.h"

lsqnet_status lsq_describe(const lsqnet_solver *solver, const lsq_problems *problems, int64_t p, lsq_data *data) {
  const int weighted = problems->weights != NULL, ridge = solver->options.ridge > 0.0 && !problems->ridge_within;
  *data = (lsq_data){.problems = problems,
                     .p = p,
                     .m = problems->m,
                     .n = problems->n,
                     .k = problems->k,
                     .a_pairs = weighted || ridge || problems->a_low != NULL,
                     .b_pairs = weighted || ridge || problems->b_low != NULL,
                     .rounded = weighted,
                     .derived = weighted || ridge || problems->derived};
  if (ridge && __builtin_add_overflow(problems->m, problems->n, &data->m))
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld: more rows than can be addressed", (long long)problems->m,
                    (long long)problems->n);
  return LSQNET_OK;
}

/* One of A and B as the caller has it. */
typedef struct {
  const char *name, *low_name;
  const void *values;
  const double *low;            /* or NULL */
  int64_t columns, row, column; /* elements from a row, and a column, to the next */
} matrix;

static matrix matrix_a(const lsq_data *data) {
  const lsq_problems *problems = data->problems;
  return (matrix){"a",
                  "a_low",
                  lsq_problem_a(problems, data->p),
                  problems->a_low,
                  problems->n,
                  problems->a_row,
                  problems->a_column};
}

static matrix matrix_b(const lsq_data *data) {
  const lsq_problems *problems = data->problems;
  return (matrix){"b",
                  "b_low",
                  lsq_problem_b(problems, data->p),
                  problems->b_low,
                  problems->k,
                  problems->b_row,
                  problems->b_column};
}

static const void *weights_of(const lsq_data *data) {
  return data->problems->weights != NULL ? lsq_problem_weights(data->problems, data->p) : NULL;
}

static lsqnet_status fail_number(const char *name, double value, int64_t row, int64_t column) {
  return lsq_fail(LSQNET_E_NOT_FINITE, "%s is %g in row %lld, column %lld (counted from 0)", name, value,
                  (long long)row, (long long)column);
}

static lsqnet_status check_matrix(lsqnet_solver *solver, const lsq_problems *problems, const matrix *M) {
  for (int64_t i = 0; i < problems->m; i++) {
    if (lsq_pass(solver, M->columns)) return lsq_limits_found(solver);
    for (int64_t j = 0; j < M->columns; j++) {
      const double value = lsq_number_at(problems, M->values, i * M->row + j * M->column);
      if (!isfinite(value)) return fail_number(M->name, value, i, j);
    }
  }
  for (int64_t i = 0; i < problems->m && M->low != NULL; i++) {
    if (lsq_pass(solver, M->columns)) return lsq_limits_found(solver);
    for (int64_t j = 0; j < M->columns; j++) {
      const double low = M->low[i * M->row + j * M->column];
      if (!isfinite(low)) return fail_number(M->low_name, low, i, j);
    }
  }
  return LSQNET_OK;
}

static lsqnet_status check_weights(const lsq_problems *problems, const void *weights) {
  for (int64_t i = 0; i < problems->m && weights != NULL; i++) {
    const double w = lsq_number_at(problems, weights, i);
    if (!isfinite(w))
      return lsq_fail(LSQNET_E_NOT_FINITE, "weights is %g in row %lld (counted from 0)", w, (long long)i);
    if (w < 0.0)
      return lsq_fail(LSQNET_E_ARGUMENT, "weights is %g in row %lld (counted from 0): must be at least 0", w,
                      (long long)i);
  }
  return LSQNET_OK;
}

lsqnet_status lsq_check_numbers(lsqnet_solver *solver, const lsq_data *data) {
  lsqnet_status st = LSQNET_OK;
  const matrix A = matrix_a(data), B = matrix_b(data);
  LSQ_TRY(check_matrix(solver, data->problems, &A));
  LSQ_TRY(check_matrix(solver, data->problems, &B));
  LSQ_TRY(check_weights(data->problems, weights_of(data)));
done:
  return st;
}

/* The root of v + v_low >= 0 in twice the precision, if v is none of the smallest numbers. */
static double root(double v, double v_low, double *low) {
  double error = 0.0;
  const double high = sqrt(v), square = lsq_two_product(high, high, &error);
  *low = high > 0.0 ? (((v - square) - error) + v_low) / (2.0 * high) : 0.0;
  return high;
}

/* (high + low) 2^exponent, with high from 1/2 to 1, or 0. */
typedef struct {
  double high, low;
  int exponent;
} scaled_root;

static scaled_root root_of_any(double v, double v_low) {
  scaled_root out = {0};
  int exponent = 0;
  (void)frexp(v, &exponent);
  exponent += exponent & 1;
  out.high = root(ldexp(v, -exponent), ldexp(v_low, -exponent), &out.low);
  out.exponent = exponent / 2;
  return out;
}

static double weight_at(const lsq_data *data, int64_t i, double *low) {
  const lsq_problems *problems = data->problems;
  *low = problems->weights_low != NULL ? problems->weights_low[i] : 0.0;
  return lsq_number_at(problems, weights_of(data), i);
}

static scaled_root root_of_weight(const lsq_data *data, int64_t i) {
  double low = 0.0;
  const double weight = weight_at(data, i, &low);
  return root_of_any(weight, low);
}

static double number_at(const lsq_data *data, const matrix *M, int64_t i, int64_t j) {
  return lsq_number_at(data->problems, M->values, i * M->row + j * M->column);
}

static int is_tame(double v) { return v == 0.0 || (fabs(v) >= 0x1p-400 && fabs(v) <= 0x1p400); }

/* Whether numbers of `count` columns from `first` on times roots of weights are far from the ends of the range: 0 if
 * the call has to end before all have been looked at. */
static int all_tame(lsqnet_solver *solver, const lsq_data *data, const matrix *M, int64_t first, int64_t count) {
  double low = 0.0;
  int tame = 1;
  for (int64_t i = 0; i < data->problems->m && tame; i++) {
    if (lsq_pass(solver, count)) return 0;
    tame = is_tame(weight_at(data, i, &low));
    for (int64_t e = 0; e < count; e++) tame &= is_tame(number_at(data, M, i, first + e));
  }
  return tame;
}

/* Of each of these columns: below 2^(exponent + TOP) is all that it has times roots of weights, and `more` of an
 * exponent. As far up as that, next to nothing underflows. */
enum { TOP = 500, NOTHING = -10000 };

static void take_exponents(lsqnet_solver *solver, const lsq_data *data, const matrix *M, int64_t first, int64_t count,
                           int more, double *exponents) {
  for (int64_t e = 0; e < count; e++) exponents[e] = more;
  for (int64_t i = 0; i < data->problems->m && !lsq_pass(solver, count); i++) {
    const scaled_root weight = root_of_weight(data, i);
    for (int64_t e = 0; e < count && weight.high > 0.0; e++) {
      const double value = number_at(data, M, i, first + e);
      int exponent = 0;
      (void)frexp(value, &exponent);
      if (value != 0.0 && exponent + weight.exponent > exponents[e]) exponents[e] = exponent + weight.exponent;
    }
  }
  for (int64_t e = 0; e < count; e++) exponents[e] = exponents[e] > NOTHING ? exponents[e] - TOP : 0.0;
}

static void weigh(const lsq_data *data, int64_t i, int64_t count, double *out, double *low) {
  double weight_low = 0.0, root_low = 0.0, error = 0.0;
  const double weight = weight_at(data, i, &weight_low), high = root(weight, weight_low, &root_low);
  for (int64_t e = 0; e < count; e++) {
    const double value = out[e], product = lsq_two_product(value, high, &error);
    low[e] = error + (value * root_low + low[e] * high);
    out[e] = product;
  }
}

/* The same times 2^-exponents: neither a product nor what rounding it leaves out over- or underflows on the way. */
static void weigh_any(const lsq_data *data, int64_t i, int64_t count, const double *exponents, double *out,
                      double *low) {
  const scaled_root weight = root_of_weight(data, i);
  double error = 0.0;
  for (int64_t e = 0; e < count; e++) {
    const int up = fabs(out[e]) < 0x1p-400 ? 600 : 0, exponent = weight.exponent - (int)exponents[e] - up;
    const double value = ldexp(out[e], up), product = lsq_two_product(value, weight.high, &error);
    low[e] = lsq_scaled(error + (value * weight.low + ldexp(low[e], up) * weight.high), exponent);
    out[e] = lsq_scaled(product, exponent);
  }
}

/* `count` numbers of M from (i,j) on along its row, times the root of row i's weight. `exponents` NULL: none are
 * needed. */
static void take(const lsq_data *data, const matrix *M, int64_t i, int64_t j, int64_t count, const double *exponents,
                 double *out, double *low) {
  const int64_t begin = i * M->row + j * M->column;
  for (int64_t e = 0; e < count; e++) out[e] = number_at(data, M, i, j + e);
  for (int64_t e = 0; e < count && low != NULL; e++) low[e] = M->low != NULL ? M->low[begin + e * M->column] : 0.0;
  if (data->problems->weights == NULL) return;
  if (exponents == NULL)
    weigh(data, i, count, out, low);
  else
    weigh_any(data, i, count, exponents, out, low);
}

void lsq_take_matrix(lsqnet_solver *solver, const lsq_data *data, double *A, double *A_low, double *exponents) {
  const int64_t m = data->problems->m, n = data->n;
  const matrix M = matrix_a(data);
  const int tame = data->problems->weights == NULL || all_tame(solver, data, &M, 0, n);
  const scaled_root ridge = root_of_any(solver->options.ridge, 0.0);
  memset(exponents, 0, (size_t)n * sizeof *exponents);
  if (!tame) take_exponents(solver, data, &M, 0, n, data->m > m ? ridge.exponent : NOTHING, exponents);
  for (int64_t i = 0; i < m && !lsq_pass(solver, n); i++)
    take(data, &M, i, 0, n, tame ? NULL : exponents, A + i * n, A_low != NULL ? A_low + i * n : NULL);
  if (data->m == m) return;
  memset(A + m * n, 0, (size_t)(n * n) * sizeof *A);
  memset(A_low + m * n, 0, (size_t)(n * n) * sizeof *A);
  for (int64_t j = 0; j < n; j++) {
    A[(m + j) * n + j] = lsq_scaled(ridge.high, ridge.exponent - (int)exponents[j]);
    A_low[(m + j) * n + j] = lsq_scaled(ridge.low, ridge.exponent - (int)exponents[j]);
  }
}

int lsq_take_side(lsqnet_solver *solver, const lsq_data *data, int64_t side, double *b, double *b_low) {
  const int64_t m = data->problems->m, more = data->m - m;
  const matrix M = matrix_b(data);
  const int tame = data->problems->weights == NULL || all_tame(solver, data, &M, side, 1);
  double exponent = 0.0;
  if (!tame) take_exponents(solver, data, &M, side, 1, NOTHING, &exponent);
  for (int64_t i = 0; i < m && !lsq_pass(solver, 1); i++)
    take(data, &M, i, side, 1, tame ? NULL : &exponent, b + i, b_low != NULL ? b_low + i : NULL);
  memset(b + m, 0, (size_t)more * sizeof *b);
  if (b_low != NULL) memset(b_low + m, 0, (size_t)more * sizeof *b);
  return (int)exponent;
}
