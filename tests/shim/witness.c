/* Loaded beside the shim: says on standard error, when the program ends, how often the shim was entered and answered. */
#include <inttypes.h>
#include <stdio.h>

uint64_t lsqnet_lapack_entered(void);
uint64_t lsqnet_lapack_solved(void);

__attribute__((destructor)) static void testify(void) {
  fprintf(stderr, "shim: entered %" PRIu64 ", solved %" PRIu64 "\n", lsqnet_lapack_entered(), lsqnet_lapack_solved());
}
