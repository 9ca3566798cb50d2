/* Samplers and layouts of the kinds of tasks (task.h), as kinds.c lists them. */
#ifndef LSQ_TASKS_KINDS_H
#define LSQ_TASKS_KINDS_H

#include "tasks/task.h"

typedef lsq_sample_room lsq_room_fn(const lsqnet_task *task);
typedef lsqnet_status lsq_prepare_fn(lsqnet_task *task);
typedef void lsq_shape_fn(const lsqnet_task *task, int64_t L, lsqnet_task_shape *shape);
typedef void lsq_sample_fn(const lsqnet_task *task, lsq_stream stream, lsq_sample *sample);
typedef void lsq_lay_out_fn(const lsqnet_task *task, const lsq_sample *sample, double *x, double *target);

/* primitives.c */
lsq_room_fn lsq_primitive_room;
lsq_prepare_fn lsq_multiply_prepare, lsq_read_prepare, lsq_linear_prepare;
lsq_shape_fn lsq_primitive_shape, lsq_multiply_shape, lsq_linear_shape;
lsq_sample_fn lsq_primitive_sample;
lsq_lay_out_fn lsq_identity_lay_out, lsq_square_lay_out, lsq_multiply_lay_out, lsq_read_lay_out, lsq_linear_lay_out;

/* problem.c */
lsq_room_fn lsq_problem_room;
lsq_sample_fn lsq_problem_sample, lsq_problem_sample_with_velocity;

/* least_squares.c */
lsq_shape_fn lsq_least_squares_shape, lsq_least_squares_icl_shape;
lsq_lay_out_fn lsq_least_squares_lay_out, lsq_least_squares_icl_lay_out;

/* gradient.c */
lsq_shape_fn lsq_gradient_shape, lsq_multistep_shape, lsq_momentum_shape;
lsq_lay_out_fn lsq_gradient_lay_out, lsq_multistep_lay_out, lsq_momentum_lay_out;

/* matrices.c */
lsq_room_fn lsq_newton_schulz_room;
lsq_shape_fn lsq_newton_schulz_shape, lsq_power_step_shape;
lsq_sample_fn lsq_newton_schulz_sample, lsq_power_step_sample;
lsq_lay_out_fn lsq_newton_schulz_lay_out, lsq_power_step_lay_out;

/* ode.c */
lsq_room_fn lsq_ode_room;
lsq_prepare_fn lsq_ode_prepare;
lsq_shape_fn lsq_ode_icl_shape, lsq_ode_icl_final_shape;
lsq_sample_fn lsq_ode_sample;
lsq_lay_out_fn lsq_ode_icl_lay_out, lsq_ode_icl_final_lay_out;

#endif
