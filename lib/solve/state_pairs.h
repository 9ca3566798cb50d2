/* Arithmetic on pairs of doubles, for what comes of a state's moments. */
#ifndef LSQ_SOLVE_STATE_PAIRS_H
#define LSQ_SOLVE_STATE_PAIRS_H

#include "kernels/pair.h"

typedef struct {
  double high, low;
} lsq_pair;

/* a - b c */
static inline lsq_pair lsq_minus_product(lsq_pair a, lsq_pair b, lsq_pair c) {
  double error = 0.0, rest = 0.0;
  const double product = lsq_two_product(b.high, c.high, &error), sum = lsq_two_sum(a.high, -product, &rest);
  const double tail = a.low + (rest - (error + (b.high * c.low + b.low * c.high)));
  a.high = lsq_fast_two_sum(sum, tail, &a.low);
  return a;
}

/* a / b: the quotient and its correction. */
static inline lsq_pair lsq_quotient(lsq_pair a, lsq_pair b) {
  lsq_pair q = {a.high / b.high, 0.0};
  const lsq_pair rest = lsq_minus_product(a, q, b);
  q.high = lsq_fast_two_sum(q.high, rest.high / b.high, &q.low);
  return q;
}

static inline lsq_pair lsq_root(lsq_pair a) {
  lsq_pair r = {sqrt(a.high), 0.0};
  const lsq_pair rest = lsq_minus_product(a, r, r);
  r.high = lsq_fast_two_sum(r.high, rest.high / (2.0 * r.high), &r.low);
  return r;
}

static inline lsq_pair lsq_plus(lsq_pair a, double b) {
  lsq_pair sum = {0.0, 0.0};
  sum.high = lsq_two_sum(a.high, b, &sum.low);
  sum.high = lsq_fast_two_sum(sum.high, sum.low + a.low, &sum.low);
  return sum;
}

#endif
