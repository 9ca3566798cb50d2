#include "solve/gels.h"

#include <math.h>
#include <string.h>

#include "base/real.h"

enum { TILE = 8 }; /* rows that are gathered from columns together: a cache line */

/* Where the parts of one call lie, as rows: the caller's own arrays where those are rows already. */
typedef struct {
  const real *A, *B;
  int64_t lda, ldb;
  real *X; /* (columns,k) */
} rows;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void gather_rows(int64_t m, int64_t n, const real *in, int64_t row, int64_t column, real *out) {
  for (int64_t begin = 0; begin < m; begin += TILE)
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = begin; i < smaller(begin + TILE, m); i++) out[i * n + j] = in[i * row + j * column];
}

static lsqnet_status lay_out(lsq_gels_solver *g, const lsq_gels_shape *s, const real *A, const real *B, rows *r) {
  lsqnet_status st = LSQNET_OK;
  const int copy_a = s->a_column != 1 && s->columns > 1, copy_b = s->b_column != 1 && s->k > 1;
  const int64_t a_count = copy_a ? s->rows * s->columns : 0, b_count = copy_b ? s->rows * s->k : 0;
  *r = (rows){A, B, s->rows > 1 ? s->a_row : s->columns, s->rows > 1 ? s->b_row : s->k, NULL};
  LSQ_TRY(lsq_reserve(g->context, &g->memory, &g->capacity, a_count + b_count + s->columns * s->k, sizeof *g->memory));
  LSQ_TRY(lsq_reserve(g->context, &g->reports, &g->report_capacity, s->k, sizeof *g->reports));
  r->X = (real *)(void *)g->memory;
  if (copy_a) {
    real *copy = r->X + s->columns * s->k;
    gather_rows(s->rows, s->columns, A, s->a_row, s->a_column, copy);
    r->A = copy;
    r->lda = s->columns;
  }
  if (copy_b) {
    real *copy = r->X + s->columns * s->k + a_count;
    gather_rows(s->rows, s->k, B, s->b_row, s->b_column, copy);
    r->B = copy;
    r->ldb = s->k;
  }
done:
  return st;
}

/* Whether X is certified to its last digit, or else to as many digits as LAPACK's own has: a backward stable method
 * loses log10(condition) of them. */
static int good(const lsq_gels_solver *g, int64_t k) {
  const double most = -log10(0.5 * (double)REAL_EPSILON);
  for (int64_t c = 0; c < k; c++) {
    const lsqnet_report *report = &g->reports[c];
    if (report->status == LSQNET_OK) continue;
    if (!(report->digits >= fmax(1.0, most - log10(report->condition)))) return 0;
  }
  return 1;
}

static lsqnet_status solve(lsq_gels_solver *g, const lsq_gels_shape *s, const rows *r) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = NULL;
  g->reports[0].size = sizeof *g->reports;
  LSQ_TRY(lsq_gels_solver_for(g, s->rows < s->columns, &solver));
  st = REAL(lsqnet_solver_solve)(solver, s->rows, s->columns, s->k, r->A, r->lda, r->B, r->ldb, r->X, s->k, g->reports);
  if (st == LSQNET_E_NOT_CONVERGED && good(g, s->k)) st = LSQNET_OK;
done:
  return st;
}

static void write_back(const lsq_gels_solver *g, const lsq_gels_shape *s, const real *X, real *B) {
  for (int64_t c = 0; c < s->k; c++) {
    real *b = B + c * s->b_column;
    for (int64_t j = 0; j < s->columns; j++) b[j * s->b_row] = X[j * s->k + c];
    for (int64_t i = s->columns; i < s->rows; i++) b[i * s->b_row] = 0;
    if (s->rows > s->columns) b[s->columns * s->b_row] = (real)g->reports[c].residual_norm;
  }
}

/* The first column of A, or row if A is wide, that depends on those before it: the first j of them have rank j up to
 * there. 0 if A is zero. */
static lsqnet_status find_dependent(lsq_gels_solver *g, const lsq_gels_shape *s, const real *A, int64_t *dependent) {
  lsqnet_status st = LSQNET_OK;
  const int turn = s->rows < s->columns || (s->rows == s->columns && s->transposed);
  const int64_t m = turn ? s->columns : s->rows, n = turn ? s->rows : s->columns;
  lsqnet_solver *solver = NULL;
  real *tall = NULL, *zero = NULL, *x = NULL;
  int64_t independent = 0, end = n;
  LSQ_TRY(lsq_alloc(g->context, &tall, m * n, sizeof *tall));
  LSQ_TRY(lsq_alloc(g->context, &zero, m, sizeof *zero));
  LSQ_TRY(lsq_alloc(g->context, &x, n, sizeof *x));
  gather_rows(m, n, A, turn ? s->a_column : s->a_row, turn ? s->a_row : s->a_column, tall);
  LSQ_TRY(lsq_gels_solver_for(g, 0, &solver));
  for (int64_t i = 0; i < m * n && *dependent == 0; i++) *dependent = tall[i] != 0;
  if (*dependent == 0) goto done;
  while (end - independent > 1) {
    const int64_t middle = independent + (end - independent) / 2;
    st = REAL(lsqnet_solver_solve)(solver, m, middle, 1, tall, n, zero, 1, x, 1, NULL);
    if (st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED && st != LSQNET_E_RANK) goto done;
    *(st == LSQNET_E_RANK ? &end : &independent) = middle;
  }
  *dependent = end;
  st = LSQNET_E_RANK;
done:
  lsq_free(g->context, x);
  lsq_free(g->context, zero);
  lsq_free(g->context, tall);
  return st;
}

static int32_t info_of(lsqnet_status st, const lsq_gels_shape *s, int64_t dependent) {
  switch (st) {
    case LSQNET_OK: return 0;
    case LSQNET_E_RANK: return (int32_t)dependent;
    case LSQNET_E_NOT_CONVERGED:
    case LSQNET_E_NOT_FINITE: return (int32_t)smaller(s->rows, s->columns) + 1;
    case LSQNET_E_MEMORY: return -1010; /* LAPACK_WORK_MEMORY_ERROR */
    default: return -1000 - st;
  }
}

int32_t REAL(lsq_gels)(const lsq_gels_shape *s, const real *A, real *B) {
  lsqnet_status st = LSQNET_OK;
  lsq_gels_solver *g = NULL;
  rows r;
  int64_t dependent = 0;
  LSQ_TRY(lsq_gels_take(&g, s->rows * s->columns + (s->rows + s->columns) * s->k));
  LSQ_TRY(lay_out(g, s, A, B, &r));
  st = solve(g, s, &r);
  if (st == LSQNET_E_RANK) {
    st = find_dependent(g, s, A, &dependent);
    if (st == LSQNET_OK) memset(r.X, 0, (size_t)(s->columns * s->k) * sizeof *r.X);
    for (int64_t c = 0; c < s->k && st == LSQNET_OK; c++) g->reports[c].residual_norm = 0.0;
  }
  if (st == LSQNET_OK) write_back(g, s, r.X, B);
done:
  if (g != NULL) lsq_gels_give_back(g);
  return info_of(st, s, dependent);
}
