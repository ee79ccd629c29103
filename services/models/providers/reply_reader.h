#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "lib/http/sse_parser.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/provider.h"
#include "services/models/providers/http_failure.h"
#include "services/models/wire/chat_for_responses.h"
#include "services/models/wire/reply_meter.h"
#include "services/models/wire/sse_splitter.h"

namespace slipway::models {

// Reads one response of an endpoint: meters it, and tells the sink its text, its bytes, or its
// translation. All methods run on the client's thread.
class ReplyReader final {
 public:
  enum class Tell {
    kText,   // What the model says.
    kBytes,  // The response's own bytes.
  };
  struct Options {
    Dialect dialect = Dialect::kChat;  // Of the response.
    Tell tell = Tell::kText;
    bool stream = true;                             // A stream was asked for.
    bool drop_usage = false;                        // Nobody asked for the chunk of usage.
    std::unique_ptr<ResponsesFromChat> translator;  // Tells its frames instead of bytes.
  };

  ReplyReader(Options options, ProviderSink& sink, base::Clock& clock);

  void OnHeaders(int status, const http::Headers& headers);
  // What it passes on is gathered until OnFlush or OnDone.
  http::ClientCallbacks::Flow OnData(absl::string_view bytes);
  void OnFlush();
  // The same without asking whether there is room, and without gathering.
  void TakeBytes(absl::string_view bytes);
  void OnDone(const http::ClientResult& done);

 private:
  void TakeFrame(absl::string_view frame);
  void TellEvent(absl::string_view frame, absl::string_view data, const std::string& text);
  void TakeWholeBody();
  void Pass(absl::string_view bytes);
  void End(ProviderResult result);
  ProviderResult Result(const http::ClientResult& done);
  ProviderResult Failed(HttpFailure failure);

  const Options options_;
  ProviderSink& sink_;
  base::Clock& clock_;
  ReplyMeter meter_;
  SseSplitter splitter_{kReplyBytesMax * 4};
  http::SseParser parser_{kReplyBytesMax * 4};
  int status_ = 0;
  bool streaming_ = false;
  std::optional<absl::Duration> retry_after_;
  std::string request_id_;
  std::string body_;
  bool malformed_ = false;
  bool passed_ = false;
  bool gathering_ = false;
  std::string gathered_;
};

// The result of an exchange that the endpoint saw nothing of.
ProviderResult NothingSent(const http::ClientResult& done);

}  // namespace slipway::models
