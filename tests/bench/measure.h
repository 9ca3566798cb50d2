/* What the benchmarks share: clocks, medians, peaks, and a table whose rows may have a bound to keep. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

double wall_seconds(void);
double median(int count, double *values); /* sorts them */

/* What `threads` threads at work together reach by peak.h, each by its own processor time; dtype is LSQNET_F32 or _F64.
 */
double peak_of_threads(int threads, int32_t dtype, int32_t level);

/* Multiply-adds that a forward pass of a causal BaseConv model needs: `batch` sequences of T rows through `layers`
 * blocks of width D, of whose output the last R rows are wanted. Elementwise work is not counted. A backward pass needs
 * twice as many, less `read_in` when the gradient of x is not wanted. */
typedef struct {
  int64_t batch, T, R, in, D, out, layers;
} base_conv_sizes;
double base_conv_work(const base_conv_sizes *sizes);
double read_in_work(const base_conv_sizes *sizes);

typedef struct {
  int check; /* --check was given: a row that misses its bound makes the program fail */
  int missed;
} table;

/* Exits with a usage message if the arguments are anything but --check or nothing. */
table table_open(int argc, char **argv);
void table_row(const char *name, double value, const char *unit);
void table_row_at_least(table *t, const char *name, double value, const char *unit, double least);
void table_row_at_most(table *t, const char *name, double value, const char *unit, double most);
int table_close(const table *t); /* the program's exit status */

/* Ends the program with the library's message if a call failed. */
void must(int32_t status);

#endif
