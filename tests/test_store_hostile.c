/* Model files that are wrong, from broken bytes to configurations that ask for too much, and everything else that can
 * fail on the way in or out of memory. */
#include <check.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"
#include "memory_file.h"
#include "store/safetensors.h"

static lsqnet_context *context;
static counting_allocator allocator;

static void setup(void) {
  memset(&allocator, 0, sizeof allocator);
  ck_assert_ok(counting_context(&context, &allocator, 1));
}

/* Whatever a test did, nothing may be left. */
static void teardown(void) {
  lsqnet_context_destroy(context);
  ck_assert_int_eq(atomic_load(&allocator.live), 0);
}

static lsqnet_model *create_small(void) {
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  ck_assert_ok(lsqnet_model_options_init(&o, sizeof o));
  o.rows = 4;
  o.in_width = o.out_width = 2;
  o.width = 3;
  o.layers = 1;
  ck_assert_ok(lsqnet_model_create(&model, context, &o));
  const lsqnet_model_step step = {
      .size = sizeof step, .output = LSQNET_OUTPUT_GRADIENT, .rows = 3, .dim = 1, .prompt = "query_first"};
  ck_assert_ok(lsqnet_model_set_step(model, &step));
  return model;
}

static memory_file save_small(void) {
  memory_file m = {0};
  lsqnet_model *model = create_small();
  ck_assert_ok(lsqnet_model_save_stream(model, memory_append, &m));
  lsqnet_model_destroy(model);
  return m;
}

static lsqnet_status try_bytes(const unsigned char *bytes, uint64_t size) {
  lsqnet_model *model = NULL;
  unsigned char *copy = memory_exact(bytes, size);
  const lsqnet_status st = lsqnet_model_load_memory(&model, context, copy, size, NULL);
  ck_assert((st == LSQNET_OK) == (model != NULL));
  lsqnet_model_destroy(model);
  free(copy);
  return st;
}

/* The small model's file with the first `from` in its header become `to`. */
static lsqnet_status try_edited(const char *from, const char *to) {
  memory_file m = save_small();
  const uint64_t header_bytes = memory_header_bytes(&m);
  char *header = calloc(1, (size_t)header_bytes + strlen(to) + 1);
  memcpy(header, m.bytes + 8, (size_t)header_bytes);
  char *at = strstr(header, from);
  ck_assert_msg(at != NULL, "%s is not in %s", from, header);
  memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
  memcpy(at, to, strlen(to));
  memory_file edited = memory_make(header, strlen(header), 0);
  (void)memory_append(&edited, m.bytes + 8 + header_bytes, m.size - 8 - header_bytes);
  const lsqnet_status st = try_bytes(edited.bytes, edited.size);
  free(edited.bytes);
  free(header);
  free(m.bytes);
  return st;
}

static const struct {
  const char *from, *to;
  lsqnet_status status;
  const char *part; /* of the message */
} EDITS[] = {
    {"\"lsqnet.version\":\"1\"", "\"lsqnet.version\":\"2\"", LSQNET_E_UNSUPPORTED, "lsqnet.version is \"2\""},
    {"\"lsqnet.version\":\"1\",", "", LSQNET_E_FORMAT, "\"lsqnet.version\""},
    {"\"format\":\"lsqnet\",", "", LSQNET_E_FORMAT, "n_positions"},
    {"\"config\":\"{", "\"konfig\":\"{", LSQNET_E_FORMAT, "\"config\""},
    {"\"config\":\"{", "\"config\":\"", LSQNET_E_FORMAT, "config"},
    {"\"config\":\"{", "\"config\":\"{\\\"more\\\":1,", LSQNET_E_FORMAT, "\"more\""},
    {"\\\"rows\\\":4", "\\\"rows\\\":5", LSQNET_E_SHAPE,
     "\"positions.weight\" has shape (4,3), but its configuration makes it (5,3)"},
    {"\\\"rows\\\":4", "\\\"rows\\\":-4", LSQNET_E_FORMAT, "rows=-4"},
    {"\\\"rows\\\":4", "\\\"rows\\\":4.0", LSQNET_E_FORMAT, "\"rows\""},
    {"\\\"rows\\\":4", "\\\"rows\\\":\\\"4\\\"", LSQNET_E_FORMAT, "\"rows\""},
    {"\\\"rows\\\":4,", "", LSQNET_E_FORMAT, "\"rows\""},
    {"\\\"width\\\":3", "\\\"width\\\":0", LSQNET_E_FORMAT, "width=0"},
    {"\\\"layers\\\":1", "\\\"layers\\\":2", LSQNET_E_FORMAT, "tensor \"blocks.1."},
    {"\\\"layers\\\":1", "\\\"layers\\\":0", LSQNET_E_FORMAT, "tensor \"blocks.0."},
    {"\\\"bias\\\":true", "\\\"bias\\\":1", LSQNET_E_FORMAT, "\"bias\""},
    {"\\\"mlp\\\":\\\"none\\\"", "\\\"mlp\\\":\\\"tanh\\\"", LSQNET_E_FORMAT, "tanh"},
    {"\\\"dtype\\\":\\\"F64\\\"", "\\\"dtype\\\":\\\"F32\\\"", LSQNET_E_FORMAT, "is F64, but config says F32"},
    {"\\\"dtype\\\":\\\"F64\\\"", "\\\"dtype\\\":\\\"F16\\\"", LSQNET_E_FORMAT, "F16"},
    {"\\\"mixer\\\":\\\"base_conv\\\"", "\\\"mixer\\\":\\\"nobody\\\"", LSQNET_E_UNSUPPORTED, "nobody"},
    {"\\\"mixer\\\":\\\"base_conv\\\"", "\\\"mixer\\\":null", LSQNET_E_FORMAT, "\"mixer\""},
    {"\\\"filter\\\":\\\"short\\\"", "\\\"filter\\\":\\\"tall\\\"", LSQNET_E_FORMAT, "tall"},
    {"\\\"seed\\\":\\\"0\\\"", "\\\"seed\\\":\\\"18446744073709551616\\\"", LSQNET_E_FORMAT, "\"seed\""},
    {"\\\"seed\\\":\\\"0\\\"", "\\\"seed\\\":\\\"99999999999999999999\\\"", LSQNET_E_FORMAT, "\"seed\""},
    {"\\\"seed\\\":\\\"0\\\"", "\\\"seed\\\":\\\"\\\"", LSQNET_E_FORMAT, "\"seed\""},
    {"\\\"frozen\\\":[]", "\\\"frozen\\\":{}", LSQNET_E_FORMAT, "\"frozen\""},
    {"\\\"frozen\\\":[]", "\\\"frozen\\\":[1]", LSQNET_E_FORMAT, "entry 0"},
    {"\\\"frozen\\\":[]", "\\\"frozen\\\":[\\\"nothing\\\"]", LSQNET_E_FORMAT, "\"nothing\""},
    {"\"lsqnet.rows\":\"3\"", "\"lsqnet.rows\":\"-3\"", LSQNET_E_FORMAT, "lsqnet.rows is \"-3\""},
    {"\"lsqnet.rows\":\"3\"", "\"lsqnet.rows\":\"9223372036854775808\"", LSQNET_E_FORMAT, "lsqnet.rows"},
    {"\"lsqnet.rows\":\"3\"", "\"lsqnet.rows\":\"\"", LSQNET_E_FORMAT, "lsqnet.rows"},
    {"\"lsqnet.rows\":\"3\"", "\"lsqnet.rows\":\"4\"", LSQNET_E_SHAPE, "rows=4"},
    {"\"lsqnet.dim\":\"1\"", "\"lsqnet.step\":\"0,5\"", LSQNET_E_FORMAT, "lsqnet.step is \"0,5\""},
    {"\"lsqnet.dim\":\"1\"", "\"lsqnet.step\":\"NaN\"", LSQNET_E_FORMAT, "lsqnet.step"},
    {"\"lsqnet.dim\":\"1\"", "\"lsqnet.step\":\"1e999\"", LSQNET_E_FORMAT, "lsqnet.step"},
    {"\"lsqnet.dim\":\"1\"", "\"lsqnet.step\":\"0.5\"", LSQNET_E_FORMAT, "dim=0"},
    {"\"lsqnet.output\":\"gradient\"", "\"lsqnet.output\":\"Gradient\"", LSQNET_E_FORMAT, "lsqnet.output"},
    {"\"lsqnet.prompt\":\"query_first\"", "\"lsqnet.prompt\":\"nobody\"", LSQNET_E_FORMAT, "nobody"},
    {"\"read_in.bias\":{\"dtype\":\"F64\",\"shape\":[3]", "\"read_in.bias\":{\"dtype\":\"I64\",\"shape\":[3]",
     LSQNET_E_UNSUPPORTED, "tensor \"read_in.bias\" is I64"},
    {"\"read_in.bias\":{\"dtype\":\"F64\",\"shape\":[3]", "\"read_in.bias\":{\"dtype\":\"F32\",\"shape\":[6]",
     LSQNET_E_FORMAT, "tensor \"read_in.bias\" is F32"},
    {"\"read_in.bias\":{\"dtype\":\"F64\",\"shape\":[3]", "\"read_in.bias\":{\"dtype\":\"F64\",\"shape\":[3,1]",
     LSQNET_E_SHAPE, "\"read_in.bias\" has shape (3,1), but its configuration makes it (3)"},
    {"\"read_in.bias\"", "\"read_in.bios\"", LSQNET_E_FORMAT, "tensor \"read_in.bias\" of shape (3) is missing"}};

START_TEST(wrong_files_are_refused_with_the_place_and_the_value) {
  ck_assert_fails(try_edited(EDITS[_i].from, EDITS[_i].to), EDITS[_i].status, EDITS[_i].part);
}
END_TEST

START_TEST(the_file_that_the_edits_start_from_loads) { ck_assert_ok(try_edited("\"format\"", "\"format\"")); }
END_TEST

START_TEST(a_configuration_nested_10000_deep_is_refused) {
  enum { DEPTH = 10000 };
  static char deep[8 * DEPTH + 64];
  char *end = deep + sprintf(deep, "\\\"mixer_config\\\":");
  for (int i = 0; i < DEPTH; i++) end += sprintf(end, "{\\\"a\\\":");
  end += sprintf(end, "1");
  for (int i = 0; i < DEPTH; i++) end += sprintf(end, "}");
  ck_assert_fails(try_edited("\\\"mixer_config\\\":{\\\"filter\\\":\\\"short\\\",\\\"causal\\\":true}", deep),
                  LSQNET_E_FORMAT, "config");
}
END_TEST

START_TEST(weights_that_are_not_finite_are_named) {
  memory_file m = save_small();
  unsigned char *data = m.bytes + 8 + memory_header_bytes(&m);
  static const unsigned char nan_bytes[8] = {1, 0, 0, 0, 0, 0, 0xf8, 0x7f},
                             infinity_bytes[8] = {0, 0, 0, 0, 0, 0, 0xf0, 0xff};
  memcpy(data + 5 * 8, nan_bytes, 8); /* read_in.weight (3,2) comes first, then read_in.bias (3) */
  ck_assert_fails(try_bytes(m.bytes, m.size), LSQNET_E_NOT_FINITE, "tensor \"read_in.weight\": element 5 is NaN");
  memset(data + 5 * 8, 0, 8);
  memcpy(data + 8 * 8, infinity_bytes, 8);
  ck_assert_fails(try_bytes(m.bytes, m.size), LSQNET_E_NOT_FINITE, "tensor \"read_in.bias\": element 2 is infinite");
  free(m.bytes);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused) {
  memory_file m = save_small();
  for (uint64_t size = 0; size < m.size; size++) ck_assert_fails(try_bytes(m.bytes, size), LSQNET_E_FORMAT, "");
  free(m.bytes);
}
END_TEST

START_TEST(a_changed_byte_anywhere_is_survived) {
  memory_file m = save_small();
  for (uint64_t at = 0; at < m.size; at++)
    for (int bit = 0; bit < 8; bit++) {
      m.bytes[at] ^= (unsigned char)(1 << bit);
      const lsqnet_status st = try_bytes(m.bytes, m.size);
      ck_assert_msg(st != LSQNET_E_INTERNAL && st != LSQNET_E_MEMORY, "byte %d bit %d: %s", (int)at, bit,
                    lsqnet_last_message());
      m.bytes[at] ^= (unsigned char)(1 << bit);
    }
  free(m.bytes);
}
END_TEST

/* Largest block, and all blocks together, that were asked for. */
static atomic_llong asked_most, asked_in_all;

static void *greedy_allocate(void *user, uint64_t bytes, uint64_t alignment) {
  (void)user;
  if ((long long)bytes > atomic_load(&asked_most)) atomic_store(&asked_most, (long long)bytes);
  atomic_fetch_add(&asked_in_all, (long long)bytes);
  return bytes < (1 << 26) ? aligned_alloc((size_t)alignment, (size_t)bytes) : NULL;
}

static void greedy_release(void *user, void *memory, uint64_t bytes) {
  (void)user;
  (void)bytes;
  free(memory);
}

static const struct {
  const char *config;
} GREEDY[] = {
    {"{\"n_dims\":5,\"n_positions\":1000000000000}"},
    {"{\"n_dims\":1000000000,\"n_positions\":1000}"},
    {"{\"n_dims\":5,\"n_positions\":20,\"n_embd\":1048576,\"n_layer\":64,\"n_head\":1}"},
    {"{\"n_dims\":5,\"n_positions\":20,\"n_embd\":1,\"n_head\":1,\"n_layer\":65536}"},
    {"{\"n_dims\":5,\"n_positions\":20,\"n_embd\":1,\"n_head\":1,\"n_layer\":1000000000000}"},
    {"{\"n_dims\":5,\"n_positions\":20,\"seq_op\":\"base_conv\",\"conv_type\":\"implicit\",\"n_embd\":16777216}"},
    {"{\"n_dims\":5,\"n_positions\":20,\"n_embd\":8,\"mlp_upfactor\":1000000000}"},
    {"{\"n_dims\":9223372036854775807,\"n_positions\":9223372036854775807,\"n_embd\":9223372036854775807}"}};

START_TEST(a_short_file_cannot_ask_for_much_memory) {
  lsqnet_context_options options;
  lsqnet_context *greedy = NULL;
  lsqnet_model *model = NULL;
  ck_assert_ok(lsqnet_context_options_init(&options, sizeof options));
  options.allocate = greedy_allocate;
  options.release = greedy_release;
  ck_assert_ok(lsqnet_context_create(&greedy, &options));
  memory_file m = {0};
  static const double zeros[10];
  static const int64_t shape[] = {2, 5};
  const lsq_text text = {"config", GREEDY[_i].config};
  const lsq_values array = {"_read_in.weight", 2, shape, 10, LSQNET_F64, zeros};
  ck_assert_ok(lsq_safetensors_write(greedy, &text, 1, &array, 1, memory_append, &m));
  atomic_store(&asked_most, 0);
  atomic_store(&asked_in_all, 0);
  const lsqnet_status st = lsqnet_model_load_memory(&model, greedy, m.bytes, m.size, NULL);
  ck_assert_msg(st == LSQNET_E_FORMAT || st == LSQNET_E_SHAPE, "%s: %s", lsqnet_status_name(st), lsqnet_last_message());
  ck_assert_int_lt(atomic_load(&asked_most), 1 << 16);
  ck_assert_int_lt(atomic_load(&asked_in_all), 1 << 20);
  lsqnet_context_destroy(greedy);
  free(m.bytes);
}
END_TEST

/* Arguments and callbacks. */

static lsqnet_status fail_loudly(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  (void)user, (void)buffer, (void)bytes, (void)got;
  lsqnet_set_message("the tape is torn");
  return LSQNET_E_IO;
}

static lsqnet_status fail_silently(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  (void)user, (void)buffer, (void)bytes, (void)got;
  return LSQNET_E_STOPPED;
}

static lsqnet_status claim_too_much(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  (void)user, (void)buffer;
  *got = bytes + 1;
  return LSQNET_OK;
}

static lsqnet_status zeros_for_ever(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  (void)user;
  memset(buffer, 0, (size_t)bytes);
  *got = bytes;
  return LSQNET_OK;
}

static lsqnet_status write_nothing(void *user, const void *data, uint64_t bytes) {
  (void)user, (void)data, (void)bytes;
  return LSQNET_E_IO;
}

START_TEST(callbacks_end_the_call_with_their_status_and_message) {
  lsqnet_model *model = NULL;
  ck_assert_fails(lsqnet_model_load_stream(&model, context, fail_loudly, NULL, NULL), LSQNET_E_IO, "the tape is torn");
  ck_assert_fails(lsqnet_model_load_stream(&model, context, fail_silently, NULL, NULL), LSQNET_E_STOPPED,
                  "read callback failed with 51 (LSQNET_E_STOPPED)");
  ck_assert_fails(lsqnet_model_load_stream(&model, context, claim_too_much, NULL, NULL), LSQNET_E_ARGUMENT, "65537");
  ck_assert_fails(lsqnet_model_load_stream(&model, context, zeros_for_ever, NULL, NULL), LSQNET_E_FORMAT, "0 bytes");
  model = create_small();
  ck_assert_fails(lsqnet_model_save_stream(model, write_nothing, NULL), LSQNET_E_IO, "write callback failed");
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(wrong_arguments_are_refused) {
  lsqnet_model *model = create_small(), *loaded = model;
  memory_file m = save_small();
  uint64_t needed = 0;
  unsigned char little[16] = {0};
  lsqnet_load_options o;
  ck_assert_fails(lsqnet_load_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT, "lsqnet_load_options");
  ck_assert_fails(lsqnet_load_options_init(&o, 4), LSQNET_E_VERSION, "size=4");
  ck_assert_fails(lsqnet_model_load_memory(NULL, context, m.bytes, m.size, NULL), LSQNET_E_ARGUMENT, "out");
  ck_assert_fails(lsqnet_model_load_memory(&loaded, NULL, m.bytes, m.size, NULL), LSQNET_E_ARGUMENT, "context");
  ck_assert_ptr_null(loaded);
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, NULL, m.size, NULL), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, m.bytes, 0, NULL), LSQNET_E_FORMAT, "ends after 0 bytes");
  ck_assert_fails(lsqnet_model_load(&loaded, context, NULL, NULL), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_fails(lsqnet_model_load(&loaded, NULL, "x", NULL), LSQNET_E_ARGUMENT, "context");
  ck_assert_fails(lsqnet_model_load_stream(&loaded, context, NULL, NULL, NULL), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_ok(lsqnet_load_options_init(&o, sizeof o));
  o.output = 9;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, &o), LSQNET_E_ARGUMENT, "output=9");
  o.output = 0;
  o.dim = -1;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, &o), LSQNET_E_ARGUMENT, "dim=-1");
  o.dim = 0;
  o.step = NAN;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, &o), LSQNET_E_ARGUMENT, "step=nan");
  o.step = 0;
  o.size = 4;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, &o), LSQNET_E_VERSION, "size=4");
  ck_assert_fails(lsqnet_model_save(NULL, "x"), LSQNET_E_ARGUMENT, "model");
  ck_assert_fails(lsqnet_model_save(model, NULL), LSQNET_E_ARGUMENT, "path");
  ck_assert_fails(lsqnet_model_save_stream(NULL, write_nothing, NULL), LSQNET_E_ARGUMENT, "model");
  ck_assert_fails(lsqnet_model_save_stream(model, NULL, NULL), LSQNET_E_ARGUMENT, "write");
  ck_assert_fails(lsqnet_model_save_memory(NULL, little, 16, &needed), LSQNET_E_ARGUMENT, "model");
  ck_assert_fails(lsqnet_model_save_memory(model, little, 16, NULL), LSQNET_E_ARGUMENT, "needed");
  ck_assert_fails(lsqnet_model_save_memory(model, NULL, 16, &needed), LSQNET_E_ARGUMENT, "capacity=16");
  ck_assert_fails(lsqnet_model_save_memory(model, little, 15, &needed), LSQNET_E_SHAPE, "capacity=15");
  ck_assert_uint_eq(needed, m.size);
  ck_assert_int_eq(little[15], 0);
  free(m.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

/* Memory that runs out. */

START_TEST(loading_survives_the_failure_of_any_allocation) {
  memory_file m = save_small();
  lsqnet_model *model = NULL;
  lsqnet_status st = LSQNET_E_MEMORY;
  int failures = 0;
  for (; st != LSQNET_OK; failures++) {
    const long long live = atomic_load(&allocator.live);
    allocator.refuse = atomic_load(&allocator.calls) + 1 + failures;
    st = lsqnet_model_load_memory(&model, context, m.bytes, m.size, NULL);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_MEMORY, "%s: %s", lsqnet_status_name(st), lsqnet_last_message());
    if (st != LSQNET_OK) ck_assert_int_eq(atomic_load(&allocator.live), live);
  }
  ck_assert_int_gt(failures, 20);
  lsqnet_model_destroy(model);
  free(m.bytes);
}
END_TEST

START_TEST(saving_survives_the_failure_of_any_allocation) {
  lsqnet_model *model = create_small();
  lsqnet_status st = LSQNET_E_MEMORY;
  int failures = 0;
  for (; st != LSQNET_OK; failures++) {
    memory_file m = {0};
    allocator.refuse = atomic_load(&allocator.calls) + 1 + failures;
    st = lsqnet_model_save_stream(model, memory_append, &m);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_MEMORY, "%s: %s", lsqnet_status_name(st), lsqnet_last_message());
    free(m.bytes);
  }
  ck_assert_int_gt(failures, 4);
  lsqnet_model_destroy(model);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("store_hostile");
  TCase *tests = tcase_create("store_hostile");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 300);
  tcase_add_test(tests, the_file_that_the_edits_start_from_loads);
  tcase_add_loop_test(tests, wrong_files_are_refused_with_the_place_and_the_value, 0,
                      (int)(sizeof EDITS / sizeof EDITS[0]));
  tcase_add_test(tests, a_configuration_nested_10000_deep_is_refused);
  tcase_add_test(tests, weights_that_are_not_finite_are_named);
  tcase_add_test(tests, a_file_cut_anywhere_is_refused);
  tcase_add_test(tests, a_changed_byte_anywhere_is_survived);
  tcase_add_loop_test(tests, a_short_file_cannot_ask_for_much_memory, 0, (int)(sizeof GREEDY / sizeof GREEDY[0]));
  tcase_add_test(tests, callbacks_end_the_call_with_their_status_and_message);
  tcase_add_test(tests, wrong_arguments_are_refused);
  tcase_add_test(tests, loading_survives_the_failure_of_any_allocation);
  tcase_add_test(tests, saving_survives_the_failure_of_any_allocation);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failures = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
