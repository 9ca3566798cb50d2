#include <check.h>
#include <lsqnet/lsqnet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"

static lsqnet_context_options defaults(void) {
  lsqnet_context_options options;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  return options;
}

/* Creation is refused with `status` and a message that has `text` in it. */
static void assert_refused(const lsqnet_context_options *options, lsqnet_status status, const char *text) {
  lsqnet_context *context = (lsqnet_context *)&context;
  ck_assert_int_eq(lsqnet_context_create(&context, options), status);
  ck_assert_ptr_null(context);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "\"%s\" is not in \"%s\"", text, lsqnet_last_message());
}

START_TEST(defaults_are_the_documented_ones) {
  const lsqnet_context_options options = defaults();
  ck_assert_uint_eq(options.size, sizeof options);
  ck_assert_int_eq(options.threads, 1);
  ck_assert_int_eq(options.kernel_level, LSQNET_KERNEL_AUTO);
  ck_assert_int_eq(options.log_level, LSQNET_LOG_WARNING);
  ck_assert(options.allocate == NULL && options.release == NULL && options.allocator_user == NULL);
  ck_assert(options.log == NULL && options.log_user == NULL);
}
END_TEST

START_TEST(no_options_mean_the_defaults) {
  lsqnet_context *context = NULL;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  ck_assert_int_eq(lsqnet_context_threads(context), 1);
  ck_assert_int_ge(lsqnet_context_kernel_level(context), LSQNET_KERNEL_GENERIC);
  lsqnet_context_destroy(context);
}
END_TEST

START_TEST(each_bad_field_is_named_with_its_value) {
  const int32_t threads[] = {0, -2, 1025, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
    char text[64];
    lsqnet_context_options options = defaults();
    options.threads = threads[i];
    (void)snprintf(text, sizeof text, "threads=%ld", (long)threads[i]);
    assert_refused(&options, LSQNET_E_ARGUMENT, text);
  }
  lsqnet_context_options options = defaults();
  options.kernel_level = -1;
  assert_refused(&options, LSQNET_E_ARGUMENT, "kernel_level=-1");
  options.kernel_level = 5;
  assert_refused(&options, LSQNET_E_ARGUMENT, "kernel_level=5");
  options = defaults();
  options.log_level = -1;
  assert_refused(&options, LSQNET_E_ARGUMENT, "log_level=-1");
  options.log_level = 4;
  assert_refused(&options, LSQNET_E_ARGUMENT, "log_level=4");
  options = defaults();
  options.allocate = counting_allocate;
  assert_refused(&options, LSQNET_E_ARGUMENT, "release is NULL");
  options = defaults();
  options.release = counting_release;
  assert_refused(&options, LSQNET_E_ARGUMENT, "allocate is NULL");
}
END_TEST

START_TEST(structs_of_other_versions_are_told_apart) {
  struct {
    lsqnet_context_options known;
    unsigned char later[16];
  } wide;
  lsqnet_context *context = NULL;
  lsqnet_context_options options = defaults();
  options.size = sizeof options - 1;
  assert_refused(&options, LSQNET_E_VERSION, "size=");
  options.size = 0;
  assert_refused(&options, LSQNET_E_VERSION, "size=0");
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options - 1), LSQNET_E_VERSION);
  ck_assert_int_eq(lsqnet_context_options_init(NULL, sizeof options), LSQNET_E_ARGUMENT);

  memset(&wide, 0xff, sizeof wide);
  ck_assert_int_eq(lsqnet_context_options_init(&wide.known, sizeof wide), LSQNET_OK);
  ck_assert_uint_eq(wide.known.size, sizeof wide);
  ck_assert_int_eq(lsqnet_context_create(&context, &wide.known), LSQNET_OK);
  lsqnet_context_destroy(context);
  wide.later[15] = 1;
  assert_refused(&wide.known, LSQNET_E_VERSION, "that this library");
}
END_TEST

START_TEST(null_is_answered_not_followed) {
  ck_assert_int_eq(lsqnet_context_create(NULL, NULL), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_context_threads(NULL), 0);
  ck_assert_int_eq(lsqnet_context_kernel_level(NULL), 0);
  lsqnet_context_destroy(NULL);
}
END_TEST

START_TEST(each_kernel_level_is_there_or_refused) {
  int there = 0;
  for (int32_t level = LSQNET_KERNEL_GENERIC; level <= LSQNET_KERNEL_X86_64_V4; level++) {
    lsqnet_context *context = NULL;
    lsqnet_context_options options = defaults();
    options.kernel_level = level;
    const lsqnet_status status = lsqnet_context_create(&context, &options);
    ck_assert(status == LSQNET_OK || status == LSQNET_E_UNSUPPORTED);
    if (status == LSQNET_OK) {
      ck_assert_int_eq(lsqnet_context_kernel_level(context), level);
      there++;
    } else {
      ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "kernel_level="));
    }
    lsqnet_context_destroy(context);
  }
  ck_assert_int_ge(there, 1);
}
END_TEST

START_TEST(threads_are_those_asked_for) {
  const int32_t asked[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
    lsqnet_context *context = NULL;
    lsqnet_context_options options = defaults();
    options.threads = asked[i];
    ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
    ck_assert_int_eq(lsqnet_context_threads(context), asked[i]);
    lsqnet_context_destroy(context);
  }
  lsqnet_context *context = NULL;
  lsqnet_context_options options = defaults();
  options.threads = -1;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
  ck_assert_int_ge(lsqnet_context_threads(context), 1);
  lsqnet_context_destroy(context);
}
END_TEST

static lsqnet_model *small_model(lsqnet_context *context) {
  lsqnet_model_options options;
  lsqnet_model *model = NULL;
  ck_assert_int_eq(lsqnet_model_options_init(&options, sizeof options), LSQNET_OK);
  options.rows = 4;
  options.in_width = 3;
  options.out_width = 2;
  options.width = 5;
  ck_assert_int_eq(lsqnet_model_create(&model, context, &options), LSQNET_OK);
  return model;
}

START_TEST(every_allocation_goes_through_the_hooks_and_comes_back) {
  counting_allocator allocator = {0};
  lsqnet_context *context = NULL;
  lsqnet_workspace *workspace = NULL;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 2, .rows = 4, .count = 4};
  double x[24] = {1}, y[16];
  ck_assert_int_eq(counting_context(&context, &allocator, 2), LSQNET_OK);
  lsqnet_model *model = small_model(context);
  ck_assert_int_eq(lsqnet_workspace_create(&workspace, model), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_forward_f64(model, workspace, &shape, x, y), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_backward_f64(model, workspace, y, NULL), LSQNET_OK);
  ck_assert_int_ge(allocator.calls, 10);
  lsqnet_workspace_destroy(workspace);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  ck_assert_int_eq(allocator.live, 0);
  ck_assert_int_eq(allocator.live_bytes, 0);
  ck_assert_int_eq(allocator.misuses, 0);
}
END_TEST

START_TEST(objects_keep_their_context) {
  counting_allocator allocator = {0};
  lsqnet_context *context = NULL;
  lsqnet_workspace *workspace = NULL;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = 4, .count = 4};
  double x[12] = {1}, y[8];
  ck_assert_int_eq(counting_context(&context, &allocator, 1), LSQNET_OK);
  lsqnet_model *model = small_model(context);
  lsqnet_context_destroy(context);
  ck_assert_int_eq(lsqnet_workspace_create(&workspace, model), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_forward_f64(model, workspace, &shape, x, y), LSQNET_OK);
  lsqnet_workspace_destroy(workspace);
  ck_assert_int_gt(allocator.live, 0);
  lsqnet_model_destroy(model);
  ck_assert_int_eq(allocator.live, 0);
}
END_TEST

START_TEST(creation_survives_every_failed_allocation) {
  long long n = 0;
  for (;;) {
    counting_allocator allocator = {.refuse = ++n};
    lsqnet_context *context = NULL;
    const lsqnet_status status = counting_context(&context, &allocator, 2);
    if (status != LSQNET_OK) {
      ck_assert_int_eq(status, LSQNET_E_MEMORY);
      ck_assert_ptr_null(context);
    }
    lsqnet_context_destroy(context);
    ck_assert_int_eq(allocator.live, 0);
    if (status == LSQNET_OK) break;
  }
  ck_assert_int_gt(n, 3);
}
END_TEST

typedef struct {
  int lines, level;
  char text[256];
} log_sink;

static void take_line(void *user, int32_t level, const char *text) {
  log_sink *sink = (log_sink *)user;
  sink->lines++;
  sink->level = level;
  (void)snprintf(sink->text, sizeof sink->text, "%s", text);
}

START_TEST(the_log_gets_lines_up_to_its_level) {
  log_sink sink = {0};
  lsqnet_context *context = NULL;
  lsqnet_context_options options = defaults();
  options.log = take_line;
  options.log_user = &sink;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
  lsqnet_context_destroy(context);
  ck_assert_int_eq(sink.lines, 0);
  options.log_level = LSQNET_LOG_INFO;
  ck_assert_int_eq(lsqnet_context_create(&context, &options), LSQNET_OK);
  lsqnet_context_destroy(context);
  ck_assert_int_eq(sink.lines, 1);
  ck_assert_int_eq(sink.level, LSQNET_LOG_INFO);
  ck_assert_ptr_nonnull(strstr(sink.text, lsqnet_version()));
  ck_assert_ptr_null(strchr(sink.text, '\n'));
}
END_TEST

static void *fail_elsewhere(void *argument) {
  (void)argument;
  ck_assert_str_eq(lsqnet_last_message(), "");
  (void)lsqnet_context_create(NULL, NULL);
  return NULL;
}

START_TEST(messages_belong_to_their_thread) {
  pthread_t thread;
  lsqnet_set_message("mine");
  ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_str_eq(lsqnet_last_message(), "mine");
  lsqnet_set_message(NULL);
  ck_assert_str_eq(lsqnet_last_message(), "");
}
END_TEST

START_TEST(a_long_message_is_cut_at_511_bytes) {
  char text[1000];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  lsqnet_set_message(text);
  ck_assert_uint_eq(strlen(lsqnet_last_message()), 511);
}
END_TEST

START_TEST(every_status_has_its_name) {
  static const struct {
    lsqnet_status status;
    const char *name;
  } known[] = {{0, "LSQNET_OK"},          {10, "LSQNET_E_ARGUMENT"},    {11, "LSQNET_E_SHAPE"},
               {12, "LSQNET_E_VERSION"},  {20, "LSQNET_E_MEMORY"},      {30, "LSQNET_E_IO"},
               {31, "LSQNET_E_FORMAT"},   {40, "LSQNET_E_NOT_FINITE"},  {41, "LSQNET_E_NOT_CONVERGED"},
               {42, "LSQNET_E_RANK"},     {50, "LSQNET_E_UNSUPPORTED"}, {51, "LSQNET_E_STOPPED"},
               {90, "LSQNET_E_INTERNAL"}, {7, "unknown status"},        {-1, "unknown status"}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    ck_assert_str_eq(lsqnet_status_name(known[i].status), known[i].name);
}
END_TEST

START_TEST(the_version_has_three_numbers) {
  int major = -1, minor = -1, patch = -1, end = 0;
  ck_assert_int_eq(sscanf(lsqnet_version(), "%d.%d.%d%n", &major, &minor, &patch, &end), 3);
  ck_assert_uint_eq((size_t)end, strlen(lsqnet_version()));
  ck_assert_int_ge(lsqnet_abi_version(), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("context");
  TCase *tests = tcase_create("context");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, defaults_are_the_documented_ones);
  tcase_add_test(tests, no_options_mean_the_defaults);
  tcase_add_test(tests, each_bad_field_is_named_with_its_value);
  tcase_add_test(tests, structs_of_other_versions_are_told_apart);
  tcase_add_test(tests, null_is_answered_not_followed);
  tcase_add_test(tests, each_kernel_level_is_there_or_refused);
  tcase_add_test(tests, threads_are_those_asked_for);
  tcase_add_test(tests, every_allocation_goes_through_the_hooks_and_comes_back);
  tcase_add_test(tests, objects_keep_their_context);
  tcase_add_test(tests, creation_survives_every_failed_allocation);
  tcase_add_test(tests, the_log_gets_lines_up_to_its_level);
  tcase_add_test(tests, messages_belong_to_their_thread);
  tcase_add_test(tests, a_long_message_is_cut_at_511_bytes);
  tcase_add_test(tests, every_status_has_its_name);
  tcase_add_test(tests, the_version_has_three_numbers);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
