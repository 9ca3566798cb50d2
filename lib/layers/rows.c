#include "layers/rows.h"

#include <string.h>

const real *REAL(lsq_rows_take)(const lsq_rows *rows, const real *x, real *buffer) {
  const int64_t n = rows->count * rows->width, all = rows->rows * rows->width;
  if (n == all) return x;
  for (int64_t b = 0; b < rows->batch; b++)
    memcpy(buffer + b * n, x + b * all + rows->first * rows->width, (size_t)n * sizeof *x);
  return buffer;
}

void REAL(lsq_rows_put)(const lsq_rows *rows, const real *d, real *dx) {
  const int64_t n = rows->count * rows->width, all = rows->rows * rows->width;
  if (n < all) memset(dx, 0, (size_t)(rows->batch * all) * sizeof *dx);
  for (int64_t b = 0; b < rows->batch; b++)
    memcpy(dx + b * all + rows->first * rows->width, d + b * n, (size_t)n * sizeof *d);
}

void REAL(lsq_rows_add)(const REAL(lsq_kernel_table) *kernels, const lsq_rows *rows, const real *d, real *dx) {
  const int64_t n = rows->count * rows->width, all = rows->rows * rows->width;
  for (int64_t b = 0; b < rows->batch; b++) kernels->axpy(n, 1, d + b * n, dx + b * all + rows->first * rows->width);
}
