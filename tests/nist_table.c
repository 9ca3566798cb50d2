/* The main job: right digits of the worst coefficient on the NIST regression sets, beside LAPACK's and what the float64
 * problem allows.
 *
 *   nist_table DATA_FOLDER MODEL_FOLDER [LSQNET_COMMAND CSV_FOLDER]       tests/data, models, examples/data/nist */
#include <jansson.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_LAPACKE
#include <lapacke.h>
#endif

#include "nist.h"

enum { ENTRIES = NIST_ROWS * NIST_COEFFICIENTS, EXACT_ROWS = 20, EXACT_DIM = 5, PATH = 4096 };

typedef struct {
  const char *data, *models, *command, *csv;
  lsqnet_context *context;
  int failures;
} job;

/* Says what went wrong, counts it, and gives NaN for the table. */
static double miss(job *j, const char *set, const char *what, const char *why) {
  fprintf(stderr, "%s, %s: %s\n", set, what, why);
  j->failures++;
  return NAN;
}

/* A way to solve: a model, refined or as its method leaves it. */
typedef struct {
  const char *model; /* a file in the folder of models; NULL: the exact one of EXACT_ROWS x EXACT_DIM */
  int32_t method;
  int64_t corrections;
} way;

static lsqnet_status open_model(lsqnet_model **out, const job *j, const char *name) {
  char path[PATH];
  lsqnet_construct_options options;
  snprintf(path, sizeof path, "%s/%s.safetensors", j->models, name == NULL ? "" : name);
  if (name != NULL) return lsqnet_model_load(out, j->context, path, NULL);
  const lsqnet_status status = lsqnet_construct_options_init(&options, sizeof options);
  options.rows = EXACT_ROWS;
  options.dim = EXACT_DIM;
  return status == LSQNET_OK ? lsqnet_model_construct_gradient(out, j->context, &options) : status;
}

static lsqnet_status solve(const job *j, const way *w, const nist_set *set, const double *a, double *x) {
  lsqnet_solver_options options;
  lsqnet_model *model = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_status status = lsqnet_solver_options_init(&options, sizeof options);
  options.method = w->method;
  if (w->corrections >= 0) options.corrections = w->corrections;
  if (status == LSQNET_OK) status = open_model(&model, j, w->model);
  if (status == LSQNET_OK) status = lsqnet_solver_create(&solver, j->context, model, &options);
  if (status == LSQNET_OK)
    status = lsqnet_solver_solve_f64(solver, set->m, set->n, 1, a, set->n, set->y, 1, x, 1, NULL);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
  return status == LSQNET_E_NOT_CONVERGED && w->corrections == 0 ? LSQNET_OK : status;
}

static double digits_of_model(job *j, const nist_set *set, const double *a, const way *w) {
  double x[NIST_COEFFICIENTS] = {0};
  const lsqnet_status status = solve(j, w, set, a, x);
  if (status != LSQNET_OK) return miss(j, set->name, "model", lsqnet_last_message());
  return nist_right_digits(set, x);
}

static double digits_of_lapack(job *j, const nist_set *set, const double *a) {
#ifdef HAVE_LAPACKE
  double copy[ENTRIES], y[NIST_ROWS], singular[NIST_COEFFICIENTS];
  lapack_int rank = 0;
  memcpy(copy, a, sizeof copy);
  memcpy(y, set->y, sizeof y);
  const lapack_int info = LAPACKE_dgelsd(LAPACK_ROW_MAJOR, (lapack_int)set->m, (lapack_int)set->n, 1, copy,
                                         (lapack_int)set->n, y, 1, singular, -1.0, &rank);
  return info == 0 ? nist_right_digits(set, y) : miss(j, set->name, "LAPACK", "dgelsd failed");
#else
  (void)j, (void)set, (void)a;
  return NAN;
#endif
}

/* Coefficients in the command's JSON; their number, or -1. */
static int64_t read_answer(FILE *output, double *x) {
  json_t *answer = json_loadf(output, 0, NULL), *values = json_object_get(answer, "x"), *value;
  const int64_t count = json_is_array(values) ? (int64_t)json_array_size(values) : -1;
  size_t i;
  json_array_foreach(values, i, value) {
    if (i < NIST_COEFFICIENTS) x[i] = json_number_value(value);
  }
  json_decref(answer);
  return count;
}

/* The command reads the decimal text, and with it powers, to twice float64's precision: only Longley has no --poly. */
static double digits_of_command(job *j, const nist_set *set) {
  char line[PATH];
  double x[NIST_COEFFICIENTS] = {0};
  if (j->command == NULL || set->predictors > 1) return NAN;
  snprintf(line, sizeof line, "'%s' solve '%s/%s.csv' --poly %d%s --json", j->command, j->csv, set->name, set->degree,
           set->intercept ? " --intercept" : "");
  FILE *output = popen(line, "r");
  if (output == NULL) return miss(j, set->name, line, "could not be run");
  const int64_t count = read_answer(output, x);
  if (pclose(output) != 0 || count != set->n) return miss(j, set->name, line, "failed");
  return nist_right_digits(set, x);
}

/* LRE of the float64 problem's exact solution (tests/data/nist/exact.py), rounded. */
static double digits_allowed(job *j, const nist_set *set) {
  char path[PATH], name[NIST_TEXT];
  double x[NIST_COEFFICIENTS], value;
  int index, count = 0;
  snprintf(path, sizeof path, "%s/nist/exact_solutions.txt", j->data);
  FILE *file = fopen(path, "r");
  if (file == NULL) return miss(j, set->name, path, "cannot be read");
  while (fscanf(file, "%31s %d %lf", name, &index, &value) == 3) {
    if (strcmp(name, set->name) == 0 && index >= 0 && index < NIST_COEFFICIENTS) x[index] = value, count++;
  }
  fclose(file);
  return count == set->n ? nist_right_digits(set, x) : miss(j, set->name, path, "coefficients are missing");
}

static void print_cell(double digits, int width) {
  if (isnan(digits)) {
    printf("%*s", width, "-");
  } else {
    printf("%*.1f", width, digits);
  }
}

/* 0 if the set was read, and its row begun. */
static int begin_row(job *j, const char *name, nist_set *set, double *a) {
  char path[PATH];
  snprintf(path, sizeof path, "%s/nist/%s.dat", j->data, name);
  if (nist_load(path, set) != 0) {
    j->failures++;
    return -1;
  }
  nist_design(set, a, NULL);
  printf("%-9s %3d x %-3d", name, (int)set->m, (int)set->n);
  return 0;
}

static void print_refined(job *j, const char *name) {
  static const way ways[] = {
      {"la-gd1-d5", LSQNET_METHOD_AUTO, -1}, {"la-gd1-d8", LSQNET_METHOD_AUTO, -1}, {NULL, LSQNET_METHOD_AUTO, -1}};
  double a[ENTRIES] = {0};
  nist_set set;
  if (begin_row(j, name, &set, a) != 0) return;
  print_cell(digits_of_lapack(j, &set, a), 10);
  for (int i = 0; i < 3; i++) print_cell(digits_of_model(j, &set, a, &ways[i]), 10);
  print_cell(digits_allowed(j, &set), 12);
  print_cell(digits_of_command(j, &set), 10);
  printf("\n");
}

static void print_unrefined(job *j, const char *name) {
  static const int32_t methods[] = {LSQNET_METHOD_GD, LSQNET_METHOD_CG, LSQNET_METHOD_DIRECT};
  static const char *const models[] = {"la-gd1-d5", "la-gd1-d8", NULL};
  double a[ENTRIES] = {0};
  nist_set set;
  if (begin_row(j, name, &set, a) != 0) return;
  for (int i = 0; i < 9; i++) {
    const way w = {models[i % 3], methods[i / 3], 0};
    print_cell(digits_of_model(j, &set, a, &w), i % 3 == 0 ? 9 : 7);
  }
  printf("\n");
}

static const char heading[] =
    "\nRight digits of the worst coefficient, NIST StRD linear regression (15 are certified)\n\n"
    "set       m x n        LAPACK   trained   trained     exact       exact   command\n"
    "                       dgelsd       D=5       D=8      20x5  arithmetic    --poly\n";

static const char legend[] =
    "\n"
    "LAPACK dgelsd     the usual library routine, on the same float64 data%s\n"
    "trained D=5, D=8  models/la-gd1-d5 and la-gd1-d8, trained from random weights, applied in blocks\n"
    "exact 20x5        the same kind of model for 20 rows and 5 unknowns with weights set by formula\n"
    "exact arithmetic  the float64 data solved in rational numbers: no float64 solver can do better, but by luck\n"
    "command --poly    lsqnet solve SET.csv --poly K: decimal data and their powers kept to twice float64's "
    "precision\n";

static const char unrefined_heading[] =
    "\nThe same without refinement: the models' own answers\n\n"
    "                        gradient descent    conjugate gradients            direct\n"
    "set       m x n          D=5    D=8  exact      D=5    D=8  exact      D=5    D=8  exact\n";

int main(int argc, char **argv) {
  if (argc != 3 && argc != 5) {
    fprintf(stderr, "usage: nist_table DATA_FOLDER MODEL_FOLDER [LSQNET_COMMAND CSV_FOLDER]\n");
    return EXIT_FAILURE;
  }
  job j = {.data = argv[1], .models = argv[2]};
  if (argc == 5) j.command = argv[3], j.csv = argv[4];
  if (lsqnet_context_create(&j.context, NULL) != LSQNET_OK) {
    fprintf(stderr, "%s\n", lsqnet_last_message());
    return EXIT_FAILURE;
  }
  fputs(heading, stdout);
  for (int i = 0; i < NIST_SETS; i++) print_refined(&j, nist_names[i]);
#ifdef HAVE_LAPACKE
  printf(legend, "");
#else
  printf(legend, " (this build has no LAPACKE)");
#endif
  fputs(unrefined_heading, stdout);
  for (int i = 0; i < NIST_SETS; i++) print_unrefined(&j, nist_names[i]);
  lsqnet_context_destroy(j.context);
  return j.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
