/* Damping: mu starts at a thousandth of the largest diagonal entry of J'J. A step that lowers the loss at once takes it
 * times 0.25 (0.05 if the loss fell tenfold), one after retries times 0.7, a step that does not lower it times 4. It
 * must keep falling: with a rule that left it alone after slow progress the loss froze.
 *
 * Weight decay: what falls is |r|^2 + nu |w|^2, where nu |w|^2 is weight_decay |r|^2 at the weights of the
 * linearisation. So it vanishes with the loss and leaves its limit and its rate as they are; on the way it keeps
 * weights from growing against each other, where products cancel ever better and the loss creeps.
 *
 * Batches: a fresh one each iteration teaches what holds for all data, a fixed one lets the loss fall where fresh ones
 * only change place. They take over from each other: fresh batches as long as each begins lower than the one before, a
 * fixed one when they have not for some iterations, fresh ones again when the fixed one is fitted better than new data.
 */
#include "train/gauss_newton.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tasks/task.h"

enum { MOST_TRIES = 12, FRESH_SAMPLES = 128, PATIENCE = 3 };
static const double FIRST_DAMPING = 1e-3, LEAST_DAMPING = 1e-15;

double lsq_dot(int64_t n, const double *a, const double *b) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* Creation. */

void lsq_gauss_newton_destroy(lsq_gauss_newton *g) {
  if (g == NULL) return;
  const lsqnet_context *context = g->trainer->context;
  if (g->solver != NULL) g->method->destroy(g, g->solver);
  double *arrays[] = {g->X, g->Y, g->r, g->q, g->gradient, g->pull, g->d, g->old, g->fresh_X, g->fresh_Y, g->fresh_r};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(context, arrays[i]);
  lsq_jacobian_destroy(g->jacobian);
  lsq_free(context, g);
}

static lsqnet_status reserve(lsq_gauss_newton *g) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = g->trainer;
  const int64_t in = t->shape.rows * t->shape.in_width, outputs = lsq_jacobian_outputs(g->jacobian);
  const struct {
    double **array;
    int64_t count;
  } parts[] = {{&g->X, g->samples * in},
               {&g->Y, g->residuals},
               {&g->r, g->residuals},
               {&g->q, g->residuals},
               {&g->gradient, g->P},
               {&g->pull, g->P},
               {&g->d, g->P},
               {&g->old, t->model->weight_count},
               {&g->fresh_X, FRESH_SAMPLES * in},
               {&g->fresh_Y, FRESH_SAMPLES * outputs},
               {&g->fresh_r, FRESH_SAMPLES * outputs}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    LSQ_TRY(lsq_alloc(t->context, parts[i].array, parts[i].count, sizeof(double)));
done:
  return st;
}

void lsq_gauss_newton_reset(lsq_gauss_newton *g) {
  double *n = g->numbers;
  n[LSQ_DAMPING] = g->trainer->options.damping;
  n[LSQ_ON_FRESH] = g->trainer->options.fresh_batch != 0;
  n[LSQ_LAST_LOSS] = DBL_MAX;
  n[LSQ_STALLED] = n[LSQ_FAILED] = 0.0;
}

lsqnet_status lsq_gauss_newton_create(lsq_gauss_newton **out, lsqnet_trainer *trainer,
                                      const lsq_normal_solver *method) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_train_options *o = &trainer->options;
  lsq_gauss_newton *g = NULL;
  if (trainer->model->options.dtype != LSQNET_F64)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "Gauss-Newton trains float64 models: convert this one first");
  LSQ_TRY(lsq_alloc(trainer->context, &g, 1, sizeof *g));
  g->trainer = trainer;
  g->method = method;
  g->loaded = -1;
  lsq_gauss_newton_reset(g);
  LSQ_TRY(lsq_jacobian_create(&g->jacobian, trainer));
  const int64_t outputs = lsq_jacobian_outputs(g->jacobian);
  g->P = lsq_jacobian_weights(g->jacobian);
  if (g->P == 0) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "none of the %lld trained weights can change what the task scores",
                  (long long)trainer->trained_count);
    goto done;
  }
  g->samples = o->batch > 0 ? o->batch : (method->double_residuals * g->P / 2 + outputs - 1) / outputs;
  g->residuals = g->samples * outputs;
  LSQ_TRY(method->create(g, &g->solver));
  LSQ_TRY(reserve(g));
  *out = g;
  g = NULL;
done:
  lsq_gauss_newton_destroy(g);
  return st;
}

/* A step. */

static lsqnet_status load_batch(lsq_gauss_newton *g) {
  lsqnet_status st = LSQNET_OK;
  const int64_t batch = (int64_t)g->numbers[LSQ_BATCH];
  if (g->loaded == batch) return LSQNET_OK;
  LSQ_TRY(lsq_jacobian_draw(g->jacobian, lsq_data_step(LSQ_STREAM_STEP, (uint64_t)batch), g->samples, g->X, g->Y));
  g->loaded = batch;
done:
  return st;
}

static lsqnet_status batch_loss(lsq_gauss_newton *g, double *loss) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_jacobian_compute(g->jacobian, g->samples, g->X, g->Y, g->q, NULL, loss));
  *loss /= (double)g->residuals;
done:
  return st;
}

static void move_weights(lsq_gauss_newton *g) {
  const int64_t *places = lsq_jacobian_places(g->jacobian);
  double *weights = g->trainer->model->weights_f64;
  for (int64_t i = 0; i < g->P; i++) weights[places[i]] = g->old[places[i]] - g->d[i];
}

/* |w|^2 of the weights that count. */
static double square_of_weights(const lsq_gauss_newton *g) {
  const int64_t *places = lsq_jacobian_places(g->jacobian);
  const double *weights = g->trainer->model->weights_f64;
  double sum = 0.0;
  for (int64_t i = 0; i < g->P; i++) sum += weights[places[i]] * weights[places[i]];
  return sum;
}

/* nu for the weights at hand and a sum of squares of residuals; adds nu w to the gradient. */
static void decay_weights(lsq_gauss_newton *g, double sum) {
  const int64_t *places = lsq_jacobian_places(g->jacobian);
  const double *weights = g->trainer->model->weights_f64, square = square_of_weights(g);
  g->decay = square > 0.0 ? g->trainer->options.weight_decay * sum / square : 0.0;
  for (int64_t i = 0; i < g->P; i++) {
    g->pull[i] = g->decay * weights[places[i]];
    g->gradient[i] += g->pull[i];
  }
}

/* Tries steps until one lowers the loss, decay included; *after is the loss then, or `before` if none did. */
static lsqnet_status descend(lsq_gauss_newton *g, double before, double largest, double *after, int *lower) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *model = g->trainer->model;
  const size_t bytes = (size_t)model->weight_count * sizeof(double);
  const double least = LEAST_DAMPING * largest, square = square_of_weights(g);
  double *mu = &g->numbers[LSQ_DAMPING];
  int solved = 0;
  *lower = 0;
  if (!(*mu > 0.0)) *mu = FIRST_DAMPING * largest;
  memcpy(g->old, model->weights_f64, bytes);
  for (int tries = 1; tries <= MOST_TRIES; tries++) {
    *mu = fmax(*mu, least);
    LSQ_TRY(g->method->solve(g, g->solver, *mu, largest, &solved));
    if (solved) {
      move_weights(g);
      LSQ_TRY(batch_loss(g, after));
      const double lost = g->decay * (square_of_weights(g) - square) / (double)g->residuals;
      *lower = *after + lost < before;
      if (*lower) {
        *mu *= tries > 1 ? 0.7 : *after < 0.1 * before ? 0.05 : 0.25;
        return LSQNET_OK;
      }
    }
    memcpy(model->weights_f64, g->old, bytes);
    *mu *= 4.0;
  }
  *after = before;
done:
  memcpy(model->weights_f64, g->old, bytes);
  return st;
}

static lsqnet_status fresh_loss(lsq_gauss_newton *g, double *loss) {
  lsqnet_status st = LSQNET_OK;
  const uint64_t step = lsq_data_step(LSQ_STREAM_FRESH, (uint64_t)g->trainer->progress.step);
  const int64_t count = FRESH_SAMPLES * lsq_jacobian_outputs(g->jacobian);
  LSQ_TRY(lsq_jacobian_draw(g->jacobian, step, FRESH_SAMPLES, g->fresh_X, g->fresh_Y));
  LSQ_TRY(lsq_jacobian_compute(g->jacobian, FRESH_SAMPLES, g->fresh_X, g->fresh_Y, g->fresh_r, NULL, loss));
  *loss /= (double)count;
  g->fresh_square = lsq_dot(count, g->fresh_Y, g->fresh_Y) / (double)count;
done:
  return st;
}

/* Decides whether the next iteration has a batch of its own. */
static void choose_batch(lsq_gauss_newton *g, double before, double after, double fresh) {
  double *n = g->numbers;
  const int32_t choice = g->trainer->options.fresh_batch;
  if (choice == 1 || (choice < 0 && n[LSQ_ON_FRESH] == 1.0)) {
    n[LSQ_STALLED] = before > 0.7 * n[LSQ_LAST_LOSS] ? n[LSQ_STALLED] + 1.0 : 0.0;
    n[LSQ_LAST_LOSS] = before;
    if (choice < 0 && n[LSQ_STALLED] >= PATIENCE) n[LSQ_ON_FRESH] = n[LSQ_STALLED] = 0.0;
    n[LSQ_BATCH] += 1.0;
  } else if (choice < 0 && fresh > 3.0 * after) {
    n[LSQ_ON_FRESH] = 1.0; /* this batch is fitted better than others */
    n[LSQ_STALLED] = 0.0;
    n[LSQ_LAST_LOSS] = DBL_MAX;
    n[LSQ_BATCH] += 1.0;
  }
}

lsqnet_status lsq_gauss_newton_step(lsq_gauss_newton *g) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *trainer = g->trainer;
  lsqnet_progress *progress = &g->trainer->progress;
  double *n = g->numbers, before = 0.0, after = 0.0, fresh = 0.0, largest = 0.0;
  int lower = 0;
  LSQ_TRY(load_batch(g));
  LSQ_TRY(g->method->linearise(g, g->solver, &before, &largest));
  progress->gradient_norm = 2.0 / (double)g->residuals * sqrt(lsq_dot(g->P, g->gradient, g->gradient));
  decay_weights(g, before);
  before /= (double)g->residuals;
  if (!(before <= DBL_MAX))
    return lsq_fail(LSQNET_E_NOT_FINITE, "step %lld: the loss is %g", (long long)progress->step, before);
  LSQ_TRY(descend(g, before, largest, &after, &lower));
  LSQ_TRY(fresh_loss(g, &fresh));
  progress->loss = before;
  progress->fresh_loss = fresh;
  progress->damping = n[LSQ_DAMPING];
  n[LSQ_FAILED] = lower ? 0.0 : n[LSQ_FAILED] + 1.0;
  if (n[LSQ_FAILED] > 0.0) n[LSQ_DAMPING] = 0.0; /* chosen anew */
  if (n[LSQ_FAILED] >= (trainer->options.fresh_batch == 0 ? 1 : PATIENCE)) progress->ended = LSQNET_TRAIN_FLOOR;
  if (trainer->options.target > 0.0 && fresh <= trainer->options.target) progress->ended = LSQNET_TRAIN_TARGET;
  choose_batch(g, before, after, fresh);
done:
  return st;
}

/* Saving. */

static int is_count(double value) { return value >= 0.0 && value <= 0x1p53 && value == floor(value); }

lsqnet_status lsq_gauss_newton_check(const lsq_gauss_newton *g) {
  const double *n = g->numbers;
  if (n[LSQ_DAMPING] >= 0.0 && n[LSQ_DAMPING] <= DBL_MAX && is_count(n[LSQ_BATCH]) &&
      (n[LSQ_ON_FRESH] == 0.0 || n[LSQ_ON_FRESH] == 1.0) && is_count(n[LSQ_STALLED]) && n[LSQ_LAST_LOSS] >= 0.0 &&
      is_count(n[LSQ_FAILED]))
    return LSQNET_OK;
  return lsq_fail(LSQNET_E_FORMAT, "its numbers cannot be: damping %g, batch %g", n[LSQ_DAMPING], n[LSQ_BATCH]);
}
