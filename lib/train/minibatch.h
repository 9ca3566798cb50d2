/* Loss of a minibatch and its gradient: samples are drawn, run forward, scored and run backward chunk by chunk, so that
 * a chunk stays in the processor's cache from its first number to its last. The cut into chunks depends on the batch
 * alone, and so do the groups in which gradients are summed: the bits do not depend on the number of threads. */
#ifndef LSQ_TRAIN_MINIBATCH_H
#define LSQ_TRAIN_MINIBATCH_H

#include "model/plan.h"
#include "tasks/task.h"

/* Which samples: 0 .. samples-1 of batch `step`, of L rows of data and `kept` unknowns. */
typedef struct {
  uint64_t seed, step;
  int64_t samples, L, kept;
} lsq_draw;

/* What came out: means over all that is scored. */
typedef struct {
  double loss;        /* of (y - target)^2 */
  double mean_square; /* of target^2 */
} lsq_score;

typedef struct lsq_minibatch lsq_minibatch;

/* For the weights that `model` has at each call; both must outlive it. */
lsqnet_status lsq_minibatch_create(lsq_minibatch **out, const lsqnet_model *model, const lsqnet_task *task);
void lsq_minibatch_destroy(lsq_minibatch *minibatch);

/* The loss alone, and with its gradient. Once the largest batch has been seen nothing is allocated but what the task's
 * own draw takes. */
lsqnet_status lsq_minibatch_score(lsq_minibatch *minibatch, const lsq_draw *draw, lsq_score *score);
lsqnet_status lsq_minibatch_differentiate(lsq_minibatch *minibatch, const lsq_draw *draw, lsq_score *score);

/* What both precisions share. */
#define LSQ_DECLARE_MINIBATCH(real, suffix)                                                             \
  typedef struct {                                                                                      \
    const real **weights; /* (parameter_count) the model's */                                           \
    real **gradients;     /* (groups, parameter_count) into `gradient`, NULL where frozen */            \
    real *gradient;       /* (groups, weight_count); in the end the first is the sum, 0 where frozen */ \
    real *lanes;          /* x, target, y, cache and scratch of each lane */                            \
    int64_t lanes_capacity;                                                                             \
  } lsq_minibatch_arrays_##suffix;                                                                      \
  lsqnet_status lsq_minibatch_open_##suffix(lsq_minibatch *minibatch);                                  \
  void lsq_minibatch_close_##suffix(lsq_minibatch *minibatch);                                          \
  lsqnet_status lsq_minibatch_run_##suffix(lsq_minibatch *minibatch, const lsq_draw *draw, int differentiate)
LSQ_DECLARE_MINIBATCH(double, f64);
LSQ_DECLARE_MINIBATCH(float, f32);

struct lsq_minibatch {
  lsqnet_context *context;
  const lsqnet_model *model;
  const lsqnet_task *task;
  lsqnet_task_shape shape;           /* that the plans are for */
  int64_t samples;                   /* as well; 0: none */
  int64_t chunk, chunks;             /* samples in a chunk, and chunks; the last may be smaller */
  lsq_pass_plan plan, last;          /* of a chunk, and of the last one */
  int64_t target, y, cache, scratch; /* where the arrays of a lane begin; x is the first */
  int64_t lane;                      /* numbers of a lane */
  double *sums, *squares;            /* (chunks) of (y - target)^2 and of target^2 */
  int64_t sums_capacity, squares_capacity;
  lsq_minibatch_arrays_f64 arrays_f64; /* of the model's precision; the others stay empty */
  lsq_minibatch_arrays_f32 arrays_f32;
};

#endif
