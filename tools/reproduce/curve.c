#include "curve.h"

#include <math.h>

#include "../error.h"
#include "reproduce.h"

static const double FACTOR = 1.1;

void curve_note(curve *c, int64_t step, double seconds, double loss, int each) {
  while (c->points > 0 && c->seconds[c->points - 1] >= seconds) c->points--;
  const double last = c->points > 0 ? c->steps[c->points - 1] : 0;
  if (c->points == CURVE_MOST || (!each && (double)step < FACTOR * last) || !isfinite(loss)) return;
  c->steps[c->points] = (double)step;
  c->seconds[c->points] = seconds;
  c->loss[c->points++] = loss;
}

int curve_put(const curve *c, json_t *run) {
  const int failed = json_object_set_new(run, "curve_steps", numbers_json(c->steps, c->points)) != 0 ||
                     json_object_set_new(run, "curve_seconds", numbers_json(c->seconds, c->points)) != 0 ||
                     json_object_set_new(run, "curve_loss", numbers_json(c->loss, c->points)) != 0;
  return failed ? fail_memory("a curve") : CODE_DONE;
}

int numbers_take(double *values, int64_t count, const json_t *array, const char *path) {
  if ((int64_t)json_array_size(array) != count) return fail_at(CODE_INPUT, path, 0, "does not hold what it should");
  for (int64_t i = 0; i < count; i++) values[i] = json_number_value(json_array_get(array, (size_t)i));
  return CODE_DONE;
}

int curve_take(curve *c, const json_t *run, const char *path) {
  int code = CODE_DONE;
  const size_t points = json_array_size(json_object_get(run, "curve_steps"));
  if (points > CURVE_MOST) return fail_at(CODE_INPUT, path, 0, "holds more than %d points", CURVE_MOST);
  c->points = (int)points;
  TRY(numbers_take(c->steps, c->points, json_object_get(run, "curve_steps"), path));
  TRY(numbers_take(c->seconds, c->points, json_object_get(run, "curve_seconds"), path));
  TRY(numbers_take(c->loss, c->points, json_object_get(run, "curve_loss"), path));
done:
  return code;
}
