#include "kernels/kernels.h"

#define DECLARE_TABLES(level)                                    \
  extern const struct lsq_kernels_f64 lsq_kernels_##level##_f64; \
  extern const struct lsq_kernels_f32 lsq_kernels_##level##_f32

DECLARE_TABLES(generic);
#ifdef LSQ_HAVE_X86_64_LEVELS
DECLARE_TABLES(v2);
DECLARE_TABLES(v3);
DECLARE_TABLES(v4);

/* What x86-64-v2, v3 and v4 stand for, as far as compilers can ask: gcc and clang agree on these names only. LZCNT,
 * MOVBE and F16C came to processors with AVX2 and FMA or before. */
static int32_t best_level(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) return LSQNET_KERNEL_GENERIC;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2"))
    return LSQNET_KERNEL_X86_64_V2;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return LSQNET_KERNEL_X86_64_V3;
  return LSQNET_KERNEL_X86_64_V4;
}
#define X86_64_TABLES(suffix) &lsq_kernels_v2_##suffix, &lsq_kernels_v3_##suffix, &lsq_kernels_v4_##suffix
#else
static int32_t best_level(void) { return LSQNET_KERNEL_GENERIC; }
#define X86_64_TABLES(suffix) 0
#endif

static const struct lsq_kernels_f64 *const tables_f64[] = {&lsq_kernels_generic_f64, X86_64_TABLES(f64)};
static const struct lsq_kernels_f32 *const tables_f32[] = {&lsq_kernels_generic_f32, X86_64_TABLES(f32)};

/* Index of the table of `level`, or -1. */
static int32_t table_index(int32_t level) {
  int32_t best = best_level();
  if (level == LSQNET_KERNEL_AUTO) level = best;
  return level >= LSQNET_KERNEL_GENERIC && level <= best ? level - LSQNET_KERNEL_GENERIC : -1;
}

const struct lsq_kernels_f64 *lsq_kernels_choose_f64(int32_t level) {
  int32_t index = table_index(level);
  return index < 0 ? 0 : tables_f64[index];
}

const struct lsq_kernels_f32 *lsq_kernels_choose_f32(int32_t level) {
  int32_t index = table_index(level);
  return index < 0 ? 0 : tables_f32[index];
}
