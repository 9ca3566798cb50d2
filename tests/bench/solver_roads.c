#include "solver_roads.h"

#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>

#include "../problem.h"
#include "kernels/kernels.h"
#include "measure.h"
#include "peak.h"
#include "solver_peers.h"

enum { TURNS = 5, WORK = 1 << 18 };

typedef struct {
  const char *name;
  int64_t count, m, n, k;
  double condition; /* 0: of normal random numbers */
  int least_norm;
} shape;

static const shape shapes[] = {
    {"20x5, condition 1e4", 1000, 20, 5, 1, 1e4, 0},
    {"20x5, condition 1e8", 1000, 20, 5, 1, 1e8, 0},
    {"64x16, condition 1e8", 200, 64, 16, 1, 1e8, 0},
    {"20x5, 8 right-hand sides", 1000, 20, 5, 8, 0, 0},
    {"20x5, 10 right-hand sides", 1000, 20, 5, 10, 0, 0},
    {"200x64", 20, 200, 64, 1, 0, 0},
    {"200x80", 20, 200, 80, 1, 0, 0},
    {"1000x300", 1, 1000, 300, 1, 0, 0},
    {"5x20, least norm", 1000, 5, 20, 1, 0, 1},
    {"32x64, least norm", 100, 32, 64, 1, 0, 1},
};

static double least(double a, double b) { return a < b ? a : b; }

typedef struct {
  double *a, *b, *x; /* by columns */
  double *spoilt_a, *spoilt_b;
  lsqnet_report *reports;
  double *first_x; /* and first_reports: of the first run, with whose bits all others are compared */
  lsqnet_report *first_reports;
  int64_t runs, different;
} data;

static lsqnet_report *reports_of(const shape *s) {
  lsqnet_report *reports = calloc((size_t)(s->count * s->k), sizeof *reports);
  if (reports == NULL) abort();
  return reports;
}

static data draw(const shape *s) {
  const int64_t m = s->m, n = s->n, k = s->k, longer = m > n ? m : n;
  uint64_t random = 1;
  data d = {.a = doubles(s->count * m * n),
            .b = doubles(s->count * longer * k),
            .x = doubles(s->count * n * k),
            .spoilt_a = doubles(s->count * m * n),
            .spoilt_b = doubles(s->count * longer * k),
            .reports = reports_of(s),
            .first_x = doubles(s->count * n * k),
            .first_reports = reports_of(s)};
  for (int64_t p = 0; p < s->count; p++) {
    problem one = problem_create(m, n, k, 0);
    if (s->condition > 0)
      problem_fill_condition(&one, s->condition, 0, 0, &random);
    else
      problem_fill_normal(&one, &random);
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) d.a[(p * n + j) * m + i] = one.a[i * n + j];
      for (int64_t j = 0; j < k; j++) d.b[(p * k + j) * longer + i] = one.b[i * k + j];
    }
    problem_free(&one);
  }
  return d;
}

static void destroy(data *d) {
  void *const all[] = {d->a, d->b, d->x, d->spoilt_a, d->spoilt_b, d->reports, d->first_x, d->first_reports};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

/* After the clock has stopped: what this run has answered and reported is what the first one has, which count_wrong
 * holds against the oracle. */
static void compare_run(const shape *s, data *d) {
  const size_t x = (size_t)(s->count * s->n * s->k) * sizeof *d->x,
               reports = (size_t)(s->count * s->k) * sizeof *d->reports;
  if (d->runs++ == 0) {
    memcpy(d->first_x, d->x, x);
    memcpy(d->first_reports, d->reports, reports);
  }
  d->different += memcmp(d->first_x, d->x, x) != 0 || memcmp(d->first_reports, d->reports, reports) != 0;
  memset(d->x, 0xff, x);
  memset(d->reports, 0, reports);
}

/* Answers that are wrong by QR in quadruple precision: not certified, flattering, or with a certificate that is not
 * what its definition says; and runs with other bits. */
static int64_t count_wrong(const shape *s, const data *d) {
  const int64_t m = s->m, n = s->n, k = s->k, longer = m > n ? m : n;
  int64_t wrong = 0;
  double fewest = 99;
  for (int64_t i = 0; i < s->count; i++) {
    problem p = problem_create(m, n, k, 0);
    for (int64_t j = 0; j < m * n; j++) p.a[j] = d->a[(i * n + j % n) * m + j / n];
    for (int64_t j = 0; j < m * k; j++) p.b[j] = d->b[(i * k + j % k) * longer + j / k];
    for (int64_t j = 0; j < n * k; j++) p.x[j] = d->first_x[(i * k + j % k) * n + j / k];
    problem_truth(&p, s->least_norm ? 1e-25 : 0);
    for (int64_t l = 0; l < k; l++) {
      const lsqnet_report *report = &d->first_reports[i * k + l];
      const double digits = right_digits(&p, l, DBL_EPSILON);
      fewest = least(fewest, digits);
      wrong += !(report->status == LSQNET_OK && report->digits <= digits + 1 && certificate_is_right(&p, l, report));
    }
    problem_free(&p);
  }
  printf("  %lld certificates, %lld wrong; at least %.1f right digits; %lld runs, %lld with other bits\n",
         (long long)(s->count * k), (long long)wrong, fewest, (long long)d->runs, (long long)d->different);
  return wrong + d->different;
}

/* By `clock`: processor time of the calling thread, or time on the wall. */
static double time_ours(lsqnet_solver *solver, double (*clock)(void), const shape *s, data *d) {
  lsqnet_problems problems;
  must(lsqnet_problems_init(&problems, sizeof problems));
  problems.column_major = 1;
  problems.count = s->count;
  problems.m = s->m;
  problems.n = s->n;
  problems.k = s->k;
  problems.ldb = s->m > s->n ? s->m : s->n;
  d->reports[0].size = sizeof *d->reports;
  const double begin = clock();
  must(lsqnet_solver_solve_batch_f64(solver, &problems, d->a, d->b, NULL, d->x, d->reports));
  const double time = clock() - begin;
  compare_run(s, d);
  return time;
}

static double time_dgels(const shape *s, data *d) {
  static double work[WORK];
  const int64_t longer = s->m > s->n ? s->m : s->n;
  memcpy(d->spoilt_a, d->a, (size_t)(s->count * s->m * s->n) * sizeof *d->a);
  memcpy(d->spoilt_b, d->b, (size_t)(s->count * longer * s->k) * sizeof *d->b);
  const double begin = seconds();
  for (int64_t p = 0; p < s->count; p++)
    peers_dgels((int32_t)s->m, (int32_t)s->n, (int32_t)s->k, d->spoilt_a + p * s->m * s->n,
                d->spoilt_b + p * longer * s->k, work, WORK);
  return seconds() - begin;
}

static lsqnet_solver *open_solver(const char *path, int threads, const shape *s) {
  lsqnet_context_options c;
  lsqnet_solver_options o;
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL;
  lsqnet_solver *solver = NULL;
  must(lsqnet_context_options_init(&c, sizeof c));
  c.threads = threads;
  must(lsqnet_context_create(&context, &c));
  must(lsqnet_model_load(&model, context, path, NULL));
  must(lsqnet_solver_options_init(&o, sizeof o));
  o.min_norm = s->least_norm;
  must(lsqnet_solver_create(&solver, context, model, &o));
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return solver;
}

static int64_t bench(const char *path, const shape *s) {
  lsqnet_solver *solver = open_solver(path, 1, s), *two = open_solver(path, 2, s);
  data d = draw(s);
  double ours = 1e9, dgels = 1e9, one_wall = 1e9, two_wall = 1e9;
  for (int turn = 0; turn < TURNS; turn++) {
    ours = least(ours, time_ours(solver, seconds, s, &d));
    if (peers_dgels != NULL) dgels = least(dgels, time_dgels(s, &d));
    one_wall = least(one_wall, time_ours(solver, wall_seconds, s, &d));
    two_wall = least(two_wall, time_ours(two, wall_seconds, s, &d));
  }
  printf("\n%s, batch %lld: road %s\n", s->name, (long long)s->count, lsqnet_road_name(d.first_reports[0].road));
  table_row("lsqnet_solver_solve_batch_f64", 1e6 / (double)s->count * ours, "us");
  if (peers_dgels != NULL) {
    table_row("dgels", 1e6 / (double)s->count * dgels, "us");
    table_row("times as long", ours / dgels, "");
  }
  if (s->count > 1) table_row("two threads", one_wall / two_wall, "times one");
  const int64_t wrong = count_wrong(s, &d);
  lsqnet_solver_destroy(two);
  lsqnet_solver_destroy(solver);
  destroy(&d);
  return wrong;
}

int64_t bench_roads(const char *path) {
  int64_t wrong = 0;
  printf("%s, by columns, one thread and two; best of %d turns\n", path, TURNS);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) wrong += bench(path, &shapes[i]);
  return wrong;
}
