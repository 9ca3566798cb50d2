/* Adam (Kingma and Ba 2015), with weight decay added to the gradient, and AdamW (Loshchilov and Hutter 2019), with
 * weights that decay beside it; operations in the order that PyTorch has them in.
 *
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   w = w - rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) */
#include <math.h>

#include "base/real.h"
#include "train/first_order.h"

void REAL(lsq_adam_update)(const REAL(lsq_update) *u);
void REAL(lsq_adamw_update)(const REAL(lsq_update) *u);

#if LSQ_PRECISION == 64
static real root(real x) { return sqrt(x); }
#else
static real root(real x) { return sqrtf(x); }
#endif

static void update(const REAL(lsq_update) *u, real decay) {
  const lsqnet_train_options *o = u->options;
  const real beta1 = (real)o->beta1, rest1 = (real)(1.0 - o->beta1);
  const real beta2 = (real)o->beta2, rest2 = (real)(1.0 - o->beta2), epsilon = (real)o->epsilon;
  const real size = (real)(u->rate / (1.0 - pow(o->beta1, (double)u->applied)));
  const real correction = (real)sqrt(1.0 - pow(o->beta2, (double)u->applied));
  real *m = u->moments[0], *v = u->moments[1], *w = u->w;
  for (int64_t i = 0; i < u->count; i++) {
    const real g = u->g[i] + decay * w[i];
    m[i] = m[i] * beta1 + g * rest1;
    v[i] = v[i] * beta2 + rest2 * g * g;
    w[i] -= size * m[i] / (root(v[i]) / correction + epsilon);
  }
}

void REAL(lsq_adam_update)(const REAL(lsq_update) *u) { update(u, (real)u->options->weight_decay); }

void REAL(lsq_adamw_update)(const REAL(lsq_update) *u) {
  const real factor = (real)(1.0 - u->rate * u->options->weight_decay);
  for (int64_t i = 0; i < u->count; i++) u->w[i] *= factor;
  update(u, 0);
}

#ifdef LSQ_ONCE

void lsq_adam_update_f32(const lsq_update_f32 *u);
void lsq_adamw_update_f32(const lsq_update_f32 *u);

static lsqnet_status create_adam(lsqnet_trainer *trainer, void **state) {
  static const lsq_update_rule rule = {{"adam.m", "adam.v"}, lsq_adam_update_f64, lsq_adam_update_f32};
  return lsq_first_order_create(trainer, &rule, state);
}

static lsqnet_status create_adamw(lsqnet_trainer *trainer, void **state) {
  static const lsq_update_rule rule = {{"adamw.m", "adamw.v"}, lsq_adamw_update_f64, lsq_adamw_update_f32};
  return lsq_first_order_create(trainer, &rule, state);
}

const lsq_optimizer lsq_adam = {
    "adam", create_adam, lsq_first_order_destroy, lsq_first_order_step, lsq_first_order_array, lsq_first_order_check};
const lsq_optimizer lsq_adamw = {
    "adamw", create_adamw, lsq_first_order_destroy, lsq_first_order_step, lsq_first_order_array, lsq_first_order_check};

#endif
