#pragma once

#include <coroutine>

#include "lib/base/executor.h"
#include "lib/base/task.h"

namespace slipway::models {

// Whether the thread that a call is on may be kept waiting. It may not be where replies and other
// calls depend on it: that of an agent's connection, of the ledger's answers, of the HTTP client.
// What is quick goes on there, because another thread would take longer to wake than it takes.
class CallThread final {
 public:
  // `blocking` has threads that may.
  CallThread(base::Executor& blocking, bool may_block)
      : blocking_(blocking), may_block_(may_block) {}

  // The call has come to another thread by itself.
  void MovedTo(bool may_block) { may_block_ = may_block; }

  // To be awaited before anything that may block or takes long.
  auto MayBlock() {
    class Awaitable final {
     public:
      explicit Awaitable(CallThread& thread) : thread_(thread), go_on_(thread.blocking_) {}
      bool await_ready() const noexcept { return thread_.may_block_; }
      bool await_suspend(std::coroutine_handle<> waiting) { return go_on_.await_suspend(waiting); }
      void await_resume() { thread_.may_block_ = true; }

     private:
      CallThread& thread_;
      base::GoOn go_on_;
    };
    return Awaitable(*this);
  }

 private:
  base::Executor& blocking_;
  bool may_block_;
};

}  // namespace slipway::models
