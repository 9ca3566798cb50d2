#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

static int fail_output(const output *out) { return fail_at(CODE_OTHER, out->name, 0, "%s", strerror(errno)); }

/* mkstemp makes the file private: it gets the mode that a plain open would give. */
static FILE *open_temporary(char *path) {
  int descriptor = mkstemp(path);
  if (descriptor < 0) return NULL;
  mode_t mask = umask(0);
  umask(mask);
  FILE *file = fchmod(descriptor, 0666 & ~mask) == 0 ? fdopen(descriptor, "wb") : NULL;
  if (file == NULL) {
    close(descriptor);
    unlink(path);
  }
  return file;
}

int output_open(output *out, const char *path) {
  struct stat status;
  memset(out, 0, sizeof *out);
  out->name = out->path = path;
  if (strcmp(path, "-") == 0) {
    out->name = "standard output";
    out->file = stdout;
    return CODE_DONE;
  }
  if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
    out->file = fopen(path, "wb");
    return out->file == NULL ? fail_output(out) : CODE_DONE;
  }
  size_t length = strlen(path) + sizeof ".XXXXXX";
  out->temporary = malloc(length);
  if (out->temporary == NULL) return fail_memory("a file name");
  snprintf(out->temporary, length, "%s.XXXXXX", path);
  out->file = open_temporary(out->temporary);
  if (out->file != NULL) return CODE_DONE;
  int code = fail_output(out);
  free(out->temporary);
  out->temporary = NULL;
  return code;
}

int output_bytes(output *out, const void *bytes, int64_t count) {
  return fwrite(bytes, 1, (size_t)count, out->file) == (size_t)count ? CODE_DONE : fail_output(out);
}

int output_commit(output *out) {
  FILE *file = out->file;
  if (fflush(file) != 0) return fail_output(out);
  if (file == stdout) return CODE_DONE;
  if (out->temporary != NULL && fsync(fileno(file)) != 0) return fail_output(out);
  out->file = NULL;
  if (fclose(file) != 0) return fail_output(out);
  if (out->temporary == NULL) return CODE_DONE;
  if (rename(out->temporary, out->path) != 0) return fail_output(out);
  free(out->temporary);
  out->temporary = NULL;
  return CODE_DONE;
}

void output_close(output *out) {
  if (out->file != NULL && out->file != stdout) fclose(out->file);
  if (out->temporary != NULL) unlink(out->temporary);
  free(out->temporary);
  memset(out, 0, sizeof *out);
}

int output_flush_standard(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return CODE_DONE;
  return fail(CODE_OTHER, "standard output: %s", errno != 0 ? strerror(errno) : "write error");
}
