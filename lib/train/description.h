/* What a run is, as texts of a checkpoint: a run can only be continued as what it was. */
#ifndef LSQ_TRAIN_DESCRIPTION_H
#define LSQ_TRAIN_DESCRIPTION_H

#include "store/safetensors.h"
#include "train/trainer.h"

enum { LSQ_RUN_TEXTS = 3 };

/* JSON objects under the keys "model", "task" and "options"; the caller frees the texts. */
lsqnet_status lsq_run_describe(lsq_text texts[LSQ_RUN_TEXTS], const lsqnet_trainer *trainer);
void lsq_run_describe_free(lsq_text texts[LSQ_RUN_TEXTS], const lsqnet_context *context);

/* E_ARGUMENT names the first key in which the saved run and this one differ, and both values. */
lsqnet_status lsq_run_compare(const lsq_archive *archive, const lsqnet_trainer *trainer);

#endif
