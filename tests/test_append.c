/* Rows that come and go: whatever has gone before, a state is solved as its rows are, and says what roundings of
 * updates have cost. */
#include <check.h>
#include <fenv.h>
#include <stdio.h>

#include "batch.h"
#include "counting_allocator.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0};

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

static lsqnet_state_options state_options(int64_t n, int64_t k) {
  lsqnet_state_options o;
  ck_assert_int_eq(lsqnet_state_options_init(&o, sizeof o), LSQNET_OK);
  o.n = n;
  o.k = k;
  return o;
}

static lsqnet_state *state_with(const lsqnet_state_options *options) {
  lsqnet_state *state = NULL;
  ck_assert_msg(lsqnet_state_create(&state, context, options) == LSQNET_OK, "%s", lsqnet_last_message());
  return state;
}

static lsqnet_state *plain_state(int64_t n, int64_t k) {
  const lsqnet_state_options o = state_options(n, k);
  return state_with(&o);
}

static lsqnet_state_info info_of(const lsqnet_state *state) {
  lsqnet_state_info info;
  ck_assert_int_eq(lsqnet_state_get_info(state, &info, sizeof info), LSQNET_OK);
  return info;
}

static lsqnet_status append(lsqnet_solver *solver, lsqnet_state *state, const problem *p, int64_t begin, int64_t rows) {
  return lsqnet_solver_append_rows(solver, state, rows, p->a + begin * p->lda, p->lda, p->b + begin * p->ldb, p->ldb);
}

static lsqnet_status removed(lsqnet_solver *solver, lsqnet_state *state, const problem *p, int64_t begin,
                             int64_t rows) {
  return lsqnet_solver_remove_rows(solver, state, rows, p->a + begin * p->lda, p->lda, p->b + begin * p->ldb, p->ldb);
}

static lsqnet_status solve(lsqnet_solver *solver, lsqnet_state *state, problem *p, lsqnet_report *reports) {
  reports[0].size = sizeof *reports;
  return lsqnet_solver_solve_state(solver, state, p->x, p->ldx, reports);
}

/* Rows begin .. of p, with weights and a ridge, as the problem that the oracle solves. */
static problem part_of(const problem *p, int64_t begin, int64_t rows, double forgetting, double ridge) {
  problem q = problem_create(rows + (ridge > 0 ? p->n : 0), p->n, p->k, 0);
  q.a_low = doubles(q.m * q.n);
  q.b_low = doubles(q.m * q.k);
  quad weight = 1;
  for (int64_t i = rows - 1; i >= 0; i--, weight *= forgetting) {
    const quad root = forgetting == 1 ? 1 : quad_sqrt(weight);
    for (int64_t j = 0; j < p->n; j++) {
      const quad value = root * p->a[(begin + i) * p->lda + j];
      q.a[i * p->n + j] = (double)value;
      q.a_low[i * p->n + j] = (double)(value - (double)value);
    }
    for (int64_t l = 0; l < p->k; l++) {
      const quad value = root * p->b[(begin + i) * p->ldb + l];
      q.b[i * p->k + l] = (double)value;
      q.b_low[i * p->k + l] = (double)(value - (double)value);
    }
  }
  for (int64_t j = 0; j < p->n && ridge > 0; j++) {
    const quad root = quad_sqrt(ridge);
    q.a[(rows + j) * p->n + j] = (double)root;
    q.a_low[(rows + j) * p->n + j] = (double)(root - (double)root);
  }
  (void)problem_truth(&q, 0);
  return q;
}

/* The answer in `from` against the oracle's, `units` in the last place where it is certified. */
static void check_answer(const problem *from, problem *truth, const lsqnet_report *reports, double units) {
  for (int64_t j = 0; j < truth->n; j++)
    for (int64_t l = 0; l < truth->k; l++) truth->x[j * truth->ldx + l] = from->x[j * from->ldx + l];
  for (int64_t l = 0; l < truth->k; l++) {
    const double right = right_digits(truth, l, DBL_EPSILON);
    double residual = 0;
    ck_assert_msg(reports[l].digits <= right + 1, "%g digits reported, %g right", reports[l].digits, right);
    if (reports[l].status != LSQNET_OK) continue;
    ck_assert_msg(worst_error(truth, DBL_EPSILON) <= units, "%g units", worst_error(truth, DBL_EPSILON));
    const double error = backward_error(truth, l, &residual);
    quad size = 0;
    for (int64_t i = 0; i < truth->m; i++) size += (quad)truth->b[i * truth->ldb + l] * truth->b[i * truth->ldb + l];
    size = quad_sqrt(size);
    for (int64_t j = 0; j < truth->n; j++) size += column_norm(truth, j) * quad_abs(truth->x[j * truth->ldx + l]);
    ck_assert_msg(fabs(reports[l].residual_norm - residual) <= 1e-6 * residual + 1e-13 * (double)size,
                  "residual norm %g, not %g, beside %g", reports[l].residual_norm, residual, (double)size);
    /* columns are at unit size by powers of two that the number of rows has a say in, and a factor has fewer rows */
    if (residual > 1e-6 * (double)size)
      ck_assert_msg(reports[l].backward_error <= 3 * error && reports[l].backward_error >= error / 3, "%g, not %g",
                    reports[l].backward_error, error);
  }
}

/* ---- rows come ---- */

START_TEST(appended_rows_are_solved_as_a_fresh_problem) {
  static const int64_t sizes[][2] = {{1, 1}, {5, 1}, {4, 3}, {16, 1}, {30, 2}, {70, 1}, {3, 10}};
  const int64_t n = sizes[_i][0], k = sizes[_i][1], m = 3 * n + 25;
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state *state = plain_state(n, k);
  problem all = problem_normal(m, n, k, 2, 3);
  lsqnet_report reports[10];
  uint64_t random = 5;
  for (int64_t have = 0; have < m;) {
    const int64_t left = m - have, wish = integer(&random, 1, n + 4), rows = wish < left ? wish : left;
    ck_assert_int_eq(append(solver, state, &all, have, rows), LSQNET_OK);
    have += rows;
    ck_assert_int_eq(info_of(state).rows, have);
    if (have < n + 2) continue;
    if (n > 20 && have < m) continue; /* the oracle takes its time */
    problem truth = part_of(&all, 0, have, 1, 0);
    ck_assert_msg(solve(solver, state, &all, reports) == LSQNET_OK, "%s", lsqnet_last_message());
    check_answer(&all, &truth, reports, 1);
    ck_assert_int_eq(reports[0].road, LSQNET_ROAD_STATE);
    ck_assert_int_gt(reports[0].model_calls, 0);
    problem_free(&truth);
  }
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(every_model_serves_states) {
  static const model_kind kinds[] = {{"attention", "split", 20, 5, 0},
                                     {"attention", "split", 7, 4, 2},
                                     {"base_conv", "repeat", 6, 4, 0},
                                     {"base_conv", "split", 5, 4, 2},
                                     {"base_conv", "query_first", 5, 4, 0}};
  lsqnet_solver *solver = solver_on(context, kinds[_i], NULL);
  for (int64_t n = 2; n <= 6; n += 2) {
    lsqnet_state *state = plain_state(n, 1);
    problem all = problem_normal(40, n, 1, 0, 3);
    lsqnet_report report;
    ck_assert_int_eq(append(solver, state, &all, 0, 40), LSQNET_OK);
    problem truth = part_of(&all, 0, 40, 1, 0);
    ck_assert_msg(solve(solver, state, &all, &report) == LSQNET_OK, "%s", lsqnet_last_message());
    check_answer(&all, &truth, &report, 1);
    problem_free(&truth);
    problem_free(&all);
    lsqnet_state_destroy(state);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(blocks_of_rows_change_no_bit) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  problem all = problem_normal(60, 5, 2, 1, 8);
  double *first = doubles(5 * all.ldx);
  for (int64_t block = 1; block <= 60; block++) {
    lsqnet_state *state = plain_state(5, 2);
    lsqnet_report reports[2];
    for (int64_t begin = 0; begin < 60; begin += block)
      ck_assert_int_eq(append(solver, state, &all, begin, begin + block < 60 ? block : 60 - begin), LSQNET_OK);
    memset(all.x, 0, (size_t)(5 * all.ldx) * sizeof *all.x);
    ck_assert_int_eq(solve(solver, state, &all, reports), LSQNET_OK);
    if (block == 1) memcpy(first, all.x, (size_t)(5 * all.ldx) * sizeof *first);
    ck_assert(memcmp(first, all.x, (size_t)(5 * all.ldx) * sizeof *first) == 0);
    lsqnet_state_destroy(state);
  }
  free(first);
  problem_free(&all);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_state_takes_no_more_memory_however_many_rows_come) {
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  const lsqnet_state_options o = state_options(6, 1);
  lsqnet_solver *solver = solver_on(counted, shipped, NULL);
  lsqnet_state *state = NULL;
  problem all = problem_normal(50, 6, 1, 0, 1);
  lsqnet_report report;
  ck_assert_int_eq(lsqnet_state_create(&state, counted, &o), LSQNET_OK);
  ck_assert_int_eq(append(solver, state, &all, 0, 50), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &all, &report), LSQNET_OK);
  const long long before = allocator.calls;
  for (int i = 0; i < 200; i++) {
    ck_assert_int_eq(append(solver, state, &all, 0, 50), LSQNET_OK);
    ck_assert_int_eq(removed(solver, state, &all, 10, 3), LSQNET_OK);
    ck_assert_int_eq(solve(solver, state, &all, &report), LSQNET_OK);
  }
  ck_assert_int_eq(allocator.calls, before);
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
  ck_assert_int_eq(allocator.live, 0);
}
END_TEST

/* ---- rows go ---- */

/* A window over a long stream: with rows kept, and given back. */
START_TEST(a_sliding_window_is_solved_as_its_rows) {
  const int64_t n = 4, window = 15, m = quick() ? 60 : 400;
  lsqnet_state_options o = state_options(n, 1);
  o.keep_rows = _i % 2;
  lsqnet_solver *solver = solver_on(context, _i / 2 == 0 ? shipped : gates, NULL);
  lsqnet_state *state = state_with(&o);
  problem all = problem_normal(m, n, 1, 0, 6);
  lsqnet_report report;
  for (int64_t i = 0; i < m; i++) {
    ck_assert_int_eq(append(solver, state, &all, i, 1), LSQNET_OK);
    if (i < window) continue;
    if (o.keep_rows)
      ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, NULL, 0, NULL, 0), LSQNET_OK);
    else
      ck_assert_int_eq(removed(solver, state, &all, i - window, 1), LSQNET_OK);
    ck_assert_int_eq(info_of(state).rows, window);
    problem truth = part_of(&all, i - window + 1, window, 1, 0);
    ck_assert_int_eq(solve(solver, state, &all, &report), LSQNET_OK);
    check_answer(&all, &truth, &report, 1);
    problem_free(&truth);
  }
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(any_rows_may_leave_in_any_order) {
  const int64_t m = 30, n = 3;
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state_options o = state_options(n, 1);
  o.keep_rows = _i;
  for (uint64_t seed = 1; seed < 20; seed++) {
    lsqnet_state *state = state_with(&o);
    problem all = problem_normal(m, n, 1, 0, seed), rest = problem_create(m, n, 1, 0);
    lsqnet_report report;
    uint64_t random = seed;
    ck_assert_int_eq(append(solver, state, &all, 0, m), LSQNET_OK);
    rest.m = 0;
    for (int64_t i = m - 1; i >= 0; i--) {
      if (integer(&random, 0, 2) == 0 || i < 6) {
        memcpy(rest.a + rest.m * n, all.a + i * n, (size_t)n * sizeof(double));
        rest.b[rest.m++] = all.b[i];
      } else {
        ck_assert_msg(removed(solver, state, &all, i, 1) == LSQNET_OK, "%s", lsqnet_last_message());
      }
    }
    (void)problem_truth(&rest, 0);
    ck_assert_int_eq(solve(solver, state, &rest, &report), LSQNET_OK);
    ck_assert(worst_error(&rest, DBL_EPSILON) <= 1);
    problem_free(&rest);
    problem_free(&all);
    lsqnet_state_destroy(state);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_state_that_all_rows_have_left_is_as_new) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state *state = plain_state(3, 1);
  problem all = problem_normal(20, 3, 1, 0, 2);
  lsqnet_report report, again;
  ck_assert_int_eq(append(solver, state, &all, 0, 10), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &all, &report), LSQNET_OK);
  const double first = all.x[0];
  ck_assert_int_eq(append(solver, state, &all, 10, 10), LSQNET_OK);
  ck_assert_int_eq(removed(solver, state, &all, 0, 20), LSQNET_OK);
  ck_assert(info_of(state).drift == 0 && info_of(state).rows == 0);
  ck_assert_int_eq(solve(solver, state, &all, &again), LSQNET_E_RANK);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "rows=0 for n=3"));
  ck_assert_int_eq(append(solver, state, &all, 0, 10), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &all, &again), LSQNET_OK);
  ck_assert(all.x[0] == first && memcmp(&report, &again, sizeof report) == 0);
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- drift ---- */

/* A row of size 10^e comes and goes: what it leaves behind is 10^(2e) 2^-106 or so beside moments of size 1. */
START_TEST(what_large_rows_leave_behind_is_told_or_repaired) {
  for (int exponent = 0; exponent <= 40; exponent++) {
    lsqnet_solver *solver = solver_on(context, shipped, NULL);
    lsqnet_state_options o = state_options(4, 1);
    o.keep_rows = _i;
    lsqnet_state *state = state_with(&o);
    problem all = problem_normal(20, 4, 1, 0, 9);
    lsqnet_report report;
    for (int64_t j = 0; j < 4; j++) all.a[19 * 4 + j] *= pow(10, exponent);
    ck_assert_int_eq(append(solver, state, &all, 0, 20), LSQNET_OK);
    ck_assert_int_eq(removed(solver, state, &all, 19, 1), LSQNET_OK);
    const double drift = info_of(state).drift;
    problem truth = part_of(&all, 0, 19, 1, 0);
    const lsqnet_status st = solve(solver, state, &all, &report);
    if (st != LSQNET_E_RANK) check_answer(&all, &truth, &report, 1);
    ck_assert(drift >= pow(10, 2 * exponent) * 1e-34);
    if (_i == 1 || exponent <= 5) {
      ck_assert_msg(st == LSQNET_OK, "10^%d: %s", exponent, lsqnet_last_message());
    } else if (exponent >= 10) {
      ck_assert(st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_RANK);
    }
    if (_i == 1 && exponent >= 10) {
      ck_assert_int_eq(info_of(state).repairs, 1);
      ck_assert(info_of(state).drift < 1e-28);
    }
    problem_free(&truth);
    problem_free(&all);
    lsqnet_state_destroy(state);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(a_long_stream_keeps_its_digits) {
  const int64_t n = 5, window = 20, rounds_of = quick() ? 2000 : 100000;
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state *state = plain_state(n, 1);
  problem all = problem_normal(1000, n, 1, 0, 6);
  lsqnet_report report;
  double drift = 0;
  ck_assert_int_eq(append(solver, state, &all, 0, window), LSQNET_OK);
  for (int64_t i = window; i < rounds_of; i++) {
    ck_assert_int_eq(append(solver, state, &all, i % 1000, 1), LSQNET_OK);
    ck_assert_int_eq(removed(solver, state, &all, (i - window) % 1000, 1), LSQNET_OK);
    if (i % 1000 != 999) continue;
    ck_assert(info_of(state).drift > drift); /* watched */
    drift = info_of(state).drift;
    problem truth = part_of(&all, 1000 - window, window, 1, 0);
    ck_assert_int_eq(solve(solver, state, &all, &report), LSQNET_OK);
    check_answer(&all, &truth, &report, 1);
    problem_free(&truth);
  }
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- fading rows, ridge ---- */

START_TEST(rows_fade) {
  static const double forgetting[] = {0.5, 0.9, 0.99, 0.999};
  const int64_t n = 4, m = 80;
  for (size_t f = 0; f < 4; f++) {
    lsqnet_state_options o = state_options(n, 2);
    o.forgetting = forgetting[f];
    o.keep_rows = _i;
    lsqnet_solver *solver = solver_on(context, shipped, NULL);
    lsqnet_state *state = state_with(&o);
    problem all = problem_normal(m, n, 2, 0, 3);
    lsqnet_report reports[2];
    for (int64_t i = 0; i < m; i++) {
      ck_assert_int_eq(append(solver, state, &all, i, 1), LSQNET_OK);
      if (i < 10 || i % 7 != 0) continue;
      problem truth = part_of(&all, 0, i + 1, forgetting[f], 0);
      ck_assert_msg(solve(solver, state, &all, reports) == LSQNET_OK, "%s", lsqnet_last_message());
      check_answer(&all, &truth, reports, 1);
      problem_free(&truth);
    }
    const lsqnet_status st = lsqnet_solver_remove_rows(solver, state, 30, NULL, 0, NULL, 0);
    ck_assert_int_eq(st, _i == 1 ? LSQNET_OK : LSQNET_E_UNSUPPORTED);
    if (_i == 1) {
      problem truth = part_of(&all, 30, m - 30, forgetting[f], 0);
      ck_assert_int_eq(solve(solver, state, &all, reports), LSQNET_OK);
      check_answer(&all, &truth, reports, 1);
      problem_free(&truth);
    }
    problem_free(&all);
    lsqnet_state_destroy(state);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(a_ridge_holds_for_states) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.ridge = 0.5;
  lsqnet_solver *solver = solver_on(context, _i == 0 ? shipped : gates, &options);
  lsqnet_state *state = plain_state(4, 1);
  problem all = problem_normal(12, 4, 1, 0, 3);
  lsqnet_report report;
  for (int64_t i = 0; i < 12; i++) {
    problem truth = part_of(&all, 0, i, 1, options.ridge);
    if (i > 0) { /* fewer rows than unknowns too */
      ck_assert_msg(solve(solver, state, &all, &report) == LSQNET_OK, "%d rows: %s", (int)i, lsqnet_last_message());
      check_answer(&all, &truth, &report, 1);
    }
    ck_assert_int_eq(append(solver, state, &all, i, 1), LSQNET_OK);
    problem_free(&truth);
  }
  problem_free(&all);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- hard rows ---- */

START_TEST(reports_of_states_never_flatter) {
  lsqnet_state_options o = state_options(1, 1);
  o.keep_rows = _i % 2;
  lsqnet_solver *solver = solver_on(context, _i / 2 == 0 ? shipped : gates, NULL);
  uint64_t random = 40 + (uint64_t)_i;
  int solved = 0, count = quick() ? 60 : 400 * rounds();
  for (int i = 0; i < count; i++) {
    const int64_t n = integer(&random, 1, 8), m = integer(&random, n, 30);
    const double condition = pow(10, 15 * uniform(&random));
    o.n = n;
    lsqnet_state *state = state_with(&o);
    problem p = problem_create(m, n, 1, 0);
    lsqnet_report report;
    problem_fill_condition(&p, condition, i % 2, i / 2 % 2, &random);
    problem truth = part_of(&p, 0, m, 1, 0);
    ck_assert_int_eq(append(solver, state, &p, 0, m), LSQNET_OK);
    const lsqnet_status st = solve(solver, state, &p, &report);
    ck_assert_int_eq(st, report.status);
    ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_RANK);
    if (st != LSQNET_E_RANK) check_answer(&p, &truth, &report, 2.5);
    if (condition < 1e4 || (o.keep_rows && condition < 1e9)) ck_assert_int_eq(st, LSQNET_OK);
    solved += st == LSQNET_OK;
    problem_free(&truth);
    problem_free(&p);
    lsqnet_state_destroy(state);
  }
  ck_assert_int_ge(solved, count / 3);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(columns_that_depend_on_each_other_are_refused) {
  lsqnet_solver *solver = solver_on(context, _i % 2 == 0 ? shipped : gates, NULL);
  lsqnet_state_options o = state_options(5, 1);
  o.keep_rows = _i / 2;
  lsqnet_state *state = state_with(&o);
  problem p = problem_normal(20, 5, 1, 0, 3);
  lsqnet_report report;
  for (int64_t i = 0; i < 20; i++) p.a[i * 5 + 3] = p.a[i * 5] - 2 * p.a[i * 5 + 1];
  p.x[0] = 42;
  ck_assert_int_eq(append(solver, state, &p, 0, 20), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &p, &report), LSQNET_E_RANK);
  ck_assert_int_eq(report.status, LSQNET_E_RANK);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_RANK);
  ck_assert_int_eq(report.rank, 4);
  ck_assert(p.x[0] == 42);
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- arguments ---- */

static void check_refused(lsqnet_state_options o, lsqnet_status status, const char *text) {
  lsqnet_state *state = (lsqnet_state *)(void *)&o;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &o), status);
  ck_assert_ptr_null(state);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
}

START_TEST(options_of_states_out_of_range_are_refused) {
  const lsqnet_state_options good = state_options(3, 2);
  lsqnet_state_options o;
  lsqnet_state_info info;
  lsqnet_state *state = NULL;
#define REFUSED(field, value, status, text) (o = good, o.field = (value), check_refused(o, LSQNET_E_##status, text))
  REFUSED(n, 0, SHAPE, "n=0");
  REFUSED(k, -1, SHAPE, "k=-1");
  REFUSED(n, INT64_MAX, SHAPE, "addressed");
  REFUSED(n, INT64_C(1) << 31, SHAPE, "addressed");
  REFUSED(keep_rows, 2, ARGUMENT, "keep_rows=2");
  REFUSED(forgetting, 0.0, ARGUMENT, "forgetting=0");
  REFUSED(forgetting, 1.5, ARGUMENT, "forgetting=1.5");
  REFUSED(forgetting, (double)NAN, ARGUMENT, "forgetting=");
  REFUSED(size, 4, VERSION, "size=4");
#undef REFUSED
  ck_assert_int_eq(lsqnet_state_create(NULL, context, &good), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_create(&state, NULL, &good), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_create(&state, context, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_options_init(&o, 4), LSQNET_E_VERSION);
  ck_assert_int_eq(lsqnet_state_get_info(NULL, &info, sizeof info), LSQNET_E_ARGUMENT);
  lsqnet_state_destroy(NULL);
}
END_TEST

typedef struct {
  int64_t rows, lda, ldb;
  int missing; /* 1: a, 2: b, 3: solver, 4: state */
  lsqnet_status status;
  const char *message;
} call;

START_TEST(rows_that_make_no_sense_are_refused) {
  static const call calls[] = {
      {1, 3, 1, 1, LSQNET_E_ARGUMENT, "a is NULL"},
      {1, 3, 1, 2, LSQNET_E_ARGUMENT, "b is NULL"},
      {1, 3, 1, 3, LSQNET_E_ARGUMENT, "solver is NULL"},
      {1, 3, 1, 4, LSQNET_E_ARGUMENT, "state is NULL"},
      {-1, 3, 1, 0, LSQNET_E_SHAPE, "rows=-1"},
      {1, 2, 1, 0, LSQNET_E_SHAPE, "lda=2"},
      {1, 3, 0, 0, LSQNET_E_SHAPE, "ldb=0"},
      {INT64_MAX, 3, 1, 0, LSQNET_E_SHAPE, "addressed"},
      {2, INT64_MAX, 1, 0, LSQNET_E_SHAPE, "addressed"},
  };
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state *state = plain_state(3, 1);
  const double a[6] = {1, 2, 3, 4, 5, 6}, b[2] = {1, 2};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    const call *c = &calls[i];
    ck_assert_int_eq(lsqnet_solver_append_rows(c->missing == 3 ? NULL : solver, c->missing == 4 ? NULL : state, c->rows,
                                               c->missing == 1 ? NULL : a, c->lda, c->missing == 2 ? NULL : b, c->ldb),
                     c->status);
    ck_assert_msg(strstr(lsqnet_last_message(), c->message) != NULL, "%s: %s", c->message, lsqnet_last_message());
    ck_assert_int_eq(info_of(state).rows, 0);
  }
  double x[3] = {42};
  lsqnet_report report = {.size = 4};
  ck_assert_int_eq(lsqnet_solver_solve_state(NULL, state, x, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, NULL, x, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, NULL, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 0, NULL), LSQNET_E_SHAPE);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, &report), LSQNET_E_VERSION);
  ck_assert_int_eq(fesetround(FE_UPWARD), 0);
  const lsqnet_status st = lsqnet_solver_append_rows(solver, state, 1, a, 3, b, 1);
  ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
  ck_assert_int_eq(st, LSQNET_E_UNSUPPORTED);
  ck_assert(x[0] == 42);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_row_that_is_no_numbers_leaves_the_state_as_it_was) {
  static const double bad[] = {(double)NAN, (double)INFINITY, 1e200};
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  for (int keep = 0; keep < 2; keep++)
    for (int i = 0; i < 6; i++) {
      lsqnet_state_options o = state_options(3, 1);
      o.keep_rows = keep;
      lsqnet_state *state = state_with(&o);
      problem p = problem_normal(12, 3, 1, 0, 3), q = problem_normal(12, 3, 1, 0, 4);
      lsqnet_report before, after;
      ck_assert_int_eq(append(solver, state, &p, 0, 12), LSQNET_OK);
      ck_assert_int_eq(solve(solver, state, &p, &before), LSQNET_OK);
      *(i < 3 ? &q.a[11 * 3 + 1] : &q.b[11]) = bad[i % 3];
      ck_assert_int_eq(append(solver, state, &q, 0, 12), LSQNET_E_NOT_FINITE);
      ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "in row 11"));
      ck_assert_int_eq(removed(solver, state, &q, 0, 12), LSQNET_E_NOT_FINITE);
      ck_assert_int_eq(info_of(state).rows, 12);
      ck_assert_int_eq(solve(solver, state, &q, &after), LSQNET_OK);
      ck_assert(memcmp(p.x, q.x, 3 * sizeof(double)) == 0 && memcmp(&before, &after, sizeof after) == 0);
      problem_free(&q);
      problem_free(&p);
      lsqnet_state_destroy(state);
    }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_that_are_not_there_cannot_leave) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state_options o = state_options(3, 1);
  lsqnet_state *plain = state_with(&o);
  o.keep_rows = 1;
  lsqnet_state *keeping = state_with(&o);
  problem p = problem_normal(12, 3, 1, 0, 3), twice = problem_create(3, 3, 1, 0);
  lsqnet_report report;
  ck_assert_int_eq(append(solver, plain, &p, 0, 10), LSQNET_OK);
  ck_assert_int_eq(append(solver, keeping, &p, 0, 10), LSQNET_OK);
  ck_assert_int_eq(removed(solver, plain, &p, 0, 11), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "rows=11: the state has 10"));
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, plain, 1, NULL, 0, NULL, 0), LSQNET_E_UNSUPPORTED);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, keeping, 1, p.a, 3, NULL, 0), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(removed(solver, keeping, &p, 9, 2), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "row 1 (counted from 0) is not among the 10"));
  for (int64_t i = 0; i < 3; i++) { /* the same row three times, which is there once, and then twice */
    memcpy(twice.a + i * 3, p.a + 6, 3 * sizeof(double));
    twice.b[i] = p.b[2];
  }
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 2), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(append(solver, keeping, &p, 2, 1), LSQNET_OK);
  ck_assert_int_eq(info_of(keeping).rows, 11);
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 3), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 2), LSQNET_OK);
  ck_assert_int_eq(info_of(keeping).rows, 9);
  problem rest = problem_create(9, 3, 1, 0);
  for (int64_t i = 0, to = 0; i < 10; i++) {
    if (i == 2) continue;
    memcpy(rest.a + to * 3, p.a + i * 3, 3 * sizeof(double));
    rest.b[to++] = p.b[i];
  }
  (void)problem_truth(&rest, 0);
  ck_assert_int_eq(solve(solver, keeping, &rest, &report), LSQNET_OK);
  ck_assert(worst_error(&rest, DBL_EPSILON) <= 1);
  problem_free(&rest);
  problem_free(&twice);
  problem_free(&p);
  lsqnet_state_destroy(keeping);
  lsqnet_state_destroy(plain);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_refused_allocation_leaves_the_state_as_it_was) {
  problem p = problem_normal(40, 4, 1, 0, 2);
  for (long long refuse = 1;; refuse++) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    lsqnet_state *state = NULL;
    lsqnet_report report;
    lsqnet_state_options o = state_options(4, 1);
    o.keep_rows = 1;
    ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, _i == 0 ? shipped : gates, NULL);
    allocator.refuse = allocator.calls + refuse;
    lsqnet_status st = lsqnet_state_create(&state, counted, &o);
    if (st == LSQNET_OK) st = append(solver, state, &p, 0, 40);
    if (st == LSQNET_OK) st = lsqnet_solver_remove_rows(solver, state, 5, NULL, 0, NULL, 0);
    if (st == LSQNET_OK) st = append(solver, state, &p, 0, 40);
    if (st == LSQNET_OK) st = solve(solver, state, &p, &report);
    if (state != NULL && st != LSQNET_OK) {
      const int64_t rows = info_of(state).rows;
      ck_assert(rows == 0 || rows == 35 || rows == 75);
    }
    lsqnet_state_destroy(state);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(allocator.misuses, 0);
    if (st == LSQNET_OK) break;
    ck_assert_int_eq(st, LSQNET_E_MEMORY);
    ck_assert_int_lt(refuse, 1000);
  }
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("append");
  TCase *come = tcase_create("rows come"), *go = tcase_create("rows go"), *drift = tcase_create("drift"),
        *fade = tcase_create("fading"), *hard = tcase_create("hard rows"), *arguments = tcase_create("arguments");
  TCase *const cases[] = {come, go, drift, fade, hard, arguments};
  for (int i = 0; i < 6; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(come, appended_rows_are_solved_as_a_fresh_problem, 0, 7);
  tcase_add_loop_test(come, every_model_serves_states, 0, 5);
  tcase_add_test(come, blocks_of_rows_change_no_bit);
  tcase_add_test(come, a_state_takes_no_more_memory_however_many_rows_come);
  tcase_add_loop_test(go, a_sliding_window_is_solved_as_its_rows, 0, 4);
  tcase_add_loop_test(go, any_rows_may_leave_in_any_order, 0, 2);
  tcase_add_test(go, a_state_that_all_rows_have_left_is_as_new);
  tcase_add_loop_test(drift, what_large_rows_leave_behind_is_told_or_repaired, 0, 2);
  tcase_add_test(drift, a_long_stream_keeps_its_digits);
  tcase_add_loop_test(fade, rows_fade, 0, 2);
  tcase_add_loop_test(fade, a_ridge_holds_for_states, 0, 2);
  tcase_add_loop_test(hard, reports_of_states_never_flatter, 0, 4);
  tcase_add_loop_test(hard, columns_that_depend_on_each_other_are_refused, 0, 4);
  tcase_add_test(arguments, options_of_states_out_of_range_are_refused);
  tcase_add_test(arguments, rows_that_make_no_sense_are_refused);
  tcase_add_test(arguments, a_row_that_is_no_numbers_leaves_the_state_as_it_was);
  tcase_add_test(arguments, rows_that_are_not_there_cannot_leave);
  tcase_add_loop_test(arguments, a_refused_allocation_leaves_the_state_as_it_was, 0, 2);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
