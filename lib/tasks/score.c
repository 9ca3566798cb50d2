#include <stddef.h>

#include "base/real.h"
#include "tasks/task.h"

/* One row of output against one of targets. */
static double score_row(const lsqnet_task_shape *s, int64_t out_width, const real *y, const real *target, double factor,
                        real *dy) {
  const int64_t begin = s->scored_first, end = begin + s->scored;
  double sum = 0;
  for (int64_t c = 0; dy != NULL && c < begin; c++) dy[c] = 0;
  for (int64_t c = begin; c < end; c++) {
    const double error = (double)y[c] - (double)target[c - begin];
    sum += error * error;
    if (dy != NULL) dy[c] = (real)(factor * error);
  }
  for (int64_t c = end; dy != NULL && c < out_width; c++) dy[c] = 0;
  return sum;
}

double REAL(lsq_task_score)(const lsqnet_task_shape *shape, int64_t out_width, int64_t samples, const real *y,
                            const real *target, double factor, real *dy) {
  const int64_t R = lsq_task_read_rows(shape);
  double sum = 0;
  for (int64_t n = 0; n < samples; n++)
    for (int64_t t = 0; t < R; t++) {
      const int64_t at = (n * R + t) * out_width;
      real *row = dy != NULL ? dy + at : NULL;
      if (t % shape->stride == 0) {
        sum += score_row(shape, out_width, y + at, target, factor, row);
        target += shape->scored;
      } else {
        for (int64_t c = 0; row != NULL && c < out_width; c++) row[c] = 0;
      }
    }
  return sum;
}
