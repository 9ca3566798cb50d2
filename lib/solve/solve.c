#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/lapack.h"
#include "solve/fold.h"
#include "solve/wide.h"

/* Powers of two. */
enum { SMALLER = 512, MOST_UNSCALE = 1000 };

/* All arrays of one call of lsq_solve, cut from solver->memory. */
typedef struct {
  double *X, *A, *A_low, *b, *b_low, *r, *r_low, *x, *scale, *unscale, *vectors, *work, *exact, *lanczos;
  double *zero_answer, *unit, *G, *lapack;
  int64_t *columns;
  lsq_factor factor;
  lsq_wide wide; /* for m < n, and then nothing for columns */
} arrays;

/* Hands out pieces of `base`; with base NULL it only counts. */
typedef struct {
  double *base;
  int64_t used;
} cutter;

static double *cut(cutter *c, int64_t count) {
  const int64_t begin = c->used;
  c->used += (count + 7) / 8 * 8;
  return c->base != NULL ? c->base + begin : NULL;
}

static void lay_out_rows(const lsq_data *data, cutter *c, lsq_wide *w) {
  const int64_t m = data->m, n = data->n;
  *w = (lsq_wide){.m = m, .n = n, .factor = {.n = m}};
  w->W = cut(c, n * m);
  w->W_low = data->a_pairs ? cut(c, n * m) : NULL;
  w->factor.Q = cut(c, n * m);
  w->factor.R = cut(c, m * m);
  w->factor.G = cut(c, m * m);
  w->factor.inverse_rows = cut(c, m);
  w->factor.norms = cut(c, m);
  w->factor.work = cut(c, 4 * m);
  w->factor.order = (int64_t *)(void *)cut(c, m);
  w->lengths = cut(c, n);
  w->zero = cut(c, n);
  double **const vectors[] = {&w->exponents, &w->y, &w->y_low, &w->c, &w->c_low, &w->d, &w->r, &w->r_low};
  for (int i = 0; i < 8; i++) *vectors[i] = cut(c, m);
}

static void lay_out_columns(const lsqnet_solver_options *options, const lsq_data *data, cutter *c, arrays *a) {
  const int64_t m = data->m, n = data->n, steps = n < LSQ_LANCZOS_MOST ? n : LSQ_LANCZOS_MOST;
  const int iterative = options->method != LSQNET_METHOD_AUTO && options->method != LSQNET_METHOD_DIRECT;
  a->factor.Q = cut(c, m * n);
  a->factor.R = cut(c, n * n);
  a->factor.G = cut(c, n * n);
  a->factor.inverse_rows = cut(c, n);
  a->factor.work = cut(c, 4 * n);
  a->exact = cut(c, n * LSQ_EXACT_TERMS);
  a->columns = (int64_t *)(void *)cut(c, n);
  a->factor.order = (int64_t *)(void *)cut(c, n);
  a->factor.place = (int64_t *)(void *)cut(c, n);
  if (iterative) {
    a->G = cut(c, n * n);
    a->lanczos = cut(c, steps * (n + 2) + n);
  }
  if (options->min_norm) {
    a->factor.M = cut(c, n * n);
    a->factor.K = cut(c, n * n);
    a->factor.S = cut(c, n * n);
  }
  for (int64_t j = 0; j < n && a->columns != NULL; j++) a->columns[j] = j;
}

/* X comes first, on either road. */
static void lay_out(const lsqnet_solver_options *options, const lsq_data *data, int by_rows, cutter *c, arrays *a) {
  const int64_t m = data->m, n = data->n;
  *a = (arrays){.factor = {.n = n}};
  a->X = cut(c, n * data->k);
  a->A = cut(c, m * n);
  a->A_low = data->a_pairs ? cut(c, m * n) : NULL;
  a->b = cut(c, m);
  a->b_low = data->b_pairs ? cut(c, m) : NULL;
  a->r = cut(c, m);
  a->r_low = cut(c, m);
  a->factor.norms = cut(c, n);
  a->x = cut(c, n);
  a->scale = cut(c, n);
  a->unscale = cut(c, n);
  a->zero_answer = cut(c, n);
  a->unit = cut(c, n);
  a->vectors = cut(c, 8 * n);
  a->work = cut(c, 8 * n);
  a->lapack = options->lapack_fallback ? cut(c, lsq_lapack_size(m, n)) : NULL;
  if (by_rows)
    lay_out_rows(data, c, &a->wide);
  else
    lay_out_columns(options, data, c, a);
}

enum { MANY = 256 }; /* columns, which are worth their square in memory where no other answer is at hand only */

/* Whether a problem is taken apart by rows first; and whether by columns, besides or instead. */
static int begins_by_rows(const lsqnet_solver *solver, const lsq_data *data) {
  const lsqnet_solver_options *options = &solver->options;
  const int direct = options->method == LSQNET_METHOD_AUTO || options->method == LSQNET_METHOD_DIRECT;
  return data->m < data->n && direct && options->corrections > 0;
}

static int may_go_by_columns(const lsqnet_solver *solver, const lsq_data *data) {
  return !begins_by_rows(solver, data) || data->n <= MANY;
}

/* Room for as long as the problem is at work, so that X stays where it is. What is taken apart by rows needs nothing of
 * n x n. */
static lsqnet_status reserve(lsqnet_solver *solver, const lsq_data *data, int columns) {
  lsqnet_status st = LSQNET_OK;
  const int rows = begins_by_rows(solver, data);
  const int64_t longest = data->m > data->n || !columns ? data->m : data->n;
  int64_t whole = 0;
  cutter by_rows = {0}, by_columns = {0};
  arrays a;
  LSQ_TRY(lsq_size_product(&whole, (const int64_t[]){longest + 8, data->n + 8, 16}, 3, "a problem of m x n"));
  LSQ_TRY(lsq_size_product(&whole, (const int64_t[]){data->m + data->n, data->k, 16}, 3, "right-hand sides and x"));
  if (rows) lay_out(&solver->options, data, 1, &by_rows, &a);
  if (columns) lay_out(&solver->options, data, 0, &by_columns, &a);
  const int64_t most = by_rows.used > by_columns.used ? by_rows.used : by_columns.used;
  LSQ_TRY(lsq_reserve(solver->context, &solver->memory, &solver->memory_capacity, most, sizeof(double)));
done:
  return st;
}

lsqnet_status lsq_solve_reserve(lsqnet_solver *solver, const lsq_data *data) {
  lsqnet_status st = LSQNET_OK;
  const int columns = may_go_by_columns(solver, data);
  LSQ_TRY(reserve(solver, data, columns));
  if (solver->fold != NULL && columns && (solver->step.dim > 1 || data->n == 1))
    LSQ_TRY(lsq_fold_plan(solver, data->n)); /* else there is none, of which each problem's report tells */
  if (solver->fold != NULL && begins_by_rows(solver, data) && (solver->step.dim > 1 || data->m == 1))
    LSQ_TRY(lsq_fold_plan(solver, data->m));
done:
  return st;
}

/* unscale_j = 2^-e_j but for a common factor, which the least norm does not see: as far from over- and underflow as
 * can be, and NaN where that is not far enough. A column of zeros (norm 0) has no say, and is of no use. */
static void set_unscale(int64_t n, const double *scale, const double *norms, double *unscale) {
  double least = DBL_MAX, most = -DBL_MAX;
  for (int64_t j = 0; j < n; j++) {
    if (norms[j] > 0.0) least = fmin(least, scale[j]);
    if (norms[j] > 0.0) most = fmax(most, scale[j]);
  }
  for (int64_t j = 0; j < n; j++)
    unscale[j] = norms[j] > 0.0 ? ldexp(1.0, (int)(scale[j] - floor(0.5 * (least + most)))) : 0x1p1000;
  for (int64_t j = 0; j < n && most - least > 2.0 * MOST_UNSCALE; j++) unscale[j] = NAN;
}

/* Columns at unit size: A_scaled = A 2^-e_j, so that x_j = z_j 2^-e_j; scale comes with the exponents that columns have
 * been taken with, and goes with -e_j. */
static void scale_matrix(lsqnet_solver *solver, const lsq_data *data, arrays *a) {
  const int64_t m = data->m, n = data->n;
  double *norms = a->factor.norms;
  for (int64_t j = 0; j < n; j++) {
    if (lsq_pass(solver, 4 * m)) return;
    const int exponent = lsq_scale_exponent(m, a->A + j, n);
    lsq_scale_copy(m, a->A + j, n, -exponent, a->A + j, n);
    if (a->A_low != NULL) lsq_scale_copy(m, a->A_low + j, n, -exponent, a->A_low + j, n);
    a->scale[j] = -(a->scale[j] + exponent);
    norms[j] = 0.0;
    for (int64_t i = 0; i < m; i++) norms[j] = fmax(norms[j], fabs(a->A[i * n + j]));
  }
  set_unscale(n, a->scale, norms, a->unscale);
}

/* The model's answer to zero, which lsq_operator_apply subtracts, and the spectrum. */
static lsqnet_status make_operator(lsqnet_solver *solver, const double *A, const lsq_data *data, arrays *a,
                                   lsq_operator *op) {
  lsqnet_status st = LSQNET_OK;
  const int64_t n = data->n;
  *op = (lsq_operator){.solver = solver,
                       .m = data->m,
                       .n = n,
                       .A = A,
                       .lda = n,
                       .columns = a->columns,
                       .zero_answer = a->zero_answer,
                       .unit = a->unit};
  if (n > solver->step.dim || solver->fold != NULL) {
    LSQ_TRY(lsq_gram(solver, data->m, n, A, n, a->G, n));
    op->G = a->G;
  } else {
    memset(a->unit, 0, (size_t)n * sizeof(double));
    LSQ_TRY(lsq_respond(solver, data->m, A, n, NULL, n, a->columns, 1, a->unit, a->zero_answer));
  }
  LSQ_TRY(lsq_operator_spectrum(op, a->lanczos));
done:
  return st;
}

/* Whether iterations on A itself get there: they need full rank, and a spectrum that their limit can cope with. Below
 * the last bound the smallest eigenvalue is made of roundings. */
static int can_iterate(const lsq_problem *p, const lsq_data *data) {
  const lsq_operator *op = p->op;
  if (data->m < data->n || !(op->smallest > 1e3 * (double)data->n * DBL_EPSILON * op->largest)) return 0;
  return lsq_iterations_needed(op, p->method, 1e-8) <= (double)p->solver->options.iterations;
}

/* What taking apart by rows has shown, if that was done: else rank m, and no condition. */
typedef struct {
  int64_t rank;
  double condition; /* of the rows at unit size; INFINITY if they depend on each other; 0 for none */
} row_rank;

/* Whether columns at unit size are independent as far as they can be, and much better conditioned than the rows: those
 * may be nearly parallel for the sake of a few large columns. */
static int columns_tell_more(const lsq_problem *p, const row_rank *rows) {
  static const double MUCH = 1e3, CERTAIN = 1e12;
  return p->factor->rank == p->m && lsq_factor_condition(p->factor) <= fmin(rows->condition / MUCH, CERTAIN);
}

/* p->factor for A itself. No more columns are independent than rows, unless they tell more. */
static lsqnet_status factor_columns(lsq_problem *p, arrays *a, const row_rank *rows, int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  for (int64_t i = 0; i < p->m && !lsq_pass(p->solver, p->n); i++)
    memcpy(a->factor.Q + i * p->n, a->A + i * p->n, (size_t)p->n * sizeof(double));
  p->factor = &a->factor;
  LSQ_TRY(lsq_factor_compute(p->solver, p->m, p->factor, contradiction));
  if (*contradiction) goto done;
  if (p->factor->rank > rows->rank && !columns_tell_more(p, rows)) p->factor->rank = rows->rank;
  if (p->factor->rank < p->n && p->min_norm) lsq_least_norm_prepare(p->factor, a->unscale);
done:
  return st;
}

/* The same by rows: p->wide stays NULL if they depend on each other. */
static lsqnet_status factor_rows(lsq_problem *p, arrays *a, int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_wide_prepare(p->solver, p, &a->wide, contradiction));
  p->factor = &a->wide.factor;
  if (!*contradiction && p->factor->rank == p->m) p->wide = &a->wide;
done:
  return st;
}

/* Decides how corrections are made: problem->factor and problem->op. *contradiction is 1 if the model's answers cannot
 * be those of A. */
static lsqnet_status prepare(lsq_problem *p, const lsq_data *data, arrays *a, const row_rank *rows, lsq_operator *op,
                             int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_solver *solver = p->solver;
  const int iterative = p->method != LSQNET_METHOD_DIRECT;
  *contradiction = 0;
  if (iterative) {
    LSQ_TRY(make_operator(solver, a->A, data, a, op));
    p->op = op;
    if (op->largest > 0.0 && (solver->options.corrections == 0 || can_iterate(p, data))) goto done;
  }
  LSQ_TRY(factor_columns(p, a, rows, contradiction));
  if (*contradiction) goto done;
  if (iterative && p->factor->rank == data->n) LSQ_TRY(make_operator(solver, p->factor->Q, data, a, op));
done:
  return st;
}

/* The model's own answer, as it is. */
static lsqnet_status answer_unrefined(const lsq_problem *p, arrays *a, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  double *c = a->vectors;
  if (p->method == LSQNET_METHOD_GD && p->n <= p->solver->step.dim) {
    LSQ_TRY(lsq_plain_descent(p->op, a->b, p->solver->options.step / (double)p->m, p->solver->options.iterations, 1e-16,
                              a->x, a->work, &report->iterations));
  } else {
    LSQ_TRY(lsq_gram_rhs(p->solver, p->m, p->n, p->A, p->n, a->b, c));
    LSQ_TRY(lsq_correct(p, c, NULL, a->x, &report->iterations));
  }
  lsq_certify(p, a->b, a->b_low, a->x, a->r, a->r_low, a->vectors, report);
  report->stopped = LSQNET_STOP_UNREFINED;
  report->status = LSQNET_E_NOT_CONVERGED;
done:
  return st;
}

static int is_backward_stable(const lsq_problem *p, const lsqnet_report *report) {
  return report->backward_error <= 10.0 * (double)p->n * fmax(p->solver->precision, p->solver->options.tolerance);
}

/* An answer of least norm that stands may still be none: where equations that nearly depend cancel in x beyond twice
 * the precision, or where roundings decide the rank. Its digits are then those of another problem. */
static void judge_least_norm(const lsq_problem *p, lsqnet_report *report) {
  const int unique = p->wide == NULL && (p->factor == NULL || p->factor->rank == p->n);
  if (unique || is_backward_stable(p, report)) return;
  if (report->status == LSQNET_OK) {
    report->status = LSQNET_E_NOT_CONVERGED;
    report->stopped = LSQNET_STOP_STAGNATED;
  }
  if (p->factor->rank < p->m) report->digits = 0.0;
}

/* LAPACK's answer, certified like the model's; it takes the place of that only if it is a good one, and a better. */
static lsqnet_status fall_back(const lsq_problem *p, arrays *a, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_report other = *report;
  double *x = a->vectors + 2 * p->n, *part = x + p->n;
  st = lsq_lapack_least_squares(p->m, p->n, p->A, p->n, a->b, x, &other.rank, a->lapack);
  if (st == LSQNET_E_NOT_CONVERGED || st == LSQNET_E_NOT_FINITE) return LSQNET_OK;
  LSQ_TRY(st);
  lsq_certify(p, a->b, a->b_low, x, a->r, a->r_low, a->vectors, &other);
  if (p->wide == NULL) lsq_sharpen_backward_error(p, x, a->vectors, part, &other);
  if (other.rank < p->n || !is_backward_stable(p, &other)) goto done;
  if (other.backward_error >= report->backward_error) goto done; /* not so where there is no number yet */
  memcpy(a->x, x, (size_t)p->n * sizeof(double));
  *report = other;
  report->method = LSQNET_METHOD_LAPACK;
  report->digits = 0.0;
  report->status = LSQNET_OK;
  report->stopped = LSQNET_STOP_FALLBACK;
done:
  return st;
}

double lsq_hand_out(const lsqnet_solver *solver, double x, int exponent, lsqnet_report *report) {
  double value = ldexp(x, exponent);
  if (solver->precision == FLT_EPSILON) value = (double)(float)value;
  if (!isfinite(value)) {
    report->status = LSQNET_E_NOT_FINITE;
    report->stopped = LSQNET_STOP_DATA;
    report->digits = 0.0;
    return value;
  }
  const double error = x != 0.0 ? fabs(ldexp(value, -exponent) - x) / fabs(x) : 0.0;
  if (error > 0.0) report->digits = fmax(fmin(report->digits, -log10(error)), 0.0);
  if (error > 0.5 * solver->precision && report->status == LSQNET_OK) {
    report->status = LSQNET_E_NOT_CONVERGED;
    report->stopped = LSQNET_STOP_STAGNATED;
  }
  return value;
}

/* Hands a->x out; the certificate becomes that of what is handed out, where the number type moves it. One that vanishes
 * beside the largest and had no digits, as one of roundings, has none to lose. */
static void hand_out(const lsq_problem *p, const lsq_data *data, int64_t column, int exponent, arrays *a,
                     lsqnet_report *report) {
  const int unknown = report->status == LSQNET_OK && report->digits == 0.0;
  double most = 0.0;
  int moved = 0;
  for (int64_t j = 0; j < data->n; j++) most = fmax(most, fabs(a->x[j]));
  for (int64_t j = 0; j < data->n; j++) {
    const int power = exponent + (int)a->scale[j];
    const lsqnet_report before = *report;
    const double value = lsq_hand_out(p->solver, a->x[j], power, report), back = ldexp(value, -power);
    if (unknown && fabs(a->x[j]) < 0x1p-20 * most && isfinite(value)) *report = before;
    moved |= isfinite(back) && back != a->x[j];
    if (isfinite(back)) a->x[j] = back;
    a->X[j * data->k + column] = value;
  }
  if (moved) lsq_certify(p, a->b, a->b_low, a->x, a->r, a->r_low, a->vectors, report);
  if (moved && report->status == LSQNET_OK && p->wide == NULL)
    lsq_sharpen_backward_error(p, a->x, a->vectors, a->vectors + 2 * p->n, report);
  report->residual_norm = ldexp(report->residual_norm, exponent);
}

/* An answer at unit scale, for the right-hand side in a->b times 2^-exponent, and its certificate. */
static lsqnet_status answer(const lsq_problem *p, int exponent, arrays *a, int contradiction, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  lsq_scale_copy(p->m, a->b, 1, -exponent, a->b, 1);
  if (a->b_low != NULL) lsq_scale_copy(p->m, a->b_low, 1, -exponent, a->b_low, 1);
  memset(a->x, 0, (size_t)p->n * sizeof(double));
  report->method = p->method;
  report->rank = p->factor != NULL ? p->factor->rank : -1;
  if (contradiction) {
    lsq_certify(p, a->b, a->b_low, a->x, a->r, a->r_low, a->vectors, report);
    report->status = LSQNET_E_NOT_CONVERGED;
    report->stopped = LSQNET_STOP_MODEL;
  } else if (p->solver->options.corrections == 0) {
    LSQ_TRY(answer_unrefined(p, a, report));
  } else if (p->wide != NULL) {
    lsq_wide_refine(p, p->wide, a->b, a->b_low, a->x, a->r, a->r_low, a->vectors, report);
  } else {
    LSQ_TRY(lsq_refine(p, a->b, a->b_low, a->x, a->r, a->r_low, a->vectors, report));
  }
  judge_least_norm(p, report);
  if (report->status != LSQNET_OK && p->solver->options.lapack_fallback) LSQ_TRY(fall_back(p, a, report));
done:
  return st;
}

/* One right-hand side, from the caller's column of B to its column of X. Where rows are of very different size, an
 * answer that is a number may be none at unit scale; then the right-hand side is made smaller. */
static lsqnet_status solve_column(const lsq_problem *p, const lsq_data *data, int64_t column, arrays *a,
                                  int contradiction, lsqnet_report *report) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_report before = *report;
  const int taken = lsq_take_side(p->solver, data, column, a->b, a->b_low);
  int exponent = lsq_scale_exponent(data->m, a->b, 1);
  LSQ_TRY(answer(p, exponent, a, contradiction, report));
  if (!isfinite(lsq_norm(data->n, a->x))) {
    *report = before;
    exponent += SMALLER;
    (void)lsq_take_side(p->solver, data, column, a->b, a->b_low);
    LSQ_TRY(answer(p, exponent, a, contradiction, report));
  }
  hand_out(p, data, column, taken + exponent, a, report);
  if (isnan(report->backward_error)) report->backward_error = report->residual_norm = INFINITY;
done:
  return st;
}

static void report_condition(const lsq_problem *p, lsqnet_report *report) {
  if (p->factor != NULL && p->factor->rank > 0) {
    report->condition = lsq_factor_condition(p->factor);
    report->orthogonalised = p->factor->passes - 1;
  } else if (p->factor == NULL && p->op->smallest > 0.0) {
    report->condition = sqrt(p->op->largest / p->op->smallest);
  }
  if (isnan(report->condition)) report->condition = 0.0;
}

static lsqnet_status fail_rank(const lsq_data *data, int64_t rank, int64_t model_calls, lsqnet_report *reports) {
  reports[0].model_calls = model_calls;
  for (int64_t i = 0; i < data->k; i++) {
    reports[i].status = LSQNET_E_RANK;
    reports[i].stopped = LSQNET_STOP_RANK;
    reports[i].rank = rank;
  }
  if (rank < 0)
    return lsq_fail(LSQNET_E_RANK,
                    "m=%lld rows for n=%lld unknowns: no unique answer (min_norm=1 asks for the least one)",
                    (long long)data->m, (long long)data->n);
  return lsq_fail(LSQNET_E_RANK, "rank %lld of n=%lld columns: no unique answer (min_norm=1 asks for the least one)",
                  (long long)rank, (long long)data->n);
}

/* The message and status of the first right-hand side that has no certified answer. */
static lsqnet_status first_failure(const lsq_data *data, const lsqnet_report *reports) {
  for (int64_t i = 0; i < data->k; i++) {
    if (reports[i].status == LSQNET_E_NOT_FINITE)
      return lsq_fail(LSQNET_E_NOT_FINITE, "right-hand side %lld: the answer exceeds the largest number",
                      (long long)i + 1);
    if (reports[i].status != LSQNET_OK)
      return lsq_fail(reports[i].status,
                      "right-hand side %lld: stopped (%s) after %lld corrections, backward error %.1e",
                      (long long)i + 1, lsqnet_stop_name(reports[i].stopped), (long long)reports[i].corrections,
                      reports[i].backward_error);
  }
  return LSQNET_OK;
}

/* The problem at unit scale. */
static lsqnet_status begin(lsqnet_solver *solver, const lsq_data *data, int by_rows, arrays *a, lsq_problem *problem) {
  lsqnet_status st = LSQNET_OK;
  cutter pieces = {0};
  LSQ_TRY(reserve(solver, data, !by_rows || may_go_by_columns(solver, data)));
  pieces.base = solver->memory;
  lay_out(&solver->options, data, by_rows, &pieces, a);
  lsq_take_matrix(solver, data, a->A, a->A_low, a->scale);
  scale_matrix(solver, data, a);
  *problem = (lsq_problem){.solver = solver,
                           .m = data->m,
                           .n = data->n,
                           .A = a->A,
                           .A_low = a->A_low,
                           .norm_A = lsq_pass_norm(solver, data->m * data->n, a->A),
                           .method = solver->options.method,
                           .unscale = a->unscale,
                           .min_norm = solver->options.min_norm,
                           .rounded = data->rounded,
                           .work = a->work,
                           .exact = data->derived ? NULL : a->exact};
  if (problem->method == LSQNET_METHOD_AUTO) problem->method = LSQNET_METHOD_DIRECT;
done:
  return st;
}

/* Fewer rows than columns are taken apart by rows, and by columns if those depend on each other. */
static lsqnet_status begin_wide(lsqnet_solver *solver, const lsq_data *data, arrays *a, lsq_problem *problem,
                                lsq_operator *op, int *contradiction) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(begin(solver, data, 1, a, problem));
  LSQ_TRY(factor_rows(problem, a, contradiction));
  const row_rank rows = {problem->factor->rank, INFINITY};
  const int may_refuse = solver->options.min_norm == LSQ_MIN_NORM_OF_FULL_RANK;
  if (*contradiction || problem->wide != NULL || (may_refuse && data->n > MANY)) goto done;
  LSQ_TRY(begin(solver, data, 0, a, problem));
  LSQ_TRY(prepare(problem, data, a, &rows, op, contradiction));
done:
  return st;
}

/* Whether the problem has no unique answer and the caller wants no other. */
static int rank_refused(const lsq_problem *p) {
  if (p->factor == NULL || p->wide != NULL || p->factor->rank == p->n) return 0;
  return !p->min_norm || (p->min_norm == LSQ_MIN_NORM_OF_FULL_RANK && p->factor->rank < p->m);
}

/* All right-hand sides, or those that have no certified answer yet. */
static lsqnet_status solve_columns(const lsq_problem *p, const lsq_data *data, arrays *a, int contradiction, int all,
                                   lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  for (int64_t i = 0; i < data->k; i++) {
    if (!all && reports[i].status != LSQNET_E_NOT_CONVERGED) continue;
    reports[i] = (lsqnet_report){.size = sizeof *reports, .rank = -1, .model_calls = reports[i].model_calls};
    LSQ_TRY(solve_column(p, data, i, a, contradiction, &reports[i]));
    LSQ_TRY(lsq_limits_found(p->solver));
    if (!contradiction) report_condition(p, &reports[i]);
    reports[i].model_calls += p->solver->model_calls;
    p->solver->model_calls = 0;
  }
done:
  return st;
}

static int64_t first_uncertain(const lsq_data *data, const lsqnet_report *reports) {
  int64_t i = 0;
  while (i < data->k && reports[i].status != LSQNET_E_NOT_CONVERGED) i++;
  return i;
}

/* Where rows have been nearly parallel, columns may not be. */
static lsqnet_status solve_uncertain(lsq_problem *p, const lsq_data *data, arrays *a, lsq_operator *op,
                                     lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  const row_rank rows = {data->m, lsq_factor_condition(p->factor)};
  int contradiction = 0;
  LSQ_TRY(begin(p->solver, data, 0, a, p));
  LSQ_TRY(prepare(p, data, a, &rows, op, &contradiction));
  LSQ_TRY(lsq_limits_found(p->solver));
  if (contradiction || !columns_tell_more(p, &rows)) goto done;
  LSQ_TRY(solve_columns(p, data, a, 0, 0, reports));
done:
  return st;
}

lsqnet_status lsq_solve(lsqnet_solver *solver, const lsq_data *data, const double **X, lsqnet_report *reports) {
  lsqnet_status st = LSQNET_OK;
  arrays a;
  lsq_problem problem;
  lsq_operator op;
  int contradiction = 0;
  for (int64_t i = 0; i < data->k; i++) reports[i] = (lsqnet_report){.size = sizeof *reports, .rank = -1};
  if (data->m < data->n && !solver->options.min_norm) return fail_rank(data, -1, 0, reports);
  solver->model_calls = 0;
  if (begins_by_rows(solver, data)) {
    LSQ_TRY(begin_wide(solver, data, &a, &problem, &op, &contradiction));
  } else {
    LSQ_TRY(begin(solver, data, 0, &a, &problem));
    LSQ_TRY(prepare(&problem, data, &a, &(row_rank){data->m, 0.0}, &op, &contradiction));
  }
  *X = a.X;
  LSQ_TRY(lsq_limits_found(solver));
  if (!contradiction && rank_refused(&problem))
    return fail_rank(data, problem.factor->rank, solver->model_calls, reports);
  LSQ_TRY(solve_columns(&problem, data, &a, contradiction, 1, reports));
  if (problem.wide != NULL && data->n <= MANY && first_uncertain(data, reports) < data->k)
    LSQ_TRY(solve_uncertain(&problem, data, &a, &op, reports));
  st = first_failure(data, reports);
done:
  return st;
}
