#include "services/dispatcher/testing/fake_engine.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

std::string Message(const std::string& text) { return nlohmann::json({{"message", text}}).dump(); }

// A frame of a log as the engine sends it.
std::string Framed(const std::string& line) {
  std::string head = {2, 0, 0, 0, 0, 0, 0, static_cast<char>(line.size() + 1)};
  return head + line + "\n";
}

}  // namespace

void FakeEngine::Begin() {
  server_ = http::Server::Start(
                {.address = absl::StrCat("unix:", socket_), .drain_timeout = absl::ZeroDuration()},
                Routes())
                .value();
}

void FakeEngine::Fail(const std::string& call, Fault fault, int times) {
  base::MutexLock lock(mutex_);
  faults_[call] = {fault, times};
}

void FakeEngine::Add(const std::string& name, const std::map<std::string, std::string>& labels) {
  base::MutexLock lock(mutex_);
  containers_[name] = {.id = absl::StrCat("id", ++made_),
                       .name = name,
                       .state = "running",
                       .spec = {{"Labels", labels}}};
}

void FakeEngine::Exit(const std::string& name, int code, const std::string& output) {
  base::MutexLock lock(mutex_);
  containers_.at(name).state = "exited";
  containers_.at(name).code = code;
  containers_.at(name).output = output;
}

bool FakeEngine::Await(const std::function<bool(const Containers&)>& condition) {
  const absl::Duration end = base::RealClock().Elapsed() + kPatience;
  base::MutexLock lock(mutex_);
  while (!condition(containers_)) {
    const absl::Duration left = end - base::RealClock().Elapsed();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

int FakeEngine::calls(const std::string& call) {
  base::MutexLock lock(mutex_);
  return calls_[call];
}

FakeEngine::Container* FakeEngine::Find(const std::string& name_or_id) {
  for (auto& [name, container] : containers_) {
    if (name == name_or_id || container.id == name_or_id) return &container;
  }
  return nullptr;
}

FakeEngine::Answer FakeEngine::List(const http::Request& request) {
  const nlohmann::json filters =
      nlohmann::json::parse(request.QueryParameter("filters").value_or("{}"));
  nlohmann::json listed = nlohmann::json::array();
  for (const auto& [name, container] : containers_) {
    bool matches = true;
    for (const std::string label : filters.value("label", nlohmann::json::array())) {
      const std::pair<std::string, std::string> wanted =
          absl::StrSplit(label, absl::MaxSplits('=', 1));
      matches = matches && container.spec["Labels"].value(wanted.first, "") == wanted.second;
    }
    if (!matches) continue;
    listed.push_back(
        {{"Id", container.id}, {"Names", {absl::StrCat("/", name)}}, {"State", container.state}});
  }
  return {200, listed.dump()};
}

FakeEngine::Answer FakeEngine::Create(const http::Request& request) {
  const std::string name = request.QueryParameter("name").value_or("");
  if (Find(name) != nullptr) return {409, Message("Conflict. The container name is in use")};
  Container& made = containers_[name];
  made = {
      .id = absl::StrCat("id", ++made_), .name = name, .spec = nlohmann::json::parse(request.body)};
  return {201, nlohmann::json({{"Id", made.id}, {"Warnings", nlohmann::json::array()}}).dump()};
}

FakeEngine::Answer FakeEngine::Inspect(const http::Request& request) {
  const Container* const found = Find(request.parameters.at("id"));
  if (found == nullptr) return {404, Message("No such container")};
  return {200,
          nlohmann::json(
              {{"Id", found->id},
               {"State",
                {{"ExitCode", found->code}, {"OOMKilled", found->code == 137}, {"Error", ""}}}})
              .dump()};
}

void FakeEngine::Serve(const std::string& call, const Writer& writer,
                       const std::function<Answer()>& act) {
  base::MutexLock lock(mutex_);
  ++calls_[call];
  auto fault = faults_.find(call);
  const bool fails = fault != faults_.end() && fault->second.second-- > 0;
  changed_.NotifyAll();
  if (!fails) {
    Answer answer = act();
    return writer->Send(answer.status, {}, std::move(answer.body));
  }
  switch (fault->second.first) {
    case Fault::kError:
      return writer->Send(500, {}, Message("the disk is full"));
    case Fault::kNotFound:
      return writer->Send(404, {}, Message("No such image: agent:1"));
    case Fault::kLateError:
      act();
      return writer->Send(500, {}, Message("context deadline exceeded"));
    case Fault::kLostReply:
      act();
      // What is announced never comes: the connection ends with this function's hold of it.
      return writer->Start(200, {{"Content-Length", "1000"}});
  }
}

http::Router FakeEngine::Routes() {
  using http::Request;
  http::Router router;
  router.Route("GET", "/v1.41/containers/json", [this](Request request, Writer writer) {
    Serve("list", writer, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return List(request); });
  });
  router.Route("POST", "/v1.41/containers/create", [this](Request request, Writer writer) {
    Serve("create", writer, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return Create(request); });
  });
  router.Route("GET", "/v1.41/containers/{id}/json", [this](Request request, Writer writer) {
    Serve("inspect", writer, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return Inspect(request); });
  });
  const auto with = [this, &router](const std::string& method, const std::string& pattern,
                                    const std::string& call, auto act) {
    router.Route(method, pattern, [this, call, act](Request request, Writer writer) {
      Serve(call, writer, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> Answer {
        Container* const found = Find(request.parameters.at("id"));
        if (found == nullptr) return {404, Message("No such container")};
        return act(request, *found);
      });
    });
  };
  with("POST", "/v1.41/containers/{id}/start", "start", [](const Request&, Container& one) {
    if (one.state == "running") return Answer{304, ""};
    one.state = "running";
    ++one.starts;
    return Answer{204, ""};
  });
  with("POST", "/v1.41/containers/{id}/kill", "kill", [](const Request& request, Container& one) {
    if (one.state != "running") return Answer{409, Message("is not running")};
    one.signal = request.QueryParameter("signal").value_or("KILL");
    return Answer{204, ""};
  });
  with("GET", "/v1.41/containers/{id}/logs", "logs", [](const Request&, Container& one) {
    return Answer{200, one.output.empty() ? "" : Framed(one.output)};
  });
  with("DELETE", "/v1.41/containers/{id}", "remove",
       [this](const Request&, Container& one) ABSL_NO_THREAD_SAFETY_ANALYSIS {
         containers_.erase(std::string(one.name));
         return Answer{204, ""};
       });
  return router;
}

}  // namespace slipway::dispatcher
