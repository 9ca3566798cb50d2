/* Any bytes as a table of numbers: READER is csv_read, matrix_market_read or npy_read_table. The first byte says
 * whether pairs are asked for, and whether the input is a regular file, whose size is known, or not. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "fuzz.h"
#include "table.h"

static FILE *regular(const uint8_t *data, size_t size) {
  const int descriptor = memfd_create("table", 0);
  demand(descriptor >= 0);
  demand(write(descriptor, data, size) == (ssize_t)size);
  demand(lseek(descriptor, 0, SEEK_SET) == 0);
  return fdopen(descriptor, "rb");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const int pairs = data[0] & 1;
  input in = {
      .file = data[0] & 2 ? regular(data + 1, size - 1) : fmemopen((void *)(uintptr_t)(data + 1), size - 1, "rb"),
      .name = "input"};
  table t = {0};
  demand(in.file != NULL);
  const int code = READER(&t, &in, pairs);
  demand(code == CODE_DONE || code == CODE_INPUT || code == CODE_OTHER); /* OTHER: a size beyond the machine's memory */
  if (code == CODE_DONE) {
    demand(t.m >= 1 && t.n >= 1 && (t.low != NULL) == pairs);
    for (int64_t i = 0; i < t.m * t.n; i++) {
      demand(isfinite(t.high[i]));
      /* the low part is at most half a unit in the last place: it changes nothing */
      if (pairs) demand(t.high[i] + t.low[i] == t.high[i]);
    }
  }
  table_free(&t);
  input_close(&in);
  return 0;
}
