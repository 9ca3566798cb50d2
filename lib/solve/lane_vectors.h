/* Vectors of doubles for the files of lanes.h, which are compiled for each kernel level with contraction off: what is
 * fused says so. */
#ifndef LSQ_SOLVE_LANE_VECTORS_H
#define LSQ_SOLVE_LANE_VECTORS_H

#include <math.h>

#include "kernels/level.h"
#include "kernels/pair.h"
#include "solve/lanes.h"

enum { WIDE = LSQ_VECTOR_BYTES / (int)sizeof(double) };

typedef double doubles __attribute__((vector_size(LSQ_VECTOR_BYTES)));
typedef int64_t mask __attribute__((vector_size(LSQ_VECTOR_BYTES)));
typedef uint64_t bits __attribute__((vector_size(LSQ_VECTOR_BYTES)));

static inline doubles get(const double *array, int64_t index) {
  doubles v;
  memcpy(&v, array + index * WIDE, sizeof v);
  return v;
}

static inline void put(double *array, int64_t index, doubles v) { memcpy(array + index * WIDE, &v, sizeof v); }

static inline doubles every(double value) { return value - (doubles){0}; }

static inline doubles choose(mask where, doubles yes, doubles no) {
  return (doubles)(((mask)yes & where) | ((mask)no & ~where));
}

static inline doubles larger(doubles a, doubles b) { return choose(a > b, a, b); }

static inline doubles smaller(doubles a, doubles b) { return choose(a < b, a, b); }

static inline doubles magnitude(doubles v) { return (doubles)((bits)v & UINT64_C(0x7fffffffffffffff)); }

static inline doubles root(doubles v) {
  for (int l = 0; l < WIDE; l++) v[l] = sqrt(v[l]);
  return v;
}

#define LSQ_INLINE static inline __attribute__((always_inline))

/* The smallest power of two above v > 0, which is not denormal. */
static inline doubles power_above(doubles v) {
  return (doubles)(((bits)v & UINT64_C(0x7ff0000000000000)) + (UINT64_C(1) << 52));
}

/* 2^-e where 2^(e-1) <= sqrt(v) < 2^e. */
static inline doubles scale_of(doubles v) {
  const bits exponent = ((bits)v >> 52) - 1022, half = (exponent + 4097) / 2 - 2048;
  return (doubles)((1023 - half) << 52);
}

/* a b + c, in one rounding where the level has it. */
static inline doubles fused(doubles a, doubles b, doubles c) {
#ifdef LSQ_FAST_FMA
  for (int l = 0; l < WIDE; l++) c[l] = fma(a[l], b[l], c[l]);
  return c;
#else
  return a * b + c;
#endif
}

#ifndef LSQ_FAST_FMA
/* The upper 26 bits of v, |v| <= 2^996 (Veltkamp). */
static inline doubles upper_half(doubles v) {
  const doubles wide = 0x1.0000002p27 * v;
  return wide - (wide - v);
}
#endif

/* a b - product where that is its rounded value (Dekker without fma). */
static inline doubles product_error(doubles a, doubles b, doubles product) {
#ifdef LSQ_FAST_FMA
  return fused(a, b, -product);
#else
  const doubles a_high = upper_half(a), b_high = upper_half(b), a_low = a - a_high, b_low = b - b_high;
  return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

/* sum + *low += a b, exact but for what is lost in *low, where `sum` has so large a constant in it that |a b| never
 * moves it out of its binade: the part of a b that it can hold goes there, without a rounding, the rest to *low. */
static inline doubles accumulate(doubles a, doubles b, doubles sum, doubles *low) {
#ifdef LSQ_FAST_FMA
  const doubles next = fused(a, b, sum);
  *low += fused(a, b, sum - next); /* sum - next, exactly: less the part that it took */
#else
  const doubles product = a * b, next = sum + product;
  *low += (product + (sum - next)) + product_error(a, b, product);
#endif
  return next;
}

#endif
