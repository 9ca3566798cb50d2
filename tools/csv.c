/* CSV: cells between commas, semicolons, tabs or blanks; quoted cells; comment lines (#) and blank lines passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "error.h"
#include "table.h"

typedef struct {
  input *in;
  const char *separators; /* one of the four below; NULL before the first record */
  int64_t line;           /* where the record begins */
  int64_t first_line;     /* of the first record, which sets the number of cells */
  char **cells;           /* of the last record; they lie in in->text */
  int64_t count, capacity;
} csv;

static const char commas[] = ",", semicolons[] = ";", tabs[] = "\t", blanks[] = " \t";

static int is_blank(char c) { return c == ' ' || c == '\t'; }

static int is_separator(const char *separators, char c) {
  for (; *separators != '\0'; separators++)
    if (*separators == c) return 1;
  return 0;
}

/* strcspn, but that sanitizers measure the rest of the line at each call of theirs: cells times line length. */
static size_t length_before(const char *text, const char *stops) {
  size_t length = 0;
  while (text[length] != '\0' && !is_separator(stops, text[length])) length++;
  return length;
}

/* Length of the blanks before or after a cell; a tab that separates is none. */
static size_t blank_length(const char *text, const char *separators) {
  size_t length = 0;
  while (is_blank(text[length]) && (separators == blanks || !is_separator(separators, text[length]))) length++;
  return length;
}

/* Length of a cell that begins with a quote, both quotes included; 0 if it stays open. */
static size_t quoted_length(const char *text) {
  for (size_t i = 1; text[i] != '\0'; i++) {
    if (text[i] == '"' && text[++i] != '"') return i;
  }
  return 0;
}

/* The separator after the cell at `text`, or the line's end; NULL if a quote stays open. */
static const char *cell_end(const char *text, const char *separators) {
  text += blank_length(text, separators);
  if (*text == '"') {
    size_t length = quoted_length(text);
    if (length == 0) return NULL;
    text += length;
  }
  return text + length_before(text, separators);
}

static int has_open_quote(const char *text, const char *separators) {
  if (strchr(text, '"') == NULL) return 0;
  for (;; text++) {
    text = cell_end(text, separators);
    if (text == NULL || *text == '\0') return text == NULL;
  }
}

static int separates(const char *text, char separator) {
  const char any[] = ",;\t";
  for (;; text++) {
    text = cell_end(text, any);
    if (*text == '\0' || *text == separator) return *text == separator;
  }
}

/* Words between blanks are cells only if all are numbers: a single column may have a name of several words. */
static int is_row_of_numbers(const char *text) {
  char word[64];
  for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
    size_t length = length_before(text, blanks);
    double value;
    if (length >= sizeof word) return 0;
    memcpy(word, text, length);
    word[length] = '\0';
    if (decimal_read(word, &value) == DECIMAL_NONE) return 0;
    text += length;
  }
  return 1;
}

/* A semicolon comes before a comma, which then is a decimal comma (and refused as such), and a comma before a tab,
 * which then only aligns. */
static const char *find_separators(const char *text) {
  if (separates(text, ';')) return semicolons;
  if (separates(text, ',')) return commas;
  if (is_row_of_numbers(text)) return blanks;
  return separates(text, '\t') ? tabs : commas;
}

/* Reads the next line that is neither blank nor a comment, with the lines that its quoted cells run on to. */
static int next_record(csv *c, int *more) {
  int code = CODE_DONE;
  const char *start;
  do {
    TRY(input_line(c->in, more));
    if (!*more) return CODE_DONE;
    if (c->in->line == 1 && strncmp(c->in->text, "\xEF\xBB\xBF", 3) == 0) memset(c->in->text, ' ', 3);
    start = c->in->text + strspn(c->in->text, blanks);
  } while (*start == '\0' || *start == '#');
  c->line = c->in->line;
  while (has_open_quote(c->in->text, c->separators == NULL ? ",;\t" : c->separators)) {
    TRY(input_extend(c->in, more));
    if (!*more) return fail_at(CODE_INPUT, c->in->name, c->line, "a quote is opened and never closed");
  }
  if (c->separators == NULL) c->separators = find_separators(c->in->text);
done:
  return code;
}

static int add_cell(csv *c, char *cell) {
  if (c->count == c->capacity) {
    int64_t capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
    char **grown = realloc(c->cells, (size_t)capacity * sizeof *grown);
    if (grown == NULL) return fail_memory("the cells of a line");
    c->cells = grown;
    c->capacity = capacity;
  }
  c->cells[c->count++] = cell;
  return CODE_DONE;
}

/* Takes the quotes off a cell that begins with one, in place. */
static void unquote(char *cell) {
  char *to = cell;
  for (char *from = cell + 1;; from++) {
    if (*from == '"' && *++from != '"') break;
    *to++ = *from;
  }
  *to = '\0';
}

static int fail_quote(const csv *c, const char *reason) {
  return fail_at(CODE_INPUT, c->in->name, c->line, "column %lld: %s", (long long)(c->count + 1), reason);
}

/* Ends the cell at *at with a NUL, trims it and moves *at to the separator, which the NUL may have overwritten: it goes
 * into *ended_by. */
static int take_cell(csv *c, char **at, char *ended_by) {
  char *cell = *at;
  if (*cell == '"') {
    size_t length = quoted_length(cell);
    if (length == 0) return fail_quote(c, "a quote is opened and never closed");
    *at += length;
    if (c->separators != blanks) *at += blank_length(*at, c->separators);
    *ended_by = **at;
    if (**at != '\0' && !is_separator(c->separators, **at)) return fail_quote(c, "text after the closing quote");
    unquote(cell);
  } else {
    *at += length_before(cell, c->separators);
    *ended_by = **at;
    char *last = *at;
    while (last > cell && is_blank(last[-1])) last--;
    *last = '\0';
  }
  return add_cell(c, cell);
}

static int split(csv *c) {
  int code = CODE_DONE;
  char *at = c->in->text, ended_by;
  c->count = 0;
  do {
    at += blank_length(at, c->separators);
    if (c->separators == blanks && *at == '\0') break; /* blanks at the end of the line */
    TRY(take_cell(c, &at, &ended_by));
    at++;
  } while (ended_by != '\0');
done:
  return code;
}

/* A header is a first line without a number, "nan" and the like included, and not without any text. */
static int is_header(const csv *c) {
  int text = 0;
  for (int64_t j = 0; j < c->count; j++) {
    double value;
    if (decimal_read(c->cells[j], &value) != DECIMAL_NONE) return 0;
    text |= *c->cells[j] != '\0';
  }
  return text;
}

static int keep_names(const csv *c, table *out) {
  out->names = allocate(c->count, (int64_t)sizeof *out->names);
  for (int64_t j = 0; out->names != NULL && j < c->count; j++) {
    out->names[j] = strdup(c->cells[j]);
    if (out->names[j] == NULL) return fail_memory("the header");
  }
  return out->names == NULL ? fail_memory("the header") : CODE_DONE;
}

static int keep_row(const csv *c, table *out, int pairs) {
  int code = CODE_DONE;
  if (c->count != out->n) {
    return fail_at(CODE_INPUT, c->in->name, c->line, "%lld cells where line %lld has %lld", (long long)c->count,
                   (long long)c->first_line, (long long)out->n);
  }
  int64_t at = out->m * out->n;
  TRY(table_reserve(out, at + out->n, pairs));
  for (int64_t j = 0; j < out->n; j++) {
    pair value;
    TRY(table_number(c->in, c->line, j + 1, c->cells[j], pairs, &value));
    out->high[at + j] = value.high;
    if (pairs) out->low[at + j] = value.low;
  }
  out->m++;
done:
  return code;
}

static int read_records(csv *c, table *out, int pairs) {
  int code = CODE_DONE, more = 1;
  for (;;) {
    TRY(next_record(c, &more));
    if (!more) break;
    TRY(split(c));
    int first = c->first_line == 0;
    if (first) {
      c->first_line = c->line;
      out->n = c->count;
    }
    if (first && is_header(c)) {
      TRY(keep_names(c, out));
    } else {
      TRY(keep_row(c, out, pairs));
    }
  }
  if (c->first_line == 0) return fail_at(CODE_INPUT, c->in->name, 0, "is empty: no line holds numbers");
  if (out->m == 0) return fail_at(CODE_INPUT, c->in->name, c->first_line, "a header, and no line of numbers after it");
done:
  return code;
}

int csv_read(table *out, input *in, int pairs) {
  csv c = {.in = in};
  int code = read_records(&c, out, pairs);
  free(c.cells);
  return code;
}
