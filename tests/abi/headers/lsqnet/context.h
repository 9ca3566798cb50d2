/** @file
 * The context: allocator, threads, log sink, mixer registry and kernel level. Nothing else is shared between
 * objects, and nothing is global. */
#ifndef LSQNET_CONTEXT_H
#define LSQNET_CONTEXT_H

#include <lsqnet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counted by reference: models, workspaces and solvers hold their context, so it may be destroyed before them.
 *  All its functions may be called from any thread. */
typedef struct lsqnet_context lsqnet_context;

/** Returns `bytes` > 0 bytes aligned to `alignment` (a power of two, at most 64), or NULL. From any thread. */
typedef void *(*lsqnet_allocate_fn)(void *user, uint64_t bytes, uint64_t alignment);
/** Gives back what `allocate` returned; never called with NULL. From any thread. */
typedef void (*lsqnet_release_fn)(void *user, void *memory, uint64_t bytes);
/** Takes one line of text, without line end, that lives for the call. `level` is a LSQNET_LOG_ number. From any thread. */
typedef void (*lsqnet_log_fn)(void *user, int32_t level, const char *text);

/** Levels of messages. */
enum { LSQNET_LOG_WARNING = 1, LSQNET_LOG_INFO = 2, LSQNET_LOG_DEBUG = 3 };

/** Instruction sets that the kernels are compiled for. On one level results are the same bits on every machine that has
 *  it, but for models wider than 192 channels, whose products go through BLIS, which picks its instructions by processor;
 *  between levels they differ by roundings. */
enum {
  LSQNET_KERNEL_AUTO = 0,      /**< the best that this processor has */
  LSQNET_KERNEL_GENERIC = 1,   /**< the compiler's baseline, 16-byte vectors: NEON on AArch64, SSE2 on x86-64 */
  LSQNET_KERNEL_X86_64_V2 = 2, /**< 16-byte vectors, SSE4 */
  LSQNET_KERNEL_X86_64_V3 = 3, /**< 32-byte vectors, AVX2 and FMA */
  LSQNET_KERNEL_X86_64_V4 = 4  /**< 64-byte vectors, AVX-512 */
};

/** Options of lsqnet_context_create. */
typedef struct lsqnet_context_options {
  uint32_t size;               /**< sizeof of this struct in the caller's build */
  int32_t threads;             /**< threads a call may use, the caller's included; -1: one per processor; default 1 */
  int32_t kernel_level;        /**< a LSQNET_KERNEL_ number; default LSQNET_KERNEL_AUTO */
  int32_t log_level;           /**< messages up to this LSQNET_LOG_ number reach `log`; default LSQNET_LOG_WARNING */
  lsqnet_allocate_fn allocate; /**< NULL with `release` NULL: the C library's allocator (the default) */
  lsqnet_release_fn release;   /**< both or neither */
  void *allocator_user; /**< first argument of `allocate` and `release` */
  lsqnet_log_fn log;    /**< NULL: no log (the default) */
  void *log_user;       /**< first argument of `log` */
} lsqnet_context_options;

/** Fills `options` with the defaults of this library, as much of it as the caller's `size` holds.
 *  Errors   E_ARGUMENT if `options` is NULL; E_VERSION if `size` is smaller than the first release's. */
LSQNET_API lsqnet_status lsqnet_context_options_init(lsqnet_context_options *options, uint32_t size);

/** Creates a context; `options` NULL means the defaults.
 *  Errors   E_ARGUMENT (which field, which value); E_VERSION; E_MEMORY; E_UNSUPPORTED for a kernel level that this
 *           processor or build has not. */
LSQNET_API lsqnet_status lsqnet_context_create(lsqnet_context **out, const lsqnet_context_options *options);

/** Gives up the caller's reference; NULL is fine. The context goes when the last object that holds it goes. */
LSQNET_API void lsqnet_context_destroy(lsqnet_context *context);

/** Kernel level in use, a LSQNET_KERNEL_ number other than AUTO; 0 if `context` is NULL. */
LSQNET_API int32_t lsqnet_context_kernel_level(const lsqnet_context *context);

/** Threads that a call may use; 0 if `context` is NULL. */
LSQNET_API int32_t lsqnet_context_threads(const lsqnet_context *context);

#ifdef __cplusplus
}
#endif
#endif
