#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/client/connection.h"

// Calls that several commands make, with their requests filled in.
namespace slipway::cli {

absl::StatusOr<planner::v1::Plan> GetPlan(Connection& connection, const std::string& name);
absl::StatusOr<planner::v1::Project> GetProject(Connection& connection, const std::string& name);
absl::StatusOr<dispatcher::v1::Task> GetTask(Connection& connection, const std::string& name);
absl::StatusOr<dispatcher::v1::ListAttemptsResponse> ListAttempts(Connection& connection,
                                                                  const std::string& task);
absl::StatusOr<dispatcher::v1::ListCheckpointsResponse> ListCheckpoints(Connection& connection,
                                                                        const std::string& plan,
                                                                        bool resolved_too);

// "a, b,c" as {"a", "b", "c"}; empty for "".
std::vector<std::string> SplitList(const std::string& text);

// The last id of a resource name.
std::string LastId(const std::string& name);

// "projects/p/plans/n/tasks/t" as "n/t": how tables name what may be of several plans.
std::string ShortName(const std::string& name);

// A file that a person named; INVALID_ARGUMENT (FILE_UNREADABLE). "-" is the standard input.
absl::StatusOr<std::string> ReadInput(const std::string& path, std::istream& input);

}  // namespace slipway::cli
