/* Problems a second against the size of a batch, beside LAPACK's dgels one by one. */
#ifndef TOOLS_REPRODUCE_THROUGHPUT_H
#define TOOLS_REPRODUCE_THROUGHPUT_H

#include "reproduce.h"

/* Adds a run "batch=N" for each size. */
int throughput_runs(reproduction *r, lsqnet_solver *solver);

#endif
