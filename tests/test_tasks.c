/* Tasks: prompts and targets against the reference's, and against targets computed again from what a pair shows. */
#include <check.h>
#include <float.h>
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "golden_file.h"
#include "tasks/task.h"

typedef long double truth;

static lsqnet_context *context;

static void open_context(void) { ck_assert_int_eq(lsqnet_context_create(&context, NULL), LSQNET_OK); }
static void close_context(void) { lsqnet_context_destroy(context); }

static lsqnet_task_options options_for(const char *name) {
  lsqnet_task_options o;
  ck_assert_int_eq(lsqnet_task_options_init(&o, sizeof o), LSQNET_OK);
  o.name = name;
  return o;
}

static lsqnet_task *make(const lsqnet_task_options *o) {
  lsqnet_task *task = NULL;
  ck_assert_msg(lsqnet_task_create(&task, context, o) == LSQNET_OK, "%s", lsqnet_last_message());
  return task;
}

static double *room(int64_t count) {
  double *memory = malloc((size_t)count * sizeof *memory);
  ck_assert_ptr_nonnull(memory);
  return memory;
}

/* Pairs of a task, drawn. */
typedef struct {
  lsqnet_task *task;
  lsqnet_task_options o;
  lsqnet_task_shape shape;
  double *x, *target;
} pairs;

enum { SEED = 5, STEP = 9, SAMPLES = 6 };

static pairs draw(const lsqnet_task_options *o) {
  pairs p = {.task = make(o), .o = *o};
  ck_assert_int_eq(lsqnet_task_get_shape(p.task, &p.shape, sizeof p.shape), LSQNET_OK);
  p.x = room(SAMPLES * p.shape.rows * p.shape.in_width);
  p.target = room(SAMPLES * p.shape.count * p.shape.scored);
  ck_assert_int_eq(lsqnet_task_draw_f64(p.task, SEED, STEP, 0, SAMPLES, p.x, p.target), LSQNET_OK);
  return p;
}

static void drop(pairs *p) {
  lsqnet_task_destroy(p->task);
  free(p->x);
  free(p->target);
}

static const double *x_of(const pairs *p, int sample) { return p->x + sample * p->shape.rows * p->shape.in_width; }

static const double *target_of(const pairs *p, int sample) {
  return p->target + sample * p->shape.count * p->shape.scored;
}

/* `got` is the truth rounded once; the oracle, in long double, sums up to `terms` terms of that magnitude */
static void check_rounded(double got, truth want, truth magnitude, int64_t terms) {
  const truth own = (truth)LDBL_EPSILON * (truth)terms * magnitude;
  ck_assert_msg(fabsl((truth)got - want) <= fabsl(want) * (truth)DBL_EPSILON / 2 + own, "%.17g, not %.20Lg", got, want);
}

/* The reference's. */

static const struct {
  const char *name, *task;
  int32_t setting;
  int64_t iterates;
  double step;
} references[] = {{"explicit_gradient_last", "explicit_gradient", 0, 1, 0},
                  {"explicit_gradient_all", "explicit_gradient", 1, 1, 0},
                  {"least_squares_icl_neighboring", "least_squares_icl", 0, 1, 0},
                  {"least_squares_icl_concat", "least_squares_icl", 1, 1, 0},
                  {"multistep_gd_4_0.5", "multistep_gd", 0, 4, 0.5},
                  {"multistep_gd_1_0.25", "multistep_gd", 0, 1, 0.25},
                  {"least_squares", "least_squares", 0, 1, 0}};
enum { REFERENCES = sizeof references / sizeof references[0], B = 2, L = 6, D = 3 };

static double *golden_part(const golden_file *g, int r, const char *part, int64_t *count) {
  char name[96];
  (void)snprintf(name, sizeof name, "%s.%s", references[r].name, part);
  return golden_values(g, name, count);
}

/* its random outputs, D+1 wide in every row, scored as ours would be */
static void check_score(const golden_file *g, int r, const lsqnet_task_shape *shape, const double *target) {
  int64_t count = 0;
  double *pred = golden_part(g, r, "pred", &count), *mse = golden_part(g, r, "mse", NULL);
  const int64_t width = D + 1, R = lsq_task_read_rows(shape);
  ck_assert_int_eq(count, B * shape->rows * width);
  double *read = room(B * R * width);
  for (int64_t b = 0; b < B; b++)
    memcpy(read + b * R * width, pred + (b * shape->rows + shape->first) * width, (size_t)(R * width) * sizeof *read);
  const double sum = lsq_task_score_f64(shape, width, B, read, target, 0, NULL);
  ck_assert(fabs(sum / (double)(B * shape->count * shape->scored) - mse[0]) <= 1e-13 * mse[0]);
  free(read);
  free(mse);
  free(pred);
}

static void check_reference(const char *file, int r) {
  static const char *const names[] = {"a", "x", "x_init", "b"};
  golden_file g = golden_open(file);
  lsqnet_task_options o = options_for(references[r].task);
  double *given[4];
  int64_t ins = 0, outs = 0;
  double *in = golden_part(&g, r, "in", &ins), *out = golden_part(&g, r, "out", &outs);
  o.rows = L;
  o.dim = D;
  o.setting = references[r].setting;
  o.iterates = references[r].iterates;
  o.step = references[r].step;
  lsqnet_task *task = make(&o);
  lsq_sample sample;
  ck_assert_int_eq(lsq_sample_open(task, L, D, &sample), LSQNET_OK);
  lsq_sample sliced = sample; /* `sample` keeps what must be freed */
  double *x = room(ins), *target = room(outs);
  ck_assert_int_eq(ins, B * task->shape.rows * task->shape.in_width);
  ck_assert_int_eq(outs, B * task->shape.count * task->shape.scored);
  for (int i = 0; i < 4; i++) given[i] = golden_values(&g, names[i], NULL);
  for (int64_t b = 0; b < B; b++) {
    sliced.a = given[0] + b * L * D;
    sliced.x = given[1] + b * D;
    sliced.x_init = given[2] + b * D;
    sliced.b = given[3] + b * L;
    task->kind->lay_out(task, &sliced, x + b * ins / B, target + b * outs / B);
  }
  ck_assert(golden_distance(ins, x, in) == 0);
  ck_assert(golden_distance(outs, target, out) <= 1e-13);
  if (strcmp(references[r].name, "least_squares") != 0) check_score(&g, r, &task->shape, target);
  for (int i = 0; i < 4; i++) free(given[i]);
  free(target);
  free(x);
  lsq_sample_close(task, &sample);
  lsqnet_task_destroy(task);
  free(out);
  free(in);
  golden_close(&g);
}

START_TEST(pairs_and_losses_agree_with_the_reference) {
  check_reference("tasks", _i);
  check_reference("tasks_cond5", _i);
}
END_TEST

/* Targets computed again. */

typedef struct {
  int64_t L, D;
  double a[400], b[40], x[20];
} problem;

/* What a prompt of lsqnet/task.h shows. */
static problem read_prompt(const char *prompt, int64_t rows, int64_t dim, const double *x) {
  problem p = {.L = rows, .D = dim};
  const int own = strcmp(prompt, "split") == 0 || strcmp(prompt, "repeat") == 0;
  const int64_t W = own ? 2 * dim + 1 : dim + 1, first = strcmp(prompt, "query_first") == 0;
  const int64_t query = strcmp(prompt, "repeat") == 0 ? rows - 1 : first ? 0 : rows;
  for (int64_t i = 0; i < rows; i++) {
    memcpy(p.a + i * dim, x + (first + i) * W, (size_t)dim * sizeof *x);
    p.b[i] = x[(first + i) * W + dim];
  }
  memcpy(p.x, x + query * W + (own ? dim + 1 : 0), (size_t)dim * sizeof *x);
  return p;
}

/* g = A'(A y - b)/n over the first n rows, and the same of magnitudes. */
static void gradient(const problem *p, int64_t n, const truth *y, const truth *size_y, truth *g, truth *size) {
  for (int64_t j = 0; j < p->D; j++) g[j] = size[j] = 0;
  for (int64_t i = 0; i < n; i++) {
    truth r = -(truth)p->b[i], size_r = fabsl((truth)p->b[i]);
    for (int64_t j = 0; j < p->D; j++) {
      r += (truth)p->a[i * p->D + j] * y[j];
      size_r += fabsl((truth)p->a[i * p->D + j]) * size_y[j];
    }
    for (int64_t j = 0; j < p->D; j++) {
      g[j] += (truth)p->a[i * p->D + j] * r / (truth)n;
      size[j] += fabsl((truth)p->a[i * p->D + j]) * size_r / (truth)n;
    }
  }
}

static void query(const problem *p, truth *y, truth *size_y) {
  for (int64_t j = 0; j < p->D; j++) {
    y[j] = (truth)p->x[j];
    size_y[j] = fabsl(y[j]);
  }
}

static const struct { int64_t rows, dim; } sizes[] = {{20, 5}, {4, 7}, {1, 1}, {33, 8}};
enum { SIZES = sizeof sizes / sizeof sizes[0], PROMPTS = 4 };

START_TEST(gradients_are_rounded_once) {
  const int settings = 2;
  for (int k = 0; k < SIZES * settings; k++) {
    lsqnet_task_options o = options_for("explicit_gradient");
    truth y[20], size_y[20], g[20], size[20];
    o.rows = sizes[k / settings].rows;
    o.dim = sizes[k / settings].dim;
    o.setting = k % settings;
    o.prompt = lsqnet_prompt_name(_i);
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++) {
      const problem q = read_prompt(o.prompt, o.rows, o.dim, x_of(&p, s));
      query(&q, y, size_y);
      for (int64_t i = 0; i < p.shape.count; i++) {
        const int64_t n = o.setting == 0 ? o.rows : i + 1;
        gradient(&q, n, y, size_y, g, size);
        for (int64_t j = 0; j < o.dim; j++)
          check_rounded(target_of(&p, s)[i * o.dim + j], g[j], size[j], n + o.dim + 4);
      }
    }
    drop(&p);
  }
}
END_TEST

START_TEST(iterates_are_rounded_once) {
  static const struct {
    int64_t iterates;
    double step, scale; /* small A: the magnitudes that bound the oracle's error then stay near the iterates' */
  } runs[] = {{1, 0.5, 1}, {4, 0.5, 0.25}, {7, -0.3, 0.25}, {2, 0, 1}};
  for (int k = 0; k < SIZES * 4; k++) {
    lsqnet_task_options o = options_for("multistep_gd");
    truth y[20], size_y[20], g[20], size[20];
    o.rows = sizes[k / 4].rows;
    o.dim = sizes[k / 4].dim;
    o.iterates = runs[k % 4].iterates;
    o.step = runs[k % 4].step;
    o.scale_a = runs[k % 4].scale;
    o.prompt = lsqnet_prompt_name(_i);
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++) {
      const problem q = read_prompt(o.prompt, o.rows, o.dim, x_of(&p, s));
      query(&q, y, size_y);
      for (int64_t t = 0; t < o.iterates; t++) {
        gradient(&q, o.rows, y, size_y, g, size);
        for (int64_t j = 0; j < o.dim; j++) {
          y[j] -= (truth)o.step * g[j];
          size_y[j] += fabsl((truth)o.step) * size[j];
        }
      }
      for (int64_t j = 0; j < o.dim; j++)
        check_rounded(target_of(&p, s)[j], y[j], size_y[j], o.iterates * (o.rows + o.dim + 4));
    }
    drop(&p);
  }
}
END_TEST

START_TEST(momentum_is_rounded_once_and_its_prompt_has_x_and_v) {
  for (int k = 0; k < SIZES; k++) {
    lsqnet_task_options o = options_for("momentum");
    truth y[20], size_y[20], g[20], size[20];
    o.rows = sizes[k].rows;
    o.dim = sizes[k].dim;
    o.step = 0.3;
    o.momentum = 0.7;
    pairs p = draw(&o);
    const int64_t W = 3 * o.dim + 1;
    for (int s = 0; s < SAMPLES; s++) {
      const double *x = x_of(&p, s), *last = x + o.rows * W, *v = last + 2 * o.dim + 1;
      problem q = {.L = o.rows, .D = o.dim};
      for (int64_t i = 0; i < o.rows; i++) {
        memcpy(q.a + i * o.dim, x + i * W, (size_t)o.dim * sizeof *x);
        q.b[i] = x[i * W + o.dim];
        for (int64_t c = o.dim + 1; c < W; c++) ck_assert(x[i * W + c] == 0);
      }
      for (int64_t c = 0; c <= o.dim; c++) ck_assert(last[c] == 0);
      memcpy(q.x, last + o.dim + 1, (size_t)o.dim * sizeof *x);
      query(&q, y, size_y);
      gradient(&q, o.rows, y, size_y, g, size);
      for (int64_t j = 0; j < o.dim; j++) {
        const truth next = (truth)0.7 * (truth)v[j] - (truth)0.3 * g[j], size_next = fabsl((truth)v[j]) + size[j];
        check_rounded(target_of(&p, s)[j], y[j] + next, size_y[j] + size_next, o.rows + o.dim + 4);
        check_rounded(target_of(&p, s)[o.dim + j], next, size_next, o.rows + o.dim + 4);
      }
    }
    drop(&p);
  }
}
END_TEST

START_TEST(newton_schulz_is_rounded_once_on_symmetric_matrices) {
  for (int64_t n = 1; n <= 9; n += 4) {
    lsqnet_task_options o = options_for("newton_schulz");
    o.dim = n;
    pairs p = draw(&o);
    ck_assert_int_eq(p.shape.rows, n);
    for (int s = 0; s < SAMPLES; s++) {
      const double *H = x_of(&p, s), *X = H + n; /* rows 2n apart */
      for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
          truth sum = 2 * (truth)X[2 * n * i + j], size = fabsl(sum);
          for (int64_t k = 0; k < n; k++)
            for (int64_t l = 0; l < n; l++) {
              const truth term = (truth)X[2 * n * i + k] * (truth)H[2 * n * k + l] * (truth)X[2 * n * l + j];
              sum -= term;
              size += fabsl(term);
            }
          ck_assert(H[2 * n * i + j] == H[2 * n * j + i] && X[2 * n * i + j] == X[2 * n * j + i]);
          check_rounded(target_of(&p, s)[i * n + j], sum, size, n * n + 4);
        }
    }
    drop(&p);
  }
}
END_TEST

START_TEST(power_steps_are_rounded_once) {
  for (int k = 0; k < SIZES; k++) {
    lsqnet_task_options o = options_for("power_step");
    truth v[20], size_v[20], g[20], size[20];
    o.rows = sizes[k].rows;
    o.dim = sizes[k].dim;
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++) {
      problem q = {.L = o.rows, .D = o.dim};
      memcpy(q.a, x_of(&p, s), (size_t)(o.rows * o.dim) * sizeof *q.a);
      memcpy(q.x, x_of(&p, s) + o.rows * o.dim, (size_t)o.dim * sizeof *q.x);
      query(&q, v, size_v);
      gradient(&q, o.rows, v, size_v, g, size);
      for (int64_t j = 0; j < o.dim; j++) check_rounded(target_of(&p, s)[j], g[j], size[j], o.rows + o.dim + 4);
    }
    drop(&p);
  }
}
END_TEST

static lsq_stream stream_of(int sample) { return lsq_stream_of(SEED, STEP, (uint64_t)sample); }

static void check_product(int64_t dim, const double *a, const double *x, double b) {
  truth sum = 0, size = 0;
  for (int64_t j = 0; j < dim; j++) {
    sum += (truth)a[j] * (truth)x[j];
    size += fabsl((truth)a[j] * (truth)x[j]);
  }
  check_rounded(b, sum, size, dim + 1);
}

START_TEST(right_hand_sides_are_rounded_products) {
  for (int k = 0; k < SIZES; k++) {
    lsqnet_task_options o = options_for("least_squares");
    o.rows = sizes[k].rows;
    o.dim = sizes[k].dim;
    const int64_t W = o.dim + 1;
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++)
      for (int64_t i = 0; i < o.rows; i++) {
        const double *row = x_of(&p, s) + i * W;
        check_product(o.dim, row, target_of(&p, s), row[o.dim]);
      }
    drop(&p);
  }
}
END_TEST

START_TEST(in_context_prompts_hide_the_b_that_is_asked_for) {
  for (int k = 0; k < SIZES * 2; k++) {
    lsqnet_task_options o = options_for("least_squares_icl");
    o.rows = sizes[k / 2].rows;
    o.dim = sizes[k / 2].dim;
    o.setting = k % 2;
    const int64_t W = o.dim + 1, stride = o.setting == 0 ? 2 : 1;
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++) {
      double solution[20];
      lsq_law_fill(LSQNET_LAW_NORMAL, 0, stream_of(s), LSQ_PART_X, o.dim, solution);
      for (int64_t i = 0; i < o.rows; i++) {
        const double *row = x_of(&p, s) + i * stride * W, *next = row + (stride - 1) * W;
        const int last = i == o.rows - 1;
        const double b = !last ? next[o.dim] : target_of(&p, s)[p.shape.count - 1];
        check_product(o.dim, row, solution, b);
        if (last || stride == 2) ck_assert(row[o.dim] == 0);
        if (stride == 2) ck_assert(b == target_of(&p, s)[i]);
        for (int64_t c = 0; !last && stride == 2 && c < o.dim; c++) ck_assert(next[c] == 0);
      }
    }
    drop(&p);
  }
}
END_TEST

/* The primitive `name` at one row; j >= 0: the row that "read" writes, from row i. */
static void check_primitive_row(const char *name, const pairs *p, int s, int64_t t, const int64_t moved[2]) {
  const int64_t n = p->o.dim;
  const double *x = x_of(p, s) + t * n, *target = target_of(p, s) + t * p->shape.scored;
  double c[20];
  for (int64_t j = 0; j < n; j++) c[j] = 3 * lsq_random_normal(p->o.seed, 0, (UINT64_C(8) << 56) + (uint64_t)j);
  if (strcmp(name, "linear") == 0) check_product(n, x, c, target[0]);
  for (int64_t j = 0; strcmp(name, "multiply") == 0 && j < n / 2; j++) ck_assert(target[j] == x[j] * x[n / 2 + j]);
  for (int64_t j = 0; p->shape.scored == n && j < n; j++) {
    if (strcmp(name, "identity") == 0) ck_assert(target[j] == x[j]);
    if (strcmp(name, "square") == 0) ck_assert(target[j] == x[j] * x[j]);
    if (strcmp(name, "read") == 0) ck_assert(target[j] == (t == moved[1] ? x_of(p, s)[moved[0] * n + j] : x[j]));
  }
}

START_TEST(primitives_are_what_their_names_say) {
  static const char *const names[] = {"identity", "square", "multiply", "read", "linear"};
  int moves = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    lsqnet_task_options o = options_for(names[_i]);
    o.dim = 4;
    o.rows = 9;
    o.seed = seed;
    const int64_t i = (int64_t)(9 * lsq_random_uniform(seed, 0, UINT64_C(8) << 56));
    const int64_t j = (int64_t)(9 * lsq_random_uniform(seed, 0, (UINT64_C(8) << 56) + 1));
    const int64_t moved[2] = {i < j ? i : j, i < j ? j : i};
    moves += i != j;
    pairs p = draw(&o);
    for (int s = 0; s < SAMPLES; s++)
      for (int64_t t = 0; t < o.rows; t++) check_primitive_row(names[_i], &p, s, t, moved);
    drop(&p);
  }
  ck_assert_int_ge(moves, 10);
}
END_TEST

START_TEST(shapes_are_those_of_the_documentation) {
  static const struct {
    const char *name;
    int32_t setting;
    int64_t shape[8]; /* rows, in_width, out_width, first, stride, count, scored_first, scored; L = 20, D = 6, n = 25 */
  } wanted[] = {{"identity", 0, {20, 6, 6, 0, 1, 20, 0, 6}},
                {"square", 0, {20, 6, 6, 0, 1, 20, 0, 6}},
                {"multiply", 0, {20, 6, 3, 0, 1, 20, 0, 3}},
                {"read", 0, {20, 6, 6, 0, 1, 20, 0, 6}},
                {"linear", 0, {20, 6, 1, 0, 1, 20, 0, 1}},
                {"least_squares", 0, {20, 7, 6, 19, 1, 1, 0, 6}},
                {"least_squares_icl", 0, {39, 7, 7, 0, 2, 20, 6, 1}},
                {"least_squares_icl", 1, {20, 7, 7, 19, 1, 1, 6, 1}},
                {"explicit_gradient", 0, {21, 7, 6, 20, 1, 1, 0, 6}},
                {"explicit_gradient", 1, {21, 7, 6, 0, 1, 20, 0, 6}},
                {"multistep_gd", 0, {21, 7, 6, 20, 1, 1, 0, 6}},
                {"ode_icl", 0, {39, 28, 1, 0, 2, 20, 0, 1}},
                {"ode_icl_final", 0, {20, 28, 1, 19, 1, 1, 0, 1}},
                {"newton_schulz", 0, {6, 12, 6, 0, 1, 6, 0, 6}},
                {"power_step", 0, {21, 6, 6, 20, 1, 1, 0, 6}},
                {"momentum", 0, {21, 19, 12, 20, 1, 1, 0, 12}}};
  for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++) {
    lsqnet_task_options o = options_for(wanted[k].name);
    lsqnet_task_shape s;
    o.dim = 6;
    o.setting = wanted[k].setting;
    lsqnet_task *task = make(&o);
    ck_assert_int_eq(lsqnet_task_get_shape(task, &s, sizeof s), LSQNET_OK);
    const int64_t got[8] = {s.rows, s.in_width, s.out_width, s.first, s.stride, s.count, s.scored_first, s.scored};
    ck_assert_msg(memcmp(got, wanted[k].shape, sizeof got) == 0, "%s", wanted[k].name);
    ck_assert_uint_eq(s.size, sizeof s);
    ck_assert_uint_eq(s.reserved, 0);
    lsqnet_task_destroy(task);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tasks");
  TCase *reference = tcase_create("reference");
  tcase_add_checked_fixture(reference, open_context, close_context);
  tcase_add_loop_test(reference, pairs_and_losses_agree_with_the_reference, 0, REFERENCES);
  tcase_add_test(reference, shapes_are_those_of_the_documentation);
  suite_add_tcase(suite, reference);
  TCase *targets = tcase_create("targets");
  tcase_add_checked_fixture(targets, open_context, close_context);
  tcase_add_loop_test(targets, gradients_are_rounded_once, 0, PROMPTS);
  tcase_add_loop_test(targets, iterates_are_rounded_once, 0, PROMPTS);
  tcase_add_test(targets, momentum_is_rounded_once_and_its_prompt_has_x_and_v);
  tcase_add_test(targets, newton_schulz_is_rounded_once_on_symmetric_matrices);
  tcase_add_test(targets, power_steps_are_rounded_once);
  tcase_add_test(targets, right_hand_sides_are_rounded_products);
  tcase_add_test(targets, in_context_prompts_hide_the_b_that_is_asked_for);
  tcase_add_loop_test(targets, primitives_are_what_their_names_say, 0, 5);
  suite_add_tcase(suite, targets);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
