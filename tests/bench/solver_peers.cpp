// Eigen's fixed-size factorisations on row-major data, as a C++ program would write them.
#include "solver_peers.h"

#include <Eigen/Dense>

template <int M, int N>
using Rows = Eigen::Map<const Eigen::Matrix<double, M, N, Eigen::RowMajor>>;

template <int M, int N>
static void llt(const double *a, const double *b, double *x) {
  const Rows<M, N> A(a);
  const Eigen::Map<const Eigen::Matrix<double, M, 1>> B(b);
  Eigen::Matrix<double, N, N> G;
  G.noalias() = A.transpose() * A;
  Eigen::Map<Eigen::Matrix<double, N, 1>> X(x);
  X = G.llt().solve(A.transpose() * B);
}

template <int M, int N>
static void qr(const double *a, const double *b, double *x) {
  const Eigen::Matrix<double, M, N> A = Rows<M, N>(a);
  const Eigen::Map<const Eigen::Matrix<double, M, 1>> B(b);
  Eigen::Map<Eigen::Matrix<double, N, 1>> X(x);
  X = A.householderQr().solve(B);
}

#define SHAPE(M, N)                                                                                  \
  extern "C" void llt_##M##x##N(const double *a, const double *b, double *x) { llt<M, N>(a, b, x); } \
  extern "C" void qr_##M##x##N(const double *a, const double *b, double *x) { qr<M, N>(a, b, x); }

SHAPE(20, 5)
SHAPE(64, 16)
SHAPE(256, 32)
