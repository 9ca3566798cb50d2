#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Predictors: the columns of the first table apart from b. */
static int64_t predictors(const problem *p, const problem_request *request) {
  return p->data.n - (request->rhs == NULL);
}

static int check_shape(const problem *p, const problem_request *request) {
  int64_t columns = predictors(p, request);
  if (columns == 0) {
    return fail_at(CODE_INPUT, request->file, 0, "one column: its last column is the right-hand side, without --rhs");
  }
  if (request->degree > 0 && columns != 1) {
    return fail_at(CODE_USAGE, request->file, 0, "%lld predictors: --poly takes one", (long long)columns);
  }
  int64_t unknowns = (request->degree > 0 ? request->degree : columns) + request->intercept;
  if (p->m < unknowns && !request->min_norm) {
    return fail_at(CODE_RANK, request->file, 0,
                   "%lld rows for %lld unknowns have no single answer: --min-norm gives the one of least norm",
                   (long long)p->m, (long long)unknowns);
  }
  return CODE_DONE;
}

static int read_sides(problem *p, const problem_request *request) {
  int code = CODE_DONE;
  if (request->rhs == NULL) {
    p->b = p->data.high + p->data.n - 1;
    p->b_low = p->data.low == NULL ? NULL : p->data.low + p->data.n - 1;
    p->ldb = p->data.n;
    p->k = 1;
    return CODE_DONE;
  }
  TRY(table_read(&p->rhs, request->rhs, request->degree > 0));
  if (p->rhs.m != p->m) {
    return fail_at(CODE_INPUT, request->rhs, 0, "%lld rows where %s has %lld", (long long)p->rhs.m, request->file,
                   (long long)p->m);
  }
  p->b = p->rhs.high;
  p->b_low = p->rhs.low;
  p->ldb = p->k = p->rhs.n;
done:
  return code;
}

/* Writes x, x^2, ... x^degree, each rounded once from a pair. */
static int fill_powers(const problem *p, int64_t row, int64_t degree, double *a, double *low, const char *file) {
  pair x = {p->data.high[row * p->data.n], p->data.low[row * p->data.n]}, power = x;
  for (int64_t j = 0; j < degree; j++) {
    if (j > 0) power = pair_multiply(power, x);
    if (!isfinite(power.high)) {
      return fail_at(CODE_INPUT, file, 0, "row %lld: %g to the power %lld is beyond float64's range",
                     (long long)row + 1, x.high, (long long)j + 1);
    }
    a[j] = power.high;
    low[j] = power.low;
  }
  return CODE_DONE;
}

static int build_matrix(problem *p, const problem_request *request) {
  int code = CODE_DONE;
  int64_t count = p->n > INT64_MAX / 16 / p->m ? INT64_MAX / 16 : p->m * p->n;
  p->built = allocate(count, (int64_t)sizeof(double));
  if (request->degree > 0 && p->built != NULL) p->built_low = allocate(count, (int64_t)sizeof(double));
  if (p->built == NULL || (request->degree > 0 && p->built_low == NULL)) {
    return fail(CODE_OTHER, "not enough memory for %lld x %lld numbers", (long long)p->m, (long long)p->n);
  }
  for (int64_t i = 0; i < p->m; i++) {
    double *row = p->built + i * p->n;
    if (request->intercept) *row++ = 1.0;
    if (request->degree > 0) {
      TRY(fill_powers(p, i, request->degree, row, p->built_low + (row - p->built), request->file));
    } else {
      memcpy(row, p->data.high + i * p->data.n, (size_t)predictors(p, request) * sizeof *row);
    }
  }
  p->a = p->built;
  p->a_low = p->built_low;
  p->lda = p->n;
done:
  return code;
}

static int make_matrix(problem *p, const problem_request *request) {
  p->n = (request->degree > 0 ? request->degree : predictors(p, request)) + request->intercept;
  if (request->degree > 0 || request->intercept) return build_matrix(p, request);
  p->a = p->data.high;
  p->lda = p->data.n;
  return CODE_DONE;
}

/* `given`, or `letter` and a number from 1; with a power after it when that is above 1. */
static char *make_name(char *const *given, char letter, int64_t index, int64_t power) {
  char number[32], exponent[32] = "";
  snprintf(number, sizeof number, "%c%lld", letter, (long long)index + 1);
  if (power > 1) snprintf(exponent, sizeof exponent, "^%lld", (long long)power);
  const char *base = given == NULL || *given[index] == '\0' ? number : given[index];
  size_t length = strlen(base) + strlen(exponent) + 1;
  char *name = malloc(length);
  if (name != NULL) snprintf(name, length, "%s%s", base, exponent);
  return name;
}

static int name_unknowns(problem *p, const problem_request *request) {
  p->names = allocate(p->n, (int64_t)sizeof *p->names);
  for (int64_t j = 0; p->names != NULL && j < p->n; j++) {
    int64_t column = j - request->intercept;
    if (column < 0) {
      p->names[j] = strdup("intercept");
    } else if (request->degree > 0) {
      p->names[j] = make_name(p->data.names, 'x', 0, column + 1);
    } else {
      p->names[j] = make_name(p->data.names, 'x', column, 1);
    }
    if (p->names[j] == NULL) return fail_memory("names");
  }
  return p->names == NULL ? fail_memory("names") : CODE_DONE;
}

static int name_sides(problem *p) {
  p->sides = allocate(p->k, (int64_t)sizeof *p->sides);
  for (int64_t j = 0; p->sides != NULL && j < p->k; j++) {
    p->sides[j] = make_name(p->rhs.names, 'b', j, 1);
    if (p->sides[j] == NULL) return fail_memory("names");
  }
  return p->sides == NULL ? fail_memory("names") : CODE_DONE;
}

int problem_read(problem *out, const problem_request *request) {
  int code = CODE_DONE;
  memset(out, 0, sizeof *out);
  TRY(table_read(&out->data, request->file, request->degree > 0));
  out->m = out->data.m;
  TRY(check_shape(out, request));
  TRY(read_sides(out, request));
  TRY(make_matrix(out, request));
  TRY(name_unknowns(out, request));
  TRY(name_sides(out));
done:
  if (code != CODE_DONE) problem_free(out);
  return code;
}

static void free_names(char **names, int64_t count) {
  for (int64_t j = 0; names != NULL && j < count; j++) free(names[j]);
  free(names);
}

void problem_free(problem *p) {
  free_names(p->names, p->n);
  free_names(p->sides, p->k);
  free(p->built);
  free(p->built_low);
  table_free(&p->data);
  table_free(&p->rhs);
  memset(p, 0, sizeof *p);
}
