/* Prints the rate of J'J, Levenberg-Marquardt's largest part, and of bli_dsyrk on the same numbers.
 * One thread is measured by its processor time, two by the clock on the wall, ours and BLIS in turns.
 *
 *   bench_normal_equations [--check] */
#include <lsqnet/model.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/context.h"
#include "kernels/normal_equations.h"
#include "measure.h"
#include "peak.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <blis.h>
#pragma GCC diagnostic pop

enum { RUNS_MOST = 41 };
static const double CALLS_SECONDS = 0.03; /* that small products take together */

typedef struct {
  int64_t P, N;
  double *J, *scratch, *ours, *theirs;
} problem;

static double *numbers(int64_t count) {
  double *x = aligned_alloc(64, (size_t)(count + 7) / 8 * 64);
  if (x == NULL) abort();
  for (int64_t i = 0; i < count; i++) x[i] = rand() / (double)RAND_MAX - 0.5;
  return x;
}

static void dsyrk(const problem *p, int threads) {
  double one = 1, zero = 0;
  rntm_t runtime = BLIS_RNTM_INITIALIZER;
  bli_rntm_set_num_threads(threads, &runtime);
  bli_dsyrk_ex(BLIS_LOWER, BLIS_TRANSPOSE, p->P, p->N, &one, p->J, p->P, 1, &zero, p->theirs, p->P, 1, NULL, &runtime);
}

/* Two orders of N terms below 1/4 differ by less than N^2 roundings of 1/4. */
static void compare(const problem *p) {
  const double most = 0.25 * (double)(p->N * p->N) * 0x1p-52;
  for (int64_t i = 0; i < p->P; i++)
    for (int64_t j = 0; j <= i; j++)
      if (!(fabs(p->ours[i * p->P + j] - p->theirs[i * p->P + j]) <= most)) {
        fprintf(stderr, "J'J(%lld,%lld) is %g, BLIS has %g\n", (long long)i, (long long)j, p->ours[i * p->P + j],
                p->theirs[i * p->P + j]);
        exit(1);
      }
}

/* BLIS' threads go on spinning for a while when they have nothing to do: ours would have to share their processors. */
static void pause_after(int threads) {
  const struct timespec pause = {0, 10000000};
  if (threads > 1) nanosleep(&pause, NULL);
}

/* Seconds of a product, ours or BLIS', when many follow each other: as in training, their threads are awake. */
static double time_of(const problem *p, const lsqnet_context *context, int threads, int calls, int ours) {
  double (*const now)(void) = threads > 1 ? wall_seconds : seconds;
  double begin = 0;
  for (int i = -1; i < calls; i++) {
    if (i == 0) begin = now(); /* the first call is not timed */
    if (ours)
      must(lsq_add_products(context->pool, context->kernels_f64, p->N, p->P, p->J, p->scratch, p->ours, 0));
    else
      dsyrk(p, threads);
  }
  return (now() - begin) / calls;
}

/* Rate of ours over that of BLIS. */
static double ratio(const problem *p, const lsqnet_context *context, int threads, int runs, double *rate) {
  double ours[RUNS_MOST], theirs[RUNS_MOST];
  const int calls = (int)ceil(CALLS_SECONDS / time_of(p, context, threads, 1, 1));
  for (int i = 0; i < runs; i++) {
    ours[i] = time_of(p, context, threads, calls, 1);
    theirs[i] = time_of(p, context, threads, calls, 0);
    pause_after(threads);
  }
  compare(p);
  *rate = 1e-9 * (double)p->N * (double)(p->P * (p->P + 1)) / median(runs, ours);
  return median(runs, theirs) / median(runs, ours);
}

typedef struct {
  int64_t P, N; /* unknowns, and rows at a time */
  int runs;     /* whose median is taken */
} size;

static void print_size(table *out, size s, int threads) {
  const int64_t P = s.P;
  problem p = {.P = P, .N = s.N};
  lsqnet_context_options options;
  lsqnet_context *context = NULL;
  char name[80];
  double rate = 0;
  must(lsqnet_context_options_init(&options, sizeof options));
  options.threads = threads;
  must(lsqnet_context_create(&context, &options));
  p.J = numbers(p.N * P);
  p.scratch = numbers(lsq_add_products_scratch(P));
  p.ours = numbers(P * P);
  p.theirs = numbers(P * P);
  const double against = ratio(&p, context, threads, s.runs, &rate);
  snprintf(name, sizeof name, "P = %lld, %lld rows, threads: %d", (long long)P, (long long)p.N, threads);
  table_row(name, rate, "GFLOP/s");
  table_row_at_least(out, "  against bli_dsyrk", against, "times", 0.9);
  free(p.J);
  free(p.scratch);
  free(p.ours);
  free(p.theirs);
  lsqnet_context_destroy(context);
}

int main(int argc, char **argv) {
  /* 2.5 P rows, but of the largest J a tenth, as training makes it where memory is short */
  static const size sizes[] = {{150, 375, RUNS_MOST}, {300, 750, RUNS_MOST}, {1300, 3250, 9}, {6000, 1500, 5}};
  table out = table_open(argc, argv);
  const int32_t level = lsq_kernels_choose_f64(LSQNET_KERNEL_AUTO)->level;
  printf("J'J, float64, kernel level %d\n", (int)level);
  table_row("peak, one thread", peak_of_threads(1, LSQNET_F64, level), "GFLOP/s");
  for (int threads = 1; threads <= 2; threads++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) print_size(&out, sizes[i], threads);
  return table_close(&out);
}
