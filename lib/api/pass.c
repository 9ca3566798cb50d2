#include "base/arithmetic.h"
#include "base/real.h"
#include "base/sized.h"
#include "model/workspace.h"

static const uint32_t FIRST_SIZE = LSQ_SIZE_THROUGH(lsqnet_batch, count);

static lsqnet_status check_workspace(const lsqnet_model *model, const lsqnet_workspace *workspace) {
  if (model == NULL || workspace == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", model == NULL ? "model" : "workspace");
  if (workspace->model != model) return lsq_fail(LSQNET_E_ARGUMENT, "the workspace belongs to another model");
  if (model->options.dtype != REAL_DTYPE)
    return lsq_fail(LSQNET_E_ARGUMENT, "the model is %s, the call is not",
                    model->options.dtype == LSQNET_F64 ? "float64" : "float32");
  return lsq_check_arithmetic();
}

/* Until `end` the workspace is the caller's alone, and the weights stay. */
static lsqnet_status begin(const lsqnet_model *model, lsqnet_workspace *workspace) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_workspace(model, workspace));
  LSQ_TRY(lsq_use_alone(&workspace->users, "workspace"));
  st = lsq_model_read(model);
  if (st != LSQNET_OK && lsq_leave(&workspace->users)) lsqnet_workspace_destroy(workspace);
done:
  return st;
}

static void end(lsqnet_workspace *workspace) {
  lsq_model_leave(workspace->model);
  if (lsq_leave(&workspace->users)) lsqnet_workspace_destroy(workspace);
}

static lsqnet_status check_follows_forward(const lsqnet_workspace *workspace, const real *dy) {
  if (!workspace->has_forward) return lsq_fail(LSQNET_E_ARGUMENT, "the workspace has no forward pass to follow");
  if (dy == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "dy is NULL");
  return LSQNET_OK;
}

static lsqnet_status check_shape(const lsqnet_model_options *o, const lsqnet_batch *s) {
  lsqnet_status st = LSQNET_OK;
  const int64_t in[] = {s->batch, s->rows, o->in_width}, out[] = {s->batch, s->count, o->out_width};
  int64_t numbers = 0;
  if (s->reserved != 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "lsqnet_batch: reserved=%lu: must be 0", (unsigned long)s->reserved);
  if (s->batch < 1) return lsq_fail(LSQNET_E_SHAPE, "batch=%lld: must be at least 1", (long long)s->batch);
  if (s->rows < 1 || s->rows > o->rows)
    return lsq_fail(LSQNET_E_SHAPE, "rows=%lld: must be 1 to %lld, the model's rows", (long long)s->rows,
                    (long long)o->rows);
  if (s->first < 0 || s->first >= s->rows)
    return lsq_fail(LSQNET_E_SHAPE, "first=%lld: must be 0 to %lld for rows=%lld", (long long)s->first,
                    (long long)s->rows - 1, (long long)s->rows);
  if (s->count < 1 || s->count > s->rows - s->first)
    return lsq_fail(LSQNET_E_SHAPE, "count=%lld: must be 1 to %lld for rows=%lld first=%lld", (long long)s->count,
                    (long long)(s->rows - s->first), (long long)s->rows, (long long)s->first);
  LSQ_TRY(lsq_size_product(&numbers, in, 3, "x: batch x rows x in_width"));
  LSQ_TRY(lsq_size_product(&numbers, out, 3, "y: batch x count x out_width"));
done:
  return st;
}

lsqnet_status REAL(lsqnet_model_forward)(const lsqnet_model *model, lsqnet_workspace *workspace,
                                         const lsqnet_batch *shape, const real *x, real *y) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_batch known = {.size = sizeof known};
  LSQ_TRY(check_workspace(model, workspace));
  if (shape == NULL || x == NULL || y == NULL) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", shape == NULL ? "shape" : x == NULL ? "x" : "y");
    goto done;
  }
  LSQ_TRY(lsq_sized_read(&known, sizeof known, FIRST_SIZE, shape, "lsqnet_batch"));
  LSQ_TRY(check_shape(&model->options, &known));
  LSQ_TRY(begin(model, workspace));
  st = REAL(lsq_batch_forward)(workspace, &known, x, y);
  end(workspace);
done:
  return lsq_within(st, "lsqnet_model_forward");
}

lsqnet_status REAL(lsqnet_model_backward)(const lsqnet_model *model, lsqnet_workspace *workspace, const real *dy,
                                          real *dx) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(begin(model, workspace));
  st = check_follows_forward(workspace, dy);
  if (st == LSQNET_OK) st = REAL(lsq_batch_backward)(workspace, dy, dx);
  end(workspace);
done:
  return lsq_within(st, "lsqnet_model_backward");
}

lsqnet_status REAL(lsqnet_model_jvp)(const lsqnet_model *model, lsqnet_workspace *workspace, const real *dx,
                                     const real *direction, real *dy) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(begin(model, workspace));
  st = check_follows_forward(workspace, dy);
  if (st == LSQNET_OK) st = REAL(lsq_batch_jvp)(workspace, dx, direction, dy);
  end(workspace);
done:
  return lsq_within(st, "lsqnet_model_jvp");
}
