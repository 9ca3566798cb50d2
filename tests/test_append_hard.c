/* Rows that come and go, hard ones: reports never flatter, dependences are found; and calls that make no sense. */
#include <fenv.h>

#include "counting_allocator.h"
#include "state.h"

/* ---- hard rows ---- */

START_TEST(reports_of_states_never_flatter) {
  lsqnet_state_options o = state_options(1, 1);
  o.keep_rows = _i % 2;
  o.forgetting = _i / 4 == 0 ? 1 : 0.875;
  lsqnet_solver *solver = solver_on(context, _i / 2 % 2 == 0 ? shipped : gates, NULL);
  uint64_t random = 40 + (uint64_t)_i;
  int solved = 0, count = quick() ? 60 : 400 * rounds();
  for (int i = 0; i < count; i++) {
    const int64_t n = integer(&random, 1, 8), m = integer(&random, n, 30);
    const double condition = pow(10, 15 * uniform(&random));
    o.n = n;
    lsqnet_state *state = state_with(&o);
    problem p = problem_create(m, n, 1, 0);
    lsqnet_report report;
    problem_fill_condition(&p, condition, i % 2, i / 2 % 2, &random);
    problem truth = part_of(&p, 0, m, o.forgetting, 0);
    ck_assert_int_eq(append(solver, state, &p, 0, m), LSQNET_OK);
    const lsqnet_status st = solve(solver, state, &p, &report);
    ck_assert_int_eq(st, report.status);
    ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_RANK);
    if (st != LSQNET_E_RANK) check_answer(&p, &truth, &report, 2.5);
    if (condition < 1e4 || (o.keep_rows && condition < 1e9)) ck_assert_int_eq(st, LSQNET_OK);
    solved += st == LSQNET_OK;
    problem_free(&truth);
    problem_free(&p);
    lsqnet_state_destroy(state);
  }
  ck_assert_int_ge(solved, count / 3);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* The rows that are in a state, and when each came. */
typedef struct {
  problem rows;
  int64_t numbers[200], count, appended;
} history;

/* Rows with their weights, as the problem that the oracle solves. */
static problem truth_of(const history *h, double forgetting) {
  problem q = problem_create(h->count, h->rows.n, h->rows.k, 0);
  q.a_low = doubles(q.m * q.n);
  q.b_low = doubles(q.m * q.k);
  for (int64_t i = 0; i < q.m; i++) {
    quad weight = 1;
    for (int64_t age = h->appended - 1 - h->numbers[i]; age > 0; age--) weight *= forgetting;
    const quad root = forgetting == 1 ? 1 : quad_sqrt(weight);
    for (int64_t j = 0; j < q.n + q.k; j++) {
      const quad value = root * (j < q.n ? h->rows.a[i * q.n + j] : h->rows.b[i * q.k + j - q.n]);
      double *const high = j < q.n ? &q.a[i * q.n + j] : &q.b[i * q.k + j - q.n];
      double *const low = j < q.n ? &q.a_low[i * q.n + j] : &q.b_low[i * q.k + j - q.n];
      *high = (double)value;
      *low = (double)(value - *high);
    }
  }
  (void)problem_truth(&q, 0);
  return q;
}

/* A row of columns that nearly agree, of sizes that differ from row to row and from column to column. */
static void come(lsqnet_solver *solver, lsqnet_state *state, history *h, double apart, double range, uint64_t *random) {
  const int64_t n = h->rows.n, k = h->rows.k, at = h->count++;
  const double size = pow(10, range * (uniform(random) - 0.5)), shared = normal(random);
  for (int64_t j = 0; j < n; j++)
    h->rows.a[at * n + j] = size * pow(10, (double)(3 * j)) * (shared + apart * normal(random));
  for (int64_t l = 0; l < k; l++) h->rows.b[at * k + l] = size * normal(random);
  h->numbers[at] = h->appended++;
  ck_assert_int_eq(append(solver, state, &h->rows, at, 1), LSQNET_OK);
}

static void leave(lsqnet_solver *solver, lsqnet_state *state, history *h, int64_t at) {
  const int64_t n = h->rows.n, k = h->rows.k, behind = --h->count - at;
  ck_assert_msg(removed(solver, state, &h->rows, at, 1) == LSQNET_OK, "%s", lsqnet_last_message());
  memmove(h->rows.a + at * n, h->rows.a + (at + 1) * n, (size_t)(behind * n) * sizeof(double));
  memmove(h->rows.b + at * k, h->rows.b + (at + 1) * k, (size_t)(behind * k) * sizeof(double));
  memmove(h->numbers + at, h->numbers + at + 1, (size_t)behind * sizeof *h->numbers);
}

START_TEST(whatever_comes_and_goes_reports_never_flatter) {
  lsqnet_solver *solver = solver_on(context, _i / 4 == 0 ? shipped : gates, NULL);
  int64_t solved = 0, asked = 0;
  for (uint64_t seed = 1; seed <= (quick() ? 5 : 40 * (uint64_t)rounds()); seed++) {
    uint64_t random = 1000 * seed + (uint64_t)_i;
    history h = {.count = 0};
    lsqnet_state_options o = state_options(integer(&random, 1, 6), integer(&random, 1, 3));
    lsqnet_report reports[3];
    o.keep_rows = _i % 2;
    o.forgetting = _i / 2 % 2 == 1 ? 1 - 0.3 * uniform(&random) : 1;
    h.rows = problem_create(200, o.n, o.k, 0);
    lsqnet_state *state = state_with(&o);
    const double apart = pow(10, -8 * uniform(&random)), range = 12 * uniform(&random);
    for (int step = 0; step < 60; step++) {
      if (h.count > o.n && (o.keep_rows || o.forgetting == 1) && integer(&random, 0, 2) == 0)
        leave(solver, state, &h, integer(&random, 0, h.count - 1));
      else
        come(solver, state, &h, apart, range, &random);
      if (h.count < o.n || step % 4 != 0) continue;
      problem truth = truth_of(&h, o.forgetting);
      const lsqnet_status st = solve(solver, state, &h.rows, reports);
      ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_RANK);
      if (st != LSQNET_E_RANK) check_answer(&h.rows, &truth, reports, 2.5);
      solved += st == LSQNET_OK;
      asked++;
      problem_free(&truth);
    }
    lsqnet_state_destroy(state);
    problem_free(&h.rows);
  }
  ck_assert_msg(4 * solved >= asked, "%d of %d", (int)solved, (int)asked);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(columns_that_depend_on_each_other_are_refused) {
  lsqnet_solver *solver = solver_on(context, _i % 2 == 0 ? shipped : gates, NULL);
  lsqnet_state_options o = state_options(5, 1);
  o.keep_rows = _i / 2;
  lsqnet_state *state = state_with(&o);
  problem p = problem_normal(20, 5, 1, 0, 3);
  lsqnet_report report;
  for (int64_t i = 0; i < 20; i++) p.a[i * 5 + 3] = p.a[i * 5] - 2 * p.a[i * 5 + 1];
  p.x[0] = 42;
  ck_assert_int_eq(append(solver, state, &p, 0, 20), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &p, &report), LSQNET_E_RANK);
  ck_assert_int_eq(report.status, LSQNET_E_RANK);
  ck_assert_int_eq(report.stopped, LSQNET_STOP_RANK);
  ck_assert_int_eq(report.rank, 4);
  ck_assert(p.x[0] == 42);
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

static void check_hidden(lsqnet_status st, const lsqnet_report *report) {
  ck_assert_int_eq(st, LSQNET_E_NOT_CONVERGED);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "drift"));
  ck_assert_int_eq(report->status, LSQNET_E_NOT_CONVERGED);
  ck_assert_int_eq(report->stopped, LSQNET_STOP_STAGNATED);
  ck_assert_int_eq(report->rank, -1);
  ck_assert(report->digits == 0 && report->condition == 0);
}

/* A row of size 10^e has come and gone over columns of condition 1: from some e on its roundings are larger than a
 * column.
 */
START_TEST(drift_that_hides_the_rank_is_no_dependence) {
  static const double a[] = {1, 0, 0, 1, 1, 1, 1, -1}, b[] = {1, 1, 2, 0};
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = _i % 2;
  lsqnet_solver *solver = solver_on(context, _i / 2 == 0 ? shipped : gates, &options);
  problem p = problem_create(4, 2, 1, 0);
  memcpy(p.a, a, sizeof a);
  memcpy(p.b, b, sizeof b);
  problem truth = part_of(&p, 0, 4, 1, 0);
  for (int exponent = 0; exponent <= 40; exponent++) {
    const double large[] = {pow(10, exponent), 1}, one = 1;
    lsqnet_state *state = plain_state(2, 1);
    lsqnet_report report;
    ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, large, 2, &one, 1), LSQNET_OK);
    ck_assert_int_eq(append(solver, state, &p, 0, 4), LSQNET_OK);
    ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, large, 2, &one, 1), LSQNET_OK);
    const lsqnet_status st = solve(solver, state, &p, &report);
    memcpy(truth.x, p.x, 2 * sizeof *truth.x);
    check_from_above(&report, error_bounds_of(&truth, 0));
    ck_assert(report.digits <= right_digits(&truth, 0, DBL_EPSILON) + 1);
    if (exponent <= 5) ck_assert_int_eq(st, LSQNET_OK);
    if (exponent >= 8) ck_assert_int_eq(st, LSQNET_E_NOT_CONVERGED);
    if (exponent >= 16) check_hidden(st, &report);
    lsqnet_state_destroy(state);
  }
  problem_free(&truth);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* A column that depends on others but for 10^-e, and a row of up to 10^8 that has come and gone: an answer of a lower
 * rank that is certified is one of the rows too. */
START_TEST(drift_makes_no_least_norm) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = 1;
  lsqnet_solver *solver = solver_on(context, _i == 0 ? shipped : gates, &options);
  int64_t lower = 0;
  for (uint64_t seed = 1; seed <= (quick() ? 100 : 300); seed++) {
    uint64_t random = seed;
    problem p = problem_normal(20, 4, 1, 0, seed);
    const double apart = seed % 5 == 0 ? 0 : pow(10, -2 - 15 * uniform(&random)), size = pow(10, 8 * uniform(&random));
    double large[4], one = 1;
    for (int64_t j = 0; j < 4; j++) large[j] = size * normal(&random);
    for (int64_t i = 0; i < 20; i++) p.a[i * 4 + 2] = p.a[i * 4] - 2 * p.a[i * 4 + 1] + apart * p.a[i * 4 + 2];
    lsqnet_state *state = plain_state(4, 1);
    lsqnet_report report;
    ck_assert_int_eq(lsqnet_solver_append_rows(solver, state, 1, large, 4, &one, 1), LSQNET_OK);
    ck_assert_int_eq(append(solver, state, &p, 0, 20), LSQNET_OK);
    ck_assert_int_eq(lsqnet_solver_remove_rows(solver, state, 1, large, 4, &one, 1), LSQNET_OK);
    const lsqnet_status st = solve(solver, state, &p, &report);
    ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED);
    (void)problem_truth(&p, 0);
    const error_bounds bounds = error_bounds_of(&p, 0);
    ck_assert(report.residual_norm >= (1 - 1e-6) * bounds.residual);
    if (st == LSQNET_OK) ck_assert_double_le(fmin(bounds.simple, bounds.sharp), 10 * 4 * DBL_EPSILON);
    if (st != LSQNET_OK && report.rank < 4) ck_assert(report.digits == 0);
    lower += st == LSQNET_OK && report.rank == 3;
    problem_free(&p);
    lsqnet_state_destroy(state);
  }
  ck_assert_int_ge(lower, quick() ? 10 : 30);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Columns of size 10^-e: their squares lose digits from 10^-291 on, and are 0 at 10^-324. */
START_TEST(numbers_whose_squares_vanish_are_solved_or_refused) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state_options o = state_options(3, 1);
  o.keep_rows = _i;
  for (int exponent = 100; exponent <= 170; exponent++) {
    lsqnet_state *state = state_with(&o);
    problem p = problem_create(12, 3, 1, 0);
    lsqnet_report report;
    uint64_t random = 7;
    problem_fill_condition(&p, 1e3, 0, 1, &random);
    for (int64_t i = 0; i < 12; i++)
      for (int64_t j = 0; j < 3; j++) p.a[i * 3 + j] *= exponent % 2 == 0 || j == 1 ? pow(10, -exponent) : 1;
    problem truth = part_of(&p, 0, 12, 1, 0);
    ck_assert_int_eq(append(solver, state, &p, 0, 12), LSQNET_OK);
    const lsqnet_status st = solve(solver, state, &p, &report);
    check_answer(&p, &truth, &report, 1);
    if (o.keep_rows || exponent <= 140) ck_assert_int_eq(st, LSQNET_OK);
    if (!o.keep_rows && exponent >= 163) check_hidden(st, &report); /* not E_RANK: the rank is 3 */
    problem_free(&truth);
    problem_free(&p);
    lsqnet_state_destroy(state);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(the_least_norm_is_found_with_any_number_of_rows) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.min_norm = 1;
  lsqnet_solver *solver = solver_on(context, _i % 2 == 0 ? shipped : gates, &options);
  lsqnet_state_options o = state_options(4, 1);
  o.keep_rows = _i / 2;
  lsqnet_state *state = state_with(&o);
  problem p = problem_normal(8, 4, 1, 0, 3);
  lsqnet_report report;
  for (int64_t rows = 0; rows <= 8; rows++) {
    ck_assert_msg(solve(solver, state, &p, &report) == LSQNET_OK, "%d rows: %s", (int)rows, lsqnet_last_message());
    ck_assert_int_eq(report.rank, rows < 4 ? rows : 4);
    problem truth = part_of(&p, 0, rows, 1, 0);
    ck_assert_int_eq(problem_truth(&truth, 1e-25), rows < 4 ? rows : 4);
    memcpy(truth.x, p.x, 4 * sizeof(double));
    const double right = right_digits(&truth, 0, DBL_EPSILON);
    if (rows == 0) ck_assert(p.x[0] == 0 && p.x[1] == 0 && p.x[2] == 0 && p.x[3] == 0);
    if (rows > 0) ck_assert_msg(right >= 14 && report.digits <= right + 1, "%d rows: %g", (int)rows, right);
    problem_free(&truth);
    if (rows < 8) ck_assert_int_eq(append(solver, state, &p, rows, 1), LSQNET_OK);
  }
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- arguments ---- */

static int32_t always(void *user) {
  (void)user;
  return 1;
}

START_TEST(a_callback_stops_the_solve_of_a_state) {
  lsqnet_solver_options options = solver_options(LSQNET_METHOD_AUTO);
  options.stop = always;
  lsqnet_solver *solver = solver_on(context, shipped, &options);
  lsqnet_state *state = plain_state(3, 2);
  problem p = problem_normal(9, 3, 2, 0, 3);
  lsqnet_report reports[2];
  p.x[0] = 42;
  ck_assert_int_eq(append(solver, state, &p, 0, 9), LSQNET_OK);
  ck_assert_int_eq(solve(solver, state, &p, reports), LSQNET_E_STOPPED);
  for (int l = 0; l < 2; l++) {
    ck_assert_int_eq(reports[l].status, LSQNET_E_STOPPED);
    ck_assert_int_eq(reports[l].stopped, LSQNET_STOP_CALLER);
  }
  ck_assert(p.x[0] == 42);
  problem_free(&p);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

static void check_refused(lsqnet_state_options o, lsqnet_status status, const char *text) {
  lsqnet_state *state = (lsqnet_state *)(void *)&o;
  ck_assert_int_eq(lsqnet_state_create(&state, context, &o), status);
  ck_assert_ptr_null(state);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
}

START_TEST(options_of_states_out_of_range_are_refused) {
  const lsqnet_state_options good = state_options(3, 2);
  lsqnet_state_options o;
  lsqnet_state_info info;
  lsqnet_state *state = NULL;
#define REFUSED(field, value, status, text) (o = good, o.field = (value), check_refused(o, LSQNET_E_##status, text))
  REFUSED(n, 0, SHAPE, "n=0");
  REFUSED(k, -1, SHAPE, "k=-1");
  REFUSED(n, INT64_MAX, SHAPE, "addressed");
  REFUSED(n, INT64_C(1) << 31, SHAPE, "addressed");
  REFUSED(keep_rows, 2, ARGUMENT, "keep_rows=2");
  REFUSED(forgetting, 0.0, ARGUMENT, "forgetting=0");
  REFUSED(forgetting, 1.5, ARGUMENT, "forgetting=1.5");
  REFUSED(forgetting, (double)NAN, ARGUMENT, "forgetting=");
  REFUSED(size, 4, VERSION, "size=4");
#undef REFUSED
  ck_assert_int_eq(lsqnet_state_create(NULL, context, &good), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_create(&state, NULL, &good), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_create(&state, context, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_options_init(&o, 4), LSQNET_E_VERSION);
  ck_assert_int_eq(lsqnet_state_get_info(NULL, &info, sizeof info), LSQNET_E_ARGUMENT);
  state = state_with(&good);
  ck_assert_int_eq(lsqnet_state_get_info(state, NULL, sizeof info), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_state_get_info(state, &info, 4), LSQNET_E_VERSION);
  lsqnet_state_destroy(state);
  lsqnet_state_destroy(NULL);
}
END_TEST

typedef struct {
  int64_t rows, lda, ldb;
  int missing; /* 1: a, 2: b, 3: solver, 4: state */
  lsqnet_status status;
  const char *message;
} call;

START_TEST(rows_that_make_no_sense_are_refused) {
  static const call calls[] = {
      {1, 3, 1, 1, LSQNET_E_ARGUMENT, "a is NULL"},
      {1, 3, 1, 2, LSQNET_E_ARGUMENT, "b is NULL"},
      {1, 3, 1, 3, LSQNET_E_ARGUMENT, "solver is NULL"},
      {1, 3, 1, 4, LSQNET_E_ARGUMENT, "state is NULL"},
      {-1, 3, 1, 0, LSQNET_E_SHAPE, "rows=-1"},
      {1, 2, 1, 0, LSQNET_E_SHAPE, "lda=2"},
      {1, 3, 0, 0, LSQNET_E_SHAPE, "ldb=0"},
      {INT64_MAX, 3, 1, 0, LSQNET_E_SHAPE, "addressed"},
      {2, INT64_MAX, 1, 0, LSQNET_E_SHAPE, "addressed"},
  };
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state *state = plain_state(3, 1);
  const double a[6] = {1, 2, 3, 4, 5, 6}, b[2] = {1, 2};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    const call *c = &calls[i];
    ck_assert_int_eq(lsqnet_solver_append_rows(c->missing == 3 ? NULL : solver, c->missing == 4 ? NULL : state, c->rows,
                                               c->missing == 1 ? NULL : a, c->lda, c->missing == 2 ? NULL : b, c->ldb),
                     c->status);
    ck_assert_msg(strstr(lsqnet_last_message(), c->message) != NULL, "%s: %s", c->message, lsqnet_last_message());
    ck_assert_int_eq(lsqnet_solver_remove_rows(c->missing == 3 ? NULL : solver, c->missing == 4 ? NULL : state, c->rows,
                                               c->missing == 1 ? NULL : a, c->lda, c->missing == 2 ? NULL : b, c->ldb),
                     c->status);
    if (c->missing == 0 || c->missing > 2) ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), c->message));
    ck_assert_int_eq(info_of(state).rows, 0);
  }
  double x[3] = {42};
  lsqnet_report report = {.size = 4};
  ck_assert_int_eq(lsqnet_solver_solve_state(NULL, state, x, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, NULL, x, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, NULL, 1, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 0, NULL), LSQNET_E_SHAPE);
  ck_assert_int_eq(lsqnet_solver_solve_state(solver, state, x, 1, &report), LSQNET_E_VERSION);
  ck_assert_int_eq(fesetround(FE_UPWARD), 0);
  const lsqnet_status appended = lsqnet_solver_append_rows(solver, state, 1, a, 3, b, 1);
  const lsqnet_status gone = lsqnet_solver_remove_rows(solver, state, 1, a, 3, b, 1);
  const lsqnet_status solved = lsqnet_solver_solve_state(solver, state, x, 1, NULL);
  ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
  ck_assert_int_eq(appended, LSQNET_E_UNSUPPORTED);
  ck_assert_int_eq(gone, LSQNET_E_UNSUPPORTED);
  ck_assert_int_eq(solved, LSQNET_E_UNSUPPORTED);
  ck_assert(x[0] == 42);
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_row_that_is_no_numbers_leaves_the_state_as_it_was) {
  static const double bad[] = {(double)NAN, (double)INFINITY, 1e200};
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  for (int keep = 0; keep < 2; keep++)
    for (int i = 0; i < 6; i++) {
      lsqnet_state_options o = state_options(3, 1);
      o.keep_rows = keep;
      lsqnet_state *state = state_with(&o);
      problem p = problem_normal(12, 3, 1, 0, 3), q = problem_normal(12, 3, 1, 0, 4);
      lsqnet_report before, after;
      ck_assert_int_eq(append(solver, state, &p, 0, 12), LSQNET_OK);
      ck_assert_int_eq(solve(solver, state, &p, &before), LSQNET_OK);
      *(i < 3 ? &q.a[11 * 3 + 1] : &q.b[11]) = bad[i % 3];
      ck_assert_int_eq(append(solver, state, &q, 0, 12), LSQNET_E_NOT_FINITE);
      ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "in row 11"));
      ck_assert_int_eq(removed(solver, state, &q, 0, 12), LSQNET_E_NOT_FINITE);
      ck_assert_int_eq(info_of(state).rows, 12);
      ck_assert_int_eq(solve(solver, state, &q, &after), LSQNET_OK);
      ck_assert(memcmp(p.x, q.x, 3 * sizeof(double)) == 0 && memcmp(&before, &after, sizeof after) == 0);
      problem_free(&q);
      problem_free(&p);
      lsqnet_state_destroy(state);
    }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_that_are_not_there_cannot_leave) {
  lsqnet_solver *solver = solver_on(context, shipped, NULL);
  lsqnet_state_options o = state_options(3, 1);
  lsqnet_state *plain = state_with(&o);
  o.keep_rows = 1;
  lsqnet_state *keeping = state_with(&o);
  problem p = problem_normal(12, 3, 1, 0, 3), twice = problem_create(3, 3, 1, 0);
  lsqnet_report report;
  ck_assert_int_eq(append(solver, plain, &p, 0, 10), LSQNET_OK);
  ck_assert_int_eq(append(solver, keeping, &p, 0, 10), LSQNET_OK);
  ck_assert_int_eq(removed(solver, plain, &p, 0, 11), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "rows=11: the state has 10"));
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, plain, 1, NULL, 0, NULL, 0), LSQNET_E_UNSUPPORTED);
  ck_assert_int_eq(lsqnet_solver_remove_rows(solver, keeping, 1, p.a, 3, NULL, 0), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(removed(solver, keeping, &p, 9, 2), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "row 1 (counted from 0) is not among the 10"));
  for (int64_t i = 0; i < 3; i++) { /* the same row three times, which is there once, and then twice */
    memcpy(twice.a + i * 3, p.a + 6, 3 * sizeof(double));
    twice.b[i] = p.b[2];
  }
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 2), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(append(solver, keeping, &p, 2, 1), LSQNET_OK);
  ck_assert_int_eq(info_of(keeping).rows, 11);
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 3), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(removed(solver, keeping, &twice, 0, 2), LSQNET_OK);
  ck_assert_int_eq(info_of(keeping).rows, 9);
  problem rest = problem_create(9, 3, 1, 0);
  for (int64_t i = 0, to = 0; i < 10; i++) {
    if (i == 2) continue;
    memcpy(rest.a + to * 3, p.a + i * 3, 3 * sizeof(double));
    rest.b[to++] = p.b[i];
  }
  (void)problem_truth(&rest, 0);
  ck_assert_int_eq(solve(solver, keeping, &rest, &report), LSQNET_OK);
  ck_assert(worst_error(&rest, DBL_EPSILON) <= 1);
  problem_free(&rest);
  problem_free(&twice);
  problem_free(&p);
  lsqnet_state_destroy(keeping);
  lsqnet_state_destroy(plain);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(a_refused_allocation_leaves_the_state_as_it_was) {
  problem p = problem_normal(40, 4, 1, 0, 2);
  for (long long refuse = 1;; refuse++) {
    counting_allocator allocator = {.refuse = 0};
    lsqnet_context *counted = NULL;
    lsqnet_state *state = NULL;
    lsqnet_report report;
    lsqnet_state_options o = state_options(4, 1);
    o.keep_rows = 1;
    ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
    lsqnet_solver *solver = solver_on(counted, _i == 0 ? shipped : gates, NULL);
    allocator.refuse = allocator.calls + refuse;
    lsqnet_status st = lsqnet_state_create(&state, counted, &o);
    if (st == LSQNET_OK) st = append(solver, state, &p, 0, 40);
    if (st == LSQNET_OK) st = lsqnet_solver_remove_rows(solver, state, 5, NULL, 0, NULL, 0);
    if (st == LSQNET_OK) st = append(solver, state, &p, 0, 40);
    if (st == LSQNET_OK) st = solve(solver, state, &p, &report);
    if (state != NULL && st != LSQNET_OK) {
      const int64_t rows = info_of(state).rows;
      ck_assert(rows == 0 || rows == 35 || rows == 75);
    }
    lsqnet_state_destroy(state);
    lsqnet_solver_destroy(solver);
    lsqnet_context_destroy(counted);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(allocator.misuses, 0);
    if (st == LSQNET_OK) break;
    ck_assert_int_eq(st, LSQNET_E_MEMORY);
    ck_assert_int_lt(refuse, 1000);
  }
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("append: hard rows");
  TCase *hard = tcase_create("hard rows"), *arguments = tcase_create("arguments");
  TCase *const cases[] = {hard, arguments};
  for (int i = 0; i < 2; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(hard, reports_of_states_never_flatter, 0, 8);
  tcase_add_loop_test(hard, whatever_comes_and_goes_reports_never_flatter, 0, 8);
  tcase_add_loop_test(hard, numbers_whose_squares_vanish_are_solved_or_refused, 0, 2);
  tcase_add_loop_test(hard, drift_that_hides_the_rank_is_no_dependence, 0, 4);
  tcase_add_loop_test(hard, drift_makes_no_least_norm, 0, 2);
  tcase_add_loop_test(hard, the_least_norm_is_found_with_any_number_of_rows, 0, 4);
  tcase_add_test(arguments, a_callback_stops_the_solve_of_a_state);
  tcase_add_loop_test(hard, columns_that_depend_on_each_other_are_refused, 0, 4);
  tcase_add_test(arguments, options_of_states_out_of_range_are_refused);
  tcase_add_test(arguments, rows_that_make_no_sense_are_refused);
  tcase_add_test(arguments, a_row_that_is_no_numbers_leaves_the_state_as_it_was);
  tcase_add_test(arguments, rows_that_are_not_there_cannot_leave);
  tcase_add_loop_test(arguments, a_refused_allocation_leaves_the_state_as_it_was, 0, 2);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
