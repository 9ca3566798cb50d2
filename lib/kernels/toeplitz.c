#include "kernels/level.h"

/* out_i += sum_j G[sign (i - j)] in_j per channel, over the rows j of `in` that lag = i - j in lo..hi leaves, in
 * ascending order whatever the other rows are. G points at the row of difference 0. */
typedef struct {
  int64_t D, lo, hi, in_first, in_end;
  const real *G, *in;
  int64_t sign;
} correlation;

static void correlate_row(const correlation *c, int64_t i, real *out) {
  int64_t from = i - c->hi > c->in_first ? i - c->hi : c->in_first;
  int64_t end = i - c->lo + 1 < c->in_end ? i - c->lo + 1 : c->in_end;
  for (int64_t j = from; j < end; j++) {
    const real *g = c->G + c->sign * (i - j) * c->D, *in = c->in + j * c->D;
    for (int64_t d = 0; d < c->D; d++) out[d] += g[d] * in[d];
  }
}

void LEVEL(toeplitz)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *F,
                     const real *bias, const real *u, real *y) {
  correlation c = {.D = D, .lo = lo, .hi = hi, .in_first = 0, .in_end = T, .G = F + (T - 1) * D, .in = u, .sign = 1};
  for (int64_t i = 0; i < count; i++) {
    for (int64_t d = 0; d < D; d++) y[i * D + d] = bias != NULL ? bias[d] : 0;
    correlate_row(&c, first + i, y + i * D);
  }
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
                   .in = dy - first * D,
                   .sign = -1};
  for (int64_t s = 0; s < T; s++) correlate_row(&c, s, du + s * D);
}

/* Here i is a lag and j a row t of dy; the row of u is t - lag = -(i - j), which must lie in 0..T-1. */
void LEVEL(toeplitz_filter)(int64_t T, int64_t D, int64_t lo, int64_t hi, int64_t first, int64_t count, const real *u,
                            const real *dy, real *dF) {
  correlation c = {.D = D,
                   .lo = -(T - 1),
                   .hi = 0,
                   .in_first = first,
                   .in_end = first + count,
                   .G = u,
                   .in = dy - first * D,
                   .sign = -1};
  for (int64_t lag = lo; lag <= hi; lag++) correlate_row(&c, lag, dF + (lag + T - 1) * D);
}
