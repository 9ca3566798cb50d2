#include "solve/batch.h"

/* All that any problem of such a call may need on any road, for each solver: no later call like it asks for more. */
static lsqnet_status make_room(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes, int64_t solvers) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = solver->context;
  const int64_t most = lsq_pool_lanes(context->pool);
  if (solver->others == NULL) LSQ_TRY(lsq_alloc(context, &solver->others, most - 1, sizeof(lsqnet_solver *)));
  for (int64_t i = 0; i < solvers; i++) {
    if (i > 0 && solver->others[i - 1] == NULL) LSQ_TRY(lsq_solver_join(&solver->others[i - 1], solver));
    LSQ_TRY(lsq_single_reserve(lsq_solver_of(solver, i), problems, in_lanes));
  }
done:
  return st;
}

/* Whether there is room: `a` was the last that was asked for, and is still there. */
static int is_made(const lsqnet_solver *solver, const lsq_room *b) {
  const lsq_room *a = &solver->room;
  if (solver->memory_capacity < a->memory || solver->reports_capacity < b->k) return 0;
  return a->m == b->m && a->n == b->n && a->k == b->k && a->width == b->width && a->solvers == b->solvers &&
         a->weighted == b->weighted && a->a_pairs == b->a_pairs && a->b_pairs == b->b_pairs &&
         a->in_lanes == b->in_lanes && a->ridge_within == b->ridge_within;
}

lsqnet_status lsq_make_room(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes, int64_t solvers) {
  lsqnet_status st = LSQNET_OK;
  lsq_room room = {.m = problems->m,
                   .n = problems->n,
                   .k = problems->k,
                   .width = problems->count < LSQ_LANES_MOST ? problems->count : LSQ_LANES_MOST,
                   .solvers = solvers,
                   .weighted = problems->weights != NULL,
                   .a_pairs = problems->a_low != NULL,
                   .b_pairs = problems->b_low != NULL,
                   .in_lanes = in_lanes,
                   .ridge_within = problems->ridge_within};
  if (!is_made(solver, &room)) {
    solver->room = (lsq_room){0};
    LSQ_TRY(make_room(solver, problems, in_lanes, solvers));
    room.memory = solver->memory_capacity;
    solver->room = room;
  }
  for (int64_t i = 1; i < solvers; i++) {
    lsqnet_solver *other = lsq_solver_of(solver, i);
    other->options = solver->options;
    other->precision = solver->precision;
    other->halted = LSQNET_STOP_NONE;
  }
done:
  return st;
}
