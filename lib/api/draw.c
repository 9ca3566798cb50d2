#include "base/context.h"
#include "base/real.h"
#include "tasks/task.h"

lsqnet_status REAL(lsqnet_task_draw)(const lsqnet_task *task, uint64_t seed, uint64_t step, int64_t first,
                                     int64_t count, real *x, real *target) {
  lsqnet_status st = LSQNET_OK;
  int64_t numbers = 0;
  if (task == NULL || x == NULL || target == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", task == NULL ? "task" : x == NULL ? "x" : "target");
  if (first < 0 || count < 0 || first > INT64_MAX - count)
    return lsq_fail(LSQNET_E_ARGUMENT, "first=%lld count=%lld: neither may be negative, nor their sum overflow",
                    (long long)first, (long long)count);
  if (count == 0) return LSQNET_OK;
  const lsqnet_task_shape *s = &task->shape;
  LSQ_TRY(lsq_size_product(&numbers, (const int64_t[]){count, s->rows, s->in_width, sizeof *x}, 4, "x: count x row"));
  LSQ_TRY(
      lsq_size_product(&numbers, (const int64_t[]){count, s->count, s->scored, sizeof *x}, 4, "target: count x row"));
  st = REAL(lsq_task_draw)(task, task->options.rows, task->options.dim, seed, step, first, count, x, target);
done:
  return st;
}
