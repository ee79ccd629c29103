#include "cli/client/data_directory.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string DataDirectory::DefaultPath() {
  if (const std::string data = Variable("SLIPWAY_DATA"); !data.empty()) return data;
  if (const std::string state = Variable("XDG_STATE_HOME"); !state.empty()) {
    return absl::StrCat(state, "/slipway");
  }
  const std::string home = Variable("HOME");
  return absl::StrCat(home.empty() ? "/root" : home, "/.local/state/slipway");
}

std::string DataDirectory::File(absl::string_view relative) const {
  return absl::StrCat(path_, "/", relative);
}

std::string DataDirectory::Config(absl::string_view service) const {
  return absl::StrCat(path_, "/config/", service, ".yaml");
}

std::string DataDirectory::Overrides(absl::string_view service) const {
  return absl::StrCat(path_, "/overrides/", service, ".yaml");
}

std::string DataDirectory::Log(absl::string_view service) const {
  return absl::StrCat(path_, "/logs/", service, ".log");
}

std::string DataDirectory::Socket(absl::string_view name) const {
  return absl::StrCat(path_, "/run/", name, ".sock");
}

std::string DataDirectory::Database(absl::string_view service) const {
  return absl::StrCat(path_, "/", service, "/", service, ".db");
}

}  // namespace slipway::cli
