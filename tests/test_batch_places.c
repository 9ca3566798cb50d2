/* What a batch writes to: the answers and nothing between them, and of a problem that has none not even its own place.
 * A bad problem at every place of a batch, in every layout and number type, with weights, several right-hand sides and
 * threads. */
#include <check.h>
#include <stdio.h>

#include "batch.h"

static lsqnet_context *context;

static const model_kind shipped = {NULL, NULL, 0, 0, 0};

static void teardown(void) {
  lsqnet_context_destroy(context);
  context = NULL;
}

static void setup(int32_t threads) {
  lsqnet_context_options options;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = threads;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
}

/* ---- x as it lies in memory ---- */

static size_t number_size(const batch *s) { return s->layout & LAYOUT_F32 ? sizeof(float) : sizeof(double); }

static unsigned char *memory_of_x(const batch *s) {
  return s->layout & LAYOUT_F32 ? (unsigned char *)s->f32[BATCH_X] : (unsigned char *)s->f64[BATCH_X];
}

/* As batch_create has allocated it: one number behind the last. */
static int64_t numbers_of_x(const batch *s) { return s->shape.count * s->stride[BATCH_X] + 1; }

enum { SENTINEL = 0xa5 };

static void fill_x(batch *s) { memset(memory_of_x(s), SENTINEL, (size_t)numbers_of_x(s) * number_size(s)); }

static int is_untouched(const batch *s, int64_t place) {
  const unsigned char *bytes = memory_of_x(s) + (size_t)place * number_size(s);
  for (size_t i = 0; i < number_size(s); i++)
    if (bytes[i] != SENTINEL) return 0;
  return 1;
}

static int has_answer(const lsqnet_report *report) {
  return report->status == LSQNET_OK || report->status == LSQNET_E_NOT_CONVERGED;
}

/* Which numbers are an answer's: those, and no others, have been written to. */
static void check_places(const batch *s) {
  int8_t *answers = some((size_t)numbers_of_x(s), 1);
  for (int64_t p = 0; p < s->shape.count; p++)
    for (int64_t l = 0; l < s->shape.k; l++)
      for (int64_t j = 0; j < s->shape.n; j++)
        answers[batch_place(s, BATCH_X, p, j, l)] = (int8_t)has_answer(&s->reports[p * s->shape.k + l]);
  for (int64_t i = 0; i < numbers_of_x(s); i++)
    ck_assert_msg(is_untouched(s, i) == !answers[i], "layout %d: number %lld %s", s->layout, (long long)i,
                  answers[i] ? "has no answer" : "is none of an answer's and has been written to");
  free(answers);
}

/* ---- bad problems ---- */

enum { NAN_IN_A, NAN_IN_B, INFINITE, EQUAL_COLUMNS, ZERO_COLUMN, OVERFLOWS, ONE_SIDE_OVERFLOWS, BAD_WEIGHT, EVILS };

typedef struct {
  model_kind kind;
  int64_t count, m, n, k;
  int32_t threads, method;
  int weighted;
} setting;

/* Equal numbers are, in floats, no denormals. */
static void make_overflow(problem *p, int one_side, int narrow) {
  const double small = narrow ? 1e-30 : 1e-300, large = narrow ? 1e30 : 1e300;
  for (int64_t i = 0; i < p->m * p->n; i++) p->a[i] *= small;
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t l = 0; l < p->k; l++) p->b[i * p->k + l] *= one_side && l != p->k - 1 ? small : large;
}

static void spoil_columns(int evil, problem *p) {
  for (int64_t i = 0; i < p->m; i++)
    if (evil == EQUAL_COLUMNS)
      p->a[i * p->n + p->n - 1] = 4 * p->a[i * p->n]; /* in floats, too */
    else
      p->a[i * p->n + p->n / 2] = 0;
}

/* Puts the bad problem at place `at`, and returns the status of its last right-hand side. */
static lsqnet_status put_bad(batch *s, int evil, int64_t at, const setting *set) {
  problem p = problem_normal(set->m, set->n, set->k, 0, 4000);
  lsqnet_status st = LSQNET_E_NOT_FINITE;
  if (evil == EQUAL_COLUMNS || evil == ZERO_COLUMN) {
    spoil_columns(evil, &p);
    st = LSQNET_E_RANK;
  }
  if (evil == OVERFLOWS || evil == ONE_SIDE_OVERFLOWS)
    make_overflow(&p, evil == ONE_SIDE_OVERFLOWS, s->layout & LAYOUT_F32);
  if (evil == NAN_IN_A) p.a[p.m * p.n - 1] = (double)NAN;
  if (evil == NAN_IN_B) p.b[p.m * p.k - 1] = (double)NAN;
  if (evil == INFINITE) p.a[p.n] = (double)-INFINITY;
  batch_put(s, at, &p);
  if (evil == BAD_WEIGHT) {
    batch_set(s, BATCH_WEIGHTS, at, p.m / 2, 0, -1);
    st = LSQNET_E_ARGUMENT;
  }
  problem_free(&p);
  return st;
}

/* The good problem of place `at`. */
static void put_good(batch *s, int64_t at, const setting *set) {
  problem p = problem_normal(set->m, set->n, set->k, 0, 900 + (uint64_t)at);
  batch_put(s, at, &p);
  for (int64_t i = 0; i < p.m; i++) batch_set(s, BATCH_WEIGHTS, at, i, 0, (double)(1 + (i + at) % 5) / 4);
  problem_free(&p);
}

static lsqnet_solver *solver_of(const setting *set) {
  const lsqnet_solver_options options = solver_options(set->method);
  return solver_on(context, set->kind, &options);
}

static batch good_batch(const setting *set, int layout) {
  batch s = batch_create(set->count, set->m, set->n, set->k, layout);
  for (int64_t p = 0; p < set->count; p++) put_good(&s, p, set);
  fill_x(&s);
  return s;
}

/* ---- gaps ---- */

static const setting roads[] = {
    {{NULL, NULL, 0, 0, 0}, 21, 20, 5, 1, 1, LSQNET_METHOD_AUTO, 0},
    {{NULL, NULL, 0, 0, 0}, 10, 20, 5, 3, 1, LSQNET_METHOD_AUTO, 1},
    {{NULL, NULL, 0, 0, 0}, 9, 12, 4, 19, 1, LSQNET_METHOD_AUTO, 0}, /* more sides than go together */
    {{"base_conv", "repeat", 6, 4, 0}, 21, 14, 4, 2, 2, LSQNET_METHOD_AUTO, 0},
    {{NULL, NULL, 0, 0, 0}, 9, 500, 6, 2, 2, LSQNET_METHOD_AUTO, 0},
    {{NULL, NULL, 0, 0, 0}, 5, 90, 66, 2, 2, LSQNET_METHOD_AUTO, 1},
    {{NULL, NULL, 0, 0, 0}, 6, 12, 4, 3, 1, LSQNET_METHOD_CG, 0},
};
enum { ROADS = sizeof roads / sizeof roads[0] };

START_TEST(nothing_but_answers_is_written_to) {
  const setting *set = &roads[_i];
  setup(set->threads);
  lsqnet_solver *solver = solver_of(set);
  for (int layout = 0; layout < LAYOUTS; layout++) {
    batch s = good_batch(set, layout);
    ck_assert_msg(batch_solve(solver, &s, set->weighted) == LSQNET_OK, "%s", lsqnet_last_message());
    check_places(&s);
    for (int evil = 0; evil < EVILS - !set->weighted; evil++) { /* several at once, whose neighbours are none */
      for (int64_t p = 0; p < set->count; p++) put_good(&s, p, set);
      for (int64_t p = evil % 3; p < set->count; p += 3) (void)put_bad(&s, evil, p, set);
      fill_x(&s);
      ck_assert_int_ne(batch_solve(solver, &s, set->weighted), LSQNET_OK);
      check_places(&s);
    }
    batch_free(&s);
  }
  lsqnet_solver_destroy(solver);
  teardown();
}
END_TEST

/* Matrices of answers interleaved number by number: the gaps of one are the others' places. */
START_TEST(answers_may_lie_in_each_others_gaps) {
  enum { COUNT = 7, M = 12, N = 4, K = 2 };
  const setting set = {shipped, COUNT, M, N, K, 1, LSQNET_METHOD_AUTO, 0};
  setup(1);
  lsqnet_solver *solver = solver_of(&set);
  batch s = good_batch(&set, 0), interleaved = good_batch(&set, 0);
  double x[N * COUNT * K + 3];
  for (int i = 0; i < N * COUNT * K + 3; i++) x[i] = 42;
  ck_assert_int_eq(batch_solve(solver, &s, 0), LSQNET_OK);
  ck_assert_int_eq((put_bad(&interleaved, NAN_IN_A, 2, &set), batch_solve(solver, &interleaved, 0)),
                   LSQNET_E_NOT_FINITE);
  interleaved.shape.ldx = COUNT * K;
  interleaved.shape.x_stride = K;
  ck_assert_int_eq(lsqnet_solver_solve_batch_f64(solver, &interleaved.shape, interleaved.f64[BATCH_A],
                                                 interleaved.f64[BATCH_B], NULL, x, NULL),
                   LSQNET_E_NOT_FINITE);
  for (int64_t p = 0; p < COUNT; p++)
    for (int64_t j = 0; j < N; j++)
      for (int64_t l = 0; l < K; l++)
        ck_assert(x[j * COUNT * K + p * K + l] == (p == 2 ? 42 : batch_get(&s, BATCH_X, p, j, l)));
  for (int i = 0; i < 3; i++) ck_assert(x[N * COUNT * K + i] == 42);
  batch_free(&interleaved);
  batch_free(&s);
  lsqnet_solver_destroy(solver);
  teardown();
}
END_TEST

/* ---- a bad problem at every place ---- */

/* Each in every layout; between them every road has weights or none, one side or several, one thread or two. */
static const setting kinds[] = {
    {{NULL, NULL, 0, 0, 0}, 11, 20, 5, 1, 1, LSQNET_METHOD_AUTO, 0},
    {{"base_conv", "repeat", 6, 4, 0}, 11, 14, 4, 3, 2, LSQNET_METHOD_AUTO, 0},
    {{NULL, NULL, 0, 0, 0}, 11, 20, 5, 3, 1, LSQNET_METHOD_AUTO, 1},
    {{"base_conv", "repeat", 6, 4, 0}, 11, 14, 4, 1, 2, LSQNET_METHOD_AUTO, 1},
    {{NULL, NULL, 0, 0, 0}, 10, 500, 6, 3, 2, LSQNET_METHOD_AUTO, 0},
    {{NULL, NULL, 0, 0, 0}, 5, 100, 66, 3, 2, LSQNET_METHOD_AUTO, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int same_answer(const batch *s, const batch *t, int64_t p) {
  for (int64_t l = 0; l < s->shape.k; l++) {
    const int64_t at = p * s->shape.k + l;
    if (memcmp(&s->reports[at], &t->reports[at], sizeof *s->reports) != 0) return 0;
    for (int64_t j = 0; j < s->shape.n; j++)
      if (batch_get(s, BATCH_X, p, j, l) != batch_get(t, BATCH_X, p, j, l)) return 0;
  }
  return 1;
}

/* The bad one's reports; of sides that do not overflow it has answers. */
static void check_bad(const batch *s, int evil, int64_t at, lsqnet_status st) {
  for (int64_t l = 0; l < s->shape.k; l++) {
    const lsqnet_report *report = &s->reports[at * s->shape.k + l];
    const int fine = evil == ONE_SIDE_OVERFLOWS && l != s->shape.k - 1;
    ck_assert_msg(report->status == (fine ? LSQNET_OK : st), "evil %d, layout %d, side %d: %s", evil, s->layout, (int)l,
                  lsqnet_status_name(report->status));
    if (fine) continue;
    ck_assert_int_eq(report->stopped, st == LSQNET_E_RANK ? LSQNET_STOP_RANK : LSQNET_STOP_DATA);
    ck_assert(report->digits == 0);
  }
}

static void check_evil(lsqnet_solver *solver, const setting *set, const batch *good, int evil) {
  for (int64_t at = 0; at < set->count; at++) {
    batch s = good_batch(set, good->layout);
    const lsqnet_status st = put_bad(&s, evil, at, set);
    char place[64];
    (void)snprintf(place, sizeof place, "problem %d of %d", (int)at, (int)set->count);
    ck_assert_int_eq(batch_solve(solver, &s, set->weighted), st);
    ck_assert_msg(strstr(lsqnet_last_message(), place) != NULL, "%s", lsqnet_last_message());
    for (int64_t p = 0; p < set->count; p++)
      ck_assert_msg(p == at || same_answer(&s, good, p), "layout %d: evil %d of problem %d has reached problem %d",
                    s.layout, evil, (int)at, (int)p);
    check_bad(&s, evil, at, st);
    check_places(&s);
    batch_free(&s);
  }
}

/* Layouts 0, 7, 11, 13 and 14: any two bits in every way. */
static const int quick_layouts = 1 | 1 << 7 | 1 << 11 | 1 << 13 | 1 << 14;

START_TEST(a_bad_problem_at_any_place_of_any_layout_touches_no_other) {
  const setting *set = &kinds[_i % KINDS];
  const int layout = _i / KINDS;
  const int quick = getenv("LSQNET_TEST_QUICK") != NULL || getenv("LSQNET_TEST_AGAIN") != NULL;
  if (quick && (quick_layouts >> layout & 1) == 0) return;
  setup(set->threads);
  lsqnet_solver *solver = solver_of(set);
  batch good = good_batch(set, layout);
  ck_assert_msg(batch_solve(solver, &good, set->weighted) == LSQNET_OK, "%s", lsqnet_last_message());
  for (int evil = 0; evil < EVILS - !set->weighted; evil++) check_evil(solver, set, &good, evil);
  batch_free(&good);
  lsqnet_solver_destroy(solver);
  teardown();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("batch: places");
  TCase *gaps = tcase_create("gaps"), *bad = tcase_create("bad problems");
  TCase *const cases[] = {gaps, bad};
  for (int i = 0; i < 2; i++) {
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(gaps, nothing_but_answers_is_written_to, 0, ROADS);
  tcase_add_test(gaps, answers_may_lie_in_each_others_gaps);
  tcase_add_loop_test(bad, a_bad_problem_at_any_place_of_any_layout_touches_no_other, 0, KINDS * LAYOUTS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
