/* lsqnet export: the weights as C tables. Numbers are written in hexadecimal: what a compiler reads is what the model
 * has, to the bit. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "export.h"

enum { NUMBERS_A_LINE = 6 };

/* A number of the model's precision. Products and sums of float32 numbers in float64, rounded once more, are those of
 * float32. */
static double narrow(const export_model *e, double number) {
  return e->options.dtype == LSQNET_F32 ? (double)(float)number : number;
}

static void write_table(FILE *out, const export_model *e, const char *name, int64_t count, const double *values) {
  const char *suffix = e->options.dtype == LSQNET_F32 ? "f" : "";
  export_print(out, e, "static const @real %s[%lld] = {", name, (long long)count);
  for (int64_t i = 0; i < count; i++)
    fprintf(out, "%s%a%s,", i % NUMBERS_A_LINE == 0 ? "\n  " : " ", values[i], suffix);
  fprintf(out, "\n};\n\n");
}

static void parameter_name(char *text, int64_t block, const char *name) {
  if (block >= 0)
    snprintf(text, EXPORT_TEXT - 1, "blocks.%lld.%s", (long long)block, name);
  else
    snprintf(text, EXPORT_TEXT - 1, "%s", name);
}

const char *export_table(const export_model *e, int64_t block, const char *name, char *text) {
  *text = '@';
  parameter_name(text + 1, block, name);
  if (lsqnet_model_find_parameter(e->model, text + 1) < 0) return "0";
  for (char *c = text; *c != '\0'; c++) *c = *c == '.' ? '_' : *c;
  return text;
}

/* The values of a parameter, to be freed; NULL, and a message, if they cannot be had. */
static double *read_values(const export_model *e, int64_t index, lsqnet_parameter *p) {
  lsqnet_status st = lsqnet_model_get_parameter(e->model, index, p, sizeof *p);
  double *values = st == LSQNET_OK ? calloc((size_t)p->count, sizeof *values) : NULL;
  if (st == LSQNET_OK && values == NULL) (void)fail_memory("a table of weights");
  if (values != NULL) st = lsqnet_model_read_parameter(e->model, index, values, p->count);
  if (st == LSQNET_OK) return values;
  (void)fail_status(st, e->source);
  free(values);
  return NULL;
}

static double *read_named(const export_model *e, int64_t block, const char *name, lsqnet_parameter *p) {
  char text[EXPORT_TEXT];
  parameter_name(text, block, name);
  return read_values(e, lsqnet_model_find_parameter(e->model, text), p);
}

static int64_t taps_of(const export_model *e, int64_t block) {
  char text[EXPORT_TEXT];
  lsqnet_parameter p;
  parameter_name(text, block, e->filter == FILTER_IMPLICIT ? "mixer.filter.features" : "mixer.filter.weight");
  const lsqnet_status st =
      lsqnet_model_get_parameter(e->model, lsqnet_model_find_parameter(e->model, text), &p, sizeof p);
  return st == LSQNET_OK ? p.shape[e->filter == FILTER_SHORT ? 2 : 1] : 0;
}

/* Rows that the block's shifted channels look further back. */
static int64_t shift_of(const export_model *e, int64_t block) {
  json_t *config = json_loads(e->options.mixer_config == NULL ? "{}" : e->options.mixer_config, 0, NULL);
  const json_t *all = json_object_get(config, "shift");
  const int64_t shift = json_integer_value(json_is_array(all) ? json_array_get(all, (size_t)block) : all);
  json_decref(config);
  return shift;
}

int export_lags(const export_model *e, int64_t block, int64_t *low, int64_t *high) {
  const int64_t taps = taps_of(e, block);
  const int centered = e->filter == FILTER_SHORT && !e->causal;
  if (taps < 1) return fail(CODE_OTHER, "%s: blocks.%lld has no filter", e->source, (long long)block);
  *low = centered ? -(taps - 1 - taps / 2) : 0;
  *high = (centered ? taps / 2 : taps - 1) + shift_of(e, block);
  return CODE_DONE;
}

/* The filter of weights (D,1,K) or (D,K) by lag: (count,D), which begins as zeros. */
static int filter_from_weights(const export_model *e, int64_t block, int64_t count, double *table) {
  lsqnet_parameter p;
  const int64_t D = e->options.width, taps = taps_of(e, block), shift = count - taps;
  double *w = read_named(e, block, "mixer.filter.weight", &p);
  if (w == NULL) return CODE_OTHER;
  for (int64_t tap = 0; tap < taps; tap++) {
    const int64_t row = e->filter == FILTER_SHORT ? taps - 1 - tap : tap;
    for (int64_t d = 0; d < D; d++) table[(row + (d < D - e->shifted ? 0 : shift)) * D + d] = w[d * taps + tap];
  }
  free(w);
  return CODE_DONE;
}

/* start + W x */
static double row_times(const export_model *e, int64_t n, const double *w, const double *x, double start) {
  for (int64_t i = 0; i < n; i++) start = narrow(e, start + narrow(e, w[i] * x[i]));
  return start;
}

/* The filter that a small perceptron makes of position features, W2 max(W1 f + b1, 0) + b2, with the roundings of the
 * model's precision. */
static int filter_from_features(const export_model *e, int64_t block, double *table) {
  int code = CODE_OTHER;
  const int64_t D = e->options.width;
  lsqnet_parameter f = {0}, h = {0}, p;
  double *features = read_named(e, block, "mixer.filter.features", &f);
  double *w1 = read_named(e, block, "mixer.filter.hidden.weight", &p);
  double *b1 = read_named(e, block, "mixer.filter.hidden.bias", &h);
  double *w2 = read_named(e, block, "mixer.filter.out.weight", &p);
  double *b2 = read_named(e, block, "mixer.filter.out.bias", &p);
  double *hidden = NULL;
  if (features == NULL || w1 == NULL || b1 == NULL || w2 == NULL || b2 == NULL) goto done;
  const int64_t F = f.shape[2], H = h.count;
  hidden = calloc((size_t)H, sizeof *hidden);
  if (hidden == NULL) goto done;
  for (int64_t k = 0; k < f.shape[1]; k++) {
    for (int64_t j = 0; j < H; j++) {
      const double a = row_times(e, F, w1 + j * F, features + k * F, b1[j]);
      hidden[j] = a < 0 ? 0 : a;
    }
    for (int64_t d = 0; d < D; d++) table[k * D + d] = row_times(e, H, w2 + d * H, hidden, b2[d]);
  }
  code = CODE_DONE;
done:
  free(features);
  free(w1);
  free(b1);
  free(w2);
  free(b2);
  free(hidden);
  return code;
}

/* The filter of a block by lag, with what `residual` adds at lag 0. */
static int write_filter(FILE *out, const export_model *e, int64_t block) {
  int code = CODE_DONE;
  int64_t low = 0, high = 0;
  char name[EXPORT_TEXT];
  double *table = NULL;
  TRY(export_lags(e, block, &low, &high));
  const int64_t D = e->options.width, count = high - low + 1;
  table = calloc((size_t)(count * D), sizeof *table);
  if (table == NULL) {
    code = fail_memory("a filter");
    goto done;
  }
  TRY(e->filter == FILTER_IMPLICIT ? filter_from_features(e, block, table)
                                   : filter_from_weights(e, block, count, table));
  for (int64_t d = 0; e->options.residual && d < D; d++) table[-low * D + d] = narrow(e, table[-low * D + d] + 1);
  snprintf(name, sizeof name, "@blocks_%lld_mixer_filter", (long long)block);
  write_table(out, e, name, count * D, table);
done:
  free(table);
  return code;
}

static int is_of_filter(const char *name) {
  const char *filter = strstr(name, ".mixer.filter.");
  return filter != NULL && strcmp(filter, ".mixer.filter.bias") != 0;
}

int export_write_tables(FILE *out, const export_model *e) {
  int code = CODE_DONE;
  for (int64_t i = 0; i < lsqnet_model_parameter_count(e->model); i++) {
    lsqnet_parameter p;
    char name[EXPORT_TEXT];
    double *values = read_values(e, i, &p);
    if (values == NULL) return CODE_OTHER;
    if (!is_of_filter(p.name)) write_table(out, e, export_table(e, -1, p.name, name), p.count, values);
    free(values);
  }
  for (int64_t i = 0; e->mixer == MIXER_BASE_CONV && i < e->options.layers; i++) TRY(write_filter(out, e, i));
done:
  return code;
}
