/* A mixer of the host's own, registered through the same table as the built-in ones: it trains, saves and loads like
 * them.
 *
 *   y_t = (W x_t) . (V mean_s x_s)         elementwise product; W, V (D,D)
 *
 *   cc own_mixer.c $(pkg-config --cflags --libs lsqnet) -lm -o own_mixer */
#include <lsqnet/lsqnet.h>
#include <lsqnet/mixer_conformance.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the mixer ---- */

enum { W, V, PARAMETERS };

static lsqnet_status create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                            const char *config) {
  (void)context, (void)user, (void)config;
  lsqnet_mixer_sizes *copy = malloc(sizeof *copy);
  if (copy == NULL) return LSQNET_E_MEMORY;
  *copy = *sizes;
  *state = copy;
  return LSQNET_OK;
}

static void destroy(void *state) { free(state); }

static int64_t parameter_count(const void *state) {
  (void)state;
  return PARAMETERS;
}

static lsqnet_status parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  const lsqnet_mixer_sizes *sizes = state;
  out->name = index == W ? "here.weight" : "mean.weight";
  out->rank = 2;
  out->shape[0] = out->shape[1] = sizes->width;
  return LSQNET_OK;
}

static double initial(uint64_t seed, int64_t index, int64_t i) {
  uint64_t z = seed * 2654435761u + (uint64_t)(index * 1000003 + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return (double)(z >> 11) / 4503599627370496.0 - 1;
}

static lsqnet_status initialize(const void *state, int64_t index, uint64_t seed, double *values) {
  const lsqnet_mixer_sizes *sizes = state;
  for (int64_t i = 0; i < sizes->width * sizes->width; i++) values[i] = 0.5 * initial(seed, index, i);
  return LSQNET_OK;
}

/* The cache keeps, for each sequence, the mean of its rows, V times it, and W x_t for the rows that are wanted; the
 * scratch is what backward needs for one sequence. */
static lsqnet_status workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache, int64_t *scratch) {
  const int64_t D = ((const lsqnet_mixer_sizes *)state)->width;
  *cache = shape->batch * (2 + shape->count) * D;
  *scratch = 2 * D;
  return LSQNET_OK;
}

/* y = M x */
static void multiply(int64_t D, const double *M, const double *x, double *y) {
  for (int64_t i = 0; i < D; i++) {
    y[i] = 0;
    for (int64_t j = 0; j < D; j++) y[i] += M[i * D + j] * x[j];
  }
}

/* dM += dy x'; dx += alpha M' dy */
static void multiply_backward(int64_t D, const double *M, const double *x, const double *dy, double alpha, double *dM,
                              double *dx) {
  for (int64_t i = 0; i < D; i++)
    for (int64_t j = 0; j < D; j++) {
      if (dM != NULL) dM[i * D + j] += dy[i] * x[j];
      dx[j] += alpha * M[i * D + j] * dy[i];
    }
}

static lsqnet_status forward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                             const double *x, double *y, double *cache, double *scratch) {
  const int64_t D = ((const lsqnet_mixer_sizes *)state)->width, T = shape->rows, R = shape->count;
  (void)scratch;
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, y += R * D, cache += (2 + R) * D) {
    double *mean = cache, *gate = cache + D, *here = cache + 2 * D;
    memset(mean, 0, (size_t)D * sizeof *mean);
    for (int64_t i = 0; i < T * D; i++) mean[i % D] += x[i] / (double)T;
    multiply(D, weights[V], mean, gate);
    for (int64_t r = 0; r < R; r++) {
      multiply(D, weights[W], x + (shape->first + r) * D, here + r * D);
      for (int64_t d = 0; d < D; d++) y[r * D + d] = here[r * D + d] * gate[d];
    }
  }
  return LSQNET_OK;
}

static lsqnet_status backward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                              const double *x, const double *dy, double *dx, double *const *dweights,
                              const double *cache, double *scratch) {
  const int64_t D = ((const lsqnet_mixer_sizes *)state)->width, T = shape->rows, R = shape->count;
  double *dhere = scratch, *dgate = scratch + D;
  memset(dx, 0, (size_t)(shape->batch * T * D) * sizeof *dx);
  for (int64_t b = 0; b < shape->batch; b++, x += T * D, dx += T * D, dy += R * D, cache += (2 + R) * D) {
    const double *mean = cache, *gate = cache + D, *here = cache + 2 * D;
    memset(dgate, 0, (size_t)D * sizeof *dgate);
    for (int64_t r = 0; r < R; r++) {
      const int64_t at = (shape->first + r) * D;
      for (int64_t d = 0; d < D; d++) {
        dhere[d] = dy[r * D + d] * gate[d];
        dgate[d] += dy[r * D + d] * here[r * D + d];
      }
      multiply_backward(D, weights[W], x + at, dhere, 1, dweights[W], dx + at);
    }
    memset(dhere, 0, (size_t)D * sizeof *dhere); /* now the gradient in the mean */
    multiply_backward(D, weights[V], mean, dgate, 1 / (double)T, dweights[V], dhere);
    for (int64_t i = 0; i < T * D; i++) dx[i] += dhere[i % D];
  }
  return LSQNET_OK;
}

static const lsqnet_mixer mean_gate = {.size = sizeof mean_gate,
                                       .flags = LSQNET_MIXER_POLYNOMIAL,
                                       .name = "mean_gate",
                                       .create = create,
                                       .destroy = destroy,
                                       .parameter_count = parameter_count,
                                       .parameter = parameter,
                                       .workspace = workspace,
                                       .forward_f64 = forward,
                                       .backward_f64 = backward,
                                       .initialize = initialize};

/* ---- the host ---- */

enum { BATCH = 32, ROWS = 5, CHANNELS = 2, VALUES = BATCH * ROWS * CHANNELS, STEPS = 2000 };

static const lsqnet_batch shape = {.size = sizeof shape, .batch = BATCH, .rows = ROWS, .count = ROWS};

static void check(lsqnet_status status) {
  if (status == LSQNET_OK) return;
  fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  exit(EXIT_FAILURE);
}

/* Sequences, and as target each row times the mean of its sequence's rows. */
static void draw(double *x, double *target) {
  static uint64_t seed = 1;
  seed++;
  for (int64_t i = 0; i < VALUES; i++) x[i] = initial(seed, 0, i);
  for (int64_t i = 0; i < VALUES; i++) {
    const double *sequence = x + i / (ROWS * CHANNELS) * (ROWS * CHANNELS);
    double mean = 0;
    for (int64_t t = 0; t < ROWS; t++) mean += sequence[t * CHANNELS + i % CHANNELS] / ROWS;
    target[i] = x[i] * mean;
  }
}

/* The mean of squared errors and its derivative in y. */
static double loss(const double *y, const double *target, double *dy) {
  double sum = 0;
  for (int i = 0; i < VALUES; i++) {
    const double error = y[i] - target[i];
    sum += error * error;
    dy[i] = 2 * error / VALUES;
  }
  return sum / VALUES;
}

/* Returns the last loss over the first. */
static double train(lsqnet_model *model, lsqnet_workspace *space) {
  static double x[VALUES], target[VALUES], y[VALUES], dy[VALUES];
  double first = 0, last = 0;
  for (int step = 0; step < STEPS; step++) {
    draw(x, target);
    check(lsqnet_model_forward_f64(model, space, &shape, x, y));
    last = loss(y, target, dy);
    if (step == 0) first = last;
    if (step % (STEPS / 10) == 0) printf("step %4d  loss %.3e\n", step, last);
    check(lsqnet_model_backward_f64(model, space, dy, NULL));
    check(lsqnet_sgd_step(model, space, 0.5 * (STEPS - step) / STEPS));
  }
  printf("step %4d  loss %.3e\n", STEPS, last);
  return last / first;
}

static int conforms(lsqnet_context *context) {
  const lsqnet_mixer_sizes sizes = {.size = sizeof sizes, .rows = ROWS, .width = 8, .layers = 1};
  char report[4096];
  const int failures = lsqnet_mixer_conformance(&mean_gate, context, &sizes, "{}", report, sizeof report);
  fputs(report, stdout);
  return failures == 0;
}

static void run(const lsqnet_model *model, double *y) {
  double x[VALUES];
  lsqnet_workspace *space = NULL;
  for (int64_t i = 0; i < VALUES; i++) x[i] = initial(12345, 1, i);
  check(lsqnet_workspace_create(&space, model));
  check(lsqnet_model_forward_f64(model, space, &shape, x, y));
  lsqnet_workspace_destroy(space);
}

int main(int count, char **arguments) {
  const char *path = count > 1 ? arguments[1] : "own_mixer.safetensors";
  static double before[VALUES], after[VALUES];
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL, *loaded = NULL;
  lsqnet_workspace *space = NULL;
  lsqnet_model_options options;

  check(lsqnet_context_create(&context, NULL));
  if (!conforms(context)) return EXIT_FAILURE;
  check(lsqnet_context_register_mixer(context, &mean_gate));
  check(lsqnet_model_options_init(&options, sizeof options));
  options.rows = ROWS;
  options.in_width = options.out_width = CHANNELS;
  options.width = 8;
  options.layers = 1;
  options.mixer = "mean_gate";
  check(lsqnet_model_create(&model, context, &options));
  check(lsqnet_workspace_create(&space, model));
  const double fall = train(model, space);
  lsqnet_workspace_destroy(space);

  check(lsqnet_model_save(model, path));
  check(lsqnet_model_load(&loaded, context, path, NULL));
  run(model, before);
  run(loaded, after);
  const int same = memcmp(before, after, sizeof before) == 0;
  printf("saved to %s and loaded: the outputs are %s\n", path, same ? "the same bits" : "NOT the same");

  lsqnet_model_destroy(loaded);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return fall < 0.01 && same ? EXIT_SUCCESS : EXIT_FAILURE;
}
