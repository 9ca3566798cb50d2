/* Saved runs: continued bit for bit, refused when they are another's, whole whatever happens while they are written. */
#include <check.h>
#include <errno.h>
#include <lsqnet/lsqnet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "training.h"

static char folder[] = "/tmp/test-resume-XXXXXX", path[64];

static void make_folder(void) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/run", folder);
}

/* What a killed process leaves is a temporary file. */
static void remove_folder(void) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", folder);
  ck_assert_int_eq(system(command), 0);
}

static lsqnet_trainer *resume(const setting *s) {
  lsqnet_trainer *trainer = NULL;
  ok(lsqnet_trainer_resume(&trainer, s->model, s->task, &s->options, path));
  return trainer;
}

static void take_steps(lsqnet_trainer *trainer, int count, lsqnet_progress *p) {
  p->size = sizeof *p;
  for (int i = 0; i < count; i++) ok(lsqnet_trainer_step(trainer, p));
}

/* Bit for bit. */

static const struct {
  const char *optimizer;
  int32_t dtype;
  int64_t start_steps, restarts;
} RUNS[] = {{"adam", LSQNET_F32, -1, 1},
            {"adam", LSQNET_F64, -1, 1},
            {"adamw", LSQNET_F32, -1, 1},
            {"adamw", LSQNET_F64, -1, 1},
            {"sgd", LSQNET_F32, -1, 1},
            {"sgd", LSQNET_F64, -1, 1},
            {"levenberg_marquardt", LSQNET_F64, -1, 1},
            {"levenberg_marquardt", LSQNET_F64, 15, 1}, /* saved in its start */
            {"gauss_newton_cg", LSQNET_F64, -1, 1},
            {"gauss_newton_cg", LSQNET_F64, 5, 1},
            {"gauss_newton_cg", LSQNET_F64, 0, 2}, /* saved in the second trial */
            {"gauss_newton_cg", LSQNET_F64, 5, 2}};
enum { RUN_COUNT = sizeof RUNS / sizeof *RUNS };

static setting open_run(int run) {
  setting s = setting_open(2, RUNS[run].dtype);
  use_everything(&s.options);
  s.options.optimizer = RUNS[run].optimizer;
  s.options.batch = 150;
  s.options.start_steps = RUNS[run].start_steps;
  s.options.restarts = RUNS[run].restarts;
  return s;
}

START_TEST(a_resumed_run_has_the_bits_of_one_that_went_on) {
  setting through = open_run(_i), first = open_run(_i), second = open_run(_i);
  lsqnet_progress p, q;
  lsqnet_model_destroy(second.model); /* other weights, which resuming replaces */
  lsqnet_model_options o;
  ok(lsqnet_model_get_options(first.model, &o, sizeof o));
  o.seed = 5;
  ok(lsqnet_model_create(&second.model, second.context, &o));
  lsqnet_trainer *whole = start(&through), *part = start(&first);
  take_steps(whole, 23, &p);
  take_steps(part, 12, &q);
  ok(lsqnet_trainer_save(part, path));
  lsqnet_trainer *rest = resume(&second);
  ck_assert(same_weights(first.model, second.model));
  take_steps(rest, 11, &q);
  ck_assert(same_weights(through.model, second.model));
  p.seconds = q.seconds;
  if (isnan(p.fresh_loss) && isnan(q.fresh_loss)) p.fresh_loss = q.fresh_loss;
  ck_assert(memcmp(&p, &q, sizeof p) == 0);
  lsqnet_trainer_destroy(whole);
  lsqnet_trainer_destroy(part);
  lsqnet_trainer_destroy(rest);
  setting_close(&through);
  setting_close(&first);
  setting_close(&second);
}
END_TEST

START_TEST(steps_and_target_may_differ) {
  setting s = open_run(1);
  lsqnet_progress p;
  s.options.steps = 4;
  lsqnet_trainer *trainer = start(&s);
  take_steps(trainer, 4, &p);
  ck_assert_int_eq(p.ended, LSQNET_TRAIN_STEPS);
  ok(lsqnet_trainer_save(trainer, path));
  lsqnet_trainer_destroy(trainer);
  s.options.steps = 6;
  s.options.target = 1e-20;
  trainer = resume(&s);
  take_steps(trainer, 1, &p);
  ck_assert_int_eq(p.ended, LSQNET_TRAIN_GOING);
  take_steps(trainer, 1, &p);
  ck_assert_int_eq(p.ended, LSQNET_TRAIN_STEPS);
  ck_assert_int_eq(p.step, 6);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Refusals. */

static void save_some(const setting *s) {
  lsqnet_progress p;
  lsqnet_trainer *trainer = start(s);
  take_steps(trainer, 2, &p);
  ok(lsqnet_trainer_save(trainer, path));
  lsqnet_trainer_destroy(trainer);
}

static void assert_not_resumed(const setting *s, lsqnet_status status, const char *text) {
  lsqnet_trainer *trainer = (lsqnet_trainer *)&trainer;
  lsqnet_model *before = NULL;
  ok(lsqnet_model_clone(&before, s->model));
  const lsqnet_status st = lsqnet_trainer_resume(&trainer, s->model, s->task, &s->options, path);
  ck_assert_msg(st == status, "%s: %s", lsqnet_status_name(st), lsqnet_last_message());
  ck_assert_ptr_null(trainer);
  assert_says(text);
  ck_assert(same_weights(before, s->model));
  lsqnet_model_destroy(before);
}

START_TEST(another_runs_options_are_refused_with_both_values) {
  setting s = open_run(1);
  save_some(&s);
  s.options.beta2 = 0.5;
  assert_not_resumed(&s, LSQNET_E_ARGUMENT, "beta2=0.999");
  assert_says("0.5 is given");
  assert_says(path);
  s.options.beta2 = 0.999;
  s.options.seed = UINT64_MAX;
  assert_not_resumed(&s, LSQNET_E_ARGUMENT, "\"18446744073709551615\" is given");
  s.options.seed = 0;
  s.options.optimizer = "adamw";
  assert_not_resumed(&s, LSQNET_E_ARGUMENT, "optimizer=\"adam\"");
  assert_says("\"adamw\" is given");
  setting_close(&s);
}
END_TEST

START_TEST(another_task_or_model_is_refused_with_both_values) {
  setting s = open_run(1), t = open_run(0);
  lsqnet_task_options o;
  save_some(&s);
  assert_not_resumed(&t, LSQNET_E_ARGUMENT, "dtype=\"F64\"");
  assert_says("\"F32\" is given");
  ok(lsqnet_task_get_options(s.task, &o, sizeof o));
  o.scale_a = 2;
  lsqnet_task_destroy(s.task);
  ok(lsqnet_task_create(&s.task, s.context, &o));
  assert_not_resumed(&s, LSQNET_E_ARGUMENT, "scale_a=1.0");
  assert_says("2.0 is given");
  ok(lsqnet_model_freeze(s.model, 0, 1));
  assert_not_resumed(&s, LSQNET_E_ARGUMENT, "frozen=[]");
  setting_close(&s);
  setting_close(&t);
}
END_TEST

static void rewrite(const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  ck_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static size_t read_saved(char *bytes, size_t room) {
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  const size_t size = fread(bytes, 1, room, file);
  ck_assert(size > 1000 && size < room && fclose(file) == 0);
  return size;
}

START_TEST(files_that_hold_no_run_are_refused) {
  setting s = open_run(1);
  assert_not_resumed(&s, LSQNET_E_IO, path);
  ok(lsqnet_model_save(s.model, path));
  assert_not_resumed(&s, LSQNET_E_FORMAT, "no training run");
  save_some(&s);
  static char bytes[1 << 20];
  const size_t size = read_saved(bytes, sizeof bytes);
  rewrite(bytes, size - 1);
  assert_not_resumed(&s, LSQNET_E_FORMAT, path);
  const double nan = NAN; /* the last numbers are the progress, steps the eleventh from the end */
  memcpy(bytes + size - 88, &nan, sizeof nan);
  rewrite(bytes, size);
  assert_not_resumed(&s, LSQNET_E_FORMAT, "step=nan");
  char *key = strstr(bytes + 8, "state.gradient_ema");
  ck_assert_ptr_nonnull(key);
  memcpy(key, "other", 5);
  rewrite(bytes, size);
  assert_not_resumed(&s, LSQNET_E_FORMAT, "state.gradient_ema");
  setting_close(&s);
}
END_TEST

/* Where the values of a tensor begin in a file. */
static char *values_of(char *bytes, const char *name) {
  uint64_t header = 0;
  long long begin = -1;
  const char *place = strstr(bytes + 8, name);
  memcpy(&header, bytes, sizeof header);
  ck_assert_ptr_nonnull(place);
  place = strstr(place, "\"data_offsets\":[");
  ck_assert_int_eq(sscanf(place, "\"data_offsets\":[%lld", &begin), 1);
  return bytes + 8 + header + begin;
}

START_TEST(numbers_of_a_run_that_cannot_be_are_refused) {
  static const struct {
    const char *tensor;
    int at;
    double value;
    const char *said;
  } wrongs[] = {{"\"state.gauss_newton_cg\"", 0, -1, "damping -1"},
                {"\"state.phases\"", 0, 4, "phase 4"},
                {"\"state.phases\"", 1, 2, "restart 2"},
                {"\"state.phases\"", 3, NAN, "best nan"},
                {"\"state.start\"", 0, 0, "rate 0"},
                {"\"state.start\"", 1, 0.5, "0.5 steps"}};
  static char bytes[1 << 20];
  setting s = open_run(RUN_COUNT - 1);
  save_some(&s);
  const size_t size = read_saved(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    double kept, *place = (double *)(void *)values_of(bytes, wrongs[i].tensor) + wrongs[i].at;
    memcpy(&kept, place, sizeof kept);
    memcpy(place, &wrongs[i].value, sizeof kept);
    rewrite(bytes, size);
    assert_not_resumed(&s, LSQNET_E_FORMAT, wrongs[i].said);
    memcpy(place, &kept, sizeof kept);
  }
  rewrite(bytes, size);
  lsqnet_trainer_destroy(resume(&s));
  setting_close(&s);
}
END_TEST

static lsqnet_status draw_zeros(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                double *target) {
  (void)user;
  (void)seed;
  (void)step;
  (void)first;
  memset(x, 0, (size_t)count * sizeof *x);
  memset(target, 0, (size_t)count * sizeof *target);
  return LSQNET_OK;
}

START_TEST(a_tasks_name_that_is_not_utf_8_is_refused) {
  setting s = open_run(1);
  const lsqnet_task_shape shape = {sizeof shape, 0, 1, 1, 1, 0, 1, 1, 0, 1};
  lsqnet_task_destroy(s.task);
  lsqnet_model_destroy(s.model);
  ok(lsqnet_task_create_custom(&s.task, s.context, "\xff", &shape, draw_zeros, NULL));
  s.model = make_model(s.context, s.task, LSQNET_F64);
  lsqnet_trainer *trainer = start(&s);
  ck_assert_int_eq(lsqnet_trainer_save(trainer, path), LSQNET_E_ARGUMENT);
  assert_says("not UTF-8");
  ck_assert_int_ne(access(path, F_OK), 0);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Accidents. */

START_TEST(a_full_disk_leaves_the_last_good_file) {
  setting s = open_run(1);
  lsqnet_progress p;
  lsqnet_trainer *trainer = start(&s);
  take_steps(trainer, 3, &p);
  ok(lsqnet_trainer_save(trainer, path));
  take_steps(trainer, 3, &p);
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const struct rlimit low = {4096, limit.rlim_max};
  ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &low) == 0);
  const lsqnet_status st = lsqnet_trainer_save(trainer, path);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_assert_int_eq(st, LSQNET_E_IO);
  assert_says(path);
  lsqnet_trainer_destroy(trainer);
  trainer = resume(&s);
  take_steps(trainer, 1, &p);
  ck_assert_int_eq(p.step, 4);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* The child trains and saves without end. */
static pid_t train_in_a_child(void) {
  const pid_t child = fork();
  if (child != 0) return child;
  setting s = open_run(1);
  lsqnet_trainer *trainer = NULL;
  s.options.batch = 8;
  s.options.steps = 1000000;
  if (access(path, F_OK) == 0)
    trainer = resume(&s);
  else
    trainer = start(&s);
  while (lsqnet_trainer_step(trainer, NULL) == LSQNET_OK && lsqnet_trainer_save(trainer, path) == LSQNET_OK) continue;
  _exit(1);
}

static void wait_for_file(void) {
  const struct timespec pause = {0, 1000000};
  for (int i = 0; i < 20000 && access(path, F_OK) != 0; i++) (void)nanosleep(&pause, NULL);
}

START_TEST(after_a_kill_at_any_moment_the_file_is_whole_and_the_run_continues) {
  setting s = open_run(1), through = open_run(1);
  lsqnet_progress p = {.size = sizeof p};
  s.options.batch = through.options.batch = 8;
  s.options.steps = through.options.steps = 1000000;
  for (int i = 0; i < 12; i++) {
    const struct timespec pause = {0, 1000000 * (3 + 37 * i % 29)};
    const pid_t child = train_in_a_child();
    int status = 0;
    ck_assert(child > 0);
    wait_for_file();
    (void)nanosleep(&pause, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    lsqnet_trainer_destroy(resume(&s));
  }
  lsqnet_trainer *trainer = resume(&s), *undisturbed = start(&through);
  take_steps(trainer, 1, &p);
  const int64_t steps = p.step;
  ck_assert_int_gt(steps, 1);
  take_steps(undisturbed, (int)steps, &p);
  ck_assert(same_weights(s.model, through.model));
  lsqnet_trainer_destroy(trainer);
  lsqnet_trainer_destroy(undisturbed);
  setting_close(&s);
  setting_close(&through);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("resume");
  TCase *tc = tcase_create("resume");
  tcase_add_checked_fixture(tc, make_folder, remove_folder);
  tcase_add_loop_test(tc, a_resumed_run_has_the_bits_of_one_that_went_on, 0, RUN_COUNT);
  tcase_add_test(tc, steps_and_target_may_differ);
  tcase_add_test(tc, another_runs_options_are_refused_with_both_values);
  tcase_add_test(tc, another_task_or_model_is_refused_with_both_values);
  tcase_add_test(tc, files_that_hold_no_run_are_refused);
  tcase_add_test(tc, numbers_of_a_run_that_cannot_be_are_refused);
  tcase_add_test(tc, a_tasks_name_that_is_not_utf_8_is_refused);
  tcase_add_test(tc, a_full_disk_leaves_the_last_good_file);
  tcase_add_test(tc, after_a_kill_at_any_moment_the_file_is_whole_and_the_run_continues);
  tcase_set_timeout(tc, 120);
  suite_add_tcase(suite, tc);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
