/* Threads share a batch: each problem's numbers are read by the thread that solves it, so A lies in pages that nobody
 * may read at first, and whoever does waits there until as many threads have come as the context has. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "batch.h"

enum { MOST_THREADS = 4, PATIENCE = 60000 }; /* milliseconds; only a failure takes them */

/* ---- the meeting ---- */

static _Thread_local char own; /* its address is the thread's name */
static struct {
  atomic_int expected, arrived, given_up, crowded, open;
  _Atomic(uintptr_t) name[MOST_THREADS];
  char *pages;
  size_t bytes;
} meeting;

/* Enters the thread once; from a signal's handler. */
static void arrive(void) {
  const uintptr_t name = (uintptr_t)&own;
  for (int i = 0; i < MOST_THREADS; i++) {
    uintptr_t there = 0;
    if (atomic_compare_exchange_strong(&meeting.name[i], &there, name)) {
      atomic_fetch_add(&meeting.arrived, 1);
      return;
    }
    if (there == name) return;
  }
  atomic_store(&meeting.crowded, 1);
}

static void wait_for_others(void) {
  const struct timespec millisecond = {0, 1000000};
  for (int i = 0; atomic_load(&meeting.arrived) < atomic_load(&meeting.expected); i++) {
    if (i >= PATIENCE) atomic_store(&meeting.given_up, 1);
    if (atomic_load(&meeting.given_up)) return;
    (void)nanosleep(&millisecond, NULL);
  }
}

/* Nobody may be left behind shut pages when the first go on: all are opened at once. */
static void on_fault(int number) {
  if (atomic_load(&meeting.open)) {
    (void)signal(number, SIG_DFL); /* another fault: it happens again, and ends the test */
    return;
  }
  arrive();
  wait_for_others();
  (void)mprotect(meeting.pages, meeting.bytes, PROT_READ | PROT_WRITE);
  atomic_store(&meeting.open, 1);
}

static void expect(int threads) {
  for (int i = 0; i < MOST_THREADS; i++) atomic_store(&meeting.name[i], 0);
  atomic_store(&meeting.arrived, 0);
  atomic_store(&meeting.given_up, 0);
  atomic_store(&meeting.crowded, 0);
  atomic_store(&meeting.open, 0);
  atomic_store(&meeting.expected, threads);
}

static void catch_faults(void) {
  struct sigaction action = {.sa_flags = 0};
  action.sa_handler = on_fault;
  ck_assert_int_eq(sigemptyset(&action.sa_mask), 0);
  ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
  ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
}

/* A copy of `count` numbers in pages that are shut. */
static double *shut_away(const double *numbers, int64_t count) {
  meeting.bytes = (size_t)count * sizeof *numbers;
  void *const pages = mmap(NULL, meeting.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(pages, MAP_FAILED);
  meeting.pages = pages;
  memcpy(pages, numbers, (size_t)count * sizeof *numbers);
  ck_assert_int_eq(mprotect(pages, meeting.bytes, PROT_NONE), 0);
  return pages;
}

/* ---- the roads ---- */

static const struct {
  model_kind kind; /* base_conv: a model that is asked, and has no map of moments */
  int64_t count, m, n;
  int32_t method, road;
} cases[] = {
    {{NULL, NULL, 0, 0, 0}, 2000, 20, 5, LSQNET_METHOD_AUTO, LSQNET_ROAD_PROBLEMS},
    {{"base_conv", "repeat", 6, 4, 0}, 200, 20, 5, LSQNET_METHOD_AUTO, LSQNET_ROAD_PROBLEMS},
    {{NULL, NULL, 0, 0, 0}, 60, 600, 6, LSQNET_METHOD_AUTO, LSQNET_ROAD_ROWS},
    {{NULL, NULL, 0, 0, 0}, 24, 120, 70, LSQNET_METHOD_AUTO, LSQNET_ROAD_ORTHOGONAL},
    {{NULL, NULL, 0, 0, 0}, 400, 20, 5, LSQNET_METHOD_CG, LSQNET_ROAD_ITERATIONS},
    {{"base_conv", "repeat", 6, 4, 0}, 400, 20, 5, LSQNET_METHOD_CG, LSQNET_ROAD_ITERATIONS},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static batch batch_of_case(int i) {
  batch s = batch_create(cases[i].count, cases[i].m, cases[i].n, 1, 0);
  for (int64_t p = 0; p < cases[i].count; p++) {
    problem q = problem_normal(cases[i].m, cases[i].n, 1, 0, (uint64_t)p);
    batch_put(&s, p, &q);
    problem_free(&q);
  }
  return s;
}

static lsqnet_context *context_of_threads(int32_t threads) {
  lsqnet_context_options options;
  lsqnet_context *context = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = threads;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
  return context;
}

START_TEST(every_thread_solves_some_of_a_batch) {
  const int i = _i % CASES, threads = 1 + _i / CASES;
  const lsqnet_solver_options options = solver_options(cases[i].method);
  lsqnet_context *context = context_of_threads(threads);
  lsqnet_solver *solver = solver_on(context, cases[i].kind, &options);
  batch s = batch_of_case(i);
  const double *a = shut_away(s.f64[BATCH_A], s.shape.count * s.shape.m * s.shape.n);
  expect(threads);
  catch_faults();
  const lsqnet_status st =
      lsqnet_solver_solve_batch_f64(solver, &s.shape, a, s.f64[BATCH_B], NULL, s.f64[BATCH_X], s.reports);
  ck_assert_msg(st == LSQNET_OK, "%s", lsqnet_last_message());
  ck_assert_int_eq(s.reports[0].road, cases[i].road);
  ck_assert_msg(atomic_load(&meeting.arrived) == threads, "%d of %d threads came", atomic_load(&meeting.arrived),
                threads);
  ck_assert(!atomic_load(&meeting.crowded));
  (void)munmap(meeting.pages, meeting.bytes);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("batch: threads");
  TCase *threads = tcase_create("threads");
  tcase_set_timeout(threads, 300);
  suite_add_tcase(suite, threads);
  tcase_add_loop_test(threads, every_thread_solves_some_of_a_batch, 0, 3 * CASES);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
