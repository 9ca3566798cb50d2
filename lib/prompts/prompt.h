/* Prompts for callers inside the library: looked up once, then filled without checks. */
#ifndef LSQ_PROMPTS_PROMPT_H
#define LSQ_PROMPTS_PROMPT_H

#include <lsqnet/task.h>

/* Which rows of a prompt hold x. */
enum { LSQ_QUERY_FIRST, LSQ_QUERY_LAST, LSQ_QUERY_EVERY };

typedef struct {
  const char *name;
  int32_t query;        /* an LSQ_QUERY_ number; FIRST and LAST are rows of their own, beside the L rows of data */
  int32_t own_channels; /* 1: x in channels D+1 .. 2D; 0: in those of a_i */
} lsq_prompt;

/* The prompt called `name`; E_ARGUMENT, listing all, if there is none. */
lsqnet_status lsq_prompt_find(const char *name, const lsq_prompt **out);

/* Rows T, channels W and the row that is read, each of which may be NULL; E_SHAPE if L or D is below 1 or T W
 * overflows. */
lsqnet_status lsq_prompt_shape(const lsq_prompt *prompt, int64_t L, int64_t D, int64_t *T, int64_t *W,
                               int64_t *read_row);

/* Lays out a problem of m <= L rows and n <= D unknowns, filled up with zeros.
 * a (m,n) with `lda` values from row to row; b (m) and x (n), NULL for zeros; out (T,W), written whole. */
void lsq_prompt_fill_f64(const lsq_prompt *prompt, int64_t L, int64_t D, int64_t m, int64_t n, const double *a,
                         int64_t lda, const double *b, const double *x, double *out);
void lsq_prompt_fill_f32(const lsq_prompt *prompt, int64_t L, int64_t D, int64_t m, int64_t n, const float *a,
                         int64_t lda, const float *b, const float *x, float *out);

#endif
