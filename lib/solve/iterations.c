#include <float.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "solve/solver.h"

static double dot(int64_t n, const double *a, const double *b) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static double norm(int64_t n, const double *a) { return sqrt(dot(n, a, a)); }

/* The model sees x at unit size: its answers are those of data like its own. */
static int unit_exponent(int64_t n, const double *x) {
  double largest = 0.0;
  int exponent = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(x[i]));
  (void)frexp(largest, &exponent);
  return exponent;
}

lsqnet_status lsq_operator_apply(const lsq_operator *op, const double *x, double *y) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = op->n;
  if (op->G != NULL) {
    LSQ_TRY(lsq_limits_check(op->solver));
    for (int64_t i = 0; i < n; i++) y[i] = dot(n, op->G + i * n, x);
    goto done;
  }
  const int exponent = unit_exponent(n, x);
  lsq_scale_copy(n, x, 1, -exponent, op->unit, 1);
  LSQ_TRY(lsq_respond(op->solver, op->m, op->A, op->lda, NULL, n, op->columns, 1, op->unit, y));
  for (int64_t i = 0; i < n; i++) y[i] = ldexp(y[i] - op->zero_answer[i], exponent);
done:
  return st;
}

/* Number of eigenvalues below `value` of the symmetric tridiagonal matrix (Sturm's count). */
static int64_t count_below(int64_t n, const double *diagonal, const double *off, double value) {
  int64_t count = 0;
  double q = 1.0;
  for (int64_t i = 0; i < n; i++) {
    q = diagonal[i] - value - (i > 0 ? off[i - 1] * off[i - 1] / q : 0.0);
    if (q == 0.0) q = DBL_MIN;
    if (q < 0.0) count++;
  }
  return count;
}

/* Eigenvalue number `index`, by bisection on [low, high]. */
static double eigenvalue(int64_t n, const double *diagonal, const double *off, int64_t index, double low, double high) {
  for (int step = 0; step < 200 && high - low > DBL_EPSILON * (fabs(low) + fabs(high)); step++) {
    const double middle = 0.5 * (low + high);
    if (count_below(n, diagonal, off, middle) > index)
      high = middle;
    else
      low = middle;
  }
  return 0.5 * (low + high);
}

lsqnet_status lsq_operator_spectrum(lsq_operator *op, double *work) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = op->n, most = n < LSQ_LANCZOS_MOST ? n : LSQ_LANCZOS_MOST;
  double *basis = work, *w = basis + most * n, *diagonal = w + n, *off = diagonal + most;
  double bound = 0.0;
  int64_t steps = 0;
  op->largest = op->smallest = 0.0;
  lsq_random_normals(0, 0, 0, n, basis); /* a pattern could be orthogonal to the vectors that are sought */
  const double start = norm(n, basis);
  for (int64_t i = 0; i < n; i++) basis[i] /= start;
  for (; steps < most; steps++) {
    const double *v = basis + steps * n;
    LSQ_TRY(lsq_operator_apply(op, v, w));
    diagonal[steps] = dot(n, v, w);
    for (int round = 0; round < 2; round++)
      for (int64_t l = 0; l <= steps; l++) {
        const double product = dot(n, basis + l * n, w);
        for (int64_t i = 0; i < n; i++) w[i] -= product * basis[l * n + i];
      }
    off[steps] = norm(n, w);
    bound = fmax(bound, fabs(diagonal[steps]) + 2.0 * off[steps]);
    if (!(off[steps] > 1e-14 * bound) || steps + 1 == most) {
      steps++;
      break;
    }
    for (int64_t i = 0; i < n; i++) basis[(steps + 1) * n + i] = w[i] / off[steps];
  }
  if (!(bound > 0.0)) goto done; /* a zero operator, or NaN */
  op->largest = eigenvalue(steps, diagonal, off, steps - 1, -bound, 2.0 * bound);
  op->smallest = eigenvalue(steps, diagonal, off, 0, -bound, 2.0 * bound);
done:
  return st;
}

static double condition(const lsq_operator *op) { return op->smallest > 0.0 ? op->largest / op->smallest : DBL_MAX; }

double lsq_iterations_needed(const lsq_operator *op, int32_t method, double reduction) {
  const double kappa = condition(op), digits = -log(reduction);
  return 0.5 * digits * (method == LSQNET_METHOD_GD ? kappa : sqrt(kappa));
}

/* The three methods, on residual v = c - H x. Each step reads H p into `product`. */
typedef struct {
  const lsq_operator *op;
  double *x, *residual, *p, *product;
} iterate;

static lsqnet_status gd_step(iterate *it, double step) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = it->op->n;
  LSQ_TRY(lsq_operator_apply(it->op, it->residual, it->product));
  for (int64_t i = 0; i < n; i++) {
    it->x[i] += step * it->residual[i];
    it->residual[i] -= step * it->product[i];
  }
done:
  return st;
}

/* p is the last change of x; `rho` carries the recurrence of the Chebyshev polynomials, 0 before the first step. */
static lsqnet_status chebyshev_step(iterate *it, double *rho) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = it->op->n;
  const double high = 1.01 * it->op->largest, low = 0.99 * fmax(it->op->smallest, DBL_EPSILON * high);
  const double theta = 0.5 * (high + low), delta = 0.5 * (high - low), sigma = theta / delta;
  const double next = *rho == 0.0 ? 1.0 / sigma : 1.0 / (2.0 * sigma - *rho);
  for (int64_t i = 0; i < n; i++)
    it->p[i] = *rho == 0.0 ? it->residual[i] / theta : next * *rho * it->p[i] + 2.0 * next / delta * it->residual[i];
  *rho = next;
  LSQ_TRY(lsq_operator_apply(it->op, it->p, it->product));
  for (int64_t i = 0; i < n; i++) {
    it->x[i] += it->p[i];
    it->residual[i] -= it->product[i];
  }
done:
  return st;
}

/* `square` is the residual's norm squared; *stuck is set when the model shows no curvature along p. */
static lsqnet_status cg_step(iterate *it, double *square, int *stuck) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = it->op->n;
  LSQ_TRY(lsq_operator_apply(it->op, it->p, it->product));
  const double curvature = dot(n, it->p, it->product);
  *stuck = !(curvature > 0.0);
  if (*stuck) goto done;
  const double alpha = *square / curvature;
  for (int64_t i = 0; i < n; i++) {
    it->x[i] += alpha * it->p[i];
    it->residual[i] -= alpha * it->product[i];
  }
  const double next = dot(n, it->residual, it->residual);
  for (int64_t i = 0; i < n; i++) it->p[i] = it->residual[i] + next / *square * it->p[i];
  *square = next;
done:
  return st;
}

lsqnet_status lsq_iterate(const lsq_operator *op, int32_t method, double step, int64_t limit, double reduction,
                          const double *c, double *x, double *work, int64_t *iterations) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = op->n;
  iterate it = {.op = op, .x = x, .residual = work, .p = work + n, .product = work + 2 * n};
  double rho = 0.0, square = dot(n, c, c);
  const double target = reduction * sqrt(square);
  int stuck = !(op->largest > 0.0);
  memset(x, 0, (size_t)n * sizeof(double));
  memcpy(it.residual, c, (size_t)n * sizeof(double));
  memcpy(it.p, c, (size_t)n * sizeof(double));
  for (int64_t i = 0; i < limit && !stuck && norm(n, it.residual) > target; i++) {
    if (method == LSQNET_METHOD_GD)
      LSQ_TRY(gd_step(&it, step > 0.0 ? step : 1.0 / op->largest));
    else if (method == LSQNET_METHOD_CHEBYSHEV)
      LSQ_TRY(chebyshev_step(&it, &rho));
    else
      LSQ_TRY(cg_step(&it, &square, &stuck));
    if (!stuck) ++*iterations;
  }
done:
  return st;
}

lsqnet_status lsq_plain_descent(const lsq_operator *op, const double *b, double step, int64_t limit, double reduction,
                                double *x, double *work, int64_t *iterations) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = op->n;
  const double s = step > 0.0 ? step : 1.0 / op->largest;
  double *gradient = work, *side = work + n, first = 0.0;
  memset(x, 0, (size_t)n * sizeof(double));
  if (op->G != NULL) LSQ_TRY(lsq_gram_rhs(op->solver, op->m, n, op->A, op->lda, b, side));
  for (int64_t i = 0; i < limit && op->largest > 0.0; i++) {
    if (op->G != NULL) {
      LSQ_TRY(lsq_operator_apply(op, x, gradient));
      for (int64_t j = 0; j < n; j++) gradient[j] -= side[j];
    } else {
      LSQ_TRY(lsq_respond(op->solver, op->m, op->A, op->lda, b, n, op->columns, 1, x, gradient));
    }
    if (i == 0) first = norm(n, gradient);
    if (!(norm(n, gradient) > reduction * first)) break;
    for (int64_t j = 0; j < n; j++) x[j] -= s * gradient[j];
    ++*iterations;
  }
done:
  return st;
}
