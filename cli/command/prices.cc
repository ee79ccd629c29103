#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/money.h"
#include "cli/command/requests.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using ledger::v1::LedgerService;

// Of a rate in pico-USD per token and of nano-USD per search: dollars as price lists show them.
constexpr int64_t kNanosPerMillionTokens = 1'000;
constexpr int64_t kSearchesListed = 1'000;

struct PriceOptions {
  std::string file;
  std::vector<std::string> accept;
  std::string provider;
  std::string model;
};

absl::StatusOr<ExitCode> ImportPrices(const PriceOptions& options, Invocation& invocation) {
  ledger::v1::ImportPricesRequest request;
  ASSIGN_OR_RETURN(*request.mutable_file(), ReadInput(options.file, invocation.input()));
  request.set_file_name(options.file);
  for (const std::string& model : options.accept) request.add_accept(model);
  Connection& connection = invocation.connection();
  ASSIGN_OR_RETURN(
      const auto response,
      connection.Call(connection.ledger(), &LedgerService::StubInterface::ImportPrices, request));
  if (invocation.output().json()) {
    invocation.output().Json(response);
  } else {
    invocation.output().Line(absl::StrCat(CountText(response.added()), " prices are new, ",
                                          CountText(response.unchanged()), " were known"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListPrices(const PriceOptions& options, Invocation& invocation) {
  ledger::v1::ListPricesRequest request;
  request.set_provider(options.provider);
  request.set_model(options.model);
  Connection& connection = invocation.connection();
  Output& output = invocation.output();
  ASSIGN_OR_RETURN(const auto list, AllPages(connection, connection.ledger(),
                                             &LedgerService::StubInterface::ListPrices, request,
                                             [](auto& page) { return page.mutable_prices(); }));
  if (output.json()) {
    output.Json(list);
    return ExitCode::kOk;
  }
  TextTable table({{"PROVIDER"},
                   {"MODEL"},
                   {"TIER"},
                   {"FROM"},
                   {"INPUT ABOVE", TextTable::Align::kRight},
                   {"INPUT", TextTable::Align::kRight},
                   {"CACHED", TextTable::Align::kRight},
                   {"WRITE", TextTable::Align::kRight},
                   {"WRITE 1H", TextTable::Align::kRight},
                   {"OUTPUT", TextTable::Align::kRight},
                   {"1K SEARCHES", TextTable::Align::kRight},
                   {"SOURCE"}});
  const auto rate = [](int64_t pico_usd) { return MoneyText(pico_usd * kNanosPerMillionTokens); };
  for (const ledger::v1::Price& price : list.prices()) {
    const int64_t threshold = price.context_threshold_tokens();
    table.Add(
        {price.provider(), price.model(), price.service_tier(),
         absl::FormatTime("%Y-%m-%d", rpc::FromProto(price.effective_time()), absl::UTCTimeZone()),
         threshold == 0 ? "" : CountText(threshold - 1), rate(price.input_pico_usd()),
         rate(price.cache_read_pico_usd()), rate(price.cache_write_pico_usd()),
         rate(price.cache_write_long_pico_usd()), rate(price.output_pico_usd()),
         MoneyText(price.search_usd_nanos() * kSearchesListed), price.source()});
  }
  output.Table(table);
  output.Line("dollars for a million tokens, and for a thousand searches");
  return ExitCode::kOk;
}

}  // namespace

void AddPriceCommands(CommandSet& commands, CLI::App& group) {
  CLI::App& prices = *group.add_subcommand("prices", "What calls cost");
  prices.require_subcommand(1);

  const auto import = std::make_shared<PriceOptions>();
  CLI::App& import_command = commands.Add(
      "import", "Store the dated prices of a file",
      Connected([import](Invocation& invocation) { return ImportPrices(*import, invocation); }),
      &prices);
  import_command.add_option("FILE", import->file, "As data/prices/default.yaml; - reads the input")
      ->required();
  import_command.add_option("--accept", import->accept,
                            "PROVIDER/MODEL whose price is meant to change more than tenfold");

  const auto list = std::make_shared<PriceOptions>();
  CLI::App& list_command = commands.Add(
      "list", "Show prices by model and date",
      Connected([list](Invocation& invocation) { return ListPrices(*list, invocation); }), &prices);
  list_command.add_option("--provider", list->provider, "Only of this provider");
  list_command.add_option("--model", list->model, "Only of this model");
}

}  // namespace slipway::cli
