/* The frame of `lsqnet reproduce`.
 *
 * An experiment is a function that makes *runs*, one after the other: a training, or a measurement. A run is a JSON
 * object with a key; it goes into FOLDER/NAME.json (whole, at once) as soon as it is finished, and a run that is there
 * is not made again; one of another configuration is refused. A training that was stopped goes on from the trainer's
 * checkpoint beside it. Table, pictures and verdict are made from that file alone: which columns, which curves and
 * which thresholds stands in tables beside each experiment. */
#ifndef TOOLS_REPRODUCE_H
#define TOOLS_REPRODUCE_H

#include <jansson.h>
#include <lsqnet/lsqnet.h>

#include "../machine.h"

/* How much of the paper's configuration: `smoke` is for tests, seconds in all, and says nothing about claims. */
enum { BUDGET_SMOKE, BUDGET_QUICK, BUDGET_FULL };
const char *budget_name(int32_t budget);

/* A column of the table: "FIELD" or "FIELD:heading". A field is one of the run or of its conditions, or "--WORD": what
 * follows that word in the run's command. */
typedef const char *column;

/* What a training was made with. */
#define SIZES "--rows:rows", "--dim:D", "--width:width", "--layers:layers", "--batch:batch"

/* "FIELD of the runs KEYS", of which the least, the largest or the median (of an even number the larger of the two in
 * the middle) counts. KEYS are patterns as of file names, with | between them. */
typedef struct {
  enum { LEAST, LARGEST, MEDIAN } which;
  const char *runs, *field;
} quantity;

/* A field that every training has through its curve: its loss at half of the steps over that at the end, each the
 * geometric mean of the quarter before it (of the eighth before the half); near 1 when the loss has levelled off. */
#define FALL "fall"

/* An error that diverged. Tables say so, and that a ratio to it is none. */
#define DIVERGED 1e300

/* Fields for pictures: the blocks of a training, and the second part of a key with commas. */
#define DEPTH   "--layers"
#define VARIANT "variant"

/* over / under, or `over` alone, is at least (or at most) `bound`. */
typedef struct {
  const char *text;
  enum { AT_LEAST, AT_MOST } kind;
  double bound;
  quantity over, under;
} claim;

/* Points of the runs that match: (x, y) of each, or of their arrays, of several runs the median, point by point. A text
 * as x makes a category; x NULL says that y is a level, drawn across the picture. */
typedef struct {
  const char *title, *runs, *x, *y;
} series;

enum { SERIES_MOST = 10 };

typedef struct {
  const char *name; /* NAME-name.svg */
  const char *x_label, *y_label;
  int log_x, log_y;           /* 2: powers of two */
  series series[SERIES_MOST]; /* up to one without a title */
  const char *low, *high;     /* arrays of each run between which a band is drawn; NULL: none */
  int pairs;  /* series belong together by two: one colour and symbol, whole and full, dashed and hollow */
  int ends;   /* curve_loss is of what `mse` measures: curves end with that, where the training did */
  int smooth; /* a logarithmic axis: each height is the geometric mean of five points, the one and its neighbours */
  const char *const *words; /* what a category is called: pairs of its name in the runs and that, up to NULL */
} picture;

typedef struct reproduction reproduction;

enum { EVERY_CLAIM = -1 };

typedef struct {
  const char *name, *about;
  int (*run)(reproduction *r);
  const column *columns; /* up to NULL; so the next two, to one without text or name */
  const claim *claims;
  const picture *pictures;
  const char *paper; /* what the paper reports, and the claim (from 0) that stands beside it, or EVERY_CLAIM */
  int beside;
} experiment;

struct reproduction {
  const experiment *experiment;
  int32_t budget;
  const char *folder;
  int quiet;
  lsqnet_context *context;
  json_t *runs;   /* finished ones, in their order */
  double load;    /* load average when the last one was finished */
  double shown;   /* when show() last did, in seconds; 0: its line does not stand there */
  json_t *models; /* trained ones in use: the commands that made them, by their keys */
  json_t *plan;   /* NULL; or a run without fields, as which every run counts as made: trainings are only listed */
};

extern const experiment experiment_construction, experiment_iterates, experiment_algorithms, experiment_recipe,
    experiment_primitives, experiment_real_data, experiment_solution, experiment_generalization, experiment_end_to_end,
    experiment_mixed_precision, experiment_odes;

/* One of three numbers. */
double by_budget(const reproduction *r, double smoke, double quick, double full);

/* ---- runs (runs.c) ---- */

/* Reads what FOLDER/NAME.json holds, if it is there. */
int runs_read(reproduction *r);
/* Whether a run's key is one of KEYS. */
int runs_match(const json_t *run, const char *keys);
/* The run with this key, or NULL; in a plan, a run that says nothing. */
json_t *runs_find(const reproduction *r, const char *key);
/* Adds a run, whose reference it takes, with the conditions that it was made under (unless it has some), and writes the
 * file; `fields` NULL says that memory ran out. Fails behind that if an interrupt has come. */
int runs_add(reproduction *r, const char *key, json_t *fields);
int runs_write(const reproduction *r, json_t *verdict);
/* The best of several tries becomes a run, with the seconds of all of them. */
int runs_keep_best(reproduction *r, const char *key, const char *best, double seconds, int tries);
/* A field (as of columns) of a run, a new reference; NULL if there is none. */
json_t *run_field(const json_t *run, const char *field);
/* Tries that were made before these runs and came to nothing: they count as tries of each run that matches. */
int runs_tried_before(const reproduction *r, const char *keys, int tries);
/* The error of a run that was made under another configuration than this version's. */
int runs_stale(const reproduction *r, const char *key);
/* What of the runs that match has the field, has this number: another is an error, runs_stale(). */
int runs_agree(const reproduction *r, const char *keys, const char *field, double number);
/* What was measured with trained models was measured with those that are there; if not, runs_stale(). */
int runs_agree_with_models(const reproduction *r);
/* Fails once an interrupt has come. */
int stop_if_interrupted(void);
/* Writes a file whole, at once; takes the reference, NULL says that memory ran out. */
int json_write(json_t *file, const char *path);
/* FOLDER/NAME.REST; the caller frees it. NULL: no memory. */
char *runs_path(const reproduction *r, const char *rest);
json_t *numbers_json(const double *values, int64_t count);
/* Number in a field; NaN if there is none. */
double run_number(const json_t *run, const char *field);

/* ---- training (training.c) ---- */

typedef struct {
  const char *key;
  const char *words; /* those of `lsqnet train`, without --out and --rate; --init names a run's KEY.safetensors */
  double seconds;    /* most for each rate; INFINITY: steps alone end it, and every run of it is the same */
  const char *rates; /* learning rates to be tried, with commas between them; NULL: as `words` has it */
  int bits;          /* numbers of the data are rounded to so many bits, as rounded() does; 0: they are not */
} training_request;

/* Trains, evaluates on fresh data and adds a run with command, parameters, optimizer, steps, seconds (of all tries),
 * tries, mse, mean_square, relative, seconds_most (null: no limit), curve_steps, curve_seconds, curve_loss. A run with
 * this key and of the same configuration stays; one of another configuration is refused. In a plan: reads the words,
 * creates the model, and prints them. */
int train_run(reproduction *r, const training_request *request);

/* A gradient by BaseConv as the paper trains it, which takes days; at the smallest budget some steps of a small one. */
#define PAPER_STEP "paper_step"
int train_paper_step(reproduction *r, int64_t rows, int64_t dim, int layers, int width, const char *rate);

/* What a training ended with: its file lies beside NAME.json. Table and pictures are made without it. */
int trained_model(const reproduction *r, const char *key, lsqnet_model **model);

int64_t trained_weights(const lsqnet_model *model);

/* x to so many bits, the leading 1 included: 8 is bfloat16, 11 is float16, 24 is float32; 0 leaves it as it is.
 * Exponents are as large as they need to be. */
double rounded(double x, int bits);

/* ---- table, verdict and pictures (report.c, picture.c) ---- */

/* What of the claims holds, from the runs alone; NULL when memory runs out. *all is 1 if each of them does. */
json_t *verdict_make(const reproduction *r, int *all);
int report_write(const reproduction *r, const json_t *verdict);
int pictures_write(const reproduction *r);

/* One line on standard error, unless quiet. */
void tell(reproduction *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where a run is, on a terminal: a line that the next one takes the place of. */
void show(reproduction *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* That a measurement is at part `done` of `of`; fails once an interrupt has come. */
int go_on(reproduction *r, const char *key, int64_t done, int64_t of);

#endif
