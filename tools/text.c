/* Writes text files as C strings, for the command to carry:
 *
 *   text OUT.c NAME.part... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 512 };

static void write_line(FILE *out, const char *line) {
  fputs("    \"", out);
  for (; *line != '\0'; line++) {
    if (*line == '\n') {
      fputs("\\n", out);
    } else {
      if (*line == '"' || *line == '\\') fputc('\\', out);
      fputc(*line, out);
    }
  }
  fputs("\"\n", out);
}

static int write_text(FILE *out, const char *path) {
  char line[LINE_MOST];
  const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
  FILE *in = fopen(path, "r");
  if (in == NULL) return -1;
  fprintf(out, "\nconst char part_%.*s[] =\n", (int)strcspn(name, "."), name);
  while (fgets(line, sizeof line, in) != NULL) write_line(out, line);
  fprintf(out, "    ;\n");
  return fclose(in);
}

int main(int argc, char **argv) {
  if (argc < 3) return EXIT_FAILURE;
  FILE *out = fopen(argv[1], "w");
  if (out == NULL) return EXIT_FAILURE;
  fprintf(out, "#include \"export.h\"\n");
  for (int i = 2; i < argc; i++) {
    if (write_text(out, argv[i]) != 0) {
      fprintf(stderr, "text: %s: cannot be read\n", argv[i]);
      return EXIT_FAILURE;
    }
  }
  return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
