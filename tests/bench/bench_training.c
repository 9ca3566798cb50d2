/* Prints what training takes on two threads, by the clock on the wall: a step of the paper's explicit gradient, and
 * Levenberg-Marquardt from random weights to roundings.
 *
 *   bench_training [--check] */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>

#include "measure.h"
#include "peak.h"

enum { THREADS = 2, ROWS = 20, DIM = 5, BATCH = 1024, WIDTH = 64, LAYERS = 3, STEPS = 41, SEEDS = 5 };

typedef struct {
  lsqnet_context *context;
  lsqnet_task *task;
  lsqnet_model *model;
  lsqnet_trainer *trainer;
} run;

static void open_task(run *r, const char *name, const char *prompt) {
  lsqnet_context_options c;
  lsqnet_task_options t;
  must(lsqnet_context_options_init(&c, sizeof c));
  must(lsqnet_task_options_init(&t, sizeof t));
  c.threads = THREADS;
  t.name = name;
  t.prompt = prompt;
  t.rows = ROWS;
  t.dim = DIM;
  must(lsqnet_context_create(&r->context, &c));
  must(lsqnet_task_create(&r->task, r->context, &t));
}

/* Options of a model for the task. */
static lsqnet_model_options model_options(const run *r) {
  lsqnet_model_options m;
  lsqnet_task_shape shape;
  must(lsqnet_model_options_init(&m, sizeof m));
  must(lsqnet_task_get_shape(r->task, &shape, sizeof shape));
  m.rows = shape.rows;
  m.in_width = shape.in_width;
  m.out_width = shape.out_width;
  return m;
}

/* As `lsqnet train --preset explicit-gradient`. */
static run open_explicit_gradient(void) {
  run r = {0};
  lsqnet_train_options t;
  open_task(&r, "explicit_gradient", NULL);
  lsqnet_model_options m = model_options(&r);
  must(lsqnet_train_options_init(&t, sizeof t));
  m.dtype = LSQNET_F32;
  m.layers = LAYERS;
  m.width = WIDTH;
  t.batch = BATCH;
  t.rate = 1e-2;
  t.schedule = "adaptive";
  t.ema_decay = 0.98;
  t.ema_lambda = 2;
  must(lsqnet_model_create(&r.model, r.context, &m));
  must(lsqnet_trainer_create(&r.trainer, r.model, r.task, &t));
  return r;
}

/* As `lsqnet train multistep_gd --prompt split --mixer attention --no-softmax --no-causal --layers 1 --width 11
 * --freeze-positions --optimizer levenberg_marquardt --target 1e-28 --seed SEED`, but for the scale of first weights.
 */
static run open_linear_attention(uint64_t seed) {
  run r = {0};
  lsqnet_train_options t;
  open_task(&r, "multistep_gd", "split");
  lsqnet_model_options m = model_options(&r);
  must(lsqnet_train_options_init(&t, sizeof t));
  m.mixer = "attention";
  m.mixer_config = "{\"softmax\":false,\"causal\":false}";
  m.layers = 1;
  m.width = 2 * DIM + 1;
  m.freeze_positions = 1;
  m.seed = t.seed = seed;
  t.optimizer = "levenberg_marquardt";
  t.target = 1e-28;
  must(lsqnet_model_create(&r.model, r.context, &m));
  must(lsqnet_trainer_create(&r.trainer, r.model, r.task, &t));
  return r;
}

static void close_run(run *r) {
  lsqnet_trainer_destroy(r->trainer);
  lsqnet_model_destroy(r->model);
  lsqnet_task_destroy(r->task);
  lsqnet_context_destroy(r->context);
}

/* What a step needs: forward and backward passes of which the last row is read, the gradient of x left out. */
static double step_work(void) {
  const base_conv_sizes sizes = {BATCH, ROWS + 1, 1, DIM + 1, WIDTH, DIM, LAYERS};
  return 2e-9 * (3 * base_conv_work(&sizes) - read_in_work(&sizes));
}

static void print_step(table *out) {
  run r = open_explicit_gradient();
  const int32_t level = lsqnet_context_kernel_level(r.context);
  double step[STEPS], peak[STEPS], begin = wall_seconds();
  must(lsqnet_trainer_step(r.trainer, NULL));
  const double first = wall_seconds() - begin;
  for (int i = 0; i < STEPS; i++) {
    begin = wall_seconds();
    must(lsqnet_trainer_step(r.trainer, NULL));
    step[i] = wall_seconds() - begin;
    peak[i] = peak_of_threads(THREADS, LSQNET_F32, level);
  }
  const double time = median(STEPS, step), both = median(STEPS, peak);
  printf(
      "\nExplicit gradient: BaseConv, %d layers, width %d, L = %d, D = %d, batch %d, float32, Adam; level %d; medians "
      "of %d\n",
      LAYERS, WIDTH, ROWS, DIM, BATCH, (int)level, STEPS);
  table_row("peak, two threads at once", both, "GFLOP/s");
  table_row_at_most(out, "a step", 1e3 * time, "ms", 45);
  table_row_at_least(out, "share of the peak", 100 * step_work() / time / both, "%", 40);
  table_row("the cosine metric, every 1000 steps", first - time, "s");
  close_run(&r);
}

static void print_time_to_target(table *out) {
  double time[SEEDS];
  for (int i = 0; i < SEEDS; i++) {
    lsqnet_progress progress = {.size = sizeof progress};
    const double begin = wall_seconds();
    run r = open_linear_attention((uint64_t)i);
    while (progress.ended == LSQNET_TRAIN_GOING) must(lsqnet_trainer_step(r.trainer, &progress));
    time[i] = progress.ended == LSQNET_TRAIN_TARGET ? wall_seconds() - begin : HUGE_VAL;
    close_run(&r);
  }
  printf(
      "\nOne step of gradient descent: linear attention, 1 layer, width %d, L = %d, D = %d, float64, "
      "Levenberg-Marquardt\n",
      2 * DIM + 1, ROWS, DIM);
  table_row_at_most(out, "to 1e-28 from random weights, median of 5 seeds", median(SEEDS, time), "s", 5);
  table_row_at_most(out, "the slowest of them", time[SEEDS - 1], "s", 5);
}

int main(int argc, char **argv) {
  table out = table_open(argc, argv);
  printf("Training on two threads\n");
  print_step(&out);
  print_time_to_target(&out);
  return table_close(&out);
}
