#pragma once

namespace slipway::rpc {

// The first line of a service's main, before any thread starts: threads inherit what it sets.
// Blocks SIGTERM and SIGINT, so that WaitForSignal gets them; ignores SIGPIPE, so that a peer that
// hangs up is an error and not the end; and turns off the deadlock detection of absl::Mutex, which
// aborts a process on a lock order that never deadlocked.
void PrepareProcess();

// Waits for SIGTERM or SIGINT and returns it. As process 1 of a container it takes them from
// outside only: not from the programs that it runs. From then on the next of them ends the process
// at once with code 128 + signal: an operator who asks twice does not want to wait for the drain.
int WaitForSignal();

}  // namespace slipway::rpc
