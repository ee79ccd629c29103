#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using dispatcher::v1::Host;

struct HostOptions {
  std::string name;
  std::string reason;
  std::optional<int> minutes;
};

std::string HostName(const HostOptions& options) {
  return options.name.rfind("hosts/", 0) == 0 ? options.name : absl::StrCat("hosts/", options.name);
}

std::string HostStateText(const Host& host) {
  if (host.draining()) return host.agents() + host.starting() == 0 ? "drained" : "draining";
  if (host.cordoned()) return "cordoned";
  return host.problem().empty() ? "ready" : "trouble";
}

std::string HostNoteText(const Host& host) {
  std::string note = host.problem();
  if (!host.reason().empty()) absl::StrAppend(&note, note.empty() ? "" : "; ", host.reason());
  return note;
}

absl::StatusOr<ExitCode> ListHosts(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto hosts,
      connection.Call(connection.dispatcher(), &DispatcherService::StubInterface::ListHosts, {}));
  if (output.json()) {
    output.Json(hosts);
    return ExitCode::kOk;
  }
  TextTable table({{"HOST"},
                   {"DRIVER"},
                   {"STATE"},
                   {"SLOTS", TextTable::Align::kRight},
                   {"AGENTS", TextTable::Align::kRight},
                   {"BUSY", TextTable::Align::kRight},
                   {"NOTE"}});
  for (const Host& host : hosts.hosts()) {
    const std::string state = HostStateText(host);
    table.Add({LastId(host.name()), host.driver(),
               state == "ready" ? Cell(state) : Cell(state, Tone::kWarning),
               absl::StrCat(host.slots()), absl::StrCat(host.agents()), absl::StrCat(host.busy()),
               Cell(HostNoteText(host), Tone::kWarning)});
  }
  output.Table(table);
  return ExitCode::kOk;
}

template <typename Response>
absl::StatusOr<ExitCode> ShowHost(const Response& response, Invocation& invocation) {
  Output& output = invocation.output();
  if (output.json()) {
    output.Json(response);
  } else {
    const Host& host = response.host();
    output.Line(absl::StrCat(LastId(host.name()), " is ", HostStateText(host), "; ", host.busy(),
                             " of its agents work"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> CordonHost(const HostOptions& options, Invocation& invocation) {
  dispatcher::v1::CordonHostRequest request;
  request.set_host(HostName(options));
  request.set_reason(options.reason);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::CordonHost, request));
  return ShowHost(response, invocation);
}

absl::StatusOr<ExitCode> UncordonHost(const HostOptions& options, Invocation& invocation) {
  dispatcher::v1::UncordonHostRequest request;
  request.set_host(HostName(options));
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::UncordonHost, request));
  return ShowHost(response, invocation);
}

absl::StatusOr<ExitCode> DrainHost(const HostOptions& options, Invocation& invocation) {
  dispatcher::v1::DrainHostRequest request;
  request.set_host(HostName(options));
  request.set_reason(options.reason);
  if (options.minutes.has_value()) {
    *request.mutable_timeout() = rpc::ToProto(absl::Minutes(*options.minutes));
  }
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(const auto response,
                   connection.Call(connection.dispatcher(),
                                   &DispatcherService::StubInterface::DrainHost, request));
  return ShowHost(response, invocation);
}

using HostAction = absl::StatusOr<ExitCode> (*)(const HostOptions&, Invocation&);

}  // namespace

void AddHostCommands(CommandSet& commands) {
  CLI::App& hosts =
      commands.Add("hosts", "Show where agents run, or decide about a host", Connected(ListHosts));
  const auto add = [&](const char* name, const char* description, HostAction action) {
    const auto options = std::make_shared<HostOptions>();
    CLI::App& command =
        commands.Add(name, description, Connected([options, action](Invocation& invocation) {
                       return action(*options, invocation);
                     }),
                     &hosts);
    command.add_option("HOST", options->name, "Its name, as slipway hosts shows it")->required();
    return std::make_pair(&command, options);
  };
  const auto [cordon, cordon_options] =
      add("cordon", "Give a host no new work; what runs there goes on", CordonHost);
  cordon->add_option("--reason", cordon_options->reason, "Why; shown to people");
  add("uncordon", "Give a host work again", UncordonHost);
  const auto [drain, drain_options] = add("drain", "Empty a host", DrainHost);
  drain->add_option("--reason", drain_options->reason, "Why; shown to people");
  drain
      ->add_option(
          "--minutes", drain_options->minutes,
          "Take back what still runs after so long, at no retry's cost; without, it may end")
      ->check(CLI::Range(0, 1'440));
}

}  // namespace slipway::cli
