/* FOLDER/NAME.json: what is finished of an experiment. */
#define _DEFAULT_SOURCE /* getloadavg */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../error.h"
#include "../interrupt.h"
#include "../json.h"
#include "../output.h"
#include "commit.h"
#include "reproduce.h"

char *runs_path(const reproduction *r, const char *rest) {
  const size_t room = strlen(r->folder) + strlen(r->experiment->name) + strlen(rest) + 3;
  char *path = malloc(room);
  if (path != NULL) snprintf(path, room, "%s/%s%s", r->folder, r->experiment->name, rest);
  return path;
}

static int is_text(const json_t *object, const char *key, const char *wanted) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL && strcmp(text, wanted) == 0;
}

/* Each run must have a key: it is how runs are told apart. */
static int take_runs(reproduction *r, const json_t *file, const char *path) {
  json_t *runs = json_object_get(file, "runs"), *run;
  size_t i;
  if (!json_is_array(runs) || !is_text(file, "experiment", r->experiment->name)) {
    return fail_at(CODE_INPUT, path, 0, "does not hold runs of %s", r->experiment->name);
  }
  if (!is_text(file, "budget", budget_name(r->budget))) {
    return fail_at(CODE_INPUT, path, 0, "holds runs of another budget than %s: take another folder",
                   budget_name(r->budget));
  }
  json_array_foreach(runs, i, run) {
    if (json_string_value(json_object_get(run, "key")) == NULL) {
      return fail_at(CODE_INPUT, path, 0, "run %zu has no key", i);
    }
  }
  r->runs = json_incref(runs);
  return CODE_DONE;
}

static double load_average(void) {
  double load = NAN;
  return getloadavg(&load, 1) == 1 ? load : NAN;
}

int runs_read(reproduction *r) {
  int code = CODE_DONE;
  json_error_t error;
  json_t *file = NULL;
  char *path = runs_path(r, ".json");
  r->load = load_average();
  if (path == NULL) return fail_memory("a file name");
  if (access(path, F_OK) != 0) {
    r->runs = json_array();
    if (r->runs == NULL) code = fail_memory("runs");
    goto done;
  }
  file = json_load_file(path, 0, &error);
  if (file == NULL) {
    code = fail_at(CODE_INPUT, path, error.line, "%s", error.text);
    goto done;
  }
  TRY(take_runs(r, file, path));
done:
  json_decref(file);
  free(path);
  return code;
}

int runs_match(const json_t *run, const char *keys) {
  const char *key = json_string_value(json_object_get(run, "key"));
  char pattern[128];
  while (1) {
    const size_t length = strcspn(keys, "|");
    snprintf(pattern, sizeof pattern, "%.*s", (int)length, keys);
    if (fnmatch(pattern, key, 0) == 0) return 1;
    if (keys[length] == '\0') return 0;
    keys += length + 1;
  }
}

json_t *runs_find(const reproduction *r, const char *key) {
  json_t *run;
  size_t i;
  json_array_foreach(r->runs, i, run) {
    if (is_text(run, "key", key)) return run;
  }
  return r->plan;
}

int stop_if_interrupted(void) {
  return interrupts_came() ? fail(CODE_OTHER, "interrupted: the same command goes on from here") : CODE_DONE;
}

int json_write(json_t *file, const char *path) {
  int code = CODE_DONE;
  output out = {0};
  char *text = file == NULL ? NULL : json_dumps(file, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
  if (text == NULL) {
    code = fail_memory("a file");
    goto done;
  }
  TRY(output_open(&out, path));
  TRY(output_bytes(&out, text, (int64_t)strlen(text)));
  TRY(output_bytes(&out, "\n", 1));
  TRY(output_commit(&out));
done:
  output_close(&out);
  json_decref(file);
  free(text);
  return code;
}

int runs_write(const reproduction *r, json_t *verdict) {
  char *path = runs_path(r, ".json");
  if (path == NULL) return fail_memory("a file name");
  const int code =
      json_write(json_pack("{s:s, s:s, s:s, s:O, s:O*}", "experiment", r->experiment->name, "budget",
                           budget_name(r->budget), "version", lsqnet_version(), "runs", r->runs, "verdict", verdict),
                 path);
  free(path);
  return code;
}

/* As the system names it; where it does not, its architecture. */
static void write_processor(char *out, size_t room) {
  struct utsname system;
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  snprintf(out, room, "%s", uname(&system) < 0 ? "unknown" : system.machine);
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    const char *name = strstr(line, ": ");
    if (strncmp(line, "model name", 10) != 0 || name == NULL) continue;
    snprintf(out, room, "%.*s", (int)strcspn(name + 2, "\n"), name + 2);
    break;
  }
  if (file != NULL) fclose(file);
}

/* When and on what a run was made. */
static json_t *conditions(const reproduction *r, double load) {
  char date[32] = "", processor[256];
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc) != NULL) (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  write_processor(processor, sizeof processor);
  return json_pack("{s:s, s:s, s:s, s:I, s:i, s:s, s:o, s:o}", "commit", COMMIT, "date", date, "processor", processor,
                   "processors", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "threads",
                   (int)lsqnet_context_threads(r->context), "level",
                   level_name(lsqnet_context_kernel_level(r->context)), "load_begin", json_number(r->load), "load_end",
                   json_number(load));
}

int runs_add(reproduction *r, const char *key, json_t *fields) {
  int code = CODE_DONE;
  const double load = load_average();
  json_t *run = json_pack("{s:s}", "key", key);
  const int measured = json_object_get(fields, "command") == NULL && json_object_size(r->models) > 0;
  if (run == NULL || fields == NULL || json_object_update(run, fields) != 0 ||
      (measured && json_object_set_new(run, "models", json_deep_copy(r->models)) != 0) ||
      (json_object_get(run, "conditions") == NULL &&
       json_object_set_new(run, "conditions", conditions(r, load)) != 0) ||
      json_array_append(r->runs, run) != 0) {
    code = fail_memory("a run");
    goto done;
  }
  r->load = load;
  if (json_object_get(run, "command") == NULL) tell(r, "%s: measured", key);
  TRY(runs_write(r, NULL));
  TRY(stop_if_interrupted());
done:
  json_decref(run);
  json_decref(fields);
  return code;
}

int runs_keep_best(reproduction *r, const char *key, const char *best, double seconds, int tries) {
  json_t *run = json_deep_copy(runs_find(r, best));
  if (run == NULL || json_object_del(run, "key") != 0 || json_object_set_new(run, "best", json_string(best)) != 0 ||
      json_object_set_new(run, "seconds", json_number(seconds)) != 0 ||
      json_object_set_new(run, "tries", json_integer(tries)) != 0) {
    json_decref(run);
    return fail_memory("a run");
  }
  return runs_add(r, key, run);
}

int runs_tried_before(const reproduction *r, const char *keys, int tries) {
  json_t *run;
  size_t i;
  json_array_foreach(r->runs, i, run) {
    if (!runs_match(run, keys) || json_object_get(run, "tries_before") != NULL) continue;
    const json_int_t all = json_integer_value(json_object_get(run, "tries")) + tries;
    if (json_object_set_new(run, "tries_before", json_integer(tries)) != 0 ||
        json_object_set_new(run, "tries", json_integer(all)) != 0) {
      return fail_memory("tries");
    }
  }
  return CODE_DONE;
}

int runs_stale(const reproduction *r, const char *key) {
  char *path = runs_path(r, ".json");
  if (path == NULL) return fail_memory("a file name");
  const int code = fail_at(CODE_INPUT, path, 0,
                           "run %s there is of another configuration than this version's: take another folder (or "
                           "remove that run, and what follows from it)",
                           key);
  free(path);
  return code;
}

int runs_agree(const reproduction *r, const char *keys, const char *field, double number) {
  json_t *run;
  size_t i;
  json_array_foreach(r->runs, i, run) {
    const double there = run_number(run, field);
    if (!runs_match(run, keys) || isnan(there) || there == number) continue;
    return runs_stale(r, json_string_value(json_object_get(run, "key")));
  }
  return CODE_DONE;
}

int runs_agree_with_models(const reproduction *r) {
  json_t *run, *command;
  size_t i;
  const char *key;
  json_array_foreach(r->runs, i, run) {
    json_object_foreach(json_object_get(run, "models"), key, command) {
      if (!json_equal(command, json_object_get(runs_find(r, key), "command")))
        return runs_stale(r, json_string_value(json_object_get(run, "key")));
    }
  }
  return CODE_DONE;
}

/* What follows a word of `lsqnet train`. Gauss-Newton takes as many samples as its residuals need, unless told. */
static json_t *word_of(const json_t *run, const char *word) {
  const char *command = json_string_value(json_object_get(run, "command")), *at = command;
  const size_t length = strlen(word);
  while (at != NULL && (at = strstr(at, word)) != NULL && at[length] != ' ') at += length;
  if (at != NULL) {
    char *end = NULL;
    const long long number = strtoll(at + length + 1, &end, 10);
    return *end == ' ' || *end == '\0' ? json_integer(number)
                                       : json_stringn(at + length + 1, strcspn(at + length + 1, " "));
  }
  const int newton = is_text(run, "optimizer", "levenberg_marquardt") || is_text(run, "optimizer", "gauss_newton_cg");
  return command != NULL && newton && strcmp(word, "--batch") == 0 ? json_string("auto") : NULL;
}

json_t *run_field(const json_t *run, const char *field) {
  const int is_word = strncmp(field, "--", 2) == 0;
  json_t *word = is_word ? word_of(run, field) : NULL;
  if (word != NULL) return word;
  json_t *value = json_object_get(run, is_word ? field + 2 : field);
  return json_incref(value != NULL ? value : json_object_get(json_object_get(run, "conditions"), field));
}

json_t *numbers_json(const double *values, int64_t count) {
  json_t *array = json_array();
  for (int64_t i = 0; i < count; i++) json_append(&array, json_number(values[i]));
  return array;
}

double run_number(const json_t *run, const char *field) {
  const json_t *value = json_object_get(run, field);
  return json_is_number(value) ? json_number_value(value) : NAN;
}
