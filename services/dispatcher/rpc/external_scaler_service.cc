#include "services/dispatcher/rpc/external_scaler_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "externalscaler/externalscaler.grpc.pb.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/domain/errors.h"

namespace slipway::dispatcher {
namespace {

namespace keda = ::externalscaler;

constexpr absl::Duration kLookInterval = absl::Seconds(1);
constexpr int64_t kTargetMax = 1'000;

// What a trigger asks for.
struct ScaleQuestion {
  std::string host;  // hosts/{h}
  bool waiting_only = false;
  int64_t target = 1;

  std::string MetricName() const {
    return waiting_only ? "slipway-work-waiting" : "slipway-agents-wanted";
  }
};

std::string MetadataOf(const keda::ScaledObjectRef& object, const char* key) {
  const auto found = object.scalermetadata().find(key);
  return found == object.scalermetadata().end() ? std::string() : found->second;
}

absl::StatusOr<ScaleQuestion> QuestionOf(const keda::ScaledObjectRef& object) {
  ScaleQuestion question;
  const std::string host = MetadataOf(object, "host");
  if (host.empty()) return ScalerMetadataInvalid("host", "is missing: it names an external host");
  question.host = host.rfind("hosts/", 0) == 0 ? host : absl::StrCat("hosts/", host);
  const std::string metric = MetadataOf(object, "metric");
  if (!metric.empty() && metric != "agents" && metric != "waiting") {
    return ScalerMetadataInvalid("metric", "is neither 'agents' nor 'waiting'");
  }
  question.waiting_only = metric == "waiting";
  const std::string target = MetadataOf(object, "targetSize");
  if (!target.empty() && (!absl::SimpleAtoi(target, &question.target) || question.target < 1 ||
                          question.target > kTargetMax)) {
    return ScalerMetadataInvalid("targetSize", absl::StrCat("is no number from 1 to ", kTargetMax));
  }
  return question;
}

absl::StatusOr<int> ValueIn(const std::vector<HostStatus>& hosts, const ScaleQuestion& question) {
  for (const HostStatus& host : hosts) {
    if (host.name != question.host) continue;
    if (host.driver != HostDriver::kExternal) return HostNotExternal(host.name);
    return question.waiting_only ? host.waiting : host.wanted;
  }
  return HostUnknown(question.host);
}

// Calls `then` on the core's thread, with the value or why there is none.
void Ask(ScalerHost& host, ScaleQuestion question, std::function<void(absl::StatusOr<int>)> then) {
  host.dispatcher.ListHosts(
      base::Reply<std::vector<HostStatus>>([question = std::move(question), then = std::move(then)](
                                               absl::StatusOr<std::vector<HostStatus>> hosts) {
        then(hosts.ok() ? ValueIn(*hosts, question) : absl::StatusOr<int>(hosts.status()));
      }));
}

// Tells when it changes whether there should be agents. One owner at a time: a question to the
// core, a write, or the timer between two looks. Holds itself until gRPC is done with it.
class ActiveStream final : public grpc::ServerWriteReactor<keda::IsActiveResponse>,
                           public std::enable_shared_from_this<ActiveStream> {
 public:
  ActiveStream(ScalerHost& host, ScaleQuestion question)
      : host_(host), question_(std::move(question)) {}

  void Begin() {
    self_ = shared_from_this();
    Look();
  }
  void OnWriteDone(bool ok) override { ok ? Rest() : Finish(grpc::Status::CANCELLED); }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { self_.reset(); }

 private:
  void Look() {
    Ask(host_, question_,
        [self = shared_from_this()](absl::StatusOr<int> value) { self->Tell(std::move(value)); });
  }

  void Tell(absl::StatusOr<int> value) {
    if (!value.ok()) return Finish(rpc::ToGrpcStatus(value.status()));
    if (told_ == (*value > 0)) return Rest();
    told_ = *value > 0;
    response_.set_result(*told_);
    StartWrite(&response_);
  }

  void Rest() {
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    if (host_.stopping) return Finish(rpc::ToGrpcStatus(ShuttingDown()));
    base::MutexLock lock(mutex_);
    timer_ = host_.clock.RunAfter(kLookInterval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Look();
    });
  }

  ScalerHost& host_;
  const ScaleQuestion question_;
  std::shared_ptr<ActiveStream> self_;
  std::atomic<bool> cancelled_ = false;
  std::optional<bool> told_;         // Of the owner.
  keda::IsActiveResponse response_;  // Of the owner.
  base::Mutex mutex_;
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(mutex_);
};

// A stream that is refused.
class RefusedStream final : public grpc::ServerWriteReactor<keda::IsActiveResponse> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(rpc::ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

class ScalerBinding final : public keda::ExternalScaler::CallbackService {
 public:
  explicit ScalerBinding(ScalerHost& host) : host_(host) {}

  grpc::ServerUnaryReactor* IsActive(grpc::CallbackServerContext* context,
                                     const keda::ScaledObjectRef* request,
                                     keda::IsActiveResponse* response) override {
    return Answer(context, QuestionOf(*request),
                  [response](const ScaleQuestion&, int value) { response->set_result(value > 0); });
  }

  grpc::ServerWriteReactor<keda::IsActiveResponse>* StreamIsActive(
      grpc::CallbackServerContext*, const keda::ScaledObjectRef* request) override {
    absl::StatusOr<ScaleQuestion> question = QuestionOf(*request);
    if (!question.ok()) return new RefusedStream(question.status());
    const auto stream = std::make_shared<ActiveStream>(host_, *std::move(question));
    stream->Begin();
    return stream.get();
  }

  grpc::ServerUnaryReactor* GetMetricSpec(grpc::CallbackServerContext* context,
                                          const keda::ScaledObjectRef* request,
                                          keda::GetMetricSpecResponse* response) override {
    return Answer(context, QuestionOf(*request), [response](const ScaleQuestion& question, int) {
      keda::MetricSpec& spec = *response->add_metricspecs();
      spec.set_metricname(question.MetricName());
      spec.set_targetsize(question.target);
      spec.set_targetsizefloat(static_cast<double>(question.target));
    });
  }

  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const keda::GetMetricsRequest* request,
                                       keda::GetMetricsResponse* response) override {
    return Answer(context, QuestionOf(request->scaledobjectref()),
                  [response](const ScaleQuestion& question, int value) {
                    keda::MetricValue& metric = *response->add_metricvalues();
                    metric.set_metricname(question.MetricName());
                    metric.set_metricvalue(value);
                    metric.set_metricvaluefloat(value);
                  });
  }

 private:
  template <typename Fill>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   absl::StatusOr<ScaleQuestion> question, Fill fill) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (!question.ok()) {
      reactor->Finish(rpc::ToGrpcStatus(question.status()));
      return reactor;
    }
    // gRPC keeps the response until the call is finished.
    Ask(host_, *question, [reactor, fill, asked = *question](absl::StatusOr<int> value) {
      if (value.ok()) fill(asked, *value);
      reactor->Finish(rpc::ToGrpcStatus(value.status()));
    });
    return reactor;
  }

  ScalerHost& host_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindExternalScaler(ScalerHost& host) {
  return std::make_unique<ScalerBinding>(host);
}

}  // namespace slipway::dispatcher
