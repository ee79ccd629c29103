#pragma once

#include <cstdint>

#include "services/models/domain/call.h"
#include "services/models/domain/ledger.h"

namespace slipway::models {

// The most input tokens that the prompt of `spec` can have: no tokeniser makes more tokens than
// there are bytes, plus a fixed overhead for each message.
int64_t InputTokensBound(const CallSpec& spec);

// Characters of the prompt as it was sent, without pictures.
int64_t ContextCharacters(const CallSpec& spec);

// The output limit that the caller names; 0 when it names none.
int64_t OutputTokensAsked(const CallSpec& spec);

// The price of a call with that input and `output_tokens`, rounded up.
int64_t CostBound(const Quote& quote, int64_t output_tokens);

// The most output tokens that what is held pays for, at most `output_tokens_max`; not negative.
int64_t OutputTokensGranted(const Quote& quote, const Amounts& held, int64_t input_tokens,
                            int64_t output_tokens_max);

}  // namespace slipway::models
