/* Sums without rounding: each is held as terms that do not overlap, smallest first (Shewchuk 1997). */
#include <math.h>
#include <string.h>

#include "kernels/pair.h"
#include "solve/solver.h"

typedef struct {
  double *term;
  int count;
} sum;

/* 0 if there is no room. */
static int add(sum *s, double value) {
  int kept = 0;
  for (int i = 0; i < s->count; i++) {
    double error = 0.0;
    value = lsq_two_sum(value, s->term[i], &error);
    if (error != 0.0) s->term[kept++] = error;
  }
  if (value != 0.0 && kept == LSQ_EXACT_TERMS) return 0;
  if (value != 0.0) s->term[kept++] = value;
  s->count = kept;
  return 1;
}

/* Products below 2^-960 have errors that no double holds, and numbers below it may be made of scaling's underflow. */
static int add_product(sum *s, double a, double b) {
  double error = 0.0;
  const double product = lsq_two_product(a, b, &error);
  if (a == 0.0 || b == 0.0) return 1;
  if (!(fabs(product) >= 0x1p-960 && fabs(product) <= 0x1p960)) return 0;
  return add(s, error) && add(s, product);
}

/* a + a_low times b; a_low NULL for zero. */
static int add_pair_product(sum *s, const double *a, const double *a_low, double b) {
  return add_product(s, *a, b) && (a_low == NULL || add_product(s, *a_low, b));
}

/* The terms in column j of p->exact, which end with a zero where there is room. */
static sum column_sum(const lsq_problem *p, int64_t j) {
  sum g = {.term = p->exact + j * LSQ_EXACT_TERMS};
  while (g.count < LSQ_EXACT_TERMS && g.term[g.count] != 0.0) g.count++;
  return g;
}

/* p->exact = A'(b - A (x + x_low)); 0 if it cannot be had. */
static int sum_gradient(const lsq_problem *p, const double *b, const double *b_low, const double *x,
                        const double *x_low) {
  const int64_t n = p->n;
  double terms[LSQ_EXACT_TERMS];
  if (p->exact == NULL) return 0;
  memset(p->exact, 0, (size_t)(n * LSQ_EXACT_TERMS) * sizeof *p->exact);
  for (int64_t i = 0; i < p->m; i++) {
    if (lsq_pass(p->solver, 16 * n)) return 0;
    const double *row = p->A + i * n, *row_low = p->A_low != NULL ? p->A_low + i * n : NULL;
    sum r = {.term = terms};
    if (!add_pair_product(&r, b + i, b_low != NULL ? b_low + i : NULL, 1.0)) return 0;
    for (int64_t j = 0; j < n; j++) {
      const double *low = row_low != NULL ? row_low + j : NULL;
      if (!add_pair_product(&r, row + j, low, -x[j])) return 0;
      if (x_low != NULL && !add_pair_product(&r, row + j, low, -x_low[j])) return 0;
    }
    for (int64_t j = 0; j < n && r.count > 0; j++) {
      sum g = column_sum(p, j);
      for (int t = 0; t < r.count; t++)
        if (!add_pair_product(&g, row + j, row_low != NULL ? row_low + j : NULL, r.term[t])) return 0;
      if (g.count < LSQ_EXACT_TERMS) g.term[g.count] = 0.0;
    }
  }
  return 1;
}

int lsq_exact_gradient(const lsq_problem *p, const double *b, const double *b_low, const double *x, const double *x_low,
                       double *g, double *g_low) {
  if (!sum_gradient(p, b, b_low, x, x_low)) return 0;
  for (int64_t j = 0; j < p->n; j++) {
    const sum s = column_sum(p, j);
    double high = 0.0, rest = 0.0, error = 0.0;
    for (int t = s.count - 1; t >= 0; t--) { /* the second may be nearly as large as the first */
      high = lsq_two_sum(high, s.term[t], &error);
      rest += error;
    }
    g[j] = lsq_fast_two_sum(high, rest, &g_low[j]);
  }
  return 1;
}

int lsq_is_exact(const lsq_problem *p, const double *b, const double *b_low, const double *x) {
  if (!sum_gradient(p, b, b_low, x, NULL)) return 0;
  for (int64_t j = 0; j < p->n; j++)
    if (p->exact[j * LSQ_EXACT_TERMS] != 0.0) return 0;
  return 1;
}

int lsq_is_orthogonal(int64_t m, const double *v, int64_t v_step, const double *w, int64_t w_step) {
  double terms[LSQ_EXACT_TERMS];
  sum s = {.term = terms};
  for (int64_t i = 0; i < m; i++)
    if (!add_product(&s, v[i * v_step], w[i * w_step])) return 0;
  return s.count == 0;
}
