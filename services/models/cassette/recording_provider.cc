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

// Listens on the way from a provider to its call.
class ListeningSink final : public ProviderSink {
 public:
  ListeningSink(ProviderSink& sink, base::Clock& clock)
      : sink_(sink), clock_(clock), started_(clock.Elapsed()) {}

  void OnText(absl::string_view text) override {
    {
      base::MutexLock lock(mutex_);
      if (!first_text_after_.has_value()) first_text_after_ = clock_.Elapsed() - started_;
      // A longer one is not kept; what is held of it must be bounded.
      if (reply_.size() <= kCassetteEntryBytesMax) reply_.append(text.data(), text.size());
    }
    sink_.OnText(text);
  }
  bool HasRoom() override { return sink_.HasRoom(); }
  void OnEnd(ProviderResult result) override {
    {
      base::MutexLock lock(mutex_);
      result_ = result;
      latency_ = clock_.Elapsed() - started_;
    }
    sink_.OnEnd(std::move(result));
  }

  // After the exchange: nothing comes any more.
  void Complete(CassetteEntry& entry) {
    base::MutexLock lock(mutex_);
    entry.reply = std::move(reply_);
    entry.first_text_after = first_text_after_;
    entry.latency = latency_.value_or(clock_.Elapsed() - started_);
    entry.result = result_.value_or(
        ProviderResult{.kind = ProviderResult::Kind::kUnknown,
                       .reason = "CALL_ENDED_EARLY",
                       .detail = "the caller went, or the time was over, before the end came"});
  }

 private:
  ProviderSink& sink_;
  base::Clock& clock_;
  const absl::Duration started_;
  base::Mutex mutex_;
  std::string reply_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> first_text_after_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> latency_ ABSL_GUARDED_BY(mutex_);
  std::optional<ProviderResult> result_ ABSL_GUARDED_BY(mutex_);
};

class RecordedExchange final : public ProviderExchange {
 public:
  RecordedExchange(Recorder& recorder, CassetteEntry entry, ProviderSink& sink, base::Clock& clock)
      : recorder_(recorder), entry_(std::move(entry)), sink_(sink, clock) {}
  ~RecordedExchange() override {
    exchange_.reset();
    sink_.Complete(entry_);
    recorder_.Record(std::move(entry_));
  }

  void Begin(Provider& provider, const ProviderCall& call) {
    exchange_ = provider.Start(call, sink_);
  }
  void Resume() override { exchange_->Resume(); }

 private:
  Recorder& recorder_;
  CassetteEntry entry_;
  ListeningSink sink_;
  std::unique_ptr<ProviderExchange> exchange_;
};

}  // namespace

std::unique_ptr<ProviderExchange> RecordingProvider::Start(const ProviderCall& call,
                                                           ProviderSink& sink) {
  if (!recorder_.Wants(call.scopes)) return provider_->Start(call, sink);
  auto exchange = std::make_unique<RecordedExchange>(
      recorder_, EntryOf(call, provider_->name(), clock_.Now()), sink, clock_);
  exchange->Begin(*provider_, call);
  return exchange;
}

}  // namespace slipway::models
