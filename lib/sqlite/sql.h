#pragma once

#include <cstddef>

namespace slipway::sqlite {

// The text of one SQL statement that is a constant of the program. Text made at run time does not
// compile, so values can only arrive as bound parameters:
//   constexpr sqlite::Sql kSelect = "SELECT name FROM task WHERE plan=?";
// The address identifies the statement in each connection's cache of prepared statements.
class Sql final {
 public:
  template <size_t N>
  consteval Sql(const char (&text)[N]) : text_(text), size_(N - 1) {  // NOLINT: implicit by design.
    if (N <= 1 || text[N - 1] != '\0') throw "SQL must be a literal that is not empty";
  }

  const char* text() const { return text_; }
  size_t size() const { return size_; }

 private:
  const char* text_;
  size_t size_;
};

}  // namespace slipway::sqlite
