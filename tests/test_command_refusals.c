/* What the command cannot use: the exit code, and the one line that names file and line. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "spawn.h"

START_TEST(csv_that_cannot_be_used_is_refused_with_its_line) {
  static const struct {
    const char *text;
    int code;
    const char *message;
  } cases[] = {
      {"1,2\n3\n", 3, "a.csv:2: 1 cells where line 1 has 2"},
      {"a,b\n1,2\n\n# note\n3,4,5\n", 3, "a.csv:5: 3 cells where line 1 has 2"},
      {"1,2\n3,nan\n", 3, "a.csv:2: column 2: \"nan\" is not finite"},
      {"1,2\n-Infinity,4\n", 3, "a.csv:2: column 1: \"-Infinity\" is not finite"},
      {"nan,nan\n3,4\n", 3, "a.csv:1: column 1: \"nan\" is not finite"},
      {"1,2\n3,1e999\n", 3, "a.csv:2: column 2: \"1e999\" is beyond float64's range"},
      {"1,2\n3,four\n", 3, "a.csv:2: column 2: \"four\" is not a number"},
      {"a,2\n3,4\n", 3, "a.csv:1: column 1: \"a\" is not a number"},
      {"1,2\na,b\n", 3, "a.csv:2: column 1: \"a\" is not a number"},
      {"1,2\n3,\n", 3, "a.csv:2: column 2: the cell is empty"},
      {",\n1,2\n", 3, "a.csv:1: column 1: the cell is empty"},
      {"1,2\n3,0x10\n", 3, "a.csv:2: column 2: \"0x10\" is not a number"},
      {"1;2\n3;4,5\n", 3, "a.csv:2: column 2: \"4,5\" is not a number"},
      {"1,2\n\"3\"4,5\n", 3, "a.csv:2: column 1: text after the closing quote"},
      {"1,2\n3,\"4\n5,6\n", 3, "a.csv:2: a quote is opened and never closed"},
      {"a,\"x\"y\n1,2\n", 3, "a.csv:1: column 2: text after the closing quote"},
      {"a\t\"b,\"c,d\n", 3, "a.csv:1: column 2: a quote is opened and never closed"},
      {"", 3, "a.csv: is empty"},
      {"\n\n# nothing\n", 3, "a.csv: is empty"},
      {"a,b\n", 3, "a.csv:1: a header"},
      {"1\n2\n", 3, "a.csv: one column"},
      {"1,2,3\n", 5, "a.csv: 1 rows for 2 unknowns"},
      {"1,1,1\n2,2,2\n3,3,4\n", 5, "a.csv: rank 1 for 2 unknowns, no single answer: --min-norm"},
      {"1\x1b[31m,2\n\n", 3, "a.csv:1: column 1: \"1?[31m\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_text("a.csv", cases[i].text);
    expect_failure("solve a.csv", cases[i].code, cases[i].message);
    expect_failure("solve a.csv --json", cases[i].code, cases[i].message);
  }
  write_bytes("a.csv", "1,2\n3,4\0,5\n", 11);
  expect_failure("solve a.csv", 3, "a.csv:2: holds a NUL byte");
}
END_TEST

START_TEST(matrix_market_that_cannot_be_used_is_refused_with_its_line) {
  static const struct {
    const char *banner, *rest;
    const char *message;
  } cases[] = {
      {"array real general", "", "a.mtx:1: the file ends before the line of sizes"},
      {"array complex general", "1 1\n1 1\n", "a.mtx:1: entries \"complex\""},
      {"coordinate pattern general", "1 1 1\n1 1\n", "a.mtx:1: entries \"pattern\""},
      {"array real hermitian", "1 1\n1\n", "a.mtx:1: not a banner"},
      {"array real", "1 1\n1\n", "a.mtx:1: not a banner"},
      {"vector real general", "1\n1\n", "a.mtx:1: not a banner"},
      {"array real general", "2\n", "a.mtx:2: not \"rows columns\""},
      {"array real general", "2 -1\n", "a.mtx:2: \"-1\" is not a size"},
      {"array real general", "0 2\n", "a.mtx:2: \"0\" is not a size"},
      {"array real general", "99999999999999999999 2\n", "a.mtx:2: \"99999999999999999999\" is not a size"},
      {"array real symmetric", "2 3\n", "a.mtx:2: 2 x 3 cannot be symmetric"},
      {"coordinate real general", "2 2\n", "a.mtx:2: not \"rows columns entries\""},
      {"array real general", "1 2\n1\n", "a.mtx:3: the file ends after 1 entries, line 2 announces 2"},
      {"array real general", "1 2\n1\n2\n\n3\n", "a.mtx:6: more entries than the 2 that line 2 announces"},
      {"array real general", "1 2\n1 2\n", "a.mtx:3: not one number"},
      {"array real general", "1 2\n1\ninf\n", "a.mtx:4: column 1: \"inf\" is not finite"},
      {"coordinate real general", "2 2 1\n1 1\n", "a.mtx:3: not \"row column value\""},
      {"coordinate real general", "2 2 1\n0 1 1\n", "a.mtx:3: column 1: \"0\" is not an index from 1 to 2"},
      {"coordinate real general", "2 2 1\n1 3 1\n", "a.mtx:3: column 2: \"3\" is not an index from 1 to 2"},
      {"coordinate real general", "2 2 1\n1 2 x\n", "a.mtx:3: column 3: \"x\" is not a number"},
      {"coordinate real symmetric", "2 2 1\n1 2 1\n", "a.mtx:3: entry 1 2"},
      {"coordinate real skew-symmetric", "2 2 1\n1 1 1\n", "a.mtx:3: entry 1 1"},
      {"coordinate real general", "1 2 2\n1 1 1e308\n1 1 1e308\n", "a.mtx:4: the sum of entries 1 1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    snprintf(text, sizeof text, "%%%%MatrixMarket matrix %s\n%s", cases[i].banner, cases[i].rest);
    write_text("a.mtx", text);
    expect_failure("solve a.mtx", 3, cases[i].message);
  }
}
END_TEST

/* Sizes that the file's own does not justify: said, not tried. */
START_TEST(announced_sizes_beyond_the_file_are_refused) {
  write_text("a.mtx", "%%MatrixMarket matrix coordinate real general\n4000000000 4000000000 1\n1 1 1\n");
  expect_failure("solve a.mtx", 3, "a.mtx:2: 4000000000 x 4000000000 numbers for 1 entries: too sparse");
  write_text("a.mtx", "%%MatrixMarket matrix array real general\n9000000000000000000 9000000000000000000\n");
  expect_failure("solve a.mtx", 3, "a.mtx:2: 2305843009213693951 entries are announced, but 0 bytes follow");
  write_text("a.mtx", "%%MatrixMarket matrix array real general\n100000000 2\n1\n");
  expect_failure("solve a.mtx", 3, "a.mtx:2: 200000000 entries are announced, but 2 bytes follow");
  write_text("a.mtx", "%%MatrixMarket matrix coordinate real general\n100000000 2 50000000\n1 1 1\n");
  expect_failure("solve a.mtx", 3, "a.mtx:2: 50000000 entries are announced, but 6 bytes follow");
}
END_TEST

START_TEST(hostile_npy_headers_are_refused) {
  static const struct {
    const char *dictionary;
    const char *message;
  } cases[] = {
      {"", "not a dictionary"},
      {"{", "not a dictionary"},
      {"[1, 2]", "not a dictionary"},
      {"{'descr': '<f8', 'fortran_order': False}", "is missing"},
      {"{'descr': '<f8', 'shape': (1, 2)}", "is missing"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), 'more': 1}", "key \"more\" is unknown"},
      {"{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}", "key \"descr\" is there twice"},
      {"{'descr': '<c16', 'fortran_order': False, 'shape': (1, 2)}", "dtype \"<c16\""},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}", "dtype \"|O\""},
      {"{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2)}", "dtype \"<f2\""},
      {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 2)}", "structured dtype"},
      {"{'descr': '<f8', 'fortran_order': 1, 'shape': (1, 2)}", "neither True nor False"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': 2}", "not a tuple"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}", "not a tuple"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, -2)}", "not a size"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2)}", "not a size"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 999999999999)}", "overflows"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)} x", "text after the dictionary"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1)}", "more than four dimensions"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 2)}", "3 dimensions"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2)}", "16 bytes of numbers where the header announces 0"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}",
       "16 bytes of numbers where the header announces 32"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000, 2)}", "16 bytes of numbers"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}", "16 bytes of numbers where the header announces 8"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}", "row 1, column 2: nan is not finite"}};
  const double numbers[] = {1.0, NAN};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_npy("a.npy", cases[i].dictionary, numbers, sizeof numbers);
    expect_failure("solve a.npy", 3, cases[i].message);
    ck_assert_ptr_nonnull(strstr(error_text, "lsqnet: a.npy: "));
  }
}
END_TEST

START_TEST(cut_npy_files_are_refused) {
  static const struct {
    const char *bytes;
    size_t length;
    const char *message;
  } cases[] = {{"\x93NUMPY", 6, "ends inside the NumPy header"},
               {"\x93NUMPX\x01\0\x02\0{}", 12, "not a NumPy file"},
               {"\x93NUMPY\x09\0\x02\0{}", 12, "a version that is not 1, 2 or 3"},
               {"\x93NUMPY\x01\0\xff\xff{}", 12, "ends inside the NumPy header"},
               {"\x93NUMPY\x02\0\xff\xff\xff\xff{}", 14, "longer than 65536 bytes"},
               {"\x93NUMPY\x01\0\x02\0{\0", 12, "NUL byte"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_bytes("a.npy", cases[i].bytes, cases[i].length);
    expect_failure("solve a.npy", 3, cases[i].message);
  }
}
END_TEST

START_TEST(files_that_cannot_be_read_are_bad_input) {
  ck_assert_int_eq(mkdir("folder", 0700), 0);
  write_text("a.csv", "1,2\n3,4\n");
  write_text("b.csv", "1\n2\n3\n");
  expect_failure("solve missing.csv", 3, "missing.csv: No such file or directory");
  expect_failure("solve folder", 3, "folder: Is a directory");
  expect_failure("solve a.csv --rhs missing.csv", 3, "missing.csv: ");
  expect_failure("solve a.csv --rhs b.csv", 3, "b.csv: 3 rows where a.csv has 2");
  expect_failure("solve a.csv --model missing.safetensors", 3, "missing.safetensors: ");
  expect_failure("solve a.csv --model a.csv", 3, "a.csv: ");
  write_text("a", "1,0,1\n0,1,2\n1,1,3\n");
  expect_failure("solve a --model exact:3x1", 3, "lsqnet: a: "); /* the library's message begins with "a model" */
  expect_failure("info missing.safetensors", 3, "missing.safetensors: ");
  expect_failure("info folder", 3, "folder: ");
  expect_failure("solve -", 3, "standard input: is empty");
}
END_TEST

START_TEST(command_lines_that_say_nothing_clear_are_usage_errors) {
  static const struct {
    const char *line, *message;
  } cases[] = {{"", "no command"},
               {"slove a.csv", "unknown command \"slove\""},
               {"help slove", "unknown command \"slove\""},
               {"solve", "a file is missing"},
               {"solve a.csv b.csv", "one file too many: \"b.csv\""},
               {"solve a.csv --polly 2", "unknown option \"--polly\""},
               {"solve a.csv --poly", "option --poly needs a value"},
               {"solve a.csv --poly two", "option --poly: \"two\" is not a whole number"},
               {"solve a.csv --poly 0", "option --poly: \"0\" is too small"},
               {"solve a.csv --poly=99999999999999999999", "option --poly"},
               {"solve wide.csv --poly 2", "2 predictors: --poly takes one"},
               {"solve a.csv --intercept=1", "option --intercept takes no value"},
               {"solve a.csv --tol -1", "option --tol: \"-1\" is too small"},
               {"solve a.csv --tol nan", "option --tol: \"nan\" is not a number"},
               {"solve a.csv --method newton", "option --method: \"newton\""},
               {"solve a.csv --method lapack", "option --method: \"lapack\""},
               {"solve a.csv --threads 99999999999", "option --threads"},
               {"solve a.csv --model exact:20", "exact:20"},
               {"solve a.csv --model exact:0x5", "exact:0x5"},
               {"solve a.csv --model exact:20x5:nobody", "nobody"},
               {"solve a.csv --model exact:20x5:attention:nobody", "nobody"},
               {"solve a.csv --model=", "option --model"},
               {"solve - --rhs -", "option --rhs"},
               {"info", "a file is missing"},
               {"info exact:", "exact:"},
               {"run a b", "option -o is missing"},
               {"run a b -o - --json", "option --json"}};
  write_text("a.csv", "1,2\n3,4\n");
  write_text("wide.csv", "1,2,3\n3,4,5\n");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) expect_failure(cases[i].line, 2, cases[i].message);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("command: refusals");
  tcase_add_test(tests, csv_that_cannot_be_used_is_refused_with_its_line);
  tcase_add_test(tests, matrix_market_that_cannot_be_used_is_refused_with_its_line);
  tcase_add_test(tests, announced_sizes_beyond_the_file_are_refused);
  tcase_add_test(tests, hostile_npy_headers_are_refused);
  tcase_add_test(tests, cut_npy_files_are_refused);
  tcase_add_test(tests, files_that_cannot_be_read_are_bad_input);
  tcase_add_test(tests, command_lines_that_say_nothing_clear_are_usage_errors);
  return run_suite("command: refusals", tests);
}
