#include "prompts/prompt.h"

#include <stdio.h>
#include <string.h>

#include "base/context.h"

static const lsq_prompt prompts[] = {
    {"split", LSQ_QUERY_LAST, 1},
    {"repeat", LSQ_QUERY_EVERY, 1},
    {"query_first", LSQ_QUERY_FIRST, 0},
    {"query_last", LSQ_QUERY_LAST, 0},
};

enum { PROMPTS = sizeof prompts / sizeof prompts[0] };

const char *lsqnet_prompt_name(int64_t index) { return index >= 0 && index < PROMPTS ? prompts[index].name : NULL; }

lsqnet_status lsq_prompt_find(const char *name, const lsq_prompt **out) {
  char known[256] = "";
  size_t used = 0;
  *out = NULL;
  for (int i = 0; name != NULL && i < PROMPTS; i++)
    if (strcmp(prompts[i].name, name) == 0) {
      *out = &prompts[i];
      return LSQNET_OK;
    }
  for (int i = 0; i < PROMPTS && used < sizeof known; i++)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", prompts[i].name);
  return lsq_fail(LSQNET_E_ARGUMENT, "prompt=%.64s: the prompts are %s", name == NULL ? "NULL" : name, known);
}

lsqnet_status lsq_prompt_shape(const lsq_prompt *prompt, int64_t L, int64_t D, int64_t *T, int64_t *W,
                               int64_t *read_row) {
  int64_t size[2] = {0, 0}, cells = 0;
  if (L < 1 || D < 1)
    return lsq_fail(LSQNET_E_SHAPE, "rows=%lld dim=%lld: both must be at least 1", (long long)L, (long long)D);
  if (__builtin_add_overflow(L, prompt->query == LSQ_QUERY_EVERY ? 0 : 1, &size[0]) ||
      __builtin_mul_overflow(D, prompt->own_channels ? 2 : 1, &size[1]) ||
      __builtin_add_overflow(size[1], 1, &size[1]) || lsq_size_product(&cells, size, 2, "prompt") != LSQNET_OK)
    return lsq_fail(LSQNET_E_SHAPE, "rows=%lld dim=%lld: a \"%s\" prompt of that size cannot be addressed",
                    (long long)L, (long long)D, prompt->name);
  if (T != NULL) *T = size[0];
  if (W != NULL) *W = size[1];
  if (read_row != NULL) *read_row = size[0] - 1;
  return LSQNET_OK;
}

lsqnet_status lsqnet_prompt_shape(const char *name, int64_t rows, int64_t dim, int64_t *prompt_rows,
                                  int64_t *prompt_width, int64_t *read_row) {
  lsqnet_status st = LSQNET_OK;
  const lsq_prompt *prompt = NULL;
  LSQ_TRY(lsq_prompt_find(name, &prompt));
  LSQ_TRY(lsq_prompt_shape(prompt, rows, dim, prompt_rows, prompt_width, read_row));
done:
  return st;
}
