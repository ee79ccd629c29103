#include "cli/output/live_screen.h"

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

constexpr char kClearLine[] = "\x1b[2K";
constexpr char kClearBelow[] = "\x1b[J";

std::string CursorUp(size_t lines) { return lines == 0 ? "" : absl::StrCat("\x1b[", lines, "A\r"); }

}  // namespace

void LiveScreen::Draw(const std::vector<std::string>& lines) {
  if (lines == shown_) return;
  std::string text = CursorUp(shown_.size());
  for (const std::string& line : lines) absl::StrAppend(&text, kClearLine, line, "\n");
  if (lines.size() < shown_.size()) text += kClearBelow;
  output_.Print(text);
  shown_ = lines;
}

void LiveScreen::PrintAbove(const std::string& line) {
  std::string text = absl::StrCat(CursorUp(shown_.size()), kClearBelow, line, "\n");
  for (const std::string& shown : shown_) absl::StrAppend(&text, shown, "\n");
  output_.Print(text);
}

}  // namespace slipway::cli
