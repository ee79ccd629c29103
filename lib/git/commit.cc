#include "lib/git/commit.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

constexpr size_t kMessageSizeMax = 64 * 1024;
constexpr int kTagDepthMax = 16;

// "Name <email> seconds +hhmm". Historic commits break the form in many ways; what cannot be read
// stays empty.
Signature ParseSignature(absl::string_view line) {
  Signature signature;
  const size_t open = line.find('<');
  const size_t close = line.rfind('>');
  if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) {
    signature.name = std::string(line);
    return signature;
  }
  signature.name = std::string(absl::StripSuffix(line.substr(0, open), " "));
  signature.email = std::string(line.substr(open + 1, close - open - 1));
  absl::string_view rest = absl::StripPrefix(line.substr(close + 1), " ");
  const size_t space = rest.find(' ');
  int64_t seconds = 0;
  if (absl::SimpleAtoi(rest.substr(0, space), &seconds)) {
    signature.time = absl::FromUnixSeconds(seconds);
  }
  int zone = 0;
  if (space != absl::string_view::npos && absl::SimpleAtoi(rest.substr(space + 1), &zone)) {
    signature.offset_minutes = zone / 100 * 60 + zone % 100;
  }
  return signature;
}

absl::StatusOr<std::string> EncodeSignature(const Signature& signature) {
  constexpr absl::string_view kForbidden("<>\n\r\0", 5);
  for (const std::string* part : {&signature.name, &signature.email}) {
    if (absl::string_view(*part).find_first_of(kForbidden) != absl::string_view::npos) {
      return SignatureInvalid("names and addresses hold no line break, NUL, '<' or '>'");
    }
  }
  if (signature.name.empty()) return SignatureInvalid("a name is missing");
  const int64_t seconds = absl::ToUnixSeconds(signature.time);
  if (seconds < 0) return SignatureInvalid("the time is before 1970");
  const int offset = std::abs(signature.offset_minutes);
  if (offset > 14 * 60) return SignatureInvalid("the offset exceeds 14 hours");
  return absl::StrFormat("%s <%s> %d %c%02d%02d", signature.name, signature.email, seconds,
                         signature.offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

absl::StatusOr<Commit> ParseCommit(const Oid& oid, absl::string_view bytes) {
  Commit commit;
  commit.oid = oid;
  while (true) {
    const size_t end = bytes.find('\n');
    if (end == absl::string_view::npos) return ObjectCorrupt(oid, "commit without a message");
    absl::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line.empty()) break;
    if (absl::ConsumePrefix(&line, "tree ")) {
      ASSIGN_OR_RETURN(commit.tree, Oid::Parse(line));
    } else if (absl::ConsumePrefix(&line, "parent ")) {
      ASSIGN_OR_RETURN(const Oid parent, Oid::Parse(line));
      commit.parents.push_back(parent);
    } else if (absl::ConsumePrefix(&line, "author ")) {
      commit.author = ParseSignature(line);
    } else if (absl::ConsumePrefix(&line, "committer ")) {
      commit.committer = ParseSignature(line);
    }
  }
  if (commit.tree.IsNull()) return ObjectCorrupt(oid, "commit without a tree");
  commit.message = std::string(bytes);
  return commit;
}

}  // namespace

absl::StatusOr<Commit> ReadCommit(const ObjectSource& source, const Oid& commit) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   source.ReadAs(ObjectType::kCommit, commit, kCommitSizeMax));
  return ParseCommit(commit, bytes);
}

absl::StatusOr<Oid> PeelToCommit(const ObjectSource& source, const Oid& oid) {
  Oid current = oid;
  for (int depth = 0; depth < kTagDepthMax; ++depth) {
    ASSIGN_OR_RETURN(const Object object, source.Read(current, kCommitSizeMax));
    if (object.type == ObjectType::kCommit) return current;
    absl::string_view bytes = object.bytes;
    if (object.type != ObjectType::kTag || !absl::ConsumePrefix(&bytes, "object ")) break;
    ASSIGN_OR_RETURN(current, Oid::Parse(bytes.substr(0, 2 * Oid::kSize)));
  }
  return ObjectTypeWrong(oid, "commit");
}

absl::StatusOr<std::string> EncodeCommit(const Commit& commit) {
  ASSIGN_OR_RETURN(const std::string author, EncodeSignature(commit.author));
  ASSIGN_OR_RETURN(const std::string committer, EncodeSignature(commit.committer));
  if (commit.message.find('\0') != std::string::npos) return MessageInvalid("it holds a NUL");
  if (commit.message.size() > kMessageSizeMax) return MessageInvalid("it exceeds 64 KiB");
  std::string bytes = absl::StrCat("tree ", commit.tree.ToHex(), "\n");
  for (const Oid& parent : commit.parents) {
    absl::StrAppend(&bytes, "parent ", parent.ToHex(), "\n");
  }
  absl::StrAppend(&bytes, "author ", author, "\ncommitter ", committer, "\n\n", commit.message);
  if (commit.message.empty() || commit.message.back() != '\n') bytes += '\n';
  return bytes;
}

}  // namespace slipway::git
