/* Linear layers, LayerNorms, MLPs and activations. Their derivatives go through the mixers' conformance test; what they
 * compute is held against sums in long double. */
#include <check.h>
#include <float.h>
#include <lsqnet/model.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "lsqnet/mixer_conformance.h"

/* Kinds of layers: an MLP's is its activation. */
enum { LINEAR = 100, LAYER_NORM = 101 };
/* Roles of parameters; linear layers and LayerNorms have the first two. */
enum { UP, UP_BIAS, GATE, VALUE, DOWN, DOWN_BIAS, ROLES };
enum { HIDDEN = 6 };

typedef struct {
  lsqnet_context *context;
  int64_t width, count, place[ROLES], role[ROLES];
  int32_t kind;
} row_layer;

static int64_t row_cache(const row_layer *layer, int64_t M);

#define LSQ_PRECISION 32
#define real          real_f32
#include "row_mixer.h"
#undef LSQ_PRECISION
#undef real
#define LSQ_PRECISION 64
#define real          real_f64
#include "row_mixer.h"

static int64_t row_cache(const row_layer *layer, int64_t M) {
  if (layer->kind == LINEAR) return 0;
  return layer->kind == LAYER_NORM ? 2 * M : lsq_mlp_cache_f64(layer->kind, M, layer->width, HIDDEN);
}

static int has_role(const row_layer *layer, int role, int bias) {
  const int is_bias = role == UP_BIAS || role == DOWN_BIAS;
  if (role >= GATE && (layer->kind == LINEAR || layer->kind == LAYER_NORM)) return 0;
  if ((role == GATE || role == VALUE) && layer->kind != LSQNET_MLP_GLU) return 0;
  return bias || !is_bias;
}

static lsqnet_status row_create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                                const char *config) {
  row_layer *layer = calloc(1, sizeof *layer);
  (void)config;
  layer->context = context;
  layer->width = sizes->width;
  layer->kind = *(const int32_t *)user;
  for (int role = 0; role < ROLES; role++) {
    layer->place[role] = has_role(layer, role, sizes->bias) ? layer->count : -1;
    if (layer->place[role] >= 0) layer->role[layer->count++] = role;
  }
  *state = layer;
  return LSQNET_OK;
}

static int64_t row_parameter_count(const void *state) { return ((const row_layer *)state)->count; }

static lsqnet_status row_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  static const char *const names[ROLES] = {"up", "up_bias", "gate", "value", "down", "down_bias"};
  const row_layer *layer = state;
  const int64_t role = layer->role[index], D = layer->width;
  const int64_t in = layer->kind == LINEAR || role == UP ? D : HIDDEN;
  const int64_t rows = role == DOWN || role == DOWN_BIAS || layer->kind >= LINEAR ? D : HIDDEN;
  const int vector = role == UP_BIAS || role == DOWN_BIAS || layer->kind == LAYER_NORM;
  out->name = names[role];
  out->rank = vector ? 1 : 2;
  out->shape[0] = rows;
  out->shape[1] = vector ? 0 : in;
  return LSQNET_OK;
}

static lsqnet_status row_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                   int64_t *scratch) {
  const row_layer *layer = state;
  *cache = shape->batch * row_cache(layer, shape->count);
  *scratch = layer->kind >= LINEAR ? 0 : lsq_mlp_scratch_f64(layer->kind, shape->count, layer->width, HIDDEN);
  return LSQNET_OK;
}

static const int32_t kinds[] = {LINEAR, LAYER_NORM, LSQNET_MLP_RELU, LSQNET_MLP_GELU, LSQNET_MLP_GLU};
enum { KINDS = sizeof kinds / sizeof *kinds };

static lsqnet_mixer row_mixer(int kind) {
  return (lsqnet_mixer){.size = sizeof(lsqnet_mixer),
                        .name = "row",
                        .user = (void *)(uintptr_t)&kinds[kind],
                        .create = row_create,
                        .destroy = free,
                        .parameter_count = row_parameter_count,
                        .parameter = row_parameter,
                        .workspace = row_workspace,
                        .forward_f64 = row_forward_f64,
                        .backward_f64 = row_backward_f64,
                        .forward_f32 = row_forward_f32,
                        .backward_f32 = row_backward_f32,
                        .jvp_f64 = row_jvp_f64,
                        .jvp_f32 = row_jvp_f32};
}

static lsqnet_context *context;

static void set_up(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }
static void tear_down(void) { lsqnet_context_destroy(context); }

START_TEST(derivatives_agree_with_differences_in_both_precisions) {
  char report[4096];
  const lsqnet_mixer mixer = row_mixer(_i % KINDS);
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 0, 4, 19, _i / KINDS, 1, 0, 0};
  ck_assert_msg(lsqnet_mixer_conformance(&mixer, context, &sizes, "{}", report, sizeof report) == 0, "kind %d: %s",
                (int)kinds[_i % KINDS], report);
}
END_TEST

enum { M = 5, D = 19 };

static uint64_t state_of_numbers = 1;

static void fill(double *a, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    state_of_numbers = state_of_numbers * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    a[i] = (double)(int64_t)(state_of_numbers >> 20) / (double)(INT64_C(1) << 43) - 1;
  }
}

/* sum_k a_k b_k + c and, in *magnitude, the same of absolute values. */
static long double sum_of_products(int64_t n, const double *a, const double *b, double c, long double *magnitude) {
  long double sum = c;
  *magnitude = fabsl((long double)c);
  for (int64_t k = 0; k < n; k++) {
    sum += (long double)a[k] * b[k];
    *magnitude += fabsl((long double)a[k] * b[k]);
  }
  return sum;
}

START_TEST(linear_is_x_times_w_transposed_plus_b) {
  double x[M * D], W[HIDDEN * D], b[HIDDEN], y[M * HIDDEN];
  fill(x, M * D);
  fill(W, HIDDEN * D);
  fill(b, HIDDEN);
  lsq_linear_forward_f64(context->kernels_f64, M, D, HIDDEN, x, W, b, y);
  for (int i = 0; i < M * HIDDEN; i++) {
    long double magnitude = 0;
    const long double expected = sum_of_products(D, x + i / HIDDEN * D, W + i % HIDDEN * D, b[i % HIDDEN], &magnitude);
    /* D products and as many sums */
    ck_assert(fabsl(y[i] - expected) <= 2 * D * DBL_EPSILON * magnitude);
  }
}
END_TEST

/* Columns of zeros behind the others, as a read-in that is the identity leaves them, change no bit: the products are
 * those of the kernels with all columns. */
START_TEST(linear_has_the_same_bits_without_columns_of_zeros) {
  const struct lsq_kernels_f64 *k = context->kernels_f64;
  enum { IN = 130, OUT = 21 };
  static double x[M * IN], W[OUT * IN], dW[OUT * IN], b[OUT], dy[M * OUT], y[2][M * OUT], g[2][OUT * IN];
  const int64_t widths[] = {1, 7, 64, 128, IN};
  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
    const int64_t in = widths[w], uses[] = {0, 1, in / 2, in - 1, in};
    for (size_t u = 0; u < sizeof uses / sizeof *uses; u++) {
      fill(x, M * in);
      fill(W, OUT * in);
      fill(dW, OUT * in);
      fill(b, OUT);
      fill(dy, M * OUT);
      for (int64_t i = 0; i < M * in; i++) x[i] *= i % in < uses[u];
      if (uses[u] > 0 && uses[u] < in) x[2 * in + uses[u]] = 1e-300; /* one row has one more */
      for (int64_t i = 0; i < OUT * in; i++) g[0][i] = g[1][i] = (double)i;
      lsq_linear_forward_f64(k, M, in, OUT, x, W, b, y[0]);
      k->product_nt(M, OUT, in, x, in, W, in, b, y[1], OUT, 0);
      ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
      lsq_linear_backward_f64(k, M, in, OUT, x, W, dy, NULL, g[0], NULL);
      k->product_tn(OUT, in, M, dy, OUT, x, in, g[1], in, 1);
      ck_assert_mem_eq(g[0], g[1], (size_t)(OUT * in) * sizeof(double));
      lsq_linear_jvp_f64(k, M, in, OUT, x, W, NULL, dW, b, y[0]);
      for (int64_t i = 0; i < M * OUT; i++) y[1][i] = b[i % OUT];
      k->product_nt(M, OUT, in, x, in, dW, in, NULL, y[1], OUT, 1);
      ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
    }
  }
}
END_TEST

START_TEST(layer_norm_is_accurate_where_the_mean_is_large) {
  const double offsets[] = {0, 1e6};
  for (int k = 0; k < 2; k++) {
    double x[D], w[D], b[D], y[D], cache[2];
    long double mean = 0, variance = 0;
    fill(x, D);
    fill(w, D);
    fill(b, D);
    for (int j = 0; j < D; j++) x[j] += offsets[k];
    lsq_layer_norm_forward_f64(1, D, x, w, b, y, cache);
    for (int j = 0; j < D; j++) mean += x[j];
    mean /= D;
    for (int j = 0; j < D; j++) variance += (x[j] - mean) * (x[j] - mean);
    const long double scale = 1 / sqrtl(variance / D + 1e-5L);
    for (int j = 0; j < D; j++) {
      const long double expected = (x[j] - mean) * scale * w[j] + b[j];
      /* the mean's D roundings of the offset count against x - mean; ten more roundings of the result */
      const long double tolerance =
          DBL_EPSILON * ((D * (offsets[k] + 1) + D + 10) * scale + 10 * (1 + fabsl(expected)));
      ck_assert(fabsl(y[j] - expected) <= tolerance);
    }
  }
}
END_TEST

static long double activate(int32_t activation, const double *h, const double *gate, const double *value) {
  long double magnitude = 0;
  if (activation == LSQNET_MLP_RELU) return *h > 0 ? *h : 0;
  if (activation == LSQNET_MLP_GELU) return 0.5L * *h * (1 + erfl(*h * sqrtl(0.5L)));
  return sum_of_products(HIDDEN, h, value, 0, &magnitude) /
         (1 + expl(-sum_of_products(HIDDEN, h, gate, 0, &magnitude)));
}

START_TEST(mlp_is_down_of_activation_of_up) {
  const int32_t activation = kinds[_i + 2];
  double x[D], up[HIDDEN * D], gate[HIDDEN * HIDDEN], value[HIDDEN * HIDDEN], down[D * HIDDEN];
  double h[HIDDEN], r[HIDDEN], y[D], cache[3 * HIDDEN], scratch[3 * HIDDEN];
  const int glu = activation == LSQNET_MLP_GLU;
  const lsq_mlp_weights_f64 weights = {up, NULL, glu ? gate : NULL, glu ? value : NULL, down, NULL};
  fill(x, D);
  fill(up, HIDDEN * D);
  fill(gate, HIDDEN * HIDDEN);
  fill(value, HIDDEN * HIDDEN);
  fill(down, D * HIDDEN);
  ck_assert_int_le(lsq_mlp_cache_f64(activation, 1, D, HIDDEN), 3 * HIDDEN);
  ck_assert_int_le(lsq_mlp_scratch_f64(activation, 1, D, HIDDEN), 3 * HIDDEN);
  lsq_mlp_forward_f64(context->kernels_f64, activation, 1, D, HIDDEN, &weights, x, y, cache, scratch);

  long double h_magnitude = 0;
  for (int i = 0; i < HIDDEN; i++) {
    long double magnitude = 0;
    h[i] = (double)sum_of_products(D, x, up + i * D, 0, &magnitude);
    if (magnitude > h_magnitude) h_magnitude = magnitude;
  }
  for (int i = 0; i < HIDDEN; i++)
    r[i] = (double)activate(activation, glu ? h : h + i, gate + i * HIDDEN, value + i * HIDDEN);
  for (int j = 0; j < D; j++) {
    long double magnitude = 0;
    const long double expected = sum_of_products(HIDDEN, r, down + j * HIDDEN, 0, &magnitude);
    /* 2 D roundings of h, which weights of at most 1 carry through one (ReLU, GELU; slope below 1.2) or two layers of
     * HIDDEN, once more as the sigmoid's argument; 4 HIDDEN + 20 of their own */
    const long double spread = glu ? HIDDEN * HIDDEN * (1 + HIDDEN * h_magnitude) : 1.2L * HIDDEN;
    ck_assert(fabsl(y[j] - expected) <= DBL_EPSILON * (2 * D * h_magnitude * spread + (4 * HIDDEN + 20) * magnitude));
  }
}
END_TEST

START_TEST(sigmoid_neither_overflows_nor_loses_its_tail) {
  const double at[] = {0, 1, -1, 36, -36, 700, -700, 5000, -5000, INFINITY, -INFINITY};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    double a = at[i];
    float f = (float)at[i];
    const long double expected = 1 / (1 + expl(-(long double)at[i]));
    lsq_sigmoid_f64(1, &a);
    lsq_sigmoid_f32(1, &f);
    /* exp is good to 1 rounding in glibc; sum and quotient add one each. Below DBL_MIN the spacing is absolute. */
    ck_assert(fabsl(a - expected) <= 4 * DBL_EPSILON * expected + DBL_MIN);
    ck_assert(fabsl(f - expected) <= 4 * FLT_EPSILON * expected + FLT_MIN);
  }
}
END_TEST

START_TEST(gelu_keeps_its_relative_accuracy_in_the_tail) {
  const double at[] = {0, 0.5, -0.5, 3, -3, -8, -20, 20};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    double a = at[i], y = 0;
    const long double v = at[i], distribution = 0.5L * erfcl(-v * sqrtl(0.5L));
    const long double density = expl(-v * v / 2) / sqrtl(2 * 3.14159265358979323846264338327950288L);
    lsq_gelu_f64(1, &a, &y);
    /* one rounding of the argument changes erfc by about v^2 roundings in the tail, a few more are libm's and ours */
    const long double roundings = (8 + 2 * v * v) * DBL_EPSILON;
    ck_assert(fabsl(y - v * distribution) <= roundings * fabsl(v * distribution));
    ck_assert(fabsl(a - (distribution + v * density)) <= roundings * (distribution + fabsl(v * density)));
  }
}
END_TEST

START_TEST(nan_travels_through_every_activation) {
  double relu = NAN, slope = 1, sigmoid = NAN, gelu = NAN, y = 0;
  const double output = NAN;
  lsq_relu_f64(1, &relu);
  lsq_sigmoid_f64(1, &sigmoid);
  lsq_gelu_f64(1, &gelu, &y);
  ck_assert(isnan(relu) && isnan(sigmoid) && isnan(gelu) && isnan(y));
  lsq_relu_derivative_f64(1, &output, &slope);
  ck_assert(slope == 1);
}
END_TEST

START_TEST(layer_norm_of_nan_is_nan_and_of_equal_channels_its_bias) {
  double x[D] = {0}, w[D], b[D], y[D], cache[2];
  fill(w, D);
  fill(b, D);
  lsq_layer_norm_forward_f64(1, D, x, w, b, y, cache);
  ck_assert_mem_eq(y, b, sizeof b);
  x[3] = NAN;
  lsq_layer_norm_forward_f64(1, D, x, w, b, y, cache);
  for (int j = 0; j < D; j++) ck_assert(isnan(y[j]));
}
END_TEST

START_TEST(what_is_not_wanted_may_be_null) {
  double x[M * D], dy[M * D], W[D * D], b[D], dW[2][D * D] = {{0}}, db[2][D] = {{0}}, dx[M * D], y[2][M * D],
                                                        cache[2 * M];
  const double zero[M * D] = {0};
  const struct lsq_kernels_f64 *kernels = context->kernels_f64;
  fill(x, M * D);
  fill(dy, M * D);
  fill(W, D * D);
  fill(b, D);
  lsq_linear_backward_f64(kernels, M, D, D, x, W, dy, dx, dW[0], db[0]);
  lsq_linear_backward_f64(kernels, M, D, D, x, W, dy, NULL, dW[1], NULL);
  ck_assert_mem_eq(dW[0], dW[1], sizeof dW[0]);
  lsq_linear_jvp_f64(kernels, M, D, D, x, W, zero, dW[0], db[0], y[0]);
  lsq_linear_jvp_f64(kernels, M, D, D, x, W, NULL, dW[0], db[0], y[1]);
  for (int i = 0; i < M * D; i++) ck_assert(y[0][i] == y[1][i]);
  lsq_linear_jvp_f64(kernels, M, D, D, x, W, NULL, NULL, NULL, y[1]);
  for (int i = 0; i < M * D; i++) ck_assert(y[1][i] == 0);

  lsq_layer_norm_forward_f64(M, D, x, W, b, y[0], cache);
  memset(dW, 0, sizeof dW);
  lsq_layer_norm_backward_f64(M, D, x, W, dy, dx, dW[0], NULL, cache);
  lsq_layer_norm_backward_f64(M, D, x, W, dy, NULL, dW[1], db[1], cache);
  ck_assert_mem_eq(dW[0], dW[1], D * sizeof(double));
  lsq_layer_norm_jvp_f64(M, D, x, W, zero, b, NULL, y[0], cache);
  lsq_layer_norm_jvp_f64(M, D, x, W, NULL, b, NULL, y[1], cache);
  for (int i = 0; i < M * D; i++) ck_assert(y[0][i] == y[1][i]);
}
END_TEST

START_TEST(sizes_of_an_mlp_that_overflow_stay_unallocatable) {
  void *memory = NULL;
  const int64_t huge = INT64_C(1) << 40;
  const int64_t cache = lsq_mlp_cache_f64(LSQNET_MLP_GLU, huge, 8, huge);
  const int64_t scratch = lsq_mlp_scratch_f64(LSQNET_MLP_GLU, huge, 8, huge);
  ck_assert(cache > 0 && scratch > 0 && cache < INT64_MAX - scratch);
  ck_assert_int_eq(lsq_alloc(context, &memory, cache + scratch, sizeof(double)), LSQNET_E_SHAPE);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("layers");
  TCase *tests = tcase_create("layers");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, derivatives_agree_with_differences_in_both_precisions, 0, 2 * KINDS);
  tcase_add_test(tests, linear_is_x_times_w_transposed_plus_b);
  tcase_add_test(tests, linear_has_the_same_bits_without_columns_of_zeros);
  tcase_add_test(tests, layer_norm_is_accurate_where_the_mean_is_large);
  tcase_add_loop_test(tests, mlp_is_down_of_activation_of_up, 0, 3);
  tcase_add_test(tests, sigmoid_neither_overflows_nor_loses_its_tail);
  tcase_add_test(tests, gelu_keeps_its_relative_accuracy_in_the_tail);
  tcase_add_test(tests, nan_travels_through_every_activation);
  tcase_add_test(tests, layer_norm_of_nan_is_nan_and_of_equal_channels_its_bias);
  tcase_add_test(tests, what_is_not_wanted_may_be_null);
  tcase_add_test(tests, sizes_of_an_mlp_that_overflow_stay_unallocatable);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
