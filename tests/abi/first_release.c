/* Compiled against the headers of the first release (tests/abi/headers), it runs with today's library: every struct
 * that crosses the interface does, and numbers are what they were. Exit code 0 if all holds. */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM(that)                                                                          \
  do {                                                                                       \
    if (!(that)) {                                                                           \
      fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #that, lsqnet_last_message()); \
      exit(EXIT_FAILURE);                                                                    \
    }                                                                                        \
  } while (0)
#define OK(call) CLAIM((call) == LSQNET_OK)

/* What lies behind a struct of the first release must stay as it was: today's may be longer. */
#define GUARDED(type)         \
  struct {                    \
    type it;                  \
    unsigned char behind[64]; \
  }
#define GUARD(name) memset(&name, 0xA5, sizeof name)
#define CLAIM_GUARD(name) \
  for (size_t i = 0; i < sizeof name.behind; i++) CLAIM(name.behind[i] == 0xA5)

static void numbers_are_fixed(void) {
  static const struct {
    lsqnet_status number;
    const char *name;
  } all[] = {{0, "LSQNET_OK"},         {10, "LSQNET_E_ARGUMENT"},    {11, "LSQNET_E_SHAPE"},
             {12, "LSQNET_E_VERSION"}, {20, "LSQNET_E_MEMORY"},      {30, "LSQNET_E_IO"},
             {31, "LSQNET_E_FORMAT"},  {40, "LSQNET_E_NOT_FINITE"},  {41, "LSQNET_E_NOT_CONVERGED"},
             {42, "LSQNET_E_RANK"},    {50, "LSQNET_E_UNSUPPORTED"}, {51, "LSQNET_E_STOPPED"},
             {90, "LSQNET_E_INTERNAL"}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    CLAIM(strcmp(lsqnet_status_name(all[i].number), all[i].name) == 0);
  CLAIM(strcmp(lsqnet_method_name(4), "direct") == 0 && strcmp(lsqnet_stop_name(1), "converged") == 0);
  CLAIM(lsqnet_abi_version() == 0);
}

static void solves(lsqnet_context *context, const lsqnet_model *model) {
  const double a[] = {1, 1, 1, 2, 1, 3, 1, 4}, b[] = {3, 5, 7, 9};
  double x[4] = {0};
  GUARDED(lsqnet_solver_options) options;
  GUARDED(lsqnet_report) report;
  GUARDED(lsqnet_problems) problems;
  GUARDED(lsqnet_state_options) about;
  GUARDED(lsqnet_state_info) info;
  lsqnet_solver *solver = NULL;
  lsqnet_state *state = NULL;
  GUARD(options);
  OK(lsqnet_solver_options_init(&options.it, sizeof options.it));
  CLAIM_GUARD(options);
  CLAIM(options.it.corrections == 50 && options.it.stop == NULL && options.it.stop_user == NULL);
  OK(lsqnet_solver_create(&solver, context, model, &options.it));
  GUARD(report);
  report.it.size = sizeof report.it;
  OK(lsqnet_solver_solve_f64(solver, 4, 2, 1, a, 2, b, 1, x, 1, &report.it));
  CLAIM_GUARD(report);
  CLAIM(fabs(x[0] - 1) < 1e-14 && fabs(x[1] - 2) < 1e-14 && report.it.rank == 2 && report.it.status == LSQNET_OK);
  CLAIM(report.it.digits > 15 && report.it.condition > 1 && report.it.condition < 15 && report.it.method == 4);
  GUARD(problems);
  OK(lsqnet_problems_init(&problems.it, sizeof problems.it));
  CLAIM_GUARD(problems);
  problems.it.count = 2;
  problems.it.m = 2;
  problems.it.n = 2;
  GUARD(report);
  OK(lsqnet_solver_solve_batch_f64(solver, &problems.it, a, b, NULL, x, NULL));
  CLAIM(fabs(x[2] - 1) < 1e-13 && fabs(x[3] - 2) < 1e-13);
  GUARD(about);
  OK(lsqnet_state_options_init(&about.it, sizeof about.it));
  CLAIM_GUARD(about);
  about.it.n = 2;
  OK(lsqnet_state_create(&state, context, &about.it));
  OK(lsqnet_solver_append_rows(solver, state, 4, a, 2, b, 1));
  GUARD(info);
  OK(lsqnet_state_get_info(state, &info.it, sizeof info.it));
  CLAIM_GUARD(info);
  CLAIM(info.it.rows == 4);
  OK(lsqnet_solver_solve_state(solver, state, x, 1, NULL));
  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
}

static lsqnet_model *constructs(lsqnet_context *context) {
  GUARDED(lsqnet_construct_options) options;
  GUARDED(lsqnet_model_options) about;
  GUARDED(lsqnet_model_step) step;
  GUARDED(lsqnet_parameter) parameter;
  GUARDED(lsqnet_load_options) load;
  lsqnet_model *made = NULL, *loaded = NULL;
  uint64_t needed = 0;
  GUARD(options);
  OK(lsqnet_construct_options_init(&options.it, sizeof options.it));
  CLAIM_GUARD(options);
  options.it.rows = 4;
  options.it.dim = 2;
  OK(lsqnet_model_construct_gradient(&made, context, &options.it));
  OK(lsqnet_model_save_memory(made, NULL, 0, &needed));
  void *bytes = malloc((size_t)needed);
  CLAIM(bytes != NULL);
  OK(lsqnet_model_save_memory(made, bytes, needed, &needed));
  GUARD(load);
  OK(lsqnet_load_options_init(&load.it, sizeof load.it));
  CLAIM_GUARD(load);
  OK(lsqnet_model_load_memory(&loaded, context, bytes, needed, &load.it));
  free(bytes);
  lsqnet_model_destroy(made);
  GUARD(about);
  OK(lsqnet_model_get_options(loaded, &about.it, sizeof about.it));
  CLAIM_GUARD(about);
  CLAIM(about.it.rows == 5 && about.it.in_width == 5 && strcmp(about.it.mixer, "attention") == 0);
  GUARD(step);
  OK(lsqnet_model_get_step(loaded, &step.it, sizeof step.it));
  CLAIM_GUARD(step);
  CLAIM(step.it.output == 1 && step.it.rows == 4 && step.it.dim == 2 && strcmp(step.it.prompt, "split") == 0);
  GUARD(parameter);
  OK(lsqnet_model_get_parameter(loaded, 0, &parameter.it, sizeof parameter.it));
  CLAIM_GUARD(parameter);
  CLAIM(strcmp(parameter.it.name, "read_in.weight") == 0 && parameter.it.count == parameter.it.shape[0] * 5);
  return loaded;
}

/* A mixer of the first release's table: y = w x, with a weight w = 2 for each channel. */
static lsqnet_status create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                            const char *config) {
  (void)context, (void)config;
  CLAIM(user == (void *)create && sizes->width == 4 && sizes->rows == 3);
  *state = malloc(sizeof *sizes);
  memcpy(*state, sizes, sizeof *sizes);
  return LSQNET_OK;
}
static void destroy(void *state) { free(state); }
static int64_t parameter_count(const void *state) { return state != NULL; }
static lsqnet_status parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  CLAIM(index == 0 && out->size >= sizeof *out && out->frozen == 0 && out->rank == 0 && out->name == NULL);
  out->rank = 2;
  out->shape[0] = 1;
  out->shape[1] = ((const lsqnet_mixer_sizes *)state)->width;
  out->name = "factor";
  out->reference_name = "theirs";
  return LSQNET_OK;
}
static lsqnet_status initialize(const void *state, int64_t index, uint64_t seed, double *values) {
  (void)seed;
  CLAIM(index == 0);
  for (int64_t i = 0; i < ((const lsqnet_mixer_sizes *)state)->width; i++) values[i] = 2;
  return LSQNET_OK;
}
static lsqnet_status workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache, int64_t *scratch) {
  (void)state, (void)shape;
  *cache = *scratch = 0;
  return LSQNET_OK;
}
static lsqnet_status forward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                             const double *x, double *y, double *cache, double *scratch) {
  const int64_t D = ((const lsqnet_mixer_sizes *)state)->width;
  (void)cache, (void)scratch;
  for (int64_t b = 0; b < shape->batch; b++)
    for (int64_t i = 0; i < shape->count * D; i++)
      y[b * shape->count * D + i] = weights[0][i % D] * x[b * shape->rows * D + shape->first * D + i];
  return LSQNET_OK;
}
static lsqnet_status backward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                              const double *x, const double *dy, double *dx, double *const *dweights,
                              const double *cache, double *scratch) {
  const int64_t D = ((const lsqnet_mixer_sizes *)state)->width;
  (void)cache, (void)scratch;
  memset(dx, 0, (size_t)(shape->batch * shape->rows * D) * sizeof *dx);
  for (int64_t b = 0; b < shape->batch; b++)
    for (int64_t i = 0; i < shape->count * D; i++) {
      const int64_t at = b * shape->rows * D + shape->first * D + i;
      dx[at] = weights[0][i % D] * dy[b * shape->count * D + i];
      if (dweights[0] != NULL) dweights[0][i % D] += x[at] * dy[b * shape->count * D + i];
    }
  return LSQNET_OK;
}

static lsqnet_status three_steps(void *user, const lsqnet_progress *progress) {
  CLAIM(progress->size >= sizeof *progress);
  *(double *)user = progress->loss;
  return progress->step < 3 ? LSQNET_OK : LSQNET_E_STOPPED;
}

static void trains(lsqnet_context *context) {
  const lsqnet_mixer mixer = {.size = sizeof mixer,
                              .flags = LSQNET_MIXER_POLYNOMIAL,
                              .name = "twice",
                              .user = (void *)create,
                              .create = create,
                              .destroy = destroy,
                              .parameter_count = parameter_count,
                              .parameter = parameter,
                              .workspace = workspace,
                              .forward_f64 = forward,
                              .backward_f64 = backward,
                              .initialize = initialize};
  GUARDED(lsqnet_task_options) about;
  GUARDED(lsqnet_task_shape) shape;
  GUARDED(lsqnet_model_options) options;
  GUARDED(lsqnet_train_options) how;
  GUARDED(lsqnet_progress) progress;
  GUARDED(lsqnet_parameter) weight;
  lsqnet_task *task = NULL;
  lsqnet_model *model = NULL;
  lsqnet_trainer *trainer = NULL;
  double loss = -1;
  OK(lsqnet_context_register_mixer(context, &mixer));
  GUARD(about);
  OK(lsqnet_task_options_init(&about.it, sizeof about.it));
  CLAIM_GUARD(about);
  about.it.prompt = "query_last";
  about.it.rows = 2;
  about.it.dim = 1;
  OK(lsqnet_task_create(&task, context, &about.it));
  GUARD(shape);
  OK(lsqnet_task_get_shape(task, &shape.it, sizeof shape.it));
  CLAIM_GUARD(shape);
  GUARD(options);
  OK(lsqnet_model_options_init(&options.it, sizeof options.it));
  CLAIM_GUARD(options);
  options.it.rows = shape.it.rows;
  options.it.in_width = shape.it.in_width;
  options.it.out_width = shape.it.out_width;
  options.it.width = 4;
  options.it.layers = 2;
  options.it.mixer = "twice";
  OK(lsqnet_model_create(&model, context, &options.it));
  GUARD(weight);
  OK(lsqnet_model_get_parameter(model, lsqnet_model_find_parameter(model, "blocks.1.mixer.factor"), &weight.it,
                                sizeof weight.it));
  CLAIM_GUARD(weight);
  CLAIM(weight.it.rank == 2 && weight.it.shape[0] == 1 && weight.it.shape[1] == 4 && weight.it.count == 4);
  CLAIM(weight.it.frozen == 0 && strstr(weight.it.reference_name, ".h.1.seq_mixer.theirs") != NULL);
  GUARD(how);
  OK(lsqnet_train_options_init(&how.it, sizeof how.it));
  CLAIM_GUARD(how);
  how.it.batch = 8;
  OK(lsqnet_trainer_create(&trainer, model, task, &how.it));
  GUARD(progress);
  progress.it.size = sizeof progress.it;
  OK(lsqnet_trainer_step(trainer, &progress.it));
  CLAIM_GUARD(progress);
  CLAIM(progress.it.step == 1 && progress.it.loss > 0);
  CLAIM(lsqnet_trainer_run(trainer, three_steps, &loss) == LSQNET_E_STOPPED && loss > 0);
  lsqnet_trainer_destroy(trainer);
  lsqnet_model_destroy(model);
  lsqnet_task_destroy(task);
}

static void runs(const lsqnet_model *model) {
  const lsqnet_batch shape = {.size = sizeof shape, .batch = 1, .rows = 5, .first = 4, .count = 1};
  const double a[] = {1, 0, 0, 1, 1, 0, 0, 1}, b[] = {1, 2, 1, 2}, zero[2] = {0, 0};
  double prompt[25], y[2], dx[25];
  lsqnet_workspace *space = NULL;
  OK(lsqnet_prompt_fill_f64("split", 4, 2, a, 2, b, zero, prompt));
  OK(lsqnet_workspace_create(&space, model));
  OK(lsqnet_model_forward_f64(model, space, &shape, prompt, y));
  CLAIM(fabs(y[0] + 0.5) < 1e-14 && fabs(y[1] + 1) < 1e-14); /* A'(A x - b) / 4 at x = 0 */
  OK(lsqnet_model_backward_f64(model, space, y, dx));
  CLAIM(lsqnet_workspace_gradient_f64(space) != NULL);
  lsqnet_workspace_destroy(space);
}

int main(void) {
  GUARDED(lsqnet_context_options) options;
  lsqnet_context *context = NULL;
  numbers_are_fixed();
  GUARD(options);
  OK(lsqnet_context_options_init(&options.it, sizeof options.it));
  CLAIM_GUARD(options);
  options.it.threads = 2;
  OK(lsqnet_context_create(&context, &options.it));
  lsqnet_model *model = constructs(context);
  runs(model);
  solves(context, model);
  trains(context);
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  puts("a program of the first release runs");
  return EXIT_SUCCESS;
}
