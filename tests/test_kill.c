/* A process killed at random moments of saving a model or a trainer leaves the old file or the new one, whole. */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memory_file.h"

enum { KILLS = 200, TIMED = 5 };

static lsqnet_context *context;
static char folder[32], path[64];

static void setup(void) {
  strcpy(folder, "test_kill-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/file", folder);
  ck_assert_ok(lsqnet_context_create(&context, NULL));
}

/* Removes the folder and says how many temporary files were left in it: kills in the middle of saving. */
static int empty_folder(void) {
  int left = 0;
  DIR *entries = opendir(folder);
  ck_assert_ptr_nonnull(entries);
  for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
    char name[512];
    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    left += strncmp(entry->d_name, ".lsqnet-", 8) == 0;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ck_assert_int_eq(unlink(name), 0);
  }
  closedir(entries);
  ck_assert_int_eq(rmdir(folder), 0);
  return left;
}

static lsqnet_model *create_model(uint64_t seed) {
  lsqnet_model *model = NULL;
  lsqnet_model_options options;
  ck_assert_ok(lsqnet_model_options_init(&options, sizeof options));
  options.rows = options.in_width = 5;
  options.out_width = 2;
  options.width = 64;
  options.seed = seed;
  ck_assert_ok(lsqnet_model_create(&model, context, &options));
  return model;
}

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef void (*job)(void *argument, int told);

/* A child that does `work` until it is killed; it tells by a byte when it begins and whenever something is saved. */
static pid_t start(job work, void *argument, int *told) {
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    close(ends[0]);
    for (;;) work(argument, ends[1]);
  }
  close(ends[1]);
  *told = ends[0];
  return child;
}

static void wait_until_told(int told) {
  char byte;
  ck_assert_int_eq(read(told, &byte, 1), 1);
}

static void stop(pid_t child, int told) {
  int status = 0;
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself: %d", status);
  close(told);
}

/* The seconds from a child's beginning to its second saved file, the longest of a few. */
static double two_rounds(job work, void *argument) {
  double longest = 0;
  for (int i = 0; i < TIMED; i++) {
    int told;
    const pid_t child = start(work, argument, &told);
    wait_until_told(told);
    const double begun = now();
    wait_until_told(told);
    wait_until_told(told);
    longest = fmax(longest, now() - begun);
    stop(child, told);
  }
  return longest;
}

/* Kills a child that does `work` at a random moment up to `most` seconds after its beginning. */
static void kill_in(job work, void *argument, double most) {
  int told;
  const pid_t child = start(work, argument, &told);
  wait_until_told(told);
  const double wait = most * rand() / RAND_MAX;
  nanosleep(&(struct timespec){.tv_sec = (time_t)wait, .tv_nsec = (long)(1e9 * (wait - (double)(time_t)wait))}, NULL);
  stop(child, told);
}

static void tell(int told) {
  if (write(told, "", 1) != 1) _exit(1);
}

/* ---- a model ---- */

static lsqnet_model *models[2];
static memory_file files[2];

static void save_both(void *argument, int told) {
  (void)argument;
  tell(told);
  for (int i = 0; i < 1000; i++) {
    if (lsqnet_model_save(models[i % 2], path) != LSQNET_OK) _exit(1);
    tell(told);
  }
}

START_TEST(a_killed_save_leaves_a_whole_model) {
  int seen[2] = {0};
  setup();
  for (int i = 0; i < 2; i++) {
    models[i] = create_model((uint64_t)i);
    ck_assert_ok(lsqnet_model_save_stream(models[i], memory_append, &files[i]));
  }
  ck_assert_uint_eq(files[0].size, files[1].size);
  ck_assert_ok(lsqnet_model_save(models[0], path));
  const double most = two_rounds(save_both, NULL);
  unsigned char *now = malloc((size_t)files[0].size + 1);
  ck_assert_ptr_nonnull(now);
  for (int i = 0; i < KILLS; i++) {
    kill_in(save_both, NULL, most);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(now, 1, (size_t)files[0].size + 1, file), files[0].size);
    fclose(file);
    const int which = memcmp(now, files[0].bytes, (size_t)files[0].size) == 0 ? 0 : 1;
    ck_assert_msg(memcmp(now, files[which].bytes, (size_t)files[0].size) == 0, "kill %d: neither file", i);
    seen[which]++;
  }
  free(now);
  for (int i = 0; i < 2; i++) {
    lsqnet_model_destroy(models[i]);
    free(files[i].bytes);
  }
  lsqnet_context_destroy(context);
  const int caught = empty_folder();
  printf("killed %d times, %d in the middle of saving; the old file %d times, the new one %d\n", KILLS, caught, seen[0],
         seen[1]);
  fflush(stdout);
  ck_assert_int_gt(caught, 0);
  ck_assert(seen[0] > 0 && seen[1] > 0);
}
END_TEST

/* ---- a checkpoint ---- */

typedef struct {
  lsqnet_model *model;
  lsqnet_task *task;
  lsqnet_train_options options;
} run;

static void train_and_save(void *argument, int told) {
  const run *r = argument;
  lsqnet_trainer *trainer = NULL;
  if (lsqnet_trainer_resume(&trainer, r->model, r->task, &r->options, path) != LSQNET_OK) _exit(1);
  tell(told);
  for (int i = 0; i < 1000; i++) {
    if (lsqnet_trainer_step(trainer, NULL) != LSQNET_OK || lsqnet_trainer_save(trainer, path) != LSQNET_OK) _exit(1);
    tell(told);
  }
  lsqnet_trainer_destroy(trainer);
}

/* Steps of the saved run; resuming checks every number of the file. */
static int64_t steps_saved(const run *r) {
  lsqnet_trainer *trainer = NULL;
  lsqnet_progress next = {.size = sizeof next};
  ck_assert_ok(lsqnet_trainer_resume(&trainer, r->model, r->task, &r->options, path));
  ck_assert_ok(lsqnet_trainer_step(trainer, &next));
  lsqnet_trainer_destroy(trainer);
  return next.step - 1;
}

START_TEST(a_killed_checkpoint_can_be_resumed) {
  run r = {0};
  lsqnet_trainer *trainer = NULL;
  lsqnet_task_options task_options;
  setup();
  r.model = create_model(1);
  ck_assert_ok(lsqnet_task_options_init(&task_options, sizeof task_options));
  task_options.rows = 4;
  task_options.dim = 2;
  task_options.prompt = "split";
  ck_assert_ok(lsqnet_task_create(&r.task, context, &task_options));
  ck_assert_ok(lsqnet_train_options_init(&r.options, sizeof r.options));
  r.options.batch = 2;
  r.options.steps = 1000000;
  ck_assert_ok(lsqnet_trainer_create(&trainer, r.model, r.task, &r.options));
  ck_assert_ok(lsqnet_trainer_save(trainer, path));
  lsqnet_trainer_destroy(trainer);
  const double most = two_rounds(train_and_save, &r);
  int64_t steps = 0;
  for (int i = 0; i < KILLS; i++) {
    kill_in(train_and_save, &r, most);
    const int64_t saved = steps_saved(&r);
    ck_assert_msg(saved >= steps, "kill %d: step %lld after step %lld", i, (long long)saved, (long long)steps);
    steps = saved;
  }
  lsqnet_task_destroy(r.task);
  lsqnet_model_destroy(r.model);
  lsqnet_context_destroy(context);
  const int caught = empty_folder();
  printf("killed %d times, %d in the middle of saving, over %lld steps\n", KILLS, caught, (long long)steps);
  fflush(stdout);
  ck_assert_int_gt(caught, 0);
  ck_assert_int_gt(steps, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kill");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_test(each, a_killed_save_leaves_a_whole_model);
  tcase_add_test(each, a_killed_checkpoint_can_be_resumed);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
