/* What samples are drawn from: laws, streams, singular values, Gaussian processes, ODEs. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "golden_file.h"
#include "tasks/collocation.h"
#include "tasks/elementary.h"
#include "tasks/gaussian_process.h"
#include "tasks/laws.h"
#include "tasks/singular_values.h"
#include "tasks/task.h"

static void *room(int64_t count) {
  void *memory = malloc((size_t)count * sizeof(double));
  ck_assert_ptr_nonnull(memory);
  return memory;
}

/* two roundings of the last place; long double serves as the truth */
START_TEST(elementary_functions_are_right_to_two_units) {
  for (int i = -70000; i <= 70000; i++) {
    const double x = i * 0.01, tiny = i * 1e-7;
    ck_assert(fabsl((long double)lsq_exponential(x) - expl((long double)x)) <= 2 * DBL_EPSILON * expl((long double)x));
    ck_assert(fabsl((long double)lsq_exponential_less_one(tiny) - expm1l((long double)tiny)) <=
              4 * DBL_EPSILON * fabsl(expm1l((long double)tiny)));
  }
  for (int n = 1; n <= 64; n++)
    for (int j = 0; j <= n; j++) {
      const long double truth = sinl(3.14159265358979323846264338327950288L * (n - 2 * j) / (2 * n));
      const double got = lsq_cosine_of_pi(j, n);
      ck_assert(fabsl((long double)got - truth) <= 2 * DBL_EPSILON * fabsl(truth));
      ck_assert(got == -lsq_cosine_of_pi(n - j, n));
    }
}
END_TEST

START_TEST(exponential_ends_at_zero_and_infinity_and_lets_nan_travel) {
  ck_assert(lsq_exponential(-1e300) == 0);
  ck_assert(lsq_exponential(1e300) == (double)INFINITY);
  ck_assert(lsq_exponential(0) == 1);
  ck_assert(isnan(lsq_exponential((double)NAN)));
  ck_assert(isnan(lsq_exponential_less_one((double)NAN)));
}
END_TEST

static double normal_below(double x) { return 0.5 * erfc(-x / sqrt(2.0)); }
static double uniform_below(double x) { return x < -sqrt(3.0) ? 0 : x > sqrt(3.0) ? 1 : 0.5 + x / (2 * sqrt(3.0)); }
static double laplace_below(double x) { return x < 0 ? 0.5 * exp(sqrt(2.0) * x) : 1 - 0.5 * exp(-sqrt(2.0) * x); }
static double cauchy_below(double x) { return 0.5 + atan(x) / acos(-1.0); }
static double student2_below(double x) { return 0.5 + x / (2 * sqrt(2 + x * x)); }

/* of t/sqrt(3), which has variance 1 */
static double student3_below(double x) { return 0.5 + (x / (1 + x * x) + atan(x)) / acos(-1.0); }

static const struct {
  int32_t law;
  double freedom;
  double (*below)(double x);
  double fourth; /* moment; 0: not finite */
} laws[] = {{LSQNET_LAW_NORMAL, 0, normal_below, 3},      {LSQNET_LAW_UNIFORM, 0, uniform_below, 1.8},
            {LSQNET_LAW_LAPLACE, 0, laplace_below, 6},    {LSQNET_LAW_STUDENT_T, 1, cauchy_below, 0},
            {LSQNET_LAW_STUDENT_T, 2, student2_below, 0}, {LSQNET_LAW_STUDENT_T, 3, student3_below, 0},
            {LSQNET_LAW_STUDENT_T, 1e12, normal_below, 3}};
enum { LAWS = sizeof laws / sizeof laws[0], DRAWS = 100000 };

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: the greatest distance exceeds 1.95/sqrt(n) once in a thousand such tests; the draws are fixed
 */
START_TEST(entries_follow_their_law) {
  double *x = room(DRAWS), distance = 0, sum = 0, squares = 0;
  lsq_law_fill(laws[_i].law, laws[_i].freedom, lsq_stream_of(11, 3, 5), LSQ_PART_X, DRAWS, x);
  for (int i = 0; i < DRAWS; i++) {
    sum += x[i];
    squares += x[i] * x[i];
  }
  qsort(x, DRAWS, sizeof *x, ascending);
  for (int i = 0; i < DRAWS; i++) {
    const double below = laws[_i].below(x[i]);
    distance = fmax(distance, fmax(fabs(below - i / (double)DRAWS), fabs(below - (i + 1) / (double)DRAWS)));
  }
  ck_assert(distance <= 1.95 / sqrt((double)DRAWS));
  if (laws[_i].fourth > 0) { /* five standard deviations */
    ck_assert(fabs(sum / DRAWS) <= 5 / sqrt((double)DRAWS));
    ck_assert(fabs(squares / DRAWS - 1) <= 5 * sqrt((laws[_i].fourth - 1) / DRAWS));
  }
  free(x);
}
END_TEST

START_TEST(a_number_depends_on_its_place_alone) {
  double many[64], few[3];
  for (int part = LSQ_PART_A; part <= LSQ_PART_FIXED; part++)
    for (int k = 0; k < LAWS; k++) {
      const lsq_stream stream = lsq_stream_of(1, 2, 3);
      lsq_law_fill(laws[k].law, laws[k].freedom, stream, part, 64, many);
      lsq_law_fill(laws[k].law, laws[k].freedom, stream, part, 3, few);
      ck_assert_int_eq(memcmp(many, few, sizeof few), 0);
    }
}
END_TEST

/* what docs/tasks.md says of the streams: to change it is to change every training run */
START_TEST(streams_are_where_the_documentation_says) {
  double x[4];
  const uint64_t stream = lsq_random_bits(7, 100, 9);
  lsq_law_fill(LSQNET_LAW_NORMAL, 0, lsq_stream_of(7, 100, 9), LSQ_PART_X_INIT, 4, x);
  for (uint64_t i = 0; i < 4; i++) ck_assert(x[i] == lsq_random_normal(7, stream, (UINT64_C(2) << 56) + i));
  lsq_law_fill(LSQNET_LAW_UNIFORM, 0, lsq_stream_of(7, 100, 9), LSQ_PART_A, 4, x);
  for (uint64_t i = 0; i < 4; i++) ck_assert(x[i] == sqrt(3.0) * (2 * lsq_random_uniform(7, stream, i) - 1));
  ck_assert(lsq_stream_uniform(lsq_stream_of(7, 100, 9), LSQ_PART_SPARSITY, 6) ==
            lsq_random_uniform(7, stream, (UINT64_C(4) << 56) + 6));
}
END_TEST

START_TEST(no_two_numbers_of_different_streams_or_parts_are_equal) {
  enum { PARTS = LSQ_PART_FIXED + 1, EACH = 40, STREAMS = 8 };
  static double x[PARTS * EACH * STREAMS];
  const uint64_t places[STREAMS][3] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0},
                                       {0, 1, 1}, {1, 1, 0}, {1, 0, 1}, {0, UINT64_MAX, 1}};
  for (int s = 0; s < STREAMS; s++)
    for (int part = 0; part < PARTS; part++)
      lsq_law_fill(LSQNET_LAW_NORMAL, 0, lsq_stream_of(places[s][0], places[s][1], places[s][2]), part, EACH,
                   x + (s * PARTS + part) * EACH);
  qsort(x, PARTS * EACH * STREAMS, sizeof *x, ascending);
  for (int i = 1; i < PARTS * EACH * STREAMS; i++) ck_assert(x[i] != x[i - 1]);
}
END_TEST

/* Singular values. */

static void check_mapped(const golden_file *g, const char *name, double most) {
  enum { B = 3, M = 8, N = 4 };
  double *a = golden_values(g, "a", NULL), *want = golden_values(g, name, NULL);
  double *work = room(lsq_map_singular_values_work(M, N));
  for (int k = 0; k < B; k++) lsq_map_singular_values(M, N, a + k * M * N, 1, most, work);
  ck_assert(golden_distance(B * M * N, a, want) <= 1e-12);
  free(work);
  free(want);
  free(a);
}

START_TEST(singular_values_agree_with_the_reference) {
  golden_file g = golden_open("singular_values");
  check_mapped(&g, "scaled_5", 5);
  check_mapped(&g, "scaled_100", 100);
  golden_close(&g);
}
END_TEST

START_TEST(wide_matrices_are_mapped_as_their_transposes) {
  enum { M = 3, N = 7 };
  double a[M * N], transposed[N * M];
  double *work = room(lsq_map_singular_values_work(M, N));
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) a[i * N + j] = transposed[j * M + i] = sin(3 + 5 * i + 7 * j);
  lsq_map_singular_values(M, N, a, 1, 50, work);
  lsq_map_singular_values(N, M, transposed, 1, 50, work);
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) ck_assert(a[i * N + j] == transposed[j * M + i]);
  free(work);
}
END_TEST

/* of two columns: the eigenvalues of A'A, in long double */
static void singular_values_of_two(int64_t m, const double *a, long double *most, long double *least) {
  long double p = 0, q = 0, r = 0;
  for (int64_t i = 0; i < m; i++) {
    p += (long double)a[2 * i] * (long double)a[2 * i];
    q += (long double)a[2 * i] * (long double)a[2 * i + 1];
    r += (long double)a[2 * i + 1] * (long double)a[2 * i + 1];
  }
  const long double larger = (p + r) / 2 + sqrtl((p - r) * (p - r) / 4 + q * q);
  *most = sqrtl(larger);
  *least = sqrtl((p * r - q * q) / larger);
}

START_TEST(equal_single_and_zero_singular_values_are_no_trouble) {
  double single[3] = {3, 0, 4}, zero[4] = {1, 2, 2, 4}, none[4] = {0}, work[16];
  long double most = 0, least = 0;
  lsq_map_singular_values(3, 1, single, 1, 10, work);
  ck_assert(fabs(single[0] - 6) <= 20 * DBL_EPSILON && single[1] == 0 && fabs(single[2] - 8) <= 20 * DBL_EPSILON);
  double same[4] = {0, 2, -2, 0};
  lsq_map_singular_values(2, 2, same, 1, 10, work);
  ck_assert(same[0] == 0 && same[1] == 10 && same[2] == -10 && same[3] == 0);
  lsq_map_singular_values(2, 2, zero, 1, 10, work);
  singular_values_of_two(2, zero, &most, &least);
  ck_assert(fabsl(most - 10) <= 40 * DBL_EPSILON && isfinite(least));
  lsq_map_singular_values(2, 2, none, 1, 10, work);
  for (int i = 0; i < 4; i++) ck_assert(none[i] == 0);
}
END_TEST

START_TEST(condition_and_largest_singular_value_are_those_asked_for) {
  static const double wanted[][3] = {{5, 0, 5}, {1e4, 0, 1e4}, {1e4, 2, 2}, {100, 1e-3, 1e-3}}; /* and the largest */
  enum { M = 6, CASES = sizeof wanted / sizeof wanted[0] };
  lsqnet_context *context = NULL;
  ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK);
  for (int k = 0; k < CASES; k++) {
    lsqnet_task_options o;
    lsqnet_task *task = NULL;
    double x[(M + 1) * 3], target[2], a[2 * M];
    long double most = 0, least = 0;
    lsqnet_task_options_init(&o, sizeof o);
    o.rows = M;
    o.dim = 2;
    o.condition = wanted[k][0];
    o.singular_max = wanted[k][1];
    ck_assert_int_eq(lsqnet_task_create(&task, context, &o), LSQNET_OK);
    ck_assert_int_eq(lsqnet_task_draw_f64(task, 1, 2, 3, 1, x, target), LSQNET_OK);
    for (int i = 0; i < M; i++) memcpy(a + 2 * i, x + 3 * (i + 1), 2 * sizeof *a);
    singular_values_of_two(M, a, &most, &least);
    const long double largest = (long double)wanted[k][2], smallest = largest / (long double)wanted[k][0];
    ck_assert(fabsl(most - largest) <= 16 * M * (long double)DBL_EPSILON * largest);
    ck_assert(fabsl(least - smallest) <= 16 * M * (long double)DBL_EPSILON * largest);
    lsqnet_task_destroy(task);
  }
  lsqnet_context_destroy(context);
}
END_TEST

/* Gaussian processes. */

START_TEST(covariance_agrees_with_the_reference) {
  enum { NODES = 21, EVAL = 5, ALL = NODES + EVAL };
  golden_file g = golden_open("ode");
  double *gram = golden_values(&g, "gram_rbf_0.5", NULL), *nodes = golden_values(&g, "cheb_x", NULL);
  double *eval = golden_values(&g, "t_eval", NULL), t[ALL];
  memcpy(t, nodes, NODES * sizeof *t);
  memcpy(t + NODES, eval, EVAL * sizeof *t);
  for (int i = 0; i < ALL; i++)
    for (int j = 0; j < ALL; j++) /* the argument is at most 4, and rounded thrice */
      ck_assert(fabs(lsq_covariance(t[i], t[j], 0.5) - gram[i * ALL + j]) <= 8 * DBL_EPSILON);
  free(eval);
  free(nodes);
  free(gram);
  golden_close(&g);
}
END_TEST

START_TEST(covariance_is_factored_to_roundings_at_its_numerical_rank) {
  enum { M = 66 };
  static const struct {
    double v;
    int64_t least, most;
  } ranks[] = {{1, 8, 20}, {0.1, 15, 30}, {1e-6, M, M}, {1e12, 1, 2}};
  double t[M], *F = room(M * M), *rest = room(M);
  for (int i = 0; i < M; i++) t[i] = -1 + 2.0 * i / (M - 1);
  for (size_t k = 0; k < sizeof ranks / sizeof ranks[0]; k++) {
    const int64_t rank = lsq_covariance_factor(M, t, ranks[k].v, F, rest);
    ck_assert(rank >= ranks[k].least && rank <= ranks[k].most);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < M; j++) {
        double sum = 0;
        for (int64_t l = 0; l < rank; l++) sum += F[i * M + l] * F[j * M + l];
        ck_assert(fabs(sum - lsq_covariance(t[i], t[j], ranks[k].v)) <= 2 * M * DBL_EPSILON);
      }
  }
  free(rest);
  free(F);
}
END_TEST

START_TEST(points_that_coincide_get_the_same_value) {
  const double t[3] = {0.25, -0.5, 0.25};
  double F[9], rest[3];
  ck_assert_int_eq(lsq_covariance_factor(3, t, 1, F, rest), 2);
  for (int l = 0; l < 2; l++) ck_assert(fabs(F[l] - F[6 + l]) <= 4 * DBL_EPSILON);
}
END_TEST

/* Collocation. */

START_TEST(differentiation_and_points_agree_with_the_reference) {
  enum { N = 20, NODES = N + 1 };
  golden_file g = golden_open("ode");
  double *nodes = golden_values(&g, "cheb_x", NULL), *C = golden_values(&g, "cheb_D", NULL);
  double t[NODES], got[NODES * NODES];
  lsq_chebyshev_points(N, t);
  lsq_chebyshev_differentiation(N, t, got);
  for (int i = 0; i < NODES; i++) ck_assert(fabs(t[i] - nodes[i]) <= DBL_EPSILON);
  ck_assert(golden_distance(NODES * NODES, got, C) <= 1e-13);
  free(C);
  free(nodes);
  golden_close(&g);
}
END_TEST

/* the file's own way of saying u(0) = u0 differs by about 1e-8 */
START_TEST(solutions_agree_with_the_reference) {
  enum { B = 3, N = 20, NODES = N + 1, EVAL = 5 };
  static const char *const names[] = {"a1", "a2", "a3", "a4", "u0", "c", "u", "t_eval", "u_eval"};
  golden_file g = golden_open("ode");
  double *v[9], t[NODES], C[NODES * NODES], factors[NODES * NODES], pivots[NODES], u[NODES], w[NODES];
  for (int i = 0; i < 9; i++) v[i] = golden_values(&g, names[i], NULL);
  lsq_chebyshev_points(N, t);
  lsq_chebyshev_differentiation(N, t, C);
  for (int b = 0; b < B; b++) {
    const lsq_ode ode = {v[0][b], v[1][b], v[2][b], v[3][b]};
    const double *c = v[5] + b * NODES, *want = v[6] + b * NODES;
    lsq_ode_factor(N, C, &ode, c, factors, pivots);
    lsq_ode_solve(N, &ode, c, v[4][b], factors, pivots, u);
    ck_assert(fabs(u[N / 2] - v[4][b]) <= N * N * DBL_EPSILON);
    ck_assert(golden_distance(NODES, u, want) <= 1e-6);
    for (int e = 0; e < EVAL; e++) {
      double sum = 0;
      lsq_chebyshev_interpolation(N, t, v[7][e], w);
      for (int k = 0; k < NODES; k++) sum += w[k] * want[k];
      ck_assert(fabs(sum - v[8][b * EVAL + e]) <= 1e-13 * (1 + fabs(sum)));
    }
  }
  for (int i = 0; i < 9; i++) free(v[i]);
  golden_close(&g);
}
END_TEST

/* u' = 2u - 1, and u' = t u; roundings grow with the square of N */
START_TEST(solutions_are_those_known_in_closed_form) {
  enum { N = 40, NODES = N + 1 };
  static double t[NODES], C[NODES * NODES], factors[NODES * NODES], pivots[NODES], u[NODES];
  const lsq_ode constant = {0, 0, 2, -1}, linear = {0, 1, 0, 0};
  lsq_chebyshev_points(N, t);
  lsq_chebyshev_differentiation(N, t, C);
  lsq_ode_factor(N, C, &constant, t, factors, pivots);
  lsq_ode_solve(N, &constant, t, 0.75, factors, pivots, u);
  for (int k = 0; k < NODES; k++) ck_assert(fabs(u[k] - (0.5 + 0.25 * exp(2 * t[k]))) <= N * N * DBL_EPSILON);
  lsq_ode_factor(N, C, &linear, t, factors, pivots);
  lsq_ode_solve(N, &linear, t, 0.75, factors, pivots, u);
  for (int k = 0; k < NODES; k++) ck_assert(fabs(u[k] - 0.75 * exp(t[k] * t[k] / 2)) <= N * N * DBL_EPSILON);
}
END_TEST

START_TEST(interpolation_at_a_point_is_the_value_there) {
  enum { N = 40 };
  double t[N + 1], w[N + 1];
  lsq_chebyshev_points(N, t);
  for (int k = 0; k <= N; k++) {
    lsq_chebyshev_interpolation(N, t, t[k], w);
    for (int j = 0; j <= N; j++) ck_assert(w[j] == (j == k));
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("samplers");
  TCase *numbers = tcase_create("numbers");
  tcase_add_test(numbers, elementary_functions_are_right_to_two_units);
  tcase_add_test(numbers, exponential_ends_at_zero_and_infinity_and_lets_nan_travel);
  tcase_add_loop_test(numbers, entries_follow_their_law, 0, LAWS);
  tcase_add_test(numbers, a_number_depends_on_its_place_alone);
  tcase_add_test(numbers, streams_are_where_the_documentation_says);
  tcase_add_test(numbers, no_two_numbers_of_different_streams_or_parts_are_equal);
  suite_add_tcase(suite, numbers);
  TCase *spectrum = tcase_create("singular values");
  tcase_add_test(spectrum, singular_values_agree_with_the_reference);
  tcase_add_test(spectrum, wide_matrices_are_mapped_as_their_transposes);
  tcase_add_test(spectrum, equal_single_and_zero_singular_values_are_no_trouble);
  tcase_add_test(spectrum, condition_and_largest_singular_value_are_those_asked_for);
  suite_add_tcase(suite, spectrum);
  TCase *odes = tcase_create("odes");
  tcase_add_test(odes, covariance_agrees_with_the_reference);
  tcase_add_test(odes, covariance_is_factored_to_roundings_at_its_numerical_rank);
  tcase_add_test(odes, points_that_coincide_get_the_same_value);
  tcase_add_test(odes, differentiation_and_points_agree_with_the_reference);
  tcase_add_test(odes, solutions_agree_with_the_reference);
  tcase_add_test(odes, solutions_are_those_known_in_closed_form);
  tcase_add_test(odes, interpolation_at_a_point_is_the_value_there);
  suite_add_tcase(suite, odes);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
