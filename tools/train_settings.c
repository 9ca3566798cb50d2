#include "train_settings.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "error.h"
#include "options.h"
#include "presets.h"

static const char about[] =
    "Trains a model on TASK and writes it to a file. TASK is one of identity, square, multiply, read, linear,\n"
    "least_squares, least_squares_icl, explicit_gradient, multistep_gd, ode_icl, ode_icl_final, newton_schulz,\n"
    "power_step and momentum. The same seed gives the same model, whatever the number of threads.\n";

/* An option whose target lies somewhere in the settings. */
typedef struct {
  option_kind kind;
  const char *name, *value, *help;
  size_t at;
  double least;
} entry;

#define AT(field) offsetof(train_settings, field)

static const entry entries[] = {
    {OPTION_TEXT, "--out", "FILE", "where the model goes (safetensors); needed", AT(out), 0},
    {OPTION_TEXT, "--preset", "NAME", "an experiment of the paper: task and options, which others override", AT(preset),
     0},
    {OPTION_INTEGER, "--seed", "N", "fixes initial weights and data (default 0)", AT(seed), 0},
    {OPTION_INTEGER, "--threads", "N", THREADS_HELP " (default 0)", AT(machine.threads), 0},
    {OPTION_CHOICE, "--level", LEVELS, LEVEL_HELP, AT(machine.level), LSQNET_KERNEL_AUTO},
    {OPTION_TEXT, "--log", "FILE.jsonl", "progress, a JSON object a line", AT(log), 0},
    {OPTION_INTEGER, "--log-every", "N", "steps between lines (default 100; 1 in Gauss-Newton)", AT(log_every), 1},
    {OPTION_FLAG, "--log-seconds", NULL, "tell the time in the log, which then differs from run to run",
     AT(log_seconds), 0},
    {OPTION_TEXT, "--checkpoint", "FILE",
     "where the state of the run goes now and then (default: beside OUT, until it is written)", AT(checkpoint), 0},
    {OPTION_REAL, "--checkpoint-seconds", "S", "seconds between checkpoints (default 60)", AT(checkpoint_seconds), 0},
    {OPTION_FLAG, "--resume", NULL, "go on from the checkpoint, bit for bit", AT(resume), 0},
    {OPTION_INTEGER, "--samples", "N", "fresh samples that the final loss is measured on (default 4096)", AT(samples),
     1},
    {OPTION_FLAG, "--quiet", NULL, "show no progress", AT(quiet), 0},
    {OPTION_FLAG, "--json", NULL, "print the report as one JSON object", AT(json), 0},

    {OPTION_INTEGER, "--rows", "L", "rows of data (default 20)", AT(task.rows), -DBL_MAX},
    {OPTION_INTEGER, "--dim", "D", "unknowns (default 5)", AT(task.dim), -DBL_MAX},
    {OPTION_TEXT, "--prompt", "NAME", "split, repeat, query_first or query_last (default: the task's own)",
     AT(task.prompt), 0},
    {OPTION_CHOICE, "--setting", "last|all",
     "explicit_gradient: rows that are scored; least_squares_icl: all is a row a pair", AT(task.setting), 0},
    {OPTION_INTEGER, "--iterates", "K", "steps of multistep_gd (default 1)", AT(task.iterates), -DBL_MAX},
    {OPTION_REAL, "--step", "S", "step size of multistep_gd and momentum (default 0.5)", AT(task.step), -DBL_MAX},
    {OPTION_REAL, "--task-momentum", "BETA", "momentum of the task of that name (default 0.9)", AT(task.momentum),
     -DBL_MAX},
    {OPTION_REAL, "--condition", "C", "singular values of A in [1, C] (default: left alone)", AT(task.condition),
     -DBL_MAX},
    {OPTION_REAL, "--singular-max", "S", "with --condition: the largest singular value", AT(task.singular_max),
     -DBL_MAX},
    {OPTION_REAL, "--scale-a", "F", "factor on A (default 1)", AT(task.scale_a), -DBL_MAX},
    {OPTION_REAL, "--scale-x", "F", "factor on x and its start (default 1)", AT(task.scale_x), -DBL_MAX},
    {OPTION_CHOICE, "--law-a", "normal|uniform|laplace|student_t", "law of A's entries", AT(task.law_a), 0},
    {OPTION_CHOICE, "--law-x", "normal|uniform|laplace|student_t", "law of x", AT(task.law_x), 0},
    {OPTION_REAL, "--freedom", "N", "degrees of freedom of student_t (default 3)", AT(task.freedom), -DBL_MAX},
    {OPTION_REAL, "--sparsity", "P", "share of A's entries that are zero (default 0)", AT(task.sparsity), -DBL_MAX},
    {OPTION_FLAG, "--normalise-rows", NULL, "rows of A at unit norm", AT(task.normalise_rows), 0},
    {OPTION_FLAG, "--normalise-x", NULL, "x and its start at unit norm", AT(task.normalise_x), 0},
    {OPTION_INTEGER, "--points", "N", "evaluation points of ODEs (default 25)", AT(task.points), -DBL_MAX},
    {OPTION_CHOICE, "--ode-class", "all|no-a2|no-a1", "terms of ODEs", AT(task.ode_class), 0},
    {OPTION_CHOICE, "--ode-points", "equispaced|random|chebyshev", "where ODEs are evaluated", AT(task.ode_points), 0},
    {OPTION_REAL, "--ode-spread", "O", "spread of the coefficients (default 1)", AT(task.ode_spread), -DBL_MAX},
    {OPTION_REAL, "--ode-variance", "V", "of the forcing's kernel (default 1)", AT(task.ode_variance), -DBL_MAX},
    {OPTION_REAL, "--ode-initial", "S", "scale of initial values (default 1)", AT(task.ode_initial), -DBL_MAX},
    {OPTION_REAL, "--ode-noise", "SD", "noise on the examples' u (default 0)", AT(task.ode_noise), -DBL_MAX},

    {OPTION_CHOICE, "--dtype", "f32|f64", "precision of the model (default f64)", AT(model.dtype), LSQNET_F32},
    {OPTION_TEXT, "--mixer", "NAME", "base_conv (default), attention or identity", AT(model.mixer), 0},
    {OPTION_TEXT, "--mixer-config", "JSON", "the mixer's configuration, which the next six change", AT(mixer_config),
     0},
    {OPTION_INTEGER, "--heads", "H", "heads of attention", AT(heads), 1},
    {OPTION_FLAG, "--softmax", NULL, "attention with softmax", AT(softmax), 0},
    {OPTION_CLEAR, "--no-softmax", NULL, "linear attention", AT(softmax), 0},
    {OPTION_FLAG, "--causal", NULL, "rows see the rows before them only", AT(causal), 0},
    {OPTION_CLEAR, "--no-causal", NULL, "rows see all rows", AT(causal), 0},
    {OPTION_TEXT, "--filter", "KIND", "filter of base_conv: short, long or implicit", AT(filter), 0},
    {OPTION_TEXT, "--taps", "K,...", "taps of filter short: one number, or one for each block", AT(taps), 0},
    {OPTION_TEXT, "--shift", "N,...", "rows that shifted channels of filter short look further back, as --taps",
     AT(shift), 0},
    {OPTION_INTEGER, "--shifted", "N", "channels that are shifted, the last ones", AT(shifted), 0},
    {OPTION_INTEGER, "--layers", "N", "blocks (default 3)", AT(model.layers), -DBL_MAX},
    {OPTION_INTEGER, "--width", "N", "channels of the blocks (default 64)", AT(model.width), -DBL_MAX},
    {OPTION_CHOICE, "--mlp", "none|relu|gelu|glu", "activation of the MLPs (default none)", AT(model.mlp), 0},
    {OPTION_INTEGER, "--mlp-factor", "N", "hidden channels of an MLP over the width (default 4)", AT(model.mlp_factor),
     -DBL_MAX},
    {OPTION_FLAG, "--residual", NULL, "skips around mixers and MLPs (default)", AT(model.residual), 0},
    {OPTION_CLEAR, "--no-residual", NULL, "no skips", AT(model.residual), 0},
    {OPTION_CLEAR, "--no-bias", NULL, "no biases in attention, MLPs and LayerNorms", AT(model.bias), 0},
    {OPTION_FLAG, "--norms", NULL, "LayerNorms before mixers, MLPs and the read-out", AT(norms), 0},
    {OPTION_CLEAR, "--no-norms", NULL, "no LayerNorms (default)", AT(norms), 0},
    {OPTION_FLAG, "--mixer-norm", NULL, "LayerNorm before mixers", AT(model.mixer_norm), 0},
    {OPTION_FLAG, "--mlp-norm", NULL, "LayerNorm before MLPs", AT(model.mlp_norm), 0},
    {OPTION_FLAG, "--final-norm", NULL, "LayerNorm before the read-out", AT(model.final_norm), 0},
    {OPTION_FLAG, "--freeze-projections", NULL, "read-in and read-out are identities, not trained",
     AT(model.freeze_projections), 0},
    {OPTION_FLAG, "--freeze-positions", NULL, "positions are zero, not trained", AT(model.freeze_positions), 0},
    {OPTION_REAL, "--init-scale", "X",
     "scale of the blocks' first weights; 0: the usual ones (default; Gauss-Newton: 1)", AT(init_scale), 0},
    {OPTION_TEXT, "--freeze", "NAME,...", "parameters that keep their first weights; * and ? as in file names",
     AT(freeze), 0},
    {OPTION_TEXT, "--keep", "NAME,...", "parameters that --init-scale leaves at their usual first weights", AT(keep),
     0},
    {OPTION_TEXT, "--scale", "NAME=F,...", "factors on first weights of parameters; * and ? as in file names",
     AT(scale), 0},
    {OPTION_TEXT, "--set", "NAME=V,...", "first weights of parameters; NAME=V:0-3x8: of rows 0 to 3, column 8", AT(set),
     0},
    {OPTION_TEXT, "--init", "FILE", "first weights from a model; blocks beyond its own repeat them", AT(init), 0},

    {OPTION_TEXT, "--optimizer", "NAME", "adam (default), adamw, sgd, levenberg_marquardt or gauss_newton_cg",
     AT(train.optimizer), 0},
    {OPTION_INTEGER, "--steps", "N", "most steps (default 10000)", AT(train.steps), -DBL_MAX},
    {OPTION_INTEGER, "--batch", "N", "samples a step (default 1024; Gauss-Newton: what its residuals need)",
     AT(train.batch), 1},
    {OPTION_REAL, "--target", "MSE", "end when the loss on fresh data is at or below it", AT(train.target), -DBL_MAX},
    {OPTION_REAL, "--rate", "R", "learning rate (default 1e-3)", AT(train.rate), -DBL_MAX},
    {OPTION_TEXT, "--schedule", "NAME", "constant, step (default) or adaptive", AT(train.schedule), 0},
    {OPTION_INTEGER, "--schedule-steps", "N", "steps between changes of the rate (default 3000)",
     AT(train.schedule_steps), -DBL_MAX},
    {OPTION_REAL, "--gamma", "F", "factor of the schedules (default 0.9)", AT(train.gamma), -DBL_MAX},
    {OPTION_REAL, "--rate-floor", "R", "the rate falls no further (default 1e-10)", AT(train.rate_floor), -DBL_MAX},
    {OPTION_REAL, "--beta1", "B", "Adam's (default 0.9)", AT(train.beta1), -DBL_MAX},
    {OPTION_REAL, "--beta2", "B", "Adam's (default 0.999)", AT(train.beta2), -DBL_MAX},
    {OPTION_REAL, "--epsilon", "E", "Adam's (default 1e-16)", AT(train.epsilon), -DBL_MAX},
    {OPTION_REAL, "--weight-decay", "W", "default 0; of Gauss-Newton a share of the loss", AT(train.weight_decay),
     -DBL_MAX},
    {OPTION_REAL, "--momentum", "B", "SGD's (default 0.9)", AT(train.momentum), -DBL_MAX},
    {OPTION_REAL, "--clip", "N", "largest norm of a gradient; 0: none (default 100)", AT(train.clip), -DBL_MAX},
    {OPTION_REAL, "--ema-decay", "A", "of the gradient filter (default 0.98)", AT(train.ema_decay), -DBL_MAX},
    {OPTION_REAL, "--ema-lambda", "F", "weight of the gradient filter (default 0: none)", AT(train.ema_lambda),
     -DBL_MAX},
    {OPTION_REAL, "--l1", "F", "loss-scaled L1 regularisation (default 0)", AT(train.l1), -DBL_MAX},
    {OPTION_REAL, "--metric-decay", "A", "of the adaptive schedule's cosine metric (default 0.9)",
     AT(train.metric_decay), -DBL_MAX},
    {OPTION_REAL, "--metric-threshold", "M", "the rate rises below it (default 0.9)", AT(train.metric_threshold),
     -DBL_MAX},
    {OPTION_INTEGER, "--metric-every", "N", "steps between measurements (default 1000)", AT(train.metric_every),
     -DBL_MAX},
    {OPTION_INTEGER, "--metric-batches", "N", "batches of a measurement (default 64)", AT(train.metric_batches),
     -DBL_MAX},
    {OPTION_INTEGER, "--no-increase-steps", "N", "the rate does not rise before (default 1000)",
     AT(train.no_increase_steps), -DBL_MAX},
    {OPTION_INTEGER, "--dims-start", "D", "curriculum: unknowns at first (default 0: none)", AT(train.dims_start),
     -DBL_MAX},
    {OPTION_INTEGER, "--dims-increment", "N", "more unknowns", AT(train.dims_increment), -DBL_MAX},
    {OPTION_INTEGER, "--dims-interval", "N", "every so many steps", AT(train.dims_interval), -DBL_MAX},
    {OPTION_INTEGER, "--rows-start", "L", "curriculum: rows at first (default 0: none)", AT(train.rows_start),
     -DBL_MAX},
    {OPTION_INTEGER, "--rows-increment", "N", "more rows", AT(train.rows_increment), -DBL_MAX},
    {OPTION_INTEGER, "--rows-interval", "N", "every so many steps", AT(train.rows_interval), -DBL_MAX},
    {OPTION_REAL, "--damping", "D", "Gauss-Newton's first (default: from the Jacobian)", AT(train.damping), -DBL_MAX},
    {OPTION_CHOICE, "--fresh-batch", "auto|no|yes", "Gauss-Newton: a new batch each iteration (default auto)",
     AT(train.fresh_batch), -1},
    {OPTION_INTEGER, "--memory", "BYTES",
     "most for Gauss-Newton's matrices: docs/training.md says how many (default 2^30)", AT(train.memory), -DBL_MAX},
    {OPTION_INTEGER, "--start-steps", "N", "most steps of Adam before Gauss-Newton (default -1: as it turns out)",
     AT(train.start_steps), -DBL_MAX},
    {OPTION_INTEGER, "--start-batch", "N", "samples of such a step (default 64)", AT(train.start_batch), -DBL_MAX},
    {OPTION_REAL, "--start-rate", "R", "its first learning rate (default 4e-3)", AT(train.start_rate), -DBL_MAX},
    {OPTION_INTEGER, "--restarts", "N", "Gauss-Newton: first weights to try, the best go on (default 1)",
     AT(train.restarts), -DBL_MAX},
};

enum { ENTRIES = sizeof entries / sizeof *entries };

static lsqnet_status defaults(train_settings *s) {
  lsqnet_status st = lsqnet_task_options_init(&s->task, sizeof s->task);
  if (st == LSQNET_OK) st = lsqnet_model_options_init(&s->model, sizeof s->model);
  if (st == LSQNET_OK) st = lsqnet_train_options_init(&s->train, sizeof s->train);
  s->task.name = NULL;
  s->softmax = s->causal = s->norms = -1;
  s->shifted = -1;
  s->init_scale = -1;
  s->checkpoint_seconds = 60;
  s->samples = 4096;
  return st;
}

static void bind(option out[ENTRIES + 1], train_settings *s) {
  for (int i = 0; i < ENTRIES; i++) {
    const entry *e = &entries[i];
    out[i] = (option){e->kind, e->name, e->value, e->help, (char *)s + e->at, e->least};
  }
  out[ENTRIES] = (option){.kind = OPTION_END};
}

static int read_words(train_settings *s, int argc, char **argv, int *helped) {
  option options[ENTRIES + 1];
  const char *files[FILES_MOST] = {NULL};
  bind(options, s);
  const command_line line = {"train TASK --out FILE [options]", about, options, 0, 1};
  const int code = options_read(&line, argc, argv, files, helped);
  if (files[0] != NULL) s->task.name = files[0];
  return code;
}

static int read_preset(train_settings *s, const char *name) {
  char *words[PRESET_WORDS_MOST + 1] = {(char[]){"train"}};
  char names[256];
  int count = 1, helped = 0;
  const preset *p = preset_find(name);
  if (p == NULL) {
    preset_list(names, sizeof names);
    return fail(CODE_USAGE, "option --preset: \"%.80s\" is not one of %s", name, names);
  }
  for (; count <= PRESET_WORDS_MOST && p->words[count - 1] != NULL; count++) words[count] = (char *)p->words[count - 1];
  return read_words(s, count, words, &helped);
}

static int check(const train_settings *s) {
  if (s->task.name == NULL) return fail(CODE_USAGE, "no task: lsqnet train TASK --out FILE");
  if (s->out == NULL) return fail(CODE_USAGE, "option --out is missing: where the model goes");
  if (s->init != NULL && s->init_scale > 0) {
    return fail(CODE_USAGE, "option --init: its weights leave nothing to draw with --init-scale");
  }
  return CODE_DONE;
}

static void spread(train_settings *s) {
  s->task.seed = s->model.seed = s->train.seed = (uint64_t)s->seed;
  if (s->norms >= 0) s->model.mixer_norm = s->model.mlp_norm = s->model.final_norm = s->norms;
  const int newton =
      strcmp(s->train.optimizer, "levenberg_marquardt") == 0 || strcmp(s->train.optimizer, "gauss_newton_cg") == 0;
  if (s->init_scale < 0) s->init_scale = newton ? 1 : 0;
  if (s->init_scale > 0) s->train.restart_scale = s->init_scale;
}

int train_settings_read(train_settings *s, int argc, char **argv, int *helped) {
  int code = CODE_DONE;
  train_settings first = {0};
  lsqnet_status st = defaults(&first);
  if (st == LSQNET_OK) st = defaults(s);
  if (st != LSQNET_OK) return fail_status(st, NULL);
  TRY(read_words(&first, argc, argv, helped)); /* for the preset that it names */
  if (*helped) return CODE_DONE;
  if (first.preset != NULL) TRY(read_preset(s, first.preset));
  TRY(read_words(s, argc, argv, helped));
  TRY(check(s));
  spread(s);
done:
  return code;
}
