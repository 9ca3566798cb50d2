/* With options.restarts, short trials are made one after the other, and the one that is lowest on fresh data goes on.
 *
 * Whether a start is needed shows: unless the options say, Gauss-Newton begins by itself, and goes on if the loss on
 * fresh data falls to a hundredth of the targets' mean square. If it stays above, and twenty iterations do not lower
 * it, the first weights come back and Adam starts. */
#include "train/phases.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/start.h"

enum { TRIAL_ITERATIONS = 10, TRIAL_START_STEPS = 1000, PATIENCE = 20 };
static const double FALLEN = 0.01, PROGRESS = 0.7;

enum { TRIAL, PROBE, START, MAIN };

/* What must be saved, as doubles. */
enum {
  PHASE,
  CANDIDATE, /* whose trial it is */
  DONE,      /* steps of the trial */
  BEST,      /* candidate */
  BEST_LOSS, /* at the end of its trial */
  BEST_DAMPING,
  LEAST, /* loss on fresh data of the probe */
  IDLE,  /* iterations since it fell */
  NUMBERS
};

typedef struct {
  lsqnet_trainer *trainer;
  lsq_gauss_newton *gauss_newton;
  lsq_start *start; /* NULL if there is none */
  double numbers[NUMBERS];
  double *first; /* (weight_count) the model's first weights; NULL if nothing leads back to them */
  double *best;  /* (weight_count) the best candidate's at the end of its trial; NULL without trials */
} phases;

void lsq_phases_destroy(lsqnet_trainer *trainer, void *given) {
  phases *s = given;
  if (s == NULL) return;
  lsq_gauss_newton_destroy(s->gauss_newton);
  lsq_start_destroy(s->start);
  lsq_free(trainer->context, s->first);
  lsq_free(trainer->context, s->best);
  lsq_free(trainer->context, s);
}

static int first_phase(const lsqnet_train_options *o) {
  return o->start_steps > 0 ? START : o->start_steps == 0 ? MAIN : PROBE;
}

static size_t weight_bytes(const phases *s) { return (size_t)s->trainer->model->weight_count * sizeof(double); }

lsqnet_status lsq_phases_create(lsqnet_trainer *trainer, const lsq_normal_solver *method, void **state) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_train_options *o = &trainer->options;
  const int64_t count = trainer->model->weight_count;
  phases *s = NULL;
  LSQ_TRY(lsq_alloc(trainer->context, &s, 1, sizeof *s));
  s->trainer = trainer;
  s->numbers[PHASE] = o->restarts > 1 ? TRIAL : first_phase(o);
  s->numbers[BEST_LOSS] = s->numbers[LEAST] = DBL_MAX;
  LSQ_TRY(lsq_gauss_newton_create(&s->gauss_newton, trainer, method));
  if (o->start_steps != 0) LSQ_TRY(lsq_start_create(&s->start, trainer));
  if (o->start_steps < 0 || o->restarts > 1) {
    LSQ_TRY(lsq_alloc(trainer->context, &s->first, count, sizeof *s->first));
    memcpy(s->first, trainer->model->weights_f64, weight_bytes(s));
  }
  if (o->restarts > 1) LSQ_TRY(lsq_alloc(trainer->context, &s->best, count, sizeof *s->best));
  *state = s;
  s = NULL;
done:
  lsq_phases_destroy(trainer, s);
  return st;
}

/* Puts the first weights of a candidate into the model: those that it had, or others in their place. */
static lsqnet_status begin(phases *s, double candidate) {
  const lsqnet_train_options *o = &s->trainer->options;
  memcpy(s->trainer->model->weights_f64, s->first, weight_bytes(s));
  lsq_gauss_newton_reset(s->gauss_newton);
  if (s->start != NULL) lsq_start_reset(s->start);
  if (candidate == 0) return LSQNET_OK;
  return lsq_model_draw_weights(s->trainer->model, lsq_random_bits(o->seed, LSQ_STREAM_START, (uint64_t)candidate),
                                o->restart_scale);
}

static lsqnet_status newton_step(phases *s) {
  s->trainer->progress.rate = 0;
  return lsq_gauss_newton_step(s->gauss_newton);
}

/* Goes on from the best candidate's weights. */
static void choose(phases *s) {
  double *n = s->numbers;
  memcpy(s->trainer->model->weights_f64, s->best, weight_bytes(s));
  lsq_gauss_newton_reset(s->gauss_newton);
  if (s->start != NULL) lsq_start_reset(s->start);
  s->gauss_newton->numbers[LSQ_DAMPING] = n[BEST_DAMPING];
  n[PHASE] = first_phase(&s->trainer->options);
}

static void end_trial(phases *s, double loss) {
  double *n = s->numbers;
  if (n[CANDIDATE] == 0 || loss < n[BEST_LOSS]) {
    memcpy(s->best, s->trainer->model->weights_f64, weight_bytes(s));
    n[BEST] = n[CANDIDATE];
    n[BEST_LOSS] = fmin(loss, DBL_MAX);
    n[BEST_DAMPING] = s->gauss_newton->numbers[LSQ_DAMPING];
  }
  n[CANDIDATE]++;
  n[DONE] = 0;
  if (n[CANDIDATE] >= (double)s->trainer->options.restarts) choose(s);
}

/* A trial that runs into numbers that are not finite is over; the others may fare better. */
static lsqnet_status trial_step(phases *s) {
  lsqnet_status st = LSQNET_OK;
  const int with_start = s->trainer->options.start_steps > 0;
  lsqnet_progress *p = &s->trainer->progress;
  double *n = s->numbers;
  int over = 0;
  if (n[DONE] == 0) LSQ_TRY(begin(s, n[CANDIDATE]));
  st = with_start ? lsq_start_step(s->start, &over) : newton_step(s);
  const int broke = st == LSQNET_E_NOT_FINITE;
  if (!broke) LSQ_TRY(st);
  st = LSQNET_OK;
  n[DONE]++;
  over |= broke || p->ended == LSQNET_TRAIN_FLOOR || n[DONE] >= (with_start ? TRIAL_START_STEPS : TRIAL_ITERATIONS);
  if (p->ended == LSQNET_TRAIN_TARGET) goto done;
  p->ended = LSQNET_TRAIN_GOING;
  if (over) end_trial(s, broke ? DBL_MAX : with_start ? lsq_start_loss(s->start) : p->fresh_loss);
done:
  return st;
}

/* An iteration that shows whether Gauss-Newton needs a start. */
static lsqnet_status probe_step(phases *s) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_progress *p = &s->trainer->progress;
  double *n = s->numbers;
  if (n[IDLE] >= PATIENCE) { /* here and not below: drawing weights can fail */
    LSQ_TRY(begin(s, n[BEST]));
    n[PHASE] = START;
    n[IDLE] = 0;
    return lsq_phases_step(s->trainer, s);
  }
  LSQ_TRY(newton_step(s));
  n[IDLE]++;
  if (p->fresh_loss < PROGRESS * n[LEAST]) {
    n[LEAST] = p->fresh_loss;
    n[IDLE] = 0;
  }
  if (n[LEAST] < FALLEN * s->gauss_newton->fresh_square) {
    n[PHASE] = MAIN;
  } else if (p->ended == LSQNET_TRAIN_FLOOR) {
    p->ended = LSQNET_TRAIN_GOING;
    n[IDLE] = PATIENCE;
  }
done:
  return st;
}

static lsqnet_status start_step(phases *s) {
  lsqnet_status st = LSQNET_OK;
  const int64_t most = s->trainer->options.start_steps;
  int over = 0;
  LSQ_TRY(lsq_start_step(s->start, &over));
  if (over || (most > 0 && lsq_start_steps(s->start) >= most)) s->numbers[PHASE] = MAIN;
done:
  return st;
}

lsqnet_status lsq_phases_step(lsqnet_trainer *trainer, void *given) {
  phases *s = given;
  lsqnet_progress *p = &trainer->progress;
  const int phase = (int)s->numbers[PHASE];
  p->phase = phase == TRIAL ? LSQNET_PHASE_TRIAL : phase == START ? LSQNET_PHASE_START : LSQNET_PHASE_MAIN;
  p->restart = (int32_t)s->numbers[phase == TRIAL ? CANDIDATE : BEST];
  switch (phase) {
    case TRIAL: return trial_step(s);
    case PROBE: return probe_step(s);
    case START: return start_step(s);
    default: return newton_step(s);
  }
}

/* Saving. */

static lsq_state_array own_array(phases *s, int index) {
  const int64_t count = s->trainer->model->weight_count;
  const lsq_state_array all[] = {
      {s->gauss_newton->method->name, LSQNET_F64, LSQ_GAUSS_NEWTON_NUMBERS, s->gauss_newton->numbers},
      {"phases", LSQNET_F64, NUMBERS, s->numbers},
      {"first_weights", LSQNET_F64, count, s->first},
      {"best_weights", LSQNET_F64, count, s->best}};
  return all[index];
}

int lsq_phases_array(void *given, int64_t index, lsq_state_array *out) {
  phases *s = given;
  for (int i = 0; i < 4; i++) {
    *out = own_array(s, i);
    if (out->values != NULL && index-- == 0) return 1;
  }
  return s->start != NULL && lsq_start_array(s->start, index, out);
}

static int is_count(double value, double most) { return value >= 0 && value <= most && value == floor(value); }

lsqnet_status lsq_phases_check(void *given) {
  lsqnet_status st = LSQNET_OK;
  const phases *s = given;
  const double *n = s->numbers;
  const int has = (n[PHASE] != TRIAL || s->best != NULL) && (n[PHASE] != PROBE || s->first != NULL) &&
                  (n[PHASE] != START || s->start != NULL);
  const double most = (double)s->trainer->options.restarts;
  if (!is_count(n[PHASE], MAIN) || !has || !is_count(n[CANDIDATE], n[PHASE] == TRIAL ? most - 1 : most) ||
      !is_count(n[BEST], most - 1) || !is_count(n[DONE], 0x1p53) || !is_count(n[IDLE], 0x1p53) ||
      !(n[BEST_DAMPING] >= 0))
    return lsq_fail(LSQNET_E_FORMAT, "its numbers cannot be: phase %g, restart %g, best %g", n[PHASE], n[CANDIDATE],
                    n[BEST]);
  LSQ_TRY(lsq_gauss_newton_check(s->gauss_newton));
  if (s->start != NULL) LSQ_TRY(lsq_start_check(s->start));
done:
  return st;
}
