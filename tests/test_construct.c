/* Exact models against their formula, computed in long double. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"

static const struct {
  const char *mixer, *prompt;
} kinds[] = {{"attention", "split"}, {"base_conv", "repeat"}, {"base_conv", "split"}, {"base_conv", "query_first"}};
enum { ATTENTION_SPLIT, BASE_CONV_REPEAT, BASE_CONV_SPLIT, BASE_CONV_QUERY_FIRST, KINDS };

enum { B = 2, D_MOST = 8, L_MOST = 20 };

typedef struct {
  int kind, gradient;
  int32_t dtype;
  int64_t L, D, k;
  double step, scale; /* of A */
} trial;

typedef struct {
  double a[L_MOST * D_MOST], b[L_MOST], x[D_MOST];
} problem;

static lsqnet_context *context;

static void create_context(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void destroy_context(void) { lsqnet_context_destroy(context); }

static lsqnet_construct_options options_of(const trial *t) {
  lsqnet_construct_options o;
  ck_assert_int_eq(lsqnet_construct_options_init(&o, sizeof o), LSQNET_OK);
  o.dtype = t->dtype;
  o.rows = t->L;
  o.dim = t->D;
  o.iterates = t->k;
  o.step = t->step;
  o.mixer = kinds[t->kind].mixer;
  o.prompt = kinds[t->kind].prompt;
  return o;
}

static lsqnet_status construct(lsqnet_model **out, lsqnet_context *where, const lsqnet_construct_options *o,
                               int gradient) {
  return gradient ? lsqnet_model_construct_gradient(out, where, o) : lsqnet_model_construct_iterates(out, where, o);
}

static lsqnet_model *model_of(const trial *t) {
  const lsqnet_construct_options o = options_of(t);
  lsqnet_model *model = NULL;
  ck_assert_msg(construct(&model, context, &o, t->gradient) == LSQNET_OK, "%s", lsqnet_last_message());
  return model;
}

/* uniform on (-1,1), exact in float32 */
static double random_number(void) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return ((double)(state >> 9) + 0.5) / (1 << 22) - 1;
}

static void draw(problem *p, const trial *t) {
  for (int64_t i = 0; i < t->L * t->D; i++) p->a[i] = (double)(float)(t->scale * random_number());
  for (int64_t i = 0; i < t->L; i++) p->b[i] = random_number();
  for (int64_t j = 0; j < t->D; j++) p->x[j] = random_number();
}

/* g = A'(A x - b) / L, and the sum of the magnitudes of all the products that it is made of */
static void gradient_of(const problem *p, const trial *t, const long double *x, const long double *x_magnitude,
                        long double *g, long double *magnitude) {
  for (int64_t j = 0; j < t->D; j++) g[j] = magnitude[j] = 0;
  for (int64_t i = 0; i < t->L; i++) {
    const double *a = p->a + i * t->D;
    long double r = -(long double)p->b[i], r_magnitude = fabsl(r);
    for (int64_t j = 0; j < t->D; j++) {
      r += a[j] * x[j];
      r_magnitude += fabsl((long double)a[j]) * x_magnitude[j];
    }
    for (int64_t j = 0; j < t->D; j++) {
      g[j] += a[j] * r / (long double)t->L;
      magnitude[j] += fabsl((long double)a[j]) * r_magnitude / (long double)t->L;
    }
  }
}

/* What the model should answer, and the bound on its roundings.
 *
 * With u = eps/2, a step of any of the models rounds each product that the formula consists of at most n = L + D + 12
 * times: additions over the L+1 rows (L), over the unknowns with b or c beside them (D + 1) and to x (1); the
 * products a.x.a (2) with their weight (1); the weight itself, s/L sqrt(head size), is rounded 3 times and the scores
 * with 1/sqrt(head size) 3 times. Weights 0 and 1 round nothing. So a step errs by no more than n u times the sum of
 * magnitudes X' = X + s/L |A|'(|A| X + |b|), and as the error of a step is carried on by I + s/L |A|'|A|, under which X
 * grows faster, k steps err by k n u X_k. The bound is twice that: k (L + D + 12) eps X_k, which leaves room for the
 * second order; the roundings of long double are counted in the same way. */
static void expect(const problem *p, const trial *t, long double *y, long double *bound) {
  const double eps = (t->dtype == LSQNET_F32 ? (double)FLT_EPSILON : DBL_EPSILON) + (double)LDBL_EPSILON;
  const double roundings = (double)(t->k * (t->L + t->D + 12));
  long double magnitude[D_MOST], g[D_MOST], g_magnitude[D_MOST];
  for (int64_t j = 0; j < t->D; j++) {
    y[j] = p->x[j];
    magnitude[j] = fabsl(y[j]);
  }
  for (int64_t step = 0; step < t->k; step++) {
    gradient_of(p, t, y, magnitude, g, g_magnitude);
    for (int64_t j = 0; j < t->D; j++) {
      y[j] = t->gradient ? g[j] : y[j] - t->step * g[j];
      magnitude[j] = t->gradient ? g_magnitude[j] : magnitude[j] + fabsl((long double)t->step) * g_magnitude[j];
    }
  }
  for (int64_t j = 0; j < t->D; j++) bound[j] = roundings * eps * magnitude[j];
}

static void run_f32(const lsqnet_model *model, lsqnet_workspace *workspace, const lsqnet_batch *shape, int64_t W,
                    const double *prompts, double *y, int64_t count) {
  const int64_t cells = shape->batch * shape->rows * W;
  float *prompts32 = calloc((size_t)cells, sizeof *prompts32), y32[B * D_MOST];
  ck_assert_ptr_nonnull(prompts32);
  for (int64_t i = 0; i < cells; i++) prompts32[i] = (float)prompts[i];
  ck_assert_int_eq(lsqnet_model_forward_f32(model, workspace, shape, prompts32, y32), LSQNET_OK);
  for (int64_t i = 0; i < count; i++) y[i] = (double)y32[i];
  free(prompts32);
}

static void run(const lsqnet_model *model, const trial *t, const problem *problems, double *y) {
  lsqnet_workspace *workspace = NULL;
  lsqnet_batch shape = {.size = sizeof shape, .batch = B, .count = 1};
  int64_t W = 0;
  const char *prompt = kinds[t->kind].prompt;
  ck_assert_int_eq(lsqnet_prompt_shape(prompt, t->L, t->D, &shape.rows, &W, &shape.first), LSQNET_OK);
  double *prompts = calloc((size_t)(B * shape.rows * W), sizeof *prompts);
  ck_assert_ptr_nonnull(prompts);
  for (int64_t i = 0; i < B; i++)
    ck_assert_int_eq(lsqnet_prompt_fill_f64(prompt, t->L, t->D, problems[i].a, t->D, problems[i].b, problems[i].x,
                                            prompts + i * shape.rows * W),
                     LSQNET_OK);
  ck_assert_int_eq(lsqnet_workspace_create(&workspace, model), LSQNET_OK);
  if (t->dtype == LSQNET_F32)
    run_f32(model, workspace, &shape, W, prompts, y, B * t->D);
  else
    ck_assert_int_eq(lsqnet_model_forward_f64(model, workspace, &shape, prompts, y), LSQNET_OK);
  lsqnet_workspace_destroy(workspace);
  free(prompts);
}

/* the worst error over its bound; infinite for NaN */
static double disagreement(const lsqnet_model *model, const trial *t) {
  problem problems[B];
  double y[B * D_MOST], worst = 0;
  long double want[D_MOST], bound[D_MOST];
  for (int64_t i = 0; i < B; i++) draw(&problems[i], t);
  run(model, t, problems, y);
  for (int64_t i = 0; i < B; i++) {
    expect(&problems[i], t, want, bound);
    for (int64_t j = 0; j < t->D; j++) {
      const double ratio = (double)(fabsl(y[i * t->D + j] - want[j]) / bound[j]);
      if (!(ratio <= worst)) worst = isnan(ratio) ? (double)INFINITY : ratio;
    }
  }
  return worst;
}

static const int64_t dims[] = {1, 2, 3, 5, 8}, rows[] = {1, 4, 20}, iterates[] = {0, 1, 2, 4}; /* 0: gradient */
static const double scales[] = {1e-3, 1, 1e3};
#define EACH(i, list) (size_t i = 0; i < sizeof list / sizeof list[0]; i++)

static void check_kind(int kind, int32_t dtype) {
  for
    EACH(d, dims)
    for
      EACH(r, rows)
      for
        EACH(i, iterates) {
          trial t = {.kind = kind, .dtype = dtype, .L = rows[r], .D = dims[d], .k = iterates[i], .step = 0.3};
          if (t.k == 0) {
            t.gradient = 1;
            t.k = 1;
          }
          lsqnet_model *model = model_of(&t);
        for
          EACH(s, scales) {
            t.scale = scales[s];
            const double worst = disagreement(model, &t);
            ck_assert_msg(worst <= 1, "L=%d D=%d k=%d scale=%g: %g times the bound", (int)t.L, (int)t.D, (int)t.k,
                          t.scale, worst);
          }
        lsqnet_model_destroy(model);
        }
}

START_TEST(agrees_with_the_formula_in_float64) { check_kind(_i, LSQNET_F64); }
END_TEST

START_TEST(agrees_with_the_formula_in_float32) { check_kind(_i, LSQNET_F32); }
END_TEST

/* or the tests above would prove nothing */
START_TEST(a_weight_off_by_a_millionth_is_noticed) {
  trial t = {.kind = _i, .dtype = LSQNET_F64, .L = 4, .D = 3, .k = 2, .step = 0.3, .scale = 1};
  for (t.gradient = 0; t.gradient <= 1; t.gradient++) {
    double read_out[512];
    t.k = t.gradient ? 1 : 2;
    lsqnet_model *model = model_of(&t);
    const int64_t index = lsqnet_model_find_parameter(model, "read_out.weight");
    lsqnet_parameter parameter;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
    ck_assert_int_le(parameter.count, 512);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, index, read_out, parameter.count), LSQNET_OK);
    for (int64_t i = 0; i < parameter.count; i++) read_out[i] *= 1 + 1e-6;
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, read_out, parameter.count), LSQNET_OK);
    ck_assert(disagreement(model, &t) > 1000);
    lsqnet_model_destroy(model);
  }
}
END_TEST

static int64_t layers_of(const trial *t) {
  if (t->kind == ATTENTION_SPLIT) return t->k;
  return t->kind == BASE_CONV_REPEAT ? 3 * t->k : t->k + 1;
}

static int64_t width_of(const trial *t) {
  const int64_t D = t->D, triangle = D * (D + 1) / 2;
  if (t->kind == ATTENTION_SPLIT) return 2 * D + 1;
  if (t->kind == BASE_CONV_REPEAT) return 4 * D + 1;
  const int64_t terms = 2 * D + triangle, gates = D * D + D + (t->gradient ? 0 : D) + (t->k > 1 ? triangle : 0);
  return terms > gates ? terms : gates;
}

START_TEST(layers_width_and_step_are_the_documented_ones) {
  for
    EACH(d, dims)
    for
      EACH(i, iterates) {
        trial t = {.kind = _i, .dtype = LSQNET_F64, .L = 4, .D = dims[d], .k = iterates[i], .step = 0.3};
        if (t.k == 0) {
          t.gradient = 1;
          t.k = 1;
        }
        lsqnet_model *model = model_of(&t);
        lsqnet_model_options o;
        lsqnet_model_step step;
        int64_t T = 0, W = 0;
        ck_assert_int_eq(lsqnet_prompt_shape(kinds[_i].prompt, t.L, t.D, &T, &W, NULL), LSQNET_OK);
        ck_assert_int_eq(lsqnet_model_get_options(model, &o, sizeof o), LSQNET_OK);
        ck_assert_int_eq(o.layers, layers_of(&t));
        ck_assert_int_eq(o.width, width_of(&t));
        ck_assert_int_eq(o.rows, T);
        ck_assert_int_eq(o.in_width, W);
        ck_assert_int_eq(o.out_width, t.D);
        ck_assert_str_eq(o.mixer, kinds[_i].mixer);
        ck_assert_int_eq(lsqnet_model_get_step(model, &step, sizeof step), LSQNET_OK);
        ck_assert_int_eq(step.output, t.gradient ? LSQNET_OUTPUT_GRADIENT : LSQNET_OUTPUT_ITERATE);
        ck_assert_int_eq(step.rows, t.L);
        ck_assert_int_eq(step.dim, t.D);
        ck_assert_int_eq(step.iterates, t.k);
        ck_assert(t.gradient || step.step == 0.3);
        ck_assert_str_eq(step.task, t.gradient ? "explicit_gradient" : "multistep_gd");
        ck_assert_str_eq(step.prompt, kinds[_i].prompt);
        lsqnet_model_destroy(model);
      }
}
END_TEST

START_TEST(float32_weights_are_the_float64_ones_rounded) {
  trial t = {.kind = _i, .dtype = LSQNET_F64, .L = 7, .D = 3, .k = 2, .step = 0.3};
  lsqnet_model *wide = model_of(&t);
  t.dtype = LSQNET_F32;
  lsqnet_model *narrow = model_of(&t);
  ck_assert_int_eq(lsqnet_model_parameter_count(wide), lsqnet_model_parameter_count(narrow));
  for (int64_t i = 0; i < lsqnet_model_parameter_count(wide); i++) {
    lsqnet_parameter parameter;
    double wide_values[4096], narrow_values[4096];
    ck_assert_int_eq(lsqnet_model_get_parameter(wide, i, &parameter, sizeof parameter), LSQNET_OK);
    ck_assert_int_le(parameter.count, 4096);
    ck_assert_int_eq(lsqnet_model_read_parameter(wide, i, wide_values, parameter.count), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_read_parameter(narrow, i, narrow_values, parameter.count), LSQNET_OK);
    for (int64_t k = 0; k < parameter.count; k++) ck_assert((double)(float)wide_values[k] == narrow_values[k]);
  }
  lsqnet_model_destroy(wide);
  lsqnet_model_destroy(narrow);
}
END_TEST

START_TEST(a_failed_allocation_loses_nothing) {
  const trial t = {.kind = _i, .dtype = LSQNET_F64, .L = 2, .D = 2, .k = 2, .step = 0.3};
  const lsqnet_construct_options o = options_of(&t);
  counting_allocator allocator = {0};
  lsqnet_context *counted = NULL;
  lsqnet_model *model = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  const long long before = allocator.live;
  int failures = 0;
  for (lsqnet_status st = LSQNET_E_MEMORY; st != LSQNET_OK; failures++) {
    allocator.refuse = allocator.calls + failures + 1;
    st = lsqnet_model_construct_iterates(&model, counted, &o);
    ck_assert(st == LSQNET_OK || (st == LSQNET_E_MEMORY && model == NULL && allocator.live == before));
  }
  ck_assert_int_gt(failures, 3);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(counted);
  ck_assert_int_eq(allocator.live, 0);
}
END_TEST

/* nobody has the memory that these would take, so asking for it would be E_MEMORY */
START_TEST(sizes_that_overflow_are_refused_before_allocation) {
  const int64_t bad[][3] = {{INT64_MAX, 1, 1},
                            {1, INT64_MAX, 1},
                            {1, INT64_MAX / 2, 1},
                            {1, INT64_C(1) << 40, 1},
                            {1, INT64_C(1) << 31, 1},
                            {1, INT64_C(1) << 30, 1},
                            {INT64_C(1) << 32, INT64_C(1) << 29, 1},
                            {1, 1, INT64_MAX},
                            {1, 1, INT64_C(1) << 60},
                            {1, 1, INT64_C(1) << 58}};
  for
    EACH(i, bad) {
      const trial t = {.kind = _i, .dtype = LSQNET_F64, .L = bad[i][0], .D = bad[i][1], .k = bad[i][2], .step = 0.3};
      const lsqnet_construct_options o = options_of(&t);
      lsqnet_model *model = NULL;
      const lsqnet_status st = lsqnet_model_construct_iterates(&model, context, &o);
      ck_assert_msg(st == LSQNET_E_SHAPE, "L=%lld D=%lld k=%lld: %s %s", (long long)t.L, (long long)t.D, (long long)t.k,
                    lsqnet_status_name(st), lsqnet_last_message());
      ck_assert_ptr_null(model);
    }
}
END_TEST

static lsqnet_status construct_both(const lsqnet_construct_options *o) {
  lsqnet_model *model = (lsqnet_model *)&model;
  const lsqnet_status st = construct(&model, context, o, 0);
  ck_assert_ptr_null(model);
  ck_assert_int_eq(construct(&model, context, o, 1), st);
  return st;
}

START_TEST(pairs_without_a_construction_are_refused_with_the_list) {
  const char *const pairs[][2] = {
      {"attention", "repeat"}, {"base_conv", "query_last"}, {"identity", "split"}, {"base_conv", "none_such"}};
  const trial t = {.dtype = LSQNET_F64, .L = 4, .D = 2, .k = 1, .step = 0.5};
  for
    EACH(i, pairs) {
      lsqnet_construct_options o = options_of(&t);
      o.mixer = pairs[i][0];
      o.prompt = pairs[i][1];
      ck_assert_int_eq(construct_both(&o), LSQNET_E_UNSUPPORTED);
      for (int kind = 0; kind < KINDS; kind++) {
        char name[64] = "";
        strcat(strcat(strcat(name, kinds[kind].mixer), " on "), kinds[kind].prompt);
        ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), name));
      }
    }
}
END_TEST

START_TEST(options_that_cannot_be_are_refused) {
  const trial t = {.dtype = LSQNET_F64, .L = 4, .D = 2, .k = 1, .step = 0.5};
  lsqnet_construct_options o;
  lsqnet_model *model = NULL;
  o = options_of(&t), o.rows = 0;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_SHAPE);
  o = options_of(&t), o.dim = -1;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_SHAPE);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "dim=-1"));
  o = options_of(&t), o.dtype = 3;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_ARGUMENT);
  o = options_of(&t), o.mixer = NULL;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_ARGUMENT);
  o = options_of(&t), o.prompt = NULL;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_ARGUMENT);
  o = options_of(&t), o.size = 8;
  ck_assert_int_eq(construct_both(&o), LSQNET_E_VERSION);
  o = options_of(&t), o.iterates = 0;
  ck_assert_int_eq(lsqnet_model_construct_iterates(&model, context, &o), LSQNET_E_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "iterates=0"));
  const double steps[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, DBL_MAX};
  for
    EACH(i, steps) {
      o = options_of(&t), o.step = steps[i], o.rows = 1;
      ck_assert_int_eq(lsqnet_model_construct_iterates(&model, context, &o), LSQNET_E_ARGUMENT);
      ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "step="));
    }
  o = options_of(&t), o.dtype = LSQNET_F32, o.step = 1e39;
  ck_assert_int_eq(lsqnet_model_construct_iterates(&model, context, &o), LSQNET_E_ARGUMENT);
}
END_TEST

START_TEST(null_pointers_are_refused) {
  const trial t = {.dtype = LSQNET_F64, .L = 4, .D = 2, .k = 1, .step = 0.5};
  const lsqnet_construct_options o = options_of(&t);
  lsqnet_model *model = NULL;
  for (int gradient = 0; gradient <= 1; gradient++) {
    ck_assert_int_eq(construct(NULL, context, &o, gradient), LSQNET_E_ARGUMENT);
    ck_assert_int_eq(construct(&model, NULL, &o, gradient), LSQNET_E_ARGUMENT);
    ck_assert_int_eq(construct(&model, context, NULL, gradient), LSQNET_E_ARGUMENT);
  }
  ck_assert_int_eq(lsqnet_construct_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_construct_options_init(&(lsqnet_construct_options){0}, 8), LSQNET_E_VERSION);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("construct");
  TCase *formula = tcase_create("formula");
  tcase_add_checked_fixture(formula, create_context, destroy_context);
  tcase_set_timeout(formula, 120);
  tcase_add_loop_test(formula, agrees_with_the_formula_in_float64, 0, KINDS);
  tcase_add_loop_test(formula, agrees_with_the_formula_in_float32, 0, KINDS);
  tcase_add_loop_test(formula, a_weight_off_by_a_millionth_is_noticed, 0, KINDS);
  tcase_add_loop_test(formula, layers_width_and_step_are_the_documented_ones, 0, KINDS);
  tcase_add_loop_test(formula, float32_weights_are_the_float64_ones_rounded, 0, KINDS);
  suite_add_tcase(suite, formula);
  TCase *errors = tcase_create("errors");
  tcase_add_checked_fixture(errors, create_context, destroy_context);
  tcase_add_loop_test(errors, a_failed_allocation_loses_nothing, 0, KINDS);
  tcase_add_loop_test(errors, sizes_that_overflow_are_refused_before_allocation, 0, KINDS);
  tcase_add_test(errors, pairs_without_a_construction_are_refused_with_the_list);
  tcase_add_test(errors, options_that_cannot_be_are_refused);
  tcase_add_test(errors, null_pointers_are_refused);
  suite_add_tcase(suite, errors);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
