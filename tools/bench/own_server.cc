#include "tools/bench/own_server.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/rpc/serve.h"
#include "lib/rpc/server.h"
#include "lib/rpc/signals.h"
#include "tools/bench/bench_echo.grpc.pb.h"
#include "tools/bench/model_upstream.h"
#include "tools/bench/naive_ledger.h"

namespace slipway::bench {
namespace {

class EchoHandlers final {
 public:
  void Echo(const rpc::Call&, const v1::EchoRequest&, base::Reply<v1::EchoResponse> reply) {
    std::move(reply)(v1::EchoResponse());
  }
};

class EchoService final : public v1::EchoService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const v1::EchoRequest* request,
                                 v1::EchoResponse* response) override {
    return rpc::ServeAsync(context, request, response, &handlers_, &EchoHandlers::Echo);
  }

 private:
  EchoHandlers handlers_;
};

absl::Status ServeUntilSignal(const std::string& listen, grpc::Service& service) {
  ASSIGN_OR_RETURN(const std::unique_ptr<rpc::Server> server,
                   rpc::Server::Start({.address = listen, .services = {&service}}));
  rpc::WaitForSignal();
  return absl::OkStatus();
}

}  // namespace

absl::Status Serve(const std::string& kind, const std::string& listen,
                   const std::string& database) {
  if (kind == "echo") {
    EchoService service;
    return ServeUntilSignal(listen, service);
  }
  if (kind == "naive") {
    ASSIGN_OR_RETURN(const std::unique_ptr<NaiveLedger> ledger, NaiveLedger::Open(database));
    base::ThreadPool executor({.threads = 2});
    NaiveLedgerService service(executor, *ledger);
    const absl::Status status = ServeUntilSignal(listen, service);
    executor.Stop();
    return status;
  }
  if (kind == "completions") {
    ASSIGN_OR_RETURN(const std::unique_ptr<ModelUpstream> upstream, ModelUpstream::Start(listen));
    rpc::WaitForSignal();
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("no server '", kind, "'"));
}

void AddServeCommand(CLI::App& app, absl::Status& status) {
  struct Options {
    std::string kind, listen, database;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("serve", "A server that the benchmarks start");
  command->group("");  // Not in the help.
  command->add_option("kind", options->kind)->required();
  command->add_option("--listen", options->listen)->required();
  command->add_option("--database", options->database);
  command->callback(
      [options, &status] { status = Serve(options->kind, options->listen, options->database); });
}

}  // namespace slipway::bench
