/* Correlations by vectors of LANE_COUNT channels; toeplitz.c includes this for every width up to the level's. */

#define PASTE_(name, lanes) name##_##lanes
#define PASTE(name, lanes)  PASTE_(name, lanes)
#define WIDE(name)          PASTE(name, LANE_COUNT)

typedef real WIDE(lanes) __attribute__((vector_size(LANE_COUNT * sizeof(real)), aligned(sizeof(real)), may_alias));

/* The terms j = from .. end - 1 of row i, added to s. */
static inline WIDE(lanes) WIDE(add_terms)(const correlation *c, int64_t i, int64_t from, int64_t end, WIDE(lanes) s) {
  if (from >= end) return s;
  const real *g = c->G + c->sign * (i - from) * c->D, *in = c->in + (from - c->in_first) * c->D;
  for (int64_t j = from; j < end; j++, g -= c->sign * c->D, in += c->D) {
    s += *(const WIDE(lanes) *)g * *(const WIDE(lanes) *)in;
  }
  return s;
}

/* Lanes 0 .. skip-1 were written with the channels before. */
static inline void WIDE(put)(real *out, WIDE(lanes) s, int64_t skip) {
  if (skip == 0) {
    *(WIDE(lanes) *)out = s;
  } else {
    for (int64_t k = skip; k < LANE_COUNT; k++) out[k] = s[k];
  }
}

static void WIDE(correlate_row)(const correlation *c, int64_t i, real *out, int64_t skip) {
  WIDE(put)(out, WIDE(add_terms)(c, i, first_term(c, i), end_term(c, i), *(WIDE(lanes) *)out), skip);
}

/* Four rows at a time: each row of `in` that all of them take is read once. */
static void WIDE(correlate_rows)(const correlation *c, int64_t i, real *out, int64_t skip) {
  const int64_t D = c->D, from = first_term(c, i + 3), end = end_term(c, i), up = c->sign * D;
  if (from >= end) {
    for (int64_t r = 0; r < 4; r++) WIDE(correlate_row)(c, i + r, out + r * D, skip);
    return;
  }
  WIDE(lanes) s0 = WIDE(add_terms)(c, i, first_term(c, i), from, *(WIDE(lanes) *)out);
  WIDE(lanes) s1 = WIDE(add_terms)(c, i + 1, first_term(c, i + 1), from, *(WIDE(lanes) *)(out + D));
  WIDE(lanes) s2 = WIDE(add_terms)(c, i + 2, first_term(c, i + 2), from, *(WIDE(lanes) *)(out + 2 * D));
  WIDE(lanes) s3 = *(WIDE(lanes) *)(out + 3 * D);
  const real *g = c->G + (i - from) * up, *in = c->in + (from - c->in_first) * D;
  for (int64_t j = from; j < end; j++, g -= up, in += D) {
    const WIDE(lanes) x = *(const WIDE(lanes) *)in;
    s0 += *(const WIDE(lanes) *)g * x;
    s1 += *(const WIDE(lanes) *)(g + up) * x;
    s2 += *(const WIDE(lanes) *)(g + 2 * up) * x;
    s3 += *(const WIDE(lanes) *)(g + 3 * up) * x;
  }
  WIDE(put)(out, s0, skip);
  WIDE(put)(out + D, WIDE(add_terms)(c, i + 1, end, end_term(c, i + 1), s1), skip);
  WIDE(put)(out + 2 * D, WIDE(add_terms)(c, i + 2, end, end_term(c, i + 2), s2), skip);
  WIDE(put)(out + 3 * D, WIDE(add_terms)(c, i + 3, end, end_term(c, i + 3), s3), skip);
}

/* Rows first .. first + count - 1 of all channels, of which there are at least LANE_COUNT; the last vector overlaps. */
static void WIDE(correlate)(const correlation *whole, int64_t first, int64_t count, real *out) {
  const int64_t D = whole->D;
  for (int64_t d = 0; d < D; d += LANE_COUNT) {
    const int64_t skip = d + LANE_COUNT > D ? d + LANE_COUNT - D : 0, at = d - skip;
    correlation c = *whole;
    c.G += at;
    c.in += at;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) WIDE(correlate_rows)(&c, first + i, out + i * D + at, skip);
    for (; i < count; i++) WIDE(correlate_row)(&c, first + i, out + i * D + at, skip);
  }
}

#undef PASTE_
#undef PASTE
#undef WIDE
#undef LANE_COUNT
