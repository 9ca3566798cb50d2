/* Some of the rows of each sequence: first .. first+count-1 of B sequences of T rows of D channels. */
#ifndef LSQ_LAYERS_ROWS_H
#define LSQ_LAYERS_ROWS_H

#include <stdint.h>

#include "base/real.h"
#include "layers/layers.h"

typedef struct {
  int64_t batch, rows, width; /* B, T, D */
  int64_t first, count;
} lsq_rows;

/* Elements of a buffer for them; 0 when they are all the rows, which are used where they lie. */
static inline int64_t lsq_rows_buffer(const lsq_rows *rows) {
  return rows->count < rows->rows ? rows->batch * rows->count * rows->width : 0;
}

/* The chosen rows of x (B,T,D), one after the other: x itself when those are all, else copied to `buffer`. */
const real *REAL(lsq_rows_take)(const lsq_rows *rows, const real *x, real *buffer);

/* Writes dx (B,T,D) whole: the chosen rows are d (B,count,D), the others zero. */
void REAL(lsq_rows_put)(const lsq_rows *rows, const real *d, real *dx);

/* Adds d (B,count,D) to the chosen rows of dx (B,T,D). */
void REAL(lsq_rows_add)(const REAL(lsq_kernel_table) *kernels, const lsq_rows *rows, const real *d, real *dx);

#endif
