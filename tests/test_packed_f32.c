#define LSQ_PRECISION 32
#include "test_packed.c"
