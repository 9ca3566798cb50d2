/* Levenberg-Marquardt with the explicit Jacobian.
 *
 * Precision: J'J squares the condition, so directions with singular values below 1e-8 of the largest would be lost in
 * it. Once mu has fallen that far, the step is refined by conjugate gradients on the products with J itself,
 * preconditioned by the Cholesky factor, with the damping taken back to a millionth. */
#include <math.h>
#include <string.h>

#include "kernels/normal_equations.h"
#include "train/phases.h"

enum { MOST_REFINEMENTS = 12 };
static const double REFINED_BELOW = 1e-9, REFINED_DAMPING = 1e-6;

typedef struct {
  int64_t block;     /* samples whose Jacobian is held at a time; all: it is held whole */
  double *J;         /* (block x outputs, P) */
  double *H, *C;     /* (P,P) J'J and the factor of the damped matrix; before there is one, C is scratch memory */
  double *s, *z, *p; /* (P) of the refinement */
} explicit_jacobian;

static void destroy_solver(lsq_gauss_newton *g, void *given) {
  explicit_jacobian *s = given;
  double *arrays[] = {s->J, s->H, s->C, s->s, s->z, s->p};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(g->trainer->context, arrays[i]);
  lsq_free(g->trainer->context, s);
}

/* Size of the blocks in which the Jacobian is made when it does not fit the limit whole. */
static lsqnet_status choose_block(const lsq_gauss_newton *g, int64_t *block) {
  const int64_t memory = g->trainer->options.memory, row_bytes = 8 * g->P * lsq_jacobian_outputs(g->jacobian);
  int64_t squares = 0;
  const int overflow = __builtin_mul_overflow(16 * g->P, g->P, &squares);
  if (!overflow) squares = 8 * (g->P * g->P + lsq_add_products_scratch(g->P));
  if (overflow || squares >= memory)
    return lsq_fail(LSQNET_E_ARGUMENT, "memory=%lld: the normal equations of %lld weights alone take %lld bytes",
                    (long long)memory, (long long)g->P, (long long)squares);
  *block = (memory - squares) / row_bytes;
  if (*block > g->samples) *block = g->samples;
  if (*block < 1)
    return lsq_fail(LSQNET_E_ARGUMENT,
                    "memory=%lld: beside the normal equations not one sample's Jacobian fits (%lld bytes)",
                    (long long)memory, (long long)row_bytes);
  return LSQNET_OK;
}

static lsqnet_status create_solver(lsq_gauss_newton *g, void **out) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = g->trainer->context;
  explicit_jacobian *s = NULL;
  LSQ_TRY(lsq_alloc(context, &s, 1, sizeof *s));
  *out = s;
  LSQ_TRY(choose_block(g, &s->block));
  if (s->block < g->samples)
    lsq_log(context, LSQNET_LOG_WARNING,
            "memory=%lld holds J of %lld samples of %lld: last digits of steps are not refined",
            (long long)g->trainer->options.memory, (long long)s->block, (long long)g->samples);
  LSQ_TRY(lsq_alloc(context, &s->J, s->block * lsq_jacobian_outputs(g->jacobian) * g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->H, g->P * g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->C, lsq_add_products_scratch(g->P), sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->s, g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->z, g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->p, g->P, sizeof(double)));
done:
  return st;
}

/* H = J'J and J'r, block by block. */
static lsqnet_status linearise(lsq_gauss_newton *g, void *given, double *sum, double *largest) {
  lsqnet_status st = LSQNET_OK;
  const explicit_jacobian *s = given;
  const lsqnet_trainer *t = g->trainer;
  const int64_t in = t->shape.rows * t->shape.in_width, outputs = lsq_jacobian_outputs(g->jacobian);
  double part = 0.0;
  *sum = *largest = 0.0;
  memset(g->gradient, 0, (size_t)g->P * sizeof(double));
  for (int64_t first = 0; first < g->samples; first += s->block) {
    const int64_t samples = g->samples - first < s->block ? g->samples - first : s->block, rows = samples * outputs;
    double *r = g->r + first * outputs;
    LSQ_TRY(lsq_jacobian_compute(g->jacobian, samples, g->X + first * in, g->Y + first * outputs, r, s->J, &part));
    LSQ_TRY(lsq_add_products(t->context->pool, t->context->kernels_f64, rows, g->P, s->J, s->C, s->H, first > 0));
    LSQ_TRY(lsq_transposed_jacobian_times(t->context->pool, t->context->kernels_f64, rows, g->P, s->J, r, s->z));
    for (int64_t i = 0; i < g->P; i++) g->gradient[i] += s->z[i];
    *sum += part;
  }
  for (int64_t i = 0; i < g->P; i++) *largest = fmax(*largest, s->H[i * g->P + i]);
done:
  return st;
}

/* s->s = J'(r - J d) + nu w - mu d, where mu includes nu. */
static lsqnet_status normal_residual(lsq_gauss_newton *g, explicit_jacobian *s, double mu) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = g->trainer->context;
  LSQ_TRY(lsq_jacobian_times(context->pool, context->kernels_f64, g->residuals, g->P, s->J, g->d, g->q));
  for (int64_t i = 0; i < g->residuals; i++) g->q[i] = g->r[i] - g->q[i];
  LSQ_TRY(lsq_transposed_jacobian_times(context->pool, context->kernels_f64, g->residuals, g->P, s->J, g->q, s->s));
  for (int64_t i = 0; i < g->P; i++) s->s[i] += g->pull[i] - mu * g->d[i];
done:
  return st;
}

/* Conjugate gradients on (J'J + mu I) d = J'r + nu w, where mu includes nu, from the d at hand, preconditioned by the
 * factor in C. */
static lsqnet_status refine(lsq_gauss_newton *g, explicit_jacobian *s, double mu) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = g->trainer->context;
  double product = 0.0;
  for (int k = 0; k < MOST_REFINEMENTS; k++) {
    LSQ_TRY(normal_residual(g, s, mu));
    memcpy(s->z, s->s, (size_t)g->P * sizeof(double));
    lsq_cholesky_solve(g->P, s->C, s->z);
    const double next = lsq_dot(g->P, s->s, s->z), beta = k > 0 ? next / product : 0.0;
    product = next;
    for (int64_t i = 0; i < g->P; i++) s->p[i] = s->z[i] + beta * s->p[i];
    LSQ_TRY(lsq_jacobian_times(context->pool, context->kernels_f64, g->residuals, g->P, s->J, s->p, g->q));
    const double curvature = lsq_dot(g->residuals, g->q, g->q) + mu * lsq_dot(g->P, s->p, s->p);
    if (!(product > 0.0) || !(curvature > 0.0)) break;
    for (int64_t i = 0; i < g->P; i++) g->d[i] += product / curvature * s->p[i];
  }
done:
  return st;
}

/* Not solved: the damped matrix is not positive definite. */
static lsqnet_status solve(lsq_gauss_newton *g, void *given, double mu, double largest, int *solved) {
  lsqnet_status st = LSQNET_OK;
  explicit_jacobian *s = given;
  const lsqnet_context *context = g->trainer->context;
  memcpy(s->C, s->H, (size_t)(g->P * g->P) * sizeof(double));
  for (int64_t i = 0; i < g->P; i++) s->C[i * g->P + i] += mu + g->decay;
  LSQ_TRY(lsq_cholesky(context->pool, context->kernels_f64, g->P, s->C, solved));
  if (!*solved) goto done;
  memcpy(g->d, g->gradient, (size_t)g->P * sizeof(double));
  lsq_cholesky_solve(g->P, s->C, g->d);
  if (mu < REFINED_BELOW * largest && s->block == g->samples) LSQ_TRY(refine(g, s, REFINED_DAMPING * mu + g->decay));
done:
  return st;
}

static lsqnet_status create(lsqnet_trainer *trainer, void **state) {
  static const lsq_normal_solver method = {.name = "levenberg_marquardt",
                                           .double_residuals = 5,
                                           .create = create_solver,
                                           .destroy = destroy_solver,
                                           .linearise = linearise,
                                           .solve = solve};
  return lsq_phases_create(trainer, &method, state);
}

const lsq_optimizer lsq_levenberg_marquardt = {"levenberg_marquardt", create,           lsq_phases_destroy,
                                               lsq_phases_step,       lsq_phases_array, lsq_phases_check};
