#include "base/context.h"

#include <stddef.h>

#include "base/pool.h"
#include "base/sized.h"
#include "kernels/kernels.h"
#include "layers/registry.h"

static const uint32_t FIRST_SIZE = LSQ_SIZE_THROUGH(lsqnet_context_options, log_user);

static const lsqnet_context_options DEFAULTS = {.size = sizeof(lsqnet_context_options),
                                                .threads = 1,
                                                .kernel_level = LSQNET_KERNEL_AUTO,
                                                .log_level = LSQNET_LOG_WARNING};

enum { THREADS_MOST = 1024 };

lsqnet_status lsqnet_context_options_init(lsqnet_context_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_SIZE, &DEFAULTS, sizeof DEFAULTS, "lsqnet_context_options");
}

static lsqnet_status check_options(const lsqnet_context_options *o) {
  if (o->threads != -1 && (o->threads < 1 || o->threads > THREADS_MOST))
    return lsq_fail(LSQNET_E_ARGUMENT, "threads=%ld: must be -1 (one per processor) or 1 to %d", (long)o->threads,
                    THREADS_MOST);
  if (o->kernel_level < LSQNET_KERNEL_AUTO || o->kernel_level > LSQNET_KERNEL_X86_64_V4)
    return lsq_fail(LSQNET_E_ARGUMENT, "kernel_level=%ld: must be an LSQNET_KERNEL_ number, %d to %d",
                    (long)o->kernel_level, LSQNET_KERNEL_AUTO, LSQNET_KERNEL_X86_64_V4);
  if (o->log_level < 0 || o->log_level > LSQNET_LOG_DEBUG)
    return lsq_fail(LSQNET_E_ARGUMENT, "log_level=%ld: must be 0 (none) or an LSQNET_LOG_ number, up to %d",
                    (long)o->log_level, LSQNET_LOG_DEBUG);
  if ((o->allocate == NULL) != (o->release == NULL))
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL and %s is not: give both or none",
                    o->allocate == NULL ? "allocate" : "release", o->allocate == NULL ? "release" : "allocate");
  return LSQNET_OK;
}

static lsqnet_status choose_kernels(lsqnet_context *context) {
  const int32_t level = context->options.kernel_level;
  context->kernels_f64 = lsq_kernels_choose_f64(level);
  context->kernels_f32 = lsq_kernels_choose_f32(level);
  if (context->kernels_f64 == NULL || context->kernels_f32 == NULL)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "kernel_level=%ld: this processor or this build has not got it", (long)level);
  return LSQNET_OK;
}

lsqnet_status lsqnet_context_create(lsqnet_context **out, const lsqnet_context_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_context_options checked = DEFAULTS;
  lsqnet_context *context = NULL;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_context_create: out is NULL");
  *out = NULL;
  if (options != NULL) LSQ_TRY(lsq_sized_read(&checked, sizeof checked, FIRST_SIZE, options, "lsqnet_context_options"));
  LSQ_TRY(check_options(&checked));
  LSQ_TRY(lsq_context_create(&context, &checked));
  LSQ_TRY(choose_kernels(context));
  LSQ_TRY(lsq_registry_create(&context->mixers, context));
  lsq_log(context, LSQNET_LOG_INFO, "lsqnet %s: %lld threads, kernel level %ld", lsqnet_version(),
          (long long)lsq_pool_lanes(context->pool), (long)context->kernels_f64->level);
  *out = context;
  context = NULL;
done:
  lsqnet_context_destroy(context);
  return st;
}

void lsqnet_context_destroy(lsqnet_context *context) {
  if (context == NULL || !lsq_context_drop(context)) return;
  if (context->mixers != NULL) lsq_registry_destroy(context->mixers, context);
  lsq_context_free(context);
}

int32_t lsqnet_context_kernel_level(const lsqnet_context *context) {
  return context != NULL ? context->kernels_f64->level : 0;
}

int32_t lsqnet_context_threads(const lsqnet_context *context) {
  return context != NULL ? (int32_t)lsq_pool_lanes(context->pool) : 0;
}
