/* What the model says about A'A and A'b.
 *
 * A model of one gradient answers y = A'(A x - b)/L on a block of L rows. A model of k iterates answers x_k, and x -
 * x_k is a polynomial of degree k, without constant term, in the square t of the data's scale: x - x_k = k s t (H x -
 * c) + O(t^2), H = A'A/L, c = A'b/L. Its linear coefficient follows exactly from k scales t_j = 4^-j by Lagrange
 * interpolation, with weights w_j = (1/t_j) prod_{i != j} t_i / (t_i - t_j). For k = 1 that is (x - x_1) / s. The x
 * that answers are subtracted from is the model's own answer to x and no data: all that is learned of A comes from
 * differences of answers, and a model that answers nothing shows nothing (x itself would show a multiple of x). */
#include <string.h>

#include "solve/fold.h"

/* Sequences that wait to go through the model together, and what each adds to the result. */
typedef struct {
  lsqnet_solver *solver;
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

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* One sequence: x of a query with a block of rows at scale 4^-node, or with no data. */
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
  const int64_t L = solver->step.rows, begin = s.block * L, rows = s.data ? smaller(L, q->m - begin) : 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < q->count; j++) solver->block[i * q->count + j] = q->A[(begin + i) * q->lda + q->columns[j]];
  if (q->b != NULL) memcpy(solver->block_rhs, q->b + begin, (size_t)rows * sizeof(double));
  if (s.node > 0) {
    lsq_scale_copy(rows * q->count, solver->block, 1, -(int)s.node, solver->block, 1);
    if (q->b != NULL) lsq_scale_copy(rows, solver->block_rhs, 1, -(int)s.node, solver->block_rhs, 1);
  }
  lsq_prompt_fill_f64(solver->prompt, L, solver->step.dim, rows, q->count, solver->block, q->count,
                      q->b != NULL ? solver->block_rhs : NULL, q->X + s.query * q->count, prompt);
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

lsqnet_status lsq_respond(lsqnet_solver *solver, int64_t m, const double *A, int64_t lda, const double *b,
                          int64_t count, const int64_t *columns, int64_t queries, const double *X, double *out) {
  lsqnet_status st = LSQNET_OK;
  const request q = {solver, m, A, lda, b, count, columns, queries, X, out};
  const int64_t sequences = sequences_per_query(solver, m) * queries;
  const int64_t prompt_size = solver->prompt_rows * solver->prompt_width, width = solver->answer_width;
  memset(out, 0, (size_t)(queries * count) * sizeof(double));
  for (int64_t begin = 0; begin < sequences; begin += solver->batch) {
    const int64_t batch = smaller(solver->batch, sequences - begin);
    const lsqnet_batch shape = {
        .size = sizeof shape, .batch = batch, .rows = solver->prompt_rows, .first = solver->read_row, .count = 1};
    for (int64_t i = 0; i < batch; i++) fill_prompt(&q, sequence_of(&q, begin + i), solver->prompts + i * prompt_size);
    LSQ_TRY(lsqnet_model_forward_f64(solver->model, solver->workspace, &shape, solver->prompts, solver->answers));
    for (int64_t i = 0; i < batch; i++) add_answer(&q, sequence_of(&q, begin + i), solver->answers + i * width);
    solver->model_calls += batch;
  }
done:
  return st;
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
  for (int64_t j = 0; j < blocks; j++) queries += (j + 1) * (smaller(block, n - j * block) + 1);
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
  LSQ_TRY(lsq_alloc(solver->context, &queries, (D + 1) * D, sizeof *queries));
  LSQ_TRY(lsq_alloc(solver->context, &answers, (D + 1) * D, sizeof *answers));
  LSQ_TRY(lsq_alloc(solver->context, &columns, D, sizeof *columns));
  for (int64_t j = 0; j < n; j += block)
    for (int64_t i = 0; i <= j; i += block) {
      const gram_block part = {i, smaller(block, n - i), j, smaller(block, n - j)};
      LSQ_TRY(fill_gram_block(solver, m, A, lda, part, G, ldg, queries, answers, columns));
    }
  symmetrise(n, G, ldg, block);
done:
  lsq_free(solver->context, columns);
  lsq_free(solver->context, answers);
  lsq_free(solver->context, queries);
  return st;
}

lsqnet_status lsq_gram_rhs(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, const double *b,
                           double *c) {
  lsqnet_status st = LSQNET_OK;
  const int64_t D = solver->step.dim;
  double *vectors = NULL; /* the query zero, and the answers with b and without */
  int64_t *columns = NULL;
  if (solver->fold != NULL) {
    solver->model_calls += 2 * ((n + D - 1) / D) * sequences_per_query(solver, m);
    return lsq_fold_gram_rhs(solver, m, n, A, lda, b, c);
  }
  LSQ_TRY(lsq_alloc(solver->context, &vectors, 3 * D, sizeof *vectors));
  LSQ_TRY(lsq_alloc(solver->context, &columns, D, sizeof *columns));
  for (int64_t begin = 0; begin < n; begin += D) {
    const int64_t count = smaller(D, n - begin);
    for (int64_t j = 0; j < count; j++) columns[j] = begin + j;
    LSQ_TRY(lsq_respond(solver, m, A, lda, b, count, columns, 1, vectors, vectors + D));
    LSQ_TRY(lsq_respond(solver, m, A, lda, NULL, count, columns, 1, vectors, vectors + 2 * D));
    for (int64_t j = 0; j < count; j++) c[begin + j] = vectors[2 * D + j] - vectors[D + j];
  }
done:
  lsq_free(solver->context, columns);
  lsq_free(solver->context, vectors);
  return st;
}
