#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/http/server.h"
#include "lib/http/sse_parser.h"

namespace slipway::models {

// An endpoint in every dialect on a free port, which answers as each test says. Thread-safe.
class FakeEndpoint final {
 public:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  using Answer = std::function<void(const Writer&)>;

  FakeEndpoint() {
    http::Router router;
    router.Prefix("POST", "/v1/", [this](http::Request request, Writer writer) {
      Serve(std::move(request), std::move(writer));
    });
    server_ = http::Server::Start({.address = "127.0.0.1:0"}, std::move(router)).value();
  }

  std::string base_url() const { return absl::StrCat("http://127.0.0.1:", server_->port(), "/v1"); }

  // Answers the next request; the last answer stays.
  void Then(Answer answer) {
    base::MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
  }

  std::vector<http::Request> requests() {
    base::MutexLock lock(mutex_);
    return requests_;
  }
  // Whether there was a request within `patience`.
  bool AwaitRequest(absl::Duration patience) {
    base::MutexLock lock(mutex_);
    while (requests_.empty() && changed_.WaitFor(mutex_, patience)) {
    }
    return !requests_.empty();
  }
  void AwaitDisconnect() {
    base::MutexLock lock(mutex_);
    while (!disconnected_) changed_.Wait(mutex_);
  }

  static std::string Text(const std::string& text) {
    return http::SseFrame(
        "", absl::StrCat(R"({"model":"gpt-test","choices":[{"index":0,"delta":{"content":")", text,
                         R"("},"finish_reason":null}],"usage":null})"));
  }
  static std::string Stop() {
    return http::SseFrame("", R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  }
  static std::string Usage(int input, int cached, int output) {
    return http::SseFrame(
        "", absl::StrCat(R"({"choices":[],"usage":{"prompt_tokens":)", input,
                         R"(,"completion_tokens":)", output,
                         R"(,"prompt_tokens_details":{"cached_tokens":)", cached, "}}}"));
  }
  static std::string Done() { return http::SseFrame("", "[DONE]"); }

  // A stream of `frames` that ends as it should.
  static Answer Stream(std::vector<std::string> frames) {
    return [frames](const Writer& writer) {
      writer->Start(200, {{"Content-Type", "text/event-stream"}});
      for (const std::string& frame : frames) writer->Write(frame);
      writer->Finish();
    };
  }
  // A stream that breaks off: the writer is dropped before Finish.
  static Answer Cut(std::vector<std::string> frames) {
    return [frames](const Writer& writer) {
      writer->Start(200, {{"Content-Type", "text/event-stream"}});
      for (const std::string& frame : frames) writer->Write(frame);
    };
  }
  // A stream that stays open until the client goes.
  Answer Hang(std::vector<std::string> frames) {
    return [this, frames](const Writer& writer) {
      writer->Start(200, {{"Content-Type", "text/event-stream"}});
      for (const std::string& frame : frames) writer->Write(frame);
      writer->OnDisconnect([this] {
        base::MutexLock lock(mutex_);
        disconnected_ = true;
        changed_.NotifyAll();
      });
      base::MutexLock lock(mutex_);
      if (!disconnected_) held_ = writer;
    };
  }
  static Answer Fail(int status, http::Headers headers, const std::string& code) {
    return [status, headers, code](const Writer& writer) {
      writer->Send(status, headers,
                   absl::StrCat(R"({"error":{"message":"m","type":"t","code":")", code, "\"}}"));
    };
  }

 private:
  void Serve(http::Request request, Writer writer) {
    Answer answer;
    {
      base::MutexLock lock(mutex_);
      requests_.push_back(std::move(request));
      changed_.NotifyAll();
      answer = answers_.front();
      if (answers_.size() > 1) answers_.pop_front();
    }
    answer(writer);
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<http::Request> requests_ ABSL_GUARDED_BY(mutex_);
  bool disconnected_ ABSL_GUARDED_BY(mutex_) = false;
  Writer held_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::models
