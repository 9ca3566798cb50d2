/* The log of a run: a JSON object a line, the same bytes for the same run. */
#ifndef TOOLS_TRAIN_LOG_H
#define TOOLS_TRAIN_LOG_H

#include <lsqnet/train.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
  const char *path; /* NULL: no log */
  const char *init; /* the model whose weights the run begins with; NULL: none */
  int64_t every;    /* 0: 100, and 1 in Gauss-Newton */
  int seconds;      /* 1: they are told, too */
  FILE *file;
} train_log;

/* Opens the log for what follows step `done`: lines of later steps, and a last one that was cut off, go. */
int train_log_open(train_log *log, int64_t done);

/* Logs the step if it is due. */
int train_log_step(train_log *log, const lsqnet_progress *p);

int train_log_close(train_log *log);

#endif
