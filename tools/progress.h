/* Progress of a run on standard error: one line that is drawn again on a terminal, else a line now and then. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <lsqnet/train.h>

typedef struct {
  int shown;          /* 0: nothing is */
  int terminal;       /* standard error is one */
  int drawn;          /* a line stands there that is not ended */
  int64_t steps;      /* most steps of the run */
  int64_t first;      /* step of the first call */
  double began, next; /* seconds */
} progress_line;

void progress_begin(progress_line *line, int shown, int64_t steps);
void progress_show(progress_line *line, const lsqnet_progress *p);

/* Ends the line that stands on the terminal. */
void progress_end(progress_line *line);

/* "2 h 05 min", "3 min 20 s", "12 s" */
enum { DURATION_TEXT = 32 };
void duration_write(char text[DURATION_TEXT], double seconds);

/* Seconds of a clock that never goes back. */
double seconds_now(void);

#endif
