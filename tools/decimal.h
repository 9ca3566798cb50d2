/* Decimal text as numbers, without regard to the locale (the command never leaves the C locale). */
#ifndef TOOLS_DECIMAL_H
#define TOOLS_DECIMAL_H

#include <stdint.h>

#include "pair.h"

typedef enum {
  DECIMAL_OK,
  DECIMAL_NONE,       /* not a decimal number */
  DECIMAL_NOT_FINITE, /* nan or infinity, spelt out */
  DECIMAL_TOO_LARGE   /* beyond float64 */
} decimal_kind;

/* The nearest double of text like "-12.5e-3". */
decimal_kind decimal_read(const char *text, double *value);

/* The same and what its rounding dropped, of the text's first 30 digits; relative error of the sum below 2e-29. Beyond
 * 1e-250 .. 1e250 `low` is zero. */
decimal_kind decimal_read_pair(const char *text, pair *value);

/* Text like "-12" that fits; 0, or -1. */
int decimal_read_integer(const char *text, int64_t *value);

enum { DECIMAL_TEXT = 32 };

/* The shortest of 15, 16 or 17 digits that reads back as `value`. */
void decimal_write(char text[DECIMAL_TEXT], double value);

#endif
