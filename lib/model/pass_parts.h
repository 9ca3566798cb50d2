/* What the passes in their several directions share: for files compiled once for each precision. */
#ifndef LSQ_MODEL_PASS_PARTS_H
#define LSQ_MODEL_PASS_PARTS_H

#include "model/pass.h"

static inline lsqnet_mixer_shape lsq_rows_shape(const lsq_pass_plan *plan, int64_t first, int64_t count) {
  return (lsqnet_mixer_shape){
      .size = sizeof(lsqnet_mixer_shape), .batch = plan->n, .rows = plan->T, .first = first, .count = count};
}

/* What the mixer of block i works on: all rows are wanted, but of the last block only those that the caller wants. */
static inline lsqnet_mixer_shape lsq_block_shape(const lsq_pass_plan *plan, const lsqnet_model *model, int64_t i) {
  return i == model->options.layers - 1 ? lsq_rows_shape(plan, plan->first, plan->R) : lsq_rows_shape(plan, 0, plan->T);
}

/* Entry of a table of parameters that a part may not have. */
static inline const real *lsq_entry(const real *const *table, int64_t index) {
  return index >= 0 ? table[index] : NULL;
}

static inline REAL(lsq_mlp_weights) lsq_mlp_entries(const real *const *table, const lsq_block *b) {
  return (REAL(lsq_mlp_weights)){.up = lsq_entry(table, b->up_weight),
                                 .up_bias = lsq_entry(table, b->up_bias),
                                 .gate = lsq_entry(table, b->gate_weight),
                                 .value = lsq_entry(table, b->value_weight),
                                 .down = lsq_entry(table, b->down_weight),
                                 .down_bias = lsq_entry(table, b->down_bias)};
}

/* y (n,R,D) += the wanted rows of u (n,T,D) */
static inline void lsq_add_wanted(const REAL(lsq_kernel_table) *kernels, const lsqnet_mixer_shape *shape, int64_t D,
                                  const real *u, real *y) {
  const int64_t sequence = shape->rows * D, wanted = shape->count * D;
  for (int64_t i = 0; i < shape->batch; i++)
    kernels->axpy(wanted, 1, u + i * sequence + shape->first * D, y + i * wanted);
}

/* The wanted rows of u (n,T,D) += y (n,R,D) */
static inline void lsq_add_to_wanted(const REAL(lsq_kernel_table) *kernels, const lsqnet_mixer_shape *shape, int64_t D,
                                     const real *y, real *u) {
  const int64_t sequence = shape->rows * D, wanted = shape->count * D;
  for (int64_t i = 0; i < shape->batch; i++)
    kernels->axpy(wanted, 1, y + i * wanted, u + i * sequence + shape->first * D);
}

/* Each of the n sequences of u (n,T,D) += row (T,D). */
static inline void lsq_add_to_sequences(const REAL(lsq_kernel_table) *kernels, int64_t n, int64_t size, const real *row,
                                        real *u) {
  for (int64_t i = 0; i < n; i++) kernels->axpy(size, 1, row, u + i * size);
}

#endif
