#include "layers/registry.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"

/* A new mixer of the library's own is one more line here. */
#define BUILT_IN(of) of(base_conv) of(attention) of(identity)

#define DECLARE(mixer) extern const lsqnet_mixer lsq_##mixer;
BUILT_IN(DECLARE)
#define TABLE(mixer) &lsq_##mixer,
static const lsqnet_mixer *const built_in[] = {BUILT_IN(TABLE)};

enum { NAME_CAPACITY = 64, KNOWN_FLAGS = LSQNET_MIXER_POLYNOMIAL };

LSQ_ASSERT_TIGHT(lsqnet_mixer_sizes, reserved);
LSQ_ASSERT_TIGHT(lsqnet_mixer_shape, count);
LSQ_ASSERT_TIGHT(lsqnet_mixer_parameter, reference_name);
LSQ_ASSERT_TIGHT(lsqnet_mixer, config);

/* Entries stay where they are for the life of the registry. */
typedef struct entry {
  lsqnet_mixer mixer;
  char name[NAME_CAPACITY];
  struct entry *next;
} entry;

struct lsq_mixer_registry {
  pthread_mutex_t mutex;
  entry *first, *last;
  int64_t count;
};

lsqnet_status lsq_registry_create(struct lsq_mixer_registry **out, lsqnet_context *context) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_mixer_registry *registry = NULL;
  *out = NULL;
  LSQ_TRY(lsq_alloc(context, &registry, 1, sizeof *registry));
  if (pthread_mutex_init(&registry->mutex, NULL) != 0) {
    lsq_free(context, registry);
    return lsq_fail(LSQNET_E_MEMORY, "no lock for the registry of mixers");
  }
  *out = registry;
  for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
    LSQ_TRY(lsq_registry_add(registry, context, built_in[i]));
  return LSQNET_OK;
done:
  if (*out != NULL) lsq_registry_destroy(*out, context);
  *out = NULL;
  return st;
}

void lsq_registry_destroy(struct lsq_mixer_registry *registry, lsqnet_context *context) {
  for (entry *e = registry->first; e != NULL;) {
    entry *next = e->next;
    lsq_free(context, e);
    e = next;
  }
  (void)pthread_mutex_destroy(&registry->mutex);
  lsq_free(context, registry);
}

static lsqnet_status check_name(const char *name) {
  if (name == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "mixer: name is NULL");
  const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
  if (length == 0 || length >= NAME_CAPACITY || name[length] != '\0')
    return lsq_fail(LSQNET_E_ARGUMENT, "mixer: name \"%.80s\" must be 1 to %d of a-z, 0-9, _", name, NAME_CAPACITY - 1);
  return LSQNET_OK;
}

/* Name of the first function that is missing, or NULL. */
static const char *missing_function(const lsqnet_mixer *m) {
  if (m->create == NULL) return "create";
  if (m->destroy == NULL) return "destroy";
  if (m->parameter_count == NULL) return "parameter_count";
  if (m->parameter == NULL) return "parameter";
  if (m->workspace == NULL) return "workspace";
  if (m->forward_f64 == NULL) return "forward_f64";
  if (m->backward_f64 == NULL) return "backward_f64";
  /* a float32 cache is only of use to float32 functions */
  if (m->forward_f32 == NULL && (m->backward_f32 != NULL || m->jvp_f32 != NULL)) return "forward_f32";
  if (m->backward_f32 == NULL && m->forward_f32 != NULL) return "backward_f32";
  return NULL;
}

static lsqnet_status check_table(const lsqnet_mixer *m) {
  const lsqnet_status st = check_name(m->name);
  if (st != LSQNET_OK) return st;
  const char *missing = missing_function(m);
  if (missing != NULL) return lsq_fail(LSQNET_E_ARGUMENT, "mixer \"%s\": %s is NULL", m->name, missing);
  if ((m->flags & ~(uint32_t)KNOWN_FLAGS) != 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "mixer \"%s\": flags=0x%lx has unknown bits", m->name, (unsigned long)m->flags);
  return LSQNET_OK;
}

static const entry *find(const struct lsq_mixer_registry *registry, const char *name) {
  for (const entry *e = registry->first; e != NULL; e = e->next)
    if (strcmp(e->name, name) == 0) return e;
  return NULL;
}

/* Appends `e` unless its name is taken. */
static lsqnet_status append(struct lsq_mixer_registry *registry, entry *e) {
  lsqnet_status st = LSQNET_OK;
  (void)pthread_mutex_lock(&registry->mutex);
  if (find(registry, e->name) != NULL) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "mixer \"%s\": the name is taken", e->name);
  } else {
    if (registry->last != NULL)
      registry->last->next = e;
    else
      registry->first = e;
    registry->last = e;
    registry->count++;
  }
  (void)pthread_mutex_unlock(&registry->mutex);
  return st;
}

lsqnet_status lsq_registry_add(struct lsq_mixer_registry *registry, lsqnet_context *context,
                               const lsqnet_mixer *mixer) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_mixer known = {0};
  entry *e = NULL;
  LSQ_TRY(lsq_sized_read(&known, sizeof known, LSQ_SIZE_THROUGH(lsqnet_mixer, config), mixer, "lsqnet_mixer"));
  LSQ_TRY(check_table(&known));
  LSQ_TRY(lsq_alloc(context, &e, 1, sizeof *e));
  memcpy(e->name, known.name, strlen(known.name));
  e->mixer = known;
  e->mixer.name = e->name;
  LSQ_TRY(append(registry, e));
  e = NULL;
done:
  lsq_free(context, e);
  return st;
}

/* "a, b, c", cut where the room ends. */
static void list_names(const struct lsq_mixer_registry *registry, char *list, size_t capacity) {
  size_t used = 0;
  list[0] = '\0';
  for (const entry *e = registry->first; e != NULL && used < capacity; e = e->next)
    used += (size_t)snprintf(list + used, capacity - used, "%s%s", used > 0 ? ", " : "", e->name);
}

lsqnet_status lsq_registry_find(struct lsq_mixer_registry *registry, const char *name, const lsqnet_mixer **out) {
  lsqnet_status st = LSQNET_OK;
  char list[320];
  *out = NULL;
  (void)pthread_mutex_lock(&registry->mutex);
  const entry *e = find(registry, name);
  if (e != NULL)
    *out = &e->mixer;
  else
    list_names(registry, list, sizeof list);
  (void)pthread_mutex_unlock(&registry->mutex);
  if (e == NULL) st = lsq_fail(LSQNET_E_UNSUPPORTED, "mixer \"%.80s\" is not registered; there are: %s", name, list);
  return st;
}

int64_t lsq_registry_count(struct lsq_mixer_registry *registry) {
  (void)pthread_mutex_lock(&registry->mutex);
  const int64_t count = registry->count;
  (void)pthread_mutex_unlock(&registry->mutex);
  return count;
}

const char *lsq_registry_name(struct lsq_mixer_registry *registry, int64_t index) {
  const char *name = NULL;
  if (index < 0) return NULL;
  (void)pthread_mutex_lock(&registry->mutex);
  const entry *e = registry->first;
  for (int64_t i = 0; i < index && e != NULL; i++) e = e->next;
  if (e != NULL) name = e->name;
  (void)pthread_mutex_unlock(&registry->mutex);
  return name;
}
