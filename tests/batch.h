/* Many problems of one shape laid out for the batch calls, in every layout and number type. */
#ifndef LSQ_TESTS_BATCH_H
#define LSQ_TESTS_BATCH_H

#include "problem.h"

/* How problems lie: bits of a number below LAYOUTS. */
enum { LAYOUT_COLUMN_MAJOR = 1, LAYOUT_PADDED = 2, LAYOUT_POINTERS = 4, LAYOUT_F32 = 8, LAYOUTS = 16 };

enum { BATCH_A, BATCH_B, BATCH_X, BATCH_WEIGHTS, BATCH_ARRAYS };

typedef struct {
  lsqnet_problems shape;
  int layout;
  int64_t rows[BATCH_ARRAYS], columns[BATCH_ARRAYS], ld[BATCH_ARRAYS], stride[BATCH_ARRAYS];
  double *f64[BATCH_ARRAYS];
  float *f32[BATCH_ARRAYS];
  double **lists64[BATCH_ARRAYS];
  float **lists32[BATCH_ARRAYS];
  lsqnet_report *reports;
} batch;

static inline void *some(size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (memory == NULL) abort();
  return memory;
}

/* NULL if this machine does not have the level. */
static inline lsqnet_context *context_of_level(int32_t level) {
  lsqnet_context_options options;
  lsqnet_context *context = NULL;
  if (lsqnet_context_options_init(&options, sizeof options) != LSQNET_OK) abort();
  options.kernel_level = level;
  return lsqnet_context_create(&context, &options) == LSQNET_OK ? context : NULL;
}

static inline batch batch_create(int64_t count, int64_t m, int64_t n, int64_t k, int layout) {
  batch s = {.layout = layout};
  const int64_t rows[BATCH_ARRAYS] = {m, m, n, m}, columns[BATCH_ARRAYS] = {n, k, k, 1};
  if (lsqnet_problems_init(&s.shape, sizeof s.shape) != LSQNET_OK) abort();
  s.shape.count = count;
  s.shape.m = m;
  s.shape.n = n;
  s.shape.k = k;
  s.shape.column_major = layout & LAYOUT_COLUMN_MAJOR ? 1 : 0;
  s.reports = some((size_t)(count * k), sizeof *s.reports);
  s.reports[0].size = sizeof *s.reports;
  for (int i = 0; i < BATCH_ARRAYS; i++) {
    const int turned = s.shape.column_major || i == BATCH_WEIGHTS, padding = layout & LAYOUT_PADDED ? 3 : 0;
    s.rows[i] = rows[i];
    s.columns[i] = columns[i];
    s.ld[i] = (turned ? rows[i] : columns[i]) + (i < BATCH_WEIGHTS ? padding : 0);
    s.stride[i] = (turned ? columns[i] : rows[i]) * s.ld[i] + padding;
    s.f64[i] = some((size_t)(count * s.stride[i]), sizeof(double));
    s.f32[i] = some((size_t)(count * s.stride[i]), sizeof(float));
    s.lists64[i] = some((size_t)count, sizeof(double *));
    s.lists32[i] = some((size_t)count, sizeof(float *));
    for (int64_t p = 0; p < count; p++) { /* from the last to the first: nothing follows from a stride */
      s.lists64[i][p] = s.f64[i] + (count - 1 - p) * s.stride[i];
      s.lists32[i][p] = s.f32[i] + (count - 1 - p) * s.stride[i];
    }
  }
  if (layout & LAYOUT_PADDED) {
    s.shape.lda = s.ld[BATCH_A];
    s.shape.ldb = s.ld[BATCH_B];
    s.shape.ldx = s.ld[BATCH_X];
    s.shape.a_stride = s.stride[BATCH_A];
    s.shape.b_stride = s.stride[BATCH_B];
    s.shape.x_stride = s.stride[BATCH_X];
    s.shape.weights_stride = s.stride[BATCH_WEIGHTS];
  }
  return s;
}

static inline void batch_free(batch *s) {
  for (int i = 0; i < BATCH_ARRAYS; i++) {
    free(s->f64[i]);
    free(s->f32[i]);
    free(s->lists64[i]);
    free(s->lists32[i]);
  }
  free(s->reports);
}

static inline int64_t batch_place(const batch *s, int array, int64_t p, int64_t i, int64_t j) {
  const int turned = s->shape.column_major || array == BATCH_WEIGHTS;
  const int64_t at = s->layout & LAYOUT_POINTERS ? s->shape.count - 1 - p : p;
  return at * s->stride[array] + (turned ? j * s->ld[array] + i : i * s->ld[array] + j);
}

static inline void batch_set(batch *s, int array, int64_t p, int64_t i, int64_t j, double value) {
  const int64_t at = batch_place(s, array, p, i, j);
  s->f64[array][at] = value;
  s->f32[array][at] = (float)value;
}

static inline double batch_get(const batch *s, int array, int64_t p, int64_t i, int64_t j) {
  const int64_t at = batch_place(s, array, p, i, j);
  return s->layout & LAYOUT_F32 ? (double)s->f32[array][at] : s->f64[array][at];
}

/* Problem p of the batch is `from`, which is rounded to the batch's number type where it is float32. */
static inline void batch_put(batch *s, int64_t p, problem *from) {
  const int narrow = (s->layout & LAYOUT_F32) != 0;
  for (int64_t i = 0; i < from->m; i++) {
    for (int64_t j = 0; j < from->n; j++) {
      double *a = &from->a[i * from->lda + j];
      if (narrow) *a = (double)(float)*a;
      batch_set(s, BATCH_A, p, i, j, *a);
    }
    for (int64_t j = 0; j < from->k; j++) {
      double *b = &from->b[i * from->ldb + j];
      if (narrow) *b = (double)(float)*b;
      batch_set(s, BATCH_B, p, i, j, *b);
    }
  }
}

/* The answer of problem p, to `to`. */
static inline void batch_take(const batch *s, int64_t p, problem *to) {
  for (int64_t j = 0; j < to->n; j++)
    for (int64_t l = 0; l < to->k; l++) to->x[j * to->ldx + l] = batch_get(s, BATCH_X, p, j, l);
}

static inline void batch_fill_x(batch *s, double value) {
  for (int64_t p = 0; p < s->shape.count; p++)
    for (int64_t j = 0; j < s->shape.n; j++)
      for (int64_t l = 0; l < s->shape.k; l++) batch_set(s, BATCH_X, p, j, l, value);
}

static inline lsqnet_status batch_solve(lsqnet_solver *solver, batch *s, int weighted) {
  const int w = weighted ? BATCH_WEIGHTS : -1;
  switch (s->layout & (LAYOUT_POINTERS | LAYOUT_F32)) {
    case 0:
      return lsqnet_solver_solve_batch_f64(solver, &s->shape, s->f64[BATCH_A], s->f64[BATCH_B],
                                           w < 0 ? NULL : s->f64[w], s->f64[BATCH_X], s->reports);
    case LAYOUT_F32:
      return lsqnet_solver_solve_batch_f32(solver, &s->shape, s->f32[BATCH_A], s->f32[BATCH_B],
                                           w < 0 ? NULL : s->f32[w], s->f32[BATCH_X], s->reports);
    case LAYOUT_POINTERS:
      return lsqnet_solver_solve_pointers_f64(
          solver, &s->shape, (const double *const *)s->lists64[BATCH_A], (const double *const *)s->lists64[BATCH_B],
          w < 0 ? NULL : (const double *const *)s->lists64[w], s->lists64[BATCH_X], s->reports);
    default:
      return lsqnet_solver_solve_pointers_f32(
          solver, &s->shape, (const float *const *)s->lists32[BATCH_A], (const float *const *)s->lists32[BATCH_B],
          w < 0 ? NULL : (const float *const *)s->lists32[w], s->lists32[BATCH_X], s->reports);
  }
}

#endif
