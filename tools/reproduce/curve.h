/* The course of a training, which is kept beside its checkpoint: a training that goes on has all of it. */
#ifndef TOOLS_REPRODUCE_CURVE_H
#define TOOLS_REPRODUCE_CURVE_H

#include <jansson.h>
#include <stdint.h>

enum { CURVE_MOST = 1200 };

typedef struct {
  int points;
  double steps[CURVE_MOST], seconds[CURVE_MOST], loss[CURVE_MOST];
} curve;

/* Adds a point, unless `each` is 0 and the step is less than a tenth beyond the last one. Points of this time and later
 * go: a checkpoint may be older than the curve. */
void curve_note(curve *c, int64_t step, double seconds, double loss, int each);

/* curve_steps, curve_seconds, curve_loss of a run or of a file. */
int curve_put(const curve *c, json_t *run);
int curve_take(curve *c, const json_t *run, const char *path);

/* So many numbers, or an error that names the file. */
int numbers_take(double *values, int64_t count, const json_t *array, const char *path);

#endif
