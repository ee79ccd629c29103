#include "services/ledger/storage/price_file.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

constexpr size_t kFileBytesMax = 4 << 20;  // Ten times a full list of all vendors.
constexpr int kRateScale = 6;              // Dollars per million tokens to pico-dollars per token.
constexpr int kSearchScale = 6;            // Dollars per thousand to nano-dollars.
constexpr size_t kDigitsMax = 18;

using Setters = std::map<std::string, std::function<absl::Status(const YAML::Node&)>>;

absl::Status At(absl::string_view file, const YAML::Node& node, absl::string_view problem) {
  const YAML::Mark mark = node.Mark();
  return PriceFileInvalid(
      absl::StrCat(file, ":", mark.line + 1, ":", mark.column + 1, ": ", problem));
}

class PriceReader final {
 public:
  explicit PriceReader(absl::string_view file) : file_(file) {}

  absl::StatusOr<std::vector<Price>> ReadDocument(const YAML::Node& root) {
    std::vector<Price> prices;
    bool versioned = false;
    RETURN_IF_ERROR(ReadMap(
        root, {{"version",
                [&](const YAML::Node& node) {
                  versioned = node.IsScalar() && node.Scalar() == "1";
                  return versioned ? absl::OkStatus() : At(file_, node, "version must be 1");
                }},
               {"prices", [&](const YAML::Node& node) { return ReadList(node, prices); }}}));
    if (!versioned) return At(file_, root, "'version: 1' is missing");
    return prices;
  }

 private:
  absl::Status ReadMap(const YAML::Node& node, const Setters& setters) {
    if (!node.IsMap()) return At(file_, node, "expected a mapping");
    std::map<std::string, int> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return At(file_, node, "a key is not text");
      const std::string key = entry.first.Scalar();
      const auto setter = setters.find(key);
      if (setter == setters.end()) {
        return At(file_, entry.first, absl::StrCat("unknown key '", key, "'"));
      }
      if (++seen[key] > 1) return At(file_, entry.first, absl::StrCat("'", key, "' again"));
      RETURN_IF_ERROR(setter->second(entry.second));
    }
    return absl::OkStatus();
  }

  absl::Status ReadList(const YAML::Node& node, std::vector<Price>& prices) {
    if (!node.IsSequence()) return At(file_, node, "prices must be a list");
    if (node.size() > kPriceRowsMax) return At(file_, node, "too many prices");
    for (const YAML::Node& item : node) {
      ASSIGN_OR_RETURN(Price price, ReadPrice(item));
      prices.push_back(std::move(price));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Price> ReadPrice(const YAML::Node& node) {
    Price price;
    price.effective_time = absl::InfinitePast();
    bool rated = false;
    RETURN_IF_ERROR(
        ReadMap(node, {{"provider", Text(price.provider)},
                       {"model", Text(price.model)},
                       {"service_tier", Text(price.service_tier)},
                       {"source", Text(price.source)},
                       {"effective", Date(price.effective_time)},
                       {"above_input_tokens", Decimal(price.context_threshold_tokens, 0)},
                       {"usd_per_1k_searches", Decimal(price.search_usd_nanos, kSearchScale)},
                       {"usd_per_mtok", [&](const YAML::Node& rates) {
                          rated = true;
                          return ReadRates(rates, price);
                        }}}));
    if (price.provider.empty() || price.model.empty() || !rated ||
        price.effective_time == absl::InfinitePast()) {
      return At(file_, node, "provider, model, effective and usd_per_mtok are required");
    }
    // "Above" n means from n + 1 on.
    if (price.context_threshold_tokens > 0) ++price.context_threshold_tokens;
    const absl::Status meaning = CheckPrice(price);
    if (!meaning.ok()) return At(file_, node, meaning.message());
    const bool is_new =
        seen_
            .emplace(price.provider, price.model, NormalisedTier(price.service_tier),
                     absl::ToUnixMicros(price.effective_time), price.context_threshold_tokens)
            .second;
    if (!is_new) return At(file_, node, "this row is in the file already");
    return price;
  }

  absl::Status ReadRates(const YAML::Node& node, Price& price) {
    constexpr int64_t kAsInput = -1;
    int64_t input = kAsInput;
    int64_t output = kAsInput;
    int64_t cache_read = kAsInput;
    int64_t cache_write = kAsInput;
    int64_t cache_write_long = kAsInput;
    RETURN_IF_ERROR(ReadMap(node, {{"input", Decimal(input, kRateScale)},
                                   {"output", Decimal(output, kRateScale)},
                                   {"cache_read", Decimal(cache_read, kRateScale)},
                                   {"cache_write", Decimal(cache_write, kRateScale)},
                                   {"cache_write_long", Decimal(cache_write_long, kRateScale)}}));
    if (input == kAsInput || output == kAsInput) {
      return At(file_, node, "input and output are required");
    }
    price.input_pico_usd = input;
    price.output_pico_usd = output;
    price.cache_read_pico_usd = cache_read == kAsInput ? input : cache_read;
    price.cache_write_pico_usd = cache_write == kAsInput ? input : cache_write;
    price.cache_write_long_pico_usd =
        cache_write_long == kAsInput ? price.cache_write_pico_usd : cache_write_long;
    return absl::OkStatus();
  }

  std::function<absl::Status(const YAML::Node&)> Text(std::string& target) {
    return [this, &target](const YAML::Node& node) {
      if (!node.IsScalar()) return At(file_, node, "expected text");
      target = node.Scalar();
      return absl::OkStatus();
    };
  }

  std::function<absl::Status(const YAML::Node&)> Decimal(int64_t& target, int scale) {
    return [this, &target, scale](const YAML::Node& node) -> absl::Status {
      if (!node.IsScalar()) return At(file_, node, "expected a number");
      const absl::StatusOr<int64_t> value = ParseDecimal(node.Scalar(), scale);
      if (!value.ok()) return At(file_, node, value.status().message());
      target = *value;
      return absl::OkStatus();
    };
  }

  std::function<absl::Status(const YAML::Node&)> Date(absl::Time& target) {
    return [this, &target](const YAML::Node& node) {
      absl::CivilDay day;
      std::string problem;
      if (node.IsScalar() && absl::ParseCivilTime(node.Scalar(), &day)) {
        target = absl::FromCivil(day, absl::UTCTimeZone());
      } else if (!node.IsScalar() ||
                 !absl::ParseTime(absl::RFC3339_full, node.Scalar(), &target, &problem)) {
        return At(file_, node, "expected a date such as 2026-07-30 or a time of RFC 3339");
      }
      return absl::OkStatus();
    };
  }

  const std::string file_;
  std::set<std::tuple<std::string, std::string, std::string, int64_t, int64_t>> seen_;
};

}  // namespace

absl::StatusOr<int64_t> ParseDecimal(absl::string_view text, int scale) {
  const size_t point = text.find('.');
  const absl::string_view whole = text.substr(0, point);
  const absl::string_view decimals =
      point == absl::string_view::npos ? absl::string_view() : text.substr(point + 1);
  if (decimals.size() > static_cast<size_t>(scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' has more than ", scale, " decimals"));
  }
  std::string digits = absl::StrCat(whole, decimals);
  digits.append(static_cast<size_t>(scale) - decimals.size(), '0');
  int64_t value = 0;
  const bool is_number = !whole.empty() &&
                         (point == absl::string_view::npos || !decimals.empty()) &&
                         digits.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number || digits.size() > kDigitsMax || !absl::SimpleAtoi(digits, &value)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no decimal such as 0.125"));
  }
  return value;
}

absl::StatusOr<std::vector<Price>> ParsePrices(absl::string_view text, absl::string_view name) {
  try {
    return PriceReader(name).ReadDocument(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& exception) {
    return PriceFileInvalid(absl::StrCat(name, ": ", exception.what()));
  }
}

absl::StatusOr<std::vector<Price>> ReadPriceFile(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kFileBytesMax);
  if (!text.ok()) return PriceFileUnreadable(path, text.status().message());
  return ParsePrices(*text, path);
}

}  // namespace slipway::ledger
