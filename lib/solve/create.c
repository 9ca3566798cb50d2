#include <float.h>
#include <math.h>

#include "base/arithmetic.h"
#include "base/pool.h"
#include "kernels/lapack.h"
#include "solve/fold.h"
#include "solve/shipped.h"

static uint64_t next_serial(lsqnet_context *context) {
  return atomic_fetch_add_explicit(&context->serials, 1, memory_order_relaxed) + 1;
}

static lsqnet_status check_step(lsqnet_solver *solver) {
  const lsqnet_model_step *step = &solver->step;
  if (step->output == LSQNET_OUTPUT_NONE || step->prompt == NULL)
    return lsq_fail(LSQNET_E_ARGUMENT,
                    "the model says neither what it computes nor on which prompt: set its step first");
  if (step->output != LSQNET_OUTPUT_GRADIENT && step->output != LSQNET_OUTPUT_ITERATE)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the model's output is number %ld: the solver needs a gradient or an iterate",
                    (long)step->output);
  if (step->output == LSQNET_OUTPUT_GRADIENT) solver->step.iterates = 1;
  if (step->output == LSQNET_OUTPUT_ITERATE && !(step->step > 0.0))
    return lsq_fail(LSQNET_E_ARGUMENT, "the model's step=%g: an iterate needs a positive one", step->step);
  if (step->iterates < 1 || step->iterates > 16)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "the model's iterates=%lld: the solver takes 1 to 16",
                    (long long)step->iterates);
  return LSQNET_OK;
}

/* Weights of the scales t_j = 4^-j in the linear coefficient of x - x_k, over k s (respond.c). */
static lsqnet_status set_node_weights(lsqnet_solver *solver) {
  const int64_t k = solver->step.iterates;
  if (solver->step.output == LSQNET_OUTPUT_GRADIENT) return LSQNET_OK;
  for (int64_t j = 0; j < k; j++) {
    const double t = ldexp(1.0, -2 * (int)j);
    double weight = 1.0 / t;
    for (int64_t i = 0; i < k; i++)
      if (i != j) weight *= ldexp(1.0, -2 * (int)i) / (ldexp(1.0, -2 * (int)i) - t);
    solver->node_weights[j] = weight / ((double)k * solver->step.step);
    if (!(fabs(solver->node_weights[j]) * (double)solver->step.rows <= DBL_MAX))
      return lsq_fail(LSQNET_E_UNSUPPORTED, "the model's step=%g: gradients cannot be told from its iterates",
                      solver->step.step);
  }
  return LSQNET_OK;
}

static lsqnet_status take_model(lsqnet_solver *solver, const lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options options;
  LSQ_TRY(lsqnet_model_convert(&solver->model, model, LSQNET_F64));
  LSQ_TRY(lsqnet_model_get_options(solver->model, &options, sizeof options));
  solver->answer_width = options.out_width;
  LSQ_TRY(lsqnet_model_get_step(solver->model, &solver->step, sizeof solver->step));
  LSQ_TRY(check_step(solver));
  LSQ_TRY(lsq_prompt_find(solver->step.prompt, &solver->prompt));
  LSQ_TRY(lsq_prompt_shape(solver->prompt, solver->step.rows, solver->step.dim, &solver->prompt_rows,
                           &solver->prompt_width, &solver->read_row));
  LSQ_TRY(lsq_alloc(solver->context, &solver->node_weights, solver->step.iterates, sizeof(double)));
  LSQ_TRY(set_node_weights(solver));
  LSQ_TRY(lsq_prompts_open(solver));
  LSQ_TRY(lsq_fold_create(solver));
  if (solver->fold != NULL) lsq_prompts_close(solver); /* it is never asked again */
done:
  return st;
}

lsqnet_status lsq_solver_create(lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model,
                                const lsqnet_solver_options *options) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = NULL;
  if (options->lapack_fallback && !lsq_have_lapack())
    return lsq_fail(LSQNET_E_UNSUPPORTED, "lapack_fallback=1: this build of the library has no LAPACK");
  LSQ_TRY(lsq_check_arithmetic());
  LSQ_TRY(lsq_alloc(context, &solver, 1, sizeof *solver));
  solver->context = lsq_context_hold(context);
  solver->serial = next_serial(solver->context);
  solver->options = *options;
  if (model != NULL) {
    LSQ_TRY(take_model(solver, model));
  } else {
    LSQ_TRY(lsq_alloc(context, &solver->shipped, lsq_shipped_count, sizeof *solver->shipped));
  }
  *out = solver;
  solver = NULL;
done:
  lsq_solver_destroy(solver);
  return st;
}

lsqnet_status lsq_solver_join(lsqnet_solver **out, lsqnet_solver *leader) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = NULL;
  LSQ_TRY(lsq_alloc(leader->context, &solver, 1, sizeof *solver));
  *solver = (lsqnet_solver){.context = lsq_context_hold(leader->context),
                            .leader = leader,
                            .options = leader->options,
                            .model = leader->model,
                            .step = leader->step,
                            .prompt = leader->prompt,
                            .prompt_rows = leader->prompt_rows,
                            .prompt_width = leader->prompt_width,
                            .read_row = leader->read_row,
                            .answer_width = leader->answer_width,
                            .node_weights = leader->node_weights};
  LSQ_TRY(lsq_fold_share(solver));
  if (solver->fold == NULL) LSQ_TRY(lsq_prompts_open(solver));
  *out = solver;
  solver = NULL;
done:
  lsq_solver_destroy(solver);
  return st;
}

void lsq_solver_trim(lsqnet_solver *solver) {
  if (solver == NULL) return;
  for (int64_t i = 0; solver->shipped != NULL && i < lsq_shipped_count; i++) lsq_solver_trim(solver->shipped[i]);
  lsq_free(solver->context, solver->memory);
  lsq_free(solver->context, solver->reports);
  solver->memory = NULL;
  solver->reports = NULL;
  solver->memory_capacity = solver->reports_capacity = 0;
  solver->room = (lsq_room){0};
  solver->serial = next_serial(solver->context);
  if (solver->fold != NULL) lsq_fold_forget(solver);
}

void lsq_solver_destroy(lsqnet_solver *solver) {
  if (solver == NULL) return;
  lsqnet_context *context = solver->context;
  for (int64_t i = 0; solver->shipped != NULL && i < lsq_shipped_count; i++) lsq_solver_destroy(solver->shipped[i]);
  lsq_free(context, solver->shipped);
  for (int64_t i = 0; solver->others != NULL && i + 1 < lsq_pool_lanes(context->pool); i++)
    lsq_solver_destroy(solver->others[i]);
  lsq_free(context, solver->others);
  lsq_fold_destroy(solver);
  lsq_free(context, solver->reports);
  lsq_free(context, solver->outcomes);
  lsq_free(context, solver->memory);
  lsq_prompts_close(solver);
  if (solver->leader == NULL) lsq_free(context, solver->node_weights);
  if (solver->leader == NULL) lsqnet_model_destroy(solver->model);
  lsq_free(context, solver);
  lsqnet_context_destroy(context);
}

const char *lsqnet_stop_name(int32_t stopped) {
  static const char *const names[] = {"none",      "converged", "stagnated", "iterations", "rank",  "model",
                                      "unrefined", "data",      "fallback",  "time",       "caller"};
  return stopped >= 0 && stopped <= LSQNET_STOP_CALLER ? names[stopped] : NULL;
}
