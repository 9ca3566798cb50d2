#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

enum { ALIGNMENT = 64 };

/* In front of each block, so that `release` can be told its size. */
typedef struct {
  uint64_t bytes;
  unsigned char fill[ALIGNMENT - sizeof(uint64_t)];
} block_header;

static void *default_allocate(void *user, uint64_t bytes, uint64_t alignment) {
  (void)user;
  return aligned_alloc((size_t)alignment, (size_t)bytes);
}

static void default_release(void *user, void *memory, uint64_t bytes) {
  (void)user;
  (void)bytes;
  free(memory);
}

lsqnet_status lsq_context_create(lsqnet_context **out, const lsqnet_context_options *checked) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_context_options options = *checked;
  if (options.allocate == NULL) {
    options.allocate = default_allocate;
    options.release = default_release;
  }
  lsqnet_context bootstrap = {.options = options};
  lsqnet_context *context = NULL;
  *out = NULL;
  LSQ_TRY(lsq_alloc(&bootstrap, &context, 1, sizeof *context));
  context->options = options;
  atomic_init(&context->references, 1);
  atomic_init(&context->serials, 0);
  LSQ_TRY(lsq_pool_create(&context->pool, context, options.threads));
  *out = context;
  context = NULL;
done:
  if (context != NULL) lsq_context_free(context);
  return st;
}

lsqnet_context *lsq_context_hold(lsqnet_context *context) {
  atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
  return context;
}

int lsq_context_drop(lsqnet_context *context) {
  return atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) == 1;
}

void lsq_context_free(lsqnet_context *context) {
  lsq_pool_destroy(context->pool, context);
  lsqnet_context copy = {.options = context->options};
  lsq_free(&copy, context);
}

void lsq_log(const lsqnet_context *context, int32_t level, const char *format, ...) {
  char text[512];
  va_list arguments;
  if (context->options.log == NULL || level > context->options.log_level) return;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  context->options.log(context->options.log_user, level, text);
}

static lsqnet_status allocate(const lsqnet_context *context, void *out, int64_t count, uint64_t size, int zeroed) {
  block_header *block = NULL;
  void *memory = NULL;
  uint64_t bytes = 0;
  memcpy(out, &memory, sizeof memory);
  if (count == 0) return LSQNET_OK;
  if (count < 0 || __builtin_mul_overflow((uint64_t)count, size, &bytes) || bytes > (uint64_t)INT64_MAX / 2 ||
      bytes > SIZE_MAX / 2)
    return lsq_fail(LSQNET_E_SHAPE, "%lld elements of %llu bytes: more than can be addressed", (long long)count,
                    (unsigned long long)size);
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + sizeof *block;
  block = context->options.allocate(context->options.allocator_user, bytes, ALIGNMENT);
  if (block == NULL) return lsq_fail(LSQNET_E_MEMORY, "no memory for %llu bytes", (unsigned long long)bytes);
  if (zeroed) memset(block, 0, (size_t)bytes);
  block->bytes = bytes;
  memory = block + 1;
  memcpy(out, &memory, sizeof memory);
  return LSQNET_OK;
}

lsqnet_status lsq_alloc(const lsqnet_context *context, void *out, int64_t count, uint64_t size) {
  return allocate(context, out, count, size, 1);
}

void lsq_free(const lsqnet_context *context, void *memory) {
  if (memory == NULL) return;
  block_header *block = (block_header *)memory - 1;
  context->options.release(context->options.allocator_user, block, block->bytes);
}

lsqnet_status lsq_reserve(const lsqnet_context *context, void *buffer, int64_t *capacity, int64_t count,
                          uint64_t size) {
  lsqnet_status st = LSQNET_OK;
  void *old = NULL;
  if (count <= *capacity) return LSQNET_OK;
  memcpy(&old, buffer, sizeof old);
  lsq_free(context, old);
  *capacity = 0;
  LSQ_TRY(allocate(context, buffer, count, size, 0));
  *capacity = count;
done:
  return st;
}

lsqnet_status lsq_copy_text(const lsqnet_context *context, char **out, const char *text) {
  lsqnet_status st = LSQNET_OK;
  *out = NULL;
  if (text == NULL) return LSQNET_OK;
  const size_t length = strlen(text);
  LSQ_TRY(lsq_alloc(context, out, (int64_t)length + 1, 1));
  memcpy(*out, text, length);
done:
  return st;
}

lsqnet_status lsq_size_product(int64_t *out, const int64_t *sizes, int count, const char *what) {
  int64_t product = 1;
  for (int i = 0; i < count; i++) {
    if (sizes[i] < 0 || __builtin_mul_overflow(product, sizes[i], &product) || product > INT64_MAX / 16) {
      char text[160] = "";
      size_t used = 0;
      for (int k = 0; k < count && used < sizeof text - 24; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", k > 0 ? " x " : "", (long long)sizes[k]);
      return lsq_fail(LSQNET_E_SHAPE, "%s: %s is more than can be addressed", what, text);
    }
  }
  *out = product;
  return LSQNET_OK;
}
