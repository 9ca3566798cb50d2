/* NumPy's .npy files: a header, then the numbers of one array. */
#ifndef TOOLS_NPY_H
#define TOOLS_NPY_H

#include <stdint.h>

#include "input.h"
#include "output.h"
#include "table.h"

enum { NPY_RANK = 4 };

typedef struct {
  char kind;      /* 'f' or 'i' */
  int bytes;      /* 4 or 8 */
  int big_endian; /* byte order of the file */
  int fortran;    /* 1: the first index runs fastest */
  int rank;       /* 0 .. NPY_RANK */
  int64_t shape[NPY_RANK];
  int64_t count; /* numbers in the array */
} npy_header;

/* Reads and checks a header: dtypes f4, f8, i4 and i8 of either byte order. A regular file must hold just the numbers
 * that the header announces, so that memory may be sized by it. */
int npy_read_header(input *in, npy_header *out);

/* Reads the next `count` numbers in the file's order. int64 beyond 2^53 is rounded; `low`, unless NULL, takes the rest.
 */
int npy_read_numbers(input *in, const npy_header *header, int64_t count, double *high, double *low);

/* Reads the whole array into row-major order. */
int npy_read_array(input *in, const npy_header *header, double *high, double *low);

/* Writes the header of a little-endian, row-major float array of `bytes` 4 or 8, then numbers of it. */
int npy_write_header(output *to, int bytes, int rank, const int64_t *shape);
int npy_write_f64(output *to, const double *values, int64_t count);
int npy_write_f32(output *to, const float *values, int64_t count);

#endif
