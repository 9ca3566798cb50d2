/* The NIST sets and seven real regression problems: right digits and time, beside LAPACK's dgels; and how many
 * problems a second there are of a small shape. Each has one thread; for a batch there are all threads as well. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decimal.h"
#include "../error.h"
#include "../json.h"
#include "../progress.h"
#include "lapack.h"
#include "problems.h"
#include "throughput.h"

extern const char part_real_data[]; /* data/real_data.txt, by way of text.c */

typedef struct {
  char name[32];
  int64_t m, n;
  double *exact, *a, *b; /* (n), (m,n), (m) */
} set;

static void set_free(set *s) {
  free(s->exact);
  free(s->a);
  free(s->b);
  memset(s, 0, sizeof *s);
}

static const char *read_number(const char *text, double *value) {
  char word[DECIMAL_TEXT];
  text += strspn(text, " \n");
  const size_t length = strcspn(text, " \n");
  snprintf(word, sizeof word, "%.*s", (int)length, text);
  return decimal_read(word, value) == DECIMAL_OK ? text + length : NULL;
}

/* The set at *text, which moves on behind it. */
static int read_set(set *s, const char **text) {
  long long m = 0, n = 0;
  int used = 0;
  if (sscanf(*text, "set %31s %lld %lld exact%n", s->name, &m, &n, &used) != 3 || used == 0) {
    return fail(CODE_OTHER, "real data: no set at \"%.20s\"", *text);
  }
  s->m = m;
  s->n = n;
  s->exact = numbers(n);
  s->a = numbers(m * n);
  s->b = numbers(m);
  if (s->exact == NULL || s->a == NULL || s->b == NULL) return CODE_OTHER;
  const char *at = *text + used;
  for (int64_t j = 0; j < n && at != NULL; j++) at = read_number(at, &s->exact[j]);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n && at != NULL; j++) at = read_number(at, &s->a[i * n + j]);
    if (at != NULL) at = read_number(at, &s->b[i]);
  }
  if (at == NULL) return fail(CODE_OTHER, "real data: %s is not whole", s->name);
  *text = at + strspn(at, "\n");
  return CODE_DONE;
}

/* Right digits of the worst coefficient; NaN counts as none. */
static double digits(const set *s, const double *x) {
  double least = 16;
  for (int64_t j = 0; j < s->n; j++) {
    const double size = s->exact[j] == 0 ? 1 : fabs(s->exact[j]);
    const double right = -log10(fmax(fabs(x[j] - s->exact[j]) / size, 1e-16));
    if (!(right >= least)) least = fmax(right, 0);
  }
  return least;
}

typedef struct {
  double digits, seconds; /* the best of all repeats */
} answer;

static int solve_here(const set *s, lsqnet_solver *solver, double *x, answer *out) {
  lsqnet_report report = {.size = sizeof report};
  const double start = seconds_now();
  const lsqnet_status st = lsqnet_solver_solve_f64(solver, s->m, s->n, 1, s->a, s->n, s->b, 1, x, 1, &report);
  out->seconds = fmin(out->seconds, seconds_now() - start);
  if (st != LSQNET_OK && st != LSQNET_E_NOT_CONVERGED) return fail_status(st, s->name);
  out->digits = digits(s, x);
  return CODE_DONE;
}

/* Column-major, as LAPACK has it; what it overwrites is copied before the clock starts. */
static int solve_lapack(const set *s, double *a, double *b, answer *out) {
  for (int64_t i = 0; i < s->m; i++) {
    b[i] = s->b[i];
    for (int64_t j = 0; j < s->n; j++) a[j * s->m + i] = s->a[i * s->n + j];
  }
  const double start = seconds_now();
  const int64_t info = lapack_solve(s->m, s->n, a, b);
  out->seconds = fmin(out->seconds, seconds_now() - start);
  if (info < 0) return fail(CODE_OTHER, "dgels: %lld", (long long)info);
  out->digits = digits(s, b);
  return CODE_DONE;
}

typedef struct {
  lsqnet_solver *refined, *alone; /* one thread */
  lsqnet_solver *threaded;        /* refined, all threads */
  int lapack;                     /* whether there is one */
  int64_t repeats;
} peers;

static int measure(reproduction *r, const set *s, const peers *p) {
  int code = CODE_DONE;
  answer refined = {0, INFINITY}, alone = {0, INFINITY}, lapack = {NAN, NAN};
  char name[600];
  double *x = numbers(s->n), *a = numbers(s->m * s->n), *b = numbers(s->m);
  if (x == NULL || a == NULL || b == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  for (int64_t i = 0; i < p->repeats; i++) { /* in turns, so that a noisy machine is noisy to all */
    TRY(go_on(r, s->name, i, p->repeats));
    TRY(solve_here(s, p->refined, x, &refined));
    TRY(solve_here(s, p->alone, x, &alone));
    if (p->lapack) TRY(solve_lapack(s, a, b, &lapack));
  }
  lapack_name(name, sizeof name);
  TRY(runs_add(
      r, s->name,
      json_pack("{s:s, s:I, s:I, s:s, s:s, s:f, s:f, s:o, s:o, s:f, s:f, s:o, s:o}", "set", s->name, "rows",
                (json_int_t)s->m, "unknowns", (json_int_t)s->n, "model", lsqnet_solver_model_name(p->refined, s->n),
                "lapack", name, "digits", refined.digits, "digits_unrefined", alone.digits, "digits_lapack",
                json_number(lapack.digits), "gain", json_number(refined.digits - lapack.digits), "microseconds",
                1e6 * refined.seconds, "microseconds_unrefined", 1e6 * alone.seconds, "microseconds_lapack",
                json_number(1e6 * lapack.seconds), "time_ratio", json_number(refined.seconds / lapack.seconds))));
done:
  free(x);
  free(a);
  free(b);
  return code;
}

static int open_peers(reproduction *r, peers *p) {
  int code = CODE_DONE;
  lsqnet_solver_options o;
  lsqnet_context *one = NULL;
  TRY(context_open(&one, &(machine){1, lsqnet_context_kernel_level(r->context)}));
  p->lapack = lapack_open();
  lsqnet_status st = lsqnet_solver_create(&p->refined, one, NULL, NULL);
  if (st == LSQNET_OK) st = lsqnet_solver_create(&p->threaded, r->context, NULL, NULL);
  if (st == LSQNET_OK) st = lsqnet_solver_options_init(&o, sizeof o);
  o.corrections = 0;
  if (st == LSQNET_OK) st = lsqnet_solver_create(&p->alone, one, NULL, &o);
  p->repeats = (int64_t)by_budget(r, 2, 100, 1000);
  if (st != LSQNET_OK) code = fail_status(st, NULL);
done:
  lsqnet_context_destroy(one);
  return code;
}

static int run(reproduction *r) {
  int code = CODE_DONE;
  peers p = {NULL, NULL, NULL, 0, 0};
  set s = {.m = 0};
  TRY(open_peers(r, &p));
  for (const char *text = part_real_data; *text != '\0';) {
    set_free(&s);
    TRY(read_set(&s, &text));
    TRY(runs_agree(r, s.name, "rows", (double)s.m));
    TRY(runs_agree(r, s.name, "unknowns", (double)s.n));
    if (runs_find(r, s.name) == NULL) TRY(measure(r, &s, &p));
  }
  TRY(throughput_runs(r, p.refined, p.threaded));
done:
  set_free(&s);
  lsqnet_solver_destroy(p.refined);
  lsqnet_solver_destroy(p.alone);
  lsqnet_solver_destroy(p.threaded);
  return code;
}

static const column columns[] = {"rows",
                                 "unknowns",
                                 "model",
                                 "digits:digits, lsqnet",
                                 "digits_unrefined:digits, model alone",
                                 "digits_lapack:digits, dgels",
                                 "microseconds:µs, lsqnet",
                                 "microseconds_unrefined:µs, model alone",
                                 "microseconds_lapack:µs, dgels",
                                 "time_ratio:lsqnet's time over dgels'",
                                 "batch",
                                 "per_second_one:problems a second, lsqnet, one thread",
                                 "per_second_lapack:problems a second, dgels, one thread",
                                 "threads_all:threads",
                                 "per_second_all:problems a second, lsqnet, so many threads",
                                 "lapack:dgels and its BLAS",
                                 "processor",
                                 NULL};

static const claim claims[] = {{"no set has fewer right digits than LAPACK's dgels gives: difference of digits",
                                AT_LEAST,
                                -0.5,
                                {LEAST, "*", "gain"},
                                {LEAST, NULL, NULL}},
                               {"right digits of the worst coefficient of the worst set",
                                AT_LEAST,
                                13,
                                {LEAST, "*", "digits"},
                                {LEAST, NULL, NULL}},
                               {.text = NULL}};

static const picture pictures[] = {
    {.name = "digits",
     .x_label = "data set",
     .y_label = "right decimal digits, worst coefficient",
     .series = {{"lsqnet, refined", "*", "set", "digits"},
                {"the model alone", "*", "set", "digits_unrefined"},
                {"LAPACK's dgels", "*", "set", "digits_lapack"}}},
    {.name = "time",
     .x_label = "data set",
     .y_label = "time of a solve (µs)",
     .log_y = 1,
     .series = {{"lsqnet, refined", "*", "set", "microseconds"},
                {"the model alone", "*", "set", "microseconds_unrefined"},
                {"LAPACK's dgels", "*", "set", "microseconds_lapack"}}},
    {.name = "throughput",
     .x_label = "batch size (problems of 20 x 5)",
     .y_label = "throughput (problems/s)",
     .log_x = 1,
     .log_y = 1,
     .series = {{"lsqnet, refined, all threads", "batch=*", "batch", "per_second_all"},
                {"lsqnet, refined, one thread", "batch=*", "batch", "per_second_one"},
                {"LAPACK's dgels, one by one, one thread", "batch=*", "batch", "per_second_lapack"}}},
    {.name = NULL}};

const experiment experiment_real_data = {"real-data", "the NIST sets and seven real regression problems beside LAPACK",
                                         run,         columns,
                                         claims,      pictures,
                                         "left open", 0};
