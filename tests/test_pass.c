#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_runner.h"
#include "tiny_mixer.h"

/* Models of every kind, and what is run through them: 3 sequences of T rows, of whose output the rows first ..
 * first+count-1 are wanted. */
typedef struct {
  const char *mixer, *config;
  int64_t layers, T, first, count;
  int32_t mlp, mixer_norm, mlp_norm, final_norm, no_residual, no_bias, frozen_ends;
} model_case;

enum { B = 3, ROWS = 7, IN = 3, OUT = 2, WIDTH = 4, FACTOR = 2 };

static const model_case cases[] = {
    {"base_conv", NULL, .layers = 2, .T = 7, .count = 7},
    {"base_conv", "{\"filter\":\"long\",\"causal\":false}", .layers = 2, .T = 7, .count = 7, .no_residual = 1},
    {"base_conv", "{\"filter\":\"implicit\"}", .layers = 2, .T = 5, .first = 1, .count = 3, .final_norm = 1},
    {"base_conv", NULL, .layers = 3, .T = 7, .first = 6, .count = 1, .mlp = LSQNET_MLP_GELU, .mlp_norm = 1},
    {"attention", "{\"heads\":2}", .layers = 2, .T = 7, .count = 7, .mlp = LSQNET_MLP_RELU, .mixer_norm = 1,
     .mlp_norm = 1, .final_norm = 1},
    {"attention", "{\"softmax\":false,\"causal\":false}", .layers = 2, .T = 7, .first = 6, .count = 1},
    {"attention", "{\"softmax\":false}", .layers = 1, .T = 6, .first = 2, .count = 3, .mlp = LSQNET_MLP_GELU,
     .mlp_norm = 1, .no_bias = 1},
    {"attention", "{\"heads\":4,\"causal\":false}", .layers = 2, .T = 4, .count = 4, .mlp = LSQNET_MLP_GLU,
     .mixer_norm = 1, .mlp_norm = 1, .final_norm = 1, .no_bias = 1},
    {"identity", NULL, .layers = 2, .T = 7, .first = 3, .count = 2, .mlp = LSQNET_MLP_GLU, .no_residual = 1},
    {"tiny", NULL, .layers = 2, .T = 7, .count = 7, .mlp = LSQNET_MLP_RELU},
    {"tiny", NULL, .layers = 2, .T = 7, .first = 6, .count = 1, .mixer_norm = 1, .no_residual = 1},
    {"base_conv", NULL, .layers = 2, .T = 7, .count = 7, .mlp = LSQNET_MLP_GLU, .frozen_ends = 1},
    {"base_conv", NULL, .layers = 0, .T = 7, .count = 7},
    {"base_conv", NULL, .layers = 0, .T = 5, .first = 2, .count = 2, .final_norm = 1},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static lsqnet_context *context;
static tiny_faults faults;

static void register_tiny(lsqnet_context *in) {
  const lsqnet_mixer tiny = tiny_mixer_table("tiny", &faults);
  ck_assert_int_eq(lsqnet_context_register_mixer(in, &tiny), LSQNET_OK);
}

static void open_context(void) {
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  register_tiny(context);
}

static void close_context(void) { lsqnet_context_destroy(context); }

/* The model of a case with random weights of usual size, so that every part of it matters. */
static lsqnet_model *case_model(lsqnet_context *in, const model_case *c, int32_t dtype) {
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  uint64_t random = 17;
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o), LSQNET_OK);
  o.dtype = dtype;
  o.rows = ROWS;
  o.in_width = IN;
  o.out_width = OUT;
  o.width = WIDTH;
  o.layers = c->layers;
  o.mlp_factor = FACTOR;
  o.mlp = c->mlp;
  o.residual = !c->no_residual;
  o.bias = !c->no_bias;
  o.mixer_norm = c->mixer_norm;
  o.mlp_norm = c->mlp_norm;
  o.final_norm = c->final_norm;
  o.freeze_projections = o.freeze_positions = c->frozen_ends;
  o.mixer = c->mixer;
  o.mixer_config = c->config;
  ck_assert_msg(lsqnet_model_create(&model, in, &o) == LSQNET_OK, "%s", lsqnet_last_message());
  randomise(model, 0.75, &random);
  return model;
}

static runner case_runner(const model_case *c, int32_t dtype) {
  return open_runner(case_model(context, c, dtype), B, c->T, c->first, c->count);
}

static void close_case(runner *r) {
  close_runner(r);
  lsqnet_model_destroy(r->model);
}

#define RUN(call) ck_assert_msg((call) == LSQNET_OK, "%s", lsqnet_last_message())

/* sum dy . y at x and the weights as they are */
static double loss(const runner *r, const double *x, const double *dy, double *magnitude) {
  double *y = room(r->out);
  RUN(run_forward(r, x, y));
  const double sum = inner(r->out, dy, y, magnitude);
  free(y);
  return sum;
}

/* A line through the inputs or through one parameter, on which the loss is differentiated. */
typedef struct {
  const runner *r;
  const double *dy;
  double *x;         /* the inputs */
  int64_t parameter; /* -1: the inputs move */
  double *start;     /* of what moves */
  double *direction;
  int64_t count;
} line;

static double loss_along(const line *l, double s, double *magnitude) {
  double *moved = room(l->count);
  for (int64_t i = 0; i < l->count; i++) moved[i] = l->start[i] + s * l->direction[i];
  if (l->parameter >= 0) RUN(lsqnet_model_write_parameter(l->r->model, l->parameter, moved, l->count));
  const double value = loss(l->r, l->parameter >= 0 ? l->x : moved, l->dy, magnitude);
  if (l->parameter >= 0) RUN(lsqnet_model_write_parameter(l->r->model, l->parameter, l->start, l->count));
  free(moved);
  return value;
}

/* The five-point stencil errs by h^4 of a fifth derivative and by roundings over h; a hundred of each are allowed. ReLU
 * has kinks, so its steps are short. */
static void assert_slope(const line *l, int number, double slope, double magnitude, double h) {
  const double f1 = loss_along(l, h, &magnitude), f2 = loss_along(l, -h, &magnitude);
  const double f3 = loss_along(l, 2 * h, &magnitude), f4 = loss_along(l, -2 * h, &magnitude);
  const double measured = (8 * (f1 - f2) - (f3 - f4)) / (12 * h);
  const double tolerance = 100 * (h * h * h * h + DBL_EPSILON / h) * magnitude;
  ck_assert_msg(fabs(measured - slope) <= tolerance, "case %d, parameter %d: %.12g, but differences say %.12g", number,
                (int)l->parameter, slope, measured);
}

START_TEST(gradients_agree_with_finite_differences) {
  const model_case *c = &cases[_i];
  const double h = c->mlp == LSQNET_MLP_RELU ? 1e-6 : 1e-4;
  runner r = case_runner(c, LSQNET_F64);
  uint64_t random = 5;
  double *x = random_numbers(r.in, &random), *dy = random_numbers(r.out, &random);
  double *dx = room(r.in), *gradient = room(r.weights), *direction = random_numbers(r.in, &random), magnitude = 0;
  (void)loss(&r, x, dy, &magnitude);
  RUN(run_backward(&r, dy, dx, gradient));
  const line inputs = {&r, dy, x, -1, x, direction, r.in};
  assert_slope(&inputs, _i, inner(r.in, dx, direction, &magnitude), magnitude, h);
  for (int64_t k = 0; k < lsqnet_model_parameter_count(r.model); k++) {
    lsqnet_parameter p;
    RUN(lsqnet_model_get_parameter(r.model, k, &p, sizeof p));
    if (p.frozen) {
      ck_assert(largest(p.count, gradient + p.offset) == 0);
      continue;
    }
    double *start = room(p.count), *along = random_numbers(p.count, &random);
    RUN(lsqnet_model_read_parameter(r.model, k, start, p.count));
    const line weights = {&r, dy, x, k, start, along, p.count};
    magnitude = 0;
    (void)loss(&r, x, dy, &magnitude);
    assert_slope(&weights, _i, inner(p.count, gradient + p.offset, along, &magnitude), magnitude, h);
    free(start);
    free(along);
  }
  free(x);
  free(dy);
  free(dx);
  free(gradient);
  free(direction);
  close_case(&r);
}
END_TEST

static void thaw_all(lsqnet_model *model) {
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) RUN(lsqnet_model_freeze(model, i, 0));
}

/* Roundings between an input and an output: sums over channels, hidden channels and rows in each layer. */
static double roundings(const model_case *c) {
  return (double)((c->layers + 2) * (4 * WIDTH + 4 * FACTOR * WIDTH + 2 * ROWS));
}

/* <dy, J (dx, dw)> = <J' dy, (dx, dw)>, also when only one of dx and dw moves. */
static void assert_transposed(const runner *r, const model_case *c, int number, const double *dx, const double *dw) {
  const double epsilon = r->dtype == LSQNET_F64 ? DBL_EPSILON : FLT_EPSILON;
  uint64_t random = 23;
  double *dy = random_numbers(r->out, &random), *moved = room(r->out), *back = room(r->in),
         *gradient = room(r->weights);
  double magnitude = 0, right = 0;
  RUN(run_jvp(r, dx, dw, moved));
  RUN(run_backward(r, dy, back, gradient));
  const double left = inner(r->out, dy, moved, &magnitude);
  if (dx != NULL) right += inner(r->in, back, dx, &magnitude);
  if (dw != NULL) right += inner(r->weights, gradient, dw, &magnitude);
  ck_assert_msg(fabs(left - right) <= roundings(c) * epsilon * magnitude, "case %d: %.17g and %.17g", number, left,
                right);
  free(dy);
  free(moved);
  free(back);
  free(gradient);
}

START_TEST(jvp_and_backward_are_transposes) {
  const model_case *c = &cases[_i];
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = case_runner(c, dtype);
    uint64_t random = 29;
    double *x = random_numbers(r.in, &random), *dx = random_numbers(r.in, &random);
    double *dw = random_numbers(r.weights, &random), *y = room(r.out);
    thaw_all(r.model);
    RUN(run_forward(&r, x, y));
    assert_transposed(&r, c, _i, dx, dw);
    assert_transposed(&r, c, _i, dx, NULL);
    assert_transposed(&r, c, _i, NULL, dw);
    RUN(run_jvp(&r, NULL, NULL, y));
    ck_assert(largest(r.out, y) == 0);
    free(x);
    free(dx);
    free(dw);
    free(y);
    close_case(&r);
  }
}
END_TEST

START_TEST(float32_is_float64_rounded) {
  const model_case *c = &cases[_i];
  lsqnet_model *narrow = case_model(context, c, LSQNET_F32), *wide = NULL;
  RUN(lsqnet_model_convert(&wide, narrow, LSQNET_F64));
  runner r[2] = {open_runner(narrow, B, c->T, c->first, c->count), open_runner(wide, B, c->T, c->first, c->count)};
  uint64_t random = 31;
  double *x = random_numbers(r[0].in, &random), *dy = random_numbers(r[0].out, &random);
  double *dw = random_numbers(r[0].weights, &random), *y[2], *dx[2], *gradient[2], *moved[2];
  for (int k = 0; k < 2; k++) {
    y[k] = room(r[k].out);
    dx[k] = room(r[k].in);
    gradient[k] = room(r[k].weights);
    moved[k] = room(r[k].out);
    RUN(run_forward(&r[k], x, y[k]));
    RUN(run_backward(&r[k], dy, dx[k], gradient[k]));
    RUN(run_jvp(&r[k], x, dw, moved[k]));
  }
  const double tolerance = roundings(c) * FLT_EPSILON;
  ck_assert(largest_difference(r->out, y[0], y[1]) <= tolerance * largest(r->out, y[1]));
  ck_assert(largest_difference(r->in, dx[0], dx[1]) <= tolerance * largest(r->in, dx[1]));
  ck_assert(largest_difference(r->weights, gradient[0], gradient[1]) <= tolerance * largest(r->weights, gradient[1]));
  ck_assert(largest_difference(r->out, moved[0], moved[1]) <= tolerance * largest(r->out, moved[1]));
  ck_assert(largest(r->out, y[1]) > 0 && largest(r->weights, gradient[1]) > 0 && largest(r->out, moved[1]) > 0);
  for (int k = 0; k < 2; k++) {
    free(y[k]);
    free(dx[k]);
    free(gradient[k]);
    free(moved[k]);
    close_case(&r[k]);
  }
  free(x);
  free(dy);
  free(dw);
}
END_TEST

START_TEST(a_sequence_has_the_same_bits_alone) {
  const model_case *c = &cases[_i];
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    runner r = case_runner(c, dtype), alone = open_runner(r.model, 1, c->T, c->first, c->count);
    uint64_t random = 37;
    double *x = random_numbers(r.in, &random), *y = room(r.out), *one = room(alone.out);
    RUN(run_forward(&r, x, y));
    for (int i = 0; i < B; i++) {
      RUN(run_forward(&alone, x + i * alone.in, one));
      ck_assert(memcmp(one, y + i * alone.out, (size_t)alone.out * sizeof *y) == 0);
    }
    free(x);
    free(y);
    free(one);
    close_runner(&alone);
    close_case(&r);
  }
}
END_TEST

/* Puts the wanted rows of a case where they belong among all rows. */
static void spread(const model_case *c, const double *wanted, double *all) {
  for (int64_t b = 0; b < B; b++)
    memcpy(all + (b * c->T + c->first) * OUT, wanted + b * c->count * OUT, (size_t)(c->count * OUT) * sizeof *all);
}

START_TEST(wanted_rows_are_those_of_the_full_pass) {
  const model_case *c = &cases[_i];
  runner r = case_runner(c, LSQNET_F64), full = open_runner(r.model, B, c->T, 0, c->T);
  uint64_t random = 41;
  double *x = random_numbers(r.in, &random), *dy = random_numbers(r.out, &random),
         *dw = random_numbers(r.weights, &random);
  double *wanted = room(r.out), *all = room(full.out), *expected = room(full.out), *all_dy = room(full.out);
  double *dx[2] = {room(r.in), room(r.in)}, *gradient[2] = {room(r.weights), room(r.weights)};
  const double tolerance = roundings(c) * DBL_EPSILON;

  RUN(run_forward(&r, x, wanted));
  RUN(run_forward(&full, x, all));
  memcpy(expected, all, (size_t)full.out * sizeof *all);
  spread(c, wanted, expected);
  ck_assert(largest_difference(full.out, all, expected) <= tolerance * largest(full.out, all));

  spread(c, dy, all_dy);
  RUN(run_backward(&r, dy, dx[0], gradient[0]));
  RUN(run_backward(&full, all_dy, dx[1], gradient[1]));
  ck_assert(largest_difference(r.in, dx[0], dx[1]) <= tolerance * largest(r.in, dx[1]));
  ck_assert(largest_difference(r.weights, gradient[0], gradient[1]) <= tolerance * largest(r.weights, gradient[1]));

  RUN(run_jvp(&r, x, dw, wanted));
  RUN(run_jvp(&full, x, dw, all));
  memcpy(expected, all, (size_t)full.out * sizeof *all);
  spread(c, wanted, expected);
  ck_assert(largest_difference(full.out, all, expected) <= tolerance * largest(full.out, all));
  for (int k = 0; k < 2; k++) {
    free(dx[k]);
    free(gradient[k]);
  }
  free(x);
  free(dy);
  free(dw);
  free(wanted);
  free(all);
  free(expected);
  free(all_dy);
  close_runner(&full);
  close_case(&r);
}
END_TEST

/* What a pass leaves: outputs, their tangents, gradients of inputs and weights. */
typedef struct {
  double *y, *moved, *dx, *gradient;
} results;

static results run_all(const runner *r, const double *x, const double *dy, const double *dw) {
  results out = {room(r->out), room(r->out), room(r->in), room(r->weights)};
  RUN(run_forward(r, x, out.y));
  RUN(run_jvp(r, x, dw, out.moved));
  RUN(run_backward(r, dy, out.dx, out.gradient));
  return out;
}

static void free_results(results *s) {
  free(s->y);
  free(s->moved);
  free(s->dx);
  free(s->gradient);
}

static void assert_same_bits(const runner *r, const results *a, const results *b) {
  ck_assert(memcmp(a->y, b->y, (size_t)r->out * sizeof *a->y) == 0);
  ck_assert(memcmp(a->moved, b->moved, (size_t)r->out * sizeof *a->y) == 0);
  ck_assert(memcmp(a->dx, b->dx, (size_t)r->in * sizeof *a->y) == 0);
  ck_assert(memcmp(a->gradient, b->gradient, (size_t)r->weights * sizeof *a->y) == 0);
}

/* More chunks than groups of gradients, the last one smaller. */
START_TEST(threads_do_not_change_a_bit) {
  const int64_t batch = 1700;
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    results first = {0};
    for (int32_t threads = 1; threads <= 3; threads++) {
      lsqnet_context *threaded = NULL;
      lsqnet_context_options o;
      RUN(lsqnet_context_options_init(&o, sizeof o));
      o.threads = threads;
      RUN(lsqnet_context_create(&threaded, &o));
      register_tiny(threaded);
      const model_case *c = &cases[_i];
      runner r = open_runner(case_model(threaded, c, dtype), batch, c->T, c->first, c->count);
      uint64_t random = 43;
      double *x = random_numbers(r.in, &random), *dy = random_numbers(r.out, &random);
      double *dw = random_numbers(r.weights, &random);
      results got = run_all(&r, x, dy, dw);
      if (threads == 1) {
        first = got;
      } else {
        assert_same_bits(&r, &first, &got);
        free_results(&got);
      }
      free(x);
      free(dy);
      free(dw);
      close_case(&r);
      lsqnet_context_destroy(threaded);
    }
    free_results(&first);
  }
}
END_TEST

/* The gradient of a batch is the sum over its sequences, however it is cut into chunks and groups. */
START_TEST(the_gradient_is_a_sum_over_sequences) {
  const int64_t batch = 1700;
  const model_case *c = &cases[_i];
  for (int32_t dtype = LSQNET_F32; dtype <= LSQNET_F64; dtype++) {
    const double epsilon = dtype == LSQNET_F64 ? DBL_EPSILON : FLT_EPSILON;
    runner r = open_runner(case_model(context, c, dtype), batch, c->T, c->first, c->count);
    runner one = open_runner(r.model, 1, c->T, c->first, c->count);
    uint64_t random = 47;
    double *x = random_numbers(r.in, &random), *dy = random_numbers(r.out, &random), *y = room(r.out);
    double *gradient = room(r.weights), *part = room(r.weights), *sum = room(r.weights), *magnitude = room(r.weights);
    RUN(run_forward(&r, x, y));
    RUN(run_backward(&r, dy, NULL, gradient));
    for (int64_t i = 0; i < batch; i++) {
      RUN(run_forward(&one, x + i * one.in, y));
      RUN(run_backward(&one, dy + i * one.out, NULL, part));
      for (int64_t k = 0; k < r.weights; k++) {
        sum[k] += part[k];
        magnitude[k] += fabs(part[k]);
      }
    }
    const double tolerance = ((double)batch + roundings(c)) * epsilon * largest(r.weights, magnitude);
    ck_assert(largest_difference(r.weights, sum, gradient) <= tolerance);
    free(x);
    free(dy);
    free(y);
    free(gradient);
    free(part);
    free(sum);
    free(magnitude);
    close_runner(&one);
    close_case(&r);
  }
}
END_TEST

START_TEST(one_workspace_serves_one_shape_after_another) {
  const model_case *c = &cases[_i];
  runner r = open_runner(case_model(context, c, LSQNET_F64), B, c->T, 0, 1);
  uint64_t random = 61;
  double *x = random_numbers(r.in, &random), *y = room(r.out), *expected = room(r.out);
  for (r.shape.first = 0; r.shape.first < c->T; r.shape.first++) {
    runner fresh = open_runner(r.model, B, c->T, r.shape.first, 1);
    RUN(run_forward(&r, x, y));
    RUN(run_forward(&fresh, x, expected));
    ck_assert(memcmp(y, expected, (size_t)r.out * sizeof *y) == 0);
    close_runner(&fresh);
  }
  free(x);
  free(y);
  free(expected);
  close_case(&r);
}
END_TEST

START_TEST(sequences_longer_than_a_chunk_are_one) {
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  uint64_t random = 53;
  RUN(lsqnet_model_options_init(&o, sizeof o));
  o.rows = 1201;
  o.in_width = o.out_width = 2;
  o.width = 3;
  o.layers = 2;
  o.mixer = "tiny";
  RUN(lsqnet_model_create(&model, context, &o));
  randomise(model, 1, &random);
  runner r = open_runner(model, 3, 1201, 0, 1201), one = open_runner(model, 1, 1201, 0, 1201);
  double *x = random_numbers(r.in, &random), *y = room(r.out), *alone = room(one.out);
  RUN(run_forward(&r, x, y));
  for (int i = 0; i < 3; i++) {
    RUN(run_forward(&one, x + i * one.in, alone));
    ck_assert(memcmp(alone, y + i * one.out, (size_t)one.out * sizeof *y) == 0);
  }
  free(x);
  free(y);
  free(alone);
  close_runner(&one);
  close_case(&r);
}
END_TEST

/* Sequence 1 gets a NaN or an infinity in its first wanted row: that row comes out not finite, sequences 0 and 2 as
 * they were. */
START_TEST(nan_and_infinity_travel) {
  const model_case *c = &cases[_i];
  const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int k = 0; k < 6; k++) {
    runner r = case_runner(c, k < 3 ? LSQNET_F64 : LSQNET_F32);
    const int64_t in = r.in / B, out = r.out / B;
    uint64_t random = 59;
    double *x = random_numbers(r.in, &random), *dy = random_numbers(r.out, &random), *before = room(r.out),
           *after = room(r.out), *gradient = room(r.weights);
    RUN(run_forward(&r, x, before));
    x[in + c->first * IN] = bad[k % 3];
    RUN(run_forward(&r, x, after));
    ck_assert(memcmp(before, after, (size_t)out * sizeof *after) == 0);
    ck_assert(memcmp(before + 2 * out, after + 2 * out, (size_t)out * sizeof *after) == 0);
    for (int i = 0; i < OUT; i++) ck_assert(!isfinite(after[out + i]));
    RUN(run_backward(&r, dy, NULL, gradient));
    ck_assert(!isfinite(largest(r.weights, gradient)));
    free(x);
    free(dy);
    free(before);
    free(after);
    free(gradient);
    close_case(&r);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("pass");
  TCase *tests = tcase_create("pass");
  tcase_add_checked_fixture(tests, open_context, close_context);
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, gradients_agree_with_finite_differences, 0, CASES);
  tcase_add_loop_test(tests, jvp_and_backward_are_transposes, 0, CASES);
  tcase_add_loop_test(tests, float32_is_float64_rounded, 0, CASES);
  tcase_add_loop_test(tests, a_sequence_has_the_same_bits_alone, 0, CASES);
  tcase_add_loop_test(tests, wanted_rows_are_those_of_the_full_pass, 0, CASES);
  tcase_add_loop_test(tests, threads_do_not_change_a_bit, 0, CASES);
  tcase_add_loop_test(tests, the_gradient_is_a_sum_over_sequences, 0, CASES);
  tcase_add_loop_test(tests, one_workspace_serves_one_shape_after_another, 0, CASES);
  tcase_add_test(tests, sequences_longer_than_a_chunk_are_one);
  tcase_add_loop_test(tests, nan_and_infinity_travel, 0, CASES);
  suite_add_tcase(suite, tests);
  SRunner *runner_of_tests = srunner_create(suite);
  srunner_run_all(runner_of_tests, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner_of_tests);
  srunner_free(runner_of_tests);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
