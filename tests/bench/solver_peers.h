/* What bench_solver is measured against, each in the layout that suits it. */
#ifndef BENCH_SOLVER_PEERS_H
#define BENCH_SOLVER_PEERS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Least squares, or least norm, by a library's dgels on one thread: A (m,n) and B (max(m,n),k) by columns are
 * overwritten, X comes in B. NULL until peers_open has found the library. */
typedef void dgels_fn(int32_t m, int32_t n, int32_t k, double *a, double *b, double *work, int32_t size);
extern dgels_fn *peers_dgels;

/* Loads dgels_ from `library` (NULL: libopenblas.so.0) and keeps it to one thread; 0 if it is not there. */
int peers_open(const char *library);

/* Shapes that the fixed-size peers are compiled for. */
typedef struct {
  int64_t m, n;
  /* A'A and Cholesky's factorisation of as many problems as there are lanes, which lie in lanes already: number (i,j)
   * of A at vector i n + j. */
  void (*lanes)(const double *a, const double *b, double *x);
  /* Eigen's on one problem, A by rows; NULL without Eigen. */
  void (*llt)(const double *a, const double *b, double *x);
  void (*qr)(const double *a, const double *b, double *x);
} peer_shape;

enum { PEER_SHAPES = 3 };
extern const peer_shape peer_shapes[PEER_SHAPES];
extern const int64_t peer_lanes;

void lanes_20x5(const double *a, const double *b, double *x);
void lanes_64x16(const double *a, const double *b, double *x);
void lanes_256x32(const double *a, const double *b, double *x);
void llt_20x5(const double *a, const double *b, double *x);
void llt_64x16(const double *a, const double *b, double *x);
void llt_256x32(const double *a, const double *b, double *x);
void qr_20x5(const double *a, const double *b, double *x);
void qr_64x16(const double *a, const double *b, double *x);
void qr_256x32(const double *a, const double *b, double *x);

#ifdef __cplusplus
}
#endif
#endif
