/* What a command line of `lsqnet train` asks for. */
#ifndef TOOLS_TRAIN_SETTINGS_H
#define TOOLS_TRAIN_SETTINGS_H

#include <lsqnet/lsqnet.h>

#include "machine.h"

typedef struct {
  lsqnet_task_options task;
  lsqnet_model_options model;
  lsqnet_train_options train;
  const char *preset;
  const char *mixer_config; /* JSON as given */
  const char *shift;        /* as taps */
  const char *taps;         /* a number or several with commas between them; NULL: as the filter's kind has it */
  const char *filter;       /* NULL, as -1 and 0 below: as mixer_config or the mixer says */
  int softmax, causal;      /* -1 */
  int64_t shifted;          /* -1 */
  int64_t heads;            /* 0 */
  int norms;                /* all three LayerNorms; -1: as each says */
  double init_scale;        /* < 0: the optimiser's usual; 0: the model's usual initial weights */
  const char *init;         /* a model file to begin from */
  const char *freeze;       /* patterns of parameters' names, with commas between them */
  const char *keep;         /* the same */
  const char *scale;        /* the same, with factors: NAME=F or NAME=F:PART */
  const char *set;          /* with values: NAME=V or NAME=V:PART */
  const char *out, *log, *checkpoint;
  double checkpoint_seconds;
  int64_t log_every; /* 0: 100, and 1 in Gauss-Newton */
  machine machine;
  int64_t seed, samples;
  int resume, log_seconds, quiet, json;
} train_settings;

/* Reads the command line, a preset's words before the user's. */
int train_settings_read(train_settings *s, int argc, char **argv, int *helped);

#endif
