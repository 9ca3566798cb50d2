#include <check.h>
#include <float.h>
#include <math.h>

#include "base/context.h"
#include "kernels/lapack.h"

static lsqnet_context *context;

static void setup(void) {
  lsqnet_context_options options = {.size = sizeof options, .threads = 1, .log_level = LSQNET_LOG_WARNING};
  ck_assert_int_eq(lsq_context_create(&context, &options), LSQNET_OK);
}

static void teardown(void) { lsq_context_free(context); }

/* Integers, so that the answers are known; distances between rows beyond the widths. */
START_TEST(a_consistent_system_gives_its_solution_and_rank) {
  const double A[4 * 3] = {1, 0, 9, 0, 2, 9, 1, 1, 9, 3, -1, 9}, B[4 * 3] = {1, 3, 9, 4, 2, 9, 3, 4, 9, 1, 8, 9};
  double X[2 * 4] = {7, 7, 7, 7, 7, 7, 7, 7};
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(context, 4, 2, 2, A, 3, B, 3, X, 4, &rank), LSQNET_OK);
  ck_assert_int_eq(rank, 2);
  /* a norm-wise stable method on a system of condition below 3: some tens of roundings of 3 */
  ck_assert(fabs(X[0] - 1) <= 40 * DBL_EPSILON && fabs(X[4] - 2) <= 40 * DBL_EPSILON);
  ck_assert(fabs(X[1] - 3) <= 40 * DBL_EPSILON && fabs(X[5] - 1) <= 40 * DBL_EPSILON);
  ck_assert(X[2] == 7 && X[3] == 7 && X[6] == 7 && X[7] == 7);
}
END_TEST

START_TEST(dependent_columns_give_the_answer_of_least_norm) {
  const double A[3 * 2] = {1, 1, 2, 2, 3, 3}, b[3] = {2, 4, 6};
  double x[2] = {0, 0};
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(context, 3, 2, 1, A, 2, b, 1, x, 1, &rank), LSQNET_OK);
  ck_assert_int_eq(rank, 1);
  ck_assert(fabs(x[0] - 1) <= 20 * DBL_EPSILON && fabs(x[1] - 1) <= 20 * DBL_EPSILON);
}
END_TEST

START_TEST(fewer_rows_than_unknowns_give_the_answer_of_least_norm) {
  const double A[3] = {1, 2, 2}, b[1] = {9};
  double x[3] = {0, 0, 0};
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(context, 1, 3, 1, A, 3, b, 1, x, 1, &rank), LSQNET_OK);
  ck_assert_int_eq(rank, 1);
  for (int j = 0; j < 3; j++) ck_assert(fabs(x[j] - A[j]) <= 20 * DBL_EPSILON);
}
END_TEST

START_TEST(sizes_beyond_32_bits_are_refused) {
  double number = 1;
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(context, INT64_C(1) << 32, 1, 1, &number, 1, &number, 1, &number, 1, &rank),
                   LSQNET_E_SHAPE);
  ck_assert_str_eq(lsqnet_last_message(), "m=4294967296 n=1 k=1: more than LAPACK's 32-bit sizes hold");
}
END_TEST

START_TEST(a_build_without_lapack_says_so) {
  double number = 1;
  int64_t rank = 0;
  ck_assert_int_eq(lsq_lapack_least_squares(context, 1, 1, 1, &number, 1, &number, 1, &number, 1, &rank),
                   LSQNET_E_UNSUPPORTED);
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("lapack");
  SRunner *runner = srunner_create(suite);
  tcase_add_checked_fixture(claims, setup, teardown);
  if (lsq_have_lapack()) {
    tcase_add_test(claims, a_consistent_system_gives_its_solution_and_rank);
    tcase_add_test(claims, dependent_columns_give_the_answer_of_least_norm);
    tcase_add_test(claims, fewer_rows_than_unknowns_give_the_answer_of_least_norm);
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
