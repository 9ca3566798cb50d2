#include "kernels/normal_equations.h"

#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/order.h"

enum {
  TILE = 192,
  MOST_TURNS = 1000, /* of yielding the processor, before a wait sleeps */
  PANEL = 64,
  STRIPE = 256
};

static int64_t tiles_in(int64_t P) { return (P + TILE - 1) / TILE; }

/* Tile number -> row and column of tiles, row >= column. */
static void tile_place(int64_t index, int64_t *row, int64_t *column) {
  *row = 0;
  while (index > *row) index -= ++*row;
  *column = index;
}

/* Rows of J lie so far apart that products of J as it lies lose a quarter of their speed: a block of rows at a time is
 * packed before, as long as what a product sums at a time, so that the bits are those of product_tn. A block has
 * `tiles` tasks that pack and then `triangle` that multiply, each of which waits for the kind before it: tasks that
 * were handed out before, so they come to an end. To sleep between two calls of the pool would take longer. */
typedef struct {
  const struct lsq_kernels_f64 *kernels;
  int64_t N, P, depth, tiles, triangle;
  const double *J;
  double *packed, *H;
  int accumulate;
  atomic_long tiles_packed, tiles_multiplied; /* of all blocks */
} products;

/* Of a whole block, in whole lines of cache. */
static int64_t left_numbers(int64_t depth, int64_t P) { return (lsq_packed_left(depth, P) + 7) / 8 * 8; }

int64_t lsq_add_products_scratch(int64_t P) {
  const int64_t packed = left_numbers(LSQ_PRODUCT_DEPTH, P) + lsq_packed_right(LSQ_PRODUCT_DEPTH, P);
  return packed > P * P ? packed : P * P;
}

/* Whoever keeps others waiting for longer than it works has lost its processor: they leave it theirs. */
static void wait_for(atomic_long *count, int64_t least) {
  const struct timespec moment = {.tv_nsec = 50000};
  for (int turns = 0; atomic_load_explicit(count, memory_order_acquire) < least; turns++) {
    if (turns < MOST_TURNS)
      (void)sched_yield();
    else
      (void)nanosleep(&moment, NULL);
  }
}

static void count_one(atomic_long *count) { (void)atomic_fetch_add_explicit(count, 1, memory_order_release); }

/* Never fails, or the others would wait for what is not begun any more. */
static lsqnet_status product_task(void *argument, int64_t index, int64_t lane) {
  products *p = argument;
  const int64_t each = p->tiles + p->triangle, block = index / each, place = index % each;
  const int64_t first = block * p->depth, rows = lsq_smaller(p->depth, p->N - first), apart = LSQ_PACKED_TILE * rows;
  double *left = p->packed, *right = p->packed + left_numbers(p->depth, p->P);
  (void)lane;
  if (place < p->tiles) {
    const int64_t j = place * LSQ_PACKED_TILE;
    wait_for(&p->tiles_multiplied, block * p->triangle);
    p->kernels->pack(rows, lsq_smaller(LSQ_PACKED_TILE, p->P - j), p->J + first * p->P + j, p->P, left + place * apart,
                     right + place * apart);
    count_one(&p->tiles_packed);
  } else {
    int64_t row = 0, column = 0;
    tile_place(place - p->tiles, &row, &column);
    const int64_t i = row * LSQ_PACKED_TILE, j = column * LSQ_PACKED_TILE;
    wait_for(&p->tiles_packed, (block + 1) * p->tiles);
    p->kernels->product_packed(lsq_smaller(LSQ_PACKED_TILE, p->P - i), lsq_smaller(LSQ_PACKED_TILE, p->P - j), rows,
                               left + row * apart, right + column * apart, p->H + i * p->P + j, p->P,
                               p->accumulate || block > 0, row == column);
    count_one(&p->tiles_multiplied);
  }
  return LSQNET_OK;
}

lsqnet_status lsq_add_products(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P,
                               const double *J, double *scratch, double *H, int accumulate) {
  const int64_t tiles = (P + LSQ_PACKED_TILE - 1) / LSQ_PACKED_TILE, triangle = tiles * (tiles + 1) / 2;
  const int64_t depth = lsq_product_depth(N), blocks = (N + depth - 1) / depth;
  products p = {.kernels = kernels,
                .N = N,
                .P = P,
                .depth = depth,
                .tiles = tiles,
                .triangle = triangle,
                .J = J,
                .packed = scratch,
                .H = H,
                .accumulate = accumulate};
  if (tiles > 1) return lsq_pool_run(pool, blocks * (tiles + triangle), product_task, &p);
  for (int64_t i = 0; i < 2 * blocks; i++) (void)product_task(&p, i, 0); /* each waits for the one before it */
  return LSQNET_OK;
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
  for (int64_t i = index * STRIPE; i < lsq_smaller(t->N, (index + 1) * STRIPE); i++)
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
  const int64_t begin = index * STRIPE, size = lsq_smaller(STRIPE, t->P - begin);
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
  const int64_t P = t->P, size = lsq_smaller(PANEL, P - t->begin), first = t->begin + size + index * STRIPE;
  const double *L = t->H + t->begin * P + t->begin;
  (void)lane;
  for (int64_t i = first; i < lsq_smaller(P, first + STRIPE); i++) {
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
  const int64_t P = t->P, size = lsq_smaller(PANEL, P - t->begin), first = t->begin + size;
  int64_t row = 0, column = 0;
  (void)lane;
  tile_place(index, &row, &column);
  const int64_t i = first + row * TILE, j = first + column * TILE;
  t->kernels->product_nn(lsq_smaller(TILE, P - i), lsq_smaller(TILE, P - j), size, t->H + i * P + t->begin, P,
                         t->H + t->begin * P + j, P, t->H + i * P + j, P, 1);
  return LSQNET_OK;
}

lsqnet_status lsq_cholesky(struct lsq_pool *pool, const struct lsq_kernels_f64 *kernels, int64_t P, double *C,
                           int *positive) {
  lsqnet_status st = LSQNET_OK;
  *positive = 0;
  for (int64_t begin = 0; begin < P; begin += PANEL) {
    const int64_t size = lsq_smaller(PANEL, P - begin), rest = P - begin - size, tiles = tiles_in(rest);
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
