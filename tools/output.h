/* A file that appears under its name when it is whole: written beside it, flushed to disk, then renamed. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
  FILE *file;
  const char *name; /* as messages call it */
  const char *path; /* to be renamed to */
  char *temporary;  /* NULL: written directly (standard output, devices, pipes) */
} output;

/* "-" is standard output. */
int output_open(output *out, const char *path);
int output_bytes(output *out, const void *bytes, int64_t count);

/* Makes the file appear. */
int output_commit(output *out);

/* Removes what was not committed; fine after a commit and on a zeroed struct. */
void output_close(output *out);

/* Hands standard output's buffer to the system; a full disk shows here. */
int output_flush_standard(void);

#endif
