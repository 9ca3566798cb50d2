/* Counter-based random streams (Philox 4x64-10): (seed, stream, index) fixes a number, whatever else was drawn. */
#ifndef LSQ_BASE_RANDOM_H
#define LSQ_BASE_RANDOM_H

#include <stdint.h>

/* 64 random bits: word index % 4 of the block with counter (index / 4, stream, 0, 0) and key (seed, 0). */
uint64_t lsq_random_bits(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform on (0,1): an odd multiple of 2^-53, so never 0 or 1, and 1 minus it is one as well. */
double lsq_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Natural logarithm of a normal positive number, within two units in the last place, from exact operations alone: its
 * bits do not depend on the machine's libm. */
double lsq_logarithm(double x);

/* x with P(X < x) = p for a standard normal X, p in (0,1): Wichura 1988, algorithm AS 241 (PPND16), relative error
 * about 1e-15. */
double lsq_normal_quantile(double p);

/* Standard normal: the quantile of lsq_random_uniform. */
double lsq_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* out_i = lsq_random_normal(seed, stream, first + i) for i < count, at a quarter of the Philox blocks. */
void lsq_random_normals(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double *out);

#endif
