/* Tasks, inside: what a sample is drawn from, how it becomes a training pair, and how a model's output is scored.
 * A kind of task is a line in kinds.c: its shape, its sampler and its layout. */
#ifndef LSQ_TASKS_TASK_H
#define LSQ_TASKS_TASK_H

#include <lsqnet/task.h>
#include <stdatomic.h>

#include "base/context.h"
#include "prompts/prompt.h"

/* The numbers that a sample is made of; kinds say in docs/tasks.md which of them they use. Arrays have the capacities
 * that the task's `room` gives. */
typedef struct {
  int64_t rows, dim; /* L and D of this sample */
  double *a;         /* (L,D); newton_schulz: H (D,D); ODE: the forcings (L, 41+n) */
  double *x;         /* (D); primitives: (L,D); newton_schulz: X (D,D) */
  double *x_init;    /* (D) */
  double *v;         /* (D) */
  double *b;         /* (L) */
  double *work;      /* of a kind's own use */
} lsq_sample;

/* Numbers that a sample's arrays hold. */
typedef struct {
  int64_t a, x, vector, work; /* vector: each of x_init, v and b */
} lsq_sample_room;

/* A random stream: (seed, step, sample) has one of its own. */
typedef struct {
  uint64_t seed, stream;
} lsq_stream;

typedef struct {
  const char *name;
  const char *prompt; /* its own prompt; NULL when it takes none */
  /* Checks sizes, draws what is drawn once into task->fixed and fills task->room. May be NULL. */
  lsqnet_status (*prepare)(lsqnet_task *task);
  /* Shape for samples of L rows; sizes are checked before. */
  void (*shape)(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape);
  /* Draws a sample; of its `dim` unknowns only are not zero. */
  void (*sample)(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample);
  /* Lays it out: x (T,in_width) and target (count,scored), both written whole. */
  void (*lay_out)(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target);
} lsq_task_kind;

struct lsqnet_task {
  atomic_int_fast64_t references;
  lsqnet_context *context;
  lsqnet_task_options options; /* checked; texts are constants, but a custom task's name */
  lsqnet_task_shape shape;
  const lsq_task_kind *kind; /* NULL: a host's own */
  const lsq_prompt *prompt;  /* NULL where the kind takes none */
  lsq_sample_room room;
  double *fixed;           /* drawn once; NULL if nothing is */
  int64_t fixed_values[2]; /* counts or indices that go with it */
  lsqnet_draw_fn draw;     /* a host's own */
  void *draw_user;
  char *name; /* a host's own */
};

/* Takes a reference; lsqnet_task_destroy gives it up. */
lsqnet_task *lsq_task_hold(lsqnet_task *task);

/* Shape when samples have only L rows of data (curriculum), 1 <= L <= options.rows; a custom task, newton_schulz and
 * others whose size is not L have one shape. */
void lsq_task_shape_for(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape);

/* lsqnet_task_draw without checks, for samples of L <= options.rows rows of data and `dim` <= options.dim unknowns, the
 * others being zero (curriculum; ignored by ODE and custom tasks). x (count,T,in_width), target (count,read,scored) by
 * lsq_task_shape_for(L). A number's place in the streams depends on neither. Fails with E_MEMORY, or a callback's own.
 * From any thread. */
lsqnet_status lsq_task_draw_f64(const lsqnet_task *task, int64_t L, int64_t dim, uint64_t seed, uint64_t step,
                                int64_t first, int64_t count, double *x, double *target);
lsqnet_status lsq_task_draw_f32(const lsqnet_task *task, int64_t L, int64_t dim, uint64_t seed, uint64_t step,
                                int64_t first, int64_t count, float *x, float *target);

/* Rows of output that a model's batch must ask for, from shape->first on. */
static inline int64_t lsq_task_read_rows(const lsqnet_task_shape *shape) {
  return (shape->count - 1) * shape->stride + 1;
}

/* Sum of (y - target)^2 over what is scored, in float64 and in the order of the indices.
 * y (samples,R,out_width) with R = lsq_task_read_rows, out_width >= scored_first + scored; target
 * (samples,count,scored). dy, NULL if not wanted, has y's shape and may be y: factor (y - target) where scored, 0
 * elsewhere. With factor 2/(samples count scored) it is the gradient of the mean. */
double lsq_task_score_f64(const lsqnet_task_shape *shape, int64_t out_width, int64_t samples, const double *y,
                          const double *target, double factor, double *dy);
double lsq_task_score_f32(const lsqnet_task_shape *shape, int64_t out_width, int64_t samples, const float *y,
                          const float *target, double factor, float *dy);

/* Lays given numbers out as the task does: for tests. */
void lsq_task_lay_out(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target);

#endif
