/* The model that a command line names. */
#ifndef TOOLS_MODEL_SOURCE_H
#define TOOLS_MODEL_SOURCE_H

#include <lsqnet/lsqnet.h>

typedef struct {
  const char *name;   /* a file, exact, or exact:LxD[:MIXER[:PROMPT]] */
  const char *config; /* file with the configuration, for weights of the reference implementation; or NULL */
  const char *step;   /* OUTPUT:PROMPT:LxD[:STEP[:ITERATES]], what a file may leave unsaid; or NULL */
} model_source;

int model_open(lsqnet_model **out, lsqnet_context *context, const model_source *source);

/* "gradient", "iterate", "solution"; "none" for LSQNET_OUTPUT_NONE. */
const char *output_name(int32_t output);

/* The options that fill a model_source apart from its name. */
#define MODEL_OPTIONS(source)                                                                                        \
  {OPTION_TEXT, "--config", "FILE.json", "configuration of a model file that holds none", &(source)->config, 0.0}, { \
    OPTION_TEXT, "--step-of", "WHAT", "what a model file leaves unsaid: OUTPUT:PROMPT:LxD[:STEP[:ITERATES]]",        \
        &(source)->step, 0.0                                                                                         \
  }

#endif
