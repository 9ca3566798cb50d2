#include "train/minibatch.h"
#include "train/trainer.h"

lsqnet_status lsq_evaluate(const lsqnet_model *model, const lsqnet_task *task, uint64_t seed, int64_t batch,
                           double *mse, double *mean_square) {
  lsqnet_status st = LSQNET_OK;
  lsq_minibatch *minibatch = NULL;
  lsq_score score;
  const lsq_draw draw = {.seed = seed,
                         .step = lsq_data_step(LSQ_STREAM_FRESH, 0),
                         .samples = batch,
                         .L = task->options.rows,
                         .kept = task->options.dim};
  LSQ_TRY(lsq_trainer_check_shapes(model, &task->shape));
  LSQ_TRY(lsq_minibatch_create(&minibatch, model, task));
  LSQ_TRY(lsq_minibatch_score(minibatch, &draw, &score));
  if (mse != NULL) *mse = score.loss;
  if (mean_square != NULL) *mean_square = score.mean_square;
done:
  lsq_minibatch_destroy(minibatch);
  return st;
}
