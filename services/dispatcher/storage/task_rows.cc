#include "services/dispatcher/storage/task_rows.h"

#include "absl/strings/numbers.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/storage/task_json.h"

namespace slipway::dispatcher {

absl::StatusOr<RunRow> ReadRun(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(RunPolicy policy, RunPolicyFromJson(row.Text(6)));
  return RunRow{.run = {.plan = row.Text(0),
                        .title = row.Text(1),
                        .version = row.Int(2),
                        .digest = row.Text(3),
                        .branch = row.Text(4),
                        .tip = row.Text(5),
                        .policy = std::move(policy),
                        .state = static_cast<RunState>(row.Int(7)),
                        .result = row.Text(8),
                        .start_time = row.Time(9),
                        .end_time = row.OptionalTime(10)},
                .position = row.Int64(11)};
}

absl::StatusOr<Task> ReadTask(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(TaskSpec spec, TaskSpecFromJson(row.Text(12)));
  ASSIGN_OR_RETURN(Progress progress, ProgressFromJson(row.Text(13)));
  return Task{.key = {.plan = row.Text(0), .id = row.Text(1)},
              .position = row.Int(2),
              .spec = std::move(spec),
              .state = static_cast<TaskState>(row.Int(3)),
              .epoch = row.Int64(4),
              .reason = row.Text(5),
              .detail = row.Text(6),
              .resume_time = row.OptionalTime(7),
              .ready_time = row.OptionalTime(8),
              .end_time = row.OptionalTime(9),
              .merged_commit = row.Text(10),
              .open_checkpoint = row.Int64(11),
              .progress = std::move(progress)};
}

absl::StatusOr<Attempt> ReadAttempt(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<std::string> feedback, StringsFromJson(row.Text(10)));
  std::optional<absl::Duration> silence;
  if (!row.IsNull(15)) silence = absl::Microseconds(row.Int64(15));
  return Attempt{.key = {.task = {.plan = row.Text(0), .id = row.Text(1)}, .epoch = row.Int64(2)},
                 .kind = static_cast<GrantKind>(row.Int(3)),
                 .state = static_cast<AttemptState>(row.Int(4)),
                 .host = row.Text(5),
                 .agent = row.Text(6),
                 .commit = row.Text(7),
                 .reason = row.Text(8),
                 .detail = row.Text(9),
                 .feedback = std::move(feedback),
                 .start_time = row.Time(11),
                 .end_time = row.OptionalTime(12),
                 .has_result = row.Bool(13),
                 .key_open = row.Bool(14),
                 .silence = silence};
}

absl::StatusOr<CheckpointRow> ReadCheckpoint(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<std::string> evidence, StringsFromJson(row.Text(5)));
  ASSIGN_OR_RETURN(const std::vector<std::string> options, StringsFromJson(row.Text(6)));
  CheckpointRow read{.checkpoint = {.key = {.task = {.plan = row.Text(0), .id = row.Text(1)},
                                            .number = row.Int64(2)},
                                    .reason = row.Text(3),
                                    .question = row.Text(4),
                                    .evidence = std::move(evidence),
                                    .decision = static_cast<Decision>(row.Int(7)),
                                    .guidance = row.Text(8),
                                    .actor = row.Text(9),
                                    .open_time = row.Time(10),
                                    .resolve_time = row.OptionalTime(11)},
                     .position = row.Int64(12)};
  if (const std::string diagnosis = row.Text(13); !diagnosis.empty()) {
    ASSIGN_OR_RETURN(read.checkpoint.diagnosis, DiagnosisFromJson(diagnosis));
  }
  for (const std::string& option : options) {
    int number = 0;
    if (absl::SimpleAtoi(option, &number)) {
      read.checkpoint.options.push_back(static_cast<Decision>(number));
    }
  }
  return read;
}

}  // namespace slipway::dispatcher
