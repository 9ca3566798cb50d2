/* Training, inside. trainer.c runs steps and keeps time; checkpoint.c saves and resumes; an optimiser is one file and
 * one line in trainer.c. */
#ifndef LSQ_TRAIN_TRAINER_H
#define LSQ_TRAIN_TRAINER_H

#include <lsqnet/train.h>

#include "base/context.h"
#include "model/model.h"

/* A named array of a state, as a checkpoint holds it. */
typedef struct {
  const char *name;
  int32_t dtype; /* LSQNET_F64 or LSQNET_F32 */
  int64_t count;
  void *values;
} lsq_state_array;

/* An optimiser: how a step is done, and all that must be saved for the next step to be the same bits. */
typedef struct {
  const char *name;
  lsqnet_status (*create)(lsqnet_trainer *trainer, void **state);
  void (*destroy)(lsqnet_trainer *trainer, void *state);
  /* Does step trainer->progress.step, changes the model's weights, fills trainer->progress but for step and seconds. On
   * failure the weights are those before it. */
  lsqnet_status (*step)(lsqnet_trainer *trainer, void *state);
  /* Array `index` of the state; 0 when there is none. Counters are kept in arrays of doubles, too. */
  int (*array)(void *state, int64_t index, lsq_state_array *out);
  /* E_FORMAT if arrays that were read from a file cannot be a state; NULL: all can. */
  lsqnet_status (*check)(void *state);
} lsq_optimizer;

struct lsqnet_trainer {
  lsqnet_context *context;
  lsq_users users;
  lsqnet_model *model; /* the caller's */
  lsqnet_task *task;   /* held */
  lsqnet_task_shape shape;
  lsqnet_train_options options; /* checked; texts are constants */
  const lsq_optimizer *optimizer;
  void *state;
  lsqnet_progress progress;
  int64_t trained_count;         /* weights that are not frozen */
  const double *recorded_metric; /* for tests: the cosine metric of each step, in place of measuring it */
};

lsqnet_status lsq_trainer_create(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                 const lsqnet_train_options *options);
void lsq_trainer_destroy(lsqnet_trainer *trainer);
lsqnet_status lsq_trainer_step(lsqnet_trainer *trainer);
lsqnet_status lsq_trainer_run(lsqnet_trainer *trainer, lsqnet_progress_fn callback, void *user);

/* E_SHAPE, naming both, if the model cannot be run on the task. */
lsqnet_status lsq_trainer_check_shapes(const lsqnet_model *model, const lsqnet_task_shape *shape);

/* Mean squared error on `batch` fresh samples and the targets' mean square; either pointer may be NULL. */
lsqnet_status lsq_evaluate(const lsqnet_model *model, const lsqnet_task *task, uint64_t seed, int64_t batch,
                           double *mse, double *mean_square);

/* The whole state as a file, and a trainer from one. */
lsqnet_status lsq_trainer_save(const lsqnet_trainer *trainer, const char *path);
lsqnet_status lsq_trainer_resume(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                 const lsqnet_train_options *options, const char *path);

/* The optimiser called `name`, or E_ARGUMENT listing all. */
lsqnet_status lsq_optimizer_find(const char *name, const lsq_optimizer **out);
extern const lsq_optimizer lsq_adam, lsq_adamw, lsq_sgd, lsq_levenberg_marquardt, lsq_gauss_newton_cg;

/* Streams of data: steps draw from their own number; other uses draw from streams that no step reaches. */
enum { LSQ_STREAM_STEP = 0, LSQ_STREAM_METRIC = 1, LSQ_STREAM_FRESH = 2, LSQ_STREAM_START = 3 };
uint64_t lsq_data_step(int stream, uint64_t step);

#endif
