#include "base/arithmetic.h"
#include "base/real.h"
#include "tasks/task.h"

/* A sample is laid out in the caller's array or, in float32, in a buffer of doubles that is then rounded. */
#if LSQ_PRECISION == 64
enum { BUFFERED = 0 };
static double *place(real *out, double *buffer) { return buffer != NULL ? buffer : out; }
#else
enum { BUFFERED = 1 };
static double *place(real *out, double *buffer) { return out != NULL ? buffer : NULL; }
#endif

static void round_from(int64_t count, const double *buffer, real *out) {
  for (int64_t i = 0; BUFFERED && i < count; i++) out[i] = (real)buffer[i];
}

/* Names the task, and lets no failure go without a message. */
static lsqnet_status call(const lsqnet_task *task, uint64_t seed, uint64_t step, int64_t first, int64_t count,
                          double *x, double *target) {
  const uint64_t messages = lsq_message_number();
  const lsqnet_status st = task->draw(task->draw_user, seed, step, first, count, x, target);
  if (st != LSQNET_OK && lsq_message_number() == messages)
    (void)lsq_fail(st, "draw failed with %s", lsqnet_status_name(st));
  return lsq_within(st, "task %s", task->name);
}

static lsqnet_status draw_custom(const lsqnet_task *task, uint64_t seed, uint64_t step, int64_t first, int64_t count,
                                 real *x, real *target) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_task_shape *s = &task->shape;
  int64_t ins = 0, outs = 0;
  double *buffer = NULL;
  const int64_t in_sizes[] = {count, s->rows, s->in_width}, out_sizes[] = {count, s->count, s->scored};
  LSQ_TRY(lsq_size_product(&ins, in_sizes, 3, "samples x rows x in_width"));
  LSQ_TRY(lsq_size_product(&outs, out_sizes, 3, "samples x count x scored"));
  LSQ_TRY(lsq_alloc(task->context, &buffer, BUFFERED * (ins + outs), sizeof *buffer));
  double *target_buffer = BUFFERED ? buffer + ins : NULL;
  LSQ_TRY(call(task, seed, step, first, count, place(x, buffer), place(target, target_buffer)));
  round_from(ins, buffer, x);
  round_from(outs, target_buffer, target);
done:
  lsq_free(task->context, buffer);
  return st;
}

lsqnet_status REAL(lsq_task_draw)(const lsqnet_task *task, int64_t L, int64_t kept, uint64_t seed, uint64_t step,
                                  int64_t first, int64_t count, real *x, real *target) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_task_shape shape;
  lsq_sample sample = {0};
  double *buffer = NULL;
  if (task->kind == NULL) return draw_custom(task, seed, step, first, count, x, target);
  LSQ_TRY(lsq_check_arithmetic());
  lsq_task_shape_for(task, L, &shape);
  const int64_t ins = shape.rows * shape.in_width, outs = shape.count * shape.scored;
  LSQ_TRY(lsq_alloc(task->context, &buffer, BUFFERED * (ins + outs), sizeof *buffer));
  LSQ_TRY(lsq_sample_open(task, L, kept, &sample));
  double *target_buffer = BUFFERED ? buffer + ins : NULL;
  for (int64_t i = 0; i < count; i++, x += ins, target += outs) {
    task->kind->sample(task, lsq_stream_of(seed, step, (uint64_t)(first + i)), &sample);
    task->kind->lay_out(task, &sample, place(x, buffer), place(target, target_buffer));
    round_from(ins, buffer, x);
    round_from(outs, target_buffer, target);
  }
done:
  lsq_sample_close(task, &sample);
  lsq_free(task->context, buffer);
  return st;
}

#ifdef LSQ_ONCE

lsqnet_status lsq_sample_open(const lsqnet_task *task, int64_t L, int64_t kept, lsq_sample *sample) {
  lsqnet_status st = LSQNET_OK;
  const lsq_sample_room *room = &task->room;
  *sample = (lsq_sample){.L = L, .D = task->options.dim, .kept = kept};
  LSQ_TRY(lsq_alloc(task->context, &sample->a, room->a + room->x + 3 * room->vector + room->work, sizeof *sample->a));
  sample->x = sample->a + room->a;
  sample->x_init = sample->x + room->x;
  sample->v = sample->x_init + room->vector;
  sample->b = sample->v + room->vector;
  sample->work = sample->b + room->vector;
done:
  return st;
}

void lsq_sample_close(const lsqnet_task *task, lsq_sample *sample) {
  lsq_free(task->context, sample->a);
  sample->a = NULL;
}

#endif
