#include "train/block_jacobi.h"

#include <math.h>
#include <string.h>

#include "base/order.h"
#include "base/pool.h"
#include "kernels/normal_equations.h"

/* Weights of a block: an eighth of all, within limits; residuals that estimate it, for each of its weights; samples
 * whose Jacobian is made together; widest product. */
enum { SHARE_OF_WEIGHTS = 8, LEAST_BLOCK = 256, MOST_BLOCK = 4096, RESIDUALS_FOR_WEIGHT = 6, SLAB = 16, TILE = 192 };

struct lsq_block_jacobi {
  lsqnet_trainer *trainer;
  lsq_jacobian *jacobian;
  int64_t P, block, blocks; /* the last block may be smaller */
  int64_t samples, used, slab;
  double *J, *r;     /* (slab x outputs, P), (slab x outputs) */
  double *H, *C;     /* (blocks, block, block): of J'J, and the factors; the last block's rows are shorter */
  int32_t *positive; /* (blocks) */
  /* Of the call that runs: */
  int64_t rows;
  int accumulate;
  double mu, *z;
};

static int64_t block_size(const lsq_block_jacobi *b, int64_t index) {
  return lsq_smaller(b->block, b->P - index * b->block);
}

/* Blocks of nearly the same size, as large as is worth it and fits beside a slab's Jacobian. */
static lsqnet_status choose_sizes(lsq_block_jacobi *b, int64_t memory) {
  const int64_t outputs = lsq_jacobian_outputs(b->jacobian), P = b->P, sample_bytes = 8 * outputs * P;
  int64_t most = P / SHARE_OF_WEIGHTS;
  if (most < LEAST_BLOCK) most = LEAST_BLOCK;
  b->slab = lsq_smaller(lsq_smaller(SLAB, b->samples), memory / 4 / sample_bytes);
  if (b->slab < 1) b->slab = 1;
  most = lsq_smaller(lsq_smaller(most, MOST_BLOCK), (memory - b->slab * sample_bytes) / (16 * P));
  if (most < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "memory=%lld: it must be %lld at least for %lld weights",
                    (long long)b->trainer->options.memory, (long long)(4 * (sample_bytes + 16 * P) / 3 + 8),
                    (long long)P);
  b->blocks = (P + most - 1) / most;
  b->block = (P + b->blocks - 1) / b->blocks;
  b->used = lsq_smaller((RESIDUALS_FOR_WEIGHT * b->block + outputs - 1) / outputs, b->samples);
  return LSQNET_OK;
}

lsqnet_status lsq_block_jacobi_create(lsq_block_jacobi **out, lsqnet_trainer *trainer, lsq_jacobian *jacobian,
                                      int64_t samples, int64_t memory) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = trainer->context;
  const int64_t outputs = lsq_jacobian_outputs(jacobian);
  lsq_block_jacobi *b = NULL;
  LSQ_TRY(lsq_alloc(context, &b, 1, sizeof *b));
  b->trainer = trainer;
  b->jacobian = jacobian;
  b->P = lsq_jacobian_weights(jacobian);
  b->samples = samples;
  LSQ_TRY(choose_sizes(b, memory));
  LSQ_TRY(lsq_alloc(context, &b->J, b->slab * outputs * b->P, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &b->r, b->slab * outputs, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &b->H, b->P * b->block, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &b->C, b->P * b->block, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &b->positive, b->blocks, sizeof *b->positive));
  *out = b;
  b = NULL;
done:
  lsq_block_jacobi_destroy(b);
  return st;
}

void lsq_block_jacobi_destroy(lsq_block_jacobi *b) {
  if (b == NULL) return;
  void *arrays[] = {b->J, b->r, b->H, b->C, b->positive};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(b->trainer->context, arrays[i]);
  lsq_free(b->trainer->context, b);
}

/* The lower triangle of a block of J'J += the slab's part, tile by tile. */
static lsqnet_status add_block(void *argument, int64_t index, int64_t lane) {
  const lsq_block_jacobi *b = argument;
  const int64_t size = block_size(b, index);
  const double *J = b->J + index * b->block;
  double *H = b->H + index * b->block * b->block;
  (void)lane;
  for (int64_t i = 0; i < size; i += TILE)
    for (int64_t j = 0; j <= i; j += TILE)
      b->trainer->context->kernels_f64->product_tn(lsq_smaller(TILE, size - i), lsq_smaller(TILE, size - j), b->rows,
                                                   J + i, b->P, J + j, b->P, H + i * size + j, size, b->accumulate);
  return LSQNET_OK;
}

static double largest_diagonal(const lsq_block_jacobi *b) {
  double largest = 0.0;
  for (int64_t index = 0; index < b->blocks; index++) {
    const int64_t size = block_size(b, index);
    const double *H = b->H + index * b->block * b->block;
    for (int64_t i = 0; i < size; i++) largest = fmax(largest, H[i * size + i]);
  }
  return largest;
}

lsqnet_status lsq_block_jacobi_compute(lsq_block_jacobi *b, const double *X, const double *Y, double *largest) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_task_shape *shape = &b->trainer->shape;
  const int64_t in = shape->rows * shape->in_width, outputs = lsq_jacobian_outputs(b->jacobian);
  double sum = 0.0;
  for (int64_t first = 0; first < b->used; first += b->slab) {
    const int64_t samples = lsq_smaller(b->slab, b->used - first);
    LSQ_TRY(lsq_jacobian_compute(b->jacobian, samples, X + first * in, Y + first * outputs, b->r, b->J, &sum));
    b->rows = samples * outputs;
    b->accumulate = first > 0;
    LSQ_TRY(lsq_pool_run(b->trainer->context->pool, b->blocks, add_block, b));
  }
  const double factor = (double)b->samples / (double)b->used;
  for (int64_t i = 0; i < b->P * b->block; i++) b->H[i] *= factor;
  *largest = largest_diagonal(b);
done:
  return st;
}

static lsqnet_status factor_block(void *argument, int64_t index, int64_t lane) {
  lsqnet_status st = LSQNET_OK;
  lsq_block_jacobi *b = argument;
  const lsqnet_context *context = b->trainer->context;
  const int64_t size = block_size(b, index), place = index * b->block * b->block;
  double *C = b->C + place;
  int positive = 0;
  (void)lane;
  memcpy(C, b->H + place, (size_t)(size * size) * sizeof *C);
  for (int64_t i = 0; i < size; i++) C[i * size + i] += b->mu;
  LSQ_TRY(lsq_cholesky(context->pool, context->kernels_f64, size, C, &positive)); /* the pool is busy: on this thread */
  b->positive[index] = positive;
done:
  return st;
}

lsqnet_status lsq_block_jacobi_factor(lsq_block_jacobi *b, double mu, int *positive) {
  lsqnet_status st = LSQNET_OK;
  b->mu = mu;
  LSQ_TRY(lsq_pool_run(b->trainer->context->pool, b->blocks, factor_block, b));
  *positive = 1;
  for (int64_t i = 0; i < b->blocks; i++) *positive &= b->positive[i];
done:
  return st;
}

static lsqnet_status solve_block(void *argument, int64_t index, int64_t lane) {
  const lsq_block_jacobi *b = argument;
  const struct lsq_kernels_f64 *kernels = b->trainer->context->kernels_f64;
  const int64_t size = block_size(b, index);
  const double *C = b->C + index * b->block * b->block;
  double *z = b->z + index * b->block;
  (void)lane;
  for (int64_t i = 0; i < size; i++) z[i] = (z[i] - kernels->dot(i, C + i * size, z)) / C[i * size + i];
  for (int64_t i = size - 1; i >= 0; i--) {
    z[i] /= C[i * size + i];
    kernels->axpy(i, -z[i], C + i * size, z);
  }
  return LSQNET_OK;
}

lsqnet_status lsq_block_jacobi_solve(lsq_block_jacobi *b, const double *s, double *z) {
  memcpy(z, s, (size_t)b->P * sizeof *z);
  b->z = z;
  return lsq_pool_run(b->trainer->context->pool, b->blocks, solve_block, b);
}
