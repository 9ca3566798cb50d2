/* The shim's names against those of the LAPACK and LAPACKE that this program links behind it: compiled once for each
 * precision. */
#define _GNU_SOURCE
#include <check.h>
#include <dlfcn.h>
#include <fenv.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if LSQ_PRECISION == 64
typedef double real;
#define NAME(before, after) before##d##after
#define ROUTINE             "DGELS "
#define EPSILON             DBL_EPSILON
#define TINY                1e-200 /* its square is less than the smallest number */
#else
typedef float real;
#define NAME(before, after) before##s##after
#define ROUTINE             "SGELS "
#define EPSILON             FLT_EPSILON
#define TINY                1e-30F
#endif

uint64_t lsqnet_lapack_entered(void);
uint64_t lsqnet_lapack_solved(void);

/* ---- LAPACK's own, and what both call ---- */

typedef void (*fortran_gels)(const char *, const int32_t *, const int32_t *, const int32_t *, real *, const int32_t *,
                             real *, const int32_t *, real *, const int32_t *, int32_t *, size_t);
typedef int32_t (*lapacke_gels)(int, char, int32_t, int32_t, int32_t, real *, int32_t, real *, int32_t);
typedef int32_t (*lapacke_gels_work)(int, char, int32_t, int32_t, int32_t, real *, int32_t, real *, int32_t, real *,
                                     int32_t);

static struct {
  fortran_gels gels;
  lapacke_gels lapacke;
  lapacke_gels_work lapacke_work;
} lapack;

/* The shim's LAPACKE names; `ours`, below, is its Fortran one. */
static const lapacke_gels shim_lapacke = NAME(LAPACKE_, gels);
static const lapacke_gels_work shim_lapacke_work = NAME(LAPACKE_, gels_work);

#define STRING(name) #name
#define QUOTED(name) STRING(name)

static void *symbol_of(const char *library, const char *name) {
  void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD), *symbol = NULL;
  ck_assert_msg(handle != NULL, "%s is not loaded", library);
  symbol = dlsym(handle, name);
  ck_assert_ptr_nonnull(symbol);
  return symbol;
}

/* LAPACKE calls Fortran's name and gets the shim's, so that only its own checks are LAPACKE's here. */
static void setup(void) {
  void *found = symbol_of("liblapack.so.3", QUOTED(NAME(, gels_)));
  memcpy(&lapack.gels, &found, sizeof found);
  found = symbol_of("liblapacke.so.3", QUOTED(NAME(LAPACKE_, gels)));
  memcpy(&lapack.lapacke, &found, sizeof found);
  found = symbol_of("liblapacke.so.3", QUOTED(NAME(LAPACKE_, gels_work)));
  memcpy(&lapack.lapacke_work, &found, sizeof found);
  ck_assert(lapack.lapacke != shim_lapacke && lapack.lapacke_work != shim_lapacke_work);
}

static struct {
  char routine[32];
  int32_t argument;
} refused;

/* Before LAPACK's, which prints and ends the program. */
void xerbla_(const char *name, const int32_t *info, size_t length);
void xerbla_(const char *name, const int32_t *info, size_t length) {
  ck_assert_uint_lt(length, sizeof refused.routine);
  memcpy(refused.routine, name, length);
  refused.routine[length] = '\0';
  refused.argument = *info;
}

void LAPACKE_xerbla(const char *name, lapack_int info) {
  strncpy(refused.routine, name, sizeof refused.routine - 1);
  refused.argument = info;
}

/* ---- one call ---- */

enum { MOST = 7, LD = MOST + 1, SIZE = LD * LD, WORK = 33 * LD };

typedef struct {
  int32_t layout, m, n, nrhs, lda, ldb, lwork;
  char trans;
  real a[SIZE], b[SIZE], work[WORK];
} form;

static uint64_t random_state;

static real uniform(void) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (real)((double)(int64_t)(random_state >> 40) * 0x1p-24 - 0.5);
}

static int32_t integer(int32_t low, int32_t high) {
  return low + (int32_t)(((double)uniform() + 0.5) * (high - low + 1));
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Singular values of A between 1 and 5, as in test_gels.c. */
static void draw(form *f) {
  *f = (form){.layout = integer(101, 102), .trans = "NnTt"[integer(0, 3)], .lda = LD, .ldb = LD, .lwork = WORK};
  f->m = integer(0, MOST);
  f->n = integer(0, MOST);
  f->nrhs = integer(0, 4);
  for (int i = 0; i < SIZE; i++) {
    f->a[i] = uniform();
    f->b[i] = uniform();
  }
  for (int32_t i = 0; i < MOST; i++) f->a[i * (LD + 1)] += 3;
}

static int32_t run(form *f, fortran_gels gels) {
  int32_t info = 99;
  refused.argument = 0;
  gels(&f->trans, &f->m, &f->n, &f->nrhs, f->a, &f->lda, f->b, &f->ldb, f->work, &f->lwork, &info, 1);
  return info;
}

static void ours(const char *trans, const int32_t *m, const int32_t *n, const int32_t *nrhs, real *a,
                 const int32_t *lda, real *b, const int32_t *ldb, real *work, const int32_t *lwork, int32_t *info,
                 size_t length) {
  (void)length;
  NAME(LAPACK_, gels)(trans, m, n, nrhs, a, lda, b, ldb, work, lwork, info);
}

static int32_t run_lapacke(form *f, lapacke_gels gels) {
  memset(&refused, 0, sizeof refused);
  return gels(f->layout, f->trans, f->m, f->n, f->nrhs, f->a, f->lda, f->b, f->ldb);
}

static int32_t run_work(form *f, lapacke_gels_work gels) {
  memset(&refused, 0, sizeof refused);
  return gels(f->layout, f->trans, f->m, f->n, f->nrhs, f->a, f->lda, f->b, f->ldb, f->work, f->lwork);
}

static real *at(form *f, int32_t i, int32_t j) {
  return f->layout == LAPACK_ROW_MAJOR ? &f->b[i * f->ldb + j] : &f->b[i + j * f->ldb];
}

/* Sums of squares of the rows from `first` on. */
static double residual(form *f, int32_t first, int32_t column) {
  double sum = 0;
  for (int32_t i = first; i < larger(f->m, f->n); i++) sum += (double)*at(f, i, column) * *at(f, i, column);
  return sum;
}

/* LAPACK's own error, for a condition number of at most 5, which counts squared where there is a residual. */
static void check_same_answers(form *got, form *expected) {
  const double tolerance = 64 * larger(got->m, got->n) * (double)EPSILON;
  const int32_t unknowns = got->trans == 'N' || got->trans == 'n' ? got->n : got->m;
  for (int32_t j = 0; j < got->nrhs; j++) {
    for (int32_t i = 0; i < unknowns; i++) ck_assert(fabs((double)*at(got, i, j) - *at(expected, i, j)) <= tolerance);
    ck_assert(fabs(sqrt(residual(got, unknowns, j)) - sqrt(residual(expected, unknowns, j))) <= tolerance);
  }
}

/* ---- Fortran's names ---- */

START_TEST(gels_gives_lapacks_answers_and_work_size) {
  const uint64_t solved = lsqnet_lapack_solved();
  random_state = 1;
  for (int round = 0; round < 1000; round++) {
    form got, expected;
    draw(&got);
    got.layout = LAPACK_COL_MAJOR;
    expected = got;
    ck_assert_int_eq(run(&expected, lapack.gels), 0);
    ck_assert_int_eq(run(&got, ours), 0);
    check_same_answers(&got, &expected);
    ck_assert(got.work[0] == expected.work[0]);
  }
  ck_assert_uint_eq(lsqnet_lapack_solved() - solved, 1000);
}
END_TEST

START_TEST(arguments_are_refused_as_by_lapack) {
  int different = 0;
  random_state = 2;
  for (int round = 0; round < 20000; round++) {
    form got, expected;
    draw(&got);
    got.layout = LAPACK_COL_MAJOR;
    for (int spoilt = 0; spoilt < integer(0, 3); spoilt++) switch (integer(0, 6)) {
        case 0: got.trans = "NTCx\0n"[integer(0, 5)]; break;
        case 1: got.m = integer(-2, 4); break;
        case 2: got.n = integer(-2, 4); break;
        case 3: got.nrhs = integer(-2, 4); break;
        case 4: got.lda = integer(-1, LD); break;
        case 5: got.ldb = integer(-1, LD); break;
        default: got.lwork = integer(-2, 12); break;
      }
    expected = got;
    const int32_t theirs = run(&expected, lapack.gels), argument = refused.argument;
    const int32_t info = run(&got, ours);
    if (theirs > 0 || info > 0) continue; /* leading dimensions have moved the diagonal */
    ck_assert_int_eq(info, theirs);
    ck_assert_int_eq(refused.argument, argument);
    if (info < 0) ck_assert_str_eq(refused.routine, ROUTINE);
    ck_assert(memcmp(got.work, expected.work, sizeof got.work[0]) == 0 || (info == 0 && got.lwork != -1));
    different += info < 0;
  }
  ck_assert_int_gt(different, 5000);
}
END_TEST

/* LAPACK's own sum of that many overflows. */
START_TEST(work_for_more_columns_than_an_int_counts_is_refused) {
  const int32_t one = 1, most = INT32_MAX;
  real a = 1, b = 1, work = 0;
  int32_t info = 0;
  ours("N", &one, &one, &most, &a, &one, &b, &one, &work, &one, &info, 1);
  ck_assert_int_eq(info, -10);
  ck_assert_int_eq(refused.argument, 10);
  ours("N", &one, &one, &most, &a, &one, &b, &one, &work, &most, &info, 1);
  ck_assert_int_eq(info, -10);
  ck_assert(b == 1);
}
END_TEST

START_TEST(a_query_only_says_the_size_of_work) {
  const uint64_t solved = lsqnet_lapack_solved();
  random_state = 3;
  for (int round = 0; round < 100; round++) {
    form got, expected, before;
    draw(&got);
    got.m *= 100; /* nothing is read */
    got.lda = got.ldb = 1000;
    got.lwork = -1;
    expected = before = got;
    ck_assert_int_eq(run(&expected, lapack.gels), 0);
    ck_assert_int_eq(run(&got, ours), 0);
    ck_assert(got.work[0] == expected.work[0]);
    ck_assert(memcmp(got.b, before.b, sizeof got.b) == 0);
    real a = 0, b = 0, work = 0, theirs = 0;
    int32_t info = 99;
    const int32_t m = 30000 * (round + 1); /* sizes that float does not hold */
    got.lda = got.ldb = m;
    ours(&got.trans, &m, &got.n, &m, &a, &got.lda, &b, &got.ldb, &work, &got.lwork, &info, 1);
    ck_assert_int_eq(info, 0);
    lapack.gels(&got.trans, &m, &got.n, &m, &a, &got.lda, &b, &got.ldb, &theirs, &got.lwork, &info, 1);
    ck_assert(work >= theirs && work <= theirs * (1 + EPSILON));
  }
  ck_assert_uint_eq(lsqnet_lapack_solved(), solved);
}
END_TEST

/* LAPACK reports a zero that is exactly one; the shim, columns that depend but for roundings too. */
START_TEST(a_column_that_depends_on_others_has_its_number) {
  form got, expected;
  random_state = 5;
  draw(&got);
  got.m = 6, got.n = 4, got.nrhs = 1, got.trans = 'N', got.layout = LAPACK_COL_MAJOR;
  for (int i = 0; i < 6; i++) got.a[2 * LD + i] = 0;
  expected = got;
  ck_assert_int_eq(run(&expected, lapack.gels), 3);
  ck_assert_int_eq(run(&got, ours), 3);
  for (int i = 0; i < 6; i++) got.a[2 * LD + i] = (real)0.3 * got.a[i] + (real)0.7 * got.a[LD + i];
  if (EPSILON > DBL_EPSILON) /* float's roundings are none of the solver's */
    for (int i = 0; i < 6; i++) got.a[2 * LD + i] = 2 * got.a[i];
  ck_assert_int_eq(run(&got, ours), 3);
}
END_TEST

START_TEST(nan_travels_and_leaves_other_right_hand_sides_alone) {
  form got, good;
  random_state = 6;
  draw(&good);
  good.m = 6, good.n = 4, good.nrhs = 3, good.trans = 'N', good.layout = LAPACK_COL_MAJOR;
  got = good;
  ck_assert_int_eq(run(&good, ours), 0);
  *at(&got, 5, 1) = NAN;
  ck_assert_int_eq(run(&got, ours), 0);
  for (int i = 0; i < 6; i++) ck_assert(isnan(*at(&got, i, 1)));
  for (int i = 0; i < 6; i++) ck_assert(*at(&got, i, 0) == *at(&good, i, 0) && *at(&got, i, 2) == *at(&good, i, 2));
  got.a[LD + 1] = INFINITY;
  ck_assert_int_eq(run(&got, ours), 0);
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 3; j++) ck_assert(isnan(*at(&got, i, j)));
}
END_TEST

/* LAPACK does not read them. */
START_TEST(rows_of_b_that_only_receive_may_hold_anything) {
  form got, expected;
  random_state = 7;
  draw(&got);
  got.m = 3, got.n = 5, got.nrhs = 2, got.trans = 'N', got.layout = LAPACK_COL_MAJOR;
  for (int i = 3; i < 5; i++)
    for (int j = 0; j < 2; j++) *at(&got, i, j) = NAN;
  expected = got;
  ck_assert_int_eq(run(&expected, lapack.gels), 0);
  ck_assert_int_eq(run(&got, ours), 0);
  check_same_answers(&got, &expected);
}
END_TEST

/* Rounding upwards is not for liblsqnet, and no problem for LAPACK; nor is an answer beyond the largest number. */
START_TEST(what_liblsqnet_cannot_do_goes_to_lapack) {
  form got, expected;
  random_state = 8;
  for (int round = 0; round < 100; round++) {
    draw(&got);
    if (got.m == 0 || got.n == 0 || got.nrhs == 0) continue;
    expected = got;
    const uint64_t entered = lsqnet_lapack_entered(), solved = lsqnet_lapack_solved();
    int32_t info[3];
    (void)fesetround(FE_UPWARD);
    form other = got;
    info[0] = run_lapacke(&got, shim_lapacke);
    info[1] = run_work(&other, shim_lapacke_work);
    (void)fesetround(FE_TONEAREST);
    info[2] = run_lapacke(&expected, shim_lapacke);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(info[i], 0);
    check_same_answers(&got, &expected);
    check_same_answers(&other, &expected);
    ck_assert_uint_eq(lsqnet_lapack_solved(), solved + 1);
    ck_assert_uint_ge(lsqnet_lapack_entered(), entered + 3);
  }
  form tiny = {.layout = LAPACK_COL_MAJOR, .trans = 'N', .m = 1, .n = 1, .nrhs = 1, .lda = 1, .ldb = 1, .lwork = 2};
  tiny.a[0] = TINY;
  tiny.b[0] = 1 / TINY;
  ck_assert_int_eq(run(&tiny, ours), 0);
  ck_assert(isinf(tiny.b[0]));
}
END_TEST

/* LAPACK, which has brought B to another scale, leaves the rows behind X there. */
START_TEST(residuals_are_in_the_units_of_b_where_lapack_has_scaled_it) {
  const real unit = EPSILON > DBL_EPSILON ? (real)1e-36 : (real)1e-300;
  form got = {.layout = LAPACK_COL_MAJOR, .trans = 'N', .m = 3, .n = 1, .nrhs = 1, .lda = 3, .ldb = 3, .lwork = WORK};
  form expected;
  for (int i = 0; i < 3; i++) {
    got.a[i] = 1;
    got.b[i] = unit * (real)(1 << i);
  }
  expected = got;
  ck_assert_int_eq(run(&expected, lapack.gels), 0);
  ck_assert_int_eq(run(&got, ours), 0);
  const double norm = hypot((double)got.b[1], (double)got.b[2]),
               theirs = hypot((double)expected.b[1], (double)expected.b[2]);
  ck_assert(fabs(norm / (double)unit - sqrt(21 - 49.0 / 3)) <= 8 * (double)EPSILON);
  ck_assert(theirs > 2 * norm);
}
END_TEST

/* ---- B that holds NaN ---- */

/* Solves by one of the shim's names: the Fortran one, or one of LAPACKE's with the check for NaN off. */
static int32_t run_by(int name, form *f) {
  LAPACKE_set_nancheck(0);
  const int32_t info = name == 0   ? run(f, ours)
                       : name == 1 ? run_lapacke(f, shim_lapacke)
                                   : run_work(f, shim_lapacke_work);
  LAPACKE_set_nancheck(1);
  return info;
}

/* LAPACK does not read B then: it may be no more than room for the answer. */
START_TEST(no_data_and_zero_data_give_zeros_whatever_is_in_b) {
  static const int32_t sizes[][2] = {{4, 0}, {0, 4}, {0, 0}, {4, 2}, {2, 4}, {3, 3}};
  const real value = _i / 3 % 2 == 0 ? (real)NAN : (real)INFINITY;
  for (int shape = 0; shape < 6; shape++)
    for (int turned = 0; turned < 4; turned++) {
      form got = {.layout = LAPACK_COL_MAJOR, .nrhs = 3, .lda = LD, .ldb = LD, .lwork = WORK}, expected;
      got.trans = turned % 2 ? 'T' : 'N';
      got.m = sizes[shape][0];
      got.n = sizes[shape][1];
      for (int i = 0; i < SIZE; i++) got.b[i] = value;
      expected = got;
      if (turned / 2 == 1 && _i % 3 > 0) got.layout = LAPACK_ROW_MAJOR;
      ck_assert_int_eq(run(&expected, lapack.gels), 0);
      ck_assert_int_eq(run_by(_i % 3, &got), 0);
      for (int i = 0; i < LD; i++)
        for (int j = 0; j < 3; j++)
          ck_assert(memcmp(at(&got, i, j), at(&expected, i, j), sizeof value) == 0 || isnan(*at(&expected, i, j)));
      for (int i = 0; i < larger(got.m, got.n); i++)
        for (int j = 0; j < 3; j++) ck_assert(*at(&got, i, j) == 0);
      form checked = expected;
      for (int i = 0; i < SIZE; i++) checked.b[i] = value;
      expected = checked;
      ck_assert_int_eq(run_lapacke(&checked, shim_lapacke), run_lapacke(&expected, lapack.lapacke));
    }
}
END_TEST

/* Denormal answers of which digits are lost are not certified: then all of B that is finite has LAPACK's answers. */
START_TEST(what_cannot_be_certified_beside_nan_has_lapacks_answer) {
  const real value = _i / 3 == 0 ? (real)NAN : (real)INFINITY;
  for (int wild = 0; wild < 4; wild++) {
    form got = {.layout = LAPACK_COL_MAJOR, .trans = 'N', .m = 1, .n = 1, .nrhs = 4, .lda = 1, .ldb = 1, .lwork = WORK};
    form expected;
    got.a[0] = (real)1e10;
    for (int j = 0; j < 4; j++)
      got.b[j] = j % 2 == 0 ? (real)(j + 1) : EPSILON > DBL_EPSILON ? (real)1e-30 : (real)1e-305;
    expected = got;
    got.b[wild] = value;
    expected.b[wild] = 0;
    const uint64_t solved = lsqnet_lapack_solved();
    ck_assert_int_eq(run(&expected, lapack.gels), 0);
    ck_assert_int_eq(run_by(_i % 3, &got), 0);
    ck_assert_uint_eq(lsqnet_lapack_solved(), solved);
    for (int j = 0; j < 4; j++) ck_assert(j == wild ? isnan(got.b[j]) : got.b[j] == expected.b[j] && got.b[j] > 0);
  }
}
END_TEST

/* ---- LAPACKE's names ---- */

START_TEST(lapacke_gives_the_same_in_both_layouts) {
  random_state = 9;
  for (int round = 0; round < 1000; round++) {
    form got, expected, worked;
    draw(&got);
    worked = expected = got;
    /* LAPACKE would call the shim's dgels_: LAPACK's on the matrices in columns instead */
    expected.layout = LAPACK_COL_MAJOR;
    for (int i = 0; i < LD && got.layout == LAPACK_ROW_MAJOR; i++)
      for (int j = 0; j < LD; j++) {
        expected.a[i + j * LD] = got.a[i * LD + j];
        expected.b[i + j * LD] = got.b[i * LD + j];
      }
    ck_assert_int_eq(run(&expected, lapack.gels), 0);
    ck_assert_int_eq(run_lapacke(&got, shim_lapacke), 0);
    check_same_answers(&got, &expected);
    ck_assert_int_eq(run_work(&worked, shim_lapacke_work), 0);
    check_same_answers(&worked, &expected);
    ck_assert(worked.work[0] == expected.work[0]);
  }
}
END_TEST

static void spoil(form *f) {
  for (int spoilt = 0; spoilt < integer(0, 3); spoilt++) switch (integer(0, 9)) {
      case 0: f->layout = integer(100, 103); break;
      case 1: f->trans = "NTCx\0n"[integer(0, 5)]; break;
      case 2: f->m = integer(-2, 4); break;
      case 3: f->n = integer(-2, 4); break;
      case 4: f->nrhs = integer(-2, 4); break;
      case 5: f->lda = integer(-1, LD); break;
      case 6: f->ldb = integer(-1, LD); break;
      case 7: f->lwork = integer(-2, 12); break;
      case 8: f->a[integer(0, 40)] = NAN; break;
      default: f->b[integer(0, 40)] = NAN; break;
    }
}

START_TEST(arguments_are_refused_as_by_lapacke) {
  int different = 0;
  random_state = 10;
  for (int round = 0; round < 20000; round++) {
    form got, expected;
    char routine[sizeof refused.routine];
    draw(&got);
    spoil(&got);
    expected = got;
    const int work = round % 2;
    const int32_t theirs = work ? run_work(&expected, lapack.lapacke_work) : run_lapacke(&expected, lapack.lapacke),
                  argument = refused.argument;
    memcpy(routine, refused.routine, sizeof routine);
    const int32_t info = work ? run_work(&got, shim_lapacke_work) : run_lapacke(&got, shim_lapacke);
    if (theirs > 0 || info > 0) continue; /* leading dimensions have moved the diagonal */
    ck_assert_int_eq(info, theirs);
    ck_assert_int_eq(refused.argument, argument);
    ck_assert_str_eq(refused.routine, routine);
    different += info < 0;
  }
  ck_assert_int_gt(different, 5000);
}
END_TEST

START_TEST(nan_is_let_through_where_lapackes_check_is_off) {
  form got;
  random_state = 11;
  draw(&got);
  got.m = 5, got.n = 3, got.nrhs = 1;
  got.a[1] = NAN;
  ck_assert_int_eq(run_lapacke(&got, shim_lapacke), -6);
  LAPACKE_set_nancheck(0);
  ck_assert_int_eq(run_lapacke(&got, shim_lapacke), 0);
  LAPACKE_set_nancheck(1);
  ck_assert(isnan(*at(&got, 0, 0)));
}
END_TEST

int main(void) {
  TCase *claims = tcase_create("claims");
  Suite *suite = suite_create("shim");
  SRunner *runner = srunner_create(suite);
  tcase_set_timeout(claims, 60);
  tcase_add_checked_fixture(claims, setup, NULL);
  tcase_add_test(claims, gels_gives_lapacks_answers_and_work_size);
  tcase_add_test(claims, arguments_are_refused_as_by_lapack);
  tcase_add_test(claims, work_for_more_columns_than_an_int_counts_is_refused);
  tcase_add_test(claims, a_query_only_says_the_size_of_work);
  tcase_add_test(claims, a_column_that_depends_on_others_has_its_number);
  tcase_add_test(claims, nan_travels_and_leaves_other_right_hand_sides_alone);
  tcase_add_test(claims, rows_of_b_that_only_receive_may_hold_anything);
  tcase_add_test(claims, what_liblsqnet_cannot_do_goes_to_lapack);
  tcase_add_test(claims, residuals_are_in_the_units_of_b_where_lapack_has_scaled_it);
  tcase_add_loop_test(claims, no_data_and_zero_data_give_zeros_whatever_is_in_b, 0, 6);
  tcase_add_loop_test(claims, what_cannot_be_certified_beside_nan_has_lapacks_answer, 0, 6);
  tcase_add_test(claims, lapacke_gives_the_same_in_both_layouts);
  tcase_add_test(claims, arguments_are_refused_as_by_lapacke);
  tcase_add_test(claims, nan_is_let_through_where_lapackes_check_is_off);
  suite_add_tcase(suite, claims);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
