#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/config.h"
#include "store/bytes.h"
#include "store/safetensors.h"

static const char METADATA[] = "__metadata__";

static const struct {
  const char *name;
  uint64_t bits;
} DTYPES[] = {{"F64", 64},    {"F32", 32},    {"F16", 16}, {"BF16", 16}, {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
              {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},   {"C64", 64},  {"I64", 64},    {"I32", 32},    {"I16", 16},
              {"I8", 8},      {"U64", 64},    {"U32", 32}, {"U16", 16},  {"U8", 8},      {"BOOL", 8}};

const char *lsq_quote(char out[LSQ_QUOTED], const char *text) {
  size_t i = 0;
  for (; text[i] != '\0' && i < LSQ_QUOTED - 4; i++) {
    const unsigned char c = (unsigned char)text[i];
    out[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  strcpy(out + i, text[i] != '\0' ? "..." : "");
  return out;
}

const char *lsq_shape_text(char out[LSQ_QUOTED], int64_t rank, const int64_t *shape) {
  size_t used = (size_t)snprintf(out, LSQ_QUOTED, "(");
  for (int64_t i = 0; i < rank && used < LSQ_QUOTED - 24; i++)
    used += (size_t)snprintf(out + used, LSQ_QUOTED - used, "%s%lld", i > 0 ? "," : "", (long long)shape[i]);
  (void)snprintf(out + used, LSQ_QUOTED - used, ")");
  return out;
}

/* The header: its length, its JSON, its texts. */

lsqnet_status lsq_archive_check_length(const unsigned char *start, uint64_t *header_bytes) {
  *header_bytes = lsq_get_u64(start);
  if (*header_bytes < 2 || *header_bytes > LSQ_HEADER_MOST)
    return lsq_fail(LSQNET_E_FORMAT,
                    "not a safetensors file: its first 8 bytes say that the header has %llu bytes; 2 to %llu "
                    "are allowed",
                    (unsigned long long)*header_bytes, (unsigned long long)LSQ_HEADER_MOST);
  return LSQNET_OK;
}

static lsqnet_status find_header(const unsigned char *bytes, uint64_t size, uint64_t *header_bytes) {
  lsqnet_status st = LSQNET_OK;
  if (size < LSQ_LENGTH_BYTES)
    return lsq_fail(LSQNET_E_FORMAT, "not a safetensors file: it ends after %llu bytes, within the header's length",
                    (unsigned long long)size);
  LSQ_TRY(lsq_archive_check_length(bytes, header_bytes));
  if (*header_bytes > size - LSQ_LENGTH_BYTES)
    st = lsq_fail(LSQNET_E_FORMAT, "the header has %llu bytes, but the file ends %llu bytes after its start",
                  (unsigned long long)*header_bytes, (unsigned long long)(size - LSQ_LENGTH_BYTES));
done:
  return st;
}

/* The format has lists in objects in one object. Refusing others before they are parsed keeps the memory that JSON
 * takes to twenty times its text's; lists of empty objects would take eighty. */
static lsqnet_status check_nesting(const char *text, uint64_t bytes) {
  int depth = 0, in_string = 0;
  for (uint64_t i = 0; i < bytes; i++) {
    const char c = text[i];
    if (in_string && c == '\\') i++;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if ((c == '{' && depth++ > 1) || (c == '[' && depth++ != 2))
      return lsq_fail(LSQNET_E_FORMAT, "the header has %s at its byte %llu, where the format has none",
                      c == '{' ? "an object" : "a list", (unsigned long long)i);
    if (c == '}' || c == ']') depth--;
  }
  return LSQNET_OK;
}

static lsqnet_status parse_header(lsq_archive *archive, const char *text, uint64_t bytes) {
  json_error_t error;
  char quoted[LSQ_QUOTED];
  if (text[0] != '{') return lsq_fail(LSQNET_E_FORMAT, "the header does not begin with {");
  archive->header = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, &error);
  if (archive->header != NULL) return LSQNET_OK;
  if (lsq_json_no_memory(&error))
    return lsq_fail(LSQNET_E_MEMORY, "no memory to read a header of %llu bytes", (unsigned long long)bytes);
  return lsq_fail(LSQNET_E_FORMAT, "the header is not JSON at its byte %d: %s", error.position,
                  lsq_quote(quoted, error.text));
}

static lsqnet_status check_metadata(const lsq_archive *archive) {
  char quoted[LSQ_QUOTED];
  const char *key = NULL;
  json_t *value = NULL;
  json_t *metadata = json_object_get(archive->header, METADATA);
  if (metadata == NULL) return LSQNET_OK;
  if (!json_is_object(metadata)) return lsq_fail(LSQNET_E_FORMAT, "%s is not an object", METADATA);
  json_object_foreach(metadata, key, value) {
    if (!json_is_string(value))
      return lsq_fail(LSQNET_E_FORMAT, "%s: the value of \"%s\" is not a string", METADATA, lsq_quote(quoted, key));
  }
  return LSQNET_OK;
}

/* One tensor. */

static lsqnet_status read_integers(const json_t *list, const char *what, int64_t *values) {
  size_t i = 0;
  const json_t *value = NULL;
  json_array_foreach(list, i, value) {
    if (!json_is_integer(value)) return lsq_fail(LSQNET_E_FORMAT, "%s: entry %zu is not an integer", what, i);
    values[i] = json_integer_value(value);
    if (values[i] < 0)
      return lsq_fail(LSQNET_E_FORMAT, "%s: entry %zu is %lld: it must not be negative", what, i, (long long)values[i]);
  }
  return LSQNET_OK;
}

static lsqnet_status read_shape(lsq_array *array, const json_t *shape) {
  if (!json_is_array(shape)) return lsq_fail(LSQNET_E_FORMAT, "it has no list \"shape\"");
  if (json_array_size(shape) > LSQ_ARRAY_RANK)
    return lsq_fail(LSQNET_E_FORMAT, "shape has %zu entries: at most %d are allowed", json_array_size(shape),
                    LSQ_ARRAY_RANK);
  array->rank = (int64_t)json_array_size(shape);
  return read_integers(shape, "shape", array->shape);
}

static lsqnet_status read_offsets(lsq_array *array, const json_t *offsets, uint64_t data_bytes) {
  lsqnet_status st = LSQNET_OK;
  int64_t span[2] = {0};
  if (!json_is_array(offsets) || json_array_size(offsets) != 2)
    return lsq_fail(LSQNET_E_FORMAT, "it has no list \"data_offsets\" of two entries");
  LSQ_TRY(read_integers(offsets, "data_offsets", span));
  if (span[0] > span[1] || (uint64_t)span[1] > data_bytes)
    return lsq_fail(LSQNET_E_FORMAT, "data_offsets [%lld,%lld]: they must rise and lie within the %llu bytes of data",
                    (long long)span[0], (long long)span[1], (unsigned long long)data_bytes);
  array->begin = (uint64_t)span[0];
  array->end = (uint64_t)span[1];
done:
  return st;
}

static lsqnet_status dtype_bits(const json_t *dtype, const char **name, uint64_t *bits) {
  char quoted[LSQ_QUOTED];
  if (!json_is_string(dtype)) return lsq_fail(LSQNET_E_FORMAT, "it has no text \"dtype\"");
  for (size_t i = 0; i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
    if (strcmp(DTYPES[i].name, json_string_value(dtype)) != 0) continue;
    *name = DTYPES[i].name;
    *bits = DTYPES[i].bits;
    return LSQNET_OK;
  }
  return lsq_fail(LSQNET_E_FORMAT, "dtype \"%s\" is not one of the format's",
                  lsq_quote(quoted, json_string_value(dtype)));
}

static lsqnet_status check_span(lsq_array *array, uint64_t bits) {
  uint64_t total = 1;
  char shape[LSQ_QUOTED];
  int overflow = 0;
  for (int64_t i = 0; i < array->rank; i++)
    overflow |= __builtin_mul_overflow(total, (uint64_t)array->shape[i], &total);
  array->count = (int64_t)total;
  overflow |= total > INT64_MAX || __builtin_mul_overflow(total, bits, &total);
  if (overflow || total % 8 != 0 || total / 8 != array->end - array->begin)
    return lsq_fail(LSQNET_E_FORMAT, "shape %s of %s does not fill its data_offsets [%llu,%llu]",
                    lsq_shape_text(shape, array->rank, array->shape), array->dtype, (unsigned long long)array->begin,
                    (unsigned long long)array->end);
  return LSQNET_OK;
}

static lsqnet_status read_array(lsq_array *array, const json_t *entry, const unsigned char *data, uint64_t data_bytes) {
  lsqnet_status st = LSQNET_OK;
  uint64_t bits = 0;
  if (!json_is_object(entry)) return lsq_fail(LSQNET_E_FORMAT, "its entry is not an object");
  LSQ_TRY(dtype_bits(json_object_get(entry, "dtype"), &array->dtype, &bits));
  LSQ_TRY(read_shape(array, json_object_get(entry, "shape")));
  LSQ_TRY(read_offsets(array, json_object_get(entry, "data_offsets"), data_bytes));
  if (json_object_size(entry) != 3)
    return lsq_fail(LSQNET_E_FORMAT, "its entry has keys beside dtype, shape and data_offsets");
  LSQ_TRY(check_span(array, bits));
  array->data = data + array->begin;
done:
  return st;
}

/* All tensors. */

static lsqnet_status read_arrays(lsq_archive *archive, const unsigned char *data, uint64_t data_bytes) {
  lsqnet_status st = LSQNET_OK;
  char quoted[LSQ_QUOTED];
  const char *name = NULL;
  json_t *entry = NULL;
  LSQ_TRY(lsq_alloc(archive->context, &archive->arrays, (int64_t)json_object_size(archive->header), sizeof(lsq_array)));
  json_object_foreach(archive->header, name, entry) {
    if (strcmp(name, METADATA) == 0) continue;
    lsq_array *array = &archive->arrays[archive->count++];
    array->name = name;
    LSQ_TRY(lsq_within(read_array(array, entry, data, data_bytes), "tensor \"%s\"", lsq_quote(quoted, name)));
  }
done:
  return st;
}

static int compare_spans(const void *left, const void *right) {
  const lsq_array *a = left, *b = right;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

static int compare_names(const void *left, const void *right) {
  const lsq_array *const *a = left, *const *b = right;
  return strcmp((*a)->name, (*b)->name);
}

static lsqnet_status check_cover(const lsq_archive *archive, uint64_t data_bytes) {
  char quoted[LSQ_QUOTED];
  uint64_t reached = 0;
  for (int64_t i = 0; i < archive->count; i++) {
    const lsq_array *array = &archive->arrays[i];
    if (array->begin != reached)
      return lsq_fail(LSQNET_E_FORMAT,
                      "tensor \"%s\" begins at byte %llu of the data, but the one before ends at %llu: %s",
                      lsq_quote(quoted, array->name), (unsigned long long)array->begin, (unsigned long long)reached,
                      array->begin < reached ? "they overlap" : "what lies between belongs to none");
    reached = array->end;
  }
  if (reached != data_bytes)
    return lsq_fail(LSQNET_E_FORMAT, "the tensors end at byte %llu of the data, but the file holds %llu",
                    (unsigned long long)reached, (unsigned long long)data_bytes);
  return LSQNET_OK;
}

static lsqnet_status sort_names(lsq_archive *archive) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_alloc(archive->context, &archive->by_name, archive->count, sizeof *archive->by_name));
  for (int64_t i = 0; i < archive->count; i++) archive->by_name[i] = &archive->arrays[i];
  if (archive->count > 0) qsort(archive->by_name, (size_t)archive->count, sizeof *archive->by_name, compare_names);
done:
  return st;
}

lsqnet_status lsq_archive_open(lsq_archive *archive, const lsqnet_context *context, const void *bytes, uint64_t size) {
  lsqnet_status st = LSQNET_OK;
  const unsigned char *file = bytes;
  uint64_t header_bytes = 0;
  *archive = (lsq_archive){.context = context};
  LSQ_TRY(find_header(file, size, &header_bytes));
  const unsigned char *data = file + LSQ_LENGTH_BYTES + header_bytes;
  const uint64_t data_bytes = size - LSQ_LENGTH_BYTES - header_bytes;
  LSQ_TRY(check_nesting((const char *)file + LSQ_LENGTH_BYTES, header_bytes));
  LSQ_TRY(parse_header(archive, (const char *)file + LSQ_LENGTH_BYTES, header_bytes));
  LSQ_TRY(check_metadata(archive));
  LSQ_TRY(read_arrays(archive, data, data_bytes));
  if (archive->count > 0) qsort(archive->arrays, (size_t)archive->count, sizeof *archive->arrays, compare_spans);
  LSQ_TRY(check_cover(archive, data_bytes));
  LSQ_TRY(sort_names(archive));
done:
  if (st != LSQNET_OK) lsq_archive_close(archive);
  return st;
}

void lsq_archive_close(lsq_archive *archive) {
  lsq_free(archive->context, archive->by_name);
  lsq_free(archive->context, archive->arrays);
  json_decref(archive->header);
  *archive = (lsq_archive){.context = archive->context};
}

const char *lsq_archive_text(const lsq_archive *archive, const char *key) {
  return json_string_value(json_object_get(json_object_get(archive->header, METADATA), key));
}

const lsq_array *lsq_archive_find(const lsq_archive *archive, const char *name) {
  const lsq_array wanted = {.name = name};
  const lsq_array *const key = &wanted;
  if (archive->count == 0) return NULL;
  const lsq_array *const *found =
      bsearch(&key, archive->by_name, (size_t)archive->count, sizeof *archive->by_name, compare_names);
  return found != NULL ? *found : NULL;
}

int32_t lsq_array_dtype(const lsq_array *array) {
  return strcmp(array->dtype, "F64") == 0 ? LSQNET_F64 : strcmp(array->dtype, "F32") == 0 ? LSQNET_F32 : 0;
}

void lsq_array_read_f64(const lsq_array *array, double *values) {
  for (int64_t i = 0; i < array->count; i++) {
    const uint64_t bits = lsq_get_u64(array->data + 8 * i);
    memcpy(&values[i], &bits, sizeof bits);
  }
}

void lsq_array_read_f32(const lsq_array *array, float *values) {
  for (int64_t i = 0; i < array->count; i++) {
    const uint32_t bits = lsq_get_u32(array->data + 4 * i);
    memcpy(&values[i], &bits, sizeof bits);
  }
}
