/* The solver on hard problems: scales, dependent columns, conditions up to 1e17. What is certified is right, and what
 * is not says so. LSQNET_TEST_QUICK makes it a tenth. */
#include <check.h>
#include <stdio.h>

#include "counting_allocator.h"
#include "problem.h"

enum { METHODS = LSQNET_METHOD_DIRECT + 1 };

static const model_kind kinds[] = {{"attention", "split", 64, 16, 0},
                                   {"attention", "split", 20, 5, 0},
                                   {"attention", "split", 7, 4, 2},
                                   {"base_conv", "repeat", 6, 4, 0},
                                   {NULL, NULL, 0, 0, 0}}; /* the shipped ones */
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static lsqnet_context *context;

static void setup(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }

static void teardown(void) { lsqnet_context_destroy(context); }

static int quick(void) { return getenv("LSQNET_TEST_QUICK") != NULL; }

/* Statistics of many solves. */
typedef struct {
  int64_t solved, refused, dependent;
} outcome;

/* Solves and holds the answer against the oracle: digits flatter by one at most; OK means one unit in the last place
 * (two and a half where what compensated sums leave open may be as much as the tolerance, DBL_EPSILON: `units`). */
static lsqnet_status check_honest(lsqnet_solver *solver, problem *p, double units, outcome *o, lsqnet_report *report) {
  const lsqnet_status st = problem_solve(solver, p, report);
  o->solved += st == LSQNET_OK;
  o->refused += st == LSQNET_E_NOT_CONVERGED;
  o->dependent += st == LSQNET_E_RANK;
  ck_assert_int_eq(st, report->status);
  ck_assert_int_gt(report->model_calls, 0);
  if (st == LSQNET_E_RANK) {
    ck_assert_int_eq(report->stopped, LSQNET_STOP_RANK);
    return st;
  }
  ck_assert(st == LSQNET_OK || st == LSQNET_E_NOT_CONVERGED);
  const double right = right_digits(p, 0, DBL_EPSILON);
  ck_assert_msg(report->digits <= right + 1, "%g digits reported, %g right, m=%d n=%d", report->digits, right,
                (int)p->m, (int)p->n);
  if (st == LSQNET_OK)
    ck_assert_msg(worst_error(p, DBL_EPSILON) <= units, "%g units, m=%d n=%d", worst_error(p, DBL_EPSILON), (int)p->m,
                  (int)p->n);
  return st;
}

/* ---- conditions ---- */

START_TEST(digits_never_flatter_and_certified_answers_are_right) {
  const int32_t method = _i % 2 == 0 ? LSQNET_METHOD_AUTO : LSQNET_METHOD_GD + _i / 2 % 3;
  const lsqnet_solver_options options = solver_options(method);
  lsqnet_solver *solver = solver_on(context, kinds[_i % KINDS], &options);
  uint64_t state = 1000 + (uint64_t)_i;
  outcome o = {0, 0, 0};
  const int count = quick() ? 40 : 500 * rounds();
  for (int i = 0; i < count; i++) {
    const int64_t n = integer(&state, 1, 8), m = integer(&state, n, 30);
    const double condition = pow(10, 17 * uniform(&state));
    problem p = problem_create(m, n, 1, 0);
    problem_fill_condition(&p, condition, i % 2, i / 2 % 2, &state);
    (void)problem_truth(&p, 0);
    const double truth = quad_condition(m, n, p.a, p.lda);
    lsqnet_report report;
    const lsqnet_status st = check_honest(solver, &p, truth < 1e11 ? 1 : 2.5, &o, &report);
    ck_assert(st != LSQNET_E_RANK || truth > 1e13);
    ck_assert(st != LSQNET_E_NOT_CONVERGED || truth > 1e10);
    if (st != LSQNET_E_RANK) ck_assert(report.condition <= 2 * truth && report.condition >= 0.5 * truth);
    if (st == LSQNET_OK) ck_assert(report.digits >= 13 && (report.rank == n || report.rank == -1));
    problem_free(&p);
  }
  ck_assert_int_ge(o.solved, count / 2);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Beyond 64 columns the factor is applied in panels. A second pass sees whether the first left what it should. */
START_TEST(many_columns_that_nearly_depend_are_orthogonalised) {
  static const double conditions[] = {1e5, 1e9, 1e11};
  lsqnet_solver *solver = solver_on(context, kinds[0], NULL);
  uint64_t state = 90;
  for (int i = 0; i < 3; i++) {
    problem p = problem_create(110, 81, 1, 0);
    problem_fill_condition(&p, conditions[i], 0, 1, &state);
    (void)problem_truth(&p, 0);
    lsqnet_report report = {.size = sizeof report};
    ck_assert_msg(problem_solve(solver, &p, &report) == LSQNET_OK, "%g: %s", conditions[i], lsqnet_last_message());
    ck_assert_int_eq(report.orthogonalised, i == 0 ? 1 : 2);
    ck_assert_int_le(report.corrections, 8);
    ck_assert(worst_error(&p, DBL_EPSILON) <= 1 && report.digits > 15);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Of A'r only a part in cond is about the direction that is nearly lost: where two columns do not hide it among others,
 * any rounding of A'r can cancel it. */
START_TEST(two_columns_that_nearly_agree_are_solved_or_refused) {
  lsqnet_solver *solver = solver_on(context, kinds[_i], NULL);
  uint64_t state = 500 + (uint64_t)_i;
  outcome o = {0, 0, 0};
  for (int i = 0; i < (quick() ? 200 : 1500); i++) {
    const double condition = pow(10, 8 + 7 * uniform(&state));
    problem p = problem_create(integer(&state, 3, 20), 2, 1, 0);
    problem_fill_condition(&p, condition, 1, 1, &state);
    (void)problem_truth(&p, 0);
    lsqnet_report report;
    const lsqnet_status st = check_honest(solver, &p, condition < 1e11 ? 1 : 2.5, &o, &report);
    ck_assert(st == LSQNET_OK || condition > 1e11);
    problem_free(&p);
  }
  ck_assert_int_ge(o.solved, quick() ? 100 : 750);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* A residual that dwarfs A x: the answer depends on cond^2 times the roundings of A'r. */
START_TEST(a_large_residual_is_refined_or_refused) {
  lsqnet_solver *solver = solver_on(context, kinds[_i], NULL);
  uint64_t state = 77 + (uint64_t)_i;
  outcome o = {0, 0, 0};
  for (int i = 0; i < (quick() ? 30 : 300 * rounds()); i++) {
    const int64_t n = integer(&state, 2, 8), m = integer(&state, n + 1, 30);
    problem p = problem_create(m, n, 1, 0);
    const double condition = pow(10, 12 * uniform(&state)), size = pow(10, 6 * uniform(&state) - 3);
    problem_fill_condition(&p, condition, i % 2, 0, &state);
    (void)problem_truth(&p, 0); /* b <- A times something moderate + its residual */
    for (int64_t l = 0; l < m; l++) {
      quad rest = p.b[l];
      for (int64_t j = 0; j < n; j++) rest -= p.a[l * n + j] * p.truth[j];
      double moderate = 0;
      for (int64_t j = 0; j < n; j++) moderate += p.a[l * n + j] * (double)(j + 1);
      p.b[l] = moderate + size * (double)rest;
    }
    (void)problem_truth(&p, 0);
    lsqnet_report report;
    (void)check_honest(solver, &p, condition * condition * size < 1e12 ? 1 : 2.5, &o, &report);
    problem_free(&p);
  }
  ck_assert_int_gt(o.solved, 0);
  lsqnet_solver_destroy(solver);
}
END_TEST

static double hilbert(int64_t i, int64_t j, int64_t n) {
  (void)n;
  return 1 / (double)(i + j + 1);
}

static double vandermonde(int64_t i, int64_t j, int64_t n) { return pow((double)(i + 1) / (double)(n + 3), (double)j); }

/* cos(1.2) and sin(1.2) */
static double kahan(int64_t i, int64_t j, int64_t n) {
  (void)n;
  return i > j ? 0 : pow(0.932039085967226, (double)i) * (i == j ? 1 : -0.362357754476674);
}

static double laeuchli(int64_t i, int64_t j, int64_t n) { return i == 0 ? 1 : i == j + 1 ? pow(10, -(double)n) : 0; }

/* columns that share all but 10^-n of themselves */
static double collinear(int64_t i, int64_t j, int64_t n) {
  return 1 + pow(10, -(double)n) * sin((double)((i + 1) * (j + 2)));
}

typedef struct {
  double (*entry)(int64_t i, int64_t j, int64_t n);
  int64_t least, most; /* n */
  int64_t extra;       /* rows beyond n */
  int64_t solved;      /* up to this n, what must be solved */
} family;

static const family families[] = {{hilbert, 2, 14, 0, 8},
                                  {vandermonde, 2, 14, 3, 10},
                                  {kahan, 2, 40, 0, 20},
                                  {laeuchli, 2, 12, 1, 6},
                                  {collinear, 2, 12, 6, 6}};
enum { FAMILIES = sizeof families / sizeof families[0] };

START_TEST(notorious_matrices_are_solved_or_refused) {
  const family *f = &families[_i / METHODS];
  const lsqnet_solver_options options = solver_options(_i % METHODS);
  lsqnet_solver *solver = solver_on(context, kinds[1], &options);
  outcome o = {0, 0, 0};
  for (int64_t n = f->least; n <= f->most; n++)
    for (int rhs = 0; rhs < 3; rhs++) {
      problem p = problem_create(n + f->extra, n, 1, 0);
      for (int64_t i = 0; i < p.m; i++) {
        for (int64_t j = 0; j < n; j++) p.a[i * n + j] = f->entry(i, j, n);
        for (int64_t j = 0; j < n; j++) p.b[i] += rhs < 2 ? p.a[i * n + j] : 0;
        if (rhs > 0) p.b[i] += cos((double)(3 * i + 1)); /* consistent, mixed, all residual */
      }
      lsqnet_report report;
      (void)problem_truth(&p, 0);
      const lsqnet_status st = check_honest(solver, &p, 2.5, &o, &report);
      if (n <= f->solved) ck_assert_int_eq(st, LSQNET_OK);
      problem_free(&p);
    }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* Two nearly equal columns among orthogonal ones: the singular vectors that matter are far from any pattern. */
START_TEST(a_hidden_near_dependence_shows_in_the_condition) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, kinds[0], &options);
  for (int64_t first = 0; first < 8; first++)
    for (int64_t second = first + 1; second < 8; second++)
      for (int sign = -1; sign <= 1; sign += 2) {
        problem p = problem_create(16, 8, 1, 0);
        for (int64_t i = 0; i < 16; i++) {
          for (int64_t j = 0; j < 8; j++) { /* columns of a Hadamard matrix */
            int64_t bits = i & (j + 1), odd = 0;
            for (; bits > 0; bits >>= 1) odd ^= bits & 1;
            p.a[i * 8 + j] = odd ? -1 : 1;
          }
          p.b[i] = sin((double)(i * i));
        }
        for (int64_t i = 0; i < 16; i++) p.a[i * 8 + second] = sign * p.a[i * 8 + first] + 1e-3 * p.a[i * 8 + second];
        lsqnet_report report;
        outcome o = {0, 0, 0};
        (void)problem_truth(&p, 0);
        ck_assert_int_eq(check_honest(solver, &p, 1, &o, &report), LSQNET_OK);
        const double truth = quad_condition(16, 8, p.a, 8);
        ck_assert(report.condition <= 2 * truth && report.condition >= 0.5 * truth);
        problem_free(&p);
      }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- scales ---- */

START_TEST(powers_of_two_change_no_bit_of_the_answer) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, kinds[1], &options);
  for (uint64_t seed = 1; seed < (quick() ? 5 : 40); seed++) {
    uint64_t state = seed;
    problem p = problem_normal(23, 1 + (int64_t)seed % 7, 1, 0, seed), q = problem_create(p.m, p.n, 1, 0);
    const int b_exponent = (int)integer(&state, -480, 480);
    int exponents[8];
    for (int64_t j = 0; j < p.n; j++) exponents[j] = (int)integer(&state, -480, 480);
    for (int64_t i = 0; i < p.m; i++) {
      for (int64_t j = 0; j < p.n; j++) q.a[i * p.n + j] = ldexp(p.a[i * p.n + j], exponents[j]);
      q.b[i] = ldexp(p.b[i], b_exponent);
    }
    lsqnet_report report, scaled;
    ck_assert_int_eq(problem_solve(solver, &p, &report), LSQNET_OK);
    ck_assert_int_eq(problem_solve(solver, &q, &scaled), LSQNET_OK);
    for (int64_t j = 0; j < p.n; j++) ck_assert(q.x[j] == ldexp(p.x[j], b_exponent - exponents[j]));
    ck_assert(scaled.residual_norm == ldexp(report.residual_norm, b_exponent));
    scaled.residual_norm = report.residual_norm;
    ck_assert(memcmp(&report, &scaled, sizeof report) == 0);
    problem_free(&q);
    problem_free(&p);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

/* A times the factors of its columns, and b times its own. */
static void check_scales(lsqnet_solver *solver, uint64_t seed, const double *column_factors, double b_factor) {
  problem p = problem_normal(17, 5, 1, 2, seed);
  lsqnet_report report;
  outcome o = {0, 0, 0};
  for (int64_t i = 0; i < p.m; i++) {
    for (int64_t j = 0; j < p.n; j++) p.a[i * p.lda + j] *= column_factors[j];
    p.b[i * p.ldb] *= b_factor;
  }
  (void)problem_truth(&p, 0);
  ck_assert_int_eq(check_honest(solver, &p, 1, &o, &report), LSQNET_OK);
  problem_free(&p);
}

START_TEST(columns_and_right_sides_of_any_size_are_solved) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(context, kinds[1], &options);
  static const double extremes[][2] = {{1e300, 1e300},   {1e-300, 1e-300}, {1e150, 1e-150},  {1e-150, 1e150},
                                       {1e300, 1},       {1e-300, 1},      {1, 1e300},       {1, 1e-300},
                                       {1e-310, 1e-310}, {1e-310, 1e-20},  {1e-322, 1e-160}, {1e300, 1e-5}};
  uint64_t state = 3;
  for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
    double factors[5];
    for (int j = 0; j < 5; j++) factors[j] = extremes[i][0];
    check_scales(solver, 50 + i, factors, extremes[i][1]);
  }
  for (int i = 0; i < (quick() ? 10 : 100); i++) {
    double factors[5];
    for (int j = 0; j < 5; j++) factors[j] = pow(10, 280 * uniform(&state) - 140);
    check_scales(solver, 100 + (uint64_t)i, factors, pow(10, 280 * uniform(&state) - 140));
  }
  for (double grade = 1e-3; grade > 1e-70; grade *= 1e-7) {
    double factors[5] = {1, grade, grade * grade, grade * grade * grade, grade * grade * grade * grade};
    check_scales(solver, 7, factors, 1);
  }
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(rows_of_very_different_size_are_solved_or_refused) {
  lsqnet_solver *solver = solver_on(context, kinds[_i], NULL);
  uint64_t state = 9;
  outcome o = {0, 0, 0};
  for (int i = 0; i < (quick() ? 20 : 200); i++) {
    problem p = problem_normal(integer(&state, 4, 20), integer(&state, 1, 4), 1, 0, (uint64_t)i);
    const double range = 30 * uniform(&state);
    for (int64_t r = 0; r < p.m; r++) {
      const double factor = pow(10, range * (uniform(&state) - 0.5));
      for (int64_t j = 0; j < p.n; j++) p.a[r * p.n + j] *= factor;
      p.b[r] *= factor;
    }
    lsqnet_report report;
    (void)problem_truth(&p, 0);
    (void)check_honest(solver, &p, 2.5, &o, &report);
    problem_free(&p);
  }
  ck_assert_int_gt(o.solved, quick() ? 5 : 50);
  lsqnet_solver_destroy(solver);
}
END_TEST

START_TEST(an_answer_that_overflows_is_refused_and_one_that_underflows_tells) {
  lsqnet_solver *solver = solver_on(context, kinds[1], NULL);
  problem p = problem_normal(9, 3, 2, 0, 5);
  lsqnet_report reports[2];
  for (int64_t i = 0; i < 9; i++) {
    for (int64_t j = 0; j < 3; j++) p.a[i * 3 + j] *= 1e-300;
    p.b[i * 2 + 1] *= 1e300;
  }
  for (int i = 0; i < 6; i++) p.x[i] = 42;
  ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_E_NOT_FINITE);
  ck_assert_int_eq(reports[0].status, LSQNET_OK);
  (void)problem_truth(&p, 0);
  ck_assert(right_digits(&p, 0, DBL_EPSILON) > 15);
  for (int j = 0; j < 3; j++) ck_assert(p.x[j * 2 + 1] == 42); /* each column by its own status */
  ck_assert_int_eq(reports[1].status, LSQNET_E_NOT_FINITE);
  ck_assert_int_eq(reports[1].stopped, LSQNET_STOP_DATA);
  ck_assert(reports[1].digits == 0);
  for (int64_t i = 0; i < 9; i++) {
    for (int64_t j = 0; j < 3; j++) p.a[i * 3 + j] = p.a[i * 3 + j] * 1e300 * 1e300;
    p.b[i * 2] *= 1e-15;                               /* x denormal, by some digits */
    p.b[i * 2 + 1] = p.b[i * 2 + 1] * 1e-300 * 1e-300; /* x zero */
  }
  (void)problem_truth(&p, 0);
  ck_assert_int_eq(problem_solve(solver, &p, reports), LSQNET_E_NOT_CONVERGED);
  ck_assert(worst_error(&p, DBL_EPSILON) <= 1);
  for (int l = 0; l < 2; l++) {
    const double digits = reports[l].digits;
    ck_assert_int_eq(reports[l].status, LSQNET_E_NOT_CONVERGED);
    ck_assert(digits <= right_digits(&p, l, DBL_EPSILON) + 1 && digits >= 0 && !signbit(digits));
    ck_assert(certificate_is_right(&p, l, &reports[l]));
  }
  ck_assert(reports[0].digits > 1 && reports[0].digits < 12);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
}
END_TEST

/* ---- dependent columns ---- */

/* A = B C with small integers, so that its rank is `rank` exactly; columns times `factors` if not NULL. */
static problem deficient_problem(int64_t m, int64_t n, int64_t rank, const double *factors, uint64_t *state) {
  problem p = problem_create(m, n, 2, 1);
  double *B = doubles(m * rank), *C = doubles(rank * n);
  for (int64_t i = 0; i < m * rank; i++) B[i] = (double)integer(state, -9, 9);
  for (int64_t i = 0; i < rank * n; i++) C[i] = (double)integer(state, -9, 9);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t l = 0; l < rank; l++) sum += B[i * rank + l] * C[l * n + j];
      p.a[i * p.lda + j] = sum * (factors != NULL ? factors[j] : 1);
    }
    p.b[i * p.ldb] = normal(state);
    p.b[i * p.ldb + 1] = normal(state);
  }
  free(C);
  free(B);
  return p;
}

static int64_t true_rank(const problem *p) {
  quad *N = quad_array(p->n * p->n);
  const int64_t rank = quad_null_space(p->m, p->n, p->a, p->lda, 1e-25, N);
  free(N);
  return rank;
}

static void check_refused(lsqnet_solver *solver, problem *p, int64_t rank, int named) {
  lsqnet_report reports[4];
  char text[64];
  (void)snprintf(text, sizeof text, "rank %d of n=%d", (int)rank, (int)p->n);
  for (int64_t i = 0; i < p->n * p->ldx; i++) p->x[i] = 42;
  const lsqnet_status st = problem_solve(solver, p, reports);
  ck_assert_msg(st == LSQNET_E_RANK, "%s instead of rank %d of %d, m=%d: %s", lsqnet_status_name(st), (int)rank,
                (int)p->n, (int)p->m, lsqnet_last_message());
  if (named) ck_assert_msg(strstr(lsqnet_last_message(), text) != NULL, "%s: %s", text, lsqnet_last_message());
  for (int64_t l = 0; l < p->k; l++) {
    ck_assert_int_eq(reports[l].status, LSQNET_E_RANK);
    ck_assert_int_eq(reports[l].stopped, LSQNET_STOP_RANK);
    if (named) ck_assert_int_eq(reports[l].rank, rank);
  }
  for (int64_t i = 0; i < p->n * p->ldx; i++) ck_assert(p->x[i] == 42);
}

/* What defines the answer of least norm: A'r = 0, and x orthogonal to the null space, in the caller's units; each sum
 * relative to its terms. */
static void check_least_norm_conditions(const problem *p, int64_t rank, double tolerance) {
  const int64_t others = p->n - rank;
  quad *N = quad_array(p->n * p->n);
  ck_assert_int_eq(quad_null_space(p->m, p->n, p->a, p->lda, 1e-25, N), rank);
  for (int64_t l = 0; l < p->k; l++) {
    ck_assert(error_bounds_of(p, l).simple <= 1e-13);
    for (int64_t c = 0; c < others; c++) {
      quad sum = 0, terms = 0;
      for (int64_t j = 0; j < p->n; j++) {
        const quad product = N[j * others + c] * p->x[j * p->ldx + l];
        sum += product;
        terms += quad_abs(product);
      }
      ck_assert_msg(quad_abs(sum) <= tolerance * terms, "m=%d n=%d rank %d: %g", (int)p->m, (int)p->n, (int)rank,
                    (double)(quad_abs(sum) / terms));
    }
  }
  free(N);
}

/* `digits` > 0: against the oracle too, whose quadruple precision bears columns that differ by 1e10. */
static void check_least_norm(lsqnet_solver *solver, problem *p, int64_t rank, double digits) {
  lsqnet_report reports[4];
  const lsqnet_status st = problem_solve(solver, p, reports);
  ck_assert_msg(st == LSQNET_OK, "m=%d n=%d rank %d: %s", (int)p->m, (int)p->n, (int)rank, lsqnet_last_message());
  for (int64_t l = 0; l < p->k; l++) ck_assert_int_eq(reports[l].rank, rank);
  check_least_norm_conditions(p, rank, 1e-9);
  if (digits == 0) return;
  ck_assert_int_eq(problem_truth(p, 1e-25), rank);
  for (int64_t l = 0; l < p->k; l++) {
    const double right = right_digits(p, l, DBL_EPSILON);
    ck_assert_msg(reports[l].digits <= right + 1, "%g digits reported, %g right", reports[l].digits, right);
    ck_assert_msg(right >= digits, "m=%d n=%d rank %d: %g right digits, %g reported", (int)p->m, (int)p->n, (int)rank,
                  right, reports[l].digits);
  }
}

static lsqnet_solver *least_norm_solver(int kind, int32_t method) {
  lsqnet_solver_options options = solver_options(method);
  options.min_norm = 1;
  return solver_on(context, kinds[kind], &options);
}

START_TEST(a_zero_column_is_named_and_gets_zero_in_the_least_norm) {
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *plain = solver_on(context, kinds[1], &options), *least = least_norm_solver(1, _i);
  for (int64_t zero = 0; zero < 7; zero++) {
    problem p = problem_normal(12, 7, 2, 0, 4);
    for (int64_t i = 0; i < 12; i++)
      for (int64_t j = 0; j < 7; j++) p.a[i * 7 + j] *= j == zero ? 0 : pow(10, (double)(5 * j) - 15);
    check_refused(plain, &p, 6, 1);
    check_least_norm(least, &p, 6, 0);
    ck_assert(p.x[zero * 2] == 0 && p.x[zero * 2 + 1] == 0);
    problem_free(&p);
  }
  problem nothing = problem_create(9, 3, 2, 0);
  for (int64_t i = 0; i < 18; i++) nothing.b[i] = 1;
  check_refused(plain, &nothing, 0, 1);
  lsqnet_report reports[2];
  ck_assert_int_eq(problem_solve(least, &nothing, reports), LSQNET_OK);
  for (int64_t j = 0; j < 6; j++) ck_assert(nothing.x[j] == 0);
  ck_assert_int_eq(reports[0].rank, 0);
  ck_assert(reports[0].backward_error == 0 && reports[0].residual_norm == 3);
  problem_free(&nothing);
  lsqnet_solver_destroy(least);
  lsqnet_solver_destroy(plain);
}
END_TEST

START_TEST(equal_columns_are_found_wherever_they_are) {
  for (int kind = 0; kind < 2; kind++) {
    lsqnet_solver_options options = solver_options(_i);
    if (kind == 1) options.iterations = INT64_MAX; /* iterations would do it, if the answer were unique */
    lsqnet_solver *solver = solver_on(context, kinds[kind], &options);
    for (int64_t first = 0; first < 12; first++)
      for (int64_t second = first + 1; second < 12; second += quick() ? 5 : 1) {
        problem p = problem_normal(20, 12, 1, 0, 6);
        for (int64_t i = 0; i < 20; i++) p.a[i * 12 + second] = p.a[i * 12 + first];
        check_refused(solver, &p, 11, 1);
        for (int64_t i = 0; i < 20; i++) p.a[i * 12 + second] *= -3e7;
        check_refused(solver, &p, 11, 1);
        problem_free(&p);
      }
    lsqnet_solver_destroy(solver);
  }
}
END_TEST

START_TEST(rank_deficiency_is_refused_by_rank_or_gets_the_least_norm) {
  const int32_t method = _i % METHODS;
  const int kind = _i / METHODS % KINDS;
  const lsqnet_solver_options options = solver_options(method);
  lsqnet_solver *plain = solver_on(context, kinds[kind], &options), *least = least_norm_solver(kind, method);
  uint64_t state = 11;
  for (int i = 0; i < (quick() ? 6 : 40); i++) {
    const int64_t n = integer(&state, 2, i % 8 == 7 ? 40 : 12), m = integer(&state, n, i % 8 == 7 ? 200 : 40);
    const int64_t rank = i % 2 == 0 ? n - 1 : (n + 1) / 2;
    problem p = deficient_problem(m, n, rank, NULL, &state);
    check_refused(plain, &p, true_rank(&p), 1);
    check_least_norm(least, &p, true_rank(&p), 9);
    problem_free(&p);
  }
  lsqnet_solver_destroy(least);
  lsqnet_solver_destroy(plain);
}
END_TEST

START_TEST(the_least_norm_is_that_of_the_callers_units) {
  lsqnet_solver *least = least_norm_solver(_i % KINDS, LSQNET_METHOD_AUTO);
  uint64_t state = 21;
  for (int i = 0; i < (quick() ? 10 : 100); i++) {
    const int64_t n = integer(&state, 2, 9), m = integer(&state, n, 20), rank = integer(&state, 1, n - 1);
    double factors[9];
    const int64_t range = i % 2 == 0 ? integer(&state, 0, 12) : integer(&state, 0, 100);
    for (int64_t j = 0; j < n; j++)
      factors[j] = ldexp((double)integer(&state, 1, 1000), (int)integer(&state, -range, range));
    problem p = deficient_problem(m, n, rank, factors, &state);
    check_least_norm(least, &p, true_rank(&p), range <= 12 ? 6 : 0);
    problem_free(&p);
  }
  lsqnet_solver_destroy(least);
}
END_TEST

START_TEST(fewer_rows_than_unknowns_are_refused_before_memory_is_taken) {
  enum { N = 20000 };
  counting_allocator allocator = {.refuse = 0};
  lsqnet_context *counted = NULL;
  ck_assert_int_eq(counting_context(&counted, &allocator, 1), LSQNET_OK);
  const lsqnet_solver_options options = solver_options(_i);
  lsqnet_solver *solver = solver_on(counted, kinds[1], &options);
  problem p = problem_normal(3, N, 1, 0, 2);
  const long long before = allocator.live_bytes;
  allocator.most_bytes = 0;
  check_refused(solver, &p, 0, 0);
  ck_assert_ptr_nonnull(strstr(lsqnet_last_message(), "m=3 rows for n=20000 unknowns"));
  ck_assert_int_le(allocator.live_bytes - before, 1024); /* for the report, kept */
  ck_assert_int_le(allocator.most_bytes - before, 64 * N);
  problem_free(&p);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(counted);
}
END_TEST

START_TEST(fewer_rows_than_unknowns_get_the_least_norm_when_asked_for) {
  for (int kind = 0; kind < KINDS; kind++) {
    lsqnet_solver *least = least_norm_solver(kind, _i);
    uint64_t state = 31;
    for (int i = 0; i < (quick() ? 5 : 30); i++) {
      const int64_t n = integer(&state, 2, 15), m = integer(&state, 1, n - 1);
      problem p = problem_normal(m, n, 2, 1, (uint64_t)i);
      for (int64_t r = 0; r < m; r++)
        for (int64_t j = 0; j < n; j++) p.a[r * p.lda + j] *= pow(10, (double)(i % 5 * (j % 3)));
      check_least_norm(least, &p, m, 9);
      problem_free(&p);
    }
    lsqnet_solver_destroy(least);
  }
}
END_TEST

START_TEST(full_rank_is_solved_with_min_norm_on) {
  lsqnet_solver *least = least_norm_solver(1, _i);
  uint64_t state = 41;
  for (int i = 0; i < 20; i++) {
    problem p = problem_normal(integer(&state, 8, 30), integer(&state, 1, 8), 1, 0, (uint64_t)i);
    lsqnet_report report;
    outcome o = {0, 0, 0};
    (void)problem_truth(&p, 0);
    ck_assert_int_eq(check_honest(least, &p, 1, &o, &report), LSQNET_OK);
    problem_free(&p);
  }
  lsqnet_solver_destroy(least);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("solver: hard problems");
  TCase *conditions = tcase_create("conditions"), *scales = tcase_create("scales"), *ranks = tcase_create("ranks");
  TCase *const cases[] = {conditions, scales, ranks};
  for (int i = 0; i < 3; i++) {
    tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_set_timeout(cases[i], 300);
    suite_add_tcase(suite, cases[i]);
  }
  tcase_add_loop_test(conditions, digits_never_flatter_and_certified_answers_are_right, 0, 8);
  tcase_add_test(conditions, many_columns_that_nearly_depend_are_orthogonalised);
  tcase_add_loop_test(conditions, two_columns_that_nearly_agree_are_solved_or_refused, 0, KINDS);
  tcase_add_loop_test(conditions, a_large_residual_is_refined_or_refused, 0, KINDS);
  tcase_add_loop_test(conditions, notorious_matrices_are_solved_or_refused, 0, FAMILIES * METHODS);
  tcase_add_loop_test(conditions, a_hidden_near_dependence_shows_in_the_condition, 0, METHODS);
  tcase_add_loop_test(scales, powers_of_two_change_no_bit_of_the_answer, 0, METHODS);
  tcase_add_loop_test(scales, columns_and_right_sides_of_any_size_are_solved, 0, METHODS);
  tcase_add_loop_test(scales, rows_of_very_different_size_are_solved_or_refused, 0, KINDS);
  tcase_add_test(scales, an_answer_that_overflows_is_refused_and_one_that_underflows_tells);
  tcase_add_loop_test(ranks, a_zero_column_is_named_and_gets_zero_in_the_least_norm, 0, METHODS);
  tcase_add_loop_test(ranks, equal_columns_are_found_wherever_they_are, 0, METHODS);
  tcase_add_loop_test(ranks, rank_deficiency_is_refused_by_rank_or_gets_the_least_norm, 0, METHODS * KINDS);
  tcase_add_loop_test(ranks, the_least_norm_is_that_of_the_callers_units, 0, KINDS);
  tcase_add_loop_test(ranks, fewer_rows_than_unknowns_are_refused_before_memory_is_taken, 0, METHODS);
  tcase_add_loop_test(ranks, fewer_rows_than_unknowns_get_the_least_norm_when_asked_for, 0, METHODS);
  tcase_add_loop_test(ranks, full_rank_is_solved_with_min_norm_on, 0, METHODS);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
