/* Matrices with chosen singular values. */
#ifndef LSQ_TASKS_SINGULAR_VALUES_H
#define LSQ_TASKS_SINGULAR_VALUES_H

#include <stdint.h>

/* Numbers of workspace for m x n. */
int64_t lsq_map_singular_values_work(int64_t m, int64_t n);

/* A = U S V' becomes U (alpha S + beta) V' whose singular values, min(m,n) of them, run from `least` to `most`; all
 * become `most` if they are equal. A (m,n); a singular value of zero stays zero. By one-sided Jacobi rotations
 * (Hestenes 1958). */
void lsq_map_singular_values(int64_t m, int64_t n, double *A, double least, double most, double *work);

#endif
