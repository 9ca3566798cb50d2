/* Whether an answer lies where data do. */
#ifndef LSQ_API_OVERLAP_H
#define LSQ_API_OVERLAP_H

#include "solve/batch.h"

/* E_ARGUMENT if a number of x is one of a, b or weights: by pointers of the same problem, else of any. Arrays in each
 * other's gaps are apart. `given` has all leading dimensions and strides set, and `problems` is described by it. */
lsqnet_status lsq_check_overlap(const lsqnet_problems *given, const lsq_problems *problems);

#endif
