#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using gateway::v1::GatewayService;
using gateway::v1::Token;

struct TokenOptions {
  std::string title;
  std::string role;
  std::string name;
  int days = 0;
};

std::string RoleText(common::v1::Role role) {
  const std::string name = common::v1::Role_Name(role);
  return absl::AsciiStrToLower(name.substr(name.find('_') + 1));
}

absl::StatusOr<ExitCode> CreateToken(const TokenOptions& options, Invocation& invocation) {
  gateway::v1::CreateTokenRequest request;
  request.set_title(options.title);
  common::v1::Role role;
  common::v1::Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(options.role)), &role);
  request.set_role(role);
  if (options.days > 0) {
    *request.mutable_expire_time() =
        rpc::ToProto(invocation.clock().Now() + absl::Hours(24) * options.days);
  }
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.gateway(), &GatewayService::StubInterface::CreateToken, request));
  if (output.json()) {
    output.Json(response);
    return ExitCode::kOk;
  }
  output.Progress(absl::StrCat(response.token().name(), ", ", RoleText(response.token().role()),
                               ". The secret is shown this once:"));
  output.Line(response.secret());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListTokens(Invocation& invocation) {
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.gateway(),
                                             &GatewayService::StubInterface::ListTokens, {},
                                             [](auto& page) { return page.mutable_tokens(); }));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"TOKEN"}, {"ROLE"}, {"MADE"}, {"ENDS"}, {"TITLE"}});
  const absl::Time now = invocation.clock().Now();
  for (const Token& token : list.tokens()) {
    table.Add({LastId(token.name()), RoleText(token.role()),
               RelativeText(rpc::FromProto(token.create_time()), now),
               token.revoked() ? Cell("revoked", Tone::kBad)
               : token.has_expire_time()
                   ? Cell(RelativeText(rpc::FromProto(token.expire_time()), now))
                   : Cell("never"),
               token.title()});
  }
  output.Table(table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RevokeToken(const TokenOptions& options, Invocation& invocation) {
  gateway::v1::RevokeTokenRequest request;
  request.set_name(options.name.rfind("tokens/", 0) == 0 ? options.name
                                                         : absl::StrCat("tokens/", options.name));
  Connection& connection = invocation.connection();
  RETURN_IF_ERROR(
      connection.Call(connection.gateway(), &GatewayService::StubInterface::RevokeToken, request)
          .status());
  invocation.output().Progress(absl::StrCat("revoked ", request.name()));
  return ExitCode::kOk;
}

}  // namespace

void AddTokenCommands(CommandSet& commands) {
  CLI::App& group = commands.AddGroup("token", "Who may use the suite");
  const auto create = std::make_shared<TokenOptions>();
  CLI::App& create_command = commands.Add(
      "create", "Make a token",
      Connected([create](Invocation& invocation) { return CreateToken(*create, invocation); }),
      &group);
  create_command.add_option("TITLE", create->title, "What to call it")->required();
  create_command.add_option("--role", create->role, "What its bearer may do")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "reviewer", "admin"}));
  create_command.add_option("--days", create->days, "Days until it ends; without, it never does")
      ->check(CLI::Range(1, 3'650));
  commands.Add("list", "List tokens", Connected(ListTokens), &group);
  const auto revoke = std::make_shared<TokenOptions>();
  CLI::App& revoke_command = commands.Add(
      "revoke", "End a token",
      Connected([revoke](Invocation& invocation) { return RevokeToken(*revoke, invocation); }),
      &group);
  revoke_command.add_option("TOKEN", revoke->name, "As slipway token list shows it")->required();
}

}  // namespace slipway::cli
