#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "boost/smart_ptr/intrusive_ptr.hpp"
#include "boost/smart_ptr/intrusive_ref_counter.hpp"

namespace slipway::base {

// Text that never changes and that all copies of it share: for names that are keys in many places.
// A copy is a count of holders, no memory; copies are equal without a look at the text, and what is
// hashed is remembered. Made from a string it is new: whoever has the same text already should copy
// that.
//
// Otherwise it is used like a const std::string, also by several threads.
class SharedText final {
 public:
  SharedText() = default;
  SharedText(std::string text)  // NOLINT(google-explicit-constructor)
      : held_(text.empty() ? nullptr : new Held(std::move(text))) {}
  SharedText(absl::string_view text)  // NOLINT(google-explicit-constructor)
      : SharedText(std::string(text)) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}  // NOLINT

  const std::string& str() const { return held_ == nullptr ? kEmpty : held_->text; }
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor)
  operator absl::string_view() const { return str(); }   // NOLINT(google-explicit-constructor)

  bool empty() const { return held_ == nullptr; }
  size_t size() const { return str().size(); }

  friend bool operator==(const SharedText& a, const SharedText& b) {
    if (a.held_ == b.held_) return true;
    return a.hash() == b.hash() && a.str() == b.str();
  }
  friend std::strong_ordering operator<=>(const SharedText& a, const SharedText& b) {
    if (a.held_ == b.held_) return std::strong_ordering::equal;
    return a.str() <=> b.str();
  }
  // With what is not shared, so that comparing makes nothing.
  template <typename T>
  requires(!std::same_as<T, SharedText> &&
           std::convertible_to<const T&, absl::string_view>) friend bool
  operator==(const SharedText& a, const T& b) {
    return absl::string_view(a) == absl::string_view(b);
  }
  template <typename H>
  friend H AbslHashValue(H hash, const SharedText& text) {
    return H::combine(std::move(hash), text.hash());
  }
  // For GoogleTest; not a template, which would tie with its own overload.
  friend void PrintTo(const SharedText& text, std::ostream* sink) { *sink << text.str(); }

 private:
  struct Held : boost::intrusive_ref_counter<Held, boost::thread_safe_counter> {
    explicit Held(std::string of) : text(std::move(of)), hash(absl::HashOf(text)) {}

    const std::string text;
    const size_t hash;
  };

  size_t hash() const { return held_ == nullptr ? 0 : held_->hash; }

  static inline const std::string kEmpty;

  boost::intrusive_ptr<const Held> held_;
};

}  // namespace slipway::base
