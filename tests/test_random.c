#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"

/* Philox 4x64-10 again, from the paper (Salmon et al. 2011), with 64x64-bit products by halves. */
static uint64_t product_high(uint64_t a, uint64_t b) {
  uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (middle & 0xffffffffu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

static void philox(const uint64_t counter[4], const uint64_t key[2], uint64_t out[4]) {
  uint64_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; round++) {
    uint64_t low0 = c[0] * 0xD2E7470EE14C6C93u, high0 = product_high(c[0], 0xD2E7470EE14C6C93u);
    uint64_t low1 = c[2] * 0xCA5A826395121157u, high1 = product_high(c[2], 0xCA5A826395121157u);
    c[0] = high1 ^ c[1] ^ k[0];
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k[1];
    c[3] = low0;
    k[0] += 0x9E3779B97F4A7C15u;
    k[1] += 0xBB67AE8584CAA73Bu;
  }
  for (int i = 0; i < 4; i++) out[i] = c[i];
}

/* Random123's known answers: counter, key, result. */
START_TEST(the_oracle_gives_the_known_answers) {
  static const uint64_t known[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b},
      {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0x87b092c3013fe90b, 0x438c3c67be8d0224,
       0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0},
      {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89, 0x452821e638d01377,
       0xbe5466cf34e90c6c, 0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6}};
  for (int i = 0; i < 3; i++) {
    uint64_t out[4];
    philox(known[i], known[i] + 4, out);
    for (int w = 0; w < 4; w++) ck_assert_uint_eq(out[w], known[i][6 + w]);
  }
}
END_TEST

START_TEST(bits_are_the_words_of_philox_blocks) {
  static const uint64_t values[] = {0, 1, 2, 3, 77, 0x243f6a8885a308d3, UINT64_MAX - 1, UINT64_MAX};
  enum { COUNT = sizeof values / sizeof values[0] };
  for (int i = 0; i < COUNT * COUNT * COUNT; i++) {
    uint64_t seed = values[i % COUNT], stream = values[i / COUNT % COUNT], index = values[i / COUNT / COUNT], out[4];
    const uint64_t counter[4] = {index / 4, stream, 0, 0}, key[2] = {seed, 0};
    philox(counter, key, out);
    ck_assert_uint_eq(lsq_random_bits(seed, stream, index), out[index % 4]);
  }
}
END_TEST

START_TEST(uniforms_are_odd_multiples_of_2_to_minus_53) {
  enum { COUNT = 100000 };
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < COUNT; i++) {
    double u = lsq_random_uniform(5, 9, i), k = ldexp(u, 53);
    ck_assert(u > 0 && u < 1);
    ck_assert(k == floor(k) && fmod(k, 2) == 1);
    ck_assert(k == (double)(lsq_random_bits(5, 9, i) >> 12) * 2 + 1);
    sum += u;
    squares += u * u;
  }
  /* five standard deviations: 1/sqrt(12 n) and sqrt(4/45 n) */
  ck_assert(fabs(sum / COUNT - 0.5) <= 5 / sqrt(12.0 * COUNT));
  ck_assert(fabs(squares / COUNT - 1.0 / 3) <= 5 * sqrt(4.0 / 45 / COUNT));
}
END_TEST

/* Phi(x) = erfc(-x/sqrt2)/2 turns a relative error e of x into x^2 e in the tails: a few units for each factor. */
static void assert_quantile(double p) {
  double x = lsq_normal_quantile(p), tail = 0.5 * erfc(fabs(x) / sqrt(2)), wanted = p < 0.5 ? p : 1 - p;
  ck_assert_msg(fabs(tail - wanted) <= (8 + 8 * x * x) * DBL_EPSILON * wanted, "p=%a: x=%.17g", p, x);
  ck_assert(p < 0.5 ? x < 0 : x >= 0);
}

START_TEST(quantile_inverts_the_distribution_from_centre_to_far_tail) {
  for (int e = 2; e <= 53; e++) {
    for (int i = 0; i < 64; i++) {
      double p = ldexp(1 + i / 64.0, -e);
      assert_quantile(p);
      assert_quantile(1 - p);
    }
  }
  ck_assert(lsq_normal_quantile(0.5) == 0);
  ck_assert(lsq_normal_quantile(0x1p-53) < -8.2 && lsq_normal_quantile(1 - 0x1p-53) > 8.2);
}
END_TEST

START_TEST(quantile_is_odd_and_grows) {
  double before = -INFINITY;
  for (int i = 1; i < 4096; i++) {
    double p = i / 4096.0, x = lsq_normal_quantile(p);
    ck_assert(x > before);
    ck_assert(lsq_normal_quantile(1 - p) == -x);
    before = x;
  }
}
END_TEST

START_TEST(normals_have_the_moments_of_a_normal) {
  enum { COUNT = 200000 };
  double *x = calloc(COUNT, sizeof *x), moments[5] = {0};
  ck_assert_ptr_nonnull(x);
  lsq_random_normals(123, 7, 0, COUNT, x);
  for (int i = 0; i < COUNT; i++) {
    double power = 1;
    for (int k = 1; k <= 4; k++) moments[k] += (power *= x[i]) / COUNT;
  }
  free(x);
  /* five standard deviations: the variance of x^k is (2k-1)!! - (k-th moment)^2 */
  ck_assert(fabs(moments[1]) <= 5 * sqrt(1.0 / COUNT));
  ck_assert(fabs(moments[2] - 1) <= 5 * sqrt(2.0 / COUNT));
  ck_assert(fabs(moments[3]) <= 5 * sqrt(15.0 / COUNT));
  ck_assert(fabs(moments[4] - 3) <= 5 * sqrt(96.0 / COUNT));
}
END_TEST

START_TEST(neighbouring_streams_and_seeds_do_not_correlate) {
  enum { COUNT = 100000 };
  double stream = 0, seed = 0, next = 0;
  for (uint64_t i = 0; i < COUNT; i++) {
    double x = lsq_random_normal(1, 1, i);
    stream += x * lsq_random_normal(1, 2, i) / COUNT;
    seed += x * lsq_random_normal(2, 1, i) / COUNT;
    next += x * lsq_random_normal(1, 1, i + 1) / COUNT;
  }
  double bound = 5 / sqrt(COUNT);
  ck_assert(fabs(stream) <= bound && fabs(seed) <= bound && fabs(next) <= bound);
}
END_TEST

START_TEST(a_run_of_normals_has_the_bits_of_single_ones) {
  for (uint64_t first = 0; first < 9; first++) {
    for (int64_t count = 0; count < 13; count++) {
      double x[13] = {0};
      lsq_random_normals(3, 4, first, count, x);
      for (int64_t i = 0; i < count; i++) ck_assert(x[i] == lsq_random_normal(3, 4, first + (uint64_t)i));
      for (int64_t i = count; i < 13; i++) ck_assert(x[i] == 0);
    }
  }
}
END_TEST

/* Training runs are repeated from their seeds: these bits may never change. */
START_TEST(normals_have_the_bits_they_always_had) {
  static const double normals[] = {-0x1.d3571d710c611p-4, -0x1.4333597bb1fa5p+0, -0x1.664a3e5241625p-2,
                                   0x1.0d86dcbc0756fp-3,  0x1.e344dfef7c5p-1,    -0x1.7e32d235ebfb9p-1,
                                   0x1.09b26940e24f1p-3,  0x1.1493827b8df9dp+0,  0x1.11f8fba92174cp+0,
                                   -0x1.47da9a8477f71p+1, 0x1.fe27b1454d2d6p-1,  0x1.75a863eac8cd8p-3};
  for (uint64_t i = 0; i < sizeof normals / sizeof normals[0]; i++) {
    ck_assert(lsq_random_normal(20250312, 1, i) == normals[i]);
  }
  ck_assert(lsq_random_normal(20250312, 1, 199289) == -0x1.527ef737878f1p+2);
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("random");
  SRunner *runner = srunner_create(suite);
  tcase_add_test(claims, the_oracle_gives_the_known_answers);
  tcase_add_test(claims, bits_are_the_words_of_philox_blocks);
  tcase_add_test(claims, uniforms_are_odd_multiples_of_2_to_minus_53);
  tcase_add_test(claims, quantile_inverts_the_distribution_from_centre_to_far_tail);
  tcase_add_test(claims, quantile_is_odd_and_grows);
  tcase_add_test(claims, normals_have_the_moments_of_a_normal);
  tcase_add_test(claims, neighbouring_streams_and_seeds_do_not_correlate);
  tcase_add_test(claims, a_run_of_normals_has_the_bits_of_single_ones);
  tcase_add_test(claims, normals_have_the_bits_they_always_had);
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
