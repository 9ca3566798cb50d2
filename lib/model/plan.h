/* Where the arrays of a pass lie, in either precision. */
#ifndef LSQ_MODEL_PLAN_H
#define LSQ_MODEL_PLAN_H

#include "model/model.h"

/* Where the arrays of block i begin in the cache. M = n T rows go in; N rows come out: M, but n R in the last block. An
 * array that the model has not is its input: norm_1 the stream, norm_2 and the next stream the middle. */
typedef struct {
  int64_t stream;               /* what goes into the block (M,D) */
  int64_t norm_1, norm_1_cache; /* (M,D), (M,2) */
  int64_t mixer_cache;
  int64_t middle;               /* what goes from the mixer to the MLP (N,D) */
  int64_t norm_2, norm_2_cache; /* (N,D), (N,2) */
  int64_t mlp_cache;
} lsq_block_plan;

typedef struct {
  int64_t n, T, first, R; /* sequences, rows, wanted rows */
  lsq_block_plan *blocks; /* (layers + 1), the caller's; of the last only `stream` is used: what leaves the blocks */
  int64_t x, embedded;    /* input (M,in), read-in and positions (M,D) */
  int64_t final_norm, final_norm_cache; /* (N,D), (N,2) */
  int64_t buffer;                       /* room for (M,D) in the scratch; three such come first in it */
  int64_t cache, scratch;               /* elements in all; whole cache lines */
} lsq_pass_plan;

#endif
