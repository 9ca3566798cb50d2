/* Least-squares problems of one shape, models that are asked about all of them at once, and what is known exactly. */
#ifndef TOOLS_REPRODUCE_PROBLEMS_H
#define TOOLS_REPRODUCE_PROBLEMS_H

#include "reproduce.h"

typedef struct {
  int64_t count, L, D;
  double *rows; /* (count,L,D+1): [a_i, b_i] */
  double *x;    /* (count,D): the x of b = A x */
} problems;

/* Draws them as the task least_squares does; o->rows and o->dim are L and D. */
int problems_draw(problems *out, reproduction *r, const lsqnet_task_options *o, uint64_t seed, int64_t count);
void problems_free(problems *p);
double *problem_rows(const problems *p, int64_t i);

/* The task's defaults under this name. */
lsqnet_task_options task_named(const char *name, int64_t rows, int64_t dim);

/* A copy of a model that takes a step, and the prompts of `count` problems for it. A float32 model computes in float32:
 * prompts are rounded to it on the way in. */
typedef struct {
  lsqnet_model *model;
  lsqnet_workspace *workspace;
  lsqnet_batch shape;
  lsqnet_model_step step;
  int64_t width, out_width;
  double *prompts, *b, *out;
  float *prompts_f32, *out_f32; /* NULL: a float64 model */
  int bits;                     /* to which numbers of the prompts are rounded; 0: they are not */
} asker;

int asker_open(asker *out, const lsqnet_model *model, const problems *p);
void asker_close(asker *a);

/* y (count,D) = the model's output for each problem at x (count,D). */
int ask(asker *a, const problems *p, const double *x, double *y);

/* x (count,D) becomes the model's next iterate: its output, or x - step * output where that is a gradient. */
int ask_iterate(asker *a, const problems *p, double step, double *x);

/* g (D) = A'(A x - b) / L of problem i, in float64. */
void exact_gradient(const problems *p, int64_t i, const double *x, double *g);

/* x (count,D) becomes gradient descent's next iterate, x - step * g. */
enum { UNKNOWNS_MOST = 32 }; /* most D */
void exact_iterate(const problems *p, double step, double *x);

/* Mean square of differences, of problem i alone, and of all of them. */
double error_of(const problems *p, int64_t i, const double *x, const double *y);
double mean_error(const problems *p, const double *x, const double *y);

/* 25%, 50% and 75% of `count` values, which are sorted in place. */
void quartiles(double *values, int64_t count, double out[3]);

/* Zeroed numbers; NULL when there is not enough memory, which has then been told. */
double *numbers(int64_t count);

#endif
