/** @file
 * Training: first-order optimisers with the paper's recipe, and Gauss-Newton beyond it. */
#ifndef LSQNET_TRAIN_H
#define LSQNET_TRAIN_H

#include <lsqnet/model.h>
#include <lsqnet/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A training run: a model that it changes in place, a task, an optimiser and their state. One thread at a
 *  time; inside it uses the context's threads, and its results do not depend on their number, to the bit. */
typedef struct lsqnet_trainer lsqnet_trainer;

/** Options of lsqnet_trainer_create. */
typedef struct lsqnet_train_options {
  uint32_t size;             /**< sizeof of this struct in the caller's build */
  int32_t fresh_batch;       /**< Gauss-Newton: 1 a new batch each iteration, 0 one batch as long as it serves,
                                  -1 (default): the trainer lets them take over from each other */
  int64_t steps;             /**< most steps, Gauss-Newton iterations included; default 10000 */
  int64_t batch;             /**< samples a step; -1 (default): 1024; in Gauss-Newton as many as give 2.5 residuals a
                                  trained weight, with "gauss_newton_cg" 1.5 */
  uint64_t seed;             /**< fixes all data; default 0 */
  double target;             /**< ends the run when the loss on fresh data is at or below it; 0 (default): never */
  double rate;               /**< learning rate; default 1e-3 */
  double beta1;              /**< Adam's decay rate of gradients; default 0.9 */
  double beta2;              /**< and of their squares; default 0.999 */
  double epsilon;            /**< Adam's; default 1e-16 */
  double weight_decay;       /**< default 0; of Gauss-Newton a share of the loss: it minimises |r|^2 + nu |w|^2, where
                                  nu |w|^2 is weight_decay |r|^2 at the weights w that a step begins with */
  double momentum;           /**< SGD's; default 0.9 */
  double clip;               /**< largest norm of a gradient; 0: none; default 100 */
  double ema_decay;          /**< of the gradient filter g <- g + lambda EMA(g); default 0.98 */
  double ema_lambda;         /**< default 0: no filter */
  double gamma;              /**< factor of the schedules; default 0.9 */
  double metric_decay;       /**< of the EMA of the adaptive schedule's cosine metric; default 0.9 */
  double metric_threshold;   /**< below it the rate rises; default 0.9 */
  double rate_floor;         /**< default 1e-10 */
  double l1;                 /**< factor of the loss-scaled L1 regularisation; default 0 */
  double damping;            /**< first damping of Gauss-Newton; 0 (default): chosen from the Jacobian */
  int64_t schedule_steps;    /**< steps between changes of the rate; default 3000 */
  int64_t no_increase_steps; /**< the adaptive rate does not rise before; default 1000 */
  int64_t metric_every;      /**< steps between measurements of the cosine metric; default 1000 */
  int64_t metric_batches;    /**< fresh batches for it; default 64 */
  int64_t memory;            /**< bytes that Gauss-Newton's matrices may take; default 2^30. With P trained
                                  weights "levenberg_marquardt" needs more than 16 P^2, and up to 0.2 MB, and does
                                  best with 36 P^2, which hold J too; bits depend on it;
                                  "gauss_newton_cg" makes do with little, and takes fewer iterations the more it has,
                                  up to 2 P^2 */
  int64_t dims_start;        /**< curriculum over unknowns: how many at first; 0 (default): none */
  int64_t dims_increment;    /**< how many are added at a time */
  int64_t dims_interval;     /**< steps from one time to the next */
  int64_t rows_start;        /**< curriculum over rows of data, likewise */
  int64_t rows_increment;    /**< how many are added at a time */
  int64_t rows_interval;     /**< steps from one time to the next */
  const char *optimizer;     /**< "adam" (default), "adamw", "sgd"; Gauss-Newton: "levenberg_marquardt" (explicit
                                  Jacobian), "gauss_newton_cg" (conjugate gradients on products with it) */
  const char *schedule;      /**< "constant", "step" (default), "adaptive" */
  int64_t start_steps;       /**< Gauss-Newton: most steps of Adam before it, which end by themselves; 0: none; -1
                                  (default): the trainer finds out whether it needs them */
  int64_t start_batch;       /**< samples of such a step; default 64 */
  double start_rate;         /**< its first learning rate, which falls by itself; default 4e-3 */
  int64_t restarts;          /**< Gauss-Newton: first weights to try for ten iterations (with start_steps above 0: 1000
                                  steps of Adam); what is best on fresh data goes on. 1 (default): the model's own */
  double restart_scale;      /**< lsqnet_model_draw_weights' scale for all but the model's own; default 1 */
} lsqnet_train_options;

/** Fills `options` with the defaults. Errors: E_ARGUMENT if NULL; E_VERSION. */
LSQNET_API lsqnet_status lsqnet_train_options_init(lsqnet_train_options *options, uint32_t size);

/** Why a run ended. */
enum {
  LSQNET_TRAIN_GOING = 0,
  LSQNET_TRAIN_TARGET = 1,   /**< the target is reached on fresh data */
  LSQNET_TRAIN_STEPS = 2,    /**< the most steps are done */
  LSQNET_TRAIN_FLOOR = 3     /**< Gauss-Newton: no step lowers the loss any more, but for roundings */
};

/** What a step belonged to. */
enum {
  LSQNET_PHASE_MAIN = 0,     /**< the optimiser that was asked for */
  LSQNET_PHASE_START = 1,    /**< Adam before Gauss-Newton */
  LSQNET_PHASE_TRIAL = 2     /**< one of several first weights being tried */
};

/** What the last step did. */
typedef struct lsqnet_progress {
  uint32_t size;          /**< sizeof of this struct in the caller's build */
  int32_t ended;          /**< an LSQNET_TRAIN_ number */
  int64_t step;           /**< steps done */
  double loss;            /**< on this step's batch, before the step, without L1 */
  double rate;            /**< learning rate; 0 in Gauss-Newton */
  double gradient_norm;   /**< before clipping */
  double damping;         /**< Gauss-Newton's; 0 in first-order steps */
  double metric;          /**< EMA of the cosine metric */
  double fresh_loss;      /**< on data that no step has seen, when last measured; NaN before */
  double seconds;         /**< of training, resumed parts included */
  int64_t skipped;        /**< steps passed over because the gradient was not finite */
  int32_t phase;          /**< an LSQNET_PHASE_ number */
  int32_t restart;        /**< which first weights it goes on from; 0: the model's own */
} lsqnet_progress;

/** Called after each step of lsqnet_trainer_run. Any status but LSQNET_OK ends the run with it; the state is whole. */
typedef lsqnet_status (*lsqnet_progress_fn)(void *user, const lsqnet_progress *progress);

/** Creates a trainer of `model` on `task`; `options` NULL means the defaults.
 *  Errors   E_ARGUMENT (field and value), E_SHAPE (task and model do not meet: both are named), E_UNSUPPORTED
 *           (Gauss-Newton on a float32 model; "gauss_newton_cg" with a mixer without jvp), E_VERSION, E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_trainer_create(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                               const lsqnet_train_options *options);
/** Frees a trainer, not its model; NULL is fine. */
LSQNET_API void lsqnet_trainer_destroy(lsqnet_trainer *trainer);

/** One step; none, and no error, if the run has ended. `progress` may be NULL; its `size` is the caller's. A step whose
 *  gradient is not finite is passed over and counted.
 *  Errors   E_NOT_FINITE (ten such in a row, or a weight that would not be finite: the message names the step, and the
 *           weights are those of the last finite step), E_VERSION, E_MEMORY, or a callback's own (the state is whole). */
LSQNET_API lsqnet_status lsqnet_trainer_step(lsqnet_trainer *trainer, lsqnet_progress *progress);

/** Steps until the target, the most steps or the callback (may be NULL) ends it.
 *  Errors   E_ARGUMENT if `trainer` is NULL; those of lsqnet_trainer_step; any status but OK that `callback` returns, with
 *           the message that it set. The state is whole then, and a further call goes on. */
LSQNET_API lsqnet_status lsqnet_trainer_run(lsqnet_trainer *trainer, lsqnet_progress_fn callback, void *user);

/** Mean squared error of the model on `batch` fresh samples of the task, and the targets' mean square;
 *  either pointer may be NULL. Errors: E_ARGUMENT, E_SHAPE (task and model do not meet), E_MEMORY. */
LSQNET_API lsqnet_status lsqnet_evaluate(const lsqnet_model *model, const lsqnet_task *task, uint64_t seed, int64_t batch,
                                         double *mse, double *mean_square);

/** Writes the whole state (model included) as lsqnet_model_save does: after a crash the old file or the new is whole. */
LSQNET_API lsqnet_status lsqnet_trainer_save(const lsqnet_trainer *trainer, const char *path);

/** Continues a saved run bit for bit: `model` gets the saved weights; task and options must be those of the saved run
 *  (steps and target may differ).
 *  Errors   E_IO, E_FORMAT, E_ARGUMENT (what differs: saved and given value). The model is unchanged on failure. */
LSQNET_API lsqnet_status lsqnet_trainer_resume(lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task,
                                               const lsqnet_train_options *options, const char *path);

#ifdef __cplusplus
}
#endif
#endif
