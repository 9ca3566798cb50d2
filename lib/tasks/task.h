/* Tasks, inside: what a sample is drawn from, how it becomes a training pair, and how a model's output is scored. A
 * task of the library is a line in kinds.c. */
#ifndef LSQ_TASKS_TASK_H
#define LSQ_TASKS_TASK_H

#include <lsqnet/task.h>
#include <stdatomic.h>

#include "base/context.h"
#include "prompts/prompt.h"
#include "tasks/laws.h"

/* The numbers that a sample is made of. docs/tasks.md says which a task uses. */
typedef struct {
  int64_t L, D;   /* rows of data, unknowns */
  int64_t kept;   /* unknowns beyond the first `kept` <= D are drawn as zero */
  double *a;      /* (L,D); newton_schulz: H (D,D); ODE: the forcings */
  double *x;      /* (D); primitives: (L,D); newton_schulz: X (D,D); ODE: the initial values (L) */
  double *x_init; /* (D) */
  double *v;      /* (D); ODE: u with noise (L) */
  double *b;      /* (L); ODE: u (L) */
  double *work;   /* the kind's own */
} lsq_sample;

/* Numbers in a sample's arrays. */
typedef struct {
  int64_t a, x, vector, work; /* vector: in each of x_init, v and b */
} lsq_sample_room;

/* A kind of task. */
typedef struct {
  const char *name;
  const char *prompt; /* its own prompt; NULL if it takes none */
  int32_t any_prompt; /* 1: it takes the others as well */
  lsq_sample_room (*room)(const lsqnet_task *task);
  /* Checks what only this kind asks for, and draws what is drawn once into task->fixed; NULL if there is nothing. */
  lsqnet_status (*prepare)(lsqnet_task *task);
  /* Fills rows to scored for samples of L rows of data; sizes have been checked. */
  void (*shape)(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape);
  void (*sample)(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample);
  /* A sample as a pair: x (rows,in_width) and target (count,scored), both written whole. */
  void (*lay_out)(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target);
} lsq_task_kind;

struct lsqnet_task {
  atomic_int_fast64_t references;
  lsqnet_context *context;
  lsqnet_task_options options; /* checked; texts are constants, or `name` */
  lsqnet_task_shape shape;
  const lsq_task_kind *kind; /* NULL: a host's own */
  const lsq_prompt *prompt;  /* NULL if the kind takes none */
  lsq_sample_room room;
  double *fixed;           /* what is drawn once */
  int64_t fixed_values[2]; /* and what goes with it */
  lsqnet_draw_fn draw;     /* a host's own */
  void *draw_user;
  char *name;
};

/* Takes a reference; lsqnet_task_destroy gives it up. */
lsqnet_task *lsq_task_hold(lsqnet_task *task);

/* Shape for samples of 1 <= L <= options.rows rows of data (curriculum). Custom tasks and newton_schulz, which have no
 * L, keep theirs. */
void lsq_task_shape_for(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape);

/* lsqnet_task_draw without its checks, for samples of L <= options.rows rows of data whose unknowns beyond the first
 * `kept` <= options.dim are zero, as in the reference's curriculum; custom tasks ignore both, ODE tasks `kept`.
 * x (count,rows,in_width) and target (count,count,scored) are as lsq_task_shape_for(L) says. Where in a stream a number
 * comes from depends on neither. E_MEMORY, E_UNSUPPORTED (rounding mode not to nearest), or a callback's own failure.
 * From any thread. */
lsqnet_status lsq_task_draw_f64(const lsqnet_task *task, int64_t L, int64_t kept, uint64_t seed, uint64_t step,
                                int64_t first, int64_t count, double *x, double *target);
lsqnet_status lsq_task_draw_f32(const lsqnet_task *task, int64_t L, int64_t kept, uint64_t seed, uint64_t step,
                                int64_t first, int64_t count, float *x, float *target);

/* Rows of output that a model's batch must ask for, from shape->first on; every stride-th of them is scored. */
static inline int64_t lsq_task_read_rows(const lsqnet_task_shape *shape) {
  return (shape->count - 1) * shape->stride + 1;
}

/* Sum of (y - target)^2 over what is scored, in float64 and in the order of the indices.
 * y (samples,R,out_width) with R = lsq_task_read_rows and out_width >= scored_first + scored; target
 * (samples,count,scored); dy, NULL if it is not wanted, has y's shape and may be y: factor (y - target) where scored, 0
 * elsewhere. With factor 2/(samples count scored) it is the gradient of the mean, which is the loss. */
double lsq_task_score_f64(const lsqnet_task_shape *shape, int64_t out_width, int64_t samples, const double *y,
                          const double *target, double factor, double *dy);
double lsq_task_score_f32(const lsqnet_task_shape *shape, int64_t out_width, int64_t samples, const float *y,
                          const float *target, double factor, float *dy);

/* Arrays for samples of L rows of data; work is zeroed, and kinds rely on what they leave there being kept. */
lsqnet_status lsq_sample_open(const lsqnet_task *task, int64_t L, int64_t kept, lsq_sample *sample);
void lsq_sample_close(const lsqnet_task *task, lsq_sample *sample);

/* A kind by name; E_ARGUMENT, listing all, if there is none. By index: NULL when there is none. */
lsqnet_status lsq_task_kind_find(const char *name, const lsq_task_kind **out);
const char *lsq_task_kind_name(int64_t index);

/* Creation from options and shapes whose sizes (struct versions) have been read. */
lsqnet_status lsq_task_create(lsqnet_task **out, lsqnet_context *context, const lsqnet_task_options *options);
lsqnet_status lsq_task_create_custom(lsqnet_task **out, lsqnet_context *context, const char *name,
                                     const lsqnet_task_shape *shape, lsqnet_draw_fn draw, void *user);

#endif
