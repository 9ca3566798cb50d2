/* What every result rests on. */
#ifndef LSQ_BASE_ARITHMETIC_H
#define LSQ_BASE_ARITHMETIC_H

#include "base/status.h"

/* E_UNSUPPORTED unless the calling thread rounds to nearest and keeps denormals: each call that computes asks first, so
 * that results do not depend on what a host does with its threads. */
lsqnet_status lsq_check_arithmetic(void);

#endif
