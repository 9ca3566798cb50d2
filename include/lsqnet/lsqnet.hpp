/** @file
 * liblsqnet for C++11: owners that clean up, views in place of pointers and lengths, exceptions in place of statuses.
 * Header-only: nothing of it is in the library's binary interface. What a call does is said in the C headers, under the
 * C function's name. */
#ifndef LSQNET_LSQNET_HPP
#define LSQNET_LSQNET_HPP

#include <lsqnet/lsqnet.h>

#include <lsqnet/views.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/** The C++ interface. Objects move and do not copy; what they own goes with them, in any order. A moved-from object may
 *  be destroyed and assigned to; another use of it throws, but for what is noexcept: its value then means nothing. */
namespace lsqnet {

/* Options that begin as the library's defaults. */
typedef detail::defaults<lsqnet_context_options, lsqnet_context_options_init> context_options; /**< with defaults */
typedef detail::defaults<lsqnet_model_options, lsqnet_model_options_init> model_options;       /**< with defaults */
typedef detail::defaults<lsqnet_construct_options, lsqnet_construct_options_init>
    construct_options;                                                                      /**< with defaults */
typedef detail::defaults<lsqnet_load_options, lsqnet_load_options_init> load_options;       /**< with defaults */
typedef detail::defaults<lsqnet_task_options, lsqnet_task_options_init> task_options;       /**< with defaults */
typedef detail::defaults<lsqnet_train_options, lsqnet_train_options_init> train_options;    /**< with defaults */
typedef detail::defaults<lsqnet_solver_options, lsqnet_solver_options_init> solver_options; /**< with defaults */
typedef detail::defaults<lsqnet_state_options, lsqnet_state_options_init> state_options;    /**< with defaults */
typedef detail::defaults<lsqnet_problems, lsqnet_problems_init> problems;                   /**< with defaults */

/** lsqnet_context. */
class context {
 public:
  /** lsqnet_context_create. */
  explicit context(const lsqnet_context_options &options = context_options()) {
    lsqnet_context *made = nullptr;
    check(lsqnet_context_create(&made, &options));
    handle_.reset(made);
  }
  /** lsqnet_context_register_mixer; guard() keeps exceptions inside the table's functions. */
  void register_mixer(const lsqnet_mixer &mixer) { check(lsqnet_context_register_mixer(get(), &mixer)); }
  /** lsqnet_context_mixer_name of all mixers, in the order of registration. */
  std::vector<std::string> mixer_names() const {
    return detail::names([this](int64_t index) { return lsqnet_context_mixer_name(get(), index); });
  }
  /** lsqnet_context_threads. */
  int32_t threads() const noexcept { return lsqnet_context_threads(get()); }
  /** lsqnet_context_kernel_level. */
  int32_t kernel_level() const noexcept { return lsqnet_context_kernel_level(get()); }
  /** For calls of the C interface. */
  lsqnet_context *get() const noexcept { return handle_.get(); }

 private:
  detail::owner<lsqnet_context, lsqnet_context_destroy> handle_;
};

/** lsqnet_model. */
class model {
 public:
  /** lsqnet_model_create. */
  model(const context &in, const lsqnet_model_options &options) {
    make([&](lsqnet_model **out) { return lsqnet_model_create(out, in.get(), &options); });
  }
  /** lsqnet_model_load. */
  static model load(const context &in, const std::string &path, const lsqnet_load_options &options = load_options()) {
    return model([&](lsqnet_model **out) { return lsqnet_model_load(out, in.get(), detail::c_text(path), &options); });
  }
  /** lsqnet_model_load_memory. */
  static model load_memory(const context &in, span<const unsigned char> data,
                           const lsqnet_load_options &options = load_options()) {
    return model([&](lsqnet_model **out) {
      return lsqnet_model_load_memory(out, in.get(), data.data(), data.size(), &options);
    });
  }
  /** lsqnet_model_load_stream: read(void *buffer, std::size_t bytes) returns how many it wrote there, 0 at the end, or
   * throws. */
  template <class Read>
  static model load_stream(const context &in, Read read, const lsqnet_load_options &options = load_options()) {
    return model(
        [&](lsqnet_model **out) { return lsqnet_model_load_stream(out, in.get(), call_read<Read>, &read, &options); });
  }
  /** lsqnet_model_construct_gradient. */
  static model gradient(const context &in, const lsqnet_construct_options &options) {
    return model([&](lsqnet_model **out) { return lsqnet_model_construct_gradient(out, in.get(), &options); });
  }
  /** lsqnet_model_construct_iterates. */
  static model iterates(const context &in, const lsqnet_construct_options &options) {
    return model([&](lsqnet_model **out) { return lsqnet_model_construct_iterates(out, in.get(), &options); });
  }
  /** lsqnet_model_clone. */
  model clone() const {
    return model([&](lsqnet_model **out) { return lsqnet_model_clone(out, get()); });
  }
  /** lsqnet_model_convert. */
  model convert(int32_t dtype) const {
    return model([&](lsqnet_model **out) { return lsqnet_model_convert(out, get(), dtype); });
  }
  /** lsqnet_model_save. */
  void save(const std::string &path) const { check(lsqnet_model_save(get(), detail::c_text(path))); }
  /** lsqnet_model_save_memory. */
  std::vector<unsigned char> save_memory() const {
    uint64_t needed = 0;
    check(lsqnet_model_save_memory(get(), nullptr, 0, &needed));
    std::vector<unsigned char> bytes(static_cast<std::size_t>(needed));
    check(lsqnet_model_save_memory(get(), bytes.data(), needed, &needed));
    return bytes;
  }
  /** lsqnet_model_save_stream: write(const void *data, std::size_t bytes) takes all of them, or throws. */
  template <class Write>
  void save_stream(Write write) const {
    check(lsqnet_model_save_stream(get(), call_write<Write>, &write));
  }
  /** lsqnet_model_get_options. */
  lsqnet_model_options options() const {
    lsqnet_model_options options = detail::sized<lsqnet_model_options>();
    check(lsqnet_model_get_options(get(), &options, sizeof options));
    return options;
  }
  /** lsqnet_model_get_step. */
  lsqnet_model_step step() const {
    lsqnet_model_step step = detail::sized<lsqnet_model_step>();
    check(lsqnet_model_get_step(get(), &step, sizeof step));
    return step;
  }
  /** lsqnet_model_set_step. */
  void set_step(const lsqnet_model_step &step) { check(lsqnet_model_set_step(get(), &step)); }
  /** lsqnet_model_draw_weights. */
  void draw_weights(uint64_t seed, double scale) { check(lsqnet_model_draw_weights(get(), seed, scale)); }
  /** lsqnet_model_parameter_count. */
  int64_t parameter_count() const noexcept { return lsqnet_model_parameter_count(get()); }
  /** lsqnet_model_weight_count. */
  int64_t weight_count() const noexcept { return lsqnet_model_weight_count(get()); }
  /** lsqnet_model_get_parameter. */
  lsqnet_parameter parameter(int64_t index) const {
    lsqnet_parameter parameter = detail::sized<lsqnet_parameter>();
    check(lsqnet_model_get_parameter(get(), index, &parameter, sizeof parameter));
    return parameter;
  }
  /** lsqnet_model_find_parameter: -1 if there is none of that name. */
  int64_t find(const std::string &name) const noexcept {
    return name.find('\0') == std::string::npos ? lsqnet_model_find_parameter(get(), name.c_str()) : -1;
  }
  /** lsqnet_model_read_parameter. */
  std::vector<double> read(int64_t index) const {
    std::vector<double> values(static_cast<std::size_t>(parameter(index).count));
    check(lsqnet_model_read_parameter(get(), index, values.data(), static_cast<int64_t>(values.size())));
    return values;
  }
  /** lsqnet_model_write_parameter. */
  void write(int64_t index, span<const double> values) {
    check(lsqnet_model_write_parameter(get(), index, values.data(), static_cast<int64_t>(values.size())));
  }
  /** lsqnet_model_freeze. */
  void freeze(int64_t index, bool frozen = true) { check(lsqnet_model_freeze(get(), index, frozen ? 1 : 0)); }
  /** For calls of the C interface. */
  lsqnet_model *get() const noexcept { return handle_.get(); }

 private:
  template <class Maker, class = typename std::enable_if<!std::is_same<Maker, model>::value>::type>
  explicit model(Maker maker) {
    make(maker);
  }
  template <class Read>
  static lsqnet_status call_read(void *read, void *buffer, uint64_t bytes, uint64_t *got) {
    return guard([=] { *got = (*static_cast<Read *>(read))(buffer, static_cast<std::size_t>(bytes)); });
  }
  template <class Write>
  static lsqnet_status call_write(void *write, const void *data, uint64_t bytes) {
    return guard([=] { (*static_cast<Write *>(write))(data, static_cast<std::size_t>(bytes)); });
  }
  template <class Maker>
  void make(Maker maker) {
    lsqnet_model *made = nullptr;
    check(maker(&made));
    handle_.reset(made);
  }
  detail::owner<lsqnet_model, lsqnet_model_destroy> handle_;
};

/** lsqnet_workspace: it holds its model, which may go first. */
class workspace {
 public:
  /** lsqnet_workspace_create. */
  explicit workspace(const model &of) : model_(of.get()) {
    lsqnet_workspace *made = nullptr;
    const lsqnet_model_options options = of.options();
    in_ = options.in_width;
    out_ = options.out_width;
    check(lsqnet_workspace_create(&made, of.get()));
    handle_.reset(made);
  }
  /** lsqnet_model_forward_f64 of `batch` sequences of `rows` rows, all of whose output is wanted. */
  void forward(int64_t batch, int64_t rows, span<const double> x, span<double> y) { forward(whole(batch, rows), x, y); }
  /** lsqnet_model_forward_f32 likewise. */
  void forward(int64_t batch, int64_t rows, span<const float> x, span<float> y) { forward(whole(batch, rows), x, y); }
  /** lsqnet_model_forward_f64. */
  void forward(const lsqnet_batch &shape, span<const double> x, span<double> y) {
    start(shape, x.size(), y.size());
    check(lsqnet_model_forward_f64(used(), get(), &shape, x.data(), y.data()));
    finish(x.size(), y.size());
  }
  /** lsqnet_model_forward_f32. */
  void forward(const lsqnet_batch &shape, span<const float> x, span<float> y) {
    start(shape, x.size(), y.size());
    check(lsqnet_model_forward_f32(used(), get(), &shape, x.data(), y.data()));
    finish(x.size(), y.size());
  }
  /** lsqnet_model_backward_f64; `dx` may be left out. */
  void backward(span<const double> dy, span<double> dx = span<double>()) {
    check_last(dy.size(), dx.data() == nullptr ? dx_ : dx.size());
    check(lsqnet_model_backward_f64(used(), get(), dy.data(), dx.data()));
  }
  /** lsqnet_model_backward_f32; `dx` may be left out. */
  void backward(span<const float> dy, span<float> dx = span<float>()) {
    check_last(dy.size(), dx.data() == nullptr ? dx_ : dx.size());
    check(lsqnet_model_backward_f32(used(), get(), dy.data(), dx.data()));
  }
  /** lsqnet_model_jvp_f64; an empty `dx` or `direction` stays. */
  void jvp(span<const double> dx, span<const double> direction, span<double> dy) {
    check_directions(dx, direction, dy);
    check(lsqnet_model_jvp_f64(used(), get(), dx.data(), direction.data(), dy.data()));
  }
  /** lsqnet_model_jvp_f32; an empty `dx` or `direction` stays. */
  void jvp(span<const float> dx, span<const float> direction, span<float> dy) {
    check_directions(dx, direction, dy);
    check(lsqnet_model_jvp_f32(used(), get(), dx.data(), direction.data(), dy.data()));
  }
  /** lsqnet_workspace_gradient_f64: empty before a backward pass; until the workspace's next use. */
  span<const double> gradient_f64() const noexcept { return of_weights(lsqnet_workspace_gradient_f64(get())); }
  /** lsqnet_workspace_gradient_f32. */
  span<const float> gradient_f32() const noexcept { return of_weights(lsqnet_workspace_gradient_f32(get())); }
  /** lsqnet_sgd_step of the workspace's model. */
  void sgd_step(double rate) { check(lsqnet_sgd_step(used(), get(), rate)); }
  /** For calls of the C interface. */
  lsqnet_workspace *get() const noexcept { return handle_.get(); }

 private:
  static lsqnet_batch whole(int64_t batch, int64_t rows) noexcept {
    lsqnet_batch shape = detail::sized<lsqnet_batch>();
    shape.batch = batch;
    shape.rows = shape.count = rows;
    return shape;
  }
  void start(const lsqnet_batch &s, std::size_t x, std::size_t y) {
    used();
    finish(0, 0); /* until it has gone well */
    detail::check_size("x", x, detail::product(s.batch, s.rows, in_));
    detail::check_size("y", y, detail::product(s.batch, s.count, out_));
  }
  void finish(std::size_t x, std::size_t y) noexcept {
    dx_ = x;
    dy_ = y;
  }
  lsqnet_model *used() const {
    if (get() == nullptr) throw error(LSQNET_E_ARGUMENT, "the workspace was moved from");
    return model_;
  }
  void check_last(std::size_t dy, std::size_t dx) const {
    used();
    if (dy_ == 0) throw error(LSQNET_E_ARGUMENT, "no forward pass that went well before it");
    detail::check_size("dy", dy, static_cast<int64_t>(dy_));
    detail::check_size("dx", dx, static_cast<int64_t>(dx_));
  }
  template <class T>
  void check_directions(const span<const T> &dx, const span<const T> &direction, const span<T> &dy) const {
    check_last(dy.size(), dx.data() == nullptr ? dx_ : dx.size());
    if (direction.data() != nullptr)
      detail::check_size("direction", direction.size(), lsqnet_model_weight_count(used()));
  }
  template <class T>
  span<const T> of_weights(const T *gradient) const noexcept {
    if (gradient == nullptr) return span<const T>();
    return span<const T>(gradient, static_cast<std::size_t>(lsqnet_model_weight_count(model_)));
  }
  lsqnet_model *model_; /* held by the handle */
  int64_t in_ = 0, out_ = 0;
  std::size_t dx_ = 0, dy_ = 0; /* numbers of the last pass */
  detail::owner<lsqnet_workspace, lsqnet_workspace_destroy> handle_;
};

/** What lsqnet_prompt_shape says. */
struct prompt_shape {
  int64_t rows;  /**< T */
  int64_t width; /**< channels W */
  int64_t read;  /**< the row that is read */
  /** lsqnet_prompt_shape of `equations` and `unknowns`. */
  prompt_shape(const std::string &name, int64_t equations, int64_t unknowns) : rows(0), width(0), read(0) {
    check(lsqnet_prompt_shape(detail::c_text(name), equations, unknowns, &rows, &width, &read));
  }
};

/** lsqnet_prompt_fill_f64 of A, b and x. */
inline void fill_prompt(const std::string &name, matrix<const double> a, span<const double> b, span<const double> x,
                        span<double> out) {
  detail::check_prompt(prompt_shape(name, a.rows(), a.columns()), a, b, x, out);
  check(lsqnet_prompt_fill_f64(detail::c_text(name), a.rows(), a.columns(), a.data(), a.stride(), b.data(), x.data(),
                               out.data()));
}
/** lsqnet_prompt_fill_f32 of A, b and x. */
inline void fill_prompt(const std::string &name, matrix<const float> a, span<const float> b, span<const float> x,
                        span<float> out) {
  detail::check_prompt(prompt_shape(name, a.rows(), a.columns()), a, b, x, out);
  check(lsqnet_prompt_fill_f32(detail::c_text(name), a.rows(), a.columns(), a.data(), a.stride(), b.data(), x.data(),
                               out.data()));
}
/** lsqnet_prompt_name of all prompts. */
inline std::vector<std::string> prompt_names() { return detail::names(lsqnet_prompt_name); }
/** lsqnet_task_name of all tasks of the library's. */
inline std::vector<std::string> task_names() { return detail::names(lsqnet_task_name); }

/** lsqnet_task. */
class task {
 public:
  /** lsqnet_task_create. */
  explicit task(const context &in, const lsqnet_task_options &options = task_options()) {
    lsqnet_task *made = nullptr;
    check(lsqnet_task_create(&made, in.get(), &options));
    handle_.reset(made);
  }
  /** lsqnet_task_create_custom: draw(seed, step, first, count, x, target) may throw, runs on any thread, and must
   * outlive the task and its trainers. */
  template <class Draw>
  task(const context &in, const std::string &name, const lsqnet_task_shape &shape, Draw &draw) {
    lsqnet_task *made = nullptr;
    check(lsqnet_task_create_custom(&made, in.get(), detail::c_text(name), &shape, call<Draw>, &draw));
    handle_.reset(made);
  }
  /** lsqnet_task_get_shape. */
  lsqnet_task_shape shape() const {
    lsqnet_task_shape shape = detail::sized<lsqnet_task_shape>();
    check(lsqnet_task_get_shape(get(), &shape, sizeof shape));
    return shape;
  }
  /** lsqnet_task_get_options. */
  lsqnet_task_options options() const {
    lsqnet_task_options options = detail::sized<lsqnet_task_options>();
    check(lsqnet_task_get_options(get(), &options, sizeof options));
    return options;
  }
  /** lsqnet_task_draw_f64: samples first .. first+count-1 of batch `step`. */
  void draw(uint64_t seed, uint64_t step, int64_t first, int64_t count, span<double> x, span<double> target) const {
    check_draw(count, x.size(), target.size());
    check(lsqnet_task_draw_f64(get(), seed, step, first, count, x.data(), target.data()));
  }
  /** lsqnet_task_draw_f32: samples first .. first+count-1 of batch `step`. */
  void draw(uint64_t seed, uint64_t step, int64_t first, int64_t count, span<float> x, span<float> target) const {
    check_draw(count, x.size(), target.size());
    check(lsqnet_task_draw_f32(get(), seed, step, first, count, x.data(), target.data()));
  }
  /** For calls of the C interface. */
  lsqnet_task *get() const noexcept { return handle_.get(); }

 private:
  template <class Draw>
  static lsqnet_status call(void *draw, uint64_t seed, uint64_t step, int64_t first, int64_t count, double *x,
                            double *target) {
    return guard([=] { (*static_cast<Draw *>(draw))(seed, step, first, count, x, target); });
  }
  void check_draw(int64_t count, std::size_t x, std::size_t target) const {
    const lsqnet_task_shape s = shape();
    detail::check_size("x", x, detail::product(count, s.rows, s.in_width));
    detail::check_size("target", target, detail::product(count, s.count, s.scored));
  }
  detail::owner<lsqnet_task, lsqnet_task_destroy> handle_;
};

/** lsqnet_trainer: it holds its model and task, which may go first. */
class trainer {
 public:
  /** lsqnet_trainer_create. */
  trainer(model &trained, const task &on, const lsqnet_train_options &options) {
    lsqnet_trainer *made = nullptr;
    check(lsqnet_trainer_create(&made, trained.get(), on.get(), &options));
    handle_.reset(made);
  }
  /** lsqnet_trainer_resume. */
  trainer(model &trained, const task &on, const lsqnet_train_options &options, const std::string &saved) {
    lsqnet_trainer *made = nullptr;
    check(lsqnet_trainer_resume(&made, trained.get(), on.get(), &options, detail::c_text(saved)));
    handle_.reset(made);
  }
  /** lsqnet_trainer_step. */
  lsqnet_progress step() {
    lsqnet_progress progress = detail::sized<lsqnet_progress>();
    check(lsqnet_trainer_step(get(), &progress));
    return progress;
  }
  /** lsqnet_trainer_run to its end. */
  void run() { check(lsqnet_trainer_run(get(), nullptr, nullptr)); }
  /** lsqnet_trainer_run; callback(const lsqnet_progress &) ends it by throwing: run() then throws lsqnet::error with
   * the status and message that guard() makes of it. */
  template <class Callback>
  void run(Callback callback) {
    check(lsqnet_trainer_run(get(), call<Callback>, &callback));
  }
  /** lsqnet_trainer_save. */
  void save(const std::string &path) const { check(lsqnet_trainer_save(get(), detail::c_text(path))); }
  /** For calls of the C interface. */
  lsqnet_trainer *get() const noexcept { return handle_.get(); }

 private:
  template <class Callback>
  static lsqnet_status call(void *callback, const lsqnet_progress *progress) {
    return guard([=] { (*static_cast<Callback *>(callback))(*progress); });
  }
  detail::owner<lsqnet_trainer, lsqnet_trainer_destroy> handle_;
};

/** lsqnet_evaluate: the mean squared error. */
inline double evaluate(const model &of, const task &on, uint64_t seed, int64_t batch) {
  double mse = 0;
  check(lsqnet_evaluate(of.get(), on.get(), seed, batch, &mse, nullptr));
  return mse;
}

/** lsqnet_state. */
class state {
 public:
  /** lsqnet_state_create. */
  state(const context &in, const lsqnet_state_options &options) : n_(options.n), k_(options.k) {
    lsqnet_state *made = nullptr;
    check(lsqnet_state_create(&made, in.get(), &options));
    handle_.reset(made);
  }
  /** lsqnet_state_get_info. */
  lsqnet_state_info info() const {
    lsqnet_state_info info = detail::sized<lsqnet_state_info>();
    check(lsqnet_state_get_info(get(), &info, sizeof info));
    return info;
  }
  /** Unknowns. */
  int64_t unknowns() const noexcept { return n_; }
  /** Right-hand sides. */
  int64_t sides() const noexcept { return k_; }
  /** For calls of the C interface. */
  lsqnet_state *get() const noexcept { return handle_.get(); }

 private:
  int64_t n_, k_;
  detail::owner<lsqnet_state, lsqnet_state_destroy> handle_;
};

/** Has stop() asked between steps of a solve: true ends it, and so does an exception: the solve then throws
 * lsqnet::error with the status and message that guard() makes of that. It must outlive the solvers with these options.
 */
template <class Stop>
void stop_by(lsqnet_solver_options &options, Stop &stop) {
  options.stop_user = &stop;
  options.stop = [](void *user) -> int32_t {
    detail::stopped() = nullptr;
    try {
      return (*static_cast<Stop *>(user))() ? 1 : 0;
    } catch (...) {
      detail::stopped() = std::current_exception();
      return 1;
    }
  };
}

/** lsqnet_solver. What throws writes reports and the best x all the same, where the C function does. */
class solver {
 public:
  /** lsqnet_solver_create with the trained models that the library carries. */
  explicit solver(const context &in, const lsqnet_solver_options &options = solver_options()) {
    make(in.get(), nullptr, options);
  }
  /** lsqnet_solver_create with a model, which may go afterwards. */
  solver(const context &in, const model &with, const lsqnet_solver_options &options = solver_options()) {
    if (with.get() == nullptr) throw error(LSQNET_E_ARGUMENT, "the model was moved from");
    make(in.get(), with.get(), options);
  }
  /** lsqnet_solver_solve_f64; `reports`, one for each right-hand side, may be left out. */
  void solve(matrix<const double> a, matrix<const double> b, matrix<double> x,
             span<lsqnet_report> reports = span<lsqnet_report>()) {
    check_shapes(a, b, x);
    detail::check_solve(lsqnet_solver_solve_f64(get(), a.rows(), a.columns(), b.columns(), a.data(), a.stride(),
                                                b.data(), b.stride(), x.data(), x.stride(),
                                                sized(reports, b.columns())));
  }
  /** lsqnet_solver_solve_f32. */
  void solve(matrix<const float> a, matrix<const float> b, matrix<float> x,
             span<lsqnet_report> reports = span<lsqnet_report>()) {
    check_shapes(a, b, x);
    detail::check_solve(lsqnet_solver_solve_f32(get(), a.rows(), a.columns(), b.columns(), a.data(), a.stride(),
                                                b.data(), b.stride(), x.data(), x.stride(),
                                                sized(reports, b.columns())));
  }
  /** lsqnet_solver_solve_pair_f64: of A = a + a_low, B = b + b_low, of one shape each; an empty low part is zero. */
  void solve_pair(matrix<const double> a, matrix<const double> a_low, matrix<const double> b,
                  matrix<const double> b_low, matrix<double> x, span<lsqnet_report> reports = span<lsqnet_report>()) {
    check_shapes(a, b, x);
    check_low("a_low", a, a_low);
    check_low("b_low", b, b_low);
    detail::check_solve(lsqnet_solver_solve_pair_f64(get(), a.rows(), a.columns(), b.columns(), a.data(), a_low.data(),
                                                     a.stride(), b.data(), b_low.data(), b.stride(), x.data(),
                                                     x.stride(), sized(reports, b.columns())));
  }
  /** lsqnet_solver_solve_batch_f64; `weights` may be left out. The arrays must be as long as `all` says. */
  void solve_batch(const lsqnet_problems &all, const double *a, const double *b, double *x,
                   span<lsqnet_report> reports = span<lsqnet_report>(), const double *weights = nullptr) {
    detail::check_solve(lsqnet_solver_solve_batch_f64(get(), &all, a, b, weights, x, sized(reports, sides(all))));
  }
  /** lsqnet_solver_solve_batch_f32. */
  void solve_batch(const lsqnet_problems &all, const float *a, const float *b, float *x,
                   span<lsqnet_report> reports = span<lsqnet_report>(), const float *weights = nullptr) {
    detail::check_solve(lsqnet_solver_solve_batch_f32(get(), &all, a, b, weights, x, sized(reports, sides(all))));
  }
  /** lsqnet_solver_solve_pointers_f64: all.count pointers each; `weights` may be left out. */
  void solve_pointers(const lsqnet_problems &all, span<const double *const> a, span<const double *const> b,
                      span<double *const> x, span<lsqnet_report> reports = span<lsqnet_report>(),
                      span<const double *const> weights = span<const double *const>()) {
    check_pointers(all, a.size(), b.size(), x.size(), weights.data() == nullptr ? x.size() : weights.size());
    detail::check_solve(lsqnet_solver_solve_pointers_f64(get(), &all, a.data(), b.data(), weights.data(), x.data(),
                                                         sized(reports, sides(all))));
  }
  /** lsqnet_solver_solve_pointers_f32 likewise. */
  void solve_pointers(const lsqnet_problems &all, span<const float *const> a, span<const float *const> b,
                      span<float *const> x, span<lsqnet_report> reports = span<lsqnet_report>(),
                      span<const float *const> weights = span<const float *const>()) {
    check_pointers(all, a.size(), b.size(), x.size(), weights.data() == nullptr ? x.size() : weights.size());
    detail::check_solve(lsqnet_solver_solve_pointers_f32(get(), &all, a.data(), b.data(), weights.data(), x.data(),
                                                         sized(reports, sides(all))));
  }
  /** lsqnet_solver_append_rows. */
  void append(state &to, matrix<const double> a, matrix<const double> b) {
    check_rows(to, a, b);
    check(lsqnet_solver_append_rows(get(), to.get(), a.rows(), a.data(), a.stride(), b.data(), b.stride()));
  }
  /** lsqnet_solver_remove_rows. */
  void remove(state &from, matrix<const double> a, matrix<const double> b) {
    check_rows(from, a, b);
    check(lsqnet_solver_remove_rows(get(), from.get(), a.rows(), a.data(), a.stride(), b.data(), b.stride()));
  }
  /** lsqnet_solver_remove_rows of the oldest ones. */
  void remove_oldest(state &from, int64_t rows) {
    check(lsqnet_solver_remove_rows(get(), from.get(), rows, nullptr, from.unknowns(), nullptr, from.sides()));
  }
  /** lsqnet_solver_solve_state. */
  void solve(state &of, matrix<double> x, span<lsqnet_report> reports = span<lsqnet_report>()) {
    check_shape("x", x.rows(), x.columns(), of.unknowns(), of.sides());
    detail::check_solve(lsqnet_solver_solve_state(get(), of.get(), x.data(), x.stride(), sized(reports, of.sides())));
  }
  /** lsqnet_solver_model_name: nullptr if the solver has a model of the caller's. */
  const char *model_name(int64_t n) const noexcept { return lsqnet_solver_model_name(get(), n); }
  /** For calls of the C interface. */
  lsqnet_solver *get() const noexcept { return handle_.get(); }

 private:
  void make(lsqnet_context *in, const lsqnet_model *with, const lsqnet_solver_options &options) {
    lsqnet_solver *made = nullptr;
    check(lsqnet_solver_create(&made, in, with, &options));
    handle_.reset(made);
  }
  static void check_shape(const char *what, int64_t rows, int64_t columns, int64_t m, int64_t n) {
    if (rows != m || columns != n)
      throw error(LSQNET_E_SHAPE, std::string(what) + " is " + std::to_string(rows) + " x " + std::to_string(columns) +
                                      ": it must be " + std::to_string(m) + " x " + std::to_string(n));
  }
  template <class T>
  static void check_shapes(const matrix<const T> &a, const matrix<const T> &b, const matrix<T> &x) {
    check_shape("b", b.rows(), b.columns(), a.rows(), b.columns());
    check_shape("x", x.rows(), x.columns(), a.columns(), b.columns());
  }
  static void check_low(const char *what, const matrix<const double> &high, const matrix<const double> &low) {
    if (low.data() == nullptr) return; /* zero */
    check_shape(what, low.rows(), low.columns(), high.rows(), high.columns());
    if (low.stride() != high.stride()) throw error(LSQNET_E_SHAPE, std::string(what) + " has another stride");
  }
  static int64_t sides(const lsqnet_problems &all) noexcept { return detail::product(all.count, all.k, 1); }
  static void check_pointers(const lsqnet_problems &all, std::size_t a, std::size_t b, std::size_t x,
                             std::size_t weights) {
    detail::check_size("a", a, all.count);
    detail::check_size("b", b, all.count);
    detail::check_size("x", x, all.count);
    detail::check_size("weights", weights, all.count);
  }
  static void check_rows(const state &s, const matrix<const double> &a, const matrix<const double> &b) {
    check_shape("a", a.rows(), a.columns(), a.rows(), s.unknowns());
    check_shape("b", b.rows(), b.columns(), a.rows(), s.sides());
  }
  static lsqnet_report *sized(span<lsqnet_report> reports, int64_t count) {
    if (reports.data() == nullptr) return nullptr;
    detail::check_size("reports", reports.size(), count);
    if (reports.size() > 0) reports[0].size = sizeof(lsqnet_report);
    return reports.data();
  }
  detail::owner<lsqnet_solver, lsqnet_solver_destroy> handle_;
};

}  // namespace lsqnet

#endif
