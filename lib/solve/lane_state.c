/* Second moments in pairs: rows added to them, and their products with a vector. */
#include "solve/lane_vectors.h"

#if LSQ_PRECISION == 64

void LEVEL(lane_add_row)(int64_t columns, int64_t stride, double fade, const double *left, const double *left_low,
                         const double *right, double *high, double *low);
void LEVEL(lane_subtract_product)(int64_t n, int64_t stride, const double *high, const double *low, const double *x,
                                  const double *x_low, double *g, double *g_low);

/* *high + *low += (a + a_low) (b + b_low). */
LSQ_INLINE void add_product(doubles a, doubles a_low, doubles b, doubles b_low, doubles *high, doubles *low) {
  const doubles product = a * b, error = fused(a, b_low, fused(a_low, b, product_error(a, b, product)));
  const doubles sum = *high + product, part = sum - *high;
  const doubles rest = *low + (((*high - (sum - part)) + (product - part)) + error);
  *high = sum + rest;
  *low = rest - (*high - sum);
}

/* *high + *low times f. */
LSQ_INLINE void multiply(doubles f, doubles *high, doubles *low) {
  const doubles product = *high * f, error = fused(*low, f, product_error(*high, f, product));
  *high = product + error;
  *low = error - (*high - product);
}

void LEVEL(lane_add_row)(int64_t columns, int64_t stride, double fade, const double *left, const double *left_low,
                         const double *right, double *high, double *low) {
  const doubles zero = {0};
  for (int64_t j = 0; j < columns; j++, high += stride, low += stride) {
    const doubles factor = every(right[j]);
    for (int64_t i = 0; i < stride / WIDE; i++) {
      doubles sum = get(high, i), rest = get(low, i);
      if (fade != 1) multiply(every(fade), &sum, &rest);
      add_product(get(left, i), get(left_low, i), factor, zero, &sum, &rest);
      put(high, i, sum);
      put(low, i, rest);
    }
  }
}

void LEVEL(lane_subtract_product)(int64_t n, int64_t stride, const double *high, const double *low, const double *x,
                                  const double *x_low, double *g, double *g_low) {
  for (int64_t i = 0; i <= (n - 1) / WIDE; i++) {
    doubles sum = get(g, i), rest = get(g_low, i);
    for (int64_t j = 0; j < n; j++)
      add_product(get(high + j * stride, i), get(low + j * stride, i), every(-x[j]), every(-x_low[j]), &sum, &rest);
    put(g, i, sum);
    put(g_low, i, rest);
  }
}

#endif
