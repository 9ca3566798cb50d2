#include "kernels/level.h"

extern const struct REAL(lsq_kernels) LEVEL(kernels);

const struct REAL(lsq_kernels) LEVEL(kernels) = {
    .level = LSQ_LEVEL_NUMBER,
    .product_nt = LEVEL(product_nt),
    .product_nn = LEVEL(product_nn),
    .product_tn = LEVEL(product_tn),
    .pack = LEVEL(pack),
    .product_packed = LEVEL(product_packed),
    .toeplitz = LEVEL(toeplitz),
    .toeplitz_input = LEVEL(toeplitz_input),
    .toeplitz_filter = LEVEL(toeplitz_filter),
    .multiply = LEVEL(multiply),
    .multiply_add = LEVEL(multiply_add),
    .axpy = LEVEL(axpy),
    .scale = LEVEL(scale),
    .dot = LEVEL(dot),
    .column_sums = LEVEL(column_sums),
};
