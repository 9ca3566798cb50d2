/* Forward, backward and Jacobian-vector product of a few sequences through a whole model: for files compiled once for
 * each precision (base/real.h). These functions allocate nothing, lock nothing and only read the model. */
#ifndef LSQ_MODEL_PASS_H
#define LSQ_MODEL_PASS_H

#include "layers/layers.h"
#include "model/plan.h"

/* A plan, and the arrays that its passes read. */
typedef struct {
  const lsqnet_model *model;
  const lsq_pass_plan *plan;
  const real *const *weights; /* (parameter_count) */
} REAL(lsq_pass);

/* Plans passes of n sequences of T rows, of whose output the rows first .. first+R-1 are wanted; plan->blocks is there.
 * E_SHAPE if the sizes overflow, or the mixer's own. */
lsqnet_status REAL(lsq_plan_pass)(lsq_pass_plan *plan, const lsqnet_model *model, int64_t n, int64_t T, int64_t first,
                                  int64_t R);

/* y = model(x).  x (n,T,in), y (n,R,out), cache (plan->cache) and scratch (plan->scratch) on 64-byte boundaries. */
lsqnet_status REAL(lsq_pass_forward)(const REAL(lsq_pass) *pass, const real *x, real *y, real *cache, real *scratch);

/* From dy (n,R,out) to dx (n,T,in), NULL if it is not wanted; gradients[i], NULL where parameter i is frozen, are added
 * to. `cache` is the forward pass's. */
lsqnet_status REAL(lsq_pass_backward)(const REAL(lsq_pass) *pass, const real *dy, real *dx, real *const *gradients,
                                      const real *cache, real *scratch);

/* dy (n,R,out) when x moves along dx (n,T,in; NULL: it stays) and weight i along directions[i] (NULL: it stays). */
lsqnet_status REAL(lsq_pass_jvp)(const REAL(lsq_pass) *pass, const real *dx, const real *const *directions, real *dy,
                                 const real *cache, real *scratch);

#endif
