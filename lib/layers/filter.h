/* The filters of gated convolutions as tables by lag: y_t = sum_s F[t-s] u_s, row lag+T-1 of a table (2T-1,D). */
#ifndef LSQ_LAYERS_FILTER_H
#define LSQ_LAYERS_FILTER_H

#include <stdint.h>

#include "base/real.h"
#include "layers/layers.h"

enum { LSQ_FILTER_SHORT = 0, LSQ_FILTER_LONG = 1, LSQ_FILTER_IMPLICIT = 2 };
enum { LSQ_FILTER_FEATURES = 3, LSQ_FILTER_HIDDEN = 16 };

/* short     weight (D,K), slid over the rows: causal, tap K-1-k weighs the row k steps back; otherwise centred at K/2;
 *           the last `shifted` channels see rows `shift` further back
 * long      weight (D,K) by lag: causal, or circular over the T rows
 * implicit  as long, made from features (K,3) by an MLP with ReLU and 16 hidden channels */
typedef struct {
  int32_t kind, causal;
  int64_t taps;           /* K */
  int64_t width;          /* D */
  int64_t shift, shifted; /* 0 but for short filters */
} lsq_filter;

/* Those that the kind has not are NULL; gradients and directions also where they are not wanted. */
typedef struct {
  const real *weight, *features, *hidden_weight, *hidden_bias, *out_weight, *out_bias;
} REAL(lsq_filter_weights);
typedef struct {
  real *weight, *features, *hidden_weight, *hidden_bias, *out_weight, *out_bias;
} REAL(lsq_filter_gradients);

/* The lags lo..hi that a sequence of T rows has (T <= K but for short filters); lag 0 is always one. */
typedef struct {
  int64_t lo, hi;
} lsq_lags;
lsq_lags lsq_filter_lags(const lsq_filter *filter, int64_t T);

/* Elements of `scratch` in the calls below. */
int64_t lsq_filter_scratch(const lsq_filter *filter, int64_t T);

/* Writes the rows lo..hi of F. */
void REAL(lsq_filter_forward)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                              const REAL(lsq_filter_weights) *weights, real *F, real *scratch);
void REAL(lsq_filter_backward)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                               const REAL(lsq_filter_weights) *weights, const real *dF,
                               const REAL(lsq_filter_gradients) *gradients, real *scratch);
/* True if a direction moves the filter; only then is there something to write. */
int REAL(lsq_filter_moves)(const REAL(lsq_filter_weights) *directions);
void REAL(lsq_filter_jvp)(const REAL(lsq_kernel_table) *kernels, const lsq_filter *filter, int64_t T,
                          const REAL(lsq_filter_weights) *weights, const REAL(lsq_filter_weights) *directions, real *dF,
                          real *scratch);

#endif
