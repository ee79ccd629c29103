#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/http/server.h"
#include "lib/testkit/tls_front.h"
#include "nlohmann/json.hpp"

namespace slipway::dispatcher {

// The API of a Kubernetes cluster as its documentation describes it, over TLS: objects with uids
// and resource versions, lists in pages, watches from a version with bookmarks, a bounded history
// (410), conflicts (409), and what its controllers do: a job gets a pod unless a quota forbids it,
// what belongs to a job goes with it. Pods do what a test says. The only account may do what the
// role in deploy/kubernetes/agents.yaml says. Serves one namespace. Thread-safe.
class FakeCluster final {
 public:
  enum class Fault {
    kError,      // 500, and nothing was done.
    kLateError,  // It was done, and 504.
    kLostReply,  // It was done, and the connection broke.
    kBusy,       // 429 with Retry-After: 1, and nothing was done.
    kForbidden,  // 403, and nothing was done.
  };
  using Object = nlohmann::json;
  using Objects = std::map<std::string, Object>;  // By name.
  static constexpr char kNamespace[] = "agents";
  static constexpr char kToken[] = "account-token";

  FakeCluster();
  ~FakeCluster();

  std::string server() const;
  const std::string ca_file() const { return authority_.file(); }
  testkit::CertificateAuthority& authority() { return authority_; }

  // The API server away and back, its objects as they were.
  void Begin();
  void End();

  // The next `times` calls "POST jobs", "GET pods", "WATCH jobs", ... fail.
  void Fail(const std::string& call, Fault fault, int times = 1);

  // Whether pods run as soon as they have their secret; else they stay pending.
  void set_runs_pods(bool runs);
  // What FailedCreate says of a job, which then gets no pod; empty: it gets one.
  void set_refuses_pods(const std::string& message);
  // How many objects a page of a list has at most, whatever is asked for.
  void set_page_size(size_t size);

  // Replaces the status of the pod of `job`.
  void SetPod(const std::string& job, const Object& status);
  // Adds, replaces or removes an object by hand, as kubectl does.
  void Put(const std::string& kind, Object object);
  void Remove(const std::string& kind, const std::string& name);

  // Forgets the history before now, and with it what a watch could be taken up from.
  void Compact();
  // Ends watches as the server's timeout does, and tells their version before if asked to.
  void EndWatches();
  void SendBookmarks();
  // Breaks every connection.
  void Cut() { front_->Cut(); }

  // Whether it becomes true of the objects of `kind` before a test's patience ends.
  bool Await(const std::string& kind, const std::function<bool(const Objects&)>& condition,
             absl::Duration patience = absl::Seconds(20));
  Objects objects(const std::string& kind);
  int calls(const std::string& call);
  bool AwaitCalls(const std::string& call, int count, absl::Duration patience = absl::Seconds(20));
  // The query of the last such call.
  std::string last_query(const std::string& call);

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  struct Answer {
    int status = 200;
    Object body;
  };
  struct Change {
    int64_t version;
    std::string kind;
    std::string type;
    Object object;
  };
  struct Stream {
    std::string kind;
    std::string selector;
    Writer writer;
  };

  void Handle(const http::Request& request, const Writer& writer);
  Answer Do(const std::string& verb, const std::string& kind, const std::string& name,
            const http::Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer List(const std::string& kind, const http::Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Create(const std::string& kind, const http::Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Replace(const std::string& kind, const std::string& name, const http::Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Delete(const std::string& kind, const std::string& name, const http::Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginWatch(const std::string& kind, const http::Request& request, const Writer& writer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Object& Store(const std::string& kind, Object object, const char* type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(const std::string& kind, const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunJobController(const Object& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunKubelet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  testkit::TemporaryDirectory directory_;
  testkit::CertificateAuthority authority_;
  const testkit::CertificateFiles certificate_ = authority_.Issue({.address = "127.0.0.1"});
  const std::map<std::string, std::set<std::string>> verbs_;  // Of the role, by kind.
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<testkit::TlsFront> front_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, Objects> objects_ ABSL_GUARDED_BY(mutex_);  // By kind.
  std::deque<Change> history_ ABSL_GUARDED_BY(mutex_);
  std::vector<Stream> streams_ ABSL_GUARDED_BY(mutex_);
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 100;
  int64_t compacted_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t uids_ ABSL_GUARDED_BY(mutex_) = 0;
  bool runs_pods_ ABSL_GUARDED_BY(mutex_) = true;
  std::string refusal_ ABSL_GUARDED_BY(mutex_);
  size_t page_size_ ABSL_GUARDED_BY(mutex_) = 500;
  std::map<std::string, std::pair<Fault, int>> faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> queries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
