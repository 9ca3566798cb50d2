/* Arithmetic on raw arrays, compiled once for each instruction set (kernel level) and precision and chosen at run time.
 * Everything is row-major; `ld` is the distance between rows in elements. Outputs of products and Toeplitz products may
 * not overlap their inputs. Nothing here allocates or fails. On one level every result is a function of its inputs
 * alone: row i of a product has the same bits whatever the other rows are. Wide products (N and K beyond 192;
 * product_tn: K beyond 128) are BLIS': it has its own buffers, and its bits depend on the processor too. */
#ifndef LSQ_KERNELS_KERNELS_H
#define LSQ_KERNELS_KERNELS_H

#include <lsqnet/context.h>
#include <stdint.h>

/* Products of N <= LSQ_PRODUCT_WIDEST are ours. In product_tn of K > LSQ_PRODUCT_DEPTH^2 they are sums of so many rows
 * at a time, so that accumulating over parts of a multiple of LSQ_PRODUCT_DEPTH rows comes to the same bits. */
enum { LSQ_PRODUCT_DEPTH = 128, LSQ_PRODUCT_WIDEST = 192 };

/* How many of K terms a product of ours sums at a time: as evenly as may be. */
static inline int64_t lsq_product_depth(int64_t K) {
  const int64_t blocks = K > LSQ_PRODUCT_DEPTH ? (K + LSQ_PRODUCT_DEPTH - 1) / LSQ_PRODUCT_DEPTH : 1;
  return (K + blocks - 1) / blocks;
}

/* Numbers that packing N columns of K numbers takes, whole tiles of any level. Where LSQ_PACKED_TILE columns end the
 * next ones begin without a gap. */
enum { LSQ_PACKED_TILE = 96, LSQ_MOST_TILE_ROWS = 6, LSQ_MOST_LANES = 16 };
static inline int64_t lsq_packed_left(int64_t K, int64_t N) { return K * (N + LSQ_MOST_TILE_ROWS - 1); }
static inline int64_t lsq_packed_right(int64_t K, int64_t N) { return K * (N + LSQ_MOST_LANES - 1); }

/* The same table for float and double:
 *
 * product_nt      C = A B' + bias (+ C if accumulate).     A (M,K), B (N,K), bias (N) or NULL, C (M,N)
 * product_nn      C = A B (+ C if accumulate).             A (M,K), B (K,N), C (M,N)
 * product_tn      C = A' B (+ C if accumulate).            A (K,M), B (K,N), C (M,N); K is long: summed in blocks
 * pack            A as either operand of product_packed.   A (K,N), left and right as long as the functions above say
 * product_packed  product_tn of K <= LSQ_PRODUCT_DEPTH, with the same bits, from what pack made of A (K,M) and B (K,N);
 *                 if `lower`, C's numbers above the diagonal are whatever was easy
 * toeplitz        y_t = bias + sum_s F[t-s] u_s per channel, for s in 0..T-1 and lag = t-s in lo..hi; t = first ..
 *                 first+count-1.  u (T,D), F (2T-1,D) row lag+T-1, bias (D) or NULL, y (count,D) written whole
 * toeplitz_input  its vector-Jacobian product in u: du_s += sum_t F[t-s] dy_t
 * toeplitz_filter its vector-Jacobian product in F: dF[lag] += sum_t dy_t u_{t-lag}
 * multiply        y_i = a_i b_i
 * multiply_add    y_i += a_i b_i
 * axpy            y_i += alpha x_i
 * scale           y_i = alpha x_i
 * dot             sum a_i b_i in a fixed order
 * column_sums     s_j += sum_i A_ij.                        A (M,N) */
#define LSQ_DECLARE_KERNELS(real, suffix)                                                                              \
  struct lsq_kernels_##suffix {                                                                                        \
    int32_t level; /* an LSQNET_KERNEL_ number */                                                                      \
    void (*product_nt)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,        \
                       const real *bias, real *C, int64_t ldc, int accumulate);                                        \
    void (*product_nn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,        \
                       real *C, int64_t ldc, int accumulate);                                                          \
    void (*product_tn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,        \
                       real *C, int64_t ldc, int accumulate);                                                          \
    void (*pack)(int64_t K, int64_t N, const real *A, int64_t lda, real *left, real *right);                           \
    void (*product_packed)(int64_t M, int64_t N, int64_t K, const real *left, const real *right, real *C, int64_t ldc, \
                           int accumulate, int lower);                                                                 \
    void (*toeplitz)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,        \
                     const real *bias, const real *u, real *y);                                                        \
    void (*toeplitz_input)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,  \
                           const real *dy, real *du);                                                                  \
    void (*toeplitz_filter)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *u, \
                            const real *dy, real *dF);                                                                 \
    void (*multiply)(int64_t n, const real *a, const real *b, real *y);                                                \
    void (*multiply_add)(int64_t n, const real *a, const real *b, real *y);                                            \
    void (*axpy)(int64_t n, real alpha, const real *x, real *y);                                                       \
    void (*scale)(int64_t n, real alpha, const real *x, real *y);                                                      \
    real (*dot)(int64_t n, const real *a, const real *b);                                                              \
    void (*column_sums)(int64_t M, int64_t N, const real *A, int64_t lda, real *s);                                    \
  }

LSQ_DECLARE_KERNELS(double, f64);
LSQ_DECLARE_KERNELS(float, f32);

/* The tables of `level` (AUTO: the best this processor has), or NULL when the build or the processor has not got it. */
const struct lsq_kernels_f64 *lsq_kernels_choose_f64(int32_t level);
const struct lsq_kernels_f32 *lsq_kernels_choose_f32(int32_t level);

#endif
