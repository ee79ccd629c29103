#pragma once

#include "absl/status/statusor.h"
#include "lib/sqlite/row.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/task.h"

// Rows of dispatcher.db as values; columns in the order of the lists below.
namespace slipway::dispatcher {

#define SLIPWAY_RUN_COLUMNS \
  "plan,title,version,digest,branch,tip,policy,state,result,start_time_us,end_time_us,position"
#define SLIPWAY_TASK_COLUMNS                                                             \
  "plan,id,position,state,epoch,reason,detail,resume_time_us,ready_time_us,end_time_us," \
  "merged_commit,open_checkpoint,spec,progress"
#define SLIPWAY_TASKS "task JOIN task_spec USING(plan,id)"
#define SLIPWAY_ATTEMPT_COLUMNS                                                           \
  "plan,task,epoch,kind,state,host,agent,commit_id,reason,detail,feedback,start_time_us," \
  "end_time_us,has_result,key_open,silence_us"
#define SLIPWAY_CHECKPOINT_COLUMNS                                                          \
  "plan,task,number,reason,question,evidence,options,decision,guidance,actor,open_time_us," \
  "resolve_time_us,position,diagnosis"

struct RunRow {
  Run run;
  int64_t position = 0;
};
struct CheckpointRow {
  Checkpoint checkpoint;
  int64_t position = 0;
};

absl::StatusOr<RunRow> ReadRun(const sqlite::Row& row);
absl::StatusOr<Task> ReadTask(const sqlite::Row& row);
absl::StatusOr<Attempt> ReadAttempt(const sqlite::Row& row);
absl::StatusOr<CheckpointRow> ReadCheckpoint(const sqlite::Row& row);

}  // namespace slipway::dispatcher
