/* Attention: [q|k|v] = u W' + b; each head takes y_t = sum_s p_ts v_s with scores q_t.k_s / sqrt(S) for head size S, p
 * their softmax over s or, linear, the scores themselves; then the output projection. Causal: only s <= t. Source:
 * Vaswani et al. 2017, arXiv 1706.03762; Liu et al. 2025, arXiv 2503.12295. */
#include <jansson.h>
#include <string.h>

#include "layers/built_in.h"
#include "layers/config.h"
#include "layers/elementary.h"
#include "layers/rows.h"

LSQ_DECLARE_MIXER(attention);

enum { QKV_WEIGHT, QKV_BIAS, OUT_WEIGHT, OUT_BIAS };

typedef struct {
  lsq_built_in built_in;
  int64_t heads;
  int32_t softmax, causal;
} attention;

#define OF(array, role) LSQ_OF_ROLE(&m->built_in, array, role)

/* What one call works on, and where its arrays lie. Of each sequence the first N rows matter to the wanted R. */
typedef struct {
  int64_t D, S, H, N, R;
  lsq_rows seen, wanted;
  int64_t query, key_value, p, head_out, cache;              /* (B,R,D); (B,N,2D); (B,H,R,N); (B,R,D) */
  int64_t seen_x, wanted_x, seen_dx, wanted_dx;              /* only where some rows are left out */
  int64_t dquery, dkey_value, dp, dhead_out, spare, scratch; /* as above, but dp is one head's; (B,R,D) */
} layout;

static layout lay_out(const attention *m, const lsqnet_mixer_shape *shape) {
  const int64_t B = shape->batch, T = shape->rows, R = shape->count, D = m->built_in.sizes.width;
  const int64_t N = m->causal ? shape->first + R : T;
  layout l = {.D = D, .H = m->heads, .S = D / m->heads, .N = N, .R = R};
  l.seen = (lsq_rows){B, T, D, 0, N};
  l.wanted = (lsq_rows){B, T, D, shape->first, R};
  l.query = lsq_take(&l.cache, B * R * D);
  l.key_value = lsq_take(&l.cache, B * N * 2 * D);
  l.p = lsq_take(&l.cache, B * m->heads * R * N);
  l.head_out = lsq_take(&l.cache, B * R * D);
  l.seen_x = lsq_take(&l.scratch, lsq_rows_buffer(&l.seen));
  l.wanted_x = lsq_take(&l.scratch, lsq_rows_buffer(&l.wanted));
  l.seen_dx = lsq_take(&l.scratch, lsq_rows_buffer(&l.seen));
  l.wanted_dx = lsq_take(&l.scratch, lsq_rows_buffer(&l.wanted));
  l.dquery = lsq_take(&l.scratch, B * R * D);
  l.dkey_value = lsq_take(&l.scratch, B * N * 2 * D);
  l.dp = lsq_take(&l.scratch, R * N);
  l.dhead_out = lsq_take(&l.scratch, B * R * D);
  l.spare = lsq_take(&l.scratch, B * R * D);
  return l;
}

/* Where one head of one sequence begins in the arrays of queries and outputs, of keys (values lie D further), of p. */
typedef struct {
  int64_t row, key, p;
} head_offset;

static head_offset head_at(const layout *l, int64_t i) {
  const int64_t sequence = i / l->H, channel = i % l->H * l->S;
  return (head_offset){sequence * l->R * l->D + channel, sequence * l->N * 2 * l->D + channel, i * l->R * l->N};
}

/* Rows of the stacked projection's weights and biases: queries at 0, keys and values at D. */
static const real *from_row(const real *array, int64_t elements) { return array != NULL ? array + elements : NULL; }
static real *from_row_of_gradient(real *array, int64_t elements) { return array != NULL ? array + elements : NULL; }

static int64_t keys_of(const attention *m, const layout *l, int64_t row) {
  return m->causal ? l->wanted.first + row + 1 : l->N;
}

static void softmax(int64_t n, real *s) {
  real most = s[0], sum = 0;
  for (int64_t i = 1; i < n; i++) most = s[i] > most ? s[i] : most;
  for (int64_t i = 0; i < n; i++) {
    s[i] = REAL_MATH(exp)(s[i] - most);
    sum += s[i];
  }
  for (int64_t i = 0; i < n; i++) s[i] /= sum;
}

/* From products q.k (R,N) to p, in place. */
static void weigh(const attention *m, const layout *l, real *p) {
  const real scale = 1 / REAL_MATH(sqrt)((real)l->S);
  for (int64_t r = 0; r < l->R; r++, p += l->N) {
    const int64_t keys = keys_of(m, l, r);
    for (int64_t s = 0; s < keys; s++) p[s] *= scale;
    for (int64_t s = keys; s < l->N; s++) p[s] = 0;
    if (m->softmax) softmax(keys, p);
  }
}

/* The Jacobian of `weigh` at p, applied to d in place. It is symmetric, so that both directions use it. */
static void weigh_derivative(const attention *m, const layout *l, const real *p, real *d) {
  const real scale = 1 / REAL_MATH(sqrt)((real)l->S);
  for (int64_t r = 0; r < l->R; r++, p += l->N, d += l->N) {
    const int64_t keys = keys_of(m, l, r);
    const real mean = m->softmax ? LSQ_KERNELS(&m->built_in)->dot(keys, p, d) : 0;
    for (int64_t s = 0; s < keys; s++) d[s] = m->softmax ? p[s] * (d[s] - mean) * scale : d[s] * scale;
    for (int64_t s = keys; s < l->N; s++) d[s] = 0;
  }
}

static void heads_forward(const attention *m, const layout *l, real *cache) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const int64_t D = l->D, S = l->S, N = l->N, R = l->R;
  for (int64_t i = 0; i < l->wanted.batch * l->H; i++) {
    const head_offset at = head_at(l, i);
    const real *q = cache + l->query + at.row, *k = cache + l->key_value + at.key, *v = k + D;
    real *p = cache + l->p + at.p;
    kernels->product_nt(R, N, S, q, D, k, 2 * D, NULL, p, N, 0);
    weigh(m, l, p);
    kernels->product_nn(R, S, N, p, N, v, 2 * D, cache + l->head_out + at.row, D, 0);
  }
}

static void heads_backward(const attention *m, const layout *l, const real *cache, real *scratch) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const int64_t D = l->D, S = l->S, N = l->N, R = l->R;
  real *dp = scratch + l->dp;
  for (int64_t i = 0; i < l->wanted.batch * l->H; i++) {
    const head_offset at = head_at(l, i);
    const real *q = cache + l->query + at.row, *k = cache + l->key_value + at.key, *v = k + D, *p = cache + l->p + at.p;
    const real *dout = scratch + l->dhead_out + at.row;
    real *dq = scratch + l->dquery + at.row, *dk = scratch + l->dkey_value + at.key, *dv = dk + D;
    kernels->product_tn(N, S, R, p, N, dout, D, dv, 2 * D, 0);
    kernels->product_nt(R, N, S, dout, D, v, 2 * D, NULL, dp, N, 0);
    weigh_derivative(m, l, p, dp);
    kernels->product_nn(R, S, N, dp, N, k, 2 * D, dq, D, 0);
    kernels->product_tn(N, S, R, dp, N, q, D, dk, 2 * D, 0);
  }
}

static void heads_jvp(const attention *m, const layout *l, const real *cache, real *scratch) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const int64_t D = l->D, S = l->S, N = l->N, R = l->R;
  real *dp = scratch + l->dp;
  for (int64_t i = 0; i < l->wanted.batch * l->H; i++) {
    const head_offset at = head_at(l, i);
    const real *q = cache + l->query + at.row, *k = cache + l->key_value + at.key, *v = k + D, *p = cache + l->p + at.p;
    const real *dq = scratch + l->dquery + at.row, *dk = scratch + l->dkey_value + at.key, *dv = dk + D;
    real *dout = scratch + l->dhead_out + at.row;
    kernels->product_nt(R, N, S, dq, D, k, 2 * D, NULL, dp, N, 0);
    kernels->product_nt(R, N, S, q, D, dk, 2 * D, NULL, dp, N, 1);
    weigh_derivative(m, l, p, dp);
    kernels->product_nn(R, S, N, dp, N, v, 2 * D, dout, D, 0);
    kernels->product_nn(R, S, N, p, N, dv, 2 * D, dout, D, 1);
  }
}

lsqnet_status REAL(lsq_attention_forward)(const void *state, const lsqnet_mixer_shape *shape,
                                          const real *const *weights, const real *x, real *y, real *cache,
                                          real *scratch) {
  const attention *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, seen = shape->batch * l.N;
  const real *W = OF(weights, QKV_WEIGHT), *bias = OF(weights, QKV_BIAS);
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  REAL(lsq_linear_forward)(kernels, wanted, D, D, wanted_x, W, bias, cache + l.query);
  REAL(lsq_linear_forward)(kernels, seen, D, 2 * D, seen_x, W + D * D, from_row(bias, D), cache + l.key_value);
  heads_forward(m, &l, cache);
  REAL(lsq_linear_forward)
  (kernels, wanted, D, D, cache + l.head_out, OF(weights, OUT_WEIGHT), OF(weights, OUT_BIAS), y);
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_attention_backward)(const void *state, const lsqnet_mixer_shape *shape,
                                           const real *const *weights, const real *x, const real *dy, real *dx,
                                           real *const *dweights, const real *cache, real *scratch) {
  const attention *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, seen = shape->batch * l.N;
  const real *W = OF(weights, QKV_WEIGHT);
  real *dW = OF(dweights, QKV_WEIGHT), *dbias = OF(dweights, QKV_BIAS);
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  real *dseen_x = l.N < shape->rows ? scratch + l.seen_dx : dx, *dwanted_x = scratch + l.spare;

  REAL(lsq_linear_backward)
  (kernels, wanted, D, D, cache + l.head_out, OF(weights, OUT_WEIGHT), dy, scratch + l.dhead_out,
   OF(dweights, OUT_WEIGHT), OF(dweights, OUT_BIAS));
  heads_backward(m, &l, cache, scratch);
  REAL(lsq_linear_backward)
  (kernels, seen, D, 2 * D, seen_x, W + D * D, scratch + l.dkey_value, dseen_x, from_row_of_gradient(dW, D * D),
   from_row_of_gradient(dbias, D));
  if (dseen_x != dx) REAL(lsq_rows_put)(&l.seen, dseen_x, dx);
  REAL(lsq_linear_backward)(kernels, wanted, D, D, wanted_x, W, scratch + l.dquery, dwanted_x, dW, dbias);
  REAL(lsq_rows_add)(kernels, &l.wanted, dwanted_x, dx);
  return LSQNET_OK;
}

lsqnet_status REAL(lsq_attention_jvp)(const void *state, const lsqnet_mixer_shape *shape, const real *const *weights,
                                      const real *x, const real *dx, const real *const *dweights, real *dy,
                                      const real *cache, real *scratch) {
  const attention *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, seen = shape->batch * l.N;
  const real *W = OF(weights, QKV_WEIGHT), *dW = OF(dweights, QKV_WEIGHT), *dbias = OF(dweights, QKV_BIAS);
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  const real *dseen_x = REAL(lsq_rows_take)(&l.seen, dx, scratch + l.seen_dx);
  const real *dwanted_x = REAL(lsq_rows_take)(&l.wanted, dx, scratch + l.wanted_dx);
  REAL(lsq_linear_jvp)(kernels, wanted, D, D, wanted_x, W, dwanted_x, dW, dbias, scratch + l.dquery);
  REAL(lsq_linear_jvp)
  (kernels, seen, D, 2 * D, seen_x, W + D * D, dseen_x, from_row(dW, D * D), from_row(dbias, D),
   scratch + l.dkey_value);
  heads_jvp(m, &l, cache, scratch);
  REAL(lsq_linear_jvp)
  (kernels, wanted, D, D, cache + l.head_out, OF(weights, OUT_WEIGHT), scratch + l.dhead_out, OF(dweights, OUT_WEIGHT),
   OF(dweights, OUT_BIAS), dy);
  return LSQNET_OK;
}

#ifdef LSQ_ONCE

static const char *const KEYS[] = {"heads", "softmax", "causal", NULL};

static void add_parameters(attention *m) {
  const int64_t D = m->built_in.sizes.width, stacked = 3 * D;
  const int bias = m->built_in.sizes.bias;
  lsq_built_in *list = &m->built_in;
  lsq_built_in_add(list, QKV_WEIGHT, "qkv.weight", "c_attn.weight", 2, (int64_t[]){stacked, D});
  if (bias) lsq_built_in_add(list, QKV_BIAS, "qkv.bias", "c_attn.bias", 1, &stacked);
  lsq_built_in_add(list, OUT_WEIGHT, "out_proj.weight", "c_proj.weight", 2, (int64_t[]){D, D});
  if (bias) lsq_built_in_add(list, OUT_BIAS, "out_proj.bias", "c_proj.bias", 1, &D);
}

static lsqnet_status attention_create(void **state, lsqnet_context *context, void *user,
                                      const lsqnet_mixer_sizes *sizes, const char *config) {
  lsqnet_status st = LSQNET_OK;
  attention wish = {.heads = 1, .softmax = 1, .causal = 1};
  json_t *object = NULL;
  attention *m = NULL;
  void *made = NULL;
  (void)user;
  LSQ_TRY(lsq_config_parse(&object, "attention", config, KEYS));
  LSQ_TRY(lsq_config_integer(object, "attention", "heads", &wish.heads));
  LSQ_TRY(lsq_config_boolean(object, "attention", "softmax", &wish.softmax));
  LSQ_TRY(lsq_config_boolean(object, "attention", "causal", &wish.causal));
  if (wish.heads < 1 || sizes->width % wish.heads != 0) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "attention: \"heads\" is %lld: it must divide width=%lld", (long long)wish.heads,
                  (long long)sizes->width);
    goto done;
  }
  LSQ_TRY(lsq_built_in_create(&made, sizeof *m, context, sizes));
  m = made;
  m->heads = wish.heads;
  m->softmax = wish.softmax;
  m->causal = wish.causal;
  add_parameters(m);
  *state = m;
done:
  json_decref(object);
  return st;
}

static lsqnet_status attention_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                         int64_t *scratch) {
  const attention *m = state;
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_built_in_check(shape, m->built_in.sizes.width));
  /* p has B H T T elements at most, and H <= D */
  const lsqnet_mixer_shape of_p = {.batch = shape->batch, .rows = shape->rows};
  int64_t square = 0;
  const int64_t sizes[] = {shape->rows, m->heads};
  LSQ_TRY(lsq_size_product(&square, sizes, 2, "attention's scores"));
  LSQ_TRY(lsq_built_in_check(&of_p, square));
  const layout l = lay_out(m, shape);
  *cache = l.cache;
  *scratch = l.scratch;
done:
  return st;
}

static lsqnet_status attention_initialize(const void *state, int64_t index, uint64_t seed, double *values) {
  const attention *m = state;
  const int role = lsq_built_in_role(&m->built_in, index);
  const double depth = role == OUT_WEIGHT ? sqrt(2.0 * m->built_in.sizes.layers) : 1;
  if (role == OUT_WEIGHT || role == QKV_WEIGHT)
    lsq_built_in_normal(&m->built_in, index, seed, 0.02 / depth, values);
  else
    memset(values, 0, (size_t)lsq_built_in_size(&m->built_in, index) * sizeof *values);
  return LSQNET_OK;
}

static lsqnet_status attention_config(const void *state, char *text, uint64_t capacity, uint64_t *needed) {
  const attention *m = state;
  return lsq_config_write(text, capacity, needed, "{\"heads\":%lld,\"softmax\":%s,\"causal\":%s}", (long long)m->heads,
                          m->softmax ? "true" : "false", m->causal ? "true" : "false");
}

const lsqnet_mixer lsq_attention = {.size = sizeof(lsqnet_mixer),
                                    .name = "attention",
                                    .create = attention_create,
                                    .destroy = lsq_built_in_destroy,
                                    .parameter_count = lsq_built_in_parameter_count,
                                    .parameter = lsq_built_in_parameter,
                                    .workspace = attention_workspace,
                                    .forward_f64 = lsq_attention_forward_f64,
                                    .backward_f64 = lsq_attention_backward_f64,
                                    .forward_f32 = lsq_attention_forward_f32,
                                    .backward_f32 = lsq_attention_backward_f32,
                                    .jvp_f64 = lsq_attention_jvp_f64,
                                    .jvp_f32 = lsq_attention_jvp_f32,
                                    .initialize = attention_initialize,
                                    .config = attention_config};
#endif
