/* A million small problems in one call: in every window of 20 samples, how one sensor depends on two others.
 *
 *   cc many.c $(pkg-config --cflags --libs lsqnet) -lm -o many */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOWS = 1000000, M = 20, N = 3, SAMPLES = WINDOWS + M - 1, BROKEN = 500000 };

/* Sample i is a row [1, u, v] and a reading that depends on both, more and more on u. One reading is broken. */
static void read_sensors(double *a, double *b) {
  for (int i = 0; i < SAMPLES; i++) {
    const double u = sin(0.71 * i), v = cos(1.93 * i + 0.2 * u), noise = 0.01 * sin(12.9898 * i * i);
    a[i * N] = 1;
    a[i * N + 1] = u;
    a[i * N + 2] = v;
    b[i] = i == BROKEN ? NAN : 2 + (1 + 1e-6 * i) * u - 0.5 * v + noise;
  }
}

/* What the reports say of the million answers. */
static void print_reports(const lsqnet_report *reports) {
  int certified = 0, refused = 0;
  double digits = 99, condition = 0;
  for (int p = 0; p < WINDOWS; p++) {
    if (reports[p].status != LSQNET_OK) {
      refused++;
      continue;
    }
    certified++;
    digits = fmin(digits, reports[p].digits);
    condition = fmax(condition, reports[p].condition);
  }
  printf("%d windows certified, to at least %.1f digits, conditions up to %.1f; %d refused\n", certified, digits,
         condition, refused);
}

int main(void) {
  double *a = malloc(SAMPLES * N * sizeof *a), *b = malloc(SAMPLES * sizeof *b), *x = malloc(WINDOWS * N * sizeof *x);
  lsqnet_report *reports = malloc(WINDOWS * sizeof *reports);
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_context_options options;
  lsqnet_problems problems;
  if (a == NULL || b == NULL || x == NULL || reports == NULL) return EXIT_FAILURE;
  read_sensors(a, b);

  lsqnet_status status = lsqnet_context_options_init(&options, sizeof options);
  options.threads = -1; /* one a processor: they split the batch, and change no bit of an answer */
  if (status == LSQNET_OK) status = lsqnet_context_create(&context, &options);
  if (status == LSQNET_OK) status = lsqnet_solver_create(&solver, context, NULL, NULL); /* NULL: trained */
  if (status == LSQNET_OK) status = lsqnet_problems_init(&problems, sizeof problems);
  if (status == LSQNET_OK) {
    problems.count = WINDOWS;
    problems.m = M;
    problems.n = N;
    problems.a_stride = N; /* a window begins a row after the one before it: they overlap */
    problems.b_stride = 1;
    reports[0].size = sizeof *reports;
    status = lsqnet_solver_solve_batch_f64(solver, &problems, a, b, NULL, x, reports);
  }

  /* each problem has a status of its own: the broken reading spoils 20 windows and no other */
  if (status != LSQNET_OK) printf("%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  if (status == LSQNET_OK || status == LSQNET_E_NOT_FINITE) {
    print_reports(reports);
    for (int p = 0; p < WINDOWS; p += WINDOWS / 4)
      if (reports[p].status == LSQNET_OK) printf("window %6d: %.4f u %+.4f v\n", p, x[p * N + 1], x[p * N + 2]);
  }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  free(reports);
  free(x);
  free(b);
  free(a);
  return status == LSQNET_E_NOT_FINITE ? EXIT_SUCCESS : EXIT_FAILURE;
}
