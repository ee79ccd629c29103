#pragma once

#include <grpc/support/time.h>
#include <grpcpp/server_context.h>

#include "absl/time/time.h"

namespace slipway::rpc {

// When `timeout` from now is over, for gRPC: a moment that no setting of the wall clock moves.
gpr_timespec DeadlineIn(absl::Duration timeout);

// How long the caller still waits; InfiniteDuration when it set no deadline.
absl::Duration TimeLeft(const grpc::ServerContextBase& context);

// gRPC's own timers, by which calls end and connections are tried again, wait for moments of the
// wall clock in the versions of our distributions: when it is set back by an hour, they stand still
// for an hour (grpc/grpc#32176). A program that calls this, once and at any time, has them wait for
// as long as they would if nobody set the clock. For what makes channels and servers.
void KeepWaitsSteady();

}  // namespace slipway::rpc
