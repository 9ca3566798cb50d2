/* lsqnet plot: training curves from logs, drawn by gnuplot. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "decimal.h"
#include "error.h"
#include "gnuplot.h"
#include "options.h"

static const char about[] =
    "Draws the training loss of logs that \"lsqnet train --log\" wrote, over steps, with a logarithmic scale. gnuplot\n"
    "does the drawing and must be installed.\n";

typedef struct {
  const char *files[FILES_MOST];
  int count;
  const char *out_path;
  const char *terminal; /* gnuplot's, with its settings */
  int fresh;
} plot_settings;

static const char *terminal_of(const char *path) {
  const char *end = strrchr(path, '.');
  if (end != NULL && strcmp(end, ".svg") == 0) return "svg size 800,500 dynamic noenhanced background \"white\"";
  if (end != NULL && strcmp(end, ".png") == 0) return "pngcairo size 1200,750 noenhanced";
  return NULL;
}

static int read_settings(plot_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  const option options[] = {
      {OPTION_TEXT, "-o", "OUT", "where the picture goes, a name that ends in .svg or .png; needed", &s->out_path, 0},
      {OPTION_FLAG, "--fresh", NULL, "the loss on fresh data instead, where the log has it", &s->fresh, 0},
      {OPTION_END, NULL, NULL, NULL, NULL, 0}};
  const command_line line = {"plot LOG... -o OUT [options]", about, options, 1, FILES_MOST};
  TRY(options_read(&line, argc, argv, s->files, helped));
  if (*helped) return CODE_DONE;
  if (s->out_path == NULL) return fail(CODE_USAGE, "option -o is missing: where the picture goes");
  s->terminal = terminal_of(s->out_path);
  if (s->terminal == NULL) return fail(CODE_USAGE, "option -o: \"%.80s\" does not end in .svg or .png", s->out_path);
  while (s->count < FILES_MOST && s->files[s->count] != NULL) s->count++;
done:
  return code;
}

/* One point of a curve, unless the line's loss is null or has no logarithm. */
static int write_point(FILE *script, const char *text, const char *key, int *points) {
  json_t *object = json_loads(text, 0, NULL);
  const json_t *step = json_object_get(object, "step"), *loss = json_object_get(object, key);
  const int good = json_is_integer(step) && (json_is_number(loss) || json_is_null(loss));
  if (good && json_is_number(loss) && json_number_value(loss) > 0) {
    char number[DECIMAL_TEXT];
    decimal_write(number, json_number_value(loss));
    fprintf(script, "%lld %s\n", (long long)json_integer_value(step), number);
    ++*points;
  }
  json_decref(object);
  return good ? 0 : -1;
}

static int write_curve(FILE *script, const char *path, int index, const char *key) {
  int code = CODE_DONE, points = 0;
  char *text = NULL;
  size_t room = 0;
  int64_t line = 0;
  FILE *file = fopen(path, "r");
  if (file == NULL) return fail_at(CODE_INPUT, path, 0, "%s", strerror(errno));
  fprintf(script, "$curve%d << EOD\n", index);
  while (code == CODE_DONE && getline(&text, &room, file) > 0) {
    line++;
    if (write_point(script, text, key, &points) != 0) {
      code = fail_at(CODE_INPUT, path, line, "not a line of a training log: no object with step and %s", key);
    }
  }
  fprintf(script, "EOD\n");
  if (code == CODE_DONE && ferror(file)) code = fail_at(CODE_INPUT, path, 0, "%s", strerror(errno));
  if (code == CODE_DONE && points == 0) code = fail_at(CODE_INPUT, path, 0, "no %s above zero to draw", key);
  free(text);
  fclose(file);
  return code;
}

static int write_script(FILE *script, const plot_settings *s) {
  int code = CODE_DONE;
  for (int i = 0; i < s->count; i++) TRY(write_curve(script, s->files[i], i, s->fresh ? "fresh_loss" : "loss"));
  fprintf(script, "set terminal %s\nset logscale y\nset format y \"1e%%T\"\nset grid\nset key top right\n",
          s->terminal);
  fprintf(script, "set xlabel \"step\"\nset ylabel \"%s\"\nplot",
          s->fresh ? "mean squared error on fresh data" : "mean squared error");
  for (int i = 0; i < s->count; i++) {
    fprintf(script, "%s $curve%d using 1:2 with lines linewidth 2 title ", i > 0 ? "," : "", i);
    gnuplot_quote(script, s->files[i]);
  }
  fputc('\n', script);
done:
  return code;
}

int plot_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0;
  plot_settings s = {.count = 0};
  FILE *script = NULL;
  TRY(read_settings(&s, argc, argv, &helped));
  if (helped) return CODE_DONE;
  script = tmpfile();
  if (script == NULL) return fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  TRY(write_script(script, &s));
  TRY(gnuplot_draw(script, s.out_path));
done:
  if (script != NULL) fclose(script);
  return code;
}
