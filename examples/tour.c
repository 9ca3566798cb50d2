/* A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.
 *
 *   cc tour.c $(pkg-config --cflags --libs lsqnet) -o tour
 *   ./tour /usr/local/share/lsqnet/models/la-gd1-d8.safetensors data/nist/Longley.csv */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MOST = 1000, COLUMNS_MOST = 32 };

static void check(lsqnet_status status) {
  if (status == LSQNET_OK) return;
  fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  exit(EXIT_FAILURE);
}

/* Reads a CSV file with a header; the last column is b, and A gets a first column of ones. */
static void read_csv(const char *path, double *a, double *b, int64_t *m, int64_t *n) {
  FILE *file = fopen(path, "r");
  double number = 0;
  int end = '\n', columns = 0;
  if (file == NULL || fscanf(file, "%*[^\n]") != 0) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(EXIT_FAILURE);
  }
  *m = 0;
  *n = 1;
  while (*m < ROWS_MOST && columns < COLUMNS_MOST && fscanf(file, "%lf", &number) == 1) {
    if (columns == 0) a[0] = 1;
    end = fgetc(file);
    if (end == ',') {
      a[++columns] = number;
      continue;
    }
    b[(*m)++] = number;
    *n = columns + 1;
    a += *n;
    columns = 0;
  }
  fclose(file);
}

static void solve(lsqnet_context *context, const lsqnet_model *model, const char *path) {
  static double a[ROWS_MOST * COLUMNS_MOST], b[ROWS_MOST], x[COLUMNS_MOST];
  lsqnet_report report = {.size = sizeof report};
  lsqnet_solver *solver = NULL;
  int64_t m = 0, n = 0;
  read_csv(path, a, b, &m, &n);
  check(lsqnet_solver_create(&solver, context, model, NULL));
  check(lsqnet_solver_solve_f64(solver, m, n, 1, a, n, b, 1, x, 1, &report));
  for (int64_t j = 0; j < n; j++) printf("x[%d] = %.15g\n", (int)j, x[j]);
  printf("about %.1f right digits\n", report.digits);
  lsqnet_solver_destroy(solver);
}

/* One layer of linear attention learns a step of gradient descent. */
static void train(lsqnet_context *context) {
  lsqnet_task_options about;
  lsqnet_task_shape shape;
  lsqnet_model_options options;
  lsqnet_train_options how;
  lsqnet_task *task = NULL;
  lsqnet_model *model = NULL;
  lsqnet_trainer *trainer = NULL;
  lsqnet_progress first = {.size = sizeof first}, last = {.size = sizeof last};

  check(lsqnet_task_options_init(&about, sizeof about));
  about.name = "multistep_gd";
  about.prompt = "split";
  about.rows = 8;
  about.dim = 2;
  check(lsqnet_task_create(&task, context, &about));
  check(lsqnet_task_get_shape(task, &shape, sizeof shape));

  check(lsqnet_model_options_init(&options, sizeof options));
  options.rows = shape.rows;
  options.in_width = shape.in_width;
  options.out_width = shape.out_width;
  options.width = 8;
  options.layers = 1;
  options.mixer = "attention";
  options.mixer_config = "{\"softmax\":false,\"causal\":false}";
  check(lsqnet_model_create(&model, context, &options));
  check(lsqnet_model_draw_weights(model, 1, 0.5));

  check(lsqnet_train_options_init(&how, sizeof how));
  how.optimizer = "levenberg_marquardt";
  check(lsqnet_trainer_create(&trainer, model, task, &how));
  check(lsqnet_trainer_step(trainer, &first));
  while (last.step < 20) check(lsqnet_trainer_step(trainer, &last));
  printf("training: loss %.2e, after %d steps %.2e\n", first.loss, (int)last.step, last.loss);
  lsqnet_trainer_destroy(trainer);
  lsqnet_model_destroy(model);
  lsqnet_task_destroy(task);
}

int main(int count, char **arguments) {
  lsqnet_context *context = NULL;
  lsqnet_model *model = NULL, *none = NULL;
  lsqnet_model_step step;
  if (count != 3) {
    fprintf(stderr, "usage: tour MODEL.safetensors DATA.csv\n");
    return EXIT_FAILURE;
  }
  check(lsqnet_context_create(&context, NULL));
  check(lsqnet_model_load(&model, context, arguments[1], NULL));
  check(lsqnet_model_get_step(model, &step, sizeof step));
  printf("liblsqnet %s, a model for %d rows and %d unknowns\n", lsqnet_version(), (int)step.rows, (int)step.dim);
  solve(context, model, arguments[2]);
  train(context);

  const lsqnet_status status = lsqnet_model_load(&none, context, "no such file", NULL);
  printf("error: %s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  lsqnet_model_destroy(model);
  lsqnet_context_destroy(context);
  return EXIT_SUCCESS;
}
