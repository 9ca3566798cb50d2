#include "solve/state.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/pair.h"

static const double LARGEST = 0x1p450;     /* whose square, and that of many, is a number */
static const double MOST_DRIFT = 0x1p-90;  /* that is left to be, and */
static const double GROWTH = 16;           /* since the last repair: one costs less than the updates that led to it */
static const double UNDERFLOW = 0x1p-1070; /* of one update's products */

lsqnet_status lsq_state_create(lsqnet_state **out, lsqnet_context *context, const lsqnet_state_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_state *s = NULL;
  int64_t capacity = 0;
  LSQ_TRY(lsq_alloc(context, &s, 1, sizeof *s));
  s->context = lsq_context_hold(context);
  s->kernels = lsq_lane_kernels_of(context->kernels_f64->level);
  s->options = *options;
  s->columns = options->n + options->k;
  s->stride = (s->columns + LSQ_LANES_MOST - 1) / LSQ_LANES_MOST * LSQ_LANES_MOST;
  LSQ_TRY(lsq_alloc(context, &s->high, s->columns * s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->low, s->columns * s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->drift, s->columns, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->row, s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->left, s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->left_low, s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->work, 4 * s->stride, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->dropped, s->columns, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &s->answer, options->n * options->k, sizeof(double)));
  LSQ_TRY(lsq_reserve(context, &s->factor, &capacity, 2 * s->columns * s->columns, sizeof(double)));
  *out = s;
  s = NULL;
done:
  lsq_state_destroy(s);
  return st;
}

void lsq_state_destroy(lsqnet_state *s) {
  if (s == NULL) return;
  lsqnet_context *context = s->context;
  double *const all[] = {s->high, s->low,     s->drift,  s->row,    s->left,    s->left_low,
                         s->work, s->dropped, s->answer, s->factor, s->weights, s->kept};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lsq_free(context, all[i]);
  lsq_free(context, s->numbers);
  lsq_free(context, s);
  lsqnet_context_destroy(context);
}

/* ---- moments ---- */

static double moment(const lsqnet_state *s, int64_t j) { return s->high[j * s->stride + j]; }

double lsq_state_drift(const lsqnet_state *s) {
  double most = 0.0;
  for (int64_t j = 0; j < s->columns; j++) {
    if (s->drift[j] == 0.0) continue;
    const double relative = moment(s, j) > 0.0 ? s->drift[j] / moment(s, j) : INFINITY;
    most = fmax(most, relative);
  }
  return most;
}

static void clear(lsqnet_state *s) {
  const size_t size = (size_t)(s->columns * s->stride) * sizeof(double);
  memset(s->high, 0, size);
  memset(s->low, 0, size);
  memset(s->drift, 0, (size_t)s->columns * sizeof(double));
}

/* The roundings of one more update of each moment, as large as it has been, and what its pairs cannot hold. */
static void add_drift(lsqnet_state *s, double fade, double weight) {
  for (int64_t j = 0; j < s->columns; j++) {
    const double size = fabs(moment(s, j)), lost = size > 0.0 || s->row[j] != 0.0 ? UNDERFLOW : 0.0;
    s->drift[j] = fade * s->drift[j] + LSQ_STATE_ROUNDING * (size + weight * s->row[j] * s->row[j]) + lost;
  }
}

/* Moments times `fade`, plus those of s->row times sign and weight. */
static void update(lsqnet_state *s, double fade, double weight, double weight_low) {
  for (int64_t j = 0; j < s->columns; j++) {
    double error = 0.0;
    s->left[j] = lsq_two_product(weight, s->row[j], &error);
    s->left_low[j] = error + weight_low * s->row[j];
  }
  add_drift(s, fade, fabs(weight));
  s->kernels->add_row(s->columns, s->stride, fade, s->left, s->left_low, s->row, s->high, s->low);
}

static void multiply(double *high, double *low, double factor, double factor_low) {
  double error = 0.0;
  const double product = lsq_two_product(*high, factor, &error);
  *high = lsq_fast_two_sum(product, error + (*high * factor_low + *low * factor), low);
}

double lsq_state_weight(const lsqnet_state *s, int64_t age, double *low) {
  double high = 1.0, power = s->options.forgetting, power_low = 0.0;
  *low = 0.0;
  for (; age > 0 && power > 0.0; age /= 2) {
    if (age % 2 == 1) multiply(&high, low, power, power_low);
    multiply(&power, &power_low, power, power_low);
  }
  return age > 0 ? 0.0 : high;
}

/* ---- rows ---- */

static void take_row(lsqnet_state *s, const double *a, const double *b) {
  memcpy(s->row, a, (size_t)s->options.n * sizeof(double));
  memcpy(s->row + s->options.n, b, (size_t)s->options.k * sizeof(double));
}

static lsqnet_status check_numbers(const char *name, int64_t rows, int64_t columns, const double *values, int64_t ld) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      if (!(fabs(values[i * ld + j]) <= LARGEST))
        return lsq_fail(LSQNET_E_NOT_FINITE, "%s is %g in row %lld, column %lld (counted from 0): at most 2^450", name,
                        values[i * ld + j], (long long)i, (long long)j);
  return LSQNET_OK;
}

static const double *kept_row(const lsqnet_state *s, int64_t index) {
  return s->kept + (s->first + index) * s->columns;
}

/* Room for `rows` more: what has gone makes place first, if it is half of all. */
static lsqnet_status make_room(lsqnet_state *s, int64_t rows) {
  lsqnet_status st = LSQNET_OK;
  const int64_t held = s->rows, wanted = s->first + held + rows;
  double *kept = NULL, *weights = NULL;
  int64_t *numbers = NULL, most = 0;
  if (s->first >= held + rows) {
    memmove(s->kept, kept_row(s, 0), (size_t)(held * s->columns) * sizeof(double));
    memmove(s->numbers, s->numbers + s->first, (size_t)held * sizeof *s->numbers);
    s->first = 0;
  }
  if (s->first + held + rows <= s->kept_capacity) return LSQNET_OK;
  LSQ_TRY(lsq_size_product(&most, (const int64_t[]){wanted, 2, s->columns, 8}, 4, "rows kept"));
  const int64_t capacity = wanted + wanted / 2 + 16;
  LSQ_TRY(lsq_alloc(s->context, &kept, capacity * s->columns, sizeof *kept));
  LSQ_TRY(lsq_alloc(s->context, &numbers, capacity, sizeof *numbers));
  if (s->options.forgetting < 1.0) LSQ_TRY(lsq_alloc(s->context, &weights, 2 * capacity, sizeof *weights));
  if (held > 0) {
    memcpy(kept, kept_row(s, 0), (size_t)(held * s->columns) * sizeof(double));
    memcpy(numbers, s->numbers + s->first, (size_t)held * sizeof *numbers);
  }
  lsq_free(s->context, s->kept);
  lsq_free(s->context, s->numbers);
  lsq_free(s->context, s->weights);
  s->kept = kept;
  s->numbers = numbers;
  s->weights = weights;
  s->first = 0;
  s->kept_capacity = capacity;
  kept = weights = NULL;
  numbers = NULL;
done:
  lsq_free(s->context, weights);
  lsq_free(s->context, kept);
  lsq_free(s->context, numbers);
  return st;
}

lsqnet_status lsq_state_append(lsqnet_state *s, int64_t rows, const double *a, int64_t lda, const double *b,
                               int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_numbers("a", rows, s->options.n, a, lda));
  LSQ_TRY(check_numbers("b", rows, s->options.k, b, ldb));
  if (s->options.keep_rows) LSQ_TRY(make_room(s, rows));
  for (int64_t i = 0; i < rows; i++) {
    take_row(s, a + i * lda, b + i * ldb);
    update(s, s->options.forgetting, 1.0, 0.0);
    if (s->options.keep_rows) {
      const int64_t place = s->first + s->rows;
      memcpy(s->kept + place * s->columns, s->row, (size_t)s->columns * sizeof(double));
      s->numbers[place] = s->appended;
    }
    s->rows++;
    s->appended++;
  }
done:
  return st;
}

/* Number by number: 0.0 and -0.0 are the same one. */
static int same_numbers(const double *a, const double *b, int64_t count) {
  int64_t i = 0;
  while (i < count && a[i] == b[i]) i++;
  return i == count;
}

/* The oldest row kept that equals s->row, not before `from`; s->rows if there is none. */
static int64_t find_row(const lsqnet_state *s, int64_t from) {
  int64_t index = from;
  while (index < s->rows && !same_numbers(kept_row(s, index), s->row, s->columns)) index++;
  return index;
}

/* Row `index` of those kept leaves them, and the moments. */
static void drop_kept(lsqnet_state *s, int64_t index) {
  double low = 0.0;
  const double high = lsq_state_weight(s, s->appended - 1 - s->numbers[s->first + index], &low);
  memcpy(s->row, kept_row(s, index), (size_t)s->columns * sizeof(double));
  update(s, 1.0, -high, -low);
  memmove(s->kept + (s->first + 1) * s->columns, s->kept + s->first * s->columns,
          (size_t)(index * s->columns) * sizeof(double));
  memmove(s->numbers + s->first + 1, s->numbers + s->first, (size_t)index * sizeof *s->numbers);
  s->first++;
  s->rows--;
}

/* Every one of them must be there before the first goes: equal ones as often as they are asked for. */
static lsqnet_status check_kept(lsqnet_state *s, int64_t rows, const double *a, int64_t lda, const double *b,
                                int64_t ldb) {
  for (int64_t i = 0; i < rows; i++) {
    int64_t index = -1;
    for (int64_t same = 0; same <= i; same++) {
      if (!same_numbers(a + same * lda, a + i * lda, s->options.n) ||
          !same_numbers(b + same * ldb, b + i * ldb, s->options.k))
        continue;
      take_row(s, a + i * lda, b + i * ldb);
      index = find_row(s, index + 1);
      if (index == s->rows)
        return lsq_fail(LSQNET_E_ARGUMENT, "row %lld (counted from 0) is not among the %lld rows of the state",
                        (long long)i, (long long)s->rows);
    }
  }
  return LSQNET_OK;
}

static lsqnet_status check_removal(lsqnet_state *s, int64_t rows, const double *a, int64_t lda, const double *b,
                                   int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  if (rows > s->rows)
    return lsq_fail(LSQNET_E_ARGUMENT, "rows=%lld: the state has %lld", (long long)rows, (long long)s->rows);
  if (!s->options.keep_rows && a == NULL)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the oldest rows cannot be removed: rows are not kept (keep_rows=0)");
  if (!s->options.keep_rows && s->options.forgetting < 1.0)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "forgetting=%g: how far a row has faded is not known (keep_rows=0)",
                    s->options.forgetting);
  if (a == NULL) return LSQNET_OK;
  LSQ_TRY(check_numbers("a", rows, s->options.n, a, lda));
  LSQ_TRY(check_numbers("b", rows, s->options.k, b, ldb));
  if (s->options.keep_rows) LSQ_TRY(check_kept(s, rows, a, lda, b, ldb));
done:
  return st;
}

lsqnet_status lsq_state_remove(lsqnet_state *s, int64_t rows, const double *a, int64_t lda, const double *b,
                               int64_t ldb) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(check_removal(s, rows, a, lda, b, ldb));
  for (int64_t i = 0; i < rows; i++) {
    if (a != NULL) take_row(s, a + i * lda, b + i * ldb);
    if (s->options.keep_rows) {
      drop_kept(s, a != NULL ? find_row(s, 0) : 0);
    } else {
      update(s, 1.0, -1.0, 0.0);
      s->rows--;
    }
  }
  if (rows > 0) s->changed = s->rows > 0;
  if (s->rows == 0) clear(s); /* nothing is left of them, nor of their roundings */
done:
  return st;
}

void lsq_state_repair(lsqnet_state *s) {
  clear(s);
  for (int64_t i = 0; i < s->rows; i++) {
    double low = 0.0;
    memcpy(s->row, kept_row(s, i), (size_t)s->columns * sizeof(double));
    const double high = lsq_state_weight(s, s->appended - 1 - s->numbers[s->first + i], &low);
    update(s, 1.0, high, low);
  }
  s->changed = 0;
  s->fresh_drift = lsq_state_drift(s);
  s->repairs++;
}

void lsq_state_repair_drift(lsqnet_state *s) {
  if (s->options.keep_rows && s->changed && lsq_state_drift(s) > fmax(MOST_DRIFT, GROWTH * s->fresh_drift))
    lsq_state_repair(s);
}
