#include <string.h>

#include "store/bytes.h"
#include "store/safetensors.h"

enum { CHUNK_BYTES = 32768, ALIGNMENT = 8 };

static lsqnet_status no_memory(void) { return lsq_fail(LSQNET_E_MEMORY, "no memory for the header of a model file"); }

/* jansson gives NULL both for bad UTF-8 and without memory. */
static lsqnet_status make_text(json_t **out, const char *text) {
  char quoted[LSQ_QUOTED];
  *out = json_string(text);
  if (*out != NULL) return LSQNET_OK;
  json_t *unchecked = json_string_nocheck(text);
  if (unchecked == NULL) return no_memory();
  json_decref(unchecked);
  return lsq_fail(LSQNET_E_ARGUMENT, "\"%s\" is not UTF-8", lsq_quote(quoted, text));
}

static lsqnet_status add_texts(json_t *header, const lsq_text *texts, int64_t count) {
  lsqnet_status st = LSQNET_OK;
  json_t *metadata = json_object();
  if (json_object_set_new(header, "__metadata__", metadata) != 0) return no_memory();
  for (int64_t i = 0; i < count; i++) {
    json_t *text = NULL;
    LSQ_TRY(make_text(&text, texts[i].text));
    if (json_object_set_new(metadata, texts[i].key, text) != 0) return no_memory();
  }
done:
  return st;
}

static int64_t value_bytes(const lsq_values *array) { return array->dtype == LSQNET_F64 ? 8 : 4; }

static lsqnet_status add_array(json_t *header, const lsq_values *array, int64_t *offset) {
  lsqnet_status st = LSQNET_OK;
  json_t *name = NULL;
  LSQ_TRY(make_text(&name, array->name));
  const int64_t end = *offset + array->count * value_bytes(array);
  json_t *shape = json_array();
  int failed = 0;
  for (int64_t i = 0; i < array->rank; i++) failed |= json_array_append_new(shape, json_integer(array->shape[i]));
  json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", array->dtype == LSQNET_F64 ? "F64" : "F32", "shape", shape,
                            "data_offsets", (json_int_t)*offset, (json_int_t)end);
  if (json_object_set_new(header, array->name, entry) != 0 || failed) st = no_memory();
  *offset = end;
done:
  json_decref(name);
  return st;
}

static lsqnet_status make_header(json_t **out, const lsq_text *texts, int64_t text_count, const lsq_values *arrays,
                                 int64_t array_count) {
  lsqnet_status st = LSQNET_OK;
  int64_t offset = 0;
  *out = json_object();
  LSQ_TRY(*out != NULL ? LSQNET_OK : no_memory());
  if (text_count > 0) LSQ_TRY(add_texts(*out, texts, text_count));
  for (int64_t i = 0; i < array_count; i++) LSQ_TRY(add_array(*out, &arrays[i], &offset));
done:
  return st;
}

/* The length, the JSON and spaces that bring the data to a multiple of 8. */
static lsqnet_status write_header(const lsqnet_context *context, const json_t *header, lsqnet_write_fn write,
                                  void *user) {
  lsqnet_status st = LSQNET_OK;
  char *text = NULL;
  const size_t flags = JSON_COMPACT;
  const size_t length = json_dumpb(header, NULL, 0, flags);
  const size_t padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (length == 0) return no_memory();
  if (padded > LSQ_HEADER_MOST)
    return lsq_fail(LSQNET_E_SHAPE, "the header would have %zu bytes: at most %llu can be read again", padded,
                    (unsigned long long)LSQ_HEADER_MOST);
  LSQ_TRY(lsq_alloc(context, &text, (int64_t)(LSQ_LENGTH_BYTES + padded), 1));
  lsq_put_u64((unsigned char *)text, padded);
  memset(text + LSQ_LENGTH_BYTES, ' ', padded);
  if (json_dumpb(header, text + LSQ_LENGTH_BYTES, length, flags) != length)
    st = no_memory();
  else
    st = write(user, text, LSQ_LENGTH_BYTES + padded);
done:
  lsq_free(context, text);
  return st;
}

static void encode(unsigned char *out, const lsq_values *array, int64_t first, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (array->dtype == LSQNET_F64) {
      uint64_t bits = 0;
      memcpy(&bits, (const double *)array->values + first + i, sizeof bits);
      lsq_put_u64(out + 8 * i, bits);
    } else {
      uint32_t bits = 0;
      memcpy(&bits, (const float *)array->values + first + i, sizeof bits);
      lsq_put_u32(out + 4 * i, bits);
    }
  }
}

static lsqnet_status write_values(const lsq_values *array, unsigned char *chunk, lsqnet_write_fn write, void *user) {
  lsqnet_status st = LSQNET_OK;
  const int64_t most = CHUNK_BYTES / value_bytes(array);
  for (int64_t first = 0; first < array->count; first += most) {
    const int64_t left = array->count - first;
    const int64_t count = left < most ? left : most;
    encode(chunk, array, first, count);
    LSQ_TRY(write(user, chunk, (uint64_t)(count * value_bytes(array))));
  }
done:
  return st;
}

lsqnet_status lsq_safetensors_write(const lsqnet_context *context, const lsq_text *texts, int64_t text_count,
                                    const lsq_values *arrays, int64_t array_count, lsqnet_write_fn write, void *user) {
  lsqnet_status st = LSQNET_OK;
  json_t *header = NULL;
  unsigned char *chunk = NULL;
  LSQ_TRY(lsq_alloc(context, &chunk, CHUNK_BYTES, 1));
  LSQ_TRY(make_header(&header, texts, text_count, arrays, array_count));
  LSQ_TRY(write_header(context, header, write, user));
  for (int64_t i = 0; i < array_count; i++) LSQ_TRY(write_values(&arrays[i], chunk, write, user));
done:
  json_decref(header);
  lsq_free(context, chunk);
  return st;
}
