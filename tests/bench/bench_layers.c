/* Prints how fast BaseConv runs forward and backward: 3 layers of width 64, 1024 sequences of 21 rows, every row
 * wanted. One thread is measured by its processor time, in turns with the peak, two threads by the clock on the wall.
 *
 *   bench_layers [--check] */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "peak.h"

enum { BATCH = 1024, T = 21, D = 64, IN = 6, OUT = 5, LAYERS = 3, RUNS = 15 };

typedef struct {
  lsqnet_context *context;
  lsqnet_model *model;
  lsqnet_workspace *workspace;
} network;

static network network_open(int32_t dtype, int32_t threads) {
  network n = {0};
  lsqnet_context_options c;
  lsqnet_model_options m;
  must(lsqnet_context_options_init(&c, sizeof c));
  must(lsqnet_model_options_init(&m, sizeof m));
  c.threads = threads;
  m.dtype = dtype;
  m.rows = T;
  m.in_width = IN;
  m.out_width = OUT;
  m.width = D;
  m.layers = LAYERS;
  must(lsqnet_context_create(&n.context, &c));
  must(lsqnet_model_create(&n.model, n.context, &m));
  must(lsqnet_workspace_create(&n.workspace, n.model));
  return n;
}

static void network_close(network *n) {
  lsqnet_workspace_destroy(n->workspace);
  lsqnet_model_destroy(n->model);
  lsqnet_context_destroy(n->context);
}

/* Inputs, outputs and their gradients in both precisions. */
static struct {
  double x[BATCH * T * IN], y[BATCH * T * OUT];
  float x32[BATCH * T * IN], y32[BATCH * T * OUT];
} data;

static void draw_data(void) {
  for (int i = 0; i < BATCH * T * IN; i++) data.x32[i] = (float)(data.x[i] = rand() / (double)RAND_MAX - 0.5);
}

static void forward(const network *n, int32_t dtype) {
  const lsqnet_batch batch = {.size = sizeof batch, .batch = BATCH, .rows = T, .first = 0, .count = T};
  must(dtype == LSQNET_F32 ? lsqnet_model_forward_f32(n->model, n->workspace, &batch, data.x32, data.y32)
                           : lsqnet_model_forward_f64(n->model, n->workspace, &batch, data.x, data.y));
}

static void backward(const network *n, int32_t dtype) {
  must(dtype == LSQNET_F32 ? lsqnet_model_backward_f32(n->model, n->workspace, data.y32, NULL)
                           : lsqnet_model_backward_f64(n->model, n->workspace, data.y, NULL));
}

typedef struct {
  double forward[RUNS], backward[RUNS]; /* processor time of one thread */
  double one[RUNS], two[RUNS];          /* both passes on the wall */
  double peak[RUNS];
} times;

static void measure(const network *one, const network *two, int32_t dtype, times *t) {
  const int32_t level = lsqnet_context_kernel_level(one->context);
  for (int run = -2; run < RUNS; run++) { /* the first two warm up */
    const int i = run < 0 ? 0 : run;
    double begin = seconds(), wall = wall_seconds();
    forward(one, dtype);
    t->forward[i] = seconds() - begin;
    begin = seconds();
    backward(one, dtype);
    t->backward[i] = seconds() - begin;
    t->one[i] = wall_seconds() - wall;
    wall = wall_seconds();
    forward(two, dtype);
    backward(two, dtype);
    t->two[i] = wall_seconds() - wall;
    t->peak[i] = peak_of_threads(1, dtype, level);
  }
}

static void print_precision(table *out, int32_t dtype, double least) {
  const base_conv_sizes sizes = {BATCH, T, T, IN, D, OUT, LAYERS};
  const double there = 2e-9 * base_conv_work(&sizes), back = 2 * there - 2e-9 * read_in_work(&sizes);
  network one = network_open(dtype, 1), two = network_open(dtype, 2);
  times t;
  measure(&one, &two, dtype, &t);
  const double f = median(RUNS, t.forward), b = median(RUNS, t.backward), peak = median(RUNS, t.peak);
  printf("\nfloat%d, kernel level %d\n", dtype == LSQNET_F32 ? 32 : 64, (int)lsqnet_context_kernel_level(one.context));
  table_row("peak, one thread", peak, "GFLOP/s");
  table_row("forward, one thread", 1e3 * f, "ms");
  table_row("backward, one thread", 1e3 * b, "ms");
  table_row("share of the peak, forward", 100 * there / f / peak, "%");
  table_row("share of the peak, backward", 100 * back / b / peak, "%");
  table_row_at_least(out, "share of the peak, both", 100 * (there + back) / (f + b) / peak, "%", least);
  table_row_at_least(out, "two threads", median(RUNS, t.one) / median(RUNS, t.two), "times one", 1.8);
  network_close(&one);
  network_close(&two);
}

int main(int argc, char **argv) {
  table out = table_open(argc, argv);
  draw_data();
  printf("BaseConv, %d layers, width %d, %d sequences of %d rows; medians of %d\n", LAYERS, D, BATCH, T, RUNS);
  print_precision(&out, LSQNET_F32, 50);
  print_precision(&out, LSQNET_F64, 45);
  return table_close(&out);
}
