#include "solve/gels.h"

/* The one thing that outlives a call without belonging to an object: see gels.h. No other thread can see it. */
static _Thread_local lsq_gels_solver *kept;

static void destroy(lsq_gels_solver *gels) {
  if (gels == NULL) return;
  lsqnet_context *context = gels->context;
  for (int i = 0; i < 2; i++) lsqnet_solver_destroy(gels->solvers[i]);
  lsq_free(context, gels->X);
  lsq_free(context, gels->zeros);
  lsq_free(context, gels->reports);
  lsq_free(context, gels);
  lsqnet_context_destroy(context);
}

static lsqnet_status create(lsq_gels_solver **out) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_context *context = NULL;
  lsq_gels_solver *gels = NULL;
  LSQ_TRY(lsqnet_context_create(&context, NULL));
  LSQ_TRY(lsq_alloc(context, &gels, 1, sizeof *gels));
  gels->context = context;
  *out = gels;
  context = NULL;
done:
  lsqnet_context_destroy(context);
  return st;
}

#ifdef LSQ_HAVE_THREAD_ATEXIT
/* What a C++ compiler calls for the destructor of a thread_local: unlike a key of POSIX threads it needs no global
 * variable, runs in the main thread as well, and keeps the library loaded until it has run. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *argument, void *library);
extern char __dso_handle;

static void thread_ends(void *argument) {
  destroy(argument);
  kept = NULL;
}

static void keep(lsq_gels_solver *gels) {
  if (__cxa_thread_atexit_impl(thread_ends, gels, &__dso_handle) == 0) kept = gels;
}
#else
static void keep(lsq_gels_solver *gels) { (void)gels; } /* nobody would free it */
#endif

lsqnet_status lsq_gels_take(lsq_gels_solver **out) {
  lsqnet_status st = LSQNET_OK;
  *out = kept;
  if (*out != NULL) return LSQNET_OK;
  LSQ_TRY(create(out));
  keep(*out);
done:
  return st;
}

/* What has no use until another large problem comes. */
static void trim(lsq_gels_solver *gels) {
  for (int i = 0; i < 2; i++) lsq_solver_trim(gels->solvers[i]);
  lsq_free(gels->context, gels->X);
  lsq_free(gels->context, gels->zeros);
  lsq_free(gels->context, gels->reports);
  gels->X = gels->zeros = NULL;
  gels->reports = NULL;
  gels->capacity = gels->zeros_capacity = gels->report_capacity = 0;
}

void lsq_gels_give_back(lsq_gels_solver *gels, int64_t numbers) {
  if (gels != kept) {
    destroy(gels);
  } else if (numbers > LSQ_GELS_KEPT) {
    trim(gels);
  }
}

lsqnet_status lsq_gels_solver_for(lsq_gels_solver *gels, int min_norm, lsqnet_solver **out) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver_options options;
  if (gels->solvers[min_norm] == NULL) {
    LSQ_TRY(lsqnet_solver_options_init(&options, sizeof options));
    options.min_norm = min_norm;
    LSQ_TRY(lsqnet_solver_create(&gels->solvers[min_norm], gels->context, NULL, &options));
    if (min_norm) gels->solvers[min_norm]->options.min_norm = LSQ_MIN_NORM_OF_FULL_RANK;
  }
  *out = gels->solvers[min_norm];
done:
  return st;
}
