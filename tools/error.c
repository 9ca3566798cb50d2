#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MOST = 1024 };

/* A file name or a cell may hold line ends and escape sequences: they must not break the one line. */
static void write_line(char *text) {
  for (char *c = text; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
  }
  fprintf(stderr, "lsqnet: %s\n", text);
}

int fail(int code, const char *format, ...) {
  char line[LINE_MOST];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  write_line(line);
  return code;
}

int fail_at(int code, const char *file, int64_t line, const char *format, ...) {
  char message[LINE_MOST], whole[2 * LINE_MOST];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (line > 0) {
    snprintf(whole, sizeof whole, "%.*s:%lld: %s", LINE_MOST - 32, file, (long long)line, message);
  } else {
    snprintf(whole, sizeof whole, "%.*s: %s", LINE_MOST - 32, file, message);
  }
  write_line(whole);
  return code;
}

static int code_of(lsqnet_status status) {
  switch (status) {
    case LSQNET_OK: return CODE_DONE;
    case LSQNET_E_ARGUMENT: return CODE_USAGE;
    case LSQNET_E_SHAPE:
    case LSQNET_E_IO:
    case LSQNET_E_FORMAT:
    case LSQNET_E_NOT_FINITE:
    case LSQNET_E_UNSUPPORTED: return CODE_INPUT;
    case LSQNET_E_NOT_CONVERGED: return CODE_NOT_CONVERGED;
    case LSQNET_E_RANK: return CODE_RANK;
    default: return CODE_OTHER;
  }
}

int fail_library(int code, lsqnet_status status, const char *file) {
  const char *message = lsqnet_last_message();
  if (*message == '\0') message = lsqnet_status_name(status);
  if (status == LSQNET_E_MEMORY) code = CODE_OTHER;
  size_t length = file == NULL ? 0 : strlen(file);
  int named = length > 0 && strncmp(message, file, length) == 0 && message[length] == ':';
  if (file == NULL || named) return fail(code, "%s", message);
  return fail_at(code, file, 0, "%s", message);
}

int fail_status(lsqnet_status status, const char *file) { return fail_library(code_of(status), status, file); }

int fail_memory(const char *what) { return fail(CODE_OTHER, "not enough memory for %s", what); }
