/* Arrays of a golden file, for tests. */
#ifndef TESTS_GOLDEN_FILE_H
#define TESTS_GOLDEN_FILE_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/context.h"
#include "store/safetensors.h"

typedef struct {
  lsqnet_context *context;
  unsigned char *bytes;
  lsq_archive archive;
} golden_file;

static inline golden_file golden_open(const char *name) {
  golden_file g = {0};
  char path[1024];
  long size = 0;
  (void)snprintf(path, sizeof path, "%s/golden/%s.safetensors", getenv("LSQNET_TEST_DATA"), name);
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s", path);
  ck_assert(fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0 && fseek(file, 0, SEEK_SET) == 0);
  g.bytes = malloc((size_t)size);
  ck_assert(g.bytes != NULL && fread(g.bytes, 1, (size_t)size, file) == (size_t)size);
  (void)fclose(file);
  ck_assert_int_eq(lsqnet_context_create(&g.context, NULL), LSQNET_OK);
  ck_assert_int_eq(lsq_archive_open(&g.archive, g.context, g.bytes, (uint64_t)size), LSQNET_OK);
  return g;
}

static inline void golden_close(golden_file *g) {
  lsq_archive_close(&g->archive);
  lsqnet_context_destroy(g->context);
  free(g->bytes);
}

/* Values of an array, to be freed by the caller; `count`, which may be NULL, is how many. */
static inline double *golden_values(const golden_file *g, const char *name, int64_t *count) {
  const lsq_array *array = lsq_archive_find(&g->archive, name);
  ck_assert_msg(array != NULL && lsq_array_dtype(array) == LSQNET_F64, "%s", name);
  double *values = malloc((size_t)array->count * sizeof *values);
  ck_assert_ptr_nonnull(values);
  lsq_array_read_f64(array, values);
  if (count != NULL) *count = array->count;
  return values;
}

/* Largest difference over the largest magnitude of what is wanted; NaN if there is one. */
static inline double golden_distance(int64_t count, const double *got, const double *wanted) {
  double distance = 0, magnitude = 0;
  for (int64_t i = 0; i < count; i++) {
    const double difference = fabs(got[i] - wanted[i]);
    if (!isnan(distance) && !(difference <= distance)) distance = difference; /* NaN stays */
    magnitude = fmax(magnitude, fabs(wanted[i]));
  }
  return distance / magnitude;
}

#endif
