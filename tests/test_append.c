/* Rows that come and go: whatever has gone before, a state is solved as its rows are, and says what roundings of
 * updates have cost. */
#include "counting_allocator.h"
#include "state.h"

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

START_TEST(every_kernel_level_serves_states) {
  lsqnet_context *own = context_of_level(LSQNET_KERNEL_GENERIC + _i);
  if (own == NULL) return;
  lsqnet_solver *solver = solver_on(own, shipped, NULL);
  for (int64_t n = 1; n <= 17; n += 4) {
    lsqnet_state *state = NULL;
    lsqnet_state_options o = state_options(n, 2);
    problem all = problem_normal(40, n, 2, 0, 3);
    lsqnet_report reports[2];
    o.forgetting = 0.9;
    ck_assert_int_eq(lsqnet_state_create(&state, own, &o), LSQNET_OK);
    ck_assert_int_eq(append(solver, state, &all, 0, 40), LSQNET_OK);
    problem truth = part_of(&all, 0, 40, 0.9, 0);
    ck_assert_int_eq(solve(solver, state, &all, reports), LSQNET_OK);
    check_answer(&all, &truth, reports, 1);
    problem_free(&truth);
    problem_free(&all);
    lsqnet_state_destroy(state);
  }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
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

/* A row has gone in with one zero and leaves with the other; rows that differ in it alone are two of the same. */
START_TEST(zeros_of_either_sign_are_one_number) {
  const double sign = _i == 0 ? 1 : -1, a[] = {sign * 0.0, 1, 2, 3, 4, 5}, b[] = {1, -sign * 0.0, 3};
  const double other[] = {-sign * 0.0, 1, sign * 0.0, 1}, other_b[] = {1, 1};
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state_options o = state_options(2, 1);
  lsqnet_state *state = NULL;
  o.keep_rows = 1;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &o), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 3, a, 2, b, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 2, other, 2, other_b, 1), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "row 1"));
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, other + 2, 2, other_b, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 2, other, 2, other_b, 1), LSQNET_OK);
  const double zero = sign * 0.0;
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, a + 2, 2, &zero, 1), LSQNET_OK);
  ck_assert_int_eq(info_of(state).rows, 1);
  lsqnet_state_destroy(state);
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
    check_answer(&all, &truth, &report, 1);
    ck_assert(drift >= pow(10, 2 * exponent) * 1e-34);
    if (_i == 1 || exponent <= 5) {
      ck_assert_msg(st == LSQNET_OK, "10^%d: %s", exponent, lsqnet_last_message());
    } else if (exponent >= 10) {
      ck_assert_int_eq(st, LSQNET_E_NOT_CONVERGED); /* not E_RANK: the rank is 4 */
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

/* What cannot be seen any more of a small residual counts on top of what can. */
START_TEST(a_residual_is_never_told_too_small) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  for (uint64_t seed = 0; seed < (quick() ? 100 : 2000); seed++) {
    lsqnet_state *state = plain_state(4, 1);
    problem all = problem_normal(20, 4, 1, 0, seed);
    lsqnet_report report;
    for (int64_t i = 0; i < 20; i++) {
      const double noise = all.b[i] * pow(10, -2 - (double)(seed % 11));
      all.b[i] = all.a[i * 4] + 2 * all.a[i * 4 + 1] - all.a[i * 4 + 2] + 3 * all.a[i * 4 + 3] + noise;
    }
    for (int64_t j = 0; j < 4; j++) all.a[19 * 4 + j] *= pow(10, (double)(seed % 5));
    ck_assert_int_eq(append(solver, state, &all, 0, 20), LSQNET_OK);
    ck_assert_int_eq(removed(solver, state, &all, 19, 1), LSQNET_OK);
    problem rest = part_of(&all, 0, 19, 1, 0);
    if (solve(solver, state, &all, &report) == LSQNET_OK) {
      memcpy(rest.x, all.x, 4 * sizeof *rest.x);
      const double residual = error_bounds_of(&rest, 0).residual;
      ck_assert_msg(report.residual_norm >= (1 - 1e-6) * residual, "seed %d: residual norm %g, below %g", (int)seed,
                    report.residual_norm, residual);
    }
    problem_free(&rest);
    problem_free(&all);
    lsqnet_state_destroy(state);
  }
  lsqnet_solver_destroy(solver);
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

/* One right-hand side at a time: residual and backward error are those of the rows, or larger. */
static void check_certificates(problem *truth, const problem *from, const lsqnet_report *reports) {
  for (int64_t j = 0; j < truth->n; j++)
    for (int64_t l = 0; l < truth->k; l++) truth->x[j * truth->ldx + l] = from->x[j * from->ldx + l];
  for (int64_t l = 0; l < truth->k; l++) {
    if (reports[l].status != LSQNET_OK && reports[l].status != LSQNET_E_NOT_CONVERGED) continue;
    ck_assert_int_eq(reports[l].road, LSQNET_ROAD_STATE);
    check_from_above(&reports[l], error_bounds_of(truth, l));
  }
}

/* Rows of any condition, consistent but for 10^-12 or not, over which a large row has come and gone. */
START_TEST(what_moments_cannot_show_is_told_from_above) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.ridge = _i / 2 % 2 == 1 ? 1e-12 : 0;
  lsqnet_solver *solver = solver_on(context, _i % 2 == 0 ? shipped : gates, &options);
  lsqnet_state_options o = state_options(4, 2);
  o.keep_rows = 0;
  int64_t told = 0;
  for (uint64_t seed = 1; seed <= (quick() ? 50 : 200); seed++) {
    uint64_t random = 10 * seed + (uint64_t)_i;
    problem p = problem_create(20, 4, 2, 0);
    lsqnet_report reports[2];
    problem_fill_condition(&p, pow(10, 13 * uniform(&random)), seed % 2 == 0, seed % 3 != 0, &random);
    for (int64_t i = 0; i < 40; i++) p.b[i] *= 1 + 1e-12 * normal(&random);
    double large[4], b[] = {1, 2};
    const double size = seed % 4 == 0 ? 0 : pow(10, 20 * uniform(&random));
    for (int64_t j = 0; j < 4; j++) large[j] = size * normal(&random);
    lsqnet_state *state = state_with(&o);
    ck_assert_int_eq(append(solver, state, &p, 0, 10), LSQNET_OK);
    ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, large, 4, b, 2), LSQNET_OK);
    ck_assert_int_eq(append(solver, state, &p, 10, 10), LSQNET_OK);
    ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, large, 4, b, 2), LSQNET_OK);
    problem truth = part_of(&p, 0, 20, 1, options.ridge);
    (void)solve(solver, state, &p, reports);
    check_certificates(&truth, &p, reports);
    told += reports[0].status != LSQNET_E_RANK;
    problem_free(&truth);
    problem_free(&p);
    lsqnet_state_destroy(state);
  }
  ck_assert_int_ge(told, quick() ? 40 : 160);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- rows kept ---- */

typedef struct {
  model_kind kind;
  int64_t n, k;
  int32_t method, why;
} shape;

static lsqnet_report slide(lsqnet_solver *solver, lsqnet_state *state, problem *p) {
  lsqnet_report reports[20];
  ck_assert_int_eq(append(solver, state, p, 0, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, NULL, 0, NULL, 0), LSQNET_OK);
  ck_assert_msg(solve(solver, state, p, reports) == LSQNET_OK, "%s", lsqnet_last_message());
  for (int64_t l = 1; l < p->k; l++) ck_assert(reports[l].road == reports[0].road && reports[l].why == reports[0].why);
  return reports[0];
}

/* Neither solved nor summed up anew: the time that a solve takes does not grow with the rows. */
START_TEST(rows_kept_are_left_alone_where_moments_reach) {
  static const shape shapes[] = {
      {{NULL, NULL, 0, 0, 0}, 6, 8, LSQNET_METHOD_AUTO, LSQNET_WHY_STATE},
      {{NULL, NULL, 0, 0, 0}, 6, 9, LSQNET_METHOD_AUTO, LSQNET_WHY_STATE},
      {{NULL, NULL, 0, 0, 0}, 5, 20, LSQNET_METHOD_AUTO, LSQNET_WHY_STATE},
      {{NULL, NULL, 0, 0, 0}, 65, 1, LSQNET_METHOD_AUTO, LSQNET_WHY_WIDE},
      {{NULL, NULL, 0, 0, 0}, 4, 1, LSQNET_METHOD_CG, LSQNET_WHY_OPTIONS},
      {{"base_conv", "repeat", 6, 4, 0}, 4, 2, LSQNET_METHOD_AUTO, LSQNET_WHY_STATE},
  };
  const shape *s = &shapes[_i];
  const int64_t m = s->n + 40;
  lsqnet_solver_options options = solver_options(s->method);
  lsqnet_solver *solver = solver_on(context, s->kind, &options);
  lsqnet_state_options o = state_options(s->n, s->k);
  o.keep_rows = 1;
  lsqnet_state *state = state_with(&o);
  problem p = problem_normal(m, s->n, s->k, 0, 3);
  ck_assert_int_eq(append(solver, state, &p, 0, m), LSQNET_OK);
  for (int i = 0; i < 3; i++) {
    const lsqnet_report report = slide(solver, state, &p);
    ck_assert_int_eq(report.road, LSQNET_ROAD_STATE);
    ck_assert_int_eq(report.why, s->why);
  }
  ck_assert_int_eq(info_of(state).repairs, 0);
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_kept_are_solved_where_moments_do_not_reach) {
  lsqnet_solver *solver = solver_on(context, _i == 0 ? shipped : gates, NULL);
  lsqnet_state_options o = state_options(4, 2);
  o.keep_rows = 1;
  lsqnet_state *state = state_with(&o);
  problem p = problem_normal(40, 4, 2, 0, 3);
  for (int64_t i = 0; i < 40; i++) p.a[i * 4 + 1] = p.a[i * 4] + 1e-10 * p.a[i * 4 + 1];
  ck_assert_int_eq(append(solver, state, &p, 0, 40), LSQNET_OK);
  for (int i = 0; i < 3; i++) {
    const lsqnet_report report = slide(solver, state, &p);
    ck_assert_int_eq(report.road, LSQNET_ROAD_ORTHOGONAL);
    ck_assert_int_eq(report.why, LSQNET_WHY_CONDITION);
  }
  ck_assert_int_eq(info_of(state).repairs, 0); /* which would have been of no use */
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Of a row some times as large as the others more drift is left than the condition bears, and less than is repaired
 * always.
 */
START_TEST(drift_that_the_condition_does_not_bear_is_repaired_once) {
  lsqnet_solver *solver = solver_on(context, _i == 0 ? shipped : gates, NULL);
  lsqnet_state_options o = state_options(4, 1);
  o.keep_rows = 1;
  lsqnet_state *state = state_with(&o);
  problem p = problem_create(21, 4, 1, 0);
  uint64_t random = 7;
  lsqnet_report report;
  problem_fill_condition(&p, 1e6, 0, 1, &random);
  for (int64_t j = 0; j < 4; j++) p.a[j] = p.a[j + 4] * 2 / fabs(p.a[j + 4]);
  ck_assert_int_eq(append(solver, state, &p, 0, 21), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, NULL, 0, NULL, 0), LSQNET_OK);
  problem truth = part_of(&p, 1, 20, 1, 0);
  ck_assert_double_lt(info_of(state).drift, 0x1p-90);
  for (int i = 0; i < 2; i++) {
    ck_assert_msg(solve(solver, state, &p, &report) == LSQNET_OK, "%s", lsqnet_last_message());
    ck_assert_int_eq(report.road, LSQNET_ROAD_STATE);
    ck_assert_int_eq(info_of(state).repairs, 1);
    check_answer(&p, &truth, &report, 2.5);
  }
  problem_free(&truth);
  problem_free(&p);
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

/* Without the ridge the second column is the first but for roundings of the moments: digits may be lost, and say so. */
START_TEST(a_ridge_holds_where_columns_nearly_depend) {
  static const double rows[] = {1e8, 1e8, 1, 1 + 1e-8, 0.5, 0.5 - 3e-8};
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.ridge = pow(10, -2 - _i);
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  lsqnet_state *state = plain_state(2, 1);
  problem p = problem_create(3, 2, 1, 0);
  lsqnet_report report;
  for (int i = 0; i < 3; i++) {
    p.b[i * p.ldb] = i + 1;
    for (int j = 0; j < 2; j++) p.a[i * p.lda + j] = rows[2 * i + j];
  }
  problem truth = part_of(&p, 0, 3, 1, options.ridge);
  ck_assert_int_eq(append(solver, state, &p, 0, 3), LSQNET_OK);
  const lsqnet_status st = solve(solver, state, &p, &report);
  ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED, "%s", lsqnet_last_message());
  check_answer(&p, &truth, &report, 1);
  ck_assert_double_ge(right_digits(&truth, 0, DBL_EPSILON), 15 - 8 - 0.5 * _i);
  problem_free(&truth);
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("append");
  TCase *come = tcase_create("rows come"), *go = tcase_create("rows go"), *drift = tcase_create("drift"),
        *kept = tcase_create("rows kept"), *fade = tcase_create("fading");
  TCase *const cases[] = {come, go, drift, kept, fade};
  for (int i = 0; i < 5; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(come, appended_rows_are_solved_as_a_fresh_problem, 0, 7);
  tcase_add_loop_test(come, every_model_serves_states, 0, 5);
  tcase_add_loop_test(come, every_kernel_level_serves_states, 0, LSQNET_KERNEL_X86_64_V4 - LSQNET_KERNEL_GENERIC + 1);
  tcase_add_test(come, blocks_of_rows_change_no_bit);
  tcase_add_test(come, a_state_takes_no_more_memory_however_many_rows_come);
  tcase_add_loop_test(go, a_sliding_window_is_solved_as_its_rows, 0, 4);
  tcase_add_loop_test(go, any_rows_may_leave_in_any_order, 0, 2);
  tcase_add_loop_test(go, zeros_of_either_sign_are_one_number, 0, 2);
  tcase_add_test(go, a_state_that_all_rows_have_left_is_as_new);
  tcase_add_loop_test(drift, what_large_rows_leave_behind_is_told_or_repaired, 0, 2);
  tcase_add_test(drift, a_residual_is_never_told_too_small);
  tcase_add_loop_test(drift, what_moments_cannot_show_is_told_from_above, 0, 4);
  tcase_add_test(drift, a_long_stream_keeps_its_digits);
  tcase_add_loop_test(kept, rows_kept_are_left_alone_where_moments_reach, 0, 6);
  tcase_add_loop_test(kept, rows_kept_are_solved_where_moments_do_not_reach, 0, 2);
  tcase_add_loop_test(kept, drift_that_the_condition_does_not_bear_is_repaired_once, 0, 2);
  tcase_add_loop_test(fade, rows_fade, 0, 2);
  tcase_add_loop_test(fade, a_ridge_holds_for_states, 0, 2);
  tcase_add_loop_test(fade, a_ridge_holds_where_columns_nearly_depend, 0, 8);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
