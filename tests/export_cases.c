/* Cases for test_export.py: models, what goes into them, and what the library makes of it on its kernel level
 * "generic".
 *
 *   export_cases OUT_FOLDER MODEL.safetensors...
 *
 * writes for each model and for each case of its own OUT_FOLDER/NAME.safetensors and NAME.case, a C file to go behind
 * the exported NAME.c that has run_case(): the number of results whose bits are not the library's, for passes of
 * several shapes and for iterates. It prints "NAME DTYPE" a line: DTYPE is "-" or what the export has to convert to. */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONVERTED_MOST = 2500 }; /* weights of a shipped model that is converted too */

static const char *folder;
static lsqnet_context *context;

static void check(lsqnet_status status) {
  if (status == LSQNET_OK) return;
  fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  exit(EXIT_FAILURE);
}

static double uniform(void) {
  static uint64_t state = 1;
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(int64_t)(state >> 12) / (double)(INT64_C(1) << 51) - 1;
}

/* A case on its way into its file. */
typedef struct {
  const lsqnet_model *model;
  lsqnet_workspace *space;
  lsqnet_model_options options;
  FILE *out;
  int f32, tables;
  char calls[8192]; /* of run_case */
} writer;

static double in_precision(const writer *w, double number) { return w->f32 ? (double)(float)number : number; }

static int write_table(writer *w, int64_t count, const double *values) {
  fprintf(w->out, "static const number t%d[] = {", w->tables);
  for (int64_t i = 0; i < count; i++) fprintf(w->out, "%a%s,", values[i], w->f32 ? "f" : "");
  fprintf(w->out, "};\n");
  return w->tables++;
}

static void add_call(writer *w, const char *text) {
  if (strlen(w->calls) + strlen(text) >= sizeof w->calls) exit(EXIT_FAILURE);
  strcat(w->calls, text);
}

static double *random_numbers(const writer *w, int64_t count) {
  double *x = calloc((size_t)count, sizeof *x);
  for (int64_t i = 0; x != NULL && i < count; i++) x[i] = in_precision(w, uniform());
  return x;
}

static void forward(writer *w, const lsqnet_batch *s, const double *x, double *y) {
  const int64_t in = s->rows * w->options.in_width, out = s->count * w->options.out_width;
  float *xf = calloc((size_t)in, sizeof *xf), *yf = calloc((size_t)out, sizeof *yf);
  for (int64_t i = 0; i < in; i++) xf[i] = (float)x[i];
  check(w->f32 ? lsqnet_model_forward_f32(w->model, w->space, s, xf, yf)
               : lsqnet_model_forward_f64(w->model, w->space, s, x, y));
  for (int64_t i = 0; w->f32 && i < out; i++) y[i] = (double)yf[i];
  free(xf);
  free(yf);
}

static void add_pass(writer *w, int64_t rows, int64_t first, int64_t count) {
  const lsqnet_batch s = {.size = sizeof s, .batch = 1, .rows = rows, .first = first, .count = count};
  char call[256];
  double *x = random_numbers(w, rows * w->options.in_width);
  double *y = calloc((size_t)(count * w->options.out_width), sizeof *y);
  forward(w, &s, x, y);
  const int in = write_table(w, rows * w->options.in_width, x), out = write_table(w, count * w->options.out_width, y);
  snprintf(call, sizeof call, "  FORWARD(%d, %d, %d, t%d, y, work);\n  bad += differ(%d, y, t%d);\n", (int)rows,
           (int)first, (int)count, in, (int)(count * w->options.out_width), out);
  add_call(w, call);
  free(x);
  free(y);
}

/* Iterates as the exported loop makes them, by calls of the library. */
static void add_iterates(writer *w, const lsqnet_model_step *step, int steps) {
  const int64_t L = step->rows, D = step->dim, width = w->options.in_width;
  const int gradient = step->output == LSQNET_OUTPUT_GRADIENT;
  int64_t T = 0, row = 0;
  char call[256];
  check(lsqnet_prompt_shape(step->prompt, L, D, &T, NULL, &row));
  const lsqnet_batch s = {.size = sizeof s, .batch = 1, .rows = T, .first = row, .count = 1};
  double *a = random_numbers(w, L * D), *b = random_numbers(w, L), *x = random_numbers(w, D);
  double *prompt = calloc((size_t)(T * width), sizeof *prompt), *y = calloc((size_t)w->options.out_width, sizeof *y);
  const int ta = write_table(w, L * D, a), tb = write_table(w, L, b), tx = write_table(w, D, x);
  for (int i = 0; i < steps; i++) {
    check(lsqnet_prompt_fill_f64(step->prompt, L, D, a, D, b, x, prompt));
    forward(w, &s, prompt, y);
    for (int64_t j = 0; j < D; j++) x[j] = gradient ? in_precision(w, x[j] - in_precision(w, 0.25 * y[j])) : y[j];
  }
  const int end = write_table(w, D, x);
  snprintf(
      call, sizeof call,
      "  for (i = 0; i < %d; i++) y[i] = t%d[i];\n  ITERATE(t%d, t%d, %s%d, y, work);\n  bad += differ(%d, y, t%d);\n",
      (int)D, tx, ta, tb, gradient ? "(number)0.25, " : "", steps, (int)D, end);
  add_call(w, call);
  free(a);
  free(b);
  free(x);
  free(prompt);
  free(y);
}

/* `stored` is what is exported: as it is, or converted to `model`'s precision. */
static void write_case(const lsqnet_model *model, const lsqnet_model *stored, const char *name) {
  char path[1024];
  writer w = {.model = model};
  lsqnet_model_step step;
  check(lsqnet_model_get_options(model, &w.options, sizeof w.options));
  check(lsqnet_model_get_step(model, &step, sizeof step));
  check(lsqnet_workspace_create(&w.space, model));
  w.f32 = w.options.dtype == LSQNET_F32;
  snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
  check(lsqnet_model_save(stored, path));
  snprintf(path, sizeof path, "%s/%s.case", folder, name);
  w.out = fopen(path, "w");
  if (w.out == NULL) exit(EXIT_FAILURE);
  const int64_t T = w.options.rows;
  fprintf(w.out, "typedef %s number;\n", w.f32 ? "float" : "double");
  add_pass(&w, T, 0, T);
  add_pass(&w, T, T - 1, 1);
  add_pass(&w, T - 1, 1, T / 2);
  add_pass(&w, 1, 0, 1);
  if (step.output != LSQNET_OUTPUT_NONE) add_iterates(&w, &step, 3);
  fprintf(w.out,
          "static number work[WORK], y[%lld];\n\nstatic int differ(int n, const number *got, const number *wanted) {\n"
          "  int i, bad = 0;\n  for (i = 0; i < n; i++) bad += !(got[i] == wanted[i]);\n  return bad;\n}\n\n"
          "int run_case(void) {\n  int bad = 0, i = 0;\n  (void)i;\n%s  return bad;\n}\n",
          (long long)(T * w.options.out_width + step.dim), w.calls);
  if (fclose(w.out) != 0) exit(EXIT_FAILURE);
  lsqnet_workspace_destroy(w.space);
  printf("%s %s\n", name, model == stored ? "-" : w.f32 ? "f32" : "f64");
}

/* The same model in the other precision, by the library's own conversion. */
static void converted(const lsqnet_model *model, const char *name) {
  char to[128];
  lsqnet_model_options o;
  lsqnet_model *other = NULL;
  check(lsqnet_model_get_options(model, &o, sizeof o));
  check(lsqnet_model_convert(&other, model, o.dtype == LSQNET_F32 ? LSQNET_F64 : LSQNET_F32));
  snprintf(to, sizeof to, "%s_converted", name);
  write_case(other, model, to);
  lsqnet_model_destroy(other);
}

static void shipped(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
  char stem[128];
  lsqnet_model *model = NULL;
  snprintf(stem, sizeof stem, "%.*s", (int)strcspn(name, "."), name);
  check(lsqnet_model_load(&model, context, path, NULL));
  write_case(model, model, stem);
  if (lsqnet_model_weight_count(model) < CONVERTED_MOST) converted(model, stem);
  lsqnet_model_destroy(model);
}

static void constructed(const char *mixer, const char *prompt, const char *name) {
  lsqnet_construct_options o;
  lsqnet_model *model = NULL;
  check(lsqnet_construct_options_init(&o, sizeof o));
  o.rows = 4;
  o.dim = 2;
  o.mixer = mixer;
  o.prompt = prompt;
  check(lsqnet_model_construct_gradient(&model, context, &o));
  write_case(model, model, name);
  lsqnet_model_destroy(model);
}

/* A model whose weights, biases included, are all random; with every layer, converted too. */
static void drawn(const char *name, const lsqnet_model_options *o) {
  lsqnet_model *model = NULL;
  check(lsqnet_model_create(&model, context, o));
  for (int64_t i = 0; i < lsqnet_model_parameter_count(model); i++) {
    lsqnet_parameter p;
    check(lsqnet_model_get_parameter(model, i, &p, sizeof p));
    double *values = calloc((size_t)p.count, sizeof *values);
    const double scale = p.rank > 1 ? 2.0 / (double)(p.shape[p.rank - 1] + 3) : 1;
    for (int64_t k = 0; k < p.count; k++) values[k] = scale * uniform();
    check(lsqnet_model_write_parameter(model, i, values, p.count));
    free(values);
  }
  write_case(model, model, name);
  if (strstr(name, "_full") != NULL) converted(model, name);
  lsqnet_model_destroy(model);
}

static lsqnet_model_options start(const char *mixer, const char *config) {
  lsqnet_model_options o;
  check(lsqnet_model_options_init(&o, sizeof o));
  o.mixer = mixer;
  o.mixer_config = config;
  o.rows = 7;
  o.in_width = 3;
  o.out_width = 2;
  o.width = 6;
  o.layers = 2;
  return o;
}

/* Every mixer alone and within every kind of layer, in both precisions. */
static void every_mixer(void) {
  static const char *const mixers[][3] = {
      {"attention", "{\"heads\":2}", "softmax"},
      {"attention", "{\"heads\":3,\"causal\":false}", "softmax_open"},
      {"attention", "{\"softmax\":false}", "linear"},
      {"attention", "{\"softmax\":false,\"causal\":false,\"heads\":2}", "linear_open"},
      {"base_conv", "{\"taps\":[1,4]}", "short"},
      {"base_conv", "{\"causal\":false,\"taps\":[4,5]}", "short_open"},
      {"base_conv", "{\"taps\":[3,7],\"shift\":[4,1],\"shifted\":2}", "shifted"},
      {"base_conv", "{\"causal\":false,\"taps\":[4,1],\"shift\":2,\"shifted\":5}", "shifted_open"},
      {"base_conv", "{\"filter\":\"long\"}", "long"},
      {"base_conv", "{\"filter\":\"long\",\"causal\":false}", "long_open"},
      {"base_conv", "{\"filter\":\"implicit\"}", "implicit"},
      {"base_conv", "{\"filter\":\"implicit\",\"causal\":false}", "implicit_open"},
      {"identity", "{}", "identity"}};
  for (size_t i = 0; i < sizeof mixers / sizeof mixers[0]; i++) {
    char name[64];
    lsqnet_model_options o = start(mixers[i][0], mixers[i][1]);
    drawn(mixers[i][2], &o);
    o.residual = o.bias = 0;
    o.mlp = 1 + (int32_t)(i % 3);
    o.dtype = i % 2 == 0 ? LSQNET_F64 : LSQNET_F32;
    snprintf(name, sizeof name, "%s_bare", mixers[i][2]);
    drawn(name, &o);
    o.residual = o.bias = 1;
    o.dtype = i % 2 == 0 ? LSQNET_F32 : LSQNET_F64;
    o.mixer_norm = o.mlp_norm = o.final_norm = 1;
    o.mlp = 1 + (int32_t)((i + 1) % 3);
    snprintf(name, sizeof name, "%s_full", mixers[i][2]);
    drawn(name, &o);
  }
}

/* Sums long enough to be cut into blocks, over channels and over rows; no layers at all. */
static void corners(void) {
  lsqnet_model_options o = start("attention", "{\"softmax\":false}");
  o.layers = 0;
  o.final_norm = 1;
  drawn("no_layers", &o);
  o = start("attention", "{\"softmax\":false}");
  o.rows = 150;
  o.layers = 1;
  drawn("many_rows", &o);
  o = start("base_conv", "{}");
  o.width = 140;
  o.layers = 1;
  drawn("wide", &o);
  o.dtype = LSQNET_F32;
  drawn("wide_f32", &o);
}

int main(int count, char **arguments) {
  if (count < 3) return EXIT_FAILURE;
  folder = arguments[1];
  lsqnet_context_options options;
  check(lsqnet_context_options_init(&options, sizeof options));
  options.kernel_level = LSQNET_KERNEL_GENERIC;
  check(lsqnet_context_create(&context, &options));
  for (int i = 2; i < count; i++) shipped(arguments[i]);
  constructed("attention", "split", "exact_split");
  constructed("base_conv", "repeat", "exact_repeat");
  constructed("base_conv", "query_first", "exact_query_first");
  every_mixer();
  corners();
  lsqnet_context_destroy(context);
  return EXIT_SUCCESS;
}
