/* Any bytes as a model file, from memory and from a stream in pieces. A model that loads runs. */
#include "fuzz.h"

typedef struct {
  const uint8_t *bytes;
  size_t left;
} stream;

static lsqnet_status read_piece(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  stream *s = user;
  *got = s->left < bytes ? s->left : bytes;
  if (*got > 97) *got = 97;
  memcpy(buffer, s->bytes, (size_t)*got);
  s->bytes += *got;
  s->left -= (size_t)*got;
  return LSQNET_OK;
}

static void run(const lsqnet_model *model) {
  lsqnet_model_options o;
  lsqnet_workspace *workspace = NULL;
  demand(lsqnet_model_get_options(model, &o, sizeof o) == LSQNET_OK);
  if (o.rows > 64 || o.width > 64 || o.in_width > 64 || o.out_width > 64 || o.layers > 8 || o.mlp_factor > 64) return;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = o.rows, .count = o.rows};
  const size_t numbers = 64 * 64;
  double *x = calloc(numbers, sizeof *x), *y = calloc(numbers, sizeof *y);
  demand(x != NULL && y != NULL);
  demand(lsqnet_workspace_create(&workspace, model) == LSQNET_OK);
  const lsqnet_status status =
      o.dtype == LSQNET_F64
          ? lsqnet_model_forward_f64(model, workspace, &shape, x, y)
          : lsqnet_model_forward_f32(model, workspace, &shape, (const float *)(void *)x, (float *)(void *)y);
  demand(status == LSQNET_OK);
  lsqnet_workspace_destroy(workspace);
  free(y);
  free(x);
}

static void solve(const lsqnet_model *model) {
  static const double a[] = {1, 2, 3, 4, 5, 7}, b[] = {1, -1, 2};
  double x[2];
  lsqnet_report report = {.size = sizeof report};
  lsqnet_solver *solver = NULL;
  lsqnet_model_step step;
  demand(lsqnet_model_get_step(model, &step, sizeof step) == LSQNET_OK);
  if (step.rows > 64 || step.dim > 16) return;
  lsqnet_solver_options options;
  demand(lsqnet_solver_options_init(&options, sizeof options) == LSQNET_OK);
  options.iterations = 100;
  if (lsqnet_solver_create(&solver, fuzz_context(), model, &options) == LSQNET_OK) {
    (void)lsqnet_solver_solve_f64(solver, 3, 2, 1, a, 2, b, 1, x, 1, &report);
    /* x = (-3, 5/2 ...) is known: whatever the model is, what is certified is right */
    if (report.status == LSQNET_OK && report.digits > 8) {
      const double g0 = 1 * (1 * x[0] + 2 * x[1] - 1) + 3 * (3 * x[0] + 4 * x[1] + 1) + 5 * (5 * x[0] + 7 * x[1] - 2);
      demand(g0 < 1e-6 && g0 > -1e-6);
    }
  }
  lsqnet_solver_destroy(solver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lsqnet_model *model = NULL, *streamed = NULL;
  const lsqnet_status status = lsqnet_model_load_memory(&model, fuzz_context(), data, size, NULL);
  stream s = {data, size};
  demand((status == LSQNET_OK) == (model != NULL));
  if (status != LSQNET_OK) demand_refusal(status);
  demand((lsqnet_model_load_stream(&streamed, fuzz_context(), read_piece, &s, NULL) == LSQNET_OK) ==
         (status == LSQNET_OK));
  if (status == LSQNET_OK) {
    demand_sound_model(model);
    run(model);
    solve(streamed);
  }
  lsqnet_model_destroy(streamed);
  lsqnet_model_destroy(model);
  return 0;
}
