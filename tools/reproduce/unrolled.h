/* A looped model trained on the solution alone: gradients go back through all applications of the same weights. */
#ifndef TOOLS_REPRODUCE_UNROLLED_H
#define TOOLS_REPRODUCE_UNROLLED_H

#include "reproduce.h"

typedef struct {
  const char *key;
  int64_t steps; /* for each rate */
  const double *rates;
  int count; /* of rates */
  uint64_t seed;
  int least_loops, most_loops; /* of a step of the training, at most ten */
  int grows;                   /* the least at first, then one more at a time until two thirds of the steps are made; or
                                  one less, in about half of the steps */
} unrolled_request;

/* One layer of linear attention on rows [h_i, x_i], applied again and again from X = I, so that X c = H^-1 c; the loss
 * is the mean squared error of X c alone at the end, the optimiser Adam. Adds a run for each rate, KEY@RATE, and KEY
 * with the best rate's mse after five loops (mse), and after ten (mse_twice), which an iteration that converges would
 * better; `curve` has it after each number of loops, `k`, up to that. Runs that are there stay, or are refused, as
 * those of train_run(). */
int unrolled_run(reproduction *r, const unrolled_request *request);

/* The same errors of exact Newton-Schulz on the same problems. */
int unrolled_exact(reproduction *r, const char *key);

#endif
