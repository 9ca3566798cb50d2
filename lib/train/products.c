#include "train/products.h"

#include <string.h>

#include "model/workspace.h"
#include "tasks/task.h"

struct lsq_products {
  lsqnet_trainer *trainer;
  const lsq_jacobian *jacobian;
  lsqnet_workspace *workspace;
  int64_t samples, slab; /* of the batch; of a slab, the last may be smaller */
  const double *X;
  double *direction; /* (weight_count) */
  double *y;         /* (slab, rows, out_width) output of a pass or what goes back through it */
};

static int64_t rows_read(const lsq_products *p) { return lsq_task_read_rows(&p->trainer->shape); }

static int64_t output_size(const lsq_products *p) { return rows_read(p) * p->trainer->model->options.out_width; }

lsqnet_status lsq_products_create(lsq_products **out, lsqnet_trainer *trainer, const lsq_jacobian *jacobian,
                                  int64_t samples, int64_t memory) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model *model = trainer->model;
  lsq_products *p = NULL;
  if (model->mixer->jvp_f64 == NULL && model->options.layers > 0)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "mixer \"%s\" has no jvp, which products with the Jacobian need",
                    model->mixer->name);
  LSQ_TRY(lsq_alloc(trainer->context, &p, 1, sizeof *p));
  p->trainer = trainer;
  p->jacobian = jacobian;
  p->samples = samples;
  p->slab = memory / (8 * lsq_jacobian_cache(jacobian));
  if (p->slab > samples) p->slab = samples;
  if (p->slab < 1) p->slab = 1;
  LSQ_TRY(lsqnet_workspace_create(&p->workspace, model));
  LSQ_TRY(lsq_alloc(trainer->context, &p->direction, model->weight_count, sizeof(double)));
  LSQ_TRY(lsq_alloc(trainer->context, &p->y, p->slab * output_size(p), sizeof(double)));
  *out = p;
  p = NULL;
done:
  lsq_products_destroy(p);
  return st;
}

void lsq_products_destroy(lsq_products *p) {
  if (p == NULL) return;
  const lsqnet_context *context = p->trainer->context;
  lsqnet_workspace_destroy(p->workspace);
  lsq_free(context, p->direction);
  lsq_free(context, p->y);
  lsq_free(context, p);
}

/* p->y <- the output of a slab's forward pass. */
static lsqnet_status forward(lsq_products *p, int64_t first, int64_t samples) {
  const lsqnet_task_shape *s = &p->trainer->shape;
  const lsqnet_batch batch = {
      .size = sizeof batch, .batch = samples, .rows = s->rows, .first = s->first, .count = rows_read(p)};
  return lsq_batch_forward_f64(p->workspace, &batch, p->X + first * s->rows * s->in_width, p->y);
}

/* Residual-like numbers of a slab from p->y, and back, with zeros between. */
static void gather(const lsq_products *p, int64_t samples, double *q) {
  const int64_t outputs = lsq_jacobian_outputs(p->jacobian), size = output_size(p);
  for (int64_t i = 0; i < samples; i++)
    for (int64_t k = 0; k < outputs; k++) q[i * outputs + k] = p->y[i * size + lsq_jacobian_place(p->jacobian, k)];
}

static void scatter(const lsq_products *p, int64_t samples, const double *q) {
  const int64_t outputs = lsq_jacobian_outputs(p->jacobian), size = output_size(p);
  memset(p->y, 0, (size_t)(samples * size) * sizeof *p->y);
  for (int64_t i = 0; i < samples; i++)
    for (int64_t k = 0; k < outputs; k++) p->y[i * size + lsq_jacobian_place(p->jacobian, k)] = q[i * outputs + k];
}

/* z += J'q of a slab whose forward pass was the last. */
static lsqnet_status add_transposed(lsq_products *p, int64_t samples, const double *q, double *z) {
  lsqnet_status st = LSQNET_OK;
  const int64_t P = lsq_jacobian_weights(p->jacobian), *places = lsq_jacobian_places(p->jacobian);
  scatter(p, samples, q);
  LSQ_TRY(lsq_batch_backward_f64(p->workspace, p->y, NULL));
  const double *gradient = lsqnet_workspace_gradient_f64(p->workspace);
  for (int64_t i = 0; i < P; i++) z[i] += gradient[places[i]];
done:
  return st;
}

static int64_t slab_size(const lsq_products *p, int64_t first) {
  return p->samples - first < p->slab ? p->samples - first : p->slab;
}

lsqnet_status lsq_products_linearise(lsq_products *p, const double *X, const double *Y, double *r, double *g,
                                     double *sum) {
  lsqnet_status st = LSQNET_OK;
  const int64_t outputs = lsq_jacobian_outputs(p->jacobian);
  p->X = X;
  memset(g, 0, (size_t)lsq_jacobian_weights(p->jacobian) * sizeof *g);
  for (int64_t first = 0; first < p->samples; first += p->slab) {
    const int64_t samples = slab_size(p, first);
    double *part = r + first * outputs;
    LSQ_TRY(forward(p, first, samples));
    gather(p, samples, part);
    for (int64_t i = 0; i < samples * outputs; i++) part[i] -= Y[first * outputs + i];
    LSQ_TRY(add_transposed(p, samples, part, g));
  }
  *sum = 0.0;
  for (int64_t i = 0; i < p->samples * outputs; i++) *sum += r[i] * r[i];
done:
  return st;
}

lsqnet_status lsq_products_normal(lsq_products *p, const double *v, double *q, double *z) {
  lsqnet_status st = LSQNET_OK;
  const int64_t outputs = lsq_jacobian_outputs(p->jacobian), P = lsq_jacobian_weights(p->jacobian);
  for (int64_t i = 0; i < P; i++) p->direction[lsq_jacobian_places(p->jacobian)[i]] = v[i]; /* the others stay zero */
  memset(z, 0, (size_t)P * sizeof *z);
  for (int64_t first = 0; first < p->samples; first += p->slab) {
    const int64_t samples = slab_size(p, first);
    double *part = q + first * outputs;
    if (p->slab < p->samples) LSQ_TRY(forward(p, first, samples));
    LSQ_TRY(lsq_batch_jvp_f64(p->workspace, NULL, p->direction, p->y));
    gather(p, samples, part);
    LSQ_TRY(add_transposed(p, samples, part, z));
  }
done:
  return st;
}
