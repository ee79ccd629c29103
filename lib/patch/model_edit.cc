#include "lib/patch/model_edit.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "lib/base/status_macros.h"
#include "lib/patch/applier.h"
#include "lib/patch/diff_lines.h"
#include "lib/patch/edit_session.h"
#include "lib/patch/json_edit.h"
#include "lib/patch/loose_diff.h"
#include "lib/patch/patch_envelope.h"
#include "lib/patch/refusal.h"
#include "lib/patch/search_replace.h"
#include "lib/patch/unified_parser.h"

namespace slipway::patch {
namespace {

using Changes = std::vector<TreeChange>;

bool IsFence(absl::string_view line) { return absl::StartsWith(line, "```"); }

bool StartsDiff(absl::string_view text) {
  return absl::StartsWith(text, "diff --git ") || absl::StartsWith(text, "--- ");
}

// What stands in the fences of a reply.
struct Fences {
  size_t count = 0;
  absl::string_view first;  // The text in the first.
  bool closed = true;
};

Fences FindFences(absl::string_view reply) {
  Fences fences;
  absl::string_view start;
  bool open = false;
  for (DiffLines lines(reply); !lines.done(); lines.Next()) {
    if (!IsFence(lines.line())) continue;
    if (open && fences.count == 1) {
      fences.first = start.substr(0, start.size() - lines.bytes_left());
    }
    if (!open) {
      ++fences.count;
      DiffLines inside = lines;
      inside.Next();
      start = inside.rest();
    }
    open = !open;
  }
  fences.closed = !open;
  return fences;
}

absl::StatusOr<Changes> ReadDiff(absl::string_view typed, BaseView& base,
                                 const ModelEditOptions& options) {
  std::string diff(typed);
  if (!absl::EndsWith(diff, "\n")) diff.push_back('\n');  // Lost where replies are trimmed.
  // Exactly what git writes is applied exactly: searching for its text could only hide a mistake.
  absl::StatusOr<Patch> strict = ParseUnified(diff, options.limits);
  if (strict.ok()) return Apply(*strict, base, options.limits);
  EditSession session(base, options.limits);
  RETURN_IF_ERROR(ReadLooseDiff(diff, session));
  return session.Finish();
}

absl::StatusOr<Changes> ReadJson(absl::string_view text, BaseView& base,
                                 const ModelEditOptions& options) {
  ASSIGN_OR_RETURN(const JsonReply reply, ReadJsonReply(text, options.limits.hunks_max));
  if (reply.diff.has_value()) return ReadDiff(*reply.diff, base, options);
  EditSession session(base, options.limits);
  size_t number = 0;
  for (const JsonEdit& edit : reply.edits) {
    ++number;
    switch (edit.op) {
      case JsonEdit::Op::kWrite: {
        std::optional<uint32_t> mode;
        if (edit.executable) mode = *edit.executable ? kExecutable : kRegular;
        RETURN_IF_ERROR(session.Write(edit.path, edit.content, mode));
        break;
      }
      case JsonEdit::Op::kReplace:
        RETURN_IF_ERROR(ReplaceText(edit.path, edit.old_text, edit.new_text, number, session));
        break;
      case JsonEdit::Op::kDelete:
        RETURN_IF_ERROR(session.Delete(edit.path));
        break;
    }
  }
  return session.Finish();
}

}  // namespace

absl::StatusOr<Changes> ReadModelEdit(absl::string_view reply, BaseView& base,
                                      const ModelEditOptions& options) {
  if (reply.size() > options.reply_bytes_max) {
    return Refused("LIMITS",
                   absl::StrCat("the reply is larger than ", options.reply_bytes_max, " bytes"));
  }
  const absl::string_view trimmed = absl::StripLeadingAsciiWhitespace(reply);
  if (absl::StartsWith(trimmed, "{")) return ReadJson(trimmed, base, options);
  if (StartsDiff(trimmed)) return ReadDiff(trimmed, base, options);
  const Fences fences = FindFences(reply);
  if (fences.count == 1 && !fences.closed) {
    return Refused("CORRUPT", "the reply ends inside its fence; it may have been cut off");
  }
  const absl::string_view fenced = absl::StripLeadingAsciiWhitespace(fences.first);
  if (fences.count == 1 && absl::StartsWith(fenced, "{")) return ReadJson(fenced, base, options);
  const bool blocks = HasSearchReplace(reply);
  const bool envelope = HasPatchEnvelope(reply);
  if (blocks || envelope) {
    if (blocks && envelope) return Refused("FORMAT", "the reply mixes two forms of edits");
    EditSession session(base, options.limits);
    RETURN_IF_ERROR(blocks ? ReadSearchReplace(reply, session) : ReadPatchEnvelope(reply, session));
    return session.Finish();
  }
  if (fences.count == 1 && StartsDiff(fenced)) return ReadDiff(fenced, base, options);
  if (fences.count > 1) {
    return Refused("GARBAGE",
                   "the reply has more than one fenced block; put the whole edit in one");
  }
  for (DiffLines lines(reply); !lines.done(); lines.Next()) {
    if (StartsDiff(lines.line())) {
      return Refused("GARBAGE", "text stands around the diff; put the diff alone in one fence",
                     {.line = lines.number()});
    }
  }
  return Refused("NO_EDIT",
                 "the reply holds no edit: neither JSON, a diff, SEARCH/REPLACE blocks "
                 "nor a *** Begin Patch envelope");
}

}  // namespace slipway::patch
