#include "train_log.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decimal.h"
#include "error.h"
#include "json.h"

static int fail_log(const train_log *log) { return fail_at(CODE_OTHER, log->path, 0, "%s", strerror(errno)); }

/* The step that a line tells of; -1 if it is no line of a log. */
static int64_t step_of(const char *line) {
  json_t *object = json_loads(line, 0, NULL);
  const json_t *step = json_object_get(object, "step");
  const int64_t value = json_is_integer(step) ? (int64_t)json_integer_value(step) : -1;
  json_decref(object);
  return value;
}

/* Where the lines of steps up to `done` end; -1 with errno on failure. */
static long end_of(FILE *file, int64_t done) {
  char *line = NULL;
  size_t room = 0;
  ssize_t length = 0;
  long end = 0;
  while ((length = getline(&line, &room, file)) > 0 && line[length - 1] == '\n') {
    const int64_t step = step_of(line);
    if (step < 0 || step > done) break;
    end += (long)length;
  }
  free(line);
  return ferror(file) ? -1 : end;
}

static int shorten(train_log *log, int64_t done) {
  const long end = end_of(log->file, done);
  if (end < 0 || ftruncate(fileno(log->file), (off_t)end) != 0 || fseek(log->file, end, SEEK_SET) != 0) {
    return fail_log(log);
  }
  return CODE_DONE;
}

/* The first line says which model's weights a run began with. */
static int write_init(train_log *log) {
  if (log->init == NULL) return CODE_DONE;
  json_t *line = json_pack("{s:i, s:o, s:n, s:n}", "step", 0, "init", json_text(log->init), "loss", "fresh_loss");
  if (line == NULL) return fail_memory("a line of the log");
  const int failed = json_dumpf(line, log->file, JSON_COMPACT) != 0 || fputc('\n', log->file) == EOF;
  json_decref(line);
  return failed ? fail_log(log) : CODE_DONE;
}

int train_log_open(train_log *log, int64_t done) {
  if (log->path == NULL) return CODE_DONE;
  log->file = done > 0 ? fopen(log->path, "r+") : fopen(log->path, "w");
  if (log->file != NULL) return done > 0 ? shorten(log, done) : write_init(log);
  if (done > 0 && errno == ENOENT) log->file = fopen(log->path, "w");
  return log->file != NULL ? CODE_DONE : fail_log(log);
}

static void write_number(FILE *file, const char *key, double value) {
  char text[DECIMAL_TEXT];
  decimal_write(text, value);
  fprintf(file, ",\"%s\":%s", key, isfinite(value) ? text : "null");
}

int train_log_step(train_log *log, const lsqnet_progress *p) {
  const int64_t every = log->every > 0 ? log->every : p->damping > 0 ? 1 : 100;
  const int due = p->step == 1 || p->step % every == 0 || p->ended != LSQNET_TRAIN_GOING;
  if (log->file == NULL || !due) return CODE_DONE;
  fprintf(log->file, "{\"step\":%lld", (long long)p->step);
  if (p->phase != LSQNET_PHASE_MAIN)
    fprintf(log->file, ",\"phase\":\"%s\"", p->phase == LSQNET_PHASE_START ? "start" : "trial");
  if (p->phase == LSQNET_PHASE_TRIAL || p->restart > 0) fprintf(log->file, ",\"restart\":%ld", (long)p->restart);
  write_number(log->file, "loss", p->loss);
  write_number(log->file, "fresh_loss", p->fresh_loss);
  write_number(log->file, "rate", p->rate);
  write_number(log->file, "damping", p->damping);
  write_number(log->file, "gradient_norm", p->gradient_norm);
  write_number(log->file, "metric", p->metric);
  if (log->seconds) write_number(log->file, "seconds", p->seconds);
  fputs("}\n", log->file);
  return fflush(log->file) == 0 && !ferror(log->file) ? CODE_DONE : fail_log(log);
}

int train_log_close(train_log *log) {
  FILE *file = log->file;
  log->file = NULL;
  return file == NULL || fclose(file) == 0 ? CODE_DONE : fail_log(log);
}
