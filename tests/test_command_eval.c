/* lsqnet eval and plot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"

/* eval */

static const json_t *find_row(const json_t *table, const char *name) {
  size_t i = 0;
  const json_t *value = NULL;
  json_array_foreach(json_object_get(table, "rows"), i, value) {
    if (strcmp(json_string_value(json_object_get(value, "name")), name) == 0) return value;
  }
  ck_abort_msg("no row %s", name);
  return NULL;
}

/* A sum of L D products carries a relative error of some L D epsilon of its terms' size; these may be 100 times the
 * target's size where x is 100 times as large, and A'A x cancels little: so 1e-24 for all rows. */
START_TEST(eval_finds_an_exact_model_exact_on_all_rows) {
  static const char *const models[] = {"exact:8x2", "exact:20x5:base_conv:query_first"};
  for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
    json_t *table = run_json("eval %s --samples 256 --json", 0, models[k]);
    const json_t *rows = json_object_get(table, "rows"), *iterated = json_object_get(table, "iterated");
    ck_assert_uint_eq(json_array_size(rows), 21);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "name")), "in_distribution");
    for (size_t i = 0; i < json_array_size(rows); i++) {
      const json_t *row = json_array_get(rows, i);
      ck_assert_msg(number(row, "relative_mse") <= 1e-24, "%s: %g", json_string_value(json_object_get(row, "name")),
                    number(row, "relative_mse"));
      ck_assert(number(row, "mse") >= number(row, "relative_mse"));
    }
    ck_assert(number(iterated, "mse") <= 1e-28 && number(iterated, "gradient_descent_mse") <= 1e-28);
    json_decref(table);
  }
}
END_TEST

/* The gradient is linear in x and quadratic in A: so is the error of a model that says nothing but zero. */
START_TEST(eval_varies_the_data_as_its_rows_say) {
  expect_done(
      "train explicit_gradient --dim 2 --rows 4 --layers 1 --width 4 --batch 4 --steps 1 --rate 1e-30 "
      "--freeze-positions --out m.safetensors");
  json_t *table = run_json("eval m.safetensors --samples 4096 --seed 1 --json", 0);
  const double mse = number(find_row(table, "in_distribution"), "mse");
  ck_assert(mse > 0.1);
  ck_assert(number(find_row(table, "a_times_100"), "mse") > 1e6 * mse);
  ck_assert(number(find_row(table, "x_times_100"), "mse") > 1e3 * mse);
  ck_assert(number(find_row(table, "a_times_0.01"), "mse") < mse);
  ck_assert(number(find_row(table, "singular_values_1_to_1e4"), "mse") > 1e6 * mse);
  ck_assert(number(find_row(table, "a_sparse_0.9"), "mse") != number(find_row(table, "a_sparse_0.5"), "mse"));
  ck_assert(number(find_row(table, "a_laplace"), "mse") != number(find_row(table, "a_uniform"), "mse"));
  ck_assert(number(find_row(table, "x_laplace"), "mse") != number(find_row(table, "x_student_t3"), "mse"));
  json_decref(table);
}
END_TEST

/* Newton-Schulz's matrices are symmetric, primitives have only vectors, ODEs neither. */
START_TEST(eval_leaves_out_rows_that_a_task_has_no_use_for) {
  static const struct {
    const char *task;
    size_t rows;
  } cases[] = {{"newton_schulz", 15}, {"square", 7}, {"ode_icl", 1}, {"power_step", 21}, {"momentum", 21}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[256];
    snprintf(line, sizeof line,
             "train %s --dim 2 --rows 4 --points 25 --layers 1 --width 4 --batch 4 --steps 1 --out m.safetensors",
             cases[i].task);
    expect_done(line);
    json_t *table = run_json("eval m.safetensors --samples 64 --json", 0);
    ck_assert_uint_eq(json_array_size(json_object_get(table, "rows")), cases[i].rows);
    ck_assert(json_is_null(json_object_get(table, "iterated")));
    json_decref(table);
  }
}
END_TEST

#define MOMENTUM                                                           \
  ("momentum --task-momentum 0.3 --step 0.25 --dim 2 --rows 4 --layers 1 " \
   "--width 10 --mixer attention --no-softmax --no-causal")

/* Another c, rows i and j, beta, width or setting than the default is another task: its errors are orders larger. */
START_TEST(eval_measures_the_task_that_was_trained) {
  static const char *const tasks[] = {"linear --seed 3 --dim 3 --rows 3 --layers 1 --width 8",
                                      "read --seed 7 --dim 2 --rows 6 --layers 1 --width 8",
                                      MOMENTUM,
                                      "ode_icl --points 6 --rows 6 --ode-class no-a2 --layers 1 --width 8",
                                      "explicit_gradient --setting all --dim 2 --rows 4 --layers 1 --width 8",
                                      "least_squares_icl --setting all --dim 2 --rows 4 --layers 1 --width 8"};
  for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
    json_t *report = run_json("train %s --optimizer levenberg_marquardt --steps %d --quiet --out m.safetensors --json",
                              0, tasks[i], i < 3 ? 25 : 3);
    json_t *table = run_json("eval m.safetensors --samples 4096 --json", 0);
    const double trained = number(report, "mse"), measured = number(find_row(table, "in_distribution"), "mse");
    ck_assert_msg(i >= 3 || trained < 1e-24, "%s: %g", tasks[i], trained);
    ck_assert_msg(measured < 3 * trained && measured > trained / 3, "%s: %g, trained to %g", tasks[i], measured,
                  trained);
    json_decref(report);
    json_decref(table);
  }
}
END_TEST

START_TEST(eval_refuses_what_it_cannot_measure) {
  expect_failure("eval none.safetensors", 3, "none.safetensors: ");
  expect_failure("eval exact:8x2 --samples 0", 2, "option --samples: \"0\" is too small");
}
END_TEST

/* plot */

/* A gnuplot that hands back its script. */
static void make_gnuplot(const char *script) {
  ck_assert_int_eq(mkdir("bin", 0700), 0);
  write_text("bin/gnuplot", script);
  ck_assert_int_eq(chmod("bin/gnuplot", 0700), 0);
}

static void remove_gnuplot(void) {
  unlink("bin/gnuplot");
  rmdir("bin");
}

START_TEST(plot_hands_the_curves_to_gnuplot) {
  make_gnuplot("#!/bin/sh\nexec /bin/cat\n");
  setenv("PATH", "./bin", 1);
  write_text("it's.jsonl", "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"loss\":0.25}\n");
  write_text("b.jsonl", "{\"step\":1,\"loss\":2.5,\"fresh_loss\":7}\n");
  expect_done("plot it's.jsonl b.jsonl -o p.svg");
  read_bytes("p.svg", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "$curve0 << EOD\n1 0.5\n3 0.25\nEOD\n$curve1 << EOD\n1 2.5\nEOD\n"));
  ck_assert_ptr_nonnull(strstr(out_text, "set terminal svg"));
  ck_assert_ptr_nonnull(strstr(out_text, "set logscale y"));
  ck_assert_ptr_nonnull(strstr(out_text, "title 'it''s.jsonl', $curve1"));
  expect_done("plot b.jsonl -o p.png --fresh");
  read_bytes("p.png", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "set terminal png"));
  ck_assert_ptr_nonnull(strstr(out_text, "1 7\n"));
  remove_gnuplot();
}
END_TEST

START_TEST(plot_says_what_is_wrong) {
  write_text("a.jsonl", "{\"step\":1,\"loss\":0.5}\n");
  write_text("bad.jsonl", "{\"step\":1,\"loss\":0.5}\n{\"step\":2\n");
  write_text("empty.jsonl", "");
  setenv("PATH", "./bin", 1);
  expect_failure("plot a.jsonl", 2, "option -o is missing");
  expect_failure("plot a.jsonl -o a.pdf", 2, "option -o: \"a.pdf\" does not end in .svg or .png");
  expect_failure("plot bad.jsonl -o a.svg", 3, "bad.jsonl:2: not a line of a training log");
  expect_failure("plot empty.jsonl -o a.svg", 3, "empty.jsonl: no loss above zero");
  expect_failure("plot none.jsonl -o a.svg", 3, "none.jsonl: No such file");
  expect_failure("plot a.jsonl -o a.svg", 1, "gnuplot cannot be run: No such file or directory (is it installed?)");
  ck_assert_int_ne(access("a.svg", F_OK), 0);
  make_gnuplot("#!/bin/sh\nexit 3\n");
  expect_failure("plot a.jsonl -o a.svg", 1, "gnuplot failed (exit code 3)");
  ck_assert_int_ne(access("a.svg", F_OK), 0);
  remove_gnuplot();
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("command: eval and plot");
  tcase_add_test(tests, eval_finds_an_exact_model_exact_on_all_rows);
  tcase_add_test(tests, eval_varies_the_data_as_its_rows_say);
  tcase_add_test(tests, eval_leaves_out_rows_that_a_task_has_no_use_for);
  tcase_add_test(tests, eval_measures_the_task_that_was_trained);
  tcase_add_test(tests, eval_refuses_what_it_cannot_measure);
  tcase_add_test(tests, plot_hands_the_curves_to_gnuplot);
  tcase_add_test(tests, plot_says_what_is_wrong);
  return run_suite("command: eval and plot", tests);
}
