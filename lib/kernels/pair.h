/* Exact sums and products of two doubles, each as a rounded result and its error. Not for files with contraction. */
#ifndef LSQ_KERNELS_PAIR_H
#define LSQ_KERNELS_PAIR_H

#include <math.h>

/* a + b = result + *error (Knuth). */
static inline double lsq_two_sum(double a, double b, double *error) {
  double sum = a + b, b_part = sum - a;
  *error = (a - (sum - b_part)) + (b - b_part);
  return sum;
}

/* The same when |a| >= |b| or a = 0 (Dekker). */
static inline double lsq_fast_two_sum(double a, double b, double *error) {
  double sum = a + b;
  *error = b - (sum - a);
  return sum;
}

/* product = round(a b): its error a b - product, exact unless the product over- or underflows. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(FP_FAST_FMA)
#define LSQ_FAST_FMA 1

static inline double lsq_product_error(double a, double b, double product) { return fma(a, b, -product); }

#else

/* a = *high + *low with at most 26 bits each (Veltkamp); |a| <= 2^996. */
static inline void lsq_split(double a, double *high, double *low) {
  double c = 0x1.0000002p27 * a;
  *high = c - (c - a);
  *low = a - *high;
}

/* Dekker; near the end of the range the larger factor is scaled down, so that splitting does not overflow first. */
static inline double lsq_product_error(double a, double b, double product) {
  double a_high = 0, a_low = 0, b_high = 0, b_low = 0, up = 1;
  if (fabs(a) > 0x1p996 || fabs(b) > 0x1p996 || fabs(product) > 0x1p996) {
    if (fabs(a) > fabs(b)) {
      a *= 0x1p-54;
    } else {
      b *= 0x1p-54;
    }
    product *= 0x1p-54;
    up = 0x1p54;
  }
  lsq_split(a, &a_high, &a_low);
  lsq_split(b, &b_high, &b_low);
  return (((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low) * up;
}

#endif

/* a b = result + *error. */
static inline double lsq_two_product(double a, double b, double *error) {
  double product = a * b;
  *error = lsq_product_error(a, b, product);
  return product;
}

#endif
