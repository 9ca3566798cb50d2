/* Problems a second against the size of a batch, on one thread and on all, beside LAPACK's dgels one by one. */
#ifndef TOOLS_REPRODUCE_THROUGHPUT_H
#define TOOLS_REPRODUCE_THROUGHPUT_H

#include "reproduce.h"

/* Adds a run "batch=N" for each size; `one` has one thread, `all` those of the context. */
int throughput_runs(reproduction *r, lsqnet_solver *one, lsqnet_solver *all);

#endif
