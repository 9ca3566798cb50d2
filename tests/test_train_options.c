/* Options of training: what they start as, and that each wrong one is refused by its name and value. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <stddef.h>
#include <stdio.h>

#include "training.h"

static setting s;

static void setup(void) { s = setting_open(1, LSQNET_F64); }
static void teardown(void) { setting_close(&s); }

static void assert_refused(lsqnet_status status, const char *text) {
  lsqnet_trainer *trainer = (lsqnet_trainer *)&trainer;
  const lsqnet_status st = lsqnet_trainer_create(&trainer, s.model, s.task, &s.options);
  ck_assert_msg(st == status, "%s, not %s: %s", lsqnet_status_name(st), lsqnet_status_name(status), text);
  ck_assert_ptr_null(trainer);
  assert_says(text);
}

static void assert_accepted(void) { lsqnet_trainer_destroy(start(&s)); }

START_TEST(options_start_as_the_header_says) {
  lsqnet_train_options o;
  memset(&o, 0xff, sizeof o);
  ok(lsqnet_train_options_init(&o, sizeof o));
  const lsqnet_train_options wanted = {sizeof o, -1,   10000,       -1,         0,  0,       1e-3, 0.9, 0.999, 1e-16,
                                       0,        0.9,  100,         0.98,       0,  0.9,     0.9,  0.9, 1e-10, 0,
                                       0,        3000, 1000,        1000,       64, 1 << 30, 0,    0,   0,     0,
                                       0,        0,    o.optimizer, o.schedule, -1, 64,      4e-3, 1,   1};
  ck_assert(memcmp(&o, &wanted, sizeof o) == 0);
  ck_assert_str_eq(o.optimizer, "adam");
  ck_assert_str_eq(o.schedule, "step");
  ck_assert_int_eq(lsqnet_train_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_train_options_init(&o, 8), LSQNET_E_VERSION);
}
END_TEST

#define NUMBER(name) #name, offsetof(lsqnet_train_options, name)
static const struct {
  const char *name;
  size_t offset;
  double wrong, right;
} NUMBERS[] = {{NUMBER(target), -1e-9, 1e300},
               {NUMBER(rate), 0, 1e-300},
               {NUMBER(beta1), 1, 0},
               {NUMBER(beta1), -0.1, 0.99},
               {NUMBER(beta2), 1, 0},
               {NUMBER(beta2), -0.1, 0.99},
               {NUMBER(epsilon), -1e-300, 0},
               {NUMBER(weight_decay), -0.1, 1},
               {NUMBER(momentum), 1, 0},
               {NUMBER(momentum), -0.1, 0.99},
               {NUMBER(clip), -1, 0},
               {NUMBER(ema_decay), 1.1, 1},
               {NUMBER(ema_decay), -0.1, 0},
               {NUMBER(ema_lambda), -0.1, 5},
               {NUMBER(gamma), 0, 1},
               {NUMBER(gamma), 1.1, 0.5},
               {NUMBER(metric_decay), 1.1, 1},
               {NUMBER(metric_decay), -0.1, 0},
               {NUMBER(metric_threshold), -HUGE_VAL, -2},
               {NUMBER(rate_floor), -1e-9, 0},
               {NUMBER(l1), -1e-9, 1},
               {NUMBER(damping), -1e-9, 1},
               {NUMBER(start_rate), 0, 1},
               {NUMBER(restart_scale), 0, 1e6}};
enum { NUMBER_COUNT = sizeof NUMBERS / sizeof *NUMBERS };

static void try_number(int i, double value, const char *text) {
  double *field = (double *)(void *)((char *)&s.options + NUMBERS[i].offset);
  char said[64];
  *field = value;
  (void)snprintf(said, sizeof said, "%s=%s", NUMBERS[i].name, text);
  assert_refused(LSQNET_E_ARGUMENT, said);
}

START_TEST(each_wrong_number_is_refused_by_name_and_value) {
  char text[32];
  (void)snprintf(text, sizeof text, "%g:", NUMBERS[_i].wrong);
  try_number(_i, NUMBERS[_i].wrong, text);
  try_number(_i, INFINITY, "inf:");
  try_number(_i, NAN, "nan:");
  *(double *)(void *)((char *)&s.options + NUMBERS[_i].offset) = NUMBERS[_i].right;
  assert_accepted();
}
END_TEST

#define COUNT(name) #name, offsetof(lsqnet_train_options, name)
static const struct {
  const char *name;
  size_t offset;
  int64_t wrong, right;
} COUNTS[] = {{COUNT(steps), 0, 1},           {COUNT(batch), 0, 1},
              {COUNT(schedule_steps), 0, 1},  {COUNT(no_increase_steps), -1, 0},
              {COUNT(metric_every), 0, 1},    {COUNT(metric_batches), 1, 2},
              {COUNT(memory), 0, 1},          {COUNT(dims_start), -1, 0},
              {COUNT(dims_increment), -1, 0}, {COUNT(dims_interval), -1, 0},
              {COUNT(rows_start), -1, 0},     {COUNT(rows_increment), -1, 0},
              {COUNT(rows_interval), -1, 0},  {COUNT(start_steps), -2, -1},
              {COUNT(start_batch), 0, 1},     {COUNT(restarts), 0, 1000}};
enum { COUNT_COUNT = sizeof COUNTS / sizeof *COUNTS };

START_TEST(each_wrong_count_is_refused_by_name_and_value) {
  int64_t *field = (int64_t *)(void *)((char *)&s.options + COUNTS[_i].offset);
  char said[64];
  *field = COUNTS[_i].wrong;
  (void)snprintf(said, sizeof said, "%s=%lld:", COUNTS[_i].name, (long long)COUNTS[_i].wrong);
  assert_refused(LSQNET_E_ARGUMENT, said);
  *field = INT64_MAX;
  (void)snprintf(said, sizeof said, "%s=9223372036854775807", COUNTS[_i].name);
  if (strcmp(COUNTS[_i].name, "memory") == 0)
    assert_accepted();
  else
    assert_refused(LSQNET_E_ARGUMENT, said);
  *field = COUNTS[_i].right;
  assert_accepted();
}
END_TEST

START_TEST(names_switches_and_curricula_are_checked) {
  s.options.fresh_batch = 2;
  assert_refused(LSQNET_E_ARGUMENT, "fresh_batch=2:");
  s.options.fresh_batch = -2;
  assert_refused(LSQNET_E_ARGUMENT, "fresh_batch=-2:");
  s.options.fresh_batch = 0;
  s.options.optimizer = "lion";
  assert_refused(LSQNET_E_ARGUMENT, "optimizer=\"lion\": it must be adam");
  s.options.optimizer = NULL;
  assert_refused(LSQNET_E_ARGUMENT, "optimizer is NULL");
  s.options.optimizer = "adamw";
  s.options.schedule = "cosine";
  assert_refused(LSQNET_E_ARGUMENT, "schedule=\"cosine\": it must be constant, step or adaptive");
  s.options.schedule = NULL;
  assert_refused(LSQNET_E_ARGUMENT, "schedule is NULL");
  s.options.schedule = "adaptive";
  s.options.dims_start = 1;
  assert_refused(LSQNET_E_ARGUMENT, "dims_start=1 dims_interval=0");
  s.options.dims_interval = 1;
  s.options.rows_start = 1;
  assert_refused(LSQNET_E_ARGUMENT, "rows_start=1 rows_interval=0");
  s.options.rows_interval = 1;
  assert_accepted();
  s.options.dims_start = DIM + 1;
  assert_refused(LSQNET_E_ARGUMENT, "dims_start=3: the task has dim=2");
  s.options.dims_start = DIM;
  s.options.rows_start = ROWS + 1;
  assert_refused(LSQNET_E_ARGUMENT, "rows_start=7: the task has rows=6");
}
END_TEST

START_TEST(a_task_and_a_model_that_do_not_meet_are_both_named) {
  lsqnet_task_options o;
  lsqnet_task *other = NULL;
  double mse = 0;
  ok(lsqnet_task_get_options(s.task, &o, sizeof o));
  o.rows = 9;
  ok(lsqnet_task_create(&other, s.context, &o));
  lsqnet_task_destroy(s.task);
  s.task = other;
  assert_refused(LSQNET_E_SHAPE, "the task has 10 rows");
  assert_says("the model takes 7 rows");
  ck_assert_int_eq(lsqnet_evaluate(s.model, s.task, 0, 1, &mse, NULL), LSQNET_E_SHAPE);
}
END_TEST

START_TEST(a_model_that_is_all_frozen_is_refused) {
  for (int64_t i = 0; i < lsqnet_model_parameter_count(s.model); i++) ok(lsqnet_model_freeze(s.model, i, 1));
  assert_refused(LSQNET_E_ARGUMENT, "frozen");
}
END_TEST

START_TEST(gauss_newton_wants_float64) {
  lsqnet_model *narrow = NULL;
  ok(lsqnet_model_convert(&narrow, s.model, LSQNET_F32));
  lsqnet_model_destroy(s.model);
  s.model = narrow;
  s.options.optimizer = "levenberg_marquardt";
  assert_refused(LSQNET_E_UNSUPPORTED, "float64");
}
END_TEST

START_TEST(no_options_are_the_defaults) {
  lsqnet_trainer *trainer = NULL;
  lsqnet_train_options defaults;
  lsqnet_progress with, without;
  memset(&with, 0, sizeof with);
  with.size = sizeof with;
  without = with;
  lsqnet_model *copy = NULL;
  ok(lsqnet_model_clone(&copy, s.model));
  ok(lsqnet_train_options_init(&defaults, sizeof defaults));
  ok(lsqnet_trainer_create(&trainer, s.model, s.task, &defaults));
  ok(lsqnet_trainer_step(trainer, &with));
  lsqnet_trainer_destroy(trainer);
  ok(lsqnet_trainer_create(&trainer, copy, s.task, NULL));
  ok(lsqnet_trainer_step(trainer, &without));
  lsqnet_trainer_destroy(trainer);
  lsqnet_model_destroy(copy);
  ck_assert(with.loss == without.loss && with.rate == without.rate && with.gradient_norm == without.gradient_norm);
}
END_TEST

START_TEST(missing_arguments_and_other_versions_are_refused) {
  lsqnet_trainer *trainer = NULL;
  lsqnet_progress p = {.size = 4};
  ck_assert_int_eq(lsqnet_trainer_create(NULL, s.model, s.task, &s.options), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_trainer_create(&trainer, NULL, s.task, &s.options), LSQNET_E_ARGUMENT);
  assert_says("model is NULL");
  ck_assert_int_eq(lsqnet_trainer_create(&trainer, s.model, NULL, &s.options), LSQNET_E_ARGUMENT);
  assert_says("task is NULL");
  s.options.size = 16;
  assert_refused(LSQNET_E_VERSION, "16");
  s.options.size = sizeof s.options;
  ck_assert_int_eq(lsqnet_trainer_step(NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_trainer_run(NULL, NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_trainer_save(NULL, "x"), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_trainer_resume(&trainer, s.model, s.task, &s.options, NULL), LSQNET_E_ARGUMENT);
  assert_says("path is NULL");
  s.options.rate = NAN;
  ck_assert_int_eq(lsqnet_trainer_resume(&trainer, s.model, s.task, &s.options, "x"), LSQNET_E_ARGUMENT);
  assert_says("rate=nan");
  s.options.rate = 1;
  trainer = start(&s);
  ck_assert_int_eq(lsqnet_trainer_save(trainer, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_trainer_step(trainer, &p), LSQNET_E_VERSION);
  assert_says("size=4");
  ck_assert_int_eq(lsqnet_trainer_save(trainer, "/nowhere/run"), LSQNET_E_IO);
  lsqnet_trainer_destroy(trainer);
  lsqnet_trainer_destroy(NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("train_options");
  TCase *tc = tcase_create("options");
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, options_start_as_the_header_says);
  tcase_add_loop_test(tc, each_wrong_number_is_refused_by_name_and_value, 0, NUMBER_COUNT);
  tcase_add_loop_test(tc, each_wrong_count_is_refused_by_name_and_value, 0, COUNT_COUNT);
  tcase_add_test(tc, names_switches_and_curricula_are_checked);
  tcase_add_test(tc, a_task_and_a_model_that_do_not_meet_are_both_named);
  tcase_add_test(tc, a_model_that_is_all_frozen_is_refused);
  tcase_add_test(tc, gauss_newton_wants_float64);
  tcase_add_test(tc, no_options_are_the_defaults);
  tcase_add_test(tc, missing_arguments_and_other_versions_are_refused);
  suite_add_tcase(suite, tc);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
