/* Every public function with a call that succeeds. A function that is missing here fails test_api. */
#include "api_table.h"

#include <check.h>
#include <string.h>

/* ---- calls ---- */

#define CALL(function, ...) \
  static lsqnet_status call_##function(const api_slot *a) { return lsqnet_##function(__VA_ARGS__); }
#define P(k) a[k].p
#define I(k) a[k].i
#define U(k) (uint64_t) a[k].i
#define S(k) (uint32_t) a[k].i
#define E(k) (int32_t) a[k].i

CALL(context_options_init, P(0), S(1))
CALL(context_create, P(0), P(1))
CALL(context_register_mixer, P(0), P(1))
CALL(model_options_init, P(0), S(1))
CALL(model_create, P(0), P(1), P(2))
CALL(model_draw_weights, P(0), U(1), a[2].d)
CALL(model_clone, P(0), P(1))
CALL(model_convert, P(0), P(1), E(2))
CALL(model_get_options, P(0), P(1), S(2))
CALL(model_get_step, P(0), P(1), S(2))
CALL(model_set_step, P(0), P(1))
CALL(model_get_parameter, P(0), I(1), P(2), S(3))
CALL(model_read_parameter, P(0), I(1), P(2), I(3))
CALL(model_write_parameter, P(0), I(1), P(2), I(3))
CALL(model_freeze, P(0), I(1), E(2))
CALL(workspace_create, P(0), P(1))
CALL(model_forward_f64, P(0), P(1), P(2), P(3), P(4))
CALL(model_forward_f32, P(0), P(1), P(2), P(3), P(4))
CALL(model_backward_f64, P(0), P(1), P(2), P(3))
CALL(model_backward_f32, P(0), P(1), P(2), P(3))
CALL(model_jvp_f64, P(0), P(1), P(2), P(3), P(4))
CALL(model_jvp_f32, P(0), P(1), P(2), P(3), P(4))
CALL(sgd_step, P(0), P(1), a[2].d)
CALL(construct_options_init, P(0), S(1))
CALL(model_construct_gradient, P(0), P(1), P(2))
CALL(model_construct_iterates, P(0), P(1), P(2))
CALL(load_options_init, P(0), S(1))
CALL(model_load, P(0), P(1), P(2), P(3))
CALL(model_load_memory, P(0), P(1), P(2), U(3), P(4))
CALL(model_save, P(0), P(1))
CALL(model_save_memory, P(0), P(1), U(2), P(3))
CALL(solver_options_init, P(0), S(1))
CALL(solver_create, P(0), P(1), P(2), P(3))
CALL(solver_solve_f64, P(0), I(1), I(2), I(3), P(4), I(5), P(6), I(7), P(8), I(9), P(10))
CALL(solver_solve_f32, P(0), I(1), I(2), I(3), P(4), I(5), P(6), I(7), P(8), I(9), P(10))
CALL(solver_solve_pair_f64, P(0), I(1), I(2), I(3), P(4), P(5), I(6), P(7), P(8), I(9), P(10), I(11), P(12))
CALL(problems_init, P(0), S(1))
CALL(solver_solve_batch_f64, P(0), P(1), P(2), P(3), P(4), P(5), P(6))
CALL(solver_solve_batch_f32, P(0), P(1), P(2), P(3), P(4), P(5), P(6))
CALL(solver_solve_pointers_f64, P(0), P(1), P(2), P(3), P(4), P(5), P(6))
CALL(solver_solve_pointers_f32, P(0), P(1), P(2), P(3), P(4), P(5), P(6))
CALL(state_options_init, P(0), S(1))
CALL(state_create, P(0), P(1), P(2))
CALL(state_get_info, P(0), P(1), S(2))
CALL(solver_append_rows, P(0), P(1), I(2), P(3), I(4), P(5), I(6))
CALL(solver_remove_rows, P(0), P(1), I(2), P(3), I(4), P(5), I(6))
CALL(solver_solve_state, P(0), P(1), P(2), I(3), P(4))
CALL(prompt_shape, P(0), I(1), I(2), P(3), P(4), P(5))
CALL(prompt_fill_f64, P(0), I(1), I(2), P(3), I(4), P(5), P(6), P(7))
CALL(prompt_fill_f32, P(0), I(1), I(2), P(3), I(4), P(5), P(6), P(7))
CALL(task_options_init, P(0), S(1))
CALL(task_create, P(0), P(1), P(2))
CALL(task_get_shape, P(0), P(1), S(2))
CALL(task_get_options, P(0), P(1), S(2))
CALL(task_draw_f64, P(0), U(1), U(2), I(3), I(4), P(5), P(6))
CALL(task_draw_f32, P(0), U(1), U(2), I(3), I(4), P(5), P(6))
CALL(train_options_init, P(0), S(1))
CALL(trainer_create, P(0), P(1), P(2), P(3))
CALL(trainer_step, P(0), P(1))
CALL(evaluate, P(0), P(1), U(2), I(3), P(4), P(5))
CALL(trainer_save, P(0), P(1))
CALL(trainer_resume, P(0), P(1), P(2), P(3), P(4))

static lsqnet_status read_file(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  uint64_t *at = user;
  const uint64_t left = F.file_bytes - *at;
  *got = left < bytes ? left : bytes;
  memcpy(buffer, api_file + *at, (size_t)*got);
  *at += *got;
  return LSQNET_OK;
}

static lsqnet_status call_model_load_stream(const api_slot *a) {
  uint64_t at = 0;
  return lsqnet_model_load_stream(P(0), P(1), (lsqnet_read_fn)a[2].f, &at, P(3));
}

static lsqnet_status write_nowhere(void *user, const void *data, uint64_t bytes) {
  (void)user, (void)data, (void)bytes;
  return LSQNET_OK;
}

static lsqnet_status call_model_save_stream(const api_slot *a) {
  return lsqnet_model_save_stream(P(0), (lsqnet_write_fn)a[1].f, NULL);
}

static lsqnet_status draw_zeros(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                double *target) {
  (void)user, (void)seed, (void)step, (void)first;
  memset(x, 0, (size_t)(count * 25) * sizeof *x);
  memset(target, 0, (size_t)(count * 2) * sizeof *target);
  return LSQNET_OK;
}

static lsqnet_status call_task_create_custom(const api_slot *a) {
  return lsqnet_task_create_custom(P(0), P(1), P(2), P(3), (lsqnet_draw_fn)a[4].f, NULL);
}

static lsqnet_status stop_after_one(void *user, const lsqnet_progress *progress) {
  (void)user, (void)progress;
  return LSQNET_E_STOPPED;
}

static lsqnet_status call_trainer_run(const api_slot *a) {
  const lsqnet_status status = lsqnet_trainer_run(P(0), stop_after_one, NULL);
  return status == LSQNET_E_STOPPED ? LSQNET_OK : status;
}

/* ---- functions without a status ---- */

static void destroy_takes_null(void) {
  lsqnet_context_destroy(NULL);
  lsqnet_model_destroy(NULL);
  lsqnet_workspace_destroy(NULL);
  lsqnet_solver_destroy(NULL);
  lsqnet_state_destroy(NULL);
  lsqnet_task_destroy(NULL);
  lsqnet_trainer_destroy(NULL);
}

static void counts_of_null(void) {
  ck_assert_int_eq(lsqnet_context_kernel_level(NULL), 0);
  ck_assert_int_eq(lsqnet_context_threads(NULL), 0);
  ck_assert_int_eq(lsqnet_context_mixer_count(NULL), 0);
  ck_assert_int_eq(lsqnet_model_parameter_count(NULL), 0);
  ck_assert_int_eq(lsqnet_model_weight_count(NULL), 0);
  ck_assert_int_eq(lsqnet_model_find_parameter(NULL, "read_in.weight"), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(F.model, NULL), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(F.model, "nobody"), -1);
  ck_assert_int_eq(lsqnet_model_find_parameter(F.model, "read_in.weight"), 0);
  ck_assert_ptr_null(lsqnet_workspace_gradient_f64(NULL));
  ck_assert_ptr_null(lsqnet_workspace_gradient_f32(NULL));
  ck_assert_ptr_null(lsqnet_workspace_gradient_f64(F.narrow_workspace));
  ck_assert_ptr_null(lsqnet_workspace_gradient_f32(F.workspace));
  ck_assert_ptr_nonnull(lsqnet_workspace_gradient_f64(F.workspace));
  ck_assert_ptr_nonnull(lsqnet_workspace_gradient_f32(F.narrow_workspace));
  ck_assert_int_gt(lsqnet_context_kernel_level(F.context), 0);
  ck_assert_int_eq(lsqnet_context_threads(F.context), 1);
}

static void names_of_nothing(void) {
  static const char *(*const by_number[])(int32_t) = {lsqnet_method_name, lsqnet_stop_name, lsqnet_road_name,
                                                      lsqnet_why_name};
  static const char *(*const by_index[])(int64_t) = {lsqnet_prompt_name, lsqnet_task_name};
  for (int i = 0; i < 4; i++) {
    ck_assert_ptr_nonnull(by_number[i](0));
    ck_assert_ptr_null(by_number[i](-1));
    ck_assert_ptr_null(by_number[i](INT32_MAX));
    ck_assert_ptr_null(by_number[i](INT32_MIN));
  }
  for (int i = 0; i < 2; i++) {
    ck_assert_ptr_nonnull(by_index[i](0));
    ck_assert_ptr_null(by_index[i](-1));
    ck_assert_ptr_null(by_index[i](INT64_MAX));
    ck_assert_ptr_null(by_index[i](INT64_MIN));
  }
  ck_assert_ptr_null(lsqnet_context_mixer_name(NULL, 0));
  ck_assert_ptr_null(lsqnet_context_mixer_name(F.context, -1));
  ck_assert_ptr_null(lsqnet_context_mixer_name(F.context, INT64_MAX));
  ck_assert_ptr_null(lsqnet_solver_model_name(NULL, 2));
  ck_assert_ptr_null(lsqnet_solver_model_name(F.solver, INT64_MAX));
  ck_assert_str_eq(lsqnet_status_name(-1), "unknown status");
  ck_assert_str_eq(lsqnet_status_name(INT32_MAX), "unknown status");
  ck_assert_ptr_nonnull(lsqnet_version());
  ck_assert_int_ge(lsqnet_abi_version(), 0);
}

static void messages(void) {
  lsqnet_set_message(NULL);
  ck_assert_str_eq(lsqnet_last_message(), "");
  lsqnet_set_message("a text");
  ck_assert_str_eq(lsqnet_last_message(), "a text");
}

/* -i names the i-th argument, the layout being the first. */
static void gels_arguments(void) {
  double a[12], b[6];
  float a32[12], b32[6];
  for (int i = 0; i < 12; i++) a32[i] = (float)(a[i] = api_in[i]);
  for (int i = 0; i < 6; i++) b32[i] = (float)(b[i] = api_in[i + 20]);
  static const struct {
    int32_t layout, m, n, nrhs, lda, ldb, answer;
    char trans;
  } wrong[] = {{100, 6, 2, 1, 2, 1, -1, 'N'},      {0, 6, 2, 1, 2, 1, -1, 'N'},    {101, 6, 2, 1, 2, 1, -2, 'X'},
               {101, -1, 2, 1, 2, 1, -3, 'N'},     {101, 6, -1, 1, 2, 1, -4, 'N'}, {101, 6, 2, -1, 2, 1, -5, 'N'},
               {101, 6, 2, 1, 1, 1, -7, 'N'},      {101, 6, 2, 1, -1, 1, -7, 'N'}, {101, 6, 2, 1, 2, 0, -9, 'N'},
               {101, 6, 2, 1, 2, -1, -9, 'N'},     {102, 6, 2, 1, 5, 6, -7, 'N'},  {102, 6, 2, 1, 6, 5, -9, 'N'},
               {INT32_MAX, 6, 2, 1, 2, 1, -1, 'N'}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const int32_t m = wrong[i].m, n = wrong[i].n, k = wrong[i].nrhs;
    lsqnet_set_message(NULL);
    ck_assert_int_eq(lsqnet_dgels(wrong[i].layout, wrong[i].trans, m, n, k, a, wrong[i].lda, b, wrong[i].ldb),
                     wrong[i].answer);
    ck_assert_str_ne(lsqnet_last_message(), "");
    ck_assert_int_eq(lsqnet_sgels(wrong[i].layout, wrong[i].trans, m, n, k, a32, wrong[i].lda, b32, wrong[i].ldb),
                     wrong[i].answer);
    ck_assert_double_eq(b[0], api_in[20]);
  }
  ck_assert_int_eq(lsqnet_dgels(101, 'N', 6, 2, 1, NULL, 2, b, 1), -6);
  ck_assert_int_eq(lsqnet_dgels(101, 'N', 6, 2, 1, a, 2, NULL, 1), -8);
  ck_assert_int_eq(lsqnet_sgels(101, 'N', 6, 2, 1, NULL, 2, b32, 1), -6);
  ck_assert_int_eq(lsqnet_sgels(101, 'N', 6, 2, 1, a32, 2, NULL, 1), -8);
  ck_assert_int_eq(lsqnet_dgels(101, 'N', 6, 2, 1, a, 2, b, 1), 0);
  ck_assert_int_eq(lsqnet_sgels(101, 'N', 6, 2, 1, a32, 2, b32, 1), 0);
}

/* ---- the table ---- */

#define MADE(name) \
  { OUT, "out", &F.made_##name, 0, NULL, NULL }
#define OBJECT(name) \
  { HANDLE, #name, &F.name, 0, NULL, NULL }
#define AS(label, name) \
  { HANDLE, label, &F.name, 0, NULL, NULL }
#define OPTIONS(name, list) \
  { STRUCT, "options", &F.name, 0, NULL, list }
#define MAYBE(name, list) \
  { STRUCT_0, "options", &F.name, 0, NULL, list }
#define NUMBERS(label, at) \
  { IN, label, &api_in[at], 0, NULL, NULL }
#define NARROW(label, at) \
  { IN, label, &api_in32[at], 0, NULL, NULL }
#define WRITES(label, at) \
  { DATA, label, api_out[at], 0, NULL, NULL }
#define WRITES32(label, at) \
  { DATA, label, api_out32[at], 0, NULL, NULL }
#define EITHER(label, at) \
  { DATA_0, label, api_out[at], 0, NULL, NULL }
#define EITHER32(label, at) \
  { DATA_0, label, api_out32[at], 0, NULL, NULL }
#define SIZES(kind, label, value) \
  { kind, label, NULL, value, NULL, NULL }
#define TEXT(kind, label, text) \
  { kind, label, text, 0, NULL, NULL }
#define POINTER(label, array) \
  { IN, label, array, 0, NULL, NULL }
#define REPORT \
  { REPORTS, "reports", F.reports, 0, NULL, NULL }
#define NOTHING(label) \
  { ANY, label, NULL, 0, NULL, NULL }
#define FILLS(field) \
  { {INIT, "NULL", &F.field, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.field) }
#define CALLBACK(label, value) \
  { FUNCTION, label, NULL, 0, (any_function)(value), NULL }
#define FIT SIZES(COUNT, "m", API_M), SIZES(COUNT, "n", API_N), SIZES(COUNT, "k", 1)

static const double *a_pointers[] = {api_in, api_in + 40}, *b_pointers[] = {api_in + 100, api_in + 110};
static double *x_pointers[] = {api_out[0], api_out[1]};
static const float *a_pointers32[] = {api_in32, api_in32 + 40}, *b_pointers32[] = {api_in32 + 100, api_in32 + 110};
static float *x_pointers32[] = {api_out32[0], api_out32[1]};

#define SOLVE(in, out)                                                                                              \
  {                                                                                                                 \
    OBJECT(solver), FIT, in("a", 0), SIZES(COUNT, "lda", API_N), in("b", 100), SIZES(COUNT, "ldb", 1), out("x", 0), \
        SIZES(COUNT, "ldx", 1), REPORT                                                                              \
  }
#define PROMPT(in, out)                                                                                 \
  {                                                                                                     \
    TEXT(NAME, "prompt", (void *)"split"), SIZES(COUNT, "rows", 4), SIZES(COUNT, "dim", 2), in("a", 0), \
        SIZES(COUNT, "lda", 2), in("b", 30), in("x", 40), out("out", 0)                                 \
  }

const api_entry api_entries[] = {
    {"lsqnet_abi_version", NULL, names_of_nothing, {{0}}},
    {"lsqnet_construct_options_init", call_construct_options_init, NULL, FILLS(construct)},
    {"lsqnet_context_create", call_context_create, NULL, {MADE(context), MAYBE(context_options, context_fields)}},
    {"lsqnet_context_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_context_kernel_level", NULL, counts_of_null, {{0}}},
    {"lsqnet_context_mixer_count", NULL, counts_of_null, {{0}}},
    {"lsqnet_context_mixer_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_context_options_init", call_context_options_init, NULL, FILLS(context_options)},
    {"lsqnet_context_register_mixer",
     call_context_register_mixer,
     NULL,
     {OBJECT(context), {STRUCT, "mixer", &F.mixer, 0, NULL, mixer_fields}}},
    {"lsqnet_context_threads", NULL, counts_of_null, {{0}}},
    {"lsqnet_dgels", NULL, gels_arguments, {{0}}},
    {"lsqnet_evaluate",
     call_evaluate,
     NULL,
     {OBJECT(model), OBJECT(task), NOTHING("seed"), SIZES(COUNT, "batch", 3), EITHER("mse", 0),
      EITHER("mean_square", 1)}},
    {"lsqnet_last_message", NULL, messages, {{0}}},
    {"lsqnet_load_options_init", call_load_options_init, NULL, FILLS(load)},
    {"lsqnet_method_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_model_backward_f32",
     call_model_backward_f32,
     NULL,
     {AS("model", narrow), AS("workspace", narrow_workspace), NARROW("dy", 0), EITHER32("dx", 0)}},
    {"lsqnet_model_backward_f64",
     call_model_backward_f64,
     NULL,
     {OBJECT(model), OBJECT(workspace), NUMBERS("dy", 0), EITHER("dx", 0)}},
    {"lsqnet_model_clone", call_model_clone, NULL, {MADE(model), OBJECT(model)}},
    {"lsqnet_model_construct_gradient",
     call_model_construct_gradient,
     NULL,
     {MADE(model), OBJECT(context), OPTIONS(construct, gradient_fields)}},
    {"lsqnet_model_construct_iterates",
     call_model_construct_iterates,
     NULL,
     {MADE(model), OBJECT(context), OPTIONS(construct, construct_fields)}},
    {"lsqnet_model_convert", call_model_convert, NULL, {MADE(model), OBJECT(model), SIZES(ENUM, "dtype", LSQNET_F32)}},
    {"lsqnet_model_create",
     call_model_create,
     NULL,
     {MADE(model), OBJECT(context), OPTIONS(model_options, model_fields)}},
    {"lsqnet_model_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_model_draw_weights",
     call_model_draw_weights,
     NULL,
     {OBJECT(model), SIZES(ANY, "seed", 1), {NUMBER, "scale", NULL, 1, NULL, NULL}}},
    {"lsqnet_model_find_parameter", NULL, counts_of_null, {{0}}},
    {"lsqnet_model_forward_f32",
     call_model_forward_f32,
     NULL,
     {AS("model", narrow),
      AS("workspace", narrow_workspace),
      {STRUCT, "shape", &F.batch, 0, NULL, batch_fields},
      NARROW("x", 0),
      WRITES32("y", 0)}},
    {"lsqnet_model_forward_f64",
     call_model_forward_f64,
     NULL,
     {OBJECT(model),
      OBJECT(workspace),
      {STRUCT, "shape", &F.batch, 0, NULL, batch_fields},
      NUMBERS("x", 0),
      WRITES("y", 0)}},
    {"lsqnet_model_freeze",
     call_model_freeze,
     NULL,
     {OBJECT(model), SIZES(INDEX, "parameter", 0), SIZES(ENUM, "frozen", 1)}},
    {"lsqnet_model_get_options",
     call_model_get_options,
     NULL,
     {OBJECT(model), {INIT, "NULL", &F.model_options, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.model_options)}},
    {"lsqnet_model_get_parameter",
     call_model_get_parameter,
     NULL,
     {OBJECT(model),
      SIZES(INDEX, "parameter", 0),
      {INIT, "NULL", &F.parameter, 0, NULL, NULL},
      SIZES(SIZE, "size", sizeof F.parameter)}},
    {"lsqnet_model_get_step",
     call_model_get_step,
     NULL,
     {OBJECT(model), {INIT, "NULL", &F.step, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.step)}},
    {"lsqnet_model_jvp_f32",
     call_model_jvp_f32,
     NULL,
     {AS("model", narrow),
      AS("workspace", narrow_workspace),
      {ANY, "dx", api_in32, 0, NULL, NULL},
      NOTHING("direction"),
      WRITES32("dy", 0)}},
    {"lsqnet_model_jvp_f64",
     call_model_jvp_f64,
     NULL,
     {OBJECT(model), OBJECT(workspace), {ANY, "dx", api_in, 0, NULL, NULL}, NOTHING("direction"), WRITES("dy", 0)}},
    {"lsqnet_model_load",
     call_model_load,
     NULL,
     {MADE(model), OBJECT(context), TEXT(NAME, "path", F.path), MAYBE(load, load_fields)}},
    {"lsqnet_model_load_memory",
     call_model_load_memory,
     NULL,
     {MADE(model), OBJECT(context), TEXT(IN, "data", api_file), SIZES(LENGTH, "bytes", 0), MAYBE(load, load_fields)}},
    {"lsqnet_model_load_stream",
     call_model_load_stream,
     NULL,
     {MADE(model), OBJECT(context), CALLBACK("callback", read_file), MAYBE(load, load_fields)}},
    {"lsqnet_model_options_init", call_model_options_init, NULL, FILLS(model_options)},
    {"lsqnet_model_parameter_count", NULL, counts_of_null, {{0}}},
    {"lsqnet_model_read_parameter",
     call_model_read_parameter,
     NULL,
     {OBJECT(model), SIZES(INDEX, "parameter", 1), WRITES("values", 0), SIZES(COUNT, "count", 4)}},
    {"lsqnet_model_save", call_model_save, NULL, {OBJECT(model), TEXT(IN, "path", F.path)}},
    {"lsqnet_model_save_memory",
     call_model_save_memory,
     NULL,
     {OBJECT(model),
      {DATA, "data", api_file, 0, NULL, NULL},
      SIZES(ANY, "capacity", API_FILE),
      TEXT(IN, "needed", &F.file_bytes)}},
    {"lsqnet_model_save_stream", call_model_save_stream, NULL, {OBJECT(model), CALLBACK("write", write_nowhere)}},
    {"lsqnet_model_set_step",
     call_model_set_step,
     NULL,
     {OBJECT(model), {STRUCT, "step", &F.step, 0, NULL, step_fields}}},
    {"lsqnet_model_weight_count", NULL, counts_of_null, {{0}}},
    {"lsqnet_model_write_parameter",
     call_model_write_parameter,
     NULL,
     {OBJECT(model), SIZES(INDEX, "parameter", 1), NUMBERS("values", 0), SIZES(COUNT, "count", 4)}},
    {"lsqnet_problems_init", call_problems_init, NULL, FILLS(problems)},
    {"lsqnet_prompt_fill_f32", call_prompt_fill_f32, NULL, PROMPT(NARROW, WRITES32)},
    {"lsqnet_prompt_fill_f64", call_prompt_fill_f64, NULL, PROMPT(NUMBERS, WRITES)},
    {"lsqnet_prompt_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_prompt_shape",
     call_prompt_shape,
     NULL,
     {TEXT(NAME, "prompt", (void *)"split"), SIZES(COUNT, "rows", 4), SIZES(COUNT, "dim", 2), EITHER("prompt_rows", 0),
      EITHER("prompt_width", 1), EITHER("read_row", 2)}},
    {"lsqnet_road_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_set_message", NULL, messages, {{0}}},
    {"lsqnet_sgd_step", call_sgd_step, NULL, {OBJECT(model), OBJECT(workspace), {NUMBER, "rate", NULL, 1, NULL, NULL}}},
    {"lsqnet_sgels", NULL, gels_arguments, {{0}}},
    {"lsqnet_solver_append_rows",
     call_solver_append_rows,
     NULL,
     {OBJECT(solver), OBJECT(state), SIZES(COUNT_0, "rows", 3), NUMBERS("a", 0), SIZES(COUNT, "lda", API_N),
      NUMBERS("b", 100), SIZES(COUNT, "ldb", 1)}},
    {"lsqnet_solver_create",
     call_solver_create,
     NULL,
     {MADE(solver), OBJECT(context), {ANY, "model", NULL, 0, NULL, NULL}, MAYBE(solver_options, solver_fields)}},
    {"lsqnet_solver_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_solver_model_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_solver_options_init", call_solver_options_init, NULL, FILLS(solver_options)},
    {"lsqnet_solver_remove_rows",
     call_solver_remove_rows,
     NULL,
     {OBJECT(solver), OBJECT(state), SIZES(COUNT_0, "rows", 1), NUMBERS("a", 0), SIZES(COUNT, "lda", API_N),
      NUMBERS("b", 100), SIZES(COUNT, "ldb", 1)}},
    {"lsqnet_solver_solve_batch_f32",
     call_solver_solve_batch_f32,
     NULL,
     {OBJECT(solver),
      {STRUCT, "problems", &F.problems, 0, NULL, batch_problems_fields},
      NARROW("a", 0),
      NARROW("b", 100),
      NOTHING("weights"),
      WRITES32("x", 0),
      REPORT}},
    {"lsqnet_solver_solve_batch_f64",
     call_solver_solve_batch_f64,
     NULL,
     {OBJECT(solver),
      {STRUCT, "problems", &F.problems, 0, NULL, batch_problems_fields},
      NUMBERS("a", 0),
      NUMBERS("b", 100),
      NOTHING("weights"),
      WRITES("x", 0),
      REPORT}},
    {"lsqnet_solver_solve_f32", call_solver_solve_f32, NULL, SOLVE(NARROW, WRITES32)},
    {"lsqnet_solver_solve_f64", call_solver_solve_f64, NULL, SOLVE(NUMBERS, WRITES)},
    {"lsqnet_solver_solve_pair_f64",
     call_solver_solve_pair_f64,
     NULL,
     {OBJECT(solver), FIT, NUMBERS("a", 0), NOTHING("a_low"), SIZES(COUNT, "lda", API_N), NUMBERS("b", 100),
      NOTHING("b_low"), SIZES(COUNT, "ldb", 1), WRITES("x", 0), SIZES(COUNT, "ldx", 1), REPORT}},
    {"lsqnet_solver_solve_pointers_f32",
     call_solver_solve_pointers_f32,
     NULL,
     {OBJECT(solver),
      {STRUCT, "problems", &F.problems, 0, NULL, problems_fields},
      POINTER("a", a_pointers32),
      POINTER("b", b_pointers32),
      NOTHING("weights"),
      POINTER("x", x_pointers32),
      REPORT}},
    {"lsqnet_solver_solve_pointers_f64",
     call_solver_solve_pointers_f64,
     NULL,
     {OBJECT(solver),
      {STRUCT, "problems", &F.problems, 0, NULL, problems_fields},
      POINTER("a", a_pointers),
      POINTER("b", b_pointers),
      NOTHING("weights"),
      POINTER("x", x_pointers),
      REPORT}},
    {"lsqnet_solver_solve_state",
     call_solver_solve_state,
     NULL,
     {OBJECT(solver), OBJECT(state), WRITES("x", 0), SIZES(COUNT, "ldx", 1), REPORT}},
    {"lsqnet_state_create",
     call_state_create,
     NULL,
     {MADE(state), OBJECT(context), OPTIONS(state_options, state_fields)}},
    {"lsqnet_state_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_state_get_info",
     call_state_get_info,
     NULL,
     {OBJECT(state), {INIT, "NULL", &F.info, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.info)}},
    {"lsqnet_state_options_init", call_state_options_init, NULL, FILLS(state_options)},
    {"lsqnet_status_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_stop_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_task_create", call_task_create, NULL, {MADE(task), OBJECT(context), MAYBE(task_options, task_fields)}},
    {"lsqnet_task_create_custom",
     call_task_create_custom,
     NULL,
     {MADE(task),
      OBJECT(context),
      TEXT(IN, "name", (void *)"zeros"),
      {STRUCT, "shape", &F.task_shape, 0, NULL, shape_fields},
      CALLBACK("draw", draw_zeros)}},
    {"lsqnet_task_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_task_draw_f32",
     call_task_draw_f32,
     NULL,
     {OBJECT(task), NOTHING("seed"), NOTHING("step"), SIZES(COUNT_0, "first", 0), SIZES(COUNT_0, "count", 2),
      WRITES32("x", 0), WRITES32("target", 1)}},
    {"lsqnet_task_draw_f64",
     call_task_draw_f64,
     NULL,
     {OBJECT(task), NOTHING("seed"), NOTHING("step"), SIZES(COUNT_0, "first", 0), SIZES(COUNT_0, "count", 2),
      WRITES("x", 0), WRITES("target", 1)}},
    {"lsqnet_task_get_options",
     call_task_get_options,
     NULL,
     {OBJECT(task), {INIT, "NULL", &F.task_options, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.task_options)}},
    {"lsqnet_task_get_shape",
     call_task_get_shape,
     NULL,
     {OBJECT(task), {INIT, "NULL", &F.task_shape, 0, NULL, NULL}, SIZES(SIZE, "size", sizeof F.task_shape)}},
    {"lsqnet_task_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_task_options_init", call_task_options_init, NULL, FILLS(task_options)},
    {"lsqnet_train_options_init", call_train_options_init, NULL, FILLS(train)},
    {"lsqnet_trainer_create",
     call_trainer_create,
     NULL,
     {MADE(trainer), OBJECT(model), OBJECT(task), MAYBE(train, train_fields)}},
    {"lsqnet_trainer_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_trainer_resume",
     call_trainer_resume,
     NULL,
     {MADE(trainer), OBJECT(model), OBJECT(task), MAYBE(train, train_fields), TEXT(NAME, "path", F.checkpoint)}},
    {"lsqnet_trainer_run", call_trainer_run, NULL, {OBJECT(trainer)}},
    {"lsqnet_trainer_save", call_trainer_save, NULL, {OBJECT(trainer), TEXT(IN, "path", F.checkpoint)}},
    {"lsqnet_trainer_step",
     call_trainer_step,
     NULL,
     {OBJECT(trainer), {REPORTS, "progress", &F.progress, 0, NULL, NULL}}},
    {"lsqnet_version", NULL, names_of_nothing, {{0}}},
    {"lsqnet_why_name", NULL, names_of_nothing, {{0}}},
    {"lsqnet_workspace_create", call_workspace_create, NULL, {MADE(workspace), OBJECT(model)}},
    {"lsqnet_workspace_destroy", NULL, destroy_takes_null, {{0}}},
    {"lsqnet_workspace_gradient_f32", NULL, counts_of_null, {{0}}},
    {"lsqnet_workspace_gradient_f64", NULL, counts_of_null, {{0}}},
};
const int api_entry_count = sizeof api_entries / sizeof api_entries[0];
