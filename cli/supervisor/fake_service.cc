// A service that does nothing: serves health at the address of its configuration until it is asked
// to stop. Linked under the names of the suite's services by the tests of the supervisor.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/supervisor/suite_config.h"
#include "lib/base/exit_code.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/rpc/server.h"
#include "lib/rpc/signals.h"

namespace slipway::cli {
namespace {

absl::Status Serve(const std::string& name, const std::string& path) {
  SuiteConfig all;
  std::string address;
  RETURN_IF_ERROR(all.ForEach([&](const std::string& each, google::protobuf::Message& config) {
    if (each != name) return absl::OkStatus();
    RETURN_IF_ERROR(config::LoadInto(path, config));
    const auto* const listen = config.GetDescriptor()->FindFieldByName("listen");
    address = static_cast<const slipway::config::v1::Listen&>(
                  config.GetReflection()->GetMessage(config, listen))
                  .address();
    return absl::OkStatus();
  }));
  // A file beside the configuration makes the service fail, as bad configuration would.
  if (base::ReadFile(path + ".fail").ok()) return absl::InternalError("told to fail");
  ASSIGN_OR_RETURN(const std::unique_ptr<rpc::Server> server,
                   rpc::Server::Start({.address = address}));
  server->SetServing(true);
  rpc::WaitForSignal();
  return absl::OkStatus();
}

}  // namespace
}  // namespace slipway::cli

int main(int argc, char** argv) {
  slipway::rpc::PrepareProcess();
  if (argc != 3) return 2;
  const std::string program = argv[0];
  const std::string name(absl::StripPrefix(program.substr(program.rfind('/') + 1), "slipway-"));
  return slipway::base::ExitCode(slipway::cli::Serve(name, argv[2]));
}
