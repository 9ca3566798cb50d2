/* An allocator for tests that counts, checks what it is given back, and can refuse. */
#ifndef COUNTING_ALLOCATOR_H
#define COUNTING_ALLOCATOR_H

#include <lsqnet/lsqnet.h>
#include <stdatomic.h>
#include <stdlib.h>

#define COUNTING_MOST (UINT64_C(1) << 36) /* a block beyond is refused, as most machines would */

typedef struct {
  atomic_llong calls;      /* of allocate so far */
  atomic_llong live;       /* blocks out */
  atomic_llong live_bytes; /* bytes out */
  atomic_llong most_bytes; /* most bytes that were out at a time, since a test last set it; by one thread */
  atomic_llong misuses;    /* alignments other than 1 .. 64, blocks that were not aligned, NULL given back */
  long long refuse;        /* number of the call that gets NULL; 0: none */
} counting_allocator;

static inline void *counting_allocate(void *user, uint64_t bytes, uint64_t alignment) {
  counting_allocator *a = (counting_allocator *)user;
  const long long call = atomic_fetch_add(&a->calls, 1) + 1;
  if (bytes == 0 || alignment == 0 || alignment > 64 || (alignment & (alignment - 1)) != 0)
    atomic_fetch_add(&a->misuses, 1);
  if (call == a->refuse || bytes > COUNTING_MOST) return NULL;
  void *memory = aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64));
  if (memory != NULL) {
    atomic_fetch_add(&a->live, 1);
    const long long out = atomic_fetch_add(&a->live_bytes, (long long)bytes) + (long long)bytes;
    if (out > a->most_bytes) a->most_bytes = out;
  }
  return memory;
}

static inline void counting_release(void *user, void *memory, uint64_t bytes) {
  counting_allocator *a = (counting_allocator *)user;
  if (memory == NULL) atomic_fetch_add(&a->misuses, 1);
  atomic_fetch_sub(&a->live, 1);
  atomic_fetch_sub(&a->live_bytes, (long long)bytes);
  free(memory);
}

/* A context on this allocator, which must be zero but for `refuse`. */
static inline lsqnet_status counting_context(lsqnet_context **out, counting_allocator *a, int32_t threads) {
  lsqnet_context_options options;
  lsqnet_status status = lsqnet_context_options_init(&options, sizeof options);
  if (status != LSQNET_OK) return status;
  options.threads = threads;
  options.allocate = counting_allocate;
  options.release = counting_release;
  options.allocator_user = a;
  return lsqnet_context_create(out, &options);
}

#endif
