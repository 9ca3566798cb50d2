/* A model as a safetensors file. Own files say what they are in __metadata__; files with the reference implementation's
 * tensor names carry its configuration there. docs/model-files.md has all names and keys. */
#ifndef LSQ_STORE_MODEL_FILE_H
#define LSQ_STORE_MODEL_FILE_H

#include "model/model.h"
#include "store/safetensors.h"

#define LSQ_FORMAT         "lsqnet" /* __metadata__.format of own files */
#define LSQ_FORMAT_VERSION "1"

/* What a file says a model is; `given` by the caller in place of the file when the file is silent. */
typedef struct {
  const lsqnet_context *context;
  lsqnet_model_options options; /* texts belong to the description */
  char *mixer, *mixer_config;
  json_t *frozen; /* list of names, or NULL: as the options have it */
} lsq_description;

void lsq_description_clear(lsq_description *description);

/* Reads the configuration of an own file. */
lsqnet_status lsq_describe_own(lsq_description *out, const lsqnet_context *context, const char *config);

/* Reads the reference implementation's configuration, `dtype` apart. */
lsqnet_status lsq_describe_reference(lsq_description *out, const lsqnet_context *context, const char *config);

/* The configuration of an own file, as one line of JSON; the caller frees it. */
lsqnet_status lsq_config_text(char **out, const lsqnet_model *model);

/* JSON as text, and as objects. */
lsqnet_status lsq_dump(char **out, const lsqnet_context *context, const json_t *value);
lsqnet_status lsq_parse_object(json_t **out, const char *what, const char *text);

/* Fields of a step in __metadata__: texts of numbers and names. */
enum { LSQ_STEP_TEXTS = 7, LSQ_NUMBER_BYTES = 32 };
typedef struct {
  lsq_text texts[LSQ_STEP_TEXTS];
  int64_t count;
  char numbers[LSQ_STEP_TEXTS][LSQ_NUMBER_BYTES];
} lsq_step_texts;

/* Writes the fields that the step sets. */
lsqnet_status lsq_step_write(lsq_step_texts *out, const lsqnet_model_step *step);

/* Reads the fields that the file has, filled up from what the caller gave; E_ARGUMENT if the two contradict each other.
 * Texts live as long as both. */
lsqnet_status lsq_step_read(lsqnet_model_step *out, const lsq_archive *archive, const lsqnet_load_options *given);

/* A model from the bytes of a file. */
lsqnet_status lsq_model_from_bytes(lsqnet_model **out, lsqnet_context *context, const void *bytes, uint64_t size,
                                   const lsqnet_load_options *given);

/* A model's file, piece by piece. */
lsqnet_status lsq_model_write(const lsqnet_model *model, lsqnet_write_fn write, void *user);

#endif
