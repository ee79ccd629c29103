#pragma once

#include <stdlib.h>

#include <string>

#include "lib/base/file.h"

namespace slipway::testkit {

// A fresh directory under the system's temporary directory, removed with its content at the end.
class TemporaryDirectory final {
 public:
  TemporaryDirectory() {
    std::string pattern = "/tmp/slipway-test-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { base::RemoveTree(path_).IgnoreError(); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace slipway::testkit
