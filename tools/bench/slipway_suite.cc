#include "tools/bench/slipway_suite.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "tools/bench/model_peers.h"

namespace slipway::bench {
namespace {

namespace models_pb = ::slipway::models::v1;

constexpr int64_t kSuiteLimit = int64_t{1} << 60;
// As many agents as a busy host has; each asks in turn.
constexpr int kAttempts = 64;
constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kSuiteStopPatience = absl::Seconds(30);

constexpr char kPrices[] = R"(version: 1
prices:
  - provider: bench
    model: bench-model
    effective: 2026-01-01
    usd_per_mtok: {input: 1, output: 4}
    source: "invented for the benchmark"
  - provider: bench-long
    model: bench-model
    effective: 2026-01-01
    usd_per_mtok: {input: 1, output: 4}
    source: "invented for the benchmark"
)";

constexpr char kModelsConfig[] = R"(listen: {address: "unix:$DIR/models.sock"}
log: {level: error}
database: $DIR/models.db
ledger_address: "unix:$DIR/ledger.sock"
proxy_address: "127.0.0.1:0"
providers:
  - name: bench
    openai_chat: {base_url: "http://$UPSTREAM$LOAD/v1", key_file: $DIR/key, allow_paid: true}
  - name: bench-long
    openai_chat: {base_url: "http://$UPSTREAM$LONG/v1", key_file: $DIR/key, allow_paid: true}
routes:
  - {role: builder, provider: bench, model: bench-model, output_tokens_max: 1000}
  - {role: long, provider: bench-long, model: bench-model, output_tokens_max: 1000,
     input_tokens_max: 5000000}
)";

}  // namespace

absl::StatusOr<std::unique_ptr<SlipwaySuite>> SlipwaySuite::Start(const Options& options) {
  std::unique_ptr<SlipwaySuite> suite(new SlipwaySuite);
  RETURN_IF_ERROR(suite->StartLedger(options));
  RETURN_IF_ERROR(suite->StartModels(options));
  RETURN_IF_ERROR(suite->IssueKeys());
  return suite;
}

SlipwaySuite::~SlipwaySuite() {
  if (models_ == nullptr) return;
  models_->Signal(SIGTERM);
  models_->Wait(kSuiteStopPatience).IgnoreError();
}

absl::Status SlipwaySuite::StartLedger(const Options& options) {
  const std::string prices = absl::StrCat(options.directory, "/prices.yaml");
  RETURN_IF_ERROR(base::WriteFileAtomic(prices, kPrices));
  ASSIGN_OR_RETURN(
      ServerProcess ledger,
      ServerProcess::StartLedger(ProgramBeside("slipway-ledger"),
                                 absl::StrCat(options.directory, "/ledger.sock"),
                                 absl::StrCat(options.directory, "/ledger.db"), {prices}));
  ledger_ = std::make_unique<ServerProcess>(std::move(ledger));
  ledger_client_ = std::make_unique<LedgerClient>(ledger_->address());
  RETURN_IF_ERROR(ledger_client_->WaitReady());
  return ledger_client_->SetBudgets(kSuiteLimit);
}

absl::Status SlipwaySuite::StartModels(const Options& options) {
  RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(options.directory, "/key"), "none\n"));
  const std::string config = absl::StrCat(options.directory, "/models.yaml");
  RETURN_IF_ERROR(base::WriteFileAtomic(
      config, absl::StrReplaceAll(kModelsConfig, {{"$DIR", options.directory},
                                                  {"$UPSTREAM", options.upstream},
                                                  {"$LOAD", kLoadShape},
                                                  {"$LONG", kLongShape}})));
  ASSIGN_OR_RETURN(
      base::Process process,
      base::Process::Spawn(
          {.argv = {options.models, "--config", config}, .inherit_env = true, .fds = {{2, 2}}}));
  models_ = std::make_unique<base::Process>(std::move(process));
  stub_ = models_pb::ModelsService::NewStub(
      rpc::MakeChannel(absl::StrCat("unix:", options.directory, "/models.sock")));
  return rpc::CallWithRetry(base::RealClock(), *stub_, &Stub::ListRoutes, {},
                            {.timeout = kStartPatience})
      .status();
}

absl::Status SlipwaySuite::IssueKeys() {
  for (int i = 1; i <= kAttempts; ++i) {
    models_pb::IssueAttemptKeyRequest request;
    request.mutable_scopes()->set_attempt(absl::StrCat(kTask, "/attempts/", i));
    request.set_epoch(1);
    request.add_roles("builder");
    request.add_roles("long");
    request.mutable_lifetime()->set_seconds(3'600);
    ASSIGN_OR_RETURN(const models_pb::IssueAttemptKeyResponse issued,
                     rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, request));
    keys_.push_back(issued.key());
    proxy_url_ = issued.proxy_address();
  }
  return absl::OkStatus();
}

CompletionTarget SlipwaySuite::Target(const std::string& role) const {
  return {.url = absl::StrCat(proxy_url_, "/v1"), .model = role, .keys = keys_};
}

absl::StatusOr<int> SlipwaySuite::RunningCalls() {
  models_pb::ListCallsRequest request;
  request.set_page_size(1'000);
  int running = 0;
  do {
    ASSIGN_OR_RETURN(const models_pb::ListCallsResponse page,
                     rpc::CallUnary(*stub_, &Stub::ListCalls, request));
    for (const models_pb::Call& call : page.calls()) running += call.outcome() == "RUNNING" ? 1 : 0;
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return running;
}

}  // namespace slipway::bench
