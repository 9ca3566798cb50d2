/* Whose dgemm_ does a program call that has liblsqnet in it as well, or runs under the shim? Exit code 0: libblas'.
 *
 *   cc -DWITH_LSQNET    a program that links liblsqnet and libblas
 *   cc                  a program that links LAPACK and libblas
 *   cc -DPLUGIN         the same as a library that is loaded into a program, as extensions of Python are
 *   cc -DHOST           that program: its argument is the library */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

#ifndef HOST

void dgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k, const double *alpha,
            const double *a, const int *lda, const double *b, const int *ldb, const double *beta, double *c,
            const int *ldc, size_t length_a, size_t length_b);

static const double two = 2, three = 3;

/* 3 x = 2 */
#ifdef WITH_LSQNET
#include <lsqnet/lsqnet.h>
static int solve(double *x) { return lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 1, 1, 1, &three, 1, x, 1); }
#else
void dgels_(const char *trans, const int *m, const int *n, const int *nrhs, double *a, const int *lda, double *b,
            const int *ldb, double *work, const int *lwork, int *info, size_t length);
static int solve(double *x) {
  double a = three, work[64];
  const int one = 1, lwork = 64;
  int info = -1;
  dgels_("N", &one, &one, &one, &a, &one, x, &one, work, &lwork, &info, 1);
  return info;
}
#endif

int whose_dgemm(void);
int whose_dgemm(void) {
  const int one = 1;
  const double zero = 0;
  double x = two, product = 0;
  Dl_info where = {0};
  union {
    void (*function)();
    void *address;
  } dgemm = {.function = (void (*)())dgemm_};
  void *blas = dlopen("libblas.so.3", RTLD_LAZY | RTLD_NOLOAD);
  if (solve(&x) != 0 || x != two / three) return 2;
  dgemm_("N", "N", &one, &one, &one, &two, &three, &one, &two, &one, &zero, &product, &one, 1, 1);
  if (product != 12) return 3;
  (void)dladdr(dgemm.address, &where);
  printf("dgemm_ is that of %s\n", where.dli_fname != NULL ? where.dli_fname : "nobody");
  return blas == NULL || dlsym(blas, "dgemm_") != dgemm.address;
}

#ifndef PLUGIN
int main(void) { return whose_dgemm(); }
#endif

#else

int main(int count, char **arguments) {
  void *plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  union {
    void *address;
    int (*function)(void);
  } whose = {.address = plugin != NULL ? dlsym(plugin, "whose_dgemm") : NULL};
  if (whose.address == NULL) fprintf(stderr, "%s\n", dlerror());
  return whose.address != NULL ? whose.function() : 4;
}

#endif
