#define LSQ_PRECISION 32
#include "bench_products.c"
