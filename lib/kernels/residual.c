/* Residuals in pairs, see compensated.h; in double only. Contraction must be off. */
#include "kernels/level.h"

#if LSQ_PRECISION == 64

#include "kernels/compensated.h"
#include "kernels/pair.h"

/* (*high, *low) += (a + a_low) (x + x_low), less a_low x_low, which is below the error bound. */
static inline void add_product(double a, double a_low, double x, double x_low, double *high, double *low) {
  double product_error = 0, sum_error = 0;
  double product = lsq_two_product(a, x, &product_error);
  double sum = lsq_two_sum(*high, product, &sum_error);
  product_error += a * x_low + a_low * x;
  *high = lsq_fast_two_sum(sum, sum_error + (*low + product_error), low);
}

/* The same in each lane. */
static inline void add_products(vector a, vector a_low, double x, double x_low, vector *high, vector *low) {
  vector product = a * x, product_error;
  for (int k = 0; k < LANES; k++) product_error[k] = lsq_product_error(a[k], x, product[k]);
  vector sum = *high + product, part = sum - *high;
  vector sum_error = (*high - (sum - part)) + (product - part);
  product_error += a * x_low + a_low * x;
  vector tail = sum_error + (*low + product_error);
  *high = sum + tail;
  *low = tail - (*high - sum);
}

static inline vector gather(const double *A, const int64_t *offset) {
  vector v;
  for (int k = 0; k < LANES; k++) v[k] = A[offset[k]];
  return v;
}

void LEVEL(residual)(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *x,
                     const double *x_low, const double *b, const double *b_low, double *r, double *r_low) {
  for (int64_t first = 0; first < m; first += LANES) {
    vector high, low, a_low = {0};
    int64_t offset[LANES];
    for (int64_t k = 0; k < LANES; k++) {
      int64_t i = first + k < m ? first + k : m - 1;
      double error = 0;
      offset[k] = i * lda;
      high[k] = lsq_two_sum(b[i], b_low != NULL ? b_low[i] : 0, &error);
      low[k] = error;
    }
    for (int64_t j = 0; j < n; j++) {
      if (A_low != NULL) a_low = gather(A_low + j, offset);
      add_products(gather(A + j, offset), a_low, -x[j], x_low != NULL ? -x_low[j] : 0, &high, &low);
    }
    for (int64_t k = 0; k < LANES && first + k < m; k++) {
      r[first + k] = high[k];
      r_low[first + k] = low[k];
    }
  }
}

static void add_row(int64_t n, const double *a, const double *a_low, double r, double r_low, double *restrict g,
                    double *restrict g_low) {
  if (a_low == NULL) {
    for (int64_t j = 0; j < n; j++) add_product(a[j], 0, r, r_low, &g[j], &g_low[j]);
  } else {
    for (int64_t j = 0; j < n; j++) add_product(a[j], a_low[j], r, r_low, &g[j], &g_low[j]);
  }
}

void LEVEL(transposed_product)(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *r,
                               const double *r_low, double *g, double *g_low) {
  for (int64_t i = 0; i < m; i++) {
    add_row(n, A + i * lda, A_low != NULL ? A_low + i * lda : NULL, r[i], r_low != NULL ? r_low[i] : 0, g, g_low);
  }
}

/* *sum += value; returns what is lost. */
static inline double add_to(double value, double *sum) {
  double error = 0;
  *sum = lsq_two_sum(*sum, value, &error);
  return error;
}

/* One entry of a row; what is below the low parts of the sums is returned. */
static inline double add_in_three(double a, double r, double r_low, double *high, double *middle) {
  double error = 0, rest = 0;
  const double product = lsq_two_product(a, r, &error), small = lsq_two_product(a, r_low, &rest);
  return rest + (add_to(add_to(product, high), middle) + add_to(error, middle) + add_to(small, middle));
}

/* Two loops: in one, a compiler makes a masked load at NULL of what a_low has not, and each takes hundreds of cycles.
 */
static void add_row_in_three(int64_t n, const double *a, const double *a_low, double r, double r_low, double *high,
                             double *middle, double *low) {
  if (a_low == NULL) {
    for (int64_t j = 0; j < n; j++) low[j] += add_in_three(a[j], r, r_low, &high[j], &middle[j]);
    return;
  }
  for (int64_t j = 0; j < n; j++) {
    double error = 0, rest = add_in_three(a[j], r, r_low, &high[j], &middle[j]);
    const double other = lsq_two_product(a_low[j], r, &error);
    rest += add_to(other, &middle[j]) + (error + a_low[j] * r_low);
    low[j] += rest;
  }
}

void LEVEL(gradient)(int64_t m, int64_t n, const double *A, const double *A_low, int64_t lda, const double *r,
                     const double *r_low, double *high, double *middle, double *low) {
  for (int64_t i = 0; i < m; i++)
    add_row_in_three(n, A + i * lda, A_low != NULL ? A_low + i * lda : NULL, r[i], r_low[i], high, middle, low);
}

#endif
