/* A small model with every part that there is, for tests of what is said about models. */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H

#include <check.h>
#include <lsqnet/lsqnet.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_mixer.h"

static lsqnet_context *context;
static tiny_faults faults;

static inline void open_context(void) {
  faults = (tiny_faults){0};
  const lsqnet_mixer tiny = tiny_mixer_table("tiny", &faults);
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  ck_assert_int_eq(lsqnet_context_register_mixer(context, &tiny), LSQNET_OK);
}

static inline void close_context(void) { lsqnet_context_destroy(context); }

/* Everything there is, small. */
static inline lsqnet_model_options full_options(void) {
  lsqnet_model_options o;
  ck_assert_int_eq(lsqnet_model_options_init(&o, sizeof o), LSQNET_OK);
  o.rows = 5;
  o.in_width = 3;
  o.out_width = 2;
  o.width = 4;
  o.layers = 2;
  o.mlp_factor = 3;
  o.mlp = LSQNET_MLP_GLU;
  o.mixer_norm = o.mlp_norm = o.final_norm = 1;
  o.mixer = "tiny";
  return o;
}

static inline lsqnet_model *create(const lsqnet_model_options *options) {
  lsqnet_model *model = NULL;
  ck_assert_msg(lsqnet_model_create(&model, context, options) == LSQNET_OK, "%s", lsqnet_last_message());
  return model;
}

static inline void assert_message_has(const char *text) {
  ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "\"%s\" is not in \"%s\"", text, lsqnet_last_message());
}

static inline void assert_refused(const lsqnet_model_options *options, lsqnet_status status, const char *text) {
  lsqnet_model *model = (lsqnet_model *)&model;
  ck_assert_int_eq(lsqnet_model_create(&model, context, options), status);
  ck_assert_ptr_null(model);
  assert_message_has(text);
}

static inline lsqnet_parameter parameter(const lsqnet_model *model, int64_t index) {
  lsqnet_parameter p;
  ck_assert_int_eq(lsqnet_model_get_parameter(model, index, &p, sizeof p), LSQNET_OK);
  return p;
}

/* Values of the parameter called `name`; to be freed. */
static inline double *values_of(const lsqnet_model *model, const char *name) {
  const int64_t index = lsqnet_model_find_parameter(model, name);
  ck_assert_msg(index >= 0, "no parameter %s", name);
  const int64_t count = parameter(model, index).count;
  double *values = (double *)malloc((size_t)count * sizeof *values);
  ck_assert_int_eq(lsqnet_model_read_parameter(model, index, values, count), LSQNET_OK);
  return values;
}

static inline int same_values(const lsqnet_model *a, const lsqnet_model *b, const char *name) {
  double *left = values_of(a, name), *right = values_of(b, name);
  const int64_t count = parameter(a, lsqnet_model_find_parameter(a, name)).count;
  const int same = memcmp(left, right, (size_t)count * sizeof *left) == 0;
  free(left);
  free(right);
  return same;
}

#endif
