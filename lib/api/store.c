#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/sized.h"
#include "store/file.h"
#include "store/model_file.h"

static const uint32_t FIRST_OPTIONS = LSQ_SIZE_THROUGH(lsqnet_load_options, config);

static const lsqnet_load_options DEFAULTS = {.size = sizeof(lsqnet_load_options)};

lsqnet_status lsqnet_load_options_init(lsqnet_load_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_OPTIONS, &DEFAULTS, sizeof DEFAULTS, "lsqnet_load_options");
}

/* Loading. */

static lsqnet_status check_options(const lsqnet_load_options *o) {
  if (o->output < LSQNET_OUTPUT_NONE || o->output > LSQNET_OUTPUT_SOLUTION)
    return lsq_fail(LSQNET_E_ARGUMENT, "output=%ld: must be an LSQNET_OUTPUT_ number, %d to %d", (long)o->output,
                    LSQNET_OUTPUT_NONE, LSQNET_OUTPUT_SOLUTION);
  if (o->rows < 0 || o->dim < 0 || o->iterates < 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "rows=%lld dim=%lld iterates=%lld: none may be negative", (long long)o->rows,
                    (long long)o->dim, (long long)o->iterates);
  if (!isfinite(o->step)) return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be finite", o->step);
  return LSQNET_OK;
}

/* What all three ways of loading check first; `source` is the pointer to what is to be read. */
static lsqnet_status begin(lsqnet_load_options *known, lsqnet_model **out, const lsqnet_context *context,
                           int has_source, const lsqnet_load_options *options) {
  lsqnet_status st = LSQNET_OK;
  *known = DEFAULTS;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "loading a model: out is NULL");
  *out = NULL;
  if (context == NULL || !has_source)
    return lsq_fail(LSQNET_E_ARGUMENT, "loading a model: %s is NULL",
                    context == NULL ? "context" : "the path, the data or the callback");
  if (options == NULL) return LSQNET_OK;
  LSQ_TRY(lsq_sized_read(known, sizeof *known, FIRST_OPTIONS, options, "lsqnet_load_options"));
  LSQ_TRY(lsq_within(check_options(known), "load options"));
done:
  return st;
}

lsqnet_status lsqnet_model_load(lsqnet_model **out, lsqnet_context *context, const char *path,
                                const lsqnet_load_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_load_options known;
  unsigned char *bytes = NULL;
  uint64_t size = 0;
  LSQ_TRY(begin(&known, out, context, path != NULL, options));
  LSQ_TRY(lsq_within(lsq_read_file(context, path, &bytes, &size), "%s", path));
  LSQ_TRY(lsq_within(lsq_model_from_bytes(out, context, bytes, size, &known), "%s", path));
done:
  if (context != NULL) lsq_free(context, bytes);
  return st;
}

lsqnet_status lsqnet_model_load_memory(lsqnet_model **out, lsqnet_context *context, const void *data, uint64_t bytes,
                                       const lsqnet_load_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_load_options known;
  LSQ_TRY(begin(&known, out, context, data != NULL, options));
  LSQ_TRY(lsq_model_from_bytes(out, context, data, bytes, &known));
done:
  return st;
}

/* A host's callback, which may fail without saying why. */
typedef struct {
  lsqnet_read_fn read;
  lsqnet_write_fn write;
  void *user;
} callback;

static lsqnet_status name_silent(lsqnet_status status, uint64_t messages, const char *name) {
  if (status == LSQNET_OK || lsq_message_number() != messages) return status;
  return lsq_fail(status, "the %s callback failed with %ld (%s)", name, (long)status, lsqnet_status_name(status));
}

static lsqnet_status call_read(void *user, void *buffer, uint64_t bytes, uint64_t *got) {
  const callback *host = user;
  const uint64_t messages = lsq_message_number();
  return name_silent(host->read(host->user, buffer, bytes, got), messages, "read");
}

static lsqnet_status call_write(void *user, const void *data, uint64_t bytes) {
  const callback *host = user;
  const uint64_t messages = lsq_message_number();
  return name_silent(host->write(host->user, data, bytes), messages, "write");
}

lsqnet_status lsqnet_model_load_stream(lsqnet_model **out, lsqnet_context *context, lsqnet_read_fn read, void *user,
                                       const lsqnet_load_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_load_options known;
  callback host = {.read = read, .user = user};
  unsigned char *bytes = NULL;
  uint64_t size = 0;
  LSQ_TRY(begin(&known, out, context, read != NULL, options));
  LSQ_TRY(lsq_read_stream(context, call_read, &host, 0, &bytes, &size));
  LSQ_TRY(lsq_model_from_bytes(out, context, bytes, size, &known));
done:
  if (context != NULL) lsq_free(context, bytes);
  return st;
}

/* Saving. */

static lsqnet_status write_model(const void *model, lsqnet_write_fn write, void *user) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_model_read(model));
  st = lsq_model_write(model, write, user);
  lsq_model_leave(model);
done:
  return st;
}

lsqnet_status lsqnet_model_save(const lsqnet_model *model, const char *path) {
  if (model == NULL || path == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_save: %s is NULL", model == NULL ? "model" : "path");
  return lsq_within(lsq_replace_file(path, write_model, model), "%s", path);
}

/* A caller's memory, written as far as it goes and counted beyond. */
typedef struct {
  unsigned char *data;
  uint64_t capacity, needed;
} memory;

static lsqnet_status write_memory(void *user, const void *data, uint64_t bytes) {
  memory *m = user;
  if (m->needed < m->capacity) {
    const uint64_t room = m->capacity - m->needed;
    memcpy(m->data + m->needed, data, (size_t)(bytes < room ? bytes : room));
  }
  m->needed += bytes;
  return LSQNET_OK;
}

lsqnet_status lsqnet_model_save_memory(const lsqnet_model *model, void *data, uint64_t capacity, uint64_t *needed) {
  lsqnet_status st = LSQNET_OK;
  memory m = {.data = data, .capacity = capacity};
  if (model == NULL || needed == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_save_memory: %s is NULL", model == NULL ? "model" : "needed");
  *needed = 0;
  if (data == NULL && capacity > 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_save_memory: data is NULL and capacity=%llu",
                    (unsigned long long)capacity);
  LSQ_TRY(write_model(model, write_memory, &m));
  *needed = m.needed;
  if (capacity > 0 && m.needed > capacity)
    st = lsq_fail(LSQNET_E_SHAPE, "capacity=%llu: the file has %llu bytes", (unsigned long long)capacity,
                  (unsigned long long)m.needed);
done:
  return st;
}

lsqnet_status lsqnet_model_save_stream(const lsqnet_model *model, lsqnet_write_fn write, void *user) {
  callback host = {.write = write, .user = user};
  if (model == NULL || write == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_model_save_stream: %s is NULL", model == NULL ? "model" : "write");
  return write_model(model, call_write, &host);
}
