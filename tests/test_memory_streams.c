/* Memory of a solver that solves states: none that a solve like the first one asks for, whatever rows come and go;
 * refusals leave nothing half done. */
#include <check.h>

#include "batch.h"
#include "counting_allocator.h"
#include "trouble.h"

static const model_kind exact = {"attention", "split", 64, 16, 0};
static const model_kind shipped = {NULL, NULL, 0, 0, 0};
static const model_kind gates = {"base_conv", "repeat", 6, 4, 0}; /* without a map of moments */

/* A stream with a window, well-conditioned, then ill, then well again. */
START_TEST(a_stream_allocates_in_its_first_solve_only) {
  enum { N = 4, WINDOW = 20, BEFORE = 60, ROWS = 400 };
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  lsqnet_state *state = NULL;
  lsqnet_state_options options;
  ck_assert_int_eq(counting_context(&counted, &allocator, 2), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, _i % 2 ? gates : shipped, NULL);
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = N;
  options.keep_rows = _i / 2 > 0;
  options.forgetting = _i / 2 > 1 ? 0.98 : 1;
  ck_assert_int_eq(lsqnet_state_create(&state, counted, &options), LSQNET_OK);
  uint64_t draw = 3;
  long long calls = 0;
  int others = 0;
  double rows[ROWS][N + 1];
  for (int i = 0; i < ROWS; i++) {
    const int ill = i > 200 && i < 300;
    lsqnet_report report = {.size = sizeof report};
    double x[N];
    for (int j = 0; j <= N; j++) rows[i][j] = normal(&draw);
    if (ill) rows[i][1] = rows[i][0] + 1e-10 * rows[i][1];
    ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, rows[i], N, &rows[i][N], 1), LSQNET_OK);
    if (i >= WINDOW && options.forgetting == 1)
      ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, rows[i - WINDOW], N, &rows[i - WINDOW][N], 1),
                       LSQNET_OK);
    else if (i >= WINDOW)
      ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, NULL, N, NULL, 1), LSQNET_OK);
    if (i < WINDOW) continue;
    (void)lsqnet_solver_solve_state(solver, state, x, 1, &report);
    others += report.why == LSQNET_WHY_CONDITION || report.status == LSQNET_E_NOT_CONVERGED;
    if (i == BEFORE) calls = allocator.calls; /* rows kept have found a place that is large enough */
  }
  ck_assert_int_eq(allocator.calls, calls);
  ck_assert_int_ge(others, 50);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

/* Rows kept, 17 at a time, and a problem of as many rows: what is made room for is not the same. AddressSanitizer and
 * valgrind see what is too little. */
START_TEST(a_stream_and_a_problem_of_its_size_do_not_share_their_room) {
  enum { M = 17, N = 12 };
  lsqnet_context *context = NULL;
  lsqnet_state *state = NULL;
  lsqnet_state_options options;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_solver *solver = solver_on(context, _i == 0 ? exact : gates, NULL);
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = N;
  options.keep_rows = 1;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &options), LSQNET_OK);
  problem q = problem_normal(M, N, 1, 0, 3);
  double x[N];
  for (int i = 0; i < M; i++)
    ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, q.a + i * q.lda, N, q.b + i * q.ldb, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
  ck_assert_int_eq(problem_solve(solver, &q, NULL), LSQNET_OK);
  (void)problem_truth(&q, 0);
  ck_assert(worst_error(&q, DBL_EPSILON) <= 1);
  problem_free(&q);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
}
END_TEST

/* An allocator that hands out again what it got back last. */
typedef struct {
  void *blocks[4096];
  uint64_t bytes[4096];
  int count;
  long long calls;
} recycler;

static void *recycle(void *user, uint64_t bytes, uint64_t alignment) {
  recycler *r = (recycler *)user;
  r->calls++;
  for (int i = r->count - 1; i >= 0; i--) {
    if (r->bytes[i] != bytes) continue;
    void *const block = r->blocks[i];
    r->count--;
    r->blocks[i] = r->blocks[r->count];
    r->bytes[i] = r->bytes[r->count];
    return block;
  }
  return aligned_alloc((size_t)alignment, (size_t)((bytes + 63) / 64 * 64));
}

static void keep_block(void *user, void *memory, uint64_t bytes) {
  recycler *r = (recycler *)user;
  ck_assert_int_lt(r->count, 4096);
  r->blocks[r->count] = memory;
  r->bytes[r->count++] = bytes;
}

/* Rows of n unknowns, the second column nearly the first, that only rows kept lead to an answer of. */
static problem ill_rows(int64_t rows, int64_t n) {
  problem q = problem_normal(rows, n, 1, 0, 6);
  for (int64_t i = 0; i < rows; i++) q.a[i * n + 1] = q.a[i * n] + 1e-10 * q.a[i * n + 1];
  return q;
}

static lsqnet_state *stream_of(lsqnet_context *context, lsqnet_solver *solver, const problem *p) {
  lsqnet_state *state = NULL;
  lsqnet_state_options options;
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = p->n;
  options.keep_rows = 1;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, p->m, p->a, p->lda, p->b, p->ldb), LSQNET_OK);
  return state;
}

/* Makes the `rows` rows of a stream ill, in the place that they have. */
static void fall_ill(lsqnet_solver *solver, lsqnet_state *state, int64_t rows, const problem *ill) {
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, ill->m, ill->a, ill->lda, ill->b, ill->ldb), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, rows, NULL, 0, NULL, 0), LSQNET_OK);
}

START_TEST(a_solver_at_the_place_of_another_makes_room_for_a_stream) {
  enum { N = 6, ROWS = 400 };
  recycler blocks = {.count = 0};
  lsqnet_context *context = NULL;
  lsqnet_context_options options;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.allocate = recycle;
  options.release = keep_block;
  options.allocator_user = &blocks;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
  lsqnet_model *model = construct(context, exact);
  lsqnet_solver *first = NULL, *solver = NULL;
  problem p = problem_normal(ROWS, N, 1, 0, 5), ill = ill_rows(100, N);
  double x[N];
  ck_assert_int_eq(lsqnet_solver_create(&first, context, model, NULL), LSQNET_OK);
  const void *place = first;
  lsqnet_state *state = stream_of(context, first, &p);
  ck_assert_int_eq(lsqnet_solver_solve_state(first, state, x, 1, NULL), LSQNET_OK);
  lsqnet_solver_destroy(first);
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, NULL), LSQNET_OK);
  ck_assert_ptr_eq(solver, place);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
  fall_ill(solver, state, ROWS, &ill);
  const long long calls = blocks.calls;
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
  ck_assert_int_eq(blocks.calls, calls);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  while (blocks.count > 0) free(blocks.blocks[--blocks.count]);
  problem_free(&ill);
  problem_free(&p);
}
END_TEST

/* ---- refusals ---- */

/* Whichever allocation of a larger problem is refused on its solver: a stream's next solve asks for all that is gone.
 */
START_TEST(a_stream_allocates_once_after_a_refusal) {
  enum { N = 6, ROWS = 400 };
  problem p = problem_normal(ROWS, N, 1, 0, 5), ill = ill_rows(100, N), large = problem_normal(3000, 12, 1, 0, 6);
  lsqnet_status st = LSQNET_E_MEMORY;
  for (long long refuse = 1; st == LSQNET_E_MEMORY; refuse++) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    double x[N];
    ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, _i == 0 ? exact : gates, NULL);
    lsqnet_state *state = stream_of(counted, solver, &p);
    ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
    allocator.refuse = allocator.calls + refuse;
    st = problem_solve(solver, &large, NULL);
    allocator.refuse = 0;
    ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
    fall_ill(solver, state, ROWS, &ill);
    const long long calls = allocator.calls;
    ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, NULL), LSQNET_OK);
    ck_assert_int_eq(allocator.calls, calls);
    lsqnet_state_destroy(state);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
  }
  ck_assert_int_eq(st, LSQNET_OK);
  problem_free(&large);
  problem_free(&ill);
  problem_free(&p);
}
END_TEST

/* Allocation number _i of a stream's solve, on a solver that has solved a problem before, is refused. */
START_TEST(a_refusal_between_a_stream_and_a_problem_is_told_and_survived) {
  enum { N = 3, K = 9 };
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  lsqnet_state *state = NULL;
  lsqnet_state_options options;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  lsqnet_solver *solver = solver_on(counted, _i % 2 ? shipped : gates, NULL);
  ck_assert_int_eq(lsqnet_state_options_init(&options, sizeof options), LSQNET_OK);
  options.n = N;
  options.k = K;
  options.keep_rows = 1;
  ck_assert_int_eq(lsqnet_state_create(&state, counted, &options), LSQNET_OK);
  problem q = problem_normal(20, N, 1, 0, 3), rows = problem_normal(20, N, K, 0, 4);
  lsqnet_report reports[K] = {{.size = sizeof *reports}};
  double x[N * K], alone[N];
  ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 20, rows.a, rows.lda, rows.b, rows.ldb), LSQNET_OK);
  trouble(2, &q);              /* solved alone, with reports of the solver's own */
  const int warm = _i / 2 % 2; /* else the stream is what the solver begins with */
  if (warm) ck_assert_int_eq(problem_solve(solver, &q, NULL), LSQNET_OK);
  allocator.refuse = allocator.calls + 1 + _i / 4;
  const lsqnet_status st = lsqnet_solver_solve_state(solver, state, x, K, reports);
  ck_assert(st == LSQNET_OK || st == LSQNET_E_MEMORY);
  for (int l = 0; l < K; l++) ck_assert_int_eq(reports[l].status, st);
  allocator.refuse = 0;
  ck_assert_int_eq(problem_solve(solver, &q, NULL), LSQNET_OK);
  memcpy(alone, q.x, sizeof alone);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, K, reports), LSQNET_OK);
  ck_assert_int_eq(problem_solve(solver, &q, NULL), LSQNET_OK);
  ck_assert_mem_eq(alone, q.x, sizeof alone);
  problem_free(&rows);
  problem_free(&q);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
  ck_assert_int_eq(allocator.live, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("memory of streams");
  TCase *none = tcase_create("none after the first"), *refusals = tcase_create("refusals");
  TCase *const cases[] = {none, refusals};
  for (int i = 0; i < 2; i++) {
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(none, a_stream_allocates_in_its_first_solve_only, 0, 6);
  tcase_add_loop_test(none, a_stream_and_a_problem_of_its_size_do_not_share_their_room, 0, 2);
  tcase_add_test(none, a_solver_at_the_place_of_another_makes_room_for_a_stream);
  tcase_add_loop_test(refusals, a_stream_allocates_once_after_a_refusal, 0, 2);
  tcase_add_loop_test(refusals, a_refusal_between_a_stream_and_a_problem_is_told_and_survived, 0, 40);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
