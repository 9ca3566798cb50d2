#include "base/sized.h"

#include <string.h>

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

lsqnet_status lsq_sized_read(void *known, uint32_t known_size, uint32_t first_size, const void *given,
                             const char *what) {
  uint32_t size = 0;
  memcpy(&size, given, sizeof size);
  if (size < first_size)
    return lsq_fail(LSQNET_E_VERSION, "%s: size=%lu, but the first release's is %lu (was it initialised?)", what,
                    (unsigned long)size, (unsigned long)first_size);
  for (uint32_t i = known_size; i < size; i++)
    if (((const unsigned char *)given)[i] != 0)
      return lsq_fail(LSQNET_E_VERSION, "%s: size=%lu, and byte %lu is set that this library (size %lu) does not know",
                      what, (unsigned long)size, (unsigned long)i, (unsigned long)known_size);
  memcpy(known, given, smaller(size, known_size));
  memcpy(known, &known_size, sizeof known_size);
  return LSQNET_OK;
}

lsqnet_status lsq_sized_write(void *given, uint32_t size, uint32_t first_size, const void *known, uint32_t known_size,
                              const char *what) {
  if (given == NULL) return lsq_fail(LSQNET_E_ARGUMENT, "%s: the struct is NULL", what);
  if (size < first_size)
    return lsq_fail(LSQNET_E_VERSION, "%s: size=%lu, but the first release's is %lu", what, (unsigned long)size,
                    (unsigned long)first_size);
  memset(given, 0, size);
  memcpy(given, known, smaller(size, known_size));
  memcpy(given, &size, sizeof size);
  return LSQNET_OK;
}
