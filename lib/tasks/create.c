#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/arithmetic.h"
#include "tasks/task.h"

/* Bounds of options, whether or not the task uses them. */
static const struct {
  const char *name, *must;
  size_t offset;
  double least, most;
} ranges[] = {
    {"step", "finite", offsetof(lsqnet_task_options, step), -DBL_MAX, DBL_MAX},
    {"momentum", "finite", offsetof(lsqnet_task_options, momentum), -DBL_MAX, DBL_MAX},
    {"condition", "0 or above 1", offsetof(lsqnet_task_options, condition), 0, DBL_MAX},
    {"singular_max", "at least 0 and finite", offsetof(lsqnet_task_options, singular_max), 0, DBL_MAX},
    {"scale_a", "finite", offsetof(lsqnet_task_options, scale_a), -DBL_MAX, DBL_MAX},
    {"scale_x", "finite", offsetof(lsqnet_task_options, scale_x), -DBL_MAX, DBL_MAX},
    {"freedom", "at least 1 and finite", offsetof(lsqnet_task_options, freedom), 1, DBL_MAX},
    {"sparsity", "at least 0 and below 1", offsetof(lsqnet_task_options, sparsity), 0, 1 - DBL_EPSILON / 2},
    {"ode_spread", "at least 0 and finite", offsetof(lsqnet_task_options, ode_spread), 0, DBL_MAX},
    {"ode_variance", "above 0 and finite", offsetof(lsqnet_task_options, ode_variance), DBL_MIN, DBL_MAX / 2},
    {"ode_initial", "at least 0 and finite", offsetof(lsqnet_task_options, ode_initial), 0, DBL_MAX},
    {"ode_noise", "at least 0 and finite", offsetof(lsqnet_task_options, ode_noise), 0, DBL_MAX},
};

/* Options that are one of 0 .. most. */
static const struct {
  const char *name;
  size_t offset;
  int32_t most;
} choices[] = {
    {"setting", offsetof(lsqnet_task_options, setting), 1},
    {"law_a", offsetof(lsqnet_task_options, law_a), LSQNET_LAW_STUDENT_T},
    {"law_x", offsetof(lsqnet_task_options, law_x), LSQNET_LAW_STUDENT_T},
    {"normalise_rows", offsetof(lsqnet_task_options, normalise_rows), 1},
    {"normalise_x", offsetof(lsqnet_task_options, normalise_x), 1},
    {"ode_class", offsetof(lsqnet_task_options, ode_class), 2},
    {"ode_points", offsetof(lsqnet_task_options, ode_points), 2},
};

static const struct {
  const char *name;
  size_t offset;
} sizes[] = {
    {"rows", offsetof(lsqnet_task_options, rows)},
    {"dim", offsetof(lsqnet_task_options, dim)},
    {"iterates", offsetof(lsqnet_task_options, iterates)},
    {"points", offsetof(lsqnet_task_options, points)},
};

#define FIELD(type, options, offset) (*(const type *)(const void *)((const char *)(options) + (offset)))

static lsqnet_status check_numbers(const lsqnet_task_options *o) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    const double value = FIELD(double, o, ranges[i].offset);
    if (!(value >= ranges[i].least && value <= ranges[i].most))
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%g: must be %s", ranges[i].name, value, ranges[i].must);
  }
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    const int32_t value = FIELD(int32_t, o, choices[i].offset);
    if (value < 0 || value > choices[i].most)
      return lsq_fail(LSQNET_E_ARGUMENT, "%s=%ld: must be 0 to %ld", choices[i].name, (long)value,
                      (long)choices[i].most);
  }
  if (o->condition > 0 && o->condition <= 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "condition=%g: must be 0 or above 1", o->condition);
  if (o->singular_max > 0 && o->condition == 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "singular_max=%g condition=0: the smallest singular value would not be known",
                    o->singular_max);
  if (o->sparsity > 0 && o->condition > 0)
    return lsq_fail(LSQNET_E_ARGUMENT, "sparsity=%g condition=%g: mapping singular values would fill the zeros",
                    o->sparsity, o->condition);
  return LSQNET_OK;
}

static lsqnet_status check_sizes(const lsqnet_task_options *o) {
  const int64_t most = INT64_C(1) << 30;
  int64_t cells = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const int64_t value = FIELD(int64_t, o, sizes[i].offset);
    if (value < 1) return lsq_fail(LSQNET_E_SHAPE, "%s=%lld: must be at least 1", sizes[i].name, (long long)value);
    if (value > most && sizes[i].offset != offsetof(lsqnet_task_options, iterates))
      return lsq_fail(LSQNET_E_SHAPE, "%s=%lld: must be at most 2^30", sizes[i].name, (long long)value);
  }
  /* above every array of a sample, a prompt or a kind's work */
  const int64_t side = o->rows + o->dim + o->points + 64, product[] = {16, side, side};
  return lsq_size_product(&cells, product, 3, "a task's arrays");
}

static lsqnet_status find_prompt(lsqnet_task *task, const char *name) {
  lsqnet_status st = LSQNET_OK;
  const lsq_task_kind *kind = task->kind;
  const lsq_prompt *given = NULL;
  if (name != NULL) LSQ_TRY(lsq_prompt_find(name, &given));
  if (given != NULL && !kind->any_prompt && (kind->prompt == NULL || strcmp(kind->prompt, given->name) != 0))
    return lsq_fail(LSQNET_E_ARGUMENT, "task=%s prompt=%s: this task has %s%s", kind->name, given->name,
                    kind->prompt == NULL ? "a layout of its own" : "only the prompt ",
                    kind->prompt == NULL ? "" : kind->prompt);
  if (given == NULL && kind->prompt != NULL) LSQ_TRY(lsq_prompt_find(kind->prompt, &given));
  task->prompt = given;
  task->options.prompt = given != NULL ? given->name : NULL;
done:
  return st;
}

void lsq_task_shape_for(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape) {
  if (task->kind == NULL) {
    *shape = task->shape;
    return;
  }
  *shape = (lsqnet_task_shape){.size = sizeof *shape, .out_width = 1, .stride = 1, .count = 1, .scored = 1};
  task->kind->shape(task, L, shape);
}

static lsqnet_status task_open(lsqnet_task **out, lsqnet_context *context) {
  lsqnet_status st = LSQNET_OK;
  *out = NULL;
  LSQ_TRY(lsq_alloc(context, out, 1, sizeof **out));
  atomic_init(&(*out)->references, 1);
  (*out)->context = lsq_context_hold(context);
done:
  return st;
}

lsqnet_status lsq_task_create(lsqnet_task **out, lsqnet_context *context, const lsqnet_task_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_task *task = NULL;
  *out = NULL;
  LSQ_TRY(check_numbers(options));
  LSQ_TRY(check_sizes(options));
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(task_open(&task, context));
  task->options = *options;
  LSQ_TRY(lsq_task_kind_find(options->name, &task->kind));
  task->options.name = task->kind->name;
  LSQ_TRY(find_prompt(task, options->prompt));
  if (task->kind->prepare != NULL) LSQ_TRY(task->kind->prepare(task));
  task->room = task->kind->room(task);
  lsq_task_shape_for(task, task->options.rows, &task->shape);
  *out = task;
  task = NULL;
done:
  lsqnet_task_destroy(task);
  return st;
}

static lsqnet_status check_shape(const lsqnet_task_shape *s) {
  int64_t cells = 0, last = 0, end = 0;
  if (s->reserved != 0) return lsq_fail(LSQNET_E_ARGUMENT, "reserved=%lu: must be 0", (unsigned long)s->reserved);
  if (s->rows < 1 || s->in_width < 1 || s->out_width < 1)
    return lsq_fail(LSQNET_E_SHAPE, "rows=%lld in_width=%lld out_width=%lld: all must be at least 1",
                    (long long)s->rows, (long long)s->in_width, (long long)s->out_width);
  if (s->first < 0 || s->stride < 1 || s->count < 1 || __builtin_mul_overflow(s->count - 1, s->stride, &last) ||
      __builtin_add_overflow(last, s->first, &last) || last >= s->rows)
    return lsq_fail(LSQNET_E_SHAPE, "first=%lld stride=%lld count=%lld: must be among the %lld rows",
                    (long long)s->first, (long long)s->stride, (long long)s->count, (long long)s->rows);
  if (s->scored_first < 0 || s->scored < 1 || __builtin_add_overflow(s->scored_first, s->scored, &end) ||
      end > s->out_width)
    return lsq_fail(LSQNET_E_SHAPE, "scored_first=%lld scored=%lld: must be among the %lld output channels",
                    (long long)s->scored_first, (long long)s->scored, (long long)s->out_width);
  const int64_t in[] = {s->rows, s->in_width}, read[] = {s->rows, s->out_width};
  const lsqnet_status st = lsq_size_product(&cells, in, 2, "rows x in_width");
  return st != LSQNET_OK ? st : lsq_size_product(&cells, read, 2, "rows x out_width");
}

lsqnet_status lsq_task_create_custom(lsqnet_task **out, lsqnet_context *context, const char *name,
                                     const lsqnet_task_shape *shape, lsqnet_draw_fn draw, void *user) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_task *task = NULL;
  *out = NULL;
  LSQ_TRY(check_shape(shape));
  LSQ_TRY(task_open(&task, context));
  LSQ_TRY(lsq_copy_text(context, &task->name, name));
  task->options = (lsqnet_task_options){.size = sizeof task->options, .name = task->name};
  task->shape = *shape;
  task->draw = draw;
  task->draw_user = user;
  *out = task;
  task = NULL;
done:
  lsqnet_task_destroy(task);
  return st;
}

lsqnet_task *lsq_task_hold(lsqnet_task *task) {
  atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
  return task;
}

void lsqnet_task_destroy(lsqnet_task *task) {
  if (task == NULL || atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) != 1) return;
  lsqnet_context *context = task->context;
  lsq_free(context, task->fixed);
  lsq_free(context, task->name);
  lsq_free(context, task);
  lsqnet_context_destroy(context);
}
