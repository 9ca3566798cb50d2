#include "decimal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A number's text, taken apart: the value is digits x 10^exponent. */
typedef struct {
  int negative;
  double leading, trailing; /* up to 15 digits each, so that both are exact */
  int leading_count, trailing_count;
  int64_t exponent;
} decimal_parts;

enum { HALF = 15 };
static const int64_t exponent_most = 1000000; /* far beyond float64 whatever the digits */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static void take_digit(decimal_parts *parts, char c, int fraction) {
  int digit = c - '0';
  if (parts->trailing_count == HALF) { /* dropped */
    if (!fraction) parts->exponent++;
    return;
  }
  if (fraction) parts->exponent--;
  if (parts->leading_count == 0 && digit == 0) return;
  if (parts->leading_count < HALF) {
    parts->leading = parts->leading * 10.0 + digit;
    parts->leading_count++;
  } else {
    parts->trailing = parts->trailing * 10.0 + digit;
    parts->trailing_count++;
  }
}

/* "e-12" after the digits; NULL if it is malformed. */
static const char *take_exponent(decimal_parts *parts, const char *text) {
  int64_t exponent = 0;
  if (*text != 'e' && *text != 'E') return text;
  text++;
  int negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  if (!is_digit(*text)) return NULL;
  for (; is_digit(*text); text++) {
    if (exponent < exponent_most) exponent = exponent * 10 + (*text - '0');
  }
  parts->exponent += negative ? -exponent : exponent;
  return text;
}

/* 1 if the whole text is [+-]digits[.digits][e[+-]digits], with a digit before the exponent. */
static int take_apart(const char *text, decimal_parts *parts) {
  int digits = 0;
  memset(parts, 0, sizeof *parts);
  parts->negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  for (; is_digit(*text); text++, digits++) take_digit(parts, *text, 0);
  if (*text == '.') {
    text++;
    for (; is_digit(*text); text++, digits++) take_digit(parts, *text, 1);
  }
  if (digits == 0) return 0;
  text = take_exponent(parts, text);
  return text != NULL && *text == '\0';
}

static int names_no_number(const char *text) {
  static const char *const names[] = {"nan", "inf", "infinity"};
  if (*text == '-' || *text == '+') text++;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcasecmp(text, names[i]) == 0) return 1;
  }
  return 0;
}

/* 10^exponent; exact up to 10^44. */
static pair power_of_ten(int64_t exponent) {
  pair power = {1.0, 0.0}, square = {10.0, 0.0};
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) power = pair_multiply(power, square);
    if (exponent > 1) square = pair_multiply(square, square);
  }
  return power;
}

static pair evaluate(const decimal_parts *parts) {
  pair digits = pair_multiply((pair){parts->leading, 0.0}, power_of_ten(parts->trailing_count));
  digits = pair_add(digits, (pair){parts->trailing, 0.0});
  if (parts->exponent >= 0) return pair_multiply(digits, power_of_ten(parts->exponent));
  return pair_divide(digits, power_of_ten(-parts->exponent));
}

static decimal_kind read_parts(const char *text, decimal_parts *parts, double *value) {
  if (!take_apart(text, parts)) return names_no_number(text) ? DECIMAL_NOT_FINITE : DECIMAL_NONE;
  *value = strtod(text, NULL);
  return isfinite(*value) ? DECIMAL_OK : DECIMAL_TOO_LARGE;
}

decimal_kind decimal_read(const char *text, double *value) {
  decimal_parts parts;
  return read_parts(text, &parts, value);
}

decimal_kind decimal_read_pair(const char *text, pair *value) {
  decimal_parts parts;
  decimal_kind kind = read_parts(text, &parts, &value->high);
  double size = fabs(value->high);
  value->low = 0.0;
  if (kind != DECIMAL_OK || !(size > 1e-250 && size < 1e250)) return kind;
  pair exact = evaluate(&parts);
  double low = (exact.high - size) + exact.low;
  value->low = parts.negative ? -low : low;
  return DECIMAL_OK;
}

int decimal_read_integer(const char *text, int64_t *value) {
  char *end = NULL;
  if (!is_digit(*text) && !((*text == '-' || *text == '+') && is_digit(text[1]))) return -1;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return *end == '\0' && errno == 0 ? 0 : -1;
}

void decimal_write(char text[DECIMAL_TEXT], double value) {
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, DECIMAL_TEXT, "%.*g", digits, value);
    if (strtod(text, NULL) == value) return;
  }
}
