/* The models that are shipped: their errors, in distribution and beyond it, are what is promised; their commands make
 * them from random weights, bit for bit; and so do other seeds. LSQNET_MODELS is the folder of models,
 * LSQNET_TEST_QUICK (sanitizers) leaves out what takes long, LSQNET_TEST_AGAIN (another compiler) what takes minutes.
 */
#include <dirent.h>
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

enum { SEEDS = 5, LINE = 4096 };

/* Relative mean squared errors: the mean squared error over the larger of 1 and the target's mean square. */
typedef struct {
  const char *name;
  double inside;       /* in distribution */
  const char *rows;    /* of `lsqnet eval`, with an end to each name */
  double outside;      /* on each of these */
  const char *far;     /* and more of them */
  double far_outside;  /* on each of those */
  int64_t first_steps; /* of its command, to compare with its log */
  int slow;            /* takes a minute or two: once is enough */
} limits;

#define ONE_STEP_ROWS                                                                 \
  "a_times_0.01 a_times_0.1 a_times_2 a_times_10 a_times_100 singular_values_1_to_5 " \
  "singular_values_1_to_100 singular_values_1_to_1e4 a_uniform a_laplace a_student_t3 "

#define NEAR_ROWS "a_times_2 a_laplace a_uniform "

static const limits shipped[] = {
    {"la-gd1-d2", 1e-28, ONE_STEP_ROWS, 1e-27, "x_times_100 ", 1e-24, 5, 0},
    {"la-gd1-d5", 1e-28, ONE_STEP_ROWS, 1e-27, "x_times_100 ", 1e-24, 5, 0},
    {"la-gd1-d8", 1e-28, ONE_STEP_ROWS, 1e-27, "x_times_100 ", 1e-24, 2, 0},
    {"la-gd1-d16", 1e-27, ONE_STEP_ROWS, 1e-26, "x_times_100 ", 1e-24, 2, 0},
    {"la-gd1-d32-start", 1e-27, ONE_STEP_ROWS, 1e-26, "", 0, 1, 1},
    {"la-gd1-d32", 1e-27, ONE_STEP_ROWS, 1e-26, "x_times_100 ", 1e-24, 1, 1},
    {"la-gd2-d5", 1e-26, NEAR_ROWS, 1e-24, "", 0, 3, 0},
    {"la-gd4-d5-start", 1e-26, "a_laplace a_uniform ", 1e-24, "", 0, 2, 0},
    {"la-gd4-d5", 1e-26, NEAR_ROWS, 1e-24, "", 0, 2, 0},
    {"la-newton-d4", 1e-26, NEAR_ROWS "a_student_t3 a_times_10 x_times_10 ", 1e-24, "", 0, 3, 0},
    {"bc-grad-d2-split", 1e-28, NEAR_ROWS "singular_values_sqrt_rows_down_to_1e-4 ", 1e-26, "", 0, 3, 0},
    {"bc-grad-d5", 1e-24, NEAR_ROWS "singular_values_sqrt_rows_down_to_1e-4 ", 1e-22, "", 0, 1, 1},
    {"bc-grad-d5-paper-f32", 1e-12, NEAR_ROWS "singular_values_sqrt_rows_down_to_1e-4 ", 1e-10, "", 0, 6000, 1},
    {"bc-grad-d5-split", 1e-24, NEAR_ROWS "singular_values_sqrt_rows_down_to_1e-4 ", 1e-22, "", 0, 1, 1},
};
enum { SHIPPED = sizeof shipped / sizeof shipped[0] };

static const char *folder(void) {
  const char *path = getenv("LSQNET_MODELS");
  ck_assert_ptr_nonnull(path);
  return path;
}

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

static int once_is_enough(const limits *l) { return l->slow && (quick() || getenv("LSQNET_TEST_AGAIN") != NULL); }

/* Whether this processor gives the bits that were trained; the option that pins the level, if so. */
static const char *level(void) {
  lsqnet_context *context = NULL;
  lsqnet_context_options options;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.kernel_level = LSQNET_KERNEL_X86_64_V3;
  const lsqnet_status status = lsqnet_context_create(&context, &options);
  lsqnet_context_destroy(context);
  if (status == LSQNET_OK) return "--level v3";
  printf("no kernel level v3 here: bits are not compared\n");
  return NULL;
}

/* `bytes` takes the file NAME.KIND of the folder; returns their number. */
static size_t read_shipped(const char *name, const char *kind, char *bytes) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s.%s", folder(), name, kind);
  return read_bytes(path, bytes);
}

/* ---- errors ---- */

START_TEST(every_model_in_the_folder_has_limits) {
  DIR *models = opendir(folder());
  int found = 0;
  ck_assert_ptr_nonnull(models);
  for (struct dirent *entry; (entry = readdir(models)) != NULL;) {
    const char *end = strstr(entry->d_name, ".safetensors");
    if (end == NULL) continue;
    int listed = 0;
    for (int i = 0; i < SHIPPED; i++)
      listed |= strlen(shipped[i].name) == (size_t)(end - entry->d_name) &&
                strncmp(shipped[i].name, entry->d_name, (size_t)(end - entry->d_name)) == 0;
    ck_assert_msg(listed, "%s", entry->d_name);
    found++;
  }
  closedir(models);
  ck_assert_int_eq(found, SHIPPED);
}
END_TEST

static double row_of(const json_t *table, const char *name) {
  size_t i = 0;
  const json_t *row = NULL;
  json_array_foreach(json_object_get(table, "rows"), i, row) {
    if (strcmp(json_string_value(json_object_get(row, "name")), name) != 0) continue;
    const json_t *value = json_object_get(row, "relative_mse");
    ck_assert_msg(json_is_number(value), "%s", name);
    return json_number_value(value);
  }
  ck_abort_msg("no row %s", name);
  return 0;
}

static void check_rows(const json_t *table, const char *model, const char *names, double limit) {
  char text[LINE], *rest = NULL;
  snprintf(text, sizeof text, "%s", names);
  for (char *name = strtok_r(text, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
    const double error = row_of(table, name);
    printf("%-20s %-40s %.1e of %.0e\n", model, name, error, limit);
    ck_assert_msg(error <= limit, "%s, %s: %g, not %g", model, name, error, limit);
  }
}

START_TEST(errors_are_within_their_limits) {
  const limits *l = &shipped[_i];
  const int few = quick() || once_is_enough(l);
  const char *pinned = few ? NULL : level();
  char name[LINE], *recorded = malloc(OUTPUT_MOST);
  snprintf(name, sizeof name, "%s.safetensors", l->name);
  write_bytes(name, recorded, read_shipped(l->name, "safetensors", recorded));
  json_t *table = run_json("eval %s --json %s", 0, name,
                           pinned != NULL ? pinned
                           : few          ? "--samples 256 --problems 2"
                                          : "");
  check_rows(table, l->name, "in_distribution", l->inside);
  check_rows(table, l->name, l->rows, l->outside);
  check_rows(table, l->name, l->far, l->far_outside);
  json_decref(table);
  read_shipped(l->name, "eval.json", recorded);
  if (pinned != NULL) ck_assert_msg(strcmp(out_text, recorded) == 0, "%s.eval.json has other bits", l->name);
  free(recorded);
}
END_TEST

/* ---- training ---- */

/* What the command of `name` says behind "lsqnet ". Models that it starts from are copied here. */
static void read_command(const char *name, char line[LINE]) {
  char *text = malloc(OUTPUT_MOST), *end = NULL;
  read_shipped(name, "command", text);
  ck_assert_int_eq(strncmp(text, "lsqnet train ", 13), 0);
  ck_assert_ptr_nonnull(strstr(text, " --level v3 "));
  ck_assert(strstr(text, " --set ") == NULL && strstr(text, " --scale ") == NULL); /* weights are as they were drawn */
  end = strchr(text, '\n');
  ck_assert(end != NULL && end[1] == '\0' && end - text < LINE - 512);
  *end = '\0';
  strcpy(line, text + strlen("lsqnet "));
  const char *start = strstr(line, " --init ");
  if (start != NULL) {
    char from[256];
    ck_assert_int_eq(sscanf(start, " --init %240[^. ].safetensors", from), 1);
    const size_t bytes = read_shipped(from, "safetensors", text);
    strcat(from, ".safetensors");
    write_bytes(from, text, bytes);
  }
  free(text);
}

/* Runs the command with other options behind its own; its files come to lie here. 4: short of its target. */
static void run_command(const char *name, const char *format, ...) {
  char line[LINE];
  va_list arguments;
  read_command(name, line);
  strcat(line, " --quiet ");
  va_start(arguments, format);
  vsnprintf(line + strlen(line), sizeof line - strlen(line), format, arguments);
  va_end(arguments);
  const int code = run(line);
  ck_assert_msg(code == 0 || code == 4, "exit %d from %s: %s", code, line, error_text);
}

START_TEST(first_steps_of_each_command_give_its_log) {
  const limits *l = &shipped[_i];
  char *log = malloc(OUTPUT_MOST), *again = malloc(OUTPUT_MOST), name[LINE];
  if (level() != NULL && !once_is_enough(l)) {
    run_command(l->name, "--steps %lld --samples 1", (long long)l->first_steps);
    snprintf(name, sizeof name, "%s.log.jsonl", l->name);
    const size_t length = read_bytes(name, again);
    ck_assert_uint_gt(length, 0);
    ck_assert_uint_lt(length, read_shipped(l->name, "log.jsonl", log));
    log[length] = '\0';
    ck_assert_msg(strcmp(again, log) == 0, "%s: other bits than in its log:\n%.2000s", l->name, again);
  }
  free(log);
  free(again);
}
END_TEST

START_TEST(small_models_are_trained_whole_with_the_same_bits) {
  static const char *const kinds[] = {"log.jsonl", "safetensors"};
  const char *model = shipped[_i].name;
  char *bytes = malloc(OUTPUT_MOST), *again = malloc(OUTPUT_MOST), name[LINE];
  if (level() != NULL && !quick()) {
    run_command(model, "--threads 3");
    for (int k = 0; k < 2; k++) {
      snprintf(name, sizeof name, "%s.%s", model, kinds[k]);
      const size_t length = read_bytes(name, again);
      ck_assert_uint_eq(length, read_shipped(model, kinds[k], bytes));
      ck_assert_msg(memcmp(bytes, again, length) == 0, "%s", name);
    }
  }
  free(bytes);
  free(again);
}
END_TEST

/* The command of a small model with other seeds: five of five runs end at roundings, and so does fresh data. */
START_TEST(other_seeds_reach_the_same_precision) {
  const int model = _i / SEEDS, seed = 101 + _i % SEEDS;
  if (quick() && model > 0) return;
  run_command(shipped[model].name, "--level auto --seed %d --json", seed);
  json_t *report = parse_output();
  const double mse = json_number_value(json_object_get(report, "mse"));
  ck_assert_str_eq(json_string_value(json_object_get(report, "ended")), "target");
  ck_assert(json_number_value(json_object_get(report, "mean_square")) > 0.1);
  printf("%s, seed %d: %.1e after %lld steps, %.2f s\n", shipped[model].name, seed, mse,
         (long long)json_integer_value(json_object_get(report, "steps")),
         json_number_value(json_object_get(report, "seconds")));
  ck_assert_msg(mse <= 1e-28, "seed %d: %g", seed, mse);
  json_decref(report);
}
END_TEST

/* ---- in the library ---- */

static void solve_with(lsqnet_solver *solver, int64_t n, double *x) {
  double a[160], b[16];
  lsqnet_report report = {.size = sizeof report};
  for (int i = 0; i < 160; i++) a[i] = (double)((i * i * 37 + 11 * i) % 101) - 50;
  for (int i = 0; i < 16; i++) b[i] = i - 7;
  ck_assert_int_eq(lsqnet_solver_solve_f64(solver, 16, n, 1, a, 10, b, 1, x, 1, &report), LSQNET_OK);
  x[n] = (double)report.model_calls;
}

/* By turns, so that solvers on several models live side by side in one; model calls tell the models apart. */
START_TEST(a_solver_without_a_model_uses_the_smallest_that_fits) {
  static const struct {
    int64_t n;
    const char *name;
  } cases[] = {{6, "la-gd1-d8"}, {1, "la-gd1-d2"}, {5, "la-gd1-d5"},
               {8, "la-gd1-d8"}, {2, "la-gd1-d2"}, {3, "la-gd1-d5"}};
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL, *by_file = NULL;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, NULL, NULL), LSQNET_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[1024];
    double x[11], expected[11];
    lsqnet_model *model = NULL;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder(), cases[i].name);
    ck_assert_int_eq(lsqnet_model_load(&model, context, path, NULL), LSQNET_OK);
    ck_assert_int_eq(lsqnet_solver_create(&by_file, context, model, NULL), LSQNET_OK);
    lsqnet_model_destroy(model);
    ck_assert_str_eq(lsqnet_solver_model_name(solver, cases[i].n), cases[i].name);
    ck_assert_ptr_null(lsqnet_solver_model_name(by_file, cases[i].n));
    solve_with(solver, cases[i].n, x);
    solve_with(by_file, cases[i].n, expected);
    ck_assert_int_eq(memcmp(x, expected, (size_t)(cases[i].n + 1) * sizeof *x), 0);
    lsqnet_solver_destroy(by_file);
  }
  ck_assert_ptr_nonnull(lsqnet_solver_model_name(solver, INT64_MAX)); /* the largest */
  ck_assert_ptr_null(lsqnet_solver_model_name(NULL, 1));
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("models");
  setvbuf(stdout, NULL, _IOLBF, 0);
  tcase_add_test(tests, every_model_in_the_folder_has_limits);
  tcase_add_loop_test(tests, errors_are_within_their_limits, 0, SHIPPED);
  tcase_add_loop_test(tests, first_steps_of_each_command_give_its_log, 0, SHIPPED);
  tcase_add_loop_test(tests, small_models_are_trained_whole_with_the_same_bits, 0, 2);
  tcase_add_loop_test(tests, other_seeds_reach_the_same_precision, 0, 2 * SEEDS);
  tcase_add_test(tests, a_solver_without_a_model_uses_the_smallest_that_fits);
  return run_suite("models", tests);
}
