/* The safetensors layer: what is written is read, and no file, however made, is believed. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "store/safetensors.h"

static lsqnet_context *context;

static void setup(void) { ck_assert_ok(lsqnet_context_create(&context, NULL)); }
static void teardown(void) { lsqnet_context_destroy(context); }

/* Opens a copy that ends exactly where the file does; closes it again when it opened. */
static lsqnet_status try_open(const unsigned char *bytes, uint64_t size) {
  lsq_archive archive;
  unsigned char *copy = memory_exact(bytes, size);
  const lsqnet_status st = lsq_archive_open(&archive, context, copy, size);
  if (st == LSQNET_OK) lsq_archive_close(&archive);
  free(copy);
  return st;
}

static lsqnet_status try_header(const char *header, uint64_t data_bytes) {
  memory_file m = memory_make(header, strlen(header), data_bytes);
  const lsqnet_status st = try_open(m.bytes, m.size);
  free(m.bytes);
  return st;
}

static memory_file sample(void) {
  memory_file m = {0};
  static const double matrix[6] = {1.5, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3, -2};
  static const float vector[3] = {1.5f, -1e-45f, 3.4028234e38f};
  const int64_t shape[] = {2, 3}, size = 3, none = 0;
  const lsq_values arrays[] = {
      {.name = "matrix", .rank = 2, .shape = shape, .count = 6, .dtype = LSQNET_F64, .values = matrix},
      {.name = "empty", .rank = 1, .shape = &none, .count = 0, .dtype = LSQNET_F64, .values = NULL},
      {.name = "vector", .rank = 1, .shape = &size, .count = 3, .dtype = LSQNET_F32, .values = vector},
      {.name = "scalar \"\\\n\xc3\xa9", .rank = 0, .shape = NULL, .count = 1, .dtype = LSQNET_F32, .values = vector}};
  const lsq_text texts[] = {{"key", "a \"text\" \\ with\nevery\tthing \xe2\x82\xac"}, {"", ""}};
  ck_assert_ok(lsq_safetensors_write(context, texts, 2, arrays, 4, memory_append, &m));
  return m;
}

START_TEST(what_is_written_is_read_bit_for_bit) {
  memory_file m = sample();
  lsq_archive archive;
  double matrix[6];
  float vector[3];
  ck_assert_ok(lsq_archive_open(&archive, context, m.bytes, m.size));
  ck_assert_int_eq(archive.count, 4);
  ck_assert_str_eq(lsq_archive_text(&archive, "key"), "a \"text\" \\ with\nevery\tthing \xe2\x82\xac");
  ck_assert_str_eq(lsq_archive_text(&archive, ""), "");
  ck_assert_ptr_null(lsq_archive_text(&archive, "other"));
  const lsq_array *found = lsq_archive_find(&archive, "matrix");
  ck_assert_ptr_nonnull(found);
  ck_assert_int_eq(lsq_array_dtype(found), LSQNET_F64);
  ck_assert(found->rank == 2 && found->shape[0] == 2 && found->shape[1] == 3 && found->count == 6);
  lsq_array_read_f64(found, matrix);
  const double want[6] = {1.5, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3, -2};
  ck_assert_mem_eq(matrix, want, sizeof want);
  found = lsq_archive_find(&archive, "vector");
  ck_assert_int_eq(lsq_array_dtype(found), LSQNET_F32);
  lsq_array_read_f32(found, vector);
  const float want_f32[3] = {1.5f, -1e-45f, 3.4028234e38f};
  ck_assert_mem_eq(vector, want_f32, sizeof want_f32);
  ck_assert_ptr_nonnull(lsq_archive_find(&archive, "scalar \"\\\n\xc3\xa9"));
  ck_assert_int_eq(lsq_archive_find(&archive, "empty")->count, 0);
  ck_assert_ptr_null(lsq_archive_find(&archive, "matri"));
  lsq_archive_close(&archive);
  free(m.bytes);
}
END_TEST

START_TEST(data_begins_at_a_multiple_of_eight_and_is_little_endian) {
  memory_file m = sample();
  static const unsigned char one_and_a_half[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x3f};
  ck_assert_uint_eq(memory_header_bytes(&m) % 8, 0);
  ck_assert_mem_eq(m.bytes + 8 + memory_header_bytes(&m), one_and_a_half, 8);
  ck_assert_uint_eq(m.size, 8 + memory_header_bytes(&m) + 6 * 8 + 3 * 4 + 4);
  free(m.bytes);
}
END_TEST

START_TEST(unaligned_data_is_read) {
  memory_file m = sample();
  unsigned char *shifted = malloc(m.size + 1);
  lsq_archive archive;
  double matrix[6];
  memcpy(shifted + 1, m.bytes, m.size);
  ck_assert_ok(lsq_archive_open(&archive, context, shifted + 1, m.size));
  lsq_array_read_f64(lsq_archive_find(&archive, "matrix"), matrix);
  ck_assert(matrix[0] == 1.5 && matrix[5] == -2);
  lsq_archive_close(&archive);
  free(shifted);
  free(m.bytes);
}
END_TEST

START_TEST(every_dtype_of_the_format_is_listed) {
  lsq_archive archive;
  const char *header =
      "{\"a\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[0,6]},\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],"
      "\"data_offsets\":[6,8]},\"c\":{\"dtype\":\"F4\",\"shape\":[2,2],\"data_offsets\":[8,10]}}   ";
  memory_file m = memory_make(header, strlen(header), 10);
  ck_assert_ok(lsq_archive_open(&archive, context, m.bytes, m.size));
  ck_assert_int_eq(archive.count, 3);
  ck_assert_str_eq(archive.arrays[2].dtype, "F4");
  for (int i = 0; i < 3; i++) ck_assert_int_eq(lsq_array_dtype(&archive.arrays[i]), 0);
  lsq_archive_close(&archive);
  free(m.bytes);
}
END_TEST

START_TEST(a_file_may_hold_nothing) {
  ck_assert_ok(try_header("{}", 0));
  ck_assert_ok(try_header("{\"__metadata__\":{}}", 0));
}
END_TEST

#define TENSOR(name, shape, offsets) "\"" name "\":{\"dtype\":\"F64\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const char *header;
  uint64_t data_bytes;
  const char *part; /* of the message */
} HOSTILE[] = {
    {"77", 0, "does not begin with {"},
    {" {}", 0, "does not begin with {"},
    {"{ ", 0, "not JSON"},
    {"{}x", 0, "not JSON"},
    {"{}{}", 0, "not JSON"},
    {"{\"a\":\xff}", 0, "not JSON"},
    {"{\"\\u0000\":1}", 0, "not JSON"},
    {"[]", 0, "a list at its byte 0"},
    {"{\"__metadata__\":[]}", 0, "a list at its byte 16"},
    {"{\"a\\\"\":{\"[\\\\\":[0,{}]}}", 0, "an object at its byte 17"},
    {"{\"__metadata__\":7}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"format\":1}}", 0, "\"format\" is not a string"},
    {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "an object at its byte 21"},
    {"{\"__metadata__\":{\"a\":[\"c\"]}}", 0, "\"a\" is not a string"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
    {"{" TENSOR("a", "[1]", "[0,8]") "," TENSOR("a", "[1]", "[8,16]") "}", 16, "duplicate"},
    {"{\"a\":1}", 0, "tensor \"a\": its entry is not an object"},
    {"{\"a\":{}}", 0, "tensor \"a\": it has no text \"dtype\""},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "no text \"dtype\""},
    {"{\"a\":{\"dtype\":\"F65\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "dtype \"F65\""},
    {"{\"a\":{\"dtype\":\"F64\",\"data_offsets\":[0,8]}}", 8, "no list \"shape\""},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":\"1\",\"data_offsets\":[0,8]}}", 8, "no list \"shape\""},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1]}}", 8, "no list \"data_offsets\""},
    {"{" TENSOR("a", "[1,1,1,1,1,1,1,1,1]", "[0,8]") "}", 8, "shape has 9 entries"},
    {"{" TENSOR("a", "[1.0]", "[0,8]") "}", 8, "shape: entry 0 is not an integer"},
    {"{" TENSOR("a", "[\"1\"]", "[0,8]") "}", 8, "shape: entry 0 is not an integer"},
    {"{" TENSOR("a", "[true]", "[0,8]") "}", 8, "shape: entry 0 is not an integer"},
    {"{" TENSOR("a", "[1,-1]", "[0,8]") "}", 8, "shape: entry 1 is -1"},
    {"{" TENSOR("a", "[99999999999999999999]", "[0,8]") "}", 8, "not JSON"},
    {"{" TENSOR("a", "[1]", "[8]") "}", 8, "no list \"data_offsets\" of two"},
    {"{" TENSOR("a", "[1]", "[0,8,8]") "}", 8, "no list \"data_offsets\" of two"},
    {"{" TENSOR("a", "[1]", "[-8,0]") "}", 8, "data_offsets: entry 0 is -8"},
    {"{" TENSOR("a", "[1]", "[0,8.5]") "}", 8, "data_offsets: entry 1 is not an integer"},
    {"{" TENSOR("a", "[1]", "[8,0]") "}", 8, "data_offsets [8,0]: they must rise"},
    {"{" TENSOR("a", "[2]", "[0,16]") "}", 8, "data_offsets [0,16]"},
    {"{" TENSOR("a", "[1]", "[9223372036854775800,9223372036854775807]") "}", 8, "9223372036854775807"},
    {"{" TENSOR("a", "[2]", "[0,8]") "}", 8, "tensor \"a\": shape (2) of F64 does not fill its data_offsets [0,8]"},
    {"{" TENSOR("a", "[0]", "[0,8]") "}", 8, "does not fill"},
    {"{" TENSOR("a", "[4294967296,4294967296]", "[0,0]") "}", 0, "does not fill"},
    {"{" TENSOR("a", "[4294967296,4294967297]", "[0,8]") "}", 8, "does not fill"},
    {"{" TENSOR("a", "[2305843009213693952]", "[0,0]") "}", 0, "does not fill"},
    {"{" TENSOR("a", "[2305843009213693953]", "[0,8]") "}", 8, "does not fill"},
    {"{" TENSOR("a", "[9223372036854775807,9223372036854775807,0]", "[0,0]") "}", 0, "does not fill"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "does not fill"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8],\"x\":0}}", 8, "has keys beside"},
    {"{" TENSOR("a", "[1]", "[0,8]") "," TENSOR("b", "[2]", "[0,16]") "}", 16, "they overlap"},
    {"{" TENSOR("a", "[2]", "[0,16]") "," TENSOR("b", "[1]", "[8,16]") "}", 16, "\"b\" begins at byte 8"},
    {"{" TENSOR("a", "[1]", "[0,8]") "," TENSOR("b", "[1]", "[16,24]") "}", 24, "belongs to none"},
    {"{" TENSOR("a", "[1]", "[8,16]") "}", 16, "begins at byte 8"},
    {"{" TENSOR("a", "[1]", "[0,8]") "}", 16, "the tensors end at byte 8 of the data, but the file holds 16"},
    {"{}", 1, "the file holds 1"},
    {"{\"\x01\":1}", 0, "not JSON"},
    {"{\"a\\u001b[31m\":1}", 0, "tensor \"a?[31m\""}};

START_TEST(hostile_headers_are_refused) {
  ck_assert_fails(try_header(HOSTILE[_i].header, HOSTILE[_i].data_bytes), LSQNET_E_FORMAT, HOSTILE[_i].part);
}
END_TEST

START_TEST(header_lengths_are_checked_against_file_and_limit) {
  memory_file m = memory_make("{}", 2, 0);
  const struct {
    uint64_t length;
    const char *part;
  } lengths[] = {{0, "has 0 bytes"},
                 {1, "has 1 bytes"},
                 {3, "has 3 bytes, but the file ends 2"},
                 {(16 << 20) + 1, "16777217"},
                 {UINT64_MAX, "18446744073709551615"},
                 {UINT64_MAX - 7, "18446744073709551608"}};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    for (int k = 0; k < 8; k++) m.bytes[k] = (unsigned char)(lengths[i].length >> 8 * k);
    ck_assert_fails(try_open(m.bytes, m.size), LSQNET_E_FORMAT, lengths[i].part);
  }
  free(m.bytes);
}
END_TEST

/* {"a":[[[...]]]} and {"a":{"a":{"a":...}}} */
static char *nested(const char *open, const char *close, int depth) {
  const size_t a = strlen(open), b = strlen(close);
  char *text = calloc(1, 16 + (size_t)depth * (a + b));
  char *end = text + sprintf(text, "{\"a\":");
  for (int i = 0; i < depth; i++, end += a) memcpy(end, open, a);
  *end++ = '1';
  for (int i = 0; i < depth; i++, end += b) memcpy(end, close, b);
  *end = '}';
  return text;
}

START_TEST(deep_nesting_is_refused) {
  char *lists = nested("[", "]", 10000), *objects = nested("{\"a\":", "}", 10000);
  ck_assert_fails(try_header(lists, 0), LSQNET_E_FORMAT, "a list at its byte 5");
  ck_assert_fails(try_header(objects, 0), LSQNET_E_FORMAT, "an object at its byte 10");
  free(lists);
  free(objects);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused) {
  memory_file m = sample();
  for (uint64_t size = 0; size < m.size; size++) ck_assert_fails(try_open(m.bytes, size), LSQNET_E_FORMAT, "");
  free(m.bytes);
}
END_TEST

/* A reader that reads beyond the buffer or trips over the header shows under a sanitizer. */
START_TEST(a_changed_byte_anywhere_in_the_header_is_survived) {
  memory_file m = sample();
  for (uint64_t at = 0; at < 8 + memory_header_bytes(&m); at++)
    for (int value = 0; value < 256; value += 3) {
      const unsigned char old = m.bytes[at];
      m.bytes[at] = (unsigned char)value;
      const lsqnet_status st = try_open(m.bytes, m.size);
      ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_FORMAT, "byte %d as %d: %s", (int)at, value,
                    lsqnet_status_name(st));
      m.bytes[at] = old;
    }
  free(m.bytes);
}
END_TEST

START_TEST(texts_that_are_not_utf8_are_not_written) {
  memory_file m = {0};
  const lsq_text text = {"key", "\xc3("};
  const lsq_values array = {.name = "\xff", .count = 0, .rank = 0, .dtype = LSQNET_F64};
  ck_assert_fails(lsq_safetensors_write(context, &text, 1, NULL, 0, memory_append, &m), LSQNET_E_ARGUMENT, "not UTF-8");
  ck_assert_fails(lsq_safetensors_write(context, NULL, 0, &array, 1, memory_append, &m), LSQNET_E_ARGUMENT,
                  "not UTF-8");
  ck_assert_uint_eq(m.size, 0);
}
END_TEST

/* Fails the call after `left` more. */
static lsqnet_status failing_write(void *user, const void *data, uint64_t bytes) {
  int *left = user;
  (void)data;
  (void)bytes;
  return (*left)-- > 0 ? LSQNET_OK : LSQNET_E_STOPPED;
}

START_TEST(a_failing_writer_ends_the_writing) {
  static const double zeros[10000];
  const int64_t size = 10000;
  const lsq_values array = {
      .name = "a", .rank = 1, .shape = &size, .count = size, .dtype = LSQNET_F64, .values = zeros};
  for (int good = 0; good < 3; good++) {
    int left = good;
    ck_assert_int_eq(lsq_safetensors_write(context, NULL, 0, &array, 1, failing_write, &left), LSQNET_E_STOPPED);
    ck_assert_int_eq(left, -1);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("safetensors");
  TCase *tests = tcase_create("safetensors");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, what_is_written_is_read_bit_for_bit);
  tcase_add_test(tests, data_begins_at_a_multiple_of_eight_and_is_little_endian);
  tcase_add_test(tests, unaligned_data_is_read);
  tcase_add_test(tests, every_dtype_of_the_format_is_listed);
  tcase_add_test(tests, a_file_may_hold_nothing);
  tcase_add_loop_test(tests, hostile_headers_are_refused, 0, (int)(sizeof HOSTILE / sizeof HOSTILE[0]));
  tcase_add_test(tests, header_lengths_are_checked_against_file_and_limit);
  tcase_add_test(tests, deep_nesting_is_refused);
  tcase_add_test(tests, a_file_cut_anywhere_is_refused);
  tcase_add_test(tests, a_changed_byte_anywhere_in_the_header_is_survived);
  tcase_add_test(tests, texts_that_are_not_utf8_are_not_written);
  tcase_add_test(tests, a_failing_writer_ends_the_writing);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failures = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
