/* What the calls of api_table.c work on. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_table.h"
#include "memory_file.h"
#include "tiny_mixer.h"

api_fixture F;
double api_in[API_NUMBERS], api_out[API_DATA][API_NUMBERS];
float api_in32[API_NUMBERS], api_out32[API_DATA][API_NUMBERS];
unsigned char api_file[API_FILE];

/* The narrow model and the wide one: explicit_gradient on split with 4 rows and 2 unknowns. */
static void fill_options(void) {
  ck_assert_ok(lsqnet_context_options_init(&F.context_options, sizeof F.context_options));
  F.context_options.allocate = counting_allocate;
  F.context_options.release = counting_release;
  F.context_options.allocator_user = &F.allocator;
  ck_assert_ok(lsqnet_model_options_init(&F.model_options, sizeof F.model_options));
  F.model_options.rows = F.model_options.in_width = 5;
  F.model_options.out_width = 2;
  F.model_options.width = 4;
  F.model_options.layers = 1;
  F.step = (lsqnet_model_step){.size = sizeof F.step,
                               .output = LSQNET_OUTPUT_GRADIENT,
                               .rows = 4,
                               .dim = 2,
                               .iterates = 1,
                               .step = 0.5,
                               .prompt = "split"};
  F.batch = (lsqnet_batch){.size = sizeof F.batch, .batch = 2, .rows = 5, .first = 4, .count = 1};
  ck_assert_ok(lsqnet_construct_options_init(&F.construct, sizeof F.construct));
  F.construct.rows = 4;
  F.construct.dim = 2;
  ck_assert_ok(lsqnet_load_options_init(&F.load, sizeof F.load));
  ck_assert_ok(lsqnet_solver_options_init(&F.solver_options, sizeof F.solver_options));
  ck_assert_ok(lsqnet_state_options_init(&F.state_options, sizeof F.state_options));
  F.state_options.n = API_N;
  F.state_options.keep_rows = 1;
  ck_assert_ok(lsqnet_problems_init(&F.problems, sizeof F.problems));
  F.problems.count = 2;
  F.problems.m = API_M;
  F.problems.n = API_N;
  ck_assert_ok(lsqnet_task_options_init(&F.task_options, sizeof F.task_options));
  F.task_options.rows = 4;
  F.task_options.dim = 2;
  F.task_options.prompt = "split";
  F.task_shape = (lsqnet_task_shape){.size = sizeof F.task_shape,
                                     .rows = 5,
                                     .in_width = 5,
                                     .out_width = 2,
                                     .first = 4,
                                     .stride = 1,
                                     .count = 1,
                                     .scored = 2};
  ck_assert_ok(lsqnet_train_options_init(&F.train, sizeof F.train));
  F.train.batch = 4;
  F.train.steps = 100000;
  strcpy(F.mixer_name, "mine");
  static tiny_faults none;
  F.mixer = tiny_mixer_table(F.mixer_name, &none);
  for (int i = 0; i < 4; i++) F.reports[i].size = sizeof F.reports[i];
  F.progress.size = sizeof F.progress;
}

static void fill_numbers(void) {
  uint32_t state = 1;
  for (int i = 0; i < API_NUMBERS; i++) {
    state = state * 1664525 + 1013904223;
    api_in[i] = (double)state / 2147483648.0 - 1;
    api_in32[i] = (float)api_in[i];
  }
  memset(api_out, 0x5a, sizeof api_out);
  memset(api_out32, 0x5a, sizeof api_out32);
}

static void create_models(void) {
  ck_assert_ok(lsqnet_model_create(&F.model, F.context, &F.model_options));
  lsqnet_model_options narrow = F.model_options;
  narrow.dtype = LSQNET_F32;
  ck_assert_ok(lsqnet_model_create(&F.narrow, F.context, &narrow));
  ck_assert_ok(lsqnet_workspace_create(&F.workspace, F.model));
  ck_assert_ok(lsqnet_workspace_create(&F.narrow_workspace, F.narrow));
  ck_assert_ok(lsqnet_model_forward_f64(F.model, F.workspace, &F.batch, api_in, api_out[0]));
  ck_assert_ok(lsqnet_model_backward_f64(F.model, F.workspace, api_in, api_out[0]));
  ck_assert_ok(lsqnet_model_forward_f32(F.narrow, F.narrow_workspace, &F.batch, api_in32, api_out32[0]));
  ck_assert_ok(lsqnet_model_backward_f32(F.narrow, F.narrow_workspace, api_in32, api_out32[0]));
  ck_assert_ok(lsqnet_model_construct_gradient(&F.step_model, F.context, &F.construct));
  ck_assert_ok(lsqnet_model_save_memory(F.step_model, api_file, sizeof api_file, &F.file_bytes));
}

static void create_others(void) {
  ck_assert_ok(lsqnet_solver_create(&F.solver, F.context, F.step_model, &F.solver_options));
  ck_assert_ok(lsqnet_state_create(&F.state, F.context, &F.state_options));
  ck_assert_ok(lsqnet_solver_append_rows(F.solver, F.state, API_M, api_in, API_N, api_in + 100, 1));
  ck_assert_ok(lsqnet_task_create(&F.task, F.context, &F.task_options));
  ck_assert_ok(lsqnet_trainer_create(&F.trainer, F.model, F.task, &F.train));
  snprintf(F.path, sizeof F.path, "/tmp/lsqnet-api-%d", (int)getpid());
  snprintf(F.checkpoint, sizeof F.checkpoint, "/tmp/lsqnet-api-%d.checkpoint", (int)getpid());
  ck_assert_ok(lsqnet_model_save(F.step_model, F.path));
  ck_assert_ok(lsqnet_trainer_save(F.trainer, F.checkpoint));
}

void api_setup(void) {
  memset(&F, 0, sizeof F);
  fill_options();
  ck_assert_ok(counting_context(&F.context, &F.allocator, 1));
  fill_numbers();
  create_models();
  create_others();
  fill_numbers();
}

void api_teardown(void) {
  unlink(F.path);
  unlink(F.checkpoint);
  lsqnet_trainer_destroy(F.made_trainer);
  lsqnet_trainer_destroy(F.trainer);
  lsqnet_task_destroy(F.made_task);
  lsqnet_task_destroy(F.task);
  lsqnet_state_destroy(F.made_state);
  lsqnet_state_destroy(F.state);
  lsqnet_solver_destroy(F.made_solver);
  lsqnet_solver_destroy(F.solver);
  lsqnet_workspace_destroy(F.made_workspace);
  lsqnet_workspace_destroy(F.narrow_workspace);
  lsqnet_workspace_destroy(F.workspace);
  lsqnet_model_destroy(F.made_model);
  lsqnet_model_destroy(F.step_model);
  lsqnet_model_destroy(F.narrow);
  lsqnet_model_destroy(F.model);
  lsqnet_context_destroy(F.made_context);
  lsqnet_context_destroy(F.context);
  ck_assert_msg(F.allocator.live == 0, "%lld blocks lost", (long long)F.allocator.live);
  ck_assert_int_eq(F.allocator.misuses, 0);
}
