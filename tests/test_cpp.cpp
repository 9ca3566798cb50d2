// lsqnet.hpp: what it owns, moves, checks and throws. A failed claim is a line on standard error and exit code 1.
#include <array>
#include <cstdio>
#include <cstring>
#include <lsqnet/lsqnet.hpp>
#include <stdexcept>
#include <type_traits>
#include <vector>

static int failures = 0;

#define CLAIM(that)                                                   \
  do {                                                                \
    if (!(that)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #that); \
      failures++;                                                     \
    }                                                                 \
  } while (0)

/* The status that `body` throws, and that its message holds `text`; LSQNET_OK if it throws nothing. */
template <class Body>
static lsqnet_status thrown(const char *text, Body body) {
  try {
    body();
  } catch (const lsqnet::error &e) {
    if (std::strstr(e.what(), text) == nullptr) std::fprintf(stderr, "\"%s\" is not in \"%s\"\n", text, e.what());
    failures += std::strstr(e.what(), text) == nullptr;
    return e.status();
  }
  return LSQNET_OK;
}

template <class T>
static void moves_only() {
  CLAIM(!std::is_copy_constructible<T>::value && !std::is_copy_assignable<T>::value);
  CLAIM(std::is_nothrow_move_constructible<T>::value && std::is_nothrow_move_assignable<T>::value);
}

static void views() {
  double array[3] = {1, 2, 3};
  std::vector<double> vector(6, 1.0);
  const std::array<double, 2> two = {{4, 5}};
  lsqnet::span<const double> a(array), v(vector), t(two);
  CLAIM(a.size() == 3 && v.size() == 6 && t.size() == 2 && t[1] == 5 && a.end() - a.begin() == 3);
  lsqnet::matrix<double> m(vector, 2, 3);
  lsqnet::matrix<const double> same(m), column(vector), copy(same);
  CLAIM(same.rows() == 2 && copy.stride() == 3 && column.rows() == 6 && column.columns() == 1);
  CLAIM(thrown("2 x 4 numbers are not 6", [&] { lsqnet::matrix<double>(vector, 2, 4); }) == LSQNET_E_SHAPE);
  CLAIM(thrown("numbers are not 6", [&] { lsqnet::matrix<double>(vector, INT64_MAX, 4); }) == LSQNET_E_SHAPE);
}

static void solves_and_reports() {
  lsqnet::context context;
  lsqnet::solver solver(context);
  const double a[] = {1, 1, 1, 2, 1, 3}, b[] = {3, 5, 7};
  std::vector<double> x(2);
  std::vector<lsqnet_report> reports(1);
  solver.solve(lsqnet::matrix<const double>(a, 3, 2), b, x, reports);
  CLAIM(x[0] == 1 && x[1] == 2 && reports[0].status == LSQNET_OK && reports[0].rank == 2);
  const float af[] = {1, 1, 1, 2, 1, 3}, bf[] = {3, 5, 7};
  float xf[2];
  solver.solve(lsqnet::matrix<const float>(af, 3, 2), bf, xf);
  CLAIM(xf[0] == 1 && xf[1] == 2);
  const double dependent[] = {1, 2, 2, 4, 3, 6};
  CLAIM(thrown("rank", [&] { solver.solve(lsqnet::matrix<const double>(dependent, 3, 2), b, x, reports); }) ==
        LSQNET_E_RANK);
  CLAIM(reports[0].status == LSQNET_E_RANK);
  x.resize(3);
  CLAIM(thrown("x is 3 x 1: it must be 2 x 1", [&] { solver.solve(lsqnet::matrix<const double>(a, 3, 2), b, x); }) ==
        LSQNET_E_SHAPE);
}

static void states_and_batches() {
  lsqnet::context context;
  lsqnet::solver solver(context);
  lsqnet::state_options options;
  options.n = 2;
  lsqnet::state state(context, options);
  const double a[] = {1, 1, 1, 2, 1, 3, 1, 4}, b[] = {3, 5, 7, 100};
  double x[2];
  solver.append(state, lsqnet::matrix<const double>(a, 4, 2), b);
  solver.remove(state, lsqnet::matrix<const double>(a + 6, 1, 2, 2), lsqnet::span<const double>(b + 3, 1));
  solver.solve(state, x);
  CLAIM(x[0] == 1 && x[1] == 2 && state.info().rows == 3);
  CLAIM(thrown("a is 2 x 4: it must be 2 x 2", [&] {
          solver.append(state, lsqnet::matrix<const double>(a, 2, 4), lsqnet::span<const double>(b, 2));
        }) == LSQNET_E_SHAPE);
  lsqnet::problems all;
  all.count = 2;
  all.m = 2;
  all.n = 1;
  const double many_a[] = {1, 1, 2, 2}, many_b[] = {3, 3, 8, 8};
  std::vector<lsqnet_report> reports(2);
  solver.solve_batch(all, many_a, many_b, x, reports);
  CLAIM(x[0] == 3 && x[1] == 4 && reports[1].status == LSQNET_OK);
  reports.resize(1);
  CLAIM(thrown("reports holds 1 numbers", [&] { solver.solve_batch(all, many_a, many_b, x, reports); }) ==
        LSQNET_E_SHAPE);
}

static lsqnet::model small_model(const lsqnet::context &context) {
  lsqnet::model_options options;
  options.rows = 4;
  options.in_width = options.out_width = 2;
  options.width = 4;
  options.layers = 1;
  options.mixer = "identity";
  return lsqnet::model(context, options);
}

static void models_outlive_their_names() {
  lsqnet::context context;
  std::vector<double> x(8, 1.0), y(8), again(8);
  lsqnet::model model = small_model(context);
  lsqnet::workspace space(model);
  space.forward(1, 4, x, y);
  lsqnet::model moved = std::move(model);
  CLAIM(model.get() == nullptr && thrown("NULL", [&] { model.save("x"); }) == LSQNET_E_ARGUMENT);
  lsqnet::model loaded = lsqnet::model::load_memory(context, moved.save_memory());
  moved = small_model(context);  // the workspace holds the one that went
  space.forward(1, 4, x, again);
  CLAIM(y == again);
  lsqnet::workspace(loaded).forward(1, 4, x, again);
  CLAIM(y == again);
  space.backward(y);
  CLAIM(space.gradient_f64().size() == static_cast<std::size_t>(loaded.weight_count()));
  CLAIM(thrown("y holds 8 numbers: 4 are needed", [&] { space.forward(1, 2, lsqnet::span<double>(x.data(), 4), y); }) ==
        LSQNET_E_SHAPE);
  CLAIM(loaded.read(loaded.find("read_in.weight")).size() == 8 && loaded.find("nothing") == -1);
}

/* What was moved from throws, whatever it is used for. */
template <class Body>
static void refused(Body body) {
  CLAIM(thrown("", body) == LSQNET_E_ARGUMENT);
}

static void moved_from_objects_throw() {
  lsqnet::context context;
  lsqnet::model model = small_model(context), trained = small_model(context);
  lsqnet::task_options task_options;
  task_options.name = "identity";
  lsqnet::task task(context, task_options);
  lsqnet::state_options state_options;
  state_options.n = 1;
  lsqnet::state state(context, state_options), open(context, state_options);
  lsqnet::solver solver(context), other(context);
  lsqnet::workspace space(model);
  std::vector<double> x(8, 1.0), y(8), one(1, 1.0);
  space.forward(1, 4, x, y);
  space.backward(y);
  const lsqnet::workspace to_space(std::move(space));
  const lsqnet::model to_model(std::move(model));
  const lsqnet::task to_task(std::move(task));
  const lsqnet::state to_state(std::move(state));
  const lsqnet::solver to_solver(std::move(solver));
  refused([&] { space.forward(1, 4, x, y); });
  refused([&] { space.backward(y); });
  refused([&] { space.sgd_step(1); });
  refused([&] { lsqnet::workspace again(model); });
  refused([&] { model.clone(); });
  refused([&] { model.save_memory(); });
  refused([&] { lsqnet::solver with(context, model); });  // not the shipped models
  refused([&] { task.shape(); });
  refused([&] { lsqnet::trainer again(trained, task, lsqnet::train_options()); });
  refused([&] { lsqnet::trainer again(model, to_task, lsqnet::train_options()); });
  refused([&] { lsqnet::evaluate(model, to_task, 1, 4); });
  refused([&] { state.info(); });
  refused([&] { other.append(state, one, one); });
  refused([&] { other.solve(state, one); });
  refused([&] { solver.append(open, one, one); });
  refused([&] { solver.solve(one, one, one); });
  const lsqnet::context to_context(std::move(context));
  refused([&] { lsqnet::solver again(context); });
  refused([&] { small_model(context); });
  refused([&] { lsqnet::task again(context, task_options); });
  refused([&] { lsqnet::state again(context, state_options); });
  refused([&] { lsqnet::model::load(context, "x"); });
}

static void errors_carry_status_and_message() {
  lsqnet::context context;
  CLAIM(thrown("no such file.safetensors", [&] { lsqnet::model::load(context, "no such file.safetensors"); }) ==
        LSQNET_E_IO);
  try {
    lsqnet::task_options options;
    options.name = "juggle";
    lsqnet::task task(context, options);
    CLAIM(false);
  } catch (const std::runtime_error &e) {  // as programs catch what they know nothing of
    CLAIM(std::strstr(e.what(), "juggle") != nullptr);
  }
}

static void callbacks_may_throw() {
  lsqnet::context context;
  lsqnet::model model = small_model(context);
  lsqnet_task_shape shape = lsqnet_task_shape();
  shape.size = sizeof shape;
  shape.rows = shape.count = 4;
  shape.stride = 1;
  shape.in_width = shape.out_width = shape.scored = 2;
  int calls = 0, fail_at = 1000;
  auto draw = [&](uint64_t, uint64_t, int64_t, int64_t count, double *x, double *target) {
    if (++calls > fail_at) throw std::runtime_error("the well is dry");
    for (int64_t i = 0; i < count * 8; i++) target[i] = x[i] = static_cast<double>(i % 7) / 7;
  };
  lsqnet::task task(context, "copy", shape, draw);
  lsqnet::train_options options;
  options.batch = 4;
  lsqnet::trainer trainer(model, task, options);
  const double first = trainer.step().loss;
  CLAIM(thrown("enough", [&] {
          trainer.run([&](const lsqnet_progress &p) {
            if (p.step >= 20) throw std::runtime_error("enough");
          });
        }) == LSQNET_E_STOPPED);
  CLAIM(thrown("no std::exception", [&] { trainer.run([](const lsqnet_progress &) { throw 1; }); }) ==
        LSQNET_E_STOPPED);
  CLAIM(thrown("own", [&] { trainer.run([](const lsqnet_progress &) { throw lsqnet::error(LSQNET_E_IO, "own"); }); }) ==
        LSQNET_E_IO);
  CLAIM(thrown("own", [&] { trainer.run([](const lsqnet_progress &) { throw lsqnet::error(LSQNET_OK, "own"); }); }) ==
        LSQNET_E_STOPPED);
  CLAIM(trainer.step().loss < first);
  fail_at = calls;
  CLAIM(thrown("the well is dry", [&] { trainer.step(); }) == LSQNET_E_STOPPED);
  CLAIM(thrown("the well is dry", [&] { lsqnet::evaluate(model, task, 1, 4); }) == LSQNET_E_STOPPED);
}

/* A mixer whose functions throw: y = x until `unlucky`. */
namespace throwing {
static bool unlucky = false;
static void maybe() {
  if (unlucky) throw std::runtime_error("no luck");
}
static lsqnet_status create(void **state, lsqnet_context *, void *, const lsqnet_mixer_sizes *sizes, const char *) {
  return lsqnet::guard([=] { *state = new lsqnet_mixer_sizes(*sizes); });
}
static void destroy(void *state) { delete static_cast<lsqnet_mixer_sizes *>(state); }
static int64_t parameter_count(const void *) { return 0; }
static lsqnet_status parameter(const void *, int64_t, lsqnet_mixer_parameter *) { return LSQNET_E_INTERNAL; }
static lsqnet_status workspace(const void *, const lsqnet_mixer_shape *, int64_t *cache, int64_t *scratch) {
  *cache = *scratch = 0;
  return LSQNET_OK;
}
static lsqnet_status forward(const void *state, const lsqnet_mixer_shape *shape, const double *const *, const double *x,
                             double *y, double *, double *) {
  return lsqnet::guard([=] {
    maybe();
    const int64_t width = static_cast<const lsqnet_mixer_sizes *>(state)->width;
    for (int64_t i = 0; i < shape->batch * shape->count * width; i++) y[i] = x[i];
  });
}
static lsqnet_status backward(const void *, const lsqnet_mixer_shape *, const double *const *, const double *,
                              const double *, double *, double *const *, const double *, double *) {
  return lsqnet::guard([] { throw 1; });
}
}  // namespace throwing

static void mixers_may_throw() {
  lsqnet::context context;
  lsqnet_mixer table = lsqnet_mixer();
  table.size = sizeof table;
  table.name = "throwing";
  table.create = throwing::create;
  table.destroy = throwing::destroy;
  table.parameter_count = throwing::parameter_count;
  table.parameter = throwing::parameter;
  table.workspace = throwing::workspace;
  table.forward_f64 = throwing::forward;
  table.backward_f64 = throwing::backward;
  context.register_mixer(table);
  lsqnet::model_options options;
  options.rows = 4;
  options.in_width = options.out_width = 2;
  options.width = 4;
  options.layers = 1;
  options.mixer = "throwing";
  lsqnet::model model(context, options);
  lsqnet::workspace space(model);
  std::vector<double> x(8, 1.0), y(8);
  space.forward(1, 4, x, y);
  CLAIM(thrown("no std::exception", [&] { space.backward(y); }) == LSQNET_E_STOPPED);
  throwing::unlucky = true;
  CLAIM(thrown("no luck", [&] { space.forward(1, 4, x, y); }) == LSQNET_E_STOPPED);
}

int main() {
  moves_only<lsqnet::context>();
  moves_only<lsqnet::model>();
  moves_only<lsqnet::workspace>();
  moves_only<lsqnet::task>();
  moves_only<lsqnet::trainer>();
  moves_only<lsqnet::solver>();
  moves_only<lsqnet::state>();
  views();
  solves_and_reports();
  states_and_batches();
  models_outlive_their_names();
  moved_from_objects_throw();
  errors_carry_status_and_message();
  callbacks_may_throw();
  mixers_may_throw();
  if (failures == 0) std::puts("lsqnet.hpp: all claims hold");
  return failures == 0 ? 0 : 1;
}
