#include "tools/bench/completion_load.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kReplyTimeout = absl::Seconds(120);
constexpr size_t kLoadPromptBytes = 4'000;

http::ClientRequest RequestTo(const CompletionTarget& target, size_t number, std::string body) {
  http::ClientRequest request = {.method = "POST",
                                 .url = absl::StrCat(target.url, "/chat/completions"),
                                 .headers = {{"Content-Type", "application/json"}},
                                 .body = std::move(body),
                                 .first_byte_timeout = kReplyTimeout,
                                 .idle_timeout = kReplyTimeout};
  if (!target.keys.empty()) {
    request.headers.Set("Authorization",
                        absl::StrCat("Bearer ", target.keys[number % target.keys.size()]));
  }
  return request;
}

// One request of a load and what its reply has shown so far.
struct Asked {
  absl::Duration due;
  absl::Duration first;
  std::string tail;  // Of the body: tells whether a stream has its last event.
  std::unique_ptr<http::Client::Handle> handle;

  void Take(absl::string_view chunk) {
    if (first == absl::ZeroDuration()) first = base::RealClock().Elapsed();
    tail.append(chunk.data(), chunk.size());
    if (tail.size() > 256) tail.erase(0, tail.size() - 256);
  }
  std::string Failure(const http::ClientResult& result, bool stream) const {
    if (!result.status.ok()) return std::string(result.status.message());
    if (result.http_status != 200) return absl::StrCat("HTTP ", result.http_status, " ", tail);
    if (stream && !absl::StrContains(tail, "[DONE]")) return "a stream ended before its end";
    return "";
  }
};

float Microseconds(absl::Duration duration) {
  return static_cast<float>(absl::ToDoubleMicroseconds(duration));
}

}  // namespace

void CompletionTimes::Add(const CompletionTimes& other) {
  first_us.insert(first_us.end(), other.first_us.begin(), other.first_us.end());
  whole_us.insert(whole_us.end(), other.whole_us.begin(), other.whole_us.end());
  failed += other.failed;
  if (failure.empty()) failure = other.failure;
}

std::string CompletionBody(const std::string& model, bool stream, size_t prompt_bytes) {
  std::string prompt;
  while (prompt.size() < prompt_bytes) prompt += "Rename the function and all of its callers. ";
  return absl::StrCat(R"({"model":")", model, R"(","messages":[{"role":"system","content":)",
                      R"("You write code."},{"role":"user","content":")", prompt,
                      R"("}],"max_tokens":1000,"stream":)", stream ? "true" : "false",
                      stream ? R"(,"stream_options":{"include_usage":true})" : "", "}");
}

CompletionTimes RunSteadyLoad(http::Client& client, const CompletionTarget& target, bool stream,
                              double rate, absl::Duration length) {
  base::Clock& clock = base::RealClock();
  const auto count = static_cast<size_t>(rate * absl::ToDoubleSeconds(length));
  const std::string body = CompletionBody(target.model, stream, kLoadPromptBytes);
  std::vector<Asked> asked(count);
  base::Mutex mutex;
  base::CondVar changed;
  CompletionTimes times;
  size_t ended = 0;
  const absl::Duration begin = clock.Elapsed() + absl::Milliseconds(5);
  for (size_t i = 0; i < count; ++i) {
    Asked& one = asked[i];
    one.due = begin + length * (static_cast<double>(i) / static_cast<double>(count));
    {
      base::MutexLock lock(mutex);
      for (absl::Duration left; (left = one.due - clock.Elapsed()) > absl::ZeroDuration();) {
        changed.WaitFor(mutex, left);
      }
    }
    http::ClientCallbacks callbacks;
    callbacks.on_data = [&one](absl::string_view chunk) {
      one.Take(chunk);
      return http::ClientCallbacks::Flow::kContinue;
    };
    callbacks.on_done = [&, &one = one](const http::ClientResult& result) {
      const absl::Duration now = clock.Elapsed();
      const std::string failure = one.Failure(result, stream);
      base::MutexLock lock(mutex);
      if (failure.empty()) {
        times.first_us.push_back(Microseconds(one.first - one.due));
        times.whole_us.push_back(Microseconds(now - one.due));
      } else {
        ++times.failed;
        times.failure = failure;
      }
      ++ended;
      changed.NotifyAll();
    };
    one.handle = client.Start(RequestTo(target, i, body), std::move(callbacks));
  }
  {
    base::MutexLock lock(mutex);
    while (ended < count) changed.Wait(mutex);
  }
  return times;
}

struct OpenStreams::State {
  base::Mutex mutex;
  base::CondVar changed;
  int open ABSL_GUARDED_BY(mutex) = 0;  // Have given their first byte.
  Ends ends ABSL_GUARDED_BY(mutex);
  int failed_first ABSL_GUARDED_BY(mutex) = 0;  // Failed before that.
};

OpenStreams::OpenStreams(http::Client& client, const CompletionTarget& target, int count,
                         absl::Duration pace, size_t prompt_bytes)
    : state_(std::make_shared<State>()) {
  base::Clock& clock = base::RealClock();
  const std::string body = CompletionBody(target.model, /*stream=*/true, prompt_bytes);
  for (int i = 0; i < count; ++i) {
    const absl::Duration due = clock.Elapsed() + pace;
    const auto one = std::make_shared<Asked>();
    http::ClientCallbacks callbacks;
    callbacks.on_data = [one, state = state_](absl::string_view chunk) {
      const bool first = one->first == absl::ZeroDuration();
      one->Take(chunk);
      if (first) {
        base::MutexLock lock(state->mutex);
        ++state->open;
        state->changed.NotifyAll();
      }
      return http::ClientCallbacks::Flow::kContinue;
    };
    callbacks.on_done = [one, state = state_](const http::ClientResult& result) {
      const std::string failure = one->Failure(result, /*stream=*/true);
      base::MutexLock lock(state->mutex);
      if (failure.empty()) {
        ++state->ends.whole;
      } else {
        ++state->ends.failed;
        state->ends.failure = failure;
        if (one->first == absl::ZeroDuration()) ++state->failed_first;
      }
      state->changed.NotifyAll();
    };
    handles_.push_back(
        client.Start(RequestTo(target, static_cast<size_t>(i), body), std::move(callbacks)));
    base::MutexLock lock(state_->mutex);
    for (absl::Duration left; (left = due - clock.Elapsed()) > absl::ZeroDuration();) {
      state_->changed.WaitFor(state_->mutex, left);
    }
  }
}

OpenStreams::~OpenStreams() = default;

int OpenStreams::AwaitFirstBytes() {
  base::MutexLock lock(state_->mutex);
  while (state_->open + state_->failed_first < static_cast<int>(handles_.size())) {
    state_->changed.Wait(state_->mutex);
  }
  return state_->open - state_->ends.whole - (state_->ends.failed - state_->failed_first);
}

OpenStreams::Ends OpenStreams::AwaitEnds() {
  base::MutexLock lock(state_->mutex);
  while (state_->ends.whole + state_->ends.failed < static_cast<int>(handles_.size())) {
    state_->changed.Wait(state_->mutex);
  }
  return state_->ends;
}

}  // namespace slipway::bench
