/* The limit that bench_solver names: many problems side by side in vector lanes, A'A in registers, Cholesky's
 * factorisation, no packing, no certificate, no refinement. Compiled for the machine it runs on. */
#include <math.h>
#include <string.h>

#include "solver_peers.h"

#if defined(__AVX512F__)
enum { WIDE = 8 };
#elif defined(__AVX__)
enum { WIDE = 4 };
#else
enum { WIDE = 2 };
#endif

const int64_t peer_lanes = WIDE;

typedef double doubles __attribute__((vector_size(WIDE * sizeof(double))));

#define INLINE static inline __attribute__((always_inline))

/* G (n,n) += columns i .. i+height-1 times columns j .. j+width-1 of [A b]. */
INLINE void add_tile(const int m, const int n, const int i, const int j, const int height, const int width,
                     const doubles *a, doubles *G) {
  doubles sum[8][8];
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 8
    for (int c = 0; c < width; c++) sum[r][c] = (doubles){0};
  for (int row = 0; row < m; row++)
#pragma GCC unroll 8
    for (int c = 0; c < width; c++) {
      const doubles factor = a[row * n + j + c];
#pragma GCC unroll 8
      for (int r = 0; r < height; r++)
        if (i != j || r <= c) sum[r][c] += a[row * n + i + r] * factor;
    }
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 8
    for (int c = 0; c < width; c++)
      if (i != j || r <= c) G[(i + r) * n + j + c] = sum[r][c];
}

INLINE void multiply(const int m, const int n, const int i, const int height, const doubles *a, const doubles *b,
                     doubles *x) {
  doubles sum[8];
#pragma GCC unroll 8
  for (int r = 0; r < height; r++) sum[r] = (doubles){0};
  for (int row = 0; row < m; row++)
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) sum[r] += a[row * n + i + r] * b[row];
#pragma GCC unroll 8
  for (int r = 0; r < height; r++) x[i + r] = sum[r];
}

INLINE doubles root(doubles v) {
  for (int l = 0; l < WIDE; l++) v[l] = sqrt(v[l]);
  return v;
}

/* U'U = G in place, then x <- G^-1 x. */
INLINE void solve(const int n, doubles *G, doubles *over, doubles *x) {
  for (int k = 0; k < n; k++) {
    over[k] = 1 / root(G[k * n + k]);
    for (int j = k + 1; j < n; j++) G[k * n + j] *= over[k];
    x[k] *= over[k];
    for (int i = k + 1; i < n; i++) {
      for (int j = i; j < n; j++) G[i * n + j] -= G[k * n + i] * G[k * n + j];
      x[i] -= G[k * n + i] * x[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) x[k] -= G[k * n + j] * x[j];
    x[k] *= over[k];
  }
}

INLINE void least_squares(const int m, const int n, const int tile, const double *a, const double *b, double *x) {
  doubles G[32 * 32], over[32];
  const doubles *A = (const doubles *)(const void *)a, *B = (const doubles *)(const void *)b;
  doubles *X = (doubles *)(void *)x;
  for (int j = 0; j < n; j += tile)
    for (int i = 0; i < j; i += tile) add_tile(m, n, i, j, tile, tile, A, G);
  for (int j = 0; j < n; j += tile) add_tile(m, n, j, j, tile, tile, A, G);
  for (int i = 0; i < n; i += tile) multiply(m, n, i, tile, A, B, X);
  solve(n, G, over, X);
}

void lanes_20x5(const double *a, const double *b, double *x) { least_squares(20, 5, 5, a, b, x); }
void lanes_64x16(const double *a, const double *b, double *x) { least_squares(64, 16, 4, a, b, x); }
void lanes_256x32(const double *a, const double *b, double *x) { least_squares(256, 32, 4, a, b, x); }
