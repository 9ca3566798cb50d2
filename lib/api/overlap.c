/* An array is lines of `length` bytes, evenly spaced in a problem, in problems that are evenly spaced. Whether a line
 * of x meets one of another array's is asked of no line in turn: where problems follow each other, or are interleaved,
 * one or two can be met, and where they share lines no more than one of them has. */
#include "api/overlap.h"

typedef struct {
  int64_t count, step;
} steps;

typedef struct {
  const char *name;
  const void *at;
  steps problems, lines;
  int64_t length;
} array;

typedef struct {
  int64_t problem, line, byte; /* of an array */
} place;

/* The least number of steps after which something of `width` bytes ends behind `from`. */
static int64_t first_behind(const steps *s, int64_t width, int64_t from) {
  return from < width ? 0 : s->count == 1 ? 1 : (from - width) / s->step + 1;
}

/* The greatest after which something begins before `end`; -1 if there is none. */
static int64_t last_before(const steps *s, int64_t end) {
  if (end <= 0 || s->count == 1) return end <= 0 ? -1 : 0;
  const int64_t last = (end - 1) / s->step;
  return last < s->count ? last : s->count - 1;
}

static int64_t width_of(const steps *s, int64_t length) { return (s->count - 1) * s->step + length; }

/* Whether bytes from .. from + length - 1, counted from where `other` begins, have any of its bytes. */
static int line_meets(int64_t from, int64_t length, const array *other, place *out) {
  const int64_t problem = width_of(&other->lines, other->length), line = width_of(&other->problems, other->length);
  const int64_t p = first_behind(&other->problems, problem, from), q = last_before(&other->problems, from + length);
  const int64_t l = first_behind(&other->lines, line, from), k = last_before(&other->lines, from + length);
  const int by_problem = q - p <= k - l;
  const steps *outer = by_problem ? &other->problems : &other->lines;
  const steps *inner = by_problem ? &other->lines : &other->problems;
  for (int64_t i = by_problem ? p : l; i <= (by_problem ? q : k); i++) {
    const int64_t left = from - i * outer->step, j = first_behind(inner, other->length, left);
    if (j > last_before(inner, left + length)) continue;
    const int64_t begin = i * outer->step + j * inner->step;
    *out = (place){by_problem ? i : j, by_problem ? j : i, from > begin ? from - begin : 0};
    return 1;
  }
  return 0;
}

static int arrays_meet(array x, array other, place *in_x, place *in_other) {
  const int64_t x_width = width_of(&x.problems, width_of(&x.lines, x.length));
  const int64_t width = width_of(&other.problems, width_of(&other.lines, other.length));
  const uintptr_t begin = (uintptr_t)x.at, other_begin = (uintptr_t)other.at;
  int64_t apart = begin >= other_begin ? (int64_t)(begin - other_begin) : -(int64_t)(other_begin - begin), before = 0;
  if (apart >= width || -apart >= x_width) return 0;
  if (x.lines.count == 1 || x.lines.step == x.length) { /* without gaps it is one line */
    x.length *= x.lines.count;
    x.lines.count = 1;
  }
  if (x.problems.count > 1 && x.problems.step == other.problems.step) { /* any two problems are as 0 and some other */
    before = x.problems.count - 1;
    apart += before * other.problems.step;
    other.problems.count += before;
    x.problems.count = 1;
  }
  for (int64_t p = 0; p < x.problems.count; p++)
    for (int64_t i = 0; i < x.lines.count; i++) {
      const int64_t from = apart + p * x.problems.step + i * x.lines.step;
      if (!line_meets(from, x.length, &other, in_other)) continue;
      const int64_t met = in_other->problem * other.problems.step + in_other->line * other.lines.step + in_other->byte;
      *in_x = (place){p, i, met - from};
      in_other->problem -= before;
      if (in_other->problem < 0) {
        in_x->problem -= in_other->problem;
        in_other->problem = 0;
      }
      return 1;
    }
  return 0;
}

static array describe(const lsqnet_problems *given, const lsq_problems *p, const char *name, const void *at,
                      int64_t rows, int64_t columns, int64_t ld, int64_t stride) {
  const int64_t size = lsq_number_size(p), lines = given->column_major ? columns : rows;
  const int64_t length = given->column_major ? rows : columns;
  return (array){name, at, {p->pointers ? 1 : p->count, stride * size}, {lines, ld * size}, length * size};
}

/* Of a number in lines of `length` bytes. */
static void row_and_column(const lsqnet_problems *given, const lsq_problems *p, int64_t length, const place *at,
                           int64_t *row, int64_t *column) {
  const int64_t numbers = at->line * length + at->byte, within = numbers % length / lsq_number_size(p);
  *row = given->column_major ? within : numbers / length;
  *column = given->column_major ? numbers / length : within;
}

static lsqnet_status refuse(const lsqnet_problems *given, const lsq_problems *p, int64_t problem, const array *x,
                            const array *other, const place *in_x, const place *in_other) {
  int64_t row = 0, column = 0, other_row = 0, other_column = 0;
  row_and_column(given, p, x->length, in_x, &row, &column);
  row_and_column(given, p, other->length, in_other, &other_row, &other_column);
  return lsq_fail(LSQNET_E_ARGUMENT,
                  "x overlaps %s: row %lld, column %lld of x of problem %lld lies at row %lld, column %lld of %s of "
                  "problem %lld (all counted from 0)",
                  other->name, (long long)row, (long long)column, (long long)(problem + in_x->problem),
                  (long long)other_row, (long long)other_column, other->name, (long long)(problem + in_other->problem));
}

lsqnet_status lsq_check_overlap(const lsqnet_problems *given, const lsq_problems *p) {
  for (int64_t i = 0; i < p->count && (i == 0 || p->pointers); i++) {
    const array x = describe(given, p, "x", lsq_problem_x(p, i), p->n, p->k, given->ldx, p->x_stride);
    array others[] = {describe(given, p, "a", lsq_problem_a(p, i), p->m, p->n, given->lda, p->a_stride),
                      describe(given, p, "b", lsq_problem_b(p, i), p->m, p->k, given->ldb, p->b_stride),
                      {"weights", NULL, {0, 0}, {0, 0}, 0}};
    if (p->weights != NULL)
      others[2] = describe(given, p, "weights", lsq_problem_weights(p, i), p->m, 1, 1, p->weights_stride);
    for (int j = 0; j < (p->weights != NULL ? 3 : 2); j++) {
      place in_x, in_other;
      if (arrays_meet(x, others[j], &in_x, &in_other)) return refuse(given, p, i, &x, &others[j], &in_x, &in_other);
    }
  }
  return LSQNET_OK;
}
