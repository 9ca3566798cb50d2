/* Problems that do not go side by side. */
#ifndef BENCH_SOLVER_ROADS_H
#define BENCH_SOLVER_ROADS_H

/* Prints what they take on one thread, beside dgels. Returns the number of problems without a certified answer. */
int bench_roads(const char *model);

#endif
