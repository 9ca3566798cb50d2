/* Gradient descent with momentum, as PyTorch has it: the weight decay is added to the gradient g, then
 *
 *   v = momentum v + g;  w = w - rate v */
#include "base/real.h"
#include "train/first_order.h"

void REAL(lsq_sgd_update)(const REAL(lsq_update) *u);

void REAL(lsq_sgd_update)(const REAL(lsq_update) *u) {
  const real decay = (real)u->options->weight_decay, momentum = (real)u->options->momentum, rate = (real)u->rate;
  real *v = u->moments[0], *w = u->w;
  for (int64_t i = 0; i < u->count; i++) {
    v[i] = momentum * v[i] + (u->g[i] + decay * w[i]); /* v is zero before the first step */
    w[i] -= rate * v[i];
  }
}

#ifdef LSQ_ONCE

void lsq_sgd_update_f32(const lsq_update_f32 *u);

static lsqnet_status create(lsqnet_trainer *trainer, void **state) {
  static const lsq_update_rule rule = {{"sgd.v"}, lsq_sgd_update_f64, lsq_sgd_update_f32};
  return lsq_first_order_create(trainer, &rule, state);
}

const lsq_optimizer lsq_sgd = {
    "sgd", create, lsq_first_order_destroy, lsq_first_order_step, lsq_first_order_array, lsq_first_order_check};

#endif
