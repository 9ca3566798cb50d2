/* Threads of a context: a fixed set of workers with blocking waits, which sleep while there is nothing to do. */
#ifndef LSQ_BASE_POOL_H
#define LSQ_BASE_POOL_H

#include "base/context.h"

struct lsq_pool;

/* Does task `index` of a call. `lane` < lsq_pool_lanes() is this thread's number, for scratch memory of its own. */
typedef lsqnet_status (*lsq_task_fn)(void *argument, int64_t index, int64_t lane);

lsqnet_status lsq_pool_create(struct lsq_pool **out, const lsqnet_context *context, int32_t threads);
void lsq_pool_destroy(struct lsq_pool *pool, const lsqnet_context *context);

/* Threads, the caller's included: >= 1. */
int64_t lsq_pool_lanes(const struct lsq_pool *pool);

/* Runs tasks 0 .. count-1, each once, on the caller's thread and the workers; returns when all have ended. They are
 * begun in ascending order, so that one may wait for lower ones, if none of the call can fail. A call that finds the
 * pool busy (with another thread's call or its own caller's), or in a process made by fork, runs serially on lane 0, so
 * results must not depend on which lane does what. After a failure the tasks not yet begun are skipped; the status and
 * the message are those of the failed task with the lowest index among the ones that ran. */
lsqnet_status lsq_pool_run(struct lsq_pool *pool, int64_t count, lsq_task_fn task, void *argument);

/* The same; while the caller's thread has nothing left to do but wait for the workers, it calls `watch` about once a
 * millisecond. NULL: it waits. */
lsqnet_status lsq_pool_run_watched(struct lsq_pool *pool, int64_t count, lsq_task_fn task, void *argument,
                                   void (*watch)(void *argument));

#endif
