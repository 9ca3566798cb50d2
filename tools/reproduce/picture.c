/* SVG pictures of finished runs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../gnuplot.h"
#include "reproduce.h"

static const double SHOWN_MOST = 1e20; /* more has diverged */

enum { CATEGORIES_MOST = 64 };

/* Heights: the least of a category, what each symbol in it wants, the most of all categories together. */
enum { LINE = 34, SYMBOL = 12, HIGHEST = 600 };

static int category_height(int symbols, int categories) {
  const int wanted = symbols * SYMBOL, most = HIGHEST / categories;
  const int height = wanted < most ? wanted : most;
  return height > LINE ? height : LINE;
}

typedef struct {
  char names[CATEGORIES_MOST][80];
  int count;
} categories;

static int category_of(categories *c, const char *name) {
  for (int i = 0; i < c->count; i++) {
    if (strcmp(c->names[i], name) == 0) return i;
  }
  if (c->count == CATEGORIES_MOST) return CATEGORIES_MOST;
  snprintf(c->names[c->count], sizeof c->names[0], "%s", name);
  return c->count++;
}

static void write_point(FILE *script, const picture *p, const json_t *x, const json_t *y, categories *named,
                        int *points) {
  const double height = json_number_value(y);
  if (!json_is_number(y) || (p->log_y && !(height > 0)) || height > SHOWN_MOST) return;
  if (json_is_string(x)) {
    fprintf(script, "%.6g %d\n", height, category_of(named, json_string_value(x)));
  } else {
    const double place = json_number_value(x);
    if (!json_is_number(x) || (p->log_x && !(place > 0))) return;
    fprintf(script, "%.8g %.6g\n", place, height);
  }
  ++*points;
}

/* What the run has as x: DEPTH stands in its command, VARIANT in its key. The caller drops it. */
static json_t *place_of(const json_t *run, const char *field) {
  static const char option[] = "--layers ";
  const char *command = json_string_value(json_object_get(run, "command"));
  if (strcmp(field, VARIANT) == 0) {
    const char *begin = strchr(json_string_value(json_object_get(run, "key")), ',');
    return begin == NULL ? NULL : json_stringn(begin + 1, strcspn(begin + 1, ","));
  }
  if (strcmp(field, DEPTH) != 0) return json_incref(json_object_get(run, field));
  const char *at = command == NULL ? NULL : strstr(command, option);
  return at == NULL ? NULL : json_integer(strtol(at + strlen(option), NULL, 10));
}

static int write_points(FILE *script, const reproduction *r, const picture *p, const series *s, categories *named) {
  json_t *run;
  size_t i;
  int points = 0;
  json_array_foreach(r->runs, i, run) {
    if (!runs_match(run, s->runs)) continue;
    const json_t *y = json_object_get(run, s->y);
    json_t *x = place_of(run, s->x);
    if (!json_is_array(y)) write_point(script, p, x, y, named, &points);
    for (size_t k = 0; k < json_array_size(y); k++) {
      write_point(script, p, json_array_get(x, k), json_array_get(y, k), named, &points);
    }
    json_decref(x);
  }
  return points;
}

/* The number of the first run that matches; NaN if there is none that the picture can show. */
static double level_of(const reproduction *r, const picture *p, const series *s) {
  json_t *run;
  size_t i;
  json_array_foreach(r->runs, i, run) {
    const double level = run_number(run, s->y);
    if (runs_match(run, s->runs) && (!p->log_y || level > 0)) return level;
  }
  return NAN;
}

/* Colours that stay apart in grey; dashes and symbols tell series apart without any. Long curves have a symbol here and
 * there, at other places than their neighbours; categories have symbols alone. */
static void write_style(FILE *script, int index, int points, int alone, int level) {
  static const char *const colours[] = {"#000000", "#0060a0", "#c04000", "#40a080", "#b070c0", "#909090"};
  static const int symbols[] = {7, 4, 9, 2, 10, 6, 5, 8, 3, 11};
  const int every = points > 16 ? points / 8 + index : 1;
  if (level) {
    fprintf(script, " with lines lw 3 dt %d lc rgb \"%s\"", index % 5 + 1, colours[index % 6]);
    return;
  }
  if (alone) {
    fprintf(script, " with points pt %d ps 1.2 lw 2 lc rgb \"%s\"", symbols[index % SERIES_MOST], colours[index % 6]);
    return;
  }
  fprintf(script, " with linespoints lw 2 dt %d lc rgb \"%s\" pt %d ps 0.9 pi %d", index % 5 + 1, colours[index % 6],
          symbols[index % SERIES_MOST], every);
}

/* The key takes a column more where titles are short; the picture grows by its lines, so that the axes do not shrink,
 * and by its categories, which are lines themselves. */
static void write_size(FILE *script, const picture *p, const int *drawn, int named) {
  size_t longest = 0;
  int titles = 0;
  for (int i = 0; i < SERIES_MOST && p->series[i].title != NULL; i++) {
    if (!drawn[i]) continue;
    longest = longest > strlen(p->series[i].title) ? longest : strlen(p->series[i].title);
    titles++;
  }
  const int columns = longest <= 26 ? 2 : 1, lines = (titles + columns - 1) / columns;
  fprintf(script,
          "set terminal svg size 760,%d dynamic noenhanced font \"DejaVu Sans,17\" background \"white\"\n"
          "set key below Left reverse maxcols %d samplen 4 spacing 1.1 font \",15\"\n",
          26 * lines + (named > 0 ? 90 + named * category_height(titles, named) : 410), columns);
}

static void write_scale(FILE *script, char axis, int kind) {
  if (kind == 1) fprintf(script, "set logscale %c\nset format %c \"1e%%T\"\nset m%ctics 1\n", axis, axis, axis);
  if (kind == 2)
    fprintf(script, "set logscale %c 2\nset format %c \"%%g\"\nset offsets graph 0.03, graph 0.03\n", axis, axis);
}

static void write_label(FILE *script, char axis, const char *text) {
  fprintf(script, "set %clabel ", axis);
  gnuplot_quote(script, text);
  fprintf(script, axis == 'x' ? " offset 0,0.4\n" : "\n"); /* off the key */
}

/* Categories are lines from above, where their names can be read without turning the head; numbers lie across. */
static void write_categories(FILE *script, const picture *p, const categories *named) {
  write_scale(script, 'x', p->log_y);
  write_label(script, 'x', p->y_label);
  write_label(script, 'y', p->x_label);
  fprintf(script,
          "set xtics font \",15\"\nset offsets graph 0.03, graph 0.03\nset yrange [%d.5:-0.5]\nset ytics scale 0 font "
          "\",15\" (",
          named->count - 1);
  for (int i = 0; i < named->count; i++) {
    if (i > 0) fprintf(script, ", ");
    gnuplot_quote(script, named->names[i]);
    fprintf(script, " %d", i);
  }
  fprintf(script, ")\n");
}

static void write_axes(FILE *script, const picture *p, const categories *named) {
  fprintf(script, "set grid lc rgb \"#d0d0d0\"\nset border lw 1\n");
  if (named->count > 0) {
    write_categories(script, p, named);
    return;
  }
  write_scale(script, 'x', p->log_x);
  write_scale(script, 'y', p->log_y);
  write_label(script, 'x', p->x_label);
  write_label(script, 'y', p->y_label);
}

static int draw(const reproduction *r, const picture *p) {
  int code = CODE_DONE, shown = 0, place = 0, drawn[SERIES_MOST] = {0};
  double level[SERIES_MOST];
  categories named = {.count = 0};
  char rest[128], *path = NULL;
  FILE *script = tmpfile();
  if (script == NULL) return fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  for (int i = 0; i < SERIES_MOST && p->series[i].title != NULL; i++) {
    if (p->series[i].x == NULL) {
      level[i] = level_of(r, p, &p->series[i]);
      drawn[i] = !isnan(level[i]);
      continue;
    }
    fprintf(script, "$s%d << EOD\n", i);
    drawn[i] = write_points(script, r, p, &p->series[i], &named);
    fprintf(script, "EOD\n");
    shown += drawn[i] > 0;
  }
  if (shown == 0) {
    code = fail(CODE_OTHER, "picture %s: no run has anything to draw", p->name);
    goto done;
  }
  write_size(script, p, drawn, named.count);
  write_axes(script, p, &named);
  fprintf(script, "plot");
  for (int i = 0, comma = 0; i < SERIES_MOST && p->series[i].title != NULL; i++) {
    if (!drawn[i]) continue;
    const int is_level = p->series[i].x == NULL;
    fprintf(script, comma++ ? ", " : " ");
    if (is_level) fprintf(script, "%.6g", level[i]);
    if (!is_level && named.count == 0) fprintf(script, "$s%d using 1:2", i);
    /* side by side in the line, so that none hides another */
    if (!is_level && named.count > 0)
      fprintf(script, "$s%d using 1:($2%+.3f)", i, 0.7 * ((place++ + 0.5) / shown - 0.5));
    write_style(script, i, drawn[i], named.count > 0, is_level);
    fprintf(script, " title ");
    gnuplot_quote(script, p->series[i].title);
  }
  fprintf(script, "\n");
  snprintf(rest, sizeof rest, "-%s.svg", p->name);
  path = runs_path(r, rest);
  if (path == NULL) {
    code = fail_memory("a file name");
    goto done;
  }
  TRY(gnuplot_draw(script, path));
done:
  fclose(script);
  free(path);
  return code;
}

int pictures_write(const reproduction *r) {
  int code = CODE_DONE;
  for (const picture *p = r->experiment->pictures; p->name != NULL; p++) TRY(draw(r, p));
done:
  return code;
}
