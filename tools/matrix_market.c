/* Matrix Market: coordinate and array files of real or integer numbers; general, symmetric, skew-symmetric.
 * Source: Boisvert, Pozo, Remington, "The Matrix Market Exchange Formats", NISTIR 5935, 1996. */
#include <string.h>
#include <strings.h>

#include "decimal.h"
#include "error.h"
#include "table.h"

enum { GENERAL, SYMMETRIC, SKEW };

/* Tables of more numbers than LARGE must be justified by the file: a sparse one holds at most this many numbers an
 * entry.
 */
enum { NUMBERS_PER_ENTRY = 1000, LARGE = 1 << 24 };

typedef struct {
  input *in;
  table *out;
  int pairs, coordinate, symmetry;
  int64_t m, n, entries, size_line;
  char *words[8]; /* of the last line */
  int count;
} market;

/* Splits the line at blanks; words beyond those that any line has are counted only. */
static void split(market *f) {
  char *rest = NULL;
  f->count = 0;
  for (char *word = strtok_r(f->in->text, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
    if (f->count < 8) f->words[f->count++] = word;
  }
}

static int next_line(market *f, int *more) {
  int code = CODE_DONE;
  do {
    TRY(input_line(f->in, more));
    if (!*more) return CODE_DONE;
    if (*f->in->text == '%') f->in->text[0] = '\0';
    split(f);
  } while (f->count == 0);
done:
  return code;
}

static int fail_here(const market *f, const char *expected) {
  return fail_at(CODE_INPUT, f->in->name, f->in->line, "not %s", expected);
}

static int read_banner(market *f) {
  static const char expected[] =
      "a banner \"%%MatrixMarket matrix (coordinate|array) (real|integer) (general|symmetric|skew-symmetric)\"";
  int code = CODE_DONE, more;
  TRY(input_line(f->in, &more));
  split(f);
  if (f->count != 5 || strcasecmp(f->words[0], "%%MatrixMarket") != 0 || strcasecmp(f->words[1], "matrix") != 0) {
    return fail_here(f, expected);
  }
  f->coordinate = strcasecmp(f->words[2], "coordinate") == 0;
  if (!f->coordinate && strcasecmp(f->words[2], "array") != 0) return fail_here(f, expected);
  if (strcasecmp(f->words[3], "real") != 0 && strcasecmp(f->words[3], "integer") != 0 &&
      strcasecmp(f->words[3], "double") != 0) {
    return fail_at(CODE_INPUT, f->in->name, f->in->line, "entries \"%.40s\": only real and integer ones can be solved",
                   f->words[3]);
  }
  if (strcasecmp(f->words[4], "symmetric") == 0) {
    f->symmetry = SYMMETRIC;
  } else if (strcasecmp(f->words[4], "skew-symmetric") == 0) {
    f->symmetry = SKEW;
  } else if (strcasecmp(f->words[4], "general") != 0) {
    return fail_here(f, expected);
  }
done:
  return code;
}

/* Entries that an array file holds: all, or those on and below the diagonal, or those below it. */
static int64_t array_entries(const market *f) {
  if (f->symmetry == GENERAL) return f->m * f->n;
  return f->symmetry == SYMMETRIC ? f->m * (f->m + 1) / 2 : f->m * (f->m - 1) / 2;
}

/* A file of few bytes is to take little memory. */
static int check_sizes(const market *f) {
  const int64_t rest = input_rest(f->in), bytes = f->coordinate ? 6 : 2; /* "1 1 1\n", "1\n" */
  if (f->m <= LARGE / f->n) return CODE_DONE;
  if (f->entries > (rest + 1) / bytes) {
    return fail_at(CODE_INPUT, f->in->name, f->size_line, "%lld entries are announced, but %lld bytes follow",
                   (long long)f->entries, (long long)rest);
  }
  if (f->coordinate && f->m > f->entries * NUMBERS_PER_ENTRY / f->n) {
    return fail_at(CODE_INPUT, f->in->name, f->size_line,
                   "%lld x %lld numbers for %lld entries: too sparse to be solved as a whole table", (long long)f->m,
                   (long long)f->n, (long long)f->entries);
  }
  return CODE_DONE;
}

static int read_sizes(market *f) {
  int code = CODE_DONE, more;
  TRY(next_line(f, &more));
  if (!more) return fail_at(CODE_INPUT, f->in->name, f->in->line, "the file ends before the line of sizes");
  if (f->count != (f->coordinate ? 3 : 2)) {
    return fail_here(f, f->coordinate ? "\"rows columns entries\"" : "\"rows columns\"");
  }
  int64_t *sizes[] = {&f->m, &f->n, &f->entries};
  for (int i = 0; i < f->count; i++) {
    if (decimal_read_integer(f->words[i], sizes[i]) != 0 || *sizes[i] < (i < 2)) {
      return fail_at(CODE_INPUT, f->in->name, f->in->line, "\"%.40s\" is not a size", f->words[i]);
    }
  }
  if (f->symmetry != GENERAL && f->m != f->n) {
    return fail_at(CODE_INPUT, f->in->name, f->in->line, "%lld x %lld cannot be symmetric", (long long)f->m,
                   (long long)f->n);
  }
  f->size_line = f->in->line;
  if (!f->coordinate && f->m > INT64_MAX / 4 / f->n)
    f->entries = INT64_MAX / 4;
  else if (!f->coordinate)
    f->entries = array_entries(f);
  TRY(check_sizes(f));
  TRY(table_allocate(f->out, f->m, f->n, f->pairs));
done:
  return code;
}

static int add(const market *f, int64_t i, int64_t j, pair value) {
  double *high = &f->out->high[i * f->n + j];
  pair sum = {*high, f->pairs ? f->out->low[i * f->n + j] : 0.0};
  sum = pair_add(sum, value);
  if (!isfinite(sum.high)) {
    return fail_at(CODE_INPUT, f->in->name, f->in->line, "the sum of entries %lld %lld is beyond float64's range",
                   (long long)i + 1, (long long)j + 1);
  }
  *high = sum.high;
  if (f->pairs) f->out->low[i * f->n + j] = sum.low;
  return CODE_DONE;
}

/* Adds an entry and its mirror image: entries given twice add up, as in finite-element assembly. */
static int add_entry(const market *f, int64_t i, int64_t j, pair value) {
  int code = CODE_DONE;
  TRY(add(f, i, j, value));
  if (f->symmetry == GENERAL || i == j) return CODE_DONE;
  if (f->symmetry == SKEW) value = (pair){-value.high, -value.low};
  TRY(add(f, j, i, value));
done:
  return code;
}

static int read_index(const market *f, int word, int64_t size, int64_t *index) {
  if (decimal_read_integer(f->words[word], index) != 0 || *index < 1 || *index > size) {
    return fail_at(CODE_INPUT, f->in->name, f->in->line, "column %d: \"%.40s\" is not an index from 1 to %lld",
                   word + 1, f->words[word], (long long)size);
  }
  --*index;
  return CODE_DONE;
}

static int read_coordinate(market *f) {
  int code = CODE_DONE;
  int64_t i, j;
  pair value;
  if (f->count != 3) return fail_here(f, "\"row column value\"");
  TRY(read_index(f, 0, f->m, &i));
  TRY(read_index(f, 1, f->n, &j));
  TRY(table_number(f->in, f->in->line, 3, f->words[2], f->pairs, &value));
  if (f->symmetry != GENERAL && j > i - (f->symmetry == SKEW)) {
    return fail_at(CODE_INPUT, f->in->name, f->in->line, "entry %lld %lld: a %s file holds entries %s the diagonal",
                   (long long)i + 1, (long long)j + 1, f->symmetry == SKEW ? "skew-symmetric" : "symmetric",
                   f->symmetry == SKEW ? "below" : "on and below");
  }
  TRY(add_entry(f, i, j, value));
done:
  return code;
}

/* An array file goes down column after column. */
static int read_array(market *f, int64_t *i, int64_t *j) {
  int code = CODE_DONE;
  pair value;
  if (f->count != 1) return fail_here(f, "one number");
  TRY(table_number(f->in, f->in->line, 1, f->words[0], f->pairs, &value));
  TRY(add_entry(f, *i, *j, value));
  if (++*i == f->m) {
    ++*j;
    *i = f->symmetry == GENERAL ? 0 : *j + (f->symmetry == SKEW);
  }
done:
  return code;
}

static int read_entries(market *f) {
  int code = CODE_DONE, more;
  int64_t i = f->symmetry == SKEW, j = 0;
  for (int64_t entry = 0;; entry++) {
    TRY(next_line(f, &more));
    if (more && entry == f->entries) {
      return fail_at(CODE_INPUT, f->in->name, f->in->line, "more entries than the %lld that line %lld announces",
                     (long long)f->entries, (long long)f->size_line);
    }
    if (!more && entry < f->entries) {
      return fail_at(CODE_INPUT, f->in->name, f->in->line, "the file ends after %lld entries, line %lld announces %lld",
                     (long long)entry, (long long)f->size_line, (long long)f->entries);
    }
    if (!more) break;
    TRY(f->coordinate ? read_coordinate(f) : read_array(f, &i, &j));
  }
done:
  return code;
}

int matrix_market_read(table *out, input *in, int pairs) {
  int code = CODE_DONE;
  market f = {.in = in, .out = out, .pairs = pairs};
  TRY(input_hold(in));
  TRY(read_banner(&f));
  TRY(read_sizes(&f));
  TRY(read_entries(&f));
done:
  return code;
}
