/* The main job: right digits of the worst coefficient on the NIST regression sets, beside LAPACK's and what the float64
 * problem allows.
 *
 *   nist_table DATA_FOLDER [LSQNET_COMMAND CSV_FOLDER]       tests/data, examples/data/nist */
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

enum { ENTRIES = NIST_ROWS * NIST_COEFFICIENTS, BLOCK_ROWS = 20, BLOCK_DIM = 5, PATH = 4096 };

typedef struct {
  const char *data, *command, *csv;
  lsqnet_context *context;
  int failures;
} job;

/* Says what went wrong, counts it, and gives NaN for the table. */
static double miss(job *j, const char *set, const char *what, const char *why) {
  fprintf(stderr, "%s, %s: %s\n", set, what, why);
  j->failures++;
  return NAN;
}

static lsqnet_status solve_with_blocks(lsqnet_context *context, int64_t rows, int64_t dim, const nist_set *set,
                                       const double *a, double *x) {
  lsqnet_construct_options options;
  lsqnet_model *model = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_status status = lsqnet_construct_options_init(&options, sizeof options);
  options.rows = rows;
  options.dim = dim;
  if (status == LSQNET_OK) status = lsqnet_model_construct_gradient(&model, context, &options);
  if (status == LSQNET_OK) status = lsqnet_solver_create(&solver, context, model, NULL);
  if (status == LSQNET_OK)
    status = lsqnet_solver_solve_f64(solver, set->m, set->n, 1, a, set->n, set->y, 1, x, 1, NULL);
  lsqnet_solver_destroy(solver);
  lsqnet_model_destroy(model);
  return status;
}

static double digits_of_model(job *j, const nist_set *set, const double *a, int64_t rows, int64_t dim) {
  double x[NIST_COEFFICIENTS] = {0};
  const lsqnet_status status = solve_with_blocks(j->context, rows, dim, set, a, x);
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

static void print_row(job *j, const char *name) {
  char path[PATH];
  double a[ENTRIES] = {0};
  nist_set set;
  snprintf(path, sizeof path, "%s/nist/%s.dat", j->data, name);
  if (nist_load(path, &set) != 0) {
    j->failures++;
    return;
  }
  nist_design(&set, a, NULL);
  printf("%-9s %3d x %-3d", name, (int)set.m, (int)set.n);
  print_cell(digits_of_lapack(j, &set, a), 10);
  print_cell(digits_of_model(j, &set, a, BLOCK_ROWS, BLOCK_DIM), 10);
  print_cell(digits_of_model(j, &set, a, set.m, set.n), 10);
  print_cell(digits_allowed(j, &set), 10);
  print_cell(digits_of_command(j, &set), 10);
  printf("\n");
}

static const char heading[] =
    "\nRight digits of the worst coefficient, NIST StRD linear regression (15 are certified)\n\n"
    "set       m x n        LAPACK     model     model     exact   command\n"
    "                       dgelsd      20x5       m x n arithmetic   --poly\n";

static const char legend[] =
    "\n"
    "LAPACK dgelsd     the usual library routine, on the same float64 data%s\n"
    "model 20x5        exact linear-attention model for 20 rows and 5 unknowns, applied in blocks\n"
    "model m x n       the same made for the set's own size\n"
    "exact arithmetic  the float64 data solved in rational numbers: no float64 solver can do better, but by luck\n"
    "command --poly    lsqnet solve SET.csv --poly K: decimal data and their powers kept to twice float64's "
    "precision\n";

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) {
    fprintf(stderr, "usage: nist_table DATA_FOLDER [LSQNET_COMMAND CSV_FOLDER]\n");
    return EXIT_FAILURE;
  }
  job j = {.data = argv[1], .command = argc == 4 ? argv[2] : NULL, .csv = argc == 4 ? argv[3] : NULL};
  if (lsqnet_context_create(&j.context, NULL) != LSQNET_OK) {
    fprintf(stderr, "%s\n", lsqnet_last_message());
    return EXIT_FAILURE;
  }
  fputs(heading, stdout);
  for (int i = 0; i < NIST_SETS; i++) print_row(&j, nist_names[i]);
#ifdef HAVE_LAPACKE
  printf(legend, "");
#else
  printf(legend, " (this build has no LAPACKE)");
#endif
  lsqnet_context_destroy(j.context);
  return j.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
