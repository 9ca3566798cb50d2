/* lsqnet run: the forward pass of a model over an array, slice by slice, so that memory does not grow with the batch.
 */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "json.h"
#include "machine.h"
#include "model_source.h"
#include "npy.h"
#include "options.h"

static const char about[] =
    "Passes IN.npy through a model: (B,T,in) becomes (B,T,out), and (T,in), one sequence, becomes (T,out). Numbers "
    "are\n"
    "converted to the model's precision, which is also that of the output. \"-\" is standard input or output.\n";

enum { ROWS_A_SLICE = 4096 };

typedef struct {
  model_source model;
  const char *in_path, *out_path;
  machine machine;
  int json;
} run_settings;

typedef struct {
  const lsqnet_model *model;
  lsqnet_workspace *workspace;
  lsqnet_model_options options;
  input in;
  npy_header header;
  output out;
  int64_t batch, rows; /* of the input */
  int64_t slice;       /* sequences that go through the model at once */
  double *whole;       /* the input in row-major order, when the file's order is another; else NULL */
  double *x, *y;       /* of a slice */
  float *x_f32, *y_f32;
} pass;

static int read_settings(run_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  const option options[] = {{OPTION_TEXT, "-o", "OUT.npy", "where the output goes; needed", &s->out_path, 0.0},
                            MODEL_OPTIONS(&s->model),
                            MACHINE_OPTIONS(&s->machine, "1"),
                            {OPTION_FLAG, "--json", NULL, "describe the output as one JSON object", &s->json, 0.0},
                            {OPTION_END, NULL, NULL, NULL, NULL, 0.0}};
  const command_line line = {"run MODEL IN.npy -o OUT.npy [options]", about, options, 2, 2};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, helped));
  if (*helped) return CODE_DONE;
  s->model.name = files[0];
  s->in_path = files[1];
  if (s->out_path == NULL) return fail(CODE_USAGE, "option -o is missing: where the output goes");
  if (s->json && strcmp(s->out_path, "-") == 0)
    return fail(CODE_USAGE, "option --json: the output is on standard output");
done:
  return code;
}

static int check_shape(pass *p) {
  const npy_header *h = &p->header;
  const lsqnet_model_options *o = &p->options;
  if (h->rank != 2 && h->rank != 3) {
    return fail_at(CODE_INPUT, p->in.name, 0, "an array of %d dimensions: (B,T,in) or (T,in) is needed", h->rank);
  }
  int64_t width = h->shape[h->rank - 1];
  p->batch = h->rank == 3 ? h->shape[0] : 1;
  p->rows = h->shape[h->rank - 2];
  if (p->batch < 1 || p->rows < 1 || p->rows > o->rows || width != o->in_width) {
    return fail_at(CODE_INPUT, p->in.name, 0,
                   "%lld sequences of %lld rows and %lld channels: the model takes 1 to %lld rows and %lld channels",
                   (long long)p->batch, (long long)p->rows, (long long)width, (long long)o->rows,
                   (long long)o->in_width);
  }
  return CODE_DONE;
}

static int reserve(pass *p) {
  int single = p->options.dtype == LSQNET_F32;
  int64_t wide = p->options.in_width > p->options.out_width ? p->options.in_width : p->options.out_width;
  p->slice = ROWS_A_SLICE / p->rows;
  if (p->slice < 1) p->slice = 1;
  if (p->slice > p->batch) p->slice = p->batch;
  if (p->slice * p->rows > INT64_MAX / 64 / wide) return fail_memory("one sequence");
  int64_t in = p->slice * p->rows * p->options.in_width, out = p->slice * p->rows * p->options.out_width;
  p->x = allocate(in, (int64_t)sizeof(double));
  if (single) {
    p->x_f32 = allocate(in, (int64_t)sizeof(float));
    p->y_f32 = allocate(out, (int64_t)sizeof(float));
  } else {
    p->y = allocate(out, (int64_t)sizeof(double));
  }
  if (p->header.fortran) p->whole = allocate(p->header.count, (int64_t)sizeof(double));
  int enough = p->x != NULL && (single ? p->x_f32 != NULL && p->y_f32 != NULL : p->y != NULL) &&
               (!p->header.fortran || p->whole != NULL);
  return enough ? CODE_DONE : fail_memory("a slice of sequences");
}

static int read_slice(pass *p, int64_t first, int64_t count) {
  int64_t sequence = p->rows * p->options.in_width, numbers = count * sequence;
  if (p->whole == NULL) return npy_read_numbers(&p->in, &p->header, numbers, p->x, NULL);
  memcpy(p->x, p->whole + first * sequence, (size_t)numbers * sizeof *p->x);
  return CODE_DONE;
}

static int run_slice(pass *p, int64_t count) {
  const lsqnet_batch shape = {.size = sizeof shape, .batch = count, .rows = p->rows, .first = 0, .count = p->rows};
  int64_t in = count * p->rows * p->options.in_width, out = count * p->rows * p->options.out_width;
  lsqnet_status st;
  if (p->x_f32 == NULL) {
    st = lsqnet_model_forward_f64(p->model, p->workspace, &shape, p->x, p->y);
    return st == LSQNET_OK ? npy_write_f64(&p->out, p->y, out) : fail_status(st, p->in.name);
  }
  for (int64_t i = 0; i < in; i++) p->x_f32[i] = (float)p->x[i];
  st = lsqnet_model_forward_f32(p->model, p->workspace, &shape, p->x_f32, p->y_f32);
  return st == LSQNET_OK ? npy_write_f32(&p->out, p->y_f32, out) : fail_status(st, p->in.name);
}

static int write_header(pass *p) {
  int64_t shape[] = {p->batch, p->rows, p->options.out_width};
  int bytes = p->options.dtype == LSQNET_F32 ? 4 : 8;
  return p->header.rank == 3 ? npy_write_header(&p->out, bytes, 3, shape)
                             : npy_write_header(&p->out, bytes, 2, shape + 1);
}

static int report(const pass *p, const run_settings *s) {
  const char *dtype = p->options.dtype == LSQNET_F32 ? "float32" : "float64";
  if (s->json) {
    return json_print(json_pack("{s:o, s:s, s:I, s:I, s:I}", "output", json_text(s->out_path), "dtype", dtype, "batch",
                                (json_int_t)p->batch, "rows", (json_int_t)p->rows, "out_width",
                                (json_int_t)p->options.out_width));
  }
  return CODE_DONE;
}

static int run(pass *p, const run_settings *s) {
  int code = CODE_DONE;
  TRY(input_open(&p->in, s->in_path));
  TRY(npy_read_header(&p->in, &p->header));
  TRY(check_shape(p));
  TRY(reserve(p));
  if (p->whole != NULL) TRY(npy_read_array(&p->in, &p->header, p->whole, NULL));
  TRY(output_open(&p->out, s->out_path));
  TRY(write_header(p));
  for (int64_t first = 0; first < p->batch; first += p->slice) {
    int64_t count = p->batch - first < p->slice ? p->batch - first : p->slice;
    TRY(read_slice(p, first, count));
    TRY(run_slice(p, count));
  }
  TRY(output_commit(&p->out));
  TRY(report(p, s));
done:
  output_close(&p->out);
  input_close(&p->in);
  return code;
}

static int open_model(lsqnet_context **context, lsqnet_model **model, pass *p, const run_settings *s) {
  int code = CODE_DONE;
  TRY(context_open(context, &s->machine));
  TRY(model_open(model, *context, &s->model));
  p->model = *model;
  lsqnet_status st = lsqnet_model_get_options(*model, &p->options, sizeof p->options);
  if (st == LSQNET_OK) st = lsqnet_workspace_create(&p->workspace, *model);
  if (st != LSQNET_OK) code = fail_status(st, s->model.name);
done:
  return code;
}

static void free_pass(pass *p) {
  free(p->whole);
  free(p->x);
  free(p->y);
  free(p->x_f32);
  free(p->y_f32);
  lsqnet_workspace_destroy(p->workspace);
}

int run_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  run_settings s = {.machine.threads = 1};
  pass p = {0};
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL;
  TRY(read_settings(&s, argc, argv, &helped));
  if (helped) goto done;
  TRY(open_model(&context, &model, &p, &s));
  TRY(run(&p, &s));
done:
  free_pass(&p);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return code;
}
