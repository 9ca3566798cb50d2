/* Problems spoilt in ways that lead them off the normal road. */
#ifndef LSQ_TESTS_TROUBLE_H
#define LSQ_TESTS_TROUBLE_H

#include "problem.h"

/* Problems that take other roads than the normal one that they were: by `which`. */
enum { TROUBLES = 10 };

static inline void trouble(int which, problem *q) {
  const int64_t m = q->m, n = q->n, last = n - 1;
  for (int64_t i = 0; i < m; i++) {
    double *row = q->a + i * q->lda;
    switch (which) {
      case 1: row[last] = row[0]; break;                    /* dependent columns */
      case 2: row[last] = row[0] + 1e-9 * row[last]; break; /* nearly */
      case 3: row[last] = row[0] + 1e-5 * row[last]; break; /* enough for more corrections */
      case 4:
        for (int64_t j = 0; j < n; j++) row[j] *= 1e30;
        break; /* in float32 squares are beyond the largest number */
      case 5:
        for (int64_t j = 0; j < n; j++) row[j] *= 1e-30;
        break;
      case 6:
        for (int64_t j = 0; j < n; j++) row[j] *= i % 2 ? 1e15 : 1e-15;
        break;
      case 7: memset(row, 0, (size_t)n * sizeof *row); break;
      case 8: memcpy(row, q->a, (size_t)n * sizeof *row); break; /* rank 1 */
      default: break;
    }
  }
  if (which == 9) q->a[m / 2 * q->lda] = (double)NAN;
}

#endif
