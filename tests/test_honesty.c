/* No false certificate: 100,000 random problems with conditions of 1 to 1e16, solved in batches by the models that the
 * library carries, each held against quadruple precision; and as many a part again in float32. A fiftieth of them with
 * LSQNET_TEST_QUICK. */
#include <check.h>
#include <stdio.h>

#include "batch.h"

enum { ALL = 100000, BATCH = 100, PARTS = 10 };

typedef struct {
  int64_t solved, not_converged, dependent;
  double flattery; /* most digits that a report had more than were right */
} outcome;

static int64_t batches_of_part(void) {
  const int64_t all = ALL / BATCH / PARTS;
  return getenv("LSQNET_TEST_QUICK") != NULL ? all / 50 : all;
}

/* An answer, OK or NOT_CONVERGED, has been taken to p->x. */
static void check_answer(const problem *p, const lsqnet_report *report, double unit, double condition, outcome *o) {
  const double right = right_digits(p, 0, unit), bound = 10 * (double)p->n * unit;
  o->flattery = fmax(o->flattery, report->digits - right);
  ck_assert_msg(report->digits <= right + 1, "%g digits reported, %g right, m=%d n=%d, condition %g", report->digits,
                right, (int)p->m, (int)p->n, condition);
  if (report->status != LSQNET_OK) return;
  ck_assert_msg(worst_error(p, unit) <= 2.5, "%g units, m=%d n=%d, condition %g", worst_error(p, unit), (int)p->m,
                (int)p->n, condition);
  ck_assert_msg(backward_error(p, 0) <= bound, "backward error %g, condition %g", backward_error(p, 0), condition);
  ck_assert_msg(report->backward_error <= bound, "backward error %g reported, condition %g", report->backward_error,
                condition);
}

static void check_batch(lsqnet_solver *solver, int layout, uint64_t *state, outcome *o) {
  const double unit = layout & LAYOUT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
  const int wide = integer(state, 0, 9) == 0;
  const int64_t n = integer(state, wide ? 9 : 1, wide ? 24 : 8), m = integer(state, n, wide ? 48 : 30);
  batch s = batch_create(BATCH, m, n, 1, layout);
  problem problems[BATCH];
  double conditions[BATCH];
  for (int64_t p = 0; p < BATCH; p++) {
    problems[p] = problem_create(m, n, 1, 0);
    conditions[p] = pow(10, 16 * uniform(state));
    problem_fill_condition(&problems[p], conditions[p], (int)(p % 2), (int)(p / 2 % 2), state);
    batch_put(&s, p, &problems[p]);
  }
  (void)batch_solve(solver, &s, 0);
  for (int64_t p = 0; p < BATCH; p++) {
    const lsqnet_report *report = &s.reports[p];
    o->solved += report->status == LSQNET_OK;
    o->not_converged += report->status == LSQNET_E_NOT_CONVERGED;
    o->dependent += report->status == LSQNET_E_RANK;
    if (report->status == LSQNET_E_RANK) {
      ck_assert_msg(layout & LAYOUT_F32 || conditions[p] > 1e13, "condition %g", conditions[p]);
    } else {
      ck_assert(report->status == LSQNET_OK || report->status == LSQNET_E_NOT_CONVERGED);
      (void)problem_truth(&problems[p], 0);
      batch_take(&s, p, &problems[p]);
      check_answer(&problems[p], report, unit, conditions[p], o);
    }
    problem_free(&problems[p]);
  }
  batch_free(&s);
}

START_TEST(of_a_hundred_thousand_reports_none_flatters_by_more_than_a_digit) {
  lsqnet_context *context = NULL;
  outcome o = {0, 0, 0, -99};
  uint64_t state = 1000003 * ((uint64_t)_i + 1);
  const int64_t batches = batches_of_part();
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_solver *solver = solver_on(context, (model_kind){NULL, NULL, 0, 0, 0}, NULL);
  for (int64_t i = 0; i < batches; i++) check_batch(solver, _i == PARTS ? LAYOUT_F32 : 0, &state, &o);
  printf("%s: %lld problems: %lld right to the last digit, %lld not converged, %lld dependent; flattery at most %.2f\n",
         _i == PARTS ? "float32" : "float64", (long long)(batches * BATCH), (long long)o.solved,
         (long long)o.not_converged, (long long)o.dependent, o.flattery);
  ck_assert_int_ge(o.solved, batches * BATCH / 2);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("honesty");
  TCase *honesty = tcase_create("honesty");
  tcase_set_timeout(honesty, 300);
  suite_add_tcase(suite, honesty);
  tcase_add_loop_test(honesty, of_a_hundred_thousand_reports_none_flatters_by_more_than_a_digit, 0, PARTS + 1);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
