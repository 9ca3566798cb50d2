/* First-order optimisers: all that the paper's recipe has around the update itself. A step is
 *
 *   cosine metric when it is due, gradient of a batch, L1, norm, clipping, gradient filter, update, schedule
 *
 * and an optimiser gives its update. */
#ifndef LSQ_TRAIN_FIRST_ORDER_H
#define LSQ_TRAIN_FIRST_ORDER_H

#include "train/trainer.h"

enum { LSQ_MOMENTS_MOST = 2 };

/* The update of some weights: w from the gradient g, which it may overwrite, and the optimiser's moments, zero before
 * the first of `applied` steps. */
#define LSQ_DECLARE_UPDATE(real, suffix) \
  typedef struct {                       \
    const lsqnet_train_options *options; \
    double rate;                         \
    int64_t applied, count;              \
    real *g, *w;                         \
    real *moments[LSQ_MOMENTS_MOST];     \
  } lsq_update_##suffix
LSQ_DECLARE_UPDATE(double, f64);
LSQ_DECLARE_UPDATE(float, f32);

typedef struct {
  const char *moments[LSQ_MOMENTS_MOST]; /* names; NULL: it has not so many */
  void (*update_f64)(const lsq_update_f64 *update);
  void (*update_f32)(const lsq_update_f32 *update);
} lsq_update_rule;

/* An optimiser's functions but for `create`, which calls the first with its rule. */
lsqnet_status lsq_first_order_create(lsqnet_trainer *trainer, const lsq_update_rule *rule, void **state);
void lsq_first_order_destroy(lsqnet_trainer *trainer, void *state);
lsqnet_status lsq_first_order_step(lsqnet_trainer *trainer, void *state);
int lsq_first_order_array(void *state, int64_t index, lsq_state_array *out);
lsqnet_status lsq_first_order_check(void *state);

/* Forgets all steps. */
void lsq_first_order_reset(void *state);

/* Inside. */

/* Trained weights offset .. offset+count-1 of the flat vector, which one task of the pool works on. */
typedef struct {
  int64_t offset, count;
} lsq_piece;

/* What must be saved besides the arrays, as doubles. */
enum {
  LSQ_RATE,       /* of the next step */
  LSQ_APPLIED,    /* steps that were not passed over */
  LSQ_RISING,     /* 1: the adaptive rate rises when it next changes */
  LSQ_LEAST_LOSS, /* of the steps so far, at most 1 */
  LSQ_IN_A_ROW,   /* steps passed over since the last that was not */
  LSQ_NUMBERS
};

struct lsq_minibatch;
typedef struct {
  lsqnet_trainer *trainer;
  const lsq_update_rule *rule;
  const struct lsq_schedule *schedule;
  struct lsq_minibatch *minibatch;
  int64_t batch;
  int stream; /* that steps draw from: LSQ_STREAM_STEP if nobody changes it */
  double numbers[LSQ_NUMBERS];
  lsq_piece *pieces;
  int64_t piece_count;
  double *squares; /* (pieces) parts of sums over weights */
  int32_t *finite; /* (pieces) whether the weights stayed finite */
  /* In the model's precision, (weight_count): */
  void *moments[LSQ_MOMENTS_MOST];
  void *filter; /* EMA of gradients; NULL without the filter */
  void *kept;   /* weights before the last step that was not passed over */
  void *before; /* gradient of the metric's last batch; NULL without it */
} lsq_first_order;

/* The trained weights' gradient with L1 added, and its norm. */
lsqnet_status lsq_gradient_norm_f64(lsq_first_order *s, double l1, double *norm);
lsqnet_status lsq_gradient_norm_f32(lsq_first_order *s, double l1, double *norm);

/* Cosine of the gradient and the one in s->before, which it then takes the place of. */
double lsq_gradient_cosine_f64(lsq_first_order *s);
double lsq_gradient_cosine_f32(lsq_first_order *s);

/* Multiplies the gradient by `factor`, filters it and updates the weights; *finite is 0 if one is not finite then. */
lsqnet_status lsq_apply_gradient_f64(lsq_first_order *s, double factor, int *finite);
lsqnet_status lsq_apply_gradient_f32(lsq_first_order *s, double factor, int *finite);

#endif
