#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"
#include "model_runner.h"
#include "tiny_mixer.h"

static lsqnet_context *context;
static counting_allocator allocator;
static tiny_faults faults;

static void register_tiny(lsqnet_context *in) {
  const lsqnet_mixer tiny = tiny_mixer_table("tiny", &faults);
  ck_assert_int_eq(lsqnet_context_register_mixer(in, &tiny), LSQNET_OK);
}

static void open_context(void) {
  memset(&allocator, 0, sizeof allocator);
  memset(&faults, 0, sizeof faults);
  ck_assert_int_eq(counting_context(&context, &allocator, 2), LSQNET_OK);
  register_tiny(context);
}

static void close_context(void) {
  lsqnet_context_destroy(context);
  ck_assert_int_eq(allocator.live, 0);
}

static lsqnet_model *new_model(lsqnet_context *in, const char *mixer, int32_t dtype) {
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  uint64_t random = 3;
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o), LSQNET_OK);
  o.dtype = dtype;
  o.rows = 6;
  o.in_width = 3;
  o.out_width = 2;
  o.width = 5;
  o.layers = 2;
  o.mlp = LSQNET_MLP_GLU;
  o.mixer_norm = o.mlp_norm = o.final_norm = 1;
  o.mixer = mixer;
  ck_assert_msg(lsqnet_model_create(&model, in, &o) == LSQNET_OK, "%s", lsqnet_last_message());
  randomise(model, 0.5, &random);
  return model;
}

#define RUN(call) ck_assert_msg((call) == LSQNET_OK, "%s", lsqnet_last_message())

static void assert_failed(lsqnet_status got, lsqnet_status expected, const char *text) {
  ck_assert_int_eq(got, expected);
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "\"%s\" is not in \"%s\"", text, lsqnet_last_message());
}

START_TEST(null_is_answered_not_followed) {
  lsqnet_model *model = new_model(context, "base_conv", LSQNET_F64);
  lsqnet_workspace *w = (lsqnet_workspace *)&w;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = 6, .count = 6};
  double x[18] = {0}, y[12];
  ck_assert_int_eq(lsqnet_workspace_create(NULL, model), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_workspace_create(&w, NULL), LSQNET_E_ARGUMENT);
  ck_assert_ptr_null(w);
  RUN(lsqnet_workspace_create(&w, model));
  assert_failed(lsqnet_model_forward_f64(NULL, w, &shape, x, y), LSQNET_E_ARGUMENT, "model is NULL");
  assert_failed(lsqnet_model_forward_f64(model, NULL, &shape, x, y), LSQNET_E_ARGUMENT, "workspace is NULL");
  assert_failed(lsqnet_model_forward_f64(model, w, NULL, x, y), LSQNET_E_ARGUMENT, "shape is NULL");
  assert_failed(lsqnet_model_forward_f64(model, w, &shape, NULL, y), LSQNET_E_ARGUMENT, "x is NULL");
  assert_failed(lsqnet_model_forward_f64(model, w, &shape, x, NULL), LSQNET_E_ARGUMENT, "y is NULL");
  RUN(lsqnet_model_forward_f64(model, w, &shape, x, y));
  assert_failed(lsqnet_model_backward_f64(NULL, w, y, NULL), LSQNET_E_ARGUMENT, "model is NULL");
  assert_failed(lsqnet_model_backward_f64(model, w, NULL, x), LSQNET_E_ARGUMENT, "dy is NULL");
  assert_failed(lsqnet_model_jvp_f64(model, w, x, NULL, NULL), LSQNET_E_ARGUMENT, "dy is NULL");
  ck_assert_ptr_null(lsqnet_workspace_gradient_f64(NULL));
  ck_assert_ptr_null(lsqnet_workspace_gradient_f32(NULL));
  ck_assert_int_eq(lsqnet_sgd_step(NULL, w, 1), LSQNET_E_ARGUMENT);
  ck_assert_int_eq(lsqnet_sgd_step(model, NULL, 1), LSQNET_E_ARGUMENT);
  lsqnet_workspace_destroy(NULL);
  lsqnet_workspace_destroy(w);
  lsqnet_model_destroy(model);
}
END_TEST

#define REFUSES(field, value, status, text)                                                     \
  do {                                                                                          \
    lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = 6, .first = 2, .count = 4}; \
    shape.field = value;                                                                        \
    assert_failed(lsqnet_model_forward_f64(model, w, &shape, x, y), status, text);              \
  } while (0)

START_TEST(each_bad_size_is_named_with_its_limit) {
  lsqnet_model *model = new_model(context, "base_conv", LSQNET_F64);
  lsqnet_workspace *w = NULL;
  double x[18] = {0}, y[12];
  RUN(lsqnet_workspace_create(&w, model));
  REFUSES(size, 8, LSQNET_E_VERSION, "size=8");
  REFUSES(reserved, 1, LSQNET_E_ARGUMENT, "reserved=1");
  REFUSES(batch, 0, LSQNET_E_SHAPE, "batch=0");
  REFUSES(batch, -1, LSQNET_E_SHAPE, "batch=-1");
  REFUSES(batch, INT64_MAX, LSQNET_E_SHAPE, "9223372036854775807 x 6 x 3");
  REFUSES(batch, INT64_MAX / 1000, LSQNET_E_SHAPE, "more than can be addressed");
  REFUSES(rows, 0, LSQNET_E_SHAPE, "rows=0");
  REFUSES(rows, 7, LSQNET_E_SHAPE, "rows=7: must be 1 to 6");
  REFUSES(first, -1, LSQNET_E_SHAPE, "first=-1");
  REFUSES(first, 6, LSQNET_E_SHAPE, "first=6: must be 0 to 5");
  REFUSES(count, 0, LSQNET_E_SHAPE, "count=0");
  REFUSES(count, 5, LSQNET_E_SHAPE, "count=5: must be 1 to 4");
  REFUSES(count, INT64_MAX, LSQNET_E_SHAPE, "count=");
  lsqnet_workspace_destroy(w);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(calls_that_do_not_belong_together_are_refused) {
  lsqnet_model *model = new_model(context, "base_conv", LSQNET_F64);
  lsqnet_model *twin = new_model(context, "base_conv", LSQNET_F64);
  lsqnet_model *narrow = new_model(context, "base_conv", LSQNET_F32);
  lsqnet_workspace *w = NULL, *narrow_w = NULL;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = 6, .count = 6};
  double x[18] = {0}, y[12];
  float xf[18] = {0}, yf[12];
  RUN(lsqnet_workspace_create(&w, model));
  RUN(lsqnet_workspace_create(&narrow_w, narrow));
  assert_failed(lsqnet_model_backward_f64(model, w, y, NULL), LSQNET_E_ARGUMENT, "no forward pass");
  assert_failed(lsqnet_model_jvp_f64(model, w, x, NULL, y), LSQNET_E_ARGUMENT, "no forward pass");
  assert_failed(lsqnet_sgd_step(model, w, 0.1), LSQNET_E_ARGUMENT, "no gradient");
  ck_assert_ptr_null(lsqnet_workspace_gradient_f64(w));
  assert_failed(lsqnet_model_forward_f64(twin, w, &shape, x, y), LSQNET_E_ARGUMENT, "another model");
  assert_failed(lsqnet_model_forward_f32(model, w, &shape, xf, yf), LSQNET_E_ARGUMENT, "model is float64");
  assert_failed(lsqnet_model_forward_f64(narrow, narrow_w, &shape, x, y), LSQNET_E_ARGUMENT, "model is float32");
  RUN(lsqnet_model_forward_f64(model, w, &shape, x, y));
  assert_failed(lsqnet_model_backward_f64(twin, w, y, NULL), LSQNET_E_ARGUMENT, "another model");
  assert_failed(lsqnet_model_backward_f32(model, w, yf, NULL), LSQNET_E_ARGUMENT, "model is float64");
  assert_failed(lsqnet_model_jvp_f32(model, w, xf, NULL, yf), LSQNET_E_ARGUMENT, "model is float64");
  RUN(lsqnet_model_backward_f64(model, w, y, NULL));
  ck_assert_ptr_nonnull(lsqnet_workspace_gradient_f64(w));
  ck_assert_ptr_null(lsqnet_workspace_gradient_f32(w));
  assert_failed(lsqnet_sgd_step(twin, w, 0.1), LSQNET_E_ARGUMENT, "no gradient of this model");
  assert_failed(lsqnet_sgd_step(model, w, NAN), LSQNET_E_ARGUMENT, "rate=nan");
  assert_failed(lsqnet_sgd_step(model, w, INFINITY), LSQNET_E_ARGUMENT, "rate=inf");
  lsqnet_workspace_destroy(w);
  lsqnet_workspace_destroy(narrow_w);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(twin);
  lsqnet_model_destroy(narrow);
}
END_TEST

/* Forward, backward and jvp on a fresh workspace of `model`, to compare with. */
typedef struct {
  double *y, *dx, *gradient, *moved;
} results;

static results run_all(const runner *r, const double *x) {
  results out = {room(r->out), room(r->in), room(r->weights), room(r->out)};
  RUN(run_forward(r, x, out.y));
  RUN(run_backward(r, out.y, out.dx, out.gradient));
  RUN(run_jvp(r, x, NULL, out.moved));
  return out;
}

static void free_results(results *s) {
  free(s->y);
  free(s->dx);
  free(s->gradient);
  free(s->moved);
}

static void assert_same(const runner *r, results a, results b) {
  ck_assert(memcmp(a.y, b.y, (size_t)r->out * sizeof *a.y) == 0);
  ck_assert(memcmp(a.dx, b.dx, (size_t)r->in * sizeof *a.y) == 0);
  ck_assert(memcmp(a.gradient, b.gradient, (size_t)r->weights * sizeof *a.y) == 0);
  ck_assert(memcmp(a.moved, b.moved, (size_t)r->out * sizeof *a.y) == 0);
  free_results(&a);
  free_results(&b);
}

static void close_both(runner *r) {
  close_runner(r);
  lsqnet_model_destroy(r->model);
}

START_TEST(a_mixer_s_failure_names_the_block_and_passes) {
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = open_runner(new_model(context, "tiny", dtype), 400, 6, 0, 6);
    uint64_t random = 7;
    double *x = random_numbers(r.in, &random), *y = room(r.out);
    const results first = run_all(&r, x);

    faults.forward = LSQNET_E_NOT_FINITE;
    assert_failed(run_forward(&r, x, y), LSQNET_E_NOT_FINITE, "blocks.0, mixer tiny");
    faults.forward = LSQNET_OK;
    assert_failed(run_backward(&r, y, NULL, NULL), LSQNET_E_ARGUMENT, "no forward pass");
    RUN(run_forward(&r, x, y));
    faults.backward = LSQNET_E_STOPPED;
    assert_failed(run_backward(&r, y, NULL, NULL), LSQNET_E_STOPPED, "blocks.1, mixer tiny");
    ck_assert(lsqnet_workspace_gradient_f64(r.workspace) == NULL && lsqnet_workspace_gradient_f32(r.workspace) == NULL);
    faults.backward = LSQNET_OK;
    assert_same(&r, first, run_all(&r, x));

    r.shape.rows = r.shape.count = 3; /* a shape that is not planned yet */
    faults.workspace = LSQNET_E_SHAPE;
    assert_failed(run_forward(&r, x, y), LSQNET_E_SHAPE, "blocks.0, mixer tiny");
    faults.workspace = LSQNET_OK;
    faults.cache = -7;
    assert_failed(run_forward(&r, x, y), LSQNET_E_ARGUMENT, "cache=-7");
    faults.cache = INT64_MAX;
    assert_failed(run_forward(&r, x, y), LSQNET_E_SHAPE, "more than can be addressed");
    faults.cache = 0;
    faults.scratch = INT64_MAX / 32;
    assert_failed(run_forward(&r, x, y), LSQNET_E_SHAPE, "more than can be addressed");
    faults.scratch = 0;
    RUN(run_forward(&r, x, y));
    free(x);
    free(y);
    close_both(&r);
  }
}
END_TEST

START_TEST(a_mixer_without_jvp_is_named) {
  lsqnet_mixer silent = tiny_mixer_table("silent", &faults);
  silent.jvp_f64 = NULL;
  RUN(lsqnet_context_register_mixer(context, &silent));
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = open_runner(new_model(context, "silent", dtype), 2, 6, 0, 6);
    uint64_t random = 9;
    double *x = random_numbers(r.in, &random), *y = room(r.out);
    RUN(run_forward(&r, x, y));
    assert_failed(run_jvp(&r, x, NULL, y), LSQNET_E_UNSUPPORTED, "mixer silent");
    RUN(run_backward(&r, y, NULL, NULL));
    free(x);
    free(y);
    close_both(&r);
  }
}
END_TEST

/* The tiny mixer in float32, for a table that has forward and backward in float32 but jvp only in float64. */
static lsqnet_status narrow_forward(const void *state, const lsqnet_mixer_shape *shape, const float *const *weights,
                                    const float *x, float *y, float *cache, float *scratch) {
  const tiny_state *s = (const tiny_state *)state;
  const int64_t D = s->sizes.width, T = shape->rows;
  (void)scratch;
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, y += shape->count * D, cache += D) {
    memset(cache, 0, (size_t)D * sizeof *cache);
    for (int64_t i = 0; i < T * D; i++) cache[i % D] += x[i] / (float)T;
    for (int64_t i = 0; i < shape->count * D; i++)
      y[i] = weights[0][i % D] * cache[i % D] * x[shape->first * D + i] + weights[1][i % D];
  }
  return LSQNET_OK;
}

static lsqnet_status narrow_backward(const void *state, const lsqnet_mixer_shape *shape, const float *const *weights,
                                     const float *x, const float *dy, float *dx, float *const *dweights,
                                     const float *cache, float *scratch) {
  (void)state, (void)shape, (void)weights, (void)x, (void)dy, (void)dx, (void)dweights, (void)cache, (void)scratch;
  return LSQNET_E_INTERNAL;
}

START_TEST(a_jvp_in_float64_alone_serves_float32) {
  lsqnet_mixer mixed = tiny_mixer_table("mixed", &faults);
  mixed.forward_f32 = narrow_forward;
  mixed.backward_f32 = narrow_backward;
  RUN(lsqnet_context_register_mixer(context, &mixed));
  runner r = open_runner(new_model(context, "mixed", LSQNET_F32), 3, 6, 1, 2);
  runner plain = open_runner(new_model(context, "tiny", LSQNET_F32), 3, 6, 1, 2);
  uint64_t random = 13;
  double *x = random_numbers(r.in, &random), *dw = random_numbers(r.weights, &random), *y = room(r.out);
  double *moved = room(r.out), *expected = room(r.out);
  RUN(run_forward(&r, x, y));
  RUN(run_jvp(&r, x, dw, moved));
  RUN(run_forward(&plain, x, y));
  RUN(run_jvp(&plain, x, dw, expected));
  /* both round each layer's numbers; a hundred roundings lie between input and output */
  ck_assert(largest_difference(r.out, moved, expected) <= 100 * FLT_EPSILON * largest(r.out, expected));
  free(x);
  free(dw);
  free(y);
  free(moved);
  free(expected);
  close_both(&r);
  close_both(&plain);
}
END_TEST

START_TEST(later_calls_allocate_nothing) {
  static const char *const mixers[] = {"base_conv", "attention", "identity", "tiny"};
  static const lsqnet_batch shapes[] = {{sizeof(lsqnet_batch), 0, 400, 6, 0, 6},
                                        {sizeof(lsqnet_batch), 0, 3, 4, 3, 1},
                                        {sizeof(lsqnet_batch), 0, 401, 5, 0, 5}};
  for (int k = 0; k < 8; k++) {
    runner r = open_runner(new_model(context, mixers[k / 2], k % 2 == 0 ? LSQNET_F64 : LSQNET_F32), 401, 6, 0, 6);
    uint64_t random = 19;
    double *x = random_numbers(r.in, &random), *y = room(r.out), *dx = room(r.in);
    long long calls = 0;
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < 3; i++) {
        r.shape = shapes[i];
        RUN(run_forward(&r, x, y));
        RUN(run_backward(&r, y, dx, NULL));
        RUN(run_jvp(&r, x, NULL, y));
      }
      if (round > 0) ck_assert_int_eq(allocator.calls, calls);
      calls = allocator.calls;
    }
    free(x);
    free(y);
    free(dx);
    close_both(&r);
  }
}
END_TEST

START_TEST(passes_survive_every_failed_allocation) {
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = open_runner(new_model(context, "attention", dtype), 400, 6, 0, 6);
    uint64_t random = 11;
    double *x = random_numbers(r.in, &random), *y = room(r.out);
    long long n = 0;
    for (;;) {
      close_runner(&r);
      allocator.refuse = 0;
      runner fresh = open_runner(r.model, 400, 6, 0, 6);
      allocator.refuse = allocator.calls + ++n;
      lsqnet_status status = run_forward(&fresh, x, y);
      if (status == LSQNET_OK) status = run_backward(&fresh, y, NULL, NULL);
      if (status != LSQNET_OK) ck_assert_int_eq(status, LSQNET_E_MEMORY);
      if (status != LSQNET_OK) { /* it is of use all the same */
        RUN(run_forward(&fresh, x, y));
        RUN(run_backward(&fresh, y, NULL, NULL));
      }
      r = fresh;
      if (status == LSQNET_OK) break;
    }
    ck_assert_int_ge(n, 4);
    allocator.refuse = 0;
    free(x);
    free(y);
    close_both(&r);
  }
}
END_TEST

START_TEST(a_workspace_and_a_trainer_hold_their_model) {
  lsqnet_task_options o;
  lsqnet_task *task = NULL;
  lsqnet_trainer *trainer = NULL;
  lsqnet_workspace *w = NULL;
  lsqnet_construct_options c;
  lsqnet_train_options train;
  lsqnet_model *model = NULL;
  RUN(lsqnet_task_options_init(&o, sizeof o));
  o.prompt = "split";
  RUN(lsqnet_task_create(&task, context, &o));
  RUN(lsqnet_construct_options_init(&c, sizeof c));
  c.rows = o.rows;
  c.dim = o.dim;
  RUN(lsqnet_model_construct_gradient(&model, context, &c));
  RUN(lsqnet_workspace_create(&w, model));
  RUN(lsqnet_train_options_init(&train, sizeof train));
  RUN(lsqnet_trainer_create(&trainer, model, task, &train));
  const long long live = allocator.live;
  lsqnet_model_destroy(model);
  lsqnet_task_destroy(task);
  ck_assert_int_eq(allocator.live, live);
  RUN(lsqnet_trainer_step(trainer, NULL));
  lsqnet_trainer_destroy(trainer);
  lsqnet_workspace_destroy(w); /* close_context finds what this leaves */
}
END_TEST

START_TEST(a_workspace_is_created_or_not) {
  lsqnet_model *model = new_model(context, "base_conv", LSQNET_F64);
  const long long live = allocator.live;
  for (long long n = 1;; n++) {
    lsqnet_workspace *w = NULL;
    allocator.refuse = allocator.calls + n;
    const lsqnet_status status = lsqnet_workspace_create(&w, model);
    lsqnet_workspace_destroy(w);
    ck_assert_int_eq(allocator.live, live);
    if (status == LSQNET_OK) break;
    ck_assert_int_eq(status, LSQNET_E_MEMORY);
    ck_assert_ptr_null(w);
  }
  allocator.refuse = 0;
  lsqnet_model_destroy(model);
}
END_TEST

/* Mean squared error of the outputs, and half its gradient times their number. */
static double squared_error(const runner *r, const double *x, const double *target, double *y, double *dy) {
  double sum = 0;
  RUN(run_forward(r, x, y));
  for (int64_t i = 0; i < r->out; i++) {
    dy[i] = (y[i] - target[i]) / (double)r->out;
    sum += (y[i] - target[i]) * (y[i] - target[i]) / (double)r->out;
  }
  return sum;
}

START_TEST(steps_reduce_the_loss_and_spare_frozen_weights) {
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = open_runner(new_model(context, "tiny", dtype), 50, 6, 5, 1);
    const int64_t frozen = lsqnet_model_find_parameter(r.model, "blocks.0.mixer.gain");
    uint64_t random = 21;
    double *x = random_numbers(r.in, &random), *target = random_numbers(r.out, &random), *y = room(r.out);
    double *dy = room(r.out), before[5], after[5];
    RUN(lsqnet_model_freeze(r.model, frozen, 1));
    RUN(lsqnet_model_read_parameter(r.model, frozen, before, 5));
    const double start = squared_error(&r, x, target, y, dy);
    for (int step = 0; step < 60; step++) {
      RUN(run_backward(&r, dy, NULL, NULL));
      RUN(lsqnet_sgd_step(r.model, r.workspace, 0.05));
      (void)squared_error(&r, x, target, y, dy);
    }
    RUN(lsqnet_model_read_parameter(r.model, frozen, after, 5));
    ck_assert(memcmp(before, after, sizeof before) == 0);
    ck_assert(squared_error(&r, x, target, y, dy) < 0.7 * start);
    free(x);
    free(target);
    free(y);
    free(dy);
    close_both(&r);
  }
}
END_TEST

START_TEST(a_step_is_rate_times_gradient) {
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = open_runner(new_model(context, "base_conv", dtype), 2, 6, 0, 6);
    const int64_t index = lsqnet_model_find_parameter(r.model, "read_out.weight");
    lsqnet_parameter p;
    uint64_t random = 25;
    double *x = random_numbers(r.in, &random), *y = room(r.out), *gradient = room(r.weights), before[10], after[10];
    RUN(lsqnet_model_get_parameter(r.model, index, &p, sizeof p));
    RUN(lsqnet_model_read_parameter(r.model, index, before, 10));
    RUN(run_forward(&r, x, y));
    RUN(run_backward(&r, y, NULL, gradient));
    RUN(lsqnet_sgd_step(r.model, r.workspace, 0.125));
    RUN(lsqnet_model_read_parameter(r.model, index, after, 10));
    for (int i = 0; i < 10; i++) {
      const double stepped = before[i] - 0.125 * gradient[p.offset + i];
      ck_assert(after[i] == (dtype == LSQNET_F64 ? stepped : (double)(float)stepped));
      ck_assert(after[i] != before[i]);
    }
    free(x);
    free(y);
    free(gradient);
    close_both(&r);
  }
}
END_TEST

START_TEST(what_is_frozen_after_backward_is_spared) {
  runner r = open_runner(new_model(context, "base_conv", LSQNET_F64), 2, 6, 0, 6);
  uint64_t random = 33;
  double *x = random_numbers(r.in, &random), *y = room(r.out), before[10], after[10];
  const int64_t spared = lsqnet_model_find_parameter(r.model, "read_out.weight");
  for (int bad = 0; bad < 2; bad++) {
    RUN(run_forward(&r, x, y));
    if (bad) y[0] = NAN;
    RUN(run_backward(&r, y, NULL, NULL));
    for (int64_t i = 0; i < lsqnet_model_parameter_count(r.model); i++)
      if (bad || i == spared) RUN(lsqnet_model_freeze(r.model, i, 1));
    RUN(lsqnet_model_read_parameter(r.model, spared, before, 10));
    RUN(lsqnet_sgd_step(r.model, r.workspace, 0.1));
    RUN(lsqnet_model_read_parameter(r.model, spared, after, 10));
    ck_assert(memcmp(before, after, sizeof before) == 0);
  }
  free(x);
  free(y);
  close_both(&r);
}
END_TEST

START_TEST(a_step_to_no_number_changes_nothing) {
  runner r = open_runner(new_model(context, "base_conv", LSQNET_F64), 2, 6, 0, 6);
  lsqnet_model *before = NULL;
  uint64_t random = 27;
  double *x = random_numbers(r.in, &random), *y = room(r.out);
  RUN(lsqnet_model_clone(&before, r.model));
  RUN(run_forward(&r, x, y));
  y[r.out - 1] = NAN;
  RUN(run_backward(&r, y, NULL, NULL));
  assert_failed(lsqnet_sgd_step(r.model, r.workspace, 0.1), LSQNET_E_NOT_FINITE, "read_in.weight: element 0");
  for (int64_t i = 0; i < lsqnet_model_parameter_count(before); i++) {
    lsqnet_parameter p;
    RUN(lsqnet_model_get_parameter(before, i, &p, sizeof p));
    double *was = room(p.count), *is = room(p.count);
    RUN(lsqnet_model_read_parameter(before, i, was, p.count));
    RUN(lsqnet_model_read_parameter(r.model, i, is, p.count));
    ck_assert(memcmp(was, is, (size_t)p.count * sizeof *is) == 0);
    free(was);
    free(is);
  }
  free(x);
  free(y);
  lsqnet_model_destroy(before);
  close_both(&r);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("workspace");
  TCase *tests = tcase_create("workspace");
  tcase_add_checked_fixture(tests, open_context, close_context);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, null_is_answered_not_followed);
  tcase_add_test(tests, each_bad_size_is_named_with_its_limit);
  tcase_add_test(tests, calls_that_do_not_belong_together_are_refused);
  tcase_add_test(tests, a_mixer_s_failure_names_the_block_and_passes);
  tcase_add_test(tests, a_mixer_without_jvp_is_named);
  tcase_add_test(tests, a_jvp_in_float64_alone_serves_float32);
  tcase_add_test(tests, later_calls_allocate_nothing);
  tcase_add_test(tests, passes_survive_every_failed_allocation);
  tcase_add_test(tests, a_workspace_and_a_trainer_hold_their_model);
  tcase_add_test(tests, a_workspace_is_created_or_not);
  tcase_add_test(tests, steps_reduce_the_loss_and_spare_frozen_weights);
  tcase_add_test(tests, a_step_is_rate_times_gradient);
  tcase_add_test(tests, what_is_frozen_after_backward_is_spared);
  tcase_add_test(tests, a_step_to_no_number_changes_nothing);
  suite_add_tcase(suite, tests);
  SRunner *runner_of_tests = srunner_create(suite);
  srunner_run_all(runner_of_tests, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner_of_tests);
  srunner_free(runner_of_tests);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
