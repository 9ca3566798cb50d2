/* The hard problems, one row a problem: each ends right, by quadruple precision, or with the status that says why. The
 * table is printed. How such families behave over their parameters: test_solver_hard.c. */
#include <check.h>
#include <lsqnet/gels.h>
#include <stdio.h>

#include "problem.h"

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

/* ---- matrices: entry (i,j) of (m,n), with a parameter ---- */

typedef double entry(const problem *p, int64_t i, int64_t j, double parameter);

static double pattern(const problem *p, int64_t i, int64_t j, double size) {
  return size * sin(0.7 * (double)((i + 1) * (j + 2)) + (double)(i * p->n));
}

static double hilbert(const problem *p, int64_t i, int64_t j, double unused) {
  (void)p;
  (void)unused;
  return 1 / (double)(i + j + 1);
}

static double vandermonde(const problem *p, int64_t i, int64_t j, double unused) {
  (void)unused;
  return pow((double)(i + 1) / (double)p->m, (double)j);
}

static double laeuchli(const problem *p, int64_t i, int64_t j, double small) {
  (void)p;
  return i == 0 ? 1 : i == j + 1 ? small : 0;
}

static double kahan(const problem *p, int64_t i, int64_t j, double angle) {
  (void)p;
  return i > j ? 0 : pow(sin(angle), (double)i) * (i == j ? 1 : -cos(angle));
}

/* Rows of size 10^-range to 10^range. */
static double graded_rows(const problem *p, int64_t i, int64_t j, double range) {
  return pattern(p, i, j, pow(10, range * (2 * (double)i / (double)(p->m - 1) - 1)));
}

static double graded_columns(const problem *p, int64_t i, int64_t j, double range) {
  return pattern(p, i, j, pow(10, range * (2 * (double)j / (double)(p->n - 1) - 1)));
}

static double collinear(const problem *p, int64_t i, int64_t j, double apart) { return 1 + pattern(p, i, j, apart); }

static double zero_column(const problem *p, int64_t i, int64_t j, double column) {
  return j == (int64_t)column ? 0 : pattern(p, i, j, 1);
}

/* Only the first `different` rows differ. */
static double duplicate_rows(const problem *p, int64_t i, int64_t j, double different) {
  return pattern(p, i % (int64_t)different, j, 1);
}

/* Exactly of this rank: a product of small integers. */
static double of_rank(const problem *p, int64_t i, int64_t j, double rank) {
  double sum = 0;
  (void)p;
  for (int64_t l = 0; l < (int64_t)rank; l++)
    sum += (double)((7 * i * i + 3 * l * l + 5 * i * l) % 11 - 5) * (double)((5 * j * j + 11 * l + 3 * j * l) % 13 - 6);
  return sum;
}

static double one_nan(const problem *p, int64_t i, int64_t j, double value) {
  return i == 2 && j == 1 ? value : pattern(p, i, j, 1);
}

/* ---- the table ---- */

typedef struct {
  const char *name;
  int64_t m, n;
  entry *a;
  double parameter, b_size; /* b: a pattern of this size in every row, of the row's own size where rows are graded */
  int min_norm;
  lsqnet_status status; /* OK: right, or one of `others` that says why */
  int64_t rank;         /* to be reported; -1: not looked at */
  const char *message;  /* part of what lsqnet_last_message says; NULL: of OK */
} row;

static const row rows[] = {
    {"Hilbert, n = 6", 6, 6, hilbert, 0, 1, 0, LSQNET_OK, 6, NULL},
    {"Hilbert, n = 10, condition 1e13", 10, 10, hilbert, 0, 1, 0, LSQNET_OK, 10, NULL},
    {"Hilbert, n = 14, condition 1e17", 14, 14, hilbert, 0, 1, 0, LSQNET_E_RANK, -1, "rank"},
    {"Vandermonde, 20 x 8", 20, 8, vandermonde, 0, 1, 0, LSQNET_OK, 8, NULL},
    {"Vandermonde, 14 x 14", 14, 14, vandermonde, 0, 1, 0, LSQNET_OK, 14, NULL},
    {"Laeuchli, 1e-5", 6, 5, laeuchli, 1e-5, 1, 0, LSQNET_OK, 5, NULL},
    {"Laeuchli, 1e-9: A'A is singular", 6, 5, laeuchli, 1e-9, 1, 0, LSQNET_OK, 5, NULL},
    {"Laeuchli, 1e-20", 6, 5, laeuchli, 1e-20, 1, 0, LSQNET_E_RANK, 1, "rank 1 of n=5"},
    {"Kahan, n = 20, angle 1.2", 20, 20, kahan, 1.2, 1, 0, LSQNET_OK, 20, NULL},
    {"Kahan, n = 40, angle 1.2", 40, 40, kahan, 1.2, 1, 0, LSQNET_OK, 40, NULL},
    {"rows of 1e-2 to 1e2", 24, 4, graded_rows, 2, 1, 0, LSQNET_OK, 4, NULL},
    {"rows of 1e-20 to 1e20", 24, 4, graded_rows, 20, 1, 0, LSQNET_OK, 4, NULL},
    {"rows of 1e-150 to 1e150", 24, 4, graded_rows, 150, 1, 0, LSQNET_E_RANK, -1, "rank"},
    {"columns of 1e-150 to 1e150", 24, 4, graded_columns, 150, 1, 0, LSQNET_OK, 4, NULL},
    {"columns that agree but for 1e-6", 20, 3, collinear, 1e-6, 1, 0, LSQNET_OK, 3, NULL},
    {"columns that agree but for 1e-11", 20, 3, collinear, 1e-11, 1, 0, LSQNET_OK, 3, NULL},
    {"columns that agree but for roundings", 20, 3, collinear, 1e-16, 1, 0, LSQNET_E_RANK, -1, "of n=3"},
    {"a column of zeros", 20, 5, zero_column, 2, 1, 0, LSQNET_E_RANK, 4, "rank 4 of n=5"},
    {"a column of zeros, least norm", 20, 5, zero_column, 2, 1, 1, LSQNET_OK, 4, NULL},
    {"every row three times", 24, 5, duplicate_rows, 8, 1, 0, LSQNET_OK, 5, NULL},
    {"only three different rows", 24, 5, duplicate_rows, 3, 1, 0, LSQNET_E_RANK, 3, "rank 3 of n=5"},
    {"only three different rows, least norm", 24, 5, duplicate_rows, 3, 1, 1, LSQNET_OK, 3, NULL},
    {"rank too low by 1", 20, 8, of_rank, 7, 1, 0, LSQNET_E_RANK, 7, "rank 7 of n=8"},
    {"rank too low by 1, least norm", 20, 8, of_rank, 7, 1, 1, LSQNET_OK, 7, NULL},
    {"half the rank", 20, 8, of_rank, 4, 1, 0, LSQNET_E_RANK, 4, "rank 4 of n=8"},
    {"half the rank, least norm", 20, 8, of_rank, 4, 1, 1, LSQNET_OK, 4, NULL},
    {"m < n", 3, 7, pattern, 1, 1, 0, LSQNET_E_RANK, -1, "m=3 rows for n=7 unknowns"},
    {"m < n, least norm", 3, 7, pattern, 1, 1, 1, LSQNET_OK, 3, NULL},
    {"m = 0", 0, 4, pattern, 1, 1, 0, LSQNET_E_SHAPE, -1, "m=0"},
    {"n = 0", 4, 0, pattern, 1, 1, 0, LSQNET_E_SHAPE, -1, "n=0"},
    {"one row, one unknown", 1, 1, pattern, 1, 1, 0, LSQNET_OK, 1, NULL},
    {"one row, four unknowns", 1, 4, pattern, 1, 1, 0, LSQNET_E_RANK, -1, "m=1 rows for n=4 unknowns"},
    {"one row, four unknowns, least norm", 1, 4, pattern, 1, 1, 1, LSQNET_OK, 1, NULL},
    {"denormals in A and b", 20, 4, pattern, 1e-310, 1e-310, 0, LSQNET_OK, 4, NULL},
    {"denormals of four bits", 20, 4, pattern, 0x1p-1070, 0x1p-1070, 0, LSQNET_OK, 4, NULL},
    {"denormals in A, an answer that overflows", 20, 4, pattern, 1e-310, 1, 0, LSQNET_E_NOT_FINITE, -1, "exceeds"},
    {"near overflow in A and b", 20, 4, pattern, DBL_MAX, DBL_MAX, 0, LSQNET_OK, 4, NULL},
    {"near overflow in A, a small b", 20, 4, pattern, DBL_MAX, 1e3, 0, LSQNET_OK, 4, NULL},
    {"all zeros", 6, 3, pattern, 0, 1, 0, LSQNET_E_RANK, 0, "rank 0 of n=3"},
    {"b = 0", 20, 4, pattern, 1, 0, 0, LSQNET_OK, 4, NULL},
    {"NaN in A", 20, 4, one_nan, (double)NAN, 1, 0, LSQNET_E_NOT_FINITE, -1, "row 2, column 1"},
    {"infinity in A", 20, 4, one_nan, (double)INFINITY, 1, 0, LSQNET_E_NOT_FINITE, -1, "row 2, column 1"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static problem problem_of(const row *r) {
  problem p = problem_create(r->m, r->n, 1, 0);
  for (int64_t i = 0; i < p.m; i++) {
    for (int64_t j = 0; j < p.n; j++) p.a[i * p.n + j] = r->a(&p, i, j, r->parameter);
    const double size = r->a == graded_rows ? r->a(&p, i, 0, r->parameter) : 1;
    p.b[i] = r->b_size * size * cos((double)(2 * i + 1));
  }
  for (int64_t j = 0; j < p.n; j++) p.x[j] = 42;
  return p;
}

/* Rank, digits and backward error of an answer that was called right. */
static void check_right(const row *r, problem *p, const lsqnet_report *report) {
  const int64_t rank = problem_truth(p, r->min_norm ? 1e-25 : 0);
  const double error = backward_error(p, 0), digits = right_digits(p, 0, DBL_EPSILON);
  ck_assert_int_eq(rank, report->rank);
  ck_assert_msg(error <= 10 * (double)p->n * DBL_EPSILON, "%s: backward error %g", r->name, error);
  ck_assert_msg(report->backward_error <= 2 * error + 0x1p-90, "%s: backward error %g reported, %g", r->name,
                report->backward_error, error);
  ck_assert_msg(report->digits <= digits + 1, "%s: %g digits reported, %g right", r->name, report->digits, digits);
  const double units = worst_error(p, DBL_EPSILON);
  if (rank == p->n) ck_assert_msg(units <= 2.5, "%s: %g units in the last place", r->name, units);
  if (rank < p->n) ck_assert_msg(digits >= 13, "%s: %g right digits", r->name, digits);
}

START_TEST(each_ends_right_or_with_the_status_that_says_why) {
  const row *r = &rows[_i];
  problem p = problem_of(r);
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_report report = {.size = sizeof report};
  options.min_norm = r->min_norm;
  lsqnet_solver *solver = solver_on(context, (model_kind){NULL, NULL, 0, 0, 0}, &options);
  const lsqnet_status st =
      lsqnet_solver_solve_f64(solver, p.m, p.n, 1, p.a, p.n > 0 ? p.n : 1, p.b, 1, p.x, 1, &report);
  printf("%-42s %-16s rank %2d, backward error %.1e, condition %.1e, %4.1f digits\n", r->name, lsqnet_status_name(st),
         (int)report.rank, report.backward_error, report.condition, report.digits);
  ck_assert_msg(st == r->status, "%s: %s: %s", r->name, lsqnet_status_name(st), lsqnet_last_message());
  if (st != LSQNET_E_SHAPE) ck_assert_int_eq(report.status, st);
  if (st != LSQNET_E_SHAPE && r->rank >= 0) ck_assert_int_eq(report.rank, r->rank);
  if (r->message != NULL)
    ck_assert_msg(strstr(lsqnet_last_message(), r->message) != NULL, "%s: %s", r->name, lsqnet_last_message());
  if (st == LSQNET_OK) check_right(r, &p, &report);
  if (st == LSQNET_E_NOT_CONVERGED) {
    (void)problem_truth(&p, 0);
    ck_assert(report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1);
  }
  for (int64_t j = 0; j < p.n && st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED; j++) ck_assert(p.x[j] == 42);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* lsqnet_dgels, which has no options: wide problems get the least norm, and info = 0 means right. */
START_TEST(dgels_ends_right_or_says_why_too) {
  const row *r = &rows[_i];
  problem p = problem_of(r);
  const int64_t longest = p.m > p.n ? p.m : p.n, least = p.m < p.n ? p.m : p.n;
  double *b = doubles(longest);
  lsqnet_report report = {.size = sizeof report};
  memcpy(b, p.b, (size_t)p.m * sizeof *b);
  const int32_t info =
      lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', (int32_t)p.m, (int32_t)p.n, 1, p.a, p.n > 0 ? (int32_t)p.n : 1, b, 1);
  const int refused = info > 0 && info <= least + 1, none = isnan(r->parameter) || isinf(r->parameter);
  if (r->status == LSQNET_OK && !(r->min_norm && r->rank < least)) ck_assert_msg(info == 0, "%s: %d", r->name, info);
  if (none) ck_assert_int_eq(info, -6);
  ck_assert_msg(info == 0 || refused || none, "%s: info = %d", r->name, (int)info);
  if (info == 0 && least > 0) {
    memcpy(p.x, b, (size_t)p.n * sizeof *b);
    const int zero = p.a[0] == 0 && r->a == pattern;
    report.rank = zero ? 0 : least;
    report.digits = 0;
    if (zero) ck_assert(p.x[0] == 0 && p.x[1] == 0 && p.x[2] == 0);
    if (!zero) check_right(&(row){.name = r->name, .min_norm = p.m < p.n}, &p, &report);
  }
  if (least == 0)
    for (int64_t i = 0; i < longest; i++) ck_assert(b[i] == 0);
  free(b);
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("hard problems, one by one");
  TCase *table = tcase_create("table");
  tcase_add_checked_fixture(table, setup, teardown);
  tcase_set_timeout(table, 60);
  suite_add_tcase(suite, table);
  tcase_add_loop_test(table, each_ends_right_or_with_the_status_that_says_why, 0, ROWS);
  tcase_add_loop_test(table, dgels_ends_right_or_says_why_too, 0, ROWS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
