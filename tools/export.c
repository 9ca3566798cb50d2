/* lsqnet export: a model as one C file that needs nothing else. */
#include "export.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "json.h"
#include "model_source.h"
#include "options.h"
#include "output.h"

static const char about[] =
    "Writes a model as one C99 file without dependencies, for microcontrollers and whoever wants no library: weights,\n"
    "forward and, if the model takes a step, a loop of steps. It allocates nothing and calls of libm only what the "
    "model's\n"
    "layers need; models of linear attention or base_conv alone need nothing but + and *.\n";

typedef struct {
  model_source source;
  const char *out, *name;
  int32_t dtype; /* 0: the model's */
  int json;
} export_settings;

static int read_settings(export_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  const option options[] = {
      {OPTION_TEXT, "-o", "FILE.c", "where the file goes; needed", &s->out, 0.0},
      {OPTION_TEXT, "--name", "NAME", "what its functions begin with (default: the name of FILE)", &s->name, 0.0},
      {OPTION_CHOICE, "--dtype", "f32|f64", "convert the weights (default: as the model has them)", &s->dtype,
       LSQNET_F32},
      MODEL_OPTIONS(&s->source),
      {OPTION_FLAG, "--json", NULL, "describe the file as one JSON object", &s->json, 0.0},
      {OPTION_END, NULL, NULL, NULL, NULL, 0.0}};
  const command_line line = {"export MODEL -o FILE.c [options]", about, options, 1, 1};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, helped));
  if (*helped) return CODE_DONE;
  s->source.name = files[0];
  if (s->out == NULL) return fail(CODE_USAGE, "option -o is missing: where the file goes");
  if (s->json && strcmp(s->out, "-") == 0) return fail(CODE_USAGE, "option --json: the file is on standard output");
done:
  return code;
}

/* A C name from --name, which must be one, or from the name of a file, which becomes one. */
static int choose_name(export_model *e, const export_settings *s) {
  const char *file = strcmp(s->out, "-") == 0 ? s->source.name : s->out, *slash = strrchr(file, '/');
  const char *from = s->name != NULL ? s->name : slash == NULL ? file : slash + 1;
  size_t used = 0;
  if (s->name == NULL && !isalpha((unsigned char)*from)) e->name[used++] = 'm';
  for (; *from != '\0' && (s->name != NULL || *from != '.') && used + 1 < sizeof e->name; from++, used++) {
    const int good = *from == '_' || (isalnum((unsigned char)*from) && (used > 0 || isalpha((unsigned char)*from)));
    if (s->name != NULL && !good) return fail(CODE_USAGE, "option --name: \"%.80s\" is not a name in C", s->name);
    e->name[used] = good ? *from : '_';
  }
  if (s->name != NULL && *from != '\0') return fail(CODE_USAGE, "option --name: \"%.80s\" is too long", s->name);
  for (size_t i = 0; i < used; i++) e->upper[i] = (char)toupper((unsigned char)e->name[i]);
  return CODE_DONE;
}

static int read_mixer(export_model *e) {
  static const char *const mixers[] = {"attention", "base_conv", "identity"}, *const filters[] = {"short", "long",
                                                                                                  "implicit"};
  int known = 0;
  for (int i = 0; i < 3; i++) {
    if (strcmp(e->options.mixer, mixers[i]) != 0) continue;
    e->mixer = (export_mixer)i;
    known = 1;
  }
  if (!known) return fail_at(CODE_INPUT, e->source, 0, "mixer \"%.64s\" has no form as a C file", e->options.mixer);
  json_t *config = json_loads(e->options.mixer_config == NULL ? "{}" : e->options.mixer_config, 0, NULL);
  const json_t *heads = json_object_get(config, "heads"), *filter = json_object_get(config, "filter");
  const int built = e->mixer != MIXER_IDENTITY; /* what is not said is true */
  e->shifted = json_integer_value(json_object_get(config, "shifted"));
  e->heads = json_is_integer(heads) ? json_integer_value(heads) : 1;
  e->softmax = built && !json_is_false(json_object_get(config, "softmax"));
  e->causal = built && !json_is_false(json_object_get(config, "causal"));
  for (int i = 0; json_is_string(filter) && i < 3; i++)
    if (strcmp(json_string_value(filter), filters[i]) == 0) e->filter = (export_filter)i;
  json_decref(config);
  return CODE_DONE;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Numbers that the file's functions work in: what write_forward and write_iterate lay out. */
static int count_work(export_model *e) {
  const lsqnet_model_options *o = &e->options;
  const int64_t square = o->rows * o->width, hidden = square * o->mlp_factor;
  const int64_t mixers[] = {4 * square + o->rows, 3 * square, 0};
  const int64_t mlps[] = {0, hidden, hidden, 3 * hidden};
  e->work = (2 + e->norms) * square + larger(mixers[e->mixer], mlps[o->mlp]);
  if (e->prompt_rows > 0) e->work += e->prompt_rows * o->in_width + o->out_width;
  if (e->work > INT32_MAX || lsqnet_model_weight_count(e->model) > INT32_MAX)
    return fail_at(CODE_INPUT, e->source, 0, "too large for a C file: %lld numbers to work in, %lld weights",
                   (long long)e->work, (long long)lsqnet_model_weight_count(e->model));
  return CODE_DONE;
}

static int describe(export_model *e) {
  int code = CODE_DONE;
  lsqnet_status st = lsqnet_model_get_options(e->model, &e->options, sizeof e->options);
  if (st == LSQNET_OK) st = lsqnet_model_get_step(e->model, &e->step, sizeof e->step);
  if (st == LSQNET_OK && e->step.output != LSQNET_OUTPUT_NONE && e->step.prompt != NULL)
    st = lsqnet_prompt_shape(e->step.prompt, e->step.rows, e->step.dim, &e->prompt_rows, NULL, NULL);
  if (st != LSQNET_OK) return fail_status(st, e->source);
  TRY(read_mixer(e));
  const lsqnet_model_options *o = &e->options;
  const int mlp = o->mlp != LSQNET_MLP_NONE;
  e->norms = (o->mixer_norm && o->layers > 0) || (mlp && o->mlp_norm && o->layers > 0) || o->final_norm;
  e->calls_libm = e->norms || (e->mixer == MIXER_ATTENTION && e->softmax) || o->mlp > LSQNET_MLP_RELU;
  TRY(count_work(e));
done:
  return code;
}

static int write_file(const export_model *e, const char *path) {
  int code = CODE_DONE;
  output out = {0};
  TRY(output_open(&out, path));
  TRY(export_write_code(out.file, e));
  TRY(output_commit(&out));
done:
  output_close(&out);
  return code;
}

static int convert(lsqnet_model **model, const export_settings *s) {
  lsqnet_model *converted = NULL;
  if (s->dtype == 0) return CODE_DONE;
  const lsqnet_status st = lsqnet_model_convert(&converted, *model, s->dtype);
  if (st != LSQNET_OK) return fail_status(st, s->source.name);
  lsqnet_model_destroy(*model);
  *model = converted;
  return CODE_DONE;
}

static int print_json(const export_model *e, const char *out) {
  return json_print(json_pack("{s:o, s:s, s:s, s:I, s:I, s:b, s:b}", "out", json_text(out), "name", e->name, "dtype",
                              e->options.dtype == LSQNET_F32 ? "float32" : "float64", "work", (json_int_t)e->work,
                              "weights", (json_int_t)lsqnet_model_weight_count(e->model), "libm", e->calls_libm,
                              "iterate", e->prompt_rows > 0));
}

int export_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  export_settings settings = {0};
  export_model e = {0};
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL;
  TRY(read_settings(&settings, argc, argv, &helped));
  if (helped) goto done;
  TRY(choose_name(&e, &settings));
  lsqnet_status st = lsqnet_context_create(&context, NULL);
  if (st != LSQNET_OK) {
    code = fail_status(st, NULL);
    goto done;
  }
  TRY(model_open(&model, context, &settings.source));
  TRY(convert(&model, &settings));
  e.model = model;
  e.source = settings.source.name;
  TRY(describe(&e));
  TRY(write_file(&e, settings.out));
  if (settings.json) TRY(print_json(&e, settings.out));
done:
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return code;
}
