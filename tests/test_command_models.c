/* lsqnet info and lsqnet run. */
#include <dirent.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

enum { ROWS = 4, DIM = 2, T = ROWS + 1, IN = 2 * DIM + 1 };

static lsqnet_context *context;
static lsqnet_model *model;

static void make_model(int32_t dtype) {
  lsqnet_construct_options options;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  ck_assert_int_eq(lsqnet_construct_options_init(&options, sizeof options), LSQNET_OK);
  options.rows = ROWS;
  options.dim = DIM;
  options.dtype = dtype;
  ck_assert_int_eq(lsqnet_model_construct_gradient(&model, context, &options), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_save(model, "m.safetensors"), LSQNET_OK);
}

static void free_model(void) {
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
}

START_TEST(info_describes_a_model) {
  make_model(LSQNET_F32);
  json_t *object = run_json("info m.safetensors --json", 0);
  const json_t *step = json_object_get(object, "step");
  ck_assert_str_eq(json_string_value(json_object_get(object, "dtype")), "float32");
  ck_assert_int_eq(json_integer_value(json_object_get(object, "in_width")), IN);
  ck_assert_int_eq(json_integer_value(json_object_get(object, "rows")), T);
  ck_assert_int_eq(json_integer_value(json_object_get(object, "weights")), lsqnet_model_weight_count(model));
  ck_assert_uint_eq(json_array_size(json_object_get(object, "parameters")),
                    (size_t)lsqnet_model_parameter_count(model));
  ck_assert_str_eq(json_string_value(json_object_get(step, "output")), "gradient");
  ck_assert_str_eq(json_string_value(json_object_get(step, "prompt")), "split");
  ck_assert_int_eq(json_integer_value(json_object_get(step, "dim")), DIM);
  ck_assert_str_eq(json_string_value(json_object_get(json_object_get(object, "layers"), "mixer")), "attention");
  json_decref(object);
  ck_assert_int_eq(run("info m.safetensors"), 0);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, i, &p, sizeof p), LSQNET_OK);
    ck_assert_msg(strstr(out_text, p.name) != NULL, "%s", p.name);
  }
  ck_assert_int_eq(run("info exact:20x5:base_conv:query_first"), 0);
  ck_assert_ptr_nonnull(strstr(out_text, "query_first"));
  free_model();
}
END_TEST

/* A file that does not say what its output means solves once the command line says it. */
START_TEST(step_of_says_what_a_file_leaves_unsaid) {
  const lsqnet_model_step none = {.size = sizeof none, .output = LSQNET_OUTPUT_NONE, .iterates = 1};
  make_model(LSQNET_F64);
  ck_assert_int_eq(lsqnet_model_set_step(model, &none), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_save(model, "m.safetensors"), LSQNET_OK);
  write_text("a", "1,0,1\n0,1,-2\n1,1,-1\n");
  expect_failure("solve a --model m.safetensors", 3, "m.safetensors: ");
  expect_failure("solve a --model m.safetensors --step-of gradient:split", 2, "option --step-of");
  expect_failure("solve a --model m.safetensors --step-of slope:split:4x2", 2, "option --step-of");
  expect_failure("solve a --model m.safetensors --step-of gradient:split:4x3", 3, "m.safetensors: ");
  expect_failure("solve a --model m.safetensors --config missing.json", 3, "missing.json: ");
  json_t *object = run_json("solve a --model m.safetensors --step-of gradient:split:4x2 --json", 0);
  ck_assert(json_number_value(json_array_get(json_object_get(object, "x"), 1)) == -2.0);
  json_decref(object);
  object = run_json("info m.safetensors --json", 0);
  ck_assert(json_is_null(json_object_get(object, "step")));
  json_decref(object);
  free_model();
}
END_TEST

/* Values that float32 holds, so that conversion of the input rounds nothing. */
static double sample(int64_t i) { return (double)(i * 37 % 101 - 50) / 16.0; }

/* Reads an .npy that run wrote; returns its numbers. */
static char *open_npy(const char *name, const char *dictionary, size_t bytes) {
  size_t length = read_bytes(name, out_text);
  size_t header = (size_t)(unsigned char)out_text[8] + 256 * (size_t)(unsigned char)out_text[9];
  ck_assert(length > 10 && memcmp(out_text, "\x93NUMPY\x01", 8) == 0);
  ck_assert_uint_eq((10 + header) % 64, 0);
  ck_assert_msg(memcmp(out_text + 10, dictionary, strlen(dictionary)) == 0, "%.*s", (int)header, out_text + 10);
  ck_assert_uint_eq(length, 10 + header + bytes);
  return out_text + 10 + header;
}

static void write_input(const char *name, const char *descr, int fortran, int rank, int64_t batch, int wide) {
  char *file = calloc(1, 256 + (size_t)(batch * T * IN) * 8), *at;
  at = file + sprintf(file, "%sNUMPY%c", "\x93", 1);
  char *dictionary = at + 3;
  int length =
      rank == 3 ? sprintf(dictionary, "{'descr': '%s', 'fortran_order': %s, 'shape': (%lld, %d, %d), }\n", descr,
                          fortran ? "True" : "False", (long long)batch, T, IN)
                : sprintf(dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }\n", descr, T, IN);
  at[1] = (char)length;
  char *numbers = dictionary + length;
  for (int64_t i = 0; i < batch * T * IN; i++) {
    int64_t b = i % batch, t = i / batch % T, c = i / batch / T;
    double value = sample(fortran ? (b * T + t) * IN + c : i);
    float single = (float)value;
    memcpy(numbers + i * (wide ? 8 : 4), wide ? (void *)&value : (void *)&single, wide ? 8 : 4);
  }
  write_bytes(name, file, (size_t)(numbers - file) + (size_t)(batch * T * IN) * (wide ? 8 : 4));
  free(file);
}

static void forward(void *y, int32_t dtype, int64_t batch) {
  lsqnet_workspace *workspace = NULL;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = batch, .rows = T, .first = 0, .count = T};
  double *x = malloc((size_t)(batch * T * IN) * sizeof *x);
  float *x_f32 = malloc((size_t)(batch * T * IN) * sizeof *x_f32);
  for (int64_t i = 0; i < batch * T * IN; i++) x_f32[i] = (float)(x[i] = sample(i));
  ck_assert_int_eq(lsqnet_workspace_create(&workspace, model), LSQNET_OK);
  ck_assert_int_eq(dtype == LSQNET_F64 ? lsqnet_model_forward_f64(model, workspace, &shape, x, y)
                                       : lsqnet_model_forward_f32(model, workspace, &shape, x_f32, y),
                   LSQNET_OK);
  lsqnet_workspace_destroy(workspace);
  free(x);
  free(x_f32);
}

/* 2000 sequences are more than one slice. */
START_TEST(run_gives_the_bits_of_forward) {
  static const struct {
    int32_t dtype;
    const char *descr;
    int fortran, rank, wide;
    int64_t batch;
  } cases[] = {{LSQNET_F64, "<f8", 0, 3, 1, 2000}, {LSQNET_F64, "<f4", 0, 3, 0, 3}, {LSQNET_F64, "<f8", 1, 3, 1, 2000},
               {LSQNET_F32, "<f4", 0, 3, 0, 2000}, {LSQNET_F32, "<f8", 0, 3, 1, 3}, {LSQNET_F64, "<f8", 0, 2, 1, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t bytes = (size_t)(cases[i].batch * T * DIM) * (cases[i].dtype == LSQNET_F64 ? 8 : 4);
    char dictionary[128], *expected = malloc(bytes);
    make_model(cases[i].dtype);
    forward(expected, cases[i].dtype, cases[i].batch);
    write_input("in.npy", cases[i].descr, cases[i].fortran, cases[i].rank, cases[i].batch, cases[i].wide);
    ck_assert_msg(run("run m.safetensors in.npy -o out.npy") == 0, "%s", error_text);
    int length = snprintf(dictionary, sizeof dictionary, "{'descr': '<f%d', 'fortran_order': False, 'shape': (",
                          cases[i].dtype == LSQNET_F64 ? 8 : 4);
    if (cases[i].rank == 3) {
      length += snprintf(dictionary + length, sizeof dictionary - (size_t)length, "%lld,", (long long)cases[i].batch);
    }
    snprintf(dictionary + length, sizeof dictionary - (size_t)length, "%d,%d,), }", T, DIM);
    ck_assert_msg(memcmp(open_npy("out.npy", dictionary, bytes), expected, bytes) == 0, "case %zu", i);
    free(expected);
    free_model();
  }
}
END_TEST

START_TEST(run_reads_and_writes_pipes) {
  make_model(LSQNET_F64);
  write_input("in.npy", "<f8", 0, 3, 2, 1);
  ck_assert_int_eq(run("run m.safetensors in.npy -o out.npy"), 0);
  char *expected = malloc(OUTPUT_MOST);
  size_t length = read_bytes("out.npy", expected);
  ck_assert_int_eq(run_from("in.npy", ".out", "run m.safetensors - -o -"), 0);
  ck_assert(read_bytes(".out", out_text) == length && memcmp(out_text, expected, length) == 0);
  free(expected);
  json_t *object = run_json("run m.safetensors in.npy -o out.npy --json", 0);
  ck_assert_int_eq(json_integer_value(json_object_get(object, "batch")), 2);
  json_decref(object);
  free_model();
}
END_TEST

static int files_here(void) {
  DIR *files = opendir(".");
  int count = 0;
  while (readdir(files) != NULL) count++;
  closedir(files);
  return count;
}

START_TEST(run_keeps_the_old_file_when_it_fails) {
  const double numbers[(T + 1) * IN] = {1.0};
  make_model(LSQNET_F64);
  write_text("out.npy", "old");
  write_npy("narrow.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", numbers, 48);
  write_npy("long.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (6, 5)}", numbers, 240);
  write_npy("flat.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (5,)}", numbers, 40);
  write_npy("none.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5, 5)}", numbers, 0);
  write_text("text.npy", "1,2\n");
  run("--version");
  int before = files_here();
  expect_failure("run m.safetensors narrow.npy -o out.npy", 3, "narrow.npy: 1 sequences of 2 rows and 3 channels");
  expect_failure("run m.safetensors long.npy -o out.npy", 3, "long.npy: 1 sequences of 6 rows and 5 channels");
  expect_failure("run m.safetensors flat.npy -o out.npy", 3, "flat.npy: an array of 1 dimensions");
  expect_failure("run m.safetensors none.npy -o out.npy", 3, "none.npy: 0 sequences");
  expect_failure("run m.safetensors text.npy -o out.npy", 3, "text.npy: not a NumPy file");
  expect_failure("run m.safetensors missing.npy -o out.npy", 3, "missing.npy: ");
  expect_failure("run missing.safetensors narrow.npy -o out.npy", 3, "missing.safetensors: ");
  ck_assert_int_eq(files_here(), before);
  read_bytes("out.npy", out_text);
  ck_assert_str_eq(out_text, "old");
  free_model();
}
END_TEST

/* A pipe has no length to be checked beforehand: the cut shows when the output is half written. */
START_TEST(run_leaves_nothing_of_a_cut_pipe) {
  make_model(LSQNET_F64);
  write_input("in.npy", "<f8", 0, 3, 2000, 1);
  size_t length = read_bytes("in.npy", out_text);
  ck_assert_int_eq(mkfifo("pipe", 0600), 0);
  write_text("out.npy", "old");
  run("--version");
  int before = files_here();
  pid_t writer = fork();
  if (writer == 0) {
    FILE *pipe = fopen("pipe", "wb");
    read_bytes("in.npy", out_text);
    fwrite(out_text, 1, length - 8, pipe);
    fclose(pipe);
    _exit(0);
  }
  expect_failure("run m.safetensors pipe -o out.npy", 3, "pipe: the file ends inside its numbers");
  ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
  ck_assert_int_eq(files_here(), before);
  read_bytes("out.npy", out_text);
  ck_assert_str_eq(out_text, "old");
  free_model();
}
END_TEST

START_TEST(run_says_when_the_output_cannot_be_written) {
  make_model(LSQNET_F64);
  write_input("in.npy", "<f8", 0, 3, 2, 1);
  expect_failure("run m.safetensors in.npy -o missing/out.npy", 1, "missing/out.npy: No such file or directory");
  ck_assert_int_eq(symlink("/dev/full", "full"), 0); /* a link, so that a wrong rename could not replace the device */
  expect_failure("run m.safetensors in.npy -o full", 1, "full: No space left on device");
  ck_assert_int_eq(run_from("/dev/null", "/dev/full", "run m.safetensors in.npy -o -"), 1);
  ck_assert_str_eq(error_text, "lsqnet: standard output: No space left on device\n");
  free_model();
}
END_TEST

START_TEST(run_lets_nan_travel) {
  double numbers[T * IN] = {[3 * IN] = NAN};
  make_model(LSQNET_F64);
  write_npy("in.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 5)}", numbers, sizeof numbers);
  ck_assert_int_eq(run("run m.safetensors in.npy -o out.npy"), 0);
  double y[T * DIM];
  memcpy(y, open_npy("out.npy", "{'descr': '<f8'", sizeof y), sizeof y);
  ck_assert(isnan(y[(T - 1) * DIM]));
  free_model();
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("command: info and run");
  tcase_add_test(tests, info_describes_a_model);
  tcase_add_test(tests, step_of_says_what_a_file_leaves_unsaid);
  tcase_add_test(tests, run_gives_the_bits_of_forward);
  tcase_add_test(tests, run_reads_and_writes_pipes);
  tcase_add_test(tests, run_keeps_the_old_file_when_it_fails);
  tcase_add_test(tests, run_leaves_nothing_of_a_cut_pipe);
  tcase_add_test(tests, run_says_when_the_output_cannot_be_written);
  tcase_add_test(tests, run_lets_nan_travel);
  return run_suite("command: info and run", tests);
}
