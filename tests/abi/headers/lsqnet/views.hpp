/** @file
 * What lsqnet.hpp is made of: errors, views of arrays that somebody else owns, owners of handles. */
#ifndef LSQNET_VIEWS_HPP
#define LSQNET_VIEWS_HPP

#include <lsqnet/status.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lsqnet {

/** What a failed call throws: what() is the library's message. */
class error : public std::runtime_error {
 public:
  /** An error as a call with that status and message would throw it. */
  error(lsqnet_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  /** Number of the status, e.g. LSQNET_E_SHAPE. */
  lsqnet_status status() const noexcept { return status_; }
  /** Its name, e.g. "LSQNET_E_SHAPE". */
  const char *name() const noexcept { return lsqnet_status_name(status_); }

 private:
  lsqnet_status status_;
};

/** Throws lsqnet::error, with the library's last message, unless `status` is LSQNET_OK. */
inline void check(lsqnet_status status) {
  if (status != LSQNET_OK) throw error(status, lsqnet_last_message());
}

/** Runs `body` where a C callback returns a status: an exception must not pass through C. lsqnet::error becomes its own
 *  status and std::bad_alloc LSQNET_E_MEMORY, all else, and an error of LSQNET_OK, LSQNET_E_STOPPED; the message is the
 *  exception's. */
template <class Body>
lsqnet_status guard(Body &&body) noexcept {
  try {
    body();
    return LSQNET_OK;
  } catch (const error &e) {
    lsqnet_set_message(e.what());
    return e.status() != LSQNET_OK ? e.status() : LSQNET_E_STOPPED;
  } catch (const std::bad_alloc &e) {
    lsqnet_set_message(e.what());
    return LSQNET_E_MEMORY;
  } catch (const std::exception &e) {
    lsqnet_set_message(e.what());
  } catch (...) {
    lsqnet_set_message("a callback threw something that is no std::exception");
  }
  return LSQNET_E_STOPPED;
}

/** What the classes below are made of. */
namespace detail {

/* Whether C has a size() and a data() that gives a T *. */
template <class C, class T>
struct holds {
  template <class D>
  static typename std::is_convertible<decltype(std::declval<D &>().data()), T *>::type try_it(
      decltype(static_cast<std::size_t>(std::declval<D &>().size())));
  template <class D>
  static std::false_type try_it(...);
  static const bool value = decltype(try_it<C>(0))::value;
};

}  // namespace detail

/** Numbers that lie one after the other, owned by somebody else: a pointer and a length. Made from arrays, std::vector,
 *  std::array and whatever else has data() and size(). */
template <class T>
class span {
 public:
  /** No numbers: where the C function takes NULL. */
  span() noexcept : data_(nullptr), size_(0) {}
  /** `size` numbers at `data`. */
  span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  /** All of an array. */
  template <std::size_t N>
  span(T (&array)[N]) noexcept : data_(array), size_(N) {}
  /** All of a container. */
  template <class C, class = typename std::enable_if<detail::holds<C, T>::value>::type>
  span(C &container) noexcept : data_(container.data()), size_(container.size()) {}
  /** All of a container that is only read; temporaries live as long as the call. */
  template <class C, class = typename std::enable_if<std::is_const<T>::value && detail::holds<const C, T>::value>::type>
  span(const C &container) noexcept : data_(container.data()), size_(container.size()) {}
  /** The first number, or nullptr. */
  T *data() const noexcept { return data_; }
  /** How many there are. */
  std::size_t size() const noexcept { return size_; }
  /** Number i; not checked. */
  T &operator[](std::size_t i) const noexcept { return data_[i]; }
  /** Where they begin. */
  T *begin() const noexcept { return data_; }
  /** Where they end. */
  T *end() const noexcept { return data_ + size_; }

 private:
  T *data_;
  std::size_t size_;
};

/** A row-major matrix that somebody else owns. A container alone is one column. */
template <class T>
class matrix {
 public:
  /** `rows` x `columns` numbers at `data`, each row `stride` after the one before. */
  matrix(T *data, int64_t rows, int64_t columns, int64_t stride) noexcept
      : data_(data), rows_(rows), columns_(columns), stride_(stride) {}
  /** Rows that follow each other; throws if `values` does not hold just so many numbers. */
  matrix(span<T> values, int64_t rows, int64_t columns) : matrix(values.data(), rows, columns, columns) {
    if (rows < 0 || columns < 0 || (columns > 0 && rows > INT64_MAX / columns) ||
        values.size() != static_cast<std::size_t>(rows * columns))
      throw error(LSQNET_E_SHAPE, std::to_string(rows) + " x " + std::to_string(columns) + " numbers are not " +
                                      std::to_string(values.size()));
  }
  /** One column. */
  template <class C, class = typename std::enable_if<detail::holds<C, T>::value>::type>
  matrix(C &column) : matrix(span<T>(column)) {}
  /** One column that is only read. */
  template <class C, class = typename std::enable_if<std::is_const<T>::value && detail::holds<const C, T>::value>::type>
  matrix(const C &column) : matrix(span<T>(column)) {}
  /** One column. */
  template <std::size_t N>
  matrix(T (&column)[N]) noexcept : matrix(column, static_cast<int64_t>(N), 1, 1) {}
  /** One column. */
  matrix(span<T> column) noexcept : matrix(column.data(), static_cast<int64_t>(column.size()), 1, 1) {}
  /** What may be written may be read. */
  template <class U, class = typename std::enable_if<std::is_same<const U, T>::value>::type>
  matrix(const matrix<U> &other) noexcept : matrix(other.data(), other.rows(), other.columns(), other.stride()) {}
  /** The first number. */
  T *data() const noexcept { return data_; }
  /** Rows. */
  int64_t rows() const noexcept { return rows_; }
  /** Columns. */
  int64_t columns() const noexcept { return columns_; }
  /** Numbers from one row to the next. */
  int64_t stride() const noexcept { return stride_; }

 private:
  T *data_;
  int64_t rows_, columns_, stride_;
};

namespace detail {

template <class T, void (*destroy)(T *)>
struct destroyer {
  void operator()(T *object) const noexcept { destroy(object); }
};

template <class T, void (*destroy)(T *)>
using owner = std::unique_ptr<T, destroyer<T, destroy>>;

template <class T, lsqnet_status (*init)(T *, uint32_t)>
struct defaults : T {
  defaults() : T() { check(init(this, sizeof(T))); }
};

/* What a solver's stop has thrown, on this thread, in its last solve. */
inline std::exception_ptr &stopped() noexcept {
  static thread_local std::exception_ptr thrown;
  return thrown;
}

/* check() of a solve's status, in whose place comes what has been made of an exception that ended it. */
inline void check_solve(lsqnet_status status) {
  std::exception_ptr thrown;
  thrown.swap(stopped());
  if (status == LSQNET_E_STOPPED && thrown) check(guard([&] { std::rethrow_exception(thrown); }));
  check(status);
}

/* A text as C has it; one that C would cut is refused. */
inline const char *c_text(const std::string &text) {
  if (text.find('\0') != std::string::npos)
    throw error(LSQNET_E_ARGUMENT, std::string("a NUL after \"") + text.c_str() + "\"");
  return text.c_str();
}

template <class T>
T sized() noexcept {
  T value = T();
  value.size = sizeof(T);
  return value;
}

inline void check_size(const char *what, std::size_t got, int64_t wanted) {
  if (wanted < 0 || got != static_cast<std::size_t>(wanted))
    throw error(LSQNET_E_SHAPE, std::string(what) + " holds " + std::to_string(got) +
                                    " numbers: " + std::to_string(wanted) + " are needed");
}

/* Names by number, until there are no more. */
template <class Name>
std::vector<std::string> names(Name name) {
  std::vector<std::string> all;
  for (int64_t index = 0; name(index) != nullptr; index++) all.push_back(name(index));
  return all;
}

/* The product of sizes that a forward pass takes; -1 if there is none such. */
inline int64_t product(int64_t a, int64_t b, int64_t c) noexcept {
  if (a < 0 || b < 0 || c < 0) return -1;
  if (a > 0 && b > INT64_MAX / a) return -1;
  return a * b > 0 && c > INT64_MAX / (a * b) ? -1 : a * b * c;
}

template <class Shape, class T>
void check_prompt(const Shape &s, const matrix<const T> &a, const span<const T> &b, const span<const T> &x,
                  const span<T> &out) {
  check_size("b", b.size(), a.rows());
  check_size("x", x.size(), a.columns());
  check_size("out", out.size(), product(s.rows, s.width, 1));
}

}  // namespace detail

}  // namespace lsqnet

#endif
