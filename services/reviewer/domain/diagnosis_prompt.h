#pragma once

#include "absl/strings/string_view.h"
#include "services/reviewer/domain/critic_prompt.h"
#include "services/reviewer/domain/diagnosis.h"

namespace slipway::reviewer {

// What agents wrote, and what was printed because of it, is data of authors who are not trusted: it
// stands between markers that cannot occur in it, and the model is told to obey nothing inside.
CriticPrompt BuildDiagnosisPrompt(const FailedTask& task);

// The JSON schema of a reply.
absl::string_view DiagnosisReplySchema();

}  // namespace slipway::reviewer
