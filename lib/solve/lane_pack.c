/* Numbers into lanes. A square of as many numbers as lanes from each source is transposed in registers; compiled for
 * sources of both precisions. */
#include "solve/lane_vectors.h"

#if LSQ_VECTOR_BYTES == 64
#define LOW  0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif LSQ_VECTOR_BYTES == 32
#define LOW  0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#else
#define LOW  0, 2
#define HIGH 1, 3
#endif

typedef real narrow __attribute__((vector_size(WIDE * sizeof(real))));

static inline doubles widen(const real *source) {
  narrow v;
  memcpy(&v, source, sizeof v);
  return __builtin_convertvector(v, doubles);
}

/* Vector l of `square` becomes number l of each: perfect shuffles, log2(WIDE) of them. */
static inline void transpose(doubles *square) {
  for (int done = 1; done < WIDE; done *= 2) {
    doubles shuffled[WIDE];
    for (int l = 0; l < WIDE / 2; l++) {
      shuffled[2 * l] = __builtin_shufflevector(square[l], square[l + WIDE / 2], LOW);
      shuffled[2 * l + 1] = __builtin_shufflevector(square[l], square[l + WIDE / 2], HIGH);
    }
    for (int l = 0; l < WIDE; l++) square[l] = shuffled[l];
  }
}

/* Where the next number goes, and how many of its line are left. */
typedef struct {
  double *next;
  int64_t left;
} position;

static inline position place_of(const lsq_pack_shape *shape, int64_t line, int64_t place, double *out) {
  return (position){out + (line * shape->line_step + place * shape->step) * WIDE, shape->length - place};
}

static inline void store_next(const lsq_pack_shape *shape, position *at, doubles v) {
  memcpy(at->next, &v, sizeof v);
  at->next += shape->step * WIDE;
  if (--at->left == 0) {
    at->next += (shape->line_step - shape->length * shape->step) * WIDE;
    at->left = shape->length;
  }
}

/* `count` numbers that lie one after the other from the beginning of `line` on. The last square may overlap the one
 * before it. */
static void pack_run(const lsq_pack_shape *shape, int64_t line, int64_t count, const real *const *sources,
                     double *out) {
  const int64_t begin = line * shape->distance;
  position at = place_of(shape, line, 0, out);
  if (count < WIDE) {
    for (int64_t e = 0; e < count; e++) {
      doubles v;
      for (int l = 0; l < WIDE; l++) v[l] = (double)sources[l][begin + e];
      store_next(shape, &at, v);
    }
    return;
  }
  for (int64_t e = 0; e < count; e += WIDE) {
    doubles square[WIDE];
    if (e + WIDE > count) {
      e = count - WIDE;
      at = place_of(shape, line + e / shape->length, e % shape->length, out);
    }
    for (int l = 0; l < WIDE; l++) square[l] = widen(sources[l] + begin + e);
    transpose(square);
    for (int l = 0; l < WIDE; l++) store_next(shape, &at, square[l]);
  }
}

void LEVEL(lane_pack)(const lsq_pack_shape *shape, const real *const *sources, double *out);

void LEVEL(lane_pack)(const lsq_pack_shape *shape, const real *const *sources, double *out) {
  if (shape->distance == shape->length) {
    pack_run(shape, 0, shape->lines * shape->length, sources, out);
  } else {
    for (int64_t line = 0; line < shape->lines; line++) pack_run(shape, line, shape->length, sources, out);
  }
}

void LEVEL(lane_copy)(const lsq_pack_shape *shape, int64_t rows, const real *source, double *out);

void LEVEL(lane_copy)(const lsq_pack_shape *shape, int64_t rows, const real *source, double *out) {
  const int64_t whole = shape->length / WIDE < rows ? shape->length / WIDE : rows;
  for (int64_t line = 0; line < shape->lines; line++) {
    const real *from = source + line * shape->distance;
    for (int64_t v = 0; v < whole; v++) put(out, line * shape->line_step + v * shape->step, widen(from + v * WIDE));
    if (whole == rows) continue;
    doubles last = {0};
    for (int64_t l = 0; whole * WIDE + l < shape->length; l++) last[l] = (double)from[whole * WIDE + l];
    put(out, line * shape->line_step + whole * shape->step, last);
  }
}

#if LSQ_PRECISION == 64

void LEVEL(lane_add)(int64_t count, const double *in, double *out);

/* Number i of what comes out is the sum of square[REVERSED[i]]: halves of two vectors are added to each other,
 * interleaved, until there is one. */
static inline doubles add_square(doubles *square) {
  for (int count = WIDE / 2; count >= 1; count /= 2)
    for (int l = 0; l < count; l++) {
      const doubles left = square[2 * l], right = square[2 * l + 1];
      square[l] = __builtin_shufflevector(left, right, LOW) + __builtin_shufflevector(left, right, HIGH);
    }
  return square[0];
}

void LEVEL(lane_add)(int64_t count, const double *in, double *out) {
  static const int REVERSED[3][8] = {{0, 1}, {0, 2, 1, 3}, {0, 4, 2, 6, 1, 5, 3, 7}};
  const int *const reversed = REVERSED[WIDE / 4];
  int64_t i = 0;
  for (; i + WIDE <= count; i += WIDE) {
    doubles square[WIDE];
    for (int l = 0; l < WIDE; l++) square[l] = get(in, i + reversed[l]);
    const doubles sum = add_square(square);
    memcpy(out + i, &sum, sizeof sum);
  }
  if (i == count) return;
  doubles square[WIDE] = {{0}};
  for (int l = 0; l < WIDE; l++)
    if (i + reversed[l] < count) square[l] = get(in, i + reversed[l]);
  const doubles sum = add_square(square);
  memcpy(out + i, &sum, (size_t)(count - i) * sizeof *out);
}

#endif
