/* Levenberg-Marquardt with the explicit Jacobian: d solves (J'J + mu I) d = J'r and the weights move by -d.
 *
 * Damping: mu starts at a thousandth of the largest diagonal entry of J'J. A step that lowers the loss at once takes it
 * times 0.25 (0.05 if the loss fell tenfold), one after retries times 0.7, a step that does not lower it times 4. It
 * must keep falling: with a rule that left it alone after slow progress the loss froze.
 *
 * Precision: J'J squares the condition, so directions with singular values below 1e-8 of the largest would be lost in
 * it. Once mu has fallen that far, the step is refined by conjugate gradients on the products with J itself,
 * preconditioned by the Cholesky factor, with the damping taken back to a millionth.
 *
 * Batches: a fresh one each iteration teaches what holds for all data, a fixed one lets the loss fall where fresh ones
 * only change place. They take over from each other: fresh batches as long as each begins lower than the one before, a
 * fixed one when they have not for some iterations, fresh ones again when the fixed one is fitted better than new data.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "kernels/normal_equations.h"
#include "tasks/task.h"
#include "train/jacobian.h"

enum { MOST_TRIES = 12, MOST_REFINEMENTS = 12, FRESH_SAMPLES = 128, PATIENCE = 3 };
static const double FIRST_DAMPING = 1e-3, LEAST_DAMPING = 1e-15, REFINED_BELOW = 1e-9, REFINED_DAMPING = 1e-6;

/* What must be saved besides the weights, as doubles. */
enum { DAMPING, BATCH, ON_FRESH, STALLED, LAST_LOSS, FAILED, NUMBERS };

typedef struct {
  lsqnet_trainer *trainer;
  lsq_jacobian *jacobian;
  double numbers[NUMBERS];
  int64_t samples, residuals, P; /* N = samples x outputs residuals, P trained weights */
  int64_t block;                 /* samples whose Jacobian is held at a time; samples: all of it */
  int64_t loaded;                /* number of the batch in X and Y; -1: none */
  double *X, *Y, *r, *J;
  double *H, *C;         /* (P,P) */
  double *g, *d, *old;   /* (P), (P), (weight_count) */
  double *q, *s, *z, *p; /* of the refinement: (N), (P), (P), (P) */
  double *fresh_X, *fresh_Y, *fresh_r;
} state;

static void destroy(lsqnet_trainer *trainer, void *given) {
  state *s = given;
  if (s == NULL) return;
  double *arrays[] = {s->X,   s->Y, s->r, s->J, s->H, s->C,       s->g,       s->d,
                      s->old, s->q, s->s, s->z, s->p, s->fresh_X, s->fresh_Y, s->fresh_r};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(trainer->context, arrays[i]);
  lsq_jacobian_destroy(s->jacobian);
  lsq_free(trainer->context, s);
}

/* Sizes of the batch, and of the blocks in which its Jacobian is made when it does not fit the limit whole. */
static lsqnet_status choose_sizes(state *s) {
  const lsqnet_train_options *o = &s->trainer->options;
  const int64_t outputs = lsq_jacobian_outputs(s->jacobian);
  int64_t squares = 0, row_bytes = 0;
  s->P = s->trainer->trained_count;
  s->samples = o->batch > 0 ? o->batch : (5 * s->P / 2 + outputs - 1) / outputs;
  s->residuals = s->samples * outputs;
  if (__builtin_mul_overflow(16 * s->P, s->P, &squares) || squares >= o->memory)
    return lsq_fail(LSQNET_E_ARGUMENT, "memory=%lld: the normal equations of %lld weights alone take %lld bytes",
                    (long long)o->memory, (long long)s->P, (long long)squares);
  row_bytes = 8 * s->P * outputs;
  s->block = (o->memory - squares) / row_bytes;
  if (s->block > s->samples) s->block = s->samples;
  if (s->block < 1)
    return lsq_fail(LSQNET_E_ARGUMENT,
                    "memory=%lld: beside the normal equations not one sample's Jacobian fits (%lld bytes)",
                    (long long)o->memory, (long long)row_bytes);
  return LSQNET_OK;
}

static lsqnet_status reserve(state *s) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = s->trainer;
  const int64_t in = t->shape.rows * t->shape.in_width, outputs = lsq_jacobian_outputs(s->jacobian);
  const struct {
    double **array;
    int64_t count;
  } parts[] = {{&s->X, s->samples * in},
               {&s->Y, s->residuals},
               {&s->r, s->residuals},
               {&s->J, s->block * outputs * s->P},
               {&s->H, s->P * s->P},
               {&s->C, s->P * s->P},
               {&s->g, s->P},
               {&s->d, s->P},
               {&s->old, t->model->weight_count},
               {&s->q, s->residuals},
               {&s->s, s->P},
               {&s->z, s->P},
               {&s->p, s->P},
               {&s->fresh_X, FRESH_SAMPLES * in},
               {&s->fresh_Y, FRESH_SAMPLES * outputs},
               {&s->fresh_r, FRESH_SAMPLES * outputs}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    LSQ_TRY(lsq_alloc(t->context, parts[i].array, parts[i].count, sizeof(double)));
done:
  return st;
}

static lsqnet_status create(lsqnet_trainer *trainer, void **out) {
  lsqnet_status st = LSQNET_OK;
  state *s = NULL;
  if (trainer->model->options.dtype != LSQNET_F64)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "Gauss-Newton trains float64 models: convert this one first");
  LSQ_TRY(lsq_alloc(trainer->context, &s, 1, sizeof *s));
  s->trainer = trainer;
  s->loaded = -1;
  s->numbers[DAMPING] = trainer->options.damping;
  s->numbers[ON_FRESH] = trainer->options.fresh_batch != 0;
  s->numbers[LAST_LOSS] = DBL_MAX;
  LSQ_TRY(lsq_jacobian_create(&s->jacobian, trainer));
  LSQ_TRY(choose_sizes(s));
  LSQ_TRY(reserve(s));
  *out = s;
  s = NULL;
done:
  destroy(trainer, s);
  return st;
}

static lsqnet_status load_batch(state *s) {
  lsqnet_status st = LSQNET_OK;
  if (s->loaded == (int64_t)s->numbers[BATCH]) return LSQNET_OK;
  LSQ_TRY(lsq_jacobian_draw(s->jacobian, lsq_data_step(LSQ_STREAM_STEP, (uint64_t)s->numbers[BATCH]), s->samples, s->X,
                            s->Y));
  s->loaded = (int64_t)s->numbers[BATCH];
done:
  return st;
}

/* H = J'J, g = J'r and the loss, block by block. */
static lsqnet_status linearise(state *s, double *loss) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_trainer *t = s->trainer;
  const int64_t in = t->shape.rows * t->shape.in_width, outputs = lsq_jacobian_outputs(s->jacobian);
  double total = 0.0, sum = 0.0;
  memset(s->g, 0, (size_t)s->P * sizeof(double));
  for (int64_t first = 0; first < s->samples; first += s->block) {
    const int64_t samples = s->samples - first < s->block ? s->samples - first : s->block, rows = samples * outputs;
    double *r = s->r + first * outputs;
    LSQ_TRY(lsq_jacobian_compute(s->jacobian, samples, s->X + first * in, s->Y + first * outputs, r, s->J, &sum));
    LSQ_TRY(lsq_add_products(t->context->pool, t->context->kernels_f64, rows, s->P, s->J, s->H, first > 0));
    LSQ_TRY(lsq_transposed_jacobian_times(t->context->pool, t->context->kernels_f64, rows, s->P, s->J, r, s->z));
    for (int64_t i = 0; i < s->P; i++) s->g[i] += s->z[i];
    total += sum;
  }
  *loss = total / (double)s->residuals;
done:
  return st;
}

static lsqnet_status batch_loss(state *s, double *loss) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_jacobian_compute(s->jacobian, s->samples, s->X, s->Y, s->q, NULL, loss));
  *loss /= (double)s->residuals;
done:
  return st;
}

static double dot(int64_t n, const double *a, const double *b) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static double largest_diagonal(const state *s) {
  double largest = 0.0;
  for (int64_t i = 0; i < s->P; i++) largest = fmax(largest, s->H[i * s->P + i]);
  return largest;
}

/* s->s = J'(r - J d) - mu d. */
static lsqnet_status normal_residual(state *s, double mu) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = s->trainer->context;
  LSQ_TRY(lsq_jacobian_times(context->pool, context->kernels_f64, s->residuals, s->P, s->J, s->d, s->q));
  for (int64_t i = 0; i < s->residuals; i++) s->q[i] = s->r[i] - s->q[i];
  LSQ_TRY(lsq_transposed_jacobian_times(context->pool, context->kernels_f64, s->residuals, s->P, s->J, s->q, s->s));
  for (int64_t i = 0; i < s->P; i++) s->s[i] -= mu * s->d[i];
done:
  return st;
}

/* Conjugate gradients on (J'J + mu I) d = J'r from the d at hand, preconditioned by the factor in C. */
static lsqnet_status refine(state *s, double mu) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = s->trainer->context;
  double product = 0.0;
  for (int k = 0; k < MOST_REFINEMENTS; k++) {
    LSQ_TRY(normal_residual(s, mu));
    memcpy(s->z, s->s, (size_t)s->P * sizeof(double));
    lsq_cholesky_solve(s->P, s->C, s->z);
    const double next = dot(s->P, s->s, s->z), beta = k > 0 ? next / product : 0.0;
    product = next;
    for (int64_t i = 0; i < s->P; i++) s->p[i] = s->z[i] + beta * s->p[i];
    LSQ_TRY(lsq_jacobian_times(context->pool, context->kernels_f64, s->residuals, s->P, s->J, s->p, s->q));
    const double curvature = dot(s->residuals, s->q, s->q) + mu * dot(s->P, s->p, s->p);
    if (!(product > 0.0) || !(curvature > 0.0)) break;
    for (int64_t i = 0; i < s->P; i++) s->d[i] += product / curvature * s->p[i];
  }
done:
  return st;
}

/* d for the damping at hand; *solved is 0 if the damped matrix is not positive definite. */
static lsqnet_status solve(state *s, double largest, int *solved) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = s->trainer->context;
  const double mu = s->numbers[DAMPING];
  memcpy(s->C, s->H, (size_t)(s->P * s->P) * sizeof(double));
  for (int64_t i = 0; i < s->P; i++) s->C[i * s->P + i] += mu;
  LSQ_TRY(lsq_cholesky(context->pool, context->kernels_f64, s->P, s->C, solved));
  if (!*solved) goto done;
  memcpy(s->d, s->g, (size_t)s->P * sizeof(double));
  lsq_cholesky_solve(s->P, s->C, s->d);
  if (mu < REFINED_BELOW * largest && s->block == s->samples) LSQ_TRY(refine(s, REFINED_DAMPING * mu));
done:
  return st;
}

static void move_weights(state *s) {
  lsqnet_model *model = s->trainer->model;
  const double *d = s->d;
  for (int64_t i = 0; i < model->parameter_count; i++) {
    const lsqnet_parameter *parameter = &model->parameters[i];
    for (int64_t k = 0; !parameter->frozen && k < parameter->count; k++)
      model->weights_f64[parameter->offset + k] = s->old[parameter->offset + k] - *d++;
  }
}

/* Tries steps until one lowers the loss; *after is the loss then, or `before` if none did. */
static lsqnet_status descend(state *s, double before, double *after) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *model = s->trainer->model;
  const double largest = largest_diagonal(s), least = LEAST_DAMPING * largest;
  double *mu = &s->numbers[DAMPING];
  int solved = 0;
  if (!(*mu > 0.0)) *mu = FIRST_DAMPING * largest;
  memcpy(s->old, model->weights_f64, (size_t)model->weight_count * sizeof(double));
  for (int tries = 1; tries <= MOST_TRIES; tries++) {
    *mu = fmax(*mu, least);
    LSQ_TRY(solve(s, largest, &solved));
    if (solved) {
      move_weights(s);
      LSQ_TRY(batch_loss(s, after));
      if (*after < before) {
        *mu *= tries > 1 ? 0.7 : *after < 0.1 * before ? 0.05 : 0.25;
        return LSQNET_OK;
      }
    }
    *mu *= 4.0;
  }
  *after = before;
done:
  memcpy(model->weights_f64, s->old, (size_t)model->weight_count * sizeof(double));
  return st;
}

static lsqnet_status fresh_loss(state *s, double *loss) {
  lsqnet_status st = LSQNET_OK;
  const uint64_t step = lsq_data_step(LSQ_STREAM_FRESH, (uint64_t)s->trainer->progress.step);
  LSQ_TRY(lsq_jacobian_draw(s->jacobian, step, FRESH_SAMPLES, s->fresh_X, s->fresh_Y));
  LSQ_TRY(lsq_jacobian_compute(s->jacobian, FRESH_SAMPLES, s->fresh_X, s->fresh_Y, s->fresh_r, NULL, loss));
  *loss /= (double)(FRESH_SAMPLES * lsq_jacobian_outputs(s->jacobian));
done:
  return st;
}

/* Decides whether the next iteration has a batch of its own. */
static void choose_batch(state *s, double before, double after, double fresh) {
  double *n = s->numbers;
  if (s->trainer->options.fresh_batch == 1 || (s->trainer->options.fresh_batch < 0 && n[ON_FRESH] == 1.0)) {
    n[STALLED] = before > 0.7 * n[LAST_LOSS] ? n[STALLED] + 1.0 : 0.0;
    n[LAST_LOSS] = before;
    if (s->trainer->options.fresh_batch < 0 && n[STALLED] >= PATIENCE) n[ON_FRESH] = n[STALLED] = 0.0;
    n[BATCH] += 1.0;
  } else if (s->trainer->options.fresh_batch < 0 && fresh > 3.0 * after) {
    n[ON_FRESH] = 1.0; /* this batch is fitted better than others */
    n[STALLED] = 0.0;
    n[LAST_LOSS] = DBL_MAX;
    n[BATCH] += 1.0;
  }
}

static lsqnet_status step(lsqnet_trainer *trainer, void *given) {
  lsqnet_status st = LSQNET_OK;
  state *s = given;
  lsqnet_progress *progress = &trainer->progress;
  double before = 0.0, after = 0.0, fresh = 0.0;
  LSQ_TRY(load_batch(s));
  LSQ_TRY(linearise(s, &before));
  if (!(before <= DBL_MAX))
    return lsq_fail(LSQNET_E_NOT_FINITE, "step %lld: the loss is %g", (long long)progress->step, before);
  progress->gradient_norm = 2.0 / (double)s->residuals * sqrt(dot(s->P, s->g, s->g));
  LSQ_TRY(descend(s, before, &after));
  LSQ_TRY(fresh_loss(s, &fresh));
  progress->loss = before;
  progress->fresh_loss = fresh;
  progress->damping = s->numbers[DAMPING];
  s->numbers[FAILED] = after < before ? 0.0 : s->numbers[FAILED] + 1.0;
  if (s->numbers[FAILED] > 0.0) s->numbers[DAMPING] = 0.0; /* chosen anew */
  if (s->numbers[FAILED] >= (trainer->options.fresh_batch == 0 ? 1 : PATIENCE)) progress->ended = LSQNET_TRAIN_FLOOR;
  if (trainer->options.target > 0.0 && fresh <= trainer->options.target) progress->ended = LSQNET_TRAIN_TARGET;
  choose_batch(s, before, after, fresh);
done:
  return st;
}

static int is_count(double value) { return value >= 0.0 && value <= 0x1p53 && value == floor(value); }

static lsqnet_status check(void *given) {
  const state *s = given;
  const double *n = s->numbers;
  if (n[DAMPING] >= 0.0 && n[DAMPING] <= DBL_MAX && is_count(n[BATCH]) && (n[ON_FRESH] == 0.0 || n[ON_FRESH] == 1.0) &&
      is_count(n[STALLED]) && n[LAST_LOSS] >= 0.0 && is_count(n[FAILED]))
    return LSQNET_OK;
  return lsq_fail(LSQNET_E_FORMAT, "its numbers cannot be: damping %g, batch %g", n[DAMPING], n[BATCH]);
}

static int array(void *given, int64_t index, lsq_state_array *out) {
  state *s = given;
  if (index != 0) return 0;
  *out = (lsq_state_array){.name = "levenberg_marquardt", .dtype = LSQNET_F64, .count = NUMBERS, .values = s->numbers};
  return 1;
}

const lsq_optimizer lsq_levenberg_marquardt = {
    .name = "levenberg_marquardt", .create = create, .destroy = destroy, .step = step, .array = array, .check = check};
