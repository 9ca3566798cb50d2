/* Gated convolution: c = conv(in(u)), y = out(c . gate(u)). With residual, conv adds its own input (one more tap at lag
 * 0) and the layer returns branch_0 y + branch_1 u. Source: Arora et al. 2023, arXiv 2312.04927; Liu et al. 2025, arXiv
 * 2503.12295. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "layers/built_in.h"
#include "layers/config.h"
#include "layers/filter.h"
#include "layers/rows.h"

LSQ_DECLARE_MIXER(base_conv);

enum {
  BRANCH,
  GATE_WEIGHT,
  GATE_BIAS,
  IN_WEIGHT,
  IN_BIAS,
  OUT_WEIGHT,
  OUT_BIAS,
  FILTER_WEIGHT,
  FILTER_BIAS,
  FEATURES,
  HIDDEN_WEIGHT,
  HIDDEN_BIAS,
  MAKER_WEIGHT, /* the implicit filter's output layer */
  MAKER_BIAS
};

typedef struct {
  lsq_built_in built_in;
  lsq_filter filter;
  char *taps, *shift; /* as the configuration gave them; NULL: it did not */
} base_conv;

#define OF(array, role) LSQ_OF_ROLE(&m->built_in, array, role)

/* What one call works on, and where its arrays lie. Of each sequence the first N rows matter to the wanted R. */
typedef struct {
  int64_t D, N, R;
  lsq_rows seen, wanted;
  int64_t h, gate, conv, z, cache;              /* in(u) (B,N,D); (B,R,D); (B,R,D); out(..) (B,R,D) if residual */
  int64_t seen_x, wanted_x, seen_dx, wanted_dx; /* only where some rows are left out */
  int64_t table, dtable, filter;                /* (2N-1,D) */
  int64_t wide, a, b, c, scratch;               /* (B,N,D); (B,R,D) */
} layout;

static layout lay_out(const base_conv *m, const lsqnet_mixer_shape *shape) {
  const int64_t B = shape->batch, T = shape->rows, R = shape->count, D = m->filter.width;
  const int64_t N = m->filter.causal ? shape->first + R : T;
  layout l = {.D = D, .N = N, .R = R, .seen = {B, T, D, 0, N}, .wanted = {B, T, D, shape->first, R}};
  l.h = lsq_take(&l.cache, B * N * D);
  l.gate = lsq_take(&l.cache, B * R * D);
  l.conv = lsq_take(&l.cache, B * R * D);
  l.z = lsq_take(&l.cache, m->built_in.sizes.residual ? B * R * D : 0);
  l.seen_x = lsq_take(&l.scratch, lsq_rows_buffer(&l.seen));
  l.wanted_x = lsq_take(&l.scratch, lsq_rows_buffer(&l.wanted));
  l.seen_dx = lsq_take(&l.scratch, lsq_rows_buffer(&l.seen));
  l.wanted_dx = lsq_take(&l.scratch, lsq_rows_buffer(&l.wanted));
  l.table = lsq_take(&l.scratch, (2 * N - 1) * D);
  l.dtable = lsq_take(&l.scratch, (2 * N - 1) * D);
  l.filter = lsq_take(&l.scratch, lsq_filter_scratch(&m->filter, N));
  l.wide = lsq_take(&l.scratch, B * N * D);
  l.a = lsq_take(&l.scratch, B * R * D);
  l.b = lsq_take(&l.scratch, B * R * D);
  l.c = lsq_take(&l.scratch, B * R * D);
  return l;
}

static REAL(lsq_filter_weights) filter_weights(const base_conv *m, const real *const *weights) {
  return (REAL(lsq_filter_weights)){OF(weights, FILTER_WEIGHT), OF(weights, FEATURES),     OF(weights, HIDDEN_WEIGHT),
                                    OF(weights, HIDDEN_BIAS),   OF(weights, MAKER_WEIGHT), OF(weights, MAKER_BIAS)};
}

static REAL(lsq_filter_gradients) filter_gradients(const base_conv *m, real *const *dweights) {
  return (REAL(lsq_filter_gradients)){OF(dweights, FILTER_WEIGHT), OF(dweights, FEATURES),
                                      OF(dweights, HIDDEN_WEIGHT), OF(dweights, HIDDEN_BIAS),
                                      OF(dweights, MAKER_WEIGHT),  OF(dweights, MAKER_BIAS)};
}

/* The convolution by lag, its skip included. */
static void make_table(const base_conv *m, const layout *l, const real *const *weights, real *scratch) {
  const REAL(lsq_filter_weights) w = filter_weights(m, weights);
  real *F = scratch + l->table, *lag_zero = F + (l->N - 1) * l->D;
  REAL(lsq_filter_forward)(LSQ_KERNELS(&m->built_in), &m->filter, l->N, &w, F, scratch + l->filter);
  for (int64_t d = 0; m->built_in.sizes.residual && d < l->D; d++) lag_zero[d] += 1;
}

static void convolve(const base_conv *m, const layout *l, const real *F, const real *bias, const real *u, real *y) {
  const lsq_lags lags = lsq_filter_lags(&m->filter, l->N);
  for (int64_t i = 0; i < l->wanted.batch; i++)
    LSQ_KERNELS(&m->built_in)
        ->toeplitz(l->N, l->D, lags.lo, lags.hi, l->wanted.first, l->R, F, bias, u + i * l->N * l->D,
                   y + i * l->R * l->D);
}

lsqnet_status REAL(lsq_base_conv_forward)(const void *state, const lsqnet_mixer_shape *shape,
                                          const real *const *weights, const real *x, real *y, real *cache,
                                          real *scratch) {
  const base_conv *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, n = wanted * D;
  const int residual = m->built_in.sizes.residual;
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  real *h = cache + l.h, *gate = cache + l.gate, *conv = cache + l.conv, *z = residual ? cache + l.z : y;
  real *product = scratch + l.a;

  make_table(m, &l, weights, scratch);
  REAL(lsq_linear_forward)(kernels, shape->batch * l.N, D, D, seen_x, OF(weights, IN_WEIGHT), OF(weights, IN_BIAS), h);
  convolve(m, &l, scratch + l.table, OF(weights, FILTER_BIAS), h, conv);
  REAL(lsq_linear_forward)(kernels, wanted, D, D, wanted_x, OF(weights, GATE_WEIGHT), OF(weights, GATE_BIAS), gate);
  kernels->multiply(n, conv, gate, product);
  REAL(lsq_linear_forward)(kernels, wanted, D, D, product, OF(weights, OUT_WEIGHT), OF(weights, OUT_BIAS), z);
  if (!residual) return LSQNET_OK;
  const real *branch = OF(weights, BRANCH);
  kernels->scale(n, branch[0], z, y);
  kernels->axpy(n, branch[1], wanted_x, y);
  return LSQNET_OK;
}

/* From dy to dz in `dz`, or dy itself where there is no residual. */
static const real *branch_backward(const base_conv *m, int64_t n, const real *const *weights, const real *wanted_x,
                                   const real *z, const real *dy, real *const *dweights, real *dz) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  if (!m->built_in.sizes.residual) return dy;
  real *dbranch = OF(dweights, BRANCH);
  if (dbranch != NULL) {
    dbranch[0] += kernels->dot(n, dy, z);
    dbranch[1] += kernels->dot(n, dy, wanted_x);
  }
  kernels->scale(n, OF(weights, BRANCH)[0], dy, dz);
  return dz;
}

/* From the gradient of the convolution's output to that of its input, and to the filter's weights. */
static void convolution_backward(const base_conv *m, const layout *l, const real *const *weights, const real *h,
                                 const real *dconv, real *dh, real *const *dweights, real *scratch) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const lsq_lags lags = lsq_filter_lags(&m->filter, l->N);
  const REAL(lsq_filter_weights) w = filter_weights(m, weights);
  const REAL(lsq_filter_gradients) g = filter_gradients(m, dweights);
  real *F = scratch + l->table, *dF = scratch + l->dtable, *dbias = OF(dweights, FILTER_BIAS);
  make_table(m, l, weights, scratch);
  memset(dF, 0, (size_t)((2 * l->N - 1) * l->D) * sizeof *dF);
  memset(dh, 0, (size_t)(l->seen.batch * l->N * l->D) * sizeof *dh);
  for (int64_t i = 0; i < l->seen.batch; i++) {
    const real *d = dconv + i * l->R * l->D;
    const int64_t at = i * l->N * l->D;
    kernels->toeplitz_input(l->N, l->D, lags.lo, lags.hi, l->wanted.first, l->R, F, d, dh + at);
    kernels->toeplitz_filter(l->N, l->D, lags.lo, lags.hi, l->wanted.first, l->R, h + at, d, dF);
  }
  if (dbias != NULL) kernels->column_sums(l->wanted.batch * l->R, l->D, dconv, l->D, dbias);
  REAL(lsq_filter_backward)(kernels, &m->filter, l->N, &w, dF, &g, scratch + l->filter);
}

lsqnet_status REAL(lsq_base_conv_backward)(const void *state, const lsqnet_mixer_shape *shape,
                                           const real *const *weights, const real *x, const real *dy, real *dx,
                                           real *const *dweights, const real *cache, real *scratch) {
  const base_conv *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, n = wanted * D;
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  const real *gate = cache + l.gate, *conv = cache + l.conv;
  real *dproduct = scratch + l.b, *product = scratch + l.c, *dh = scratch + l.wide;
  real *dseen_x = l.N < shape->rows ? scratch + l.seen_dx : dx;

  const real *dz = branch_backward(m, n, weights, wanted_x, cache + l.z, dy, dweights, scratch + l.a);
  kernels->multiply(n, conv, gate, product);
  REAL(lsq_linear_backward)
  (kernels, wanted, D, D, product, OF(weights, OUT_WEIGHT), dz, dproduct, OF(dweights, OUT_WEIGHT),
   OF(dweights, OUT_BIAS));

  real *dconv = scratch + l.a, *dgate = scratch + l.c;
  kernels->multiply(n, dproduct, gate, dconv);
  kernels->multiply(n, dproduct, conv, dgate);
  convolution_backward(m, &l, weights, cache + l.h, dconv, dh, dweights, scratch);
  REAL(lsq_linear_backward)
  (kernels, shape->batch * l.N, D, D, seen_x, OF(weights, IN_WEIGHT), dh, dseen_x, OF(dweights, IN_WEIGHT),
   OF(dweights, IN_BIAS));
  if (dseen_x != dx) REAL(lsq_rows_put)(&l.seen, dseen_x, dx);

  real *dwanted_x = scratch + l.b;
  REAL(lsq_linear_backward)
  (kernels, wanted, D, D, wanted_x, OF(weights, GATE_WEIGHT), dgate, dwanted_x, OF(dweights, GATE_WEIGHT),
   OF(dweights, GATE_BIAS));
  if (m->built_in.sizes.residual) kernels->axpy(n, OF(weights, BRANCH)[1], dy, dwanted_x);
  REAL(lsq_rows_add)(kernels, &l.wanted, dwanted_x, dx);
  return LSQNET_OK;
}

/* dconv, when the convolution's input moves along dh and the filter along its directions. */
static void convolution_jvp(const base_conv *m, const layout *l, const real *const *weights, const real *h,
                            const real *dh, const real *const *dweights, real *dconv, real *spare, real *scratch) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const REAL(lsq_filter_weights) w = filter_weights(m, weights), directions = filter_weights(m, dweights);
  make_table(m, l, weights, scratch);
  convolve(m, l, scratch + l->table, OF(dweights, FILTER_BIAS), dh, dconv);
  if (!REAL(lsq_filter_moves)(&directions)) return;
  REAL(lsq_filter_jvp)(kernels, &m->filter, l->N, &w, &directions, scratch + l->dtable, scratch + l->filter);
  convolve(m, l, scratch + l->dtable, NULL, h, spare);
  kernels->axpy(l->wanted.batch * l->R * l->D, 1, spare, dconv);
}

/* dy = branch_0 dz + branch_1 du + dbranch_0 z + dbranch_1 u; dy holds dz. */
static void branch_jvp(const base_conv *m, int64_t n, const real *const *weights, const real *z, const real *u,
                       const real *du, const real *const *dweights, real *dy) {
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const real *branch = OF(weights, BRANCH), *dbranch = OF(dweights, BRANCH);
  kernels->scale(n, branch[0], dy, dy);
  kernels->axpy(n, branch[1], du, dy);
  if (dbranch == NULL) return;
  kernels->axpy(n, dbranch[0], z, dy);
  kernels->axpy(n, dbranch[1], u, dy);
}

lsqnet_status REAL(lsq_base_conv_jvp)(const void *state, const lsqnet_mixer_shape *shape, const real *const *weights,
                                      const real *x, const real *dx, const real *const *dweights, real *dy,
                                      const real *cache, real *scratch) {
  const base_conv *m = state;
  const REAL(lsq_kernel_table) *kernels = LSQ_KERNELS(&m->built_in);
  const layout l = lay_out(m, shape);
  const int64_t D = l.D, wanted = shape->batch * l.R, n = wanted * D;
  const real *seen_x = REAL(lsq_rows_take)(&l.seen, x, scratch + l.seen_x);
  const real *wanted_x = REAL(lsq_rows_take)(&l.wanted, x, scratch + l.wanted_x);
  const real *dseen_x = REAL(lsq_rows_take)(&l.seen, dx, scratch + l.seen_dx);
  const real *dwanted_x = REAL(lsq_rows_take)(&l.wanted, dx, scratch + l.wanted_dx);
  const real *gate = cache + l.gate, *conv = cache + l.conv;
  real *dh = scratch + l.wide, *dconv = scratch + l.a, *dgate = scratch + l.b, *product = scratch + l.c;

  REAL(lsq_linear_jvp)
  (kernels, shape->batch * l.N, D, D, seen_x, OF(weights, IN_WEIGHT), dseen_x, OF(dweights, IN_WEIGHT),
   OF(dweights, IN_BIAS), dh);
  convolution_jvp(m, &l, weights, cache + l.h, dh, dweights, dconv, product, scratch);
  REAL(lsq_linear_jvp)
  (kernels, wanted, D, D, wanted_x, OF(weights, GATE_WEIGHT), dwanted_x, OF(dweights, GATE_WEIGHT),
   OF(dweights, GATE_BIAS), dgate);

  real *dproduct = dgate;
  kernels->multiply(n, conv, dgate, dproduct);
  kernels->multiply_add(n, dconv, gate, dproduct);
  kernels->multiply(n, conv, gate, product);
  REAL(lsq_linear_jvp)
  (kernels, wanted, D, D, product, OF(weights, OUT_WEIGHT), dproduct, OF(dweights, OUT_WEIGHT), OF(dweights, OUT_BIAS),
   dy);
  if (m->built_in.sizes.residual) branch_jvp(m, n, weights, cache + l.z, wanted_x, dwanted_x, dweights, dy);
  return LSQNET_OK;
}

#ifdef LSQ_ONCE

static const char *const KEYS[] = {"filter", "causal", "taps", "shift", "shifted", NULL};
static const char *const FILTERS[] = {"short", "long", "implicit", NULL};

static void add_filter_parameters(base_conv *m) {
  const int64_t D = m->filter.width, K = m->filter.taps;
  lsq_built_in *list = &m->built_in;
  if (m->filter.kind == LSQ_FILTER_SHORT) {
    lsq_built_in_add(list, FILTER_WEIGHT, "filter.weight", "base_conv.conv.conv.weight", 3, (int64_t[]){D, 1, K});
    lsq_built_in_add(list, FILTER_BIAS, "filter.bias", "base_conv.conv.conv.bias", 1, &D);
  } else if (m->filter.kind == LSQ_FILTER_LONG) {
    lsq_built_in_add(list, FILTER_WEIGHT, "filter.weight", "base_conv.conv.filter", 2, (int64_t[]){D, K});
  } else {
    const int64_t F = LSQ_FILTER_FEATURES, H = LSQ_FILTER_HIDDEN;
    lsq_built_in_add(list, FEATURES, "filter.features", "base_conv.conv.pos_emb.z", 3, (int64_t[]){1, K, F});
    list->parameters[list->parameter_count - 1].frozen = 1;
    lsq_built_in_add(list, HIDDEN_WEIGHT, "filter.hidden.weight", "base_conv.conv.mlp.0.weight", 2, (int64_t[]){H, F});
    lsq_built_in_add(list, HIDDEN_BIAS, "filter.hidden.bias", "base_conv.conv.mlp.0.bias", 1, &H);
    lsq_built_in_add(list, MAKER_WEIGHT, "filter.out.weight", "base_conv.conv.mlp.2.weight", 2, (int64_t[]){D, H});
    lsq_built_in_add(list, MAKER_BIAS, "filter.out.bias", "base_conv.conv.mlp.2.bias", 1, &D);
  }
}

static void add_parameters(base_conv *m) {
  const int64_t D = m->filter.width, square[] = {D, D};
  lsq_built_in *list = &m->built_in;
  if (list->sizes.residual)
    lsq_built_in_add(list, BRANCH, "branch.weight", "base_conv.branch_weights", 1, (int64_t[]){2});
  lsq_built_in_add(list, GATE_WEIGHT, "gate.weight", "base_conv.projection.weight", 2, square);
  lsq_built_in_add(list, GATE_BIAS, "gate.bias", "base_conv.projection.bias", 1, &D);
  lsq_built_in_add(list, IN_WEIGHT, "in_proj.weight", "base_conv.in_proj.weight", 2, square);
  lsq_built_in_add(list, IN_BIAS, "in_proj.bias", "base_conv.in_proj.bias", 1, &D);
  lsq_built_in_add(list, OUT_WEIGHT, "out_proj.weight", "base_conv.out_proj.weight", 2, square);
  lsq_built_in_add(list, OUT_BIAS, "out_proj.bias", "base_conv.out_proj.bias", 1, &D);
  add_filter_parameters(m);
}

static void base_conv_destroy(void *state) {
  base_conv *m = state;
  if (m != NULL) {
    lsq_free(m->built_in.context, m->taps);
    lsq_free(m->built_in.context, m->shift);
  }
  lsq_built_in_destroy(m);
}

/* Reads `key` of short filters, one number for all blocks or an array of one for each, into *number and, as it is, into
 * *text. */
static lsqnet_status read_of_block(const json_t *config, const char *key, const lsq_filter *filter,
                                   const lsqnet_context *context, const lsqnet_mixer_sizes *sizes, int64_t least,
                                   int64_t *number, char **text) {
  lsqnet_status st = LSQNET_OK;
  const json_t *all = json_object_get(config, key);
  char *dump = NULL;
  if (all == NULL) return LSQNET_OK;
  if (filter->kind != LSQ_FILTER_SHORT)
    return lsq_fail(LSQNET_E_ARGUMENT, "base_conv: \"%s\" is for filter \"short\" only", key);
  if (json_is_array(all) && json_array_size(all) != (size_t)sizes->layers)
    return lsq_fail(LSQNET_E_SHAPE, "base_conv: \"%s\" has %lld numbers: the model has %ld blocks", key,
                    (long long)json_array_size(all), (long)sizes->layers);
  const json_t *own = json_is_array(all) ? json_array_get(all, (size_t)sizes->layer) : all;
  const int64_t most = sizes->rows - 1 + least;
  *number = json_is_integer(own) ? json_integer_value(own) : least - 1;
  if (*number < least || *number > most)
    return lsq_fail(LSQNET_E_ARGUMENT, "base_conv: \"%s\" of block %ld must be an integer from %lld to %lld", key,
                    (long)sizes->layer, (long long)least, (long long)most);
  dump = json_dumps(all, JSON_ENCODE_ANY | JSON_COMPACT);
  if (dump == NULL) return lsq_fail(LSQNET_E_MEMORY, "base_conv: no memory for \"%s\"", key);
  LSQ_TRY(lsq_copy_text(context, text, dump));
done:
  free(dump);
  return st;
}

/* "shifted", which goes with "shift": how many of the channels, the last ones, are. */
static lsqnet_status read_shifted(const json_t *config, lsq_filter *filter) {
  const json_t *shift = json_object_get(config, "shift"), *shifted = json_object_get(config, "shifted");
  if ((shift == NULL) != (shifted == NULL))
    return lsq_fail(LSQNET_E_ARGUMENT, "base_conv: \"shift\" and \"shifted\" go together");
  if (shifted == NULL) return LSQNET_OK;
  filter->shifted = json_is_integer(shifted) ? json_integer_value(shifted) : -1;
  if (filter->shifted < 0 || filter->shifted > filter->width)
    return lsq_fail(LSQNET_E_ARGUMENT, "base_conv: \"shifted\" must be an integer from 0 to %lld",
                    (long long)filter->width);
  return LSQNET_OK;
}

static lsqnet_status base_conv_create(void **state, lsqnet_context *context, void *user,
                                      const lsqnet_mixer_sizes *sizes, const char *config) {
  lsqnet_status st = LSQNET_OK;
  lsq_filter filter = {.kind = LSQ_FILTER_SHORT, .causal = 1, .taps = sizes->rows, .width = sizes->width};
  json_t *object = NULL;
  base_conv *m = NULL;
  void *made = NULL;
  (void)user;
  LSQ_TRY(lsq_config_parse(&object, "base_conv", config, KEYS));
  LSQ_TRY(lsq_config_choice(object, "base_conv", "filter", FILTERS, &filter.kind));
  LSQ_TRY(lsq_config_boolean(object, "base_conv", "causal", &filter.causal));
  LSQ_TRY(lsq_built_in_create(&made, sizeof *m, context, sizes));
  m = made;
  made = NULL;
  LSQ_TRY(read_of_block(object, "taps", &filter, context, sizes, 1, &filter.taps, &m->taps));
  LSQ_TRY(read_of_block(object, "shift", &filter, context, sizes, 0, &filter.shift, &m->shift));
  LSQ_TRY(read_shifted(object, &filter));
  m->filter = filter;
  add_parameters(m);
  *state = m;
  m = NULL;
done:
  base_conv_destroy(m);
  json_decref(object);
  return st;
}

static lsqnet_status base_conv_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                         int64_t *scratch) {
  const base_conv *m = state;
  const lsqnet_status st = lsq_built_in_check(shape, m->filter.width);
  if (st != LSQNET_OK) return st;
  const layout l = lay_out(m, shape);
  *cache = l.cache;
  *scratch = l.scratch;
  return LSQNET_OK;
}

/* Time, and one band of the complex exponential exp(-i f w) at frequency f = 1e-4. */
static void position_features(int64_t K, double *values) {
  const double pi = 3.14159265358979323846, frequency = 1e-4;
  for (int64_t k = 0; k < K; k++, values += LSQ_FILTER_FEATURES) {
    const double angle = frequency * (2 * pi * (double)k / (double)K);
    values[0] = K > 1 ? (double)k / (double)(K - 1) : 0;
    values[1] = cos(angle);
    values[2] = -sin(angle);
  }
}

static void fill_uniform(const base_conv *m, int64_t index, uint64_t seed, double bound, double *values) {
  const int64_t size = lsq_built_in_size(&m->built_in, index);
  for (int64_t i = 0; i < size; i++)
    values[i] = bound * (2 * lsq_random_uniform(seed, (uint64_t)index, (uint64_t)i) - 1);
}

static lsqnet_status base_conv_initialize(const void *state, int64_t index, uint64_t seed, double *values) {
  const base_conv *m = state;
  const int64_t size = lsq_built_in_size(&m->built_in, index), K = m->filter.taps;
  const int role = lsq_built_in_role(&m->built_in, index);
  memset(values, 0, (size_t)size * sizeof *values);
  if (role == BRANCH)
    values[0] = 1;
  else if (role == FEATURES)
    position_features(K, values);
  else if (m->filter.kind == LSQ_FILTER_SHORT && (role == FILTER_WEIGHT || role == FILTER_BIAS))
    fill_uniform(m, index, seed, 1 / sqrt((double)K), values);
  else if (role == FILTER_WEIGHT)
    for (int64_t d = 0; d < m->filter.width; d++) values[d * K] = 1; /* the convolution starts as the identity */
  else if (m->built_in.parameters[index].rank == 2)
    lsq_built_in_normal(&m->built_in, index, seed, 0.02, values);
  return LSQNET_OK;
}

static lsqnet_status base_conv_config(const void *state, char *text, uint64_t capacity, uint64_t *needed) {
  const base_conv *m = state;
  const char *taps = m->taps, *shift = m->shift;
  char shifted[48] = "";
  if (shift != NULL) (void)snprintf(shifted, sizeof shifted, ",\"shifted\":%lld", (long long)m->filter.shifted);
  return lsq_config_write(text, capacity, needed, "{\"filter\":\"%s\",\"causal\":%s%s%s%s%s%s}",
                          FILTERS[m->filter.kind], m->filter.causal ? "true" : "false", taps ? ",\"taps\":" : "",
                          taps ? taps : "", shift ? ",\"shift\":" : "", shift ? shift : "", shifted);
}

const lsqnet_mixer lsq_base_conv = {.size = sizeof(lsqnet_mixer),
                                    .name = "base_conv",
                                    .create = base_conv_create,
                                    .destroy = base_conv_destroy,
                                    .parameter_count = lsq_built_in_parameter_count,
                                    .parameter = lsq_built_in_parameter,
                                    .workspace = base_conv_workspace,
                                    .forward_f64 = lsq_base_conv_forward_f64,
                                    .backward_f64 = lsq_base_conv_backward_f64,
                                    .forward_f32 = lsq_base_conv_forward_f32,
                                    .backward_f32 = lsq_base_conv_backward_f32,
                                    .jvp_f64 = lsq_base_conv_jvp_f64,
                                    .jvp_f32 = lsq_base_conv_jvp_f32,
                                    .initialize = base_conv_initialize,
                                    .config = base_conv_config};
#endif
