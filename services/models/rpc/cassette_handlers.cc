#include "services/models/rpc/models_handlers.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/proto_time.h"
#include "services/models/cassette/cassette_entry.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

v1::Cassette CassetteToProto(const CassetteSummary& summary) {
  v1::Cassette proto;
  proto.set_plan(summary.plan);
  proto.set_entries(summary.entries);
  proto.set_bytes(summary.bytes);
  proto.set_dropped(summary.dropped);
  *proto.mutable_first_time() = rpc::ToProto(summary.first_time);
  *proto.mutable_last_time() = rpc::ToProto(summary.last_time);
  return proto;
}

// The line with what the call's record knows besides.
absl::StatusOr<std::string> CompletedLine(const StoredEntry& stored) {
  if (!stored.cost_usd_nanos.has_value()) return stored.line;
  ASSIGN_OR_RETURN(CassetteEntry entry, EntryFromJson(stored.line));
  entry.billed = stored.billed;
  entry.cost_usd_nanos = stored.cost_usd_nanos;
  return EntryToJson(entry);
}

}  // namespace

absl::StatusOr<v1::StartRecordingResponse> ModelsHandlers::StartRecording(
    const rpc::Call& call, const v1::StartRecordingRequest& request) {
  RETURN_IF_ERROR(with_.recorder.Start(request.scope(), call.principal()));
  return v1::StartRecordingResponse();
}

absl::StatusOr<v1::StopRecordingResponse> ModelsHandlers::StopRecording(
    const rpc::Call&, const v1::StopRecordingRequest& request) {
  RETURN_IF_ERROR(with_.recorder.Stop(request.scope()));
  return v1::StopRecordingResponse();
}

absl::StatusOr<v1::ListCassettesResponse> ModelsHandlers::ListCassettes(
    const rpc::Call&, const v1::ListCassettesRequest&) {
  ASSIGN_OR_RETURN(const std::vector<Recording> recordings, with_.recorder.Recordings());
  ASSIGN_OR_RETURN(const std::vector<CassetteSummary> cassettes,
                   with_.cassettes.List(kCassettesListed));
  v1::ListCassettesResponse response;
  for (const std::string& project : with_.recorded_projects) {
    response.add_recordings()->set_scope(project);
  }
  for (const Recording& recording : recordings) {
    v1::Recording* const proto = response.add_recordings();
    proto->set_scope(recording.scope);
    *proto->mutable_start_time() = rpc::ToProto(recording.start_time);
    proto->set_principal(recording.principal);
  }
  for (const CassetteSummary& summary : cassettes) {
    *response.add_cassettes() = CassetteToProto(summary);
  }
  return response;
}

absl::StatusOr<v1::ReadCassetteResponse> ModelsHandlers::ReadCassette(
    const rpc::Call&, const v1::ReadCassetteRequest& request) {
  int64_t after = 0;
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &after) || after <= 0)) {
    return PageInvalid();
  }
  ASSIGN_OR_RETURN(const std::optional<CassetteSummary> summary,
                   with_.cassettes.Find(request.plan()));
  if (!summary.has_value()) return CassetteUnknown(request.plan());
  v1::ReadCassetteResponse response;
  *response.mutable_cassette() = CassetteToProto(*summary);
  size_t bytes = 0;
  // One at a time: entries differ in size by a factor of a thousand.
  for (int count = 0; count < kCassettePageEntries && bytes < kCassettePageBytes; ++count) {
    ASSIGN_OR_RETURN(const std::vector<StoredEntry> next,
                     with_.cassettes.Read(request.plan(), after, 1));
    if (next.empty()) return response;
    after = next.front().sequence;
    ASSIGN_OR_RETURN(std::string line, CompletedLine(next.front()));
    bytes += line.size();
    response.add_lines(std::move(line));
  }
  response.set_next_page_token(absl::StrCat(after));
  return response;
}

absl::StatusOr<v1::DeleteCassetteResponse> ModelsHandlers::DeleteCassette(
    const rpc::Call& call, const v1::DeleteCassetteRequest& request) {
  ASSIGN_OR_RETURN(const bool existed, with_.cassettes.Remove(request.plan()));
  if (!existed) return CassetteUnknown(request.plan());
  log::Info("cassette deleted", {{"plan", request.plan()}, {"principal", call.principal()}});
  return v1::DeleteCassetteResponse();
}

}  // namespace slipway::models
