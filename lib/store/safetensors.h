/* The safetensors format: named arrays and a map of texts. A file is 8 bytes of header length, a JSON header, the data;
 * everything is little-endian. */
#ifndef LSQ_STORE_SAFETENSORS_H
#define LSQ_STORE_SAFETENSORS_H

#include <jansson.h>
#include <lsqnet/model.h>

#include "base/context.h"

enum { LSQ_ARRAY_RANK = 8, LSQ_LENGTH_BYTES = 8, LSQ_QUOTED = 96 };

/* Headers beyond this are refused: JSON takes many times its text's room in memory. */
#define LSQ_HEADER_MOST ((uint64_t)16 << 20)

/* An array in an archive. */
typedef struct {
  const char *name;
  const char *dtype; /* the format's name: "F64", "F32", "BOOL", ... */
  int64_t rank;
  int64_t shape[LSQ_ARRAY_RANK];
  int64_t count;
  uint64_t begin, end;       /* of its bytes in the data */
  const unsigned char *data; /* row-major, not aligned */
} lsq_array;

/* A checked header over a buffer, which must outlive it. */
typedef struct {
  const lsqnet_context *context;
  lsq_array *arrays; /* in the order of their data; texts live as long as the archive */
  int64_t count;
  const lsq_array **by_name;
  json_t *header;
} lsq_archive;

/* Reads and checks a whole header: on success every array lies inside the buffer, none overlaps another and they cover
 * it exactly. E_FORMAT names the tensor and the numbers at fault. */
lsqnet_status lsq_archive_open(lsq_archive *archive, const lsqnet_context *context, const void *bytes, uint64_t size);
void lsq_archive_close(lsq_archive *archive);

/* Checks the header length in the first 8 bytes of a file, so that a reader can stop there. */
lsqnet_status lsq_archive_check_length(const unsigned char *start, uint64_t *header_bytes);

/* The text of `key` in __metadata__, or NULL. */
const char *lsq_archive_text(const lsq_archive *archive, const char *key);

/* The array called `name`, or NULL. */
const lsq_array *lsq_archive_find(const lsq_archive *archive, const char *name);

/* LSQNET_F64 or LSQNET_F32, or 0 for an array of another dtype. */
int32_t lsq_array_dtype(const lsq_array *array);

/* Copies an array of that dtype out, unchecked. */
void lsq_array_read_f64(const lsq_array *array, double *values);
void lsq_array_read_f32(const lsq_array *array, float *values);

/* `text` as messages may show it: cut to fit, control characters replaced. Returns `out`. */
const char *lsq_quote(char out[LSQ_QUOTED], const char *text);

/* "(3,4)" for messages. Returns `out`. */
const char *lsq_shape_text(char out[LSQ_QUOTED], int64_t rank, const int64_t *shape);

/* What goes into a file. */
typedef struct {
  const char *key;
  const char *text;
} lsq_text;

typedef struct {
  const char *name;
  int64_t rank;
  const int64_t *shape;
  int64_t count;
  int32_t dtype;      /* LSQNET_F64 or LSQNET_F32 */
  const void *values; /* the host's doubles or floats */
} lsq_values;

/* Hands a file to `write` piece by piece; its bytes are a function of texts and arrays alone. E_ARGUMENT for a text or
 * a name that is not UTF-8, E_SHAPE for a header that would be too long to be read again, or the callback's own. */
lsqnet_status lsq_safetensors_write(const lsqnet_context *context, const lsq_text *texts, int64_t text_count,
                                    const lsq_values *arrays, int64_t array_count, lsqnet_write_fn write, void *user);

#endif
