#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "lib/base/id.h"

// Structured logging: one JSON object per line on stderr.
//   log::Info("entry appended", {{"run", run}, {"sequence", sequence}});
// The message is a constant; what varies goes into the keys. Thread-safe. A line is at most
// kLineBytesMax bytes and written by one system call, so lines of several threads or processes
// that share a pipe do not mix. No payloads and no secrets belong in a log.
namespace slipway::log {

// PIPE_BUF on Linux: the largest write that a pipe keeps together.
inline constexpr size_t kLineBytesMax = 4'096;

enum class Level { kDebug, kInfo, kWarning, kError };

// The value of a key. Borrows strings: lives no longer than the call it is passed to.
class Value final {
 public:
  Value(const char* text) : value_(absl::string_view(text)) {}
  Value(absl::string_view text) : value_(text) {}
  Value(const std::string& text) : value_(absl::string_view(text)) {}
  template <typename Tag>
  Value(const base::Id<Tag>& id) : value_(absl::string_view(id.value())) {}
  template <std::same_as<bool> T>
  Value(T value) : value_(value) {}
  template <std::signed_integral T>
  Value(T value) : value_(static_cast<int64_t>(value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Value(T value) : value_(static_cast<uint64_t>(value)) {}
  template <std::floating_point T>
  Value(T value) : value_(static_cast<double>(value)) {}

 private:
  friend class LineWriter;
  std::variant<absl::string_view, bool, int64_t, uint64_t, double> value_;
};

struct Field {
  absl::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

struct Options {
  // Lines below it are dropped. Absent: SLIPWAY_LOG_LEVEL (debug, info, warning, error), else info.
  std::optional<Level> level;
};

// Names this process in every line. Call once, at the start of main; before it the service is
// empty and the level info.
void Init(absl::string_view service, const Options& options = {});

void Debug(const char* message, Fields fields = {});
void Info(const char* message, Fields fields = {});
void Warning(const char* message, Fields fields = {});
void Error(const char* message, Fields fields = {});

// "debug", "info", "warning" or "error" in any case; absent for anything else.
std::optional<Level> ParseLevel(absl::string_view text);

}  // namespace slipway::log
