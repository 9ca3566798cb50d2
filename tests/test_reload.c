/* The library loaded and unloaded again and again by a program that is not linked to it: memory stays flat, and it is
 * unmapped when nobody uses it. The path comes in LSQNET_LIBRARY. */
#include <check.h>
#include <dlfcn.h>
#include <lsqnet/lsqnet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { M = 8, N = 2 };

static void *library;

static void *function(const char *name) {
  void *address = dlsym(library, name);
  if (address == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    abort();
  }
  return address;
}

/* A pointer to an object as one to a function, which ISO C leaves open. */
#define TAKE(name)                              \
  __typeof__(&lsqnet_##name) name;              \
  do {                                          \
    void *address_ = function("lsqnet_" #name); \
    memcpy(&name, &address_, sizeof name);      \
  } while (0)

static double a[M * N] = {1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1, 7, 1, 8}, b[M] = {2, 4, 6, 8, 10, 12, 14, 16};

static void solve(void) {
  TAKE(context_options_init);
  TAKE(context_create);
  TAKE(context_destroy);
  TAKE(solver_create);
  TAKE(solver_destroy);
  TAKE(solver_solve_f64);
  double x[N];
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_context_options options;
  ck_assert_int_eq(context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = 3;
  ck_assert_int_eq(context_create(&context, &options), LSQNET_OK);
  ck_assert_int_eq(solver_create(&solver, context, NULL, NULL), LSQNET_OK);
  ck_assert_int_eq(solver_solve_f64(solver, M, N, 1, a, N, b, 1, x, 1, NULL), LSQNET_OK);
  ck_assert_double_eq(x[1], 2);
  solver_destroy(solver);
  context_destroy(context);
}

/* Leaves a solver with the thread, which goes when the thread ends. */
static void *call_dgels(void *argument) {
  double copy[M];
  TAKE(dgels);
  (void)argument;
  memcpy(copy, b, sizeof copy);
  if (dgels(LSQNET_ROW_MAJOR, 'N', M, N, 1, a, N, copy, 1) != 0) abort();
  return NULL;
}

static long resident_pages(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
  fclose(file);
  return resident;
}

START_TEST(loading_and_unloading_leaves_nothing) {
  const char *path = getenv("LSQNET_LIBRARY");
  const int rounds = getenv("LSQNET_TEST_SLOW") != NULL ? 10 : 300;
  long settled = 0;
  ck_assert_ptr_nonnull(path);
  for (int i = 0; i < rounds; i++) {
    pthread_t thread;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    solve();
    ck_assert_int_eq(pthread_create(&thread, NULL, call_dgels, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(dlclose(library), 0);
    ck_assert_msg(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL, "round %d: it is still there", i);
    if (i == rounds / 5) settled = resident_pages();
  }
  /* a leaked solver has some 200 KB, 50 pages a round; arenas that settle late have some hundred in all */
  ck_assert_msg(resident_pages() - settled < rounds + 200, "%ld pages more", resident_pages() - settled);
}
END_TEST

/* A thread that still holds a solver of the library's keeps the library. */
START_TEST(a_thread_that_has_called_keeps_the_library) {
  const char *path = getenv("LSQNET_LIBRARY");
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ck_assert_ptr_nonnull(library);
  (void)call_dgels(NULL);
  ck_assert_int_eq(dlclose(library), 0);
  library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
  ck_assert_ptr_nonnull(library);
  (void)call_dgels(NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("reload");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_test(each, loading_and_unloading_leaves_nothing);
  tcase_add_test(each, a_thread_that_has_called_keeps_the_library);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
