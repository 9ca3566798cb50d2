#include "model/workspace.h"

lsqnet_status lsqnet_workspace_create(lsqnet_workspace **out, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_workspace *w = NULL;
  if (out == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_workspace_create: out is NULL");
  *out = NULL;
  if (model == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_workspace_create: model is NULL");
  const int64_t blocks = model->options.layers + 1;
  LSQ_TRY(lsq_alloc(model->context, &w, 1, sizeof *w));
  w->context = lsq_context_hold(model->context);
  w->model = lsq_model_hold(model);
  LSQ_TRY(lsq_alloc(w->context, &w->plan.blocks, blocks, sizeof *w->plan.blocks));
  LSQ_TRY(lsq_alloc(w->context, &w->last.blocks, blocks, sizeof *w->last.blocks));
  LSQ_TRY(model->options.dtype == LSQNET_F64 ? lsq_workspace_open_f64(w) : lsq_workspace_open_f32(w));
  *out = w;
  w = NULL;
done:
  lsqnet_workspace_destroy(w);
  return st;
}

void lsqnet_workspace_destroy(lsqnet_workspace *workspace) {
  if (workspace == NULL || lsq_goes_later(&workspace->users)) return;
  lsqnet_context *context = workspace->context;
  lsq_workspace_close_f64(workspace);
  lsq_workspace_close_f32(workspace);
  lsq_free(context, workspace->plan.blocks);
  lsq_free(context, workspace->last.blocks);
  lsqnet_model_destroy(workspace->model);
  lsq_free(context, workspace);
  lsqnet_context_destroy(context);
}

const double *lsqnet_workspace_gradient_f64(const lsqnet_workspace *workspace) {
  return workspace != NULL && workspace->has_gradient ? workspace->arrays_f64.gradient : NULL;
}

const float *lsqnet_workspace_gradient_f32(const lsqnet_workspace *workspace) {
  return workspace != NULL && workspace->has_gradient ? workspace->arrays_f32.gradient : NULL;
}
