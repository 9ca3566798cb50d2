/* Functions of libm in the precision that is being compiled: REAL_MATH(exp)(x). */
#ifndef LSQ_LAYERS_ELEMENTARY_H
#define LSQ_LAYERS_ELEMENTARY_H

#include <math.h>

#include "base/real.h"

#if LSQ_PRECISION == 64
#define REAL_MATH(name) name
#else
#define REAL_MATH(name) name##f
#endif

#endif
