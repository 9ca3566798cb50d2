/* The model that `lsqnet train` begins with, and what it says of itself at the end. */
#ifndef TOOLS_TRAIN_MODEL_H
#define TOOLS_TRAIN_MODEL_H

#include "train_settings.h"

/* A model that fits the task, with its first weights. */
int train_model_create(lsqnet_model **out, lsqnet_context *context, const lsqnet_task *task, const train_settings *s);

/* Notes in the model what its output is, for solvers and `lsqnet eval`. */
int train_model_set_step(lsqnet_model *model, const lsqnet_task *task);

#endif
