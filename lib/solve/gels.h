/* lsqnet_dgels and lsqnet_sgels behind their argument checks (api/gels.c). */
#ifndef LSQ_SOLVE_GELS_H
#define LSQ_SOLVE_GELS_H

#include "solve/solver.h"

/* op(A) is (rows,columns), and its element (i,j) is A[i a_row + j a_column]; b likewise, (max(rows,columns),k). */
typedef struct {
  int transposed;
  int64_t rows, columns, k;
  int64_t a_row, a_column, b_row, b_column;
} lsq_gels_shape;

/* Solves, writes X and the residual norms to B, and returns `info`. All sizes are at least 1, all numbers finite. */
int32_t lsq_gels_f64(const lsq_gels_shape *shape, const double *A, double *B);
int32_t lsq_gels_f32(const lsq_gels_shape *shape, const float *A, float *B);

/* ---- gels_solver.c: nobody hands a solver over, so a thread keeps its own ---- */

typedef struct {
  lsqnet_context *context;
  lsqnet_solver *solvers[2]; /* for full column rank, and for least norm; NULL until needed */
  lsqnet_report *reports;
  int64_t report_capacity;
  double *memory; /* for what has to be laid out in rows */
  int64_t capacity;
} lsq_gels_solver;

/* The calling thread's own for problems of up to LSQ_GELS_KEPT numbers, else one for this call. */
enum { LSQ_GELS_KEPT = 1 << 16 };
lsqnet_status lsq_gels_take(lsq_gels_solver **out, int64_t numbers);
void lsq_gels_give_back(lsq_gels_solver *gels);

/* The default model's solver, for full column rank or for the least norm of full row rank. */
lsqnet_status lsq_gels_solver_for(lsq_gels_solver *gels, int min_norm, lsqnet_solver **out);

#endif
