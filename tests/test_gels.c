/* lsqnet_dgels and lsqnet_sgels against LAPACKE_dgels and LAPACKE_sgels, and against answers that are known. */
#include <check.h>
#include <fenv.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"
#ifdef HAVE_LAPACKE
#include <lapacke.h>
#endif

/* ---- memory: the library has no other way to it here than the default allocator ---- */

/* volatile: a compiler knows what aligned_alloc leaves alone */
static _Thread_local volatile int64_t allocations, failing, bytes;

void *aligned_alloc(size_t alignment, size_t size) {
  void *memory = NULL;
  bytes = bytes + (int64_t)size;
  allocations = allocations + 1;
  if (allocations == failing || posix_memalign(&memory, alignment, size) != 0) return NULL;
  return memory;
}

/* ---- one call ---- */

enum { MOST = 9, PADDING = 2, SIZE = (MOST + PADDING) * (MOST + PADDING) };

typedef struct {
  int32_t layout, m, n, nrhs, lda, ldb;
  char trans;
  int single;
  double a[SIZE], b[SIZE];
} form;

static void narrow(const double *in, float *out) {
  for (int i = 0; i < SIZE; i++) out[i] = (float)in[i];
}

static void widen(const float *in, double *out) {
  for (int i = 0; i < SIZE; i++) out[i] = (double)in[i];
}

static int32_t ours(form *f) {
  float a[SIZE], b[SIZE];
  if (!f->single) return lsqnet_dgels(f->layout, f->trans, f->m, f->n, f->nrhs, f->a, f->lda, f->b, f->ldb);
  narrow(f->a, a);
  narrow(f->b, b);
  const int32_t info = lsqnet_sgels(f->layout, f->trans, f->m, f->n, f->nrhs, a, f->lda, b, f->ldb);
  widen(b, f->b);
  return info;
}

static int32_t smaller(const form *f) { return f->m < f->n ? f->m : f->n; }
static int32_t larger(const form *f) { return f->m > f->n ? f->m : f->n; }

static uint64_t random_state;

/* In (-1/2,1/2), and a float. */
static double half(void) { return (double)(float)(uniform(&random_state) - 0.5); }

static int32_t draw_integer(int32_t low, int32_t high) { return (int32_t)integer(&random_state, low, high); }

/* Singular values of A between 1 and 5: 3 on the diagonal, and an uncertain half everywhere. */
static void fill(form *f) {
  for (int i = 0; i < SIZE; i++) {
    f->a[i] = half();
    f->b[i] = half();
  }
  for (int32_t i = 0; i < smaller(f); i++) f->a[i * (f->lda + 1)] += 3;
}

static void draw(form *f) {
  *f = (form){.layout = draw_integer(101, 102), .trans = "NnTt"[draw_integer(0, 3)], .single = draw_integer(0, 1)};
  f->m = draw_integer(0, MOST);
  f->n = draw_integer(0, MOST);
  f->nrhs = draw_integer(0, 4);
  const int32_t a_line = f->layout == LSQNET_ROW_MAJOR ? f->n : f->m;
  const int32_t b_line = f->layout == LSQNET_ROW_MAJOR ? f->nrhs : larger(f);
  f->lda = (a_line > 1 ? a_line : 1) + draw_integer(0, PADDING);
  f->ldb = (b_line > 1 ? b_line : 1) + draw_integer(0, PADDING);
  fill(f);
}

#ifdef HAVE_LAPACKE

/* Those of this program come before the libraries': LAPACK's prints and ends the program. */
void xerbla_(const char *name, const int32_t *info, size_t length);
void xerbla_(const char *name, const int32_t *info, size_t length) { (void)name, (void)info, (void)length; }
void LAPACKE_xerbla(const char *name, lapack_int info) { (void)name, (void)info; }

static int32_t lapacks(form *f) {
  float a[SIZE], b[SIZE];
  if (!f->single) return LAPACKE_dgels(f->layout, f->trans, f->m, f->n, f->nrhs, f->a, f->lda, f->b, f->ldb);
  narrow(f->a, a);
  narrow(f->b, b);
  const int32_t info = LAPACKE_sgels(f->layout, f->trans, f->m, f->n, f->nrhs, a, f->lda, b, f->ldb);
  widen(a, f->a);
  widen(b, f->b);
  return info;
}

static double unit(const form *f) { return f->single ? FLT_EPSILON : DBL_EPSILON; }
static int32_t unknowns(const form *f) { return f->trans == 'N' || f->trans == 'n' ? f->n : f->m; }
static int64_t place(const form *f, int64_t i, int64_t j) {
  return f->layout == LSQNET_ROW_MAJOR ? i * f->ldb + j : i + j * f->ldb;
}

/* LAPACK's own error, for a condition number of at most 5, which counts squared where there is a residual. */
static void check_same_answers(const form *got, const form *expected) {
  const double tolerance = 64 * larger(got) * unit(got);
  for (int32_t j = 0; j < got->nrhs; j++) {
    double ours = 0, theirs = 0;
    for (int32_t i = 0; i < larger(got); i++) {
      const double b = got->b[place(got, i, j)], other = expected->b[place(got, i, j)];
      if (i < unknowns(got)) ck_assert(fabs(b - other) <= tolerance);
      ours += i < unknowns(got) ? 0 : b * b;
      theirs += i < unknowns(got) ? 0 : other * other;
    }
    ck_assert(fabs(sqrt(ours) - sqrt(theirs)) <= tolerance);
  }
}

/* Every element of b outside max(m,n) x nrhs, and all of a. */
static void check_untouched(const form *got, const form *before) {
  double mask[SIZE] = {0};
  for (int32_t i = 0; i < larger(got); i++)
    for (int32_t j = 0; j < got->nrhs; j++) mask[place(got, i, j)] = 1;
  for (int i = 0; i < SIZE; i++) ck_assert(mask[i] == 1 || got->b[i] == before->b[i]);
  ck_assert(memcmp(got->a, before->a, sizeof got->a) == 0);
}

START_TEST(every_form_gives_lapacks_answer_and_writes_nothing_else) {
  random_state = 1;
  for (int round = 0; round < 2000; round++) {
    form before, got, expected;
    draw(&before);
    got = expected = before;
    ck_assert_int_eq(lapacks(&expected), 0);
    ck_assert_msg(ours(&got) == 0, "%s", lsqnet_last_message());
    check_same_answers(&got, &expected);
    check_untouched(&got, &before);
  }
}
END_TEST

START_TEST(arguments_are_refused_as_by_lapacke) {
  int refused = 0;
  random_state = 2;
  for (int round = 0; round < 20000; round++) {
    form before, got, expected;
    draw(&before);
    for (int spoilt = 0; spoilt < draw_integer(0, 3); spoilt++) switch (draw_integer(0, 8)) {
        case 0: before.layout = draw_integer(100, 103); break;
        case 1: before.trans = "NTCx\0n"[draw_integer(0, 5)]; break;
        case 2: before.m = draw_integer(-2, 4); break;
        case 3: before.n = draw_integer(-2, 4); break;
        case 4: before.nrhs = draw_integer(-2, 4); break;
        case 5: before.lda = draw_integer(-1, 6); break;
        case 6: before.ldb = draw_integer(-1, 6); break;
        case 7: before.a[draw_integer(0, 40)] = NAN; break;
        default: before.b[draw_integer(0, 40)] = NAN; break;
      }
    got = expected = before;
    const int32_t info = ours(&got), lapacke = lapacks(&expected);
    if (lapacke > 0 || info > 0) continue; /* leading dimensions have moved the diagonal */
    ck_assert_msg(info == lapacke, "%d instead of %d: layout %d trans %c m %d n %d nrhs %d lda %d ldb %d", info,
                  lapacke, before.layout, before.trans, before.m, before.n, before.nrhs, before.lda, before.ldb);
    if (info < 0) ck_assert(memcmp(got.b, before.b, sizeof got.b) == 0 || before.single);
    refused += info < 0;
  }
  ck_assert_int_gt(refused, 5000);
}
END_TEST

START_TEST(a_zero_on_the_triangular_factors_diagonal_has_lapacks_number) {
  random_state = 3;
  for (int round = 0; round < 500; round++) {
    form got, expected;
    draw(&got);
    if (smaller(&got) == 0 || got.nrhs == 0) continue;
    const int32_t dependent = draw_integer(1, smaller(&got)), rows = got.m < got.n;
    for (int32_t i = 0; i < larger(&got); i++) {
      const int32_t row = rows ? dependent - 1 : i, column = rows ? i : dependent - 1;
      got.a[got.layout == LSQNET_ROW_MAJOR ? row * got.lda + column : row + column * got.lda] = 0;
    }
    expected = got;
    const int32_t info = smaller(&got) == 1 ? 0 : dependent; /* all of A is zero then */
    ck_assert_int_eq(lapacks(&expected), info);
    ck_assert_int_eq(ours(&got), info);
  }
}
END_TEST

#endif

/* ---- answers that are known ---- */

/* Digits of x, as a whole, that quadruple precision confirms. */
static double right_digits_of_norm(const problem *p) {
  quad error = 0, size = 0;
  for (int64_t j = 0; j < p->n; j++) {
    const quad difference = p->b[j] - p->truth[j];
    error += difference * difference;
    size += p->truth[j] * p->truth[j];
  }
  return error > 0 ? -log10((double)quad_sqrt(error / size)) : 17;
}

/* A backward stable method would have 16 - log10(condition) digits; here roundings begin to show where that is 2. */
START_TEST(what_is_handed_out_has_lost_no_digits) {
  int solved = 0, refused = 0;
  random_state = 6 + (uint64_t)_i;
  for (int round = 0; round < 200; round++) {
    const int64_t rows = integer(&random_state, 2, 20), columns = integer(&random_state, 1, rows);
    const double power = 17 * uniform(&random_state);
    problem p = problem_create(rows, columns, 1, 0), turned = problem_create(columns, rows, 1, 0);
    problem_fill_condition(&p, pow(10, power), 0, 1, &random_state);
    for (int64_t i = 0; i < rows * columns; i++) turned.a[i % columns * rows + i / columns] = p.a[i];
    for (int64_t i = 0; i < columns; i++) turned.b[i] = p.b[i];
    problem *used = _i == 0 ? &p : &turned;
    double *b = doubles(rows);
    (void)problem_truth(used, 0);
    memcpy(b, used->b, (size_t)used->m * sizeof *b);
    free(used->b);
    used->b = b;
    const int32_t info = lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', (int32_t)used->m, (int32_t)used->n, 1, used->a,
                                      (int32_t)used->n, used->b, 1);
    if (info == 0)
      ck_assert_msg(right_digits_of_norm(used) >= (power < 14 ? 15 : 10), "%g digits, 1e%g", right_digits_of_norm(used),
                    power);
    if (power < 12) ck_assert_int_eq(info, 0);
    solved += info == 0;
    refused += info != 0;
    problem_free(&turned);
    problem_free(&p);
  }
  ck_assert(solved > 120 && refused > 5);
}
END_TEST

/* Powers of two and a length that is one: everything comes out exactly. */
static const double tall[4 * 2] = {1, 0, 0, 2, 0, 0, 0, 0}, by_columns[4 * 2] = {1, 0, 0, 0, 0, 2, 0, 0};

START_TEST(trailing_rows_hold_the_norm_of_the_residual) {
  double b[4 * 2] = {5, 1, 6, 2, 3, 0, -4, 0};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 4, 2, 2, tall, 2, b, 2), 0);
  const double expected[4 * 2] = {5, 1, 3, 1, 5, 0, 0, 0};
  for (int i = 0; i < 8; i++) ck_assert_double_eq(b[i], expected[i]);
  double b_columns[4] = {5, 6, 3, -4};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 4, 2, 1, by_columns, 4, b_columns, 4), 0);
  const double expected_column[4] = {5, 3, 5, 0};
  for (int i = 0; i < 4; i++) ck_assert_double_eq(b_columns[i], expected_column[i]);
  float a32[4] = {1, 0, 0, 0}, b32[4] = {5, 2, 3, 6};
  ck_assert_int_eq(lsqnet_sgels(LSQNET_COL_MAJOR, 'N', 4, 1, 1, a32, 4, b32, 4), 0);
  ck_assert(b32[0] == 5 && b32[1] == 7 && b32[2] == 0 && b32[3] == 0);
}
END_TEST

START_TEST(too_few_equations_give_the_shortest_solution) {
  double b[4] = {3, 4, 77, 77};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'T', 4, 2, 1, tall, 2, b, 1), 0);
  ck_assert(b[0] == 3 && b[1] == 2 && b[2] == 0 && b[3] == 0);
  const double row[3] = {1, 2, 2};
  double x[3] = {9, 77, 77};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 1, 3, 1, row, 1, x, 3), 0);
  for (int j = 0; j < 3; j++) ck_assert(fabs(x[j] - row[j]) <= 4 * DBL_EPSILON);
}
END_TEST

/* 648 MB, were there an array of n x n. */
START_TEST(a_wide_problem_takes_nothing_of_its_unknowns_squared) {
  enum { M = 2, N = 9000 };
  double *a = calloc(M * N, sizeof *a), *b = calloc(N, sizeof *b);
  ck_assert(a != NULL && b != NULL);
  for (int64_t j = 0; j < N; j++) a[j % M * N + j] = 1;
  b[0] = 4500, b[1] = 9000;
  bytes = 0;
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', M, N, 1, a, N, b, 1), 0);
  for (int64_t j = 0; j < N; j++) ck_assert(fabs(b[j] - (double)(1 + j % M)) <= 4 * DBL_EPSILON);
  ck_assert_int_le(bytes, 16000000); /* some 40 n, n m and what the solver needs for itself */
  for (int64_t j = 0; j < N; j++) a[N + j] = a[j];
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', M, N, 1, a, N, b, 1), 2);
  ck_assert_int_le(bytes, 16000000);
  free(b);
  free(a);
}
END_TEST

START_TEST(a_large_problem_is_solved_like_a_small_one) {
  enum { M = 300, N = 250 };
  double *a = calloc(M * N, sizeof *a), *b = calloc(M, sizeof *b);
  ck_assert(a != NULL && b != NULL);
  for (int64_t j = 0; j < N; j++) { /* integers, exact sums */
    a[j * M + j] = 2 * N;
    for (int64_t i = 0; i < M; i++) a[j * M + i] += (double)((i * 7 + j * 13) % 11 - 5);
    for (int64_t i = 0; i < M; i++) b[i] += a[j * M + i] * (double)(j % 5 - 2);
  }
  ck_assert_int_eq(lsqnet_dgels(LSQNET_COL_MAJOR, 'N', M, N, 1, a, M, b, M), 0);
  for (int64_t j = 0; j < N; j++) ck_assert_double_eq(b[j], (double)(j % 5 - 2));
  for (int64_t i = N; i < M; i++) ck_assert(fabs(b[i]) <= DBL_EPSILON);
  free(b);
  free(a);
}
END_TEST

START_TEST(columns_that_depend_but_for_roundings_are_named) {
  double a[5 * 4], b[5] = {1, 2, 3, 4, 5}, transposed[4 * 5];
  for (int dependent = 1; dependent < 4; dependent++) {
    random_state = 4;
    for (int i = 0; i < 5; i++) {
      for (int j = 0; j < 4; j++) a[i * 4 + j] = half();
      a[i * 4 + dependent] = 0.3 * a[i * 4] + (dependent > 1 ? 0.7 * a[i * 4 + 1] : 0);
      for (int j = 0; j < 4; j++) transposed[j * 5 + i] = a[i * 4 + j];
    }
    ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 5, 4, 1, a, 4, b, 1), dependent + 1);
    ck_assert_str_eq(lsqnet_last_message(), dependent == 1 ? "column 2 of a, counted from 1, depends on those before it"
                                            : dependent == 2
                                                ? "column 3 of a, counted from 1, depends on those before it"
                                                : "column 4 of a, counted from 1, depends on those before it");
    ck_assert_int_eq(lsqnet_dgels(LSQNET_COL_MAJOR, 'T', 4, 5, 1, a, 4, b, 5), dependent + 1);
    ck_assert(strncmp(lsqnet_last_message(), "row ", 4) == 0);
    ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 4, 5, 1, transposed, 5, b, 1), dependent + 1);
    ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'T', 5, 4, 1, a, 4, b, 1), dependent + 1);
    for (int i = 0; i < 5; i++) ck_assert_double_eq(b[i], i + 1);
  }
}
END_TEST

/* Rows that fall by 10^2, 10^3, ... each: the answer that they have as they fall is theirs whatever the order. */
START_TEST(rows_of_very_different_size_are_certified_or_named) {
  for (int rising = 0; rising < 2; rising++)
    for (int step = 2; step < 12; step++) {
      double a[5 * 5], b[5];
      problem p = problem_normal(5, 5, 1, 0, 3);
      for (int i = 0; i < 5; i++) {
        const double size = pow(10, step * (rising ? i - 4 : -i));
        for (int j = 0; j < 5; j++) p.a[i * 5 + j] = a[i * 5 + j] = size * p.a[i * 5 + j];
        p.b[i] = b[i] = size * p.b[i];
      }
      const int32_t info = lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 5, 5, 1, a, 5, b, 1);
      ck_assert(step <= 3 ? info == 0 : step >= 5 ? info > 0 && info <= 5 : info >= 0);
      if (info == 0) {
        ck_assert_int_eq(problem_truth(&p, 0), 5);
        memcpy(p.x, b, sizeof b);
        ck_assert_double_ge(right_digits(&p, 0, DBL_EPSILON), 15);
      }
      for (int i = 0; i < 5 && info > 0; i++) ck_assert(b[i] == p.b[i]);
      problem_free(&p);
    }
}
END_TEST

START_TEST(no_data_and_zero_data_give_zero) {
  const double zero[6] = {0};
  double b[3] = {1, 2, 3};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 3, 0, 1, NULL, 0, b, 1), 0);
  ck_assert(b[0] == 0 && b[1] == 0 && b[2] == 0);
  double c[3] = {1, 2, 3};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_COL_MAJOR, 'T', 0, 3, 1, NULL, 1, c, 3), 0);
  ck_assert(c[0] == 0 && c[1] == 0 && c[2] == 0);
  double d[3] = {1, 2, 3};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 3, 2, 1, zero, 2, d, 1), 0);
  ck_assert(d[0] == 0 && d[1] == 0 && d[2] == 0);
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 0, 0, 0, NULL, 0, NULL, 0), 0);
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 3, 2, 0, zero, 2, NULL, 0), 0);
}
END_TEST

static const struct {
  int32_t layout;
  char trans;
  int32_t m, n, nrhs;
  int missing; /* 1: a, 2: b */
  int32_t lda, ldb, info;
  const char *message;
} refusals[] = {
    {100, 'N', 3, 2, 1, 0, 2, 1, -1, "matrix_layout=100: must be 101 (by rows) or 102 (by columns)"},
    {101, 'C', 3, 2, 1, 0, 2, 1, -2, "trans is character 67: must be N or T"},
    {101, 'N', -3, 2, 1, 0, 2, 1, -3, "m=-3: must be at least 0"},
    {101, 'N', 3, -2, 1, 0, 2, 1, -4, "n=-2: must be at least 0"},
    {101, 'N', 3, 2, -1, 0, 2, 1, -5, "nrhs=-1: must be at least 0"},
    {101, 'N', 3, 2, 1, 1, 2, 1, -6, "a is NULL"},
    {101, 'N', 3, 2, 1, 0, 1, 1, -7, "lda=1: must be at least n=2"},
    {102, 'N', 3, 2, 1, 0, 2, 3, -7, "lda=2: must be at least max(1,m)=3"},
    {102, 'N', 0, 2, 1, 0, 0, 3, -7, "lda=0: must be at least max(1,m)=1"},
    {101, 'N', 3, 2, 1, 2, 2, 1, -8, "b is NULL"},
    {101, 'N', 3, 2, 2, 0, 2, 1, -9, "ldb=1: must be at least nrhs=2"},
    {102, 'N', 2, 3, 1, 0, 2, 2, -9, "ldb=2: must be at least max(1,m,n)=3"},
};

START_TEST(a_refusal_says_what_is_wrong) {
  const double a[6] = {1, 0, 0, 1, 0, 0};
  double b[6] = {1, 2, 3, 4, 5, 6};
  const int32_t info = lsqnet_dgels(refusals[_i].layout, refusals[_i].trans, refusals[_i].m, refusals[_i].n,
                                    refusals[_i].nrhs, refusals[_i].missing == 1 ? NULL : a, refusals[_i].lda,
                                    refusals[_i].missing == 2 ? NULL : b, refusals[_i].ldb);
  ck_assert_int_eq(info, refusals[_i].info);
  ck_assert_str_eq(lsqnet_last_message(), refusals[_i].message);
  for (int i = 0; i < 6; i++) ck_assert_double_eq(b[i], i + 1);
}
END_TEST

START_TEST(an_infinity_is_refused_like_nan) {
  const double a[2] = {1, INFINITY}, good[2] = {1, 1};
  double b[2] = {1, 2}, infinite[2] = {1, -INFINITY};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 2, 1, 1, a, 1, b, 1), -6);
  ck_assert_str_eq(lsqnet_last_message(), "a holds NaN or an infinity");
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 2, 1, 1, good, 1, infinite, 1), -8);
  ck_assert_str_eq(lsqnet_last_message(), "b holds NaN or an infinity");
}
END_TEST

START_TEST(what_cannot_be_certified_is_not_handed_out) {
  const double tiny = 1e-200;
  double b[2] = {1e200, 1};
  ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 1, 1, 2, &tiny, 1, b, 2), 2);
  ck_assert(b[0] == 1e200 && b[1] == 1);
  ck_assert(strstr(lsqnet_last_message(), "exceeds the largest number") != NULL);
  const float tiny32 = 0x1p-100F;
  float b32 = 0x1p100F; /* within double's range, and beyond float's */
  ck_assert_int_eq(lsqnet_sgels(LSQNET_ROW_MAJOR, 'N', 1, 1, 1, &tiny32, 1, &b32, 1), 2);
  ck_assert(b32 == 0x1p100F);
}
END_TEST

START_TEST(another_rounding_mode_is_refused) {
  double b[4] = {5, 6, 3, -4};
  ck_assert_int_eq(fesetround(FE_UPWARD), 0);
  const int32_t info = lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 4, 2, 1, tall, 2, b, 1);
  ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
  ck_assert_int_eq(info, -1000 - LSQNET_E_UNSUPPORTED);
  ck_assert(b[0] == 5 && b[1] == 6 && b[2] == 3 && b[3] == -4);
}
END_TEST

/* ---- threads ---- */

/* Problems that are small, wide, dependent and large: all ways through the code. */
static int32_t solve_kind(int kind, double *b) {
  static const double row[3] = {1, 2, 2}, dependent[6] = {1, 2, 2, 4, 3, 6};
  static double large[300 * 300];
  for (int i = 0; i < 300; i++) b[i] = i + 1;
  switch (kind) {
    case 0: return lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 4, 2, 1, by_columns, 4, b, 4);
    case 1: return lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 1, 3, 1, row, 1, b, 3);
    case 2: return lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', 3, 2, 1, dependent, 2, b, 1);
    case 3: return lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 4, 2, 2, by_columns, 4, b, 4);
    default: return lsqnet_dgels(LSQNET_COL_MAJOR, 'N', 300, 300, 1, large, 300, b, 300); /* zero */
  }
}
enum { KINDS = 5 };

/* Fails each allocation in turn; a thread that has none of its own yet makes all of them. */
static void *fail_each(void *argument) {
  const int kind = *(const int *)argument;
  double expected[300], before[300], got[300];
  int32_t info = 0;
  for (int i = 0; i < 300; i++) before[i] = i + 1;
  for (int64_t first = 1; info != -1010; first++) { /* from call to call it needs less, and in the end nothing */
    allocations = 0;
    failing = first;
    info = solve_kind(kind, got);
    failing = 0;
    if (allocations < first) break;
    ck_assert_int_eq(info, -1010);
    ck_assert(memcmp(got, before, sizeof got) == 0);
    ck_assert(strstr(lsqnet_last_message(), "no memory") != NULL);
    info = 0;
  }
  const int32_t again = solve_kind(kind, expected);
  ck_assert_int_eq(info, again);
  ck_assert(memcmp(got, expected, sizeof got) == 0);
  return NULL;
}

static void run_thread(void *(*function)(void *), void *argument) {
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, function, argument), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(without_memory_it_says_so_and_the_next_call_works) {
  int kind = _i;
  run_thread(fail_each, &kind);
}
END_TEST

enum { THREADS = 4, PROBLEMS = 60 };
static form problems[PROBLEMS], alone[PROBLEMS];

static void *solve_all(void *argument) {
  static _Thread_local form mine;
  (void)argument;
  for (int i = 0; i < PROBLEMS; i++) {
    mine = problems[i];
    if (ours(&mine) != 0 || memcmp(mine.b, alone[i].b, sizeof mine.b) != 0) return problems;
  }
  return NULL;
}

START_TEST(threads_do_not_meet) {
  pthread_t threads[THREADS];
  random_state = 5;
  for (int i = 0; i < PROBLEMS; i++) {
    draw(&problems[i]);
    alone[i] = problems[i];
    ck_assert_int_eq(ours(&alone[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, solve_all, NULL), 0);
  for (int i = 0; i < THREADS; i++) {
    void *differs = NULL;
    ck_assert_int_eq(pthread_join(threads[i], &differs), 0);
    ck_assert_ptr_null(differs);
  }
}
END_TEST

static void *count_allocations(void *argument) {
  int64_t *counts = argument;
  double b[300];
  for (int call = 0; call < 3; call++) {
    const int64_t before = allocations;
    ck_assert_int_eq(solve_kind(0, b), 0);
    counts[call] = allocations - before;
  }
  return NULL;
}

START_TEST(a_thread_makes_its_solver_once) {
  int64_t counts[3];
  run_thread(count_allocations, counts);
  ck_assert_int_gt(counts[0], 10);
  ck_assert_int_lt(counts[1], counts[0]);
  ck_assert_int_eq(counts[1], counts[2]);
  ck_assert_int_le(counts[1], 10);
}
END_TEST

enum { LARGE_M = 3000, LARGE_N = 40 }; /* 120,000 numbers */

/* The same large problem again and again: allocations and bytes of each call. */
static void *solve_large_problems(void *argument) {
  int64_t *counts = argument;
  static _Thread_local double a[LARGE_M * LARGE_N], b[LARGE_M];
  uint64_t state = 9;
  for (int call = 0; call < 4; call++) {
    const int64_t calls_before = allocations, bytes_before = bytes;
    for (int i = 0; i < LARGE_M * LARGE_N; i++) a[i] = normal(&state);
    for (int i = 0; i < LARGE_M; i++) b[i] = normal(&state);
    ck_assert_int_eq(lsqnet_dgels(LSQNET_ROW_MAJOR, 'N', LARGE_M, LARGE_N, 1, a, LARGE_N, b, 1), 0);
    counts[2 * call] = allocations - calls_before;
    counts[2 * call + 1] = bytes - bytes_before;
  }
  return NULL;
}

/* The solver stays; what it needs for the problem is asked for in each call, and by calls that follow each other alike:
 * none finds anything that the last one has left. */
START_TEST(a_large_problem_leaves_no_memory_behind) {
  int64_t counts[8];
  run_thread(solve_large_problems, counts);
  ck_assert_int_gt(counts[0], 100);
  for (int call = 1; call < 4; call++) {
    ck_assert_int_le(counts[2 * call], 10);
    ck_assert_int_ge(counts[2 * call + 1], (int64_t)sizeof(double) * LARGE_M * LARGE_N);
    ck_assert_int_eq(counts[2 * call + 1], counts[3]);
  }
}
END_TEST

/* Not under valgrind, which puts its own allocator in place of every other. */
static int counts_allocations(void) {
  allocations = 0;
  void *volatile memory = aligned_alloc(64, 64); /* else a compiler may leave out what is only freed */
  free(memory);
  return allocations == 1;
}

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("gels");
  SRunner *runner = srunner_create(suite);
  tcase_set_timeout(claims, 60);
#ifdef HAVE_LAPACKE
  tcase_add_test(claims, every_form_gives_lapacks_answer_and_writes_nothing_else);
  tcase_add_test(claims, arguments_are_refused_as_by_lapacke);
  tcase_add_test(claims, a_zero_on_the_triangular_factors_diagonal_has_lapacks_number);
#endif
  tcase_add_loop_test(claims, what_is_handed_out_has_lost_no_digits, 0, 2);
  tcase_add_test(claims, trailing_rows_hold_the_norm_of_the_residual);
  tcase_add_test(claims, too_few_equations_give_the_shortest_solution);
  tcase_add_test(claims, a_large_problem_is_solved_like_a_small_one);
  tcase_add_test(claims, a_wide_problem_takes_nothing_of_its_unknowns_squared);
  tcase_add_test(claims, columns_that_depend_but_for_roundings_are_named);
  tcase_add_test(claims, rows_of_very_different_size_are_certified_or_named);
  tcase_add_test(claims, no_data_and_zero_data_give_zero);
  tcase_add_loop_test(claims, a_refusal_says_what_is_wrong, 0, (int)(sizeof refusals / sizeof refusals[0]));
  tcase_add_test(claims, an_infinity_is_refused_like_nan);
  tcase_add_test(claims, what_cannot_be_certified_is_not_handed_out);
  tcase_add_test(claims, another_rounding_mode_is_refused);
  tcase_add_test(claims, threads_do_not_meet);
  if (counts_allocations()) {
    tcase_add_loop_test(claims, without_memory_it_says_so_and_the_next_call_works, 0, KINDS);
    tcase_add_test(claims, a_thread_makes_its_solver_once);
    tcase_add_test(claims, a_large_problem_leaves_no_memory_behind);
  }
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
