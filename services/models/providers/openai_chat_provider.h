#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Any endpoint that speaks OpenAI's chat completions. Keeps no books: a call whose reply broke off
// is charged its hold.
class OpenAiChatProvider final : public Provider {
 public:
  struct Options {
    std::string name;
    std::string base_url;  // Up to and including "/v1".
    std::string key;       // Empty: none is sent. Never logged.
    bool allow_paid = false;
    bool local = false;
    std::string ca_file;
    absl::Duration connect_timeout = absl::Seconds(10);
    absl::Duration first_byte_timeout = absl::Minutes(2);
    absl::Duration idle_timeout = absl::Minutes(1);
  };

  // Refuses, with ConfigInvalid, an endpoint that may cost money without `allow_paid`, one called
  // local that is not on a private network, and one beyond that without HTTPS.
  static absl::StatusOr<std::unique_ptr<OpenAiChatProvider>> Make(Options options,
                                                                  base::Clock& clock);

  const std::string& name() const override { return options_.name; }
  const char* kind() const override { return "openai_chat"; }
  bool free() const override { return options_.local; }

  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string&) override { return {}; }

 private:
  OpenAiChatProvider(Options options, base::Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  const Options options_;
  base::Clock& clock_;
  http::Client client_;
};

// Whether `url` names a host of this machine or of a private network.
bool IsPrivateHost(absl::string_view url);

}  // namespace slipway::models
