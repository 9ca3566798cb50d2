/* Configurations of the built-in mixers: JSON objects whose keys all have defaults. */
#ifndef LSQ_LAYERS_CONFIG_H
#define LSQ_LAYERS_CONFIG_H

#include <jansson.h>

#include "base/status.h"

/* Whether a failed json_load ran out of memory: jansson then mostly leaves no message, and no code either. (Where it
 * cannot keep a string it says "invalid token": that cannot be told apart.) */
int lsq_json_no_memory(const json_error_t *error);

/* Parses `text`, an object that has no other keys than the NULL-terminated list `keys`; the caller owes a json_decref.
 * E_FORMAT if it is not a JSON object (line and column), E_ARGUMENT for another key (the message lists the known ones).
 */
lsqnet_status lsq_config_parse(json_t **out, const char *mixer, const char *text, const char *const *keys);

/* Reads the value of `key` if it is there and leaves *value alone if not; E_ARGUMENT names key and value. */
lsqnet_status lsq_config_boolean(const json_t *config, const char *mixer, const char *key, int32_t *value);
lsqnet_status lsq_config_integer(const json_t *config, const char *mixer, const char *key, int64_t *value);
/* *value is the index of the text in the NULL-terminated list `choices`. */
lsqnet_status lsq_config_choice(const json_t *config, const char *mixer, const char *key, const char *const *choices,
                                int32_t *value);

/* Writes a text as the `config` of a mixer's table does. */
lsqnet_status lsq_config_write(char *text, uint64_t capacity, uint64_t *needed, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
