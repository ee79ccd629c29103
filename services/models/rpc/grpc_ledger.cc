#include "services/models/rpc/grpc_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/proto_time.h"
#include "services/models/domain/estimate.h"
#include "services/models/domain/limits.h"
#include "services/models/rpc/convert.h"

namespace slipway::models {
namespace {

namespace pb = ::slipway::ledger::v1;
using Stub = pb::LedgerService::StubInterface;

// Every instance is an owner of its own, with one life.
constexpr int64_t kOwnEpoch = 1;

// Far more than any configuration has routes.
constexpr size_t kRatesMax = 1'000;

constexpr char kPrincipal[] = "models";

rpc::CallOptions Options() { return {.timeout = kLedgerTimeout, .principal = kPrincipal}; }

pb::Amounts AmountsToProto(const Amounts& amounts) {
  pb::Amounts proto;
  proto.set_usd_nanos(amounts.usd_nanos);
  proto.set_tokens(amounts.tokens);
  proto.set_requests(amounts.requests);
  return proto;
}

Denial DenialFromProto(const pb::Denial& proto) {
  Denial denial = {
      .cause = std::string(absl::StripPrefix(pb::Denial::Cause_Name(proto.cause()), "CAUSE_")),
      .budget = proto.balance().budget().name(),
      .scope = proto.balance().budget().scope(),
      .requested = proto.requested(),
      .remaining = proto.balance().remaining()};
  if (proto.has_retry_time()) denial.retry_time = rpc::FromProto(proto.retry_time());
  return denial;
}

std::string RatesName(const std::string& provider, const std::string& model,
                      const std::string& service_tier) {
  return absl::StrCat(provider, "\n", model, "\n", service_tier);
}

LedgerStream::Operation OperationOf(const HoldRequest& hold) {
  LedgerStream::Operation operation;
  pb::ReserveRequest& request = *operation.mutable_reserve();
  request.set_key(hold.key);
  request.set_kind(pb::Reservation::KIND_CALL);
  *request.mutable_scopes() = ScopesToProto(hold.scopes);
  *request.mutable_amounts() = AmountsToProto(hold.amounts);
  *request.mutable_minimum() = AmountsToProto(hold.minimum);
  request.set_envelope(hold.envelope);
  request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(hold.lifetime));
  request.set_owner(hold.owner);
  request.set_owner_epoch(kOwnEpoch);
  request.set_provider(hold.provider);
  request.set_model(hold.model);
  request.set_service_tier(hold.service_tier);
  return operation;
}

Hold HoldFromProto(const pb::Reservation& reservation) {
  Hold hold = {.open = reservation.state() == pb::Reservation::STATE_HELD,
               .held = {.usd_nanos = reservation.held().usd_nanos(),
                        .tokens = reservation.held().tokens(),
                        .requests = reservation.held().requests()}};
  if (reservation.state() == pb::Reservation::STATE_DENIED) {
    hold.denial = DenialFromProto(reservation.denial());
  }
  return hold;
}

pb::ReleaseRequest::Proof ProofToProto(Proof proof) {
  switch (proof) {
    case Proof::kNotSent:
      return pb::ReleaseRequest::PROOF_NOT_SENT;
    case Proof::kConnectFailed:
      return pb::ReleaseRequest::PROOF_CONNECT_FAILED;
    case Proof::kUpstreamErrorBeforeOutput:
      return pb::ReleaseRequest::PROOF_UPSTREAM_ERROR_BEFORE_OUTPUT;
  }
  return pb::ReleaseRequest::PROOF_UNSPECIFIED;
}

}  // namespace

GrpcLedger::GrpcLedger(const std::string& address, base::Clock& clock)
    : clock_(clock),
      channel_(rpc::MakeChannel(address)),
      stub_(pb::LedgerService::NewStub(channel_)),
      stream_(channel_, kPrincipal) {}

absl::StatusOr<Quote> GrpcLedger::QuoteCall(const std::string& provider, const std::string& model,
                                            const std::string& service_tier, int64_t input_tokens,
                                            int64_t output_tokens) {
  pb::QuoteRequest request;
  request.set_provider(provider);
  request.set_model(model);
  request.set_service_tier(service_tier);
  request.set_input_tokens(input_tokens);
  request.set_output_tokens(output_tokens);
  ASSIGN_OR_RETURN(const pb::QuoteResponse response, AskQuote(request));
  return Quote{.cost_usd_nanos = response.cost_usd_nanos(),
               .input_usd_nanos = response.input_usd_nanos(),
               .output_pico_usd = response.output_pico_usd()};
}

// Waits for a callback. A thread that waits in gRPC itself takes over its polling and, when it has
// its own answer, may leave everybody else's unread for tens of milliseconds: those of holds and
// ends.
absl::StatusOr<pb::QuoteResponse> GrpcLedger::AskQuote(const pb::QuoteRequest& request) {
  struct Waiting {
    base::Mutex mutex;
    base::CondVar changed;
    std::optional<absl::StatusOr<pb::QuoteResponse>> result ABSL_GUARDED_BY(mutex);
  };
  absl::StatusOr<pb::QuoteResponse> response;
  RETURN_IF_ERROR(rpc::RetryUnavailable(clock_, kLedgerTimeout, [&](absl::Duration left) {
    const auto waiting = std::make_shared<Waiting>();
    rpc::CallOptions options = Options();
    options.timeout = left;
    rpc::CallUnaryAsync(*stub_->async(), &pb::LedgerService::StubInterface::async_interface::Quote,
                        request, options, [waiting](absl::StatusOr<pb::QuoteResponse> result) {
                          base::MutexLock lock(waiting->mutex);
                          waiting->result = std::move(result);
                          waiting->changed.NotifyAll();
                        });
    base::MutexLock lock(waiting->mutex);
    while (!waiting->result.has_value()) waiting->changed.Wait(waiting->mutex);
    response = *std::move(waiting->result);
    return response.status();
  }));
  return response;
}

absl::StatusOr<Quote> GrpcLedger::BoundCall(const std::string& provider, const std::string& model,
                                            const std::string& service_tier, int64_t input_tokens) {
  const std::optional<Quote> known = KnownBound(provider, model, service_tier, input_tokens);
  if (known.has_value()) return *known;
  return AskBound(provider, model, service_tier, input_tokens);
}

absl::StatusOr<Quote> GrpcLedger::AskBound(const std::string& provider, const std::string& model,
                                           const std::string& service_tier, int64_t input_tokens) {
  const absl::Duration asked_after = clock_.Elapsed();
  pb::QuoteRequest request;
  request.set_provider(provider);
  request.set_model(model);
  request.set_service_tier(service_tier);
  request.set_input_tokens(input_tokens);
  ASSIGN_OR_RETURN(const pb::QuoteResponse response, AskQuote(request));
  const Rates rates = {.input_pico_usd = response.input_pico_usd(),
                       .output_pico_usd = response.output_pico_usd(),
                       .input_tokens_from = response.input_tokens_from(),
                       .input_tokens_below = response.input_tokens_below(),
                       .read_after = asked_after};
  const Quote quote = {.input_usd_nanos = response.input_usd_nanos(),
                       .output_pico_usd = response.output_pico_usd()};
  // Unless it is an older ledger, which tells no rates.
  if (rates.QuoteFor(input_tokens).input_usd_nanos == quote.input_usd_nanos) {
    Keep(RatesName(provider, model, service_tier), rates);
  }
  return quote;
}

const GrpcLedger::Rates* GrpcLedger::FindRates(const std::string& name, int64_t input_tokens,
                                               absl::Duration age_max) {
  const absl::Duration now = clock_.Elapsed();
  const auto known = rates_.find(name);
  if (known == rates_.end()) return nullptr;
  for (const Rates& rates : known->second) {
    if (now < rates.read_after + age_max && rates.Cover(input_tokens)) return &rates;
  }
  return nullptr;
}

std::optional<Quote> GrpcLedger::KnownBound(const std::string& provider, const std::string& model,
                                            const std::string& service_tier, int64_t input_tokens) {
  base::MutexLock lock(mutex_);
  const Rates* const rates =
      FindRates(RatesName(provider, model, service_tier), input_tokens, kRatesAgeMax);
  if (rates == nullptr) return std::nullopt;
  return rates->QuoteFor(input_tokens);
}

void GrpcLedger::RefreshBound(const std::string& provider, const std::string& model,
                              const std::string& service_tier, int64_t input_tokens) {
  {
    const std::string name = RatesName(provider, model, service_tier);
    base::MutexLock lock(mutex_);
    if (refreshing_ || FindRates(name, input_tokens, kRatesAgeMax / 2) != nullptr) return;
    refreshing_ = true;
  }
  AskBound(provider, model, service_tier, input_tokens).IgnoreError();  // Who needs it asks again.
  base::MutexLock lock(mutex_);
  refreshing_ = false;
}

void GrpcLedger::Keep(const std::string& name, const Rates& rates) {
  base::MutexLock lock(mutex_);
  if (rates_.size() >= kRatesMax) rates_.clear();
  std::vector<Rates>& of_model = rates_[name];
  const auto is_replaced = [&rates](const Rates& old) {
    return old.input_tokens_from == rates.input_tokens_from ||
           rates.read_after >= old.read_after + kRatesAgeMax;
  };
  of_model.erase(std::remove_if(of_model.begin(), of_model.end(), is_replaced), of_model.end());
  of_model.push_back(rates);
}

bool GrpcLedger::Rates::Cover(int64_t input_tokens) const {
  return input_tokens >= input_tokens_from &&
         (input_tokens_below == 0 || input_tokens < input_tokens_below);
}

Quote GrpcLedger::Rates::QuoteFor(int64_t input_tokens) const {
  const Quote input = {.output_pico_usd = input_pico_usd};
  return {.input_usd_nanos = CostBound(input, input_tokens), .output_pico_usd = output_pico_usd};
}

absl::StatusOr<Hold> GrpcLedger::Reserve(const HoldRequest& hold) {
  const LedgerStream::Operation operation = OperationOf(hold);
  absl::StatusOr<LedgerStream::Answer> answer;
  RETURN_IF_ERROR(rpc::RetryUnavailable(clock_, kLedgerTimeout, [&](absl::Duration left) {
    answer = stream_.Run(operation, left);
    return answer.status();
  }));
  return HoldFromProto(answer->reserve().reservation());
}

void GrpcLedger::StartReserve(const HoldRequest& hold, HoldDone done) {
  stream_.StartFor(OperationOf(hold), kLedgerTimeout, clock_,
                   [done = std::move(done)](absl::StatusOr<LedgerStream::Answer> answer) mutable {
                     if (!answer.ok()) return std::move(done)(answer.status());
                     std::move(done)(HoldFromProto(answer->reserve().reservation()));
                   });
}

absl::StatusOr<int64_t> GrpcLedger::Settle(const Settlement& settlement) {
  if (settlement.kind == Settlement::Kind::kRelease) return Release(settlement);
  LedgerStream::Operation operation;
  pb::SettleRequest& request = *operation.mutable_settle();
  request.set_key(settlement.reservation);
  if (settlement.kind == Settlement::Kind::kUsage) {
    *request.mutable_tokens() = TokensToProto(settlement.tokens);
    if (settlement.free) request.set_cost_usd_nanos(0);
  } else {
    request.set_outcome_unknown(true);
  }
  request.set_provider(settlement.provider);
  request.set_model(settlement.model);
  request.set_service_tier(settlement.service_tier);
  request.set_provider_request_id(settlement.provider_request_id);
  ASSIGN_OR_RETURN(const LedgerStream::Answer answer, RunAgain(operation));
  return answer.settle().reservation().settled().usd_nanos();
}

absl::StatusOr<int64_t> GrpcLedger::Release(const Settlement& settlement) {
  LedgerStream::Operation operation;
  pb::ReleaseRequest& request = *operation.mutable_release();
  request.set_key(settlement.reservation);
  request.set_proof(ProofToProto(settlement.proof));
  RETURN_IF_ERROR(RunAgain(operation).status());
  return 0;
}

// Once more when the stream is lost: the first that comes after a restart of the ledger finds that
// out. Whoever owes the end of a hold goes on to ask for it, so there is no waiting for a ledger.
absl::StatusOr<LedgerStream::Answer> GrpcLedger::RunAgain(
    const LedgerStream::Operation& operation) {
  absl::StatusOr<LedgerStream::Answer> answer = stream_.Run(operation, kLedgerTimeout);
  if (absl::IsUnavailable(answer.status())) answer = stream_.Run(operation, kLedgerTimeout);
  return answer;
}

absl::Status GrpcLedger::CloseOwner(const std::string& owner) {
  pb::CloseOwnerRequest request;
  request.set_owner(owner);
  request.set_epoch_before(kOwnEpoch + 1);  // So that it can hold nothing more, should it live.
  return rpc::CallUnary(*stub_, &Stub::CloseOwner, request, Options()).status();
}

}  // namespace slipway::models
