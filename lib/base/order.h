/* Of two numbers. */
#ifndef LSQ_BASE_ORDER_H
#define LSQ_BASE_ORDER_H

#include <stdint.h>

static inline int64_t lsq_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t lsq_larger(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
