#include "solve/fold.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "layers/config.h"

enum { WIDEST = 64 };                    /* D beyond which a map would be larger than it is worth */
enum { MOST_TERMS = 1 << 20 };           /* so many are no trained model's */
static const double ROUNDINGS = 0x1p-46; /* of products of weights, beside the largest */
static const double SAME = 0x1p-36;      /* relative difference of the answers of a model and its map */

/* ---- which models ---- */

static lsqnet_status read_config(const char *text, int64_t *heads, int32_t *softmax) {
  static const char *const keys[] = {"heads", "softmax", "causal", NULL};
  lsqnet_status st = LSQNET_OK;
  json_t *config = NULL;
  *heads = *softmax = 1;
  LSQ_TRY(lsq_config_parse(&config, "attention", text, keys));
  LSQ_TRY(lsq_config_integer(config, "attention", "heads", heads));
  LSQ_TRY(lsq_config_boolean(config, "attention", "softmax", softmax));
done:
  json_decref(config);
  return st;
}

static lsqnet_status is_linear_attention(const lsqnet_solver *solver, const lsqnet_model_options *o, int64_t *heads,
                                         int *is) {
  lsqnet_status st = LSQNET_OK;
  int32_t softmax = 1;
  *is = o->layers == 1 && strcmp(o->mixer, "attention") == 0 && o->mlp == LSQNET_MLP_NONE && !o->mixer_norm &&
        !o->final_norm && solver->prompt->query == LSQ_QUERY_LAST && solver->step.iterates == 1 &&
        solver->step.dim <= WIDEST && o->width <= 16 * WIDEST;
  if (*is) LSQ_TRY(read_config(o->mixer_config, heads, &softmax));
  *is = *is && !softmax;
done:
  return st;
}

/* ---- from weights to terms ---- */

/* Embedded unit vectors of (a, b, 1) and (x, 1) as rows; their keys, values and queries; read-out times output
 * projection; and by head what queries make of keys, and read-out of values. */
typedef struct {
  int64_t D, W, heads;
  double *row, *query;          /* (D+2,W), (D+1,W) */
  double *k, *v, *q, *out;      /* (D+2,W), (D+2,W), (D+1,W), (D,W) */
  double *scores, *values;      /* (heads,D+1,D+2), (heads,D,D+2) */
  double *parameter, *read_out; /* as read from the model */
} parts;

static void free_parts(const lsqnet_solver *solver, parts *p) {
  double *const all[] = {p->row, p->query, p->k, p->v, p->q, p->out, p->scores, p->values, p->parameter, p->read_out};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lsq_free(solver->context, all[i]);
}

/* The parameter called `name`, (count); zeros if the model has none such. */
static lsqnet_status fetch(const lsqnet_solver *solver, const char *name, int64_t count, double **values) {
  lsqnet_status st = LSQNET_OK;
  const int64_t index = lsqnet_model_find_parameter(solver->model, name);
  lsq_free(solver->context, *values);
  LSQ_TRY(lsq_alloc(solver->context, values, count, sizeof **values));
  if (index >= 0) LSQ_TRY(lsqnet_model_read_parameter(solver->model, index, *values, count));
done:
  return st;
}

static lsqnet_status embed(const lsqnet_solver *solver, const lsqnet_model_options *o, parts *p) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = p->D, W = p->W, from = solver->prompt->own_channels ? D + 1 : 0;
  LSQ_TRY(lsq_alloc(solver->context, &p->row, (D + 2) * W, sizeof(double)));
  LSQ_TRY(lsq_alloc(solver->context, &p->query, (D + 1) * W, sizeof(double)));
  LSQ_TRY(fetch(solver, "read_in.weight", W * o->in_width, &p->parameter));
  for (int64_t c = 0; c < W; c++) {
    for (int64_t j = 0; j <= D; j++) p->row[j * W + c] = p->parameter[c * o->in_width + j];
    for (int64_t j = 0; j < D; j++) p->query[j * W + c] = p->parameter[c * o->in_width + from + j];
  }
  LSQ_TRY(fetch(solver, "read_in.bias", W, &p->parameter));
  for (int64_t c = 0; c < W; c++) p->row[(D + 1) * W + c] = p->query[D * W + c] = p->parameter[c];
  LSQ_TRY(fetch(solver, "positions.weight", o->rows * W, &p->parameter));
  for (int64_t c = 0; c < W; c++) {
    p->row[(D + 1) * W + c] += p->parameter[c];
    p->query[D * W + c] += p->parameter[solver->read_row * W + c];
  }
done:
  return st;
}

static lsqnet_status project(const lsqnet_solver *solver, parts *p) {
  lsqnet_status st = LSQNET_OK;
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  const int64_t D = p->D, W = p->W;
  double *bias = NULL;
  LSQ_TRY(lsq_alloc(solver->context, &p->q, (D + 1) * W, sizeof(double)));
  LSQ_TRY(lsq_alloc(solver->context, &p->k, (D + 2) * W, sizeof(double)));
  LSQ_TRY(lsq_alloc(solver->context, &p->v, (D + 2) * W, sizeof(double)));
  LSQ_TRY(fetch(solver, "blocks.0.mixer.qkv.weight", 3 * W * W, &p->parameter));
  LSQ_TRY(fetch(solver, "blocks.0.mixer.qkv.bias", 3 * W, &bias));
  kernels->product_nt(D + 1, W, W, p->query, W, p->parameter, W, NULL, p->q, W, 0);
  kernels->product_nt(D + 2, W, W, p->row, W, p->parameter + W * W, W, NULL, p->k, W, 0);
  kernels->product_nt(D + 2, W, W, p->row, W, p->parameter + 2 * W * W, W, NULL, p->v, W, 0);
  for (int64_t c = 0; c < W; c++) { /* to the constants only */
    p->q[D * W + c] += bias[c];
    p->k[(D + 1) * W + c] += bias[W + c];
    p->v[(D + 1) * W + c] += bias[2 * W + c];
  }
done:
  lsq_free(solver->context, bias);
  return st;
}

static lsqnet_status combine(const lsqnet_solver *solver, parts *p) {
  lsqnet_status st = LSQNET_OK;
  const struct lsq_kernels_f64 *kernels = solver->context->kernels_f64;
  const int64_t D = p->D, W = p->W, S = W / p->heads;
  LSQ_TRY(fetch(solver, "blocks.0.mixer.out_proj.weight", W * W, &p->parameter));
  LSQ_TRY(fetch(solver, "read_out.weight", solver->answer_width * W, &p->read_out));
  LSQ_TRY(lsq_alloc(solver->context, &p->out, D * W, sizeof(double)));
  LSQ_TRY(lsq_alloc(solver->context, &p->scores, p->heads * (D + 1) * (D + 2), sizeof(double)));
  LSQ_TRY(lsq_alloc(solver->context, &p->values, p->heads * D * (D + 2), sizeof(double)));
  kernels->product_nn(D, W, W, p->read_out, W, p->parameter, W, p->out, W, 0);
  for (int64_t h = 0; h < p->heads; h++) {
    double *scores = p->scores + h * (D + 1) * (D + 2), *values = p->values + h * D * (D + 2);
    kernels->product_nt(D + 1, D + 2, S, p->q + h * S, W, p->k + h * S, W, NULL, scores, D + 2, 0);
    kernels->product_nt(D, D + 2, S, p->out + h * S, W, p->v + h * S, W, NULL, values, D + 2, 0);
    for (int64_t i = 0; i < (D + 1) * (D + 2); i++) scores[i] /= sqrt((double)S);
  }
done:
  return st;
}

/* What sum_i left_i right_i weighs in answer j to unit vector `query`, D standing for x = 0. */
static double weight_of(const parts *p, int64_t j, int64_t query, int64_t left, int64_t right) {
  const int64_t E = p->D + 2;
  double sum = 0.0;
  for (int64_t h = 0; h < p->heads; h++) {
    const double *scores = p->scores + (h * (p->D + 1) + query) * E, *values = p->values + (h * p->D + j) * E;
    sum += scores[left] * values[right];
    if (left != right) sum += scores[right] * values[left];
  }
  return sum;
}

/* Terms that are no roundings, counted where `terms` has no arrays yet. The whole is times `factor`. */
static int64_t list_system(const parts *p, double factor, double least, lsq_fold_terms *terms) {
  const int64_t D = p->D;
  int64_t count = 0;
  for (int64_t list = 0; list < D * D; list++) {
    if (terms != NULL) terms->first[list] = count;
    for (int64_t right = 0; right < D; right++)
      for (int64_t left = 0; left <= right; left++) {
        const double weight = factor * weight_of(p, list / D, list % D, left, right);
        if (!(fabs(weight) > least)) continue;
        if (terms != NULL) {
          terms->left[count] = left;
          terms->right[count] = right;
          terms->weight[count] = weight;
        }
        count++;
      }
  }
  if (terms != NULL) terms->first[D * D] = count;
  return count;
}

static int64_t list_side(const parts *p, double factor, double least, lsq_fold_terms *terms) {
  int64_t count = 0;
  for (int64_t j = 0; j < p->D; j++) {
    terms->first[j] = count;
    for (int64_t left = 0; left < p->D; left++) {
      const double weight = -factor * weight_of(p, j, p->D, left, p->D);
      if (!(fabs(weight) > least)) continue;
      terms->left[count] = left;
      terms->weight[count++] = weight;
    }
  }
  terms->first[p->D] = count;
  return count;
}

static double largest_weight(const parts *p, double factor) {
  double largest = 0.0;
  for (int64_t j = 0; j < p->D; j++)
    for (int64_t query = 0; query < p->D; query++)
      for (int64_t right = 0; right < p->D; right++)
        for (int64_t left = 0; left <= right; left++)
          largest = fmax(largest, fabs(factor * weight_of(p, j, query, left, right)));
  return largest;
}

static lsqnet_status reserve_terms(const lsqnet_solver *solver, int64_t lists, int64_t count, lsq_fold_terms *terms) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_alloc(solver->context, &terms->first, lists + 1, sizeof(int64_t)));
  LSQ_TRY(lsq_alloc(solver->context, &terms->left, count + 1, sizeof(int64_t)));
  LSQ_TRY(lsq_alloc(solver->context, &terms->right, count + 1, sizeof(int64_t)));
  LSQ_TRY(lsq_alloc(solver->context, &terms->weight, count + 1, sizeof(double)));
done:
  return st;
}

/* *listed is 0 if there are too many terms. */
static lsqnet_status list_terms(lsqnet_solver *solver, const parts *p, int *listed) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_fold *fold = solver->fold;
  const double L = (double)solver->step.rows;
  const double factor = solver->step.output == LSQNET_OUTPUT_GRADIENT ? L : -L * solver->node_weights[0];
  const double least = ROUNDINGS * largest_weight(p, factor);
  const int64_t count = list_system(p, factor, least, NULL);
  *listed = count <= MOST_TERMS;
  if (!*listed) goto done;
  LSQ_TRY(reserve_terms(solver, p->D * p->D, count, &fold->system));
  LSQ_TRY(reserve_terms(solver, p->D, p->D * p->D, &fold->side));
  (void)list_system(p, factor, least, &fold->system);
  (void)list_side(p, factor, least, &fold->side);
done:
  return st;
}

/* ---- whether the map is the model ---- */

/* Answer j of the map to x, for data [A b] of which M (D+1,D+1) holds the products of columns. */
static double answer_of(const struct lsq_fold *fold, int64_t D, int64_t j, const double *M, const double *x) {
  const lsq_fold_terms *system = &fold->system, *side = &fold->side;
  double sum = 0.0;
  for (int64_t list = j * D; list < (j + 1) * D; list++)
    for (int64_t t = system->first[list]; t < system->first[list + 1]; t++)
      sum += x[list % D] * system->weight[t] * M[system->left[t] * (D + 1) + system->right[t]];
  for (int64_t t = side->first[j]; t < side->first[j + 1]; t++) sum -= side->weight[t] * M[side->left[t] * (D + 1) + D];
  return sum;
}

/* Asks both about a block of rows and a part of one, for random data and x. */
static lsqnet_status compare(lsqnet_solver *solver, int *same) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = solver->step.dim, m = solver->step.rows + (solver->step.rows + 1) / 2;
  double *data = NULL, *b = NULL, *answer = NULL, *M = NULL; /* data [A b] */
  int64_t *columns = NULL;
  double error = 0.0, size = 0.0;
  LSQ_TRY(lsq_alloc(solver->context, &columns, D, sizeof *columns));
  LSQ_TRY(lsq_alloc(solver->context, &data, m * (D + 1) + D, sizeof *data));
  LSQ_TRY(lsq_alloc(solver->context, &b, m, sizeof *b));
  LSQ_TRY(lsq_alloc(solver->context, &answer, D, sizeof *answer));
  LSQ_TRY(lsq_alloc(solver->context, &M, (D + 1) * (D + 1), sizeof *M));
  const double *x = data + m * (D + 1);
  lsq_random_normals(0, 0, 0, m * (D + 1) + D, data);
  for (int64_t i = 0; i < m; i++) b[i] = data[i * (D + 1) + D];
  for (int64_t j = 0; j < D; j++) columns[j] = j;
  LSQ_TRY(lsq_respond(solver, m, data, D + 1, b, D, columns, 1, x, answer));
  solver->context->kernels_f64->product_tn(D + 1, D + 1, m, data, D + 1, data, D + 1, M, D + 1, 0);
  for (int64_t j = 0; j < D; j++) {
    const double expected = answer_of(solver->fold, D, j, M, x);
    error += fabs(answer[j] - expected);
    size += fabs(answer[j]) + fabs(expected);
  }
  *same = error <= SAME * size && size <= DBL_MAX;
  solver->model_calls = 0;
done:
  lsq_free(solver->context, M);
  lsq_free(solver->context, answer);
  lsq_free(solver->context, b);
  lsq_free(solver->context, data);
  lsq_free(solver->context, columns);
  return st;
}

lsqnet_status lsq_fold_create(lsqnet_solver *solver) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_options o;
  parts p = {.D = solver->step.dim};
  int can = 0;
  LSQ_TRY(lsqnet_model_get_options(solver->model, &o, sizeof o));
  LSQ_TRY(is_linear_attention(solver, &o, &p.heads, &can));
  if (!can) goto done;
  p.W = o.width;
  LSQ_TRY(lsq_alloc(solver->context, &solver->fold, 1, sizeof *solver->fold));
  LSQ_TRY(embed(solver, &o, &p));
  LSQ_TRY(project(solver, &p));
  LSQ_TRY(combine(solver, &p));
  LSQ_TRY(list_terms(solver, &p, &can));
  if (can) LSQ_TRY(compare(solver, &can));
done:
  free_parts(solver, &p);
  if (!can || st != LSQNET_OK) lsq_fold_destroy(solver);
  return st;
}

lsqnet_status lsq_fold_share(lsqnet_solver *solver) {
  lsqnet_status st = LSQNET_OK;
  const struct lsq_fold *theirs = solver->leader->fold;
  if (theirs == NULL) return LSQNET_OK;
  LSQ_TRY(lsq_alloc(solver->context, &solver->fold, 1, sizeof *solver->fold));
  solver->fold->system = theirs->system;
  solver->fold->side = theirs->side;
done:
  return st;
}

static void free_terms(const lsqnet_solver *solver, lsq_fold_terms *terms) {
  lsq_free(solver->context, terms->first);
  lsq_free(solver->context, terms->left);
  lsq_free(solver->context, terms->right);
  lsq_free(solver->context, terms->weight);
}

void lsq_fold_destroy(lsqnet_solver *solver) {
  struct lsq_fold *fold = solver->fold;
  if (fold == NULL) return;
  if (solver->leader == NULL) free_terms(solver, &fold->system);
  if (solver->leader == NULL) free_terms(solver, &fold->side);
  lsq_fold_forget(solver);
  lsq_free(solver->context, fold);
  solver->fold = NULL;
}
