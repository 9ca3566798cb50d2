/* Model files: what is saved is loaded, in our names and in the reference implementation's. */
#include <check.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "memory_file.h"
#include "store/safetensors.h"

static lsqnet_context *context;

static void setup(void) { ck_assert_ok(lsqnet_context_create(&context, NULL)); }
static void teardown(void) { lsqnet_context_destroy(context); }

static lsqnet_model *create(const lsqnet_model_options *given) {
  lsqnet_model *model = NULL;
  ck_assert_ok(lsqnet_model_create(&model, context, given));
  return model;
}

static lsqnet_model_options small_options(void) {
  lsqnet_model_options o;
  ck_assert_ok(lsqnet_model_options_init(&o, sizeof o));
  o.rows = 6;
  o.in_width = 3;
  o.out_width = 2;
  o.width = 8;
  o.layers = 2;
  o.seed = 7;
  return o;
}

static memory_file save(const lsqnet_model *model) {
  memory_file m = {0};
  ck_assert_ok(lsqnet_model_save_stream(model, memory_append, &m));
  return m;
}

static lsqnet_model *load(const memory_file *m) {
  lsqnet_model *model = NULL;
  ck_assert_ok(lsqnet_model_load_memory(&model, context, m->bytes, m->size, NULL));
  return model;
}

/* Equal bits in every weight. */
static void assert_same_weights(const lsqnet_model *a, const lsqnet_model *b) {
  const int64_t count = lsqnet_model_parameter_count(a);
  ck_assert_int_eq(count, lsqnet_model_parameter_count(b));
  ck_assert_int_eq(lsqnet_model_weight_count(a), lsqnet_model_weight_count(b));
  for (int64_t i = 0; i < count; i++) {
    lsqnet_parameter p, q;
    ck_assert_ok(lsqnet_model_get_parameter(a, i, &p, sizeof p));
    ck_assert_ok(lsqnet_model_get_parameter(b, i, &q, sizeof q));
    ck_assert_str_eq(p.name, q.name);
    ck_assert_msg(p.frozen == q.frozen, "%s", p.name);
    ck_assert_int_eq(p.count, q.count);
    double *left = calloc((size_t)p.count, sizeof *left), *right = calloc((size_t)p.count, sizeof *right);
    ck_assert_ok(lsqnet_model_read_parameter(a, i, left, p.count));
    ck_assert_ok(lsqnet_model_read_parameter(b, i, right, p.count));
    ck_assert_mem_eq(left, right, (size_t)p.count * sizeof *left);
    free(left);
    free(right);
  }
}

static void assert_same_options(const lsqnet_model *a, const lsqnet_model *b) {
  lsqnet_model_options p, q;
  ck_assert_ok(lsqnet_model_get_options(a, &p, sizeof p));
  ck_assert_ok(lsqnet_model_get_options(b, &q, sizeof q));
  ck_assert_str_eq(p.mixer, q.mixer);
  p.mixer = q.mixer = p.mixer_config = q.mixer_config = NULL; /* the file has it complete */
  ck_assert_mem_eq(&p, &q, sizeof p);
}

static void assert_same_file(const memory_file *a, const memory_file *b) {
  ck_assert_uint_eq(a->size, b->size);
  ck_assert_mem_eq(a->bytes, b->bytes, (size_t)a->size);
}

/* Round trips. */

static const struct {
  const char *mixer, *config;
} MIXERS[] = {{"base_conv", NULL},
              {"base_conv", "{\"filter\":\"short\",\"causal\":false}"},
              {"base_conv", "{\"filter\":\"short\",\"causal\":true,\"taps\":2}"},
              {"base_conv", "{\"filter\":\"long\"}"},
              {"base_conv", "{\"filter\":\"long\",\"causal\":false}"},
              {"base_conv", "{\"filter\":\"implicit\"}"},
              {"attention", NULL},
              {"attention", "{\"heads\":4,\"causal\":false}"},
              {"attention", "{\"softmax\":false,\"heads\":2}"},
              {"identity", "{}"}};
enum { MIXER_COUNT = sizeof MIXERS / sizeof MIXERS[0] };

/* Each of the switches and numbers differs from its default in some variant. */
static lsqnet_model_options variant(int mixer, int number) {
  lsqnet_model_options o = small_options();
  o.mixer = MIXERS[mixer].mixer;
  o.mixer_config = MIXERS[mixer].config;
  o.dtype = number % 2 ? LSQNET_F32 : LSQNET_F64;
  o.mlp = number % 4;
  o.mlp_factor = 1 + number % 3;
  o.layers = number % 3;
  o.residual = number != 1;
  o.bias = number != 2;
  o.mixer_norm = number == 3 || number == 1;
  o.mlp_norm = number == 2;
  o.final_norm = number == 0 || number == 3;
  o.freeze_projections = number == 4;
  o.freeze_positions = number == 3;
  o.seed = number == 4 ? UINT64_MAX : (uint64_t)number;
  return o;
}

START_TEST(taps_of_each_block_are_loaded_again) {
  lsqnet_model_options options = small_options();
  options.layers = 2;
  options.mixer_config = "{\"taps\":[2,1],\"shift\":[2,1],\"shifted\":1}";
  lsqnet_model *model = create(&options);
  memory_file saved = save(model);
  lsqnet_model *loaded = load(&saved);
  assert_same_options(model, loaded);
  assert_same_weights(model, loaded);
  lsqnet_model_destroy(loaded);
  lsqnet_model_destroy(model);
  free(saved.bytes);
}
END_TEST

START_TEST(a_saved_model_is_loaded_bit_for_bit) {
  for (int number = 0; number < 5; number++) {
    const lsqnet_model_options options = variant(_i, number);
    lsqnet_model *model = create(&options);
    const int64_t last = lsqnet_model_parameter_count(model) - 1;
    if (number == 0) ck_assert_ok(lsqnet_model_freeze(model, last, 1));
    if (number == 4) ck_assert_ok(lsqnet_model_freeze(model, last, 0));
    memory_file saved = save(model);
    lsqnet_model *loaded = load(&saved);
    assert_same_options(model, loaded);
    assert_same_weights(model, loaded);
    memory_file again = save(loaded);
    assert_same_file(&saved, &again);
    free(saved.bytes);
    free(again.bytes);
    lsqnet_model_destroy(model);
    lsqnet_model_destroy(loaded);
  }
}
END_TEST

START_TEST(a_loaded_model_computes_the_same_bits) {
  lsqnet_model_options options = variant(_i, 3);
  options.dtype = LSQNET_F64;
  lsqnet_model *models[2] = {create(&options), NULL};
  memory_file saved = save(models[0]);
  models[1] = load(&saved);
  double x[2 * 6 * 3], y[2][2 * 6 * 2];
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 2, .rows = 6, .count = 6};
  for (int i = 0; i < 2 * 6 * 3; i++) x[i] = sin(i);
  for (int i = 0; i < 2; i++) {
    lsqnet_workspace *workspace = NULL;
    ck_assert_ok(lsqnet_workspace_create(&workspace, models[i]));
    ck_assert_ok(lsqnet_model_forward_f64(models[i], workspace, &shape, x, y[i]));
    lsqnet_workspace_destroy(workspace);
    lsqnet_model_destroy(models[i]);
  }
  ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
  free(saved.bytes);
}
END_TEST

/* A split prompt of L=5, D=1 fits the small model. */
static lsqnet_model_step small_step(double size) {
  return (lsqnet_model_step){.size = sizeof(lsqnet_model_step),
                             .output = LSQNET_OUTPUT_ITERATE,
                             .rows = 5,
                             .dim = 1,
                             .iterates = 3,
                             .step = size,
                             .task = "multistep_gd \xc3\xa9",
                             .prompt = "split"};
}

static void assert_step_survives(double size) {
  const lsqnet_model_options options = small_options();
  lsqnet_model *model = create(&options);
  const lsqnet_model_step set = small_step(size);
  lsqnet_model_step got;
  ck_assert_ok(lsqnet_model_set_step(model, &set));
  memory_file saved = save(model);
  lsqnet_model *loaded = load(&saved);
  ck_assert_ok(lsqnet_model_get_step(loaded, &got, sizeof got));
  ck_assert(got.output == set.output && got.rows == 5 && got.dim == 1 && got.iterates == 3);
  ck_assert_msg(got.step == size, "%.17g came back as %.17g", size, got.step);
  ck_assert_str_eq(got.task, set.task);
  ck_assert_str_eq(got.prompt, set.prompt);
  memory_file again = save(loaded);
  assert_same_file(&saved, &again);
  free(saved.bytes);
  free(again.bytes);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(loaded);
}

static const double STEPS[] = {0.5, 0.1, 1.0 / 3, 1, 1e-9, 123456789, 5e-324, DBL_MIN, DBL_MAX, 0.1 + 0.2};

START_TEST(the_step_survives_exactly) { assert_step_survives(STEPS[_i]); }
END_TEST

/* A locale that writes 0.5 as 0,5: an installed one, or one compiled here where localedef is to be had. */
static int comma_locale(void) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "lsqnet_comma"};
  if (system("test -e lsqnet_comma || localedef -i de_DE -f UTF-8 ./lsqnet_comma >/dev/null 2>&1") != 0)
    printf("no locale could be compiled\n");
  (void)setenv("LOCPATH", ".", 1);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (setlocale(LC_ALL, names[i]) != NULL) return 1;
  return 0;
}

START_TEST(numbers_do_not_depend_on_the_locale) {
  const lsqnet_model_options options = small_options();
  lsqnet_model *model = create(&options);
  const lsqnet_model_step step = small_step(0.1);
  ck_assert_ok(lsqnet_model_set_step(model, &step));
  memory_file plain = save(model);
  if (comma_locale()) {
    char text[8];
    (void)snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5");
    memory_file there = save(model);
    assert_same_file(&plain, &there);
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) assert_step_survives(STEPS[i]);
    free(there.bytes);
    (void)setlocale(LC_ALL, "C");
  }
  free(plain.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

/* The ways in and out. */

typedef struct {
  const memory_file *file;
  uint64_t at, piece;
} piecewise;

static lsqnet_status read_piece(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  piecewise *p = user;
  const uint64_t left = p->file->size - p->at, room = bytes < p->piece ? bytes : p->piece;
  *got = left < room ? left : room;
  memcpy(buffer, p->file->bytes + p->at, (size_t)*got);
  p->at += *got;
  return LSQNET_OK;
}

START_TEST(path_memory_and_stream_agree) {
  lsqnet_model_options options = small_options();
  options.width = 64; /* more than the first read takes */
  lsqnet_model *model = create(&options), *loaded = NULL;
  memory_file saved = save(model);
  unsigned char *copy = calloc(1, (size_t)saved.size);
  uint64_t needed = 0;
  ck_assert_uint_gt(saved.size, 2 * 65536);
  ck_assert_ok(lsqnet_model_save_memory(model, NULL, 0, &needed));
  ck_assert_uint_eq(needed, saved.size);
  ck_assert_ok(lsqnet_model_save_memory(model, copy, saved.size, &needed));
  ck_assert_mem_eq(copy, saved.bytes, (size_t)saved.size);
  ck_assert_ok(lsqnet_model_save(model, "test_store.safetensors"));
  ck_assert_ok(lsqnet_model_load(&loaded, context, "test_store.safetensors", NULL));
  assert_same_weights(model, loaded);
  lsqnet_model_destroy(loaded);
  static const uint64_t pieces[] = {1, 7, 65536, UINT64_MAX};
  for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
    piecewise p = {.file = &saved, .piece = pieces[i]};
    ck_assert_ok(lsqnet_model_load_stream(&loaded, context, read_piece, &p, NULL));
    assert_same_weights(model, loaded);
    lsqnet_model_destroy(loaded);
  }
  ck_assert_int_eq(remove("test_store.safetensors"), 0);
  free(copy);
  free(saved.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

/* Of the processor: other work on the machine does not count. */
static double milliseconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

START_TEST(a_model_of_width_64_loads_in_5_ms) {
  lsqnet_model_options options = small_options();
  options.rows = 21;
  options.width = 64;
  options.layers = 3;
  lsqnet_model *model = create(&options), *loaded = NULL;
  double best = INFINITY;
  ck_assert_ok(lsqnet_model_save(model, "test_store_time.safetensors"));
  for (int i = 0; i < 20; i++) { /* the best of them: the caches are everybody's */
    const double start = milliseconds();
    ck_assert_ok(lsqnet_model_load(&loaded, context, "test_store_time.safetensors", NULL));
    best = fmin(best, milliseconds() - start);
    lsqnet_model_destroy(loaded);
  }
  printf("loading a model of width 64: %.2f ms\n", best);
  if (getenv("LSQNET_TEST_SLOW") == NULL) ck_assert(best < 5); /* set under valgrind and sanitizers */
  ck_assert_int_eq(remove("test_store_time.safetensors"), 0);
  lsqnet_model_destroy(model);
}
END_TEST

/* Files with the reference's names. */

/* Our model's weights under the reference's names, with `extra` arrays after them. */
static memory_file save_as_reference(const lsqnet_model *model, const char *config, const lsq_values *extra,
                                     int64_t extra_count, int64_t leave_out) {
  memory_file m = {0};
  const int64_t count = lsqnet_model_parameter_count(model);
  lsq_values *arrays = calloc((size_t)(count + extra_count), sizeof *arrays);
  lsqnet_parameter *about = calloc((size_t)count, sizeof *about);
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++) {
    if (i == leave_out) continue;
    ck_assert_ok(lsqnet_model_get_parameter(model, i, &about[i], sizeof about[i]));
    double *values = calloc((size_t)about[i].count, sizeof *values);
    ck_assert_ok(lsqnet_model_read_parameter(model, i, values, about[i].count));
    arrays[used++] = (lsq_values){.name = about[i].reference_name,
                                  .rank = about[i].rank,
                                  .shape = about[i].shape,
                                  .count = about[i].count,
                                  .dtype = LSQNET_F64,
                                  .values = values};
  }
  for (int64_t i = 0; i < extra_count; i++) arrays[used + i] = extra[i];
  const lsq_text texts[] = {{"format", "pt"}, {"config", config}};
  ck_assert_ok(
      lsq_safetensors_write(context, texts, config != NULL ? 2 : 1, arrays, used + extra_count, memory_append, &m));
  for (int64_t i = 0; i < used; i++) free((void *)arrays[i].values);
  free(arrays);
  free(about);
  return m;
}

#define SIZES "\"n_dims\":3,\"n_positions\":6,\"n_embd\":8,\"n_layer\":2,\"n_head\":2,\"out_dims\":2"
static const char ATTENTION[] = "{" SIZES ",\"family\":\"gpt2\",\"in_dims\":null,\"use_mlps\":false,\"unknown\":[1]}";

static lsqnet_model *attention_model(void) {
  lsqnet_model_options o = small_options();
  o.mixer = "attention";
  o.mixer_config = "{\"heads\":2}";
  o.mixer_norm = o.final_norm = o.mlp_norm = 1;
  return create(&o);
}

START_TEST(a_file_of_the_reference_loads_and_its_masks_are_ignored) {
  lsqnet_model *model = attention_model(), *loaded = NULL;
  static const float ones[36];
  static const int64_t shape[] = {1, 1, 6, 6};
  const lsq_values masks[] = {
      {"_backbone.transformer.h.0.seq_mixer.bias", 4, shape, 36, LSQNET_F32, ones},
      {"_backbone.transformer.h.1.seq_mixer.bias", 4, shape, 36, LSQNET_F32, ones},
  };
  memory_file m = save_as_reference(model, ATTENTION, masks, 2, -1);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, NULL));
  assert_same_weights(model, loaded);
  memory_file ours = save(loaded);
  lsqnet_model *again = load(&ours);
  assert_same_weights(model, again);
  free(m.bytes);
  free(ours.bytes);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(loaded);
  lsqnet_model_destroy(again);
}
END_TEST

/* What the reference's constructor takes for keys that are not there. */
START_TEST(the_references_defaults_hold) {
  lsqnet_model_options o = small_options();
  lsqnet_model *loaded = NULL;
  o.in_width = o.out_width = 3;
  o.width = 128;
  o.layers = 12;
  o.mixer = "attention";
  o.mixer_config = "{\"heads\":8,\"softmax\":true,\"causal\":true}";
  o.mlp = LSQNET_MLP_GELU;
  o.mlp_factor = 4;
  o.mixer_norm = o.mlp_norm = o.final_norm = 1;
  o.seed = 0;
  lsqnet_model *model = create(&o);
  memory_file m = save_as_reference(model, "{\"n_dims\":3,\"n_positions\":6}", NULL, 0, -1);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, NULL));
  assert_same_options(model, loaded);
  lsqnet_model_options got;
  ck_assert_ok(lsqnet_model_get_options(loaded, &got, sizeof got));
  ck_assert_str_eq(got.mixer_config, o.mixer_config);
  free(m.bytes);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(loaded);
}
END_TEST

START_TEST(every_key_of_the_reference_is_heeded) {
  lsqnet_model_options o = small_options();
  lsqnet_model *loaded = NULL;
  o.in_width = 4;
  o.width = 6;
  o.layers = 1;
  o.mixer_config = "{\"filter\":\"long\",\"causal\":false}";
  o.mlp = LSQNET_MLP_GLU;
  o.mlp_factor = 3;
  o.residual = o.bias = 0;
  o.freeze_projections = o.freeze_positions = 1;
  o.seed = 0;
  lsqnet_model *model = create(&o);
  memory_file m = save_as_reference(
      model,
      "{\"n_dims\":9,\"in_dims\":4,\"out_dims\":2,\"n_positions\":6,\"n_embd\":6,\"n_layer\":1,\"n_head\":5,"
      "\"seq_op\":\"base_conv\",\"conv_type\":\"long\",\"causal\":false,\"use_mlps\":true,\"mlp_activ\":\"glu\","
      "\"mlp_upfactor\":3,\"use_resid\":false,\"use_bias\":false,\"use_seqop_ln\":false,\"use_mlp_ln\":false,"
      "\"use_final_ln\":false,\"train_proj\":false,\"train_pos\":false,\"use_softmax_for_attn\":false}",
      NULL, 0, -1);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, NULL));
  assert_same_options(model, loaded);
  assert_same_weights(model, loaded);
  free(m.bytes);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(loaded);
}
END_TEST

START_TEST(frozen_projections_and_positions_keep_their_stored_values) {
  lsqnet_model *model = attention_model(), *loaded = NULL;
  memory_file m =
      save_as_reference(model, "{" SIZES ",\"use_mlps\":false,\"train_proj\":false,\"train_pos\":false}", NULL, 0, -1);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, NULL));
  static const char *const frozen[] = {"read_in.weight", "read_in.bias", "read_out.weight", "read_out.bias",
                                       "positions.weight"};
  for (int i = 0; i < 5; i++)
    ck_assert_ok(lsqnet_model_freeze(model, lsqnet_model_find_parameter(model, frozen[i]), 1));
  assert_same_weights(model, loaded);
  free(m.bytes);
  lsqnet_model_destroy(model);
  lsqnet_model_destroy(loaded);
}
END_TEST

START_TEST(load_options_give_a_configuration_that_the_file_lacks) {
  lsqnet_model *model = attention_model(), *loaded = NULL;
  memory_file silent = save_as_reference(model, NULL, NULL, 0, -1),
              said = save_as_reference(model, ATTENTION, NULL, 0, -1);
  memory_file ours = save(model);
  lsqnet_load_options options;
  ck_assert_ok(lsqnet_load_options_init(&options, sizeof options));
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, silent.bytes, silent.size, &options), LSQNET_E_FORMAT,
                  "lsqnet_load_options.config");
  options.config = ATTENTION;
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, silent.bytes, silent.size, &options));
  assert_same_weights(model, loaded);
  lsqnet_model_destroy(loaded);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, said.bytes, said.size, &options));
  lsqnet_model_destroy(loaded);
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options), LSQNET_E_ARGUMENT,
                  "format lsqnet");
  options.config = "{\"n_dims\":3,\"n_positions\":7}";
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, said.bytes, said.size, &options), LSQNET_E_ARGUMENT,
                  "differ");
  options.config = "{\"n_dims\":";
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, silent.bytes, silent.size, &options), LSQNET_E_ARGUMENT,
                  "not JSON");
  free(silent.bytes);
  free(said.bytes);
  free(ours.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(load_options_complete_the_step_and_must_not_contradict_it) {
  lsqnet_model *model = attention_model(), *loaded = NULL;
  memory_file m = save_as_reference(model, ATTENTION, NULL, 0, -1);
  lsqnet_load_options options;
  lsqnet_model_step step;
  ck_assert_ok(lsqnet_load_options_init(&options, sizeof options));
  options.output = LSQNET_OUTPUT_ITERATE;
  options.rows = 5;
  options.dim = 1;
  options.step = 0.25;
  options.prompt = "split";
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, m.bytes, m.size, &options));
  ck_assert_ok(lsqnet_model_get_step(loaded, &step, sizeof step));
  ck_assert(step.output == LSQNET_OUTPUT_ITERATE && step.rows == 5 && step.dim == 1 && step.step == 0.25);
  ck_assert_int_eq(step.iterates, 1);
  memory_file ours = save(loaded);
  lsqnet_model_destroy(loaded);
  ck_assert_ok(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options));
  lsqnet_model_destroy(loaded);
  options.step = 0.5;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options), LSQNET_E_ARGUMENT,
                  "lsqnet.step is \"0.25\"");
  options.step = 0;
  options.rows = 4;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options), LSQNET_E_ARGUMENT,
                  "lsqnet.rows is \"5\"");
  options.rows = 0;
  options.output = LSQNET_OUTPUT_GRADIENT;
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options), LSQNET_E_ARGUMENT,
                  "lsqnet.output is \"iterate\"");
  options.output = 0;
  options.prompt = "repeat";
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, ours.bytes, ours.size, &options), LSQNET_E_ARGUMENT,
                  "lsqnet.prompt is \"split\"");
  free(m.bytes);
  free(ours.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

START_TEST(tensors_missing_or_left_over_are_named) {
  lsqnet_model *model = attention_model(), *loaded = NULL;
  static const double one = 1;
  static const int64_t size = 1;
  const lsq_values extra = {"_backbone.other", 1, &size, 1, LSQNET_F64, &one};
  const lsq_values mask_like = {"_backbone.transformer.h.x.seq_mixer.bias", 1, &size, 1, LSQNET_F64, &one};
  memory_file missing = save_as_reference(model, ATTENTION, NULL, 0, 4),
              more = save_as_reference(model, ATTENTION, &extra, 1, -1);
  const lsq_values no_number = {"_backbone.transformer.h..seq_mixer.bias", 1, &size, 1, LSQNET_F64, &one};
  memory_file like = save_as_reference(model, ATTENTION, &mask_like, 1, -1);
  memory_file bare = save_as_reference(model, ATTENTION, &no_number, 1, -1);
  lsqnet_parameter about;
  ck_assert_ok(lsqnet_model_get_parameter(model, 4, &about, sizeof about));
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, missing.bytes, missing.size, NULL), LSQNET_E_FORMAT,
                  about.reference_name);
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, more.bytes, more.size, NULL), LSQNET_E_FORMAT,
                  "tensor \"_backbone.other\"");
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, like.bytes, like.size, NULL), LSQNET_E_FORMAT, "h.x.seq");
  ck_assert_fails(lsqnet_model_load_memory(&loaded, context, bare.bytes, bare.size, NULL), LSQNET_E_FORMAT, "h..seq");
  ck_assert_ptr_null(loaded);
  free(missing.bytes);
  free(more.bytes);
  free(like.bytes);
  free(bare.bytes);
  lsqnet_model_destroy(model);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("store");
  TCase *tests = tcase_create("store");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, taps_of_each_block_are_loaded_again);
  tcase_add_loop_test(tests, a_saved_model_is_loaded_bit_for_bit, 0, MIXER_COUNT);
  tcase_add_loop_test(tests, a_loaded_model_computes_the_same_bits, 0, MIXER_COUNT);
  tcase_add_loop_test(tests, the_step_survives_exactly, 0, (int)(sizeof STEPS / sizeof STEPS[0]));
  tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
  tcase_add_test(tests, path_memory_and_stream_agree);
  tcase_add_test(tests, a_model_of_width_64_loads_in_5_ms);
  tcase_add_test(tests, a_file_of_the_reference_loads_and_its_masks_are_ignored);
  tcase_add_test(tests, the_references_defaults_hold);
  tcase_add_test(tests, every_key_of_the_reference_is_heeded);
  tcase_add_test(tests, frozen_projections_and_positions_keep_their_stored_values);
  tcase_add_test(tests, load_options_give_a_configuration_that_the_file_lacks);
  tcase_add_test(tests, load_options_complete_the_step_and_must_not_contradict_it);
  tcase_add_test(tests, tensors_missing_or_left_over_are_named);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failures = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
