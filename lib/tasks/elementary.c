#include "tasks/elementary.h"

#include <math.h>

/* exp(r) - 1 for |r| <= 0.35, where 14 terms of Taylor's series count. */
static double small_exponential_less_one(double r) {
  double series = 1;
  for (int k = 14; k >= 2; k--) series = 1 + r / k * series;
  return r * series;
}

double lsq_exponential(double x) {
  const double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40; /* high has 36 bits: times k it is exact */
  const double least = -746, most = 710;                                     /* 0 and infinity beyond */
  if (isnan(x)) return x;
  x = x < least ? least : x > most ? most : x;
  const double k = floor(x * 0x1.71547652b82fep0 + 0.5);
  return ldexp(1 + small_exponential_less_one((x - k * ln2_high) - k * ln2_low), (int)k);
}

double lsq_exponential_less_one(double x) {
  return fabs(x) <= 0.35 ? small_exponential_less_one(x) : lsq_exponential(x) - 1;
}

/* sin and cos of pi j / n within [0, pi/4], by Taylor's series. */
static double small_sine(double t) {
  double series = 1;
  for (int k = 9; k >= 1; k--) series = 1 - t * t / (2 * k * (2 * k + 1)) * series;
  return t * series;
}

static double small_cosine(double t) {
  double series = 1;
  for (int k = 9; k >= 1; k--) series = 1 - t * t / (2 * k * (2 * k - 1)) * series;
  return series;
}

double lsq_cosine_of_pi(int64_t j, int64_t n) {
  const double pi = 0x1.921fb54442d18p1;
  if (n - j < j) return -lsq_cosine_of_pi(n - j, n);
  if (n - 2 * j < 2 * j) return small_sine(pi * (double)(n - 2 * j) / (2 * (double)n));
  return small_cosine(pi * (double)j / (double)n);
}
