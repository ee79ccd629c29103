#include "lib/patch/loose_hunk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/base/status_macros.h"
#include "lib/patch/line_diff.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

using Lines = std::vector<absl::string_view>;

constexpr size_t kShownMatchesMax = 5;
// Line comparisons that one hunk may cost after the linear search; repetitive files stop there.
constexpr size_t kComparisonsMax = 1u << 20;

// Lines that all searches in one file may look at: what a few hundred hunks cost in a large file.
constexpr size_t kLookedAtMax = size_t{1} << 28;

enum class Level { kExact, kTrailingBlanks, kIndentation };

absl::string_view WithoutNewline(absl::string_view line) {
  absl::ConsumeSuffix(&line, "\n");
  return line;
}

absl::string_view Normalized(absl::string_view line, Level level) {
  switch (level) {
    case Level::kExact:
      return line;
    case Level::kTrailingBlanks:
      return absl::StripTrailingAsciiWhitespace(line);
    case Level::kIndentation:
      return absl::StripAsciiWhitespace(line);
  }
  return line;
}

Lines NormalizedLines(const Lines& lines, Level level) {
  Lines normalized;
  normalized.reserve(lines.size());
  for (const absl::string_view line : lines) normalized.push_back(Normalized(line, level));
  return normalized;
}

// Where `wanted`, which is not empty, occurs in `lines` from `from` on: Knuth, Morris and Pratt.
std::vector<size_t> Occurrences(const Lines& lines, const Lines& wanted, size_t from) {
  std::vector<size_t> border(wanted.size(), 0);
  for (size_t i = 1, k = 0; i < wanted.size(); ++i) {
    while (k > 0 && wanted[i] != wanted[k]) k = border[k - 1];
    if (wanted[i] == wanted[k]) ++k;
    border[i] = k;
  }
  std::vector<size_t> found;
  for (size_t i = from, k = 0; i < lines.size(); ++i) {
    while (k > 0 && (k == wanted.size() || lines[i] != wanted[k])) k = border[k - 1];
    if (lines[i] == wanted[k]) ++k;
    if (k == wanted.size()) {
      found.push_back(i + 1 - k);
      k = border[k - 1];
    }
  }
  return found;
}

// The indentation that the file has more than the hunk (`added`), or less.
struct Shift {
  bool added = true;
  std::string blanks;
};

absl::string_view Indentation(absl::string_view line) {
  return line.substr(0, line.size() - absl::StripLeadingAsciiWhitespace(line).size());
}

// The one shift between the lines of the file at `at` and the wanted ones; absent when there is
// none that fits them all.
std::optional<Shift> ShiftAt(const Lines& lines, size_t at, const Lines& wanted) {
  std::optional<Shift> shift;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (absl::StripAsciiWhitespace(wanted[i]).empty()) continue;
    absl::string_view actual = Indentation(lines[at + i]);
    absl::string_view expected = Indentation(wanted[i]);
    Shift here{.added = actual.size() >= expected.size()};
    absl::string_view longer = here.added ? actual : expected;
    if (!absl::ConsumeSuffix(&longer, here.added ? expected : actual)) return std::nullopt;
    here.blanks = std::string(longer);
    if (shift &&
        (shift->blanks != here.blanks || (shift->added != here.added && !here.blanks.empty()))) {
      return std::nullopt;
    }
    if (!shift || !here.blanks.empty()) shift = here;
  }
  return shift.value_or(Shift{});
}

struct Match {
  size_t at = 0;  // The first line, from 0.
  Level level = Level::kExact;
  Shift shift;
};

// A stretch of the file's lines and what replaces it, each line with its end.
struct Replacement {
  size_t begin = 0;
  size_t end = 0;
  size_t hunk = 0;
  std::vector<std::string> lines;
};

class LooseApplier final {
 public:
  LooseApplier(absl::string_view path, absl::string_view content)
      : path_(path), raw_(SplitLines(content)) {
    size_t with_cr = 0;
    for (const absl::string_view line : raw_) {
      lines_.push_back(WithoutNewline(line));
      with_cr += absl::EndsWith(line, "\r\n");
    }
    crlf_ = !raw_.empty() && with_cr + 1 >= raw_.size() && with_cr > 0 &&
            (with_cr == raw_.size() || !absl::EndsWith(raw_.back(), "\n"));
    no_cr_ = with_cr == 0;
  }

  absl::StatusOr<std::string> Apply(const std::vector<LooseHunk>& hunks, HunkOrder order) {
    std::vector<Replacement> replacements;
    for (const LooseHunk& hunk : hunks) {
      hunk_ = &hunk;
      ASSIGN_OR_RETURN(Replacement replacement, Resolve());
      if (order == HunkOrder::kAscending && !replacements.empty() &&
          replacement.begin < replacements.back().begin) {
        return Fail("ORDER", absl::StrCat("the hunk belongs to line ", replacement.begin + 1,
                                          ", before the hunk that precedes it"));
      }
      replacements.push_back(std::move(replacement));
    }
    std::stable_sort(replacements.begin(), replacements.end(),
                     [](const Replacement& a, const Replacement& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < replacements.size(); ++i) {
      if (replacements[i].begin < replacements[i - 1].end) {
        return DoesNotFit("OVERLAP",
                          absl::StrCat("hunks ", replacements[i - 1].hunk, " and ",
                                       replacements[i].hunk, " change the same lines"),
                          {.path = path_, .hunk = replacements[i].hunk});
      }
    }
    return Join(replacements);
  }

 private:
  absl::Status Fail(absl::string_view reason, absl::string_view message) const {
    return DoesNotFit(reason, message, {.path = path_, .hunk = hunk_->number});
  }

  absl::StatusOr<Replacement> Resolve() {
    Lines old_lines;
    for (const HunkLine& line : hunk_->lines) {
      if (line.kind != '+') old_lines.push_back(line.text);
    }
    ASSIGN_OR_RETURN(const size_t from, AfterAnchors());
    Match place;
    if (!old_lines.empty()) {
      ASSIGN_OR_RETURN(place, Find(old_lines, from));
    } else if (lines_.empty() || hunk_->at_end) {
      place.at = lines_.size();
    } else if (!hunk_->anchors.empty()) {
      place.at = from;
    } else {
      return Fail("ZERO_CONTEXT",
                  "the hunk only adds lines to a file that is not empty; show the lines around");
    }
    return Build(place, old_lines.size());
  }

  absl::StatusOr<size_t> AfterAnchors() {
    size_t from = 0;
    for (const absl::string_view anchor : hunk_->anchors) {
      ASSIGN_OR_RETURN(const Match place, Find({anchor}, from));
      from = place.at + 1;
    }
    return from;
  }

  absl::StatusOr<Match> Find(const Lines& wanted, size_t from) {
    for (const Level level : {Level::kExact, Level::kTrailingBlanks, Level::kIndentation}) {
      looked_at_ += lines_.size() - from + wanted.size();
      if (looked_at_ > kLookedAtMax) {
        return Fail("LIMITS", "too many hunks for a file of this size; write the file as a whole");
      }
      const Lines normalized = NormalizedLines(wanted, level);
      std::vector<Match> places;
      size_t comparisons = 0;
      for (const size_t at : Occurrences(Normal(level), normalized, from)) {
        if (hunk_->at_end && at + wanted.size() != lines_.size()) continue;
        Match place{.at = at, .level = level};
        if (level == Level::kIndentation) {
          comparisons += wanted.size();
          if (comparisons > kComparisonsMax) return Ambiguous(places);
          std::optional<Shift> shift = ShiftAt(lines_, at, wanted);
          if (!shift) continue;
          place.shift = *std::move(shift);
        }
        places.push_back(std::move(place));
      }
      if (places.size() == 1) return places[0];
      if (places.empty()) continue;
      for (const Match& place : places) {
        if (place.at + 1 == hunk_->stated_line) return place;
      }
      return Ambiguous(places);
    }
    return NotFound(wanted, from);
  }

  const Lines& Normal(Level level) {
    if (level == Level::kExact) return lines_;
    Lines& normal = normal_[level == Level::kIndentation];
    if (normal.empty()) normal = NormalizedLines(lines_, level);
    return normal;
  }

  absl::Status Ambiguous(const std::vector<Match>& places) const {
    std::string where;
    for (size_t i = 0; i < places.size() && i < kShownMatchesMax; ++i) {
      absl::StrAppend(&where, i == 0 ? "" : ", ", places[i].at + 1);
    }
    return Fail("AMBIGUOUS",
                absl::StrCat("the old lines occur ", places.size(), " times, at lines ", where,
                             "; show more lines around the change"));
  }

  // Says where the wanted lines come closest to the file's.
  absl::Status NotFound(const Lines& wanted, size_t from) {
    const Lines normalized = NormalizedLines(wanted, Level::kIndentation);
    const Lines& actual = Normal(Level::kIndentation);
    size_t best_at = 0;
    size_t best_size = 0;
    size_t comparisons = 0;
    for (size_t at = from; at < actual.size() && comparisons < kComparisonsMax; ++at) {
      size_t size = 0;
      while (size < normalized.size() && at + size < actual.size() &&
             actual[at + size] == normalized[size]) {
        ++size;
      }
      comparisons += size + 1;
      if (size > best_size) {
        best_size = size;
        best_at = at;
      }
    }
    if (best_size == wanted.size()) {
      return Fail("STALE", absl::StrCat("the old lines stand at line ", best_at + 1,
                                        " but their indentation differs from line to line, or "
                                        "they are not at the end of the file; line ",
                                        best_at + 1, " is: ", Shown(lines_[best_at])));
    }
    const size_t at = best_at + best_size;
    if (best_size == 0) {
      return Fail("STALE", absl::StrCat("no line of the file is the expected: ", Shown(wanted[0]),
                                        Around()));
    }
    return Fail("STALE",
                absl::StrCat("the old lines match from line ", best_at + 1,
                             " on, then expected: ", Shown(wanted[best_size]), "; line ", at + 1,
                             at < lines_.size() ? absl::StrCat(" is: ", Shown(lines_[at]))
                                                : std::string(" is past the end of the file")));
  }

  std::string Around() const {
    const size_t stated = hunk_->stated_line;
    if (stated == 0 || stated > lines_.size()) {
      return absl::StrCat("; the file has ", lines_.size(), " lines");
    }
    return absl::StrCat("; line ", stated, " is: ", Shown(lines_[stated - 1]));
  }

  absl::StatusOr<Replacement> Build(const Match& place, size_t old_size) {
    Replacement built{.begin = place.at, .end = place.at + old_size, .hunk = hunk_->number};
    const bool all_cr = std::all_of(hunk_->lines.begin(), hunk_->lines.end(), [](const auto& line) {
      return absl::EndsWith(line.text, "\r");
    });
    size_t at = place.at;
    for (const HunkLine& line : hunk_->lines) {
      if (line.kind == '-') ++at;
      if (line.kind == ' ') built.lines.emplace_back(raw_[at++]);
      if (line.kind != '+') continue;
      absl::string_view text = line.text;
      if (no_cr_ && all_cr && !raw_.empty()) absl::ConsumeSuffix(&text, "\r");
      std::string added;
      const bool blank = absl::StripAsciiWhitespace(text).empty();
      if (place.shift.added) {
        added = absl::StrCat(blank ? "" : place.shift.blanks, text);
      } else if (absl::ConsumePrefix(&text, place.shift.blanks) || blank) {
        added = std::string(text);
      } else {
        return Fail("STALE", absl::StrCat("an added line has less indentation than the old lines "
                                          "have more than the file: ",
                                          Shown(text)));
      }
      if (line.newline) {
        if (crlf_ && !absl::EndsWith(added, "\r")) added.push_back('\r');
        added.push_back('\n');
      }
      built.lines.push_back(std::move(added));
    }
    return built;
  }

  std::string Join(const std::vector<Replacement>& replacements) const {
    std::string content;
    const auto append = [&](absl::string_view line) {
      // What was the last line of the file may be followed by others now.
      if (!content.empty() && content.back() != '\n') content.append(crlf_ ? "\r\n" : "\n");
      content.append(line.data(), line.size());
    };
    size_t at = 0;
    for (const Replacement& replacement : replacements) {
      for (; at < replacement.begin; ++at) append(raw_[at]);
      for (const std::string& line : replacement.lines) append(line);
      at = std::max(at, replacement.end);
    }
    for (; at < raw_.size(); ++at) append(raw_[at]);
    return content;
  }

  absl::string_view path_;
  Lines raw_;        // With their ends.
  Lines lines_;      // Without newlines.
  Lines normal_[2];  // By level above kExact; made when first needed.
  bool crlf_ = false;
  bool no_cr_ = false;
  const LooseHunk* hunk_ = nullptr;
  size_t looked_at_ = 0;
};

}  // namespace

absl::StatusOr<std::string> ApplyLooseHunks(absl::string_view path, absl::string_view content,
                                            const std::vector<LooseHunk>& hunks, HunkOrder order) {
  return LooseApplier(path, content).Apply(hunks, order);
}

}  // namespace slipway::patch
