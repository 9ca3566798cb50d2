/* Compiled with contraction of a*b+c. */
#include "peak.h"

#include <lsqnet/context.h>
#include <time.h>

double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
#define KEEP(x)   __asm__ volatile("" : "+v"(x)) /* in a register, and not known */
#define X86_64_V3 __attribute__((target("avx2,fma")))
#define X86_64_V4 __attribute__((target("avx512f,avx512dq,avx512vl")))
#elif defined(__aarch64__)
#define KEEP(x) __asm__ volatile("" : "+w"(x))
#else
#define KEEP(x) __asm__ volatile("" : "+m"(x))
#endif

#define REPEAT(act) act(0) act(1) act(2) act(3) act(4) act(5) act(6) act(7) act(8) act(9)
#define CHAIN(i)    vector sum##i = {0};
#define MULTIPLY_ADD(i)          \
  sum##i = sum##i * half + half; \
  KEEP(sum##i);

enum { CHAINS = 10, ROUNDS = 2000000 };

/* Ten chains hide the latency of two multiply-adds a cycle. */
#define DEFINE_PEAK(name, type, bytes, target)                                    \
  target static double name(void) {                                               \
    typedef type vector __attribute__((vector_size(bytes)));                      \
    vector half = (type)0.5 - (vector){0};                                        \
    REPEAT(CHAIN)                                                                 \
    KEEP(half);                                                                   \
    double start = seconds();                                                     \
    for (int round = 0; round < ROUNDS; round++) {                                \
      REPEAT(MULTIPLY_ADD)                                                        \
    }                                                                             \
    return 2e-9 * CHAINS * ROUNDS * (bytes / sizeof(type)) / (seconds() - start); \
  }

DEFINE_PEAK(peak_f64_16, double, 16, )
DEFINE_PEAK(peak_f32_16, float, 16, )
#if defined(__x86_64__)
DEFINE_PEAK(peak_f64_32, double, 32, X86_64_V3)
DEFINE_PEAK(peak_f32_32, float, 32, X86_64_V3)
DEFINE_PEAK(peak_f64_64, double, 64, X86_64_V4)
DEFINE_PEAK(peak_f32_64, float, 64, X86_64_V4)
#endif

double peak_f64(int32_t level) {
#if defined(__x86_64__)
  if (level == LSQNET_KERNEL_X86_64_V4) return peak_f64_64();
  if (level == LSQNET_KERNEL_X86_64_V3) return peak_f64_32();
#endif
  (void)level;
  return peak_f64_16();
}

double peak_f32(int32_t level) {
#if defined(__x86_64__)
  if (level == LSQNET_KERNEL_X86_64_V4) return peak_f32_64();
  if (level == LSQNET_KERNEL_X86_64_V3) return peak_f32_32();
#endif
  (void)level;
  return peak_f32_16();
}
