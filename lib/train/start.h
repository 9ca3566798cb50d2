/* The first-order start of a Gauss-Newton run: Adam, whose end and rate follow from the loss.
 *
 * Mean losses of windows of steps are compared. A plateau at the beginning ends nothing: it can last for thousands of
 * steps, and a rate cut there would make it last for ever. Once the loss is well below the first window's, three windows
 * without progress halve the rate. The start is over when the loss is 1e-4 of the first window's, or when halving the
 * rate four times in a row brought nothing. */
#ifndef LSQ_TRAIN_START_H
#define LSQ_TRAIN_START_H

#include "train/trainer.h"

typedef struct lsq_start lsq_start;

/* Of options.start_batch samples a step at options.start_rate; the other options are the trainer's. */
lsqnet_status lsq_start_create(lsq_start **out, lsqnet_trainer *trainer);
void lsq_start_destroy(lsq_start *start);

/* Forgets all steps. */
void lsq_start_reset(lsq_start *start);

/* As an optimiser's step; *over is 1 when it was the last. */
lsqnet_status lsq_start_step(lsq_start *start, int *over);

/* Steps done. */
int64_t lsq_start_steps(const lsq_start *start);

/* Mean loss of the last whole window; DBL_MAX before there is one. */
double lsq_start_loss(const lsq_start *start);

/* As an optimiser's. */
int lsq_start_array(lsq_start *start, int64_t index, lsq_state_array *out);
lsqnet_status lsq_start_check(lsq_start *start);

#endif
