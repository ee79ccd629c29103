#pragma once

#include <string>
#include <vector>

#include "lib/http/headers.h"
#include "services/models/domain/call.h"
#include "services/models/providers/script.h"

namespace slipway::models {

// What the scripted provider says in answer to a request that came in a dialect, as an endpoint of
// that dialect would.
struct ScriptedReply {
  int status = 200;
  http::Headers headers;
  std::vector<std::string> pieces;  // Of the body: frames of a stream, or one text.
  bool complete = true;             // False: the connection breaks, or hangs, after the pieces.
};

struct ScriptedAnswer {
  std::string id;
  std::string model;
  std::string text;
  std::string finish_reason;  // As chat names it.
  TokenCounts tokens;
};

ScriptedReply ComposeScriptedReply(const WireRequest& request, const ScriptRule& rule,
                                   const ScriptedAnswer& answer);

// The answer of an endpoint that refuses.
ScriptedReply ComposeScriptedRefusal(Dialect dialect, const ScriptFault& fault);

// All that a request says to the model, for the conditions of rules.
std::string PromptOfWire(const WireRequest& request);

}  // namespace slipway::models
