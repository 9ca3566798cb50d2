/* Batches: weights, ridge, which road is taken and why, and calls that make no sense. */
#include <check.h>
#include <stdio.h>

#include "batch.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0};

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

/* ---- weights and ridge ---- */

static void set_pair(quad value, double *high, double *low) {
  *high = (double)value;
  *low = (double)(value - *high);
}

/* The problem that is solved: rows times the roots of their weights, and those of a ridge below, in pairs. */
static problem weighted_problem(const problem *p, const double *weights, double ridge) {
  problem q = problem_create(p->m + (ridge > 0 ? p->n : 0), p->n, p->k, 0);
  q.a_low = doubles(q.m * q.n);
  q.b_low = doubles(q.m * q.k);
  for (int64_t i = 0; i < p->m; i++) {
    const quad root = weights == NULL ? 1 : quad_sqrt(weights[i]);
    for (int64_t j = 0; j < p->n; j++)
      set_pair(root * p->a[i * p->lda + j], &q.a[i * p->n + j], &q.a_low[i * p->n + j]);
    for (int64_t l = 0; l < p->k; l++)
      set_pair(root * p->b[i * p->ldb + l], &q.b[i * p->k + l], &q.b_low[i * p->k + l]);
  }
  for (int64_t j = 0; j < p->n && ridge > 0; j++)
    set_pair(quad_sqrt(ridge), &q.a[(p->m + j) * p->n + j], &q.a_low[(p->m + j) * p->n + j]);
  return q;
}

static void check_against(const batch *s, int64_t p, problem *truth) {
  (void)problem_truth(truth, 0);
  batch_take(s, p, truth);
  const double unit = s->layout & LAYOUT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
  ck_assert_msg(worst_error(truth, unit) <= 1, "problem %d, layout %d: %g units", (int)p, s->layout,
                worst_error(truth, unit));
  for (int64_t l = 0; l < truth->k; l++) {
    const lsqnet_report *report = &s->reports[p * truth->k + l];
    ck_assert_int_eq(report->status, LSQNET_OK);
    ck_assert(report->digits <= right_digits(truth, l, unit) + 1);
    ck_assert_msg(certificate_is_right(truth, l, report), "%g, not %g", report->backward_error,
                  backward_error(truth, l));
  }
}

START_TEST(weights_of_rows_are_exact) {
  const int64_t m = 17, n = 4, k = 2, count = 5;
  lsqnet_solver *solver = solver_on(context, _i % 2 == 0 ? shipped : gates, NULL);
  for (int layout = 0; layout < LAYOUTS; layout++) {
    batch s = batch_create(count, m, n, k, layout);
    problem problems[5];
    double weights[5][17];
    uint64_t state = 12;
    for (int64_t p = 0; p < count; p++) {
      problems[p] = problem_normal(m, n, k, 0, (uint64_t)p);
      batch_put(&s, p, &problems[p]);
      for (int64_t i = 0; i < m; i++) {
        const double w = i == 3 ? 0 : pow(10, p == 0 ? 0 : 8 * uniform(&state) - 4);
        batch_set(&s, BATCH_WEIGHTS, p, i, 0, w);
        weights[p][i] = batch_get(&s, BATCH_WEIGHTS, p, i, 0);
      }
    }
    ck_assert_msg(batch_solve(solver, &s, 1) == LSQNET_OK, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < count; p++) {
      problem truth = weighted_problem(&problems[p], weights[p], 0);
      check_against(&s, p, &truth);
      ck_assert_int_eq(s.reports[p * k].why, LSQNET_WHY_SMALL);
      problem_free(&truth);
      problem_free(&problems[p]);
    }
    batch_free(&s);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Weights over any range, some of them 0, in problems of any condition: right or refused, and alone as in the batch. */
START_TEST(weights_of_any_size_are_right_or_refused) {
  static const double ranges[] = {0, 2, 10, 100, 560};
  static const int64_t sizes[][2] = {{16, 3}, {30, 6}, {700, 4}};
  const double range = ranges[_i % 5];
  const int64_t m = sizes[_i / 5 % 3][0], n = sizes[_i / 5 % 3][1],
                count = m > 100 || getenv("LSQNET_TEST_QUICK") != NULL ? 11 : 60;
  lsqnet_solver *solver = solver_on(context, _i / 15 == 0 ? shipped : gates, NULL);
  batch s = batch_create(count, m, n, 1, 0), alone = batch_create(1, m, n, 1, 0);
  uint64_t state = 90 + (uint64_t)_i;
  int64_t in_lanes = 0, solved = 0;
  double *weights = doubles(count * m);
  problem *problems = some((size_t)count, sizeof *problems);
  for (int64_t p = 0; p < count; p++) {
    problems[p] = problem_create(m, n, 1, 0);
    problem_fill_condition(&problems[p], pow(10, 8 * uniform(&state)), (int)(p % 2), (int)(p / 2 % 2), &state);
    batch_put(&s, p, &problems[p]);
    for (int64_t i = 0; i < m; i++) {
      double *const w = &weights[p * m + i];
      *w = integer(&state, 0, 9) == 0 ? 0 : pow(10, range * (uniform(&state) - 0.5));
      batch_set(&s, BATCH_WEIGHTS, p, i, 0, *w);
    }
  }
  (void)batch_solve(solver, &s, 1);
  for (int64_t p = 0; p < count; p++) {
    const lsqnet_report *report = &s.reports[p];
    in_lanes += report->road == (m > 100 ? LSQNET_ROAD_ROWS : LSQNET_ROAD_PROBLEMS);
    solved += report->status == LSQNET_OK;
    batch_put(&alone, 0, &problems[p]);
    for (int64_t i = 0; i < m; i++) batch_set(&alone, BATCH_WEIGHTS, 0, i, 0, weights[p * m + i]);
    ck_assert_int_eq(batch_solve(solver, &alone, 1), report->status);
    ck_assert(memcmp(alone.reports, report, sizeof *report) == 0);
    for (int64_t j = 0; j < n && report->status != LSQNET_E_RANK; j++)
      ck_assert(batch_get(&alone, BATCH_X, 0, j, 0) == batch_get(&s, BATCH_X, p, j, 0));
    if (report->status != LSQNET_E_RANK && (m < 100 || p % 5 == 0)) {
      problem truth = weighted_problem(&problems[p], weights + p * m, 0);
      (void)problem_truth(&truth, 0);
      batch_take(&s, p, &truth);
      const double right = right_digits(&truth, 0, DBL_EPSILON), worst = worst_error(&truth, DBL_EPSILON);
      ck_assert_msg(report->digits <= right + 1, "%g digits reported, %g right", report->digits, right);
      if (report->status == LSQNET_OK) ck_assert_msg(worst <= 2.5, "%g units", worst);
      if (report->status == LSQNET_OK) ck_assert(certificate_is_right(&truth, 0, report));
      problem_free(&truth);
    }
    problem_free(&problems[p]);
  }
  ck_assert(range > 10 || (solved == count && in_lanes >= count / 3));
  free(problems);
  free(weights);
  batch_free(&alone);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Powers of two that a problem's columns, right-hand side and weights are multiplied by. */
static const struct {
  int columns[2], side, weight;
} powers[] = {{{664, 664}, 664, 731},    {{830, 830}, 0, 432},       {{1000, -1000}, 0, 1000},
              {{-800, -800}, -820, 900}, {{-670, -670}, -670, -731}, {{-500, -480}, -500, -1000},
              {{0, 0}, -900, -900},      {{400, 400}, 300, -1070},   {{900, 900}, 0, -800},
              {{-600, -600}, 300, 1000}, {{0, 0}, 0, 1000}};
enum { POWERS = sizeof powers / sizeof powers[0] };

/* x, its residual and condition are those of the problem at unit scale, times powers of two, wherever numbers times
 * roots of weights are; with as much of a ridge where columns have one power and the ridge is a number. */
static void check_powers(int which, int32_t method, double ridge) {
  static const double a[] = {1.1, 2.3, 3.7, 1.9, 1, 1.3, 2.7, -1.1}, b[] = {1, 2, 3.3, 4.7}, w[] = {1, 2, 3, 1e-20};
  const int *const columns = powers[which].columns, side = powers[which].side, weight = powers[which].weight;
  lsqnet_solver_options options = solver_options(method);
  double far_a[8], far_b[4], far_w[4], x[2], far_x[2] = {7, 7};
  lsqnet_report report = {.size = sizeof report}, far = report;
  lsqnet_problems p;
  ck_assert_int_eq(lsqnet_problems_init(&p, sizeof p), LSQNET_OK);
  p.m = 4;
  p.n = 2;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 2; j++) far_a[2 * i + j] = ldexp(a[2 * i + j], columns[j]);
    far_b[i] = ldexp(b[i], side);
    far_w[i] = ldexp(w[i], weight);
  }
  options.ridge = ridge;
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  ck_assert_int_eq(lsqnet_solver_solve_batch_f64(solver, &p, a, b, w, x, &report), LSQNET_OK);
  lsqnet_solver_destroy(solver);
  options.ridge = ldexp(ridge, 2 * columns[0] + weight);
  solver = solver_on(context, shipped, &options);
  ck_assert_msg(lsqnet_solver_solve_batch_f64(solver, &p, far_a, far_b, far_w, far_x, &far) == LSQNET_OK, "%d: %s",
                which, lsqnet_last_message());
  lsqnet_solver_destroy(solver);
  for (int j = 0; j < 2; j++) /* a rounding each, and one of the comparison's */
    ck_assert(fabs(ldexp(far_x[j], columns[j] - side) - x[j]) <= 1.5 * DBL_EPSILON * fabs(x[j]));
  ck_assert(far.digits >= 15 && far.backward_error <= 1e-15);
  ck_assert(far.condition >= report.condition / 4 && far.condition <= report.condition * 4);
  const double norm =
      ldexp(report.residual_norm, side + weight / 2) * (weight % 2 == 0 ? 1 : sqrt(weight > 0 ? 2 : 0.5));
  ck_assert(far.residual_norm == norm || fabs(far.residual_norm - norm) <= 1e-9 * norm);
}

START_TEST(numbers_times_roots_of_weights_may_be_beyond_the_range) {
  static const int32_t methods[] = {LSQNET_METHOD_AUTO, LSQNET_METHOD_GD, LSQNET_METHOD_CHEBYSHEV, LSQNET_METHOD_CG};
  for (int method = 0; method < 4; method++) check_powers(_i, methods[method], 0);
  const int ridge = 2 * powers[_i].columns[0] + powers[_i].weight;
  if (powers[_i].columns[0] == powers[_i].columns[1] && abs(ridge) < 1000) check_powers(_i, LSQNET_METHOD_AUTO, 0.3);
}
END_TEST

START_TEST(a_ridge_is_exact) {
  static const int64_t sizes[][3] = {{20, 5, 1}, {3, 4, 2}, {600, 6, 1}, {1, 3, 1}};
  static const double ridges[] = {1e-20, 1e-6, 0.3, 1, 1e9};
  const int64_t *size = sizes[_i % 4], count = 5;
  const model_kind kind = _i / 4 == 0 ? shipped : gates;
  for (size_t r = 0; r < sizeof ridges / sizeof ridges[0]; r++) {
    if (size[0] < size[1] && ridges[r] < 1e-3) continue; /* next to dependent columns */
    lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
    options.ridge = ridges[r];
    lsqnet_solver *solver = solver_on(context, kind, &options);
    batch s = batch_create(count, size[0], size[1], size[2], 0);
    problem problems[5];
    for (int64_t p = 0; p < count; p++) {
      problems[p] = problem_normal(size[0], size[1], size[2], 0, 9 + (uint64_t)p);
      batch_put(&s, p, &problems[p]);
    }
    ck_assert_msg(batch_solve(solver, &s, 0) == LSQNET_OK, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < count; p++) {
      problem truth = weighted_problem(&problems[p], NULL, ridges[r]);
      check_against(&s, p, &truth);
      problem_free(&truth);
      problem_free(&problems[p]);
    }
    batch_free(&s);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(a_ridge_and_weights_go_together_and_with_every_method) {
  lsqnet_solver_options options = solver_options(_i);
  const int64_t m = 12, n = 4, count = 3;
  options.ridge = 0.25;
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  batch s = batch_create(count, m, n, 1, 0);
  problem problems[3];
  double weights[12];
  for (int64_t i = 0; i < m; i++) weights[i] = (double)(i + 1);
  for (int64_t p = 0; p < count; p++) {
    problems[p] = problem_normal(m, n, 1, 0, 70 + (uint64_t)p);
    batch_put(&s, p, &problems[p]);
    for (int64_t i = 0; i < m; i++) batch_set(&s, BATCH_WEIGHTS, p, i, 0, weights[i]);
  }
  for (int weighted = 0; weighted < 2; weighted++) {
    ck_assert_msg(batch_solve(solver, &s, weighted) == LSQNET_OK, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < count; p++) {
      problem truth = weighted_problem(&problems[p], weighted ? weights : NULL, options.ridge);
      check_against(&s, p, &truth);
      problem_free(&truth);
    }
  }
  for (int64_t p = 0; p < count; p++) problem_free(&problems[p]);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_weight_that_is_none_is_the_problems_own_failure) {
  static const double bad[] = {-1, (double)NAN, (double)INFINITY};
  static const lsqnet_status expected[] = {LSQNET_E_ARGUMENT, LSQNET_E_NOT_FINITE, LSQNET_E_NOT_FINITE};
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  batch s = batch_create(3, 9, 2, 1, 0);
  for (int64_t p = 0; p < 3; p++) {
    problem q = problem_normal(9, 2, 1, 0, 1);
    batch_put(&s, p, &q);
    for (int64_t i = 0; i < 9; i++) batch_set(&s, BATCH_WEIGHTS, p, i, 0, 1);
    problem_free(&q);
  }
  batch_fill_x(&s, 42);
  batch_set(&s, BATCH_WEIGHTS, 1, 4, 0, bad[_i]);
  ck_assert_int_eq(batch_solve(solver, &s, 1), expected[_i]);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "problem 1 of 3"));
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "row 4"));
  ck_assert_int_eq(s.reports[1].status, expected[_i]);
  ck_assert_int_eq(s.reports[1].stopped, LSQNET_STOP_DATA);
  ck_assert(batch_get(&s, BATCH_X, 1, 0, 0) == 42);
  ck_assert(s.reports[0].status == LSQNET_OK && s.reports[2].status == LSQNET_OK);
  ck_assert(batch_get(&s, BATCH_X, 0, 0, 0) == batch_get(&s, BATCH_X, 2, 0, 0));
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- roads ---- */

START_TEST(the_report_says_which_road_and_why) {
  static const struct {
    int64_t m, n, k;
    double condition;
    int32_t method;
    int64_t corrections;
    int32_t road, why;
  } cases[] = {
      {20, 5, 1, 3, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_PROBLEMS, LSQNET_WHY_SMALL},
      {20, 5, 1, 3, LSQNET_METHOD_DIRECT, 50, LSQNET_ROAD_PROBLEMS, LSQNET_WHY_SMALL},
      {20, 5, 1, 1e5, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_PROBLEMS, LSQNET_WHY_SMALL},
      {20, 5, 1, 1e10, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_ORTHOGONAL, LSQNET_WHY_CONDITION},
      {900, 5, 1, 3, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_ROWS, LSQNET_WHY_TALL},
      {900, 5, 1, 1e10, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_ORTHOGONAL, LSQNET_WHY_CONDITION},
      {70, 65, 1, 3, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_ORTHOGONAL, LSQNET_WHY_WIDE},
      {20, 5, 19, 3, LSQNET_METHOD_AUTO, 50, LSQNET_ROAD_PROBLEMS, LSQNET_WHY_SMALL},
      {20, 5, 1, 3, LSQNET_METHOD_AUTO, 1, LSQNET_ROAD_ORTHOGONAL, LSQNET_WHY_OPTIONS},
      {20, 5, 1, 3, LSQNET_METHOD_CG, 50, LSQNET_ROAD_ITERATIONS, LSQNET_WHY_OPTIONS},
      {20, 5, 1, 3, LSQNET_METHOD_GD, 50, LSQNET_ROAD_ITERATIONS, LSQNET_WHY_OPTIONS},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    lsqnet_solver_options options = solver_options(cases[i].method);
    uint64_t state = 8;
    options.corrections = cases[i].corrections;
    lsqnet_solver *solver = solver_on(context, shipped, &options);
    batch s = batch_create(3, cases[i].m, cases[i].n, cases[i].k, 0);
    for (int64_t p = 0; p < 3; p++) {
      problem q = problem_create(cases[i].m, cases[i].n, cases[i].k, 0);
      problem_fill_condition(&q, cases[i].condition, 0, 1, &state);
      batch_put(&s, p, &q);
      problem_free(&q);
    }
    (void)batch_solve(solver, &s, 0);
    for (int64_t r = 0; r < 3 * cases[i].k; r++) {
      ck_assert_msg(s.reports[r].road == cases[i].road, "case %d: %s", (int)i, lsqnet_road_name(s.reports[r].road));
      ck_assert_msg(s.reports[r].why == cases[i].why, "case %d: %s", (int)i, lsqnet_why_name(s.reports[r].why));
    }
    batch_free(&s);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(names_of_roads_and_reasons_are_known) {
  static const char *const roads[] = {"none", "problems", "rows", "orthogonal", "iterations", "state"};
  static const char *const reasons[] = {"none", "small", "tall", "wide", "condition", "options", "state"};
  for (int32_t i = 0; i < 6; i++) ck_assert_str_eq(lsqnet_road_name(i), roads[i]);
  for (int32_t i = 0; i < 7; i++) ck_assert_str_eq(lsqnet_why_name(i), reasons[i]);
  ck_assert(lsqnet_road_name(-1) == NULL && lsqnet_road_name(6) == NULL);
  ck_assert(lsqnet_why_name(-1) == NULL && lsqnet_why_name(7) == NULL);
}
END_TEST

START_TEST(limits_of_corrections_and_tolerance_hold_in_lanes) {
  for (int64_t corrections = 2; corrections < 5; corrections++)
    for (double tolerance = 0; tolerance < 1e-2; tolerance = tolerance == 0 ? 1e-14 : tolerance * 100) {
      lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
      uint64_t state = 3;
      options.corrections = corrections;
      options.tolerance = tolerance;
      lsqnet_solver *solver = solver_on(context, shipped, &options);
      for (int i = 0; i < 20; i++) {
        problem p = problem_create(15, 4, 1, 0);
        lsqnet_report report;
        problem_fill_condition(&p, pow(10, 0.4 * i), 0, 0, &state);
        (void)problem_truth(&p, 0);
        const lsqnet_status st = problem_solve(solver, &p, &report);
        ck_assert_int_le(report.corrections, corrections);
        ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED);
        ck_assert(report.digits <= right_digits(&p, 0, DBL_EPSILON) + 1);
        if (st == LSQNET_OK) ck_assert(right_digits(&p, 0, DBL_EPSILON) >= fmin(-log10(tolerance), 15.3));
        problem_free(&p);
      }
      lsqnet_solver_destroy(solver);
    }
}
END_TEST

/* ---- arguments ---- */

static void check_refused(lsqnet_solver *solver, const lsqnet_problems *problems, lsqnet_status status,
                          const char *text) {
  const double a[64] = {1, 2, 3, 4, 5, 7}, b[64] = {1, 2, 4};
  double x[64] = {42};
  const lsqnet_status st = lsqnet_solver_solve_batch_f64(solver, problems, a, b, NULL, x, NULL);
  ck_assert_msg(st == status, "%s instead of %s: %s", lsqnet_status_name(st), lsqnet_status_name(status),
                lsqnet_last_message());
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
  ck_assert(x[0] == 42);
}

START_TEST(a_batch_that_makes_no_sense_is_refused) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_problems good, o;
  ck_assert_int_eq(lsqnet_problems_init(&good, sizeof good), LSQNET_OK);
  ck_assert(good.count == 1 && good.k == 1 && good.column_major == 0 && good.lda == 0 && good.a_stride == 0);
  good.m = 3;
  good.n = 2;
  good.count = 2;
#define REFUSED(field, value, status, text) \
  (o = good, o.field = (value), check_refused(solver, &o, LSQNET_E_##status, text))
  REFUSED(m, 0, SHAPE, "m=0");
  REFUSED(n, -1, SHAPE, "n=-1");
  REFUSED(k, 0, SHAPE, "k=0");
  REFUSED(count, -1, SHAPE, "count=-1");
  REFUSED(lda, 1, SHAPE, "lda=1");
  REFUSED(ldb, -1, SHAPE, "ldb=-1");
  REFUSED(ldx, -5, SHAPE, "ldx=-5");
  REFUSED(a_stride, -1, SHAPE, "a_stride=-1");
  REFUSED(b_stride, -1, SHAPE, "b_stride=-1");
  REFUSED(x_stride, -2, SHAPE, "x_stride=-2");
  REFUSED(x_stride, 1, SHAPE, "x_stride=1 ldx=1: answers of 2 x 1 would overlap");
  REFUSED(weights_stride, -2, SHAPE, "weights_stride=-2");
  REFUSED(column_major, 2, ARGUMENT, "column_major=2");
  REFUSED(count, INT64_MAX / 3, SHAPE, "addressed");
  REFUSED(a_stride, INT64_MAX / 3, SHAPE, "a: ");
  REFUSED(m, INT64_MAX, SHAPE, "addressed");
  REFUSED(lda, INT64_MAX, SHAPE, "addressed");
  REFUSED(size, 4, VERSION, "size=4");
#undef REFUSED
  o = good;
  o.x_stride = 1;
  o.ldx = 1; /* with ldx = 2 the two answers would be interleaved */
  check_refused(solver, &o, LSQNET_E_SHAPE, "would overlap");
  o = good;
  o.column_major = 1;
  o.lda = 2;
  check_refused(solver, &o, LSQNET_E_SHAPE, "lda=2: must be at least its 3 rows");
  check_refused(solver, NULL, LSQNET_E_ARGUMENT, "problems is NULL");
  check_refused(NULL, &good, LSQNET_E_ARGUMENT, "solver is NULL");
  ck_assert_int_eq(lsqnet_problems_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_problems_init(&o, 4), LSQNET_E_VERSION);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(pointers_that_are_null_are_named) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  const char *const names[] = {"a[2]", "b[2]", "x[2]", "weights[2]"};
  for (int array = 0; array < BATCH_ARRAYS; array++) {
    batch s = batch_create(4, 5, 2, 1, LAYOUT_POINTERS);
    problem q = problem_normal(5, 2, 1, 0, 2);
    for (int64_t p = 0; p < 4; p++) {
      batch_put(&s, p, &q);
      for (int64_t i = 0; i < 5; i++) batch_set(&s, BATCH_WEIGHTS, p, i, 0, 1);
    }
    batch_fill_x(&s, 42);
    s.lists64[array][2] = NULL;
    ck_assert_int_eq(batch_solve(solver, &s, 1), LSQNET_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), names[array]));
    ck_assert(batch_get(&s, BATCH_X, 0, 0, 0) == 42);
    problem_free(&q);
    batch_free(&s);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(no_problems_are_no_trouble_and_reports_are_optional) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  batch s = batch_create(5, 6, 2, 1, 0);
  problem q = problem_normal(6, 2, 1, 0, 2);
  for (int64_t p = 0; p < 5; p++) batch_put(&s, p, &q);
  ck_assert_int_eq(
      lsqnet_solver_solve_batch_f64(solver, &s.shape, s.f64[BATCH_A], s.f64[BATCH_B], NULL, s.f64[BATCH_X], NULL),
      LSQNET_OK);
  s.shape.count = 0;
  batch_fill_x(&s, 42);
  ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
  s.reports[0].size = sizeof *s.reports - 1;
  s.shape.count = 5;
  ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_E_VERSION);
  problem_free(&q);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Strides below a problem's size: windows that share rows, and matrices interleaved number by number. */
START_TEST(problems_may_overlap) {
  enum { ROWS = 30, M = 12, N = 3 };
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  problem all = problem_normal(ROWS, N, 1, 0, 4);
  lsqnet_problems shape;
  lsqnet_report reports[ROWS - M] = {{.size = sizeof *reports}}, report;
  double x[(ROWS - M) * N];
  ck_assert_int_eq(lsqnet_problems_init(&shape, sizeof shape), LSQNET_OK);
  shape.m = M;
  shape.n = N;
  shape.count = ROWS - M;
  shape.a_stride = N;
  shape.b_stride = 1;
  ck_assert_int_eq(lsqnet_solver_solve_batch_f64(solver, &shape, all.a, all.b, NULL, x, reports), LSQNET_OK);
  for (int64_t p = 0; p < ROWS - M; p++) {
    problem one = problem_create(M, N, 1, 0);
    memcpy(one.a, all.a + p * N, M * N * sizeof(double));
    memcpy(one.b, all.b + p, M * sizeof(double));
    ck_assert_int_eq(problem_solve(solver, &one, &report), LSQNET_OK);
    ck_assert(memcmp(one.x, x + p * N, N * sizeof(double)) == 0);
    ck_assert(memcmp(&report, &reports[p], sizeof report) == 0);
    problem_free(&one);
  }
  problem_free(&all);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- answers where data are ---- */

enum { PLACES = 6000 };

/* The numbers that an array has, by counting each. */
static void mark(const lsqnet_problems *p, int64_t rows, int64_t columns, int64_t ld, int64_t stride, int64_t at,
                 int8_t *taken) {
  for (int64_t q = 0; q < p->count; q++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < columns; j++) taken[at + q * stride + (p->column_major ? j * ld + i : i * ld + j)] = 1;
}

/* a, b, weights and x anywhere in one memory, by rows or columns, side by side, interleaved, or sharing rows. */
START_TEST(an_answer_that_has_a_number_of_the_data_is_refused_and_no_other) {
  static double memory[PLACES];
  static int8_t data[PLACES], answers[PLACES];
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  uint64_t random = 7;
  int64_t refused = 0, solved = 0;
  for (int trial = 0; trial < 6000; trial++) {
    lsqnet_problems p;
    ck_assert_int_eq(lsqnet_problems_init(&p, sizeof p), LSQNET_OK);
    p.column_major = (int32_t)integer(&random, 0, 1);
    p.count = integer(&random, 1, 6);
    p.n = integer(&random, 1, 3);
    p.m = p.n + integer(&random, 0, 3);
    p.k = integer(&random, 1, 2);
    const int64_t rows[] = {p.m, p.m, p.n}, columns[] = {p.n, p.k, p.k};
    int64_t ld[3], stride[3], lines[3], length[3];
    const int64_t same = integer(&random, 0, 2) == 0 ? integer(&random, 1, 60) : 0;
    for (int i = 0; i < 3; i++) {
      lines[i] = p.column_major ? columns[i] : rows[i];
      length[i] = p.column_major ? rows[i] : columns[i];
      ld[i] = length[i] + integer(&random, 0, 1) * integer(&random, 0, 20);
      stride[i] = same != 0 ? same : integer(&random, 1, 40);
    }
    const int beside = stride[2] >= (lines[2] - 1) * ld[2] + length[2];
    const int interleaved = stride[2] >= length[2] && (p.count - 1) * stride[2] + length[2] <= ld[2];
    if (p.count > 1 && !beside && !interleaved) stride[2] = (lines[2] - 1) * ld[2] + length[2];
    p.lda = ld[0], p.ldb = ld[1], p.ldx = ld[2];
    p.a_stride = stride[0], p.b_stride = stride[1], p.x_stride = stride[2];
    p.weights_stride = integer(&random, 1, 40);
    int64_t at[4]; /* of a, b, x, weights */
    const int64_t span = integer(&random, 1, 10) * 40;
    for (int i = 0; i < 4; i++) at[i] = integer(&random, 0, span);
    const int weighted = (int)integer(&random, 0, 1);
    memset(data, 0, sizeof data);
    memset(answers, 0, sizeof answers);
    mark(&p, p.m, p.n, p.lda, p.a_stride, at[0], data);
    mark(&p, p.m, p.k, p.ldb, p.b_stride, at[1], data);
    if (weighted) mark(&p, p.m, 1, p.column_major ? p.m : 1, p.weights_stride, at[3], data);
    mark(&p, p.n, p.k, p.ldx, p.x_stride, at[2], answers);
    int meets = 0;
    for (int64_t i = 0; i < PLACES; i++) meets |= data[i] && answers[i];
    for (int64_t i = 0; i < PLACES; i++) memory[i] = normal(&random);
    const lsqnet_status st = lsqnet_solver_solve_batch_f64(solver, &p, memory + at[0], memory + at[1],
                                                           weighted ? memory + at[3] : NULL, memory + at[2], NULL);
    const int told = st == LSQNET_E_ARGUMENT && strstr(lsqnet_last_message(), "x overlaps ") != NULL;
    ck_assert_msg(told == meets, "trial %d: %s: %s", trial, lsqnet_status_name(st), lsqnet_last_message());
    refused += told;
    solved += !told;
  }
  ck_assert_int_ge(refused, 1000);
  ck_assert_int_ge(solved, 1000);
  lsqnet_solver_destroy(solver);
}
END_TEST

static void check_named(lsqnet_status st, const char *text) {
  ck_assert_int_eq(st, LSQNET_E_ARGUMENT);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s", lsqnet_last_message());
}

START_TEST(the_place_where_an_answer_meets_data_is_named) {
  enum { COUNT = 20, M = 6, N = 2 };
  double a[COUNT * M * N], b[COUNT * M], weights[COUNT * M], x[COUNT * N];
  float narrow[COUNT * M * N], narrow_b[COUNT * M];
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_problems p;
  uint64_t random = 3;
  ck_assert_int_eq(lsqnet_problems_init(&p, sizeof p), LSQNET_OK);
  p.count = COUNT;
  p.m = M;
  p.n = N;
  for (int i = 0; i < COUNT * M * N; i++) narrow[i] = (float)(a[i] = normal(&random));
  for (int i = 0; i < COUNT * M; i++) narrow_b[i] = (float)(b[i] = normal(&random)), weights[i] = 1 + i;
  check_named(lsqnet_solver_solve_batch_f64(solver, &p, a, b, NULL, a + 10 * M * N + 3, NULL),
              "x overlaps a: row 0, column 0 of x of problem 0 lies at row 1, column 1 of a of problem 10");
  check_named(lsqnet_solver_solve_batch_f64(solver, &p, a, b, weights, weights, NULL),
              "x overlaps weights: row 0, column 0 of x of problem 0 lies at row 0, column 0 of weights of problem 0");
  check_named(lsqnet_solver_solve_batch_f64(solver, &p, a, b, weights, b, NULL), "x overlaps b: row 0, column 0");
  check_named(lsqnet_solver_solve_batch_f64(solver, &p, a, b, NULL, b + COUNT * M - 1, NULL),
              "x overlaps b: row 0, column 0 of x of problem 0 lies at row 5, column 0 of b of problem 19");
  check_named(lsqnet_solver_solve_batch_f32(solver, &p, narrow, narrow_b, NULL, narrow + 15 * M * N, NULL),
              "row 0, column 0 of x of problem 0 lies at row 0, column 0 of a of problem 15");
  const double *const as[] = {a, a}, *const bs[] = {b, b}, *const heavy[] = {weights, weights + M};
  double *const xs[] = {x, weights + 2 * M - 1};
  p.count = 2;
  check_named(lsqnet_solver_solve_pointers_f64(solver, &p, as, bs, heavy, xs, NULL),
              "x overlaps weights: row 0, column 0 of x of problem 1 lies at row 5, column 0 of weights of problem 1");
  p.count = COUNT;
  for (int i = 0; i < COUNT * M; i++) ck_assert(weights[i] == 1 + i);
  ck_assert_int_eq(lsqnet_solver_solve_batch_f64(solver, &p, a, b, weights, x, NULL), LSQNET_OK);
  lsqnet_solver_destroy(solver);
}
END_TEST

static void check_options_refused(lsqnet_solver_options bad, const char *text) {
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, NULL, &bad), LSQNET_E_ARGUMENT);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
}

START_TEST(ridge_and_seconds_out_of_range_are_refused) {
  const lsqnet_solver_options good = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver_options o;
#define REFUSED(field, value, text) (o = good, o.field = (value), check_options_refused(o, text))
  REFUSED(ridge, -1e-300, "ridge=-1e-300");
  REFUSED(ridge, (double)INFINITY, "ridge=inf");
  REFUSED(ridge, (double)NAN, "ridge=");
  REFUSED(seconds, -1.0, "seconds=-1");
  REFUSED(seconds, (double)NAN, "seconds=");
#undef REFUSED
}
END_TEST

int main(void) {
  Suite *suite = suite_create("batch: options");
  TCase *weights = tcase_create("weights"), *roads = tcase_create("roads"), *arguments = tcase_create("arguments");
  TCase *const cases[] = {weights, roads, arguments};
  for (int i = 0; i < 3; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(weights, weights_of_rows_are_exact, 0, 2);
  tcase_add_loop_test(weights, weights_of_any_size_are_right_or_refused, 0, 30);
  tcase_add_loop_test(weights, numbers_times_roots_of_weights_may_be_beyond_the_range, 0, POWERS);
  tcase_add_loop_test(weights, a_ridge_is_exact, 0, 8);
  tcase_add_loop_test(weights, a_ridge_and_weights_go_together_and_with_every_method, 0, LSQNET_METHOD_DIRECT + 1);
  tcase_add_loop_test(weights, a_weight_that_is_none_is_the_problems_own_failure, 0, 3);
  tcase_add_test(roads, the_report_says_which_road_and_why);
  tcase_add_test(roads, names_of_roads_and_reasons_are_known);
  tcase_add_test(roads, limits_of_corrections_and_tolerance_hold_in_lanes);
  tcase_add_test(arguments, a_batch_that_makes_no_sense_is_refused);
  tcase_add_test(arguments, pointers_that_are_null_are_named);
  tcase_add_test(arguments, no_problems_are_no_trouble_and_reports_are_optional);
  tcase_add_test(arguments, problems_may_overlap);
  tcase_add_test(arguments, an_answer_that_has_a_number_of_the_data_is_refused_and_no_other);
  tcase_add_test(arguments, the_place_where_an_answer_meets_data_is_named);
  tcase_add_test(arguments, ridge_and_seconds_out_of_range_are_refused);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
