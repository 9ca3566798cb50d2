#include "spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MOST = 96 };

static char folder[] = "/tmp/lsqnet-command-XXXXXX";
char *out_text, *error_text;

void make_folder(void) {
  strcpy(folder + sizeof folder - 7, "XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(chdir(folder), 0);
  out_text = malloc(OUTPUT_MOST);
  error_text = malloc(OUTPUT_MOST);
}

void remove_folder(void) {
  DIR *files = opendir(".");
  for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
    if (unlink(entry->d_name) != 0) rmdir(entry->d_name);
  }
  closedir(files);
  ck_assert_int_eq(chdir("/"), 0);
  rmdir(folder);
  free(out_text);
  free(error_text);
}

void write_bytes(const char *name, const void *bytes, size_t length) {
  FILE *file = fopen(name, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
  ck_assert_int_eq(fclose(file), 0);
}

void write_text(const char *name, const char *text) { write_bytes(name, text, strlen(text)); }

void write_npy(const char *name, const char *dictionary, const void *numbers, size_t bytes) {
  char file[4096] = "\x93NUMPY\x01";
  size_t length = strlen(dictionary);
  ck_assert_uint_lt(10 + length + bytes, sizeof file);
  file[8] = (char)(length & 255);
  file[9] = (char)(length >> 8);
  memcpy(file + 10, dictionary, length);
  memcpy(file + 10 + length, numbers, bytes);
  write_bytes(name, file, 10 + length + bytes);
}

size_t read_bytes(const char *name, char *bytes) {
  FILE *file = fopen(name, "rb");
  ck_assert_ptr_nonnull(file);
  size_t length = fread(bytes, 1, OUTPUT_MOST - 1, file);
  bytes[length] = '\0';
  fclose(file);
  return length;
}

static void redirect(const char *path, int flags, int descriptor) {
  int file = open(path, flags, 0600);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
  close(file);
}

static int run_vector(char *const arguments[], const char *in, const char *out) {
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    redirect(in, O_RDONLY, 0);
    redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
    redirect(".error", O_WRONLY | O_CREAT | O_TRUNC, 2);
    execv(arguments[0], arguments);
    _exit(127);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  read_bytes(".error", error_text);
  if (strcmp(out, ".out") == 0) read_bytes(out, out_text);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run_from(const char *in, const char *out, const char *line) {
  char text[4096], *arguments[ARGUMENTS_MOST + 2] = {getenv("LSQNET_COMMAND")}, *rest = NULL;
  int count = 1;
  ck_assert_ptr_nonnull(arguments[0]);
  ck_assert_uint_lt(strlen(line), sizeof text);
  strcpy(text, line);
  for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
    ck_assert_int_le(count, ARGUMENTS_MOST);
    arguments[count++] = word;
  }
  return run_vector(arguments, in, out);
}

int run(const char *line) { return run_from("/dev/null", ".out", line); }

void expect_done(const char *line) { ck_assert_msg(run(line) == 0, "from: %s: %s", line, error_text); }

void expect_failure(const char *line, int code, const char *message) {
  int got = run(line);
  size_t length = strlen(error_text);
  ck_assert_msg(got == code, "exit %d instead of %d from: %s: %s", got, code, line, error_text);
  ck_assert_msg(
      length > 9 && strncmp(error_text, "lsqnet: ", 8) == 0 && strchr(error_text, '\n') == error_text + length - 1,
      "not one line from: %s: %s", line, error_text);
  ck_assert_msg(strstr(error_text, message) != NULL, "no \"%s\" from: %s: %s", message, line, error_text);
  ck_assert_msg(code == 4 || out_text[0] == '\0', "standard output from: %s", line);
}

double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  ck_assert_msg(json_is_number(value), "%s", key);
  return json_number_value(value);
}

json_t *parse_output(void) {
  json_error_t error;
  json_t *object = json_loads(out_text, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(object != NULL && json_is_object(object), "%s in: %s", error.text, out_text);
  return object;
}

json_t *run_json(const char *format, int code, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, code);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  int got = run(line);
  ck_assert_msg(got == code, "exit %d instead of %d from: %s: %s", got, code, line, error_text);
  ck_assert_msg(code != 0 || error_text[0] == '\0', "from: %s: %s", line, error_text);
  return parse_output();
}

int run_suite(const char *name, TCase *tests) {
  Suite *suite = suite_create(name);
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_set_timeout(tests, 600);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? 0 : 1;
}
