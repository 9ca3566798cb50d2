/* The rate that no product can beat: multiply-adds between registers, with the vectors of a kernel level. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <stdint.h>

/* GFLOP/s of one thread; `level` is an LSQNET_KERNEL_ number. */
double peak_f64(int32_t level);
double peak_f32(int32_t level);

/* Processor time of this thread: what other programs take does not count. */
double seconds(void);

#endif
