/* Verdict and table of an experiment, from its finished runs alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "../output.h"
#include "reproduce.h"

/* Geometric mean of the loss from one step to another; NaN with fewer than two points. */
static double mean_loss(const json_t *steps, const json_t *loss, double from, double to) {
  double sum = 0;
  int count = 0;
  for (size_t k = 0; k < json_array_size(steps); k++) {
    const double at = json_number_value(json_array_get(steps, k));
    const json_t *value = json_array_get(loss, k);
    if (at <= from || at > to) continue;
    if (!json_is_number(value)) return NAN;
    sum += log(json_number_value(value));
    count++;
  }
  return count < 2 ? NAN : exp(sum / count);
}

static double fall(const json_t *run) {
  const json_t *steps = json_object_get(run, "curve_steps"), *loss = json_object_get(run, "curve_loss");
  const double end = json_number_value(json_array_get(steps, json_array_size(steps) - 1));
  return mean_loss(steps, loss, 0.375 * end, 0.5 * end) / mean_loss(steps, loss, 0.75 * end, end);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of the runs that have the field; NaN if none has, or if one of them could not be told. */
static double find_quantity(const reproduction *r, const quantity *q) {
  enum { MOST = 512 };
  json_t *run;
  size_t i;
  int count = 0;
  double found[MOST];
  json_array_foreach(r->runs, i, run) {
    if (!runs_match(run, q->runs)) continue;
    const int falls = strcmp(q->field, FALL) == 0;
    if (json_object_get(run, falls ? "curve_loss" : q->field) == NULL) continue;
    const double value = falls ? fall(run) : run_number(run, q->field);
    if (isnan(value) || count == MOST) return NAN;
    found[count++] = value;
  }
  if (count == 0) return NAN;
  qsort(found, (size_t)count, sizeof *found, compare);
  return found[q->which == LEAST ? 0 : q->which == LARGEST ? count - 1 : count / 2];
}

static json_t *judge(const reproduction *r, const claim *c, int *all) {
  const double over = find_quantity(r, &c->over), under = c->under.runs == NULL ? 1 : find_quantity(r, &c->under);
  /* an error of exactly 0 is better than any that float64 can tell */
  const double ratio = over / (under == 0 ? 1e-300 : under);
  const int holds = c->kind == AT_LEAST ? ratio >= c->bound : ratio <= c->bound;
  *all = *all && holds;
  return json_pack("{s:s, s:b, s:o, s:o, s:o, s:s, s:o}", "claim", c->text, "holds", holds, "left", json_number(over),
                   "right", json_number(under), "ratio", json_number(ratio), "wanted",
                   c->kind == AT_LEAST ? "at least" : "at most", "bound", json_number(c->bound));
}

json_t *verdict_make(const reproduction *r, int *all) {
  json_t *verdict = json_array();
  *all = 1;
  for (const claim *c = r->experiment->claims; c->text != NULL; c++) json_append(&verdict, judge(r, c, all));
  return verdict;
}

/* A ratio to what diverged is none. */
static void write_number(FILE *out, double number) {
  const double size = fabs(number), none = 1e20 / DIVERGED;
  if (number != 0 && size < none) {
    fprintf(out, "none");
  } else {
    fprintf(out, number == 0 ? "0" : size >= 0.01 && size < 1e4 ? "%.3g" : "%.1e", number);
  }
}

static void write_cell(FILE *out, const json_t *value) {
  if (json_is_string(value)) {
    fprintf(out, " %s |", json_string_value(value));
  } else if (json_is_integer(value)) {
    fprintf(out, " %lld |", (long long)json_integer_value(value));
  } else if (json_is_real(value) && json_real_value(value) >= DIVERGED) {
    fprintf(out, " diverged |");
  } else if (json_is_real(value)) {
    fputc(' ', out);
    write_number(out, json_real_value(value));
    fprintf(out, " |");
  } else {
    fprintf(out, " |");
  }
}

static int column_fits(const reproduction *r, const char *field) {
  json_t *run;
  size_t i;
  json_array_foreach(r->runs, i, run) {
    json_t *cell = run_field(run, field);
    json_decref(cell);
    if (cell != NULL) return 1;
  }
  return 0;
}

/* Tries of learning rates are in the JSON file; the table has what came out best. */
static void write_table(const reproduction *r, FILE *out) {
  json_t *run;
  size_t i;
  char field[64];
  fprintf(out, "| run |");
  for (const column *c = r->experiment->columns; *c != NULL; c++) {
    const size_t length = strcspn(*c, ":");
    snprintf(field, sizeof field, "%.*s", (int)length, *c);
    if (column_fits(r, field)) fprintf(out, " %s |", (*c)[length] == ':' ? *c + length + 1 : field);
  }
  fprintf(out, "\n| --- |");
  for (const column *c = r->experiment->columns; *c != NULL; c++) {
    snprintf(field, sizeof field, "%.*s", (int)strcspn(*c, ":"), *c);
    if (column_fits(r, field)) fprintf(out, " ---: |");
  }
  fprintf(out, "\n");
  json_array_foreach(r->runs, i, run) {
    const char *key = json_string_value(json_object_get(run, "key"));
    if (strchr(key, '@') != NULL) continue;
    fprintf(out, "| %s |", key);
    for (const column *c = r->experiment->columns; *c != NULL; c++) {
      snprintf(field, sizeof field, "%.*s", (int)strcspn(*c, ":"), *c);
      if (!column_fits(r, field)) continue;
      json_t *cell = run_field(run, field);
      write_cell(out, cell);
      json_decref(cell);
    }
    fprintf(out, "\n");
  }
}

static void write_commands(const reproduction *r, FILE *out) {
  json_t *run;
  size_t i;
  int any = 0;
  json_array_foreach(r->runs, i, run) {
    const char *key = json_string_value(json_object_get(run, "key"));
    const char *command = json_string_value(json_object_get(run, "command"));
    if (command == NULL || strchr(key, '@') != NULL) continue;
    if (!any++)
      fprintf(
          out,
          "\n## Trainings\n\nWords are those of `lsqnet train`; others begin with `lsqnet`. Numbers of the data are "
          "rounded where it says so, which `lsqnet train` does not do. Batch auto: as many samples as give 2.5 "
          "residuals "
          "a weight.\n\n");
    const json_t *bits = json_object_get(run, "rounded_to_bits");
    fprintf(out, "- %s: `%s`", key, command);
    if (bits != NULL) fprintf(out, ", data rounded to %lld bits", (long long)json_integer_value(bits));
    fprintf(out, "\n");
  }
}

static void write_measured(FILE *out, const json_t *one, const char *without) {
  const double ratio = run_number(one, "ratio");
  if (isnan(ratio)) fprintf(out, "%s", without);
  if (!isnan(ratio)) write_number(out, ratio);
}

static void write_verdict(FILE *out, const json_t *verdict) {
  json_t *one;
  size_t i;
  fprintf(out, "\n| claim | holds | measured | wanted |\n| --- | --- | ---: | ---: |\n");
  json_array_foreach(verdict, i, one) {
    fprintf(out, "| %s | %s | ", json_string_value(json_object_get(one, "claim")),
            json_is_true(json_object_get(one, "holds")) ? "yes" : "**no**");
    write_measured(out, one, "");
    fprintf(out, " | %s %.3g |\n", json_string_value(json_object_get(one, "wanted")), run_number(one, "bound"));
  }
}

static void write_comparison(const reproduction *r, FILE *out, const json_t *verdict) {
  const int beside = r->experiment->beside;
  json_t *one;
  size_t i;
  fprintf(out, "\nPaper: %s, here:%s", r->experiment->paper, beside == EVERY_CLAIM ? "\n" : " ");
  json_array_foreach(verdict, i, one) {
    if (beside != EVERY_CLAIM && (int)i != beside) continue;
    if (beside == EVERY_CLAIM) fprintf(out, "\n- ");
    write_measured(out, one, "not measured");
    fprintf(out, ", %s (%s).", json_is_true(json_object_get(one, "holds")) ? "which holds" : "which does **not** hold",
            json_string_value(json_object_get(one, "claim")));
  }
  fprintf(out, "\n");
}

int report_write(const reproduction *r, const json_t *verdict) {
  int code = CODE_DONE;
  output out = {0};
  char *path = runs_path(r, ".md");
  if (path == NULL) return fail_memory("a file name");
  TRY(output_open(&out, path));
  fprintf(out.file, "# %s, budget %s\n\n%s\n\n", r->experiment->name, budget_name(r->budget), r->experiment->about);
  write_table(r, out.file);
  write_verdict(out.file, verdict);
  write_comparison(r, out.file, verdict);
  for (const picture *p = r->experiment->pictures; p->name != NULL; p++) {
    fprintf(out.file, "\n![%s over %s](%s-%s.svg)\n", p->y_label, p->x_label, r->experiment->name, p->name);
  }
  write_commands(r, out.file);
  TRY(output_commit(&out));
  if (!r->quiet) {
    write_table(r, stdout);
    write_verdict(stdout, verdict);
  }
done:
  output_close(&out);
  free(path);
  return code;
}
