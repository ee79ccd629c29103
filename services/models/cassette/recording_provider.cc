#include "services/models/cassette/recording_provider.h"

#include "lib/base/mutex.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/wire_request.h"

namespace slipway::models {
namespace {

CassetteEntry EntryOf(const ProviderCall& call, const std::string& provider, absl::Time now) {
  CassetteEntry entry = {.call = call.id,
                         .start_time = now,
                         .scopes = call.scopes,
                         .intent = call.intent,
                         .provider = provider,
                         .model = call.model,
                         .service_tier = call.service_tier,
                         .reasoning_effort = call.reasoning_effort,
                         .output_tokens_max = call.output_tokens_max,
                         .messages = call.messages,
                         .response_schema = call.response_schema};
  entry.scopes.role = call.role;
  if (call.wire != nullptr) {
    entry.dialect = call.wire->dialect;
    entry.stream = call.wire->stream;
    entry.body = call.wire->body;
  }
  return entry;
}

// Listens on the way from a provider to its call, and keeps what it heard before it passes the end
// on.
class RecordedExchange final : public ProviderExchange, private ProviderSink {
 public:
  struct With {
    Recorder& recorder;
    base::Executor& executor;
    base::Clock& clock;
    ProviderSink& sink;
  };

  RecordedExchange(With with, CassetteEntry entry)
      : with_(with), started_(with.clock.Elapsed()), entry_(std::move(entry)) {}
  ~RecordedExchange() override {
    exchange_.reset();  // Nothing comes any more.
    base::MutexLock lock(mutex_);
    while (ended_ && !recorded_) changed_.Wait(mutex_);
    if (recorded_) return;
    entry_.latency = with_.clock.Elapsed() - started_;
    entry_.result = {.kind = ProviderResult::Kind::kUnknown,
                     .reason = "CALL_ENDED_EARLY",
                     .detail = "the caller went, or the time was over, before the end came"};
    with_.recorder.Record(std::move(entry_));
  }

  void Begin(Provider& provider, const ProviderCall& call) {
    exchange_ = provider.Start(call, *this);
  }
  void Resume() override { exchange_->Resume(); }

 private:
  void OnText(absl::string_view text) override {
    {
      base::MutexLock lock(mutex_);
      if (!entry_.first_text_after.has_value()) {
        entry_.first_text_after = with_.clock.Elapsed() - started_;
      }
      // A longer one is not kept; what is held of it must be bounded.
      if (entry_.reply.size() <= kCassetteEntryBytesMax) {
        entry_.reply.append(text.data(), text.size());
      }
    }
    with_.sink.OnText(text);
  }
  bool HasRoom() override { return with_.sink.HasRoom(); }
  void OnEnd(ProviderResult result) override {
    {
      base::MutexLock lock(mutex_);
      ended_ = true;
      entry_.latency = with_.clock.Elapsed() - started_;
      entry_.result = std::move(result);
    }
    if (!with_.executor.TryRun([this] { Finish(); }).ok()) Finish();
  }

  void Finish() {
    CassetteEntry entry;
    {
      base::MutexLock lock(mutex_);
      entry = std::move(entry_);
    }
    ProviderResult result = entry.result;
    with_.recorder.Record(std::move(entry));
    with_.sink.OnEnd(std::move(result));
    base::MutexLock lock(mutex_);
    recorded_ = true;  // The last that is done with this object.
    changed_.NotifyAll();
  }

  const With with_;
  const absl::Duration started_;
  std::unique_ptr<ProviderExchange> exchange_;
  base::Mutex mutex_;
  base::CondVar changed_;
  CassetteEntry entry_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool recorded_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<ProviderExchange> RecordingProvider::Start(const ProviderCall& call,
                                                           ProviderSink& sink) {
  if (!recorder_.Wants(call.scopes)) return provider_->Start(call, sink);
  auto exchange =
      std::make_unique<RecordedExchange>(RecordedExchange::With{recorder_, pool_, clock_, sink},
                                         EntryOf(call, provider_->name(), clock_.Now()));
  exchange->Begin(*provider_, call);
  return exchange;
}

}  // namespace slipway::models
