/* Runs a fuzz target once on each file, and on each file of each folder, that it is given: the kept inputs, without a
 * fuzzer. */
#include <dirent.h>

#include "fuzz.h"

static int replayed;

static void replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  demand(file != NULL);
  demand(fseek(file, 0, SEEK_END) == 0);
  const long size = ftell(file);
  rewind(file);
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1); /* of just its size, for sanitizers */
  demand(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
  fclose(file);
  printf("%s, %ld bytes\n", path, size);
  fflush(stdout);
  (void)LLVMFuzzerTestOneInput(data, (size_t)size);
  free(data);
  replayed++;
}

static void replay(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) {
    replay_file(path);
    return;
  }
  for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    replay_file(name);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  printf("%d inputs\n", replayed);
  return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
