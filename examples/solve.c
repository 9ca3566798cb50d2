/* Fits a parabola through five points and prints how far the answer can be trusted.
 *
 *   cc solve.c $(pkg-config --cflags --libs lsqnet) -o solve */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <stdlib.h>

enum { M = 5, N = 3 };

int main(void) {
  /* rows [1, t, t^2] for t = 1 .. 5 */
  const double a[M * N] = {1, 1, 1, 1, 2, 4, 1, 3, 9, 1, 4, 16, 1, 5, 25};
  const double b[M] = {2.1, 4.9, 10.2, 17.1, 25.8};
  double x[N] = {0};
  lsqnet_report report = {.size = sizeof report};
  lsqnet_context *context = NULL;
  lsqnet_solver *solver = NULL;

  lsqnet_status status = lsqnet_context_create(&context, NULL);
  if (status == LSQNET_OK) status = lsqnet_solver_create(&solver, context, NULL, NULL); /* NULL: trained */
  if (status == LSQNET_OK) status = lsqnet_solver_solve_f64(solver, M, N, 1, a, N, b, 1, x, 1, &report);

  if (status == LSQNET_OK) {
    for (int j = 0; j < N; j++) printf("x[%d] = %.15g\n", j, x[j]);
    printf("%s by %s: backward error %.1e, condition %.1e, about %.1f right digits, %lld model calls\n",
           lsqnet_stop_name(report.stopped), lsqnet_method_name(report.method), report.backward_error, report.condition,
           report.digits, (long long)report.model_calls);
  } else {
    fprintf(stderr, "%s: %s\n", lsqnet_status_name(status), lsqnet_last_message());
  }
  lsqnet_solver_destroy(solver);
  lsqnet_context_destroy(context);
  return status == LSQNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
