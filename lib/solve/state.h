/* Rows that come and go. Their second moments are held in pairs of doubles: sums of exact products, each rounded to
 * some 2^-105 of itself, so that normal equations are as good as rows up to conditions of about 1e7.
 *
 *   state.c          rows in and out, drift, rows kept
 *   state_solve.c    answers: moments to lanes, and where that leads to none the other two roads
 *   state_factor.c   a triangular factor to the solver of single problems
 *   state_certify.c  what moments can show of an answer, and what not */
#ifndef LSQ_SOLVE_STATE_H
#define LSQ_SOLVE_STATE_H

#include "solve/batch.h"
#include "solve/state_pairs.h"

/* A pair's rounding, with room. */
#define LSQ_STATE_ROUNDING 0x1p-103

struct lsqnet_state {
  lsqnet_context *context;
  lsq_users users;
  const struct lsq_lane_kernels *kernels;
  lsqnet_state_options options;
  int64_t columns, stride; /* n + k, and numbers from one column of moments to the next */
  int64_t rows, appended, repairs;
  double *high, *low; /* (columns,stride) moments of [A B], symmetric */
  double *drift;      /* (columns) bound of what roundings have changed in the moment of a column with itself */
  double *row, *left, *left_low; /* (stride) */
  double *answer;                /* (n,k) */
  int changed;                   /* rows have been removed since moments were summed up anew */
  double fresh_drift;            /* when they were, lsq_state_drift just after */
  double *work;                  /* 4 strides, for an answer and its gradient */
  double *factor;                /* 2 (columns,columns), see state_factor.c */
  double *dropped;    /* (columns) of a column that the factor leaves out: roundings of what it has of its own */
  int hidden;         /* roundings may have decided that it is left out */
  int drifted;        /* only roundings of rows that have left stand between an answer and its certificate */
  uint64_t served_by; /* serial of the solver, of our context, that has room for this state; 0: none */
  int64_t served_rows, served_memory; /* kept_capacity when it made that, and how large its memory was then */
  /* rows kept: [a b] each, oldest first, and the number that `appended` was at each */
  double *kept;
  int64_t *numbers;
  double *weights;              /* of each and low parts, if they fade */
  int64_t first, kept_capacity; /* rows before `first` have gone */
};

lsqnet_status lsq_state_create(lsqnet_state **out, lsqnet_context *context, const lsqnet_state_options *options);
void lsq_state_destroy(lsqnet_state *state);

/* Arguments are checked. */
lsqnet_status lsq_state_append(lsqnet_state *state, int64_t rows, const double *a, int64_t lda, const double *b,
                               int64_t ldb);
lsqnet_status lsq_state_remove(lsqnet_state *state, int64_t rows, const double *a, int64_t lda, const double *b,
                               int64_t ldb);

/* Sums the moments up anew, from the rows kept. */
void lsq_state_repair(lsqnet_state *state);

/* Does so if rows that have left have left much more of roundings than there would be. */
void lsq_state_repair_drift(lsqnet_state *state);

/* Largest drift of a column relative to its moment; 0 of none, infinity where nothing but roundings may be left. */
double lsq_state_drift(const lsqnet_state *state);

/* No more than that is left of it after lsq_state_repair, as long as squares do not underflow. */
static inline double lsq_state_fresh_drift(const lsqnet_state *state) {
  return LSQ_STATE_ROUNDING * (double)(state->rows + 2);
}

/* forgetting^age in twice the precision. */
double lsq_state_weight(const lsqnet_state *state, int64_t age, double *low);

/* ---- state_certify.c ---- */

/* sum + sum_low (stride) = A'(b - A (x + x_low)) of the rows held, n of them meant; returns ||b - A (x + x_low)||^2. */
lsq_pair lsq_state_measure(const lsqnet_state *state, int64_t side, const double *x, const double *x_low, double *sum,
                           double *sum_low);

/* The root of what roundings, of moments and of sums with them, may make in the moment of column j. */
double lsq_state_rounding(const lsqnet_state *state, int64_t j);

/* Makes the report of an answer from state->factor one on the rows that moments stand for. */
void lsq_state_certify(const lsqnet_solver *solver, lsqnet_state *state, int64_t side, lsqnet_report *report);

/* ---- state_factor.c ---- */

/* The factor as a problem of n + k rows. */
lsq_problems lsq_state_factor_problem(const lsqnet_state *state);

/* With any model; to state->answer. `why`: for the reports. */
lsqnet_status lsq_state_solve_factor(lsqnet_solver *solver, lsqnet_state *state, int32_t why, lsqnet_report *reports);

/* ---- state_solve.c ---- */

lsqnet_status lsq_state_solve(lsqnet_solver *solver, lsqnet_state *state, double *x, int64_t ldx,
                              lsqnet_report *reports);

#endif
