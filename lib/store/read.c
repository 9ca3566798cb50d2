#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"
#include "store/safetensors.h"

enum { FIRST_CAPACITY = 65536 };

static const int64_t MOST_BYTES = (int64_t)1 << 40;

/* What has been read. */
typedef struct {
  const lsqnet_context *context;
  unsigned char *bytes;
  int64_t size, capacity;
} buffer;

/* Doubling, so that reading N bytes copies fewer than 2 N. */
static lsqnet_status grow(buffer *b, int64_t expected) {
  lsqnet_status st = LSQNET_OK;
  unsigned char *larger = NULL;
  int64_t capacity = b->capacity > 0 ? 2 * b->capacity : FIRST_CAPACITY;
  if (b->capacity > 0 && capacity <= expected) capacity = expected + 1;
  if (capacity > MOST_BYTES)
    return lsq_fail(LSQNET_E_FORMAT, "more than %lld bytes and no end", (long long)(MOST_BYTES / 2));
  LSQ_TRY(lsq_alloc(b->context, &larger, capacity, 1));
  if (b->size > 0) memcpy(larger, b->bytes, (size_t)b->size);
  lsq_free(b->context, b->bytes);
  b->bytes = larger;
  b->capacity = capacity;
done:
  return st;
}

/* Reads once into what is free; *got is 0 at the end. */
static lsqnet_status fill(buffer *b, lsqnet_read_fn read, void *user, uint64_t *got) {
  lsqnet_status st = LSQNET_OK;
  const uint64_t room = (uint64_t)(b->capacity - b->size);
  const int begun = b->size >= LSQ_LENGTH_BYTES;
  uint64_t header_bytes = 0;
  *got = 0;
  LSQ_TRY(read(user, b->bytes + b->size, room, got));
  if (*got > room)
    return lsq_fail(LSQNET_E_ARGUMENT, "the read callback was asked for %llu bytes and says it wrote %llu",
                    (unsigned long long)room, (unsigned long long)*got);
  b->size += (int64_t)*got;
  if (!begun && b->size >= LSQ_LENGTH_BYTES) LSQ_TRY(lsq_archive_check_length(b->bytes, &header_bytes));
done:
  return st;
}

lsqnet_status lsq_read_stream(const lsqnet_context *context, lsqnet_read_fn read, void *user, int64_t expected,
                              unsigned char **bytes, uint64_t *size) {
  lsqnet_status st = LSQNET_OK;
  buffer b = {.context = context};
  uint64_t got = 0;
  *bytes = NULL;
  *size = 0;
  do {
    if (b.size == b.capacity) LSQ_TRY(grow(&b, expected));
    LSQ_TRY(fill(&b, read, user, &got));
  } while (got > 0);
  *bytes = b.bytes;
  *size = (uint64_t)b.size;
  b.bytes = NULL;
done:
  lsq_free(context, b.bytes);
  return st;
}

static lsqnet_status read_descriptor(void *user, void *bytes, uint64_t room, uint64_t *got) {
  const int descriptor = *(const int *)user;
  const size_t most = (size_t)1 << 30;
  ssize_t n = 0;
  do n = read(descriptor, bytes, room < most ? (size_t)room : most);
  while (n < 0 && errno == EINTR);
  if (n < 0) return lsq_system_failed("cannot read it");
  *got = (uint64_t)n;
  return LSQNET_OK;
}

lsqnet_status lsq_read_file(const lsqnet_context *context, const char *path, unsigned char **bytes, uint64_t *size) {
  lsqnet_status st = LSQNET_OK;
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return lsq_system_failed("cannot open it");
  if (fstat(file, &about) != 0)
    st = lsq_system_failed("cannot open it");
  else if (S_ISDIR(about.st_mode))
    st = lsq_fail(LSQNET_E_IO, "it is a folder");
  else
    st = lsq_read_stream(context, read_descriptor, &file, S_ISREG(about.st_mode) ? (int64_t)about.st_size : 0, bytes,
                         size);
  (void)close(file);
  return st;
}
