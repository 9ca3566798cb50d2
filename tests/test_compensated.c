/* Residuals in pairs against exact integers: entries are multiples of a power of two, so that sums of products fit 128
 * bits. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/compensated.h"
#include "kernels/kernels.h"
#include "kernels/pair.h"

__extension__ typedef __int128 wide;

enum { MOST = 40 * 40, UNIT = 104 };

/* A system whose numbers are integers times 2^-52: A and x have 53 bits, b 104 in its two parts. Sums are integers
 * times UNIT. */
typedef struct {
  int64_t m, n, lda;
  double A[MOST], A_low[MOST], x[MOST], x_low[MOST], b[MOST], b_low[MOST], r[MOST], r_low[MOST];
} system_t;

static uint64_t state;

static uint64_t random_bits(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 11;
}

/* A multiple of 2^(1-bits) in [-1,1). */
static double fraction(int bits) { return ldexp((double)(random_bits() >> (53 - bits)), 1 - bits) - 1; }

/* x in units; x times 2^52, for factors. */
static wide integer(double x) { return (wide)ldexp(x, UNIT); }
static wide factor(double x) { return (wide)ldexp(x, UNIT / 2); }

static double magnitude(wide x) { return fabs((double)x); }

static const struct lsq_kernels_f64 *level_table(int level) { return lsq_kernels_choose_f64(level); }

/* Numbers of `bits` bits; b cancels A x but for its last digits. */
static void fill(system_t *s, int64_t m, int64_t n, int bits) {
  memset(s, 0, sizeof *s);
  s->m = m;
  s->n = n;
  s->lda = n + 3;
  for (int64_t i = 0; i < m * s->lda; i++) s->A[i] = fraction(bits);
  for (int64_t j = 0; j < n; j++) s->x[j] = fraction(bits);
  for (int64_t i = 0; i < m; i++) {
    wide sum = 0;
    for (int64_t j = 0; j < n; j++) sum += factor(s->A[i * s->lda + j]) * factor(s->x[j]);
    s->b[i] = ldexp((double)sum, -UNIT);
    s->r[i] = fraction(bits);
  }
}

/* Low parts below half a unit in the last place of 1. */
static void fill_low(system_t *s, int bits) {
  for (int64_t i = 0; i < s->m * s->lda; i++) s->A_low[i] = ldexp(fraction(bits), -54);
  for (int64_t j = 0; j < s->n; j++) s->x_low[j] = ldexp(fraction(bits), -54);
  for (int64_t i = 0; i < s->m; i++) {
    s->b_low[i] = ldexp(fraction(bits), -54);
    s->r_low[i] = ldexp(fraction(bits), -54);
  }
}

/* (a + a_low) (x + x_low), exact but for a_low x_low, in units. */
static wide product(double a, double a_low, double x, double x_low) {
  return factor(a) * factor(x) + integer(a_low * x) + integer(a * x_low);
}

/* high + low is within n 2^-104 of the terms' magnitudes of the exact sum, and is rounded to nearest. */
static void assert_pair(double high, double low, wide exact, double size, int64_t n) {
  double error = magnitude(integer(high) + integer(low) - exact), tolerance = (double)n * ldexp(size, -UNIT);
  if (!(error <= tolerance)) ck_abort_msg("off by %g, %g allowed, of %g", error, tolerance, size);
  if (!(high + low == high)) ck_abort_msg("%a + %a is no pair", high, low);
}

static void assert_residual(const struct lsq_kernels_f64 *kernels, const system_t *s, int with_low) {
  double r[MOST], r_low[MOST];
  lsq_residual(kernels, s->m, s->n, s->A, with_low ? s->A_low : NULL, s->lda, s->x, with_low ? s->x_low : NULL, s->b,
               with_low ? s->b_low : NULL, r, r_low);
  for (int64_t i = 0; i < s->m; i++) {
    wide sum = integer(s->b[i]) + integer(s->b_low[i]);
    double size = magnitude(sum);
    for (int64_t j = 0; j < s->n; j++) {
      wide term = product(s->A[i * s->lda + j], s->A_low[i * s->lda + j], s->x[j], s->x_low[j]);
      sum -= term;
      size += magnitude(term);
    }
    assert_pair(r[i], r_low[i], sum, size, s->n + 1);
  }
}

static void assert_transposed(const struct lsq_kernels_f64 *kernels, const system_t *s, int with_low) {
  double g[MOST], g_low[MOST];
  lsq_transposed_product(kernels, s->m, s->n, s->A, with_low ? s->A_low : NULL, s->lda, s->r,
                         with_low ? s->r_low : NULL, g, g_low);
  for (int64_t j = 0; j < s->n; j++) {
    wide sum = 0;
    double size = 0;
    for (int64_t i = 0; i < s->m; i++) {
      wide term = product(s->A[i * s->lda + j], s->A_low[i * s->lda + j], s->r[i], s->r_low[i]);
      sum += term;
      size += magnitude(term);
    }
    assert_pair(g[j], g_low[j], sum, size, s->m);
  }
}

START_TEST(pairs_are_right_to_twice_the_digits) {
  static system_t s;
  const struct lsq_kernels_f64 *kernels = level_table(_i);
  if (kernels == NULL) return;
  state = 1;
  for (int64_t m = 1; m <= 30; m++) {
    for (int64_t n = 1; n <= 30; n += 1 + m % 3) {
      fill(&s, m, n, 53);
      assert_residual(kernels, &s, 0);
      assert_transposed(kernels, &s, 0);
    }
  }
}
END_TEST

/* 25 bits in each part keep the cross products exact. */
START_TEST(low_parts_count) {
  static system_t s;
  const struct lsq_kernels_f64 *kernels = level_table(_i);
  if (kernels == NULL) return;
  state = 2;
  for (int64_t m = 1; m <= 20; m++) {
    for (int64_t n = 1; n <= 20; n += 1 + m % 3) {
      fill(&s, m, n, 25);
      fill_low(&s, 25);
      assert_residual(kernels, &s, 1);
      assert_transposed(kernels, &s, 1);
    }
  }
}
END_TEST

START_TEST(bits_are_the_same_on_every_level) {
  static system_t s;
  const struct lsq_kernels_f64 *kernels = level_table(_i), *generic = level_table(LSQNET_KERNEL_GENERIC);
  double got[4 * 40], wanted[4 * 40];
  if (kernels == NULL) return;
  state = 3;
  fill(&s, 33, 17, 53);
  fill_low(&s, 53);
  for (int low = 0; low < 2; low++) {
    const double *A_low = low ? s.A_low : NULL;
    lsq_residual(kernels, 33, 17, s.A, A_low, s.lda, s.x, s.x_low, s.b, s.b_low, got, got + 40);
    lsq_residual(generic, 33, 17, s.A, A_low, s.lda, s.x, s.x_low, s.b, s.b_low, wanted, wanted + 40);
    lsq_transposed_product(kernels, 33, 17, s.A, A_low, s.lda, s.r, s.r_low, got + 80, got + 120);
    lsq_transposed_product(generic, 33, 17, s.A, A_low, s.lda, s.r, s.r_low, wanted + 80, wanted + 120);
    for (int i = 0; i < 33; i++) {
      ck_assert(got[i] == wanted[i] && got[40 + i] == wanted[40 + i]);
      if (i < 17) ck_assert(got[80 + i] == wanted[80 + i] && got[120 + i] == wanted[120 + i]);
    }
  }
}
END_TEST

/* fma of the C library is the oracle: exact everywhere. */
START_TEST(products_are_exact_up_to_the_ends_of_the_range) {
  static const int exponents[][2] = {{0, 0},       {500, 500},   {511, 512},    {1023, 0}, {1023, -1},
                                     {1000, -900}, {-900, 1000}, {1023, -1023}, {996, 1},  {-400, -400}};
  const struct lsq_kernels_f64 *kernels = level_table(_i);
  if (kernels == NULL) return;
  state = 4;
  for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++) {
    for (int k = 0; k < 200; k++) {
      double a = ldexp(fraction(53), exponents[e][0]), x = ldexp(fraction(53), exponents[e][1]), zero = 0, r = 0,
             r_low = 0;
      lsq_residual(kernels, 1, 1, &a, NULL, 1, &x, NULL, &zero, NULL, &r, &r_low);
      ck_assert(r == -(a * x) && r_low == -fma(a, x, -(a * x)));
      lsq_transposed_product(kernels, 1, 1, &a, NULL, 1, &x, NULL, &r, &r_low);
      ck_assert(r == a * x && r_low == fma(a, x, -(a * x)));
    }
  }
}
END_TEST

START_TEST(nothing_to_sum_gives_b_or_zero) {
  double A[4] = {1, 2, 3, 4}, b[2] = {5, 6}, b_low[2] = {0x1p-60, 0}, r[2] = {9, 9}, r_low[2] = {9, 9};
  const struct lsq_kernels_f64 *kernels = level_table(_i);
  if (kernels == NULL) return;
  lsq_residual(kernels, 2, 0, A, NULL, 2, A, NULL, b, b_low, r, r_low);
  ck_assert(r[0] == 5 && r_low[0] == 0x1p-60 && r[1] == 6 && r_low[1] == 0);
  lsq_transposed_product(kernels, 0, 2, A, NULL, 2, b, NULL, r, r_low);
  ck_assert(r[0] == 0 && r_low[0] == 0 && r[1] == 0 && r_low[1] == 0);
}
END_TEST

START_TEST(nan_travels) {
  enum { M = 11, N = 9 };
  static system_t s;
  const struct lsq_kernels_f64 *kernels = level_table(_i);
  if (kernels == NULL) return;
  state = 5;
  fill(&s, M, N, 53);
  s.A[4 * s.lda + 2] = NAN;
  lsq_residual(kernels, M, N, s.A, NULL, s.lda, s.x, NULL, s.b, NULL, s.r, s.r_low);
  for (int i = 0; i < M; i++) ck_assert(!isnan(s.r[i]) == (i != 4));
  s.r[4] = 0;
  s.r_low[4] = 0;
  lsq_transposed_product(kernels, M, N, s.A, NULL, s.lda, s.r, s.r_low, s.b, s.b_low);
  for (int j = 0; j < N; j++) ck_assert(!isnan(s.b[j]) == (j != 2));
}
END_TEST

/* The header in this file's own build, which has no fma on x86-64: Dekker's way. */
START_TEST(sums_and_products_come_with_their_errors) {
  state = 6;
  for (int k = 0; k < 10000; k++) {
    double a = ldexp(fraction(53), k % 20), b = fraction(53), error = 0;
    double sum = lsq_two_sum(b, a, &error);
    ck_assert(sum == a + b && integer(sum) + integer(error) == integer(a) + integer(b));
    sum = lsq_fast_two_sum(fabs(a) > fabs(b) ? a : b, fabs(a) > fabs(b) ? b : a, &error);
    ck_assert(sum == a + b && integer(sum) + integer(error) == integer(a) + integer(b));
    ck_assert(lsq_two_product(a, b, &error) == a * b && error == fma(a, b, -(a * b)));
  }
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("compensated");
  SRunner *runner = srunner_create(suite);
  const int first = LSQNET_KERNEL_GENERIC, end = LSQNET_KERNEL_X86_64_V4 + 1;
  tcase_set_timeout(claims, 60);
  tcase_add_loop_test(claims, pairs_are_right_to_twice_the_digits, first, end);
  tcase_add_loop_test(claims, low_parts_count, first, end);
  tcase_add_loop_test(claims, bits_are_the_same_on_every_level, first, end);
  tcase_add_loop_test(claims, products_are_exact_up_to_the_ends_of_the_range, first, end);
  tcase_add_loop_test(claims, nothing_to_sum_gives_b_or_zero, first, end);
  tcase_add_loop_test(claims, nan_travels, first, end);
  tcase_add_test(claims, sums_and_products_come_with_their_errors);
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
