/* test_golden [FOLDER...]: judges every forward_* file in the folders (default: golden/ and combinations/ of the test
 * data): loads its weights as a model file with the reference's names, runs forward, loss, backward and a
 * Jacobian-vector product, and compares. Prints a line a file and ends with "N passed, N failed". */
#include <dirent.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "store/safetensors.h"

enum { PATH_BYTES = 4096, NAME_BYTES = 512 };

static const double TOLERANCE_F64 = 1e-12, TOLERANCE_F32 = 2e-5;

/* One file under judgement; everything in it is given back by end(). */
typedef struct {
  lsqnet_context *context;
  unsigned char *bytes;
  lsq_archive archive;
  lsqnet_model *model;
  lsqnet_workspace *workspace;
  int is_f64;
  int64_t B, T, in, out;
  double **lists;
  size_t list_count;
  double tolerance, worst; /* worst: error over what is allowed, times tolerance */
  char worst_name[NAME_BYTES];
  char reason[1024]; /* why it failed */
} judgement;

static int failed(judgement *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int failed(judgement *j, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(j->reason, sizeof j->reason, format, arguments);
  va_end(arguments);
  return 0;
}

static int called(judgement *j, lsqnet_status st, const char *what) {
  return st == LSQNET_OK || failed(j, "%s: %s: %s", what, lsqnet_status_name(st), lsqnet_last_message());
}

static void *need(void *memory) {
  if (memory != NULL) return memory;
  fprintf(stderr, "test_golden: no memory\n");
  exit(2);
}

static double *list(judgement *j, int64_t count) {
  j->lists = need(realloc(j->lists, (j->list_count + 1) * sizeof *j->lists));
  return j->lists[j->list_count++] = need(calloc((size_t)count + 1, sizeof(double)));
}

static void end(judgement *j) {
  while (j->list_count > 0) free(j->lists[--j->list_count]);
  free(j->lists);
  lsqnet_workspace_destroy(j->workspace);
  lsqnet_model_destroy(j->model);
  if (j->context != NULL) {
    lsq_archive_close(&j->archive);
    lsq_free(j->context, j->bytes);
  }
  lsqnet_context_destroy(j->context);
}

static int begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* The file's tensors. */

static const lsq_array *find(judgement *j, const char *name) {
  const lsq_array *array = lsq_archive_find(&j->archive, name);
  if (array == NULL) (void)failed(j, "it has no tensor %s", name);
  return array;
}

static double *values_of(judgement *j, const lsq_array *array) {
  double *values = list(j, array->count);
  if (lsq_array_dtype(array) == LSQNET_F64) {
    lsq_array_read_f64(array, values);
  } else {
    float *narrow = need(calloc((size_t)array->count + 1, sizeof *narrow));
    lsq_array_read_f32(array, narrow);
    for (int64_t i = 0; i < array->count; i++) values[i] = narrow[i];
    free(narrow);
  }
  return values;
}

static int check_tensors(judgement *j) {
  for (int64_t i = 0; i < j->archive.count; i++) {
    static const char *const single[] = {"input", "target", "output", "loss", "grad_input"};
    const lsq_array *array = &j->archive.arrays[i];
    int known = begins(array->name, "param.") || begins(array->name, "grad.");
    for (size_t k = 0; k < sizeof single / sizeof single[0]; k++) known |= strcmp(array->name, single[k]) == 0;
    if (!known) return failed(j, "tensor %s: no forward file has it", array->name);
    if (!begins(array->name, "param.") && lsq_array_dtype(array) == 0)
      return failed(j, "tensor %s is %s", array->name, array->dtype);
  }
  return 1;
}

/* The model: the param tensors without their prefix, as a user's file with the reference's names. */

typedef struct {
  unsigned char *bytes;
  uint64_t size;
} memory;

static lsqnet_status append(void *user, const void *data, uint64_t bytes) {
  memory *m = user;
  m->bytes = need(realloc(m->bytes, (size_t)(m->size + bytes)));
  memcpy(m->bytes + m->size, data, (size_t)bytes);
  m->size += bytes;
  return LSQNET_OK;
}

static int list_weights(judgement *j, lsq_values *weights, int64_t *count) {
  for (int64_t i = 0; i < j->archive.count; i++) {
    const lsq_array *array = &j->archive.arrays[i];
    if (!begins(array->name, "param.")) continue;
    if (lsq_array_dtype(array) == 0) return failed(j, "tensor %s is %s", array->name, array->dtype);
    double *values = values_of(j, array);
    if (lsq_array_dtype(array) == LSQNET_F32) /* floats over doubles, front to back */
      for (int64_t k = 0; k < array->count; k++) {
        const float narrow = (float)values[k];
        memcpy((char *)values + (size_t)k * sizeof narrow, &narrow, sizeof narrow);
      }
    weights[(*count)++] = (lsq_values){.name = array->name + sizeof "param." - 1,
                                       .rank = array->rank,
                                       .shape = array->shape,
                                       .count = array->count,
                                       .dtype = lsq_array_dtype(array),
                                       .values = values};
  }
  return 1;
}

static int load_model(judgement *j) {
  memory m = {0};
  int64_t count = 0;
  const char *config = lsq_archive_text(&j->archive, "config");
  if (config == NULL) return failed(j, "its __metadata__ has no config");
  lsq_values *weights = need(calloc((size_t)j->archive.count + 1, sizeof *weights));
  const lsq_text text = {"config", config};
  int ok = list_weights(j, weights, &count);
  ok = ok && called(j, lsq_safetensors_write(j->context, &text, 1, weights, count, append, &m), "writing the weights");
  ok = ok && called(j, lsqnet_model_load_memory(&j->model, j->context, m.bytes, m.size, NULL), "loading the weights");
  free(weights);
  free(m.bytes);
  return ok;
}

static int has_shape(judgement *j, const char *name, int64_t B, int64_t T, int64_t C) {
  const lsq_array *array = find(j, name);
  if (array == NULL) return 0;
  if (array->rank == 3 && array->shape[0] == B && array->shape[1] == T && array->shape[2] == C) return 1;
  char text[LSQ_QUOTED];
  return failed(j, "%s has shape %s, not (%lld,%lld,%lld)", name, lsq_shape_text(text, array->rank, array->shape),
                (long long)B, (long long)T, (long long)C);
}

static int read_sizes(judgement *j) {
  lsqnet_model_options options;
  const lsq_array *input = find(j, "input"), *loss = find(j, "loss");
  if (input == NULL || loss == NULL) return 0;
  if (input->rank != 3 || loss->count != 1) return failed(j, "input is not (B,T,in), or loss is not one number");
  if (!called(j, lsqnet_model_get_options(j->model, &options, sizeof options), "options")) return 0;
  j->is_f64 = options.dtype == LSQNET_F64;
  j->tolerance = j->is_f64 ? TOLERANCE_F64 : TOLERANCE_F32;
  j->B = input->shape[0];
  j->T = input->shape[1];
  j->in = options.in_width;
  j->out = options.out_width;
  return has_shape(j, "input", j->B, j->T, j->in) && has_shape(j, "grad_input", j->B, j->T, j->in) &&
         has_shape(j, "target", j->B, j->T, j->out) && has_shape(j, "output", j->B, j->T, j->out);
}

/* The model's functions on doubles, whatever its precision. */

static float *narrowed(const double *values, int64_t count) {
  float *narrow = need(calloc((size_t)count + 1, sizeof *narrow));
  for (int64_t i = 0; values != NULL && i < count; i++) narrow[i] = (float)values[i];
  return narrow;
}

static void widen(double *values, float *narrow, int64_t count) {
  for (int64_t i = 0; i < count; i++) values[i] = narrow[i];
  free(narrow);
}

static int forward(judgement *j, const double *x, double *y) {
  const lsqnet_batch shape = {.size = sizeof shape, .batch = j->B, .rows = j->T, .count = j->T};
  if (j->is_f64) return called(j, lsqnet_model_forward_f64(j->model, j->workspace, &shape, x, y), "forward");
  const int64_t inputs = j->B * j->T * j->in, outputs = j->B * j->T * j->out;
  float *narrow_x = narrowed(x, inputs), *narrow_y = narrowed(NULL, outputs);
  const lsqnet_status st = lsqnet_model_forward_f32(j->model, j->workspace, &shape, narrow_x, narrow_y);
  free(narrow_x);
  widen(y, narrow_y, outputs);
  return called(j, st, "forward");
}

static int backward(judgement *j, const double *dy, double *dx, double *gradient) {
  const int64_t inputs = j->B * j->T * j->in, count = lsqnet_model_weight_count(j->model);
  if (j->is_f64) {
    if (!called(j, lsqnet_model_backward_f64(j->model, j->workspace, dy, dx), "backward")) return 0;
    memcpy(gradient, lsqnet_workspace_gradient_f64(j->workspace), (size_t)count * sizeof *gradient);
    return 1;
  }
  float *narrow_dy = narrowed(dy, j->B * j->T * j->out), *narrow_dx = narrowed(NULL, inputs);
  const lsqnet_status st = lsqnet_model_backward_f32(j->model, j->workspace, narrow_dy, narrow_dx);
  free(narrow_dy);
  widen(dx, narrow_dx, inputs);
  if (!called(j, st, "backward")) return 0;
  for (int64_t i = 0; i < count; i++) gradient[i] = lsqnet_workspace_gradient_f32(j->workspace)[i];
  return 1;
}

static int jvp(judgement *j, const double *dx, const double *direction, double *dy) {
  if (j->is_f64) return called(j, lsqnet_model_jvp_f64(j->model, j->workspace, dx, direction, dy), "jvp");
  const int64_t outputs = j->B * j->T * j->out;
  float *narrow_dx = narrowed(dx, j->B * j->T * j->in), *narrow_dy = narrowed(NULL, outputs);
  float *narrow_direction = narrowed(direction, lsqnet_model_weight_count(j->model));
  const lsqnet_status st = lsqnet_model_jvp_f32(j->model, j->workspace, narrow_dx, narrow_direction, narrow_dy);
  free(narrow_dx);
  free(narrow_direction);
  widen(dy, narrow_dy, outputs);
  return called(j, st, "jvp");
}

/* Comparing. */

/* NaN if there is one. */
static double largest(const double *values, int64_t count) {
  double most = 0;
  for (int64_t i = 0; i < count; i++) {
    if (isnan(values[i])) return NAN;
    most = fmax(most, fabs(values[i]));
  }
  return most;
}

static int within(judgement *j, const char *name, double error, double scale) {
  if (!(error <= j->tolerance * scale))
    return failed(j, "%s: off by %.3g relative to %.3g: %.3g is allowed", name, error / scale, scale, j->tolerance);
  if (scale > 0 && error / scale > j->worst) {
    j->worst = error / scale;
    (void)snprintf(j->worst_name, sizeof j->worst_name, "%s", name);
  }
  return 1;
}

/* Relative to the largest magnitude of the tensor. One that is zero, but for what rounding left in the reference's sums
 * of numbers as large as `others`, is judged relative to those. */
static int compare(judgement *j, const char *name, const double *ours, double others) {
  const lsq_array *array = find(j, name);
  if (array == NULL) return 0;
  const double *theirs = values_of(j, array);
  const double most = largest(theirs, array->count);
  double error = 0;
  for (int64_t i = 0; i < array->count; i++) {
    const double off = fabs(ours[i] - theirs[i]);
    if (!(off <= error)) error = off;
    if (!isfinite(off)) return failed(j, "%s: element %lld is %g, not %g", name, (long long)i, ours[i], theirs[i]);
  }
  const double noise = (j->is_f64 ? DBL_EPSILON : FLT_EPSILON) * others;
  return within(j, name, error, most > noise ? most : others);
}

static double largest_gradient(judgement *j) {
  double most = 0;
  for (int64_t i = 0; i < j->archive.count; i++) {
    const lsq_array *array = &j->archive.arrays[i];
    if (begins(array->name, "grad")) most = fmax(most, largest(values_of(j, array), array->count));
  }
  return most;
}

static int compare_gradients(judgement *j, const double *gradient, double others) {
  int64_t trained = 0, recorded = 0;
  for (int64_t i = 0; i < lsqnet_model_parameter_count(j->model); i++) {
    lsqnet_parameter p;
    char name[NAME_BYTES];
    if (!called(j, lsqnet_model_get_parameter(j->model, i, &p, sizeof p), "parameter")) return 0;
    if (p.frozen) continue;
    trained++;
    (void)snprintf(name, sizeof name, "grad.%s", p.reference_name);
    const lsq_array *array = find(j, name);
    if (array == NULL) return 0;
    if (array->rank != p.rank || memcmp(array->shape, p.shape, (size_t)p.rank * sizeof p.shape[0]) != 0)
      return failed(j, "%s has not the shape of its parameter", name);
    if (!compare(j, name, gradient + p.offset, others)) return 0;
  }
  for (int64_t i = 0; i < j->archive.count; i++) recorded += begins(j->archive.arrays[i].name, "grad.");
  return recorded == trained || failed(j, "it has gradients of %lld parameters, the model trains %lld",
                                       (long long)recorded, (long long)trained);
}

/* <dL/dy, J v> = <J' dL/dy, v> for a direction v of all inputs and trained weights. */
static int compare_jvp(judgement *j, const double *dy, const double *dx, const double *gradient) {
  const int64_t inputs = j->B * j->T * j->in, outputs = j->B * j->T * j->out;
  const int64_t weights = lsqnet_model_weight_count(j->model);
  double *along_x = list(j, inputs), *along_w = list(j, weights), *moved = list(j, outputs);
  double left = 0, right = 0, scale = 0;
  for (int64_t i = 0; i < inputs; i++) along_x[i] = sin(1.0 + 3.7 * (double)i);
  for (int64_t p = 0; p < lsqnet_model_parameter_count(j->model); p++) {
    lsqnet_parameter about;
    if (!called(j, lsqnet_model_get_parameter(j->model, p, &about, sizeof about), "parameter")) return 0;
    for (int64_t i = 0; i < about.count && !about.frozen; i++)
      along_w[about.offset + i] = cos(2.0 + 1.3 * (double)(about.offset + i));
  }
  if (!jvp(j, along_x, along_w, moved)) return 0;
  for (int64_t i = 0; i < outputs; i++) {
    left += dy[i] * moved[i];
    scale += fabs(dy[i] * moved[i]);
  }
  for (int64_t i = 0; i < inputs; i++) {
    right += dx[i] * along_x[i];
    scale += fabs(dx[i] * along_x[i]);
  }
  for (int64_t i = 0; i < weights; i++) {
    right += gradient[i] * along_w[i];
    scale += fabs(gradient[i] * along_w[i]);
  }
  return within(j, "jvp", fabs(left - right), scale);
}

static int compare_all(judgement *j) {
  const int64_t inputs = j->B * j->T * j->in, outputs = j->B * j->T * j->out;
  const double *x = values_of(j, find(j, "input")), *target = values_of(j, find(j, "target"));
  double *y = list(j, outputs), *dy = list(j, outputs), *dx = list(j, inputs);
  double *gradient = list(j, lsqnet_model_weight_count(j->model));
  double loss = 0;
  if (!called(j, lsqnet_workspace_create(&j->workspace, j->model), "workspace")) return 0;
  if (!forward(j, x, y)) return 0;
  for (int64_t i = 0; i < outputs; i++) {
    loss += (y[i] - target[i]) * (y[i] - target[i]) / (double)outputs;
    dy[i] = 2 * (y[i] - target[i]) / (double)outputs;
  }
  if (!compare(j, "output", y, largest(target, outputs)) || !compare(j, "loss", &loss, 0)) return 0;
  if (!backward(j, dy, dx, gradient)) return 0;
  const double others = largest_gradient(j);
  return compare(j, "grad_input", dx, others) && compare_gradients(j, gradient, others) &&
         compare_jvp(j, dy, dx, gradient);
}

static int judge(judgement *j, const char *path) {
  uint64_t size = 0;
  return called(j, lsqnet_context_create(&j->context, NULL), "context") &&
         called(j, lsq_read_file(j->context, path, &j->bytes, &size), "reading it") &&
         called(j, lsq_archive_open(&j->archive, j->context, j->bytes, size), "reading it") && check_tensors(j) &&
         load_model(j) && read_sizes(j) && compare_all(j);
}

/* Folders. */

static int is_forward(const struct dirent *entry) { return begins(entry->d_name, "forward_"); }

static void judge_folder(const char *folder, int *passed_count, int *failed_count) {
  struct dirent **entries = NULL;
  const int count = scandir(folder, &entries, is_forward, alphasort);
  if (count <= 0) {
    printf("FAIL %s: %s\n", folder, count < 0 ? "cannot be read" : "no forward_ file in it");
    ++*failed_count;
  }
  for (int i = 0; i < count; i++) {
    char path[PATH_BYTES];
    judgement j = {.list_count = 0};
    const int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    const int ok = length < PATH_BYTES ? judge(&j, path) : failed(&j, "its path is too long");
    if (ok)
      printf("ok   %-44s worst %.1e of %.0e, %s\n", entries[i]->d_name, j.worst, j.tolerance, j.worst_name);
    else
      printf("FAIL %s: %s\n", path, j.reason);
    ++*(ok ? passed_count : failed_count);
    end(&j);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  int passed_count = 0, failed_count = 0;
  for (int i = 1; i < argc; i++) judge_folder(argv[i], &passed_count, &failed_count);
  for (int i = 0; argc < 2 && i < 2; i++) {
    static const char *const defaults[] = {"golden", "combinations"};
    char folder[PATH_BYTES];
    const char *data = getenv("LSQNET_TEST_DATA");
    (void)snprintf(folder, sizeof folder, "%s/%s", data != NULL ? data : "tests/data", defaults[i]);
    judge_folder(folder, &passed_count, &failed_count);
  }
  printf("%d passed, %d failed\n", passed_count, failed_count);
  return failed_count > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
