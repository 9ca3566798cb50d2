/* Least-squares problems for tests of the solver, and how right an answer is. */
#ifndef LSQ_TESTS_PROBLEM_H
#define LSQ_TESTS_PROBLEM_H

#include <lsqnet/solver.h>
#include <string.h>

#include "quad.h"

/* A X = B with padding behind each row; low parts NULL unless a test sets them. */
typedef struct {
  int64_t m, n, k, lda, ldb, ldx;
  double *a, *a_low, *b, *b_low, *x;
  quad *truth; /* (n,k), by problem_truth */
} problem;

static inline double *doubles(int64_t count) {
  double *array = calloc((size_t)count + 1, sizeof *array);
  if (array == NULL) abort();
  return array;
}

/* All zero. */
static inline problem problem_create(int64_t m, int64_t n, int64_t k, int64_t padding) {
  problem p = {.m = m, .n = n, .k = k, .lda = n + padding, .ldb = k + padding, .ldx = k + padding};
  p.a = doubles(m * p.lda);
  p.b = doubles(m * p.ldb);
  p.x = doubles(n * p.ldx);
  p.truth = quad_array(n * k);
  return p;
}

static inline void problem_free(problem *p) {
  free(p->truth);
  free(p->x);
  free(p->b_low);
  free(p->b);
  free(p->a_low);
  free(p->a);
  *p = (problem){0};
}

/* splitmix64 */
static inline uint64_t next_bits(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* in (0,1) */
static inline double uniform(uint64_t *state) { return ((double)(next_bits(state) >> 12) + 0.5) * 0x1p-52; }

static inline int64_t integer(uint64_t *state, int64_t low, int64_t high) {
  return low + (int64_t)(next_bits(state) % (uint64_t)(high - low + 1));
}

static inline double normal(uint64_t *state) {
  const double radius = sqrt(-2 * log(uniform(state)));
  return radius * cos(6.283185307179586 * uniform(state));
}

static inline void problem_fill_normal(problem *p, uint64_t *state) {
  for (int64_t i = 0; i < p->m; i++) {
    for (int64_t j = 0; j < p->n; j++) p->a[i * p->lda + j] = normal(state);
    for (int64_t j = 0; j < p->k; j++) p->b[i * p->ldb + j] = normal(state);
  }
}

static inline problem problem_normal(int64_t m, int64_t n, int64_t k, int64_t padding, uint64_t seed) {
  problem p = problem_create(m, n, k, padding);
  problem_fill_normal(&p, &seed);
  return p;
}

/* A <- A (I - 2 v v') or (I - 2 v v') A for a random unit vector v. */
static inline void reflect(problem *p, int from_left, uint64_t *state) {
  const int64_t size = from_left ? p->m : p->n, others = from_left ? p->n : p->m;
  const int64_t along = from_left ? p->lda : 1, across = from_left ? 1 : p->lda;
  double *v = doubles(size), square = 0;
  for (int64_t i = 0; i < size; i++) {
    v[i] = normal(state);
    square += v[i] * v[i];
  }
  for (int64_t j = 0; j < others; j++) {
    double product = 0;
    for (int64_t i = 0; i < size; i++) product += v[i] * p->a[i * along + j * across];
    for (int64_t i = 0; i < size; i++) p->a[i * along + j * across] -= 2 * product / square * v[i];
  }
  free(v);
}

/* A with singular values 1 .. 1/condition, geometrically spaced or (one_small) all 1 but the last; b random, or
 * (consistent) about A x. */
static inline void problem_fill_condition(problem *p, double condition, int one_small, int consistent,
                                          uint64_t *state) {
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->n; j++) {
      const double place = p->n > 1 ? (double)j / (double)(p->n - 1) : 0;
      const double sigma = one_small ? (j + 1 == p->n ? 1 / condition : 1) : pow(condition, -place);
      p->a[i * p->lda + j] = i == j ? sigma : 0;
    }
  for (int round = 0; round < 4; round++) {
    reflect(p, 1, state);
    reflect(p, 0, state);
  }
  for (int64_t l = 0; l < p->k; l++) {
    double *x = doubles(p->n);
    for (int64_t j = 0; j < p->n; j++) x[j] = normal(state);
    for (int64_t i = 0; i < p->m; i++) {
      double sum = consistent ? 0 : normal(state);
      for (int64_t j = 0; consistent && j < p->n; j++) sum += p->a[i * p->lda + j] * x[j];
      p->b[i * p->ldb + l] = sum;
    }
    free(x);
  }
}

/* Returns the rank, see quad_least_squares. */
static inline int64_t problem_truth(problem *p, double negligible) {
  return quad_least_squares(p->m, p->n, p->k, p->a, p->a_low, p->lda, p->b, p->b_low, p->ldb, negligible, p->truth);
}

/* The same, corrected in pairs of quads where A is square, too (by normal equations: conditions below 1e16), so that
 * components are right that are 1e30 times smaller than the largest. */
static inline int64_t problem_fine_truth(problem *p) {
  const int64_t rank = problem_truth(p, 1e-28);
  problem q = *p; /* with a row of zeros below */
  if (rank < p->n) return rank;
  if (p->m > p->n) return problem_truth(p, 0);
  q.m = p->m + 1;
  q.a = doubles(q.m * q.lda);
  q.b = doubles(q.m * q.ldb);
  q.a_low = q.b_low = NULL;
  memcpy(q.a, p->a, (size_t)(p->m * p->lda) * sizeof *q.a);
  memcpy(q.b, p->b, (size_t)(p->m * p->ldb) * sizeof *q.b);
  (void)problem_truth(&q, 0);
  free(q.b);
  free(q.a);
  return rank;
}

static inline quad column_norm(const problem *p, int64_t j) {
  quad sum = 0;
  for (int64_t i = 0; i < p->m; i++) sum += (quad)p->a[i * p->lda + j] * p->a[i * p->lda + j];
  return quad_sqrt(sum);
}

/* Worst error of a column of X in units in the last place of precision `unit` (DBL_EPSILON or FLT_EPSILON), at least
 * the smallest denormal: of every component, however small beside the others. */
static inline double column_error(const problem *p, int64_t column, double unit) {
  double worst = 0;
  for (int64_t j = 0; j < p->n; j++) {
    const quad truth = p->truth[j * p->k + column];
    int exponent = 0;
    (void)frexp((double)truth, &exponent);
    const quad ulp = quad_scale(unit, exponent - 1), smallest = (quad)0x1p-1074;
    const quad error = quad_abs((quad)p->x[j * p->ldx + column] - truth) / (ulp > smallest ? ulp : smallest);
    if (isnan((double)error)) return INFINITY;
    worst = fmax(worst, (double)error);
  }
  return worst;
}

/* The same of the components that are at least 2^-20 of the largest, columns of A at norm 1: those that OK speaks of.
 */
static inline double settled_error(const problem *p, int64_t column, double unit) {
  double *norms = doubles(p->n), largest = 0;
  problem large = *p;
  large.truth = quad_array(p->n * p->k);
  large.x = doubles(p->n * p->ldx);
  for (int64_t j = 0; j < p->n; j++) {
    norms[j] = fabs((double)(column_norm(p, j) * p->truth[j * p->k + column]));
    largest = fmax(largest, norms[j]);
  }
  for (int64_t j = 0; j < p->n; j++) {
    if (!(norms[j] >= 0x1p-20 * largest)) continue;
    large.truth[j * p->k + column] = p->truth[j * p->k + column];
    large.x[j * p->ldx + column] = p->x[j * p->ldx + column];
  }
  const double worst = column_error(&large, column, unit);
  free(large.x);
  free(large.truth);
  free(norms);
  return worst;
}

/* Worst error of all columns. */
static inline double worst_error(const problem *p, double unit) {
  double worst = 0;
  for (int64_t l = 0; l < p->k; l++) worst = fmax(worst, column_error(p, l, unit));
  return worst;
}

/* Right decimal digits of the worst component of answer `column`, each relative to itself, however small beside the
 * others; of a true 0 only 0 has any. */
static inline double right_digits(const problem *p, int64_t column, double unit) {
  double worst = unit / 2;
  for (int64_t j = 0; j < p->n; j++) {
    const quad truth = column_norm(p, j) > 0 ? p->truth[j * p->k + column] : 0, x = p->x[j * p->ldx + column];
    const double error = truth != 0 ? (double)(quad_abs(x - truth) / quad_abs(truth)) : x != 0;
    if (!(error <= worst)) worst = error;
  }
  return worst < 1 ? -log10(worst) : 0;
}

/* e with 2^(e-1) <= v < 2^e */
static inline int exponent_of(quad v) {
  int exponent = 0;
  if (v == 0) return 0;
  for (; v >= (quad)0x1p500; v *= (quad)0x1p-500) exponent += 500;
  for (; v < (quad)0x1p-500; v *= (quad)0x1p500) exponent -= 500;
  int rest = 0;
  (void)frexp((double)v, &rest);
  return exponent + rest;
}

/* Bounds of the backward error from their definitions, for the x that was handed out. */
typedef struct {
  double residual; /* ||b - A x|| */
  double simple;   /* the smaller of the two that need no factor */
  double sharp;    /* ||A (x - truth)|| / (||A|| ||x||): the part of b - A x in the range of A; needs p->truth */
} error_bounds;

static inline error_bounds error_bounds_of(const problem *p, int64_t column) {
  quad r2 = 0, g2 = 0, A2 = 0, x2 = 0, b2 = 0, part2 = 0;
  quad *r = quad_array(p->m);
  for (int64_t i = 0; i < p->m; i++) {
    const int64_t at = i * p->ldb + column;
    const quad b = (quad)p->b[at] + (p->b_low != NULL ? p->b_low[at] : 0);
    r[i] = b;
    quad part = 0;
    for (int64_t j = 0; j < p->n; j++) {
      const quad a = (quad)p->a[i * p->lda + j] + (p->a_low != NULL ? p->a_low[i * p->lda + j] : 0);
      r[i] -= a * p->x[j * p->ldx + column];
      part += a * (p->x[j * p->ldx + column] - p->truth[j * p->k + column]);
    }
    part2 += part * part;
    r2 += r[i] * r[i];
    b2 += b * b;
  }
  for (int64_t j = 0; j < p->n; j++) { /* columns at root mean squares of 1/2 to 1 */
    const int exponent = exponent_of(column_norm(p, j) / quad_sqrt(p->m));
    quad g = 0;
    for (int64_t i = 0; i < p->m; i++) {
      const int64_t at = i * p->lda + j;
      const quad a = quad_scale((quad)p->a[at] + (p->a_low != NULL ? p->a_low[at] : 0), -exponent);
      g += a * r[i];
      A2 += a * a;
    }
    g2 += g * g;
    const quad x = quad_scale(p->x[j * p->ldx + column], exponent);
    x2 += x * x;
  }
  free(r);
  if (r2 == 0 || g2 == 0) return (error_bounds){(double)quad_sqrt(r2), 0, 0};
  const double small = (double)(quad_sqrt(r2) / (quad_sqrt(A2 * x2) + quad_sqrt(b2)));
  return (error_bounds){(double)quad_sqrt(r2), fmin(small, (double)quad_sqrt(g2 / (A2 * r2))),
                        x2 > 0 ? (double)quad_sqrt(part2 / (A2 * x2)) : INFINITY};
}

static inline double backward_error(const problem *p, int64_t column) {
  const error_bounds bounds = error_bounds_of(p, column);
  return fmin(bounds.simple, bounds.sharp);
}

/* Whether a report has one of the bounds, and the residual's norm. What sums in twice the precision lose is far below
 * what rounding x makes of A'r, so six digits agree, but for an x that happens to be exact; the sharp one comes from a
 * factor in double, and from above. */
static inline int certificate_is_right(const problem *p, int64_t column, const lsqnet_report *report) {
  const error_bounds bounds = error_bounds_of(p, column);
  const double error = report->backward_error, tiny = 0x1p-90;
  const int simple = fabs(error - bounds.simple) <= 1e-6 * bounds.simple + tiny;
  const int sharp = error >= (1 - 1e-6) * bounds.sharp - tiny && error <= 1.5 * bounds.sharp + tiny;
  return (simple || sharp) && fabs(report->residual_norm - bounds.residual) <= 1e-6 * bounds.residual;
}

static inline lsqnet_status problem_solve(lsqnet_solver *solver, problem *p, lsqnet_report *reports) {
  if (reports != NULL) reports[0].size = sizeof *reports;
  return lsqnet_solver_solve_pair_f64(solver, p->m, p->n, p->k, p->a, p->a_low, p->lda, p->b, p->b_low, p->ldb, p->x,
                                      p->ldx, reports);
}

/* An exact model: iterates 0 means one gradient. */
typedef struct {
  const char *mixer, *prompt;
  int64_t rows, dim, iterates;
} model_kind;

static inline lsqnet_model *construct(lsqnet_context *context, model_kind kind) {
  lsqnet_model *model = NULL;
  lsqnet_construct_options options;
  if (lsqnet_construct_options_init(&options, sizeof options) != LSQNET_OK) abort();
  options.mixer = kind.mixer;
  options.prompt = kind.prompt;
  options.rows = kind.rows;
  options.dim = kind.dim;
  options.step = 0.25;
  if (kind.iterates > 0) options.iterates = kind.iterates;
  const lsqnet_status st = kind.iterates > 0 ? lsqnet_model_construct_iterates(&model, context, &options)
                                             : lsqnet_model_construct_gradient(&model, context, &options);
  if (st != LSQNET_OK) abort();
  return model;
}

/* kind.mixer NULL: the models that the library carries. */
static inline lsqnet_solver *solver_on(lsqnet_context *context, model_kind kind, const lsqnet_solver_options *options) {
  lsqnet_solver *solver = NULL;
  lsqnet_model *model = kind.mixer != NULL ? construct(context, kind) : NULL;
  if (lsqnet_solver_create(&solver, context, model, options) != LSQNET_OK) abort();
  lsqnet_model_destroy(model);
  return solver;
}

static inline lsqnet_solver_options solver_options(int32_t method) {
  lsqnet_solver_options options;
  if (lsqnet_solver_options_init(&options, sizeof options) != LSQNET_OK) abort();
  options.method = method;
  return options;
}

/* Random tests go through so many times as many problems: .ci/long turns it up. */
static inline int rounds(void) {
  const char *text = getenv("LSQNET_TEST_ROUNDS");
  return text == NULL ? 1 : atoi(text);
}

#endif
