/* The fields of options that calls check, each with what is tried on it. */
#include "api_table.h"

#define FIELD(kind, type, field) \
  { kind, #field, offsetof(type, field) }
#define C(kind, field) FIELD(kind, lsqnet_context_options, field)
const api_field context_fields[] = {C(ENUM, kernel_level), C(ENUM, log_level), {0}};
#define M(kind, field) FIELD(kind, lsqnet_model_options, field)
const api_field model_fields[] = {M(ENUM, dtype),
                                  M(COUNT, rows),
                                  M(COUNT, in_width),
                                  M(COUNT, out_width),
                                  M(COUNT, width),
                                  M(COUNT_0, layers),
                                  M(ENUM, mlp),
                                  M(FIELD_SWITCH, residual),
                                  M(FIELD_SWITCH, bias),
                                  M(FIELD_SWITCH, mixer_norm),
                                  M(FIELD_SWITCH, mlp_norm),
                                  M(FIELD_SWITCH, final_norm),
                                  M(FIELD_SWITCH, freeze_projections),
                                  M(FIELD_SWITCH, freeze_positions),
                                  M(NAME, mixer),
                                  {0}};
#define T(kind, field) FIELD(kind, lsqnet_model_step, field)
const api_field step_fields[] = {T(ENUM, output),
                                 T(COUNT, rows),
                                 T(COUNT, dim),
                                 T(FIELD_AT_LEAST_0, iterates),
                                 T(NUMBER, step),
                                 T(NAME, prompt),
                                 {0}};
#define B(kind, field) FIELD(kind, lsqnet_batch, field)
const api_field batch_fields[] = {B(COUNT, batch), B(COUNT, rows), B(COUNT_0, first), B(COUNT, count), {0}};
#define K(kind, field) FIELD(kind, lsqnet_construct_options, field)
const api_field construct_fields[] = {K(ENUM, dtype),  K(COUNT, rows), K(COUNT, dim),   K(FIELD_AT_LEAST_1, iterates),
                                      K(NUMBER, step), K(NAME, mixer), K(NAME, prompt), {0}};
const api_field gradient_fields[] = {K(ENUM, dtype), K(COUNT, rows),  K(COUNT, dim),
                                     K(NAME, mixer), K(NAME, prompt), {0}};
#define L(kind, field) FIELD(kind, lsqnet_load_options, field)
const api_field load_fields[] = {L(ENUM, output),      L(COUNT_0, rows), L(COUNT_0, dim),
                                 L(COUNT_0, iterates), L(NUMBER, step),  {0}};
#define O(kind, field) FIELD(kind, lsqnet_solver_options, field)
const api_field solver_fields[] = {O(ENUM, method),
                                   O(NUMBER, tolerance),
                                   O(NUMBER, step),
                                   O(FIELD_AT_LEAST_1, iterations),
                                   O(FIELD_AT_LEAST_0, corrections),
                                   O(FIELD_SWITCH, min_norm),
                                   O(FIELD_SWITCH, lapack_fallback),
                                   O(NUMBER, ridge),
                                   {0}};
#define Q(kind, field) FIELD(kind, lsqnet_problems, field)
const api_field problems_fields[] = {Q(FIELD_SWITCH, column_major),
                                     Q(COUNT_0, count),
                                     Q(COUNT, m),
                                     Q(COUNT, n),
                                     Q(COUNT, k),
                                     Q(COUNT_0, lda),
                                     Q(COUNT_0, ldb),
                                     Q(COUNT_0, ldx),
                                     {0}};
const api_field batch_problems_fields[] = {Q(FIELD_SWITCH, column_major),
                                           Q(COUNT_0, count),
                                           Q(COUNT, m),
                                           Q(COUNT, n),
                                           Q(COUNT, k),
                                           Q(COUNT_0, lda),
                                           Q(COUNT_0, ldb),
                                           Q(COUNT_0, ldx),
                                           Q(COUNT_0, a_stride),
                                           Q(COUNT_0, b_stride),
                                           Q(COUNT_0, x_stride),
                                           Q(COUNT_0, weights_stride),
                                           {0}};
#define A(kind, field) FIELD(kind, lsqnet_state_options, field)
const api_field state_fields[] = {A(FIELD_SWITCH, keep_rows), A(COUNT, n), A(COUNT, k), A(NUMBER, forgetting), {0}};
#define H(kind, field) FIELD(kind, lsqnet_task_options, field)
const api_field task_fields[] = {H(ENUM, setting),
                                 H(COUNT, rows),
                                 H(COUNT, dim),
                                 H(NUMBER, condition),
                                 H(NUMBER, scale_a),
                                 H(NUMBER, scale_x),
                                 H(NUMBER, sparsity),
                                 H(ENUM, law_a),
                                 H(ENUM, law_x),
                                 H(FIELD_SWITCH, normalise_rows),
                                 H(FIELD_SWITCH, normalise_x),
                                 H(NAME, name),
                                 H(NAME, prompt),
                                 {0}};
#define W(kind, field) FIELD(kind, lsqnet_task_shape, field)
const api_field shape_fields[] = {W(COUNT, rows),
                                  W(COUNT, in_width),
                                  W(COUNT, out_width),
                                  W(COUNT_0, first),
                                  W(FIELD_AT_LEAST_1, stride),
                                  W(COUNT, count),
                                  W(COUNT_0, scored_first),
                                  W(COUNT, scored),
                                  {0}};
#define R(kind, field) FIELD(kind, lsqnet_train_options, field)
const api_field train_fields[] = {R(FIELD_THREE, fresh_batch),
                                  R(FIELD_AT_LEAST_0, steps),
                                  R(FIELD_NOT_0, batch),
                                  R(NUMBER, target),
                                  R(NUMBER, rate),
                                  R(NUMBER, beta1),
                                  R(NUMBER, beta2),
                                  R(NUMBER, epsilon),
                                  R(NUMBER, weight_decay),
                                  R(NUMBER, momentum),
                                  R(NUMBER, clip),
                                  R(NUMBER, ema_decay),
                                  R(NUMBER, ema_lambda),
                                  R(NUMBER, gamma),
                                  R(NUMBER, metric_decay),
                                  R(NUMBER, metric_threshold),
                                  R(NUMBER, rate_floor),
                                  R(NUMBER, l1),
                                  R(NUMBER, damping),
                                  R(COUNT_0, dims_start),
                                  R(COUNT_0, rows_start),
                                  R(FIELD_AT_LEAST_1, schedule_steps),
                                  R(NUMBER, start_rate),
                                  R(NUMBER, restart_scale),
                                  R(NAME, optimizer),
                                  R(NAME, schedule),
                                  {0}};
#define X(kind, field) FIELD(kind, lsqnet_mixer, field)
const api_field mixer_fields[] = {X(ENUM, flags),
                                  X(IN, name),
                                  X(FUNCTION, create),
                                  X(FUNCTION, destroy),
                                  X(FUNCTION, parameter_count),
                                  X(FUNCTION, parameter),
                                  X(FUNCTION, workspace),
                                  X(FUNCTION, forward_f64),
                                  X(FUNCTION, backward_f64),
                                  {0}};
