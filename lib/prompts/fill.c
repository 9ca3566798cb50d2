#include <string.h>

#include "base/context.h"
#include "base/real.h"
#include "prompts/prompt.h"

void REAL(lsq_prompt_fill)(const lsq_prompt *prompt, int64_t L, int64_t D, int64_t m, int64_t n, const real *a,
                           int64_t lda, const real *b, const real *x, real *out) {
  const int64_t T = prompt->query == LSQ_QUERY_EVERY ? L : L + 1, W = prompt->own_channels ? 2 * D + 1 : D + 1;
  const int64_t first_data = prompt->query == LSQ_QUERY_FIRST ? 1 : 0;
  const int64_t first_query = prompt->query == LSQ_QUERY_LAST ? T - 1 : 0;
  const int64_t end_query = prompt->query == LSQ_QUERY_FIRST ? 1 : T;
  memset(out, 0, (size_t)(T * W) * sizeof *out);
  for (int64_t i = 0; i < m; i++) {
    real *row = out + (first_data + i) * W;
    memcpy(row, a + i * lda, (size_t)n * sizeof *row);
    if (b != NULL) row[D] = b[i];
  }
  for (int64_t t = first_query; x != NULL && t < end_query; t++)
    memcpy(out + t * W + (prompt->own_channels ? D + 1 : 0), x, (size_t)n * sizeof *out);
}

lsqnet_status REAL(lsqnet_prompt_fill)(const char *name, int64_t rows, int64_t dim, const real *a, int64_t lda,
                                       const real *b, const real *x, real *out) {
  lsqnet_status st = LSQNET_OK;
  int64_t numbers = 0;
  const lsq_prompt *prompt = NULL;
  LSQ_TRY(lsq_prompt_find(name, &prompt));
  LSQ_TRY(lsq_prompt_shape(prompt, rows, dim, NULL, NULL, NULL));
  if (a == NULL || b == NULL || x == NULL || out == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "%s is NULL", a == NULL ? "a" : b == NULL ? "b" : x == NULL ? "x" : "out");
  if (lda < dim)
    return lsq_fail(LSQNET_E_SHAPE, "lda=%lld: the rows of a hold dim=%lld values", (long long)lda, (long long)dim);
  LSQ_TRY(lsq_size_product(&numbers, (const int64_t[]){rows, lda, sizeof *a}, 3, "a: rows x lda"));
  REAL(lsq_prompt_fill)(prompt, rows, dim, rows, dim, a, lda, b, x, out);
done:
  return st;
}
