#include "tasks/laws.h"

#include <lsqnet/task.h>
#include <math.h>

#include "base/random.h"
#include "tasks/elementary.h"

/* A number that is made of several takes the others from these distances behind the first. */
static const uint64_t SECOND = UINT64_C(1) << 54, THIRD = UINT64_C(2) << 54;

static uint64_t begin_of(int part) { return (uint64_t)part << 56; }

lsq_stream lsq_stream_of(uint64_t seed, uint64_t step, uint64_t sample) {
  return (lsq_stream){seed, lsq_random_bits(seed, step, sample)};
}

double lsq_stream_uniform(lsq_stream stream, int part, int64_t position) {
  return lsq_random_uniform(stream.seed, stream.stream, begin_of(part) + (uint64_t)position);
}

static double uniform(lsq_stream s, uint64_t index) {
  return sqrt(3.0) * (2 * lsq_random_uniform(s.seed, s.stream, index) - 1);
}

static double laplace(lsq_stream s, uint64_t index) {
  const double u = lsq_random_uniform(s.seed, s.stream, index);
  return sqrt(0.5) * (u < 0.5 ? lsq_logarithm(2 * u) : -lsq_logarithm(2 * (1 - u)));
}

/* A plane t vector has the squared length nu (U^(-2/nu) - 1) and any direction (Bailey 1994); this is one of its
 * coordinates. Its variance is nu / (nu - 2). */
static double student(lsq_stream s, uint64_t index, double nu) {
  const double u = lsq_random_uniform(s.seed, s.stream, index);
  const double z1 = lsq_random_normal(s.seed, s.stream, index + SECOND);
  const double z2 = lsq_random_normal(s.seed, s.stream, index + THIRD);
  const double length = sqrt(nu * lsq_exponential_less_one(-2 / nu * lsq_logarithm(u)));
  const double t = length * z1 / sqrt(z1 * z1 + z2 * z2);
  return nu > 2 ? t * sqrt((nu - 2) / nu) : t;
}

void lsq_law_fill(int32_t law, double freedom, lsq_stream stream, int part, int64_t count, double *out) {
  const uint64_t first = begin_of(part);
  if (law == LSQNET_LAW_NORMAL) {
    lsq_random_normals(stream.seed, stream.stream, first, count, out);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    const uint64_t index = first + (uint64_t)i;
    out[i] = law == LSQNET_LAW_UNIFORM   ? uniform(stream, index)
             : law == LSQNET_LAW_LAPLACE ? laplace(stream, index)
                                         : student(stream, index, freedom);
  }
}
