#include "solve/shipped.h"

int64_t lsq_shipped_for(int64_t n) {
  int64_t index = 0;
  while (index + 1 < lsq_shipped_count && lsq_shipped_models[index].dim < n) index++;
  return index;
}

static lsqnet_status create(lsqnet_solver **out, lsqnet_solver *solver, const lsq_shipped_model *shipped) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *model = NULL;
  LSQ_TRY(lsqnet_model_load_memory(&model, solver->context, shipped->data, shipped->bytes, NULL));
  LSQ_TRY(lsq_solver_create(out, solver->context, model, &solver->options));
done:
  lsqnet_model_destroy(model);
  return st;
}

lsqnet_status lsq_solver_serving(lsqnet_solver **out, lsqnet_solver *solver, int64_t n) {
  lsqnet_status st = LSQNET_OK;
  *out = solver;
  if (solver->shipped == NULL) return LSQNET_OK;
  const int64_t index = lsq_shipped_for(n);
  if (solver->shipped[index] == NULL) LSQ_TRY(create(&solver->shipped[index], solver, &lsq_shipped_models[index]));
  *out = solver->shipped[index];
done:
  return st;
}
