#include "solve/batch.h"

#include <pthread.h>
#include <string.h>

#include "base/order.h"
#include "base/pool.h"
#include "base/sized.h"
#include "solve/fold.h"

enum { MOST_TASK = 1 << 17 };  /* numbers of the problems that a thread takes at a time, at most */
enum { LEAST_TASK = 1 << 15 }; /* at least: fewer are not worth waking it */
enum { SHARES = 2 };           /* between these, of what is left: one in so many for each thread */
enum { NOT_BEGUN = -1 };       /* beside the LSQ_LANE_ numbers of `outcomes` */
enum { SHARED = 1 << 15 };     /* numbers of left-over problems from which on threads share them */

/* ---- the caller's arrays ---- */

/* Number `offset` of what problem p has in `array`. */
static const void *place_of(const lsq_problems *problems, const void *array, int64_t stride, int64_t p,
                            int64_t offset) {
  if (problems->narrow)
    return (problems->pointers ? ((const float *const *)array)[p] : (const float *)array + p * stride) + offset;
  return (problems->pointers ? ((const double *const *)array)[p] : (const double *)array + p * stride) + offset;
}

const void *lsq_problem_a(const lsq_problems *problems, int64_t p) {
  return place_of(problems, problems->a, problems->a_stride, p, 0);
}

const void *lsq_problem_b(const lsq_problems *problems, int64_t p) {
  return place_of(problems, problems->b, problems->b_stride, p, problems->first_side * problems->b_column);
}

const void *lsq_problem_weights(const lsq_problems *problems, int64_t p) {
  return place_of(problems, problems->weights, problems->weights_stride, p, 0);
}

void *lsq_problem_x(const lsq_problems *problems, int64_t p) {
  return (void *)(uintptr_t)place_of(problems, problems->x, problems->x_stride, p, 0);
}

void lsq_write_x(const lsq_problems *problems, int64_t p, int64_t l, const double *values, int64_t stride) {
  void *x = lsq_problem_x(problems, p);
  for (int64_t j = 0; j < problems->n; j++) {
    const int64_t at = j * problems->x_row + l * problems->x_column;
    if (problems->narrow)
      ((float *)x)[at] = (float)values[j * stride];
    else
      ((double *)x)[at] = values[j * stride];
  }
}

/* ---- reports ---- */

typedef struct {
  lsqnet_solver *solver;
  const lsq_problems *problems;
  char *reports; /* the caller's, or NULL */
  uint32_t report_size;
  int32_t why;
  int in_lanes;
  int64_t solvers;      /* that may be at work: one a thread, no more than problems */
  int64_t groups;       /* of problems, in lanes */
  int64_t least, most;  /* that a thread takes at a time */
  pthread_mutex_t lock; /* of all below, and of which solvers are busy */
  int64_t next;         /* group or problem that nobody has looked at yet */
  int failed;           /* nothing is begun any more */
} job;

/* Groups or problems begin .. end-1; none if end is begin. */
typedef struct {
  int64_t begin, end;
} range;

/* Does these on a thread's solver. */
typedef lsqnet_status (*step)(const job *j, lsqnet_solver *solver, int64_t thread, range at);

/* Hands out the next ones. */
typedef range (*claim)(job *j);

static void write_report(const job *j, int64_t p, int64_t side, const lsqnet_report *report) {
  if (j->reports == NULL) return;
  char *at = j->reports + (uint64_t)(p * j->problems->k + side) * j->report_size;
  if (j->report_size == sizeof *report)
    memcpy(at, report, sizeof *report);
  else
    (void)lsq_sized_write(at, j->report_size, sizeof *report, report, sizeof *report, "lsqnet_report");
}

/* All sides of a problem that never came to be solved. */
static void report_failure(const job *j, int64_t p, lsqnet_status st, int32_t stopped) {
  const lsqnet_report report = {
      .size = sizeof report, .status = st, .stopped = stopped, .rank = -1, .why = LSQNET_WHY_NONE};
  for (int64_t side = 0; side < j->problems->k; side++) write_report(j, p, side, &report);
}

/* ---- threads ---- */

/* One that nobody else works on. The caller's own is for the caller's thread, which alone may ask the caller whether to
 * stop; where as many other threads have come as there are solvers, the last of them gets none: NULL. */
static lsqnet_solver *take_solver(job *j, int64_t thread) {
  lsqnet_solver *solver = thread == 0 ? j->solver : NULL;
  (void)pthread_mutex_lock(&j->lock);
  for (int64_t i = 1; i < j->solvers && solver == NULL; i++)
    if (!lsq_solver_of(j->solver, i)->busy) solver = lsq_solver_of(j->solver, i);
  if (solver != NULL) solver->busy = 1;
  (void)pthread_mutex_unlock(&j->lock);
  return solver;
}

/* What a run does, and how. */
typedef struct {
  job *j;
  claim next;
  step do_it;
} work;

static range next_of(const work *w) {
  (void)pthread_mutex_lock(&w->j->lock);
  const range at = w->j->failed ? (range){0, 0} : w->next(w->j);
  (void)pthread_mutex_unlock(&w->j->lock);
  return at;
}

/* On one solver until there is no more to do. */
static lsqnet_status do_work(void *argument, int64_t index, int64_t thread) {
  lsqnet_status st = LSQNET_OK;
  const work *w = argument;
  job *j = w->j;
  lsqnet_solver *solver = take_solver(j, thread);
  (void)index;
  if (solver == NULL) return LSQNET_OK;
  while (st == LSQNET_OK) {
    const range at = next_of(w);
    if (at.begin == at.end) break;
    st = w->do_it(j, solver, thread, at);
  }
  (void)pthread_mutex_lock(&j->lock);
  solver->busy = 0;
  if (st != LSQNET_OK) j->failed = 1;
  (void)pthread_mutex_unlock(&j->lock);
  return st;
}

/* The caller's own thread waits for the last ones: it can still be asked whether to stop. */
static void watch_limits(void *argument) { (void)lsq_limits_look(((const work *)argument)->j->solver, 0); }

static lsqnet_status run(job *j, int64_t tasks, claim next, step do_it) {
  work w = {j, next, do_it};
  const lsqnet_solver *solver = j->solver;
  const int64_t threads = lsq_smaller(tasks, j->solvers);
  j->next = 0;
  j->failed = 0;
  if (threads == 1) return do_work(&w, 0, 0);
  return lsq_pool_run_watched(solver->context->pool, threads, do_work, &w,
                              solver->options.stop != NULL ? watch_limits : NULL);
}

/* ---- lanes ---- */

static void hand_out(const job *j, const lsq_lane_group *group, int64_t p, int64_t l) {
  const lsq_problems *problems = j->problems;
  for (int64_t side = 0; side < problems->k; side++) {
    lsq_write_x(problems, p, side, lsq_lane_answer(group, l, side), group->width);
    if (j->reports == NULL) continue;
    const lsqnet_report report = lsq_lane_report(group, l, side);
    write_report(j, p, side, &report);
  }
}

/* Asks for what problems first .. first+used-1 will be written to, while they are being solved. */
static void expect_answers(const job *j, int64_t first, int64_t used) {
  const lsq_problems *problems = j->problems;
  const int64_t reports = problems->k * j->report_size;
  if (j->reports != NULL) lsq_expect(j->reports + first * reports, used * reports);
  if (!problems->pointers)
    lsq_expect(lsq_problem_x(problems, first), used * problems->x_stride * lsq_number_size(problems));
}

/* A share of those that are left, so that threads that begin late or are slow end with the others. */
static range claim_groups(job *j) {
  const int64_t left = j->groups - j->next, share = left / (SHARES * j->solvers), begin = j->next;
  const int64_t some = share < j->least ? j->least : share < j->most ? share : j->most;
  j->next += lsq_smaller(some, left);
  return (range){begin, j->next};
}

/* These groups, unless the call has to end. One map of moments serves all threads; a model that is asked, one at a
 * time. */
static lsqnet_status solve_groups(const job *j, lsqnet_solver *own, int64_t thread, range at) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = own->fold == NULL ? own : j->solver;
  lsq_lane_group group;
  if (lsq_limits_look(solver, thread)) return LSQNET_E_STOPPED;
  lsq_lane_group_begin(solver, j->problems, own->memory, &group);
  group.thread = thread;
  const int64_t lanes = group.kernels->lanes;
  if (at.end * lanes < group.end) group.end = at.end * lanes;
  for (int64_t g = at.begin; g < at.end; g++) {
    const int64_t first = g * lanes, left = j->problems->count - first, used = lsq_smaller(left, lanes);
    int8_t *outcomes = j->solver->outcomes + first;
    expect_answers(j, first, used);
    LSQ_TRY(lsq_lane_group_solve(solver, j->problems, first, used, &group, outcomes));
    for (int64_t l = 0; l < used; l++)
      if (outcomes[l] == LSQ_LANE_DONE) hand_out(j, &group, first + l, l);
  }
done:
  return st;
}

static lsqnet_status solve_in_lanes(job *j) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  const lsq_problems *problems = j->problems;
  const int64_t lanes = lsq_lane_kernels_of(solver->context->kernels_f64->level)->lanes;
  const int64_t numbers = lanes * problems->m * (problems->n + problems->k);
  j->groups = (problems->count + lanes - 1) / lanes;
  j->most = lsq_larger(MOST_TASK / numbers, 1);
  j->least = solver->fold != NULL ? lsq_larger(LEAST_TASK / numbers, 1) : 1; /* a model that is asked is slow enough */
  if (solver->fold != NULL) LSQ_TRY(lsq_fold_plan(solver, problems->n));
  LSQ_TRY(run(j, (j->groups + j->least - 1) / j->least, claim_groups, solve_groups));
done:
  return st;
}

/* ---- one at a time ---- */

static void keep_first(lsq_failure *first, lsqnet_status st, int64_t p) {
  if (st == LSQNET_OK || (first->status != LSQNET_OK && first->problem < p)) return;
  const char *message = lsqnet_last_message();
  const size_t length = strlen(message) < sizeof first->text ? strlen(message) : sizeof first->text - 1;
  memcpy(first->text, message, length);
  first->text[length] = '\0';
  first->status = st;
  first->problem = p;
}

/* The first of all solvers. */
static lsqnet_status fail_first(const job *j) {
  const lsq_failure *first = &j->solver->failure;
  for (int64_t i = 1; i < j->solvers; i++) {
    const lsq_failure *next = &lsq_solver_of(j->solver, i)->failure;
    if (next->status != LSQNET_OK && (first->status == LSQNET_OK || next->problem < first->problem)) first = next;
  }
  if (first->status == LSQNET_OK) return LSQNET_OK;
  if (j->problems->count == 1) return lsq_fail(first->status, "%s", first->text);
  return lsq_fail(first->status, "problem %lld of %lld (counted from 0): %s", (long long)first->problem,
                  (long long)j->problems->count, first->text);
}

/* The next problem that is left over. */
static range claim_left_over(job *j) {
  const int64_t count = j->problems->count;
  while (j->next < count && j->solver->outcomes[j->next] == LSQ_LANE_DONE) j->next++;
  const int64_t p = j->next;
  if (p < count) j->next++;
  return (range){p, j->next};
}

/* Its own failure is none of the call's; E_STOPPED, without a message, once that has to end. */
static lsqnet_status solve_left_over(const job *j, lsqnet_solver *solver, int64_t thread, range at) {
  lsqnet_solver *leader = j->solver;
  const int64_t p = at.begin;
  if (lsq_limits_look(leader, thread)) return LSQNET_E_STOPPED;
  const lsqnet_status own = lsq_solve_single(solver, j->problems, p, leader->outcomes[p], j->why, solver->reports);
  for (int64_t side = 0; side < j->problems->k; side++) write_report(j, p, side, &solver->reports[side]);
  if (own == LSQNET_E_MEMORY) return own;
  leader->outcomes[p] = LSQ_LANE_DONE;
  keep_first(&solver->failure, own, p);
  return LSQNET_OK;
}

/* Reports of the problems that the end of the call has come before; one message for all. */
static void report_stopped(const job *j) {
  lsqnet_solver *solver = j->solver;
  int64_t first = -1;
  for (int64_t p = 0; p < j->problems->count; p++) {
    if (solver->outcomes[p] == LSQ_LANE_DONE) continue;
    report_failure(j, p, LSQNET_E_STOPPED, solver->halted);
    solver->outcomes[p] = LSQ_LANE_DONE;
    if (first < 0) first = p;
  }
  if (first >= 0) keep_first(&solver->failure, lsq_limits_check(solver), first);
}

static lsqnet_status solve_left_overs(job *j, int64_t count) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  for (int64_t i = 0; i < j->solvers; i++) lsq_solver_of(solver, i)->failure.status = LSQNET_OK;
  st = run(j, count, claim_left_over, solve_left_over);
  if (st != LSQNET_E_STOPPED) LSQ_TRY(st);
  if (st == LSQNET_E_STOPPED) report_stopped(j);
  st = fail_first(j);
done:
  return st;
}

/* ---- all of it ---- */

/* One a thread if there is enough to do for more than one, but no more than problems. */
static int64_t solvers_for(const job *j) {
  const lsqnet_solver *solver = j->solver;
  const lsq_problems *problems = j->problems;
  const double m = (double)problems->m + (solver->options.ridge > 0.0 ? (double)problems->n : 0.0);
  const double numbers = m * ((double)problems->n + (double)problems->k);
  const int asked = j->in_lanes && solver->fold == NULL;
  const int shared = problems->count > 1 && (asked || (double)problems->count * numbers >= SHARED);
  const int64_t threads = shared ? lsq_pool_lanes(solver->context->pool) : 1;
  return lsq_smaller(threads, problems->count);
}

static lsqnet_status solve_all(job *j) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  const int64_t count = j->problems->count;
  int64_t left = 0;
  if (count == 0) return LSQNET_OK;
  LSQ_TRY(lsq_reserve(solver->context, &solver->outcomes, &solver->outcomes_capacity, count, 1));
  memset(solver->outcomes, NOT_BEGUN, (size_t)count);
  j->in_lanes = lsq_lanes_take(solver, j->problems, &j->why);
  j->solvers = solvers_for(j);
  LSQ_TRY(lsq_make_room(solver, j->problems, j->in_lanes, j->solvers));
  if (j->in_lanes) st = solve_in_lanes(j);
  if (st != LSQNET_E_STOPPED) LSQ_TRY(st); /* of the other ones the reports say so */
  st = LSQNET_OK;
  for (int64_t p = 0; p < count; p++) left += solver->outcomes[p] != LSQ_LANE_DONE;
  if (left > 0) LSQ_TRY(solve_left_overs(j, left));
done:
  return st;
}

void lsq_report_failure(const lsq_problems *problems, lsqnet_status st, lsqnet_report *reports) {
  job j = {.problems = problems, .reports = (char *)reports};
  if (reports == NULL) return;
  j.report_size = reports[0].size;
  for (int64_t p = 0; p < problems->count; p++) report_failure(&j, p, st, LSQNET_STOP_NONE);
}

lsqnet_status lsq_solve_batch(lsqnet_solver *solver, const lsq_problems *problems, lsqnet_report *reports) {
  job j = {.solver = solver, .problems = problems, .reports = (char *)reports, .lock = PTHREAD_MUTEX_INITIALIZER};
  if (reports != NULL) j.report_size = reports[0].size;
  lsq_limits_begin(solver);
  const lsqnet_status st = solve_all(&j);
  if (st == LSQNET_E_MEMORY) solver->room = (lsq_room){0}; /* what could not grow is lost */
  /* a call that failed as a whole, for want of memory: no report says OK of a problem that has no answer */
  for (int64_t p = 0; p < problems->count && st != LSQNET_OK; p++)
    if (solver->outcomes == NULL || solver->outcomes_capacity < problems->count || solver->outcomes[p] != LSQ_LANE_DONE)
      report_failure(&j, p, st, LSQNET_STOP_NONE);
  return st;
}
