/* Experiments of the paper as command lines. */
#ifndef TOOLS_PRESETS_H
#define TOOLS_PRESETS_H

#include <stddef.h>

enum { PRESET_WORDS_MOST = 48 };

typedef struct {
  const char *name;
  const char *words[PRESET_WORDS_MOST]; /* a task and options, up to NULL */
} preset;

/* The preset called `name`, or NULL. */
const preset *preset_find(const char *name);

/* All names, separated by commas. */
void preset_list(char *text, size_t capacity);

#endif
