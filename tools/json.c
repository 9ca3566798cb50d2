#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "output.h"

json_t *json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *json_text(const char *text) {
  json_t *string = json_string(text);
  if (string != NULL) return string;
  char *copy = strdup(text);
  for (char *c = copy; c != NULL && *c != '\0'; c++) {
    if ((unsigned char)*c > 127) *c = '?';
  }
  string = copy == NULL ? NULL : json_string(copy);
  free(copy);
  return string;
}

static void drop_if(int failed, json_t **whole) {
  if (!failed) return;
  json_decref(*whole);
  *whole = NULL;
}

void json_append(json_t **array, json_t *value) { drop_if(json_array_append_new(*array, value) != 0, array); }

void json_put(json_t **object, const char *key, json_t *value) {
  drop_if(json_object_set_new(*object, key, value) != 0, object);
}

int json_print(json_t *object) {
  if (object == NULL) return fail_memory("the JSON output");
  int failed = json_dumpf(object, stdout, JSON_COMPACT) != 0;
  json_decref(object);
  putchar('\n');
  int code = output_flush_standard();
  return code == CODE_DONE && failed ? fail_memory("the JSON output") : code;
}
