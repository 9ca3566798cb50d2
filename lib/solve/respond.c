/* What the model says about A'A and A'b.
 *
 * A model of one gradient answers y = A'(A x - b)/L on a block of L rows. A model of k iterates answers x_k, and x -
 * x_k is a polynomial of degree k, without constant term, in the square t of the data's scale: x - x_k = k s t (H x -
 * c) + O(t^2), H = A'A/L, c = A'b/L. Its linear coefficient follows exactly from k scales t_j = 4^-j by Lagrange
 * interpolation, with weights w_j = (1/t_j) prod_{i != j} t_i / (t_i - t_j). For k = 1 that is (x - x_1) / s. The x
 * that answers are subtracted from is the model's own answer to x and no data: all that is learned of A comes from
 * differences of answers, and a model that answers nothing shows nothing (x itself would show a multiple of x). */
#include <string.h>

#include "base/order.h"
#include "model/workspace.h"
#include "solve/fold.h"

enum { ACTIVATIONS = 3 << 16 }; /* numbers that sequences on their way through the model may take together */

void lsq_prompts_close(lsqnet_solver *solver) {
  double **const arrays[] = {&solver->prompts, &solver->answers,   &solver->without_data,
                             &solver->block,   &solver->block_rhs, &solver->probes};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
    lsq_free(solver->context, *arrays[i]);
    *arrays[i] = NULL;
  }
  lsqnet_workspace_destroy(solver->workspace);
  solver->workspace = NULL;
}

/* As many sequences at a time as the model passes within ACTIVATIONS numbers, at least one. */
lsqnet_status lsq_prompts_open(lsqnet_solver *solver) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_context *context = solver->context;
  const int64_t L = solver->step.rows, D = solver->step.dim, size = solver->prompt_rows * solver->prompt_width;
  lsqnet_batch shape = {
      .size = sizeof shape, .batch = 1, .rows = solver->prompt_rows, .first = solver->read_row, .count = 1};
  LSQ_TRY(lsqnet_workspace_create(&solver->workspace, solver->model));
  const lsq_arrays_f64 *room = &solver->workspace->arrays_f64;
  LSQ_TRY(lsq_workspace_plan_f64(solver->workspace, &shape));
  if (room->cache_capacity + room->scratch_capacity < ACTIVATIONS)
    shape.batch = ACTIVATIONS / (room->cache_capacity + room->scratch_capacity);
  LSQ_TRY(lsq_workspace_plan_f64(solver->workspace, &shape));
  solver->batch = shape.batch;
  LSQ_TRY(lsq_alloc(context, &solver->prompts, solver->batch * size, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &solver->answers, solver->batch * solver->answer_width, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &solver->without_data, solver->answer_width, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &solver->block, L * D, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &solver->block_rhs, L, sizeof(double)));
  LSQ_TRY(lsq_alloc(context, &solver->probes, (1 + LSQ_LANES_MOST) * (D + 1) * D + D, sizeof(double)));
done:
  return st;
}

/* Sequences that wait to go through the model together, and what each adds to the result: the same queries about each
 * of `problems` matrices. */
typedef struct {
  lsqnet_solver *solver;
  int64_t problems, apart; /* numbers from one A to the next */
  int64_t m;
  const double *A;
  int64_t lda;
  const double *b;
  int64_t count;
  const int64_t *columns;
  int64_t queries;
  const double *X;
  double *out;
} request;

/* One sequence: x of a query (those of all problems counted through) with a block of rows at scale 4^-node, or with no
 * data. */
typedef struct {
  int64_t query, block, node;
  int data;
} sequence;

static int64_t sequences_per_query(const lsqnet_solver *solver, int64_t m) {
  const lsqnet_model_step *step = &solver->step;
  return (m + step->rows - 1) / step->rows * step->iterates + (step->output == LSQNET_OUTPUT_ITERATE ? 1 : 0);
}

/* Queries come one after the other; a query without data first, then blocks, nodes moving fastest. */
static sequence sequence_of(const request *q, int64_t index) {
  const int64_t nodes = q->solver->step.iterates, each = sequences_per_query(q->solver, q->m);
  const int64_t place = index % each - (q->solver->step.output == LSQNET_OUTPUT_ITERATE ? 1 : 0);
  return (sequence){.query = index / each, .block = place / nodes, .node = place % nodes, .data = place >= 0};
}

static void fill_prompt(const request *q, sequence s, double *prompt) {
  lsqnet_solver *solver = q->solver;
  const int64_t L = solver->step.rows, begin = s.block * L, rows = s.data ? lsq_smaller(L, q->m - begin) : 0;
  const double *A = q->A + s.query / q->queries * q->apart, *x = q->X + s.query % q->queries * q->count;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < q->count; j++) solver->block[i * q->count + j] = A[(begin + i) * q->lda + q->columns[j]];
  if (q->b != NULL) memcpy(solver->block_rhs, q->b + begin, (size_t)rows * sizeof(double));
  if (s.node > 0) {
    lsq_scale_copy(rows * q->count, solver->block, 1, -(int)s.node, solver->block, 1);
    if (q->b != NULL) lsq_scale_copy(rows, solver->block_rhs, 1, -(int)s.node, solver->block_rhs, 1);
  }
  lsq_prompt_fill_f64(solver->prompt, L, solver->step.dim, rows, q->count, solver->block, q->count,
                      q->b != NULL ? solver->block_rhs : NULL, x, prompt);
}

static void add_answer(const request *q, sequence s, const double *answer) {
  lsqnet_solver *solver = q->solver;
  const double L = (double)solver->step.rows;
  double *out = q->out + s.query * q->count;
  if (!s.data) {
    memcpy(solver->without_data, answer, (size_t)q->count * sizeof *answer);
  } else if (solver->step.output == LSQNET_OUTPUT_GRADIENT) {
    for (int64_t j = 0; j < q->count; j++) out[j] += L * answer[j];
  } else {
    const double weight = L * solver->node_weights[s.node];
    for (int64_t j = 0; j < q->count; j++) out[j] += weight * (solver->without_data[j] - answer[j]);
  }
}

static lsqnet_status respond(const request *q) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = q->solver;
  const int64_t queries = q->problems * q->queries, sequences = sequences_per_query(solver, q->m) * queries;
  const int64_t prompt_size = solver->prompt_rows * solver->prompt_width, width = solver->answer_width;
  memset(q->out, 0, (size_t)(queries * q->count) * sizeof(double));
  for (int64_t begin = 0; begin < sequences; begin += solver->batch) {
    const int64_t batch = lsq_smaller(solver->batch, sequences - begin);
    const lsqnet_batch shape = {
        .size = sizeof shape, .batch = batch, .rows = solver->prompt_rows, .first = solver->read_row, .count = 1};
    LSQ_TRY(lsq_limits_check(solver));
    for (int64_t i = 0; i < batch; i++) fill_prompt(q, sequence_of(q, begin + i), solver->prompts + i * prompt_size);
    LSQ_TRY(lsqnet_model_forward_f64(solver->model, solver->workspace, &shape, solver->prompts, solver->answers));
    for (int64_t i = 0; i < batch; i++) add_answer(q, sequence_of(q, begin + i), solver->answers + i * width);
    solver->model_calls += batch;
  }
done:
  return st;
}

lsqnet_status lsq_respond(lsqnet_solver *solver, int64_t m, const double *A, int64_t lda, const double *b,
                          int64_t count, const int64_t *columns, int64_t queries, const double *X, double *out) {
  const request q = {solver, 1, 0, m, A, lda, b, count, columns, queries, X, out};
  return respond(&q);
}

/* solver->probes: columns' numbers, queries of D columns, and answers to those of LSQ_LANES_MOST problems. */
static void cut_probes(const lsqnet_solver *solver, double **queries, double **answers, int64_t **columns) {
  const int64_t D = solver->step.dim;
  *columns = (int64_t *)(void *)solver->probes;
  *queries = solver->probes + D;
  *answers = *queries + (D + 1) * D;
}

/* Rows and columns of G that one request reveals: the products of the columns `rows` with the columns `probes`. */
typedef struct {
  int64_t row_begin, row_count, probe_begin, probe_count;
} gram_block;

/* Asks for zero and the unit vectors of the probed columns; memory holds columns, queries and answers of D columns. */
static lsqnet_status fill_gram_block(lsqnet_solver *solver, int64_t m, const double *A, int64_t lda, gram_block part,
                                     double *G, int64_t ldg, double *queries, double *answers, int64_t *columns) {
  lsqnet_status st = LSQNET_OK;
  const int diagonal = part.row_begin == part.probe_begin;
  const int64_t lead = diagonal ? 0 : part.row_count, count = lead + part.probe_count;
  for (int64_t i = 0; i < lead; i++) columns[i] = part.row_begin + i;
  for (int64_t i = 0; i < part.probe_count; i++) columns[lead + i] = part.probe_begin + i;
  memset(queries, 0, (size_t)((part.probe_count + 1) * count) * sizeof(double));
  for (int64_t i = 0; i < part.probe_count; i++) queries[(i + 1) * count + lead + i] = 1.0;
  LSQ_TRY(lsq_respond(solver, m, A, lda, NULL, count, columns, part.probe_count + 1, queries, answers));
  for (int64_t p = 0; p < part.probe_count; p++)
    for (int64_t i = 0; i < part.row_count; i++)
      G[(part.row_begin + i) * ldg + part.probe_begin + p] = answers[(p + 1) * count + i] - answers[i];
done:
  return st;
}

static void symmetrise(int64_t n, double *G, int64_t ldg, int64_t block) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) {
      if (i / block == j / block) G[i * ldg + j] = 0.5 * (G[i * ldg + j] + G[j * ldg + i]);
      G[j * ldg + i] = G[i * ldg + j];
    }
}

int64_t lsq_gram_sequences(const lsqnet_solver *solver, int64_t m, int64_t n) {
  const int64_t D = solver->step.dim, block = n <= D ? n : D / 2, blocks = (n + block - 1) / block;
  int64_t queries = 0;
  for (int64_t j = 0; j < blocks; j++) queries += (j + 1) * (lsq_smaller(block, n - j * block) + 1);
  return queries * sequences_per_query(solver, m);
}

lsqnet_status lsq_gram(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, double *G,
                       int64_t ldg) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = solver->step.dim, block = n <= D ? n : D / 2;
  double *queries = NULL, *answers = NULL;
  int64_t *columns = NULL;
  if (block == 0)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "a model of D=1 serves one unknown, not %lld: two columns must fit",
                    (long long)n);
  if (solver->fold != NULL) {
    solver->model_calls += lsq_gram_sequences(solver, m, n);
    return lsq_fold_gram(solver, m, n, A, lda, G, ldg);
  }
  cut_probes(solver, &queries, &answers, &columns);
  for (int64_t j = 0; j < n; j += block)
    for (int64_t i = 0; i <= j; i += block) {
      const gram_block part = {i, lsq_smaller(block, n - i), j, lsq_smaller(block, n - j)};
      LSQ_TRY(fill_gram_block(solver, m, A, lda, part, G, ldg, queries, answers, columns));
    }
  symmetrise(n, G, ldg, block);
done:
  return st;
}

lsqnet_status lsq_gram_many(lsqnet_solver *solver, int64_t count, int64_t m, int64_t n, const double *A, double *G) {
  lsqnet_status st = LSQNET_OK;
  double *queries = NULL, *answers = NULL;
  int64_t *columns = NULL;
  if (count == 1) return lsq_gram(solver, m, n, A, n, G, n);
  cut_probes(solver, &queries, &answers, &columns);
  memset(queries, 0, (size_t)((n + 1) * n) * sizeof(double));
  for (int64_t j = 0; j < n; j++) {
    columns[j] = j;
    queries[(j + 1) * n + j] = 1.0;
  }
  LSQ_TRY(respond(&(request){solver, count, m * n, m, A, n, NULL, n, columns, n + 1, queries, answers}));
  for (int64_t p = 0; p < count; p++, answers += (n + 1) * n, G += n * n) {
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < n; i++) G[i * n + j] = answers[(j + 1) * n + i] - answers[i];
    symmetrise(n, G, n, n);
  }
done:
  return st;
}

int64_t lsq_gram_together(const lsqnet_solver *solver, int64_t m, int64_t n) {
  return n <= solver->step.dim && lsq_gram_sequences(solver, m, n) < solver->batch ? LSQ_LANES_MOST : 1;
}

lsqnet_status lsq_gram_rhs(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, const double *b,
                           double *c) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = solver->step.dim;
  double *query = NULL, *answers = NULL; /* zero, and what is answered with b and without */
  int64_t *columns = NULL;
  if (solver->fold != NULL) {
    solver->model_calls += 2 * ((n + D - 1) / D) * sequences_per_query(solver, m);
    return lsq_fold_gram_rhs(solver, m, n, A, lda, b, c);
  }
  cut_probes(solver, &query, &answers, &columns);
  memset(query, 0, (size_t)D * sizeof *query);
  for (int64_t begin = 0; begin < n; begin += D) {
    const int64_t count = lsq_smaller(D, n - begin);
    for (int64_t j = 0; j < count; j++) columns[j] = begin + j;
    LSQ_TRY(lsq_respond(solver, m, A, lda, b, count, columns, 1, query, answers));
    LSQ_TRY(lsq_respond(solver, m, A, lda, NULL, count, columns, 1, query, answers + D));
    for (int64_t j = 0; j < count; j++) c[begin + j] = answers[D + j] - answers[j];
  }
done:
  return st;
}
