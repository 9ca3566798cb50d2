/* The solver's inside. A problem goes through it in this order:
 *
 *   take.c         the caller's numbers as rows of doubles, weighted, rows of a ridge below them
 *   scaling.c      columns and right-hand side to unit size by powers of two
 *   respond.c      the model's answers, summed over blocks of rows, for any pair of column blocks
 *   fold.c         or, for a layer of linear attention, a map from second moments that gives the same (fold.h)
 *   factor.c       repeated Cholesky-QR: R with A = Q R from the Gram matrices that the answers reveal
 *   least_norm.c   for columns that depend on each other, the shortest of all answers
 *   wide.c         for fewer rows than columns, the shortest one from independent rows; least_norm.c where those are
 *                  nearly parallel and columns are not
 *   iterations.c   gradient descent, Chebyshev, conjugate gradients on the model's products
 *   correction.c   one correction of an answer, and what it leaves of an error
 *   refine.c       outer refinement: compensated residuals decide what x is, the model only how fast it is reached
 *   certificate.c  backward error and right digits of the answer that is handed out
 *   passes.c       what goes over all rows, with looks at the limits of limits.c
 *   exact.c        A'(b - A x) without roundings, where those of sums in twice the precision weigh too much
 *   solve.c        all of it for k right-hand sides, and the report
 *
 * A solver without a model of its own hands the problem to one on a shipped model (shipped.h). */
#ifndef LSQ_SOLVE_SOLVER_H
#define LSQ_SOLVE_SOLVER_H

#include <lsqnet/solver.h>
#include <stdatomic.h>

#include "base/context.h"
#include "base/use.h"
#include "kernels/kernels.h"
#include "prompts/prompt.h"

/* A problem that failed, and its message. */
typedef struct {
  lsqnet_status status;
  int64_t problem;
  char text[400];
} lsq_failure;

/* What the last call has made room for, and how large solver->memory was then. */
typedef struct {
  int64_t m, n, k, width, solvers, memory;
  int weighted, a_pairs, b_pairs, in_lanes, ridge_within;
} lsq_room;

struct lsqnet_solver {
  lsqnet_context *context;
  lsq_users users;
  uint64_t serial; /* no other solver of the context has it or has had it; a new one once memory has been trimmed */
  lsqnet_solver *leader; /* of another thread's: the solver whose model, fold and limits hold; else NULL */
  lsqnet_solver_options options;
  double precision;    /* unit of the answer's number type: DBL_EPSILON or FLT_EPSILON */
  lsqnet_model *model; /* float64, ours; its step is checked */
  lsqnet_model_step step;
  const lsq_prompt *prompt;
  int64_t prompt_rows, prompt_width, read_row;
  int64_t answer_width;        /* the model's outputs: D, or more, of which the first D count */
  double *node_weights;        /* (step.iterates), see respond.c */
  struct lsq_fold *fold;       /* of the model; NULL if it has none: see fold.h */
  lsqnet_workspace *workspace; /* without a fold: of `batch` sequences on their way through the model */
  int64_t batch;
  double *prompts, *answers, *block, *block_rhs;
  double *without_data;   /* (answer_width), see respond.c */
  double *probes;         /* queries, answers and columns of lsq_gram */
  int64_t model_calls;    /* sequences, since the solve began */
  double *memory;         /* of the problem at hand, or the group of a batch in lanes */
  int8_t *outcomes;       /* one a problem */
  lsqnet_report *reports; /* of one problem */
  int64_t memory_capacity, outcomes_capacity, reports_capacity;
  lsq_room room;
  lsq_failure failure;     /* of the problems of a batch that it has solved one at a time, the first */
  int busy;                /* a thread is at work on it */
  lsqnet_solver **others;  /* for the pool's other threads, NULL until needed (room.c) */
  double deadline;         /* of the call, see lsq_limits_begin */
  int64_t passed;          /* numbers that the caller's thread has passed over since it looked at the limits */
  atomic_int halted;       /* LSQNET_STOP_TIME or CALLER once the call has to end; NONE else */
  lsqnet_solver **shipped; /* without a model: solvers on the shipped ones, NULL until needed (shipped.h); else NULL */
};

/* Besides 0 and 1, for options.min_norm: the least norm for m < n, and E_RANK when rows depend on each other. */
enum { LSQ_MIN_NORM_OF_FULL_RANK = 2 };

/* `model` NULL: on the shipped ones. */
lsqnet_status lsq_solver_create(lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model,
                                const lsqnet_solver_options *options);
void lsq_solver_destroy(lsqnet_solver *solver);

/* Frees what the caller's thread has needed for the problems so far; NULL is fine. */
void lsq_solver_trim(lsqnet_solver *solver);

/* One for another thread, which lives as long as its leader. */
lsqnet_status lsq_solver_join(lsqnet_solver **out, lsqnet_solver *leader);

/* The leader itself and the others, once lsq_make_room has seen to them. */
static inline lsqnet_solver *lsq_solver_of(lsqnet_solver *leader, int64_t index) {
  return index > 0 ? leader->others[index - 1] : leader;
}

typedef struct lsq_problems lsq_problems; /* batch.h */

/* One problem. Its numbers are where the caller has them: lsq_take_matrix and lsq_take_side get them. */
typedef struct {
  const lsq_problems *problems;
  int64_t p;
  int64_t m, n, k;      /* m: the rows of a ridge included */
  int a_pairs, b_pairs; /* whether A and B have low parts */
  int rounded;          /* rows are multiplied by roots, which pairs hold to some 2^-105 only */
  int derived;          /* not the caller's own numbers, but pairs computed from them */
} lsq_data;

/* Solves all right-hand sides: *X (n,k), in the solver's memory; reports (k). See lsqnet_solver_solve_f64. */
lsqnet_status lsq_solve(lsqnet_solver *solver, const lsq_data *data, const double **X, lsqnet_report *reports);

/* Makes room for that, on whatever road but one: for columns of more than 256 unknowns whose equations, fewer than
 * they, depend on each other. */
lsqnet_status lsq_solve_reserve(lsqnet_solver *solver, const lsq_data *data);

/* ---- take.c ---- */

/* Problem p. E_SHAPE if there are more rows than can be addressed. */
lsqnet_status lsq_describe(const lsqnet_solver *solver, const lsq_problems *problems, int64_t p, lsq_data *data);

/* E_NOT_FINITE or E_ARGUMENT, naming the place, if a number is not finite or a weight negative; E_STOPPED. */
lsqnet_status lsq_check_numbers(lsqnet_solver *solver, const lsq_data *data);

/* A (m,n) and right-hand side `side` (m), with their low parts where they have such, else NULL: times 2^-exponent,
 * which is 0 without weights; exponents (n) of A's columns, and of the side the one returned. What is left over when
 * the call has to end is not written. */
void lsq_take_matrix(lsqnet_solver *solver, const lsq_data *data, double *A, double *A_low, double *exponents);
int lsq_take_side(lsqnet_solver *solver, const lsq_data *data, int64_t side, double *b, double *b_low);

/* x 2^exponent as the caller's number type has it: digits go where that is denormal, all of it where it overflows, and
 * the report says so. */
double lsq_hand_out(const lsqnet_solver *solver, double x, int exponent, lsqnet_report *report);

/* ---- limits.c ---- */

/* Starts the clock of a call. */
void lsq_limits_begin(lsqnet_solver *solver);

/* Asks clock and caller, on the caller's thread: LSQNET_E_STOPPED, and why in solver->halted, if it has to end. A
 * solver with a leader asks as lsq_limits_look does on another thread. */
lsqnet_status lsq_limits_check(lsqnet_solver *solver);

/* The same on any thread of the pool, without a message; nonzero if the call has to end. Only thread 0, the caller's,
 * asks the caller: the others look at the clock, and at what thread 0 has found. */
int lsq_limits_look(lsqnet_solver *solver, int64_t thread);

/* Passes over a large A look each time that so many of its numbers are through: some tenths of a millisecond. */
enum { LSQ_LIMITS_EVERY = 1 << 17 };

/* E_STOPPED if a look has found that the call has to end; asks nobody. */
lsqnet_status lsq_limits_found(lsqnet_solver *solver);

/* ---- passes.c ---- */

/* On the caller's thread: so many numbers will be passed over next. Nonzero once the call has to end: then passes end
 * early, here and below, and what they leave is worth nothing. lsq_solve tells, by lsq_limits_found, when they are
 * back. */
int lsq_pass(lsqnet_solver *solver, int64_t numbers);

/* As lsq_residual, and as lsq_transposed_product for A'r in three times the precision, rounded to pairs (g, g_low,
 * work: n), or in pairs (kernels/compensated.h). A (m,n). */
void lsq_pass_residual(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                       const double *x, const double *x_low, const double *b, const double *b_low, double *r,
                       double *r_low);
void lsq_pass_gradient(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                       const double *r, const double *r_low, double *g, double *g_low, double *work);
void lsq_pass_transposed(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, const double *A_low,
                         const double *r, const double *r_low, double *g, double *g_low);

/* C (n,k) = A'B, A (m,n), B (m,k), in the parts that passes.c says. */
void lsq_pass_product(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *A, int64_t lda,
                      const double *B, int64_t ldb, double *C, int64_t ldc);

/* lsq_norm */
double lsq_pass_norm(lsqnet_solver *solver, int64_t count, const double *v);

/* ---- scaling.c ---- */

/* Exponent e with 2^(e-1) <= root mean square of the `count` values at distance `stride` < 2^e; 0 if all are zero. */
int lsq_scale_exponent(int64_t count, const double *values, int64_t stride);

/* The root of the sum of squares, whether or not squares over- or underflow. */
double lsq_norm(int64_t n, const double *v);

/* value 2^exponent, exact unless it over- or underflows; what is not zero does not become so. */
double lsq_scaled(double value, int exponent);

/* The same of `count` values. */
void lsq_scale_copy(int64_t count, const double *values, int64_t stride, int exponent, double *out, int64_t out_stride);

/* ---- respond.c ---- */

/* What passes through the model take: all that is below does, but for a solver whose model is folded. */
lsqnet_status lsq_prompts_open(lsqnet_solver *solver);
void lsq_prompts_close(lsqnet_solver *solver);

/* The model as an operator: for each of `queries` vectors x (in X, row by row, `count` values each), the sum over
 * blocks of rows of L times the gradient that the model answers for the columns `columns` of A and right-hand side b:
 * nearly A_c'(A_c x - b).  b NULL means zero.  count <= D; out (queries,count). */
lsqnet_status lsq_respond(lsqnet_solver *solver, int64_t m, const double *A, int64_t lda, const double *b,
                          int64_t count, const int64_t *columns, int64_t queries, const double *X, double *out);

/* G = A'A (n,n), symmetric, as differences of answers: probes of unit vectors, in pairs of column blocks when n > D. */
lsqnet_status lsq_gram(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, double *G,
                       int64_t ldg);

/* The same for `count` problems, at most lsq_gram_together: A (count,m,n), G (count,n,n). */
lsqnet_status lsq_gram_many(lsqnet_solver *solver, int64_t count, int64_t m, int64_t n, const double *A, double *G);

/* As many as need to be asked about together to fill the passes through the model that there is no fold of. */
int64_t lsq_gram_together(const lsqnet_solver *solver, int64_t m, int64_t n);

/* Sequences that lsq_gram asks for; a fold stands in for as many. */
int64_t lsq_gram_sequences(const lsqnet_solver *solver, int64_t m, int64_t n);

/* c = A'b as differences of answers. */
lsqnet_status lsq_gram_rhs(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, const double *b,
                           double *c);

/* ---- factor.c ---- */

/* A P = Q R, columns of A at unit scale; with rank < n only the first `rank` rows of R are meant. */
typedef struct {
  const struct lsq_kernels_f64 *kernels;
  int64_t n, rank;
  double *Q;      /* (m,n) */
  double *R;      /* (n,n), upper triangle, in the order below */
  int64_t *order; /* order[i]: the column of A at place i */
  int64_t passes;
  double sigma_max, sigma_min; /* of R with columns at unit norm: condition = sigma_max / sigma_min */
  double *G;                   /* (n,n): Gram matrix */
  double *M, *K, *S;           /* (n,n) each, and place: see least_norm.c */
  double *E;                   /* (rank, n - rank), behind M in its room: what M's entries may have wrong */
  int64_t *place;              /* (n) */
  double *inverse_rows;        /* (n): norms of the rows of R^-1, by column of A; for full rank */
  double inverse_norm;         /* 1 / smallest singular value of R */
  double *norms, *work;        /* (n), (4 n) */
} lsq_factor;

/* Repeats Cholesky-QR until all columns are orthogonalised or found dependent; factor->Q must hold A on entry.
 * *contradiction is 1, and the factor worth nothing, if the model's answers cannot be A'A. */
lsqnet_status lsq_factor_compute(lsqnet_solver *solver, int64_t m, lsq_factor *factor, int *contradiction);

/* sigma_max / sigma_min, where rank > 0. */
double lsq_factor_condition(const lsq_factor *factor);

/* d = (A'A)^-1 (g + g_low) for full rank; g_low NULL means zero, here and below. */
void lsq_factor_solve(const lsq_factor *factor, const double *g, const double *g_low, double *d);

/* For full rank: row `column` of R^-1 by place, and of (A'A)^-1 by column; n each. */
void lsq_factor_inverse_row(const lsq_factor *factor, int64_t column, double *row, double *square);

/* y = R^-T P' (g + g_low) and d = P R^-1 y: the two halves of the above. */
void lsq_factor_solve_transposed(const lsq_factor *factor, const double *g, const double *g_low, double *y);
void lsq_factor_solve_plain(const lsq_factor *factor, const double *y, double *d);

/* roundings (n): what those of lsq_factor_solve may come to in components of a solution of these sizes (n), for full
 * rank; 0 in such as R keeps apart from all that are not 0. */
void lsq_factor_roundings(const lsq_factor *factor, const double *sizes, double *roundings);

/* ---- least_norm.c ---- */

/* For rank <= n: prepares, and applies, z = the correction of least norm of `unscale` z; unscale_j are the powers of
 * two that bring column-scaled unknowns back to the caller's, or a common multiple of them. */
void lsq_least_norm_prepare(lsq_factor *factor, const double *unscale);
void lsq_least_norm_solve(const lsq_factor *factor, const double *unscale, const double *g, const double *g_low,
                          double *z);

/* Adds to uncertain (n) what roundings may have moved z along the columns' dependences. */
void lsq_least_norm_uncertainty(const lsq_factor *factor, const double *unscale, const double *z, double *uncertain);

/* ---- iterations.c ---- */

/* x -> A'A x through the model, or through a Gram matrix: when the model cannot hold all columns, and when it is
 * folded, so that what it made of the rows serves every later iterate. */
typedef struct {
  lsqnet_solver *solver;
  int64_t m, n;
  const double *A;
  int64_t lda;
  const double *G;          /* (n,n) or NULL: ask the model */
  const int64_t *columns;   /* 0 .. n-1 */
  double *zero_answer;      /* (n): the model's answer to x = 0 */
  double *unit;             /* (n): x as the model sees it */
  double largest, smallest; /* estimates of the extreme eigenvalues */
} lsq_operator;

lsqnet_status lsq_operator_apply(const lsq_operator *op, const double *x, double *y);

/* Up to so many unknowns the extreme eigenvalues are exact but for roundings, and rank deficiency is seen. */
enum { LSQ_LANCZOS_MOST = 256 };

/* Estimates op->largest and op->smallest by min(n, LSQ_LANCZOS_MOST) Lanczos steps; work as many times (n + 2), and n.
 * Both 0 if op is zero. */
lsqnet_status lsq_operator_spectrum(lsq_operator *op, double *work);

/* Solves A'A x = c from x = 0 until the residual has fallen by `reduction` or `limit` iterations; adds to *iterations.
 * work (4 n). */
lsqnet_status lsq_iterate(const lsq_operator *op, int32_t method, double step, int64_t limit, double reduction,
                          const double *c, double *x, double *work, int64_t *iterations);

/* Iterations after which the theory of `method` promises the residual to have fallen by `reduction`. */
double lsq_iterations_needed(const lsq_operator *op, int32_t method, double reduction);

/* The paper's own iterate: x <- x - step g(x), g straight from the model with b in its prompt, or its fold's. work
 * (2 n). */
lsqnet_status lsq_plain_descent(const lsq_operator *op, const double *b, double step, int64_t limit, double reduction,
                                double *x, double *work, int64_t *iterations);

/* ---- correction.c ---- */

enum { LSQ_EXACT_TERMS = 40 };

/* One problem at unit scale, and the way in which its corrections are made. */
typedef struct {
  lsqnet_solver *solver;
  int64_t m, n;
  const double *A, *A_low; /* (m,n), lda n */
  double norm_A;           /* Frobenius */
  int32_t method;
  struct lsq_wide *wide;  /* m < n, full rank: see wide.h; NULL: not so */
  lsq_factor *factor;     /* NULL: iterate on `op` as it is; of A' for `wide` */
  const lsq_operator *op; /* on A, or on factor->Q */
  const double *unscale;  /* (n) */
  int min_norm;
  int rounded;   /* as in lsq_data */
  double *work;  /* (8 n) */
  double *exact; /* (n,LSQ_EXACT_TERMS), see exact.c; NULL: the data are not the caller's own */
} lsq_problem;

/* d = a correction from g + g_low = A'r: about (A'A)^-1 (g + g_low). */
lsqnet_status lsq_correct(const lsq_problem *problem, const double *g, const double *g_low, double *d,
                          int64_t *iterations);

/* What a correction leaves of an error, relative to it, as it is made. */
double lsq_left_by_correction(const lsq_problem *problem);

/* shares (n): what the last correction, which vectors + 2 n holds, may have left wrong in each component of x: as
 * measured, what another one leaves of that and of what twice the precision does not hold of x, with room, and what its
 * roundings may be. For a direct correction of full rank. r, r_low (m) and of vectors (8 n) those but the fifth and
 * sixth are for its use; shares may be the last. */
void lsq_correction_shares(const lsq_problem *problem, const double *x, double *r, double *r_low, double *vectors,
                           double *shares);

/* ---- refine.c ---- */

/* Refines x (n), from zero, for right-hand side b + b_low at unit scale; r, r_low (m) and vectors (8 n) are for its
 * use. Fills the report but for model_calls, condition and rank. */
lsqnet_status lsq_refine(const lsq_problem *problem, const double *b, const double *b_low, double *x, double *r,
                         double *r_low, double *vectors, lsqnet_report *report);

/* ---- certificate.c ---- */

/* Rounds x to the caller's precision; backward error and residual norm at unit scale, compensated. vectors (2 n). */
void lsq_certify(const lsq_problem *problem, const double *b, const double *b_low, double *x, double *r, double *r_low,
                 double *vectors, lsqnet_report *report);

/* A converged x of full rank is exact for A + E, E = (r's part in the range of A) x' / x'x (Stewart 1977), and that may
 * be a smaller bound: where ||A|| ||x|| dwarfs ||r||, rounding x alone makes the other two large. `gradient` (2 n):
 * A'r, the low parts behind it, as lsq_certify leaves it in `vectors`; part (n). */
void lsq_sharpen_backward_error(const lsq_problem *problem, const double *x, const double *gradient, double *part,
                                lsqnet_report *report);

#define LSQ_PAIR_ROUNDING 0x1p-102  /* of sums in twice the precision, with room for their length */
#define LSQ_UNDERFLOW     0x1p-1060 /* of products */

/* uncertain (n): what the roundings of compensated sums may have left wrong in the components of a refined x, of which
 * r (m) is the residual. */
void lsq_uncertainty(const lsq_problem *problem, const double *b, const double *x, const double *r,
                     double residual_norm, double *uncertain);

/* Where components cannot be told from 0 by compensated sums, but can be shown to be 0 by sums without roundings, they
 * become that and are certain: if x is the answer without any error then, or if their columns are orthogonal to b and
 * to the others. Returns whether that was so; otherwise x stays as it is. candidate (n). */
int lsq_settle_zeros(const lsq_problem *problem, const double *b, const double *b_low, double *x, double *candidate,
                     double *uncertain);

/* Digits of the worst component of x, of which `uncertain` are the errors beside its last rounding. */
double lsq_right_digits(const lsq_problem *problem, const double *x, const double *uncertain);

/* ---- exact.c ---- */

/* g + g_low (n) = A'(b + b_low - A (x + x_low)), summed up without any rounding. Returns 0 where that cannot be: data
 * that are not the caller's own, sums with more than LSQ_EXACT_TERMS terms, products that underflow. */
int lsq_exact_gradient(const lsq_problem *problem, const double *b, const double *b_low, const double *x,
                       const double *x_low, double *g, double *g_low);

/* Whether that is 0; 0 as well where it cannot be summed up. */
int lsq_is_exact(const lsq_problem *problem, const double *b, const double *b_low, const double *x);

/* Whether v'w = 0 likewise, of m numbers at distances v_step and w_step. */
int lsq_is_orthogonal(int64_t m, const double *v, int64_t v_step, const double *w, int64_t w_step);

#endif
