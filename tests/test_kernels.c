/* Every entry of the kernel tables, on every level that the machine has, against plain loops in long double.
 * test_kernels_f32.c compiles this file again in float. */
#ifndef LSQ_PRECISION
#define LSQ_PRECISION 64
#endif

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/real.h"
#include "kernels/kernels.h"

typedef struct REAL(lsq_kernels) table;

static const real UNIT = REAL_EPSILON / 2; /* relative error of one rounding */
static const real UNTOUCHED = (real)-12345;

/* ck_assert for inner loops: it says nothing when all is well, where Check's own writes to a pipe each time. */
#define EACH(condition)                               \
  do {                                                \
    if (!(condition)) ck_abort_msg("%s", #condition); \
  } while (0)

static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

/* `count` numbers in (-1,1), one element off an alignment of 64 bytes. */
static real *numbers(int64_t count, uint64_t stream) {
  void *memory = NULL;
  uint64_t state = 1000 * stream;
  ck_assert_int_eq(posix_memalign(&memory, 64, (size_t)(count + 2) * sizeof(real)), 0);
  real *x = (real *)memory + 1;
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x[i] = (real)((double)(state >> 11) * 0x1p-52 - 1);
  }
  return x;
}

static real *filled(int64_t count, real value) {
  real *x = numbers(count, 0);
  for (int64_t i = 0; i < count; i++) x[i] = value;
  return x;
}

static void discard(real *x) { free(x - 1); }

static int is_untouched(real x) { return x == UNTOUCHED; }

/* The table of a loop test's level, or NULL if the machine has not got it. */
static const table *level_table(int level) { return REAL(lsq_kernels_choose)(level); }

enum { NT, NN, TN, KINDS };

/* A product with leading dimensions beyond its widths. */
typedef struct {
  int kind, accumulate;
  int64_t M, N, K, lda, ldb, ldc, a_row, a_column, b_row, b_column;
  real *A, *B, *C, *C0, *bias;
} problem;

static problem problem_create(int kind, int64_t M, int64_t N, int64_t K, int variant) {
  problem p = {.kind = kind, .accumulate = variant & 1, .M = M, .N = N, .K = K, .ldc = N + 3};
  p.lda = (kind == TN ? M : K) + 1;
  p.ldb = (kind == NT ? K : N) + 2;
  p.a_row = kind == TN ? 1 : p.lda;
  p.a_column = kind == TN ? p.lda : 1;
  p.b_row = kind == NT ? 1 : p.ldb;
  p.b_column = kind == NT ? p.ldb : 1;
  p.A = numbers(p.lda * (kind == TN ? K : M), 1);
  p.B = numbers(p.ldb * (kind == NT ? N : K), 2);
  p.C = filled(M * p.ldc, UNTOUCHED);
  p.C0 = numbers(M * N, 3);
  p.bias = kind == NT && (variant & 2) ? numbers(N, 4) : NULL;
  for (int64_t i = 0; i < M; i++) memcpy(p.C + i * p.ldc, p.C0 + i * N, (size_t)N * sizeof(real));
  return p;
}

static void problem_destroy(problem p) {
  discard(p.A);
  discard(p.B);
  discard(p.C);
  discard(p.C0);
  if (p.bias != NULL) discard(p.bias);
}

/* Rows first .. first + rows - 1 of C. */
static void run_rows(const table *kernels, const problem *p, int64_t first, int64_t rows, real *C) {
  const real *A = p->A + first * p->a_row;
  if (p->kind == NT) {
    kernels->product_nt(rows, p->N, p->K, A, p->lda, p->B, p->ldb, p->bias, C, p->ldc, p->accumulate);
  } else if (p->kind == NN) {
    kernels->product_nn(rows, p->N, p->K, A, p->lda, p->B, p->ldb, C, p->ldc, p->accumulate);
  } else {
    kernels->product_tn(rows, p->N, p->K, A, p->lda, p->B, p->ldb, C, p->ldc, p->accumulate);
  }
}

/* A term of the sum passes K roundings at most, one more for each block of the sum, for the bias and for C. */
static void assert_product(const problem *p) {
  for (int64_t i = 0; i < p->M; i++) {
    for (int64_t j = 0; j < p->N; j++) {
      long double sum = p->bias != NULL ? p->bias[j] : 0, size = fabsl(sum);
      for (int64_t k = 0; k < p->K; k++) {
        long double term = (long double)p->A[i * p->a_row + k * p->a_column] * p->B[k * p->b_row + j * p->b_column];
        sum += term;
        size += fabsl(term);
      }
      if (p->accumulate) {
        sum += p->C0[i * p->N + j];
        size += fabsl((long double)p->C0[i * p->N + j]);
      }
      long double tolerance = (long double)(p->K + p->K / 64 + 4) * UNIT * size;
      if (fabsl(p->C[i * p->ldc + j] - sum) <= tolerance) continue;
      ck_abort_msg("kind %d, %d x %d x %d: C(%d,%d) = %g, not %Lg", p->kind, (int)p->M, (int)p->N, (int)p->K, (int)i,
                   (int)j, (double)p->C[i * p->ldc + j], sum);
    }
    for (int64_t j = p->N; j < p->ldc; j++) EACH(is_untouched(p->C[i * p->ldc + j]));
  }
}

static void check_product(const table *kernels, int kind, int64_t M, int64_t N, int64_t K, int variant) {
  problem p = problem_create(kind, M, N, K, variant);
  run_rows(kernels, &p, 0, M, p.C);
  assert_product(&p);
  problem_destroy(p);
}

START_TEST(products_of_small_matrices_are_right) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t N = 1; N <= 40; N++) {
    for (int64_t K = 1; K <= 40; K++) {
      int64_t M = 1 + (7 * N + 3 * K) % 40;
      for (int kind = 0; kind < KINDS; kind++) check_product(kernels, kind, M, N, K, (int)(N + K) % 4);
    }
  }
}
END_TEST

START_TEST(products_of_larger_matrices_are_right) {
  static const int64_t sizes[][3] = {{300, 64, 64},  {67, 65, 63},    {53, 128, 127}, {20, 97, 129},  {41, 257, 40},
                                     {29, 600, 3},   {49, 3, 1000},   {7, 192, 192},  {13, 193, 193}, {5, 256, 260},
                                     {31, 300, 520}, {193, 211, 130}, {1, 700, 700},  {2, 1, 2000},   {130, 1, 1}};
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int variant = 0; variant < 4; variant++) {
      for (int kind = 0; kind < KINDS; kind++) {
        check_product(kernels, kind, sizes[s][0], sizes[s][1], sizes[s][2], variant);
      }
    }
  }
}
END_TEST

START_TEST(products_over_nothing_are_the_bias_or_zero) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t N = 1; N <= 300; N += 23) {
    for (int variant = 0; variant < 4; variant++) {
      for (int kind = 0; kind < KINDS; kind++) check_product(kernels, kind, 5, N, 0, variant);
    }
  }
}
END_TEST

START_TEST(products_without_rows_or_columns_write_nothing) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int kind = 0; kind < KINDS; kind++) {
    problem p = problem_create(kind, 4, 300, 300, 0);
    problem none = p;
    none.N = 0;
    for (int64_t i = 0; i < 4 * p.ldc; i++) p.C[i] = UNTOUCHED;
    run_rows(kernels, &p, 0, 0, p.C);
    run_rows(kernels, &none, 0, 4, p.C);
    for (int64_t i = 0; i < 4 * p.ldc; i++) EACH(is_untouched(p.C[i]));
    problem_destroy(p);
  }
}
END_TEST

/* The last two sizes are BLIS'. */
START_TEST(a_row_has_the_same_bits_alone_and_in_a_batch) {
  static const int64_t sizes[][2] = {{1, 1},   {5, 5},    {11, 11},   {21, 21},   {32, 32},   {64, 64},
                                     {40, 70}, {70, 300}, {130, 129}, {300, 150}, {230, 410}, {400, 520}};
  static const int64_t cuts[] = {1, 2, 3, 5, 6, 7, 13, 47, 48, 50, 300};
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int kind = 0; kind < KINDS; kind++) {
      problem p = problem_create(kind, 482, sizes[s][0], sizes[s][1], (int)(s % 2) * 2);
      real *apart = filled(p.M * p.ldc, UNTOUCHED);
      run_rows(kernels, &p, 0, p.M, p.C);
      for (int64_t first = 0, cut = 0; first < p.M; first += cuts[cut++]) {
        run_rows(kernels, &p, first, cuts[cut], apart + first * p.ldc);
      }
      for (int64_t i = 0; i < p.M; i++) {
        if (memcmp(apart + i * p.ldc, p.C + i * p.ldc, (size_t)p.N * sizeof(real)) == 0) continue;
        ck_abort_msg("kind %d, N=%d K=%d: row %d", kind, (int)p.N, (int)p.K, (int)i);
      }
      discard(apart);
      problem_destroy(p);
    }
  }
}
END_TEST

START_TEST(the_bits_of_a_product_do_not_depend_on_alignment) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  problem p = problem_create(NT, 50, 37, 41, 3);
  for (int64_t shift = 0; shift < 16; shift++) {
    problem q = problem_create(NT, 50, 37, 41, 3);
    real *A = numbers(50 * q.lda + shift, 9), *C = numbers(50 * q.ldc + shift, 9), *own_A = q.A, *own_C = q.C;
    q.A = memcpy(A + shift, q.A, (size_t)(50 * q.lda) * sizeof(real));
    q.C = memcpy(C + shift, q.C, (size_t)(50 * q.ldc) * sizeof(real));
    if (shift == 0) run_rows(kernels, &p, 0, 50, p.C);
    run_rows(kernels, &q, 0, 50, q.C);
    EACH(memcmp(q.C, p.C, (size_t)(50 * q.ldc) * sizeof(real)) == 0);
    q.A = own_A;
    q.C = own_C;
    problem_destroy(q);
    discard(A);
    discard(C);
  }
  problem_destroy(p);
}
END_TEST

/* NaN and infinity in one number of A and one of B, in shapes of our own and of BLIS. */
START_TEST(nan_travels_through_products) {
  static const int64_t sizes[][3] = {{20, 5, 7}, {9, 40, 64}, {33, 21, 150}, {10, 230, 300}};
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int kind = 0; kind < KINDS; kind++) {
      problem p = problem_create(kind, sizes[s][0], sizes[s][1], sizes[s][2], 0);
      int64_t row = p.M / 2, column = p.N - 1, k = p.K - 2;
      for (int64_t i = 0; i < p.M; i++) p.A[i * p.a_row] = 0;
      p.A[row * p.a_row + k * p.a_column] = (real)NAN;
      p.B[column * p.b_column] = (real)INFINITY; /* meets the zeros of A's first column */
      for (int64_t i = 0; i < p.M; i++) p.C[i * p.ldc] = (real)NAN;
      run_rows(kernels, &p, 0, p.M, p.C);
      for (int64_t i = 0; i < p.M; i++) {
        for (int64_t j = 0; j < p.N; j++) {
          EACH(!isnan(p.C[i * p.ldc + j]) == !(i == row || j == column));
        }
      }
      problem_destroy(p);
    }
  }
}
END_TEST

/* Equal terms a little over 1: a straight sum loses the little bit each time once it passes 1024, 20480 times 512
 * epsilon. Blocks of 128 lose at most (128 + 168 + 2) roundings of the whole. */
START_TEST(long_sums_keep_their_accuracy) {
  enum { K = 21504, N = 7 };
  const real little = 512 * REAL_EPSILON;
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  real *ones = filled(K * N, 1), *terms = filled(K * N, 1 + little), *C = filled(N * N, 0), *s = filled(N, 0);
  long double exact = K * (1 + (long double)little), tolerance = 298 * UNIT * exact;
  kernels->product_tn(N, N, K, ones, N, terms, N, C, N, 0);
  kernels->column_sums(K, N, terms, N, s);
  for (int64_t i = 0; i < N * N; i++) EACH(fabsl(C[i] - exact) <= tolerance);
  for (int64_t i = 0; i < N; i++) EACH(fabsl(s[i] - exact) <= tolerance);
  discard(ones);
  discard(terms);
  discard(C);
  discard(s);
}
END_TEST

/* What kernels.h promises of LSQ_PRODUCT_DEPTH. */
START_TEST(long_products_have_the_same_bits_in_parts) {
  static const int64_t rows[] = {LSQ_PRODUCT_DEPTH * LSQ_PRODUCT_DEPTH + 1, 17000, 20096}, widths[] = {1, 7, 192};
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int i = 0; i < 9; i++) {
    const int64_t K = rows[i / 3], N = widths[i % 3], M = 5;
    real *A = numbers(K * M, 1), *B = numbers(K * N, 2), *whole = filled(M * N, 0), *C = filled(M * N, 0);
    kernels->product_tn(M, N, K, A, M, B, N, whole, N, 0);
    for (int64_t k = 0, part = 0; k < K; k += part) {
      const int64_t blocks = (K - k) / LSQ_PRODUCT_DEPTH, some = k / 1000 + 1;
      part = blocks == 0 ? K - k : LSQ_PRODUCT_DEPTH * (some < blocks ? some : blocks);
      kernels->product_tn(M, N, part, A + k * M, M, B + k * N, N, C, N, k > 0);
    }
    ck_assert_mem_eq(whole, C, (size_t)(M * N) * sizeof *C);
    discard(A);
    discard(B);
    discard(whole);
    discard(C);
  }
}
END_TEST

/* A Toeplitz product and its two vector-Jacobian products; lag in lo..hi, rows first .. first + count - 1 of y. */
typedef struct {
  int64_t T, D, lo, hi, first, count;
  real *F, *bias, *u, *y, *dy, *du, *dF;
} convolution;

static convolution convolution_create(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count) {
  convolution c = {.T = T, .D = D, .lo = lo, .hi = hi, .first = first, .count = count};
  c.F = numbers((2 * T - 1) * D, 1);
  c.bias = numbers(D, 2);
  c.u = numbers(T * D, 3);
  c.y = filled(count * D, (real)NAN);
  c.dy = numbers(count * D, 4);
  c.du = numbers(T * D, 5);
  c.dF = numbers((2 * T - 1) * D, 6);
  return c;
}

static void convolution_destroy(convolution c) {
  discard(c.F);
  discard(c.bias);
  discard(c.u);
  discard(c.y);
  discard(c.dy);
  discard(c.du);
  discard(c.dF);
}

static void assert_sum(real got, long double wanted, long double size, int64_t terms) {
  if (fabsl(got - wanted) <= (long double)(2 * terms + 2) * UNIT * size) return;
  ck_abort_msg("%.9g, not %.9Lg", (double)got, wanted);
}

static void assert_toeplitz(const convolution *c, int with_bias) {
  for (int64_t t = c->first; t < c->first + c->count; t++) {
    for (int64_t d = 0; d < c->D; d++) {
      long double sum = with_bias ? c->bias[d] : 0, size = fabsl(sum);
      for (int64_t s = 0; s < c->T; s++) {
        if (t - s < c->lo || t - s > c->hi) continue;
        long double term = (long double)c->F[(t - s + c->T - 1) * c->D + d] * c->u[s * c->D + d];
        sum += term;
        size += fabsl(term);
      }
      assert_sum(c->y[(t - c->first) * c->D + d], sum, size, c->T);
    }
  }
}

/* What the two products add: into `input` (T,D) and `filter` (2T-1,D), with the sizes of their terms. */
static void assert_toeplitz_gradients(const convolution *c, const real *du0, const real *dF0) {
  const int64_t D = c->D, lags = 2 * c->T - 1;
  for (int64_t d = 0; d < D; d++) {
    for (int64_t s = 0; s < c->T; s++) {
      long double sum = du0[s * D + d], size = fabsl(sum);
      for (int64_t t = max(c->first, s + c->lo); t < c->first + c->count && t <= s + c->hi; t++) {
        long double term = (long double)c->F[(t - s + c->T - 1) * D + d] * c->dy[(t - c->first) * D + d];
        sum += term;
        size += fabsl(term);
      }
      assert_sum(c->du[s * D + d], sum, size, c->T);
    }
    for (int64_t l = 0; l < lags; l++) {
      long double sum = dF0[l * D + d], size = fabsl(sum);
      const int64_t lag = l - (c->T - 1);
      for (int64_t t = c->first; t < c->first + c->count && lag >= c->lo && lag <= c->hi; t++) {
        if (t - lag < 0 || t - lag >= c->T) continue;
        long double term = (long double)c->u[(t - lag) * D + d] * c->dy[(t - c->first) * D + d];
        sum += term;
        size += fabsl(term);
      }
      assert_sum(c->dF[l * D + d], sum, size, c->T);
    }
  }
}

static void check_convolution(const table *kernels, int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first,
                              int64_t count) {
  convolution c = convolution_create(T, D, lo, hi, first, count);
  real *du0 = numbers(T * D, 5), *dF0 = numbers((2 * T - 1) * D, 6);
  kernels->toeplitz(T, D, lo, hi, first, count, c.F, c.bias, c.u, c.y);
  assert_toeplitz(&c, 1);
  kernels->toeplitz(T, D, lo, hi, first, count, c.F, NULL, c.u, c.y);
  assert_toeplitz(&c, 0);
  kernels->toeplitz_input(T, D, lo, hi, first, count, c.F, c.dy, c.du);
  kernels->toeplitz_filter(T, D, lo, hi, first, count, c.u, c.dy, c.dF);
  assert_toeplitz_gradients(&c, du0, dF0);
  discard(du0);
  discard(dF0);
  convolution_destroy(c);
}

START_TEST(toeplitz_products_are_right) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t T = 1; T <= 13; T++) {
    for (int64_t D = 1; D <= 70; D += (D < 10 ? 2 : 11)) {
      int64_t hi = (T + 1) / 2 < T - 1 ? (T + 1) / 2 : T - 1;
      check_convolution(kernels, T, D, 0, T - 1, 0, T);
      check_convolution(kernels, T, D, 1 - T, T - 1, 0, T);
      check_convolution(kernels, T, D, 0, hi, T - 1, 1);
      check_convolution(kernels, T, D, -(T / 2), hi, T / 3, T - T / 3);
    }
  }
  check_convolution(kernels, 65, 21, 0, 64, 0, 65);
  check_convolution(kernels, 40, 64, -39, 3, 7, 12);
}
END_TEST

START_TEST(a_row_of_a_toeplitz_product_has_the_same_bits_alone) {
  enum { T = 21, D = 37 };
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t lo = 1 - T; lo <= 0; lo += T - 1) {
    convolution c = convolution_create(T, D, lo, T - 1, 0, T);
    real *row = filled(D, 0);
    kernels->toeplitz(T, D, lo, T - 1, 0, T, c.F, c.bias, c.u, c.y);
    for (int64_t t = 0; t < T; t++) {
      kernels->toeplitz(T, D, lo, T - 1, t, 1, c.F, c.bias, c.u, row);
      EACH(memcmp(row, c.y + t * D, D * sizeof(real)) == 0);
    }
    discard(row);
    convolution_destroy(c);
  }
}
END_TEST

START_TEST(nan_travels_through_toeplitz_products) {
  enum { T = 9, D = 19 };
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  convolution c = convolution_create(T, D, 0, T - 1, 0, T);
  for (int64_t i = 0; i < (2 * T - 1) * D; i++) c.F[i] = 0;
  c.u[4 * D + 3] = (real)NAN;
  kernels->toeplitz(T, D, 0, T - 1, 0, T, c.F, NULL, c.u, c.y);
  for (int64_t t = 0; t < T; t++) {
    for (int64_t d = 0; d < D; d++) EACH(!isnan(c.y[t * D + d]) == !(t >= 4 && d == 3));
  }
  convolution_destroy(c);
}
END_TEST

/* Two roundings, never one: contraction is off outside the products. volatile keeps the compiler from contracting here.
 */
static real sum_of_product(real a, real b, real c) {
  volatile real product = a * b;
  return c + product;
}

START_TEST(elementwise_kernels_round_each_operation) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t n = 0; n <= 70; n++) {
    real *a = numbers(n, 1), *b = numbers(n, 2), *y = numbers(n + 1, 3), *y0 = numbers(n + 1, 3);
    y[n] = UNTOUCHED;
    kernels->multiply_add(n, a, b, y);
    for (int64_t i = 0; i < n; i++) EACH(y[i] == sum_of_product(a[i], b[i], y0[i]));
    memcpy(y, y0, (size_t)n * sizeof(real));
    kernels->axpy(n, (real)0.3, a, y);
    for (int64_t i = 0; i < n; i++) EACH(y[i] == sum_of_product((real)0.3, a[i], y0[i]));
    kernels->multiply(n, a, b, y);
    for (int64_t i = 0; i < n; i++) EACH(y[i] == a[i] * b[i]);
    kernels->scale(n, (real)0.7, a, y);
    for (int64_t i = 0; i < n; i++) EACH(y[i] == (real)0.7 * a[i]);
    EACH(is_untouched(y[n]));
    discard(a);
    discard(b);
    discard(y);
    discard(y0);
  }
}
END_TEST

START_TEST(elementwise_kernels_work_in_place) {
  enum { COUNT = 53 };
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  real *a = numbers(COUNT, 1), *b = numbers(COUNT, 2), *y = numbers(COUNT, 1);
  kernels->multiply(COUNT, y, b, y);
  for (int64_t i = 0; i < COUNT; i++) EACH(y[i] == a[i] * b[i]);
  kernels->scale(COUNT, 3, y, y);
  for (int64_t i = 0; i < COUNT; i++) EACH(y[i] == 3 * (a[i] * b[i]));
  discard(a);
  discard(b);
  discard(y);
}
END_TEST

START_TEST(dot_is_right_and_carries_nan) {
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (int64_t n = 0; n <= 300; n += n < 70 ? 1 : 23) {
    real *a = numbers(n, 1), *b = numbers(n, 2);
    long double sum = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
      sum += (long double)a[i] * b[i];
      size += fabsl((long double)a[i] * b[i]);
    }
    assert_sum(kernels->dot(n, a, b), sum, size, n);
    for (int64_t i = 0; i < n; i += 7) {
      real kept = a[i];
      a[i] = (real)NAN;
      EACH(isnan(kernels->dot(n, a, b)));
      a[i] = kept;
    }
    discard(a);
    discard(b);
  }
}
END_TEST

START_TEST(column_sums_add_to_what_is_there) {
  static const int64_t rows[] = {0, 1, 2, 127, 128, 129, 300};
  const table *kernels = level_table(_i);
  if (kernels == NULL) return;
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    for (int64_t N = 1; N <= 40; N++) {
      const int64_t M = rows[r], lda = N + 3;
      real *A = numbers(M * lda, 1), *s = numbers(N + 1, 2), *s0 = numbers(N + 1, 2);
      s[N] = UNTOUCHED;
      kernels->column_sums(M, N, A, lda, s);
      for (int64_t j = 0; j < N; j++) {
        long double sum = s0[j], size = fabsl(sum);
        for (int64_t i = 0; i < M; i++) {
          sum += A[i * lda + j];
          size += fabsl((long double)A[i * lda + j]);
        }
        assert_sum(s[j], sum, size, M);
      }
      EACH(is_untouched(s[N]));
      discard(A);
      discard(s);
      discard(s0);
    }
  }
}
END_TEST

START_TEST(levels_up_to_the_best_are_there_and_no_other) {
  const table *best = level_table(LSQNET_KERNEL_AUTO);
  ck_assert_ptr_nonnull(best);
  for (int level = -1; level <= 6; level++) {
    const table *kernels = level_table(level);
    if (level == LSQNET_KERNEL_AUTO) continue;
    EACH((kernels != NULL) == (level >= LSQNET_KERNEL_GENERIC && level <= best->level));
    if (kernels != NULL) ck_assert_int_eq(kernels->level, level);
  }
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create(LSQ_PRECISION == 64 ? "kernels" : "kernels_f32");
  SRunner *runner = srunner_create(suite);
  const int first = LSQNET_KERNEL_GENERIC, end = LSQNET_KERNEL_X86_64_V4 + 1;
  tcase_set_timeout(claims, 120);
  tcase_add_loop_test(claims, products_of_small_matrices_are_right, first, end);
  tcase_add_loop_test(claims, products_of_larger_matrices_are_right, first, end);
  tcase_add_loop_test(claims, products_over_nothing_are_the_bias_or_zero, first, end);
  tcase_add_loop_test(claims, products_without_rows_or_columns_write_nothing, first, end);
  tcase_add_loop_test(claims, a_row_has_the_same_bits_alone_and_in_a_batch, first, end);
  tcase_add_loop_test(claims, the_bits_of_a_product_do_not_depend_on_alignment, first, end);
  tcase_add_loop_test(claims, nan_travels_through_products, first, end);
  tcase_add_loop_test(claims, long_sums_keep_their_accuracy, first, end);
  tcase_add_loop_test(claims, long_products_have_the_same_bits_in_parts, first, end);
  tcase_add_loop_test(claims, toeplitz_products_are_right, first, end);
  tcase_add_loop_test(claims, a_row_of_a_toeplitz_product_has_the_same_bits_alone, first, end);
  tcase_add_loop_test(claims, nan_travels_through_toeplitz_products, first, end);
  tcase_add_loop_test(claims, elementwise_kernels_round_each_operation, first, end);
  tcase_add_loop_test(claims, elementwise_kernels_work_in_place, first, end);
  tcase_add_loop_test(claims, dot_is_right_and_carries_nan, first, end);
  tcase_add_loop_test(claims, column_sums_add_to_what_is_there, first, end);
  tcase_add_test(claims, levels_up_to_the_best_are_there_and_no_other);
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
