/* Prompts: how a least-squares problem (A, b, x) lies in the rows and channels of a sequence.
 *
 *   split        rows [a_i, b_i, 0], then [0, 0, x]     L+1 rows, 2D+1 channels, read at the last row
 *   repeat       rows [a_i, b_i, x]                     L   rows, 2D+1 channels, read at the last row
 *   query_first  [x, 0], then rows [a_i, b_i]           L+1 rows,  D+1 channels, read at the last row
 *   query_last   rows [a_i, b_i], then [x, 0]           L+1 rows,  D+1 channels, read at the last row */
#ifndef LSQNET_TASK_H
#define LSQNET_TASK_H

#include <lsqnet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Rows T, channels W and the row that is read, for prompt `name` of L rows of data and D unknowns; each out pointer may
 *  be NULL.
 *  Errors   E_ARGUMENT (unknown name: the message lists all), E_SHAPE (L or D below 1, or sizes that overflow). */
LSQNET_API lsqnet_status lsqnet_prompt_shape(const char *name, int64_t rows, int64_t dim, int64_t *prompt_rows,
                                             int64_t *prompt_width, int64_t *read_row);

/** Lays a problem out as one prompt.
 *  Shapes   a (L,D) with `lda` >= D values from row to row, b (L), x (D); out (T,W), written whole.
 *  Errors   as prompt_shape; E_ARGUMENT if a pointer is NULL; E_SHAPE if lda < D. */
LSQNET_API lsqnet_status lsqnet_prompt_fill_f64(const char *name, int64_t rows, int64_t dim, const double *a, int64_t lda,
                                                const double *b, const double *x, double *out);
LSQNET_API lsqnet_status lsqnet_prompt_fill_f32(const char *name, int64_t rows, int64_t dim, const float *a, int64_t lda,
                                                const float *b, const float *x, float *out);

/** Name of prompt `index` (0, 1, ...), or NULL when there is none. */
LSQNET_API const char *lsqnet_prompt_name(int64_t index);

#ifdef __cplusplus
}
#endif
#endif
