/* lsqnet train. */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spawn.h"

#define LINEAR_ATTENTION "--prompt split --dim 2 --rows 8 --mixer attention --no-softmax --no-causal"
#define GAUSS_NEWTON     "train multistep_gd " LINEAR_ATTENTION " --layers 1 --width 8 --optimizer levenberg_marquardt"
#define SLOW             "train multistep_gd " LINEAR_ATTENTION " --layers 2 --width 8 --iterates 2 --batch 64 --log-every 7"
#define SMALL            "train multistep_gd " LINEAR_ATTENTION " --layers 1 --width 4 --batch 8 --steps 5"

static int same_files(const char *a, const char *b) {
  char *bytes = malloc(OUTPUT_MOST), *others = malloc(OUTPUT_MOST);
  const size_t length = read_bytes(a, bytes), length_b = read_bytes(b, others);
  const int same = length > 0 && length == length_b && memcmp(bytes, others, length) == 0;
  free(bytes);
  free(others);
  return same;
}

/* 1e-28 of the project's bar, and the steps that it should take with room to spare. */
START_TEST(train_takes_one_gradient_step_to_the_last_bit) {
  json_t *report = run_json(GAUSS_NEWTON " --target 1e-28 --steps 60 --seed 1 --quiet --out m.safetensors --json", 0);
  ck_assert_str_eq(json_string_value(json_object_get(report, "ended")), "target");
  ck_assert(number(report, "mse") <= 1e-28);
  ck_assert(number(report, "mean_square") > 0.1);
  ck_assert(number(report, "seconds") > 0);
  json_decref(report);
  json_t *info = run_json("info m.safetensors --json", 0);
  const json_t *step = json_object_get(info, "step");
  ck_assert_str_eq(json_string_value(json_object_get(step, "output")), "iterate");
  ck_assert_str_eq(json_string_value(json_object_get(step, "task")), "multistep_gd");
  ck_assert_str_eq(json_string_value(json_object_get(step, "prompt")), "split");
  ck_assert(number(step, "step") == 0.5);
  ck_assert(number(step, "rows") == 8 && number(step, "dim") == 2 && number(step, "iterates") == 1);
  json_decref(info);
  json_t *table = run_json("eval m.safetensors --samples 512 --json", 0);
  const json_t *rows = json_object_get(table, "rows");
  ck_assert(number(json_array_get(rows, 0), "relative_mse") <= 1e-28);
  ck_assert(number(json_object_get(table, "iterated"), "mse") <= 1e-28);
  json_decref(table);
}
END_TEST

START_TEST(same_seed_gives_same_log_and_model_whatever_the_threads) {
  expect_done(SLOW " --steps 50 --seed 5 --threads 1 --out a.safetensors --log a.jsonl");
  expect_done(SLOW " --steps 50 --seed 5 --threads 3 --out b.safetensors --log b.jsonl");
  ck_assert(same_files("a.safetensors", "b.safetensors"));
  ck_assert(same_files("a.jsonl", "b.jsonl"));
  expect_done(SLOW " --steps 50 --seed 6 --threads 3 --out b.safetensors --log b.jsonl");
  ck_assert(!same_files("a.safetensors", "b.safetensors"));
  ck_assert(!same_files("a.jsonl", "b.jsonl"));
}
END_TEST

START_TEST(a_level_is_pinned_by_name) {
  json_t *report = run_json(SMALL " --level generic --threads 2 --seed 3 --out m.safetensors --json", 0);
  ck_assert_str_eq(json_string_value(json_object_get(report, "level")), "generic");
  ck_assert(number(report, "threads") == 2 && number(report, "seed") == 3);
  json_decref(report);
  report = run_json(SMALL " --out m.safetensors --json", 0);
  ck_assert_str_ne(json_string_value(json_object_get(report, "level")), "auto"); /* the one in use */
  json_decref(report);
}
END_TEST

/* Steps 1, 7, 14, ... 49 and the last. */
START_TEST(log_has_an_object_a_line) {
  static const char *const keys[] = {"loss", "rate", "damping", "gradient_norm", "metric"};
  expect_done(SLOW " --steps 50 --out a.safetensors --log a.jsonl");
  FILE *file = fopen("a.jsonl", "r");
  char line[1024];
  int64_t step = 0, lines = 0;
  for (; fgets(line, sizeof line, file) != NULL; lines++) {
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    step = (int64_t)number(object, "step");
    ck_assert_int_eq(step, lines == 0 ? 1 : lines == 8 ? 50 : 7 * lines);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) (void)number(object, keys[i]);
    ck_assert(json_is_null(json_object_get(object, "fresh_loss")));
    ck_assert_ptr_null(json_object_get(object, "seconds"));
    json_decref(object);
  }
  fclose(file);
  ck_assert_int_eq(lines, 9);
  expect_done(SLOW " --steps 50 --out a.safetensors --log a.jsonl --log-seconds");
  read_bytes("a.jsonl", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "\"seconds\":"));
}
END_TEST

/* Lines of Gauss-Newton itself say nothing of phases. */
START_TEST(log_tells_starts_and_restarts) {
  expect_done(GAUSS_NEWTON " --start-steps 5 --steps 7 --log-every 1 --quiet --out a.safetensors --log a.jsonl");
  FILE *file = fopen("a.jsonl", "r");
  char line[1024];
  for (int i = 1; fgets(line, sizeof line, file) != NULL; i++) {
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *phase = json_string_value(json_object_get(object, "phase"));
    ck_assert_str_eq(phase != NULL ? phase : "none", i <= 5 ? "start" : "none");
    json_decref(object);
  }
  fclose(file);
  expect_done(GAUSS_NEWTON " --restarts 2 --steps 11 --quiet --out a.safetensors --log a.jsonl");
  read_bytes("a.jsonl", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "{\"step\":10,\"phase\":\"trial\",\"restart\":0,"));
  ck_assert_ptr_nonnull(strstr(out_text, "{\"step\":11,\"phase\":\"trial\",\"restart\":1,"));
}
END_TEST

/* The command in a process of its own. */
static pid_t start(const char *line) {
  char text[1024], *arguments[64] = {getenv("LSQNET_COMMAND")}, *rest = NULL;
  int count = 1;
  snprintf(text, sizeof text, "%s", line);
  for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
    arguments[count++] = word;
  }
  const pid_t child = fork();
  if (child == 0) {
    ck_assert_ptr_nonnull(freopen("child.error", "w", stderr));
    execv(arguments[0], arguments);
    _exit(127);
  }
  return child;
}

static void wait_for_file(const char *name) {
  const struct timespec pause = {0, 10000000};
  for (int i = 0; i < 3000 && access(name, F_OK) != 0; i++) nanosleep(&pause, NULL);
  ck_assert_msg(access(name, F_OK) == 0, "%s does not appear", name);
}

static int end_with(pid_t child, int number_of_signal) {
  int status = 0;
  ck_assert_int_eq(kill(child, number_of_signal), 0);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define LONG SLOW " --seed 3 --steps 3000 --quiet"

START_TEST(a_run_that_was_ended_goes_on_bit_for_bit) {
  expect_done(LONG " --out whole.safetensors --log whole.jsonl");
  pid_t child = start(LONG " --out cut.safetensors --log cut.jsonl --checkpoint c --checkpoint-seconds 1e9");
  wait_for_file("cut.jsonl"); /* a step is done */
  ck_assert_int_eq(end_with(child, SIGINT), 1);
  read_bytes("child.error", error_text);
  ck_assert_msg(strncmp(error_text, "lsqnet: interrupted at step ", 28) == 0, "%s", error_text);
  ck_assert_ptr_eq(strchr(error_text, '\n'), error_text + strlen(error_text) - 1);
  ck_assert_int_ne(access("cut.safetensors", F_OK), 0);
  child = start(LONG " --out cut.safetensors --log cut.jsonl --checkpoint c --checkpoint-seconds 0 --resume");
  nanosleep(&(struct timespec){0, 200000000}, NULL); /* any moment will do */
  ck_assert_int_eq(end_with(child, SIGKILL), -1);
  FILE *log = fopen("cut.jsonl", "a"); /* as if the log were ahead of the checkpoint, and its last line torn */
  fputs("{\"step\":2996,\"loss\":1}\n{\"step\":29", log);
  fclose(log);
  expect_done(LONG " --out cut.safetensors --log cut.jsonl --checkpoint c --resume");
  ck_assert(same_files("whole.safetensors", "cut.safetensors"));
  ck_assert(same_files("whole.jsonl", "cut.jsonl"));
}
END_TEST

/* Without its name a checkpoint lies beside the model, until that is written. */
START_TEST(a_run_without_a_named_checkpoint_goes_on_too) {
  expect_done(LONG " --out whole.safetensors");
  pid_t child = start(LONG " --out cut.safetensors --log cut.jsonl");
  wait_for_file("cut.jsonl");
  ck_assert_int_eq(end_with(child, SIGINT), 1);
  read_bytes("child.error", error_text);
  ck_assert_msg(strstr(error_text, "cut.safetensors.checkpoint holds the run: --resume goes on") != NULL, "%s",
                error_text);
  expect_done(LONG " --out cut.safetensors --resume");
  ck_assert(same_files("whole.safetensors", "cut.safetensors"));
  ck_assert_int_ne(access("cut.safetensors.checkpoint", F_OK), 0);
}
END_TEST

START_TEST(a_model_that_cannot_be_written_is_kept_as_a_checkpoint) {
  ck_assert_int_eq(mkdir("folder", 0700), 0);
  ck_assert_int_eq(run(SMALL " --out folder --log all.jsonl"), 1);
  ck_assert_int_eq(access("folder.checkpoint", R_OK), 0);
  expect_done(SMALL " --out m.safetensors --checkpoint folder.checkpoint --resume --steps 6");
  rmdir("folder");
}
END_TEST

START_TEST(a_checkpoint_of_another_run_is_refused) {
  expect_done(SMALL " --out m.safetensors --checkpoint c");
  expect_failure(SMALL " --out m.safetensors --checkpoint c --resume --rate 0.5", 3, "c: it is another run's");
  expect_failure(SMALL " --out m.safetensors --checkpoint c --resume --seed 9", 3, "seed");
  expect_failure(SMALL " --out m.safetensors --checkpoint none --resume", 3, "none: ");
  expect_done(SMALL " --out m.safetensors --checkpoint generic --level generic");
  lsqnet_context *context = NULL;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  if (lsqnet_context_kernel_level(context) != LSQNET_KERNEL_GENERIC)
    expect_failure(SMALL " --out m.safetensors --checkpoint generic --resume --steps 9", 3,
                   "its options has level=\"generic\", but");
  lsqnet_context_destroy(context);
  write_text("torn", "{");
  expect_failure(SMALL " --out m.safetensors --checkpoint torn --resume", 3, "torn: ");
}
END_TEST

START_TEST(what_cannot_be_written_is_told_and_the_model_is_kept) {
  ck_assert_int_eq(mkdir("folder", 0700), 0);
  ck_assert_int_eq(run(SMALL " --out m.safetensors --checkpoint folder --checkpoint-seconds 0"), 1);
  ck_assert_ptr_nonnull(strstr(error_text, "no checkpoint at step 1, the run goes on: folder: "));
  ck_assert_int_eq(access("m.safetensors", F_OK), 0);
  unlink("m.safetensors");
  ck_assert_int_eq(symlink("/dev/full", "full"), 0);
  expect_done(SMALL " --out whole.safetensors");
  ck_assert_int_eq(run(SMALL " --out m.safetensors --log full"), 1);
  ck_assert_str_eq(error_text, "lsqnet: full: No space left on device\n");
  ck_assert(same_files("m.safetensors", "whole.safetensors"));
}
END_TEST

START_TEST(a_run_that_diverges_keeps_its_last_finite_weights) {
  expect_failure("train multistep_gd " LINEAR_ATTENTION " --layers 1 --batch 8 --rate 1e300 --out m.safetensors", 4,
                 "diverged");
  expect_done("info m.safetensors"); /* loading refuses weights that are not finite */
  json_t *report = run_json(
      "train multistep_gd " LINEAR_ATTENTION " --layers 1 --batch 8 --rate 1e300 --out m.safetensors --json", 4);
  ck_assert_str_eq(json_string_value(json_object_get(report, "ended")), "diverged");
  ck_assert(json_is_null(json_object_get(report, "mse")));
  json_decref(report);
}
END_TEST

START_TEST(a_target_that_is_not_reached_is_exit_code_4) {
  expect_failure(SMALL " --out m.safetensors --target 1e-20", 4, "option --target: 1e-20 is not reached in 5 steps");
  expect_done("info m.safetensors");
}
END_TEST

static lsqnet_model *load(lsqnet_context *context, const char *name) {
  lsqnet_model *model = NULL;
  ck_assert_int_eq(lsqnet_model_load(&model, context, name, NULL), LSQNET_OK);
  return model;
}

static void expect_same_parameter(const lsqnet_model *a, const char *name, const lsqnet_model *b, const char *name_b) {
  lsqnet_parameter p;
  double values[256], others[256];
  const int64_t at = lsqnet_model_find_parameter(a, name), at_b = lsqnet_model_find_parameter(b, name_b);
  ck_assert_int_eq(lsqnet_model_get_parameter(a, at, &p, sizeof p), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_read_parameter(a, at, values, p.count), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_read_parameter(b, at_b, others, p.count), LSQNET_OK);
  ck_assert_msg(memcmp(values, others, (size_t)p.count * sizeof *values) == 0, "%s", name);
}

/* Adam with so small a rate moves no weight but zeros, which the matrices have none of. */
START_TEST(init_repeats_the_blocks_of_a_smaller_model) {
  lsqnet_context *context = NULL;
  expect_done(SMALL " --out one.safetensors --seed 4");
  expect_done("train multistep_gd " LINEAR_ATTENTION
              " --layers 3 --width 4 --batch 8 --steps 1 --rate 1e-300 --seed 8 "
              "--init one.safetensors --out three.safetensors");
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_model *one = load(context, "one.safetensors"), *three = load(context, "three.safetensors");
  char name[256];
  int compared = 0;
  for (int64_t i = 0; i < lsqnet_model_parameter_count(one); i++) {
    lsqnet_parameter p;
    ck_assert_int_eq(lsqnet_model_get_parameter(one, i, &p, sizeof p), LSQNET_OK);
    if (p.rank < 2) continue;
    expect_same_parameter(one, p.name, three, p.name);
    if (strncmp(p.name, "blocks.0.", 9) != 0) continue;
    snprintf(name, sizeof name, "blocks.2.%s", p.name + 9);
    expect_same_parameter(one, p.name, three, name);
    compared++;
  }
  ck_assert_int_gt(compared, 0);
  lsqnet_model_destroy(one);
  lsqnet_model_destroy(three);
  lsqnet_context_destroy(context);
  expect_failure("train multistep_gd " LINEAR_ATTENTION " --width 8 --init one.safetensors --out x", 3,
                 "one.safetensors: option --init: its read_in.weight is 4x5, that of the model to train 8x5");
}
END_TEST

START_TEST(the_log_says_whose_weights_it_began_with) {
  char text[256] = "";
  expect_done(SMALL " --out one.safetensors --log one.jsonl");
  expect_done(SMALL " --out two.safetensors --log two.jsonl --init one.safetensors");
  ck_assert_uint_gt(read_bytes("two.jsonl", out_text), 0);
  snprintf(text, sizeof text, "%s",
           "{\"step\":0,\"init\":\"one.safetensors\",\"loss\":null,\"fresh_loss\":null}\n{\"step\":1,");
  ck_assert_msg(strncmp(out_text, text, strlen(text)) == 0, "%s", out_text);
  ck_assert_uint_gt(read_bytes("one.jsonl", out_text), 0);
  ck_assert_ptr_null(strstr(out_text, "init"));
}
END_TEST

/* Matrices only: a step at that rate moves zeros. */
START_TEST(frozen_parameters_keep_their_first_weights) {
  lsqnet_context *context = NULL;
  expect_done(SMALL " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --out first.safetensors");
  expect_done(SMALL " --seed 4 --freeze blocks.0.mixer.*,read_in.weight --out frozen.safetensors");
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_model *first = load(context, "first.safetensors"), *frozen = load(context, "frozen.safetensors");
  for (int64_t i = 0; i < lsqnet_model_parameter_count(frozen); i++) {
    lsqnet_parameter p;
    ck_assert_int_eq(lsqnet_model_get_parameter(frozen, i, &p, sizeof p), LSQNET_OK);
    const int named = strncmp(p.name, "blocks.0.mixer.", 15) == 0 || strcmp(p.name, "read_in.weight") == 0;
    ck_assert_msg(p.frozen == named, "%s", p.name);
    if (named && p.rank > 1) expect_same_parameter(first, p.name, frozen, p.name);
  }
  lsqnet_model_destroy(first);
  lsqnet_model_destroy(frozen);
  lsqnet_context_destroy(context);
  expect_failure(SMALL " --freeze read_in.weight,none --out x", 2,
                 "option --freeze: the model has no parameter \"none\"");
}
END_TEST

START_TEST(blocks_have_taps_and_shifts_of_their_own) {
  expect_done(
      "train explicit_gradient --prompt split --dim 2 --rows 4 --mixer base_conv --filter short --taps 2,5 "
      "--shift 4,0 --shifted 1 --layers 2 --width 4 --batch 8 --steps 1 --out m.safetensors");
  json_t *info = run_json("info m.safetensors --json", 0);
  const json_t *config = json_object_get(json_object_get(info, "layers"), "mixer_config");
  const json_t *taps = json_object_get(config, "taps"), *shift = json_object_get(config, "shift");
  ck_assert(json_array_size(taps) == 2 && json_integer_value(json_array_get(taps, 0)) == 2);
  ck_assert(json_integer_value(json_array_get(taps, 1)) == 5);
  ck_assert(json_array_size(shift) == 2 && json_integer_value(json_array_get(shift, 0)) == 4);
  ck_assert(json_integer_value(json_array_get(shift, 1)) == 0);
  ck_assert(json_integer_value(json_object_get(config, "shifted")) == 1);
  json_decref(info);
  expect_failure(SMALL " --taps 1,x --out m.safetensors", 2, "option --taps: \"1,x\" is no number and no list");
  expect_failure(SMALL " --shift , --out m.safetensors", 2, "option --shift: \",\" is no number and no list");
}
END_TEST

#define FIRST_WEIGHTS SMALL " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --out "

/* First weights as they are drawn, and as `words` change them. */
static lsqnet_context *change_first_weights(const char *words, lsqnet_model **first, lsqnet_model **other) {
  lsqnet_context *context = NULL;
  char line[512];
  expect_done(FIRST_WEIGHTS "first.safetensors");
  snprintf(line, sizeof line, FIRST_WEIGHTS "changed.safetensors %s", words);
  expect_done(line);
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  *first = load(context, "first.safetensors");
  *other = load(context, "changed.safetensors");
  return context;
}

/* Rows 1 and 2 of read_in.weight, and of the second its first number; then column 1 of every row. */
START_TEST(parts_of_first_weights_are_scaled_and_set) {
  double drawn[64], changed[64];
  lsqnet_parameter p;
  lsqnet_model *first = NULL, *other = NULL;
  lsqnet_context *context = change_first_weights(
      "--scale read_in.weight=3:1-2,read_in.weight=0:2x0 --set read_in.weight=7:*x1", &first, &other);
  const int64_t at = lsqnet_model_find_parameter(first, "read_in.weight");
  ck_assert_int_eq(lsqnet_model_get_parameter(first, at, &p, sizeof p), LSQNET_OK);
  ck_assert(p.rank == 2 && p.shape[0] > 3 && p.shape[1] > 2 && p.count <= 64);
  ck_assert_int_eq(lsqnet_model_read_parameter(first, at, drawn, p.count), LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_read_parameter(other, at, changed, p.count), LSQNET_OK);
  for (int64_t k = 0; k < p.count; k++) {
    const int64_t row = k / p.shape[1], column = k % p.shape[1];
    const double factor = row == 2 && column == 0 ? 0 : row == 1 || row == 2 ? 3 : 1;
    ck_assert_double_eq_tol(changed[k], column == 1 ? 7 : factor * drawn[k], 1e-300);
  }
  lsqnet_model_destroy(first);
  lsqnet_model_destroy(other);
  lsqnet_context_destroy(context);
  static const char *const wrong[] = {"99",   "2-1", "-1",   "0x99", "0x0x0", "",   "0-",
                                      "1--2", "+1",  "0-+1", "x1",   "0x",    "*0", "99999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char words[256];
    snprintf(words, sizeof words, SMALL " --set read_in.weight=1:%s --out x", wrong[i]);
    expect_failure(words, 2, "is no part of read_in.weight");
  }
  expect_failure(SMALL " --set read_in.weight=nan --out x", 2, "option --set: \"nan\" is no number for read_in.weight");
}
END_TEST

START_TEST(first_weights_are_scaled) {
  double as_drawn[64], scaled[64];
  lsqnet_parameter p;
  lsqnet_model *first = NULL, *other = NULL;
  lsqnet_context *context = change_first_weights("--scale *.qkv.weight=0.25,read_?n.weight=-2", &first, &other);
  for (int64_t i = 0; i < lsqnet_model_parameter_count(first); i++) {
    ck_assert_int_eq(lsqnet_model_get_parameter(first, i, &p, sizeof p), LSQNET_OK);
    const double factor = strstr(p.name, "qkv.weight") ? 0.25 : strcmp(p.name, "read_in.weight") == 0 ? -2 : 1;
    if (p.count > 64 || p.rank < 2) continue;
    ck_assert_int_eq(lsqnet_model_read_parameter(first, i, as_drawn, p.count), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_read_parameter(other, i, scaled, p.count), LSQNET_OK);
    for (int64_t k = 0; k < p.count; k++) ck_assert_double_eq(scaled[k], factor * as_drawn[k]);
  }
  expect_done(FIRST_WEIGHTS "kept.safetensors --init-scale 1 --keep read_in.*");
  lsqnet_model *kept = load(context, "kept.safetensors");
  expect_same_parameter(first, "read_in.weight", kept, "read_in.weight");
  ck_assert_int_eq(
      lsqnet_model_read_parameter(first, lsqnet_model_find_parameter(first, "read_out.weight"), as_drawn, 8),
      LSQNET_OK);
  ck_assert_int_eq(lsqnet_model_read_parameter(kept, lsqnet_model_find_parameter(kept, "read_out.weight"), scaled, 8),
                   LSQNET_OK);
  ck_assert(as_drawn[0] != scaled[0]);
  lsqnet_model_destroy(kept);
  lsqnet_model_destroy(first);
  lsqnet_model_destroy(other);
  lsqnet_context_destroy(context);
  expect_failure(SMALL " --scale none=2 --out x", 2, "option --scale: the model has no parameter \"none\"");
  expect_failure(SMALL " --scale read_in.weight --out x", 2, "option --scale: \"\" is no number for read_in.weight");
  expect_failure(SMALL " --scale read_in.weight=2x --out x", 2, "option --scale: \"2x\" is no number");
  expect_failure(SMALL " --freeze read_in.weight=1 --out x", 2, "option --freeze: \"1\" after read_in.weight");
}
END_TEST

START_TEST(options_override_a_preset) {
  expect_done(
      "train --preset explicit-gradient-linear-attention --width 8 --heads 2 --dim 2 --rows 4 --batch 4 "
      "--steps 2 --out m.safetensors");
  json_t *info = run_json("info m.safetensors --json", 0);
  const json_t *layers = json_object_get(info, "layers"), *config = json_object_get(layers, "mixer_config");
  ck_assert_str_eq(json_string_value(json_object_get(info, "dtype")), "float32");
  ck_assert(number(layers, "width") == 8 && number(layers, "count") == 3);
  ck_assert(number(config, "heads") == 2);
  ck_assert(json_is_false(json_object_get(config, "softmax")));
  ck_assert(json_is_false(json_object_get(config, "causal")));
  ck_assert_str_eq(json_string_value(json_object_get(json_object_get(info, "step"), "output")), "gradient");
  json_decref(info);
}
END_TEST

START_TEST(every_preset_runs) {
  static const char *const names[] = {"explicit-gradient", "explicit-gradient-linear-attention",
                                      "iterates-4",        "least-squares",
                                      "primitives",        "ode-transformer",
                                      "ode-base-conv"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char line[256];
    snprintf(
        line, sizeof line,
        "train --preset %s --width 16 --rows 4 --dim 4 --points 5 --batch 2 --steps 1 --samples 4 --schedule constant "
        "--out m.safetensors",
        names[i]);
    expect_done(line);
  }
}
END_TEST

START_TEST(train_refuses_what_it_cannot_do) {
  static const struct {
    const char *words;
    int code;
    const char *message;
  } cases[] = {
      {"", 2, "no task"},
      {"multiply --dim 4", 2, "option --out is missing"},
      {"nothing --out x", 2, "nothing: the tasks are identity, square"},
      {"multiply --dim 4 --out none/x", 1, "none/x: cannot write into its folder"},
      {"multiply --dim 4 --out x --rate nan", 2, "option --rate: \"nan\""},
      {"multiply --dim 4 --out x --rate -1", 2, "rate=-1"},
      {"multiply --dim 4 --out x --batch 0", 2, "option --batch: \"0\" is too small"},
      {"multiply --dim 4 --out x --steps 0", 2, "steps=0"},
      {"multiply --dim 3 --out x", 2, "dim=3"},
      {"multiply --dim 4 --out x --optimizer shampoo", 2, "optimizer=\"shampoo\""},
      {"multiply --dim 4 --out x --schedule cosine", 2, "schedule=\"cosine\""},
      {"multiply --dim 4 --out x --mixer fourier", 2, "fourier"},
      {"multiply --dim 4 --out x --mixer-config {", 2, "option --mixer-config: \"{\" is not a JSON object"},
      {"multiply --dim 4 --out x --heads 2", 2, "heads"},
      {"multiply --dim 4 --out x --mlp tanh", 2, "option --mlp: \"tanh\" is not one of none|relu|gelu|glu"},
      {"multiply --dim 4 --out x --dtype f16", 2, "option --dtype: \"f16\" is not one of f32|f64"},
      {"multiply --dim 4 --out x --resume", 3, "x.checkpoint: "},
      {"multiply --dim 4 --out x --preset gpt", 2, "option --preset: \"gpt\" is not one of explicit-gradient, "},
      {"multiply --dim 4 --out x --init none", 3, "none: "},
      {"multiply --dim 4 --out x --init y --init-scale 1", 2, "option --init"},
      {"multiply --dim 4 --out x --threads 99999", 2, "option --threads"},
      {"multiply --dim 4 --out x --level v9", 2, "option --level: \"v9\" is not one of auto|generic|v2|v3|v4"},
      {"multiply --dim 4 --out x --log none/log", 1, "none/log: No such file"},
      {"multiply --dim 4 --out x --no-residual=1", 2, "option --no-residual takes no value"},
      {"multistep_gd --out x --dtype f32 --optimizer levenberg_marquardt", 2, "float64"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[512];
    snprintf(line, sizeof line, "train %s", cases[i].words);
    expect_failure(line, cases[i].code, cases[i].message);
    ck_assert_int_ne(access("x", F_OK), 0);
  }
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("command: train");
  tcase_add_test(tests, train_takes_one_gradient_step_to_the_last_bit);
  tcase_add_test(tests, same_seed_gives_same_log_and_model_whatever_the_threads);
  tcase_add_test(tests, a_level_is_pinned_by_name);
  tcase_add_test(tests, log_has_an_object_a_line);
  tcase_add_test(tests, log_tells_starts_and_restarts);
  tcase_add_test(tests, a_run_that_was_ended_goes_on_bit_for_bit);
  tcase_add_test(tests, a_run_without_a_named_checkpoint_goes_on_too);
  tcase_add_test(tests, a_model_that_cannot_be_written_is_kept_as_a_checkpoint);
  tcase_add_test(tests, a_checkpoint_of_another_run_is_refused);
  tcase_add_test(tests, the_log_says_whose_weights_it_began_with);
  tcase_add_test(tests, what_cannot_be_written_is_told_and_the_model_is_kept);
  tcase_add_test(tests, a_run_that_diverges_keeps_its_last_finite_weights);
  tcase_add_test(tests, a_target_that_is_not_reached_is_exit_code_4);
  tcase_add_test(tests, init_repeats_the_blocks_of_a_smaller_model);
  tcase_add_test(tests, frozen_parameters_keep_their_first_weights);
  tcase_add_test(tests, parts_of_first_weights_are_scaled_and_set);
  tcase_add_test(tests, first_weights_are_scaled);
  tcase_add_test(tests, blocks_have_taps_and_shifts_of_their_own);
  tcase_add_test(tests, options_override_a_preset);
  tcase_add_test(tests, every_preset_runs);
  tcase_add_test(tests, train_refuses_what_it_cannot_do);
  return run_suite("command: train", tests);
}
