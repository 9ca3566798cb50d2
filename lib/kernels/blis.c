#include "kernels/blis.h"

#include <assert.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <blis.h>
#pragma GCC diagnostic pop

/* BLIS takes what it only reads without const. Its kernels for small shapes are left out: it chooses them by the number
 * of rows, and then a row would have other bits alone than in a batch. */
void lsq_blis_product_f64(int64_t M, int64_t N, int64_t K, const double *A, int64_t a_row, int64_t a_column,
                          const double *B, int64_t b_row, int64_t b_column, double *C, int64_t ldc, int accumulate) {
  double one = 1, beta = accumulate ? 1 : 0;
  rntm_t runtime = BLIS_RNTM_INITIALIZER;
  assert(M > 0 && N > 0 && K > 0);
  bli_rntm_set_num_threads(1, &runtime);
  bli_rntm_disable_l3_sup(&runtime);
  bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, M, N, K, &one, (double *)A, a_row, a_column, (double *)B, b_row,
               b_column, &beta, C, ldc, 1, NULL, &runtime);
}

void lsq_blis_product_f32(int64_t M, int64_t N, int64_t K, const float *A, int64_t a_row, int64_t a_column,
                          const float *B, int64_t b_row, int64_t b_column, float *C, int64_t ldc, int accumulate) {
  float one = 1, beta = accumulate ? 1 : 0;
  rntm_t runtime = BLIS_RNTM_INITIALIZER;
  assert(M > 0 && N > 0 && K > 0);
  bli_rntm_set_num_threads(1, &runtime);
  bli_rntm_disable_l3_sup(&runtime);
  bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, M, N, K, &one, (float *)A, a_row, a_column, (float *)B, b_row,
               b_column, &beta, C, ldc, 1, NULL, &runtime);
}
