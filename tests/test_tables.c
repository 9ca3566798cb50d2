/* What the command reads: decimal text, CSV, Matrix Market, NumPy. Refusals are judged in test_command.c, where their
 * exit code and message show. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decimal.h"
#include "nist.h"
#include "table.h"

static char path[] = "/tmp/lsqnet-table-XXXXXX";

static void make_file(void) {
  strcpy(path + sizeof path - 7, "XXXXXX");
  int descriptor = mkstemp(path);
  ck_assert_int_ge(descriptor, 0);
  close(descriptor);
}

static void remove_file(void) { unlink(path); }

static void read_table(table *t, const void *bytes, size_t length, int pairs) {
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_msg(table_read(t, path, pairs) == 0, "not read: %.*s", (int)length, (const char *)bytes);
}

static void expect_table(const table *t, int64_t m, int64_t n, const double *values, const char *text) {
  ck_assert_msg(t->m == m && t->n == n, "%lld x %lld instead of %lld x %lld from: %s", (long long)t->m, (long long)t->n,
                (long long)m, (long long)n, text);
  for (int64_t i = 0; i < m * n; i++) {
    ck_assert_msg(t->high[i] == values[i], "value %lld is %g, not %g, from: %s", (long long)i, t->high[i], values[i],
                  text);
  }
}

/* value x 10^power is a whole number below 2^53: then high 10^power - number is exact by fma, and low must cancel it.
 */
START_TEST(pairs_hold_what_rounding_drops) {
  static const struct {
    const char *text;
    double number, scale;
  } cases[] = {{"0.1", 1, 1e1},
               {"-6.860120914", -6860120914.0, 1e9},
               {"+3.3e-1", 33, 1e2},
               {".11019", 11019, 1e5},
               {"0.000123456789012345", 123456789012345.0, 1e18},
               {"1234567.890123E-4", 1234567890123.0, 1e10}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pair value;
    ck_assert_int_eq(decimal_read_pair(cases[i].text, &value), DECIMAL_OK);
    double dropped = fma(value.high, cases[i].scale, -cases[i].number);
    /* low itself is rounded, as is its product: 3 roundings of a number of the size of `dropped` */
    ck_assert_msg(fabs(dropped + value.low * cases[i].scale) <= 3 * DBL_EPSILON * fabs(dropped), "%s", cases[i].text);
    ck_assert(value.low != 0.0);
  }
}
END_TEST

START_TEST(pairs_hold_thirty_digits_of_whole_numbers) {
  pair value;
  ck_assert_int_eq(decimal_read_pair("9007199254740993", &value), DECIMAL_OK); /* 2^53 + 1 */
  ck_assert(value.high == 0x1p53 && value.low == 1.0);
  ck_assert_int_eq(decimal_read_pair("-1267650600228229401496703205377", &value), DECIMAL_OK); /* -(2^100 + 1) */
  ck_assert(value.high == -0x1p100);
  ck_assert(fabs(value.low + 1.0) <= 10.0); /* the thirty-first digit is dropped */
  ck_assert_int_eq(decimal_read_pair("1208925819614629174706177e0", &value), DECIMAL_OK); /* 2^80 + 1 */
  ck_assert(value.high == 0x1p80 && value.low == 1.0);
}
END_TEST

START_TEST(decimals_are_told_from_other_text) {
  static const char *const none[] = {"",   ".",   "-",     "+.", "1e",  "1e+",   "0x10", "1 ",
                                     " 1", "1,5", "1.2.3", "e5", "--1", "nancy", "NA",   "1f"};
  static const char *const not_finite[] = {"nan", "-NaN", "Inf", "-infinity", "+INFINITY"};
  static const char *const fine[] = {"0", "-0", "1.", ".5", "1e5", "1E+05", "0001", "1e-999", "4.9e-324"};
  double value;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    ck_assert_msg(decimal_read(none[i], &value) == DECIMAL_NONE, "\"%s\"", none[i]);
  }
  for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++) {
    ck_assert_msg(decimal_read(not_finite[i], &value) == DECIMAL_NOT_FINITE, "\"%s\"", not_finite[i]);
  }
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
    ck_assert_msg(decimal_read(fine[i], &value) == DECIMAL_OK, "\"%s\"", fine[i]);
    ck_assert(value == strtod(fine[i], NULL));
  }
  ck_assert_int_eq(decimal_read("1e309", &value), DECIMAL_TOO_LARGE);
  ck_assert_int_eq(decimal_read("-1e99999999999999999999", &value), DECIMAL_TOO_LARGE);
}
END_TEST

START_TEST(printed_numbers_read_back_and_are_short) {
  static const double values[] = {0.1, 1.0 / 3.0, -1e300, 5e-324, 0x1p53, -0.0, 3.141592653589793, 1.0};
  char text[DECIMAL_TEXT];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    decimal_write(text, values[i]);
    ck_assert_msg(strtod(text, NULL) == values[i], "%s", text);
  }
  decimal_write(text, 0.1);
  ck_assert_str_eq(text, "0.1");
}
END_TEST

START_TEST(csv_dialects_say_the_same) {
  static const double values[] = {1, 2, 3, 4, 5, 6};
  static const char *const texts[] = {
      "1,2,3\n4,5,6\n",
      "1,2,3\r\n4,5,6\r\n",
      "1,2,3\n4,5,6",
      "1;2;3\n4;5;6\n",
      "1\t2\t3\n4\t5\t6\n",
      "1 2 3\n4  5 6\n",
      "  1\t2   3  \n4 5\t6\n",
      " 1 , 2,\t3\n4,5 ,6 \n",
      "\"1\",\"2\",3\n4,\"5\",6\n",
      "\"1\";2;3\n4;\"5\" ;6\n",
      "\n\n1,2,3\n\n4,5,6\n\n",
      "# made by hand\n1,2,3\n  # more\n4,5,6\n",
      "\357\273\2771,2,3\n4,5,6\n",
      "a,b,c\n1,2,3\n4,5,6\n",
      "\"a\",\"b, or b\",\"c \"\"c\"\"\"\n1,2,3\n4,5,6\n",
      "a,\"b\nb\",c\n1,2,3\n4,5,6\n",
      "5\",b,c\n1,2,3\n4,5,6\n",
      "a,,c\n1,2,3\n4,5,6\n",
      "a\t\tc\n1\t2\t3\n4\t5\t6\n",
      "1.0,2e0,0.3e1\n+4,5.,600e-2\n",
      "a b;c,d;e\n1;2;3\n4;5;6\n",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    table t;
    read_table(&t, texts[i], strlen(texts[i]), 0);
    expect_table(&t, 2, 3, values, texts[i]);
    table_free(&t);
  }
}
END_TEST

START_TEST(a_csv_header_is_a_first_line_without_numbers) {
  static const struct {
    const char *text, *first, *last;
  } cases[] = {{"x1,\"b, net\"\n1,2\n", "x1", "b, net"},
               {"\n# note\n\"the \"\"x\"\"\" , y\n1,2\n", "the \"x\"", "y"},
               {"\xEF\xBB\xBFx,y\n1,2\n", "x", "y"},
               {"a\tb c\n1\t2\n", "a", "b c"},
               {"x,\n1,2\n", "x", ""},
               {"1,2\n", NULL, NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    static const double values[] = {1, 2};
    table t;
    read_table(&t, cases[i].text, strlen(cases[i].text), 0);
    expect_table(&t, 1, 2, values, cases[i].text);
    ck_assert((t.names == NULL) == (cases[i].first == NULL));
    if (t.names != NULL) {
      ck_assert_str_eq(t.names[0], cases[i].first);
      ck_assert_str_eq(t.names[1], cases[i].last);
    }
    table_free(&t);
  }
}
END_TEST

START_TEST(a_single_csv_column_may_have_a_name_of_several_words) {
  static const double values[] = {1, 2};
  table t;
  read_table(&t, "net sales\n1\n2\n", 14, 0);
  expect_table(&t, 2, 1, values, "net sales");
  ck_assert_str_eq(t.names[0], "net sales");
  table_free(&t);
}
END_TEST

START_TEST(csv_grows_to_many_rows_and_columns) {
  enum { ROWS = 3000, COLUMNS = 40 };
  char *text = malloc(ROWS * COLUMNS * 8), *at = text;
  for (int i = 0; i < ROWS * COLUMNS; i++) at += sprintf(at, "%d%c", i, i % COLUMNS == COLUMNS - 1 ? '\n' : ',');
  table t;
  read_table(&t, text, strlen(text), 1);
  ck_assert(t.m == ROWS && t.n == COLUMNS);
  for (int i = 0; i < ROWS * COLUMNS; i++) ck_assert(t.high[i] == i && t.low[i] == 0.0);
  table_free(&t);
  free(text);
}
END_TEST

START_TEST(matrix_market_files_become_dense_tables) {
  static const double full[] = {1, 2, 3, 4, 5, 6}, symmetric[] = {1, 2, 2, 3}, skew[] = {0, -2, -4, 2, 0, -5, 4, 5, 0};
  static const struct {
    const char *text;
    int64_t m, n;
    const double *values;
  } cases[] = {
      {"%%MatrixMarket matrix array real general\n2 3\n1\n4\n2\n5\n3\n6\n", 2, 3, full},
      {"%%matrixmarket MATRIX Array Integer General\n% note\n\n 2\t3 \n1\n4\n\n2\n5\n% more\n3\n6", 2, 3, full},
      {"%%MatrixMarket matrix coordinate real general\r\n2 3 6\r\n2 3 6.0\r\n1 1 1\r\n1 2 2\r\n1 3 3\r\n2 1 4\r\n2 2 "
       "5\r\n",
       2, 3, full},
      {"%%MatrixMarket matrix coordinate real general\n2 3 7\n2 3 4\n1 1 1\n1 2 2\n1 3 3\n2 1 4\n2 2 5\n2 3 2\n", 2, 3,
       full},
      {"%%MatrixMarket matrix coordinate integer symmetric\n2 2 3\n1 1 1\n2 1 2\n2 2 3\n", 2, 2, symmetric},
      {"%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n", 2, 2, symmetric},
      {"%%MatrixMarket matrix array real skew-symmetric\n3 3\n2\n4\n5\n", 3, 3, skew},
      {"%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 3\n2 1 2\n3 1 4\n3 2 5\n", 3, 3, skew}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int pairs = 0; pairs < 2; pairs++) {
      table t;
      read_table(&t, cases[i].text, strlen(cases[i].text), pairs);
      expect_table(&t, cases[i].m, cases[i].n, cases[i].values, cases[i].text);
      table_free(&t);
    }
  }
}
END_TEST

/* A .npy file with `dictionary` and numbers given byte by byte, most significant first, `size` bytes each. */
static size_t make_npy(unsigned char *file, int version, const char *dictionary, const uint64_t *bits, int count,
                       int size, int big_endian) {
  size_t length = strlen(dictionary), at = 8;
  memcpy(file, "\x93NUMPY", 6);
  file[6] = (unsigned char)version;
  file[7] = 0;
  for (int i = 0; i < (version == 1 ? 2 : 4); i++) file[at++] = (unsigned char)(length >> 8 * i);
  memcpy(file + at, dictionary, length);
  at += length;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < size; k++) file[at++] = (unsigned char)(bits[i] >> 8 * (big_endian ? size - 1 - k : k));
  }
  return at;
}

START_TEST(npy_arrays_of_each_kind_are_read) {
  /* 1 to 6 as float64, float32 and integers; then in column-major order */
  static const uint64_t f8[] = {0x3FF0000000000000, 0x4000000000000000, 0x4008000000000000,
                                0x4010000000000000, 0x4014000000000000, 0x4018000000000000};
  static const uint64_t f4[] = {0x3F800000, 0x40000000, 0x40400000, 0x40800000, 0x40A00000, 0x40C00000};
  static const uint64_t whole[] = {1, 2, 3, 4, 5, 6}, columns[] = {1, 4, 2, 5, 3, 6};
  static const double values[] = {1, 2, 3, 4, 5, 6};
  static const struct {
    int version;
    const char *dictionary;
    const uint64_t *bits;
    int size, big_endian;
    int64_t m, n;
  } cases[] = {{1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }     \n", f8, 8, 0, 2, 3},
               {2, "{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3), }\n", f8, 8, 1, 2, 3},
               {3, "{\"shape\":(2,3),\"descr\":\"<f4\",\"fortran_order\":False}", f4, 4, 0, 2, 3},
               {1, "{'descr': '>f4', 'fortran_order': False, 'shape': (6,), }\n", f4, 4, 1, 6, 1},
               {1, "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3), }\n", columns, 8, 0, 2, 3},
               {1, "{'descr': '>i8', 'fortran_order': False, 'shape': (3, 2), }\n", whole, 8, 1, 3, 2},
               {1, "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 6), }\n", whole, 4, 0, 1, 6},
               {1, "{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }\n", columns, 4, 1, 2, 3}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unsigned char file[512];
    size_t length =
        make_npy(file, cases[i].version, cases[i].dictionary, cases[i].bits, 6, cases[i].size, cases[i].big_endian);
    table t;
    read_table(&t, file, length, 0);
    expect_table(&t, cases[i].m, cases[i].n, values, cases[i].dictionary);
    table_free(&t);
  }
}
END_TEST

START_TEST(npy_integers_keep_every_bit_in_pairs) {
  static const uint64_t bits[] = {0x7FFFFFFFFFFFFFFF, 0x8000000000000001, (uint64_t)-3, 0x0020000000000001};
  static const double high[] = {0x1p63, -0x1p63, -3, 0x1p53}, low[] = {-1, 1, 0, 1};
  unsigned char file[256];
  size_t length = make_npy(file, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (4,)}", bits, 4, 8, 0);
  table t;
  read_table(&t, file, length, 1);
  for (int i = 0; i < 4; i++) ck_assert_msg(t.high[i] == high[i] && t.low[i] == low[i], "number %d", i);
  table_free(&t);
}
END_TEST

START_TEST(nist_csv_files_hold_the_published_numbers) {
  for (int i = 0; i < NIST_SETS; i++) {
    nist_set set;
    char file[4096];
    table t;
    ck_assert_int_eq(nist_load_named(nist_names[i], &set), 0);
    snprintf(file, sizeof file, "%s/../../examples/data/nist/%s.csv", getenv("LSQNET_TEST_DATA"), set.name);
    ck_assert_int_eq(table_read(&t, file, 1), 0);
    ck_assert(t.m == set.m && t.n == set.predictors + 1 && t.names != NULL);
    for (int64_t row = 0; row < t.m; row++) {
      for (int64_t j = 0; j < t.n; j++) {
        const char *text = j < set.predictors ? set.x_text[row][j] : set.y_text[row];
        pair value;
        ck_assert_int_eq(decimal_read_pair(text, &value), DECIMAL_OK);
        ck_assert_msg(t.high[row * t.n + j] == value.high && t.low[row * t.n + j] == value.low, "%s row %lld", set.name,
                      (long long)row);
      }
    }
    table_free(&t);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tables");
  TCase *tests = tcase_create("tables");
  tcase_add_checked_fixture(tests, make_file, remove_file);
  tcase_add_test(tests, pairs_hold_what_rounding_drops);
  tcase_add_test(tests, pairs_hold_thirty_digits_of_whole_numbers);
  tcase_add_test(tests, decimals_are_told_from_other_text);
  tcase_add_test(tests, printed_numbers_read_back_and_are_short);
  tcase_add_test(tests, csv_dialects_say_the_same);
  tcase_add_test(tests, a_csv_header_is_a_first_line_without_numbers);
  tcase_add_test(tests, a_single_csv_column_may_have_a_name_of_several_words);
  tcase_add_test(tests, csv_grows_to_many_rows_and_columns);
  tcase_add_test(tests, matrix_market_files_become_dense_tables);
  tcase_add_test(tests, npy_arrays_of_each_kind_are_read);
  tcase_add_test(tests, npy_integers_keep_every_bit_in_pairs);
  tcase_add_test(tests, nist_csv_files_hold_the_published_numbers);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? 0 : 1;
}
