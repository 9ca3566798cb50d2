/* Prompts: the layouts of lsqnet/task.h, cell by cell, and padding. */
#include <check.h>
#include <lsqnet/task.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/prompt.h"

enum { L = 3, D = 2, LDA = 4, CELLS = 4 * 5 };

/* two values a row, then two that no prompt may show */
static const double a[L * LDA] = {11, 12, -1, -1, 21, 22, -1, -1, 31, 32, -1, -1};
static const double b[L] = {1, 2, 3};
static const double x[D] = {7, 8};

typedef struct {
  const char *name;
  int64_t rows, width, read_row;
  double cells[CELLS];
} layout;

static const layout layouts[] = {
    {"split", 4, 5, 3, {11, 12, 1, 0, 0, 21, 22, 2, 0, 0, 31, 32, 3, 0, 0, 0, 0, 0, 7, 8}},
    {"repeat", 3, 5, 2, {11, 12, 1, 7, 8, 21, 22, 2, 7, 8, 31, 32, 3, 7, 8}},
    {"query_first", 4, 3, 3, {7, 8, 0, 11, 12, 1, 21, 22, 2, 31, 32, 3}},
    {"query_last", 4, 3, 3, {11, 12, 1, 21, 22, 2, 31, 32, 3, 7, 8, 0}},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

START_TEST(every_prompt_has_a_known_layout) {
  int64_t count = 0;
  while (lsqnet_prompt_name(count) != NULL) count++;
  ck_assert_int_eq(count, LAYOUTS);
  for (int i = 0; i < LAYOUTS; i++) ck_assert_str_eq(lsqnet_prompt_name(i), layouts[i].name);
  ck_assert_ptr_null(lsqnet_prompt_name(-1));
}
END_TEST

START_TEST(shape_matches_the_layout) {
  const layout *want = &layouts[_i];
  int64_t T = 0, W = 0, read_row = 0;
  ck_assert_int_eq(lsqnet_prompt_shape(want->name, L, D, &T, &W, &read_row), LSQNET_OK);
  ck_assert_int_eq(T, want->rows);
  ck_assert_int_eq(W, want->width);
  ck_assert_int_eq(read_row, want->read_row);
  ck_assert_int_eq(lsqnet_prompt_shape(want->name, L, D, NULL, NULL, NULL), LSQNET_OK);
}
END_TEST

START_TEST(fill_writes_every_cell_in_both_precisions) {
  const layout *want = &layouts[_i];
  const int64_t cells = want->rows * want->width;
  double out[CELLS + 1];
  float a32[L * LDA], b32[L], x32[D], out32[CELLS + 1];
  for (int i = 0; i <= CELLS; i++) out[i] = out32[i] = -5;
  for (int i = 0; i < L * LDA; i++) a32[i] = (float)a[i];
  for (int i = 0; i < L; i++) b32[i] = (float)b[i];
  for (int i = 0; i < D; i++) x32[i] = (float)x[i];
  ck_assert_int_eq(lsqnet_prompt_fill_f64(want->name, L, D, a, LDA, b, x, out), LSQNET_OK);
  ck_assert_int_eq(lsqnet_prompt_fill_f32(want->name, L, D, a32, LDA, b32, x32, out32), LSQNET_OK);
  for (int64_t i = 0; i < cells; i++) {
    ck_assert(out[i] == want->cells[i]);
    ck_assert((double)out32[i] == want->cells[i]);
  }
  ck_assert(out[cells] == -5);
  ck_assert(out32[cells] == -5);
}
END_TEST

START_TEST(fill_lets_nan_travel) {
  const double bad[L] = {1, (double)NAN, 3};
  double out[CELLS];
  ck_assert_int_eq(lsqnet_prompt_fill_f64("query_last", L, D, a, LDA, bad, x, out), LSQNET_OK);
  ck_assert(isnan(out[5]));
}
END_TEST

/* a problem that is smaller than the prompt is the same as one padded with zeros by hand */
START_TEST(missing_rows_and_unknowns_are_zero) {
  const lsq_prompt *prompt = NULL;
  const double padded_a[L * D] = {11, 0, 21, 0, 0, 0}, padded_b[L] = {1, 2, 0}, padded_x[D] = {7, 0}, none[L] = {0};
  double want[CELLS], got[CELLS];
  int64_t T = 0, W = 0;
  ck_assert_int_eq(lsq_prompt_find(layouts[_i].name, &prompt), LSQNET_OK);
  ck_assert_int_eq(lsq_prompt_shape(prompt, L, D, &T, &W, NULL), LSQNET_OK);
  const size_t bytes = (size_t)(T * W) * sizeof *got;
  lsq_prompt_fill_f64(prompt, L, D, 2, 1, a, LDA, b, x, got);
  ck_assert_int_eq(lsqnet_prompt_fill_f64(prompt->name, L, D, padded_a, D, padded_b, padded_x, want), LSQNET_OK);
  ck_assert_int_eq(memcmp(want, got, bytes), 0);
  lsq_prompt_fill_f64(prompt, L, D, 2, 1, a, LDA, NULL, NULL, got);
  ck_assert_int_eq(lsqnet_prompt_fill_f64(prompt->name, L, D, padded_a, D, none, none, want), LSQNET_OK);
  ck_assert_int_eq(memcmp(want, got, bytes), 0);
}
END_TEST

START_TEST(unknown_names_get_the_list_of_prompts) {
  double out[CELLS];
  int64_t T = -1;
  ck_assert_int_eq(lsqnet_prompt_shape("icl", L, D, &T, NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "icl"));
  for (int i = 0; i < LAYOUTS; i++) ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), layouts[i].name));
  ck_assert_int_eq(T, -1);
  ck_assert_int_eq(lsqnet_prompt_fill_f64("icl", L, D, a, LDA, b, x, out), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_prompt_shape(NULL, L, D, NULL, NULL, NULL), LSQNET_E_ARGUMENT);
}
END_TEST

START_TEST(sizes_that_cannot_be_are_refused) {
  const int64_t bad[][2] = {{0, 1},
                            {1, 0},
                            {-1, 2},
                            {2, -1},
                            {INT64_MAX, 1},
                            {1, INT64_MAX},
                            {INT64_MAX / 4, INT64_MAX / 4},
                            {INT64_C(1) << 31, INT64_C(1) << 31}};
  double out[1];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ck_assert_int_eq(lsqnet_prompt_shape(layouts[_i].name, bad[i][0], bad[i][1], NULL, NULL, NULL), LSQNET_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "rows="));
    ck_assert_int_eq(lsqnet_prompt_fill_f64(layouts[_i].name, bad[i][0], bad[i][1], a, INT64_MAX, b, x, out),
                     LSQNET_E_SHAPE);
  }
}
END_TEST

START_TEST(null_arrays_and_short_rows_are_refused) {
  double out[CELLS];
  ck_assert_int_eq(lsqnet_prompt_fill_f64("split", L, D, NULL, LDA, b, x, out), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_prompt_fill_f64("split", L, D, a, LDA, NULL, x, out), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_prompt_fill_f64("split", L, D, a, LDA, b, NULL, out), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_prompt_fill_f64("split", L, D, a, LDA, b, x, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_prompt_fill_f64("split", L, D, a, D - 1, b, x, out), LSQNET_E_SHAPE);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "lda=1"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("prompts");
  TCase *layout_case = tcase_create("layouts");
  tcase_add_test(layout_case, every_prompt_has_a_known_layout);
  tcase_add_loop_test(layout_case, shape_matches_the_layout, 0, LAYOUTS);
  tcase_add_loop_test(layout_case, fill_writes_every_cell_in_both_precisions, 0, LAYOUTS);
  tcase_add_test(layout_case, fill_lets_nan_travel);
  tcase_add_loop_test(layout_case, missing_rows_and_unknowns_are_zero, 0, LAYOUTS);
  suite_add_tcase(suite, layout_case);
  TCase *error_case = tcase_create("errors");
  tcase_add_test(error_case, unknown_names_get_the_list_of_prompts);
  tcase_add_loop_test(error_case, sizes_that_cannot_be_are_refused, 0, LAYOUTS);
  tcase_add_test(error_case, null_arrays_and_short_rows_are_refused);
  suite_add_tcase(suite, error_case);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
