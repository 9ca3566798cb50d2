/* Gauss-Newton's parts against the Jacobian written down, and what they train. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>

#include "tiny_mixer.h"
#include "train/block_jacobi.h"
#include "train/products.h"
#include "training.h"

enum { SAMPLES = 40, OUTPUTS = DIM, RESIDUALS = SAMPLES * OUTPUTS };

/* A trainer with frozen weights, a batch of its task and the batch's Jacobian J (RESIDUALS, P). */
typedef struct {
  setting s;
  lsqnet_trainer *trainer;
  lsq_jacobian *jacobian;
  int64_t P;
  double *X, *Y, *r, *J;
} batch;

static double *zeros(int64_t count) {
  double *values = calloc((size_t)count, sizeof *values);
  ck_assert_ptr_nonnull(values);
  return values;
}

static batch batch_open(void) {
  batch b = {.s = setting_open(2, LSQNET_F64)};
  double sum = 0;
  ok(lsqnet_model_draw_weights(b.s.model, 1, 1));
  ok(lsqnet_model_freeze(b.s.model, 3, 1));
  b.trainer = start(&b.s);
  b.P = b.trainer->trained_count;
  ck_assert_int_lt(b.P, lsqnet_model_weight_count(b.s.model));
  ok(lsq_jacobian_create(&b.jacobian, b.trainer));
  ck_assert_int_eq(lsq_jacobian_outputs(b.jacobian), OUTPUTS);
  b.X = zeros(SAMPLES * b.trainer->shape.rows * b.trainer->shape.in_width);
  b.Y = zeros(RESIDUALS);
  b.r = zeros(RESIDUALS);
  b.J = zeros(RESIDUALS * b.P);
  ok(lsq_jacobian_draw(b.jacobian, 5, SAMPLES, b.X, b.Y));
  ok(lsq_jacobian_compute(b.jacobian, SAMPLES, b.X, b.Y, b.r, b.J, &sum));
  return b;
}

static void batch_close(batch *b) {
  lsq_jacobian_destroy(b->jacobian);
  lsqnet_trainer_destroy(b->trainer);
  setting_close(&b->s);
  free(b->X);
  free(b->Y);
  free(b->r);
  free(b->J);
}

/* z = J'u */
static double *transposed_times(const batch *b, const double *u) {
  double *z = zeros(b->P);
  for (int64_t i = 0; i < RESIDUALS; i++)
    for (int64_t j = 0; j < b->P; j++) z[j] += b->J[i * b->P + j] * u[i];
  return z;
}

/* a and b agree to `roundings` of the largest entry. */
static void assert_close(const double *a, const double *b, int64_t count, double roundings) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(b[i]));
  ck_assert(largest > 0);
  for (int64_t i = 0; i < count; i++) ck_assert(fabs(a[i] - b[i]) <= roundings * DBL_EPSILON * largest);
}

/* Roundings of two layers, in a row of J as in a product, and of the sums over weights or residuals. */
static double roundings(const batch *b) { return 64 + (double)b->P + RESIDUALS; }

/* _i = 1: in slabs of a few samples, of which the last is smaller. */
START_TEST(products_are_those_with_the_jacobian) {
  batch b = batch_open();
  lsq_products *products = NULL;
  const int64_t memory = _i == 0 ? INT64_C(1) << 30 : 7 * 8 * lsq_jacobian_cache(b.jacobian);
  double *r = zeros(RESIDUALS), *g = zeros(b.P), *v = zeros(b.P), *q = zeros(RESIDUALS), *z = zeros(b.P);
  double *Jv = zeros(RESIDUALS), sum = 0, squares = 0;
  ok(lsq_products_create(&products, b.trainer, b.jacobian, SAMPLES, memory));
  ok(lsq_products_linearise(products, b.X, b.Y, r, g, &sum));
  for (int64_t i = 0; i < RESIDUALS; i++) squares += b.r[i] * b.r[i];
  ck_assert(fabs(sum - squares) <= roundings(&b) * DBL_EPSILON * squares);
  assert_close(r, b.r, RESIDUALS, roundings(&b));
  double *wanted = transposed_times(&b, b.r);
  assert_close(g, wanted, b.P, roundings(&b));
  free(wanted);
  for (int64_t j = 0; j < b.P; j++) v[j] = sin(0.3 * (double)j);
  for (int64_t i = 0; i < RESIDUALS; i++)
    for (int64_t j = 0; j < b.P; j++) Jv[i] += b.J[i * b.P + j] * v[j];
  ok(lsq_products_normal(products, v, q, z));
  assert_close(q, Jv, RESIDUALS, roundings(&b));
  wanted = transposed_times(&b, Jv);
  assert_close(z, wanted, b.P, roundings(&b));
  free(wanted);
  lsq_products_destroy(products);
  free(r);
  free(g);
  free(v);
  free(q);
  free(z);
  free(Jv);
  batch_close(&b);
}
END_TEST

/* (J'J + mu I) z within the block of weights first .. first+size-1. */
static void times_block(const batch *b, int64_t first, int64_t size, double mu, const double *z, double *out) {
  for (int64_t j = 0; j < size; j++) out[first + j] = mu * z[first + j];
  for (int64_t i = 0; i < RESIDUALS; i++) {
    const double *row = b->J + i * b->P + first;
    double sum = 0;
    for (int64_t j = 0; j < size; j++) sum += row[j] * z[first + j];
    for (int64_t j = 0; j < size; j++) out[first + j] += row[j] * sum;
  }
}

/* With memory for a few weights' rows a block is small, and its residuals are all of the batch's. */
START_TEST(block_jacobi_solves_with_the_diagonal_blocks) {
  batch b = batch_open();
  lsq_block_jacobi *blocks = NULL;
  const int64_t count = 5, block = (b.P + count - 1) / count;
  double *s = zeros(b.P), *z = zeros(b.P), *back = zeros(b.P), largest = 0, mu = 0, diagonal = 0;
  int positive = 0;
  ok(lsq_block_jacobi_create(&blocks, b.trainer, b.jacobian, SAMPLES, 16 * 8 * OUTPUTS * b.P + 16 * b.P * block));
  ok(lsq_block_jacobi_compute(blocks, b.X, b.Y, &largest));
  for (int64_t j = 0; j < b.P; j++) {
    double sum = 0;
    for (int64_t i = 0; i < RESIDUALS; i++) sum += b.J[i * b.P + j] * b.J[i * b.P + j];
    diagonal = fmax(diagonal, sum);
    s[j] = cos(0.7 * (double)j);
  }
  ck_assert(fabs(largest - diagonal) <= roundings(&b) * DBL_EPSILON * diagonal);
  mu = 1e-2 * largest;
  ok(lsq_block_jacobi_factor(blocks, mu, &positive));
  ck_assert_int_eq(positive, 1);
  ok(lsq_block_jacobi_solve(blocks, s, z));
  for (int64_t first = 0; first < b.P; first += block)
    times_block(&b, first, block < b.P - first ? block : b.P - first, mu, z, back);
  /* the condition is at most 1 + the block's trace / mu */
  assert_close(back, s, b.P, (1 + (double)block / 1e-2) * roundings(&b));
  lsq_block_jacobi_destroy(blocks);
  free(s);
  free(z);
  free(back);
  batch_close(&b);
}
END_TEST

/* One gradient-descent step of D=2 by a linear-attention layer. */
static setting attention_open(int32_t threads, uint64_t seed, const char *optimizer) {
  setting s = {0};
  lsqnet_context_options c;
  lsqnet_task_options t;
  lsqnet_model_options m;
  ok(lsqnet_context_options_init(&c, sizeof c));
  ok(lsqnet_task_options_init(&t, sizeof t));
  ok(lsqnet_model_options_init(&m, sizeof m));
  c.threads = threads;
  ok(lsqnet_context_create(&s.context, &c));
  t.name = "multistep_gd";
  t.prompt = "split";
  t.rows = 8;
  t.dim = DIM;
  ok(lsqnet_task_create(&s.task, s.context, &t));
  m.rows = 9;
  m.in_width = 2 * DIM + 1;
  m.out_width = DIM;
  m.width = 10;
  m.freeze_positions = 1;
  m.layers = 1;
  m.mixer = "attention";
  m.mixer_config = "{\"softmax\": false, \"causal\": false}";
  ok(lsqnet_model_create(&s.model, s.context, &m));
  ok(lsqnet_model_draw_weights(s.model, seed, 1));
  ok(lsqnet_train_options_init(&s.options, sizeof s.options));
  s.options.seed = seed;
  s.options.optimizer = optimizer;
  s.options.steps = 60;
  s.options.target = 1e-28;
  return s;
}

static const char *const METHODS[] = {"levenberg_marquardt", "gauss_newton_cg"};
enum { METHOD_COUNT = sizeof METHODS / sizeof *METHODS, SEEDS = 5 };

START_TEST(a_linear_attention_layer_learns_a_step_to_the_last_bit) {
  setting s = attention_open(1, (uint64_t)(_i % SEEDS), METHODS[_i / SEEDS]);
  double mse = NAN;
  lsqnet_trainer *trainer = start(&s);
  ok(lsqnet_trainer_run(trainer, NULL, NULL));
  ck_assert_int_eq(trainer->progress.ended, LSQNET_TRAIN_TARGET);
  ok(lsqnet_evaluate(s.model, s.task, 1234, 1000, &mse, NULL));
  ck_assert(mse <= 2e-28);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(the_bits_do_not_depend_on_the_number_of_threads) {
  setting one = attention_open(1, 3, METHODS[_i]), more = attention_open(3, 3, METHODS[_i]);
  lsqnet_trainer *first = start(&one), *second = start(&more);
  for (int i = 0; i < 8; i++) {
    ok(lsqnet_trainer_step(first, NULL));
    ok(lsqnet_trainer_step(second, NULL));
  }
  ck_assert(same_weights(one.model, more.model));
  lsqnet_trainer_destroy(first);
  lsqnet_trainer_destroy(second);
  setting_close(&one);
  setting_close(&more);
}
END_TEST

/* So little memory that blocks are small and activations come a sample at a time. */
START_TEST(little_memory_is_enough_for_conjugate_gradients) {
  setting s = attention_open(1, 1, "gauss_newton_cg");
  lsqnet_trainer *trainer = NULL;
  s.options.memory = 1;
  ck_assert_int_eq(lsqnet_trainer_create(&trainer, s.model, s.task, &s.options), LSQNET_E_ARGUMENT);
  assert_says("memory=1: it must be ");
  s.options.memory = strtoll(strstr(lsqnet_last_message(), "must be ") + 8, NULL, 10);
  ok(lsqnet_trainer_create(&trainer, s.model, s.task, &s.options));
  ok(lsqnet_trainer_step(trainer, NULL));
  ok(lsqnet_trainer_step(trainer, NULL));
  ck_assert(trainer->progress.fresh_loss < 10);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

START_TEST(conjugate_gradients_want_a_mixer_with_a_jvp) {
  setting s = attention_open(1, 1, "gauss_newton_cg");
  static tiny_faults faults;
  lsqnet_mixer mixer = tiny_mixer_table("tiny", &faults);
  lsqnet_model_options m;
  lsqnet_model *model = NULL;
  lsqnet_trainer *trainer = NULL;
  mixer.jvp_f64 = NULL;
  ok(lsqnet_context_register_mixer(s.context, &mixer));
  ok(lsqnet_model_get_options(s.model, &m, sizeof m));
  m.mixer = mixer.name;
  m.mixer_config = NULL;
  ok(lsqnet_model_create(&model, s.context, &m));
  ck_assert_int_eq(lsqnet_trainer_create(&trainer, model, s.task, &s.options), LSQNET_E_UNSUPPORTED);
  assert_says("has no jvp");
  ck_assert_ptr_null(trainer);
  lsqnet_model_destroy(model);
  setting_close(&s);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("gauss_newton");
  TCase *parts = tcase_create("parts"), *runs = tcase_create("runs");
  tcase_add_loop_test(parts, products_are_those_with_the_jacobian, 0, 2);
  tcase_add_test(parts, block_jacobi_solves_with_the_diagonal_blocks);
  tcase_add_loop_test(runs, a_linear_attention_layer_learns_a_step_to_the_last_bit, 0, METHOD_COUNT * SEEDS);
  tcase_add_loop_test(runs, the_bits_do_not_depend_on_the_number_of_threads, 0, METHOD_COUNT);
  tcase_add_test(runs, little_memory_is_enough_for_conjugate_gradients);
  tcase_add_test(runs, conjugate_gradients_want_a_mixer_with_a_jvp);
  tcase_set_timeout(runs, 60);
  suite_add_tcase(suite, parts);
  suite_add_tcase(suite, runs);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
