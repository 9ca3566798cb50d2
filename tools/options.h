/* Command lines: --name VALUE, --name=VALUE, -o VALUE, and files in between. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdint.h>

typedef enum {
  OPTION_FLAG,  /* sets its target to 1 */
  OPTION_CLEAR, /* sets its target to 0 */
  OPTION_TEXT,
  OPTION_REAL,
  OPTION_INTEGER,
  OPTION_CHOICE, /* one word of `value`, e.g. "none|relu|gelu"; the first stands for `least`, the next for one more */
  OPTION_END
} option_kind;

typedef struct {
  option_kind kind;
  const char *name;  /* with its dashes */
  const char *value; /* what the help calls its value; NULL for flags */
  const char *help;
  void *target; /* int (flags), const char *, double, int64_t, or int32_t (choices) */
  double least; /* smallest number that is taken */
} option;

typedef struct {
  const char *synopsis;  /* e.g. "solve FILE [options]" */
  const char *about;     /* paragraphs for the help, ending in a line end */
  const option *options; /* up to OPTION_END */
  int files_least, files_most;
} command_line;

enum { FILES_MOST = 64 };

/* Reads argv[1..]; files in their order. *helped is 1 if --help was there and has been printed. */
int options_read(const command_line *line, int argc, char **argv, const char *files[FILES_MOST], int *helped);

#endif
