/* What certificates rest on; see solve.c. */
#ifndef LSQ_API_ARITHMETIC_H
#define LSQ_API_ARITHMETIC_H

#include "base/status.h"

/* E_UNSUPPORTED unless the calling thread rounds to nearest and keeps denormals. */
lsqnet_status lsq_check_arithmetic(void);

#endif
