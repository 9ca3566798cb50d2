/* Sums over the rows of problems in lanes. */
#include "solve/lane_vectors.h"

#if LSQ_PRECISION == 64

void LEVEL(lane_weigh)(const lsq_packed *packed);
void LEVEL(lane_moments)(const lsq_packed *packed, double *moments);
void LEVEL(lane_residual)(const lsq_packed *packed, int64_t side, const double *x, const double *x_low,
                          const double *limit, double *r, double *r_low, double *square);
void LEVEL(lane_gradient)(const lsq_packed *packed, const double *r, const double *r_low, double *sum, double *sum_low);

/* ---- weights ---- */

void LEVEL(lane_weigh)(const lsq_packed *packed) {
  const doubles zero = {0};
  for (int64_t row = 0; row < packed->rows; row++) {
    const doubles weight = get(packed->weights, row), down = scale_of(weight);
    const mask tame = (weight >= 0x1p-900) & (weight <= 0x1p900), none = weight == 0;
    const doubles up = choose(tame, 1 / down, choose(none, zero, every(NAN)));
    const doubles left = choose(tame, weight * down * down, every(1));
    put(packed->weights, row, left);
    for (int64_t column = packed->kept; column < packed->n + packed->k; column++) {
      const int64_t at = column * packed->stride + row;
      const doubles value = get(packed->values, at) * up;
      put(packed->values, at, value);
      put(packed->weighted, at, value * left);
    }
  }
}

/* ---- moments, in tiles of columns that registers hold ---- */

enum { TILE = LSQ_VECTOR_BYTES == 64 ? 4 : 3 };
enum { LINE = 64 }; /* bytes that memory is asked for at a time */

/* Lines of what comes next. */
typedef struct {
  const char *first;
  int64_t count;
} lines;

/* moment (i,j) += columns i and j of the `height` and `width` ones from a and from b; i <= j only on the diagonal. With
 * each row a line is asked for. */
LSQ_INLINE void add_tile(const int height, const int width, const int diagonal, const lsq_packed *packed,
                         const double *a, const double *b, lines ahead, double *const *moment) {
  doubles sum[TILE][TILE];
  const int64_t step = packed->stride * WIDE;
#pragma GCC unroll 4
  for (int j = 0; j < width; j++)
#pragma GCC unroll 4
    for (int i = 0; i < height; i++)
      if (!diagonal || i <= j) sum[i][j] = get(moment[j], i);
  for (int64_t row = 0; row < packed->rows; row++, a += WIDE, b += WIDE) {
    if (row < ahead.count) __builtin_prefetch(ahead.first + row * LINE, 0, 3);
#pragma GCC unroll 4
    for (int j = 0; j < width; j++) {
      const doubles factor = get(b + j * step, 0);
#pragma GCC unroll 4
      for (int i = 0; i < height; i++)
        if (!diagonal || i <= j) sum[i][j] = fused(get(a + i * step, 0), factor, sum[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < width; j++)
#pragma GCC unroll 4
    for (int i = 0; i < height; i++)
      if (!diagonal || i <= j) put(moment[j], i, sum[i][j]);
}

/* The tile of columns from i and from j on, i <= j: where they differ, the first is a full one. */
static void add_tile_at(const lsq_packed *packed, int64_t i, int64_t j, int64_t width, lines ahead, double *moments) {
  const int64_t step = packed->stride * WIDE;
  const double *a = packed->values + i * step, *b = packed->weighted + j * step;
  double *moment[TILE];
  for (int64_t c = 0; c < width; c++) moment[c] = moments + (lsq_triangle(j + c) + i) * WIDE;
  if (i != j) {
    switch (width) {
      case 1: add_tile(TILE, 1, 0, packed, a, b, ahead, moment); break;
      case 2: add_tile(TILE, 2, 0, packed, a, b, ahead, moment); break;
      case 3: add_tile(TILE, 3, 0, packed, a, b, ahead, moment); break;
      default: add_tile(TILE, TILE, 0, packed, a, b, ahead, moment);
    }
  } else {
    switch (width) {
      case 1: add_tile(1, 1, 1, packed, a, b, ahead, moment); break;
      case 2: add_tile(2, 2, 1, packed, a, b, ahead, moment); break;
      case 3: add_tile(3, 3, 1, packed, a, b, ahead, moment); break;
      default: add_tile(TILE, TILE, 1, packed, a, b, ahead, moment);
    }
  }
}

/* Share `index` of `count` of what comes next; what is more than one line a row is asked for at once. */
static lines share_of(const lsq_packed *packed, int64_t index, int64_t count) {
  if (packed->ahead == NULL) return (lines){NULL, 0};
  const int64_t all = (packed->ahead_bytes + LINE - 1) / LINE, share = (all + count - 1) / count;
  const int64_t begin = index * share, left = all - begin;
  const lines ahead = {packed->ahead + begin * LINE, left < share ? left : share};
  for (int64_t i = packed->rows; i < ahead.count; i++) __builtin_prefetch(ahead.first + i * LINE, 0, 3);
  return ahead;
}

/* moment (i,j) of one pair of columns. */
static void add_pair(const lsq_packed *packed, int64_t i, int64_t j, double *moments) {
  const int64_t step = packed->stride * WIDE;
  double *moment = moments + (lsq_triangle(j) + i) * WIDE;
  add_tile(1, 1, 1, packed, packed->values + i * step, packed->weighted + j * step, (lines){NULL, 0}, &moment);
}

/* Those of right-hand sides j .. j+width-1 with the columns of A, and of each with itself. */
static void add_sides(const lsq_packed *packed, int64_t j, int64_t width, double *moments) {
  int64_t i = 0;
  for (; i + TILE <= packed->n; i += TILE) add_tile_at(packed, i, j, width, (lines){NULL, 0}, moments);
  for (int64_t side = j; side < j + width; side++) {
    for (int64_t rest = i; rest < packed->n; rest++) add_pair(packed, rest, side, moments);
    add_pair(packed, side, side, moments);
  }
}

void LEVEL(lane_moments)(const lsq_packed *packed, double *moments) {
  const int64_t columns = packed->n + packed->k, tiles = lsq_triangle((columns + TILE - 1) / TILE);
  int64_t index = 0;
  for (int64_t j = packed->n; j < columns && packed->summed > 0; j += TILE)
    add_sides(packed, j, columns - j < TILE ? columns - j : TILE, moments);
  for (int64_t j = 0; j < columns && packed->summed == 0; j += TILE)
    for (int64_t i = 0; i <= j; i += TILE, index++) {
      const lines ahead = share_of(packed, index, tiles);
      if (i < packed->n || i == j) add_tile_at(packed, i, j, columns - j < TILE ? columns - j : TILE, ahead, moments);
    }
}

/* ---- residuals, several rows at a time ---- */

enum { ROWS = 4 };

typedef struct {
  const double *x, *x_low;
  doubles limit;
} point;

/* `count` rows from row `first` on; returns the sum of their squares. */
LSQ_INLINE doubles subtract_rows(const int count, const lsq_packed *packed, int64_t side, int64_t first, const point *p,
                                 double *r, double *r_low) {
  const int64_t step = packed->stride * WIDE;
  const double *a = packed->values + first * WIDE, *b = a + (packed->n + side) * step;
  doubles sum[ROWS], low[ROWS], square = {0};
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) {
    sum[i] = p->limit + get(b, i);
    low[i] = get(b, i) - (sum[i] - p->limit);
  }
  for (int64_t j = 0; j < packed->n; j++, a += step) {
    const doubles x = -get(p->x, j);
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) sum[i] = accumulate(get(a, i), x, sum[i], &low[i]);
    if (p->x_low == NULL) continue;
    const doubles x_low = -get(p->x_low, j);
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) low[i] = fused(get(a, i), x_low, low[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) {
    const doubles held = sum[i] - p->limit, high = held + low[i], rest = low[i] - (high - held);
    doubles out = high, out_low = rest;
    if (packed->weights != NULL) {
      const doubles weight = get(packed->weights, first + i);
      out = weight * high;
      out_low = product_error(weight, high, out) + weight * rest;
    }
    put(r, first + i, out);
    put(r_low, first + i, out_low);
    square = fused(out, high, square);
  }
  return square;
}

void LEVEL(lane_residual)(const lsq_packed *packed, int64_t side, const double *x, const double *x_low,
                          const double *limit, double *r, double *r_low, double *square) {
  const point p = {x, x_low, get(limit, 0)};
  doubles sum = get(square, 0);
  int64_t row = 0;
  for (; row + ROWS <= packed->rows; row += ROWS) sum += subtract_rows(ROWS, packed, side, row, &p, r, r_low);
  for (; row < packed->rows; row++) sum += subtract_rows(1, packed, side, row, &p, r, r_low);
  put(square, 0, sum);
}

/* ---- gradients, several columns at a time ---- */

enum { COLUMNS = 4 };

LSQ_INLINE void add_columns(const int count, const lsq_packed *packed, int64_t first, const double *r,
                            const double *r_low, double *sums, double *lows) {
  const int64_t step = packed->stride * WIDE;
  const double *a = packed->values + first * step;
  doubles sum[COLUMNS], low[COLUMNS];
#pragma GCC unroll 4
  for (int j = 0; j < count; j++) {
    sum[j] = get(sums, first + j);
    low[j] = get(lows, first + j);
  }
  for (int64_t i = 0; i < packed->rows; i++) {
    const doubles high = get(r, i), rest = get(r_low, i);
#pragma GCC unroll 4
    for (int j = 0; j < count; j++) {
      const doubles value = get(a + j * step, i);
      sum[j] = accumulate(value, high, sum[j], &low[j]);
      low[j] = fused(value, rest, low[j]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < count; j++) {
    put(sums, first + j, sum[j]);
    put(lows, first + j, low[j]);
  }
}

void LEVEL(lane_gradient)(const lsq_packed *packed, const double *r, const double *r_low, double *sum,
                          double *sum_low) {
  int64_t j = 0;
  for (; j + COLUMNS <= packed->n; j += COLUMNS) add_columns(COLUMNS, packed, j, r, r_low, sum, sum_low);
  switch (packed->n - j) {
    case 3: add_columns(3, packed, j, r, r_low, sum, sum_low); break;
    case 2: add_columns(2, packed, j, r, r_low, sum, sum_low); break;
    case 1: add_columns(1, packed, j, r, r_low, sum, sum_low); break;
    default: break;
  }
}

#endif
