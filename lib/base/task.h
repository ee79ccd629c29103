#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "lib/base/executor.h"

namespace slipway::base {

// A function that waits without a thread: a coroutine that runs when it is awaited, on the thread
// that awaits it, and goes on after each of its own waits on the thread that ended the wait. What
// it refers to must outlive it; awaiting a task from the frame that owns it all sees to that.
//
//   base::Task<int> Add(Source& source) {
//     const int first = co_await source.Next();
//     co_return first + 1;
//   }
//
// Exceptions end the process. Not thread-safe: awaited once, by one coroutine.
template <typename T>
class [[nodiscard]] Task final {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  struct promise_type {
    struct End {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(Handle ended) noexcept {
        return ended.promise().awaiting;
      }
      void await_resume() noexcept {}
    };

    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    End final_suspend() noexcept { return {}; }
    void return_value(T value) { result.emplace(std::move(value)); }
    void unhandled_exception() { std::terminate(); }

    std::coroutine_handle<> awaiting = std::noop_coroutine();
    std::optional<T> result;
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().awaiting = awaiting;
    return handle_;
  }
  T await_resume() { return *std::move(handle_.promise().result); }

 private:
  explicit Task(Handle handle) : handle_(handle) {}

  Handle handle_;
};

// A coroutine that nobody waits for; it frees itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// Runs `task` on this thread up to its first wait; `done` gets its result once it has ended, after
// the task's own frame is gone.
template <typename T>
Detached StartTask(Task<T> task, absl::AnyInvocable<void(T) &&> done) {
  std::optional<T> result;
  {
    Task<T> running = std::move(task);
    result.emplace(co_await running);
  }
  std::move(done)(*std::move(result));
}

// Waits for a callback: `start` gets a function to call once, on any thread, also at once.
//
//   const int value = co_await base::Callback<int>([&](auto done) { source.OnNext(done); });
template <typename T>
class Callback final {
 public:
  using Done = absl::AnyInvocable<void(T)>;

  explicit Callback(absl::AnyInvocable<void(Done)> start) : start_(std::move(start)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // The callback may end this object before it has returned.
    absl::AnyInvocable<void(Done)> start = std::move(start_);
    start([this, waiting](T value) {
      result_.emplace(std::move(value));
      waiting.resume();
    });
  }
  T await_resume() { return *std::move(result_); }

 private:
  absl::AnyInvocable<void(Done)> start_;
  std::optional<T> result_;
};

// Goes on as a job of `executor`, or on this thread when that takes no more jobs.
class GoOn final {
 public:
  explicit GoOn(Executor& executor) : executor_(executor) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting) {
    return executor_.TryRun([waiting] { waiting.resume(); }).ok();
  }
  void await_resume() const noexcept {}

 private:
  Executor& executor_;
};

}  // namespace slipway::base
