/* Numbers in little-endian bytes, wherever they lie, on hosts of either byte order. */
#ifndef LSQ_STORE_BYTES_H
#define LSQ_STORE_BYTES_H

#include <stdint.h>

static inline uint32_t lsq_get_u32(const unsigned char *b) {
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t lsq_get_u64(const unsigned char *b) {
  return (uint64_t)lsq_get_u32(b) | (uint64_t)lsq_get_u32(b + 4) << 32;
}

static inline void lsq_put_u32(unsigned char *b, uint32_t value) {
  b[0] = (unsigned char)value;
  b[1] = (unsigned char)(value >> 8);
  b[2] = (unsigned char)(value >> 16);
  b[3] = (unsigned char)(value >> 24);
}

static inline void lsq_put_u64(unsigned char *b, uint64_t value) {
  lsq_put_u32(b, (uint32_t)value);
  lsq_put_u32(b + 4, (uint32_t)(value >> 32));
}

#endif
