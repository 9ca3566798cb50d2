/** @file
 * Prompts: how a least-squares problem (A, b, x) lies in the rows and channels of a sequence. Tasks: where training pairs
 * come from, and which outputs are scored.
 *
 *   split        rows [a_i, b_i, 0], then [0, 0, x]     L+1 rows, 2D+1 channels, read at the last row
 *   repeat       rows [a_i, b_i, x]                     L   rows, 2D+1 channels, read at the last row
 *   query_first  [x, 0], then rows [a_i, b_i]           L+1 rows,  D+1 channels, read at the last row
 *   query_last   rows [a_i, b_i], then [x, 0]           L+1 rows,  D+1 channels, read at the last row */
#ifndef LSQNET_TASK_H
#define LSQNET_TASK_H

#include <lsqnet/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Rows T, channels W and the row that is read, for prompt `name` of L rows of data and D unknowns; each out pointer may
 *  be NULL.
 *  Errors   E_ARGUMENT (unknown name: the message lists all), E_SHAPE (L or D below 1, or sizes that overflow). */
LSQNET_API lsqnet_status lsqnet_prompt_shape(const char *name, int64_t rows, int64_t dim, int64_t *prompt_rows,
                                             int64_t *prompt_width, int64_t *read_row);

/** Lays a problem out as one prompt.
 *  Shapes   a (L,D) with `lda` >= D values from row to row, b (L), x (D); out (T,W), written whole.
 *  Errors   as prompt_shape; E_ARGUMENT if a pointer is NULL; E_SHAPE if lda < D. */
LSQNET_API lsqnet_status lsqnet_prompt_fill_f64(const char *name, int64_t rows, int64_t dim, const double *a, int64_t lda,
                                                const double *b, const double *x, double *out);
/** lsqnet_prompt_fill_f64 in float32. */
LSQNET_API lsqnet_status lsqnet_prompt_fill_f32(const char *name, int64_t rows, int64_t dim, const float *a, int64_t lda,
                                                const float *b, const float *x, float *out);

/** Name of prompt `index` (0, 1, ...), or NULL when there is none. */
LSQNET_API const char *lsqnet_prompt_name(int64_t index);

/** A task: a sampler, a prompt and what is scored. Held by the trainers that use it, so it may be destroyed before them;
 *  read-only after its creation, so threads may share one. */
typedef struct lsqnet_task lsqnet_task;

/** Laws of the entries of A and of x, all with mean 0 and, where it is finite, variance 1. */
enum { LSQNET_LAW_NORMAL = 0, LSQNET_LAW_UNIFORM = 1, LSQNET_LAW_LAPLACE = 2, LSQNET_LAW_STUDENT_T = 3 };

/** Options of a task; those that a task does not use are ignored. Symbols as in docs/tasks.md. */
typedef struct lsqnet_task_options {
  uint32_t size;           /**< sizeof of this struct in the caller's build */
  int32_t setting;         /**< explicit_gradient: 0 the last row (default), 1 all rows; least_squares_icl: 0 neighbouring
                                rows (default), 1 one row a pair */
  int64_t rows;            /**< L; default 20 */
  int64_t dim;             /**< D; default 5 */
  int64_t iterates;        /**< k of multistep_gd; default 1 */
  int64_t points;          /**< evaluation points n of the ODE tasks; default 25 */
  uint64_t seed;           /**< fixes what a task draws once (read: i and j; linear: c); default 0 */
  double step;             /**< s of multistep_gd and momentum; default 0.5 */
  double momentum;         /**< beta of momentum; default 0.9 */
  double condition;        /**< > 1: singular values of A mapped affinely to [1, condition]; 0 (default): left alone;
                                not with sparsity */
  double singular_max;     /**< > 0, with condition: the largest is this and the smallest this / condition; default 0 */
  double scale_a;          /**< factor on A; default 1 */
  double scale_x;          /**< factor on x and x_init; default 1 */
  double freedom;          /**< degrees of freedom of LSQNET_LAW_STUDENT_T; default 3 */
  double sparsity;         /**< share of A's entries that are set to zero; default 0 */
  double ode_spread;       /**< o; default 1 */
  double ode_variance;     /**< v of the forcing's kernel; default 1 */
  double ode_initial;      /**< s of the initial values; default 1 */
  double ode_noise;        /**< standard deviation of noise on the examples' u; default 0 */
  int32_t law_a;           /**< LSQNET_LAW_ number of A's entries; default normal */
  int32_t law_x;           /**< the same of x's */
  int32_t normalise_rows;  /**< 1: rows of A at unit norm; default 0 */
  int32_t normalise_x;     /**< 1: x and x_init at unit norm; default 0 */
  int32_t ode_class;       /**< 0 all terms (default), 1 without a2, 2 without a1 */
  int32_t ode_points;      /**< 0 equispaced (default), 1 random, 2 Chebyshev */
  const char *name;        /**< default "explicit_gradient" */
  const char *prompt;      /**< NULL (default): the task's own. explicit_gradient and multistep_gd take each of "split",
                                "repeat", "query_first", "query_last"; the others refuse all but their own */
} lsqnet_task_options;

/** What a model must look like for a task, and what of its output counts: the loss is the mean of squared errors over
 *  `count` rows first, first + stride, ... and the output channels scored_first .. scored_first + scored - 1. */
typedef struct lsqnet_task_shape {
  uint32_t size;     /**< sizeof of this struct in the caller's build */
  uint32_t reserved; /**< zero */
  int64_t rows;         /**< T of a sequence */
  int64_t in_width;     /**< channels of x */
  int64_t out_width;    /**< channels of y, at least */
  int64_t first;        /**< first row that is scored */
  int64_t stride;       /**< from one such row to the next */
  int64_t count;        /**< such rows */
  int64_t scored_first; /**< first output channel that is scored */
  int64_t scored;       /**< such channels */
} lsqnet_task_shape;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_task_options_init(lsqnet_task_options *options, uint32_t size);

/** Creates one of the library's tasks: "identity", "square", "multiply", "read", "linear", "least_squares",
 *  "least_squares_icl", "explicit_gradient", "multistep_gd", "ode_icl", "ode_icl_final", "newton_schulz", "power_step",
 *  "momentum". `options` NULL means the defaults.
 *  Errors   E_ARGUMENT (field and value; an unknown name lists all), E_SHAPE, E_VERSION, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_task_create(lsqnet_task **out, lsqnet_context *context,
                                            const lsqnet_task_options *options);

/** Draws samples first .. first+count-1 of batch `step`: x (count,rows,in_width) and target (count,shape.count,scored),
 *  both written whole. What it writes must be a function of its numbers alone. From any thread. */
typedef lsqnet_status (*lsqnet_draw_fn)(void *user, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                                        double *target);

/** A host's own task, called `name` (copied); `user` is the first argument of `draw`, and both live as long as the task.
 *  Errors   E_ARGUMENT (a pointer but `user` is NULL, reserved is not 0), E_SHAPE (sizes below 1, rows or channels scored that
 *           are not among the shape's: which), E_VERSION, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_task_create_custom(lsqnet_task **out, lsqnet_context *context, const char *name,
                                                   const lsqnet_task_shape *shape, lsqnet_draw_fn draw, void *user);

/** Gives up the caller's reference; NULL is fine. */
LSQNET_API void lsqnet_task_destroy(lsqnet_task *task);

/** What a model must look like for the task. Errors: E_ARGUMENT, E_VERSION. */
LSQNET_API lsqnet_status lsqnet_task_get_shape(const lsqnet_task *task, lsqnet_task_shape *shape, uint32_t size);

/** The options a task was made from; a custom task has only its name. Texts live as long as the task. */
LSQNET_API lsqnet_status lsqnet_task_get_options(const lsqnet_task *task, lsqnet_task_options *options, uint32_t size);

/** Draws training pairs as lsqnet_draw_fn has it, from counter-based streams: (seed, step, sample) fixes a pair. Targets
 *  are computed in float64 with compensated sums; the f32 form rounds both. From any thread.
 *  Errors   E_ARGUMENT (NULL, negative first or count), E_MEMORY, E_UNSUPPORTED (rounding mode not to nearest), or a
 *           custom task's own. */
LSQNET_API lsqnet_status lsqnet_task_draw_f64(const lsqnet_task *task, uint64_t seed, uint64_t step, int64_t first,
                                              int64_t count, double *x, double *target);
/** lsqnet_task_draw_f64, rounded once. */
LSQNET_API lsqnet_status lsqnet_task_draw_f32(const lsqnet_task *task, uint64_t seed, uint64_t step, int64_t first,
                                              int64_t count, float *x, float *target);

/** Name of the library's task `index` (0, 1, ...), or NULL when there is none. */
LSQNET_API const char *lsqnet_task_name(int64_t index);

#ifdef __cplusplus
}
#endif
#endif
