/* What a first-order step does with the weights and their gradient, piece by piece. */
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "base/real.h"
#include "train/first_order.h"
#include "train/minibatch.h"

typedef struct {
  lsq_first_order *s;
  real l1, factor;
} work;

static real sign(real x) { return (real)((x > 0) - (x < 0)); }

static lsqnet_status square_piece(void *argument, int64_t index, int64_t lane) {
  const work *k = argument;
  const lsq_piece piece = k->s->pieces[index];
  const real *w = k->s->trainer->model->REAL(weights) + piece.offset;
  real *g = k->s->minibatch->REAL(arrays).gradient + piece.offset;
  double sum = 0;
  (void)lane;
  for (int64_t i = 0; k->l1 != 0 && i < piece.count; i++) g[i] += k->l1 * sign(w[i]);
  for (int64_t i = 0; i < piece.count; i++) sum += (double)g[i] * (double)g[i];
  k->s->squares[index] = sum;
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_gradient_norm)(lsq_first_order *s, double l1, double *norm) {
  lsqnet_status st = LSQNET_OK;
  work k = {.s = s, .l1 = (real)l1};
  double sum = 0;
  LSQ_TRY(lsq_pool_run(s->trainer->context->pool, s->piece_count, square_piece, &k));
  for (int64_t i = 0; i < s->piece_count; i++) sum += s->squares[i];
  *norm = sqrt(sum);
done:
  return st;
}

double REAL(lsq_gradient_cosine)(lsq_first_order *s) {
  const int64_t P = s->trainer->model->weight_count;
  const real *g = s->minibatch->REAL(arrays).gradient;
  real *before = s->before;
  double products = 0, squares = 0, squares_before = 0;
  for (int64_t i = 0; i < P; i++) {
    products += (double)g[i] * (double)before[i];
    squares += (double)g[i] * (double)g[i];
    squares_before += (double)before[i] * (double)before[i];
    before[i] = g[i];
  }
  return squares > 0 && squares_before > 0 ? products / (sqrt(squares) * sqrt(squares_before)) : 0;
}

/* g <- g + lambda EMA(g); the EMA starts at the first gradient. */
static void filter(const lsq_first_order *s, lsq_piece piece, real *g) {
  const lsqnet_train_options *o = &s->trainer->options;
  const real decay = (real)o->ema_decay, rest = (real)(1.0 - o->ema_decay), lambda = (real)o->ema_lambda;
  real *ema = (real *)s->filter + piece.offset;
  if (s->numbers[LSQ_APPLIED] == 0) memcpy(ema, g, (size_t)piece.count * sizeof *ema);
  for (int64_t i = 0; i < piece.count; i++) {
    ema[i] = ema[i] * decay + g[i] * rest;
    g[i] += ema[i] * lambda;
  }
}

static lsqnet_status apply_piece(void *argument, int64_t index, int64_t lane) {
  const work *k = argument;
  lsq_first_order *s = k->s;
  const lsq_piece piece = s->pieces[index];
  REAL(lsq_update) u = {.options = &s->trainer->options,
                        .rate = s->numbers[LSQ_RATE],
                        .applied = (int64_t)s->numbers[LSQ_APPLIED] + 1,
                        .count = piece.count,
                        .g = s->minibatch->REAL(arrays).gradient + piece.offset,
                        .w = s->trainer->model->REAL(weights) + piece.offset};
  (void)lane;
  for (int i = 0; i < LSQ_MOMENTS_MOST; i++)
    u.moments[i] = s->moments[i] != NULL ? (real *)s->moments[i] + piece.offset : NULL;
  memcpy((real *)s->kept + piece.offset, u.w, (size_t)piece.count * sizeof *u.w);
  for (int64_t i = 0; k->factor < 1 && i < piece.count; i++) u.g[i] *= k->factor;
  if (s->filter != NULL) filter(s, piece, u.g);
  s->rule->REAL(update)(&u);
  s->finite[index] = 1;
  for (int64_t i = 0; i < piece.count; i++)
    if (!isfinite(u.w[i])) s->finite[index] = 0;
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_apply_gradient)(lsq_first_order *s, double factor, int *finite) {
  lsqnet_status st = LSQNET_OK;
  work k = {.s = s, .factor = (real)factor};
  LSQ_TRY(lsq_pool_run(s->trainer->context->pool, s->piece_count, apply_piece, &k));
  *finite = 1;
  for (int64_t i = 0; i < s->piece_count; i++) *finite &= s->finite[i];
done:
  return st;
}
