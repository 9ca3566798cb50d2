#include "layers/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LIST_CAPACITY = 128, VALUE_CAPACITY = 64 };

/* "a, b, c", cut where the room ends. */
static const char *join(char list[LIST_CAPACITY], const char *const *names) {
  size_t used = 0;
  list[0] = '\0';
  for (int i = 0; names[i] != NULL && used < LIST_CAPACITY; i++)
    used += (size_t)snprintf(list + used, LIST_CAPACITY - used, "%s%s", i > 0 ? ", " : "", names[i]);
  return list;
}

static int find(const char *const *names, const char *name) {
  for (int i = 0; names[i] != NULL; i++)
    if (strcmp(names[i], name) == 0) return i;
  return -1;
}

static lsqnet_status refuse(const json_t *value, const char *mixer, const char *key, const char *must) {
  char text[VALUE_CAPACITY];
  const size_t length = json_dumpb(value, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_COMPACT);
  const int whole = length > 0 && length < sizeof text;
  if (whole) text[length] = '\0';
  return lsq_fail(LSQNET_E_ARGUMENT, "%s: \"%s\" is %s: it must be %s", mixer, key, whole ? text : "a longer value",
                  must);
}

int lsq_json_no_memory(const json_error_t *error) {
  return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory;
}

lsqnet_status lsq_config_parse(json_t **out, const char *mixer, const char *text, const char *const *keys) {
  lsqnet_status st = LSQNET_OK;
  json_error_t error;
  const char *key = NULL;
  json_t *value = NULL;
  json_t *config = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  *out = NULL;
  if (config == NULL && lsq_json_no_memory(&error))
    return lsq_fail(LSQNET_E_MEMORY, "%s: no memory to read its configuration", mixer);
  if (config == NULL)
    return lsq_fail(LSQNET_E_FORMAT, "%s: configuration \"%.64s\", line %d, column %d: %s", mixer, text, error.line,
                    error.column, error.text);
  if (!json_is_object(config)) {
    st = lsq_fail(LSQNET_E_FORMAT, "%s: configuration \"%.64s\" is not a JSON object", mixer, text);
    goto done;
  }
  json_object_foreach(config, key, value) {
    char list[LIST_CAPACITY];
    if (find(keys, key) >= 0) continue;
    st = lsq_fail(LSQNET_E_ARGUMENT, "%s: unknown key \"%.64s\" in its configuration; there %s%s", mixer, key,
                  keys[0] != NULL ? "are: " : "are none", join(list, keys));
    goto done;
  }
  *out = config;
  config = NULL;
done:
  json_decref(config);
  return st;
}

lsqnet_status lsq_config_boolean(const json_t *config, const char *mixer, const char *key, int32_t *value) {
  const json_t *found = json_object_get(config, key);
  if (found == NULL) return LSQNET_OK;
  if (!json_is_boolean(found)) return refuse(found, mixer, key, "true or false");
  *value = json_is_true(found);
  return LSQNET_OK;
}

lsqnet_status lsq_config_integer(const json_t *config, const char *mixer, const char *key, int64_t *value) {
  const json_t *found = json_object_get(config, key);
  if (found == NULL) return LSQNET_OK;
  if (!json_is_integer(found)) return refuse(found, mixer, key, "an integer");
  *value = json_integer_value(found);
  return LSQNET_OK;
}

lsqnet_status lsq_config_choice(const json_t *config, const char *mixer, const char *key, const char *const *choices,
                                int32_t *value) {
  char must[LIST_CAPACITY + 8];
  char list[LIST_CAPACITY];
  const json_t *found = json_object_get(config, key);
  if (found == NULL) return LSQNET_OK;
  const int choice = json_is_string(found) ? find(choices, json_string_value(found)) : -1;
  (void)snprintf(must, sizeof must, "one of %s", join(list, choices));
  if (choice < 0) return refuse(found, mixer, key, must);
  *value = choice;
  return LSQNET_OK;
}

lsqnet_status lsq_config_write(char *text, uint64_t capacity, uint64_t *needed, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, (size_t)capacity, format, arguments);
  va_end(arguments);
  *needed = (uint64_t)length + 1;
  return LSQNET_OK;
}
