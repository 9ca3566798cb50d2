/* SVG pictures of finished runs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../gnuplot.h"
#include "reproduce.h"

/* More than SHOWN_MOST has diverged: curves break off there, among categories it stands beside the axis, as MARK. */
static const double SHOWN_MOST = 1e20, MARK = 1e21;

enum { CATEGORIES_MOST = 64 };

typedef struct {
  char names[CATEGORIES_MOST][80];
  int count;
} categories;

/* Of a curve; low and high are NaN where it has no band. */
typedef struct {
  double x, y, low, high;
} point;

typedef struct {
  const reproduction *r;
  const picture *p;
  FILE *script;
  categories named;
  int measured;            /* points are counted and the frame is known: they are written */
  int points[SERIES_MOST]; /* 0: nothing to be drawn */
  double level[SERIES_MOST];
  double left, right, low, high; /* the frame of all curves */
  int diverged;
  point last;    /* of the series that is written */
  double u, v;   /* where in the frame its last symbol is, at first its beginning */
  double spaced; /* how far from there the next one has to be */
  int marked;    /* the last point has a symbol */
} drawing;

/* ---- points ---- */

static int category_of(categories *c, const char *name) {
  for (int i = 0; i < c->count; i++) {
    if (strcmp(c->names[i], name) == 0) return i;
  }
  if (c->count == CATEGORIES_MOST) return CATEGORIES_MOST;
  snprintf(c->names[c->count], sizeof c->names[0], "%s", name);
  return c->count++;
}

static const char *in_words(const picture *p, const char *text) {
  for (const char *const *word = p->words; word != NULL && *word != NULL; word += 2) {
    if (strcmp(word[0], text) == 0) return word[1];
  }
  return text;
}

static void note_height(drawing *d, double height) {
  d->low = fmin(d->low, height);
  d->high = fmax(d->high, height);
}

/* Curves of more points than SINGLE have a symbol here and there, SPACING of the frame apart. */
enum { SINGLE = 16, STAGGER = 5 };
static const double SPACING = 0.15;

static double place_in(double value, int logarithmic, double from, double to) {
  return logarithmic ? log(value / from) / log(to / from) : (value - from) / (to - from);
}

/* The first symbols of curves that begin together are apart. */
static int takes_symbol(drawing *d, int index, const point *at, int first) {
  const double u = place_in(at->x, d->p->log_x, d->left, d->right), v = place_in(at->y, d->p->log_y, d->low, d->high);
  if (d->points[index] <= SINGLE) return 1;
  if (!first && fmax(fabs(u - d->u), fabs(v - d->v)) < d->spaced) return 0;
  d->u = u;
  d->v = v;
  d->spaced = first ? SPACING * (index % STAGGER + 1) / STAGGER : SPACING;
  return !first;
}

static void write_numbers(drawing *d, const point *at, int symbol) {
  fprintf(d->script, "%.8g %.6g %d %.6g %.6g\n", at->x, at->y, symbol, at->low, at->high);
  d->last = *at;
  d->marked = symbol;
}

static void write_point(drawing *d, int index, const point *at) {
  if ((d->p->log_y && !(at->y > 0)) || (d->p->log_x && !(at->x > 0)) || !isfinite(at->x) || !(at->y <= SHOWN_MOST))
    return;
  if (d->measured) {
    write_numbers(d, at, takes_symbol(d, index, at, isnan(d->last.x)));
    return;
  }
  d->left = fmin(d->left, at->x);
  d->right = fmax(d->right, at->x);
  note_height(d, at->y);
  if (at->low > 0 || !d->p->log_y) note_height(d, at->low);
  if (at->high <= SHOWN_MOST) note_height(d, at->high);
  d->points[index]++;
}

static void write_category(drawing *d, int index, const char *name, double y) {
  if (isnan(y) || (d->p->log_y && !(y > 0))) return;
  const int category = category_of(&d->named, in_words(d->p, name));
  if (d->measured) {
    fprintf(d->script, "%.6g %d\n", y > SHOWN_MOST ? MARK : y, category);
    return;
  }
  if (y > SHOWN_MOST) d->diverged = 1;
  if (y <= SHOWN_MOST) note_height(d, y);
  d->points[index]++;
}

/* What the run has as x; VARIANT stands in its key. The caller drops it. */
static json_t *place_of(const json_t *run, const char *field) {
  if (strcmp(field, VARIANT) != 0) return run_field(run, field);
  const char *begin = strchr(json_string_value(json_object_get(run, "key")), ',');
  return begin == NULL ? NULL : json_stringn(begin + 1, strcspn(begin + 1, ","));
}

static const size_t END = SIZE_MAX;

/* Entry k of the run's array; at END what its training ended with: points of its curve are a tenth of the steps apart,
 * and the last of them may be that much earlier. */
static double number_at(const drawing *d, const json_t *run, const char *field, size_t k) {
  const json_t *value = json_array_get(json_object_get(run, field), k), *best = json_object_get(run, "best");
  if (k != END) return json_is_number(value) ? json_number_value(value) : NAN;
  if (strcmp(field, "curve_loss") == 0) return run_number(run, "mse");
  if (strcmp(field, "curve_steps") == 0) return run_number(run, "steps");
  return run_number(best == NULL ? run : runs_find(d->r, json_string_value(best)), "seconds");
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median of what the runs have there, the larger of the two in the middle; NaN if one has no number or there is no
 * such field. */
static double median_at(const drawing *d, const series *s, const char *field, size_t k) {
  enum { MOST = 64 };
  double found[MOST];
  json_t *run;
  size_t i, count = 0;
  if (field == NULL) return NAN;
  json_array_foreach(d->r->runs, i, run) {
    if (!runs_match(run, s->runs) || !json_is_array(json_object_get(run, s->y)) || count == MOST) continue;
    found[count] = number_at(d, run, field, k);
    if (isnan(found[count++])) return NAN;
  }
  if (count == 0) return NAN;
  qsort(found, count, sizeof *found, compare);
  return found[count / 2];
}

/* The geometric mean of the points around one, where the picture is smooth. */
static double height_at(const drawing *d, const series *s, size_t k, size_t length) {
  const size_t around = d->p->smooth ? 2 : 0, first = k > around ? k - around : 0;
  double sum = 0, count = 0;
  if (around == 0) return median_at(d, s, s->y, k);
  for (size_t i = first; i <= k + around && i < length; i++, count++) sum += log(median_at(d, s, s->y, i));
  return exp(sum / count);
}

static void write_points(drawing *d, int index) {
  const series *s = &d->p->series[index];
  json_t *run;
  size_t i, length = 0;
  json_array_foreach(d->r->runs, i, run) {
    if (!runs_match(run, s->runs)) continue;
    const json_t *y = json_object_get(run, s->y);
    json_t *x = place_of(run, s->x);
    if (json_is_array(y)) length = length > json_array_size(y) ? length : json_array_size(y);
    if (json_is_number(y) && json_is_string(x)) write_category(d, index, json_string_value(x), json_number_value(y));
    if (json_is_number(y) && json_is_number(x))
      write_point(d, index, &(point){json_number_value(x), json_number_value(y), NAN, NAN});
    json_decref(x);
  }
  for (size_t k = 0; k < length; k++) {
    write_point(d, index,
                &(point){median_at(d, s, s->x, k), height_at(d, s, k, length), median_at(d, s, d->p->low, k),
                         median_at(d, s, d->p->high, k)});
  }
  if (d->p->ends) write_point(d, index, &(point){median_at(d, s, s->x, END), median_at(d, s, s->y, END), NAN, NAN});
}

/* The number of the first run that matches; NaN if there is none that the picture can show. */
static double level_of(const drawing *d, const series *s) {
  json_t *run;
  size_t i;
  json_array_foreach(d->r->runs, i, run) {
    const double level = run_number(run, s->y);
    if (runs_match(run, s->runs) && (!d->p->log_y || level > 0)) return level;
  }
  return NAN;
}

/* How many series have points; once they are measured they are written. */
static int gather(drawing *d) {
  int shown = 0;
  for (int i = 0; i < SERIES_MOST && d->p->series[i].title != NULL; i++) {
    if (d->p->series[i].x == NULL) {
      d->level[i] = level_of(d, &d->p->series[i]);
      d->points[i] = !isnan(d->level[i]);
      if (d->points[i]) note_height(d, d->level[i]);
      continue;
    }
    d->last.x = NAN;
    if (d->measured) fprintf(d->script, "$s%d << EOD\n", i);
    write_points(d, i);
    if (d->measured && !isnan(d->last.x) && !d->marked) write_numbers(d, &d->last, 1);
    if (d->measured) fprintf(d->script, "EOD\n");
    shown += d->points[i] > 0;
  }
  return shown;
}

/* Whether there is anything to draw. */
static int collect(drawing *d) {
  d->left = d->low = INFINITY;
  d->right = d->high = -INFINITY;
  const int shown = gather(d);
  if (d->low > d->high) d->low = d->high = 1; /* everything has diverged */
  d->measured = 1;
  gather(d);
  return shown;
}

/* ---- the frame ---- */

/* In pixels: what a picture, its lines and its symbols take, so that it can be read at half its width. */
enum { WIDTH = 760, PLOT = 380, TOP = 14, BELOW = 86, LINE = 38, SYMBOL = 18, HIGHEST = 860 };
/* The key's lines, its samples, and letters of a title of which two stand beside each other. */
enum { KEY = 27, LEFT = 30, SAMPLE = 50, TITLE = 29 };

static int category_height(int symbols, int count) {
  const int wanted = symbols * SYMBOL, most = HIGHEST / count;
  const int height = wanted < most ? wanted : most;
  return height > LINE ? height : LINE;
}

enum { DASHES = 5 };

typedef struct {
  const char *colour;
  int dashes, symbol;
} style;

/* Colours that stay apart in grey; dashes and symbols tell series apart without any. */
static style style_of(const picture *p, int index) {
  static const char *const colours[] = {"#000000", "#0060a0", "#c04000", "#208060", "#8840a0", "#707070"};
  static const int symbols[] = {7, 4, 9, 2, 10, 6, 5, 8, 3, 11}, full[] = {7, 5, 9, 13, 11};
  if (!p->pairs) return (style){colours[index % 6], index % DASHES + 1, symbols[index]};
  return (style){colours[index / 2], index % 2 + 1, full[index / 2] - index % 2};
}

static int has_lines(const drawing *d) { return d->named.count == 0; }
static int has_symbols(const drawing *d, int index) { return d->p->series[index].x != NULL; }

typedef struct {
  int columns, lines, height;
} key;

static void key_place(const key *k, int place, double *x, double *y) {
  *x = LEFT + place % k->columns * (WIDTH - LEFT) / 2.;
  *y = ((k->lines - place / k->columns - 0.4) * KEY + 6) / k->height;
}

/* gnuplot begins new dashes with a new colour only, so that lines of the same dashes go together. */
static void write_samples(const drawing *d, const key *k, int dashes) {
  double x, y;
  for (int i = 0, place = 0; i < SERIES_MOST && d->p->series[i].title != NULL; i++) {
    const style s = style_of(d->p, i);
    if (d->points[i] == 0) continue;
    key_place(k, place++, &x, &y);
    if (s.dashes == dashes)
      fprintf(d->script, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 2.5 dt %d lc rgb \"%s\"\n",
              x / WIDTH, y, (x + SAMPLE) / WIDTH, y, s.dashes, s.colour);
  }
}

/* Below the axis and its title, in lines of its own, of two titles each where these are short. */
static void write_key(const drawing *d, const key *k) {
  double x, y;
  for (int dashes = 1; dashes <= DASHES && has_lines(d); dashes++) write_samples(d, k, dashes);
  for (int i = 0, place = 0; i < SERIES_MOST && d->p->series[i].title != NULL; i++) {
    if (d->points[i] == 0) continue;
    const style s = style_of(d->p, i);
    key_place(k, place++, &x, &y);
    if (has_symbols(d, i))
      fprintf(d->script, "set label \"\" at screen %.5f,%.5f point pt %d ps 1.1 lw 2 lc rgb \"%s\"\n",
              (x + SAMPLE / 2.) / WIDTH, y, s.symbol, s.colour);
    fprintf(d->script, "set label ");
    gnuplot_quote(d->script, d->p->series[i].title);
    fprintf(d->script, " at screen %.5f,%.5f left font \",18\"\n", (x + SAMPLE + 10) / WIDTH, y);
  }
}

static void write_size(const drawing *d) {
  size_t longest = 0;
  int titles = 0;
  for (int i = 0; i < SERIES_MOST && d->p->series[i].title != NULL; i++) {
    if (d->points[i] == 0) continue;
    longest = longest > strlen(d->p->series[i].title) ? longest : strlen(d->p->series[i].title);
    titles++;
  }
  const int columns = longest <= TITLE ? 2 : 1, lines = (titles + columns - 1) / columns;
  const int plot = d->named.count > 0 ? d->named.count * category_height(titles, d->named.count) : PLOT;
  const int height = TOP + plot + BELOW + lines * KEY + 12;
  fprintf(d->script,
          "set terminal svg size %d,%d dynamic noenhanced font \"DejaVu Sans,19\" background \"white\"\nunset key\n"
          "set tmargin at screen %.5f\nset bmargin at screen %.5f\nset rmargin 3\n",
          WIDTH, height, 1 - TOP / (double)height, 1 - (TOP + plot) / (double)height);
  write_key(d, &(key){columns, lines, height});
}

/* Decades from one number of an axis to the next, so that there are at most `most`. */
static int decades_between(double decades, int most) {
  const int needed = (int)ceil(decades / most);
  return needed <= 2 ? needed : needed <= 5 ? 5 : 10;
}

/* Where the axis of heights has its numbers: at 1, 2 and 5 in each decade of few, at powers of ten of many. */
static void write_decades(const drawing *d, char axis) {
  static const int parts[] = {1, 2, 5};
  const double low = log10(d->low), high = log10(d->high), room = fmax(0.04 * (high - low), 0.02);
  const double edge = high + 0.15 * (high - low), last = d->diverged ? high - 0.1 * (high - low) : high + room;
  const int many = high - low > 2, step = many ? decades_between(high - low, axis == 'x' ? 5 : 8) : 1;
  const char *format = many ? "1e%T" : d->high >= 1e4 ? "%.0s%c" : "%g";
  fprintf(d->script, "set logscale %c\nset m%ctics 1\nset format %c \"%s\"\nedge = %.6g\n", axis, axis, axis, format,
          pow(10, edge));
  fprintf(d->script, "set %crange [%.6g:%.6g]\nset %ctics font \",18\"\nset %ctics (", axis, pow(10, low - room),
          pow(10, d->diverged ? edge + room : high + room), axis, axis);
  for (int decade = (int)floor(low) / step * step - step, comma = 0; decade <= last; decade += step) {
    for (int i = 0; i < (many ? 1 : 3); i++) {
      const double at = decade + log10(parts[i]);
      if (at >= low - room && at <= last) fprintf(d->script, "%s%de%d", comma++ ? ", " : "", parts[i], decade);
    }
  }
  fprintf(d->script, d->diverged ? ")\nset %ctics add (\"diverged\" edge)\n" : ")\n", axis);
}

static void write_scale(const drawing *d, char axis, int kind) {
  if (kind == 1) fprintf(d->script, "set logscale %c\nset format %c \"1e%%T\"\nset m%ctics 1\n", axis, axis, axis);
  if (kind == 2)
    fprintf(d->script, "set logscale %c 2\nset format %c \"%%g\"\nset offsets graph 0.03, graph 0.03\n", axis, axis);
  fprintf(d->script, "set %ctics font \",18\"\n", axis);
}

static void write_label(const drawing *d, char axis, const char *text) {
  fprintf(d->script, "set %clabel ", axis);
  gnuplot_quote(d->script, text);
  fprintf(d->script, "\n");
}

/* Categories are lines from above, where their names can be read without turning the head; numbers lie across. */
static void write_categories(const drawing *d) {
  fprintf(d->script, "set yrange [%d.5:-0.5]\nset ytics scale 0 font \",18\" (", d->named.count - 1);
  for (int i = 0; i < d->named.count; i++) {
    if (i > 0) fprintf(d->script, ", ");
    gnuplot_quote(d->script, d->named.names[i]);
    fprintf(d->script, " %d, \"\" %d.5 1", i, i);
  }
  fprintf(d->script, ")\nset grid noytics mytics\n");
}

static void write_axes(const drawing *d) {
  const int across = d->named.count > 0;
  const char heights = across ? 'x' : 'y';
  fprintf(d->script, "set grid xtics ytics lc rgb \"#c0c0c0\" lw 1, lc rgb \"#c0c0c0\" lw 1\nset border lw 1\n");
  if (!across) write_scale(d, 'x', d->p->log_x);
  if (d->p->log_y) write_decades(d, heights);
  if (!d->p->log_y) {
    const double room = 0.04 * (d->high - d->low);
    write_scale(d, heights, 0);
    if (room > 0) fprintf(d->script, "set %crange [%.6g:%.6g]\n", heights, d->low - room, d->high + room);
  }
  if (across) write_categories(d);
  write_label(d, across ? 'y' : 'x', d->p->x_label);
  write_label(d, heights, d->p->y_label);
}

/* ---- series ---- */

static void write_lines(const drawing *d, int index, double width) {
  const style s = style_of(d->p, index);
  fprintf(d->script, " with lines lw %g dt %d lc rgb \"%s\"", width, s.dashes, s.colour);
}

static void write_symbols(const drawing *d, int index, double size) {
  const style s = style_of(d->p, index);
  fprintf(d->script, " with points lw 2 pt %d ps %g lc rgb \"%s\"", s.symbol, size, s.colour);
}

/* A band is light, between thin lines of its curve's kind. */
static void write_curve(const drawing *d, int index) {
  if (d->p->low != NULL) {
    fprintf(d->script, "$s%d using 1:4:5 with filledcurves fs transparent solid 0.06 noborder lc rgb \"%s\"", index,
            style_of(d->p, index).colour);
    for (int edge = 4; edge <= 5; edge++) {
      fprintf(d->script, ", $s%d using 1:%d", index, edge);
      write_lines(d, index, 1);
    }
    fprintf(d->script, ", ");
  }
  fprintf(d->script, "$s%d using 1:2", index);
  write_lines(d, index, 2.5);
  fprintf(d->script, ", $s%d using 1:($3 > 0 ? $2 : NaN)", index);
  write_symbols(d, index, 1.1);
}

static void write_plot(const drawing *d, int shown) {
  int comma = 0, place = 0;
  fprintf(d->script, "plot");
  for (int i = 0; i < SERIES_MOST && d->p->series[i].title != NULL; i++) {
    if (d->points[i] == 0) continue;
    fprintf(d->script, comma++ ? ", " : " ");
    if (d->p->series[i].x == NULL) {
      fprintf(d->script, "%.6g", d->level[i]);
      write_lines(d, i, 2.5);
    } else if (has_lines(d)) {
      write_curve(d, i);
    } else { /* side by side in the line, so that none hides another */
      fprintf(d->script, "$s%d using (%s):($2%+.3f)", i, d->diverged ? "$1 > 1e20 ? edge : $1" : "$1",
              0.8 * ((place++ + 0.5) / shown - 0.5));
      write_symbols(d, i, 1.2);
    }
  }
  fprintf(d->script, "\n");
}

static int draw(const reproduction *r, const picture *p) {
  int code = CODE_DONE;
  char rest[128], *path = NULL;
  drawing d = {.r = r, .p = p, .script = tmpfile()};
  if (d.script == NULL) return fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  const int shown = collect(&d);
  if (shown == 0) {
    code = fail(CODE_OTHER, "picture %s: no run has anything to draw", p->name);
    goto done;
  }
  write_size(&d);
  write_axes(&d);
  write_plot(&d, shown);
  snprintf(rest, sizeof rest, "-%s.svg", p->name);
  path = runs_path(r, rest);
  if (path == NULL) {
    code = fail_memory("a file name");
    goto done;
  }
  TRY(gnuplot_draw(d.script, path));
done:
  fclose(d.script);
  free(path);
  return code;
}

int pictures_write(const reproduction *r) {
  int code = CODE_DONE;
  for (const picture *p = r->experiment->pictures; p->name != NULL; p++) TRY(draw(r, p));
done:
  return code;
}
