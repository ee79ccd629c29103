#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "lib/base/mutex.h"
#include "lib/http/router.h"
#include "lib/http/server.h"
#include "lib/http/sse_parser.h"

namespace slipway::agent {

// The models proxy: answers each call with the next reply of its list, the last one again and
// again.
class FakeModels final {
 public:
  struct Reply {
    std::string text;
    int status = 200;
    std::string retry_after;
    std::string error_code;
    bool hang = false;  // Never answers.
    bool held = false;  // Answers when it is released.
    bool streamed = true;
    bool cut_off = false;  // The connection breaks in the middle.
  };

  explicit FakeModels(const std::string& socket) {
    http::Router router;
    router.Route("POST", "/v1/chat/completions",
                 [this](http::Request request, std::shared_ptr<http::ResponseWriter> writer) {
                   Serve(std::move(request), std::move(writer));
                 });
    server_ = http::Server::Start({.address = "unix:" + socket}, std::move(router)).value();
  }
  ~FakeModels() {
    Release();
    hanging_.clear();
    server_->Stop();
  }

  void Add(Reply reply) {
    base::MutexLock lock(mutex_);
    replies_.push_back(std::move(reply));
  }

  // Answers the calls that are held, and holds none from now on.
  void Release() {
    std::vector<std::pair<Reply, std::shared_ptr<http::ResponseWriter>>> held;
    {
      base::MutexLock lock(mutex_);
      released_ = true;
      held.swap(held_);
    }
    for (const auto& [reply, writer] : held) Answer(reply, *writer);
  }

  // The bodies and keys of the calls so far.
  std::vector<nlohmann::json> calls() const {
    base::MutexLock lock(mutex_);
    return calls_;
  }
  std::vector<std::string> keys() const {
    base::MutexLock lock(mutex_);
    return keys_;
  }
  // The last message of call `index`.
  std::string Question(size_t index) const {
    return calls().at(index)["messages"].back()["content"].get<std::string>();
  }

 private:
  void Serve(http::Request request, std::shared_ptr<http::ResponseWriter> writer) {
    Reply reply;
    {
      base::MutexLock lock(mutex_);
      calls_.push_back(nlohmann::json::parse(request.body));
      keys_.push_back(std::string(request.headers.Get("authorization")));
      reply = replies_.front();
      if (replies_.size() > 1) replies_.pop_front();
      if (reply.hang) return hanging_.push_back(std::move(writer));
      if (reply.held && !released_) return held_.push_back({reply, std::move(writer)});
    }
    Answer(reply, *writer);
  }

  static void Answer(const Reply& reply, http::ResponseWriter& writer) {
    if (reply.status != 200) {
      http::Headers headers = {{"Content-Type", "application/json"}};
      if (!reply.retry_after.empty()) headers.Add("Retry-After", reply.retry_after);
      return writer.Send(
          reply.status, headers,
          nlohmann::json{{"error", {{"code", reply.error_code}, {"message", reply.text}}}}.dump());
    }
    if (!reply.streamed) {
      const nlohmann::json body = {
          {"choices", {{{"message", {{"content", reply.text}}}, {"finish_reason", "stop"}}}}};
      return writer.Send(200, {{"Content-Type", "application/json"}}, body.dump());
    }
    writer.Start(200, {{"Content-Type", "text/event-stream"}});
    const size_t size = reply.cut_off ? reply.text.size() / 2 : reply.text.size();
    for (size_t from = 0; from < size;) {
      // Never cuts a character in two: JSON would not carry that.
      size_t end = std::min(from + 7'001, size);
      while (end < size && (reply.text[end] & 0xc0) == 0x80) ++end;
      Say(nlohmann::json{{"choices",
                          {{{"delta", {{"content", reply.text.substr(from, end - from)}}}}}}},
          writer);
      from = end;
    }
    if (reply.cut_off) return;
    Say(nlohmann::json{{"choices",
                        {{{"delta", nlohmann::json::object()}, {"finish_reason", "stop"}}}}},
        writer);
    writer.Write(http::SseFrame("", "[DONE]"));
    writer.Finish();
  }

  static void Say(const nlohmann::json& json, http::ResponseWriter& writer) {
    writer.Write(http::SseFrame("", json.dump()));
  }

  mutable base::Mutex mutex_;
  std::deque<Reply> replies_;
  std::vector<nlohmann::json> calls_;
  std::vector<std::string> keys_;
  std::vector<std::shared_ptr<http::ResponseWriter>> hanging_;
  std::vector<std::pair<Reply, std::shared_ptr<http::ResponseWriter>>> held_;
  bool released_ = false;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::agent
