/* The registry of mixers: what it takes and refuses, and the configurations of the built-in ones. */
#include <check.h>
#include <lsqnet/lsqnet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "layers/registry.h"

static lsqnet_context *context;
static lsqnet_mixer good; /* the identity's table under another name */

static const lsqnet_mixer *find(const char *name) {
  const lsqnet_mixer *mixer = NULL;
  ck_assert_int_eq(lsq_registry_find(context->mixers, name, &mixer), LSQNET_OK);
  return mixer;
}

static void set_up(void) {
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  good = *find("identity");
  good.name = "mine";
}

static void tear_down(void) { lsqnet_context_destroy(context); }

static void check_refused(const lsqnet_mixer *mixer, lsqnet_status status, const char *named) {
  const int64_t before = lsqnet_context_mixer_count(context);
  ck_assert_int_eq(lsqnet_context_register_mixer(context, mixer), status);
  ck_assert_msg(strstr(lsqnet_last_message(), named) != NULL, "\"%s\" does not name %s", lsqnet_last_message(), named);
  ck_assert_int_eq(lsqnet_context_mixer_count(context), before);
}

START_TEST(built_in_mixers_are_registered_in_order) {
  ck_assert_int_eq(lsqnet_context_mixer_count(context), 3);
  ck_assert_str_eq(lsqnet_context_mixer_name(context, 0), "base_conv");
  ck_assert_str_eq(lsqnet_context_mixer_name(context, 1), "attention");
  ck_assert_str_eq(lsqnet_context_mixer_name(context, 2), "identity");
  ck_assert_ptr_null(lsqnet_context_mixer_name(context, 3));
  ck_assert_ptr_null(lsqnet_context_mixer_name(context, -1));
  ck_assert_ptr_null(lsqnet_context_mixer_name(NULL, 0));
  ck_assert_int_eq(lsqnet_context_mixer_count(NULL), 0);
}
END_TEST

START_TEST(a_registered_mixer_is_a_copy) {
  char name[] = "mine";
  good.name = name;
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &good), LSQNET_OK);
  memset(name, 'x', 4);
  memset(&good, 0, sizeof good);
  ck_assert_str_eq(lsqnet_context_mixer_name(context, 3), "mine");
  ck_assert_ptr_nonnull(find("mine")->forward_f64);
  ck_assert_str_eq(find("mine")->name, "mine");
}
END_TEST

START_TEST(null_arguments_are_refused) {
  ck_assert_int_eq(lsqnet_context_register_mixer(NULL, &good), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_context_register_mixer(context, NULL), LSQNET_E_ARGUMENT);
}
END_TEST

START_TEST(a_missing_function_is_named) {
  lsqnet_mixer bad = good;
#define REFUSED_WITHOUT(function) \
  bad = good;                     \
  bad.function = NULL;            \
  check_refused(&bad, LSQNET_E_ARGUMENT, #function)
  REFUSED_WITHOUT(create);
  REFUSED_WITHOUT(destroy);
  REFUSED_WITHOUT(parameter_count);
  REFUSED_WITHOUT(parameter);
  REFUSED_WITHOUT(workspace);
  REFUSED_WITHOUT(forward_f64);
  REFUSED_WITHOUT(backward_f64);
  REFUSED_WITHOUT(forward_f32);
  REFUSED_WITHOUT(backward_f32);
  bad = good;
  bad.forward_f32 = NULL;
  bad.backward_f32 = NULL;
  check_refused(&bad, LSQNET_E_ARGUMENT, "forward_f32");
  bad.jvp_f32 = NULL;
  bad.jvp_f64 = NULL;
  bad.initialize = NULL;
  bad.config = NULL;
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &bad), LSQNET_OK);
}
END_TEST

START_TEST(malformed_names_are_refused) {
  static const char *const names[] = {"",
                                      "Mine",
                                      "my-mixer",
                                      "my mixer",
                                      "a.b",
                                      "\xc3\xa9",
                                      "a234567890123456789012345678901234567890123456789012345678901234"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    good.name = names[i];
    check_refused(&good, LSQNET_E_ARGUMENT, "name");
  }
  good.name = NULL;
  check_refused(&good, LSQNET_E_ARGUMENT, "name");
  good.name = "a23456789012345678901234567890123456789012345678901234567890_63";
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &good), LSQNET_OK);
}
END_TEST

START_TEST(taken_names_are_refused) {
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &good), LSQNET_OK);
  check_refused(&good, LSQNET_E_ARGUMENT, "mine");
  good.name = "base_conv";
  check_refused(&good, LSQNET_E_ARGUMENT, "base_conv");
}
END_TEST

START_TEST(unknown_flags_are_refused) {
  good.flags = LSQNET_MIXER_POLYNOMIAL | 0x80;
  check_refused(&good, LSQNET_E_ARGUMENT, "0x81");
}
END_TEST

START_TEST(sizes_that_no_release_had_are_refused) {
  struct {
    lsqnet_mixer mixer;
    uint64_t future;
  } longer = {good, 0};
  longer.mixer.size = sizeof longer;
  longer.future = 1;
  check_refused(&longer.mixer, LSQNET_E_VERSION, "size");
  longer.future = 0;
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &longer.mixer), LSQNET_OK);
  good.size = sizeof good - 1;
  check_refused(&good, LSQNET_E_VERSION, "size");
  good.size = 0;
  check_refused(&good, LSQNET_E_VERSION, "size");
}
END_TEST

START_TEST(an_unknown_mixer_is_unsupported_and_the_known_ones_are_listed) {
  const lsqnet_mixer *mixer = &good;
  ck_assert_int_eq(lsq_registry_find(context->mixers, "hyena", &mixer), LSQNET_E_UNSUPPORTED);
  ck_assert_ptr_null(mixer);
  static const char *const named[] = {"hyena", "base_conv", "attention", "identity"};
  for (int i = 0; i < 4; i++) ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), named[i]));
}
END_TEST

enum { THREADS = 4, EACH = 50 };

static void *register_many(void *argument) {
  lsqnet_mixer mixer = good;
  char name[32];
  mixer.name = name;
  for (int i = 0; i < EACH; i++) {
    (void)snprintf(name, sizeof name, "mixer_%d_%d", *(const int *)argument, i);
    if (lsqnet_context_register_mixer(context, &mixer) != LSQNET_OK) return argument;
    if (strcmp(lsqnet_context_mixer_name(context, 0), "base_conv") != 0) return argument;
  }
  return NULL;
}

START_TEST(threads_may_register_at_once_and_entries_stay_where_they_are) {
  pthread_t threads[THREADS];
  int numbers[THREADS];
  const char *name = lsqnet_context_mixer_name(context, 0);
  const lsqnet_mixer *mixer = find("base_conv");
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    ck_assert_int_eq(pthread_create(&threads[i], NULL, register_many, &numbers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    void *failed = NULL;
    ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
    ck_assert_ptr_null(failed);
  }
  ck_assert_int_eq(lsqnet_context_mixer_count(context), 3 + THREADS * EACH);
  ck_assert_ptr_eq(name, lsqnet_context_mixer_name(context, 0));
  ck_assert_ptr_eq(mixer, find("base_conv"));
  ck_assert_ptr_nonnull(find("mixer_3_49"));
}
END_TEST

static const struct {
  const char *mixer, *config;
  lsqnet_status status;
  const char *named[2];
} bad_configs[] = {
    {"base_conv", "", LSQNET_E_FORMAT, {"base_conv", "line 1"}},
    {"base_conv", "{\"filter\":", LSQNET_E_FORMAT, {"base_conv", "line 1"}},
    {"base_conv", "{\n\"causal\":true,}", LSQNET_E_FORMAT, {"base_conv", "line 2"}},
    {"base_conv", "{\"causal\":true,\"causal\":true}", LSQNET_E_FORMAT, {"base_conv", "duplicate"}},
    {"base_conv", "{} {}", LSQNET_E_FORMAT, {"base_conv", "line 1"}},
    {"base_conv", "[1]", LSQNET_E_FORMAT, {"[1]", "object"}},
    {"base_conv", "{\"filters\":\"long\"}", LSQNET_E_ARGUMENT, {"filters", "filter, causal"}},
    {"base_conv", "{\"filter\":\"wide\"}", LSQNET_E_ARGUMENT, {"\"wide\"", "short, long, implicit"}},
    {"base_conv", "{\"filter\":3}", LSQNET_E_ARGUMENT, {"\"filter\" is 3", "short, long, implicit"}},
    {"base_conv", "{\"causal\":1}", LSQNET_E_ARGUMENT, {"\"causal\" is 1", "true or false"}},
    {"base_conv", "{\"causal\":null}", LSQNET_E_ARGUMENT, {"\"causal\" is null", "true or false"}},
    {"attention", "{\"heads\":3}", LSQNET_E_ARGUMENT, {"\"heads\" is 3", "width=8"}},
    {"attention", "{\"heads\":0}", LSQNET_E_ARGUMENT, {"\"heads\" is 0", "width=8"}},
    {"attention", "{\"heads\":-1}", LSQNET_E_ARGUMENT, {"\"heads\" is -1", "width=8"}},
    {"attention", "{\"heads\":2.0}", LSQNET_E_ARGUMENT, {"\"heads\" is 2.0", "an integer"}},
    {"attention", "{\"heads\":\"2\"}", LSQNET_E_ARGUMENT, {"\"heads\" is \"2\"", "an integer"}},
    {"attention", "{\"softmax\":{}}", LSQNET_E_ARGUMENT, {"\"softmax\" is {}", "true or false"}},
    {"attention", "{\"filter\":\"short\"}", LSQNET_E_ARGUMENT, {"filter", "heads, softmax, causal"}},
    {"base_conv", "{\"taps\":5}", LSQNET_E_ARGUMENT, {"taps", "1 to 4"}},
    {"base_conv", "{\"taps\":[0]}", LSQNET_E_ARGUMENT, {"taps", "block 0"}},
    {"base_conv", "{\"taps\":[1,2]}", LSQNET_E_SHAPE, {"2 numbers", "1 blocks"}},
    {"base_conv", "{\"filter\":\"long\",\"taps\":1}", LSQNET_E_ARGUMENT, {"taps", "short"}},
    {"base_conv", "{\"shift\":-1,\"shifted\":1}", LSQNET_E_ARGUMENT, {"shift", "0 to 3"}},
    {"base_conv", "{\"shift\":4,\"shifted\":1}", LSQNET_E_ARGUMENT, {"shift", "0 to 3"}},
    {"base_conv", "{\"shift\":[1,2],\"shifted\":1}", LSQNET_E_SHAPE, {"shift", "1 blocks"}},
    {"base_conv", "{\"shift\":1}", LSQNET_E_ARGUMENT, {"shifted", "together"}},
    {"base_conv", "{\"shifted\":1}", LSQNET_E_ARGUMENT, {"shift", "together"}},
    {"base_conv", "{\"shift\":1,\"shifted\":1.5}", LSQNET_E_ARGUMENT, {"shifted", "integer from 0"}},
    {"base_conv", "{\"shift\":1,\"shifted\":1000}", LSQNET_E_ARGUMENT, {"shifted", "integer from 0"}},
    {"base_conv", "{\"filter\":\"implicit\",\"shift\":1,\"shifted\":1}", LSQNET_E_ARGUMENT, {"shift", "short"}},
    {"identity", "{\"heads\":1}", LSQNET_E_ARGUMENT, {"heads", "none"}},
    {"identity", "nothing", LSQNET_E_FORMAT, {"identity", "line 1"}},
};
enum { BAD_CONFIGS = sizeof bad_configs / sizeof *bad_configs };

static const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, 4, 8, 1, 1, 0, 0};

START_TEST(a_bad_configuration_is_named) {
  void *state = NULL;
  const lsqnet_mixer *mixer = find(bad_configs[_i].mixer);
  ck_assert_int_eq(mixer->create(&state, context, mixer->user, &sizes, bad_configs[_i].config), bad_configs[_i].status);
  for (int k = 0; k < 2; k++)
    ck_assert_msg(strstr(lsqnet_last_message(), bad_configs[_i].named[k]) != NULL, "\"%s\" does not name %s",
                  lsqnet_last_message(), bad_configs[_i].named[k]);
}
END_TEST

START_TEST(configurations_are_written_whole) {
  static const struct {
    const char *mixer, *config, *written;
  } good_configs[] = {
      {"base_conv", "{}", "{\"filter\":\"short\",\"causal\":true}"},
      {"base_conv", " {\"causal\" : false, \"filter\":\"implicit\"}", "{\"filter\":\"implicit\",\"causal\":false}"},
      {"attention", "{}", "{\"heads\":1,\"softmax\":true,\"causal\":true}"},
      {"attention", "{\"causal\":false,\"softmax\":false,\"heads\":4}",
       "{\"heads\":4,\"softmax\":false,\"causal\":false}"},
      {"identity", "{}", "{}"},
  };
  for (int i = 0; i < 5; i++) {
    char text[64] = "untouched";
    uint64_t needed = 0;
    void *state = NULL;
    const lsqnet_mixer *mixer = find(good_configs[i].mixer);
    const char *written = good_configs[i].written;
    ck_assert_int_eq(mixer->create(&state, context, mixer->user, &sizes, good_configs[i].config), LSQNET_OK);
    ck_assert_int_eq(mixer->config(state, text, 0, &needed), LSQNET_OK);
    ck_assert_str_eq(text, "untouched");
    ck_assert_uint_eq(needed, strlen(written) + 1);
    ck_assert_int_eq(mixer->config(state, text, sizeof text, &needed), LSQNET_OK);
    ck_assert_str_eq(text, written);
    mixer->destroy(state);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("registry");
  TCase *tests = tcase_create("registry");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, built_in_mixers_are_registered_in_order);
  tcase_add_test(tests, a_registered_mixer_is_a_copy);
  tcase_add_test(tests, null_arguments_are_refused);
  tcase_add_test(tests, a_missing_function_is_named);
  tcase_add_test(tests, malformed_names_are_refused);
  tcase_add_test(tests, taken_names_are_refused);
  tcase_add_test(tests, unknown_flags_are_refused);
  tcase_add_test(tests, sizes_that_no_release_had_are_refused);
  tcase_add_test(tests, an_unknown_mixer_is_unsupported_and_the_known_ones_are_listed);
  tcase_add_test(tests, threads_may_register_at_once_and_entries_stay_where_they_are);
  tcase_add_loop_test(tests, a_bad_configuration_is_named, 0, BAD_CONFIGS);
  tcase_add_test(tests, configurations_are_written_whole);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
