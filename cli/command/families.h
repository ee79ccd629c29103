#pragma once

#include "cli/command/command_set.h"

namespace slipway::cli {

void AddUpCommands(CommandSet& commands);       // up, down
void AddDoctorCommand(CommandSet& commands);    // doctor
void AddProjectCommands(CommandSet& commands);  // init, project
void AddPlanCommands(CommandSet& commands);     // plan, edit, approve, reject, cancel
void AddShowCommands(CommandSet& commands);     // show, diff
void AddFollowCommands(CommandSet& commands);   // run, watch
void AddStatusCommands(CommandSet& commands);   // status, events
void AddHostCommands(CommandSet& commands);     // hosts
void AddTaskCommands(CommandSet& commands);     // logs, retry, checkpoints, resolve
void AddPauseCommands(CommandSet& commands);    // pause, resume, kill
void AddQueueCommand(CommandSet& commands);     // queue
void AddRollbackCommand(CommandSet& commands);  // rollback
void AddMoneyCommands(CommandSet& commands);    // budget, usage
void AddAuditCommands(CommandSet& commands);    // audit
void AddModelsCommands(CommandSet& commands);   // models
// models record, models cassette
void AddCassetteCommands(CommandSet& commands, CLI::App& models);
void AddTokenCommands(CommandSet& commands);  // token

}  // namespace slipway::cli
