/* Random numbers of the samplers. A sample's stream is cut into parts, so that the place of a number depends on the
 * part and its position there alone. */
#ifndef LSQ_TASKS_LAWS_H
#define LSQ_TASKS_LAWS_H

#include <stdint.h>

/* (seed, step, sample) has a stream of its own: number `sample` of stream `step` names it. */
typedef struct {
  uint64_t seed, stream;
} lsq_stream;

/* Parts of a stream; docs/tasks.md lists them, and they never change. Part p begins at index p 2^56. */
enum {
  LSQ_PART_A = 0, /* entries of A, G of H = G + G', coefficients of the forcings */
  LSQ_PART_X = 1, /* x, initial values of ODEs */
  LSQ_PART_X_INIT = 2,
  LSQ_PART_V = 3,
  LSQ_PART_SPARSITY = 4,     /* which entries of A are zero */
  LSQ_PART_COEFFICIENTS = 5, /* a1 to a4 and t* of an ODE */
  LSQ_PART_POINTS = 6,       /* where its forcings are given */
  LSQ_PART_NOISE = 7,
  LSQ_PART_FIXED = 8 /* what a task draws once */
};

lsq_stream lsq_stream_of(uint64_t seed, uint64_t step, uint64_t sample);

/* Number `position` of a part, uniform on (0,1). */
double lsq_stream_uniform(lsq_stream stream, int part, int64_t position);

/* out_i = number i of a part, from an LSQNET_LAW_, for i < count. Student's t has `freedom` >= 1. */
void lsq_law_fill(int32_t law, double freedom, lsq_stream stream, int part, int64_t count, double *out);

#endif
