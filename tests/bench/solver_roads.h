/* Problems that do not go side by side. */
#ifndef BENCH_SOLVER_ROADS_H
#define BENCH_SOLVER_ROADS_H

#include <stdint.h>

/* Prints what they take on one thread, beside dgels, and on two. Returns the number of answers that are not certified
 * or not right in quadruple precision, and of runs with other bits. */
int64_t bench_roads(const char *model);

#endif
