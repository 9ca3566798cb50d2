#include "solve/batch.h"

/* All that any problem of such a call may need on any road, for each thread: no later call like it asks for more. */
static lsqnet_status make_room(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes, int64_t threads) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = solver->context;
  const int64_t most = lsq_pool_lanes(context->pool);
  if (solver->failures == NULL) LSQ_TRY(lsq_alloc(context, &solver->failures, most, sizeof(lsq_failure)));
  if (solver->others == NULL) LSQ_TRY(lsq_alloc(context, &solver->others, most - 1, sizeof(lsqnet_solver *)));
  for (int64_t thread = 0; thread < threads; thread++) {
    if (thread > 0 && solver->others[thread - 1] == NULL) LSQ_TRY(lsq_solver_join(&solver->others[thread - 1], solver));
    LSQ_TRY(lsq_single_reserve(lsq_solver_of(solver, thread), problems, in_lanes));
  }
done:
  return st;
}

static int is_same(const lsq_room *a, const lsq_room *b) {
  return a->m == b->m && a->n == b->n && a->k == b->k && a->width == b->width && a->threads == b->threads &&
         a->weighted == b->weighted && a->a_pairs == b->a_pairs && a->b_pairs == b->b_pairs &&
         a->in_lanes == b->in_lanes;
}

lsqnet_status lsq_make_room(lsqnet_solver *solver, const lsq_problems *problems, int in_lanes, int64_t threads) {
  lsqnet_status st = LSQNET_OK;
  const lsq_room room = {.m = problems->m,
                         .n = problems->n,
                         .k = problems->k,
                         .width = problems->count < LSQ_LANES_MOST ? problems->count : LSQ_LANES_MOST,
                         .threads = threads,
                         .weighted = problems->weights != NULL,
                         .a_pairs = problems->a_low != NULL,
                         .b_pairs = problems->b_low != NULL,
                         .in_lanes = in_lanes};
  if (!is_same(&solver->room, &room)) {
    solver->room = (lsq_room){0};
    LSQ_TRY(make_room(solver, problems, in_lanes, threads));
    solver->room = room;
  }
  for (int64_t thread = 1; thread < threads; thread++) {
    lsqnet_solver *other = lsq_solver_of(solver, thread);
    other->options = solver->options;
    other->precision = solver->precision;
    other->halted = LSQNET_STOP_NONE;
  }
done:
  return st;
}
