/* A least-squares problem as the solver takes it, from the tables that hold it. */
#ifndef TOOLS_PROBLEM_H
#define TOOLS_PROBLEM_H

#include "table.h"

typedef struct {
  const char *file; /* that holds A; last column b unless `rhs` */
  const char *rhs;  /* that holds b, several columns being several right-hand sides; or NULL */
  int intercept;    /* 1: a column of ones comes first */
  int64_t degree;   /* K >= 1: the columns are x, x^2, ... x^K of the one predictor x; 0: the predictors themselves */
  int min_norm;     /* 1: fewer rows than unknowns are fine */
} problem_request;

typedef struct {
  int64_t m, n, k, lda, ldb;
  const double *a, *a_low, *b, *b_low; /* low parts are NULL unless powers are formed */
  char **names;                        /* (n) of the unknowns */
  char **sides;              /* (k) of the right-hand sides, when a file of them has a header; else b1, b2, ... */
  table data, rhs;           /* what the pointers above lead into, with `built` */
  double *built, *built_low; /* A, when it is not the columns of `data` as they are */
} problem;

/* Fails with CODE_RANK on fewer rows than unknowns before anything is built. */
int problem_read(problem *out, const problem_request *request);
void problem_free(problem *p);

#endif
