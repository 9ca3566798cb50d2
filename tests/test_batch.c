/* Many problems at once: each right by itself, in every layout, with the same bits wherever it stands, and whatever
 * stands beside it. Options and limits: test_batch_options.c, memory:
 * test_memory.c. */
#include <check.h>
#include <stdio.h>

#include "batch.h"

static lsqnet_context *context;

static const model_kind exact = {"attention", "split", 64, 16, 0};
static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0}; /* without a map of moments */

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

static problem *random_problems(int64_t count, int64_t m, int64_t n, int64_t k, uint64_t seed) {
  problem *problems = some((size_t)count, sizeof *problems);
  for (int64_t p = 0; p < count; p++) problems[p] = problem_normal(m, n, k, 0, seed + (uint64_t)p);
  return problems;
}

static void free_problems(int64_t count, problem *problems) {
  for (int64_t p = 0; p < count; p++) problem_free(&problems[p]);
  free(problems);
}

static double unit_of(const batch *s) { return s->layout & LAYOUT_F32 ? (double)FLT_EPSILON : DBL_EPSILON; }

/* Answer and certificate of problem p, one unit in the last place from the oracle's. */
static void check_answer(const batch *s, int64_t p, problem *q) {
  (void)problem_truth(q, 0);
  batch_take(s, p, q);
  ck_assert_msg(worst_error(q, unit_of(s)) <= 1, "problem %d, layout %d: %g units", (int)p, s->layout,
                worst_error(q, unit_of(s)));
  for (int64_t l = 0; l < q->k; l++) {
    const lsqnet_report *report = &s->reports[p * q->k + l];
    ck_assert_int_eq(report->status, LSQNET_OK);
    ck_assert_int_eq(report->stopped, LSQNET_STOP_CONVERGED);
    ck_assert_int_eq(report->rank, q->n);
    ck_assert(report->digits <= right_digits(q, l, unit_of(s)) + 1 && report->digits >= -log10(unit_of(s)) - 1);
    ck_assert_msg(certificate_is_right(q, l, report), "%g, not %g", report->backward_error, backward_error(q, l));
  }
  if (q->m >= 20) {
    const double truth = quad_condition(q->m, q->n, q->a, q->lda), condition = s->reports[p * q->k].condition;
    ck_assert(condition >= 0.5 * truth && condition <= 2 * truth);
  }
}

/* ---- answers ---- */

static const int64_t shapes[][3] = {{20, 5, 1},  {5, 1, 3},    {7, 7, 2},  {64, 16, 1}, {9, 8, 4},
                                    {300, 9, 2}, {2000, 2, 1}, {20, 5, 8}, {12, 4, 19}, {300, 6, 9}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

START_TEST(every_problem_is_solved_to_the_last_digit_in_every_layout) {
  const int64_t *shape = shapes[_i], count = 11;
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  problem *problems = random_problems(count, shape[0], shape[1], shape[2], 77);
  for (int layout = 0; layout < LAYOUTS; layout++) {
    batch s = batch_create(count, shape[0], shape[1], shape[2], layout);
    for (int64_t p = 0; p < count; p++) batch_put(&s, p, &problems[p]);
    ck_assert_msg(batch_solve(solver, &s, 0) == LSQNET_OK, "%s", lsqnet_last_message());
    for (int64_t p = 0; p<count; p += shape[0]> 100 ? 5 : 1) check_answer(&s, p, &problems[p]);
    batch_free(&s);
  }
  free_problems(count, problems);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(every_model_serves_batches) {
  static const model_kind kinds[] = {{"attention", "split", 64, 16, 0}, {"attention", "split", 7, 4, 1},
                                     {"attention", "split", 7, 4, 2},   {"base_conv", "repeat", 6, 4, 0},
                                     {"base_conv", "split", 5, 4, 2},   {"base_conv", "query_first", 5, 4, 0}};
  static const int64_t sizes[][2] = {{20, 4}, {6, 3}, {13, 7}, {700, 3}};
  for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
    lsqnet_solver *solver = solver_on(context, kinds[kind], NULL);
    const int64_t m = sizes[_i][0], n = sizes[_i][1], count = 9;
    problem *problems = random_problems(count, m, n, 1, 5);
    batch s = batch_create(count, m, n, 1, 0);
    for (int64_t p = 0; p < count; p++) batch_put(&s, p, &problems[p]);
    ck_assert_msg(batch_solve(solver, &s, 0) == LSQNET_OK, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < count; p++) {
      check_answer(&s, p, &problems[p]);
      ck_assert_int_gt(s.reports[p].model_calls, 0);
      ck_assert_int_eq(s.reports[p].road, m * (n + 1) <= 2048 ? LSQNET_ROAD_PROBLEMS : LSQNET_ROAD_ROWS);
    }
    batch_free(&s);
    free_problems(count, problems);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(every_kernel_level_solves_batches) {
  lsqnet_context *own = context_of_level(LSQNET_KERNEL_GENERIC + _i);
  if (own == NULL) return;
  lsqnet_solver *solver = solver_on(own, shipped, NULL);
  for (int shape = 0; shape < SHAPES; shape++)
    for (int layout = 0; layout < LAYOUTS; layout += 3) {
      const int64_t m = shapes[shape][0], n = shapes[shape][1], k = shapes[shape][2], count = 9;
      problem *problems = random_problems(count, m, n, k, 21);
      batch s = batch_create(count, m, n, k, layout);
      for (int64_t p = 0; p < count; p++) batch_put(&s, p, &problems[p]);
      ck_assert_msg(batch_solve(solver, &s, 0) == LSQNET_OK, "%s", lsqnet_last_message());
      for (int64_t p = 0; p<count; p += m> 100 ? 8 : 1) check_answer(&s, p, &problems[p]);
      batch_free(&s);
      free_problems(count, problems);
    }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
}
END_TEST

/* What is of A alone is asked of the model, or summed up, once, whatever the number of right-hand sides. */
START_TEST(right_hand_sides_share_what_a_problem_costs_the_model) {
  static const model_kind kinds[] = {{NULL, NULL, 0, 0, 0}, {"base_conv", "repeat", 6, 4, 0}};
  lsqnet_solver *solver = solver_on(context, kinds[_i], NULL);
  int64_t calls = 0;
  for (int64_t k = 1; k <= 20; k++) {
    batch s = batch_create(1, 30, 4, k, 0);
    problem p = problem_normal(30, 4, k, 0, 5);
    batch_put(&s, 0, &p);
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
    if (k == 1) calls = s.reports[0].model_calls;
    ck_assert_int_eq(s.reports[0].model_calls, calls);
    for (int64_t l = 1; l < k; l++) ck_assert_int_eq(s.reports[l].model_calls, 0);
    problem_free(&p);
    batch_free(&s);
  }
  ck_assert_int_gt(calls, 0);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- bits ---- */

typedef struct {
  model_kind kind;
  int64_t m, n, k;
} setting;

static const setting settings[] = {{{NULL, NULL, 0, 0, 0}, 20, 5, 1},
                                   {{NULL, NULL, 0, 0, 0}, 12, 7, 3},
                                   {{NULL, NULL, 0, 0, 0}, 12, 4, 20},
                                   {{NULL, NULL, 0, 0, 0}, 333, 11, 2},
                                   {{NULL, NULL, 0, 0, 0}, 90, 66, 1},

                                   {{"attention", "split", 64, 16, 0}, 64, 16, 1},
                                   {{"base_conv", "repeat", 6, 4, 0}, 14, 4, 2}};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static int same_report(const lsqnet_report *a, const lsqnet_report *b) { return memcmp(a, b, sizeof *a) == 0; }

/* Problem p of s against its solution alone. */
static void check_bits(const batch *s, int64_t p, const problem *alone, const lsqnet_report *reports) {
  for (int64_t l = 0; l < alone->k; l++) {
    for (int64_t j = 0; j < alone->n; j++)
      ck_assert_msg(batch_get(s, BATCH_X, p, j, l) == alone->x[j * alone->ldx + l], "problem %d of layout %d", (int)p,
                    s->layout);
    ck_assert(same_report(&s->reports[p * alone->k + l], &reports[l]));
  }
}

/* A mix of easy problems, of ones that take a pass more, of ones that lanes give up, and of large numbers. */
static problem *mixed_problems(int64_t count, const setting *at) {
  problem *problems = some((size_t)count, sizeof *problems);
  uint64_t state = 31;
  for (int64_t p = 0; p < count; p++) {
    problems[p] = problem_create(at->m, at->n, at->k, 0);
    problem *q = &problems[p];
    if (p % 5 == 3)
      problem_fill_condition(q, pow(10, 9 * uniform(&state)), 0, 1, &state);
    else
      problem_fill_normal(q, &state);
    if (p % 7 == 4)
      for (int64_t i = 0; i < at->m * at->n; i++) q->a[i] *= 1e120;
    if (p % 7 == 5)
      for (int64_t i = 0; i < at->m * at->k; i++) q->b[i] = i % at->k == 0 ? 0 : q->b[i];
  }
  return problems;
}

START_TEST(a_problem_has_the_same_bits_alone_and_at_any_place_of_any_batch) {
  const setting *at = &settings[_i];
  const int64_t count = 19;
  lsqnet_solver *solver = solver_on(context, at->kind, NULL);
  problem *problems = mixed_problems(count, at);
  lsqnet_report *reports = some((size_t)(count * at->k), sizeof *reports);
  for (int64_t p = 0; p < count; p++)
    ck_assert_int_eq(problem_solve(solver, &problems[p], reports + p * at->k), LSQNET_OK);
  for (int layout = 0; layout < LAYOUT_F32; layout++)
    for (int64_t size = 1; size <= count; size += layout == 0 ? 1 : 6) {
      batch s = batch_create(size, at->m, at->n, at->k, layout);
      for (int64_t p = 0; p < size; p++) batch_put(&s, p, &problems[(p * 7 + size) % count]);
      ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
      for (int64_t p = 0; p < size; p++) {
        const int64_t own = (p * 7 + size) % count;
        check_bits(&s, p, &problems[own], reports + own * at->k);
      }
      batch_free(&s);
    }
  free(reports);
  free_problems(count, problems);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(the_number_of_threads_changes_no_bit) {
  const setting *at = &settings[_i];
  const int64_t count = 2000 / at->n;
  problem *problems = mixed_problems(count, at);
  batch first = batch_create(count, at->m, at->n, at->k, 0);
  for (int32_t threads = 1; threads <= 3; threads++) {
    lsqnet_context_options options;
    lsqnet_context *own = NULL;
    ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
    options.threads = threads;
    ck_assert_int_eq(lsqnet_context_create(&own, &options), LSQNET_OK);
    lsqnet_solver *solver = solver_on(own, at->kind, NULL);
    batch s = batch_create(count, at->m, at->n, at->k, 0);
    for (int64_t p = 0; p < count; p++) batch_put(&s, p, &problems[p]);
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
    const size_t numbers = (size_t)(count * at->n * at->k), reports = (size_t)(count * at->k);
    if (threads == 1) {
      memcpy(first.f64[BATCH_X], s.f64[BATCH_X], numbers * sizeof(double));
      memcpy(first.reports, s.reports, reports * sizeof *s.reports);
    }
    ck_assert(memcmp(first.f64[BATCH_X], s.f64[BATCH_X], numbers * sizeof(double)) == 0);
    ck_assert(memcmp(first.reports, s.reports, reports * sizeof *s.reports) == 0);
    batch_free(&s);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(own);
  }
  batch_free(&first);
  free_problems(count, problems);
}
END_TEST

/* Threads share what lanes leave over; the failure that is told is the first one's all the same. */
START_TEST(the_first_failure_is_told_whatever_thread_it_is_on) {
  const int64_t count = 24, m = 120, n = 70;
  lsqnet_context_options options;
  lsqnet_context *own = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = 1 + _i;
  ck_assert_int_eq(lsqnet_context_create(&own, &options), LSQNET_OK);
  lsqnet_solver *solver = solver_on(own, shipped, NULL);
  batch s = batch_create(count, m, n, 1, 0);
  for (int64_t p = 0; p < count; p++) {
    problem q = problem_normal(m, n, 1, 0, (uint64_t)p);
    if (p % 3 == 1) q.a[p] = (double)NAN;
    batch_put(&s, p, &q);
    problem_free(&q);
  }
  for (int again = 0; again < 3; again++) {
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_E_NOT_FINITE);
    ck_assert_msg(
        strstr(lsqnet_last_message(), "problem 1 of 24 (counted from 0): a is nan in row 0, column 1") != NULL, "%s",
        lsqnet_last_message());
    for (int64_t p = 0; p < count; p++)
      ck_assert_int_eq(s.reports[p].status, p % 3 == 1 ? LSQNET_E_NOT_FINITE : LSQNET_OK);
  }
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
}
END_TEST

/* ---- bad problems ---- */

enum { NAN_IN_A, NAN_IN_B, INFINITE, EQUAL_COLUMNS, ZERO_COLUMN, ZERO, OVERFLOWS, EVILS };

static lsqnet_status spoil(int evil, problem *p) {
  const int64_t n = p->n, m = p->m;
  for (int64_t i = 0; i < m; i++) {
    if (evil == EQUAL_COLUMNS) p->a[i * n + n - 1] = 3 * p->a[i * n];
    if (evil == ZERO_COLUMN) p->a[i * n + n / 2] = 0;
    for (int64_t j = 0; j < n; j++) p->a[i * n + j] *= evil == ZERO ? 0 : evil == OVERFLOWS ? 1e-300 : 1;
    if (evil == OVERFLOWS) p->b[i] *= 1e300;
  }
  if (evil == NAN_IN_A) p->a[m * n - 1] = (double)NAN;
  if (evil == NAN_IN_B) p->b[m * p->k - 1] = (double)NAN;
  if (evil == INFINITE) p->a[n] = (double)-INFINITY;
  return evil == EQUAL_COLUMNS || evil == ZERO_COLUMN || evil == ZERO ? LSQNET_E_RANK : LSQNET_E_NOT_FINITE;
}

START_TEST(a_bad_problem_at_any_place_touches_no_other) {
  const int evil = _i % EVILS;
  const setting *at = _i < EVILS ? &settings[0] : &(setting){{NULL, NULL, 0, 0, 0}, 500, 6, 1};
  const int64_t count = 17;
  lsqnet_solver *solver = solver_on(context, at->kind, NULL);
  problem *problems = random_problems(count, at->m, at->n, 1, 900);
  lsqnet_report *reports = some((size_t)count, sizeof *reports);
  for (int64_t p = 0; p < count; p++) ck_assert_int_eq(problem_solve(solver, &problems[p], &reports[p]), LSQNET_OK);
  for (int64_t bad = 0; bad < count; bad++) {
    batch s = batch_create(count, at->m, at->n, 1, 0);
    problem spoilt = problem_normal(at->m, at->n, 1, 0, 6);
    const lsqnet_status expected = spoil(evil, &spoilt);
    char place[64];
    for (int64_t p = 0; p < count; p++) batch_put(&s, p, p == bad ? &spoilt : &problems[p]);
    batch_fill_x(&s, 42);
    (void)snprintf(place, sizeof place, "problem %d of %d", (int)bad, (int)count);
    ck_assert_int_eq(batch_solve(solver, &s, 0), expected);
    ck_assert_msg(strstr(lsqnet_last_message(), place) != NULL, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < count; p++)
      if (p != bad) check_bits(&s, p, &problems[p], &reports[p]);
    for (int64_t j = 0; j < at->n; j++) ck_assert(batch_get(&s, BATCH_X, bad, j, 0) == 42);
    ck_assert_int_eq(s.reports[bad].status, expected);
    ck_assert_int_eq(s.reports[bad].stopped, expected == LSQNET_E_RANK ? LSQNET_STOP_RANK : LSQNET_STOP_DATA);
    ck_assert(s.reports[bad].digits == 0);
    problem_free(&spoilt);
    batch_free(&s);
  }
  free(reports);
  free_problems(count, problems);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Numbers near the ends of the range, which are scaled and go back to the lanes, behind problems of fewer live columns
 * than they have: bits as alone, on any number of threads, in one call as in the next. */
START_TEST(problems_of_other_columns_leave_nothing_behind) {
  const int64_t count = 120, m = 30, n = 12;
  lsqnet_context_options options;
  lsqnet_context *own = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = 1 + 2 * _i;
  ck_assert_int_eq(lsqnet_context_create(&own, &options), LSQNET_OK);
  lsqnet_solver *solver = solver_on(own, shipped, NULL), *fresh = solver_on(own, shipped, NULL);
  batch s = batch_create(count, m, n, 1, 0);
  problem good = problem_normal(m, n, 1, 0, 8);
  lsqnet_report alone = {.size = sizeof alone};
  for (int64_t i = 0; i < m * n; i++) good.a[i] *= 1e200;
  ck_assert_int_eq(problem_solve(fresh, &good, &alone), LSQNET_OK);
  ck_assert_int_eq(alone.road, LSQNET_ROAD_PROBLEMS);
  for (int64_t p = 0; p < count; p++) {
    problem q = problem_normal(m, n, 1, 0, (uint64_t)p);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < p % 7; j++) q.a[i * q.lda + j] = 0;
    batch_put(&s, p, p % 3 == 0 ? &good : &q);
    problem_free(&q);
  }
  for (int call = 0; call < 3; call++) {
    (void)batch_solve(solver, &s, 0);
    for (int64_t p = 0; p < count; p += 3) {
      ck_assert_mem_eq(&s.reports[p], &alone, sizeof alone);
      for (int64_t j = 0; j < n; j++) ck_assert(batch_get(&s, BATCH_X, p, j, 0) == good.x[j]);
    }
  }
  problem_free(&good);
  batch_free(&s);
  lsqnet_solver_destroy(fresh);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
}
END_TEST

START_TEST(a_batch_of_nothing_but_bad_problems_says_so_of_each) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  batch s = batch_create(2 * EVILS, 12, 4, 1, 0);
  lsqnet_status first = LSQNET_OK;
  for (int64_t p = 0; p < 2 * EVILS; p++) {
    problem q = problem_normal(12, 4, 1, 0, 3);
    const lsqnet_status st = spoil((int)(p % EVILS), &q);
    if (p == 0) first = st;
    batch_put(&s, p, &q);
    problem_free(&q);
  }
  ck_assert_int_eq(batch_solve(solver, &s, 0), first);
  ck_assert_msg(strstr(lsqnet_last_message(), "problem 0 of 14") != NULL, "%s", lsqnet_last_message());
  for (int64_t p = 0; p < 2 * EVILS; p++) {
    problem q = problem_normal(12, 4, 1, 0, 3);
    ck_assert_int_eq(s.reports[p].status, spoil((int)(p % EVILS), &q));
    problem_free(&q);
  }
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- honesty ---- */

/* What is certified is right, and digits flatter by one at most, over all conditions in one batch. */
START_TEST(reports_of_a_batch_never_flatter) {
  const model_kind kinds[] = {shipped, exact, gates};
  const int layout = _i % 2 == 0 ? 0 : LAYOUT_F32;
  const int64_t count = quick() ? 40 : 250 * rounds();
  lsqnet_solver *solver = solver_on(context, kinds[_i / 2], NULL);
  uint64_t state = 4000 + (uint64_t)_i;
  int64_t solved = 0, in_lanes = 0;
  for (int round = 0; round < 4; round++) {
    const int64_t n = integer(&state, 1, 8), m = integer(&state, n, 30);
    batch s = batch_create(count, m, n, 1, layout);
    problem *problems = some((size_t)count, sizeof *problems);
    for (int64_t p = 0; p < count; p++) {
      problems[p] = problem_create(m, n, 1, 0);
      problem_fill_condition(&problems[p], pow(10, 16 * uniform(&state)), (int)(p % 2), (int)(p / 2 % 2), &state);
      batch_put(&s, p, &problems[p]);
    }
    (void)batch_solve(solver, &s, 0);
    for (int64_t p = 0; p < count; p++) {
      const lsqnet_report *report = &s.reports[p];
      if (report->status == LSQNET_E_RANK) continue;
      ck_assert(report->status == LSQNET_OK || report->status == LSQNET_E_NOT_CONVERGED);
      (void)problem_truth(&problems[p], 0);
      batch_take(&s, p, &problems[p]);
      const double right = right_digits(&problems[p], 0, unit_of(&s)), worst = worst_error(&problems[p], unit_of(&s));
      ck_assert_msg(report->digits <= right + 1, "%g digits reported, %g right, m=%d n=%d", report->digits, right,
                    (int)m, (int)n);
      if (report->status == LSQNET_OK) ck_assert_msg(worst <= 2.5, "%g units, m=%d n=%d", worst, (int)m, (int)n);
      solved += report->status == LSQNET_OK;
      in_lanes += report->road == LSQNET_ROAD_PROBLEMS;
    }
    free_problems(count, problems);
    batch_free(&s);
  }
  ck_assert_int_ge(solved, 2 * count);
  ck_assert_int_ge(in_lanes, count / 2);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Conditions for which one correction is not enough, and of which lanes still take most: x is kept in twice the
 * precision from one to the next, so that the roundings of x do not come back cond^2 times as large. */
START_TEST(problems_that_need_more_corrections_get_them_in_lanes) {
  const int64_t count = quick() ? 100 : 1000, m = 14, n = 5;
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  batch s = batch_create(count, m, n, 1, 0);
  problem *problems = some((size_t)count, sizeof *problems);
  uint64_t state = 5;
  int64_t in_lanes = 0;
  for (int64_t p = 0; p < count; p++) {
    problems[p] = problem_create(m, n, 1, 0);
    problem_fill_condition(&problems[p], pow(10, 3 + 3 * uniform(&state)), (int)(p % 2), (int)(p / 2 % 2), &state);
    batch_put(&s, p, &problems[p]);
  }
  ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
  for (int64_t p = 0; p < count; p++) {
    if (s.reports[p].road == LSQNET_ROAD_PROBLEMS && s.reports[p].corrections >= 3) in_lanes++;
    check_answer(&s, p, &problems[p]);
  }
  ck_assert_int_ge(in_lanes, count / 2);
  free_problems(count, problems);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("batch");
  TCase *answers = tcase_create("answers"), *bits = tcase_create("bits"), *bad = tcase_create("bad problems"),
        *honesty = tcase_create("honesty");
  TCase *const cases[] = {answers, bits, bad, honesty};
  for (int i = 0; i < 4; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(answers, every_problem_is_solved_to_the_last_digit_in_every_layout, 0, SHAPES);
  tcase_add_loop_test(answers, every_model_serves_batches, 0, 4);
  tcase_add_loop_test(answers, right_hand_sides_share_what_a_problem_costs_the_model, 0, 2);
  tcase_add_loop_test(answers, every_kernel_level_solves_batches, 0,
                      LSQNET_KERNEL_X86_64_V4 - LSQNET_KERNEL_GENERIC + 1);
  tcase_add_loop_test(bits, a_problem_has_the_same_bits_alone_and_at_any_place_of_any_batch, 0, SETTINGS);
  tcase_add_loop_test(bits, the_number_of_threads_changes_no_bit, 0, SETTINGS);
  tcase_add_loop_test(bits, the_first_failure_is_told_whatever_thread_it_is_on, 0, 3);
  tcase_add_loop_test(bad, a_bad_problem_at_any_place_touches_no_other, 0, 2 * EVILS);
  tcase_add_loop_test(bad, problems_of_other_columns_leave_nothing_behind, 0, 2);
  tcase_add_test(bad, a_batch_of_nothing_but_bad_problems_says_so_of_each);
  tcase_add_loop_test(honesty, reports_of_a_batch_never_flatter, 0, 6);
  tcase_add_test(honesty, problems_that_need_more_corrections_get_them_in_lanes);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
