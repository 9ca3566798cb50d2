#include <math.h>

#include "solve/solver.h"

/* fmax without its call: NaN is passed over. */
static double larger(double a, double b) { return b > a ? b : a; }

int lsq_scale_exponent(int64_t count, const double *values, int64_t stride) {
  double largest = 0.0, sum = 0.0;
  int exponent = 0, root_exponent = 0;
  for (int64_t i = 0; i < count; i++) largest = larger(largest, fabs(values[i * stride]));
  if (largest == 0.0) return 0;
  (void)frexp(largest, &exponent);
  const double half = ldexp(1.0, -exponent / 2), rest = ldexp(1.0, -exponent - -exponent / 2);
  for (int64_t i = 0; i < count; i++) {
    const double value = values[i * stride] * half * rest;
    sum += value * value;
  }
  (void)frexp(sqrt(sum / (double)count), &root_exponent);
  return exponent + root_exponent;
}

double lsq_norm(int64_t n, const double *v) {
  double sum = 0.0, largest = 0.0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  if ((sum >= 0x1p-900 && sum <= 0x1p1000) || isnan(sum)) return sqrt(sum);
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
  if (largest == 0.0 || isinf(largest)) return largest;
  sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += (v[i] / largest) * (v[i] / largest);
  return largest * sqrt(sum);
}

/* What was not zero stays so: whether a component is zero has to show. */
static double scaled(double value, double power) {
  const double out = value * power;
  return out == 0.0 && value != 0.0 ? copysign(0x1p-1074, value) : out;
}

double lsq_scaled(double value, int exponent) {
  const double out = ldexp(value, exponent);
  return out == 0.0 && value != 0.0 ? copysign(0x1p-1074, value) : out;
}

void lsq_scale_copy(int64_t count, const double *values, int64_t stride, int exponent, double *out,
                    int64_t out_stride) {
  if (exponent > -1000 && exponent < 1000) {
    const double power = ldexp(1.0, exponent);
    for (int64_t i = 0; i < count; i++) out[i * out_stride] = scaled(values[i * stride], power);
  } else {
    const double half = ldexp(1.0, exponent / 2), rest = ldexp(1.0, exponent - exponent / 2);
    for (int64_t i = 0; i < count; i++) out[i * out_stride] = scaled(scaled(values[i * stride], half), rest);
  }
}
