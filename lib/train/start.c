#include "train/start.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "train/first_order.h"

/* Windows without progress that halve the rate, on the plateau that a run begins on and below it; halvings. */
enum { WINDOW = 200, PATIENCE_ON_PLATEAU = 100, PATIENCE = 3, MOST_HALVINGS = 4 };
static const double BELOW_PLATEAU = 0.01, LOW_ENOUGH = 1e-4, PROGRESS = 0.8;

/* What must be saved, as doubles. */
enum { RATE, STEPS, SUM, FIRST, LAST, BEST, STALLED, HALVINGS, NUMBERS };

struct lsq_start {
  lsqnet_trainer *trainer;
  lsqnet_trainer inner; /* what Adam takes for its trainer: the same but for its options */
  void *adam;
  double numbers[NUMBERS];
};

void lsq_start_reset(lsq_start *s) {
  const double first[NUMBERS] = {[RATE] = s->trainer->options.start_rate, [LAST] = DBL_MAX, [BEST] = DBL_MAX};
  memcpy(s->numbers, first, sizeof first);
  s->inner.options.rate = s->numbers[RATE];
  lsq_first_order_reset(s->adam);
}

lsqnet_status lsq_start_create(lsq_start **out, lsqnet_trainer *trainer) {
  lsqnet_status st = LSQNET_OK;
  lsq_start *s = NULL;
  LSQ_TRY(lsq_alloc(trainer->context, &s, 1, sizeof *s));
  s->trainer = trainer;
  s->inner = *trainer;
  s->inner.options.schedule = "constant";
  s->inner.options.batch = trainer->options.start_batch;
  s->inner.options.weight_decay = 0; /* Gauss-Newton's is of another kind */
  LSQ_TRY(lsq_adam.create(&s->inner, &s->adam));
  ((lsq_first_order *)s->adam)->stream = LSQ_STREAM_START;
  lsq_start_reset(s);
  *out = s;
  s = NULL;
done:
  lsq_start_destroy(s);
  return st;
}

void lsq_start_destroy(lsq_start *s) {
  if (s == NULL) return;
  if (s->adam != NULL) lsq_adam.destroy(&s->inner, s->adam);
  lsq_free(s->trainer->context, s);
}

/* Judges a window that is full; 1 if the start is over. */
static int judge(double *n) {
  const double mean = n[SUM] / WINDOW;
  n[LAST] = mean;
  n[SUM] = 0;
  if (n[STEPS] == WINDOW) n[FIRST] = mean;
  n[STALLED]++;
  if (mean < PROGRESS * n[BEST]) {
    n[BEST] = mean;
    n[STALLED] = n[HALVINGS] = 0;
  }
  if (n[STALLED] >= (n[BEST] < BELOW_PLATEAU * n[FIRST] ? PATIENCE : PATIENCE_ON_PLATEAU)) {
    n[RATE] /= 2;
    n[STALLED] = 0;
    n[HALVINGS]++;
  }
  return n[BEST] <= LOW_ENOUGH * n[FIRST] || n[HALVINGS] >= MOST_HALVINGS;
}

lsqnet_status lsq_start_step(lsq_start *s, int *over) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_progress *p = &s->trainer->progress;
  double *n = s->numbers;
  *over = 0;
  s->inner.progress = *p;
  s->inner.progress.damping = 0;
  s->inner.options.target = s->trainer->options.target;
  s->inner.options.rate = n[RATE]; /* of the step after this one */
  st = lsq_adam.step(&s->inner, s->adam);
  *p = s->inner.progress;
  LSQ_TRY(st);
  n[STEPS]++;
  if (p->loss <= DBL_MAX) n[SUM] += p->loss;
  if (fmod(n[STEPS], WINDOW) == 0) *over = judge(n);
done:
  return st;
}

int64_t lsq_start_steps(const lsq_start *s) { return (int64_t)s->numbers[STEPS]; }

double lsq_start_loss(const lsq_start *s) { return s->numbers[LAST]; }

int lsq_start_array(lsq_start *s, int64_t index, lsq_state_array *out) {
  if (index > 0) return lsq_adam.array(s->adam, index - 1, out);
  *out = (lsq_state_array){.name = "start", .dtype = LSQNET_F64, .count = NUMBERS, .values = s->numbers};
  return 1;
}

lsqnet_status lsq_start_check(lsq_start *s) {
  const double *n = s->numbers;
  if (n[RATE] > 0 && n[RATE] <= DBL_MAX && n[STEPS] >= 0 && n[STEPS] == floor(n[STEPS])) return lsq_adam.check(s->adam);
  return lsq_fail(LSQNET_E_FORMAT, "its start's numbers cannot be: rate %g, %g steps", n[RATE], n[STEPS]);
}
