/* Many solves, of many shapes, by one solver: memory stays as it is once the largest has been seen. LSQNET_TEST_SOLVES
 * says how many; .ci/long runs ten million. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "counting_allocator.h"
#include "memory_file.h"
#include "sanitizer.h"

enum { MOST_M = 24, MOST_N = 8, MOST_COUNT = 32, SHAPES = 997 };

static counting_allocator allocator;
static double a[MOST_COUNT * MOST_M * MOST_N], b[MOST_COUNT * MOST_M], x[MOST_COUNT * MOST_N];

static long resident_pages(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
  fclose(file);
  return resident;
}

static void fill(void) {
  uint32_t state = 1;
  for (size_t i = 0; i < sizeof a / sizeof *a; i++)
    a[i] = (double)(state = state * 1664525 + 1013904223) / 2147483648.0 - 1;
  for (size_t i = 0; i < sizeof b / sizeof *b; i++)
    b[i] = (double)(state = state * 1664525 + 1013904223) / 2147483648.0 - 1;
}

/* Solves the i-th set of problems; some of a set are refused, or do not converge. */
static int64_t solve(lsqnet_solver *solver, int64_t i) {
  lsqnet_report report = {.size = sizeof report};
  const int64_t n = 1 + i % MOST_N, m = n + i % (MOST_M - MOST_N), shape = i % SHAPES;
  if (shape == 5) return lsqnet_solver_solve_f64(solver, m, 0, 1, a, 1, b, 1, x, 1, NULL) == LSQNET_E_SHAPE ? 1 : 0;
  if (shape == 6) { /* equal columns */
    static const double equal[6] = {1, 1, 2, 2, 3, 3};
    return lsqnet_solver_solve_f64(solver, 3, 2, 1, equal, 2, b, 1, x, 1, &report) == LSQNET_E_RANK ? 1 : 0;
  }
  if (i % 4 == 0)
    return lsqnet_solver_solve_f64(solver, m, n, 1, a + i % 11, n, b, 1, x, 1, &report) == LSQNET_OK ? 1 : 0;
  lsqnet_problems problems;
  ck_assert_ok(lsqnet_problems_init(&problems, sizeof problems));
  problems.count = MOST_COUNT;
  problems.m = m;
  problems.n = n;
  return lsqnet_solver_solve_batch_f64(solver, &problems, a, b, NULL, x, NULL) == LSQNET_OK ? MOST_COUNT : 0;
}

START_TEST(memory_stays_flat) {
  const char *wanted = getenv("LSQNET_TEST_SOLVES");
  const int64_t solves = wanted != NULL ? atoll(wanted) : 200000;
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;
  fill();
  ck_assert_ok(counting_context(&context, &allocator, 2));
  ck_assert_ok(lsqnet_solver_create(&solver, context, NULL, NULL));
  int64_t done = 0, i = 0;
  long long calls = 0, live = 0;
  long pages = 0;
  for (; done < solves; i++) {
    const int64_t some = solve(solver, i);
    ck_assert_msg(some > 0, "set %lld: %s", (long long)i, lsqnet_last_message());
    done += some;
    if (i == 10 * SHAPES / 2) {
      calls = allocator.calls;
      live = allocator.live;
      pages = resident_pages();
    }
  }
  ck_assert_int_gt(i, 10 * SHAPES / 2);
  printf("%lld solves in %lld calls: %lld blocks, %+lld; %lld allocations after the first %d calls; %+ld pages\n",
         (long long)done, (long long)i, (long long)allocator.live, (long long)allocator.live - live,
         (long long)allocator.calls - calls, 10 * SHAPES / 2, resident_pages() - pages);
  fflush(stdout);
  ck_assert_int_eq(allocator.live, live);
  /* stack frames are not used again at once there */
  if (!UNDER_ADDRESS_SANITIZER)
    ck_assert_msg(resident_pages() - pages <= 64, "%ld pages more", resident_pages() - pages);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  ck_assert_int_eq(allocator.live, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("endurance");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 600);
  tcase_add_test(each, memory_stays_flat);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
