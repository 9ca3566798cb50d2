#include <string.h>

#include "layers/layers.h"

/* The columns of x (M,in) up to the last one that holds more than zeros. A first layer behind a read-in that is the
 * identity has as many as the prompt; its products need no more, and have the same bits without the rest. Where there
 * are no zeros, the first row tells. Deeper products are sums of blocks, which the depth decides: they stay whole. */
static int64_t columns_in_use(int64_t M, int64_t in, const real *x) {
  int64_t used = in > LSQ_PRODUCT_DEPTH ? in : 0;
  for (int64_t i = 0; i < M && used < in; i++) {
    int64_t last = in;
    while (last > used && x[i * in + last - 1] == 0) last--;
    used = last;
  }
  return used;
}

void REAL(lsq_linear_forward)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                              const real *W, const real *b, real *y) {
  kernels->product_nt(M, out, columns_in_use(M, in, x), x, in, W, in, b, y, out, 0);
}

void REAL(lsq_linear_backward)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                               const real *W, const real *dy, real *dx, real *dW, real *db) {
  if (dx != NULL) kernels->product_nn(M, in, out, dy, out, W, in, dx, in, 0);
  if (dW != NULL) kernels->product_tn(out, columns_in_use(M, in, x), M, dy, out, x, in, dW, in, 1);
  if (db != NULL) kernels->column_sums(M, out, dy, out, db);
}

static void repeat_row(int64_t M, int64_t n, const real *row, real *y) {
  for (int64_t i = 0; i < M; i++) {
    if (row != NULL)
      memcpy(y + i * n, row, (size_t)n * sizeof *y);
    else
      memset(y + i * n, 0, (size_t)n * sizeof *y);
  }
}

void REAL(lsq_linear_jvp)(const REAL(lsq_kernel_table) *kernels, int64_t M, int64_t in, int64_t out, const real *x,
                          const real *W, const real *dx, const real *dW, const real *db, real *dy) {
  if (dx != NULL)
    kernels->product_nt(M, out, in, dx, in, W, in, db, dy, out, 0);
  else
    repeat_row(M, out, db, dy);
  if (dW != NULL) kernels->product_nt(M, out, columns_in_use(M, in, x), x, in, dW, in, NULL, dy, out, 1);
}
