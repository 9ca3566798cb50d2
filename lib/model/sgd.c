#include <math.h>

#include "base/arithmetic.h"
#include "model/workspace.h"

static double stepped(const lsqnet_workspace *w, int64_t i, double rate) {
  const lsqnet_model *m = w->model;
  return m->weights_f64 != NULL ? m->weights_f64[i] - rate * w->arrays_f64.gradient[i]
                                : (double)(float)((double)m->weights_f32[i] - rate * (double)w->arrays_f32.gradient[i]);
}

static lsqnet_status check_parameter(const lsqnet_workspace *w, const lsqnet_parameter *p, double rate) {
  for (int64_t i = 0; i < p->count; i++) {
    const double value = stepped(w, p->offset + i, rate);
    if (!isfinite(value))
      return lsq_fail(LSQNET_E_NOT_FINITE, "lsqnet_sgd_step: %s: element %lld would be %g", p->name, (long long)i,
                      value);
  }
  return LSQNET_OK;
}

static lsqnet_status step(lsqnet_model *model, const lsqnet_workspace *workspace, double rate) {
  lsqnet_status st = LSQNET_OK;
  for (int64_t k = 0; k < model->parameter_count; k++)
    if (!model->parameters[k].frozen) LSQ_TRY(check_parameter(workspace, &model->parameters[k], rate));
  for (int64_t k = 0; k < model->parameter_count; k++) {
    const lsqnet_parameter *p = &model->parameters[k];
    for (int64_t i = p->offset; !p->frozen && i < p->offset + p->count; i++) {
      if (model->weights_f64 != NULL)
        model->weights_f64[i] = stepped(workspace, i, rate);
      else
        model->weights_f32[i] = (float)stepped(workspace, i, rate);
    }
  }
done:
  return st;
}

lsqnet_status lsqnet_sgd_step(lsqnet_model *model, const lsqnet_workspace *workspace, double rate) {
  lsqnet_status st = LSQNET_OK;
  if (model == NULL || workspace == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_sgd_step: %s is NULL", model == NULL ? "model" : "workspace");
  if (workspace->model != model || !workspace->has_gradient)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_sgd_step: the workspace has no gradient of this model");
  if (!isfinite(rate)) return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_sgd_step: rate=%g: must be finite", rate);
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_model_change(model));
  st = step(model, workspace, rate);
  lsq_model_leave(model);
done:
  return st;
}
