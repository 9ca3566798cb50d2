/* J'J and its Cholesky factor, on every level that the machine has: the bits of plain products, on any number of
 * threads, whatever is packed on the way. */
#define LSQ_PRECISION 64

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/normal_equations.h"
#include "numbers.h"

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

/* Few columns and many, rows in one block and in several calls' worth of them, the last block shorter. */
START_TEST(products_have_the_same_bits_on_any_number_of_threads) {
  static const int64_t columns[] = {1, 95, 97, 200, 700}, rows[] = {1, 128, 131, 900};
  for (int s = 0; s < 5 * 4 * 2; s++) {
    const int64_t P = columns[s / 8], N = rows[s / 2 % 4];
    const int accumulate = s & 1;
    double *J = numbers(N * P, 1), *wanted = numbers(P * P, 2);
    for (int t = 0; t < 4; t++) {
      static const int32_t some[] = {1, 2, 3, 16};
      const int32_t threads = some[t];
      lsqnet_context_options options;
      lsqnet_context *context = NULL;
      ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
      options.threads = threads;
      options.kernel_level = _i;
      if (lsqnet_context_create(&context, &options) != LSQNET_OK) break; /* not a level of this machine */
      double *H = numbers(P * P, 2), *scratch = numbers(lsq_add_products_scratch(P), 3);
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

typedef struct {
  lsqnet_context *context;
  const double *J;
  double *scratch, *H;
} one_product;

enum { SHARED_P = 200, SHARED_N = 400 };

static void *repeat_product(void *argument) {
  const one_product *p = argument;
  for (int i = 0; i < 20; i++)
    if (lsq_add_products(p->context->pool, p->context->kernels_f64, SHARED_N, SHARED_P, p->J, p->scratch, p->H, 0) !=
        LSQNET_OK)
      return argument;
  return NULL;
}

/* One of the two finds the pool busy, and does its tasks alone, in order. */
START_TEST(two_threads_of_a_host_share_a_context) {
  lsqnet_context_options options;
  one_product products[2];
  pthread_t other;
  void *failed = NULL;
  ck_assert_int_eq(lsqnet_context_options_init(&options, sizeof options), LSQNET_OK);
  options.threads = 3;
  ck_assert_int_eq(lsqnet_context_create(&products[0].context, &options), LSQNET_OK);
  for (int i = 0; i < 2; i++)
    products[i] = (one_product){products[0].context, numbers(SHARED_N * SHARED_P, 1),
                                numbers(lsq_add_products_scratch(SHARED_P), 2), numbers(SHARED_P * SHARED_P, 3)};
  ck_assert_int_eq(pthread_create(&other, NULL, repeat_product, &products[1]), 0);
  ck_assert_ptr_null(repeat_product(&products[0]));
  ck_assert_int_eq(pthread_join(other, &failed), 0);
  ck_assert_ptr_null(failed);
  assert_same_triangle(SHARED_P, products[0].H, products[1].H);
  lsqnet_context_destroy(products[0].context);
  for (int i = 0; i < 2; i++) {
    free((void *)products[i].J);
    free(products[i].scratch);
    free(products[i].H);
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
    double *J = numbers(N * P, 1), *H = numbers(P * P, 2), *C = numbers(lsq_add_products_scratch(P), 3),
           *x = numbers(P, 4), *g = numbers(P, 4);
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
  tcase_add_loop_test(claims, products_have_the_same_bits_on_any_number_of_threads, first, end);
  tcase_add_test(claims, two_threads_of_a_host_share_a_context);
  tcase_add_loop_test(claims, the_factor_solves_the_equations, first, end);
  tcase_set_timeout(claims, 120);
  suite_add_tcase(suite, claims);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
