/* The solver's public face: arguments are checked here, once. */
#include <float.h>

#include "base/sized.h"
#include "solve/shipped.h"

static const lsqnet_solver_options defaults = {
    .size = sizeof(lsqnet_solver_options), .method = LSQNET_METHOD_AUTO, .iterations = 10000, .corrections = 50};

lsqnet_status lsqnet_solver_options_init(lsqnet_solver_options *options, uint32_t size) {
  return lsq_sized_write(options, size, sizeof defaults, &defaults, sizeof defaults, "lsqnet_solver_options");
}

static lsqnet_status check_switch(int32_t value, const char *name) {
  if (value != 0 && value != 1) return lsq_fail(LSQNET_E_ARGUMENT, "%s=%ld: must be 0 or 1", name, (long)value);
  return LSQNET_OK;
}

static lsqnet_status check_options(const lsqnet_solver_options *o) {
  lsqnet_status st = LSQNET_OK;
  if (o->method < LSQNET_METHOD_AUTO || o->method > LSQNET_METHOD_DIRECT)
    return lsq_fail(LSQNET_E_ARGUMENT, "method=%ld: no method that can be asked for", (long)o->method);
  if (!(o->tolerance >= 0.0 && o->tolerance < 1.0))
    return lsq_fail(LSQNET_E_ARGUMENT, "tolerance=%g: must be at least 0 and below 1", o->tolerance);
  if (!(o->step >= 0.0 && o->step <= DBL_MAX))
    return lsq_fail(LSQNET_E_ARGUMENT, "step=%g: must be 0 or a positive number", o->step);
  if (o->iterations < 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "iterations=%lld: must be at least 1", (long long)o->iterations);
  if (o->corrections < 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "corrections=%lld: must be at least 0", (long long)o->corrections);
  if (!(o->ridge >= 0.0 && o->ridge <= DBL_MAX))
    return lsq_fail(LSQNET_E_ARGUMENT, "ridge=%g: must be 0 or a positive number", o->ridge);
  if (!(o->seconds >= 0.0))
    return lsq_fail(LSQNET_E_ARGUMENT, "seconds=%g: must be 0 (no limit) or positive", o->seconds);
  LSQ_TRY(check_switch(o->min_norm, "min_norm"));
  LSQ_TRY(check_switch(o->lapack_fallback, "lapack_fallback"));
done:
  return st;
}

lsqnet_status lsqnet_solver_create(lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model,
                                   const lsqnet_solver_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver_options checked = defaults;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_create: out is NULL");
  *out = NULL;
  if (context == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_solver_create: context is NULL");
  if (options != NULL)
    LSQ_TRY(lsq_sized_read(&checked, sizeof checked, sizeof defaults, options, "lsqnet_solver_options"));
  LSQ_TRY(check_options(&checked));
  LSQ_TRY(lsq_solver_create(out, context, model, &checked));
done:
  return st;
}

void lsqnet_solver_destroy(lsqnet_solver *solver) {
  if (solver != NULL && !lsq_goes_later(&solver->users)) lsq_solver_destroy(solver);
}

const char *lsqnet_solver_model_name(const lsqnet_solver *solver, int64_t n) {
  return solver != NULL && solver->shipped != NULL ? lsq_shipped_models[lsq_shipped_for(n)].name : NULL;
}

const char *lsqnet_method_name(int32_t method) {
  static const char *const names[] = {"auto", "gd", "chebyshev", "cg", "direct", "lapack"};
  return method >= 0 && method <= LSQNET_METHOD_LAPACK ? names[method] : NULL;
}

const char *lsqnet_road_name(int32_t road) {
  static const char *const names[] = {"none", "problems", "rows", "orthogonal", "iterations", "state"};
  return road >= 0 && road <= LSQNET_ROAD_STATE ? names[road] : NULL;
}

const char *lsqnet_why_name(int32_t why) {
  static const char *const names[] = {"none", "small", "tall", "wide", "condition", "options", "state"};
  return why >= 0 && why <= LSQNET_WHY_STATE ? names[why] : NULL;
}
