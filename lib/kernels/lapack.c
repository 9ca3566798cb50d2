#include "kernels/lapack.h"

#ifdef LSQ_HAVE_LAPACKE
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

int lsq_have_lapack(void) { return 1; }

/* dgelsd's arrays, by columns: one after the other in `work`. */
typedef struct {
  double *a, *b, *singular_values, *work;
  lapack_int *integers;
  lapack_int work_size;
} arrays;

static int too_large(int64_t m, int64_t n) { return m > INT32_MAX / 8 || n > INT32_MAX / 8; }

/* Doubles in all; hands out pieces of `memory` unless it is NULL. dgelsd is asked what it wants itself; 0 if that is
 * more than its 32-bit sizes hold. */
static int64_t lay_out(int64_t m, int64_t n, double *memory, arrays *out) {
  const int64_t tall = m > n ? m : n, small = m < n ? m : n;
  double wanted = 0.0, none = 0.0;
  lapack_int integers = 0, rank = 0;
  (void)LAPACKE_dgelsd_work(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, 1, &none, (lapack_int)m, &none,
                            (lapack_int)tall, &none, DBL_EPSILON, &rank, &wanted, -1, &integers);
  if (!(wanted >= 1.0 && wanted <= INT32_MAX) || integers < 0) return 0;
  const int64_t whole = m * n + tall + small + (int64_t)wanted;
  if (memory != NULL) {
    *out = (arrays){.a = memory, .b = memory + m * n, .work_size = (lapack_int)wanted};
    out->singular_values = out->b + tall;
    out->work = out->singular_values + small;
    out->integers = (lapack_int *)(void *)(memory + whole);
  }
  return whole + (integers + 1) / 2;
}

int64_t lsq_lapack_size(int64_t m, int64_t n) { return too_large(m, n) ? 0 : lay_out(m, n, NULL, NULL); }

/* Norms far from overflow. From an infinity in A dgelsd may not come back, and of NaN it calls XERBLA, since DLASCL
 * refuses a norm that is none. */
static int safe(int64_t count, const double *values) {
  for (int64_t i = 0; i < count; i++)
    if (!(fabs(values[i]) <= 0x1p400)) return 0;
  return 1;
}

lsqnet_status lsq_lapack_least_squares(int64_t m, int64_t n, const double *A, int64_t lda, const double *b, double *x,
                                       int64_t *rank, double *work) {
  lapack_int found = 0;
  arrays p;
  if (too_large(m, n) || lay_out(m, n, work, &p) == 0)
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld: more than LAPACK's 32-bit sizes hold", (long long)m, (long long)n);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) p.a[j * m + i] = A[i * lda + j];
  memcpy(p.b, b, (size_t)m * sizeof *b);
  if (!safe(m * n, p.a) || !safe(m, p.b))
    return lsq_fail(LSQNET_E_NOT_FINITE, "NaN or numbers beyond 2^400 are not for LAPACK's dgelsd");
  const lapack_int info = LAPACKE_dgelsd_work(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, 1, p.a, (lapack_int)m,
                                              p.b, (lapack_int)(m > n ? m : n), p.singular_values, DBL_EPSILON, &found,
                                              p.work, p.work_size, p.integers);
  if (info > 0)
    return lsq_fail(LSQNET_E_NOT_CONVERGED, "LAPACK's dgelsd: %ld singular values did not converge", (long)info);
  if (info < 0) return lsq_fail(LSQNET_E_INTERNAL, "LAPACK's dgelsd: argument %ld is refused", -(long)info);
  memcpy(x, p.b, (size_t)n * sizeof *x);
  *rank = found;
  return LSQNET_OK;
}

#else

int lsq_have_lapack(void) { return 0; }

int64_t lsq_lapack_size(int64_t m, int64_t n) {
  (void)m, (void)n;
  return 0;
}

lsqnet_status lsq_lapack_least_squares(int64_t m, int64_t n, const double *A, int64_t lda, const double *b, double *x,
                                       int64_t *rank, double *work) {
  (void)m, (void)n, (void)A, (void)lda, (void)b, (void)x, (void)rank, (void)work;
  return lsq_fail(LSQNET_E_UNSUPPORTED, "this build of the library has no LAPACK");
}

#endif
