/* Products of packed operands, on every level that the machine has: the bits of plain products. test_packed_f32.c
 * compiles this file again in float. */
#ifndef LSQ_PRECISION
#define LSQ_PRECISION 64
#endif

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "numbers.h"

/* M and N beside whole groups and strips of every level, C wider than N and not to be touched there. */
START_TEST(packed_products_have_the_bits_of_plain_ones) {
  static const int64_t sizes[] = {1, 5, 12, 31, 33, 64, 96}, depths[] = {1, 50, LSQ_PRODUCT_DEPTH};
  enum { SIZES = sizeof sizes / sizeof *sizes, WIDEST = 96, LDC = WIDEST + 1 };
  const struct REAL(lsq_kernels) *kernels = REAL(lsq_kernels_choose)(_i);
  if (kernels == NULL) return;
  for (int s = 0; s < SIZES * SIZES * 3 * 4; s++) {
    const int64_t M = sizes[s / 12 % SIZES], N = sizes[s / 12 / SIZES], K = depths[s / 4 % 3];
    const int accumulate = s & 1, lower = s >> 1 & 1;
    real *A = numbers(K * M, 1), *B = numbers(K * N, 2), *C = numbers(WIDEST * LDC, 3), *D = numbers(WIDEST * LDC, 3),
         *left = numbers(lsq_packed_left(K, M), 4), *right = numbers(lsq_packed_right(K, N), 5),
         *unused = numbers(lsq_packed_right(K, WIDEST), 6);
    kernels->pack(K, M, A, M, left, unused);
    kernels->pack(K, N, B, N, unused, right);
    kernels->product_packed(M, N, K, left, right, C, LDC, accumulate, lower);
    kernels->product_tn(M, N, K, A, M, B, N, D, LDC, accumulate);
    for (int64_t i = 0; i < WIDEST; i++)
      for (int64_t j = 0; j < LDC; j++) {
        if (lower && i < M && j < N && j > i) continue;
        if (memcmp(&C[i * LDC + j], &D[i * LDC + j], sizeof *C) != 0)
          ck_abort_msg("%d x %d x %d: C(%d,%d) is %.17g, not %.17g", (int)M, (int)N, (int)K, (int)i, (int)j,
                       (double)C[i * LDC + j], (double)D[i * LDC + j]);
      }
    real *arrays[] = {A, B, C, D, left, right, unused};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("packed");
  TCase *claims = tcase_create("claims");
  tcase_add_loop_test(claims, packed_products_have_the_bits_of_plain_ones, LSQNET_KERNEL_GENERIC,
                      LSQNET_KERNEL_X86_64_V4 + 1);
  tcase_set_timeout(claims, 120);
  suite_add_tcase(suite, claims);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
