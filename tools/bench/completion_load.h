#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/client.h"

namespace slipway::bench {

// Where chat completions are asked, and by whom: requests take the keys in turn.
struct CompletionTarget {
  std::string url;  // Up to and including "/v1".
  std::string model;
  std::vector<std::string> keys;
};

// What requests at a steady rate took, in microseconds from the moment at which each was due.
struct CompletionTimes {
  std::vector<float> first_us;  // To the first byte of the reply's body.
  std::vector<float> whole_us;  // To its end.
  int64_t failed = 0;
  std::string failure;  // Of one of them.

  void Add(const CompletionTimes& other);
};

// A conversation of about `prompt_bytes` as agents send it.
std::string CompletionBody(const std::string& model, bool stream, size_t prompt_bytes);

// Sends `rate` requests a second for `length`, whether or not earlier ones were answered, and waits
// for all replies. A reply that is not 200 or not whole is a failure.
CompletionTimes RunSteadyLoad(http::Client& client, const CompletionTarget& target, bool stream,
                              double rate, absl::Duration length);

// Streams that are open at the same time.
class OpenStreams final {
 public:
  // Begins `count` streams, `pace` apart, whose prompts have `prompt_bytes`.
  OpenStreams(http::Client& client, const CompletionTarget& target, int count, absl::Duration pace,
              size_t prompt_bytes);
  ~OpenStreams();

  // Waits until every stream has given its first byte or has failed; returns how many are open.
  int AwaitFirstBytes();
  struct Ends {
    int whole = 0;
    int failed = 0;
    std::string failure;  // Of one of them.
  };
  Ends AwaitEnds();

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::vector<std::unique_ptr<http::Client::Handle>> handles_;
};

}  // namespace slipway::bench
