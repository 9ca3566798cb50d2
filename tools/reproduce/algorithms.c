/* Steps of other algorithms, learned: Newton-Schulz, power iteration, gradient descent with momentum, Chebyshev. Each
 * learned step beside the exact one on fresh data, then both applied to several problems, again and again until they
 * stand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "problems.h"

enum { INVERSE_DIM = 4, DESCENT_DIM = 3, DESCENT_ROWS = 12, STATE_MOST = INVERSE_DIM * INVERSE_DIM };
/* of A, where it is inverted and where x is sought */
static const double INVERSE_CONDITION = 10, DESCENT_CONDITION = 3;
/* what the momentum model has learned */
static const double MOMENTUM = 0.5, STEP = 0.5;

#define ATTENTION                                                                                                     \
  "--mixer attention --no-softmax --no-causal --layers 1 --freeze-positions --optimizer levenberg_marquardt --steps " \
  "100 "                                                                                                              \
  "--target 1e-29 --seed 1 "

/* One sequence through a float64 model; x and y are the caller's to fill and read. */
typedef struct {
  lsqnet_model *model;
  lsqnet_workspace *workspace;
  lsqnet_batch shape;
  int64_t in, out;
  double *x, *y;
} pass;

static int pass_open(pass *p, lsqnet_model *model, int64_t rows, int64_t first, int64_t count) {
  lsqnet_model_options o;
  *p = (pass){.model = model, .shape = {sizeof p->shape, 0, 1, rows, first, count}};
  lsqnet_status st = lsqnet_model_get_options(model, &o, sizeof o);
  if (st == LSQNET_OK) st = lsqnet_workspace_create(&p->workspace, model);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  p->in = o.in_width;
  p->out = o.out_width;
  p->x = numbers(rows * p->in);
  p->y = numbers(count * p->out);
  return p->x == NULL || p->y == NULL ? CODE_OTHER : CODE_DONE;
}

static void pass_close(pass *p) {
  lsqnet_workspace_destroy(p->workspace);
  lsqnet_model_destroy(p->model);
  free(p->x);
  free(p->y);
}

static int pass_run(pass *p) {
  const lsqnet_status st = lsqnet_model_forward_f64(p->model, p->workspace, &p->shape, p->x, p->y);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

/* What an algorithm is: its state, one learned and one exact step of it, and how far a state is from the end. */
typedef struct stepper {
  const char *key;
  int64_t steps, size; /* applied; numbers of a state */
  pass *pass;
  double ends[2];                      /* extreme eigenvalues of A'A / L, for Chebyshev */
  problems p;                          /* one problem of those that it is applied to */
  double h[INVERSE_DIM * INVERSE_DIM]; /* A'A / L of it, for Newton-Schulz */
  int (*learned)(struct stepper *s, int64_t k, double *state);
  void (*exact)(struct stepper *s, int64_t k, double *state);
  double (*error)(const struct stepper *s, const double *state);
} stepper;

/* ---- Newton-Schulz: X <- X (2 I - H X) ---- */

static int newton_learned(stepper *s, int64_t k, double *X) {
  enum { D = INVERSE_DIM };
  (void)k;
  for (int64_t i = 0; i < D; i++) {
    memcpy(s->pass->x + i * 2 * D, s->h + i * D, D * sizeof *X);
    memcpy(s->pass->x + i * 2 * D + D, X + i * D, D * sizeof *X);
  }
  const int code = pass_run(s->pass);
  for (int64_t i = 0; i < D; i++) memcpy(X + i * D, s->pass->y + i * s->pass->out, D * sizeof *X);
  return code;
}

static void multiply(const double *a, const double *b, double *out) {
  enum { D = INVERSE_DIM };
  for (int i = 0; i < D; i++) {
    for (int j = 0; j < D; j++) {
      double sum = 0;
      for (int k = 0; k < D; k++) sum += a[i * D + k] * b[k * D + j];
      out[i * D + j] = sum;
    }
  }
}

static void newton_exact(stepper *s, int64_t k, double *X) {
  enum { D = INVERSE_DIM };
  double HX[D * D], XHX[D * D];
  (void)k;
  multiply(s->h, X, HX);
  multiply(X, HX, XHX);
  for (int i = 0; i < D * D; i++) X[i] = 2 * X[i] - XHX[i];
}

/* Mean square of X H - I. */
static double newton_error(const stepper *s, const double *X) {
  enum { D = INVERSE_DIM };
  double P[D * D], sum = 0;
  multiply(X, s->h, P);
  for (int i = 0; i < D * D; i++) sum += (P[i] - (i % (D + 1) == 0)) * (P[i] - (i % (D + 1) == 0));
  return sum / (D * D);
}

/* ---- power iteration: v <- A'A v / ||A'A v||, the gradient of b = 0 ---- */

static void normalise(double *v, int64_t n) {
  double sum = 0;
  for (int64_t j = 0; j < n; j++) sum += v[j] * v[j];
  for (int64_t j = 0; j < n; j++) v[j] /= sqrt(sum);
}

static void fill_rows(stepper *s, int with_b) {
  const int64_t D = s->p.D, W = s->pass->in;
  memset(s->pass->x, 0, (size_t)((s->p.L + 1) * W) * sizeof(double));
  for (int64_t i = 0; i < s->p.L; i++) {
    memcpy(s->pass->x + i * W, problem_rows(&s->p, 0) + i * (D + 1), (size_t)(D + with_b) * sizeof(double));
  }
}

static int power_learned(stepper *s, int64_t k, double *v) {
  const int64_t D = s->p.D;
  (void)k;
  fill_rows(s, 0);
  memcpy(s->pass->x + s->p.L * s->pass->in + D + 1, v, (size_t)D * sizeof *v);
  const int code = pass_run(s->pass);
  memcpy(v, s->pass->y, (size_t)D * sizeof *v);
  normalise(v, D);
  return code;
}

static void times_moments(const problems *p, const double *v, double *out) {
  memset(out, 0, (size_t)p->D * sizeof *out);
  for (int64_t i = 0; i < p->L; i++) {
    const double *row = problem_rows(p, 0) + i * (p->D + 1);
    double dot = 0;
    for (int64_t j = 0; j < p->D; j++) dot += row[j] * v[j];
    for (int64_t j = 0; j < p->D; j++) out[j] += row[j] * dot / (double)p->L;
  }
}

static void power_exact(stepper *s, int64_t k, double *v) {
  double out[DESCENT_DIM];
  (void)k;
  times_moments(&s->p, v, out);
  memcpy(v, out, sizeof out);
  normalise(v, s->p.D);
}

/* The largest eigenvalue is known: the singular values of A were chosen. */
static double power_error(const stepper *s, const double *v) {
  double out[DESCENT_DIM], value = 0;
  times_moments(&s->p, v, out);
  for (int64_t j = 0; j < s->p.D; j++) value += out[j] * v[j];
  return (value / s->ends[1] - 1) * (value / s->ends[1] - 1);
}

/* ---- v <- beta v - s g(x), x <- x + v: momentum, and with other s and beta in each step Chebyshev ---- */

/* State: x, v. Coefficients other than those that the model has learned come in by way of its input: v times
 * beta / MOMENTUM, A and b times sqrt(s / STEP). */
static int momentum_learned(stepper *s, double step, double beta, double *state) {
  const int64_t D = s->p.D, W = s->pass->in, rows = s->p.L;
  fill_rows(s, 1);
  for (int64_t i = 0; i < rows * W; i++) s->pass->x[i] *= sqrt(step / STEP);
  double *query = s->pass->x + rows * W + D + 1;
  memcpy(query, state, (size_t)D * sizeof *state);
  for (int64_t j = 0; j < D; j++) query[D + j] = beta / MOMENTUM * state[D + j];
  const int code = pass_run(s->pass);
  memcpy(state, s->pass->y, (size_t)(2 * D) * sizeof *state);
  return code;
}

static void momentum_exact(const problems *p, double step, double beta, double *state) {
  double g[DESCENT_DIM];
  const int64_t D = p->D;
  exact_gradient(p, 0, state, g);
  for (int64_t j = 0; j < D; j++) {
    state[D + j] = beta * state[D + j] - step * g[j];
    state[j] += state[D + j];
  }
}

static int momentum_step(stepper *s, int64_t k, double *state) {
  (void)k;
  return momentum_learned(s, STEP, MOMENTUM, state);
}

static void momentum_step_exact(stepper *s, int64_t k, double *state) {
  (void)k;
  momentum_exact(&s->p, STEP, MOMENTUM, state);
}

/* Chebyshev semi-iteration between the ends (Golub and Varga 1961): omega_0 = 1, omega_1 = 2 / (2 - rho^2), omega_k =
 * 4 / (4 - rho^2 omega_(k-1)); v <- (omega - 1) v - omega s g with s = 2 / (low + high). */
static double chebyshev_omega(const stepper *s, int64_t k) {
  const double rho = (s->ends[1] - s->ends[0]) / (s->ends[1] + s->ends[0]);
  double omega = 1;
  for (int64_t i = 1; i <= k; i++) omega = i == 1 ? 2 / (2 - rho * rho) : 4 / (4 - rho * rho * omega);
  return omega;
}

static int chebyshev_step(stepper *s, int64_t k, double *state) {
  const double omega = chebyshev_omega(s, k);
  return momentum_learned(s, omega * 2 / (s->ends[0] + s->ends[1]), omega - 1, state);
}

static void chebyshev_step_exact(stepper *s, int64_t k, double *state) {
  const double omega = chebyshev_omega(s, k);
  momentum_exact(&s->p, omega * 2 / (s->ends[0] + s->ends[1]), omega - 1, state);
}

static double descent_error(const stepper *s, const double *state) { return error_of(&s->p, 0, state, s->p.x); }

/* ---- applied ---- */

static void take_problem(stepper *s, const problems *all, int64_t which) {
  const int64_t D = all->D;
  s->p = (problems){1, all->L, D, problem_rows(all, which), all->x + which * D};
  memset(s->h, 0, sizeof s->h);
  for (int64_t i = 0; i < all->L; i++) {
    const double *row = s->p.rows + i * (D + 1);
    for (int64_t j = 0; j < D * D; j++) s->h[j] += row[j / D] * row[j % D] / (double)all->L;
  }
}

/* Errors before the first step and after each, at a distance of `stride`; one that is no number is the worst. */
static int follow(stepper *s, const double *start, int64_t stride, double *model, double *exact) {
  int code = CODE_DONE;
  double x[STATE_MOST], y[STATE_MOST];
  memcpy(x, start, (size_t)s->size * sizeof *x);
  memcpy(y, start, (size_t)s->size * sizeof *y);
  for (int64_t k = 0;; k++) {
    model[k * stride] = s->error(s, x);
    exact[k * stride] = s->error(s, y);
    if (isnan(model[k * stride])) model[k * stride] = INFINITY;
    if (k == s->steps) break;
    TRY(s->learned(s, k, x));
    s->exact(s, k, y);
  }
done:
  return code;
}

/* The median after each step; returns the worst at the end. */
static double medians(double *errors, int64_t steps, int64_t count, double *out) {
  double of_step[3];
  for (int64_t k = 0; k <= steps; k++) {
    quartiles(errors + k * count, count, of_step);
    out[k] = of_step[1];
  }
  return errors[(steps + 1) * count - 1];
}

static int apply(reproduction *r, stepper *s, const double *start, const problems *all) {
  int code = CODE_DONE;
  const int64_t points = s->steps + 1, count = all->count;
  double *model = numbers(points * count), *exact = numbers(points * count), *curves = numbers(3 * points);
  if (model == NULL || exact == NULL || curves == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  for (int64_t i = 0; i < count; i++) {
    TRY(go_on(r, s->key, i, count));
    take_problem(s, all, i);
    TRY(follow(s, start, count, model + i, exact + i));
  }
  double *k_of = curves, *curve = curves + points, *curve_exact = curves + 2 * points;
  for (int64_t k = 0; k < points; k++) k_of[k] = (double)k;
  const double worst = medians(model, s->steps, count, curve);
  const double worst_exact = medians(exact, s->steps, count, curve_exact);
  TRY(runs_add(r, s->key,
               json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "problems", (json_int_t)count, "applied",
                         (json_int_t)s->steps, "error", json_number(curve[s->steps]), "error_worst", json_number(worst),
                         "error_exact", json_number(curve_exact[s->steps]), "error_exact_worst",
                         json_number(worst_exact), "k", numbers_json(k_of, points), "curve",
                         numbers_json(curve, points), "curve_exact", numbers_json(curve_exact, points))));
done:
  free(model);
  free(exact);
  free(curves);
  return code;
}

enum { INVERSION_STEPS = 25, VECTOR_STEPS = 300, SAMPLES = 2048 };

static int64_t problems_of(const reproduction *r) { return (int64_t)by_budget(r, 21, 21, 101); }

/* H = A'A / L, with eigenvalues between 1 / INVERSE_CONDITION^2 and 1; X starts at I. */
static int invert(reproduction *r, lsqnet_model *model) {
  enum { D = INVERSE_DIM };
  int code = CODE_DONE;
  problems p = {0};
  pass step = {0};
  double X[D * D] = {0};
  stepper s = {.key = "newton_schulz",
               .steps = INVERSION_STEPS,
               .size = D * D,
               .pass = &step,
               .learned = newton_learned,
               .exact = newton_exact,
               .error = newton_error};
  lsqnet_task_options o = task_named("least_squares", 4 * D, D);
  o.condition = INVERSE_CONDITION;
  o.singular_max = sqrt((double)o.rows);
  TRY(pass_open(&step, model, D, 0, D));
  TRY(problems_draw(&p, r, &o, 3, problems_of(r)));
  for (int j = 0; j < D; j++) X[j * D + j] = 1;
  TRY(apply(r, &s, X, &p));
done:
  pass_close(&step);
  problems_free(&p);
  return code;
}

static int draw_descents(problems *p, reproduction *r, uint64_t seed, int64_t count) {
  lsqnet_task_options o = task_named("least_squares", DESCENT_ROWS, DESCENT_DIM);
  o.condition = DESCENT_CONDITION;
  o.singular_max = sqrt((double)DESCENT_ROWS);
  return problems_draw(p, r, &o, seed, count);
}

#define DESCENT_ENDS \
  { 1 / (DESCENT_CONDITION * DESCENT_CONDITION), 1 }

static int iterate_power(reproduction *r, lsqnet_model *model) {
  int code = CODE_DONE;
  problems p = {0};
  pass step = {0};
  const double v[DESCENT_DIM] = {1, 1, 1};
  stepper s = {.key = "power_iteration",
               .steps = VECTOR_STEPS,
               .size = DESCENT_DIM,
               .pass = &step,
               .ends = DESCENT_ENDS,
               .learned = power_learned,
               .exact = power_exact,
               .error = power_error};
  TRY(pass_open(&step, model, DESCENT_ROWS + 1, DESCENT_ROWS, 1));
  TRY(draw_descents(&p, r, 4, problems_of(r)));
  TRY(apply(r, &s, v, &p));
done:
  pass_close(&step);
  problems_free(&p);
  return code;
}

/* The learned Chebyshev step beside the exact one, each of the first steps in turn, at random x and v. */
static int judge_chebyshev(reproduction *r, stepper *s) {
  enum { D = DESCENT_DIM, FIRST = 8 };
  int code = CODE_DONE;
  double difference = 0, size = 0;
  problems p = {0}, states = {0}; /* x and v of sample i are two solutions of other problems */
  TRY(draw_descents(&p, r, 5, SAMPLES));
  TRY(draw_descents(&states, r, 6, 2 * SAMPLES));
  for (int64_t i = 0; i < SAMPLES; i++) {
    double learned[2 * D], exact[2 * D];
    memcpy(learned, states.x + i * 2 * D, sizeof learned);
    memcpy(exact, learned, sizeof exact);
    take_problem(s, &p, i);
    TRY(chebyshev_step(s, i % FIRST, learned));
    chebyshev_step_exact(s, i % FIRST, exact);
    for (int j = 0; j < 2 * D; j++) {
      difference += (learned[j] - exact[j]) * (learned[j] - exact[j]) / (SAMPLES * 2 * D);
      size += exact[j] * exact[j] / (SAMPLES * 2 * D);
    }
  }
  TRY(runs_add(
      r, "chebyshev_step",
      json_pack("{s:I, s:I, s:o, s:o}", "parameters", (json_int_t)trained_weights(s->pass->model), "problems",
                (json_int_t)SAMPLES, "mse", json_number(difference), "relative", json_number(difference / size))));
done:
  problems_free(&p);
  problems_free(&states);
  return code;
}

static int descend(reproduction *r, lsqnet_model *model) {
  int code = CODE_DONE;
  problems p = {0};
  pass step = {0};
  const double start[2 * DESCENT_DIM] = {0};
  stepper s = {.key = "momentum",
               .steps = VECTOR_STEPS,
               .size = 2 * DESCENT_DIM,
               .pass = &step,
               .ends = DESCENT_ENDS,
               .learned = momentum_step,
               .exact = momentum_step_exact,
               .error = descent_error};
  TRY(pass_open(&step, model, DESCENT_ROWS + 1, DESCENT_ROWS, 1));
  TRY(draw_descents(&p, r, 4, problems_of(r)));
  if (runs_find(r, s.key) == NULL) TRY(apply(r, &s, start, &p));
  s.key = "chebyshev";
  s.learned = chebyshev_step;
  s.exact = chebyshev_step_exact;
  if (runs_find(r, "chebyshev_step") == NULL) TRY(judge_chebyshev(r, &s));
  TRY(apply(r, &s, start, &p));
done:
  pass_close(&step);
  problems_free(&p);
  return code;
}

static const struct {
  training_request training;
  const char *last; /* what it is trained for */
  int (*use)(reproduction *r, lsqnet_model *model);
} learned[] = {
    {{"newton_schulz_step", "newton_schulz --dim 4 --rows 4 --width 8 --init-scale 0.5 " ATTENTION, 0, NULL, 0},
     "newton_schulz",
     invert},
    {{"power_step", "explicit_gradient --prompt split --dim 3 --rows 12 --width 8 --init-scale 0.25 " ATTENTION, 0,
      NULL, 0},
     "power_iteration",
     iterate_power},
    {{"momentum_step", "momentum --dim 3 --rows 12 --task-momentum 0.5 --width 12 --init-scale 0.25 " ATTENTION, 0,
      NULL, 0},
     "chebyshev",
     descend}};

static int run(reproduction *r) {
  int code = CODE_DONE;
  TRY(runs_agree(r, "newton_schulz", "applied", INVERSION_STEPS));
  TRY(runs_agree(r, "power_iteration|momentum|chebyshev", "applied", VECTOR_STEPS));
  TRY(runs_agree(r, "newton_schulz|power_iteration|momentum|chebyshev", "problems", (double)problems_of(r)));
  TRY(runs_agree(r, "chebyshev_step", "problems", SAMPLES));
  for (size_t i = 0; i < sizeof learned / sizeof *learned; i++) {
    lsqnet_model *model = NULL;
    training_request training = learned[i].training;
    training.seconds = by_budget(r, 1, INFINITY, INFINITY);
    TRY(train_run(r, &training));
    if (runs_find(r, learned[i].last) != NULL) continue;
    TRY(trained_model(r, training.key, &model));
    TRY(learned[i].use(r, model));
  }
done:
  return code;
}

static const column columns[] = {"optimizer",
                                 "parameters",
                                 SIZES,
                                 "steps",
                                 "seconds",
                                 "tries",
                                 "mse:MSE of a step",
                                 "relative:relative MSE of a step",
                                 "problems",
                                 "applied:times applied",
                                 "error:error² at the end, median",
                                 "error_worst:worst",
                                 "error_exact:of the exact step, median",
                                 "error_exact_worst:of the exact step, worst",
                                 NULL};

/* Both errors end at roundings; which of two roundings is larger is chance. */
static const claim claims[] = {{"each learned step is its exact step: relative MSE",
                                AT_MOST,
                                1e-24,
                                {LARGEST, "*_step", "relative"},
                                {LEAST, NULL, NULL}},
                               {"Chebyshev's learned step beside the exact one on random inputs: MSE",
                                AT_MOST,
                                1e-24,
                                {LARGEST, "chebyshev_step", "mse"},
                                {LEAST, NULL, NULL}},
                               {"Newton-Schulz inverts to convergence: mean square of X H - I, worst problem",
                                AT_MOST,
                                1e-24,
                                {LARGEST, "newton_schulz", "error_worst"},
                                {LEAST, NULL, NULL}},
                               {"power iteration: squared relative error of the largest eigenvalue, worst problem",
                                AT_MOST,
                                1e-24,
                                {LARGEST, "power_iteration", "error_worst"},
                                {LEAST, NULL, NULL}},
                               {"momentum: squared error of x at most 100 times the exact one's, worst problem of each",
                                AT_MOST,
                                100,
                                {LARGEST, "momentum", "error_worst"},
                                {LARGEST, "momentum", "error_exact_worst"}},
                               {"Chebyshev: squared error of x, worst problem",
                                AT_MOST,
                                1e-24,
                                {LARGEST, "chebyshev", "error_worst"},
                                {LEAST, NULL, NULL}},
                               {.text = NULL}};

static const picture pictures[] = {{.name = "convergence",
                                    .x_label = "number of steps",
                                    .y_label = "median squared error (no unit)",
                                    .log_x = 1,
                                    .log_y = 1,
                                    .pairs = 1,
                                    .series = {{"Newton-Schulz, learned", "newton_schulz", "k", "curve"},
                                               {"Newton-Schulz, exact", "newton_schulz", "k", "curve_exact"},
                                               {"power iteration, learned", "power_iteration", "k", "curve"},
                                               {"power iteration, exact", "power_iteration", "k", "curve_exact"},
                                               {"momentum, learned", "momentum", "k", "curve"},
                                               {"momentum, exact", "momentum", "k", "curve_exact"},
                                               {"Chebyshev, learned", "chebyshev", "k", "curve"},
                                               {"Chebyshev, exact", "chebyshev", "k", "curve_exact"}}},
                                   {.name = NULL}};

const experiment experiment_algorithms = {"algorithms", "other algorithms' steps, learned, applied to convergence",
                                          run,          columns,
                                          claims,       pictures,
                                          "left open",  0};
