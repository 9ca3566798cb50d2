#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/model_file.h"

/* What a model's step means, as texts in __metadata__. Numbers go through jansson, whose text does not depend on the
 * host's locale. */

static const char *const OUTPUTS[] = {"none", "gradient", "iterate", "solution"}; /* LSQNET_OUTPUT_ */
enum { OUTPUT_COUNT = sizeof OUTPUTS / sizeof OUTPUTS[0], DIGITS_EXACT = 17 };

/* Beyond this the nearest number of fewer digits may be too large to be read. */
static const double ROUNDED_MOST = 1e308;

/* The shortest text that reads back as the same number. */
static lsqnet_status number_text(char out[LSQ_NUMBER_BYTES], double value) {
  json_t *number = json_real(value);
  double back = NAN;
  int failed = number == NULL;
  for (size_t digits = fabs(value) < ROUNDED_MOST ? 1 : DIGITS_EXACT;
       !failed && digits <= DIGITS_EXACT && back != value; digits++) {
    const size_t length = json_dumpb(number, out, LSQ_NUMBER_BYTES - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
    json_t *read = json_loadb(out, length < LSQ_NUMBER_BYTES ? length : 0, JSON_DECODE_ANY, NULL);
    failed = read == NULL;
    back = json_number_value(read);
    json_decref(read);
    out[length < LSQ_NUMBER_BYTES ? length : 0] = '\0';
  }
  json_decref(number);
  return back == value ? LSQNET_OK : lsq_fail(LSQNET_E_MEMORY, "no memory to write a number");
}

static void add(lsq_step_texts *out, const char *key, const char *text) {
  out->texts[out->count++] = (lsq_text){key, text};
}

static void add_size(lsq_step_texts *out, const char *key, int64_t value) {
  char *text = out->numbers[out->count];
  if (value == 0) return;
  (void)snprintf(text, LSQ_NUMBER_BYTES, "%lld", (long long)value);
  add(out, key, text);
}

lsqnet_status lsq_step_write(lsq_step_texts *out, const lsqnet_model_step *step) {
  lsqnet_status st = LSQNET_OK;
  *out = (lsq_step_texts){.count = 0};
  if (step->task != NULL) add(out, "lsqnet.task", step->task);
  if (step->prompt != NULL) add(out, "lsqnet.prompt", step->prompt);
  if (step->output != LSQNET_OUTPUT_NONE) add(out, "lsqnet.output", OUTPUTS[step->output]);
  if (step->step != 0) {
    char *text = out->numbers[out->count];
    LSQ_TRY(number_text(text, step->step));
    add(out, "lsqnet.step", text);
  }
  add_size(out, "lsqnet.iterates", step->iterates);
  add_size(out, "lsqnet.rows", step->rows);
  add_size(out, "lsqnet.dim", step->dim);
done:
  return st;
}

/* Reading: each field is what the file says, or else what the caller gave. */

static lsqnet_status refuse(const char *key, const char *text, const char *must) {
  char quoted[LSQ_QUOTED];
  return lsq_fail(LSQNET_E_FORMAT, "%s is \"%s\": it must be %s", key, lsq_quote(quoted, text), must);
}

static lsqnet_status contradicts(const char *key, const char *text, const char *given) {
  char quoted[LSQ_QUOTED], other[LSQ_QUOTED];
  return lsq_fail(LSQNET_E_ARGUMENT, "the file says that %s is \"%s\", the load options say \"%s\"", key,
                  lsq_quote(quoted, text), lsq_quote(other, given));
}

static lsqnet_status read_text(const char **out, const lsq_archive *archive, const char *key, const char *given) {
  const char *text = lsq_archive_text(archive, key);
  *out = text != NULL ? text : given;
  return text != NULL && given != NULL && strcmp(text, given) != 0 ? contradicts(key, text, given) : LSQNET_OK;
}

static lsqnet_status read_size(int64_t *out, const lsq_archive *archive, const char *key, int64_t given) {
  const char *text = lsq_archive_text(archive, key);
  *out = given;
  if (text == NULL) return LSQNET_OK;
  *out = 0;
  int bad = *text == '\0';
  for (const char *digit = text; !bad && *digit != '\0'; digit++) {
    bad = *digit < '0' || *digit > '9' || __builtin_mul_overflow(*out, 10, out) ||
          __builtin_add_overflow(*out, *digit - '0', out);
  }
  if (bad) return refuse(key, text, "a number of decimal digits, below 2^63");
  char other[LSQ_NUMBER_BYTES];
  (void)snprintf(other, sizeof other, "%lld", (long long)given);
  return given != 0 && *out != given ? contradicts(key, text, other) : LSQNET_OK;
}

static lsqnet_status read_number(double *out, const lsq_archive *archive, const char *key, double given) {
  const char *text = lsq_archive_text(archive, key);
  *out = given;
  if (text == NULL) return LSQNET_OK;
  json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
  const int bad = !json_is_number(number);
  if (!bad) *out = json_number_value(number);
  json_decref(number);
  if (bad) return refuse(key, text, "a number");
  char other[LSQ_NUMBER_BYTES];
  (void)snprintf(other, sizeof other, "%g", given);
  return given != 0 && *out != given ? contradicts(key, text, other) : LSQNET_OK;
}

static lsqnet_status read_output(int32_t *out, const lsq_archive *archive, int32_t given) {
  static const char key[] = "lsqnet.output";
  const char *text = lsq_archive_text(archive, key);
  *out = given;
  if (text == NULL) return LSQNET_OK;
  *out = 0;
  while (*out < OUTPUT_COUNT && strcmp(OUTPUTS[*out], text) != 0) ++*out;
  if (*out == OUTPUT_COUNT) return refuse(key, text, "gradient, iterate, solution or none");
  return given != LSQNET_OUTPUT_NONE && *out != given ? contradicts(key, text, OUTPUTS[given]) : LSQNET_OK;
}

lsqnet_status lsq_step_read(lsqnet_model_step *out, const lsq_archive *archive, const lsqnet_load_options *given) {
  lsqnet_status st = LSQNET_OK;
  *out = (lsqnet_model_step){.size = sizeof *out};
  LSQ_TRY(read_text(&out->task, archive, "lsqnet.task", NULL));
  LSQ_TRY(read_text(&out->prompt, archive, "lsqnet.prompt", given->prompt));
  LSQ_TRY(read_output(&out->output, archive, given->output));
  LSQ_TRY(read_number(&out->step, archive, "lsqnet.step", given->step));
  LSQ_TRY(read_size(&out->iterates, archive, "lsqnet.iterates", given->iterates));
  LSQ_TRY(read_size(&out->rows, archive, "lsqnet.rows", given->rows));
  LSQ_TRY(read_size(&out->dim, archive, "lsqnet.dim", given->dim));
  if (out->output == LSQNET_OUTPUT_ITERATE && out->iterates == 0) out->iterates = 1;
done:
  return st;
}
