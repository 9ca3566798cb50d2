/* Drawing: what fixes a pair, what each option does, tasks of the host's own, scoring, and what is refused. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "tasks/laws.h"
#include "tasks/task.h"

static lsqnet_context *context;

static void open_context(void) { ck_assert_ok(lsqnet_context_create(&context, NULL)); }
static void close_context(void) { lsqnet_context_destroy(context); }

static lsqnet_task_options options_for(const char *name) {
  lsqnet_task_options o;
  ck_assert_ok(lsqnet_task_options_init(&o, sizeof o));
  o.name = name;
  return o;
}

static void *room(int64_t count, size_t size) {
  void *memory = calloc((size_t)count, size);
  ck_assert_ptr_nonnull(memory);
  return memory;
}

/* A task and arrays for its pairs. */
typedef struct {
  lsqnet_task *task;
  lsqnet_task_shape shape;
  int64_t ins, outs; /* numbers in a sample */
  double *x, *target;
} drawing;

enum { SAMPLES = 9, SEED = 3, STEP = 8 };

static drawing drawing_of(lsqnet_task *task) {
  drawing d = {.task = task};
  ck_assert_ok(lsqnet_task_get_shape(task, &d.shape, sizeof d.shape));
  d.ins = d.shape.rows * d.shape.in_width;
  d.outs = d.shape.count * d.shape.scored;
  d.x = room(SAMPLES * d.ins, sizeof *d.x);
  d.target = room(SAMPLES * d.outs, sizeof *d.target);
  return d;
}

static drawing drawing_with(lsqnet_context *in, const lsqnet_task_options *o) {
  lsqnet_task *task = NULL;
  ck_assert_ok(lsqnet_task_create(&task, in, o));
  drawing d = drawing_of(task);
  ck_assert_ok(lsqnet_task_draw_f64(task, SEED, STEP, 0, SAMPLES, d.x, d.target));
  return d;
}

static void drop(drawing *d) {
  lsqnet_task_destroy(d->task);
  free(d->x);
  free(d->target);
}

static void check_same(const drawing *a, const drawing *b) {
  ck_assert_int_eq(memcmp(a->x, b->x, (size_t)(SAMPLES * a->ins) * sizeof *a->x), 0);
  ck_assert_int_eq(memcmp(a->target, b->target, (size_t)(SAMPLES * a->outs) * sizeof *a->target), 0);
}

/* every task, with options that reach all its arithmetic */
static lsqnet_task_options full_options(int task) {
  lsqnet_task_options o = options_for(lsqnet_task_name(task));
  o.rows = 7;
  o.dim = 4;
  o.points = 6;
  o.iterates = 3;
  o.law_a = LSQNET_LAW_STUDENT_T;
  o.law_x = LSQNET_LAW_LAPLACE;
  o.condition = 30;
  o.ode_points = task % 3;
  return o;
}
enum { TASKS = 14 };

START_TEST(names_are_those_of_the_header) {
  static const char *const names[TASKS] = {"identity",     "square",        "multiply",          "read",
                                           "linear",       "least_squares", "least_squares_icl", "explicit_gradient",
                                           "multistep_gd", "ode_icl",       "ode_icl_final",     "newton_schulz",
                                           "power_step",   "momentum"};
  for (int i = 0; i < TASKS; i++) ck_assert_str_eq(lsqnet_task_name(i), names[i]);
  ck_assert_ptr_null(lsqnet_task_name(TASKS));
  ck_assert_ptr_null(lsqnet_task_name(-1));
}
END_TEST

/* Draws samples 4 .. of another drawing. */
static void *draw_rest(void *argument) {
  drawing *d = argument;
  ck_assert_ok(lsqnet_task_draw_f64(d->task, SEED, STEP, 4, SAMPLES - 4, d->x + 4 * d->ins, d->target + 4 * d->outs));
  return NULL;
}

START_TEST(seed_step_and_sample_fix_a_pair) {
  const lsqnet_task_options o = full_options(_i);
  drawing whole = drawing_with(context, &o);
  drawing parts = drawing_of(lsq_task_hold(whole.task));
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, draw_rest, &parts), 0);
  ck_assert_ok(lsqnet_task_draw_f64(parts.task, SEED, STEP, 0, 3, parts.x, parts.target));
  ck_assert_ok(
      lsqnet_task_draw_f64(parts.task, SEED, STEP, 3, 1, parts.x + 3 * parts.ins, parts.target + 3 * parts.outs));
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  check_same(&whole, &parts);
  const uint64_t others[3][2] = {{SEED + 1, STEP}, {SEED, STEP + 1}, {SEED, STEP}};
  for (int k = 0; k < 3; k++) {
    ck_assert_ok(lsqnet_task_draw_f64(parts.task, others[k][0], others[k][1], k == 2, 1, parts.x, parts.target));
    ck_assert(memcmp(whole.x, parts.x, (size_t)whole.ins * sizeof *whole.x) != 0);
  }
  drop(&parts);
  drop(&whole);
}
END_TEST

START_TEST(all_kernel_levels_draw_the_same_bits) {
  const lsqnet_task_options o = full_options(_i);
  drawing best = drawing_with(context, &o);
  for (int32_t level = LSQNET_KERNEL_GENERIC; level <= LSQNET_KERNEL_X86_64_V4; level++) {
    lsqnet_context_options options;
    lsqnet_context *other = NULL;
    ck_assert_ok(lsqnet_context_options_init(&options, sizeof options));
    options.kernel_level = level;
    if (lsqnet_context_create(&other, &options) != LSQNET_OK) continue;
    drawing d = drawing_with(other, &o);
    check_same(&best, &d);
    lsqnet_context_destroy(other); /* the task holds it */
    drop(&d);
  }
  drop(&best);
}
END_TEST

START_TEST(float32_is_float64_rounded) {
  const lsqnet_task_options o = full_options(_i);
  drawing d = drawing_with(context, &o);
  float *x = room(SAMPLES * d.ins, sizeof *x), *target = room(SAMPLES * d.outs, sizeof *target);
  ck_assert_ok(lsqnet_task_draw_f32(d.task, SEED, STEP, 0, SAMPLES, x, target));
  for (int64_t i = 0; i < SAMPLES * d.ins; i++) ck_assert(x[i] == (float)d.x[i]);
  for (int64_t i = 0; i < SAMPLES * d.outs; i++) ck_assert(target[i] == (float)d.target[i]);
  free(x);
  free(target);
  drop(&d);
}
END_TEST

/* a curriculum's smaller samples are made of the same numbers, and their means are over fewer rows */
START_TEST(fewer_rows_and_unknowns_keep_the_numbers) {
  enum { L = 7, D = 4, FEW = 3, KEPT = 2 };
  lsqnet_task_options o = options_for("explicit_gradient");
  o.rows = L;
  o.dim = D;
  o.scale_a = 2;
  drawing d = drawing_with(context, &o);
  lsqnet_task_shape shape;
  double x[(FEW + 1) * (D + 1)], target[D];
  lsq_task_shape_for(d.task, FEW, &shape);
  ck_assert(shape.rows == FEW + 1 && shape.first == FEW && shape.in_width == D + 1);
  ck_assert_ok(lsq_task_draw_f64(d.task, FEW, KEPT, SEED, STEP, 0, 1, x, target));
  for (int64_t j = 0; j < D; j++) {
    double sum = 0, size = 0;
    for (int64_t i = 1; i <= FEW; i++) {
      const double *row = x + i * (D + 1);
      const double r = row[0] * x[0] + row[1] * x[1] - row[D];
      ck_assert(row[j] == (j < KEPT ? d.x[i * (D + 1) + j] : 0));
      sum += row[j] * r / FEW;
      size += fabs(row[j] * r);
    }
    ck_assert(x[j] == (j < KEPT ? d.x[j] : 0));
    ck_assert(fabs(target[j] - sum) <= 16 * DBL_EPSILON * (size + 8));
  }
  drop(&d);
}
END_TEST

/* each task takes a curriculum, and the primitives, ODEs and matrices stay themselves in it */
START_TEST(every_task_draws_smaller_samples) {
  const lsqnet_task_options o = full_options(_i);
  drawing d = drawing_with(context, &o);
  lsqnet_task_shape shape;
  for (int64_t L = 1; L <= o.rows; L++) {
    lsq_task_shape_for(d.task, L, &shape);
    ck_assert(shape.in_width == d.shape.in_width && shape.out_width == d.shape.out_width);
    ck_assert(shape.first + (shape.count - 1) * shape.stride < shape.rows && shape.rows <= d.shape.rows);
    ck_assert_ok(lsq_task_draw_f64(d.task, L, 2, SEED, STEP, 0, SAMPLES, d.x, d.target));
    for (int64_t i = 0; i < SAMPLES * shape.rows * shape.in_width; i++) ck_assert(isfinite(d.x[i]));
    for (int64_t i = 0; i < SAMPLES * shape.count * shape.scored; i++) ck_assert(isfinite(d.target[i]));
  }
  drop(&d);
}
END_TEST

/* Options. The prompt of explicit_gradient shows x_init in row 0 and A below. */

enum { ROWS = 20, DIM = 5, WIDTH = DIM + 1 };

static const double *row_of(const drawing *d, int sample, int64_t i) {
  return d->x + sample * d->ins + (i + 1) * WIDTH;
}

START_TEST(laws_are_those_asked_for) {
  for (int32_t law = LSQNET_LAW_NORMAL; law <= LSQNET_LAW_STUDENT_T; law++) {
    lsqnet_task_options o = options_for("explicit_gradient");
    double a[ROWS * DIM], x_init[DIM];
    o.law_a = law;
    o.law_x = LSQNET_LAW_STUDENT_T - law;
    o.freedom = 4;
    drawing d = drawing_with(context, &o);
    for (int s = 0; s < SAMPLES; s++) {
      const lsq_stream stream = lsq_stream_of(SEED, STEP, (uint64_t)s);
      lsq_law_fill(law, 4, stream, LSQ_PART_A, ROWS * DIM, a);
      lsq_law_fill(o.law_x, 4, stream, LSQ_PART_X_INIT, DIM, x_init);
      for (int64_t i = 0; i < ROWS; i++) ck_assert_int_eq(memcmp(row_of(&d, s, i), a + i * DIM, DIM * sizeof *a), 0);
      ck_assert_int_eq(memcmp(row_of(&d, s, -1), x_init, DIM * sizeof *a), 0);
    }
    drop(&d);
  }
}
END_TEST

static double length_of(const double *v) {
  double sum = 0;
  for (int j = 0; j < DIM; j++) sum += v[j] * v[j];
  return sqrt(sum);
}

START_TEST(scales_and_unit_norms_change_lengths_only) {
  lsqnet_task_options o = options_for("explicit_gradient");
  drawing plain = drawing_with(context, &o);
  for (int k = 0; k < 4; k++) {
    o.normalise_rows = k % 2;
    o.normalise_x = k / 2;
    o.scale_a = 100;
    o.scale_x = 0.01;
    drawing d = drawing_with(context, &o);
    for (int s = 0; s < SAMPLES; s++)
      for (int64_t i = -1; i < ROWS; i++) {
        const double *was = row_of(&plain, s, i), *now = row_of(&d, s, i);
        const int unit = i < 0 ? o.normalise_x : o.normalise_rows;
        const double factor = (i < 0 ? 0.01 : 100) / (unit ? length_of(was) : 1);
        for (int j = 0; j < DIM; j++) ck_assert(fabs(now[j] - factor * was[j]) <= 4 * DIM * DBL_EPSILON * fabs(now[j]));
      }
    drop(&d);
  }
  drop(&plain);
}
END_TEST

START_TEST(sparsity_is_the_share_of_zeros) {
  lsqnet_task_options o = options_for("explicit_gradient");
  drawing plain = drawing_with(context, &o);
  int zeros = 0;
  o.sparsity = 0.7;
  drawing d = drawing_with(context, &o);
  for (int s = 0; s < SAMPLES; s++)
    for (int64_t i = 0; i < ROWS * DIM; i++) {
      const double now = row_of(&d, s, i / DIM)[i % DIM];
      zeros += now == 0;
      ck_assert(now == 0 || now == row_of(&plain, s, i / DIM)[i % DIM]);
    }
  const double n = SAMPLES * ROWS * DIM; /* five standard deviations */
  ck_assert(fabs(zeros - 0.7 * n) <= 5 * sqrt(n * 0.7 * 0.3));
  drop(&d);
  drop(&plain);
}
END_TEST

START_TEST(rows_of_zeros_are_not_divided_by_their_length) {
  lsqnet_task_options o = options_for("explicit_gradient");
  o.sparsity = 0.99;
  o.normalise_rows = 1;
  drawing d = drawing_with(context, &o);
  for (int64_t i = 0; i < SAMPLES * d.ins; i++) ck_assert(isfinite(d.x[i]));
  drop(&d);
}
END_TEST

/* ODEs: c at the nodes is in the sample; its interpolant drives a Runge-Kutta solution from 0 to t*. */

enum { NODES = 41, POINTS = 6, EXAMPLES = 3, ALL = NODES + POINTS };

static double forcing(const double *c, double t) {
  double above = 0, below = 0;
  for (int k = 0; k < NODES; k++) {
    const double apart = t - cos(acos(-1.0) * k / (NODES - 1));
    const double weight = (k % 2 == 0 ? 1 : -1) * (k == 0 || k == NODES - 1 ? 0.5 : 1);
    if (fabs(apart) < 1e-14) return c[k];
    above += weight * c[k] / apart;
    below += weight / apart;
  }
  return above / below;
}

static double slope(const double a[4], const double *c, double t, double u) {
  const double force = forcing(c, t);
  return a[0] * force + a[1] * force * u + a[2] * u + a[3];
}

static double runge_kutta(const double a[4], const double *c, double u, double end) {
  const int steps = 200;
  const double h = end / steps;
  for (int i = 0; i < steps; i++) {
    const double t = i * h, k1 = slope(a, c, t, u), k2 = slope(a, c, t + h / 2, u + h / 2 * k1);
    const double k3 = slope(a, c, t + h / 2, u + h / 2 * k2), k4 = slope(a, c, t + h, u + h * k3);
    u += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return u;
}

static double point_of(int32_t kind, lsq_stream stream, int k) {
  if (kind == 0) return -1 + 2.0 * k / (POINTS - 1);
  return kind == 1 ? 2 * lsq_stream_uniform(stream, LSQ_PART_POINTS, k) - 1 : cos(acos(-1.0) * k / (POINTS - 1));
}

static lsqnet_task_options ode_options(int class, int points) {
  lsqnet_task_options o = options_for("ode_icl");
  o.rows = EXAMPLES;
  o.points = POINTS;
  o.ode_class = class;
  o.ode_points = points;
  o.ode_spread = 0.5;
  o.ode_initial = 2;
  o.ode_noise = 0.125;
  return o;
}

static void check_example(const lsqnet_task_options *o, lsq_stream stream, const lsq_sample *sample, int i,
                          const double *x, const double *target) {
  const double *c = sample->a + i * ALL, *row = x + 2 * i * (POINTS + 3);
  double e[5], noise[EXAMPLES];
  for (int k = 0; k < 5; k++) e[k] = 2 * lsq_stream_uniform(stream, LSQ_PART_COEFFICIENTS, k) - 1;
  const double a[4] = {o->ode_class == 2 ? 0 : 1 + 0.25 * e[0], o->ode_class == 1 ? 0 : 1 + 0.25 * e[1], 0.5 * e[2],
                       0.5 * e[3]};
  const double u0 = 2 * (2 * lsq_stream_uniform(stream, LSQ_PART_X, i) - 1);
  for (int k = 0; k < POINTS; k++) {
    /* what lies beyond the factor's rank is of size 1e-7 */
    ck_assert(fabs(row[k] - forcing(c, point_of(o->ode_points, stream, k))) <= 1e-6);
    ck_assert(row[k] == c[NODES + k]);
  }
  ck_assert(row[POINTS] == u0 && row[POINTS + 1] == 1 && row[POINTS + 2] == 0);
  ck_assert(fabs(target[i] - runge_kutta(a, c, u0, e[4])) <= 1e-6 * (1 + fabs(target[i])));
  lsq_law_fill(LSQNET_LAW_NORMAL, 0, stream, LSQ_PART_NOISE, EXAMPLES, noise);
  for (int k = 0; i < EXAMPLES - 1 && k < POINTS + 3; k++)
    ck_assert(row[POINTS + 3 + k] == (k < POINTS + 2 ? 0 : target[i] + 0.125 * noise[i]));
}

START_TEST(ode_examples_solve_their_equation) {
  const lsqnet_task_options o = ode_options(_i % 3, _i / 3);
  drawing d = drawing_with(context, &o);
  lsq_sample sample;
  ck_assert_ok(lsq_sample_open(d.task, EXAMPLES, o.dim, &sample));
  for (int s = 0; s < SAMPLES; s++) {
    const lsq_stream stream = lsq_stream_of(SEED, STEP, (uint64_t)s);
    d.task->kind->sample(d.task, stream, &sample);
    for (int i = 0; i < EXAMPLES; i++) check_example(&o, stream, &sample, i, d.x + s * d.ins, d.target + s * d.outs);
  }
  lsq_sample_close(d.task, &sample);
  drop(&d);
}
END_TEST

START_TEST(the_last_ode_prompt_has_the_same_examples_a_row_each) {
  lsqnet_task_options o = ode_options(0, 0);
  drawing all = drawing_with(context, &o);
  o.name = "ode_icl_final";
  drawing last = drawing_with(context, &o);
  const int64_t W = POINTS + 3;
  for (int s = 0; s < SAMPLES; s++) {
    ck_assert(last.target[s] == all.target[s * EXAMPLES + EXAMPLES - 1]);
    for (int64_t i = 0; i < EXAMPLES; i++) {
      const double *row = last.x + s * last.ins + i * W, *pair = all.x + s * all.ins + 2 * i * W;
      ck_assert_int_eq(memcmp(row, pair, (POINTS + 2) * sizeof *row), 0);
      ck_assert(row[W - 1] == (i < EXAMPLES - 1 ? pair[2 * W - 1] : 0));
    }
  }
  drop(&last);
  drop(&all);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("task_draws");
  TCase *pairs = tcase_create("pairs");
  tcase_add_checked_fixture(pairs, open_context, close_context);
  tcase_add_test(pairs, names_are_those_of_the_header);
  tcase_add_loop_test(pairs, seed_step_and_sample_fix_a_pair, 0, TASKS);
  tcase_add_loop_test(pairs, all_kernel_levels_draw_the_same_bits, 0, TASKS);
  tcase_add_loop_test(pairs, float32_is_float64_rounded, 0, TASKS);
  tcase_add_test(pairs, fewer_rows_and_unknowns_keep_the_numbers);
  tcase_add_loop_test(pairs, every_task_draws_smaller_samples, 0, TASKS);
  suite_add_tcase(suite, pairs);
  TCase *options = tcase_create("options");
  tcase_add_checked_fixture(options, open_context, close_context);
  tcase_add_test(options, laws_are_those_asked_for);
  tcase_add_test(options, scales_and_unit_norms_change_lengths_only);
  tcase_add_test(options, sparsity_is_the_share_of_zeros);
  tcase_add_test(options, rows_of_zeros_are_not_divided_by_their_length);
  tcase_add_loop_test(options, ode_examples_solve_their_equation, 0, 9);
  tcase_add_test(options, the_last_ode_prompt_has_the_same_examples_a_row_each);
  suite_add_tcase(suite, options);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
