/* The NIST sets, solved by models: every coefficient against the exact solution of the float64 problem
 * (data/nist/exact_solutions.txt, rational arithmetic) and against NIST's certified values. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nist.h"

/* Digits to reach, worst coefficient: half a digit below what exact arithmetic on the float64 problem gives. */
typedef struct {
  const char *name;
  double digits;
} goal;
static const goal goals[NIST_SETS] = {{"Norris", 13.6},   {"Pontius", 13.0},  {"NoInt1", 14.2},   {"NoInt2", 14.5},
                                      {"Longley", 14.1},  {"Wampler1", 14.5}, {"Wampler2", 12.7}, {"Wampler3", 14.5},
                                      {"Wampler4", 14.5}, {"Wampler5", 14.5}, {"Filip", 7.1}};

/* A model to solve with; dim 0: the set's own number of coefficients; mixer NULL: the trained ones of the library. */
typedef struct {
  const char *mixer, *prompt;
  int64_t rows, dim, iterates; /* iterates 0: a gradient */
  int32_t method;
} way;
static const way ways[] = {{"attention", "split", 20, 5, 0, LSQNET_METHOD_DIRECT},
                           {"attention", "split", 20, 0, 0, LSQNET_METHOD_DIRECT},
                           {"attention", "split", 20, 5, 0, LSQNET_METHOD_GD},
                           {"attention", "split", 20, 0, 0, LSQNET_METHOD_CHEBYSHEV},
                           {"attention", "split", 20, 5, 0, LSQNET_METHOD_CG},
                           {"attention", "split", 20, 0, 0, LSQNET_METHOD_CG},
                           {"attention", "split", 20, 5, 1, LSQNET_METHOD_DIRECT},
                           {"attention", "split", 20, 5, 4, LSQNET_METHOD_DIRECT},
                           {"base_conv", "repeat", 20, 5, 0, LSQNET_METHOD_DIRECT},
                           {"base_conv", "split", 20, 4, 0, LSQNET_METHOD_DIRECT},
                           {"base_conv", "query_first", 20, 4, 2, LSQNET_METHOD_DIRECT},
                           {NULL, NULL, 0, 0, 0, LSQNET_METHOD_DIRECT},
                           {NULL, NULL, 0, 0, 0, LSQNET_METHOD_GD},
                           {NULL, NULL, 0, 0, 0, LSQNET_METHOD_CG}};

static lsqnet_context *context;

static void make_context(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void drop_context(void) { lsqnet_context_destroy(context); }

static lsqnet_model *make_model(const way *w, int64_t n) {
  lsqnet_construct_options options;
  lsqnet_model *model = NULL;
  if (w->mixer == NULL) return NULL;
  ck_assert_int_eq(lsqnet_construct_options_init(&options, sizeof options), LSQNET_OK);
  options.rows = w->rows;
  options.dim = w->dim > 0 ? w->dim : n;
  options.mixer = w->mixer;
  options.prompt = w->prompt;
  if (w->iterates > 0) {
    options.iterates = w->iterates;
    ck_assert_int_eq(lsqnet_model_construct_iterates(&model, context, &options), LSQNET_OK);
  } else {
    ck_assert_int_eq(lsqnet_model_construct_gradient(&model, context, &options), LSQNET_OK);
  }
  return model;
}

static lsqnet_solver *make_solver(const way *w, int64_t n) {
  lsqnet_solver_options solving;
  lsqnet_model *model = make_model(w, n);
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(lsqnet_solver_options_init(&solving, sizeof solving), LSQNET_OK);
  solving.method = w->method;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, &solving), LSQNET_OK);
  lsqnet_model_destroy(model);
  return solver;
}

/* The exact solution, as rounded to double from its 25 digits. */
static void load_exact(const char *name, int64_t n, double *exact) {
  char path[1024], line[256], set[64];
  int64_t found = 0;
  (void)snprintf(path, sizeof path, "%s/nist/exact_solutions.txt", getenv("LSQNET_TEST_DATA"));
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  while (fgets(line, sizeof line, file) != NULL) {
    long long index = 0;
    char number[64];
    if (sscanf(line, "%63s %lld %63s", set, &index, number) != 3 || strcmp(set, name) != 0) continue;
    ck_assert_int_eq(index, found);
    exact[found++] = strtod(number, NULL);
  }
  (void)fclose(file);
  ck_assert_int_eq(found, n);
}

START_TEST(nist_sets_are_solved_to_the_last_digit_of_the_float64_problem) {
  const way *w = &ways[_i / NIST_SETS];
  const goal *aim = &goals[_i % NIST_SETS];
  nist_set set;
  double a[NIST_ROWS * NIST_COEFFICIENTS], x[NIST_COEFFICIENTS], exact[NIST_COEFFICIENTS];
  lsqnet_report report = {.size = sizeof report};
  ck_assert_int_eq(nist_load_named(aim->name, &set), 0);
  nist_design(&set, a, NULL);
  load_exact(aim->name, set.n, exact);
  lsqnet_solver *solver = make_solver(w, set.n);
  ck_assert_msg(lsqnet_solver_solve_f64(solver, set.m, set.n, 1, a, set.n, set.y, 1, x, 1, &report) == LSQNET_OK,
                "%s: %s", aim->name, lsqnet_last_message());
  double unit_errors = 0.0;
  for (int64_t j = 0; j < set.n; j++) {
    /* one unit in the last place: x is the exact solution rounded, except where that falls near the middle */
    const double error =
        exact[j] == 0.0 ? fabs(x[j]) / DBL_EPSILON : fabs(x[j] - exact[j]) / (DBL_EPSILON * fabs(exact[j]));
    if (!(error <= unit_errors)) unit_errors = error;
  }
  const double digits = nist_right_digits(&set, x);
  ck_assert_msg(unit_errors <= 1.0, "%s by %s: %g units off", aim->name, lsqnet_method_name(report.method),
                unit_errors);
  ck_assert_msg(digits >= aim->digits, "%s: %g right digits", aim->name, digits);
  ck_assert_double_ge(report.digits, 13.0);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_CONVERGED);
  ck_assert_int_gt(report.model_calls, 0);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* What a solution says beside its digits: components far below the others, zeros, and ranks of small integers. */
START_TEST(small_problems_with_known_answers_are_told_apart) {
  static const double tiny_a[] = {9, -2, 5, 5, -2, -7, 1, 0, 9, 2, 1, 0}, tiny_b[] = {-6, 15, -21, 0, 6, 1e-40};
  static const double ones[] = {1, 1}, opposite[] = {1, -1};
  static const double twice[] = {24, -21, -22, 24, -21, -22, 17, -15, -16}, right[] = {8, 3, 8};
  for (int method = LSQNET_METHOD_GD; method <= LSQNET_METHOD_DIRECT; method++) {
    double x[3] = {7, 7, 7};
    lsqnet_report report = {.size = sizeof report};
    const way w = {"attention", "split", 20, 5, 0, method};
    lsqnet_solver *solver = make_solver(&w, 5);
    ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 6, 2, 1, tiny_a, 2, tiny_b, 1, x, 1, &report), LSQNET_OK);
    ck_assert_double_eq(x[1], 3.0);
    /* the exact 5.7e-43 cannot be told from 0 beside 3 in twice the precision; if it is not 0, digits must say so */
    if (x[0] != 0.0) ck_assert_double_le(report.digits, 1.0);
    ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 2, 1, 1, ones, 1, opposite, 1, x, 1, &report), LSQNET_OK);
    ck_assert_double_eq(x[0], 0.0);
    ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 3, 3, 1, twice, 3, right, 1, x, 1, &report), LSQNET_E_RANK);
    ck_assert_int_eq(report.rank, 2);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(condition_numbers_are_those_of_the_scaled_columns) {
  static const double conditions[NIST_SETS] = {2.8, 18.0, 1.0, 1.0, 4.3e4, 2.2e3, 2.2e3, 2.2e3, 2.2e3, 2.2e3, 5.2e9};
  nist_set set;
  double a[NIST_ROWS * NIST_COEFFICIENTS], x[NIST_COEFFICIENTS];
  lsqnet_report report = {.size = sizeof report};
  ck_assert_int_eq(nist_load_named(goals[_i].name, &set), 0);
  nist_design(&set, a, NULL);
  lsqnet_solver *solver = make_solver(&ways[0], set.n);
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, set.m, set.n, 1, a, set.n, set.y, 1, x, 1, &report), LSQNET_OK);
  ck_assert_double_ge(report.condition, 0.95 * conditions[_i]);
  ck_assert_double_le(report.condition, 1.05 * conditions[_i]);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Powers known to twice the precision have more of the certified digits to give. */
START_TEST(filip_with_powers_as_pairs_has_more_right_digits) {
  nist_set set;
  static double a[NIST_ROWS * NIST_COEFFICIENTS], low[NIST_ROWS * NIST_COEFFICIENTS];
  double x[NIST_COEFFICIENTS];
  ck_assert_int_eq(nist_load_named("Filip", &set), 0);
  nist_design(&set, a, low);
  lsqnet_solver *solver = make_solver(&ways[0], set.n);
  ck_assert_int_eq(lsqnet_solver_solve_pair_f64(solver, set.m, set.n, 1, a, low, set.n, set.y, NULL, 1, x, 1, NULL),
                   LSQNET_OK);
  const double digits = nist_right_digits(&set, x);
  (void)printf("Filip with powers as pairs: %.1f right digits\n", digits);
  ck_assert_double_ge(digits, 13.5);
  lsqnet_solver_destroy(solver);
}
END_TEST

static int ascending(const void *a, const void *b) {
  const double u = *(const double *)a, v = *(const double *)b;
  return (u > v) - (u < v);
}

START_TEST(longley_takes_less_than_a_millisecond) {
  nist_set set;
  double a[NIST_ROWS * NIST_COEFFICIENTS], x[NIST_COEFFICIENTS], seconds[21];
  ck_assert_int_eq(nist_load_named("Longley", &set), 0);
  nist_design(&set, a, NULL);
  lsqnet_solver *solver = make_solver(&ways[0], set.n);
  for (int i = 0; i < 21; i++) {
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_int_eq(lsqnet_solver_solve_f64(solver, set.m, set.n, 1, a, set.n, set.y, 1, x, 1, NULL), LSQNET_OK);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    seconds[i] = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
  }
  qsort(seconds, 21, sizeof *seconds, ascending);
  (void)printf("Longley: median of 21 solves %.0f microseconds\n", 1e6 * seconds[10]);
  if (getenv("LSQNET_TEST_SLOW") == NULL)
    ck_assert_double_lt(seconds[10], 1e-3); /* set under valgrind and sanitizers */
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("nist");
  TCase *all = tcase_create("nist");
  tcase_add_checked_fixture(all, make_context, drop_context);
  tcase_set_timeout(all, 120);
  tcase_add_loop_test(all, nist_sets_are_solved_to_the_last_digit_of_the_float64_problem, 0,
                      NIST_SETS * (int)(sizeof ways / sizeof *ways));
  tcase_add_test(all, small_problems_with_known_answers_are_told_apart);
  tcase_add_loop_test(all, condition_numbers_are_those_of_the_scaled_columns, 0, NIST_SETS);
  tcase_add_test(all, filip_with_powers_as_pairs_has_more_right_digits);
  tcase_add_test(all, longley_takes_less_than_a_millisecond);
  suite_add_tcase(suite, all);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
