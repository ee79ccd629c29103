#include "services/models/wire/body_edit.h"

#include <algorithm>
#include <utility>

namespace slipway::models {

void BodyEdit::Replace(WireSpan span, std::string text) {
  changes_.push_back({span, std::move(text)});
}

void BodyEdit::Remove(const std::vector<WireSpan>& entries, const std::vector<bool>& removed) {
  for (size_t first = 0; first < entries.size(); ++first) {
    if (!removed[first]) continue;
    size_t last = first;
    while (last + 1 < entries.size() && removed[last + 1]) ++last;
    const bool more = last + 1 < entries.size();
    const size_t begin = !more && first > 0 ? entries[first - 1].end : entries[first].begin;
    Replace({begin, more ? entries[last + 1].begin : entries[last].end}, "");
    first = last;
  }
}

std::string BodyEdit::Apply() const {
  std::vector<Change> changes = changes_;
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.span.begin < b.span.begin; });
  std::string out;
  out.reserve(body_.size() + 256);
  size_t at = 0;
  for (const Change& change : changes) {
    out.append(body_.data() + at, change.span.begin - at);
    out += change.text;
    at = change.span.end;
  }
  out.append(body_.data() + at, body_.size() - at);
  return out;
}

}  // namespace slipway::models
