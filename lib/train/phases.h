/* A Gauss-Newton run: trials from several first weights, a first-order start where one is needed, then Gauss-Newton to
 * the end. */
#ifndef LSQ_TRAIN_PHASES_H
#define LSQ_TRAIN_PHASES_H

#include "train/gauss_newton.h"

/* An optimiser's functions but for `create`, which calls the first with its method. */
lsqnet_status lsq_phases_create(lsqnet_trainer *trainer, const lsq_normal_solver *method, void **state);
void lsq_phases_destroy(lsqnet_trainer *trainer, void *state);
lsqnet_status lsq_phases_step(lsqnet_trainer *trainer, void *state);
int lsq_phases_array(void *state, int64_t index, lsq_state_array *out);
lsqnet_status lsq_phases_check(void *state);

#endif
