/* The models that are compiled into the library, and the solvers on them. */
#ifndef LSQ_SOLVE_SHIPPED_H
#define LSQ_SOLVE_SHIPPED_H

#include "solve/solver.h"

typedef struct {
  const char *name;
  int64_t dim;               /* unknowns D */
  const unsigned char *data; /* its file */
  uint64_t bytes;
} lsq_shipped_model;

/* By rising dim; models/meson.build lists them, models/embed.c writes the table. */
extern const lsq_shipped_model lsq_shipped_models[];
extern const int64_t lsq_shipped_count;

/* The shipped model for n unknowns: the smallest that holds them, or the largest. */
int64_t lsq_shipped_for(int64_t n);

/* The solver that does the work for n unknowns: `solver` itself, or, if it has no model, its solver on the shipped
 * model for n, which is made at the first such call and belongs to `solver`. */
lsqnet_status lsq_solver_serving(lsqnet_solver **out, lsqnet_solver *solver, int64_t n);

#endif
