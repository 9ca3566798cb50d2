#include "kernels/normal_equations.h"

#include <math.h>
#include <string.h>

enum {
  TILE = 192,
  PACKED_TILE = 96, /* a multiple of what pack makes strips and groups of, so that tiles of it lie side by side */
  PACKED_NUMBERS = 1 << 18, /* if one block is less, so that they stay in cache */
  PANEL = 64,
  STRIPE = 256
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t tiles_in(int64_t P) { return (P + TILE - 1) / TILE; }

/* Tile number -> row and column of tiles, row >= column. */
static void tile_place(int64_t index, int64_t *row, int64_t *column) {
  *row = 0;
  while (index > *row) index -= ++*row;
  *column = index;
}

/* Rows of J lie so far apart that products of J as it lies lose a quarter of their speed: some blocks of rows at a time
 * are packed before, each as long as what a product sums at a time, so that the bits are those of product_tn. */
typedef struct {
  const struct lsq_kernels_f64 *kernels;
  int64_t N, P, depth, blocks; /* rows of a block, and blocks packed at a time */
  const double *J;
  double *packed, *H;
  int accumulate;
} products;

static int64_t whole_lines(int64_t numbers) { return (numbers + 7) / 8 * 8; }

static int64_t left_numbers(int64_t depth, int64_t P) { return whole_lines(lsq_packed_left(depth, P)); }

static int64_t block_numbers(int64_t depth, int64_t P) {
  return left_numbers(depth, P) + whole_lines(lsq_packed_right(depth, P));
}

/* Where a block lies packed, from one of its tiles of columns on. */
typedef struct {
  int64_t rows;
  double *left, *right;
} packed_tile;

static packed_tile packed_from(const products *p, int64_t block, int64_t tile) {
  const int64_t rows = smaller(p->depth, p->N - block * p->depth);
  double *left = p->packed + block * block_numbers(p->depth, p->P) + tile * PACKED_TILE * rows;
  return (packed_tile){rows, left, left + left_numbers(p->depth, p->P)};
}

static lsqnet_status pack_tile(void *argument, int64_t index, int64_t lane) {
  const products *p = argument;
  const int64_t block = index % p->blocks, tile = index / p->blocks, column = tile * PACKED_TILE;
  const packed_tile to = packed_from(p, block, tile);
  (void)lane;
  p->kernels->pack(to.rows, smaller(PACKED_TILE, p->P - column), p->J + block * p->depth * p->P + column, p->P, to.left,
                   to.right);
  return LSQNET_OK;
}

static lsqnet_status product_tile(void *argument, int64_t index, int64_t lane) {
  const products *p = argument;
  int64_t row = 0, column = 0;
  (void)lane;
  tile_place(index, &row, &column);
  const int64_t i = row * PACKED_TILE, j = column * PACKED_TILE;
  const int64_t rows = smaller(PACKED_TILE, p->P - i), columns = smaller(PACKED_TILE, p->P - j);
  for (int64_t block = 0; block < p->blocks; block++) {
    const packed_tile A = packed_from(p, block, row), B = packed_from(p, block, column);
    p->kernels->product_packed(rows, columns, A.rows, A.left, B.right, p->H + i * p->P + j, p->P,
                               p->accumulate || block > 0, row == column);
  }
  return LSQNET_OK;
}

/* Waking threads for each costs more than it gains where P is small. */
static int64_t blocks_at_a_time(int64_t depth, int64_t P) {
  const int64_t blocks = PACKED_NUMBERS / block_numbers(depth, P);
  return blocks > 1 ? blocks : 1;
}

int64_t lsq_products_scratch(int64_t P) {
  const int64_t block = block_numbers(LSQ_PRODUCT_DEPTH, P), packed = block > PACKED_NUMBERS ? block : PACKED_NUMBERS;
  return packed > P * P ? packed : P * P;
}

lsqnet_status lsq_add_products(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P,
                               const double *J, double *scratch, double *H, int accumulate) {
  lsqnet_status st = LSQNET_OK;
  const int64_t tiles = (P + PACKED_TILE - 1) / PACKED_TILE, depth = lsq_product_depth(N);
  const int64_t rows = depth * blocks_at_a_time(depth, P);
  products p = {.kernels = kernels, .P = P, .depth = depth, .packed = scratch, .H = H};
  for (int64_t k = 0; k < N; k += rows) {
    p.N = smaller(rows, N - k);
    p.blocks = (p.N + depth - 1) / depth;
    p.J = J + k * P;
    p.accumulate = accumulate || k > 0;
    LSQ_TRY(lsq_pool_run(pool, tiles * p.blocks, pack_tile, &p));
    LSQ_TRY(lsq_pool_run(pool, tiles * (tiles + 1) / 2, product_tile, &p));
  }
done:
  return st;
}

typedef struct {
  const struct lsq_kernels_f64 *kernels;
  int64_t N, P, begin;
  const double *J;
  double *H;
  const double *x;
  double *y;
} task;

static lsqnet_status times_stripe(void *argument, int64_t index, int64_t lane) {
  const task *t = argument;
  (void)lane;
  for (int64_t i = index * STRIPE; i < smaller(t->N, (index + 1) * STRIPE); i++)
    t->y[i] = t->kernels->dot(t->P, t->J + i * t->P, t->x);
  return LSQNET_OK;
}

lsqnet_status lsq_jacobian_times(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P,
                                 const double *J, const double *x, double *y) {
  task t = {.kernels = kernels, .N = N, .P = P, .J = J, .x = x, .y = y};
  return lsq_pool_run(pool, (N + STRIPE - 1) / STRIPE, times_stripe, &t);
}

static lsqnet_status transposed_stripe(void *argument, int64_t index, int64_t lane) {
  const task *t = argument;
  const int64_t begin = index * STRIPE, size = smaller(STRIPE, t->P - begin);
  (void)lane;
  memset(t->y + begin, 0, (size_t)size * sizeof(double));
  for (int64_t i = 0; i < t->N; i++) t->kernels->axpy(size, t->x[i], t->J + i * t->P + begin, t->y + begin);
  return LSQNET_OK;
}

lsqnet_status lsq_transposed_jacobian_times(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N,
                                            int64_t P, const double *J, const double *y, double *z) {
  task t = {.kernels = kernels, .N = N, .P = P, .J = J, .x = y, .y = z};
  return lsq_pool_run(pool, (P + STRIPE - 1) / STRIPE, transposed_stripe, &t);
}

/* Factors the diagonal block at `begin`; 0 if a pivot is not positive. */
static int factor_diagonal(int64_t P, double *C, int64_t begin, int64_t size) {
  double *block = C + begin * P + begin;
  for (int64_t j = 0; j < size; j++) {
    for (int64_t k = 0; k < j; k++)
      for (int64_t i = j; i < size; i++) block[i * P + j] -= block[i * P + k] * block[j * P + k];
    if (!(block[j * P + j] > 0.0)) return 0;
    const double root = sqrt(block[j * P + j]);
    for (int64_t i = j; i < size; i++) block[i * P + j] /= root;
  }
  return 1;
}

/* Rows below the diagonal block at t->begin: row <- row L^-T. */
static lsqnet_status solve_rows(void *argument, int64_t index, int64_t lane) {
  const task *t = argument;
  const int64_t P = t->P, size = smaller(PANEL, P - t->begin), first = t->begin + size + index * STRIPE;
  const double *L = t->H + t->begin * P + t->begin;
  (void)lane;
  for (int64_t i = first; i < smaller(P, first + STRIPE); i++) {
    double *row = t->H + i * P + t->begin;
    for (int64_t j = 0; j < size; j++) {
      double sum = row[j];
      for (int64_t k = 0; k < j; k++) sum -= row[k] * L[j * P + k];
      row[j] = sum / L[j * P + j];
    }
  }
  return LSQNET_OK;
}

/* One tile of what is left -= panel panel', by way of the panel's negative in the unused upper triangle. */
static lsqnet_status update_tile(void *argument, int64_t index, int64_t lane) {
  const task *t = argument;
  const int64_t P = t->P, size = smaller(PANEL, P - t->begin), first = t->begin + size;
  int64_t row = 0, column = 0;
  (void)lane;
  tile_place(index, &row, &column);
  const int64_t i = first + row * TILE, j = first + column * TILE;
  t->kernels->product_nn(smaller(TILE, P - i), smaller(TILE, P - j), size, t->H + i * P + t->begin, P,
                         t->H + t->begin * P + j, P, t->H + i * P + j, P, 1);
  return LSQNET_OK;
}

lsqnet_status lsq_cholesky(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t P, double *C,
                           int *positive) {
  lsqnet_status st = LSQNET_OK;
  *positive = 0;
  for (int64_t begin = 0; begin < P; begin += PANEL) {
    const int64_t size = smaller(PANEL, P - begin), rest = P - begin - size, tiles = tiles_in(rest);
    task t = {.kernels = kernels, .P = P, .H = C, .begin = begin};
    if (!factor_diagonal(P, C, begin, size)) goto done;
    if (rest == 0) break;
    LSQ_TRY(lsq_pool_run(pool, (rest + STRIPE - 1) / STRIPE, solve_rows, &t));
    for (int64_t i = begin + size; i < P; i++)
      for (int64_t k = 0; k < size; k++) C[(begin + k) * P + i] = -C[i * P + begin + k];
    LSQ_TRY(lsq_pool_run(pool, tiles * (tiles + 1) / 2, update_tile, &t));
  }
  *positive = 1;
done:
  return st;
}

void lsq_cholesky_solve(int64_t P, const double *C, double *x) {
  for (int64_t i = 0; i < P; i++) {
    double sum = x[i];
    for (int64_t k = 0; k < i; k++) sum -= C[i * P + k] * x[k];
    x[i] = sum / C[i * P + i];
  }
  for (int64_t i = P - 1; i >= 0; i--) {
    x[i] /= C[i * P + i];
    for (int64_t k = 0; k < i; k++) x[k] -= C[i * P + k] * x[i];
  }
}
