/* Public structs have the same layout under every compiler: no padding inside or at the end, on 32-bit targets too. */
#include <lsqnet/lsqnet.h>

#include "base/sized.h"

/* A struct with `fours` fields of 4 bytes, `eights` of 8 bytes and `pointers`, of which `last` comes last. */
#define ASSERT_LAYOUT(type, last, fours, eights, pointers) \
  LSQ_ASSERT_TIGHT(type, last);                            \
  _Static_assert(sizeof(type) == 4 * (fours) + 8 * (eights) + sizeof(void *) * (pointers), #type " is padded inside")

ASSERT_LAYOUT(lsqnet_context_options, log_user, 4, 0, 5);
ASSERT_LAYOUT(lsqnet_mixer_sizes, reserved, 6, 2, 0);
ASSERT_LAYOUT(lsqnet_mixer_shape, count, 2, 4, 0);
ASSERT_LAYOUT(lsqnet_mixer_parameter, reference_name, 2, 5, 2);
ASSERT_LAYOUT(lsqnet_mixer, config, 2, 0, 15);
ASSERT_LAYOUT(lsqnet_model_options, mixer_config, 10, 7, 2);
ASSERT_LAYOUT(lsqnet_model_step, prompt, 2, 4, 2);
ASSERT_LAYOUT(lsqnet_parameter, reference_name, 2, 7, 2);
ASSERT_LAYOUT(lsqnet_batch, count, 2, 4, 0);
ASSERT_LAYOUT(lsqnet_construct_options, prompt, 2, 4, 2);
ASSERT_LAYOUT(lsqnet_load_options, config, 2, 4, 2);
ASSERT_LAYOUT(lsqnet_solver_options, stop_user, 4, 6, 2);
ASSERT_LAYOUT(lsqnet_problems, weights_stride, 2, 11, 0);
ASSERT_LAYOUT(lsqnet_state_options, forgetting, 2, 3, 0);
ASSERT_LAYOUT(lsqnet_state_info, drift, 2, 3, 0);
ASSERT_LAYOUT(lsqnet_task_options, prompt, 8, 17, 2);
ASSERT_LAYOUT(lsqnet_task_shape, scored, 2, 8, 0);
ASSERT_LAYOUT(lsqnet_train_options, restart_scale, 2, 35, 2);
ASSERT_LAYOUT(lsqnet_progress, restart, 4, 9, 0);
ASSERT_LAYOUT(lsqnet_report, why, 6, 9, 0);
