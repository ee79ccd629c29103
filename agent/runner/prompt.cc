#include "agent/runner/prompt.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/domain/path_pattern.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/patch/patch.h"
#include "lib/patch/path_rules.h"

namespace slipway::agent {
namespace {

constexpr size_t kReplyShownBytesMax = 64u << 10;
constexpr size_t kErrorShownBytesMax = 8u << 10;

constexpr char kInstructions[] = R"(You change a git repository to fulfil one task.

Answer with exactly one edit, in one of these formats:

1. SEARCH/REPLACE blocks, each after a line with the path of its file:
path/of/file.py
<<<<<<< SEARCH
lines as they stand in the file, exactly, enough of them to be found once
=======
the lines that replace them
>>>>>>> REPLACE
   An empty SEARCH part creates the file.
2. One unified diff in git's format, in one ```diff fence.
3. One JSON object, bare or in one ```json fence:
{"edits":[{"path":"a.txt","op":"write","content":"whole file"},
          {"path":"b.txt","op":"replace","old":"text that occurs once","new":"text"},
          {"path":"c.txt","op":"delete"}]}

Touch only the allowed paths. Do not abbreviate content. The whole answer applies or nothing.
)";

// The beginning and the end of `text` when it is too long for all of it.
std::string Shorten(const std::string& text, size_t size_max) {
  if (text.size() <= size_max) return base::ToUtf8(text, text.size() * 3);
  const size_t half = size_max / 2;
  return absl::StrCat(base::ToUtf8(absl::string_view(text).substr(0, half), half),
                      "\n[... shortened ...]\n",
                      base::ToUtf8(absl::string_view(text).substr(text.size() - half), half));
}

void AppendList(const char* heading, const std::vector<std::string>& items, size_t size_max,
                std::string& prompt) {
  if (items.empty()) return;
  absl::StrAppend(&prompt, "\n## ", heading, "\n");
  for (const std::string& item : items) {
    absl::StrAppend(&prompt, "- ", Shorten(item, std::max<size_t>(size_max / items.size(), 64)),
                    "\n");
  }
}

void AppendFeedback(const std::vector<std::string>& feedback, size_t size_max,
                    std::string& prompt) {
  if (feedback.empty()) return;
  absl::StrAppend(&prompt,
                  "\n## What earlier attempts got wrong, oldest first\n"
                  "Your change must not repeat any of it.\n");
  for (size_t i = 0; i < feedback.size(); ++i) {
    absl::StrAppend(&prompt, "\n### Attempt ", i + 1, "\n",
                    Shorten(feedback[i], std::max<size_t>(size_max / feedback.size(), 256)), "\n");
  }
}

void AppendListing(const GitTree& tree, size_t size_max, std::string& prompt) {
  absl::StrAppend(&prompt, "\n## Files of the repository\n");
  size_t left = size_max;
  size_t omitted = 0;
  for (const auto& [path, entry] : tree.files()) {
    const std::string shown = base::ToUtf8(path, patch::kPathBytesMax);
    if (shown.size() + 1 > left) {
      ++omitted;
      continue;
    }
    left -= shown.size() + 1;
    absl::StrAppend(&prompt, shown, "\n");
  }
  if (omitted > 0) absl::StrAppend(&prompt, "[and ", omitted, " more]\n");
}

// Context files first: somebody named them one by one.
std::vector<std::string> FilesToShow(const WriteOrder& order, const GitTree& tree) {
  std::vector<std::string> context, allowed;
  for (const auto& [path, entry] : tree.files()) {
    if (!patch::IsFile(entry.mode)) continue;
    if (MatchesAny(order.context_paths, path)) {
      context.push_back(path);
    } else if (MatchesAny(order.allowed_paths, path)) {
      allowed.push_back(path);
    }
  }
  context.insert(context.end(), allowed.begin(), allowed.end());
  return context;
}

absl::Status AppendFiles(const WriteOrder& order, const PromptBudget& budget, GitTree& tree,
                         std::string& prompt) {
  size_t left = budget.files_bytes_max;
  size_t shown = 0;
  std::vector<std::string> omitted;
  for (const std::string& path : FilesToShow(order, tree)) {
    if (shown == budget.files_max || tree.SizeOf(path) > std::min(left, budget.file_bytes_max)) {
      omitted.push_back(path);
      continue;
    }
    ASSIGN_OR_RETURN(const std::string content, tree.Read(tree.files().at(path).oid));
    const bool text = content.find('\0') == std::string::npos && patch::IsUtf8(content);
    ++shown;
    if (!text) {
      omitted.push_back(absl::StrCat(path, " (binary)"));
      continue;
    }
    left -= content.size();
    absl::StrAppend(&prompt, "\n## Content of ", path, "\n````\n", content,
                    content.empty() || content.back() == '\n' ? "" : "\n", "````\n");
  }
  if (!omitted.empty()) {
    absl::StrAppend(&prompt, "\n## Not shown\n",
                    Shorten(absl::StrJoin(omitted, "\n"), budget.listing_bytes_max), "\n");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ChatMessage>> MakePrompt(const WriteOrder& order, GitTree& tree,
                                                    const PromptBudget& budget) {
  std::string prompt = absl::StrCat("# Task: ", Shorten(order.title, 1'024), "\n\n",
                                    Shorten(order.description, budget.text_bytes_max), "\n");
  AppendList("Done when", order.acceptance, budget.text_bytes_max / 4, prompt);
  AppendList("Allowed paths", order.allowed_paths, budget.text_bytes_max / 4, prompt);
  if (!order.guidance.empty()) {
    absl::StrAppend(&prompt, "\n## Guidance by a person\n",
                    Shorten(order.guidance, budget.text_bytes_max / 4), "\n");
  }
  AppendFeedback(order.feedback, budget.feedback_bytes_max, prompt);
  AppendListing(tree, budget.listing_bytes_max, prompt);
  RETURN_IF_ERROR(AppendFiles(order, budget, tree, prompt));
  return std::vector<ChatMessage>{{.role = "system", .content = kInstructions},
                                  {.role = "user", .content = std::move(prompt)}};
}

void AddReply(const std::string& reply, std::vector<ChatMessage>& messages) {
  messages.push_back({.role = "assistant", .content = Shorten(reply, kReplyShownBytesMax)});
}

void AskAfterRefusal(const std::string& error, std::vector<ChatMessage>& messages) {
  messages.push_back(
      {.role = "user",
       .content = absl::StrCat("Your edit was refused and nothing of it was applied:\n\n",
                               Shorten(error, kErrorShownBytesMax),
                               "\n\nAnswer with the whole edit again, corrected.")});
}

void AskAfterFindings(const std::string& findings, std::vector<ChatMessage>& messages) {
  messages.push_back(
      {.role = "user",
       .content = absl::StrCat(
           "Your edit applies, but what it gives does not pass:\n\n",
           Shorten(findings, kErrorShownBytesMax),
           "\n\nAnswer with one whole edit in the place of the last one, corrected. It is applied "
           "to the files as they were shown to you first, without your last edit.")});
}

}  // namespace slipway::agent
