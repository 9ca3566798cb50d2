/* Gauss-Newton methods: d solves (J'J + (mu + nu) I) d = J'r + nu w and the weights w move by -d. What they share is
 * here: batches, damping, ends; a method gives the solution of the equations. */
#ifndef LSQ_TRAIN_GAUSS_NEWTON_H
#define LSQ_TRAIN_GAUSS_NEWTON_H

#include "train/jacobian.h"

/* What must be saved besides the weights, as doubles. */
enum {
  LSQ_DAMPING,
  LSQ_BATCH,     /* number of the batch at hand */
  LSQ_ON_FRESH,  /* 1: each iteration has a batch of its own */
  LSQ_STALLED,   /* fresh batches in a row that began little lower than the one before */
  LSQ_LAST_LOSS, /* of the last fresh batch, before its step */
  LSQ_FAILED,    /* iterations in a row that found no lower loss */
  LSQ_GAUSS_NEWTON_NUMBERS
};

typedef struct lsq_gauss_newton lsq_gauss_newton;

/* A way to solve the equations. */
typedef struct {
  const char *name;
  int64_t double_residuals; /* residuals for two weights in a batch whose size nobody chose */
  /* Makes room, for the sizes that `g` has; everything it uses besides is there. */
  lsqnet_status (*create)(lsq_gauss_newton *g, void **solver);
  void (*destroy)(lsq_gauss_newton *g, void *solver);
  /* Fills g->r and g->gradient, J'r, for the batch at hand, *sum of squares of r, and the largest diagonal entry of
   * J'J. */
  lsqnet_status (*linearise)(lsq_gauss_newton *g, void *solver, double *sum, double *largest);
  /* g->d for a damping at the weights of the linearisation; *solved is 0 if there is none. */
  lsqnet_status (*solve)(lsq_gauss_newton *g, void *solver, double damping, double largest, int *solved);
} lsq_normal_solver;

struct lsq_gauss_newton {
  lsqnet_trainer *trainer;
  lsq_jacobian *jacobian;
  const lsq_normal_solver *method;
  void *solver;
  double numbers[LSQ_GAUSS_NEWTON_NUMBERS];
  int64_t samples, residuals, P; /* N = samples x outputs residuals, P weights that count */
  int64_t loaded;                /* number of the batch in X and Y; -1: none */
  double *X, *Y, *r, *q;         /* batch; (N) residuals; (N) for whoever needs it */
  double decay;                  /* nu */
  double *gradient, *pull;       /* (P) J'r + nu w, nu w */
  double *d, *old;               /* (P), (weight_count) */
  double *fresh_X, *fresh_Y, *fresh_r;
  double fresh_square; /* mean square of the last fresh targets */
};

lsqnet_status lsq_gauss_newton_create(lsq_gauss_newton **out, lsqnet_trainer *trainer, const lsq_normal_solver *method);
void lsq_gauss_newton_destroy(lsq_gauss_newton *g);

/* Forgets damping and progress, for weights that no step led to; batches go on. */
void lsq_gauss_newton_reset(lsq_gauss_newton *g);

/* As an optimiser's. */
lsqnet_status lsq_gauss_newton_step(lsq_gauss_newton *g);
lsqnet_status lsq_gauss_newton_check(const lsq_gauss_newton *g);

/* sum a_i b_i in the order of the indices. */
double lsq_dot(int64_t n, const double *a, const double *b);

#endif
