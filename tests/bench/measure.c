#include "measure.h"

#include <lsqnet/lsqnet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peak.h"

double wall_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median(int count, double *values) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

typedef struct {
  int32_t dtype, level;
  double rate;
} peak_task;

static void *run_peak(void *argument) {
  peak_task *t = argument;
  t->rate = t->dtype == LSQNET_F32 ? peak_f32(t->level) : peak_f64(t->level);
  return NULL;
}

double peak_of_threads(int threads, int32_t dtype, int32_t level) {
  enum { MOST = 64 };
  pthread_t ids[MOST];
  peak_task tasks[MOST];
  double sum = 0;
  for (int i = 0; i < threads; i++) {
    tasks[i] = (peak_task){dtype, level, 0};
    if (i > 0 && pthread_create(&ids[i], NULL, run_peak, &tasks[i]) != 0) abort();
  }
  run_peak(&tasks[0]);
  for (int i = 1; i < threads; i++) pthread_join(ids[i], NULL);
  for (int i = 0; i < threads; i++) sum += tasks[i].rate;
  return sum;
}

double read_in_work(const base_conv_sizes *s) { return (double)(s->batch * s->T * s->in * s->D); }

/* Of a block's three products in_proj works on every row and gate and out_proj on the wanted ones; row t of the
 * convolution sums t + 1 rows. */
double base_conv_work(const base_conv_sizes *s) {
  double work = read_in_work(s) + (double)(s->batch * s->R * s->D * s->out);
  for (int64_t i = 0; i < s->layers; i++) {
    const int64_t wanted = i == s->layers - 1 ? s->R : s->T;
    int64_t taps = 0;
    for (int64_t t = s->T - wanted; t < s->T; t++) taps += t + 1;
    work += (double)(s->batch * s->D * ((s->T + 2 * wanted) * s->D + taps));
  }
  return work;
}

table table_open(int argc, char **argv) {
  table t = {0};
  t.check = argc == 2 && strcmp(argv[1], "--check") == 0;
  if (argc == 1 + t.check) return t;
  fprintf(stderr, "usage: %s [--check]\n", argv[0]);
  exit(2);
}

static void print_row(const char *name, double value, const char *unit) {
  printf("%-48s %10.2f %-9s", name, value, unit);
}

void table_row(const char *name, double value, const char *unit) {
  print_row(name, value, unit);
  printf("\n");
}

static void judge(table *t, int kept, const char *bound, double limit) {
  t->missed += !kept;
  printf(" %s %g%s\n", bound, limit, kept ? "" : "  MISSED");
}

void table_row_at_least(table *t, const char *name, double value, const char *unit, double least) {
  print_row(name, value, unit);
  judge(t, value >= least, "at least", least);
}

void table_row_at_most(table *t, const char *name, double value, const char *unit, double most) {
  print_row(name, value, unit);
  judge(t, value <= most, "at most", most);
}

int table_close(const table *t) { return t->check && t->missed > 0; }

void must(int32_t status) {
  if (status == LSQNET_OK) return;
  fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  exit(1);
}
