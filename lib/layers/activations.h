/* Activations of n numbers. NaN comes out as NaN. */
#ifndef LSQ_LAYERS_ACTIVATIONS_H
#define LSQ_LAYERS_ACTIVATIONS_H

#include <stdint.h>

#include "base/real.h"

/* a = max(a, 0). */
void REAL(lsq_relu)(int64_t n, real *a);

/* d = 0 where r = max(a, 0) is 0: the derivative of ReLU, applied in either direction. */
void REAL(lsq_relu_derivative)(int64_t n, const real *r, real *d);

/* y = a Phi(a) with the normal distribution Phi; a becomes the derivative Phi(a) + a phi(a). */
void REAL(lsq_gelu)(int64_t n, real *a, real *y);

/* a = 1 / (1 + exp(-a)). */
void REAL(lsq_sigmoid)(int64_t n, real *a);

#endif
