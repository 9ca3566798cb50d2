/** @file
 * The solver: a model with the arithmetic around it that makes it solve min ||A x - b|| for any A. */
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
  LSQNET_METHOD_AUTO = 0,      /**< the library chooses: DIRECT, on the road (report.road, .why) that shape and condition
                                    ask for. The size of the batch only says how many problems share a vector and how
                                    many threads share the work, so that a problem's bits are the same in any */
  LSQNET_METHOD_GD = 1,        /**< x <- x - s g(x), the paper's iterate, s = 1 / largest eigenvalue unless given */
  LSQNET_METHOD_CHEBYSHEV = 2, /**< Chebyshev semi-iteration between estimates of the extreme eigenvalues */
  LSQNET_METHOD_CG = 3,        /**< conjugate gradients */
  LSQNET_METHOD_DIRECT = 4,    /**< the normal equations that the model reveals, by repeated Cholesky-QR where needed */
  LSQNET_METHOD_LAPACK = 5     /**< only in reports: the fallback answered */
};

/** Why a solve stopped. */
enum {
  LSQNET_STOP_NONE = 0,        /**< it did not start */
  LSQNET_STOP_CONVERGED = 1,   /**< the tolerance is met; with tolerance 0: x no longer changes in its precision */
  LSQNET_STOP_STAGNATED = 2,   /**< corrections stopped shrinking before that, or x stands and is none */
  LSQNET_STOP_ITERATIONS = 3,  /**< an iteration limit was reached */
  LSQNET_STOP_RANK = 4,        /**< the columns depend on each other */
  LSQNET_STOP_MODEL = 5,       /**< the model's answers contradict A: no correction can be had from them */
  LSQNET_STOP_UNREFINED = 6,   /**< refinement was switched off: the first answer is returned as it is */
  LSQNET_STOP_DATA = 7,        /**< the data cannot be solved (NaN, infinity, an answer beyond the largest number) */
  LSQNET_STOP_FALLBACK = 8,    /**< the model did not get there; LAPACK's answer has a small backward error */
  LSQNET_STOP_TIME = 9,        /**< options.seconds were over */
  LSQNET_STOP_CALLER = 10      /**< options.stop said so */
};

/** How an answer was come by. All roads end in the same refinement and give the same digits. */
enum {
  LSQNET_ROAD_NONE = 0,
  LSQNET_ROAD_PROBLEMS = 1,   /**< several problems side by side in vector lanes: normal equations, refined */
  LSQNET_ROAD_ROWS = 2,       /**< several rows of one problem side by side, the rest as PROBLEMS */
  LSQNET_ROAD_ORTHOGONAL = 3, /**< one problem at a time on each thread, by repeated Cholesky-QR */
  LSQNET_ROAD_ITERATIONS = 4, /**< the same, by the iterations that options.method names */
  LSQNET_ROAD_STATE = 5       /**< from the moments that a lsqnet_state holds */
};

/** Why that road. */
enum {
  LSQNET_WHY_NONE = 0,
  LSQNET_WHY_SMALL = 1,     /**< as many numbers as several problems may have in fast memory together: PROBLEMS */
  LSQNET_WHY_TALL = 2,      /**< more: ROWS */
  LSQNET_WHY_WIDE = 3,      /**< more than 64 unknowns, or more than a model of one serves: ORTHOGONAL; of a lsqnet_state
                                 the triangular factor: STATE */
  LSQNET_WHY_CONDITION = 4, /**< side by side no certificate was to be had, mostly for the condition: ORTHOGONAL. Of a
                                 lsqnet_state: not from its moments as they are, but from their factor (STATE); or not from
                                 that either, and the rows that it keeps were solved (ORTHOGONAL) */
  LSQNET_WHY_OPTIONS = 5,   /**< the options or data (an iterative method, corrections below 2, pairs,
                                 least norm) need it */
  LSQNET_WHY_STATE = 6      /**< a lsqnet_state was asked */
};

/** Asked between steps of a solve and every few milliseconds inside long ones, on the thread that called; nonzero ends it,
 *  and it is not asked again then. */
typedef int32_t (*lsqnet_stop_fn)(void *user);

/** Options of lsqnet_solver_create. */
typedef struct lsqnet_solver_options {
  uint32_t size;            /**< sizeof of this struct in the caller's build */
  int32_t method;           /**< an LSQNET_METHOD_ number up to DIRECT; default AUTO */
  double tolerance;         /**< stop when a correction changes no component of x by more than this, relative to it (to
                                 2^-20 of the largest, for one below that: `digits` tells how right those are);
                                 0 (default): until x stops changing in its precision */
  double step;              /**< s of GD, x <- x - s A'(A x - b) / m for columns brought to root mean squares of 1/2 to 1 by
                                 powers of two; 0 (default): m / (estimate of the largest eigenvalue) */
  int64_t iterations;       /**< most inner iterations of GD, CHEBYSHEV and CG for one correction; default 10000 */
  int64_t corrections;      /**< most corrections of outer refinement; 0: none, x is the model's own; default 50 */
  int32_t min_norm;         /**< 1: a rank-deficient A (m < n included) gets the answer of least norm; OK says that
                                 its backward error is at most 10 n roundings (or tolerances). With rank < min(m,n)
                                 answer and digits are those of the problem in which columns that depend to some 4 n
                                 roundings depend exactly. Default 0: E_RANK */
  int32_t lapack_fallback;  /**< 1: what the model cannot solve is handed to LAPACK, and the report says so; default 0 */
  double ridge;             /**< minimise ||A x - b||^2 + ridge ||x||^2; default 0 */
  double seconds;           /**< wall-clock limit of a call; default 0: none. The call ends, as by `stop`, within
                                 milliseconds of it, but for what nobody interrupts: memory being allocated, on the
                                 road ORTHOGONAL steps of up to n^3 multiply-adds for n unknowns, LAPACK as a fallback */
  lsqnet_stop_fn stop;      /**< NULL (default): nobody is asked */
  void *stop_user;          /**< argument of `stop` */
} lsqnet_solver_options;

/** What is known about one answer. */
typedef struct lsqnet_report {
  uint32_t size;          /**< sizeof of this struct in the caller's build */
  int32_t status;         /**< lsqnet_status of this right-hand side */
  int32_t stopped;        /**< an LSQNET_STOP_ number */
  int32_t method;         /**< the LSQNET_METHOD_ number that made the answer */
  double backward_error;  /**< x solves exactly a problem whose data differ by at most this fraction of their size: the
                               least of ||A'r|| / (||A|| ||r||), ||r|| / (||A|| ||x|| + ||b||) and, where x has converged
                               and a factor of A is known (DIRECT), ||the part of r in the range of A|| / (||A|| ||x||).
                               Frobenius norms, columns scaled to unit size, r and A'r compensated; with a ridge, of A and
                               b with its rows below them. May be infinite where the answer is beyond the largest
                               number (E_NOT_FINITE) */
  double condition;       /**< 2-norm condition number of the column-scaled A, within a factor of about 2; 0: not known */
  double digits;          /**< estimate of the right decimal digits in the worst component of x, 0 .. 15.95 (7.2 in
                               float32): never meant to flatter. Each component counts, relative to itself, however small
                               beside the others: what sums in twice the precision may have lost in it is bounded row by
                               row, and what corrections leave in it is measured where that may matter. One that cannot
                               be told from 0 is 0 where sums without roundings show that it is, and is as corrections
                               left it and has no digits (0) where they do not */
  double residual_norm;   /**< ||b - A x||, weights and ridge included: the root of what is made least. Infinite where
                               that is beyond the largest number; may be where the answer is (E_NOT_FINITE) */
  int64_t rank;           /**< columns found independent; -1: not known */
  int64_t iterations;     /**< inner iterations, all corrections together */
  int64_t corrections;    /**< of outer refinement, the first answer included when it came as one */
  int64_t orthogonalised; /**< Cholesky-QR passes beyond the first */
  int64_t model_calls;    /**< sequences that went through the model, or that its map of moments stood in for; shared
                               work of several right-hand sides is counted in the first report */
  int32_t road;           /**< an LSQNET_ROAD_ number */
  int32_t why;            /**< an LSQNET_WHY_ number: why the library took it */
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
 *  Shapes   a (m,n) row-major, lda >= n; b (m,k), ldb >= k; x (n,k), ldx >= k, each column of it written whole where its
 *           report has the status OK or E_NOT_CONVERGED, and untouched otherwise; reports (k) with reports[0].size set
 *           by the caller, or NULL.
 *  Returns  OK if all k answers met the tolerance, else the first other status of them: E_NOT_CONVERGED (best x is
 *           returned; also where a component of it is denormal and has lost digits to that, or underflows to 0; OK for all
 *           that if it vanishes beside the largest, and had no digits), E_RANK (the message names the rank), E_NOT_FINITE
 *           (row and column of the first NaN or infinity, which wherever it is refuses all columns; or a column's x is
 *           beyond the largest number), E_STOPPED (options.seconds or options.stop).
 *  Errors   E_ARGUMENT (NULL; x overlaps a or b), E_SHAPE (m, n, k below 1, leading dimensions, overflow), E_VERSION,
 *           E_MEMORY, E_UNSUPPORTED
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

/** Where `count` problems of one shape lie: min ||A_p X_p - B_p|| for p = 0 .. count-1. Distances are in numbers. */
typedef struct lsqnet_problems {
  uint32_t size;        /**< sizeof of this struct in the caller's build */
  int32_t column_major; /**< 0 (default): row i of A is at i lda; 1: column j is at j lda. B and X likewise */
  int64_t count;        /**< problems, default 1 */
  int64_t m;            /**< rows of A and B */
  int64_t n;            /**< columns of A, rows of X */
  int64_t k;            /**< columns of B and X, default 1 */
  int64_t lda;          /**< from one row (column) of A to the next; default 0: they follow each other; so below */
  int64_t ldb;          /**< of B */
  int64_t ldx;          /**< of X */
  int64_t a_stride; /**< from one A to the next; default 0: they follow each other; so below. Not read by _pointers */
  int64_t b_stride;       /**< from one B to the next */
  int64_t x_stride;       /**< from one X to the next */
  int64_t weights_stride; /**< from one problem's weights to the next's */
} lsqnet_problems;

/** Fills `problems` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_problems_init(lsqnet_problems *problems, uint32_t size);

/** Solves many problems of one shape, each on its own: what one holds or ends with does not touch the others. The answer
 *  and the report of a problem have the same bits alone, at any place of any batch, in any layout and on any number of
 *  threads (on one kernel level).
 *  Shapes   a, b, x as `problems` says; each column of x_p is written, or untouched, as by lsqnet_solver_solve_f64. No
 *           number of x may be one of a, b or weights, whichever problem's (E_ARGUMENT, the message names the place); x
 *           may lie in gaps that strides leave there, and a, b and weights of problems may overlap each other. weights
 *           NULL, or m numbers w_i >= 0 for each problem: minimise sum_i w_i (a_i x - b_i)^2. reports (count,k) with
 *           reports[0].size set by the caller, or NULL.
 *  Returns  OK if all answers met the tolerance, else the status of the first problem that has another; the message
 *           names it. Problems that options.seconds or options.stop left over have E_STOPPED.
 *  Threads  Those of the context share the problems: those that go through vector lanes (roads PROBLEMS and ROWS) some
 *           at a time, and those on the other roads (more than 64 unknowns, least norm, conditions above about 10^6,
 *           iterations) one by one, if they have 2^15 numbers or more in all.
 *  Memory   On each thread, of which no more than problems are at work, in doubles beside a byte a problem:
 *           - roads PROBLEMS and ROWS: at most twice what it has in flight, that is problems of 2^17 numbers in all, or as
 *             many as a vector has lanes, 2 to 8, if those are more; what passes through a model is included;
 *           - a single large problem, and those on the other roads: twice their own numbers, a ridge's n rows included,
 *             three times with weights, a ridge or low parts (m < n: once, or twice, more); three numbers a row; 2 n^2,
 *             3 n^2 more with min_norm, 2 n^2 more with gd, chebyshev and cg; for a model without a map of moments 3 2^16
 *             more, or what one of its sequences takes; with lapack_fallback the problem's numbers once more, and what
 *             dgelsd asks for;
 *           - in all, a map of moments for n unknowns, of some 2 n^2 numbers.
 *           The first call of a kind (shape, weights, low parts) asks for all that any problem of the kind may come to
 *           need, so that E_MEMORY comes at once if it does; the solver keeps it, and later calls for as many problems or
 *           fewer allocate nothing, whatever problems they bring. Pages that no problem needs are not written to. One
 *           exception: with min_norm and m < n, n > 256, a problem whose equations depend on each other allocates. With no
 *           model given the first call for so many unknowns also makes a solver for the model that it takes.
 *  Errors   as lsqnet_solver_solve_f64. */
LSQNET_API lsqnet_status lsqnet_solver_solve_batch_f64(lsqnet_solver *solver, const lsqnet_problems *problems,
                                                       const double *a, const double *b, const double *weights,
                                                       double *x, lsqnet_report *reports);
/** lsqnet_solver_solve_batch_f64 in float32, as lsqnet_solver_solve_f32. */
LSQNET_API lsqnet_status lsqnet_solver_solve_batch_f32(lsqnet_solver *solver, const lsqnet_problems *problems,
                                                       const float *a, const float *b, const float *weights, float *x,
                                                       lsqnet_report *reports);

/** The same with a pointer to each problem's arrays. x_p is held against a_p, b_p and weights_p alone: that an answer lies
 *  where another problem's data or answer do cannot be seen, and makes both wrong, certificates included. */
LSQNET_API lsqnet_status lsqnet_solver_solve_pointers_f64(lsqnet_solver *solver, const lsqnet_problems *problems,
                                                          const double *const *a, const double *const *b,
                                                          const double *const *weights, double *const *x,
                                                          lsqnet_report *reports);
/** lsqnet_solver_solve_pointers_f64 in float32, as lsqnet_solver_solve_f32. */
LSQNET_API lsqnet_status lsqnet_solver_solve_pointers_f32(lsqnet_solver *solver, const lsqnet_problems *problems,
                                                          const float *const *a, const float *const *b,
                                                          const float *const *weights, float *const *x,
                                                          lsqnet_report *reports);

/* Rows that come and go: a state holds what a model needs of them, and is solved again whatever has gone before. */

/** The second moments of the rows of one problem, [A B]'[A B], in twice the precision: of all rows, those of a sliding
 *  window, or fading ones. One thread at a time. */
typedef struct lsqnet_state lsqnet_state;

/** Options of lsqnet_state_create. */
typedef struct lsqnet_state_options {
  uint32_t size;     /**< sizeof of this struct in the caller's build */
  int32_t keep_rows; /**< 1: the rows are kept too, (n+k) numbers each: rows that leave are looked for among them, and
                          moments are summed up anew once roundings of rows that have left (`drift`) grow, or weigh in an
                          answer; default 0: what drift costs is told by reports alone */
  int64_t n;         /**< unknowns; default 0, to be set */
  int64_t k;         /**< right-hand sides; default 1 */
  double forgetting; /**< what the weight of a row's square is multiplied by with each row that comes after it, in (0,1];
                          default 1: rows do not fade */
} lsqnet_state_options;

/** What a state holds. */
typedef struct lsqnet_state_info {
  uint32_t size;     /**< sizeof of this struct in the caller's build */
  uint32_t reserved; /**< zero */
  int64_t rows;      /**< appended and not removed */
  int64_t repairs;   /**< times that the moments have been summed up anew */
  double drift;      /**< bound of what roundings of updates have changed in the moments of a column, relative to them */
} lsqnet_state_info;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_state_options_init(lsqnet_state_options *options, uint32_t size);

/** Creates a state without rows.
 *  Errors   E_ARGUMENT (field and value), E_SHAPE (n, k), E_VERSION, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_state_create(lsqnet_state **out, lsqnet_context *context,
                                             const lsqnet_state_options *options);

/** Frees a state; NULL is fine. */
LSQNET_API void lsqnet_state_destroy(lsqnet_state *state);

/** Errors: E_ARGUMENT, E_VERSION. */
LSQNET_API lsqnet_status lsqnet_state_get_info(const lsqnet_state *state, lsqnet_state_info *info, uint32_t size);

/** Adds rows to a state; the bits are those of rows added one by one.
 *  Shapes   a (rows,n) row-major, lda >= n; b (rows,k), ldb >= k.
 *  Cost     rows (n+k)^2 pairs, whatever has gone before; allocates nothing unless rows are kept.
 *  Errors   E_ARGUMENT, E_SHAPE, E_NOT_FINITE (row and column of NaN, infinity or what is beyond 2^450), E_UNSUPPORTED
 *           (rounding mode), E_MEMORY; none of the rows has been added then. */
LSQNET_API lsqnet_status lsqnet_solver_append_rows(lsqnet_solver *solver, lsqnet_state *state, int64_t rows,
                                                   const double *a, int64_t lda, const double *b, int64_t ldb);

/** Takes rows out of a state again. With a and b NULL the oldest ones, which needs keep_rows. With keep_rows rows must be
 *  there, number by number, and the oldest of several equal ones goes; without, the caller answers for that.
 *  Cost     as append; with keep_rows rows that are given are looked for among those kept, oldest first. Where a drift shows
 *           that removing has cost digits, the next solve makes the moments anew from the rows kept.
 *  Errors   as append; E_ARGUMENT (more rows than there are; a row that is not there: which), E_UNSUPPORTED (fading rows, or
 *           the oldest ones, where rows are not kept). No row has been removed then. */
LSQNET_API lsqnet_status lsqnet_solver_remove_rows(lsqnet_solver *solver, lsqnet_state *state, int64_t rows,
                                                   const double *a, int64_t lda, const double *b, int64_t ldb);

/** Solves min ||A X - B|| (and a ridge: the solver's options count) for the rows that the state holds.
 *  Shapes   x (n,k), ldx >= k, and reports (k) as lsqnet_solver_solve_f64.
 *  Cost     of the order of n^3, whatever the number of rows: a folded model (and any other, by way of the triangular
 *           factor) answers from moments. With keep_rows moments are summed up anew where that alone keeps an answer from
 *           its certificate, and the rows themselves are solved where moments do not reach each component's last digit.
 *           The first solve of a state by a solver, and one for which rows kept have needed more room since, allocates
 *           what any later one may need: as a problem of n + k rows, or of the rows kept, would.
 *  Note     Moments carry some 2^-100 of themselves, times the drift: answers are right to the last digit up to a condition
 *           of about 10^6, and up to 10^14 lose twice the digits that the condition has beyond that; reports say how
 *           many are left. That is said of the components that are large, with columns of A at norm 1, and as large as b:
 *           one that is f times smaller than the largest, or than b, loses the digits of f besides, and is certain only
 *           as far as that leaves any.
 *           `digits` is of the worst component all the same, relative to itself; E_NOT_CONVERGED comes of those down to
 *           2^-20 of the largest, so that OK may go with few digits, or none, where a component is smaller than that: as
 *           that of a column which has faded, too.
 *           Where rows are kept and are solved, all is as in lsqnet_solver_solve_f64.
 *           A residual below some 2^-50 (||A|| ||x|| + ||b||), or the root of the drift times that, cannot be seen, and
 *           is reported as that; the backward error is told from above likewise, and is 1 where the drift of a column is
 *           above 2^-20. Squares below 2^-1022 lose digits, which the drift tells, and
 *           are at last zero: columns of nothing else need keep_rows, or to be scaled.
 *           Columns are taken to depend on each other (E_RANK, or an answer of least norm) where moments show that they do
 *           to 2^-40 of themselves. Where drift may make up for more than that, it hides the rank: E_NOT_CONVERGED, digits
 *           0, rank -1 and condition 0 (not known), and the message names the drift.
 *  Returns  as lsqnet_solver_solve_f64; E_RANK if there are fewer rows than unknowns, but for min_norm and ridge. */
LSQNET_API lsqnet_status lsqnet_solver_solve_state(lsqnet_solver *solver, lsqnet_state *state, double *x, int64_t ldx,
                                                   lsqnet_report *reports);

/** Names of methods, stops, roads and reasons as the command prints them ("direct", "converged", "problems", "small");
 *  NULL for a number that is none. */
LSQNET_API const char *lsqnet_method_name(int32_t method);
/** Name of an LSQNET_STOP_ number. */
LSQNET_API const char *lsqnet_stop_name(int32_t stopped);
/** Name of an LSQNET_ROAD_ number. */
LSQNET_API const char *lsqnet_road_name(int32_t road);
/** Name of an LSQNET_WHY_ number. */
LSQNET_API const char *lsqnet_why_name(int32_t why);

#ifdef __cplusplus
}
#endif
#endif
