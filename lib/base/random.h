/* Counter-based random streams (Philox 4x64-10): (seed, stream, index) fixes a number, whatever else was drawn. */
#ifndef LSQ_BASE_RANDOM_H
#define LSQ_BASE_RANDOM_H

#include <stdint.h>

/* 64 random bits. */
uint64_t lsq_random_bits(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform on (0,1): a multiple of 2^-53 plus 2^-54, never 0 or 1. */
double lsq_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal, by inversion (Wichura 1988, AS 241: relative error 1e-16) with our own logarithm, so that the bits do
 * not depend on the machine's libm. */
double lsq_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

#endif
