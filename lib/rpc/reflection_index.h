#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::rpc {

// What gRPC server reflection tells of the descriptors that are linked into this program, whatever
// version of the protocol asks. Thread-safe once the services are set.
class ReflectionIndex final {
 public:
  // Serialized FileDescriptorProtos: the file asked for, then everything it imports.
  using Files = std::vector<std::string>;

  // Names listed in addition to those that are served. Fails with SERVICE_UNKNOWN for one that is
  // not linked in.
  static absl::StatusOr<ReflectionIndex> Make(std::vector<std::string> service_names);

  // Adds to the list; before any other thread asks.
  void AddService(const std::string& name);

  // Sorted, each once.
  const std::vector<std::string>& service_names() const { return service_names_; }

  // NOT_FOUND when nothing of that name is linked in.
  absl::StatusOr<Files> FileByName(const std::string& name) const;
  absl::StatusOr<Files> FileOfSymbol(const std::string& symbol) const;
  absl::StatusOr<Files> FileOfExtension(const std::string& type, int32_t number) const;
  absl::StatusOr<std::vector<int32_t>> ExtensionNumbers(const std::string& type) const;

 private:
  std::vector<std::string> service_names_;
};

}  // namespace slipway::rpc
