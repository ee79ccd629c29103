#include "services/models/domain/estimate.h"

#include <algorithm>
#include <limits>

#include "absl/strings/string_view.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

constexpr __int128 kPicoPerNano = 1'000;

int64_t Saturated(__int128 value) {
  constexpr __int128 kMax = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp<__int128>(value, 0, kMax));
}

// Every byte but those that continue a sequence of UTF-8.
int64_t CharactersOf(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

int64_t InputTokensBound(const CallSpec& spec) {
  if (spec.wire != nullptr) return spec.wire->input_tokens_bound;
  size_t bytes = spec.response_schema.size();
  for (const Message& message : spec.messages) bytes += message.text.size();
  const int64_t messages = static_cast<int64_t>(spec.messages.size()) + 1;  // The reply's primer.
  return static_cast<int64_t>(bytes) + messages * kTokensPerMessage;
}

int64_t ContextCharacters(const CallSpec& spec) {
  if (spec.wire != nullptr) {
    // The text of a picture has one byte a character.
    return CharactersOf(spec.wire->body) - static_cast<int64_t>(spec.wire->image_bytes);
  }
  int64_t characters = CharactersOf(spec.response_schema);
  for (const Message& message : spec.messages) characters += CharactersOf(message.text);
  return characters;
}

int64_t OutputTokensAsked(const CallSpec& spec) {
  return spec.wire != nullptr ? spec.wire->output_tokens_max : spec.output_tokens_max;
}

int64_t CostBound(const Quote& quote, int64_t output_tokens) {
  const __int128 output = static_cast<__int128>(quote.output_pico_usd) * output_tokens;
  return Saturated(quote.input_usd_nanos + (output + kPicoPerNano - 1) / kPicoPerNano);
}

int64_t OutputTokensGranted(const Quote& quote, const Amounts& held, int64_t input_tokens,
                            int64_t output_tokens_max) {
  int64_t granted = std::min(output_tokens_max, held.tokens - input_tokens);
  if (quote.output_pico_usd > 0) {
    const __int128 money =
        (static_cast<__int128>(held.usd_nanos) - quote.input_usd_nanos) * kPicoPerNano;
    granted = std::min(granted, Saturated(money / quote.output_pico_usd));
  }
  return std::max<int64_t>(granted, 0);
}

}  // namespace slipway::models
