#include <check.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "small_model.h"

typedef struct {
  const char *name, *reference;
  int64_t rank, shape[2];
} expected_parameter;

static const expected_parameter ends[] = {
    {"read_in.weight", "_read_in.weight", 2, {4, 3}},
    {"read_in.bias", "_read_in.bias", 1, {4}},
    {"positions.weight", "_backbone.transformer.wpe.weight", 2, {5, 4}},
    {"final_norm.weight", "_backbone.transformer.ln_f.weight", 1, {4}},
    {"final_norm.bias", "_backbone.transformer.ln_f.bias", 1, {4}},
    {"read_out.weight", "_read_out.weight", 2, {2, 4}},
    {"read_out.bias", "_read_out.bias", 1, {2}},
};
static const expected_parameter block[] = {
    {"norm_1.weight", "ln_1.weight", 1, {4}},
    {"norm_1.bias", "ln_1.bias", 1, {4}},
    {"mixer.gain", NULL, 2, {1, 4}},
    {"mixer.shift", NULL, 1, {4}},
    {"norm_2.weight", "ln_2.weight", 1, {4}},
    {"norm_2.bias", "ln_2.bias", 1, {4}},
    {"mlp.up.weight", "mlp.c_fc.weight", 2, {12, 4}},
    {"mlp.up.bias", "mlp.c_fc.bias", 1, {12}},
    {"mlp.gate.weight", "mlp.activ.proj1.weight", 2, {12, 12}},
    {"mlp.value.weight", "mlp.activ.proj2.weight", 2, {12, 12}},
    {"mlp.down.weight", "mlp.c_proj.weight", 2, {4, 12}},
    {"mlp.down.bias", "mlp.c_proj.bias", 1, {4}},
};
enum { ENDS = sizeof ends / sizeof ends[0], IN_BLOCK = sizeof block / sizeof block[0], HEAD = 3 };

/* The parameter at `index` is `e`, of block `number` unless that is -1; returns the offset behind it. */
static int64_t assert_listed(const lsqnet_model *model, int64_t index, const expected_parameter *e, int number,
                             int64_t offset) {
  char name[128], reference[128];
  const lsqnet_parameter p = parameter(model, index);
  (void)snprintf(name, sizeof name, number < 0 ? "%s" : "blocks.%2$d.%1$s", e->name, number);
  ck_assert_str_eq(p.name, name);
  if (e->reference != NULL) {
    (void)snprintf(reference, sizeof reference, number < 0 ? "%s" : "_backbone.transformer.h.%2$d.%1$s", e->reference,
                   number);
    ck_assert_str_eq(p.reference_name, reference);
  } else {
    ck_assert_ptr_null(p.reference_name);
  }
  ck_assert_int_eq(p.rank, e->rank);
  ck_assert_int_eq(p.shape[0], e->shape[0]);
  ck_assert_int_eq(p.shape[1], e->shape[1]);
  ck_assert_int_eq(p.frozen, 0);
  ck_assert_int_eq(p.offset, offset);
  ck_assert_int_eq(p.count, e->shape[0] * (e->rank == 2 ? e->shape[1] : 1));
  ck_assert_int_eq(lsqnet_model_find_parameter(model, name), index);
  return p.offset + p.count;
}

START_TEST(parameters_are_listed_in_the_documented_order) {
  const lsqnet_model_options o = full_options();
  lsqnet_model *model = create(&o);
  int64_t offset = 0, index = 0;
  for (int i = 0; i < HEAD; i++) offset = assert_listed(model, index++, &ends[i], -1, offset);
  for (int number = 0; number < 2; number++)
    for (int i = 0; i < IN_BLOCK; i++) offset = assert_listed(model, index++, &block[i], number, offset);
  for (int i = HEAD; i < ENDS; i++) offset = assert_listed(model, index++, &ends[i], -1, offset);
  ck_assert_int_eq(lsqnet_model_parameter_count(model), index);
  ck_assert_int_eq(lsqnet_model_weight_count(model), offset);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, "blocks.2.mixer.gain"), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, ""), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, NULL), -1);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(options_take_parameters_away) {
  static const char *const without_bias[] = {"final_norm.bias", "blocks.0.norm_1.bias", "blocks.1.norm_2.bias",
                                             "blocks.0.mlp.up.bias", "blocks.1.mlp.down.bias"};
  lsqnet_model_options o = full_options();
  o.bias = 0;
  lsqnet_model *model = create(&o);
  for (size_t i = 0; i < sizeof without_bias / sizeof without_bias[0]; i++)
    ck_assert_int_eq(lsqnet_model_find_parameter(model, without_bias[i]), -1);
  ck_assert_int_ge(lsqnet_model_find_parameter(model, "read_in.bias"), 0);
  ck_assert_int_ge(lsqnet_model_find_parameter(model, "read_out.bias"), 0);
  lsqnet_model_destroy(model);

  o = full_options();
  o.mlp = LSQNET_MLP_GELU;
  model = create(&o);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, "blocks.0.mlp.gate.weight"), -1);
  ck_assert_int_ge(lsqnet_model_find_parameter(model, "blocks.0.mlp.up.weight"), 0);
  lsqnet_model_destroy(model);

  o.mlp = LSQNET_MLP_NONE;
  model = create(&o);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, "blocks.0.mlp.up.weight"), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(model, "blocks.0.norm_2.weight"), -1);
  lsqnet_model_destroy(model);

  o.layers = 0;
  model = create(&o);
  ck_assert_int_eq(lsqnet_model_parameter_count(model), ENDS);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(initial_values_are_those_of_the_reference) {
  const lsqnet_model_options o = full_options();
  lsqnet_model *model = create(&o);
  static const char *const ones[] = {"final_norm.weight", "blocks.1.norm_1.weight", "blocks.0.norm_2.weight"};
  static const char *const zeros[] = {"final_norm.bias",      "blocks.0.norm_1.bias",   "blocks.1.norm_2.bias",
                                      "blocks.0.mlp.up.bias", "blocks.1.mlp.down.bias", "blocks.0.mixer.shift"};
  for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
    double *values = values_of(model, ones[i]);
    for (int k = 0; k < 4; k++) ck_assert(values[k] == 1);
    free(values);
  }
  for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
    double *values = values_of(model, zeros[i]);
    for (int k = 0; k < 4; k++) ck_assert(values[k] == 0);
    free(values);
  }
  double *read_in = values_of(model, "read_in.weight");
  for (int k = 0; k < 12; k++) ck_assert(fabs(read_in[k]) < 1 / sqrt(3));
  free(read_in);
  lsqnet_model_destroy(model);
}
END_TEST

/* Mean square of a parameter of n values, each of variance v, is v within six deviations of its own, v sqrt(k/n): k is
 * 2 for normal values and 4/5 for uniform ones. */
static void assert_variance(const lsqnet_model *model, const char *name, double v, double k) {
  double *values = values_of(model, name), sum = 0;
  const int64_t n = parameter(model, lsqnet_model_find_parameter(model, name)).count;
  for (int64_t i = 0; i < n; i++) sum += values[i] * values[i];
  ck_assert_msg(fabs(sum / (double)n - v) <= 6 * v * sqrt(k / (double)n), "%s: %g is not %g", name, sum / (double)n, v);
  free(values);
}

START_TEST(initial_values_have_the_reference_s_variance) {
  lsqnet_model_options o = full_options();
  o.width = 64;
  o.rows = 40;
  o.in_width = o.out_width = 50;
  lsqnet_model *model = create(&o);
  assert_variance(model, "read_in.weight", 1.0 / 50 / 3, 0.8);
  assert_variance(model, "read_in.bias", 1.0 / 50 / 3, 0.8);
  assert_variance(model, "read_out.weight", 1.0 / 64 / 3, 0.8);
  assert_variance(model, "positions.weight", 4e-4, 2);
  assert_variance(model, "blocks.0.mixer.gain", 4e-4, 2);
  assert_variance(model, "blocks.1.mlp.up.weight", 4e-4, 2);
  assert_variance(model, "blocks.1.mlp.gate.weight", 4e-4, 2);
  assert_variance(model, "blocks.0.mlp.value.weight", 4e-4, 2);
  assert_variance(model, "blocks.0.mlp.down.weight", 4e-4 / 4, 2);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(the_seed_fixes_each_parameter_by_itself) {
  lsqnet_model_options o = full_options();
  lsqnet_model *first = create(&o), *again = create(&o);
  o.seed = 1;
  lsqnet_model *other = create(&o);
  o.seed = 0;
  o.in_width = 9;
  o.rows = 7;
  lsqnet_model *wider = create(&o);
  ck_assert(same_values(first, again, "read_in.weight"));
  ck_assert(same_values(first, again, "blocks.1.mlp.down.weight"));
  ck_assert(!same_values(first, other, "read_in.weight"));
  ck_assert(!same_values(first, other, "positions.weight"));
  ck_assert(!same_values(first, other, "blocks.1.mixer.gain"));
  ck_assert(same_values(first, wider, "blocks.0.mixer.gain"));
  ck_assert(same_values(first, wider, "read_out.weight"));
  double *gate = values_of(first, "blocks.0.mlp.gate.weight"), *value = values_of(first, "blocks.0.mlp.value.weight");
  ck_assert(gate[0] != value[0] && gate[1] != value[1]);
  free(gate);
  free(value);
  lsqnet_model_destroy(first);
  lsqnet_model_destroy(again);
  lsqnet_model_destroy(other);
  lsqnet_model_destroy(wider);
}
END_TEST

START_TEST(frozen_ends_start_as_identities) {
  lsqnet_model_options o = full_options();
  o.freeze_projections = o.freeze_positions = 1;
  lsqnet_model *model = create(&o);
  double *read_in = values_of(model, "read_in.weight"), *read_out = values_of(model, "read_out.weight");
  double *positions = values_of(model, "positions.weight"), *bias = values_of(model, "read_in.bias");
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 3; j++) ck_assert(read_in[i * 3 + j] == (i == j));
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++) ck_assert(read_out[i * 4 + j] == (i == j));
  for (int i = 0; i < 20; i++) ck_assert(positions[i] == 0);
  for (int i = 0; i < 4; i++) ck_assert(bias[i] == 0);
  free(read_in);
  free(read_out);
  free(positions);
  free(bias);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    const lsqnet_parameter p = parameter(model, i);
    const int end = strncmp(p.name, "read_", 5) == 0 || strncmp(p.name, "positions", 9) == 0;
    ck_assert_int_eq(p.frozen, end);
  }
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(what_is_written_is_read) {
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    lsqnet_model_options o = full_options();
    o.dtype = dtype;
    lsqnet_model *model = create(&o);
    const int64_t index = lsqnet_model_find_parameter(model, "read_out.weight");
    double in[8] = {1.0 / 3, -2, 1e-3, 4, 5, 6, 7, 8}, out[8];
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, in, 8), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, index, out, 8), LSQNET_OK);
    for (int i = 0; i < 8; i++) ck_assert(out[i] == (dtype == LSQNET_F32 ? (double)(float)in[i] : in[i]));
    lsqnet_model_destroy(model);
  }
}
END_TEST

START_TEST(a_refused_write_changes_nothing) {
  lsqnet_model_options o = full_options();
  o.dtype = LSQNET_F32;
  lsqnet_model *model = create(&o), *before = NULL;
  ck_assert_int_eq(lsqnet_model_clone(&before, model), LSQNET_OK);
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e39};
  const int64_t index = lsqnet_model_find_parameter(model, "read_out.weight");
  double in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int i = 0; i < 4; i++) {
    in[6] = bad[i];
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, in, 8), LSQNET_E_NOT_FINITE);
    assert_message_has("read_out.weight");
    assert_message_has("element 6");
    ck_assert(same_values(model, before, "read_out.weight"));
  }
  in[6] = 7;
  ck_assert_int_eq(lsqnet_model_write_parameter(model, index, in, 7), LSQNET_E_SHAPE);
  assert_message_has("count=7");
  ck_assert_int_eq(lsqnet_model_write_parameter(model, index, NULL, 8), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_read_parameter(model, index, in, 9), LSQNET_E_SHAPE);
  ck_assert_int_eq(lsqnet_model_read_parameter(model, index, NULL, 8), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_read_parameter(model, -1, in, 8), LSQNET_E_ARGUMENT);
  assert_message_has("parameter -1");
  const int64_t count = lsqnet_model_parameter_count(model);
  ck_assert_int_eq(lsqnet_model_write_parameter(model, count, in, 8), LSQNET_E_ARGUMENT);
  lsqnet_parameter p;
  ck_assert_int_eq(lsqnet_model_get_parameter(model, count, &p, sizeof p), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_get_parameter(model, 0, NULL, sizeof p), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_model_get_parameter(model, 0, &p, sizeof p - 1), LSQNET_E_VERSION);
  ck_assert(same_values(model, before, "read_out.weight"));
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(before);
}
END_TEST

START_TEST(parameters_freeze_and_thaw) {
  const lsqnet_model_options o = full_options();
  lsqnet_model *model = create(&o);
  ck_assert_int_eq(lsqnet_model_freeze(model, 3, 1), LSQNET_OK);
  ck_assert_int_eq(parameter(model, 3).frozen, 1);
  ck_assert_int_eq(parameter(model, 4).frozen, 0);
  ck_assert_int_eq(lsqnet_model_freeze(model, 3, 0), LSQNET_OK);
  ck_assert_int_eq(parameter(model, 3).frozen, 0);
  ck_assert_int_eq(lsqnet_model_freeze(model, 3, 2), LSQNET_E_ARGUMENT);
  assert_message_has("frozen=2");
  ck_assert_int_eq(lsqnet_model_freeze(model, 999, 1), LSQNET_E_ARGUMENT);
  lsqnet_model_destroy(model);
}
END_TEST

static void assert_mixer_refused(const char *text) {
  const lsqnet_model_options o = full_options();
  assert_refused(&o, LSQNET_E_ARGUMENT, text);
  assert_message_has("tiny");
}

START_TEST(a_mixer_that_lies_about_its_parameters_is_refused) {
  char long_name[400];
  memset(long_name, 'a', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  faults.parameter_count = -3;
  assert_mixer_refused("parameter_count=-1");
  faults.parameter_count = INT64_C(1) << 40;
  assert_mixer_refused("parameter_count=");
  faults.parameter_count = 0;
  faults.lies = 1;
  const lsqnet_mixer_parameter good = {
      .size = sizeof good, .rank = 1, .shape = {4}, .name = "other", .reference_name = NULL};
#define LIES(field, value, text) \
  do {                           \
    faults.lie = good;           \
    faults.lie.field = value;    \
    assert_mixer_refused(text);  \
  } while (0)
  LIES(rank, 0, "rank=0");
  LIES(rank, 5, "rank=5");
  LIES(shape[0], 0, "shape[0]=0");
  LIES(shape[0], -4, "shape[0]=-4");
  LIES(frozen, 2, "frozen=2");
  LIES(name, NULL, "name");
  LIES(name, "", "name");
  LIES(name, "a b", "name");
  LIES(name, "gain", "blocks.0.mixer.gain");
#undef LIES
  const lsqnet_model_options o = full_options();
  faults.lie = good;
  faults.lie.name = long_name;
  assert_refused(&o, LSQNET_E_ARGUMENT, "longer than");
  faults.lie = good;
  faults.lie.shape[0] = INT64_MAX;
  assert_refused(&o, LSQNET_E_SHAPE, "blocks.0.mixer.other");
  faults.lie = good;
  faults.lie.frozen = 1;
  lsqnet_model *model = create(&o);
  ck_assert_int_eq(parameter(model, lsqnet_model_find_parameter(model, "blocks.1.mixer.other")).frozen, 1);
  lsqnet_model_destroy(model);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("parameters");
  TCase *tests = tcase_create("parameters");
  tcase_add_checked_fixture(tests, open_context, close_context);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, parameters_are_listed_in_the_documented_order);
  tcase_add_test(tests, options_take_parameters_away);
  tcase_add_test(tests, initial_values_are_those_of_the_reference);
  tcase_add_test(tests, initial_values_have_the_reference_s_variance);
  tcase_add_test(tests, the_seed_fixes_each_parameter_by_itself);
  tcase_add_test(tests, frozen_ends_start_as_identities);
  tcase_add_test(tests, what_is_written_is_read);
  tcase_add_test(tests, a_refused_write_changes_nothing);
  tcase_add_test(tests, parameters_freeze_and_thaw);
  tcase_add_test(tests, a_mixer_that_lies_about_its_parameters_is_refused);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
