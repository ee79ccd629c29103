#include "cli/client/up_record.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

namespace slipway::cli {
namespace {

constexpr size_t kRecordBytesMax = 64 << 10;

absl::Status NotRunning(const DataDirectory& data) {
  return base::Error(absl::StatusCode::kUnavailable, "NOT_RUNNING",
                     absl::StrCat("no suite runs in ", data.path()), {{"data", data.path()}});
}

std::string Text(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

absl::Status WriteUpRecord(const DataDirectory& data, const UpRecord& record) {
  nlohmann::ordered_json json;
  json["pid"] = record.pid;
  json["version"] = record.version;
  json["url"] = record.url;
  json["gateway_address"] = record.gateway_address;
  json["grpc_address"] = record.grpc_address;
  json["http_address"] = record.http_address;
  return base::WriteFileAtomic(data.UpRecordPath(), json.dump(2) + "\n");
}

absl::StatusOr<UpRecord> ReadUpRecord(const DataDirectory& data) {
  const absl::StatusOr<std::string> text = base::ReadFile(data.UpRecordPath(), kRecordBytesMax);
  if (!text.ok()) return NotRunning(data);
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return NotRunning(data);
  const auto pid = json.find("pid");
  if (pid == json.end() || !pid->is_number_integer()) return NotRunning(data);
  return UpRecord{.pid = pid->get<pid_t>(),
                  .version = Text(json, "version"),
                  .url = Text(json, "url"),
                  .gateway_address = Text(json, "gateway_address"),
                  .grpc_address = Text(json, "grpc_address"),
                  .http_address = Text(json, "http_address")};
}

}  // namespace slipway::cli
