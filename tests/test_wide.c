/* Fewer equations than unknowns: the shortest solution, however nearly the equations depend on each other. */
#include <check.h>

#include "problem.h"

static const model_kind kinds[] = {
    {NULL, NULL, 0, 0, 0}, {"attention", "split", 20, 5, 0}, {"base_conv", "repeat", 6, 3, 2}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static lsqnet_solver *least_norm_solver(int kind) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = 1;
  return solver_on(context, kinds[kind], &options);
}

/* Singular values 1 .. 1/condition, and an answer of ordinary size. */
static problem wide_problem(double condition, uint64_t *state) {
  const int64_t n = integer(state, 2, 24), m = integer(state, 1, n - 1);
  problem p = problem_create(m, n, 1, integer(state, 0, 2));
  double *x = doubles(n);
  for (int64_t i = 0; i < m; i++) p.a[i * p.lda + i] = pow(condition, m > 1 ? -(double)i / (double)(m - 1) : 0);
  for (int round = 0; round < 4; round++) {
    reflect(&p, 1, state);
    reflect(&p, 0, state);
  }
  for (int64_t j = 0; j < n; j++) x[j] = normal(state);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) p.b[i * p.ldb] += p.a[i * p.lda + j] * x[j];
  free(x);
  return p;
}

/* The error in units of the largest component's last place. */
static double error_of_norm(const problem *p) {
  quad error = 0, size = 0;
  for (int64_t j = 0; j < p->n; j++) {
    const quad difference = p->x[j * p->ldx] - p->truth[j];
    error += difference * difference;
    size += p->truth[j] * p->truth[j];
  }
  return (double)quad_sqrt(error / size) / DBL_EPSILON;
}

/* Rounding x itself leaves half a unit; a QR factorisation in float64 would lose log10(condition) digits. */
START_TEST(equations_that_nearly_depend_cost_no_digits) {
  lsqnet_solver *solver = least_norm_solver(_i % KINDS);
  uint64_t state = 100 + (uint64_t)_i;
  for (int i = 0; i < 100; i++) {
    problem p = wide_problem(pow(10, 13 * uniform(&state)), &state);
    lsqnet_report report;
    ck_assert_msg(problem_solve(solver, &p, &report) == LSQNET_OK, "%s", lsqnet_last_message());
    ck_assert_int_eq(problem_truth(&p, 0), p.m);
    ck_assert_int_eq(report.rank, p.m);
    ck_assert_msg(error_of_norm(&p) <= 1, "%g units, m=%d n=%d", error_of_norm(&p), (int)p.m, (int)p.n);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Up to equations that cannot be told from dependent ones, with unknowns in units of their own. */
START_TEST(digits_never_flatter) {
  lsqnet_solver *solver = least_norm_solver(_i % KINDS);
  uint64_t state = 200 + (uint64_t)_i;
  int solved = 0;
  for (int i = 0; i < 100 * rounds(); i++) {
    problem p = wide_problem(pow(10, 17 * uniform(&state)), &state);
    lsqnet_report report;
    for (int64_t j = 0; j < p.n && i % 2; j++) {
      const double unit = ldexp(1, (int)integer(&state, -12, 12));
      for (int64_t l = 0; l < p.m; l++) p.a[l * p.lda + j] *= unit;
    }
    const lsqnet_status st = problem_solve(solver, &p, &report);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED, "%s", lsqnet_last_message());
    (void)problem_truth(&p, 0);
    if (report.rank == p.m) { /* else another problem has been solved, and the report says so */
      const double right = right_digits(&p, 0, DBL_EPSILON);
      ck_assert_msg(report.digits <= right + 1, "%g digits reported, %g right, m=%d n=%d", report.digits, right,
                    (int)p.m, (int)p.n);
      solved += st == LSQNET_OK;
    }
    problem_free(&p);
  }
  ck_assert_int_gt(solved, 60 * rounds());
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_wrong_model_is_found_out) {
  lsqnet_model *model = construct(context, kinds[1]);
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  uint64_t state = 5;
  lsqnet_parameter parameter;
  const int64_t index = lsqnet_model_find_parameter(model, "read_out.weight");
  ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
  double *nothing = doubles(parameter.count);
  ck_assert_int_eq(lsqnet_model_write_parameter(model, index, nothing, parameter.count), LSQNET_OK);
  options.min_norm = 1;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, &options), LSQNET_OK);
  problem p = wide_problem(10, &state);
  lsqnet_report report;
  ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_NOT_CONVERGED);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_MODEL);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
  free(nothing);
}
END_TEST

START_TEST(data_in_pairs_keep_their_low_parts) {
  lsqnet_solver *solver = least_norm_solver(1);
  uint64_t state = 6;
  for (int i = 0; i < 20; i++) {
    problem p = wide_problem(1e6, &state);
    lsqnet_report report;
    p.a_low = doubles(p.m * p.lda);
    p.b_low = doubles(p.m * p.ldb);
    for (int64_t l = 0; l < p.m; l++) {
      for (int64_t j = 0; j < p.n; j++) p.a_low[l * p.lda + j] = p.a[l * p.lda + j] * uniform(&state) * 0x1p-54;
      p.b_low[l * p.ldb] = p.b[l * p.ldb] * uniform(&state) * 0x1p-54;
    }
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
    (void)problem_truth(&p, 0);
    ck_assert(error_of_norm(&p) <= 1);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* x is 3 though b is near the least number and other entries are not: at unit scale x would overflow. */
START_TEST(equations_of_very_different_size_are_solved) {
  static const double a[6] = {1, 0, 1, 0, 0, 0x1p-1060}, b[2] = {0x1p-1060, 0x3p-1060}, too_large[2] = {1, 1};
  double x[3] = {0};
  lsqnet_report report = {.size = sizeof report};
  lsqnet_solver *solver = least_norm_solver(1);
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 2, 3, 1, a, 3, b, 1, x, 1, &report), LSQNET_OK);
  ck_assert(x[0] == -3 && x[1] == 0 && x[2] == 3);
  ck_assert(report.backward_error >= 0 && report.backward_error <= DBL_EPSILON && report.digits >= 15);
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 2, 3, 1, a, 3, too_large, 1, x, 1, &report), LSQNET_E_NOT_FINITE);
  ck_assert(report.backward_error >= 0 && report.residual_norm >= 0 && report.digits == 0);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* x = A' / (A A'): of columns 2^k and 2^-k the second component is 2^(-3 k), and 2^(-4 k) at unit scale. */
START_TEST(a_component_below_the_range_has_no_digits) {
  lsqnet_solver *solver = least_norm_solver(0);
  for (int k = 100; k < 500; k += 50) {
    const double a[] = {ldexp(1, k), ldexp(1, -k)}, b = 1;
    double x[2];
    lsqnet_report report = {.size = sizeof report};
    const lsqnet_status st = lsqnet_solver_solve_f64(solver, 1, 2, 1, a, 2, &b, 1, x, 1, &report);
    ck_assert_int_eq(st, 4 * k <= 1022 ? LSQNET_OK : LSQNET_E_NOT_CONVERGED);
    ck_assert(x[0] == ldexp(1, -k) && x[1] == (st == LSQNET_OK ? ldexp(1, -3 * k) : 0));
    ck_assert_msg(st == LSQNET_OK ? report.digits > 15 : report.digits == 0, "2^%d: %g digits", k, report.digits);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("wide problems");
  SRunner *runner = srunner_create(suite);
  tcase_set_timeout(claims, 120);
  tcase_add_checked_fixture(claims, setup, teardown);
  tcase_add_loop_test(claims, equations_that_nearly_depend_cost_no_digits, 0, 2 * KINDS);
  tcase_add_loop_test(claims, digits_never_flatter, 0, 2 * KINDS);
  tcase_add_test(claims, a_wrong_model_is_found_out);
  tcase_add_test(claims, data_in_pairs_keep_their_low_parts);
  tcase_add_test(claims, equations_of_very_different_size_are_solved);
  tcase_add_test(claims, a_component_below_the_range_has_no_digits);
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
