#include <lsqnet/mixer.h>

#include "base/context.h"
#include "layers/registry.h"

lsqnet_status lsqnet_context_register_mixer(lsqnet_context *context, const lsqnet_mixer *mixer) {
  if (context == NULL || mixer == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_context_register_mixer: %s is NULL",
                    context == NULL ? "context" : "mixer");
  return lsq_registry_add(context->mixers, context, mixer);
}

int64_t lsqnet_context_mixer_count(lsqnet_context *context) {
  return context != NULL ? lsq_registry_count(context->mixers) : 0;
}

const char *lsqnet_context_mixer_name(lsqnet_context *context, int64_t index) {
  return context != NULL ? lsq_registry_name(context->mixers, index) : NULL;
}
