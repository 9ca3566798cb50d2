// A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.
//
//   c++ -std=c++11 tour.cpp $(pkg-config --cflags --libs lsqnet) -o tour
//   ./tour /usr/local/share/lsqnet/models/la-gd1-d8.safetensors ../data/nist/Longley.csv
#include <lsqnet/lsqnet.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

struct problem {
  std::vector<double> a, b;
  int64_t rows() const { return static_cast<int64_t>(b.size()); }
  int64_t columns() const { return static_cast<int64_t>(a.size() / b.size()); }
};

// A with a first column of ones, and b, the last column of a CSV file with a header.
static problem read_csv(const std::string &path) {
  std::ifstream file(path);
  std::string line, cell;
  problem read;
  if (!std::getline(file, line)) throw std::runtime_error(path + ": cannot be read");
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    read.a.push_back(1);
    while (std::getline(cells, cell, ',')) read.a.push_back(std::strtod(cell.c_str(), nullptr));
    read.b.push_back(read.a.back());
    read.a.pop_back();
  }
  return read;
}

static void solve(const lsqnet::context &context, const lsqnet::model &model, const std::string &path) {
  const problem data = read_csv(path);
  std::vector<double> x(static_cast<std::size_t>(data.columns()));
  lsqnet_report reports[1];
  lsqnet::solver solver(context, model);
  solver.solve(lsqnet::matrix<const double>(data.a, data.rows(), data.columns()), data.b, x, reports);
  for (std::size_t j = 0; j < x.size(); j++) std::printf("x[%d] = %.15g\n", static_cast<int>(j), x[j]);
  std::printf("about %.1f right digits\n", reports[0].digits);
}

// One layer of linear attention learns a step of gradient descent.
static void train(const lsqnet::context &context) {
  lsqnet::task_options about;
  about.name = "multistep_gd";
  about.prompt = "split";
  about.rows = 8;
  about.dim = 2;
  lsqnet::task task(context, about);

  const lsqnet_task_shape shape = task.shape();
  lsqnet::model_options options;
  options.rows = shape.rows;
  options.in_width = shape.in_width;
  options.out_width = shape.out_width;
  options.width = 8;
  options.layers = 1;
  options.mixer = "attention";
  options.mixer_config = "{\"softmax\":false,\"causal\":false}";
  lsqnet::model model(context, options);
  model.draw_weights(1, 0.5);

  lsqnet::train_options how;
  how.optimizer = "levenberg_marquardt";
  lsqnet::trainer trainer(model, task, how);
  const lsqnet_progress first = trainer.step();
  lsqnet_progress last = first;
  while (last.step < 20) last = trainer.step();
  std::printf("training: loss %.2e, after %d steps %.2e\n", first.loss, static_cast<int>(last.step), last.loss);
}

int main(int count, char **arguments) try {
  if (count != 3) throw std::runtime_error("usage: tour MODEL.safetensors DATA.csv");
  lsqnet::context context;
  const lsqnet::model model = lsqnet::model::load(context, arguments[1]);
  const lsqnet_model_step step = model.step();
  std::printf("liblsqnet %s, a model for %d rows and %d unknowns\n", lsqnet_version(), static_cast<int>(step.rows),
              static_cast<int>(step.dim));
  solve(context, model, arguments[2]);
  train(context);
  try {
    lsqnet::model::load(context, "no such file");
  } catch (const lsqnet::error &e) {
    std::printf("error: %s: %s\n", e.name(), e.what());
  }
} catch (const std::exception &e) {
  std::fprintf(stderr, "%s\n", e.what());
  return EXIT_FAILURE;
}
