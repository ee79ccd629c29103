#include "lib/rpc/client_call.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/log/context.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/steady_time.h"

namespace slipway::rpc {
namespace {

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(20);
constexpr absl::Duration kBackOffMax = absl::Seconds(1);

absl::Status Add(const char* key, const std::string& value, grpc::ClientContext& context) {
  if (value.empty()) return absl::OkStatus();
  if (!IsMetadataValue(value)) {
    return base::Error(absl::StatusCode::kInvalidArgument, "METADATA_INVALID",
                       absl::StrCat("the value of '", key, "' must be at most ",
                                    kMetadataValueBytesMax, " printable ASCII characters"),
                       {{"key", key}});
  }
  context.AddMetadata(key, value);
  return absl::OkStatus();
}

void WaitFor(base::Clock& clock, absl::Duration delay) {
  base::Mutex mutex;
  base::CondVar changed;
  bool due = false;
  const std::unique_ptr<base::Timer> timer = clock.RunAfter(delay, [&] {
    base::MutexLock lock(mutex);
    due = true;
    changed.NotifyAll();
  });
  base::MutexLock lock(mutex);
  while (!due) changed.Wait(mutex);
}

}  // namespace

absl::Status PrepareContext(const CallOptions& options, grpc::ClientContext& context) {
  if (options.timeout < absl::InfiniteDuration()) {
    context.set_deadline(DeadlineIn(options.timeout));
  }
  context.set_wait_for_ready(options.wait_for_ready);
  const std::string& request_id =
      options.request_id.empty() ? log::CurrentContext().request_id : options.request_id;
  absl::Status status = Add(kPrincipalKey, options.principal, context);
  if (status.ok()) status = Add(kRoleKey, options.role, context);
  if (status.ok()) status = Add(kRequestIdKey, request_id, context);
  return status;
}

CallOptions ForwardedOptions(const Call& call, absl::Duration timeout_max) {
  return {.timeout = std::min(call.time_left(), timeout_max),
          .principal = call.principal(),
          .role = call.role(),
          .request_id = call.request_id()};
}

absl::Status RetryUnavailable(base::Clock& clock, absl::Duration timeout,
                              absl::FunctionRef<absl::Status(absl::Duration left)> attempt) {
  const absl::Duration end = clock.Elapsed() + timeout;
  absl::Duration back_off = kFirstBackOff;
  while (true) {
    absl::Status status = attempt(end - clock.Elapsed());
    if (status.code() != absl::StatusCode::kUnavailable) return status;
    const std::optional<base::ErrorDetail> detail = base::DetailOf(status);
    absl::Duration delay = back_off;
    if (detail.has_value() && detail->retry_after.has_value()) {
      delay = std::max(delay, *detail->retry_after);
    }
    if (clock.Elapsed() + delay >= end) return status;
    WaitFor(clock, delay);
    back_off = std::min(back_off * 2, kBackOffMax);
  }
}

}  // namespace slipway::rpc
