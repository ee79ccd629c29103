#include "lib/git/object_source.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"

namespace slipway::git {

const char* NameOf(ObjectType type) {
  switch (type) {
    case ObjectType::kCommit:
      return "commit";
    case ObjectType::kTree:
      return "tree";
    case ObjectType::kTag:
      return "tag";
    case ObjectType::kBlob:
      break;
  }
  return "blob";
}

absl::StatusOr<std::string> ObjectSource::ReadAs(ObjectType type, const Oid& oid,
                                                 size_t size_max) const {
  ASSIGN_OR_RETURN(Object object, Read(oid, size_max));
  if (object.type != type) return ObjectTypeWrong(oid, NameOf(type));
  return std::move(object.bytes);
}

Oid HashObject(ObjectType type, absl::string_view bytes) {
  git_oid oid;
  git_odb_hash(&oid, bytes.data(), bytes.size(), static_cast<git_object_t>(type));
  return FromLibgit(oid);
}

}  // namespace slipway::git
