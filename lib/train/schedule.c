#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

static double constant(const lsqnet_train_options *o, int64_t applied, double before, int rising) {
  (void)applied;
  (void)before;
  (void)rising;
  return o->rate;
}

static double step(const lsqnet_train_options *o, int64_t applied, double before, int rising) {
  (void)before;
  (void)rising;
  if (applied == 0) return o->rate; /* though it be below the floor */
  return fmax(o->rate * pow(o->gamma, (double)(applied / o->schedule_steps)), o->rate_floor);
}

/* Its rule is applied before the first step, too. */
static double adaptive(const lsqnet_train_options *o, int64_t applied, double before, int rising) {
  if (applied % o->schedule_steps != 0) return before;
  return rising ? before / o->gamma : fmax(before * o->gamma, o->rate_floor);
}

static const lsq_schedule schedules[] = {{"constant", 0, constant}, {"step", 0, step}, {"adaptive", 1, adaptive}};

lsqnet_status lsq_schedule_find(const char *name, const lsq_schedule **out) {
  for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
    if (strcmp(schedules[i].name, name) == 0) {
      *out = &schedules[i];
      return LSQNET_OK;
    }
  return lsq_fail(LSQNET_E_ARGUMENT, "schedule=\"%s\": it must be constant, step or adaptive", name);
}
