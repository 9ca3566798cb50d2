/* Functions whose bits do not depend on the machine's libm, beside lsq_logarithm of base/random.h. */
#ifndef LSQ_TASKS_ELEMENTARY_H
#define LSQ_TASKS_ELEMENTARY_H

#include <stdint.h>

/* exp(x), within two units in the last place. */
double lsq_exponential(double x);

/* exp(x) - 1, within four units in the last place near 0 too. */
double lsq_exponential_less_one(double x);

/* cos(pi j / n) for 0 <= j <= n: odd about j = n/2, within two units in the last place. */
double lsq_cosine_of_pi(int64_t j, int64_t n);

#endif
