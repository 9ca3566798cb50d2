/* Writes model files as a C table, for the library to carry (lib/solve/shipped.h):
 *
 *   embed OUT.c NAME.safetensors... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_A_LINE = 32, NAME_MOST = 64, FILES_MOST = 32 };

typedef struct {
  char name[NAME_MOST];
  long dim;
} entry;

static int fail(const char *path, const char *reason) {
  fprintf(stderr, "embed: %s: %s\n", path, reason);
  return -1;
}

/* The whole file, ended by a zero; NULL on failure. */
static unsigned char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  unsigned char *data = NULL;
  long size = -1;
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 8) data = calloc((size_t)size + 1, 1);
  rewind(file);
  if (data != NULL && fread(data, 1, (size_t)size, file) != (size_t)size) {
    free(data);
    data = NULL;
  }
  fclose(file);
  *bytes = (size_t)size;
  return data;
}

static void take_name(entry *e, const char *path) {
  const char *slash = strrchr(path, '/');
  snprintf(e->name, sizeof e->name, "%s", slash == NULL ? path : slash + 1);
  e->name[strcspn(e->name, ".")] = '\0';
}

static void write_bytes(FILE *out, int index, const unsigned char *data, size_t bytes) {
  fprintf(out, "static const unsigned char model_%d[] = {", index);
  for (size_t i = 0; i < bytes; i++) fprintf(out, "%s%d,", i % BYTES_A_LINE == 0 ? "\n" : "", data[i]);
  fprintf(out, "\n};\n\n");
}

static int embed(FILE *out, int index, const char *path, entry *e) {
  size_t bytes = 0;
  unsigned char *data = read_file(path, &bytes);
  if (data == NULL) return fail(path, "cannot be read");
  const char *dim = strstr((const char *)data + 8, "\"lsqnet.dim\":\""); /* behind the header's length */
  e->dim = dim == NULL ? 0 : strtol(dim + strlen("\"lsqnet.dim\":\""), NULL, 10);
  take_name(e, path);
  write_bytes(out, index, data, bytes);
  free(data);
  return e->dim > 0 ? 0 : fail(path, "it does not say for how many unknowns it is");
}

int main(int argc, char **argv) {
  entry entries[FILES_MOST];
  const int count = argc - 2;
  if (count < 1 || count > FILES_MOST) return EXIT_FAILURE;
  FILE *out = fopen(argv[1], "w");
  if (out == NULL) return EXIT_FAILURE;
  fprintf(out, "#include \"solve/shipped.h\"\n\n");
  for (int i = 0; i < count; i++)
    if (embed(out, i, argv[i + 2], &entries[i]) != 0) return EXIT_FAILURE;
  fprintf(out, "const lsq_shipped_model lsq_shipped_models[] = {\n");
  for (int i = 0; i < count; i++)
    fprintf(out, "    {\"%s\", %ld, model_%d, sizeof model_%d},\n", entries[i].name, entries[i].dim, i, i);
  fprintf(out, "};\n\nconst int64_t lsq_shipped_count = %d;\n", count);
  return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
