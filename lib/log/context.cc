#include "lib/log/context.h"

#include <utility>

namespace slipway::log {
namespace {

Context& ThreadContext() {
  thread_local Context context;
  return context;
}

}  // namespace

const Context& CurrentContext() { return ThreadContext(); }

ScopedContext::ScopedContext(Context context) : outer_(ThreadContext()) {
  Context& current = ThreadContext();
  if (!context.request_id.empty()) current.request_id = std::move(context.request_id);
  if (!context.trace_id.empty()) current.trace_id = std::move(context.trace_id);
}

ScopedContext::~ScopedContext() { ThreadContext() = std::move(outer_); }

}  // namespace slipway::log
