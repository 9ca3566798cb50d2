#define _XOPEN_SOURCE 700 /* realpath */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"

enum { MOST_NAMES = 1000 };

/* A file on its way to take another's place. */
typedef struct {
  int folder, file;   /* descriptors, -1 when closed */
  const char *base;   /* name in the folder */
  char temporary[64]; /* name in the folder, "" when there is none */
} replacement;

lsqnet_status lsq_system_failed(const char *what) {
  char reason[128];
  if (strerror_r(errno, reason, sizeof reason) != 0) (void)snprintf(reason, sizeof reason, "error %d", errno);
  return lsq_fail(LSQNET_E_IO, "%s: %s", what, reason);
}

static lsqnet_status open_folder(replacement *r, char *path) {
  char *slash = strrchr(path, '/');
  r->base = slash != NULL ? slash + 1 : path;
  if (*r->base == '\0') return lsq_fail(LSQNET_E_IO, "it names no file");
  if (slash != NULL) *slash = '\0';
  r->folder = open(slash == NULL ? "." : slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return r->folder >= 0 ? LSQNET_OK : lsq_system_failed("cannot open its folder");
}

/* A short name of its own rather than one made from the file's, which may be as long as names can be. */
static lsqnet_status open_temporary(replacement *r) {
  for (int i = 0; i < MOST_NAMES; i++) {
    (void)snprintf(r->temporary, sizeof r->temporary, ".lsqnet-%ld-%d.tmp", (long)getpid(), i);
    r->file = openat(r->folder, r->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (r->file >= 0) return LSQNET_OK;
    if (errno != EEXIST) break;
  }
  r->temporary[0] = '\0';
  return lsq_system_failed("cannot create a file in its folder");
}

/* The new file takes the old one's permissions. What is not a plain file, such as /dev/null, must not be replaced. */
static lsqnet_status copy_mode(const replacement *r) {
  struct stat old;
  if (fstatat(r->folder, r->base, &old, 0) != 0)
    return errno == ENOENT ? LSQNET_OK : lsq_system_failed("cannot look at the old file");
  if (!S_ISREG(old.st_mode)) return lsq_fail(LSQNET_E_IO, "it is there, but is not a plain file");
  return fchmod(r->file, old.st_mode & 0777) == 0 ? LSQNET_OK : lsq_system_failed("cannot set its permissions");
}

static lsqnet_status write_descriptor(void *user, const void *data, uint64_t bytes) {
  const replacement *r = user;
  const unsigned char *next = data;
  while (bytes > 0) {
    const size_t most = (size_t)1 << 30;
    const ssize_t n = write(r->file, next, bytes < most ? (size_t)bytes : most);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return lsq_system_failed("cannot write it");
    next += n;
    bytes -= (uint64_t)n;
  }
  return LSQNET_OK;
}

static lsqnet_status flush(int descriptor) {
  int result = 0;
  do result = fsync(descriptor);
  while (result != 0 && errno == EINTR);
  /* EINVAL: nothing that could be flushed, as folders on some file systems */
  return result == 0 || errno == EINVAL ? LSQNET_OK : lsq_system_failed("cannot flush it to disk");
}

static lsqnet_status put_in_place(replacement *r) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(flush(r->file));
  const int closed = close(r->file);
  r->file = -1;
  if (closed != 0 && errno != EINTR) return lsq_system_failed("cannot write it");
  if (renameat(r->folder, r->temporary, r->folder, r->base) != 0) return lsq_system_failed("cannot put it in place");
  r->temporary[0] = '\0';
  LSQ_TRY(lsq_within(flush(r->folder), "it is in place, but its folder"));
done:
  return st;
}

lsqnet_status lsq_replace_file(const char *path, lsq_produce_fn produce, const void *subject) {
  lsqnet_status st = LSQNET_OK;
  replacement r = {.folder = -1, .file = -1};
  char *target = realpath(path, NULL); /* NULL when there is no old file */
  if (target == NULL) target = strdup(path);
  if (target == NULL) return lsq_fail(LSQNET_E_MEMORY, "no memory for its path");
  LSQ_TRY(open_folder(&r, target));
  LSQ_TRY(open_temporary(&r));
  LSQ_TRY(copy_mode(&r));
  LSQ_TRY(produce(subject, write_descriptor, &r));
  LSQ_TRY(put_in_place(&r));
done:
  if (r.file >= 0) (void)close(r.file);
  if (r.temporary[0] != '\0') (void)unlinkat(r.folder, r.temporary, 0);
  if (r.folder >= 0) (void)close(r.folder);
  free(target);
  return st;
}
