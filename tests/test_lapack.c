#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernels/lapack.h"

static double *work_for(int64_t m, int64_t n) {
  double *work = malloc((size_t)(lsq_lapack_size(m, n) + 1) * sizeof *work);
  ck_assert_ptr_nonnull(work);
  return work;
}

/* Integers, so that the answers are known; distances between rows beyond the widths. */
START_TEST(a_consistent_system_gives_its_solution_and_rank) {
  const double A[4 * 3] = {1, 0, 9, 0, 2, 9, 1, 1, 9, 3, -1, 9}, b[4] = {1, 4, 3, 1};
  double x[3] = {7, 7, 7}, *work = work_for(4, 2);
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(4, 2, A, 3, b, x, &rank, work), LSQNET_OK);
  ck_assert_int_eq(rank, 2);
  /* a norm-wise stable method on a system of condition below 3: some tens of roundings of 3 */
  ck_assert(fabs(x[0] - 1) <= 40 * DBL_EPSILON && fabs(x[1] - 2) <= 40 * DBL_EPSILON);
  ck_assert(x[2] == 7);
  free(work);
}
END_TEST

START_TEST(dependent_columns_give_the_answer_of_least_norm) {
  const double A[3 * 2] = {1, 1, 2, 2, 3, 3}, b[3] = {2, 4, 6};
  double x[2] = {0, 0}, *work = work_for(3, 2);
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(3, 2, A, 2, b, x, &rank, work), LSQNET_OK);
  ck_assert_int_eq(rank, 1);
  ck_assert(fabs(x[0] - 1) <= 20 * DBL_EPSILON && fabs(x[1] - 1) <= 20 * DBL_EPSILON);
  free(work);
}
END_TEST

START_TEST(fewer_rows_than_unknowns_give_the_answer_of_least_norm) {
  const double A[3] = {1, 2, 2}, b[1] = {9};
  double x[3] = {0, 0, 0}, *work = work_for(1, 3);
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(1, 3, A, 3, b, x, &rank, work), LSQNET_OK);
  ck_assert_int_eq(rank, 1);
  for (int j = 0; j < 3; j++) ck_assert(fabs(x[j] - A[j]) <= 20 * DBL_EPSILON);
  free(work);
}
END_TEST

/* Valgrind and AddressSanitizer see a write beyond the size that was asked for. */
START_TEST(the_size_is_enough_for_any_shape) {
  for (int64_t m = 1; m <= 90; m += 29)
    for (int64_t n = 1; n <= 90; n += 29) {
      double *A = malloc((size_t)(m * n) * sizeof *A), *b = malloc((size_t)m * sizeof *b);
      double *x = malloc((size_t)n * sizeof *x), *work = work_for(m, n);
      int64_t rank = 0;
      for (int64_t i = 0; i < m * n; i++) A[i] = (double)(i * i % 17) - (i % (n + 1) == 0 ? 90 : 8);
      for (int64_t i = 0; i < m; i++) b[i] = (double)i;
      ck_assert_int_eq(lsq_lapack_least_squares(m, n, A, n, b, x, &rank, work), LSQNET_OK);
      ck_assert_int_eq(rank, m < n ? m : n);
      free(work);
      free(x);
      free(b);
      free(A);
    }
}
END_TEST

/* dgelsd loops for ever, or calls XERBLA. */
START_TEST(numbers_that_lapack_is_not_fit_for_are_not_handed_to_it) {
  const double values[] = {NAN, INFINITY, -INFINITY, 0x1p401, -DBL_MAX};
  for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
    for (int in_b = 0; in_b < 2; in_b++) {
      double A[7 * 3] = {1, 0, 9, 0, 2, 9, 1, 1, 9, 3, -1, 9, 2, 2, 2, 5, 6, 7, 8, 9, 1}, b[7] = {1, 4, 3, 1, 1, 1, 1};
      double x[3] = {7, 7, 7}, *work = work_for(7, 3);
      int64_t rank = 7;
      *(in_b ? &b[6] : &A[10]) = values[v];
      ck_assert_int_eq(lsq_lapack_least_squares(7, 3, A, 3, b, x, &rank, work), LSQNET_E_NOT_FINITE);
      ck_assert(x[0] == 7 && x[2] == 7 && rank == 7);
      *(in_b ? &b[6] : &A[10]) = 0x1p400;
      ck_assert_int_eq(lsq_lapack_least_squares(7, 3, A, 3, b, x, &rank, work), LSQNET_OK);
      free(work);
    }
}
END_TEST

START_TEST(sizes_beyond_32_bits_are_refused) {
  double number = 1;
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_size(INT64_C(1) << 32, 1), 0);
  ck_assert_int_eq(lsq_lapack_least_squares(INT64_C(1) << 32, 1, &number, 1, &number, &number, &rank, &number),
                   LSQNET_E_SHAPE);
  ck_assert_str_eq(lsqnet_last_message(), "m=4294967296 n=1: more than LAPACK's 32-bit sizes hold");
}
END_TEST

START_TEST(a_build_without_lapack_says_so) {
  double number = 1;
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(1, 1, &number, 1, &number, &number, &rank, &number), LSQNET_E_UNSUPPORTED);
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("lapack");
  SRunner *runner = srunner_create(suite);
  if (lsq_have_lapack()) {
    tcase_add_test(claims, a_consistent_system_gives_its_solution_and_rank);
    tcase_add_test(claims, dependent_columns_give_the_answer_of_least_norm);
    tcase_add_test(claims, fewer_rows_than_unknowns_give_the_answer_of_least_norm);
    tcase_add_test(claims, the_size_is_enough_for_any_shape);
    tcase_add_test(claims, numbers_that_lapack_is_not_fit_for_are_not_handed_to_it);
    tcase_add_test(claims, sizes_beyond_32_bits_are_refused);
  } else {
    tcase_add_test(claims, a_build_without_lapack_says_so);
  }
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
