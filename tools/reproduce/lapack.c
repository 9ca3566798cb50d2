#define _GNU_SOURCE /* dladdr, RTLD_DEFAULT */
#include "lapack.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_LAPACKE
#include <lapacke.h>

/* `name`, if the program has such a function. POSIX lets dlsym's answer be one, C does not let it be cast to one. */
#define FIND(function, name)                        \
  do {                                              \
    void *const symbol = dlsym(RTLD_DEFAULT, name); \
    memcpy(&(function), &symbol, sizeof symbol);    \
  } while (0)

int lapack_open(void) {
  void (*openblas)(int) = NULL, (*mkl)(int) = NULL;
  void (*blis)(int64_t) = NULL;
  FIND(openblas, "openblas_set_num_threads");
  FIND(mkl, "MKL_Set_Num_Threads");
  FIND(blis, "bli_thread_set_num_threads");
  if (openblas != NULL) openblas(1);
  if (mkl != NULL) mkl(1);
  if (blis != NULL) blis(1);
  return 1;
}

static void write_file(const char *function, char *out, size_t room) {
  Dl_info where;
  const void *symbol = dlsym(RTLD_DEFAULT, function);
  char *path = symbol != NULL && dladdr(symbol, &where) != 0 ? realpath(where.dli_fname, NULL) : NULL;
  const char *folder = path, *file = path; /* behind the last slash but one, and the last */
  for (const char *at = path; at != NULL && *at != '\0'; at++) {
    if (*at != '/') continue;
    folder = file;
    file = at + 1;
  }
  snprintf(out, room, "%s", path == NULL ? "unknown" : folder);
  free(path);
}

void lapack_name(char *out, size_t room) {
  char lapack[256], blas[256];
  write_file("dgels_", lapack, sizeof lapack);
  write_file("dgemm_", blas, sizeof blas);
  snprintf(out, room, "%s, %s", lapack, blas);
}

int64_t lapack_solve(int64_t m, int64_t n, double *a, double *b) {
  return LAPACKE_dgels(LAPACK_COL_MAJOR, 'N', (lapack_int)m, (lapack_int)n, 1, a, (lapack_int)m, b, (lapack_int)m);
}

#else

int lapack_open(void) { return 0; }

void lapack_name(char *out, size_t room) { snprintf(out, room, "none"); }

int64_t lapack_solve(int64_t m, int64_t n, double *a, double *b) {
  (void)m;
  (void)n;
  (void)a;
  (void)b;
  return -1;
}

#endif
