#pragma once

#include "absl/strings/string_view.h"

// A page to look on with: sign-in by ?token=, plans with the states of their tasks, spend, events.
// Made of the JSON calls and the event stream only; loads nothing from elsewhere.
namespace slipway::gateway {

extern const absl::string_view kPageHtml;    // /
extern const absl::string_view kPageScript;  // /page.js
extern const absl::string_view kPageStyle;   // /page.css

inline constexpr char kPagePolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace slipway::gateway
