/* Structs whose first field is their size in the caller's build (house rule: append only). */
#ifndef LSQ_BASE_SIZED_H
#define LSQ_BASE_SIZED_H

#include <stddef.h>

#include "base/status.h"

/* Reads a caller's struct into `known`, which holds this library's defaults and is `known_size` bytes: copies what both
 * have. E_VERSION if the caller's size is below `first_size` (the first release's) or its tail, unknown here, is not
 * zero; `what` names the struct. */
lsqnet_status lsq_sized_read(void *known, uint32_t known_size, uint32_t first_size, const void *given,
                             const char *what);

/* Writes `known` into a caller's struct of `size` bytes: as much as both have, zero beyond; the size field says `size`.
 */
lsqnet_status lsq_sized_write(void *given, uint32_t size, uint32_t first_size, const void *known, uint32_t known_size,
                              const char *what);

/* Bytes of a struct up to the end of field `last`: with the first release's last field, its `first_size`. */
#define LSQ_SIZE_THROUGH(type, last) ((uint32_t)(offsetof(type, last) + sizeof(((type *)0)->last)))

/* No padding at the end: the struct ends where its last field does. */
#define LSQ_ASSERT_TIGHT(type, last)                                               \
  _Static_assert(sizeof(type) == offsetof(type, last) + sizeof(((type *)0)->last), \
                 #type " must end with its last field")

#endif
