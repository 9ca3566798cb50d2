/* Whole files in and out: read to the end, or replaced so that a crash leaves the old one or the new one. */
#ifndef LSQ_STORE_FILE_H
#define LSQ_STORE_FILE_H

#include <lsqnet/model.h>

#include "base/context.h"

/* E_IO: "what: the system's reason", from errno. */
lsqnet_status lsq_system_failed(const char *what);

/* Reads a callback to its end into *bytes, which the caller frees; stops early if it begins like no safetensors file.
 * `expected` bytes are asked for at once when the beginning has passed; 0: not known. E_ARGUMENT if the callback claims
 * more bytes than it was asked for. */
lsqnet_status lsq_read_stream(const lsqnet_context *context, lsqnet_read_fn read, void *user, int64_t expected,
                              unsigned char **bytes, uint64_t *size);

/* The same for the file at `path`; E_IO with the system's reason. */
lsqnet_status lsq_read_file(const lsqnet_context *context, const char *path, unsigned char **bytes, uint64_t *size);

/* Hands the content of a file to `write`. */
typedef lsqnet_status (*lsq_produce_fn)(const void *subject, lsqnet_write_fn write, void *user);

/* Replaces the file at `path`, or the one a link there leads to, by what `produce` writes: into a temporary file in the
 * same folder, flushed to disk, renamed. On failure the old file stays and the temporary one goes. */
lsqnet_status lsq_replace_file(const char *path, lsq_produce_fn produce, const void *subject);

#endif
