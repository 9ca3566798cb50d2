/* Schedules of the learning rate. One is a line in schedule.c. */
#ifndef LSQ_TRAIN_SCHEDULE_H
#define LSQ_TRAIN_SCHEDULE_H

#include <lsqnet/train.h>

typedef struct lsq_schedule {
  const char *name;
  int measures; /* 1: it wants the cosine metric */
  /* The rate after `applied` steps, from the one before it (options->rate when none is applied). */
  double (*rate)(const lsqnet_train_options *options, int64_t applied, double before, int rising);
} lsq_schedule;

/* The schedule called `name`, or E_ARGUMENT listing all. */
lsqnet_status lsq_schedule_find(const char *name, const lsq_schedule **out);

#endif
