#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/reviewer/domain/model_client.h"
#include "services/reviewer/domain/review_store.h"

namespace slipway::reviewer {

// Asks a model for a reply that can be read: one call, and one more that says what was wrong with
// the first reply. A call whose answer was lost is asked for again under its id and answered from
// the record; one that was refused gets a new id. Blocks for as long as models take.
class ModelDialogue final {
 public:
  // Both must outlive it.
  ModelDialogue(ReviewStore& store, ModelClient& models) : store_(store), models_(models) {}

  // `call` names what is asked, the same for the same; `request` has no id yet; `read` fails with
  // what is wrong with a reply, in words for the model. Empty when a reply was read, else what was
  // wrong with the last one: asking again then asks anew. Fails as models do.
  absl::StatusOr<std::string> Ask(const std::string& call, ModelRequest request,
                                  absl::FunctionRef<absl::Status(absl::string_view)> read);

 private:
  absl::StatusOr<std::string> Call(const std::string& call, ModelRequest& request);

  ReviewStore& store_;
  ModelClient& models_;
};

}  // namespace slipway::reviewer
