#include "task_text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "error.h"

static const struct {
  const char *task; /* with which its name begins */
  const char *key;
  enum { WHOLE, WHOLE64, REAL } kind;
  size_t at;
} asked[] = {
#define ASKED(task, name, kind) \
  { task, #name, kind, offsetof(lsqnet_task_options, name) }
    ASKED("read", seed, WHOLE64),
    ASKED("linear", seed, WHOLE64),
    ASKED("explicit_gradient", setting, WHOLE),
    ASKED("least_squares_icl", setting, WHOLE),
    ASKED("momentum", momentum, REAL),
    ASKED("ode_", points, WHOLE64),
    ASKED("ode_", ode_class, WHOLE),
    ASKED("ode_", ode_points, WHOLE),
    ASKED("ode_", ode_spread, REAL),
    ASKED("ode_", ode_variance, REAL),
    ASKED("ode_", ode_initial, REAL),
    ASKED("ode_", ode_noise, REAL),
#undef ASKED
};
enum { OPTIONS = sizeof asked / sizeof *asked };

static int is_asked(int i, const char *task) { return strncmp(asked[i].task, task, strlen(asked[i].task)) == 0; }

static void write_asked(int i, const lsqnet_task_options *o, char *out, size_t room) {
  const void *value = (const char *)o + asked[i].at;
  char number[DECIMAL_TEXT];
  switch (asked[i].kind) {
    case WHOLE: snprintf(number, sizeof number, "%ld", (long)*(const int32_t *)value); break;
    case WHOLE64: snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)value); break;
    case REAL: decimal_write(number, *(const double *)value); break;
  }
  snprintf(out, room, " %s=%s", asked[i].key, number);
}

int task_text_write(const lsqnet_task_options *o, char *out, size_t room) {
  lsqnet_task_options defaults;
  char word[64], usual[64];
  const lsqnet_status st = lsqnet_task_options_init(&defaults, sizeof defaults);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  snprintf(out, room, "%s", o->name);
  for (int i = 0; i < OPTIONS; i++) {
    if (!is_asked(i, o->name)) continue;
    write_asked(i, o, word, sizeof word);
    write_asked(i, &defaults, usual, sizeof usual);
    if (strcmp(word, usual) != 0) strncat(out, word, room - strlen(out) - 1);
  }
  return CODE_DONE;
}

static int read_asked(const char *word, lsqnet_task_options *o) {
  const char *equals = strchr(word, '=');
  char *end = NULL;
  for (int i = 0; equals != NULL && i < OPTIONS; i++) {
    void *value = (char *)o + asked[i].at;
    if (!is_asked(i, o->name) || strlen(asked[i].key) != (size_t)(equals - word) ||
        strncmp(asked[i].key, word, (size_t)(equals - word)) != 0)
      continue;
    if (asked[i].kind == REAL)
      *(double *)value = strtod(equals + 1, &end);
    else if (asked[i].kind == WHOLE)
      *(int32_t *)value = (int32_t)strtol(equals + 1, &end, 10);
    else
      *(int64_t *)value = strtoll(equals + 1, &end, 10);
    return end != equals + 1 && *end == '\0';
  }
  return 0;
}

int task_text_read(char *text, lsqnet_task_options *o) {
  char *rest = NULL;
  o->name = strtok_r(text, " ", &rest);
  for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
    if (!read_asked(word, o)) return 0;
  return o->name != NULL;
}
