/* Any bits as A and b, through each way into the solver. The first six bytes choose sizes, call and options. */
#include <math.h>

#include "fuzz.h"

enum { MOST_M = 24, MOST_N = 8, MOST_K = 3, METHODS = 5, UNTOUCHED = 0x5a };

typedef struct {
  int64_t m, n, k;
  int call, trained;
  lsqnet_solver_options options;
  double a[MOST_M * MOST_N], b[MOST_M * MOST_K], x[MOST_N * MOST_K];
  float a32[MOST_M * MOST_N], b32[MOST_M * MOST_K], x32[MOST_N * MOST_K];
  lsqnet_report reports[MOST_K];
} problem;

static lsqnet_solver *create_solver(const problem *p) {
  static lsqnet_model *model;
  lsqnet_solver *solver = NULL;
  if (model == NULL) {
    lsqnet_construct_options o;
    demand(lsqnet_construct_options_init(&o, sizeof o) == LSQNET_OK);
    o.rows = 20;
    o.dim = 5;
    demand(lsqnet_model_construct_gradient(&model, fuzz_context(), &o) == LSQNET_OK);
  }
  demand(lsqnet_solver_create(&solver, fuzz_context(), p->trained ? NULL : model, &p->options) == LSQNET_OK);
  return solver;
}

/* Solvers are kept: what one call leaves behind must not matter to the next. */
static lsqnet_solver *solver_for(const problem *p) {
  static lsqnet_solver *solvers[METHODS][2][2][2][2];
  lsqnet_solver **kept =
      &solvers[p->options.method][p->options.min_norm][p->options.corrections == 0][p->options.ridge > 0.0][p->trained];
  if (*kept == NULL) *kept = create_solver(p);
  return *kept;
}

static void read_numbers(const uint8_t **data, size_t *size, double *values, float *values32, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const size_t most = *size < sizeof *values ? *size : sizeof *values;
    values[i] = 0.0;
    memcpy(&values[i], *data, most);
    memcpy(&values32[i], *data, most < sizeof *values32 ? most : sizeof *values32);
    *data += most;
    *size -= most;
  }
}

static lsqnet_status solve_state(problem *p, lsqnet_solver *solver, int keep_rows) {
  lsqnet_state *state = NULL;
  lsqnet_state_options o;
  demand(lsqnet_state_options_init(&o, sizeof o) == LSQNET_OK);
  o.n = p->n;
  o.k = p->k;
  o.keep_rows = keep_rows;
  demand(lsqnet_state_create(&state, fuzz_context(), &o) == LSQNET_OK);
  lsqnet_status status = lsqnet_solver_append_rows(solver, state, p->m, p->a, p->n, p->b, p->k);
  if (status == LSQNET_OK && p->m > 1) status = lsqnet_solver_remove_rows(solver, state, 1, p->a, p->n, p->b, p->k);
  if (status == LSQNET_OK) status = lsqnet_solver_solve_state(solver, state, p->x, p->k, p->reports);
  lsqnet_state_destroy(state);
  return status;
}

static lsqnet_status call(problem *p, lsqnet_solver *solver) {
  lsqnet_problems many;
  demand(lsqnet_problems_init(&many, sizeof many) == LSQNET_OK);
  many.m = p->m;
  many.n = p->n;
  many.k = p->k;
  const int64_t m = p->m, n = p->n, k = p->k;
  switch (p->call) {
    case 0: return lsqnet_solver_solve_f64(solver, m, n, k, p->a, n, p->b, k, p->x, k, p->reports);
    case 1: return lsqnet_solver_solve_f32(solver, m, n, k, p->a32, n, p->b32, k, p->x32, k, p->reports);
    case 2: return lsqnet_solver_solve_pair_f64(solver, m, n, k, p->a, NULL, n, p->b, NULL, k, p->x, k, p->reports);
    case 3: return lsqnet_solver_solve_batch_f64(solver, &many, p->a, p->b, NULL, p->x, p->reports);
    case 4: return lsqnet_solver_solve_batch_f32(solver, &many, p->a32, p->b32, NULL, p->x32, p->reports);
    default: return solve_state(p, solver, p->call == 6);
  }
}

/* x is written if the answer is one, and then it is numbers; what is said of it lies where it can. */
static void check_report(const problem *p, int64_t side) {
  const lsqnet_report *r = &p->reports[side];
  demand(lsqnet_status_name(r->status)[0] == 'L' && lsqnet_stop_name(r->stopped) != NULL);
  demand(r->digits >= 0.0 && r->digits <= 16.0);
  demand(r->backward_error >= 0.0 && r->condition >= 0.0 && r->residual_norm >= 0.0);
  for (int64_t j = 0; j < p->n; j++) {
    const double x = p->call == 1 || p->call == 4 ? (double)p->x32[j * p->k + side] : p->x[j * p->k + side];
    if (r->status == LSQNET_OK) demand(isfinite(x));
  }
}

static void check_alike(const problem *p, problem *q, lsqnet_solver *solver, lsqnet_status status) {
  q->call = 0;
  demand(call(q, solver) == status);
  demand(memcmp(p->x, q->x, sizeof p->x) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static problem p, q;
  if (size < 6) return 0;
  memset(&p, 0, sizeof p);
  p.m = 1 + data[0] % MOST_M;
  p.n = 1 + data[1] % MOST_N;
  p.k = 1 + data[2] % MOST_K;
  p.call = data[3] % 7;
  demand(lsqnet_solver_options_init(&p.options, sizeof p.options) == LSQNET_OK);
  p.options.method = data[4] % METHODS;
  p.options.iterations = 50;
  p.options.min_norm = data[5] & 1;
  if (data[5] & 2) p.options.corrections = 0;
  if (data[5] & 4) p.options.ridge = 1e-3;
  p.trained = (data[5] & 8) != 0;
  data += 6;
  size -= 6;
  read_numbers(&data, &size, p.a, p.a32, p.m * p.n);
  read_numbers(&data, &size, p.b, p.b32, p.m * p.k);
  for (int64_t i = 0; i < MOST_N * MOST_K; i++) p.x[i] = p.x32[i] = (float)UNTOUCHED;
  for (int64_t side = 0; side < p.k; side++) p.reports[side].size = sizeof p.reports[side];
  q = p;
  lsqnet_solver *solver = solver_for(&p);
  const lsqnet_status status = call(&p, solver);
  demand(status == LSQNET_OK || status == LSQNET_E_NOT_CONVERGED || status == LSQNET_E_RANK ||
         status == LSQNET_E_NOT_FINITE);
  if (status != LSQNET_OK) demand(lsqnet_last_message()[0] != '\0');
  if (status == LSQNET_E_NOT_FINITE && p.call < 5)
    for (int64_t i = 0; i < p.n * p.k && p.reports[0].stopped == LSQNET_STOP_DATA && p.k == 1; i++)
      demand(p.x[i] == UNTOUCHED && p.x32[i] == UNTOUCHED);
  for (int64_t side = 0; side < p.k; side++)
    if (status == LSQNET_OK || p.reports[side].stopped != LSQNET_STOP_NONE) check_report(&p, side);
  if (p.call == 3) check_alike(&p, &q, solver, status);
  return 0;
}
