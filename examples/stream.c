/* A stream of observations, solved again as they come: old ones fade, and one that turns out to be wrong is taken back.
 *
 *   cc stream.c $(pkg-config --cflags --libs lsqnet) -lm -o stream */
#include <lsqnet/lsqnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 3, OBSERVATIONS = 3000 };

/* Observation i: a row of A, and its right-hand side, which obeys another law from the middle of the stream on. */
static void observe(int i, double *a, double *b) {
  const double slope = i < OBSERVATIONS / 2 ? 2 : -1;
  a[0] = 1;
  a[1] = sin(0.37 * i);
  a[2] = cos(1.1 * i);
  *b = 5 + slope * a[1] + 0.25 * a[2] + 0.001 * sin(7.0 * i * i);
}

static void print_answer(const lsqnet_state *state, const double *x, const lsqnet_report *report) {
  lsqnet_state_info info;
  if (lsqnet_state_get_info(state, &info, sizeof info) != LSQNET_OK) return;
  printf("after %4lld: x = %.4f %.4f %.4f, %.1f digits; drift of the moments %.0e\n", (long long)info.rows, x[0], x[1],
         x[2], report->digits, info.drift);
}

/* The whole stream, solved every 500 observations at the cost of N^3, however many there have been. */
static lsqnet_status follow(lsqnet_solver *solver, lsqnet_state *state) {
  double a[N], b = 0, x[N] = {0};
  lsqnet_report report = {.size = sizeof report};
  lsqnet_status status = LSQNET_OK;
  for (int i = 0; i < OBSERVATIONS && status == LSQNET_OK; i++) {
    observe(i, a, &b);
    status = lsqnet_solver_append_rows(solver, state, 1, a, N, &b, 1);
    if (status != LSQNET_OK || (i + 1) % 500 != 0) continue;
    status = lsqnet_solver_solve_state(solver, state, x, 1, &report);
    if (status == LSQNET_OK) print_answer(state, x, &report);
  }
  return status;
}

/* A wrong observation comes and is taken back; its weight has faded by then, which the state knows of rows it keeps. */
static lsqnet_status take_back(lsqnet_solver *solver, lsqnet_state *state) {
  double a[N], b = 0, x[N] = {0};
  const double wrong = 1000;
  lsqnet_report report = {.size = sizeof report};
  observe(OBSERVATIONS, a, &b);
  lsqnet_status status = lsqnet_solver_append_rows(solver, state, 1, a, N, &wrong, 1);
  if (status == LSQNET_OK) status = lsqnet_solver_append_rows(solver, state, 1, a, N, &b, 1);
  if (status == LSQNET_OK) status = lsqnet_solver_solve_state(solver, state, x, 1, &report);
  if (status == LSQNET_OK) print_answer(state, x, &report);
  if (status == LSQNET_OK) status = lsqnet_solver_remove_rows(solver, state, 1, a, N, &wrong, 1);
  if (status == LSQNET_OK) status = lsqnet_solver_solve_state(solver, state, x, 1, &report);
  if (status == LSQNET_OK) print_answer(state, x, &report);
  return status;
}

int main(void) {
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;
  lsqnet_state *state = NULL;
  lsqnet_state_options options;

  lsqnet_status status = lsqnet_context_create(&context, NULL);
  if (status == LSQNET_OK) status = lsqnet_solver_create(&solver, context, NULL, NULL); /* NULL: trained */
  if (status == LSQNET_OK) status = lsqnet_state_options_init(&options, sizeof options);
  if (status == LSQNET_OK) {
    options.n = N;
    options.forgetting = 0.99; /* a hundred observations count, or so */
    options.keep_rows = 1;     /* so that faded ones can be taken back */
    status = lsqnet_state_create(&state, context, &options);
  }
  if (status == LSQNET_OK) status = follow(solver, state);
  if (status == LSQNET_OK) status = take_back(solver, state);
  if (status != LSQNET_OK) fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());

  lsqnet_state_destroy(state);
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  return status == LSQNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
