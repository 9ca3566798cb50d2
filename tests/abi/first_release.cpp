// Compiled against the first release's lsqnet.hpp and mixer_conformance.h (tests/abi/headers), it runs with today's
// library. Exit code 0 if all holds.
#include <cstdio>
#include <cstring>
#include <lsqnet/lsqnet.hpp>
#include <lsqnet/mixer_conformance.h>
#include <stdexcept>
#include <vector>

static void claim(bool holds, const char *what) {
  if (!holds) throw std::runtime_error(what);
}

/* y = x, the least of mixers. */
static lsqnet_status create(void **state, lsqnet_context *, void *, const lsqnet_mixer_sizes *sizes, const char *) {
  return lsqnet::guard([=] { *state = new int64_t(sizes->width); });
}
static void destroy(void *state) { delete static_cast<int64_t *>(state); }
static int64_t parameter_count(const void *) { return 0; }
static lsqnet_status parameter(const void *, int64_t, lsqnet_mixer_parameter *) { return LSQNET_E_INTERNAL; }
static lsqnet_status workspace(const void *, const lsqnet_mixer_shape *, int64_t *cache, int64_t *scratch) {
  *cache = *scratch = 0;
  return LSQNET_OK;
}
static lsqnet_status forward(const void *state, const lsqnet_mixer_shape *s, const double *const *, const double *x,
                             double *y, double *, double *) {
  const int64_t width = *static_cast<const int64_t *>(state);
  for (int64_t b = 0; b < s->batch; b++)
    for (int64_t i = 0; i < s->count * width; i++)
      y[b * s->count * width + i] = x[(b * s->rows + s->first) * width + i];
  return LSQNET_OK;
}
static lsqnet_status backward(const void *state, const lsqnet_mixer_shape *s, const double *const *, const double *,
                              const double *dy, double *dx, double *const *, const double *, double *) {
  const int64_t width = *static_cast<const int64_t *>(state);
  for (int64_t i = 0; i < s->batch * s->rows * width; i++) dx[i] = 0;
  for (int64_t b = 0; b < s->batch; b++)
    for (int64_t i = 0; i < s->count * width; i++)
      dx[(b * s->rows + s->first) * width + i] = dy[b * s->count * width + i];
  return LSQNET_OK;
}

static void mixer_keeps_its_contract(const lsqnet::context &context) {
  lsqnet_mixer mixer = lsqnet_mixer();
  lsqnet_mixer_sizes sizes = lsqnet_mixer_sizes();
  char report[4096];
  mixer.size = sizeof mixer;
  mixer.name = "same";
  mixer.create = create;
  mixer.destroy = destroy;
  mixer.parameter_count = parameter_count;
  mixer.parameter = parameter;
  mixer.workspace = workspace;
  mixer.forward_f64 = forward;
  mixer.backward_f64 = backward;
  sizes.size = sizeof sizes;
  sizes.rows = 5;
  sizes.width = 6;
  sizes.layers = 1;
  claim(lsqnet_mixer_conformance(&mixer, context.get(), &sizes, "{}", report, sizeof report) == 0, report);
}

static void solves_and_throws(const lsqnet::context &context) {
  lsqnet::solver solver(context);
  const std::vector<double> a = {1, 1, 1, 2, 1, 3}, b = {3, 5, 7};
  std::vector<double> x(2);
  std::vector<lsqnet_report> reports(1);
  solver.solve(lsqnet::matrix<const double>(a, 3, 2), b, x, reports);
  claim(x[0] == 1 && x[1] == 2 && reports[0].rank == 2, "x is not (1, 2)");
  try {
    lsqnet::model::load(context, "no such file");
    claim(false, "a file that is not there was loaded");
  } catch (const lsqnet::error &e) {
    claim(e.status() == LSQNET_E_IO && std::strstr(e.what(), "no such file") != nullptr, e.what());
  }
}

int main() {
  try {
    const lsqnet::context context;
    mixer_keeps_its_contract(context);
    solves_and_throws(context);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  std::puts("a C++ program of the first release runs");
  return 0;
}
