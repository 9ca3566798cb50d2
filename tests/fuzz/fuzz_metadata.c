/* Any text as the header of a safetensors file, before as many zeros as its last data offset asks for (first byte 0),
 * or lines of it as __metadata__ of a sound file: `config`, then one line "key=value" for each further text (1). */
#include "fuzz.h"
#include "store/safetensors.h"

enum { MOST_DATA = 1 << 16, MOST_TEXTS = 16 };

typedef struct {
  unsigned char *bytes;
  uint64_t size;
} file;

static lsqnet_status append(void *user, const void *data, uint64_t bytes) {
  file *f = user;
  f->bytes = realloc(f->bytes, (size_t)(f->size + bytes));
  demand(f->bytes != NULL);
  memcpy(f->bytes + f->size, data, (size_t)bytes);
  f->size += bytes;
  return LSQNET_OK;
}

static void load(const file *f) {
  lsqnet_model *model = NULL;
  const lsqnet_status status = lsqnet_model_load_memory(&model, fuzz_context(), f->bytes, f->size, NULL);
  demand((status == LSQNET_OK) == (model != NULL));
  if (status == LSQNET_OK)
    demand_sound_model(model);
  else
    demand_refusal(status);
  lsqnet_model_destroy(model);
}

/* Largest number in the text that is not too large. */
static uint64_t data_bytes(const char *text, size_t size) {
  uint64_t most = 0;
  for (size_t i = 0; i < size;) {
    uint64_t number = 0;
    for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
      if (number <= MOST_DATA) number = 10 * number + (uint64_t)(text[i] - '0');
    if (number <= MOST_DATA && number > most) most = number;
    while (i < size && (text[i] < '0' || text[i] > '9')) i++;
  }
  return most;
}

static void as_header(const char *text, size_t size) {
  static const unsigned char zeros[MOST_DATA];
  unsigned char length[8];
  file f = {0};
  lsq_archive archive;
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)size >> 8 * i);
  (void)append(&f, length, sizeof length);
  (void)append(&f, text, size);
  (void)append(&f, zeros, data_bytes(text, size));
  if (lsq_archive_open(&archive, fuzz_context(), f.bytes, f.size) == LSQNET_OK) {
    uint64_t covered = 0;
    for (int64_t i = 0; i < archive.count; i++) {
      covered += archive.arrays[i].end - archive.arrays[i].begin;
      demand(lsq_archive_find(&archive, archive.arrays[i].name) == &archive.arrays[i]);
      demand(archive.arrays[i].data >= f.bytes && archive.arrays[i].data <= f.bytes + f.size);
    }
    demand(covered == f.size - 8 - size);
    lsq_archive_close(&archive);
  }
  load(&f);
  free(f.bytes);
}

static void as_texts(char *text) {
  static const int64_t rows_width[] = {4, 3}, in[] = {3, 2}, square[] = {3, 3}, width[] = {3}, out[] = {2, 3},
                       two[] = {2};
  static const double zeros[64];
  const lsq_values arrays[] = {{"read_in.weight", 2, in, 6, LSQNET_F64, zeros},
                               {"read_in.bias", 1, width, 3, LSQNET_F64, zeros},
                               {"positions.weight", 2, rows_width, 12, LSQNET_F64, zeros},
                               {"blocks.0.mixer.in_proj.weight", 2, square, 9, LSQNET_F64, zeros},
                               {"read_out.weight", 2, out, 6, LSQNET_F64, zeros},
                               {"read_out.bias", 1, two, 2, LSQNET_F64, zeros}};
  lsq_text texts[MOST_TEXTS] = {{"format", "lsqnet"}, {"lsqnet.version", "1"}};
  int64_t count = 2;
  file f = {0};
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < MOST_TEXTS;
       line = strtok_r(NULL, "\n", &rest)) {
    char *value = count == 2 ? line : strchr(line, '=');
    if (value == NULL) continue;
    if (count > 2) *value++ = '\0';
    texts[count] = (lsq_text){count == 2 ? "config" : line, value};
    for (int64_t i = 0; i < count; i++)
      if (strcmp(texts[i].key, texts[count].key) == 0) texts[count].key = "twice";
    count++;
  }
  if (lsq_safetensors_write(fuzz_context(), texts, count, arrays, sizeof arrays / sizeof *arrays, append, &f) ==
      LSQNET_OK)
    load(&f);
  free(f.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *text = malloc(size);
  demand(text != NULL);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  if (data[0] % 2 == 0)
    as_header(text, size - 1);
  else
    as_texts(text);
  free(text);
  return 0;
}
