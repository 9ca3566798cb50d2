/* What `lsqnet solve` prints: coefficients and certificate, for people or as JSON. */
#ifndef TOOLS_ANSWER_H
#define TOOLS_ANSWER_H

#include <lsqnet/solver.h>

#include "problem.h"

typedef struct {
  const problem *problem;
  const double *x;              /* (n,k) row-major */
  const lsqnet_report *reports; /* (k) */
  const char *model;            /* as the command line named it */
  double tolerance;
} answer;

int answer_print(const answer *a);
int answer_print_json(const answer *a);

#endif
