#include "tasks/kinds.h"

#include <stdio.h>
#include <string.h>

/* A new task is one more line: name, its own prompt, whether it takes any prompt, room, prepare, shape, sample, layout.
 */
static const lsq_task_kind kinds[] = {
    {"identity", NULL, 0, lsq_primitive_room, NULL, lsq_primitive_shape, lsq_primitive_sample, lsq_identity_lay_out},
    {"square", NULL, 0, lsq_primitive_room, NULL, lsq_primitive_shape, lsq_primitive_sample, lsq_square_lay_out},
    {"multiply", NULL, 0, lsq_primitive_room, lsq_multiply_prepare, lsq_multiply_shape, lsq_primitive_sample,
     lsq_multiply_lay_out},
    {"read", NULL, 0, lsq_primitive_room, lsq_read_prepare, lsq_primitive_shape, lsq_primitive_sample,
     lsq_read_lay_out},
    {"linear", NULL, 0, lsq_primitive_room, lsq_linear_prepare, lsq_linear_shape, lsq_primitive_sample,
     lsq_linear_lay_out},
    {"least_squares", NULL, 0, lsq_problem_room, NULL, lsq_least_squares_shape, lsq_problem_sample,
     lsq_least_squares_lay_out},
    {"least_squares_icl", NULL, 0, lsq_problem_room, NULL, lsq_least_squares_icl_shape, lsq_problem_sample,
     lsq_least_squares_icl_lay_out},
    {"explicit_gradient", "query_first", 1, lsq_problem_room, NULL, lsq_gradient_shape, lsq_problem_sample,
     lsq_gradient_lay_out},
    {"multistep_gd", "query_last", 1, lsq_problem_room, NULL, lsq_multistep_shape, lsq_problem_sample,
     lsq_multistep_lay_out},
    {"ode_icl", NULL, 0, lsq_ode_room, lsq_ode_prepare, lsq_ode_icl_shape, lsq_ode_sample, lsq_ode_icl_lay_out},
    {"ode_icl_final", NULL, 0, lsq_ode_room, lsq_ode_prepare, lsq_ode_icl_final_shape, lsq_ode_sample,
     lsq_ode_icl_final_lay_out},
    {"newton_schulz", NULL, 0, lsq_newton_schulz_room, NULL, lsq_newton_schulz_shape, lsq_newton_schulz_sample,
     lsq_newton_schulz_lay_out},
    {"power_step", NULL, 0, lsq_problem_room, NULL, lsq_power_step_shape, lsq_power_step_sample,
     lsq_power_step_lay_out},
    {"momentum", "split", 0, lsq_problem_room, NULL, lsq_momentum_shape, lsq_problem_sample_with_velocity,
     lsq_momentum_lay_out},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

const char *lsq_task_kind_name(int64_t index) { return index >= 0 && index < KINDS ? kinds[index].name : NULL; }

lsqnet_status lsq_task_kind_find(const char *name, const lsq_task_kind **out) {
  char known[512] = "";
  size_t used = 0;
  *out = NULL;
  for (int i = 0; name != NULL && i < KINDS; i++)
    if (strcmp(kinds[i].name, name) == 0) {
      *out = &kinds[i];
      return LSQNET_OK;
    }
  for (int i = 0; i < KINDS && used < sizeof known; i++)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", kinds[i].name);
  return lsq_fail(LSQNET_E_ARGUMENT, "task=%.64s: the tasks are %s", name == NULL ? "NULL" : name, known);
}
