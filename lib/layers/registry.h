/* The registry of mixers, and calls through a mixer's table in either precision. */
#ifndef LSQ_LAYERS_REGISTRY_H
#define LSQ_LAYERS_REGISTRY_H

#include <lsqnet/mixer.h>

#include "base/context.h"

struct lsq_mixer_registry;

/* A registry with the built-in mixers. */
lsqnet_status lsq_registry_create(struct lsq_mixer_registry **out, lsqnet_context *context);
void lsq_registry_destroy(struct lsq_mixer_registry *registry, lsqnet_context *context);

lsqnet_status lsq_registry_add(struct lsq_mixer_registry *registry, lsqnet_context *context, const lsqnet_mixer *mixer);

/* The mixer called `name`; lives as long as the registry. E_UNSUPPORTED lists the registered names. */
lsqnet_status lsq_registry_find(struct lsq_mixer_registry *registry, const char *name, const lsqnet_mixer **out);
int64_t lsq_registry_count(struct lsq_mixer_registry *registry);
const char *lsq_registry_name(struct lsq_mixer_registry *registry, int64_t index);

#endif
