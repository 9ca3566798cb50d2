/* The solver's arguments, and the host that it lives in: rounding modes, threads, memory. */
#include <check.h>
#include <fenv.h>

#include "counting_allocator.h"
#include "problem.h"

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

enum { METHODS = LSQNET_METHOD_DIRECT + 1 };

static const model_kind small = {"attention", "split", 5, 4, 0};

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

/* Solves to the last digit. */
static void check_problem(lsqnet_solver *solver, problem *p) {
  (void)problem_truth(p, 0);
  ck_assert_msg(problem_solve(solver, p, NULL) == LSQNET_OK, "%s", lsqnet_last_message());
  ck_assert(worst_error(p, DBL_EPSILON) <= 1);
}

typedef struct {
  int64_t m, n, k, lda, ldb, ldx;
  int missing; /* 1: a, 2: b, 3: x, 4: solver */
  uint32_t report_size;
  lsqnet_status status;
  const char *message;
} call;

static const call calls[] = {
    {3, 2, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_OK, ""},
    {3, 2, 1, 2, 1, 1, 0, 2 * sizeof(lsqnet_report), LSQNET_OK, ""},
    {3, 2, 1, 2, 1, 1, 1, sizeof(lsqnet_report), LSQNET_E_ARGUMENT, "a is NULL"},
    {3, 2, 1, 2, 1, 1, 2, sizeof(lsqnet_report), LSQNET_E_ARGUMENT, "b is NULL"},
    {3, 2, 1, 2, 1, 1, 3, sizeof(lsqnet_report), LSQNET_E_ARGUMENT, "x is NULL"},
    {3, 2, 1, 2, 1, 1, 4, sizeof(lsqnet_report), LSQNET_E_ARGUMENT, "solver is NULL"},
    {3, 2, 1, 2, 1, 1, 0, 0, LSQNET_E_VERSION, "size=0"},
    {3, 2, 1, 2, 1, 1, 0, sizeof(lsqnet_report) - 1, LSQNET_E_VERSION, "size="},
    {0, 2, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "m=0"},
    {-1, 2, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "m=-1"},
    {3, 0, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "n=0"},
    {3, -7, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "n=-7"},
    {3, 2, 0, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "k=0"},
    {3, 2, INT64_MIN, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "k=-9223372036854775808"},
    {3, 2, 1, 1, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "lda=1"},
    {3, 2, 1, -2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "lda=-2"},
    {3, 2, 1, 2, 0, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "ldb=0"},
    {3, 2, 1, 2, 1, 0, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "ldx=0"},
    {INT64_MAX, 2, 1, 2, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "9223372036854775807"},
    {3, INT64_MAX, 1, INT64_MAX, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "9223372036854775807"},
    {3, 2, INT64_MAX, 2, INT64_MAX, INT64_MAX, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "9223372036854775807"},
    {3, 2, 1, INT64_MAX, 1, 1, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "9223372036854775807"},
    {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 0, sizeof(lsqnet_report), LSQNET_E_SHAPE, "922"},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void check_outcome(lsqnet_status got, const call *c, int untouched) {
  ck_assert_msg(got == c->status, "%s instead of %s: %s", lsqnet_status_name(got), lsqnet_status_name(c->status),
                lsqnet_last_message());
  if (c->status == LSQNET_OK) return;
  ck_assert_msg(strstr(lsqnet_last_message(), c->message) != NULL, "\"%s\" has no \"%s\"", lsqnet_last_message(),
                c->message);
  ck_assert(untouched);
}

START_TEST(a_call_that_makes_no_sense_is_refused) {
  const call *c = &calls[_i];
  lsqnet_solver *solver = solver_on(context, small, NULL), *used = c->missing == 4 ? NULL : solver;
  const double a[6] = {1, 2, 3, 4, 5, 7}, b[3] = {1, 2, 4};
  const float a32[6] = {1, 2, 3, 4, 5, 7}, b32[3] = {1, 2, 4};
  double x[2] = {42, 43};
  float x32[2] = {42, 43};
  lsqnet_report reports[2] = {{.size = c->report_size}};
  const lsqnet_status st =
      lsqnet_solver_solve_f64(used, c->m, c->n, c->k, c->missing == 1 ? NULL : a, c->lda, c->missing == 2 ? NULL : b,
                              c->ldb, c->missing == 3 ? NULL : x, c->ldx, reports);
  check_outcome(st, c, x[0] == 42 && x[1] == 43);
  ck_assert_uint_eq(reports[0].size, c->report_size);
  const lsqnet_status st32 =
      lsqnet_solver_solve_f32(used, c->m, c->n, c->k, c->missing == 1 ? NULL : a32, c->lda,
                              c->missing == 2 ? NULL : b32, c->ldb, c->missing == 3 ? NULL : x32, c->ldx, reports);
  check_outcome(st32, c, x32[0] == 42 && x32[1] == 43);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_report_is_optional_and_may_be_longer_than_ours) {
  struct {
    lsqnet_report report;
    double later[3];
  } longer[2];
  problem p = problem_normal(5, 2, 2, 0, 4);
  lsqnet_solver *solver = solver_on(context, small, NULL);
  ck_assert_int_eq(problem_solve(solver, &p, NULL), LSQNET_OK);
  memset(longer, 0xff, sizeof longer);
  longer[0].report.size = sizeof longer[0];
  ck_assert_int_eq(
      lsqnet_solver_solve_f64(solver, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.x, p.ldx, &longer[0].report), LSQNET_OK);
  for (int l = 0; l < 2; l++) {
    ck_assert_uint_eq(longer[l].report.size, sizeof longer[0]);
    ck_assert_int_eq(longer[l].report.rank, 2);
    ck_assert(longer[l].later[0] == 0 && longer[l].later[2] == 0);
  }
  ck_assert_int_gt(longer[0].report.model_calls, longer[1].report.model_calls); /* shared work */
  lsqnet_solver_destroy(solver);
  problem_free(&p);
}
END_TEST

START_TEST(nan_and_infinity_are_named_with_their_place) {
  const double bad = _i % 2 == 0 ? (double)NAN : (double)-INFINITY;
  const char *const names[] = {"a is", "b is", "a_low is", "b_low is"};
  lsqnet_solver *solver = solver_on(context, small, NULL);
  for (int which = 0; which < 4; which++) {
    problem p = problem_normal(6, 3, 2, 1, 8);
    lsqnet_report reports[2] = {{.size = sizeof *reports}};
    p.a_low = doubles(p.m * p.lda);
    p.b_low = doubles(p.m * p.ldb);
    for (int64_t i = 0; i < 6; i++) p.a[i * p.lda + 3] = p.b[i * p.ldb + 2] = (double)NAN; /* padding is not data */
    ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_OK);
    double *array = which == 0 ? p.a : which == 1 ? p.b : which == 2 ? p.a_low : p.b_low;
    array[4 * (which % 2 == 0 ? p.lda : p.ldb) + 1] = bad;
    p.x[0] = 42;
    ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_E_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), names[which]));
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "row 4, column 1"));
    ck_assert(p.x[0] == 42);
    for (int l = 0; l < 2; l++) {
      ck_assert_int_eq(reports[l].status, LSQNET_E_NOT_FINITE);
      ck_assert_int_eq(reports[l].stopped, LSQNET_STOP_DATA);
    }
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

static void check_options_refused(lsqnet_solver_options bad, lsqnet_status status, const char *text) {
  lsqnet_solver *solver = (lsqnet_solver *)(void *)&bad;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, NULL, &bad), status);
  ck_assert_ptr_null(solver);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
}

START_TEST(options_out_of_range_are_refused_by_name) {
  const lsqnet_solver_options good = solver_options(LSQNET_METHOD_AUTO);
  lsqnet_solver *solver = NULL;
  lsqnet_solver_options o;
#define REFUSED(field, value, text) (o = good, o.field = (value), check_options_refused(o, LSQNET_E_ARGUMENT, text))
  REFUSED(method, -1, "method=-1");
  REFUSED(method, LSQNET_METHOD_LAPACK, "method=5");
  REFUSED(method, INT32_MAX, "method=2147483647");
  REFUSED(tolerance, -1e-300, "tolerance=-1e-300");
  REFUSED(tolerance, 1.0, "tolerance=1");
  REFUSED(tolerance, (double)NAN, "tolerance=");
  REFUSED(step, -0.5, "step=-0.5");
  REFUSED(step, (double)INFINITY, "step=inf");
  REFUSED(step, (double)NAN, "step=");
  REFUSED(iterations, 0, "iterations=0");
  REFUSED(iterations, INT64_MIN, "iterations=-9223372036854775808");
  REFUSED(corrections, -1, "corrections=-1");
  REFUSED(min_norm, 2, "min_norm=2");
  REFUSED(min_norm, -1, "min_norm=-1");
  REFUSED(lapack_fallback, 3, "lapack_fallback=3");
#undef REFUSED
  o = good;
  o.size = 0;
  check_options_refused(o, LSQNET_E_VERSION, "size=0");
  o.size = sizeof o - 1;
  check_options_refused(o, LSQNET_E_VERSION, "size=");
  ck_assert_int_eq(lsqnet_solver_create(NULL, context, NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_create(&solver, NULL, NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_options_init(&o, 4), LSQNET_E_VERSION);
  lsqnet_solver_destroy(NULL);
}
END_TEST

START_TEST(names_of_methods_and_stops_are_known) {
  static const char *const methods[] = {"auto", "gd", "chebyshev", "cg", "direct", "lapack"};
  static const char *const stops[] = {"none",  "converged", "stagnated", "iterations", "rank",
                                      "model", "unrefined", "data",      "fallback"};
  for (int32_t i = 0; i < 6; i++) ck_assert_str_eq(lsqnet_method_name(i), methods[i]);
  for (int32_t i = 0; i < 9; i++) ck_assert_str_eq(lsqnet_stop_name(i), stops[i]);
  ck_assert(lsqnet_method_name(-1) == NULL && lsqnet_method_name(6) == NULL);
  ck_assert(lsqnet_stop_name(-1) == NULL && lsqnet_stop_name(11) == NULL && lsqnet_stop_name(INT32_MIN) == NULL);
}
END_TEST

/* What a hostile file could say of its model: creation answers with a status, never with a crash. */
START_TEST(a_step_that_makes_no_sense_is_refused) {
  lsqnet_model *model = construct(context, (model_kind){"attention", "split", 5, 4, 2});
  lsqnet_model_step good;
  ck_assert_int_eq(lsqnet_model_get_step(model, &good, sizeof good), LSQNET_OK);
  good.task = NULL; /* the model's texts go with the next step that is set */
  good.prompt = "split";
  const int64_t sizes[] = {-1, 0, 3, 6, 17, 1000000, INT64_C(1) << 40, INT64_MAX / 2, INT64_MAX, INT64_MIN};
  const double steps[] = {0, -0.5, 5e-324, 1e-310, 1e308, (double)INFINITY, (double)NAN};
  for (int field = 0; field < 4; field++) {
    const size_t count = field < 3 ? sizeof sizes / sizeof sizes[0] : sizeof steps / sizeof steps[0];
    for (size_t i = 0; i < count; i++) {
      lsqnet_model_step step = good;
      lsqnet_solver *solver = NULL;
      if (field == 0) step.rows = sizes[i];
      if (field == 1) step.dim = sizes[i];
      if (field == 2) step.iterates = sizes[i];
      if (field == 3) step.step = steps[i];
      if (lsqnet_model_set_step(model, &step) != LSQNET_OK) continue; /* refused even before */
      const lsqnet_status st = lsqnet_solver_create(&solver, context, model, NULL);
      if (st == LSQNET_OK) { /* a step of other meaning, but a sound one: then no false answer */
        problem p = problem_normal(9, 3, 1, 0, 2);
        lsqnet_report report;
        (void)problem_truth(&p, 0);
        if (problem_solve(solver, &p, &report) == LSQNET_OK) ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
        problem_free(&p);
      } else {
        ck_assert_ptr_null(solver);
        ck_assert_int_gt((int64_t)strlen(lsqnet_last_message()), 0);
      }
      lsqnet_solver_destroy(solver);
    }
  }
  lsqnet_model_destroy(model);
}
END_TEST

static lsqnet_status create_with(const lsqnet_model *model, const lsqnet_model_step *step) {
  lsqnet_model *changed = NULL;
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(lsqnet_model_clone(&changed, model), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_set_step(changed, step), LSQNET_OK);
  const lsqnet_status st = lsqnet_solver_create(&solver, context, changed, NULL);
  ck_assert((solver != NULL) == (st == LSQNET_OK));
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(changed);
  return st;
}

START_TEST(a_model_whose_step_cannot_be_used_is_refused) {
  lsqnet_model *model = construct(context, small);
  lsqnet_model_step step;
  ck_assert_int_eq(lsqnet_model_get_step(model, &step, sizeof step), LSQNET_OK);
  ck_assert_int_eq(create_with(model, &step), LSQNET_OK);
  step.output = LSQNET_OUTPUT_SOLUTION;
  ck_assert_int_eq(create_with(model, &step), LSQNET_E_UNSUPPORTED);
  step.output = LSQNET_OUTPUT_NONE;
  ck_assert_int_eq(create_with(model, &step), LSQNET_E_ARGUMENT);
  step.output = LSQNET_OUTPUT_GRADIENT;
  step.prompt = NULL;
  ck_assert_int_eq(create_with(model, &step), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(model);
}
END_TEST

/* ---- the host's arithmetic, threads, memory ---- */

START_TEST(a_rounding_mode_other_than_to_nearest_is_refused) {
  static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  lsqnet_solver *solver = solver_on(context, small, NULL);
  problem p = problem_normal(9, 3, 1, 0, 1);
  lsqnet_report report;
  const float a[2] = {1, 2}, b[2] = {1, 1};
  float x[1] = {42};
  p.x[0] = 42;
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(fesetround(modes[i]), 0);
    const lsqnet_status st = problem_solve(solver, &p, &report);
    const lsqnet_status st32 = lsqnet_solver_solve_f32(solver, 2, 1, 1, a, 1, b, 1, x, 1, NULL);
    ck_assert_int_eq(fegetround(), modes[i]);
    ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
    ck_assert_int_eq(st, LSQNET_E_UNSUPPORTED);
    ck_assert_int_eq(st32, LSQNET_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "rounding mode"));
    ck_assert(p.x[0] == 42 && x[0] == 42);
  }
  check_problem(solver, &p);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

#if defined(__x86_64__) || defined(__i386__)
/* Emulators (valgrind) take the mode and do not flush: then the solver has no reason to refuse. */
START_TEST(flushing_denormals_is_refused) {
  lsqnet_solver *solver = solver_on(context, small, NULL);
  problem p = problem_normal(9, 3, 1, 0, 1);
  const unsigned int plain = _mm_getcsr(), modes[] = {0x8000, 0x0040, 0x8040}; /* to zero, are zero, both */
  const volatile double smallest = DBL_MIN;
  for (int i = 0; i < 3; i++) {
    _mm_setcsr(plain | modes[i]);
    const volatile int flushed = !(smallest * 0.5 > 0); /* volatile: computed here, in this mode */
    const lsqnet_status st = problem_solve(solver, &p, NULL);
    _mm_setcsr(plain);
    ck_assert_int_eq(st, flushed ? LSQNET_E_UNSUPPORTED : LSQNET_OK);
    if (flushed) ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "denormal"));
  }
  check_problem(solver, &p);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST
#endif

/* On a context that was made in rounding mode `mode`. */
static void solve_with_threads(int32_t threads, int mode, const lsqnet_solver_options *solving, problem *p,
                               lsqnet_report *report) {
  lsqnet_context_options options;
  lsqnet_context *own = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = threads;
  ck_assert_int_eq(fesetround(mode), 0);
  const lsqnet_status st = lsqnet_context_create(&own, &options);
  ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
  ck_assert_int_eq(st, LSQNET_OK);
  lsqnet_solver *solver = solver_on(own, small, solving);
  for (int round = 0; round < 2; round++) { /* the second time with memory that is there */
    memset(p->x, 0, (size_t)(p->n * p->ldx) * sizeof *p->x);
    ck_assert_int_eq(problem_solve(solver, p, report), solving->corrections > 0 ? LSQNET_OK : LSQNET_E_NOT_CONVERGED);
  }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(own);
}

START_TEST(the_number_of_threads_and_the_memory_at_hand_change_no_bit) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD}; /* of threads that began under it, and must not stay in it */
  problem p = problem_normal(5000, 4, 1, 0, 12);
  lsqnet_solver_options options = solver_options(_i);
  double *first = doubles(p.n);
  options.iterations = 20;
  for (int refined = 0; refined < 2; refined++) {
    lsqnet_report one, other;
    options.corrections = 50 * refined;
    solve_with_threads(1, FE_TONEAREST, &options, &p, &one);
    memcpy(first, p.x, (size_t)p.n * sizeof *first);
    for (int i = 0; i < 2; i++) {
      solve_with_threads(3, modes[i], &options, &p, &other);
      ck_assert(memcmp(first, p.x, (size_t)p.n * sizeof *first) == 0);
      ck_assert(memcmp(&one, &other, sizeof one) == 0);
    }
  }
  free(first);
  problem_free(&p);
}
END_TEST

START_TEST(a_failed_solve_leaves_the_solver_usable) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, small, &options);
  problem good = problem_normal(30, 4, 1, 0, 2), zero = problem_create(40, 6, 1, 0),
          bad = problem_normal(9, 3, 1, 0, 3);
  double *first = doubles(good.n);
  bad.a[4] = (double)NAN;
  check_problem(solver, &good);
  memcpy(first, good.x, (size_t)good.n * sizeof *first);
  ck_assert_int_eq(problem_solve(solver, &zero, NULL), LSQNET_E_RANK);
  ck_assert_int_eq(problem_solve(solver, &bad, NULL), LSQNET_E_NOT_FINITE);
  memset(good.x, 0, (size_t)good.n * sizeof *first);
  check_problem(solver, &good);
  ck_assert(memcmp(first, good.x, (size_t)good.n * sizeof *first) == 0);
  free(first);
  problem_free(&bad);
  problem_free(&zero);
  problem_free(&good);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_refused_allocation_is_a_status_and_loses_nothing) {
  problem p = problem_normal(12, 6, 2, 0, 2);
  for (long long refuse = 1;; refuse++) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    lsqnet_report reports[2] = {{.status = LSQNET_OK}};
    ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
    lsqnet_solver_options options = solver_options(_i);
    lsqnet_solver *solver = solver_on(counted, small, &options);
    allocator.refuse = allocator.calls + refuse;
    p.x[0] = 42;
    const lsqnet_status st = problem_solve(solver, &p, reports);
    if (st != LSQNET_OK) {
      ck_assert_int_eq(st, LSQNET_E_MEMORY);
      ck_assert(p.x[0] == 42);
      if (refuse > 2) ck_assert_int_eq(reports[0].status, st); /* the first two are those of x and the reports */
      check_problem(solver, &p);
    }
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(allocator.misuses, 0);
    if (st == LSQNET_OK) break;
    ck_assert_int_lt(refuse, 1000);
  }
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("solver: arguments and host");
  TCase *arguments = tcase_create("arguments"), *host = tcase_create("host");
  TCase *const cases[] = {arguments, host};
  for (int i = 0; i < 2; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(arguments, a_call_that_makes_no_sense_is_refused, 0, CALLS);
  tcase_add_test(arguments, a_report_is_optional_and_may_be_longer_than_ours);
  tcase_add_loop_test(arguments, nan_and_infinity_are_named_with_their_place, 0, 2);
  tcase_add_test(arguments, options_out_of_range_are_refused_by_name);
  tcase_add_test(arguments, names_of_methods_and_stops_are_known);
  tcase_add_test(arguments, a_step_that_makes_no_sense_is_refused);
  tcase_add_test(arguments, a_model_whose_step_cannot_be_used_is_refused);
  tcase_add_test(host, a_rounding_mode_other_than_to_nearest_is_refused);
#if defined(__x86_64__) || defined(__i386__)
  tcase_add_test(host, flushing_denormals_is_refused);
#endif
  tcase_add_loop_test(host, the_number_of_threads_and_the_memory_at_hand_change_no_bit, 0, METHODS);
  tcase_add_loop_test(host, a_failed_solve_leaves_the_solver_usable, 0, METHODS);
  tcase_add_loop_test(host, a_refused_allocation_is_a_status_and_loses_nothing, 0, METHODS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
