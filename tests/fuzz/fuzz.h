/* A fuzz target reads any bytes; what it demands of the library it says with `demand`, which ends the process. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <lsqnet/lsqnet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define demand(condition)                                                                         \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, lsqnet_last_message()); \
      abort();                                                                                    \
    }                                                                                             \
  } while (0)

/* A context for the whole run, with the kernels that every machine has. */
static inline lsqnet_context *fuzz_context(void) {
  static lsqnet_context *context;
  lsqnet_context_options options;
  if (context != NULL) return context;
  demand(lsqnet_context_options_init(&options, sizeof options) == LSQNET_OK);
  demand(lsqnet_context_create(&context, &options) == LSQNET_OK);
  return context;
}

/* What bad bytes may come to. */
static inline void demand_refusal(lsqnet_status status) {
  demand(status == LSQNET_E_FORMAT || status == LSQNET_E_SHAPE || status == LSQNET_E_NOT_FINITE ||
         status == LSQNET_E_UNSUPPORTED || status == LSQNET_E_ARGUMENT);
  demand(lsqnet_last_message()[0] != '\0');
}

/* A model that came from bytes can be saved, and what is saved loads and saves as the same bytes. */
static inline void demand_sound_model(const lsqnet_model *model) {
  lsqnet_model *again = NULL;
  uint64_t bytes = 0, bytes_again = 0;
  demand(lsqnet_model_save_memory(model, NULL, 0, &bytes) == LSQNET_OK);
  unsigned char *file = malloc((size_t)bytes), *file_again = malloc((size_t)bytes);
  demand(file != NULL && file_again != NULL);
  demand(lsqnet_model_save_memory(model, file, bytes, &bytes) == LSQNET_OK);
  demand(lsqnet_model_load_memory(&again, fuzz_context(), file, bytes, NULL) == LSQNET_OK);
  demand(lsqnet_model_save_memory(again, file_again, bytes, &bytes_again) == LSQNET_OK);
  demand(bytes_again == bytes && memcmp(file, file_again, (size_t)bytes) == 0);
  lsqnet_model_destroy(again);
  free(file_again);
  free(file);
}

#endif
