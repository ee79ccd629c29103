#include "cli/command/requests.h"

#include <istream>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/client/pages.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using planner::v1::PlannerService;

constexpr size_t kInputBytesMax = 8 << 20;  // Above what any service takes.

}  // namespace

absl::StatusOr<planner::v1::Plan> GetPlan(Connection& connection, const std::string& name) {
  planner::v1::GetPlanRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::GetPlan, request));
  return response.plan();
}

absl::StatusOr<planner::v1::Project> GetProject(Connection& connection, const std::string& name) {
  planner::v1::GetProjectRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.planner(), &PlannerService::StubInterface::GetProject, request));
  return response.project();
}

absl::StatusOr<dispatcher::v1::Task> GetTask(Connection& connection, const std::string& name) {
  dispatcher::v1::GetTaskRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::GetTask, request));
  return response.task();
}

absl::StatusOr<dispatcher::v1::ListAttemptsResponse> ListAttempts(Connection& connection,
                                                                  const std::string& task) {
  dispatcher::v1::ListAttemptsRequest request;
  request.set_task(task);
  return connection.Call(connection.dispatcher(), &DispatcherService::StubInterface::ListAttempts,
                         request);
}

absl::StatusOr<dispatcher::v1::ListCheckpointsResponse> ListCheckpoints(Connection& connection,
                                                                        const std::string& plan,
                                                                        bool resolved_too) {
  dispatcher::v1::ListCheckpointsRequest request;
  request.set_plan(plan);
  request.set_show_resolved(resolved_too);
  return AllPages(connection, connection.dispatcher(),
                  &DispatcherService::StubInterface::ListCheckpoints, request,
                  [](auto& page) { return page.mutable_checkpoints(); });
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> values;
  for (const absl::string_view value : absl::StrSplit(text, ',')) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(value);
    if (!stripped.empty()) values.emplace_back(stripped);
  }
  return values;
}

std::string LastId(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string ShortName(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  std::vector<std::string> ids;
  for (size_t i = parts.size() > 2 ? 3 : 1; i < parts.size(); i += 2) ids.push_back(parts[i]);
  return ids.empty() ? name : absl::StrJoin(ids, "/");
}

absl::StatusOr<std::string> ReadInput(const std::string& path, std::istream& input) {
  if (path == "-") {
    return std::string(std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>());
  }
  absl::StatusOr<std::string> text = base::ReadFile(path, kInputBytesMax);
  if (text.ok()) return text;
  return base::Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
                     absl::StrCat("cannot read ", path, ": ", text.status().message()),
                     {{"file", path}});
}

}  // namespace slipway::cli
