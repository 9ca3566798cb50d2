#include "model/construct.h"

/* A layer gives out_proj v with v_c = (filter_c * in_proj u)_c (gate u)_c: a gate of two channels of u, the first
 * of them seen through a filter over rows. Everything is done by such gates, without skips. */
typedef struct {
  lsq_sheet in, filter, gate, gate_bias, out;
} layer;

/* The rows that a gate sums its first channel over: those `first` to `last` rows back. */
typedef struct {
  int64_t first, last;
} lags;

static const lags HERE = {0, 0};

/* In place of a gate's second channel: the constant 1. */
enum { ONE = -1 };

static lsqnet_status open_layer(layer *out, lsqnet_model *model, int64_t block) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_sheet_open_mixer(&out->in, model, block, "in_proj.weight"));
  LSQ_TRY(lsq_sheet_open_mixer(&out->filter, model, block, "filter.weight"));
  LSQ_TRY(lsq_sheet_open_mixer(&out->gate, model, block, "gate.weight"));
  LSQ_TRY(lsq_sheet_open_mixer(&out->gate_bias, model, block, "gate.bias"));
  LSQ_TRY(lsq_sheet_open_mixer(&out->out, model, block, "out_proj.weight"));
done:
  return st;
}

/* v_c = (sum over `rows` of channel `summed`) times channel `factor` here. */
static void set_gate(const layer *l, int64_t c, lags rows, int64_t summed, int64_t factor) {
  lsq_sheet_set(&l->in, c, summed, 1);
  for (int64_t lag = rows.first; lag <= rows.last; lag++) lsq_sheet_set(&l->filter, c, lag, 1);
  if (factor == ONE)
    lsq_sheet_set(&l->gate_bias, 0, c, 1);
  else
    lsq_sheet_set(&l->gate, c, factor, 1);
}

/* Channels from .. from+count-1 come out as they are, by way of the gates `via` .. via+count-1. */
static void keep(const layer *l, int64_t from, int64_t count, int64_t via) {
  for (int64_t c = 0; c < count; c++) {
    set_gate(l, via + c, HERE, from + c, ONE);
    lsq_sheet_set(&l->out, from + c, via + c, 1);
  }
}

/* One step where every row holds its own x; the filters are circular, so every row sees all rows.
 * Channels: a_i, b_i, x, P (D products), R (D copies of the row's residual). */
static lsqnet_status set_step(lsqnet_model *model, int64_t block, const lsq_construct_plan *plan) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = plan->D, B = D, X = D + 1, P = 2 * D + 1, R = 3 * D + 1;
  const lags all = {0, plan->T - 1};
  layer residual, product, sum;
  LSQ_TRY(open_layer(&residual, model, block));
  LSQ_TRY(open_layer(&product, model, block + 1));
  LSQ_TRY(open_layer(&sum, model, block + 2));
  keep(&residual, 0, P, 0);
  keep(&product, 0, P, 0);
  keep(&sum, 0, plan->gradient ? X : P, 0);
  for (int64_t j = 0; j < D; j++) {
    set_gate(&residual, P + j, HERE, j, X + j);
    for (int64_t copy = 0; copy < D; copy++) lsq_sheet_set(&residual.out, R + copy, P + j, 1);
    lsq_sheet_set(&residual.out, R + j, B, -1);
    set_gate(&product, P + j, HERE, R + j, j);
    lsq_sheet_set(&product.out, P + j, P + j, 1);
    set_gate(&sum, P + j, all, P + j, ONE);
    lsq_sheet_set(&sum.out, X + j, P + j, plan->gradient ? plan->rate : -plan->rate);
  }
done:
  return st;
}

lsqnet_status lsq_construct_base_conv_repeat(lsqnet_model **out, lsqnet_context *context,
                                             const lsq_construct_plan *plan) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_construct_frame(out, context, plan, "base_conv", "{\"filter\":\"long\",\"causal\":false}", 3 * plan->k,
                              4 * plan->D + 1, 0, plan->D + 1));
  for (int64_t step = 0; step < plan->k; step++) LSQ_TRY(set_step(*out, 3 * step, plan));
done:
  return st;
}

/* From here on x lies in one row. Channels after each layer: C = A'b (D), X = x (D), S = the upper triangle of A'A;
 * after the first layer C and S are still the terms of single rows. Gates that follow C in a step: D^2 products of S
 * and x, then x itself, then S, the last two only while they are needed. */

static int64_t triangle(int64_t D) { return D * (D + 1) / 2; }

/* Place of entry (j,k) of a symmetric matrix in its upper triangle. */
static int64_t entry(int64_t D, int64_t j, int64_t k) {
  const int64_t row = j < k ? j : k, column = j < k ? k : j;
  return row * D - row * (row - 1) / 2 + column - row;
}

/* The terms of each row; x moves from channels x_from on, `back` rows back, to X. */
static lsqnet_status set_terms(lsqnet_model *model, const lsq_construct_plan *plan, int64_t x_from, int64_t back) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = plan->D, C = 0, X = D, S = 2 * D;
  layer l;
  LSQ_TRY(open_layer(&l, model, 0));
  for (int64_t j = 0; j < D; j++) {
    set_gate(&l, C + j, HERE, j, D);
    set_gate(&l, X + j, (lags){back, back}, x_from + j, ONE);
    for (int64_t k = j; k < D; k++) set_gate(&l, S + entry(D, j, k), HERE, j, k);
  }
  for (int64_t c = 0; c < S + triangle(D); c++) lsq_sheet_set(&l.out, c, c, 1);
done:
  return st;
}

/* Step `block` (1 .. k): S x - C with S and C summed over `rows`. */
static lsqnet_status set_gated_step(lsqnet_model *model, int64_t block, const lsq_construct_plan *plan, lags rows) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = plan->D, C = 0, X = D, S = 2 * D;
  const int64_t products = D, kept_x = products + D * D, kept_S = kept_x + D;
  const double rate = plan->gradient ? plan->rate : -plan->rate;
  layer l;
  LSQ_TRY(open_layer(&l, model, block));
  for (int64_t j = 0; j < D; j++) {
    set_gate(&l, C + j, rows, C + j, ONE);
    lsq_sheet_set(&l.out, C + j, C + j, 1);
    lsq_sheet_set(&l.out, X + j, C + j, -rate);
    for (int64_t k = 0; k < D; k++) {
      set_gate(&l, products + j * D + k, rows, S + entry(D, j, k), X + k);
      lsq_sheet_set(&l.out, X + j, products + j * D + k, rate);
    }
  }
  if (!plan->gradient) keep(&l, X, D, kept_x);
  for (int64_t i = 0; block < plan->k && i < triangle(D); i++) {
    set_gate(&l, kept_S + i, rows, S + i, ONE);
    lsq_sheet_set(&l.out, S + i, kept_S + i, 1);
  }
done:
  return st;
}

static lsqnet_status construct_gated(lsqnet_model **out, lsqnet_context *context, const lsq_construct_plan *plan,
                                     int64_t x_from, int64_t back, lags rows) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = plan->D, terms = 2 * D + triangle(D);
  const int64_t gates = D + D * D + (plan->gradient ? 0 : D) + (plan->k > 1 ? triangle(D) : 0);
  LSQ_TRY(lsq_construct_frame(out, context, plan, "base_conv", "{\"filter\":\"long\",\"causal\":true}", plan->k + 1,
                              terms > gates ? terms : gates, 0, D));
  LSQ_TRY(set_terms(*out, plan, x_from, back));
  for (int64_t block = 1; block <= plan->k; block++)
    LSQ_TRY(set_gated_step(*out, block, plan, block == 1 ? rows : HERE));
done:
  return st;
}

lsqnet_status lsq_construct_base_conv_split(lsqnet_model **out, lsqnet_context *context,
                                            const lsq_construct_plan *plan) {
  return construct_gated(out, context, plan, plan->D + 1, 0, (lags){0, plan->L});
}

/* The last row fetches x from row 0, L rows back, whose own products the sums leave out, with weight 0: x must not be
 * so large that they overflow. */
lsqnet_status lsq_construct_base_conv_query_first(lsqnet_model **out, lsqnet_context *context,
                                                  const lsq_construct_plan *plan) {
  return construct_gated(out, context, plan, 0, plan->L, (lags){0, plan->L - 1});
}
