#include "services/dispatcher/testing/fake_cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/clock.h"
#include "services/dispatcher/testing/cluster_role.h"

namespace slipway::dispatcher {
namespace {

using Object = FakeCluster::Object;

struct Kind {
  const char* plural;
  const char* api;
  const char* name;
};
constexpr Kind kKinds[] = {{"jobs", "batch/v1", "Job"},
                           {"pods", "v1", "Pod"},
                           {"secrets", "v1", "Secret"},
                           {"events", "v1", "Event"},
                           {"networkpolicies", "networking.k8s.io/v1", "NetworkPolicy"}};

const Kind& KindOf(const std::string& plural) {
  return *std::find_if(std::begin(kKinds), std::end(kKinds),
                       [&](const Kind& kind) { return plural == kind.plural; });
}

// The server's own errors, as it writes them.
Object Failure(int code, const std::string& reason, const std::string& message) {
  return {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Object::object()},
          {"status", "Failure"}, {"message", message}, {"reason", reason},
          {"code", code}};
}

Object NotFoundFailure(const std::string& kind, const std::string& name) {
  return Failure(404, "NotFound", absl::StrCat(kind, " \"", name, "\" not found"));
}

std::string LabelOf(const Object& object, const std::string& label) {
  return object["metadata"].value("labels", Object::object()).value(label, "");
}

bool Matches(const Object& object, const std::string& selector) {
  for (const absl::string_view term : absl::StrSplit(selector, ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> wanted =
        absl::StrSplit(term, absl::MaxSplits('=', 1));
    if (LabelOf(object, wanted.first) != wanted.second) return false;
  }
  return true;
}

bool MatchesFields(const Object& object, const std::string& selector) {
  for (const absl::string_view term : absl::StrSplit(selector, ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> wanted =
        absl::StrSplit(term, absl::MaxSplits('=', 1));
    const Object* at = &object;
    for (const absl::string_view part : absl::StrSplit(wanted.first, '.')) {
      if (!at->contains(std::string(part))) return false;
      at = &(*at)[std::string(part)];
    }
    if (*at != wanted.second) return false;
  }
  return true;
}

bool OwnedBy(const Object& object, const std::string& uid) {
  for (const Object& owner : object["metadata"].value("ownerReferences", Object::array())) {
    if (owner.value("uid", "") == uid) return true;
  }
  return false;
}

std::string Line(const std::string& type, const Object& object) {
  return Object({{"type", type}, {"object", object}}).dump() + "\n";
}

}  // namespace

FakeCluster::FakeCluster() : verbs_(VerbsOfRole()) {
  Begin();
  front_ = std::make_unique<testkit::TlsFront>(testkit::TlsFront::Options{
      .certificate = certificate_, .target = directory_.File("api.sock")});
}

FakeCluster::~FakeCluster() {
  End();
  front_.reset();
}

std::string FakeCluster::server() const {
  return absl::StrCat("https://127.0.0.1:", front_->port());
}

void FakeCluster::Begin() {
  http::Router router;
  const auto handle = [this](const http::Request& request, const Writer& writer) {
    Handle(request, writer);
  };
  router.Prefix("*", "/api/", handle);
  router.Prefix("*", "/apis/", handle);
  server_ = http::Server::Start({.address = absl::StrCat("unix:", directory_.File("api.sock")),
                                 .drain_timeout = absl::ZeroDuration()},
                                std::move(router))
                .value();
}

void FakeCluster::End() {
  {
    base::MutexLock lock(mutex_);
    streams_.clear();  // Which breaks them.
  }
  server_.reset();
}

void FakeCluster::Fail(const std::string& call, Fault fault, int times) {
  base::MutexLock lock(mutex_);
  faults_[call] = {fault, times};
}

void FakeCluster::set_runs_pods(bool runs) {
  base::MutexLock lock(mutex_);
  runs_pods_ = runs;
  RunKubelet();
}

void FakeCluster::set_refuses_pods(const std::string& message) {
  base::MutexLock lock(mutex_);
  refusal_ = message;
}

void FakeCluster::set_page_size(size_t size) {
  base::MutexLock lock(mutex_);
  page_size_ = size;
}

void FakeCluster::SetPod(const std::string& job, const Object& status) {
  base::MutexLock lock(mutex_);
  for (const auto& [name, pod] : Objects(objects_["pods"])) {
    if (LabelOf(pod, "job-name") != job) continue;
    Object changed = pod;
    changed["status"] = status;
    Store("pods", std::move(changed), "MODIFIED");
  }
  const bool ended =
      status.value("phase", "") == "Failed" || status.value("phase", "") == "Succeeded";
  const auto found = objects_["jobs"].find(job);
  if (!ended || found == objects_["jobs"].end()) return;
  Object finished = found->second;
  const bool failed = status["phase"] == "Failed";
  finished["status"]["conditions"] =
      Object::array({{{"type", failed ? "Failed" : "Complete"},
                      {"status", "True"},
                      {"reason", failed ? "BackoffLimitExceeded" : "CompletionsReached"},
                      {"message", failed ? "Job has reached the specified backoff limit" : ""}}});
  Store("jobs", std::move(finished), "MODIFIED");
}

void FakeCluster::Put(const std::string& kind, Object object) {
  base::MutexLock lock(mutex_);
  const bool known = objects_[kind].count(object["metadata"]["name"]) > 0;
  Store(kind, std::move(object), known ? "MODIFIED" : "ADDED");
}

void FakeCluster::Remove(const std::string& kind, const std::string& name) {
  base::MutexLock lock(mutex_);
  Erase(kind, name);
}

void FakeCluster::Compact() {
  base::MutexLock lock(mutex_);
  history_.clear();
  compacted_ = version_;
}

void FakeCluster::EndWatches() {
  base::MutexLock lock(mutex_);
  for (const Stream& stream : streams_) stream.writer->Finish();
  streams_.clear();
}

void FakeCluster::SendBookmarks() {
  base::MutexLock lock(mutex_);
  for (const Stream& stream : streams_) {
    const Kind& kind = KindOf(stream.kind);
    stream.writer->Write(Line("BOOKMARK", {{"kind", kind.name},
                                           {"apiVersion", kind.api},
                                           {"metadata",
                                            {{"resourceVersion", absl::StrCat(version_)},
                                             {"creationTimestamp", nullptr}}}}));
  }
}

bool FakeCluster::Await(const std::string& kind,
                        const std::function<bool(const Objects&)>& condition,
                        absl::Duration patience) {
  const absl::Duration end = base::RealClock().Elapsed() + patience;
  base::MutexLock lock(mutex_);
  while (!condition(objects_[kind])) {
    const absl::Duration left = end - base::RealClock().Elapsed();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

bool FakeCluster::AwaitCalls(const std::string& call, int count, absl::Duration patience) {
  const auto came = [&](const Objects&)
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return calls_[call] >= count; };
  return Await("jobs", came, patience);
}

FakeCluster::Objects FakeCluster::objects(const std::string& kind) {
  base::MutexLock lock(mutex_);
  return objects_[kind];
}

int FakeCluster::calls(const std::string& call) {
  base::MutexLock lock(mutex_);
  return calls_[call];
}

std::string FakeCluster::last_query(const std::string& call) {
  base::MutexLock lock(mutex_);
  return queries_[call];
}

// "/apis/batch/v1/namespaces/agents/jobs/NAME".
void FakeCluster::Handle(const http::Request& request, const Writer& writer) {
  base::MutexLock lock(mutex_);
  if (request.headers.Get("Authorization") != absl::StrCat("Bearer ", kToken)) {
    return writer->Send(401, {}, Failure(401, "Unauthorized", "Unauthorized").dump());
  }
  const std::vector<std::string> parts = absl::StrSplit(request.path, "/namespaces/");
  const std::vector<std::string> names = absl::StrSplit(parts.back(), '/');
  if (parts.size() != 2 || names.size() < 2 || names[0] != kNamespace) {
    return writer->Send(403, {}, Failure(403, "Forbidden", "another namespace").dump());
  }
  const std::string& kind = names[1];
  const bool known = std::any_of(std::begin(kKinds), std::end(kKinds), [&](const Kind& one) {
    return kind == one.plural &&
           parts[0] == absl::StrCat(absl::StrContains(one.api, "/") ? "/apis/" : "/api/", one.api);
  });
  if (!known) {
    return writer->Send(404, {},
                        Failure(404, "NotFound",
                                "the server could not find the requested "
                                "resource")
                            .dump());
  }
  const bool watch = request.QueryParameter("watch").value_or("") == "1";
  const std::string verb = VerbOf(request.method, names.size() > 2, watch);
  const auto allowed = verbs_.find(kind);
  if (allowed == verbs_.end() || allowed->second.count(verb) == 0) {
    return writer->Send(
        403, {},
        Failure(403, "Forbidden",
                absl::StrCat(kind, " is forbidden: User cannot ", verb, " resource \"", kind, "\""))
            .dump());
  }
  const std::string call = absl::StrCat(watch ? "WATCH" : request.method, " ", kind);
  ++calls_[call];
  queries_[call] = request.target;
  changed_.NotifyAll();
  const std::string name = names.size() > 2 ? names[2] : "";
  const auto fault = faults_.find(call);
  if (fault == faults_.end() || fault->second.second-- <= 0) {
    if (watch) return BeginWatch(kind, request, writer);
    const Answer answer = Do(request.method, kind, name, request);
    return writer->Send(answer.status, {{"Content-Type", "application/json"}}, answer.body.dump());
  }
  switch (fault->second.first) {
    case Fault::kError:
      return writer->Send(500, {}, Failure(500, "InternalError", "etcdserver: no leader").dump());
    case Fault::kLateError:
      Do(request.method, kind, name, request);
      return writer->Send(504, {}, Failure(504, "Timeout", "request did not complete").dump());
    case Fault::kLostReply:
      Do(request.method, kind, name, request);
      return writer->Start(200, {{"Content-Length", "1000"}});
    case Fault::kBusy:
      return writer->Send(429, {{"Retry-After", "1"}},
                          Failure(429, "TooManyRequests", "too many requests").dump());
    case Fault::kForbidden:
      return writer->Send(403, {},
                          Failure(403, "Forbidden",
                                  absl::StrCat(kind,
                                               " is forbidden: exceeded quota: team, "
                                               "requested: count/jobs.batch=1"))
                              .dump());
  }
}

FakeCluster::Answer FakeCluster::Do(const std::string& verb, const std::string& kind,
                                    const std::string& name, const http::Request& request) {
  if (verb == "POST") return Create(kind, request);
  if (verb == "DELETE") return Delete(kind, name, request);
  if (verb == "PUT") return Replace(kind, name, request);
  if (name.empty()) return List(kind, request);
  const auto found = objects_[kind].find(name);
  if (found == objects_[kind].end()) return {404, NotFoundFailure(kind, name)};
  return {200, found->second};
}

FakeCluster::Answer FakeCluster::List(const std::string& kind, const http::Request& request) {
  const std::string selector = request.QueryParameter("labelSelector").value_or("");
  const std::string fields = request.QueryParameter("fieldSelector").value_or("");
  const std::string after = request.QueryParameter("continue").value_or("");
  size_t limit = page_size_;
  size_t asked = 0;
  if (absl::SimpleAtoi(request.QueryParameter("limit").value_or(""), &asked) && asked > 0) {
    limit = std::min(limit, asked);
  }
  Object items = Object::array();
  std::string token;
  for (const auto& [name, object] : objects_[kind]) {
    if (name <= after || !Matches(object, selector) || !MatchesFields(object, fields)) continue;
    if (items.size() == limit) {
      token = items.back()["metadata"]["name"];
      break;
    }
    items.push_back(object);
  }
  Object metadata = {{"resourceVersion", absl::StrCat(version_)}};
  if (!token.empty()) metadata["continue"] = token;
  return {200,
          {{"kind", absl::StrCat(KindOf(kind).name, "List")},
           {"apiVersion", KindOf(kind).api},
           {"metadata", metadata},
           {"items", items}}};
}

FakeCluster::Answer FakeCluster::Create(const std::string& kind, const http::Request& request) {
  Object object = Object::parse(request.body, nullptr, false);
  const Kind& expected = KindOf(kind);
  if (!object.is_object() || object.value("kind", "") != expected.name ||
      object.value("apiVersion", "") != expected.api) {
    return {400, Failure(400, "BadRequest", "the object provided is unrecognized")};
  }
  const std::string name = object["metadata"].value("name", "");
  if (objects_[kind].count(name) > 0) {
    return {409,
            Failure(409, "AlreadyExists", absl::StrCat(kind, " \"", name, "\" already exists"))};
  }
  object["metadata"]["namespace"] = kNamespace;
  object["metadata"]["uid"] = absl::StrCat("uid-", ++uids_);
  object["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
  const Object stored = Store(kind, std::move(object), "ADDED");
  if (kind == "jobs") RunJobController(stored);
  RunKubelet();
  return {201, stored};
}

FakeCluster::Answer FakeCluster::Replace(const std::string& kind, const std::string& name,
                                         const http::Request& request) {
  const auto found = objects_[kind].find(name);
  if (found == objects_[kind].end()) return {404, NotFoundFailure(kind, name)};
  Object object = Object::parse(request.body, nullptr, false);
  const std::string version = object["metadata"].value("resourceVersion", "");
  if (!version.empty() && found->second["metadata"]["resourceVersion"] != version) {
    return {409, Failure(409, "Conflict", "the object has been modified")};
  }
  object["metadata"]["uid"] = found->second["metadata"]["uid"];
  return {200, Store(kind, std::move(object), "MODIFIED")};
}

FakeCluster::Answer FakeCluster::Delete(const std::string& kind, const std::string& name,
                                        const http::Request& request) {
  const auto found = objects_[kind].find(name);
  if (found == objects_[kind].end()) return {404, NotFoundFailure(kind, name)};
  const Object options =
      request.body.empty() ? Object::object() : Object::parse(request.body, nullptr, false);
  const std::string uid = found->second["metadata"]["uid"];
  Erase(kind, name);
  // A job whose deletion says nothing leaves its pods behind.
  if (kind == "jobs" && options.value("propagationPolicy", "Orphan") != "Orphan") {
    for (const char* const owned : {"pods", "secrets"}) {
      for (const auto& [other, object] : Objects(objects_[owned])) {
        if (OwnedBy(object, uid)) Erase(owned, other);
      }
    }
  }
  return {200, {{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}}};
}

void FakeCluster::BeginWatch(const std::string& kind, const http::Request& request,
                             const Writer& writer) {
  int64_t from = 0;
  if (!absl::SimpleAtoi(request.QueryParameter("resourceVersion").value_or(""), &from)) {
    return writer->Send(400, {}, Failure(400, "BadRequest", "resourceVersion").dump());
  }
  writer->Start(200, {{"Content-Type", "application/json"}});
  if (from < compacted_) {
    writer->Write(Line(
        "ERROR", Failure(410, "Expired",
                         absl::StrCat("too old resource version: ", from, " (", compacted_, ")"))));
    return writer->Finish();
  }
  const Stream stream{kind, request.QueryParameter("labelSelector").value_or(""), writer};
  for (const Change& change : history_) {
    if (change.kind != kind || change.version <= from) continue;
    if (Matches(change.object, stream.selector)) writer->Write(Line(change.type, change.object));
  }
  streams_.push_back(stream);
}

FakeCluster::Object& FakeCluster::Store(const std::string& kind, Object object, const char* type) {
  object["metadata"]["resourceVersion"] = absl::StrCat(++version_);
  const std::string name = object["metadata"]["name"];
  Object& stored = objects_[kind][name] = std::move(object);
  Tell({version_, kind, type, stored});
  return stored;
}

void FakeCluster::Erase(const std::string& kind, const std::string& name) {
  const auto found = objects_[kind].find(name);
  if (found == objects_[kind].end()) return;
  Object object = std::move(found->second);
  objects_[kind].erase(found);
  object["metadata"]["resourceVersion"] = absl::StrCat(++version_);
  Tell({version_, kind, "DELETED", std::move(object)});
}

void FakeCluster::RunJobController(const Object& job) {
  const std::string name = job["metadata"]["name"];
  if (!refusal_.empty()) {
    Store("events",
          {{"metadata", {{"name", absl::StrCat(name, ".1")}}},
           {"involvedObject", {{"kind", "Job"}, {"name", name}}},
           {"reason", "FailedCreate"},
           {"type", "Warning"},
           {"message", absl::StrCat("Error creating: ", refusal_)}},
          "ADDED");
    return;
  }
  Object labels = job["spec"]["template"]["metadata"]["labels"];
  labels["job-name"] = name;
  labels["batch.kubernetes.io/job-name"] = name;
  Store("pods",
        {{"metadata",
          {{"name", absl::StrCat(name, "-x7k2p")},
           {"uid", absl::StrCat("uid-", ++uids_)},
           {"labels", labels},
           {"ownerReferences",
            Object::array({{{"kind", "Job"}, {"name", name}, {"uid", job["metadata"]["uid"]}}})}}},
         {"spec", job["spec"]["template"]["spec"]},
         {"status", {{"phase", "Pending"}}}},
        "ADDED");
}

void FakeCluster::RunKubelet() {
  if (!runs_pods_) return;
  for (const auto& [name, pod] : Objects(objects_["pods"])) {
    const std::string job = LabelOf(pod, "job-name");
    if (pod["status"].value("phase", "") != "Pending" || objects_["secrets"].count(job) == 0)
      continue;
    Object running = pod;
    running["status"] = {
        {"phase", "Running"},
        {"containerStatuses",
         Object::array(
             {{{"name", "agent"}, {"ready", true}, {"state", {{"running", Object::object()}}}}})}};
    Store("pods", std::move(running), "MODIFIED");
  }
}

void FakeCluster::Tell(const Change& change) {
  history_.push_back(change);
  for (const Stream& stream : streams_) {
    if (stream.kind != change.kind || !Matches(change.object, stream.selector)) continue;
    stream.writer->Write(Line(change.type, change.object));
  }
  changed_.NotifyAll();
}

}  // namespace slipway::dispatcher
