/* Trains a model on a loss that the library knows nothing of: forward, the host's dL/dy, backward, step.
 * The model learns to square numbers; the loss is log cosh(y - x^2), which outliers do not dominate.
 *
 *   cc own_loss.c $(pkg-config --cflags --libs lsqnet) -lm -o own_loss */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 32, ROWS = 4, CHANNELS = 2, VALUES = BATCH * ROWS * CHANNELS, STEPS = 2000 };

static void check(lsqnet_status status) {
  if (status == LSQNET_OK) return;
  fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  exit(EXIT_FAILURE);
}

static double uniform(void) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return (double)state / 2147483648.0 - 1;
}

/* Returns the mean of log cosh(y - x^2) and its derivative in y. */
static double loss(const double *x, const double *y, double *dy) {
  double sum = 0;
  for (int i = 0; i < VALUES; i++) {
    const double error = y[i] - x[i] * x[i];
    sum += log(cosh(error));
    dy[i] = tanh(error) / VALUES;
  }
  return sum / VALUES;
}

int main(void) {
  static double x[VALUES], y[VALUES], dy[VALUES];
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL;
  lsqnet_workspace *workspace = NULL;
  lsqnet_model_options options;
  const lsqnet_batch shape = {.size = sizeof shape, .batch = BATCH, .rows = ROWS, .count = ROWS};
  double first = 0, last = 0;

  check(lsqnet_context_create(&context, NULL));
  check(lsqnet_model_options_init(&options, sizeof options));
  options.rows = ROWS;
  options.in_width = options.out_width = CHANNELS;
  options.width = 16;
  options.layers = 1;
  options.mixer = "identity"; /* rows are squared one by one */
  options.mlp = LSQNET_MLP_GELU;
  check(lsqnet_model_create(&model, context, &options));
  check(lsqnet_workspace_create(&workspace, model));

  for (int step = 0; step < STEPS; step++) {
    for (int i = 0; i < VALUES; i++) x[i] = uniform();
    check(lsqnet_model_forward_f64(model, workspace, &shape, x, y));
    last = loss(x, y, dy);
    if (step == 0) first = last;
    if (step % (STEPS / 10) == 0) printf("step %4d  loss %.3e\n", step, last);
    check(lsqnet_model_backward_f64(model, workspace, dy, NULL));
    check(lsqnet_sgd_step(model, workspace, 0.5 * (STEPS - step) / STEPS));
  }
  printf("step %4d  loss %.3e\n", STEPS, last);

  lsqnet_workspace_destroy(workspace);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return last < first / 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}
