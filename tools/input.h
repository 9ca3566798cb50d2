/* A file or standard input, read once from its start to its end, line by line or as bytes. */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
  FILE *file;
  const char *name; /* as messages call it */
  int64_t line;     /* number of the line in `text`, 1 for the first */
  char *text;       /* the last line, without its end */
  size_t length, capacity;
  char *held;        /* what input_hold has read, in which `file` then reads */
  int64_t held_size; /* bytes of it */
} input;

/* "-" is standard input. */
int input_open(input *in, const char *path);
void input_close(input *in);

/* The next byte, which stays unread; EOF at the end. */
int input_peek(input *in, int *byte);

/* Reads the next line into in->text; *more is 0 at the end. A NUL byte is refused: it is not text. */
int input_line(input *in, int *more);

/* Appends a line end and the next line to in->text, for quoted cells that hold line ends. */
int input_extend(input *in, int *more);

/* Reads exactly `count` bytes unless the file ends before: *got says how many. */
int input_bytes(input *in, void *bytes, int64_t count, int64_t *got);

/* Bytes from here to the end of a regular file or of one that is held; -1 when only reading can tell. */
int64_t input_rest(const input *in);

/* Makes input_rest known: what is no regular file is read into memory to its end. */
int input_hold(input *in);

#endif
