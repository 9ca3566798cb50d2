/* What a step of training does, and what a run does at its ends. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>

#include "counting_allocator.h"
#include "tasks/task.h"
#include "train/trainer.h"
#include "training.h"

/* Loss and gradient of `samples` samples of batch `step`, one pass through the public functions. */
static double *gradient_of(const setting *s, const lsqnet_model *model, uint64_t step, int64_t L, int64_t kept,
                           double *loss) {
  lsqnet_task_shape shape;
  lsqnet_workspace *workspace = NULL;
  lsq_task_shape_for(s->task, L, &shape);
  const int64_t in = shape.rows * shape.in_width, out = shape.count * shape.scored;
  double *x = calloc((size_t)(BATCH * in), sizeof *x), *target = calloc((size_t)(BATCH * out), sizeof *target);
  double *y = calloc((size_t)(BATCH * lsq_task_read_rows(&shape) * shape.out_width), sizeof *y);
  double *gradient = calloc((size_t)lsqnet_model_weight_count(model), sizeof *gradient);
  const lsqnet_batch batch = {sizeof batch, 0, BATCH, shape.rows, shape.first, lsq_task_read_rows(&shape)};
  const double count = (double)(BATCH * out);
  ok(lsq_task_draw_f64(s->task, L, kept, s->options.seed, step, 0, BATCH, x, target));
  ok(lsqnet_workspace_create(&workspace, model));
  ok(lsqnet_model_forward_f64(model, workspace, &batch, x, y));
  *loss = lsq_task_score_f64(&shape, shape.out_width, BATCH, y, target, 2 / count, y) / count;
  ok(lsqnet_model_backward_f64(model, workspace, y, NULL));
  memcpy(gradient, lsqnet_workspace_gradient_f64(workspace),
         (size_t)lsqnet_model_weight_count(model) * sizeof *gradient);
  lsqnet_workspace_destroy(workspace);
  free(x);
  free(target);
  free(y);
  return gradient;
}

/* Sums of BATCH samples in another order: each rounding is of partial sums no larger than a few of the terms' sum. */
static const double TOLERANCE = 16 * BATCH * DBL_EPSILON;

static double norm_of(const setting *s, const double *g) {
  double sum = 0;
  for (int64_t i = 0; i < lsqnet_model_weight_count(s->model); i++) sum += g[i] * g[i];
  return sqrt(sum);
}

/* Plain descent, so that a step shows its gradient. */
static void descend_plainly(lsqnet_train_options *o) {
  o->optimizer = "sgd";
  o->momentum = 0;
  o->clip = 0;
  o->rate = 1e-3;
}

START_TEST(a_step_takes_the_gradient_of_its_batch) {
  setting s = setting_open(2, LSQNET_F64);
  descend_plainly(&s.options);
  lsqnet_trainer *trainer = start(&s);
  lsqnet_progress p = {.size = sizeof p};
  for (uint64_t step = 0; step < 3; step++) {
    double loss = 0, *before = read_weights(s.model), *g = gradient_of(&s, s.model, step, ROWS, DIM, &loss);
    const double norm = norm_of(&s, g);
    ok(lsqnet_trainer_step(trainer, &p));
    double *after = read_weights(s.model);
    ck_assert(fabs(p.loss - loss) <= TOLERANCE * loss);
    ck_assert(fabs(p.gradient_norm - norm) <= TOLERANCE * norm);
    for (int64_t i = 0; i < lsqnet_model_weight_count(s.model); i++)
      ck_assert(fabs(before[i] - after[i] - s.options.rate * g[i]) <=
                TOLERANCE * s.options.rate * norm + 2 * DBL_EPSILON * fabs(before[i]));
    free(before);
    free(after);
    free(g);
  }
  ck_assert_int_eq(p.step, 3);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* The same task on larger or smaller data. */
static void rescale(setting *s, double scale) {
  lsqnet_task_options o;
  ok(lsqnet_task_get_options(s->task, &o, sizeof o));
  o.scale_a = o.scale_x = scale;
  lsqnet_task_destroy(s->task);
  ok(lsqnet_task_create(&s->task, s->context, &o));
}

/* The second step's L1 is scaled by the first one's loss, which is below 1 on small data. */
START_TEST(l1_shrinks_with_the_least_loss_and_leaves_frozen_weights_alone) {
  setting s = setting_open(1, LSQNET_F64);
  rescale(&s, 0.5);
  descend_plainly(&s.options);
  s.options.l1 = 0.25;
  ok(lsqnet_model_freeze(s.model, 0, 1));
  lsqnet_trainer *trainer = start(&s);
  lsqnet_progress p = {.size = sizeof p};
  lsqnet_parameter frozen;
  ok(lsqnet_model_get_parameter(s.model, 0, &frozen, sizeof frozen));
  double scale = 1;
  for (uint64_t step = 0; step < 4; step++) {
    double loss = 0, *before = read_weights(s.model), *g = gradient_of(&s, s.model, step, ROWS, DIM, &loss);
    ok(lsqnet_trainer_step(trainer, &p));
    double *after = read_weights(s.model);
    for (int64_t i = 0; i < lsqnet_model_weight_count(s.model); i++) {
      const int is_frozen = i >= frozen.offset && i < frozen.offset + frozen.count;
      const double sign = is_frozen ? 0 : (before[i] > 0) - (before[i] < 0);
      const double wanted = s.options.rate * (g[i] + s.options.l1 * scale * sign);
      if (is_frozen) ck_assert(before[i] == after[i]);
      ck_assert(fabs(before[i] - after[i] - wanted) <=
                TOLERANCE * s.options.rate * (p.gradient_norm + 1) + 2 * DBL_EPSILON * fabs(before[i]));
    }
    scale = fmin(scale, loss);
    free(before);
    free(after);
    free(g);
  }
  ck_assert(scale < 1);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(weight_decay_leaves_frozen_weights_alone) {
  static const char *const optimizers[] = {"adam", "adamw", "sgd"};
  setting s = setting_open(1, LSQNET_F64);
  s.options.optimizer = optimizers[_i];
  s.options.weight_decay = 1;
  lsqnet_parameter frozen;
  ok(lsqnet_model_freeze(s.model, 2, 1));
  ok(lsqnet_model_get_parameter(s.model, 2, &frozen, sizeof frozen));
  double *before = read_weights(s.model);
  lsqnet_trainer *trainer = start(&s);
  ok(lsqnet_trainer_step(trainer, NULL));
  ok(lsqnet_trainer_step(trainer, NULL));
  double *after = read_weights(s.model);
  for (int64_t i = 0; i < lsqnet_model_weight_count(s.model); i++) {
    const int is_frozen = i >= frozen.offset && i < frozen.offset + frozen.count;
    if (is_frozen) ck_assert(before[i] == after[i]);
    if (!is_frozen && before[i] != 0) ck_assert(before[i] != after[i]);
  }
  free(before);
  free(after);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(the_metric_is_the_mean_cosine_of_fresh_batches) {
  setting s = setting_open(2, LSQNET_F64);
  s.options.schedule = "adaptive";
  s.options.metric_every = 2;
  s.options.metric_batches = 3;
  lsqnet_trainer *trainer = start(&s);
  double metric = 1;
  for (uint64_t step = 0; step < 4; step++) {
    lsqnet_progress p = {.size = sizeof p};
    double *g[3], loss = 0, mean = 0;
    for (uint64_t i = 0; i < 3; i++)
      g[i] = gradient_of(&s, s.model, lsq_data_step(LSQ_STREAM_METRIC, step / 2 * 3 + i), ROWS, DIM, &loss);
    for (int k = 1; k < 3; k++) {
      double product = 0;
      for (int64_t i = 0; i < lsqnet_model_weight_count(s.model); i++) product += g[k][i] * g[k - 1][i];
      mean += product / (norm_of(&s, g[k]) * norm_of(&s, g[k - 1])) / 2;
    }
    ok(lsqnet_trainer_step(trainer, &p));
    if (step % 2 == 0) metric = 0.9 * metric + (1 - 0.9) * mean;
    ck_assert(fabs(p.metric - metric) <= 4 * TOLERANCE);
    for (int i = 0; i < 3; i++) free(g[i]);
  }
  ck_assert(metric < 1);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(a_curriculum_grows_rows_and_unknowns_to_the_tasks) {
  setting s = setting_open(2, LSQNET_F64);
  s.options.rows_start = 2;
  s.options.rows_increment = 3;
  s.options.rows_interval = 2;
  s.options.dims_start = 1;
  s.options.dims_increment = 1;
  s.options.dims_interval = 3;
  const int64_t rows[] = {2, 2, 5, 5, 6, 6, 6}, dims[] = {1, 1, 1, 2, 2, 2, 2};
  lsqnet_trainer *trainer = start(&s);
  for (uint64_t step = 0; step < 7; step++) {
    lsqnet_progress p = {.size = sizeof p};
    double loss = 0;
    free(gradient_of(&s, s.model, step, rows[step], dims[step], &loss));
    ok(lsqnet_trainer_step(trainer, &p));
    ck_assert_msg(fabs(p.loss - loss) <= TOLERANCE * loss, "step %d: %g, not %g", (int)step, p.loss, loss);
  }
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Threads and memory. */

static void train_everything(setting *s, int steps) {
  use_everything(&s->options);
  lsqnet_trainer *trainer = start(s);
  for (int i = 0; i < steps; i++) ok(lsqnet_trainer_step(trainer, NULL));
  lsqnet_trainer_destroy(trainer);
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads) {
  const int32_t dtype = _i % 2 == 0 ? LSQNET_F32 : LSQNET_F64;
  setting one = setting_open(1, dtype), more = setting_open(2 + _i / 2, dtype), other = setting_open(1, dtype);
  train_everything(&one, 9);
  train_everything(&more, 9);
  ck_assert(same_weights(one.model, more.model));
  ck_assert(!same_weights(one.model, other.model));
  setting_close(&one);
  setting_close(&more);
  setting_close(&other);
}
END_TEST

/* A host's task: pairs x, 2x; at step *user everything is NaN, and at -*user - 1 it fails. */
static lsqnet_status draw_doubles(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                  double *target) {
  const int64_t fault = user != NULL ? *(const int64_t *)user : INT64_MAX;
  if (fault < 0 && step == (uint64_t)(-fault - 1)) return LSQNET_E_STOPPED;
  for (int64_t i = 0; i < 2 * count; i++) {
    x[i] = sin(0.7 * (double)(2 * first + i) + (double)(seed + step));
    if (step == (uint64_t)fault) x[i] = NAN;
    target[i] = 2 * x[i];
  }
  return LSQNET_OK;
}

static lsqnet_task *host_task(lsqnet_context *context, int64_t *fault) {
  const lsqnet_task_shape shape = {sizeof shape, 0, 1, 2, 2, 0, 1, 1, 0, 2};
  lsqnet_task *task = NULL;
  ok(lsqnet_task_create_custom(&task, context, "doubles", &shape, draw_doubles, fault));
  return task;
}

START_TEST(nothing_is_allocated_after_the_first_step) {
  counting_allocator a = {0};
  setting s = {0};
  ok(counting_context(&s.context, &a, 2));
  s.task = host_task(s.context, NULL);
  s.model = make_model(s.context, s.task, LSQNET_F64);
  ok(lsqnet_train_options_init(&s.options, sizeof s.options));
  use_everything(&s.options);
  s.options.batch = 3000;
  lsqnet_trainer *trainer = start(&s);
  ok(lsqnet_trainer_step(trainer, NULL));
  const long long calls = atomic_load(&a.calls);
  for (int i = 0; i < 8; i++) ok(lsqnet_trainer_step(trainer, NULL));
  ck_assert_int_eq(atomic_load(&a.calls), calls);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
  ck_assert_int_eq(atomic_load(&a.live), 0);
}
END_TEST

START_TEST(each_failed_allocation_leaves_nothing_behind) {
  for (long long refuse = 1, failed = 1; failed; refuse++) {
    counting_allocator a = {0};
    setting s = {0};
    lsqnet_trainer *trainer = NULL;
    ok(counting_context(&s.context, &a, 2));
    s.task = host_task(s.context, NULL);
    s.model = make_model(s.context, s.task, LSQNET_F32);
    ok(lsqnet_train_options_init(&s.options, sizeof s.options));
    use_everything(&s.options);
    a.refuse = atomic_load(&a.calls) + refuse;
    lsqnet_status st = lsqnet_trainer_create(&trainer, s.model, s.task, &s.options);
    if (st == LSQNET_OK) st = lsqnet_trainer_step(trainer, NULL);
    failed = st != LSQNET_OK;
    if (failed) ck_assert_int_eq(st, LSQNET_E_MEMORY);
    lsqnet_trainer_destroy(trainer);
    setting_close(&s);
    ck_assert_int_eq(atomic_load(&a.live), 0);
    ck_assert_int_eq(atomic_load(&a.misuses), 0);
  }
}
END_TEST

/* Ends. */

START_TEST(a_diverging_run_keeps_the_weights_of_the_last_finite_step) {
  setting s = setting_open(2, _i == 0 ? LSQNET_F32 : LSQNET_F64);
  s.options.optimizer = "sgd";
  s.options.rate = 1e6;
  s.options.clip = 0;
  s.options.steps = 1000;
  lsqnet_trainer *trainer = start(&s);
  double mse = NAN;
  ck_assert_int_eq(lsqnet_trainer_run(trainer, NULL, NULL), LSQNET_E_NOT_FINITE);
  assert_says("step ");
  ok(lsqnet_evaluate(s.model, s.task, 1, 100, &mse, NULL));
  ck_assert_msg(isfinite(mse), "%g", mse);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(a_step_to_weights_that_are_not_finite_is_not_taken) {
  setting s = setting_open(2, _i == 0 ? LSQNET_F32 : LSQNET_F64),
          same = setting_open(1, _i == 0 ? LSQNET_F32 : LSQNET_F64);
  s.options.optimizer = "sgd";
  s.options.rate = 1.7e308;
  rescale(&s, 100); /* gradients above 1 */
  s.options.clip = 0;
  lsqnet_trainer *trainer = start(&s);
  ck_assert_int_eq(lsqnet_trainer_step(trainer, NULL), LSQNET_E_NOT_FINITE);
  assert_says("step 0: a weight");
  ck_assert(same_weights(s.model, same.model));
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
  setting_close(&same);
}
END_TEST

START_TEST(a_step_without_a_finite_gradient_is_passed_over) {
  setting s = setting_open(1, LSQNET_F64);
  int64_t fault = 2;
  lsqnet_task_destroy(s.task);
  lsqnet_model_destroy(s.model);
  s.task = host_task(s.context, &fault);
  s.model = make_model(s.context, s.task, LSQNET_F64);
  s.options.schedule = "step";
  s.options.schedule_steps = 1;
  lsqnet_trainer *trainer = start(&s);
  lsqnet_progress p = {.size = sizeof p};
  ok(lsqnet_trainer_step(trainer, &p));
  ok(lsqnet_trainer_step(trainer, &p));
  double *before = read_weights(s.model);
  ok(lsqnet_trainer_step(trainer, &p));
  double *after = read_weights(s.model);
  ck_assert(memcmp(before, after, (size_t)lsqnet_model_weight_count(s.model) * sizeof *before) == 0);
  ck_assert_int_eq(p.skipped, 1);
  ck_assert_int_eq(p.step, 3);
  ck_assert(isnan(p.gradient_norm));
  const double rate = p.rate;
  ok(lsqnet_trainer_step(trainer, &p));
  ck_assert(p.rate == rate); /* the schedule waited */
  ck_assert(isfinite(p.gradient_norm));
  ck_assert_int_eq(p.skipped, 1);
  free(before);
  free(after);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(a_failing_draw_leaves_the_state_whole) {
  setting s = setting_open(1, LSQNET_F64), t = setting_open(1, LSQNET_F64);
  int64_t fault = -3; /* at step 2 */
  lsqnet_task_destroy(s.task);
  s.task = host_task(s.context, &fault);
  lsqnet_model_destroy(s.model);
  s.model = make_model(s.context, s.task, LSQNET_F64);
  lsqnet_model_destroy(t.model);
  t.model = make_model(t.context, s.task, LSQNET_F64);
  lsqnet_task_destroy(t.task);
  t.task = host_task(t.context, NULL);
  use_everything(&s.options);
  use_everything(&t.options);
  s.options.metric_every = t.options.metric_every = 1;
  lsqnet_trainer *trainer = start(&s), *undisturbed = start(&t);
  ok(lsqnet_trainer_step(trainer, NULL));
  ok(lsqnet_trainer_step(trainer, NULL));
  ck_assert_int_eq(lsqnet_trainer_step(trainer, NULL), LSQNET_E_STOPPED);
  assert_says("doubles");
  fault = 1000;
  for (int i = 0; i < 3; i++) ok(lsqnet_trainer_step(trainer, NULL));
  for (int i = 0; i < 5; i++) ok(lsqnet_trainer_step(undisturbed, NULL));
  ck_assert(same_weights(s.model, t.model));
  lsqnet_trainer_destroy(trainer);
  lsqnet_trainer_destroy(undisturbed);
  setting_close(&s);
  setting_close(&t);
}
END_TEST

static lsqnet_status count_steps(void *user, const lsqnet_progress *progress) {
  ++*(int *)user;
  return progress->step == 3 ? LSQNET_E_STOPPED : LSQNET_OK;
}

START_TEST(a_run_ends_at_its_most_steps_or_by_its_callback) {
  setting s = setting_open(1, LSQNET_F64);
  s.options.steps = 5;
  s.options.batch = 8;
  int calls = 0;
  lsqnet_trainer *trainer = start(&s);
  lsqnet_progress p = {.size = sizeof p};
  ck_assert_int_eq(lsqnet_trainer_run(trainer, count_steps, &calls), LSQNET_E_STOPPED);
  assert_says("step 3");
  ck_assert_int_eq(calls, 3);
  ok(lsqnet_trainer_run(trainer, count_steps, &calls));
  ck_assert_int_eq(calls, 5);
  double *before = read_weights(s.model);
  ok(lsqnet_trainer_step(trainer, &p));
  double *after = read_weights(s.model);
  ck_assert(memcmp(before, after, (size_t)lsqnet_model_weight_count(s.model) * sizeof *before) == 0);
  ck_assert_int_eq(p.step, 5);
  ck_assert_int_eq(p.ended, LSQNET_TRAIN_STEPS);
  ck_assert(p.seconds > 0 && isnan(p.fresh_loss));
  free(before);
  free(after);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(a_run_ends_at_the_target_on_fresh_data) {
  setting s = setting_open(1, LSQNET_F64);
  s.options.target = 0.3;
  s.options.rate = 1e-2;
  s.options.steps = 100000;
  lsqnet_trainer *trainer = start(&s);
  lsqnet_progress p = {.size = sizeof p};
  double mse = NAN;
  ok(lsqnet_trainer_run(trainer, NULL, NULL));
  ok(lsqnet_trainer_step(trainer, &p));
  ck_assert_int_eq(p.ended, LSQNET_TRAIN_TARGET);
  ck_assert_msg(p.fresh_loss <= 0.3, "%g", p.fresh_loss);
  ck_assert(p.step > 1 && p.step < 100000);
  ok(lsqnet_evaluate(s.model, s.task, 99, 20000, &mse, NULL));
  ck_assert_msg(mse <= 0.6, "%g", mse);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(evaluation_gives_the_mean_over_fresh_samples) {
  setting s = setting_open(2, LSQNET_F64);
  double mse = 0, square = 0, loss = 0, sum = 0;
  s.options.seed = 17;
  free(gradient_of(&s, s.model, lsq_data_step(LSQ_STREAM_FRESH, 0), ROWS, DIM, &loss));
  ok(lsqnet_evaluate(s.model, s.task, 17, BATCH, &mse, &square));
  ck_assert(fabs(mse - loss) <= TOLERANCE * loss);
  double x[BATCH * (ROWS + 1) * (DIM + 1)], target[BATCH * DIM];
  ok(lsqnet_task_draw_f64(s.task, 17, lsq_data_step(LSQ_STREAM_FRESH, 0), 0, BATCH, x, target));
  for (int i = 0; i < BATCH * DIM; i++) sum += target[i] * target[i] / (BATCH * DIM);
  ck_assert(fabs(square - sum) <= TOLERANCE * sum);
  ck_assert_int_eq(lsqnet_evaluate(NULL, s.task, 0, 1, &mse, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_evaluate(s.model, NULL, 0, 1, &mse, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_evaluate(s.model, s.task, 0, 0, &mse, NULL), LSQNET_E_ARGUMENT);
  assert_says("batch=0");
  setting_close(&s);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("trainer");
  TCase *steps = tcase_create("steps"), *runs = tcase_create("runs");
  tcase_add_test(steps, a_step_takes_the_gradient_of_its_batch);
  tcase_add_test(steps, l1_shrinks_with_the_least_loss_and_leaves_frozen_weights_alone);
  tcase_add_loop_test(steps, weight_decay_leaves_frozen_weights_alone, 0, 3);
  tcase_add_test(steps, the_metric_is_the_mean_cosine_of_fresh_batches);
  tcase_add_test(steps, a_curriculum_grows_rows_and_unknowns_to_the_tasks);
  tcase_add_loop_test(steps, the_bits_do_not_depend_on_the_number_of_threads, 0, 4);
  tcase_add_test(steps, nothing_is_allocated_after_the_first_step);
  tcase_add_test(steps, each_failed_allocation_leaves_nothing_behind);
  tcase_add_loop_test(runs, a_diverging_run_keeps_the_weights_of_the_last_finite_step, 0, 2);
  tcase_add_loop_test(runs, a_step_to_weights_that_are_not_finite_is_not_taken, 0, 2);
  tcase_add_test(runs, a_step_without_a_finite_gradient_is_passed_over);
  tcase_add_test(runs, a_failing_draw_leaves_the_state_whole);
  tcase_add_test(runs, a_run_ends_at_its_most_steps_or_by_its_callback);
  tcase_add_test(runs, a_run_ends_at_the_target_on_fresh_data);
  tcase_add_test(runs, evaluation_gives_the_mean_over_fresh_samples);
  tcase_set_timeout(steps, 60);
  tcase_set_timeout(runs, 60);
  suite_add_tcase(suite, steps);
  suite_add_tcase(suite, runs);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
