/* Many problems of one shape. They go through vector lanes (lanes.h), in groups of as many as there are lanes: side by
 * side if they are small, else with rows of one problem side by side until its moments are summed up. What gets no
 * certificate there is solved one at a time (solve.c). Which way a problem goes depends on its shape and its numbers
 * alone, and on nothing beside it.
 *
 *   lane_group.c   one group, from the caller's numbers to certified answers
 *   batch.c        groups over threads, reports
 *   single.c       what the lanes leave over
 *   room.c         memory and solvers of the threads, before the first problem */
#ifndef LSQ_SOLVE_BATCH_H
#define LSQ_SOLVE_BATCH_H

#include "base/pool.h"
#include "solve/lanes.h"
#include "solve/solver.h"

/* Problems as the caller has them; checked. Element (i,j) of A is at i a_row + j a_column, one of which is 1. */
struct lsq_problems {
  int64_t count, m, n, k;
  int64_t first_side; /* columns of B before the k that are meant; 0 but in lane_group.c */
  int64_t a_row, a_column, b_row, b_column, x_row, x_column;
  int64_t a_stride, b_stride, weights_stride, x_stride; /* from one problem to the next */
  int narrow;                                           /* numbers are floats, not doubles */
  int pointers;                                         /* a, b, weights and x are arrays of pointers, one a problem */
  const void *a, *b, *weights, *x;                      /* weights may be NULL; x is written to */
  /* of one problem of doubles, laid out as a, b and weights; each may be NULL */
  const double *a_low, *b_low, *weights_low;
  int derived;      /* as in lsq_data */
  int ridge_within; /* rows of a ridge are among them already */
};

const void *lsq_problem_a(const lsq_problems *problems, int64_t p);
const void *lsq_problem_b(const lsq_problems *problems, int64_t p);
const void *lsq_problem_weights(const lsq_problems *problems, int64_t p);
void *lsq_problem_x(const lsq_problems *problems, int64_t p);

/* Element `index` of an array of the problems' number type. */
static inline double lsq_number_at(const lsq_problems *problems, const void *array, int64_t index) {
  return problems->narrow ? (double)((const float *)array)[index] : ((const double *)array)[index];
}

static inline int64_t lsq_number_size(const lsq_problems *problems) {
  return problems->narrow ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
}

/* Asks for memory that will be needed soon; not for much, as where problems are far apart. */
static inline void lsq_expect(const void *memory, int64_t bytes) {
  enum { LINE = 64, MOST = 1 << 16 };
  for (int64_t at = 0; at < bytes && bytes <= MOST; at += LINE) __builtin_prefetch((const char *)memory + at, 0, 3);
}

/* Whether a right-hand side has come to an x that the caller gets. */
static inline int lsq_has_answer(const lsqnet_report *report) {
  return report->status == LSQNET_OK || report->status == LSQNET_E_NOT_CONVERGED;
}

/* Hands the answer of side l out, whose components are `stride` numbers apart. */
void lsq_write_x(const lsq_problems *problems, int64_t p, int64_t l, const double *values, int64_t stride);

/* Solves them all. `reports` (count,k) in the caller's layout, reports[0].size at least ours, or NULL. */
lsqnet_status lsq_solve_batch(lsqnet_solver *solver, const lsq_problems *problems, lsqnet_report *reports);

/* Reports of a call that has failed before any problem could be solved. */
void lsq_report_failure(const lsq_problems *problems, lsqnet_status st, lsqnet_report *reports);

/* ---- lane_group.c ---- */

/* Whether problems of this shape and kind go through lanes; if not, *why is an LSQNET_WHY_ number. */
int lsq_lanes_take(const lsqnet_solver *solver, const lsq_problems *problems, int32_t *why);

/* Side by side as problems, not as rows. */
int lsq_lanes_small(const lsq_problems *problems);

/* One group at work, in memory of its own; see lay_out. */
typedef struct {
  const struct lsq_lane_kernels *kernels;
  int small;         /* problems side by side, not rows */
  int64_t sequences; /* of the model that a problem's system stands for */
  lsq_lane_system system;
  lsq_packed packed;
  int64_t panel; /* numbers of what is packed at a time */
  int held;      /* all panels stay packed, those of a problem one after the other; `packed` is at the one turned to */
  int64_t turned;
  double *r, *r_low;
  double *partial; /* moments, or sums, of one problem whose rows are side by side */
  double *reduced; /* the same, lanes added up: one problem after the other */
  double *point;   /* n + 1 vectors: x and a limit, the same in all lanes */
  double *zeros;   /* rows that are not there */
  int64_t width;   /* of the group: its lanes, or fewer where there are not so many problems */
  double
      *answer; /* (k,n,width) in the caller's units, of all right-hand sides; the system has LSQ_LANE_SIDES at a time */
  int64_t first_side; /* of those that the system has */
  int64_t end;        /* of the problems that this thread goes on with: what comes behind is not fetched ahead */
  int64_t thread;     /* at work on it; 0: the caller's */
  int64_t passed;     /* numbers of A and B since it last looked at the limits */
  double *number;     /* (k,LSQ_ANSWER_NUMBERS,width) */
  int64_t together;   /* problems that a model is asked about together; 0: it has a fold */
  double *A, *G;      /* (together,m,n) of these as rows, and (together,n,n) what the model makes of them */
} lsq_lane_group;

enum { LSQ_ANSWER_WORST, LSQ_ANSWER_BACKWARD, LSQ_ANSWER_NORM, LSQ_ANSWER_CORRECTIONS, LSQ_ANSWER_NUMBERS };

/* The answer of side `side` in lane l: component j is at j width. */
static inline const double *lsq_lane_answer(const lsq_lane_group *group, int64_t l, int64_t side) {
  return group->answer + side * group->system.n * group->width + l;
}

/* Doubles that a group of such problems works in, and a group in so much memory, 64-byte aligned. */
int64_t lsq_lane_group_size(const lsqnet_solver *solver, const lsq_problems *problems);
void lsq_lane_group_begin(const lsqnet_solver *solver, const lsq_problems *problems, double *memory,
                          lsq_lane_group *group);

/* Solves problems first .. first+used-1, at most as many as there are lanes: outcome[l] is LSQ_LANE_DONE, with the
 * answer in lane l of `answer` and `number`, or REFUSED or WILD. E_STOPPED, without a message, if the call has to end
 * before that. */
lsqnet_status lsq_lane_group_solve(lsqnet_solver *solver, const lsq_problems *problems, int64_t first, int64_t used,
                                   lsq_lane_group *group, int8_t *outcome);

/* Writes what side `side` of the system has come to, to `answer` and `number`; refuses lanes whose answer has a
 * component, other than 0, that is not between least and most. */
void lsq_lane_group_collect(lsq_lane_group *group, int64_t side, double least, double most);

/* ---- single.c ---- */

/* Solves problem p, which lanes did not take (`why`) or gave up with `outcome`, and writes its answer. reports (k). */
lsqnet_status lsq_solve_single(lsqnet_solver *solver, const lsq_problems *problems, int64_t p, int outcome, int32_t why,
                               lsqnet_report *reports);

/* Makes room for that, for a group in lanes if they take such problems, and for solver->reports; lsq_solve_reserve says
 * for what not. */
lsqnet_status lsq_single_reserve(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes);

/* The report of side `side` in lane l. */
lsqnet_report lsq_lane_report(const lsq_lane_group *group, int64_t l, int64_t side);

/* ---- room.c ---- */

/* Makes a call's room for so many solvers, of which all but the caller's are made here and take on the options that
 * hold. */
lsqnet_status lsq_make_room(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes, int64_t solvers);

#endif
