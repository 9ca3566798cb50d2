/* Least-squares problems of samples, and products with their matrices in twice the working precision. */
#ifndef LSQ_TASKS_PROBLEM_H
#define LSQ_TASKS_PROBLEM_H

#include "tasks/task.h"

/* A sample's work: vectors of max(L,D) numbers, and the rest. */
typedef struct {
  const double *zeros;                       /* nobody writes here */
  double *r, *r_low, *g, *g_low, *y, *y_low; /* pairs */
  double *rest;
} lsq_problem_work;

lsq_problem_work lsq_problem_work_of(const lsq_sample *sample);

/* The room of a sample whose matrices hold `a` and `x` numbers and whose work ends in `rest` numbers. */
lsq_sample_room lsq_problem_room_of(const lsqnet_task *task, int64_t a, int64_t x, int64_t rest);

/* a by law_a, sparsity, normalise_rows, condition and scale_a; a vector by law_x, normalise_x and scale_x. */
void lsq_draw_matrix(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample);
void lsq_draw_vector(const lsqnet_task *task, lsq_stream stream, int part, const lsq_sample *sample, double *vector);

/* Brings n numbers to unit length; zeros stay. */
void lsq_normalise(int64_t n, double *values);

/* y = A x rounded.  A (m,n), zeros (m); low (m) is overwritten. */
void lsq_rounded_product(const lsqnet_task *task, int64_t m, int64_t n, const double *A, const double *x,
                         const double *zeros, double *y, double *low);

#endif
