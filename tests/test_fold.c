/* Folded models: the map of second moments answers as the model does, comes from its weights, and is taken only for
 * models that have one. */
#include <check.h>

#include "problem.h"
#include "solve/batch.h"
#include "solve/fold.h"
#include "solve/shipped.h"

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static lsqnet_solver *solver_of(const lsqnet_model *model) {
  lsqnet_solver *solver = NULL;
  ck_assert_int_eq(lsqnet_solver_create(&solver, context, model, NULL), LSQNET_OK);
  return solver;
}

/* The system and the side of random data, from the fold or row by row. */
static void ask(lsqnet_solver *solver, const problem *p, int folded, double *G, double *c) {
  struct lsq_fold *fold = solver->fold;
  if (!folded) solver->fold = NULL;
  if (!folded && solver->workspace == NULL) ck_assert_int_eq(lsq_prompts_open(solver), LSQNET_OK);
  ck_assert_int_eq(lsq_gram(solver, p->m, p->n, p->a, p->lda, G, p->n), LSQNET_OK);
  ck_assert_int_eq(lsq_gram_rhs(solver, p->m, p->n, p->a, p->lda, p->b, c), LSQNET_OK);
  solver->fold = fold;
}

/* Largest difference over the largest size. */
static double difference(int64_t count, const double *x, const double *y, double least_size) {
  double apart = 0, size = least_size;
  for (int64_t i = 0; i < count; i++) {
    apart = fmax(apart, fabs(x[i] - y[i]));
    size = fmax(size, fabs(y[i]));
    if (isnan(x[i])) return INFINITY;
  }
  return apart / size;
}

/* Sums of m products, of which each went through 2 D + 1 channels a few times, are within m 1e-15; what an iterate
 * x - s g / L of size 1 says of g is times L / s. */
static void check_same(lsqnet_solver *solver) {
  static const int64_t sizes[][2] = {{1, 1}, {3, 2}, {20, 5}, {21, 5}, {9, 7}, {50, 12}, {70, 33}};
  ck_assert_ptr_nonnull(solver->fold);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    problem p = problem_normal(sizes[i][0], sizes[i][1], 1, 3, 5 + i);
    double *G = doubles(p.n * p.n), *H = doubles(p.n * p.n), *c = doubles(p.n), *d = doubles(p.n);
    for (int64_t j = 0; j < p.m; j++) p.b[j] = p.b[j * p.ldb];
    ask(solver, &p, 1, G, c);
    const int64_t stood_for = solver->model_calls;
    solver->model_calls = 0;
    ask(solver, &p, 0, H, d);
    ck_assert_int_eq(solver->model_calls, stood_for);
    solver->model_calls = 0;
    const double tolerance = (double)(p.m + 20) * 1e-15, step = solver->step.step;
    const double size = solver->step.output == LSQNET_OUTPUT_ITERATE ? (double)solver->step.rows / step : 0;
    const double apart = fmax(difference(p.n * p.n, G, H, size), difference(p.n, c, d, size));
    ck_assert_msg(apart <= tolerance, "m=%d n=%d: %g", (int)p.m, (int)p.n, apart);
    free(d);
    free(c);
    free(H);
    free(G);
    problem_free(&p);
  }
}

START_TEST(an_exact_models_fold_answers_as_it_does) {
  static const model_kind kinds[] = {{"attention", "split", 64, 16, 0},
                                     {"attention", "split", 20, 5, 0},
                                     {"attention", "split", 20, 5, 1},
                                     {"attention", "split", 3, 2, 1}};
  lsqnet_model *model = construct(context, kinds[_i]);
  lsqnet_solver *solver = solver_of(model);
  check_same(solver);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(a_trained_models_fold_answers_as_it_does) {
  for (int64_t i = 0; i < lsq_shipped_count; i++) {
    lsqnet_model *model = NULL;
    const lsq_shipped_model *shipped = &lsq_shipped_models[i];
    ck_assert_int_eq(lsqnet_model_load_memory(&model, context, shipped->data, shipped->bytes, NULL), LSQNET_OK);
    lsqnet_solver *solver = solver_of(model);
    check_same(solver);
    const int64_t D = shipped->dim; /* roundings of training are left out: one term for each entry of A'A x - A'b */
    ck_assert_int_eq(solver->fold->system.first[D * D], D * D);
    ck_assert_int_eq(solver->fold->side.first[D], D);
    lsqnet_solver_destroy(solver);
    lsqnet_model_destroy(model);
  }
}
END_TEST

/* Multiplies the weights of `name` by random numbers from 1 on, where columns are from `first` on zero. */
static void set_weights(lsqnet_model *model, const char *name, int64_t begin, int64_t end, int64_t columns,
                        int64_t first, uint64_t *state) {
  lsqnet_parameter parameter;
  const int64_t index = lsqnet_model_find_parameter(model, name);
  ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
  double *values = doubles(parameter.count);
  ck_assert_int_eq(lsqnet_model_read_parameter(model, index, values, parameter.count), LSQNET_OK);
  for (int64_t i = begin; i < end; i++)
    for (int64_t j = 0; j < columns; j++) values[i * columns + j] = j < first ? normal(state) : 0;
  ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
  free(values);
}

/* Linear attention with random queries, keys and values of several heads, where keys and values see the rows' A alone.
 */
static lsqnet_model *random_attention(int64_t D, int64_t heads, const char *config) {
  lsqnet_model *model = NULL;
  lsqnet_model_options o;
  lsqnet_model_step step = {.size = sizeof step, .output = LSQNET_OUTPUT_GRADIENT, .rows = 6, .dim = D, .iterates = 1};
  uint64_t state = 4;
  const int64_t W = 2 * D + 2;
  ck_assert_int_eq(W % heads, 0);
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o), LSQNET_OK);
  o.rows = 7;
  o.in_width = 2 * D + 1;
  o.out_width = D;
  o.width = W;
  o.layers = 1;
  o.residual = 0;
  o.freeze_projections = o.freeze_positions = 1;
  o.mixer = "attention";
  o.mixer_config = config;
  ck_assert_int_eq(lsqnet_model_create(&model, context, &o), LSQNET_OK);
  set_weights(model, "blocks.0.mixer.qkv.weight", 0, W, W, W, &state);
  set_weights(model, "blocks.0.mixer.qkv.weight", W, 3 * W, W, D, &state);
  set_weights(model, "blocks.0.mixer.out_proj.weight", 0, W, W, W, &state);
  set_weights(model, "read_out.weight", 0, D, W, W, &state);
  step.prompt = "split";
  ck_assert_int_eq(lsqnet_model_set_step(model, &step), LSQNET_OK);
  return model;
}

START_TEST(any_weights_and_any_number_of_heads_are_folded) {
  static const char *const configs[] = {"{\"heads\":1,\"softmax\":false,\"causal\":false}",
                                        "{\"heads\":2,\"softmax\":false}",
                                        "{\"heads\":5,\"softmax\":false,\"causal\":true}"};
  static const int64_t heads[] = {1, 2, 5};
  lsqnet_model *model = random_attention(4, heads[_i], configs[_i]);
  lsqnet_solver *solver = solver_of(model);
  ck_assert_ptr_nonnull(solver->fold);
  for (int64_t n = 1; n <= 11; n += 2) { /* their answers to b are 0 */
    problem p = problem_normal(8, n, 1, 0, 3);
    double *G = doubles(n * n), *H = doubles(n * n), *c = doubles(n);
    ask(solver, &p, 1, G, c);
    ask(solver, &p, 0, H, c);
    ck_assert_msg(difference(n * n, G, H, 0) <= 1e-13, "n=%d: %g", (int)n, difference(n * n, G, H, 0));
    free(c);
    free(H);
    free(G);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
}
END_TEST

static int is_folded(const lsqnet_model *model) {
  lsqnet_solver *solver = solver_of(model);
  const int folded = solver->fold != NULL;
  lsqnet_solver_destroy(solver);
  return folded;
}

START_TEST(models_without_a_map_of_moments_are_not_folded) {
  static const model_kind kinds[] = {{"attention", "split", 5, 4, 2},
                                     {"base_conv", "repeat", 5, 4, 0},
                                     {"base_conv", "split", 5, 4, 0},
                                     {"base_conv", "query_first", 5, 4, 0},
                                     {"attention", "split", 5, 65, 0}};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    lsqnet_model *model = construct(context, kinds[i]);
    ck_assert_int_eq(is_folded(model), 0);
    lsqnet_model_destroy(model);
  }
  lsqnet_model *softmax = random_attention(4, 1, "{}");
  ck_assert_int_eq(is_folded(softmax), 0);
  lsqnet_model_destroy(softmax);
}
END_TEST

/* What a fold leaves out: positions that differ, constants, the query's share in itself. */
START_TEST(a_model_that_answers_more_than_a_map_of_moments_is_not_folded) {
  static const struct {
    const char *name;
    int64_t element;
  } changes[] = {{"positions.weight", 9 + 1},
                 {"read_out.bias", 0},
                 {"read_in.bias", 2},
                 {"blocks.0.mixer.qkv.bias", 9},
                 {"blocks.0.mixer.out_proj.bias", 5}};
  const model_kind kind = {"attention", "split", 5, 4, 0};
  lsqnet_model *plain = construct(context, kind);
  ck_assert_int_eq(is_folded(plain), 1);
  lsqnet_model_destroy(plain);
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    lsqnet_model *model = construct(context, kind);
    lsqnet_parameter parameter;
    const int64_t index = lsqnet_model_find_parameter(model, changes[i].name);
    ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
    double *values = doubles(parameter.count);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, index, values, parameter.count), LSQNET_OK);
    values[changes[i].element] += 1e-6;
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
    ck_assert_msg(!is_folded(model), "%s", changes[i].name);
    free(values);
    lsqnet_model_destroy(model);
  }
}
END_TEST

START_TEST(a_fold_changes_with_every_weight_that_the_answer_changes_with) {
  const model_kind kind = {"attention", "split", 5, 3, 0};
  problem p = problem_normal(12, 3, 1, 0, 3);
  lsqnet_model *model = construct(context, kind);
  int64_t compared = 0;
  for (int64_t index = 0; index < lsqnet_model_parameter_count(model); index++) {
    lsqnet_parameter parameter;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &parameter, sizeof parameter), LSQNET_OK);
    double *values = doubles(parameter.count);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, index, values, parameter.count), LSQNET_OK);
    for (int64_t i = 0; i < parameter.count; i++) {
      const double weight = values[i];
      if (weight == 0) continue;
      values[i] = 1.01 * weight;
      ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
      lsqnet_solver *solver = solver_of(model);
      if (solver->fold != NULL) {
        double G[2][9], c[2][3];
        for (int folded = 0; folded < 2; folded++) ask(solver, &p, folded, G[folded], c[folded]);
        ck_assert(difference(9, G[1], G[0], 0) <= 1e-13 && difference(3, c[1], c[0], 0) <= 1e-13);
        compared++;
      }
      lsqnet_solver_destroy(solver);
      values[i] = weight;
    }
    ck_assert_int_eq(lsqnet_model_write_parameter(model, index, values, parameter.count), LSQNET_OK);
    free(values);
  }
  ck_assert_int_ge(compared, 10);
  lsqnet_model_destroy(model);
  problem_free(&p);
}
END_TEST

/* ---- once a problem ---- */

/* lsq_gram, folded or not, is the one place that counts. */
START_TEST(a_problems_state_serves_every_iterate_side_and_correction) {
  static const int32_t methods[] = {LSQNET_METHOD_GD, LSQNET_METHOD_CHEBYSHEV, LSQNET_METHOD_CG};
  const model_kind kind = {"attention", "split", 20, 5, 0};
  for (size_t i = 0; i < 3; i++)
    for (int64_t k = 1; k <= 4; k++) {
      const lsqnet_solver_options options = solver_options(methods[i]);
      lsqnet_solver *solver = solver_on(context, kind, &options);
      problem p = problem_create(33, 4, k, 0);
      lsqnet_report reports[4];
      uint64_t state = 6;
      problem_fill_condition(&p, 20, 0, 1, &state);
      ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_OK);
      for (int64_t l = 0; l < k; l++) {
        ck_assert_int_ge(reports[l].corrections, 2);
        ck_assert_int_ge(reports[l].iterations, 8);
        ck_assert_int_eq(reports[l].model_calls, l == 0 ? lsq_gram_sequences(solver, 33, 4) : 0);
      }
      problem_free(&p);
      lsqnet_solver_destroy(solver);
    }
}
END_TEST

static const struct lsq_lane_kernels *counted;
static int64_t sums, residuals;

static void count_moments(const lsq_packed *packed, double *moments) {
  sums++;
  counted->moments(packed, moments);
}

static void count_residual(const lsq_packed *packed, int64_t side, const double *x, const double *x_low,
                           const double *limit, double *r, double *r_low, double *square) {
  residuals++;
  counted->residual(packed, side, x, x_low, limit, r, r_low, square);
}

/* A group of problems that take several corrections for each of three sides. */
START_TEST(lanes_sum_up_moments_once_for_all_sides_and_corrections) {
  enum { M = 20, N = 4, K = 3, COUNT = LSQ_LANES_MOST };
  lsqnet_solver *solver = solver_on(context, (model_kind){"attention", "split", 20, 5, 0}, NULL);
  double a[COUNT * M * N], b[COUNT * M * K];
  lsq_lane_group group;
  int8_t outcome[COUNT];
  uint64_t state = 8;
  for (int p = 0; p < COUNT; p++) {
    problem q = problem_create(M, N, K, 0);
    problem_fill_condition(&q, 1e5, 0, 0, &state);
    memcpy(a + p * M * N, q.a, M * N * sizeof *a);
    memcpy(b + p * M * K, q.b, M * K * sizeof *b);
    problem_free(&q);
  }
  const lsq_problems problems = {.count = COUNT,
                                 .m = M,
                                 .n = N,
                                 .k = K,
                                 .a_row = N,
                                 .a_column = 1,
                                 .b_row = K,
                                 .b_column = 1,
                                 .a_stride = M * N,
                                 .b_stride = M * K,
                                 .a = a,
                                 .b = b};
  double *memory = aligned_alloc(64, (size_t)(lsq_lane_group_size(solver, &problems) * 8 + 63) / 64 * 64);
  ck_assert_ptr_nonnull(memory);
  solver->precision = DBL_EPSILON;
  ck_assert_int_eq(lsq_fold_plan(solver, N), LSQNET_OK);
  lsq_lane_group_begin(solver, &problems, memory, &group);
  struct lsq_lane_kernels kernels = *group.kernels;
  counted = group.kernels;
  kernels.moments = count_moments;
  kernels.residual = count_residual;
  group.kernels = &kernels;
  ck_assert_int_eq(lsq_lane_group_solve(solver, &problems, 0, kernels.lanes, &group, outcome), LSQNET_OK);
  for (int64_t l = 0; l < kernels.lanes; l++) ck_assert_int_eq(outcome[l], LSQ_LANE_DONE);
  ck_assert_int_eq(sums, 1);
  ck_assert_int_ge(residuals, 2 * K);
  free(memory);
  lsqnet_solver_destroy(solver);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("fold");
  TCase *folds = tcase_create("folds"), *once = tcase_create("once a problem");
  tcase_add_checked_fixture(folds, setup, teardown);
  tcase_add_checked_fixture(once, setup, teardown);
  suite_add_tcase(suite, folds);
  suite_add_tcase(suite, once);
  tcase_add_loop_test(folds, an_exact_models_fold_answers_as_it_does, 0, 4);
  tcase_add_test(folds, a_trained_models_fold_answers_as_it_does);
  tcase_add_loop_test(folds, any_weights_and_any_number_of_heads_are_folded, 0, 3);
  tcase_add_test(folds, models_without_a_map_of_moments_are_not_folded);
  tcase_add_test(folds, a_model_that_answers_more_than_a_map_of_moments_is_not_folded);
  tcase_add_test(folds, a_fold_changes_with_every_weight_that_the_answer_changes_with);
  tcase_add_test(once, a_problems_state_serves_every_iterate_side_and_correction);
  tcase_add_test(once, lanes_sum_up_moments_once_for_all_sides_and_corrections);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
