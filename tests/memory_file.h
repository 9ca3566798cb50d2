/* A file in memory, for tests: what saving to a stream writes, and its parts put together by hand. */
#ifndef TESTS_MEMORY_FILE_H
#define TESTS_MEMORY_FILE_H

#include <check.h>
#include <lsqnet/lsqnet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  unsigned char *bytes;
  uint64_t size, capacity;
} memory_file;

/* A lsqnet_write_fn; `user` is a memory_file. */
static inline lsqnet_status memory_append(void *user, const void *data, uint64_t bytes) {
  memory_file *m = user;
  if (m->size + bytes > m->capacity) {
    m->capacity = 2 * (m->size + bytes);
    m->bytes = realloc(m->bytes, (size_t)m->capacity);
  }
  ck_assert_ptr_nonnull(m->bytes);
  memcpy(m->bytes + m->size, data, (size_t)bytes);
  m->size += bytes;
  return LSQNET_OK;
}

/* A file of this header and this much data, zeros. */
static inline memory_file memory_make(const char *header, uint64_t header_bytes, uint64_t data_bytes) {
  memory_file m = {0};
  unsigned char length[8];
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(header_bytes >> 8 * i);
  (void)memory_append(&m, length, sizeof length);
  (void)memory_append(&m, header, header_bytes);
  m.capacity = m.size + data_bytes + 1;
  m.bytes = realloc(m.bytes, (size_t)m.capacity);
  memset(m.bytes + m.size, 0, (size_t)data_bytes);
  m.size += data_bytes;
  return m;
}

/* A copy of exactly the file's size, so that a sanitizer sees the first byte beyond; the caller frees it. */
static inline unsigned char *memory_exact(const unsigned char *bytes, uint64_t size) {
  unsigned char *copy = malloc(size > 0 ? (size_t)size : 1);
  ck_assert_ptr_nonnull(copy);
  memcpy(copy, bytes, (size_t)size);
  return copy;
}

static inline uint64_t memory_header_bytes(const memory_file *m) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | m->bytes[i];
  return length;
}

#define ck_assert_ok(call)                                                                                     \
  do {                                                                                                         \
    const lsqnet_status status_ = (call);                                                                      \
    ck_assert_msg(status_ == LSQNET_OK, #call ": %s: %s", lsqnet_status_name(status_), lsqnet_last_message()); \
  } while (0)

/* The call fails with that status and a message that has `part` in it. */
#define ck_assert_fails(call, wanted, part)                                                      \
  do {                                                                                           \
    lsqnet_set_message(NULL);                                                                    \
    const lsqnet_status status_ = (call);                                                        \
    ck_assert_msg(status_ == (wanted), #call ": %s, not %s: %s", lsqnet_status_name(status_),    \
                  lsqnet_status_name(wanted), lsqnet_last_message());                            \
    ck_assert_msg(strstr(lsqnet_last_message(), (part)) != NULL, "\"%s\" is not in: %s", (part), \
                  lsqnet_last_message());                                                        \
  } while (0)

#endif
