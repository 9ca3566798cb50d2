/** @file
 * Does a mixer keep its contract (lsqnet/mixer.h)? For authors of mixers, inside the library and outside:
 *
 *   char report[4096];
 *   if (lsqnet_mixer_conformance(&my_mixer, context, &sizes, "{}", report, sizeof report) != 0) puts(report);
 *
 * Header only; C99 and C++11; link with lsqnet and libm. */
#ifndef LSQNET_MIXER_CONFORMANCE_H
#define LSQNET_MIXER_CONFORMANCE_H

#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFORM_ALIGNMENT = 64, CONFORM_GUARD = 64, CONFORM_GUARD_BYTE = 0xA5, CONFORM_CONFIG = 4096 };

/* Arrays lie between a header and a guard. */
typedef struct conform_block {
  struct conform_block *next;
  void *memory;
  size_t bytes;
} conform_block;

typedef struct {
  const lsqnet_mixer *mixer;
  lsqnet_context *context;
  lsqnet_mixer_sizes sizes;
  void *state;
  int64_t parameters;
  int64_t *counts; /* values of each parameter */
  double **weights;
  conform_block *blocks;
  uint64_t random;
  char *report;
  size_t capacity, used;
  int broken, checked, starved;
  double worst; /* largest error, as a part of its tolerance */
} conform;

/* One shape: inputs, outputs, and directions along which x and the weights move. */
typedef struct {
  lsqnet_mixer_shape shape;
  char name[96];
  int64_t in, out, cache_count, scratch_count;
  double *x, *y, *cache, *scratch;
  double *dy, *dx, **gradients;
  double *move, **moves, *image; /* image = J (move, moves) */
} conform_case;

static inline void conform_say(conform *c, const char *format, va_list arguments) {
  const size_t room = c->capacity - c->used;
  if (c->capacity == 0 || room < 2) return;
  const int length = vsnprintf(c->report + c->used, room, format, arguments);
  if (length > 0) c->used += (size_t)length < room ? (size_t)length : room - 1;
}

static inline void conform_note(conform *c, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  conform_say(c, format, arguments);
  va_end(arguments);
}

/* Counts a claim and says what is wrong unless it holds. */
static inline int conform_claim(conform *c, int holds, const char *format, ...) {
  va_list arguments;
  c->checked++;
  if (holds) return 1;
  c->broken++;
  va_start(arguments, format);
  conform_say(c, format, arguments);
  va_end(arguments);
  conform_note(c, "\n");
  return 0;
}

static inline int conform_ok(conform *c, lsqnet_status status, const char *place, const char *call) {
  return conform_claim(c, status == LSQNET_OK, "%s: %s answered %s: %s", place, call, lsqnet_status_name(status),
                       status == LSQNET_OK ? "" : lsqnet_last_message());
}

/* |error| <= tolerance, so written that NaN fails. */
static inline int conform_close(conform *c, double error, double tolerance, const char *place, const char *what) {
  if (tolerance > 0 && fabs(error) / tolerance > c->worst) c->worst = fabs(error) / tolerance;
  return conform_claim(c, fabs(error) <= tolerance, "%s: %s: off by %.3g, tolerance %.3g", place, what, error,
                       tolerance);
}

/* Memory, freed with everything else at the end; filled with the byte `fill`. */
static inline void *conform_new(conform *c, int64_t count, size_t size, int fill) {
  const size_t bytes = (size_t)count * size;
  conform_block *block = (conform_block *)malloc(sizeof *block);
  char *memory = (char *)malloc(bytes + CONFORM_ALIGNMENT + CONFORM_GUARD);
  if (block == NULL || memory == NULL) {
    free(block);
    free(memory);
    c->starved = 1;
    return NULL;
  }
  block->memory = memory;
  block->bytes = bytes;
  block->next = c->blocks;
  c->blocks = block;
  memory += CONFORM_ALIGNMENT - (size_t)((uintptr_t)memory % CONFORM_ALIGNMENT);
  memset(memory, fill, bytes);
  memset(memory + bytes, CONFORM_GUARD_BYTE, CONFORM_GUARD);
  return memory;
}

static inline void conform_check_guards(conform *c, const char *place) {
  int broken = 0;
  for (const conform_block *b = c->blocks; b != NULL; b = b->next) {
    const unsigned char *begin = (const unsigned char *)b->memory;
    const unsigned char *guard = begin + (CONFORM_ALIGNMENT - (uintptr_t)begin % CONFORM_ALIGNMENT) + b->bytes;
    for (int i = 0; i < CONFORM_GUARD; i++) broken |= guard[i] != CONFORM_GUARD_BYTE;
  }
  conform_claim(c, !broken, "%s: a call wrote beyond the end of an array (is `workspace` large enough?)", place);
}

static inline void conform_free(conform *c) {
  while (c->blocks != NULL) {
    conform_block *next = c->blocks->next;
    free(c->blocks->memory);
    free(c->blocks);
    c->blocks = next;
  }
}

/* A multiple of 2^-23 in [-1,1), which float32 holds too: fine enough that none meets a kink exactly. */
static inline double conform_number(conform *c) {
  c->random = c->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(c->random >> 40) / (1 << 23) - 1;
}

static inline double *conform_numbers(conform *c, int64_t count) {
  double *a = (double *)conform_new(c, count, sizeof *a, 0);
  for (int64_t i = 0; a != NULL && i < count; i++) a[i] = conform_number(c);
  return a;
}

/* Errors are held against the largest number of an array, and against 1 where all are smaller: inputs and weights are
 * of that order, so what happens between them rounds by that much. */
static inline double conform_largest(const double *a, int64_t count, double at_least) {
  for (int64_t i = 0; i < count; i++)
    if (fabs(a[i]) > at_least) at_least = fabs(a[i]);
  return at_least;
}

static inline double conform_dot(const double *a, const double *b, int64_t count, double *magnitude) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += a[i] * b[i];
    *magnitude += fabs(a[i] * b[i]);
  }
  return sum;
}

static inline int conform_same(const double *a, const double *b, int64_t count) {
  return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* The larger of two errors; NaN is the largest. */
static inline double conform_worse(double error, double difference) {
  return error != error || fabs(difference) <= error ? error : fabs(difference);
}

/* Roundings of one output: four sums over channels or rows in a row, and some elementary functions. */
static inline double conform_roundings(const conform *c) { return 4 * (double)(c->sizes.width + c->sizes.rows) + 64; }

static inline int conform_parameter(conform *c, int64_t index, lsqnet_mixer_parameter *p) {
  char place[64];
  memset(p, 0, sizeof *p);
  p->size = sizeof *p;
  (void)snprintf(place, sizeof place, "parameter %lld", (long long)index);
  if (!conform_ok(c, c->mixer->parameter(c->state, index, p), place, "parameter")) return 0;
  const int named =
      p->name != NULL && p->name[0] != '\0' &&
      p->name[strspn(p->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")] == '\0';
  conform_claim(c, named, "%s: its name must be one or more of A-Z, a-z, 0-9, _, .", place);
  conform_claim(c, p->size == sizeof *p, "%s: its size is %lu", place, (unsigned long)p->size);
  if (!conform_claim(c, p->rank >= 1 && p->rank <= 4, "%s: rank=%lld must be 1 to 4", place, (long long)p->rank))
    return 0;
  c->counts[index] = 1;
  for (int64_t i = 0; i < p->rank; i++) {
    if (!conform_claim(c, p->shape[i] >= 1, "%s: shape[%lld]=%lld", place, (long long)i, (long long)p->shape[i]))
      return 0;
    c->counts[index] *= p->shape[i];
  }
  return 1;
}

/* Initial values are a function of the seed alone. Frozen weights keep them; the others get numbers that hide nothing.
 */
static inline void conform_initialize(conform *c, int64_t index, int frozen) {
  char place[64];
  const int64_t count = c->counts[index];
  double *w = (double *)conform_new(c, count, sizeof *w, 0xFF), *again = (double *)conform_new(c, count, sizeof *w, 0);
  (void)snprintf(place, sizeof place, "parameter %lld", (long long)index);
  c->weights[index] = conform_numbers(c, count);
  if (c->mixer->initialize == NULL || c->starved) return;
  if (!conform_ok(c, c->mixer->initialize(c->state, index, 5, w), place, "initialize")) return;
  (void)c->mixer->initialize(c->state, index, 5, again);
  conform_claim(c, conform_same(w, again, count), "%s: initialize depends on more than the seed", place);
  for (int64_t i = 0; i < count; i++)
    if (!conform_claim(c, isfinite(w[i]), "%s: initialize left element %lld as %g", place, (long long)i, w[i])) return;
  if (frozen) c->weights[index] = w;
}

static inline int conform_start(conform *c, const char *config) {
  if (!conform_ok(c, c->mixer->create(&c->state, c->context, c->mixer->user, &c->sizes, config), "mixer", "create"))
    return 0;
  c->parameters = c->mixer->parameter_count(c->state);
  if (!conform_claim(c, c->parameters >= 0, "mixer: parameter_count is %lld", (long long)c->parameters)) return 0;
  c->counts = (int64_t *)conform_new(c, c->parameters, sizeof *c->counts, 0);
  c->weights = (double **)conform_new(c, c->parameters, sizeof *c->weights, 0);
  for (int64_t i = 0; !c->starved && i < c->parameters; i++) {
    lsqnet_mixer_parameter p;
    if (!conform_parameter(c, i, &p)) return 0;
    conform_initialize(c, i, p.frozen);
  }
  return !c->starved;
}

/* What `config` writes makes the same mixer again. */
static inline void conform_config(conform *c) {
  char *first = (char *)conform_new(c, CONFORM_CONFIG, 1, 0), *second = (char *)conform_new(c, CONFORM_CONFIG, 1, 0);
  uint64_t needed = 0;
  void *again = NULL;
  if (c->mixer->config == NULL || c->starved) return;
  if (!conform_ok(c, c->mixer->config(c->state, NULL, 0, &needed), "config", "config with capacity 0")) return;
  if (needed > CONFORM_CONFIG) return;
  if (!conform_ok(c, c->mixer->config(c->state, first, needed, &needed), "config", "config")) return;
  conform_claim(c, strlen(first) + 1 == needed, "config: needs %lu bytes but wrote %lu", (unsigned long)needed,
                (unsigned long)strlen(first) + 1);
  if (!conform_ok(c, c->mixer->create(&again, c->context, c->mixer->user, &c->sizes, first), "config",
                  "create from it"))
    return;
  (void)c->mixer->config(again, second, CONFORM_CONFIG, &needed);
  c->mixer->destroy(again);
  conform_claim(c, strcmp(first, second) == 0, "config: \"%s\" came back as \"%s\"", first, second);
}

static inline lsqnet_status conform_forward(const conform *c, const conform_case *k, const double *x, double *y,
                                            double *cache) {
  return c->mixer->forward_f64(c->state, &k->shape, (const double *const *)c->weights, x, y, cache, k->scratch);
}

static inline double **conform_arrays(conform *c, int moved) {
  double **arrays = (double **)conform_new(c, c->parameters, sizeof *arrays, 0);
  for (int64_t i = 0; !c->starved && i < c->parameters; i++)
    arrays[i] = moved ? conform_numbers(c, c->counts[i]) : (double *)conform_new(c, c->counts[i], sizeof(double), 0);
  return arrays;
}

static inline int conform_prepare(conform *c, conform_case *k, int64_t B, int64_t T, int64_t first, int64_t count) {
  const int64_t D = c->sizes.width;
  memset(k, 0, sizeof *k);
  k->shape.size = sizeof k->shape;
  k->shape.batch = B;
  k->shape.rows = T;
  k->shape.first = first;
  k->shape.count = count;
  (void)snprintf(k->name, sizeof k->name, "batch=%lld rows=%lld first=%lld count=%lld", (long long)B, (long long)T,
                 (long long)first, (long long)count);
  k->in = B * T * D;
  k->out = B * count * D;
  if (!conform_ok(c, c->mixer->workspace(c->state, &k->shape, &k->cache_count, &k->scratch_count), k->name,
                  "workspace"))
    return 0;
  if (!conform_claim(c, k->cache_count >= 0 && k->scratch_count >= 0, "%s: workspace is negative", k->name)) return 0;
  k->x = conform_numbers(c, k->in);
  k->dy = conform_numbers(c, k->out);
  k->move = conform_numbers(c, k->in);
  k->moves = conform_arrays(c, 1);
  k->gradients = conform_arrays(c, 0);
  k->y = (double *)conform_new(c, k->out, sizeof *k->y, 0xFF);
  k->dx = (double *)conform_new(c, k->in, sizeof *k->dx, 0xFF);
  k->image = (double *)conform_new(c, k->out, sizeof *k->image, 0xFF);
  k->cache = (double *)conform_new(c, k->cache_count, sizeof *k->cache, 0xFF);
  k->scratch = (double *)conform_new(c, k->scratch_count, sizeof *k->scratch, 0xFF);
  return !c->starved;
}

/* Forward and backward come out with the same bits whatever their work arrays held, and backward adds to gradients. */
static inline int conform_repeat(conform *c, conform_case *k) {
  const double *const *w = (const double *const *)c->weights;
  double *y = (double *)conform_new(c, k->out, sizeof *y, 0), *dx = (double *)conform_new(c, k->in, sizeof *dx, 0);
  double **gradients = conform_arrays(c, 0), **none = (double **)conform_new(c, c->parameters, sizeof *none, 0);
  double *before = (double *)conform_new(c, k->cache_count, sizeof *before, 0);
  if (c->starved || !conform_ok(c, conform_forward(c, k, k->x, y, k->cache), k->name, "forward_f64")) return 0;
  memset(k->cache, 0x55, (size_t)k->cache_count * sizeof *k->cache);
  memset(k->scratch, 0x55, (size_t)k->scratch_count * sizeof *k->scratch);
  if (!conform_ok(c, conform_forward(c, k, k->x, k->y, k->cache), k->name, "forward_f64")) return 0;
  conform_claim(c, conform_same(y, k->y, k->out), "%s: forward_f64 twice gave different bits", k->name);
  for (int64_t i = 0; i < k->out; i++)
    if (!conform_claim(c, isfinite(k->y[i]), "%s: y[%lld] is %g", k->name, (long long)i, k->y[i])) return 0;

  memcpy(before, k->cache, (size_t)k->cache_count * sizeof *before);
  memset(k->scratch, 0xFF, (size_t)k->scratch_count * sizeof *k->scratch);
  if (!conform_ok(
          c, c->mixer->backward_f64(c->state, &k->shape, w, k->x, k->dy, k->dx, k->gradients, k->cache, k->scratch),
          k->name, "backward_f64"))
    return 0;
  conform_claim(c, conform_same(before, k->cache, k->cache_count), "%s: backward_f64 changed the cache", k->name);
  memset(k->scratch, 0x55, (size_t)k->scratch_count * sizeof *k->scratch);
  (void)c->mixer->backward_f64(c->state, &k->shape, w, k->x, k->dy, dx, none, k->cache, k->scratch);
  conform_claim(c, conform_same(dx, k->dx, k->in), "%s: backward_f64 gave another dx without weight gradients",
                k->name);
  (void)c->mixer->backward_f64(c->state, &k->shape, w, k->x, k->dy, dx, gradients, k->cache, k->scratch);
  for (int64_t i = 0; i < c->parameters; i++) {
    conform_claim(c, conform_same(gradients[i], k->gradients[i], c->counts[i]),
                  "%s: backward_f64 twice gave different gradients of parameter %lld", k->name, (long long)i);
  }
  /* a third time into the same arrays: twice the gradient */
  (void)c->mixer->backward_f64(c->state, &k->shape, w, k->x, k->dy, dx, gradients, k->cache, k->scratch);
  for (int64_t i = 0; i < c->parameters; i++) {
    const double tolerance = conform_roundings(c) * DBL_EPSILON * conform_largest(k->gradients[i], c->counts[i], 1);
    double error = 0;
    for (int64_t j = 0; j < c->counts[i]; j++) error = conform_worse(error, gradients[i][j] - 2 * k->gradients[i][j]);
    conform_close(c, error, (double)k->in * tolerance, k->name, "gradients are added to what is there");
  }
  return 1;
}

/* Sequence i alone, or among others that hold NaN, has the bits that it has in the batch. */
static inline void conform_split(conform *c, conform_case *k) {
  const int64_t B = k->shape.batch, in = k->in / B, out = k->out / B;
  conform_case one;
  double *x = (double *)conform_new(c, k->in, sizeof *x, 0), *y = (double *)conform_new(c, k->out, sizeof *y, 0);
  double *dx = (double *)conform_new(c, k->in, sizeof *dx, 0);
  double *cache = (double *)conform_new(c, k->cache_count, sizeof *cache, 0);
  double **none = (double **)conform_new(c, c->parameters, sizeof *none, 0);
  if (c->starved || !conform_prepare(c, &one, 1, k->shape.rows, k->shape.first, k->shape.count)) return;
  for (int64_t i = 0; i < B; i++) {
    const double *const *w = (const double *const *)c->weights;
    memset(x, 0xFF, (size_t)k->in * sizeof *x);
    memcpy(x + i * in, k->x + i * in, (size_t)in * sizeof *x);
    (void)conform_forward(c, k, x, y, cache);
    (void)c->mixer->backward_f64(c->state, &k->shape, w, x, k->dy, dx, none, cache, k->scratch);
    (void)conform_forward(c, &one, k->x + i * in, one.y, one.cache);
    (void)c->mixer->backward_f64(c->state, &one.shape, w, k->x + i * in, k->dy + i * out, one.dx, none, one.cache,
                                 one.scratch);
    const int alone = conform_same(one.y, k->y + i * out, out) && conform_same(one.dx, k->dx + i * in, in);
    const int among = conform_same(y + i * out, k->y + i * out, out) && conform_same(dx + i * in, k->dx + i * in, in);
    conform_claim(c, alone, "%s: sequence %lld alone has other bits than in the batch", k->name, (long long)i);
    conform_claim(c, among, "%s: the bits of sequence %lld depend on the other sequences", k->name, (long long)i);
  }
}

/* The wanted rows are those of the whole output. */
static inline void conform_wanted(conform *c, conform_case *k) {
  const int64_t B = k->shape.batch, T = k->shape.rows, R = k->shape.count, D = c->sizes.width;
  conform_case all;
  double error = 0;
  if (R == T || !conform_prepare(c, &all, B, T, 0, T)) return;
  if (!conform_ok(c, conform_forward(c, &all, k->x, all.y, all.cache), all.name, "forward_f64")) return;
  for (int64_t b = 0; b < B; b++)
    for (int64_t i = 0; i < R * D; i++)
      error = conform_worse(error, all.y[(b * T + k->shape.first) * D + i] - k->y[b * R * D + i]);
  conform_close(c, error, conform_roundings(c) * DBL_EPSILON * conform_largest(all.y, all.out, 1), k->name,
                "the wanted rows against the whole output");
}

/* y where `values` are `base` moved by `step` along `direction`. */
static inline void conform_moved(conform *c, conform_case *k, double *values, const double *base,
                                 const double *direction, int64_t count, double step, double *y, double *cache) {
  for (int64_t i = 0; i < count; i++) values[i] = base[i] + step * direction[i];
  (void)conform_forward(c, k, k->x, y, cache);
}

/* Central differences at h, 2h and 4h, extrapolated twice: R from h and 2h has an error of O(h^4), and R's distance
 * from the same of 2h and 4h is 15 times that. On top come the roundings of y, of which R has 3/2 / h. Returns
 * whether the two agree so well that no kink (of a ReLU) can lie within the steps. */
static inline int conform_difference(conform *c, conform_case *k, double h, double *values, const double *direction,
                                     int64_t count, double *derivative, double *bound) {
  double *cache = (double *)conform_new(c, k->cache_count, sizeof *cache, 0);
  double *up = (double *)conform_new(c, k->out, sizeof *up, 0),
         *down = (double *)conform_new(c, k->out, sizeof *down, 0);
  double *base = (double *)conform_new(c, count, sizeof *base, 0);
  double *d[3], largest = 1, disagreement = 0;
  if (base != NULL) memcpy(base, values, (size_t)count * sizeof *base);
  for (int level = 0; level < 3; level++) {
    const double step = h * (1 << level);
    d[level] = (double *)conform_new(c, k->out, sizeof *d[level], 0);
    if (c->starved) return 1;
    conform_moved(c, k, values, base, direction, count, step, up, cache);
    conform_moved(c, k, values, base, direction, count, -step, down, cache);
    largest = conform_largest(down, k->out, conform_largest(up, k->out, largest));
    for (int64_t i = 0; i < k->out; i++) d[level][i] = (up[i] - down[i]) / (2 * step);
  }
  memcpy(values, base, (size_t)count * sizeof *base);
  const double roundings = 1.5 / h * conform_roundings(c) * DBL_EPSILON * largest;
  for (int64_t i = 0; i < k->out; i++) {
    const double fine = (4 * d[0][i] - d[1][i]) / 3, coarse = (4 * d[1][i] - d[2][i]) / 3;
    derivative[i] = fine;
    bound[i] = fabs(fine - coarse) + roundings;
    disagreement = conform_worse(disagreement, fine - coarse);
  }
  return disagreement <= 1e-6 * conform_largest(derivative, k->out, 0) + roundings;
}

/* k->image = jvp_f64 along x (index -1) or one parameter, the others standing still; 0 if there is no such function. */
static inline int conform_jvp_along(conform *c, conform_case *k, int64_t index) {
  double *still = (double *)conform_new(c, k->in, sizeof *still, 0);
  double **only = (double **)conform_new(c, c->parameters, sizeof *only, 0);
  if (c->mixer->jvp_f64 == NULL || c->starved) return 0;
  if (index >= 0) only[index] = k->moves[index];
  memset(k->scratch, 0xFF, (size_t)k->scratch_count * sizeof *k->scratch);
  return conform_ok(
      c,
      c->mixer->jvp_f64(c->state, &k->shape, (const double *const *)c->weights, k->x, index < 0 ? k->move : still,
                        (const double *const *)only, k->image, k->cache, k->scratch),
      k->name, "jvp_f64");
}

/* The element whose error is the largest part of its bound. */
static inline int64_t conform_worst(const double *a, const double *b, const double *bound, int64_t count) {
  int64_t worst = 0;
  for (int64_t i = 0; i < count; i++) {
    if (a[i] != a[i]) return i;
    if (fabs(a[i] - b[i]) * bound[worst] > fabs(a[worst] - b[worst]) * bound[i]) worst = i;
  }
  return worst;
}

static inline void conform_name(char *name, size_t capacity, const char *what, int64_t index) {
  if (index < 0)
    (void)snprintf(name, capacity, "%s x", what);
  else
    (void)snprintf(name, capacity, "%s parameter %lld", what, (long long)index);
}

/* Both derivatives along one direction against finite differences, with shorter steps where a kink is in the way. */
static inline void conform_differentiate(conform *c, conform_case *k, int64_t index) {
  double *values = index < 0 ? k->x : c->weights[index];
  const double *direction = index < 0 ? k->move : k->moves[index], *gradient = index < 0 ? k->dx : k->gradients[index];
  const int64_t count = index < 0 ? k->in : c->counts[index];
  double *derivative = (double *)conform_new(c, k->out, sizeof *derivative, 0);
  double *bound = (double *)conform_new(c, k->out, sizeof *bound, 0);
  double step = 1.0 / (1 << 9), magnitude = 0;
  char what[96];
  for (int attempt = 0; attempt < 3; attempt++, step /= 1 << 6)
    if (c->starved || conform_difference(c, k, step, values, direction, count, derivative, bound)) break;
  if (c->starved) return;
  if (conform_jvp_along(c, k, index)) {
    const int64_t worst = conform_worst(k->image, derivative, bound, k->out);
    conform_name(what, sizeof what, "jvp_f64 along", index);
    conform_close(c, k->image[worst] - derivative[worst], bound[worst], k->name, what);
  }
  const double change = conform_dot(k->dy, derivative, k->out, &magnitude);
  const double error = conform_dot(gradient, direction, count, &magnitude) - change;
  double tolerance = (conform_roundings(c) + (double)(count + k->out)) * DBL_EPSILON * magnitude;
  for (int64_t i = 0; i < k->out; i++) tolerance += fabs(k->dy[i]) * bound[i];
  conform_name(what, sizeof what, "backward_f64's gradient of", index);
  conform_close(c, error, tolerance, k->name, what);
}

/* <dy, J d> = <J' dy, d> with everything moving at once. */
static inline void conform_adjoint(conform *c, conform_case *k) {
  double magnitude = 0;
  if (c->mixer->jvp_f64 == NULL) return;
  memset(k->image, 0xFF, (size_t)k->out * sizeof *k->image);
  if (!conform_ok(c,
                  c->mixer->jvp_f64(c->state, &k->shape, (const double *const *)c->weights, k->x, k->move,
                                    (const double *const *)k->moves, k->image, k->cache, k->scratch),
                  k->name, "jvp_f64"))
    return;
  double error = conform_dot(k->dy, k->image, k->out, &magnitude) - conform_dot(k->dx, k->move, k->in, &magnitude);
  double terms = (double)(k->in + k->out);
  for (int64_t i = 0; i < c->parameters; i++) {
    error -= conform_dot(k->gradients[i], k->moves[i], c->counts[i], &magnitude);
    terms += (double)c->counts[i];
  }
  conform_close(c, error, (conform_roundings(c) + terms) * DBL_EPSILON * magnitude, k->name, "<dy, J d> = <J' dy, d>");
}

static inline float *conform_float(conform *c, const double *a, int64_t count) {
  float *f = (float *)conform_new(c, count, sizeof *f, 0xFF);
  for (int64_t i = 0; f != NULL && a != NULL && i < count; i++) f[i] = (float)a[i];
  return f;
}

static inline float **conform_floats(conform *c, double **arrays) {
  float **f = (float **)conform_new(c, c->parameters, sizeof *f, 0);
  for (int64_t i = 0; !c->starved && i < c->parameters; i++) f[i] = conform_float(c, arrays[i], c->counts[i]);
  return f;
}

static inline void conform_compare(conform *c, const conform_case *k, const float *f, const double *a, int64_t count,
                                   double scale, const char *what) {
  const double tolerance = (conform_roundings(c) + (double)k->in) * FLT_EPSILON * scale;
  double error = 0;
  for (int64_t i = 0; i < count; i++) error = conform_worse(error, (double)f[i] - a[i]);
  conform_close(c, error, tolerance, k->name, what);
}

/* The float32 functions against the float64 ones, on numbers that both hold. */
static inline void conform_single(conform *c, conform_case *k) {
  const lsqnet_mixer *m = c->mixer;
  if (m->forward_f32 == NULL) return;
  float **weights = conform_floats(c, c->weights), **moves = conform_floats(c, k->moves),
        **gradients = conform_floats(c, c->weights);
  float *x = conform_float(c, k->x, k->in), *dy = conform_float(c, k->dy, k->out),
        *move = conform_float(c, k->move, k->in);
  float *y = conform_float(c, NULL, k->out), *dx = conform_float(c, NULL, k->in),
        *image = conform_float(c, NULL, k->out);
  float *cache = conform_float(c, NULL, k->cache_count), *scratch = conform_float(c, NULL, k->scratch_count);
  const float *const *w = (const float *const *)weights;
  if (c->starved) return;
  double scale = conform_largest(k->dx, k->in, 1);
  for (int64_t i = 0; i < c->parameters; i++) {
    memset(gradients[i], 0, (size_t)c->counts[i] * sizeof **gradients);
    scale = conform_largest(k->gradients[i], c->counts[i], scale);
  }
  if (!conform_ok(c, m->forward_f32(c->state, &k->shape, w, x, y, cache, scratch), k->name, "forward_f32")) return;
  conform_compare(c, k, y, k->y, k->out, conform_largest(k->y, k->out, 1), "forward_f32 against forward_f64");
  if (!conform_ok(c, m->backward_f32(c->state, &k->shape, w, x, dy, dx, gradients, cache, scratch), k->name,
                  "backward_f32"))
    return;
  conform_compare(c, k, dx, k->dx, k->in, scale, "backward_f32 against backward_f64: dx");
  for (int64_t i = 0; i < c->parameters; i++)
    conform_compare(c, k, gradients[i], k->gradients[i], c->counts[i], scale,
                    "backward_f32 against backward_f64: weights");
  if (m->jvp_f32 == NULL || m->jvp_f64 == NULL) return;
  if (!conform_ok(c, m->jvp_f32(c->state, &k->shape, w, x, move, (const float *const *)moves, image, cache, scratch),
                  k->name, "jvp_f32"))
    return;
  conform_compare(c, k, image, k->image, k->out, conform_largest(k->image, k->out, 1), "jvp_f32 against jvp_f64");
}

static inline void conform_shape(conform *c, int64_t B, int64_t T, int64_t first, int64_t count) {
  conform_case k;
  if (c->starved || !conform_prepare(c, &k, B, T, first, count) || !conform_repeat(c, &k)) return;
  conform_split(c, &k);
  conform_wanted(c, &k);
  for (int64_t i = -1; i < c->parameters; i++) conform_differentiate(c, &k, i);
  conform_adjoint(c, &k);
  conform_single(c, &k);
  conform_check_guards(c, k.name);
}

/** Runs `mixer` (its table as it would be registered) for `sizes` and `config` through: parameters, configuration and
 *  initial values; then, for whole and shorter sequences and for some of their rows: the same bits twice, whatever the
 *  work arrays held; the same bits for a sequence in any batch; wanted rows as in the whole output; backward and
 *  Jacobian products against finite differences and each other; float32 against float64; no write out of bounds.
 *  Returns how many claims failed, 0 if all hold, -1 if there was no memory. `report` (at most `capacity` bytes with
 * the closing NUL) gets a line for each failure and a last one with the numbers of claims. */
static inline int lsqnet_mixer_conformance(const lsqnet_mixer *mixer, lsqnet_context *context,
                                           const lsqnet_mixer_sizes *sizes, const char *config, char *report,
                                           size_t capacity) {
  conform c;
  memset(&c, 0, sizeof c);
  c.mixer = mixer;
  c.context = context;
  c.sizes = *sizes;
  c.report = report;
  c.capacity = capacity;
  c.random = 1;
  if (capacity > 0) report[0] = '\0';
  const int64_t T = sizes->rows, shorter = T > 1 ? T - 1 : 1;
  if (conform_start(&c, config)) {
    conform_config(&c);
    conform_shape(&c, 2, T, 0, T);
    conform_shape(&c, 3, T, T - 1, 1);
    conform_shape(&c, 2, shorter, 0, (shorter + 1) / 2);
    conform_shape(&c, 1, shorter, shorter / 2, (shorter - shorter / 2 + 1) / 2);
    conform_shape(&c, 1, 1, 0, 1);
  }
  if (c.state != NULL) mixer->destroy(c.state);
  conform_free(&c);
  conform_note(&c, "%s %s: %d of %d claims hold, largest error %.2g of its tolerance\n", mixer->name, config,
               c.checked - c.broken, c.checked, c.worst);
  if (c.starved) conform_note(&c, "no memory\n");
  return c.starved ? -1 : c.broken;
}

#endif
