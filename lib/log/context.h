#pragma once

#include <string>

namespace slipway::log {

// What every line of a piece of work carries. Empty fields are left out.
struct Context {
  std::string request_id;
  std::string trace_id;
};

// The context of this thread: copy it into a job to continue under it on another thread.
const Context& CurrentContext();

// Adds `context` to this thread's lines until the end of the scope. Fields left empty keep the
// value of the enclosing scope.
class ScopedContext final {
 public:
  explicit ScopedContext(Context context);
  ~ScopedContext();
  ScopedContext(const ScopedContext&) = delete;
  ScopedContext& operator=(const ScopedContext&) = delete;

 private:
  Context outer_;
};

}  // namespace slipway::log
