#include "train/first_order.h"

#include <math.h>
#include <string.h>

#include "train/minibatch.h"
#include "train/schedule.h"

/* Weights of a piece; the samples that the target is judged on at least; batches in a row without a finite gradient
 * after which the run has diverged: one may be the data's fault. */
enum { PIECE = 16384, TARGET_SAMPLES = 1024, MOST_IN_A_ROW = 10, DEFAULT_BATCH = 1024 };

static int is_f64(const lsq_first_order *s) { return s->trainer->model->options.dtype == LSQNET_F64; }
static size_t weight_bytes(const lsq_first_order *s) { return is_f64(s) ? sizeof(double) : sizeof(float); }

static void *weights(const lsq_first_order *s) {
  const lsqnet_model *m = s->trainer->model;
  return is_f64(s) ? (void *)m->weights_f64 : (void *)m->weights_f32;
}

static void copy_weights(const lsq_first_order *s, void *to, const void *from) {
  memcpy(to, from, (size_t)s->trainer->model->weight_count * weight_bytes(s));
}

/* Creation. */

void lsq_first_order_destroy(lsqnet_trainer *trainer, void *given) {
  lsq_first_order *s = given;
  if (s == NULL) return;
  void *arrays[] = {s->pieces, s->squares, s->finite, s->moments[0], s->moments[1], s->filter, s->kept, s->before};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) lsq_free(trainer->context, arrays[i]);
  lsq_minibatch_destroy(s->minibatch);
  lsq_free(trainer->context, s);
}

/* Counts the pieces, or fills them in once there is room. */
static void cut(lsq_first_order *s) {
  const lsqnet_model *m = s->trainer->model;
  lsq_piece last = {0, 0};
  s->piece_count = 0;
  for (int64_t i = 0; i < m->parameter_count; i++) {
    const lsqnet_parameter *p = &m->parameters[i];
    for (int64_t done = 0; !p->frozen && done < p->count; done += last.count) {
      const int64_t left = p->count - done;
      last = (lsq_piece){p->offset + done, left < PIECE ? left : PIECE};
      if (s->pieces != NULL) s->pieces[s->piece_count] = last;
      s->piece_count++;
    }
  }
}

static lsqnet_status reserve(lsq_first_order *s) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = s->trainer->context;
  const int64_t P = s->trainer->model->weight_count;
  const size_t bytes = weight_bytes(s);
  cut(s);
  LSQ_TRY(lsq_alloc(context, &s->pieces, s->piece_count, sizeof *s->pieces));
  cut(s);
  LSQ_TRY(lsq_alloc(context, &s->squares, s->piece_count, sizeof *s->squares));
  LSQ_TRY(lsq_alloc(context, &s->finite, s->piece_count, sizeof *s->finite));
  for (int i = 0; i < LSQ_MOMENTS_MOST && s->rule->moments[i] != NULL; i++)
    LSQ_TRY(lsq_alloc(context, &s->moments[i], P, bytes));
  if (s->trainer->options.ema_lambda > 0) LSQ_TRY(lsq_alloc(context, &s->filter, P, bytes));
  if (s->schedule->measures) LSQ_TRY(lsq_alloc(context, &s->before, P, bytes));
  LSQ_TRY(lsq_alloc(context, &s->kept, P, bytes));
done:
  return st;
}

void lsq_first_order_reset(void *given) {
  lsq_first_order *s = given;
  const lsqnet_train_options *o = &s->trainer->options;
  const size_t bytes = (size_t)s->trainer->model->weight_count * weight_bytes(s);
  for (int i = 0; i < LSQ_MOMENTS_MOST; i++)
    if (s->moments[i] != NULL) memset(s->moments[i], 0, bytes);
  if (s->filter != NULL) memset(s->filter, 0, bytes);
  copy_weights(s, s->kept, weights(s));
  memset(s->numbers, 0, sizeof s->numbers);
  s->numbers[LSQ_RATE] = s->schedule->rate(o, 0, o->rate, 0);
  s->numbers[LSQ_LEAST_LOSS] = 1;
}

lsqnet_status lsq_first_order_create(lsqnet_trainer *trainer, const lsq_update_rule *rule, void **state) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_train_options *o = &trainer->options;
  lsq_first_order *s = NULL;
  LSQ_TRY(lsq_alloc(trainer->context, &s, 1, sizeof *s));
  s->trainer = trainer;
  s->rule = rule;
  s->batch = o->batch > 0 ? o->batch : DEFAULT_BATCH;
  LSQ_TRY(lsq_schedule_find(o->schedule, &s->schedule));
  LSQ_TRY(lsq_minibatch_create(&s->minibatch, trainer->model, trainer->task));
  LSQ_TRY(reserve(s));
  lsq_first_order_reset(s);
  *state = s;
  s = NULL;
done:
  lsq_first_order_destroy(trainer, s);
  return st;
}

int lsq_first_order_array(void *given, int64_t index, lsq_state_array *out) {
  lsq_first_order *s = given;
  const lsq_state_array all[] = {{"numbers", LSQNET_F64, LSQ_NUMBERS, s->numbers},
                                 {s->rule->moments[0], 0, 0, s->moments[0]},
                                 {s->rule->moments[1], 0, 0, s->moments[1]},
                                 {"gradient_ema", 0, 0, s->filter},
                                 {"kept_weights", 0, 0, s->kept}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i].values == NULL || index-- > 0) continue;
    *out = all[i];
    if (out->count > 0) return 1;
    out->dtype = s->trainer->model->options.dtype;
    out->count = s->trainer->model->weight_count;
    return 1;
  }
  return 0;
}

static int is_count(double value) { return value >= 0 && value <= 9007199254740992.0 && value == floor(value); }

lsqnet_status lsq_first_order_check(void *given) {
  const lsq_first_order *s = given;
  const double *n = s->numbers;
  if (n[LSQ_RATE] > 0 && is_count(n[LSQ_APPLIED]) && n[LSQ_LEAST_LOSS] <= 1 && is_count(n[LSQ_IN_A_ROW]))
    return LSQNET_OK;
  return lsq_fail(LSQNET_E_FORMAT, "its numbers cannot be: rate %g, %g steps, least loss %g, %g steps passed over",
                  n[LSQ_RATE], n[LSQ_APPLIED], n[LSQ_LEAST_LOSS], n[LSQ_IN_A_ROW]);
}

/* A step. */

/* One of the curriculum's sizes at this step. */
static int64_t growing(int64_t start, int64_t increment, int64_t interval, int64_t step, int64_t end) {
  int64_t grown = 0;
  if (start == 0) return end;
  if (__builtin_mul_overflow(step / interval, increment, &grown) || grown >= end - start) return end;
  return start + grown;
}

static lsq_draw choose_draw(const lsq_first_order *s, int stream, uint64_t number, int64_t samples) {
  const lsqnet_train_options *o = &s->trainer->options;
  const lsqnet_task_options *task = &s->trainer->task->options;
  const int64_t step = s->trainer->progress.step;
  return (lsq_draw){.seed = o->seed,
                    .step = lsq_data_step(stream, number),
                    .samples = samples,
                    .L = growing(o->rows_start, o->rows_increment, o->rows_interval, step, task->rows),
                    .kept = growing(o->dims_start, o->dims_increment, o->dims_interval, step, task->dim)};
}

/* Mean cosine of the gradients of consecutive fresh batches. */
static lsqnet_status measure_cosine(lsq_first_order *s, double *mean) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_train_options *o = &s->trainer->options;
  const uint64_t first = (uint64_t)(s->trainer->progress.step / o->metric_every) * (uint64_t)o->metric_batches;
  lsq_score score;
  double sum = 0;
  for (int64_t i = 0; i < o->metric_batches; i++) {
    const lsq_draw draw = choose_draw(s, LSQ_STREAM_METRIC, first + (uint64_t)i, s->batch);
    LSQ_TRY(lsq_minibatch_differentiate(s->minibatch, &draw, &score));
    const double cosine = is_f64(s) ? lsq_gradient_cosine_f64(s) : lsq_gradient_cosine_f32(s);
    if (i > 0) sum += cosine;
  }
  *mean = sum / (double)(o->metric_batches - 1);
done:
  return st;
}

static int is_due(const lsq_first_order *s) {
  return s->schedule->measures && s->trainer->progress.step % s->trainer->options.metric_every == 0;
}

static lsqnet_status measure_metric(lsq_first_order *s, double *cosine) {
  const lsqnet_trainer *t = s->trainer;
  if (t->recorded_metric == NULL) return measure_cosine(s, cosine);
  *cosine = t->recorded_metric[t->progress.step];
  return LSQNET_OK;
}

static void take_metric(lsq_first_order *s, double cosine) {
  const lsqnet_train_options *o = &s->trainer->options;
  double *metric = &s->trainer->progress.metric;
  *metric = o->metric_decay * *metric + (1.0 - o->metric_decay) * cosine;
  s->numbers[LSQ_RISING] = *metric < o->metric_threshold && s->numbers[LSQ_APPLIED] > (double)o->no_increase_steps;
}

/* Whether a batch that reaches the target is confirmed by one that is large enough and new. */
static lsqnet_status check_target(lsq_first_order *s, double loss, int *reached) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_trainer *t = s->trainer;
  const int64_t samples = s->batch > TARGET_SAMPLES ? s->batch : TARGET_SAMPLES;
  const lsq_draw draw = choose_draw(s, LSQ_STREAM_FRESH, (uint64_t)t->progress.step, samples);
  lsq_score score;
  *reached = 0;
  if (!(t->options.target > 0) || !(loss <= t->options.target)) return LSQNET_OK;
  LSQ_TRY(lsq_minibatch_score(s->minibatch, &draw, &score));
  t->progress.fresh_loss = score.loss;
  *reached = score.loss <= t->options.target;
done:
  return st;
}

/* A step without a finite gradient leaves weights and state as they are; a row of them ends the run, at the weights
 * that had one. */
static lsqnet_status pass_over(lsq_first_order *s) {
  lsqnet_progress *p = &s->trainer->progress;
  p->skipped++;
  s->numbers[LSQ_IN_A_ROW]++;
  if (s->numbers[LSQ_IN_A_ROW] < MOST_IN_A_ROW) return LSQNET_OK;
  s->numbers[LSQ_IN_A_ROW] = 0;
  copy_weights(s, weights(s), s->kept);
  return lsq_fail(LSQNET_E_NOT_FINITE,
                  "step %lld: %d batches in a row had no finite gradient (loss %g, gradient norm %g, rate %g): the run "
                  "has diverged; the weights are those of the last finite step",
                  (long long)p->step, MOST_IN_A_ROW, fabs(p->loss), fabs(p->gradient_norm), p->rate); /* no "-nan" */
}

static lsqnet_status apply(lsq_first_order *s) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_train_options *o = &s->trainer->options;
  lsqnet_progress *p = &s->trainer->progress;
  double *n = s->numbers;
  int finite = 0;
  const double factor = o->clip > 0 ? fmin(o->clip / (p->gradient_norm + 1e-6), 1) : 1;
  LSQ_TRY(is_f64(s) ? lsq_apply_gradient_f64(s, factor, &finite) : lsq_apply_gradient_f32(s, factor, &finite));
  if (!finite) {
    copy_weights(s, weights(s), s->kept);
    return lsq_fail(LSQNET_E_NOT_FINITE,
                    "step %lld: a weight would not be finite (loss %g, gradient norm %g, rate %g); the weights are "
                    "those before the step",
                    (long long)p->step, p->loss, p->gradient_norm, p->rate);
  }
  n[LSQ_APPLIED]++;
  n[LSQ_IN_A_ROW] = 0;
  if (p->loss < n[LSQ_LEAST_LOSS]) n[LSQ_LEAST_LOSS] = p->loss;
  n[LSQ_RATE] = s->schedule->rate(o, (int64_t)n[LSQ_APPLIED], n[LSQ_RATE], n[LSQ_RISING] != 0);
done:
  return st;
}

lsqnet_status lsq_first_order_step(lsqnet_trainer *trainer, void *given) {
  lsqnet_status st = LSQNET_OK;
  lsq_first_order *s = given;
  lsqnet_progress *p = &trainer->progress;
  const lsq_draw draw = choose_draw(s, s->stream, (uint64_t)p->step, s->batch);
  const int due = is_due(s);
  lsq_score score;
  double cosine = 0, norm = 0;
  int reached = 0;
  if (due) LSQ_TRY(measure_metric(s, &cosine));
  LSQ_TRY(lsq_minibatch_differentiate(s->minibatch, &draw, &score));
  LSQ_TRY(check_target(s, score.loss, &reached));
  const double l1 = trainer->options.l1 * s->numbers[LSQ_LEAST_LOSS];
  LSQ_TRY(is_f64(s) ? lsq_gradient_norm_f64(s, l1, &norm) : lsq_gradient_norm_f32(s, l1, &norm));
  if (due) take_metric(s, cosine);
  p->loss = score.loss;
  p->rate = s->numbers[LSQ_RATE];
  p->gradient_norm = norm;
  if (reached)
    p->ended = LSQNET_TRAIN_TARGET;
  else
    st = isfinite(norm) ? apply(s) : pass_over(s);
done:
  return st;
}
