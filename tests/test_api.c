/* Every public function, with each argument and each field of its options made wrong in turn: it refuses with a message
 * that names the argument and the value, writes nothing, loses nothing, and the right call works afterwards. And with
 * each of its allocations failing in turn. */
#include <check.h>
#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "api_table.h"
#include "memory_file.h"

typedef struct {
  int is_null, is_name, is_number;
  int64_t whole;
  double number;
} bad_value;

enum { MOST_BAD = 4 };
static char nobody[] = "nobody";

/* What is tried on a kind. */
static int bad_values(int kind, bad_value *bad) {
  static const bad_value null = {.is_null = 1}, name = {.is_name = 1}, nan = {.is_number = 1, .number = NAN},
                         infinite = {.is_number = 1, .number = INFINITY}, zero = {.whole = 0}, minus = {.whole = -1},
                         two = {.whole = 2}, minus_two = {.whole = -2}, four = {.whole = 4},
                         most = {.whole = INT64_MAX}, most32 = {.whole = INT32_MAX};
  int count = 0;
#define TRIES(...)                          \
  do {                                      \
    const bad_value list[] = {__VA_ARGS__}; \
    count = sizeof list / sizeof *list;     \
    memcpy(bad, list, sizeof list);         \
  } while (0)
  switch (kind) {
    case OUT:
    case HANDLE:
    case STRUCT:
    case INIT:
    case IN:
    case DATA:
    case FUNCTION: TRIES(null); break;
    case NAME: TRIES(null, name); break;
    case SIZE: TRIES(zero, four); break;
    case COUNT: TRIES(zero, minus, most); break;
    case COUNT_0:
    case INDEX: TRIES(minus, most); break;
    case LENGTH: TRIES(zero); break;
    case ENUM: TRIES(minus, most32); break;
    case NUMBER: TRIES(nan, infinite); break;
    case FIELD_SWITCH: TRIES(minus, two); break;
    case FIELD_THREE: TRIES(minus_two, two); break;
    case FIELD_AT_LEAST_0: TRIES(minus); break;
    case FIELD_AT_LEAST_1: TRIES(zero, minus); break;
    case FIELD_NOT_0: TRIES(zero); break;
    default: break;
  }
#undef TRIES
  return count;
}

static int arguments_of(const api_entry *e) {
  int count = 0;
  while (count < API_ARGUMENTS && e->arguments[count].kind != END) count++;
  return count;
}

static void fill(const api_entry *e, api_slot *slots) {
  for (int i = 0; i < arguments_of(e); i++) {
    const api_argument *a = &e->arguments[i];
    switch (a->kind) {
      case HANDLE: memcpy(&slots[i].p, a->address, sizeof slots[i].p); break;
      case NUMBER: slots[i].d = (double)a->number; break;
      case FUNCTION: slots[i].f = a->function; break;
      case LENGTH: slots[i].i = (int64_t)F.file_bytes; break;
      case SIZE:
      case COUNT:
      case COUNT_0:
      case INDEX:
      case ENUM: slots[i].i = a->number; break;
      default:
        slots[i].p = a->address;
        if (a->address == NULL) slots[i].i = a->number;
    }
  }
}

/* ---- after a failure ---- */

static void expect_untouched(const api_entry *e, const api_slot *slots, const char *what) {
  for (int i = 0; i < arguments_of(e); i++) {
    const int kind = e->arguments[i].kind;
    const unsigned char *bytes = slots[i].p;
    if (kind == OUT && bytes != NULL) {
      void *made;
      memcpy(&made, bytes, sizeof made);
      ck_assert_msg(made == NULL, "%s, %s: *out is not NULL", e->name, what);
    }
    if ((kind != DATA && kind != DATA_0) || bytes == NULL || bytes == api_file) continue;
    for (size_t k = 0; k < sizeof api_out32[0]; k++)
      ck_assert_msg(bytes[k] == 0x5a, "%s, %s: %s is written at byte %zu", e->name, what, e->arguments[i].name, k);
  }
}

static int is_refusal(lsqnet_status status, int large) {
  return status == LSQNET_E_ARGUMENT || status == LSQNET_E_SHAPE || status == LSQNET_E_VERSION ||
         status == LSQNET_E_UNSUPPORTED || status == LSQNET_E_NOT_FINITE || status == LSQNET_E_FORMAT ||
         status == LSQNET_E_IO || (large && status == LSQNET_E_MEMORY);
}

/* "-1" for -1, "NULL", "nobody", "nan"; NULL where the message need not repeat it. */
static void text_of(char out[32], const bad_value *bad) {
  if (bad->is_null)
    strcpy(out, "NULL");
  else if (bad->is_name)
    strcpy(out, nobody);
  else if (bad->is_number)
    snprintf(out, 32, "%g", bad->number);
  else
    snprintf(out, 32, "%" PRId64, bad->whole);
}

static int faults;

/* Faults are told all together. */
static void expect_refusal(const api_entry *e, const api_slot *slots, const char *name, const char *value, int large) {
  char what[96];
  snprintf(what, sizeof what, "%s = %s", name, value);
  lsqnet_set_message(NULL);
  const lsqnet_status status = e->call(slots);
  const char *message = lsqnet_last_message();
  if (!is_refusal(status, large) || strstr(message, name) == NULL || strstr(message, value) == NULL) {
    fprintf(stderr, "%s, %s: %s \"%s\"\n", e->name, what, lsqnet_status_name(status), message);
    faults++;
  }
  if (status != LSQNET_OK) expect_untouched(e, slots, what);
}

static void expect_success(const api_entry *e) {
  api_slot slots[API_ARGUMENTS];
  fill(e, slots);
  const lsqnet_status status = e->call(slots);
  ck_assert_msg(status == LSQNET_OK, "%s: %s \"%s\"", e->name, lsqnet_status_name(status), lsqnet_last_message());
}

/* ---- one argument ---- */

static void spoil_argument(const api_entry *e, int which) {
  bad_value bad[MOST_BAD];
  const api_argument *a = &e->arguments[which];
  const int count = bad_values(a->kind, bad);
  for (int i = 0; i < count; i++) {
    char value[32];
    api_slot slots[API_ARGUMENTS];
    fill(e, slots);
    text_of(value, &bad[i]);
    if (a->kind == FUNCTION)
      slots[which].f = NULL;
    else if (bad[i].is_null)
      slots[which].p = NULL;
    else if (bad[i].is_name)
      slots[which].p = nobody;
    else if (bad[i].is_number)
      slots[which].d = bad[i].number;
    else
      slots[which].i = bad[i].whole;
    /* of numbers too large to be addressed, the product that overflows is named */
    const int large = bad[i].whole == INT64_MAX;
    expect_refusal(e, slots, large || bad[i].is_name ? "" : a->name, value, large);
  }
}

/* Sizes that no release had, and a tail that says something. */
static void spoil_size(const api_entry *e, int which) {
  const api_argument *a = &e->arguments[which];
  static const uint32_t sizes[] = {0, 4};
  uint32_t right;
  memcpy(&right, a->address, sizeof right);
  unsigned char *larger = calloc(1, right + 16);
  ck_assert_ptr_nonnull(larger);
  memcpy(larger, a->address, right);
  for (int i = 0; i < 3; i++) {
    char value[32];
    api_slot slots[API_ARGUMENTS];
    fill(e, slots);
    slots[which].p = larger;
    const uint32_t size = i < 2 ? sizes[i] : right + 16;
    if (i == 2 && a->kind == REPORTS) break;
    memcpy(larger, &size, sizeof size);
    larger[right + 7] = i == 2;
    snprintf(value, sizeof value, "%u", (unsigned)size);
    lsqnet_set_message(NULL);
    expect_refusal(e, slots, "size", value, 0);
  }
  free(larger);
}

static void spoil_field(const api_entry *e, int which, const api_field *field) {
  bad_value bad[MOST_BAD];
  unsigned char *at = (unsigned char *)e->arguments[which].address + field->offset, saved[8];
  const int count = bad_values(field->kind, bad);
  const int narrow = field->kind == ENUM || field->kind == FIELD_SWITCH || field->kind == FIELD_THREE;
  memcpy(saved, at, narrow ? 4 : 8);
  for (int i = 0; i < count; i++) {
    char value[32];
    api_slot slots[API_ARGUMENTS];
    const int32_t whole32 = (int32_t)bad[i].whole;
    const char *name = bad[i].is_name ? nobody : NULL;
    if (bad[i].is_null && field->kind == NAME) continue; /* of names NULL often means the default */
    fill(e, slots);
    text_of(value, &bad[i]);
    if (narrow)
      memcpy(at, &whole32, 4);
    else if (bad[i].is_number)
      memcpy(at, &bad[i].number, 8);
    else if (bad[i].is_null || bad[i].is_name)
      memcpy(at, &name, sizeof name);
    else
      memcpy(at, &bad[i].whole, 8);
    const int flags = strcmp(field->name, "flags") == 0;
    const int large = bad[i].whole == INT64_MAX;
    expect_refusal(e, slots, bad[i].is_name || large ? "" : field->name, flags ? "" : value, large);
    memcpy(at, saved, narrow ? 4 : 8);
  }
}

START_TEST(every_wrong_argument_is_refused_by_name_and_value) {
  const api_entry *e = &api_entries[_i];
  faults = 0;
  if (e->special != NULL) {
    api_setup();
    e->special();
    api_teardown();
    return;
  }
  for (int i = 0; i < arguments_of(e); i++) {
    const api_argument *a = &e->arguments[i];
    api_setup();
    spoil_argument(e, i);
    if (a->kind == STRUCT || a->kind == STRUCT_0 || a->kind == REPORTS) spoil_size(e, i);
    for (const api_field *field = a->fields; field != NULL && field->kind != 0; field++) spoil_field(e, i, field);
    expect_success(e);
    api_teardown();
  }
  ck_assert_msg(faults == 0, "%s: %d faults", e->name, faults);
}
END_TEST

/* ---- allocation ---- */

START_TEST(every_function_survives_each_failed_allocation) {
  const api_entry *e = &api_entries[_i];
  int fired = e->call != NULL;
  for (long long n = 1; fired; n++) {
    api_slot slots[API_ARGUMENTS];
    api_setup();
    fill(e, slots);
    lsqnet_set_message(NULL);
    const long long last = F.allocator.calls + n;
    F.allocator.refuse = last;
    const lsqnet_status status = e->call(slots);
    fired = F.allocator.calls >= last;
    F.allocator.refuse = 0;
    ck_assert_msg(status == (fired ? LSQNET_E_MEMORY : LSQNET_OK), "%s, allocation %lld: %s \"%s\"", e->name, n,
                  lsqnet_status_name(status), lsqnet_last_message());
    if (fired) {
      ck_assert_str_ne(lsqnet_last_message(), "");
      expect_success(e);
    }
    api_teardown();
  }
}
END_TEST

/* ---- what a host does to its threads' arithmetic ---- */

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
  return hash;
}

static lsqnet_status hash_written(void *user, const void *data, uint64_t bytes) {
  uint64_t *hash = user;
  *hash = hash_bytes(*hash, data, (size_t)bytes);
  return LSQNET_OK;
}

static uint64_t hash_file(uint64_t hash, const char *path) {
  unsigned char bytes[4096];
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  for (size_t got = fread(bytes, 1, sizeof bytes, file); got > 0; got = fread(bytes, 1, sizeof bytes, file))
    hash = hash_bytes(hash, bytes, got);
  fclose(file);
  return hash;
}

/* Of all that a call may have written. */
static uint64_t fingerprint(void) {
  uint64_t hash = UINT64_C(14695981039346656037);
  hash = hash_bytes(hash, api_out, sizeof api_out);
  hash = hash_bytes(hash, api_out32, sizeof api_out32);
  hash = hash_bytes(hash, api_file, (size_t)F.file_bytes);
  hash = hash_bytes(hash, F.reports, sizeof F.reports);
  if (F.made_model != NULL) ck_assert_ok(lsqnet_model_save_stream(F.made_model, hash_written, &hash));
  ck_assert_ok(lsqnet_model_save_stream(F.model, hash_written, &hash));
  return hash_file(hash, F.path);
}

enum { NEAREST, UPWARD, DOWNWARD, TOWARD_ZERO, FLUSHING, MODES };

static int set_mode(int mode) {
  static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  if (mode < FLUSHING) return fesetround(roundings[mode]) == 0;
#ifdef __SSE__
  _mm_setcsr(_mm_getcsr() | 0x8040); /* results and operands */
  return 1;
#else
  return 0;
#endif
}

static lsqnet_status call_in(const api_entry *e, int mode, uint64_t *result) {
  api_slot slots[API_ARGUMENTS];
  fenv_t normal;
  api_setup();
  for (int i = 0; i < API_NUMBERS && mode >= FLUSHING; i++) api_in[i] *= 0x1p-1030;
  fill(e, slots);
  ck_assert_int_eq(fegetenv(&normal), 0);
  const int set = mode >= MODES || set_mode(mode);
  const lsqnet_status status = set ? e->call(slots) : LSQNET_E_UNSUPPORTED;
  (void)fesetenv(&normal);
  *result = fingerprint();
  api_teardown();
  return status;
}

/* Numbers that are normal and, for flushing (MODES: the same without), denormal. */
START_TEST(another_arithmetic_of_the_host_changes_nothing_or_is_refused) {
  const api_entry *e = &api_entries[_i];
  uint64_t right, right_small, result;
  if (e->call == NULL) return;
  ck_assert_int_eq(call_in(e, NEAREST, &right), LSQNET_OK);
  const lsqnet_status small = call_in(e, MODES, &right_small);
  for (int mode = UPWARD; mode < MODES; mode++) {
    const lsqnet_status status = call_in(e, mode, &result);
    if (status == LSQNET_E_UNSUPPORTED) continue;
    ck_assert_msg(status == (mode == FLUSHING ? small : LSQNET_OK), "%s, mode %d: %s \"%s\"", e->name, mode,
                  lsqnet_status_name(status), lsqnet_last_message());
    ck_assert_msg(result == (mode == FLUSHING ? right_small : right), "%s, mode %d: another result", e->name, mode);
  }
}
END_TEST

/* ---- completeness ---- */

START_TEST(the_table_has_every_public_function) {
  char name[128];
  int symbols = 0;
  FILE *file = fopen(getenv("LSQNET_TEST_SYMBOLS"), "r");
  ck_assert_ptr_nonnull(file);
  while (fscanf(file, "%127s", name) == 1) {
    int found = 0;
    for (int i = 0; i < api_entry_count; i++) found += strcmp(api_entries[i].name, name) == 0;
    ck_assert_msg(found == 1, "%s is in the table %d times", name, found);
    symbols++;
  }
  fclose(file);
  ck_assert_int_eq(symbols, api_entry_count);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("api");
  TCase *each = tcase_create("each");
  tcase_set_timeout(each, 120);
  tcase_add_test(each, the_table_has_every_public_function);
  tcase_add_loop_test(each, every_wrong_argument_is_refused_by_name_and_value, 0, api_entry_count);
  tcase_add_loop_test(each, every_function_survives_each_failed_allocation, 0, api_entry_count);
  tcase_add_loop_test(each, another_arithmetic_of_the_host_changes_nothing_or_is_refused, 0, api_entry_count);
  suite_add_tcase(suite, each);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
