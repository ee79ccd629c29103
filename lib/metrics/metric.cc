#include "lib/metrics/metric.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/metrics/metrics.h"

namespace slipway::metrics {
namespace {

constexpr size_t kLabelValueBytesMax = 128;

struct Registry {
  base::Mutex mutex;
  std::map<std::string, const Metric*> metrics ABSL_GUARDED_BY(mutex);
};

// Never destroyed: metrics of other files unregister after this file's statics would be gone.
Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

bool IsName(const std::string& name) {
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

[[noreturn]] void Die(const std::string& name, const char* problem) {
  std::fprintf(stderr, "metric '%s' %s\n", name.c_str(), problem);
  std::abort();
}

std::string Escape(absl::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && quotes) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

Metric::Metric(Description description) : description_(std::move(description)) {
  if (!IsName(description_.name)) Die(description_.name, "is not a valid name");
  if (description_.description.empty()) Die(description_.name, "has no description");
  for (const std::string& label : description_.labels) {
    if (!IsName(label) || label == "le") Die(description_.name, "has an invalid label");
  }
}

void Metric::Register() {
  Registry& registry = TheRegistry();
  base::MutexLock lock(registry.mutex);
  if (!registry.metrics.emplace(description_.name, this).second) {
    Die(description_.name, "is declared twice");
  }
}

void Metric::Unregister() {
  Registry& registry = TheRegistry();
  base::MutexLock lock(registry.mutex);
  registry.metrics.erase(description_.name);
}

std::string Metric::SeriesName(const std::string& name, const std::string& rendered_labels,
                               const std::string& extra) {
  if (rendered_labels.empty() && extra.empty()) return name;
  const bool both = !rendered_labels.empty() && !extra.empty();
  return absl::StrCat(name, "{", rendered_labels, both ? "," : "", extra, "}");
}

std::string Metric::RenderLabels(Labels values) const {
  std::string rendered;
  const auto* value = values.begin();
  for (const std::string& label : description_.labels) {
    const absl::string_view text = value != values.end() ? *value++ : absl::string_view();
    absl::StrAppend(&rendered, rendered.empty() ? "" : ",", label, "=\"",
                    Escape(text.substr(0, kLabelValueBytesMax), /*quotes=*/true), "\"");
  }
  return rendered;
}

std::string Metric::RenderOtherLabels() const {
  std::string rendered;
  for (const std::string& label : description_.labels) {
    absl::StrAppend(&rendered, rendered.empty() ? "" : ",", label, "=\"other\"");
  }
  return rendered;
}

std::string Render() {
  Registry& registry = TheRegistry();
  std::string out;
  base::MutexLock lock(registry.mutex);
  for (const auto& [name, metric] : registry.metrics) {
    std::string series;
    metric->AppendSeries(series);
    if (series.empty()) continue;
    absl::StrAppend(&out, "# HELP ", name, " ",
                    Escape(metric->description().description, /*quotes=*/false), "\n# TYPE ", name,
                    " ", metric->Type(), "\n", series);
  }
  return out;
}

}  // namespace slipway::metrics
