/* lsqnet_dgels and lsqnet_sgels behind their argument checks (api/gels.c). */
#ifndef LSQ_SOLVE_GELS_H
#define LSQ_SOLVE_GELS_H

#include "solve/batch.h"

/* A as the caller has it, and of op(A) the problem that it makes: one, with x for X, which is not b's. */
typedef struct {
  int transposed;
  lsq_problems problem;
} lsq_gels_call;

/* Solves, writes X and the residual norms to B, and returns `info`. All sizes are at least 1, the arithmetic fit for
 * it. Numbers that are not finite count as an answer that is not. */
int32_t lsq_gels(const lsq_gels_call *call, void *B);

/* ---- gels_solver.c: nobody hands a solver over, so a thread keeps its own ---- */

typedef struct {
  lsqnet_context *context;
  lsqnet_solver *solvers[2]; /* for full column rank, and for least norm; NULL until needed */
  lsqnet_report *reports;
  int64_t report_capacity;
  double *X;
  int64_t capacity;
  double *zeros; /* a right-hand side, and an answer to it */
  int64_t zeros_capacity;
} lsq_gels_solver;

/* The calling thread's own, or one for this call where a thread can have none. Memory of problems of more than
 * LSQ_GELS_KEPT numbers goes when it is given back. */
enum { LSQ_GELS_KEPT = 1 << 16 };
lsqnet_status lsq_gels_take(lsq_gels_solver **out);
void lsq_gels_give_back(lsq_gels_solver *gels, int64_t numbers);

/* The default model's solver, for full column rank or for the least norm of full row rank. */
lsqnet_status lsq_gels_solver_for(lsq_gels_solver *gels, int min_norm, lsqnet_solver **out);

#endif
