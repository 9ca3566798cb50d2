/* Command lines: --name VALUE, --name=VALUE, -o VALUE, and files in between. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdint.h>

typedef enum { OPTION_FLAG, OPTION_TEXT, OPTION_REAL, OPTION_INTEGER, OPTION_END } option_kind;

typedef struct {
  option_kind kind;
  const char *name;  /* with its dashes */
  const char *value; /* what the help calls its value; NULL for a flag */
  const char *help;
  void *target; /* int (set to 1), const char *, double or int64_t */
  double least; /* smallest number that is taken */
} option;

typedef struct {
  const char *synopsis;  /* e.g. "solve FILE [options]" */
  const char *about;     /* paragraphs for the help, ending in a line end */
  const option *options; /* up to OPTION_END */
  int files_least, files_most;
} command_line;

enum { FILES_MOST = 2 };

/* Reads argv[1..]; files in their order. *helped is 1 if --help was there and has been printed. */
int options_read(const command_line *line, int argc, char **argv, const char *files[FILES_MOST], int *helped);

#endif
