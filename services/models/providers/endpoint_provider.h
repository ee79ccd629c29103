#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "services/models/domain/provider.h"
#include "services/models/providers/reply_reader.h"
#include "services/models/wire/request_writer.h"

namespace slipway::models {

// An endpoint that speaks one or more of the dialects over HTTP. Passes on what comes in a dialect
// that it speaks, and translates responses for one that speaks chat only. Keeps no books: a call
// whose reply broke off is charged its hold.
class EndpointProvider final : public Provider {
 public:
  enum class Kind { kOpenAi, kAnthropic, kCompatible };
  struct Options {
    std::string name;
    Kind kind = Kind::kCompatible;
    std::string base_url;        // Up to and including "/v1".
    std::string key;             // Empty: none is sent. Never logged.
    std::set<Dialect> dialects;  // That it speaks; not empty.
    bool allow_paid = false;
    bool local = false;
    std::string ca_file;
    absl::Duration connect_timeout = absl::Seconds(10);
    absl::Duration first_byte_timeout = absl::Minutes(2);
    absl::Duration idle_timeout = absl::Minutes(1);
  };

  // Refuses, with ConfigInvalid, an endpoint that may cost money without `allow_paid`, one called
  // local that is not on a private network, and one beyond that without HTTPS.
  static absl::StatusOr<std::unique_ptr<EndpointProvider>> Make(Options options,
                                                                base::Clock& clock);

  const std::string& name() const override { return options_.name; }
  const char* kind() const override;
  bool free() const override { return options_.local; }
  bool Takes(Dialect dialect) const override;

  std::optional<int64_t> CountInput(const std::string& model, const WireRequest& request) override;
  std::optional<ProviderHealth> Check() override;
  bool StartsAtOnce() const override { return true; }
  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string&) override { return {}; }

 private:
  // What is sent for a call, and how its reply is read.
  struct Prepared {
    http::ClientRequest request;
    ReplyReader::Options reply;
  };

  EndpointProvider(Options options, base::Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  absl::StatusOr<Prepared> Prepare(const ProviderCall& call) const;
  http::ClientRequest RequestTo(const std::string& path) const;
  // The dialect of calls that come in none.
  Dialect MainDialect() const;
  std::string TierName(const std::string& tier) const;
  WireDecision DecisionOf(const ProviderCall& call) const;

  const Options options_;
  base::Clock& clock_;
  http::Client client_{kEndpointThreads};
};

// Whether `url` names a host of this machine or of a private network.
bool IsPrivateHost(absl::string_view url);

}  // namespace slipway::models
