#include <math.h>
#include <time.h>

#include "solve/solver.h"

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void lsq_limits_begin(lsqnet_solver *solver) {
  solver->halted = LSQNET_STOP_NONE;
  solver->passed = 0;
  solver->deadline = now() + (solver->options.seconds > 0.0 ? solver->options.seconds : INFINITY);
}

int lsq_limits_look(lsqnet_solver *solver, int64_t thread) {
  const lsqnet_solver_options *options = &solver->options;
  if (solver->leader != NULL) {
    if (lsq_limits_look(solver->leader, 1)) solver->halted = solver->leader->halted;
    return solver->halted != LSQNET_STOP_NONE;
  }
  if (solver->deadline == 0.0) return 0; /* a solver in the making */
  if (solver->halted != LSQNET_STOP_NONE) return 1;
  if (options->seconds > 0.0 && now() >= solver->deadline) solver->halted = LSQNET_STOP_TIME;
  if (thread == 0 && options->stop != NULL && options->stop(options->stop_user) != 0)
    solver->halted = LSQNET_STOP_CALLER;
  return solver->halted != LSQNET_STOP_NONE;
}

lsqnet_status lsq_limits_found(lsqnet_solver *solver) {
  return solver->halted != LSQNET_STOP_NONE ? lsq_limits_check(solver) : LSQNET_OK;
}

lsqnet_status lsq_limits_check(lsqnet_solver *solver) {
  const lsqnet_solver_options *options = &solver->options;
  if (!lsq_limits_look(solver, 0)) return LSQNET_OK;
  if (solver->halted == LSQNET_STOP_TIME)
    return lsq_fail(LSQNET_E_STOPPED, "stopped after seconds=%g", options->seconds);
  return lsq_fail(LSQNET_E_STOPPED, "stopped by the caller");
}
