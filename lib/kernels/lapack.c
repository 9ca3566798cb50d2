#include "kernels/lapack.h"

#ifdef LSQ_HAVE_LAPACKE
#include <float.h>
#include <lapacke.h>
#include <string.h>

int lsq_have_lapack(void) { return 1; }

static void copy_rows(int64_t rows, int64_t columns, const double *in, int64_t ld_in, double *out, int64_t ld_out) {
  for (int64_t i = 0; i < rows; i++) memcpy(out + i * ld_out, in + i * ld_in, (size_t)columns * sizeof *out);
}

static lsqnet_status status_of(lapack_int info) {
  if (info == 0) return LSQNET_OK;
  if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
    return lsq_fail(LSQNET_E_MEMORY, "LAPACKE_dgelsd: no memory for its work arrays");
  if (info > 0)
    return lsq_fail(LSQNET_E_NOT_CONVERGED, "LAPACKE_dgelsd: %ld singular values did not converge", (long)info);
  return lsq_fail(LSQNET_E_INTERNAL, "LAPACKE_dgelsd: argument %ld is refused", -(long)info);
}

lsqnet_status lsq_lapack_least_squares(const lsqnet_context *context, int64_t m, int64_t n, int64_t k, const double *A,
                                       int64_t lda, const double *B, int64_t ldb, double *X, int64_t ldx,
                                       int64_t *rank) {
  lsqnet_status st = LSQNET_OK;
  const int64_t tall = m > n ? m : n, small = m < n ? m : n;
  double *a = NULL, *b = NULL, *singular_values = NULL;
  lapack_int found = 0;
  if (tall > INT32_MAX / 8 || k > INT32_MAX / 8)
    return lsq_fail(LSQNET_E_SHAPE, "m=%lld n=%lld k=%lld: more than LAPACK's 32-bit sizes hold", (long long)m,
                    (long long)n, (long long)k);
  LSQ_TRY(lsq_alloc(context, &a, m * n, sizeof *a));
  LSQ_TRY(lsq_alloc(context, &b, tall * k, sizeof *b));
  LSQ_TRY(lsq_alloc(context, &singular_values, small, sizeof *singular_values));
  copy_rows(m, n, A, lda, a, n);
  copy_rows(m, k, B, ldb, b, k);
  LSQ_TRY(status_of(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, (lapack_int)m, (lapack_int)n, (lapack_int)k, a, (lapack_int)n, b,
                                   (lapack_int)k, singular_values, DBL_EPSILON, &found)));
  copy_rows(n, k, b, k, X, ldx);
  *rank = found;
done:
  lsq_free(context, singular_values);
  lsq_free(context, b);
  lsq_free(context, a);
  return st;
}

#else

int lsq_have_lapack(void) { return 0; }

lsqnet_status lsq_lapack_least_squares(const lsqnet_context *context, int64_t m, int64_t n, int64_t k, const double *A,
                                       int64_t lda, const double *B, int64_t ldb, double *X, int64_t ldx,
                                       int64_t *rank) {
  (void)context, (void)m, (void)n, (void)k, (void)A, (void)lda, (void)B, (void)ldb, (void)X, (void)ldx, (void)rank;
  return lsq_fail(LSQNET_E_UNSUPPORTED, "this build of the library has no LAPACK");
}

#endif
