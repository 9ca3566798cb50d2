/* Memory of a solver: at most twice what the threads have in flight, and none that a call like the first one asks for,
 * whatever problems come; refusals leave nothing half done. */
#include <check.h>
#include <stdio.h>

#include "batch.h"
#include "counting_allocator.h"
#include "trouble.h"

static const model_kind exact = {"attention", "split", 64, 16, 0};
static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0}; /* without a map of moments */

/* Sanitizers, and another compiler after the first. */
static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL || getenv("LSQNET_TEST_AGAIN") != NULL; }

/* Two layers of BaseConv, trained: a pass through it takes thousands of numbers a row. */
static lsqnet_solver *solver_on_trained_gates(lsqnet_context *context) {
  lsqnet_model *model = NULL;
  lsqnet_solver *solver = NULL;
  char path[1024];
  snprintf(path, sizeof path, "%s/bc-grad-d5.safetensors", getenv("LSQNET_MODELS"));
  ck_assert_msg(lsqnet_model_load(&model, context, path, NULL) == LSQNET_OK, "%s", lsqnet_last_message());
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, NULL), LSQNET_OK);
  lsqnet_model_destroy(model);
  return solver;
}

static void fill_weights(batch *s) {
  for (int64_t p = 0; p < s->shape.count; p++)
    for (int64_t i = 0; i < s->shape.m; i++) batch_set(s, BATCH_WEIGHTS, p, i, 0, 0.25 + (double)((i + p) % 7));
}

/* ---- none after the first ---- */

static void fill(batch *s, int troubled, uint64_t seed) {
  for (int64_t p = 0; p < s->shape.count; p++) {
    problem q = problem_normal(s->shape.m, s->shape.n, s->shape.k, 0, seed + (uint64_t)p);
    if (troubled) trouble((int)((uint64_t)p + seed) % TROUBLES, &q);
    if (troubled && p % 11 == 5) q.b[0] = 1e200;
    batch_put(s, p, &q);
    problem_free(&q);
  }
}

/* Options that lead to other roads and other memory. */
enum { OPTIONS = 9 };

static lsqnet_solver_options options_of(int which) {
  static const int32_t methods[OPTIONS] = {
      [5] = LSQNET_METHOD_GD, [6] = LSQNET_METHOD_CG, [7] = LSQNET_METHOD_CHEBYSHEV};
  lsqnet_solver_options options = solver_options(which >= 5 && which < 8 ? methods[which] : LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  lsqnet_context *context = NULL;
  options.min_norm = which == 1 || which == 4 || which == 7;
  options.ridge = which == 2 ? 0.5 : 0.0;
  options.lapack_fallback = which == 3 || which == 4;
  options.iterations = 200;
  if (which == 4) options.corrections = 1;
  if (which == 8) options.corrections = 0;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  if (lsqnet_solver_create(&solver, context, NULL, &options) == LSQNET_E_UNSUPPORTED) options.lapack_fallback = 0;
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  return options;
}

/* A first call in which nothing is special, then calls in which everything is, for each number type, with weights and
 * without; and the other way round. */
static void check_calls(model_kind kind, const lsqnet_solver_options *options, int32_t threads, const int64_t *size) {
  for (int way = 0; way < 8; way++) {
    const int layout = way % 2 ? LAYOUT_F32 : 0, weighted = way / 2 % 2, troubled_first = way / 4;
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    ck_assert_int_eq(counting_context(&counted, &allocator, threads), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, kind, options);
    batch s = batch_create(size[3], size[0], size[1], size[2], layout);
    fill_weights(&s);
    fill(&s, troubled_first, 1);
    (void)batch_solve(solver, &s, weighted);
    const long long calls = allocator.calls;
    for (uint64_t call = 0; call < 4; call++) {
      fill(&s, call != 2, 3 * call);
      (void)batch_solve(solver, &s, weighted);
      ck_assert_msg(allocator.calls == calls, "%d x %d, %d sides, way %d: call %d allocates %d times", (int)size[0],
                    (int)size[1], (int)size[2], way, (int)call, (int)(allocator.calls - calls));
    }
    batch_free(&s);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
  }
}

/* m, n, k, count */
static const int64_t calls_sizes[][4] = {{20, 5, 1, 41},  {9, 3, 20, 12}, {6, 6, 9, 12},
                                         {400, 5, 1, 20}, {1, 1, 1, 300}, {90, 70, 1, 5},
                                         {5, 9, 2, 30},   {30, 70, 1, 4}, {1200, 3, 1, 17}};

START_TEST(after_the_first_call_nothing_is_allocated) {
  const model_kind kinds[] = {shipped, exact, gates};
  const lsqnet_solver_options options = options_of(_i % OPTIONS);
  const int step = quick() ? 3 : 1;
  for (size_t i = 0; i < sizeof calls_sizes / sizeof calls_sizes[0]; i += (size_t)step) {
    const int64_t *size = calls_sizes[i];
    if (_i / OPTIONS == 2 && (size[1] > 9 || size[0] > 100)) continue; /* asks the model for minutes */
    check_calls(kinds[_i / OPTIONS], &options, i % 2 ? 3 : 1, size);
    if (i == 0) check_calls(kinds[_i / OPTIONS], &options, 3, size);
  }
}
END_TEST

/* More threads than problems: other threads have them in other calls. */
START_TEST(whichever_thread_has_which_problem_nothing_is_allocated) {
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 5), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, _i == 0 ? exact : gates, NULL);
  batch s = batch_create(3, 3000, 5, 1, 0);
  for (int64_t p = 0; p < 3; p++) {
    problem q = problem_normal(3000, 5, 1, 0, (uint64_t)p);
    trouble(2, &q);
    batch_put(&s, p, &q);
    problem_free(&q);
  }
  const lsqnet_status st = batch_solve(solver, &s, 0);
  const long long calls = allocator.calls;
  for (int call = 0; call < 20; call++) ck_assert_int_eq(batch_solve(solver, &s, 0), st);
  ck_assert_int_eq(allocator.calls, calls);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* Rows that stay packed between passes for a few problems only if they do for many. */
START_TEST(fewer_problems_allocate_nothing) {
  static const int64_t sizes[][3] = {{131, 58, 1}, {221, 61, 1}, {141, 61, 12}, {256, 32, 1}, {20, 5, 1}};
  const int64_t *size = sizes[_i % 5], most = 12;
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1 + _i / 5), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, exact, NULL);
  long long calls = 0;
  for (int64_t count = most; count > 0; count--) {
    batch s = batch_create(count, size[0], size[1], size[2], 0);
    fill_weights(&s);
    fill(&s, 1, 5);
    (void)batch_solve(solver, &s, _i % 2);
    if (count == most) calls = allocator.calls;
    ck_assert_msg(allocator.calls == calls, "%d problems", (int)count);
    batch_free(&s);
  }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* One after the other, and sizes that come again. */
START_TEST(sizes_that_take_turns_allocate_in_the_first_round_only) {
  static const int64_t sizes[][3] = {{20, 5, 1},   {3000, 5, 1}, {300, 5, 1}, {20, 5, 8},
                                     {100, 70, 1}, {12, 9, 19},  {4, 9, 1}};
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = 1;
  ck_assert_int_eq(counting_context(&counted, &allocator, 2), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, shipped, &options);
  long long calls = 0;
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      problem q = problem_normal(sizes[i][0], sizes[i][1], sizes[i][2], 0, (uint64_t)round);
      trouble(round, &q);
      (void)problem_solve(solver, &q, NULL);
      problem_free(&q);
    }
    if (round == 0) calls = allocator.calls;
  }
  ck_assert_int_eq(allocator.calls, calls);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* ---- how much ---- */

/* Beyond what is in flight on each thread: a byte a problem. */
START_TEST(memory_does_not_grow_with_the_batch) {
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 2), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, _i == 0 ? exact : gates, NULL);
  const int64_t few_count = 400, count = _i == 0 ? 20000 : 2000;
  batch few = batch_create(few_count, 20, 5, 1, 0), many = batch_create(count, 20, 5, 1, 0);
  fill(&few, 1, 0);
  fill(&many, 1, 0);
  (void)batch_solve(solver, &few, 0);
  const long long before = allocator.live_bytes;
  allocator.most_bytes = 0;
  (void)batch_solve(solver, &many, 0);
  ck_assert_int_le(allocator.most_bytes - before, count + 256);
  batch_free(&many);
  batch_free(&few);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* Vector lanes on this machine. */
static int64_t lanes(void) {
  int64_t count = 2;
  for (int32_t level = LSQNET_KERNEL_X86_64_V3; level <= LSQNET_KERNEL_X86_64_V4; level++) {
    lsqnet_context *context = context_of_level(level);
    if (context != NULL) count *= 2;
    lsqnet_context_destroy(context);
  }
  return count;
}

/* A thread has problems of 2^17 numbers in flight, or as many as a vector has lanes if those are more. What passes
 * through a model without a map counts from the solver's creation on. */
static void check_memory(int which, const int64_t *size, int weighted, int32_t threads) {
  const int64_t each = size[0] * (size[1] + size[2] + weighted), numbers = 1 << 17;
  const int64_t group = each * lanes(), in_flight = group > numbers ? group : numbers;
  const int64_t count = threads * in_flight / each;
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, threads), LSQNET_OK);
  const long long before_model = allocator.live_bytes;
  lsqnet_solver *solver = which == 3   ? solver_on_trained_gates(counted)
                          : which == 2 ? solver_on(counted, gates, NULL)
                                       : solver_on(counted, which == 1 ? shipped : exact, NULL);
  const long long before = which >= 2 ? before_model : allocator.live_bytes;
  batch s = batch_create(count, size[0], size[1], size[2], 0);
  fill_weights(&s);
  fill(&s, count > 1, 5);
  allocator.most_bytes = 0;
  (void)batch_solve(solver, &s, weighted);
  const long long most = allocator.most_bytes - before;
  ck_assert_msg(most <= 2 * 8 * threads * in_flight, "model %d, %d x %d, %d sides, %d problems: %lld bytes, %.2f times",
                which, (int)size[0], (int)size[1], (int)size[2], (int)count, most,
                (double)most / (double)(8 * threads * in_flight));
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}

START_TEST(memory_is_at_most_twice_what_is_in_flight) {
  static const int64_t sizes[][3] = {{20, 5, 1},    {64, 16, 1},   {256, 32, 1}, {6, 5, 4}, {700, 64, 8},
                                     {70, 64, 900}, {62, 62, 150}, {5, 3, 70},   {1, 1, 1}, {20000, 50, 1}};
  const int64_t *size = sizes[_i];
  for (int which = 0; which < 4; which++) {
    if (which >= 2 && (size[1] > 5 || (quick() && _i > 0))) continue; /* asks the model for minutes */
    for (int weighted = 0; weighted < 2; weighted++) {
      check_memory(which, size, weighted, 1);
      if (_i < 6 && !quick()) check_memory(which, size, weighted, 2);
    }
  }
}
END_TEST

/* One alone, however ill it is: another copy, a factor, and three numbers a row. */
START_TEST(one_large_problem_takes_twice_its_own_memory) {
  static const int64_t sizes[][3] = {{20000, 50, 1}, {100000, 8, 2}, {200000, 1, 1}};
  const int64_t m = sizes[_i][0], n = sizes[_i][1], k = sizes[_i][2];
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, exact, NULL);
  const long long before = allocator.live_bytes;
  problem q = problem_normal(m, n, k, 0, 5);
  if (n > 1) trouble(2, &q);
  allocator.most_bytes = 0;
  ck_assert_int_eq(problem_solve(solver, &q, NULL), LSQNET_OK);
  ck_assert_int_le(allocator.most_bytes - before, 8 * (2 * m * (n + k + 1) + (1 << 17)));
  problem_free(&q);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* No thread asks for room that it has no problem for. */
START_TEST(more_threads_than_problems_take_no_more_memory) {
  const int64_t m = 100000, n = 8, count = 2;
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 16), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, exact, NULL);
  const long long before = allocator.live_bytes;
  batch s = batch_create(count, m, n, 1, 0);
  fill(&s, 0, 4);
  allocator.most_bytes = 0;
  ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
  ck_assert_int_le(allocator.most_bytes - before, 8 * count * (2 * m * (n + 2) + (1 << 17)));
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* ---- refusals ---- */

static void check_answer(const batch *s, int64_t p, problem *q) {
  (void)problem_truth(q, 0);
  batch_take(s, p, q);
  ck_assert(worst_error(q, DBL_EPSILON) <= 1);
}

START_TEST(a_refused_allocation_is_a_status_of_the_call_and_of_each_problem) {
  const int64_t count = 10;
  for (long long refuse = 1;; refuse++) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, _i == 0 ? exact : _i == 1 ? gates : shipped, NULL);
    batch s = batch_create(count, 9, 3, 1, 0);
    problem *problems = some((size_t)count, sizeof *problems);
    for (int64_t p = 0; p < count; p++) problems[p] = problem_normal(9, 3, 1, 0, 1 + (uint64_t)p);
    problem_fill_condition(&problems[4], 1e9, 0, 1, &(uint64_t){3}); /* one for the slower road */
    for (int64_t p = 0; p < count; p++) batch_put(&s, p, &problems[p]);
    batch_fill_x(&s, 42);
    allocator.refuse = allocator.calls + refuse;
    const lsqnet_status st = batch_solve(solver, &s, 0);
    for (int64_t p = 0; p < count; p++) {
      if (s.reports[p].status == LSQNET_OK) {
        check_answer(&s, p, &problems[p]);
      } else {
        ck_assert_int_eq(s.reports[p].status, LSQNET_E_MEMORY);
        for (int64_t j = 0; j < 3; j++) ck_assert(batch_get(&s, BATCH_X, p, j, 0) == 42);
      }
    }
    for (int64_t p = 0; p < count; p++) problem_free(&problems[p]);
    free(problems);
    batch_free(&s);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(allocator.misuses, 0);
    if (st == LSQNET_OK) break;
    ck_assert_int_eq(st, LSQNET_E_MEMORY);
    ck_assert_int_lt(refuse, 1000);
  }
}
END_TEST

/* On three threads, with left-overs: the last allocations of the first call are those that give all threads the room
 * that one needed. One of them refused, the next call's answers are those of a solver that was refused none, to the
 * bit. */
START_TEST(after_a_refused_allocation_the_next_call_answers) {
  enum { LAST = 6 };
  const int64_t count = 5600, m = 4, n = 2; /* groups of lanes ask for more at a time than left-overs do */
  batch s = batch_create(count, m, n, 1, 0), first = batch_create(count, m, n, 1, 0);
  problem q = problem_create(m, n, 1, 0);
  uint64_t state = 3;
  long long calls = 0;
  for (int64_t p = 0; p < count; p++) {
    problem_fill_condition(&q, p % 2 ? 1e8 : 10, 0, 1, &state);
    batch_put(&s, p, &q);
    batch_put(&first, p, &q);
  }
  for (int back = LAST + 1; back > 0; back--) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    ck_assert_int_eq(counting_context(&counted, &allocator, 3), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, _i == 0 ? exact : gates, NULL);
    const long long before = allocator.calls;
    if (back > LAST) { /* nothing is refused yet: how many there are, and the answers */
      ck_assert_int_eq(batch_solve(solver, &first, 0), LSQNET_OK);
      calls = allocator.calls - before;
    } else {
      allocator.refuse = before + calls - back + 1;
      (void)batch_solve(solver, &s, 0);
      allocator.refuse = 0;
    }
    ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
    for (int64_t p = 0; p < count; p++)
      for (int64_t j = 0; j < n; j++) ck_assert(batch_get(&s, BATCH_X, p, j, 0) == batch_get(&first, BATCH_X, p, j, 0));
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
  }
  problem_free(&q);
  batch_free(&s);
  batch_free(&first);
}
END_TEST

/* The one road that allocates when it comes to it. Refused there, the next call, which finds no memory left, is as the
 * first one. */
START_TEST(what_a_refusal_has_taken_is_asked_for_again) {
  enum { M = 4, N = 300 };
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = 1;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, shipped, &options);
  problem independent = problem_normal(M, N, 1, 0, 1), dependent = problem_normal(M, N, 1, 0, 1);
  double x[N];
  memcpy(dependent.a + dependent.lda, dependent.a, N * sizeof *dependent.a);
  dependent.b[dependent.ldb] = dependent.b[0];
  ck_assert_int_eq(problem_solve(solver, &independent, NULL), LSQNET_OK);
  memcpy(x, independent.x, sizeof x);
  for (int again = 0; again < 3; again++) {
    if (again == 0) allocator.refuse = allocator.calls + 1;
    ck_assert_int_eq(problem_solve(solver, &dependent, NULL), again == 0 ? LSQNET_E_MEMORY : LSQNET_OK);
    ck_assert_int_eq(problem_solve(solver, &independent, NULL), LSQNET_OK);
    ck_assert_mem_eq(x, independent.x, sizeof x);
  }
  problem_free(&independent);
  problem_free(&dependent);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("memory");
  TCase *none = tcase_create("none after the first"), *much = tcase_create("how much"),
        *refusals = tcase_create("refusals");
  TCase *const cases[] = {none, much, refusals};
  for (int i = 0; i < 3; i++) {
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(none, after_the_first_call_nothing_is_allocated, 0, 3 * OPTIONS);
  tcase_add_loop_test(none, whichever_thread_has_which_problem_nothing_is_allocated, 0, 2);
  tcase_add_loop_test(none, fewer_problems_allocate_nothing, 0, 10);
  tcase_add_test(none, sizes_that_take_turns_allocate_in_the_first_round_only);
  tcase_add_loop_test(much, memory_does_not_grow_with_the_batch, 0, 2);
  tcase_add_loop_test(much, memory_is_at_most_twice_what_is_in_flight, 0, 10);
  tcase_add_loop_test(much, one_large_problem_takes_twice_its_own_memory, 0, 3);
  tcase_add_test(much, more_threads_than_problems_take_no_more_memory);
  tcase_add_loop_test(refusals, a_refused_allocation_is_a_status_of_the_call_and_of_each_problem, 0, 3);
  tcase_add_test(refusals, what_a_refusal_has_taken_is_asked_for_again);
  tcase_add_loop_test(refusals, after_a_refused_allocation_the_next_call_answers, 0, 2);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
