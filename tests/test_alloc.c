/* Fails each allocation of each call in turn: the call must say LSQNET_E_MEMORY, lose nothing and leave its objects fit
 * for the same call again, with the same result as if nothing had happened. jansson allocates on its own and cannot
 * always tell a lack of memory from bad text: there any failure will do. */
#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <lsqnet/lsqnet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the allocator ---- */

enum { ONLY_THAT_ONE, ALL_FROM_THAT_ONE, ONLY_THAT_ONE_OF_JANSSON, MODES };

static struct {
  atomic_llong calls, fail_at, live;
  atomic_int fired;
  int mode;
} hooks;

static void arm(int64_t fail_at, int mode) {
  hooks.mode = mode;
  hooks.fired = 0;
  hooks.calls = 0;
  hooks.fail_at = fail_at;
}

/* Nothing fails any more; says whether something did. */
static int disarm(void) {
  hooks.fail_at = 0;
  return hooks.fired;
}

static int must_fail(int of_jansson) {
  if ((hooks.mode == ONLY_THAT_ONE_OF_JANSSON) != of_jansson) return 0;
  const long long call = ++hooks.calls, at = hooks.fail_at;
  if (at == 0 || call < at || (hooks.mode != ALL_FROM_THAT_ONE && call > at)) return 0;
  hooks.fired = 1;
  return 1;
}

static void *allocate(void *user, uint64_t bytes, uint64_t alignment) {
  (void)user;
  if (must_fail(0)) return NULL;
  hooks.live++;
  return aligned_alloc((size_t)alignment, (size_t)bytes);
}

static void release(void *user, void *memory, uint64_t bytes) {
  (void)user, (void)bytes;
  hooks.live--;
  free(memory);
}

static void *json_allocate(size_t bytes) {
  if (must_fail(1)) return NULL;
  hooks.live++;
  return malloc(bytes);
}

static void json_release(void *memory) {
  if (memory != NULL) release(NULL, memory, 0);
}

/* ---- what the calls work on ---- */

enum { ROWS = 6, IN = 3, OUT = 2, WIDTH = 8, BATCH = 3, NUMBERS = 512, M = 45, N = 7, SIDES = 2, PATH = 64 };

/* Models that between them have every layer. */
static const struct {
  const char *mixer, *config;
  int32_t mlp, norms, dtype;
} variants[] = {
    {"base_conv", "{\"filter\": \"short\"}", LSQNET_MLP_NONE, 0, LSQNET_F64},
    {"base_conv", "{\"filter\": \"long\", \"causal\": false}", LSQNET_MLP_RELU, 1, LSQNET_F64},
    {"base_conv", "{\"filter\": \"implicit\"}", LSQNET_MLP_GELU, 1, LSQNET_F32},
    {"attention", "{\"heads\": 2}", LSQNET_MLP_GLU, 1, LSQNET_F64},
    {"attention", "{\"softmax\": false, \"causal\": false}", LSQNET_MLP_NONE, 0, LSQNET_F32},
    {"identity", NULL, LSQNET_MLP_RELU, 0, LSQNET_F64},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

typedef struct {
  int variant; /* of the cases that go through all variants */
  lsqnet_context *context;
  lsqnet_model *model, *made; /* made: by the call */
  lsqnet_workspace *workspace;
  lsqnet_solver *solver;
  unsigned char *file; /* the model as a file */
  uint64_t file_bytes, file_at;
  char folder[PATH], path[PATH * 2];
  double numbers[NUMBERS]; /* written by the call */
  float numbers_f32[NUMBERS];
  lsqnet_report reports[SIDES];
} fixture;

static double input[NUMBERS], system_a[M * N], system_b[M * SIDES];
static float input_f32[NUMBERS], system_a_f32[M * N], system_b_f32[M * SIDES];

static double uniform(void) {
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return (double)state / 2147483648.0 - 1;
}

static void fill_inputs(void) {
  for (int i = 0; i < NUMBERS; i++) input[i] = uniform();
  for (int i = 0; i < M * N; i++) system_a[i] = uniform();
  for (int i = 0; i < M * SIDES; i++) system_b[i] = uniform();
  for (int i = 0; i < NUMBERS; i++) input_f32[i] = (float)input[i];
  for (int i = 0; i < M * N; i++) system_a_f32[i] = (float)system_a[i];
  for (int i = 0; i < M * SIDES; i++) system_b_f32[i] = (float)system_b[i];
}

static void succeed(lsqnet_status status) {
  ck_assert_msg(status == LSQNET_OK, "%s: %s", lsqnet_status_name(status), lsqnet_last_message());
}

static lsqnet_status create_context(fixture *f) {
  lsqnet_context_options options;
  succeed(lsqnet_context_options_init(&options, sizeof options));
  options.allocate = allocate;
  options.release = release;
  options.threads = 2;
  return lsqnet_context_create(&f->context, &options);
}

static lsqnet_status create_model(fixture *f, lsqnet_model **out) {
  lsqnet_model_options options;
  succeed(lsqnet_model_options_init(&options, sizeof options));
  options.rows = ROWS;
  options.in_width = IN;
  options.out_width = OUT;
  options.width = WIDTH;
  options.layers = 2;
  options.mixer = variants[f->variant].mixer;
  options.mixer_config = variants[f->variant].config;
  options.mlp = variants[f->variant].mlp;
  options.mixer_norm = options.mlp_norm = options.final_norm = variants[f->variant].norms;
  options.dtype = variants[f->variant].dtype;
  return lsqnet_model_create(out, f->context, &options);
}

static lsqnet_status forward(fixture *f, int64_t batch) {
  const lsqnet_batch shape = {.size = sizeof shape, .batch = batch, .rows = ROWS, .first = 1, .count = ROWS - 1};
  if (variants[f->variant].dtype == LSQNET_F64)
    return lsqnet_model_forward_f64(f->model, f->workspace, &shape, input, f->numbers);
  return lsqnet_model_forward_f32(f->model, f->workspace, &shape, input_f32, f->numbers_f32);
}

static lsqnet_status backward(fixture *f) {
  if (variants[f->variant].dtype == LSQNET_F64)
    return lsqnet_model_backward_f64(f->model, f->workspace, input, f->numbers);
  return lsqnet_model_backward_f32(f->model, f->workspace, input_f32, f->numbers_f32);
}

static void create_step_model(lsqnet_model **out, lsqnet_context *context, int64_t rows, int64_t dim) {
  lsqnet_construct_options options;
  succeed(lsqnet_construct_options_init(&options, sizeof options));
  options.rows = rows;
  options.dim = dim;
  succeed(lsqnet_model_construct_gradient(out, context, &options));
}

static lsqnet_status create_solver(fixture *f, int32_t method, int32_t min_norm) {
  lsqnet_solver_options options;
  succeed(lsqnet_solver_options_init(&options, sizeof options));
  options.method = method;
  options.min_norm = min_norm;
  return lsqnet_solver_create(&f->solver, f->context, f->model, &options);
}

/* ---- before the call ---- */

static void with_nothing(fixture *f) { (void)f; }

static void with_context(fixture *f) { succeed(create_context(f)); }

static void with_model(fixture *f) {
  with_context(f);
  succeed(create_model(f, &f->model));
}

static void with_workspace(fixture *f) {
  with_model(f);
  succeed(lsqnet_workspace_create(&f->workspace, f->model));
}

static void with_forward(fixture *f) {
  with_workspace(f);
  succeed(forward(f, BATCH));
}

static void with_small_forward(fixture *f) {
  with_workspace(f);
  succeed(forward(f, 1));
}

static void with_gradient(fixture *f) {
  with_forward(f);
  succeed(backward(f));
}

static void with_file(fixture *f) {
  with_model(f);
  succeed(lsqnet_model_save_memory(f->model, NULL, 0, &f->file_bytes));
  f->file = malloc((size_t)f->file_bytes);
  succeed(lsqnet_model_save_memory(f->model, f->file, f->file_bytes, &f->file_bytes));
}

static void with_folder(fixture *f) {
  with_file(f);
  snprintf(f->folder, sizeof f->folder, "test_alloc-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(f->folder));
  snprintf(f->path, sizeof f->path, "%s/model.safetensors", f->folder);
  succeed(lsqnet_model_save(f->model, f->path));
}

static void with_step_model(fixture *f) {
  with_context(f);
  create_step_model(&f->model, f->context, 20, 5);
}

static void with_shipped(fixture *f) {
  with_context(f);
  succeed(create_solver(f, LSQNET_METHOD_AUTO, 0));
}

static void with_solver(fixture *f, int32_t method, int32_t min_norm) {
  with_step_model(f);
  succeed(create_solver(f, method, min_norm));
}

static void with_direct(fixture *f) { with_solver(f, LSQNET_METHOD_DIRECT, 0); }
static void with_gd(fixture *f) { with_solver(f, LSQNET_METHOD_GD, 0); }
static void with_chebyshev(fixture *f) { with_solver(f, LSQNET_METHOD_CHEBYSHEV, 0); }
static void with_cg(fixture *f) { with_solver(f, LSQNET_METHOD_CG, 0); }
static void with_min_norm(fixture *f) { with_solver(f, LSQNET_METHOD_DIRECT, 1); }

/* ---- the calls ---- */

static lsqnet_status model_create(fixture *f) { return create_model(f, &f->made); }
static lsqnet_status workspace_create(fixture *f) { return lsqnet_workspace_create(&f->workspace, f->model); }
static lsqnet_status forward_first(fixture *f) { return forward(f, BATCH); }

static lsqnet_status jvp(fixture *f) {
  if (variants[f->variant].dtype == LSQNET_F64)
    return lsqnet_model_jvp_f64(f->model, f->workspace, input, NULL, f->numbers);
  return lsqnet_model_jvp_f32(f->model, f->workspace, input_f32, NULL, f->numbers_f32);
}

static lsqnet_status sgd_step(fixture *f) {
  const lsqnet_status status = lsqnet_sgd_step(f->model, f->workspace, 0.125);
  if (status == LSQNET_OK) succeed(lsqnet_model_read_parameter(f->model, 0, f->numbers, WIDTH * IN));
  return status;
}

static lsqnet_status clone(fixture *f) { return lsqnet_model_clone(&f->made, f->model); }

static lsqnet_status convert(fixture *f) {
  const int32_t other = variants[f->variant].dtype == LSQNET_F64 ? LSQNET_F32 : LSQNET_F64;
  return lsqnet_model_convert(&f->made, f->model, other);
}

static lsqnet_status set_step(fixture *f) {
  lsqnet_model_step step;
  succeed(lsqnet_model_get_step(f->model, &step, sizeof step));
  step.task = "explicit_gradient";
  return lsqnet_model_set_step(f->model, &step);
}

static lsqnet_status register_mixer(fixture *f);

static lsqnet_status construct(fixture *f, const char *mixer, const char *prompt, int64_t iterates) {
  lsqnet_construct_options options;
  succeed(lsqnet_construct_options_init(&options, sizeof options));
  options.rows = 4;
  options.dim = 2;
  options.iterates = iterates;
  options.mixer = mixer;
  options.prompt = prompt;
  return iterates > 0 ? lsqnet_model_construct_iterates(&f->made, f->context, &options)
                      : lsqnet_model_construct_gradient(&f->made, f->context, &options);
}

static lsqnet_status construct_attention(fixture *f) { return construct(f, "attention", "split", 2); }
static lsqnet_status construct_repeat(fixture *f) { return construct(f, "base_conv", "repeat", 2); }
static lsqnet_status construct_split(fixture *f) { return construct(f, "base_conv", "split", 2); }
static lsqnet_status construct_query_first(fixture *f) { return construct(f, "base_conv", "query_first", 2); }

static lsqnet_status save_memory(fixture *f) {
  return lsqnet_model_save_memory(f->model, f->file, f->file_bytes, &f->file_bytes);
}

static lsqnet_status save_path(fixture *f) { return lsqnet_model_save(f->model, f->path); }

static lsqnet_status count_bytes(void *user, const void *data, uint64_t bytes) {
  (void)data;
  *(double *)user += (double)bytes;
  return LSQNET_OK;
}

static lsqnet_status save_stream(fixture *f) {
  f->numbers[0] = 0;
  return lsqnet_model_save_stream(f->model, count_bytes, &f->numbers[0]);
}

static lsqnet_status load_memory(fixture *f) {
  return lsqnet_model_load_memory(&f->made, f->context, f->file, f->file_bytes, NULL);
}
static lsqnet_status load_path(fixture *f) { return lsqnet_model_load(&f->made, f->context, f->path, NULL); }

/* Hands out at most 1000 bytes at a time. */
static lsqnet_status read_file(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  fixture *f = user;
  const uint64_t left = f->file_bytes - f->file_at, most = bytes < 1000 ? bytes : 1000;
  *got = left < most ? left : most;
  memcpy(buffer, f->file + f->file_at, (size_t)*got);
  f->file_at += *got;
  return LSQNET_OK;
}

static lsqnet_status load_stream(fixture *f) {
  f->file_at = 0;
  return lsqnet_model_load_stream(&f->made, f->context, read_file, f, NULL);
}

static lsqnet_status solver_create(fixture *f) { return create_solver(f, LSQNET_METHOD_AUTO, 0); }

static lsqnet_status solve(fixture *f) {
  return lsqnet_solver_solve_f64(f->solver, M, N, SIDES, system_a, N, system_b, SIDES, f->numbers, SIDES, f->reports);
}

static lsqnet_status solve_f32(fixture *f) {
  const float *a = system_a_f32, *b = system_b_f32;
  return lsqnet_solver_solve_f32(f->solver, M, N, SIDES, a, N, b, SIDES, f->numbers_f32, SIDES, f->reports);
}

static lsqnet_status solve_pair(fixture *f) {
  const double *a = system_a, *b = system_b;
  return lsqnet_solver_solve_pair_f64(f->solver, M, N, SIDES, a, NULL, N, b, NULL, SIDES, f->numbers, SIDES,
                                      f->reports);
}

/* Fewer rows than unknowns. */
static lsqnet_status solve_wide(fixture *f) {
  return lsqnet_solver_solve_f64(f->solver, 4, N, SIDES, system_a, N, system_b, SIDES, f->numbers, SIDES, f->reports);
}

/* ---- after a call that failed ---- */

static void nothing_was_made(const fixture *f) { ck_assert_ptr_null(f->made); }
static void no_context(const fixture *f) { ck_assert_ptr_null(f->context); }
static void no_workspace(const fixture *f) { ck_assert_ptr_null(f->workspace); }
static void no_solver(const fixture *f) { ck_assert_ptr_null(f->solver); }
static void anything(const fixture *f) { (void)f; }

/* The workspace stands for its last forward pass or for none. */
static void backward_is_sound(const fixture *f) {
  fixture copy = *f;
  const lsqnet_status status = backward(&copy);
  ck_assert(status == LSQNET_OK || status == LSQNET_E_ARGUMENT);
}

static void the_old_file_is_alone(const fixture *f) {
  int entries = 0;
  DIR *folder = opendir(f->folder);
  ck_assert_ptr_nonnull(folder);
  while (readdir(folder) != NULL) entries++;
  closedir(folder);
  ck_assert_int_eq(entries, 3); /* ".", ".." and the file */
  unsigned char *now = malloc((size_t)f->file_bytes + 1);
  FILE *file = fopen(f->path, "rb");
  ck_assert(now != NULL && file != NULL);
  ck_assert_uint_eq(fread(now, 1, (size_t)f->file_bytes + 1, file), f->file_bytes);
  ck_assert_int_eq(memcmp(now, f->file, (size_t)f->file_bytes), 0);
  fclose(file);
  free(now);
}

static void the_mixers_are_as_before(const fixture *f) {
  ck_assert_ptr_null(lsqnet_context_mixer_name(f->context, lsqnet_context_mixer_count(f->context)));
  for (int64_t i = 0; i < lsqnet_context_mixer_count(f->context); i++)
    ck_assert_str_ne(lsqnet_context_mixer_name(f->context, i), "mine");
}

/* ---- the list ---- */

typedef struct {
  const char *name;
  int every_variant;
  int without_jansson; /* it ends the process when the buffer of a long string cannot grow: SECURITY.md */
  void (*prepare)(fixture *f);
  lsqnet_status (*call)(fixture *f);
  void (*after_failure)(const fixture *f);
} call_case;

static const call_case cases[] = {
    {"context_create", 0, 0, with_nothing, create_context, no_context},
    {"register_mixer", 0, 0, with_context, register_mixer, the_mixers_are_as_before},
    {"model_create", 1, 0, with_context, model_create, nothing_was_made},
    {"workspace_create", 1, 0, with_model, workspace_create, no_workspace},
    {"forward", 1, 0, with_workspace, forward_first, anything},
    {"forward on a larger batch", 1, 0, with_small_forward, forward_first, backward_is_sound},
    {"backward", 1, 0, with_forward, backward, backward_is_sound},
    {"jvp", 1, 0, with_forward, jvp, backward_is_sound},
    {"sgd_step", 1, 0, with_gradient, sgd_step, anything},
    {"clone", 1, 0, with_model, clone, nothing_was_made},
    {"convert", 1, 0, with_model, convert, nothing_was_made},
    {"set_step", 0, 0, with_step_model, set_step, anything},
    {"construct attention", 0, 0, with_context, construct_attention, nothing_was_made},
    {"construct repeat", 0, 0, with_context, construct_repeat, nothing_was_made},
    {"construct split", 0, 0, with_context, construct_split, nothing_was_made},
    {"construct query_first", 0, 0, with_context, construct_query_first, nothing_was_made},
    {"save_memory", 1, 0, with_file, save_memory, anything},
    {"save", 0, 0, with_folder, save_path, the_old_file_is_alone},
    {"save_stream", 1, 0, with_model, save_stream, anything},
    {"load_memory", 1, 1, with_file, load_memory, nothing_was_made},
    {"load", 0, 1, with_folder, load_path, nothing_was_made},
    {"load_stream", 1, 1, with_file, load_stream, nothing_was_made},
    {"solver_create", 0, 0, with_step_model, solver_create, no_solver},
    {"solver_create without a model", 0, 0, with_context, solver_create, no_solver},
    {"solve by direct", 0, 0, with_direct, solve, anything},
    {"solve without a model", 0, 1, with_shipped, solve, anything},
    {"solve by gd", 0, 0, with_gd, solve, anything},
    {"solve by chebyshev", 0, 0, with_chebyshev, solve, anything},
    {"solve by cg", 0, 0, with_cg, solve, anything},
    {"solve_f32", 0, 0, with_direct, solve_f32, anything},
    {"solve_pair", 0, 0, with_direct, solve_pair, anything},
    {"solve for the least norm", 0, 0, with_min_norm, solve_wide, anything},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static lsqnet_status mixer_create(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                                  const char *config) {
  (void)context, (void)user, (void)sizes, (void)config;
  *state = NULL;
  return LSQNET_OK;
}
static void mixer_destroy(void *state) { (void)state; }
static int64_t mixer_parameters(const void *state) { return state != NULL; }
static lsqnet_status mixer_parameter(const void *state, int64_t index, lsqnet_mixer_parameter *out) {
  (void)state, (void)index, (void)out;
  return LSQNET_E_ARGUMENT;
}
static lsqnet_status mixer_workspace(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache,
                                     int64_t *scratch) {
  (void)state, (void)shape;
  *cache = *scratch = 0;
  return LSQNET_OK;
}
static lsqnet_status mixer_forward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                                   const double *x, double *y, double *cache, double *scratch) {
  (void)state, (void)shape, (void)weights, (void)x, (void)y, (void)cache, (void)scratch;
  return LSQNET_OK;
}
static lsqnet_status mixer_backward(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                                    const double *x, const double *dy, double *dx, double *const *dweights,
                                    const double *cache, double *scratch) {
  (void)state, (void)shape, (void)weights, (void)x, (void)dy, (void)dx, (void)dweights, (void)cache, (void)scratch;
  return LSQNET_OK;
}

static lsqnet_status register_mixer(fixture *f) {
  const lsqnet_mixer mixer = {.size = sizeof mixer,
                              .name = "mine",
                              .create = mixer_create,
                              .destroy = mixer_destroy,
                              .parameter_count = mixer_parameters,
                              .parameter = mixer_parameter,
                              .workspace = mixer_workspace,
                              .forward_f64 = mixer_forward,
                              .backward_f64 = mixer_backward};
  return lsqnet_context_register_mixer(f->context, &mixer);
}

/* ---- the test ---- */

static uint64_t hash_bytes(uint64_t hash, const void *data, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
  return hash;
}

static lsqnet_status hash_written(void *user, const void *data, uint64_t bytes) {
  uint64_t *hash = user;
  *hash = hash_bytes(*hash, data, bytes);
  return LSQNET_OK;
}

/* Of all that the call wrote. */
static uint64_t fingerprint(const fixture *f) {
  uint64_t hash = UINT64_C(14695981039346656037);
  if (f->made != NULL) succeed(lsqnet_model_save_stream(f->made, hash_written, &hash));
  if (f->file != NULL) hash = hash_bytes(hash, f->file, f->file_bytes);
  hash = hash_bytes(hash, f->numbers, sizeof f->numbers);
  return hash_bytes(hash, f->numbers_f32, sizeof f->numbers_f32);
}

static fixture *prepared(const call_case *c, int variant) {
  fixture *f = calloc(1, sizeof *f);
  ck_assert_ptr_nonnull(f);
  f->variant = variant;
  for (int k = 0; k < SIDES; k++) f->reports[k].size = sizeof f->reports[k];
  c->prepare(f);
  return f;
}

static void tear_down(fixture *f) {
  lsqnet_solver_destroy(f->solver);
  lsqnet_workspace_destroy(f->workspace);
  lsqnet_model_destroy(f->made);
  lsqnet_model_destroy(f->model);
  lsqnet_context_destroy(f->context);
  if (f->path[0] != '\0') unlink(f->path);
  if (f->folder[0] != '\0') rmdir(f->folder);
  free(f->file);
  free(f);
}

static uint64_t undisturbed(const call_case *c, int variant) {
  fixture *f = prepared(c, variant);
  succeed(c->call(f));
  const uint64_t expected = fingerprint(f);
  tear_down(f);
  return expected;
}

/* One call whose allocation `n` fails; 0 when it has not so many. */
static int disturb(const call_case *c, int variant, int mode, int64_t n, uint64_t expected) {
  fixture *f = prepared(c, variant);
  lsqnet_set_message(NULL);
  arm(n, mode);
  lsqnet_status status = c->call(f);
  const int fired = disarm();
  if (fired) {
    const int taken = mode == ONLY_THAT_ONE_OF_JANSSON ? status != LSQNET_OK : status == LSQNET_E_MEMORY;
    ck_assert_msg(taken, "%s, variant %d, allocation %lld: %s (%s)", c->name, variant, (long long)n,
                  lsqnet_status_name(status), lsqnet_last_message());
    ck_assert_msg(lsqnet_last_message()[0] != '\0', "%s: no message", c->name);
    c->after_failure(f);
    memset(f->numbers, 0, sizeof f->numbers);
    memset(f->numbers_f32, 0, sizeof f->numbers_f32);
    status = c->call(f);
  }
  ck_assert_msg(status == LSQNET_OK, "%s, variant %d, again after allocation %lld: %s (%s)", c->name, variant,
                (long long)n, lsqnet_status_name(status), lsqnet_last_message());
  ck_assert_msg(fingerprint(f) == expected, "%s, variant %d: another result after allocation %lld", c->name, variant,
                (long long)n);
  tear_down(f);
  ck_assert_msg(hooks.live == 0, "%s, variant %d, allocation %lld: %lld blocks lost", c->name, variant, (long long)n,
                (long long)hooks.live);
  return fired;
}

/* _i: case and mode. */
START_TEST(every_call_survives_each_failed_allocation) {
  const call_case *c = &cases[_i / MODES];
  const int mode = _i % MODES;
  if (mode == ONLY_THAT_ONE_OF_JANSSON && c->without_jansson) return;
  json_set_alloc_funcs(json_allocate, json_release);
  fill_inputs();
  const int variants_tried = c->every_variant && mode != ONLY_THAT_ONE_OF_JANSSON ? VARIANTS : 1;
  for (int variant = 0; variant < variants_tried; variant++) {
    const uint64_t expected = undisturbed(c, variant);
    int64_t n = 1;
    while (disturb(c, variant, mode, n, expected)) n++;
  }
}
END_TEST

/* What is asked for in "Speed and memory": later calls of a shape allocate nothing. */
START_TEST(a_second_pass_allocates_nothing) {
  fill_inputs();
  for (int variant = 0; variant < VARIANTS; variant++) {
    fixture *f = prepared(&(call_case){.prepare = with_gradient}, variant);
    succeed(jvp(f));
    arm(0, ONLY_THAT_ONE);
    succeed(forward(f, BATCH));
    succeed(backward(f));
    succeed(sgd_step(f));
    succeed(forward(f, BATCH));
    succeed(jvp(f));
    ck_assert_int_eq(hooks.calls, 0);
    tear_down(f);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("alloc");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_loop_test(each, every_call_survives_each_failed_allocation, 0, CASES * MODES);
  tcase_add_test(each, a_second_pass_allocates_nothing);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
