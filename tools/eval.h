/* Measurements of `lsqnet eval`. */
#ifndef TOOLS_EVAL_H
#define TOOLS_EVAL_H

#include <lsqnet/lsqnet.h>

typedef struct {
  int64_t iterations;      /* applications of the model */
  double model, reference; /* mean squared error of x: the model's, and that of gradient descent in float64 */
} iteration;

/* Applies a model that takes a gradient step, again and again, beside gradient descent itself, on `problems`
 * well-conditioned problems. */
int eval_iterate(iteration *out, const lsqnet_model *model, lsqnet_context *context, const lsqnet_model_step *step,
                 uint64_t seed, int64_t problems);

#endif
