#include <math.h>

#include "solve/solver.h"

int lsq_scale_exponent(int64_t count, const double *values, int64_t stride) {
  double largest = 0.0, sum = 0.0;
  int exponent = 0, root_exponent = 0;
  for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(values[i * stride]));
  if (largest == 0.0) return 0;
  (void)frexp(largest, &exponent);
  for (int64_t i = 0; i < count; i++) {
    const double value = ldexp(values[i * stride], -exponent);
    sum += value * value;
  }
  (void)frexp(sqrt(sum / (double)count), &root_exponent);
  return exponent + root_exponent;
}

void lsq_scale_copy(int64_t count, const double *values, int64_t stride, int exponent, double *out,
                    int64_t out_stride) {
  if (exponent > -1000 && exponent < 1000) {
    const double power = ldexp(1.0, exponent);
    for (int64_t i = 0; i < count; i++) out[i * out_stride] = values[i * stride] * power;
  } else {
    for (int64_t i = 0; i < count; i++) out[i * out_stride] = ldexp(values[i * stride], exponent);
  }
}
