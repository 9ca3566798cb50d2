#include <math.h>

#include "model/construct.h"

/* Channels: a_i, b_i, x. Row t asks with (x_t, -1) and row i answers with key (a_i, b_i) and value a_i, so that row t
 * gets sum_i (a_i.x_t - b_i) a_i. The last row's own key and value are zero, and stay zero: only x channels change,
 * which no key or value reads. */
static lsqnet_status set_layer(lsqnet_model *model, int64_t block, const lsq_construct_plan *plan) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = plan->D, W = 2 * D + 1, B = D, X = D + 1, QUERY = 0, KEY = W, VALUE = 2 * W;
  /* scores come divided by the root of the head's size */
  const double weight = (plan->gradient ? plan->rate : -plan->rate) * sqrt((double)W);
  lsq_sheet in, in_bias, out;
  LSQ_TRY(lsq_sheet_open_mixer(&in, model, block, "qkv.weight"));
  LSQ_TRY(lsq_sheet_open_mixer(&in_bias, model, block, "qkv.bias"));
  LSQ_TRY(lsq_sheet_open_mixer(&out, model, block, "out_proj.weight"));
  for (int64_t j = 0; j < D; j++) {
    lsq_sheet_set(&in, QUERY + j, X + j, 1);
    lsq_sheet_set(&in, KEY + j, j, 1);
    lsq_sheet_set(&in, VALUE + j, j, 1);
    lsq_sheet_set(&out, X + j, j, weight);
  }
  lsq_sheet_set(&in_bias, 0, QUERY + B, -1);
  lsq_sheet_set(&in, KEY + B, B, 1);
done:
  return st;
}

/* One layer an iterate: the skip keeps x. A gradient has no skip, so that nothing of x is in its answer. */
lsqnet_status lsq_construct_attention_split(lsqnet_model **out, lsqnet_context *context,
                                            const lsq_construct_plan *plan) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_construct_frame(out, context, plan, "attention", "{\"heads\":1,\"softmax\":false,\"causal\":false}",
                              plan->k, 2 * plan->D + 1, !plan->gradient, plan->D + 1));
  for (int64_t block = 0; block < plan->k; block++) LSQ_TRY(set_layer(*out, block, plan));
done:
  return st;
}
