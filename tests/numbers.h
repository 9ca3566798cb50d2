/* Numbers for tests of products, of either precision: real.h says which. */
#ifndef TEST_NUMBERS_H
#define TEST_NUMBERS_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/real.h"

/* `count` numbers in (-1,1), and not one more, so that an overrun is seen. */
static inline real *numbers(int64_t count, uint64_t stream) {
  uint64_t state = 1000 * stream;
  real *x = malloc((size_t)count * sizeof *x);
  ck_assert_ptr_nonnull(x);
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x[i] = (real)((double)(state >> 11) * 0x1p-52 - 1);
  }
  return x;
}

#endif
