/* Trajectories recorded from the reference implementation (golden/README.md): a custom task deals out the recorded
 * batches, and the recorded cosine metric takes the place of a measured one. */
#include <check.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden_file.h"
#include "store/model_file.h"
#include "train/trainer.h"

/* What the files' README asks for. */
static const double LOSS_TOLERANCE = 1e-10, WEIGHT_TOLERANCE = 1e-9;

static const char *const FILES[] = {"train_adam_adaptive_ema", "train_adam_step_noema", "train_adamw_step_ema",
                                    "train_linear_attention", "train_sgd_step"};
enum { FILE_COUNT = sizeof FILES / sizeof *FILES };

/* The recorded batches. */
typedef struct {
  double *inputs, *targets;
  int64_t batch, in_size, target_size;
} recording;

static lsqnet_status deal(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                          double *target) {
  const recording *r = user;
  const int64_t sample = (int64_t)step * r->batch + first;
  (void)seed;
  memcpy(x, r->inputs + sample * r->in_size, (size_t)(count * r->in_size) * sizeof *x);
  memcpy(target, r->targets + sample * r->target_size, (size_t)(count * r->target_size) * sizeof *target);
  return LSQNET_OK;
}

typedef struct {
  unsigned char *bytes;
  uint64_t size;
} memory;

static lsqnet_status append(void *user, const void *data, uint64_t bytes) {
  memory *m = user;
  m->bytes = realloc(m->bytes, (size_t)(m->size + bytes));
  ck_assert_ptr_nonnull(m->bytes);
  memcpy(m->bytes + m->size, data, (size_t)bytes);
  m->size += bytes;
  return LSQNET_OK;
}

/* The param0 tensors without their prefix, as a user's file with the reference's names. */
static lsqnet_model *load_start(const golden_file *g) {
  static const char prefix[] = "param0.";
  memory m = {0};
  lsqnet_model *model = NULL;
  lsq_values weights[64];
  int64_t count = 0;
  const lsq_text text = {"config", lsq_archive_text(&g->archive, "config")};
  for (int64_t i = 0; i < g->archive.count; i++) {
    const lsq_array *array = &g->archive.arrays[i];
    if (strncmp(array->name, prefix, sizeof prefix - 1) != 0) continue;
    ck_assert_int_lt(count, 64);
    weights[count++] = (lsq_values){.name = array->name + sizeof prefix - 1,
                                    .rank = array->rank,
                                    .shape = array->shape,
                                    .count = array->count,
                                    .dtype = LSQNET_F64,
                                    .values = golden_values(g, array->name, NULL)};
  }
  ck_assert_int_eq(lsq_safetensors_write(g->context, &text, 1, weights, count, append, &m), LSQNET_OK);
  ck_assert_msg(lsqnet_model_load_memory(&model, g->context, m.bytes, m.size, NULL) == LSQNET_OK, "%s",
                lsqnet_last_message());
  for (int64_t i = 0; i < count; i++) free((void *)(uintptr_t)weights[i].values);
  free(m.bytes);
  return model;
}

/* Options from the metadata. */

static json_t *metadata(const golden_file *g, const char *key) {
  json_t *object = json_loads(lsq_archive_text(&g->archive, key), JSON_DECODE_ANY, NULL);
  ck_assert_ptr_nonnull(object);
  return object;
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  ck_assert_msg(json_is_number(value), "%s", key);
  return json_number_value(value);
}

/* Texts live as long as the objects. */
static lsqnet_train_options read_options(const json_t *optimizer, const json_t *schedule, const json_t *ema,
                                         double clip) {
  lsqnet_train_options o;
  ck_assert_int_eq(lsqnet_train_options_init(&o, sizeof o), LSQNET_OK);
  o.optimizer = json_string_value(json_object_get(optimizer, "name"));
  o.rate = number(optimizer, "lr");
  o.weight_decay = number(optimizer, "weight_decay");
  o.epsilon = number(optimizer, "eps");
  o.momentum = number(optimizer, "sgd_momentum");
  o.beta1 = json_number_value(json_array_get(json_object_get(optimizer, "betas"), 0));
  o.beta2 = json_number_value(json_array_get(json_object_get(optimizer, "betas"), 1));
  o.schedule = json_string_value(json_object_get(schedule, "name"));
  o.schedule_steps = (int64_t)number(schedule, "step_size");
  o.gamma = number(schedule, "gamma");
  o.rate_floor = number(schedule, "threshold");
  o.metric_decay = number(schedule, "metric_lambda");
  o.metric_threshold = number(schedule, "metric_threshold");
  o.no_increase_steps = (int64_t)number(schedule, "no_increase_length");
  o.metric_every = 1;
  o.clip = clip;
  if (json_object_size(ema) == 0) return o;
  o.ema_decay = number(ema, "decay");
  o.ema_lambda = number(ema, "lambda");
  return o;
}

static lsqnet_task *make_task(const golden_file *g, recording *r) {
  const lsq_array *inputs = lsq_archive_find(&g->archive, "inputs"),
                  *targets = lsq_archive_find(&g->archive, "targets");
  lsqnet_task *task = NULL;
  const int64_t *in = inputs->shape, *out = targets->shape;
  const lsqnet_task_shape shape = {.size = sizeof shape,
                                   .rows = in[2],
                                   .in_width = in[3],
                                   .out_width = out[3],
                                   .stride = 1,
                                   .count = out[2],
                                   .scored = out[3]};
  *r = (recording){.inputs = golden_values(g, "inputs", NULL),
                   .targets = golden_values(g, "targets", NULL),
                   .batch = in[1],
                   .in_size = in[2] * in[3],
                   .target_size = out[2] * out[3]};
  ck_assert_int_eq(lsqnet_task_create_custom(&task, g->context, "recorded", &shape, deal, r), LSQNET_OK);
  return task;
}

static lsqnet_trainer *make_trainer(const golden_file *g, lsqnet_model *model, lsqnet_task *task, int64_t batch,
                                    int64_t steps) {
  json_t *optimizer = metadata(g, "optimizer"), *schedule = metadata(g, "scheduler");
  json_t *ema = metadata(g, "gradient_ema"), *clip = metadata(g, "clip_max_norm");
  lsqnet_train_options o = read_options(optimizer, schedule, ema, json_number_value(clip));
  lsqnet_trainer *trainer = NULL;
  o.batch = batch;
  o.steps = steps;
  ck_assert_msg(lsqnet_trainer_create(&trainer, model, task, &o) == LSQNET_OK, "%s", lsqnet_last_message());
  json_decref(optimizer);
  json_decref(schedule);
  json_decref(ema);
  json_decref(clip);
  return trainer;
}

/* Steps through the recording. */
static void follow(const golden_file *g, lsqnet_trainer *trainer, int64_t steps) {
  double *losses = golden_values(g, "losses", NULL), *rates = golden_values(g, "learning_rates", NULL);
  double *norms = golden_values(g, "grad_norms_before_clip", NULL), *metric = golden_values(g, "cosine_metric", NULL);
  lsqnet_progress p = {.size = sizeof p};
  trainer->recorded_metric = metric;
  for (int64_t i = 0; i < steps; i++) {
    ck_assert_msg(lsqnet_trainer_step(trainer, &p) == LSQNET_OK, "%s", lsqnet_last_message());
    ck_assert_int_eq(p.step, i + 1);
    ck_assert_msg(fabs(p.loss - losses[i]) <= LOSS_TOLERANCE * losses[i], "step %lld: loss %.17g, not %.17g",
                  (long long)i, p.loss, losses[i]);
    ck_assert_msg(fabs(p.gradient_norm - norms[i]) <= LOSS_TOLERANCE * norms[i], "step %lld: norm %.17g, not %.17g",
                  (long long)i, p.gradient_norm, norms[i]);
    ck_assert_msg(p.rate == rates[i], "step %lld: rate %.17g, not %.17g", (long long)i, p.rate, rates[i]);
  }
  trainer->recorded_metric = NULL;
  ck_assert_int_eq(p.skipped, 0);
  free(losses);
  free(rates);
  free(norms);
  free(metric);
}

static void compare_weights(const golden_file *g, const lsqnet_model *model) {
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    char name[256];
    int64_t count = 0;
    ck_assert_int_eq(lsqnet_model_get_parameter(model, i, &p, sizeof p), LSQNET_OK);
    (void)snprintf(name, sizeof name, "param_final.%s", p.reference_name);
    double *wanted = golden_values(g, name, &count), *got = malloc((size_t)count * sizeof *got);
    ck_assert_int_eq(lsqnet_model_read_parameter(model, i, got, count), LSQNET_OK);
    const double distance = golden_distance(count, got, wanted);
    ck_assert_msg(distance <= WEIGHT_TOLERANCE, "%s: %g", name, distance);
    free(wanted);
    free(got);
  }
}

START_TEST(trajectories_are_the_reference_implementations) {
  golden_file g = golden_open(FILES[_i]);
  const lsq_array *inputs = lsq_archive_find(&g.archive, "inputs");
  recording r;
  lsqnet_model *model = load_start(&g);
  lsqnet_task *task = make_task(&g, &r);
  const int64_t steps = inputs->shape[0];
  lsqnet_trainer *trainer = make_trainer(&g, model, task, r.batch, steps);
  follow(&g, trainer, steps);
  compare_weights(&g, model);
  lsqnet_trainer_destroy(trainer);
  lsqnet_task_destroy(task);
  lsqnet_model_destroy(model);
  free(r.inputs);
  free(r.targets);
  golden_close(&g);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("train_golden");
  TCase *tc = tcase_create("trajectories");
  tcase_add_loop_test(tc, trajectories_are_the_reference_implementations, 0, FILE_COUNT);
  suite_add_tcase(suite, tc);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
