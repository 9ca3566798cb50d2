/* Limits of a call: `seconds` and `stop`, from one small problem to large ones and many. */
#include <check.h>
#include <pthread.h>
#include <time.h>

#include "batch.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0};

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void setup_two_threads(void) {
  lsqnet_context_options options;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = 2;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
}

static void teardown(void) { lsqnet_context_destroy(context); }

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct {
  int64_t asked, allowed;
  pthread_t thread; /* the one that may ask */
  int64_t strangers;
} patience;

static int32_t run_out(void *user) {
  patience *p = user;
  p->strangers += !pthread_equal(p->thread, pthread_self());
  return ++p->asked > p->allowed;
}

START_TEST(a_callback_stops_a_batch_and_what_is_done_stays_done) {
  const int64_t count = 4000;
  const model_kind kind = _i == 0 ? shipped : gates;
  batch s = batch_create(count, 20, 4, 1, 0);
  problem q = problem_normal(20, 4, 1, 0, 2);
  for (int64_t p = 0; p < count; p++) batch_put(&s, p, &q);
  for (int64_t round = 0; round < 4; round++) {
    const int64_t allowed = _i == 1 ? 20 * round : round; /* a model without a map is asked problem by problem */
    patience user = {.allowed = allowed, .thread = pthread_self()};
    lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
    options.stop = run_out;
    options.stop_user = &user;
    lsqnet_solver *solver = solver_on(context, kind, &options);
    batch_fill_x(&s, 42);
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_E_STOPPED);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "stopped by the caller"));
    ck_assert_int_eq(user.asked, allowed + 1); /* not again once it has said so */
    int64_t done = 0;
    for (int64_t p = 0; p < count; p++) {
      const int touched = batch_get(&s, BATCH_X, p, 0, 0) != 42;
      ck_assert_int_eq(touched, s.reports[p].status == LSQNET_OK);
      if (!touched) ck_assert_int_eq(s.reports[p].status, LSQNET_E_STOPPED);
      if (!touched) ck_assert_int_eq(s.reports[p].stopped, LSQNET_STOP_CALLER);
      done += touched;
    }
    ck_assert(done < count && (done > 0) == (allowed > 0));
    user.allowed = INT64_MAX; /* and the solver serves again */
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
    lsqnet_solver_destroy(solver);
  }
  problem_free(&q);
  batch_free(&s);
}
END_TEST

START_TEST(a_callback_stops_a_single_solve_with_every_method) {
  for (int64_t allowed = 0; allowed < 5; allowed++) {
    patience user = {.allowed = allowed, .thread = pthread_self()};
    lsqnet_solver_options options = solver_options(_i);
    options.stop = run_out;
    options.stop_user = &user;
    lsqnet_solver *solver = solver_on(context, gates, &options);
    uint64_t state = 2;
    problem p = problem_create(40, 4, 1, 0);
    problem_fill_condition(&p, 1e10, 0, 1, &state);
    lsqnet_report report;
    p.x[0] = 42;
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_STOPPED);
    ck_assert_int_eq(report.status, LSQNET_E_STOPPED);
    ck_assert_int_eq(report.stopped, LSQNET_STOP_CALLER);
    ck_assert(p.x[0] == 42);
    problem_free(&p);
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

/* A second's work, at 1/20 of that: half of it is judged, since machines are busy. */
START_TEST(seconds_end_a_call) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_GD);
  options.iterations = INT64_MAX;
  options.corrections = 1000000;
  options.step = 1e-9; /* never gets there */
  options.seconds = 0.05;
  lsqnet_solver *solver = solver_on(context, _i == 0 ? shipped : gates, &options);
  problem p = problem_normal(40, 4, 1, 0, 1);
  lsqnet_report report;
  const double start = now();
  ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_E_STOPPED);
  ck_assert(now() - start >= 0.05);
  if (getenv("LSQNET_TEST_SLOW") == NULL) ck_assert(now() - start < 5);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_TIME);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "seconds=0.05"));
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- inside long solves ---- */

/* Problem p begins p numbers behind the first one: many need little memory. */
typedef struct {
  lsqnet_problems shape;
  double *a, *b, *x;
  lsqnet_report *reports;
} long_call;

typedef struct {
  int64_t count, m, n;
  double condition; /* 0: as random numbers have it */
  int64_t asks;     /* so often `stop` is asked at least */
} kind_of_call;

static const kind_of_call long_calls[] = {
    {1, 200000, 40, 0, 50},   /* rows side by side */
    {1, 40000, 40, 1e10, 20}, /* no certificate there: one at a time */
    {1, 40000, 70, 0, 20},    /* too wide for lanes */
    {100000, 20, 5, 0, 20},   /* problems side by side */
    {40, 2000, 70, 0, 20},    /* many too wide for lanes, shared by the threads */
    {1, 60, 20000, 0, 20},    /* fewer rows than unknowns */
    {16, 40000, 20, 0, 20},   /* two groups of tall ones, one for each thread */
};
enum { LONG_CALLS = sizeof long_calls / sizeof long_calls[0] };

static lsqnet_solver_options options_of(const kind_of_call *kind) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = kind->m < kind->n;
  return options;
}

static long_call long_call_create(const kind_of_call *kind) {
  uint64_t state = 5;
  long_call c = {.a = doubles(kind->m * kind->n + kind->count),
                 .b = doubles(kind->m + kind->count),
                 .x = doubles(kind->count * kind->n),
                 .reports = some((size_t)kind->count, sizeof *c.reports)};
  ck_assert_int_eq(lsqnet_problems_init(&c.shape, sizeof c.shape), LSQNET_OK);
  c.shape.count = kind->count;
  c.shape.m = kind->m;
  c.shape.n = kind->n;
  c.shape.a_stride = c.shape.b_stride = 1;
  c.reports[0].size = sizeof *c.reports;
  for (int64_t i = 0; i < kind->m * kind->n + kind->count; i++) c.a[i] = uniform(&state) - 0.5;
  for (int64_t i = 0; i < kind->m + kind->count; i++) c.b[i] = uniform(&state) - 0.5;
  for (int64_t i = 0; i < kind->m && kind->condition > 0; i++)
    c.a[i * kind->n + 1] = c.a[i * kind->n] + c.a[i * kind->n + 1] / kind->condition;
  return c;
}

static void long_call_free(long_call *c) {
  free(c->reports);
  free(c->x);
  free(c->b);
  free(c->a);
}

static lsqnet_status solve_long(lsqnet_solver *solver, long_call *c, double *time) {
  for (int64_t i = 0; i < c->shape.count * c->shape.n; i++) c->x[i] = 42;
  const double begin = now();
  const lsqnet_status st = lsqnet_solver_solve_batch_f64(solver, &c->shape, c->a, c->b, NULL, c->x, c->reports);
  *time = now() - begin;
  return st;
}

/* The least of several: machines are busy. */
static double least_time(lsqnet_solver *solver, long_call *c, lsqnet_status expected) {
  double least = INFINITY, time = 0;
  for (int i = 0; i < 5; i++) {
    ck_assert_int_eq(solve_long(solver, c, &time), expected);
    least = fmin(least, time);
  }
  return least;
}

/* Problems that were done have the answers of `whole`, the others none, and a report that says why. */
static void check_stopped(const long_call *c, const long_call *whole, int32_t stopped) {
  const int64_t n = c->shape.n;
  int64_t left = 0;
  for (int64_t p = 0; p < c->shape.count; p++) {
    const double *x = c->x + p * n;
    if (c->reports[p].status == LSQNET_OK) {
      ck_assert_mem_eq(x, whole->x + p * n, (size_t)n * sizeof *x);
      ck_assert_mem_eq(&c->reports[p], &whole->reports[p], sizeof *whole->reports);
      continue;
    }
    ck_assert_int_eq(c->reports[p].status, LSQNET_E_STOPPED);
    ck_assert_int_eq(c->reports[p].stopped, stopped);
    for (int64_t j = 0; j < n; j++) ck_assert(x[j] == 42);
    left++;
  }
  ck_assert(left > 0);
}

static void check_whole(lsqnet_solver *solver, long_call *c, const long_call *whole) {
  double time = 0;
  ck_assert_int_eq(solve_long(solver, c, &time), LSQNET_OK);
  ck_assert_mem_eq(c->x, whole->x, (size_t)(c->shape.count * c->shape.n) * sizeof *c->x);
  ck_assert_mem_eq(c->reports, whole->reports, (size_t)c->shape.count * sizeof *c->reports);
}

START_TEST(a_callback_is_asked_all_along_and_ends_a_long_call) {
  const kind_of_call *kind = &long_calls[_i];
  patience user = {.allowed = INT64_MAX, .thread = pthread_self()};
  lsqnet_solver_options options = options_of(kind);
  lsqnet_solver *plain = solver_on(context, shipped, &options);
  options.stop = run_out;
  options.stop_user = &user;
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  long_call whole = long_call_create(kind), c = long_call_create(kind);
  double time = 0;
  ck_assert_int_eq(solve_long(plain, &whole, &time), LSQNET_OK);
  check_whole(solver, &c, &whole);
  ck_assert_msg(user.asked >= kind->asks, "asked %d times", (int)user.asked);
  for (int64_t asked = user.asked, allowed = 1; allowed < asked / 4; allowed += asked / 8 + 1) {
    user.allowed = allowed;
    user.asked = 0;
    ck_assert_int_eq(solve_long(solver, &c, &time), LSQNET_E_STOPPED);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "stopped by the caller"));
    ck_assert_int_eq(user.asked, allowed + 1);
    check_stopped(&c, &whole, LSQNET_STOP_CALLER);
  }
  user.allowed = INT64_MAX;
  check_whole(solver, &c, &whole);
  ck_assert_int_eq(user.strangers, 0);
  long_call_free(&c);
  long_call_free(&whole);
  lsqnet_solver_destroy(solver);
  lsqnet_solver_destroy(plain);
}
END_TEST

/* A tenth of the time that it takes, and half of it is judged. */
START_TEST(seconds_end_a_long_call) {
  lsqnet_solver_options options = options_of(&long_calls[_i]);
  lsqnet_solver *plain = solver_on(context, shipped, &options);
  long_call whole = long_call_create(&long_calls[_i]), c = long_call_create(&long_calls[_i]);
  const double time = least_time(plain, &whole, LSQNET_OK);
  options.seconds = time / 10;
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  const double limited = least_time(solver, &c, LSQNET_E_STOPPED);
  ck_assert_msg(limited < time / 2 || getenv("LSQNET_TEST_SLOW") != NULL, "%g of %g s", limited, time);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "stopped after seconds="));
  check_stopped(&c, &whole, LSQNET_STOP_TIME);
  long_call_free(&c);
  long_call_free(&whole);
  lsqnet_solver_destroy(solver);
  lsqnet_solver_destroy(plain);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("solver: limits");
  TCase *limits = tcase_create("limits"), *inside = tcase_create("inside long solves");
  tcase_add_checked_fixture(limits, setup, teardown);
  tcase_add_checked_fixture(inside, setup_two_threads, teardown);
  tcase_set_timeout(limits, 300);
  tcase_set_timeout(inside, 300);
  suite_add_tcase(suite, limits);
  suite_add_tcase(suite, inside);
  tcase_add_loop_test(limits, a_callback_stops_a_batch_and_what_is_done_stays_done, 0, 2);
  tcase_add_loop_test(limits, a_callback_stops_a_single_solve_with_every_method, 0, LSQNET_METHOD_DIRECT + 1);
  tcase_add_loop_test(limits, seconds_end_a_call, 0, 2);
  tcase_add_loop_test(inside, a_callback_is_asked_all_along_and_ends_a_long_call, 0, LONG_CALLS);
  tcase_add_loop_test(inside, seconds_end_a_long_call, 0, LONG_CALLS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
