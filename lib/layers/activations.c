#include "layers/activations.h"

#include "layers/elementary.h"

void REAL(lsq_relu)(int64_t n, real *a) {
  for (int64_t i = 0; i < n; i++) a[i] = a[i] < 0 ? 0 : a[i];
}

void REAL(lsq_relu_derivative)(int64_t n, const real *r, real *d) {
  for (int64_t i = 0; i < n; i++) d[i] = r[i] <= 0 ? 0 : d[i];
}

/* erfc keeps the relative accuracy of Phi in its lower tail, where 1 + erf cancels. */
void REAL(lsq_gelu)(int64_t n, real *a, real *y) {
  const real sqrt_half = REAL_C(0.70710678118654752440), density_at_zero = REAL_C(0.39894228040143267794);
  const real half = REAL_C(0.5);
  for (int64_t i = 0; i < n; i++) {
    const real distribution = half * REAL_MATH(erfc)(-a[i] * sqrt_half);
    const real density = density_at_zero * REAL_MATH(exp)(-half * a[i] * a[i]);
    y[i] = a[i] * distribution;
    a[i] = distribution + a[i] * density;
  }
}

/* exp is only taken of negative numbers, so that it cannot overflow. */
void REAL(lsq_sigmoid)(int64_t n, real *a) {
  for (int64_t i = 0; i < n; i++) {
    const real e = REAL_MATH(exp)(a[i] < 0 ? a[i] : -a[i]);
    a[i] = (a[i] < 0 ? e : 1) / (1 + e);
  }
}
