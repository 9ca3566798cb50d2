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
} unrolled_request;

/* One layer of linear attention on rows [h_i, x_i], applied five times from X = I, so that X c = H^-1 c; the loss is
 * the mean squared error of X c alone, the optimiser Adam. Adds a run for each rate, KEY@RATE, and KEY with the best
 * rate's mse after that many loops (mse), and after twice as many (mse_twice), which an iteration that converges would
 * better. */
int unrolled_run(reproduction *r, const unrolled_request *request);

/* The same errors of exact Newton-Schulz on the same problems. */
int unrolled_exact(reproduction *r, const char *key);

#endif
