/* Prints what least squares take, and what they take elsewhere: microseconds a problem, float64, one right-hand side,
 * data by rows, processor time of one thread. A line is measured in turns, best of several, so that a noisy machine is
 * noisy to all. When the clock has stopped every answer and its certificate are held against quadruple precision.
 *
 *   bench_solver MODEL [--gates MODEL] [--blas LIBRARY] [--check]
 *   bench_solver MODEL --roads [--blas LIBRARY]
 *
 * With --check it fails where a bound is missed, or a peer is not there. The second prints what problems take that do not go side by side in lanes, without bounds (solver_roads.c).
 * MODEL is a file with a layer of linear attention, --gates one with a BaseConv; LIBRARY has dgels_ (libopenblas.so.0).
 */
#include <lsqnet/lsqnet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../problem.h"
#include "kernels/kernels.h"
#include "measure.h"
#include "peak.h"
#include "solver_peers.h"
#include "solver_roads.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <blis.h>
#pragma GCC diagnostic pop

enum { TURNS = 15 };

static lsqnet_context *contexts[2]; /* of one thread and of two */

static void *room(int64_t count, size_t size) {
  void *memory = aligned_alloc(64, ((size_t)count * size + 63) / 64 * 64 + 64);
  if (memory == NULL) abort();
  memset(memory, 0, (size_t)count * size);
  return memory;
}

static double *numbers(int64_t count) {
  double *x = room(count, sizeof *x);
  for (int64_t i = 0; i < count; i++) x[i] = (double)rand() / RAND_MAX - 0.5;
  return x;
}

static lsqnet_solver *open_solver(int threads, const char *path) {
  lsqnet_model *model = NULL;
  lsqnet_solver *solver = NULL;
  must(lsqnet_model_load(&model, contexts[threads - 1], path, NULL));
  must(lsqnet_solver_create(&solver, contexts[threads - 1], model, NULL));
  lsqnet_model_destroy(model);
  return solver;
}

static double least(double a, double b) { return a < b ? a : b; }

/* ---- the oracle ---- */

/* x from Cholesky's factorisation in double, refined in quadruple precision. */
static void find_truth(problem *p) {
  const int64_t m = p->m, n = p->n;
  double *G = doubles(n * n), *g = doubles(n);
  quad *r = quad_array(m);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t l = 0; l <= j; l++) G[j * n + l] += p->a[i * n + j] * p->a[i * n + l];
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = j; i < n; i++) {
      double sum = G[i * n + j];
      for (int64_t l = 0; l < j; l++) sum -= G[i * n + l] * G[j * n + l];
      G[i * n + j] = i == j ? sqrt(sum) : sum / G[j * n + j];
    }
  for (int round = 0; round < 4; round++) {
    for (int64_t j = 0; j < n; j++) g[j] = 0;
    for (int64_t i = 0; i < m; i++) {
      r[i] = p->b[i];
      for (int64_t j = 0; j < n && round > 0; j++) r[i] -= p->a[i * n + j] * p->truth[j];
    }
    for (int64_t j = 0; j < n; j++) {
      quad sum = 0;
      for (int64_t i = 0; i < m; i++) sum += p->a[i * n + j] * r[i];
      g[j] = (double)sum;
    }
    for (int64_t i = 0; i < n; i++) {
      for (int64_t l = 0; l < i; l++) g[i] -= G[i * n + l] * g[l];
      g[i] /= G[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
      for (int64_t l = i + 1; l < n; l++) g[i] -= G[l * n + i] * g[l];
      g[i] /= G[i * n + i];
    }
    for (int64_t j = 0; j < n; j++) p->truth[j] = (round > 0 ? p->truth[j] : 0) + g[j];
  }
  free(r);
  free(g);
  free(G);
}

/* Number of certificates that are wrong: not certified, flattering, or not what their definitions say. */
static int64_t check(int64_t count, int64_t m, int64_t n, double *a, double *b, double *x,
                     const lsqnet_report *reports) {
  int64_t wrong = 0;
  double fewest = 99;
  for (int64_t i = 0; i < count; i++) {
    problem p = {.m = m,
                 .n = n,
                 .k = 1,
                 .lda = n,
                 .ldb = 1,
                 .ldx = 1,
                 .a = a + i * m * n,
                 .b = b + i * m,
                 .x = x + i * n,
                 .truth = quad_array(n)};
    find_truth(&p);
    const double digits = right_digits(&p, 0, DBL_EPSILON);
    fewest = least(fewest, digits);
    wrong += !(reports[i].status == LSQNET_OK && reports[i].digits <= digits + 1 &&
               certificate_is_right(&p, 0, &reports[i]));
    free(p.truth);
  }
  printf("  %lld certificates, %lld wrong; at least %.1f right digits\n", (long long)count, (long long)wrong, fewest);
  return wrong;
}

/* ---- batches ---- */

typedef struct {
  int64_t count, m, n;
  double *a, *b, *x, *columns, *spoilt; /* columns: each A by columns, which dgels overwrites in `spoilt` */
  double *lanes_a, *lanes_b, *lanes_x;
  lsqnet_report *reports;
  double *first_x; /* and first_reports: of the first run, with whose bits all others are compared */
  lsqnet_report *first_reports;
  int64_t runs, different;
} data;

static data draw(int64_t count, int64_t m, int64_t n) {
  const int64_t groups = count / peer_lanes + 1;
  data d = {count,
            m,
            n,
            numbers(count * m * n),
            numbers(count * m),
            room(count * n, 8),
            room(count * m * n, 8),
            room(count * (m * n + m), 8),
            room(groups * peer_lanes * m * n, 8),
            room(groups * peer_lanes * m, 8),
            room(groups * peer_lanes * n, 8),
            room(count, sizeof(lsqnet_report)),
            room(count * n, 8),
            room(count, sizeof(lsqnet_report)),
            0,
            0};
  for (int64_t p = 0; p < count; p++) d.reports[p].size = sizeof *d.reports;
  for (int64_t p = 0; p < count; p++) {
    const int64_t lane = p / peer_lanes * peer_lanes * m * n + p % peer_lanes, side = p / peer_lanes * peer_lanes * m;
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        const double value = d.a[(p * m + i) * n + j];
        d.columns[(p * n + j) * m + i] = value;
        d.lanes_a[lane + (i * n + j) * peer_lanes] = value;
      }
      d.lanes_b[side + i * peer_lanes + p % peer_lanes] = d.b[p * m + i];
    }
  }
  return d;
}

static void destroy(data *d) {
  void *const all[] = {d->a,       d->b,       d->x,       d->columns, d->spoilt,       d->lanes_a,
                       d->lanes_b, d->lanes_x, d->reports, d->first_x, d->first_reports};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

/* After the clock has stopped: what this run has answered and reported is what the first one has, which check_data
 * holds against the oracle. */
static void compare_run(data *d) {
  const size_t x = (size_t)(d->count * d->n) * sizeof *d->x, reports = (size_t)d->count * sizeof *d->reports;
  if (d->runs++ == 0) {
    memcpy(d->first_x, d->x, x);
    memcpy(d->first_reports, d->reports, reports);
  }
  d->different += memcmp(d->first_x, d->x, x) != 0 || memcmp(d->first_reports, d->reports, reports) != 0;
  memset(d->x, 0xff, x);
  for (int64_t p = 0; p < d->count; p++) d->reports[p] = (lsqnet_report){.size = sizeof *d->reports};
}

static int64_t check_data(const data *d) {
  const int64_t wrong = check(d->count, d->m, d->n, d->a, d->b, d->first_x, d->first_reports);
  printf("  %lld runs, %lld with other bits\n", (long long)d->runs, (long long)d->different);
  return wrong + d->different;
}

static void solve_batch(lsqnet_solver *solver, data *d) {
  lsqnet_problems problems;
  must(lsqnet_problems_init(&problems, sizeof problems));
  problems.count = d->count;
  problems.m = d->m;
  problems.n = d->n;
  must(lsqnet_solver_solve_batch_f64(solver, &problems, d->a, d->b, NULL, d->x, d->reports));
}

/* By the clock that `now` reads. */
static double time_ours(lsqnet_solver *solver, double (*now)(void), data *d) {
  const double begin = now();
  solve_batch(solver, d);
  const double time = now() - begin;
  compare_run(d);
  return time;
}

static double time_alone(lsqnet_solver *solver, data *d) {
  const double begin = seconds();
  for (int64_t p = 0; p < d->count; p++)
    must(lsqnet_solver_solve_f64(solver, d->m, d->n, 1, d->a + p * d->m * d->n, d->n, d->b + p * d->m, 1,
                                 d->x + p * d->n, 1, &d->reports[p]));
  const double time = seconds() - begin;
  compare_run(d);
  return time;
}

static double time_dgels(const data *d) {
  enum { WORK = 1 << 16 };
  static double work[WORK];
  const int64_t size = d->m * d->n;
  double *a = d->spoilt, *b = d->spoilt + d->count * size;
  memcpy(a, d->columns, (size_t)(d->count * size) * sizeof *a);
  memcpy(b, d->b, (size_t)(d->count * d->m) * sizeof *b);
  const double begin = seconds();
  for (int64_t p = 0; p < d->count; p++)
    peers_dgels((int32_t)d->m, (int32_t)d->n, 1, a + p * size, b + p * d->m, work, WORK);
  return seconds() - begin;
}

static double time_each(void (*solve)(const double *, const double *, double *), const data *d) {
  double x[64];
  const double begin = seconds();
  for (int64_t p = 0; p < d->count; p++) solve(d->a + p * d->m * d->n, d->b + p * d->m, x);
  return seconds() - begin;
}

static double time_lanes(const peer_shape *shape, const data *d) {
  const int64_t step = peer_lanes * d->m;
  const double begin = seconds();
  for (int64_t g = 0; g < d->count / peer_lanes; g++)
    shape->lanes(d->lanes_a + g * step * d->n, d->lanes_b + g * step, d->lanes_x + g * peer_lanes * d->n);
  return seconds() - begin;
}

typedef struct {
  double ours, dgels, qr, llt, lanes;
} times;

static times measure_batch(lsqnet_solver *solver, const peer_shape *shape, data *d) {
  times best = {1e9, 1e9, 1e9, 1e9, 1e9};
  for (int turn = 0; turn < TURNS; turn++) {
    best.ours = least(best.ours, time_ours(solver, seconds, d));
    best.lanes = least(best.lanes, time_lanes(shape, d));
    if (peers_dgels != NULL) best.dgels = least(best.dgels, time_dgels(d));
    if (shape->llt != NULL) best.llt = least(best.llt, time_each(shape->llt, d));
    if (shape->qr != NULL) best.qr = least(best.qr, time_each(shape->qr, d));
  }
  return best;
}

/* A caller of its own, with half of the problems: what two processors have to give where nothing is shared. */
typedef struct {
  lsqnet_solver *solver;
  data half;
  atomic_int turn; /* 1: it is there, 2: it may begin, 3: it is done */
} caller;

static void *call(void *argument) {
  caller *c = argument;
  c->turn = 1;
  while (c->turn != 2) continue;
  solve_batch(c->solver, &c->half);
  c->turn = 3;
  return NULL;
}

static double time_callers(lsqnet_solver *one, lsqnet_solver *other, data *d) {
  const int64_t count = d->count / 2;
  caller c = {.solver = other, .half = *d};
  data first = *d;
  pthread_t thread;
  first.count = count;
  c.half.count = d->count - count;
  c.half.a += count * d->m * d->n;
  c.half.b += count * d->m;
  c.half.x += count * d->n;
  c.half.reports += count;
  if (pthread_create(&thread, NULL, call, &c) != 0) abort();
  while (c.turn != 1) continue;
  const double begin = wall_seconds();
  c.turn = 2;
  solve_batch(one, &first);
  while (c.turn != 3) continue;
  const double time = wall_seconds() - begin;
  pthread_join(thread, NULL);
  compare_run(d);
  return time;
}

/* Two threads on the wall, and the limit of that: the machine's other programs count. */
static double gain_of_two(const char *model, lsqnet_solver *one, data *d, double *limit) {
  lsqnet_solver *two = open_solver(2, model), *other = open_solver(1, model);
  double best = 1e9, together = 1e9, apart = 1e9;
  for (int turn = 0; turn < TURNS; turn++) {
    best = least(best, time_ours(one, wall_seconds, d));
    together = least(together, time_ours(two, wall_seconds, d));
    apart = least(apart, time_callers(one, other, d));
  }
  lsqnet_solver_destroy(other);
  lsqnet_solver_destroy(two);
  *limit = best / apart;
  return best / together;
}

typedef struct {
  int64_t count;
  double over_dgels, over_llt, lanes; /* bounds: at least, at least, at most; 0 for none */
} goal;

static const goal goals[PEER_SHAPES] = {{10000, 8, 1, 6}, {10000, 5, 1, 0}, {1000, 3, 1, 0}};

static int64_t bench_shape(table *out, const char *model, const peer_shape *shape, const goal *g) {
  lsqnet_solver *one = open_solver(1, model);
  data d = draw(g->count, shape->m, shape->n);
  const times t = measure_batch(one, shape, &d);
  const double us = 1e6 / (double)g->count;
  printf("\n%lldx%lld, batch %lld\n", (long long)shape->m, (long long)shape->n, (long long)g->count);
  table_row("lsqnet_solver_solve_batch_f64", us * t.ours, "us");
  table_row("plain Cholesky in lanes, packed before", us * t.lanes, "us");
  if (g->lanes > 0) table_row_at_most(out, "times as long", t.ours / t.lanes, "", g->lanes);
  if (peers_dgels != NULL) {
    table_row("dgels, by columns", us * t.dgels, "us");
    table_row_at_least(out, "times faster", t.dgels / t.ours, "", g->over_dgels);
  }
  if (shape->llt != NULL) {
    table_row("Eigen, fixed size, HouseholderQR", us * t.qr, "us");
    table_row("Eigen, fixed size, LLT of A'A", us * t.llt, "us");
    table_row_at_least(out, "times faster", t.llt / t.ours, "", g->over_llt);
  }
  double limit = 0;
  table_row_at_least(out, "two threads", gain_of_two(model, one, &d, &limit), "times one", 1.8);
  table_row("two callers that share nothing", limit, "times one");
  const int64_t wrong = check_data(&d);
  destroy(&d);
  lsqnet_solver_destroy(one);
  return wrong;
}

static int64_t bench_alone(table *out, const char *model) {
  lsqnet_solver *solver = open_solver(1, model);
  data d = draw(1000, 20, 5);
  double ours = 1e9, dgels = 1e9;
  for (int turn = 0; turn < TURNS; turn++) {
    ours = least(ours, time_alone(solver, &d));
    if (peers_dgels != NULL) dgels = least(dgels, time_dgels(&d));
  }
  printf("\n20x5, one by one\n");
  table_row("lsqnet_solver_solve_f64", 1e3 * ours, "us");
  if (peers_dgels != NULL) {
    table_row("dgels, by columns", 1e3 * dgels, "us");
    table_row_at_most(out, "times as long", ours / dgels, "", 1);
  }
  const int64_t wrong = check_data(&d);
  destroy(&d);
  lsqnet_solver_destroy(solver);
  return wrong;
}

/* Runs of one problem whose bits are not those of the first, which is checked. */
static int64_t count_different(int64_t runs, int64_t n, const double *x, const lsqnet_report *reports) {
  int64_t different = 0;
  for (int64_t i = 1; i < runs; i++)
    different += memcmp(x, x + i * n, (size_t)n * sizeof *x) != 0 || memcmp(reports, reports + i, sizeof *reports) != 0;
  printf("  %lld runs, %lld with other bits\n", (long long)runs, (long long)different);
  return different;
}

/* ---- one large problem ---- */

static double time_syrk(int64_t m, int64_t n, double *a, double *G) {
  double one = 1, zero = 0;
  rntm_t runtime = BLIS_RNTM_INITIALIZER;
  bli_rntm_set_num_threads(1, &runtime);
  const double begin = seconds();
  bli_dsyrk_ex(BLIS_UPPER, BLIS_TRANSPOSE, n, m, &one, a, n, 1, &zero, G, n, 1, NULL, &runtime);
  return seconds() - begin;
}

/* A pass over A: its numbers added up in vectors. */
static double time_pass(int64_t count, const double *a) {
  typedef double vector __attribute__((vector_size(64)));
  static volatile double kept; /* so that the sums are needed */
  vector sum[4] = {{0}};
  const double begin = seconds();
  for (int64_t i = 0; i + 32 <= count; i += 32)
    for (int k = 0; k < 4; k++) {
      vector v;
      memcpy(&v, a + i + 8 * k, sizeof v);
      sum[k] += v;
    }
  kept = sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3];
  (void)kept;
  return seconds() - begin;
}

static int64_t bench_large(table *out, const char *model) {
  const int64_t m = 100000, n = 50;
  lsqnet_solver *solver = open_solver(1, model);
  double *a = numbers(m * n), *b = numbers(m), *x = room(TURNS * n, 8), *G = room(n * n, 8), ours = 1e9, syrk = 1e9,
         pass = 1e9;
  lsqnet_report reports[TURNS];
  for (int turn = 0; turn < TURNS; turn++) {
    reports[turn] = (lsqnet_report){.size = sizeof *reports};
    const double begin = seconds();
    must(lsqnet_solver_solve_f64(solver, m, n, 1, a, n, b, 1, x + turn * n, 1, &reports[turn]));
    ours = least(ours, seconds() - begin);
    syrk = least(syrk, time_syrk(m, n, a, G));
    pass = least(pass, time_pass(m * n, a));
  }
  printf("\n100,000x50, alone\n");
  table_row("lsqnet_solver_solve_f64", 1e3 * ours, "ms");
  table_row("A'A by bli_dsyrk", 1e3 * syrk, "ms");
  table_row("a pass over A", 1e3 * pass, "ms");
  table_row_at_most(out, "times A'A and three passes", ours / (syrk + 3 * pass), "", 1.2);
  const int64_t wrong = check(1, m, n, a, b, x, reports) + count_different(TURNS, n, x, reports);
  free(G);
  free(x);
  free(b);
  free(a);
  lsqnet_solver_destroy(solver);
  return wrong;
}

/* ---- a stream ---- */

static int64_t bench_stream(table *out, const char *model) {
  enum { N = 16, ROWS = 10000, SOLVES = 1000 };
  lsqnet_solver *solver = open_solver(1, model);
  lsqnet_state_options options;
  lsqnet_state *state = NULL;
  lsqnet_report *reports = room(TURNS * SOLVES, sizeof *reports);
  double *a = numbers(ROWS * N), *b = numbers(ROWS), *x = room(TURNS * SOLVES * N, 8), append = 1e9, solve = 1e9;
  for (int64_t i = 0; i < TURNS * SOLVES; i++) reports[i].size = sizeof *reports;
  must(lsqnet_state_options_init(&options, sizeof options));
  options.n = N;
  for (int turn = 0; turn < TURNS; turn++) {
    lsqnet_state_destroy(state);
    must(lsqnet_state_create(&state, contexts[0], &options));
    double begin = seconds();
    for (int64_t i = 0; i < ROWS; i++) must(lsqnet_solver_append_rows(solver, state, 1, a + i * N, N, b + i, 1));
    append = least(append, seconds() - begin);
    begin = seconds();
    for (int64_t i = turn * SOLVES; i < (turn + 1) * SOLVES; i++)
      must(lsqnet_solver_solve_state(solver, state, x + i * N, 1, &reports[i]));
    solve = least(solve, seconds() - begin);
  }
  printf("\nA stream, 16 unknowns\n");
  table_row_at_most(out, "lsqnet_solver_append_rows, one row", 1e6 / ROWS * append, "us", 2);
  table_row("lsqnet_solver_solve_state", 1e6 / SOLVES * solve, "us");
  const int64_t wrong = check(1, ROWS, N, a, b, x, reports) + count_different(TURNS * SOLVES, N, x, reports);
  lsqnet_state_destroy(state);
  free(reports);
  free(x);
  free(b);
  free(a);
  lsqnet_solver_destroy(solver);
  return wrong;
}

/* ---- a model without a map of moments ---- */

/* Seconds of the products of `calls` sequences of T rows: what BaseConv layers of width W spend on in_proj, gate and
 * out_proj, and the read-in. */
static double time_products(const lsqnet_model_options *o, int64_t calls) {
  const struct lsq_kernels_f64 *kernels = lsq_kernels_choose_f64(LSQNET_KERNEL_AUTO);
  const int64_t T = o->rows, W = o->width, chunk = 1000 / T * T;
  double *x = numbers(chunk * W), *y = room(chunk * W, 8), *weights = numbers(W * W), best = 1e9;
  for (int turn = 0; turn < TURNS; turn++) {
    const double begin = seconds();
    kernels->product_nt(chunk, W, o->in_width, x, o->in_width, weights, o->in_width, NULL, y, W, 0);
    for (int64_t layer = 0; layer < o->layers; layer++) {
      const int64_t wanted = layer + 1 < o->layers ? chunk : chunk / T;
      const int64_t used = layer == 0 && o->freeze_projections ? o->in_width : W; /* the rest is zeros */
      kernels->product_nt(chunk, W, used, x, W, weights, W, NULL, y, W, 0);
      kernels->product_nt(wanted, W, used, x, W, weights, W, NULL, y, W, 0);
      kernels->product_nt(wanted, W, W, x, W, weights, W, NULL, y, W, 0);
    }
    best = least(best, seconds() - begin);
  }
  free(weights);
  free(y);
  free(x);
  return best * (double)(calls * T) / (double)chunk;
}

static int64_t bench_gates(table *out, const char *path) {
  const int64_t count = 10000;
  lsqnet_solver *solver = open_solver(1, path);
  lsqnet_model *model = NULL;
  lsqnet_model_options o;
  must(lsqnet_model_load(&model, contexts[0], path, NULL));
  must(lsqnet_model_get_options(model, &o, sizeof o));
  data d = draw(count, 20, 5);
  double ours = 1e9;
  for (int turn = 0; turn < 3; turn++) ours = least(ours, time_ours(solver, seconds, &d));
  const int64_t calls = d.first_reports[0].model_calls;
  const double products = time_products(&o, calls * count);
  printf("\n20x5, batch %lld, by %lld BaseConv layers of width %lld, %lld sequences a problem\n", (long long)count,
         (long long)o.layers, (long long)o.width, (long long)calls);
  table_row_at_most(out, "lsqnet_solver_solve_batch_f64", 1e6 / (double)count * ours, "us", 120);
  table_row("share of matrix products", 100 * products / ours, "%");
  const int64_t wrong = check_data(&d);
  destroy(&d);
  lsqnet_model_destroy(model);
  lsqnet_solver_destroy(solver);
  return wrong;
}

static void usage(const char *name) {
  fprintf(stderr, "usage: %s MODEL [--gates MODEL] [--blas LIBRARY] [--check] [--roads]\n", name);
  exit(2);
}

int main(int argc, char **argv) {
  const char *model = NULL, *gates = NULL, *blas = NULL;
  table out = {0};
  int roads = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--check") == 0)
      out.check = 1;
    else if (strcmp(argv[i], "--roads") == 0)
      roads = 1;
    else if (strcmp(argv[i], "--gates") == 0 && i + 1 < argc)
      gates = argv[++i];
    else if (strcmp(argv[i], "--blas") == 0 && i + 1 < argc)
      blas = argv[++i];
    else if (model == NULL && argv[i][0] != '-')
      model = argv[i];
    else
      usage(argv[0]);
  }
  if (model == NULL) usage(argv[0]);
  const int all = peers_open(blas) && peer_shapes[0].llt != NULL;
  if (peers_dgels == NULL) printf("no %s here: dgels is left out\n", blas != NULL ? blas : "libopenblas.so.0");
  if (peer_shapes[0].llt == NULL) printf("built without Eigen: its rows are left out\n");
  if (roads) return bench_roads(model) > 0;
  for (int threads = 1; threads <= 2; threads++) {
    lsqnet_context_options options;
    must(lsqnet_context_options_init(&options, sizeof options));
    options.threads = threads;
    must(lsqnet_context_create(&contexts[threads - 1], &options));
  }
  printf("%s, kernel level %d; best of %d turns\n", model, (int)lsqnet_context_kernel_level(contexts[0]), TURNS);
  int64_t wrong = 0;
  for (int i = 0; i < PEER_SHAPES; i++) wrong += bench_shape(&out, model, &peer_shapes[i], &goals[i]);
  wrong += bench_alone(&out, model);
  wrong += bench_large(&out, model);
  wrong += bench_stream(&out, model);
  if (gates != NULL) wrong += bench_gates(&out, gates);
  for (int i = 0; i < 2; i++) lsqnet_context_destroy(contexts[i]);
  return table_close(&out) || wrong > 0 || (out.check && !all);
}
