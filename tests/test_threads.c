/* What docs/threads.md says may be done at once, done at once: by 16 threads, in a process made by fork, and from
 * another thread that has a call stopped. ThreadSanitizer runs it in CI. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memory_file.h"
#include "sanitizer.h"

enum { THREADS = 16, OTHERS = 4, M = 30, N = 5, ROWS = 20, BATCH = 3 };

/* Fewer rounds where each takes long. */
static int rounds(void) { return getenv("LSQNET_TEST_SLOW") != NULL ? 10 : 100; }

static struct {
  lsqnet_context *context;
  lsqnet_model *model;
  memory_file file;
  int64_t in_width;
  double a[M * N], b[M], prompt[BATCH * (ROWS + 1) * (2 * N + 1)];
  double x[N], y[BATCH * N]; /* what one thread alone makes of them */
} shared;

static atomic_int faults, going;

static void forward(double *y, lsqnet_workspace *workspace) {
  const lsqnet_batch shape = {.size = sizeof shape, .batch = BATCH, .rows = ROWS + 1, .first = ROWS, .count = 1};
  if (lsqnet_model_forward_f64(shared.model, workspace, &shape, shared.prompt, y) != LSQNET_OK) faults++;
}

static void solve(double *x, lsqnet_solver *solver) {
  if (lsqnet_solver_solve_f64(solver, M, N, 1, shared.a, N, shared.b, 1, x, 1, NULL) != LSQNET_OK) faults++;
}

static void create_shared(int32_t threads) {
  lsqnet_context_options options;
  lsqnet_construct_options construct;
  uint32_t state = 1;
  ck_assert_ok(lsqnet_context_options_init(&options, sizeof options));
  options.threads = threads;
  ck_assert_ok(lsqnet_context_create(&shared.context, &options));
  ck_assert_ok(lsqnet_construct_options_init(&construct, sizeof construct));
  construct.rows = ROWS;
  construct.dim = N;
  ck_assert_ok(lsqnet_model_construct_gradient(&shared.model, shared.context, &construct));
  ck_assert_ok(lsqnet_model_save_stream(shared.model, memory_append, &shared.file));
  double *const arrays[] = {shared.a, shared.b, shared.prompt};
  const size_t counts[] = {M * N, M, sizeof shared.prompt / sizeof *shared.prompt};
  for (int k = 0; k < 3; k++)
    for (size_t i = 0; i < counts[k]; i++) {
      state = state * 1664525 + 1013904223;
      arrays[k][i] = (double)state / 2147483648.0 - 1;
    }
  faults = 0;
  going = 1;
}

static void compute_alone(void) {
  lsqnet_workspace *workspace = NULL;
  lsqnet_solver *solver = NULL;
  ck_assert_ok(lsqnet_workspace_create(&workspace, shared.model));
  ck_assert_ok(lsqnet_solver_create(&solver, shared.context, shared.model, NULL));
  forward(shared.y, workspace);
  solve(shared.x, solver);
  lsqnet_solver_destroy(solver);
  lsqnet_workspace_destroy(workspace);
}

static void destroy_shared(void) {
  lsqnet_model_destroy(shared.model);
  lsqnet_context_destroy(shared.context);
  free(shared.file.bytes);
  memset(&shared, 0, sizeof shared);
}

static void *run_and_solve(void *argument) {
  double x[N], y[BATCH * N];
  lsqnet_workspace *workspace = NULL;
  lsqnet_solver *solver = NULL;
  (void)argument;
  if (lsqnet_workspace_create(&workspace, shared.model) != LSQNET_OK) faults++;
  if (lsqnet_solver_create(&solver, shared.context, shared.model, NULL) != LSQNET_OK) faults++;
  for (int i = 0; i < rounds(); i++) {
    forward(y, workspace);
    if (memcmp(y, shared.y, sizeof y) != 0) faults++;
    solve(x, solver);
    if (memcmp(x, shared.x, sizeof x) != 0) faults++;
  }
  lsqnet_solver_destroy(solver);
  lsqnet_workspace_destroy(workspace);
  return NULL;
}

static void *load_and_destroy(void *argument) {
  (void)argument;
  while (going) {
    lsqnet_model *loaded = NULL, *copy = NULL;
    lsqnet_workspace *workspace = NULL;
    if (lsqnet_model_load_memory(&loaded, shared.context, shared.file.bytes, shared.file.size, NULL) != LSQNET_OK)
      faults++;
    if (lsqnet_model_clone(&copy, shared.model) != LSQNET_OK) faults++;
    if (lsqnet_workspace_create(&workspace, shared.model) != LSQNET_OK) faults++;
    lsqnet_model_destroy(loaded);
    if (lsqnet_model_load_memory(&loaded, shared.context, shared.file.bytes, 7, NULL) != LSQNET_E_FORMAT) faults++;
    if (strstr(lsqnet_last_message(), "7 bytes") == NULL) faults++; /* this thread's */
    lsqnet_workspace_destroy(workspace);
    lsqnet_model_destroy(copy);
  }
  return NULL;
}

START_TEST(sixteen_threads_share_a_model_while_others_load_and_destroy) {
  pthread_t threads[THREADS], others[OTHERS];
  create_shared(3);
  compute_alone();
  for (int i = 0; i < OTHERS; i++) ck_assert_int_eq(pthread_create(&others[i], NULL, load_and_destroy, NULL), 0);
  for (int i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_and_solve, NULL), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  going = 0;
  for (int i = 0; i < OTHERS; i++) pthread_join(others[i], NULL);
  ck_assert_int_eq(faults, 0);
  destroy_shared();
}
END_TEST

/* ---- fork ---- */

static void *solve_until_told(void *argument) {
  double x[N];
  lsqnet_solver *solver = NULL;
  (void)argument;
  if (lsqnet_solver_create(&solver, shared.context, shared.model, NULL) != LSQNET_OK) faults++;
  while (going) solve(x, solver);
  lsqnet_solver_destroy(solver);
  return NULL;
}

/* A batch, for which the context's threads are wanted. */
static int solve_batch(lsqnet_solver *solver) {
  enum { COUNT = 64 };
  static double a[COUNT * M * N], b[COUNT * M], x[COUNT * N];
  lsqnet_problems problems;
  ck_assert_ok(lsqnet_problems_init(&problems, sizeof problems));
  problems.count = COUNT;
  problems.m = M;
  problems.n = N;
  for (int p = 0; p < COUNT; p++) {
    memcpy(a + p * M * N, shared.a, sizeof shared.a);
    memcpy(b + p * M, shared.b, sizeof shared.b);
  }
  if (lsqnet_solver_solve_batch_f64(solver, &problems, a, b, NULL, x, NULL) != LSQNET_OK) return 1;
  for (int p = 0; p < COUNT; p++)
    if (memcmp(x + p * N, shared.x, sizeof shared.x) != 0) return 2;
  return 0;
}

/* The exit code of the child, which has the parent's objects without the parent's threads. */
static int use_objects_in_child(lsqnet_solver *solver) {
  lsqnet_context *own = NULL;
  lsqnet_context_options options;
  alarm(60);
  int code = solve_batch(solver);
  lsqnet_solver_destroy(solver);
  if (lsqnet_context_options_init(&options, sizeof options) != LSQNET_OK) return 3;
#ifndef __SANITIZE_THREAD__ /* which has no new threads after fork */
  options.threads = 3;
#endif
  if (lsqnet_context_create(&own, &options) != LSQNET_OK) return 4;
  if (lsqnet_solver_create(&solver, own, shared.model, NULL) != LSQNET_OK) return 5;
  if (code == 0) code = solve_batch(solver);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
  lsqnet_model_destroy(shared.model);
  lsqnet_context_destroy(shared.context);
  return code;
}

START_TEST(a_child_of_a_threaded_process_goes_on) {
  pthread_t thread;
  lsqnet_solver *solver = NULL;
  create_shared(3);
  compute_alone();
  ck_assert_ok(lsqnet_solver_create(&solver, shared.context, shared.model, NULL));
  ck_assert_int_eq(solve_batch(solver), 0);
  ck_assert_int_eq(pthread_create(&thread, NULL, solve_until_told, NULL), 0);
  for (int i = 0; i < 20; i++) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(use_objects_in_child(solver));
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: status %d", i, status);
    ck_assert_int_eq(solve_batch(solver), 0);
  }
  going = 0;
  pthread_join(thread, NULL);
  ck_assert_int_eq(faults, 0);
  lsqnet_solver_destroy(solver);
  destroy_shared();
}
END_TEST

/* ---- stopping ---- */

static atomic_int stop_wanted, asked;

static int32_t ask(void *user) {
  (void)user;
  asked++;
  return stop_wanted;
}

static void *stop_soon(void *argument) {
  (void)argument;
  while (asked < 3) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  stop_wanted = 1;
  return NULL;
}

/* Solves again and again until it is stopped in the middle of one. */
START_TEST(a_solve_is_stopped_from_another_thread) {
  double x[N];
  pthread_t thread;
  lsqnet_solver *solver = NULL;
  lsqnet_solver_options options;
  lsqnet_report report = {.size = sizeof report};
  lsqnet_status status = LSQNET_OK;
  create_shared(2);
  ck_assert_ok(lsqnet_solver_options_init(&options, sizeof options));
  options.method = LSQNET_METHOD_GD;
  options.stop = ask;
  stop_wanted = asked = 0;
  ck_assert_ok(lsqnet_solver_create(&solver, shared.context, shared.model, &options));
  ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
  while (status == LSQNET_OK)
    status = lsqnet_solver_solve_f64(solver, M, N, 1, shared.a, N, shared.b, 1, x, 1, &report);
  ck_assert_int_eq(status, LSQNET_E_STOPPED);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_CALLER);
  ck_assert_int_ge(asked, 3);
  pthread_join(thread, NULL);
  stop_wanted = 0;
  ck_assert_ok(lsqnet_solver_solve_f64(solver, M, N, 1, shared.a, N, shared.b, 1, x, 1, &report)); /* it goes on */
  lsqnet_solver_destroy(solver);
  destroy_shared();
}
END_TEST

static lsqnet_status progress(void *user, const lsqnet_progress *p) {
  (void)user;
  asked++;
  return stop_wanted && p->step > 0 ? LSQNET_E_STOPPED : LSQNET_OK;
}

START_TEST(training_is_stopped_from_another_thread_and_goes_on) {
  pthread_t thread;
  lsqnet_task *task = NULL;
  lsqnet_trainer *trainer = NULL;
  lsqnet_task_options task_options;
  lsqnet_train_options options;
  create_shared(2);
  ck_assert_ok(lsqnet_task_options_init(&task_options, sizeof task_options));
  task_options.prompt = "split";
  ck_assert_ok(lsqnet_task_create(&task, shared.context, &task_options));
  ck_assert_ok(lsqnet_train_options_init(&options, sizeof options));
  options.steps = INT64_C(1) << 40;
  options.batch = 4;
  ck_assert_ok(lsqnet_trainer_create(&trainer, shared.model, task, &options));
  stop_wanted = asked = 0;
  ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
  ck_assert_int_eq(lsqnet_trainer_run(trainer, progress, NULL), LSQNET_E_STOPPED);
  pthread_join(thread, NULL);
  lsqnet_progress now = {.size = sizeof now};
  ck_assert_ok(lsqnet_trainer_step(trainer, &now));
  ck_assert_int_eq(now.step, asked + 1);
  lsqnet_trainer_destroy(trainer);
  lsqnet_task_destroy(task);
  destroy_shared();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("threads");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_test(each, sixteen_threads_share_a_model_while_others_load_and_destroy);
  /* whose allocator may stay locked in a child of a process with threads */
  if (!UNDER_ADDRESS_SANITIZER) tcase_add_test(each, a_child_of_a_threaded_process_goes_on);
  tcase_add_test(each, a_solve_is_stopped_from_another_thread);
  tcase_add_test(each, training_is_stopped_from_another_thread_and_goes_on);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
