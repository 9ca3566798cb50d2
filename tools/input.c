#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"

int input_open(input *in, const char *path) {
  memset(in, 0, sizeof *in);
  if (strcmp(path, "-") == 0) {
    in->file = stdin;
    in->name = "standard input";
    return CODE_DONE;
  }
  in->name = path;
  in->file = fopen(path, "rb");
  if (in->file == NULL) return fail_at(CODE_INPUT, path, 0, "%s", strerror(errno));
  return CODE_DONE;
}

void input_close(input *in) {
  if (in->file != NULL && in->file != stdin) fclose(in->file);
  free(in->text);
  free(in->held);
  memset(in, 0, sizeof *in);
}

static int check_read(const input *in, int64_t line) {
  if (ferror(in->file)) return fail_at(CODE_INPUT, in->name, line, "%s", strerror(errno));
  return CODE_DONE;
}

int input_peek(input *in, int *byte) {
  *byte = getc(in->file);
  if (*byte == EOF) return check_read(in, 0);
  ungetc(*byte, in->file);
  return CODE_DONE;
}

/* getline, with its failures told apart. */
static int read_line(input *in, char **text, size_t *capacity, size_t *length, int *more) {
  errno = 0;
  ssize_t got = getline(text, capacity, in->file);
  *more = got >= 0;
  if (got < 0) {
    if (errno == ENOMEM) return fail_memory("a line of text");
    return check_read(in, in->line);
  }
  in->line++;
  *length = (size_t)got;
  if (strlen(*text) != *length) {
    return fail_at(CODE_INPUT, in->name, in->line, "holds a NUL byte: this is not UTF-8 text");
  }
  if (*length > 0 && (*text)[*length - 1] == '\n') (*text)[--*length] = '\0';
  if (*length > 0 && (*text)[*length - 1] == '\r') (*text)[--*length] = '\0';
  return CODE_DONE;
}

int input_line(input *in, int *more) { return read_line(in, &in->text, &in->capacity, &in->length, more); }

int input_extend(input *in, int *more) {
  int code = CODE_DONE;
  char *next = NULL;
  size_t capacity = 0, length = 0;
  TRY(read_line(in, &next, &capacity, &length, more));
  if (!*more) goto done;
  char *joined = realloc(in->text, in->length + length + 2);
  if (joined == NULL) {
    code = fail_memory("a line of text");
    goto done;
  }
  in->text = joined;
  in->capacity = in->length + length + 2;
  in->text[in->length++] = '\n';
  memcpy(in->text + in->length, next, length + 1);
  in->length += length;
done:
  free(next);
  return code;
}

int input_bytes(input *in, void *bytes, int64_t count, int64_t *got) {
  *got = (int64_t)fread(bytes, 1, (size_t)count, in->file);
  return *got < count ? check_read(in, 0) : CODE_DONE;
}

int64_t input_rest(const input *in) {
  struct stat status;
  off_t here = ftello(in->file);
  if (in->held != NULL) return in->held_size - (int64_t)here;
  if (here < 0 || fstat(fileno(in->file), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  return (int64_t)(status.st_size - here);
}

int input_hold(input *in) {
  int code = CODE_DONE;
  size_t capacity = 0, size = 0;
  char *bytes = NULL;
  if (in->held != NULL || input_rest(in) >= 0) return CODE_DONE;
  do {
    if (size == capacity) {
      capacity = capacity == 0 ? 65536 : 2 * capacity;
      char *grown = realloc(bytes, capacity);
      if (grown == NULL) {
        code = fail_memory(in->name);
        goto done;
      }
      bytes = grown;
    }
    size += fread(bytes + size, 1, capacity - size, in->file);
  } while (size == capacity);
  TRY(check_read(in, 0));
  FILE *reader = size > 0 ? fmemopen(bytes, size, "rb") : fopen("/dev/null", "rb");
  if (reader == NULL) {
    code = fail_memory(in->name);
    goto done;
  }
  if (in->file != stdin) fclose(in->file);
  in->file = reader;
  in->held = bytes;
  in->held_size = (int64_t)size;
  bytes = NULL;
done:
  free(bytes);
  return code;
}
