/* Products with the Jacobian of a batch's residuals, without the Jacobian: forward, jvp and backward passes of a slab
 * of samples at a time. If the activations of the whole batch fit the limit they are kept from one product to the next.
 */
#ifndef LSQ_TRAIN_PRODUCTS_H
#define LSQ_TRAIN_PRODUCTS_H

#include "train/jacobian.h"

typedef struct lsq_products lsq_products;

/* For batches of `samples` samples; activations take `memory` bytes, or what one sample takes if that is more.
 * E_UNSUPPORTED if the mixer has no jvp. */
lsqnet_status lsq_products_create(lsq_products **out, lsqnet_trainer *trainer, const lsq_jacobian *jacobian,
                                  int64_t samples, int64_t memory);
void lsq_products_destroy(lsq_products *products);

/* r = model(X) - Y, g = J'r and the sum of squares of r. The products after it are with this J: X stays as it is.
 * X (samples,T,in_width), Y and r (samples,outputs), g (P). */
lsqnet_status lsq_products_linearise(lsq_products *products, const double *X, const double *Y, double *r, double *g,
                                     double *sum);

/* q = J v and z = J'q.  v, z (P), q (samples,outputs). */
lsqnet_status lsq_products_normal(lsq_products *products, const double *v, double *q, double *z);

#endif
