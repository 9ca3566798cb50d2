/* lsqnet train, eval and plot. */
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

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  ck_assert_msg(json_is_number(value), "%s", key);
  return json_number_value(value);
}

static void expect_done(const char *line) { ck_assert_msg(run(line) == 0, "from: %s: %s", line, error_text); }

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

START_TEST(a_checkpoint_of_another_run_is_refused) {
  expect_done(SMALL " --out m.safetensors --checkpoint c");
  expect_failure(SMALL " --out m.safetensors --checkpoint c --resume --rate 0.5", 3, "c: it is another run's");
  expect_failure(SMALL " --out m.safetensors --checkpoint c --resume --seed 9", 3, "seed");
  expect_failure(SMALL " --out m.safetensors --checkpoint none --resume", 3, "none: ");
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
                 "one.safetensors: option --init: it has no read_in.weight");
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

START_TEST(blocks_have_taps_of_their_own) {
  expect_done(
      "train explicit_gradient --prompt split --dim 2 --rows 4 --mixer base_conv --filter short --taps 1,5 "
      "--layers 2 --width 4 --batch 8 --steps 1 --out m.safetensors");
  json_t *info = run_json("info m.safetensors --json", 0);
  const json_t *taps = json_object_get(json_object_get(json_object_get(info, "layers"), "mixer_config"), "taps");
  ck_assert(json_array_size(taps) == 2 && json_integer_value(json_array_get(taps, 0)) == 1);
  ck_assert(json_integer_value(json_array_get(taps, 1)) == 5);
  json_decref(info);
  expect_failure(SMALL " --taps 1,x --out m.safetensors", 2, "option --taps: \"1,x\" is no number and no list");
}
END_TEST

/* Rows 1 and 2 of read_in.weight (8,C), then column 1 of the first and the last row. */
START_TEST(parts_of_first_weights_are_scaled_and_set) {
  lsqnet_context *context = NULL;
  double drawn[64], changed[64];
  lsqnet_parameter p;
  expect_done(SMALL " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --out first.safetensors");
  expect_done(SMALL
              " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --scale read_in.weight=3:1-2,read_in.weight=0:2x0 "
              "--set read_in.weight=7:*x1 --out parts.safetensors");
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_model *first = load(context, "first.safetensors"), *other = load(context, "parts.safetensors");
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
  static const char *const wrong[] = {"99", "2-1", "-1", "0x99", "0x0x0", "", "0-", "x1", "*0"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char words[256];
    snprintf(words, sizeof words, SMALL " --set read_in.weight=1:%s --out x", wrong[i]);
    expect_failure(words, 2, "is no part of read_in.weight");
  }
  expect_failure(SMALL " --set read_in.weight=nan --out x", 2, "option --set: \"nan\" is no number for read_in.weight");
}
END_TEST

START_TEST(first_weights_are_scaled) {
  lsqnet_context *context = NULL;
  double as_drawn[64], scaled[64];
  lsqnet_parameter p;
  expect_done(SMALL " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --out first.safetensors");
  expect_done(SMALL
              " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --scale *.qkv.weight=0.25,read_?n.weight=-2 "
              "--out scaled.safetensors");
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  lsqnet_model *first = load(context, "first.safetensors"), *other = load(context, "scaled.safetensors");
  for (int64_t i = 0; i < lsqnet_model_parameter_count(first); i++) {
    ck_assert_int_eq(lsqnet_model_get_parameter(first, i, &p, sizeof p), LSQNET_OK);
    const double factor = strstr(p.name, "qkv.weight") ? 0.25 : strcmp(p.name, "read_in.weight") == 0 ? -2 : 1;
    if (p.count > 64 || p.rank < 2) continue;
    ck_assert_int_eq(lsqnet_model_read_parameter(first, i, as_drawn, p.count), LSQNET_OK);
    ck_assert_int_eq(lsqnet_model_read_parameter(other, i, scaled, p.count), LSQNET_OK);
    for (int64_t k = 0; k < p.count; k++) ck_assert_double_eq(scaled[k], factor * as_drawn[k]);
  }
  expect_done(
      SMALL " --seed 4 --steps 1 --optimizer sgd --rate 1e-300 --init-scale 1 --keep read_in.* --out kept.safetensors");
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
      {"multiply --dim 4 --out x --resume", 2, "option --resume needs --checkpoint"},
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

/* eval */

static const json_t *find_row(const json_t *table, const char *name) {
  size_t i = 0;
  const json_t *value = NULL;
  json_array_foreach(json_object_get(table, "rows"), i, value) {
    if (strcmp(json_string_value(json_object_get(value, "name")), name) == 0) return value;
  }
  ck_abort_msg("no row %s", name);
  return NULL;
}

/* A sum of L D products carries a relative error of some L D epsilon of its terms' size; these may be 100 times the
 * target's size where x is 100 times as large, and A'A x cancels little: so 1e-24 for all rows. */
START_TEST(eval_finds_an_exact_model_exact_on_all_rows) {
  static const char *const models[] = {"exact:8x2", "exact:20x5:base_conv:query_first"};
  for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
    json_t *table = run_json("eval %s --samples 256 --json", 0, models[k]);
    const json_t *rows = json_object_get(table, "rows"), *iterated = json_object_get(table, "iterated");
    ck_assert_uint_eq(json_array_size(rows), 21);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "name")), "in_distribution");
    for (size_t i = 0; i < json_array_size(rows); i++) {
      const json_t *row = json_array_get(rows, i);
      ck_assert_msg(number(row, "relative_mse") <= 1e-24, "%s: %g", json_string_value(json_object_get(row, "name")),
                    number(row, "relative_mse"));
      ck_assert(number(row, "mse") >= number(row, "relative_mse"));
    }
    ck_assert(number(iterated, "mse") <= 1e-28 && number(iterated, "gradient_descent_mse") <= 1e-28);
    json_decref(table);
  }
}
END_TEST

/* The gradient is linear in x and quadratic in A: so is the error of a model that says nothing but zero. */
START_TEST(eval_varies_the_data_as_its_rows_say) {
  expect_done(
      "train explicit_gradient --dim 2 --rows 4 --layers 1 --width 4 --batch 4 --steps 1 --rate 1e-30 "
      "--freeze-positions --out m.safetensors");
  json_t *table = run_json("eval m.safetensors --samples 4096 --seed 1 --json", 0);
  const double mse = number(find_row(table, "in_distribution"), "mse");
  ck_assert(mse > 0.1);
  ck_assert(number(find_row(table, "a_times_100"), "mse") > 1e6 * mse);
  ck_assert(number(find_row(table, "x_times_100"), "mse") > 1e3 * mse);
  ck_assert(number(find_row(table, "a_times_0.01"), "mse") < mse);
  ck_assert(number(find_row(table, "singular_values_1_to_1e4"), "mse") > 1e6 * mse);
  ck_assert(number(find_row(table, "a_sparse_0.9"), "mse") != number(find_row(table, "a_sparse_0.5"), "mse"));
  ck_assert(number(find_row(table, "a_laplace"), "mse") != number(find_row(table, "a_uniform"), "mse"));
  ck_assert(number(find_row(table, "x_laplace"), "mse") != number(find_row(table, "x_student_t3"), "mse"));
  json_decref(table);
}
END_TEST

/* Newton-Schulz's matrices are symmetric, primitives have only vectors, ODEs neither. */
START_TEST(eval_leaves_out_rows_that_a_task_has_no_use_for) {
  static const struct {
    const char *task;
    size_t rows;
  } cases[] = {{"newton_schulz", 15}, {"square", 7}, {"ode_icl", 1}, {"power_step", 21}, {"momentum", 21}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[256];
    snprintf(line, sizeof line,
             "train %s --dim 2 --rows 4 --points 25 --layers 1 --width 4 --batch 4 --steps 1 --out m.safetensors",
             cases[i].task);
    expect_done(line);
    json_t *table = run_json("eval m.safetensors --samples 64 --json", 0);
    ck_assert_uint_eq(json_array_size(json_object_get(table, "rows")), cases[i].rows);
    ck_assert(json_is_null(json_object_get(table, "iterated")));
    json_decref(table);
  }
}
END_TEST

START_TEST(eval_refuses_what_it_cannot_measure) {
  expect_failure("eval none.safetensors", 3, "none.safetensors: ");
  expect_failure("eval exact:8x2 --samples 0", 2, "option --samples: \"0\" is too small");
  expect_done(
      "train explicit_gradient --setting all --dim 2 --rows 4 --layers 1 --width 4 --batch 4 --steps 1 --out "
      "m.safetensors");
  expect_failure("eval m.safetensors", 3, "m.safetensors: it does not say which task it is for");
}
END_TEST

/* plot */

/* A gnuplot that hands back its script. */
static void make_gnuplot(const char *script) {
  ck_assert_int_eq(mkdir("bin", 0700), 0);
  write_text("bin/gnuplot", script);
  ck_assert_int_eq(chmod("bin/gnuplot", 0700), 0);
}

static void remove_gnuplot(void) {
  unlink("bin/gnuplot");
  rmdir("bin");
}

START_TEST(plot_hands_the_curves_to_gnuplot) {
  make_gnuplot("#!/bin/sh\nexec /bin/cat\n");
  setenv("PATH", "./bin", 1);
  write_text("it's.jsonl", "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"loss\":0.25}\n");
  write_text("b.jsonl", "{\"step\":1,\"loss\":2.5,\"fresh_loss\":7}\n");
  expect_done("plot it's.jsonl b.jsonl -o p.svg");
  read_bytes("p.svg", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "$curve0 << EOD\n1 0.5\n3 0.25\nEOD\n$curve1 << EOD\n1 2.5\nEOD\n"));
  ck_assert_ptr_nonnull(strstr(out_text, "set terminal svg"));
  ck_assert_ptr_nonnull(strstr(out_text, "set logscale y"));
  ck_assert_ptr_nonnull(strstr(out_text, "title 'it''s.jsonl', $curve1"));
  expect_done("plot b.jsonl -o p.png --fresh");
  read_bytes("p.png", out_text);
  ck_assert_ptr_nonnull(strstr(out_text, "set terminal png"));
  ck_assert_ptr_nonnull(strstr(out_text, "1 7\n"));
  remove_gnuplot();
}
END_TEST

START_TEST(plot_says_what_is_wrong) {
  write_text("a.jsonl", "{\"step\":1,\"loss\":0.5}\n");
  write_text("bad.jsonl", "{\"step\":1,\"loss\":0.5}\n{\"step\":2\n");
  write_text("empty.jsonl", "");
  setenv("PATH", "./bin", 1);
  expect_failure("plot a.jsonl", 2, "option -o is missing");
  expect_failure("plot a.jsonl -o a.pdf", 2, "option -o: \"a.pdf\" does not end in .svg or .png");
  expect_failure("plot bad.jsonl -o a.svg", 3, "bad.jsonl:2: not a line of a training log");
  expect_failure("plot empty.jsonl -o a.svg", 3, "empty.jsonl: no loss above zero");
  expect_failure("plot none.jsonl -o a.svg", 3, "none.jsonl: No such file");
  expect_failure("plot a.jsonl -o a.svg", 1, "gnuplot cannot be run: No such file or directory (is it installed?)");
  ck_assert_int_ne(access("a.svg", F_OK), 0);
  make_gnuplot("#!/bin/sh\nexit 3\n");
  expect_failure("plot a.jsonl -o a.svg", 1, "gnuplot failed (exit code 3)");
  ck_assert_int_ne(access("a.svg", F_OK), 0);
  remove_gnuplot();
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("command: train, eval and plot");
  tcase_add_test(tests, train_takes_one_gradient_step_to_the_last_bit);
  tcase_add_test(tests, same_seed_gives_same_log_and_model_whatever_the_threads);
  tcase_add_test(tests, a_level_is_pinned_by_name);
  tcase_add_test(tests, log_has_an_object_a_line);
  tcase_add_test(tests, log_tells_starts_and_restarts);
  tcase_add_test(tests, a_run_that_was_ended_goes_on_bit_for_bit);
  tcase_add_test(tests, a_checkpoint_of_another_run_is_refused);
  tcase_add_test(tests, what_cannot_be_written_is_told_and_the_model_is_kept);
  tcase_add_test(tests, a_run_that_diverges_keeps_its_last_finite_weights);
  tcase_add_test(tests, a_target_that_is_not_reached_is_exit_code_4);
  tcase_add_test(tests, init_repeats_the_blocks_of_a_smaller_model);
  tcase_add_test(tests, frozen_parameters_keep_their_first_weights);
  tcase_add_test(tests, parts_of_first_weights_are_scaled_and_set);
  tcase_add_test(tests, first_weights_are_scaled);
  tcase_add_test(tests, blocks_have_taps_of_their_own);
  tcase_add_test(tests, options_override_a_preset);
  tcase_add_test(tests, every_preset_runs);
  tcase_add_test(tests, train_refuses_what_it_cannot_do);
  tcase_add_test(tests, eval_finds_an_exact_model_exact_on_all_rows);
  tcase_add_test(tests, eval_varies_the_data_as_its_rows_say);
  tcase_add_test(tests, eval_leaves_out_rows_that_a_task_has_no_use_for);
  tcase_add_test(tests, eval_refuses_what_it_cannot_measure);
  tcase_add_test(tests, plot_hands_the_curves_to_gnuplot);
  tcase_add_test(tests, plot_says_what_is_wrong);
  return run_suite("command: train, eval and plot", tests);
}
