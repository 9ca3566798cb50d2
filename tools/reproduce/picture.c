/* SVG pictures of finished runs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../gnuplot.h"
#include "reproduce.h"

enum { CATEGORIES_MOST = 64 };

typedef struct {
  const char *names[CATEGORIES_MOST];
  int count;
} categories;

static int category_of(categories *c, const char *name) {
  for (int i = 0; i < c->count; i++) {
    if (strcmp(c->names[i], name) == 0) return i;
  }
  if (c->count == CATEGORIES_MOST) return CATEGORIES_MOST;
  c->names[c->count] = name;
  return c->count++;
}

static void write_point(FILE *script, const picture *p, const json_t *x, const json_t *y, categories *named,
                        int *points) {
  const double height = json_number_value(y);
  if (!json_is_number(y) || (p->log_y && !(height > 0))) return;
  if (json_is_string(x)) {
    fprintf(script, "%d %.6g\n", category_of(named, json_string_value(x)), height);
  } else {
    const double place = json_number_value(x);
    if (!json_is_number(x) || (p->log_x && !(place > 0))) return;
    fprintf(script, "%.8g %.6g\n", place, height);
  }
  ++*points;
}

static int write_points(FILE *script, const reproduction *r, const picture *p, const series *s, categories *named) {
  json_t *run;
  size_t i;
  int points = 0;
  json_array_foreach(r->runs, i, run) {
    if (!runs_match(run, s->runs)) continue;
    const json_t *x = json_object_get(run, s->x), *y = json_object_get(run, s->y);
    if (!json_is_array(y)) {
      write_point(script, p, x, y, named, &points);
      continue;
    }
    for (size_t k = 0; k < json_array_size(y); k++) {
      write_point(script, p, json_array_get(x, k), json_array_get(y, k), named, &points);
    }
  }
  return points;
}

/* Colours that stay apart in grey; dashes and symbols tell series apart without any. Long curves have a symbol here and
 * there, at other places than their neighbours; categories have symbols alone. */
static void write_style(FILE *script, int index, int points, int alone) {
  static const char *const colours[] = {"#000000", "#0060a0", "#c04000", "#40a080", "#b070c0", "#909090"};
  static const int symbols[] = {7, 4, 9, 2, 10, 6, 5, 8, 3, 11};
  const int every = points > 16 ? points / 8 + index : 1;
  if (alone) {
    fprintf(script, " with points pt %d ps 1.2 lw 2 lc rgb \"%s\"", symbols[index % SERIES_MOST], colours[index % 6]);
    return;
  }
  fprintf(script, " with linespoints lw 2 dt %d lc rgb \"%s\" pt %d ps 0.9 pi %d", index % 5 + 1, colours[index % 6],
          symbols[index % SERIES_MOST], every);
}

static void write_axes(FILE *script, const picture *p, const categories *named) {
  fprintf(script, "set terminal svg size 760,520 dynamic noenhanced font \"DejaVu Sans,17\" background \"white\"\n");
  fprintf(script,
          "set grid lc rgb \"#d0d0d0\"\nset border lw 1\nset key below Left reverse maxcols 2 samplen 4 spacing 1.1 "
          "font \",15\"\n");
  if (p->log_y) fprintf(script, "set logscale y\nset format y \"1e%%T\"\nset mytics 1\n");
  if (p->log_x) fprintf(script, "set logscale x\nset format x \"1e%%T\"\n");
  fprintf(script, "set xlabel ");
  gnuplot_quote(script, p->x_label);
  fprintf(script, "\nset ylabel ");
  gnuplot_quote(script, p->y_label);
  if (named->count > 0) {
    fprintf(script, "\nset rmargin 3\nset xrange [-0.5:%d.5]\nset xtics rotate by 30 right font \",13\" (",
            named->count - 1);
    for (int i = 0; i < named->count; i++) {
      if (i > 0) fprintf(script, ", ");
      gnuplot_quote(script, named->names[i]);
      fprintf(script, " %d", i);
    }
    fprintf(script, ")");
  }
  fprintf(script, "\n");
}

static int draw(const reproduction *r, const picture *p) {
  int code = CODE_DONE, count = 0, drawn[SERIES_MOST] = {0};
  categories named = {.count = 0};
  char rest[128], *path = NULL;
  FILE *script = tmpfile();
  if (script == NULL) return fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  for (int i = 0; i < SERIES_MOST && p->series[i].title != NULL; i++) {
    fprintf(script, "$s%d << EOD\n", i);
    drawn[i] = write_points(script, r, p, &p->series[i], &named);
    fprintf(script, "EOD\n");
    count += drawn[i] > 0;
  }
  if (count == 0) {
    code = fail(CODE_OTHER, "picture %s: no run has anything to draw", p->name);
    goto done;
  }
  write_axes(script, p, &named);
  fprintf(script, "plot");
  for (int i = 0, comma = 0; i < SERIES_MOST && p->series[i].title != NULL; i++) {
    if (!drawn[i]) continue;
    fprintf(script, "%s $s%d using 1:2", comma++ ? "," : "", i);
    write_style(script, i, drawn[i], named.count > 0);
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
