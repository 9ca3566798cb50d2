#include "model_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "error.h"
#include "input.h"

enum { FIELDS = 5, FIELD_TEXT = 128, CONFIG_MOST = 1 << 20 };

/* Text between colons, taken apart. */
typedef struct {
  char text[FIELD_TEXT];
  char *words[FIELDS];
  int count;
} fields;

static int split_fields(fields *f, const char *option, const char *text) {
  f->count = 0;
  if (strlen(text) >= sizeof f->text) return fail(CODE_USAGE, "option %s: \"%.40s...\" is too long", option, text);
  strcpy(f->text, text);
  for (char *at = f->text; at != NULL; f->count++) {
    if (f->count == FIELDS) return fail(CODE_USAGE, "option %s: \"%s\" has too many fields", option, text);
    f->words[f->count] = at;
    at = strchr(at, ':');
    if (at != NULL) *at++ = '\0';
  }
  return CODE_DONE;
}

/* "20x5" */
static int read_sizes(char *word, int64_t *rows, int64_t *dim) {
  char *cross = strchr(word, 'x');
  if (cross == NULL) return -1;
  *cross = '\0';
  return decimal_read_integer(word, rows) == 0 ? decimal_read_integer(cross + 1, dim) : -1;
}

/* `name` alone is the exact model of a size that serves most problems in few prompts. */
static int construct(lsqnet_model **out, lsqnet_context *context, const char *name) {
  int code = CODE_DONE;
  fields f;
  lsqnet_construct_options options;
  lsqnet_status st = lsqnet_construct_options_init(&options, sizeof options);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(split_fields(&f, "--model", strcmp(name, "exact") == 0 ? "exact:64x16" : name));
  if (f.count < 2 || f.count > 4 || read_sizes(f.words[1], &options.rows, &options.dim) != 0) {
    return fail(CODE_USAGE, "model \"%s\" is not exact or exact:LxD[:MIXER[:PROMPT]]", name);
  }
  if (f.count > 2) options.mixer = f.words[2];
  if (f.count > 3) options.prompt = f.words[3];
  if (f.count == 3 && strcmp(f.words[2], "base_conv") == 0) options.prompt = "repeat";
  st = lsqnet_model_construct_gradient(out, context, &options);
  if (st != LSQNET_OK) return fail_library(CODE_USAGE, st, name);
done:
  return code;
}

const char *output_name(int32_t output) {
  static const char *const names[] = {"none", "gradient", "iterate", "solution"};
  return output >= 0 && output < 4 ? names[output] : "unknown";
}

/* Fills the load options from "gradient:query_first:20x5:0.5:4"; their texts lie in `f`. */
static int read_step(lsqnet_load_options *options, fields *f, const char *text) {
  int code = CODE_DONE;
  TRY(split_fields(f, "--step-of", text));
  for (int32_t output = LSQNET_OUTPUT_GRADIENT; output <= LSQNET_OUTPUT_SOLUTION; output++) {
    if (strcmp(f->words[0], output_name(output)) == 0) options->output = output;
  }
  int good = options->output != 0 && f->count >= 3 && read_sizes(f->words[2], &options->rows, &options->dim) == 0;
  good = good && (f->count < 4 || decimal_read(f->words[3], &options->step) == DECIMAL_OK);
  good = good && (f->count < 5 || decimal_read_integer(f->words[4], &options->iterates) == 0);
  if (!good) {
    return fail(CODE_USAGE, "option --step-of: \"%s\" is not (gradient|iterate|solution):PROMPT:LxD[:STEP[:ITERATES]]",
                text);
  }
  options->prompt = f->words[1];
done:
  return code;
}

static int read_config(char **out, const char *path) {
  int code = CODE_DONE;
  input in = {0};
  int64_t got = 0;
  TRY(input_open(&in, path));
  *out = calloc(CONFIG_MOST + 1, 1);
  if (*out == NULL) {
    code = fail_memory("a configuration");
    goto done;
  }
  TRY(input_bytes(&in, *out, CONFIG_MOST, &got));
  if (got == CONFIG_MOST || (int64_t)strlen(*out) != got) {
    code = fail_at(CODE_INPUT, path, 0, "not a configuration: longer than %d bytes, or not text", CONFIG_MOST);
  }
done:
  input_close(&in);
  return code;
}

static int load(lsqnet_model **out, lsqnet_context *context, const model_source *source) {
  int code = CODE_DONE;
  char *config = NULL;
  fields f;
  lsqnet_load_options options;
  lsqnet_status st = lsqnet_load_options_init(&options, sizeof options);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  if (source->step != NULL) TRY(read_step(&options, &f, source->step));
  if (source->config != NULL) TRY(read_config(&config, source->config));
  options.config = config;
  st = lsqnet_model_load(out, context, source->name, &options);
  if (st != LSQNET_OK) code = fail_library(CODE_INPUT, st, source->name);
done:
  free(config);
  return code;
}

int model_open(lsqnet_model **out, lsqnet_context *context, const model_source *source) {
  const char *name = source->name;
  const int constructed = strncmp(name, "exact", 5) == 0 && (name[5] == ':' || name[5] == '\0');
  return constructed ? construct(out, context, source->name) : load(out, context, source);
}
