#include "nist.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFIED_FIRST = 31, CERTIFIED_LAST = 60, LINE = 256 };

const char *const nist_names[NIST_SETS] = {"Norris",   "Pontius",  "NoInt1",   "NoInt2",   "Longley", "Wampler1",
                                           "Wampler2", "Wampler3", "Wampler4", "Wampler5", "Filip"};

static int fail(const char *path, int line, const char *reason) {
  fprintf(stderr, "%s:%d: %s\n", path, line, reason);
  return -1;
}

/* Splits a line at white space, in place. */
static int split(char *line, char *words[], int most) {
  int count = 0;
  for (char *word = strtok(line, " \t\r\n"); word != NULL && count < most; word = strtok(NULL, " \t\r\n")) {
    words[count++] = word;
  }
  return count;
}

static int keep_number(char text[NIST_TEXT], double *value, const char *word) {
  char *end = NULL;
  if (strlen(word) >= NIST_TEXT) return -1;
  strcpy(text, word);
  *value = strtod(word, &end);
  return *end == '\0' && isfinite(*value) ? 0 : -1;
}

/* "B3  -0.12345  0.678": a certified coefficient. Other lines of that part are passed over. */
static int read_certified(nist_set *set, char *line) {
  char *words[3];
  if (split(line, words, 3) < 3 || words[0][0] != 'B' || words[0][1] < '0' || words[0][1] > '9') return 0;
  if (set->n == NIST_COEFFICIENTS) return -1;
  if (strcmp(words[0], "B0") == 0) set->intercept = 1;
  int64_t i = set->n++;
  return keep_number(set->certified_text[i], &set->certified[i], words[1]);
}

static int read_observation(nist_set *set, char *line) {
  char *words[NIST_PREDICTORS + 1];
  int count = split(line, words, NIST_PREDICTORS + 1);
  int64_t i = set->m;
  if (count == 0) return 0;
  if (i == 0) set->predictors = count - 1;
  if (count < 2 || count - 1 != set->predictors || i == NIST_ROWS) return -1;
  set->m++;
  if (keep_number(set->y_text[i], &set->y[i], words[0]) != 0) return -1;
  for (int j = 1; j < count; j++) {
    if (keep_number(set->x_text[i][j - 1], &set->x[i][j - 1], words[j]) != 0) return -1;
  }
  return 0;
}

static void keep_name(nist_set *set, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash == NULL ? path : slash + 1;
  size_t length = strcspn(base, ".");
  if (length >= NIST_TEXT) length = NIST_TEXT - 1;
  memcpy(set->name, base, length);
}

static int read_lines(FILE *file, const char *path, nist_set *set) {
  char line[LINE];
  for (int number = 1; fgets(line, LINE, file) != NULL; number++) {
    if (number < CERTIFIED_FIRST) continue;
    int bad = number <= CERTIFIED_LAST ? read_certified(set, line) : read_observation(set, line);
    if (bad) return fail(path, number, "not a line of a NIST data set");
  }
  int64_t slopes = set->n - set->intercept;
  if (set->m < set->n || slopes < 1) return fail(path, 1, "no certified values or too few observations");
  set->degree = set->predictors == 1 ? (int)slopes : 1;
  if (set->predictors > 1 && set->predictors != slopes) return fail(path, 1, "predictors do not match coefficients");
  return 0;
}

int nist_load(const char *path, nist_set *out) {
  FILE *file = fopen(path, "r");
  memset(out, 0, sizeof *out);
  if (file == NULL) return fail(path, 0, "cannot be opened");
  keep_name(out, path);
  int bad = read_lines(file, path, out);
  fclose(file);
  return bad;
}

int nist_load_named(const char *name, nist_set *out) {
  char path[4096];
  const char *data = getenv("LSQNET_TEST_DATA");
  snprintf(path, sizeof path, "%s/nist/%s.dat", data == NULL ? "tests/data" : data, name);
  return nist_load(path, out);
}

/* (high + low) <- (high + low) * x, to about 2^-104. */
static void multiply_pair(double *high, double *low, double x) {
  double product = *high * x;
  double error = fma(*high, x, -product) + *low * x;
  *high = product + error;
  *low = error - (*high - product);
}

void nist_design(const nist_set *set, double *a, double *low) {
  for (int64_t i = 0; i < set->m; i++) {
    int64_t column = i * set->n;
    if (set->intercept) {
      a[column] = 1.0;
      if (low != NULL) low[column] = 0.0;
      column++;
    }
    for (int64_t j = 0; j < set->predictors; j++) {
      double high = 1.0, rest = 0.0;
      for (int power = 1; power <= set->degree; power++, column++) {
        multiply_pair(&high, &rest, set->x[i][j]);
        a[column] = high;
        if (low != NULL) low[column] = rest;
      }
    }
  }
}

double nist_right_digits(const nist_set *set, const double *coefficients) {
  double worst = 15.0;
  for (int64_t j = 0; j < set->n; j++) {
    double error = fabs(coefficients[j] - set->certified[j]);
    double digits = error == 0.0 ? 15.0 : -log10(error / fabs(set->certified[j]));
    if (!(digits >= worst)) worst = digits;
    if (isnan(digits)) return 0.0;
  }
  return worst > 0.0 ? worst : 0.0;
}
