#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/git/oid.h"

namespace slipway::git {

// The values are those of git's pack format.
enum class ObjectType { kCommit = 1, kTree = 2, kBlob = 3, kTag = 4 };

// "commit", "tree", "blob" or "tag".
const char* NameOf(ObjectType type);

struct Object {
  ObjectType type = ObjectType::kBlob;
  std::string bytes;
};

// No tree or commit of a sane repository is larger.
inline constexpr size_t kTreeSizeMax = 64u << 20;
inline constexpr size_t kCommitSizeMax = 4u << 20;

// Where objects are read from: a repository, or an overlay in front of one.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;

  // Fails with ObjectMissing, ObjectCorrupt, or ObjectTooLarge before the object is inflated.
  virtual absl::StatusOr<Object> Read(const Oid& oid, size_t size_max) const = 0;

  virtual bool Contains(const Oid& oid) const = 0;

  // Reads an object that must be of `type`, else ObjectTypeWrong.
  absl::StatusOr<std::string> ReadAs(ObjectType type, const Oid& oid, size_t size_max) const;
};

// The id that git gives an object with this content.
Oid HashObject(ObjectType type, absl::string_view bytes);

}  // namespace slipway::git
