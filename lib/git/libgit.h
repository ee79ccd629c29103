#pragma once

#include <git2.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"

// What only this module's sources include: ownership of libgit2's objects and its error codes.
namespace slipway::git {

template <auto kFree>
struct LibgitDeleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using ReferencePtr = std::unique_ptr<git_reference, LibgitDeleter<git_reference_free>>;
using ReferenceIteratorPtr =
    std::unique_ptr<git_reference_iterator, LibgitDeleter<git_reference_iterator_free>>;
using ConfigPtr = std::unique_ptr<git_config, LibgitDeleter<git_config_free>>;
using OdbObjectPtr = std::unique_ptr<git_odb_object, LibgitDeleter<git_odb_object_free>>;
using IndexerPtr = std::unique_ptr<git_indexer, LibgitDeleter<git_indexer_free>>;
using PatchPtr = std::unique_ptr<git_patch, LibgitDeleter<git_patch_free>>;

// Starts libgit2 once for the process: writes below a git directory are fsynced, and nothing of
// the machine's or the user's git configuration is read.
void StartLibgit();

git_oid ToLibgit(const Oid& oid);
Oid FromLibgit(const git_oid& oid);

// The status of a libgit2 call that returned `code` < 0, with this thread's error text; OK for
// `code` >= 0. Calls that have named errors check their codes before.
absl::Status LibgitStatus(int code, absl::string_view what);

}  // namespace slipway::git
