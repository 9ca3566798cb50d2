/* Files that do the same in float32 and float64 are compiled once for each, with LSQ_PRECISION 32 and 64: they say
 * `real` for the number type and REAL(name) for names that carry the precision. What is needed only once stands in the
 * float64 pass, under LSQ_ONCE. */
#ifndef LSQ_BASE_REAL_H
#define LSQ_BASE_REAL_H

#include <float.h>

#if LSQ_PRECISION == 64
typedef double real;
#define REAL(name)       name##_f64
#define REAL_EPSILON     DBL_EPSILON
#define REAL_C(constant) constant
#define REAL_DTYPE       LSQNET_F64
#define LSQ_ONCE         1
#elif LSQ_PRECISION == 32
typedef float real;
#define REAL(name)       name##_f32
#define REAL_EPSILON     FLT_EPSILON
#define REAL_C(constant) constant##f
#define REAL_DTYPE       LSQNET_F32
#else
#error "compile with LSQ_PRECISION 32 or 64"
#endif

#endif
