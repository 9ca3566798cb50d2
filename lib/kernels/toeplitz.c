#include "kernels/level.h"

/* All three products are out_i += sum_j G[sign (i - j)] in_j per channel, over the rows j = in_first .. in_end - 1 with
 * i - j in lo..hi, in ascending order whatever the other rows are. G points at the row of difference 0, `in` at the row
 * in_first. */
typedef struct {
  int64_t D, lo, hi, in_first, in_end;
  const real *G, *in;
  int64_t sign;
} correlation;

/* The rows of `in` that row i takes: first_term(i) .. end_term(i) - 1. Both grow with i. */
static inline int64_t first_term(const correlation *c, int64_t i) {
  return i - c->hi > c->in_first ? i - c->hi : c->in_first;
}

static inline int64_t end_term(const correlation *c, int64_t i) {
  return i - c->lo + 1 < c->in_end ? i - c->lo + 1 : c->in_end;
}

#define LANE_COUNT 1
#include "kernels/correlation.h"
#define LANE_COUNT 2
#include "kernels/correlation.h"
#if LSQ_VECTOR_BYTES * 8 >= 4 * LSQ_PRECISION
#define LANE_COUNT 4
#include "kernels/correlation.h"
#endif
#if LSQ_VECTOR_BYTES * 8 >= 8 * LSQ_PRECISION
#define LANE_COUNT 8
#include "kernels/correlation.h"
#endif
#if LSQ_VECTOR_BYTES * 8 >= 16 * LSQ_PRECISION
#define LANE_COUNT 16
#include "kernels/correlation.h"
#endif

typedef void correlate_fn(const correlation *c, int64_t first, int64_t count, real *out);

/* By the widest vectors that D fills. */
static void correlate(const correlation *c, int64_t first, int64_t count, real *out) {
  correlate_fn *by_width = correlate_1;
  if (c->D >= 2) by_width = correlate_2;
#if LSQ_VECTOR_BYTES * 8 >= 4 * LSQ_PRECISION
  if (c->D >= 4) by_width = correlate_4;
#endif
#if LSQ_VECTOR_BYTES * 8 >= 8 * LSQ_PRECISION
  if (c->D >= 8) by_width = correlate_8;
#endif
#if LSQ_VECTOR_BYTES * 8 >= 16 * LSQ_PRECISION
  if (c->D >= 16) by_width = correlate_16;
#endif
  by_width(c, first, count, out);
}

void LEVEL(toeplitz)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,
                     const real *bias, const real *u, real *y) {
  correlation c = {.D = D, .lo = lo, .hi = hi, .in_first = 0, .in_end = T, .G = F + (T - 1) * D, .in = u, .sign = 1};
  for (int64_t i = 0; i < count; i++) {
    for (int64_t d = 0; d < D; d++) y[i * D + d] = bias != NULL ? bias[d] : 0;
  }
  correlate(&c, first, count, y);
}

/* Here i runs over the rows s of u and j over the rows t of dy: i - j = -lag. */
void LEVEL(toeplitz_input)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,
                           const real *dy, real *du) {
  correlation c = {.D = D,
                   .lo = -hi,
                   .hi = -lo,
                   .in_first = first,
                   .in_end = first + count,
                   .G = F + (T - 1) * D,
                   .in = dy,
                   .sign = -1};
  correlate(&c, 0, T, du);
}

/* Here i is a lag and j a row t of dy; the row of u is t - lag = -(i - j), which must lie in 0..T-1. */
void LEVEL(toeplitz_filter)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *u,
                            const real *dy, real *dF) {
  correlation c = {
      .D = D, .lo = -(T - 1), .hi = 0, .in_first = first, .in_end = first + count, .G = u, .in = dy, .sign = -1};
  correlate(&c, lo, hi - lo + 1, dF + (lo + T - 1) * D);
}
