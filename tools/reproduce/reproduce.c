/* lsqnet reproduce: the paper's experiments, each with a table, pictures and a verdict. */
#include "reproduce.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../command.h"
#include "../error.h"
#include "../gnuplot.h"
#include "../interrupt.h"
#include "../options.h"
#include "../output.h"
#include "../progress.h"

static const char about[] =
    "Repeats an experiment of the paper: writes NAME.json (every run), NAME.md (table and verdict) and NAME-*.svg (by\n"
    "gnuplot) into a folder, and says which claims the runs support. Without NAME it lists the experiments; \"all\" "
    "makes\n"
    "each in turn. What is finished is not made again: the same command goes on where it was stopped. Budget quick "
    "takes\n"
    "minutes, with smaller models than the paper's; full has the paper's widths, batches and steps, and more problems\n"
    "where it has none, hours to days; smoke takes seconds and is for tests of the command. Exit code 4 says that a\n"
    "claim was not supported.\n";

static const experiment *const experiments[] = {
    &experiment_construction,    &experiment_primitives,     &experiment_end_to_end, &experiment_recipe,
    &experiment_iterates,        &experiment_generalization, &experiment_odes,       &experiment_algorithms,
    &experiment_mixed_precision, &experiment_real_data,      &experiment_solution,
};

enum { EXPERIMENTS = sizeof experiments / sizeof *experiments };

#define BUDGETS "smoke|quick|full"

typedef struct {
  const char *name, *folder;
  int32_t budget;
  int quiet, plan;
  machine machine;
} reproduce_settings;

const char *budget_name(int32_t budget) {
  static const char *const names[] = {"smoke", "quick", "full"};
  return names[budget];
}

double by_budget(const reproduction *r, double smoke, double quick, double full) {
  return r->budget == BUDGET_SMOKE ? smoke : r->budget == BUDGET_QUICK ? quick : full;
}

void tell(reproduction *r, const char *format, ...) {
  va_list arguments;
  if (r->quiet) return;
  fprintf(stderr, "%s%s: ", r->shown > 0 ? "\r\033[K" : "", r->experiment->name);
  r->shown = 0;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
}

void show(reproduction *r, const char *format, ...) {
  va_list arguments;
  const double now = seconds_now();
  if (r->quiet || !isatty(STDERR_FILENO) || now < r->shown + 0.2) return;
  r->shown = now;
  fprintf(stderr, "\r%s ", r->experiment->name);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\033[K");
}

int go_on(reproduction *r, const char *key, int64_t done, int64_t of) {
  show(r, "%s: %lld of %lld", key, (long long)done, (long long)of);
  return stop_if_interrupted();
}

static int read_settings(reproduce_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  const option options[] = {{OPTION_CHOICE, "--budget", BUDGETS,
                             "how much of the paper's configuration (default quick)", &s->budget, BUDGET_SMOKE},
                            {OPTION_TEXT, "-o", "DIR", "the folder for results (default: reproduced)", &s->folder, 0},
                            {OPTION_FLAG, "--plan", NULL, "only list the trainings", &s->plan, 0},
                            {OPTION_FLAG, "--quiet", NULL, "no progress, no table", &s->quiet, 0},
                            MACHINE_OPTIONS(&s->machine, "0"),
                            {OPTION_END, NULL, NULL, NULL, NULL, 0}};
  const command_line line = {"reproduce [NAME] [options]", about, options, 0, 1};
  const char *files[FILES_MOST] = {NULL};
  TRY(options_read(&line, argc, argv, files, helped));
  s->name = files[0];
done:
  return code;
}

static int list(void) {
  for (int i = 0; i < EXPERIMENTS; i++) printf("%-16s %s\n", experiments[i]->name, experiments[i]->about);
  return output_flush_standard();
}

static int make_folder(const char *path) {
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return CODE_DONE;
  return fail_at(CODE_OTHER, path, 0, "%s", strerror(errno));
}

static int reproduce(const reproduce_settings *s, lsqnet_context *context, const experiment *e, int *all) {
  int code = CODE_DONE;
  json_t *verdict = NULL;
  reproduction r = {e, s->budget, s->folder, s->quiet, context, NULL, 0, 0, json_object(), NULL};
  TRY(stop_if_interrupted());
  TRY(runs_read(&r));
  TRY(e->run(&r));
  TRY(runs_agree_with_models(&r));
  verdict = verdict_make(&r, all);
  if (verdict == NULL) {
    code = fail_memory("the verdict");
    goto done;
  }
  TRY(runs_write(&r, verdict));
  TRY(report_write(&r, verdict));
  TRY(pictures_write(&r));
done:
  json_decref(verdict);
  json_decref(r.runs);
  json_decref(r.models);
  return code;
}

/* The trainings of an experiment, and their words. */
static int list_trainings(const reproduce_settings *s, lsqnet_context *context, const experiment *e) {
  reproduction r = {e, s->budget, s->folder, 1, context, json_array(), 0, 0, json_object(), json_object()};
  const int code = r.runs == NULL || r.models == NULL || r.plan == NULL ? fail_memory("a plan") : e->run(&r);
  json_decref(r.runs);
  json_decref(r.models);
  json_decref(r.plan);
  return code == CODE_DONE ? output_flush_standard() : code;
}

static int fail_name(const char *name) {
  return fail(CODE_USAGE, "no experiment \"%.80s\": \"lsqnet reproduce\" lists them", name);
}

int reproduce_command(int argc, char **argv) {
  int code = CODE_DONE, helped = 0, found = 0, supported = 1;
  reproduce_settings s = {.folder = "reproduced", .budget = BUDGET_QUICK};
  lsqnet_context *context = NULL;
  TRY(read_settings(&s, argc, argv, &helped));
  if (helped) goto done;
  if (s.name == NULL) return list();
  interrupts_catch();
  for (int i = 0; i < EXPERIMENTS; i++) {
    int all = 0;
    if (strcmp(s.name, "all") != 0 && strcmp(s.name, experiments[i]->name) != 0) continue;
    if (s.plan) {
      if (!found++) TRY(context_open(&context, &s.machine));
      TRY(list_trainings(&s, context, experiments[i]));
      all = 1;
      continue;
    }
    if (!found++) {
      TRY(gnuplot_check()); /* before hours of work rather than after them */
      TRY(make_folder(s.folder));
      TRY(context_open(&context, &s.machine));
    }
    TRY(reproduce(&s, context, experiments[i], &all));
    supported = supported && all;
  }
  if (!found) code = fail_name(s.name);
  if (found && !supported) code = fail(CODE_NOT_CONVERGED, "not every claim is supported by these runs");
done:
  lsqnet_context_destroy(context);
  return code;
}
