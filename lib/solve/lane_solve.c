/* From moments to certified answers, for all lanes at once. With G = A'A, H the model's idea of it and C = H^-1, one
 * correction x += C A'(b - A x) turns an error e into E e, E = I - C G. Both what the model gets wrong and the
 * roundings of moments, inverse and product with it are bounded:
 *
 *   ||E|| <= ||C|| (||H - G|| + (m + 16 n) u ||G||)        u = DBL_EPSILON / 2
 *
 * so that it is known, not guessed, what corrections still to come would change. A lane whose bound is not far below 1
 * is refused. The certificate is that of the rounded answer: from the residual and gradient one correction before it,
 * g - G d and ||r||^2 - 2 d'g + d'G d, unless so much cancels there that they have to be computed anew. */
#include "solve/lane_vectors.h"

#if LSQ_PRECISION == 64

void LEVEL(lane_scale)(lsq_lane_system *s, int64_t first);
void LEVEL(lane_model)(lsq_lane_system *s, const lsq_plan *plan);
void LEVEL(lane_invert)(lsq_lane_system *s);
void LEVEL(lane_start)(lsq_lane_system *s, int64_t side);
int LEVEL(lane_advance)(lsq_lane_system *s, int64_t side, int64_t pass);

enum { STARTS = 16 };
static const double MOST_BOUND = 0x1p-7;
static const double KEPT = 0x1p-22;      /* relative error of a certificate that is good enough */
static const double ROUNDING = 0x1p-104; /* of one term of a compensated sum, over the norms of its factors */

/* Where power steps start from: numbers without a pattern, which might be orthogonal to what is sought. */
static const double START[STARTS] = {0.7409,  -1.1803, 0.4126, 1.3271,  -0.6214, 0.9187, -1.4052, 0.5318,
                                     -0.8273, 1.2416,  0.6891, -0.4529, 1.0637,  0.7752, -1.3384, -0.5961};

static int64_t entry(int64_t i, int64_t j) { return lsq_triangle(j) + i; }

static doubles number(const lsq_lane_system *s, int which) { return get(s->number, which); }

static void set_number(lsq_lane_system *s, int which, doubles v) { put(s->number, which, v); }

static mask in_state(const lsq_lane_system *s, int64_t state) {
  mask v;
  memcpy(&v, s->state, sizeof v);
  return v == state;
}

/* Lanes `where` come to `state`. */
static void change_state(lsq_lane_system *s, mask where, int64_t state) {
  mask v;
  memcpy(&v, s->state, sizeof v);
  v = (v & ~where) | (where & state);
  memcpy(s->state, &v, sizeof v);
}

static mask at_work(const lsq_lane_system *s) { return in_state(s, LSQ_LANE_GOING) | in_state(s, LSQ_LANE_CHECKED); }

static void refuse(lsq_lane_system *s, mask where) { change_state(s, where & at_work(s), LSQ_LANE_REFUSED); }

/* Of moments, relative to the squared norm of A; of products with an inverse, relative to its and theirs. */
static double roundings(const lsq_lane_system *s) { return (double)(s->terms + 16 * s->n) * 0x1p-53; }

static doubles square_sum(const double *v, int64_t n) {
  doubles sum = {0};
  for (int64_t i = 0; i < n; i++) sum = fused(get(v, i), get(v, i), sum);
  return sum;
}

static doubles dot(const double *v, const double *w, int64_t n) {
  doubles sum = {0};
  for (int64_t i = 0; i < n; i++) sum = fused(get(v, i), get(w, i), sum);
  return sum;
}

enum { ROWS = 4 };

LSQ_INLINE void multiply_rows(const int count, int64_t n, int64_t first, const double *M, const double *v, double *y) {
  doubles sum[ROWS] = {{0}};
  const double *column[ROWS];
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) column[i] = M + entry(0, first + i) * WIDE;
  for (int64_t j = 0; j < first; j++)
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) sum[i] = fused(get(column[i], j), get(v, j), sum[i]);
#pragma GCC unroll 4
  for (int j = 0; j < count; j++)
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
      sum[i] = fused(get(column[i < j ? j : i], first + (i < j ? i : j)), get(v, first + j), sum[i]);
  for (int64_t j = first + count; j < n; j++)
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) sum[i] = fused(get(M, entry(first + i, j)), get(v, j), sum[i]);
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) put(y, first + i, sum[i]);
}

/* y = M v for symmetric M. */
static void multiply(int64_t n, const double *M, const double *v, double *y) {
  int64_t i = 0;
  for (; i + ROWS <= n; i += ROWS) multiply_rows(ROWS, n, i, M, v, y);
  switch (n - i) {
    case 3: multiply_rows(3, n, i, M, v, y); break;
    case 2: multiply_rows(2, n, i, M, v, y); break;
    case 1: multiply_rows(1, n, i, M, v, y); break;
    default: break;
  }
}

/* ---- scales ---- */

/* From the sum of squares of a column. What is too far from 1 is wild, and so is 0, to which small numbers' squares may
 * have come down: only a right-hand side that has been scaled before is then known to be zero. */
static doubles scale_column(lsq_lane_system *s, doubles square, int is_side) {
  const mask tame = (square >= 0x1p-400) & (square <= 0x1p400);
  const mask zero = is_side && s->scaled ? square == 0 : (mask){0};
  change_state(s, ~(tame | zero), LSQ_LANE_WILD);
  return choose(tame, scale_of(square / (double)s->m), every(1));
}

void LEVEL(lane_scale)(lsq_lane_system *s, int64_t first) {
  const int64_t n = s->n, columns = n + s->k;
  if (first == 0) change_state(s, ~(mask){0}, LSQ_LANE_GOING);
  for (int64_t j = first; j < columns; j++) {
    const int64_t diagonal = entry(j, j);
    if (j < n) put(s->moments, diagonal, get(s->moments, diagonal) + s->ridge);
    put(s->scale, j, scale_column(s, get(s->moments, diagonal), j >= n));
  }
  for (int64_t j = first; j < columns; j++)
    for (int64_t i = 0; i <= j; i++)
      put(s->moments, entry(i, j), get(s->moments, entry(i, j)) * get(s->scale, i) * get(s->scale, j));
  if (first > 0) return;
  doubles trace = {0};
  for (int64_t j = 0; j < n; j++) {
    const doubles square = get(s->moments, entry(j, j));
    put(s->norms, j, root(square));
    trace += square;
  }
  set_number(s, LSQ_LANE_TRACE, trace);
  set_number(s, LSQ_LANE_OPEN, every(0));
}

/* ---- the model's system ---- */

void LEVEL(lane_model)(lsq_lane_system *s, const lsq_plan *plan) {
  for (int64_t p = 0; p < lsq_triangle(s->n); p++) {
    doubles sum = {0};
    for (int64_t t = plan->first[p]; t < plan->first[p + 1]; t++)
      sum = fused(every(plan->weight[t]), get(s->moments, plan->source[t]), sum);
    put(s->inverse, p, sum);
  }
}

/* ||H - G||^2 */
static doubles distance(const lsq_lane_system *s) {
  doubles sum = {0}, diagonal = {0};
  for (int64_t j = 0, p = 0; j < s->n; j++) {
    for (int64_t i = 0; i < j; i++, p++) {
      const doubles error = get(s->inverse, p) - get(s->moments, p);
      sum = fused(error, error, sum);
    }
    const doubles error = get(s->inverse, p) - get(s->moments, p);
    diagonal = fused(error, error, diagonal);
    p++;
  }
  return sum + sum + diagonal;
}

static doubles frobenius_square(int64_t n, const double *M) {
  doubles sum = {0}, diagonal = {0};
  for (int64_t j = 0, p = 0; j < n; j++, p++) {
    for (int64_t i = 0; i < j; i++, p++) sum = fused(get(M, p), get(M, p), sum);
    diagonal = fused(get(M, p), get(M, p), diagonal);
  }
  return sum + sum + diagonal;
}

/* v <- F M F v for the diagonal F; work n. */
static void power_step(int64_t n, const double *M, const double *factors, double *v, double *work) {
  for (int64_t j = 0; j < n; j++) put(v, j, get(v, j) * get(factors, j));
  multiply(n, M, v, work);
  for (int64_t j = 0; j < n; j++) put(v, j, get(work, j) * get(factors, j));
}

/* Sweeps one pivot after the other (Beaton 1964): M becomes -M^-1. Lanes without a positive pivot are refused. */
static void sweep(lsq_lane_system *s, double *row) {
  const int64_t n = s->n;
  mask positive = ~(mask){0};
  double *M = s->inverse;
  for (int64_t k = 0; k < n; k++) {
    const doubles pivot = get(M, entry(k, k)), over = 1 / pivot;
    positive &= pivot > 0;
    for (int64_t i = 0; i < n; i++) put(row, i, get(M, i < k ? entry(i, k) : entry(k, i)));
    for (int64_t j = 0, p = 0; j < n; j++) {
      const doubles factor = -get(row, j) * over;
      for (int64_t i = 0; i <= j; i++, p++) put(M, p, fused(get(row, i), factor, get(M, p)));
    }
    for (int64_t i = 0; i < n; i++) put(M, i < k ? entry(i, k) : entry(k, i), get(row, i) * over);
    put(M, entry(k, k), -over);
  }
  refuse(s, ~positive);
}

/* Of A with columns at norm 1, from below: what the last of some power steps makes of the norm, by G and by C. */
static doubles condition(const lsq_lane_system *s) {
  const int64_t n = s->n;
  const int steps = n <= 8 ? 4 : 6; /* they come to within n^(-1/(2 steps - 1)) of the norm or so */
  double *over = s->x, *high = s->x_low, *low = s->g, *work = s->d;
  doubles before = {0};
  for (int64_t j = 0; j < n; j++) {
    put(over, j, 1 / get(s->norms, j));
    put(high, j, every(START[j % STARTS]));
    put(low, j, every(START[j % STARTS]));
  }
  for (int step = 0; step < steps; step++) {
    if (step + 1 == steps) before = square_sum(high, n) * square_sum(low, n);
    power_step(n, s->moments, over, high, work);
    power_step(n, s->inverse, s->norms, low, work);
  }
  return root(root(square_sum(high, n) * square_sum(low, n) / before));
}

void LEVEL(lane_invert)(lsq_lane_system *s) {
  const doubles trace = number(s, LSQ_LANE_TRACE), apart = root(distance(s));
  sweep(s, s->work);
  for (int64_t j = 0; j < s->n; j++) put(s->rows, j, root(-get(s->inverse, entry(j, j))));
  const doubles norm = root(frobenius_square(s->n, s->inverse));
  const doubles bound = norm * (apart + roundings(s) * trace);
  set_number(s, LSQ_LANE_BOUND, bound);
  set_number(s, LSQ_LANE_INVERSE, root(norm));
  set_number(s, LSQ_LANE_CONDITION, condition(s));
  refuse(s, ~(bound <= MOST_BOUND));
}

/* ---- one right-hand side ---- */

static doubles side_scale(const lsq_lane_system *s, int64_t side) { return get(s->scale, s->n + side); }

/* Where residual and gradient are wanted next: x + x_low, with what their compensated sums begin with. */
static void set_point(lsq_lane_system *s, int64_t side) {
  const int64_t n = s->n, diagonal = entry(n + side, n + side);
  const doubles scale = side_scale(s, side), over = 1 / scale, square = get(s->moments, diagonal);
  const double *sides = s->moments + entry(0, n + side) * WIDE;
  const double slack = 0x1p-40 + (double)s->terms * 0x1p-50;
  doubles data = root(number(s, LSQ_LANE_TRACE) * square_sum(s->x, n)) + root(square);
  data = larger(data * 1.0625, every(0x1p-300));
  const doubles left = square - dot(sides, s->x, n);
  const doubles residual = root(larger(left, every(0)) + (slack + number(s, LSQ_LANE_BOUND)) * data * data);
  set_number(s, LSQ_LANE_DATA, data);
  set_number(s, LSQ_LANE_RESIDUAL, residual);
  set_number(s, LSQ_LANE_LIMIT, 3 * s->rows_above * power_above(data) * over);
  for (int64_t j = 0; j < n; j++) {
    const doubles own = get(s->scale, j);
    put(s->point, j, get(s->x, j) * own * over);
    put(s->point_low, j, get(s->x_low, j) * own * over);
    put(s->limits, j, 3 * power_above(get(s->norms, j) * residual) / own * over);
  }
}

void LEVEL(lane_start)(lsq_lane_system *s, int64_t side) {
  const int64_t n = s->n;
  multiply(n, s->inverse, s->moments + entry(0, n + side) * WIDE, s->x);
  for (int64_t j = 0; j < n; j++) {
    put(s->x, j, -get(s->x, j));
    put(s->x_low, j, every(0));
    put(s->answer, j, every(0)); /* `follow` reads it in all lanes, also those without one yet */
  }
  for (int which = LSQ_LANE_WORST; which <= LSQ_LANE_NORM; which++) set_number(s, which, every(0)); /* of no answer yet */
  set_number(s, LSQ_LANE_CHANGE, every(0));
  for (int l = 0; l < WIDE; l++) {
    s->corrections[l] = 1;
    if (s->state[l] > LSQ_LANE_GOING) s->state[l] = LSQ_LANE_GOING;
  }
  set_point(s, side);
}

/* g = A'(b - A x), scaled, and of a ridge what its rows add to it; returns ||b - A x||^2, scaled. */
static doubles take_gradient(lsq_lane_system *s, int64_t side) {
  const doubles scale = side_scale(s, side);
  doubles square = number(s, LSQ_LANE_SQUARE) * scale * scale;
  for (int64_t j = 0; j < s->n; j++) {
    const doubles own = get(s->scale, j);
    doubles sum = get(s->sum, j), low = get(s->sum_low, j);
    if (s->ridge > 0) {
      const doubles x = get(s->point, j), share = -s->ridge * x, next = sum + share, part = next - sum;
      const doubles error = product_error(every(-s->ridge), x, share) - s->ridge * get(s->point_low, j);
      low += ((sum - (next - part)) + (share - part)) + error;
      sum = next;
      square -= share * x * scale * scale;
    }
    put(s->g, j, (sum + low) * own * scale);
  }
  return square;
}

/* x + x_low + d, in *high and *low. */
static void add_correction(doubles x, doubles x_low, doubles d, doubles *high, doubles *low) {
  const doubles sum = x + d, part = sum - x;
  const doubles rest = x_low + ((x - (sum - part)) + (d - part));
  *high = sum + rest;
  *low = rest - (*high - sum);
}

/* To 24 bits for float32, by Veltkamp's splitting: v may be far below the smallest float. */
static doubles round_to(double unit, doubles v) {
  if (unit <= DBL_EPSILON) return v;
  const doubles wide = 0x1.00000008p29 * v;
  return wide - (wide - v);
}

/* What compensated sums may have left wrong in component j. */
static doubles uncertainty(const lsq_lane_system *s, int64_t j) {
  const double m = (double)s->m, n = (double)s->n;
  const doubles data = (ROUNDING * sqrt(m) * (n + 8) * s->rows_above) * number(s, LSQ_LANE_DATA);
  const doubles gradient = (ROUNDING * (m + 8)) * root(number(s, LSQ_LANE_TRACE)) * number(s, LSQ_LANE_RESIDUAL);
  return get(s->rows, j) * fused(number(s, LSQ_LANE_INVERSE), gradient + number(s, LSQ_LANE_OPEN), data);
}

/* Rounds x + x_low + d to the answer of lanes `where`; returns those in which it stands, in *worst its largest relative
 * error, and in *open those in which roundings of the sums weigh too much for that, whatever is still to come. `left`:
 * what later corrections would change. */
static mask judge(lsq_lane_system *s, int64_t side, mask where, doubles left, doubles *worst, mask *open) {
  const double tolerance = fmax(s->tolerance, s->unit);
  double *refined = s->work;
  doubles most = {0}, moved = {0};
  *worst = every(0.5 * s->unit);
  for (int64_t j = 0; j < s->n; j++) {
    doubles high, low;
    add_correction(get(s->x, j), get(s->x_low, j), get(s->d, j), &high, &low);
    put(refined, j, high);
    most = larger(most, magnitude(high));
    moved = larger(moved, magnitude(get(s->d, j)));
  }
  mask stands = ~(mask){0}, settled = stands, sharp = stands;
  for (int64_t j = 0; j < s->n; j++) {
    const doubles exact = get(refined, j), size = magnitude(exact), unknown = uncertainty(s, j);
    stands &= left <= 0.25 * tolerance * size;
    settled &= left <= 0.25 * tolerance * larger(size, s->unit * most);
    sharp &= unknown <= tolerance * size;
    *worst = larger(*worst, (0.5 * s->unit * size + left + unknown) / size);
    put(s->answer, j, choose(where, round_to(s->unit, exact), get(s->answer, j)));
  }
  const mask nothing = (most == 0) & (moved == 0) & (get(s->moments, entry(s->n + side, s->n + side)) == 0);
  *worst = choose(nothing, every(0.5 * s->unit), *worst);
  *open = where & settled & ~sharp & ~nothing;
  return where & ((stands & sharp) | nothing);
}

/* The certificate from ||r||^2 and g = A'r of the answer, for lanes `where`; g may be wrong by `open` of its norm, and
 * by what else is not known of it. Work of n for C g: r's part in the range of A has the squared norm g'C g. */
static void certify(lsq_lane_system *s, int64_t side, mask where, doubles residual, const double *gradient, double open,
                    double *work) {
  const doubles size_A = root(number(s, LSQ_LANE_TRACE)), scale = side_scale(s, side);
  const doubles r = root(larger(residual, every(0))), other = number(s, LSQ_LANE_OPEN);
  const doubles g = root(square_sum(gradient, s->n)) + other;
  const doubles x = root(square_sum(s->answer, s->n)), b = root(get(s->moments, entry(s->n + side, s->n + side)));
  multiply(s->n, s->inverse, gradient, work);
  const doubles part =
      root(larger(-dot(work, gradient, s->n), every(0))) + number(s, LSQ_LANE_INVERSE) * (open * g + other);
  const doubles exact_for = part * (1 + 2 * number(s, LSQ_LANE_BOUND)) / (size_A * x);
  const doubles small = r / fused(size_A, x, b), stationary = g / (size_A * r);
  const doubles least = choose(x > 0, smaller(exact_for, smaller(small, stationary)), smaller(small, stationary));
  const doubles backward = choose((r == 0) | (g == 0), every(0), least);
  set_number(s, LSQ_LANE_BACKWARD, choose(where, backward, number(s, LSQ_LANE_BACKWARD)));
  set_number(s, LSQ_LANE_NORM, choose(where, r / scale, number(s, LSQ_LANE_NORM)));
}

/* Residual and gradient of the answer from those of x + x_low, in lanes `where`; returns the lanes in which enough
 * digits are left. */
static mask follow(lsq_lane_system *s, int64_t side, mask where, doubles square) {
  const int64_t n = s->n;
  double *step = s->work, *moved = s->work + n * WIDE;
  for (int64_t j = 0; j < n; j++) put(step, j, (get(s->answer, j) - get(s->x, j)) - get(s->x_low, j));
  multiply(n, s->moments, step, moved);
  const doubles linear = dot(step, s->g, n), quadratic = dot(step, moved, n);
  const doubles residual = square - 2 * linear + quadratic;
  for (int64_t j = 0; j < n; j++) put(moved, j, get(s->g, j) - get(moved, j));
  const doubles length = square_sum(step, n), trace = number(s, LSQ_LANE_TRACE);
  const double lost =
      roundings(s) / KEPT; /* what is lost in G step, and in sums of squares, over what has to be left */
  const mask enough = (residual >= lost * (square + 2 * magnitude(linear) + trace * length)) &
                      (square_sum(moved, n) >= (lost * lost) * (trace * trace * length));
  certify(s, side, where & enough, residual, moved, KEPT, step);
  return enough;
}

/* The next point: the answer where it stands, else the correction taken. */
static void move(lsq_lane_system *s, int64_t side) {
  const mask checked = in_state(s, LSQ_LANE_CHECKED);
  for (int64_t j = 0; j < s->n; j++) {
    doubles high, low;
    add_correction(get(s->x, j), get(s->x_low, j), get(s->d, j), &high, &low);
    put(s->x, j, choose(checked, get(s->answer, j), high));
    put(s->x_low, j, choose(checked, every(0), low));
  }
  set_point(s, side);
}

/* How much of an error a correction is taken to leave: the bound, or what the last one left if that was more. */
static doubles rate(const lsq_lane_system *s, doubles change) {
  const doubles before = number(s, LSQ_LANE_CHANGE), bound = number(s, LSQ_LANE_BOUND);
  const mask shows = before > 0x1p-62 * number(s, LSQ_LANE_DATA) / root(number(s, LSQ_LANE_TRACE));
  return choose(shows, larger(change / before, bound), bound);
}

static int64_t lanes_of(mask m) {
  int64_t count = 0;
  for (int l = 0; l < WIDE; l++) count -= m[l];
  return count;
}

/* d = C g, the lanes `going` judged and brought to their next state. */
static void correct(lsq_lane_system *s, int64_t side, mask going, doubles square, int64_t pass) {
  doubles worst;
  mask open;
  multiply(s->n, s->inverse, s->g, s->d);
  for (int64_t j = 0; j < s->n; j++) put(s->d, j, -get(s->d, j));
  const doubles change = root(square_sum(s->d, s->n)), share = rate(s, change);
  const mask converges = going & (share < 0.5);
  const mask stands = judge(s, side, converges, share / (1 - share) * change, &worst, &open);
  const mask enough = follow(s, side, stands, square);
  const mask lost = pass + 1 < s->passes ? ~converges : ~stands;
  set_number(s, LSQ_LANE_WORST, choose(stands, worst, number(s, LSQ_LANE_WORST)));
  set_number(s, LSQ_LANE_CHANGE, choose(going, change, number(s, LSQ_LANE_CHANGE)));
  for (int l = 0; l < WIDE; l++) s->corrections[l] -= going[l];
  change_state(s, stands, LSQ_LANE_CHECKED);
  change_state(s, stands & enough, LSQ_LANE_DONE);
  refuse(s, going & (lost | open));
}

int LEVEL(lane_advance)(lsq_lane_system *s, int64_t side, int64_t pass) {
  const doubles square = take_gradient(s, side), most = number(s, LSQ_LANE_RESIDUAL);
  refuse(s, ~(square <= most * most));
  const mask going = in_state(s, LSQ_LANE_GOING), checked = in_state(s, LSQ_LANE_CHECKED);
  if (lanes_of(checked) > 0) certify(s, side, checked, square, s->g, 0, s->work);
  change_state(s, checked, LSQ_LANE_DONE);
  if (lanes_of(going) > 0) correct(s, side, going, square, pass);
  const int64_t left = lanes_of(at_work(s));
  if (left > 0) move(s, side);
  return left > 0;
}

#endif
