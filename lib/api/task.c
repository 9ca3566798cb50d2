#include "tasks/task.h"

#include <lsqnet/task.h>

#include "base/sized.h"

static const uint32_t FIRST_OPTIONS_SIZE = LSQ_SIZE_THROUGH(lsqnet_task_options, prompt);
static const uint32_t FIRST_SHAPE_SIZE = LSQ_SIZE_THROUGH(lsqnet_task_shape, scored);

static const lsqnet_task_options DEFAULTS = {.size = sizeof(lsqnet_task_options),
                                             .rows = 20,
                                             .dim = 5,
                                             .iterates = 1,
                                             .points = 25,
                                             .step = 0.5,
                                             .momentum = 0.9,
                                             .scale_a = 1,
                                             .scale_x = 1,
                                             .freedom = 3,
                                             .ode_spread = 1,
                                             .ode_variance = 1,
                                             .ode_initial = 1,
                                             .name = "explicit_gradient"};

lsqnet_status lsqnet_task_options_init(lsqnet_task_options *options, uint32_t size) {
  return lsq_sized_write(options, size, FIRST_OPTIONS_SIZE, &DEFAULTS, sizeof DEFAULTS, "lsqnet_task_options");
}

lsqnet_status lsqnet_task_create(lsqnet_task **out, lsqnet_context *context, const lsqnet_task_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_task_options known = DEFAULTS;
  if (out != NULL) *out = NULL;
  if (out == NULL || context == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", out == NULL ? "out" : "context");
  if (options != NULL)
    LSQ_TRY(lsq_sized_read(&known, sizeof known, FIRST_OPTIONS_SIZE, options, "lsqnet_task_options"));
  LSQ_TRY(lsq_task_create(out, context, &known));
done:
  return st;
}

lsqnet_status lsqnet_task_create_custom(lsqnet_task **out, lsqnet_context *context, const char *name,
                                        const lsqnet_task_shape *shape, lsqnet_draw_fn draw, void *user) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_task_shape known = {0};
  if (out != NULL) *out = NULL;
  if (out == NULL || context == NULL || name == NULL || shape == NULL || draw == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL",
                    out == NULL       ? "out"
                    : context == NULL ? "context"
                    : name == NULL    ? "name"
                    : shape == NULL   ? "shape"
                                      : "draw");
  LSQ_TRY(lsq_sized_read(&known, sizeof known, FIRST_SHAPE_SIZE, shape, "lsqnet_task_shape"));
  LSQ_TRY(lsq_task_create_custom(out, context, name, &known, draw, user));
done:
  return st;
}

lsqnet_status lsqnet_task_get_shape(const lsqnet_task *task, lsqnet_task_shape *shape, uint32_t size) {
  if (task == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "task is NULL");
  return lsq_sized_write(shape, size, FIRST_SHAPE_SIZE, &task->shape, sizeof task->shape, "lsqnet_task_shape");
}

lsqnet_status lsqnet_task_get_options(const lsqnet_task *task, lsqnet_task_options *options, uint32_t size) {
  if (task == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "task is NULL");
  return lsq_sized_write(options, size, FIRST_OPTIONS_SIZE, &task->options, sizeof task->options,
                         "lsqnet_task_options");
}

const char *lsqnet_task_name(int64_t index) { return lsq_task_kind_name(index); }
