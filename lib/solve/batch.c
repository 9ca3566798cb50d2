#include "solve/batch.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "base/sized.h"
#include "model/workspace.h"
#include "solve/fold.h"

enum { TASK = 1 << 17 };       /* numbers of the problems that a thread takes at a time, at most */
enum { LEAST_TASK = 1 << 15 }; /* at least: fewer are not worth waking it */
enum { TASKS_EACH = 2 };       /* between these */
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
  int64_t groups, groups_of_task; /* of problems, in lanes */
  int64_t memory_of_group;
} job;

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

/* ---- lanes ---- */

static void hand_out(const job *j, const lsq_lane_group *group, int64_t p, int64_t l) {
  const lsq_problems *problems = j->problems;
  const int64_t lanes = group->kernels->lanes, n = problems->n;
  for (int64_t side = 0; side < problems->k; side++) {
    lsq_write_x(problems, p, side, group->answer + side * n * lanes + l, lanes);
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

/* Groups index * groups_of_task and on, unless the call has to end. */
static lsqnet_status solve_groups(void *argument, int64_t index, int64_t thread) {
  lsqnet_status st = LSQNET_OK;
  const job *j = argument;
  lsqnet_solver *solver = j->solver;
  lsq_lane_group group;
  if (lsq_limits_look(solver, thread)) return LSQNET_OK;
  lsq_lane_group_begin(solver, j->problems, solver->lanes + thread * j->memory_of_group, &group);
  group.thread = thread;
  const int64_t lanes = group.kernels->lanes, most = (index + 1) * j->groups_of_task;
  const int64_t end = most < j->groups ? most : j->groups;
  if (end * lanes < group.end) group.end = end * lanes;
  for (int64_t g = index * j->groups_of_task; g < end; g++) {
    const int64_t first = g * lanes, left = j->problems->count - first, used = left < lanes ? left : lanes;
    int8_t *outcomes = solver->outcomes + first;
    expect_answers(j, first, used);
    LSQ_TRY(lsq_lane_group_solve(solver, j->problems, first, used, &group, outcomes));
    for (int64_t l = 0; l < used; l++)
      if (outcomes[l] == LSQ_LANE_DONE) hand_out(j, &group, first + l, l);
  }
done:
  return st;
}

/* The caller's own thread waits for the last groups: it can still be asked whether to stop. */
static void watch_limits(void *argument) { (void)lsq_limits_look(((const job *)argument)->solver, 0); }

/* `share` groups of `numbers` numbers, or what the bounds of a task make of them. */
static int64_t groups_of_task(int64_t numbers, int64_t share) {
  const int64_t least = LEAST_TASK / numbers, most = TASK / numbers;
  const int64_t groups = share < least ? least : share < most ? share : most;
  return groups < 1 ? 1 : groups;
}

/* A model without a map of moments goes through the pool itself. */
static lsqnet_status solve_in_lanes(job *j) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  const lsq_problems *problems = j->problems;
  const int64_t lanes = lsq_lane_kernels_of(solver->context->kernels_f64->level)->lanes;
  const int64_t threads = solver->fold != NULL ? lsq_pool_lanes(solver->context->pool) : 1;
  const int64_t numbers = lanes * problems->m * (problems->n + problems->k);
  j->memory_of_group = lsq_lane_group_size(solver, problems);
  j->groups = (problems->count + lanes - 1) / lanes;
  j->groups_of_task = groups_of_task(numbers, j->groups / (TASKS_EACH * threads));
  const int64_t tasks = (j->groups + j->groups_of_task - 1) / j->groups_of_task;
  LSQ_TRY(lsq_reserve(solver->context, &solver->lanes, &solver->lanes_capacity, threads * j->memory_of_group,
                      sizeof(double)));
  if (solver->fold != NULL) {
    LSQ_TRY(lsq_fold_plan(solver, problems->n));
    LSQ_TRY(lsq_pool_run_watched(solver->context->pool, tasks, solve_groups, j,
                                 solver->options.stop != NULL ? watch_limits : NULL));
  } else {
    for (int64_t task = 0; task < tasks; task++) LSQ_TRY(solve_groups(j, task, 0));
  }
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

/* The first of all threads. */
static lsqnet_status fail_first(const job *j, int64_t threads) {
  const lsq_failure *first = j->solver->failures;
  for (const lsq_failure *next = first; next < j->solver->failures + threads; next++)
    if (next->status != LSQNET_OK && (first->status == LSQNET_OK || next->problem < first->problem)) first = next;
  if (first->status == LSQNET_OK) return LSQNET_OK;
  if (j->problems->count == 1) return lsq_fail(first->status, "%s", first->text);
  return lsq_fail(first->status, "problem %lld of %lld (counted from 0): %s", (long long)first->problem,
                  (long long)j->problems->count, first->text);
}

/* The solver of a thread, made when it has its first problem: the caller's, or one on the same model whose lanes hold
 * a group. */
static lsqnet_status solver_of(const job *j, int64_t thread, lsqnet_solver **out) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *leader = j->solver, **other = NULL;
  *out = leader;
  if (thread == 0) return LSQNET_OK;
  other = &leader->others[thread - 1];
  if (*other == NULL) LSQ_TRY(lsq_solver_create(other, leader->context, leader->model, &leader->options));
  *out = *other;
  (*out)->leader = leader;
  (*out)->options = leader->options;
  (*out)->precision = leader->precision;
  (*out)->halted = LSQNET_STOP_NONE;
  if (j->memory_of_group == 0) return LSQNET_OK;
  if ((*out)->fold != NULL) LSQ_TRY(lsq_fold_plan(*out, j->problems->n));
  LSQ_TRY(lsq_reserve((*out)->context, &(*out)->lanes, &(*out)->lanes_capacity, j->memory_of_group, sizeof(double)));
done:
  return st;
}

/* What lanes have left over of problem p. Its own failure is no failure of the call: *own says. */
static lsqnet_status solve_left_over(const job *j, lsqnet_solver *solver, int64_t p, lsqnet_status *own) {
  lsqnet_status st = LSQNET_OK;
  const int64_t k = j->problems->k;
  LSQ_TRY(lsq_reserve(solver->context, &solver->reports, &solver->reports_capacity, k, sizeof *solver->reports));
  *own = lsq_solve_single(solver, j->problems, p, j->solver->outcomes[p], j->why, solver->reports);
  if (*own == LSQNET_E_MEMORY) st = *own;
  for (int64_t side = 0; side < k; side++) write_report(j, p, side, &solver->reports[side]);
done:
  return st;
}

/* Number `index` of the left-over problems; E_STOPPED, without a message, once the call has to end. */
static lsqnet_status solve_one(void *argument, int64_t index, int64_t thread) {
  lsqnet_status st = LSQNET_OK, own = LSQNET_OK;
  const job *j = argument;
  lsqnet_solver *leader = j->solver, *solver = NULL;
  const int64_t p = leader->left[index];
  if (lsq_limits_look(leader, thread)) return LSQNET_E_STOPPED;
  LSQ_TRY(solver_of(j, thread, &solver));
  LSQ_TRY(solve_left_over(j, solver, p, &own));
  leader->outcomes[p] = LSQ_LANE_DONE;
  keep_first(&leader->failures[thread], own, p);
done:
  return st;
}

/* What solving a problem makes larger. */
enum { MEMORY, SINGLE, REPORTS, PROBES, ROWS, CACHE, SCRATCH, MOMENTS, FIRSTS, SOURCES, WEIGHTS, BUFFERS };

static int64_t *capacity_of(lsqnet_solver *s, int buffer) {
  lsq_arrays_f64 *arrays = &s->workspace->arrays_f64;
  int64_t *const of_all[] = {&s->memory_capacity,      &s->single_capacity, &s->reports_capacity,
                             &s->probes_capacity,      &s->rows_capacity,   &arrays->cache_capacity,
                             &arrays->scratch_capacity};
  if (buffer < MOMENTS) return of_all[buffer];
  if (s->fold == NULL) return NULL;
  int64_t *const of_fold[] = {&s->fold->moments_capacity, &s->fold->firsts, &s->fold->sources, &s->fold->weights};
  return of_fold[buffer - MOMENTS];
}

/* What it held is lost, and the plan that its room was for: the model's pass, the fold's map. */
static lsqnet_status enlarge(lsqnet_solver *s, int buffer, int64_t capacity) {
  lsq_arrays_f64 *arrays = &s->workspace->arrays_f64;
  void *const of_all[] = {&s->memory, &s->single, &s->reports, &s->probes, &s->rows, &arrays->cache, &arrays->scratch};
  const size_t size = buffer == REPORTS ? sizeof *s->reports : sizeof(double);
  if (*capacity_of(s, buffer) >= capacity) return LSQNET_OK;
  if (buffer == CACHE || buffer == SCRATCH) s->workspace->shape.batch = 0;
  if (buffer < MOMENTS) return lsq_reserve(s->context, of_all[buffer], capacity_of(s, buffer), capacity, size);
  void *const of_fold[] = {&s->fold->moments, &s->fold->first, &s->fold->source, &s->fold->weight};
  s->fold->plan.n = s->fold->side_plan.n = 0;
  return lsq_reserve(s->context, of_fold[buffer - MOMENTS], capacity_of(s, buffer), capacity, size);
}

/* What one thread has needed any may need in the next call, whatever problems it gets there. */
static lsqnet_status make_equal(const job *j, int64_t threads) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *leader = j->solver, *solver = NULL;
  for (int64_t i = 1; i < threads; i++) LSQ_TRY(solver_of(j, i, &solver));
  for (int buffer = 0; buffer < BUFFERS && capacity_of(leader, buffer) != NULL; buffer++) {
    int64_t most = *capacity_of(leader, buffer);
    for (int64_t i = 1; i < threads; i++) {
      const int64_t capacity = *capacity_of(leader->others[i - 1], buffer);
      if (capacity > most) most = capacity;
    }
    LSQ_TRY(enlarge(leader, buffer, most));
    for (int64_t i = 1; i < threads; i++) LSQ_TRY(enlarge(leader->others[i - 1], buffer, most));
  }
done:
  return st;
}

/* Reports of the problems that the end of the call has come before; one message for all. */
static void report_stopped(const job *j, int64_t count) {
  lsqnet_solver *solver = j->solver;
  int64_t first = -1;
  for (int64_t i = 0; i < count; i++) {
    const int64_t p = solver->left[i];
    if (solver->outcomes[p] == LSQ_LANE_DONE) continue;
    report_failure(j, p, LSQNET_E_STOPPED, solver->halted);
    solver->outcomes[p] = LSQ_LANE_DONE;
    if (first < 0) first = p;
  }
  if (first >= 0) keep_first(&solver->failures[0], lsq_limits_check(solver), first);
}

static lsqnet_status solve_left_overs(job *j, int64_t count) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  const lsqnet_context *context = solver->context;
  const lsq_problems *problems = j->problems;
  const double m = (double)problems->m + (solver->options.ridge > 0.0 ? (double)problems->n : 0.0);
  const double numbers = m * ((double)problems->n + (double)problems->k);
  const int shared = count > 1 && (double)count * numbers >= SHARED;
  const int64_t threads = shared ? lsq_pool_lanes(context->pool) : 1;
  int64_t at = 0;
  LSQ_TRY(lsq_reserve(context, &solver->left, &solver->left_capacity, count, sizeof *solver->left));
  LSQ_TRY(lsq_reserve(context, &solver->failures, &solver->failures_capacity, threads, sizeof *solver->failures));
  if (solver->others == NULL && threads > 1)
    LSQ_TRY(lsq_alloc(context, &solver->others, threads - 1, sizeof(lsqnet_solver *)));
  for (int64_t p = 0; p < problems->count; p++)
    if (solver->outcomes[p] != LSQ_LANE_DONE) solver->left[at++] = p;
  for (int64_t i = 0; i < threads; i++) solver->failures[i].status = LSQNET_OK;
  if (threads > 1)
    st = lsq_pool_run_watched(context->pool, count, solve_one, j, solver->options.stop != NULL ? watch_limits : NULL);
  for (int64_t i = 0; i < count && threads == 1 && st == LSQNET_OK; i++) st = solve_one(j, i, 0);
  if (st != LSQNET_E_STOPPED) LSQ_TRY(st);
  if (st == LSQNET_E_STOPPED) report_stopped(j, count);
  (void)make_equal(j, threads); /* all is answered: what there is no memory for now is asked for when it is needed */
  st = fail_first(j, threads);
done:
  return st;
}

static lsqnet_status solve_all(job *j) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = j->solver;
  const int64_t count = j->problems->count;
  int64_t left = 0;
  const int in_lanes = lsq_lanes_take(solver, j->problems, &j->why);
  LSQ_TRY(lsq_reserve(solver->context, &solver->outcomes, &solver->outcomes_capacity, count, 1));
  memset(solver->outcomes, NOT_BEGUN, (size_t)count);
  if (in_lanes) st = solve_in_lanes(j);
  if (st != LSQNET_E_STOPPED) LSQ_TRY(st); /* of the other ones the reports say so */
  st = LSQNET_OK;
  for (int64_t p = 0; p < count; p++) left += solver->outcomes[p] != LSQ_LANE_DONE;
  if (left > 0) LSQ_TRY(solve_left_overs(j, left));
done:
  return st;
}

lsqnet_status lsq_solve_batch(lsqnet_solver *solver, const lsq_problems *problems, lsqnet_report *reports) {
  job j = {.solver = solver, .problems = problems, .reports = (char *)reports};
  if (reports != NULL) j.report_size = reports[0].size;
  lsq_limits_begin(solver);
  const lsqnet_status st = solve_all(&j);
  /* a call that failed as a whole, for want of memory: no report says OK of a problem that has no answer */
  for (int64_t p = 0; p < problems->count && st != LSQNET_OK; p++)
    if (solver->outcomes == NULL || solver->outcomes_capacity < problems->count || solver->outcomes[p] != LSQ_LANE_DONE)
      report_failure(&j, p, st, LSQNET_STOP_NONE);
  return st;
}
