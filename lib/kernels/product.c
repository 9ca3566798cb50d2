/* Matrix products for the narrow shapes of layers. A tile of C stays in registers while its sums run: each step
 * multiplies one number from each row of A with a strip of B: a row of B where it can be used as it lies, or one packed
 * into a small buffer and padded with zeros. Full and partial tiles run the same instructions on each row, so that its
 * bits do not depend on its neighbours. Where both operands are used many times, both are packed before (Goto and
 * van de Geijn, "Anatomy of high-performance matrix multiplication", 2008). */
#include "kernels/blis.h"
#include "kernels/level.h"

/* Rows of a tile: their sums, four vectors each, leave room for operands in 32 or 16 registers. */
#if LSQ_LEVEL_NUMBER == 4 || defined(__aarch64__)
#define EACH_ROW(act) act(0) act(1) act(2) act(3) act(4) act(5)
enum { TILE_ROWS = 6 };
#else
#define EACH_ROW(act) act(0) act(1) act(2)
enum { TILE_ROWS = 3 };
#endif

enum {
  TILE_VECTORS = 4,
  STRIP = TILE_VECTORS * LANES,
  DEPTH = LSQ_PRODUCT_DEPTH,          /* longest sum in registers: longer ones add up blocks, or float32 loses digits */
  BUFFER = 32768 / (int)sizeof(real), /* numbers of B packed at a time: they fit the first cache */
  WIDTH = 256,                        /* columns of B packed at a time, if their depth lets so many fit */
  BLOCK_ROWS = 48,                    /* rows of A that stay in cache while the panels of B pass */
  FAR = 2048 / (int)sizeof(real),     /* rows so far apart are fetched ahead of their use: processors do not do it */
  LINE = 64 / (int)sizeof(real),      /* of cache */
  AHEAD = 4,                          /* rows ahead of the one that is packed, which are fetched */
  WIDEST = LSQ_PRODUCT_WIDEST         /* beyond, BLIS is as fast or faster: tests/bench/bench_products.c shows it */
};

_Static_assert(LSQ_PACKED_TILE % (int)TILE_ROWS == 0 && LSQ_PACKED_TILE % (int)LANES == 0, "tiles without a gap");
_Static_assert((int)TILE_ROWS <= (int)LSQ_MOST_TILE_ROWS && (int)LANES <= (int)LSQ_MOST_LANES, "room to pack");

#define INLINE static inline __attribute__((always_inline))

/* Up to TILE_VECTORS vectors side by side; `vectors` is a constant wherever these are inlined. */
typedef struct {
  vector v0, v1, v2, v3;
} strip;

INLINE strip strip_load(const int vectors, const real *p) {
  strip s = {load(p), {0}, {0}, {0}};
  if (vectors > 1) s.v1 = load(p + LANES);
  if (vectors > 2) s.v2 = load(p + 2 * LANES);
  if (vectors > 3) s.v3 = load(p + 3 * LANES);
  return s;
}

INLINE void strip_store(const int vectors, real *p, strip s) {
  store(p, s.v0);
  if (vectors > 1) store(p + LANES, s.v1);
  if (vectors > 2) store(p + 2 * LANES, s.v2);
  if (vectors > 3) store(p + 3 * LANES, s.v3);
}

INLINE strip strip_add(strip s, strip t) { return (strip){s.v0 + t.v0, s.v1 + t.v1, s.v2 + t.v2, s.v3 + t.v3}; }

/* s + a b */
INLINE strip strip_multiply_add(const int vectors, strip s, real a, strip b) {
  const vector factor = a - (vector){0};
  s.v0 += factor * b.v0;
  if (vectors > 1) s.v1 += factor * b.v1;
  if (vectors > 2) s.v2 += factor * b.v2;
  if (vectors > 3) s.v3 += factor * b.v3;
  return s;
}

/* C = start + A B (+ C if accumulate) for one whole tile. Row r of A starts at a[r] and goes in steps of a_step. */
INLINE void tile(const int vectors, int64_t depth, const real *const *a, int64_t a_step, const real *b, int64_t b_step,
                 const real *start, real *C, int64_t ldc, int accumulate) {
#define BEGIN(r)                             \
  strip sum##r = strip_load(vectors, start); \
  const real *a##r = a[r];
#define STEP(r) sum##r = strip_multiply_add(vectors, sum##r, a##r[k * a_step], row);
#define ADD(r)  sum##r = strip_add(sum##r, strip_load(vectors, C + r * ldc));
#define END(r)  strip_store(vectors, C + r * ldc, sum##r);
  EACH_ROW(BEGIN)
  const int far = a_step >= FAR;
  for (int64_t k = 0; k < depth; k++) {
    strip row = strip_load(vectors, b + k * b_step);
    if (far) __builtin_prefetch(a0 + (k + depth) * a_step, 0, 2);
    EACH_ROW(STEP)
  }
  if (accumulate) {
    EACH_ROW(ADD)
  }
  EACH_ROW(END)
}

typedef void tile_fn(int64_t depth, const real *const *a, int64_t a_step, const real *b, int64_t b_step,
                     const real *start, real *C, int64_t ldc, int accumulate);

#define DEFINE_TILE(vectors)                                                                                     \
  static void tile_##vectors(int64_t depth, const real *const *a, int64_t a_step, const real *b, int64_t b_step, \
                             const real *start, real *C, int64_t ldc, int accumulate) {                          \
    tile(vectors, depth, a, a_step, b, b_step, start, C, ldc, accumulate);                                       \
  }
DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)

static tile_fn *const tiles[] = {NULL, tile_1, tile_2, tile_3, tile_4};

/* Element (i,k) lies at data[i * row + k * column]. */
typedef struct {
  const real *data;
  int64_t row, column;
} matrix;

static inline matrix matrix_from(matrix A, int64_t i, int64_t k) {
  return (matrix){A.data + i * A.row + k * A.column, A.row, A.column};
}

static inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/* A strip of columns over one block of the sum: rows of B, `step` apart, and what the sums start from. */
typedef struct {
  int64_t depth, columns, step;
  int vectors;
  const real *b, *start;
} panel;

/* What is less than a vector goes in pieces. */
INLINE void copy_row(int64_t n, const real *from, real *to) {
#define PIECE(size)                          \
  if (n & (size)) {                          \
    memcpy(to, from, (size) * sizeof(real)); \
    from += (size);                          \
    to += (size);                            \
  }
  for (; n >= LANES; n -= LANES, from += LANES, to += LANES) store(to, load(from));
  PIECE(8)
  PIECE(4)
  PIECE(2)
  PIECE(1)
}

/* Two vectors exchange every other block of `d` lanes: lane l of what becomes of the first and of the second, as a
 * lane of both. */
#define UPPER(l, d)              ((l) & (d) ? (l) - (d) + LANES : (l))
#define LOWER(l, d)              ((l) & (d) ? (l) + LANES : ((l) + (d)) % (2 * LANES))
#define TWO_LANES(act, l, d)     act(l, d), act((l) + 1, d)
#define FOUR_LANES(act, l, d)    TWO_LANES(act, l, d), TWO_LANES(act, (l) + 2, d)
#define EIGHT_LANES(act, l, d)   FOUR_LANES(act, l, d), FOUR_LANES(act, (l) + 4, d)
#define SIXTEEN_LANES(act, l, d) EIGHT_LANES(act, l, d), EIGHT_LANES(act, (l) + 8, d)
#if LSQ_VECTOR_BYTES * 8 == 2 * LSQ_PRECISION
#define EACH_LANE(act, d) TWO_LANES(act, 0, d)
#elif LSQ_VECTOR_BYTES * 8 == 4 * LSQ_PRECISION
#define EACH_LANE(act, d) FOUR_LANES(act, 0, d)
#elif LSQ_VECTOR_BYTES * 8 == 8 * LSQ_PRECISION
#define EACH_LANE(act, d) EIGHT_LANES(act, 0, d)
#else
#define EACH_LANE(act, d) SIXTEEN_LANES(act, 0, d)
#endif

/* A square of LANES x LANES numbers, transposed: the quarters off the diagonal change places, then those of each
 * quarter, and so on. */
INLINE void transpose(const real *from, int64_t from_step, real *to, int64_t to_step) {
#define EXCHANGE(d)                                                  \
  for (int i = 0; (d) < LANES && i < LANES; i++) {                   \
    if (i & (d)) continue;                                           \
    const vector a = v[i], b = v[i + (d)];                           \
    v[i] = __builtin_shufflevector(a, b, EACH_LANE(UPPER, d));       \
    v[i + (d)] = __builtin_shufflevector(a, b, EACH_LANE(LOWER, d)); \
  }
  vector v[LANES];
  for (int i = 0; i < LANES; i++) v[i] = load(from + i * from_step);
  EXCHANGE(8)
  EXCHANGE(4)
  EXCHANGE(2)
  EXCHANGE(1)
  for (int i = 0; i < LANES; i++) store(to + i * to_step, v[i]);
}

/* Not inlined: it would be half of the code of what calls it. */
static __attribute__((noinline)) void partial_tile(const panel *p, const real *const *a, int64_t a_step, int64_t rows,
                                                   real *C, int64_t ldc, int accumulate) {
  const int64_t width = p->vectors * LANES;
  real whole[TILE_ROWS * TILE_VECTORS * LANES];
  if (accumulate) {
    memset(whole, 0, sizeof whole);
    for (int64_t r = 0; r < rows; r++) copy_row(p->columns, C + r * ldc, whole + r * width);
  }
  tiles[p->vectors](p->depth, a, a_step, p->b, p->step, p->start, whole, width, accumulate);
  for (int64_t r = 0; r < rows; r++) copy_row(p->columns, whole + r * width, C + r * ldc);
}

/* A tile of `rows` rows, which start at a[r] and go in steps of a_step. */
INLINE void panel_tile(const panel *p, const real *const *a, int64_t a_step, int64_t rows, real *C, int64_t ldc,
                       int accumulate) {
  if (rows == TILE_ROWS && p->columns == p->vectors * LANES) {
    tiles[p->vectors](p->depth, a, a_step, p->b, p->step, p->start, C, ldc, accumulate);
  } else {
    partial_tile(p, a, a_step, rows, C, ldc, accumulate);
  }
}

static void panel_product(int64_t M, matrix A, const panel *p, real *C, int64_t ldc, int accumulate) {
  for (int64_t i = 0; i < M; i += TILE_ROWS) {
    const real *a[TILE_ROWS];
    for (int64_t r = 0; r < TILE_ROWS; r++) a[r] = A.data + min(i + r, M - 1) * A.row;
    panel_tile(p, a, A.column, min(M - i, TILE_ROWS), C + i * ldc, ldc, accumulate);
  }
}

/* Rows of B, `width` apart. */
static void pack_rows(matrix B, int64_t depth, int64_t columns, int64_t width, real *packed) {
  const int64_t whole = columns / LANES * LANES;
  for (int64_t j = 0; j < whole; j += LANES) {
    for (int64_t k = 0; k < depth; k++) {
      const real *b = B.data + k * B.row + j;
      store(packed + k * width + j, load(b));
      if (B.row >= FAR) __builtin_prefetch(b + depth * B.row, 0, 2);
    }
  }
  for (int64_t k = 0; whole < columns && k < depth; k++)
    copy_row(columns - whole, B.data + k * B.row + whole, packed + k * width + whole);
}

/* The same of a B whose columns are what lies together. */
static void pack_columns(matrix B, int64_t depth, int64_t columns, int64_t width, real *packed) {
  const int64_t whole_columns = columns / LANES * LANES, whole_depth = depth / LANES * LANES;
  for (int64_t j = 0; j < whole_columns; j += LANES) {
    for (int64_t k = 0; k < whole_depth; k += LANES)
      transpose(B.data + k + j * B.column, B.column, packed + k * width + j, width);
  }
  for (int64_t k = 0; k < depth; k++) {
    for (int64_t j = k < whole_depth ? whole_columns : 0; j < columns; j++)
      packed[k * width + j] = B.data[k + j * B.column];
  }
}

/* Rows of B side by side, each with zeros up to `width`. */
static void pack_panel(matrix B, int64_t depth, int64_t columns, int64_t width, real *packed) {
  for (int64_t k = 0; columns < width && k < depth; k++) store(packed + (k + 1) * width - LANES, (vector){0});
  if (B.column == 1) {
    pack_rows(B, depth, columns, width, packed);
  } else {
    pack_columns(B, depth, columns, width, packed);
  }
}

/* C = start + A B (+ C) for columns and depth that fit the buffer. */
static void block_product(int64_t M, int64_t N, int64_t depth, matrix A, matrix B, const real *start, real *C,
                          int64_t ldc, int accumulate) {
  _Alignas(64) real buffer[BUFFER];
  panel panels[WIDTH / LANES];
  const int64_t vectors = (N + LANES - 1) / LANES, count = (vectors + TILE_VECTORS - 1) / TILE_VECTORS;
  for (int64_t p = 0; p < count; p++) {
    const int64_t first = p * vectors / count, end = (p + 1) * vectors / count, width = (end - first) * LANES;
    const matrix columns = matrix_from(B, 0, first * LANES);
    panels[p] = (panel){.depth = depth,
                        .columns = min(end * LANES, N) - first * LANES,
                        .vectors = (int)(end - first),
                        .b = columns.data,
                        .step = B.row,
                        .start = start + first * LANES};
    if (B.column == 1 && panels[p].columns == width && B.row < FAR) continue;
    real *packed = buffer + first * LANES * depth;
    pack_panel(columns, depth, panels[p].columns, width, packed);
    panels[p].b = packed;
    panels[p].step = width;
  }
  for (int64_t i = 0; i < M; i += BLOCK_ROWS) {
    for (int64_t p = 0; p < count; p++) {
      panel_product(min(BLOCK_ROWS, M - i), matrix_from(A, i, 0), &panels[p], C + i * ldc + (panels[p].start - start),
                    ldc, accumulate);
    }
  }
}

/* C = A B + bias (+ C if accumulate). */
static void product(int64_t M, int64_t N, int64_t K, matrix A, matrix B, const real *bias, real *C, int64_t ldc,
                    int accumulate) {
  const int64_t depth = lsq_product_depth(K), width = min(WIDTH, BUFFER / (depth + !depth) / STRIP * STRIP);
  int64_t k = 0;
  do { /* once for K = 0, too */
    for (int64_t j = 0; j < N; j += width) {
      const int64_t columns = min(width, N - j);
      _Alignas(64) real start[WIDTH] = {0};
      if (k == 0 && bias != NULL) copy_row(columns, bias + j, start);
      block_product(M, columns, min(depth, K - k), matrix_from(A, 0, k), matrix_from(B, k, j), start, C + j, ldc,
                    accumulate || k > 0);
    }
    k += depth;
  } while (k < K);
}

/* The same through BLIS. */
static void wide_product(int64_t M, int64_t N, int64_t K, matrix A, matrix B, const real *bias, real *C, int64_t ldc,
                         int accumulate) {
  if (M <= 0) return;
  REAL(lsq_blis_product)(M, N, K, A.data, A.row, A.column, B.data, B.row, B.column, C, ldc, accumulate);
  for (int64_t i = 0; bias != NULL && i < M; i++) {
    for (int64_t j = 0; j < N; j++) C[i * ldc + j] += bias[j];
  }
}

/* The choice may not depend on M, or a row would depend on its neighbours; K of a weight gradient is long as a rule. */
void LEVEL(product_nt)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb,
                       const real *bias, real *C, int64_t ldc, int accumulate) {
  const int wide = N > WIDEST && K > WIDEST;
  (wide ? wide_product : product)(M, N, K, (matrix){A, lda, 1}, (matrix){B, 1, ldb}, bias, C, ldc, accumulate);
}

void LEVEL(product_nn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb, real *C,
                       int64_t ldc, int accumulate) {
  const int wide = N > WIDEST && K > WIDEST;
  (wide ? wide_product : product)(M, N, K, (matrix){A, lda, 1}, (matrix){B, ldb, 1}, NULL, C, ldc, accumulate);
}

void LEVEL(product_tn)(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *B, int64_t ldb, real *C,
                       int64_t ldc, int accumulate) {
  const int wide = N > WIDEST && K > DEPTH;
  (wide ? wide_product : product)(M, N, K, (matrix){A, 1, lda}, (matrix){B, ldb, 1}, NULL, C, ldc, accumulate);
}

/* Left: groups of TILE_ROWS columns of A, row after row, zeros where there are no more columns. Right: strips. */
void LEVEL(pack)(int64_t K, int64_t N, const real *A, int64_t lda, real *left, real *right) {
  const int64_t whole = N / TILE_ROWS * TILE_ROWS;
  for (int64_t k = 0; k < K; k++, A += lda, left += TILE_ROWS) {
    for (int64_t j = 0; j < N && k + AHEAD < K; j += LINE) __builtin_prefetch(A + AHEAD * lda + j);
    for (int64_t j = 0; j < whole; j += TILE_ROWS) memcpy(left + j * K, A + j, TILE_ROWS * sizeof(real));
    for (int64_t j = whole; whole < N && j < whole + TILE_ROWS; j++) left[whole * K + j - whole] = j < N ? A[j] : 0;
    for (int64_t j = 0; j < N; j += STRIP) {
      const int64_t columns = min(STRIP, N - j), width = (columns + LANES - 1) / LANES * LANES;
      real *to = right + j * K + k * width;
      if (columns < width) store(to + width - LANES, (vector){0});
      copy_row(columns, A + j, to);
    }
  }
}

/* A tile of C is fetched while its sums run. */
INLINE void fetch_tile(const real *C, int64_t ldc, int64_t rows) {
  for (int64_t r = 0; r < rows; r++)
    for (int j = 0; j < STRIP; j += LINE) __builtin_prefetch(C + r * ldc + j, 1);
}

void LEVEL(product_packed)(int64_t M, int64_t N, int64_t K, const real *left, const real *right, real *C, int64_t ldc,
                           int accumulate, int lower) {
  _Alignas(64) static const real start[STRIP] = {0};
  for (int64_t j = 0; j < N; j += STRIP) {
    const int64_t columns = min(STRIP, N - j), vectors = (columns + LANES - 1) / LANES;
    const panel p = {.depth = K,
                     .columns = columns,
                     .step = vectors * LANES,
                     .vectors = (int)vectors,
                     .b = right + j * K,
                     .start = start};
    for (int64_t i = lower ? j / TILE_ROWS * TILE_ROWS : 0; i < M; i += TILE_ROWS) {
      const int64_t rows = min(TILE_ROWS, M - i);
      const real *a[TILE_ROWS];
      for (int64_t r = 0; r < TILE_ROWS; r++) a[r] = left + i * K + r;
      fetch_tile(C + i * ldc + j, ldc, rows);
      panel_tile(&p, a, TILE_ROWS, rows, C + i * ldc + j, ldc, accumulate);
    }
  }
}
