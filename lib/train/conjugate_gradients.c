/* Gauss-Newton without the Jacobian: preconditioned conjugate gradients on products with it.
 *
 * They minimise |r - J d|^2 + mu |d|^2 + nu |w - d|^2 and know its value after each iteration, which tells what further
 * ones are worth: they end when it is below a share of |r|^2 that falls with the loss (Eisenstat and Walker 1996), so
 * that convergence stays faster than linear, or when ten iterations in a row took less than a tenth off it.
 *
 * The preconditioner is made anew in each step: that costs no more than ten to thirty iterations. Its own damping has a
 * floor: weights that only change places with others leave its blocks all but singular. */
#include <math.h>
#include <string.h>

#include "train/block_jacobi.h"
#include "train/phases.h"
#include "train/products.h"

enum { MOST_ITERATIONS = 2000, WINDOW = 10 };
static const double WORTH = 0.9, MOST_SHARE = 1e-4, LEAST_SHARE = 1e-8, LEAST_DAMPING = 1e-6;

typedef struct {
  lsq_products *products;
  lsq_block_jacobi *blocks;
  double share;           /* of |r|^2 */
  double sum;             /* |r|^2 */
  double *rest;           /* (N) r - J d */
  double *s, *z, *p, *Ap; /* (P) J'(r - J d) + nu (w - d) - mu d, z = M^-1 s, direction, (J'J + (mu + nu) I) p */
} matrix_free;

static void destroy_solver(lsq_gauss_newton *g, void *given) {
  matrix_free *s = given;
  double *arrays[] = {s->rest, s->s, s->z, s->p, s->Ap};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(g->trainer->context, arrays[i]);
  lsq_products_destroy(s->products);
  lsq_block_jacobi_destroy(s->blocks);
  lsq_free(g->trainer->context, s);
}

static lsqnet_status create_solver(lsq_gauss_newton *g, void **out) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_trainer *t = g->trainer;
  matrix_free *s = NULL;
  LSQ_TRY(lsq_alloc(t->context, &s, 1, sizeof *s));
  *out = s;
  LSQ_TRY(lsq_products_create(&s->products, t, g->jacobian, g->samples, t->options.memory / 4));
  LSQ_TRY(lsq_block_jacobi_create(&s->blocks, t, g->jacobian, g->samples, t->options.memory / 4 * 3));
  LSQ_TRY(lsq_alloc(t->context, &s->rest, g->residuals, sizeof(double)));
  LSQ_TRY(lsq_alloc(t->context, &s->s, g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(t->context, &s->z, g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(t->context, &s->p, g->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(t->context, &s->Ap, g->P, sizeof(double)));
done:
  return st;
}

static lsqnet_status linearise(lsq_gauss_newton *g, void *given, double *sum, double *largest) {
  lsqnet_status st = LSQNET_OK;
  matrix_free *s = given;
  LSQ_TRY(lsq_products_linearise(s->products, g->X, g->Y, g->r, g->gradient, &s->sum));
  LSQ_TRY(lsq_block_jacobi_compute(s->blocks, g->X, g->Y, largest));
  const double ratio = s->sum / ((double)g->residuals * g->trainer->progress.loss); /* to the step before */
  s->share = fmax(fmin(ratio * ratio, MOST_SHARE), LEAST_SHARE);
  *sum = s->sum;
done:
  return st;
}

/* The next direction, and s'z; *product is that of the direction before, 0 at first. */
static lsqnet_status turn(lsq_gauss_newton *g, matrix_free *s, double *product) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_block_jacobi_solve(s->blocks, s->s, s->z));
  const double next = lsq_dot(g->P, s->s, s->z), beta = *product > 0.0 ? next / *product : 0.0;
  for (int64_t i = 0; i < g->P; i++) s->p[i] = s->z[i] + beta * s->p[i];
  *product = next;
done:
  return st;
}

/* nu |w|^2 */
static double decayed(const lsq_gauss_newton *g, const matrix_free *s) {
  return g->trainer->options.weight_decay * s->sum;
}

/* Goes along the direction to the least value, *value then; *moved is 0 if roundings are all that is left. */
static lsqnet_status advance(lsq_gauss_newton *g, matrix_free *s, double damping, double product, double *value,
                             int *moved) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_products_normal(s->products, s->p, g->q, s->Ap));
  for (int64_t i = 0; i < g->P; i++) s->Ap[i] += damping * s->p[i];
  const double curvature = lsq_dot(g->P, s->p, s->Ap), length = product / curvature;
  *moved = product > 0.0 && curvature > 0.0;
  if (!*moved) goto done;
  for (int64_t i = 0; i < g->P; i++) g->d[i] += length * s->p[i];
  for (int64_t i = 0; i < g->P; i++) s->s[i] -= length * s->Ap[i];
  for (int64_t i = 0; i < g->residuals; i++) s->rest[i] -= length * g->q[i];
  *value = lsq_dot(g->residuals, s->rest, s->rest) + damping * lsq_dot(g->P, g->d, g->d) -
           2.0 * lsq_dot(g->P, g->pull, g->d) + decayed(g, s);
done:
  return st;
}

static lsqnet_status solve(lsq_gauss_newton *g, void *given, double mu, double largest, int *solved) {
  lsqnet_status st = LSQNET_OK;
  matrix_free *s = given;
  const double damping = mu + g->decay;
  double product = 0.0, value = s->sum + decayed(g, s), values[WINDOW];
  int moved = 1;
  LSQ_TRY(lsq_block_jacobi_factor(s->blocks, fmax(damping, LEAST_DAMPING * largest), solved));
  if (!*solved) goto done;
  memset(g->d, 0, (size_t)g->P * sizeof(double));
  memcpy(s->s, g->gradient, (size_t)g->P * sizeof(double));
  memcpy(s->rest, g->r, (size_t)g->residuals * sizeof(double));
  for (int k = 0; k < MOST_ITERATIONS && moved && value > s->share * s->sum; k++) {
    if (k >= WINDOW && !(value < WORTH * values[k % WINDOW])) break;
    values[k % WINDOW] = value;
    LSQ_TRY(turn(g, s, &product));
    LSQ_TRY(advance(g, s, damping, product, &value, &moved));
  }
done:
  return st;
}

static lsqnet_status create(lsqnet_trainer *trainer, void **state) {
  static const lsq_normal_solver method = {.name = "gauss_newton_cg",
                                           .double_residuals = 3,
                                           .create = create_solver,
                                           .destroy = destroy_solver,
                                           .linearise = linearise,
                                           .solve = solve};
  return lsq_phases_create(trainer, &method, state);
}

const lsq_optimizer lsq_gauss_newton_cg = {"gauss_newton_cg", create,           lsq_phases_destroy,
                                           lsq_phases_step,   lsq_phases_array, lsq_phases_check};
