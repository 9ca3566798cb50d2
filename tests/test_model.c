#include <check.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"
#include "small_model.h"

START_TEST(defaults_are_the_documented_ones) {
  lsqnet_model_options o;
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o), LSQNET_OK);
  ck_assert_int_eq(o.dtype, LSQNET_F64);
  ck_assert(o.rows == 0 && o.in_width == 0 && o.out_width == 0);
  ck_assert(o.width == 64 && o.layers == 3 && o.mlp_factor == 4 && o.mlp == LSQNET_MLP_NONE);
  ck_assert(o.residual == 1 && o.bias == 1);
  ck_assert(o.mixer_norm == 0 && o.mlp_norm == 0 && o.final_norm == 0);
  ck_assert(o.freeze_projections == 0 && o.freeze_positions == 0 && o.seed == 0);
  ck_assert_str_eq(o.mixer, "base_conv");
  ck_assert_ptr_null(o.mixer_config);
  ck_assert_int_eq(lsqnet_model_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o - 1), LSQNET_E_VERSION);
}
END_TEST

#define REFUSES(field, value, status, text)  \
  do {                                       \
    lsqnet_model_options o = full_options(); \
    o.field = value;                         \
    assert_refused(&o, status, text);        \
  } while (0)

START_TEST(each_bad_option_is_named_with_its_value) {
  REFUSES(dtype, 0, LSQNET_E_ARGUMENT, "dtype=0");
  REFUSES(dtype, 3, LSQNET_E_ARGUMENT, "dtype=3");
  REFUSES(rows, 0, LSQNET_E_ARGUMENT, "rows=0");
  REFUSES(rows, -1, LSQNET_E_ARGUMENT, "rows=-1");
  REFUSES(in_width, 0, LSQNET_E_ARGUMENT, "in_width=0");
  REFUSES(out_width, 0, LSQNET_E_ARGUMENT, "out_width=0");
  REFUSES(width, 0, LSQNET_E_ARGUMENT, "width=0");
  REFUSES(layers, -1, LSQNET_E_ARGUMENT, "layers=-1");
  REFUSES(layers, 65537, LSQNET_E_SHAPE, "layers=65537");
  REFUSES(mlp_factor, 0, LSQNET_E_ARGUMENT, "mlp_factor=0");
  REFUSES(mlp, 4, LSQNET_E_ARGUMENT, "mlp=4");
  REFUSES(mlp, -1, LSQNET_E_ARGUMENT, "mlp=-1");
  REFUSES(residual, 2, LSQNET_E_ARGUMENT, "residual=2");
  REFUSES(bias, -1, LSQNET_E_ARGUMENT, "bias=-1");
  REFUSES(mixer_norm, 2, LSQNET_E_ARGUMENT, "mixer_norm=2");
  REFUSES(mlp_norm, 2, LSQNET_E_ARGUMENT, "mlp_norm=2");
  REFUSES(final_norm, 2, LSQNET_E_ARGUMENT, "final_norm=2");
  REFUSES(freeze_projections, 2, LSQNET_E_ARGUMENT, "freeze_projections=2");
  REFUSES(freeze_positions, 2, LSQNET_E_ARGUMENT, "freeze_positions=2");
  REFUSES(mixer, NULL, LSQNET_E_ARGUMENT, "mixer is NULL");
  REFUSES(mixer, "no_such_mixer", LSQNET_E_UNSUPPORTED, "no_such_mixer");
  REFUSES(size, 8, LSQNET_E_VERSION, "size=8");
  lsqnet_model_options o = full_options();
  o.mixer = "base_conv";
  o.mixer_config = "{\"filter\":";
  assert_refused(&o, LSQNET_E_FORMAT, "base_conv");
}
END_TEST

START_TEST(sizes_that_overflow_are_refused_before_memory_is_taken) {
  const int64_t huge = INT64_C(1) << 40;
  REFUSES(rows, INT64_MAX, LSQNET_E_SHAPE, "rows=");
  REFUSES(width, INT64_MAX, LSQNET_E_SHAPE, "width=");
  REFUSES(in_width, INT64_MAX, LSQNET_E_SHAPE, "in_width=");
  REFUSES(out_width, INT64_MAX, LSQNET_E_SHAPE, "out_width=");
  REFUSES(mlp_factor, INT64_MAX, LSQNET_E_SHAPE, "mlp_factor=");
  REFUSES(rows, huge, LSQNET_E_SHAPE, "positions.weight");
  REFUSES(in_width, huge, LSQNET_E_SHAPE, "read_in.weight");
  REFUSES(out_width, huge, LSQNET_E_SHAPE, "read_out.weight");
  REFUSES(mlp_factor, huge, LSQNET_E_SHAPE, "blocks.0.mlp.up.weight");
  REFUSES(mlp_factor, INT64_C(1) << 30, LSQNET_E_SHAPE, "blocks.0.mlp.gate.weight");
  REFUSES(width, huge, LSQNET_E_SHAPE, "more than");
  lsqnet_model_options o = full_options();
  o.width = o.mlp_factor = huge;
  assert_refused(&o, LSQNET_E_SHAPE, "more than");
}
END_TEST

START_TEST(null_is_answered_not_followed) {
  const lsqnet_model_options o = full_options();
  lsqnet_model *model = (lsqnet_model *)&model;
  double value;
  ck_assert_int_eq(lsqnet_model_create(NULL, context, &o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_create(&model, NULL, &o), LSQNET_E_ARGUMENT);
  ck_assert_ptr_null(model);
  ck_assert_int_eq(lsqnet_model_create(&model, context, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_clone(NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_clone(&model, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_convert(NULL, NULL, LSQNET_F32), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_convert(&model, NULL, LSQNET_F32), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_parameter_count(NULL), 0);
  ck_assert_int_eq(lsqnet_model_weight_count(NULL), 0);
  ck_assert_int_eq(lsqnet_model_find_parameter(NULL, "positions.weight"), -1);
  ck_assert_int_eq(lsqnet_model_read_parameter(NULL, 0, &value, 1), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_write_parameter(NULL, 0, &value, 1), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_freeze(NULL, 0, 1), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(NULL);
}
END_TEST

START_TEST(options_come_back_as_given) {
  struct {
    lsqnet_model_options known;
    int64_t later;
  } got = {.later = 1};
  char mixer[] = "base_conv", config[] = "{\"filter\": \"long\"}";
  lsqnet_model_options o = full_options();
  o.mixer = mixer;
  o.mixer_config = config;
  o.seed = UINT64_MAX;
  lsqnet_model *model = create(&o);
  mixer[0] = config[0] = 'x';
  ck_assert_int_eq(lsqnet_model_get_options(model, &got.known, sizeof got), LSQNET_OK);
  ck_assert(got.known.size == sizeof got && got.later == 0);
  ck_assert(got.known.dtype == o.dtype && got.known.rows == 5 && got.known.in_width == 3 && got.known.out_width == 2);
  ck_assert(got.known.width == 4 && got.known.layers == 2 && got.known.mlp_factor == 3 && got.known.seed == UINT64_MAX);
  ck_assert(got.known.mlp == LSQNET_MLP_GLU && got.known.mixer_norm == 1 && got.known.residual == 1);
  ck_assert_str_eq(got.known.mixer, "base_conv");
  ck_assert_str_eq(got.known.mixer_config, "{\"filter\": \"long\"}");
  ck_assert_int_eq(lsqnet_model_get_options(model, &got.known, 8), LSQNET_E_VERSION);
  ck_assert_int_eq(lsqnet_model_get_options(model, NULL, sizeof got), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_get_options(NULL, &got.known, sizeof got), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(model);
}
END_TEST

/* A model that fits the split prompt of 4 rows and 3 unknowns. */
static lsqnet_model *split_model(void) {
  lsqnet_model_options o = full_options();
  o.rows = 5;
  o.in_width = 7;
  o.out_width = 3;
  return create(&o);
}

static lsqnet_model_step split_step(void) {
  return (lsqnet_model_step){.size = sizeof(lsqnet_model_step),
                             .output = LSQNET_OUTPUT_ITERATE,
                             .rows = 4,
                             .dim = 3,
                             .iterates = 2,
                             .step = 0.25,
                             .task = "multistep_gd",
                             .prompt = "split"};
}

START_TEST(the_step_comes_back_as_set) {
  lsqnet_model *model = split_model();
  char prompt[] = "split";
  lsqnet_model_step step = split_step(), got;
  ck_assert_int_eq(lsqnet_model_get_step(model, &got, sizeof got), LSQNET_OK);
  ck_assert(got.output == LSQNET_OUTPUT_NONE && got.prompt == NULL && got.task == NULL);
  step.prompt = prompt;
  for (int twice = 0; twice < 2; twice++) {
    memcpy(prompt, "split", sizeof prompt);
    ck_assert_int_eq(lsqnet_model_set_step(model, &step), LSQNET_OK);
    prompt[0] = 'x';
    ck_assert_int_eq(lsqnet_model_get_step(model, &got, sizeof got), LSQNET_OK);
    ck_assert(got.output == LSQNET_OUTPUT_ITERATE && got.rows == 4 && got.dim == 3 && got.iterates == 2);
    ck_assert(got.step == 0.25);
    ck_assert_str_eq(got.task, "multistep_gd");
    ck_assert_str_eq(got.prompt, "split");
  }
  ck_assert_int_eq(lsqnet_model_get_step(model, &got, 4), LSQNET_E_VERSION);
  ck_assert_int_eq(lsqnet_model_get_step(model, NULL, sizeof got), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_get_step(NULL, &got, sizeof got), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_set_step(NULL, &step), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_set_step(model, NULL), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(model);
}
END_TEST

#define REFUSES_STEP(field, value, status, text)                   \
  do {                                                             \
    lsqnet_model_step step = split_step();                         \
    step.field = value;                                            \
    ck_assert_int_eq(lsqnet_model_set_step(model, &step), status); \
    assert_message_has(text);                                      \
  } while (0)

START_TEST(a_step_that_is_not_the_model_s_is_refused) {
  lsqnet_model *model = split_model();
  lsqnet_model_step got;
  REFUSES_STEP(size, 4, LSQNET_E_VERSION, "size=4");
  REFUSES_STEP(output, 4, LSQNET_E_ARGUMENT, "output=4");
  REFUSES_STEP(output, -1, LSQNET_E_ARGUMENT, "output=-1");
  REFUSES_STEP(rows, 0, LSQNET_E_ARGUMENT, "rows=0");
  REFUSES_STEP(dim, 0, LSQNET_E_ARGUMENT, "dim=0");
  REFUSES_STEP(dim, -5, LSQNET_E_ARGUMENT, "dim=-5");
  REFUSES_STEP(iterates, 0, LSQNET_E_ARGUMENT, "iterates=0");
  REFUSES_STEP(step, 0, LSQNET_E_ARGUMENT, "step=0");
  REFUSES_STEP(step, NAN, LSQNET_E_ARGUMENT, "step=nan");
  REFUSES_STEP(step, INFINITY, LSQNET_E_ARGUMENT, "step=inf");
  REFUSES_STEP(prompt, "no_such_prompt", LSQNET_E_ARGUMENT, "no_such_prompt");
  REFUSES_STEP(prompt, "query_first", LSQNET_E_SHAPE, "query_first");
  REFUSES_STEP(rows, 5, LSQNET_E_SHAPE, "rows=5");
  REFUSES_STEP(dim, 4, LSQNET_E_SHAPE, "dim=4");
  lsqnet_model_options narrow = full_options();
  const lsqnet_model_step step = split_step();
  narrow.in_width = 7;
  narrow.out_width = 2;
  lsqnet_model *few_outputs = create(&narrow);
  ck_assert_int_eq(lsqnet_model_set_step(few_outputs, &step), LSQNET_E_SHAPE);
  assert_message_has("has 2");
  lsqnet_model_destroy(few_outputs);
  ck_assert_int_eq(lsqnet_model_get_step(model, &got, sizeof got), LSQNET_OK);
  ck_assert_int_eq(got.output, LSQNET_OUTPUT_NONE);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(a_clone_is_equal_and_its_own) {
  lsqnet_model *model = split_model(), *clone = NULL;
  const lsqnet_model_step step = split_step();
  lsqnet_model_step got;
  ck_assert_int_eq(lsqnet_model_set_step(model, &step), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_freeze(model, 1, 1), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_clone(&clone, model), LSQNET_OK);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    ck_assert(same_values(model, clone, parameter(model, i).name));
    ck_assert_int_eq(parameter(clone, i).frozen, i == 1);
  }
  const int64_t positions = lsqnet_model_find_parameter(model, "positions.weight");
  const double zeros[20] = {0};
  ck_assert_int_eq(lsqnet_model_write_parameter(model, positions, zeros, 20), LSQNET_OK);
  ck_assert(!same_values(model, clone, "positions.weight"));
  lsqnet_model_destroy(model);
  ck_assert_int_eq(lsqnet_model_get_step(clone, &got, sizeof got), LSQNET_OK);
  ck_assert_str_eq(got.prompt, "split");
  lsqnet_model_destroy(clone);
}
END_TEST

START_TEST(conversion_rounds_to_nearest_and_back_exactly) {
  lsqnet_model *model = split_model(), *narrow = NULL, *wide = NULL;
  lsqnet_model_options o;
  ck_assert_int_eq(lsqnet_model_convert(&narrow, model, LSQNET_F32), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_convert(&wide, narrow, LSQNET_F64), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_get_options(narrow, &o, sizeof o), LSQNET_OK);
  ck_assert_int_eq(o.dtype, LSQNET_F32);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    const char *name = parameter(model, i).name;
    double *exact = values_of(model, name), *rounded = values_of(wide, name);
    for (int64_t k = 0; k < parameter(model, i).count; k++) ck_assert(rounded[k] == (double)(float)exact[k]);
    free(exact);
    free(rounded);
  }
  double large[3] = {0, 1e300, 0};
  lsqnet_model *none = (lsqnet_model *)&none;
  ck_assert_int_eq(lsqnet_model_write_parameter(model, lsqnet_model_find_parameter(model, "read_out.bias"), large, 3),
                   LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_convert(&none, model, LSQNET_F32), LSQNET_E_NOT_FINITE);
  assert_message_has("read_out.bias");
  assert_message_has("element 1");
  ck_assert_ptr_null(none);
  ck_assert_int_eq(lsqnet_model_convert(&none, model, 7), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(narrow);
  lsqnet_model_destroy(wide);
}
END_TEST

START_TEST(a_mixer_s_failure_is_the_model_s) {
  const lsqnet_model_options o = full_options();
  faults.create = LSQNET_E_STOPPED;
  assert_refused(&o, LSQNET_E_STOPPED, "mixer tiny: tiny cannot be created");
  faults.create = LSQNET_OK;
  faults.parameter = LSQNET_E_INTERNAL;
  lsqnet_set_message("what failed before");
  assert_refused(&o, LSQNET_E_INTERNAL,
                 "mixer tiny, parameter 0: it returned 90 (LSQNET_E_INTERNAL) and left no message");
}
END_TEST

START_TEST(creation_survives_every_failed_allocation) {
  long long n = 0;
  lsqnet_model_options o = full_options();
  o.mixer = "attention";
  for (;;) {
    counting_allocator allocator = {0};
    lsqnet_context *own = NULL;
    lsqnet_model *model = NULL, *clone = NULL;
    ck_assert_int_eq(counting_context(&own, &allocator, 1), LSQNET_OK);
    allocator.refuse = allocator.calls + ++n;
    lsqnet_status status = lsqnet_model_create(&model, own, &o);
    if (status == LSQNET_OK) status = lsqnet_model_convert(&clone, model, LSQNET_F32);
    if (status != LSQNET_OK) ck_assert_int_eq(status, LSQNET_E_MEMORY);
    lsqnet_model_destroy(clone);
    lsqnet_model_destroy(model);
    lsqnet_context_destroy(own);
    ck_assert_int_eq(allocator.live, 0);
    if (status == LSQNET_OK) break;
  }
  ck_assert_int_gt(n, 100);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("model");
  TCase *tests = tcase_create("model");
  tcase_add_checked_fixture(tests, open_context, close_context);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, defaults_are_the_documented_ones);
  tcase_add_test(tests, each_bad_option_is_named_with_its_value);
  tcase_add_test(tests, sizes_that_overflow_are_refused_before_memory_is_taken);
  tcase_add_test(tests, null_is_answered_not_followed);
  tcase_add_test(tests, options_come_back_as_given);
  tcase_add_test(tests, the_step_comes_back_as_set);
  tcase_add_test(tests, a_step_that_is_not_the_model_s_is_refused);
  tcase_add_test(tests, a_clone_is_equal_and_its_own);
  tcase_add_test(tests, conversion_rounds_to_nearest_and_back_exactly);
  tcase_add_test(tests, a_mixer_s_failure_is_the_model_s);
  tcase_add_test(tests, creation_survives_every_failed_allocation);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
