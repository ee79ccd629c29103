#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::bench {

// An endpoint with OpenAI's chat completions whose replies are always the same. The path says their
// shape: /chunks/N/every/US/v1/chat/completions answers a stream of N pieces of text, the first at
// once and each further one US microseconds after the one before it; whole replies come at once.
class ModelUpstream final {
 public:
  // `address` is "127.0.0.1:PORT".
  static absl::StatusOr<std::unique_ptr<ModelUpstream>> Start(const std::string& address);
  ~ModelUpstream();

  // The text of every piece, and the usage that every reply reports.
  static constexpr absl::string_view kPiece = "and so on and so forth, ";
  static constexpr int kInputTokens = 500;

 private:
  class Impl;
  explicit ModelUpstream(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::bench
