/* Workspaces, and passes of whole batches: a batch is cut into chunks of about a thousand rows, which go through all
 * layers one after the other while their activations are in the processor's cache. The cut depends on the batch's shape
 * alone, and so do the groups in which gradients are summed: the bits do not depend on the number of threads. */
#ifndef LSQ_MODEL_WORKSPACE_H
#define LSQ_MODEL_WORKSPACE_H

#include "model/plan.h"

/* Most gradients that are summed side by side: chunk c adds to gradient c mod groups. */
enum { LSQ_GROUPS_MOST = 8 };

/* The arrays of either precision; open and close make and free those that the model alone sizes. `plan` cuts a batch and
 * makes room for its passes, as a forward pass does. The passes are the public ones without the checks of their
 * arguments: `shape` is right, and backward and jvp follow a forward. */
#define LSQ_DECLARE_WORKSPACE(real, suffix)                                                                       \
  typedef struct {                                                                                                \
    const real **weights;    /* (parameter_count) the model's */                                                  \
    const real **directions; /* (parameter_count) those of the jvp that runs */                                   \
    real **gradients;        /* (LSQ_GROUPS_MOST, parameter_count) into `gradient`, NULL where frozen */          \
    real *cache;             /* of all chunks, one after the other */                                             \
    real *scratch;           /* of all lanes */                                                                   \
    real *gradient;          /* (groups, weight_count); in the end the first is the sum */                        \
    int64_t cache_capacity, scratch_capacity, gradient_capacity;                                                  \
  } lsq_arrays_##suffix;                                                                                          \
  lsqnet_status lsq_workspace_open_##suffix(lsqnet_workspace *workspace);                                         \
  void lsq_workspace_close_##suffix(lsqnet_workspace *workspace);                                                 \
  lsqnet_status lsq_workspace_plan_##suffix(lsqnet_workspace *workspace, const lsqnet_batch *shape);              \
  lsqnet_status lsq_batch_forward_##suffix(lsqnet_workspace *workspace, const lsqnet_batch *shape, const real *x, \
                                           real *y);                                                              \
  lsqnet_status lsq_batch_backward_##suffix(lsqnet_workspace *workspace, const real *dy, real *dx);               \
  lsqnet_status lsq_batch_jvp_##suffix(lsqnet_workspace *workspace, const real *dx, const real *direction, real *dy)
LSQ_DECLARE_WORKSPACE(double, f64);
LSQ_DECLARE_WORKSPACE(float, f32);

struct lsqnet_workspace {
  lsqnet_context *context;
  lsq_users users;
  lsqnet_model *model; /* held */
  lsqnet_batch shape;  /* that the plans are for; batch 0: none */
  int32_t has_forward, has_gradient;
  int64_t chunk, chunks;     /* sequences in a chunk, and chunks; the last may be smaller */
  lsq_pass_plan plan, last;  /* of a chunk, and of the last one */
  lsq_arrays_f64 arrays_f64; /* of the model's precision; the others stay empty */
  lsq_arrays_f32 arrays_f32;
};

#endif
