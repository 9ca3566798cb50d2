/* Residuals of a batch and their Jacobian in the trained weights, sample by sample and output by output. */
#ifndef LSQ_TRAIN_JACOBIAN_H
#define LSQ_TRAIN_JACOBIAN_H

#include "train/trainer.h"

typedef struct lsq_jacobian lsq_jacobian;

lsqnet_status lsq_jacobian_create(lsq_jacobian **out, lsqnet_trainer *trainer);
void lsq_jacobian_destroy(lsq_jacobian *jacobian);

/* P, the trained weights that can change what is scored, and where in the model's flat vector each of them lies. */
int64_t lsq_jacobian_weights(const lsq_jacobian *jacobian);
const int64_t *lsq_jacobian_places(const lsq_jacobian *jacobian);

/* Residuals of one sample. */
int64_t lsq_jacobian_outputs(const lsq_jacobian *jacobian);

/* Where residual `index` of a sample lies in the output of a pass of the rows that are scored. */
int64_t lsq_jacobian_place(const lsq_jacobian *jacobian, int64_t index);

/* Numbers that the activations of a sample take. */
int64_t lsq_jacobian_cache(const lsq_jacobian *jacobian);

/* Draws samples 0 .. samples-1 of batch `step`: X (samples,T,in_width), Y (samples,outputs). */
lsqnet_status lsq_jacobian_draw(lsq_jacobian *jacobian, uint64_t step, int64_t samples, double *X, double *Y);

/* r = model(X) - Y (samples,outputs), *sum = sum of squares, and, where J is not NULL, J (samples outputs, P) =
 * dr/dweights. */
lsqnet_status lsq_jacobian_compute(lsq_jacobian *jacobian, int64_t samples, const double *X, const double *Y, double *r,
                                   double *J, double *sum);

#endif
