/* The conformance test for mixers finds every kind of fault that it claims to find; from outside the library. */
#include <check.h>
#include <stdlib.h>

#include "lsqnet/mixer_conformance.h"

/* y = w . x per channel; the cache keeps the wanted rows of x. */
typedef struct {
  int64_t width;
  int fault;
} scaling;

enum {
  NONE,
  RESTLESS,
  READS_SCRATCH,
  LOOKS_AT_OTHER_SEQUENCES,
  LOSES_FIRST,
  WRONG_DX,
  WRONG_GRADIENT,
  OVERWRITES_GRADIENT,
  NEEDS_GRADIENT,
  WRONG_JVP,
  WRITES_BEYOND,
  CHANGES_CACHE,
  WRONG_SINGLE,
  FORGETS_CONFIG,
  RESTLESS_START,
  BAD_NAME,
  REFUSES,
  FAULTS
};

static const char *const found[FAULTS] = {
    [RESTLESS] = "forward_f64 twice gave different bits",
    [READS_SCRATCH] = "forward_f64 twice gave different bits",
    [LOOKS_AT_OTHER_SEQUENCES] = "depend on the other sequences",
    [LOSES_FIRST] = "the wanted rows against the whole output",
    [WRONG_DX] = "backward_f64's gradient of x",
    [WRONG_GRADIENT] = "backward_f64's gradient of parameter 0",
    [OVERWRITES_GRADIENT] = "gradients are added to what is there",
    [NEEDS_GRADIENT] = "another dx without weight gradients",
    [WRONG_JVP] = "jvp_f64 along x",
    [WRITES_BEYOND] = "wrote beyond the end",
    [CHANGES_CACHE] = "changed the cache",
    [WRONG_SINGLE] = "forward_f32 against forward_f64",
    [FORGETS_CONFIG] = "came back as",
    [RESTLESS_START] = "initialize depends on more than the seed",
    [BAD_NAME] = "its name must be",
    [REFUSES] = "create answered LSQNET_E_UNSUPPORTED: not today",
};

static int calls; /* of anything that should not count its calls */

static lsqnet_status scaling_create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                                    const char *config) {
  scaling *m = malloc(sizeof *m);
  (void)context;
  (void)config;
  m->width = sizes->width;
  m->fault = *(const int *)user;
  *state = m;
  if (m->fault != REFUSES) return LSQNET_OK;
  free(m);
  *state = NULL;
  lsqnet_set_message("not today");
  return LSQNET_E_UNSUPPORTED;
}

static int64_t scaling_parameter_count(const void *state) {
  (void)state;
  return 1;
}

static lsqnet_status scaling_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  const scaling *m = state;
  (void)index;
  out->name = m->fault == BAD_NAME ? "my weight" : "weight";
  out->rank = 1;
  out->shape[0] = m->width;
  return LSQNET_OK;
}

static lsqnet_status scaling_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                       int64_t *scratch) {
  *cache = shape->batch * shape->count * ((const scaling *)state)->width;
  *scratch = 1;
  return LSQNET_OK;
}

/* Element of x, or of dx, that belongs to element i of y. */
static int64_t place(const scaling *m, const lsqnet_mixer_shape *shape, int64_t i) {
  const int64_t one = shape->count * m->width, first = m->fault == LOSES_FIRST ? 0 : shape->first;
  return (i / one * shape->rows + first) * m->width + i % one;
}

static int64_t outputs(const scaling *m, const lsqnet_mixer_shape *shape) {
  return shape->batch * shape->count * m->width;
}

static lsqnet_status scaling_forward(const void *state, const lsqnet_mixer_shape *shape, const double *const *w,
                                     const double *x, double *y, double *cache, double *scratch) {
  const scaling *m = state;
  const int64_t n = outputs(m, shape);
  for (int64_t i = 0; i < n; i++) {
    cache[i] = x[place(m, shape, i)];
    y[i] = w[0][i % m->width] * cache[i];
  }
  if (m->fault == RESTLESS) y[0] += 1e-12 * ++calls;
  if (m->fault == READS_SCRATCH) y[0] += 1e-200 * scratch[0];
  if (m->fault == LOOKS_AT_OTHER_SEQUENCES) y[n - 1] += 1e-300 * x[0];
  if (m->fault == WRITES_BEYOND) cache[n] = 1;
  return LSQNET_OK;
}

static lsqnet_status scaling_backward(const void *state, const lsqnet_mixer_shape *shape, const double *const *w,
                                      const double *x, const double *dy, double *dx, double *const *dw,
                                      const double *cache, double *scratch) {
  const scaling *m = state;
  (void)x;
  (void)scratch;
  for (int64_t i = 0; i < shape->batch * shape->rows * m->width; i++) dx[i] = 0;
  if (dw[0] != NULL && m->fault == OVERWRITES_GRADIENT)
    for (int64_t d = 0; d < m->width; d++) dw[0][d] = 0;
  for (int64_t i = 0; i < outputs(m, shape); i++) {
    dx[place(m, shape, i)] = w[0][i % m->width] * dy[i] * (m->fault == WRONG_DX ? 1 + 1e-8 : 1);
    if (dw[0] != NULL) dw[0][i % m->width] += cache[i] * dy[i] * (m->fault == WRONG_GRADIENT ? 1 + 1e-8 : 1);
  }
  if (m->fault == NEEDS_GRADIENT && dw[0] == NULL) dx[0] += 1;
  if (m->fault == CHANGES_CACHE) ((double *)(uintptr_t)cache)[0] += 1;
  return LSQNET_OK;
}

static lsqnet_status scaling_jvp(const void *state, const lsqnet_mixer_shape *shape, const double *const *w,
                                 const double *x, const double *dx, const double *const *dw, double *dy,
                                 const double *cache, double *scratch) {
  const scaling *m = state;
  (void)x;
  (void)scratch;
  for (int64_t i = 0; i < outputs(m, shape); i++) {
    dy[i] = w[0][i % m->width] * dx[place(m, shape, i)] * (m->fault == WRONG_JVP ? 1 + 1e-8 : 1);
    if (dw[0] != NULL) dy[i] += dw[0][i % m->width] * cache[i];
  }
  return LSQNET_OK;
}

static lsqnet_status scaling_forward_f32(const void *state, const lsqnet_mixer_shape *shape, const float *const *w,
                                         const float *x, float *y, float *cache, float *scratch) {
  const scaling *m = state;
  (void)scratch;
  for (int64_t i = 0; i < outputs(m, shape); i++) {
    cache[i] = x[place(m, shape, i)];
    y[i] = w[0][i % m->width] * cache[i] * (m->fault == WRONG_SINGLE ? 1.001f : 1);
  }
  return LSQNET_OK;
}

static lsqnet_status scaling_backward_f32(const void *state, const lsqnet_mixer_shape *shape, const float *const *w,
                                          const float *x, const float *dy, float *dx, float *const *dw,
                                          const float *cache, float *scratch) {
  const scaling *m = state;
  (void)x;
  (void)scratch;
  for (int64_t i = 0; i < shape->batch * shape->rows * m->width; i++) dx[i] = 0;
  for (int64_t i = 0; i < outputs(m, shape); i++) {
    dx[place(m, shape, i)] = w[0][i % m->width] * dy[i];
    if (dw[0] != NULL) dw[0][i % m->width] += cache[i] * dy[i];
  }
  return LSQNET_OK;
}

static lsqnet_status scaling_initialize(const void *state, int64_t index, uint64_t seed, double *values) {
  const scaling *m = state;
  (void)index;
  for (int64_t d = 0; d < m->width; d++) values[d] = (double)seed + (m->fault == RESTLESS_START ? ++calls : 0);
  return LSQNET_OK;
}

static lsqnet_status scaling_config(const void *state, char *text, uint64_t capacity, uint64_t *needed) {
  const int fault = ((const scaling *)state)->fault;
  *needed = 1 + (uint64_t)snprintf(text, (size_t)capacity, "{\"n\":%d}", fault == FORGETS_CONFIG ? ++calls % 10 : 0);
  return LSQNET_OK;
}

static int run(int fault, char *report, size_t capacity) {
  lsqnet_context *context = NULL;
  const lsqnet_mixer_sizes sizes = {sizeof sizes, 1, 5, 4, 1, 1, 0, 0};
  const lsqnet_mixer mixer = {.size = sizeof mixer,
                              .name = "scaling",
                              .user = &fault,
                              .create = scaling_create,
                              .destroy = free,
                              .parameter_count = scaling_parameter_count,
                              .parameter = scaling_parameter,
                              .workspace = scaling_workspace,
                              .forward_f64 = scaling_forward,
                              .backward_f64 = scaling_backward,
                              .forward_f32 = scaling_forward_f32,
                              .backward_f32 = scaling_backward_f32,
                              .jvp_f64 = scaling_jvp,
                              .initialize = scaling_initialize,
                              .config = scaling_config};
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  const int broken = lsqnet_mixer_conformance(&mixer, context, &sizes, "{}", report, capacity);
  lsqnet_context_destroy(context);
  return broken;
}

START_TEST(a_right_mixer_passes) {
  char report[4096];
  ck_assert_msg(run(NONE, report, sizeof report) == 0, "%s", report);
  ck_assert_ptr_nonnull(strstr(report, "claims hold"));
}
END_TEST

START_TEST(a_fault_is_found_and_named) {
  char report[4096];
  ck_assert_int_gt(run(_i, report, sizeof report), 0);
  ck_assert_msg(strstr(report, found[_i]) != NULL, "not \"%s\" but: %s", found[_i], report);
}
END_TEST

START_TEST(a_report_stays_within_its_capacity) {
  char report[40];
  memset(report, '#', sizeof report);
  ck_assert_int_gt(run(WRONG_DX, report, 20), 0);
  ck_assert_uint_eq(strlen(report), 19);
  ck_assert_int_eq(report[20], '#');
  ck_assert_int_gt(run(WRONG_DX, NULL, 0), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("conformance");
  TCase *tests = tcase_create("conformance");
  tcase_add_test(tests, a_right_mixer_passes);
  tcase_add_loop_test(tests, a_fault_is_found_and_named, NONE + 1, FAULTS);
  tcase_add_test(tests, a_report_stays_within_its_capacity);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
