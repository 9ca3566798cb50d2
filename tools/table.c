#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decimal.h"
#include "error.h"

/* Lazily mapped memory lets an allocation of any size succeed: what the machine cannot hold is refused here. */
static int64_t memory_most(void) {
#ifdef _SC_PHYS_PAGES
  int64_t pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && bytes > 0) return pages > INT64_MAX / bytes ? INT64_MAX : pages * bytes;
#endif
  return INT64_MAX;
}

void *allocate(int64_t count, int64_t size) {
  if (count > memory_most() / size) return NULL;
  return calloc((size_t)count, (size_t)size);
}

static int grow(double **values, int64_t old, int64_t count) {
  double *grown = NULL;
  if (count <= memory_most() / (int64_t)sizeof(double)) grown = realloc(*values, (size_t)count * sizeof(double));
  if (grown == NULL) return fail(CODE_OTHER, "not enough memory for %lld numbers", (long long)count);
  memset(grown + old, 0, (size_t)(count - old) * sizeof(double));
  *values = grown;
  return CODE_DONE;
}

int table_reserve(table *t, int64_t count, int pairs) {
  int code = CODE_DONE;
  if (count <= t->capacity) return CODE_DONE;
  if (count < t->capacity + t->capacity / 2) count = t->capacity + t->capacity / 2;
  if (count < 64) count = 64;
  TRY(grow(&t->high, t->capacity, count));
  if (pairs) TRY(grow(&t->low, t->capacity, count));
  t->capacity = count;
done:
  return code;
}

int table_allocate(table *t, int64_t m, int64_t n, int pairs) {
  int64_t count = m > INT64_MAX / 16 / n ? INT64_MAX / 16 : m * n;
  t->high = allocate(count, (int64_t)sizeof(double));
  if (pairs && t->high != NULL) t->low = allocate(count, (int64_t)sizeof(double));
  if (t->high == NULL || (pairs && t->low == NULL)) {
    return fail(CODE_OTHER, "not enough memory for a table of %lld x %lld numbers", (long long)m, (long long)n);
  }
  t->m = m;
  t->n = n;
  t->capacity = count;
  return CODE_DONE;
}

int table_number(const input *in, int64_t line, int64_t column, const char *word, int pairs, pair *value) {
  decimal_kind kind;
  value->low = 0.0;
  kind = pairs ? decimal_read_pair(word, value) : decimal_read(word, &value->high);
  const char *reason = kind == DECIMAL_NONE         ? "is not a number"
                       : kind == DECIMAL_NOT_FINITE ? "is not finite"
                                                    : "is beyond float64's range";
  if (kind == DECIMAL_OK) return CODE_DONE;
  if (*word == '\0') return fail_at(CODE_INPUT, in->name, line, "column %lld: the cell is empty", (long long)column);
  return fail_at(CODE_INPUT, in->name, line, "column %lld: \"%.40s\" %s", (long long)column, word, reason);
}

int table_read(table *out, const char *path, int pairs) {
  int code = CODE_DONE, first = EOF;
  input in;
  memset(out, 0, sizeof *out);
  TRY(input_open(&in, path));
  TRY(input_peek(&in, &first));
  if (first == 0x93) {
    TRY(npy_read_table(out, &in, pairs));
  } else if (first == '%') {
    TRY(matrix_market_read(out, &in, pairs));
  } else {
    TRY(csv_read(out, &in, pairs));
  }
done:
  input_close(&in);
  if (code != CODE_DONE) table_free(out);
  return code;
}

void table_free(table *t) {
  for (int64_t j = 0; t->names != NULL && j < t->n; j++) free(t->names[j]);
  free(t->names);
  free(t->high);
  free(t->low);
  memset(t, 0, sizeof *t);
}
