#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/base/mutex.h"
#include "lib/http/server.h"
#include "nlohmann/json.hpp"

namespace slipway::dispatcher {

// A Docker engine as its API shows it, without containers: what is made "runs" until the test ends
// it. Answers as Docker 20.10 does, status by status, and fails as a test says. Thread-safe.
class FakeEngine final {
 public:
  enum class Fault {
    kError,      // 500, and nothing was done.
    kLateError,  // It was done, and 500.
    kLostReply,  // It was done, and the connection broke.
    kNotFound,   // 404 with the engine's words about an image.
  };
  struct Container {
    std::string id;
    std::string name;
    std::string state = "created";
    nlohmann::json spec;
    int code = 0;
    int starts = 0;
    std::string signal;  // The last one.
    std::string output;
  };

  explicit FakeEngine(std::string socket) : socket_(std::move(socket)) { Begin(); }
  ~FakeEngine() { End(); }

  // As `systemctl start` and `stop` do, but that containers are left alone.
  void Begin();
  void End() { server_.reset(); }

  // The next `times` calls of "list", "create", "start", "kill", "remove" or "inspect" fail.
  void Fail(const std::string& call, Fault fault, int times = 1);

  // Makes one that runs.
  void Add(const std::string& name, const std::map<std::string, std::string>& labels);
  void Exit(const std::string& name, int code, const std::string& output = "");

  // Whether it becomes true of the containers, by name, before a test's patience ends.
  using Containers = std::map<std::string, Container>;
  bool Await(const std::function<bool(const Containers&)>& condition);

  int calls(const std::string& call);

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  struct Answer {
    int status = 200;
    std::string body;
  };

  http::Router Routes();
  // Does `act` unless a fault says otherwise, and answers.
  void Serve(const std::string& call, const Writer& writer, const std::function<Answer()>& act);
  Container* Find(const std::string& name_or_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer List(const http::Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Create(const http::Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Inspect(const http::Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string socket_;
  std::unique_ptr<http::Server> server_;
  base::Mutex mutex_;
  base::CondVar changed_;
  Containers containers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<Fault, int>> faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::dispatcher
