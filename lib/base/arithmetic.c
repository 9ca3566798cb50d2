#include "base/arithmetic.h"

#include <fenv.h>
#include <float.h>

lsqnet_status lsq_check_arithmetic(void) {
  const volatile double smallest = DBL_MIN;
  if (fegetround() != FE_TONEAREST)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the thread's rounding mode is not to nearest: no result would hold");
  if (!(smallest * 0.5 > 0.0))
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the thread flushes denormal numbers to zero: no result would hold");
  return LSQNET_OK;
}
