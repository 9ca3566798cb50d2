// lsqnet.hpp: what it owns, moves, checks and throws. A failed claim is a line on standard error and exit code 1.
#include <array>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <lsqnet/lsqnet.hpp>
#include <memory>
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
  CLAIM(thrown("keep_rows", [&] { solver.remove_oldest(state, 1); }) == LSQNET_E_UNSUPPORTED);
  options.keep_rows = 1;
  lsqnet::state kept(context, options);
  solver.append(kept, lsqnet::matrix<const double>(a, 4, 2), b);
  solver.remove_oldest(kept, 3);
  CLAIM(kept.info().rows == 1);
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

static void every_kind_of_batch() {
  lsqnet::context context;
  lsqnet::solver solver(context);
  const float narrow_a[] = {1, 1, 2, 2}, narrow_b[] = {3, 3, 8, 8};
  float narrow_x[2] = {0, 0};
  lsqnet::problems all;
  all.count = 2;
  all.m = 2;
  all.n = 1;
  std::vector<lsqnet_report> reports(2);
  solver.solve_batch(all, narrow_a, narrow_b, narrow_x, reports);
  CLAIM(narrow_x[0] == 3 && narrow_x[1] == 4 && reports[1].status == LSQNET_OK);
  const double a0[] = {1, 1}, a1[] = {2, 2}, b0[] = {3, 9}, b1[] = {8, 8}, w0[] = {1, 0}, w1[] = {1, 1};
  double x0 = 0, x1 = 0;
  const std::vector<const double *> a = {a0, a1}, b = {b0, b1}, weights = {w0, w1};
  std::vector<double *> x = {&x0, &x1};
  solver.solve_pointers(all, a, b, x, reports, weights);
  CLAIM(x0 == 3 && x1 == 4 && reports[0].status == LSQNET_OK);
  solver.solve_pointers(all, a, b, x);
  CLAIM(x0 == 6 && x1 == 4);
  const float *const narrow[] = {narrow_a, narrow_a + 2}, *const right[] = {narrow_b, narrow_b + 2};
  float *const into[] = {narrow_x + 1, narrow_x};
  solver.solve_pointers(all, narrow, right, into);
  CLAIM(narrow_x[0] == 4 && narrow_x[1] == 3);
  x.pop_back();
  CLAIM(thrown("x holds 1 numbers: 2 are needed", [&] { solver.solve_pointers(all, a, b, x); }) == LSQNET_E_SHAPE);
}

/* What is beyond the last digit of A or of b is left over as the residual. */
static void pairs_know_more_than_doubles() {
  lsqnet::context context;
  lsqnet::solver solver(context);
  const double little = std::ldexp(1.0, -60), one[] = {1, 1}, low[] = {little, 3 * little};
  double x[1];
  const lsqnet::matrix<const double> high(one, 2, 1, 1), beyond(low, 2, 1, 1), zero(nullptr, 0, 0, 0);
  std::vector<lsqnet_report> reports(1);
  for (int which = 0; which < 2; which++) {
    solver.solve_pair(high, which == 0 ? beyond : zero, high, which == 0 ? zero : beyond, x, reports);
    CLAIM(x[0] == 1 && std::fabs(reports[0].residual_norm - std::sqrt(10.0) * little) < 1e-6 * little);
  }
  solver.solve_pair(high, zero, high, zero, x, reports);
  CLAIM(x[0] == 1 && reports[0].residual_norm == 0);
  CLAIM(thrown("b_low is 1 x 1: it must be 2 x 1",
               [&] { solver.solve_pair(high, zero, high, lsqnet::span<const double>(low, 1), x); }) == LSQNET_E_SHAPE);
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

static void stops_when_asked() {
  lsqnet::context context;
  lsqnet::solver_options options;
  bool unlucky = false;
  auto stop = [&] {
    if (unlucky) throw std::runtime_error("no luck");
    return false;
  };
  lsqnet::stop_by(options, stop);
  lsqnet::solver solver(context, options);
  const double a[] = {1, 1, 1, 2, 1, 3}, b[] = {3, 5, 7};
  double x[2];
  solver.solve(lsqnet::matrix<const double>(a, 3, 2), b, x);
  unlucky = true;
  const lsqnet::matrix<const double> m(a, 3, 2);
  CLAIM(thrown("no luck", [&] { solver.solve(m, b, x); }) == LSQNET_E_STOPPED);
  unlucky = false;
  solver.solve(m, b, x);

  bool full = true;
  auto fill = [&]() -> bool {
    if (full) throw lsqnet::error(LSQNET_E_IO, "disk gone");
    return true;
  };
  lsqnet::stop_by(options, fill);
  lsqnet::solver filling(context, options);
  std::vector<lsqnet_report> reports(1);
  CLAIM(thrown("disk gone", [&] { filling.solve(m, b, x, reports); }) == LSQNET_E_IO);
  CLAIM(reports[0].status == LSQNET_E_STOPPED && reports[0].stopped == LSQNET_STOP_CALLER);
  lsqnet::problems one;
  one.m = 3;
  one.n = 2;
  CLAIM(thrown("disk gone", [&] { filling.solve_batch(one, a, b, x); }) == LSQNET_E_IO);
  full = false;
  CLAIM(thrown("stopped by the caller", [&] { filling.solve(m, b, x); }) == LSQNET_E_STOPPED);

  lsqnet::solver *own = nullptr;
  auto again = [&]() -> bool {
    own->solve(m, b, x);
    return false;
  };
  lsqnet::stop_by(options, again);
  lsqnet::solver nested(context, options);
  own = &nested;
  CLAIM(thrown("the solver is in use", [&] { nested.solve(m, b, x); }) == LSQNET_E_ARGUMENT);

  std::unique_ptr<lsqnet::solver> gone;
  auto destroy = [&]() -> bool {
    gone.reset();
    return false;
  };
  lsqnet::stop_by(options, destroy);
  gone.reset(new lsqnet::solver(context, options));
  gone->solve(m, b, x); /* which goes when the solve ends */
  CLAIM(std::fabs(x[1] - 2) < 1e-14 && !gone);
}

static void texts_are_not_cut() {
  lsqnet::context context;
  lsqnet::model model = small_model(context);
  const std::string cut("split\0ends", 10);
  const double one[] = {1};
  double out[9];
  lsqnet_task_shape shape = lsqnet_task_shape();
  auto draw = [](uint64_t, uint64_t, int64_t, int64_t, double *, double *) {};
  CLAIM(thrown("a NUL after \"split", [&] { model.save(cut); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("a NUL after \"split", [&] { lsqnet::model::load(context, cut); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("", [&] { lsqnet::prompt_shape(cut, 2, 1); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("", [&] { lsqnet::fill_prompt(cut, one, one, one, out); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("a NUL after \"split", [&] { lsqnet::task(context, cut, shape, draw); }) == LSQNET_E_ARGUMENT);
  CLAIM(model.find("read_in.weight") >= 0 && model.find(std::string("read_in.weight\0", 15)) == -1);
}

static void workspaces_that_went_are_not_used() {
  lsqnet::context context;
  std::vector<double> x(8, 1.0), y(8);
  lsqnet::workspace space(small_model(context));
  space.forward(1, 4, x, y);
  { const lsqnet::workspace moved = std::move(space); } /* and with it the model */
  const std::vector<double> direction(1000);
  CLAIM(thrown("moved from", [&] { space.jvp(x, direction, y); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("moved from", [&] { space.jvp(x, lsqnet::span<double>(), y); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("moved from", [&] { space.forward(1, 4, x, y); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("moved from", [&] { space.backward(y); }) == LSQNET_E_ARGUMENT);
  CLAIM(thrown("moved from", [&] { space.sgd_step(1); }) == LSQNET_E_ARGUMENT);
  CLAIM(space.gradient_f64().size() == 0);
}

static void prompts_and_tasks() {
  const lsqnet::prompt_shape split("split", 2, 1);
  CLAIM(split.rows == 3 && split.width == 3 && split.read == 2);
  const double a[] = {2, 5}, b[] = {4, 6}, x[] = {7};
  std::vector<double> out(9), right = {2, 4, 0, 5, 6, 0, 0, 0, 7};
  lsqnet::fill_prompt("split", a, b, x, out);
  CLAIM(out == right);
  const float af[] = {2, 5}, bf[] = {4, 6}, xf[] = {7};
  std::vector<float> outf(9);
  lsqnet::fill_prompt("split", af, bf, xf, outf);
  CLAIM(outf[0] == 2 && outf[8] == 7);
  CLAIM(thrown("b holds 1 numbers", [&] { lsqnet::fill_prompt("split", a, x, x, out); }) == LSQNET_E_SHAPE);
  CLAIM(thrown("out holds 1 numbers",
               [&] { lsqnet::fill_prompt("split", a, b, x, lsqnet::span<double>(out.data(), 1)); }) == LSQNET_E_SHAPE);
  CLAIM(thrown("juggle", [] { lsqnet::prompt_shape("juggle", 2, 1); }) == LSQNET_E_ARGUMENT);
  CLAIM(lsqnet::prompt_names().at(0) == "split" && lsqnet::task_names().size() > 10);

  lsqnet::context context;
  CLAIM(context.mixer_names().size() == 3 && context.mixer_names()[0] == "base_conv");
  lsqnet::task_options options;
  options.name = "square";
  options.rows = 3;
  options.dim = 2;
  lsqnet::task task(context, options);
  CLAIM(std::strcmp(task.options().name, "square") == 0 && task.options().rows == 3);
  std::vector<double> in(2 * 3 * 2), target(in.size());
  task.draw(1, 0, 0, 2, in, target);
  bool squares = true;
  for (std::size_t i = 0; i < in.size(); i++) squares = squares && target[i] == in[i] * in[i] && in[i] != 0;
  CLAIM(squares);
  std::vector<float> inf(in.size()), targetf(in.size());
  task.draw(1, 0, 0, 2, inf, targetf);
  CLAIM(inf[5] == static_cast<float>(in[5]));
  CLAIM(thrown("x holds 12 numbers: 18 are needed", [&] { task.draw(1, 0, 0, 3, in, target); }) == LSQNET_E_SHAPE);
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

/* A Jacobian-vector product is what a difference of passes goes to; the vector-Jacobian product is its transpose. */
static void directions() {
  lsqnet::context context;
  lsqnet::model model = small_model(context);
  lsqnet::workspace space(model);
  std::vector<double> x(8, 1.0), y(8), dx(8, 0.5), dy(8), again(8), none;
  CLAIM(thrown("no forward pass", [&] { space.jvp(dx, none, dy); }) == LSQNET_E_ARGUMENT);
  space.forward(1, 4, x, y);
  space.jvp(dx, lsqnet::span<const double>(), dy);
  for (double &value : x) value += 0.5;
  space.forward(1, 4, x, again);  // the mixer is the identity: the model is linear in x
  for (std::size_t i = 0; i < 8; i++) CLAIM(std::fabs(again[i] - y[i] - dy[i]) < 8 * DBL_EPSILON);
  std::vector<double> direction(static_cast<std::size_t>(model.weight_count()), 1.0), u(8, 1.0);
  space.jvp(lsqnet::span<const double>(), direction, dy);
  space.backward(u);
  double left = 0, right = 0;
  for (double value : dy) left += value;
  for (double value : space.gradient_f64()) right += value;
  CLAIM(left != 0 && std::fabs(left - right) < 64 * DBL_EPSILON * std::fabs(left));
  CLAIM(thrown("direction holds 8 numbers", [&] { space.jvp(dx, dx, dy); }) == LSQNET_E_SHAPE);
  CLAIM(thrown("dx holds 1 numbers", [&] { space.jvp(lsqnet::span<double>(dx.data(), 1), direction, dy); }) ==
        LSQNET_E_SHAPE);
  std::vector<double> many(20, 1.0), spare(20);
  CLAIM(thrown("rows", [&] { space.forward(1, 10, many, spare); }) == LSQNET_E_SHAPE);
  CLAIM(thrown("no forward pass", [&] { space.backward(many); }) == LSQNET_E_ARGUMENT);  // not of the pass before
  lsqnet::model narrow = model.convert(LSQNET_F32);
  lsqnet::workspace small(narrow);
  std::vector<float> xf(8, 1.0f), yf(8), dxf(8, 0.5f), dyf(8);
  small.forward(1, 4, xf, yf);
  small.jvp(dxf, lsqnet::span<const float>(), dyf);
  space.forward(1, 4, x, y);
  space.jvp(dx, lsqnet::span<const double>(), dy);
  for (std::size_t i = 0; i < 8; i++) CLAIM(std::fabs(dyf[i] - dy[i]) < 32 * static_cast<double>(FLT_EPSILON));
}

static void models_go_through_streams() {
  lsqnet::context context;
  const lsqnet::model model = small_model(context);
  std::vector<unsigned char> bytes;
  model.save_stream([&](const void *data, std::size_t count) {
    const unsigned char *from = static_cast<const unsigned char *>(data);
    bytes.insert(bytes.end(), from, from + count);
  });
  CLAIM(bytes == model.save_memory());
  std::size_t at = 0;
  auto read = [&](void *buffer, std::size_t count) {
    const std::size_t got = count < 7 ? count : 7;
    const std::size_t left = bytes.size() - at < got ? bytes.size() - at : got;
    if (left > 0) std::memcpy(buffer, bytes.data() + at, left);
    at += left;
    return left;
  };
  CLAIM(lsqnet::model::load_stream(context, read).save_memory() == bytes);
  CLAIM(thrown("the disk is full", [&] {
          model.save_stream([](const void *, std::size_t) { throw std::runtime_error("the disk is full"); });
        }) == LSQNET_E_STOPPED);
  CLAIM(thrown("gone", [&] {
          lsqnet::model::load_stream(
              context, [](void *, std::size_t) -> std::size_t { throw lsqnet::error(LSQNET_E_IO, "gone"); });
        }) == LSQNET_E_IO);
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
  std::unique_ptr<lsqnet::trainer> gone(new lsqnet::trainer(model, task, options));
  CLAIM(thrown("gone", [&] {
          gone->run([&](const lsqnet_progress &p) {
            gone.reset();
            if (p.step >= 3) throw std::runtime_error("gone");
          });
        }) == LSQNET_E_STOPPED);
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
  every_kind_of_batch();
  pairs_know_more_than_doubles();
  stops_when_asked();
  texts_are_not_cut();
  workspaces_that_went_are_not_used();
  prompts_and_tasks();
  models_outlive_their_names();
  directions();
  models_go_through_streams();
  moved_from_objects_throw();
  errors_carry_status_and_message();
  callbacks_may_throw();
  mixers_may_throw();
  if (failures == 0) std::puts("lsqnet.hpp: all claims hold");
  return failures == 0 ? 0 : 1;
}
