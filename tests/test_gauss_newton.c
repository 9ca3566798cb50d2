/* Gauss-Newton's parts against the Jacobian written down, and what they train. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>

#include "base/random.h"
#include "kernels/normal_equations.h"
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
  ok(lsq_jacobian_create(&b.jacobian, b.trainer));
  b.P = lsq_jacobian_weights(b.jacobian);
  ck_assert_int_eq(b.P, b.trainer->trained_count);
  ck_assert_int_lt(b.P, lsqnet_model_weight_count(b.s.model));
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

/* Behind frozen projections the first layer reads zeros in channels that the data do not fill. */
START_TEST(weights_that_cannot_change_a_residual_are_left_out) {
  setting s = setting_open(2, LSQNET_F64);
  lsqnet_task_shape shape;
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  lsqnet_trainer *trainer = NULL;
  lsqnet_workspace *workspace = NULL;
  lsq_jacobian *jacobian = NULL;
  ok(lsqnet_task_get_shape(s.task, &shape, sizeof shape));
  ok(lsqnet_model_get_options(s.model, &o, sizeof o));
  o.freeze_projections = 1;
  ok(lsqnet_model_create(&model, s.context, &o));
  ok(lsqnet_model_draw_weights(model, 1, 1));
  ok(lsqnet_trainer_create(&trainer, model, s.task, &s.options));
  ok(lsq_jacobian_create(&jacobian, trainer));
  double *X = zeros(SAMPLES * shape.rows * shape.in_width), *Y = zeros(RESIDUALS), *y = zeros(SAMPLES * o.out_width);
  ok(lsq_jacobian_draw(jacobian, 5, SAMPLES, X, Y));
  const lsqnet_batch last = {
      .size = sizeof last, .batch = SAMPLES, .rows = shape.rows, .first = shape.first, .count = shape.count};
  ok(lsqnet_workspace_create(&workspace, model));
  ok(lsqnet_model_forward_f64(model, workspace, &last, X, y));
  for (int64_t i = 0; i < SAMPLES * o.out_width; i++) y[i] = sin(0.7 * (double)i);
  ok(lsqnet_model_backward_f64(model, workspace, y, NULL));
  const double *gradient = lsqnet_workspace_gradient_f64(workspace);
  const int64_t P = lsq_jacobian_weights(jacobian), *places = lsq_jacobian_places(jacobian);
  int64_t kept = 0;
  for (int64_t i = 0; i < model->weight_count; i++) {
    const int listed = kept < P && places[kept] == i;
    ck_assert_msg(listed == (gradient[i] != 0), "weight %lld: listed %d, %g", (long long)i, listed, gradient[i]);
    kept += listed;
  }
  ck_assert_int_eq(kept, P);
  ck_assert_int_lt(P, trainer->trained_count);
  free(X);
  free(Y);
  free(y);
  lsq_jacobian_destroy(jacobian);
  lsqnet_workspace_destroy(workspace);
  lsqnet_trainer_destroy(trainer);
  lsqnet_model_destroy(model);
  setting_close(&s);
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
  m.width = 12;
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

/* What (J'J + (mu + nu) I) d = J'r + nu w leaves of its right-hand side, nu = share |r|^2 / |w|^2, for the step d from
 * weights w. */
static double rest_of_equations(const batch *b, const double *w, const double *d, double mu, double share) {
  const int64_t *places = lsq_jacobian_places(b->jacobian);
  double *Jd = zeros(RESIDUALS), r2 = 0, w2 = 0, rest = 0, side = 0;
  for (int64_t i = 0; i < RESIDUALS; i++) {
    r2 += b->r[i] * b->r[i];
    for (int64_t j = 0; j < b->P; j++) Jd[i] += b->J[i * b->P + j] * d[places[j]];
  }
  for (int64_t j = 0; j < b->P; j++) w2 += w[places[j]] * w[places[j]];
  double *left = transposed_times(b, Jd), *right = transposed_times(b, b->r);
  const double nu = share * r2 / w2;
  for (int64_t j = 0; j < b->P; j++) {
    const double wanted = right[j] + nu * w[places[j]], error = left[j] + (mu + nu) * d[places[j]] - wanted;
    rest += error * error;
    side += wanted * wanted;
  }
  free(Jd);
  free(left);
  free(right);
  return sqrt(rest / side);
}

START_TEST(a_step_solves_its_equations_decay_included) {
  enum { MU = 500 };
  static const double bounds[METHOD_COUNT] = {1e-12, 1e-2};
  batch b = batch_open();
  lsqnet_progress p = {.size = sizeof p};
  lsqnet_train_options *o = &b.s.options;
  lsqnet_trainer *trainer = NULL;
  ok(lsqnet_train_options_init(o, sizeof *o));
  o->optimizer = METHODS[_i];
  o->batch = SAMPLES;
  o->damping = MU;
  o->weight_decay = 5;
  o->start_steps = 0;
  double *w = read_weights(b.s.model), sum = 0;
  ok(lsq_jacobian_draw(b.jacobian, lsq_data_step(LSQ_STREAM_STEP, 0), SAMPLES, b.X, b.Y));
  ok(lsq_jacobian_compute(b.jacobian, SAMPLES, b.X, b.Y, b.r, b.J, &sum));
  ok(lsqnet_trainer_create(&trainer, b.s.model, b.s.task, o));
  ok(lsqnet_trainer_step(trainer, &p));
  ck_assert(p.damping == 0.25 * MU); /* the first try was good */
  double *d = read_weights(b.s.model);
  for (int64_t i = 0; i < lsqnet_model_weight_count(b.s.model); i++) d[i] = w[i] - d[i];
  ck_assert(fabs(p.loss - sum / RESIDUALS) <= 1e-14 * p.loss); /* without decay */
  ck_assert(rest_of_equations(&b, w, d, MU, 5) <= bounds[_i]);
  ck_assert(rest_of_equations(&b, w, d, MU, 0) > 2 * bounds[METHOD_COUNT - 1]);
  lsqnet_trainer_destroy(trainer);
  free(w);
  free(d);
  batch_close(&b);
}
END_TEST

START_TEST(weight_decay_vanishes_with_the_loss) {
  setting s = attention_open(1, 2, METHODS[_i]);
  s.options.weight_decay = 0.03;
  lsqnet_trainer *trainer = start(&s);
  ok(lsqnet_trainer_run(trainer, NULL, NULL));
  ck_assert_int_eq(trainer->progress.ended, LSQNET_TRAIN_TARGET);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Phases. */

static void take_step(lsqnet_trainer *trainer, lsqnet_progress *p) {
  p->size = sizeof *p;
  ok(lsqnet_trainer_step(trainer, p));
}

/* They have a batch and a rate of their own. */
START_TEST(a_start_of_given_length_comes_first) {
  setting s = attention_open(1, 3, METHODS[_i]);
  lsqnet_progress p;
  s.options.start_steps = 4;
  s.options.start_rate = 1e-3;
  lsqnet_trainer *trainer = start(&s);
  for (int i = 0; i < 7; i++) {
    take_step(trainer, &p);
    ck_assert_int_eq(p.phase, i < 4 ? LSQNET_PHASE_START : LSQNET_PHASE_MAIN);
    ck_assert(i < 4 ? p.rate == 1e-3 && p.damping == 0 : p.rate == 0 && p.damping > 0);
  }
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Decay, which is Gauss-Newton's, leaves Adam's steps before it as they are. */
START_TEST(a_start_has_no_weight_decay) {
  setting plain = attention_open(1, 3, METHODS[_i]), decayed = attention_open(1, 3, METHODS[_i]);
  plain.options.start_steps = decayed.options.start_steps = 4;
  decayed.options.weight_decay = 0.5;
  lsqnet_trainer *first = start(&plain), *second = start(&decayed);
  for (int i = 0; i < 5; i++) {
    ok(lsqnet_trainer_step(first, NULL));
    ok(lsqnet_trainer_step(second, NULL));
    ck_assert_int_eq(same_weights(plain.model, decayed.model), i < 4);
  }
  lsqnet_trainer_destroy(first);
  lsqnet_trainer_destroy(second);
  setting_close(&plain);
  setting_close(&decayed);
}
END_TEST

START_TEST(the_restart_that_is_best_on_fresh_data_goes_on) {
  enum { RESTARTS = 4 };
  setting s = attention_open(1, 3, METHODS[_i]);
  lsqnet_progress p;
  double first_losses[RESTARTS], least = HUGE_VAL, loss = 0;
  int32_t best = 0;
  s.options.restarts = RESTARTS;
  s.options.restart_scale = 0.5;
  s.options.target = 0;
  lsqnet_trainer *trainer = start(&s);
  for (int32_t k = 0; k < RESTARTS; k++) {
    for (int i = 0; i < 10; i++) {
      take_step(trainer, &p);
      ck_assert_int_eq(p.phase, LSQNET_PHASE_TRIAL);
      ck_assert_int_eq(p.restart, k);
      if (i == 0) first_losses[k] = p.loss;
    }
    for (int32_t other = 0; other < k; other++) ck_assert(first_losses[k] != first_losses[other]);
    if (p.fresh_loss < least) best = k, least = p.fresh_loss;
  }
  ok(lsqnet_evaluate(s.model, s.task, 7, 2000, &loss, NULL));
  ck_assert(loss <= 10 * least && loss >= least / 10); /* the same weights on other samples */
  take_step(trainer, &p);
  ck_assert_int_eq(p.phase, LSQNET_PHASE_MAIN);
  ck_assert_int_eq(p.restart, best);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* A model that mixes nothing, so that Gauss-Newton gets nowhere. */
START_TEST(where_gauss_newton_gets_nowhere_the_first_weights_start_with_adam) {
  setting s = attention_open(1, 1, METHODS[_i]);
  lsqnet_model_options m;
  lsqnet_progress p;
  ok(lsqnet_model_get_options(s.model, &m, sizeof m));
  m.mixer = "identity";
  m.mixer_config = NULL;
  lsqnet_model_destroy(s.model);
  ok(lsqnet_model_create(&s.model, s.context, &m));
  double *before = read_weights(s.model);
  lsqnet_trainer *trainer = start(&s);
  do take_step(trainer, &p);
  while (p.phase == LSQNET_PHASE_MAIN && p.step < 50);
  ck_assert_int_eq(p.phase, LSQNET_PHASE_START);
  ck_assert_int_ge(p.step, 8);
  double *after = read_weights(s.model); /* Adam's first step is the rate, or nothing */
  for (int64_t i = 0; i < lsqnet_model_weight_count(s.model); i++)
    ck_assert(fabs(after[i] - before[i]) <= s.options.start_rate * (1 + 1e-9));
  free(before);
  free(after);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
}
END_TEST

/* Pairs x, 2x + noise of the deviation *user. */
static lsqnet_status draw_noisy(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                double *target) {
  for (int64_t i = 0; i < 2 * count; i++) {
    const uint64_t index = (uint64_t)(2 * first + i);
    x[i] = lsq_random_normal(seed, 2 * step, index);
    target[i] = 2 * x[i] + *(const double *)user * lsq_random_normal(seed, 2 * step + 1, index);
  }
  return LSQNET_OK;
}

/* _i = 0: the loss falls without end, and at once below 1e-4 of where it began; 1: noise stops it on the way there,
 * where a lower rate brings something at first, then nothing; 2: it never leaves its plateau. */
START_TEST(a_start_ends_by_itself) {
  static double deviations[] = {0, 0.1, 100};
  setting s = attention_open(1, 1, "gauss_newton_cg");
  const lsqnet_task_shape shape = {sizeof shape, 0, 1, 2, 2, 0, 1, 1, 0, 2};
  lsqnet_model_options m;
  lsqnet_progress p = {.rate = 4e-3};
  double least = 4e-3;
  int64_t before_a_halving = 0;
  lsqnet_task_destroy(s.task);
  lsqnet_model_destroy(s.model);
  ok(lsqnet_task_create_custom(&s.task, s.context, "noisy", &shape, draw_noisy, &deviations[_i]));
  ok(lsqnet_model_options_init(&m, sizeof m));
  m.rows = 1;
  m.in_width = m.out_width = m.width = 2;
  m.layers = 1;
  m.mixer = "identity";
  ok(lsqnet_model_create(&s.model, s.context, &m));
  s.options.start_steps = 1000000;
  s.options.start_batch = _i == 2 ? 1 : 64;
  s.options.steps = 1000000;
  s.options.target = 0;
  lsqnet_trainer *trainer = start(&s);
  do {
    take_step(trainer, &p);
    if (p.phase == LSQNET_PHASE_START) least = p.rate;
    if (least == 4e-3) before_a_halving = p.step;
  } while (p.phase == LSQNET_PHASE_START && p.step < 200000);
  ck_assert_int_eq(p.phase, LSQNET_PHASE_MAIN);
  if (_i == 0) ck_assert(least == 4e-3 && p.loss < 1e-3 && p.step < 5000);
  if (_i == 1) ck_assert(least <= 4e-3 / 8 && p.loss < 0.02 && p.step < 20000);
  if (_i == 2) ck_assert(before_a_halving >= 20000);
  lsqnet_trainer_destroy(trainer);
  setting_close(&s);
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

static void count_lines(void *user, int32_t level, const char *text) {
  if (level == LSQNET_LOG_WARNING && strstr(text, "holds J of") != NULL) ++*(int *)user;
}

/* J'J twice, and J a few samples at a time: the same steps but for roundings, and the same end. The log is told. */
START_TEST(little_memory_is_enough_for_levenberg_marquardt) {
  setting whole = attention_open(1, 1, "levenberg_marquardt"), s = attention_open(1, 1, "levenberg_marquardt");
  const int64_t weights = lsqnet_model_weight_count(s.model);
  lsqnet_progress p, q;
  s.options.memory = 8 * (weights * weights + lsq_add_products_scratch(weights)) + 8 * weights * 100;
  int told = 0, told_of_whole = 0;
  s.context->options.log = whole.context->options.log = count_lines;
  s.context->options.log_user = &told;
  whole.context->options.log_user = &told_of_whole;
  lsqnet_trainer *trainer = start(&s), *other = start(&whole);
  ck_assert_int_ge(told, 1);
  ck_assert_int_eq(told_of_whole, 0);
  for (int i = 0; i < 5; i++) {
    take_step(trainer, &p);
    take_step(other, &q);
    ck_assert_msg(fabs(p.loss - q.loss) <= 1e-6 * q.loss, "%.17g, not %.17g in step %d", p.loss, q.loss, i);
  }
  ck_assert(p.loss != q.loss); /* that was another way */
  ok(lsqnet_trainer_run(trainer, NULL, NULL));
  ck_assert_int_eq(trainer->progress.ended, LSQNET_TRAIN_TARGET);
  lsqnet_trainer_destroy(other);
  lsqnet_trainer_destroy(trainer);
  setting_close(&whole);
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
  TCase *parts = tcase_create("parts"), *runs = tcase_create("runs"), *phases = tcase_create("phases");
  tcase_add_loop_test(parts, products_are_those_with_the_jacobian, 0, 2);
  tcase_add_test(parts, weights_that_cannot_change_a_residual_are_left_out);
  tcase_add_test(parts, block_jacobi_solves_with_the_diagonal_blocks);
  tcase_add_loop_test(runs, a_linear_attention_layer_learns_a_step_to_the_last_bit, 0, METHOD_COUNT * SEEDS);
  tcase_add_loop_test(runs, a_step_solves_its_equations_decay_included, 0, METHOD_COUNT);
  tcase_add_loop_test(runs, weight_decay_vanishes_with_the_loss, 0, METHOD_COUNT);
  tcase_add_loop_test(runs, the_bits_do_not_depend_on_the_number_of_threads, 0, METHOD_COUNT);
  tcase_add_loop_test(phases, a_start_of_given_length_comes_first, 0, METHOD_COUNT);
  tcase_add_loop_test(phases, a_start_has_no_weight_decay, 0, METHOD_COUNT);
  tcase_add_loop_test(phases, the_restart_that_is_best_on_fresh_data_goes_on, 0, METHOD_COUNT);
  tcase_add_loop_test(phases, where_gauss_newton_gets_nowhere_the_first_weights_start_with_adam, 0, METHOD_COUNT);
  tcase_add_loop_test(phases, a_start_ends_by_itself, 0, 3);
  tcase_add_test(runs, little_memory_is_enough_for_conjugate_gradients);
  tcase_add_test(runs, little_memory_is_enough_for_levenberg_marquardt);
  tcase_add_test(runs, conjugate_gradients_want_a_mixer_with_a_jvp);
  tcase_set_timeout(runs, 60);
  tcase_set_timeout(phases, 60);
  suite_add_tcase(suite, parts);
  suite_add_tcase(suite, runs);
  suite_add_tcase(suite, phases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
