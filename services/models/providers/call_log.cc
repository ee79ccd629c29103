#include "services/models/providers/call_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::ErrnoStatus(errno, absl::StrCat("write ", path));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// What most calls have none of.
std::vector<std::pair<const char*, int64_t>> FurtherClasses(const TokenCounts& tokens) {
  return {{"cache_read", tokens.cache_read},
          {"cache_write", tokens.cache_write},
          {"cache_write_long", tokens.cache_write_long},
          {"reasoning", tokens.reasoning}};
}

nlohmann::json BookedLine(const std::string& call_id, const std::string& model,
                          const std::optional<TokenCounts>& tokens, absl::Time time) {
  nlohmann::json line = {
      {"call_id", call_id},
      {"model", model},
      {"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone())}};
  if (!tokens.has_value()) return line;
  line["input"] = tokens->input;
  line["output"] = tokens->output;
  for (const auto& [name, count] : FurtherClasses(*tokens)) {
    if (count > 0) line[name] = count;
  }
  return line;
}

// Null where it is torn, or not one of ours.
nlohmann::json ParsedBooking(const std::string& line) {
  nlohmann::json value = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded() || !value.is_object()) return nullptr;
  return value;
}

TokenCounts TokensOfBooking(const nlohmann::json& value) {
  return {.input = value.value("input", int64_t{0}),
          .cache_read = value.value("cache_read", int64_t{0}),
          .cache_write = value.value("cache_write", int64_t{0}),
          .cache_write_long = value.value("cache_write_long", int64_t{0}),
          .output = value.value("output", int64_t{0}),
          .reasoning = value.value("reasoning", int64_t{0})};
}

}  // namespace

absl::StatusOr<std::unique_ptr<CallLog>> CallLog::Open(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, absl::StrCat("call_log ", path));
  const off_t size = lseek(fd.get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && pread(fd.get(), &last, 1, size - 1) != 1) {
    return base::ErrnoStatus(errno, absl::StrCat("read ", path));
  }
  // A torn line must not swallow the next one.
  if (last != '\n') RETURN_IF_ERROR(WriteAll(fd.get(), "\n", path));
  return std::unique_ptr<CallLog>(new CallLog(path, std::move(fd)));
}

absl::Status CallLog::Append(const std::string& call_id, const std::string& model,
                             const TokenCounts& tokens, absl::Time time) {
  return AppendLine(BookedLine(call_id, model, tokens, time).dump());
}

absl::Status CallLog::AppendPlayed(const PlayedCall& call, absl::Time time) {
  nlohmann::json line = BookedLine(call.call_id, call.model, call.tokens, time);
  if (call.unknown && !call.tokens.has_value()) line["unknown"] = true;
  line["plan"] = call.plan;
  line["entry"] = call.entry;
  return AppendLine(line.dump());
}

absl::Status CallLog::AppendLine(const std::string& line) {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(WriteAll(fd_.get(), line + "\n", path_));
  if (fdatasync(fd_.get()) != 0) return base::ErrnoStatus(errno, absl::StrCat("sync ", path_));
  return absl::OkStatus();
}

Reconciliation CallLog::Reconcile(const std::string& call_id) {
  base::MutexLock lock(mutex_);
  std::ifstream file(path_);
  if (!file) {
    log::Error("the scripted provider's call log cannot be read", {{"path", path_}});
    return {};
  }
  for (std::string line; std::getline(file, line);) {
    if (!absl::StrContains(line, call_id)) continue;
    const nlohmann::json value = ParsedBooking(line);
    if (!value.is_object() || value.value("call_id", "") != call_id) continue;
    if (value.contains("input")) {
      return {.kind = Reconciliation::Kind::kBilled, .tokens = TokensOfBooking(value)};
    }
    if (value.value("unknown", false)) return {};
  }
  return {.kind = Reconciliation::Kind::kNotBilled};
}

absl::StatusOr<std::vector<CallLog::PlayedCall>> CallLog::Played() {
  base::MutexLock lock(mutex_);
  std::ifstream file(path_);
  if (!file) return absl::InternalError(absl::StrCat("cannot read ", path_));
  std::vector<PlayedCall> played;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json value = ParsedBooking(line);
    if (!value.is_object() || !value.contains("entry")) continue;
    played.push_back({.call_id = value.value("call_id", ""),
                      .model = value.value("model", ""),
                      .unknown = value.value("unknown", false),
                      .plan = value.value("plan", ""),
                      .entry = value.value("entry", int64_t{0})});
    if (value.contains("input")) played.back().tokens = TokensOfBooking(value);
  }
  return played;
}

ProviderResult CallLogFailed(const absl::Status& status) {
  log::Error("the scripted provider's call log failed", {{"error", status.message()}});
  return {.kind = ProviderResult::Kind::kFailed,
          .failure = FailureClass::kTransient,
          .proof = Proof::kUpstreamErrorBeforeOutput,
          .reason = "CALL_LOG_FAILED",
          .detail = "the call log cannot be written"};
}

}  // namespace slipway::models
