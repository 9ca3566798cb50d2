/* Products of wide matrices through BLIS. The only place that calls it: one thread a call, and none of its state is
 * changed. BLIS picks its instructions by processor, not by kernel level, and aborts if it cannot allocate. */
#ifndef LSQ_KERNELS_BLIS_H
#define LSQ_KERNELS_BLIS_H

#include <stdint.h>

/* C = A B (+ C if accumulate).  A(i,k) = A[i a_row + k a_column], B(k,j) = B[k b_row + j b_column], C (M,N). */
void lsq_blis_product_f64(int64_t M, int64_t N, int64_t K, const double *A, int64_t a_row, int64_t a_column,
                          const double *B, int64_t b_row, int64_t b_column, double *C, int64_t ldc, int accumulate);
void lsq_blis_product_f32(int64_t M, int64_t N, int64_t K, const float *A, int64_t a_row, int64_t a_column,
                          const float *B, int64_t b_row, int64_t b_column, float *C, int64_t ldc, int accumulate);

#endif
