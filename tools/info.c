/* lsqnet info: what a model is and what its output means. */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "decimal.h"
#include "error.h"
#include "json.h"
#include "model_source.h"
#include "options.h"
#include "output.h"

static const char about[] =
    "Describes a model file: its sizes, its layers, what its output means, and its parameters. MODEL may also be\n"
    "exact:LxD[:MIXER[:PROMPT]], the model whose weights are set by formula.\n";

typedef struct {
  const char *name;
  const lsqnet_model *model;
  lsqnet_model_options options;
  lsqnet_model_step step;
} description;

static const char *dtype_name(int32_t dtype) { return dtype == LSQNET_F32 ? "float32" : "float64"; }

static const char *mlp_name(int32_t mlp) {
  static const char *const names[] = {"none", "relu", "gelu", "glu"};
  return mlp >= 0 && mlp < 4 ? names[mlp] : "unknown";
}

static int describe(description *d, const lsqnet_model *model, const char *name) {
  d->model = model;
  d->name = name;
  lsqnet_status st = lsqnet_model_get_options(model, &d->options, sizeof d->options);
  if (st == LSQNET_OK) st = lsqnet_model_get_step(model, &d->step, sizeof d->step);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, name);
}

/* "64 x 3 x 20" */
static void write_shape(char *text, size_t capacity, const lsqnet_parameter *p) {
  size_t length = 0;
  *text = '\0';
  for (int64_t i = 0; i < p->rank && length < capacity; i++) {
    int wrote = snprintf(text + length, capacity - length, "%s%lld", i > 0 ? " x " : "", (long long)p->shape[i]);
    length += (size_t)wrote;
  }
}

static void print_layers(const description *d) {
  const lsqnet_model_options *o = &d->options;
  printf("blocks      %lld of width %lld: %s %s\n", (long long)o->layers, (long long)o->width, o->mixer,
         o->mixer_config == NULL ? "" : o->mixer_config);
  printf("            %s skips", o->residual ? "with" : "without");
  if (o->mlp != LSQNET_MLP_NONE) printf(", MLP %s x%lld", mlp_name(o->mlp), (long long)o->mlp_factor);
  if (o->mixer_norm) printf(", LayerNorm before mixers");
  if (o->mlp_norm && o->mlp != LSQNET_MLP_NONE) printf(", LayerNorm before MLPs");
  if (o->final_norm) printf(", LayerNorm at the end");
  printf("\n");
}

static void print_step(const lsqnet_model_step *s) {
  if (s->output == LSQNET_OUTPUT_NONE) {
    printf("step        none that the file tells of\n");
    return;
  }
  printf("step        %s of a least-squares problem with %lld rows and %lld unknowns, prompt %s\n",
         output_name(s->output), (long long)s->rows, (long long)s->dim, s->prompt == NULL ? "not named" : s->prompt);
  if (s->task != NULL) printf("            task %s\n", s->task);
  if (s->output == LSQNET_OUTPUT_ITERATE) {
    char text[DECIMAL_TEXT];
    decimal_write(text, s->step);
    printf("            %lld gradient-descent iterate%s of step %s\n", (long long)s->iterates,
           s->iterates == 1 ? "" : "s", text);
  }
}

static int print_parameters(const description *d) {
  printf("parameters  %lld numbers\n", (long long)lsqnet_model_weight_count(d->model));
  for (int64_t i = 0; i < lsqnet_model_parameter_count(d->model); i++) {
    lsqnet_parameter p;
    char shape[128];
    lsqnet_status st = lsqnet_model_get_parameter(d->model, i, &p, sizeof p);
    if (st != LSQNET_OK) return fail_status(st, d->name);
    write_shape(shape, sizeof shape, &p);
    printf("  %-44s %s%s\n", p.name, shape, p.frozen ? ", frozen" : "");
  }
  return CODE_DONE;
}

static int print_text(const description *d) {
  int code = CODE_DONE;
  const lsqnet_model_options *o = &d->options;
  printf("%s\n", d->name);
  printf("precision   %s\n", dtype_name(o->dtype));
  printf("sequences   up to %lld rows, %lld channels in, %lld out\n", (long long)o->rows, (long long)o->in_width,
         (long long)o->out_width);
  print_layers(d);
  print_step(&d->step);
  TRY(print_parameters(d));
  return output_flush_standard();
done:
  return code;
}

static json_t *optional_text(const char *text) { return text == NULL ? json_null() : json_text(text); }

static json_t *step_json(const lsqnet_model_step *s) {
  if (s->output == LSQNET_OUTPUT_NONE) return json_null();
  return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:o}", "output", output_name(s->output), "task",
                   optional_text(s->task), "prompt", optional_text(s->prompt), "rows", (json_int_t)s->rows, "dim",
                   (json_int_t)s->dim, "iterates", (json_int_t)s->iterates, "step", json_number(s->step));
}

static json_t *parameters_json(const lsqnet_model *model) {
  json_t *list = json_array();
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    json_t *shape = json_array();
    if (lsqnet_model_get_parameter(model, i, &p, sizeof p) != LSQNET_OK) p.rank = 0;
    for (int64_t k = 0; k < p.rank; k++) json_append(&shape, json_integer(p.shape[k]));
    json_append(&list, json_pack("{s:o, s:o, s:o, s:b}", "name", json_text(p.name), "reference_name",
                                 optional_text(p.reference_name), "shape", shape, "frozen", p.frozen));
  }
  return list;
}

static json_t *layers_json(const lsqnet_model_options *o) {
  json_t *config = o->mixer_config == NULL ? json_object() : json_loads(o->mixer_config, 0, NULL);
  return json_pack("{s:I, s:I, s:o, s:o, s:s, s:I, s:b, s:b, s:b, s:b, s:b}", "count", (json_int_t)o->layers, "width",
                   (json_int_t)o->width, "mixer", json_text(o->mixer), "mixer_config", config, "mlp", mlp_name(o->mlp),
                   "mlp_factor", (json_int_t)o->mlp_factor, "residual", o->residual, "bias", o->bias, "mixer_norm",
                   o->mixer_norm, "mlp_norm", o->mlp_norm, "final_norm", o->final_norm);
}

static int print_json(const description *d) {
  const lsqnet_model_options *o = &d->options;
  return json_print(json_pack("{s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:o}", "model", json_text(d->name), "dtype",
                              dtype_name(o->dtype), "rows", (json_int_t)o->rows, "in_width", (json_int_t)o->in_width,
                              "out_width", (json_int_t)o->out_width, "layers", layers_json(o), "step",
                              step_json(&d->step), "weights", (json_int_t)lsqnet_model_weight_count(d->model),
                              "parameters", parameters_json(d->model)));
}

int info_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0, json = 0;
  model_source source = {0};
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL;
  description d;
  const option options[] = {MODEL_OPTIONS(&source),
                            {OPTION_FLAG, "--json", NULL, "print one JSON object", &json, 0.0},
                            {OPTION_END, NULL, NULL, NULL, NULL, 0.0}};
  const command_line line = {"info MODEL [options]", about, options, 1, 1};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, &helped));
  if (helped) goto done;
  source.name = files[0];
  lsqnet_status st = lsqnet_context_create(&context, NULL);
  if (st != LSQNET_OK) {
    code = fail_status(st, NULL);
    goto done;
  }
  TRY(model_open(&model, context, &source));
  TRY(describe(&d, model, source.name));
  TRY(json ? print_json(&d) : print_text(&d));
done:
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return code;
}
