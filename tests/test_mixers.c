/* The built-in mixers: the contract of lsqnet/mixer.h for every configuration, and what they compute, held against the
 * definitions written out as sums in long double. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "layers/registry.h"
#include "lsqnet/mixer_conformance.h"

static lsqnet_context *context;

static void set_up(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }
static void tear_down(void) { lsqnet_context_destroy(context); }

static const lsqnet_mixer *find(const char *name) {
  const lsqnet_mixer *mixer = NULL;
  ck_assert_int_eq(lsq_registry_find(context->mixers, name, &mixer), LSQNET_OK);
  return mixer;
}

static const struct {
  const char *mixer, *config;
} configs[] = {
    {"identity", "{}"},
    {"base_conv", "{\"filter\":\"short\",\"causal\":true}"},
    {"base_conv", "{\"filter\":\"short\",\"causal\":false}"},
    {"base_conv", "{\"filter\":\"long\",\"causal\":true}"},
    {"base_conv", "{\"filter\":\"long\",\"causal\":false}"},
    {"base_conv", "{\"filter\":\"implicit\",\"causal\":true}"},
    {"base_conv", "{\"filter\":\"implicit\",\"causal\":false}"},
    {"attention", "{\"heads\":1,\"softmax\":true,\"causal\":true}"},
    {"attention", "{\"heads\":2,\"softmax\":true,\"causal\":false}"},
    {"attention", "{\"heads\":8,\"softmax\":true,\"causal\":true}"},
    {"attention", "{\"heads\":2,\"softmax\":false,\"causal\":true}"},
    {"attention", "{\"heads\":1,\"softmax\":false,\"causal\":false}"},
    {"attention", "{\"heads\":4,\"softmax\":false,\"causal\":false}"},
};
enum { CONFIGS = sizeof configs / sizeof *configs };

/* rows and width; an even and an odd number of rows centre the short filter differently */
static const int64_t sizes_tried[][2] = {{7, 8}, {6, 8}, {1, 8}, {2, 24}, {21, 16}};
enum { SIZES = sizeof sizes_tried / sizeof *sizes_tried };

START_TEST(every_mixer_keeps_its_contract) {
  char report[4096];
  const int64_t *tried = sizes_tried[_i / CONFIGS];
  const char *config = configs[_i % CONFIGS].config;
  for (int flags = 0; flags < 4; flags++) {
    const lsqnet_mixer_sizes sizes = {sizeof sizes, flags & 1, tried[0], tried[1], flags >> 1, 2, 0, 0};
    const int broken =
        lsqnet_mixer_conformance(find(configs[_i % CONFIGS].mixer), context, &sizes, config, report, sizeof report);
    ck_assert_msg(broken == 0, "rows=%d width=%d residual=%d bias=%d: %s", (int)tried[0], (int)tried[1], flags & 1,
                  flags >> 1, report);
  }
}
END_TEST

enum { MOST_PARAMETERS = 16, K = 8, T = 6, D = 8, HEADS = 2, S = D / HEADS, FIRST = 2, COUNT = 3, SHIFTED = 3 };

/* One mixer with random weights. */
typedef struct {
  const lsqnet_mixer *mixer;
  void *state;
  int64_t count;
  lsqnet_mixer_parameter parameters[MOST_PARAMETERS];
  double *weights[MOST_PARAMETERS];
} instance;

static uint64_t state_of_numbers = 1;

static void fill(double *a, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    state_of_numbers = state_of_numbers * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    a[i] = (double)(int64_t)(state_of_numbers >> 20) / (double)(INT64_C(1) << 43) - 1;
  }
}

static int64_t size_of(const lsqnet_mixer_parameter *p) {
  int64_t size = 1;
  for (int64_t i = 0; i < p->rank; i++) size *= p->shape[i];
  return size;
}

static void make(instance *m, const char *name, const char *config, const lsqnet_mixer_sizes *sizes) {
  m->mixer = find(name);
  ck_assert_int_eq(m->mixer->create(&m->state, context, m->mixer->user, sizes, config), LSQNET_OK);
  m->count = m->mixer->parameter_count(m->state);
  ck_assert_int_le(m->count, MOST_PARAMETERS);
  for (int64_t i = 0; i < m->count; i++) {
    m->parameters[i].size = sizeof m->parameters[i];
    ck_assert_int_eq(m->mixer->parameter(m->state, i, &m->parameters[i]), LSQNET_OK);
    m->weights[i] = malloc((size_t)size_of(&m->parameters[i]) * sizeof(double));
    fill(m->weights[i], size_of(&m->parameters[i]));
  }
}

static void discard(instance *m) {
  for (int64_t i = 0; i < m->count; i++) free(m->weights[i]);
  m->mixer->destroy(m->state);
}

/* Weights by name; NULL if the mixer has none of that name. */
static const double *weight(const instance *m, const char *name) {
  for (int64_t i = 0; i < m->count; i++)
    if (strcmp(m->parameters[i].name, name) == 0) return m->weights[i];
  return NULL;
}

static void forward(const instance *m, const double *x, double *y) {
  const lsqnet_mixer_shape shape = {sizeof shape, 0, 1, T, FIRST, COUNT};
  int64_t cache_count = 0, scratch_count = 0;
  ck_assert_int_eq(m->mixer->workspace(m->state, &shape, &cache_count, &scratch_count), LSQNET_OK);
  double *cache = malloc((size_t)cache_count * sizeof *cache),
         *scratch = malloc((size_t)scratch_count * sizeof *scratch);
  ck_assert_int_eq(m->mixer->forward_f64(m->state, &shape, (const double *const *)m->weights, x, y, cache, scratch),
                   LSQNET_OK);
  free(cache);
  free(scratch);
}

/* Sums come with the sum of their terms' magnitudes, which roundings are counted against. */
typedef struct {
  long double value, magnitude;
} sum;

static sum plus(sum a, sum b) { return (sum){a.value + b.value, a.magnitude + b.magnitude}; }
static sum times(sum a, sum b) { return (sum){a.value * b.value, a.magnitude * b.magnitude}; }
static sum exact(double a) { return (sum){a, fabsl((long double)a)}; }

/* Row `out` of a linear layer. */
static sum linear(const double *W, const double *b, const sum *x, int64_t in, int64_t out) {
  sum y = exact(b != NULL ? b[out] : 0);
  for (int64_t j = 0; j < in; j++) y = plus(y, times(exact(W[out * in + j]), x[j]));
  return y;
}

static void linear_rows(const instance *m, const char *name, const sum x[T][D], int64_t offset, sum y[T][D]) {
  char weights[32], bias[32];
  (void)snprintf(weights, sizeof weights, "%s.weight", name);
  (void)snprintf(bias, sizeof bias, "%s.bias", name);
  for (int t = 0; t < T; t++)
    for (int d = 0; d < D; d++) y[t][d] = linear(weight(m, weights), weight(m, bias), x[t], D, offset + d);
}

/* Tap k of channel d of a long filter, whether a weight or made from the features. */
static sum long_tap(const instance *m, int d, int k) {
  sum features[3], hidden[16];
  if (weight(m, "filter.features") == NULL) return exact(weight(m, "filter.weight")[d * K + k]);
  for (int j = 0; j < 3; j++) features[j] = exact(weight(m, "filter.features")[k * 3 + j]);
  for (int j = 0; j < 16; j++) {
    hidden[j] = linear(weight(m, "filter.hidden.weight"), weight(m, "filter.hidden.bias"), features, 3, j);
    if (hidden[j].value < 0) hidden[j].value = 0;
  }
  return linear(weight(m, "filter.out.weight"), weight(m, "filter.out.bias"), hidden, 16, d);
}

/* The convolutions as torch defines them: cross-correlation with padding (short), sums over the past or around the
 * circle (long, implicit). */
static sum convolution(const instance *m, const sum u[T][D], int taps, int shift, int causal, int t, int d) {
  sum c = exact(taps > 0 ? weight(m, "filter.bias")[d] : 0);
  const int padding = causal ? taps - 1 : taps / 2;
  for (int k = 0; k < taps; k++) {
    const int s = t + k - padding - (d < D - SHIFTED ? 0 : shift);
    if (s >= 0 && s < T) c = plus(c, times(exact(weight(m, "filter.weight")[d * taps + k]), u[s][d]));
  }
  for (int s = 0; taps == 0 && s < (causal ? t + 1 : T); s++)
    c = plus(c, times(long_tap(m, d, (t - s + T) % T), u[s][d]));
  return c;
}

static void check_rows(const sum y[T][D], const double *computed, double roundings) {
  for (int i = 0; i < COUNT * D; i++) {
    const sum expected = y[FIRST + i / D][i % D];
    ck_assert_msg(fabsl(computed[i] - expected.value) <= roundings * DBL_EPSILON * expected.magnitude,
                  "row %d channel %d: %.17g, not %.17Lg", FIRST + i / D, i % D, computed[i], expected.value);
  }
}

static void exact_rows(const double *x, sum rows[T][D]) {
  for (int i = 0; i < T * D; i++) rows[i / D][i % D] = exact(x[i]);
}

START_TEST(base_conv_is_its_definition) {
  static const struct {
    const char *config;
    int taps, shift;
  } filters[] = {{"short\"", K, 0},
                 {"long\"", 0, 0},
                 {"implicit\"", 0, 0},
                 {"short\",\"taps\":3", 3, 0},
                 {"short\",\"taps\":[8,1]", 1, 0},
                 {"short\",\"taps\":3,\"shift\":[1,2],\"shifted\":3", 3, 2},
                 {"short\",\"taps\":1,\"shift\":4,\"shifted\":3", 1, 4}};
  const int residual = _i & 1, causal = _i >> 1 & 1, filter = _i >> 2;
  const lsqnet_mixer_sizes sizes = {sizeof sizes, residual, K, D, 1, 2, 1, 0};
  char config[80];
  double x[T * D], y[COUNT * D];
  sum u[T][D], h[T][D], gate[T][D], product[T][D], out[T][D];
  instance m;
  (void)snprintf(config, sizeof config, "{\"filter\":\"%s,\"causal\":%s}", filters[filter].config,
                 causal ? "true" : "false");
  make(&m, "base_conv", config, &sizes);
  fill(x, T * D);
  forward(&m, x, y);

  exact_rows(x, u);
  linear_rows(&m, "in_proj", u, 0, h);
  linear_rows(&m, "gate", u, 0, gate);
  for (int i = 0; i < T * D; i++) {
    const int t = i / D, d = i % D;
    sum c = convolution(&m, h, filters[filter].taps, filters[filter].shift, causal, t, d);
    if (residual) c = plus(c, h[t][d]);
    product[t][d] = times(c, gate[t][d]);
  }
  linear_rows(&m, "out_proj", product, 0, out);
  for (int i = 0; residual && i < T * D; i++) {
    const double *branch = weight(&m, "branch.weight");
    out[i / D][i % D] = plus(times(exact(branch[0]), out[i / D][i % D]), times(exact(branch[1]), u[i / D][i % D]));
  }
  /* 2 D roundings for each of in, gate and out, 2 T for the convolution, 2 (16 + 3) for an implicit filter, a few more
   */
  check_rows(out, y, 6 * D + 2 * T + 2 * 19 + 8);
  discard(&m);
}
END_TEST

/* p_ts of one head. */
static void attention_row(const sum q[D], const sum k[T][D], int head, int softmax, int keys, sum p[T]) {
  sum total = exact(0);
  for (int s = 0; s < keys; s++) {
    sum score = exact(0);
    for (int j = head * S; j < (head + 1) * S; j++) score = plus(score, times(q[j], k[s][j]));
    p[s] = times(score, exact(1 / sqrt((double)S)));
    if (!softmax) continue;
    /* an error e of the score multiplies exp by 1 + e: the magnitude takes that in */
    p[s] = (sum){expl(p[s].value), expl(p[s].value) * (1 + p[s].magnitude)};
    total = plus(total, p[s]);
  }
  for (int s = 0; softmax && s < keys; s++)
    p[s] = (sum){p[s].value / total.value, (p[s].magnitude + p[s].value * total.magnitude / total.value) / total.value};
}

START_TEST(attention_is_its_definition) {
  const int softmax = _i & 1, causal = _i >> 1 & 1, bias = _i >> 2;
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, K, D, bias, 1, 0, 0};
  char config[80];
  double x[T * D], y[COUNT * D];
  sum u[T][D], q[T][D], k[T][D], v[T][D], heads[T][D], out[T][D], p[T];
  instance m;
  (void)snprintf(config, sizeof config, "{\"heads\":%d,\"softmax\":%s,\"causal\":%s}", HEADS,
                 softmax ? "true" : "false", causal ? "true" : "false");
  make(&m, "attention", config, &sizes);
  fill(x, T * D);
  forward(&m, x, y);

  exact_rows(x, u);
  linear_rows(&m, "qkv", u, 0, q);
  linear_rows(&m, "qkv", u, D, k);
  linear_rows(&m, "qkv", u, 2 * D, v);
  for (int i = 0; i < T * D; i++) {
    const int t = i / D, d = i % D, keys = causal ? t + 1 : T;
    attention_row(q[t], k, d / S, softmax, keys, p);
    heads[t][d] = exact(0);
    for (int s = 0; s < keys; s++) heads[t][d] = plus(heads[t][d], times(p[s], v[s][d]));
  }
  linear_rows(&m, "out_proj", heads, 0, out);
  /* 2 D roundings for each of q, k, v and out, 2 S for the score, 2 T for the sum over rows and again for softmax's,
   * and some for exp and the scaling */
  check_rows(out, y, 8 * D + 2 * S + 4 * T + 16);
  discard(&m);
}
END_TEST

START_TEST(softmax_does_not_overflow) {
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, K, D, 1, 1, 0, 0};
  double x[T * D], y[COUNT * D];
  instance m;
  make(&m, "attention", "{\"causal\":false}", &sizes);
  fill(x, T * D);
  for (int i = 0; i < T * D; i++) x[i] *= 1e4;
  forward(&m, x, y);
  for (int i = 0; i < COUNT * D; i++) ck_assert(isfinite(y[i]));
  x[0] = NAN;
  forward(&m, x, y);
  for (int i = 0; i < COUNT * D; i++) ck_assert(isnan(y[i]));
  discard(&m);
}
END_TEST

START_TEST(a_causal_mixer_does_not_read_later_rows) {
  const int index = (int[]){1, 3, 5, 7, 10}[_i];
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, K, D, 1, 1, 0, 0};
  double x[T * D], y[COUNT * D], again[COUNT * D];
  instance m;
  make(&m, configs[index].mixer, configs[index].config, &sizes);
  fill(x, T * D);
  forward(&m, x, y);
  for (int i = (FIRST + COUNT) * D; i < T * D; i++) x[i] = NAN;
  forward(&m, x, again);
  ck_assert_mem_eq(y, again, sizeof y);
  discard(&m);
}
END_TEST

/* What model files rely on: order, names, the reference's names, shapes. */
typedef struct {
  const char *name, *reference_name;
  int64_t rank, shape[3];
  int32_t frozen;
} listed;

static void check_list(const char *mixer, const char *config, int residual, int bias, const listed *list, int count) {
  const lsqnet_mixer_sizes sizes = {sizeof sizes, residual, K, D, bias, 1, 0, 0};
  instance m;
  make(&m, mixer, config, &sizes);
  ck_assert_int_eq(m.count, count);
  for (int i = 0; i < count; i++) {
    ck_assert_str_eq(m.parameters[i].name, list[i].name);
    ck_assert_str_eq(m.parameters[i].reference_name, list[i].reference_name);
    ck_assert_int_eq(m.parameters[i].rank, list[i].rank);
    ck_assert_int_eq(m.parameters[i].frozen, list[i].frozen);
    for (int64_t j = 0; j < list[i].rank; j++) ck_assert_int_eq(m.parameters[i].shape[j], list[i].shape[j]);
  }
  lsqnet_mixer_parameter beyond = {.size = sizeof beyond};
  ck_assert_int_eq(m.mixer->parameter(m.state, count, &beyond), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(m.mixer->parameter(m.state, -1, &beyond), LSQNET_E_ARGUMENT);
  discard(&m);
}

#define BASE_CONV_PROJECTIONS                                                                                          \
  {"gate.weight", "base_conv.projection.weight", 2, {D, D}, 0}, {"gate.bias", "base_conv.projection.bias", 1, {D}, 0}, \
      {"in_proj.weight", "base_conv.in_proj.weight", 2, {D, D}, 0},                                                    \
      {"in_proj.bias", "base_conv.in_proj.bias", 1, {D}, 0},                                                           \
      {"out_proj.weight", "base_conv.out_proj.weight", 2, {D, D}, 0}, {                                                \
    "out_proj.bias", "base_conv.out_proj.bias", 1, {D}, 0                                                              \
  }

START_TEST(parameters_are_listed_as_model_files_have_them) {
  const listed with_short[] = {{"branch.weight", "base_conv.branch_weights", 1, {2}, 0},
                               BASE_CONV_PROJECTIONS,
                               {"filter.weight", "base_conv.conv.conv.weight", 3, {D, 1, K}, 0},
                               {"filter.bias", "base_conv.conv.conv.bias", 1, {D}, 0}};
  const listed with_long[] = {BASE_CONV_PROJECTIONS, {"filter.weight", "base_conv.conv.filter", 2, {D, K}, 0}};
  const listed with_implicit[] = {BASE_CONV_PROJECTIONS,
                                  {"filter.features", "base_conv.conv.pos_emb.z", 3, {1, K, 3}, 1},
                                  {"filter.hidden.weight", "base_conv.conv.mlp.0.weight", 2, {16, 3}, 0},
                                  {"filter.hidden.bias", "base_conv.conv.mlp.0.bias", 1, {16}, 0},
                                  {"filter.out.weight", "base_conv.conv.mlp.2.weight", 2, {D, 16}, 0},
                                  {"filter.out.bias", "base_conv.conv.mlp.2.bias", 1, {D}, 0}};
  const listed with_bias[] = {{"qkv.weight", "c_attn.weight", 2, {3 * D, D}, 0},
                              {"qkv.bias", "c_attn.bias", 1, {3 * D}, 0},
                              {"out_proj.weight", "c_proj.weight", 2, {D, D}, 0},
                              {"out_proj.bias", "c_proj.bias", 1, {D}, 0}};
  const listed without_bias[] = {with_bias[0], with_bias[2]};
  check_list("base_conv", "{}", 1, 0, with_short, 9);
  check_list("base_conv", "{\"filter\":\"long\"}", 0, 1, with_long, 7);
  check_list("base_conv", "{\"filter\":\"implicit\"}", 0, 1, with_implicit, 11);
  check_list("attention", "{}", 1, 1, with_bias, 4);
  check_list("attention", "{}", 1, 0, without_bias, 2);
  check_list("identity", "{}", 1, 1, NULL, 0);
}
END_TEST

static double *initial(const instance *m, const char *name, int64_t *count) {
  for (int64_t i = 0; i < m->count; i++) {
    if (strcmp(m->parameters[i].name, name) != 0) continue;
    *count = size_of(&m->parameters[i]);
    double *values = malloc((size_t)*count * sizeof *values);
    ck_assert_int_eq(m->mixer->initialize(m->state, i, 3, values), LSQNET_OK);
    return values;
  }
  ck_abort_msg("no parameter \"%s\"", name);
  return NULL;
}

/* Mean and deviation of n normal numbers stay within 5 standard errors. */
static void check_normal(const instance *m, const char *name, double deviation) {
  int64_t count = 0;
  double mean = 0, square = 0;
  double *v = initial(m, name, &count);
  for (int64_t i = 0; i < count; i++) {
    mean += v[i] / (double)count;
    square += v[i] * v[i] / (double)count;
  }
  ck_assert(fabs(mean) <= 5 * deviation / sqrt((double)count));
  ck_assert(fabs(sqrt(square) - deviation) <= 5 * deviation / sqrt(2 * (double)count));
  free(v);
}

static void check_values(const instance *m, const char *name, const double *expected, int64_t expected_count) {
  int64_t count = 0;
  double *v = initial(m, name, &count);
  ck_assert_int_eq(count, expected_count);
  for (int64_t i = 0; i < count; i++) ck_assert(v[i] == (expected != NULL ? expected[i] : 0));
  free(v);
}

START_TEST(base_conv_starts_as_the_reference_does) {
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, 4, 64, 1, 3, 0, 0};
  double taps[64 * 4] = {0}, largest = 0, sum_of_squares = 0;
  int64_t count = 0;
  instance m;
  make(&m, "base_conv", "{}", &sizes);
  check_values(&m, "branch.weight", (double[]){1, 0}, 2);
  check_normal(&m, "gate.weight", 0.02);
  check_normal(&m, "out_proj.weight", 0.02);
  check_values(&m, "in_proj.bias", NULL, 64);
  double *filter = initial(&m, "filter.weight", &count);
  for (int64_t i = 0; i < count; i++) {
    largest = fmax(largest, fabs(filter[i]));
    sum_of_squares += filter[i] * filter[i];
  }
  free(filter);
  /* uniform on +-1/sqrt(K), K = 4: bound 0.5, mean square 1/12 with a standard error of 1/sqrt(180 n) */
  ck_assert(largest <= 0.5 && largest > 0.45);
  ck_assert(fabs(sum_of_squares / (double)count - 1.0 / 12) <= 5 / sqrt(180 * (double)count));
  discard(&m);

  make(&m, "base_conv", "{\"filter\":\"long\"}", &sizes);
  for (int d = 0; d < 64; d++) taps[d * 4] = 1;
  check_values(&m, "filter.weight", taps, 64 * 4);
  discard(&m);
}
END_TEST

START_TEST(implicit_filters_start_from_the_reference_features) {
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, 5, 64, 1, 3, 0, 0};
  int64_t count = 0;
  instance m;
  make(&m, "base_conv", "{\"filter\":\"implicit\"}", &sizes);
  double *z = initial(&m, "filter.features", &count);
  for (int l = 0; l < 5; l++) {
    const double angle = 1e-4 * 2 * acos(-1) * l / 5;
    const double expected[] = {l / 4.0, cos(angle), -sin(angle)};
    for (int j = 0; j < 3; j++) ck_assert(fabs(z[3 * l + j] - expected[j]) <= 4 * DBL_EPSILON * fabs(expected[j]));
  }
  free(z);
  check_normal(&m, "filter.out.weight", 0.02);
  check_normal(&m, "filter.hidden.weight", 0.02);
  check_values(&m, "filter.out.bias", NULL, 64);
  discard(&m);
}
END_TEST

START_TEST(attention_starts_as_the_reference_does) {
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, 4, 64, 1, 8, 0, 0};
  instance m;
  make(&m, "attention", "{}", &sizes);
  check_normal(&m, "qkv.weight", 0.02);
  check_normal(&m, "out_proj.weight", 0.02 / 4); /* sqrt(2 * 8) = 4 */
  check_values(&m, "qkv.bias", NULL, 3 * 64);
  check_values(&m, "out_proj.bias", NULL, 64);
  discard(&m);
}
END_TEST

START_TEST(sizes_whose_products_overflow_are_refused) {
  const lsqnet_mixer_sizes huge[] = {{sizeof huge[0], 1, 4, INT64_C(1) << 40, 1, 1, 0, 0},
                                     {sizeof huge[0], 1, INT64_C(1) << 60, 8, 1, 1, 0, 0},
                                     {sizeof huge[0], 1, 0, 8, 1, 1, 0, 0}};
  const lsqnet_mixer *mixer = find(configs[_i].mixer);
  void *state = NULL;
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(mixer->create(&state, context, mixer->user, &huge[i], "{}"), LSQNET_E_SHAPE);

  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, INT64_C(1) << 30, 8, 1, 1, 0, 0};
  const lsqnet_mixer_shape shape = {sizeof shape, 0, INT64_C(1) << 31, INT64_C(1) << 30, 0, 1};
  int64_t cache = 0, scratch = 0;
  ck_assert_int_eq(mixer->create(&state, context, mixer->user, &sizes, configs[_i].config), LSQNET_OK);
  ck_assert_int_eq(mixer->workspace(state, &shape, &cache, &scratch), LSQNET_E_SHAPE);
  mixer->destroy(state);
}
END_TEST

START_TEST(scores_that_overflow_are_refused) {
  const int64_t rows = INT64_C(1) << 31;
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, rows, 8, 1, 1, 0, 0};
  const lsqnet_mixer_shape shape = {sizeof shape, 0, 1, rows, 0, rows};
  const lsqnet_mixer *mixer = find("attention");
  int64_t cache = 0, scratch = 0;
  void *state = NULL;
  ck_assert_int_eq(mixer->create(&state, context, mixer->user, &sizes, "{}"), LSQNET_OK);
  ck_assert_int_eq(mixer->workspace(state, &shape, &cache, &scratch), LSQNET_E_SHAPE);
  mixer->destroy(state);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("mixers");
  TCase *tests = tcase_create("mixers");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, every_mixer_keeps_its_contract, 0, CONFIGS * SIZES);
  tcase_add_loop_test(tests, base_conv_is_its_definition, 0, 28);
  tcase_add_loop_test(tests, attention_is_its_definition, 0, 8);
  tcase_add_test(tests, softmax_does_not_overflow);
  tcase_add_loop_test(tests, a_causal_mixer_does_not_read_later_rows, 0, 5);
  tcase_add_test(tests, parameters_are_listed_as_model_files_have_them);
  tcase_add_test(tests, base_conv_starts_as_the_reference_does);
  tcase_add_test(tests, implicit_filters_start_from_the_reference_features);
  tcase_add_test(tests, attention_starts_as_the_reference_does);
  tcase_add_loop_test(tests, sizes_whose_products_overflow_are_refused, 0, CONFIGS);
  tcase_add_test(tests, scores_that_overflow_are_refused);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
