/* Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays". */
#include "npy.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

enum { HEADER_MOST = 1 << 16, CHUNK = 8192 };

/* A header is a Python dictionary, e.g. {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }. */
typedef struct {
  const input *in;
  const char *at;
  npy_header *out;
} header_text;

static int fail_header(const input *in, const char *reason) {
  return fail_at(CODE_INPUT, in->name, 0, "NumPy header: %s", reason);
}

static void skip_blanks(header_text *h) { h->at += strspn(h->at, " \t\r\n"); }

/* Takes `text` if it comes next. */
static int take(header_text *h, const char *text) {
  skip_blanks(h);
  if (strncmp(h->at, text, strlen(text)) != 0) return 0;
  h->at += strlen(text);
  return 1;
}

static int take_string(header_text *h, char *text, size_t capacity) {
  skip_blanks(h);
  char quote = *h->at;
  if (quote != '\'' && quote != '"') return 0;
  size_t length = strcspn(h->at + 1, quote == '"' ? "\"" : "'");
  if (h->at[1 + length] != quote || length >= capacity) return 0;
  memcpy(text, h->at + 1, length);
  text[length] = '\0';
  h->at += length + 2;
  return 1;
}

static int read_dtype(header_text *h) {
  char descr[8];
  skip_blanks(h);
  if (*h->at == '[') return fail_header(h->in, "a structured dtype: an array of plain numbers is needed");
  if (!take_string(h, descr, sizeof descr)) return fail_header(h->in, "'descr' is not a short string");
  int known = strlen(descr) == 3 && strchr("<>", descr[0]) != NULL && strchr("fi", descr[1]) != NULL &&
              strchr("48", descr[2]) != NULL;
  if (!known) {
    return fail_at(CODE_INPUT, h->in->name, 0, "NumPy header: dtype \"%s\" is not float32, float64, int32 or int64",
                   descr);
  }
  h->out->big_endian = descr[0] == '>';
  h->out->kind = descr[1];
  h->out->bytes = descr[2] - '0';
  return CODE_DONE;
}

static int read_order(header_text *h) {
  h->out->fortran = take(h, "True");
  if (!h->out->fortran && !take(h, "False")) return fail_header(h->in, "'fortran_order' is neither True nor False");
  return CODE_DONE;
}

static int take_size(header_text *h, int64_t *size) {
  int digits = 0;
  *size = 0;
  skip_blanks(h);
  for (; *h->at >= '0' && *h->at <= '9'; h->at++, digits++) {
    if (*size > INT64_MAX / 16) return 0;
    *size = *size * 10 + (*h->at - '0');
  }
  return digits > 0;
}

static int read_shape(header_text *h) {
  npy_header *out = h->out;
  if (!take(h, "(")) return fail_header(h->in, "'shape' is not a tuple");
  out->count = 1;
  while (!take(h, ")")) {
    int64_t size;
    if (out->rank == NPY_RANK) return fail_header(h->in, "'shape' has more than four dimensions");
    if (!take_size(h, &size)) return fail_header(h->in, "'shape' holds something that is not a size");
    if (size != 0 && out->count > INT64_MAX / 16 / size) return fail_header(h->in, "the product of 'shape' overflows");
    out->count *= size;
    out->shape[out->rank++] = size;
    if (!take(h, ",") && *h->at != ')') return fail_header(h->in, "'shape' is not a tuple");
  }
  return CODE_DONE;
}

static int read_dictionary(header_text *h) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  static int (*const readers[])(header_text *) = {read_dtype, read_order, read_shape};
  int code = CODE_DONE, seen[3] = {0};
  char key[16];
  if (!take(h, "{")) return fail_header(h->in, "not a dictionary");
  while (!take(h, "}")) {
    int which = 0;
    if (!take_string(h, key, sizeof key) || !take(h, ":")) return fail_header(h->in, "not a dictionary");
    while (which < 3 && strcmp(key, keys[which]) != 0) which++;
    if (which == 3 || seen[which]) {
      return fail_at(CODE_INPUT, h->in->name, 0, "NumPy header: key \"%s\" is %s", key,
                     which == 3 ? "unknown" : "there twice");
    }
    seen[which] = 1;
    TRY(readers[which](h));
    skip_blanks(h);
    if (!take(h, ",") && *h->at != '}') return fail_header(h->in, "not a dictionary");
  }
  skip_blanks(h);
  if (*h->at != '\0') return fail_header(h->in, "text after the dictionary");
  if (!seen[0] || !seen[1] || !seen[2]) return fail_header(h->in, "'descr', 'fortran_order' or 'shape' is missing");
done:
  return code;
}

static int read_exactly(input *in, void *bytes, int64_t count, const char *what) {
  int64_t got = 0;
  int code = input_bytes(in, bytes, count, &got);
  if (code != CODE_DONE || got == count) return code;
  return fail_at(CODE_INPUT, in->name, 0, "the file ends inside %s", what);
}

/* Magic number, version, and the length of the dictionary: 2 bytes in version 1, 4 in 2 and 3. */
static int read_preamble(input *in, int64_t *length) {
  int code = CODE_DONE;
  int64_t got = 0;
  unsigned char bytes[12] = {0};
  TRY(input_bytes(in, bytes, 8, &got));
  if (memcmp(bytes, "\x93NUMPY", 6) != 0) return fail_at(CODE_INPUT, in->name, 0, "not a NumPy file");
  if (got < 8) return fail_at(CODE_INPUT, in->name, 0, "the file ends inside the NumPy header");
  int version = bytes[6], size = version == 1 ? 2 : 4;
  if (version < 1 || version > 3) return fail_header(in, "a version that is not 1, 2 or 3");
  TRY(read_exactly(in, bytes + 8, size, "the NumPy header"));
  *length = 0;
  for (int i = size; i-- > 0;) *length = *length * 256 + bytes[8 + i];
  if (*length > HEADER_MOST) return fail_header(in, "longer than 65536 bytes");
done:
  return code;
}

static int check_length(input *in, const npy_header *header) {
  int64_t rest = input_rest(in), announced = header->count * header->bytes;
  if (rest < 0 || rest == announced) return CODE_DONE;
  return fail_at(CODE_INPUT, in->name, 0, "%lld bytes of numbers where the header announces %lld", (long long)rest,
                 (long long)announced);
}

int npy_read_header(input *in, npy_header *out) {
  int code = CODE_DONE;
  int64_t length = 0;
  char *text = NULL;
  memset(out, 0, sizeof *out);
  TRY(read_preamble(in, &length));
  text = calloc((size_t)length + 1, 1);
  if (text == NULL) {
    code = fail_memory("a NumPy header");
    goto done;
  }
  TRY(read_exactly(in, text, length, "the NumPy header"));
  if ((int64_t)strlen(text) != length) {
    code = fail_header(in, "holds a NUL byte");
    goto done;
  }
  header_text h = {.in = in, .at = text, .out = out};
  TRY(read_dictionary(&h));
  TRY(check_length(in, out));
done:
  free(text);
  return code;
}

/* Numbers are put together and taken apart byte by byte, so that the machine's own order does not matter. */
static uint64_t gather(const unsigned char *bytes, int count, int big_endian) {
  uint64_t bits = 0;
  for (int i = 0; i < count; i++) bits = bits << 8 | bytes[big_endian ? i : count - 1 - i];
  return bits;
}

static void decode(const npy_header *header, const unsigned char *bytes, double *high, double *low) {
  uint64_t bits = gather(bytes, header->bytes, header->big_endian);
  *low = 0.0;
  if (header->kind == 'f' && header->bytes == 8) {
    memcpy(high, &bits, sizeof *high);
  } else if (header->kind == 'f') {
    uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof value);
    *high = value;
  } else if (header->bytes == 4) {
    *high = (double)(int32_t)(uint32_t)bits;
  } else {
    int64_t value = (int64_t)bits;
    int64_t coarse = value / 65536 * 65536; /* both parts are exact doubles */
    *high = (double)value;
    *low = ((double)coarse - *high) + (double)(value - coarse);
  }
}

int npy_read_numbers(input *in, const npy_header *header, int64_t count, double *high, double *low) {
  int code = CODE_DONE;
  unsigned char bytes[CHUNK * 8];
  for (int64_t at = 0; at < count;) {
    int64_t some = count - at < CHUNK ? count - at : CHUNK;
    TRY(read_exactly(in, bytes, some * header->bytes, "its numbers"));
    for (int64_t i = 0; i < some; i++, at++) {
      double rest;
      decode(header, bytes + i * header->bytes, &high[at], &rest);
      if (low != NULL) low[at] = rest;
    }
  }
done:
  return code;
}

/* Where the number that comes `position`-th in the file stands in row-major order. */
static int64_t row_major(const npy_header *header, int64_t position) {
  if (!header->fortran) return position;
  int64_t place = 0, stride = header->count;
  for (int i = 0; i < header->rank; i++) {
    stride /= header->shape[i];
    place += position % header->shape[i] * stride;
    position /= header->shape[i];
  }
  return place;
}

int npy_read_array(input *in, const npy_header *header, double *high, double *low) {
  int code = CODE_DONE;
  double highs[256], lows[256];
  for (int64_t at = 0; at < header->count;) {
    int64_t some = header->count - at < 256 ? header->count - at : 256;
    TRY(npy_read_numbers(in, header, some, highs, lows));
    for (int64_t i = 0; i < some; i++, at++) {
      int64_t place = row_major(header, at);
      high[place] = highs[i];
      if (low != NULL) low[place] = lows[i];
    }
  }
done:
  return code;
}

static int check_finite(const input *in, const table *t) {
  for (int64_t i = 0; i < t->m * t->n; i++) {
    if (isfinite(t->high[i])) continue;
    return fail_at(CODE_INPUT, in->name, 0, "row %lld, column %lld: %g is not finite", (long long)(i / t->n + 1),
                   (long long)(i % t->n + 1), t->high[i]);
  }
  return CODE_DONE;
}

int npy_read_table(table *out, input *in, int pairs) {
  int code = CODE_DONE;
  npy_header header;
  TRY(input_hold(in)); /* the table is sized by the header, which then is checked */
  TRY(npy_read_header(in, &header));
  if (header.rank < 1 || header.rank > 2) {
    return fail_at(CODE_INPUT, in->name, 0, "an array of %d dimensions: a table has one or two", header.rank);
  }
  if (header.count == 0) return fail_at(CODE_INPUT, in->name, 0, "the array is empty");
  TRY(table_allocate(out, header.shape[0], header.rank == 2 ? header.shape[1] : 1, pairs));
  TRY(npy_read_array(in, &header, out->high, out->low));
  TRY(check_finite(in, out));
done:
  return code;
}

int npy_write_header(output *to, int bytes, int rank, const int64_t *shape) {
  char text[256];
  int length = snprintf(text + 10, sizeof text - 10, "{'descr': '<f%d', 'fortran_order': False, 'shape': (", bytes);
  for (int i = 0; i < rank; i++) {
    length += snprintf(text + 10 + length, sizeof text - 10 - (size_t)length, "%lld,", (long long)shape[i]);
  }
  length += snprintf(text + 10 + length, sizeof text - 10 - (size_t)length, "), }");
  while ((10 + length + 1) % 64 != 0) text[10 + length++] = ' '; /* numbers begin at a multiple of 64 */
  text[10 + length++] = '\n';
  memcpy(text, "\x93NUMPY\x01", 8);
  text[8] = (char)(length & 255);
  text[9] = (char)(length >> 8);
  return output_bytes(to, text, 10 + length);
}

static int write_words(output *to, const void *values, int64_t count, int size) {
  int code = CODE_DONE;
  unsigned char bytes[CHUNK * 8];
  const char *from = values;
  for (int64_t at = 0; at < count;) {
    int64_t some = count - at < CHUNK ? count - at : CHUNK;
    for (int64_t i = 0; i < some; i++, at++) {
      uint64_t bits = 0;
      uint32_t half;
      if (size == 8) {
        memcpy(&bits, from + at * 8, 8);
      } else {
        memcpy(&half, from + at * 4, 4);
        bits = half;
      }
      for (int k = 0; k < size; k++) bytes[i * size + k] = (unsigned char)(bits >> 8 * k);
    }
    TRY(output_bytes(to, bytes, some * size));
  }
done:
  return code;
}

int npy_write_f64(output *to, const double *values, int64_t count) { return write_words(to, values, count, 8); }
int npy_write_f32(output *to, const float *values, int64_t count) { return write_words(to, values, count, 4); }
