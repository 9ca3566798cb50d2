/* Small runs for tests of training. */
#ifndef TESTS_TRAINING_H
#define TESTS_TRAINING_H

#include <check.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 6, DIM = 2, BATCH = 300 }; /* three chunks */

typedef struct {
  lsqnet_context *context;
  lsqnet_task *task;
  lsqnet_model *model;
  lsqnet_train_options options;
} setting;

static inline void ok(lsqnet_status st) { ck_assert_msg(st == LSQNET_OK, "%s", lsqnet_last_message()); }

static inline void assert_says(const char *text) {
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "\"%s\" is not in \"%s\"", text, lsqnet_last_message());
}

static inline lsqnet_model *make_model(lsqnet_context *context, const lsqnet_task *task, int32_t dtype) {
  lsqnet_model_options o;
  lsqnet_task_shape shape;
  lsqnet_model *model = NULL;
  ok(lsqnet_model_options_init(&o, sizeof o));
  ok(lsqnet_task_get_shape(task, &shape, sizeof shape));
  o.rows = shape.rows;
  o.in_width = shape.in_width;
  o.out_width = shape.out_width;
  o.width = 8;
  o.layers = 2;
  o.dtype = dtype;
  ok(lsqnet_model_create(&model, context, &o));
  return model;
}

static inline setting setting_open(int32_t threads, int32_t dtype) {
  setting s = {0};
  lsqnet_context_options c;
  lsqnet_task_options t;
  ok(lsqnet_context_options_init(&c, sizeof c));
  c.threads = threads;
  ok(lsqnet_context_create(&s.context, &c));
  ok(lsqnet_task_options_init(&t, sizeof t));
  t.rows = ROWS;
  t.dim = DIM;
  ok(lsqnet_task_create(&s.task, s.context, &t));
  s.model = make_model(s.context, s.task, dtype);
  ok(lsqnet_train_options_init(&s.options, sizeof s.options));
  s.options.batch = BATCH;
  s.options.schedule = "constant";
  return s;
}

static inline void setting_close(setting *s) {
  lsqnet_model_destroy(s->model);
  lsqnet_task_destroy(s->task);
  lsqnet_context_destroy(s->context);
}

static inline lsqnet_trainer *start(const setting *s) {
  lsqnet_trainer *trainer = NULL;
  ok(lsqnet_trainer_create(&trainer, s->model, s->task, &s->options));
  return trainer;
}

/* All weights as doubles, to be freed. */
static inline double *read_weights(const lsqnet_model *model) {
  double *weights = (double *)calloc((size_t)lsqnet_model_weight_count(model), sizeof *weights);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    ok(lsqnet_model_get_parameter(model, i, &p, sizeof p));
    ok(lsqnet_model_read_parameter(model, i, weights + p.offset, p.count));
  }
  return weights;
}

static inline int same_weights(const lsqnet_model *a, const lsqnet_model *b) {
  double *left = read_weights(a), *right = read_weights(b);
  const int same = memcmp(left, right, (size_t)lsqnet_model_weight_count(a) * sizeof *left) == 0;
  free(left);
  free(right);
  return same;
}

/* Everything of the recipe at once. */
static inline void use_everything(lsqnet_train_options *o) {
  o->schedule = "adaptive";
  o->schedule_steps = 2;
  o->no_increase_steps = 3;
  o->metric_every = 3;
  o->metric_batches = 3;
  o->ema_lambda = 2;
  o->l1 = 1e-3;
  o->weight_decay = 1e-3;
  o->clip = 1;
  o->rows_start = 2;
  o->rows_increment = 1;
  o->rows_interval = 4;
  o->dims_start = 1;
  o->dims_increment = 1;
  o->dims_interval = 7;
}

#endif
