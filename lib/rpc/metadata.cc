#include "lib/rpc/metadata.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/rpc/steady_time.h"

namespace slipway::rpc {
namespace {

std::string Find(const grpc::ServerContextBase& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  const absl::string_view value(found->second.data(), found->second.size());
  return IsMetadataValue(value) ? std::string(value) : "";
}

}  // namespace

bool IsMetadataValue(absl::string_view value) {
  return !value.empty() && value.size() <= kMetadataValueBytesMax &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

Call CallOf(const grpc::ServerContextBase& context, Call::Cancellation cancellation) {
  std::string request_id = Find(context, kRequestIdKey);
  if (request_id.empty()) request_id = base::RandomIds().NewId("request");
  return Call({.principal = Find(context, kPrincipalKey),
               .role = Find(context, kRoleKey),
               .request_id = std::move(request_id),
               .deadline = base::RealClock().Elapsed() + TimeLeft(context),
               .cancellation = std::move(cancellation)});
}

}  // namespace slipway::rpc
