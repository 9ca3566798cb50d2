/* The list of a model's parameters. */
#ifndef LSQ_MODEL_PARAMETERS_H
#define LSQ_MODEL_PARAMETERS_H

#include "model/model.h"

/* Fills parameters, weight_count, slots and the indices of the parts from the options and the blocks' mixers. */
lsqnet_status lsq_model_list_parameters(lsqnet_model *model);

/* Frees the list, half-built ones too. */
void lsq_model_free_parameters(lsqnet_model *model);

#endif
