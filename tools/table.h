/* Tables of numbers, as files hold them: CSV, Matrix Market, NumPy. */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdint.h>

#include "input.h"
#include "pair.h"

typedef struct {
  int64_t m, n;
  double *high;     /* (m,n), row-major, all finite */
  double *low;      /* (m,n): what the rounding to float64 dropped; NULL when nobody asked */
  char **names;     /* (n), from a CSV header; NULL without one */
  int64_t capacity; /* numbers that `high` has room for */
} table;

/* Reads a file, "-" being standard input. The format follows from the first byte: NumPy's magic number, the % of Matrix
 * Market's banner, else CSV. With `pairs` the numbers are kept to twice float64's precision. */
int table_read(table *out, const char *path, int pairs);
void table_free(table *t);

/* For the readers. `out` is empty and has `low` asked for by `pairs`. */
int csv_read(table *out, input *in, int pairs);
int matrix_market_read(table *out, input *in, int pairs);
int npy_read_table(table *out, input *in, int pairs);

/* Room for `count` numbers, kept ones included, new ones zero. */
int table_reserve(table *t, int64_t count, int pairs);

/* Zeroed room for m x n numbers; fails without asking the system for more than the machine has. */
int table_allocate(table *t, int64_t m, int64_t n, int pairs);

/* Reads a word as a number into *value (low 0 unless `pairs`); the message names line and column. */
int table_number(const input *in, int64_t line, int64_t column, const char *word, int pairs, pair *value);

/* Zeroed memory for `count` elements; NULL when there is not that much. count >= 1. */
void *allocate(int64_t count, int64_t size);

#endif
