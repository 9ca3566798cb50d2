#include "options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "error.h"

static void print_help(const command_line *line) {
  printf("Usage: lsqnet %s\n\n%s\nOptions:\n", line->synopsis, line->about);
  for (const option *o = line->options; o->kind != OPTION_END; o++) {
    char left[64];
    snprintf(left, sizeof left, "%s %s", o->name, o->value == NULL ? "" : o->value);
    printf("  %-22s %s\n", left, o->help);
  }
  printf("  %-22s %s\n", "--help", "print this");
}

/* The option that `argument` names, as a whole or up to an equals sign. */
static const option *find_option(const option *options, const char *argument) {
  size_t length = strcspn(argument, "=");
  for (const option *o = options; o->kind != OPTION_END; o++) {
    if (strlen(o->name) == length && strncmp(o->name, argument, length) == 0) return o;
  }
  return NULL;
}

static int fail_value(const option *o, const char *value, const char *reason) {
  return fail(CODE_USAGE, "option %s: \"%.80s\" %s", o->name, value, reason);
}

static int set_choice(const option *o, const char *value) {
  const size_t length = strlen(value);
  int32_t number = (int32_t)o->least;
  for (const char *word = o->value; word != NULL; number++) {
    const size_t known = strcspn(word, "|");
    if (known == length && strncmp(word, value, length) == 0) {
      *(int32_t *)o->target = number;
      return CODE_DONE;
    }
    word = word[known] == '|' ? word + known + 1 : NULL;
  }
  return fail(CODE_USAGE, "option %s: \"%.80s\" is not one of %s", o->name, value, o->value);
}

static int set_option(const option *o, const char *value) {
  double real = 0.0;
  int64_t integer = 0;
  switch (o->kind) {
    case OPTION_FLAG: *(int *)o->target = 1; break;
    case OPTION_CLEAR: *(int *)o->target = 0; break;
    case OPTION_CHOICE: return set_choice(o, value);
    case OPTION_TEXT:
      if (*value == '\0') return fail(CODE_USAGE, "option %s: its value is empty", o->name);
      *(const char **)o->target = value;
      break;
    case OPTION_REAL:
      if (decimal_read(value, &real) != DECIMAL_OK) return fail_value(o, value, "is not a number");
      if (real < o->least) return fail_value(o, value, "is too small");
      *(double *)o->target = real;
      break;
    case OPTION_INTEGER:
      if (decimal_read_integer(value, &integer) != 0) return fail_value(o, value, "is not a whole number");
      if ((double)integer < o->least) return fail_value(o, value, "is too small");
      *(int64_t *)o->target = integer;
      break;
    case OPTION_END: break;
  }
  return CODE_DONE;
}

/* Takes the option at argv[*i] and its value, which may be the next argument. */
static int take_option(const command_line *line, int argc, char **argv, int *i) {
  const char *argument = argv[*i], *equals = strchr(argument, '=');
  const option *o = find_option(line->options, argument);
  if (o == NULL) {
    return fail(CODE_USAGE, "unknown option \"%.80s\": \"lsqnet %s --help\" lists them all", argument, argv[0]);
  }
  const int flag = o->kind == OPTION_FLAG || o->kind == OPTION_CLEAR;
  if (flag && equals != NULL) return fail(CODE_USAGE, "option %s takes no value", o->name);
  if (flag) return set_option(o, NULL);
  if (equals != NULL) return set_option(o, equals + 1);
  if (*i + 1 == argc) return fail(CODE_USAGE, "option %s needs a value: %s", o->name, o->value);
  return set_option(o, argv[++*i]);
}

int options_read(const command_line *line, int argc, char **argv, const char *files[FILES_MOST], int *helped) {
  int code = CODE_DONE, count = 0, only_files = 0;
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    *helped |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
  }
  if (*helped) {
    print_help(line);
    return CODE_DONE;
  }
  for (int i = 1; i < argc; i++) {
    if (!only_files && strcmp(argv[i], "--") == 0) {
      only_files = 1;
    } else if (!only_files && argv[i][0] == '-' && argv[i][1] != '\0') {
      TRY(take_option(line, argc, argv, &i));
    } else if (count == line->files_most) {
      return fail(CODE_USAGE, "one file too many: \"%.80s\"", argv[i]);
    } else {
      files[count++] = argv[i];
    }
  }
  if (count < line->files_least) {
    return fail(CODE_USAGE, "a file is missing: lsqnet %s", line->synopsis);
  }
done:
  return code;
}
