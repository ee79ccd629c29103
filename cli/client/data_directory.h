#pragma once

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace slipway::cli {

// Where everything of one suite lies: the layout that the programs of this machine share.
class DataDirectory final {
 public:
  explicit DataDirectory(std::string path) : path_(std::move(path)) {}

  // $SLIPWAY_DATA, else $XDG_STATE_HOME/slipway, else ~/.local/state/slipway.
  static std::string DefaultPath();

  const std::string& path() const { return path_; }
  std::string File(absl::string_view relative) const;

  std::string Config(absl::string_view service) const;
  std::string Overrides(absl::string_view service) const;
  std::string Log(absl::string_view service) const;
  std::string Socket(absl::string_view name) const;
  std::string Database(absl::string_view service) const;
  std::string LocalToken() const { return File("local.token"); }
  std::string OneTimeToken() const { return File("config/one-time.token"); }
  std::string Lock() const { return File("up.lock"); }
  std::string UpRecordPath() const { return File("up.json"); }
  std::string KillSwitch() const { return File("KILL"); }

 private:
  std::string path_;
};

}  // namespace slipway::cli
