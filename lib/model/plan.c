#include "base/order.h"
#include "model/mixer_calls.h"
#include "model/pass.h"
#include "model/pass_parts.h"

/* No sum of a few such sizes overflows; a plan that reaches it is refused. */
static const int64_t MOST = INT64_MAX / 16;

static int64_t elements(int64_t rows, int64_t columns) {
  int64_t n = 0;
  return __builtin_mul_overflow(rows, columns, &n) || n > MOST ? MOST : n;
}

/* Takes room out of what is used so far and returns where it begins; whole cache lines in either precision. */
static int64_t take(int64_t *used, int64_t count) {
  const int64_t begin = *used;
  const int64_t rounded = count < MOST ? (count + 15) / 16 * 16 : MOST;
  *used = begin < MOST - rounded ? begin + rounded : MOST;
  return begin;
}

/* Takes the room of a LayerNorm on `rows` rows, or names its input when the model has none. */
static int64_t take_norm(lsq_pass_plan *plan, int64_t rows, int64_t D, int present, int64_t input, int64_t *cache) {
  if (!present) return input;
  *cache = take(&plan->cache, elements(rows, 2));
  return take(&plan->cache, elements(rows, D));
}

static lsqnet_status plan_block(lsq_pass_plan *plan, const lsqnet_model *model, int64_t i, int64_t *layer_scratch) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_mixer_shape shape = lsq_block_shape(plan, model, i);
  const int64_t D = model->options.width, M = shape.batch * shape.rows, N = shape.batch * shape.count;
  const lsq_block *block = &model->blocks[i];
  const int32_t mlp = model->options.mlp;
  lsq_block_plan *b = &plan->blocks[i];
  int64_t mixer_cache = 0, mixer_scratch = 0;
  LSQ_TRY(REAL(lsq_mixer_workspace)(model, i, &shape, &mixer_cache, &mixer_scratch));
  b->norm_1 = take_norm(plan, M, D, block->norm_1_weight >= 0, b->stream, &b->norm_1_cache);
  b->mixer_cache = take(&plan->cache, mixer_cache);
  b->middle = take(&plan->cache, elements(N, D));
  *layer_scratch = lsq_larger(*layer_scratch, mixer_scratch);
  if (mlp == LSQNET_MLP_NONE) {
    plan->blocks[i + 1].stream = b->middle;
    goto done;
  }
  const int64_t H = D * model->options.mlp_factor;
  b->norm_2 = take_norm(plan, N, D, block->norm_2_weight >= 0, b->middle, &b->norm_2_cache);
  b->mlp_cache = take(&plan->cache, REAL(lsq_mlp_cache)(mlp, N, D, H));
  plan->blocks[i + 1].stream = take(&plan->cache, elements(N, D));
  *layer_scratch = lsq_larger(*layer_scratch, REAL(lsq_mlp_scratch)(mlp, N, D, H));
done:
  return st;
}

lsqnet_status REAL(lsq_plan_pass)(lsq_pass_plan *plan, const lsqnet_model *model, int64_t n, int64_t T, int64_t first,
                                  int64_t R) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &model->options;
  const int64_t sizes[] = {n, T, lsq_larger(o->width, o->in_width)};
  int64_t most = 0, layer_scratch = 0;
  LSQ_TRY(lsq_size_product(&most, sizes, 3, "sequences x rows x channels"));
  *plan = (lsq_pass_plan){.n = n, .T = T, .first = first, .R = R, .blocks = plan->blocks};
  plan->x = take(&plan->cache, elements(n * T, o->in_width));
  plan->embedded = take(&plan->cache, elements(n * T, o->width));
  plan->blocks[0].stream = plan->embedded;
  for (int64_t i = 0; i < o->layers; i++) LSQ_TRY(plan_block(plan, model, i, &layer_scratch));
  if (o->layers == 0) plan->blocks[0].stream = take(&plan->cache, elements(n * R, o->width));
  plan->final_norm = take_norm(plan, n * R, o->width, model->final_norm_weight >= 0, plan->blocks[o->layers].stream,
                               &plan->final_norm_cache);
  for (int buffer = 0; buffer < 3; buffer++) (void)take(&plan->scratch, elements(n * T, o->width));
  plan->buffer = plan->scratch / 3;
  (void)take(&plan->scratch, layer_scratch);
  if (plan->cache >= MOST || plan->scratch >= MOST)
    st = lsq_fail(LSQNET_E_SHAPE, "%lld sequences of %lld rows through %lld layers: more than can be addressed",
                  (long long)n, (long long)T, (long long)o->layers);
done:
  return st;
}
