/* J'J and its Cholesky factor, on every level that the machine has: the bits of plain products, on any number of
 * threads, whatever is packed on the way. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/normal_equations.h"

static double *numbers(int64_t count, uint64_t stream) {
  uint64_t state = 1000 * stream;
  double *x = aligned_alloc(64, (size_t)(count + 8) / 8 * 64);
  ck_assert_ptr_nonnull(x);
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x[i] = (double)(state >> 11) * 0x1p-52 - 1;
  }
  return x;
}

/* J'J (+ H), lower triangle, by product_tn: columns few enough that it is our own. */
static void plain_products(const struct lsq_kernels_f64 *kernels, int64_t N, int64_t P, const double *J, double *H,
                           int accumulate) {
  for (int64_t j = 0; j < P; j += LSQ_PRODUCT_WIDEST) {
    const int64_t columns = P - j < LSQ_PRODUCT_WIDEST ? P - j : LSQ_PRODUCT_WIDEST;
    kernels->product_tn(P - j, columns, N, J + j, P, J + j, P, H + j * P + j, P, accumulate);
  }
}

static void assert_same_triangle(int64_t P, const double *got, const double *wanted) {
  for (int64_t i = 0; i < P; i++)
    for (int64_t j = 0; j <= i; j++)
      if (memcmp(&got[i * P + j], &wanted[i * P + j], sizeof *got) != 0)
        ck_abort_msg("P=%d: J'J(%d,%d) is %.17g, not %.17g", (int)P, (int)i, (int)j, got[i * P + j], wanted[i * P + j]);
}

/* M and N beside whole groups and strips of every level, C wider than N and not to be touched there. */
START_TEST(packed_products_have_the_bits_of_plain_ones) {
  static const int64_t sizes[] = {1, 5, 12, 31, 33, 64, 96}, depths[] = {1, 50, LSQ_PRODUCT_DEPTH};
  enum { SIZES = sizeof sizes / sizeof *sizes, WIDEST = 96, LDC = WIDEST + 1 };
  const struct lsq_kernels_f64 *kernels = lsq_kernels_choose_f64(_i);
  if (kernels == NULL) return;
  for (int s = 0; s < SIZES * SIZES * 3 * 4; s++) {
    const int64_t M = sizes[s / 12 % SIZES], N = sizes[s / 12 / SIZES], K = depths[s / 4 % 3];
    const int accumulate = s & 1, lower = s >> 1 & 1;
    double *A = numbers(K * LDC, 1), *B = numbers(K * LDC, 2), *C = numbers(WIDEST * LDC, 3),
           *D = numbers(WIDEST * LDC, 3), *left = numbers(lsq_packed_left(K, M), 4),
           *right = numbers(lsq_packed_right(K, N), 5), *other = numbers(lsq_packed_right(K, WIDEST), 6);
    kernels->pack(K, M, A, LDC, left, other);
    kernels->pack(K, N, B, LDC, other, right);
    kernels->product_packed(M, N, K, left, right, C, LDC, accumulate, lower);
    kernels->product_tn(M, N, K, A, LDC, B, LDC, D, LDC, accumulate);
    for (int64_t i = 0; i < WIDEST; i++)
      for (int64_t j = 0; j < LDC; j++) {
        if (lower && i < M && j < N && j > i) continue;
        if (memcmp(&C[i * LDC + j], &D[i * LDC + j], sizeof *C) != 0)
          ck_abort_msg("%d x %d x %d: C(%d,%d) is %.17g, not %.17g", (int)M, (int)N, (int)K, (int)i, (int)j,
                       C[i * LDC + j], D[i * LDC + j]);
      }
    double *arrays[] = {A, B, C, D, left, right, other};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  }
}
END_TEST

/* Few columns and many, rows in one block and in several calls' worth of them, the last block shorter. */
START_TEST(products_have_the_same_bits_on_any_number_of_threads) {
  static const int64_t columns[] = {1, 95, 97, 200, 700}, rows[] = {1, 128, 131, 900};
  for (int s = 0; s < 5 * 4 * 2; s++) {
    const int64_t P = columns[s / 8], N = rows[s / 2 % 4];
    const int accumulate = s & 1;
    double *J = numbers(N * P, 1), *wanted = numbers(P * P, 2);
    for (int32_t threads = 1; threads <= 3; threads++) {
      lsqnet_context_options options;
      lsqnet_context *context = NULL;
      ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
      options.threads = threads;
      options.kernel_level = _i;
      if (lsqnet_context_create(&context, &options) != LSQNET_OK) break; /* not a level of this machine */
      double *H = numbers(P * P, 2), *scratch = numbers(lsq_products_scratch(P), 3);
      if (threads == 1) plain_products(context->kernels_f64, N, P, J, wanted, accumulate);
      ck_assert_int_eq(lsq_add_products(context->pool, context->kernels_f64, N, P, J, scratch, H, accumulate),
                       LSQNET_OK);
      assert_same_triangle(P, H, wanted);
      free(H);
      free(scratch);
      lsqnet_context_destroy(context);
    }
    free(J);
    free(wanted);
  }
}
END_TEST

/* (J'J + I) x = g, solved by the factor, whose scratch memory held something else before. */
START_TEST(the_factor_solves_the_equations) {
  static const int64_t columns[] = {1, 63, 65, 300};
  lsqnet_context_options options;
  lsqnet_context *context = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.kernel_level = _i;
  if (lsqnet_context_create(&context, &options) != LSQNET_OK) return; /* not a level of this machine */
  for (int s = 0; s < 4; s++) {
    const int64_t P = columns[s], N = P + 20;
    double *J = numbers(N * P, 1), *H = numbers(P * P, 2), *C = numbers(lsq_products_scratch(P), 3), *x = numbers(P, 4),
           *g = numbers(P, 4);
    int positive = 0;
    ck_assert_int_eq(lsq_add_products(context->pool, context->kernels_f64, N, P, J, C, H, 0), LSQNET_OK);
    for (int64_t i = 0; i < P; i++) H[i * P + i] += 1;
    memcpy(C, H, (size_t)(P * P) * sizeof *C);
    ck_assert_int_eq(lsq_cholesky(context->pool, context->kernels_f64, P, C, &positive), LSQNET_OK);
    ck_assert(positive);
    lsq_cholesky_solve(P, C, x);
    for (int64_t i = 0; i < P; i++) {
      double sum = 0, size = fabs(g[i]);
      for (int64_t j = 0; j < P; j++) {
        const double term = H[i > j ? i * P + j : j * P + i] * x[j];
        sum += term;
        size += fabs(term);
      }
      ck_assert_msg(fabs(sum - g[i]) <= 10 * (double)P * 0x1p-53 * size, "P=%d: equation %d is off by %g of %g", (int)P,
                    (int)i, sum - g[i], size);
    }
    H[0] = -1;
    memcpy(C, H, (size_t)(P * P) * sizeof *C);
    ck_assert_int_eq(lsq_cholesky(context->pool, context->kernels_f64, P, C, &positive), LSQNET_OK);
    ck_assert(!positive);
    double *arrays[] = {J, H, C, x, g};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  }
  lsqnet_context_destroy(context);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("normal_equations");
  TCase *claims = tcase_create("claims");
  const int first = LSQNET_KERNEL_GENERIC, end = LSQNET_KERNEL_X86_64_V4 + 1;
  tcase_add_loop_test(claims, packed_products_have_the_bits_of_plain_ones, first, end);
  tcase_add_loop_test(claims, products_have_the_same_bits_on_any_number_of_threads, first, end);
  tcase_add_loop_test(claims, the_factor_solves_the_equations, first, end);
  tcase_set_timeout(claims, 120);
  suite_add_tcase(suite, claims);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
