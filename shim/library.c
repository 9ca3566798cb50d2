#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "shim.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static shim_dgels dgels;
static shim_sgels sgels;
static atomic_uint_fast64_t entered, solved;

/* POSIX lets dlsym's answer be a function, C does not let it be cast to one. */
static shim_function function_of(void *symbol) {
  shim_function function = NULL;
  memcpy(&function, &symbol, sizeof function);
  return function;
}

static void open_library(void) {
  void *library = dlopen(LSQNET_SONAME, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return;
  dgels = (shim_dgels)function_of(dlsym(library, "lsqnet_dgels"));
  sgels = (shim_sgels)function_of(dlsym(library, "lsqnet_sgels"));
}

shim_dgels shim_find_dgels(void) {
  (void)pthread_once(&once, open_library);
  return dgels;
}

shim_sgels shim_find_sgels(void) {
  (void)pthread_once(&once, open_library);
  return sgels;
}

/* A LAPACK that was loaded by a part of the program, an extension of Python for example, is in no scope that dlsym
 * looks through: it is found by its name, if it has been loaded. */
static shim_function find_in_lapack(const char *name) {
  static const char *const libraries[] = {"liblapacke.so.3", "liblapack.so.3", "libopenblas.so.0"};
  void *symbol = NULL;
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries && symbol == NULL; i++) {
    void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) continue;
    symbol = dlsym(library, name);
    (void)dlclose(library);
  }
  return function_of(symbol);
}

shim_function shim_find_next(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  return symbol != NULL ? function_of(symbol) : find_in_lapack(name);
}

/* For names that this library does not have itself: a program may replace LAPACK's. */
static shim_function find(const char *name) {
  void *symbol = dlsym(RTLD_DEFAULT, name);
  return symbol != NULL ? function_of(symbol) : find_in_lapack(name);
}

void shim_xerbla(const char *routine, int32_t argument) {
  typedef void (*fortran_xerbla)(const char *name, const int32_t *info, size_t length);
  const fortran_xerbla xerbla = (fortran_xerbla)find("xerbla_");
  if (xerbla != NULL)
    xerbla(routine, &argument, strlen(routine));
  else
    fprintf(stderr, " ** On entry to %.*s parameter number %2ld had an illegal value\n", (int)strcspn(routine, " "),
            routine, (long)argument);
}

void shim_lapacke_xerbla(const char *routine, int32_t info) {
  typedef void (*lapacke_xerbla)(const char *name, int32_t info);
  const lapacke_xerbla xerbla = (lapacke_xerbla)find("LAPACKE_xerbla");
  if (xerbla != NULL)
    xerbla(routine, info);
  else
    fprintf(stderr, "Wrong parameter %ld in %s\n", -(long)info, routine);
}

int shim_checks_nan(void) {
  typedef int (*get_nancheck)(void);
  const get_nancheck checks = (get_nancheck)find("LAPACKE_get_nancheck");
  return checks == NULL || checks() != 0;
}

void shim_count_entry(void) { atomic_fetch_add_explicit(&entered, 1, memory_order_relaxed); }
void shim_count_solved(void) { atomic_fetch_add_explicit(&solved, 1, memory_order_relaxed); }

/* How often a program came in by any of the six names, and how many of the calls liblsqnet answered. */
__attribute__((visibility("default"))) uint64_t lsqnet_lapack_entered(void);
__attribute__((visibility("default"))) uint64_t lsqnet_lapack_solved(void);
uint64_t lsqnet_lapack_entered(void) { return atomic_load_explicit(&entered, memory_order_relaxed); }
uint64_t lsqnet_lapack_solved(void) { return atomic_load_explicit(&solved, memory_order_relaxed); }
