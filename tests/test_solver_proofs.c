/* That the model matters: one that answers nothing is never certified, and every weight that its answers depend on
 * shows in what the solver does. */
#include <check.h>
#include <lsqnet/task.h>

#include "problem.h"

enum { METHODS = LSQNET_METHOD_DIRECT + 1 };

static const model_kind kinds[] = {
    {NULL, NULL, 5, 4, 0},
    {"attention", "split", 5, 4, 0},
    {"attention", "split", 5, 4, 1},
    {"attention", "split", 5, 4, 2},
    {"attention", "split", 5, 4, 4},
    {"attention", "split", 20, 5, 0},
    {"base_conv", "repeat", 5, 4, 0},
    {"base_conv", "repeat", 5, 4, 2},
    {"base_conv", "split", 5, 4, 0},
    {"base_conv", "split", 5, 4, 2},
    {"base_conv", "query_first", 5, 4, 0},
    {"base_conv", "query_first", 5, 4, 2},
    {"base_conv", "repeat", 1, 2, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

/* NULL: the model that solver_on makes for kind.mixer NULL. */
static lsqnet_model *model_of(model_kind kind) {
  return construct(context, kind.mixer != NULL ? kind : (model_kind){"attention", "split", kind.rows, kind.dim, 0});
}

/* The columns of a Hadamard matrix, n = 3, m a multiple of 4: A'A = c I, which is also what x - 0 would show of a model
 * of iterates that answers 0 whatever it is asked. */
static problem orthogonal_problem(int64_t m) {
  static const double signs[4][3] = {{1, 1, 1}, {1, -1, -1}, {-1, 1, -1}, {-1, -1, 1}};
  uint64_t state = 17;
  problem p = problem_create(m, 3, 2, 0);
  problem_fill_normal(&p, &state);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < 3; j++) p.a[i * p.lda + j] = sqrt(0.5) * signs[i % 4][j];
  return p;
}

static void check_uncertified(const lsqnet_model *model, const lsqnet_solver_options *options, problem *p) {
  lsqnet_solver *solver = NULL;
  lsqnet_report reports[2];
  if (lsqnet_solver_create(&solver, context, model, options) != LSQNET_OK) return;
  const lsqnet_status st = problem_solve(solver, p, reports);
  ck_assert_msg(st != LSQNET_OK, "certified, with method %d, min_norm %d", (int)options->method,
                (int)options->min_norm);
  for (int64_t l = 0; l < p->k; l++) ck_assert(reports[l].status != LSQNET_OK && reports[l].digits == 0);
  lsqnet_solver_destroy(solver);
}

static void silence(lsqnet_model *model, double value) {
  static const char *const names[] = {"read_out.weight", "read_out.bias"};
  for (int i = 0; i < 2; i++) {
    lsqnet_parameter parameter;
    const int64_t index = lsqnet_model_find_parameter(model, names[i]);
    ck_assert_int_ge(index, 0);
    ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
    double *values = doubles(parameter.count);
    for (int64_t j = 0; i == 1 && j < parameter.count; j++) values[j] = value;
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
    free(values);
  }
}

START_TEST(a_model_that_answers_nothing_is_never_certified) {
  lsqnet_model *model = model_of(kinds[_i]);
  for (int constant = 0; constant < 2; constant++) {
    silence(model, constant * 3.0);
    for (int way = 0; way < 4 * METHODS; way++) {
      lsqnet_solver_options options = solver_options(way / 4);
      if (way % 2 == 1) options.corrections = 0;
      options.min_norm = way / 2 % 2;
      options.iterations = 100;
      for (int64_t m = 4; m <= 100; m += quick() ? 12 : 4) {
        problem p = orthogonal_problem(m);
        if (m % 16 == 0) { /* with pairs */
          p.a_low = doubles(p.m * p.lda);
          p.b_low = doubles(p.m * p.ldb);
        }
        check_uncertified(model, &options, &p);
        problem_free(&p);
      }
      problem wide = problem_normal(20, 6, 2, 0, 3);
      check_uncertified(model, &options, &wide);
      problem_free(&wide);
    }
  }
  lsqnet_model_destroy(model);
}
END_TEST

/* Weights near the end of the range: answers are infinite, their differences not numbers. */
START_TEST(a_model_that_answers_no_numbers_is_never_certified) {
  lsqnet_model *model = model_of(kinds[_i]);
  const int64_t index = lsqnet_model_find_parameter(model, "read_out.weight");
  lsqnet_parameter parameter;
  ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
  double *values = doubles(parameter.count);
  for (int64_t j = 0; j < parameter.count; j++) values[j] = 1e308;
  ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
  for (int32_t method = 0; method < METHODS; method++) {
    lsqnet_solver_options options = solver_options(method);
    options.iterations = 100;
    problem p = orthogonal_problem(40);
    check_uncertified(model, &options, &p);
    options.corrections = 0;
    check_uncertified(model, &options, &p);
    problem_free(&p);
  }
  free(values);
  lsqnet_model_destroy(model);
}
END_TEST

typedef struct {
  double x[8];
  int64_t calls, corrections, iterations;
} trace;

static trace trace_of(const lsqnet_model *model, int32_t method, problem *p) {
  trace t = {{0}, 0, 0, 0};
  lsqnet_report report;
  lsqnet_solver *solver = NULL;
  lsqnet_solver_options options = solver_options(method);
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, &options), LSQNET_OK);
  (void)problem_solve(solver, p, &report);
  t.calls = report.model_calls;
  t.corrections = report.corrections;
  t.iterations = report.iterations;
  lsqnet_solver_destroy(solver);
  options.corrections = 0;
  options.iterations = 100;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, &options), LSQNET_OK);
  (void)problem_solve(solver, p, &report);
  memcpy(t.x, p->x, (size_t)p->n * sizeof *p->x);
  lsqnet_solver_destroy(solver);
  return t;
}

/* Relative to the largest component; what float64 roundings leave of a model that is the same is below 1e-9. */
static int differs(const trace *s, const trace *t) {
  double largest = 0, change = 0;
  for (int j = 0; j < 8; j++) {
    largest = fmax(largest, fabs(s->x[j]));
    change = fmax(change, fabs(s->x[j] - t->x[j]));
  }
  return !(change <= 1e-6 * largest) || s->calls != t->calls || s->corrections != t->corrections ||
         s->iterations != t->iterations;
}

/* What the data of a random problem change in the model's answer. */
static void answer_of(const lsqnet_model *model, double *y) {
  lsqnet_model_options options;
  lsqnet_model_step step;
  lsqnet_workspace *workspace = NULL;
  ck_assert_int_eq(lsqnet_model_get_options(model, &options, sizeof options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_get_step(model, &step, sizeof step), LSQNET_OK);
  ck_assert_int_eq(lsqnet_workspace_create(&workspace, model), LSQNET_OK);
  const lsqnet_batch last = {sizeof last, 0, 1, options.rows, options.rows - 1, 1};
  double *prompt = doubles(options.rows * options.in_width), *without = doubles(step.dim);
  problem p = problem_normal(step.rows, step.dim, 1, 0, 23), none = problem_create(step.rows, step.dim, 1, 0);
  for (int64_t j = 0; j < step.dim; j++) p.x[j] = none.x[j] = (double)(j + 2);
  for (int i = 0; i < 2; i++) {
    const problem *q = i == 0 ? &p : &none;
    ck_assert_int_eq(lsqnet_prompt_fill_f64(step.prompt, q->m, q->n, q->a, q->lda, q->b, q->x, prompt), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_forward_f64(model, workspace, &last, prompt, i == 0 ? y : without), LSQNET_OK);
  }
  for (int64_t j = 0; j < step.dim; j++) y[j] -= without[j];
  problem_free(&none);
  problem_free(&p);
  free(without);
  free(prompt);
  lsqnet_workspace_destroy(workspace);
}

/* Whether a weight that has been changed from the model of answer y shows; a weight that no answer needs need not. */
static void check_weight_shows(const lsqnet_model *changed, const double *y, int32_t method, const trace *plain,
                               problem *p, int64_t *shown) {
  double changed_y[2] = {0};
  answer_of(changed, changed_y);
  if (fabs(changed_y[0] - y[0]) + fabs(changed_y[1] - y[1]) <= 1e-9 * (fabs(y[0]) + fabs(y[1]))) return;
  const trace t = trace_of(changed, method, p);
  ck_assert(differs(plain, &t));
  ++*shown;
}

START_TEST(every_weight_shows_in_the_unrefined_answer_or_in_the_calls) {
  const model_kind kind = {kinds[_i].mixer, kinds[_i].prompt, 3, 2, kinds[_i].iterates};
  const int32_t method = LSQNET_METHOD_GD + _i % (METHODS - LSQNET_METHOD_GD);
  lsqnet_model *model = model_of(kind);
  problem p = problem_normal(7, 2, 1, 0, 5);
  const trace plain = trace_of(model, method, &p);
  double y[2] = {0};
  int64_t shown = 0, tried = 0;
  answer_of(model, y);
  for (int64_t index = 0; index < lsqnet_model_parameter_count(model); index++) {
    lsqnet_parameter parameter;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
    double *values = doubles(parameter.count);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, index, values, parameter.count), LSQNET_OK);
    for (int64_t i = 0; i < parameter.count; i++) {
      const double weight = values[i];
      if (weight == 0) continue;
      tried++;
      values[i] = 1.01 * weight;
      ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
      check_weight_shows(model, y, method, &plain, &p, &shown);
      values[i] = weight;
    }
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
    free(values);
  }
  ck_assert_int_ge(2 * shown, tried);
  lsqnet_model_destroy(model);
  problem_free(&p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("solver: the model matters");
  TCase *proofs = tcase_create("proofs");
  TCase *const cases[] = {proofs};
  for (int i = 0; i < 1; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(proofs, a_model_that_answers_nothing_is_never_certified, 0, KINDS);
  tcase_add_loop_test(proofs, a_model_that_answers_no_numbers_is_never_certified, 0, KINDS);
  tcase_add_loop_test(proofs, every_weight_shows_in_the_unrefined_answer_or_in_the_calls, 0, KINDS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
