#include "kernels/level.h"

extern const struct REAL(lsq_kernels) LEVEL(kernels);

const struct REAL(lsq_kernels) LEVEL(kernels) = {
    .level = LSQ_LEVEL_NUMBER,
    .product_nt = PRODUCT(product_nt),
    .product_nn = PRODUCT(product_nn),
    .product_tn = PRODUCT(product_tn),
    .pack = PRODUCT(pack),
    .product_packed = PRODUCT(product_packed),
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
