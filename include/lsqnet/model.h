/** @file
 * Models: a read-in, positions, blocks (mixer, optional MLP, optional LayerNorms, residual) and a read-out, and the
 * workspaces in which they run.
 *
 *   u0 = x W_in' + b_in + positions
 *   u  = u + mixer(norm_1(u));  u = u + mlp(norm_2(u))        once a block; without `residual` both skips are gone
 *   y  = final_norm(u) W_out' + b_out
 *
 * Source: the reference implementation of Liu et al. 2025, arXiv 2503.12295. */
#ifndef LSQNET_MODEL_H
#define LSQNET_MODEL_H

#include <lsqnet/mixer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Weights and configuration. forward, backward and jvp only read it, so threads may share one, each with a workspace
 *  of its own; write_parameter, freeze and sgd_step must not run while another thread uses the model. Counted by
 *  reference: workspaces and trainers hold their model, so it may be destroyed before them. */
typedef struct lsqnet_model lsqnet_model;

/** Activations of one forward pass, what backward needs, and gradients; one thread at a time. */
typedef struct lsqnet_workspace lsqnet_workspace;

/** Precisions of weights and passes. */
enum { LSQNET_F32 = 1, LSQNET_F64 = 2 };
/** Activations of MLPs. */
enum { LSQNET_MLP_NONE = 0, LSQNET_MLP_RELU = 1, LSQNET_MLP_GELU = 2, LSQNET_MLP_GLU = 3 };

/** Options of lsqnet_model_create. */
typedef struct lsqnet_model_options {
  uint32_t size;              /**< sizeof of this struct in the caller's build */
  int32_t dtype;              /**< LSQNET_F64 (default) or LSQNET_F32 */
  int64_t rows;               /**< most rows T of a sequence; default 0, to be set, as in_width and out_width */
  int64_t in_width;           /**< channels of x */
  int64_t out_width;          /**< channels of y */
  int64_t width;              /**< channels D between read-in and read-out; default 64 */
  int64_t layers;             /**< blocks; default 3 */
  int64_t mlp_factor;         /**< hidden channels of an MLP over D; default 4 */
  int32_t mlp;                /**< an LSQNET_MLP_ number: activation of the MLPs; default LSQNET_MLP_NONE */
  int32_t residual;           /**< 1 (default): skips around mixers and MLPs */
  int32_t bias;               /**< 1 (default): the biases of attention, MLPs and LayerNorms */
  int32_t mixer_norm;         /**< LayerNorm before each mixer; default 0 */
  int32_t mlp_norm;           /**< LayerNorm before each MLP (no effect without an MLP); default 0 */
  int32_t final_norm;         /**< LayerNorm before the read-out; default 0 */
  int32_t freeze_projections; /**< 1: read-in and read-out start as (rectangular) identities and are frozen; default 0 */
  int32_t freeze_positions;   /**< 1: positions start at zero and are frozen; default 0 */
  uint64_t seed;              /**< fixes the initial weights; default 0 */
  const char *mixer;          /**< a registered name; default "base_conv" */
  const char *mixer_config;   /**< JSON object for the mixer; NULL (default) means {}. base_conv: "filter" ("short",
                                   default, "long", "implicit"), "causal" (true); of short filters "taps" (rows), and
                                   "shift" (0) and "shifted", by which the last `shifted` channels of a block look
                                   `shift` rows further back (taps and shift: a number, or an array of one a block).
                                   attention: "heads" (1), "softmax" (true), "causal" (true). identity: none. Unknown
                                   keys are refused. */
} lsqnet_model_options;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_model_options_init(lsqnet_model_options *options, uint32_t size);

/** Creates a model with random weights fixed by options->seed.
 *  Errors   E_ARGUMENT (field and value), E_SHAPE (sizes whose product overflows), E_UNSUPPORTED (a mixer that nobody
 *           registered), E_FORMAT (mixer_config is not JSON), E_VERSION, E_MEMORY, or the mixer's own. */
LSQNET_API lsqnet_status lsqnet_model_create(lsqnet_model **out, lsqnet_context *context,
                                             const lsqnet_model_options *options);

/** Gives up the caller's reference; NULL is fine. The model goes when the last workspace or trainer that holds it goes. */
LSQNET_API void lsqnet_model_destroy(lsqnet_model *model);

/** Draws the trained weight matrices anew, fixed by `seed`: normal with standard deviation 1 / sqrt(columns) in the
 *  projections and scale / sqrt(columns) in the blocks; positions, biases, norms and frozen parameters stay. Gauss-Newton
 *  starts well from scale 0.5 to 1, where the usual initial weights (deviation 0.02) are all but a saddle point.
 *  Errors   E_ARGUMENT (scale not positive). */
LSQNET_API lsqnet_status lsqnet_model_draw_weights(lsqnet_model *model, uint64_t seed, double scale);

/** A copy with weights of its own. Errors: E_ARGUMENT, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_model_clone(lsqnet_model **out, const lsqnet_model *model);

/** A copy in another precision: to LSQNET_F64 exact, to LSQNET_F32 rounded to nearest.
 *  Errors   E_NOT_FINITE if a weight overflows float32 (which one). */
LSQNET_API lsqnet_status lsqnet_model_convert(lsqnet_model **out, const lsqnet_model *model, int32_t dtype);

/** The options the model was made from (as a loaded file says them), texts included; they live as long as the model.
 *  Errors   E_ARGUMENT, E_VERSION. */
LSQNET_API lsqnet_status lsqnet_model_get_options(const lsqnet_model *model, lsqnet_model_options *options, uint32_t size);

/* What a model's output means, for models that carry out a step of an algorithm. */

/** Kinds of `lsqnet_model_step.output`. */
enum {
  LSQNET_OUTPUT_NONE = 0,     /**< the model takes no step that the library knows */
  LSQNET_OUTPUT_GRADIENT = 1, /**< y = A'(A x - b) / L */
  LSQNET_OUTPUT_ITERATE = 2,  /**< y = x after `iterates` steps x <- x - step * A'(A x - b) / L */
  LSQNET_OUTPUT_SOLUTION = 3  /**< y = argmin ||A x - b|| */
};

/** What a model carries out. */
typedef struct lsqnet_model_step {
  uint32_t size;      /**< sizeof of this struct in the caller's build */
  int32_t output;     /**< an LSQNET_OUTPUT_ number */
  int64_t rows;       /**< rows L of data in a prompt */
  int64_t dim;        /**< unknowns D */
  int64_t iterates;   /**< k >= 1 */
  double step;        /**< step size of LSQNET_OUTPUT_ITERATE */
  const char *task;   /**< e.g. "explicit_gradient"; NULL: none */
  const char *prompt; /**< a name of lsqnet/task.h, e.g. "split"; NULL: none */
} lsqnet_model_step;

/** Reads and writes what the model's step means; it is stored in model files. get: texts live as long as the model or
 *  until the next set.
 *  Errors   E_ARGUMENT (field and value), E_SHAPE (the prompt's rows and widths are not the model's), E_VERSION. */
LSQNET_API lsqnet_status lsqnet_model_get_step(const lsqnet_model *model, lsqnet_model_step *step, uint32_t size);
/** The other direction of lsqnet_model_get_step. */
LSQNET_API lsqnet_status lsqnet_model_set_step(lsqnet_model *model, const lsqnet_model_step *step);

/* Parameters: listed in a fixed order, by index or name; their values lie one after the other in one flat vector of
 * lsqnet_model_weight_count() numbers, which is also the layout of gradients and directions. */

/** What is known of a parameter. */
typedef struct lsqnet_parameter {
  uint32_t size;    /**< sizeof of this struct in the caller's build */
  int32_t frozen;   /**< 1: backward and steps pass over it */
  int64_t rank;     /**< 1 .. 4 */
  int64_t shape[4]; /**< the first `rank` are used */
  int64_t offset;   /**< of its first value in the flat vector */
  int64_t count;    /**< values */
  const char *name; /**< e.g. "blocks.0.mixer.in_proj.weight"; docs/model-files.md lists all; lives as long as the model */
  const char *reference_name; /**< in the reference implementation's files, or NULL; lives as long as the model */
} lsqnet_parameter;

/** Number of parameters, and of their values all together; 0 if `model` is NULL. */
LSQNET_API int64_t lsqnet_model_parameter_count(const lsqnet_model *model);
/** Values of all parameters together. */
LSQNET_API int64_t lsqnet_model_weight_count(const lsqnet_model *model);

/** Describes parameter `index`. Errors: E_ARGUMENT (index and count), E_VERSION. */
LSQNET_API lsqnet_status lsqnet_model_get_parameter(const lsqnet_model *model, int64_t index, lsqnet_parameter *out,
                                                    uint32_t size);

/** Index of the parameter called `name`, or -1. */
LSQNET_API int64_t lsqnet_model_find_parameter(const lsqnet_model *model, const char *name);

/** Copies the values of parameter `index` out of or into the model, converted to or from its precision; `count` must be
 *  the parameter's.
 *  Errors   E_ARGUMENT, E_SHAPE (count), E_NOT_FINITE (write: which element); a failed write changes nothing. */
LSQNET_API lsqnet_status lsqnet_model_read_parameter(const lsqnet_model *model, int64_t index, double *values,
                                                     int64_t count);
/** The other direction of lsqnet_model_read_parameter. */
LSQNET_API lsqnet_status lsqnet_model_write_parameter(lsqnet_model *model, int64_t index, const double *values,
                                                      int64_t count);

/** Freezes (1) or thaws (0) a parameter: backward and steps pass over frozen ones.
 *  Errors   E_ARGUMENT (index and count; `frozen` is neither 0 nor 1). */
LSQNET_API lsqnet_status lsqnet_model_freeze(lsqnet_model *model, int64_t index, int32_t frozen);

/* Running a model. */

/** Creates an empty workspace; the first call of each shape sizes it, later ones allocate nothing.
 *  Errors   E_ARGUMENT, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_workspace_create(lsqnet_workspace **out, const lsqnet_model *model);

/** Frees a workspace; NULL is fine. */
LSQNET_API void lsqnet_workspace_destroy(lsqnet_workspace *workspace);

/** A batch: B sequences of T rows, of whose output only the rows first .. first+count-1 are wanted, so that work which
 *  no wanted output needs is skipped. */
typedef struct lsqnet_batch {
  uint32_t size;     /**< sizeof of this struct in the caller's build */
  uint32_t reserved; /**< zero */
  int64_t batch;     /**< B >= 1 */
  int64_t rows;      /**< T, 1 .. options.rows */
  int64_t first;     /**< 0 .. T-1 */
  int64_t count;     /**< R, 1 .. T-first */
} lsqnet_batch;

/** y = model(x).
 *  Shapes   x (B,T,in_width), y (B,R,out_width), row-major; y is written whole.
 *  Note     x is copied into the workspace where backward needs it; the bits of a sequence's output depend neither on
 *           the other sequences nor on the number of threads.
 *  Errors   E_ARGUMENT, E_SHAPE (which size, its limit), E_MEMORY; E_ARGUMENT if the model has the other precision.
 *           NaN and infinity in x are no error: they travel into y. */
LSQNET_API lsqnet_status lsqnet_model_forward_f64(const lsqnet_model *model, lsqnet_workspace *workspace,
                                                  const lsqnet_batch *shape, const double *x, double *y);
/** lsqnet_model_forward_f64 in float32. */
LSQNET_API lsqnet_status lsqnet_model_forward_f32(const lsqnet_model *model, lsqnet_workspace *workspace,
                                                  const lsqnet_batch *shape, const float *x, float *y);

/** Vector-Jacobian product at the workspace's last forward pass: from dy = dL/dy (B,R,out_width) to dx = dL/dx
 *  (B,T,in_width; may be NULL) and the workspace's gradient dL/dweights, which is overwritten; frozen entries are zero.
 *  The gradient's bits do not depend on the number of threads. The model's weights must be those of the forward pass.
 *  Errors   E_ARGUMENT if there was no forward pass of this model and precision. */
LSQNET_API lsqnet_status lsqnet_model_backward_f64(const lsqnet_model *model, lsqnet_workspace *workspace,
                                                   const double *dy, double *dx);
/** lsqnet_model_backward_f64 in float32. */
LSQNET_API lsqnet_status lsqnet_model_backward_f32(const lsqnet_model *model, lsqnet_workspace *workspace,
                                                   const float *dy, float *dx);

/** The gradient of the last backward pass, (weight_count), or NULL before one; lives until the workspace's next use. */
LSQNET_API const double *lsqnet_workspace_gradient_f64(const lsqnet_workspace *workspace);
/** lsqnet_workspace_gradient_f64 in float32. */
LSQNET_API const float *lsqnet_workspace_gradient_f32(const lsqnet_workspace *workspace);

/** Jacobian-vector product at the workspace's last forward pass: dy (B,R,out_width) when x moves along dx (B,T,in_width;
 *  NULL: it stays) and the weights along `direction` (weight_count; NULL: they stay; frozen ones move too).
 *  Errors   as backward; E_UNSUPPORTED if a mixer has no jvp. */
LSQNET_API lsqnet_status lsqnet_model_jvp_f64(const lsqnet_model *model, lsqnet_workspace *workspace, const double *dx,
                                              const double *direction, double *dy);
/** lsqnet_model_jvp_f64 in float32. */
LSQNET_API lsqnet_status lsqnet_model_jvp_f32(const lsqnet_model *model, lsqnet_workspace *workspace, const float *dx,
                                              const float *direction, float *dy);

/** One step of gradient descent: w <- w - rate * gradient of the workspace's last backward pass, frozen weights apart.
 *  Errors   E_ARGUMENT (no gradient; rate not finite), E_NOT_FINITE if a weight would not be finite (which; no weight
 *           changes then). */
LSQNET_API lsqnet_status lsqnet_sgd_step(lsqnet_model *model, const lsqnet_workspace *workspace, double rate);

/* Models whose weights are set by formula. */

/** Options of lsqnet_model_construct_gradient and lsqnet_model_construct_iterates. */
typedef struct lsqnet_construct_options {
  uint32_t size;      /**< sizeof of this struct in the caller's build */
  int32_t dtype;      /**< LSQNET_F64 (default) or LSQNET_F32 */
  int64_t rows;       /**< L >= 1 */
  int64_t dim;        /**< D >= 1 */
  int64_t iterates;   /**< k >= 1, default 1 (construct_iterates only) */
  double step;        /**< s, default 0.5 (construct_iterates only) */
  const char *mixer;  /**< "attention" (linear, default) or "base_conv" */
  const char *prompt; /**< attention: "split" (default); base_conv: "repeat", "split" or "query_first" */
} lsqnet_construct_options;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_construct_options_init(lsqnet_construct_options *options, uint32_t size);

/** y = A'(A x - b) / L, read at the prompt's last row.
 *  Layers   attention on split: 1, width 2D+1. base_conv on repeat: 3, width 4D+1; on split and query_first: 2, width O(D^2).
 *  Errors   E_ARGUMENT, E_SHAPE, E_UNSUPPORTED (mixer and prompt that have no construction; the message lists those that
 *           have), E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_model_construct_gradient(lsqnet_model **out, lsqnet_context *context,
                                                         const lsqnet_construct_options *options);

/** y = x after k steps x <- x - s A'(A x - b) / L, read at the prompt's last row.
 *  Layers   attention on split: k. base_conv on repeat: 3k; on split and query_first: k+1. Errors as above. */
LSQNET_API lsqnet_status lsqnet_model_construct_iterates(lsqnet_model **out, lsqnet_context *context,
                                                         const lsqnet_construct_options *options);

/* Model files: safetensors with the configuration in __metadata__ (docs/model-files.md). Files with the reference
 * implementation's tensor names load too. */

/** What a file may leave unsaid; a value given here must not contradict what the file says. */
typedef struct lsqnet_load_options {
  uint32_t size;          /**< sizeof of this struct in the caller's build */
  int32_t output;         /**< an LSQNET_OUTPUT_ number; 0 (default): as the file says */
  int64_t rows;           /**< L; 0: as the file says; so below */
  int64_t dim;            /**< D */
  int64_t iterates;       /**< k */
  double step;            /**< s */
  const char *prompt;     /**< a prompt's name; NULL (default): as the file says; so below */
  const char *config;     /**< the reference's configuration as JSON, for a file with its tensor names and no `config` */
} lsqnet_load_options;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_load_options_init(lsqnet_load_options *options, uint32_t size);

/** Writes up to `bytes` bytes into `buffer` and their number into *got, 0 at the end. */
typedef lsqnet_status (*lsqnet_read_fn)(void *user, void *buffer, uint64_t bytes, uint64_t *got);
/** Takes all `bytes` bytes. */
typedef lsqnet_status (*lsqnet_write_fn)(void *user, const void *data, uint64_t bytes);

/** Loads a model from a file, from memory, from a callback; `options` may be NULL.
 *  Errors   E_IO (path, reason), E_FORMAT (what is wrong and where), E_SHAPE (a tensor's shape is not the
 *           configuration's: both are named), E_NOT_FINITE (tensor and element), E_UNSUPPORTED (a mixer that nobody
 *           registered, a dtype that is not F32 or F64), E_ARGUMENT, E_MEMORY, or the callback's own. */
LSQNET_API lsqnet_status lsqnet_model_load(lsqnet_model **out, lsqnet_context *context, const char *path,
                                           const lsqnet_load_options *options);
/** lsqnet_model_load from `bytes` bytes at `data`. */
LSQNET_API lsqnet_status lsqnet_model_load_memory(lsqnet_model **out, lsqnet_context *context, const void *data,
                                                  uint64_t bytes, const lsqnet_load_options *options);
/** lsqnet_model_load from what `read` gives. */
LSQNET_API lsqnet_status lsqnet_model_load_stream(lsqnet_model **out, lsqnet_context *context, lsqnet_read_fn read,
                                                  void *user, const lsqnet_load_options *options);

/** Saves a model. `save` writes a temporary file beside `path`, flushes it to disk and renames it: after a crash the old
 *  file or the new one is there, whole, and on failure the old one stays. `save_memory` writes at most `capacity` bytes
 *  and always *needed (call with capacity 0 to ask). The bytes are a function of the model alone.
 *  Errors   E_IO (path, reason), E_ARGUMENT, E_MEMORY, E_SHAPE (capacity too small), or the callback's own. */
LSQNET_API lsqnet_status lsqnet_model_save(const lsqnet_model *model, const char *path);
/** lsqnet_model_save into memory. */
LSQNET_API lsqnet_status lsqnet_model_save_memory(const lsqnet_model *model, void *data, uint64_t capacity,
                                                  uint64_t *needed);
/** lsqnet_model_save into what `write` takes. */
LSQNET_API lsqnet_status lsqnet_model_save_stream(const lsqnet_model *model, lsqnet_write_fn write, void *user);

#ifdef __cplusplus
}
#endif
#endif
