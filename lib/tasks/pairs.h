/* Sums, products and quotients of numbers held as pairs high + low (kernels/pair.h), to about 2^-104 of the operands.
 */
#ifndef LSQ_TASKS_PAIRS_H
#define LSQ_TASKS_PAIRS_H

#include "kernels/pair.h"

typedef struct {
  double high, low;
} lsq_pair;

static inline lsq_pair lsq_pair_add(lsq_pair a, lsq_pair b) {
  lsq_pair sum;
  double error = 0, high = lsq_two_sum(a.high, b.high, &error);
  sum.high = lsq_fast_two_sum(high, error + (a.low + b.low), &sum.low);
  return sum;
}

static inline lsq_pair lsq_pair_times(lsq_pair a, double factor) {
  lsq_pair product;
  double error = 0, high = lsq_two_product(a.high, factor, &error);
  product.high = lsq_fast_two_sum(high, error + a.low * factor, &product.low);
  return product;
}

/* a / n for a whole number n. */
static inline lsq_pair lsq_pair_over(lsq_pair a, int64_t n) {
  lsq_pair quotient;
  const double divisor = (double)n, high = a.high / divisor;
  double error = 0, back = lsq_two_product(high, divisor, &error);
  quotient.high = lsq_fast_two_sum(high, ((a.high - back) - error + a.low) / divisor, &quotient.low);
  return quotient;
}

#endif
