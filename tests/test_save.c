/* Files on disk: a failed save leaves the old file and no other, whatever fails. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <lsqnet/lsqnet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory_file.h"

static lsqnet_context *context;
static lsqnet_model *model;
static char folder[] = "test_save-XXXXXX"; /* in the folder where the test runs */
static char path[64];

static void setup(void) {
  lsqnet_model_options o;
  memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(chmod(folder, 0755), 0);
  (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
  ck_assert_ok(lsqnet_context_create(&context, NULL));
  ck_assert_ok(lsqnet_model_options_init(&o, sizeof o));
  o.rows = 4;
  o.in_width = o.out_width = 2;
  o.width = 32;
  ck_assert_ok(lsqnet_model_create(&model, context, &o));
}

static int entries(int (*call)(const char *)) {
  int count = 0;
  DIR *open_folder = opendir(folder);
  const struct dirent *entry = NULL;
  ck_assert_ptr_nonnull(open_folder);
  while ((entry = readdir(open_folder)) != NULL) {
    char name[512];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    (void)snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    count++;
    if (call != NULL) (void)call(name);
  }
  (void)closedir(open_folder);
  return count;
}

static void teardown(void) {
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  (void)entries(remove);
  ck_assert_int_eq(rmdir(folder), 0);
}

static void write_text(const char *where, const char *text) {
  FILE *file = fopen(where, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_ge(fputs(text, file), 0);
  ck_assert_int_eq(fclose(file), 0);
}

static int has_text(const char *where, const char *text) {
  char got[64] = "";
  FILE *file = fopen(where, "r");
  if (file == NULL) return 0;
  const size_t length = fread(got, 1, sizeof got - 1, file);
  (void)fclose(file);
  return length == strlen(text) && memcmp(got, text, length) == 0;
}

static int loads(const char *where) {
  lsqnet_model *loaded = NULL;
  const lsqnet_status st = lsqnet_model_load(&loaded, context, where, NULL);
  lsqnet_model_destroy(loaded);
  return st == LSQNET_OK;
}

static mode_t mode_of(const char *where) {
  struct stat about;
  ck_assert_int_eq(stat(where, &about), 0);
  return about.st_mode & 0777;
}

START_TEST(saving_replaces_the_old_file_and_leaves_no_other) {
  write_text(path, "old");
  ck_assert_ok(lsqnet_model_save(model, path));
  ck_assert(loads(path));
  ck_assert_ok(lsqnet_model_save(model, path));
  ck_assert(loads(path));
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

START_TEST(a_new_file_has_the_umasks_mode_and_a_replaced_one_its_own) {
  const mode_t old = umask(0027);
  ck_assert_ok(lsqnet_model_save(model, path));
  ck_assert_int_eq(mode_of(path), 0640);
  ck_assert_int_eq(chmod(path, 0604), 0);
  ck_assert_ok(lsqnet_model_save(model, path));
  ck_assert_int_eq(mode_of(path), 0604);
  (void)umask(old);
}
END_TEST

START_TEST(names_may_be_as_long_as_names_can_be) {
  char long_path[300];
  (void)snprintf(long_path, sizeof long_path, "%s/%0255d", folder, 7);
  ck_assert_ok(lsqnet_model_save(model, long_path));
  ck_assert(loads(long_path));
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

START_TEST(a_link_is_followed) {
  char link[64];
  (void)snprintf(link, sizeof link, "%s/link", folder);
  write_text(path, "old");
  ck_assert_int_eq(symlink("model.safetensors", link), 0);
  ck_assert_ok(lsqnet_model_save(model, link));
  struct stat about;
  ck_assert_int_eq(lstat(link, &about), 0);
  ck_assert(S_ISLNK(about.st_mode));
  ck_assert(loads(path));
  ck_assert_int_eq(entries(NULL), 2);
}
END_TEST

START_TEST(names_relative_to_here_work) {
  ck_assert_int_eq(chdir(folder), 0);
  ck_assert_ok(lsqnet_model_save(model, "here.safetensors"));
  ck_assert(loads("here.safetensors"));
  ck_assert_int_eq(chdir(".."), 0);
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

START_TEST(what_is_no_plain_file_is_not_replaced) {
  char pipe_path[64];
  (void)snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
  ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
  ck_assert_fails(lsqnet_model_save(model, pipe_path), LSQNET_E_IO, "not a plain file");
  ck_assert_fails(lsqnet_model_save(model, folder), LSQNET_E_IO, "not a plain file");
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named) {
  ck_assert_fails(lsqnet_model_save(model, "no/such/folder/x.safetensors"), LSQNET_E_IO,
                  "no/such/folder/x.safetensors: cannot open its folder: No such file");
  ck_assert_fails(lsqnet_model_save(model, ""), LSQNET_E_IO, "names no file");
  ck_assert_fails(lsqnet_model_save(model, "nothing/"), LSQNET_E_IO, "names no file");
}
END_TEST

/* In a process of its own, which exits with 0 if `body` returns nonzero. */
static void assert_in_child(int (*body)(void)) {
  int status = 0;
  (void)fflush(NULL);
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    const int good = body();
    lsqnet_model_destroy(model); /* or a leak checker sees it lost */
    lsqnet_context_destroy(context);
    _exit(good ? 0 : 1);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

/* A disk that fills up this many bytes before the file is whole. */
static uint64_t short_of;

static int save_on_a_full_disk(void) {
  uint64_t size = 0;
  if (lsqnet_model_save_memory(model, NULL, 0, &size) != LSQNET_OK) return 0;
  const struct rlimit limit = {(rlim_t)(size - short_of), (rlim_t)(size - short_of)};
  (void)signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 0;
  return lsqnet_model_save(model, path) == LSQNET_E_IO && strstr(lsqnet_last_message(), path) != NULL &&
         strstr(lsqnet_last_message(), "cannot write it: File too large") != NULL;
}

START_TEST(a_full_disk_leaves_the_old_file) {
  static const uint64_t lacking[] = {1, 8, 10000, 40000};
  write_text(path, "old");
  for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
    short_of = lacking[i];
    assert_in_child(save_on_a_full_disk);
  }
  ck_assert(has_text(path, "old"));
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

/* Folder permissions do not bind the superuser, so the child becomes nobody. */
static int save_without_permission(void) {
  if (geteuid() == 0 && setuid(65534) != 0) return 0;
  return lsqnet_model_save(model, path) == LSQNET_E_IO && strstr(lsqnet_last_message(), path) != NULL &&
         strstr(lsqnet_last_message(), "Permission denied") != NULL;
}

START_TEST(an_unwritable_folder_leaves_the_old_file) {
  write_text(path, "old");
  ck_assert_int_eq(chmod(folder, 0555), 0);
  assert_in_child(save_without_permission);
  ck_assert_int_eq(chmod(folder, 0755), 0);
  ck_assert(has_text(path, "old"));
  ck_assert_int_eq(entries(NULL), 1);
}
END_TEST

static lsqnet_status write_to_file(void *user, const void *data, uint64_t bytes) {
  FILE *file = user;
  if (fwrite(data, 1, (size_t)bytes, file) == bytes && fflush(file) == 0) return LSQNET_OK;
  lsqnet_set_message("no space");
  return LSQNET_E_IO;
}

START_TEST(a_stream_that_cannot_be_written_fails_the_save) {
  FILE *full = fopen("/dev/full", "w");
  ck_assert_ptr_nonnull(full);
  ck_assert_fails(lsqnet_model_save_stream(model, write_to_file, full), LSQNET_E_IO, "no space");
  (void)fclose(full);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named) {
  lsqnet_model *loaded = NULL;
  ck_assert_fails(lsqnet_model_load(&loaded, context, path, NULL), LSQNET_E_IO,
                  "model.safetensors: cannot open it: No such file");
  ck_assert_fails(lsqnet_model_load(&loaded, context, folder, NULL), LSQNET_E_IO, "it is a folder");
  write_text(path, "");
  ck_assert_fails(lsqnet_model_load(&loaded, context, path, NULL), LSQNET_E_FORMAT,
                  "model.safetensors: not a safetensors file: it ends after 0 bytes");
  write_text(path, "x,y\n1,2\n3,4\n");
  ck_assert_fails(lsqnet_model_load(&loaded, context, path, NULL), LSQNET_E_FORMAT, "not a safetensors file");
  ck_assert_fails(lsqnet_model_load(&loaded, context, "/dev/zero", NULL), LSQNET_E_FORMAT, "has 0 bytes");
  ck_assert_ptr_null(loaded);
}
END_TEST

/* As large as a disk says, of which nothing is there. */
START_TEST(a_file_with_a_hole_of_a_terabyte_is_refused_at_once) {
  lsqnet_model *loaded = NULL;
  write_text(path, "");
  if (truncate(path, (off_t)1 << 40) != 0) return; /* a file system without holes */
  ck_assert_fails(lsqnet_model_load(&loaded, context, path, NULL), LSQNET_E_FORMAT, "has 0 bytes");
}
END_TEST

START_TEST(a_pipe_can_be_loaded_from) {
  char pipe_path[64];
  (void)snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
  ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
  (void)fflush(NULL);
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    FILE *file = fopen(pipe_path, "w");
    const int bad = file == NULL || lsqnet_model_save_stream(model, write_to_file, file) != LSQNET_OK;
    if (file != NULL) (void)fclose(file);
    lsqnet_model_destroy(model);
    lsqnet_context_destroy(context);
    _exit(bad);
  }
  ck_assert(loads(pipe_path));
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("save");
  TCase *tests = tcase_create("save");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, saving_replaces_the_old_file_and_leaves_no_other);
  tcase_add_test(tests, a_new_file_has_the_umasks_mode_and_a_replaced_one_its_own);
  tcase_add_test(tests, names_may_be_as_long_as_names_can_be);
  tcase_add_test(tests, a_link_is_followed);
  tcase_add_test(tests, names_relative_to_here_work);
  tcase_add_test(tests, what_is_no_plain_file_is_not_replaced);
  tcase_add_test(tests, a_folder_that_is_not_there_is_named);
  tcase_add_test(tests, a_full_disk_leaves_the_old_file);
  tcase_add_test(tests, an_unwritable_folder_leaves_the_old_file);
  tcase_add_test(tests, a_stream_that_cannot_be_written_fails_the_save);
  tcase_add_test(tests, files_that_cannot_be_read_are_named);
  tcase_add_test(tests, a_file_with_a_hole_of_a_terabyte_is_refused_at_once);
  tcase_add_test(tests, a_pipe_can_be_loaded_from);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failures = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
