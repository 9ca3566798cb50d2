/* The six names, compiled once for each precision. What lsqnet_dgels refuses but LAPACK computes (NaN and infinities,
 * which come out as NaN) is done here; what liblsqnet cannot certify or cannot do (no memory, a rounding mode that is
 * not to nearest, denormals flushed, the library missing) goes to the program's own LAPACK. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "shim.h"

#if LSQ_PRECISION == 64
typedef double real;
#define NAME(before, after) before##d##after
#define LETTER              "d"
#define ROUTINE             "DGELS "
#define EPSILON             DBL_EPSILON
#else
typedef float real;
#define NAME(before, after) before##s##after
#define LETTER              "s"
#define ROUTINE             "SGELS "
#define EPSILON             FLT_EPSILON
#endif

enum { ROW_MAJOR = 101, COL_MAJOR = 102 };
enum { BLOCK = 32 };      /* ILAENV's, for the size of WORK that a query answers: a program may share the array */
enum { HAND_ON = -1000 }; /* lsqnet_dgels' info from here on downwards */
enum { BAD_A = -6, BAD_B = -8 };

typedef struct {
  int32_t layout;
  char trans;
  int32_t m, n, nrhs;
  real *a;
  int32_t lda;
  real *b;
  int32_t ldb;
  unsigned char *taken_out; /* (nrhs), or NULL: see take_out */
} call;

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int is(char trans, char upper) { return trans == upper || trans == upper - 'A' + 'a'; }

static real *at(const call *c, int64_t i, int64_t j) {
  return c->b + (c->layout == ROW_MAJOR ? i * c->ldb + j : i + j * c->ldb);
}

static void fill(const call *c, int32_t first_row, int32_t column, real value) {
  for (int32_t i = first_row; i < larger(c->m, c->n); i++) *at(c, i, column) = value;
}

static int32_t certify(const call *c) {
  return NAME(shim_find_, gels)()(c->layout, c->trans, c->m, c->n, c->nrhs, c->a, c->lda, c->b, c->ldb);
}

/* Rows of B that LAPACK does not read, while lsqnet_dgels does. */
static void clear_unread(const call *c) {
  const int32_t read = c->m == 0 || c->n == 0 ? 0 : is(c->trans, 'N') ? c->m : c->n;
  for (int32_t j = 0; j < c->nrhs; j++) fill(c, read, j, 0);
}

static int is_zero(const call *c) {
  const int by_rows = c->layout == ROW_MAJOR;
  for (int64_t i = 0; i < (by_rows ? c->m : c->n); i++)
    for (int64_t j = 0; j < (by_rows ? c->n : c->m); j++)
      if (c->a[i * c->lda + j] != 0) return 0;
  return 1;
}

/* Columns of B that are not finite make room for zeros until all is done, by whomever: to LAPACK's scaling of B an
 * infinity would be the end of their neighbours. 0 if there is no memory to remember them; then B stays as it is. */
static int take_out(call *c) {
  c->taken_out = calloc((size_t)c->nrhs, 1);
  for (int32_t j = 0; j < c->nrhs && c->taken_out != NULL; j++) {
    for (int32_t i = 0; i < larger(c->m, c->n); i++)
      if (!isfinite(*at(c, i, j))) c->taken_out[j] = 1;
    if (c->taken_out[j]) fill(c, 0, j, 0);
  }
  return c->taken_out != NULL;
}

static void put_nan_back(call *c) {
  for (int32_t j = 0; j < c->nrhs && c->taken_out != NULL; j++)
    if (c->taken_out[j]) fill(c, 0, j, (real)NAN);
  free(c->taken_out);
}

/* B is not finite: LAPACK does not read it if A is zero. */
static int32_t solve_the_finite(call *c) {
  if (!is_zero(c)) return take_out(c) ? certify(c) : HAND_ON;
  for (int32_t j = 0; j < c->nrhs; j++) fill(c, 0, j, 0);
  return 0;
}

/* LAPACK's info, all arguments being valid; HAND_ON or less, and b unchanged but for what has been taken out, if
 * liblsqnet cannot do all of it. */
static int32_t solve(call *c) {
  if (NAME(shim_find_, gels)() == NULL) return HAND_ON;
  clear_unread(c);
  int32_t info = certify(c);
  if (info == BAD_B) info = solve_the_finite(c);
  if (info == BAD_A) {
    for (int32_t j = 0; j < c->nrhs; j++) fill(c, 0, j, (real)NAN);
    info = 0;
  }
  if (info > smaller(c->m, c->n)) info = HAND_ON;
  if (info > HAND_ON) shim_count_solved();
  return info;
}

/* LWORK, as the reference LAPACK asks for it at least and for the best speed. */
static int64_t least_work(const call *c) {
  const int64_t small = smaller(c->m, c->n), size = small + larger((int32_t)small, c->nrhs);
  return size > 1 ? size : 1;
}

static real best_work(const call *c) {
  const int64_t small = smaller(c->m, c->n), wide = larger((int32_t)small, c->nrhs), size = small + wide * BLOCK;
  real work = (real)(size > 1 ? size : 1);
  if ((double)work < (double)size) work *= 1 + EPSILON;
  return work;
}

/* DGELS' info for arguments that are not valid; the leading dimensions are those of column-major matrices. */
static int32_t check(const call *c, int32_t lda, int32_t ldb, int64_t lwork) {
  if (!is(c->trans, 'N') && !is(c->trans, 'T')) return -1;
  if (c->m < 0) return -2;
  if (c->n < 0) return -3;
  if (c->nrhs < 0) return -4;
  if (lda < larger(1, c->m)) return -6;
  if (ldb < larger(1, larger(c->m, c->n))) return -8;
  if (lwork != -1 && lwork < least_work(c)) return -10;
  return 0;
}

/* What DGELS does before it computes: 1 if it is to compute. */
static int begin(const call *c, int32_t lda, int32_t ldb, real *work, int64_t lwork, int32_t *info) {
  *info = check(c, lda, ldb, lwork);
  if (*info == 0 || *info == -10) *work = best_work(c);
  if (*info != 0) shim_xerbla(ROUTINE, -*info);
  return *info == 0 && lwork != -1;
}

/* ---- the names ---- */

#define EXPORT __attribute__((visibility("default")))

typedef void (*fortran_gels)(const char *, const int32_t *, const int32_t *, const int32_t *, real *, const int32_t *,
                             real *, const int32_t *, real *, const int32_t *, int32_t *, size_t);
typedef int32_t (*lapacke_gels)(int, char, int32_t, int32_t, int32_t, real *, int32_t, real *, int32_t);
typedef int32_t (*lapacke_gels_work)(int, char, int32_t, int32_t, int32_t, real *, int32_t, real *, int32_t, real *,
                                     int32_t);

EXPORT void NAME(, gels_)(const char *trans, const int32_t *m, const int32_t *n, const int32_t *nrhs, real *a,
                          const int32_t *lda, real *b, const int32_t *ldb, real *work, const int32_t *lwork,
                          int32_t *info);
EXPORT int32_t NAME(LAPACKE_, gels)(int layout, char trans, int32_t m, int32_t n, int32_t nrhs, real *a, int32_t lda,
                                    real *b, int32_t ldb);
EXPORT int32_t NAME(LAPACKE_, gels_work)(int layout, char trans, int32_t m, int32_t n, int32_t nrhs, real *a,
                                         int32_t lda, real *b, int32_t ldb, real *work, int32_t lwork);

/* Fortran passes the length of `trans` behind `info`, and many a C program does not: it is not looked at. */
void NAME(, gels_)(const char *trans, const int32_t *m, const int32_t *n, const int32_t *nrhs, real *a,
                   const int32_t *lda, real *b, const int32_t *ldb, real *work, const int32_t *lwork, int32_t *info) {
  call c = {COL_MAJOR, *trans, *m, *n, *nrhs, a, *lda, b, *ldb, NULL};
  shim_count_entry();
  if (!begin(&c, c.lda, c.ldb, work, *lwork, info)) return;
  *info = solve(&c);
  const fortran_gels next = *info > HAND_ON ? NULL : (fortran_gels)shim_find_next(LETTER "gels_");
  if (next != NULL) next(trans, m, n, nrhs, a, lda, b, ldb, work, lwork, info, 1);
  put_nan_back(&c);
}

/* What LAPACKE_dgels_work does, but for handing on. */
static int32_t compute(call *c, real *work, int64_t lwork) {
  const int row_major = c->layout == ROW_MAJOR;
  int32_t info = 0;
  if (!row_major && c->layout != COL_MAJOR) info = -1;
  if (row_major && c->lda < c->n) info = -7;
  if (row_major && c->ldb < c->nrhs && info == 0) info = -9;
  if (info != 0) {
    shim_lapacke_xerbla("LAPACKE_" LETTER "gels_work", info);
    return info;
  }
  const int32_t lda = row_major ? larger(1, c->m) : c->lda, ldb = row_major ? larger(1, larger(c->m, c->n)) : c->ldb;
  if (!begin(c, lda, ldb, work, lwork, &info)) return info < 0 ? info - 1 : info;
  return solve(c);
}

int32_t NAME(LAPACKE_, gels_work)(int layout, char trans, int32_t m, int32_t n, int32_t nrhs, real *a, int32_t lda,
                                  real *b, int32_t ldb, real *work, int32_t lwork) {
  call c = {layout, trans, m, n, nrhs, a, lda, b, ldb, NULL};
  shim_count_entry();
  int32_t info = compute(&c, work, lwork);
  const lapacke_gels_work next =
      info > HAND_ON ? NULL : (lapacke_gels_work)shim_find_next("LAPACKE_" LETTER "gels_work");
  if (next != NULL) info = next(layout, trans, m, n, nrhs, a, lda, b, ldb, work, lwork);
  put_nan_back(&c);
  return info;
}

static int holds_nan(int layout, int32_t rows, int32_t columns, const real *values, int32_t ld) {
  const int32_t lines = layout == ROW_MAJOR ? rows : columns, length = layout == ROW_MAJOR ? columns : rows;
  for (int64_t i = 0; i < lines && values != NULL; i++)
    for (int64_t j = 0; j < smaller(length, ld); j++)
      if (isnan(values[i * ld + j])) return 1;
  return 0;
}

int32_t NAME(LAPACKE_, gels)(int layout, char trans, int32_t m, int32_t n, int32_t nrhs, real *a, int32_t lda, real *b,
                             int32_t ldb) {
  call c = {layout, trans, m, n, nrhs, a, lda, b, ldb, NULL};
  real work = 0;
  shim_count_entry();
  if (layout != ROW_MAJOR && layout != COL_MAJOR) {
    shim_lapacke_xerbla("LAPACKE_" LETTER "gels", -1);
    return -1;
  }
  if (shim_checks_nan() && holds_nan(layout, m, n, a, lda)) return BAD_A;
  if (shim_checks_nan() && holds_nan(layout, larger(m, n), nrhs, b, ldb)) return BAD_B;
  int32_t info = compute(&c, &work, INT64_MAX);
  const lapacke_gels next = info > HAND_ON ? NULL : (lapacke_gels)shim_find_next("LAPACKE_" LETTER "gels");
  if (next != NULL) info = next(layout, trans, m, n, nrhs, a, lda, b, ldb);
  put_nan_back(&c);
  return info;
}
