/* The solver: a model with the arithmetic around it that makes it solve min ||A x - b|| for any A. */
#ifndef LSQNET_SOLVER_H
#define LSQNET_SOLVER_H

#include <lsqnet/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One thread at a time. It keeps a float64 copy of its model, so the caller's may go. */
typedef struct lsqnet_solver lsqnet_solver;

/** How the corrections of outer refinement (and the first answer) come from the model. */
enum {
  LSQNET_METHOD_AUTO = 0,      /**< the library chooses: DIRECT */
  LSQNET_METHOD_GD = 1,        /**< x <- x - s g(x), the paper's iterate, s = 1 / largest eigenvalue unless given */
  LSQNET_METHOD_CHEBYSHEV = 2, /**< Chebyshev semi-iteration between estimates of the extreme eigenvalues */
  LSQNET_METHOD_CG = 3,        /**< conjugate gradients */
  LSQNET_METHOD_DIRECT = 4,    /**< the normal equations that probes of the model reveal, by repeated Cholesky-QR */
  LSQNET_METHOD_LAPACK = 5     /**< only in reports: the fallback answered */
};

/** Why a solve stopped. */
enum {
  LSQNET_STOP_NONE = 0,        /**< it did not start */
  LSQNET_STOP_CONVERGED = 1,   /**< the tolerance is met; with tolerance 0: x no longer changes in its precision */
  LSQNET_STOP_STAGNATED = 2,   /**< corrections stopped shrinking before that */
  LSQNET_STOP_ITERATIONS = 3,  /**< an iteration limit was reached */
  LSQNET_STOP_RANK = 4,        /**< the columns depend on each other */
  LSQNET_STOP_MODEL = 5,       /**< the model's answers contradict A: no correction can be had from them */
  LSQNET_STOP_UNREFINED = 6,   /**< refinement was switched off: the first answer is returned as it is */
  LSQNET_STOP_DATA = 7,        /**< the data cannot be solved (NaN, infinity, an answer beyond the largest number) */
  LSQNET_STOP_FALLBACK = 8     /**< the model did not get there; LAPACK's answer has a small backward error */
};

typedef struct lsqnet_solver_options {
  uint32_t size;            /**< sizeof of this struct in the caller's build */
  int32_t method;           /**< an LSQNET_METHOD_ number up to DIRECT; default AUTO */
  double tolerance;         /**< stop when a correction changes no component of x by more than this, relative to it;
                                 0 (default): until x stops changing in its precision */
  double step;              /**< s of GD, x <- x - s A'(A x - b) / m for columns brought to root mean squares of 1/2 to 1 by
                                 powers of two; 0 (default): m / (estimate of the largest eigenvalue) */
  int64_t iterations;       /**< most inner iterations of GD, CHEBYSHEV and CG for one correction; default 10000 */
  int64_t corrections;      /**< most corrections of outer refinement; 0: none, x is the model's own; default 50 */
  int32_t min_norm;         /**< 1: a rank-deficient A (m < n included) gets the answer of least norm; default 0: E_RANK */
  int32_t lapack_fallback;  /**< 1: what the model cannot solve is handed to LAPACK, and the report says so; default 0 */
} lsqnet_solver_options;

/** What is known about one answer. */
typedef struct lsqnet_report {
  uint32_t size;
  int32_t status;         /**< lsqnet_status of this right-hand side */
  int32_t stopped;        /**< an LSQNET_STOP_ number */
  int32_t method;         /**< the LSQNET_METHOD_ number that made the answer */
  double backward_error;  /**< min(||A'r|| / (||A|| ||r||), ||r|| / (||A|| ||x|| + ||b||)), Frobenius norms, columns scaled
                               to unit size, r and A'r compensated */
  double condition;       /**< 2-norm condition number of the column-scaled A; 0: not known */
  double digits;          /**< estimate of the right decimal digits in the worst component of x, 0 .. 15.95 (7.2 in
                               float32): never meant to flatter. Components that come out as 0 are left out: one that the
                               compensated sums cannot tell from 0 (some 2^-100 of the largest) is returned as 0 */
  double residual_norm;   /**< ||b - A x|| */
  int64_t rank;           /**< columns found independent; -1: not known */
  int64_t iterations;     /**< inner iterations, all corrections together */
  int64_t corrections;    /**< of outer refinement, the first answer included when it came as one */
  int64_t orthogonalised; /**< Cholesky-QR passes beyond the first */
  int64_t model_calls;    /**< sequences that went through the model, shared work of several right-hand sides counted in
                               the first report */
} lsqnet_report;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_solver_options_init(lsqnet_solver_options *options, uint32_t size);

/** Creates a solver on `model`, whose lsqnet_model_step must say what it computes. NULL means the trained models that the
 *  library carries (models/README.md): the smallest that holds a problem's unknowns solves it, or the largest;
 *  lsqnet_model_construct_gradient makes a model whose weights are set by formula. `options` NULL means the defaults.
 *  Errors   E_ARGUMENT (field and value; a model without a step), E_UNSUPPORTED (an output or prompt that the solver
 *           cannot use; lapack_fallback in a build without LAPACK), E_VERSION, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_solver_create(lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model,
                                              const lsqnet_solver_options *options);

/** Frees a solver; NULL is fine. */
LSQNET_API void lsqnet_solver_destroy(lsqnet_solver *solver);

/** Name of the model that the library carries and that solves problems of n unknowns, e.g. "la-gd1-d5"; NULL if the solver
 *  has a model of the caller's. */
LSQNET_API const char *lsqnet_solver_model_name(const lsqnet_solver *solver, int64_t n);

/** Solves min ||A X - B||, one column of X and B after the other.
 *  Shapes   a (m,n) row-major, lda >= n; b (m,k), ldb >= k; x (n,k), ldx >= k, written whole on OK, E_NOT_CONVERGED and
 *           (unrefined best effort) whenever a report's stopped is UNREFINED, untouched otherwise; reports (k) with
 *           reports[0].size set by the caller, or NULL.
 *  Returns  OK if all k answers met the tolerance, else the first other status of them: E_NOT_CONVERGED (best x is
 *           returned), E_RANK (the message names the rank), E_NOT_FINITE (row and column of the first NaN or infinity).
 *  Errors   E_ARGUMENT, E_SHAPE (m, n, k below 1, leading dimensions, overflow), E_VERSION, E_MEMORY, E_UNSUPPORTED
 *           (rounding mode not to nearest, or denormals flushed). */
LSQNET_API lsqnet_status lsqnet_solver_solve_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a,
                                                 int64_t lda, const double *b, int64_t ldb, double *x, int64_t ldx,
                                                 lsqnet_report *reports);

/** The same in float32: solved in float64 inside, x rounded once at the end. */
LSQNET_API lsqnet_status lsqnet_solver_solve_f32(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const float *a,
                                                 int64_t lda, const float *b, int64_t ldb, float *x, int64_t ldx,
                                                 lsqnet_report *reports);

/** The same for data known to twice the precision: A = a + a_low, B = b + b_low, each pair unevaluated sums with
 *  |low| <= ulp(high)/2. `a_low` and `b_low` have the leading dimensions of `a` and `b`; either may be NULL for zero. */
LSQNET_API lsqnet_status lsqnet_solver_solve_pair_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k,
                                                      const double *a, const double *a_low, int64_t lda, const double *b,
                                                      const double *b_low, int64_t ldb, double *x, int64_t ldx,
                                                      lsqnet_report *reports);

/** Names of methods and stops as the command prints them ("direct", "converged"); NULL for a number that is none. */
LSQNET_API const char *lsqnet_method_name(int32_t method);
LSQNET_API const char *lsqnet_stop_name(int32_t stopped);

#ifdef __cplusplus
}
#endif
#endif
