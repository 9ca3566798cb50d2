/* Prints GFLOP/s of matrix products, one thread, median of many runs: our kernels, BLIS as it chooses, BLIS as the
 * library calls it beyond the crossover, and the peak (best of 5). A line is measured in turns, so that a noisy machine
 * is noisy to all.
 *
 *   bench_products [LEVEL]     an LSQNET_KERNEL_ number; by default the best of this machine
 *
 * bench_products_f32.c compiles this file again in float. */
#ifndef LSQ_PRECISION
#define LSQ_PRECISION 64
#endif

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/real.h"
#include "kernels/blis.h"
#include "kernels/kernels.h"
#include "peak.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <blis.h>
#pragma GCC diagnostic pop

typedef struct REAL(lsq_kernels) table;

#if LSQ_PRECISION == 64
#define BLIS_GEMM bli_dgemm_ex
#else
#define BLIS_GEMM bli_sgemm_ex
#endif

enum { NT, NN, TN };
enum { OURS, BLIS, BLIS_WIDE, WAYS, RUNS = 25 };

typedef struct {
  int kind;
  int64_t M, N, K;
  real *A, *B, *C;
} product;

static real *numbers(int64_t count) {
  real *x = malloc((size_t)count * sizeof *x);
  if (x == NULL) abort();
  for (int64_t i = 0; i < count; i++) x[i] = (real)rand() / (real)RAND_MAX - REAL_C(0.5);
  return x;
}

static void ours(const table *kernels, const product *p) {
  if (p->kind == NT) {
    kernels->product_nt(p->M, p->N, p->K, p->A, p->K, p->B, p->K, NULL, p->C, p->N, 0);
  } else if (p->kind == NN) {
    kernels->product_nn(p->M, p->N, p->K, p->A, p->K, p->B, p->N, p->C, p->N, 0);
  } else {
    kernels->product_tn(p->M, p->N, p->K, p->A, p->M, p->B, p->N, p->C, p->N, 0);
  }
}

static void blis(const product *p, int wide) {
  const int64_t a_row = p->kind == TN ? 1 : p->K, a_column = p->kind == TN ? p->M : 1;
  const int64_t b_row = p->kind == NT ? 1 : p->N, b_column = p->kind == NT ? p->K : 1;
  real one = 1, zero = 0;
  rntm_t runtime = BLIS_RNTM_INITIALIZER;
  if (wide) {
    REAL(lsq_blis_product)(p->M, p->N, p->K, p->A, a_row, a_column, p->B, b_row, b_column, p->C, p->N, 0);
    return;
  }
  bli_rntm_set_num_threads(1, &runtime);
  BLIS_GEMM(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, p->M, p->N, p->K, &one, p->A, a_row, a_column, p->B, b_row, b_column,
            &zero, p->C, p->N, 1, NULL, &runtime);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x) {
  qsort(x, RUNS, sizeof *x, compare);
  return x[RUNS / 2];
}

static void print_product(const table *kernels, int kind, int64_t M, int64_t N, int64_t K) {
  static const char *const names[] = {"NT", "NN", "TN"};
  product p = {kind, M, N, K, numbers(M * K), numbers(N * K), numbers(M * N)};
  const double work = 2e-9 * (double)(M * N * K);
  const int repeats = 1 + (int)(0.005 / work);
  double rate[WAYS][RUNS], peak = 0;
  for (int run = 0; run < RUNS; run++) {
    for (int way = 0; way < WAYS; way++) {
      const double start = seconds();
      for (int i = 0; i < repeats; i++) {
        if (way == OURS) {
          ours(kernels, &p);
        } else {
          blis(&p, way == BLIS_WIDE);
        }
      }
      rate[way][run] = work * repeats / (seconds() - start);
    }
    if (run % 5 == 0) peak = fmax(peak, REAL(peak)(kernels->level));
  }
  const double ours_rate = median(rate[OURS]), blis_rate = median(rate[BLIS]);
  printf("%s %6lld x %4lld x %5lld %9.1f %9.1f %9.1f %9.1f %9.2f\n", names[kind], (long long)M, (long long)N,
         (long long)K, ours_rate, blis_rate, median(rate[BLIS_WIDE]), peak, ours_rate / blis_rate);
  free(p.A);
  free(p.B);
  free(p.C);
}

int main(int argc, char **argv) {
  static const int64_t shapes[][4] = {
      {NT, 21504, 64, 64},  {NT, 21504, 32, 32},  {NT, 21504, 21, 21},  {NT, 1344, 11, 11},   {NT, 1344, 21, 21},
      {NT, 1344, 32, 32},   {NT, 1344, 64, 64},   {NN, 1344, 64, 64},   {NT, 1344, 128, 128}, {NT, 1344, 192, 192},
      {NT, 1344, 224, 224}, {NT, 1344, 256, 256}, {NT, 1344, 512, 512}, {NT, 1344, 64, 512},  {NT, 1344, 512, 64},
      {TN, 21, 21, 1344},   {TN, 64, 64, 1344},   {TN, 64, 64, 21504},  {TN, 192, 192, 1344}, {TN, 256, 256, 1344},
      {TN, 512, 512, 1344}, {NT, 20, 11, 11}};
  const table *kernels = REAL(lsq_kernels_choose)(argc > 1 ? (int32_t)atoi(argv[1]) : LSQNET_KERNEL_AUTO);
  if (kernels == NULL) {
    fprintf(stderr, "bench_products: this machine has no kernel level %s\n", argv[1]);
    return 1;
  }
  printf("float%d, level %d, GFLOP/s\n%-24s %9s %9s %9s %9s %9s\n", LSQ_PRECISION, (int)kernels->level,
         "       M      N       K", "ours", "BLIS", "BLIS wide", "peak", "ours/BLIS");
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    print_product(kernels, (int)shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
  }
  return 0;
}
