/* The NIST StRD linear regression sets (tests/data/nist) as least-squares problems. */
#ifndef LSQ_TESTS_NIST_H
#define LSQ_TESTS_NIST_H

#include <stdint.h>

enum { NIST_ROWS = 96, NIST_PREDICTORS = 8, NIST_COEFFICIENTS = 16, NIST_TEXT = 32, NIST_SETS = 11 };

typedef struct {
  char name[NIST_TEXT];
  int64_t m;          /* observations */
  int64_t n;          /* coefficients */
  int64_t predictors; /* columns of x */
  int intercept;      /* 1: the first coefficient belongs to a column of ones */
  int degree;         /* coefficients are those of x, x^2, ... x^degree; 1 when there are several predictors */
  double certified[NIST_COEFFICIENTS];
  double y[NIST_ROWS];
  double x[NIST_ROWS][NIST_PREDICTORS];
  char certified_text[NIST_COEFFICIENTS][NIST_TEXT]; /* as published; so below */
  char y_text[NIST_ROWS][NIST_TEXT];
  char x_text[NIST_ROWS][NIST_PREDICTORS][NIST_TEXT];
} nist_set;

/* The eleven names, "Norris" first: the order of difficulty that NIST gives them. */
extern const char *const nist_names[NIST_SETS];

/* Reads a .dat file; 0, or -1 with a line on stderr. */
int nist_load(const char *path, nist_set *out);

/* The same for a set by name, from the folder in the environment variable LSQNET_TEST_DATA. */
int nist_load_named(const char *name, nist_set *out);

/* The float64 design matrix (m,n), row-major, columns in the order of the certified coefficients; powers of the float64
 * predictor are rounded once. With `low` not NULL it takes what that rounding dropped, to twice the precision. */
void nist_design(const nist_set *set, double *a, double *low);

/* LRE of the worst coefficient: right digits, 0 .. 15; 0 if any is NaN. */
double nist_right_digits(const nist_set *set, const double *coefficients);

#endif
