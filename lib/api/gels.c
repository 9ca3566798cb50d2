/* LAPACKE's least squares: arguments are checked here, in LAPACKE's order and with its numbers. */
#include "solve/gels.h"

#include <float.h>
#include <lsqnet/gels.h>

#include "base/arithmetic.h"
#include "base/real.h"

#if LSQ_PRECISION == 64
#define GELS     lsqnet_dgels
#define REAL_MAX DBL_MAX
#else
#define GELS     lsqnet_sgels
#define REAL_MAX FLT_MAX
#endif

enum {
  BAD_LAYOUT = -1,
  BAD_TRANS = -2,
  BAD_M = -3,
  BAD_N = -4,
  BAD_NRHS = -5,
  BAD_A = -6,
  BAD_LDA = -7,
  BAD_B = -8,
  BAD_LDB = -9
};

typedef struct {
  int row_major, transposed;
  int32_t m, n, tall, nrhs, lda, ldb; /* tall = max(m,n) */
  const real *a;
  real *b;
} call;

static int32_t refuse(int32_t info, const char *name, int32_t value, const char *least, int32_t bound) {
  (void)lsq_fail(LSQNET_E_ARGUMENT, "%s=%ld: must be at least %s%ld", name, (long)value, least, (long)bound);
  return info;
}

/* Whether all of rows x columns is finite, as far as the leading dimension, not checked yet, lets it be there. */
static int finite(int row_major, int32_t rows, int32_t columns, const real *values, int32_t ld) {
  const int32_t lines = row_major ? rows : columns, length = row_major ? columns : rows;
  int bad = 0;
  for (int64_t i = 0; i < lines && values != NULL; i++)
    for (int64_t j = 0; j < length && j < ld; j++)
      bad |= !(values[i * ld + j] >= -REAL_MAX && values[i * ld + j] <= REAL_MAX);
  return !bad;
}

static int32_t check_values(const call *c) {
  if (!finite(c->row_major, c->m, c->n, c->a, c->lda)) {
    (void)lsq_fail(LSQNET_E_NOT_FINITE, "a holds NaN or an infinity");
    return BAD_A;
  }
  if (!finite(c->row_major, c->tall, c->nrhs, c->b, c->ldb)) {
    (void)lsq_fail(LSQNET_E_NOT_FINITE, "b holds NaN or an infinity");
    return BAD_B;
  }
  return 0;
}

static int32_t check_sizes(const call *c, char trans) {
  const int32_t a_line = c->row_major ? c->n : c->m > 1 ? c->m : 1;
  const int32_t b_line = c->row_major ? c->nrhs : c->tall > 1 ? c->tall : 1;
  if (c->row_major && c->lda < a_line) return refuse(BAD_LDA, "lda", c->lda, "n=", a_line);
  if (c->row_major && c->ldb < b_line) return refuse(BAD_LDB, "ldb", c->ldb, "nrhs=", b_line);
  if (trans != 'N' && trans != 'n' && trans != 'T' && trans != 't') {
    (void)lsq_fail(LSQNET_E_ARGUMENT, "trans is character %d: must be N or T", trans);
    return BAD_TRANS;
  }
  if (c->m < 0) return refuse(BAD_M, "m", c->m, "", 0);
  if (c->n < 0) return refuse(BAD_N, "n", c->n, "", 0);
  if (c->nrhs < 0) return refuse(BAD_NRHS, "nrhs", c->nrhs, "", 0);
  if (c->lda < a_line) return refuse(BAD_LDA, "lda", c->lda, "max(1,m)=", a_line);
  if (c->ldb < b_line) return refuse(BAD_LDB, "ldb", c->ldb, "max(1,m,n)=", b_line);
  return 0;
}

static int32_t check_pointers(const call *c) {
  if (c->a == NULL && c->m > 0 && c->n > 0 && c->nrhs > 0) {
    (void)lsq_fail(LSQNET_E_ARGUMENT, "a is NULL");
    return BAD_A;
  }
  if (c->b == NULL && c->tall > 0 && c->nrhs > 0) {
    (void)lsq_fail(LSQNET_E_ARGUMENT, "b is NULL");
    return BAD_B;
  }
  return 0;
}

static void clear(const call *c) {
  const int32_t lines = c->row_major ? c->tall : c->nrhs, length = c->row_major ? c->nrhs : c->tall;
  for (int64_t i = 0; i < lines; i++)
    for (int64_t j = 0; j < length; j++) c->b[i * c->ldb + j] = 0;
}

static int32_t solve(const call *c) {
  const int64_t a_row = c->row_major ? c->lda : 1, a_column = c->row_major ? 1 : c->lda;
  const lsq_gels_call gels = {.transposed = c->transposed,
                              .problem = {.count = 1,
                                          .m = c->transposed ? c->n : c->m,
                                          .n = c->transposed ? c->m : c->n,
                                          .k = c->nrhs,
                                          .a_row = c->transposed ? a_column : a_row,
                                          .a_column = c->transposed ? a_row : a_column,
                                          .b_row = c->row_major ? c->ldb : 1,
                                          .b_column = c->row_major ? 1 : c->ldb,
                                          .narrow = LSQ_PRECISION == 32,
                                          .a = c->a,
                                          .b = c->b}};
  const lsqnet_status st = lsq_check_arithmetic();
  if (st != LSQNET_OK) return -1000 - st;
  const int32_t info = lsq_gels(&gels, c->b);
  if (info > 0 && info <= c->m && info <= c->n)
    (void)lsq_fail(LSQNET_E_RANK, "%s %ld of a, counted from 1, depends on those before it",
                   c->m < c->n ? "row" : "column", (long)info);
  return info;
}

static int32_t check(const call *c, char trans) {
  int32_t info = check_values(c);
  if (info == 0) info = check_sizes(c, trans);
  if (info == 0) info = check_pointers(c);
  return info;
}

/* Whether the solver is going to look at every number, so that NaN need not be looked for before. */
static int all_read(const call *c, char trans) {
  return check_sizes(c, trans) == 0 && c->a != NULL && c->b != NULL && (c->transposed ? c->n >= c->m : c->m >= c->n);
}

int32_t GELS(int32_t matrix_layout, char trans, int32_t m, int32_t n, int32_t nrhs, const real *a, int32_t lda, real *b,
             int32_t ldb) {
  const call c = {.row_major = matrix_layout == LSQNET_ROW_MAJOR,
                  .transposed = trans == 'T' || trans == 't',
                  .m = m,
                  .n = n,
                  .tall = m > n ? m : n,
                  .nrhs = nrhs,
                  .lda = lda,
                  .ldb = ldb,
                  .a = a,
                  .b = b};
  const int empty = m <= 0 || n <= 0 || nrhs <= 0;
  int32_t info = 0, invalid = 0;
  if (matrix_layout != LSQNET_ROW_MAJOR && matrix_layout != LSQNET_COL_MAJOR) {
    (void)lsq_fail(LSQNET_E_ARGUMENT, "matrix_layout=%ld: must be %d (by rows) or %d (by columns)", (long)matrix_layout,
                   LSQNET_ROW_MAJOR, LSQNET_COL_MAJOR);
    return BAD_LAYOUT;
  }
  if ((empty || !all_read(&c, trans)) && (invalid = check(&c, trans)) != 0) return invalid;
  if (empty) {
    clear(&c);
    return 0;
  }
  info = solve(&c);
  if (info != 0) invalid = check_values(&c);
  return invalid != 0 ? invalid : info;
}
