/* A fold for any number of unknowns: the model holds D of them, so that its map covers n by pairs of column blocks, in
 * the way in which lsq_gram asks. */
#include <math.h>

#include "base/order.h"
#include "solve/fold.h"

/* Where terms go: counted only while `source` is NULL. `begin`: of the entry under way. */
typedef struct {
  int64_t *source;
  double *weight;
  int64_t begin, count;
} writer;

/* Two terms of one entry with the same source become one. */
static void write_term(writer *w, int64_t source, double weight) {
  if (w->source == NULL) {
    w->count++;
    return;
  }
  for (int64_t t = w->begin; t < w->count; t++)
    if (w->source[t] == source) {
      w->weight[t] += weight;
      return;
    }
  w->source[w->count] = source;
  w->weight[w->count++] = weight;
}

/* The columns that one prompt holds: `lead` from first on, then those from second on, `count` in all. */
typedef struct {
  int64_t first, second, lead, count;
} window;

static int64_t column_of(const window *w, int64_t place) {
  return place < w->lead ? w->first + place : w->second + place - w->lead;
}

static void write_entry(const struct lsq_fold *fold, int64_t D, const window *w, int64_t row, int64_t query,
                        double share, writer *out) {
  const lsq_fold_terms *terms = &fold->system;
  for (int64_t t = terms->first[row * D + query]; t < terms->first[row * D + query + 1]; t++) {
    if (terms->left[t] >= w->count || terms->right[t] >= w->count) continue; /* a column of zeros */
    const int64_t a = column_of(w, terms->left[t]), b = column_of(w, terms->right[t]);
    write_term(out, a < b ? lsq_triangle(b) + a : lsq_triangle(a) + b, share * terms->weight[t]);
  }
}

/* Entry (i,j) of the system, i <= j: within a block of columns the mean of (i,j) and (j,i), else of the pair's prompts.
 */
static void write_system(const struct lsq_fold *fold, int64_t D, int64_t n, int64_t i, int64_t j, writer *out) {
  const int64_t block = n <= D ? n : D / 2, first = i / block * block, second = j / block * block;
  if (first == second) {
    const window w = {first, first, 0, lsq_smaller(block, n - first)};
    write_entry(fold, D, &w, i - first, j - first, i == j ? 1.0 : 0.5, out);
    if (i != j) write_entry(fold, D, &w, j - first, i - first, 0.5, out);
  } else {
    const window w = {first, second, block, block + lsq_smaller(block, n - second)};
    write_entry(fold, D, &w, i - first, block + j - second, 1.0, out);
  }
}

static void write_side(const struct lsq_fold *fold, int64_t D, int64_t n, int64_t j, writer *out) {
  const int64_t begin = j / D * D;
  for (int64_t t = fold->side.first[j - begin]; t < fold->side.first[j - begin + 1]; t++)
    if (begin + fold->side.left[t] < n) write_term(out, begin + fold->side.left[t], fold->side.weight[t]);
}

/* Both plans one after the other, entries' beginnings to `first` unless it is NULL. */
static void write_plans(const struct lsq_fold *fold, int64_t D, int64_t n, int64_t *first, writer *out) {
  int64_t entry = 0;
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i <= j; i++) {
      out->begin = out->count;
      if (first != NULL) first[entry++] = out->count;
      write_system(fold, D, n, i, j, out);
    }
  for (int64_t j = 0; j < n; j++) {
    out->begin = out->count;
    if (first != NULL) first[entry++] = out->count;
    write_side(fold, D, n, j, out);
  }
  if (first != NULL) first[entry] = out->count;
}

lsqnet_status lsq_fold_plan(lsqnet_solver *solver, int64_t n) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_fold *fold = solver->fold;
  const int64_t D = solver->step.dim;
  if (fold->plan.n == n) return LSQNET_OK;
  if (n > 1 && D == 1)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "a model of D=1 serves one unknown, not %lld: two columns must fit",
                    (long long)n);
  writer count = {0};
  fold->plan.n = fold->side_plan.n = 0;
  write_plans(fold, D, n, NULL, &count);
  LSQ_TRY(lsq_reserve(solver->context, &fold->first, &fold->firsts, lsq_triangle(n) + n + 1, sizeof *fold->first));
  LSQ_TRY(lsq_reserve(solver->context, &fold->source, &fold->sources, count.count + 1, sizeof *fold->source));
  LSQ_TRY(lsq_reserve(solver->context, &fold->weight, &fold->weights, count.count + 1, sizeof *fold->weight));
  LSQ_TRY(lsq_reserve(solver->context, &fold->moments, &fold->moments_capacity, lsq_triangle(n), sizeof(double)));
  writer out = {.source = fold->source, .weight = fold->weight};
  write_plans(fold, D, n, fold->first, &out);
  fold->plan = (lsq_plan){n, fold->first, fold->source, fold->weight};
  fold->side_plan = (lsq_plan){n, fold->first + lsq_triangle(n), fold->source, fold->weight};
done:
  return st;
}

void lsq_fold_forget(lsqnet_solver *solver) {
  struct lsq_fold *fold = solver->fold;
  void *const all[] = {fold->first, fold->source, fold->weight, fold->moments};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lsq_free(solver->context, all[i]);
  fold->plan = fold->side_plan = (lsq_plan){0};
  fold->first = fold->source = NULL;
  fold->weight = fold->moments = NULL;
  fold->firsts = fold->sources = fold->weights = fold->moments_capacity = 0;
}

static double entry_of(const lsq_plan *plan, int64_t entry, const double *moments) {
  double sum = 0.0;
  for (int64_t t = plan->first[entry]; t < plan->first[entry + 1]; t++)
    sum += plan->weight[t] * moments[plan->source[t]];
  return sum;
}

lsqnet_status lsq_fold_gram(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, double *G,
                            int64_t ldg) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_fold *fold = solver->fold;
  LSQ_TRY(lsq_fold_plan(solver, n));
  lsq_pass_product(solver, m, n, n, A, lda, A, lda, G, ldg);
  LSQ_TRY(lsq_limits_found(solver));
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i <= j; i++) fold->moments[lsq_triangle(j) + i] = G[i * ldg + j];
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i <= j; i++)
      G[i * ldg + j] = G[j * ldg + i] = entry_of(&fold->plan, lsq_triangle(j) + i, fold->moments);
done:
  return st;
}

lsqnet_status lsq_fold_gram_rhs(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda,
                                const double *b, double *c) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_fold *fold = solver->fold;
  LSQ_TRY(lsq_fold_plan(solver, n));
  lsq_pass_product(solver, m, n, 1, A, lda, b, 1, fold->moments, 1);
  LSQ_TRY(lsq_limits_found(solver));
  for (int64_t j = 0; j < n; j++) c[j] = entry_of(&fold->side_plan, j, fold->moments);
done:
  return st;
}
