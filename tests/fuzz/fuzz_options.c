/* Any text as the JSON that options take: a mixer's configuration (first byte 0, 1, 2) and that of the reference
 * implementation for a file that does not hold its own (3), and any name of a prompt or task (4). */
#include "fuzz.h"

static void as_mixer_config(const char *mixer, const char *text) {
  lsqnet_model_options o;
  lsqnet_model *model = NULL;
  demand(lsqnet_model_options_init(&o, sizeof o) == LSQNET_OK);
  o.rows = 5;
  o.in_width = o.out_width = 3;
  o.width = 4;
  o.layers = 2;
  o.mixer = mixer;
  o.mixer_config = text;
  const lsqnet_status status = lsqnet_model_create(&model, fuzz_context(), &o);
  demand((status == LSQNET_OK) == (model != NULL));
  if (status == LSQNET_OK)
    demand_sound_model(model);
  else
    demand_refusal(status);
  lsqnet_model_destroy(model);
}

/* A file of one array under the reference's names, without a configuration. */
static void as_reference_config(const char *text) {
  static const char header[] =
      "{\"_read_in.weight\":{\"dtype\":\"F64\",\"shape\":[2,3],\"data_offsets\":[0,48]}}                ";
  unsigned char file[8 + sizeof header - 1 + 48] = {sizeof header - 1};
  lsqnet_load_options o;
  lsqnet_model *model = NULL;
  memcpy(file + 8, header, sizeof header - 1);
  demand(lsqnet_load_options_init(&o, sizeof o) == LSQNET_OK);
  o.config = text;
  const lsqnet_status status = lsqnet_model_load_memory(&model, fuzz_context(), file, sizeof file, &o);
  if (status == LSQNET_OK)
    demand_sound_model(model);
  else
    demand_refusal(status);
  lsqnet_model_destroy(model);
}

static void as_name(const char *text) {
  lsqnet_task_options o;
  lsqnet_task *task = NULL;
  demand(lsqnet_task_options_init(&o, sizeof o) == LSQNET_OK);
  o.name = text;
  const char *end = strchr(text, '/');
  o.prompt = end != NULL ? end + 1 : NULL;
  const lsqnet_status status = lsqnet_task_create(&task, fuzz_context(), &o);
  if (status != LSQNET_OK) demand_refusal(status);
  lsqnet_task_destroy(task);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const mixers[] = {"base_conv", "attention", "identity"};
  if (size == 0) return 0;
  char *text = malloc(size);
  demand(text != NULL);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  if (data[0] % 5 < 3)
    as_mixer_config(mixers[data[0] % 5], text);
  else if (data[0] % 5 == 3)
    as_reference_config(text);
  else
    as_name(text);
  free(text);
  return 0;
}
