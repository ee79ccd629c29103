#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/plan_view.h"
#include "cli/command/families.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "nlohmann/json.hpp"

namespace slipway::cli {
namespace {

using models::v1::ModelsService;

// As the service bounds one, with what is known besides of each call.
constexpr size_t kCassetteBytesMax = (1u << 30) + (64u << 20);

struct RecordOptions {
  std::string scope;
  bool stop = false;
};

struct ExportOptions {
  std::string plan;
  std::string out;
};

absl::StatusOr<ExitCode> Record(const RecordOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const std::string scope, invocation.names().Scope(options.scope));
  Connection& connection = invocation.connection();
  if (options.stop) {
    models::v1::StopRecordingRequest request;
    request.set_scope(scope);
    RETURN_IF_ERROR(
        connection.Call(connection.models(), &ModelsService::StubInterface::StopRecording, request)
            .status());
    invocation.output().Progress(absl::StrCat("calls of ", scope, " are not recorded any more"));
    return ExitCode::kOk;
  }
  models::v1::StartRecordingRequest request;
  request.set_scope(scope);
  RETURN_IF_ERROR(
      connection.Call(connection.models(), &ModelsService::StubInterface::StartRecording, request)
          .status());
  invocation.output().Progress(absl::StrCat("recording every call of ", scope, " from now on"));
  invocation.output().Hint(
      "slipway models cassette export PLAN --out FILE writes what was recorded");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListCassettes(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto list,
      connection.Call(connection.models(), &ModelsService::StubInterface::ListCassettes, {}));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  for (const models::v1::Recording& recording : list.recordings()) {
    const std::string scope = recording.scope() == "*" ? "every project" : recording.scope();
    output.Line(absl::StrCat(
        "recording ", scope,
        recording.has_start_time()
            ? absl::StrCat(" since ", RelativeText(rpc::FromProto(recording.start_time()),
                                                   invocation.clock().Now()))
            : ", as configured"));
  }
  if (list.cassettes().empty()) {
    output.Line("no cassettes");
    if (list.recordings().empty()) output.Hint("slipway models record PROJECT begins one");
    return ExitCode::kOk;
  }
  TextTable table({{"PLAN"},
                   {"CALLS", TextTable::Align::kRight},
                   {"MISSING", TextTable::Align::kRight},
                   {"KIB", TextTable::Align::kRight},
                   {"LAST CALL"}});
  for (const models::v1::Cassette& cassette : list.cassettes()) {
    table.Add({ShortName(cassette.plan()), CountText(cassette.entries()),
               Cell(CountText(cassette.dropped()),
                    cassette.dropped() > 0 ? Tone::kWarning : Tone::kPlain),
               CountText((cassette.bytes() + 1'023) / 1'024),
               RelativeText(rpc::FromProto(cassette.last_time()), invocation.clock().Now())});
  }
  output.Table(table);
  return ExitCode::kOk;
}

// The whole file: the first line says how many follow, so that a part of it is not taken for all.
absl::StatusOr<std::string> ReadWhole(const std::string& plan, Connection& connection,
                                      models::v1::Cassette& cassette, int64_t& entries) {
  models::v1::ReadCassetteRequest request;
  request.set_plan(plan);
  std::string lines;
  entries = 0;
  while (true) {
    ASSIGN_OR_RETURN(
        const auto page,
        connection.Call(connection.models(), &ModelsService::StubInterface::ReadCassette, request));
    for (const std::string& line : page.lines()) absl::StrAppend(&lines, line, "\n");
    entries += page.lines_size();
    cassette = page.cassette();
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  const nlohmann::ordered_json header = {
      {"cassette", 1}, {"plan", plan}, {"entries", entries}, {"dropped", cassette.dropped()}};
  return absl::StrCat(header.dump(), "\n", lines);
}

absl::StatusOr<ExitCode> Export(const ExportOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const std::string plan, invocation.names().Plan(options.plan));
  models::v1::Cassette cassette;
  int64_t entries = 0;
  ASSIGN_OR_RETURN(const std::string file,
                   ReadWhole(plan, invocation.connection(), cassette, entries));
  Output& output = invocation.output();
  if (options.out == "-") {
    output.Print(file);
    return ExitCode::kOk;
  }
  const absl::Status written = base::WriteFileAtomic(options.out, file);
  if (!written.ok()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", written.message());
  }
  if (output.json()) {
    output.Json(cassette);
    return ExitCode::kOk;
  }
  output.Progress(
      absl::StrCat("wrote ", entries, entries == 1 ? " call" : " calls", " to ", options.out));
  if (cassette.dropped() > 0) {
    output.Hint(absl::StrCat(cassette.dropped(),
                             " calls are missing: raise recording.cassette_bytes_max of models"));
  }
  output.Hint("play it with a provider {scripted: {cassette: FILE}}; see docs/models.md");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(const std::string& text, Invocation& invocation) {
  models::v1::DeleteCassetteRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), invocation.names().Plan(text));
  Connection& connection = invocation.connection();
  RETURN_IF_ERROR(
      connection.Call(connection.models(), &ModelsService::StubInterface::DeleteCassette, request)
          .status());
  invocation.output().Progress(absl::StrCat("deleted the cassette of ", request.plan()));
  return ExitCode::kOk;
}

std::string TextOf(const nlohmann::json& value, const char* name) {
  return value.is_object() && value.contains(name) && value[name].is_string()
             ? value[name].get<std::string>()
             : "";
}
int64_t NumberOf(const nlohmann::json& value, const char* name) {
  return value.is_object() && value.contains(name) && value[name].is_number_integer()
             ? value[name].get<int64_t>()
             : 0;
}

void AddRow(const nlohmann::json& call, TextTable& table) {
  const nlohmann::json end = call.value("end", nlohmann::json::object());
  const nlohmann::json tokens =
      end.contains("tokens") ? end["tokens"] : call.value("billed", nlohmann::json::object());
  const std::string kind = TextOf(end, "kind");
  const std::string of =
      TextOf(call, "attempt").empty() ? TextOf(call, "task") : TextOf(call, "attempt");
  table.Add({ShortName(of.empty() ? TextOf(call, "plan") : of), TextOf(call, "intent"),
             TextOf(call, "role"), TextOf(call, "model"),
             Cell(kind, kind == "complete" ? Tone::kGood : Tone::kBad),
             DurationText(absl::Microseconds(NumberOf(call, "latency_us"))),
             CountText(NumberOf(tokens, "input")), CountText(NumberOf(tokens, "output")),
             MoneyText(NumberOf(call, "cost_usd_nanos")), TextOf(end, "reason")});
}

absl::StatusOr<ExitCode> ShowCassette(const std::string& path, Invocation& invocation) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kCassetteBytesMax);
  if (!text.ok()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
                       text.status().message());
  }
  TextTable table({{"FOR"},
                   {"INTENT"},
                   {"ROLE"},
                   {"MODEL"},
                   {"END"},
                   {"TOOK", TextTable::Align::kRight},
                   {"INPUT", TextTable::Align::kRight},
                   {"OUTPUT", TextTable::Align::kRight},
                   {"COST", TextTable::Align::kRight},
                   {"WHY"}});
  size_t number = 0;
  for (size_t start = 0; start < text->size();) {
    const size_t end = std::min(text->find('\n', start), text->size());
    const nlohmann::json line = nlohmann::json::parse(text->begin() + static_cast<ptrdiff_t>(start),
                                                      text->begin() + static_cast<ptrdiff_t>(end),
                                                      nullptr, /*allow_exceptions=*/false);
    start = end + 1;
    ++number;
    const bool good = line.is_object() && line.contains(number == 1 ? "cassette" : "call");
    if (!good) {
      return base::Error(absl::StatusCode::kInvalidArgument, "CASSETTE_INVALID",
                         absl::StrCat(path, ", line ", number, " is no part of a cassette"));
    }
    if (invocation.output().json() && number > 1) invocation.output().Line(line.dump());
    if (number > 1) AddRow(line, table);
  }
  if (!invocation.output().json()) invocation.output().Table(table);
  return ExitCode::kOk;
}

}  // namespace

void AddCassetteCommands(CommandSet& commands, CLI::App& models) {
  const auto record = std::make_shared<RecordOptions>();
  CLI::App& begin = commands.Add(
      "record", "Record every call of a project or plan, to be played again",
      Connected([record](Invocation& invocation) { return Record(*record, invocation); }), &models);
  begin.add_option("SCOPE", record->scope, "The project, or a plan")->required();
  begin.add_flag("--stop", record->stop, "Record no longer; what was recorded stays");
  CLI::App& group = *models.add_subcommand("cassette", "Recorded calls of plans");
  group.require_subcommand(1);
  commands.Add("list", "Show what is recorded, and what was", Connected(ListCassettes), &group);
  const auto what = std::make_shared<ExportOptions>();
  CLI::App& save = commands.Add(
      "export", "Write the calls of a plan into a file that a scripted provider plays",
      Connected([what](Invocation& invocation) { return Export(*what, invocation); }), &group);
  save.add_option("PLAN", what->plan, "The plan")->required();
  save.add_option("--out", what->out, "The file; - for the standard output")->required();
  const auto file = std::make_shared<std::string>();
  CLI::App& show = commands.Add(
      "show", "Show the calls in a file",
      [file](Invocation& invocation) { return ShowCassette(*file, invocation); }, &group);
  show.add_option("FILE", *file, "As slipway models cassette export wrote it")->required();
  const auto plan = std::make_shared<std::string>();
  CLI::App& forget = commands.Add(
      "delete", "Forget what was recorded of a plan",
      Connected([plan](Invocation& invocation) { return Delete(*plan, invocation); }), &group);
  forget.add_option("PLAN", *plan, "The plan")->required();
}

}  // namespace slipway::cli
