/* Certificates at the edges: components that vanish beside the others, residuals whose squares underflow, answers that
 * underflow, zeros. Truths are known without an oracle, or by it. */
#include <check.h>
#include <lsqnet/gels.h>

#include "problem.h"

static lsqnet_context *context;
static const model_kind shipped = {NULL, NULL, 0, 0, 0};

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static lsqnet_solver *solver_with(double ridge, int min_norm, int fallback) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.ridge = ridge;
  options.min_norm = min_norm;
  options.lapack_fallback = fallback;
  return solver_on(context, shipped, &options);
}

/* Of a problem of at most 4 x 3; nothing but `x` and `digits` is given for digits that must be reported. */
typedef struct {
  const char *name;
  int64_t m, n;
  double a[12], b[4], weights[4], x[3];
  double residual; /* its norm */
  int32_t status;
} known;

static const known all_known[] = {
    {"diagonal", 2, 2, {1, 0, 0, 1e-40}, {1, 1e-40}, {0}, {1, 1}, 0, 0},
    {"b alone is small", 2, 2, {1, 0, 0, 1}, {1, 0x1p-140}, {0}, {1, 0x1p-140}, 0, 0},
    {"near the end of the range", 2, 2, {1, 0, 0, 1}, {1, 0x1p-950}, {0}, {1, 0x1p-950}, 0, 0},
    {"one below two", 3, 2, {1, 0, 1, 0, 0, 1e-35}, {1, 2, 7e-35}, {0}, {1.5, 7}, 0.70710678118654752, 0},
    {"weights", 2, 2, {1, 0, 0, 1}, {1, 1}, {1, 1e-70}, {1, 1}, 0, 0},
    {"blocks",
     4,
     3,
     {1, 1, 0, 1, -1, 0, 0, 0, 1, 0, 0, 1},
     {2, 0, 1e-50, 3e-50},
     {0},
     {1, 1, 2e-50},
     1.4142135623730951e-50,
     0},
    {"far apart", 3, 2, {1, 0, 0, 1, 0, 0}, {1e200, 1e-100, 3}, {0}, {1e200, 1e-100}, 3, 0},
    {"a residual of 2^-560", 3, 1, {1, 1, 0}, {1, 1, 0x1p-560}, {0}, {1}, 0x1p-560, 0},
    {"a residual of 2^-560, n = 2", 4, 2, {1, 0, 1, 0, 0, 1, 0, 0}, {1, 1, 1, 0x1p-560}, {0}, {1, 1}, 0x1p-560, 0},
    {"a residual beside 1e200", 3, 1, {1, 1, 0}, {1e200, 1e200, 3}, {0}, {1e200}, 3, 0},
    {"no slope", 4, 2, {1, 1, 1, -1, 1, 1, 1, -1}, {3, 3, 3, 3}, {0}, {3, 0}, 0, 0},
    {"orthogonal b", 2, 1, {1, 1}, {1, -1}, {0}, {0}, 1.4142135623730951, 0},
    {"odd columns, even b", 3, 2, {1, -1, 1, 0, 1, 1}, {2, 0.5, 2}, {0}, {1.5, 0}, 1.2247448713915890, 0},
    {"the same without a third", 3, 2, {1, -1, 1, 0, 1, 1}, {1, 0, 1}, {0}, {2.0 / 3, 0}, 0.81649658092772603, 0},
    {"an answer of 0 for want of range", 1, 1, {DBL_MAX}, {0x1p-1074}, {0}, {0}, 0x1p-1074, LSQNET_E_NOT_CONVERGED},
};
enum { KNOWN = sizeof all_known / sizeof all_known[0] };

/* As a batch of 9, which fills and begins a group of lanes. */
START_TEST(known_answers_are_certified_in_every_component) {
  enum { COPIES = 9 };
  const known *k = &all_known[_i];
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_problems p;
  lsqnet_report reports[COPIES] = {{.size = sizeof *reports}};
  double a[COPIES * 12], b[COPIES * 4], w[COPIES * 4], x[COPIES * 3];
  for (int c = 0; c < COPIES; c++) {
    memcpy(a + c * k->m * k->n, k->a, (size_t)(k->m * k->n) * sizeof *a);
    memcpy(b + c * k->m, k->b, (size_t)k->m * sizeof *b);
    memcpy(w + c * k->m, k->weights, (size_t)k->m * sizeof *w);
  }
  ck_assert_int_eq(lsqnet_problems_init(&p, sizeof p), LSQNET_OK);
  p.count = COPIES;
  p.m = k->m;
  p.n = k->n;
  const lsqnet_status st = lsqnet_solver_solve_batch_f64(solver, &p, a, b, k->weights[0] > 0 ? w : NULL, x, reports);
  ck_assert_msg(st == k->status, "%s: %s", k->name, lsqnet_last_message());
  for (int c = 0; c < COPIES; c++) {
    const lsqnet_report *r = &reports[c];
    for (int64_t j = 0; j < k->n; j++)
      ck_assert_msg(x[c * k->n + j] == k->x[j], "%s: x[%d] = %g", k->name, (int)j, x[c * k->n + j]);
    ck_assert_int_eq(r->status, k->status);
    ck_assert_msg(st == LSQNET_OK ? r->digits >= 15 : r->digits == 0 && !signbit(r->digits), "%s: %g digits", k->name,
                  r->digits);
    ck_assert_msg(fabs(r->residual_norm - k->residual) <= 2 * DBL_EPSILON * k->residual, "%s: residual %g", k->name,
                  r->residual_norm);
    ck_assert(r->backward_error <= (st == LSQNET_OK ? 10 * (double)k->n * DBL_EPSILON : 1));
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(dgels_and_float32_and_least_norm_keep_small_components) {
  double a[] = {1, 0, 0, 1}, b[] = {1, 0x1p-140}, wide[] = {1, 1, 0, 0, 0, 1}, c[] = {1, 1e-40}, x[3];
  float narrow[] = {1, 0, 0, 1e-30f}, d[] = {1, 1e-30f}, y[2];
  lsqnet_report report = {.size = sizeof report};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 2, 2, 1, a, 2, b, 1), 0);
  ck_assert(b[0] == 1 && b[1] == 0x1p-140);
  lsqnet_solver *solver = solver_with(0, 1, 0);
  ck_assert_int_eq(lsqnet_solver_solve_f32(solver, 2, 2, 1, narrow, 2, d, 1, y, 1, &report), LSQNET_OK);
  ck_assert(y[0] == 1 && y[1] == 1 && report.digits > 7);
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 2, 3, 1, wide, 3, c, 1, x, 1, &report), LSQNET_OK);
  ck_assert(x[0] == 0.5 && x[1] == 0.5 && x[2] == 1e-40 && report.digits > 15);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_that_have_faded_still_say_what_they_alone_say) {
  const double a[] = {1, 0, 0, 1}, b[] = {1, 3};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_state_options options;
  lsqnet_state *state = NULL;
  lsqnet_report report = {.size = sizeof report};
  double x[2];
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = 2;
  options.forgetting = 0.5;
  options.keep_rows = _i;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 2, a, 2, b, 1), LSQNET_OK);
  for (int i = 0; i < 640; i++) ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, a, 2, b, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, &report), LSQNET_OK);
  ck_assert(x[0] == 1 && x[1] == 3);
  if (_i) ck_assert(report.digits > 15);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Two equal columns are told apart by a ridge alone: x is small, the condition 1 / sqrt(ridge). */
START_TEST(a_ridge_over_equal_columns_is_solved) {
  static const double ridges[] = {1e-4, 1e-10, 1e-13, 1e-14, 1e-16, 1e-20, 1e300};
  const double ridge = ridges[_i];
  const int64_t m = 20, n = 5;
  lsqnet_solver *solver = solver_with(ridge, 0, 0);
  uint64_t state = 7;
  for (int round = 0; round < 10; round++) {
    problem p = problem_create(m + n, n, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    p.a_low = doubles((m + n) * n);
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) p.a[i * n + j] = j + 1 < n ? normal(&state) : p.a[i * n + j - 1];
      p.b[i] = normal(&state);
    }
    const quad root = quad_sqrt((quad)ridge);
    for (int64_t j = 0; j < n; j++) {
      p.a[(m + j) * n + j] = (double)root;
      p.a_low[(m + j) * n + j] = (double)(root - (double)root);
    }
    (void)problem_truth(&p, 0);
    ck_assert_msg(lsqnet_solver_solve_f64(solver, m, n, 1, p.a, n, p.b, 1, p.x, 1, &report) == LSQNET_OK, "%g: %s",
                  ridge, lsqnet_last_message());
    ck_assert_msg(worst_error(&p, DBL_EPSILON) <= 1, "%g: %g units", ridge, worst_error(&p, DBL_EPSILON));
    ck_assert_msg(report.digits >= 15, "%g: %g digits", ridge, report.digits);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Where the answer is right to its last digit, the report does not say that none is. */
START_TEST(laeuchlis_problems_have_the_digits_that_they_have) {
  lsqnet_solver *solver = solver_with(0, 0, 0);
  for (int consistent = 0; consistent < 2; consistent++)
    for (int power = -1; power >= -14; power--) {
      const int64_t n = 5;
      problem p = problem_create(n + 1, n, 1, 0);
      lsqnet_report report = {.size = sizeof report};
      for (int64_t i = 0; i <= n; i++) {
        for (int64_t j = 0; j < n; j++) p.a[i * n + j] = i == 0 ? 1 : i == j + 1 ? pow(10, power) : 0;
        p.b[i] = !consistent ? cos((double)(2 * i + 1)) : i == 0 ? (double)n : pow(10, power);
      }
      (void)problem_truth(&p, 0);
      ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
      ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
      ck_assert_msg(report.digits >= 15, "1e%d: %g digits", power, report.digits);
      problem_free(&p);
    }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* b of these makes the first answer's sum round to exactly 0, so that the second correction repeats the first one's
 * error and changes nothing; and random ones, in both precisions. */
START_TEST(a_correction_that_changes_nothing_by_luck_certifies_nothing) {
  static const double b[] = {0x1.96e4dep-8,  0x1.fc370ap-2, 0x1.f6cfcep-2,
                             -0x1.5a3c28p+0, 0x1.c698f4p-2, -0x1.340b96p-1};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  uint64_t random = 5;
  for (int round = 0; round < 20000 * rounds(); round++) {
    const int64_t n = round == 0 ? 3 : integer(&random, 2, 6), m = round == 0 ? 6 : n + 1 + integer(&random, 0, 6);
    const double small = round == 0 ? 0x1.21b424p-46 : (float)pow(10, -13 - 2 * uniform(&random));
    problem p = problem_create(m, n, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    float a_narrow[13 * 6], b_narrow[13], x_narrow[6];
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) a_narrow[i * n + j] = (float)(i == 0 ? 1 : i == j + 1 ? small : 0);
      b_narrow[i] = (float)(round == 0 ? b[i] : normal(&random));
      for (int64_t j = 0; j < n; j++) p.a[i * n + j] = a_narrow[i * n + j];
      p.b[i] = b_narrow[i];
    }
    (void)problem_solve(solver, &p, &report);
    if (report.digits >= 1) (void)problem_truth(&p, 0);
    ck_assert_msg(report.digits < 1 || report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1, "%g digits in round %d",
                  report.digits, round);
    (void)lsqnet_solver_solve_f32(solver, m, n, 1, a_narrow, n, b_narrow, 1, x_narrow, 1, &report);
    for (int64_t j = 0; j < n; j++) p.x[j] = x_narrow[j];
    if (report.digits >= 1) (void)problem_truth(&p, 0);
    ck_assert_msg(report.digits < 1 || report.digits <= right_digits(&p, 0, FLT_EPSILON) + 1,
                  "float32: %g digits in round %d", report.digits, round);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Rows (1, .., e at their place, ..) are nearly parallel, columns at unit size are not: the answer of least norm is
 * found by those, x_0 = s / (m + e^2), x_i = (b_i - x_0) / e with the sum s of b, and dgels gives it. */
START_TEST(nearly_parallel_rows_with_columns_apart_have_a_certified_least_norm) {
  lsqnet_solver *solver = solver_with(0, 1, 0);
  uint64_t random = 9;
  for (int round = 0; round < 500 * rounds(); round++) {
    const int64_t m = integer(&random, 2, 6), n = m + 1;
    const quad e = pow(10, -16 * uniform(&random));
    problem p = problem_create(m, n, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    double rhs[7] = {0};
    quad sum = 0;
    for (int64_t i = 0; i < m; i++) {
      p.a[i * n] = 1;
      p.a[i * n + i + 1] = (double)e;
      rhs[i] = p.b[i] = normal(&random);
      sum += p.b[i];
    }
    p.truth[0] = sum / (e * e + m);
    for (int64_t i = 0; i < m; i++) p.truth[i + 1] = (p.b[i] - p.truth[0]) / e;
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
    ck_assert_int_eq(report.rank, m);
    ck_assert(report.backward_error <= 10 * (double)n * DBL_EPSILON);
    ck_assert_msg(report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1, "%g digits, e = %g", report.digits, (double)e);
    ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', (int32_t)m, (int32_t)n, 1, p.a, (int32_t)n, rhs, 1), 0);
    for (int64_t j = 0; j < n; j++) ck_assert_double_eq(rhs[j], p.x[j]);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Integers of exact rank r: A = B D, where a row of D is little but another one's multiple, and columns differ in size.
 * A basis of nearly parallel columns makes of their units' ratios what no component may hide. */
static problem dependent_problem(int round, int64_t *rank, uint64_t *random) {
  static const double a[] = {9,  14155776, 9437124,  -7, -11010028, -7339972, -3, -4718604, -3145716,
                             -2, -3145697, -2097118, 4,  6291442,   4194268,  7,  11010010, 7339960},
                      b[] = {-76, -3, 72, 15, 46, -78};
  const int64_t n = round == 0 ? 3 : integer(random, 3, 7), m = round == 0 ? 6 : integer(random, 3, 9);
  problem p = problem_create(m, n, 1, 0);
  double left[9 * 6], right[6 * 7];
  *rank = round == 0 ? 2 : integer(random, 2, (m < n ? m : n) - 1);
  for (int64_t i = 0; i < m * *rank; i++) left[i] = (double)integer(random, -9, 9);
  for (int64_t i = 0; i < *rank * n; i++) right[i] = (double)integer(random, -9, 9);
  const double factor = ldexp(1, (int)integer(random, 2, 22));
  for (int64_t j = 0; j < n; j++) right[n + j] += factor * right[j];
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++)
      for (int64_t l = 0; l < *rank; l++) p.a[i * n + j] += left[i * *rank + l] * right[l * n + j];
    p.b[i] = (double)integer(random, -99, 99);
  }
  for (int64_t j = 0; j < n; j++) {
    const double size = ldexp(1, -(int)integer(random, 0, 9));
    for (int64_t i = 0; i < m && round % 2; i++) p.a[i * n + j] *= size;
  }
  if (round == 0) memcpy(p.a, a, sizeof a);
  if (round == 0) memcpy(p.b, b, sizeof b);
  return p;
}

START_TEST(the_digits_of_a_least_norm_never_flatter) {
  lsqnet_solver *solver = solver_with(0, 1, 0);
  uint64_t random = 7;
  int judged = 0;
  for (int round = 0; round < 8000 * rounds(); round++) {
    int64_t rank = 0;
    problem p = dependent_problem(round, &rank, &random);
    lsqnet_report report = {.size = sizeof report};
    (void)problem_solve(solver, &p, &report);
    const int same = report.rank == rank && problem_truth(&p, 1e-25) == rank; /* factors may be of lower rank */
    const double right = same ? right_digits(&p, 0, DBL_EPSILON) : 16;
    ck_assert_msg(report.digits <= right + 1, "%g digits, %g right in round %d", report.digits, right, round);
    judged += same;
    problem_free(&p);
  }
  ck_assert(judged > 4000 * rounds());
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Whatever rank roundings leave, an answer of least norm that is called OK is backward stable. */
START_TEST(no_least_norm_is_certified_with_a_large_backward_error) {
  lsqnet_solver *solver = solver_with(0, 1, 0);
  uint64_t random = 3;
  int certified = 0;
  for (int round = 0; round < 8000 * rounds(); round++) {
    const int64_t n = integer(&random, 2, 8), m = integer(&random, 1, 2 * n);
    const double condition = pow(10, 16 * uniform(&random));
    const int scaled = round % 2;
    problem tall = problem_create(m > n ? m : n, m > n ? n : m, 1, 0), p = problem_create(m, n, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    problem_fill_condition(&tall, condition, (int)integer(&random, 0, 1), 0, &random);
    for (int64_t j = 0; j < n; j++) {
      const double size = scaled ? pow(10, -(double)integer(&random, 0, 12)) : 1;
      for (int64_t i = 0; i < m; i++) p.a[i * n + j] = size * (m > n ? tall.a[i * n + j] : tall.a[j * m + i]);
    }
    for (int64_t i = 0; i < m; i++) p.b[i] = normal(&random);
    if (problem_solve(solver, &p, &report) == LSQNET_OK && report.rank < n) {
      certified++;
      ck_assert_msg(report.backward_error <= 10 * (double)n * DBL_EPSILON, "%g in round %d", report.backward_error,
                    round);
    }
    problem_free(&tall);
    problem_free(&p);
  }
  ck_assert(certified > 1000 * rounds());
  lsqnet_solver_destroy(solver);
}
END_TEST

/* What cannot be told from 0 is not called 0, and has no digits: here the answer is (1/3, 0), and 1/3 is rounded. */
START_TEST(a_component_that_could_be_zero_has_no_digits) {
  static const double a[] = {1, 2, 1, 1, 1, 3}, b[] = {1, 0, 0};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_report report = {.size = sizeof report};
  double x[2];
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 3, 2, 1, a, 2, b, 1, x, 1, &report), LSQNET_OK);
  ck_assert(x[0] == 1.0 / 3.0 && fabs(x[1]) <= 0x1p-100);
  ck_assert(report.digits == 0);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Means of numbers that nearly cancel: their sum is further below them than sums in twice the precision reach. */
typedef struct {
  int64_t m;
  double b[4], b_low[4];
} cancelling;

START_TEST(what_nearly_cancels_is_right_to_its_last_digit) {
  static const cancelling all[] = {{2, {1, -1}, {0x1p-60, 0x1p-60}},  {3, {1, -1, 0}, {0x1p-60, 0x1p-60, 0}},
                                   {2, {1, -1}, {0x1p-90, 0x1p-100}}, {2, {1, -1}, {0x1p-60, -0x1p-60}},
                                   {2, {1, -1 + 0x1p-53}, {0}},       {3, {1, -1 + 0x1p-53, 0}, {0}},
                                   {3, {1, -1, 1e-40}, {0}},          {4, {1, -1, 0x1.123p-80, 0x1p-100}, {0}}};
  static const int32_t methods[] = {LSQNET_METHOD_AUTO, LSQNET_METHOD_CG};
  enum { NOTHING = 3 }; /* is left of the fourth */
  for (int i = 0; i < 2 * 8; i++) {
    const cancelling *c = &all[i / 2];
    lsqnet_solver_options options = solver_options(methods[i % 2]);
    lsqnet_solver *solver = solver_on(context, shipped, &options);
    problem p = problem_create(c->m, 1, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    p.b_low = doubles(c->m);
    for (int64_t row = 0; row < c->m; row++) {
      p.a[row] = 1;
      p.b[row] = c->b[row];
      p.b_low[row] = c->b_low[row];
    }
    (void)problem_truth(&p, 0);
    ck_assert_msg(problem_solve(solver, &p, &report) == LSQNET_OK, "%d: %s", i / 2, lsqnet_last_message());
    ck_assert_int_eq(report.stopped, LSQNET_STOP_CONVERGED);
    ck_assert_msg(i / 2 == NOTHING ? p.x[0] == 0 : worst_error(&p, DBL_EPSILON) <= 1, "%d: %a", i / 2, p.x[0]);
    ck_assert_msg(report.digits >= 15, "%d: %g digits", i / 2, report.digits);
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

/* Each row but the last stands twice, with right-hand sides of opposite sign that differ by some roundings. */
START_TEST(right_hand_sides_that_nearly_cancel_never_flatter) {
  lsqnet_solver *solver = solver_with(0, 0, 0);
  uint64_t state = 11;
  int solved = 0;
  for (int round = 0; round < 200; round++) {
    const int64_t n = integer(&state, 1, 7);
    problem p = problem_create(4 * n + 1, n, 1, 0);
    lsqnet_report report = {.size = sizeof report};
    problem_fill_condition(&p, pow(10, 13 * uniform(&state)), 0, 0, &state);
    for (int64_t i = 0; i + 1 < p.m; i += 2) {
      memcpy(p.a + (i + 1) * n, p.a + i * n, (size_t)n * sizeof *p.a);
      p.b[i + 1] = -p.b[i] * (1 + 8 * DBL_EPSILON * uniform(&state));
    }
    p.b[p.m - 1] = 0;
    (void)problem_truth(&p, 0);
    const lsqnet_status st = problem_solve(solver, &p, &report);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED, "%s", lsqnet_last_message());
    solved += st == LSQNET_OK;
    ck_assert(report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1);
    ck_assert(st != LSQNET_OK || report.digits < 15 || worst_error(&p, DBL_EPSILON) <= 1.25);
    problem_free(&p);
  }
  ck_assert_msg(solved >= 180, "%d solved", solved);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Problems with components that vanish beside others, and their answers by rational arithmetic. Each was once reported
 * to have digits that it had not. */
static const struct {
  const char *name;
  int64_t m, n;
  double a[15], b[5], x[3];
} flattered[] = {
    {"an exact gradient of two large terms",
     5,
     3,
     {0x1.36a8403e7938ap+1, 0x1.36a8403e7938ap+1, 0x1.36a8403e7938ap+1, -0x1.26c8d6178646cp-1, -0x1.26c8d6178646cp-1,
      -0x1.26c8d6178646cp-1, -0x1.48f5456f80f03p+0, -0x1.48f5456f80f03p+0, -0x1.48f5456f80f03p+0, 0,
      0x1.0664097e4a353p-25, 0x1.06640bb49b78fp-25, 0, 0x1.a3bee26db875dp-24, 0x1.a3bed3b75c37ap-24},
     {0x1.300016b275bf7p+1, -0x1.2077bf1642fa2p-1, -0x1.41e8b76cc1fccp+0, -0x1.c7a7fb8ee7f15p-99,
      -0x1.6c74b1f187725p-97},
     {0x1.f5075694a490ep-1, -0x1.bc8ee9c546a57p-74, 0x1.41a8d8731366cp-107}},
    {"a gradient that pairs round",
     5,
     3,
     {0x1.c310472e75ab5p-4, 0x1.c310472e75ab5p-4, 0x1.c310472e75ab5p-4, -0x1.acd8b50a04964p-5, -0x1.acd8b50a04964p-5,
      -0x1.acd8b50a04964p-5, 0, -0x1.11390b7918227p-25, -0x1.11390d0e377c6p-25, 0x1.346d833078724p-92,
      -0x1.37a77099fb17ep-25, -0x1.37a770d949b3dp-25, 0x1.2b11bbd37a773p-91, -0x1.d9b1cb44d3fedp-27,
      -0x1.d9b1cbeb29a47p-27},
     {0x1.578b4034695b2p-5, -0x1.469f6bd9aa52cp-6, -0x1.f57e324fc732ep-95, 0x1.6f999d6161a0cp-95,
      0x1.91384ecc6de93p-93},
     {0x1.85f47b0173fc8p-2, 0x1.d5e1842fabc51p-70, 0x1.2524a5ff9e796p-98}},
    {"an answer that does not settle",
     3,
     3,
     {0x1.bb559effd2373p+23, -0x1.467238ecaf50ap+22, 0x1.2858167caf456p+23, 0x1.c314eb12a088cp+15,
      0x1.dc34fdb1ad949p+16, -0x1.f54a5f247b73cp+17, -0x1.bf3781c8dbf19p-26, -0x1.3c2a7fe49eb94p-26,
      -0x1.e0d91e3ac4209p-24},
     {0x1.8648f5eba6fd2p+23, -0x1.57f4cbe3d7832p+16, -0x1.2174023b3d771p-24},
     {0x1.21bff260225b6p-1, -0x1.4abc2d90bd9e1p-56, 0x1.e1ab3798a42a7p-2}},
    {"a column that is orthogonal but for roundings",
     2,
     2,
     {1, 0, 0x1.999999999999ap-4, 0x1.8cccccccccccdp+1},
     {0x1.039d66589688p-103, 0x1.6666666666666p-1},
     {0x1.039d665896880p-103, 0x1.ce739ce739ce6p-3}},
};
enum { FLATTERED = sizeof flattered / sizeof flattered[0] };

START_TEST(no_digit_is_certified_that_is_not_there) {
  lsqnet_solver *solver = solver_with(0, 0, 0);
  for (int k = 0; k < FLATTERED; k++) {
    const int64_t m = flattered[k].m, n = flattered[k].n;
    lsqnet_report report = {.size = sizeof report};
    double x[3], worst = 0.5 * DBL_EPSILON;
    const lsqnet_status st =
        lsqnet_solver_solve_f64(solver, m, n, 1, flattered[k].a, n, flattered[k].b, 1, x, 1, &report);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED, "%s", lsqnet_last_message());
    for (int64_t j = 0; j < n; j++) worst = fmax(worst, fabs(x[j] - flattered[k].x[j]) / fabs(flattered[k].x[j]));
    ck_assert_msg(report.digits <= fmax(-log10(worst), 0) + 1, "%s: %g digits, an error of %g", flattered[k].name,
                  report.digits, worst);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* The residual of an earlier fit, whose answer is 0 but for roundings, and all zeros can be proven. */
START_TEST(an_answer_that_is_proven_exact_is_ok) {
  static const double a[] = {1, 0, 0, 0, -1, -1, -1, 1, 1, 0, 1, 0, 0, 1, 1};
  static const double b[] = {0x1.0e965bc6e9a93p-9, -0x1.65ec9e6b29df8p-3, 0x1.0e965bc6e9a93p-9, 0,
                             -0x1.6a26f7da45863p-3};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_report report = {.size = sizeof report};
  double x[3];
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 5, 3, 1, a, 3, b, 1, x, 1, &report), LSQNET_OK);
  ck_assert_msg(report.digits > 15, "%g digits", report.digits);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* b is next to orthogonal to the column: what moments hold of A'b is known beside b, not beside itself. */
START_TEST(moments_know_small_answers_less_well) {
  static const double a[] = {-0x1.128b4b7f8fe21p+1, 0x1.5de547a770134p-1, -0x1.e0821e36ee622p+0, 0x1.d4ed88efc4062p-2};
  static const double b[] = {0x1.87f79608e9c3fp-1, -0x1.f752701af346ap-2, -0x1.be32c68b8af7fp-2, 0x1.4440ab938f3fdp+1};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_state_options options;
  lsqnet_state *state = NULL;
  lsqnet_report report = {.size = sizeof report}, rows = {.size = sizeof rows};
  double x = 0, right = 0;
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 4, 1, 1, a, 1, b, 1, &right, 1, &rows), LSQNET_OK);
  ck_assert(rows.digits > 15);
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = 1;
  options.keep_rows = _i;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 4, a, 1, b, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, &x, 1, &report), _i ? LSQNET_OK : LSQNET_E_NOT_CONVERGED);
  const double error = fmax(fabs(x - right) / fabs(right), 0.5 * DBL_EPSILON);
  ck_assert_msg(report.digits <= -log10(error) + 1, "%g digits, an error of %g", report.digits, error);
  ck_assert_msg(report.digits > (_i ? 15 : 12), "%g digits", report.digits);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* A column of zeros has no part in the answer of least norm, and costs the other components no digit. */
START_TEST(a_zero_column_costs_the_least_norm_no_digits) {
  lsqnet_solver *solver = solver_with(0, 1, 0);
  problem p = problem_normal(20, 5, 1, 0, 5);
  lsqnet_report report = {.size = sizeof report};
  for (int64_t i = 0; i < 20; i++) p.a[i * 5 + 2] = 0;
  ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
  ck_assert(p.x[2] == 0 && report.rank == 4);
  ck_assert_msg(report.digits >= 15, "%g digits", report.digits);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Digits that only low parts hold: LAPACK, which sees the high ones, answers with a larger backward error. */
START_TEST(the_fallback_does_not_replace_a_better_answer) {
  static const double a[] = {1, 1, 1}, b[] = {1, -1, 0}, b_low[] = {0x1p-60, -0x1p-60, 0x1p-100};
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  lsqnet_report report = {.size = sizeof report};
  double x = 0;
  options.lapack_fallback = 1;
  options.corrections = 1;
  if (lsqnet_solver_create(&solver, context, NULL, &options) == LSQNET_E_UNSUPPORTED) return; /* without LAPACK */
  ck_assert_int_eq(lsqnet_solver_solve_pair_f64(solver, 3, 1, 1, a, NULL, 1, b, b_low, 1, &x, 1, &report),
                   LSQNET_E_NOT_CONVERGED);
  ck_assert_int_eq(report.method, LSQNET_METHOD_DIRECT);
  ck_assert(fabs(x) <= 0x1p-100);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(an_answer_may_not_lie_where_its_problem_does) {
  double a[] = {1, 2, 3, 4, 5, 7}, b[] = {1, 2, 3}, x[2];
  double *answers[] = {x, a};
  const double *as[] = {a, a}, *bs[] = {b, b};
  lsqnet_solver *solver = solver_with(0, 0, 0);
  lsqnet_problems p;
  ck_assert_int_eq(lsqnet_problems_init(&p, sizeof p), LSQNET_OK);
  p.count = 2;
  p.m = 3;
  p.n = 2;
  for (int64_t at = -1; at < 6; at++)
    ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 3, 2, 1, a, 2, b, 1, at < 0 ? b + 2 : a + at, 1, NULL),
                     LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "x overlaps a"));
  ck_assert_int_eq(lsqnet_solver_solve_pointers_f64(solver, &p, as, bs, NULL, answers, NULL), LSQNET_E_ARGUMENT);
  ck_assert(a[0] == 1 && b[2] == 3);
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 3, 2, 1, a, 2, b, 1, x, 1, NULL), LSQNET_OK);
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("certificates");
  TCase *edges = tcase_create("edges");
  tcase_add_checked_fixture(edges, setup, teardown);
  tcase_set_timeout(edges, 60);
  suite_add_tcase(suite, edges);
  tcase_add_loop_test(edges, known_answers_are_certified_in_every_component, 0, KNOWN);
  tcase_add_test(edges, dgels_and_float32_and_least_norm_keep_small_components);
  tcase_add_loop_test(edges, rows_that_have_faded_still_say_what_they_alone_say, 0, 2);
  tcase_add_loop_test(edges, a_ridge_over_equal_columns_is_solved, 0, 7);
  tcase_add_test(edges, laeuchlis_problems_have_the_digits_that_they_have);
  tcase_add_test(edges, a_correction_that_changes_nothing_by_luck_certifies_nothing);
  tcase_add_test(edges, nearly_parallel_rows_with_columns_apart_have_a_certified_least_norm);
  tcase_add_test(edges, no_least_norm_is_certified_with_a_large_backward_error);
  tcase_add_test(edges, the_digits_of_a_least_norm_never_flatter);
  tcase_add_test(edges, a_component_that_could_be_zero_has_no_digits);
  tcase_add_test(edges, what_nearly_cancels_is_right_to_its_last_digit);
  tcase_add_test(edges, right_hand_sides_that_nearly_cancel_never_flatter);
  tcase_add_test(edges, a_zero_column_costs_the_least_norm_no_digits);
  tcase_add_test(edges, no_digit_is_certified_that_is_not_there);
  tcase_add_test(edges, an_answer_that_is_proven_exact_is_ok);
  tcase_add_loop_test(edges, moments_know_small_answers_less_well, 0, 2);
  tcase_add_test(edges, the_fallback_does_not_replace_a_better_answer);
  tcase_add_test(edges, an_answer_may_not_lie_where_its_problem_does);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
