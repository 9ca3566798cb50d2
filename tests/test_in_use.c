/* What is in use is refused, with a status, to a callback of the call itself and to other threads: docs/threads.md. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "small_model.h"

#define OK(call) ck_assert_msg((call) == LSQNET_OK, "%s", lsqnet_last_message())
#define REFUSED(call, text)                      \
  do {                                           \
    ck_assert_int_eq((call), LSQNET_E_ARGUMENT); \
    assert_message_has(text);                    \
  } while (0)

/* ---- solvers and states ---- */

static const double a[] = {1, 1, 1, 2, 1, 3}, b[] = {3, 5, 7};

static struct {
  lsqnet_solver *own, *other;
  lsqnet_state *state;
  int times;
} solving;

static int32_t solve_inside(void *user) {
  double x[2];
  const lsqnet_problems all = {.size = sizeof all, .count = 1, .m = 3, .n = 2, .k = 1};
  (void)user;
  if (solving.times++ > 0) return 0;
  REFUSED(lsqnet_solver_solve_f64(solving.own, 3, 2, 1, a, 2, b, 1, x, 1, NULL), "the solver is in use");
  REFUSED(lsqnet_solver_solve_batch_f64(solving.own, &all, a, b, NULL, x, NULL), "the solver is in use");
  REFUSED(lsqnet_solver_solve_state(solving.own, solving.state, x, 1, NULL), "the solver is in use");
  OK(lsqnet_solver_solve_f64(solving.other, 3, 2, 1, a, 2, b, 1, x, 1, NULL));
  return 0;
}

static int32_t touch_state_inside(void *user) {
  double x[2];
  (void)user;
  if (solving.times++ > 0) return 0;
  REFUSED(lsqnet_solver_append_rows(solving.other, solving.state, 1, a, 2, b, 1), "the state is in use");
  REFUSED(lsqnet_solver_remove_rows(solving.other, solving.state, 1, a, 2, b, 1), "the state is in use");
  REFUSED(lsqnet_solver_solve_state(solving.other, solving.state, x, 1, NULL), "the state is in use");
  OK(lsqnet_solver_solve_f64(solving.other, 3, 2, 1, a, 2, b, 1, x, 1, NULL)); /* refused calls leave nothing in use */
  return 0;
}

static void open_solving(lsqnet_stop_fn stop) {
  lsqnet_solver_options options;
  const lsqnet_state_options of_state = {.size = sizeof of_state, .n = 2, .k = 1, .forgetting = 1};
  open_context();
  OK(lsqnet_solver_options_init(&options, sizeof options));
  OK(lsqnet_solver_create(&solving.other, context, NULL, &options));
  options.stop = stop;
  OK(lsqnet_solver_create(&solving.own, context, NULL, &options));
  OK(lsqnet_state_create(&solving.state, context, &of_state));
  OK(lsqnet_solver_append_rows(solving.other, solving.state, 3, a, 2, b, 1));
  solving.times = 0;
}

static void close_solving(void) {
  double x[2];
  ck_assert_int_gt(solving.times, 0);
  for (int i = 0; i < 2; i++) OK(lsqnet_solver_solve_f64(solving.own, 3, 2, 1, a, 2, b, 1, x, 1, NULL));
  OK(lsqnet_solver_solve_state(solving.own, solving.state, x, 1, NULL));
  lsqnet_state_destroy(solving.state);
  lsqnet_solver_destroy(solving.own);
  lsqnet_solver_destroy(solving.other);
  close_context();
}

START_TEST(a_solver_is_refused_to_its_own_stop) {
  double x[2];
  open_solving(solve_inside);
  OK(lsqnet_solver_solve_f64(solving.own, 3, 2, 1, a, 2, b, 1, x, 1, NULL));
  ck_assert_double_eq_tol(x[1], 2, 1e-14);
  close_solving();
}
END_TEST

START_TEST(a_state_is_refused_to_a_stop_of_its_solve) {
  double x[2];
  open_solving(touch_state_inside);
  OK(lsqnet_solver_solve_state(solving.own, solving.state, x, 1, NULL));
  ck_assert_double_eq_tol(x[1], 2, 1e-12);
  close_solving();
}
END_TEST

static int32_t destroy_inside(void *user) {
  double x[2];
  (void)user;
  if (solving.times++ > 0) return 0;
  lsqnet_solver_destroy(solving.own);
  lsqnet_state_destroy(solving.state);
  REFUSED(lsqnet_solver_solve_f64(solving.own, 3, 2, 1, a, 2, b, 1, x, 1, NULL), "the solver is in use");
  return 0;
}

START_TEST(what_is_destroyed_in_its_own_call_goes_when_that_ends) {
  double x[2];
  open_solving(destroy_inside);
  OK(lsqnet_solver_solve_state(solving.own, solving.state, x, 1, NULL));
  ck_assert_double_eq_tol(x[1], 2, 1e-12);
  lsqnet_solver_destroy(solving.other);
  close_context();
}
END_TEST

/* ---- training ---- */

static struct {
  lsqnet_model *model;
  lsqnet_task *task;
  lsqnet_trainer *trainer;
  lsqnet_workspace *workspace;
  int steps;
  atomic_int busy; /* what draw() does: 0 nothing more, -1 what is refused, else it writes there and waits */
  int go_on;
} training;

static const lsqnet_batch one = {.size = sizeof one, .batch = 1, .rows = 5, .count = 5};

static lsqnet_status forward(void) {
  const double x[15] = {1};
  double y[10];
  return lsqnet_model_forward_f64(training.model, training.workspace, &one, x, y);
}

static void model_is_refused(void) {
  lsqnet_model *copy = NULL;
  uint64_t needed = 0;
  double mse = 0, values[64] = {0};
  const int64_t count = parameter(training.model, 0).count;
  const char *const in_use = "the model is in use";
  REFUSED(forward(), in_use);
  REFUSED(lsqnet_evaluate(training.model, training.task, 1, 1, &mse, NULL), in_use);
  REFUSED(lsqnet_model_clone(&copy, training.model), in_use);
  REFUSED(lsqnet_model_convert(&copy, training.model, LSQNET_F32), in_use);
  REFUSED(lsqnet_model_save_memory(training.model, NULL, 0, &needed), in_use);
  REFUSED(lsqnet_trainer_save(training.trainer, "test_in_use.never"), in_use);
  REFUSED(lsqnet_model_read_parameter(training.model, 0, values, count), in_use);
  REFUSED(lsqnet_model_write_parameter(training.model, 0, values, count), in_use);
  REFUSED(lsqnet_model_freeze(training.model, 0, 1), in_use);
  REFUSED(lsqnet_model_draw_weights(training.model, 1, 1), in_use);
  ck_assert_ptr_null(copy);
}

static lsqnet_status draw(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                          double *target) {
  char byte = 0;
  (void)user;
  (void)seed;
  (void)step;
  (void)first;
  for (int64_t i = 0; i < count * 15; i++) x[i] = 0.5;
  for (int64_t i = 0; i < count * 10; i++) target[i] = 0.25;
  const int busy = training.busy;
  if (busy == 0) return LSQNET_OK;
  if (busy > 0) return write(busy, &byte, 1) == 1 && read(training.go_on, &byte, 1) == 1 ? 0 : LSQNET_E_STOPPED;
  REFUSED(lsqnet_trainer_step(training.trainer, NULL), "the trainer is in use");
  REFUSED(lsqnet_trainer_run(training.trainer, NULL, NULL), "the trainer is in use");
  model_is_refused();
  return LSQNET_OK;
}

static void open_training(const char *optimizer) {
  lsqnet_train_options options;
  const lsqnet_model_options of_model = full_options();
  const lsqnet_task_shape shape = {
      .size = sizeof shape, .rows = 5, .in_width = 3, .out_width = 2, .stride = 1, .count = 5, .scored = 2};
  open_context();
  memset(&training, 0, sizeof training);
  OK(lsqnet_model_create(&training.model, context, &of_model));
  OK(lsqnet_workspace_create(&training.workspace, training.model));
  OK(lsqnet_task_create_custom(&training.task, context, "own", &shape, draw, NULL));
  OK(lsqnet_train_options_init(&options, sizeof options));
  options.batch = 2;
  options.optimizer = optimizer;
  OK(lsqnet_trainer_create(&training.trainer, training.model, training.task, &options));
}

static void close_training(void) {
  lsqnet_trainer_destroy(training.trainer);
  lsqnet_task_destroy(training.task);
  lsqnet_workspace_destroy(training.workspace);
  lsqnet_model_destroy(training.model);
  close_context();
}

START_TEST(a_step_has_trainer_and_model_to_itself) {
  static const char *const optimizers[] = {"adam", "sgd", "levenberg_marquardt", "gauss_newton_cg"};
  open_training(optimizers[_i]);
  training.busy = -1;
  for (int i = 0; i < 2; i++) OK(lsqnet_trainer_step(training.trainer, NULL));
  training.busy = 0;
  OK(forward());
  close_training();
}
END_TEST

static lsqnet_status between_steps(void *user, const lsqnet_progress *progress) {
  double mse = 0;
  (void)user;
  REFUSED(lsqnet_trainer_step(training.trainer, NULL), "the trainer is in use");
  REFUSED(lsqnet_trainer_run(training.trainer, NULL, NULL), "the trainer is in use");
  OK(forward());
  OK(lsqnet_evaluate(training.model, training.task, 1, 1, &mse, NULL));
  OK(lsqnet_trainer_save(training.trainer, "test_in_use.saved"));
  return progress->step < 3 ? LSQNET_OK : LSQNET_E_STOPPED;
}

START_TEST(between_steps_a_run_lets_its_model_be_read_and_saved) {
  open_training("adam");
  ck_assert_int_eq(lsqnet_trainer_run(training.trainer, between_steps, NULL), LSQNET_E_STOPPED);
  OK(lsqnet_trainer_step(training.trainer, NULL));
  ck_assert_int_eq(remove("test_in_use.saved"), 0);
  close_training();
}
END_TEST

static lsqnet_status destroy_all(void *user, const lsqnet_progress *progress) {
  (void)user;
  if (progress->step == 1) {
    lsqnet_trainer_destroy(training.trainer);
    lsqnet_workspace_destroy(training.workspace);
    lsqnet_model_destroy(training.model);
    lsqnet_task_destroy(training.task);
    lsqnet_context_destroy(context);
  }
  return progress->step < 3 ? LSQNET_OK : LSQNET_E_STOPPED;
}

START_TEST(a_run_goes_on_when_all_of_it_is_destroyed) {
  open_training("adam");
  ck_assert_int_eq(lsqnet_trainer_run(training.trainer, destroy_all, NULL), LSQNET_E_STOPPED);
}
END_TEST

static void *train(void *status) {
  *(lsqnet_status *)status = lsqnet_trainer_step(training.trainer, NULL);
  return NULL;
}

START_TEST(a_step_of_another_thread_is_seen) {
  pthread_t thread;
  int to_us[2], to_them[2];
  char byte = 0;
  lsqnet_status status = LSQNET_E_INTERNAL;
  open_training("adam");
  ck_assert_int_eq(pipe(to_us) + pipe(to_them), 0);
  training.busy = to_us[1];
  training.go_on = to_them[0];
  ck_assert_int_eq(pthread_create(&thread, NULL, train, &status), 0);
  ck_assert_int_eq(read(to_us[0], &byte, 1), 1);
  model_is_refused();
  REFUSED(lsqnet_trainer_step(training.trainer, NULL), "the trainer is in use");
  training.busy = 0;
  ck_assert_int_eq(write(to_them[1], &byte, 1), 1);
  pthread_join(thread, NULL);
  ck_assert_int_eq(status, LSQNET_OK);
  for (int i = 0; i < 2; i++) ck_assert_int_eq(close(to_us[i]) + close(to_them[i]), 0);
  close_training();
}
END_TEST

/* ---- passes ---- */

static lsqnet_status forward_inside(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                                    const double *x, double *y, double *cache, double *scratch) {
  double values[64] = {0};
  const int64_t count = parameter(training.model, 0).count;
  if (training.steps++ == 0) {
    REFUSED(forward(), "the workspace is in use");
    REFUSED(lsqnet_model_write_parameter(training.model, 0, values, count), "the model is in use");
    OK(lsqnet_model_read_parameter(training.model, 0, values, count));
  }
  return tiny_forward(state, shape, weights, x, y, cache, scratch);
}

static lsqnet_status destroy_workspace_inside(const void *state, const lsqnet_mixer_shape *shape,
                                              const double *const *weights, const double *x, double *y, double *cache,
                                              double *scratch) {
  if (training.steps++ == 0) lsqnet_workspace_destroy(training.workspace);
  return tiny_forward(state, shape, weights, x, y, cache, scratch);
}

/* A model whose mixer has that forward pass, and a workspace. */
static void open_pass(lsqnet_status (*forward_f64)(const void *, const lsqnet_mixer_shape *, const double *const *,
                                                   const double *, double *, double *, double *)) {
  lsqnet_model_options options = full_options();
  open_context();
  lsqnet_mixer mixer = tiny_mixer_table("inside", &faults);
  mixer.forward_f64 = forward_f64;
  OK(lsqnet_context_register_mixer(context, &mixer));
  memset(&training, 0, sizeof training);
  options.mixer = "inside";
  OK(lsqnet_model_create(&training.model, context, &options));
  OK(lsqnet_workspace_create(&training.workspace, training.model));
}

START_TEST(a_pass_has_its_workspace_to_itself_and_its_weights_stay) {
  open_pass(forward_inside);
  for (int i = 0; i < 2; i++) OK(forward());
  ck_assert_int_gt(training.steps, 0);
  OK(lsqnet_model_draw_weights(training.model, 1, 1));
  lsqnet_workspace_destroy(training.workspace);
  lsqnet_model_destroy(training.model);
  close_context();
}
END_TEST

START_TEST(a_workspace_destroyed_in_its_pass_goes_when_that_ends) {
  open_pass(destroy_workspace_inside);
  OK(forward());
  lsqnet_model_destroy(training.model);
  close_context();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("in_use");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_test(each, a_solver_is_refused_to_its_own_stop);
  tcase_add_test(each, a_state_is_refused_to_a_stop_of_its_solve);
  tcase_add_test(each, what_is_destroyed_in_its_own_call_goes_when_that_ends);
  tcase_add_test(each, a_run_goes_on_when_all_of_it_is_destroyed);
  tcase_add_test(each, a_workspace_destroyed_in_its_pass_goes_when_that_ends);
  tcase_add_loop_test(each, a_step_has_trainer_and_model_to_itself, 0, 4);
  tcase_add_test(each, between_steps_a_run_lets_its_model_be_read_and_saved);
  tcase_add_test(each, a_step_of_another_thread_is_seen);
  tcase_add_test(each, a_pass_has_its_workspace_to_itself_and_its_weights_stay);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? 0 : 1;
}
