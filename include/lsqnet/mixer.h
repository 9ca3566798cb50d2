/** @file
 * Mixers: layers that mix the rows of a sequence, as a table of functions. The built-in ones ("base_conv",
 * "attention", "identity") register through this same table. */
#ifndef LSQNET_MIXER_H
#define LSQNET_MIXER_H

#include <lsqnet/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a model tells a mixer when it creates one for a block. */
typedef struct lsqnet_mixer_sizes {
  uint32_t size;    /**< sizeof of this struct in the caller's build */
  int32_t residual; /**< 1: the block adds its input to the mixer's output (BaseConv then has its inner skips too) */
  int64_t rows;     /**< most rows T a sequence can have */
  int64_t width;    /**< channels D */
  int32_t bias;     /**< 0: leave out the biases that the reference makes optional */
  int32_t layers;   /**< blocks in the model (for initial values scaled by depth) */
  int32_t layer;    /**< the block's number, from 0 */
  int32_t reserved; /**< zero */
} lsqnet_mixer_sizes;

/** What one call works on: B sequences of T rows, of whose output the rows first .. first+count-1 are wanted. */
typedef struct lsqnet_mixer_shape {
  uint32_t size;     /**< sizeof of this struct in the caller's build */
  uint32_t reserved; /**< zero */
  int64_t batch;     /**< B >= 1 */
  int64_t rows;      /**< T, 1 .. sizes.rows */
  int64_t first;     /**< 0 .. T-1 */
  int64_t count;     /**< R, 1 .. T-first */
} lsqnet_mixer_shape;

/** A weight of a mixer. */
typedef struct lsqnet_mixer_parameter {
  uint32_t size;    /**< sizeof of this struct in the caller's build */
  int32_t frozen;   /**< 1: never trained unless thawed */
  int64_t rank;     /**< 1 .. 4 */
  int64_t shape[4]; /**< the first `rank` are used, each >= 1; values lie row-major */
  const char *name; /**< e.g. "in_proj.weight"; [A-Za-z0-9_.]+; lives as long as the state */
  const char *reference_name; /**< below "h.I.seq_mixer." in the reference implementation's files, or NULL */
} lsqnet_mixer_parameter;

/** A mixer. The library copies and checks the table when it is registered.
 *
 *  Memory: the library owns every array it passes. Arrays of one call never overlap, except that `x` of a backward or
 *  Jacobian call is the `x` of its forward. `weights[i]` is parameter i, read-only. `cache` keeps what the forward pass
 *  leaves for backward and jvp of the same sequences; `scratch` is worth nothing after the call. Both are aligned to 64
 *  bytes. In the f32 functions they hold as many floats.
 *
 *  Threads: `create`, `destroy`, `parameter`, `initialize` and `config` are called by one thread at a time for one state;
 *  the others by several threads at once on the same state, with arrays of their own.
 *
 *  Batches: sequence i of a call must come out with the same bits whatever the other sequences are.
 *
 *  Failure: any status but LSQNET_OK ends the call of the host with that status; lsqnet_set_message says why. */
typedef struct lsqnet_mixer {
  uint32_t size;    /**< sizeof of this struct in the caller's build */
  uint32_t flags;   /**< LSQNET_MIXER_ bits */
  const char *name; /**< registered name, [a-z0-9_]+, at most 63 characters; copied */
  void *user;       /**< handed to `create` */

  /* Required. */

  /** Makes the mixer of one block. `config` is the text of a JSON object, "{}" when the model's options named none.
   *  Writes *state; on failure there is nothing to destroy. */
  lsqnet_status (*create)(void **state, lsqnet_context *context, void *user, const lsqnet_mixer_sizes *sizes,
                          const char *config);
  /** Ends it. */
  void (*destroy)(void *state);
  /** Number of parameters, 0 or more, the same for the life of the state. */
  int64_t (*parameter_count)(const void *state);
  /** Describes parameter `index`; `out->size` is set by the library, the rest is zero. */
  lsqnet_status (*parameter)(const void *state, int64_t index, lsqnet_mixer_parameter *out);
  /** Sizes of `cache` and `scratch`, in elements, for calls on `shape`; both >= 0. */
  lsqnet_status (*workspace)(const void *state, const lsqnet_mixer_shape *shape, int64_t *cache, int64_t *scratch);
  /** y = mixer(x).  x (B,T,D); y (B,R,D), written whole; cache written whole or in part. */
  lsqnet_status (*forward_f64)(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                               const double *x, double *y, double *cache, double *scratch);
  /** Vector-Jacobian product. dy (B,R,D) is dL/dy; dx (B,T,D), written whole, is dL/dx; dweights[i], NULL when parameter
   *  i is frozen, has dL/dweights[i] ADDED to it. `cache` is the forward pass's and stays as it is. */
  lsqnet_status (*backward_f64)(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                                const double *x, const double *dy, double *dx, double *const *dweights,
                                const double *cache, double *scratch);

  /* Optional: NULL when absent. forward_f32 and backward_f32 come together, and jvp_f32 not without them; without them the
   * library converts to and from float64. */

  /** forward_f64 in float32. */
  lsqnet_status (*forward_f32)(const void *state, const lsqnet_mixer_shape *shape, const float *const *weights,
                               const float *x, float *y, float *cache, float *scratch);
  /** backward_f64 in float32. */
  lsqnet_status (*backward_f32)(const void *state, const lsqnet_mixer_shape *shape, const float *const *weights,
                                const float *x, const float *dy, float *dx, float *const *dweights, const float *cache,
                                float *scratch);
  /** Jacobian-vector product: dy (B,R,D), written whole, is the change of y when x moves along dx (B,T,D) and weight i
   *  along dweights[i] (NULL: it stays). `cache` is the forward pass's. */
  lsqnet_status (*jvp_f64)(const void *state, const lsqnet_mixer_shape *shape, const double *const *weights,
                           const double *x, const double *dx, const double *const *dweights, double *dy,
                           const double *cache, double *scratch);
  /** jvp_f64 in float32. */
  lsqnet_status (*jvp_f32)(const void *state, const lsqnet_mixer_shape *shape, const float *const *weights,
                           const float *x, const float *dx, const float *const *dweights, float *dy, const float *cache,
                           float *scratch);
  /** Initial values of parameter `index`, row-major, a function of `seed` alone. Without it: normal with standard
   *  deviation 0.02 for rank 2 and more, zero for rank 1. */
  lsqnet_status (*initialize)(const void *state, int64_t index, uint64_t seed, double *values);
  /** The state's configuration as the text of a JSON object with every key, for model files: writes at most `capacity`
   *  bytes with the closing NUL, and always *needed (capacity 0 asks for it). Without it the text given to `create` is
   *  stored. */
  lsqnet_status (*config)(const void *state, char *text, uint64_t capacity, uint64_t *needed);
} lsqnet_mixer;

/** Bits of lsqnet_mixer.flags. */
enum {
  LSQNET_MIXER_POLYNOMIAL = 1 /**< the output is a polynomial in x and the weights */
};

/** Adds a mixer to the context's registry; models created or loaded from then on may name it.
 *  lsqnet/mixer_conformance.h checks that it keeps the contract above.
 *  Errors   E_ARGUMENT: a required function is missing, the name is malformed, taken, or the flags are unknown;
 *           E_VERSION: a size that no release had; E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_context_register_mixer(lsqnet_context *context, const lsqnet_mixer *mixer);

/** Number of registered mixers; 0 if `context` is NULL. */
LSQNET_API int64_t lsqnet_context_mixer_count(lsqnet_context *context);

/** Name of mixer `index`, in the order of registration, or NULL when there is none; lives as long as the context. */
LSQNET_API const char *lsqnet_context_mixer_name(lsqnet_context *context, int64_t index);

#ifdef __cplusplus
}
#endif
#endif
