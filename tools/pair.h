/* Numbers of twice float64's precision: unevaluated sums high + low with |low| <= ulp(high) / 2. */
#ifndef TOOLS_PAIR_H
#define TOOLS_PAIR_H

#include <math.h>

typedef struct {
  double high, low;
} pair;

/* a + b, exact, for |a| >= |b| or a = 0. */
static inline pair pair_join(double a, double b) {
  pair sum = {a + b, 0.0};
  sum.low = b - (sum.high - a);
  return sum;
}

/* a + b, exact (Knuth). */
static inline pair pair_sum(double a, double b) {
  double sum = a + b, part = sum - a;
  return (pair){sum, (a - (sum - part)) + (b - part)};
}

/* Relative error below 2^-102, as is that of the next two. */
static inline pair pair_add(pair a, pair b) {
  pair high = pair_sum(a.high, b.high), low = pair_sum(a.low, b.low);
  high = pair_join(high.high, high.low + low.high);
  return pair_join(high.high, high.low + low.low);
}

static inline pair pair_multiply(pair a, pair b) {
  double product = a.high * b.high;
  double error = fma(a.high, b.high, -product) + (a.high * b.low + a.low * b.high);
  return pair_join(product, error);
}

static inline pair pair_divide(pair a, pair b) {
  double first = a.high / b.high;
  pair back = pair_multiply(b, (pair){first, 0.0});
  pair rest = pair_add(a, (pair){-back.high, -back.low});
  return pair_join(first, rest.high / b.high);
}

#endif
