/* The context as the library sees it: allocation, logging, threads. Objects hold it by reference. */
#ifndef LSQ_BASE_CONTEXT_H
#define LSQ_BASE_CONTEXT_H

#include <lsqnet/context.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct lsq_pool;        /* base/pool.h */
struct lsq_kernels_f64; /* kernels/kernels.h */
struct lsq_kernels_f32;
struct lsq_mixer_registry; /* layers/registry.h */

struct lsqnet_context {
  atomic_int_fast64_t references;
  atomic_uint_fast64_t serials;   /* given to solvers so far */
  lsqnet_context_options options; /* checked; allocate and release are never NULL */
  struct lsq_pool *pool;
  const struct lsq_kernels_f64 *kernels_f64;
  const struct lsq_kernels_f32 *kernels_f32;
  struct lsq_mixer_registry *mixers;
};

/* Creates a context that has only its allocator, log and pool; api/context.c adds the rest. */
lsqnet_status lsq_context_create(lsqnet_context **out, const lsqnet_context_options *checked);

/* Takes a reference. Returned so that it reads `object->context = lsq_context_hold(context)`. */
lsqnet_context *lsq_context_hold(lsqnet_context *context);

/* Gives up a reference: true if it was the last, whereupon the caller (lsqnet_context_destroy) frees the context. */
int lsq_context_drop(lsqnet_context *context);

/* Frees what lsq_context_create made. */
void lsq_context_free(lsqnet_context *context);

/* Sends one line to the host's log if it wants that level. */
void lsq_log(const lsqnet_context *context, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `count` zeroed elements of `size` bytes, 64-byte aligned, into *out (a pointer to the caller's pointer); count 0
 * gives NULL. E_SHAPE if the product overflows or is negative, E_MEMORY if the allocator says no; *out is NULL then. */
lsqnet_status lsq_alloc(const lsqnet_context *context, void *out, int64_t count, uint64_t size);

/* Frees what lsq_alloc returned; NULL is fine. */
void lsq_free(const lsqnet_context *context, void *memory);

/* Makes *buffer hold at least `count` elements; *capacity counts elements. When it grows its content is lost and what is
 * there is not defined: pages that nobody writes to cost nothing. */
lsqnet_status lsq_reserve(const lsqnet_context *context, void *buffer, int64_t *capacity, int64_t count, uint64_t size);

/* A copy of `text`, or NULL for NULL. */
lsqnet_status lsq_copy_text(const lsqnet_context *context, char **out, const char *text);

/* Product of sizes: E_SHAPE, naming them, if one is negative or the product exceeds INT64_MAX / 16. */
lsqnet_status lsq_size_product(int64_t *out, const int64_t *sizes, int count, const char *what);

#endif
