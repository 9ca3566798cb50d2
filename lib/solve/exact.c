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

/* Products below 2^-960 have errors that no double holds. */
static int add_product(sum *s, double a, double b) {
  double error = 0.0;
  const double product = lsq_two_product(a, b, &error);
  if (a == 0.0 || b == 0.0) return 1;
  if (!(fabs(product) >= 0x1p-960 && fabs(product) <= 0x1p960)) return 0;
  return add(s, error) && add(s, product);
}

int lsq_is_exact(int64_t m, int64_t n, const double *A, const double *b, const double *x, double *gradient) {
  double terms[LSQ_EXACT_TERMS];
  memset(gradient, 0, (size_t)(n * LSQ_EXACT_TERMS) * sizeof *gradient);
  for (int64_t i = 0; i < m; i++) {
    sum r = {.term = terms};
    if (!add(&r, b[i])) return 0;
    for (int64_t j = 0; j < n; j++)
      if (!add_product(&r, A[i * n + j], -x[j])) return 0;
    for (int64_t j = 0; j < n && r.count > 0; j++) {
      sum g = {.term = gradient + j * LSQ_EXACT_TERMS};
      while (g.count < LSQ_EXACT_TERMS && g.term[g.count] != 0.0) g.count++;
      for (int t = 0; t < r.count; t++)
        if (!add_product(&g, A[i * n + j], r.term[t])) return 0;
      if (g.count < LSQ_EXACT_TERMS) g.term[g.count] = 0.0;
    }
  }
  for (int64_t j = 0; j < n; j++)
    if (gradient[j * LSQ_EXACT_TERMS] != 0.0) return 0;
  return 1;
}

int lsq_is_orthogonal(int64_t m, const double *v, int64_t v_step, const double *w, int64_t w_step) {
  double terms[LSQ_EXACT_TERMS];
  sum s = {.term = terms};
  for (int64_t i = 0; i < m; i++)
    if (!add_product(&s, v[i * v_step], w[i * w_step])) return 0;
  return s.count == 0;
}
