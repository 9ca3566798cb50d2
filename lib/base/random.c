#include "base/random.h"

#include <math.h>

/* The header knows by itself of few processors. */
#ifdef __SIZEOF_INT128__
#define R123_USE_GNU_UINT128 1
#else
#define R123_USE_MULHILO64_C99 1
#endif
#include <Random123/philox.h>

enum { ROUNDS = 10, WORDS = 4 };

static philox4x64_ctr_t random_block(uint64_t seed, uint64_t stream, uint64_t block) {
  philox4x64_ctr_t counter = {{block, stream, 0, 0}};
  philox4x64_key_t key = {{seed, 0}};
  return philox4x64_R(ROUNDS, counter, key);
}

static double uniform_from_bits(uint64_t bits) { return (double)(bits >> 12) * 0x1p-52 + 0x1p-53; }

/* log m = 2 artanh((m - 1)/(m + 1)) for m in [sqrt(1/2), sqrt(2)], whose series then has 11 terms that count. */
double lsq_logarithm(double x) {
  const double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40; /* high has 36 bits: times e it is exact */
  int e = 0;
  double m = frexp(x, &e);
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2;
    e--;
  }
  double s = (m - 1) / (m + 1), z = s * s, series = 0;
  for (int k = 10; k >= 1; k--) series = (series + 1.0 / (2 * k + 1)) * z;
  return e * ln2_high + (2 * s + (2 * s * series + e * ln2_low));
}

static double polynomial(const double coefficients[8], double x) {
  double sum = coefficients[7];
  for (int k = 6; k >= 0; k--) sum = sum * x + coefficients[k];
  return sum;
}

/* Quantile of the standard normal at p in (0,1): Wichura 1988, algorithm AS 241 (PPND16), his coefficients. Numerator
 * and denominator of the centre, of the tails and of the far tails. */
double lsq_normal_quantile(double p) {
  static const double centre[2][8] = {
      {3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
       4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3},
      {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4,
       3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3}};
  static const double tail[2][8] = {
      {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
       1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
      {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
       1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
  static const double far_tail[2][8] = {
      {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
       2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
      {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
       1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
  double q = p - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * polynomial(centre[0], r) / polynomial(centre[1], r);
  }
  double r = sqrt(-lsq_logarithm(q < 0 ? p : 1 - p));
  double quantile = r <= 5 ? polynomial(tail[0], r - 1.6) / polynomial(tail[1], r - 1.6)
                           : polynomial(far_tail[0], r - 5) / polynomial(far_tail[1], r - 5);
  return q < 0 ? -quantile : quantile;
}

uint64_t lsq_random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  return random_block(seed, stream, index / WORDS).v[index % WORDS];
}

double lsq_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return uniform_from_bits(lsq_random_bits(seed, stream, index));
}

double lsq_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  return lsq_normal_quantile(lsq_random_uniform(seed, stream, index));
}

void lsq_random_normals(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double *out) {
  philox4x64_ctr_t block = {{0, 0, 0, 0}};
  for (int64_t i = 0; i < count; i++) {
    uint64_t index = first + (uint64_t)i;
    if (i == 0 || index % WORDS == 0) block = random_block(seed, stream, index / WORDS);
    out[i] = lsq_normal_quantile(uniform_from_bits(block.v[index % WORDS]));
  }
}
