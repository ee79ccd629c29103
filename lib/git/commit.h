#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

// Who made a commit, and when, to the second.
struct Signature {
  std::string name;
  std::string email;
  absl::Time time;
  int offset_minutes = 0;  // East of UTC.
  friend bool operator==(const Signature&, const Signature&) = default;
};

struct Commit {
  Oid oid;
  Oid tree;
  std::vector<Oid> parents;
  Signature author;
  Signature committer;
  std::string message;  // As stored; usually ends in a newline.

  // The first line of the message.
  absl::string_view subject() const {
    return absl::string_view(message).substr(0, message.find('\n'));
  }
};

absl::StatusOr<Commit> ReadCommit(const ObjectSource& source, const Oid& commit);

// `oid`, or the commit that the annotated tag `oid` leads to. ObjectTypeWrong for anything else.
absl::StatusOr<Oid> PeelToCommit(const ObjectSource& source, const Oid& oid);

// The content of the commit object. Fails with SignatureInvalid or MessageInvalid: names and
// addresses hold no line break, NUL, "<" or ">"; messages no NUL and at most 64 KiB. A newline is
// added to a message that does not end in one.
absl::StatusOr<std::string> EncodeCommit(const Commit& commit);

}  // namespace slipway::git
