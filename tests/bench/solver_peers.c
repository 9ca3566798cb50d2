#include "solver_peers.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_EIGEN
#define EIGEN(name) name
#else
#define EIGEN(name) 0
#endif

const peer_shape peer_shapes[PEER_SHAPES] = {
    {20, 5, lanes_20x5, EIGEN(llt_20x5), EIGEN(qr_20x5)},
    {64, 16, lanes_64x16, EIGEN(llt_64x16), EIGEN(qr_64x16)},
    {256, 32, lanes_256x32, EIGEN(llt_256x32), EIGEN(qr_256x32)},
};

dgels_fn *peers_dgels;

typedef void fortran_dgels(const char *trans, const int32_t *m, const int32_t *n, const int32_t *k, double *a,
                           const int32_t *lda, double *b, const int32_t *ldb, double *work, const int32_t *size,
                           int32_t *info, size_t trans_length);

static fortran_dgels *found;

static void call(int32_t m, int32_t n, int32_t k, double *a, double *b, double *work, int32_t size) {
  const int32_t ldb = m > n ? m : n;
  int32_t info = 0;
  found("N", &m, &n, &k, a, &m, b, &ldb, work, &size, &info, 1);
}

int peers_open(const char *library) {
  void *handle = dlopen(library != NULL ? library : "libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  void (*set_threads)(int) = NULL;
  if (handle == NULL) return 0;
  void *symbol = dlsym(handle, "dgels_"), *threads = dlsym(handle, "openblas_set_num_threads");
  if (symbol == NULL) return 0;
  memcpy(&found, &symbol, sizeof found);
  memcpy(&set_threads, &threads, sizeof set_threads);
  if (set_threads != NULL) set_threads(1);
  peers_dgels = call;
  return 1;
}
