#include <float.h>
#include <math.h>
#include <string.h>

#include "base/order.h"
#include "solve/batch.h"
#include "solve/fold.h"

enum { SMALL = 2048 }; /* numbers of a problem that goes side by side with others: 128 kB for eight */
enum { MOST_PASSES = 12 };
enum { PANEL = 16 };     /* vectors of rows that are packed at a time where rows go side by side */
enum { HELD = 3 << 15 }; /* numbers that several problems' panels, packed once for all passes, and answers may have */

int lsq_lanes_take(const lsqnet_solver *solver, const lsq_problems *problems, int32_t *why) {
  const lsqnet_solver_options *o = &solver->options;
  const int direct = o->method == LSQNET_METHOD_AUTO || o->method == LSQNET_METHOD_DIRECT;
  *why = LSQNET_WHY_OPTIONS;
  if (!direct || o->corrections < 2) return 0;
  if (problems->a_low != NULL || problems->b_low != NULL) return 0;
  if (problems->m < problems->n && o->ridge == 0.0) return 0;
  *why = LSQNET_WHY_WIDE;
  if (problems->n > LSQ_LANE_UNKNOWNS) return 0;
  if (solver->step.dim == 1 && problems->n > 1) return 0; /* which the model cannot do at all */
  *why = lsq_lanes_small(problems) ? LSQNET_WHY_SMALL : LSQNET_WHY_TALL;
  return 1;
}

static int64_t sides_at_a_time(int64_t k) { return lsq_smaller(k, LSQ_LANE_SIDES); }

int lsq_lanes_small(const lsq_problems *problems) {
  return problems->m <= SMALL / (problems->n + sides_at_a_time(problems->k));
}

/* ---- memory ---- */

/* Hands out vectors of `memory`; with memory NULL it only counts. */
typedef struct {
  double *memory;
  int64_t lanes, used;
} cutter;

static double *cut_numbers(cutter *c, int64_t count) {
  const int64_t begin = c->used;
  c->used += (count + 7) / 8 * 8;
  return c->memory != NULL ? c->memory + begin : NULL;
}

static double *cut(cutter *c, int64_t vectors) { return cut_numbers(c, vectors * c->lanes); }

static void lay_out_system(int64_t n, int64_t k, cutter *c, lsq_lane_system *s) {
  double **const columns[] = {&s->norms,  &s->rows,  &s->x,         &s->x_low,  &s->g,   &s->d,
                              &s->answer, &s->point, &s->point_low, &s->limits, &s->sum, &s->sum_low};
  s->moments = cut(c, lsq_triangle(n + k));
  s->inverse = cut(c, lsq_triangle(n));
  s->scale = cut(c, n + k);
  s->work = cut(c, 2 * n);
  s->number = cut(c, LSQ_LANE_NUMBERS);
  s->state = (int64_t *)(void *)cut(c, 1);
  s->corrections = (int64_t *)(void *)cut(c, 1);
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) *columns[i] = cut(c, n);
}

/* Panels of one problem's rows. */
static int64_t panels_of(const lsq_lane_group *g, int64_t m) {
  const int64_t rows = PANEL * g->kernels->lanes;
  return (m + rows - 1) / rows;
}

/* What is packed at a time, one vector a number. */
static int64_t lay_out_packed(int weighted, cutter *c, lsq_packed *packed) {
  const int64_t begin = c->used, columns = (packed->n + packed->k) * packed->stride;
  packed->values = cut(c, columns);
  packed->weighted = weighted ? cut(c, columns) : packed->values;
  packed->weights = weighted ? cut(c, packed->rows) : NULL;
  return c->used - begin;
}

static void lay_out(const lsqnet_solver *solver, const lsq_problems *problems, cutter *c, lsq_lane_group *g) {
  const int64_t m = problems->m, n = problems->n, k = sides_at_a_time(problems->k);
  const double ridge = solver->options.ridge;
  const int64_t passes = solver->options.corrections - 1;
  const int weighted = problems->weights != NULL;
  *g = (lsq_lane_group){.kernels = lsq_lane_kernels_of(solver->context->kernels_f64->level)};
  c->lanes = g->kernels->lanes;
  g->small = lsq_lanes_small(problems);
  g->sequences = lsq_gram_sequences(solver, ridge > 0.0 ? m + n : m, n);
  const int64_t vectors = (m + c->lanes - 1) / c->lanes, rows = g->small ? m : lsq_smaller(vectors, PANEL);
  g->system = (lsq_lane_system){.m = ridge > 0.0 ? m + n : m,
                                .n = n,
                                .k = k,
                                .terms = (ridge > 0.0 ? m + n : m) + (weighted ? 1 : 0),
                                .unit = solver->precision,
                                .tolerance = solver->options.tolerance,
                                .ridge = ridge,
                                .rows_above = weighted ? 2.0 : 1.0,
                                .passes = lsq_smaller(passes, MOST_PASSES)};
  g->packed =
      (lsq_packed){.rows = rows, .stride = rows | 1, .n = n, .k = k}; /* odd: columns in different cache lines */
  lay_out_system(n, k, c, &g->system);
  g->width = lsq_smaller(problems->count, c->lanes);
  g->panel = lay_out_packed(weighted, c, &g->packed);
  const int64_t panels = g->small ? 1 : panels_of(g, m), room = (HELD - problems->k * n * c->lanes) / g->panel;
  g->held = g->width > 1 && panels <= room / c->lanes; /* for fewer problems too: they are to take no more than many */
  if (g->held) (void)cut_numbers(c, (g->width * panels - 1) * g->panel);
  g->r = cut(c, rows);
  g->r_low = cut(c, rows);
  g->partial = cut(c, lsq_triangle(n + k) + 1);
  g->reduced = cut(c, lsq_triangle(n + k) + 1);
  g->point = cut(c, 2 * n + 1);
  g->zeros = cut(c, n + k);
  g->together = solver->fold == NULL ? lsq_gram_together(solver, g->system.m, n) : 0;
  g->A = cut_numbers(c, g->together * g->system.m * n);
  g->G = cut_numbers(c, g->together * n * n);
  g->answer = cut_numbers(c, problems->k * n * g->width);
  g->number = cut_numbers(c, problems->k * LSQ_ANSWER_NUMBERS * g->width);
}

int64_t lsq_lane_group_size(const lsqnet_solver *solver, const lsq_problems *problems) {
  cutter count = {0};
  lsq_lane_group group;
  lay_out(solver, problems, &count, &group);
  return count.used;
}

void lsq_lane_group_begin(const lsqnet_solver *solver, const lsq_problems *problems, double *memory,
                          lsq_lane_group *group) {
  cutter pieces = {.memory = memory};
  lay_out(solver, problems, &pieces, group);
  group->end = problems->count;
  memset(group->zeros, 0, (size_t)((group->packed.n + group->packed.k) * group->kernels->lanes) * sizeof(double));
}

/* ---- into lanes ---- */

/* Sources one a lane, offset by so many numbers each. */
static void pack(const lsq_lane_group *g, const lsq_problems *problems, const lsq_pack_shape *shape,
                 const void *const *arrays, const int64_t *offsets, double *out) {
  const double *wide[LSQ_LANES_MOST];
  const float *narrow[LSQ_LANES_MOST];
  for (int64_t l = 0; l < g->kernels->lanes; l++) {
    if (problems->narrow)
      narrow[l] = (const float *)arrays[l] + offsets[l];
    else
      wide[l] = (const double *)arrays[l] + offsets[l];
  }
  if (problems->narrow)
    g->kernels->pack_f32(shape, narrow, out);
  else
    g->kernels->pack_f64(shape, wide, out);
}

/* A or B, (m,columns), of each problem. */
static void pack_problems(const lsq_lane_group *g, const lsq_problems *problems, int64_t columns, int64_t row,
                          int64_t column, const void *const *arrays, double *out) {
  static const int64_t none[LSQ_LANES_MOST] = {0};
  const int64_t stride = g->packed.stride;
  if (column == 1)
    pack(g, problems, &(lsq_pack_shape){problems->m, columns, row, 1, stride}, arrays, none, out);
  else
    pack(g, problems, &(lsq_pack_shape){columns, problems->m, column, stride, 1}, arrays, none, out);
}

/* The problem of each lane: those beyond `used` do the first one again. Where right-hand sides take turns, A is there.
 */
static void pack_all(lsq_lane_group *g, const lsq_problems *problems, int64_t first, int64_t used) {
  const void *a[LSQ_LANES_MOST], *b[LSQ_LANES_MOST];
  for (int64_t l = 0; l < g->kernels->lanes; l++) {
    a[l] = lsq_problem_a(problems, first + (l < used ? l : 0));
    b[l] = lsq_problem_b(problems, first + (l < used ? l : 0));
  }
  double *right = g->packed.values + problems->n * g->packed.stride * g->kernels->lanes;
  g->packed.kept = g->packed.summed;
  if (g->packed.kept == 0)
    pack_problems(g, problems, problems->n, problems->a_row, problems->a_column, a, g->packed.values);
  pack_problems(g, problems, problems->k, problems->b_row, problems->b_column, b, right);
  if (problems->weights == NULL) return;
  for (int64_t l = 0; l < g->kernels->lanes; l++) a[l] = lsq_problem_weights(problems, first + (l < used ? l : 0));
  pack_problems(g, problems, 1, 1, 1, a, g->packed.weights);
  g->kernels->weigh(&g->packed);
}

/* Rows of A from `row` of problem p on, to be fetched ahead where they follow each other. */
static void expect_rows(lsq_lane_group *g, const lsq_problems *problems, int64_t p, int64_t row, int64_t rows) {
  const int64_t size = lsq_number_size(problems);
  g->packed.ahead = NULL;
  if (p >= g->end || problems->a_column != 1) return;
  g->packed.ahead = (const char *)lsq_problem_a(problems, p) + size * row * problems->a_row;
  g->packed.ahead_bytes = size * rows * problems->a_row;
}

/* The group that comes next, where its problems follow each other: A share by share, B, which is less, at once. */
static void expect_problems(lsq_lane_group *g, const lsq_problems *problems, int64_t next) {
  const int64_t left = g->end - next, lanes = g->kernels->lanes;
  const int64_t bytes = lsq_number_size(problems) * lsq_smaller(left, lanes);
  g->packed.ahead = NULL;
  if (problems->pointers || left <= 0 || problems->a_stride > SMALL) return;
  g->packed.ahead = lsq_problem_a(problems, next);
  g->packed.ahead_bytes = bytes * problems->a_stride;
  lsq_expect(lsq_problem_b(problems, next), bytes * problems->b_stride);
}

/* The panel after the one from `begin` on, or the next problem's first. */
static void expect_panel(lsq_lane_group *g, const lsq_problems *problems, int64_t p, int64_t begin) {
  const int64_t rows = PANEL * g->kernels->lanes, left = problems->m - begin - rows;
  if (left > 0)
    expect_rows(g, problems, p, begin + rows, lsq_smaller(left, rows));
  else
    expect_rows(g, problems, p + 1, 0, lsq_smaller(problems->m, rows));
}

/* Rows begin .. of one problem's A or B, as many vectors as `rows`; what is beyond the last row is zero. */
static void pack_rows(const lsq_lane_group *g, const lsq_problems *problems, const void *array, int64_t begin,
                      int64_t rows, int64_t columns, int64_t row, int64_t column, double *out) {
  const int64_t lanes = g->kernels->lanes, stride = g->packed.stride, full = (problems->m - begin) / lanes;
  const void *arrays[LSQ_LANES_MOST] = {NULL};
  int64_t offsets[LSQ_LANES_MOST] = {0};
  if (row == 1) {
    const lsq_pack_shape shape = {columns, problems->m - begin, column, stride, 1};
    if (problems->narrow)
      g->kernels->copy_f32(&shape, rows, (const float *)array + begin, out);
    else
      g->kernels->copy_f64(&shape, rows, (const double *)array + begin, out);
    return;
  }
  for (int64_t l = 0; l < lanes; l++) {
    arrays[l] = array;
    offsets[l] = (begin + l) * row;
  }
  const int64_t whole = lsq_smaller(full, rows);
  pack(g, problems, &(lsq_pack_shape){whole, columns, lanes * row, 1, stride}, arrays, offsets, out);
  if (whole == rows) return;
  for (int64_t l = 0; l < lanes; l++) {
    const int there = begin + whole * lanes + l < problems->m;
    arrays[l] = there ? array : (const void *)g->zeros;
    offsets[l] = there ? (begin + whole * lanes + l) * row : 0;
  }
  pack(g, problems, &(lsq_pack_shape){1, columns, 0, 1, stride}, arrays, offsets, out + whole * lanes);
}

/* Where the rows of lane l's problem from `begin` on are packed, and how many vectors they are. */
static void turn_to_panel(lsq_lane_group *g, const lsq_problems *problems, int64_t l, int64_t begin) {
  const int64_t lanes = g->kernels->lanes, left = (problems->m - begin + lanes - 1) / lanes;
  const int64_t next = g->held ? l * panels_of(g, problems->m) + begin / (PANEL * lanes) : 0;
  const int64_t offset = (next - g->turned) * g->panel;
  g->packed.values += offset;
  g->packed.weighted += offset;
  if (g->packed.weights != NULL) g->packed.weights += offset;
  g->packed.rows = lsq_smaller(left, PANEL);
  g->turned = next;
}

/* The rows from `begin` on of problem p, which is in lane l, as many as a panel takes. Where right-hand sides take
 * turns, those of A are there if panels are held. */
static void pack_panel(lsq_lane_group *g, const lsq_problems *problems, int64_t p, int64_t l, int64_t begin) {
  const int64_t lanes = g->kernels->lanes;
  turn_to_panel(g, problems, l, begin);
  double *right = g->packed.values + problems->n * g->packed.stride * lanes;
  g->packed.kept = g->held ? g->packed.summed : 0;
  if (g->packed.kept == 0)
    pack_rows(g, problems, lsq_problem_a(problems, p), begin, g->packed.rows, problems->n, problems->a_row,
              problems->a_column, g->packed.values);
  pack_rows(g, problems, lsq_problem_b(problems, p), begin, g->packed.rows, problems->k, problems->b_row,
            problems->b_column, right);
  if (problems->weights == NULL) return;
  pack_rows(g, problems, lsq_problem_weights(problems, p), begin, g->packed.rows, 1, 1, problems->m, g->packed.weights);
  g->kernels->weigh(&g->packed);
}

/* `count` numbers of each problem, one problem after the other in g->reduced, to lanes. */
static void spread(const lsq_lane_group *g, int64_t used, int64_t count, double *out) {
  const double *sources[LSQ_LANES_MOST];
  for (int64_t l = 0; l < g->kernels->lanes; l++) sources[l] = g->reduced + (l < used ? l : 0) * count;
  g->kernels->pack_f64(&(lsq_pack_shape){1, count, count, 0, 1}, sources, out);
}

static void zero(const lsq_lane_group *g, int64_t vectors, double *array) {
  memset(array, 0, (size_t)(vectors * g->kernels->lanes) * sizeof *array);
}

/* To be asked after each panel. Problems side by side are few numbers: batch.c looks between their groups. */
static lsqnet_status look_at_limits(lsqnet_solver *solver, lsq_lane_group *g) {
  g->passed += g->packed.rows * g->kernels->lanes * (g->packed.n + g->packed.k);
  if (g->passed < LSQ_LIMITS_EVERY) return LSQNET_OK;
  g->passed = 0;
  return lsq_limits_look(solver, g->thread) ? LSQNET_E_STOPPED : LSQNET_OK;
}

/* Those of columns that are not summed yet. */
static lsqnet_status sum_moments(lsqnet_solver *solver, lsq_lane_group *g, const lsq_problems *problems, int64_t first,
                                 int64_t used) {
  lsqnet_status st = LSQNET_OK;
  const int64_t lanes = g->kernels->lanes, there = lsq_triangle(g->packed.summed);
  const int64_t entries = lsq_triangle(problems->n + problems->k) - there;
  double *moments = g->system.moments + there * lanes;
  if (g->small) {
    pack_all(g, problems, first, used);
    expect_problems(g, problems, first + used);
    zero(g, entries, moments);
    g->kernels->moments(&g->packed, g->system.moments);
    return LSQNET_OK;
  }
  for (int64_t l = 0; l < used; l++) {
    zero(g, entries, g->partial + there * lanes);
    for (int64_t begin = 0; begin < problems->m; begin += PANEL * lanes) {
      pack_panel(g, problems, first + l, l, begin);
      expect_panel(g, problems, first + l, begin);
      g->kernels->moments(&g->packed, g->partial);
      LSQ_TRY(look_at_limits(solver, g));
    }
    g->kernels->add_lanes(entries, g->partial + there * lanes, g->reduced + l * entries);
  }
  spread(g, used, entries, moments);
done:
  return st;
}

/* ---- residual and gradient at the system's point ---- */

static double *number_of(const lsq_lane_group *g, int which) { return g->system.number + which * g->kernels->lanes; }

static void subtract(int64_t count, const double *from, double *values) {
  for (int64_t i = 0; i < count; i++) values[i] -= from[i];
}

/* A sum of squares that may have underflowed, unless there is nothing to be squared, is NaN, so that the lane is
 * refused. */
static void check_square(const lsq_lane_group *g) {
  double *square = number_of(g, LSQ_LANE_SQUARE), *limit = number_of(g, LSQ_LANE_LIMIT);
  const int64_t lanes = g->kernels->lanes;
  for (int64_t l = 0; l < lanes; l++) {
    const double least = limit[l] * 0x1p-300;
    if (square[l] >= least * least) continue;
    for (int64_t i = l; i < g->packed.rows * lanes; i += lanes)
      if (!g->small || g->r[i] != 0.0) square[l] = (double)NAN;
  }
}

static void sum_problems(lsq_lane_group *g, int64_t side, const double *x_low) {
  lsq_lane_system *s = &g->system;
  const int64_t lanes = g->kernels->lanes;
  zero(g, 1, number_of(g, LSQ_LANE_SQUARE));
  zero(g, s->n, s->sum_low);
  memcpy(s->sum, s->limits, (size_t)(s->n * lanes) * sizeof(double));
  g->kernels->residual(&g->packed, side, s->point, x_low, number_of(g, LSQ_LANE_LIMIT), g->r, g->r_low,
                       number_of(g, LSQ_LANE_SQUARE));
  g->kernels->gradient(&g->packed, g->r, g->r_low, s->sum, s->sum_low);
  subtract(s->n * lanes, s->limits, s->sum);
  check_square(g);
}

/* Number l of each of `count` vectors, to all lanes of another. */
static void repeat(const lsq_lane_group *g, int64_t count, const double *from, int64_t l, double *out) {
  const int64_t lanes = g->kernels->lanes;
  for (int64_t i = 0; i < count; i++, out += lanes) {
    const double number = from[i * lanes + l];
    for (int64_t lane = 0; lane < lanes; lane++) out[lane] = number;
  }
}

/* Of one problem: its sums, low parts and square, lanes added up, to `out` (2 n + 1). */
static lsqnet_status sum_rows(lsqnet_solver *solver, lsq_lane_group *g, const lsq_problems *problems, int64_t p,
                              int64_t l, int64_t side, int low, double *out) {
  lsqnet_status st = LSQNET_OK;
  const lsq_lane_system *s = &g->system;
  const int64_t lanes = g->kernels->lanes, n = s->n;
  double *x = g->point, *x_low = x + n * lanes, *limit = x_low + n * lanes;
  double *sum = g->partial, *sum_low = sum + n * lanes, *square = sum_low + n * lanes;
  repeat(g, n, s->point, l, x);
  repeat(g, n, s->point_low, l, x_low);
  repeat(g, 1, number_of(g, LSQ_LANE_LIMIT), l, limit);
  repeat(g, n, s->limits, l, sum);
  zero(g, n + 1, sum_low);
  for (int64_t begin = 0; begin < problems->m; begin += PANEL * lanes) {
    if (g->held)
      turn_to_panel(g, problems, l, begin);
    else
      pack_panel(g, problems, p, l, begin);
    g->kernels->residual(&g->packed, side, x, low ? x_low : NULL, limit, g->r, g->r_low, square);
    g->kernels->gradient(&g->packed, g->r, g->r_low, sum, sum_low);
    LSQ_TRY(look_at_limits(solver, g));
  }
  repeat(g, n, s->limits, l, x);
  subtract(n * lanes, x, sum);
  g->kernels->add_lanes(2 * n + 1, g->partial, out);
done:
  return st;
}

static lsqnet_status sum_all_rows(lsqnet_solver *solver, lsq_lane_group *g, const lsq_problems *problems, int64_t first,
                                  int64_t used, int64_t side, int low) {
  lsqnet_status st = LSQNET_OK;
  lsq_lane_system *s = &g->system;
  const int64_t lanes = g->kernels->lanes, n = s->n, count = 2 * n + 1;
  for (int64_t l = 0; l < used; l++) {
    double *out = g->reduced + l * count;
    if (s->state[l] == LSQ_LANE_GOING || s->state[l] == LSQ_LANE_CHECKED)
      LSQ_TRY(sum_rows(solver, g, problems, first + l, l, side, low, out));
    else
      memset(out, 0, (size_t)count * sizeof *out);
  }
  spread(g, used, count, g->partial);
  memcpy(s->sum, g->partial, (size_t)(n * lanes) * sizeof(double));
  memcpy(s->sum_low, g->partial + n * lanes, (size_t)(n * lanes) * sizeof(double));
  memcpy(number_of(g, LSQ_LANE_SQUARE), g->partial + 2 * n * lanes, (size_t)lanes * sizeof(double));
  check_square(g);
done:
  return st;
}

/* ---- the model's system where there is no map of moments ---- */

/* A of lane l's problem, scaled and weighted, and its ridge's rows, as rows. */
static void write_rows(const lsq_lane_group *g, const lsq_problems *problems, int64_t p, int64_t l, double *out) {
  const lsq_lane_system *s = &g->system;
  const int64_t lanes = g->kernels->lanes, m = problems->m, n = s->n;
  const void *A = lsq_problem_a(problems, p);
  const void *weights = problems->weights != NULL ? lsq_problem_weights(problems, p) : NULL;
  for (int64_t i = 0; i < m; i++) {
    const double factor = weights != NULL ? sqrt(lsq_number_at(problems, weights, i)) : 1.0;
    for (int64_t j = 0; j < n; j++)
      out[i * n + j] =
          lsq_number_at(problems, A, i * problems->a_row + j * problems->a_column) * s->scale[j * lanes + l] * factor;
  }
  if (s->ridge == 0.0) return;
  memset(out + m * n, 0, (size_t)(n * n) * sizeof *out);
  for (int64_t j = 0; j < n; j++) out[(m + j) * n + j] = sqrt(s->ridge) * s->scale[j * lanes + l];
}

/* Asks the model about `count` problems that wait in g->A, of lanes asked[0] and on. */
static lsqnet_status ask_model(lsqnet_solver *solver, lsq_lane_group *g, int64_t count, const int64_t *asked) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = g->system.n;
  LSQ_TRY(lsq_gram_many(solver, count, g->system.m, n, g->A, g->G));
  for (int64_t c = 0; c < count; c++) {
    const double *G = g->G + c * n * n;
    double *system = g->reduced + asked[c] * lsq_triangle(n);
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i <= j; i++) system[lsq_triangle(j) + i] = G[i * n + j];
  }
done:
  return st;
}

/* The systems of all problems of the group that are still of use. */
static lsqnet_status ask_about_all(lsqnet_solver *solver, const lsq_problems *problems, int64_t first, int64_t used,
                                   lsq_lane_group *g) {
  lsqnet_status st = LSQNET_OK;
  const lsq_lane_system *s = &g->system;
  const int64_t entries = lsq_triangle(s->n);
  int64_t asked[LSQ_LANES_MOST], count = 0;
  memset(g->reduced, 0, (size_t)(used * entries) * sizeof(double));
  for (int64_t l = 0; l < used; l++) {
    if (s->state[l] != LSQ_LANE_GOING) continue;
    write_rows(g, problems, first + l, l, g->A + count * s->m * s->n);
    asked[count++] = l;
    if (count < g->together) continue;
    LSQ_TRY(ask_model(solver, g, count, asked));
    count = 0;
  }
  if (count > 0) LSQ_TRY(ask_model(solver, g, count, asked));
  spread(g, used, entries, s->inverse);
done:
  return st;
}

/* ---- a group ---- */

void lsq_lane_group_collect(lsq_lane_group *g, int64_t side, double least, double most) {
  lsq_lane_system *s = &g->system;
  const int64_t lanes = g->kernels->lanes, n = s->n, width = g->width;
  const double *number = s->number, *scale = s->scale + (n + side) * lanes;
  double *out = g->answer + (g->first_side + side) * n * width;
  double *numbers = g->number + (g->first_side + side) * LSQ_ANSWER_NUMBERS * width;
  for (int64_t l = 0; l < width; l++) {
    const double over = 1 / scale[l];
    for (int64_t j = 0; j < n; j++) {
      const double answer = s->answer[j * lanes + l], value = answer * s->scale[j * lanes + l] * over;
      const double size = fabs(value);
      out[j * width + l] = value;
      if (!(size >= least && size <= most) && answer != 0.0) s->state[l] = LSQ_LANE_REFUSED;
    }
  }
  for (int64_t l = 0; l < width; l++) {
    numbers[LSQ_ANSWER_WORST * width + l] = number[LSQ_LANE_WORST * lanes + l];
    numbers[LSQ_ANSWER_BACKWARD * width + l] = number[LSQ_LANE_BACKWARD * lanes + l];
    numbers[LSQ_ANSWER_NORM * width + l] = number[LSQ_LANE_NORM * lanes + l];
    numbers[LSQ_ANSWER_CORRECTIONS * width + l] = (double)s->corrections[l];
  }
}

/* Refines right-hand side `side`. */
static lsqnet_status solve_side(lsqnet_solver *solver, lsq_lane_group *g, const lsq_problems *problems, int64_t first,
                                int64_t used, int64_t side) {
  lsqnet_status st = LSQNET_OK;
  lsq_lane_system *s = &g->system;
  int64_t pass = 0;
  g->kernels->start(s, side);
  do {
    if (g->small)
      sum_problems(g, side, pass > 0 ? s->point_low : NULL);
    else
      LSQ_TRY(sum_all_rows(solver, g, problems, first, used, side, pass > 0));
  } while (g->kernels->advance(s, side, pass++));
  lsq_lane_group_collect(g, side, problems->narrow ? (double)FLT_MIN : DBL_MIN,
                         problems->narrow ? (double)FLT_MAX : DBL_MAX);
done:
  return st;
}

static int any_done(const lsq_lane_group *g, int64_t used) {
  for (int64_t l = 0; l < used; l++)
    if (g->system.state[l] >= LSQ_LANE_GOING) return 1;
  return 0;
}

/* For as many right-hand sides as the system takes. What is of A alone is done for the first ones. */
static lsqnet_status solve_sides(lsqnet_solver *solver, const lsq_problems *problems, int64_t first, int64_t used,
                                 lsq_lane_group *g) {
  lsqnet_status st = LSQNET_OK;
  lsq_lane_system *s = &g->system;
  LSQ_TRY(sum_moments(solver, g, problems, first, used));
  g->kernels->scale(s, g->packed.summed);
  if (g->packed.summed == 0) {
    if (solver->fold != NULL)
      g->kernels->model(s, &solver->fold->plan);
    else
      LSQ_TRY(ask_about_all(solver, problems, first, used, g));
    g->kernels->invert(s);
  }
  for (int64_t side = 0; side < problems->k && any_done(g, used); side++)
    LSQ_TRY(solve_side(solver, g, problems, first, used, side));
done:
  return st;
}

lsqnet_status lsq_lane_group_solve(lsqnet_solver *solver, const lsq_problems *problems, int64_t first, int64_t used,
                                   lsq_lane_group *g, int8_t *outcome) {
  lsqnet_status st = LSQNET_OK;
  int8_t all[LSQ_LANES_MOST];
  memset(all, LSQ_LANE_DONE, sizeof all);
  for (int64_t side = 0; side < problems->k; side += LSQ_LANE_SIDES) {
    lsq_problems some = *problems;
    some.first_side = g->first_side = side;
    some.k = g->system.k = g->packed.k = sides_at_a_time(problems->k - side);
    g->packed.summed = side > 0 ? problems->n : 0;
    LSQ_TRY(solve_sides(solver, &some, first, used, g));
    for (int64_t l = 0; l < used; l++)
      if (g->system.state[l] < all[l]) all[l] = (int8_t)g->system.state[l];
  }
  memcpy(outcome, all, (size_t)used);
done:
  return st;
}
