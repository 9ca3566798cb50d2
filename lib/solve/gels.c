#include "solve/gels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/order.h"
#include "solve/shipped.h"

/* Whether X is certified, or else as good as LAPACK's own: a backward stable method loses log10(condition) digits. */
static int good(const lsqnet_report *reports, const lsq_problems *problem) {
  const double unit = problem->narrow ? (double)FLT_EPSILON : DBL_EPSILON;
  const double small = problem->m < problem->n ? 10.0 * (double)problem->n * unit : INFINITY;
  for (int64_t l = 0; l < problem->k; l++) {
    if (reports[l].status == LSQNET_OK) continue;
    if (!(reports[l].backward_error <= small)) return 0;
    if (!(reports[l].digits >= fmax(1.0, -log10(0.5 * unit) - log10(reports[l].condition)))) return 0;
  }
  return 1;
}

static lsqnet_status solve(lsqnet_solver *solver, const lsq_problems *problem, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *serving = NULL;
  LSQ_TRY(lsq_solver_serving(&serving, solver, problem->n));
  serving->precision = problem->narrow ? (double)FLT_EPSILON : DBL_EPSILON;
  st = lsq_solve_batch(serving, problem, reports);
done:
  return st;
}

/* The problem with room for X and reports. */
static lsqnet_status solve_call(lsq_gels_solver *g, lsq_problems *problem) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = NULL;
  LSQ_TRY(lsq_reserve(g->context, &g->X, &g->capacity, problem->n * problem->k, sizeof *g->X));
  LSQ_TRY(lsq_reserve(g->context, &g->reports, &g->report_capacity, problem->k, sizeof *g->reports));
  LSQ_TRY(lsq_gels_solver_for(g, problem->m < problem->n, &solver));
  problem->x = g->X;
  problem->x_row = problem->k;
  problem->x_column = 1;
  g->reports[0].size = sizeof *g->reports;
  st = solve(solver, problem, g->reports);
  if (st == LSQNET_E_NOT_CONVERGED && good(g->reports, problem)) st = LSQNET_OK;
done:
  return st;
}

static void write_number(const lsq_problems *problem, void *B, int64_t i, int64_t l, double value) {
  const int64_t at = i * problem->b_row + l * problem->b_column;
  if (problem->narrow)
    ((float *)B)[at] = (float)value;
  else
    ((double *)B)[at] = value;
}

static void write_back(const lsq_gels_solver *g, const lsq_problems *problem, void *B) {
  const int64_t m = problem->m, n = problem->n, k = problem->k;
  for (int64_t l = 0; l < k; l++) {
    for (int64_t j = 0; j < n; j++) write_number(problem, B, j, l, lsq_number_at(problem, g->X, j * k + l));
    for (int64_t i = n; i < m; i++) write_number(problem, B, i, l, i == n ? g->reports[l].residual_norm : 0.0);
  }
}

/* A is zero: so are X and, as LAPACK has it, the residual. */
static void write_zeros(const lsq_problems *problem, void *B) {
  const int64_t longest = problem->m > problem->n ? problem->m : problem->n;
  for (int64_t i = 0; i < longest; i++)
    for (int64_t l = 0; l < problem->k; l++) write_number(problem, B, i, l, 0.0);
}

static int is_zero(const lsq_problems *problem) {
  for (int64_t i = 0; i < problem->m; i++)
    for (int64_t j = 0; j < problem->n; j++)
      if (lsq_number_at(problem, problem->a, i * problem->a_row + j * problem->a_column) != 0.0) return 0;
  return 1;
}

/* The first column of A, or row if A is wide, that depends on those before it: the first j of them have rank j up to
 * there. */
static lsqnet_status find_dependent(lsq_gels_solver *g, const lsq_gels_call *call, int64_t *dependent) {
  lsqnet_status st = LSQNET_OK;
  const lsq_problems *given = &call->problem;
  const int turn = given->m < given->n || (given->m == given->n && call->transposed);
  lsq_problems tall = {.count = 1, .k = 1, .narrow = given->narrow, .a = given->a, .b_row = 1, .x_row = 1};
  int64_t independent = 0, end = lsq_smaller(given->m, given->n);
  lsqnet_solver *solver = NULL;
  tall.m = turn ? given->n : given->m;
  tall.a_row = turn ? given->a_column : given->a_row;
  tall.a_column = turn ? given->a_row : given->a_column;
  LSQ_TRY(lsq_gels_solver_for(g, 0, &solver));
  LSQ_TRY(lsq_reserve(g->context, &g->zeros, &g->zeros_capacity, tall.m + end, sizeof(double)));
  memset(g->zeros, 0, (size_t)tall.m * sizeof(double));
  tall.b = g->zeros;
  tall.x = g->zeros + tall.m;
  while (end - independent > 1) {
    tall.n = independent + (end - independent) / 2;
    st = solve(solver, &tall, NULL);
    if (st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED && st != LSQNET_E_RANK) goto done;
    *(st == LSQNET_E_RANK ? &end : &independent) = tall.n;
  }
  *dependent = end;
  st = LSQNET_E_RANK;
done:
  return st;
}

static int32_t info_of(lsqnet_status st, const lsq_problems *problem, int64_t dependent) {
  switch (st) {
    case LSQNET_OK: return 0;
    case LSQNET_E_RANK: return (int32_t)dependent;
    case LSQNET_E_NOT_CONVERGED:
    case LSQNET_E_NOT_FINITE: return (int32_t)lsq_smaller(problem->m, problem->n) + 1;
    case LSQNET_E_MEMORY: return -1010; /* LAPACK_WORK_MEMORY_ERROR */
    default: return -1000 - st;
  }
}

int32_t lsq_gels(const lsq_gels_call *call, void *B) {
  lsqnet_status st = LSQNET_OK;
  lsq_problems problem = call->problem;
  lsq_gels_solver *g = NULL;
  int64_t dependent = 0;
  LSQ_TRY(lsq_gels_take(&g));
  st = solve_call(g, &problem);
  if (st == LSQNET_OK) write_back(g, &problem, B);
  if (st != LSQNET_E_RANK) goto done;
  if (is_zero(&problem)) {
    write_zeros(&problem, B);
    st = LSQNET_OK;
  } else {
    st = find_dependent(g, call, &dependent);
  }
done:
  if (g != NULL) lsq_gels_give_back(g, problem.m * problem.n + (problem.m + problem.n) * problem.k);
  return info_of(st, &problem, dependent);
}
