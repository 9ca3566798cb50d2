/* The hard problems, one row a problem: each ends right, by quadruple precision, or with the status that says why,
 * alone and among easy ones in a batch, in float64 and in float32. The table is printed. How such families behave over
 * their parameters: test_solver_hard.c. */
#include <check.h>
#include <lsqnet/gels.h>
#include <stdio.h>

#include "batch.h"

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

/* A third of the numbers are not 0. */
static double sparse(const problem *p, int64_t i, int64_t j, double size) {
  return (i + 2 * j) % 3 == 0 ? pattern(p, i, j, size) : 0;
}

/* Diagonal 1, 3.1, ..: with b = (first, 0.7, ..) the first unknown is `first`, however small, and even 0. */
static double lower_triangle(const problem *p, int64_t i, int64_t j, double first) {
  (void)p;
  (void)first;
  return i < j ? 0 : i == j ? 1 + 2.1 * (double)i : 0.1 * (double)(i - j);
}

/* b is what the columns leave of it, so that they are orthogonal to it but for its roundings. */
static double fitted_before(const problem *p, int64_t i, int64_t j, double size) { return pattern(p, i, j, size); }

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
    {"a third of the numbers not 0", 20, 5, sparse, 1, 1, 0, LSQNET_OK, 5, NULL},
    {"a third of the numbers not 0, square", 6, 6, sparse, 1, 1, 0, LSQNET_OK, 6, NULL},
    {"triangle, 2 x 2, an unknown of 1e-31", 2, 2, lower_triangle, 1e-31, 1, 0, LSQNET_OK, 2, NULL},
    {"triangle, 2 x 2, an unknown of 1e-15", 2, 2, lower_triangle, 1e-15, 1, 0, LSQNET_OK, 2, NULL},
    {"triangle, 2 x 2, an unknown of 0", 2, 2, lower_triangle, 0, 1, 0, LSQNET_OK, 2, NULL},
    {"triangle, 5 x 5, an unknown of 1e-31", 5, 5, lower_triangle, 1e-31, 1, 0, LSQNET_OK, 5, NULL},
    {"triangle, 5 x 5, an unknown of 0", 5, 5, lower_triangle, 0, 1, 0, LSQNET_OK, 5, NULL},
    {"b orthogonal to A but for roundings", 20, 4, fitted_before, 1, 1, 0, LSQNET_OK, 4, NULL},
    {"the same, 12 x 5", 12, 5, fitted_before, 1, 1, 0, LSQNET_OK, 5, NULL},
    {"the same, 15 x 6", 15, 6, fitted_before, 1, 1, 0, LSQNET_OK, 6, NULL},
    {"the same, 40 x 8", 40, 8, fitted_before, 1, 1, 0, LSQNET_OK, 8, NULL},
    {"the same, 700 x 4", 700, 4, fitted_before, 1, 1, 0, LSQNET_OK, 4, NULL},
    {"the same, 3 x 2", 3, 2, fitted_before, 1, 1, 0, LSQNET_OK, 2, NULL},
    {"the same, A of 1e-15", 20, 4, fitted_before, 1e-15, 1, 0, LSQNET_OK, 4, NULL},
    {"NaN in A", 20, 4, one_nan, (double)NAN, 1, 0, LSQNET_E_NOT_FINITE, -1, "row 2, column 1"},
    {"infinity in A", 20, 4, one_nan, (double)INFINITY, 1, 0, LSQNET_E_NOT_FINITE, -1, "row 2, column 1"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static double rounded(double value, int narrow) { return narrow ? (double)(float)value : value; }

/* b <- b - A x of least squares. */
static void leave_residual(problem *p) {
  (void)problem_truth(p, 0);
  for (int64_t i = 0; i < p->m; i++) {
    quad left = p->b[i];
    for (int64_t j = 0; j < p->n; j++) left -= p->a[i * p->n + j] * p->truth[j];
    p->b[i] = (double)left;
  }
}

static double side_of(const row *r, const problem *p, int64_t i) {
  if (r->a == lower_triangle) return i == 0 ? r->parameter : 0.7;
  const double size = r->a == graded_rows ? r->a(p, i, 0, r->parameter) : 1;
  return r->b_size * size * cos((double)(2 * i + 1));
}

/* All numbers are floats if it is narrow. */
static problem problem_of(const row *r, int narrow) {
  problem p = problem_create(r->m, r->n, 1, 0);
  for (int64_t i = 0; i < p.m; i++) {
    for (int64_t j = 0; j < p.n; j++) p.a[i * p.n + j] = rounded(r->a(&p, i, j, r->parameter), narrow);
    p.b[i] = side_of(r, &p, i);
  }
  if (r->a == fitted_before) leave_residual(&p);
  for (int64_t i = 0; i < p.m; i++) p.b[i] = rounded(p.b[i], narrow);
  for (int64_t j = 0; j < p.n; j++) p.x[j] = 42;
  return p;
}

static lsqnet_solver *solver_of(const row *r) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = r->min_norm;
  return solver_on(context, (model_kind){NULL, NULL, 0, 0, 0}, &options);
}

static void print_row(const row *r, lsqnet_status st, const lsqnet_report *report) {
  printf("%-42s %-16s rank %2d, backward error %.1e, condition %.1e, %4.1f digits\n", r->name, lsqnet_status_name(st),
         (int)report->rank, report->backward_error, report->condition, report->digits);
}

/* Of triangles, of condition 1, whatever the sizes of unknowns. */
static int64_t find_truth(const row *r, problem *p) {
  return r->a == lower_triangle ? problem_fine_truth(p) : problem_truth(p, r->min_norm ? 1e-25 : 0);
}

/* Rank, digits and backward error of an answer that was called right. */
static void check_right(const row *r, problem *p, const lsqnet_report *report, double unit) {
  const int64_t rank = find_truth(r, p);
  const double error = backward_error(p, 0), digits = right_digits(p, 0, unit);
  ck_assert_int_eq(rank, report->rank);
  ck_assert_msg(error <= 10 * (double)p->n * unit, "%s: backward error %g", r->name, error);
  ck_assert_msg(report->backward_error <= 2 * error + 0x1p-90, "%s: backward error %g reported, %g", r->name,
                report->backward_error, error);
  ck_assert_msg(report->digits <= digits + 1, "%s: %g digits reported, %g right", r->name, report->digits, digits);
  const double units = settled_error(p, 0, unit);
  if (rank == p->n) ck_assert_msg(units <= 2.5, "%s: %g units in the last place", r->name, units);
  if (rank < p->n) ck_assert_msg(digits >= -log10(unit) - 2.7, "%s: %g right digits", r->name, digits);
}

/* Of an answer, or of an x that must have stayed as it was. */
static void check_outcome(const row *r, problem *p, const lsqnet_report *report, double unit) {
  if (report->status == LSQNET_OK) {
    check_right(r, p, report, unit);
  } else if (report->status == LSQNET_E_NOT_CONVERGED) {
    (void)find_truth(r, p);
    ck_assert(report->digits <= right_digits(p, 0, unit) + 1);
  } else {
    for (int64_t j = 0; j < p->n; j++) ck_assert(p->x[j] == 42);
  }
}

START_TEST(each_ends_right_or_with_the_status_that_says_why) {
  const row *r = &rows[_i];
  problem p = problem_of(r, 0);
  lsqnet_report report = {.size = sizeof report};
  lsqnet_solver *solver = solver_of(r);
  const lsqnet_status st =
      lsqnet_solver_solve_f64(solver, p.m, p.n, 1, p.a, p.n > 0 ? p.n : 1, p.b, 1, p.x, 1, &report);
  print_row(r, st, &report);
  ck_assert_msg(st == r->status, "%s: %s: %s", r->name, lsqnet_status_name(st), lsqnet_last_message());
  if (st != LSQNET_E_SHAPE) ck_assert_int_eq(report.status, st);
  if (st != LSQNET_E_SHAPE && r->rank >= 0) ck_assert_int_eq(report.rank, r->rank);
  if (r->message != NULL)
    ck_assert_msg(strstr(lsqnet_last_message(), r->message) != NULL, "%s: %s", r->name, lsqnet_last_message());
  if (st != LSQNET_E_SHAPE) check_outcome(r, &p, &report, DBL_EPSILON);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- in float32 ---- */

static int is_finite(const problem *p) {
  for (int64_t i = 0; i < p->m * p->n; i++)
    if (!isfinite(p->a[i])) return 0;
  for (int64_t i = 0; i < p->m; i++)
    if (!isfinite(p->b[i])) return 0;
  return 1;
}

/* Whether floats hold the answer with all their digits. */
static int is_in_range(const problem *p) {
  for (int64_t j = 0; j < p->n; j++) {
    const double size = fabs((double)p->truth[j]);
    if (size != 0 && !(size >= (double)FLT_MIN && size <= (double)FLT_MAX)) return 0;
  }
  return 1;
}

/* Rounding to floats may change what a problem is: which status says why is for the oracle to tell. 1e13: where float64
 * may begin to call columns dependent. */
static int may_end_so(const row *r, problem *p, lsqnet_status st) {
  if (p->m == 0 || p->n == 0) return st == LSQNET_E_SHAPE;
  if (p->m < p->n && !r->min_norm) return st == LSQNET_E_RANK;
  if (!is_finite(p)) return st == LSQNET_E_NOT_FINITE;
  const int64_t rank = problem_truth(p, 1e-25);
  if (rank < p->n) return st == (r->min_norm ? LSQNET_OK : LSQNET_E_RANK);
  if (!is_in_range(p)) return st == LSQNET_E_NOT_FINITE || st == LSQNET_E_NOT_CONVERGED;
  const int hard = quad_condition(p->m, p->n, p->a, p->n) > 1e13;
  return st == LSQNET_OK || (hard && (st == LSQNET_E_RANK || st == LSQNET_E_NOT_CONVERGED));
}

START_TEST(each_ends_right_or_says_why_in_floats) {
  const row *r = &rows[_i];
  problem p = problem_of(r, 1);
  lsqnet_solver *solver = solver_of(r);
  batch s = batch_create(1, p.m, p.n, 1, LAYOUT_F32);
  batch_put(&s, 0, &p);
  batch_fill_x(&s, 42);
  const lsqnet_status st = lsqnet_solver_solve_f32(solver, p.m, p.n, 1, s.f32[BATCH_A], p.n > 0 ? p.n : 1,
                                                   s.f32[BATCH_B], 1, s.f32[BATCH_X], 1, s.reports);
  print_row(r, st, s.reports);
  batch_take(&s, 0, &p);
  ck_assert_msg(may_end_so(r, &p, st), "%s: %s: %s", r->name, lsqnet_status_name(st), lsqnet_last_message());
  if (st != LSQNET_E_SHAPE) ck_assert_int_eq(s.reports[0].status, st);
  if (st != LSQNET_E_SHAPE) check_outcome(r, &p, s.reports, (double)FLT_EPSILON);
  batch_free(&s);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- in a batch ---- */

enum { NEIGHBOURS = 9, PLACE = 5 };

/* Problem `at` of s has the bits and the report that it has alone. */
static void check_alone(lsqnet_solver *solver, const row *r, const batch *s, int64_t at, problem *p) {
  batch one = batch_create(1, p->m, p->n, 1, s->layout);
  lsqnet_status st = LSQNET_OK;
  batch_put(&one, 0, p);
  batch_fill_x(&one, 42);
  if (s->layout & LAYOUT_F32)
    st = lsqnet_solver_solve_f32(solver, p->m, p->n, 1, one.f32[BATCH_A], p->n, one.f32[BATCH_B], 1, one.f32[BATCH_X],
                                 1, one.reports);
  else
    st = lsqnet_solver_solve_f64(solver, p->m, p->n, 1, one.f64[BATCH_A], p->n, one.f64[BATCH_B], 1, one.f64[BATCH_X],
                                 1, one.reports);
  ck_assert_int_eq(st, s->reports[at].status);
  ck_assert_msg(memcmp(one.reports, &s->reports[at], sizeof *one.reports) == 0, "%s: report of problem %d", r->name,
                (int)at);
  for (int64_t j = 0; j < p->n; j++)
    ck_assert_msg(batch_get(&one, BATCH_X, 0, j, 0) == batch_get(s, BATCH_X, at, j, 0), "%s: answer of problem %d",
                  r->name, (int)at);
  batch_free(&one);
}

START_TEST(each_is_the_same_among_easy_ones_in_a_batch) {
  const row *r = &rows[_i % ROWS];
  const int narrow = _i / ROWS;
  lsqnet_solver *solver = solver_of(r);
  batch s = batch_create(NEIGHBOURS, r->m, r->n, 1, narrow ? LAYOUT_F32 : 0);
  problem problems[NEIGHBOURS];
  for (int64_t p = 0; p < NEIGHBOURS; p++) {
    problems[p] = p == PLACE ? problem_of(r, narrow) : problem_normal(r->m, r->n, 1, 0, (uint64_t)p);
    batch_put(&s, p, &problems[p]);
  }
  batch_fill_x(&s, 42);
  const lsqnet_status st = batch_solve(solver, &s, 0);
  if (r->status == LSQNET_E_SHAPE) ck_assert_int_eq(st, LSQNET_E_SHAPE);
  for (int64_t p = 0; p < NEIGHBOURS; p++) {
    if (r->status != LSQNET_E_SHAPE) check_alone(solver, r, &s, p, &problems[p]);
    problem_free(&problems[p]);
  }
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- as LAPACK has it ---- */

/* lsqnet_dgels, which has no options: wide problems get the least norm, and info = 0 means right. */
START_TEST(dgels_ends_right_or_says_why_too) {
  const row *r = &rows[_i];
  problem p = problem_of(r, 0);
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
    if (!zero) check_right(&(row){.name = r->name, .a = r->a, .min_norm = p.m < p.n}, &p, &report, DBL_EPSILON);
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
  tcase_add_loop_test(table, each_ends_right_or_says_why_in_floats, 0, ROWS);
  tcase_add_loop_test(table, each_is_the_same_among_easy_ones_in_a_batch, 0, 2 * ROWS);
  tcase_add_loop_test(table, dgels_ends_right_or_says_why_too, 0, ROWS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
