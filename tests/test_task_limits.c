/* Tasks of the host's own, scoring, what is refused, and what a lack of memory does. */
#include <check.h>
#include <fenv.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting_allocator.h"
#include "memory_file.h"
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

/* A host's own task: two rows of three channels, of whose output the second channel of row 1 is scored. */

typedef struct {
  int calls;
  lsqnet_status answer;
  const char *message;
} host;

static const lsqnet_task_shape HOST_SHAPE = {.size = sizeof(lsqnet_task_shape),
                                             .rows = 2,
                                             .in_width = 3,
                                             .out_width = 2,
                                             .first = 1,
                                             .stride = 1,
                                             .count = 1,
                                             .scored_first = 1,
                                             .scored = 1};

static lsqnet_status host_draw(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                               double *target) {
  host *h = user;
  h->calls++;
  if (h->message != NULL) lsqnet_set_message(h->message);
  if (h->answer != LSQNET_OK) return h->answer;
  for (int64_t s = 0; s < count; s++) {
    for (int64_t i = 0; i < 6; i++) x[6 * s + i] = (double)(seed * 1000 + step * 100) + (double)(first + s) + 0.1;
    target[s] = (double)(first + s) / 3;
  }
  return LSQNET_OK;
}

START_TEST(a_hosts_own_task_is_asked_for_its_pairs) {
  host h = {0};
  lsqnet_task *task = NULL;
  lsqnet_task_shape shape;
  lsqnet_task_options o;
  double x[12], target[2];
  float x32[12], target32[2];
  char name[] = "sums";
  ck_assert_ok(lsqnet_task_create_custom(&task, context, name, &HOST_SHAPE, host_draw, &h));
  name[0] = 'x'; /* the name is copied */
  ck_assert_ok(lsqnet_task_get_shape(task, &shape, sizeof shape));
  ck_assert_int_eq(memcmp(&shape, &HOST_SHAPE, sizeof shape), 0);
  ck_assert_ok(lsqnet_task_get_options(task, &o, sizeof o));
  ck_assert_str_eq(o.name, "sums");
  ck_assert(o.rows == 0 && o.dim == 0 && o.prompt == NULL);
  ck_assert_ok(lsqnet_task_draw_f64(task, 4, 5, 7, 2, x, target));
  ck_assert(h.calls == 1 && x[0] == 4507.1 && x[11] == 4508.1 && target[1] == 8.0 / 3);
  ck_assert_ok(lsqnet_task_draw_f32(task, 4, 5, 7, 2, x32, target32));
  ck_assert(h.calls == 2 && x32[11] == 4508.1f && target32[1] == (float)(8.0 / 3));
  ck_assert_ok(lsqnet_task_draw_f64(task, 4, 5, 7, 0, x, target));
  ck_assert_int_eq(h.calls, 2);
  lsqnet_task_destroy(task);
}
END_TEST

START_TEST(a_hosts_own_failure_comes_back_with_a_message) {
  host silent = {.answer = LSQNET_E_IO}, telling = {.answer = LSQNET_E_STOPPED, .message = "no more data"};
  lsqnet_task *task = NULL;
  double x[6], target[1];
  float x32[6], target32[1];
  ck_assert_ok(lsqnet_task_create_custom(&task, context, "sums", &HOST_SHAPE, host_draw, &silent));
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, 0, 1, x, target), LSQNET_E_IO, "task sums: draw failed");
  ck_assert_fails(lsqnet_task_draw_f32(task, 0, 0, 0, 1, x32, target32), LSQNET_E_IO, "LSQNET_E_IO");
  lsqnet_task_destroy(task);
  ck_assert_ok(lsqnet_task_create_custom(&task, context, "sums", &HOST_SHAPE, host_draw, &telling));
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, 0, 1, x, target), LSQNET_E_STOPPED, "task sums: no more data");
  lsqnet_task_destroy(task);
}
END_TEST

START_TEST(shapes_that_cannot_be_are_refused) {
  lsqnet_task *task = (lsqnet_task *)&task;
  host h = {0};
#define REFUSED(field, value, status, part)                                                              \
  do {                                                                                                   \
    lsqnet_task_shape s = HOST_SHAPE;                                                                    \
    s.field = value;                                                                                     \
    ck_assert_fails(lsqnet_task_create_custom(&task, context, "sums", &s, host_draw, &h), status, part); \
    ck_assert_ptr_null(task);                                                                            \
  } while (0)
  REFUSED(size, 8, LSQNET_E_VERSION, "lsqnet_task_shape");
  REFUSED(reserved, 1, LSQNET_E_ARGUMENT, "reserved=1");
  REFUSED(rows, 0, LSQNET_E_SHAPE, "rows=0");
  REFUSED(rows, INT64_MAX, LSQNET_E_SHAPE, "rows x in_width");
  REFUSED(in_width, -1, LSQNET_E_SHAPE, "in_width=-1");
  REFUSED(out_width, 0, LSQNET_E_SHAPE, "out_width=0");
  REFUSED(out_width, INT64_MAX, LSQNET_E_SHAPE, "rows x out_width");
  REFUSED(first, -1, LSQNET_E_SHAPE, "first=-1");
  REFUSED(first, 2, LSQNET_E_SHAPE, "first=2");
  REFUSED(stride, 0, LSQNET_E_SHAPE, "stride=0");
  REFUSED(count, 0, LSQNET_E_SHAPE, "count=0");
  REFUSED(count, 2, LSQNET_E_SHAPE, "count=2");
  REFUSED(count, INT64_MAX, LSQNET_E_SHAPE, "2 rows");
  REFUSED(scored_first, -1, LSQNET_E_SHAPE, "scored_first=-1");
  REFUSED(scored_first, INT64_MAX, LSQNET_E_SHAPE, "2 output channels");
  REFUSED(scored, 0, LSQNET_E_SHAPE, "scored=0");
  REFUSED(scored, 2, LSQNET_E_SHAPE, "scored=2");
#undef REFUSED
  ck_assert_fails(lsqnet_task_create_custom(NULL, context, "a", &HOST_SHAPE, host_draw, &h), LSQNET_E_ARGUMENT, "out");
  ck_assert_fails(lsqnet_task_create_custom(&task, NULL, "a", &HOST_SHAPE, host_draw, &h), LSQNET_E_ARGUMENT,
                  "context");
  ck_assert_fails(lsqnet_task_create_custom(&task, context, NULL, &HOST_SHAPE, host_draw, &h), LSQNET_E_ARGUMENT,
                  "name");
  ck_assert_fails(lsqnet_task_create_custom(&task, context, "a", NULL, host_draw, &h), LSQNET_E_ARGUMENT, "shape");
  ck_assert_fails(lsqnet_task_create_custom(&task, context, "a", &HOST_SHAPE, NULL, &h), LSQNET_E_ARGUMENT, "draw");
}
END_TEST

/* Options. */

static void check_refused(const lsqnet_task_options *o, lsqnet_status status, const char *part) {
  lsqnet_task *task = (lsqnet_task *)&task;
  ck_assert_fails(lsqnet_task_create(&task, context, o), status, part);
  ck_assert_ptr_null(task);
}

#define REFUSED(field, value, status, part)                     \
  do {                                                          \
    lsqnet_task_options refused_ = options_for("multistep_gd"); \
    refused_.field = value;                                     \
    check_refused(&refused_, status, part);                     \
  } while (0)

START_TEST(numbers_that_cannot_be_are_refused_by_name_and_value) {
  const double nan = (double)NAN, infinite = (double)INFINITY;
  REFUSED(step, nan, LSQNET_E_ARGUMENT, "step=");
  REFUSED(step, infinite, LSQNET_E_ARGUMENT, "step=inf");
  REFUSED(momentum, nan, LSQNET_E_ARGUMENT, "momentum=");
  REFUSED(condition, 1, LSQNET_E_ARGUMENT, "condition=1: must be 0 or above 1");
  REFUSED(condition, 0.5, LSQNET_E_ARGUMENT, "condition=0.5");
  REFUSED(condition, -2, LSQNET_E_ARGUMENT, "condition=-2");
  REFUSED(condition, nan, LSQNET_E_ARGUMENT, "condition=");
  REFUSED(singular_max, -1, LSQNET_E_ARGUMENT, "singular_max=-1");
  REFUSED(singular_max, 3, LSQNET_E_ARGUMENT, "condition=0");
  REFUSED(scale_a, infinite, LSQNET_E_ARGUMENT, "scale_a=inf");
  REFUSED(scale_x, nan, LSQNET_E_ARGUMENT, "scale_x=");
  REFUSED(freedom, 0.5, LSQNET_E_ARGUMENT, "freedom=0.5");
  REFUSED(freedom, infinite, LSQNET_E_ARGUMENT, "freedom=inf");
  REFUSED(sparsity, 1, LSQNET_E_ARGUMENT, "sparsity=1");
  REFUSED(sparsity, -0.1, LSQNET_E_ARGUMENT, "sparsity=-0.1");
  REFUSED(ode_spread, -1, LSQNET_E_ARGUMENT, "ode_spread=-1");
  REFUSED(ode_variance, 0, LSQNET_E_ARGUMENT, "ode_variance=0");
  REFUSED(ode_initial, nan, LSQNET_E_ARGUMENT, "ode_initial=");
  REFUSED(ode_noise, -1, LSQNET_E_ARGUMENT, "ode_noise=-1");
}
END_TEST

START_TEST(choices_and_sizes_that_cannot_be_are_refused_by_name_and_value) {
  REFUSED(setting, 2, LSQNET_E_ARGUMENT, "setting=2: must be 0 to 1");
  REFUSED(law_a, 4, LSQNET_E_ARGUMENT, "law_a=4");
  REFUSED(law_x, -1, LSQNET_E_ARGUMENT, "law_x=-1");
  REFUSED(normalise_rows, 2, LSQNET_E_ARGUMENT, "normalise_rows=2");
  REFUSED(normalise_x, -1, LSQNET_E_ARGUMENT, "normalise_x=-1");
  REFUSED(ode_class, 3, LSQNET_E_ARGUMENT, "ode_class=3");
  REFUSED(ode_points, 3, LSQNET_E_ARGUMENT, "ode_points=3");
  REFUSED(rows, 0, LSQNET_E_SHAPE, "rows=0");
  REFUSED(dim, -3, LSQNET_E_SHAPE, "dim=-3");
  REFUSED(iterates, 0, LSQNET_E_SHAPE, "iterates=0");
  REFUSED(points, 0, LSQNET_E_SHAPE, "points=0");
  REFUSED(rows, INT64_MAX, LSQNET_E_SHAPE, "rows=");
  REFUSED(dim, INT64_C(1) << 30, LSQNET_E_SHAPE, "arrays");
}
END_TEST

START_TEST(names_and_combinations_that_cannot_be_are_refused) {
  lsqnet_task_options o = options_for("explicit_gradients");
  check_refused(&o, LSQNET_E_ARGUMENT, "explicit_gradients");
  check_refused(&o, LSQNET_E_ARGUMENT, "identity, square");
  for (int i = 0; lsqnet_task_name(i) != NULL; i++) check_refused(&o, LSQNET_E_ARGUMENT, lsqnet_task_name(i));
  o.name = NULL;
  check_refused(&o, LSQNET_E_ARGUMENT, "NULL");
  REFUSED(prompt, "icl", LSQNET_E_ARGUMENT, "query_last");
  o = options_for("least_squares");
  o.prompt = "split";
  check_refused(&o, LSQNET_E_ARGUMENT, "task=least_squares prompt=split");
  o = options_for("momentum");
  o.prompt = "repeat";
  check_refused(&o, LSQNET_E_ARGUMENT, "only the prompt split");
  o = options_for("multiply");
  check_refused(&o, LSQNET_E_SHAPE, "dim=5: must be even");
  o = options_for("least_squares");
  o.condition = 10;
  o.sparsity = 0.5;
  check_refused(&o, LSQNET_E_ARGUMENT, "sparsity=0.5 condition=10");
}
END_TEST

START_TEST(structs_of_another_age_and_missing_pointers_are_refused) {
  lsqnet_task_options o = options_for("identity");
  lsqnet_task_shape shape;
  lsqnet_task *task = NULL;
  double x[100], target[100];
  ck_assert_fails(lsqnet_task_options_init(NULL, sizeof o), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_fails(lsqnet_task_options_init(&o, 4), LSQNET_E_VERSION, "size=4");
  ck_assert_fails(lsqnet_task_create(NULL, context, &o), LSQNET_E_ARGUMENT, "out");
  ck_assert_fails(lsqnet_task_create(&task, NULL, &o), LSQNET_E_ARGUMENT, "context");
  ck_assert_ok(lsqnet_task_create(&task, context, NULL)); /* the defaults */
  ck_assert_ok(lsqnet_task_get_options(task, &o, sizeof o));
  ck_assert(strcmp(o.name, "explicit_gradient") == 0 && o.rows == 20 && o.dim == 5);
  lsqnet_task_destroy(task);
  o.size = 8;
  check_refused(&o, LSQNET_E_VERSION, "size=8");
  o = options_for("identity");
  ck_assert_ok(lsqnet_task_create(&task, context, &o));
  ck_assert_fails(lsqnet_task_get_shape(NULL, &shape, sizeof shape), LSQNET_E_ARGUMENT, "task");
  ck_assert_fails(lsqnet_task_get_shape(task, NULL, sizeof shape), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_fails(lsqnet_task_get_shape(task, &shape, 8), LSQNET_E_VERSION, "size=8");
  ck_assert_fails(lsqnet_task_get_options(NULL, &o, sizeof o), LSQNET_E_ARGUMENT, "task");
  ck_assert_fails(lsqnet_task_get_options(task, NULL, sizeof o), LSQNET_E_ARGUMENT, "NULL");
  ck_assert_fails(lsqnet_task_draw_f64(NULL, 0, 0, 0, 1, x, target), LSQNET_E_ARGUMENT, "task");
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, 0, 1, NULL, target), LSQNET_E_ARGUMENT, "x is NULL");
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, 0, 1, x, NULL), LSQNET_E_ARGUMENT, "target");
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, -1, 1, x, target), LSQNET_E_ARGUMENT, "first=-1");
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, 0, -1, x, target), LSQNET_E_ARGUMENT, "count=-1");
  ck_assert_fails(lsqnet_task_draw_f64(task, 0, 0, INT64_MAX, 1, x, target), LSQNET_E_ARGUMENT, "overflow");
  ck_assert_ok(lsqnet_task_draw_f64(task, 0, 0, INT64_MAX - 1, 1, x, target));
  lsqnet_task_destroy(task);
  lsqnet_task_destroy(NULL);
}
END_TEST

START_TEST(other_rounding_modes_are_refused) {
  const lsqnet_task_options o = options_for("identity");
  lsqnet_task *task = NULL;
  double x[100], target[100];
  ck_assert_ok(lsqnet_task_create(&task, context, &o));
  ck_assert_int_eq(fesetround(FE_UPWARD), 0);
  const lsqnet_status st = lsqnet_task_draw_f64(task, 0, 0, 0, 1, x, target);
  ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
  ck_assert_int_eq(st, LSQNET_E_UNSUPPORTED);
  lsqnet_task_destroy(task);
}
END_TEST

START_TEST(options_come_back_with_the_names_in_use) {
  char name[] = "multistep_gd", prompt[] = "repeat";
  lsqnet_task_options o = options_for(name), back;
  lsqnet_task *task = NULL;
  o.rows = 7;
  o.seed = 99;
  o.scale_a = 3;
  o.prompt = prompt;
  ck_assert_ok(lsqnet_task_create(&task, context, &o));
  name[0] = prompt[0] = 'x';
  ck_assert_ok(lsqnet_task_get_options(task, &back, sizeof back));
  ck_assert(back.rows == 7 && back.seed == 99 && back.scale_a == 3 && back.iterates == 1 && back.step == 0.5);
  ck_assert_str_eq(back.name, "multistep_gd");
  ck_assert_str_eq(back.prompt, "repeat");
  lsqnet_task_destroy(task);
  o = options_for("explicit_gradient");
  ck_assert_ok(lsqnet_task_create(&task, context, &o));
  ck_assert_ok(lsqnet_task_get_options(task, &back, sizeof back));
  ck_assert_str_eq(back.prompt, "query_first");
  lsqnet_task_destroy(task);
}
END_TEST

/* Scoring. */

/* two samples, rows 0, 2, 4 of five, channels 1 and 2 of four */
static const lsqnet_task_shape SCORED = {.rows = 5, .stride = 2, .count = 3, .scored_first = 1, .scored = 2};
enum { SAMPLES = 2, READ = 5, OUT = 4, CELLS = SAMPLES * READ * OUT, TARGETS = SAMPLES * 3 * 2 };

START_TEST(score_reads_every_stride_th_row_and_the_scored_channels) {
  double y[CELLS], dy[CELLS], target[TARGETS], wanted = 0;
  float y32[CELLS], dy32[CELLS], target32[TARGETS];
  for (int i = 0; i < CELLS; i++) y32[i] = (float)(y[i] = i * i % 17);
  for (int i = 0; i < TARGETS; i++) target32[i] = (float)(target[i] = i % 5);
  ck_assert_int_eq(lsq_task_read_rows(&SCORED), READ);
  for (int i = 0, k = 0; i < CELLS; i++) {
    const int t = i / OUT % READ, c = i % OUT, scored = t % 2 == 0 && (c == 1 || c == 2);
    const double error = scored ? y[i] - target[k++] : 0;
    wanted += error * error;
    dy[i] = 0.5 * error;
  }
  double got[CELLS];
  ck_assert(lsq_task_score_f64(&SCORED, OUT, SAMPLES, y, target, 0.5, NULL) == wanted);
  ck_assert(lsq_task_score_f64(&SCORED, OUT, SAMPLES, y, target, 0.5, got) == wanted);
  ck_assert_int_eq(memcmp(got, dy, sizeof dy), 0);
  ck_assert(lsq_task_score_f32(&SCORED, OUT, SAMPLES, y32, target32, 0.5, dy32) == wanted);
  for (int i = 0; i < CELLS; i++) ck_assert((double)dy32[i] == dy[i]);
  ck_assert(lsq_task_score_f64(&SCORED, OUT, SAMPLES, y, target, 0.5, y) == wanted); /* in place */
  ck_assert_int_eq(memcmp(y, dy, sizeof dy), 0);
}
END_TEST

START_TEST(score_lets_nan_travel_but_only_from_what_is_scored) {
  double y[CELLS] = {0}, target[TARGETS] = {0}, dy[CELLS];
  y[0] = y[OUT + 1] = (double)NAN; /* channel 0, and row 1 */
  ck_assert(lsq_task_score_f64(&SCORED, OUT, SAMPLES, y, target, 1, dy) == 0);
  ck_assert(dy[0] == 0 && dy[OUT + 1] == 0);
  y[1] = (double)NAN;
  ck_assert(isnan(lsq_task_score_f64(&SCORED, OUT, SAMPLES, y, target, 1, dy)));
  ck_assert(isnan(dy[1]) && dy[2] == 0);
}
END_TEST

/* Memory. */

static lsqnet_status use(counting_allocator *allocator, const char *name, int custom) {
  lsqnet_context *counted = NULL;
  lsqnet_task *task = NULL;
  static double x[10000], target[1000];
  static float x32[10000], target32[1000];
  host h = {0};
  lsqnet_task_options o = options_for(name);
  o.dim = 4;
  o.rows = 6;
  lsqnet_status st = counting_context(&counted, allocator, 1);
  if (st == LSQNET_OK)
    st = custom ? lsqnet_task_create_custom(&task, counted, name, &HOST_SHAPE, host_draw, &h)
                : lsqnet_task_create(&task, counted, &o);
  lsqnet_context_destroy(counted); /* the task holds it */
  if (st == LSQNET_OK) st = lsqnet_task_draw_f64(task, 1, 2, 3, 2, x, target);
  if (st == LSQNET_OK) st = lsqnet_task_draw_f32(task, 1, 2, 3, 2, x32, target32);
  lsqnet_task_destroy(task);
  return st;
}

START_TEST(each_lack_of_memory_is_told_and_loses_nothing) {
  static const char *const names[] = {"linear", "explicit_gradient", "ode_icl", "custom"};
  lsqnet_status st = LSQNET_E_MEMORY;
  int refusals = 0;
  for (long long n = 1; st != LSQNET_OK; n++) {
    counting_allocator allocator = {.refuse = n};
    st = use(&allocator, names[_i], _i == 3);
    ck_assert_msg(st == LSQNET_OK || st == LSQNET_E_MEMORY, "%s", lsqnet_last_message());
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(allocator.live_bytes, 0);
    ck_assert_int_eq(allocator.misuses, 0);
    refusals += st == LSQNET_E_MEMORY;
  }
  ck_assert_int_ge(refusals, 4);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("task_limits");
  TCase *all = tcase_create("limits");
  tcase_add_checked_fixture(all, open_context, close_context);
  tcase_add_test(all, a_hosts_own_task_is_asked_for_its_pairs);
  tcase_add_test(all, a_hosts_own_failure_comes_back_with_a_message);
  tcase_add_test(all, shapes_that_cannot_be_are_refused);
  tcase_add_test(all, numbers_that_cannot_be_are_refused_by_name_and_value);
  tcase_add_test(all, choices_and_sizes_that_cannot_be_are_refused_by_name_and_value);
  tcase_add_test(all, names_and_combinations_that_cannot_be_are_refused);
  tcase_add_test(all, structs_of_another_age_and_missing_pointers_are_refused);
  tcase_add_test(all, other_rounding_modes_are_refused);
  tcase_add_test(all, options_come_back_with_the_names_in_use);
  tcase_add_test(all, score_reads_every_stride_th_row_and_the_scored_channels);
  tcase_add_test(all, score_lets_nan_travel_but_only_from_what_is_scored);
  tcase_add_loop_test(all, each_lack_of_memory_is_told_and_loses_nothing, 0, 4);
  suite_add_tcase(suite, all);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
