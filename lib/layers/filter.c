#include "layers/filter.h"

#include <string.h>

#include "base/order.h"
#include "layers/activations.h"

enum { FEATURES = LSQ_FILTER_FEATURES, HIDDEN = LSQ_FILTER_HIDDEN };

/* Tap of the weights that a lag has; a shifted channel's and the other ones' are not all among the K. */
static int64_t tap_of(const lsq_filter *filter, int64_t T, int64_t lag, int64_t d) {
  if (filter->kind != LSQ_FILTER_SHORT) return lag < 0 ? lag + T : lag;
  const int64_t shift = d < filter->width - filter->shifted ? 0 : filter->shift;
  return (filter->causal ? filter->taps - 1 : filter->taps / 2) - (lag - shift);
}

/* Rows of a table from weights (D,K). */
static void from_weights(const lsq_filter *filter, int64_t T, const real *w, real *F) {
  const lsq_lags lags = lsq_filter_lags(filter, T);
  const int64_t D = filter->width, K = filter->taps;
  for (int64_t lag = lags.lo; lag <= lags.hi; lag++)
    for (int64_t d = 0; d < D; d++) {
      const int64_t tap = tap_of(filter, T, lag, d);
      F[(lag + T - 1) * D + d] = tap >= 0 && tap < K ? w[d * K + tap] : 0;
    }
}

static void add_to_weights(const lsq_filter *filter, int64_t T, const real *dF, real *dw) {
  const lsq_lags lags = lsq_filter_lags(filter, T);
  const int64_t D = filter->width, K = filter->taps;
  for (int64_t lag = lags.lo; lag <= lags.hi; lag++)
    for (int64_t d = 0; d < D; d++) {
      const int64_t tap = tap_of(filter, T, lag, d);
      if (tap >= 0 && tap < K) dw[d * K + tap] += dF[(lag + T - 1) * D + d];
    }
}

/* Rows of a table from the implicit filter (T,D), which a table of lags 0..T-1 ends with. */
static void repeat_circularly(const lsq_filter *filter, int64_t T, real *F) {
  const lsq_lags lags = lsq_filter_lags(filter, T);
  const int64_t D = filter->width;
  for (int64_t lag = lags.lo; lag < 0; lag++)
    memcpy(F + (lag + T - 1) * D, F + (lag + T + T - 1) * D, (size_t)D * sizeof *F);
}

typedef struct {
  real *hidden, *dhidden; /* (T,16) */
  real *df;               /* (T,D) */
  real *dfeatures;        /* (T,3) */
} implicit_scratch;

static implicit_scratch split(const lsq_filter *filter, int64_t T, real *scratch) {
  implicit_scratch s = {.hidden = scratch};
  s.dhidden = s.hidden + T * HIDDEN;
  s.df = s.dhidden + T * HIDDEN;
  s.dfeatures = s.df + T * filter->width;
  return s;
}

static void implicit_hidden(const REAL(lsq_kernel_table) *kernels, int64_t T, const REAL(lsq_filter_weights) *w,
                            real *hidden) {
  REAL(lsq_linear_forward)(kernels, T, FEATURES, HIDDEN, w->features, w->hidden_weight, w->hidden_bias, hidden);
  REAL(lsq_relu)(T * HIDDEN, hidden);
}

static void implicit_forward(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                             const REAL(lsq_filter_weights) *w, real *F, real *scratch) {
  const int64_t D = filter->width;
  implicit_hidden(kernels, T, w, scratch);
  REAL(lsq_linear_forward)(kernels, T, HIDDEN, D, scratch, w->out_weight, w->out_bias, F + (T - 1) * D);
  repeat_circularly(filter, T, F);
}

static void implicit_backward(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                              const REAL(lsq_filter_weights) *w, const real *dF, const REAL(lsq_filter_gradients) *g,
                              real *scratch) {
  const lsq_lags lags = lsq_filter_lags(filter, T);
  const int64_t D = filter->width;
  const implicit_scratch s = split(filter, T, scratch);
  memcpy(s.df, dF + (T - 1) * D, (size_t)(T * D) * sizeof *dF);
  if (lags.lo < 0) kernels->axpy((T - 1) * D, 1, dF, s.df + D);
  implicit_hidden(kernels, T, w, s.hidden);
  REAL(lsq_linear_backward)
  (kernels, T, HIDDEN, D, s.hidden, w->out_weight, s.df, s.dhidden, g->out_weight, g->out_bias);
  REAL(lsq_relu_derivative)(T * HIDDEN, s.hidden, s.dhidden);
  REAL(lsq_linear_backward)
  (kernels, T, FEATURES, HIDDEN, w->features, w->hidden_weight, s.dhidden, s.dfeatures, g->hidden_weight,
   g->hidden_bias);
  if (g->features != NULL) kernels->axpy(T * FEATURES, 1, s.dfeatures, g->features);
}

static void implicit_jvp(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                         const REAL(lsq_filter_weights) *w, const REAL(lsq_filter_weights) *d, real *dF,
                         real *scratch) {
  const int64_t D = filter->width;
  const implicit_scratch s = split(filter, T, scratch);
  implicit_hidden(kernels, T, w, s.hidden);
  REAL(lsq_linear_jvp)
  (kernels, T, FEATURES, HIDDEN, w->features, w->hidden_weight, d->features, d->hidden_weight, d->hidden_bias,
   s.dhidden);
  REAL(lsq_relu_derivative)(T * HIDDEN, s.hidden, s.dhidden);
  REAL(lsq_linear_jvp)
  (kernels, T, HIDDEN, D, s.hidden, w->out_weight, s.dhidden, d->out_weight, d->out_bias, dF + (T - 1) * D);
  repeat_circularly(filter, T, dF);
}

void REAL(lsq_filter_forward)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                              const REAL(lsq_filter_weights) *weights, real *F, real *scratch) {
  if (filter->kind == LSQ_FILTER_IMPLICIT)
    implicit_forward(kernels, filter, T, weights, F, scratch);
  else
    from_weights(filter, T, weights->weight, F);
}

void REAL(lsq_filter_backward)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                               const REAL(lsq_filter_weights) *weights, const real *dF,
                               const REAL(lsq_filter_gradients) *gradients, real *scratch) {
  if (filter->kind == LSQ_FILTER_IMPLICIT)
    implicit_backward(kernels, filter, T, weights, dF, gradients, scratch);
  else if (gradients->weight != NULL)
    add_to_weights(filter, T, dF, gradients->weight);
}

int REAL(lsq_filter_moves)(const REAL(lsq_filter_weights) *d) {
  return d->weight != NULL || d->features != NULL || d->hidden_weight != NULL || d->hidden_bias != NULL ||
         d->out_weight != NULL || d->out_bias != NULL;
}

void REAL(lsq_filter_jvp)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                          const REAL(lsq_filter_weights) *weights, const REAL(lsq_filter_weights) *directions, real *dF,
                          real *scratch) {
  if (filter->kind == LSQ_FILTER_IMPLICIT)
    implicit_jvp(kernels, filter, T, weights, directions, dF, scratch);
  else
    from_weights(filter, T, directions->weight, dF);
}

#ifdef LSQ_ONCE

lsq_lags lsq_filter_lags(const lsq_filter *filter, int64_t T) {
  const int64_t K = filter->taps, back = filter->causal ? K - 1 : K / 2, ahead = K - 1 - back;
  if (!filter->causal && filter->kind != LSQ_FILTER_SHORT) return (lsq_lags){1 - T, T - 1};
  return (lsq_lags){-lsq_smaller(T - 1, ahead), lsq_smaller(T - 1, back + filter->shift)};
}

int64_t lsq_filter_scratch(const lsq_filter *filter, int64_t T) {
  return filter->kind == LSQ_FILTER_IMPLICIT ? T * (2 * HIDDEN + filter->width + FEATURES) : 0;
}

#endif
