/* The solver: every size, model, method and number type, and limits. Arguments and the host: test_solver_arguments.c;
 * hard problems: test_solver_hard.c; that the model matters: test_solver_proofs.c. */
#include <check.h>

#include "problem.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind large = {"attention", "split", 64, 16, 0};
static const model_kind small = {"attention", "split", 5, 4, 0};

static const model_kind kinds[] = {
    {NULL, NULL, 0, 0, 0},
    {"attention", "split", 64, 16, 0},
    {"attention", "split", 5, 4, 0},
    {"attention", "split", 5, 4, 1},
    {"attention", "split", 5, 4, 2},
    {"attention", "split", 5, 4, 4},
    {"attention", "split", 20, 5, 0},
    {"base_conv", "repeat", 5, 4, 0},
    {"base_conv", "repeat", 5, 4, 2},
    {"base_conv", "split", 5, 4, 0},
    {"base_conv", "split", 5, 4, 2},
    {"base_conv", "query_first", 5, 4, 0},
    {"base_conv", "query_first", 5, 4, 2},
    {"base_conv", "repeat", 1, 2, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], METHODS = LSQNET_METHOD_DIRECT + 1 };

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

static void check_certificate(const problem *p, int64_t column, const lsqnet_report *report) {
  ck_assert_msg(certificate_is_right(p, column, report), "%g, not %g", report->backward_error,
                backward_error(p, column));
}

static void check_report(const problem *p, int64_t column, const lsqnet_report *report, int32_t method) {
  ck_assert_int_eq(report->status, LSQNET_OK);
  ck_assert_int_eq(report->stopped, LSQNET_STOP_CONVERGED);
  ck_assert_int_eq(report->method, method == LSQNET_METHOD_AUTO ? LSQNET_METHOD_DIRECT : method);
  ck_assert_int_ge(report->corrections, 2);
  ck_assert(report->digits >= 14 && report->digits <= 15.96);
  ck_assert(report->digits <= right_digits(p, column, DBL_EPSILON) + 1);
  check_certificate(p, column, report);
}

/* Solves and compares with the oracle. */
static void check_problem(lsqnet_solver *solver, problem *p, int32_t method) {
  lsqnet_report *reports = calloc((size_t)p->k, sizeof *reports);
  ck_assert_ptr_nonnull(reports);
  (void)problem_truth(p, 0);
  ck_assert_msg(problem_solve(solver, p, reports) == LSQNET_OK, "m=%d n=%d k=%d method %s: %s", (int)p->m, (int)p->n,
                (int)p->k, lsqnet_method_name(method), lsqnet_last_message());
  for (int64_t l = 0; l < p->k; l++) check_report(p, l, &reports[l], method);
  ck_assert_int_gt(reports[0].model_calls, 0);
  ck_assert_msg(worst_error(p, DBL_EPSILON) <= 1, "m=%d n=%d method %s: %g ulp", (int)p->m, (int)p->n,
                lsqnet_method_name(method), worst_error(p, DBL_EPSILON));
  free(reports);
}

START_TEST(every_size_is_solved_to_the_last_digit) {
  static const int64_t sizes[][3] = {{1, 1, 1},   {2, 1, 3},    {5, 4, 1},   {4, 4, 2}, {7, 3, 1},
                                     {23, 4, 5},  {6, 5, 1},    {11, 7, 2},  {9, 9, 1}, {64, 16, 1},
                                     {65, 17, 2}, {130, 33, 1}, {200, 40, 3}};
  const model_kind models[] = {shipped, large, small};
  for (int model = 0; model < 3; model++) {
    const lsqnet_solver_options options = solver_options(_i);
    lsqnet_solver *solver = solver_on(context, models[model], &options);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      if (quick() && sizes[i][0] > 64) continue;
      for (int64_t padding = 0; padding < 4; padding += 3) {
        problem p = problem_normal(sizes[i][0], sizes[i][1], sizes[i][2], padding, 1 + i);
        check_problem(solver, &p, _i);
        problem_free(&p);
      }
    }
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(every_model_solves_with_every_method) {
  static const int64_t sizes[][3] = {{3, 2, 1}, {7, 3, 2}, {23, 4, 1}, {14, 6, 1}};
  for (int32_t method = 0; method < METHODS; method++) {
    const lsqnet_solver_options options = solver_options(method);
    lsqnet_solver *solver = solver_on(context, kinds[_i], &options);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      problem p = problem_normal(sizes[i][0], sizes[i][1], sizes[i][2], 1, 100 + i);
      check_problem(solver, &p, method);
      problem_free(&p);
    }
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(any_size_in_a_range_is_solved) {
  const lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = solver_on(context, small, &options);
  uint64_t state = 7;
  for (int i = 0; i < (quick() ? 30 : 300 * rounds()); i++) {
    const int64_t n = integer(&state, 1, 12), m = integer(&state, n, 40);
    problem p = problem_normal(m, n, integer(&state, 1, 3), integer(&state, 0, 2), 1000 + (uint64_t)i);
    check_problem(solver, &p, LSQNET_METHOD_AUTO);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_model_of_one_unknown_serves_one) {
  const model_kind one = {"attention", "split", 7, 1, 0};
  for (int32_t method = 0; method < METHODS; method++) {
    const lsqnet_solver_options options = solver_options(method);
    lsqnet_solver *solver = solver_on(context, one, &options);
    problem p = problem_normal(12, 1, 2, 0, 3), two = problem_normal(12, 2, 1, 0, 3);
    check_problem(solver, &p, method);
    lsqnet_report report;
    two.x[0] = two.x[1] = 42;
    ck_assert_int_eq(problem_solve(solver, &two, &report), LSQNET_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "D=1"));
    ck_assert(two.x[0] == 42 && two.x[1] == 42);
    problem_free(&two);
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

/* Extra outputs of a model are none of the solver's business. */
START_TEST(a_model_may_have_more_outputs_than_unknowns) {
  lsqnet_model *narrow = construct(context, small), *wide = NULL;
  lsqnet_model_options options;
  lsqnet_model_step step;
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(lsqnet_model_get_options(narrow, &options, sizeof options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_get_step(narrow, &step, sizeof step), LSQNET_OK);
  options.out_width = 50;
  ck_assert_int_eq(lsqnet_model_create(&wide, context, &options), LSQNET_OK);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(wide); i++) {
    lsqnet_parameter from, to;
    ck_assert_int_eq(lsqnet_model_get_parameter(narrow, i, &from, sizeof from), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_get_parameter(wide, i, &to, sizeof to), LSQNET_OK);
    double *values = doubles(to.count);
    ck_assert_int_eq(lsqnet_model_read_parameter(narrow, i, values, from.count), LSQNET_OK);
    for (int64_t j = from.count; j < to.count; j++) values[j] = 3;
    ck_assert_int_eq(lsqnet_model_write_parameter(wide, i, values, to.count), LSQNET_OK);
    free(values);
  }
  ck_assert_int_eq(lsqnet_model_set_step(wide, &step), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, wide, NULL), LSQNET_OK);
  problem p = problem_normal(23, 6, 1, 0, 5);
  check_problem(solver, &p, LSQNET_METHOD_AUTO);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(wide);
  lsqnet_model_destroy(narrow);
}
END_TEST

START_TEST(float32_problems_are_solved_to_their_last_digit) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, small, &options);
  for (uint64_t seed = 1; seed < 30; seed++) {
    problem p = problem_normal(5 + (int64_t)seed, 1 + (int64_t)seed % 6, 2, 2, seed);
    float a[40 * 8], b[40 * 4], x[8 * 4] = {0};
    lsqnet_report reports[2] = {{.size = sizeof *reports}};
    for (int64_t i = 0; i < p.m * p.lda; i++) p.a[i] = (double)(a[i] = (float)p.a[i]);
    for (int64_t i = 0; i < p.m * p.ldb; i++) p.b[i] = (double)(b[i] = (float)p.b[i]);
    (void)problem_truth(&p, 0);
    ck_assert_int_eq(lsqnet_solver_solve_f32(solver, p.m, p.n, 2, a, p.lda, b, p.ldb, x, p.ldx, reports), LSQNET_OK);
    for (int64_t i = 0; i < p.n * p.ldx; i++) p.x[i] = (double)x[i];
    ck_assert(worst_error(&p, FLT_EPSILON) <= 1);
    for (int l = 0; l < 2; l++) {
      ck_assert(reports[l].digits <= 7.23 && reports[l].digits > 6);
      ck_assert(reports[l].digits <= right_digits(&p, l, FLT_EPSILON) + 1);
    }
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* The certificate is that of the x which is handed out, rounded to float32. */
START_TEST(the_float32_certificate_is_that_of_the_rounded_answer) {
  lsqnet_solver *solver = solver_on(context, small, NULL);
  const float a[2] = {3, 3}, b[2] = {1, 1}; /* x = 1/3 */
  float x[1] = {0};
  lsqnet_report report = {.size = sizeof report};
  ck_assert_int_eq(lsqnet_solver_solve_f32(solver, 2, 1, 1, a, 1, b, 1, x, 1, &report), LSQNET_OK);
  const double residual = sqrt(2) * fabs(1 - 3 * (double)x[0]);
  ck_assert(fabs(report.residual_norm - residual) <= 4 * DBL_EPSILON * residual);
  ck_assert(report.backward_error > 0.01 * (double)FLT_EPSILON && report.backward_error <= (double)FLT_EPSILON);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(an_answer_beyond_float32_is_refused) {
  lsqnet_solver *solver = solver_on(context, small, NULL);
  const float a[2] = {1e-30f, 1e-30f}, b[2] = {1e30f, 1e30f};
  float x[1] = {42};
  lsqnet_report report = {.size = sizeof report};
  ck_assert_int_eq(lsqnet_solver_solve_f32(solver, 2, 1, 1, a, 1, b, 1, x, 1, &report), LSQNET_E_NOT_FINITE);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_DATA);
  ck_assert(x[0] == 42);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Splits numbers of twice the precision; the answers with and without the low parts differ by cond DBL_EPSILON. */
START_TEST(low_parts_of_the_data_count) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, small, &options);
  for (uint64_t seed = 1; seed < 20; seed++) {
    uint64_t state = seed;
    problem p = problem_create(12, 1 + (int64_t)seed % 6, 2, 1);
    problem_fill_condition(&p, 1e6, 0, 0, &state);
    check_problem(solver, &p, _i);
    double *without = doubles(p.n * p.ldx);
    memcpy(without, p.x, (size_t)(p.n * p.ldx) * sizeof *without);
    p.a_low = doubles(p.m * p.lda);
    p.b_low = doubles(p.m * p.ldb);
    for (int64_t i = 0; i < p.m * p.lda; i++) p.a_low[i] = p.a[i] * 0x1p-54 * normal(&state) / 4;
    check_problem(solver, &p, _i); /* b_low = 0 */
    ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
    for (int64_t i = 0; i < p.m * p.ldb; i++) p.b_low[i] = p.b[i] * 0x1p-54 * normal(&state) / 4;
    check_problem(solver, &p, _i);
    memcpy(p.x, without, (size_t)(p.n * p.ldx) * sizeof *without);
    if (p.n > 1) ck_assert(worst_error(&p, DBL_EPSILON) > 100);
    free(without);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_of_zeros_and_a_right_side_of_zeros_are_no_trouble) {
  for (int32_t method = 0; method < METHODS; method++) {
    const lsqnet_solver_options options = solver_options(method);
    lsqnet_solver *solver = solver_on(context, small, &options);
    problem p = problem_normal(20, 3, 2, 0, 9);
    for (int64_t i = 5; i < 17; i++) p.a[i * 3] = p.a[i * 3 + 1] = p.a[i * 3 + 2] = 0; /* whole blocks of rows */
    for (int64_t i = 0; i < 20; i++) p.b[i * 2] = 0;
    p.x[0] = 42;
    check_problem(solver, &p, method);
    for (int64_t j = 0; j < 3; j++) ck_assert(p.x[j * 2] == 0);
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

/* ---- limits and what comes with them ---- */

START_TEST(an_unrefined_answer_keeps_to_the_limit_of_iterations) {
  lsqnet_solver_options options = solver_options(_i);
  options.corrections = 0;
  options.iterations = 3;
  lsqnet_solver *solver = solver_on(context, small, &options);
  for (int64_t n = 4; n <= 6; n += 2) { /* as many as the model has, and more */
    problem p = problem_normal(24, n, 1, 0, 11);
    lsqnet_report report;
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_NOT_CONVERGED);
    ck_assert_int_eq(report.iterations, 3);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(an_unrefined_answer_is_the_models_own) {
  for (int i = 0; i < KINDS; i++) {
    lsqnet_solver_options options = solver_options(_i);
    options.corrections = 0;
    options.iterations = 2000;
    lsqnet_solver *solver = solver_on(context, kinds[i], &options);
    problem p = problem_normal(24, 4, 2, 1, 11);
    lsqnet_report reports[2];
    (void)problem_truth(&p, 0);
    ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_E_NOT_CONVERGED);
    for (int l = 0; l < 2; l++) {
      ck_assert_int_eq(reports[l].status, LSQNET_E_NOT_CONVERGED);
      ck_assert_int_eq(reports[l].stopped, LSQNET_STOP_UNREFINED);
      ck_assert(reports[l].digits <= right_digits(&p, l, DBL_EPSILON) + 1);
      ck_assert(reports[l].backward_error > 0 && reports[l].backward_error < 1e-8);
      ck_assert_int_eq(reports[l].corrections, 0);
    }
    ck_assert(right_digits(&p, 0, DBL_EPSILON) > 7); /* inner iterations stop at 1e-8 */
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(limits_are_kept_and_never_flattered) {
  for (int64_t corrections = 1; corrections < 5; corrections++)
    for (int64_t iterations = 1; iterations < 40; iterations = 3 * iterations + 1) {
      lsqnet_solver_options options = solver_options(_i);
      options.corrections = corrections;
      options.iterations = iterations;
      lsqnet_solver *solver = solver_on(context, small, &options);
      uint64_t state = 5;
      problem p = problem_create(24, 4, 1, 0);
      problem_fill_condition(&p, 5, 0, 0, &state);
      lsqnet_report report;
      (void)problem_truth(&p, 0);
      const lsqnet_status st = problem_solve(solver, &p, &report);
      ck_assert_int_le(report.corrections, corrections);
      ck_assert_int_le(report.iterations, corrections * iterations);
      ck_assert(report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1);
      ck_assert_int_eq(st, report.status);
      if (st == LSQNET_OK) {
        ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
      } else {
        ck_assert_int_eq(st, LSQNET_E_NOT_CONVERGED);
        ck_assert(report.stopped == LSQNET_STOP_ITERATIONS || report.stopped == LSQNET_STOP_STAGNATED);
      }
      if (corrections == 1) ck_assert_int_eq(report.stopped, LSQNET_STOP_ITERATIONS);
      problem_free(&p);
      lsqnet_solver_destroy(solver);
    }
}
END_TEST

START_TEST(a_tolerance_saves_corrections_and_is_kept) {
  int64_t corrections = 0, fewest = INT64_MAX;
  for (double tolerance = 1e-1; tolerance > 1e-16; tolerance *= 1e-5) {
    lsqnet_solver_options options = solver_options(LSQNET_METHOD_GD);
    options.tolerance = tolerance;
    options.iterations = 60;
    lsqnet_solver *solver = solver_on(context, small, &options);
    uint64_t state = 5;
    problem p = problem_create(24, 4, 1, 0);
    problem_fill_condition(&p, 3, 0, 0, &state);
    lsqnet_report report;
    (void)problem_truth(&p, 0);
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
    ck_assert_int_ge(report.corrections, corrections);
    corrections = report.corrections;
    if (corrections < fewest) fewest = corrections;
    ck_assert(right_digits(&p, 0, DBL_EPSILON) >= fmin(-log10(tolerance), 15.9));
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
  ck_assert_int_gt(corrections, fewest);
}
END_TEST

/* In units where columns have root mean square 1/2 to 1 and the gradient is A'(A x - b)/m, as the paper's. */
START_TEST(the_step_of_descent_is_the_callers) {
  int64_t last = INT64_MAX;
  for (double step = 0.05; step < 1.5; step *= 2) {
    lsqnet_solver_options options = solver_options(LSQNET_METHOD_GD);
    options.step = step;
    for (int64_t m = 12; m <= 192; m *= 4) { /* iterations must not grow with m */
      lsqnet_solver *solver = solver_on(context, small, &options);
      uint64_t state = 5;
      problem p = problem_create(m, 2, 1, 0);
      problem_fill_condition(&p, 1.5, 0, 0, &state);
      lsqnet_report report;
      (void)problem_truth(&p, 0);
      ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
      ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
      if (m == 12) ck_assert_int_lt(report.iterations, last);
      if (m == 12) last = report.iterations;
      ck_assert((double)report.iterations < 400 / step);
      problem_free(&p);
      lsqnet_solver_destroy(solver);
    }
  }
}
END_TEST

START_TEST(a_step_that_diverges_is_not_certified) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_GD);
  options.step = 50;
  lsqnet_solver *solver = solver_on(context, small, &options);
  problem p = problem_normal(24, 4, 1, 0, 6);
  lsqnet_report report;
  ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_NOT_CONVERGED);
  ck_assert(report.digits == 0);
  for (int64_t j = 0; j < 4; j++) ck_assert(isfinite(p.x[j]));
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* From one correction nothing can be told of the error that it leaves: 1e-4 here, by cond^2 DBL_EPSILON. */
START_TEST(one_correction_says_nothing_of_digits) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_DIRECT);
  options.corrections = 1;
  lsqnet_solver *solver = solver_on(context, small, &options);
  for (uint64_t seed = 1; seed < 20; seed++) {
    uint64_t state = seed;
    problem p = problem_create(24, 4, 1, 0);
    problem_fill_condition(&p, 1e6, 0, 0, &state);
    for (int64_t i = 0; i < 24; i++) p.b[i] = p.a[i * 4] + 1e-9 * p.b[i];
    lsqnet_report report;
    (void)problem_truth(&p, 0);
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_NOT_CONVERGED);
    ck_assert_int_eq(report.stopped, LSQNET_STOP_ITERATIONS);
    ck_assert(report.digits == 0);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* One correction is too few for a model to be sure. LAPACK's answer takes the place of its own where that is better,
 * for each right-hand side of each problem alone, and the bits are those of the problem alone. */
START_TEST(the_fallback_answers_in_batches_what_the_model_cannot) {
  enum { COUNT = 5, ROWS = 24, N = 4, SIDES = 2 };
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  uint64_t state = 5;
  lsqnet_report reports[COUNT * SIDES];
  double a[COUNT][ROWS * N], b[COUNT][ROWS * SIDES], x[COUNT][N * SIDES];
  problem p[COUNT];
  options.corrections = 1;
  options.lapack_fallback = 1;
  const lsqnet_status st = lsqnet_solver_create(&solver, context, NULL, &options);
  if (st == LSQNET_E_UNSUPPORTED) return; /* a build without LAPACK */
  ck_assert_int_eq(st, LSQNET_OK);
  for (int i = 0; i < COUNT; i++) {
    p[i] = problem_create(ROWS, N, SIDES, 0);
    problem_fill_condition(&p[i], i % 2 == 0 ? 2 : 1e6, 0, 1, &state);
    memcpy(a[i], p[i].a, sizeof a[i]);
    memcpy(b[i], p[i].b, sizeof b[i]);
  }
  lsqnet_problems shape;
  ck_assert_int_eq(lsqnet_problems_init(&shape, sizeof shape), LSQNET_OK);
  shape.count = COUNT;
  shape.m = ROWS;
  shape.n = N;
  shape.k = SIDES;
  shape.lda = N;
  shape.ldb = shape.ldx = SIDES;
  shape.a_stride = ROWS * N;
  shape.b_stride = ROWS * SIDES;
  shape.x_stride = N * SIDES;
  for (int i = 0; i < COUNT * SIDES; i++) reports[i].size = sizeof *reports;
  (void)lsqnet_solver_solve_batch_f64(solver, &shape, a[0], b[0], NULL, x[0], reports);
  int own_answers = 0;
  for (int i = 0; i < COUNT; i++) {
    const int ill = i % 2 == 1; /* cond(A) = 1e6; else the model's answer is as good as can be, and LAPACK's by luck better */
    lsqnet_report alone[SIDES] = {{.size = sizeof *alone}, {.size = sizeof *alone}};
    const lsqnet_status own = problem_solve(solver, &p[i], alone);
    ck_assert_mem_eq(x[i], p[i].x, sizeof x[i]);
    for (int l = 0; l < SIDES; l++) {
      const lsqnet_report *report = &reports[i * SIDES + l];
      const int falls_back = report->method == LSQNET_METHOD_LAPACK;
      ck_assert_mem_eq(report, &alone[l], sizeof *report);
      ck_assert(falls_back || !ill);
      ck_assert_int_eq(report->status, falls_back ? LSQNET_OK : LSQNET_E_NOT_CONVERGED);
      ck_assert_int_eq(report->method, falls_back ? LSQNET_METHOD_LAPACK : LSQNET_METHOD_DIRECT);
      ck_assert_int_eq(report->stopped, falls_back ? LSQNET_STOP_FALLBACK : LSQNET_STOP_ITERATIONS);
      if (!falls_back) ck_assert_int_eq(own, LSQNET_E_NOT_CONVERGED);
      own_answers += !falls_back;
      ck_assert(certificate_is_right(&p[i], l, report));
    }
    problem_free(&p[i]);
  }
  ck_assert_int_ge(own_answers, 1);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Rows beyond the range of doubles by their weights once were infinities to LAPACK, from which it did not come back. */
START_TEST(the_fallback_comes_back_from_weights_beyond_the_range) {
  enum { COUNT = 5, ROWS = 12, N = 5 };
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  uint64_t state = 7;
  lsqnet_report reports[COUNT], alone = {.size = sizeof alone};
  double a[COUNT][ROWS * N], b[COUNT][ROWS], weights[COUNT][ROWS], x[COUNT][N], own[N];
  lsqnet_problems shape;
  options.corrections = 1; /* never enough for the model */
  options.lapack_fallback = 1;
  options.min_norm = 1;
  const lsqnet_status st = lsqnet_solver_create(&solver, context, NULL, &options);
  if (st == LSQNET_E_UNSUPPORTED) return; /* a build without LAPACK */
  ck_assert_int_eq(st, LSQNET_OK);
  for (int p = 0; p < COUNT; p++) {
    for (int i = 0; i < ROWS * N; i++) a[p][i] = uniform(&state) - 0.5;
    for (int i = 0; i < ROWS; i++) b[p][i] = uniform(&state);
    for (int i = 0; i < ROWS; i++) weights[p][i] = p % 2 == 0 ? 1 : pow(10, 400 * uniform(&state) - 150);
    for (int i = 0; i < ROWS * N && p % 2 == 1; i++) a[p][i] *= 1e250;
    reports[p].size = sizeof *reports;
  }
  ck_assert_int_eq(lsqnet_problems_init(&shape, sizeof shape), LSQNET_OK);
  for (int wide = 1; wide >= 0; wide--) {
    shape.m = wide ? 3 : ROWS;
    shape.n = N;
    shape.count = COUNT;
    shape.a_stride = ROWS * N;
    shape.b_stride = shape.weights_stride = ROWS;
    shape.x_stride = N;
    (void)lsqnet_solver_solve_batch_f64(solver, &shape, a[0], b[0], weights[0], x[0], reports);
    shape.count = 1;
    for (int p = 0; p < COUNT; p++) {
      (void)lsqnet_solver_solve_batch_f64(solver, &shape, a[p], b[p], weights[p], own, &alone);
      ck_assert_mem_eq(&alone, &reports[p], sizeof alone);
      ck_assert_mem_eq(own, x[p], sizeof own);
      ck_assert(isfinite(alone.condition) && isfinite(alone.backward_error));
    }
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(the_fallback_is_off_by_default_and_named) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(options.lapack_fallback, 0);
  options.corrections = 1; /* never enough for the model */
  uint64_t state = 3;
  problem p = problem_create(24, 4, 1, 0);
  problem_fill_condition(&p, 1e6, 0, 1, &state);
  lsqnet_report report;
  solver = solver_on(context, small, &options);
  ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_NOT_CONVERGED);
  ck_assert_int_eq(report.method, LSQNET_METHOD_DIRECT);
  lsqnet_solver_destroy(solver);
  options.lapack_fallback = 1;
  const lsqnet_status st = lsqnet_solver_create(&solver, context, NULL, &options);
  if (st == LSQNET_OK) {
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
    ck_assert_int_eq(report.status, LSQNET_OK);
    ck_assert_int_eq(report.method, LSQNET_METHOD_LAPACK);
    ck_assert_int_eq(report.stopped, LSQNET_STOP_FALLBACK);
    ck_assert_str_eq(lsqnet_method_name(report.method), "lapack");
    ck_assert_str_eq(lsqnet_stop_name(report.stopped), "fallback");
    ck_assert(report.backward_error <= 40 * DBL_EPSILON);
    check_certificate(&p, 0, &report);
    lsqnet_solver_destroy(solver);
    options.corrections = 50; /* and it is not used where the model does it */
    ck_assert_int_eq(lsqnet_solver_create(&solver, context, NULL, &options), LSQNET_OK);
    check_problem(solver, &p, LSQNET_METHOD_AUTO);
    lsqnet_solver_destroy(solver);
  } else {
    ck_assert_int_eq(st, LSQNET_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "LAPACK"));
    ck_assert_ptr_null(solver);
  }
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("solver");
  TCase *sizes = tcase_create("sizes"), *limits = tcase_create("limits");
  TCase *const cases[] = {sizes, limits};
  for (int i = 0; i < 2; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(sizes, every_size_is_solved_to_the_last_digit, 0, METHODS);
  tcase_add_loop_test(sizes, every_model_solves_with_every_method, 0, KINDS);
  tcase_add_test(sizes, any_size_in_a_range_is_solved);
  tcase_add_test(sizes, a_model_of_one_unknown_serves_one);
  tcase_add_test(sizes, a_model_may_have_more_outputs_than_unknowns);
  tcase_add_loop_test(sizes, float32_problems_are_solved_to_their_last_digit, 0, METHODS);
  tcase_add_test(sizes, the_float32_certificate_is_that_of_the_rounded_answer);
  tcase_add_test(sizes, an_answer_beyond_float32_is_refused);
  tcase_add_loop_test(sizes, low_parts_of_the_data_count, 0, METHODS);
  tcase_add_test(sizes, rows_of_zeros_and_a_right_side_of_zeros_are_no_trouble);
  tcase_add_loop_test(limits, an_unrefined_answer_is_the_models_own, 0, METHODS);
  tcase_add_loop_test(limits, an_unrefined_answer_keeps_to_the_limit_of_iterations, LSQNET_METHOD_GD,
                      LSQNET_METHOD_DIRECT);
  tcase_add_loop_test(limits, limits_are_kept_and_never_flattered, 0, METHODS);
  tcase_add_test(limits, one_correction_says_nothing_of_digits);
  tcase_add_test(limits, a_tolerance_saves_corrections_and_is_kept);
  tcase_add_test(limits, the_step_of_descent_is_the_callers);
  tcase_add_test(limits, a_step_that_diverges_is_not_certified);
  tcase_add_test(limits, the_fallback_comes_back_from_weights_beyond_the_range);
  tcase_add_test(limits, the_fallback_is_off_by_default_and_named);
  tcase_add_test(limits, the_fallback_answers_in_batches_what_the_model_cannot);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
