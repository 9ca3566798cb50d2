#include "throughput.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../json.h"
#include "../progress.h"
#include "lapack.h"
#include "problems.h"

enum { L = 20, D = 5, TURNS = 5 };

/* Seconds for all of them; NaN in builds without LAPACK. Column-major copies are made before the clock starts. */
static double time_lapack(const problems *p, double *work) {
  const int64_t size = L * (D + 1);
  if (!lapack_open()) return NAN;
  for (int64_t i = 0; i < p->count * size; i++) {
    work[i] = p->rows[i / size * size + i % size % L * (D + 1) + i % size / L];
  }
  const double start = seconds_now();
  for (int64_t i = 0; i < p->count; i++) {
    (void)lapack_solve(L, D, work + i * size, work + i * size + L * D);
  }
  return seconds_now() - start;
}

static int time_batch(lsqnet_solver *solver, const problems *p, double *x, double *seconds) {
  lsqnet_problems shape;
  lsqnet_status st = lsqnet_problems_init(&shape, sizeof shape);
  shape.count = p->count;
  shape.m = L;
  shape.n = D;
  shape.lda = shape.ldb = D + 1;
  shape.a_stride = shape.b_stride = L * (D + 1);
  const double start = seconds_now();
  if (st == LSQNET_OK) st = lsqnet_solver_solve_batch_f64(solver, &shape, p->rows, p->rows + D, NULL, x, NULL);
  *seconds = fmin(*seconds, seconds_now() - start);
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

static int measure(reproduction *r, lsqnet_solver *one, lsqnet_solver *all, const char *key, int64_t batch) {
  int code = CODE_DONE;
  problems p = {0};
  double alone = INFINITY, together = INFINITY, lapack = NAN, *x = NULL, *work = NULL;
  char name[600];
  const lsqnet_task_options o = task_named("least_squares", L, D);
  TRY(problems_draw(&p, r, &o, 10, batch));
  x = numbers(batch * D);
  work = numbers(batch * L * (D + 1));
  if (x == NULL || work == NULL) {
    code = CODE_OTHER;
    goto done;
  }
  for (int turn = 0; turn < TURNS; turn++) { /* in turns, so that a noisy machine is noisy to each */
    TRY(go_on(r, key, turn, TURNS));
    TRY(time_batch(one, &p, x, &alone));
    TRY(time_batch(all, &p, x, &together));
    lapack = fmin(lapack, time_lapack(&p, work));
  }
  lapack_name(name, sizeof name);
  TRY(runs_add(r, key,
               json_pack("{s:I, s:i, s:i, s:s, s:i, s:o, s:o, s:o}", "batch", (json_int_t)batch, "rows", L, "unknowns",
                         D, "lapack", name, "threads_all", (int)lsqnet_context_threads(r->context), "per_second_one",
                         json_number((double)batch / alone), "per_second_all", json_number((double)batch / together),
                         "per_second_lapack", json_number((double)batch / lapack))));
done:
  problems_free(&p);
  free(x);
  free(work);
  return code;
}

int throughput_runs(reproduction *r, lsqnet_solver *one, lsqnet_solver *all) {
  int code = CODE_DONE;
  const int64_t most = (int64_t)by_budget(r, 100, 100000, 1000000);
  TRY(runs_agree(r, "batch=*", "rows", L));
  TRY(runs_agree(r, "batch=*", "unknowns", D));
  for (int64_t batch = 1; batch <= most; batch *= 10) {
    char key[64];
    snprintf(key, sizeof key, "batch=%lld", (long long)batch);
    if (runs_find(r, key) == NULL) TRY(measure(r, one, all, key, batch));
  }
done:
  return code;
}
