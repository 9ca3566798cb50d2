/* Running the command as its users do, in a folder of its own. The path of the command comes in the environment
 * variable LSQNET_COMMAND. */
#ifndef LSQ_TESTS_SPAWN_H
#define LSQ_TESTS_SPAWN_H

#include <check.h>
#include <jansson.h>
#include <stddef.h>

enum { OUTPUT_MOST = 1 << 20 };

extern char *out_text, *error_text; /* standard output and error of the last run */

/* A fixture: a new folder, in which the test then is, and its end. */
void make_folder(void);
void remove_folder(void);

void write_bytes(const char *name, const void *bytes, size_t length);
void write_text(const char *name, const char *text);
void write_npy(const char *name, const char *dictionary, const void *numbers, size_t bytes);

/* A whole file of up to OUTPUT_MOST - 1 bytes, ended by a NUL; returns its length. */
size_t read_bytes(const char *name, char *bytes);

/* Runs the command with the words of `line`, separated by blanks, and returns its exit code; -1 if a signal ended it.
 */
int run(const char *line);

/* The same with standard input from a file and standard output into one: ".out" is kept in out_text. */
int run_from(const char *in, const char *out, const char *line);

/* The run must end with 0. */
void expect_done(const char *line);

/* The run must fail with `code`, say one line, "lsqnet: " and then `message` somewhere in it, and print nothing unless
 * the code is 4. */
void expect_failure(const char *line, int code, const char *message);

/* Runs a formatted line that asks for JSON, expects `code`, and returns the one object. */
json_t *run_json(const char *format, int code, ...) __attribute__((format(printf, 1, 3)));

/* A number that must be there. */
double number(const json_t *object, const char *key);

/* Standard output as one JSON object. */
json_t *parse_output(void);

/* Runs a suite of one or more cases and returns main's result. */
int run_suite(const char *name, TCase *tests);

#endif
