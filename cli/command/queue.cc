#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command/families.h"
#include "cli/output/text_table.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using reviewer::v1::GetQueueRequest;
using reviewer::v1::GetQueueResponse;
using ReviewerStub = reviewer::v1::ReviewerService::StubInterface;

// "csv-import@2" for .../tasks/csv-import/attempts/2.
std::string ShortAttempt(const std::string& name) {
  const size_t tasks = name.find("/tasks/");
  const size_t attempts = name.find("/attempts/");
  if (tasks == std::string::npos || attempts == std::string::npos) return name;
  return absl::StrCat(name.substr(tasks + 7, attempts - tasks - 7), "@",
                      name.substr(attempts + 10));
}

void PrintQueue(const GetQueueResponse& queue, Output& output) {
  if (queue.places_size() == 0) {
    output.Line("no change waits to land");
  } else {
    TextTable table({{"", TextTable::Align::kRight},
                     {"CHANGE"},
                     {"ON"},
                     {"BATCH", TextTable::Align::kRight},
                     {"STEP"},
                     {"WHY"}});
    int batch = 0;
    for (int i = 0; i < queue.places_size(); ++i) {
      const GetQueueResponse::Place& place = queue.places(i);
      const bool grouped = !place.batch().empty();
      if (grouped && (i == 0 || queue.places(i - 1).batch() != place.batch())) ++batch;
      table.Add({absl::StrCat(i + 1), ShortAttempt(place.attempt()), place.base().substr(0, 10),
                 grouped ? absl::StrCat(batch) : "",
                 place.step() == "PROVEN" && place.ready() ? "READY" : place.step(),
                 place.detail()});
    }
    output.Table(table);
  }
  output.Line(absl::StrFormat(
      "tip %s; %d validations at once; of 100 changes %.0f are expected to fail, so that batches "
      "have %d",
      queue.tip().substr(0, 10), queue.window(), 100 * queue.failure_rate(), queue.batch_size()));
}

absl::StatusOr<ExitCode> ShowQueue(const std::string& plan, Invocation& invocation) {
  GetQueueRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan(), invocation.names().Plan(plan));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const GetQueueResponse response,
                   connection.Call(connection.reviewer(), &ReviewerStub::GetQueue, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    PrintQueue(response, invocation.output());
  }
  return ExitCode::kOk;
}

}  // namespace

void AddQueueCommand(CommandSet& commands) {
  const auto plan = std::make_shared<std::string>("latest");
  CLI::App& command = commands.Add(
      "queue", "Show the changes of a plan that wait to land, and what each waits for",
      Connected([plan](Invocation& invocation) { return ShowQueue(*plan, invocation); }));
  command.add_option("PLAN", *plan, "The plan");
}

}  // namespace slipway::cli
